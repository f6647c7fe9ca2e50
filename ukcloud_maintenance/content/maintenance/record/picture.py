"""The picture of a drain: every instance through its time, a lane for each.

The words of it are here too, for who does not see it; times are in the reader's zone.
"""

from dataclasses import dataclass, fields
from datetime import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance import store
from ukcloud_maintenance.core.record import lanes
from ukcloud_maintenance.core.record.lanes import ATTEMPT, Lane, Outcome, Segment, Stretch
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.store import Drain

from ..common import formats, labels, svg
from ..common.formats import NOTHING
from ..common.svg import LANE_HEIGHT, REDRAWN_EVERY
from .events import kind_class, kind_words

#: Per cent of the width that time takes; what is right of it is for the names of the destinations.
PLOT = 82.0
#: Marks that a stretch, its end or the words at the end of the lane tell already.
_TOLD = frozenset(
    {
        *("attempt_failed", "failed", "gone", "cancelled", "stays", "skipped", "unknown"),
        "host_refused",
        *("blocked", "unblocked", "resize_settled", "came_back", "aborted"),
    }
)
_CROSSED = frozenset({"attempt_failed", "failed", "aborted"})
_LANE_ROW_FIELDS = [f.name for f in fields(lanes.LaneRow) if f.name != "attempts"]
_ATTEMPT_FIELDS = [f.name for f in fields(lanes.LaneAttempt)]


def stretch_words(kind: Stretch) -> str:
    return {
        Stretch.WAITING: _("waiting"),
        Stretch.BLOCKED: _("blocked"),
        Stretch.QUEUED: _("in Nova's queue"),
        Stretch.MOVING: _("moving"),
        Stretch.CONFIRMING: _("confirming"),
        Stretch.REST: _("nothing in progress"),
    }[kind]


def outcome_words(outcome: Outcome) -> str:
    return {
        Outcome.ARRIVED: _("arrived"),
        Outcome.FAILED: _("failed"),
        Outcome.ABORTED: _("aborted"),
        Outcome.BLOCKED: _("blocked"),
        Outcome.CONFIRMED: _("confirmed"),
        Outcome.GONE: _("gone"),
        Outcome.CANCELLED: _("cancelled"),
        Outcome.STAYS: _("stays"),
        Outcome.UNKNOWN: _("unknown"),
        Outcome.NONE: "",
    }[outcome]


def picture_token(drain: Drain, now: datetime) -> str:
    """Changes when the picture does; while time goes on it does so by itself."""
    if drain.state in DRAIN_TERMINAL:
        return str(drain.revision)
    return f"{drain.revision}-{int(now.timestamp()) // REDRAWN_EVERY}"


@dataclass(frozen=True)
class LaneView:
    """The name beside a lane, and what it says in words."""

    name: str
    url: str
    words: str


class Picture:
    """The lanes of a drain: three queries, however many instances there are.

    Times are shown in the user's time zone.
    """

    def __init__(self, drain: Drain, now: datetime):
        self.drain = drain
        self.is_over = drain.state in DRAIN_TERMINAL
        told = [
            lanes.LaneEvent(e["id"], e["at"], e["kind"], e["message"], e["migration_id"])
            for e in store.events(drain).values("id", "at", "kind", "message", "migration_id")
        ]
        attempts = store.attempts(drain)
        rows = [
            lanes.LaneRow(
                **{name: getattr(row, name) for name in _LANE_ROW_FIELDS},
                attempts=tuple(
                    lanes.LaneAttempt(**{name: getattr(one, name) for name in _ATTEMPT_FIELDS})
                    for one in attempts.get(row.pk, ())
                    if one.submitted_at is not None
                ),
            )
            for row in store.migrations(drain)
        ]
        self.lanes: list[Lane] = lanes.lanes(rows, told)
        self.pauses = lanes.pauses(told)
        self.now = max(now, drain.created_at)
        self.end = self._last_moment()
        self.begin = self._first_moment()
        self.scale = svg.Scale(self.begin, self.end, PLOT)

    def _last_moment(self) -> datetime:
        if not self.is_over:
            return self.now
        ends = [one.end for one in self.lanes if one.end]
        return max([self.drain.finished_at or self.now, *ends])

    def _first_moment(self) -> datetime:
        """A drain that began long after it was requested is not a picture of that waiting."""
        asked, begun = self.drain.created_at, self.drain.started_at
        if begun is None:
            return asked
        first = min([begun, *(m for one in self.lanes if (m := one.moved_at))])
        return max(asked, first - (self.end - first) / 10)

    @property
    def height(self) -> int:
        return len(self.lanes) * LANE_HEIGHT

    # -- words -----------------------------------------------------------------------------

    @property
    def zone(self) -> str:
        return timezone.localtime(self.begin).tzname() or ""

    @property
    def summary(self) -> str:
        """The picture in a sentence."""
        counted = lanes.tally(self.lanes)
        parts = [
            f"{number} {outcome_words(outcome) or _('in progress or waiting')}"
            for outcome, number in sorted(counted.items(), key=lambda item: -item[1])
        ]
        n = len(self.lanes)
        said = ngettext("%(n)s instance", "%(n)s instances", n) % {"n": n}
        return _("%(said)s from %(begin)s to %(end)s: %(parts)s.") % {
            "said": said,
            "begin": formats.full_time(self.begin),
            "end": formats.full_time(self.end),
            "parts": ", ".join(parts),
        }

    def names(self) -> list[LaneView]:
        return [
            LaneView(
                one.row.server_name or one.row.server_id,
                reverse("horizon:admin:instances:detail", args=[one.row.server_id]),
                self._words(one),
            )
            for one in self.lanes
        ]

    def _words(self, one: Lane) -> str:
        """A lane for who does not see it."""
        said = outcome_words(one.outcome)
        if not said and one.segments:
            said = stretch_words(one.segments[-1].kind)
        if one.destination:
            said = _("%(state)s, to %(host)s") % {"state": said, "host": one.destination}
        if one.moved_at and one.end:
            said += ", " + formats.duration(one.end - one.moved_at)
        if one.failed_attempts:
            said += ", " + ngettext(
                "%(n)s failed attempt", "%(n)s failed attempts", one.failed_attempts
            ) % {"n": one.failed_attempts}
        return said

    def legend(self) -> list[tuple[SafeString, str]]:
        """What occurs in this picture: a sample of it, and what it means."""
        kinds = {s.kind for one in self.lanes for s in one.segments if not s.has_failed}
        found = [
            (svg.sample(svg.bar(kind, Outcome.NONE, "0", "100%", 1)), stretch_words(kind))
            for kind in Stretch
            if kind in kinds and kind is not Stretch.REST
        ]
        segments = [s for one in self.lanes for s in one.segments]
        marks = {m.kind for one in self.lanes for m in one.marks}
        if any(s.has_failed for s in segments) or marks & _CROSSED:
            sample = format_html(
                "{}{}",
                svg.bar(Stretch.MOVING, Outcome.FAILED, "0", "100%", 1),
                svg.cross("50%", 1, ""),
            )
            found.append((svg.sample(sample), _("failed attempt")))
        if marks - _TOLD:
            found.append((svg.sample(svg.diamond("50%", 1, "")), _("event: hover for details")))
        if self.pauses:
            pause = mark_safe('<rect class="mnt-pause" width="100%" height="14"></rect>')
            found.append((svg.sample(pause), _("the drain was paused")))
        if not self.is_over:
            line = mark_safe('<line class="mnt-now" x1="50%" x2="50%" y1="0" y2="14"></line>')
            found.append((svg.sample(line), _("now")))
        return found

    # -- drawing ---------------------------------------------------------------------------

    def axis(self) -> SafeString:
        """The times above the lanes."""
        return self.scale.axis(self._ticks(), edge=2)

    def _ticks(self) -> list[tuple[datetime, str]]:
        return formats.labelled_ticks(self.begin, self.end, self.now)

    def svg(self) -> SafeString:
        """The lanes."""
        scale, height = self.scale, self.height
        pieces = [scale.line("mnt-tick", at, height) for at, _text in self._ticks()]
        for since, until in self.pauses:
            title = _("The drain was paused, %(times)s") % {"times": self._times(since, until)}
            pieces.append(scale.ground("mnt-pause", since, until or self.end, height, title))
        pieces += [self._lane(one, n * LANE_HEIGHT) for n, one in enumerate(self.lanes)]
        if not self.is_over:
            pieces.append(scale.line("mnt-now", self.now, height))
        return svg.picture("mnt-lanes-picture", self.summary, height, pieces, "mnt-hatch")

    def _lane(self, one: Lane, top: int) -> SafeString:
        y = top + (LANE_HEIGHT - svg.BAR_HEIGHT) // 2
        pieces = [piece for segment in one.segments if (piece := self._segment(one, segment, y))]
        crosses = {s.end: _end_title(s) for s in one.segments if s.has_failed and s.end is not None}
        crosses |= {
            m.at: _with(kind_words(m.kind), labels.said(m.message))
            for m in one.marks
            if m.kind in _CROSSED
        }
        for mark in one.marks:
            if mark.kind not in _TOLD:
                title = _with(
                    kind_words(mark.kind), labels.said(mark.message), self._clock(mark.at)
                )
                pieces.append(svg.diamond(f"{self.scale.x(mark.at)}%", y, title))
        for at, title in crosses.items():
            pieces.append(svg.cross(f"{self.scale.x(at)}%", y, _with(title, self._clock(at))))
        pieces.append(self._end(one, top))
        return svg.lane(top, pieces)

    def _segment(self, one: Lane, segment: Segment, y: int) -> SafeString | None:
        if segment.kind is Stretch.REST:
            return None
        end = segment.end or self.end
        if end < self.begin:
            return None
        left, width = self.scale.stretch(segment.start, end)
        title = _with(
            one.row.server_name,
            _end_title(segment),
            self._times(segment.start, segment.end),
            formats.duration(end - segment.start),
        )
        return svg.bar(segment.kind, segment.outcome, f"{left}%", f"{width}%", y, title)

    def _end(self, one: Lane, top: int) -> SafeString:
        """Where it went, or what became of it, right behind its last stretch."""
        at = one.end or self.end
        css = kind_class(one.outcome.value) or "open"
        if one.destination:
            text = f"→ {one.destination}"
        elif one.outcome is Outcome.UNKNOWN:
            text = f"? {outcome_words(one.outcome)}"
        else:
            text = outcome_words(one.outcome)
        return svg.lane_end(css, self.scale.x(max(at, self.begin)), top, text)

    def _clock(self, at: datetime) -> str:
        return formats.clock(at, self.now, seconds=True)

    def _times(self, since: datetime, until: datetime | None) -> str:
        if until is None:
            return _("since %(begin)s") % {"begin": self._clock(since)}
        return f"{self._clock(since)} {NOTHING} {self._clock(until)}"


def _with(*parts: str) -> str:
    return ", ".join(part.rstrip(".") for part in parts if part)


def _end_title(segment: Segment) -> str:
    """What a stretch was: moving to cmp2, failed: No valid host was found."""
    said = stretch_words(segment.kind)
    if segment.destination and segment.kind in ATTEMPT:
        said = _("%(state)s, to %(host)s") % {"state": said, "host": segment.destination}
    if segment.outcome:
        said += f", {outcome_words(segment.outcome)}"
        if segment.has_failed and segment.message:
            said += f": {labels.said(segment.message)}"
    return said

"""The record as it is shown: the timeline of a drain, its picture, the history of a host.

The pictures are SVG that is made here. Their widths are per cent and their heights pixels, so
that they fit any window and their letters keep their size; their colours are those of the style
sheet, made for light and dark themes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.urls import reverse
from django.utils import formats as django_formats
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ukcloud_maintenance import store
from ukcloud_maintenance.core.record import lanes
from ukcloud_maintenance.core.record.lanes import ATTEMPT, Lane, Outcome, Segment, Stretch
from ukcloud_maintenance.core.states import DRAIN_TERMINAL, Direction, DrainState, MigrationState
from ukcloud_maintenance.store import Counts, Drain, Event, HostMaintenance

from ..common import formats, labels
from ..common.formats import NOTHING
from ..hosts.table import DrainRow

EVENTS_ON_PAGE = 100
MESSAGE_SHOWN = 160
#: how old a picture may get while the drain runs, in seconds
REDRAWN_EVERY = 15

WORKER, ADMIN = "worker", "admin"
NEWEST, OLDEST = "newest", "oldest"

# -- words for events ------------------------------------------------------------------------

GOOD, BAD, WARN, PLAIN = "good", "bad", "warn", "plain"
_ICONS = {GOOD: "check", BAD: "xmark", WARN: "triangle-exclamation", PLAIN: ""}

#: What each kind of event means, and whether it is good news.
_KINDS = {
    "drain_requested": (gettext_lazy("Drain asked for"), PLAIN),
    "drain_started": (gettext_lazy("Drain begun"), PLAIN),
    "drain_paused": (gettext_lazy("Drain paused"), WARN),
    "drain_resumed": (gettext_lazy("Drain resumed"), PLAIN),
    "drain_reopened": (gettext_lazy("Drain taken up again"), PLAIN),
    "drain_cancelled": (gettext_lazy("Drain cancelled"), WARN),
    "drain_succeeded": (gettext_lazy("Drained: the host is empty"), GOOD),
    "drain_failed": (gettext_lazy("Drain ended, the host is not empty"), BAD),
    "drain_changed": (gettext_lazy("Pace or window changed"), PLAIN),
    "limit_changed": (gettext_lazy("Number of migrations at once changed"), PLAIN),
    "limit_learned": (gettext_lazy("Learned how many Nova runs at once here"), PLAIN),
    "window_closed": (gettext_lazy("The window closed: nothing new starts"), WARN),
    "waiting_for_blocked": (gettext_lazy("Waiting for what is blocked"), WARN),
    "not_proved_yet": (gettext_lazy("Not proved empty yet"), WARN),
    "service_disabled": (gettext_lazy("Compute service disabled"), PLAIN),
    "service_enabled": (gettext_lazy("Compute service enabled"), PLAIN),
    "service_enabled_by_other": (gettext_lazy("Somebody enabled the compute service"), WARN),
    "safe_to_power_off": (gettext_lazy("Safe to power off"), GOOD),
    "safe_withdrawn": (gettext_lazy("Not safe to power off any more"), WARN),
    "allocation_remove_asked": (
        gettext_lazy("Removal of an allocation left behind requested"),
        PLAIN,
    ),
    "allocation_removed": (gettext_lazy("Allocation left behind removed"), PLAIN),
    "allocation_not_removed": (gettext_lazy("Allocation left behind not removed"), BAD),
    "return_requested": (gettext_lazy("Return to service asked for"), PLAIN),
    "return_refused": (gettext_lazy("Return to service refused"), BAD),
    "host_returned": (gettext_lazy("The host is back in service"), GOOD),
    "return_run_requested": (gettext_lazy("Bringing the instances back asked for"), PLAIN),
    "host_down": (gettext_lazy("The host went down"), BAD),
    "host_back": (gettext_lazy("The host is up again"), GOOD),
    "cloud_down": (gettext_lazy("OpenStack does not answer"), BAD),
    "cloud_back": (gettext_lazy("OpenStack answers again"), GOOD),
    "worker_failed": (gettext_lazy("The worker fails on it"), BAD),
    "came_late": (gettext_lazy("A request was answered too late"), BAD),
    "put_off": (gettext_lazy("Put off: OpenStack does not take requests"), WARN),
    "joined": (gettext_lazy("Joined the drain"), PLAIN),
    "came_back": (gettext_lazy("Came back to the host"), WARN),
    "submitted": (gettext_lazy("Nova was asked to move it"), PLAIN),
    "adopted": (gettext_lazy("Found in Nova after the answer got lost"), PLAIN),
    "copying": (gettext_lazy("Nova began to move it"), PLAIN),
    "changed": (gettext_lazy("It will leave in another way"), PLAIN),
    "late": (gettext_lazy("Takes longer than its memory and disk explain"), WARN),
    "attempt_failed": (gettext_lazy("Attempt failed"), BAD),
    "failed": (gettext_lazy("Failed"), BAD),
    "succeeded": (gettext_lazy("Arrived"), GOOD),
    "gone": (gettext_lazy("Gone from the host"), GOOD),
    "unknown": (gettext_lazy("Where it runs is not known"), BAD),
    "cancelled": (gettext_lazy("Not moved: the drain was cancelled"), WARN),
    "stays": (gettext_lazy("Stays on the host"), PLAIN),
    "blocked": (gettext_lazy("Blocked"), WARN),
    "unblocked": (gettext_lazy("Not blocked any more"), GOOD),
    "confirm_asked": (gettext_lazy("Nova was asked to confirm the resize"), PLAIN),
    "resize_settled": (gettext_lazy("Its resize is settled"), GOOD),
    "abort_asked": (gettext_lazy("Abort asked for"), PLAIN),
    "abort_refused": (gettext_lazy("Nova refused the abort"), BAD),
    "abort_unanswered": (gettext_lazy("Nova did not answer whether it aborts it"), WARN),
    "aborting": (gettext_lazy("Nova was told to abort it"), PLAIN),
    "aborted": (gettext_lazy("Aborted"), WARN),
    "force_asked": (gettext_lazy("Force complete asked for"), PLAIN),
    "force_refused": (gettext_lazy("Nova refused to force it through"), BAD),
    "force_unanswered": (gettext_lazy("Nova did not answer whether it forces it through"), WARN),
    "forced": (gettext_lazy("Nova was told to force it through"), WARN),
    "timed_out": (gettext_lazy("Took longer than its timeout"), WARN),
    "retried": (gettext_lazy("Retry asked for"), PLAIN),
    "skipped": (gettext_lazy("Taken off the list"), PLAIN),
    "first": (gettext_lazy("Put at the head of the list"), PLAIN),
    "reset_asked": (gettext_lazy("Reset to active asked for"), PLAIN),
    "reset_refused": (gettext_lazy("Nova refused the reset"), BAD),
    "reset": (gettext_lazy("Reset to active"), WARN),
}
#: The same of a run that brings instances back to their host.
_KINDS_BACK = {
    "drain_started": (gettext_lazy("Bringing back begun"), PLAIN),
    "drain_succeeded": (gettext_lazy("All that was to come back has arrived"), GOOD),
    "drain_failed": (gettext_lazy("Ended, and not all came back"), BAD),
}
#: Kinds whose message is a host, or empty: the scheduler's choice.
_TO_HOST = frozenset({"submitted", "copying"})


def kind_words(kind: str, back: bool = False) -> str:
    """A kind of event in words; one that is not known, by its own name.

    :param back: the run brings instances back to the host
    """
    known = (back and _KINDS_BACK.get(kind)) or _KINDS.get(kind)
    return str(known[0]) if known else kind.replace("_", " ")


def kind_tone(kind: str) -> str:
    if kind in _KINDS:
        return _KINDS[kind][1]
    return BAD if kind.endswith(("_refused", "_failed")) else PLAIN


def kind_class(kind: str) -> str:
    """A kind of event as a part of a class name."""
    return re.sub(r"[^a-z0-9_-]", "", kind.lower())


def _ago(moment: datetime, now: datetime) -> str:
    if now - moment < timedelta(minutes=1):
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(moment, now, depth=1)}


class EventRow:
    """One event as the timeline shows it."""

    def __init__(self, event: Event, workers: frozenset[str], now: datetime, back: bool = False):
        self.event = event
        self.is_worker = event.actor in workers
        # A worker's name is its machine's, its process and its start.
        self.who = event.actor.split(":")[0] if self.is_worker else event.actor
        self.words = kind_words(event.kind, back)
        self.css = kind_class(event.kind)
        self.tone = kind_tone(event.kind)
        self.icon = _ICONS[self.tone]
        local = timezone.localtime(event.at)
        self.iso = event.at.isoformat()
        self.at = f"{formats.full_time(event.at)} {local.tzname()}"
        self.ago = _ago(event.at, now)
        self.text = _event_text(event)
        self.short = ""
        if len(self.text) > MESSAGE_SHOWN:
            self.short = self.text[:MESSAGE_SHOWN].rsplit(" ", 1)[0].rstrip(".,:;") + "…"
        row = event.migration
        self.instance = (row.server_name or row.server_id) if row else ""
        self.url = reverse("horizon:admin:instances:detail", args=[row.server_id]) if row else ""


def _event_text(event: Event) -> str:
    """What was said of it."""
    text = event.message.strip()
    if event.kind in _TO_HOST and " " not in text:
        if text:
            return _("To %(host)s.") % {"host": text}
        return _("To a host of the scheduler's choice.") if event.kind == "submitted" else ""
    return labels.said(text)


@dataclass(frozen=True)
class TimelineQuery:
    """What of the timeline is asked for.

    :param text: in the name or id of an instance
    :param who: :data:`WORKER`, :data:`ADMIN` or empty
    :param order: :data:`NEWEST` first, or :data:`OLDEST`
    """

    text: str = ""
    who: str = ""
    order: str = NEWEST
    page: int = 1

    @classmethod
    def of(cls, given) -> "TimelineQuery":
        """From a request's GET; what is nonsense is left out."""
        who = given.get("who", "")
        page = given.get("page", "")
        return cls(
            text=given.get("q", "").strip()[:255],
            who=who if who in (WORKER, ADMIN) else "",
            order=OLDEST if given.get("order") == OLDEST else NEWEST,
            page=int(page) if re.fullmatch(r"[1-9]\d{0,6}", page) else 1,
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.who)

    def url(self, page: int) -> str:
        order = self.order if self.order != NEWEST else ""
        wanted = {"q": self.text, "who": self.who, "order": order}
        wanted["page"] = str(page) if page > 1 else ""
        return "?" + urlencode({key: value for key, value in wanted.items() if value})


class Timeline:
    """One page of the events of a drain: four queries, however many there are."""

    def __init__(self, drain: Drain, query: TimelineQuery, now: datetime):
        self.query = query
        by_worker = {WORKER: True, ADMIN: False}.get(query.who)
        found = store.find_events(drain, query.text, by_worker)
        if query.order == NEWEST:
            found = found.order_by("-at", "-id")
        self.page: Page = Paginator(found, EVENTS_ON_PAGE).get_page(query.page)
        shown = list(self.page)
        workers = store.workers_among(event.actor for event in shown)
        back = drain.direction == Direction.BACK
        self.rows = [EventRow(event, workers, now, back) for event in shown]

    # what `_pages.html` asks for
    @property
    def previous_url(self) -> str:
        return self.query.url(self.page.previous_page_number())

    @property
    def next_url(self) -> str:
        return self.query.url(self.page.next_page_number())

    @staticmethod
    def who_choices() -> list[tuple[str, str]]:
        return [(ADMIN, _("requests of people")), (WORKER, _("acts of the worker"))]

    @staticmethod
    def order_choices() -> list[tuple[str, str]]:
        return [(NEWEST, _("newest first")), (OLDEST, _("oldest first"))]


# -- the picture of a drain ------------------------------------------------------------------

LANE_HEIGHT = 20  # pixels
_BAR_HEIGHT = 12
_WAITING_HEIGHT = 6
_AXIS_HEIGHT = 24
#: Per cent of the width that time takes; what is left of it is for a mark at the beginning, what
#: is right of it for the names of the destinations.
_PLOT = 82.0
_LEFT = 1.0
#: Per cent of a stretch that would be too narrow to be seen.
_NARROWEST = 0.25
#: Marks that a stretch, its end or the words at the end of the lane tell already.
_TOLD = frozenset(
    {
        *("attempt_failed", "failed", "gone", "cancelled", "stays", "skipped", "unknown"),
        *("blocked", "unblocked", "resize_settled", "came_back", "aborted"),
    }
)
_CROSSED = frozenset({"attempt_failed", "failed", "aborted"})

_LANE_ROW_FIELDS = [f.name for f in fields(lanes.LaneRow)]


def stretch_words(kind: Stretch) -> str:
    return {
        Stretch.WAITING: _("waiting"),
        Stretch.BLOCKED: _("blocked"),
        Stretch.QUEUED: _("in Nova's queue"),
        Stretch.MOVING: _("moving"),
        Stretch.CONFIRMING: _("confirming"),
        Stretch.REST: _("nothing under way"),
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
        rows = [
            lanes.LaneRow(**{name: getattr(row, name) for name in _LANE_ROW_FIELDS})
            for row in store.migrations(drain)
        ]
        self.lanes: list[Lane] = lanes.lanes(rows, told)
        self.pauses = lanes.pauses(told)
        self.now = max(now, drain.created_at)
        self.end = self._last_moment()
        self.begin = self._first_moment()
        self.span = max((self.end - self.begin).total_seconds(), 1.0)

    def _last_moment(self) -> datetime:
        if not self.is_over:
            return self.now
        ends = [one.end for one in self.lanes if one.end]
        return max([self.drain.finished_at or self.now, *ends])

    def _first_moment(self) -> datetime:
        """A drain that began long after it was asked for is not a picture of that waiting."""
        asked, begun = self.drain.created_at, self.drain.started_at
        if begun is None:
            return asked
        first = min([begun, *(m for one in self.lanes if (m := one.moved_at))])
        return max(asked, first - (self.end - first) / 10)

    # -- where things are ------------------------------------------------------------------

    def _x(self, moment: datetime) -> float:
        seconds = (moment - self.begin).total_seconds()
        return round(_LEFT + _PLOT * min(max(seconds / self.span, 0.0), 1.0), 3)

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
            f"{number} {outcome_words(outcome) or _('under way or waiting')}"
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
            (_sample(_bar(kind, Outcome.NONE, "0", "100%", 1)), stretch_words(kind))
            for kind in Stretch
            if kind in kinds and kind is not Stretch.REST
        ]
        segments = [s for one in self.lanes for s in one.segments]
        marks = {m.kind for one in self.lanes for m in one.marks}
        if any(s.has_failed for s in segments) or marks & _CROSSED:
            sample = format_html(
                "{}{}",
                _bar(Stretch.MOVING, Outcome.FAILED, "0", "100%", 1),
                _cross("50%", 1, ""),
            )
            found.append((_sample(sample), _("failed attempt")))
        if marks - _TOLD:
            found.append((_sample(_diamond("50%", 1, "")), _("something happened: point at it")))
        if self.pauses:
            pause = mark_safe('<rect class="mnt-pause" width="100%" height="14"></rect>')
            found.append((_sample(pause), _("the drain was paused")))
        if not self.is_over:
            line = mark_safe('<line class="mnt-now" x1="50%" x2="50%" y1="0" y2="14"></line>')
            found.append((_sample(line), _("now")))
        return found

    # -- drawing ---------------------------------------------------------------------------

    def axis(self) -> SafeString:
        """The times above the lanes."""
        return format_html(
            '<svg class="mnt-lanes-times" height="{}" width="100%" aria-hidden="true"'
            ' focusable="false">{}</svg>',
            _AXIS_HEIGHT,
            format_html_join(
                "",
                '<text x="{}%" y="15" text-anchor="{}">{}</text>',
                (
                    (self._x(at), "start" if self._x(at) < 2 else "middle", text)
                    for at, text in self._ticks()
                ),
            ),
        )

    def _ticks(self) -> list[tuple[datetime, str]]:
        zone = timezone.get_current_timezone()
        found = lanes.ticks(self.begin, self.end, zone)
        labelled = []
        day = timezone.localtime(self.now).date()
        for at in found.at:
            local = timezone.localtime(at)
            date = django_formats.date_format(local, "SHORT_DATE_FORMAT")
            if found.step >= 86400:
                text = date
            else:
                text = local.strftime("%H:%M:%S" if found.step < 60 else "%H:%M")
                if local.date() != day:
                    text = date if text == "00:00" else f"{date} {text}"
                day = local.date()
            labelled.append((at, text))
        return labelled

    def svg(self) -> SafeString:
        """The lanes."""
        pieces: list[SafeString] = [
            format_html(
                '<line class="mnt-tick" x1="{0}%" x2="{0}%" y1="0" y2="{1}"></line>',
                self._x(at),
                self.height,
            )
            for at, _text in self._ticks()
        ]
        for since, until in self.pauses:
            left = self._x(since)
            pieces.append(
                format_html(
                    '<rect class="mnt-pause" x="{}%" y="0" width="{}%" height="{}">'
                    "<title>{}</title></rect>",
                    left,
                    max(round(self._x(until or self.end) - left, 3), _NARROWEST),
                    self.height,
                    _("The drain was paused, %(times)s") % {"times": self._times(since, until)},
                )
            )
        pieces += [self._lane(one, n * LANE_HEIGHT) for n, one in enumerate(self.lanes)]
        if not self.is_over:
            pieces.append(
                format_html(
                    '<line class="mnt-now" x1="{0}%" x2="{0}%" y1="0" y2="{1}"></line>',
                    self._x(self.now),
                    self.height,
                )
            )
        return format_html(
            '<svg class="mnt-lanes-picture" role="img" aria-label="{}" width="100%" height="{}"'
            ' focusable="false"><defs><pattern id="mnt-hatch" width="6" height="6"'
            ' patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
            '<rect width="2.5" height="6"></rect></pattern></defs>{}</svg>',
            self.summary,
            self.height,
            format_html_join("", "{}", ((piece,) for piece in pieces)),
        )

    def _lane(self, one: Lane, top: int) -> SafeString:
        y = top + (LANE_HEIGHT - _BAR_HEIGHT) // 2
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
                pieces.append(_diamond(f"{self._x(mark.at)}%", y, title))
        for at, title in crosses.items():
            pieces.append(_cross(f"{self._x(at)}%", y, _with(title, self._clock(at))))
        pieces.append(self._end(one, top))
        return format_html(
            '<g class="mnt-lane"><rect class="mnt-lane-ground" x="0" y="{}" width="100%"'
            ' height="{}"></rect>{}</g>',
            top,
            LANE_HEIGHT,
            format_html_join("", "{}", ((piece,) for piece in pieces)),
        )

    def _segment(self, one: Lane, segment: Segment, y: int) -> SafeString | None:
        if segment.kind is Stretch.REST:
            return None
        end = segment.end or self.end
        if end < self.begin:
            return None
        left = self._x(segment.start)
        width = max(round(self._x(end) - left, 3), _NARROWEST)
        title = _with(
            one.row.server_name,
            _end_title(segment),
            self._times(segment.start, segment.end),
            formats.duration(end - segment.start),
        )
        return _bar(segment.kind, segment.outcome, f"{left}%", f"{width}%", y, title)

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
        return format_html(
            '<text class="mnt-lane-end mnt-lane-{}" x="{}%" dx="9" y="{}">{}</text>',
            css,
            max(self._x(at), self._x(self.begin)),
            top + 14,
            text,
        )

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


def _bar(
    kind: Stretch, outcome: Outcome, x: str, width: str, y: int, title: str = ""
) -> SafeString:
    failed = kind in ATTEMPT and outcome in (Outcome.FAILED, Outcome.ABORTED)
    css = "failed" if failed else kind.value
    hatched = failed or kind in (Stretch.BLOCKED, Stretch.QUEUED)
    height = _WAITING_HEIGHT if css == Stretch.WAITING else _BAR_HEIGHT
    y += (_BAR_HEIGHT - height) // 2
    box = format_html('x="{}" y="{}" width="{}" height="{}"', x, y, width, height)
    return format_html(
        '<g class="mnt-seg mnt-seg-{}">{}<rect {} rx="1.5"></rect>{}</g>',
        css,
        format_html("<title>{}</title>", title) if title else "",
        box,
        format_html('<rect class="mnt-hatched" {} fill="url(#mnt-hatch)"></rect>', box)
        if hatched
        else "",
    )


def _shape(css: str, path: str, x: str, y: int, title: str) -> SafeString:
    return format_html(
        '<svg class="{}" x="{}" y="{}" overflow="visible"><g>{}<path d="{}"></path></g></svg>',
        css,
        x,
        y + _BAR_HEIGHT // 2,
        format_html("<title>{}</title>", title) if title else "",
        path,
    )


def _cross(x: str, y: int, title: str) -> SafeString:
    return _shape("mnt-cross", "M-4.5-4.5l9 9m0-9l-9 9", x, y, title)


def _diamond(x: str, y: int, title: str) -> SafeString:
    return _shape("mnt-diamond", "M0-5l5 5-5 5-5-5z", x, y, title)


def _sample(drawn: SafeString) -> SafeString:
    return format_html(
        '<svg width="26" height="14" aria-hidden="true" focusable="false">{}</svg>', drawn
    )


# -- the history of a host -------------------------------------------------------------------


class HistoryRow(DrainRow):
    """One drain in the history of its host."""

    kind = "drain"

    def __init__(self, drain: Drain, counts: Counts, now: datetime):
        super().__init__(drain, counts, now)
        self.total = counts.total
        self.failed = counts[MigrationState.FAILED] + counts[MigrationState.UNKNOWN]
        begun = drain.started_at
        self.seconds = ((drain.finished_at or now) - begun).total_seconds() if begun else 0.0
        self.took = formats.duration(self.seconds) if begun else NOTHING
        self.at = drain.created_at
        self.is_back = drain.direction == Direction.BACK


def _days(value: timedelta) -> str:
    """A duration as people speak of it: in days, where it is long."""
    if value < timedelta(days=2):
        return formats.duration(value)
    return ngettext("%(n)s day", "%(n)s days", value.days) % {"n": formats.number(value.days)}


class ReturnRow:
    """One return of a host to service in its history."""

    kind = "return"

    def __init__(self, maintenance: HostMaintenance, now: datetime):
        closed = maintenance.closed_at or now
        self.maintenance = maintenance
        self.at = closed
        self.took = _days(closed - maintenance.opened_at)
        self.opened = formats.when(maintenance.opened_at, now)
        self.finished = formats.when(closed, now)
        self.by = maintenance.returned_by
        self.message = labels.said(maintenance.message)


@dataclass(frozen=True)
class History:
    """What happened to a host so far, newest first, and the chart of its drains."""

    rows: Sequence[HistoryRow | ReturnRow]
    more: bool
    chart: SafeString | str = field(default="")


def history(
    drains: Sequence[HistoryRow], maintenances: Iterable[HostMaintenance], more: bool, now: datetime
) -> History:
    """The history of a host.

    :param drains: the newest ones, newest first
    :param maintenances: of the host; those that are open are no return yet
    :param more: there are older drains than these
    """
    returns = [ReturnRow(m, now) for m in maintenances if m.closed_at]
    if more and drains:
        returns = [row for row in returns if row.at >= drains[-1].at]
    rows: list[HistoryRow | ReturnRow] = [*drains, *returns]
    rows.sort(key=lambda row: row.at, reverse=True)
    return History(rows, more, _chart(drains, now) if drains else "")


_CHART_HEIGHT = 110  # pixels, for the bars
_CHART_TOP = 18
_CHART_LEFT = 7.0  # per cent, for the scale
_FEWEST = 8  # one bar alone is not as wide as the page
_WIDELY = 12  # up to so many bars, each has its own words


def _nice(seconds: float) -> int:
    """The next round duration: the top of the scale."""
    hours = (1, 2, 3, 4, 6, 8, 12, 16, 24)
    steps = (60, 120, 300, 600, 900, 1800, *(3600 * n for n in hours))
    return next((s for s in steps if s >= seconds), int(-(-seconds // 86400)) * 86400)


def _chart(drains: Sequence[HistoryRow], now: datetime) -> SafeString:
    """A bar a drain, oldest first: as high as it took long, and of what share it failed."""
    ordered = list(reversed(drains))
    top = _nice(max(row.seconds for row in ordered))
    slot = (100.0 - _CHART_LEFT) / max(len(ordered), _FEWEST)
    every = -(-len(ordered) // _WIDELY)
    base = _CHART_TOP + _CHART_HEIGHT
    pieces = [
        format_html(
            '<line class="mnt-tick" x1="{0}%" x2="100%" y1="{1}" y2="{1}"></line>'
            '<text class="mnt-scale" x="{0}%" dx="-6" y="{2}" text-anchor="end">{3}</text>',
            _CHART_LEFT,
            base - round(_CHART_HEIGHT * share),
            base - round(_CHART_HEIGHT * share) + 4,
            formats.duration(top * share),
        )
        for share in (0, 0.5, 1)
    ]
    for n, row in enumerate(ordered):
        left = _CHART_LEFT + slot * (n + 0.15)
        middle = _CHART_LEFT + slot * (n + 0.5)
        height = max(_CHART_HEIGHT * row.seconds / top, 2.0)
        share = row.failed / row.total if row.total else 0.0
        bad = round(height * share, 1)
        css = row.drain.state
        where = format_html('x="{}%" width="{}%"', round(left, 3), round(slot * 0.7, 3))
        pieces.append(
            format_html(
                '<g class="mnt-hist mnt-hist-{}"><title>{}</title>'
                '<rect {} y="{}" height="{}"></rect>{}</g>',
                css,
                _bar_words(row),
                where,
                round(base - height, 1),
                round(height, 1),
                format_html(
                    '<g class="mnt-seg mnt-seg-failed"><rect {0} y="{1}" height="{2}"></rect>'
                    '<rect class="mnt-hatched" {0} y="{1}" height="{2}" fill="url(#mnt-hatch)">'
                    "</rect></g>",
                    where,
                    round(base - bad, 1),
                    bad,
                )
                if bad
                else "",
            )
        )
        if len(ordered) <= _WIDELY and row.seconds:
            pieces.append(
                format_html(
                    '<text class="mnt-scale" x="{}%" y="{}" text-anchor="middle">{}</text>',
                    round(middle, 3),
                    round(base - height - 4, 1),
                    row.took,
                )
            )
        if n % every == 0:
            local = timezone.localtime(row.drain.created_at)
            pieces.append(
                format_html(
                    '<text class="mnt-scale" x="{}%" y="{}" text-anchor="middle">{}</text>',
                    round(middle, 3),
                    base + 15,
                    django_formats.date_format(local, "SHORT_DATE_FORMAT"),
                )
            )
    return format_html(
        '<svg class="mnt-chart" role="img" aria-label="{}" width="100%" height="{}"'
        ' focusable="false"><defs><pattern id="mnt-hatch" width="6" height="6"'
        ' patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="2.5" height="6"></rect></pattern></defs>{}</svg>',
        _chart_words(ordered),
        base + 22,
        format_html_join("", "{}", ((piece,) for piece in pieces)),
    )


def _bar_words(row: HistoryRow) -> str:
    back = _("Bringing back %(id)s: %(state)s, %(took)s")
    said = (back if row.is_back else _("Drain %(id)s: %(state)s, %(took)s")) % {
        "id": row.drain.pk,
        "state": row.label.text,
        "took": row.took,
    }
    if row.drain.state in (DrainState.PENDING, DrainState.RUNNING, DrainState.PAUSED):
        said += " " + _("so far")
    share = ngettext(
        "%(failed)s of %(n)s instance failed", "%(failed)s of %(n)s instances failed", row.total
    ) % {"failed": row.failed, "n": row.total}
    return f"{said}, {share}"


def _chart_words(ordered: Sequence[HistoryRow]) -> str:
    """The chart in a sentence; the table below it has the numbers."""
    longest = max(ordered, key=lambda row: row.seconds)
    with_failures = sum(1 for row in ordered if row.failed)
    n = len(ordered)
    said = ngettext("Duration of %(n)s drain", "Durations of %(n)s drains", n) % {"n": n}
    return _(
        "%(said)s; the longest took %(longest)s; in %(failures)s of them instances failed."
    ) % {
        "said": said,
        "longest": longest.took,
        "failures": with_failures,
    }

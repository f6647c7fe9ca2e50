"""The history of a host: its drains and returns, and the chart of how long they took."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.states import DRAIN_TERMINAL, MigrationState
from ukcloud_maintenance.store import Counts, Drain, HostMaintenance

from ..common import formats, labels
from ..common.formats import NOTHING
from ..common.svg import picture
from ..drains.list import DrainRow


class HistoryRow(DrainRow):
    """One drain in the history of its host."""

    kind = "drain"

    def __init__(self, drain: Drain, counts: Counts, now: datetime):
        super().__init__(drain, counts, now)
        self.total = counts.total
        # what was aborted on request did not fail
        failed = counts[MigrationState.FAILED] - counts.aborted
        self.failed = failed + counts[MigrationState.UNKNOWN]
        begun = drain.started_at
        self.seconds = ((drain.finished_at or now) - begun).total_seconds() if begun else 0.0
        self.took = formats.duration(self.seconds) if begun else NOTHING
        self.at = drain.created_at


def _days(value: timedelta) -> str:
    """A duration as people speak of it: in days, where it is long."""
    if value < timedelta(days=2):
        return formats.about(value.total_seconds())
    return ngettext("%(n)s day", "%(n)s days", value.days) % {"n": formats.number(value.days)}


class ReturnRow:
    """One return of a host to service in its history."""

    kind = "return"

    def __init__(self, maintenance: HostMaintenance, now: datetime):
        closed = maintenance.closed_at or now
        self.maintenance = maintenance
        self.at = closed
        asked = maintenance.returning_since
        self.took = formats.duration(closed - asked) if asked else NOTHING
        self.asked = formats.when(asked, now)
        self.maintained = _("In maintenance for %(time)s.") % {
            "time": _days(closed - maintenance.opened_at)
        }
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


CHART_HEIGHT = 110  # pixels, for the bars
_CHART_TOP = 18
_FEWEST = 8  # one bar alone is not as wide as the page
_WIDELY = 12  # up to so many bars, each has its own words
_MOST_DATES = 6


def _nice(seconds: float) -> int:
    """The next round duration: the top of the scale."""
    hours = (1, 2, 3, 4, 6, 8, 12, 16, 24)
    steps = (60, 120, 300, 600, 900, 1800, *(3600 * n for n in hours))
    return next((s for s in steps if s >= seconds), int(-(-seconds // 86400)) * 86400)


def _chart(drains: Sequence[HistoryRow], now: datetime) -> SafeString:
    """A bar a drain, oldest first: as high as it took long, and of what share it failed."""
    ordered = list(reversed(drains))
    top = _nice(max(row.seconds for row in ordered))
    slot = 100.0 / max(len(ordered), _FEWEST)
    every = -(-len(ordered) // _MOST_DATES)
    base = _CHART_TOP + CHART_HEIGHT
    pieces = [
        format_html(
            '<line class="mnt-tick" x1="0" x2="100%" y1="{0}" y2="{0}"></line>'
            '<text class="mnt-scale" x="-6" y="{1}" text-anchor="end">{2}</text>',
            base - round(CHART_HEIGHT * share),
            base - round(CHART_HEIGHT * share) + 4,
            formats.duration(top * share),
        )
        for share in (0, 0.5, 1)
    ]
    for n, row in enumerate(ordered):
        left = slot * (n + 0.15)
        middle = slot * (n + 0.5)
        height = max(CHART_HEIGHT * row.seconds / top, 2.0)
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
                    f"{local:%Y-%m-%d}",
                )
            )
    return picture("mnt-chart", _chart_words(ordered), base + 22, pieces, "mnt-hatch")


def _bar_words(row: HistoryRow) -> str:
    back = _("Bring-back %(id)s: %(state)s, %(took)s")
    said = (back if row.is_back else _("Drain %(id)s: %(state)s, %(took)s")) % {
        "id": row.drain.pk,
        "state": row.label.text,
        "took": row.took,
    }
    if row.drain.state not in DRAIN_TERMINAL:
        said = _("%(said)s so far") % {"said": said}
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
        "%(said)s; the longest took %(longest)s; instances failed in %(failures)s of them."
    ) % {
        "said": said,
        "longest": longest.took,
        "failures": with_failures,
    }

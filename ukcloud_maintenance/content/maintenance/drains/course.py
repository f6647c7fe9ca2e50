"""Is it going to end? The course of a copy, the ways out, and how long the drain takes."""

import math
from datetime import datetime, timedelta

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.copying import fraction
from ukcloud_maintenance.core.copying.duration import Forecast
from ukcloud_maintenance.core.drain import needs
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    MIGRATION_WAITING,
    DrainState,
    Method,
    MigrationState,
    TimeoutAction,
)
from ukcloud_maintenance.services import DrainReport
from ukcloud_maintenance.store import Drain, InstanceMigration

from ..common import formats, labels
from . import labels as instance_labels

#: the picture of a course, in CSS pixels
WIDTH, HEIGHT = 64, 16
#: what needs advice
TROUBLE = frozenset({"slow", "not_converging", "stalled"})


def is_copied(row: InstanceMigration) -> bool:
    """Whether its memory is being copied while it runs."""
    return row.state == MigrationState.MIGRATING and row.method in ("", Method.LIVE)


def remaining(row: InstanceMigration) -> int | None:
    """Bytes that are left, as Nova told last; None where it told nothing."""
    return fraction.remaining(row.attempt)


def pause_seconds(row: InstanceMigration) -> float | None:
    """About how long the guest is paused if it is forced to complete now, without post-copy;
    None where that cannot be told."""
    left = remaining(row)
    if left is None or not row.attempt.rate_bytes or row.attempt.rate_bytes <= 0:
        return None
    return left / row.attempt.rate_bytes


def pause_text(row: InstanceMigration) -> str:
    """The same in words, with what it is reckoned from."""
    seconds, left = pause_seconds(row), remaining(row)
    if needs.course_of(row) == "stalled":
        return _("for an unknown time, because no data is being copied")
    if seconds is None or left is None:
        return _("for an unknown time (no estimate yet)")
    return _("for about %(time)s (%(left)s left at %(rate)s)") % {
        "time": formats.about(seconds),
        "left": formats.size(left),
        "rate": formats.rate(row.attempt.rate_bytes),
    }


def sparkline(row: InstanceMigration) -> SafeString | str:
    """What remained over the time of this attempt: a curve that falls where it goes well. Its
    place is kept from the beginning, so that nothing moves when the first bytes are seen."""
    if not is_copied(row):
        return ""
    points = row.attempt.points if isinstance(row.attempt.points, list) else []
    series: list[tuple[float, float]] = []
    memory = row.attempt.memory_total_bytes or row.memory_bytes
    begun = False
    disk_first = bool(points and points[0][1])
    for at, disk, left, _sent in points:
        begun = begun or left > 0
        # Where the disk comes first, all of the memory is still to come.
        series.append((at, disk + (left if begun or not disk_first else memory)))
    drawn: SafeString | str = ""
    if len(series) > 1:
        first, last = series[0][0], series[-1][0]
        highest = max(value for _at, value in series) or 1
        text = " ".join(
            f"{WIDTH * (at - first) / ((last - first) or 1):.1f},"
            f"{1 + (HEIGHT - 2) * (1 - value / highest):.1f}"
            for at, value in series
        )
        drawn = format_html('<polyline points="{}"></polyline>', text)
    return format_html(
        '<span class="mnt-spark" role="img" aria-label="{2}" title="{2}"><svg width="{0}"'
        ' height="{1}" viewBox="0 0 {0} {1}" aria-hidden="true">{3}</svg></span>',
        WIDTH,
        HEIGHT,
        _("Data left to copy, over time"),
        drawn,
    )


def verdict(row: InstanceMigration) -> SafeString | str:
    """Time left and whether it will end, on one short line."""
    if not is_copied(row):
        return ""
    if needs.is_aborting(row):
        return format_html('<div class="mnt-verdict">{}</div>', _("Aborting; waiting for Nova"))
    pieces: list[SafeString | str] = []
    label = instance_labels.course(row)
    if label:
        pieces.append(label.html)
    if label and row.attempt.seconds_left is not None:
        # In the first pass it is not seen yet what the guest writes meanwhile.
        text = _("%(time)s left") if row.attempt.pass_bytes else _("at least %(time)s left")
        pieces.append(text % {"time": formats.about(row.attempt.seconds_left)})
    if not pieces:
        return ""
    return format_html(
        '<div class="mnt-verdict">{}</div>', format_html_join(" ", "{}", ((p,) for p in pieces))
    )


def advice(row: InstanceMigration) -> SafeString | str:
    """The ways out of a copy that does not end well, each with its cost; folded."""
    found = needs.course_of(row)
    if found not in TROUBLE:
        return ""
    why = {
        "slow": _("The data left to copy decreases, but the migration will exceed its timeout."),
        "not_converging": _("The guest writes data at least as fast as it is copied."),
        "stalled": _("No data is being copied."),
    }[found]
    wait = {
        "slow": _(
            "the migration finishes by itself; the drain takes longer, and other"
            " instances wait meanwhile."
        ),
        "not_converging": _("the migration finishes only when the guest writes less."),
        "stalled": _(
            "check the network between the two hosts, and nova-compute on both; nothing"
            " is lost meanwhile."
        ),
    }[found]
    force = _("the guest is paused until the rest is copied, %(time)s.") % {"time": pause_text(row)}
    ways = [
        (_("Wait"), wait),
        (
            _("Abort"),
            _(
                "the instance keeps running on its source host, without interruption; the"
                " data copied so far is discarded."
            ),
        ),
        (_("Force Complete"), force),
    ]
    return format_html(
        '<details class="mnt-fold mnt-advice"><summary><span class="mnt-ways">{}</span> {}'
        "</summary><ul>{}</ul></details>",
        _("Options:"),
        why,
        format_html_join("", "<li><strong>{}</strong>: {}</li>", ways),
    )


# -- the drain as a whole --------------------------------------------------------------------


def time_left(report: DrainReport) -> str:
    """How long the drain still takes, and how sure that is; empty where nobody can say."""
    if report.forecast is None or report.drain.state in DRAIN_TERMINAL:
        return ""
    return forecast_text(report.forecast, stalled=needs.only_stalled(report.in_need))


def forecast_text(forecast: Forecast, *, stalled: bool) -> str:
    """The same of a drain or a plan.

    :param stalled: whether what does not end is stalled
    """
    if math.isinf(forecast.likely) and stalled:
        return _("no estimate: a migration is stalled")
    if math.isinf(forecast.likely):
        return _("no estimate: a migration is not converging")
    values = {
        "likely": formats.about(forecast.likely),
        "low": formats.about(forecast.low),
        "high": formats.about(forecast.high),
    }
    said = (
        _("about %(likely)s") % values
        if values["low"] == values["high"]
        else _("about %(likely)s (%(low)s to %(high)s)") % values
    )
    if forecast.assumed or not forecast.samples:
        return _("rough estimate: %(said)s; too few migrations in this region so far") % {
            "said": said
        }
    return ngettext(
        "%(said)s, based on %(n)s migration in this region",
        "%(said)s, based on %(n)s migrations in this region",
        forecast.samples,
    ) % {"said": said, "n": formats.number(forecast.samples)}


def window_seconds(begin: datetime, end: datetime) -> float:
    return max(0.0, (end - begin).total_seconds())


def fit(report: DrainReport) -> SafeString | str:
    """Whether the drain ends within its window, or empty where it has none, or none can say."""
    drain, now = report.drain, report.now
    forecast = report.forecast
    if drain.stop_at is None or drain.state not in (DrainState.PENDING, DrainState.RUNNING):
        return ""
    if drain.stop_at <= now:
        return ""
    waiting = sum(1 for row in report.migrations if row.state in MIGRATION_WAITING)
    if not waiting:
        return labels.Label(
            _("Will fit"), "success", "check", _("All migrations have started.")
        ).html
    if forecast is None:
        return ""
    begin = max(now, drain.start_at) if drain.start_at and not drain.started_at else now
    return fit_label(
        window_seconds(begin, drain.stop_at), forecast.low, forecast.likely, forecast.high, waiting
    ).html


def fit_label(window: float, low: float, likely: float, high: float, waiting: int) -> labels.Label:
    """:param window: seconds in which something may be started
    :param low, likely, high: seconds that all of it takes
    :param waiting: instances that are to be started
    """
    if high <= window:
        return labels.Label(
            _("Will fit"), "success", "check", _("Expected to finish within the window.")
        )
    if math.isinf(likely):
        return labels.Label(
            _("May not fit"),
            "warning",
            "hourglass-half",
            _("A migration in progress is not converging, and keeps others from starting."),
        )
    share = min(1.0, max(0.0, 1 - window / likely)) if likely > 0 else 0.0
    late = math.ceil(waiting * share)
    if low <= window and likely <= window:
        return labels.Label(
            _("May not fit"),
            "warning",
            "hourglass-half",
            _("It will probably fit, but that is not certain."),
        )
    text = ngettext(
        "%(n)s instance would wait", "about %(n)s instances would wait", max(late, 1)
    ) % {"n": formats.number(max(late, 1))}
    if low <= window:
        return labels.Label(
            _("May not fit: %(what)s") % {"what": text},
            "warning",
            "hourglass-half",
            _("They wait until the drain is resumed or gets another window."),
        )
    return labels.Label(
        _("Will not fit: %(what)s") % {"what": text},
        "danger",
        "hourglass-end",
        _("They wait until the drain is resumed or gets another window."),
    )


def countdown(at: datetime, now: datetime) -> SafeString:
    """The time until then, ticking on the page."""
    left: timedelta = at - now
    return format_html('<span data-until="{}">{}</span>', at.isoformat(), formats.duration(left))


def times_out(row: InstanceMigration, report: DrainReport) -> SafeString | str:
    """When a copy times out, and what becomes of it then, by what the drain says now; empty where
    that is over, or nobody is to be told."""
    found = report.timeouts.get(row.pk)
    if found is None:
        return ""
    marked = found.action == TimeoutAction.WARN
    if report.now <= found.at:
        text = {
            TimeoutAction.WARN: _("Times out in {}; it is then marked and continues."),
            TimeoutAction.ABORT: _("Times out in {}; it is then aborted."),
            TimeoutAction.FORCE: _(
                "Times out in {}; its guest is then paused until the rest is copied."
            ),
        }[found.action]
        # Hours before, and where nothing will be done, it is no news.
        if marked and row.attempt.late_since is None:
            return ""
        return _around(text, countdown(found.at, report.now))
    if marked or row.requests.forced_at or not found.is_let_go_on or report.now > found.due_at:
        return ""
    text = (
        _("It should finish soon, so it may continue. Otherwise it is aborted in {}.")
        if found.action == TimeoutAction.ABORT
        else _(
            "It should finish soon, so it may continue. Otherwise its guest is paused"
            " in {} until the rest is copied."
        )
    )
    return _around(text, countdown(found.due_at, report.now))


def _around(text: str, value: SafeString) -> SafeString:
    """A sentence with one value in it, which is HTML while the sentence is not."""
    before, after = text.split("{}")
    return format_html("{}{}{}", before, value, after)


def waits_for_start(drain: Drain, now: datetime) -> bool:
    return drain.state == DrainState.PENDING and drain.start_at is not None and drain.start_at > now


def window_is_over(drain: Drain, now: datetime) -> bool:
    return drain.stop_at is not None and drain.stop_at <= now

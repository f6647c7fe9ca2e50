"""What stands above the table of a drain: the same for the first page and for every update.

Pieces are small and built without templates, because every browser that watches asks for them
every two seconds; the script replaces the ones that changed. All are escaped here.
"""

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance import store
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    Direction,
    DrainResult,
    DrainState,
    MigrationState,
)
from ukcloud_maintenance.services import DrainReport
from ukcloud_maintenance.store import Counts

from ..common import counted, elements, formats, labels, timeouts
from ..common.addresses import PANEL
from ..common.worker import worker_warning
from . import attention, course
from .offers import Offers


def title(report: DrainReport) -> str:
    """The browser's title: how far it is, and which host."""
    drain = report.drain
    if drain.state in DRAIN_TERMINAL:
        return f"{labels.drain_state(drain, report.counts).text} · {drain.host}"
    share = counted.share(report.counts)
    said = f"{share.left}/{share.total} · {drain.host}"
    n = len(report.in_need)
    return f"{labels.needs_you(n)} · {said}" if n else said


def headline(report: DrainReport) -> str:
    """How it is, or how it ended; what a person must look at comes first."""
    return f"{attention.sentence(report)} {_headline(report)}".strip()


def _headline(report: DrainReport) -> str:
    """One sentence."""
    drain, counts = report.drain, report.counts
    share = counted.share(counts)
    if untouched := _before_it_began(report):
        return untouched
    if drain.direction == Direction.BACK:
        return _headline_back(report)
    if drain.state == DrainState.SUCCEEDED:
        return _("The host is empty.")
    if drain.result == DrainResult.INSTANCES_LEFT:
        if not counts.left:
            return _("There was no other instance on the host.")
        return ngettext(
            "The other %(n)s instance has left the host.",
            "The other %(n)s instances have left the host.",
            counts.left,
        ) % {"n": counts.left}
    if drain.state in DRAIN_TERMINAL:
        here = counts.still_here
        empty = counts.arrived_wrong and not here and not counts.unknown
        words = {
            DrainResult.INSTANCES_FAILED: ""
            if empty
            else _("The drain ended without emptying the host."),
            DrainResult.NOT_PROVED: _(
                "The drain ended, but the host could not be verified as empty."
            ),
            DrainResult.INTERRUPTED: _("The drain ended because the worker could not continue."),
            DrainResult.HOST_LOST: _("The drain ended because the host went down."),
            DrainResult.CANCELLED: "",
        }
        said = words.get(drain.result, _("The drain ended."))
        if here:
            said += " " * bool(said) + ngettext(
                "%(n)s instance is still on the host.",
                "%(n)s instances are still on the host.",
                here,
            ) % {"n": here}
        return said
    moved = ngettext(
        "%(left)s of %(n)s instance has left.",
        "%(left)s of %(n)s instances have left.",
        share.total,
    ) % {"left": share.left, "n": share.total}
    if how := _held_back(report):
        return f"{how} {moved}"
    if how := attention.waiting_for_blocked(report):
        return f"{how} {moved}"
    if not share.total:
        return _("There is no instance to move; verifying that the host is empty.")
    if share.left == share.total:
        return moved + " " + _("Verifying that the host is empty.")
    return moved


def _before_it_began(report: DrainReport) -> str:
    drain = report.drain
    if drain.state == DrainState.PAUSED and drain.started_at is None:
        if course.window_is_over(drain, report.now):
            return _("Its window ended before it started; nothing was changed.")
        if drain.direction == Direction.BACK:
            return _(
                "Paused before it started; nothing was changed. Resume the bring-back to start it."
            )
        return _("Paused before it started; nothing was changed. Resume the drain to start it.")
    if drain.state != DrainState.PENDING:
        return ""
    if course.waits_for_start(drain, report.now) and drain.start_at:
        return _("Starts at %(time)s.") % {"time": formats.clock(drain.start_at, report.now)}
    return labels.held(drain) or _("Waiting for a worker.")


def _held_back(report: DrainReport) -> str:
    """Why nothing new starts, or empty."""
    drain = report.drain
    over = course.window_is_over(drain, report.now)
    if drain.state == DrainState.PAUSED and over:
        return _("Paused because its window has ended.")
    if drain.state == DrainState.RUNNING and over:
        return _("Its window has ended: no new migrations start; those in progress finish.")
    return held_by_somebody(drain.state, drain.cancel_abort)


def held_by_somebody(state: str, cancel_abort: bool) -> str:
    """The same, as far as it is for what was requested."""
    if state == DrainState.CANCELLING and cancel_abort:
        return _("Being cancelled: no new migrations start; those in progress are aborted.")
    if state == DrainState.CANCELLING:
        return _("Being cancelled: no new migrations start; those in progress finish.")
    if state == DrainState.PAUSED:
        return _("Paused: no new migrations start; those in progress finish.")
    return ""


def _headline_back(report: DrainReport) -> str:
    """The same for a run that brings instances back to its host."""
    drain, counts = report.drain, report.counts
    share = counted.share(counts)
    values = {"n": counts.left, "total": share.total, "host": drain.host}
    back = (
        ngettext(
            "%(n)s of %(total)s instance is back on %(host)s.",
            "%(n)s of %(total)s instances are back on %(host)s.",
            share.total,
        )
        % values
    )
    if drain.state == DrainState.SUCCEEDED:
        if not share.total:
            return _("There was no instance to bring back.")
        if values["n"] == share.total:
            return _("All instances are back on %(host)s.") % values
    if drain.state in DRAIN_TERMINAL:
        return back
    how = _held_back(report) or attention.waiting_for_blocked(report)
    return f"{how} {back}" if how else back


def page_title(drain: store.Drain) -> str:
    """What the page is about."""
    if drain.direction == Direction.BACK:
        return _("Bring-back of instances to %(host)s") % {"host": drain.host}
    return _("Drain %(id)s of %(host)s") % {"id": drain.pk, "host": drain.host}


def _headline_html(report: DrainReport) -> SafeString | str:
    """With what ticks."""
    drain = report.drain
    if drain.start_at and course.waits_for_start(drain, report.now):
        return format_html(
            '{} <span class="mnt-quiet">{}</span>',
            headline(report),
            format_html(_("In {}."), course.countdown(drain.start_at, report.now)),
        )
    waits = attention.waiting_for_blocked(report)
    if waits and report.blocked_until and report.blocked_until > report.now:
        before, _waits, after = headline(report).partition(waits)
        left = format_html(_("{} left."), course.countdown(report.blocked_until, report.now))
        return format_html('{}{} <span class="mnt-quiet">{}</span>{}', before, waits, left, after)
    return headline(report)


def _bar(report: DrainReport) -> SafeString:
    drain = report.drain
    if drain.state in DRAIN_TERMINAL:
        kind = "success" if drain.state == DrainState.SUCCEEDED else "warning"
        if drain.result == DrainResult.INSTANCES_LEFT:
            kind = "info"
        if report.counts.need_a_look:
            kind = "danger"
    else:
        kind = "warning" if report.in_need else "primary"
    share, over = counted.share(report.counts), drain.state in DRAIN_TERMINAL
    back = drain.direction == Direction.BACK
    name = _("Instances that are back") if back else _("Instances that have left")
    return elements.left_bar(share, kind, name, over=over)


def _facts(report: DrainReport) -> SafeString:
    """The list of facts: who, when, how."""
    drain, now = report.drain, report.now
    begun = drain.started_at
    destination = drain.destination or _("chosen by the scheduler for each instance")
    if drain.follow_estimate and not drain.destination:
        destination = _("hosts are kept even; chosen by the scheduler where Nova refuses one")
    at_once = ngettext("at most %(n)s", "at most %(n)s", drain.max_concurrent) % {
        "n": drain.max_concurrent
    }
    if drain.learned_limit:
        at_once += "; " + ngettext(
            "Nova runs %(n)s at once here", "Nova runs %(n)s at once here", drain.learned_limit
        ) % {"n": drain.learned_limit}
    asked = format_html(
        "{}, {}", drain.requested_by, formats.when(drain.created_at, now, seconds=True)
    )
    host = elements.host_link(drain.host, drain.region)
    if drain.region:
        host = format_html("{} ({})", host, drain.region)
    facts: list[tuple[str, SafeString | str]] = [
        (_("To host") if drain.direction == Direction.BACK else _("Host"), host),
        (_("Reason"), drain.reason),
        (_("Requested by"), asked),
        (_("Started"), formats.when(begun, now, seconds=True)),
        (_("Finished"), formats.when(drain.finished_at, now, seconds=True)),
        (_("Elapsed"), elements.elapsed(begun, drain.finished_at, now)),
        (_("Migrations at once"), at_once),
        (_("Destination"), destination),
        (_("On timeout"), timeouts.timeout_action(drain.timeout_action)),
    ]
    if left := course.time_left(report):
        words = {
            DrainState.PENDING: _("Expected time"),
            DrainState.PAUSED: _("Time left after resuming"),
        }
        facts.append((words.get(DrainState(drain.state), _("Time left")), left))
    facts += _window(report)
    if drain.plan_id:
        facts.append((_("Plan"), _plan(drain)))
    if _smallest_first(report):
        facts.append((_("Order"), _("smallest first")))
    if not drain.move_locked:
        facts.append((_("Locked instances"), _("not moved")))
    if drain.cancelled_by:
        facts.append((_("Cancelled by"), drain.cancelled_by))
    return elements.facts(facts)


def _window(report: DrainReport) -> list[tuple[str, SafeString | str]]:
    """When it may begin, until when it may start something, and whether that is enough."""
    drain, now = report.drain, report.now
    facts: list[tuple[str, SafeString | str]] = []
    if drain.start_at:
        at = formats.when(drain.start_at, now)
        zone = formats.zone(drain.start_at)
        facts.append((_("Starts at"), format_html("{} {}", at, zone)))
    if drain.stop_at:
        at = formats.when(drain.stop_at, now)
        zone = formats.zone(drain.stop_at)
        over = drain.state not in DRAIN_TERMINAL and course.window_is_over(drain, now)
        said = format_html(" ({})", _("ended")) if over else course.fit(report)
        facts.append((_("No new migrations after"), format_html("{} {} {}", at, zone, said)))
    return facts


def _plan(drain: store.Drain) -> SafeString:
    """Its place among the hosts that are drained as one."""
    hosts = list(store.drains_of_plan(drain.plan_id).values_list("pk", flat=True))
    place = hosts.index(drain.pk) + 1 if drain.pk in hosts else 0
    text = _("host %(n)s of %(total)s of plan %(id)s") % {
        "n": place,
        "total": len(hosts),
        "id": drain.plan_id,
    }
    try:
        address = reverse(f"{PANEL}:plan", args=[drain.plan_id])
    except NoReverseMatch:
        return formats.as_html(text)
    return format_html('<a href="{}">{}</a>', address, text)


def _smallest_first(report: DrainReport) -> bool:
    """Whether the instances of the beginning start in that order; those that joined are last."""
    asked = [r for r in report.migrations if r.created_at == report.drain.created_at]
    sizes = [row.memory_bytes for row in sorted(asked, key=lambda row: row.position)]
    return len(set(sizes)) > 1 and sizes == sorted(sizes)


def _message(report: DrainReport) -> SafeString | str:
    """What the drain is doing or why it ended, in the worker's words."""
    text = labels.said(attention.but_of_these(report.drain.message, report))
    if not text:
        return ""
    drain = report.drain
    if drain.state == DrainState.SUCCEEDED and "\n" not in text:
        return ""  # the headline says it
    if drain.state == DrainState.PENDING and labels.held(drain):
        return ""  # so it does here
    kind = "warning" if drain.state == DrainState.FAILED else "info"
    if drain.result == DrainResult.INSTANCES_LEFT:
        kind = "info"
    return format_html('<div class="alert alert-{} mnt-message">{}</div>', kind, text)


def parts(report: DrainReport, offers: Offers) -> dict[str, SafeString]:
    """The pieces above the table, by name."""
    counts = report.counts
    pieces: dict[str, SafeString | str] = {
        "worker": "" if report.drain.is_settled else worker_warning(report.worker),
        "state": labels.drain_state(report.drain, counts).html,
        "headline": _headline_html(report),
        "bar": _bar(report),
        "counts": counted.counts_html(counts),
        "needs": attention.needs_html(report, offers),
        "message": _message(report),
        "facts": _facts(report),
        "actions": offers.drain_buttons(report),
    }
    return {name: formats.as_html(piece) for name, piece in pieces.items()}


def announcement(report: DrainReport) -> str:
    """What a screen reader is told, when it changes: each quarter of the way, who needs a person,
    what is skipped, and that it is paused, cancelled or has ended."""
    label = labels.drain_state(report.drain, report.counts)
    said = [f"{report.drain.host}: {label.text}."]
    if report.drain.state in DRAIN_TERMINAL:
        return " ".join([*said, headline(report)])
    said += progress(report.counts, back=report.drain.direction == Direction.BACK)
    if report.in_need:
        said += filter(None, (attention.sentence(report), attention.waiting_for_blocked(report)))
    return " ".join(said)


def progress(counts: Counts, *, back: bool = False) -> list[str]:
    """The same of how far it is: by quarters, and how many were skipped."""
    said = []
    quarters = counted.share(counts).percent // 25
    if quarters and counts.left:
        text = (
            _("%(percent)s %% of the instances are back.")
            if back
            else _("%(percent)s %% of the instances have left.")
        )
        said.append(text % {"percent": formats.number(25 * quarters)})
    if skipped := counts[MigrationState.SKIPPED]:
        said.append(f"{counted.counted(MigrationState.SKIPPED, skipped)}.")
    return said

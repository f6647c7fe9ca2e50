"""The plan page from a report: the same pieces for the first page and for every update.

Like the drain page's: small, built without templates, all escaped here.
"""

import math
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, npgettext

from ukcloud_maintenance import store
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.drain.needs import Need, only_stalled
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    DrainState,
    MigrationState,
)
from ukcloud_maintenance.core.steering import DrainVerb
from ukcloud_maintenance.services import PlanReport
from ukcloud_maintenance.store import Counts, Drain, InstanceMigration, Plan

from ..common import counted, elements, formats, labels
from ..common.addresses import PANEL
from ..common.elements import dialog_links, verb_buttons
from ..common.labels import Label
from ..common.worker import worker_warning
from ..drains import attention, course
from ..drains.offers import InNeed, Offers
from ..drains.overview import held_by_somebody, progress


def at_a_time(plan: Plan, hosts: int) -> str:
    """How many of its hosts are emptied at a time."""
    return formats.at_a_time(plan.hosts_at_once if plan.hosts_at_once < hosts else 0)


def plan_state(drains: list[Drain], counts: Counts | None = None) -> Label:
    """The state of a plan in a word or two, from those of its drains.

    :param counts: of all their instances together
    """
    states = {drain.state for drain in drains}
    if not states:
        return Label(_("Empty"), "default", "question")
    if states <= DRAIN_TERMINAL:
        done = sum(drain.state == DrainState.SUCCEEDED for drain in drains)
        if counts and counts.need_a_look:
            return Label(
                _("Needs attention"), "danger", "exclamation-triangle", labels.alarm(counts)
            )
        if done == len(drains):
            return Label(_("All drained"), "success", "check", _("Every host is empty."))
        if states == {DrainState.CANCELLED}:
            return Label(_("Cancelled"), "default", "ban")
        text = _("Finished, %(done)s of %(n)s drained") % {"done": done, "n": len(drains)}
        return Label(text, "warning", "flag-checkered")
    held = _held(drains)
    if held == DrainState.CANCELLING:
        return Label(_("Cancelling"), "warning", "hourglass-half")
    if held == DrainState.PAUSED:
        return Label(
            _("Paused"), "warning", "pause", _("No new migrations start; those in progress finish.")
        )
    if held == DrainState.PENDING and _starts_at(drains, store.now()):
        return Label(_("Scheduled"), "default", "calendar", _("Waiting for its start time."))
    if held == DrainState.PENDING:
        return Label(_("Pending"), "default", "hourglass-start", _("Waiting for a worker."))
    if counts and (n := counts.in_need(DrainState.RUNNING)):
        return Label(_("Running"), "warning", "exclamation-triangle", labels.needs_you(n))
    return Label(_("Running"), "primary", "arrow-right", _("Instances are being moved."))


def _held(drains: list[Drain]) -> DrainState | None:
    """Why a plan that is open does not go on: as far as it is open it is being cancelled, or
    paused, and others wait for what is; or it has not begun. None: it goes on."""
    still_open = [drain for drain in drains if drain.state not in DRAIN_TERMINAL]
    states = {DrainState(drain.state) for drain in still_open if not labels.waits_for_host(drain)}
    if all(drain.state == DrainState.CANCELLING for drain in still_open):
        return DrainState.CANCELLING
    if DrainState.RUNNING in states or DrainState.CANCELLING in states:
        return None
    if states == {DrainState.PAUSED}:
        return DrainState.PAUSED
    if DrainState.PENDING in states and not any(drain.started_at for drain in drains):
        return DrainState.PENDING
    return None


def _starts_at(drains: list[Drain], now: datetime) -> datetime | None:
    """When the first of those begins that have not; None: as soon as there is a worker."""
    times = [drain.start_at for drain in drains if drain.state == DrainState.PENDING]
    ahead = [at for at in times if at is not None and at > now]
    return min(ahead) if ahead and len(ahead) == len(times) else None


def title(report: PlanReport) -> str:
    """The browser's title: how far it is, and which plan."""
    name = _("Plan %(id)s") % {"id": report.plan.pk}
    if report.is_over:
        return f"{plan_state(report.drains, report.total).text} · {name}"
    share = counted.share(report.total)
    said = f"{share.left}/{share.total} · {name}"
    n = len(report.in_need)
    return f"{labels.needs_you(n)} · {said}" if n else said


def headline(report: PlanReport) -> str:
    """How it is, or how it ended; what a person must look at comes first."""
    first = labels.alarm(report.total)
    if not first and not report.is_over and report.in_need:
        first = _("%(who)s.") % {"who": labels.needs_you(len(report.in_need))}
    return " ".join(filter(None, (first, *_why_nothing_moves(report), _headline(report))))


def _why_nothing_moves(report: PlanReport) -> list[str]:
    """One sentence, or one for each host that waits for blocked instances; empty where something
    does, or the plan is over."""
    held, drains = _held(report.drains), report.drains
    if held == DrainState.PENDING:
        at = _starts_at(drains, report.now)
        return [_("Starts at %(time)s.") % {"time": formats.clock(at, report.now)}] if at else []
    if held is not None:
        aborts = all(drain.cancel_abort for drain in drains if drain.state == held)
        return [held_by_somebody(held, aborts)]
    runs = [d for d in drains if d.state == DrainState.RUNNING and not labels.waits_for_host(d)]
    waits = {drain: _wait_for(drain, report) for drain in runs}
    if not all(waits.values()):
        return []
    return [f"{drain.host}: {text}" for drain, text in waits.items()]


def _wait_for(drain: Drain, report: PlanReport) -> str:
    blocked = [r for n, r in report.in_need if n is Need.BLOCKED and r.drain_id == drain.pk]
    counts, until = report.counts[drain.pk], report.blocked_until(drain)
    return attention.wait_for(blocked, drain, counts, until, report.now)


def _headline(report: PlanReport) -> str:
    """One sentence."""
    drains = report.drains
    done = sum(drain.state == DrainState.SUCCEEDED for drain in drains)
    hosts = ngettext(
        "%(done)s of %(n)s host is drained.", "%(done)s of %(n)s hosts are drained.", len(drains)
    ) % {"done": formats.number(done), "n": formats.number(len(drains))}
    if report.is_over:
        if done == len(drains) and not report.total.need_a_look:
            # With a context, as the first is a sentence of its own elsewhere.
            return npgettext(
                "plan", "The host is empty.", "All %(n)s hosts are empty.", len(drains)
            ) % {"n": formats.number(len(drains))}
        here = report.total.still_here
        if here:
            hosts += " " + ngettext(
                "%(n)s instance is still on its host.",
                "%(n)s instances are still on their hosts.",
                here,
            ) % {"n": formats.number(here)}
        return hosts
    share = counted.share(report.total)
    moved = ngettext(
        "%(left)s of %(n)s instance has left.",
        "%(left)s of %(n)s instances have left.",
        share.total,
    ) % {"left": formats.number(share.left), "n": formats.number(share.total)}
    return f"{hosts} {moved}"


def _overall_bar(report: PlanReport) -> SafeString:
    fine = all(drain.state == DrainState.SUCCEEDED for drain in report.drains)
    fine = fine and not report.total.need_a_look
    kind = ("success" if fine else "warning") if report.is_over or report.in_need else "primary"
    share = counted.share(report.total)
    return elements.left_bar(share, kind, _("Instances that have left"), over=report.is_over)


def begun(report: PlanReport) -> datetime | None:
    return min((d.started_at for d in report.drains if d.started_at), default=None)


def ended(report: PlanReport) -> datetime | None:
    if not report.is_over:
        return None
    return max((d.finished_at for d in report.drains if d.finished_at), default=None)


def _facts(report: PlanReport) -> SafeString:
    plan, now = report.plan, report.now
    asked = format_html("{}, {}", plan.requested_by, formats.when(plan.created_at, now, True))
    facts: list[tuple[str, SafeString | str]] = [
        (_("Reason"), plan.reason),
        (_("Requested by"), asked),
        (
            _("Hosts"),
            f"{formats.number(len(report.drains))}, {at_a_time(plan, len(report.drains))}",
        ),
        (_("Started"), formats.when(begun(report), now, seconds=True)),
        (_("Finished"), formats.when(ended(report), now, seconds=True)),
        (_("Elapsed"), elements.elapsed(begun(report), ended(report), now)),
    ]
    facts += _forecast(report)
    first = report.drains[0] if report.drains else None
    if first and first.start_at:
        facts.append((_("Starts at"), _with_zone(first.start_at, now)))
    if first and first.stop_at:
        facts.append((_("No new migrations after"), _with_zone(first.stop_at, now)))
    return elements.facts(facts)


def _with_zone(at: datetime, now: datetime) -> SafeString:
    return format_html("{} {}", formats.when(at, now), formats.zone(at))


def _forecast(report: PlanReport) -> list[tuple[str, SafeString | str]]:
    """How long the plan still takes, in the words of a drain, and when it ends if it goes on so."""
    if report.forecast is None:
        return []
    text = course.forecast_text(report.forecast, stalled=only_stalled(report.in_need))
    if _held(report.drains) == DrainState.PAUSED:
        return [(_("Time left after resuming"), text)]
    if begun(report) is None:
        return [(_("Expected time"), text)]
    likely = report.forecast.likely
    if math.isinf(likely) or report.total[MigrationState.BLOCKED]:
        return [(_("Time left"), text)]  # nobody knows for how long what is blocked is waited for
    end = report.now + timedelta(seconds=likely)
    return [(_("Time left"), text), (_("Expected end"), formats.when(end, report.now))]


def verbs(report: PlanReport, actor: Actor) -> list[DrainVerb]:
    """What can be done with the plan now, by this actor."""
    found = [
        verb
        for verb in DrainVerb
        if actor.may(steering.RULE_OF_DRAIN[verb]) is True
        and any(not steering.drain_objection(verb, drain) for drain in report.drains)
    ]
    failed = any(
        report.counts[drain.pk][MigrationState.FAILED]
        and not steering.drain_objection(DrainVerb.RETRY, drain)
        for drain in report.drains
    )
    return [verb for verb in found if verb is not DrainVerb.RETRY or failed]


def _actions(report: PlanReport, actor: Actor) -> SafeString | str:
    words = {
        DrainVerb.PAUSE: (_("Pause All"), "pause"),
        DrainVerb.RESUME: (_("Resume All"), "play"),
        DrainVerb.RETRY: (_("Retry Failed"), "rotate-right"),
    }
    can = verbs(report, actor)
    dialogs = {
        DrainVerb.CHANGE: ("default", "change_plan", _("Change All")),
        DrainVerb.CANCEL: ("danger", "cancel_plan", _("Cancel All")),
    }
    links = dialog_links(can, report.plan.pk, dialogs)
    return elements.joined([*verb_buttons(can, words), *links])


def _needs(report: PlanReport, actor: Actor) -> SafeString | str:
    """The list of those that need a person, of all hosts, with what helps; all else that can be
    done is on the page of each drain."""
    drains = {drain.pk: drain for drain in report.drains}
    offers = Offers(actor)

    def more(need: Need, row: InstanceMigration) -> tuple[SafeString, SafeString]:
        drain = drains[row.drain_id]
        helps = attention.verbs(need, row, InNeed(drain), offers)
        view = format_html(
            '<a class="btn btn-default btn-sm" href="{}" aria-label="{}">{}</a>',
            reverse(f"{PANEL}:drain", args=[drain.pk]),
            _("View drain %(id)s of %(host)s") % {"id": drain.pk, "host": drain.host},
            _("View Drain"),
        )
        place = format_html("({})", elements.host_link(drain.host, drain.region))
        return elements.joined([helps, view]), place

    return attention.listed(report.in_need, more)


def parts(report: PlanReport, actor: Actor) -> dict[str, SafeString]:
    """The pieces above the table, by name."""
    pieces: dict[str, SafeString | str] = {
        "worker": "" if report.is_over else worker_warning(report.worker),
        "state": plan_state(report.drains, report.total).html,
        "headline": headline(report),
        "bar": _overall_bar(report),
        "counts": counted.counts_html(report.total),
        "needs": _needs(report, actor),
        "facts": _facts(report),
        "actions": _actions(report, actor),
    }
    return {name: formats.as_html(piece) for name, piece in pieces.items()}


def announcement(report: PlanReport) -> str:
    """What a screen reader is told, when it changes: as of a drain, and which host was done last;
    how it ended."""
    state = plan_state(report.drains, report.total).text
    if report.is_over:
        return f"{state}. {headline(report)}"
    said = [f"{state}.", *progress(report.total)]
    over = [drain for drain in report.drains if drain.state in DRAIN_TERMINAL]
    if over:
        last = max(over, key=lambda drain: (drain.finished_at or report.now, drain.pk))
        hosts = ngettext(
            "%(done)s of %(n)s host has finished.",
            "%(done)s of %(n)s hosts have finished.",
            len(report.drains),
        ) % {"done": len(over), "n": len(report.drains)}
        ended = labels.drain_state(last, report.counts[last.pk]).text
        words = {"host": last.host, "state": ended, "headline": hosts}
        said.append(_("%(host)s: %(state)s. %(headline)s") % words)
    if report.in_need:
        said.append(f"{labels.needs_you(len(report.in_need))}.")
    return " ".join(said)

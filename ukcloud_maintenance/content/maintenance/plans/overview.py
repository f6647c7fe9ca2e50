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

from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.drain.needs import Need
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    DrainState,
    MigrationState,
)
from ukcloud_maintenance.core.steering import DrainVerb
from ukcloud_maintenance.services import PlanReport
from ukcloud_maintenance.store import Counts, Drain, InstanceMigration, Plan

from ..common import elements, formats, labels
from ..common.addresses import PANEL
from ..common.elements import dialog_link, verb_button
from ..common.labels import Label
from ..common.worker import worker_warning
from ..drains import attention, course


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
    if DrainState.CANCELLING in states:
        return Label(_("Cancelling"), "warning", "hourglass-half")
    still_open = states - DRAIN_TERMINAL
    if still_open == {DrainState.PAUSED}:
        return Label(
            _("Paused"), "warning", "pause", _("No new migrations start; those in progress finish.")
        )
    if still_open == {DrainState.PENDING} and states == still_open:
        return Label(_("Pending"), "default", "hourglass-start", _("Waiting for a worker."))
    if counts and (n := counts.in_need(DrainState.RUNNING)):
        return Label(_("Running"), "warning", "exclamation-triangle", labels.needs_you(n))
    return Label(_("Running"), "primary", "arrow-right", _("Instances are being moved."))


def title(report: PlanReport) -> str:
    """The browser's title: how far it is, and which plan."""
    name = _("Plan %(id)s") % {"id": report.plan.pk}
    if report.is_over:
        return f"{plan_state(report.drains, report.total).text} · {name}"
    share = labels.share(report.total)
    said = f"{share.left}/{share.total} · {name}"
    n = len(report.in_need)
    return f"{labels.needs_you(n)} · {said}" if n else said


def headline(report: PlanReport) -> str:
    """How it is, or how it ended; what a person must look at comes first."""
    first = labels.alarm(report.total)
    if not first and not report.is_over and report.in_need:
        first = _("%(who)s.") % {"who": labels.needs_you(len(report.in_need))}
    return f"{first} {_headline(report)}".strip()


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
    share = labels.share(report.total)
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
    share = labels.share(report.total)
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
        facts.append((_("Start at"), formats.full_time(first.start_at)))
    if first and first.stop_at:
        facts.append((_("No new migrations after"), formats.full_time(first.stop_at)))
    return elements.facts(facts)


def _forecast(report: PlanReport) -> list[tuple[str, SafeString | str]]:
    """How long the plan still takes, in the words of a drain, and when it ends if it goes on so."""
    if report.forecast is None:
        return []
    still_open = {drain.state for drain in report.drains} - DRAIN_TERMINAL
    text = course.forecast_text(report.forecast)
    if still_open == {DrainState.PAUSED}:
        return [(_("Time left after resuming"), text)]
    if begun(report) is None:
        return [(_("Expected time"), text)]
    likely = report.forecast.likely
    if math.isinf(likely):
        return [(_("Time left"), text)]
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
    buttons = [verb_button(verb, icon, text) for verb, (text, icon) in words.items() if verb in can]
    dialogs = {
        DrainVerb.CHANGE: ("default", "change_plan", _("Change All")),
        DrainVerb.CANCEL: ("danger", "cancel_plan", _("Cancel All")),
    }
    buttons += [
        dialog_link(verb, kind, reverse(f"{PANEL}:{name}", args=[report.plan.pk]), text)
        for verb, (kind, name, text) in dialogs.items()
        if verb in can
    ]
    return elements.joined(buttons)


def _needs(report: PlanReport) -> SafeString | str:
    """The list of those that need a person, of all hosts; what helps is on the page of each."""
    drains = {drain.pk: drain for drain in report.drains}

    def more(_need: Need, row: InstanceMigration) -> tuple[SafeString, SafeString]:
        drain = drains[row.drain_id]
        view = format_html(
            '<a class="btn btn-default btn-sm" href="{}" aria-label="{}">{}</a>',
            reverse(f"{PANEL}:drain", args=[drain.pk]),
            _("View drain %(id)s of %(host)s") % {"id": drain.pk, "host": drain.host},
            _("View Drain"),
        )
        return view, format_html("({})", elements.host_link(drain.host, drain.region))

    return attention.listed(report.in_need, more)


def parts(report: PlanReport, actor: Actor) -> dict[str, SafeString]:
    """The pieces above the table, by name."""
    pieces: dict[str, SafeString | str] = {
        "worker": "" if report.is_over else worker_warning(report.worker),
        "state": plan_state(report.drains, report.total).html,
        "headline": headline(report),
        "bar": _overall_bar(report),
        "counts": labels.counts_html(report.total),
        "needs": _needs(report),
        "facts": _facts(report),
        "actions": _actions(report, actor),
    }
    return {name: formats.as_html(piece) for name, piece in pieces.items()}


def announcement(report: PlanReport) -> str:
    """What a screen reader is told: how many hosts are done, and how it ended."""
    over = [drain for drain in report.drains if drain.state in DRAIN_TERMINAL]
    if report.is_over:
        return f"{plan_state(report.drains, report.total).text}. {headline(report)}"
    needs = f" {labels.needs_you(len(report.in_need))}." if report.in_need else ""
    if not over:
        return needs.strip()
    last = max(over, key=lambda drain: (drain.finished_at or report.now, drain.pk))
    state = labels.drain_state(last, report.counts[last.pk]).text
    return _("%(host)s: %(state)s. %(headline)s") % {
        "host": last.host,
        "state": state,
        "headline": ngettext(
            "%(done)s of %(n)s host has finished.",
            "%(done)s of %(n)s hosts have finished.",
            len(report.drains),
        )
        % {"done": len(over), "n": len(report.drains)}
        + needs,
    }

"""The plan page from a report: the same pieces for the first page and for every update.

Like the drain page's (see `progress`): small, built without templates, all escaped here.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, npgettext

from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    MIGRATION_UNDER_WAY,
    MIGRATION_WAITING,
    DrainState,
    MigrationState,
)
from ukcloud_maintenance.core.steering import DrainVerb
from ukcloud_maintenance.services import PlanReport
from ukcloud_maintenance.store import Counts, Drain, HostRecord, Plan, WorkerStatus

from ..common import formats, labels
from ..common.addresses import PANEL, of_host
from ..common.formats import NOTHING
from ..common.labels import Label
from ..drains import overview as progress
from ..hosts.table import MaintenanceCell, maintenance_cell

#: the form of the page that the buttons belong to; it has the CSRF token
STEER_FORM = "mnt-steer"
#: the column that says whether a host may be switched off
SAFETY = "safety"


def at_a_time(plan: Plan, hosts: int) -> str:
    """How many of its hosts are emptied at a time."""
    n = plan.hosts_at_once
    if n == 0 or n >= hosts:
        return _("all at once")
    if n == 1:
        return _("one after another")
    return ngettext("%(n)s at a time", "%(n)s at a time", n) % {"n": formats.number(n)}


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
            return Label(_("Needs a look"), "danger", "triangle-exclamation", labels.alarm(counts))
        if done == len(drains):
            return Label(_("All drained"), "success", "check", _("Every host is empty."))
        if states == {DrainState.CANCELLED}:
            return Label(_("Cancelled"), "default", "ban")
        text = _("Over, %(done)s of %(n)s drained") % {"done": done, "n": len(drains)}
        return Label(text, "warning", "flag-checkered")
    if DrainState.CANCELLING in states:
        return Label(_("Cancelling"), "warning", "hourglass-half")
    still_open = states - DRAIN_TERMINAL
    if still_open == {DrainState.PAUSED}:
        return Label(_("Paused"), "warning", "pause", _("Nothing new starts; what flies lands."))
    if still_open == {DrainState.PENDING} and states == still_open:
        return Label(_("Pending"), "default", "clock", _("It waits for a worker to take it."))
    return Label(_("Running"), "primary", "arrow-right", _("Instances are being moved."))


def total_share(report: PlanReport) -> labels.Share:
    return labels.share(report.total)


def title(report: PlanReport) -> str:
    """The browser's title: how far it is, and which plan."""
    name = _("Plan %(id)s") % {"id": report.plan.pk}
    if report.is_over:
        return f"{plan_state(report.drains, report.total).text} · {name}"
    share = total_share(report)
    return f"{share.left}/{share.total} · {name}"


def headline(report: PlanReport) -> str:
    """How it is, or how it ended; what a person must look at comes first."""
    return f"{labels.alarm(report.total)} {_headline(report)}".strip()


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
    share = total_share(report)
    moved = ngettext(
        "%(left)s of %(n)s instance has left.",
        "%(left)s of %(n)s instances have left.",
        share.total,
    ) % {"left": formats.number(share.left), "n": formats.number(share.total)}
    return f"{hosts} {moved}"


def _kind(state: str, result_is_fine: bool) -> str:
    if state not in DRAIN_TERMINAL:
        return "primary"
    return "success" if result_is_fine else "warning"


def _bar(share: labels.Share, kind: str, *, over: bool, name: str, small: bool) -> SafeString:
    # Only an end is a full bar: after the last one left, the host is still to be proved empty.
    percent = share.percent if over else min(share.percent, 99)
    return format_html(
        '<div class="progress {}"><div class="progress-bar progress-bar-{}" role="progressbar"'
        ' aria-label="{}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{}"'
        ' aria-valuetext="{}" style="width: {}%"></div></div>',
        "mnt-small" if small else "mnt-progress",
        kind,
        name,
        percent,
        share.text,
        percent,
    )


def _overall_bar(report: PlanReport) -> SafeString:
    fine = all(drain.state == DrainState.SUCCEEDED for drain in report.drains)
    fine = fine and not report.total.need_a_look
    return _bar(
        total_share(report),
        ("success" if fine else "warning") if report.is_over else "primary",
        over=report.is_over,
        name=_("Instances that have left"),
        small=False,
    )


def begun(report: PlanReport) -> datetime | None:
    return min((d.started_at for d in report.drains if d.started_at), default=None)


def ended(report: PlanReport) -> datetime | None:
    if not report.is_over:
        return None
    return max((d.finished_at for d in report.drains if d.finished_at), default=None)


def elapsed(since: datetime | None, until: datetime | None, now: datetime) -> SafeString | str:
    """A time that ticks while it goes on."""
    if since is None:
        return NOTHING
    if until:
        return formats.duration(until - since)
    return format_html(
        '<span data-since="{}">{}</span>', since.isoformat(), formats.duration(now - since)
    )


def _facts(report: PlanReport) -> SafeString:
    plan, now = report.plan, report.now
    asked = format_html("{}, {}", plan.requested_by, formats.when(plan.created_at, now, True))
    facts: list[tuple[str, SafeString | str]] = [
        (_("Reason"), plan.reason),
        (_("Asked for by"), asked),
        (
            _("Hosts"),
            f"{formats.number(len(report.drains))}, {at_a_time(plan, len(report.drains))}",
        ),
        (_("Started"), formats.when(begun(report), now, seconds=True)),
        (_("Finished"), formats.when(ended(report), now, seconds=True)),
        (_("Elapsed"), elapsed(begun(report), ended(report), now)),
    ]
    first = report.drains[0] if report.drains else None
    if first and first.start_at:
        facts.append((_("Start at"), formats.full_time(first.start_at)))
    if first and first.stop_at:
        facts.append((_("Nothing new after"), formats.full_time(first.stop_at)))
    return format_html_join("", "<dt>{}</dt><dd>{}</dd>", facts)


def verbs(report: PlanReport, actor: Actor) -> list[DrainVerb]:
    """What can be done with the plan now, by this actor."""
    found = [
        verb
        for verb in (DrainVerb.PAUSE, DrainVerb.RESUME, DrainVerb.RETRY, DrainVerb.CANCEL)
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
    buttons = [
        format_html(
            '<button type="submit" id="mnt-{0}" class="btn btn-default" form="{1}" name="verb"'
            ' value="{0}"><span class="fa fa-{2}" aria-hidden="true"></span> {3}</button>',
            verb.value,
            STEER_FORM,
            words[verb][1],
            words[verb][0],
        )
        for verb in can
        if verb in words
    ]
    if DrainVerb.CANCEL in can:
        buttons.append(
            format_html(
                '<a id="mnt-cancel" class="btn btn-danger ajax-modal" href="{}">{}</a>',
                reverse(f"{PANEL}:cancel_plan", args=[report.plan.pk]),
                _("Cancel All"),
            )
        )
    return format_html_join(" ", "{}", ((button,) for button in buttons))


def parts(report: PlanReport, actor: Actor) -> dict[str, SafeString]:
    """The pieces above the table, by name."""
    pieces: dict[str, SafeString | str] = {
        "worker": "" if report.is_over else progress.worker_warning(report.worker),
        "state": plan_state(report.drains, report.total).html,
        "headline": headline(report),
        "bar": _overall_bar(report),
        "counts": labels.counts_html(report.total),
        "facts": _facts(report),
        "actions": _actions(report, actor),
    }
    return {name: formats.as_html(piece) for name, piece in pieces.items()}


# -- the hosts -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    slug: str
    title: str
    cell: Callable[[Drain, Counts, datetime], SafeString | str]


def _place(drain: Drain, counts: Counts, now: datetime) -> str:
    return formats.number(drain.plan_order + 1)


def _host(drain: Drain, counts: Counts, now: datetime) -> SafeString:
    url = of_host("host", drain.host, drain.region)
    return format_html('<a href="{}">{}</a>', url, drain.host)


def _state(drain: Drain, counts: Counts, now: datetime) -> SafeString:
    return labels.drain_state(drain, counts).html


def _left(drain: Drain, counts: Counts, now: datetime) -> SafeString:
    share = labels.share(counts)
    fine = drain.state == DrainState.SUCCEEDED and not counts.need_a_look
    bar = _bar(
        share,
        _kind(drain.state, fine),
        over=drain.state in DRAIN_TERMINAL,
        name=_("Instances that have left %(host)s") % {"host": drain.host},
        small=True,
    )
    return format_html("{}<small>{}</small>", bar, share.text)


def _counts(drain: Drain, counts: Counts, now: datetime) -> SafeString | str:
    return labels.counts_html(counts) if counts.total else _("no instance")


def _elapsed(drain: Drain, counts: Counts, now: datetime) -> SafeString | str:
    return elapsed(drain.started_at, drain.finished_at, now)


def _message(drain: Drain, counts: Counts, now: datetime) -> str:
    if drain.state == DrainState.SUCCEEDED and "\n" not in drain.message:
        return ""  # the state says it
    return labels.said(drain.message)


def _drain(drain: Drain, counts: Counts, now: datetime) -> SafeString:
    return format_html(
        '<a href="{}">{}</a>',
        reverse(f"{PANEL}:drain", args=[drain.pk]),
        _("Drain %(id)s") % {"id": drain.pk},
    )


def columns() -> list[Column]:
    return [
        Column("place", "#", _place),
        Column("host", _("Host"), _host),
        Column("state", _("State"), _state),
        Column("left", _("Left the host"), _left),
        Column("counts", _("Instances"), _counts),
        Column("elapsed", _("Elapsed"), _elapsed),
        Column("message", _("Message"), _message),
        Column("drain", _("Drain"), _drain),
    ]


@dataclass(frozen=True)
class PlanRow:
    """One host of the plan: its cells in the order of the columns."""

    id: int
    host: str
    cells: list[tuple[str, SafeString]]

    def as_json(self) -> dict:
        return {"id": self.id, "cells": [html for _slug, html in self.cells]}


#: what the database knows of the hosts, by host
Records = Mapping[str, HostRecord]


def safety(drain: Drain, records: Records, now: datetime) -> MaintenanceCell:
    """Whether the host may be switched off, once this drain of it is over and is the last one."""
    record = records.get(drain.host)
    if drain.state not in DRAIN_TERMINAL or record is None or record.drain.pk != drain.pk:
        return MaintenanceCell()
    if record.maintenance is None:
        return MaintenanceCell()
    return maintenance_cell(record, now, in_service=False)


def _safety_html(cell: MaintenanceCell) -> SafeString | str:
    if not cell.text:
        return NOTHING
    return format_html(
        '<a href="{}" title="{}"><span class="fa fa-{} text-{}" aria-hidden="true"></span> {}</a>',
        cell.url,
        cell.help,
        cell.icon,
        cell.kind,
        cell.text,
    )


def rows(report: PlanReport, records: Records) -> list[PlanRow]:
    found = []
    for drain in report.drains:
        cells = [
            (c.slug, formats.as_html(c.cell(drain, report.counts[drain.pk], report.now)))
            for c in columns()
        ]
        safe = _safety_html(safety(drain, records, report.now))
        cells.insert(len(cells) - 1, (SAFETY, formats.as_html(safe)))
        found.append(PlanRow(drain.pk, drain.host, cells))
    return found


def headers() -> list[tuple[str, str]]:
    """Slug and title of each column."""
    found = [(column.slug, column.title) for column in columns()]
    found.insert(len(found) - 1, (SAFETY, _("Power off")))
    return found


def token(drains: list[Drain], worker: WorkerStatus, records: Records, now: datetime) -> str:
    """Names what a page shows; the same token means that there is nothing new."""
    revision = sum(drain.revision for drain in drains)
    safe = "|".join(safety(drain, records, now).text for drain in drains)
    return f"{progress.token(revision, worker)}-{zlib.crc32(safe.encode()):x}"


def announcement(report: PlanReport) -> str:
    """What a screen reader is told: how many hosts are done, and how it ended."""
    over = [drain for drain in report.drains if drain.state in DRAIN_TERMINAL]
    if report.is_over:
        return f"{plan_state(report.drains, report.total).text}. {headline(report)}"
    if not over:
        return ""
    last = max(over, key=lambda drain: (drain.finished_at or report.now, drain.pk))
    state = labels.drain_state(last, report.counts[last.pk]).text
    return _("%(host)s: %(state)s. %(headline)s") % {
        "host": last.host,
        "state": state,
        "headline": ngettext(
            "%(done)s of %(n)s host is over.",
            "%(done)s of %(n)s hosts are over.",
            len(report.drains),
        )
        % {"done": len(over), "n": len(report.drains)},
    }


def under_way(counts: Counts) -> int:
    return sum(counts[state] for state in MIGRATION_UNDER_WAY)


def waiting(counts: Counts) -> int:
    return sum(counts[state] for state in MIGRATION_WAITING)

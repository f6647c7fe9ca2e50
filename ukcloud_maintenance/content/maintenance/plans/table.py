"""The hosts of a plan's page, one row each, and whether each may be switched off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.message import LINES, holds
from ukcloud_maintenance.core.states import DRAIN_TERMINAL, DrainState
from ukcloud_maintenance.services import PlanReport
from ukcloud_maintenance.store import Counts, Drain, HostRecord, WorkerStatus

from ..common import counted, elements, formats, labels
from ..common.formats import NOTHING
from ..drains.mark import digest, look, worker_token
from ..hosts.table import MaintenanceCell, maintenance_cell

#: the column that says whether a host may be switched off
SAFETY = "safety"


@dataclass(frozen=True)
class Column:
    slug: str
    title: str
    cell: Callable[[Drain, Counts, datetime], SafeString | str]


def _place(drain: Drain, counts: Counts, now: datetime) -> str:
    return formats.number(drain.plan_order + 1)


def _host(drain: Drain, counts: Counts, now: datetime) -> SafeString:
    return elements.host_link(drain.host, drain.region)


def _state(drain: Drain, counts: Counts, now: datetime) -> SafeString:
    return labels.drain_state(drain, counts).html


def _left(drain: Drain, counts: Counts, now: datetime) -> SafeString:
    share = counted.share(counts)
    fine = drain.state == DrainState.SUCCEEDED and not counts.need_a_look
    over = drain.state in DRAIN_TERMINAL
    name = _("Instances that have left %(host)s") % {"host": drain.host}
    needs = bool(counts.in_need(drain.state))
    kind = ("success" if fine else "warning") if over or needs else "primary"
    shown = elements.left_bar(share, kind, name, over=over, small=True)
    return format_html("{}<small>{}</small>", shown, share.text)


def _counts(drain: Drain, counts: Counts, now: datetime) -> SafeString | str:
    return counted.counts_html(counts) if counts.total else _("no instance")


def _elapsed(drain: Drain, counts: Counts, now: datetime) -> SafeString | str:
    return elements.elapsed(drain.started_at, drain.finished_at, now)


def _message(drain: Drain, counts: Counts, now: datetime) -> str:
    if drain.state == DrainState.SUCCEEDED and not holds(drain.message, LINES):
        return ""  # the state says it
    return labels.said(drain.message)


def _drain(drain: Drain, counts: Counts, now: datetime) -> SafeString:
    return elements.drain_link(drain.pk)


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


def records_of(actor: Actor, drains: list[Drain]) -> Records:
    """What is known of the hosts that may be switched off: their drains are over."""
    over = [drain for drain in drains if drain.state in DRAIN_TERMINAL]
    if not over:
        return {}
    return services.host_records(actor, over[0].region, [drain.host for drain in over])


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
    return f"{revision}-{look(now)}-{worker_token(worker)}-{digest(safe)}"

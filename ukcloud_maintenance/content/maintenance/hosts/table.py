"""The rows and columns of the lists of hosts and of drains."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.facts import HostFacts
from ukcloud_maintenance.core.states import DRAIN_OPEN, DrainState, ReturnResult
from ukcloud_maintenance.exceptions import CloudError
from ukcloud_maintenance.store import Counts, Drain, HostMaintenance, HostRecord

from ..common import formats, labels
from ..common.addresses import PANEL, of_host
from ..common.labels import Label, Share
from ..common.listing import Column
from . import certificate as certificate_page


@dataclass(frozen=True)
class Usage:
    """How much of something is in use."""

    used: int
    total: int
    text: str
    name: str

    @property
    def percent(self) -> int:
        return min(100, 100 * self.used // self.total) if self.total > 0 else 0

    @property
    def key(self) -> tuple[float, int]:
        return (self.used / self.total if self.total > 0 else 0, self.used)


@dataclass(frozen=True)
class MaintenanceCell:
    """What the maintenance column says of a host: a drain under way, how the last one ended
    while the host is still out of service, that it is given back, or was a moment ago, or
    nothing."""

    text: str = ""
    url: str = ""
    share: Share | None = None  # of a drain under way
    icon: str = ""
    kind: str = ""
    help: str = ""


def maintenance_cell(
    record: HostRecord | None, now: datetime, *, in_service: bool
) -> MaintenanceCell:
    """What a person must look at comes first.

    :param in_service: the host takes new instances again
    """
    if record is None:
        return MaintenanceCell()
    cell = _maintenance_cell(record, now, in_service=in_service)
    first = labels.alarm(record.counts)
    if not first or not cell.text or record.returned or record.run_back:
        return cell
    said = f"{first} {cell.help}".strip()
    text = f"{first.rstrip('.')}; {cell.text}"
    return replace(
        cell, text=text, share=None, icon="triangle-exclamation", kind="danger", help=said
    )


def _maintenance_cell(record: HostRecord, now: datetime, *, in_service: bool) -> MaintenanceCell:
    drain = record.drain
    url = reverse(f"{PANEL}:drain", args=[drain.pk])
    label = labels.drain_state(drain, record.counts)
    if drain.state in DRAIN_OPEN:
        share = labels.share(record.counts)
        return MaintenanceCell(share.text, url, share, help=f"{label.text}: {drain.reason}")
    if record.maintenance is not None:
        return _in_maintenance(record, now)
    if record.run_back is not None:
        return _coming_back(record.run_back)
    if record.returned is not None:
        return _given_back(record.returned, now)
    if in_service or drain.finished_at is None:
        return MaintenanceCell()  # instances may have arrived again
    time = formats.clock(drain.finished_at, now)
    if drain.state == DrainState.SUCCEEDED:
        text = _("drained %(time)s") % {"time": time}
        return MaintenanceCell(text, url, None, "check", "success", drain.reason)
    here = record.counts.still_here
    if drain.state == DrainState.CANCELLED:
        text = _("cancelled %(time)s") % {"time": time}
        return MaintenanceCell(text, url, None, "ban", "muted", labels.said(drain.message))
    text = ngettext("%(n)s left behind %(time)s", "%(n)s left behind %(time)s", here) % {
        "n": here,
        "time": time,
    }
    return MaintenanceCell(text, url, None, label.icon, "warning", labels.said(drain.message))


def _in_maintenance(record: HostRecord, now: datetime) -> MaintenanceCell:
    """Of a host that was drained and is not given back yet: may it be switched off?"""
    maintenance = record.maintenance
    assert maintenance
    url = of_host("host", record.drain.host, record.drain.region)
    if record.returning:
        help_text = labels.said(maintenance.message)
        return MaintenanceCell(_("being returned"), url, None, "rotate-left", "info", help_text)
    if record.safe:
        since = certificate_page.zoned(maintenance.safe_since)
        return MaintenanceCell(
            _("safe to power off"),
            url,
            None,
            "circle-check",
            "success",
            _("since %(time)s") % {"time": since},
        )
    why = certificate_page.short(maintenance, now)
    if certificate_page.went_down(certificate_page.stored(maintenance)):
        help_text = labels.said(maintenance.withdrawn_why)
        return MaintenanceCell(_("host is down"), url, None, "power-off", "info", help_text)
    text = _("not safe: %(why)s") % {"why": why}
    kind = "muted" if maintenance.verified_at is None else "warning"
    return MaintenanceCell(text, url, None, "circle-xmark", kind, text)


def _coming_back(run: Drain) -> MaintenanceCell:
    """Of a host that its instances are brought back to."""
    url = reverse(f"{PANEL}:drain", args=[run.pk])
    label = labels.drain_state(run)
    return MaintenanceCell(
        _("instances come back"), url, None, "rotate-left", "info", f"{label.text}: {run.reason}"
    )


def _given_back(maintenance: HostMaintenance, now: datetime) -> MaintenanceCell:
    """Of a host whose maintenance is over since a moment."""
    at = {"time": formats.clock(maintenance.closed_at, now)}
    text, icon, kind = {
        ReturnResult.LEFT: (_("maintenance over %(time)s"), "flag-checkered", "muted"),
        ReturnResult.NOT_UP: (_("not seen up %(time)s"), "triangle-exclamation", "warning"),
    }.get(
        maintenance.return_result,
        (_("back in service %(time)s"), "rotate-left", "muted"),
    )
    url = of_host("host", maintenance.host, maintenance.region)
    return MaintenanceCell(text % at, url, None, icon, kind, labels.said(maintenance.message))


class HostRow:
    """One host as the page shows it."""

    def __init__(self, facts: HostFacts, record: HostRecord | None, now: datetime, region: str):
        self.facts = facts
        self.region = region
        self.host = facts.host
        self.zone = facts.service.zone
        self.state: Label = labels.host_state(facts.service)
        self.service: Label = labels.service_status(facts.service)
        self.disabled_reason = facts.service.disabled_reason
        self.maintenance = maintenance_cell(
            record, now, in_service=facts.service.status == "enabled"
        )
        self.open_drain: Drain | None = (
            record.drain if record and record.drain.state in DRAIN_OPEN else None
        )
        #: what brings instances back to it
        self.run_back: Drain | None = record.run_back if record else None
        self.is_safe = record is not None and record.safe
        self.in_maintenance = record is not None and record.maintenance is not None
        self.returning = record is not None and record.returning
        #: whether its maintenance column may change by itself
        self.changes = record is not None and (
            self.open_drain is not None or self.in_maintenance or self.run_back is not None
        )
        #: whether it can be given back to service
        self.returnable = self.in_maintenance and not self.returning and self.open_drain is None
        found = facts.hypervisor
        self.vcpus = self.memory = None
        #: Nova's statistic, a minute old at worst; None where Nova knows no hypervisor
        self.statistic: int | None = None
        if found:
            self.statistic = found.running_vms
            self.vcpus = Usage(
                found.vcpus_used,
                found.vcpus,
                _("%(part)s of %(whole)s")
                % {
                    "part": formats.number(found.vcpus_used),
                    "whole": formats.number(found.vcpus),
                },
                _("vCPUs in use"),
            )
            self.memory = Usage(
                found.memory_used_bytes,
                found.memory_bytes,
                formats.size_of(found.memory_used_bytes, found.memory_bytes),
                _("memory in use"),
            )
        #: the true number, asked of Nova for the rows shown
        self.instances: int | None = None
        self.count_error = ""

    def counted(self, answer: "int | CloudError | None") -> None:
        if isinstance(answer, CloudError):
            self.count_error = str(answer)
        else:
            self.instances = answer

    @property
    def url(self) -> str:
        return of_host("host", self.host, self.region)

    @property
    def drain_url(self) -> str:
        return of_host("drain_host", self.host, self.region)

    @property
    def under_way_url(self) -> str:
        """The page of what moves instances from or to it now, or empty."""
        drain = self.open_drain or self.run_back
        return reverse(f"{PANEL}:drain", args=[drain.pk]) if drain else ""

    @property
    def return_url(self) -> str:
        return of_host("return_host", self.host, self.region)

    @property
    def check_url(self) -> str:
        return of_host("check_host", self.host, self.region)

    @property
    def is_up(self) -> bool:
        return self.facts.service.is_known and self.facts.service.is_up

    @property
    def is_bare_metal(self) -> bool:
        """Whether its instances are machines of Ironic's, that Nova does not move."""
        return self.facts.hypervisor is not None and self.facts.hypervisor.is_bare_metal


def host_columns() -> list[Column[HostRow]]:
    return [
        Column("host", _("Host"), lambda r: r.host, lambda r: formats.natural_key(r.host)),
        Column(
            "zone", _("Availability zone"), lambda r: r.zone, lambda r: formats.natural_key(r.zone)
        ),
        Column("state", _("State"), lambda r: r.state.text, lambda r: r.state.text),
        Column(
            "service",
            _("Compute service"),
            lambda r: f"{r.service.text} {r.disabled_reason}",
            lambda r: (r.service.text, r.disabled_reason),
        ),
        Column(
            "instances",
            _("Instances"),
            lambda r: "" if r.statistic is None else str(r.statistic),
            lambda r: -1 if r.statistic is None else r.statistic,
            "mnt-number",
        ),
        Column(
            "vcpus",
            _("vCPUs"),
            lambda r: r.vcpus.text if r.vcpus else "",
            lambda r: r.vcpus.key if r.vcpus else (-1, 0),
        ),
        Column(
            "memory",
            _("Memory"),
            lambda r: r.memory.text if r.memory else "",
            lambda r: r.memory.key if r.memory else (-1, 0),
        ),
        Column(
            "maintenance",
            _("Maintenance"),
            lambda r: r.maintenance.text,
            lambda r: (
                0 if r.maintenance.share else 1 if r.maintenance.text else 2,
                r.maintenance.text,
            ),
        ),
        Column("actions", _("Actions"), css="mnt-actions"),
    ]


def host_state_choices() -> list[tuple[str, str]]:
    return [
        ("up", _("Up")),
        ("down", _("Down")),
        ("enabled", _("Enabled")),
        ("disabled", _("Disabled")),
        ("draining", _("Drain under way")),
        ("maintenance", _("In maintenance")),
        ("safe", _("Safe to power off")),
    ]


def host_has_state(row: HostRow, state: str) -> bool:
    service = row.facts.service
    if state == "up":
        return row.is_up
    if state == "down":
        return service.is_known and not service.is_up
    if state in ("enabled", "disabled"):
        return service.status == state
    if state == "draining":
        return row.open_drain is not None
    if state == "maintenance":
        return row.open_drain is not None or row.in_maintenance
    if state == "safe":
        return row.is_safe
    return True


class DrainRow:
    """One drain as the lists show it."""

    def __init__(self, drain: Drain, counts: Counts, now: datetime):
        self.drain = drain
        self.label = labels.drain_state(drain, counts)
        self.share = labels.share(counts)
        self.stay = labels.staying(counts)
        self.url = reverse(f"{PANEL}:drain", args=[drain.pk])
        self.host_url = of_host("host", drain.host, drain.region)
        self.plan_url = reverse(f"{PANEL}:plan", args=[drain.plan_id]) if drain.plan_id else ""
        self.asked = formats.when(drain.created_at, now)
        self.finished = formats.when(drain.finished_at, now)
        self.is_open = drain.state in DRAIN_OPEN

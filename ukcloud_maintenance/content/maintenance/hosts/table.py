"""The rows and columns of the list of hosts."""

from dataclasses import replace
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from ukcloud_maintenance.core.facts import HostFacts
from ukcloud_maintenance.core.states import DRAIN_OPEN
from ukcloud_maintenance.exceptions import CloudError
from ukcloud_maintenance.services import HostNow, is_yours
from ukcloud_maintenance.store import Drain, HostRecord, RunHost

from ..common import formats, labels
from ..common.addresses import PANEL, of_host
from ..common.labels import Label
from ..common.listing import Column
from ..common.usage import memory_of, vcpus_of, vcpus_title
from ..common.words import said
from .maintenance import MaintenanceCell, in_run, maintenance_cell


class HostRow:
    """One host as the page shows it."""

    def __init__(
        self,
        facts: HostFacts,
        record: HostRecord | None,
        now: datetime,
        region: str,
        place: RunHost | None = None,
    ):
        self.facts = facts
        self.region = region
        self.host = facts.host
        self.zone = facts.service.zone
        self.state: Label = labels.host_state(facts.service)
        self.service: Label = labels.service_status(facts.service)
        self.disabled_reason = facts.service.disabled_reason
        cell = maintenance_cell(record, now, in_service=facts.service.status == "enabled")
        self.maintenance: MaintenanceCell = in_run(cell, place)
        #: a run waits for somebody to say that its maintenance is done
        self.is_yours = place is not None and is_yours(place)
        self.open_drain: Drain | None = (
            record.drain if record and record.drain.state in DRAIN_OPEN else None
        )
        #: what brings instances back to it
        self.run_back: Drain | None = record.run_back if record else None
        self.is_safe = record is not None and record.safe
        self.in_maintenance = record is not None and record.maintenance is not None
        self.returning = record is not None and record.returning
        #: whether its maintenance column may change by itself
        self.changes = place is not None or (
            record is not None
            and (self.open_drain is not None or self.in_maintenance or self.run_back is not None)
        )
        #: whether it can be returned to service
        self.returnable = self.in_maintenance and not self.returning and self.open_drain is None
        self.vcpus = vcpus_of(facts)
        self.memory = memory_of(facts)
        #: Nova's statistic, a minute old at worst when it was read; None where Nova knows no
        #: hypervisor
        self.statistic = facts.hypervisor.running_vms if facts.hypervisor else None
        #: the true number, asked of Nova for the rows shown
        self.instances: int | None = None
        self.count_error = ""

    def is_now(self, answer: HostNow | CloudError) -> None:
        """What Nova says of a host that is shown, at this moment."""
        if isinstance(answer, CloudError):
            self.count_error = said(answer.cause)
            return
        self.instances = answer.instances
        if answer.hypervisor:
            now = replace(self.facts, hypervisor=answer.hypervisor)
            self.memory, self.statistic = memory_of(now), answer.hypervisor.running_vms

    @property
    def url(self) -> str:
        return of_host("host", self.host, self.region)

    @property
    def drain_url(self) -> str:
        return of_host("drain_host", self.host, self.region)

    @property
    def in_progress_url(self) -> str:
        """The page of what moves instances from or to it now, or empty."""
        drain = self.open_drain or self.run_back
        return reverse(f"{PANEL}:drain", args=[drain.pk]) if drain else ""

    @property
    def done_url(self) -> str:
        return of_host("host_done", self.host, self.region)

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
            vcpus_title(),
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
            lambda r: f"{r.maintenance.text} {r.maintenance.run_text}".strip(),
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
        ("draining", _("Drain in progress")),
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

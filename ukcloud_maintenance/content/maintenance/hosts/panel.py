"""One panel of a host: whether it may be switched off, or how its return to service goes. It is
shown on the page of the host and on that of its drain."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from django.urls import reverse
from django.utils.translation import gettext as _

from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import RULE_RESET, RULE_RETURN, Actor
from ukcloud_maintenance.core.host.certificate import NO_ALLOCATIONS, worth_saying
from ukcloud_maintenance.core.host.emptiness import called
from ukcloud_maintenance.core.message import NAMED
from ukcloud_maintenance.core.states import ReturnResult
from ukcloud_maintenance.services import Certificate
from ukcloud_maintenance.store import Drain, HostMaintenance

from ..common import formats, labels
from ..common.addresses import PANEL
from ..common.checks import Told, told
from ..common.labels import Label
from ..drains.mark import digest
from . import certificate as certificate_page

#: how long the end of a return is shown
RETURN_SHOWN = timedelta(hours=24)


@dataclass(frozen=True)
class ReturnState:
    """A return to service that is in progress, or how the last one ended.

    :param run: what brings the instances back, or None
    """

    maintenance: HostMaintenance
    run: Drain | None

    @property
    def is_over(self) -> bool:
        return self.maintenance.closed_at is not None

    @property
    def label(self) -> Label:
        if not self.is_over:
            return Label(_("Being returned to service"), "info", "rotate-left")
        ended = {
            ReturnResult.IN_SERVICE: Label(_("Back in service"), "success", "check-circle"),
            ReturnResult.LEFT: Label(
                _("Maintenance ended, the service unchanged"), "info", "flag-checkered"
            ),
            ReturnResult.NOT_UP: Label(
                _("Not reported up in time"), "warning", "exclamation-triangle"
            ),
            ReturnResult.REFUSED: Label(_("Not returned"), "warning", "times-circle"),
        }
        known = ended.get(self.maintenance.return_result)
        return known or Label(_("Maintenance ended"), "default", "flag-checkered")

    @property
    def message(self) -> str:
        return labels.said(self.maintenance.message)

    @property
    def asked(self) -> str:
        return formats.zoned_time(self.maintenance.returning_since)

    @property
    def ended(self) -> str:
        return formats.zoned_time(self.maintenance.closed_at)

    @property
    def run_url(self) -> str:
        return reverse(f"{PANEL}:drain", args=[self.run.pk]) if self.run else ""


def return_state(actor: Actor, region: str, host: str, found: Certificate) -> ReturnState | None:
    """The return in progress, or the last one for as long as it is news."""
    maintenance = found.maintenance or services.host_maintenance(actor, region, host)
    if maintenance is None or maintenance.returning_since is None:
        return None
    if maintenance.closed_at and found.now - maintenance.closed_at > RETURN_SHOWN:
        return None
    return ReturnState(maintenance, services.return_run(actor, maintenance))


# -- the panel -------------------------------------------------------------------------------


class HostPanel:
    """What is shown of one host, from the database alone.

    :param on_drain: the number of the drain on whose page it is, where a drain in progress says
        enough of itself; None: on another page
    """

    def __init__(self, actor: Actor, region: str, host: str, *, on_drain: int | None = None):
        self.actor = actor
        self.region = region
        self.host = host
        self.found = services.certificate(actor, region, host)
        self.returning = return_state(actor, region, host, self.found)
        self.on_drain = on_drain

    @property
    def is_shown(self) -> bool:
        if self.on_drain is not None and self.found.open_drain:
            return False
        return self.found.maintenance is not None or self.returning is not None

    @cached_property
    def label(self) -> Label:
        return self.returning.label if self.returning else certificate_page.verdict(self.found)

    @property
    def why(self) -> str:
        return certificate_page.headline_why(self.found)

    @property
    def checks(self) -> list[Told]:
        return told(worth_saying(self.found.checks), self.above)

    @cached_property
    def above(self) -> frozenset[str]:
        """Who is in the list "Needs you" of the same page, as the checks call them."""
        drain = next((one for one in self.found.drains if one.pk == self.on_drain), None)
        if drain is None:
            return frozenset()
        listed = services.drain_report(self.actor, drain.pk).in_need[:NAMED]
        return frozenset(called(row.server_name, row.server_id) for _need, row in listed)

    @property
    def scope(self) -> str:
        """What a certificate is about and what it is not."""
        return labels.said(services.SCOPE)

    @property
    def withdrawn_why(self) -> str:
        return labels.said(self.found.withdrawn_why)

    @property
    def refused_return(self) -> str:
        """Why a return that was requested was given up; the maintenance continues."""
        maintenance = self.found.maintenance
        if maintenance is None or maintenance.return_result != ReturnResult.REFUSED:
            return ""
        return labels.said(maintenance.message) if not maintenance.returning_since else ""

    @property
    def safe_since(self) -> str:
        return formats.zoned_time(self.found.safe_since)

    @property
    def verified(self) -> str:
        return formats.zoned_time(self.found.verified_at)

    @property
    def withdrawn(self) -> str:
        return formats.zoned_time(self.found.withdrawn_at)

    @property
    def drains(self) -> list[tuple[Drain, str]]:
        return [(d, reverse(f"{PANEL}:drain", args=[d.pk])) for d in self.found.drains]

    @property
    def may_return(self) -> bool:
        maintenance = self.found.maintenance
        return (
            maintenance is not None
            and maintenance.returning_since is None
            and self.found.open_drain is None
            and self.actor.may(RULE_RETURN) is True
        )

    @property
    def may_see_allocations(self) -> bool:
        """Whether allocations keep the host from being safe, and this actor may remove some."""
        held = any(c.code == NO_ALLOCATIONS and not c.passed for c in self.found.checks)
        return held and self.actor.may(RULE_RESET) is True

    @property
    def token(self) -> str:
        """Changes when what is shown changes."""
        found = self.found
        maintenance = self.returning.maintenance if self.returning else found.maintenance
        run = self.returning.run if self.returning else None
        told = (
            maintenance.pk if maintenance else 0,
            maintenance.revision if maintenance else 0,
            found.verified_at,
            found.safe,
            found.why_not if not found.stale else "stale",
            found.open_drain.pk if found.open_drain else 0,
            (run.pk, run.state) if run else 0,
            sorted(self.above),
        )
        return digest(*told)

    @property
    def announcement(self) -> str:
        """What a screen reader is told when it changes."""
        return f"{self.host}: {self.label.text}." if self.is_shown else ""

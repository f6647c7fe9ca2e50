"""What the host and the destination of a drain must be like."""

from collections.abc import Iterable
from functools import cached_property

from .. import store
from ..cloud import Cloud
from ..core.actor import RULE_VIEW, Actor
from ..core.facts import Hypervisor, Service
from ..core.host import returning as h
from ..core.states import Direction
from ..exceptions import CloudError, Refused, UnknownHost
from ..preflight import DrainPlan
from ..store import Drain, HostMaintenance
from .access import require


def host_is_destination(host: str, drain: Drain) -> Refused:
    return Refused(
        f"Drain {drain.pk} of {drain.host}, requested by {drain.requested_by}, sends instances to"
        f" host {host}.",
        code="host_is_destination",
        remedy="Wait until that is over, or cancel it first.",
        field="host",
        drain_id=drain.pk,
    )


def destination_away(error: store.DestinationAway) -> Refused:
    if error.drain is None:
        return Refused(
            f"The destination {error.host} is in maintenance.",
            code="destination_in_maintenance",
            remedy="Return it to service first, choose another one, or leave the choice to the"
            " scheduler.",
            field="destination",
        )
    return Refused(
        f"The destination {error.host} is being drained itself.",
        code="destination_is_drained",
        remedy="Choose another one, or leave the choice to the scheduler.",
        field="destination",
        drain_id=error.drain.pk,
    )


def find_service(
    services: list[Service], host: str, region: str, cloud: Cloud | None = None
) -> Service:
    found = [s for s in services if s.host == host]
    if not found:
        known_as = RegionSight(region, cloud).also_known_as(host)
        raise UnknownHost(
            f"There is no compute host named {host!r} in region {region or '(default)'}.",
            code="unknown_host",
            remedy=f"{known_as}Host names are compared exactly; take the name from the list of"
            " hosts.",
            field="host",
        )
    return found[0]


class RegionSight:
    """What stands against drains of a region's hosts: read when it is first needed, and then once
    for all hosts that are checked with it."""

    def __init__(self, region: str, cloud: Cloud | None = None):
        self._region = region
        self._cloud = cloud

    @cached_property
    def standing(self) -> store.Standing:
        return store.standing(self._region)

    @cached_property
    def _hypervisors(self) -> list[Hypervisor]:
        """What cannot be read is not known."""
        try:
            return self._cloud.hypervisors() if self._cloud else []
        except CloudError:
            return []

    def also_known_as(self, host: str) -> str:
        """Whose hypervisor that of a host is that is down or not known, in a sentence, or empty:
        the service was renamed, or the hypervisor's name was taken for the host's."""
        found = h.same_machine(host, self._hypervisors)
        if found is None:
            return ""
        return (
            f"Its hypervisor {found.hypervisor_hostname} belongs to the service of host"
            f" {found.host}: drain that one. "
        )


def check_may_drain(service: Service, sight: RegionSight) -> None:
    """:param sight: shared by all hosts that are checked at once

    :raises Refused: the host cannot be drained now, with the reason
    """
    if not service.is_known:
        raise Refused(
            f"Nova does not reach the cell of host {service.host}, so its state is unknown.",
            code="host_unknown",
            remedy="Bring the cell back first.",
            field="host",
        )
    if not service.is_up:
        how = "was forced down" if service.forced_down else "is down"
        raise Refused(
            f"Host {service.host} {how}: live migration needs both hosts alive.",
            code="host_down",
            remedy=f"{sight.also_known_as(service.host)}Bring it back. Or, but only after it is"
            " certain that the machine is off (fenced), use evacuation (openstack server evacuate):"
            " while it still runs, a second copy of each guest would start on the same disk.",
            field="host",
        )
    standing = sight.standing
    if open_drain := standing.drains.get(service.host):
        raise drain_is_open(service.host, open_drain)
    maintenance = standing.maintenances.get(service.host)
    if maintenance and maintenance.returning_since:
        raise being_returned(maintenance)
    if sender := standing.senders.get(service.host):
        raise host_is_destination(service.host, sender)


def check_not_bare_metal(plan: DrainPlan) -> None:
    host = plan.service.host
    if host in plan.bare_metal:
        raise Refused(
            f"The instances of host {host} are bare metal nodes of Ironic's: Nova moves them in no"
            " way.",
            code="bare_metal",
            remedy="Take a node out of service in Ironic (openstack baremetal node maintenance"
            " set), after its owner has moved what runs on it.",
            field="host",
        )


def destination_is_bare_metal(host: str) -> Refused:
    return Refused(
        f"The nodes of the destination {host} are bare metal (Ironic): no instance can go there.",
        code="destination_bare_metal",
        remedy="Choose another one, or leave the choice to the scheduler.",
        field="destination",
    )


def being_returned(maintenance: HostMaintenance) -> Refused:
    return Refused(
        f"Host {maintenance.host} is being given back to service (asked for by"
        f" {maintenance.returned_by}).",
        code="host_returning",
        remedy="Wait until that is over, then drain it again.",
        field="host",
    )


def drain_is_open(host: str, drain: Drain | None) -> Refused:
    number = f" (drain {drain.pk}, asked for by {drain.requested_by})" if drain else ""
    if drain and drain.direction == Direction.BACK:
        return Refused(
            f"Instances are being brought back to host {host}{number}.",
            code="drain_open",
            remedy="Wait until that is over, or cancel it first.",
            field="host",
            drain_id=drain.pk,
        )
    return Refused(
        f"Host {host} is being drained already{number}.",
        code="drain_open",
        remedy="Watch that drain, or cancel it first.",
        field="host",
        drain_id=drain.pk if drain else None,
    )


def check_may_receive(services: list[Service], region: str, host: str, name: str) -> None:
    """Whether the instances of a host can be sent to another one, where one is named."""
    if not name:
        return
    try:
        store.check_destination(region, name)
    except store.DestinationAway as error:
        raise destination_away(error) from error
    if name == host:
        raise Refused(
            "The destination is the host that is to be drained.",
            code="destination_is_source",
            field="destination",
        )
    found = [s for s in services if s.host == name]
    if not found:
        raise Refused(
            f"There is no compute host named {name!r} to go to.",
            code="destination_unknown",
            remedy="Host names are compared exactly.",
            field="destination",
        )
    if not found[0].is_up:
        raise Refused(
            f"The destination {name} is down.", code="destination_down", field="destination"
        )
    if found[0].status != "enabled":
        why = f": {found[0].disabled_reason}" if found[0].disabled_reason else ""
        raise Refused(
            f"The destination {name} is disabled{why}.",
            code="destination_disabled",
            remedy="Choose another one, or leave the choice to the scheduler.",
            field="destination",
        )


def check_destination(actor: Actor, cloud: Cloud, hosts: Iterable[str], destination: str) -> None:
    """Whether the instances of all these hosts can be sent to one host, where one is named.

    :raises Refused: they cannot, with the reason
    """
    require(actor, RULE_VIEW)
    for host in hosts if destination else ():
        check_may_receive(cloud.services(destination), cloud.region, host, destination)

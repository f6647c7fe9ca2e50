"""What the host and the destination of a drain must be like."""

from collections.abc import Iterable
from functools import cached_property

from .. import store
from ..cloud import Cloud
from ..core.actor import RULE_VIEW, Actor
from ..core.facts import Hypervisor, Service
from ..core.host import returning as h
from ..core.message import Message, message
from ..core.states import Direction
from ..exceptions import CloudError, Refused, UnknownHost
from ..preflight import HostPreflight
from ..store import Drain, HostMaintenance
from .access import require

#: What stands for a region without a name.
DEFAULT_REGION = "(default)"


def host_is_destination(host: str, drain: Drain) -> Refused:
    return Refused(
        message(
            "host_is_destination",
            drain=drain.pk,
            source=drain.host,
            who=drain.requested_by,
            host=host,
        ),
        field="host",
        drain_id=drain.pk,
    )


def destination_away(error: store.DestinationAway) -> Refused:
    if error.drain is None:
        return Refused(message("destination_in_maintenance", host=error.host), field="destination")
    return Refused(
        message("destination_is_drained", host=error.host),
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
            message("unknown_host", host=host, region=region or DEFAULT_REGION, known_as=known_as),
            field="host",
        )
    return found[0]


class RegionSight:
    """What stands against drains of a region's hosts: read when it is first needed, and then once
    for all hosts that are checked with it."""

    def __init__(self, region: str, cloud: Cloud | None = None):
        self.region = region
        self._cloud = cloud

    @cached_property
    def standing(self) -> store.Standing:
        return store.standing(self.region)

    @cached_property
    def _hypervisors(self) -> list[Hypervisor]:
        """For a hint alone: the inventory will do, and what cannot be read is not known."""
        if known := store.inventory(self.region, store.now()):
            return known.all
        try:
            return self._cloud.hypervisors() if self._cloud else []
        except CloudError:
            return []

    def also_known_as(self, host: str) -> Message | None:
        """Whose hypervisor that of a host is that is down or not known, or None: the service was
        renamed, or the hypervisor's name was taken for the host's."""
        found = h.same_machine(host, self._hypervisors)
        if found is None:
            return None
        return message("drain_instead", hypervisor=found.hypervisor_hostname, host=found.host)


def check_may_drain(service: Service, sight: RegionSight) -> None:
    """:param sight: shared by all hosts that are checked at once

    :raises Refused: the host cannot be drained now, with the reason
    """
    if not service.is_known:
        raise Refused(message("host_unknown", host=service.host), field="host")
    if not service.is_up:
        known_as = sight.also_known_as(service.host)
        down = message("host_is_down", host=service.host, known_as=known_as)
        if service.forced_down:
            down = message("host_is_forced_down", host=service.host, known_as=known_as)
        raise Refused(down, code="host_down", field="host")
    standing = sight.standing
    if open_drain := standing.drains.get(service.host):
        raise drain_is_open(service.host, open_drain)
    maintenance = standing.maintenances.get(service.host)
    if maintenance and maintenance.returning_since:
        raise being_returned(maintenance)
    if sender := standing.senders.get(service.host):
        raise host_is_destination(service.host, sender)


def check_not_bare_metal(plan: HostPreflight) -> None:
    host = plan.service.host
    if host in plan.bare_metal:
        raise Refused(message("host_bare_metal", host=host), code="bare_metal", field="host")


def destination_is_bare_metal(host: str) -> Refused:
    return Refused(message("destination_bare_metal", host=host), field="destination")


def being_returned(maintenance: HostMaintenance) -> Refused:
    return Refused(
        message("host_returning", host=maintenance.host, who=maintenance.returned_by),
        field="host",
    )


def drain_is_open(host: str, drain: Drain | None) -> Refused:
    if drain is None:
        return Refused(message("drain_just_over", host=host), code="drain_open", field="host")
    said = message("drain_open", host=host, drain=drain.pk, who=drain.requested_by)
    if drain.direction == Direction.BACK:
        said = message("run_back_open", host=host, drain=drain.pk, who=drain.requested_by)
    return Refused(said, code="drain_open", field="host", drain_id=drain.pk)


def check_may_receive(services: list[Service], region: str, host: str, name: str) -> None:
    """Whether the instances of a host can be sent to another one, where one is named."""
    if not name:
        return
    try:
        store.check_destination(region, name)
    except store.DestinationAway as error:
        raise destination_away(error) from error
    if name == host:
        raise Refused(message("destination_is_source"), field="destination")
    found = [s for s in services if s.host == name]
    if not found:
        raise Refused(message("destination_unknown", host=name), field="destination")
    if not found[0].is_up:
        raise Refused(message("destination_down", host=name), field="destination")
    if found[0].status != "enabled":
        reason = found[0].disabled_reason
        said = message("destination_disabled_without_reason", host=name)
        if reason:
            said = message("destination_disabled", host=name, reason=reason)
        raise Refused(said, code="destination_disabled", field="destination")


def check_destination(actor: Actor, cloud: Cloud, hosts: Iterable[str], destination: str) -> None:
    """Whether the instances of all these hosts can be sent to one host, where one is named.

    :raises Refused: they cannot, with the reason
    """
    require(actor, RULE_VIEW)
    for host in hosts if destination else ():
        check_may_receive(cloud.services(destination), cloud.region, host, destination)

"""What would give room where it is missing: hosts that are kept from receiving, and overcommit."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..facts import Capacity, Inventory, Server, Service
from ..message import Message, message
from .judge import judge
from .needs import needs_of
from .surroundings import FULL, amounts, nearest_of
from .verdicts import Chosen, PlacementContext

#: hosts that are named, those that give most
NAMED = 5
#: what can be overcommitted
OVERCOMMITTED = frozenset({"MEMORY_MB", "VCPU", "DISK_GB"})
#: by how much a ratio is raised in what is said of it
STEP = 0.1


@dataclass(frozen=True)
class Short:
    """An instance for which there is no room.

    :param nearest: the host that comes nearest; empty where none comes into question
    :param missing: what is missing there, by resource class in Placement's units
    """

    server: Server
    chosen: Chosen
    nearest: str = ""
    missing: Mapping[str, int] | None = None

    @classmethod
    def alone(cls, server: Server, chosen: Chosen, around: PlacementContext) -> "Short":
        """One for which no host has room, all others left aside."""
        return cls(server, chosen, *nearest_of(server, around))


def kept_hosts(
    short: Sequence[Short],
    kept: Iterable[Service],
    in_maintenance: frozenset[str],
    around: PlacementContext,
) -> list[Message]:
    """The hosts that would have room for one of these at least, were they in service.

    :param kept: hosts that receive nothing now: disabled, down, or in maintenance
    :param in_maintenance: those of them that a drain keeps so
    """
    capacity = around.capacity or {}

    def gives(service: Service) -> bool:
        alone = replace(around, receivers={service.host: service.zone})
        found = service.host in capacity
        return found and any(judge(one.server, one.chosen, alone).leaves for one in short)

    def memory(service: Service) -> tuple[int, str]:
        return -capacity[service.host].free("MEMORY_MB"), service.host

    found = sorted(filter(gives, kept), key=memory)
    said = [
        _kept(service, service.host in in_maintenance, capacity[service.host])
        for service in found[:NAMED]
    ]
    if len(found) > NAMED:
        said.append(message("relief_more", count=len(found) - NAMED))
    return said


def _kept(service: Service, in_maintenance: bool, capacity: Capacity) -> Message:
    free = {name: max(0, capacity.free(name)) for name in ("MEMORY_MB", "VCPU")}
    values: dict[str, Any] = {"host": service.host, "gives": amounts(free)}
    is_empty = not any(capacity.used.values())
    if in_maintenance and not service.is_up:
        return message("relief_maintenance_down", **values)
    if not service.is_up:
        return message("relief_down", **values)
    if in_maintenance:
        return message("relief_maintenance_empty" if is_empty else "relief_maintenance", **values)
    values |= {"reason": service.disabled_reason or "-"}
    return message("relief_disabled_empty" if is_empty else "relief_disabled", **values)


def wanted_ratios(short: Iterable[Short], capacity: Mapping[str, Capacity]) -> dict[str, set[str]]:
    """Of which hosts the overcommit counts: the resource classes that are missing, by host, the
    host that most instances come nearest to first. For an instance that is larger than the machine
    it does not."""
    wanted: dict[str, list[str]] = {}
    for one in short:
        asks = needs_of(one.server).resources
        largest = capacity.get(one.nearest, FULL).largest
        for name in one.missing or ():
            fits = asks.get(name, 0) <= largest.get(name, math.inf)
            if one.nearest and name in OVERCOMMITTED and fits:
                wanted.setdefault(one.nearest, []).append(name)
    ordered = sorted(wanted.items(), key=lambda found: -len(found[1]))
    return {host: set(names) for host, names in ordered}


def overcommit(
    wanted: Mapping[str, set[str]], found: Mapping[str, Mapping[str, Inventory]]
) -> list[Message]:
    """What a higher allocation ratio would give on these hosts.

    :param found: what each host has, as far as it could be read
    """
    said = []
    for host, names in wanted.items():
        for name in sorted(names & found.get(host, {}).keys()):
            one = found[host][name]
            more = round((one.total - one.reserved) * STEP)
            if more > 0:
                values: dict[str, Any] = {"host": host, "ratio": f"{one.allocation_ratio:g}"}
                values |= {"gives": amounts({name: more})[0]}
                if name == "MEMORY_MB":
                    said.append(message("relief_memory_ratio", **values))
                elif name == "VCPU":
                    said.append(message("relief_vcpu_ratio", **values))
                else:
                    said.append(message("relief_disk_ratio", **values))
    return said

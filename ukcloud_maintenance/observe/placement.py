"""What stands around the instances of a drain: which hosts can receive, their room, zones and
aggregates, and where the members of server groups are."""

import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from .. import store
from ..cloud import Cloud
from ..core.facts import Capacity, Server, ServerGroup, Service
from ..core.preflight.needs import needs_of
from ..core.preflight.verdicts import PlacementContext
from ..exceptions import CloudError
from ..log import log_event
from ..store import Drain
from . import room

#: seconds for which what changes seldom is not read again
KEPT_SECONDS = 30.0
#: members of server groups that are looked up
MEMBERS = 100


class Surroundings:
    """Remembers of each region, for :data:`KEPT_SECONDS`, what changes seldom around the instances
    of a drain: services, server groups, aggregates. It saves requests, no more: Nova checks each
    host that it is asked for, and the room on it is read each time."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def read(self, cloud: Cloud, *, most: float = KEPT_SECONDS) -> dict[str, Any]:
        """Three requests, or none; what cannot be read is the error, and not remembered.

        :param most: what was read longer ago than so many seconds may be wrong
        """
        now = time.monotonic()
        at, found = self._kept.get(cloud.region, (-math.inf, {}))
        if now - at >= min(most, KEPT_SECONDS):
            found = _read_surroundings(cloud)
            if not any(isinstance(value, CloudError) for value in found.values()):
                self._kept[cloud.region] = now, found
        return found


def read_placement_context(
    cloud: Cloud, host: str, servers: Sequence[Server], leaving: frozenset[str], destination: str
) -> PlacementContext:
    """What stands around the servers of a drain that runs, for another look at those that it
    stands against: four requests, those of `Cloud.hypervisors` without an inventory, and one for
    each member of a hard server group on another host. What cannot be read is not known.

    :param leaving: ids of the servers that leave in this drain
    :param destination: the one host that all go to, or empty
    """
    found = _with_capacity(cloud, _read_surroundings(cloud))
    known = {name: value for name, value in found.items() if not isinstance(value, CloudError)}
    if "services" not in known:
        return PlacementContext()
    ironic = room.bare_metal(cloud, known.get("capacity"), ())
    others = [
        s for s in known["services"] if s.host != host and s.can_receive and s.host not in ironic
    ]
    able = receivers(others, store.draining_hosts(cloud.region), destination)
    return context(cloud, servers, able, leaving, known, ironic)


def read_placing(
    cloud: Cloud,
    drain: Drain,
    servers: Mapping[str, Server],
    wanted: Iterable[str],
    surroundings: Mapping[str, Any],
) -> PlacementContext:
    """What stands around the next instances, to choose hosts for them: one request, those of
    `Cloud.hypervisors` without an inventory, and one for each member of their groups on another
    host. It is all known, or nothing.

    Placement counts a migration in as soon as the scheduler has chosen its host. Those that were
    sent, and that it does not know yet, are counted in here: two requests for each host that some
    were sent to of which Nova has told nothing.

    :param servers: those on the drain's host, by id
    :param wanted: the ids of those that are next
    :param surroundings: see `Surroundings.read`
    """
    sent = store.sent_unseen(drain.region)
    found = _with_capacity(cloud, surroundings)
    for name, value in found.items():
        if isinstance(value, CloudError):
            log_event(logging.WARNING, f"no_{name}", drain=drain.pk, detail=value.said)
            return PlacementContext()
    found["capacity"] = with_sent(cloud, found["capacity"], sent, servers)
    away, capacity = store.away_hosts(drain.region), found["capacity"]
    able = [
        s
        for s in found["services"]
        if s.can_receive and s.host != drain.host and s.host not in away and s.host in capacity
    ]
    ironic = room.bare_metal(cloud, capacity, ())
    able = [s for s in able if s.host not in ironic]
    next_ones = [servers[server_id] for server_id in wanted]
    around = context(cloud, next_ones, able, frozenset(), found, ironic, soft=True)
    here = {s.id: s.host for s in servers.values()}
    # The members of a soft group are where they go; those of a hard one are for Nova where they are
    soft = {member for group in found["groups"] if group.is_soft for member in group.members}
    goes = {i: host for i, host in store.in_progress_to(drain.region).items() if i in soft}
    return replace(around, whereabouts={**around.whereabouts, **here, **goes})


def with_sent(
    cloud: Cloud,
    capacity: Mapping[str, Capacity],
    sent: Iterable[store.Sent],
    servers: Mapping[str, Server],
) -> dict[str, Capacity]:
    """The room that is left once those arrive that were sent.

    What is allocated on their hosts is read once more, consumer by consumer, as what Placement has
    learned of meanwhile must not count twice. Where that cannot be read, it does.

    :param servers: those of which is known what their flavors ask for, by id
    """
    found = dict(capacity)
    comers: dict[str, list[store.Sent]] = {}
    for one in sent:
        if one.host in found:
            comers.setdefault(one.host, []).append(one)
    reads = {
        host: partial(cloud.allocations_on, found[host].providers)
        for host in comers
        if found[host].providers
    }
    held = cloud.try_side_by_side(reads) if reads else {}
    for host, coming in comers.items():
        used, there = dict(found[host].used), set()
        allocations = held.get(host)
        if allocations is not None and not isinstance(allocations, CloudError):
            used = dict.fromkeys(used, 0)
            for allocation in allocations:
                there.add(allocation.consumer_id)
                _add(used, allocation.resources)
        for one in coming:
            if one.server_id not in there:
                server = servers.get(one.server_id)
                amounts = needs_of(server).at(found[host]) if server else one.amounts
                _add(used, amounts)
        found[host] = replace(found[host], used=used)
    return found


def _add(used: dict[str, int], amounts: Mapping[str, int]) -> None:
    for name, amount in amounts.items():
        used[name] = used.get(name, 0) + amount


def _read_surroundings(cloud: Cloud) -> dict[str, Any]:
    """What cannot be read is the error. Three requests."""
    return cloud.try_side_by_side(
        {
            "services": cloud.services,
            "groups": cloud.server_groups,
            "aggregates": cloud.aggregates,
        }
    )


def _with_capacity(cloud: Cloud, found: Mapping[str, Any]) -> dict[str, Any]:
    """With the room that there is, or the error. It comes after the services, as the inventory must
    know their hosts, see `room.read_capacity`."""
    services = found["services"]
    if isinstance(services, CloudError):
        return {**found, "capacity": services}
    known = store.inventory(cloud.region, store.now())
    read = partial(room.read_capacity, cloud, services, known)
    return {**found, **cloud.try_side_by_side({"capacity": read})}


def receivers(others: Iterable[Service], away: frozenset[str], destination: str) -> list[Service]:
    """The hosts that instances may go to: not drained themselves, and chosen if one is."""
    return [s for s in others if s.host not in away and destination in ("", s.host)]


def context(
    cloud: Cloud,
    servers: Iterable[Server],
    able: Iterable[Service],
    leaving: frozenset[str],
    found: Mapping[str, Any],
    bare_metal: frozenset[str],
    *,
    soft: bool = False,
) -> PlacementContext:
    """What was read, put together.

    :param soft: whether the members of soft groups are looked up as well
    """
    groups = found.get("groups")
    return PlacementContext(
        groups=tuple(groups) if groups is not None else None,
        whereabouts=_whereabouts(cloud, servers, groups or [], soft=soft),
        aggregates=tuple(found["aggregates"]) if "aggregates" in found else None,
        receivers={s.host: s.zone for s in able},
        capacity=found.get("capacity"),
        leaving=leaving,
        bare_metal=bare_metal,
    )


def _whereabouts(
    cloud: Cloud, servers: Iterable[Server], groups: Iterable[ServerGroup], *, soft: bool
) -> dict[str, str]:
    """The hosts of the members of the groups that instances of this drain are in.

    Of a hard group those on other hosts are looked up: one request each, `MEMBERS` at most.
    """
    here = {s.id: s.host for s in servers}
    touched = [g for g in groups if not here.keys().isdisjoint(g.members)]
    others = [m for g in touched if soft or not g.is_soft for m in g.members if m not in here]
    elsewhere = cloud.servers_by_id(others[:MEMBERS])
    return here | {s.id: s.host for s in elsewhere.values() if s.host}

"""What a drain of a host would do: read, judge every instance, pack them, and say how long.

Requests: the compute services and Nova's microversion side by side; then, side by side, the
host's servers, its unconfirmed migrations, the projects, server groups, aggregates, hypervisors
and Placement's candidates: ten in all, whatever the number of instances below 1,000 (the server
groups take two: the last page is an empty one). Where the worker keeps an inventory, the hypervisor
of the host stands for those of the region. Then one for each member that a hard server group
has on another host, `MEMBERS` at most, and one for each server that left the host unconfirmed.

Only the host's servers and its unconfirmed migrations must be readable. Whatever else cannot be
read is named in `unknown`, and the filters that need it are silent.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from . import settings, store
from .cloud import Cloud
from .cloud.wire import version_key
from .core.copying.duration import Duration, Learned, estimate, within_limits
from .core.facts import Capacity, Server, Service
from .core.message import Message, message, some
from .core.preflight.beside import Beside
from .core.preflight.board import Unplaced
from .core.preflight.judge import group_of, judge
from .core.preflight.packing import Packing, items_of, pack
from .core.preflight.surroundings import amounts
from .core.preflight.verdicts import Caution, Choice, Chosen, Kind, PlacementContext, Verdict
from .exceptions import CloudError, Refused
from .observe import room
from .observe.placement import context, receivers
from .observe.views import opt_out_names

MIB = 1024**2
#: what is read around the servers
PARTS = {
    "projects": message("part_projects"),
    "groups": message("part_groups"),
    "aggregates": message("part_aggregates"),
    "capacity": message("part_capacity"),
    "pinned_zones": message("part_pinned_zones"),
    "image_properties": message("part_image_properties"),
}
#: and the microversion from which on Nova tells it of servers
TOLD_SINCE = {"pinned_zones": "2.96", "image_properties": "2.98"}


@dataclass(frozen=True)
class PreflightChoices:
    """What an admin chose, as far as a plan looks different for it.

    :param choices: by server id: live, cold, stay or confirm
    :param move_locked: whether instances that are locked are moved
    :param max_concurrent: migrations at once, or None for the setting's
    :param destination: one host that all go to, or empty
    :param follow_estimate: whether Nova is asked to send each to its place in the estimate
    :param drained_too: other hosts that are to be drained with this one
    """

    choices: Mapping[str, str] = field(default_factory=dict)
    move_locked: bool = True
    max_concurrent: int | None = None
    destination: str = ""
    follow_estimate: bool = True
    drained_too: frozenset[str] = frozenset()


NO_CHOICES = PreflightChoices()


@dataclass(frozen=True)
class Planned:
    """One instance, and what a drain would do with it.

    :param chosen: what was chosen for it
    :param group: the id of its hard anti-affinity group, or empty
    :param planned_host: where the estimate would place it, or empty
    :param unplaced: why the estimate has no place for it, though it leaves; or None
    """

    server: Server
    verdict: Verdict
    project_name: str = ""
    chosen: Chosen = field(default_factory=Chosen)
    group: str = ""
    planned_host: str = ""
    unplaced: Unplaced | None = None

    @property
    def can_leave(self) -> bool:
        """Nothing that is known stands against it."""
        return self.verdict.leaves and self.unplaced is None


@dataclass(frozen=True)
class HostPreflight:
    """What a drain of a host would do, as of now.

    :param destinations: the other hosts that are up and enabled, in natural order of the caller
    :param receivers: those of them that are not being drained themselves
    :param packing: which instance would go where; None where room is not known
    :param duration: how long it may take; None where nothing is to be migrated
    :param unknown: why something could not be read, by its name in `PARTS`
    :param refusal: why the host cannot be drained now; set by a check alone
    :param follow_estimate: whether Nova is to be asked for the places, see `packing_is_asked_for`
    :param around: what was known when the instances were judged
    :param relief: what would give room where it is missing; said by a check alone
    :param kept_for: the hosts whose open drains are still to migrate instances, and how many of
        these the packing keeps room for
    """

    service: Service
    planned: list[Planned]
    destinations: list[Service]
    receivers: list[Service] = field(default_factory=list)
    capacity: Mapping[str, Capacity] | None = None
    packing: Packing | None = None
    duration: Duration | None = None
    unknown: Mapping[str, Message] = field(default_factory=dict)
    refusal: Refused | None = None
    follow_estimate: bool = True
    around: PlacementContext = field(default_factory=PlacementContext, repr=False, compare=False)
    relief: tuple[Message, ...] = ()
    kept_for: Mapping[str, int] = field(default_factory=dict)

    def if_chosen(self, planned: Planned, chosen: Chosen) -> Verdict:
        """What would be said of an instance if something else were chosen for it alone. Nothing
        is asked of OpenStack, and nothing is placed anew."""
        verdict = judge(planned.server, chosen, self.around)
        return _with_caution(verdict, planned.unplaced) if verdict.leaves else verdict

    @property
    def room_kept(self) -> Message | None:
        """That the packing keeps room for instances of other drains."""
        if not self.kept_for:
            return None
        count = sum(self.kept_for.values())
        return message("room_kept", count=count, hosts=some(sorted(self.kept_for)))

    @property
    def packing_is_asked_for(self) -> bool:
        """Whether the drain will ask Nova for such places, worked out anew for each instance; else
        the packing only shows that there are some. No host was named, and room is known."""
        return self.packing is not None and self.follow_estimate

    @property
    def bare_metal(self) -> frozenset[str]:
        """The hosts whose nodes are Ironic's, as far as known."""
        return self.around.bare_metal

    def of_kind(self, kind: Kind) -> list[Planned]:
        return [p for p in self.planned if p.verdict.kind is kind]

    @property
    def memory_bytes(self) -> int:
        """The memory of the instances that will be live-migrated."""
        return sum(p.server.memory_bytes for p in self.of_kind(Kind.LIVE))

    @property
    def moving(self) -> list[Planned]:
        """Those that leave and need room elsewhere. A server that has left already, and only
        waits for the confirmation, has its place."""
        return [p for p in self.planned if p.verdict.leaves and p.server.host == self.service.host]

    @property
    def needed_memory_bytes(self) -> int:
        return sum(p.server.memory_bytes for p in self.moving)

    @property
    def free_memory_bytes(self) -> int | None:
        """What the hosts that can receive have left by Placement, all together; None: not known."""
        if self.capacity is None:
            return None
        found = [self.capacity[s.host] for s in self.receivers if s.host in self.capacity]
        return sum(max(c.free("MEMORY_MB"), 0) for c in found) * MIB

    @property
    def full(self) -> list[str]:
        """The hosts that can receive, but have no memory left at all."""
        if self.capacity is None:
            return []
        return [s.host for s in self.receivers if s.host not in self.capacity]

    @property
    def everything_leaves(self) -> bool:
        """Whether the host would be empty at the end, as far as it can be known."""
        return all(p.can_leave for p in self.planned)


def make_plan(
    cloud: Cloud, service: Service, services: Iterable[Service], choices: PreflightChoices
) -> HostPreflight:
    """Read what is around, and judge.

    :raises CloudError: the host's servers or its unconfirmed migrations cannot be read
    """
    return make_plans(cloud, [(service, choices)], services)[0]


def make_plans(
    cloud: Cloud,
    wanted: Sequence[tuple[Service, PreflightChoices]],
    services: Iterable[Service],
) -> list[HostPreflight]:
    """What drains of several hosts would do, planned together: what one of them needs elsewhere,
    another one does not find free. Where they go to different destinations, each is placed by
    itself.

    :raises CloudError: the servers or the unconfirmed migrations of a host cannot be read
    """
    services = list(services)
    known = store.inventory(cloud.region, store.now())
    capacity = partial(room.read_capacity, cloud, services, known)
    servers_of, found, unknown = _read(cloud, [service.host for service, _ in wanted], capacity)
    unknown |= _not_told(cloud)
    hosts = {service.host for service, _ in wanted}
    bare_metal = room.bare_metal(cloud, found.get("capacity"), hosts)
    if known is not None:
        # what is drained, and what was chosen to receive, is not judged by the inventory
        named = hosts | {choices.destination for _, choices in wanted if choices.destination}
        bare_metal = room.bare_metal_now(cloud, named, known, bare_metal)
    others = [s for s in services if s.can_receive and s.host not in bare_metal]
    everybody = [s for servers in servers_of.values() for s in servers]
    chosen = {
        s.id: _chosen(s, choices) for service, choices in wanted for s in servers_of[service.host]
    }
    alone = PlacementContext(bare_metal=bare_metal)
    leaving = frozenset(s.id for s in everybody if judge(s, chosen[s.id], alone).leaves)
    names = found.get("projects", {})
    arounds: dict[str, PlacementContext] = {}
    plans = []
    # Read once for all hosts: a plan may have a hundred.
    draining, learned = store.draining_hosts(cloud.region), store.learned_rate(cloud.region)
    kept = store.away_hosts(cloud.region) | hosts
    beside = Beside(
        [one for one in store.waiting(cloud.region) if one.drained not in hosts],
        {s.host: s.zone for s in services},
        frozenset(s.host for s in others if s.host not in kept),
    )
    for service, choices in wanted:
        destinations = [s for s in others if s.host != service.host]
        away = draining | choices.drained_too | hosts
        able = receivers(destinations, away, choices.destination)
        around = arounds.get(choices.destination)
        if around is None:
            around = context(cloud, everybody, able, leaving, found, bare_metal)
            arounds[choices.destination] = around
        planned = [
            Planned(
                s,
                judge(s, chosen[s.id], around),
                names.get(s.project_id, ""),
                chosen[s.id],
                group_of(s, around),
            )
            for s in servers_of[service.host]
        ]
        follows = choices.follow_estimate and not choices.destination
        plan = HostPreflight(
            service,
            planned,
            destinations,
            able,
            found.get("capacity"),
            follow_estimate=follows,
        )
        duration = _duration(plan, choices, learned)
        plans.append(replace(plan, duration=duration, unknown=unknown, around=around))
    if len(arounds) > 1:
        return [_packed([plan], beside)[0] for plan in plans]
    return _packed(plans, beside)


def _read(
    cloud: Cloud, hosts: Sequence[str], capacity: Callable[[], Mapping[str, Capacity]]
) -> tuple[dict[str, list[Server]], dict[str, Any], dict[str, Message]]:
    """The servers of each host, what else could be read, and why the rest could not."""
    calls: dict[str, Any] = {
        "projects": cloud.project_names,
        "groups": cloud.server_groups,
        "aggregates": cloud.aggregates,
        "capacity": capacity,
    }
    found = cloud.try_side_by_side(
        calls
        | {f"servers of {host}": partial(cloud.servers_on, host) for host in hosts}
        | {f"unconfirmed from {host}": partial(cloud.unconfirmed_from, host) for host in hosts}
    )
    servers_of: dict[str, list[Server]] = {}
    for host in hosts:
        servers = found.pop(f"servers of {host}")
        unconfirmed = found.pop(f"unconfirmed from {host}")
        for needed in (servers, unconfirmed):
            if isinstance(needed, CloudError):
                raise needed
        here = {s.id for s in servers}
        waiting = {m.server_id for m in unconfirmed} - here
        left = cloud.servers_by_id(sorted(waiting)).values()
        servers_of[host] = servers + [
            s for s in left if s.status == "VERIFY_RESIZE" and s.host != host
        ]
    unknown = {name: error.cause for name, error in found.items() if isinstance(error, CloudError)}
    for name in unknown:
        del found[name]
    return servers_of, found, unknown


def _not_told(cloud: Cloud) -> dict[str, Message]:
    """What this Nova is too old to tell of servers, by its name in `PARTS`."""
    return {
        part: message("not_told", since=since, microversion=cloud.servers_at)
        for part, since in TOLD_SINCE.items()
        if version_key(cloud.servers_at) < version_key(since)
    }


def _chosen(server: Server, choices: PreflightChoices) -> Chosen:
    return Chosen(Choice(choices.choices.get(server.id, "")), choices.move_locked, opt_out_names())


def _duration(plan: HostPreflight, choices: PreflightChoices, learned: Learned) -> Duration | None:
    if not plan.moving:
        return None
    now = settings.current()
    at_once = within_limits(
        choices.max_concurrent or now.max_concurrent,
        now.max_in_region,
        now.max_per_destination,
        len(plan.receivers),
    )
    groups: dict[str, list[int]] = {}
    for one in plan.moving:
        if one.group:
            groups.setdefault(one.group, []).append(one.server.memory_bytes)
    sizes = [p.server.memory_bytes for p in plan.moving]
    return estimate(sizes, at_once, learned, groups.values())


def _packed(plans: list[HostPreflight], beside: Beside) -> list[HostPreflight]:
    """The same with a place for each instance, as far as there is one for all of them beside what
    other drains are still to migrate.

    A host that somebody enabled while it is in maintenance is left to the scheduler, if it comes
    to that: a drain sends nothing there by itself.
    """
    around = plans[0].around
    capacity = around.capacity
    if capacity is None:
        return plans
    able = {h: zone for h, zone in (around.receivers or {}).items() if h in beside.receiving}
    around = replace(around, receivers=able)
    hosts = [s.host for s in plans[0].receivers]
    moving = [p.server for plan in plans for p in plan.moving]
    if not moving:
        beside = replace(beside, waiting=())  # nobody asks for what is kept
    left, kept_for = beside.left_of(capacity, {s.id for s in moving})
    packing = pack(items_of(moving, around), left, around.whereabouts, hosts)
    fills = [replace(fill, used_before=capacity[fill.host].used) for fill in packing.hosts]
    packing = replace(packing, hosts=tuple(fills))
    unplaced = {one.id: one for one in packing.unplaced}
    return [
        replace(
            plan,
            packing=packing,
            kept_for=kept_for,
            planned=[
                replace(
                    p,
                    planned_host=packing.placed.get(p.server.id, ""),
                    unplaced=unplaced.get(p.server.id),
                    verdict=_with_caution(p.verdict, unplaced.get(p.server.id)),
                )
                for p in plan.planned
            ],
        )
        for plan in plans
    ]


def _with_caution(verdict: Verdict, unplaced: Unplaced | None) -> Verdict:
    """An instance that finds no place once the others have theirs. It is still tried: what
    Nova's scheduler makes of it may differ."""
    if unplaced is None:
        return verdict
    nearest, said = unplaced.nearest, message("no_place")
    if nearest:
        said = message("no_place_nearest", nearest=nearest, lacks=amounts(unplaced.missing))
    return replace(verdict, cautions=(*verdict.cautions, Caution("no_place", said)))

"""What is where, while places for instances are worked out."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush, heapreplace

from ..facts import Capacity, ServerGroup
from .needs import Needs
from .surroundings import allowed_by_group, lack

#: how many hosts the moves that even out may look at
EVEN = 40_000
#: what the hosts are kept even by
EVEN_BY = ("MEMORY_MB", "VCPU", "PCPU")
#: a share that counts as a difference
LEAST = 1e-9
#: how full a host is that has no room; one that is overcommitted in what is not asked for may have
NO_ROOM = math.inf
NOTHING: Mapping[str, int] = {}


@dataclass(frozen=True)
class Item:
    """One instance to be placed.

    :param hosts: where it may go, room and groups left aside
    :param group: its server group, or None
    """

    id: str
    needs: Needs
    hosts: tuple[str, ...]
    group: ServerGroup | None = None


@dataclass(frozen=True)
class Unplaced:
    """An instance for which there is no room once the others are placed.

    :param nearest: the host that comes nearest; empty where none comes into question
    :param missing: what is missing there, by resource class in Placement's units; empty where
        not the room is missing but the server group stands against it
    """

    id: str
    nearest: str = ""
    missing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class HostFill:
    """One host before and after.

    :param servers: ids of those that would come
    :param total: what may be allocated, by resource class in Placement's units
    """

    host: str
    servers: tuple[str, ...]
    total: Mapping[str, int]
    used_before: Mapping[str, int]
    used_after: Mapping[str, int]


class Board:
    """What is where, while it is worked out."""

    def __init__(
        self, items: list[Item], capacity: Mapping[str, Capacity], whereabouts: Mapping[str, str]
    ):
        self.capacity = capacity
        self.placed: dict[str, str] = {}
        self.used = {host: dict(found.used) for host, found in capacity.items()}
        #: what asks for the same is alike to every host
        self.kinds = {item.id: frozenset(item.needs.resources.items()) for item in items}
        #: how full each host would be with one of a kind, as long as it stays as it is
        self.known: dict[str, dict[object, float]] = {host: {} for host in capacity}
        #: members on each host that do not travel or have been placed, by group and host
        self.members: dict[str, dict[str, int]] = {}
        #: the hosts of all members as they are now, by group
        self.home: dict[str, set[str]] = {}
        travelling = {item.id for item in items}
        for group in {i.group.id: i.group for i in items if i.group}.values():
            places = {m: whereabouts[m] for m in group.members if m in whereabouts}
            self.home[group.id] = set(places.values())
            count = self.members[group.id] = {}
            for member, host in places.items():
                if member not in travelling:
                    count[host] = count.get(host, 0) + 1

    def place_all(self, items: Iterable[Item], *, tightly: bool) -> None:
        """Place each where it fits, if anywhere."""
        known: dict[object, list[tuple[float, str]]] = {}
        for item in items:
            if tightly or item.group:
                host = next(iter(self.fitting(item, tightly=tightly)), "")
            else:
                host = self._emptiest(item, known)
            if host:
                self.put(item, host)

    def _emptiest(self, item: Item, known: dict[object, list[tuple[float, str]]]) -> str:
        """The host that is emptiest with an item of no group, or empty.

        :param known: heaps of the hosts for items alike. Hosts grow fuller and never emptier
            meanwhile, so that what was found before is a lower bound.
        """
        alike = item.hosts, self.kinds[item.id]
        heap = known.get(alike)
        if heap is None:
            heap = [(self.fullness(item, h), h) for h in item.hosts if h in self.capacity]
            heapify(heap)
            known[alike] = heap
        while heap and heap[0][0] < NO_ROOM:
            before, host = heap[0]
            now = self.fullness(item, host)
            if now <= before:
                return host
            heapreplace(heap, (now, host))
        return ""

    def allowed(self, item: Item) -> list[str]:
        """The hosts on which its group allows it now."""
        hosts = [host for host in item.hosts if host in self.capacity]
        if item.group is None:
            return hosts
        key = item.group.id
        return allowed_by_group(item.group, hosts, self.members[key], self.home[key])

    def fitting(self, item: Item, *, tightly: bool = False) -> list[str]:
        """The hosts on which it fits now: the one that its soft group likes best first, and of
        those the one that is emptiest with it, or, tightly, fullest."""
        sign = -1 if tightly else 1
        found = [
            (self._disliked(item, host), sign * fullness, host)
            for host in self.allowed(item)
            if (fullness := self.fullness(item, host)) < NO_ROOM
        ]
        return [host for _, _, host in sorted(found)]

    def fits(self, item: Item) -> bool:
        """Whether it fits on any host now."""
        return any(self.fullness(item, host) < NO_ROOM for host in self.allowed(item))

    def _disliked(self, item: Item, host: str) -> int:
        """How little a soft group wants it there, by the members that are there already."""
        if item.group is None or not item.group.is_soft:
            return 0
        there = self.members[item.group.id].get(host, 0)
        return there if item.group.is_anti_affinity else -there

    def fullness(self, item: Item, host: str) -> float:
        """How full the host is with it, see `share`; `NO_ROOM` where it has none for it."""
        known, kind = self.known[host], self.kinds[item.id]
        full = known.get(kind)
        if full is None:
            full = known[kind] = self._fullness(item, host)
        return full

    def _fullness(self, item: Item, host: str) -> float:
        found, used = self.capacity[host], self.used[host]
        wanted = item.needs.at(found)
        for name, amount in wanted.items():
            if used.get(name, 0) + amount > found.total.get(name, 0):
                return NO_ROOM
            if amount > found.largest.get(name, amount):
                return NO_ROOM
        return self.share(host, wanted)

    def share(self, host: str, more: Mapping[str, int] = NOTHING) -> float:
        """The highest of its shares of memory and of processors, 0 to 1, or above where it is
        overcommitted."""
        total, used = self.capacity[host].total, self.used[host]
        return max(
            [
                (used.get(name, 0) + more.get(name, 0)) / total[name]
                for name in EVEN_BY
                if total.get(name)
            ],
            default=0.0,
        )

    def even_out(self, items: Iterable[Item]) -> None:
        """Move what makes the fuller of two hosts less full, of the fullest host first, until
        nothing does. Each move lowers the higher share of the two, so that it ends; a bound cuts
        it short."""
        taken: dict[str, list[Item]] = {}
        for item in items:
            if item.id in self.placed:
                taken.setdefault(self.placed[item.id], []).append(item)
        looks = EVEN
        # The fullest first, of several the last by name; what no longer is so is passed over.
        by_name = {host: -place for place, host in enumerate(sorted(self.capacity))}
        fullest_first = [(-self.share(host), by_name[host], host) for host in taken]
        heapify(fullest_first)
        stuck: list[tuple[float, int, str]] = []
        while looks > 0 and fullest_first:
            entry = heappop(fullest_first)
            fullest = entry[2]
            if not taken.get(fullest) or -entry[0] != self.share(fullest):
                continue
            lowest, move = self.share(fullest) - LEAST, None
            for item in sorted(taken[fullest], key=lambda one: one.id):
                looks -= 1
                if item.group and item.group.is_soft:
                    continue
                self.take_back(item)
                left = self.share(fullest)
                if left < lowest:
                    for host in sorted(self.allowed(item)):
                        looks -= 1
                        higher = max(left, self.fullness(item, host))
                        if host != fullest and higher < lowest:
                            lowest, move = higher, (item, host)
                self.put(item, fullest)
            if move is None:
                stuck.append(entry)
                continue
            item, host = move
            self.take_back(item)
            self.put(item, host)
            taken[fullest].remove(item)
            taken.setdefault(host, []).append(item)
            for changed in (fullest, host):
                heappush(fullest_first, (-self.share(changed), by_name[changed], changed))
            for entry in stuck:
                heappush(fullest_first, entry)
            stuck.clear()

    def put(self, item: Item, host: str) -> None:
        self.placed[item.id] = host
        self._book(item, host, 1)

    def take_back(self, item: Item) -> None:
        self._book(item, self.placed.pop(item.id), -1)

    def _book(self, item: Item, host: str, sign: int) -> None:
        used = self.used[host]
        for name, amount in item.needs.at(self.capacity[host]).items():
            used[name] = used.get(name, 0) + sign * amount
        self.known[host] = {}
        if item.group:
            count = self.members[item.group.id]
            count[host] = count.get(host, 0) + sign

    def why_not(self, items: Iterable[Item]) -> Iterator[Unplaced]:
        """What instances that were not placed lack on the hosts that come nearest."""
        left = {h: replace(found, used=self.used[h]) for h, found in self.capacity.items()}
        known: dict[object, Unplaced] = {}
        for item in items:
            alike = item.hosts, self.kinds[item.id], item.group.id if item.group else ""
            if alike not in known:
                known[alike] = self._why_not(item, left)
            yield replace(known[alike], id=item.id)

    def _why_not(self, item: Item, left: Mapping[str, Capacity]) -> Unplaced:
        short = {host: item.needs.missing(left[host]) for host in self.allowed(item)}
        if not short:
            return Unplaced(item.id)
        nearest = min(short, key=lambda host: (lack(item.needs.resources, short[host]), host))
        return Unplaced(item.id, nearest, short[nearest])

    def fill(self, host: str) -> HostFill:
        found = self.capacity[host]
        come = tuple(server for server, where in self.placed.items() if where == host)
        return HostFill(host, come, found.total, found.used, self.used[host])

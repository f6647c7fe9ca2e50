"""Where the instances of a drain go so that all fit, and the hosts stay even.

Largest first, each to the host that is emptiest with it, by the higher of its shares of memory
and of processors. Where not all fit that way, they are placed again, each on the host that is
fullest with it, which leaves larger gaps for others. Where that does not help either, other
arrangements are searched, for a bounded time; a search that ended has proved that there is none.
At last whatever makes the fullest host less full is moved.

An estimate shows it, and a drain asks Nova for it, unless the choice is left to the scheduler.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from heapq import heapify, heapreplace

from ..facts import Capacity, Server, ServerGroup
from .needs import Needs, needs_of
from .surroundings import FULL, allowed_by_group, lack, suitable
from .verdicts import PlacementContext

#: how many hosts the search may look at, over all instances; some 0.2 s
SEARCH = 40_000
#: … and how many the moves that even out
EVEN = 40_000
#: what the hosts are kept even by
EVEN_BY = ("MEMORY_MB", "VCPU", "PCPU")
#: a share that counts as a difference
LEAST = 1e-9
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


@dataclass(frozen=True)
class Packing:
    """Which instance would go where.

    :param placed: host by server id
    :param unplaced: those for which there is no room in this arrangement
    :param hosts: before and after
    :param proved: False where the search for an arrangement of all was given up
    """

    placed: Mapping[str, str]
    unplaced: tuple[Unplaced, ...]
    hosts: tuple[HostFill, ...]
    proved: bool = True

    @property
    def fits(self) -> bool:
        return not self.unplaced


def items_of(servers: Iterable[Server], around: PlacementContext) -> list[Item]:
    """The instances of a drain as they are to be placed."""
    return [Item(s.id, needs_of(s), _hosts_for(s, around), around.group(s)) for s in servers]


def _hosts_for(server: Server, around: PlacementContext) -> tuple[str, ...]:
    """The hosts that come into question; where Nova does not tell whether it is pinned to its
    zone (before 2.96), those of its zone, if there are any."""
    hosts = suitable(server, around)
    if server.pinned_zone is None and server.zone:
        zones = around.receivers or {}
        hosts = [host for host in hosts if zones.get(host) == server.zone] or hosts
    return tuple(hosts)


def pack(
    items: Iterable[Item],
    capacity: Mapping[str, Capacity],
    whereabouts: Mapping[str, str] | None = None,
    hosts: Iterable[str] | None = None,
) -> Packing:
    """Place every item.

    :param capacity: of the hosts, as they are now
    :param whereabouts: host by server id, of members of server groups; items leave theirs
    :param hosts: the hosts to report on; by default those that an item may go to
    """
    wanted = list(items)
    sizes = _sizes(wanted, capacity)
    ordered = sorted(wanted, key=lambda item: (sizes[item.id], item.id), reverse=True)
    shown = list(hosts) if hosts is not None else sorted({h for i in wanted for h in i.hosts})

    def board() -> _Board:
        return _Board(ordered, capacity, whereabouts or {})

    tries = [board()]
    proved = True
    tries[0].place_all(ordered, tightly=False)
    if len(tries[0].placed) < len(ordered):
        tries.append(board())
        tries[1].place_all(ordered, tightly=True)
    best = max(tries, key=lambda tried: len(tried.placed))
    if len(best.placed) < len(ordered):
        # Those with the fewest hosts to choose from first: a search that fails, fails early.
        search = _Search(board(), sorted(ordered, key=lambda item: len(item.hosts)))
        if search.found:
            best = search.board
        proved = search.ended
    best.even_out(ordered)
    # which may have made room for one
    best.place_all([item for item in ordered if item.id not in best.placed], tightly=False)
    return Packing(
        dict(best.placed),
        tuple(best.why_not(item) for item in ordered if item.id not in best.placed),
        tuple(best.fill(host) for host in shown if host in capacity),
        proved,
    )


def _sizes(items: Iterable[Item], capacity: Mapping[str, Capacity]) -> dict[str, float]:
    """Of each item the largest share that it takes of any resource of all hosts that it may go
    to."""
    totals_of: dict[tuple[str, ...], dict[str, int]] = {}
    found = {}
    for item in items:
        totals = totals_of.get(item.hosts)
        if totals is None:
            totals = totals_of[item.hosts] = {}
            for host in item.hosts:
                for name, amount in capacity.get(host, FULL).total.items():
                    totals[name] = totals.get(name, 0) + amount
        wanted = item.needs.resources.items()
        found[item.id] = max(
            (n / totals[name] for name, n in wanted if totals.get(name)), default=0
        )
    return found


class _Board:
    """What is where, while it is worked out."""

    def __init__(
        self, items: list[Item], capacity: Mapping[str, Capacity], whereabouts: Mapping[str, str]
    ):
        self.capacity = capacity
        self.placed: dict[str, str] = {}
        self.used = {host: dict(found.used) for host, found in capacity.items()}
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
        alike = item.hosts, frozenset(item.needs.resources.items())
        heap = known.get(alike)
        if heap is None:
            heap = [(self.fullness(item, h), h) for h in item.hosts if h in self.capacity]
            heapify(heap)
            known[alike] = heap
        while heap and heap[0][0] <= 1:
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
            if (fullness := self.fullness(item, host)) <= 1
        ]
        return [host for _, _, host in sorted(found)]

    def _disliked(self, item: Item, host: str) -> int:
        """How little a soft group wants it there, by the members that are there already."""
        if item.group is None or not item.group.is_soft:
            return 0
        there = self.members[item.group.id].get(host, 0)
        return there if item.group.is_anti_affinity else -there

    def fullness(self, item: Item, host: str) -> float:
        """How full the host is with it, see `share`; above 1 where it has no room."""
        found, used = self.capacity[host], self.used[host]
        wanted = item.needs.at(found)
        for name, amount in wanted.items():
            if used.get(name, 0) + amount > found.total.get(name, 0):
                return 2.0
            if amount > found.largest.get(name, amount):
                return 2.0
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
        stuck: set[str] = set()
        while looks > 0 and taken.keys() - stuck:
            fullest = max(taken.keys() - stuck, key=lambda host: (self.share(host), host))
            lowest, move = self.share(fullest) - LEAST, None
            for item in sorted(taken[fullest], key=lambda one: one.id):
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
                stuck.add(fullest)
                continue
            stuck.clear()
            item, host = move
            self.take_back(item)
            self.put(item, host)
            taken[fullest].remove(item)
            taken.setdefault(host, []).append(item)
            if not taken[fullest]:
                del taken[fullest]

    def put(self, item: Item, host: str) -> None:
        self.placed[item.id] = host
        self._book(item, host, 1)

    def take_back(self, item: Item) -> None:
        self._book(item, self.placed.pop(item.id), -1)

    def _book(self, item: Item, host: str, sign: int) -> None:
        used = self.used[host]
        for name, amount in item.needs.at(self.capacity[host]).items():
            used[name] = used.get(name, 0) + sign * amount
        if item.group:
            count = self.members[item.group.id]
            count[host] = count.get(host, 0) + sign

    def why_not(self, item: Item) -> Unplaced:
        """What an instance that was not placed lacks on the host that comes nearest."""
        short = {
            host: item.needs.missing(replace(self.capacity[host], used=self.used[host]))
            for host in self.allowed(item)
        }
        if not short:
            return Unplaced(item.id)
        nearest = min(short, key=lambda host: (lack(item.needs.resources, short[host]), host))
        return Unplaced(item.id, nearest, short[nearest])

    def fill(self, host: str) -> HostFill:
        found = self.capacity[host]
        come = tuple(server for server, where in self.placed.items() if where == host)
        return HostFill(host, come, found.total, found.used, self.used[host])


class _Search:
    """Try arrangement after arrangement until all are placed, none is left, or it takes too long.

    :param found: the board holds an arrangement of all
    :param ended: False where it was given up
    """

    def __init__(self, board: _Board, items: list[Item]):
        self.board = board
        self.items = items
        self.looks = SEARCH
        #: what does not change: who may come, and which groups are at home there
        self.open_to = {
            host: (
                frozenset(item.id for item in items if host in item.hosts),
                frozenset(group for group, homes in board.home.items() if host in homes),
            )
            for host in board.capacity
        }
        self.found = self._from(0)
        self.ended = self.looks > 0

    def _from(self, index: int) -> bool:
        if index == len(self.items):
            return True
        item = self.items[index]
        seen = set()
        for host in self._candidates(item):
            same = self._alike(host)
            if same in seen:
                continue  # a host like one that led nowhere
            seen.add(same)
            self.board.put(item, host)
            if self._from(index + 1):
                return True
            self.board.take_back(item)
            if self.looks <= 0:
                return False
        return False

    def _candidates(self, item: Item) -> Iterator[str]:
        self.looks -= len(item.hosts)
        # tightly: what is left of an emptier host may hold one that is still to come
        return iter(self.board.fitting(item, tightly=True))

    def _alike(self, host: str) -> object:
        """Equal for hosts that are the same to every instance that is still to be placed."""
        board = self.board
        found = board.capacity[host]
        groups = frozenset((g, count.get(host, 0)) for g, count in board.members.items())
        free = frozenset(
            (n, total - board.used[host].get(n, 0)) for n, total in found.total.items()
        )
        return self.open_to[host], groups, free, frozenset(found.largest.items())

"""Do all instances of a drain fit on the other hosts together? An estimate, not a promise.

Largest first, each to the host that is emptiest with it, as Nova's scheduler spreads by default.
Where not all fit that way, they are placed again, each on the host that is fullest with it, which
leaves larger gaps for others. Where that does not help either, other arrangements are searched,
for a bounded time; a search that ended has proved that there is none.

Nova's scheduler chooses for itself unless it is told otherwise, so the picture shows that there
is an arrangement, not which one there will be.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..facts import Capacity, Server, ServerGroup
from .needs import Needs, needs_of
from .surroundings import FULL, allowed_by_group, lack, suitable
from .verdicts import PlacementContext

#: how many hosts the search may look at, over all instances; some 0.2 s
SEARCH = 40_000


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
    return [Item(s.id, needs_of(s), tuple(suitable(s, around)), around.group(s)) for s in servers]


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
    ordered = sorted(wanted, key=lambda item: _size(item, capacity), reverse=True)
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
    return Packing(
        dict(best.placed),
        tuple(best.why_not(item) for item in ordered if item.id not in best.placed),
        tuple(best.fill(host) for host in shown if host in capacity),
        proved,
    )


def _size(item: Item, capacity: Mapping[str, Capacity]) -> tuple[float, str]:
    """The largest share that it takes of any resource of all hosts that it may go to."""
    totals: dict[str, int] = {}
    for host in item.hosts:
        for name, amount in capacity.get(host, FULL).total.items():
            totals[name] = totals.get(name, 0) + amount
    wanted = item.needs.resources.items()
    return max((n / totals[name] for name, n in wanted if totals.get(name)), default=0), item.id


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
        for item in items:
            fitting = self.fitting(item)
            if fitting:
                self.put(item, fitting[-1 if tightly else 0])

    def allowed(self, item: Item) -> list[str]:
        """The hosts on which its group allows it now."""
        hosts = [host for host in item.hosts if host in self.capacity]
        if item.group is None:
            return hosts
        key = item.group.id
        return allowed_by_group(item.group, hosts, self.members[key], self.home[key])

    def fitting(self, item: Item) -> list[str]:
        """The hosts on which it fits now, the one that is emptiest with it first."""
        found = [
            (fullness, host)
            for host in self.allowed(item)
            if (fullness := self.fullness(item, host)) <= 1
        ]
        return [host for _, host in sorted(found)]

    def fullness(self, item: Item, host: str) -> float:
        """How full the host is with it, by its scarcest resource; above 1 where it has no room."""
        found, used = self.capacity[host], self.used[host]
        fullest = 0.0
        for name, amount in item.needs.at(found).items():
            total, taken = found.total.get(name, 0), used.get(name, 0) + amount
            if taken > total:
                return 2.0
            fullest = max(fullest, taken / total)
        return fullest

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
            host: item.needs.missing(Capacity(self.capacity[host].total, self.used[host]))
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
        return reversed(self.board.fitting(item))

    def _alike(self, host: str) -> object:
        """Equal for hosts that are the same to every instance that is still to be placed."""
        board = self.board
        found = board.capacity[host]
        groups = frozenset((g, count.get(host, 0)) for g, count in board.members.items())
        free = frozenset(
            (n, total - board.used[host].get(n, 0)) for n, total in found.total.items()
        )
        return self.open_to[host], groups, free

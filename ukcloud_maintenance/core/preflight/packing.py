"""Where the instances of a drain go so that all fit, and the hosts stay even.

Largest first, each to the host that is emptiest with it, by the higher of its shares of memory
and of processors. Where not all fit that way, they are placed again, each on the host that is
fullest with it, which leaves larger gaps for others. Where that does not help either, other
arrangements are searched, for a bounded time; a search that ended has proved that there is none.
At last whatever makes the fullest host less full is moved.

An estimate shows it, and a drain asks Nova for it, unless the choice is left to the scheduler.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..facts import Capacity, Server
from .board import Board, HostFill, Item, Unplaced
from .needs import needs_of
from .surroundings import FULL, suitable
from .verdicts import PlacementContext

#: how many hosts the search may look at, over all instances; some 0.2 s
SEARCH = 40_000


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

    def board() -> Board:
        return Board(ordered, capacity, whereabouts or {})

    tries = [board()]
    proved = True
    tries[0].place_all(ordered, tightly=False)
    if len(tries[0].placed) < len(ordered):
        tries.append(board())
        tries[1].place_all(ordered, tightly=True)
    best = max(tries, key=lambda tried: len(tried.placed))
    if len(best.placed) < len(ordered):
        # One that fits nowhere even by itself is no reason to give up the others.
        alone = board()
        possible = [item for item in ordered if alone.fits(item)]
    else:
        possible = ordered
    if len(best.placed) < len(possible):
        # Those with the fewest hosts to choose from first: a search that fails, fails early.
        search = _Search(board(), sorted(possible, key=lambda item: len(item.hosts)))
        if search.found:
            best = search.board
        proved = search.ended
    best.even_out(ordered)
    # which may have made room for one
    best.place_all([item for item in ordered if item.id not in best.placed], tightly=False)
    return Packing(
        dict(best.placed),
        tuple(best.why_not(item for item in ordered if item.id not in best.placed)),
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


class _Search:
    """Try arrangement after arrangement until all are placed, none is left, or it takes too long.

    :param found: the board holds an arrangement of all
    :param ended: False where it was given up
    """

    def __init__(self, board: Board, items: list[Item]):
        self.board = board
        self.items = items
        self.looks = SEARCH
        #: what does not change: who may come, and which groups are at home there
        may_come: dict[str, set[int]] = {host: set() for host in board.capacity}
        for number, hosts in enumerate({item.hosts for item in items}):
            for host in may_come.keys() & hosts:
                may_come[host].add(number)
        self.open_to = {
            host: (
                frozenset(numbers),
                frozenset(group for group, homes in board.home.items() if host in homes),
            )
            for host, numbers in may_come.items()
        }
        self.found = self._all_are_placed()
        self.ended = self.found or self.looks > 0

    def _all_are_placed(self) -> bool:
        """Not by recursion: there may be thousands of instances."""
        untried: list[Iterator[str]] = []  # of each that is placed, and of the one that is next
        while len(untried) < len(self.items):
            untried.append(self._candidates(self.items[len(untried)]))
            while not (host := next(untried[-1], "")):
                untried.pop()
                if not untried or self.looks <= 0:
                    return False
                self.board.take_back(self.items[len(untried) - 1])
            self.board.put(self.items[len(untried) - 1], host)
        return True

    def _candidates(self, item: Item) -> Iterator[str]:
        """The hosts on which it fits, of those that are alike one."""
        self.looks -= len(item.hosts)
        seen = set()
        # tightly: what is left of an emptier host may hold one that is still to come
        for host in self.board.fitting(item, tightly=True):
            same = self._alike(host)
            if same not in seen:
                seen.add(same)
                yield host

    def _alike(self, host: str) -> object:
        """Equal for hosts that are the same to every instance that is still to be placed."""
        board = self.board
        found = board.capacity[host]
        groups = frozenset((g, count.get(host, 0)) for g, count in board.members.items())
        free = frozenset(
            (n, total - board.used[host].get(n, 0)) for n, total in found.total.items()
        )
        return self.open_to[host], groups, free, frozenset(found.largest.items())

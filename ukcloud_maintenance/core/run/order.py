"""In which order the hosts of a run are rolled, and how many moves that takes.

An instance of a host that is drained goes to a host that was patched already, as far as there is
room, and need not move again. Where there is none it goes to one that is still to come, and moves
a second time with that one. Each instance of the run moves once at least, in any order: that is
`at_least`; nobody says that it can be reached.

**Why greedy.** To find the best order is a packing problem within each step of a search over all
orders: for twenty hosts already beyond reach. What matters is simple, though: room on patched
hosts. An empty host gives its own for nothing, so those come first. Then whoever leaves the fewest
instances without room on a patched host, which is nobody as soon as a few hosts are patched; of
several, the one that gives more room than its instances take. The first ones decide, and there
every host is looked at; later the first that fits is taken. What this finds is compared with the
simple orders, and the best one is taken, so it is never worse than those.

The estimate knows memory, processors and zones, and none of the rest that the scheduler goes by;
it does not bring instances back to where they came from, which doubles the moves.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..backports import StrEnum

#: How many times the search for few moves may ask whether an instance fits on a host; about 1 s.
SEARCH = 1_000_000


class Order(StrEnum):
    """How the hosts of a run are ordered."""

    BY_HAND = "by_hand"  # as they are given
    FEWEST = "fewest"  # fewest instances first, then by name
    FEW_MOVES = "few_moves"  # so that few instances move twice


@dataclass(frozen=True)
class Load:
    """What one instance needs.

    :param memory: bytes
    :param vcpus: as Placement counts them
    """

    memory: int
    vcpus: int = 0


@dataclass(frozen=True)
class Host:
    """A host, now.

    :param name: service.host
    :param instances: what each of its instances needs
    :param free_memory: bytes that may still be allocated, overcommit included; may be negative
    :param free_vcpus: the same in vCPUs
    :param zone: instances stay within their availability zone
    """

    name: str
    instances: tuple[Load, ...] = ()
    free_memory: int = 0
    free_vcpus: int = 0
    zone: str = ""


@dataclass(frozen=True)
class Rolling:
    """An order, and what it takes.

    :param hosts: names, the first to be drained first
    :param moves: how many moves it takes, `no_room` included
    :param at_least: how many any order takes at least: one of each instance
    :param no_room: of these moves, those for which there is no room anywhere at their time, so
        that the host cannot be emptied before somebody makes room
    """

    hosts: tuple[str, ...]
    moves: int
    at_least: int
    no_room: int


def roll(
    order: Order, hosts: Sequence[Host], others: Sequence[Host] = (), at_once: int = 1
) -> Rolling:
    """The hosts in an order, each once.

    :param hosts: those of the run that are still to be rolled, in the order of the hand
    :param others: those that receive instances and are not rolled: patched ones of this run and
        hosts that are none of it
    :param at_once: how many are out at a time
    :raises ValueError: a name twice, or `at_once` below 1
    """
    names = [host.name for host in (*hosts, *others)]
    if at_once < 1 or len(names) != len(set(names)):
        raise ValueError(f"{at_once=},{names=}")
    if order == Order.BY_HAND:
        return _estimate(hosts, others, at_once)
    fewest = sorted(hosts, key=_by_instances)
    if order == Order.FEWEST:
        return _estimate(fewest, others, at_once)
    by_name = sorted(hosts, key=lambda host: natural_key(host.name))
    tried = (_greedy(hosts, others, at_once), fewest, by_name, hosts)
    found = [_estimate(one, others, at_once) for one in tried]
    return min(found, key=lambda rolling: (rolling.no_room, rolling.moves))


def natural_key(text: str) -> tuple[list[str | tuple[int, str]], str]:
    """A sort key that puts cmp2 before cmp10, and tells names apart that differ in case only."""
    parts: list[str | tuple[int, str]] = []
    for place, part in enumerate(re.split(r"([0-9]+)", text.casefold())):
        digits = part.lstrip("0")
        # A number by its length and digits: Python makes no `int` of thousands of digits.
        parts.append((len(digits), digits) if place % 2 else part)
    return parts, text


def _by_instances(host: Host) -> tuple[int, object]:
    return len(host.instances), natural_key(host.name)


class _Room:
    """A host while the run is imagined: what is on it, and what is free."""

    def __init__(self, host: Host):
        self.name = host.name
        self.by_name = natural_key(host.name)
        self.zone = host.zone
        self.loads = list(host.instances)
        self.memory = host.free_memory
        self.vcpus = host.free_vcpus

    def has_room(self, load: Load) -> bool:
        return load.memory <= self.memory and load.vcpus <= self.vcpus

    def add(self, load: Load) -> None:
        self.loads.append(load)
        self.memory -= load.memory
        self.vcpus -= load.vcpus

    def clear(self, staying: Iterable[Load]) -> None:
        """All leave but these."""
        self.memory += sum(load.memory for load in self.loads)
        self.vcpus += sum(load.vcpus for load in self.loads)
        self.loads = []
        for load in staying:
            self.add(load)


class _Region:
    """A region while a run is imagined: who is patched, who is out, who is still to come."""

    def __init__(self, hosts: Iterable[Host], others: Iterable[Host], at_once: int):
        self.to_come = {host.name: _Room(host) for host in hosts}
        #: destinations by zone, the best first: the one that was patched last
        self.patched: dict[str, list[_Room]] = {}
        self.out: list[_Room] = []
        self.at_once = at_once
        self.moves = 0
        self.no_room = 0
        self.asked = 0
        for host in others:
            self.patched.setdefault(host.zone, []).append(_Room(host))

    def begin_next(self) -> None:
        """The first of those that are out is back where no more may be out."""
        while len(self.out) >= self.at_once:
            back = self.out.pop(0)
            self.patched.setdefault(back.zone, []).insert(0, back)

    def place(self, name: str) -> tuple[list[tuple[Load, _Room]], list[Load]]:
        """Which instances of a host go to which patched hosts, and which find no room there.
        Nothing is changed."""
        source = self.to_come[name]
        least = Load(
            min((load.memory for load in source.loads), default=0),
            min((load.vcpus for load in source.loads), default=0),
        )
        patched = self.patched.get(source.zone, [])
        rooms = [room for room in patched if room.has_room(least)]
        free = [[room.memory, room.vcpus] for room in rooms]
        self.asked += len(patched)
        placed: list[tuple[Load, _Room]] = []
        left: list[Load] = []
        for load in _largest_first(source.loads):
            if left and load == left[-1]:  # the same again
                left.append(load)
                continue
            for room, amounts in zip(rooms, free, strict=True):
                self.asked += 1
                if load.memory <= amounts[0] and load.vcpus <= amounts[1]:
                    amounts[0] -= load.memory
                    amounts[1] -= load.vcpus
                    placed.append((load, room))
                    break
            else:
                left.append(load)
        return placed, left

    def drain(self, name: str, later: Sequence[str]) -> None:
        """A host is drained and patched.

        :param later: those that are still to come, the best destination first
        """
        placed, left = self.place(name)
        source = self.to_come.pop(name)
        self.moves += len(source.loads)
        for load, room in placed:
            room.add(load)
        staying = []
        for load in left:
            for other in later:
                room = self.to_come[other]
                if room.zone == source.zone and room.has_room(load):
                    room.add(load)
                    break
            else:
                staying.append(load)
        self.no_room += len(staying)
        source.clear(staying)
        self.out.append(source)


def _largest_first(loads: Iterable[Load]) -> list[Load]:
    return sorted(loads, key=lambda load: (-load.memory, -load.vcpus))


def _estimate(hosts: Sequence[Host], others: Sequence[Host], at_once: int) -> Rolling:
    region = _Region(hosts, others, at_once)
    names = [host.name for host in hosts]
    for place, name in enumerate(names):
        region.begin_next()
        # who comes last is the best of those to come: what goes there rests longest
        region.drain(name, names[:place:-1])
    at_least = sum(len(host.instances) for host in hosts)
    return Rolling(tuple(names), region.moves, at_least, region.no_room)


def _greedy(hosts: Sequence[Host], others: Sequence[Host], at_once: int) -> list[Host]:
    by_name = {host.name: host for host in hosts}
    region = _Region(hosts, others, at_once)
    found: list[str] = []
    while region.to_come:
        region.begin_next()
        rest = sorted(region.to_come.values(), key=_gain)
        name = _least_left(region, rest) if region.asked < SEARCH else min(rest, key=_fewest).name
        found.append(name)
        region.drain(name, [room.name for room in rest if room.name != name][::-1])
    return [by_name[name] for name in found]


def _least_left(region: _Region, rest: Sequence[_Room]) -> str:
    """The host that leaves the fewest instances without room on a patched host."""
    empty = next((room for room in rest if not room.loads), None)
    if empty is not None:
        return empty.name
    best, fewest = rest[0].name, len(rest[0].loads) + 1
    for room in rest:
        left = len(region.place(room.name)[1])
        if left < fewest:
            best, fewest = room.name, left
        if not left:
            break
    return best


def _gain(room: _Room) -> tuple[int, int, object]:
    """What is free on a host is what its patching gives, beyond the room for its own instances."""
    return -room.memory, len(room.loads), room.by_name


def _fewest(room: _Room) -> tuple[int, object]:
    return len(room.loads), room.by_name

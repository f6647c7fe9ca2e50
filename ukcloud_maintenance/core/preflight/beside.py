"""What other drains are still to migrate, beside the one that is looked at: it takes room too."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ..facts import Capacity
from .board import Item
from .needs import Needs
from .packing import pack


@dataclass(frozen=True)
class Waiting:
    """An instance that an open drain is still to migrate.

    :param drained: the host of its drain
    :param source: the host that it is on
    :param to: the one host that it is to go to, or empty
    :param amounts: what it needs there, in Placement's units, as far as its row tells
    """

    server_id: str
    drained: str
    source: str
    to: str
    amounts: Mapping[str, int]


@dataclass(frozen=True)
class Beside:
    """What else is to be migrated in a region.

    :param waiting: what open drains of other hosts are still to migrate; one that is to be brought
        back may be in two of them
    :param zones: the zone of each host
    :param receiving: the hosts to which drains send instances by themselves
    """

    waiting: Sequence[Waiting]
    zones: Mapping[str, str]
    receiving: frozenset[str]

    def left_of(
        self, capacity: Mapping[str, Capacity], ours: Collection[str]
    ) -> tuple[Mapping[str, Capacity], dict[str, int]]:
        """The room that is left once the others have come, and for how many of them some was
        kept, by the host of their drain. Each is placed in its zone, if any host receives there:
        whether it is pinned to it is not known, and neither is its server group.

        :param capacity: of the hosts, as they are now
        :param ours: ids of servers that are placed by themselves
        """
        every = tuple(sorted(self.receiving))
        of_zone: dict[str, list[str]] = {}
        for host in every:
            of_zone.setdefault(self.zones.get(host, ""), []).append(host)
        may_go = {zone: tuple(hosts) for zone, hosts in of_zone.items()}

        def hosts_for(one: Waiting) -> tuple[str, ...]:
            if one.to:
                return (one.to,) if one.to in self.receiving else ()
            return may_go.get(self.zones.get(one.source, ""), every)

        others = {one.server_id: one for one in self.waiting if one.server_id not in ours}
        packing = pack(
            [Item(i, Needs(one.amounts), hosts_for(one)) for i, one in others.items()], capacity
        )
        filled = {
            fill.host: replace(capacity[fill.host], used=dict(fill.used_after))
            for fill in packing.hosts
        }
        return {**capacity, **filled}, Counter(others[i].drained for i in packing.placed)

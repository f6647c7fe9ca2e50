"""The words of the preflight: what it is asked, what it knows, what it answers."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..backports import StrEnum
from ..facts import Aggregate, Capacity, Server, ServerGroup
from ..message import Message
from ..states import Method, MigrationState


class Kind(StrEnum):
    """What will happen to an instance."""

    LIVE = "live"
    COLD = "cold"  # moved while it is shut off, then confirmed by us
    CONFIRM = "confirm"  # its resize of before is confirmed; then it is looked at again
    STAYS = "stays"  # somebody chose that
    BLOCKED = "blocked"  # cannot leave now; it is looked at again while the drain runs


class Choice(StrEnum):
    """What the admin chose for one instance; empty where the choice is left to the preflight."""

    NONE = ""
    LIVE = "live"
    COLD = "cold"
    STAY = "stay"
    CONFIRM = "confirm"


@dataclass(frozen=True)
class Caution:
    """Something to know beside the verdict.

    :param code: a stable word for the kind of it
    """

    code: str
    said: Message


@dataclass(frozen=True)
class OptOutNames:
    """The tags or metadata keys by which an owner has a say; empty: not looked for."""

    live: str = "maintenance:live_migrate"
    cold: str = "maintenance:cold_migrate"
    stay: str = "maintenance:stay"


@dataclass(frozen=True)
class Chosen:
    """What the admin chose.

    :param choice: for this instance
    :param move_locked: for the whole drain: whether locked instances are moved. An explicit
        choice for one instance goes before it.
    :param opt_out_names: the settings' names for what owners may write on their servers
    """

    choice: Choice = Choice.NONE
    move_locked: bool = True
    opt_out_names: OptOutNames = field(default_factory=OptOutNames)


@dataclass(frozen=True)
class PlacementContext:
    """What is known beyond the server itself. None: not known, and what needs it is silent.

    :param groups: all server groups
    :param whereabouts: the host of each group member that is known, by server id
    :param aggregates: all aggregates
    :param receivers: zone by host, of the hosts that can receive: enabled, up, not the source,
        neither being drained nor about to be
    :param capacity: what Placement says, by host. A receiver that is not in it has no room.
    :param leaving: ids of the instances that are to leave in the same drain
    :param bare_metal: the hosts whose nodes are Ironic's, as far as known
    """

    groups: tuple[ServerGroup, ...] | None = None
    whereabouts: Mapping[str, str] = field(default_factory=dict)
    aggregates: tuple[Aggregate, ...] | None = None
    receivers: Mapping[str, str] | None = None
    capacity: Mapping[str, Capacity] | None = None
    leaving: frozenset[str] = frozenset()
    bare_metal: frozenset[str] = frozenset()
    _by_member: Mapping[str, ServerGroup] = field(init=False, repr=False, compare=False)
    #: what was worked out of this for servers that are alike
    worked_out: dict[object, tuple[set[str], set[str]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        by_member = {member: group for group in self.groups or () for member in group.members}
        object.__setattr__(self, "_by_member", by_member)

    def group(self, server: Server) -> ServerGroup | None:
        """The server group of a server; Nova has at most one for each."""
        return self._by_member.get(server.id)

    def members_on(self, group: ServerGroup, host: str, but: str = "") -> int:
        """How many members of a group are on a host, as far as known, leaving one out."""
        return self.members_by_host(group, but)[host]

    def members_by_host(self, group: ServerGroup, but: str = "") -> Counter[str]:
        """The same of every host."""
        found = (self.whereabouts.get(m) for m in group.members if m != but)
        return Counter(host for host in found if host is not None)


@dataclass(frozen=True)
class Verdict:
    """The judgement of one instance.

    :param kind: what will happen to it
    :param code: a stable word for the reason, empty where there is nothing to explain
    :param said: the reason, and what an admin can do about it
    :param cautions: what else is to be known
    """

    kind: Kind
    code: str = ""
    said: Message | None = None
    cautions: tuple[Caution, ...] = ()

    @property
    def state(self) -> MigrationState:
        """The state in which the instance enters a drain."""
        return _STATES[self.kind]

    @property
    def method(self) -> Method:
        return _METHODS.get(self.kind, Method.NONE)

    @property
    def leaves(self) -> bool:
        """Whether the host is rid of it at the end, if all goes well.

        Nova lists a server in VERIFY_RESIZE under its new host: confirmed, it is an ordinary
        instance of this one, and leaves like any other.
        """
        return self.kind in _METHODS


_METHODS = {Kind.LIVE: Method.LIVE, Kind.COLD: Method.COLD, Kind.CONFIRM: Method.CONFIRM}
_STATES = {
    Kind.LIVE: MigrationState.PENDING,
    Kind.COLD: MigrationState.PENDING,
    Kind.CONFIRM: MigrationState.PENDING,
    Kind.STAYS: MigrationState.STAYS,
    Kind.BLOCKED: MigrationState.BLOCKED,
}

#: what a filter has to say: a verdict ends the asking, cautions add up
Said = Verdict | Caution | None
Filter = Callable[[Server, Chosen, PlacementContext], Said]


def blocked(said: Message, code: str = "") -> Verdict:
    """:param code: that of the message by default"""
    return Verdict(Kind.BLOCKED, code or said.code, said)


def stays(said: Message, code: str = "") -> Verdict:
    """:param code: that of the message by default"""
    return Verdict(Kind.STAYS, code or said.code, said)


def way_of(server: Server, chosen: Chosen) -> Kind:
    """How an instance leaves that nothing stands against.

    What runs is stopped for a cold migration only where the admin chose so for that instance.
    """
    cold = server.status == "SHUTOFF" or chosen.choice is Choice.COLD
    return Kind.COLD if cold else Kind.LIVE

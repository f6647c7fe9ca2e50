"""Can this instance leave, how, and what stands against it?

Small filters over facts. Each looks at one thing and says nothing, adds a caution, or decides;
the first that decides ends the asking. None does I/O. A filter that needs a fact which is not
known keeps silent: what is not known is said once, beside the plan, not on every instance.

What Nova takes and refuses is read from nova/compute/api.py (`live_migrate`, `resize`) and
nova/conductor/tasks/live_migrate.py of release 34, and tried against a real Nova.

The words for what does not leave:

- **stays**: somebody chose that. It is the admin's choice, the owner's opt-out, or a state that
  its owner put it in and that Nova moves in no way: SUSPENDED, SHELVED, SOFT_DELETED. Nothing
  that we could wait for is on its way.
- **blocked**: it cannot leave now, and either time or somebody's repair frees it: a task under
  way, BUILD, RESCUE, ERROR, VERIFY_RESIZE, no room. It is looked at again while the drain runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .facts import Aggregate, Capacity, Server, ServerGroup
from .states import Method, MigrationState


class Kind(StrEnum):
    """What will happen to an instance."""

    LIVE = "live"
    COLD = "cold"  # moved while it is shut off, then confirmed by us
    CONFIRM = "confirm"  # its resize of before is confirmed, which is all that is done
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

    :param code: a stable word
    :param text: one sentence, or two
    """

    code: str
    text: str


@dataclass(frozen=True)
class OptOutNames:
    """The tags or metadata keys by which an owner has a say; empty: not looked for."""

    live: str = "maintenance:live_migrate"
    cold: str = "maintenance:cold_migrate"
    stay: str = "maintenance:stay"


@dataclass(frozen=True)
class Wishes:
    """What the admin chose.

    :param choice: for this instance
    :param move_locked: for the whole drain: whether locked instances are moved
    :param opt_out_names: the settings' names for what owners may write on their servers
    """

    choice: Choice = Choice.NONE
    move_locked: bool = True
    opt_out_names: OptOutNames = field(default_factory=OptOutNames)


@dataclass(frozen=True)
class Around:
    """What is known beyond the server itself. None: not known, and what needs it is silent.

    :param groups: all server groups
    :param whereabouts: the host of each group member that is known, by server id
    :param zones: names of the availability zones that have a compute host
    :param aggregates: all aggregates
    :param receivers: zone by host, of the hosts that can receive: enabled, up, not the source,
        neither being drained nor about to be
    :param capacity: what Placement says, by host. A receiver that is not in it has no room.
    :param leaving: ids of the instances that leave in the same drain
    """

    groups: tuple[ServerGroup, ...] | None = None
    whereabouts: Mapping[str, str] = field(default_factory=dict)
    zones: frozenset[str] | None = None
    aggregates: tuple[Aggregate, ...] | None = None
    receivers: Mapping[str, str] | None = None
    capacity: Mapping[str, Capacity] | None = None
    leaving: frozenset[str] = frozenset()

    def group(self, server: Server) -> ServerGroup | None:
        """The server group of a server; Nova has at most one for each."""
        return next((g for g in self.groups or () if server.id in g.members), None)


@dataclass(frozen=True)
class Verdict:
    """The judgement of one instance.

    :param kind: what will happen to it
    :param code: a stable word for the reason, empty where there is nothing to explain
    :param reason: the reason, one sentence
    :param remedy: what an admin can do about it, or empty
    :param cautions: what else is to be known
    """

    kind: Kind
    code: str = ""
    reason: str = ""
    remedy: str = ""
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
        """Whether the host is rid of it at the end, if all goes well."""
        return self.kind in _METHODS

    @property
    def message(self) -> str:
        return f"{self.reason} {self.remedy}".strip()


_METHODS = {Kind.LIVE: Method.LIVE, Kind.COLD: Method.COLD, Kind.CONFIRM: Method.CONFIRM}
_STATES = {
    Kind.LIVE: MigrationState.PENDING,
    Kind.COLD: MigrationState.PENDING,
    Kind.CONFIRM: MigrationState.PENDING,
    Kind.STAYS: MigrationState.STAYS,
    Kind.BLOCKED: MigrationState.BLOCKED,
}

LIVE_STATUSES = frozenset({"ACTIVE", "PAUSED"})
#: nova/compute/power_state.py
POWER_RUNNING = 1
POWER_OFF = {4: "shut down", 6: "crashed", 7: "suspended"}

Said = Verdict | Caution | None
Filter = Callable[[Server, Wishes, Around], Said]


def blocked(code: str, reason: str, remedy: str = "") -> Verdict:
    return Verdict(Kind.BLOCKED, code, reason, remedy)


def stays(code: str, reason: str, remedy: str = "") -> Verdict:
    return Verdict(Kind.STAYS, code, reason, remedy)


# -- what was chosen -------------------------------------------------------------------------


def _chosen_to_stay(server: Server, wishes: Wishes, around: Around) -> Said:
    if wishes.choice is Choice.STAY:
        return stays("chosen", "It was chosen to stay.", "Choose otherwise for this instance.")
    return None


def _locked(server: Server, wishes: Wishes, around: Around) -> Said:
    """nova/compute/api.py, `check_instance_lock`: a lock does not bind an admin."""
    if not server.locked:
        return None
    why = f" ({server.locked_reason})" if server.locked_reason else ""
    if wishes.move_locked or wishes.choice is not Choice.NONE:
        return Caution("locked", f"It is locked{why}; it is moved all the same.")
    return stays(
        "locked",
        f"It is locked{why}, and this drain leaves locked instances alone.",
        "Unlock it, or let the drain move locked instances.",
    )


# -- what Nova is doing with it --------------------------------------------------------------


def _building(server: Server, wishes: Wishes, around: Around) -> Said:
    if server.status == "BUILD" or server.vm_state == "building":
        return blocked(
            "building", "It is being built.", "It is looked at again while the drain runs."
        )
    return None


def _task_under_way(server: Server, wishes: Wishes, around: Around) -> Said:
    if server.task_state:
        return blocked(
            "task_under_way",
            f"Nova is busy with it (task {server.task_state}).",
            "It is looked at again while the drain runs.",
        )
    return None


# -- its status ------------------------------------------------------------------------------

_STAYS: dict[str, tuple[str, str]] = {
    "SUSPENDED": (
        "It is suspended, and Nova does not migrate suspended instances.",
        "Resume it.",
    ),
    "SHELVED": (
        "It is shelved, but its disk is still on this host.",
        "Offload it (shelve offload), or unshelve it.",
    ),
    "SOFT_DELETED": (
        "It is deleted, but kept on this host until it is reclaimed.",
        "Force the deletion, or restore it.",
    ),
}
_BLOCKED: dict[str, tuple[str, str]] = {
    "RESCUE": (
        "It is in rescue mode, and Nova does not migrate it in this state.",
        "Unrescue it.",
    ),
    "ERROR": (
        "It is in ERROR, and Nova does not migrate it in this state.",
        "Look into its fault, and reset or rebuild it.",
    ),
    "VERIFY_RESIZE": (
        "A resize or cold migration of it waits for confirmation.",
        "Confirm or revert the resize, or choose that the drain confirms it.",
    ),
}


def _error_with_a_guest(server: Server, wishes: Wishes, around: Around) -> Said:
    """Nova's idea of the power state outlives an ERROR (aborts of Nova 33 and 34 end so)."""
    if server.status == "ERROR" and server.power_state == POWER_RUNNING:
        return blocked(
            "status_error_guest_runs",
            "It is in ERROR, though Nova last saw its guest running.",
            "Make sure on the hypervisor that the guest runs here and nowhere else (virsh list),"
            " then set its state to active.",
        )
    return None


def _resized(server: Server, wishes: Wishes, around: Around) -> Said:
    if server.status == "VERIFY_RESIZE" and wishes.choice is Choice.CONFIRM:
        return Verdict(
            Kind.CONFIRM,
            "status_verify_resize",
            "A resize or cold migration of it waits for confirmation, and was chosen to be"
            " confirmed.",
            cautions=(
                Caution("confirm_is_final", "Once confirmed, it cannot be reverted any more."),
            ),
        )
    return None


def _unmovable(server: Server, wishes: Wishes, around: Around) -> Said:
    status = server.status
    code = f"status_{status.lower()}"
    if status in LIVE_STATUSES or status == "SHUTOFF":
        return None
    if status in _STAYS:
        return stays(code, *_STAYS[status])
    default = f"Nova does not migrate an instance in status {status}.", ""
    return blocked(code, *_BLOCKED.get(status, default))


#: asked in this order; the first verdict ends it, cautions add up
FILTERS: tuple[Filter, ...] = (
    _chosen_to_stay,
    _building,
    _task_under_way,
    _error_with_a_guest,
    _resized,
    _unmovable,
    _locked,
)

NOWHERE = Around()
BY_DEFAULT = Wishes()


def judge(server: Server, wishes: Wishes = BY_DEFAULT, around: Around | None = None) -> Verdict:
    """What will happen to this instance in a drain."""
    cautions: list[Caution] = []
    for examine in FILTERS:
        said = examine(server, wishes, around or NOWHERE)
        if isinstance(said, Verdict):
            return replace(said, cautions=(*cautions, *said.cautions))
        if said:
            cautions.append(said)
    return replace(_way(server, wishes), cautions=tuple(cautions))


def _way(server: Server, wishes: Wishes) -> Verdict:
    """How an instance leaves that nothing stands against."""
    if server.status == "SHUTOFF":
        return Verdict(Kind.COLD)
    return Verdict(Kind.COLD if wishes.choice is Choice.COLD else Kind.LIVE)


def group_of(server: Server, around: Around) -> str:
    """The id of its hard anti-affinity group, or empty.

    Members of one must not travel at the same time: the scheduler does not see the destination
    of the one that flies, both may be sent to the same host, and the late check fails one.
    """
    group = around.group(server)
    return group.id if group and group.policy == "anti-affinity" else ""

"""Can this instance leave, and how? Small filters over facts, each with one thing to say.

This release live-migrates what Nova can live-migrate: ACTIVE and PAUSED (nova/compute/api.py,
`live_migrate`). Everything else stays where it is, with the reason and the remedy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .facts import Server
from .states import Method, MigrationState


class Kind(StrEnum):
    """What will happen to an instance."""

    LIVE = "live"
    STAYS = "stays"  # chosen, or of a kind that this release doesn't move
    BLOCKED = "blocked"  # cannot leave now; it is looked at again while the drain runs


@dataclass(frozen=True)
class Verdict:
    """The judgement of one instance.

    :param kind: what will happen to it
    :param code: a stable word for the reason, empty where there is nothing to explain
    :param reason: the reason, one sentence
    :param remedy: what an admin can do about it, or empty
    """

    kind: Kind
    code: str = ""
    reason: str = ""
    remedy: str = ""

    @property
    def state(self) -> MigrationState:
        """The state in which the instance enters a drain."""
        return _STATES[self.kind]

    @property
    def method(self) -> Method:
        return Method.LIVE if self.kind is Kind.LIVE else Method.NONE

    @property
    def message(self) -> str:
        return f"{self.reason} {self.remedy}".strip()


_STATES = {
    Kind.LIVE: MigrationState.PENDING,
    Kind.STAYS: MigrationState.STAYS,
    Kind.BLOCKED: MigrationState.BLOCKED,
}

LIVE = Verdict(Kind.LIVE)
LIVE_STATUSES = frozenset({"ACTIVE", "PAUSED"})

_STAYS: dict[str, tuple[str, str]] = {
    "SHUTOFF": (
        "It is shut off, and a live migration moves running instances only.",
        "Start it, or cold-migrate it by hand.",
    ),
    "SUSPENDED": (
        "It is suspended, and Nova does not migrate suspended instances.",
        "Resume it.",
    ),
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
        "Confirm or revert the resize.",
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


def _task_under_way(server: Server) -> Verdict | None:
    if server.task_state:
        return Verdict(
            Kind.BLOCKED,
            "task_under_way",
            f"Nova is busy with it (task {server.task_state}).",
            "It is looked at again while the drain runs.",
        )
    return None


def _building(server: Server) -> Verdict | None:
    if server.status == "BUILD" or server.vm_state == "building":
        return Verdict(
            Kind.BLOCKED,
            "building",
            "It is being built.",
            "It is looked at again while the drain runs.",
        )
    return None


def _status(server: Server) -> Verdict | None:
    if server.status in LIVE_STATUSES:
        return None
    reason, remedy = _STAYS.get(
        server.status,
        (f"Nova does not live-migrate an instance in status {server.status}.", ""),
    )
    return Verdict(Kind.STAYS, f"status_{server.status.lower()}", reason, remedy)


#: asked in this order; the first that has something to say decides
FILTERS: tuple[Callable[[Server], Verdict | None], ...] = (_building, _task_under_way, _status)


def judge(server: Server) -> Verdict:
    """What will happen to this instance in a drain."""
    for examine in FILTERS:
        if verdict := examine(server):
            return verdict
    return LIVE

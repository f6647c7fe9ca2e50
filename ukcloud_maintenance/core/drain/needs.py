"""The instances of a drain that need a person, and why: for headlines, lists and counts alike."""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from ..attempt import Requests
from ..backports import StrEnum
from ..codes import ABORTED
from ..facts import NOVA_STATUS_COPIED, NOVA_STATUS_POST_COPY
from ..states import (
    DRAIN_TERMINAL,
    DrainState,
    Method,
    MigrationState,
    RequestKind,
)
from ..steering import Verb
from . import alarm


class Need(StrEnum):
    """Why an instance needs a person; what is worst comes first."""

    UNKNOWN = "unknown"  # where its guest runs is not known
    ARRIVED_WRONG = "arrived_wrong"  # it left, and is not what it was before
    STALLED = "stalled"  # nothing is copied
    NOT_CONVERGING = "not_converging"  # its guest writes as fast as it is copied
    FAILED = "failed"
    ABORTED = "aborted"  # an admin aborted it; it is not retried by itself
    BLOCKED = "blocked"  # it cannot be moved now, and is waited for


#: What a copy that does not end as it goes is called (core.copying.convergence).
STALLED = "stalled"
ENDLESS: Mapping[str, Need] = {
    STALLED: Need.STALLED,
    "not_converging": Need.NOT_CONVERGING,
}
#: What helps, as far as it can be requested.
VERBS: Mapping[Need, tuple[Verb, ...]] = {
    Need.UNKNOWN: (Verb.RESET,),
    Need.ARRIVED_WRONG: (),
    Need.STALLED: (Verb.ABORT,),
    Need.NOT_CONVERGING: (Verb.FORCE, Verb.ABORT),
    Need.FAILED: (Verb.RETRY, Verb.SKIP),
    Need.ABORTED: (Verb.RETRY, Verb.SKIP),
    Need.BLOCKED: (Verb.RETRY, Verb.SKIP),
}
#: Drains in which what is blocked is looked at again.
WAITS_FOR_BLOCKED = frozenset(DrainState) - DRAIN_TERMINAL - {DrainState.CANCELLING}
_ORDER = {need: place for place, need in enumerate(Need)}


class AttemptLike(Protocol):
    @property
    def course(self) -> str: ...
    @property
    def nova_status(self) -> str: ...


class InstanceLike(alarm.InstanceLike, Protocol):
    """The part of an instance migration that is looked at."""

    @property
    def method(self) -> str: ...
    @property
    def attempt(self) -> AttemptLike: ...
    @property
    def requests(self) -> Requests: ...


Row = TypeVar("Row", bound=InstanceLike)


def is_aborting(row: InstanceLike) -> bool:
    """Whether an abort of its migration is requested, or taken and not settled yet."""
    if row.state != MigrationState.MIGRATING:
        return False
    asked = row.requests.open
    requested = asked is not None and asked.kind == RequestKind.ABORT
    return requested or row.requests.abort is not None


def course_of(row: InstanceLike) -> str:
    """Whether a copy in progress is going to end, as far as that means anything: nothing is said
    of one that has copied everything, that is aborted, or forced to complete, or where that is
    requested."""
    copies = row.state == MigrationState.MIGRATING and row.method in ("", Method.LIVE)
    if not copies or is_aborting(row) or _is_forced(row):
        return ""
    course, status = row.attempt.course, row.attempt.nova_status
    ends = status == NOVA_STATUS_POST_COPY and course != STALLED
    return "" if ends or status in NOVA_STATUS_COPIED else course


def _is_forced(row: InstanceLike) -> bool:
    asked = row.requests.open
    requested = asked is not None and asked.kind == RequestKind.FORCE
    return requested or row.requests.forced_at is not None


def need_of(row: InstanceLike, drain_state: str, *, can_retry: bool = True) -> Need | None:
    """Why this instance needs a person, or None: it does not.

    :param can_retry: whether what failed can be retried, as far as its host is concerned
    """
    if row.state == MigrationState.UNKNOWN:
        return Need.UNKNOWN
    if alarm.arrived_wrong(row):
        return Need.ARRIVED_WRONG
    if drain_state not in DRAIN_TERMINAL and (need := ENDLESS.get(course_of(row))):
        return need
    if row.state == MigrationState.FAILED and counts_failed(drain_state, can_retry=can_retry):
        return Need.ABORTED if row.code == ABORTED else Need.FAILED
    if row.state == MigrationState.BLOCKED and drain_state in WAITS_FOR_BLOCKED:
        return Need.BLOCKED
    return None


def counts_failed(drain_state: str, *, can_retry: bool) -> bool:
    """Whether somebody can still see to what failed: not after a cancel, nor after a later drain
    of the host, or its return."""
    if drain_state in (DrainState.CANCELLING, DrainState.CANCELLED):
        return False
    return drain_state not in DRAIN_TERMINAL or can_retry


def in_need(
    rows: Iterable[Row], drain_state: str, *, can_retry: bool = True
) -> list[tuple[Need, Row]]:
    """Those that need a person, the worst first, and else in their order."""
    found = [
        (need, row)
        for row in rows
        if (need := need_of(row, drain_state, can_retry=can_retry)) is not None
    ]
    return worst_first(found)


def worst_first(found: list[tuple[Need, Row]]) -> list[tuple[Need, Row]]:
    return sorted(found, key=lambda pair: _ORDER[pair[0]])


def only_stalled(found: Iterable[tuple[Need, object]]) -> bool:
    """Whether of those that do not end as they go none is known to write too fast."""
    needs = {need for need, _row in found}
    return Need.STALLED in needs and Need.NOT_CONVERGING not in needs

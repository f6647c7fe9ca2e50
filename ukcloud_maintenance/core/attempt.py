"""One attempt to move an instance, and what was requested while it lasted, as values."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from .codes import ABORTED
from .message import Message
from .states import (
    MIGRATION_IN_PROGRESS,
    Method,
    MigrationState,
    RequestKind,
    RequestOrigin,
    RequestState,
    Result,
)


@dataclass(frozen=True)
class AttemptView:
    """One time that Nova was asked to move an instance, or to confirm its resize; see
    models.Attempt for the fields. Without a number: there was none yet."""

    number: int = 0
    before_migration_id: int | None = None
    before_action: str = ""
    submitted_at: datetime | None = None
    asked_host: str = ""
    sent_to: str = ""
    request_id: str = ""
    nova_migration_id: int | None = None
    nova_status: str = ""
    was_cancelled: bool = False
    queued_since: datetime | None = None
    running_since: datetime | None = None
    late_since: datetime | None = None
    timed_out_at: datetime | None = None
    source_service: str = ""
    confirms: int = 0
    confirm_at: datetime | None = None
    memory_total_bytes: int | None = None
    memory_processed_bytes: int | None = None
    memory_remaining_bytes: int | None = None
    disk_total_bytes: int | None = None
    disk_remaining_bytes: int | None = None
    rate_bytes: float | None = None
    fraction: float | None = None
    sampled_at: datetime | None = None
    points: Sequence[Sequence[float]] = ()
    course: str = ""
    seconds_left: float | None = None
    pass_bytes: int | None = None
    ended_at: datetime | None = None


#: What changes in the course of an attempt, by name; no field of an instance is called so.
ATTEMPT_FIELDS = frozenset(f.name for f in fields(AttemptView)) - {"number"}


@dataclass(frozen=True)
class RequestView:
    """An abort, force complete or reset that was requested; see models.Request for the fields.

    :param attempt: the number of the attempt that it is about
    :param id: of its row; None where it has none yet
    """

    kind: str
    origin: str = RequestOrigin.ADMIN
    requested_by: str = ""
    requested_at: datetime | None = None
    attempt: int = 0
    nova_migration_id: int | None = None
    state: str = RequestState.OPEN
    tries: int = 0
    tried_at: datetime | None = None
    taken_at: datetime | None = None
    answer: Message | None = None
    request_id: str = ""
    id: int | None = None

    @property
    def is_open(self) -> bool:
        return self.state == RequestState.OPEN


@dataclass(frozen=True)
class Requests:
    """What was requested for one instance, oldest first.

    :param attempt: the number of its newest attempt
    """

    every: tuple[RequestView, ...] = ()
    attempt: int = 0

    @property
    def open(self) -> RequestView | None:
        """What no worker has carried out yet; at most one."""
        return next((r for r in self.every if r.is_open), None)

    @property
    def of_attempt(self) -> tuple[RequestView, ...]:
        """Those about the newest attempt."""
        return tuple(r for r in self.every if r.attempt == self.attempt)

    @property
    def abort(self) -> RequestView | None:
        """The abort of the newest attempt that Nova took, or may have taken. A cancel's is kept
        although Nova refused it: another status of the migration may have taken it before."""
        for found in reversed(self.of_attempt):
            sent = found.kind == RequestKind.ABORT and (found.tries or found.taken_at)
            kept = found.is_open or found.origin == RequestOrigin.CANCEL
            if sent and (kept or found.state == RequestState.TAKEN):
                return found
        return None

    @property
    def forced_at(self) -> datetime | None:
        """When Nova took that the newest attempt is forced to complete."""
        taken = [r.taken_at for r in self.of_attempt if r.kind == RequestKind.FORCE and r.taken_at]
        return taken[-1] if taken else None

    @property
    def answer(self) -> Message | None:
        """What Nova made of the newest request of the newest attempt, where it did not take it."""
        newest = self.of_attempt[-1] if self.of_attempt else None
        return newest.answer if newest else None

    def has(self, kind: str, origin: str) -> bool:
        """Whether the newest attempt has such a request, whatever became of it; one that was taken
        back before Nova was asked does not count."""
        return any(
            r.kind == kind and r.origin == origin and r.state != RequestState.WITHDRAWN
            for r in self.of_attempt
        )

    def with_new(self, request: RequestView) -> "Requests":
        return replace(self, every=(*self.every, replace(request, attempt=self.attempt)))

    def with_open(self, **changed: object) -> "Requests":
        """With the open one changed."""
        return replace(
            self,
            every=tuple(replace(r, **changed) if r.is_open else r for r in self.every),  # type: ignore[arg-type]
        )


def begins(old: str, new: str) -> bool:
    """Whether an attempt begins with a change of an instance's state."""
    return new in MIGRATION_IN_PROGRESS and old not in MIGRATION_IN_PROGRESS


def ends(old: str, new: str) -> bool:
    """Whether its attempt ends with it."""
    return old in MIGRATION_IN_PROGRESS and new not in MIGRATION_IN_PROGRESS


def ends_requests(old: str, new: str) -> bool:
    """Whether whatever was requested and not carried out is over with it: it was about a migration
    that has ended, or about a doubt that is settled."""
    return ends(old, new) or (old == MigrationState.UNKNOWN != new)


def result(new: str, code: str, method: str) -> Result:
    """How an attempt ended.

    :param new: the state of the instance after it
    :param code: … and its code
    :param method: of the attempt
    """
    if code == ABORTED:
        return Result.ABORTED
    if method == Method.CONFIRM and new == MigrationState.PENDING:
        return Result.CONFIRMED
    return _RESULTS[MigrationState(new)]


_RESULTS = {
    MigrationState.PENDING: Result.FAILED,  # and tried again
    MigrationState.BLOCKED: Result.BLOCKED,
    MigrationState.SUCCEEDED: Result.SUCCEEDED,
    MigrationState.GONE: Result.GONE,
    MigrationState.FAILED: Result.FAILED,
    MigrationState.CANCELLED: Result.CANCELLED,
    MigrationState.UNKNOWN: Result.UNKNOWN,
}

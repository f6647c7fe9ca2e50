"""How long a migration may take: by what it has to copy, and by what its course says.

A live migration copies the guest's memory, and its local disk before it unless both hosts share
their storage. Nova asks for the latter by itself (`block_migration: auto`) and does not say which
of the two it is. What it shows while it copies tells: a raw disk with its size; of a qcow2 overlay
it shows nothing, and the memory begins late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ..attempt import Requests
from ..facts import NOVA_STATUS_RUNNING
from ..states import Method, MigrationState, TimeoutAction

GIB = 1024**3
#: Memory that is copied within so many seconds comes first: no disk was copied before it.
NO_DISK_BEFORE = 60.0
#: A copy that is to end is let go on beyond its timeout, by this share of it at most.
LET_GO_ON = 0.5


class Bounds(Protocol):
    """The settings that are looked at; seconds, and seconds a GiB. See settings for each."""

    @property
    def late_seconds_per_gib(self) -> float: ...
    @property
    def late_min_seconds(self) -> float: ...
    @property
    def timeout_seconds_per_gib(self) -> float: ...
    @property
    def timeout_min_seconds(self) -> float: ...


@dataclass(frozen=True)
class TimeoutBounds:
    """Those of :class:`Bounds`, for whoever has no more of them."""

    timeout_seconds_per_gib: float
    timeout_min_seconds: float
    late_seconds_per_gib: float = 0
    late_min_seconds: float = 0


class CopyOfAttempt(Protocol):
    """The part of an attempt that is looked at; see models.Attempt."""

    # read-only, so that frozen values fit
    @property
    def nova_status(self) -> str: ...
    @property
    def disk_total_bytes(self) -> int | None: ...
    @property
    def running_since(self) -> datetime | None: ...
    @property
    def seconds_left(self) -> float | None: ...
    @property
    def points(self) -> Sequence[Sequence[float]]: ...


class CopyLike(Protocol):
    """The part of an instance migration that is looked at; see models.InstanceMigration."""

    @property
    def state(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def local_disk_bytes(self) -> int: ...
    @property
    def attempt(self) -> CopyOfAttempt: ...
    @property
    def requests(self) -> Requests: ...


@dataclass(frozen=True)
class TimeoutOutlook:
    """When a copy in progress times out, and what becomes of it then, as things are.

    :param at: when its timeout is over
    :param due_at: when the action is due. Later than `at` for what is to end by itself.
    :param latest: `due_at` is never later than this
    :param action: what the drain says now, see core.states.TimeoutAction
    """

    at: datetime
    due_at: datetime
    latest: datetime
    action: TimeoutAction

    @property
    def is_let_go_on(self) -> bool:
        """Whether it is to end by itself, after its timeout but soon enough."""
        return self.due_at > self.at


def bytes_to_copy(row: CopyLike) -> int:
    """Memory, and the local disk that is copied with it, in bytes.

    The size of the disk is Nova's where it shows one; nothing where the memory came first, which
    is so on shared storage; and else the flavor's.
    """
    attempt = row.attempt
    if attempt.disk_total_bytes:
        return row.memory_bytes + attempt.disk_total_bytes
    begun = attempt.running_since
    memory_at = next((point[0] for point in attempt.points if point[2]), None)
    if begun is not None and memory_at is not None:
        disk_before = any(point[1] for point in attempt.points)
        if not disk_before and memory_at - begun.timestamp() <= NO_DISK_BEFORE:
            return row.memory_bytes
    return row.memory_bytes + row.local_disk_bytes


def late_after_seconds(size: int, bounds: Bounds) -> float:
    """After how many seconds a migration that copies so many bytes is late."""
    return max(bounds.late_min_seconds, bounds.late_seconds_per_gib * size / GIB)


def timeout_seconds(size: int, bounds: Bounds) -> float:
    """After how many seconds of copying so many bytes the drain's timeout action is due."""
    return max(bounds.timeout_min_seconds, bounds.timeout_seconds_per_gib * size / GIB)


def timeout_outlook(
    row: CopyLike, action: str, bounds: Bounds, now: datetime
) -> TimeoutOutlook | None:
    """When a copy in progress times out; None for what is no live migration that runs.

    What is to end within :data:`LET_GO_ON` of its timeout, by its course or because it is forced
    to, is let go on: to abort it would throw away all that was copied, and to pause the guest
    would gain nothing. That has its own bound, for a forecast can be wrong for ever.

    :param action: of the drain, as it is now
    """
    if row.state != MigrationState.MIGRATING or row.method not in ("", Method.LIVE):
        return None
    begun = row.attempt.running_since
    if begun is None or row.attempt.nova_status not in NOVA_STATUS_RUNNING:
        return None
    allowed = timeout_seconds(bytes_to_copy(row), bounds)
    at = begun + timedelta(seconds=allowed)
    latest = at + timedelta(seconds=allowed * LET_GO_ON)
    due_at = at
    if row.requests.forced_at is not None:
        due_at = latest
    elif row.attempt.seconds_left is not None:
        ends = now + timedelta(seconds=row.attempt.seconds_left)
        if now >= at and ends <= latest:
            due_at = latest
    return TimeoutOutlook(at, due_at, latest, TimeoutAction(action))

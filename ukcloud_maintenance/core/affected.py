"""What a drain means for the owners of its instances: when each moves, and whether it is
interrupted. Pure.

What is known is what the record has: when Nova was asked to move an instance and how, when that
ended, and when Nova took that a guest is paused. How long a live migration pauses its guest at the
end is not known: Nova does not tell. Nor is what an owner's own services made of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from .backports import StrEnum
from .drain.alarm import arrived_wrong
from .message import Message, message, several
from .states import (
    MIGRATION_IN_PROGRESS,
    MIGRATION_WAITING,
    Method,
    MigrationState,
    RequestKind,
)

#: Statuses of a server that nobody uses at that time.
_AT_REST = frozenset({"SHUTOFF", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED", "SOFT_DELETED"})


class Interruption(StrEnum):
    """What an owner notices, or has noticed."""

    NONE = "none"  # it is not moved, or nobody could use it then
    MOMENT = "moment"  # live: it runs slower, and pauses for a moment at the end
    PAUSED = "paused"  # its guest was paused until the rest was copied
    OFF = "off"  # it is shut down for the move
    UNKNOWN = "unknown"  # not known


class Part(StrEnum):
    """Where it belongs."""

    TO_MOVE = "to_move"  # it is to be moved
    MOVING = "moving"
    MOVED = "moved"
    NOT_MOVED = "not_moved"  # it is not, or not any longer
    UNKNOWN = "unknown"  # whether it moved, or will, is not known


class AttemptLike(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def method(self) -> str: ...
    @property
    def submitted_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...


class RequestLike(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def taken_at(self) -> datetime | None: ...


class RowLike(Protocol):
    """The part of an instance migration that is looked at."""

    @property
    def state(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def server_name(self) -> str: ...
    @property
    def server_status(self) -> str: ...
    @property
    def initial_status(self) -> str: ...


@dataclass(frozen=True)
class Effect:
    """What the move of one instance means for who uses it.

    :param at_most: for how many seconds it was not usable at most, as far as is known; None: that
        is not known
    :param said: fit for its owner: it names nothing but the instance's own
    """

    part: Part
    interruption: Interruption
    at_most: float | None
    said: Message


def to_come(method: str, status: str) -> Effect:
    """Of one that is to be moved.

    :param method: see core.states.Method
    :param status: of the server
    """
    if method == Method.COLD and status not in _AT_REST:
        return Effect(Part.TO_MOVE, Interruption.OFF, None, message("affected_will_be_off"))
    if method == Method.COLD:
        return Effect(Part.TO_MOVE, Interruption.NONE, 0.0, message("affected_is_off"))
    if method == Method.LIVE:
        return Effect(Part.TO_MOVE, Interruption.MOMENT, None, message("affected_will_be_live"))
    if method == Method.CONFIRM:
        # no move; what comes after it is decided then
        said = message("affected_will_be_confirmed")
        return Effect(Part.UNKNOWN, Interruption.UNKNOWN, None, said)
    return Effect(Part.UNKNOWN, Interruption.UNKNOWN, None, message("affected_not_decided"))


def stays() -> Effect:
    """Of one that is not moved."""
    return Effect(Part.NOT_MOVED, Interruption.NONE, 0.0, message("affected_stays"))


def not_decided() -> Effect:
    """Of one that cannot be moved now."""
    return Effect(Part.UNKNOWN, Interruption.UNKNOWN, None, message("affected_not_decided"))


def effect(
    row: RowLike,
    attempts: Sequence[AttemptLike],
    requests: Iterable[RequestLike],
    now: datetime,
) -> Effect:
    """Of an instance of a drain.

    :param attempts: all of them, and what was requested meanwhile
    """
    status = row.initial_status or row.server_status
    paused = _paused(attempts, requests, now)
    off = 0.0 if status in _AT_REST else _off(attempts, now)
    if row.state in MIGRATION_WAITING or row.state in MIGRATION_IN_PROGRESS:
        return _open(row, status, paused, off)
    if row.state == MigrationState.SUCCEEDED:
        return _arrived(row, status, paused, off)
    if row.state == MigrationState.GONE:
        return Effect(Part.UNKNOWN, Interruption.UNKNOWN, None, message("affected_gone"))
    if row.state == MigrationState.UNKNOWN:
        return Effect(Part.UNKNOWN, Interruption.UNKNOWN, None, message("affected_in_doubt"))
    if arrived_wrong(row):
        said = message("affected_arrived_wrong", status=row.server_status or "?")
        return Effect(Part.MOVED, Interruption.UNKNOWN, None, said)
    if row.server_status == "ERROR" and status != "ERROR":
        said = message("affected_in_error")
        return Effect(Part.NOT_MOVED, Interruption.UNKNOWN, None, said)
    return _with_past(stays(), paused, off)


def _open(row: RowLike, status: str, paused: float, off: float) -> Effect:
    """Of one that waits, or is on its way."""
    if row.state == MigrationState.BLOCKED:
        return _with_past(not_decided(), paused, off)
    found = to_come(row.method, status)
    if row.state in MIGRATION_IN_PROGRESS and found.part is Part.TO_MOVE:
        found = Effect(Part.MOVING, found.interruption, found.at_most, found.said)
    return _with_past(found, paused, off)


def _arrived(row: RowLike, status: str, paused: float, off: float) -> Effect:
    if row.method == Method.CONFIRM:
        said = message("affected_was_confirmed")
        return _with_past(Effect(Part.NOT_MOVED, Interruption.NONE, 0.0, said), paused, off)
    if status in _AT_REST:
        return Effect(Part.MOVED, Interruption.NONE, 0.0, message("affected_was_off"))
    if paused or off:
        return _with_past(
            Effect(Part.MOVED, Interruption.NONE, 0.0, message("affected_moved")), paused, off
        )
    return Effect(Part.MOVED, Interruption.MOMENT, None, message("affected_was_live"))


def _with_past(found: Effect, paused: float, off: float) -> Effect:
    """With what has interrupted it already."""
    if not paused and not off:
        return found
    what = Interruption.OFF if off else Interruption.PAUSED
    said = several(
        found.said,
        message("affected_was_shut_down", seconds=off) if off else None,
        message("affected_was_paused", seconds=paused) if paused else None,
    )
    assert said is not None
    return Effect(found.part, what, paused + off, said)


def _off(attempts: Iterable[AttemptLike], now: datetime) -> float:
    """Seconds from each request for a cold migration to its end: it was off for a part of them."""
    return sum(
        max(((one.ended_at or now) - one.submitted_at).total_seconds(), 0.0)
        for one in attempts
        if one.method == Method.COLD and one.submitted_at is not None
    )


def _paused(
    attempts: Iterable[AttemptLike], requests: Iterable[RequestLike], now: datetime
) -> float:
    """Seconds from when Nova took that a guest is paused to the end of that attempt. With
    post-copy the guest runs on meanwhile, and Nova does not tell which it was."""
    ends = {one.number: one.ended_at or now for one in attempts}
    taken = {
        one.attempt: one.taken_at
        for one in requests
        if one.kind == RequestKind.FORCE and one.taken_at is not None
    }
    return sum(
        max((ends[number] - at).total_seconds(), 0.0)
        for number, at in taken.items()
        if number in ends
    )

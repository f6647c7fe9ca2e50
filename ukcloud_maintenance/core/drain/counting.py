"""How many instances of a drain are where: one rule for pages, commands, exports and the record.

Counts are of where instances are, whatever it came to. "7 of 9 left the host" is said of those that
are to leave: what stays, because somebody chose that or because its kind is not moved, is no part
of the nine, and is told beside them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Protocol

from ..codes import ABORTED, NOWHERE
from ..states import (
    DRAIN_TERMINAL,
    MIGRATION_IN_PROGRESS,
    MIGRATION_LEFT,
    MIGRATION_WAITING,
    Direction,
    MigrationState,
)
from . import needs
from .alarm import arrived_wrong
from .needs import ENDLESS, WAITS_FOR_BLOCKED, counts_failed, course_of

#: It is not to leave: somebody chose that, or its kind is not moved.
STAYING = frozenset({MigrationState.STAYS, MigrationState.SKIPPED})
#: Nova's status of a server that is no more.
DELETED = "DELETED"


class Moved(Protocol):
    """The part of an instance migration that tells where its instance is."""

    @property
    def server_name(self) -> str: ...
    @property
    def server_status(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def dest_compute(self) -> str: ...


class InstanceLike(Moved, needs.InstanceLike, Protocol):
    """The part of an instance migration that is counted."""


class DrainLike(Protocol):
    """The part of a drain that is looked at."""

    # read-only, so that frozen values fit
    @property
    def direction(self) -> str: ...
    @property
    def host(self) -> str: ...


def has_left(row: Moved, drain: DrainLike) -> bool:
    """Whether it left the host: it arrived elsewhere, well or not, or is gone. Of a run back,
    whether it is on the host that it was to come back to, whoever brought it."""
    if drain.direction == Direction.BACK:
        return row.state == MigrationState.SUCCEEDED or (_went(row) and not _is_astray(row, drain))
    return row.state == MigrationState.SUCCEEDED or _went(row)


def _went(row: Moved) -> bool:
    """Whether it left otherwise than it was to."""
    return row.state == MigrationState.GONE or arrived_wrong(row)


def _is_astray(row: Moved, drain: DrainLike) -> bool:
    """Of one that went: whether it is not known to be on the host of a run back."""
    nowhere = row.server_status == DELETED or row.code == NOWHERE
    return nowhere or row.dest_compute != drain.host


@dataclass(frozen=True)
class Counts:
    """How many instances of a drain, or of several, are in which state.

    :param arrived_wrong: those of the failed ones that left the host, and are not what they were
        before, see core.drain.alarm
    """

    by_state: Mapping[str, int] = field(default_factory=dict)
    arrived_wrong: int = 0
    #: of a run back: those that are gone or arrived, and are not on the host that they were to
    #: come back to
    astray: int = 0
    #: of the migrating ones: those whose copy does not end as it goes
    endless: int = 0
    #: of the failed ones: those that an admin aborted
    aborted: int = 0

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def stay(self) -> int:
        """Those that are not to leave."""
        return sum(self[state] for state in STAYING)

    @property
    def to_leave(self) -> int:
        """Those that are to leave, or have: of these it is said how many have left."""
        return self.total - self.stay

    @property
    def left(self) -> int:
        """Those that left the host, see :func:`has_left`."""
        gone = sum(self[state] for state in MIGRATION_LEFT)
        return gone + self.arrived_wrong - self.astray

    @property
    def unknown(self) -> int:
        """Those of which it is not known where they run."""
        return self[MigrationState.UNKNOWN]

    @property
    def still_here(self) -> int:
        """Those that are known not to have left."""
        return self.total - self.left - self.unknown

    @property
    def in_progress(self) -> int:
        return sum(self[state] for state in MIGRATION_IN_PROGRESS)

    @property
    def waiting(self) -> int:
        return sum(self[state] for state in MIGRATION_WAITING)

    @property
    def need_a_look(self) -> bool:
        """Whether a person must look at one: the drain is no success, whatever else it came to."""
        return bool(self.unknown or self.arrived_wrong)

    def in_need(self, drain_state: str, *, can_retry: bool = True) -> int:
        """How many need a person, see core.drain.needs."""
        found = self.unknown + self.arrived_wrong
        if drain_state not in DRAIN_TERMINAL:
            found += self.endless
        if drain_state in WAITS_FOR_BLOCKED:
            found += self[MigrationState.BLOCKED]
        if counts_failed(drain_state, can_retry=can_retry):
            found += self[MigrationState.FAILED] - self.arrived_wrong
        return found

    def __getitem__(self, state: str) -> int:
        return self.by_state.get(state, 0)


def counts_of(drain: DrainLike, rows: Iterable[InstanceLike]) -> Counts:
    """The counts of one drain."""
    by_state: dict[str, int] = {}
    wrong = astray = endless = aborted = 0
    for row in rows:
        by_state[row.state] = by_state.get(row.state, 0) + 1
        wrong += arrived_wrong(row)
        astray += drain.direction == Direction.BACK and _went(row) and _is_astray(row, drain)
        endless += course_of(row) in ENDLESS
        aborted += row.state == MigrationState.FAILED and row.code == ABORTED
    return Counts(by_state, wrong, astray, endless, aborted)


def together(every: Iterable[Counts]) -> Counts:
    """The counts of several drains as one."""
    every = list(every)
    by_state: dict[str, int] = {}
    for one in every:
        for state, number in one.by_state.items():
            by_state[state] = by_state.get(state, 0) + number
    others = [one.name for one in fields(Counts) if one.name != "by_state"]
    return Counts(by_state, **{name: sum(getattr(one, name) for one in every) for name in others})

"""The record of a drain as a picture: one lane an instance, in stretches of time. Pure.

The attempts say when Nova had an instance, and how each ended; the events say what was between
them, and the row has the last word on its end. The stretches of a lane follow each other without a
gap, from the moment at which the instance was taken into the drain to its end, or on and on while
it has none.

A kind of event that is not known here is a mark in the lane and changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..backports import UTC, StrEnum
from ..message import Message
from ..states import (
    MIGRATION_IN_PROGRESS,
    MIGRATION_TERMINAL,
    Method,
    MigrationState,
    Result,
)


class Stretch(StrEnum):
    """What happens to an instance for a time."""

    WAITING = "waiting"  # its turn has not come, or not again
    BLOCKED = "blocked"  # it cannot be moved now
    QUEUED = "queued"  # Nova has it, and keeps it in its own queue
    MOVING = "moving"  # Nova moves it
    CONFIRMING = "confirming"  # a resize or cold migration of it is being confirmed
    REST = "rest"  # it had come to an end, and was taken up again later


class Outcome(StrEnum):
    """How a stretch ended; empty while it lasts, and where it just led to the next one."""

    ARRIVED = "arrived"
    FAILED = "failed"
    ABORTED = "aborted"
    BLOCKED = "blocked"  # Nova refused it, because of what it is doing now
    CONFIRMED = "confirmed"
    GONE = "gone"
    CANCELLED = "cancelled"
    STAYS = "stays"
    UNKNOWN = "unknown"
    NONE = ""


#: Until Nova is seen to run what it was asked for, a moment always goes by.
WORTH_SHOWING = timedelta(seconds=5)
#: Nova holds, or may hold, a migration of ours.
ATTEMPT = frozenset({Stretch.QUEUED, Stretch.MOVING, Stretch.CONFIRMING})

_END_OF_STATE = {
    MigrationState.SUCCEEDED: Outcome.ARRIVED,
    MigrationState.GONE: Outcome.GONE,
    MigrationState.FAILED: Outcome.FAILED,
    MigrationState.STAYS: Outcome.STAYS,
    MigrationState.SKIPPED: Outcome.STAYS,
    MigrationState.CANCELLED: Outcome.CANCELLED,
    MigrationState.UNKNOWN: Outcome.UNKNOWN,
}
_OUTCOMES = {
    Result.SUCCEEDED: Outcome.ARRIVED,
    Result.FAILED: Outcome.FAILED,
    Result.ABORTED: Outcome.ABORTED,
    Result.BLOCKED: Outcome.BLOCKED,
    Result.CONFIRMED: Outcome.CONFIRMED,
    Result.GONE: Outcome.GONE,
    Result.CANCELLED: Outcome.CANCELLED,
    Result.UNKNOWN: Outcome.UNKNOWN,
    Result.NONE: Outcome.NONE,
}
#: What follows an attempt by itself, by how it ended; after the others the instance rests.
_AFTER = {
    Result.FAILED: Stretch.WAITING,
    Result.ABORTED: Stretch.WAITING,
    Result.CONFIRMED: Stretch.WAITING,
    Result.BLOCKED: Stretch.BLOCKED,
}
#: What begins with an event between attempts. Those that end a lane have the state's name.
_BEGINS = {
    **dict.fromkeys((state.value for state in _END_OF_STATE), Stretch.REST),
    **dict.fromkeys(("came_back", "retried", "unblocked", "pending"), Stretch.WAITING),
    "blocked": Stretch.BLOCKED,
}
#: Events that are told by the stretch that begins or ends with them.
_NO_MARK = frozenset({"submitted", "adopted", "copying", "confirm_asked", "succeeded"})


@dataclass(frozen=True)
class LaneEvent:
    """One event of the record, see models.Event.

    :param row_id: the instance migration that it is about, or None: the drain
    """

    id: int
    at: datetime
    kind: str
    message: Message | None = None
    row_id: int | None = None


@dataclass(frozen=True)
class LaneAttempt:
    """One attempt, see models.Attempt."""

    submitted_at: datetime
    sent_to: str = ""
    method: str = ""
    queued_since: datetime | None = None
    running_since: datetime | None = None
    confirm_at: datetime | None = None
    ended_at: datetime | None = None
    result: str = ""
    message: Message | None = None


@dataclass(frozen=True)
class LaneRow:
    """One instance migration, see models.InstanceMigration.

    :param attempts: those that were sent, the first one first
    """

    id: int
    server_id: str
    server_name: str
    state: str
    created_at: datetime
    method: str = ""
    position: int = 0
    dest_compute: str = ""
    finished_at: datetime | None = None
    attempts: tuple[LaneAttempt, ...] = ()


@dataclass(frozen=True)
class Segment:
    """A stretch of a lane.

    :param end: None while it goes on
    :param destination: where to, as far as it is known
    :param message: what was said at its end
    """

    kind: Stretch
    start: datetime
    end: datetime | None = None
    destination: str = ""
    outcome: Outcome = Outcome.NONE
    message: Message | None = None

    @property
    def has_failed(self) -> bool:
        return self.kind in ATTEMPT and self.outcome in (Outcome.FAILED, Outcome.ABORTED)


@dataclass(frozen=True)
class Mark:
    """A moment in a lane."""

    kind: str
    at: datetime
    message: Message | None = None


@dataclass(frozen=True)
class Lane:
    """One instance through the time of a drain.

    :param begin: when it was taken into the drain
    :param end: when it came to its end, or None while it has none
    :param outcome: how it ended
    :param destination: where it is, or is going to, where that is known
    """

    row: LaneRow
    begin: datetime
    end: datetime | None
    segments: tuple[Segment, ...]
    marks: tuple[Mark, ...]
    outcome: Outcome
    destination: str

    @property
    def moved_at(self) -> datetime | None:
        """When Nova was first asked for it."""
        return next((s.start for s in self.segments if s.kind in ATTEMPT), None)

    @property
    def failed_attempts(self) -> int:
        return sum(1 for s in self.segments if s.has_failed)


class _Writer:
    """A lane while it is written, from its beginning on."""

    def __init__(self, row: LaneRow):
        self.row = row
        self.segments: list[Segment] = []
        self.edge = row.created_at
        self.kind = Stretch.WAITING
        self.goes_on = False

    def close(self, at: datetime) -> None:
        """End what is between attempts; what took no time is left out."""
        at = max(at, self.edge)
        if at > self.edge:
            self.segments.append(Segment(self.kind, self.edge, at))
        self.edge = at

    def turn(self, kind: Stretch, at: datetime) -> None:
        """Something else begins; what is told of the time of an attempt is not about that."""
        if at >= self.edge and kind != self.kind and not self.goes_on:
            self.close(at)
            self.kind = kind

    def attempt(self, one: LaneAttempt, until: datetime | None) -> None:
        """:param until: when it was over, where it is not known to be itself"""
        if self.goes_on:
            return
        self.close(one.submitted_at)
        over = one.ended_at or until
        end = None if over is None else max(over, self.edge)
        starts = [(kind, max(at, self.edge)) for kind, at in _parts(one)]
        for (kind, start), after in zip(starts, [*starts[1:], None], strict=True):
            if after is not None and (end is None or after[1] < end):
                self.segments.append(Segment(kind, start, after[1], one.sent_to))
                continue
            outcome = _OUTCOMES[Result(one.result)]
            if not outcome and end is not None:
                outcome = _END_OF_STATE.get(MigrationState(self.row.state), Outcome.NONE)
            said = one.message if end is not None else None
            last = Segment(kind, start, end, one.sent_to, outcome, said)
            self.segments.append(last if end is not None else replace(last, outcome=Outcome.NONE))
            break
        self.goes_on = end is None
        self.edge = end or self.edge
        self.kind = _AFTER.get(Result(one.result), Stretch.REST)

    def end(self) -> datetime | None:
        """Agree with the row, which has the last word; when the lane ended."""
        state = MigrationState(self.row.state)
        if state in MIGRATION_TERMINAL:
            if self.kind is not Stretch.REST:
                self.close(self.row.finished_at or self.edge)
            return self.edge
        if not self.goes_on:
            waits = Stretch.BLOCKED if state == MigrationState.BLOCKED else Stretch.WAITING
            wanted = Stretch.MOVING if state in MIGRATION_IN_PROGRESS else waits
            self.segments.append(Segment(wanted, self.edge))
        return None


def _parts(one: LaneAttempt) -> list[tuple[Stretch, datetime]]:
    """What an attempt goes through, each with its beginning."""
    if one.method == Method.CONFIRM:
        return [(Stretch.CONFIRMING, one.submitted_at)]
    parts = [(Stretch.MOVING, one.submitted_at)]
    if one.running_since is None:
        if one.queued_since is not None and one.ended_at is None:
            parts = [(Stretch.QUEUED, one.submitted_at)]
    elif one.running_since - one.submitted_at >= WORTH_SHOWING:
        parts = [(Stretch.QUEUED, one.submitted_at), (Stretch.MOVING, one.running_since)]
    if one.confirm_at is not None:
        parts.append((Stretch.CONFIRMING, max(one.confirm_at, parts[-1][1])))
    return parts


def lane(row: LaneRow, events: Iterable[LaneEvent]) -> Lane:
    """The lane of one instance.

    :param events: of this instance, in any order
    """
    told = sorted(events, key=lambda e: (e.at, e.id))
    writer = _Writer(row)
    over = row.state not in MIGRATION_IN_PROGRESS
    until = (row.finished_at or row.created_at) if over else None
    between = [(e.at, 0, e.id, _BEGINS[e.kind]) for e in told if e.kind in _BEGINS]
    sent = [(a.submitted_at, 1, n, a) for n, a in enumerate(row.attempts)]
    last = len(row.attempts) - 1
    points: list[tuple[datetime, int, int, Stretch | LaneAttempt]] = [*between, *sent]
    for at, _, n, what in sorted(points, key=lambda point: point[:3]):
        if isinstance(what, LaneAttempt):
            writer.attempt(what, until if n == last else at)
        else:
            writer.turn(what, at)
    end = writer.end()
    outcome = _END_OF_STATE.get(MigrationState(row.state), Outcome.NONE)
    segments = tuple(writer.segments)
    destination = ""
    if outcome in (Outcome.ARRIVED, Outcome.GONE) or row.state in MIGRATION_IN_PROGRESS:
        destination = row.dest_compute or (segments[-1].destination if segments else "")
    marks = [Mark(e.kind, max(e.at, row.created_at), e.message) for e in told]
    return Lane(
        row=row,
        begin=row.created_at,
        end=end,
        segments=segments,
        marks=tuple(mark for mark in marks if mark.kind not in _NO_MARK),
        outcome=outcome,
        destination=destination,
    )


def lanes(rows: Iterable[LaneRow], events: Iterable[LaneEvent]) -> list[Lane]:
    """The lanes of a drain: what was asked of Nova first comes first; what was not, last."""
    by_row: dict[int, list[LaneEvent]] = {}
    for event in events:
        if event.row_id is not None:
            by_row.setdefault(event.row_id, []).append(event)
    found = [lane(row, by_row.get(row.id, ())) for row in rows]
    latest = datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda a: (a.moved_at or latest, a.row.position, a.row.id))


def pauses(events: Iterable[LaneEvent]) -> list[tuple[datetime, datetime | None]]:
    """When the drain was paused: (from, until), until is None while it is."""
    found: list[tuple[datetime, datetime | None]] = []
    since: datetime | None = None
    for event in sorted(events, key=lambda e: (e.at, e.id)):
        if event.row_id is not None:
            continue
        if event.kind in _PAUSE_BEGINS:
            since = since or event.at
        elif since is not None and event.kind in _PAUSE_ENDS:
            found.append((since, event.at))
            since = None
    if since is not None:
        found.append((since, None))
    return found


#: Somebody paused it, or its window was over.
_PAUSE_BEGINS = frozenset({"drain_paused", "window_closed"})
_PAUSE_ENDS = frozenset(
    {"drain_resumed", "drain_cancelled", "drain_failed", "drain_succeeded", "drain_reopened"}
)


def tally(found: Sequence[Lane]) -> Mapping[Outcome, int]:
    """How many lanes ended in which way; those in progress have none."""
    counted: dict[Outcome, int] = {}
    for one in found:
        counted[one.outcome] = counted.get(one.outcome, 0) + 1
    return counted

"""The record of a drain as a picture: one lane an instance, in stretches of time. Pure.

A lane is told by the events of its instance, in the order in which they happened; where they
leave something open (a process that died, a change without an event), the row as it is now has
the last word. The stretches of a lane follow each other without a gap, from the moment at which
the instance was taken into the drain to its end, or on and on while it has none.

A kind of event that is not known here is a mark in the lane and changes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ..message import Message
from ..states import MIGRATION_TERMINAL, MigrationState


class Stretch(StrEnum):
    """What goes on with an instance for a time."""

    WAITING = "waiting"  # its turn has not come, or not again
    BLOCKED = "blocked"  # it cannot be moved now
    QUEUED = "queued"  # Nova has it, and keeps it in its own queue
    MOVING = "moving"  # Nova moves it
    CONFIRMING = "confirming"  # a resize or cold migration of it is being confirmed
    REST = "rest"  # it had come to an end, and was taken up again later


class Outcome(StrEnum):
    """How a stretch ended; empty while it goes on, and where it just led to the next one."""

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
#: Events that end a lane carry the state's name as their kind.
_ENDS = {state.value: outcome for state, outcome in _END_OF_STATE.items()}
#: Events after which an instance waits for its turn, whatever was before.
_AGAIN = frozenset({"came_back", "retried", "unblocked", "pending"})
_STRETCH_OF_STATE = {
    MigrationState.PENDING: Stretch.WAITING,
    MigrationState.BLOCKED: Stretch.BLOCKED,
    MigrationState.SUBMITTED: Stretch.MOVING,
    MigrationState.MIGRATING: Stretch.MOVING,
    MigrationState.CONFIRMING: Stretch.CONFIRMING,
}
#: Events that are told by the stretch that begins or ends with them.
_NO_MARK = frozenset({"submitted", "adopted", "copying", "confirm_asked", "succeeded"})

#: Nova has, or may have, our request to abort the attempt.
_ABORTING = frozenset({"aborting", "abort_unanswered"})


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
class LaneRow:
    """One instance migration, see models.InstanceMigration."""

    id: int
    server_id: str
    server_name: str
    state: str
    created_at: datetime
    method: str = ""
    position: int = 0
    dest_compute: str = ""
    submitted_at: datetime | None = None
    queued_since: datetime | None = None
    running_since: datetime | None = None
    confirm_at: datetime | None = None
    finished_at: datetime | None = None


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
        refused = sum(1 for m in self.marks if m.kind == "attempt_failed")
        # One that Nova refused at once has no stretch; the others have a stretch and a mark.
        return max(refused, sum(1 for s in self.segments if s.has_failed))


class _Writer:
    """A lane while it is written, event by event."""

    def __init__(self, row: LaneRow):
        self.row = row
        self.segments: list[Segment] = []
        self.marks: list[Mark] = []
        self.current: Segment | None = Segment(Stretch.WAITING, row.created_at)
        self.last = row.created_at
        self.outcome = Outcome.NONE
        self.aborting = False

    def close(
        self, at: datetime, outcome: Outcome = Outcome.NONE, message: Message | None = None
    ) -> None:
        """End what goes on. A stretch that took no time and tells nothing is left out."""
        if self.current is None:
            return
        at = max(at, self.current.start)
        if self.aborting and outcome in (Outcome.FAILED, Outcome.CANCELLED, Outcome.STAYS):
            outcome = Outcome.ABORTED
        if at > self.current.start or self.current.kind in ATTEMPT:
            self.segments.append(replace(self.current, end=at, outcome=outcome, message=message))
        self.current = None
        self.aborting = False
        self.last = at

    def open(self, kind: Stretch, at: datetime, destination: str = "") -> None:
        """Go over to another stretch; after an end, what lies between is a rest."""
        at = max(at, self.last)
        if self.current is None:
            if at > self.last:
                self.segments.append(Segment(Stretch.REST, self.last, at))
        else:
            self.close(at)
        self.current = Segment(kind, at, destination=destination)
        self.last = at
        self.outcome = Outcome.NONE

    def end(self, at: datetime, outcome: Outcome, message: Message | None = None) -> None:
        """Come to an end, the last one or not."""
        if self.current is not None:
            own = outcome if self.current.kind in ATTEMPT else Outcome.NONE
            self.close(at, own, message)
        self.outcome = outcome

    @property
    def kind(self) -> Stretch | None:
        return self.current.kind if self.current else None

    def read(self, event: LaneEvent) -> None:
        at = max(event.at, self.last)
        kind = event.kind
        if kind not in _NO_MARK:
            self.marks.append(Mark(kind, at, event.message))
        if kind in ("submitted", "adopted"):
            if self.kind not in ATTEMPT:
                self.open(Stretch.MOVING, at, _host(event.message))
            elif kind == "submitted":
                self.close(at, Outcome.FAILED)
                self.open(Stretch.MOVING, at, _host(event.message))
        elif kind == "copying":
            self._copying(at, _host(event.message))
        elif kind == "confirm_asked":
            if self.kind != Stretch.CONFIRMING:
                dest = self.current.destination if self.current else ""
                self.open(Stretch.CONFIRMING, at, dest)
        elif kind in _ABORTING:
            self.aborting = self.kind in ATTEMPT
        elif kind == "aborted":
            if self.kind in ATTEMPT:
                self.close(at, Outcome.ABORTED, event.message)
                self.open(Stretch.WAITING, at)
        elif kind == "attempt_failed":
            if self.kind in ATTEMPT:
                self.close(at, Outcome.FAILED, event.message)
                self.open(Stretch.WAITING, at)
        elif kind == "resize_settled":
            self.close(at, Outcome.CONFIRMED)
            self.open(Stretch.WAITING, at)
        elif kind == "blocked":
            if self.kind in ATTEMPT:
                self.close(at, Outcome.BLOCKED, event.message)
            if self.kind != Stretch.BLOCKED:
                self.open(Stretch.BLOCKED, at)
        elif kind in _AGAIN:
            if self.kind not in ATTEMPT and self.kind != Stretch.WAITING:
                self.open(Stretch.WAITING, at)
        elif kind in _ENDS:
            host = _host(event.message) if kind == "succeeded" else ""
            if host and self.current is not None:
                self.current = replace(self.current, destination=host)
            self.end(at, _ENDS[kind], event.message)

    def _copying(self, at: datetime, destination: str) -> None:
        if self.current is None or self.kind not in ATTEMPT:
            self.open(Stretch.MOVING, at, destination)
            return
        destination = destination or self.current.destination
        if self.kind == Stretch.MOVING and at - self.current.start >= WORTH_SHOWING:
            self.current = replace(self.current, kind=Stretch.QUEUED)
            self.open(Stretch.MOVING, at, destination)
        else:
            self.current = replace(self.current, destination=destination)

    def agree_with_the_row(self) -> None:
        """Where the events leave it open, or tell another end than the row has."""
        row = self.row
        state = MigrationState(row.state)
        if state in MIGRATION_TERMINAL:
            if self.current is not None:
                self.end(row.finished_at or self.last, _END_OF_STATE[state])
            self.outcome = _END_OF_STATE[state]
            return
        wanted = _STRETCH_OF_STATE[state]
        if self.kind != wanted and {self.kind, wanted} != {Stretch.QUEUED, Stretch.MOVING}:
            known = {Stretch.MOVING: row.submitted_at, Stretch.CONFIRMING: row.confirm_at}
            self.open(wanted, known.get(wanted) or self.last)

    def lane(self) -> Lane:
        self.agree_with_the_row()
        row = self.row
        segments = list(self.segments)
        if self.current is not None:
            segments.append(self.current)
        segments = _queued_first(segments, row)
        attempts = [i for i, s in enumerate(segments) if s.kind in ATTEMPT]
        if attempts and row.dest_compute and not segments[attempts[-1]].destination:
            segments[attempts[-1]] = replace(segments[attempts[-1]], destination=row.dest_compute)
        arrived = self.outcome in (Outcome.ARRIVED, Outcome.GONE)
        under_way = self.kind in ATTEMPT
        destination = ""
        if arrived or under_way:
            destination = row.dest_compute or (segments[-1].destination if segments else "")
        return Lane(
            row=row,
            begin=row.created_at,
            end=None if self.current is not None else self.last,
            segments=tuple(segments),
            marks=tuple(self.marks),
            outcome=self.outcome,
            destination=destination,
        )


def _queued_first(segments: list[Segment], row: LaneRow) -> list[Segment]:
    """What the last attempt waited in Nova's queue, where no event tells it: the row does."""
    moving = [i for i, s in enumerate(segments) if s.kind is Stretch.MOVING]
    if not moving:
        return segments
    at = moving[-1]
    found = segments[at]
    if at and segments[at - 1].kind is Stretch.QUEUED:
        return segments
    until = row.running_since
    if until is None:
        waits = row.queued_since is not None and found.end is None
        return [*segments[:at], replace(found, kind=Stretch.QUEUED)] if waits else segments
    if until - found.start < WORTH_SHOWING or (found.end is not None and until >= found.end):
        return segments
    queued = replace(found, kind=Stretch.QUEUED, end=until, outcome=Outcome.NONE, message=None)
    return [*segments[:at], queued, replace(found, start=until), *segments[at + 1 :]]


def _host(said: Message | None) -> str:
    """The host that an instance goes to or arrived on, by what was said of it; or empty."""
    return str(said.values.get("host", "")) if said is not None else ""


def lane(row: LaneRow, events: Iterable[LaneEvent]) -> Lane:
    """The lane of one instance.

    :param events: of this instance, in any order
    """
    writer = _Writer(row)
    for event in sorted(events, key=lambda e: (e.at, e.id)):
        writer.read(event)
    return writer.lane()


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
    """How many lanes ended in which way; those under way have none."""
    counted: dict[Outcome, int] = {}
    for one in found:
        counted[one.outcome] = counted.get(one.outcome, 0) + 1
    return counted

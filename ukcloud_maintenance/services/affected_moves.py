"""The moves that drains mean for instances: what the record has of them, and what is to come."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .. import settings, store
from ..core import affected as a
from ..core.copying import schedule as s
from ..core.copying.duration import Learned
from ..core.copying.schedule import Expected
from ..core.facts import Server
from ..core.message import Message, message, several
from ..core.preflight.judge import judge
from ..core.preflight.verdicts import Chosen
from ..core.states import MIGRATION_IN_PROGRESS, MigrationState
from ..observe.views import opt_out_names
from ..store import Attempt, Drain, InstanceMigration, Run
from .expected import Planned
from .run_forecast import Paces

#: It moves, or has moved.
MOVES = frozenset({a.Part.TO_MOVE, a.Part.MOVING, a.Part.MOVED})
#: It is still to move.
AHEAD = frozenset({a.Part.TO_MOVE, a.Part.MOVING})


@dataclass(frozen=True)
class AffectedInstance:
    """One instance, and one move of it or none.

    :param drain: of which it is; None: none was requested yet
    :param begins_at: when its move is expected to begin at the earliest; None: not known, or it
        is over, or nobody has said when its drain begins
    :param ends_at: … and to have ended at the latest
    :param after_start: where nobody has: the same in seconds after the beginning of the drain
    :param moved_at: when its move was seen to be over
    :param move: which of its moves this is, from 1; 0: it is none
    :param moves: how many moves of it are known
    :param may_move_again: further ones may come that are not known yet
    """

    server_id: str
    server_name: str
    project_id: str
    host: str
    method: str
    effect: a.Effect
    drain: Drain | None = None
    state: str = ""
    begins_at: datetime | None = None
    likely_at: datetime | None = None
    ends_at: datetime | None = None
    after_start: Expected | None = None
    moved_at: datetime | None = None
    dest_compute: str = ""
    move: int = 0
    moves: int = 0
    may_move_again: bool = False

    @property
    def when(self) -> Message | None:
        """What there is to say of the time, and of which move it is where there are several."""
        of_several = None
        if self.move and self.moves > 1:
            of_several = message("affected_move_of", number=self.move, count=self.moves)
        return several(self._when, of_several)

    @property
    def _when(self) -> Message | None:
        if self.moved_at is not None and self.effect.part is a.Part.MOVED:
            return message("affected_moved_at", at=self.moved_at)
        if self.effect.part not in AHEAD:
            return None
        if self.begins_at is not None and self.ends_at is not None:
            return message("affected_when", begins=self.begins_at, ends=self.ends_at)
        if self.after_start is not None:
            begins, ends = self.after_start.begins, self.after_start.ends
            return message("affected_when_after_start", begins=begins, ends=ends)
        return message("affected_when_unknown")


def counted(found: Sequence[AffectedInstance]) -> Iterator[AffectedInstance]:
    """With the number of each move of an instance, in their order; without tries to move it that
    came to nothing and were followed by another one."""
    last = {one.server_id: place for place, one in enumerate(found)}
    kept = [
        one
        for place, one in enumerate(found)
        if last[one.server_id] == place or one.effect != a.stays()
    ]
    moves = Counter(one.server_id for one in kept if one.effect.part in MOVES)
    number: Counter[str] = Counter()
    for one in kept:
        is_move = one.effect.part in MOVES
        number[one.server_id] += is_move
        of_it = number[one.server_id] if is_move else 0
        yield replace(one, move=of_it, moves=moves[one.server_id])


# -- drains ------------------------------------------------------------------------------------


def of_drain(planned: Planned, now: datetime) -> list[AffectedInstance]:
    """Of what is on record of a drain. One query, and those of its forecast."""
    attempts = store.attempts(planned.drain)
    expected = planned.expected
    return [
        _instance(row, planned.drain, attempts.get(row.pk, []), expected.get(row.pk), now)
        for row in planned.rows
    ]


def _instance(
    row: InstanceMigration,
    drain: Drain,
    attempts: Sequence[Attempt],
    expected: Expected | None,
    now: datetime,
) -> AffectedInstance:
    if expected is not None and not expected.is_known:
        expected = None
    if (
        expected is not None
        and drain.stop_at is not None
        and now + timedelta(seconds=expected.begins) > drain.stop_at
    ):
        expected = None  # it is not begun in this window, and nobody knows of another
    moved = row.state == MigrationState.SUCCEEDED or row.state == MigrationState.FAILED
    found = a.effect(row, attempts, row.requests.every, now)
    begun = row.attempt.submitted_at if row.state in MIGRATION_IN_PROGRESS else None
    one = AffectedInstance(
        row.server_id,
        row.server_name,
        row.project_id,
        row.source_compute or drain.host,
        row.method,
        found,
        drain,
        row.state,
        moved_at=row.finished_at if moved and found.part is a.Part.MOVED else None,
        dest_compute=row.dest_compute,
    )
    return _expected_at(one, expected, now, begun)


def _expected_at(
    one: AffectedInstance, expected: Expected | None, now: datetime, begun: datetime | None = None
) -> AffectedInstance:
    """With when it is expected to move, as far as that is known.

    :param begun: when its move began, if it has
    """
    if expected is None or not expected.is_known:
        return one

    def at(seconds: float) -> datetime:
        return now + timedelta(seconds=seconds)

    return replace(
        one,
        begins_at=begun or at(expected.begins),
        likely_at=at(expected.likely_ends),
        ends_at=at(expected.ends),
    )


# -- hosts whose drain was not requested yet ----------------------------------------------------


class ToCome:
    """What is on a host, as if its drain were requested now; the largest come first.

    :param run: the run in which the host waits, which says with what its drain is requested; None:
        the settings' defaults
    """

    def __init__(
        self, host: str, servers: Iterable[Server], learned: Learned, run: Run | None = None
    ):
        self.host = host
        chosen = Chosen(move_locked=run is None or run.move_locked, opt_out_names=opt_out_names())
        self._judged = [(one, judge(one, chosen)) for one in servers]
        self._moved = sorted(
            (one for one, verdict in self._judged if verdict.method),
            key=lambda one: -one.memory_bytes,
        )
        at_once = settings.current().max_concurrent if run is None else run.max_concurrent
        sizes = [one.memory_bytes for one in self._moved]
        self._schedule = s.schedule(sizes, [], at_once, learned)
        self._is_timed = run is not None

    @property
    def total(self) -> Paces:
        """How many seconds its drain takes at each pace."""
        return self._schedule.total

    def instances(self, now: datetime, turn: Paces | None = None) -> list[AffectedInstance]:
        """:param turn: in how many seconds the run begins with it; None: that is not known. Of a
        host that is in no run nobody has said: its times count from the beginning of its drain
        """
        _none, waiting = self._schedule.expected(offset=turn or (0.0, 0.0, 0.0))
        expected = {one.id: when for one, when in zip(self._moved, waiting, strict=True)}
        found = []
        for one, verdict in self._judged:
            effect = _effect_of(one, verdict.method, verdict.state)
            made = AffectedInstance(
                one.id, one.name, one.project_id, self.host, verdict.method, effect
            )
            if not self._is_timed:
                made = replace(made, after_start=expected.get(one.id))
            elif turn is not None:
                made = _expected_at(made, expected.get(one.id), now)
            found.append(made)
        return found


def _effect_of(server: Server, method: str, state: str) -> a.Effect:
    if method:
        return a.to_come(method, server.status)
    return a.stays() if state == MigrationState.STAYS else a.not_decided()

"""When the instances of drains are expected to move, one by one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .. import store
from ..core.copying import schedule as s
from ..core.copying.schedule import Expected, Schedule
from ..core.drain import pacing
from ..core.states import DRAIN_TERMINAL, MIGRATION_IN_PROGRESS, DrainState
from ..observe.views import row_view
from ..store import Drain, InstanceMigration
from .reports import at_once, forecast_of, forecast_of_plan, to_be_moved

_NO_OFFSET = (0.0, 0.0, 0.0)


@dataclass
class Planned:
    """A drain with its rows, and when those that are to be moved are expected to."""

    drain: Drain
    rows: list[InstanceMigration]
    order: list[InstanceMigration] = field(default_factory=list)
    moving: list[InstanceMigration] = field(default_factory=list)
    schedule: Schedule = field(default_factory=lambda: Schedule((), ()))
    share: s.Share = field(default_factory=s.Share)
    offset: tuple[float, float, float] = _NO_OFFSET
    is_known: bool = True

    @property
    def total(self) -> tuple[float, float, float]:
        low, likely, high = self.schedule.total
        by = self.share
        return low * by.low, likely * by.likely, high * by.high

    @property
    def expected(self) -> dict[int, Expected]:
        """By the row's id."""
        moving, waiting = self.schedule.expected(self.share, self.offset)
        found = {row.pk: when for row, when in zip(self.moving, moving, strict=True)}
        if self.is_known:
            found |= {row.pk: when for row, when in zip(self.order, waiting, strict=True)}
        return found


def planned(drains: Sequence[Drain], plan_id: int | None, now: datetime) -> list[Planned]:
    """Drains, and when each instance of them is expected to move.

    :param plan_id: of the plan whose hosts may take turns, or None
    """
    found = [_plan_of(drain, now) for drain in drains]
    _in_turn(found, plan_id)
    return found


def _plan_of(drain: Drain, now: datetime) -> Planned:
    """By the drain's own pace as soon as it has one, else by its region's."""
    rows = list(store.migrations(drain))
    found = Planned(drain, rows)
    moves_on = (DrainState.PENDING, DrainState.RUNNING)
    if drain.state in DRAIN_TERMINAL:
        return found
    # what waits does not begin while it is paused, or never where it is cancelled
    found.is_known = drain.state in moves_on
    left = to_be_moved(_in_order(rows))
    found.order, found.moving = left.waiting, left.begun
    learned = store.learned_rate(drain.region)
    found.schedule = s.schedule(left.sizes, left.moving, at_once(drain), learned)
    corrected = forecast_of(drain, rows)
    if corrected is not None:
        found.share = s.share_of(found.schedule.total, corrected)
    if drain.state == DrainState.PENDING and drain.start_at is not None:
        wait = max((drain.start_at - now).total_seconds(), 0.0)
        found.offset = (wait, wait, wait)
    return found


def _in_order(rows: Iterable[InstanceMigration]) -> list[InstanceMigration]:
    """What Nova has in its queue comes before what has not been requested of it."""
    return sorted(
        rows,
        key=lambda row: (
            row.state not in MIGRATION_IN_PROGRESS,
            pacing.turn(row_view(row)),
        ),
    )


def _in_turn(planned: Sequence[Planned], plan_id: int | None) -> None:
    """Those of a plan whose hosts take turns begin when it is theirs; a region takes no more at a
    time than its limit."""
    plan = store.plan(plan_id) if plan_id is not None else None
    if plan is None:
        return
    ours = [one for one in planned if one.drain.plan_id == plan.pk and one.is_known]
    begun = [one for one in ours if one.drain.state == DrainState.RUNNING]
    waiting = [one for one in ours if one.drain.state == DrainState.PENDING]
    turns = s.in_turn(
        [one.total for one in begun], [one.total for one in waiting], plan.hosts_at_once
    )
    for one, offset in zip(waiting, turns, strict=True):
        low, likely, high = (max(pair) for pair in zip(one.offset, offset, strict=True))
        one.offset = (low, likely, high)
    whole = forecast_of_plan(plan, [one.drain for one in ours])
    if whole is None:
        return
    ends = [max((one.offset[n] + one.total[n] for one in ours), default=0.0) for n in range(3)]
    for one in ours:
        stretch = [
            max(limit / end, 1.0) if 0 < end < float("inf") and limit < float("inf") else 1.0
            for limit, end in zip((whole.low, whole.likely, whole.high), ends, strict=True)
        ]
        by = one.share
        one.share = s.Share(by.low * stretch[0], by.likely * stretch[1], by.high * stretch[2])
        low, likely, high = (
            seconds * factor for seconds, factor in zip(one.offset, stretch, strict=True)
        )
        one.offset = (low, likely, high)

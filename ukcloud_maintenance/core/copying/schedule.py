"""When each instance of a drain is expected to move: the forecast of a drain, one by one. Pure."""

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .duration import Forecast, Learned, three_paces


@dataclass(frozen=True)
class Expected:
    """Seconds from now; infinite where it cannot be told.

    :param begins: at the earliest
    :param likely_ends: most likely
    :param ends: at the latest
    """

    begins: float
    likely_ends: float
    ends: float

    @property
    def is_known(self) -> bool:
        return math.isfinite(self.ends)


@dataclass(frozen=True)
class Share:
    """By how much the three schedules of a forecast are longer than they look: its own pace, the
    limit of a region. 1 for each: they are as they look."""

    low: float = 1.0
    likely: float = 1.0
    high: float = 1.0


@dataclass(frozen=True)
class Schedule:
    """When each begins and ends, each at three paces: low, likely, high.

    :param moving: of those in progress, in their order; they have begun
    :param waiting: of those that have not, in their order: (begins, ends) at each pace
    """

    moving: Sequence[tuple[float, float, float]]
    waiting: Sequence[tuple[tuple[float, float], ...]]

    @property
    def total(self) -> tuple[float, float, float]:
        """When the last one has ended, at each pace."""
        found = [max((one[n] for one in self.moving), default=0.0) for n in range(3)]
        for one in self.waiting:
            found = [max(total, one[n][1]) for n, total in enumerate(found)]
        return found[0], found[1], found[2]

    def expected(
        self, share: Share | None = None, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ) -> tuple[list[Expected], list[Expected]]:
        """Of those in progress, and of those that wait.

        :param offset: by how much the whole begins later, at each pace
        """
        by = share or Share()
        # The whole is longer or shorter by such shares, and one of it by more or less: what is
        # the earliest of all is no later than what is likely, and the latest no sooner.
        moving = [
            Expected(0.0, likely * by.likely, max(likely * by.likely, high * by.high))
            for _low, likely, high in self.moving
        ]
        waiting = []
        for low, likely, high in self.waiting:
            begins, ends = (offset[1] + at * by.likely for at in likely)
            waiting.append(
                Expected(
                    min(offset[0] + low[0] * by.low, begins),
                    ends,
                    max(offset[2] + high[1] * by.high, ends),
                )
            )
        return moving, waiting


def schedule(
    waiting: Sequence[int],
    moving: Sequence[float | tuple[int, float]],
    at_once: int,
    learned: Learned,
) -> Schedule:
    """When each of them moves, see `duration.forecast` for what is given.

    :param waiting: bytes of memory of each, in the order in which they are begun
    """
    _known, paces = three_paces(learned)
    still = [[pace.still(one) for one in moving] for pace in paces]
    lanes = [
        _in_lanes([pace.takes(size) for size in waiting], busy, max(at_once, 1))
        for pace, busy in zip(paces, still, strict=True)
    ]
    return Schedule(
        [(low, likely, high) for low, likely, high in zip(*still, strict=True)],
        list(zip(*lanes, strict=True)),
    )


def _in_lanes(
    takes: Sequence[float], running: Iterable[float], at_once: int
) -> list[tuple[float, float]]:
    """When each begins and ends, as soon as there is a lane for it."""
    # more may run than are to: nobody takes the place of the first to end
    free_at = (sorted(running, reverse=True) + [0.0] * at_once)[:at_once]
    heapq.heapify(free_at)
    found = []
    for seconds in takes:
        begins = heapq.heappop(free_at)
        heapq.heappush(free_at, begins + seconds)
        found.append((begins, begins + seconds))
    return found


def share_of(total: tuple[float, float, float], whole: Forecast) -> Share:
    """By how much a schedule is to be longer, so that it ends when the drain is forecast to.

    :param total: of the schedule, see :class:`Schedule`
    """

    def by(before: float, after: float) -> float:
        usable = before > 0 and math.isfinite(before) and math.isfinite(after)
        return after / before if usable else 1.0

    low, likely, high = total
    return Share(by(low, whole.low), by(likely, whole.likely), by(high, whole.high))


def in_turn(
    begun: Iterable[tuple[float, float, float]],
    to_begin: Sequence[tuple[float, float, float]],
    at_once: int,
) -> list[tuple[float, float, float]]:
    """When each of several drains begins that wait for others, at each pace.

    :param begun: how long each takes that has begun
    :param to_begin: … that has not, in their order
    :param at_once: how many are worked on at a time; 0: all
    """
    first = list(begun)
    lanes = at_once or len(first) + len(to_begin)
    each = [
        [
            begins
            for begins, _ends in _in_lanes(
                [one[n] for one in to_begin], [one[n] for one in first], max(lanes, 1)
            )
        ]
        for n in range(3)
    ]
    return [(low, likely, high) for low, likely, high in zip(*each, strict=True)]

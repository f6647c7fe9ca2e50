"""Is it going to end? What the course of a live migration under way says of its end.

A copy goes over all of the memory once, then over what the guest wrote meanwhile, then over what
it wrote during that, until little enough is left. What remains therefore falls during a pass and
leaps up at the end of it; whether the leaps get smaller is what tells whether it ends. Sizes are
libvirt's as Nova shows them: with block migration the disk comes first, while memory is 0/0/0;
what was processed can exceed the total; the first samples may be zero; they change every 5 s by
default, so that a fast migration has a single one.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any

from ..facts import Progress
from ..message import Message, message

#: Fewer different points than this are no trend.
ENOUGH_POINTS = 3
#: Fewer leaps than this do not show that they no longer get smaller.
ENOUGH_LEAPS = 3
#: The newest leaps that are looked at.
RECENT_LEAPS = 8
#: Seconds that a rate is told from, or the newest `RECENT_POINTS`, whichever is longer.
RECENT_SECONDS = 60.0
RECENT_POINTS = 6
#: Seconds without a byte after which a copy is stalled.
STALLED_SECONDS = 30.0
#: Leaps that are this much of earlier ones do not get smaller.
NO_SMALLER = 0.9
#: Of what is sent in one pass, this much at least must be gone from what remains.
LEAST_GAIN = 0.05
#: Rises below this are no leap: a share of what remained, and bytes.
NOISE_SHARE = 0.02
NOISE_BYTES = 256 * 1024
#: Seconds between stored points, and how many are stored.
LEAST_GAP = 1.0
LIMIT = 60


class Verdict(StrEnum):
    UNKNOWN = "unknown"  # too little seen
    CONVERGING = "converging"
    SLOW = "slow"  # what remains shrinks, but it takes longer than we have patience for
    NOT_CONVERGING = "not_converging"  # the guest writes as fast as it is copied, or faster
    STALLED = "stalled"  # nothing is sent at all


@dataclass(frozen=True)
class Point:
    """What was seen at one time; sizes in bytes.

    :param at: seconds since any fixed time
    :param sent: disk and memory processed so far
    """

    at: float
    disk_remaining: int
    memory_remaining: int
    sent: int

    @property
    def sizes(self) -> tuple[int, int, int]:
        return (self.disk_remaining, self.memory_remaining, self.sent)


@dataclass(frozen=True)
class Course:
    """
    :param rate: bytes sent a second, lately
    :param progress: bytes a second by which what remains shrinks, from leap to leap where it goes
        up and down; not above zero where it does not shrink
    :param seconds_left: where it goes on like this; None where it does not end or is not known
    :param dirty_rate: bytes a second that the guest writes; None while no leap was seen, since
        only that shows what was written
    :param remaining: bytes that are left, the memory that did not start yet included
    """

    verdict: Verdict
    rate: float | None = None
    progress: float | None = None
    seconds_left: float | None = None
    dirty_rate: float | None = None
    remaining: int | None = None


@dataclass(frozen=True)
class WayOut:
    """What an admin can do about a migration.

    :param code: a stable word for programs: wait | abort | force_complete
    :param said: what to do, and, as its remedy, what it costs
    """

    code: str
    said: Message


_WAIT = WayOut("wait", message("way_wait"))
_WAIT_LONG = WayOut("wait", message("way_wait_long"))
_WAIT_VAIN = WayOut("wait", message("way_wait_in_vain"))
_WAIT_STALLED = WayOut("wait", message("way_wait_stalled"))
_ABORT = WayOut("abort", message("way_abort"))
_FORCE = WayOut("force_complete", message("way_force"))
_FORCE_VAIN = WayOut("force_complete", message("way_force_in_vain"))
#: The ways out for each verdict, the one that is advised first.
ADVICE: dict[Verdict, tuple[WayOut, ...]] = {
    Verdict.UNKNOWN: (_WAIT, _ABORT),
    Verdict.CONVERGING: (_WAIT, _ABORT, _FORCE),
    Verdict.SLOW: (_WAIT_LONG, _FORCE, _ABORT),
    Verdict.NOT_CONVERGING: (_FORCE, _ABORT, _WAIT_VAIN),
    Verdict.STALLED: (_WAIT_STALLED, _ABORT, _FORCE_VAIN),
}


def pause_seconds(remaining: int | None, rate: float | None) -> float | None:
    """How long a guest is paused if its migration is forced to complete now, without post-copy:
    about as long as what remains takes. None where that cannot be told."""
    if remaining is None or not rate or rate <= 0:
        return None
    return remaining / rate


def point(progress: Progress, at: float) -> Point | None:
    """What Nova shows at one time, or None while it shows no bytes yet."""
    sizes = (
        progress.disk_remaining_bytes,
        progress.memory_remaining_bytes,
        progress.disk_processed_bytes,
        progress.memory_processed_bytes,
    )
    if all(size is None for size in sizes):
        return None
    disk, memory, disk_sent, memory_sent = (max(size or 0, 0) for size in sizes)
    return Point(at, disk, memory, disk_sent + memory_sent)


def course(
    points: Iterable[Point],
    *,
    memory_total: int | None,
    disk_total: int | None,
    flavor_memory: int,
    patience_seconds: float,
    stalled_seconds: float = STALLED_SECONDS,
) -> Course:
    """What the points seen so far say, oldest first.

    :param memory_total: bytes, as Nova shows it last; 0 or None while memory did not start
    :param disk_total: bytes, as Nova shows it last; 0 or None where no disk is copied
    :param flavor_memory: bytes of the flavor, for memory that did not start
    :param patience_seconds: what a migration may take from here
    :param stalled_seconds: without a byte
    """
    seen = sorted(points, key=lambda p: p.at)
    if not seen:
        return Course(Verdict.UNKNOWN)
    if _stands_still(seen) >= stalled_seconds:
        left = _remaining(seen, memory_total, disk_total, flavor_memory)[-1]
        return Course(Verdict.STALLED, rate=0.0, progress=0.0, remaining=left)

    # An early sample can be all zero.
    seen = list(itertools.dropwhile(lambda p: p.sizes == (0, 0, 0), seen))
    seen = _first_of_equals(seen)
    if len(seen) < ENOUGH_POINTS:
        return Course(
            Verdict.UNKNOWN,
            remaining=_remaining(seen, memory_total, disk_total, flavor_memory)[-1]
            if seen
            else None,
        )
    remaining = _remaining(seen, memory_total, disk_total, flavor_memory)
    times = [p.at for p in seen]
    first = _recent(seen)
    rate = _slope(times[first], seen[first].sent, times[-1], seen[-1].sent)
    if rate is not None and rate < 0:  # it began again
        rate = None
    leaps = _leaps(remaining, [p.sent for p in seen])
    if leaps:
        return _after_leaps(times, remaining, leaps, rate, patience_seconds)
    return _first_pass(times, remaining, [p.sent for p in seen], first, rate, patience_seconds)


def _first_pass(
    times: list[float],
    left: list[int],
    sent: list[int],
    first: int,
    rate: float | None,
    patience_seconds: float,
) -> Course:
    """No leap so far: what remains falls, or hardly changes."""
    progress = -(_slope(times[first], left[first], times[-1], left[-1]) or 0.0)
    # Where a whole pass was sent since, and what remains is as large as before.
    for i in range(len(left) - ENOUGH_POINTS, -1, -1):
        gone = sent[-1] - sent[i]
        if gone >= max(left[i], 1):
            if left[i] and left[i] - left[-1] < LEAST_GAIN * gone:
                return Course(
                    Verdict.NOT_CONVERGING, rate, progress, None, rate, remaining=left[-1]
                )
            break
    return _by_time(left[-1], left[-1], rate, progress, None, patience_seconds)


def _after_leaps(
    times: list[float],
    left: list[int],
    leaps: list[tuple[int, int]],
    rate: float | None,
    patience_seconds: float,
) -> Course:
    recent = leaps[-RECENT_LEAPS:]
    heights = [height for _, height in recent]
    begun, height = times[recent[-1][0]], heights[-1]
    if len(recent) > 1:
        slope = _slope(times[recent[0][0]], heights[0], begun, height)
    else:
        slope = _slope(times[0], left[0], times[-1], left[-1])
    progress = -(slope or 0.0)
    dirty = None if rate is None else max(rate - progress, 0.0)
    if len(recent) >= ENOUGH_LEAPS:
        half = len(heights) // 2
        before, lately = median(heights[:-half]), median(heights[-half:])
        if lately >= NO_SMALLER * before or progress <= 0:
            return Course(Verdict.NOT_CONVERGING, rate, progress, None, dirty, remaining=left[-1])
    # From leap to leap, wherever the pass just is.
    now = max(height - progress * (times[-1] - begun), 0.0)
    return _by_time(left[-1], now, rate, progress, dirty, patience_seconds)


def _by_time(
    remaining: int,
    height: float,
    rate: float | None,
    progress: float,
    dirty: float | None,
    patience_seconds: float,
) -> Course:
    if progress <= 0:
        return Course(Verdict.UNKNOWN, rate, progress, None, dirty, remaining)
    seconds = height / progress
    if rate and rate > 0:
        seconds = max(seconds, min(remaining / rate, remaining / progress))
    verdict = Verdict.SLOW if seconds > patience_seconds else Verdict.CONVERGING
    return Course(verdict, rate, progress, seconds, dirty, remaining)


def _stands_still(seen: Sequence[Point]) -> float:
    """For how many seconds nothing was sent and what remains did not shrink."""
    last = seen[-1]
    since = last.at
    for one in reversed(seen):
        remaining = one.disk_remaining + one.memory_remaining
        if one.sent != last.sent or remaining > last.disk_remaining + last.memory_remaining:
            break
        since = one.at
    return last.at - since


def _remaining(
    seen: Sequence[Point], memory_total: int | None, disk_total: int | None, flavor_memory: int
) -> list[int]:
    """Bytes that are left at each point, the memory that did not start yet included."""
    started = next((i for i, p in enumerate(seen) if p.memory_remaining), None)
    if not disk_total and not any(p.disk_remaining for p in seen):
        waiting = 0  # memory alone: nothing comes before it
    elif started is not None:
        waiting = started
    else:  # not started, unless Nova shows its total: then it is all sent
        waiting = sum(1 for p in seen if p.disk_remaining) if memory_total else len(seen)
    return [
        p.disk_remaining + (p.memory_remaining if i >= waiting else memory_total or flavor_memory)
        for i, p in enumerate(seen)
    ]


def _first_of_equals(seen: Iterable[Point]) -> list[Point]:
    """Without the points at which nothing had changed: Nova reads libvirt every few seconds."""
    return [next(same) for _, same in itertools.groupby(seen, key=lambda p: p.sizes)]


def _recent(seen: Sequence[Point]) -> int:
    """The index of the first point that a rate is told from."""
    by_time = next(i for i, p in enumerate(seen) if p.at >= seen[-1].at - RECENT_SECONDS)
    return max(min(by_time, len(seen) - RECENT_POINTS), 0)


def _slope(at: float, value: float, later: float, then: float) -> float | None:
    return (then - value) / (later - at) if later - at > 0.001 else None


def _leaps(left: Sequence[int], sent: Sequence[int]) -> list[tuple[int, int]]:
    """Where a pass ended between two points and another began: the index of the second point,
    and how much the new pass has to copy.

    That is more than is seen there: a part of it was sent already, by as much as more was sent
    between the two than the old pass had left.
    """
    most = max(left)
    return [
        (i, min(max(left[i], left[i] + sent[i] - sent[i - 1] - left[i - 1]), most))
        for i in range(1, len(left))
        if left[i] > left[i - 1] * (1 + NOISE_SHARE) + NOISE_BYTES
    ]


# -- what is stored --------------------------------------------------------------------------


def keep(points: Sequence[Point], new: Point, limit: int = LIMIT) -> list[Point]:
    """The series to store, with a new point: the beginning and the newest stay, older ones are
    thinned, neighbours are a second apart at least. Of points that are equal but for their time
    the first and the last stay, so that it shows for how long nothing changed.

    :param limit: of points, at least 4
    """
    series = list(points)
    if series and new.at < series[-1].at + LEAST_GAP:
        return series
    if len(series) > 1 and series[-2].sizes == series[-1].sizes == new.sizes:
        series[-1] = new
        return series
    series.append(new)
    while len(series) > max(limit, 4):
        # of the older half, what leaves the smallest hole
        thin = min(
            range(1, max(len(series) // 2, 2)), key=lambda i: series[i + 1].at - series[i - 1].at
        )
        del series[thin]
    return series


def to_json(points: Iterable[Point]) -> list[list[float]]:
    """Plain values, to be stored."""
    return [[round(p.at, 3), *p.sizes] for p in points]


def from_json(stored: Any) -> list[Point]:
    """The points that :func:`to_json` made these values of; nothing stored is no points.

    :raises ValueError: they are not such values
    """
    try:
        return [Point(float(at), int(d), int(m), int(s)) for at, d, m, s in stored or []]
    except (TypeError, ValueError) as error:
        raise ValueError(f"not a stored course of a migration: {error}") from error

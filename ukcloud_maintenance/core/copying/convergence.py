"""Is it going to end? What the course of a live migration in progress says of its end.

A copy goes over all of the memory once, then over what the guest wrote meanwhile, then over what
it wrote during that, until little enough is left. What remains therefore falls during a pass and
leaps up at the end of it; whether the leaps get smaller is what tells whether it ends. Where a
pass takes about as long as the time between two samples, each shows another moment of another
pass, and what remains seems to fall slowly: what was sent in between tells. Sizes are
libvirt's as Nova shows them: with block migration the disk comes first, while memory is 0/0/0;
what was processed can exceed the total; the first samples may be zero; they change every 5 s by
default, so that a fast migration has a single one.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..backports import StrEnum
from ..facts import Progress
from ..message import Message, message

#: Fewer different points than this are no trend.
ENOUGH_POINTS = 3
#: The newest leaps that are looked at.
RECENT_LEAPS = 8
#: Seconds that a rate is told from, or the newest `RECENT_POINTS`, whichever is longer.
RECENT_SECONDS = 60.0
RECENT_POINTS = 6
#: Seconds without a byte after which a copy is stalled.
STALLED_SECONDS = 30.0
#: A guest that writes this much of what is sent again, or more, does not let the copy end; one that
#: writes at most so much does. Nothing is said of what is between.
NO_SMALLER = 0.9
SMALLER = 0.85
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
    :param progress: bytes a second by which what is to be sent shrinks: what is sent less what is
        written again; not above zero where it does not shrink
    :param seconds_left: where it goes on like this; None where it does not end or is not known.
        In the first pass it is the least, since what is written meanwhile is not seen yet
    :param dirty_rate: bytes a second that the guest writes; None while no leap was seen, since
        only that shows what was written
    :param remaining: bytes that are left, the memory that did not start yet included
    :param pass_size: bytes that the pass copies which copies what was written during the one
        before; None in the first pass
    """

    verdict: Verdict
    rate: float | None = None
    progress: float | None = None
    seconds_left: float | None = None
    dirty_rate: float | None = None
    remaining: int | None = None
    pass_size: int | None = None


@dataclass(frozen=True)
class Leap:
    """The beginning of a pass after the first one; bytes.

    :param begins: what had been sent when it began
    :param most: what the guest wrote during the pass before
    :param least: the same, if several passes went by between two points
    :param size: what is copied in this pass
    """

    begins: int
    most: int
    least: int
    size: int

    @property
    def is_exact(self) -> bool:
        return self.least == self.most


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
        return _after_leaps(remaining, leaps, rate, patience_seconds)
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
    found = Course(Verdict.UNKNOWN, rate, progress, remaining=left[-1])
    if progress <= 0:
        return found
    return _ending(found, left[-1] / progress, patience_seconds)


def _after_leaps(
    left: list[int], leaps: list[Leap], rate: float | None, patience_seconds: float
) -> Course:
    """The first pass is over. One leap says nothing yet: a guest that writes little has it too."""
    newest, recent = leaps[-1], leaps[-RECENT_LEAPS:]
    found = Course(Verdict.UNKNOWN, rate, remaining=left[-1], pass_size=newest.size)
    if len(recent) < 2:
        return found
    exact = next((n for n, leap in enumerate(recent[:-2]) if leap.is_exact), 0)
    recent = recent[exact:]
    again = _written_again(recent)
    if len(recent) > 2:  # the newest may be several passes, and then tells too much
        again = min(again, _written_again(recent[:-1]))
    if rate is not None:
        found = replace(found, progress=(1 - again) * rate, dirty_rate=again * rate)
    grows = newest.least >= NO_SMALLER * recent[-2].most
    surely = again
    if newest.least < SMALLER * recent[-2].least:
        # It may be much smaller than the one before: then it must hold however many passes the
        # first one was.
        surely = min(again, _written_again([replace(recent[0], least=recent[0].most), *recent[1:]]))
    if grows or (len(recent) > 2 and surely >= NO_SMALLER):
        return replace(found, verdict=Verdict.NOT_CONVERGING)
    if again > SMALLER:
        return found
    # What is left of this pass, and all passes that are to come.
    to_send = left[-1] + newest.most * again / (1 - again)
    return _ending(found, to_send / rate if rate and rate > 0 else None, patience_seconds)


def _written_again(leaps: Sequence[Leap]) -> float:
    """How much of what is sent the guest writes again: what each leap but the first had to copy,
    by what was sent from the beginning of the first one's last pass to that of the last."""
    sent = leaps[-1].begins - leaps[1].begins + leaps[0].least
    return max(sum(leap.most for leap in leaps[1:]), 0) / max(sent, 1)


def _ending(found: Course, seconds: float | None, patience_seconds: float) -> Course:
    if seconds is None:
        return replace(found, verdict=Verdict.UNKNOWN)
    verdict = Verdict.SLOW if seconds > patience_seconds else Verdict.CONVERGING
    left = None if seconds is None else max(seconds, 0.0)
    return replace(found, verdict=verdict, seconds_left=left)


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


def _leaps(left: Sequence[int], sent: Sequence[int]) -> list[Leap]:
    """Where a pass ended between two points and another began: there what remains rises, or more
    was sent than remained. What the guest wrote in the meantime is what remains now and what was
    sent of it already; where that is most of it, it may have been more than one pass."""
    found = []
    for i in range(1, len(left)):
        gone = sent[i] - sent[i - 1]
        beyond = max(gone - left[i - 1], 0)
        rises = left[i] > left[i - 1] * (1 + NOISE_SHARE) + NOISE_BYTES
        if rises or (left[i] and gone > left[i - 1] * (1 + NOISE_SHARE) + NOISE_BYTES):
            # What the pass before left is not new: QEMU begins anew before nothing is left.
            written = left[i] + gone - left[i - 1]
            # Passes that get smaller: of several, the last one is the smaller part.
            least = written if beyond < written / 2 else min(left[i], written)
            found.append(Leap(sent[i - 1] + left[i - 1], written, least, left[i] + beyond))
    return found


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

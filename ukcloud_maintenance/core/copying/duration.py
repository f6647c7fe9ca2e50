"""How long a drain may take: an estimate from the size of the memory, and honest about it.

What is not known beforehand: how much the guests write meanwhile, whether disks are copied, how
many migrations Nova runs at once (1 for each host by default).
"""

import heapq
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

#: Bytes a second of one migration where nothing was learned: some 1 Gbit/s.
ASSUMED_RATE = 100 * 1024**2
#: Fewer past migrations than this teach nothing.
ENOUGH_SAMPLES = 5
#: Seconds that a migration takes beside the copy, where nothing was learned.
ASSUMED_OVERHEAD = 5.0
#: By how much an assumed rate may be wrong, either way: 20 MiB to 500 MiB a second.
ASSUMED_SPREAD = 5.0
#: … and one that was learned, where its quartiles are not known.
LEARNED_SPREAD = 2.0
#: How much longer a migration takes that is told to end in some seconds: least, and most.
TOLD_LOW, TOLD_HIGH = 0.75, 1.5
#: Of a migration that takes longer than was to be expected: how much longer still, as a share of
#: what it took so far: at least, likely, at most.
OVERDUE = (0.0, 0.25, 1.0)
#: As many migrations of a size of which a drain has done none yet are assumed to be as usual.
ASSUMED_SAMPLES = 2
#: How much less, and more, a drain may take than at its own pace so far.
OWN_PACE = (0.75, 1.5)


#: Of a server group: bytes of what waits, and what is in progress, see :func:`forecast`.
Group = tuple[Sequence[int], Sequence[float | tuple[int, float]]]


@dataclass(frozen=True)
class Learned:
    """What past migrations of a region tell.

    :param rate: median of memory by time, bytes a second, all overhead included
    :param samples: of how many migrations
    :param slow_rate: the lower quartile; 0: not known
    :param fast_rate: the upper quartile; 0: not known
    """

    rate: float = 0.0
    samples: int = 0
    slow_rate: float = 0.0
    fast_rate: float = 0.0


@dataclass(frozen=True)
class Duration:
    """:param seconds: where `at_once` migrations run at a time
    :param seconds_one_by_one: where Nova runs one at a time, its default
    :param rate: bytes a second of one migration
    :param samples: past migrations that the rate was learned from; 0: it is assumed
    """

    seconds: float
    seconds_one_by_one: float
    at_once: int
    rate: float
    samples: int


@dataclass(frozen=True)
class Forecast:
    """Seconds until the last one has left, if it goes on like this.

    Half of the migrations learned from lie between the rates of `low` and `high`; as their errors
    are of one kind in one cloud (its network, its guests), they are not taken to even out.

    :param samples: past migrations that it was learned from; 0: it is assumed
    :param assumed: too few were seen to learn from: the range is a guess, and wide
    """

    low: float
    likely: float
    high: float
    samples: int
    assumed: bool


@dataclass(frozen=True)
class Pace:
    """How fast migrations are taken to be.

    :param rate: bytes a second
    :param overhead: seconds beside the copy
    :param told: how many times as long as it is told to one takes that is in progress
    :param overdue: how much longer one takes that is overdue, as a share of what it took so far
    """

    rate: float
    overhead: float
    told: float
    overdue: float

    def takes(self, size: int) -> float:
        """Seconds for so many bytes of memory."""
        return size / self.rate + self.overhead

    def still(self, one: float | tuple[int, float]) -> float:
        """Seconds that one in progress still takes, see :func:`forecast`."""
        if not isinstance(one, tuple):
            return max(float(one), 0.0) * self.told
        size, elapsed = one
        elapsed = max(elapsed, 0.0)  # the clock was set back
        return max(self.takes(size) - elapsed, elapsed * self.overdue, 0.0)


def three_paces(learned: Learned) -> tuple[bool, tuple[Pace, Pace, Pace]]:
    """Whether enough was learned, and the paces of `low`, `likely` and `high`."""
    if learned.samples >= ENOUGH_SAMPLES and learned.rate > 0:
        known, rate, overhead = True, learned.rate, 0.0
        slow = min(learned.slow_rate or rate / LEARNED_SPREAD, rate)
        fast = max(learned.fast_rate or rate * LEARNED_SPREAD, rate)
    else:
        known, rate, overhead = False, float(ASSUMED_RATE), ASSUMED_OVERHEAD
        slow, fast = rate / ASSUMED_SPREAD, rate * ASSUMED_SPREAD
    return known, (
        Pace(fast, 0.0, TOLD_LOW, OVERDUE[0]),
        Pace(rate, overhead, 1.0, OVERDUE[1]),
        Pace(slow, overhead, TOLD_HIGH, OVERDUE[2]),
    )


def learned_of(rates: Iterable[float]) -> Learned:
    """What past migrations tell.

    :param rates: bytes a second of each; what is no rate is left out
    """
    known = [float(rate) for rate in rates if math.isfinite(rate) and rate > 0]
    if not known:
        return Learned()
    if len(known) == 1:
        return Learned(known[0], 1, known[0], known[0])
    slow, middle, fast = statistics.quantiles(known, n=4, method="inclusive")
    return Learned(middle, len(known), slow, fast)


def estimate(
    sizes: Iterable[int], at_once: int, learned: Learned, groups: Iterable[Sequence[int]] = ()
) -> Duration:
    """How long it takes to migrate memories of these sizes, largest first.

    :param sizes: bytes
    :param groups: the sizes of those that move one after the other, by group
    """
    ordered = sorted(sizes, reverse=True)
    known = learned.samples >= ENOUGH_SAMPLES and learned.rate > 0
    rate = learned.rate if known else float(ASSUMED_RATE)

    def takes(size: int) -> float:
        return size / rate + (0 if known else ASSUMED_OVERHEAD)

    each = list(map(takes, ordered))
    free_at = [0.0] * max(at_once, 1)
    for seconds in each:
        heapq.heappush(free_at, heapq.heappop(free_at) + seconds)
    longest = max([*free_at, *(sum(map(takes, of)) for of in groups)])
    return Duration(longest, sum(each), at_once, rate, learned.samples if known else 0)


def within_limits(wanted: int, in_region: int, per_destination: int, destinations: int) -> int:
    """How many migrations run at a time where so many are wanted.

    :param in_region: the most of a region
    :param per_destination: the most to one host
    :param destinations: how many hosts receive; 0: not known
    """
    to_hosts = per_destination * destinations if destinations else wanted
    return min(wanted, in_region, to_hosts)


def of_plan(each: Sequence[Duration], hosts_at_once: int, in_region: int) -> Duration | None:
    """How long several hosts take; None where nothing is to be migrated.

    :param each: of each host that has something to be migrated, in the order of the plan
    :param hosts_at_once: hosts that are emptied at a time; 0: all
    :param in_region: the most migrations at once of all of them, see :func:`within_limits`
    """
    if not each:
        return None
    lanes = min(hosts_at_once or len(each), len(each))
    # However many hosts are emptied at a time, the region takes no more than its limit.
    work = sum(one.seconds_one_by_one for one in each) / max(in_region, 1)
    return Duration(
        max(_in_lanes(lanes, [one.seconds for one in each]), work),
        max(_in_lanes(lanes, [one.seconds_one_by_one for one in each]), work),
        each[0].at_once,
        each[0].rate,
        each[0].samples,
    )


def _in_lanes(lanes: int, seconds: Iterable[float]) -> float:
    """When the last one is done, where each begins as soon as there is a lane for it."""
    free_at = [0.0] * max(lanes, 1)
    for one in seconds:
        heapq.heappush(free_at, heapq.heappop(free_at) + one)
    return max(free_at)


def forecast(
    sizes_waiting: Iterable[int],
    in_progress: Iterable[float | tuple[int, float]],
    at_once: int,
    learned: Learned,
    groups: Iterable[Group] = (),
) -> Forecast:
    """How long a drain that runs still takes.

    :param sizes_waiting: bytes of memory of each instance that did not start yet, in the order in
        which they are begun
    :param in_progress: for each that did, the seconds that it is told to take from here
        (`convergence.Course.seconds_left`), or, where nothing is told, its bytes of memory and
        the seconds that it has taken so far. One that does not end is `math.inf`; so is then
        the drain.
    :param at_once: how many migrations run at a time
    :param groups: of those whose members move one after the other: the same of each, what waits and
        what is in progress
    """
    waiting = list(sizes_waiting)
    running = list(in_progress)
    each_group = list(groups)
    known, paces = three_paces(learned)
    low, likely, high = (
        max(
            [
                _until_the_last(
                    [pace.takes(size) for size in waiting],
                    [pace.still(one) for one in running],
                    max(at_once, 1),
                ),
                *(sum(map(pace.takes, of[0])) + sum(map(pace.still, of[1])) for of in each_group),
            ]
        )
        for pace in paces
    )
    return Forecast(low, likely, high, learned.samples if known else 0, not known)


def forecast_of_plan(
    begun: Sequence[Forecast], waiting: Sequence[Forecast], whole: Forecast, hosts_at_once: int
) -> Forecast:
    """How long several hosts still take.

    :param begun: of each host that is being emptied
    :param waiting: of each that is not yet, in the order of the plan
    :param whole: of all their instances as if they were on one host, at most so many at a time as
        the region takes
    :param hosts_at_once: hosts that are emptied at a time; 0: all
    """
    lanes = max(hosts_at_once or len(begun) + len(waiting), 1)

    def all_of(name: str) -> float:
        first, rest = ([getattr(one, name) for one in each] for each in (begun, waiting))
        return max(_until_the_last(rest, first, lanes), getattr(whole, name))

    return Forecast(all_of("low"), all_of("likely"), all_of("high"), whole.samples, whole.assumed)


def _until_the_last(waiting: list[float], running: list[float], at_once: int) -> float:
    """Where those that wait take the places of those that run, in their order.

    Where more run than may (the limit was lowered meanwhile), nobody takes the place of the first
    to end.
    """
    ends = sorted(running, reverse=True)
    free_at = (ends + [0.0] * at_once)[:at_once]
    heapq.heapify(free_at)
    for seconds in waiting:
        heapq.heappush(free_at, heapq.heappop(free_at) + seconds)
    return max(free_at)


def nominal_seconds(size: int) -> float:
    """What a migration of so many bytes of memory takes by assumption, its fixed part included:
    a measure by which instances of different sizes are compared."""
    return ASSUMED_OVERHEAD + size / ASSUMED_RATE


def measure_of(done: Iterable[tuple[int, float]], left: Iterable[int]) -> Callable[[int], float]:
    """What a migration of so many bytes of memory takes beside others of the same drain: a fixed
    part and one for each byte, by what those that are done took. Of the smallest and the largest,
    as long as none of them is done, it is assumed that their fixed part is the usual one. Few
    tell nothing: it is :func:`nominal_seconds`.

    :param done: of each that is done its bytes and the seconds that it took
    :param left: bytes of those that are not
    """
    by_size: dict[int, list[float]] = {}
    for size, seconds in done:
        if seconds > 0:
            # looks are not closer to each other
            by_size.setdefault(size, []).append(max(seconds, 1.0))
    # bytes, seconds, and how many there are of the size: one that does not end is no rule
    points = [(s, statistics.median(each), len(each)) for s, each in by_size.items()]
    count = sum(n for _, _, n in points)
    total = sum(size * n for size, _, n in points)
    if count < ENOUGH_SAMPLES or not total:
        return nominal_seconds
    fixed = min(ASSUMED_OVERHEAD, *(seconds for _, seconds, _ in points))
    each_byte = sum((seconds - fixed) * n for _, seconds, n in points) / total
    sizes = {*by_size, *left}
    unseen = {min(sizes), max(sizes)} - by_size.keys()
    points += [(size, fixed + each_byte * size, ASSUMED_SAMPLES) for size in unseen]
    if len(points) > 1:
        fixed, each_byte = _line(points)
    return lambda size: fixed + each_byte * size


def _line(points: Iterable[tuple[int, float, int]]) -> tuple[float, float]:
    """The line that is nearest to points, of which those that are higher count less; neither of
    its two parts is below 0.

    :param points: each with its weight
    """
    weighed = [(x, y, weight / y) for x, y, weight in points]
    total = sum(w for _, _, w in weighed)
    x_mean = sum(w * x for x, _, w in weighed) / total
    y_mean = sum(w * y for _, y, w in weighed) / total
    spread = sum(w * (x - x_mean) ** 2 for x, _, w in weighed)
    slope = sum(w * (x - x_mean) * (y - y_mean) for x, y, w in weighed) / spread
    if slope <= 0:
        return y_mean, 0.0
    if slope * x_mean > y_mean:
        return 0.0, sum(w * x * y for x, y, w in weighed) / sum(w * x * x for x, _, w in weighed)
    return y_mean - slope * x_mean, slope


def of_one(
    whole: float, elapsed: float, fraction: float | None, told: float | None
) -> tuple[float, float]:
    """What part of one in progress is done, and how many seconds it still takes by itself.

    :param whole: seconds that one of its size takes, see `measure_of`
    :param elapsed: seconds that it has taken so far
    :param fraction: of its bytes; None: nothing is told, as of one that moves shut off
    :param told: seconds that it is told to take from here, or None
    """
    elapsed = max(elapsed, 0.0)  # the clock was set back
    if fraction is None:
        part = min(elapsed / whole, 1.0) if whole > 0 else 0.0
        still = max(whole - elapsed, elapsed * OVERDUE[1])
    else:
        part, still = fraction, (1 - fraction) * whole
    return part, still if told is None else max(told, 0.0)


def at_own_pace(
    found: Forecast,
    done: float,
    left: float,
    busy_seconds: float,
    samples: int,
    longest: float = 0.0,
) -> Forecast:
    """A forecast corrected by how long the drain took for what it has done so far: with all that is
    not seen of a single migration (the pauses between them, how many Nova really runs at once).

    :param done: the measure of what is done, see `measure_of`, a part of what is in progress
        included
    :param left: … of the rest
    :param busy_seconds: for how long any of them was in progress
    :param samples: migrations that are done
    :param longest: seconds that the longest of those left takes by itself, or those of a group one
        after the other: however many run at a time, they end no sooner
    """
    if samples < ENOUGH_SAMPLES or done <= 0 or math.isinf(found.likely):
        return found
    likely = max(left * busy_seconds / done, longest)
    low, high = likely * OWN_PACE[0], likely * OWN_PACE[1]
    return Forecast(low, likely, high, samples, assumed=False)


def busy_seconds(spans: Iterable[tuple[float, float]]) -> float:
    """For how long at least one of these lasted; each from and until, in seconds."""
    total, until = 0.0, -math.inf
    for begun, ended in sorted(spans):
        total += max(ended - max(begun, until), 0.0)
        until = max(until, ended)
    return total

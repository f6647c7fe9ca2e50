"""How long a drain may take: an estimate from the size of the memory, and honest about it.

What is not known beforehand: how much the guests write meanwhile, whether disks are copied, how
many migrations Nova runs at once (1 for each host by default).
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Bytes a second of one migration where nothing was learned: some 1 Gbit/s.
ASSUMED_RATE = 100 * 1024**2
#: Fewer past migrations than this teach nothing.
ENOUGH_SAMPLES = 5
#: Seconds that a migration takes beside the copy, where nothing was learned.
ASSUMED_OVERHEAD = 5.0


@dataclass(frozen=True)
class Learned:
    """What past migrations of a region tell.

    :param rate: median of memory by time, bytes a second, all overhead included
    :param samples: of how many migrations
    """

    rate: float = 0.0
    samples: int = 0


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


def estimate(sizes: Iterable[int], at_once: int, learned: Learned) -> Duration:
    """How long it takes to migrate memories of these sizes, largest first.

    :param sizes: bytes
    """
    ordered = sorted(sizes, reverse=True)
    known = learned.samples >= ENOUGH_SAMPLES and learned.rate > 0
    rate = learned.rate if known else float(ASSUMED_RATE)
    each = [size / rate + (0 if known else ASSUMED_OVERHEAD) for size in ordered]
    return Duration(
        _in_lanes(at_once, each), sum(each), at_once, rate, learned.samples if known else 0
    )


def of_plan(each: Sequence[Duration], hosts_at_once: int, in_region: int) -> Duration | None:
    """How long several hosts take; None where nothing is to be migrated.

    :param each: of each host that has something to be migrated, in the order of the plan
    :param hosts_at_once: hosts that are emptied at a time; 0: all
    :param in_region: the most migrations at once in the region
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

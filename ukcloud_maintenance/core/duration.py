"""How long a drain may take: an estimate from the size of the memory, and honest about it.

What is not known beforehand: how much the guests write meanwhile, whether disks are copied, how
many migrations Nova runs at once (1 for each host by default).
"""

import heapq
from collections.abc import Iterable
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
    free_at = [0.0] * max(at_once, 1)
    for seconds in each:
        heapq.heappush(free_at, heapq.heappop(free_at) + seconds)
    return Duration(max(free_at), sum(each), at_once, rate, learned.samples if known else 0)

"""When the hosts of a run begin and end, by how long each takes and when the windows are open."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heapify, heappop, heappush
from statistics import median

from .windows import Opening, Windows, in_utc, length_of


@dataclass(frozen=True)
class Forecast:
    """When the hosts of a run begin and end.

    :param hosts: (begins, ends) of each, in UTC, in the order given; None for those that never fit
    :param never_fits: their places in that order
    :param ends: when the last one ends; None where some never fit, so that the run does not end
    """

    hosts: tuple[Opening | None, ...]
    never_fits: tuple[int, ...]
    ends: datetime | None


def forecast(
    windows: Windows,
    now: datetime,
    lengths: Sequence[float],
    at_once: int = 1,
    begun: Collection[int] = (),
    takes: Sequence[float] | None = None,
) -> Forecast:
    """When a run ends whose hosts take so long each.

    They begin in their order, at most `at_once` at a time, and none that would not end within the
    opening in which it begins. One that is longer than each opening of the time `AHEAD` when its
    turn has come never fits: it is left out, and the others go on. Failure domains are left aside;
    where they hold hosts back, a run takes longer.

    :param lengths: of each host, in seconds, from the beginning of its drain to its return
    :param begun: the places in that order of those that have begun: they go on from now for what
        their lengths say, whatever the windows are
    :param takes: how long each really takes, in seconds, where that is not its length: this is when
        it ends; whether it may begin goes by its length. None: as long as its length
    :raises ValueError: a length or `at_once` that makes no sense
    """
    if at_once < 1:
        raise ValueError(f"{at_once=}")
    turn = in_utc(now)
    takes = lengths if takes is None else takes
    hosts: list[Opening | None] = [None] * len(lengths)
    for place in begun:
        hosts[place] = (turn, turn + length_of(takes[place]))
    busy = [host[1] for host in hosts if host]  # when the places are free that are taken
    heapify(busy)
    closes: datetime | None = None  # of the opening in which the last one began
    for place, length in enumerate(map(length_of, lengths)):
        if place in begun:
            continue
        while len(busy) >= at_once:
            turn = max(turn, heappop(busy))
        if closes is not None and turn + length <= closes:
            begins = turn
        elif found := windows.begin(turn, length):
            begins, closes = found
        else:
            continue
        ends = begins + length_of(takes[place])
        heappush(busy, ends)
        hosts[place] = (begins, ends)
        turn = begins
    never = tuple(place for place, host in enumerate(hosts) if host is None)
    last = max((host[1] for host in hosts if host), default=turn)
    return Forecast(tuple(hosts), never, None if never else last)


def ends_at(
    windows: Windows, now: datetime, lengths: Sequence[float], at_once: int = 1
) -> datetime | None:
    """When such a run ends; None where a host never fits. :func:`forecast` says which."""
    return forecast(windows, now, lengths, at_once).ends


def corrected(seconds: float, taken: Collection[tuple[float, float]]) -> float:
    """How long a host is to take, by how far those were off that were done before it in its run:
    what was thought wrongly of them, how long the action lasts above all, was thought of it too.
    Less than the shortest of them it takes only where it was thought to.

    :param seconds: what was thought of it
    :param taken: what was thought of each host that is done, and what it took; where that is less
        than nothing the clock was set back, and it tells nothing
    """
    taken = [(thought, took) for thought, took in taken if took > 0]
    if not taken:
        return max(seconds, 1.0)
    off = median(took - thought for thought, took in taken)
    least = min(took for _thought, took in taken)
    return max(seconds + off, min(seconds, least), 1.0)

"""When the hosts of a run begin and end, by how long each takes and when the windows are open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush

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
    windows: Windows, now: datetime, lengths: Sequence[float], at_once: int = 1
) -> Forecast:
    """When a run ends whose hosts take so long each.

    They begin in their order, at most `at_once` at a time, and none that would not end within the
    opening in which it begins. One that is longer than each opening of the time `AHEAD` when its
    turn has come never fits: it is left out, and the others go on. Failure domains are left aside;
    where they hold hosts back, a run takes longer.

    :param lengths: of each host, in seconds, from the beginning of its drain to its return
    :raises ValueError: a length or `at_once` that makes no sense
    """
    if at_once < 1:
        raise ValueError(f"{at_once=}")
    turn = in_utc(now)
    busy: list[datetime] = []  # when the places are free that are taken
    hosts: list[Opening | None] = []
    closes: datetime | None = None  # of the opening in which the last one began
    for length in map(length_of, lengths):
        free = max(turn, busy[0]) if len(busy) >= at_once else turn
        if closes is not None and free + length <= closes:
            begins = free
        elif found := windows.begin(free, length):
            begins, closes = found
        else:
            hosts.append(None)
            continue
        if len(busy) >= at_once:
            heappop(busy)
        heappush(busy, begins + length)
        hosts.append((begins, begins + length))
        turn = begins
    never = tuple(place for place, host in enumerate(hosts) if host is None)
    last = max((host[1] for host in hosts if host), default=turn)
    return Forecast(tuple(hosts), never, None if never else last)


def ends_at(
    windows: Windows, now: datetime, lengths: Sequence[float], at_once: int = 1
) -> datetime | None:
    """When such a run ends; None where a host never fits. :func:`forecast` says which."""
    return forecast(windows, now, lengths, at_once).ends

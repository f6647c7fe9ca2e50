"""When the hosts of a rolling run are expected to take their turns."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from .. import store
from ..core.copying.duration import ASSUMED_SPREAD, LEARNED_SPREAD
from ..core.run.forecast import Forecast, corrected, forecast
from ..core.run.states import RUN_TERMINAL, STAGES_OVER, RunState, Stage
from ..core.run.windows import LONGEST, Opening, WindowError, Windows, parse_all
from ..store import Run, RunHost

#: Seconds at each of the three paces of a forecast: low, likely, high.
Paces = tuple[float, float, float]


def forecast_of_run(
    run: Run, hosts: Sequence[RunHost], now: datetime, longer: Mapping[int, float] | None = None
) -> Forecast | None:
    """Of the hosts that are not over, in their order; None: there are none, or it is over.

    :param longer: by how many seconds a host takes longer than it is forecast to, by its key
    """
    left = _left(hosts)
    if run.state in RUN_TERMINAL or not left:
        return None
    windows = _windows(run)
    if windows is None:
        return None
    expected = expectation(run, hosts, now)
    lengths = [_seconds_left(host, expected(host), now) for host in left]
    more = longer or {}
    takes = [
        min(max(seconds + more.get(host.pk, 0.0), 1.0), LONGEST)
        for host, seconds in zip(left, lengths, strict=True)
    ]
    begun = [place for place, one in enumerate(left) if one.stage != Stage.WAITING]
    return forecast(windows, now, lengths, run.at_once, begun, takes)


def _windows(run: Run) -> Windows | None:
    """None: the zone of one is not known on this machine."""
    try:
        return parse_all(run.windows)
    except WindowError:
        return None


def openings_of(hosts: Sequence[RunHost], found: Forecast | None) -> dict[int, Opening]:
    """When the hosts that are not over are forecast to begin and to end, by their key."""
    each = found.hosts if found else ()
    pairs = zip(_left(hosts), each, strict=False)
    return {host.pk: one for host, one in pairs if one is not None}


def turns(
    run: Run, hosts: Sequence[RunHost], now: datetime, drains: Mapping[int, Paces]
) -> dict[int, Paces]:
    """In how many seconds each host begins, at each pace, by its key. Those of which that cannot
    be told are left out: all of them while the run does not go on. Few queries.

    How long what comes after a drain takes is known no better than how fast memory is copied.

    :param drains: how long the drain of a host still takes at each pace, by its key
    """
    known = all(math.isfinite(seconds) for paces in drains.values() for seconds in paces)
    if run.state != RunState.RUNNING or not known:
        return {}
    was_seen = store.action_seconds(run.action) is not None
    spread = LEARNED_SPREAD if was_seen else ASSUMED_SPREAD
    expected = expectation(run, hosts, now)
    begins = []
    for n, factor in enumerate((1 / spread, 1.0, spread)):
        longer = {}
        for host in _left(hosts):
            drain = drains.get(host.pk, (0.0, 0.0, 0.0))
            rest = max(_seconds_left(host, expected(host), now) - drain[1], 0.0)
            longer[host.pk] = drain[n] - drain[1] + rest * (factor - 1)
        found = openings_of(hosts, forecast_of_run(run, hosts, now, longer))
        begins.append({key: (at - now).total_seconds() for key, (at, _ends) in found.items()})
    low, likely, high = begins
    return {
        key: (low[key], likely[key], high[key])
        for key in likely
        if key in low and key in high  # one that is late may find no window any more
    }


def _left(hosts: Sequence[RunHost]) -> list[RunHost]:
    return [host for host in hosts if host.stage not in STAGES_OVER]


def expectation(run: Run, hosts: Sequence[RunHost], now: datetime) -> Callable[[RunHost], float]:
    """How long each host of a run is to take, by the hosts of the run that are done. One query, or
    none.

    One that failed meanwhile tells nothing: it waited for a person. What a person has by hand may
    take a night for the same reason: where it is longer than every window, the next host is not
    measured by it, as no further one would ever begin.

    :param hosts: all of the run
    """
    done = [
        (one, (one.finished_at - one.started_at).total_seconds())
        for one in hosts
        if one.stage == Stage.DONE and one.started_at and one.finished_at
    ]
    failed = store.failed_meanwhile(run) if done else frozenset()
    taken = [(one.seconds, took) for one, took in done if one.host not in failed]
    windows = None if run.action else _windows(run)

    def seconds(host: RunHost) -> float:
        found = corrected(host.seconds, taken)
        if windows is not None and windows.never_fits(now, min(found, LONGEST)):
            return host.seconds
        return found

    return seconds


def _seconds_left(host: RunHost, seconds: float, now: datetime) -> float:
    """:param seconds: that it is to take, see :func:`expectation`"""
    if host.started_at is None or host.stage == Stage.WAITING:
        return seconds
    # what takes longer than was thought is taken to need as long again as a tenth of it
    spent = max((now - host.started_at).total_seconds(), 0.0)  # the clock may have been set back
    return max(seconds - spent, seconds / 10, 1.0)

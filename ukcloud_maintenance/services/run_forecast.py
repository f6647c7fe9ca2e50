"""When a run that was requested ends, by the database alone."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from ..core.run.forecast import Forecast, corrected, forecast
from ..core.run.states import RUN_TERMINAL, STAGES_OVER, Stage
from ..core.run.windows import WindowError, parse_all
from ..store import Run, RunHost


def forecast_of_run(run: Run, hosts: Sequence[RunHost], now: datetime) -> Forecast | None:
    """Of the hosts that are not over, in their order."""
    if run.state in RUN_TERMINAL:
        return None
    open_ones = [host for host in hosts if host.stage not in STAGES_OVER]
    if not open_ones:
        return None
    left = [_seconds_left(host, expected_seconds(host, hosts), now) for host in open_ones]
    begun = [place for place, one in enumerate(open_ones) if one.stage != Stage.WAITING]
    try:
        windows = parse_all(run.windows)
    except WindowError:  # its zone is not known on this machine
        return None
    return forecast(windows, now, left, run.at_once, begun)


def expected_seconds(host: RunHost, hosts: Iterable[RunHost]) -> float:
    """How long a host of a run is to take, by the hosts of the run that are done.

    :param hosts: all of its run
    """
    taken = [
        (one.seconds, (one.finished_at - one.started_at).total_seconds())
        for one in hosts
        if one.stage == Stage.DONE and one.started_at and one.finished_at
    ]
    return corrected(host.seconds, taken)


def _seconds_left(host: RunHost, seconds: float, now: datetime) -> float:
    if host.started_at is None or host.stage == Stage.WAITING:
        return seconds
    # what takes longer than was thought is taken to need as long again as a tenth of it
    spent = (now - host.started_at).total_seconds()
    return max(seconds - spent, seconds / 10, 1.0)

"""What stands against a further host at this moment, whatever the run itself says: each is asked
anew before each host."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from .. import settings, store
from ..actions import alerts
from ..cloud import Cloud
from ..core.facts import Service
from ..core.message import Message, message, some
from ..core.run.windows import WindowError, parse_all
from ..services.requests import DrainRequest
from ..services.runs import room_for
from ..store import Run


def window_is_shut(run: Run, seconds: float, host: str, now: datetime) -> Message | None:
    """Why no host may begin now that takes so long; None: it may."""
    try:
        windows = parse_all(run.windows)
    except WindowError as error:  # its zone is not known on this machine
        return error.said
    if windows.fits(now, seconds):
        return None
    opening = windows.next_opening(now)
    if windows.open_until(now) is not None:
        return message("run_too_long_for_window", host=host, seconds=int(seconds))
    if opening is None:
        return message("run_no_window")
    return message("run_waits_for_window", at=opening[0])


def fit_no_window(
    run: Run, hosts: Mapping[int, tuple[str, float]], now: datetime
) -> dict[int, Message]:
    """Why hosts will not begin in any window, by their key.

    :param hosts: the name of each, and how long it takes
    """
    try:
        windows = parse_all(run.windows)
    except WindowError:  # that is for `window_is_shut` to say
        return {}
    if windows.next_opening(now) is None:
        return {}
    found = {}
    for key, (host, seconds) in sorted(hosts.items(), key=lambda one: -one[1][1]):
        if not windows.never_fits(now, seconds):
            break  # nor do shorter ones
        found[key] = message("run_fits_no_window", host=host, seconds=int(seconds))
    return found


def hosts_are_down(run: Run, services: Iterable[Service]) -> Message | None:
    """Whether a host is down that was not when the run was requested; those that are in maintenance
    are somebody's work."""
    if not settings.current().gate_hosts_down:
        return None
    known = set(run.found_down) | store.away_hosts(run.region)
    down = sorted(one.host for one in services if not one.is_up and one.host not in known)
    return message("run_hosts_down", hosts=some(down), count=len(down)) if down else None


def instances_are_in_error(run: Run, cloud: Cloud) -> Message | None:
    """Whether an instance is in ERROR that was not when the run was requested. One request."""
    if not settings.current().gate_errors:
        return None
    ours = store.canary_names(run.region)
    found = {one: name for one, name in cloud.servers_in_error().items() if name not in ours}
    new = sorted(name for server, name in found.items() if server not in set(run.found_in_error))
    return message("run_instances_in_error", instances=some(new), count=len(new)) if new else None


def alerts_fire() -> Message | None:
    """Whether the query of the settings finds anything; what cannot be asked is no all-clear.

    :raises AlertsUnknown: it cannot be asked
    """
    asked = settings.current().alerts
    found = alerts.firing(asked) if asked is not None else []
    return alerts.holding(found) if found else None


def room_is_missing(
    run: Run, cloud: Cloud, hosts: Sequence[Service], services: Sequence[Service]
) -> Message | None:
    """Whether what runs on these hosts finds room on those that stay."""
    return room_for(cloud, hosts, request_of(run, hosts[0].host), services)[1]


def request_of(run: Run, host: str) -> DrainRequest:
    """What the drain of one of its hosts is requested with."""
    return DrainRequest(
        host=host,
        reason=run.reason,
        max_concurrent=run.max_concurrent,
        move_locked=run.move_locked,
        follow_estimate=run.follow_estimate,
        timeout_action=run.timeout_action,
    )

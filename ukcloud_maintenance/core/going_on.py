"""How a drain goes on that was paused, or that failed and is reopened for what is retried."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from .states import Direction, DrainState


class DrainLike(Protocol):
    """The part of a drain that is looked at."""

    @property
    def pk(self) -> Any: ...
    @property
    def state(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def maintenance_id(self) -> int | None: ...


class Paused(Protocol):
    """The part of a drain that is looked at when it is resumed or reopened."""

    @property
    def started_at(self) -> datetime | None: ...
    @property
    def stop_at(self) -> datetime | None: ...


@dataclass(frozen=True)
class HostNow:
    """What a host is doing now.

    :param drain: the number of its open drain, or None
    :param maintenance: that of the maintenance that it is in, or None
    :param is_returning: whether it is being returned to service
    """

    drain: int | None = None
    maintenance: int | None = None
    is_returning: bool = False


def can_be_reopened(drain: DrainLike, host: HostNow) -> bool:
    """Whether a drain that failed can be reopened as far as its host is concerned: that has no
    other open drain, is not being returned to service, and is still in the maintenance that the
    drain was part of. What runs on a host that was returned was never part of the drain."""
    if host.drain not in (None, drain.pk) or host.is_returning:
        return False
    if drain.direction != Direction.AWAY or drain.maintenance_id is None:
        return True
    return host.maintenance == drain.maintenance_id


def can_retry(drain: DrainLike, host: HostNow) -> bool:
    """Whether what failed in a drain can be retried as far as its host is concerned."""
    return not is_reopened(drain) or can_be_reopened(drain, host)


def is_reopened(drain: DrainLike) -> bool:
    """Whether it is reopened for what is retried in it: then it matters what its host is doing."""
    return drain.state == DrainState.FAILED


def resumed(drain: Paused, now: datetime) -> dict[str, Any]:
    """The fields of a drain that is resumed: where it was, with all its waits begun anew. A window
    that has ended is removed."""
    return {
        **_without_what_ended(drain, now),
        "state": DrainState.RUNNING if drain.started_at else DrainState.PENDING,
        "message": None,
        "blocked_since": None,
        "host_down_since": None,
        "cloud_down_since": None,
    }


def reopened(drain: Paused, now: datetime) -> dict[str, Any]:
    """The same of one that failed, and is reopened."""
    return {
        **resumed(drain, now),
        "state": DrainState.RUNNING,
        "result": "",
        "finished_at": None,
        "proving_since": None,
    }


def paused() -> dict[str, Any]:
    """The fields of a drain that is paused: it waits for nothing, and proves nothing."""
    fields = ("message", "blocked_since", "proving_since")
    return {"state": DrainState.PAUSED, **dict.fromkeys(fields)}


def _without_what_ended(drain: Paused, now: datetime) -> dict[str, Any]:
    is_over = drain.stop_at is not None and drain.stop_at <= now
    return {"stop_at": None} if is_over else {}

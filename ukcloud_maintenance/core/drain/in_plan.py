"""Whose turn it is in a plan: what one of its drains waits for."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from ..states import DRAIN_OPEN, DrainState


class MaintenanceLike(Protocol):
    """The part of a host's maintenance that is looked at."""

    @property
    def found_status(self) -> str: ...
    @property
    def disabled_at(self) -> datetime | None: ...


class DrainLike(Protocol):
    """The part of a drain that is looked at."""

    @property
    def host(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def plan_order(self) -> int: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def host_down_since(self) -> datetime | None: ...
    @property
    def maintenance(self) -> MaintenanceLike | None: ...


def ahead_of(
    drain: DrainLike, others: Iterable[DrainLike], at_once: int
) -> tuple[list[str], list[str]]:
    """The hosts whose service is still to be disabled, and the hosts before it that are being
    emptied, as far as the number at a time is full.

    :param others: the other drains of its plan
    :param at_once: how many hosts' instances move at a time; 0: all
    """
    still_open = [other for other in others if other.state in DRAIN_OPEN]
    taking = [
        other.host
        for other in still_open
        if other.host_down_since is None
        and not _is_disabled(other)
        and not _is_paused_before_start(other)
    ]
    before = [other.host for other in still_open if other.plan_order < drain.plan_order]
    return taking, before if at_once and len(before) >= at_once else []


def _is_disabled(drain: DrainLike) -> bool:
    known = drain.maintenance
    return known is not None and (known.found_status == "disabled" or bool(known.disabled_at))


def _is_paused_before_start(drain: DrainLike) -> bool:
    """Paused before it began: its service is not disabled until it is resumed."""
    return drain.state == DrainState.PAUSED and drain.started_at is None

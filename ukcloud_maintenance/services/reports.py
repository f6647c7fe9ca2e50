"""How far a drain is."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from .. import settings, store
from ..core.actor import RULE_VIEW, Actor
from ..core.copying import duration
from ..core.copying.duration import (
    Forecast,
    at_own_pace,
    busy_seconds,
    forecast,
    measure_of,
    of_one,
    within_limits,
)
from ..core.copying.patience import TimeoutBounds, TimeoutOutlook, timeout_outlook
from ..core.drain import needs
from ..core.message import message
from ..core.states import (
    DRAIN_TERMINAL,
    MIGRATION_IN_PROGRESS,
    MIGRATION_WAITING,
    DrainState,
    MigrationState,
)
from ..exceptions import Refused
from ..store import Drain, InstanceMigration, Plan
from .access import require
from .hosts import worker_status


def get_drain(
    actor: Actor, drain_id: int, *, rule: str = RULE_VIEW, outline: bool = False
) -> Drain:
    """One drain.

    :param outline: with no more than what tells whether it changed
    :raises Refused: there is no such drain
    """
    require(actor, rule)
    drain = store.drain_outline(drain_id) if outline else store.drain(drain_id)
    if drain is None:
        raise Refused(message("unknown_drain", id=drain_id))
    return drain


def open_drains(actor: Actor) -> list[Drain]:
    """The drains in progress in all regions, newest first."""
    require(actor, RULE_VIEW)
    return list(store.drains().exclude(state__in=[s.value for s in DRAIN_TERMINAL]))


@dataclass(frozen=True)
class DrainReport:
    """A drain with its instances and their counts, as of one moment, from the database alone.

    :ivar since: the revision of the drain that was seen already; of instances at rest that have not
        changed since, only an outline was read
    """

    drain: Drain
    migrations: list["store.InstanceMigration"]
    counts: store.Counts
    worker: store.WorkerStatus
    now: datetime = field(default_factory=store.now)
    #: how long it still takes; None where it is over, or nothing is left to be moved
    forecast: Forecast | None = None
    #: whether what failed can be tried again as far as the host is concerned
    can_retry: bool = True
    #: when each copy in progress times out and what becomes of it then, by the row's id
    timeouts: Mapping[int, TimeoutOutlook] = field(default_factory=dict)
    #: when the drain no longer waits for what is blocked, where it waits for nothing else
    blocked_until: datetime | None = None

    #: the hosts that those that have not left were to go to so far, by the row's id
    tried: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    since: int = 0

    @property
    def news(self) -> list[InstanceMigration]:
        """The instances that may look otherwise than at the revision that was seen: those that
        changed, and those in progress, of which the clock changes what is said."""
        return [
            row
            for row in self.migrations
            if row.revision > self.since or row.state in MIGRATION_IN_PROGRESS
        ]

    @cached_property
    def in_need(self) -> list[tuple[needs.Need, InstanceMigration]]:
        """The instances that need a person, and why; the worst first."""
        return needs.in_need(self.migrations, self.drain.state, can_retry=self.can_retry)


def drain_report(actor: Actor, drain_id: int, since: int = 0) -> DrainReport:
    """Everything that the drain page and `drain_status` show. Nova is not asked.

    :param since: the revision of the drain that was seen already, see `DrainReport.news`; 0: none
    """
    drain = get_drain(actor, drain_id)
    rows = store.migrations_since(drain, since) if since else list(store.migrations(drain))
    now = store.now()
    return DrainReport(
        drain,
        rows,
        store.counts_of(drain, rows),
        worker_status(actor),
        now=now,
        forecast=forecast_of(drain, rows),
        can_retry=store.can_retry(drain),
        timeouts=_timeouts(drain, rows, now),
        blocked_until=blocked_until(drain),
        tried=_tried(drain, rows, since),
        since=since,
    )


#: The states of instances that were to go somewhere, and did not.
_NOT_LEFT = MIGRATION_WAITING | {MigrationState.FAILED, MigrationState.UNKNOWN}


def _tried(drain: Drain, rows: list[InstanceMigration], since: int) -> dict[int, tuple[str, ...]]:
    """By one query, where some of what changed have."""
    of = [r.pk for r in rows if r.revision > since and r.attempts and r.state in _NOT_LEFT]
    return store.hosts_tried(of) if of else {}


def blocked_until(drain: Drain) -> datetime | None:
    """When a drain no longer waits for what is blocked, where it waits for nothing else."""
    if drain.state != DrainState.RUNNING or drain.blocked_since is None:
        return None
    return drain.blocked_since + timedelta(seconds=settings.current().blocked_wait_seconds)


def _timeouts(
    drain: Drain, rows: list[InstanceMigration], now: datetime
) -> dict[int, TimeoutOutlook]:
    bounds = TimeoutBounds(
        settings.current().timeout_seconds_per_gib, settings.current().timeout_min_seconds
    )
    found = {
        row.pk: timeout_outlook(row, drain.timeout_action, bounds, now)
        for row in rows
        if not needs.is_aborting(row)  # it is over in a moment
    }
    return {pk: outlook for pk, outlook in found.items() if outlook is not None}


def forecast_of(drain: Drain, rows: list[InstanceMigration]) -> Forecast | None:
    """From what this region has shown so far, and from what is in progress. A migration that does
    not end as it goes makes it infinite."""
    found = plain_forecast(drain, rows)
    if found is None:
        return None
    waiting, _moving = _to_be_moved(rows)
    some = any(row.state == MigrationState.SUCCEEDED for row in rows)
    arrived = store.copied([drain.pk]).get(drain.pk, []) if some else []
    return _at_own_pace(found, arrived, rows, waiting)


def plain_forecast(drain: Drain, rows: list[InstanceMigration]) -> Forecast | None:
    """The same as :func:`forecast_of`, whatever pace of its own the drain has."""
    if drain.state in DRAIN_TERMINAL:
        return None
    waiting, moving = _to_be_moved(rows)
    if not waiting and not moving:
        return None
    return forecast(waiting, moving, at_once(drain), store.learned_rate(drain.region))


def forecast_of_plan(plan: Plan, drains: Iterable[Drain]) -> Forecast | None:
    """The same of the drains of a plan that are open, in its order. Four queries."""
    still_open = [drain for drain in drains if drain.state not in DRAIN_TERMINAL]
    rows: dict[int, list[InstanceMigration]] = {drain.pk: [] for drain in still_open}
    for row in store.to_be_moved(rows) if rows else ():
        rows[row.drain_id].append(row)
    arrived = store.copied(d.pk for d in still_open if d.state == DrainState.RUNNING)
    learned = store.learned_rate(plan.region)
    every_size: list[int] = []
    every_moving: list[float | tuple[int, float]] = []
    begun: list[Forecast] = []
    to_begin: list[Forecast] = []
    for drain in still_open:
        waiting, moving = _to_be_moved(rows[drain.pk])
        if waiting or moving:
            found = forecast(waiting, moving, at_once(drain), learned)
            one = _at_own_pace(found, arrived.get(drain.pk, []), rows[drain.pk], waiting)
            (to_begin if drain.state == DrainState.PENDING else begun).append(one)
            every_size += waiting
            every_moving += moving
    if not begun and not to_begin:
        return None
    most = _within_limits(settings.current().max_in_region, still_open)
    # no shorter than this, in whatever order they come
    whole = forecast(sorted(every_size, reverse=True), every_moving, most, learned)
    return duration.forecast_of_plan(begun, to_begin, whole, plan.hosts_at_once)


def at_once(drain: Drain) -> int:
    """How many migrations of a drain run at a time."""
    wanted = min(drain.max_concurrent, drain.learned_limit or drain.max_concurrent)
    return _within_limits(wanted, [drain])


def _within_limits(wanted: int, drains: Collection[Drain]) -> int:
    """How many of so many run at a time, where all go to one host each, or to any."""
    named = {drain.destination for drain in drains}
    now = settings.current()
    count = 0 if "" in named else len(named)
    return within_limits(wanted, now.max_in_region, now.max_per_destination, count)


def _to_be_moved(
    rows: Iterable[InstanceMigration],
) -> tuple[list[int], list[float | tuple[int, float]]]:
    """What `forecast` takes: those that did not start yet, and those that did."""
    _waiting_rows, _moving_rows, waiting, moving = to_be_moved(rows)
    return waiting, moving


def to_be_moved(
    rows: Iterable[InstanceMigration],
) -> tuple[
    list[InstanceMigration], list[InstanceMigration], list[int], list[float | tuple[int, float]]
]:
    """The instances that did not start yet, in their order, and those that did; and what `forecast`
    takes of each."""
    now = store.now()
    waiting: list[InstanceMigration] = []
    begun: list[InstanceMigration] = []
    moving: list[float | tuple[int, float]] = []
    for row in rows:
        runs = row.state in MIGRATION_IN_PROGRESS and row.attempt.running_since is not None
        if needs.is_aborting(row):
            continue  # it is over in a moment, and not retried by itself
        if runs:
            begun.append(row)
        if needs.course_of(row) in needs.ENDLESS and runs:
            moving.append(math.inf)
        elif runs and row.attempt.seconds_left is not None:
            moving.append(row.attempt.seconds_left)
        elif runs:
            moving.append((row.memory_bytes, (now - row.attempt.running_since).total_seconds()))
        elif row.state in MIGRATION_IN_PROGRESS or row.state == MigrationState.PENDING:
            waiting.append(row)
    return waiting, begun, [row.memory_bytes for row in waiting], moving


def _at_own_pace(
    found: Forecast,
    arrived: list[store.Copied],
    rows: Iterable[InstanceMigration],
    waiting: list[int],
) -> Forecast:
    """Corrected by what this drain has done so far.

    :param arrived: those that were copied; of others that are at rest nothing is asked
    """
    now = store.now()
    spans = [(one.since.timestamp(), (one.until or now).timestamp()) for one in arrived]
    took = [
        (one.memory_bytes, until - since)
        for one, (since, until) in zip(arrived, spans, strict=True)
    ]
    running = [
        row
        for row in rows
        if row.state in MIGRATION_IN_PROGRESS and row.attempt.running_since is not None
    ]
    measure = measure_of(took, [*waiting, *(row.memory_bytes for row in running)])
    done = sum(measure(one.memory_bytes) for one in arrived)
    each = list(map(measure, waiting))
    left, longest = sum(each), max(each, default=0.0)
    for row in running:
        attempt = row.attempt
        spans.append((attempt.running_since.timestamp(), now.timestamp()))
        if needs.is_aborting(row):
            continue  # it is over in a moment, and not retried by itself
        whole, elapsed = measure(row.memory_bytes), (now - attempt.running_since).total_seconds()
        part, still = of_one(whole, elapsed, attempt.fraction, attempt.seconds_left)
        done, left = done + part * whole, left + (1 - part) * whole
        longest = max(longest, still)
    return at_own_pace(found, done, left, busy_seconds(spans), len(arrived), longest)

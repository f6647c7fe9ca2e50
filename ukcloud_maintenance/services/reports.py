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
    Group,
    Learned,
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


def drain_report(
    actor: Actor, drain_id: int, since: int = 0, worker: store.WorkerStatus | None = None
) -> DrainReport:
    """Everything that the drain page and `drain_status` show. Nova is not asked.

    :param since: the revision of the drain that was seen already, see `DrainReport.news`; 0: none
    :param worker: as it was just read, or None
    """
    drain = get_drain(actor, drain_id)
    rows = store.migrations_since(drain, since) if since else list(store.migrations(drain))
    now = store.now()
    return DrainReport(
        drain,
        rows,
        store.counts_of(drain, rows),
        worker or worker_status(actor),
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


@dataclass(frozen=True)
class ToBeMoved:
    """What a forecast stands on.

    :param waiting: the instances that did not start yet, in their order
    :param begun: those that did
    :param moving: what `forecast` takes of each of these
    """

    waiting: list[InstanceMigration] = field(default_factory=list)
    begun: list[InstanceMigration] = field(default_factory=list)
    moving: list[float | tuple[int, float]] = field(default_factory=list)

    @property
    def sizes(self) -> list[int]:
        return [row.memory_bytes for row in self.waiting]

    @property
    def groups(self) -> list[Group]:
        """Of each group whose members move one after the other."""
        found: dict[str, tuple[list[int], list[float | tuple[int, float]]]] = {}
        for row in self.waiting:
            found.setdefault(row.group, ([], []))[0].append(row.memory_bytes)
        for row, one in zip(self.begun, self.moving, strict=True):
            found.setdefault(row.group, ([], []))[1].append(one)
        found.pop("", None)
        return list(found.values())


def forecast_of(drain: Drain, rows: list[InstanceMigration]) -> Forecast | None:
    """From what this region has shown so far, and from what is in progress. A migration that does
    not end as it goes makes it infinite."""
    if drain.state in DRAIN_TERMINAL:
        return None
    left = to_be_moved(rows)
    if not left.waiting and not left.moving:
        return None
    some = any(row.state == MigrationState.SUCCEEDED for row in rows)
    arrived = store.copied([drain.pk]).get(drain.pk, []) if some else []
    return _forecast(drain, left, arrived, store.learned_rate(drain.region))


def _forecast(
    drain: Drain, left: ToBeMoved, arrived: list[store.Copied], learned: Learned
) -> Forecast:
    found = forecast(left.sizes, left.moving, at_once(drain), learned, left.groups)
    return _at_own_pace(found, arrived, left)


def forecast_of_plan(plan: Plan, drains: Iterable[Drain]) -> Forecast | None:
    """The same of the drains of a plan that are open, in its order. Four queries."""
    still_open = [drain for drain in drains if drain.state not in DRAIN_TERMINAL]
    rows: dict[int, list[InstanceMigration]] = {drain.pk: [] for drain in still_open}
    for row in store.to_be_moved(rows) if rows else ():
        rows[row.drain_id].append(row)
    arrived = store.copied(d.pk for d in still_open if d.state == DrainState.RUNNING)
    learned = store.learned_rate(plan.region)
    every = ToBeMoved()
    begun: list[Forecast] = []
    to_begin: list[Forecast] = []
    for drain in still_open:
        left = to_be_moved(rows[drain.pk])
        if left.waiting or left.moving:
            one = _forecast(drain, left, arrived.get(drain.pk, []), learned)
            (to_begin if drain.state == DrainState.PENDING else begun).append(one)
            every.waiting.extend(left.waiting)
            every.begun.extend(left.begun)
            every.moving.extend(left.moving)
    if not begun and not to_begin:
        return None
    most = _within_limits(settings.current().max_in_region, still_open)
    # no shorter than this, in whatever order they come
    sizes = sorted(every.sizes, reverse=True)
    whole = forecast(sizes, every.moving, most, learned, every.groups)
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


def to_be_moved(rows: Iterable[InstanceMigration]) -> ToBeMoved:
    """The instances that did not start yet, in their order, and those that did."""
    now = store.now()
    found = ToBeMoved()
    for row in rows:
        runs = row.state in MIGRATION_IN_PROGRESS and row.attempt.running_since is not None
        if needs.is_aborting(row):
            continue  # it is over in a moment, and not retried by itself
        if runs:
            found.begun.append(row)
        if needs.course_of(row) in needs.ENDLESS and runs:
            found.moving.append(math.inf)
        elif runs and row.attempt.seconds_left is not None:
            found.moving.append(row.attempt.seconds_left)
        elif runs:
            elapsed = (now - row.attempt.running_since).total_seconds()
            found.moving.append((row.memory_bytes, elapsed))
        elif row.state in MIGRATION_IN_PROGRESS or row.state == MigrationState.PENDING:
            found.waiting.append(row)
    return found


def _at_own_pace(found: Forecast, arrived: list[store.Copied], of: ToBeMoved) -> Forecast:
    """Corrected by what this drain has done so far.

    :param arrived: those that were copied; of others that are at rest nothing is asked
    """
    now = store.now()
    spans = [(one.since.timestamp(), (one.until or now).timestamp()) for one in arrived]
    took = [
        (one.memory_bytes, until - since)
        for one, (since, until) in zip(arrived, spans, strict=True)
    ]
    measure = measure_of(took, [row.memory_bytes for row in (*of.waiting, *of.begun)])
    done = sum(measure(one.memory_bytes) for one in arrived)
    left, longest = 0.0, 0.0
    in_turn: dict[str, float] = {}
    for row in (*of.waiting, *of.begun):
        still = whole = measure(row.memory_bytes)
        part = 0.0
        if row.state in MIGRATION_IN_PROGRESS and row.attempt.running_since is not None:
            attempt = row.attempt
            spans.append((attempt.running_since.timestamp(), now.timestamp()))
            elapsed = (now - attempt.running_since).total_seconds()
            part, still = of_one(whole, elapsed, attempt.fraction, attempt.seconds_left)
        done, left = done + part * whole, left + (1 - part) * whole
        longest = max(longest, still)
        if row.group:
            in_turn[row.group] = in_turn.get(row.group, 0.0) + still
    longest = max([longest, *in_turn.values()])
    return at_own_pace(found, done, left, busy_seconds(spans), len(arrived), longest)

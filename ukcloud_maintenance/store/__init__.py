"""Claims, compare-and-set transitions and the record: the only writer of the models' rows.

A row changes only from the state in which it was read: `filter(pk=…, state=…).update(…)`
touches one row or none, and none means that somebody else got there first
(:class:`~ukcloud_maintenance.exceptions.StaleState`). It needs no row locks and means the same
on SQLite, PostgreSQL and MariaDB. Every change raises the drain's `revision`, which pages poll.

Whatever goes by a time goes by :func:`now`, the database's clock, which is one for all processes
of all machines. It can be set back as well; so a stamp of what has happened that is later than
now proves nothing: the lease is void, the pass is due, the host is not known to be safe.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import IntegrityError, connection, models, transaction
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from ..core.actor import Actor
from ..core.copying.duration import Learned, learned_of
from ..core.drain.alarm import ARRIVED, NOWHERE, arrived_wrong
from ..core.facts import Server
from ..core.preflight.verdicts import Verdict
from ..core.states import (
    DRAIN_OPEN,
    DRAIN_TERMINAL,
    MIGRATION_LEFT,
    MIGRATION_TERMINAL,
    MIGRATION_UNDER_WAY,
    MIGRATION_WAITING,
    Direction,
    DrainResult,
    DrainState,
    Method,
    MigrationState,
    ReturnResult,
    Wish,
    check_drain_transition,
    check_migration_transition,
)
from ..exceptions import StaleState
from ..models import Drain, Event, HostMaintenance, InstanceMigration, Plan, Turn, Worker, host_key

# -- the clock -------------------------------------------------------------------------------

#: The clock of a server that is a process of its own, in any time zone or in UTC. PostgreSQL's
#: now() stands still in a transaction; MariaDB's NOW() is in the time zone of the session.
_CLOCKS = {"postgresql": "SELECT clock_timestamp()", "mysql": "SELECT UTC_TIMESTAMP(6)"}
#: For so many seconds a reading is carried on by the monotonic clock of this process, so that a
#: page costs one small query for it at most, and a pass one or two.
_READ_EVERY = 1.0
#: A reading that took longer, in seconds, is used once: the process may have been stopped between
#: the answer and the look at its own clock.
_READ_TAKES = 1.0
#: Two readings may be put down in another order than they were taken in: a stamp that is ahead by
#: less is none of the future. Not for what is certified: there nothing is later than now.
SLACK = timedelta(seconds=1)

#: How many times the longest lease or pause a stamp may be ahead that is still believed: a clock
#: that is set back delays by so much at most.
_BELIEVED = 2

_reading: tuple[datetime, float] | None = None


def now() -> datetime:
    """The time by the database's clock, aware and in UTC: the one clock of everything that is
    decided. The local clocks of workers and web servers differ, and are set while they run.

    SQLite has no clock but that of its machine, on which all who use the file are.

    :raises DatabaseError: it does not answer
    """
    global _reading
    query = _CLOCKS.get(connection.vendor)
    if query is None:
        return timezone.now()
    reading = _reading
    if reading is not None and time.monotonic() - reading[1] <= _READ_EVERY:
        return _carried_on(reading, time.monotonic())
    begun = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(query)
        [found] = cursor.fetchone()
    ended = time.monotonic()
    earliest = found.astimezone(UTC) if timezone.is_aware(found) else found.replace(tzinfo=UTC)
    # Somewhen in between it was that time. Where the last reading agrees, it is gone on with: time
    # is not to go back by what an answer took.
    guess = _carried_on(reading, ended) if reading else earliest
    read = min(max(guess, earliest), earliest + timedelta(seconds=ended - begun))
    if ended - begun <= _READ_TAKES:
        _reading = (read, ended)
    return read


def _carried_on(reading: tuple[datetime, float], until: float) -> datetime:
    return reading[0] + timedelta(seconds=until - reading[1])


#: What may be later than now: what is planned, and what is dealt with where it is read. That a
#: drain was asked for, and that a row was written, decides nothing.
_MAY_BE_AHEAD = frozenset(
    [
        "start_at",
        "stop_at",
        "not_before",
        "next_pass_at",
        "claimed_until",
        "verified_at",
        "safe_since",
        "created_at",
        "updated_at",
    ]
)
#: The fields that say when something happened.
_STAMPS = {
    model: tuple(
        field.attname
        for field in model._meta.concrete_fields
        if isinstance(field, models.DateTimeField) and field.name not in _MAY_BE_AHEAD
    )
    for model in (Drain, InstanceMigration, HostMaintenance)
}


def _back_to(row: Drain | InstanceMigration | HostMaintenance, at: datetime) -> dict[str, Any]:
    """What is to be set of a row that tells of the future: its waits begin anew, now."""
    limit = at + SLACK
    return {name: at for name in _STAMPS[type(row)] if (getattr(row, name) or at) > limit}


def set_back(
    drain: Drain, rows: Iterable[InstanceMigration], at: datetime, longest_pause: float
) -> bool:
    """Whether the clock was set back since these rows were written. What they say of times that
    are still to come is set to now, so that no wait lasts for as long as the step was.

    :param at: now, by the caller's clock; one that is behind the database's is not followed
    :param longest_pause: between two attempts, in seconds
    :raises StaleState: somebody else got there first
    """
    at = max(at, now())
    changed = False
    if fields := _back_to(drain, at):
        change_drain(drain, at, **fields)
        changed = True
    latest = at + timedelta(seconds=longest_pause)
    for row in rows:
        fields = _back_to(row, at)
        if row.not_before is not None and row.not_before > latest + SLACK:
            fields["not_before"] = latest
        if fields:
            change_migration(row, at, **fields)
            changed = True
    return changed


def set_back_host(maintenance: HostMaintenance, at: datetime) -> bool:
    """The same of an open maintenance.

    :raises StaleState: somebody else got there first
    """
    at = max(at, now())
    if fields := _back_to(maintenance, at):
        change_maintenance(maintenance, at, **fields)
    return bool(fields)


def clock_was_set_back() -> None:
    """A worker saw the database's clock go back: how old a verification is, and how long a pause
    lasts, is not known any more. Nothing is safe until somebody has looked again, at once; a look
    that began before counts for nothing."""
    HostMaintenance.objects.filter(open_key__isnull=False).update(
        verified_at=None, next_pass_at=None, looks=F("looks") + 1
    )
    Drain.objects.filter(Q(open_key__isnull=False) | Q(errand=True)).update(next_pass_at=None)


#: Whoever did something: an actor, or a worker by its name.
Who = Actor | str

# -- reading ---------------------------------------------------------------------------------


def drains(region: str | None = None) -> "QuerySet[Drain]":
    """All drains, newest first; of one region where it is given."""
    found = Drain.objects.select_related("maintenance")
    return found if region is None else found.filter(region=region)


def drain(drain_id: int) -> Drain | None:
    """One drain, or None."""
    return Drain.objects.select_related("maintenance").filter(pk=drain_id).first()


def drains_of(region: str, host: str) -> "QuerySet[Drain]":
    """The drains of exactly this host, newest first."""
    return drains().filter(host_key=host_key(region, host))


def find_drains(region: str, text: str = "", state: str = "") -> "QuerySet[Drain]":
    """The drains of a region, newest first, that hold a text and are in a state.

    :param text: looked for in host, reason and requester, without regard to case
    :param state: a drain's state, or `open` for all that are not over; empty for any
    """
    found = drains(region)
    if text:
        found = found.filter(
            Q(host__icontains=text) | Q(reason__icontains=text) | Q(requested_by__icontains=text)
        )
    if state == "open":
        found = found.filter(state__in=[s.value for s in DRAIN_OPEN])
    elif state:
        found = found.filter(state=state)
    return found


def open_drain_of(region: str, host: str) -> Drain | None:
    """The drain under way of exactly this host, or None."""
    return drains().filter(open_key=host_key(region, host)).first()


def draining_hosts(region: str) -> frozenset[str]:
    """The hosts of a region that are being drained, or about to be, by one query."""
    found = Drain.objects.filter(region=region, open_key__isnull=False, direction=Direction.AWAY)
    return frozenset(found.order_by().values_list("host", flat=True))


def away_hosts(region: str) -> frozenset[str]:
    """The hosts of a region that are being drained, or about to be, or are in maintenance: nothing
    is to be sent there. Two queries."""
    kept = HostMaintenance.objects.filter(region=region, open_key__isnull=False)
    return draining_hosts(region) | frozenset(kept.order_by().values_list("host", flat=True))


def migrations(drain: Drain) -> "QuerySet[InstanceMigration]":
    """The instances of a drain, in the order in which they are started."""
    return drain.migrations.order_by("position", "id")


def revision(drain_id: int) -> int | None:
    """The drain's revision, by one small query; None where there is no such drain."""
    return Drain.objects.filter(pk=drain_id).values_list("revision", flat=True).first()


def state_of(drain: Drain) -> str | None:
    """The drain's state as it is now, by one small query."""
    return Drain.objects.filter(pk=drain.pk).values_list("state", flat=True).first()


def cancel_choice(drain: Drain) -> dict[str, Any]:
    """What was chosen with its cancel, for a change that stands on it: a second thought is not
    to be lost."""
    return {"cancel_abort": drain.cancel_abort, "cancel_enable": drain.cancel_enable}


def looked_around(drain: Drain, now: datetime) -> None:
    """Remember when what is around the instances was looked at; nothing that is shown changes."""
    Drain.objects.filter(pk=drain.pk).update(looked_around_at=now)
    drain.looked_around_at = now


def travelling_groups(drain: Drain) -> frozenset[str]:
    """The anti-affinity groups of which a member is under way in another drain of the region."""
    return frozenset(
        InstanceMigration.objects.filter(
            drain__region=drain.region, state__in=[s.value for s in MIGRATION_UNDER_WAY]
        )
        .exclude(group="")
        .exclude(drain=drain)
        .values_list("group", flat=True)
    )


@dataclass(frozen=True)
class Traffic:
    """What is under way in a region, by our own record.

    :param total: migrations of all drains
    :param inbound: by destination, where Nova has told it
    :param anywhere: those whose destination is not known yet
    """

    total: int = 0
    inbound: Mapping[str, int] = field(default_factory=dict)
    anywhere: int = 0


def traffic(region: str) -> Traffic:
    """How much is under way in a region: one query."""
    rows = (
        InstanceMigration.objects.filter(
            drain__region=region,
            state__in=[MigrationState.SUBMITTED.value, MigrationState.MIGRATING.value],
        )
        .order_by()
        .values_list("dest_compute")
        .annotate(n=Count("id"))
    )
    found = dict(rows)
    anywhere = found.pop("", 0)
    return Traffic(sum(found.values()) + anywhere, found, anywhere)


def plan(plan_id: int) -> Plan | None:
    """One plan, or None."""
    return Plan.objects.filter(pk=plan_id).first()


def plans(region: str) -> "QuerySet[Plan]":
    """The plans of a region, newest first."""
    return Plan.objects.filter(region=region)


def drains_of_plan(plan_id: int) -> "QuerySet[Drain]":
    """The drains of a plan, in its order."""
    return drains().filter(plan_id=plan_id).order_by("plan_order", "id")


def ahead_of(drain: Drain) -> tuple[list[str], list[str]]:
    """What a drain of a plan waits for: the hosts whose service is still to be disabled, and the
    hosts before it that are being emptied, as far as the plan's number at a time is full. Both
    are empty for a drain that is in no plan. Two queries."""
    if drain.plan_id is None:
        return [], []
    others = list(drains_of_plan(drain.plan_id).exclude(pk=drain.pk))
    still_open = [other for other in others if other.state in DRAIN_OPEN]
    taking = [
        other.host
        for other in still_open
        if other.host_down_since is None and not _is_disabled(other) and not _is_on_hold(other)
    ]
    at_once = Plan.objects.values_list("hosts_at_once", flat=True).get(pk=drain.plan_id)
    before = [other.host for other in still_open if other.plan_order < drain.plan_order]
    return taking, before if at_once and len(before) >= at_once else []


def _is_disabled(drain: Drain) -> bool:
    known = drain.maintenance
    return known is not None and (known.found_status == "disabled" or bool(known.disabled_at))


def _is_on_hold(drain: Drain) -> bool:
    """Paused before it began: its service is not disabled until it is resumed."""
    return drain.state == DrainState.PAUSED and drain.started_at is None


@dataclass(frozen=True)
class Counts:
    """How many instances of a drain are in which state.

    :param arrived_wrong: those of the failed ones that left the host, and are not what they were
        before, see core.alarm
    """

    by_state: Mapping[str, int] = field(default_factory=dict)
    arrived_wrong: int = 0
    #: of a run back: those that are gone or arrived, and are not on the host that they were to
    #: come back to
    astray: int = 0

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def left(self) -> int:
        """Those that left the host: arrived elsewhere, well or not, or gone. Of a run back those
        that came back, and never one that went elsewhere."""
        gone = sum(self.by_state.get(state, 0) for state in MIGRATION_LEFT)
        return gone + self.arrived_wrong - self.astray

    @property
    def unknown(self) -> int:
        """Those of which it is not known where they run."""
        return self[MigrationState.UNKNOWN]

    @property
    def still_here(self) -> int:
        """Those that are known not to have left."""
        return self.total - self.left - self.unknown

    @property
    def need_a_look(self) -> bool:
        """Whether a person must look at one: the drain is no success, whatever else it came to."""
        return bool(self.unknown or self.arrived_wrong)

    def __getitem__(self, state: str) -> int:
        return self.by_state.get(state, 0)


def counts(drain_ids: Iterable[int]) -> dict[int, Counts]:
    """The counts of several drains, by one query."""
    ids = list(drain_ids)
    found: dict[int, dict[str, int]] = {drain_id: {} for drain_id in ids}
    wrong, astray = dict.fromkeys(ids, 0), dict.fromkeys(ids, 0)
    went_wrong = Q(state=MigrationState.FAILED, code__startswith=ARRIVED)
    went = Q(drain__direction=Direction.BACK) & (Q(state=MigrationState.GONE) | went_wrong)
    elsewhere_now = ~Q(dest_compute="") & ~Q(dest_compute=F("drain__host"))
    went &= Q(server_status="DELETED") | Q(code=NOWHERE) | elsewhere_now
    rows = (
        InstanceMigration.objects.filter(drain_id__in=ids)
        .order_by()
        .values_list("drain_id", "state")
        .annotate(
            n=Count("id"),
            arrived=Count("id", filter=went_wrong),
            elsewhere=Count("id", filter=went),
        )
    )
    for drain_id, state, number, arrived, elsewhere in rows:
        found[drain_id][state] = number
        wrong[drain_id] += arrived
        astray[drain_id] += elsewhere
    return {
        drain_id: Counts(by_state, wrong[drain_id], astray[drain_id])
        for drain_id, by_state in found.items()
    }


def counts_of(drain: Drain, rows: Iterable[InstanceMigration]) -> Counts:
    """The same of one drain whose rows were read already."""
    by_state: dict[str, int] = {}
    wrong = astray = 0
    for row in rows:
        by_state[row.state] = by_state.get(row.state, 0) + 1
        wrong += arrived_wrong(row)
        went = row.state == MigrationState.GONE or arrived_wrong(row)
        if drain.direction == Direction.BACK and went:
            nowhere = row.server_status == "DELETED" or row.code == NOWHERE
            astray += nowhere or row.dest_compute not in ("", drain.host)
    return Counts(by_state, wrong, astray)


@dataclass(frozen=True)
class HostRecord:
    """What the database knows of one host: the last drain away from it, its counts, an open
    maintenance; whether the host is safe to power off.

    :ivar returned: the maintenance that a return ended of late, or None
    :ivar run_back: what is bringing instances back to it, or None
    """

    drain: Drain
    counts: Counts
    maintenance: HostMaintenance | None
    safe: bool = False
    returned: HostMaintenance | None = None
    run_back: Drain | None = None

    @property
    def returning(self) -> bool:
        """Whether the host is being given back to service."""
        return self.maintenance is not None and self.maintenance.returning_since is not None


def host_records(
    region: str, verified_after: datetime | None = None, returned_after: datetime | None = None
) -> dict[str, HostRecord]:
    """The latest drain of every host of a region that ever had one, by host: four queries.

    :param verified_after: what was verified before this is not called safe; None: nothing is
    :param returned_after: since when a host that was given back is told of; None: no one is
    """
    newest = (
        Drain.objects.filter(region=region, direction=Direction.AWAY)
        .order_by()
        .values("host_key")
        .annotate(newest=Max("id"))
        .values_list("newest", flat=True)
    )
    wanted = Q(pk__in=list(newest)) | Q(
        region=region, open_key__isnull=False, direction=Direction.BACK
    )
    found_drains = list(Drain.objects.filter(wanted))
    latest = [d for d in found_drains if d.direction == Direction.AWAY]
    back = {d.host_key: d for d in found_drains if d.direction == Direction.BACK}
    asked = Q(open_key__isnull=False)
    if returned_after is not None:
        asked |= Q(closed_at__gte=returned_after, returning_since__isnull=False)
    maintenances: dict[str, HostMaintenance] = {}
    returned: dict[str, HostMaintenance] = {}
    for found in HostMaintenance.objects.filter(asked, region=region).order_by("closed_at"):
        (returned if found.open_key is None else maintenances)[found.host_key] = found

    def given_back(drain: Drain) -> HostMaintenance | None:
        last = returned.get(drain.host_key)
        before = last and last.closed_at and last.closed_at <= drain.created_at
        return None if before else last

    tally = counts(d.pk for d in latest)
    return {
        d.host: HostRecord(
            d,
            tally[d.pk],
            maintenances.get(d.host_key),
            is_safe(maintenances.get(d.host_key), verified_after),
            given_back(d),
            back.get(d.host_key),
        )
        for d in latest
        if d.region == region
    }


def is_safe(maintenance: HostMaintenance | None, verified_after: datetime | None) -> bool:
    """Whether a host is known to be safe to power off, by a verification that is new enough, and
    not of the future: how old one is that is dated ahead of the clock cannot be told."""
    return (
        maintenance is not None
        and maintenance.open_key is not None
        and maintenance.returning_since is None
        and maintenance.safe_since is not None
        and maintenance.verified_at is not None
        and verified_after is not None
        and verified_after <= maintenance.verified_at <= now()
    )


def open_maintenance(region: str, host: str) -> HostMaintenance | None:
    """The maintenance under way of exactly this host, or None."""
    return HostMaintenance.objects.filter(open_key=host_key(region, host)).first()


def learned_rate(region: str, newest: int = 200) -> Learned:
    """How fast live migrations of a region were of late: one query.

    Only the time in which a migration ran counts, not what it waited in Nova's queue.
    """
    rows = (
        InstanceMigration.objects.filter(
            drain__region=region,
            state=MigrationState.SUCCEEDED,
            method=Method.LIVE,
            running_since__isnull=False,
            finished_at__isnull=False,
            memory_bytes__gt=0,
        )
        .order_by("-finished_at")
        .values_list("memory_bytes", "running_since", "finished_at")[:newest]
    )
    rates = [
        memory / seconds
        for memory, since, until in rows
        if (seconds := (until - since).total_seconds()) > 0
    ]
    return learned_of(rates)


@dataclass(frozen=True)
class WorkerStatus:
    """Whether any worker is at work.

    :param alive: one has reported within the time that the settings allow
    :param seen_at: when the last one reported, or None where none ever did
    :param problem: what keeps the living ones from working, or empty
    :param names: the living ones
    """

    alive: bool
    seen_at: datetime | None
    problem: str
    names: tuple[str, ...]


def worker_status(now: datetime, silent_seconds: float) -> WorkerStatus:
    """The signs of life of the workers, by one query."""
    # What is dated ahead of the clock is no sign of life: a living one reports again at once.
    workers = list(Worker.objects.filter(seen_at__lte=now + SLACK).order_by("-seen_at")[:50])
    limit = now - timedelta(seconds=silent_seconds)
    living = [w for w in workers if w.seen_at >= limit and w.stopped_at is None]
    well = [w for w in living if not w.problem]
    problem = "" if well or not living else living[0].problem
    return WorkerStatus(
        alive=bool(living),
        seen_at=workers[0].seen_at if workers else None,
        problem=problem,
        names=tuple(w.name for w in living),
    )


# -- asking ----------------------------------------------------------------------------------


def all_or_none() -> AbstractContextManager[None]:
    """A block in which all rows are written, or none."""
    return transaction.atomic()


@contextmanager
def in_turn(region: str) -> Iterator[None]:
    """A block in which drains of a region are asked for: all rows are written, or none, and nobody
    else is in such a block of the region. It begins with a write, as every transaction (see
    `_touch`), and takes its lock before all others."""
    turn = Turn.objects.filter(region_key=host_key(region, ""))
    if not turn.exists():
        Turn.objects.get_or_create(region_key=host_key(region, ""))
    with transaction.atomic():
        turn.update(taken=F("taken") + 1)
        yield


class DrainExists(StaleState):
    """The host has an open drain already. `drain` is it, or None where it is just over."""

    def __init__(self, drain: Drain | None):
        super().__init__("the host has an open drain")
        self.drain = drain


class BeingReturned(StaleState):
    """The host is being given back to service. `maintenance` is what that is part of."""

    def __init__(self, maintenance: HostMaintenance):
        super().__init__("the host is being given back to service")
        self.maintenance = maintenance


class DestinationAway(StaleState):
    """Instances cannot be sent to a host: it is being drained itself, or is in maintenance.

    `drain` is what drains it, or None.
    """

    def __init__(self, host: str, drain: Drain | None):
        super().__init__(f"host {host} is drained or in maintenance")
        self.host = host
        self.drain = drain


class IsDestination(StaleState):
    """A host cannot be drained: `drain` is open, and sends instances to it."""

    def __init__(self, drain: Drain):
        super().__init__(f"drain {drain.pk} sends instances there")
        self.drain = drain


class GivenBack(StaleState):
    """The host was given back to service since the drain was over."""

    def __init__(self) -> None:
        super().__init__("the host was given back to service since")


def check_destination(region: str, host: str) -> None:
    """:raises DestinationAway: the host is being drained, or about to be, or in maintenance"""
    found = open_drain_of(region, host)
    if found and found.direction == Direction.AWAY:
        raise DestinationAway(host, found)
    if open_maintenance(region, host):
        raise DestinationAway(host, None)


def check_no_destination(region: str, host: str) -> None:
    """What is on its way to the host already is no reason, and neither is the estimate of a drain
    that follows it: both are seen to by the worker.

    :raises IsDestination: an open drain was told to send instances to exactly this host
    """
    sends = Drain.objects.filter(region=region, open_key__isnull=False, direction=Direction.AWAY)
    sends = sends.exclude(state=DrainState.CANCELLING)
    for one in sends.exclude(destination=""):
        if one.destination == host:
            raise IsDestination(one)
    rows = InstanceMigration.objects.filter(
        drain__in=sends, state__in=[s.value for s in MIGRATION_WAITING]
    ).exclude(destination="")
    for row in rows.select_related("drain"):
        if row.destination == host:
            raise IsDestination(row.drain)


class Entry(NamedTuple):
    """One instance of a new drain.

    :param choice: the admin's own choice for it, see core.preflight.Choice
    :param note: why, in the admin's words
    :param group: the hard anti-affinity group that it is in
    :param planned_host: where the preflight's estimate would place it
    """

    server: Server
    verdict: Verdict
    choice: str = ""
    note: str = ""
    group: str = ""
    planned_host: str = ""


def create_drain(
    *,
    region: str,
    host: str,
    service_id: str,
    reason: str,
    max_concurrent: int,
    destination: str,
    actor_id: str,
    actor: str,
    planned: Iterable["Entry | tuple[Server, Verdict]"],
    project_names: Mapping[str, str],
    now: datetime,
    follow_plan: bool = False,
    move_locked: bool = True,
    plan: Plan | None = None,
    plan_order: int = 0,
    start_at: datetime | None = None,
    stop_at: datetime | None = None,
    timeout_action: str = "warn",
) -> Drain:
    """Write a drain and its instance migrations in one transaction.

    That the host is safe to power off is withdrawn with it.

    :raises DrainExists: the host has an open drain, whoever was first
    :raises BeingReturned: the host is being given back to service, whoever was first
    :raises DestinationAway: the destination is drained or in maintenance, whoever was first
    :raises IsDestination: another drain sends instances to the host, whoever was first
    """
    key = host_key(region, host)
    try:
        with in_turn(region):
            check_no_destination(region, host)
            if destination:
                check_destination(region, destination)
            maintenance = _take_maintenance(key)
            new = Drain.objects.create(
                region=region,
                host=host,
                host_key=key,
                open_key=key,
                service_id=service_id,
                reason=reason,
                max_concurrent=max_concurrent,
                destination=destination,
                follow_plan=follow_plan,
                move_locked=move_locked,
                plan=plan,
                plan_order=plan_order,
                start_at=start_at,
                stop_at=stop_at,
                timeout_action=timeout_action,
                requested_by_id=actor_id,
                requested_by=actor,
                created_at=now,
                updated_at=now,
            )
            InstanceMigration.objects.bulk_create(
                _new_row(new, Entry(*entry), position, project_names, now)
                for position, entry in enumerate(planned)
            )
            asked_by = Actor(actor_id, actor)
            _event(new, None, now, "drain_requested", asked_by, reason)
            if maintenance and maintenance.safe_since:
                why = "A drain of this host was asked for."
                HostMaintenance.objects.filter(pk=maintenance.pk).update(**_withdrawn(why, now))
                _event(new, None, now, "safe_withdrawn", asked_by, why, "", maintenance)
    except IntegrityError as error:
        raise DrainExists(open_drain_of(region, host)) from error
    return new


def _new_row(
    drain: Drain,
    entry: Entry,
    position: int,
    project_names: Mapping[str, str],
    now: datetime,
) -> InstanceMigration:
    server, verdict = entry.server, entry.verdict
    return InstanceMigration(
        drain=drain,
        server_id=server.id,
        server_name=server.name[:255],
        project_id=server.project_id,
        project_name=project_names.get(server.project_id, "")[:255],
        flavor_name=server.flavor_name[:255],
        vcpus=server.vcpus,
        memory_bytes=server.memory_bytes,
        disk_bytes=server.disk_bytes,
        local_disk_bytes=server.local_disk_bytes,
        state=verdict.state.value,
        method=verdict.method.value,
        choice=entry.choice,
        note=entry.note[:255],
        group=entry.group,
        planned_host=entry.planned_host,
        code=verdict.code,
        message=verdict.message,
        position=position,
        initial_status=server.status,
        server_status=server.status,
        task_state=server.task_state or "",
        source_compute=drain.host,
        finished_at=now if verdict.state in MIGRATION_TERMINAL else None,
        created_at=now,
        updated_at=now,
    )


def create_plan(
    *, region: str, reason: str, hosts_at_once: int, actor_id: str, actor: str, now: datetime
) -> Plan:
    """Write a plan; its drains are written with it, in one transaction of the caller's.

    :param hosts_at_once: how many hosts' instances move at a time; 0: all
    """
    return Plan.objects.create(
        region=region,
        reason=reason,
        hosts_at_once=hosts_at_once,
        requested_by_id=actor_id,
        requested_by=actor,
        created_at=now,
    )


def is_untouched(drain: Drain) -> bool:
    """Whether no worker has begun with it: neither the service nor an instance was touched."""
    return drain.started_at is None and drain.state in (DrainState.PENDING, DrainState.PAUSED)


def cancel_drain(
    drain: Drain, actor: Who, now: datetime, *, abort: bool = False, enable: bool = False
) -> DrainState:
    """Cancel a drain in the state in which it was read; the state it is in then.

    One that no worker has begun with is cancelled at once; any other is cancelling until what
    flies has landed. One that is cancelling already can be told to abort what flies.

    :param abort: abort what is under way, rather than let it land
    :param enable: enable the service again, if its reason is still the one that we wrote
    :raises StaleState: the drain changed meanwhile
    """
    if is_untouched(drain):
        with transaction.atomic():
            finish_drain(
                drain,
                DrainState.CANCELLED,
                DrainResult.CANCELLED,
                "Cancelled before it began; nothing was touched.",
                actor,
                now,
                cancelled_by=str(actor),
            )
            InstanceMigration.objects.filter(
                drain=drain, state__in=[s.value for s in MIGRATION_WAITING]
            ).update(
                state=MigrationState.CANCELLED.value,
                message="The drain was cancelled before it began.",
                finished_at=now,
                updated_at=now,
            )
        return DrainState(drain.state)
    how = "what is under way is aborted" if abort else "what is under way lands"
    then = "the service is enabled again" if enable else "the service is left as it is"
    # The wait for what flies has one bound, which a second thought does not extend; for what is
    # aborted after all another one begins.
    again = drain.state == DrainState.CANCELLING and abort == drain.cancel_abort
    fields: dict[str, Any] = {}
    if drain.state == DrainState.PAUSED:  # which ends neither wait; now they end the drain
        fields = {"host_down_since": None, "cloud_down_since": None}
    change_drain(
        drain,
        now,
        expect=cancel_choice(drain),
        state=DrainState.CANCELLING,
        cancelled_by=str(actor),
        cancelling_since=drain.cancelling_since if again else now,
        cancel_abort=abort,
        cancel_enable=enable,
        next_pass_at=None,
        message=CANCELLING,
        event=("drain_cancelled", actor, f"{how[0].upper()}{how[1:]}; {then}."),
        **fields,
    )
    return DrainState(drain.state)


def pause_drain(drain: Drain, actor: Who, now: datetime) -> None:
    """Start nothing new; what flies lands.

    :raises StaleState: the drain changed meanwhile
    """
    change_drain(
        drain,
        now,
        state=DrainState.PAUSED,
        message="",
        blocked_since=None,
        proving_since=None,
        next_pass_at=None,
        event=("drain_paused", actor, ""),
    )


def resume_drain(drain: Drain, actor: Who, now: datetime) -> None:
    """Go on. A window that is over is forgotten.

    :raises StaleState: the drain changed meanwhile
    """
    fields: dict[str, Any] = {}
    if drain.stop_at is not None and drain.stop_at <= now:
        fields["stop_at"] = None
    change_drain(
        drain,
        now,
        expect={"stop_at": drain.stop_at},
        state=DrainState.RUNNING if drain.started_at else DrainState.PENDING,
        message="",
        blocked_since=None,
        host_down_since=None,
        cloud_down_since=None,
        next_pass_at=None,
        event=("drain_resumed", actor, ""),
        **fields,
    )


def reopen_drain(drain: Drain, actor: Who, now: datetime) -> None:
    """Go on with a drain that failed, for what is retried, in the maintenance that it was part of.

    :raises DrainExists: the host has another open drain
    :raises BeingReturned: the host is being given back to service
    :raises GivenBack: it was given back since: what runs on it now was never part of this
    :raises DestinationAway: where it sends instances to is drained or in maintenance
    :raises IsDestination: another drain sends instances to the host
    :raises StaleState: the drain changed meanwhile
    """
    fields: dict[str, Any] = {}
    if drain.stop_at is not None and drain.stop_at <= now:
        fields["stop_at"] = None
    away = drain.direction == Direction.AWAY
    try:
        with in_turn(drain.region):
            change_drain(
                drain,
                now,
                state=DrainState.RUNNING,
                open_key=drain.host_key,
                result="",
                message="",
                finished_at=None,
                blocked_since=None,
                proving_since=None,
                host_down_since=None,
                cloud_down_since=None,
                next_pass_at=None,
                event=("drain_reopened", actor, ""),
                **fields,
            )
            maintenance = _take_maintenance(drain.host_key)
            if away:
                check_no_destination(drain.region, drain.host)
            if drain.destination:
                check_destination(drain.region, drain.destination)
            if (
                away
                and drain.maintenance_id
                and drain.maintenance_id != (maintenance and maintenance.pk)
            ):
                raise GivenBack
            if away and maintenance and maintenance.safe_since:
                why = "What had failed on this host is tried again."
                HostMaintenance.objects.filter(pk=maintenance.pk).update(**_withdrawn(why, now))
                _event(drain, None, now, "safe_withdrawn", actor, why, "", maintenance)
    except IntegrityError as error:
        raise DrainExists(open_drain_of(drain.region, drain.host)) from error
    except StaleState:
        drain.refresh_from_db()  # nothing of it was written
        raise


def may_reopen(drain: Drain) -> bool:
    """Whether a drain that failed could go on, see :func:`reopen_drain`: the host has no other open
    drain, and is still in the maintenance that the drain was part of."""
    if Drain.objects.filter(open_key=drain.host_key).exclude(pk=drain.pk).exists():
        return False
    if drain.direction != Direction.AWAY or not drain.maintenance_id:
        return True
    return HostMaintenance.objects.filter(
        pk=drain.maintenance_id, open_key__isnull=False, returning_since__isnull=True
    ).exists()


def adjust_drain(drain: Drain, actor: Who, now: datetime, text: str, **fields: Any) -> None:
    """Change the pace, the window or the timeout of a drain.

    :param text: what changed, in words
    :raises StaleState: the drain changed meanwhile
    """
    if "max_concurrent" in fields:
        fields["nova_runs_more"] = False  # it was judged by the old number
    change_drain(drain, now, event=("drain_changed", actor, text), next_pass_at=None, **fields)


def make_wish(drain: Drain, row: InstanceMigration, wish: Wish, actor: Who, now: datetime) -> None:
    """Ask for something of Nova for one instance; a worker asks Nova.

    :raises StaleState: somebody else asked first, or the instance is further by now
    """
    kind = {Wish.ABORT: "abort_asked", Wish.FORCE: "force_asked"}.get(wish, "reset_asked")
    with transaction.atomic():
        _touch(drain.pk, now)
        change_migration(
            row,
            now,
            expect={"wish": "", "nova_migration_id": row.nova_migration_id},
            event=(kind, actor, "", ""),
            wish=wish.value,
            wish_by=str(actor),
            wish_at=now,
            wish_migration_id=row.nova_migration_id,
            answer="",
        )
        Drain.objects.filter(pk=drain.pk).update(errand=True, next_pass_at=None)
    drain.errand = True


def errand_done(drain: Drain, now: datetime) -> None:
    """Nothing is asked for any more, unless somebody asked since it was looked at."""
    with transaction.atomic():
        _touch(drain.pk, now)  # whoever asks takes this lock first
        if not drain.migrations.exclude(wish="").exists():
            Drain.objects.filter(pk=drain.pk).update(errand=False)
            drain.errand = False


def retry_instance(
    drain: Drain, row: InstanceMigration, actor: Who, now: datetime, destination: str = ""
) -> None:
    """Put an instance back in the line, with all its attempts; a drain that failed goes on.

    :param destination: the host that it is to go to, or empty: where the others of the drain go,
        whatever an earlier retry named
    :raises DrainExists: the drain is over, and the host has another open one
    :raises DestinationAway: where it is to go is drained or in maintenance
    :raises StaleState: somebody else got there first
    """
    with in_turn(drain.region):
        if destination:
            check_destination(drain.region, destination)
        if drain.state == DrainState.FAILED:
            reopen_drain(drain, actor, now)
        change_migration(
            row,
            now,
            event=("retried", actor, f"to {destination}" if destination else "", ""),
            state=MigrationState.PENDING,
            granted=row.attempts,
            destination=destination,
            code="",
            message="",
            answer="",
            not_before=None,
            odd_since=None,
            late_since=None,
            timed_out_at=None,
            timeout_asked="",
            # whoever tries it again has seen to what was there, or names another host
            unfit_hosts={},
        )
        changed = Drain.objects.filter(pk=drain.pk, state=drain.state).update(
            next_pass_at=None, blocked_since=None, proving_since=None
        )
        if changed != 1:  # it ended: nobody would work on what is put back in its line
            raise StaleState(f"drain {drain.pk} is not {drain.state} any more")


def skip_instance(drain: Drain, row: InstanceMigration, actor: Who, now: datetime) -> None:
    """Take an instance off the list: it stays, because somebody chose that.

    :raises StaleState: somebody else got there first
    """
    change_migration(
        row,
        now,
        event=("skipped", actor, "", ""),
        state=MigrationState.SKIPPED,
        code="skipped",
        message=f"Taken off the list by {actor}. {row.message}".strip(),
    )
    Drain.objects.filter(pk=drain.pk).update(next_pass_at=None)


def put_first(drain: Drain, row: InstanceMigration, actor: Who, now: datetime) -> None:
    """Make an instance the next one, whatever it waited for.

    :raises StaleState: somebody else got there first
    """
    with transaction.atomic():
        _touch(drain.pk, now)
        lowest = drain.migrations.aggregate(lowest=Min("position"))["lowest"] or 0
        change_migration(
            row,
            now,
            event=("first", actor, "", ""),
            position=min(lowest, 0) - 1,
            not_before=None,
        )
        Drain.objects.filter(pk=drain.pk).update(next_pass_at=None)


# -- changing --------------------------------------------------------------------------------


def change_drain(
    drain: Drain,
    now: datetime,
    *,
    event: tuple[str, Who, str] | None = None,
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Change a drain, only if it is still in the state in which it was read.

    :param expect: further fields that must still be so
    :param event: (kind, actor, message) to record with it
    :param fields: the fields to set; `state` is checked against the allowed transitions
    :raises StaleState: it is not
    """
    old = drain.state
    new = str(fields.get("state", old))
    if new != old:
        check_drain_transition(old, new)
        fields["state"] = new
    else:
        fields.pop("state", None)
    with transaction.atomic():
        changed = Drain.objects.filter(pk=drain.pk, state=old, **(expect or {})).update(
            **fields, updated_at=now, revision=F("revision") + 1
        )
        if changed != 1:
            raise StaleState(f"drain {drain.pk} is not as it was read any more ({old})")
        if event:
            _event(drain, None, now, event[0], event[1], event[2])
    for name, value in fields.items():
        setattr(drain, name, value)
    drain.updated_at = now


def finish_drain(
    drain: Drain,
    state: DrainState,
    result: DrainResult,
    message: str,
    actor: Who,
    now: datetime,
    *,
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """End a drain, and give its host free for another one.

    :param expect: see :func:`change_drain`
    """
    if state not in DRAIN_TERMINAL:
        raise ValueError(f"{state} is not an end")
    change_drain(
        drain,
        now,
        state=state,
        result=result.value,
        message=message,
        finished_at=now,
        open_key=None,
        claimed_by="",
        claimed_until=None,
        event=(f"drain_{state.value}", actor, message),
        expect=expect,
        **fields,
    )


def expect_nothing_open(drain: Drain) -> None:
    """Called in the transaction that ends a drain, after it.

    :raises StaleState: something was put back in the line since the rows were read
    """
    if drain.migrations.exclude(state__in=[s.value for s in MIGRATION_TERMINAL]).exists():
        raise StaleState(f"an instance of drain {drain.pk} is open again")


def change_migration(
    row: InstanceMigration,
    now: datetime,
    *,
    event: tuple[str, Who, str, str] | None = None,
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Change an instance migration, only if it is still in the state and the attempt in which
    it was read.

    :param expect: further fields that must still be so
    :param event: (kind, actor, message, request id) to record with it
    :param fields: the fields to set; `state` is checked against the allowed transitions
    :raises StaleState: somebody else got there first
    """
    old = row.state
    new = str(fields.get("state", old))
    if new != old:
        check_migration_transition(old, new)
        fields["state"] = new
        if new in MIGRATION_TERMINAL:
            fields.setdefault("finished_at", now)
        elif old in MIGRATION_TERMINAL:
            fields.setdefault("finished_at", None)
    else:
        fields.pop("state", None)
    with transaction.atomic():
        _touch(row.drain_id, now)
        changed = InstanceMigration.objects.filter(
            pk=row.pk, state=old, attempts=row.attempts, **(expect or {})
        ).update(**fields, updated_at=now)
        if changed != 1:
            raise StaleState(f"server {row.server_id} is not {old} any more")
        if event:
            _event(row.drain, row, now, event[0], event[1], event[2], event[3])
    for name, value in fields.items():
        setattr(row, name, value)
    row.updated_at = now


def add_server(
    drain: Drain, server: Server, verdict: Verdict, actor: Who, now: datetime, group: str = ""
) -> InstanceMigration | None:
    """A server that appeared on the host joins the drain; None where it is in it already."""
    try:
        with transaction.atomic():
            _touch(drain.pk, now)
            last = drain.migrations.aggregate(last=Max("position"))["last"]
            row = _new_row(drain, Entry(server, verdict, group=group), (last or 0) + 1, {}, now)
            row.save(force_insert=True)
            _event(
                drain, row, now, "joined", actor, "It appeared on the host after the drain began."
            )
    except IntegrityError:
        return None
    return row


def _touch(drain_id: int, now: datetime) -> None:
    """Raise the revision.

    Every transaction does this, or changes the drain's row in another way, before anything
    else: it takes the lock that all of them take first. One that begins by reading fails on
    SQLite where another one writes; one that inserts a row with a foreign key to the drain
    shares its lock on MariaDB, and two that do so and then raise the revision are a deadlock.
    """
    Drain.objects.filter(pk=drain_id).update(revision=F("revision") + 1, updated_at=now)


def record(
    drain: Drain | None,
    row: InstanceMigration | None,
    now: datetime,
    kind: str,
    actor: Who,
    message: str,
    request_id: str = "",
) -> None:
    """Record what was done."""
    with transaction.atomic():
        if drain:
            _touch(drain.pk, now)
        _event(drain, row, now, kind, actor, message, request_id)


def record_of_host(
    maintenance: HostMaintenance,
    now: datetime,
    kind: str,
    actor: Who,
    message: str,
    request_id: str = "",
) -> None:
    """Record what was done with a host in maintenance, also in the timeline of its newest drain."""
    newest = drains_in(maintenance).last()
    with transaction.atomic():
        if newest:
            _touch(newest.pk, now)
        _event(newest, None, now, kind, actor, message, request_id, maintenance)


def verify_soon(maintenance: HostMaintenance) -> None:
    """Let a worker look at a host in maintenance as soon as one is free."""
    HostMaintenance.objects.filter(pk=maintenance.pk).update(next_pass_at=None)


def _event(
    drain: Drain | None,
    row: InstanceMigration | None,
    now: datetime,
    kind: str,
    actor: Who,
    message: str,
    request_id: str = "",
    maintenance: HostMaintenance | None = None,
) -> None:
    Event.objects.create(
        drain=drain,
        maintenance=maintenance,
        migration=row,
        at=now,
        kind=kind,
        actor=str(actor),
        actor_id=actor.id if isinstance(actor, Actor) else "",
        message=message,
        request_id=request_id,
    )


# -- the maintenance of a host ---------------------------------------------------------------


def join_maintenance(
    drain: Drain, *, found_status: str, found_reason: str, service_id: str, now: datetime
) -> HostMaintenance:
    """The open maintenance of the drain's host, which a first drain opens.

    The service as found is recorded by the first drain alone. One that was closed by hand (the
    service is enabled although we disabled it) is closed here, and a new one is opened.
    """
    with transaction.atomic():
        _touch(drain.pk, now)
        found = HostMaintenance.objects.filter(open_key=drain.host_key).first()
        if found and found.disabled_at and found_status == "enabled":
            close_maintenance(found, now)
            found = None
        if found is None:
            found = HostMaintenance.objects.create(
                region=drain.region,
                host=drain.host,
                host_key=drain.host_key,
                open_key=drain.host_key,
                service_id=service_id,
                found_status=found_status,
                found_reason=found_reason[:255],
                opened_at=now,
            )
        change_drain(drain, now, maintenance=found)
    return found


def intend_to_disable(maintenance: HostMaintenance, reason: str) -> None:
    """Record the reason that is about to be written to the service, before it is."""
    HostMaintenance.objects.filter(pk=maintenance.pk).update(
        our_reason=reason, disabled_at=None, revision=F("revision") + 1
    )
    maintenance.our_reason = reason
    maintenance.disabled_at = None


def disabled(maintenance: HostMaintenance, now: datetime) -> None:
    """Record that the service is disabled with our reason."""
    HostMaintenance.objects.filter(pk=maintenance.pk).update(
        disabled_at=now, revision=F("revision") + 1
    )
    maintenance.disabled_at = now


def close_maintenance(maintenance: HostMaintenance, now: datetime) -> None:
    """The host is back in service."""
    HostMaintenance.objects.filter(pk=maintenance.pk, closed_at=None).update(
        open_key=None, closed_at=now, revision=F("revision") + 1
    )


def maintenance(maintenance_id: int) -> HostMaintenance | None:
    """One maintenance, or None."""
    return HostMaintenance.objects.filter(pk=maintenance_id).first()


def newest_maintenance(region: str, host: str) -> HostMaintenance | None:
    """The maintenance of exactly this host that is open, or that was opened last, or None."""
    return HostMaintenance.objects.filter(host_key=host_key(region, host)).order_by("-id").first()


def is_recorded(region: str, host: str) -> bool:
    """Whether a drain or a maintenance of exactly this host is on record."""
    return drains_of(region, host).exists() or maintenances_of(region, host).exists()


def drains_in(maintenance: HostMaintenance) -> "QuerySet[Drain]":
    """The drains of this maintenance away from its host, oldest first."""
    return maintenance.drains.filter(direction=Direction.AWAY).order_by("id")


def left_in(maintenance: HostMaintenance) -> list[InstanceMigration]:
    """The instances that the drains of this maintenance moved away, the newest row of each."""
    rows = InstanceMigration.objects.filter(
        drain__maintenance=maintenance,
        drain__direction=Direction.AWAY,
        state=MigrationState.SUCCEEDED,
    ).order_by("drain_id", "position", "id")
    return list({row.server_id: row for row in rows}.values())


def newest_moves(
    region: str, server_ids: Iterable[str], but: Drain | None = None
) -> dict[str, InstanceMigration]:
    """The last move of each server by any of our runs in a region, done or in progress, by server;
    one query.

    :param but: a run whose own are left out
    """
    moved = {MigrationState.SUCCEEDED, *MIGRATION_UNDER_WAY}
    rows = InstanceMigration.objects.filter(
        server_id__in=list(server_ids),
        drain__region=region,
        state__in=[state.value for state in moved],
        submitted_at__isnull=False,
    )
    if but is not None:
        rows = rows.exclude(drain=but)
    ordered = rows.select_related("drain").order_by("submitted_at", "id")
    return {row.server_id: row for row in ordered}


def return_run(maintenance: HostMaintenance) -> Drain | None:
    """The run that brings instances back, of the return under way or of the one that ended this
    maintenance; None where nothing is brought back."""
    if maintenance.returning_since is None:
        return None
    # It is written with the request, and after it. Their times do not tell: of an earlier return,
    # which was refused, they may be the later ones.
    requested = Event.objects.filter(maintenance=maintenance, kind="return_requested")
    return Drain.objects.filter(
        direction=Direction.BACK,
        events__maintenance=maintenance,
        events__kind="return_run_requested",
        events__id__gt=Subquery(requested.order_by("-id").values("id")[:1]),
    ).first()


def change_maintenance(
    maintenance: HostMaintenance,
    now: datetime,
    *,
    event: tuple[str, Who, str, str] | None = None,
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Change an open maintenance, only if nothing that is shown of it changed since it was read.

    :param expect: further fields that must still be so
    :param event: (kind, actor, message, request id) to record with it, also in the timeline of
        the newest drain
    :raises StaleState: somebody else got there first
    """
    with _changing(maintenance, now, [event] if event else [], expect, **fields):
        pass
    maintenance.revision += 1
    for name, value in fields.items():
        setattr(maintenance, name, value)


@contextmanager
def _changing(
    maintenance: HostMaintenance,
    now: datetime,
    events: Iterable[tuple[str, Who, str, str]],
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Iterator[Drain | None]:
    """Change an open maintenance and record events, in one transaction with the block; the
    newest drain is locked before the maintenance, as everywhere."""
    events = list(events)
    newest = drains_in(maintenance).last() if events else None
    with transaction.atomic():
        if newest:
            _touch(newest.pk, now)
        changed = HostMaintenance.objects.filter(
            pk=maintenance.pk, closed_at=None, revision=maintenance.revision, **(expect or {})
        ).update(**fields, revision=F("revision") + 1)
        if changed != 1:
            raise StaleState(f"the maintenance of {maintenance.host} changed meanwhile")
        for kind, actor, message, request_id in events:
            _event(newest, None, now, kind, actor, message, request_id, maintenance)
        yield newest


def _take_maintenance(key: str) -> HostMaintenance | None:
    """The open maintenance of a host that is to be drained, locked, and changed for everybody
    who has read it: what they found out is void.

    :raises BeingReturned: it is being given back
    """
    if not HostMaintenance.objects.filter(open_key=key).update(revision=F("revision") + 1):
        return None
    found = HostMaintenance.objects.get(open_key=key)
    if found.returning_since:
        raise BeingReturned(found)
    return found


def _withdrawn(why: str, now: datetime) -> dict[str, Any]:
    return {"safe_since": None, "withdrawn_at": now, "withdrawn_why": why}


def _believable(looked_at: datetime) -> datetime | None:
    """When a look began, or None where the clock was set back since, or was another one: how old
    it is would not be known later."""
    current = now()
    return min(looked_at, current) if looked_at <= current + SLACK else None


def verified(
    maintenance: HostMaintenance,
    *,
    checks: list[Any],
    safe: bool,
    why: str,
    looked_at: datetime,
    actor: Who,
    now: datetime,
    clear_message: bool = False,
) -> bool:
    """Record what a verification found; whether anything changed but the time of the look.

    :param checks: the checks as they are kept, see core.certificate
    :param clear_message: what was said of the maintenance is not true any more
    :param why: what kept it from being safe, as it is to be shown if it was safe until now
    :param looked_at: when the look began: the certificate is not younger than that. One that is
        dated ahead of the database's clock finds out what is wrong, and proves nothing.
    :raises StaleState: the host is drained or given back meanwhile, or somebody else claimed it
        or looked at it since it was read: that is counted, since times do not tell who was later
    """
    verified_at = _believable(looked_at)
    was = maintenance.safe_since is not None
    fields: dict[str, Any] = {}
    event = None
    if checks != maintenance.checks:
        fields["checks"] = checks
    if clear_message:
        fields["message"] = ""
    if safe and not was and verified_at:
        fields["safe_since"] = verified_at
        event = ("safe_to_power_off", actor, "Every check holds.", "")
    elif safe and was and verified_at and maintenance.safe_since > verified_at:
        fields["safe_since"] = verified_at  # the clock was set back
    elif was and not safe:
        fields |= _withdrawn(why, now)
        event = ("safe_withdrawn", actor, why, "")
    newest = drains_in(maintenance).last() if event else None
    shown = {**fields, "revision": F("revision") + 1} if fields else {}
    with transaction.atomic():
        if newest:
            _touch(newest.pk, now)
        changed = HostMaintenance.objects.filter(
            pk=maintenance.pk,
            closed_at=None,
            returning_since=None,
            revision=maintenance.revision,
            looks=maintenance.looks,
        ).update(**shown, verified_at=verified_at, looks=F("looks") + 1)
        if changed != 1 or Drain.objects.filter(open_key=maintenance.host_key).exists():
            raise StaleState(f"the maintenance of {maintenance.host} changed meanwhile")
        if event:
            _event(newest, None, now, *event, maintenance)
    maintenance.revision += bool(fields)
    maintenance.looks += 1
    for name, value in {**fields, "verified_at": verified_at}.items():
        setattr(maintenance, name, value)
    return bool(fields)


def withdraw(maintenance: HostMaintenance, why: str, actor: Who, now: datetime) -> None:
    """The host is not known to be safe to power off any longer.

    :raises StaleState: somebody else got there first, be it by another look alone
    """
    change_maintenance(
        maintenance,
        now,
        expect={"looks": maintenance.looks},
        event=("safe_withdrawn", actor, why, ""),
        **_withdrawn(why, now),
    )


# -- the return to service -------------------------------------------------------------------


class ReturnRun(NamedTuple):
    """The instances that are brought back after a return to service.

    :param entries: `planned_host` is not used: they all go to the host that is given back
    :param note: what is not brought back, and why, for the record
    """

    reason: str
    max_concurrent: int
    actor_id: str
    entries: Iterable[Entry]
    project_names: Mapping[str, str]
    note: str = ""


def request_return(
    maintenance: HostMaintenance,
    *,
    choice: str,
    actor: Who,
    now: datetime,
    words: str = "",
    run: ReturnRun | None = None,
) -> Drain | None:
    """Ask for the return of a host to service, and for its instances to be brought back where
    there is a `run`: that run.

    :param words: what was asked for, for the record
    :raises DrainExists: the host has an open drain
    :raises StaleState: the maintenance changed since it was read, e.g. somebody else asked
    """
    fields: dict[str, Any] = {
        "returning_since": now,
        "returned_by": str(actor),
        "return_choice": choice,
        "enabling_since": None,
        "enabled_at": None,
        "return_result": "",
        "message": "Waiting for a worker.",
        "next_pass_at": None,
    }
    events: list[tuple[str, Who, str, str]] = [("return_requested", actor, words, "")]
    if maintenance.safe_since:
        why = "The host is being given back to service."
        fields |= _withdrawn(why, now)
        events.append(("safe_withdrawn", actor, why, ""))
    made = None
    if maintenance.returning_since:
        raise StaleState(f"host {maintenance.host} is being given back already")
    with _changing(maintenance, now, events, **fields):
        if open_drain := Drain.objects.filter(open_key=maintenance.host_key).first():
            raise DrainExists(open_drain)
        if run:
            made = create_return_run(maintenance, run, actor, now)
    maintenance.revision += 1
    for name, value in fields.items():
        setattr(maintenance, name, value)
    return made


def create_return_run(
    maintenance: HostMaintenance, run: ReturnRun, actor: Who, now: datetime
) -> Drain:
    """Write the run that brings instances back to a host, and a row for each instance, with
    where it is now as its source. It is a drain like others, in the other direction, and stands
    in the way of another one."""
    key = maintenance.host_key
    made = Drain.objects.create(
        direction=Direction.BACK,
        region=maintenance.region,
        host=maintenance.host,
        host_key=key,
        open_key=key,
        service_id=maintenance.service_id,
        maintenance=maintenance,
        reason=run.reason,
        max_concurrent=run.max_concurrent,
        destination=maintenance.host,
        requested_by_id=run.actor_id,
        requested_by=str(actor),
        message="Waiting for the host to be back in service.",
        created_at=now,
        updated_at=now,
    )
    rows = []
    for position, entry in enumerate(run.entries):
        row = _new_row(made, entry, position, run.project_names, now)
        row.source_compute = entry.server.host
        rows.append(row)
    InstanceMigration.objects.bulk_create(rows)
    said = f"{run.reason}\n{run.note}".strip()
    _event(made, None, now, "return_run_requested", actor, said, "", maintenance)
    return made


def intend_to_enable(maintenance: HostMaintenance, now: datetime) -> None:
    """Record that Nova is about to be asked to enable the service.

    :raises StaleState: somebody else got there first
    """
    change_maintenance(
        maintenance, now, enabling_since=now, message="Nova is asked to enable the service."
    )


def enabled(
    maintenance: HostMaintenance, message: str, actor: Who, request_id: str, now: datetime
) -> None:
    """Record that Nova enabled the service because we asked for it.

    :raises StaleState: somebody else got there first
    """
    change_maintenance(
        maintenance,
        now,
        enabled_at=now,
        message=message,
        event=("service_enabled", actor, message, request_id),
    )


def finish_return(
    maintenance: HostMaintenance, result: ReturnResult, message: str, actor: Who, now: datetime
) -> None:
    """The maintenance is over.

    :raises StaleState: somebody else got there first
    """
    change_maintenance(
        maintenance,
        now,
        open_key=None,
        closed_at=now,
        return_result=result.value,
        message=message,
        event=("host_returned", actor, message, ""),
    )


def give_up_return(maintenance: HostMaintenance, message: str, actor: Who, now: datetime) -> None:
    """The host is not given back: its maintenance stays open, and what was to be brought back
    stays where it is.

    :raises StaleState: somebody else got there first
    """
    run = return_run(maintenance)
    if run and run.state in DRAIN_TERMINAL:
        run = None
    # without a run the change is a transaction of its own, which must not begin by reading
    with transaction.atomic() if run else nullcontext():
        if run:
            cancel_drain(run, actor, now)
        change_maintenance(
            maintenance,
            now,
            returning_since=None,
            enabling_since=None,
            return_result=ReturnResult.REFUSED.value,
            message=message,
            event=("return_refused", actor, message, ""),
        )


# -- workers ---------------------------------------------------------------------------------


#: The longest pause between two passes, in seconds, where whoever claims does not say it. A worker
#: does: its settings may ask for longer ones.
LONGEST_PAUSE = 300.0


def _free(now: datetime, lease_seconds: float) -> Q:
    """What nobody holds. A lease that ends later than any could that was taken by now is void."""
    latest = now + timedelta(seconds=_BELIEVED * lease_seconds)
    return Q(claimed_until=None) | Q(claimed_until__lt=now) | Q(claimed_until__gt=latest)


def _due(
    now: datetime, longest_pause: float, regions: Iterable[str] | None, at_once: Q | None = None
) -> Q:
    """What is to be looked at by now, or is put off for longer than any pause is."""
    latest = now + timedelta(seconds=_BELIEVED * longest_pause)
    due = Q(next_pass_at=None) | Q(next_pass_at__lte=now) | Q(next_pass_at__gt=latest)
    due |= at_once or Q()
    return due if regions is None else due & Q(region__in=list(regions))


def claim(
    worker: str,
    now: datetime,
    lease_seconds: float,
    regions: Iterable[str] | None = None,
    longest_pause: float = LONGEST_PAUSE,
) -> Drain | None:
    """Take the drain that is due first and that nobody holds, of those that are open or have an
    errand; None where none is.

    :param regions: the regions that the worker can log in to, or None for any
    :param longest_pause: of any worker between two passes, in seconds

    A claim spares two workers from doing the same reads. It is not what keeps them from doing
    the same change: that is the compare-and-set of each row.
    """
    free, due = _free(now, lease_seconds), _due(now, longest_pause, regions)
    wanted = Q(state__in=[s.value for s in DRAIN_OPEN]) | Q(errand=True)
    candidates = (
        Drain.objects.filter(free, due, wanted)
        .order_by(F("next_pass_at").asc(nulls_first=True), "id")
        .values_list("pk", flat=True)[:20]
    )
    for drain_id in list(candidates):
        taken = Drain.objects.filter(free, due, wanted, pk=drain_id).update(
            claimed_by=worker,
            claimed_until=now + timedelta(seconds=lease_seconds),
            next_pass_at=now,  # NULL from here on: a pass was asked for, see `release`
        )
        if taken == 1:
            return drain(drain_id)
    return None


def claim_host(
    worker: str,
    now: datetime,
    lease_seconds: float,
    regions: Iterable[str] | None = None,
    longest_pause: float = LONGEST_PAUSE,
) -> HostMaintenance | None:
    """Take the open maintenance that is due first and that nobody holds, in the manner of
    :func:`claim`; None where none is.

    While the host is drained it is left alone; while it is given back it is due whatever else
    is under way. What whoever had it before still finds out counts for nothing.
    """
    free = _free(now, lease_seconds)
    ahead = Q(verified_at__gt=now, safe_since__isnull=False, returning_since=None)
    due = _due(now, longest_pause, regions, ahead) & Q(closed_at=None)
    candidates = (
        HostMaintenance.objects.filter(free, due, open_key__isnull=False)
        .filter(
            Q(returning_since__isnull=False)
            | ~Exists(Drain.objects.filter(open_key=OuterRef("host_key")))
        )
        .order_by(F("next_pass_at").asc(nulls_first=True), "id")
        .values_list("pk", flat=True)[:20]
    )
    for maintenance_id in list(candidates):
        taken = HostMaintenance.objects.filter(free, due, pk=maintenance_id).update(
            claimed_by=worker,
            claimed_until=now + timedelta(seconds=lease_seconds),
            looks=F("looks") + 1,
        )
        if taken == 1:
            return maintenance(maintenance_id)
    return None


def release_host(maintenance: HostMaintenance, worker: str, next_pass_at: datetime | None) -> None:
    """Give a host back to be taken again after a time; at once where its return was asked for
    since it was read."""
    held = HostMaintenance.objects.filter(pk=maintenance.pk, claimed_by=worker)
    free: dict[str, Any] = {"claimed_by": "", "claimed_until": None}
    if not held.filter(returning_since=maintenance.returning_since).update(
        **free, next_pass_at=next_pass_at
    ):
        held.update(**free, next_pass_at=None)


def renew_host(maintenance: HostMaintenance, worker: str, until: datetime) -> bool:
    """Keep a host that this worker holds; whether it does (still)."""
    held = HostMaintenance.objects.filter(pk=maintenance.pk, claimed_by=worker)
    return held.update(claimed_until=until) == 1


def release(drain: Drain, worker: str, next_pass_at: datetime | None) -> None:
    """Give a drain back, to be taken again by any worker after a time; at once where that was
    asked for since it was claimed."""
    held = Drain.objects.filter(pk=drain.pk, claimed_by=worker)
    free: dict[str, Any] = {"claimed_by": "", "claimed_until": None}
    if not held.filter(next_pass_at__isnull=False).update(**free, next_pass_at=next_pass_at):
        held.update(**free)


def renew(drain: Drain, worker: str, until: datetime) -> bool:
    """Keep a drain that this worker holds; whether it does (still)."""
    held = Drain.objects.filter(pk=drain.pk, claimed_by=worker)
    return held.update(claimed_until=until) == 1


def sign_of_life(name: str, host: str, pid: int, now: datetime, problem: str = "") -> None:
    """A worker is alive."""
    changed = Worker.objects.filter(name=name).update(
        seen_at=now, stopped_at=None, problem=problem[:1000]
    )
    if not changed:
        Worker.objects.get_or_create(
            name=name,
            defaults={
                "host": host,
                "pid": pid,
                "started_at": now,
                "seen_at": now,
                "problem": problem[:1000],
            },
        )


def worker_stopped(name: str, now: datetime) -> None:
    """A worker says goodbye, or is known to be dead; what it held is free."""
    Worker.objects.filter(name=name).update(stopped_at=now)
    Drain.objects.filter(claimed_by=name).update(claimed_by="", claimed_until=None)
    HostMaintenance.objects.filter(claimed_by=name).update(claimed_by="", claimed_until=None)


def workers_of(host: str) -> list[Worker]:
    """The workers of a machine that have not said goodbye."""
    return list(Worker.objects.filter(host=host, stopped_at=None))


def forget_workers(before: datetime, now: datetime | None = None) -> None:
    """Remove workers that have been silent since a time; those, too, that reported as long after
    `now` as that is before it: the clock was set back since."""
    gone = Q(seen_at__lt=before)
    if now is not None:
        gone |= Q(seen_at__gt=now + (now - before))
    Worker.objects.filter(gone).delete()


# -- the record ------------------------------------------------------------------------------

#: What a drain says while it is being cancelled.
CANCELLING = "Cancelled; waiting for the migrations under way to end."
#: Drains that are looked for at a time, to be removed one by one.
BATCH = 100
#: How a worker names itself: machine, process, and when it started.
_WORKER_NAME = re.compile(r"\S+:\d+:\d{9,}")


def events(drain: Drain) -> "QuerySet[Event]":
    """The events of a drain with their instances, in the order in which they happened."""
    return drain.events.select_related("migration").order_by("at", "id")


def find_events(drain: Drain, text: str = "", by_worker: bool | None = None) -> "QuerySet[Event]":
    """The events of a drain that are about an instance and of a kind of actor.

    :param text: looked for in an instance's name, and as the beginning of its id, without regard
        to case; anywhere in the id, a short name such as db-1 would be found by chance
    :param by_worker: acts of workers alone, requests of people alone, or None for both
    """
    found = events(drain)
    if text:
        found = found.filter(
            Q(migration__server_name__icontains=text) | Q(migration__server_id__istartswith=text)
        )
    if by_worker is not None:
        actors = drain.events.order_by().values_list("actor", flat=True).distinct()
        workers = workers_among(actors)
        found = found.filter(actor__in=workers) if by_worker else found.exclude(actor__in=workers)
    return found


def workers_among(actors: Iterable[str]) -> frozenset[str]:
    """Those of the actors of events that are workers, also ones that are long forgotten."""
    named = set(actors)
    known = Worker.objects.filter(name__in=named).order_by().values_list("name", flat=True)
    return frozenset(known) | {name for name in named if _WORKER_NAME.fullmatch(name)}


def newest_event(drain_id: int) -> str:
    """Names what the record of a drain holds: another event gives it another name. One query.

    An event may be written before another one, and be seen after it: so they are counted too.
    """
    found = Event.objects.filter(drain_id=drain_id).aggregate(newest=Max("id"), n=Count("id"))
    return f"{found['newest'] or 0}-{found['n']}"


def maintenances_of(region: str, host: str) -> "QuerySet[HostMaintenance]":
    """The maintenances of exactly this host, newest first."""
    key = host_key(region, host)
    return HostMaintenance.objects.filter(host_key=key).order_by("-opened_at", "-id")


@dataclass
class Cleared:
    """What was removed of the record, or would be.

    :param kept: drains that are old enough, but whose host is still in maintenance: they tell
        how its service was found and where its instances went
    """

    drains: int = 0
    instances: int = 0
    events: int = 0
    maintenances: int = 0
    plans: int = 0
    kept: int = 0


def clear(before: datetime, dry_run: bool = False) -> Cleared:
    """Remove the drains that were over before a time, with their instances and events; then the
    closed maintenances and the plans of that age that have no drain left.

    Each drain goes in a transaction of its own: a run that is stopped has removed whole drains.

    :param dry_run: only count
    """
    found = Cleared()
    old = Drain.objects.filter(
        state__in=[s.value for s in DRAIN_TERMINAL], open_key=None, finished_at__lt=before
    )
    in_service = Q(maintenance=None) | Q(maintenance__closed_at__isnull=False)
    goes = old.filter(in_service)
    found.kept = old.exclude(in_service).count()
    going: list[int] = []
    last = 0
    while batch := list(
        goes.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        last = batch[-1]
        for drain_id in batch:
            if dry_run:
                found.instances += InstanceMigration.objects.filter(drain_id=drain_id).count()
                found.events += Event.objects.filter(drain_id=drain_id).count()
            elif not _clear_drain(drain_id, goes, found):
                continue
            found.drains += 1
            going.append(drain_id)
    _clear_what_is_left(before, going, dry_run, found)
    return found


def _clear_drain(drain_id: int, goes: "QuerySet[Drain]", found: Cleared) -> bool:
    """Remove one drain, unless it was taken up again since it was looked for."""
    with transaction.atomic():
        # It takes the lock that every change of a drain takes first; see `_touch`.
        Drain.objects.filter(pk=drain_id).update(revision=F("revision") + 1)
        if not goes.filter(pk=drain_id).exists():
            return False
        found.events += Event.objects.filter(drain_id=drain_id).delete()[0]
        rows = InstanceMigration.objects.filter(drain_id=drain_id)
        found.instances += rows.count()
        rows.delete()
        Drain.objects.filter(pk=drain_id).delete()
    return True


def _clear_what_is_left(
    before: datetime, cleared: list[int], dry_run: bool, found: Cleared
) -> None:
    gone = set(cleared) if dry_run else set()

    def has_drains(key: dict[str, int]) -> bool:
        ids = Drain.objects.filter(**key).order_by().values_list("pk", flat=True)
        return any(drain_id not in gone for drain_id in ids)

    closed = HostMaintenance.objects.filter(open_key=None, closed_at__lt=before)
    for pk in list(closed.order_by("pk").values_list("pk", flat=True)):
        if has_drains({"maintenance_id": pk}):
            continue
        found.maintenances += 1
        events_of = Event.objects.filter(maintenance_id=pk)
        if dry_run:
            found.events += events_of.exclude(drain_id__in=gone).count()
            continue
        with transaction.atomic():
            found.events += events_of.delete()[0]
            closed.filter(pk=pk).delete()
    plans = Plan.objects.filter(created_at__lt=before)
    for pk in list(plans.order_by("pk").values_list("pk", flat=True)):
        if has_drains({"plan_id": pk}):
            continue
        found.plans += 1
        if not dry_run:
            plans.filter(pk=pk).delete()

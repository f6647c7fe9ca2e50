"""Claims, compare-and-set transitions and the record: the only writer of the models' rows.

A row changes only from the state in which it was read: `filter(pk=…, state=…).update(…)`
touches one row or none, and none means that somebody else got there first
(:class:`~ukcloud_maintenance.exceptions.StaleState`). It needs no row locks and means the same
on SQLite, PostgreSQL and MariaDB. Every change raises the drain's `revision`, which pages poll.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max, Q, QuerySet

from .core.duration import Learned
from .core.facts import Server
from .core.preflight import Verdict
from .core.states import (
    DRAIN_OPEN,
    DRAIN_TERMINAL,
    MIGRATION_LEFT,
    MIGRATION_TERMINAL,
    MIGRATION_UNDER_WAY,
    MIGRATION_WAITING,
    DrainResult,
    DrainState,
    Method,
    MigrationState,
    check_drain_transition,
    check_migration_transition,
)
from .exceptions import StaleState
from .models import Drain, Event, HostMaintenance, InstanceMigration, Plan, Worker, host_key

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
    found = Drain.objects.filter(region=region, open_key__isnull=False)
    return frozenset(found.order_by().values_list("host", flat=True))


def migrations(drain: Drain) -> "QuerySet[InstanceMigration]":
    """The instances of a drain, in the order in which they are started."""
    return drain.migrations.order_by("position", "id")


def revision(drain_id: int) -> int | None:
    """The drain's revision, by one small query; None where there is no such drain."""
    return Drain.objects.filter(pk=drain_id).values_list("revision", flat=True).first()


def state_of(drain: Drain) -> str | None:
    """The drain's state as it is now, by one small query."""
    return Drain.objects.filter(pk=drain.pk).values_list("state", flat=True).first()


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
class Counts:
    """How many instances of a drain are in which state."""

    by_state: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def left(self) -> int:
        """Those that left the host: arrived elsewhere, or gone."""
        return sum(self.by_state.get(state, 0) for state in MIGRATION_LEFT)

    def __getitem__(self, state: str) -> int:
        return self.by_state.get(state, 0)


def counts(drain_ids: Iterable[int]) -> dict[int, Counts]:
    """The counts of several drains, by one query."""
    ids = list(drain_ids)
    found: dict[int, dict[str, int]] = {drain_id: {} for drain_id in ids}
    rows = (
        InstanceMigration.objects.filter(drain_id__in=ids)
        .order_by()
        .values_list("drain_id", "state")
        .annotate(n=Count("id"))
    )
    for drain_id, state, number in rows:
        found[drain_id][state] = number
    return {drain_id: Counts(by_state) for drain_id, by_state in found.items()}


@dataclass(frozen=True)
class HostRecord:
    """What the database knows of one host: the last drain, its counts, an open maintenance."""

    drain: Drain
    counts: Counts
    maintenance: HostMaintenance | None


def host_records(region: str) -> dict[str, HostRecord]:
    """The latest drain of every host of a region that ever had one, by host: three queries."""
    newest = (
        Drain.objects.filter(region=region)
        .order_by()
        .values("host_key")
        .annotate(newest=Max("id"))
        .values_list("newest", flat=True)
    )
    latest = list(Drain.objects.filter(pk__in=list(newest)))
    maintenances = {
        m.host_key: m for m in HostMaintenance.objects.filter(open_key__isnull=False, region=region)
    }
    tally = counts(d.pk for d in latest)
    return {
        d.host: HostRecord(d, tally[d.pk], maintenances.get(d.host_key))
        for d in latest
        if d.region == region
    }


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
    return Learned(median(rates), len(rates)) if rates else Learned()


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
    workers = list(Worker.objects.order_by("-seen_at")[:50])
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


class DrainExists(StaleState):
    """The host has an open drain already. `drain` is it, or None where it is just over."""

    def __init__(self, drain: Drain | None):
        super().__init__("the host has an open drain")
        self.drain = drain


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
) -> Drain:
    """Write a drain and its instance migrations in one transaction.

    :raises DrainExists: the host has an open drain, whoever was first
    """
    key = host_key(region, host)
    try:
        with transaction.atomic():
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
                requested_by_id=actor_id,
                requested_by=actor,
                created_at=now,
                updated_at=now,
            )
            InstanceMigration.objects.bulk_create(
                _new_row(new, Entry(*entry), position, project_names, now)
                for position, entry in enumerate(planned)
            )
            _event(new, None, now, "drain_requested", actor, reason)
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


def cancel_drain(drain: Drain, actor: str, now: datetime) -> DrainState:
    """Cancel a drain in the state in which it was read; the state it is in then.

    One that no worker has taken is cancelled at once; any other is cancelling until what flies
    has landed.

    :raises StaleState: the drain changed meanwhile
    """
    if drain.state == DrainState.PENDING:
        with transaction.atomic():
            finish_drain(
                drain,
                DrainState.CANCELLED,
                DrainResult.CANCELLED,
                "Cancelled before it began; nothing was touched.",
                actor,
                now,
                cancelled_by=actor,
            )
            InstanceMigration.objects.filter(
                drain=drain, state__in=[s.value for s in MIGRATION_WAITING]
            ).update(
                state=MigrationState.CANCELLED.value,
                message="The drain was cancelled before it began.",
                finished_at=now,
                updated_at=now,
            )
    else:
        change_drain(
            drain,
            now,
            state=DrainState.CANCELLING,
            cancelled_by=actor,
            message="Cancelled; waiting for the migrations under way to end.",
            event=("drain_cancelled", actor, ""),
        )
    return DrainState(drain.state)


# -- changing --------------------------------------------------------------------------------


def change_drain(
    drain: Drain,
    now: datetime,
    *,
    event: tuple[str, str, str] | None = None,
    **fields: Any,
) -> None:
    """Change a drain, only if it is still in the state in which it was read.

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
        changed = Drain.objects.filter(pk=drain.pk, state=old).update(
            **fields, updated_at=now, revision=F("revision") + 1
        )
        if changed != 1:
            raise StaleState(f"drain {drain.pk} is not {old} any more")
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
    actor: str,
    now: datetime,
    **fields: Any,
) -> None:
    """End a drain, and give its host free for another one."""
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
        **fields,
    )


def change_migration(
    row: InstanceMigration,
    now: datetime,
    *,
    event: tuple[str, str, str, str] | None = None,
    **fields: Any,
) -> None:
    """Change an instance migration, only if it is still in the state and the attempt in which
    it was read.

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
            pk=row.pk, state=old, attempts=row.attempts
        ).update(**fields, updated_at=now)
        if changed != 1:
            raise StaleState(f"server {row.server_id} is not {old} any more")
        if event:
            _event(row.drain, row, now, event[0], event[1], event[2], event[3])
    for name, value in fields.items():
        setattr(row, name, value)
    row.updated_at = now


def add_server(
    drain: Drain, server: Server, verdict: Verdict, actor: str, now: datetime, group: str = ""
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
    actor: str,
    message: str,
    request_id: str = "",
) -> None:
    """Record what was done."""
    with transaction.atomic():
        if drain:
            _touch(drain.pk, now)
        _event(drain, row, now, kind, actor, message, request_id)


def _event(
    drain: Drain | None,
    row: InstanceMigration | None,
    now: datetime,
    kind: str,
    actor: str,
    message: str,
    request_id: str = "",
) -> None:
    Event.objects.create(
        drain=drain,
        migration=row,
        at=now,
        kind=kind,
        actor=actor,
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
    HostMaintenance.objects.filter(pk=maintenance.pk).update(our_reason=reason, disabled_at=None)
    maintenance.our_reason = reason
    maintenance.disabled_at = None


def disabled(maintenance: HostMaintenance, now: datetime) -> None:
    """Record that the service is disabled with our reason."""
    HostMaintenance.objects.filter(pk=maintenance.pk).update(disabled_at=now)
    maintenance.disabled_at = now


def close_maintenance(maintenance: HostMaintenance, now: datetime) -> None:
    """The host is back in service."""
    HostMaintenance.objects.filter(pk=maintenance.pk, closed_at=None).update(
        open_key=None, closed_at=now
    )


# -- workers ---------------------------------------------------------------------------------


def claim(
    worker: str, now: datetime, lease_seconds: float, regions: Iterable[str] | None = None
) -> Drain | None:
    """Take the open drain that is due first and that nobody holds; None where none is.

    :param regions: the regions that the worker can log in to, or None for any

    A claim spares two workers from doing the same reads. It is not what keeps them from doing
    the same change: that is the compare-and-set of each row.
    """
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    due = Q(next_pass_at=None) | Q(next_pass_at__lte=now)
    if regions is not None:
        due &= Q(region__in=list(regions))
    candidates = (
        Drain.objects.filter(free, due, state__in=[s.value for s in DRAIN_OPEN])
        .order_by(F("next_pass_at").asc(nulls_first=True), "id")
        .values_list("pk", flat=True)[:20]
    )
    for drain_id in list(candidates):
        taken = Drain.objects.filter(
            free, due, pk=drain_id, state__in=[s.value for s in DRAIN_OPEN]
        ).update(claimed_by=worker, claimed_until=now + timedelta(seconds=lease_seconds))
        if taken == 1:
            return drain(drain_id)
    return None


def release(drain: Drain, worker: str, next_pass_at: datetime | None) -> None:
    """Give a drain back, to be taken again by any worker after a time."""
    Drain.objects.filter(pk=drain.pk, claimed_by=worker).update(
        claimed_by="", claimed_until=None, next_pass_at=next_pass_at
    )


def renew(drain: Drain, worker: str, until: datetime) -> None:
    """Keep a drain that this worker holds."""
    Drain.objects.filter(pk=drain.pk, claimed_by=worker).update(claimed_until=until)


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


def workers_of(host: str) -> list[Worker]:
    """The workers of a machine that have not said goodbye."""
    return list(Worker.objects.filter(host=host, stopped_at=None))


def forget_workers(before: datetime) -> None:
    """Remove workers that have been silent since a time."""
    Worker.objects.filter(seen_at__lt=before).delete()


# -- the record ------------------------------------------------------------------------------

#: Drains that are looked for at a time, to be removed one by one.
BATCH = 100
#: How a worker names itself: machine, process, and when it started.
_WORKER_NAME = re.compile(r"\S+:\d+:\d{9,}")


def events(drain: Drain) -> "QuerySet[Event]":
    """The events of a drain with their instances, in the order in which they happened."""
    return drain.events.select_related("migration").order_by("at", "id")


def find_events(drain: Drain, text: str = "", by_worker: bool | None = None) -> "QuerySet[Event]":
    """The events of a drain that are about an instance and of a kind of actor.

    :param text: looked for in an instance's name and id, without regard to case
    :param by_worker: acts of workers alone, requests of people alone, or None for both
    """
    found = events(drain)
    if text:
        found = found.filter(
            Q(migration__server_name__icontains=text) | Q(migration__server_id__icontains=text)
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

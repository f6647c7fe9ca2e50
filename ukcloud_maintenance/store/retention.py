"""Removing old drains, maintenances and rolling runs."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet

from ..core.run.states import RUN_TERMINAL
from ..core.states import DRAIN_TERMINAL
from ..models import (
    Drain,
    Event,
    HostMaintenance,
    InstanceMigration,
    Plan,
    Run,
    RunAction,
    RunHost,
)

#: Drains that are looked for at a time, to be removed one by one.
BATCH = 100


@dataclass
class Cleared:
    """What was removed of the record, or would be.

    :param kept: drains that are old enough, but whose host is still in maintenance: they tell
        how its service was found and where its instances went
    :param run_hosts: of the runs, as are `run_actions`; their events are among the `events`
    :param kept_runs: runs that are old enough, but with a host that is still in maintenance
    """

    drains: int = 0
    instances: int = 0
    events: int = 0
    maintenances: int = 0
    plans: int = 0
    kept: int = 0
    runs: int = 0
    run_hosts: int = 0
    run_actions: int = 0
    kept_runs: int = 0


def clear(before: datetime, dry_run: bool = False) -> Cleared:
    """Remove the drains that were over before a time, with their instances and events; then the
    closed maintenances and the plans of that age that have no drain left. Before all of them the
    rolling runs that were over, with their hosts, actions and events.

    Each drain and each run goes in a transaction of its own: what is stopped has removed whole
    ones.

    :param dry_run: only count
    """
    found = Cleared()
    _clear_runs(before, dry_run, found)
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
    """Remove one drain, unless it was reopened since it was looked for."""
    with transaction.atomic():
        # It takes the lock that every change of a drain takes first; see `touch`.
        Drain.objects.filter(pk=drain_id).update(revision=F("revision") + 1)
        if not goes.filter(pk=drain_id).exists():
            return False
        found.events += _remove(Event.objects.filter(drain_id=drain_id))
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
            found.events += _remove(events_of)
            closed.filter(pk=pk).delete()
    of_workers = Event.objects.filter(drain=None, maintenance=None, run=None, at__lt=before)
    found.events += of_workers.count() if dry_run else _remove(of_workers)
    plans = Plan.objects.filter(created_at__lt=before)
    for pk in list(plans.order_by("pk").values_list("pk", flat=True)):
        if has_drains({"plan_id": pk}):
            continue
        found.plans += 1
        if not dry_run:
            plans.filter(pk=pk).delete()


def _clear_runs(before: datetime, dry_run: bool, found: Cleared) -> None:
    old = Run.objects.filter(state__in=[s.value for s in RUN_TERMINAL], finished_at__lt=before)
    hosts = RunHost.objects.filter(
        Q(maintenance__isnull=False, maintenance__closed_at=None)
        | Q(drain__maintenance__isnull=False, drain__maintenance__closed_at=None)
    )
    # read first: MariaDB changes no table that the condition looks at
    away = set(hosts.filter(run__in=old).order_by().values_list("run_id", flat=True))
    last = 0
    while batch := list(
        old.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        last = batch[-1]
        for run_id in batch:
            if run_id in away:
                found.kept_runs += 1
            else:
                _clear_run(run_id, dry_run, old, found)


def _clear_run(run_id: int, dry_run: bool, old: "QuerySet[Run]", found: Cleared) -> None:
    """Remove one run, unless somebody else did."""
    hosts = RunHost.objects.filter(run_id=run_id)
    actions = RunAction.objects.filter(host__run_id=run_id)
    events = Event.objects.filter(run_id=run_id)
    with transaction.atomic():
        # It takes the lock that every change of a run takes first.
        locked = 1 if dry_run else old.filter(pk=run_id).update(revision=F("revision") + 1)
        if not locked:
            return
        found.runs += 1
        found.run_hosts += hosts.count()
        found.run_actions += actions.count()
        found.events += events.count()
        if not dry_run:
            events.delete()
            RunAction.objects.filter(host_id__in=list(hosts.values_list("pk", flat=True))).delete()
            hosts.delete()
            Run.objects.filter(pk=run_id).delete()


def _remove(events: "QuerySet[Event]") -> int:
    """Remove events with the notices of them; how many events there were."""
    by_kind: dict[str, int] = events.delete()[1]
    return by_kind.get(Event._meta.label, 0)

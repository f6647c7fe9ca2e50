"""Removing old drains and maintenances."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, QuerySet

from ..core.states import DRAIN_TERMINAL
from ..models import Drain, Event, HostMaintenance, InstanceMigration, Plan

#: Drains that are looked for at a time, to be removed one by one.
BATCH = 100


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
    of_workers = Event.objects.filter(drain=None, maintenance=None, at__lt=before)
    found.events += of_workers.count() if dry_run else _remove(of_workers)
    plans = Plan.objects.filter(created_at__lt=before)
    for pk in list(plans.order_by("pk").values_list("pk", flat=True)):
        if has_drains({"plan_id": pk}):
            continue
        found.plans += 1
        if not dry_run:
            plans.filter(pk=pk).delete()


def _remove(events: "QuerySet[Event]") -> int:
    """Remove events with the notices of them; how many events there were."""
    by_kind: dict[str, int] = events.delete()[1]
    return by_kind.get(Event._meta.label, 0)

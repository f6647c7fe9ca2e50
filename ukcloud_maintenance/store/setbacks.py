"""What becomes of timestamps that are in the future, after the clock was set back."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q

from ..core.states import MIGRATION_IN_PROGRESS
from ..models import Attempt, Drain, HostMaintenance, InstanceMigration, Inventory, Request
from . import clock
from .clock import SLACK
from .draining import change_drain, drains_with_requests
from .hosts import change_maintenance
from .instances import change_migration

#: What may be later than now: what is planned, and what is dealt with where it is read. That a
#: drain was requested, and that a row was written, decides nothing.
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
    for model in (Drain, InstanceMigration, HostMaintenance, Attempt, Request)
}


def _back_to(
    row: Drain | InstanceMigration | HostMaintenance | Attempt | Request, at: datetime
) -> dict[str, Any]:
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
    at = max(at, clock.now())
    changed = False
    if fields := _back_to(drain, at):
        change_drain(drain, at, **fields)
        changed = True
    latest = at + timedelta(seconds=longest_pause)
    for row in rows:
        fields = _back_to(row, at)
        if row.not_before is not None and row.not_before > latest + SLACK:
            fields["not_before"] = latest
        if row.state in MIGRATION_IN_PROGRESS:
            fields |= _back_to(row.attempt, at)
        elif "finished_at" in fields:
            row.attempt_rows.filter(ended_at__gt=at).update(ended_at=at)
        request: dict[str, Any] = {}
        for found in row.request_rows.all():
            if found.open_key is not None:
                request = _back_to(found, at)
        if fields or request:
            change_migration(row, at, request=request, **fields)
            changed = True
    return changed


def set_back_host(maintenance: HostMaintenance, at: datetime) -> bool:
    """The same of an open maintenance.

    :raises StaleState: somebody else got there first
    """
    at = max(at, clock.now())
    if fields := _back_to(maintenance, at):
        change_maintenance(maintenance, at, **fields)
    return bool(fields)


def clock_was_set_back() -> None:
    """A worker saw the database's clock go back: how old a verification is, and how long a pause
    lasts, is no longer known. Nothing is safe until somebody has looked again, at once; a look that
    began before counts for nothing. How old an inventory is is not known either."""
    HostMaintenance.objects.filter(open_key__isnull=False).update(
        verified_at=None, next_pass_at=None, looks=F("looks") + 1
    )
    requested = list(drains_with_requests())
    Drain.objects.filter(Q(open_key__isnull=False) | Q(pk__in=requested)).update(next_pass_at=None)
    Inventory.objects.update(complete_at=None, marker="", number=0, next_step_at=None)

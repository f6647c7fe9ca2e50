"""Hosts in maintenance: opened, verified, changed, closed."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet, Subquery

from ..core.message import Message, message
from ..core.states import MIGRATION_IN_PROGRESS, Direction, MigrationState
from ..exceptions import StaleState
from ..models import Drain, Event, HostMaintenance, InstanceMigration, host_key
from . import clock
from .clock import SLACK
from .draining import change_drain, drains_of
from .journal import HappenedToRow, Who, add_event, touch
from .refusals import BeingReturned


def open_maintenance(region: str, host: str) -> HostMaintenance | None:
    """The open maintenance of exactly this host, or None."""
    return HostMaintenance.objects.filter(open_key=host_key(region, host)).first()


def record_of_host(
    maintenance: HostMaintenance,
    now: datetime,
    kind: str,
    actor: Who,
    said: Message,
    request_id: str = "",
) -> None:
    """Record what was done with a host in maintenance, also in the timeline of its newest drain."""
    newest = drains_in(maintenance).last()
    with transaction.atomic():
        if newest:
            touch(newest.pk, now)
        add_event(newest, None, now, kind, actor, said, request_id, maintenance)


def verify_soon(maintenance: HostMaintenance) -> None:
    """Let a worker look at a host in maintenance as soon as one is free."""
    HostMaintenance.objects.filter(pk=maintenance.pk).update(next_pass_at=None)


def join_maintenance(
    drain: Drain, *, found_status: str, found_reason: str, service_id: str, now: datetime
) -> HostMaintenance:
    """The open maintenance of the drain's host, which a first drain opens.

    The service as found is recorded by the first drain alone. One that was closed by hand (the
    service is enabled although we disabled it) is closed here, and a new one is opened.
    """
    with transaction.atomic():
        touch(drain.pk, now)
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
    moved = {MigrationState.SUCCEEDED, *MIGRATION_IN_PROGRESS}
    rows = InstanceMigration.objects.filter(
        server_id__in=list(server_ids),
        drain__region=region,
        state__in=[state.value for state in moved],
        newest_attempt__submitted_at__isnull=False,
    )
    if but is not None:
        rows = rows.exclude(drain=but)
    ordered = rows.select_related("drain").order_by("newest_attempt__submitted_at", "id")
    return {row.server_id: row for row in ordered}


def return_run(maintenance: HostMaintenance) -> Drain | None:
    """The run that brings instances back, of the return in progress or of the one that ended this
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
    event: HappenedToRow | None = None,
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Change an open maintenance, only if nothing that is shown of it changed since it was read.

    :param expect: further fields that must still be so
    :param event: (kind, actor, message, request id) to record with it, also in the timeline of
        the newest drain
    :raises StaleState: somebody else got there first
    """
    with changing(maintenance, now, [event] if event else [], expect, **fields):
        pass
    maintenance.revision += 1
    for name, value in fields.items():
        setattr(maintenance, name, value)


@contextmanager
def changing(
    maintenance: HostMaintenance,
    now: datetime,
    events: Iterable[HappenedToRow],
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Iterator[Drain | None]:
    """Change an open maintenance and record events, in one transaction with the block; the
    newest drain is locked before the maintenance, as everywhere."""
    events = list(events)
    newest = drains_in(maintenance).last() if events else None
    with transaction.atomic():
        if newest:
            touch(newest.pk, now)
        changed = HostMaintenance.objects.filter(
            pk=maintenance.pk, closed_at=None, revision=maintenance.revision, **(expect or {})
        ).update(**fields, revision=F("revision") + 1)
        if changed != 1:
            raise StaleState(f"the maintenance of {maintenance.host} changed meanwhile")
        for kind, actor, said, request_id in events:
            add_event(newest, None, now, kind, actor, said, request_id, maintenance)
        yield newest


def take_maintenance(key: str) -> HostMaintenance | None:
    """The open maintenance of a host that is to be drained, locked, and changed for everybody
    who has read it: what they found out is void.

    :raises BeingReturned: it is being returned to service
    """
    if not HostMaintenance.objects.filter(open_key=key).update(revision=F("revision") + 1):
        return None
    found = HostMaintenance.objects.get(open_key=key)
    if found.returning_since:
        raise BeingReturned(found)
    return found


def withdrawn(why: Message | None, now: datetime) -> dict[str, Any]:
    return {"safe_since": None, "withdrawn_at": now, "withdrawn_why": why}


def _believable(looked_at: datetime) -> datetime | None:
    """When a look began, or None where the clock was set back since, or was another one: how old
    it is would not be known later."""
    current = clock.now()
    return min(looked_at, current) if looked_at <= current + SLACK else None


def verified(
    maintenance: HostMaintenance,
    *,
    checks: list[Any],
    safe: bool,
    why: Message | None,
    looked_at: datetime,
    actor: Who,
    now: datetime,
    clear_message: bool = False,
) -> bool:
    """Record what a verification found; whether anything changed but the time of the look.

    :param checks: the checks as they are kept, see core.certificate
    :param clear_message: what was said of the maintenance is no longer true
    :param why: what keeps it from being safe, to be shown if it was safe until now
    :param looked_at: when the look began: the certificate is not younger than that. One that is
        dated ahead of the database's clock finds out what is wrong, and proves nothing.
    :raises StaleState: the host is drained or returned to service meanwhile, or somebody else
        claimed it or looked at it since it was read: that is counted, since times do not tell who
        was later
    """
    verified_at = _believable(looked_at)
    was = maintenance.safe_since is not None
    fields: dict[str, Any] = {}
    event: HappenedToRow | None = None
    if checks != maintenance.checks:
        fields["checks"] = checks
    if clear_message:
        fields["message"] = None
    if safe and not was and verified_at:
        fields["safe_since"] = verified_at
        event = ("safe_to_power_off", actor, message("every_check_holds"), "")
    elif safe and was and verified_at and maintenance.safe_since > verified_at:
        fields["safe_since"] = verified_at  # the clock was set back
    elif was and not safe:
        fields |= withdrawn(why, now)
        event = ("safe_withdrawn", actor, why, "")
    newest = drains_in(maintenance).last() if event else None
    shown = {**fields, "revision": F("revision") + 1} if fields else {}
    with transaction.atomic():
        if newest:
            touch(newest.pk, now)
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
            add_event(newest, None, now, *event, maintenance)
    maintenance.revision += bool(fields)
    maintenance.looks += 1
    for name, value in {**fields, "verified_at": verified_at}.items():
        setattr(maintenance, name, value)
    return bool(fields)


def withdraw(maintenance: HostMaintenance, why: Message, actor: Who, now: datetime) -> None:
    """The host is not known to be safe to power off any longer.

    :raises StaleState: somebody else got there first, be it by another look alone
    """
    change_maintenance(
        maintenance,
        now,
        expect={"looks": maintenance.looks},
        event=("safe_withdrawn", actor, why, ""),
        **withdrawn(why, now),
    )


def maintenances_of(region: str, host: str) -> "QuerySet[HostMaintenance]":
    """The maintenances of exactly this host, newest first."""
    key = host_key(region, host)
    return HostMaintenance.objects.filter(host_key=key).order_by("-opened_at", "-id")

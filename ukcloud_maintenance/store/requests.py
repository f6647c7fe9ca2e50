"""What an admin requests for a drain: create, cancel, pause, resume, retry, change."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction

from ..core.actor import Actor
from ..core.facts import Server
from ..core.message import Message, message
from ..core.preflight.verdicts import Verdict
from ..core.states import (
    MIGRATION_TERMINAL,
    MIGRATION_WAITING,
    Direction,
    DrainResult,
    DrainState,
    MigrationState,
)
from ..exceptions import StaleState
from ..models import Drain, HostMaintenance, InstanceMigration, Plan, host_key
from .destinations import check_destination, check_no_destination, in_turn
from .draining import cancel_choice, change_drain, finish_drain, open_drain_of
from .hosts import take_maintenance, withdrawn
from .journal import Who, add_event, revision_of_drain
from .refusals import DrainExists, ReturnedSince


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
    follow_estimate: bool = True,
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
    :raises BeingReturned: the host is being returned to service, whoever was first
    :raises DestinationAway: the destination is drained or in maintenance, whoever was first
    :raises IsDestination: another drain sends instances to the host, whoever was first
    """
    key = host_key(region, host)
    try:
        with in_turn(region):
            check_no_destination(region, host)
            if destination:
                check_destination(region, destination)
            maintenance = take_maintenance(key)
            new = Drain.objects.create(
                region=region,
                host=host,
                host_key=key,
                open_key=key,
                service_id=service_id,
                reason=reason,
                max_concurrent=max_concurrent,
                destination=destination,
                follow_estimate=follow_estimate,
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
                new_row(new, Entry(*entry), position, project_names, now)
                for position, entry in enumerate(planned)
            )
            asked_by = Actor(actor_id, actor)
            add_event(new, None, now, "drain_requested", asked_by, reason)
            if maintenance and maintenance.safe_since:
                why = message("drain_asked_for")
                HostMaintenance.objects.filter(pk=maintenance.pk).update(**withdrawn(why, now))
                add_event(new, None, now, "safe_withdrawn", asked_by, why, "", maintenance)
    except IntegrityError as error:
        raise DrainExists(open_drain_of(region, host)) from error
    return new


def new_row(
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
        message=verdict.said,
        position=position,
        initial_status=server.status,
        server_status=server.status,
        task_state=server.task_state or "",
        source_compute=drain.host,
        finished_at=now if verdict.state in MIGRATION_TERMINAL else None,
        created_at=now,
        updated_at=now,
    )


def is_untouched(drain: Drain) -> bool:
    """Whether no worker has begun with it: neither the service nor an instance was touched."""
    return drain.started_at is None and drain.state in (DrainState.PENDING, DrainState.PAUSED)


def cancel_drain(
    drain: Drain, actor: Who, now: datetime, *, abort: bool = False, enable: bool = False
) -> DrainState:
    """Cancel a drain in the state in which it was read; the state it is in then.

    One that no worker has begun with is cancelled at once; any other is cancelling until the
    migrations in progress have finished. For one that is already cancelling, aborting them can
    still be requested.

    :param abort: abort migrations in progress, rather than let them finish
    :param enable: enable the service again, if its reason is still the one that we wrote
    :raises StaleState: the drain changed meanwhile
    """
    if is_untouched(drain):
        with transaction.atomic():
            finish_drain(
                drain,
                DrainState.CANCELLED,
                DrainResult.CANCELLED,
                message("nothing_was_touched"),
                actor,
                now,
                cancelled_by=str(actor),
            )
            InstanceMigration.objects.filter(
                drain=drain, state__in=[s.value for s in MIGRATION_WAITING]
            ).update(
                state=MigrationState.CANCELLED.value,
                message=message("cancelled_before_it_began"),
                finished_at=now,
                updated_at=now,
                revision=revision_of_drain(drain.pk),
            )
        return DrainState(drain.state)
    if abort:
        how = message("aborts_and_enables") if enable else message("aborts")
    else:
        how = message("lands_and_enables") if enable else message("lands")
    # The wait for migrations in progress has one bound, which a second request does not extend; if
    # they are aborted after all, another one begins.
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
        event=("drain_cancelled", actor, how),
        **fields,
    )
    return DrainState(drain.state)


def pause_drain(drain: Drain, actor: Who, now: datetime) -> None:
    """Start no new migrations; those in progress finish.

    :raises StaleState: the drain changed meanwhile
    """
    change_drain(
        drain,
        now,
        state=DrainState.PAUSED,
        message=None,
        blocked_since=None,
        proving_since=None,
        next_pass_at=None,
        event=("drain_paused", actor, None),
    )


def resume_drain(drain: Drain, actor: Who, now: datetime) -> None:
    """Resume the drain. A window that has ended is removed.

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
        message=None,
        blocked_since=None,
        host_down_since=None,
        cloud_down_since=None,
        next_pass_at=None,
        event=("drain_resumed", actor, None),
        **fields,
    )


def reopen_drain(drain: Drain, actor: Who, now: datetime) -> None:
    """Reopen a drain that failed, for what is retried, in the maintenance that it was part of.

    :raises DrainExists: the host has another open drain
    :raises BeingReturned: the host is being returned to service
    :raises ReturnedSince: it was returned to service since: what runs on it now was never part of
        this
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
                message=None,
                finished_at=None,
                blocked_since=None,
                proving_since=None,
                host_down_since=None,
                cloud_down_since=None,
                next_pass_at=None,
                event=("drain_reopened", actor, None),
                **fields,
            )
            maintenance = take_maintenance(drain.host_key)
            if away:
                check_no_destination(drain.region, drain.host)
            if drain.destination:
                check_destination(drain.region, drain.destination)
            if (
                away
                and drain.maintenance_id
                and drain.maintenance_id != (maintenance and maintenance.pk)
            ):
                raise ReturnedSince
            if away and maintenance and maintenance.safe_since:
                why = message("tried_again")
                HostMaintenance.objects.filter(pk=maintenance.pk).update(**withdrawn(why, now))
                add_event(drain, None, now, "safe_withdrawn", actor, why, "", maintenance)
    except IntegrityError as error:
        raise DrainExists(open_drain_of(drain.region, drain.host)) from error
    except StaleState:
        drain.refresh_from_db()  # nothing of it was written
        raise


def can_retry(drain: Drain) -> bool:
    """Whether what failed can be retried as far as the host is concerned. A drain that is over goes
    on (:func:`reopen_drain`) if the host has no other open drain, and is still in the maintenance
    that the drain was part of. At most two queries."""
    return bool(those_that_can_retry([drain]))


def those_that_can_retry(drains: Iterable[Drain]) -> set[int]:
    """The same of several drains: the numbers of those of which it holds. At most two queries."""
    every = list(drains)
    failed = [drain for drain in every if drain.state == DrainState.FAILED]
    found = {drain.pk for drain in every} - {drain.pk for drain in failed}
    if not failed:
        return found
    keys = {drain.host_key for drain in failed}
    taken = dict(Drain.objects.filter(open_key__in=keys).values_list("open_key", "pk"))
    free = [drain for drain in failed if taken.get(drain.host_key, drain.pk) == drain.pk]
    of = {d.maintenance_id for d in free if d.direction == Direction.AWAY and d.maintenance_id}
    if of:
        still_open = HostMaintenance.objects.filter(
            pk__in=of, open_key__isnull=False, returning_since__isnull=True
        )
        of -= set(still_open.values_list("pk", flat=True))
    found |= {
        drain.pk
        for drain in free
        if drain.direction != Direction.AWAY or drain.maintenance_id not in of
    }
    return found


def adjust_drain(drain: Drain, actor: Who, now: datetime, said: Message, **fields: Any) -> None:
    """Change the pace, the window or the timeout of a drain.

    :param said: what changed
    :raises StaleState: the drain changed meanwhile
    """
    if "max_concurrent" in fields:
        fields["nova_runs_more"] = False  # it was judged by the old number
    change_drain(drain, now, event=("drain_changed", actor, said), next_pass_at=None, **fields)


#: What a drain says while it is being cancelled.
CANCELLING = message("cancelling")

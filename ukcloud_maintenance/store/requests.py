"""What an admin requests for a drain: create, cancel, pause, resume, retry, change."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction

from ..core import cancelling, going_on
from ..core.actor import Actor
from ..core.drain.pacing import judged_anew
from ..core.facts import Server
from ..core.host.safety import withdrawn
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
from .hosts import take_maintenance
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
    choice = cancelling.Choice(abort, enable)
    if cancelling.is_untouched(drain):
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
    change_drain(
        drain,
        now,
        expect=cancel_choice(drain),
        cancelled_by=str(actor),
        next_pass_at=None,
        event=("drain_cancelled", actor, choice.said),
        **cancelling.changes(drain, choice, now),
    )
    return DrainState(drain.state)


def pause_drain(drain: Drain, actor: Who, now: datetime) -> None:
    """Start no new migrations; those in progress finish.

    :raises StaleState: the drain changed meanwhile
    """
    event = ("drain_paused", actor, None)
    change_drain(drain, now, next_pass_at=None, event=event, **going_on.paused())


def resume_drain(drain: Drain, actor: Who, now: datetime) -> None:
    """Resume the drain. A window that has ended is removed.

    :raises StaleState: the drain changed meanwhile
    """
    change_drain(
        drain,
        now,
        expect={"stop_at": drain.stop_at},
        next_pass_at=None,
        event=("drain_resumed", actor, None),
        **going_on.resumed(drain, now),
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
    away = drain.direction == Direction.AWAY
    try:
        with in_turn(drain.region):
            change_drain(
                drain,
                now,
                open_key=drain.host_key,
                next_pass_at=None,
                event=("drain_reopened", actor, None),
                **going_on.reopened(drain, now),
            )
            maintenance = take_maintenance(drain.host_key)
            if away:
                check_no_destination(drain.region, drain.host)
            if drain.destination:
                check_destination(drain.region, drain.destination)
            host = going_on.HostNow(drain.pk, maintenance.pk if maintenance else None)
            if not going_on.can_be_reopened(drain, host):
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
    """Whether what failed can be retried as far as the host is concerned, see core.going_on. At
    most two queries."""
    return bool(those_that_can_retry([drain]))


def those_that_can_retry(drains: Iterable[Drain]) -> set[int]:
    """The same of several drains: the numbers of those of which it holds. At most two queries."""
    every = list(drains)
    keys = {drain.host_key for drain in every if going_on.is_reopened(drain)}
    hosts = _hosts_now(keys) if keys else {}
    nothing = going_on.HostNow()
    return {d.pk for d in every if going_on.can_retry(d, hosts.get(d.host_key, nothing))}


def _hosts_now(keys: Iterable[str]) -> dict[str, going_on.HostNow]:
    """What these hosts are doing, by their keys. Two queries."""
    wanted = {"open_key__in": list(keys)}
    taken = dict(Drain.objects.filter(**wanted).values_list("open_key", "pk"))
    kept = HostMaintenance.objects.filter(**wanted)
    found = {key: going_on.HostNow(drain) for key, drain in taken.items()}
    for key, maintenance, since in kept.values_list("open_key", "pk", "returning_since"):
        found[key] = going_on.HostNow(taken.get(key), maintenance, since is not None)
    return found


def adjust_drain(drain: Drain, actor: Who, now: datetime, said: Message, **fields: Any) -> None:
    """Change the pace, the window or the timeout of a drain.

    :param said: what changed
    :raises StaleState: the drain changed meanwhile
    """
    changed = {"next_pass_at": None, **judged_anew(fields)}
    change_drain(drain, now, event=("drain_changed", actor, said), **changed)

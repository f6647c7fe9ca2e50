"""A host's return to service, and the run that brings its instances back."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from ..core.host.safety import withdrawn
from ..core.message import Message, lines, message, text
from ..core.states import DRAIN_TERMINAL, Direction, ReturnResult
from ..exceptions import StaleState
from ..models import Drain, HostMaintenance, InstanceMigration
from .hosts import change_maintenance, changing, return_run
from .journal import HappenedToRow, Who, add_event
from .refusals import DrainExists
from .requests import Entry, cancel_drain, new_row


class ReturnRun(NamedTuple):
    """The instances that are brought back after a return to service.

    :param entries: `planned_host` is not used: they all go to the host that is returned to service
    :param note: what is not brought back, and why, for the record
    """

    reason: str
    max_concurrent: int
    actor_id: str
    entries: Iterable[Entry]
    project_names: Mapping[str, str]
    note: Message | None = None


def request_return(
    maintenance: HostMaintenance,
    *,
    choice: str,
    actor: Who,
    now: datetime,
    said: Message | None = None,
    run: ReturnRun | None = None,
) -> Drain | None:
    """Ask for the return of a host to service, and for its instances to be brought back where
    there is a `run`: that run.

    :param said: what was requested, for the record
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
        "message": message("waits_for_worker"),
        "next_pass_at": None,
    }
    events: list[HappenedToRow] = [("return_requested", actor, said, "")]
    if maintenance.safe_since:
        why = message("being_given_back")
        fields |= withdrawn(why, now)
        events.append(("safe_withdrawn", actor, why, ""))
    made = None
    if maintenance.returning_since:
        raise StaleState(f"host {maintenance.host} is being returned already")
    with changing(maintenance, now, events, **fields):
        if open_drain := Drain.objects.filter(open_key=maintenance.host_key).first():
            raise DrainExists(open_drain)
        if run:
            made = _create_return_run(maintenance, run, actor, now)
    maintenance.revision += 1
    for name, value in fields.items():
        setattr(maintenance, name, value)
    return made


def _create_return_run(
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
        follow_estimate=False,
        requested_by_id=run.actor_id,
        requested_by=str(actor),
        message=message("waits_for_service"),
        created_at=now,
        updated_at=now,
    )
    rows = []
    for position, entry in enumerate(run.entries):
        row = new_row(made, entry, position, run.project_names, now)
        row.source_compute = entry.server.host
        rows.append(row)
    InstanceMigration.objects.bulk_create(rows)
    said = text(run.reason)
    if run.note:
        said = lines(said, run.note)
    add_event(made, None, now, "return_run_requested", actor, said, "", maintenance)
    return made


def intend_to_enable(maintenance: HostMaintenance, now: datetime) -> None:
    """Record that Nova is about to be asked to enable the service.

    :raises StaleState: somebody else got there first
    """
    change_maintenance(
        maintenance, now, enabling_since=now, message=message("service_being_enabled")
    )


def enabled(
    maintenance: HostMaintenance, said: Message, actor: Who, request_id: str, now: datetime
) -> None:
    """Record that Nova enabled the service on our request.

    :raises StaleState: somebody else got there first
    """
    change_maintenance(
        maintenance,
        now,
        enabled_at=now,
        message=said,
        event=("service_enabled", actor, said, request_id),
    )


def finish_return(
    maintenance: HostMaintenance, result: ReturnResult, said: Message, actor: Who, now: datetime
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
        message=said,
        event=("host_returned", actor, said, ""),
    )


def give_up_return(maintenance: HostMaintenance, said: Message, actor: Who, now: datetime) -> None:
    """The host is not returned to service: its maintenance stays open, and what was to be brought
    back stays where it is.

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
            message=said,
            event=("return_refused", actor, said, ""),
        )

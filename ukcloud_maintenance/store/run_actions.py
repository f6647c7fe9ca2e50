"""The actions on the hosts of rolling runs: intended, changed, and how long they take."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from statistics import median
from typing import Any

from django.db import transaction
from django.db.models import F

from ..core.run.states import ACTION_OPEN, ActionKind, ActionState, RunState, Stage
from ..exceptions import StaleState
from ..models import HostMaintenance, Run, RunAction, RunHost
from .journal import Happened
from .run_changes import add_run_event, change_host, touch
from .runs import tries_of

#: How many of its last ends tell how long an action takes.
_LEARNED_FROM = 20


def action_seconds(name: str) -> float | None:
    """How long the action of this name took when it was done lately: the median of its last ends;
    None where there was none. One that ended before it began, as the clock was set back, tells
    nothing. One query."""
    done = RunAction.objects.filter(
        name=name, state=ActionState.DONE.value, ended_at__gte=F("started_at")
    ).order_by("-ended_at")
    times = list(done.values_list("started_at", "ended_at")[:_LEARNED_FROM])
    return median((end - start).total_seconds() for start, end in times) if times else None


def intend_to_act(
    run: Run,
    host: RunHost,
    now: datetime,
    *,
    maintenance: HostMaintenance,
    verified_after: datetime,
    name: str,
    kind: ActionKind,
    machine: str,
    place: str,
    event: Happened,
    before: Mapping[str, Any],
) -> RunAction:
    """Record that an action is about to be started on a host, before it is.

    :param maintenance: the host's, as it was read; it must still be verified safe to power off
    :param verified_after: what was verified before is too old
    :param machine: where a command will run; empty for another kind; as is `place`
    :param before: what is known of the host until then
    :raises StaleState: somebody else got there first
    """
    newest = max((one.number for one in tries_of(host)), default=0)
    with transaction.atomic():
        fields: dict[str, Any] = {"before": before, "down_at": None, "up_since": None}
        fields |= {"checked_at": None, "objection": None, "message": None}
        where = {"_set": {"machine": machine}} if machine else {}
        touch(run, now, state=RunState.RUNNING.value, **where)
        change_host(
            run,
            host,
            now,
            stage=Stage.ACTING,
            event=event,
            expect={"is_unwanted": False},
            **fields,
        )
        # Given back, drained again or no longer safe since it was decided: it is not acted on. The
        # same as core.host.safety.is_safe tells, of the row as it is now.
        safe = HostMaintenance.objects.filter(
            pk=maintenance.pk,
            closed_at=None,
            returning_since=None,
            safe_since__isnull=False,
            verified_at__range=(verified_after, now),
        )
        if safe.update(revision=F("revision") + 1) != 1:
            raise StaleState(f"host {host.host} is no longer safe to power off")
        made, is_new = RunAction.objects.get_or_create(
            host=host,
            number=newest + 1,
            defaults={
                "name": name,
                "kind": kind.value,
                "token": str(uuid.uuid4()),
                "machine": machine,
                "place": place,
                "started_at": now,
            },
        )
        if not is_new:
            raise StaleState(f"somebody else acts on {host.host}")
    if machine:
        run.machine = machine
    return made


def change_action(
    run: Run,
    host: RunHost,
    action: RunAction,
    now: datetime,
    *,
    event: Happened | None = None,
    at_once: bool = False,
    **fields: Any,
) -> None:
    """Change a try of an action of a run that is not over, only if it is still in the state in
    which it was read.

    :raises StaleState: it is not
    """
    old, new = ActionState(action.state), ActionState(fields.get("state", action.state))
    if new is not old:
        if old not in ACTION_OPEN and not (old is ActionState.UNKNOWN and new is ActionState.DONE):
            raise ValueError(f"an action cannot go from {old} to {new}")
        fields["state"] = new.value
        if new not in ACTION_OPEN:
            fields["ended_at"] = now
    with transaction.atomic():
        touch(run, now, _set={"next_pass_at": None} if at_once else None, finished_at=None)
        if RunAction.objects.filter(pk=action.pk, state=old.value).update(**fields) != 1:
            raise StaleState(f"the action on {host.host} is no longer {old}")
        if new not in ACTION_OPEN and action.machine:
            open_ones = RunAction.objects.filter(host__run=run, state__in=ACTION_OPEN)
            left = open_ones.exclude(machine="").values_list("machine", flat=True)
            Run.objects.filter(pk=run.pk).update(machine=left.first() or "")
        if event:
            add_run_event(run, now, event)
    for name, value in fields.items():
        setattr(action, name, value)

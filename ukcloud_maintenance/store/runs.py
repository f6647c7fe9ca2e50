"""Rolling runs: written, claimed, and changed from one state to the next."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, QuerySet

from ..core.message import Message
from ..core.run import holds
from ..core.run.order import Order
from ..core.run.states import (
    ACTION_OPEN,
    RUN_TERMINAL,
    RUN_TRANSITIONS,
    STAGE_TRANSITIONS,
    ActionKind,
    ActionState,
    RunState,
    Stage,
)
from ..core.run.steering import takes_hosts
from ..exceptions import StaleState
from ..models import Event, HostMaintenance, Run, RunAction, RunHost, host_key
from .destinations import in_turn
from .journal import Happened, add_event
from .keys import with_key

#: With these a host is free for another run.
_LETS_GO = frozenset({Stage.DONE, Stage.SKIPPED})


class HostInRun(StaleState):
    """A host is in another run that is not over. `run` is it, or None where it is just over."""

    def __init__(self, host: str, run: Run | None):
        super().__init__(f"host {host} is in a run")
        self.host = host
        self.run = run


class NewHost(NamedTuple):
    """A host of a run that is requested.

    :param domains: what fails together with it
    :param instances: how many it has
    :param seconds: how long it is forecast to take
    """

    host: str
    domains: Iterable[str] = ()
    instances: int = 0
    seconds: float = 0


# -- reading ---------------------------------------------------------------------------------


def run(run_id: int) -> Run | None:
    """One run, or None."""
    return with_key(Run.objects.all(), run_id).first()


def runs(region: str) -> "QuerySet[Run]":
    """The runs of a region, newest first."""
    return Run.objects.filter(region=region)


def run_hosts(run: Run, *, outputs: bool = True) -> list[RunHost]:
    """The hosts of a run in their order, with their drains, maintenances and actions. Two
    queries.

    :param outputs: with what the actions have written, which may be much
    """
    found = run.hosts.select_related("drain", "drain__maintenance", "maintenance")
    rows = list(found.order_by("position", "id"))
    actions: dict[int, list[RunAction]] = {row.pk: [] for row in rows}
    tries = RunAction.objects.filter(host__run=run).order_by("number", "id")
    for action in tries if outputs else tries.defer("output"):
        if action.host_id in actions:
            actions[action.host_id].append(action)
    for row in rows:
        row.tries = actions[row.pk]
    return rows


def tries_of(host: RunHost) -> list[RunAction]:
    """Its actions, the first one first, as :func:`run_hosts` read them."""
    found = getattr(host, "tries", None)
    return list(host.actions.order_by("number", "id")) if found is None else found


def run_of_host(region: str, host: str) -> RunHost | None:
    """The place of exactly this host in the run that it is in, or None."""
    rows = RunHost.objects.filter(open_key=host_key(region, host))
    return rows.select_related("run").first()


#: How many of its last ends tell how long an action takes.
_LEARNED_FROM = 20


def action_seconds(name: str) -> float | None:
    """How long the action of this name took when it was done lately: the median of its last ends;
    None where there was none. One query."""
    done = RunAction.objects.filter(
        name=name, state=ActionState.DONE.value, ended_at__isnull=False
    ).order_by("-ended_at")
    times = list(done.values_list("started_at", "ended_at")[:_LEARNED_FROM])
    return median((end - start).total_seconds() for start, end in times) if times else None


def done_before(drain_id: int) -> frozenset[str]:
    """For a drain of a run in which few instances are to move twice: the hosts that the run is done
    with, which need not be emptied again. One query."""
    mine = RunHost.objects.filter(drain_id=drain_id, run__order=Order.FEW_MOVES.value)
    done = RunHost.objects.filter(run__in=mine.values("run_id"), stage=Stage.DONE.value)
    return frozenset(done.values_list("host", flat=True))


def acted_on(region: str, host: str) -> RunHost | None:
    """The place of a host in a run while its action is in progress, or None. One query."""
    rows = RunHost.objects.filter(open_key=host_key(region, host), stage=Stage.ACTING.value)
    return rows.first()


def was_told(run: Run, kind: str, said: Message) -> bool:
    """Whether the newest event of this kind in a run says the same."""
    newest = Event.objects.filter(run=run, kind=kind).order_by("-id").first()
    return newest is not None and newest.message == said


def run_events(run: Run) -> "QuerySet[Event]":
    """What happened in a run, in the order in which it did."""
    return Event.objects.filter(run=run).order_by("at", "id")


# -- writing ---------------------------------------------------------------------------------


def create_run(
    *, hosts: Iterable[NewHost], actor: Any, said: Message, now: datetime, **fields: Any
) -> Run:
    """Write a run and its hosts, all or nothing.

    :param fields: of :class:`models.Run`
    :raises HostInRun: one of them is in another run
    """
    with in_turn(fields["region"]):
        made = Run.objects.create(
            requested_by_id=actor.id,
            requested_by=str(actor),
            created_at=now,
            updated_at=now,
            **fields,
        )
        _add_hosts(made, hosts, 0, now)
        _event(made, now, ("run_requested", actor, said))
    return made


def add_hosts(run: Run, hosts: Iterable[NewHost], event: Happened, now: datetime) -> None:
    """Further hosts at the end of an open run.

    :raises HostInRun: one of them is in another run, or in this one
    :raises StaleState: the run is over
    """
    with in_turn(run.region):
        _touch(run, now, state__in=sorted(takes_hosts()))
        last = run.hosts.order_by("-position").values_list("position", flat=True).first()
        _add_hosts(run, hosts, (last or 0) + 1, now)
        _event(run, now, event)


def _add_hosts(run: Run, hosts: Iterable[NewHost], first: int, now: datetime) -> None:
    new = list(hosts)
    keys = {host_key(run.region, one.host): one for one in new}
    taken = RunHost.objects.filter(open_key__in=keys).select_related("run").first()
    if taken is not None:
        raise HostInRun(taken.host, taken.run)
    RunHost.objects.bulk_create(
        RunHost(
            run=run,
            position=first + place,
            host=one.host,
            host_key=key,
            open_key=key,
            domains=sorted(one.domains),
            instances=one.instances,
            seconds=one.seconds,
            since=now,
        )
        for place, (key, one) in enumerate(keys.items())
    )


def change_run(
    run: Run,
    now: datetime,
    *,
    event: Happened | None = None,
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Change a run, only if it is still in the state in which it was read.

    :param expect: further fields that must still be so
    :raises StaleState: it is not
    """
    old, new = RunState(run.state), RunState(fields.get("state", run.state))
    if new is not old:
        if new not in RUN_TRANSITIONS[old]:
            raise ValueError(f"a run cannot go from {old} to {new}")
        fields["state"] = new.value
        if new in RUN_TERMINAL:
            fields |= {"finished_at": now, "claimed_by": "", "claimed_until": None}
    if "message" in fields:
        fields |= holds.noted(run.message, fields["message"], now)
    with transaction.atomic():
        _touch(run, now, state=old.value, **(expect or {}), _set=fields)
        if new in RUN_TERMINAL:
            run.hosts.update(open_key=None)
        if event:
            _event(run, now, event)
    for name, value in fields.items():
        setattr(run, name, value)


def accept_failures(run: Run) -> None:
    """Whoever continues after a failure has seen what failed; in the transaction of that."""
    run.hosts.filter(stage=Stage.FAILED.value).update(is_accepted=True)


def _touch(
    run: Run, now: datetime, *, _set: Mapping[str, Any] | None = None, **expect: Any
) -> None:
    """Raise the revision: what every transaction begins with, as it takes the lock of the run."""
    changed = Run.objects.filter(pk=run.pk, **expect).update(
        **(_set or {}), updated_at=now, revision=F("revision") + 1
    )
    if changed != 1:
        raise StaleState(f"run {run.pk} is no longer as it was read")


def change_host(
    run: Run,
    host: RunHost,
    now: datetime,
    *,
    event: Happened | None = None,
    expect: Mapping[str, Any] | None = None,
    at_once: bool = False,
    run_state: RunState | None = None,
    **fields: Any,
) -> None:
    """Change a host of a run, only if it is still in the stage in which it was read.

    :param at_once: a worker is to look at the run
    :param run_state: the state that the run must still be in
    :raises StaleState: it is not
    """
    old, new = Stage(host.stage), Stage(fields.get("stage", host.stage))
    if new is not old:
        if new not in STAGE_TRANSITIONS[old]:
            raise ValueError(f"a host of a run cannot go from {old} to {new}")
        fields |= {"stage": new.value, "since": now}
        fields["failed_in"] = old.value if new is Stage.FAILED else ""
        fields["is_accepted"] = False
        if new in _LETS_GO:
            fields["open_key"] = None
        if new in _LETS_GO | {Stage.FAILED}:
            fields["finished_at"] = now
    with transaction.atomic():
        wanted = {"state": run_state.value} if run_state else {}
        _touch(run, now, _set={"next_pass_at": None} if at_once else None, **wanted)
        changed = RunHost.objects.filter(pk=host.pk, stage=old.value, **(expect or {})).update(
            **fields
        )
        if changed != 1:
            raise StaleState(f"host {host.host} of run {run.pk} is no longer {old}")
        if event:
            _event(run, now, event)
    for name, value in fields.items():
        setattr(host, name, value)


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
        _touch(run, now, state=RunState.RUNNING.value, **where)
        change_host(
            run,
            host,
            now,
            stage=Stage.ACTING,
            event=event,
            expect={"is_unwanted": False},
            **fields,
        )
        # Given back, drained again or no longer safe since it was decided: it is not acted on.
        safe = HostMaintenance.objects.filter(
            pk=maintenance.pk,
            closed_at=None,
            returning_since=None,
            safe_since__isnull=False,
            verified_at__gte=verified_after,
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
    """Change a try of an action, only if it is still in the state in which it was read.

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
        _touch(run, now, _set={"next_pass_at": None} if at_once else None)
        if RunAction.objects.filter(pk=action.pk, state=old.value).update(**fields) != 1:
            raise StaleState(f"the action on {host.host} is no longer {old}")
        if new not in ACTION_OPEN and action.machine:
            open_ones = RunAction.objects.filter(host__run=run, state__in=ACTION_OPEN)
            left = open_ones.exclude(machine="").values_list("machine", flat=True)
            Run.objects.filter(pk=run.pk).update(machine=left.first() or "")
        if event:
            _event(run, now, event)
    for name, value in fields.items():
        setattr(action, name, value)


def record_of_run(run: Run, now: datetime, event: Happened) -> None:
    """Record what was done in a run."""
    with transaction.atomic():
        _touch(run, now)
        _event(run, now, event)


def _event(run: Run, now: datetime, event: Happened) -> None:
    kind, actor, said = event
    add_event(None, None, now, kind, actor, said, run=run)

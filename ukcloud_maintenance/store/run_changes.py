"""Rolling runs and their hosts: written, and changed from one state to the next."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F

from ..core.message import Message
from ..core.run import holds
from ..core.run.states import (
    RUN_TERMINAL,
    RUN_TRANSITIONS,
    STAGE_TRANSITIONS,
    STAGES_OVER,
    RunState,
    Stage,
)
from ..core.run.steering import takes_hosts
from ..exceptions import StaleState
from ..models import Run, RunHost, host_key
from .destinations import in_turn
from .journal import Happened, add_event

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
        add_run_event(made, now, ("run_requested", actor, said))
    return made


def add_hosts(run: Run, hosts: Iterable[NewHost], event: Happened, now: datetime) -> None:
    """Further hosts at the end of an open run.

    :raises HostInRun: one of them is in another run, or in this one
    :raises StaleState: the run is over
    """
    with in_turn(run.region):
        touch(run, now, state__in=sorted(takes_hosts()))
        last = run.hosts.order_by("-position").values_list("position", flat=True).first()
        _add_hosts(run, hosts, (last or 0) + 1, now)
        add_run_event(run, now, event)


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
    none_open: bool = False,
    **fields: Any,
) -> None:
    """Change a run, only if it is still in the state in which it was read.

    :param expect: further fields that must still be so
    :param none_open: where it ends, all its hosts must be over
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
        touch(run, now, state=old.value, **(expect or {}), _set=fields)
        if new in RUN_TERMINAL:
            if none_open:
                _expect_no_host_open(run)
            run.hosts.update(open_key=None)
        if event:
            add_run_event(run, now, event)
    for name, value in fields.items():
        setattr(run, name, value)


def _expect_no_host_open(run: Run) -> None:
    """:raises StaleState: a host was added or retried since the hosts were read"""
    if run.hosts.exclude(stage__in=[one.value for one in STAGES_OVER]).exists():
        raise StaleState(f"a host of run {run.pk} is open again")


def accept_failures(run: Run) -> None:
    """Whoever continues after a failure has seen what failed; in the transaction of that."""
    run.hosts.filter(stage=Stage.FAILED.value).update(is_accepted=True)


def touch(run: Run, now: datetime, *, _set: Mapping[str, Any] | None = None, **expect: Any) -> None:
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
    """Change a host of a run that is not over, only if it is still in the stage in which it was
    read.

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
        at_once_set = {"next_pass_at": None} if at_once else None
        touch(run, now, _set=at_once_set, finished_at=None, **wanted)
        changed = RunHost.objects.filter(pk=host.pk, stage=old.value, **(expect or {})).update(
            **fields
        )
        if changed != 1:
            raise StaleState(f"host {host.host} of run {run.pk} is no longer {old}")
        if event:
            add_run_event(run, now, event)
    for name, value in fields.items():
        setattr(host, name, value)


def record_of_run(run: Run, now: datetime, event: Happened) -> None:
    """Record what was done in a run."""
    with transaction.atomic():
        touch(run, now)
        add_run_event(run, now, event)


def add_run_event(run: Run, now: datetime, event: Happened) -> None:
    kind, actor, said = event
    add_event(None, None, now, kind, actor, said, run=run)

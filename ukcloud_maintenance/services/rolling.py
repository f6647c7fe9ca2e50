"""Rolling runs that were requested: what is shown of them, and what a person does with them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from .. import settings, store
from ..cloud import Cloud
from ..core.actor import RULE_ROLL, RULE_VIEW, Actor
from ..core.message import Message, message
from ..core.run import steering
from ..core.run.forecast import Forecast
from ..core.run.states import (
    ACTION_OPEN,
    RUN_TERMINAL,
    ActionKind,
    ActionState,
    Approval,
    HostVerb,
    RunState,
    RunVerb,
    Stage,
)
from ..core.states import DrainState
from ..exceptions import Refused, StaleState
from ..store import Event, Run, RunAction, RunHost
from .access import TRIES, require
from .hosts import worker_status
from .requests import DrainRequest
from .run_forecast import forecast_of_run
from .runs import RunRequest, check_run, in_another_run, never_fits

Done = TypeVar("Done")


@dataclass(frozen=True)
class RunReport:
    """A run with its hosts, from the database alone.

    :param hosts: in their order
    :param tries: of each host by its key, the first one first
    :param forecast: when the hosts that are not over begin and end; None: it is over
    """

    run: Run
    hosts: Sequence[RunHost]
    worker: store.WorkerStatus
    forecast: Forecast | None = None
    now: datetime = field(default_factory=store.now)

    @property
    def is_over(self) -> bool:
        return self.run.state in RUN_TERMINAL

    @property
    def failed(self) -> list[RunHost]:
        return [host for host in self.hosts if host.stage == Stage.FAILED]

    @property
    def yours(self) -> list[RunHost]:
        """The hosts that are a person's: maintained by hand."""
        return [host for host in self.hosts if is_yours(host)]

    def objection(self, verb: RunVerb) -> Message | None:
        waits = any(h.stage == Stage.WAITING and h.approved_at is None for h in self.hosts)
        if self.run.approval == Approval.FIRST:
            untouched = (Stage.WAITING, Stage.SKIPPED)
            waits &= all(h.approved_at is None and h.stage in untouched for h in self.hosts)
        return steering.run_objection(verb, self.run.state, self.run.approval, waits)

    def host_objection(self, verb: HostVerb, host: RunHost) -> Message | None:
        return _host_objection(self.run, host, verb)


def newest_try(host: RunHost) -> RunAction | None:
    return next(iter(reversed(store.tries_of(host))), None)


def is_yours(host: RunHost) -> bool:
    """Whether a person has the host."""
    newest = newest_try(host)
    return (
        host.stage == Stage.ACTING
        and newest is not None
        and newest.kind == ActionKind.HAND
        and newest.state in ACTION_OPEN
    )


def _host_objection(run: Run, host: RunHost, verb: HostVerb) -> Message | None:
    newest = newest_try(host)
    kind = newest.kind if newest is not None else ""
    return steering.host_objection(verb, run.state, host.stage, host.failed_in, kind)


def list_runs(actor: Actor, region: str) -> list[Run]:
    """The runs of a region, newest first."""
    require(actor, RULE_VIEW)
    return list(store.runs(region))


def get_run(actor: Actor, run_id: int) -> Run:
    """:raises Refused: there is no such run"""
    require(actor, RULE_VIEW)
    found = store.run(run_id)
    if found is None:
        raise Refused(message("unknown_run", id=run_id))
    return found


def run_report(actor: Actor, run_id: int) -> RunReport:
    """Everything that the page of a run shows. Nova is not asked.

    :raises Refused: there is no such run
    """
    run = get_run(actor, run_id)
    hosts = store.run_hosts(run)
    now = store.now()
    return RunReport(run, hosts, worker_status(actor), forecast_of_run(run, hosts, now), now)


def run_record(actor: Actor, run: Run) -> "list[Event]":
    """What happened in a run, in the order in which it did."""
    require(actor, RULE_VIEW)
    return list(store.run_events(run))


def run_of_host(actor: Actor, region: str, host: str) -> RunHost | None:
    """The place of exactly this host in a run that is not over, or None."""
    require(actor, RULE_VIEW)
    found = store.run_of_host(region, host)
    return found if found is not None and found.run.state not in RUN_TERMINAL else None


# -- steering --------------------------------------------------------------------------------


def steer_run(actor: Actor, run_id: int, verb: RunVerb) -> Run:
    """Pause, resume, cancel a run, or approve its next host.

    To resume a run that stopped after a failure is to go on without the hosts that failed.

    :raises Refused: there is no such run, or that cannot be done with it
    """
    require(actor, RULE_ROLL)

    def change() -> Run:
        run = get_run(actor, run_id)
        hosts = store.run_hosts(run)
        report = RunReport(run, hosts, worker_status(actor))
        if (why := report.objection(verb)) is not None:
            raise Refused(why, code=f"cannot_{verb.value}")
        now = store.now()
        fields: dict[str, Any] = {"next_pass_at": None}
        if verb is RunVerb.APPROVE:
            host = _to_approve(run, hosts)
            event = ("run_host_approved", actor, message("run_approved", host=host.host))
            given: dict[str, Any] = {"approved_at": now, "approved_by": str(actor)}
            store.change_host(
                run, host, now, event=event, expect={"approved_at": None}, at_once=True, **given
            )
            return run
        if verb is RunVerb.RESUME:
            fields["message"] = message("waits_for_worker")
        if verb is RunVerb.PAUSE:
            fields["message"] = message("run_paused", who=str(actor))
        if verb is RunVerb.CANCEL:
            fields["message"] = message("run_being_cancelled", who=str(actor))
        state = {
            RunVerb.PAUSE: RunState.PAUSED,
            RunVerb.RESUME: RunState.RUNNING,
            RunVerb.CANCEL: RunState.CANCELLING,
        }[verb]
        said = message(f"run_asked_{verb.value}")
        event = (f"run_{verb.value}_requested", actor, said)
        with store.all_or_none():
            goes_on = verb is RunVerb.RESUME and run.state == RunState.STOPPED
            store.change_run(run, now, state=state.value, event=event, **fields)
            if goes_on:
                store.accept_failures(run)
        return run

    return _again(change, run_id)


def _to_approve(run: Run, hosts: Sequence[RunHost]) -> RunHost:
    """The host that the run says it waits for; or the next one, where it does not say. One at a
    time: a second press is not about another host.

    :raises Refused: it was approved already
    """
    waiting = [h for h in hosts if h.stage == Stage.WAITING and not h.is_unwanted]
    if run.message is not None and run.message.code == "run_waits_for_approval":
        waiting = [h for h in waiting if h.host == run.message.values["host"]]
    if not waiting or any(h.approved_at is not None for h in waiting):
        raise Refused(message("run_needs_no_approval"), code="cannot_approve")
    return waiting[0]


def steer_host(actor: Actor, run_id: int, host: str, verb: HostVerb) -> RunHost:
    """Leave a host of a run out, try it again after it failed, or say that its maintenance is
    done.

    :raises Refused: there is no such run or host, or that cannot be done with it
    """
    require(actor, RULE_ROLL)

    def change() -> RunHost:
        run = get_run(actor, run_id)
        rows = [one for one in store.run_hosts(run) if one.host == host]
        # of one that was left out and added again, the place that counts
        row = next((one for one in rows if one.open_key), rows[-1] if rows else None)
        if row is None:
            raise Refused(message("run_host_unknown", host=host, run=run_id), field="host")
        if (why := _host_objection(run, row, verb)) is not None:
            raise Refused(why, code=f"cannot_{verb.value}", field="host")
        {HostVerb.SKIP: _skip, HostVerb.RETRY: _retry, HostVerb.DONE: _done}[verb](actor, run, row)
        return row

    return _again(change, run_id)


def _skip(actor: Actor, run: Run, row: RunHost) -> None:
    said = message("run_host_skipped", host=row.host)
    event = ("run_host_skip_requested", actor, said)
    now = store.now()
    if row.stage in (Stage.WAITING, Stage.FAILED):
        store.change_host(
            run, row, now, stage=Stage.SKIPPED.value, is_unwanted=True, at_once=True, event=event
        )
    else:
        store.change_host(run, row, now, is_unwanted=True, at_once=True, event=event)


def _retry(actor: Actor, run: Run, row: RunHost) -> None:
    is_drained = row.drain is not None and row.drain.state == DrainState.SUCCEEDED
    to = steering.retry_stage(row.failed_in, is_drained)
    event = ("run_host_retry_requested", actor, message("run_host_retried", host=row.host))
    store.change_host(
        run,
        row,
        store.now(),
        stage=to.value,
        message=None,
        finished_at=None,
        objection=None,
        checked_at=None,
        is_unwanted=False,
        tries_before=len(store.tries_of(row)),
        at_once=True,
        event=event,
    )


def _done(actor: Actor, run: Run, row: RunHost) -> None:
    now = store.now()
    said = message("run_host_done_by", host=row.host, who=str(actor))
    newest = newest_try(row)
    if row.stage == Stage.FAILED:
        event = ("run_host_said_done", actor, said)
        store.change_host(
            run,
            row,
            now,
            stage=Stage.SETTLING.value,
            message=None,
            finished_at=None,
            objection=None,
            checked_at=None,
            at_once=True,
            event=event,
        )
        return
    assert newest is not None  # or there was an objection
    if newest.state == ActionState.DONE:
        return  # said before
    if newest.state not in (*ACTION_OPEN, ActionState.UNKNOWN):
        raise StaleState("its end is being recorded")
    store.change_action(
        run,
        row,
        newest,
        now,
        state=ActionState.DONE.value,
        done_by=str(actor),
        message=said,
        at_once=True,
        event=("run_action_done", actor, said),
    )


def host_done(actor: Actor, region: str, host: str) -> RunHost:
    """Say that the maintenance of a host is done, whichever run it is in.

    :raises Refused: it is in none, or nothing was to be done with it
    """
    require(actor, RULE_ROLL)
    found = run_of_host(actor, region, host)
    if found is None:
        raise Refused(message("run_host_in_none", host=host), field="host")
    return steer_host(actor, found.run_id, host, HostVerb.DONE)


def add_to_run(actor: Actor, cloud: Cloud, run_id: int, hosts: Iterable[str]) -> Run:
    """Further hosts at the end of a run that is not over.

    :raises Refused: with the reason; nothing was changed
    """
    require(actor, RULE_ROLL)
    run = get_run(actor, run_id)
    if (why := steering.run_objection(RunVerb.ADD, run.state)) is not None:
        raise Refused(why, code="cannot_add")
    request = RunRequest(
        tuple(hosts),
        DrainRequest(
            "",
            run.reason,
            run.max_concurrent,
            move_locked=run.move_locked,
            timeout_action=run.timeout_action,
        ),
        action=run.action if run.action in settings.current().actions else "",
        at_once=run.at_once,
        domain=run.domain,
        aggregates=tuple(run.aggregates),
        windows=tuple(run.windows),
    )
    preview = check_run(actor, cloud, request)
    for one in preview.hosts:
        if one.refusal is not None:
            raise one.refusal
    if preview.never_fit:
        raise never_fits(preview.never_fit)
    new = [store.NewHost(h.host, h.domains, len(h.servers), h.seconds) for h in preview.hosts]
    names = [one.host for one in new]

    def change() -> Run:
        now = store.now()
        event = ("run_hosts_added", actor, message("run_hosts_added", hosts=names))
        try:
            store.add_hosts(run, new, event, now)
        except store.HostInRun as error:
            raise in_another_run(error.host, error.run) from error
        return run

    return _again(change, run_id)


def _again(change: Callable[[], Done], run_id: int) -> Done:
    """Try a change until nobody is faster."""
    for _ in range(TRIES):
        try:
            return change()
        except StaleState:
            continue
    raise Refused(message("run_busy", run=run_id), code="busy")

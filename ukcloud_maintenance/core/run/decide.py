"""What is to be done next in a run: run + hosts + now -> steps. Pure.

Each host goes its way by itself, one step a pass (`of_host`). Whether a further one may begin is
asked of the run as a whole (`next_host`): what else stands against it, the gates and the room,
costs requests and is asked by the caller for that host alone. A step is safe to repeat, and what it
leads to is seen by the next pass: a process that dies at any instruction loses nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..message import Message, message, some
from ..states import DRAIN_TERMINAL, DrainState, ReturnResult
from . import canary
from .domains import may_go_out
from .states import (
    STAGES_OVER,
    ActionKind,
    ActionState,
    Approval,
    OnFailure,
    RunState,
    Stage,
)
from .view import HostView, RunView


@dataclass(frozen=True)
class Move:
    """The host is a stage further."""

    key: int
    to: Stage
    message: Message | None = None


@dataclass(frozen=True)
class Fail:
    """A person must look at the host."""

    key: int
    message: Message


@dataclass(frozen=True)
class Act:
    """Start the action, or hand the host to a person: it is empty, and safe to power off."""

    key: int


@dataclass(frozen=True)
class ReturnToService:
    """Ask for the host's return to service."""

    key: int


@dataclass(frozen=True)
class CancelDrain:
    """Ask for the cancel of its drain, with its service enabled again."""

    key: int


@dataclass(frozen=True)
class Say:
    """Nothing is to be done; this is what is waited for."""

    key: int
    message: Message


@dataclass(frozen=True)
class Remind:
    """Somebody who has the host is reminded."""

    key: int
    message: Message


Step = Move | Fail | Act | ReturnToService | CancelDrain | Say | Remind

#: Runs in these states begin no host and start no action.
_HOLDS = (RunState.PAUSED, RunState.STOPPED)


def of_host(run: RunView, host: HostView, now: datetime) -> Step | None:
    """The next step of one host that has begun; None: nothing is to be done or said."""
    match host.stage:
        case Stage.DRAINING:
            return _draining(run, host)
        case Stage.READY:
            return _ready(run, host, now)
        case Stage.ACTING:
            return _acting(run, host, now)
        case Stage.SETTLING:
            return _settling(run, host, now)
        case Stage.RETURNING:
            return _returning(run, host)
        case Stage.BRINGING_BACK:
            return _bringing_back(host)
        case Stage.WAITING if run.state == RunState.CANCELLING or host.is_unwanted:
            return Move(host.key, Stage.SKIPPED, message("run_host_left_out"))
    return None


def _is_dropped(run: RunView, host: HostView) -> bool:
    """Whether it is to be returned before anything is done with it."""
    return host.is_unwanted or run.state == RunState.CANCELLING


def _draining(run: RunView, host: HostView) -> Step | None:
    key = host.key
    if host.drain is None:
        return Fail(key, message("run_drain_missing"))
    if host.drain == DrainState.SUCCEEDED:
        return Move(key, Stage.READY)
    if host.drain not in DRAIN_TERMINAL:
        if _is_dropped(run, host) and host.drain != DrainState.CANCELLING:
            return CancelDrain(key)
        return None
    if host.drain == DrainState.CANCELLED and _is_dropped(run, host):
        return Move(key, Stage.SKIPPED, message("run_host_left_out"))
    return Fail(key, message("run_drain_failed", why=host.drain_said or message("run_no_reason")))


def _ready(run: RunView, host: HostView, now: datetime) -> Step | None:
    key = host.key
    if host.is_returning or not host.is_in_maintenance:
        return _was_returned(host, by_us=_is_dropped(run, host))
    if host.drain is not None and host.drain not in DRAIN_TERMINAL:
        return Say(key, message("run_drained_again"))
    if _is_dropped(run, host):
        return ReturnToService(key)
    if run.state in _HOLDS:
        return Say(key, message("run_host_is_empty"))
    since = host.since
    if host.action is not None and host.action.state == ActionState.LATER:
        since = max(since, host.action.next_at or since)
        if host.action.tries > run.limits.later_tries:
            return Fail(key, message("run_action_never_ready", count=host.action.tries))
        if host.action.next_at is not None and now < host.action.next_at:
            return Say(key, message("run_action_later", at=host.action.next_at))
    if host.is_safe:
        return Act(key)
    if now - since > timedelta(seconds=run.limits.safe_seconds):
        seconds = int((now - since).total_seconds())
        return Fail(key, message("run_never_safe", seconds=seconds))
    return Say(key, message("run_waits_for_certificate"))


def _acting(run: RunView, host: HostView, now: datetime) -> Step | None:
    key, action = host.key, host.action
    if action is None:
        return Move(key, Stage.READY)
    match action.state:
        case ActionState.DONE:
            return Move(key, Stage.SETTLING, action.message)
        case ActionState.LATER:
            return Move(key, Stage.READY, action.message)
        case ActionState.FAILED:
            return Fail(key, action.message or message("run_no_reason"))
        case ActionState.UNKNOWN:
            may_repeat = action.is_idempotent and action.tries <= run.limits.later_tries
            if may_repeat and run.state is RunState.RUNNING:
                return Move(key, Stage.READY, action.message)  # if it is safe still
            return Fail(key, action.message or message("run_no_reason"))
    if action.kind is not ActionKind.HAND:
        return Say(key, action.message) if action.message is not None else None
    since = action.reminded_at or action.started_at or host.since
    if now - since >= timedelta(seconds=run.limits.remind_seconds):
        waited = int((now - (action.started_at or host.since)).total_seconds())
        return Remind(key, message("run_host_is_yours_still", host=host.host, seconds=waited))
    return Say(key, message("run_host_is_yours", host=host.host))


def _settling(run: RunView, host: HostView, now: datetime) -> Step | None:
    key = host.key
    if host.is_returning or not host.is_in_maintenance:
        return _was_returned(host, by_us=host.is_checked)
    waited = now - host.since
    is_late = waited > timedelta(seconds=run.limits.back_seconds + run.settle_seconds)
    if not host.is_up:
        if is_late:
            return Fail(key, message("run_host_not_back", seconds=int(waited.total_seconds())))
        return Say(key, message("run_waits_until_up"))
    up_since = host.up_since or now
    until = max(up_since, host.since) + timedelta(seconds=run.settle_seconds)
    if now < until:
        return Say(key, message("run_settles", until=until))
    if host.objection is not None:
        is_unseen = waited > timedelta(seconds=run.limits.no_reboot_seconds)
        is_final = host.objection.code in (canary.FAILED, canary.LEFT)
        if is_late or is_final or (is_unseen and host.objection.code == "run_no_reboot"):
            return Fail(key, host.objection)
        return Say(key, host.objection)
    if not host.is_checked:
        return None  # the caller looks, and the next pass decides
    return ReturnToService(key)


def _was_returned(host: HostView, *, by_us: bool) -> Step:
    """Somebody gave it back; or it was us, who were stopped before that was written down.

    :param by_us: it was our turn to
    """
    said = None if by_us else message("run_given_back_by_hand")
    return Move(host.key, Stage.RETURNING, said)


def _returning(run: RunView, host: HostView) -> Step | None:
    key = host.key
    if host.returned is None:
        if host.is_in_maintenance and not host.is_returning:
            return Fail(key, message("run_return_refused"))
        return None
    if host.returned == ReturnResult.NOT_UP and not host.is_up:
        return Fail(key, message("run_returned_not_up"))
    if host.returned == ReturnResult.REFUSED:
        return Fail(key, message("run_return_refused"))
    was_done = host.action is not None and host.action.state == ActionState.DONE
    if not was_done and not host.is_checked:
        dropped = _is_dropped(run, host)
        said = message("run_host_left_out" if dropped else "run_given_back_undone")
        return Move(key, Stage.SKIPPED, said)
    if run.bring_back and host.back is not None:
        return Move(key, Stage.BRINGING_BACK)
    left = host.returned == ReturnResult.LEFT
    return Move(key, Stage.DONE, message("run_left_as_found" if left else "run_in_service"))


def _bringing_back(host: HostView) -> Step | None:
    if host.back is not None and host.back not in DRAIN_TERMINAL:
        return None
    if host.back == DrainState.SUCCEEDED:
        return Move(host.key, Stage.DONE, message("run_brought_back"))
    why = host.back_said or message("run_no_reason")
    return Move(host.key, Stage.DONE, message("run_some_not_back", why=why))


# -- the run as a whole ----------------------------------------------------------------------


def failed(hosts: Iterable[HostView]) -> list[HostView]:
    return [host for host in hosts if host.stage == Stage.FAILED]


def stopping(run: RunView, hosts: Iterable[HostView]) -> list[HostView]:
    """The hosts that failed and that nobody has gone on without, where they are too many."""
    broken = [host for host in failed(hosts) if not host.is_accepted]
    allowed = run.failures if run.on_failure == OnFailure.SKIP else 0
    return broken if len(broken) > allowed else []


def of_run(run: RunView, hosts: Sequence[HostView]) -> tuple[RunState, Message | None] | None:
    """The state that the run is in by now, and what is to be said of it; None: as it was."""
    broken = failed(hosts)
    is_over = all(host.stage in STAGES_OVER for host in hosts)
    if run.state == RunState.CANCELLING:
        return (RunState.CANCELLED, _cancelled(hosts)) if is_over else None
    if stops := stopping(run, hosts):
        if run.state is not RunState.RUNNING:
            return None  # it holds already; one that is paused stays so until it is resumed
        names = some([host.host for host in stops])
        return RunState.STOPPED, message("run_stopped", hosts=names, count=len(stops))
    if is_over:
        names = some([host.host for host in broken])
        if broken:
            return RunState.FAILED, message("run_failed", hosts=names, count=len(broken))
        return RunState.SUCCEEDED, _well_over(hosts)
    if run.state == RunState.STOPPED:
        return RunState.RUNNING, None  # what failed was retried, or given up
    return None


def _still_out(hosts: Iterable[HostView]) -> list[str]:
    """The hosts of a run that is over that stay out of service because of it, such as one that
    failed, whoever left it out since."""
    return list(dict.fromkeys(host.host for host in hosts if host.is_in_maintenance))


def _cancelled(hosts: Iterable[HostView]) -> Message:
    if names := _still_out(hosts):
        return message("run_cancelled_but_out", hosts=some(names), count=len(names))
    return message("run_cancelled")


def _well_over(hosts: Sequence[HostView]) -> Message:
    """How a run ended in which no host failed, or those that did were left out."""
    if names := _still_out(hosts):
        return message("run_over_but_out", hosts=some(names), count=len(names))
    left_out = [host.host for host in hosts if host.stage is Stage.SKIPPED]
    done = len(hosts) - len(left_out)
    if not left_out:
        return message("run_all_done", count=done)
    if not done:
        return message("run_all_skipped")
    return message("run_done_but", count=done, hosts=some(left_out))


def next_host(
    run: RunView, hosts: Sequence[HostView], passed_over: Collection[int] = ()
) -> HostView | Message | None:
    """The host that may begin as far as the run goes; or why none may; or None: none is left.

    Hosts take their turns in their order; one that its failure domain keeps from it lets the next
    one pass. That one is stopped after a failure, paused or cancelled, is no reason that is said
    here.

    :param run: as it is once :func:`of_run` was heeded
    :param hosts: in their order
    :param passed_over: the keys of those whose turn does not come
    """
    waiting = [
        host
        for host in hosts
        if host.stage == Stage.WAITING and not host.is_unwanted and host.key not in passed_over
    ]
    if not waiting or run.state != RunState.RUNNING:
        return None
    out = [run.place(host) for host in hosts if host.is_in_progress]
    limits = run.out_limits(frozenset().union(*(host.domains for host in hosts)))
    why: Message | None = None
    for host in waiting:
        held = may_go_out(run.place(host), out, limits)
        if held is None and _waits_for_approval(run, host, hosts):
            return message("run_waits_for_approval", host=host.host)
        if held is None:
            return host
        why = why or held
    return why


def _waits_for_approval(run: RunView, host: HostView, hosts: Sequence[HostView]) -> bool:
    if host.is_approved or run.approval == Approval.NONE:
        return False
    if run.approval == Approval.EACH:
        return True
    # before the first: nobody has begun, and nobody was approved
    untouched = (Stage.WAITING, Stage.SKIPPED)
    return all(one.stage in untouched and not one.is_approved for one in hosts)

"""What a person can do with a run and its hosts, and why not: one place for buttons, commands and
services."""

from ..message import Message, message
from .states import (
    RETRY_FROM,
    RUN_TERMINAL,
    ActionKind,
    Approval,
    HostVerb,
    RunState,
    RunVerb,
    Stage,
)


def run_objection(
    verb: RunVerb, state: str, approval: str = "", waits: bool = False
) -> Message | None:
    """Why this cannot be done with a run in this state; None: it can.

    :param waits: whether a host waits for its turn that was not approved
    """
    now = RunState(state)
    if now in RUN_TERMINAL:
        return message("run_is_over", state=now.value)
    if now is RunState.CANCELLING:
        return message("run_is_cancelled")
    if verb is RunVerb.PAUSE and now is not RunState.RUNNING:
        return message("run_not_running", state=now.value)
    if verb is RunVerb.RESUME and now is RunState.RUNNING:
        return message("run_runs_already")
    if verb is RunVerb.APPROVE and (approval in ("", Approval.NONE) or not waits):
        return message("run_needs_no_approval")
    return None


def takes_hosts() -> frozenset[RunState]:
    """The states of a run in which hosts can be added to it."""
    return frozenset(one for one in RunState if run_objection(RunVerb.ADD, one) is None)


def host_objection(
    verb: HostVerb, run_state: str, stage: str, failed_in: str = "", kind: str = ""
) -> Message | None:
    """Why this cannot be done with a host of a run; None: it can.

    :param kind: of its action, if it has one
    """
    if RunState(run_state) in RUN_TERMINAL:
        return message("run_is_over", state=run_state)
    now = Stage(stage)
    if verb is HostVerb.SKIP:
        if now in (Stage.WAITING, Stage.DRAINING, Stage.READY, Stage.FAILED):
            return None
        return message("run_host_not_to_be_left_out", stage=now.value)
    if verb is HostVerb.RETRY:
        if now is Stage.FAILED:
            return None
        return message("run_host_has_not_failed", stage=now.value)
    if now is Stage.ACTING and kind == ActionKind.COMMAND:
        return message("run_command_runs")
    if now is Stage.ACTING and kind:
        return None
    if now is Stage.FAILED and failed_in in (Stage.ACTING, Stage.SETTLING):
        return None
    return message("run_host_not_acted_on", stage=now.value)


def retry_stage(failed_in: str, is_drained: bool) -> Stage:
    """Where a host that failed continues when it is retried.

    :param is_drained: its drain has succeeded
    """
    wanted = RETRY_FROM[Stage(failed_in)] if failed_in else Stage.WAITING
    return wanted if is_drained else Stage.WAITING

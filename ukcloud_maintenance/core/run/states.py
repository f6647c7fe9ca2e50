"""The states of a run, the stages of its hosts, and what becomes of an action."""

from ..backports import StrEnum


class RunState(StrEnum):
    """Where a run is on its way from asked to over."""

    RUNNING = "running"  # hosts begin as windows, gates and room allow
    PAUSED = "paused"  # no host begins and no action is started; what moves goes on
    STOPPED = "stopped"  # the same, after a failure: a person must look
    CANCELLING = "cancelling"  # what has begun is finished or returned; nothing else begins
    SUCCEEDED = "succeeded"  # every host ended as it should
    FAILED = "failed"  # over, with hosts that failed
    CANCELLED = "cancelled"  # over, because somebody requested it


RUN_TERMINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})
RUN_OPEN = frozenset(RunState) - RUN_TERMINAL

RUN_TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.RUNNING: frozenset(
        {
            *(RunState.PAUSED, RunState.STOPPED, RunState.CANCELLING),
            *(RunState.SUCCEEDED, RunState.FAILED),
        }
    ),
    RunState.PAUSED: frozenset(
        {
            *(RunState.RUNNING, RunState.CANCELLING),
            *(RunState.SUCCEEDED, RunState.FAILED),
        }
    ),
    RunState.STOPPED: frozenset(
        {RunState.RUNNING, RunState.CANCELLING, RunState.SUCCEEDED, RunState.FAILED}
    ),
    RunState.CANCELLING: frozenset({RunState.CANCELLED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}


class Stage(StrEnum):
    """How far one host of a run is."""

    WAITING = "waiting"  # its turn has not come
    DRAINING = "draining"  # its instances move away
    READY = "ready"  # drained; it is made sure that it is safe to power off
    ACTING = "acting"  # the maintenance action, or a person, has it
    SETTLING = "settling"  # acted on; its service must be up for a while, and its checks hold
    RETURNING = "returning"  # returned to service
    BRINGING_BACK = "bringing_back"  # in service; its instances come back
    DONE = "done"  # in service, as it should be
    FAILED = "failed"  # a person must look; out of service if its maintenance is open
    SKIPPED = "skipped"  # left out, or given up by a person


#: Nothing more is done with the host in this run, unless somebody asks.
STAGES_OVER = frozenset({Stage.DONE, Stage.FAILED, Stage.SKIPPED})
#: The host is out of service, or on its way there or back, because of the run.
STAGES_OUT = frozenset({Stage.DRAINING, Stage.READY, Stage.ACTING, Stage.SETTLING, Stage.RETURNING})
#: The run is at work on it.
STAGES_IN_PROGRESS = STAGES_OUT | {Stage.BRINGING_BACK}

STAGE_TRANSITIONS: dict[Stage, frozenset[Stage]] = {
    Stage.WAITING: frozenset({Stage.DRAINING, Stage.FAILED, Stage.SKIPPED}),
    Stage.DRAINING: frozenset({Stage.READY, Stage.FAILED, Stage.SKIPPED}),
    Stage.READY: frozenset({Stage.ACTING, Stage.RETURNING, Stage.FAILED, Stage.SKIPPED}),
    # an action may ask to be tried again later
    Stage.ACTING: frozenset({Stage.SETTLING, Stage.READY, Stage.FAILED}),
    Stage.SETTLING: frozenset({Stage.RETURNING, Stage.FAILED}),
    Stage.RETURNING: frozenset({Stage.BRINGING_BACK, Stage.DONE, Stage.FAILED, Stage.SKIPPED}),
    Stage.BRINGING_BACK: frozenset({Stage.DONE}),
    Stage.DONE: frozenset(),
    # a retry continues where it failed, or from the beginning; a person says that it is done
    Stage.FAILED: frozenset({Stage.WAITING, Stage.READY, Stage.SETTLING, Stage.SKIPPED}),
    Stage.SKIPPED: frozenset(),
}

#: Where a retry of a host that failed continues, by the stage that it failed in.
RETRY_FROM: dict[Stage, Stage] = {
    Stage.WAITING: Stage.WAITING,
    Stage.DRAINING: Stage.WAITING,
    Stage.READY: Stage.READY,
    Stage.ACTING: Stage.READY,
    Stage.SETTLING: Stage.SETTLING,
    Stage.RETURNING: Stage.SETTLING,
}


class ActionState(StrEnum):
    """What is known of one try of an action on a host."""

    INTENDED = "intended"  # recorded; it is about to be started, or was
    RUNNING = "running"
    DONE = "done"
    LATER = "later"  # it asked to be tried again later
    FAILED = "failed"
    UNKNOWN = "unknown"  # how it ended cannot be told: a person must look


ACTION_OPEN = frozenset({ActionState.INTENDED, ActionState.RUNNING})


class ActionKind(StrEnum):
    """Who acts."""

    HAND = "hand"  # a person
    COMMAND = "command"  # a program on a worker's machine
    WEBHOOK = "webhook"  # another system


class OnFailure(StrEnum):
    """What becomes of a run when one of its hosts fails."""

    STOP = "stop"
    SKIP = "skip"  # it continues with the next one, a number of times


class Approval(StrEnum):
    """Before which hosts a person is waited for."""

    NONE = "none"
    FIRST = "first"
    EACH = "each"


class RunVerb(StrEnum):
    """What a person can do with a run."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    APPROVE = "approve"
    ADD = "add"


class HostVerb(StrEnum):
    """What a person can do with one host of a run."""

    SKIP = "skip"
    RETRY = "retry"
    DONE = "done"

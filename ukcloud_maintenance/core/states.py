"""The states of a drain and of an instance migration, and the ways between them.

A state is never written without :func:`check_drain_transition` or
:func:`check_migration_transition` having allowed it; `store` sees to that.
"""

from .backports import StrEnum


class Direction(StrEnum):
    """Which way the instances of a run go."""

    AWAY = "away"  # a drain: off the host
    BACK = "back"  # after the return to service: to the host that they came from


class DrainState(StrEnum):
    """Where a drain is on its way from asked to over."""

    PENDING = "pending"  # requested; no worker has touched it yet
    RUNNING = "running"  # a worker disables the service and moves instances
    PAUSED = "paused"  # no new migrations start, those in progress finish
    CANCELLING = "cancelling"  # no new migrations start, waits for those in progress
    SUCCEEDED = "succeeded"  # the host was proved empty
    FAILED = "failed"  # over, and the host is not proved empty
    CANCELLED = "cancelled"  # over, because somebody requested it


DRAIN_TERMINAL = frozenset({DrainState.SUCCEEDED, DrainState.FAILED, DrainState.CANCELLED})
DRAIN_OPEN = frozenset(DrainState) - DRAIN_TERMINAL

DRAIN_TRANSITIONS: dict[DrainState, frozenset[DrainState]] = {
    DrainState.PENDING: frozenset(
        {DrainState.RUNNING, DrainState.PAUSED, DrainState.CANCELLING, DrainState.CANCELLED}
    ),
    DrainState.RUNNING: frozenset(
        {DrainState.PAUSED, DrainState.SUCCEEDED, DrainState.FAILED, DrainState.CANCELLING}
    ),
    # One that was paused before it began is as untouched as a pending one.
    DrainState.PAUSED: frozenset(
        {
            DrainState.RUNNING,
            DrainState.PENDING,
            DrainState.CANCELLING,
            DrainState.CANCELLED,
        }
    ),
    DrainState.CANCELLING: frozenset({DrainState.CANCELLED}),
    DrainState.SUCCEEDED: frozenset(),
    # A retry of what failed continues with the same drain.
    DrainState.FAILED: frozenset({DrainState.RUNNING}),
    DrainState.CANCELLED: frozenset(),
}


class DrainResult(StrEnum):
    """Why a drain is over; empty while it is open."""

    EMPTY = "empty"  # succeeded: nothing is left on the host, and that is proved
    BROUGHT_BACK = "brought_back"  # succeeded: all that was to come back has arrived
    INSTANCES_LEFT = "instances_left"  # only instances that stay by choice are left
    INSTANCES_FAILED = "instances_failed"  # at least one could not be moved
    NOT_PROVED = "not_proved"  # nothing is known to be left, but the proof failed
    HOST_LOST = "host_lost"  # the host went down and did not come back in time
    INTERRUPTED = "interrupted"  # OpenStack did not answer, or the worker failed, for too long
    CANCELLED = "cancelled"  # an admin cancelled it


class MigrationState(StrEnum):
    """Where one instance is on its way off the host. `queued` is Nova's word, not ours."""

    PENDING = "pending"  # will be moved; nothing was asked of Nova for this attempt
    BLOCKED = "blocked"  # cannot be moved now; looked at again while the drain runs
    SUBMITTED = "submitted"  # the intent is recorded; Nova was or is about to be asked
    MIGRATING = "migrating"  # Nova has taken it: a migration record or action is known
    CONFIRMING = "confirming"  # cold migrated, in VERIFY_RESIZE, to be confirmed
    SUCCEEDED = "succeeded"  # arrived: other host, no task, the status it had before
    GONE = "gone"  # deleted, or moved by somebody else
    FAILED = "failed"  # every attempt failed, or it arrived in ERROR
    STAYS = "stays"  # somebody chose that, or this release does not move its kind
    SKIPPED = "skipped"  # an admin took it off the list
    CANCELLED = "cancelled"  # the drain was cancelled before it left
    UNKNOWN = "unknown"  # where the guest runs cannot be told; a person must look


MIGRATION_TERMINAL = frozenset(
    {
        MigrationState.SUCCEEDED,
        MigrationState.GONE,
        MigrationState.FAILED,
        MigrationState.STAYS,
        MigrationState.SKIPPED,
        MigrationState.CANCELLED,
        MigrationState.UNKNOWN,
    }
)
MIGRATION_OPEN = frozenset(MigrationState) - MIGRATION_TERMINAL
#: Nova holds, or may hold, a migration of ours.
MIGRATION_IN_PROGRESS = frozenset(
    {MigrationState.SUBMITTED, MigrationState.MIGRATING, MigrationState.CONFIRMING}
)
#: Not started, and free to be put aside.
MIGRATION_WAITING = frozenset({MigrationState.PENDING, MigrationState.BLOCKED})
#: The instance left the source host.
MIGRATION_LEFT = frozenset({MigrationState.SUCCEEDED, MigrationState.GONE})

_WAITING_TO = {
    MigrationState.PENDING,
    MigrationState.BLOCKED,
    MigrationState.GONE,
    MigrationState.FAILED,
    MigrationState.STAYS,
    MigrationState.SKIPPED,
    MigrationState.CANCELLED,
    MigrationState.UNKNOWN,
}
_IN_PROGRESS_TO = {
    MigrationState.PENDING,  # this attempt failed, another one is allowed
    MigrationState.BLOCKED,  # Nova refused, because of what it is doing now
    MigrationState.SUCCEEDED,
    MigrationState.GONE,
    MigrationState.FAILED,
    MigrationState.CANCELLED,
    MigrationState.UNKNOWN,
}

MIGRATION_TRANSITIONS: dict[MigrationState, frozenset[MigrationState]] = {
    MigrationState.PENDING: frozenset(
        (_WAITING_TO - {MigrationState.PENDING})
        | {MigrationState.SUBMITTED, MigrationState.CONFIRMING}
    ),
    MigrationState.BLOCKED: frozenset(_WAITING_TO - {MigrationState.BLOCKED}),
    MigrationState.SUBMITTED: frozenset(_IN_PROGRESS_TO | {MigrationState.MIGRATING}),
    MigrationState.MIGRATING: frozenset(_IN_PROGRESS_TO | {MigrationState.CONFIRMING}),
    MigrationState.CONFIRMING: frozenset(_IN_PROGRESS_TO),
    # An instance that came back to the host while the drain runs joins it again.
    MigrationState.SUCCEEDED: frozenset({MigrationState.PENDING}),
    MigrationState.GONE: frozenset({MigrationState.PENDING}),
    MigrationState.FAILED: frozenset(
        {MigrationState.GONE, MigrationState.PENDING, MigrationState.SKIPPED}  # retried, skipped
    ),
    # What kept it may end: it is resumed, unlocked, or its owner takes the word back.
    MigrationState.STAYS: frozenset({MigrationState.GONE, MigrationState.PENDING}),
    MigrationState.SKIPPED: frozenset({MigrationState.GONE, MigrationState.PENDING}),
    MigrationState.CANCELLED: frozenset(),
    # Only after a person looked at the evidence, and its state was reset.
    MigrationState.UNKNOWN: frozenset({MigrationState.FAILED}),
}


class Method(StrEnum):
    """How an instance leaves; empty where it does not."""

    LIVE = "live"
    COLD = "cold"
    CONFIRM = "confirm"  # a resize that was pending before the drain is confirmed first
    NONE = ""


class TimeoutAction(StrEnum):
    """What becomes of a migration that takes longer than its timeout."""

    WARN = "warn"  # it is marked, and goes on
    ABORT = "abort"  # it runs on at the source; tried again once that is proved
    FORCE = "force_complete"  # the guest is paused until the rest is copied


class RequestKind(StrEnum):
    """What is requested of Nova for one instance; a worker asks, and records Nova's answer."""

    ABORT = "abort"
    FORCE = "force_complete"
    RESET = "reset"  # to active, after an abort that left it in ERROR


class RequestOrigin(StrEnum):
    """Who requests it."""

    ADMIN = "admin"
    TIMEOUT = "timeout"  # the drain, of a migration that takes longer than its timeout
    CANCEL = "cancel"  # the drain, because it is cancelled with its migrations aborted


class RequestState(StrEnum):
    """How far a request is."""

    OPEN = "open"  # no worker has an answer to it yet
    TAKEN = "taken"  # Nova took it
    REFUSED = "refused"  # Nova refused it, or would have: it is not asked again
    WITHDRAWN = "withdrawn"  # it was over before Nova was asked
    LAPSED = "lapsed"  # what it was about was over before an answer of Nova's was known


class Result(StrEnum):
    """How an attempt ended; empty while it continues."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"
    BLOCKED = "blocked"  # the instance cannot be moved, by what it is doing now
    CONFIRMED = "confirmed"  # a resize is settled, and the instance can be moved
    GONE = "gone"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    NONE = ""


#: Nova's statuses of a live migration in which it takes an abort (queued and preparing from
#: 2.65), and in which it can be forced through (nova/conductor, nova/compute/api.py).
ABORTABLE = frozenset({"queued", "preparing", "running"})
FORCIBLE = frozenset({"running"})


class ReturnChoice(StrEnum):
    """What becomes of the compute service when a host is returned."""

    OURS = "ours"  # enabled, if it was us who disabled it
    ENABLE = "enable"  # enabled, whoever disabled it: the admin's choice
    LEAVE = "leave"  # left as it is: the maintenance ends all the same


class ReturnResult(StrEnum):
    """How a return to service ended; empty while it is open."""

    IN_SERVICE = "in_service"  # enabled, and Nova sees it up
    NOT_UP = "not_up"  # enabled, but Nova did not see it up in time
    LEFT = "left"  # as it was found: the service was left disabled
    REFUSED = "refused"  # nothing was changed: the service is not ours to enable


def check_drain_transition(old: str, new: str) -> None:
    """Raise ValueError unless a drain may go from `old` to `new`."""
    if DrainState(new) not in DRAIN_TRANSITIONS[DrainState(old)]:
        raise ValueError(f"a drain cannot go from {old} to {new}")


def check_migration_transition(old: str, new: str) -> None:
    """Raise ValueError unless an instance migration may go from `old` to `new`."""
    if MigrationState(new) not in MIGRATION_TRANSITIONS[MigrationState(old)]:
        raise ValueError(f"an instance migration cannot go from {old} to {new}")

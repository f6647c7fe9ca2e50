"""What an admin can do with a drain and with an instance of it, in which state.

One place decides what is offered and what is refused, for the buttons, the commands and
`services` alike. What Nova itself accepts is from nova/compute/api.py (live_migrate_abort,
live_migrate_force_complete) and design.md.
"""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from .actor import RULE_ABORT, RULE_CANCEL, RULE_FORCE, RULE_RESET, RULE_STEER
from .drain.alarm import ARRIVED
from .drain.codes import LATE_ERROR, SOURCE_DOWN
from .states import (
    ABORTABLE,
    DRAIN_OPEN,
    FORCIBLE,
    MIGRATION_WAITING,
    DrainState,
    Method,
    MigrationState,
)


class Verb(StrEnum):
    """What can be asked for one instance, or several."""

    ABORT = "abort"  # its migration is stopped; it runs on where it is
    FORCE = "force_complete"  # its guest is paused until the rest is copied
    RETRY = "retry"  # it is tried again, with all its attempts
    SKIP = "skip"  # it is taken off the list, and stays
    FIRST = "first"  # it is the next to be started
    RESET = "reset"  # its state is set to active, on complete evidence


class DrainVerb(StrEnum):
    """What can be asked for a whole drain."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"  # all that failed
    CHANGE = "change"  # its pace, its window, its timeout


RULE_OF: dict[Verb, str] = {
    Verb.ABORT: RULE_ABORT,
    Verb.FORCE: RULE_FORCE,
    Verb.RETRY: RULE_STEER,
    Verb.SKIP: RULE_STEER,
    Verb.FIRST: RULE_STEER,
    Verb.RESET: RULE_RESET,
}
RULE_OF_DRAIN: dict[DrainVerb, str] = {
    DrainVerb.PAUSE: RULE_STEER,
    DrainVerb.RESUME: RULE_STEER,
    DrainVerb.CANCEL: RULE_CANCEL,
    DrainVerb.RETRY: RULE_STEER,
    DrainVerb.CHANGE: RULE_STEER,
}

#: Drains in which something can still be started.
_STARTS = frozenset({DrainState.PENDING, DrainState.RUNNING, DrainState.PAUSED})


class InstanceLike(Protocol):
    """The part of an instance migration that is looked at."""

    state: str
    method: str
    code: str
    wish: str
    nova_status: str
    nova_migration_id: int | None
    aborted_migration_id: int | None
    forced_at: datetime | None
    initial_status: str
    source_service: str


class DrainLike(Protocol):
    """The part of a drain that is looked at."""

    state: str
    cancel_abort: bool


def objection(verb: Verb, row: InstanceLike, drain: DrainLike) -> str:
    """Why this cannot be done with this instance now, or empty: it can."""
    if verb in (Verb.ABORT, Verb.FORCE) and drain.state not in DRAIN_OPEN:
        return f"The drain is {drain.state}."
    match verb:
        case Verb.ABORT:
            return _to_nova(row, ABORTABLE, "an abort")
        case Verb.FORCE:
            if row.forced_at is not None and not _to_nova(row, FORCIBLE, ""):
                return "It is being forced to complete already."
            if row.initial_status != "ACTIVE":
                return (
                    f"It is {row.initial_status}, and Nova forces only what runs."
                    if row.state == MigrationState.MIGRATING
                    else "No migration of it is under way."
                )
            return _to_nova(row, FORCIBLE, "force complete")
        case Verb.RETRY:
            if row.state == MigrationState.UNKNOWN:
                return (
                    "Where its guest runs is not known, and another migration could destroy it."
                    " Look on both hosts first, as its row says."
                )
            if row.state not in (MigrationState.FAILED, MigrationState.SKIPPED):
                return f"Only what failed or was skipped is tried again; it is {row.state}."
            if row.code.startswith(ARRIVED):
                return "It has moved; what is wrong with it is on the host where it is now."
            if drain.state not in _STARTS | {DrainState.FAILED}:
                return f"The drain is {drain.state}; drain the host again."
            return ""
        case Verb.SKIP:
            if row.state not in MIGRATION_WAITING | {MigrationState.FAILED}:
                return f"Only what waits, is blocked or failed is skipped; it is {row.state}."
            if row.code.startswith(ARRIVED):
                return "It has moved already."
            return "" if drain.state in _STARTS else f"The drain is {drain.state}."
        case Verb.FIRST:
            if row.state != MigrationState.PENDING:
                return f"Only what waits can be the next; it is {row.state}."
            return "" if drain.state in _STARTS else f"The drain is {drain.state}."
        case Verb.RESET:
            if row.state != MigrationState.UNKNOWN or row.code not in RESETTABLE:
                return "Only what Nova set to ERROR after its migration is reset from here."
            return "This is asked for already." if row.wish else ""


#: Codes of what may be reset, should the evidence be complete.
RESETTABLE = frozenset({LATE_ERROR, "error_at_source"})


def _to_nova(row: InstanceLike, statuses: frozenset[str], what: str) -> str:
    if row.state != MigrationState.MIGRATING or row.method != Method.LIVE:
        return "No live migration of it is under way."
    if row.wish:
        return "Something is asked of Nova for it already."
    if row.source_service == SOURCE_DOWN:
        return (
            "The compute service of its host is down, so where the guest runs is not known: it may"
            " be at the destination already. Bring nova-compute back first."
        )
    if row.nova_migration_id is None:
        return "Nova has no record of its migration yet."
    if row.aborted_migration_id == row.nova_migration_id:
        return "Its migration is being aborted already."
    if row.nova_status not in statuses:
        return (
            f"Its migration is {row.nova_status or 'unknown to Nova'}; Nova takes {what} only"
            + (f" while it is {', '.join(sorted(statuses))}.")
        )
    return ""


def drain_objection(verb: DrainVerb, drain: DrainLike) -> str:
    """Why this cannot be done with this drain now, or empty: it can. Whether it has anything
    that failed is for the caller to know."""
    state = drain.state
    match verb:
        case DrainVerb.PAUSE:
            if state == DrainState.PAUSED:
                return "It is paused already."
            return "" if state in _STARTS else f"It is {state}; there is nothing to pause."
        case DrainVerb.RESUME:
            return "" if state == DrainState.PAUSED else f"It is {state}, not paused."
        case DrainVerb.CANCEL:
            if state == DrainState.CANCELLING and drain.cancel_abort:
                return "It is being cancelled already, and what flies is being aborted."
            return "" if state in DRAIN_OPEN else f"It is over ({state})."
        case DrainVerb.RETRY:
            fine = state in _STARTS | {DrainState.FAILED}
            return "" if fine else f"It is {state}; drain the host again."
        case DrainVerb.CHANGE:
            return "" if state in _STARTS else f"It is {state}; there is nothing to change."


def verbs(row: InstanceLike, drain: DrainLike) -> list[Verb]:
    """What can be done with this instance now."""
    return [verb for verb in Verb if not objection(verb, row, drain)]


def drain_verbs(drain: DrainLike) -> list[DrainVerb]:
    """What can be done with this drain now."""
    return [verb for verb in DrainVerb if not drain_objection(verb, drain)]

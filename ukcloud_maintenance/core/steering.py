"""What an admin can do with a drain and with an instance of it, in which state.

One place decides what is offered and what is refused, for the buttons, the commands and
`services` alike. What Nova itself accepts is from nova/compute/api.py (live_migrate_abort,
live_migrate_force_complete) and design.md.
"""

from typing import Protocol

from . import cancelling
from .actor import RULE_ABORT, RULE_CANCEL, RULE_FORCE, RULE_RESET, RULE_STEER
from .attempt import Requests
from .backports import StrEnum
from .codes import ARRIVED_WRONG, LATE_ERROR, OBJECTIONS, SOURCE_DOWN
from .message import Message, message
from .states import (
    ABORTABLE,
    DRAIN_OPEN,
    FORCIBLE,
    MIGRATION_WAITING,
    DrainState,
    Method,
    MigrationState,
    RequestKind,
)


class Verb(StrEnum):
    """What can be requested for one instance, or several."""

    ABORT = "abort"  # its migration is stopped; it runs on where it is
    FORCE = "force_complete"  # its guest is paused until the rest is copied
    RETRY = "retry"  # it is tried again, with all its attempts
    SKIP = "skip"  # it is taken off the list, and stays
    FIRST = "first"  # it is the next to be started
    RESET = "reset"  # its state is set to active, on complete evidence


class DrainVerb(StrEnum):
    """What can be requested for a whole drain."""

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

#: What can be tried again; a blocked one is waited for anew.
_RETRIED = frozenset({MigrationState.FAILED, MigrationState.SKIPPED, MigrationState.BLOCKED})
#: Drains in which something can still be started.
_STARTS = frozenset({DrainState.PENDING, DrainState.RUNNING, DrainState.PAUSED})


class AttemptLike(Protocol):
    """The part of an attempt that is looked at."""

    @property
    def nova_status(self) -> str: ...
    @property
    def nova_migration_id(self) -> int | None: ...
    @property
    def source_service(self) -> str: ...


class InstanceLike(Protocol):
    """The part of an instance migration that is looked at."""

    # read-only, so that frozen values fit
    @property
    def state(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def initial_status(self) -> str: ...
    @property
    def attempt(self) -> AttemptLike: ...
    @property
    def requests(self) -> Requests: ...


class DrainLike(Protocol):
    """The part of a drain that is looked at."""

    state: str
    cancel_abort: bool


def objection(verb: Verb, row: InstanceLike, drain: DrainLike) -> Message | None:
    """Why this cannot be done with this instance now, or None: it can."""
    if verb in (Verb.ABORT, Verb.FORCE) and drain.state not in DRAIN_OPEN:
        return message("drain_has_state", state=drain.state)
    match verb:
        case Verb.ABORT:
            return objection_of_nova(RequestKind.ABORT, row)
        case Verb.FORCE:
            return _objection_to_force(row)
        case Verb.RETRY:
            in_doubt = row.state == MigrationState.BLOCKED and row.code in OBJECTIONS
            if row.state == MigrationState.UNKNOWN or in_doubt:
                return message("guest_not_known")
            if row.state not in _RETRIED:
                return message("retries_only_failed", state=row.state)
            if row.code in ARRIVED_WRONG:
                return message("wrong_where_it_is")
            if drain.state not in _STARTS | {DrainState.FAILED}:
                return message("drain_has_state_again", state=drain.state)
            return None
        case Verb.SKIP:
            if row.state not in MIGRATION_WAITING | {MigrationState.FAILED}:
                return message("skips_only_waiting", state=row.state)
            if row.code in ARRIVED_WRONG:
                return message("moved_already")
            return _must_start(drain)
        case Verb.FIRST:
            if row.state != MigrationState.PENDING:
                return message("first_only_waiting", state=row.state)
            return _must_start(drain)
        case Verb.RESET:
            if not has_evidence(row):
                return message("resets_only_errors")
            return message("asked_already") if row.requests.open else None


def _must_start(drain: DrainLike) -> Message | None:
    return None if drain.state in _STARTS else message("drain_has_state", state=drain.state)


#: Codes of what may be reset, should the evidence be complete.
RESETTABLE = frozenset({LATE_ERROR, "error_at_source"})


def has_evidence(row: InstanceLike) -> bool:
    """Whether there is evidence to be read of where its guest runs, and a reset that goes by it."""
    return row.state == MigrationState.UNKNOWN and row.code in RESETTABLE


def nova_takes(kind: str, status: str) -> bool:
    """Whether Nova takes an abort, or force complete, of a migration whose record says so."""
    return status in _STATUSES[RequestKind(kind)]


def nova_may_take_later(kind: str, status: str) -> bool:
    """Whether what Nova does not take now is taken in a status that this one leads to."""
    return kind == RequestKind.FORCE and status in ABORTABLE - FORCIBLE


_STATUSES = {RequestKind.ABORT: ABORTABLE, RequestKind.FORCE: FORCIBLE}


def objection_of_nova(kind: RequestKind, row: InstanceLike) -> Message | None:
    """Why Nova would not take an abort, or force complete, now; None: it would."""
    if row.state != MigrationState.MIGRATING or row.method != Method.LIVE:
        return message("no_live_migration")
    if row.requests.open:
        return message("request_under_way")
    if row.attempt.source_service == SOURCE_DOWN:
        return message("source_service_down")
    if row.attempt.nova_migration_id is None:
        return message("no_record_yet")
    if row.requests.abort:
        return message("aborted_already")
    if not nova_takes(kind, row.attempt.nova_status):
        status = row.attempt.nova_status or message("not_known_to_nova")
        known = sorted(_STATUSES[kind])
        if kind is RequestKind.ABORT:
            return message("abort_only_while", status=status, known=known)
        return message("force_only_while", status=status, known=known)
    return None


def _objection_to_force(row: InstanceLike) -> Message | None:
    why = objection_of_nova(RequestKind.FORCE, row)
    if not why and row.requests.forced_at is not None:
        return message("forced_already")
    if row.initial_status != "ACTIVE":
        if row.state == MigrationState.MIGRATING:
            return message("forces_only_running", status=row.initial_status)
        return message("no_migration_under_way")
    return why


def drain_objection(verb: DrainVerb, drain: cancelling.DrainLike) -> Message | None:
    """Why this cannot be done with this drain now, or None: it can. Whether it has anything
    that failed is for the caller to know."""
    state = drain.state
    match verb:
        case DrainVerb.PAUSE:
            if state == DrainState.PAUSED:
                return message("paused_already")
            return None if state in _STARTS else message("nothing_to_pause", state=state)
        case DrainVerb.RESUME:
            return None if state == DrainState.PAUSED else message("not_paused", state=state)
        case DrainVerb.CANCEL:
            if state == DrainState.CANCELLING and drain.cancel_abort:
                return message("cancelled_already")
            return cancelling.objection(drain)
        case DrainVerb.RETRY:
            fine = state in _STARTS | {DrainState.FAILED}
            return None if fine else message("nothing_to_retry", state=state)
        case DrainVerb.CHANGE:
            return None if state in _STARTS else message("nothing_to_change", state=state)


def verbs(row: InstanceLike, drain: DrainLike) -> list[Verb]:
    """What can be done with this instance now."""
    return [verb for verb in Verb if not objection(verb, row, drain)]


def drain_verbs(drain: cancelling.DrainLike) -> list[DrainVerb]:
    """What can be done with this drain now."""
    return [verb for verb in DrainVerb if not drain_objection(verb, drain)]

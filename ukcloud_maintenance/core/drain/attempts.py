"""Attempts: Nova's record of one, a request whose answer got lost, and what follows a failure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from .. import facts
from ..facts import Migration
from ..message import Message, message, several
from ..states import Method, MigrationState
from .context import Pass
from .inputs import Limits, Row

#: The fields of an attempt in which nothing is copied.
NO_COURSE: dict[str, Any] = {
    "points": [],
    "course": "",
    "seconds_left": None,
    "pass_bytes": None,
}
#: Nova's names of what we ask for: the type of the migration record, the instance action.
RECORD_TYPE = {Method.LIVE: "live-migration", Method.COLD: "migration"}
ACTION_NAME = {Method.LIVE: "live-migration", Method.COLD: "migrate"}


def failed_attempt(
    row: Row, said: Message | None, code: str, limits: Limits, now: datetime, *, retry: bool = True
) -> dict[str, Any]:
    """The fields of a row whose attempt failed: back in the line after a pause that doubles
    with each attempt, or failed for good."""
    fields: dict[str, Any] = {
        "code": code,
        "message": said,
        "anomaly_since": None,
        "fall_back": False,
        **NO_COURSE,
    }
    if not retry or row.attempts >= attempts_allowed(row, limits):
        return fields | {"state": MigrationState.FAILED, "not_before": None}
    pause = min(limits.retry_seconds * 2 ** max(row.attempts - 1, 0), limits.retry_max_seconds)
    return fields | {
        "state": MigrationState.PENDING,
        "not_before": now + timedelta(seconds=pause),
    }


def adopted_request(row: Row, actions: Iterable[facts.Action], our_user_id: str) -> str:
    """The request id of our own migration of this row whose answer got lost, or empty.

    Nova writes the action before it answers. Ours is one by our user that is newer than the
    newest one there was before we asked.
    """
    for action in actions:
        if action.request_id == row.attempt.before_action:
            break
        named = action.action == ACTION_NAME.get(Method(row.method), "live-migration")
        if named and action.user_id == our_user_id:
            return action.request_id
    return ""


def attempts_allowed(row: Row, limits: Limits) -> int:
    """How many times this instance is tried: the setting's number, and the extra attempts of
    retries."""
    return limits.max_attempts + row.extra_attempts


def cancel_waiting(p: Pass, row: Row) -> None:
    keep = row.attempts or row.state == MigrationState.BLOCKED
    said = several(message("cancelled_before_its_turn"), row.message if keep else None)
    p.change(row, {"state": MigrationState.CANCELLED, "message": said}, "cancelled")


def record_of(p: Pass, row: Row) -> Migration | None:
    """Nova's record of this attempt: the one known, else the first since we asked."""
    records = [
        m
        for m in p.seen.migrations.get(row.server_id, ())
        if m.migration_type == RECORD_TYPE.get(Method(row.method), m.migration_type)
    ]
    if row.attempt.nova_migration_id is not None:
        return next((m for m in records if m.id == row.attempt.nova_migration_id), None)
    if row.method == Method.CONFIRM:
        return None  # not ours; known when it was asked to be confirmed
    newer = [m for m in records if m.id > (row.attempt.before_migration_id or 0)]
    return min(newer, key=lambda m: m.id) if newer else None


def attempt_failed(p: Pass, row: Row, code: str, text: Message | None) -> None:
    fields = failed_attempt(row, text, code, p.limits, p.now, retry=p.may_retry())
    kind = "failed" if fields["state"] == MigrationState.FAILED else "attempt_failed"
    p.change(row, fields, kind, text, ask_why=True)


def is_aborted(row: Row, record: Migration | None) -> bool:
    """Whether an abort of ours ended this migration: Nova took it, or its answer got lost and the
    migration was cancelled."""
    abort = row.requests.abort
    if record is None or abort is None or abort.nova_migration_id != record.id:
        return False
    return bool(abort.taken_at) or row.attempt.was_cancelled or record.status == "cancelled"

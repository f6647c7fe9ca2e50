"""Instance migrations: what was requested for one, and what a worker found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Min

from ..core.attempt import (
    ATTEMPT_FIELDS,
    RequestView,
    begins,
    ends,
    ends_requests,
    result,
)
from ..core.facts import Server
from ..core.going_on import is_reopened
from ..core.message import message, several
from ..core.preflight.verdicts import Verdict
from ..core.states import (
    MIGRATION_TERMINAL,
    MigrationState,
    RequestKind,
    RequestState,
    check_migration_transition,
)
from ..exceptions import StaleState
from ..models import Attempt, Drain, InstanceMigration
from .destinations import check_destination, in_turn
from .draining import change_drain
from .journal import HappenedToRow, Who, add_event, revision, revision_of_drain, touch
from .requests import Entry, new_row, reopen_drain


@contextmanager
def _standing_on(drain: Drain, now: datetime, **fields: Any) -> Iterator[None]:
    """A transaction for what an admin asks for in a drain: only while the drain is in the state in
    which the request was judged. Its end takes the same lock, so that one of the two comes first.

    :param fields: what else becomes of the drain; it is due at once
    :raises StaleState: the drain changed meanwhile, e.g. it is over
    """
    with transaction.atomic():
        change_drain(drain, now, next_pass_at=None, **fields)
        yield


def _expect_open(drain_id: int) -> None:
    """Called in a transaction that has the drain's lock, before an instance is opened in it.

    :raises StaleState: it is over, so that nobody would work it off
    """
    if not Drain.objects.filter(pk=drain_id, open_key__isnull=False).exists():
        raise StaleState(f"drain {drain_id} is over")


def make_request(
    drain: Drain, row: InstanceMigration, kind: RequestKind, actor: Who, now: datetime
) -> None:
    """Request something of Nova for one instance; a worker asks Nova.

    :raises StaleState: somebody else requested something first, or the instance or its drain is
        further by now
    """
    made = RequestView(
        kind,
        requested_by=str(actor),
        requested_at=now,
        nova_migration_id=row.attempt.nova_migration_id,
    )
    asked = {RequestKind.ABORT: "abort_asked", RequestKind.FORCE: "force_asked"}
    event = (asked.get(kind, "reset_asked"), actor, None, "")
    with _standing_on(drain, now):
        change_migration(row, now, event=event)
        known = {"pk": row.newest_attempt_id, "nova_migration_id": made.nova_migration_id}
        if row.newest_attempt_id and not Attempt.objects.filter(**known).exists():
            raise StaleState(f"server {row.server_id} is migrated by another record by now")
        add_request(row, made, now)


def add_request(row: InstanceMigration, made: RequestView, now: datetime) -> None:
    """Record what is requested for an instance, only if it is still in the state and the attempt
    in which it was read.

    :raises StaleState: it is not, or something is requested for it already
    """
    try:
        with transaction.atomic():
            touch(row.drain_id, now)
            as_read = {"pk": row.pk, "state": row.state, "attempts": row.attempts}
            marked = {"revision": revision_of_drain(row.drain_id)}
            if not InstanceMigration.objects.filter(**as_read).update(**marked):
                raise StaleState(f"server {row.server_id} is no longer {row.state}")
            row.request_rows.create(
                attempt_number=row.attempt.number,
                kind=made.kind,
                origin=made.origin,
                requested_by=made.requested_by,
                requested_at=made.requested_at or now,
                nova_migration_id=made.nova_migration_id,
                open_key=row.pk,
            )
    except IntegrityError as error:
        raise StaleState(f"something is requested for server {row.server_id} already") from error
    _forget_requests(row)


def retry_instance(
    drain: Drain, row: InstanceMigration, actor: Who, now: datetime, destination: str = ""
) -> None:
    """Put an instance back into the queue, with all its attempts; a drain that failed is reopened.

    :param destination: the host that it is to go to, or empty: where the others of the drain go,
        whatever an earlier retry named
    :raises DrainExists: the drain is over, and the host has another open one
    :raises DestinationAway: where it is to go is drained or in maintenance
    :raises StaleState: somebody else got there first
    """
    with in_turn(drain.region):
        if destination:
            check_destination(drain.region, destination)
        if is_reopened(drain):
            reopen_drain(drain, actor, now)
        with _standing_on(drain, now, blocked_since=None, proving_since=None):
            change_migration(
                row,
                now,
                event=(
                    "retried",
                    actor,
                    message("moves_to", host=destination) if destination else None,
                    "",
                ),
                state=MigrationState.PENDING,
                extra_attempts=row.attempts,
                destination=destination,
                code="",
                message=None,
                not_before=None,
                anomaly_since=None,
                # whoever tries it again has seen to what was there, or names another host
                unfit_hosts={},
                fall_back=False,
            )


def skip_instance(drain: Drain, row: InstanceMigration, actor: Who, now: datetime) -> None:
    """Take an instance off the list: it stays, because somebody chose that.

    :raises StaleState: somebody else got there first
    """
    with _standing_on(drain, now):
        change_migration(
            row,
            now,
            event=("skipped", actor, None, ""),
            state=MigrationState.SKIPPED,
            code="skipped",
            message=several(message("skipped_by", who=str(actor)), row.message),
        )


def put_first(drain: Drain, row: InstanceMigration, actor: Who, now: datetime) -> None:
    """Make an instance the next one, whatever it waited for.

    :raises StaleState: somebody else got there first
    """
    with _standing_on(drain, now):
        lowest = drain.migrations.aggregate(lowest=Min("position"))["lowest"] or 0
        change_migration(
            row,
            now,
            event=("first", actor, None, ""),
            position=min(lowest, 0) - 1,
            not_before=None,
        )


def change_migration(
    row: InstanceMigration,
    now: datetime,
    *,
    event: HappenedToRow | None = None,
    request: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Change an instance migration, only if it is still in the state and the attempt in which
    it was read. An attempt begins and ends with the states that say so, and so does what was
    requested for it.

    :param event: (kind, actor, message, request id) to record with it
    :param request: fields of what is requested for it and not carried out yet
    :param fields: of the instance, or of its newest attempt; `state` is checked against the
        allowed transitions
    :raises StaleState: somebody else got there first
    """
    old = row.state
    new = str(fields.get("state", old))
    of_attempt = {k: v for k, v in fields.items() if k in ATTEMPT_FIELDS}
    own = {k: v for k, v in fields.items() if k not in ATTEMPT_FIELDS}
    if new != old:
        check_migration_transition(old, new)
        own["state"] = new
        if new in MIGRATION_TERMINAL:
            own.setdefault("finished_at", now)
        elif old in MIGRATION_TERMINAL:
            own.setdefault("finished_at", None)
    else:
        own.pop("state", None)
    with transaction.atomic():
        touch(row.drain_id, now)
        if old in MIGRATION_TERMINAL and new not in MIGRATION_TERMINAL:
            _expect_open(row.drain_id)
        attempt = row.newest_attempt
        changed = InstanceMigration.objects.filter(
            pk=row.pk, state=old, attempts=row.attempts
        ).update(**own, updated_at=now, revision=revision_of_drain(row.drain_id))
        if changed != 1:
            raise StaleState(f"server {row.server_id} is no longer {old}")
        if begins(old, new):
            attempt = _begin_attempt(row, str(own.get("method", row.method)))
            own["newest_attempt"] = attempt
        if ends(old, new) and not _was_put_off(fields):
            of_attempt |= _end_of_attempt(attempt, new, own, event, now)
        if attempt is not None and of_attempt:
            Attempt.objects.filter(pk=attempt.pk).update(**of_attempt)
        elif any(of_attempt.values()):
            raise ValueError(f"server {row.server_id} was not tried yet: {sorted(of_attempt)}")
        if request:
            _change_request(row, request)
        if ends_requests(old, new):
            row.request_rows.filter(open_key__isnull=False).update(
                state=RequestState.LAPSED.value, open_key=None
            )
            _forget_requests(row)
        if event:
            add_event(row.drain, row, now, event[0], event[1], event[2], event[3])
    for name, value in own.items():
        setattr(row, name, value)
    if attempt is not None:
        for name, value in of_attempt.items():
            setattr(attempt, name, value)
    row.updated_at = now


def _begin_attempt(row: InstanceMigration, method: str) -> Attempt:
    """The next attempt; one that was recorded and never sent is taken for it."""
    last = row.newest_attempt
    number = last.number + 1 if last else 1
    if last is not None and last.ended_at is None:
        number = last.number
        last.delete()
    source = row.source_compute
    made = row.attempt_rows.create(number=number, method=method, source_compute=source)
    InstanceMigration.objects.filter(pk=row.pk).update(newest_attempt=made)
    return made


def _was_put_off(fields: Mapping[str, Any]) -> bool:
    """Whether an attempt is over before Nova was asked."""
    return "submitted_at" in fields and fields["submitted_at"] is None


def _end_of_attempt(
    attempt: Attempt | None,
    new: str,
    own: Mapping[str, Any],
    event: HappenedToRow | None,
    now: datetime,
) -> dict[str, Any]:
    code = str(own.get("code", ""))
    return {
        "ended_at": now,
        "result": result(new, code, attempt.method if attempt else "").value,
        "code": code,
        "message": own.get("message") or (event[2] if event else None),
    }


def _change_request(row: InstanceMigration, fields: Mapping[str, Any]) -> None:
    """Change what is requested for an instance, if nobody did since it was read.

    :param fields: with the `id` of the request, where it is to be no other

    :raises StaleState: somebody did
    """
    which = fields.get("id")
    open_ones = [r for r in row.requests.every if r.is_open and which in (None, r.id)]
    if not open_ones:
        raise StaleState(f"nothing is requested any longer for server {row.server_id}")
    known = open_ones[0]
    fields = {name: value for name, value in fields.items() if name != "id"}
    over = "state" in fields and fields["state"] != RequestState.OPEN
    if over:
        fields = {**fields, "open_key": None}
    same = row.request_rows.filter(pk=known.id, open_key=row.pk, tries=known.tries)
    changed = same.update(**fields)
    _forget_requests(row)
    if changed != 1:
        raise StaleState(f"another one asks for server {row.server_id}")


def _forget_requests(row: InstanceMigration) -> None:
    """The requests that were fetched are outdated."""
    getattr(row, "_prefetched_objects_cache", {}).pop("request_rows", None)


def add_server(
    drain: Drain, server: Server, verdict: Verdict, actor: Who, now: datetime, group: str = ""
) -> InstanceMigration | None:
    """A server that appeared on the host joins the drain; None where it is in it already.

    :raises StaleState: the drain is over
    """
    try:
        with transaction.atomic():
            touch(drain.pk, now)
            _expect_open(drain.pk)
            last = drain.migrations.aggregate(last=Max("position"))["last"]
            row = new_row(drain, Entry(server, verdict, group=group), (last or 0) + 1, {}, now)
            row.revision = revision(drain.pk)
            row.save(force_insert=True)
            add_event(drain, row, now, "joined", actor, message("joined"))
    except IntegrityError:
        return None
    return row

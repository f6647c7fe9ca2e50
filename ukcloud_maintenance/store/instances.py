"""Instance migrations: what is asked for one, and what a worker found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Min

from ..core.facts import Server
from ..core.message import message, several
from ..core.preflight.verdicts import Verdict
from ..core.states import (
    MIGRATION_TERMINAL,
    DrainState,
    MigrationState,
    Wish,
    check_migration_transition,
)
from ..exceptions import StaleState
from ..models import Drain, InstanceMigration
from .destinations import check_destination, in_turn
from .draining import change_drain
from .journal import HappenedToRow, Who, add_event, touch
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


def make_wish(drain: Drain, row: InstanceMigration, wish: Wish, actor: Who, now: datetime) -> None:
    """Ask for something of Nova for one instance; a worker asks Nova.

    :raises StaleState: somebody else asked first, or the instance or its drain is further by now
    """
    kind = {Wish.ABORT: "abort_asked", Wish.FORCE: "force_asked"}.get(wish, "reset_asked")
    with _standing_on(drain, now, errand=True):
        change_migration(
            row,
            now,
            expect={"wish": "", "nova_migration_id": row.nova_migration_id},
            event=(kind, actor, None, ""),
            wish=wish.value,
            wish_by=str(actor),
            wish_at=now,
            wish_migration_id=row.nova_migration_id,
            answer=None,
        )


def errand_done(drain: Drain, now: datetime) -> None:
    """Nothing is asked for any more, unless somebody asked since it was looked at."""
    with transaction.atomic():
        touch(drain.pk, now)  # whoever asks takes this lock first
        if not drain.migrations.exclude(wish="").exists():
            Drain.objects.filter(pk=drain.pk).update(errand=False)
            drain.errand = False


def retry_instance(
    drain: Drain, row: InstanceMigration, actor: Who, now: datetime, destination: str = ""
) -> None:
    """Put an instance back in the line, with all its attempts; a drain that failed goes on.

    :param destination: the host that it is to go to, or empty: where the others of the drain go,
        whatever an earlier retry named
    :raises DrainExists: the drain is over, and the host has another open one
    :raises DestinationAway: where it is to go is drained or in maintenance
    :raises StaleState: somebody else got there first
    """
    with in_turn(drain.region):
        if destination:
            check_destination(drain.region, destination)
        if drain.state == DrainState.FAILED:
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
                granted=row.attempts,
                destination=destination,
                code="",
                message=None,
                answer=None,
                not_before=None,
                odd_since=None,
                late_since=None,
                timed_out_at=None,
                timeout_asked="",
                # whoever tries it again has seen to what was there, or names another host
                unfit_hosts={},
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
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Change an instance migration, only if it is still in the state and the attempt in which
    it was read.

    :param expect: further fields that must still be so
    :param event: (kind, actor, message, request id) to record with it
    :param fields: the fields to set; `state` is checked against the allowed transitions
    :raises StaleState: somebody else got there first
    """
    old = row.state
    new = str(fields.get("state", old))
    if new != old:
        check_migration_transition(old, new)
        fields["state"] = new
        if new in MIGRATION_TERMINAL:
            fields.setdefault("finished_at", now)
        elif old in MIGRATION_TERMINAL:
            fields.setdefault("finished_at", None)
    else:
        fields.pop("state", None)
    with transaction.atomic():
        touch(row.drain_id, now)
        changed = InstanceMigration.objects.filter(
            pk=row.pk, state=old, attempts=row.attempts, **(expect or {})
        ).update(**fields, updated_at=now)
        if changed != 1:
            raise StaleState(f"server {row.server_id} is not {old} any more")
        if event:
            add_event(row.drain, row, now, event[0], event[1], event[2], event[3])
    for name, value in fields.items():
        setattr(row, name, value)
    row.updated_at = now


def add_server(
    drain: Drain, server: Server, verdict: Verdict, actor: Who, now: datetime, group: str = ""
) -> InstanceMigration | None:
    """A server that appeared on the host joins the drain; None where it is in it already."""
    try:
        with transaction.atomic():
            touch(drain.pk, now)
            last = drain.migrations.aggregate(last=Max("position"))["last"]
            row = new_row(drain, Entry(server, verdict, group=group), (last or 0) + 1, {}, now)
            row.save(force_insert=True)
            add_event(drain, row, now, "joined", actor, message("joined"))
    except IntegrityError:
        return None
    return row

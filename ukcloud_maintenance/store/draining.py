"""Drains and their instances: what is read of them, and changes from one state to the next."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, Q, QuerySet

from ..core.drain.needs import ENDLESS
from ..core.drain.pacing import is_limit_known, limit_of
from ..core.message import Message
from ..core.states import (
    DRAIN_OPEN,
    DRAIN_TERMINAL,
    MIGRATION_IN_PROGRESS,
    MIGRATION_TERMINAL,
    Direction,
    DrainResult,
    DrainState,
    MigrationState,
    check_drain_transition,
)
from ..exceptions import StaleState
from ..models import Attempt, Drain, HostMaintenance, InstanceMigration, Request, host_key
from .journal import Happened, Who, add_event
from .keys import with_key


def drains(region: str | None = None) -> "QuerySet[Drain]":
    """All drains, newest first; of one region where it is given."""
    found = Drain.objects.select_related("maintenance")
    return found if region is None else found.filter(region=region)


def drain(drain_id: int) -> Drain | None:
    """One drain, or None."""
    return with_key(Drain.objects.select_related("maintenance"), drain_id).first()


def drain_outline(drain_id: int) -> Drain | None:
    """The same with what tells whether it changed, and whether it may go on. What else is asked of
    it is read by a query of its own."""
    fields = ("revision", "region", "state", "host_key", "direction", "maintenance_id")
    return with_key(Drain.objects.only(*fields).order_by(), drain_id).first()


def drains_of(region: str, host: str) -> "QuerySet[Drain]":
    """The drains of exactly this host, newest first."""
    return drains().filter(host_key=host_key(region, host))


def find_drains(region: str, text: str = "", state: str = "") -> "QuerySet[Drain]":
    """The drains of a region, newest first, that hold a text and are in a state.

    :param text: looked for in host, reason and requester, without regard to case
    :param state: a drain's state, or `open` for all that are not over; empty for any
    """
    found = drains(region)
    if text:
        found = found.filter(
            Q(host__icontains=text) | Q(reason__icontains=text) | Q(requested_by__icontains=text)
        )
    if state == "open":
        found = found.filter(state__in=[s.value for s in DRAIN_OPEN])
    elif state:
        found = found.filter(state=state)
    return found


def open_drain_of(region: str, host: str) -> Drain | None:
    """The drain in progress of exactly this host, or None."""
    return drains().filter(open_key=host_key(region, host)).first()


def draining_hosts(region: str) -> frozenset[str]:
    """The hosts of a region that are being drained, or about to be, by one query."""
    found = Drain.objects.filter(region=region, open_key__isnull=False, direction=Direction.AWAY)
    return frozenset(found.order_by().values_list("host", flat=True))


def away_hosts(region: str) -> frozenset[str]:
    """The hosts of a region that are being drained, or about to be, or are in maintenance: nothing
    is to be sent there. Two queries."""
    kept = HostMaintenance.objects.filter(region=region, open_key__isnull=False)
    return draining_hosts(region) | frozenset(kept.order_by().values_list("host", flat=True))


def migrations(drain: Drain) -> "QuerySet[InstanceMigration]":
    """The instances of a drain with their newest attempts and what was requested for them, in the
    order in which they are started. Two queries."""
    found = drain.migrations.select_related("newest_attempt").prefetch_related("request_rows")
    return found.order_by("position", "id")


#: What is known of an instance at rest: enough to count it, and to see that nobody is needed. What
#: else is asked of one is read by a query of its own.
_OUTLINE = (
    *("drain_id", "revision", "state", "code", "method", "position", "created_at"),
    *("server_id", "server_name", "server_status", "initial_status", "memory_bytes"),
    *("dest_compute", "attempts", "group"),
)
_NEEDS_A_LOOK = (MigrationState.UNKNOWN, MigrationState.FAILED, MigrationState.BLOCKED)
#: Instances that are always read with all of it.
_NOT_AT_REST = (*MIGRATION_IN_PROGRESS, *_NEEDS_A_LOOK)


def migrations_since(drain: Drain, revision: int) -> list[InstanceMigration]:
    """The same, for whoever has seen a revision of the drain: of those that have not changed since,
    and are at rest, only an outline. Three queries."""
    # All in outline first: one that changes in between is then among those that are read whole.
    every = InstanceMigration.objects.filter(drain_id=drain.pk).order_by().only(*_OUTLINE)
    rows = {row.pk: row for row in every}
    news = Q(revision__gt=revision) | Q(state__in=_NOT_AT_REST)
    rows |= {row.pk: row for row in migrations(drain).filter(news)}
    return sorted(rows.values(), key=lambda row: (row.position, row.pk))


def in_question(drain_ids: Iterable[int]) -> "QuerySet[InstanceMigration]":
    """Of several drains, the instances that may need a person, see core.drain.needs; with their
    newest attempts and what was requested for them. Two queries."""
    copies = Q(state=MigrationState.MIGRATING, newest_attempt__course__in=list(ENDLESS))
    rows = InstanceMigration.objects.filter(Q(state__in=_NEEDS_A_LOOK) | copies)
    found = rows.filter(drain_id__in=list(drain_ids)).select_related("newest_attempt")
    return found.prefetch_related("request_rows").order_by("drain_id", "position", "id")


def to_be_moved(drain_ids: Iterable[int]) -> "QuerySet[InstanceMigration]":
    """Of several drains, the instances that are on their way or have not started yet, with their
    newest attempts and what was requested for them. Two queries."""
    left = Q(state__in=MIGRATION_IN_PROGRESS | {MigrationState.PENDING})
    rows = InstanceMigration.objects.filter(left, drain_id__in=list(drain_ids))
    found = rows.select_related("newest_attempt").defer("newest_attempt__points")
    return found.prefetch_related("request_rows").order_by("drain_id", "position", "id")


class Copied(NamedTuple):
    """An instance that arrived, and from when to when its last attempt ran."""

    memory_bytes: int
    since: datetime
    until: datetime | None


def copied(drain_ids: Iterable[int]) -> dict[int, list[Copied]]:
    """Of several drains, the instances that arrived and were seen running on their way, by drain.
    One query, of no more than that: there may be hundreds."""
    found: dict[int, list[Copied]] = {}
    rows = InstanceMigration.objects.filter(
        drain_id__in=list(drain_ids),
        state=MigrationState.SUCCEEDED,
        newest_attempt__running_since__isnull=False,
    ).order_by("drain_id", "position", "id")
    for drain_id, *one in rows.values_list(
        "drain_id",
        "memory_bytes",
        "newest_attempt__running_since",
        "newest_attempt__ended_at",
    ):
        found.setdefault(drain_id, []).append(Copied(*one))
    return found


def attempts(drain: Drain) -> dict[int, list[Attempt]]:
    """All attempts to move instances of a drain, the first one first, by the ids of their rows. One
    query, without the points of their courses."""
    found: dict[int, list[Attempt]] = {}
    rows = Attempt.objects.filter(migration__drain=drain).defer("points")
    for one in rows.order_by("migration_id", "number"):
        found.setdefault(one.migration_id, []).append(one)
    return found


def hosts_tried(row_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """The hosts that instances were to go to so far, each once, the first one first; by the ids of
    their rows. One query."""
    found: dict[int, dict[str, None]] = {}
    rows = Attempt.objects.filter(migration_id__in=list(row_ids), submitted_at__isnull=False)
    every = rows.order_by("migration_id", "number")
    for row_id, sent_to, asked in every.values_list("migration_id", "sent_to", "asked_host"):
        if host := sent_to or asked:
            found.setdefault(row_id, {})[host] = None
    return {row_id: tuple(hosts) for row_id, hosts in found.items()}


def drains_with_requests() -> "QuerySet[Request, int]":
    """The ids of the drains for an instance of which something is requested of Nova."""
    found = Request.objects.filter(open_key__isnull=False).order_by()
    return found.values_list("migration__drain_id", flat=True)


def state_of(drain: Drain) -> str | None:
    """The drain's state as it is now, by one small query."""
    return Drain.objects.filter(pk=drain.pk).values_list("state", flat=True).first()


def cancel_choice(drain: Drain) -> dict[str, Any]:
    """What was chosen with its cancel, for a change that stands on it: a second thought is not
    to be lost."""
    return {"cancel_abort": drain.cancel_abort, "cancel_enable": drain.cancel_enable}


def last_limit(drain: Drain) -> int:
    """How many live migrations Nova ran at once from this host as far as its last drain found
    out; 0: nothing is known, or this drain knows it itself. One query."""
    if is_limit_known(drain):
        return 0
    known = Q(learned_limit__isnull=False) | Q(nova_runs_more=True)
    last = (
        Drain.objects.filter(known, host_key=drain.host_key, direction=Direction.AWAY)
        .exclude(pk=drain.pk)
        .order_by("-id")
        .first()
    )
    return limit_of(last)


def looked_around(drain: Drain, now: datetime) -> None:
    """Remember when what is around the instances was looked at; nothing that is shown changes."""
    Drain.objects.filter(pk=drain.pk).update(looked_around_at=now)
    drain.looked_around_at = now


def change_drain(
    drain: Drain,
    now: datetime,
    *,
    event: Happened | None = None,
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Change a drain, only if it is still in the state in which it was read.

    :param expect: further fields that must still be so
    :param event: (kind, actor, message) to record with it
    :param fields: the fields to set; `state` is checked against the allowed transitions
    :raises StaleState: it is not
    """
    old = drain.state
    new = str(fields.get("state", old))
    if new != old:
        check_drain_transition(old, new)
        fields["state"] = new
    else:
        fields.pop("state", None)
    with transaction.atomic():
        changed = Drain.objects.filter(pk=drain.pk, state=old, **(expect or {})).update(
            **fields, updated_at=now, revision=F("revision") + 1
        )
        if changed != 1:
            raise StaleState(f"drain {drain.pk} is no longer as it was read ({old})")
        if event:
            add_event(drain, None, now, event[0], event[1], event[2])
    for name, value in fields.items():
        setattr(drain, name, value)
    drain.updated_at = now


def finish_drain(
    drain: Drain,
    state: DrainState,
    result: DrainResult,
    message: Message,
    actor: Who,
    now: datetime,
    *,
    expect: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """End a drain, and give its host free for another one.

    :param expect: see :func:`change_drain`
    """
    if state not in DRAIN_TERMINAL:
        raise ValueError(f"{state} is not an end")
    change_drain(
        drain,
        now,
        state=state,
        result=result.value,
        message=message,
        finished_at=now,
        open_key=None,
        claimed_by="",
        claimed_until=None,
        event=(f"drain_{state.value}", actor, message),
        expect=expect,
        **fields,
    )


def expect_nothing_open(drain: Drain) -> None:
    """Called in the transaction that ends a drain, after it.

    :raises StaleState: something was put back in the line since the rows were read
    """
    if drain.migrations.exclude(state__in=[s.value for s in MIGRATION_TERMINAL]).exists():
        raise StaleState(f"an instance of drain {drain.pk} is open again")

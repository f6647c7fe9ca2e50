"""Rows that wait, rows that are over, and servers that are new on the host."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ..codes import HELD, OBJECTIONS, UNCONFIRMED
from ..message import message
from ..preflight import surroundings
from ..preflight.verdicts import Kind
from ..states import (
    MIGRATION_IN_PROGRESS,
    MIGRATION_LEFT,
    MIGRATION_OPEN,
    MIGRATION_WAITING,
    Method,
    MigrationState,
)
from . import whereabouts
from .actions import Join
from .alarm import arrived_wrong
from .attempts import attempts_allowed, cancel_waiting
from .causes import LEFTOVERS
from .context import Pass
from .inputs import Row
from .leaving import has_gone
from .whereabouts import Word

#: Seconds between two looks at server groups, aggregates and room for the sake of instances that
#: these stand against.
LOOK_AROUND_EVERY = 30.0


def is_looked_for(row: Row) -> bool:
    """Whether the server of a row is to be read by itself where the host's list lacks it.

    Those that wait or are in progress, and those that were left here; not those that are known to
    have left, and not those about which nothing can be told.
    """
    if row.state == MigrationState.FAILED:
        return not arrived_wrong(row) or row.code == UNCONFIRMED
    return row.state in MIGRATION_OPEN | {MigrationState.STAYS, MigrationState.SKIPPED}


def wants_a_look(rows: Iterable[Row], looked_at: datetime | None, now: datetime) -> bool:
    """Whether this pass is to look at what is around the servers again: some are blocked by it,
    or another host is to be found for them, and the last look was a while ago."""
    return is_due(looked_at, now) and any(
        (row.state == MigrationState.BLOCKED and row.code in surroundings.CODES)
        or (row.state == MigrationState.PENDING and row.unfit_hosts)
        for row in rows
    )


def is_due(looked_at: datetime | None, now: datetime) -> bool:
    """Whether the last look at what changes seldom was a while ago."""
    return looked_at is None or (now - looked_at).total_seconds() >= LOOK_AROUND_EVERY


def is_held(row: Row) -> bool:
    """Its server left by somebody else's resize that nobody confirms, and that we don't either:
    it is read now and then, not in every pass."""
    return (
        row.code == HELD and row.state not in MIGRATION_IN_PROGRESS and row.method != Method.CONFIRM
    )


def join_new(p: Pass) -> None:
    """Servers that the drain does not know yet, and those that came back."""
    by_server = {row.server_id: row for row in p.rows.values()}
    for server in p.seen.servers.values():
        row = by_server.get(server.id)
        if row is None:
            p.actions.append(Join(server, p.judge(server)))
        elif row.state in MIGRATION_LEFT:
            text = message("came_back")
            p.change(
                row,
                {
                    "state": MigrationState.PENDING,
                    "code": "came_back",
                    "message": text,
                    "fall_back": False,
                    "not_before": None,
                    "anomaly_since": None,
                },
                "came_back",
                text,
            )


def watch_waiting(p: Pass, row: Row, cancelling: bool) -> None:
    server = p.seen.servers.get(row.server_id)
    if server is None:
        if row.server_id in p.seen.elsewhere:
            has_gone(p, row, p.seen.elsewhere[row.server_id])
        if cancelling and p.rows[row.id].state in MIGRATION_WAITING:
            cancel_waiting(p, p.rows[row.id])
        return
    if cancelling:
        p.change(
            row,
            {"server_status": server.status, "task_state": server.task_state or ""},
        )
        cancel_waiting(p, row)
        return
    verdict = p.judge(server, row)
    fields: dict[str, Any] = {
        "server_status": server.status,
        "task_state": server.task_state or "",
    }
    if verdict.method is not Method.NONE:
        if still_stands(p, row):
            p.change(row, fields)
        elif row.attempts >= attempts_allowed(row, p.limits):
            text = message("moved_and_here_again", count=row.attempts, place=p.place(row))
            p.change(row, fields | {"state": MigrationState.FAILED, "message": text})
        elif (named := p.named(row)) in row.unfit_hosts:
            no_fit_host(p, row, [named])
        elif row.state == MigrationState.BLOCKED:
            fields |= {"state": MigrationState.PENDING, "method": verdict.method}
            p.change(row, fields | {"code": "", "message": verdict.said}, "unblocked")
        elif row.method != verdict.method:
            text = message("method_changed", status=server.status, method=verdict.method)
            p.change(row, fields | {"method": verdict.method}, "changed", text)
        else:
            p.change(row, fields)
        return
    fields |= {"state": verdict.state, "code": verdict.code, "message": verdict.said}
    if verdict.kind is Kind.STAYS:
        fields["method"] = Method.NONE
    kind = verdict.kind.value if row.state != verdict.state else ""
    p.change(row, fields, kind, verdict.said if kind else None)


def no_fit_host(p: Pass, row: Row, hosts: Sequence[str]) -> None:
    """An attempt failed for what an earlier one left at the destination, and there is no
    other host: the next attempt would fail in the same way."""
    text = message("leftovers_at_destination", hosts=hosts)
    p.change(
        row,
        {"state": MigrationState.FAILED, "code": LEFTOVERS, "message": text},
        "failed",
        text,
    )


def still_stands(p: Pass, row: Row) -> bool:
    """Blocked by what is around it, which this pass did not look at, or could not read; or for
    want of its hypervisor's word that its guest runs here."""
    if row.state != MigrationState.BLOCKED:
        return False
    if row.code in OBJECTIONS:
        server = p.seen.servers[row.server_id]
        sight = p.seen.guests.get(row.server_id)
        word = whereabouts.word_of(server, sight)
        # Of what is paused or shut off by now no word is to be had, nor from a driver that
        # never tells: what speaks for and against these is judged just before the request.
        unsupported = sight is not None and sight.unsupported
        return word not in (Word.RUNS_HERE, Word.PAUSED, Word.OFF) and not unsupported
    if row.code not in surroundings.CODES:
        return False
    around = p.seen.around
    return around is None or any(
        getattr(around, fact) is None for fact in surroundings.NEEDS[row.code]
    )


def watch_settled(p: Pass, row: Row, cancelling: bool) -> None:
    """Rows that are done, of servers that are still here: a STAYS that can move now joins."""
    server = p.seen.servers.get(row.server_id)
    if server is None:
        if row.server_id in p.seen.elsewhere:
            has_gone(p, row, p.seen.elsewhere[row.server_id])
        return
    if cancelling or row.state != MigrationState.STAYS:
        return
    verdict = p.judge(server, row)
    if verdict.method is not Method.NONE:
        p.change(
            row,
            {
                "state": MigrationState.PENDING,
                "method": verdict.method,
                "code": "",
                "message": verdict.said,
                "initial_status": server.status,
                "server_status": server.status,
            },
            "unblocked",
            message("is_now", status=server.status),
        )
    elif verdict.code != row.code and verdict.kind is Kind.STAYS:
        p.change(
            row,
            {"code": verdict.code, "message": verdict.said, "server_status": server.status},
        )

"""Servers that left without us."""

from typing import Any

from ..codes import HELD, NOWHERE
from ..facts import Server
from ..message import Message, message
from ..preflight.verdicts import Choice
from ..states import (
    MIGRATION_IN_PROGRESS,
    MIGRATION_OPEN,
    MIGRATION_WAITING,
    DrainState,
    Method,
    MigrationState,
)
from .attempts import cancel_waiting
from .context import Pass
from .inputs import Row


def has_gone(p: Pass, row: Row, server: Server | None) -> None:
    """A server that left without us; one that Nova still has here is not gone."""
    if server is not None and server.host == p.source(row):
        return
    if server is not None and server.task_state:
        busy_elsewhere(p, row, server)
        return
    if server is not None and server.status == "VERIFY_RESIZE":
        held_here(p, row, server)
        return
    code = "gone"
    if server is None:
        text = message("deleted")
        fields: dict[str, Any] = {"server_status": "DELETED", "task_state": ""}
    elif not server.host:
        text = message("no_host", status=server.status)
        fields = {"server_status": server.status, "task_state": ""}
        code = NOWHERE
    elif server.status == "ERROR" != row.initial_status and (
        row.state in MIGRATION_OPEN or row.state == MigrationState.FAILED
    ):
        arrived_in_error(p, row, server, {}, who_moved(p, row, server))
        return
    else:
        text = message("moved_by", host=server.host, who=who_moved(p, row, server))
        fields = {
            "server_status": server.status,
            "task_state": "",
            "dest_compute": server.host,
        }
    p.change(
        row,
        fields | {"state": MigrationState.GONE, "code": code, "message": text},
        "gone",
        text,
    )


def who_moved(p: Pass, row: Row, server: Server) -> Message:
    """Another run of ours, by our own record, or somebody else."""
    run = p.seen.other_runs.get(row.server_id)
    if run is not None and run.dest == server.host:
        return run.called
    return message("somebody_else")


def busy_elsewhere(p: Pass, row: Row, server: Server) -> None:
    """Somebody else moves it, and is not done; what waits for that waits a bounded time."""
    if row.state != MigrationState.PENDING:
        return
    who = who_moved(p, row, server)
    text = message("nova_moves_it", host=server.host, who=who, task=server.task_state)
    p.change(
        row,
        {
            "state": MigrationState.BLOCKED,
            "code": "task_under_way",
            "message": text,
            "server_status": server.status,
            "task_state": server.task_state,
        },
        "blocked",
        text,
    )


def held_here(p: Pass, row: Row, server: Server) -> None:
    """It left by a resize or cold migration of somebody else's that waits for its
    confirmation: its disk and its allocation are still on this host."""
    fields: dict[str, Any] = {
        "server_status": server.status,
        "task_state": "",
        "dest_compute": server.host,
    }
    waits = row.state in MIGRATION_WAITING
    if waits and row.choice == Choice.CONFIRM and p.drain.state == DrainState.RUNNING:
        if row.state == MigrationState.BLOCKED:
            fields |= {"state": MigrationState.PENDING}
        p.change(row, fields | {"method": Method.CONFIRM})
        return
    if not waits and row.state not in MIGRATION_IN_PROGRESS:
        return
    text = message("resize_holds_here", host=server.host, place=p.place(row))
    p.change(
        row,
        fields
        | {
            "state": MigrationState.BLOCKED,
            "method": Method.NONE,
            "code": HELD,
            "message": text,
        },
        "blocked" if row.state != MigrationState.BLOCKED else "",
        text,
    )
    if p.drain.state == DrainState.CANCELLING:
        cancel_waiting(p, p.rows[row.id])


def arrived_in_error(
    p: Pass, row: Row, server: Server, fields: dict[str, Any], who: Message | None = None
) -> None:
    """:param who: moved it; None: we did"""
    host, fault = server.host, server.fault_message
    text = message("arrived_error", host=host, fault=fault)
    if who:
        text = message("moved_by_into_error", who=who, host=host, fault=fault)
    fields = fields | {
        "state": MigrationState.FAILED,
        "code": "arrived_error",
        "message": text,
        "server_status": server.status,
        "dest_compute": server.host,
    }
    p.change(row, fields, "failed", text, ask_why=True)

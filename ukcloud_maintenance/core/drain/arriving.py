"""Rows whose server is on another host: arrived, confirming, or busy there."""

from typing import Any

from ..codes import UNCONFIRMED
from ..facts import Migration, Server
from ..message import message, several
from ..preflight.verdicts import Choice
from ..states import Method, MigrationState
from .actions import Confirm
from .attempts import NO_COURSE, attempt_failed
from .context import Pass
from .doubts import cannot_tell, it_is, status_of
from .host import host_is_up
from .inputs import Row
from .leaving import arrived_in_error, has_gone, held_here


def follow_elsewhere(p: Pass, row: Row, server: Server | None, record: Migration | None) -> None:
    """The server left the host; whether it has arrived in good order."""
    if server is None:
        has_gone(p, row, None)
        return
    if server.host == p.source(row):
        return  # it was listed elsewhere a moment ago; the next pass sees it here
    fields: dict[str, Any] = {
        "server_status": server.status,
        "task_state": server.task_state or "",
        "dest_compute": server.host or row.dest_compute,
        "sent_to": server.host or row.attempt.sent_to,
    }
    if record:
        fields |= {"nova_status": record.status, "nova_migration_id": record.id}
    if server.task_state is not None:
        p.change(row, fields)
        still_busy(p, p.rows[row.id], server)
        return
    others = [
        m
        for m in p.seen.migrations.get(row.server_id, ())
        if record and m.id > record.id and record.status in ("failed", "cancelled", "error")
    ]
    if server.status == "VERIFY_RESIZE" and not others:
        p.change(row, fields)
        if record is not None and record.status == "finished" and row.method == Method.COLD:
            if host_is_up(p):  # Nova refuses to confirm while the old host is down
                p.actions.append(Confirm(row.id))
        elif record is None or record.is_over:
            held_here(p, p.rows[row.id], server)
        return
    astray = p.back and server.host != p.drain.host
    if others or astray:
        has_gone(p, row, server)
    elif server.status == row.initial_status:
        has_arrived(p, row, server, record, fields)
    elif server.status == "ERROR":
        arrived_in_error(p, row, server, fields)
    else:
        p.change(row, fields)
        if p.settled(p.rows[row.id]):
            arrived_other(p, row, server, {})


def arrived_other(p: Pass, row: Row, server: Server, fields: dict[str, Any]) -> None:
    before = row.initial_status
    text = message("arrived_other", host=server.host, status=server.status, before=before)
    failed = {"state": MigrationState.FAILED, "code": "arrived_other", "message": text}
    p.change(row, fields | failed, "failed", text)


def still_busy(p: Pass, row: Row, server: Server) -> None:
    """It is on the other host, and Nova's task on it is still in progress; not without limit."""
    if p.settled(row, p.patience(row)):
        cannot_tell(
            p,
            row,
            "task_stuck_elsewhere",
            message("task_stuck_elsewhere", host=server.host, task=server.task_state),
        )


def has_arrived(
    p: Pass, row: Row, server: Server, record: Migration | None, fields: dict[str, Any]
) -> None:
    p.change(
        row,
        fields
        | {
            "state": MigrationState.SUCCEEDED,
            "nova_status": final_status(record),
            "code": "",
            "message": None,
            "fraction": 1.0,
            "memory_remaining_bytes": 0 if row.attempt.memory_total_bytes else None,
            "disk_remaining_bytes": 0 if row.attempt.disk_total_bytes else None,
            "anomaly_since": None,
            **NO_COURSE,
        },
        "succeeded",
        it_is(server.status, server.host),
    )


def follow_confirming(p: Pass, row: Row, record: Migration | None) -> None:
    """A cold migration of ours, or a resize that was pending before us, until Nova has confirmed
    it: then the old host no longer holds anything of it."""
    server = p.seen.servers.get(row.server_id)
    here = server is not None
    if server is None:
        if row.server_id not in p.seen.elsewhere:
            return
        server = p.seen.elsewhere[row.server_id]
    if server is None:
        has_gone(p, row, None)
        return
    fields: dict[str, Any] = {
        "server_status": server.status,
        "task_state": server.task_state or "",
    }
    if record:
        fields |= {"nova_status": record.status, "nova_migration_id": record.id}
    if server.task_state is not None:
        p.change(row, fields)
        still_busy(p, p.rows[row.id], server)
    elif server.status == "VERIFY_RESIZE" and record is not None and record.is_over:
        # Ours is confirmed; what waits now is a resize of its owner's.
        has_arrived(p, row, server, record, fields | {"dest_compute": server.host})
    elif server.status == "VERIFY_RESIZE":
        p.change(row, fields)
        confirm_again(p, p.rows[row.id], server)
    elif here and row.method == Method.CONFIRM:
        # The resize is settled, and the instance, on this host, can be moved like any other.
        p.change(
            row,
            fields
            | {
                "state": MigrationState.PENDING,
                "choice": Choice.NONE,
                "method": p.judge(server).method,
                "code": "",
                "message": None,
                "initial_status": server.status,
            },
            "resize_settled",
        )
    elif here and server.status == "ERROR":
        text = message(
            "error_at_source", place=p.place(row), method=row.method, record=status_of(record)
        )
        cannot_tell(p, row, "error_at_source", text)
    elif here:
        attempt_failed(p, row, "reverted", message("reverted"))
    elif server.status == "ERROR":
        arrived_in_error(p, row, server, fields)
    elif row.method == Method.CONFIRM or server.status == row.initial_status:
        has_arrived(p, row, server, record, fields | {"dest_compute": server.host})
    elif p.settled(row):
        arrived_other(p, row, server, fields)


def confirm_again(p: Pass, row: Row, server: Server) -> None:
    if p.since(row.attempt.confirm_at) < p.limits.submit_grace_seconds:
        return
    if not host_is_up(p):
        return  # Nova refuses to confirm while the old host is down; that wait has its bound
    if row.attempt.confirms < p.limits.max_attempts:
        p.actions.append(Confirm(row.id))
        return
    text = several(
        message("arrived_unconfirmed", host=server.host, place=p.place(row)), row.message
    )
    p.change(
        row,
        {"state": MigrationState.FAILED, "code": UNCONFIRMED, "message": text},
        "failed",
        text,
        ask_why=True,
    )


def final_status(record: Migration | None) -> str:
    """Nova's record says `running` for a moment after the server arrived."""
    if record is None:
        return ""
    return record.status if record.is_over else "completed"

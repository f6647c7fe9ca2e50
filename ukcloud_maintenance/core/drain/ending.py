"""How a drain ends: the proof that the host is empty, giving up, the summary."""

from collections.abc import Iterable
from typing import Any

from ..codes import NOWHERE, OBJECTIONS
from ..host import emptiness
from ..host.emptiness import Emptiness, Obstacle
from ..message import Message, lines, message, several, some
from ..states import (
    MIGRATION_IN_PROGRESS,
    MIGRATION_LEFT,
    MIGRATION_OPEN,
    MIGRATION_WAITING,
    DrainResult,
    DrainState,
    MigrationState,
)
from .actions import ChangeDrain, Enable, Finish, Join
from .alarm import alarm, arrived_wrong
from .context import Pass
from .host import what_ails
from .inputs import Row


def give_up(p: Pass, cancelling: bool) -> None:
    why = what_ails(p)
    for row in p.rows_in(MIGRATION_WAITING):
        p.change(
            row,
            {"state": MigrationState.FAILED, "code": "host_lost", "message": why},
            "failed",
            why,
        )
    for row in p.rows_in(MIGRATION_IN_PROGRESS):
        text = several(why, message("cannot_be_told"), p.look_on_both(row))
        p.change(
            row,
            {"state": MigrationState.UNKNOWN, "code": "host_lost", "message": text},
            "unknown",
            text,
        )
    service = p.seen.service
    # Nova enables a service that is down; one whose cell it does not reach it cannot.
    reached = service is not None and service.is_known
    if cancelling and reached and not service_is_restored(p):
        return
    state = DrainState.CANCELLED if cancelling else DrainState.FAILED
    left = service_now(p) if cancelling else None
    finish_with(p, state, DrainResult.HOST_LOST, why, message("not_back_in_time"), left)


def finish_if_over(p: Pass, cancelling: bool) -> None:
    if any(isinstance(action, Join) for action in p.actions):
        return
    still_open = p.rows_in(MIGRATION_OPEN)
    if cancelling:
        if not still_open and service_is_restored(p):
            said = message("cancelled"), service_now(p)
            finish_with(p, DrainState.CANCELLED, DrainResult.CANCELLED, *said)
        return
    if p.drain.state != DrainState.RUNNING:
        return
    if any(row.state != MigrationState.BLOCKED for row in still_open):
        if p.drain.blocked_since or p.drain.proving_since:
            p.actions.append(ChangeDrain({"blocked_since": None, "proving_since": None}))
        return
    if still_open:
        if not p.seen.admission.holds:
            wait_for_blocked(p, still_open)
        return
    if p.back:
        finish_back(p)
        return
    if p.seen.contents is not None:
        finish_away(p, emptiness.look(p.seen.contents))


def service_is_restored(p: Pass) -> bool:
    """Whether the service is as the cancel wants it. It is enabled if that was chosen, and if
    it is still disabled for the reason that we wrote; where the host is not there to be
    seen, that waits as long as for any host."""
    if p.back or not p.drain.cancel_enable:
        return True
    service = p.seen.service
    if service is None or not service.is_known:
        return False
    maintenance = p.drain.maintenance
    ours = maintenance is not None and maintenance.our_reason
    if service.status == "disabled" and ours and service.disabled_reason == ours:
        p.actions.append(Enable(service.id))
        return False
    return True


def service_now(p: Pass) -> Message | None:
    service = p.seen.service
    maintenance = p.drain.maintenance
    if p.back or service is None or maintenance is None:
        return None
    if not service.is_known:
        wanted = p.drain.cancel_enable and maintenance.our_reason
        return message("not_enabled_cell", host=p.drain.host) if wanted else None
    if service.status == "enabled":
        return message("service_is_enabled")
    if p.drain.cancel_enable:
        if reason := " ".join(service.disabled_reason.split()):
            return message("service_disabled_by_other", reason=reason)
        return message("service_disabled_without_reason")
    return message("service_stays_disabled") if maintenance.disabled_at else None


def is_back(p: Pass, row: Row) -> bool:
    """On the host that it was to come back to, whoever brought it."""
    gone = row.state == MigrationState.GONE or arrived_wrong(row)
    return row.state == MigrationState.SUCCEEDED or (
        gone
        and row.server_status != "DELETED"
        and row.code != NOWHERE
        and row.dest_compute == p.drain.host
    )


def is_well(p: Pass, row: Row) -> bool:
    """Back, no more, or left elsewhere by choice."""
    deleted = row.state == MigrationState.GONE and row.server_status == "DELETED"
    well = is_back(p, row) and not arrived_wrong(row)
    return deleted or well or row.state == MigrationState.SKIPPED


def finish_back(p: Pass) -> None:
    """All that was to come back has arrived, or what could not is named. The host is in
    service either way."""
    if all(is_well(p, row) for row in p.rows.values()):
        state, result = DrainState.SUCCEEDED, DrainResult.BROUGHT_BACK
    else:
        state, result = DrainState.FAILED, DrainResult.INSTANCES_FAILED
    finish_with(p, state, result)


def wait_for_blocked(p: Pass, blocked: list[Row]) -> None:
    if p.drain.blocked_since is None:
        p.actions.append(
            ChangeDrain(
                {"blocked_since": p.now},
                "waiting_for_blocked",
                message("all_blocked"),
            )
        )
        return
    if p.since(p.drain.blocked_since) < p.limits.blocked_wait_seconds:
        return
    for row in blocked:
        doubtful = row.code in OBJECTIONS and row.attempts
        state = MigrationState.UNKNOWN if doubtful else MigrationState.FAILED
        p.change(
            row,
            {"state": state, "message": message("still_blocked", why=row.message)},
            state.value,
            row.message,
        )


def finish_away(p: Pass, found: Emptiness) -> None:
    """Nothing is left to be moved. What is on its way to the host, or from it without us, is
    waited for: it joins when it arrives, and is named when the wait is over.

    Empty it must be twice, in two passes: a cell that goes down makes Nova's lists empty
    without a word.
    """
    waits_for = beside_rows(p, found).of(*Obstacle)
    first = p.drain.proving_since is None
    patient = first or p.since(p.drain.proving_since) < p.limits.proof_wait_seconds
    if not (waits_for and patient) and not (found.is_empty and first):
        end_away(p, found)
        return
    text = message("verifying_empty")
    if waits_for:
        text = message("waiting_for", what=some(waits_for))
    fields: dict[str, Any] = {"proving_since": p.now} if first else {}
    if text != p.drain.message:
        kind = "not_proved_yet" if waits_for else ""
        p.actions.append(ChangeDrain(fields | {"message": text}, kind, text if kind else None))
    elif fields:
        p.actions.append(ChangeDrain(fields))


def beside_rows(p: Pass, found: Emptiness) -> Emptiness:
    """What keeps the host from being empty beside the servers of which it is known what became:
    they are on it, or unknown."""
    unknown = {row.server_id for row in p.rows_in({MigrationState.UNKNOWN})}
    return found.but_of(unknown | p.seen.servers.keys())


def end_away(p: Pass, found: Emptiness) -> None:
    """How it ends. `succeeded` means that the host is empty, and that every instance that left
    it is well as far as we know."""
    rows = {row.server_id: row for row in p.rows.values()}
    chosen = {MigrationState.STAYS, MigrationState.SKIPPED}
    by_choice = all(i in rows and rows[i].state in chosen for i in p.seen.servers)
    beside = beside_rows(p, found)
    passing = beside.of(Obstacle.MIGRATION, Obstacle.RESIZE)
    doubts = beside.of(Obstacle.NO_SERVICE, Obstacle.CELL, Obstacle.DOWN)
    said: list[Message] = []
    state = DrainState.FAILED
    if p.rows_in({MigrationState.FAILED, MigrationState.UNKNOWN}) or not by_choice:
        result = DrainResult.INSTANCES_FAILED
        said += [message("host_is_empty")] if found.is_empty else []
    elif passing or doubts:
        result = DrainResult.NOT_PROVED
    elif p.seen.servers:
        result = DrainResult.INSTANCES_LEFT
    else:
        state, result = DrainState.SUCCEEDED, DrainResult.EMPTY
        said.append(message("drained"))
    said += doubts
    if passing:
        said.append(message("not_over", what=some(passing)))
    if beside.of(Obstacle.RESIZE):
        said.append(message("unconfirmed_holds_both"))
    finish_with(p, state, result, *said)


def finish_with(p: Pass, state: DrainState, result: DrainResult, *said: Message | None) -> None:
    """End the drain; what a person must look at is said first, then why it ends, and how many
    left, or came back. Each one that did not is a line, by name and with its reason."""
    first = several(alarm(p.rows.values()), *said, how_many(p))
    assert first is not None
    ends_maintenance = state is DrainState.CANCELLED and leaves_no_maintenance(p)
    p.actions.append(Finish(state, result, lines(first, *what_is_left(p)), ends_maintenance))


def leaves_no_maintenance(p: Pass) -> bool:
    """Of a cancelled drain: its service is enabled, because it enabled it again, or had not come
    to disable it."""
    service, maintenance = p.seen.service, p.drain.maintenance
    if p.back or maintenance is None or service is None or service.status != "enabled":
        return False
    return p.drain.cancel_enable or not maintenance.our_reason


def is_done(p: Pass, row: Row) -> bool:
    if p.back:
        return is_back(p, row)
    return row.state in MIGRATION_LEFT or arrived_wrong(row)


def how_many(p: Pass) -> Message:
    done, total = sum(is_done(p, row) for row in p.rows.values()), len(p.rows)
    if p.back:
        return message("back_on_host", done=done, total=total, count=total, host=p.drain.host)
    return message("left_host", done=done, total=total)


def what_is_left(p: Pass) -> Iterable[Message]:
    rows = sorted(p.rows.values(), key=lambda r: (r.position, r.id))
    for row in rows:
        if is_done(p, row) and not arrived_wrong(row):
            continue
        name, state = row.server_name, row.state
        if row.message:
            yield message("instance_left", name=name, state=state, why=row.message)
        else:
            yield message("instance_left_without_reason", name=name, state=state)
    if p.back:
        return
    known = {row.server_id for row in rows}
    for server in p.seen.servers.values():
        if server.id not in known:
            yield message("instance_not_of_drain", name=server.name, status=server.status)

"""How many at a time, and which is next."""

from dataclasses import replace

from ..codes import HOLDS
from ..facts import NOVA_STATUS_RUNNING, NOVA_STATUS_WAITING
from ..message import Message, message
from ..states import MIGRATION_UNDER_WAY, MIGRATION_WAITING, Method, MigrationState
from .actions import ChangeDrain, Confirm, Submit
from .context import Pass
from .inputs import Row
from .placing import elsewhere_with_room, fit_host, where_to

#: From this fraction on a running migration is about to end, and it is the time to find out
#: whether Nova would queue one more.
ABOUT_TO_END = 0.75


def running_rows(p: Pass) -> list[Row]:
    """The live migrations that Nova runs; its limit is for these alone."""
    return [
        row
        for row in p.rows_in({MigrationState.MIGRATING})
        if row.method == Method.LIVE and row.attempt.nova_status in NOVA_STATUS_RUNNING
    ]


def waiting_in_nova(p: Pass) -> list[Row]:
    """Those that Nova has taken and not begun, or may have taken."""
    return [
        row
        for row in p.rows_in(MIGRATION_UNDER_WAY)
        if row.state == MigrationState.SUBMITTED
        or (
            row.state == MigrationState.MIGRATING
            and (row.attempt.nova_status in NOVA_STATUS_WAITING or not row.attempt.nova_status)
        )
    ]


def learn_limit(p: Pass) -> None:
    """How many Nova runs at once here: what runs while one more is queued.

    Where a place is free, `queued` becomes `preparing` within milliseconds, so that it is
    hardly ever seen by chance; a limit that was learned too low does no harm, and is
    corrected as soon as more are seen to run.
    """
    running = len(running_rows(p))
    if running > p.drain.max_concurrent and not p.drain.nova_runs_more:
        p.actions.append(ChangeDrain({"nova_runs_more": True}))
        p.drain = replace(p.drain, nova_runs_more=True)
    learned = p.drain.learned_limit
    queued = any(
        row.attempt.nova_status == "queued" for row in p.rows_in({MigrationState.MIGRATING})
    )
    if running and queued:
        learned = max(running, learned or 0)
    elif learned is not None and running > learned:
        learned = running
    if learned != p.drain.learned_limit:
        p.actions.append(
            ChangeDrain(
                {"learned_limit": learned},
                "limit_learned",
                message("limit_learned", count=learned),
            )
        )
        p.drain = replace(p.drain, learned_limit=learned)


def may_add(p: Pass, row: Row) -> bool:
    if waiting_in_nova(p):
        return False
    under_way = len(p.rows_in(MIGRATION_UNDER_WAY))
    wanted = p.drain.max_concurrent
    if under_way < wanted:
        return True
    if p.back:
        return False  # each comes from a host, and a queue, of its own
    if under_way > wanted or p.drain.nova_runs_more or row.method != Method.LIVE:
        return False
    # One more is to wait in Nova's queue, never to run: either Nova's limit is known, or one
    # of those that run is about to end, so that finding out costs next to nothing.
    running = running_rows(p)
    learned = p.drain.learned_limit
    if learned is not None:
        return learned <= len(running)
    return any((row.attempt.fraction or 0) >= ABOUT_TO_END for row in running)


def submit_next(p: Pass) -> None:
    admission = p.seen.admission
    if admission.holds:
        say_hold(p, admission.holds)
        return
    if admission.room is not None and admission.room <= 0:
        say_full(p, message("region_full"))
        return
    ours = {row.group for row in p.rows_in(MIGRATION_UNDER_WAY) if row.group}
    travelling = ours | p.seen.travelling
    ready = [
        row
        for row in p.rows_in({MigrationState.PENDING})
        if (row.not_before is None or row.not_before <= p.now)
        and row.group not in travelling
        and can_go(p, row)
    ]
    full = False
    for row in sorted(ready, key=turn):
        if not may_add(p, row):
            break
        if row.method == Method.CONFIRM:
            p.actions.append(Confirm(row.id))
            break
        host = where_to(p, row)
        if host is None:
            continue
        if not host and row.unfit_hosts:
            found = fit_host(p, row)
            if found is None:
                continue
            host = found
        elif not admission.takes(host):
            host = elsewhere_with_room(p, row)
            if not host:
                full = True
                continue
        status = p.seen.servers[row.server_id].status
        p.actions.append(Submit(row.id, host or None, status, Method(row.method)))
        break
    else:
        if full:
            hosts = sorted(admission.inbound, key=lambda h: -admission.inbound[h])[:3]
            unknown = message("destinations_unknown_full")
            say_full(p, message("destinations_full", hosts=hosts) if hosts else unknown)
            return
    say_hold(p, None)


def say_full(p: Pass, why: Message) -> None:
    """Say what keeps this drain from continuing; while one of its migrations is in progress, it
    continues."""
    if not p.rows_in(MIGRATION_UNDER_WAY):
        say_hold(p, why)


def say_hold(p: Pass, why: Message | None) -> None:
    """Say that it waits for others, or that it no longer does."""
    said = p.drain.message
    if why is None:
        if said is not None and said.code in HOLDS:
            p.actions.append(ChangeDrain({"message": None}))
        return
    # That somebody enabled the service is said in its place: see _disable_first.
    enabled = not p.back and p.seen.service and p.seen.service.status == "enabled"
    if said != why and not enabled and p.rows_in(MIGRATION_WAITING):
        p.actions.append(ChangeDrain({"message": why}))


def can_go(p: Pass, row: Row) -> bool:
    server = p.seen.servers.get(row.server_id)
    if server is not None:
        return p.judge(server, row).method == row.method != Method.NONE
    elsewhere = p.seen.elsewhere.get(row.server_id)
    return (
        row.method == Method.CONFIRM
        and elsewhere is not None
        and elsewhere.status == "VERIFY_RESIZE"
        and elsewhere.task_state is None
    )


def turn(row: Row) -> tuple[bool, int, int, int]:
    """The order of starting. What an admin put at the head has a place below 0."""
    tries = row.attempts - row.fall_back
    return (row.position >= 0, tries if row.position >= 0 else 0, row.position, row.id)

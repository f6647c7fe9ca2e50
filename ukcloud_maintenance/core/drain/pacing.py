"""How many at a time, and which is next."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ..codes import HOLDS
from ..facts import NOVA_STATUS_RUNNING, NOVA_STATUS_WAITING
from ..message import Message, message
from ..states import (
    MIGRATION_IN_PROGRESS,
    MIGRATION_WAITING,
    Direction,
    Method,
    MigrationState,
)
from .actions import ChangeDrain, Confirm, Submit
from .context import Pass
from .inputs import DrainView, Row
from .placing import elsewhere_with_room, fit_host, where_to

#: From this fraction on a running migration is about to end, and it is the time to find out
#: whether Nova would queue one more.
ABOUT_TO_END = 0.75
#: … and so many seconds before the end: one that is queued then is seen in time.
SOON_SECONDS = 3.0
#: At most so many are submitted in one pass: what it read gets old meanwhile.
SUBMITS_A_PASS = 5
#: What Nova has neither queued nor begun after so many seconds may be stuck: it lasts for the
#: moment that nova-conductor takes to choose a host and to pass it on.
STUCK_SECONDS = 10.0


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
        for row in p.rows_in(MIGRATION_IN_PROGRESS)
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
    queued = sum(
        row.attempt.nova_status == "queued" for row in p.rows_in({MigrationState.MIGRATING})
    )
    if running and queued > 1:
        learned = running  # no more than one waits where what is known of the limit is true
    elif running and queued:
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


def sure_of(p: Pass) -> int:
    """How many live migrations may be in progress however many of them are not begun yet, because
    it is known what becomes of them: Nova begins all but one at once.

    In this drain that is known by its limit here, once learned. Before that, the limit that the
    last drain of this host found is believed for those that run, not for one that waits; a few at a
    time, as it may have been lowered since.
    """
    wanted = p.drain.max_concurrent
    waiting = waiting_in_nova(p)
    if p.back or any(_is_stuck(p, row) for row in waiting):
        return 0
    if p.drain.nova_runs_more:
        return wanted
    learned = p.drain.learned_limit
    if learned is not None:
        return min(learned + 1, wanted + 1) if learned <= wanted else wanted
    return min(p.seen.last_limit, wanted) if len(waiting) < SUBMITS_A_PASS else 0


def _is_stuck(p: Pass, row: Row) -> bool:
    """Whether Nova was asked a while ago, and did not come to queue it."""
    queued = row.attempt.nova_status == "queued" and row.state == MigrationState.MIGRATING
    return not queued and p.since(row.attempt.submitted_at) > STUCK_SECONDS


class Paced(Protocol):
    """The part of a drain that tells what it learned of Nova's limit."""

    @property
    def max_concurrent(self) -> int: ...
    @property
    def learned_limit(self) -> int | None: ...
    @property
    def nova_runs_more(self) -> bool: ...


def judged_anew(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What an admin changes of a drain, with what was judged by the old number."""
    more = {"nova_runs_more": False} if "max_concurrent" in fields else {}
    return {**fields, **more}


def is_limit_known(drain: Paced) -> bool:
    """Whether Nova's limit is known, or that it is above ours."""
    return drain.learned_limit is not None or drain.nova_runs_more


def limit_of(last: Paced | None) -> int:
    """How many live migrations Nova ran at once from a host at least, as far as the last drain that
    knows found out; 0: nothing is known."""
    if last is None:
        return 0
    return max(last.learned_limit or 0, last.max_concurrent + 1 if last.nova_runs_more else 0)


def probes(drain: DrainView, rows: Sequence[Row], last_limit: int) -> bool:
    """Whether a copy is watched until it is about to end, to find out then whether Nova would
    queue one more.

    :param last_limit: see `Observation`
    """
    if last_limit > drain.max_concurrent:
        return False
    full = sum(row.state in MIGRATION_IN_PROGRESS for row in rows) == drain.max_concurrent
    waits = any(row.state == MigrationState.PENDING for row in rows)
    return full and waits and drain.direction == Direction.AWAY and not is_limit_known(drain)


def may_add(p: Pass, row: Row) -> bool:
    in_progress = len(p.rows_in(MIGRATION_IN_PROGRESS))
    wanted = p.drain.max_concurrent
    if row.method == Method.LIVE and in_progress < sure_of(p):
        return True
    if waiting_in_nova(p):
        return False
    if in_progress < wanted:
        return True
    if p.back:
        return False  # each comes from a host, and a queue, of its own
    runs_more = p.drain.nova_runs_more or p.seen.last_limit > wanted
    if in_progress > wanted or runs_more or row.method != Method.LIVE:
        return False
    # One more is to wait in Nova's queue, never to run: either Nova's limit is known, or one
    # of those that run is about to end, so that finding out costs next to nothing.
    running = running_rows(p)
    learned = p.drain.learned_limit
    if learned is not None:
        return learned <= len(running)
    return any(until_about_to_end(p, row) <= 0 for row in running)


def until_about_to_end(p: Pass, row: Row) -> float:
    """Seconds until a copy is about to end, as it goes; infinite where its bytes tell nothing."""
    fraction = row.attempt.fraction or 0
    if fraction >= ABOUT_TO_END:
        return 0
    took = p.since(row.attempt.running_since)
    if not fraction or not took:
        return math.inf
    return min(took * (ABOUT_TO_END / fraction - 1), took * (1 / fraction - 1) - SOON_SECONDS)


def submit_next(p: Pass) -> None:
    """Submit what may be in progress now, or say what it waits for. One after the other: each is
    looked at once more before Nova is asked."""
    if p.seen.admission.holds:
        say_hold(p, p.seen.admission.holds)
        return
    p.count_who_left()
    admission = p.seen.admission
    if admission.room is not None and admission.room <= 0:
        say_full(p, message("region_full"))
        return
    ours = {row.group for row in p.rows_in(MIGRATION_IN_PROGRESS) if row.group}
    travelling = ours | p.seen.travelling
    ready = [
        row
        for row in p.rows_in({MigrationState.PENDING})
        if (row.not_before is None or row.not_before <= p.now) and can_go(p, row)
    ]
    full, submitted = False, 0
    for row in sorted(ready, key=turn):
        if submitted == SUBMITS_A_PASS or p.seen.admission.room == 0 or not may_add(p, row):
            break
        if row.group in travelling:
            continue
        if row.method == Method.CONFIRM:
            p.actions.append(Confirm(row.id))
            break
        host = where_to(p, row)
        if host is None:
            p.places_wanted.append(row.server_id)
            continue
        if not host and row.unfit_hosts:
            found = fit_host(p, row)
            if found is None:
                continue
            host = found
        elif not p.seen.admission.takes(host):
            # a drain that is left to the scheduler waits for it
            host = elsewhere_with_room(p, row) if p.drain.follow_estimate else ""
            if not host:
                full = True
                continue
        status = p.seen.servers[row.server_id].status
        p.actions.append(Submit(row.id, host or None, status, Method(row.method)))
        p.is_submitted(row, host)
        travelling |= {row.group} - {""}
        submitted += 1
    else:
        if full and not submitted:
            hosts = sorted(admission.inbound, key=lambda h: -admission.inbound[h])[:3]
            unknown = message("destinations_unknown_full")
            full_ones = message("destinations_full", hosts=hosts, count=len(hosts))
            say_full(p, full_ones if hosts else unknown)
            return
    say_hold(p, None)


def say_full(p: Pass, why: Message) -> None:
    """Say what keeps this drain from continuing; while one of its migrations is in progress, it
    continues."""
    if not p.rows_in(MIGRATION_IN_PROGRESS):
        say_hold(p, why)


def say_hold(p: Pass, why: Message | None) -> None:
    """Say that it waits for others, or that it no longer does."""
    said = p.drain.message
    if why is None:
        if said is not None and said.code in HOLDS:
            p.actions.append(ChangeDrain({"message": None}))
        return
    # That somebody enabled the service is said in its place: see disable_first.
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

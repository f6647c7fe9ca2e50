"""When a drain is looked at again, and whether a glance at Nova's records is enough for that."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..facts import Migration
from ..states import MIGRATION_IN_PROGRESS, MIGRATION_OPEN, Direction, DrainState, Method
from ..states import MigrationState as State
from .actions import Action, ChangeDrain, Disable, OpenMaintenance
from .attempts import record_of
from .context import Pass
from .inputs import DrainView, Row
from .pacing import (
    is_limit_known,
    may_add,
    probes,
    running_rows,
    until_about_to_end,
    waiting_in_nova,
)

#: Seconds between two looks while the next migration may be submitted as soon as Nova begins the
#: last one; for so long after that one was submitted.
RAMP_SECONDS = 0.3
RAMP_LASTS = 5.0
#: By this factor of IDLE_SECONDS a look may be put off, if an end is expected then.
LATEST_LOOK = 1.5
#: This share of what a migration is expected to take, it is looked at again: one that waits in
#: Nova's queue takes its place, and the next is to be submitted before that one ends.
EARLY = 0.9


def leads_on(before: Iterable[Row], after: Iterable[Row], actions: Iterable[Action]) -> bool:
    """Whether a pass did what opens the way for the next, which is to follow at once: the drain
    began, or its host's service was disabled, and what is on the host is listed again; or the last
    instance left, and the host is to be proved empty.

    :param before: its rows as they were
    :param after: … as the pass left them
    """
    was_open = any(row.state in MIGRATION_OPEN for row in before)
    if was_open and not any(row.state in MIGRATION_OPEN for row in after):
        return True
    return any(
        isinstance(action, OpenMaintenance | Disable)
        or (isinstance(action, ChangeDrain) and action.fields.get("state") == DrainState.RUNNING)
        for action in actions
    )


def pause_after(p: Pass, poll: float, idle: float, *, acted: bool) -> float:
    """Seconds until the next pass, from the rows as this one left them.

    Where everything that may be submitted is, and one of them waits in Nova's queue, nothing is
    gained by a look before the first of those that run can have ended: no migration of this drain
    was quicker, in proportion to its memory.

    :param poll: seconds between two passes while there is something to be done or to be seen
    :param idle: … while nothing is in progress
    :param acted: this pass changed something
    """
    in_progress = p.rows_in(MIGRATION_IN_PROGRESS)
    if in_progress:
        if not all(_is_copied(row) for row in in_progress):
            return _ramp(p, poll) if may_submit(p) or _learns(p) else poll
        if may_submit(p) or _learns(p):
            return _ramp(p, poll)
        if probes(p.drain, list(p.rows.values()), p.seen.last_limit):
            ends = min((until_about_to_end(p, row) for row in running_rows(p)), default=poll)
            return min(max(ends, RAMP_SECONDS), poll if math.isinf(ends) else idle)
        left = _until_one_ends(p, in_progress)
        if left is None or left > LATEST_LOOK * idle:
            return poll if left is None else max(idle, poll)
        # Where none waits in Nova's queue, a place is idle from the end of one until it is seen.
        idles = bool(_waiting(p)) and not waiting_in_nova(p) and left > -RAMP_LASTS
        return max(left, min(poll, RAMP_SECONDS) if idles else poll)
    if may_submit(p):
        return poll
    if any(row.state in MIGRATION_OPEN for row in p.rows.values()):
        due = [p.since(row.not_before) for row in _waiting(p) if row.not_before]
        soonest = min((-seconds for seconds in due), default=idle)
        return min(max(soonest, poll), idle)
    return poll if acted else idle


def may_glance(drain: DrainView, rows: Iterable[Row]) -> bool:
    """Whether Nova's records alone may tell that nothing is to be done: nothing but live copies is
    in progress, and nothing about them is odd or requested."""
    in_progress = [row for row in rows if row.state in MIGRATION_IN_PROGRESS]
    return (
        drain.state == DrainState.RUNNING
        and drain.direction == Direction.AWAY
        and not drain.host_down_since
        and bool(in_progress)
        and all(map(_is_copied, in_progress))
    )


def is_unchanged(p: Pass, records: Mapping[str, Sequence[Migration]]) -> bool:
    """Whether Nova's records of the migrations in progress tell nothing new, so that no more is to
    be read in this pass: each is as it was, and all that may be submitted is. Of a drain that
    `may_glance`.

    What a record does not tell (the host, its other servers, the bytes) is read now and then all
    the same; whoever asks sees to that.
    """
    p.seen = replace(p.seen, migrations=records)
    found = [(row, record_of(p, row)) for row in p.rows_in(MIGRATION_IN_PROGRESS)]
    same = all(r is not None and r.status == row.attempt.nova_status for row, r in found)
    return (
        same
        and not probes(p.drain, list(p.rows.values()), p.seen.last_limit)
        and (bool(waiting_in_nova(p)) or not may_submit(p))
    )


def may_submit(p: Pass) -> bool:
    """Whether something waits that could be submitted now, as far as numbers go."""
    if p.drain.state != DrainState.RUNNING or p.seen.admission.holds:
        return False
    return any(
        may_add(p, row) for row in _waiting(p) if row.not_before is None or row.not_before <= p.now
    )


def _waiting(p: Pass) -> list[Row]:
    return p.rows_in({State.PENDING})


def _is_copied(row: Row) -> bool:
    """Whether it is with Nova, live, and nothing about it is odd or requested."""
    return (
        row.state == State.MIGRATING
        and row.method == Method.LIVE
        and row.anomaly_since is None
        and not row.attempt.source_service
        and not row.requests.open
        and not row.requests.abort
    )


def _learns(p: Pass) -> bool:
    """Whether one waits to be begun, by which Nova's limit is learned as soon as it is queued."""
    return (
        not p.back
        and not is_limit_known(p.drain)
        and bool(waiting_in_nova(p))
        and bool(_waiting(p))
    )


def _ramp(p: Pass, poll: float) -> float:
    waits = [p.since(row.attempt.submitted_at) for row in waiting_in_nova(p)]
    return min(poll, RAMP_SECONDS) if waits and max(waits) < RAMP_LASTS else poll


def _until_one_ends(p: Pass, in_progress: Sequence[Row]) -> float | None:
    """Seconds until the first of them is about to end, by what those before it took in proportion
    to their memory; None where nothing tells."""
    done = [
        (row.memory_bytes, (row.attempt.ended_at - begun).total_seconds())
        for row in p.rows_in({State.SUCCEEDED})
        if (begun := row.attempt.running_since) and row.attempt.ended_at
    ]
    if not done:
        return None

    def left(row: Row) -> float:
        took = statistics.median(
            seconds * min(row.memory_bytes / memory, 1) if memory else seconds
            for memory, seconds in done
        )
        return EARLY * took - p.since(row.attempt.running_since)

    return min(map(left, in_progress))

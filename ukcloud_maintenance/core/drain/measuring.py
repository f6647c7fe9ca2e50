"""Bytes, rate and course of a copy, and what is done when it takes too long."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ..attempt import RequestView
from ..codes import SOURCE_DOWN
from ..copying import convergence
from ..copying.fraction import Sample, fraction, rate
from ..copying.patience import bytes_to_copy, late_after_seconds, timeout_outlook
from ..facts import (
    NOVA_STATUS_COPIED,
    NOVA_STATUS_RUNNING,
    NOVA_STATUS_WAITING,
    Migration,
    Progress,
    Server,
)
from ..message import message, several
from ..states import (
    ABORTABLE,
    Method,
    RequestKind,
    RequestOrigin,
    RequestState,
    TimeoutAction,
)
from .context import Pass
from .inputs import Row

#: Seconds between two looks at whether a copy will end, while its bytes stay the same.
SAME_BYTES_EVERY = 5.0
#: … between two looks at a drain whose copies are in progress, at most, with the usual settings.
LOOKS_ARE_APART = timedelta(seconds=10)
#: What a timeout asks of Nova.
_REQUESTS = {TimeoutAction.ABORT: RequestKind.ABORT, TimeoutAction.FORCE: RequestKind.FORCE}


def note_progress(p: Pass, row: Row, server: Server, record: Migration | None) -> None:
    """What is seen of a migration in progress: status, bytes, and how long it takes."""
    fields: dict[str, Any] = {
        "server_status": server.status,
        "task_state": server.task_state or "",
    }
    if record:
        fields |= {
            "nova_status": record.status,
            "nova_migration_id": record.id,
            "dest_compute": record.dest_compute or row.dest_compute,
            "sent_to": record.dest_compute or row.attempt.sent_to,
        }
        waits = record.status in NOVA_STATUS_WAITING
        if waits and row.attempt.queued_since is None:
            fields["queued_since"] = p.now
        if record.status == "cancelled":
            fields["was_cancelled"] = True
        if record.status in NOVA_STATUS_RUNNING and row.attempt.running_since is None:
            fields |= {"queued_since": None, "running_since": _begun_at(p, row)}
            p.change(row, fields, "copying", message("moves_to", host=record.dest_compute))
        elif not waits and row.attempt.running_since is None:
            fields |= {"queued_since": None, "running_since": p.now}
    if row.attempt.source_service != SOURCE_DOWN:
        fields |= bytes_of(p, row)
    p.change(row, fields)
    row = p.rows[row.id]
    time_out(p, row)
    row = p.rows[row.id]
    attempt = row.attempt
    begun = attempt.running_since or (None if attempt.queued_since else attempt.submitted_at)
    after = late_after_seconds(bytes_to_copy(row), p.limits)
    if attempt.late_since is None and begun and p.since(begun) > after:
        text = message("late", seconds=round(after))
        p.change(row, {"late_since": p.now}, "late", text)


def _begun_at(p: Pass, row: Row) -> datetime:
    """When Nova began a copy that this pass sees running. Passes may be far apart: where a place
    was free it was at once, and else, as far as is known, now.

    Others may fill Nova's queue, and no worker may have looked for a while: no timeout is to count
    from further back than two looks are apart where all is well.
    """
    submitted, limit = row.attempt.submitted_at, p.drain.learned_limit or p.seen.last_limit
    if submitted is None or row.method != Method.LIVE:
        return p.now
    before = sum(_was_in_progress(one, submitted) for one in p.rows.values() if one.id != row.id)
    if p.drain.nova_runs_more or before < limit:
        return max(row.attempt.queued_since or submitted, p.now - LOOKS_ARE_APART)
    return p.now


def _was_in_progress(row: Row, at: datetime) -> bool:
    begun, ended = row.attempt.submitted_at, row.attempt.ended_at
    return begun is not None and begun < at and (ended is None or ended > at)


def time_out(p: Pass, row: Row) -> None:
    """What the drain does about a copy that takes too long. That it does is marked once an
    attempt; what is done about it is what the drain says now, each action once."""
    if row.attempt.source_service == SOURCE_DOWN:
        return  # nothing is asked of Nova now; it is due as soon as the source is back
    found = timeout_outlook(row, p.drain.timeout_action, p.limits, p.now)
    if found is None or p.now <= found.at:
        return
    wanted = _REQUESTS.get(found.action)
    open_one = row.requests.open
    if open_one and _is_taken_back(open_one, wanted):
        p.change(row, {}, request={"state": RequestState.WITHDRAWN})
        open_one = None
    waits = p.now < found.due_at
    # In post-copy, and once it has arrived, Nova takes neither.
    asks = (
        wanted is not None
        and not waits
        and not open_one
        and not row.requests.has(wanted, RequestOrigin.TIMEOUT)
        and not row.requests.abort
        and row.attempt.nova_status in ABORTABLE
    )
    if asks and wanted is not None:
        p.make_request(row, wanted, RequestOrigin.TIMEOUT)
    elif row.attempt.timed_out_at is not None:
        return
    since = row.attempt.running_since
    allowed = (found.at - since).total_seconds() if since else 0
    then = None
    if asks:
        aborts = wanted is RequestKind.ABORT
        then = message("timeout_aborts") if aborts else message("timeout_forces")
    elif waits and wanted is not None:
        then = message("timeout_lets_go_on", until=found.latest)
    text = several(message("timed_out", seconds=round(allowed)), then)
    fields = {"timed_out_at": row.attempt.timed_out_at or p.now}
    p.change(row, fields, "timed_out", text)


def _is_taken_back(request: RequestView, wanted: RequestKind | None) -> bool:
    """Whether the drain requested it, no longer wants it, and Nova was not asked yet."""
    by_timeout = request.origin == RequestOrigin.TIMEOUT
    return by_timeout and request.kind != wanted and not request.tries


def bytes_of(p: Pass, row: Row) -> dict[str, Any]:
    found = [
        p
        for p in p.seen.progress.get(row.server_id, ())
        if row.attempt.nova_migration_id in (None, p.migration_id)
    ]
    if not found:
        return {}
    newest = max(found, key=lambda p: p.migration_id)
    sample = Sample(
        newest.memory_total_bytes,
        newest.memory_processed_bytes,
        newest.memory_remaining_bytes,
        newest.disk_total_bytes,
        newest.disk_processed_bytes,
        newest.disk_remaining_bytes,
    )
    course = course_of(p, row, newest)
    if sample.is_empty:
        return course
    # The disk's processed bytes are its total less what remains; only memory is re-sent.
    disk_sent = (sample.disk_total or 0) - (sample.disk_remaining or 0)
    sample = replace(sample, disk_processed=disk_sent)
    before = row.attempt
    earlier = None
    if before.sampled_at and (before.memory_processed_bytes is not None or before.disk_total_bytes):
        earlier = Sample(
            memory_processed=before.memory_processed_bytes,
            disk_processed=(before.disk_total_bytes or 0) - (before.disk_remaining_bytes or 0),
        )
    fields: dict[str, Any] = {
        "memory_total_bytes": sample.memory_total,
        "memory_processed_bytes": sample.memory_processed,
        "memory_remaining_bytes": sample.memory_remaining,
        "disk_total_bytes": sample.disk_total,
        "disk_remaining_bytes": sample.disk_remaining,
        "fraction": fraction(sample, row.memory_bytes, before.fraction),
    }
    if all(getattr(before, name) == value for name, value in fields.items()):
        return course  # libvirt refreshes the bytes every few seconds only
    smoothed = rate(sample, earlier, p.since(before.sampled_at), before.rate_bytes)
    return fields | course | {"rate_bytes": smoothed, "sampled_at": p.now}


def course_of(p: Pass, row: Row, newest: Progress) -> dict[str, Any]:
    """How the bytes went so far, and whether it will end; that is over where it is aborted or
    forced to complete, or everything is copied: then nothing moves for as long as Nova takes."""
    copied = row.attempt.nova_status in NOVA_STATUS_COPIED
    if copied or row.requests.abort or row.requests.forced_at:
        return {"course": "", "seconds_left": None, "pass_bytes": None}
    point = convergence.point(newest, p.now.timestamp())
    if point is None:
        return {}
    points = convergence.from_json(row.attempt.points)
    if points and points[-1].at > point.at + convergence.LEAST_GAP:
        points = []  # the clock was set back
    same = bool(points) and points[-1].sizes == point.sizes
    if same and point.at - points[-1].at < SAME_BYTES_EVERY:
        return {}
    points = convergence.keep(points, point)
    found = convergence.course(
        points,
        memory_total=newest.memory_total_bytes,
        disk_total=newest.disk_total_bytes,
        flavor_memory=row.memory_bytes,
        patience_seconds=p.patience(row),
    )
    known = found.verdict is not convergence.Verdict.UNKNOWN
    return {
        "points": convergence.to_json(points),
        "course": found.verdict.value if known else "",
        "seconds_left": found.seconds_left,
        "pass_bytes": found.pass_size,
    }

"""Rows that Nova has, still on the source: in progress, or ended there."""

from ..codes import LEFT_RECORD, OBJECTIONS
from ..facts import Migration, Server
from ..message import message, several
from ..states import Method, MigrationState
from . import whereabouts
from .arriving import follow_confirming, follow_elsewhere
from .attempts import adopted_request, attempt_failed, failed_attempt, is_aborted, record_of
from .context import Pass
from .doubts import abort_settled, how_it_ended, in_doubt, task_stuck, what_is_known, why_it_waits
from .host import source_is_up
from .inputs import Row
from .leaving import has_gone
from .measuring import note_progress
from .placing import fallen_back, falls_back
from .whereabouts import Ending, Step, Word


def follow(p: Pass, row: Row) -> None:
    record = record_of(p, row)
    if row.state == MigrationState.CONFIRMING:
        follow_confirming(p, row, record)
        return
    if row.state == MigrationState.SUBMITTED:
        if not adopt(p, row):
            return
        row = p.rows[row.id]
    server = p.seen.servers.get(row.server_id)
    if server is not None:
        note_progress(p, row, server, record)
        still_here(p, p.rows[row.id], server, record)
    elif row.server_id in p.seen.elsewhere:
        follow_elsewhere(p, row, p.seen.elsewhere[row.server_id], record)


def adopt(p: Pass, row: Row) -> bool:
    """A request whose answer got lost: whether Nova has it. Until a time is over it may
    still be on its way, and is not sent again."""
    if row.server_id not in p.seen.actions:
        return False
    request_id = adopted_request(row, p.seen.actions[row.server_id], p.seen.our_user_id)
    if request_id:
        p.change(
            row,
            {
                "state": MigrationState.MIGRATING,
                "request_id": request_id,
                "message": None,
                "put_off_since": None,
            },
            "adopted",
            message("adopted"),
        )
        return True
    if row.server_id not in p.seen.servers:
        if row.server_id in p.seen.elsewhere:
            has_gone(p, row, p.seen.elsewhere[row.server_id])
        return False
    if row.server_id in p.seen.on_their_way:
        return False
    if p.since(row.attempt.submitted_at) >= p.limits.submit_grace_seconds:
        text = message("never_sent")
        fields = failed_attempt(row, text, "never_sent", p.limits, p.now, retry=p.may_retry())
        kind = "put_off" if row.put_off_since else "attempt_failed"
        if fields["state"] == MigrationState.FAILED:
            kind = "failed"
        p.change(row, fields, kind, text)
    return False


def wanted_words(p: Pass) -> list[str]:
    wanted = []
    for row in p.rows.values():
        server = p.seen.servers.get(row.server_id)
        if server is None or whereabouts.word_of(server, None) is not Word.SILENT:
            continue
        if row.state == MigrationState.BLOCKED:
            if row.code in OBJECTIONS and source_is_up(p, row):
                wanted.append(row.server_id)
            continue
        if row.state != MigrationState.MIGRATING or not source_is_up(p, row):
            continue
        record = record_of(p, row)
        ending = ending_of(p, row, server, record)
        if ending is None or ending in whereabouts.HARMLESS:
            continue
        wait = wait_after(p, ending, row)
        if not wait or (row.anomaly_since and p.since(row.anomaly_since) >= wait):
            wanted.append(row.server_id)
    return wanted


def ending_of(p: Pass, row: Row, server: Server, record: Migration | None) -> Ending | None:
    return whereabouts.ending_of(
        server,
        record,
        had_record=row.attempt.nova_migration_id is not None,
        aborted=is_aborted(row, record),
    )


def wait_after(p: Pass, ending: Ending, row: Row) -> float:
    """Seconds for which an ending must stand before it is believed: Nova is known to change
    its mind, and libvirt to finish a copy whose nova-compute is gone."""
    if ending in (Ending.NO_HOST, Ending.ROLLED_BACK):
        wait = 0.0
    elif ending in (Ending.TASK_WITHOUT_RECORD, Ending.STUCK_WAITING):
        wait = p.patience(row)
    elif ending in (Ending.LEFT_WAITING, Ending.LEFT_OPEN, Ending.TASK_STUCK):
        wait = p.limits.submit_grace_seconds
    elif ending is Ending.ERROR and row.method == Method.LIVE:
        return p.patience(row)
    else:
        wait = p.limits.settle_seconds
    rolled_back = (Ending.ROLLED_BACK, Ending.ABORTED, Ending.ABORT_ERROR)
    lost = row.attempt.source_service and ending in rolled_back
    return max(wait, p.patience(row)) if lost else wait


def is_noticeable(p: Pass, row: Row) -> bool:
    """Whether what was seen has stood for longer than any of it should take."""
    return p.since(p.rows[row.id].anomaly_since) >= p.limits.submit_grace_seconds


def still_here(p: Pass, row: Row, server: Server, record: Migration | None) -> None:
    """Nova has the server on the source: it is being migrated, or the attempt has ended."""
    ending = ending_of(p, row, server, record)
    if ending is None:
        if row.anomaly_since is not None:
            p.change(row, {"anomaly_since": None, "message": None})
        return
    wait = wait_after(p, ending, row)
    if wait and not p.settled(row, wait):
        if record is not None and record.is_over and wait > p.limits.settle_seconds:
            p.change(row, {"message": why_it_waits(p, ending, record, row, wait)})
        elif ending is Ending.STUCK_WAITING and is_noticeable(p, row):
            p.change(p.rows[row.id], {"message": how_it_ended(ending, record)})
        return
    row = p.rows[row.id]
    sight = p.seen.guests.get(row.server_id)
    word = whereabouts.word_of(server, sight)
    asked = sight is not None or word is not Word.SILENT
    if not asked and ending not in whereabouts.HARMLESS and source_is_up(p, row):
        return  # the hypervisor is asked in the next pass
    step = whereabouts.next_step(
        ending, word, cold=row.method == Method.COLD, source_lost=bool(row.attempt.source_service)
    )
    if step is Step.ASK:
        if not p.settled(row, wait + p.limits.proof_wait_seconds):
            known = how_it_ended(ending, record), what_is_known(p, word, row, sight)
            text = several(*known, message("asked_again"))
            p.change(p.rows[row.id], {"message": text})
            return
        step = Step.UNKNOWN
    if step is Step.UNKNOWN:
        in_doubt(p, row, server, ending, record, word, sight)
    elif step is Step.FAILED:
        task_stuck(p, row, server, how_it_ended(ending, record))
    elif ending in (Ending.ABORTED, Ending.ABORT_ERROR) and is_aborted(row, record):
        abort_settled(p, row, server)
    elif ending is Ending.NO_HOST and p.may_retry() and falls_back(row, p.named(row)):
        text = message("host_refused", host=row.attempt.asked_host)
        p.change(row, fallen_back(row, text), "host_refused", text, ask_why=True)
    elif ending is Ending.NOT_BEGUN:
        attempt_failed(p, row, "no_record", how_it_ended(ending, record))
    elif ending is Ending.LEFT_WAITING:
        runs = message("never_left", place=p.place(row))
        attempt_failed(p, row, LEFT_RECORD, several(how_it_ended(ending, record), runs))
    else:
        assert record is not None  # else it was one of those above
        attempt_failed(p, row, f"nova_{record.status}", how_it_ended(ending, record))

"""Endings in doubt, and the messages about what is known of the guest."""

from ..codes import ABORTED, LATE_ERROR
from ..facts import Migration, Server
from ..message import Message, message, several
from ..states import DrainState, MigrationState, RequestOrigin
from .attempts import failed_attempt, is_aborted
from .context import Pass
from .inputs import Row
from .whereabouts import Ending, GuestSight, Word


def why_it_waits(
    p: Pass, ending: Ending, record: Migration | None, row: Row, wait: float
) -> Message:
    what = how_it_ended(ending, record)
    return message("waits_for_word", what=what, host=p.source(row), seconds=round(wait))


def how_it_ended(ending: Ending, record: Migration | None) -> Message:
    status = status_of(record)
    match ending:
        case Ending.NOT_BEGUN:
            return message("nothing_begun")
        case Ending.RECORD_GONE:
            return message("record_gone")
        case Ending.TASK_WITHOUT_RECORD:
            return message("without_record")
        case Ending.STUCK_WAITING:
            return message("not_begun_yet", status=status)
        case Ending.TASK_STUCK:
            return message("migration_over", status=status)
        case Ending.LEFT_WAITING | Ending.LEFT_OPEN:
            assert record is not None
            dest = record.dest_compute or message("no_host_yet")
            return message("record_left_open", record=record.id, dest=dest, status=status)
        case Ending.COMPLETED_HERE:
            return message("completed_at_source")
    if status == "cancelled":
        return message("migration_aborted")
    return message("rolled_back") if status == "failed" else message("ended_in_error")


def status_of(record: Migration | None) -> str | Message:
    return record.status if record else message("no_record")


def what_is_known(p: Pass, word: Word, row: Row, sight: GuestSight | None) -> Message:
    """What is known of the guest."""
    source = p.source(row)
    match word:
        case Word.RUNS_HERE:
            return message("guest_runs_here", host=source)
        case Word.NOT_HERE:
            return message("guest_not_found", host=source)
        case Word.DOUBTFUL:
            return message("guest_doubtful", host=source)
        case Word.PAUSED:
            return message("guest_paused")
        case Word.OFF:
            return message("guest_shut_off")
    if sight and sight.error:
        return message("no_word_because", host=source, why=sight.error)
    return message("no_word", host=source)


def in_doubt(
    p: Pass,
    row: Row,
    server: Server,
    ending: Ending,
    record: Migration | None,
    word: Word,
    sight: GuestSight | None,
) -> None:
    """Where the guest runs is not known, or the server is in ERROR: for a person to see to."""
    known = what_is_known(p, word, row, sight)
    if ending is Ending.ERROR_STATUS:
        aborted = row.attempt.was_cancelled or is_aborted(row, record)
        if aborted and record is not None and record.is_over:
            late_error(p, row, record, word, known)
            return
        what = message("error_after_migration", method=row.method, record=status_of(record))
        cannot_tell(p, row, "error_at_source", what, known)
        return
    code = {
        Ending.RECORD_GONE: "record_gone",
        Ending.LEFT_OPEN: "record_open",
        Ending.COMPLETED_HERE: "completed_at_source",
    }.get(ending, "guest_in_doubt")
    what = how_it_ended(ending, record)
    if ending in (Ending.TASK_STUCK, Ending.TASK_WITHOUT_RECORD, Ending.STUCK_WAITING):
        what = message("task_does_not_end", what=what, task=server.task_state)
    cannot_tell(p, row, code, what, known)


def abort_settled(p: Pass, row: Row, server: Server) -> None:
    """An abort of ours has settled: the server is where it was."""
    where = it_is(server.status, p.place(row))
    abort = row.requests.abort
    assert abort is not None  # it was aborted
    if p.drain.state == DrainState.CANCELLING:
        text = message("aborted_by_cancel", where=where)
        if abort.origin == RequestOrigin.ADMIN:
            text = message("aborted_as_asked", who=abort.requested_by, where=where)
        fields = {"state": MigrationState.CANCELLED, "code": ABORTED, "message": text}
        p.change(row, fields | {"anomaly_since": None}, "aborted", text)
        return
    timed_out = abort.origin == RequestOrigin.TIMEOUT
    text = message("aborted_as_asked", who=abort.requested_by or message("the_drain"), where=where)
    if timed_out:
        text = message("aborted_after_timeout", where=where)
    fields = failed_attempt(row, text, ABORTED, p.limits, p.now, retry=timed_out and p.may_retry())
    p.change(row, fields, "aborted", text)


def late_error(p: Pass, row: Row, record: Migration, word: Word, known: Message) -> None:
    here = word is Word.RUNS_HERE
    then = message("error_left_by_nova") if here else p.look_on_both(row)
    unknown(p, row, LATE_ERROR, message("error_after_abort", status=record.status), known, then)


def task_stuck(p: Pass, row: Row, server: Server, what: Message) -> None:
    text = several(
        message("task_does_not_end", what=what, task=server.task_state),
        message("restart_ends_task", host=p.source(row)),
    )
    fields = failed_attempt(row, text, "task_stuck", p.limits, p.now, retry=False)
    p.change(row, fields, "failed", text, ask_why=True)


def it_is(status: str, host: str | Message) -> Message:
    """Where a server is, and as what."""
    return (
        message("runs_on", host=host)
        if status == "ACTIVE"
        else message("is_on", status=status, host=host)
    )


def cannot_tell(p: Pass, row: Row, code: str, *known: Message) -> None:
    """:param known: what is known of it, a sentence each"""
    unknown(p, row, code, *known, p.look_on_both(row))


def unknown(p: Pass, row: Row, code: str, *said: Message) -> None:
    text = several(*said)
    fields = {"state": MigrationState.UNKNOWN, "code": code, "message": text}
    p.change(row, fields, "unknown", text, ask_why=True)

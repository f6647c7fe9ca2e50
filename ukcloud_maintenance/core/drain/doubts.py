"""Endings in doubt, and in words what is known of the guest."""

from ..facts import Migration, Server
from ..states import DrainState, MigrationState
from .attempts import NO_WISH, failed_attempt, is_aborted
from .codes import ABORTED, LATE_ERROR, TIMEOUT
from .context import Pass
from .inputs import Row
from .whereabouts import Ending, GuestSight, Word


def why_it_waits(p: Pass, ending: Ending, record: Migration | None, row: Row, wait: float) -> str:
    return (
        f"{how_it_ended(ending, record).rstrip('.')}. libvirt may finish the copy alone:"
        f" whether the guest runs on {p.source(row)} is asked {wait:.0f} s after that."
    )


def how_it_ended(ending: Ending, record: Migration | None) -> str:
    status = record.status if record else "no record"
    match ending:
        case Ending.NOT_BEGUN:
            return "Nova took the request and began nothing."
        case Ending.RECORD_GONE:
            return "Nova's record of the migration is gone, and the server is still here."
        case Ending.TASK_WITHOUT_RECORD:
            return "Nova has no record of the migration"
        case Ending.STUCK_WAITING:
            return (
                f"Nova took the request and has not begun the migration ({status}): its message was"
                " lost, or nova-conductor does not work"
            )
        case Ending.TASK_STUCK:
            return f"The migration is over ({status})"
        case Ending.LEFT_WAITING | Ending.LEFT_OPEN:
            assert record is not None
            return (
                f"Nova no longer does anything with the server, but its record of migration"
                f" {record.id} to {record.dest_compute or 'no host yet'} says {status} still."
            )
        case Ending.COMPLETED_HERE:
            return "Nova says that the migration is completed, but has the server on its source."
    return {
        "cancelled": "The migration was aborted.",
        "failed": "The migration failed and was rolled back.",
    }.get(status, "The migration ended in error.")


def what_is_known(p: Pass, word: Word, row: Row, sight: GuestSight | None) -> str:
    """What is known of the guest, in a sentence."""
    source = p.source(row)
    match word:
        case Word.RUNS_HERE:
            return f"The hypervisor of {source} says that the guest runs there."
        case Word.NOT_HERE:
            return f"The hypervisor of {source} has no running guest of it."
        case Word.DOUBTFUL:
            return (
                f"The hypervisor of {source} says that the guest runs there, but Nova's own"
                " words or its power state say otherwise."
            )
        case Word.PAUSED:
            return "It is PAUSED, and Nova tells only of guests that run."
        case Word.OFF:
            return "It is shut off, so no hypervisor can tell where its newest disk is."
    why = f" ({sight.error})" if sight and sight.error else ""
    return f"The hypervisor of {source} did not say whether the guest runs there{why}."


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
        aborted = row.was_cancelled or is_aborted(row, record)
        if aborted and record is not None and record.is_over:
            late_error(p, row, record, word, known)
            return
        status = record.status if record else "no record"
        what = f"The server is in ERROR after its {row.method} migration ({status})."
        cannot_tell(p, row, "error_at_source", f"{what} {known}")
        return
    code = {
        Ending.RECORD_GONE: "record_gone",
        Ending.LEFT_OPEN: "record_open",
        Ending.COMPLETED_HERE: "completed_at_source",
    }.get(ending, "guest_in_doubt")
    what = how_it_ended(ending, record)
    if ending in (Ending.TASK_STUCK, Ending.TASK_WITHOUT_RECORD, Ending.STUCK_WAITING):
        what = f"{what}, but Nova's task {server.task_state} on the server does not end."
    cannot_tell(p, row, code, f"{what} {known}")


def abort_settled(p: Pass, row: Row, server: Server) -> None:
    """An abort of ours has settled: the server is where it was."""
    verb = "runs" if server.status == "ACTIVE" else f"is {server.status}"
    runs = f"It {verb} on {p.place(row)}."
    if p.drain.state == DrainState.CANCELLING:
        asked = "because the drain was cancelled"
        if row.aborted_by and row.aborted_by != TIMEOUT:
            asked = f"as {row.aborted_by} asked"
        text = f"Its migration was aborted, {asked}. {runs}"
        p.change(
            row,
            NO_WISH
            | {"state": MigrationState.CANCELLED, "code": ABORTED, "message": text}
            | {"odd_since": None, "queued_since": None, "running_since": None},
            "aborted",
            text,
        )
        return
    timed_out = row.aborted_by == TIMEOUT
    who = "after its timeout" if timed_out else f"as {row.aborted_by or 'the drain'} asked"
    text = f"Its migration was aborted, {who}. {runs}"
    fields = failed_attempt(row, text, ABORTED, p.limits, p.now, retry=timed_out and p.may_retry())
    p.change(row, fields, "aborted", text)


def late_error(p: Pass, row: Row, record: Migration, word: Word, known: str) -> None:
    if word is Word.RUNS_HERE:
        then = (
            " Nova 33 and 34 leave servers so after an abort. Look at the evidence: where it is"
            " complete, Reset to Active corrects Nova's database, and the instance can be"
            " retried. Do not start or rebuild it: its guest is alive."
        )
    else:
        then = f" {p.look_on_both(row)}"
    text = (
        f"Its migration was aborted, and Nova set the server to ERROR afterwards (record:"
        f" {record.status}). {known}{then}"
    )
    p.change(
        row,
        NO_WISH | {"state": MigrationState.UNKNOWN, "code": LATE_ERROR, "message": text},
        "unknown",
        text,
        ask_why=True,
    )


def task_stuck(p: Pass, row: Row, server: Server, what: str) -> None:
    text = (
        f"{what}, but Nova's task {server.task_state} on the server does not end. Look into"
        f" the log of nova-compute on {p.source(row)}: a restart of it ends the task."
    )
    fields = failed_attempt(row, text, "task_stuck", p.limits, p.now, retry=False)
    p.change(row, fields, "failed", text, ask_why=True)


def cannot_tell(p: Pass, row: Row, code: str, what: str) -> None:
    text = f"{what} {p.look_on_both(row)}"
    p.change(
        row,
        {"state": MigrationState.UNKNOWN, "code": code, "message": text},
        "unknown",
        text,
        ask_why=True,
    )

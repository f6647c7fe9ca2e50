"""Where does the guest run after an attempt, and what may be done next?

Nova's record of a migration and its idea of the server can both be wrong about the guest. Seen on
Nova 34 with libvirt: the nova-compute of the source was killed during a copy, libvirt finished the
copy by itself, and after the restart the record was `error` and the server ACTIVE on the source
without a task, while the guest ran at the destination alone. A second live migration of such a
server fails at the destination because the disk is there, and Nova's rollback removes the running
guest with its disk. Only the hypervisor of the source tells the two apart: it is asked by
`GET /servers/{id}/diagnostics`.

:func:`next_step` answers for an attempt that ended while Nova has the server on the source still:
the table is `STEPS`. What stands against a request just before it is made: see `objections`.

What Nova's diagnostics prove, read from nova/compute/manager.py (`get_instance_diagnostics`): 200
means that the hypervisor of the server's host has this guest, and that it runs. A guest that is
paused, shut off or not there is a 409 all the same, so that nothing can be proved of a server
that is PAUSED or SHUTOFF; for these the way in which the attempt ended must be free of doubt.
"""

from dataclasses import dataclass

from ..backports import StrEnum
from ..facts import NOVA_STATUS_WAITING, POWER_RUNNING, Diagnostics, Migration, Server
from ..message import Message, message

#: Nova's statuses of a record under which libvirt had not begun to copy: nova-compute writes
#: `running` before it asks its driver (nova/compute/manager.py, `_do_live_migration`).
NOT_COPYING = NOVA_STATUS_WAITING | {"preparing"}
#: Nova's statuses that say that the instance arrived.
ARRIVED = frozenset({"completed", "done", "confirmed"})
#: Statuses of a server of whose guest no hypervisor's word can be had.
TELLS_NOTHING = frozenset({"SHUTOFF", "PAUSED"})


class Ending(StrEnum):
    """How an attempt ended whose server Nova has on the source still."""

    NOT_BEGUN = "not_begun"  # Nova took the request; no record, no task
    NO_HOST = "no_host"  # over before a destination had anything to do with it
    ROLLED_BACK = "rolled_back"  # `failed`: Nova saw to the end of its rollback
    ABORTED = "aborted"  # `cancelled`, or rolled back after an abort that Nova took
    ABORT_ERROR = "abort_error"  # … but `error`: an abort that was taken may have come too late
    ERROR = "error"  # `error` with a destination: the process that knew more may be gone
    STUCK_WAITING = "stuck_waiting"  # accepted for ever, its task too: nobody acts on it
    LEFT_WAITING = "left_waiting"  # accepted, queued, preparing for ever; no task
    LEFT_OPEN = "left_open"  # running or later for ever; no task
    COMPLETED_HERE = "completed_here"  # `completed`, but the server is on the source
    RECORD_GONE = "record_gone"  # there was a record, and there is none
    TASK_WITHOUT_RECORD = "task_without_record"  # a task that does not end, and no record
    TASK_STUCK = "task_stuck"  # the record is over, and the task is not
    ERROR_STATUS = "error_status"  # the server is in ERROR


class Word(StrEnum):
    """What is known of the guest at the source."""

    RUNS_HERE = "runs_here"  # its hypervisor says that it runs
    NOT_HERE = "not_here"  # Nova was asked, and the guest does not run there
    SILENT = "silent"  # no answer
    DOUBTFUL = "doubtful"  # it is said to run there, and something else speaks against it
    PAUSED = "paused"  # the server is PAUSED: no hypervisor's word is to be had
    OFF = "off"  # the server is SHUTOFF: no guest runs; its disk is what counts


class Step(StrEnum):
    """What may be done next."""

    AGAIN = "again"  # it may be tried again; what stands against it is asked just before
    ASK = "ask"  # nothing yet: the hypervisor is asked again, for a bounded time
    FAILED = "failed"  # it is on the source, and cannot be tried again as it is
    UNKNOWN = "unknown"  # nothing is asked of Nova for it before a person has looked


#: After these nothing that happened can have moved the guest: the hypervisor is asked only just
#: before the next attempt.
HARMLESS = frozenset({Ending.NOT_BEGUN, Ending.NO_HOST})
_A, _Q, _F, _U = Step.AGAIN, Step.ASK, Step.FAILED, Step.UNKNOWN
_WORDS = (Word.RUNS_HERE, Word.NOT_HERE, Word.SILENT, Word.DOUBTFUL, Word.PAUSED, Word.OFF)
_ROWS: dict[Ending, tuple[Step, Step, Step, Step, Step, Step]] = {
    #                 runs here, not here, silent, doubtful, PAUSED, SHUTOFF
    Ending.NOT_BEGUN: (_A, _A, _A, _A, _A, _A),
    Ending.NO_HOST: (_A, _A, _A, _A, _A, _A),
    # A nova-compute that rolls back has found the guest on its hypervisor
    # (nova/virt/libvirt/migration.py, `find_job_type`), so that a PAUSED one is there too.
    Ending.ROLLED_BACK: (_A, _U, _Q, _Q, _A, _A),
    Ending.ABORTED: (_A, _U, _Q, _Q, _A, _A),
    Ending.ABORT_ERROR: (_A, _U, _Q, _Q, _U, _U),
    Ending.ERROR: (_A, _U, _Q, _Q, _U, _U),
    Ending.STUCK_WAITING: (_F, _U, _Q, _Q, _U, _F),
    Ending.LEFT_WAITING: (_A, _U, _Q, _Q, _U, _U),
    # A state that somebody reset looks like this as well, while the copy continues.
    Ending.LEFT_OPEN: (_U, _U, _U, _U, _U, _U),
    Ending.COMPLETED_HERE: (_U, _U, _U, _U, _U, _U),
    Ending.RECORD_GONE: (_U, _U, _U, _U, _U, _U),
    Ending.TASK_WITHOUT_RECORD: (_F, _U, _Q, _Q, _U, _F),
    Ending.TASK_STUCK: (_F, _U, _Q, _Q, _U, _F),
    Ending.ERROR_STATUS: (_U, _U, _U, _U, _U, _U),
}
#: The whole table: ending and word to step.
STEPS: dict[tuple[Ending, Word], Step] = {
    (ending, word): step
    for ending, steps in _ROWS.items()
    for word, step in zip(_WORDS, steps, strict=True)
}


@dataclass(frozen=True)
class GuestSight:
    """What came of asking about one guest, as the last thing that a pass reads of it.

    :param diagnostics: the hypervisor's answer; None where there is none
    :param refused: Nova answered that the guest does not run on the server's host (409)
    :param unsupported: the driver of that host cannot tell (501)
    :param error: why there is no answer, in words
    :param nova_words: Nova's own words about the attempt that ended, or empty
    """

    diagnostics: Diagnostics | None = None
    refused: bool = False
    unsupported: bool = False
    error: Message | str = ""
    nova_words: str = ""


def ending_of(
    server: Server,
    record: Migration | None,
    *,
    had_record: bool = False,
    aborted: bool = False,
) -> Ending | None:
    """How the attempt ended; None while it is in progress.

    :param server: as Nova has it, on the source
    :param record: Nova's record of this attempt, or None where it has none
    :param had_record: a record of this attempt was seen before
    :param aborted: Nova took an abort of this migration
    """
    if server.status == "ERROR":
        return Ending.ERROR_STATUS
    busy = server.task_state is not None
    if record is None:
        if busy:
            return Ending.TASK_WITHOUT_RECORD
        return Ending.RECORD_GONE if had_record else Ending.NOT_BEGUN
    if not record.is_over:
        if busy:
            # It lasts for the moment that nova-conductor takes to choose and to pass it on.
            return Ending.STUCK_WAITING if record.status == "accepted" else None
        return Ending.LEFT_WAITING if record.status in NOT_COPYING else Ending.LEFT_OPEN
    if record.status in ARRIVED:
        return Ending.COMPLETED_HERE
    if busy:
        return Ending.TASK_STUCK
    if aborted and record.status == "error":
        return Ending.ABORT_ERROR
    if aborted or record.status == "cancelled":
        return Ending.ABORTED
    if not record.dest_compute:
        return Ending.NO_HOST
    return Ending.ROLLED_BACK if record.status == "failed" else Ending.ERROR


def word_of(server: Server, sight: GuestSight | None) -> Word:
    """What is known of the guest of a server where Nova has it; the more cautious sign counts."""
    status = server.status if server.task_state is None else server.vm_state.upper()
    if status in ("SHUTOFF", "STOPPED"):
        return Word.OFF
    if status == "PAUSED":
        return Word.PAUSED
    if sight is None:
        return Word.SILENT
    if sight.refused:
        return Word.NOT_HERE
    if sight.diagnostics is None:
        return Word.SILENT
    if sight.diagnostics.state != "running":
        return Word.NOT_HERE
    # Nova keeps the power state of a server in ERROR as it was.
    stopped = server.status != "ERROR" and server.power_state != POWER_RUNNING
    if stopped or was_lost(server, sight.nova_words):
        return Word.DOUBTFUL
    return Word.RUNS_HERE


def was_lost(server: Server, words: str) -> bool:
    """Nova's InstanceNotFound: some hypervisor was asked for the guest, and did not have it."""
    return f"instance {server.id} could not be found" in words.lower()


def next_step(ending: Ending, word: Word, *, cold: bool = False, source_lost: bool = False) -> Step:
    """What may be done after an attempt ended.

    :param cold: it was a cold migration: nothing ran while the disk was copied, and a failure of
        it is `error` with a destination, rolled back by a nova-compute that is alive
    :param source_lost: the compute service of the source was down while it was migrated: then
        no ending is known to be more harmless than `error`
    """
    if source_lost:
        if ending in (Ending.ROLLED_BACK, Ending.ABORTED):
            ending = Ending.ERROR
    elif cold and ending is Ending.ERROR:
        ending = Ending.ROLLED_BACK
    return STEPS[ending, word]


def look_on_both(server_id: str, source: str, dest: str) -> Message:
    """What a person is to do before anything else is done with the server."""
    there = dest or message("every_destination")
    return message("look_on_both", source=source, dest=there, server_id=server_id)

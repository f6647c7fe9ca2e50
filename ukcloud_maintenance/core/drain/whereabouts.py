"""Where does the guest run, and may Nova be asked to move it (again)?

Nova's record of a migration and its idea of the server can both be wrong about the guest. Seen on
Nova 34 with libvirt: the nova-compute of the source was killed during a copy, libvirt finished
the copy by itself, and after the restart the record was `error` and the server ACTIVE on the
source without a task, while the guest ran at the destination alone. A second live migration of
such a server fails at the destination because the disk is there, and Nova's rollback removes the
running guest with its disk. Only the hypervisor of the source tells the two apart: what it says
is asked for by `GET /servers/{id}/diagnostics`.

Two questions are answered here, both without any I/O:

- :func:`next_step`: an attempt ended and Nova has the server on the source still. What may be
  done next? The table is `STEPS`.
- :func:`objection`: just before Nova is asked to move a server, first attempt or not. What stands
  against it?

What Nova's diagnostics prove, read from nova/compute/manager.py (`get_instance_diagnostics`): 200
means that the hypervisor of the server's host has this guest, and that it runs. A guest that is
paused, shut off or not there is a 409 all the same, so that nothing can be proved of a server
that is PAUSED or SHUTOFF; for these the way in which the attempt ended must be free of doubt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from ..facts import NOVA_STATUS_WAITING, POWER_RUNNING, Action, Diagnostics, Migration, Server
from ..states import Method

#: Nova's statuses of a record under which libvirt had not begun to copy: nova-compute writes
#: `running` before it asks its driver (nova/compute/manager.py, `_do_live_migration`).
NOT_COPYING = NOVA_STATUS_WAITING | {"preparing"}
#: Nova's statuses that say that the instance arrived.
ARRIVED = frozenset({"completed", "done", "confirmed"})
#: Statuses of a server of whose guest no hypervisor's word can be had.
TELLS_NOTHING = frozenset({"SHUTOFF", "PAUSED"})
#: Actions of a server by which its guest is started anew where Nova has it: what a migration
#: before them left in doubt is settled.
SETTLING = frozenset({"start", "reboot", "rebuild", "unshelve", "create", "restore"})
#: By how much the clocks of two of Nova's services may differ: one that is further off is taken
#: for down (nova.conf, `service_down_time`). An action is stamped by the API, a record by another.
CLOCKS_DIFFER = timedelta(seconds=60)


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


#: After these nothing that happened can have moved the guest: the word is asked for only just
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
    # A state that somebody reset looks like this as well, while the copy goes on.
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
    error: str = ""
    nova_words: str = ""


def ending_of(
    server: Server,
    record: Migration | None,
    *,
    had_record: bool = False,
    aborted: bool = False,
    unattended: bool = False,
) -> Ending | None:
    """How the attempt ended; None while it is in progress.

    :param server: as Nova has it, on the source
    :param record: Nova's record of this attempt, or None where it has none
    :param had_record: a record of this attempt was seen before
    :param aborted: Nova took an abort of this migration
    :param unattended: nothing that Nova does at this moment can be what it waits for
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
            return Ending.STUCK_WAITING if unattended else None
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
    if stopped or _was_lost(server, sight.nova_words):
        return Word.DOUBTFUL
    return Word.RUNS_HERE


def _was_lost(server: Server, words: str) -> bool:
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


# -- just before Nova is asked -----------------------------------------------------------------


@dataclass(frozen=True)
class Objection:
    """Why Nova must not be asked to move a server now.

    :param code: a stable word, one of `CODES`
    :param doubt: where the guest runs is in doubt, so that only a person may settle it; else it
        is looked at again
    """

    code: str
    text: str
    doubt: bool


NOT_HERE = "guest_not_here"
SILENT = "guest_silent"
POWER = "guest_power_state"
LEFT_IN_DOUBT = "left_in_doubt"
STILL_OPEN = "migration_still_open"
#: The codes of objections.
CODES = frozenset({NOT_HERE, SILENT, POWER, LEFT_IN_DOUBT, STILL_OPEN})


def objection(
    server: Server,
    method: Method,
    records: Sequence[Migration],
    actions: Iterable[Action],
    sight: GuestSight | None,
    words: str = "",
) -> Objection | None:
    """What stands against asking Nova to migrate this server, or None.

    :param records: its newest migrations, newest first
    :param actions: its instance actions, newest first
    :param sight: what its hypervisor said just now; None where there was nothing to ask
    :param words: Nova's own words about the action that `doubtful_request` names
    """
    host = server.host
    since = _since_it_came(host, records)
    still_open = NOT_COPYING | {"finished"}
    copying = next((m for m in since if not m.is_over and m.status not in still_open), None)
    if copying:
        return Objection(
            STILL_OPEN,
            f"Nova's record of migration {copying.id} to {copying.dest_compute or 'another host'}"
            f" is still {copying.status}, though Nova does nothing with the server. The copy may"
            f" still be in progress: check with `virsh domjobinfo {server.id}` on"
            f" {copying.source_compute or host}. If no copy is in progress and the guest runs on"
            f" {host}, set that record to error in Nova's database, then retry.",
            doubt=True,
        )
    left = _suspect(host, records)
    if left is not None and _was_lost(server, words):
        return Objection(
            LEFT_IN_DOUBT,
            f"When migration {left.id} to {left.dest_compute} ended as {left.status}, Nova did not"
            f" find the guest on {host}. What is on {host} now may have been started anew from an"
            f" older disk, while the guest with the newest data is on {left.dest_compute}."
            f" {look_on_both(server.id, host, left.dest_compute)} Once it is on no host but {host},"
            " a migration by hand that arrives ends this doubt.",
            doubt=True,
        )
    suspect = None if left is None or _is_settled(left, actions) else left
    word = word_of(server, sight)
    if word in (Word.OFF, Word.PAUSED):
        if suspect is None:
            return None
        return Objection(
            LEFT_IN_DOUBT,
            f"Migration {suspect.id} to {suspect.dest_compute} ended as {suspect.status}, and of a"
            f" server that is {server.status} no hypervisor's word can be had. Its newest disk may"
            f" be on {suspect.dest_compute}. {look_on_both(server.id, host, suspect.dest_compute)}",
            doubt=True,
        )
    if word is Word.RUNS_HERE:
        return None
    assert sight is not None or word is Word.SILENT
    if word is Word.SILENT:
        unsupported = sight is not None and sight.unsupported
        if unsupported and suspect is None:
            return None  # this driver never tells, and nothing gives rise to doubt
        look = f" {look_on_both(server.id, host, suspect.dest_compute)}" if suspect else ""
        why = f" {sight.error}" if sight is not None and sight.error else ""
        return Objection(
            SILENT,
            f"The hypervisor of {host} did not say whether the guest runs there, so Nova is not"
            f" asked to migrate it.{why}{look if unsupported else ''}",
            doubt=unsupported,
        )
    if word is Word.DOUBTFUL:
        return Objection(
            POWER,
            f"The hypervisor of {host} says that the guest runs there, but Nova's power state of"
            f" it is {server.power_state} (1 is running). Nova corrects it by itself within"
            " sync_power_state_interval (10 minutes by default) where the guest is well.",
            doubt=False,
        )
    text = (
        f"Nova has it as {server.status} on {host}, but the hypervisor of {host} has no running"
        " guest of it."
    )
    if suspect is None:
        return Objection(
            NOT_HERE,
            f"{text} If it was shut down from within, Nova notices within"
            " sync_power_state_interval (10 minutes by default). Otherwise look for it with"
            f" `virsh list --all --uuid` on {host}.",
            doubt=False,
        )
    return Objection(
        NOT_HERE, f"{text} {look_on_both(server.id, host, suspect.dest_compute)}", doubt=True
    )


def _since_it_came(host: str, records: Sequence[Migration]) -> list[Migration]:
    """The migrations of a server since it came to the host on which Nova has it, newest first."""
    since = []
    for record in sorted(records, key=lambda m: m.id, reverse=True):
        if record.dest_compute == host:
            break
        since.append(record)
    return since


def _suspect(host: str, records: Sequence[Migration]) -> Migration | None:
    """The newest migration of a server that leaves in doubt where its guest, or its newest disk,
    is: it may have left for a destination at which Nova does not have the server.

    Later ones that failed are no answer: they end before a destination is known, or at the
    destination, without a look at the guest.
    """
    since = _since_it_came(host, records)
    for number, record in enumerate(since):
        live = record.migration_type == "live-migration"
        if record.dest_compute and (
            (live and record.status == "error")
            or record.status in ("completed", "done")
            or (number == 0 and record.status in NOT_COPYING)
        ):
            return record
    return None


def _is_settled(suspect: Migration, actions: Iterable[Action]) -> bool:
    """Whether the guest was started anew since, where Nova has it."""
    since = suspect.updated_at or suspect.created_at
    return any(
        action.action in SETTLING
        and not action.message
        and (
            since is None
            or (action.started_at is not None and action.started_at > since + CLOCKS_DIFFER)
        )
        for action in actions
    )


def doubtful_request(host: str, records: Sequence[Migration], actions: Iterable[Action]) -> str:
    """The id of the request for the migration that left doubt about a server on this host, or
    empty: Nova's words about it outlive a start of the guest, which may have been from an older
    disk (:func:`objection`)."""
    suspect = _suspect(host, records)
    begun = suspect.created_at if suspect else None
    if begun is None:
        return ""
    apart = {
        action.request_id: abs(action.started_at - begun)
        for action in actions
        if action.action == "live-migration" and action.started_at is not None
    }
    return min(apart, key=apart.__getitem__, default="")


def look_on_both(server_id: str, source: str, dest: str) -> str:
    """What a person is to do before anything else is done with the server."""
    there = dest or "every host that it was migrated to"
    return (
        f"Look on {source} and on {there} with `virsh list --all --uuid`: which of them has domain"
        f" {server_id}, and on which does it run? Until that is known do not start, stop, reboot,"
        " rebuild, evacuate, migrate or reset it. Where its disks are local, the newest data are"
        " on the host on which the guest runs, and the copy on the other host is out of date."
    )

"""What stands against asking Nova to move a server, just before it is asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ..facts import Action, Migration, Server
from ..message import Message, message
from ..states import Method
from .whereabouts import NOT_COPYING, GuestSight, Word, look_on_both, was_lost, word_of

#: Actions of a server by which its guest is started anew where Nova has it: what a migration
#: before them left in doubt is settled.
SETTLING = frozenset({"start", "reboot", "rebuild", "unshelve", "create", "restore"})
#: By how much the clocks of two of Nova's services may differ: one that is further off is taken
#: for down (nova.conf, `service_down_time`). An action is stamped by the API, a record by another.
CLOCKS_DIFFER = timedelta(seconds=60)

#: Actions that leave a server on its host, and no record of a migration (Nova writes the action
#: before it answers the request, nova/compute/instance_actions.py).
STAYING = frozenset(
    {"create", "start", "stop", "reboot", "pause", "unpause", "lock", "unlock"}
    | {"attach_volume", "detach_volume", "attach_interface", "detach_interface"}
)


@dataclass(frozen=True)
class Objection:
    """Why Nova must not be asked to move a server now.

    :param code: a stable word, one of `codes.OBJECTIONS`
    :param doubt: where the guest runs is in doubt, so that only a person may settle it; else it
        is looked at again
    """

    code: str
    said: Message
    doubt: bool


NOT_HERE = "guest_not_here"
SILENT = "guest_silent"
POWER = "guest_power_state"
LEFT_IN_DOUBT = "left_in_doubt"
STILL_OPEN = "migration_still_open"


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
        said = message(
            "migration_still_open",
            record=copying.id,
            dest=copying.dest_compute or message("another_host"),
            status=copying.status,
            server_id=server.id,
            source=copying.source_compute or host,
            host=host,
        )
        return Objection(STILL_OPEN, said, doubt=True)
    left = _suspect(host, records)
    if left is not None and was_lost(server, words):
        look = look_on_both(server.id, host, left.dest_compute)
        said = message(
            "left_in_doubt_started",
            record=left.id,
            dest=left.dest_compute,
            status=left.status,
            host=host,
            look=look,
        )
        return Objection(LEFT_IN_DOUBT, said, doubt=True)
    suspect = None if left is None or _is_settled(left, actions) else left
    look_at = look_on_both(server.id, host, suspect.dest_compute) if suspect else None
    word = word_of(server, sight)
    if word in (Word.OFF, Word.PAUSED):
        if suspect is None:
            return None
        said = message(
            "left_in_doubt",
            record=suspect.id,
            dest=suspect.dest_compute,
            status=suspect.status,
            server_status=server.status,
            look=look_at,
        )
        return Objection(LEFT_IN_DOUBT, said, doubt=True)
    if word is Word.RUNS_HERE:
        return None
    assert sight is not None or word is Word.SILENT
    if word is Word.SILENT:
        unsupported = sight is not None and sight.unsupported
        if unsupported and suspect is None:
            return None  # this driver never tells, and nothing gives rise to doubt
        why = sight.error if sight is not None else None
        look_there = look_at if unsupported else None
        said = message("guest_silent", host=host, why=why, look=look_there)
        return Objection(SILENT, said, doubt=unsupported)
    if word is Word.DOUBTFUL:
        said = message("guest_power_state", host=host, power=server.power_state)
        return Objection(POWER, said, doubt=False)
    if look_at is None:
        said = message("guest_not_here_shut_down", status=server.status, host=host)
        return Objection(NOT_HERE, said, doubt=False)
    said = message("guest_not_here", status=server.status, host=host, look=look_at)
    return Objection(NOT_HERE, said, doubt=True)


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


def was_never_moved(actions: Sequence[Action]) -> bool:
    """Whether the actions of a server, back to its creation, say that Nova can have no record of a
    migration of it: then there is none to be read.

    :param actions: its instance actions, newest first
    """
    names = [action.action for action in actions]
    return "create" in names and STAYING.issuperset(names)

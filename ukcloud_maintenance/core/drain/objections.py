"""What stands against asking Nova to move a server, just before it is asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ..facts import Action, Migration, Server
from ..states import Method
from .whereabouts import NOT_COPYING, GuestSight, Word, look_on_both, was_lost, word_of

#: Actions of a server by which its guest is started anew where Nova has it: what a migration
#: before them left in doubt is settled.
SETTLING = frozenset({"start", "reboot", "rebuild", "unshelve", "create", "restore"})
#: By how much the clocks of two of Nova's services may differ: one that is further off is taken
#: for down (nova.conf, `service_down_time`). An action is stamped by the API, a record by another.
CLOCKS_DIFFER = timedelta(seconds=60)


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
    if left is not None and was_lost(server, words):
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

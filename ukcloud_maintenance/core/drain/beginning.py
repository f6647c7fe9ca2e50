"""The start of an attempt: what is recorded before Nova is asked, and what may still prevent it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ..codes import HOST_REFUSED
from ..facts import Action, Migration, Server
from ..message import Message, message
from ..preflight.verdicts import Choice
from ..states import Method, MigrationState
from .answers import Consequence
from .inputs import Row
from .objections import Objection


def is_as_seen(server: Server | None, source: str, status: str) -> bool:
    """Whether a server is still what it was when it was decided to migrate it."""
    return (
        server is not None
        and server.host == source
        and not server.task_state
        and server.status == status
    )


def held_back(objection: Objection) -> Consequence:
    """Nova is not asked: where the guest runs is in doubt, and a migration could end with the
    loss of it. What time may settle is looked at again."""
    state = MigrationState.UNKNOWN if objection.doubt else MigrationState.BLOCKED
    fields = {"state": state, "code": objection.code, "message": objection.said}
    return Consequence(fields, state.value, objection.said)


def new_attempt(
    row: Row,
    method: Method,
    status: str,
    host: str | None,
    records: Sequence[Migration],
    actions: Sequence[Action],
    now: datetime,
) -> dict[str, Any]:
    """The fields of a row whose next attempt begins: what was there before Nova is asked, so that
    what comes after it is known to be ours, and nothing of the attempt before.

    :param status: the server's status now
    :param host: the destination, or None for the scheduler's choice
    :param records: its newest migrations
    :param actions: its instance actions, newest first
    """
    # What ran when it was first stopped to be moved is to run again, however many attempts
    # it takes.
    stopped = row.attempts and row.choice == Choice.COLD
    return {
        "state": MigrationState.SUBMITTED,
        "attempts": row.attempts + 1,
        "method": method.value,
        "initial_status": row.initial_status if stopped else status,
        "before_action": actions[0].request_id if actions else "",
        "before_migration_id": max((m.id for m in records), default=0),
        "submitted_at": now,
        "asked_host": host or "",
        "sent_to": host or "",
        "dest_compute": host or "",
        "code": "",
        # why it is left to the scheduler is told for as long as it lasts
        "message": row.message if row.code == HOST_REFUSED else None,
        "not_before": None,
        "anomaly_since": None,
    }


def why_step_back(
    row: Row,
    host: str,
    travelling: frozenset[str],
    total: int,
    inbound: Mapping[str, int],
    max_in_region: int,
    max_per_destination: int,
) -> Message | None:
    """Why Nova is not asked after all, with this attempt recorded: another worker recorded one at
    the same moment. None where nothing stands against it.

    :param host: the destination, or empty for the scheduler's choice
    :param travelling: anti-affinity groups of which a member is in progress in another drain
    :param total: migrations in progress in the region, this one among them
    :param inbound: … by destination
    """
    if row.group and row.group in travelling:
        return message("group_on_its_way")
    if total > max_in_region or (host and inbound.get(host, 0) > max_per_destination):
        return message("limits_reached")
    return None


def stepped_back(row: Row, why: Message, seconds: float, now: datetime) -> Consequence:
    """Another one set out at the same moment. Both step back if both see it, and come back
    at different times.

    :param seconds: until it is tried again
    """
    return Consequence(
        {
            "state": MigrationState.PENDING,
            "extra_attempts": row.extra_attempts + 1,  # it was no attempt
            "message": why,
            "submitted_at": None,
            "not_before": now + timedelta(seconds=seconds),
        }
    )

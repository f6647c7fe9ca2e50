"""What becomes of a drain whose passes cannot do their work: OpenStack does not answer, or the
worker fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ..message import Message, message, several
from ..states import (
    DRAIN_TERMINAL,
    MIGRATION_IN_PROGRESS,
    MIGRATION_WAITING,
    DrainResult,
    DrainState,
    MigrationState,
)
from . import whereabouts
from .actions import ChangeDrain, Finish
from .alarm import alarm
from .answers import Consequence
from .inputs import DrainView, Row

#: The codes of what keeps a drain from going on: OpenStack does not answer, or wants it to wait, or
#: the worker itself fails.
TROUBLE, BUSY, FAILS = "openstack_trouble", "openstack_busy", "worker_failed"
TROUBLES = (TROUBLE, BUSY, FAILS)


@dataclass(frozen=True)
class Outage:
    """What is to be done, in this order.

    :param change: of the drain, its event among it; None: it says so already
    :param rows: what becomes of instances, by their rows' ids
    :param end: the drain has waited for long enough
    """

    change: ChangeDrain | None = None
    rows: Mapping[int, Consequence] = field(default_factory=dict)
    end: Finish | None = None


def in_trouble(
    drain: DrainView,
    since: datetime | None,
    rows: Sequence[Row],
    trouble: Message,
    wait_seconds: float,
    now: datetime,
) -> Outage:
    """Say on a drain what keeps its passes from their work; after a bounded wait, end it with
    what is known.

    :param since: when its trouble began, or None
    :param trouble: of one of the codes of `TROUBLES`
    :param wait_seconds: how long it is waited for
    """
    change = None
    detail = trouble.values["detail"]
    if since is None:
        kind = "worker_failed" if trouble.code == FAILS else "cloud_down"
        change = ChangeDrain({"cloud_down_since": now, "message": trouble}, kind, detail)
    elif drain.message != trouble:
        change = ChangeDrain({"message": trouble})
    waited = now - (since or now)
    if waited < timedelta(seconds=wait_seconds) or drain.state in (
        DrainState.PAUSED,
        DrainState.PENDING,
    ):
        return Outage(change)
    cancelling = drain.state == DrainState.CANCELLING
    ends = {row.id: end for row in rows if (end := _end_of(row, trouble, cancelling))}
    after = [replace(row, **ends[row.id].fields) if row.id in ends else row for row in rows]
    gives_back = cancelling and drain.cancel_enable
    left = message("service_not_known") if gives_back else None
    said = several(alarm(after), trouble, left)
    assert said is not None
    return Outage(
        change,
        ends,
        Finish(
            DrainState.CANCELLED if cancelling else DrainState.FAILED,
            DrainResult.INTERRUPTED,
            said,
        ),
    )


def _end_of(row: Row, trouble: Message, cancelling: bool) -> Consequence | None:
    """What is known of a row whose drain ends; None where it has its end."""
    if row.state in MIGRATION_WAITING:
        state = MigrationState.CANCELLED if cancelling else MigrationState.FAILED
        return Consequence({"state": state, "message": trouble}, state.value, trouble)
    if row.state not in MIGRATION_IN_PROGRESS:
        return None
    look = whereabouts.look_on_both(row.server_id, row.source_compute, row.dest_compute)
    by_worker = trouble.code == FAILS
    text = several(
        message("lost_with_worker") if by_worker else message("lost_with_openstack"), look
    )
    fields: dict[str, Any] = {
        "state": MigrationState.UNKNOWN,
        "code": "cloud_lost",
        "message": text,
    }
    return Consequence(fields, "unknown", text, row.attempt.request_id)


def is_over(drain: DrainView, since: datetime | None, cancelling: Message) -> ChangeDrain | None:
    """A whole pass went well: the message about the trouble is no longer true. None where nothing
    was said.

    :param since: when its trouble began, or None
    :param cancelling: what a drain says that is being cancelled
    """
    is_said = drain.message is not None and drain.message.code in TROUBLES
    if drain.state in DRAIN_TERMINAL or not (since or is_said):
        return None
    fields: dict[str, Any] = {"cloud_down_since": None}
    if is_said:
        fields["message"] = cancelling if drain.state == DrainState.CANCELLING else None
    return ChangeDrain(fields, "cloud_back" if since else "")

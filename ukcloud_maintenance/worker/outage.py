"""What is recorded of a drain whose passes cannot do their work: OpenStack does not answer, or the
worker fails."""

import logging
from collections.abc import Iterable
from datetime import datetime

from .. import settings, store
from ..core.drain import outage
from ..core.message import Message
from ..exceptions import CloudError
from ..log import log_event
from ..observe.views import drain_view, row_view
from ..store import Drain, InstanceMigration
from .asking import DrainPass


def cloud_is_down(at: DrainPass, rows: Iterable[InstanceMigration], error: CloudError) -> None:
    """Say so on the drain; after a bounded wait, end it with what is known.

    :raises StaleState: somebody else changed the drain meanwhile
    """
    log_event(
        logging.WARNING,
        "cloud_down",
        drain=at.drain.pk,
        host=at.drain.host,
        request_id=error.request_id,
        detail=error.said,
    )
    in_trouble(at.drain, rows, error.trouble, at.worker, at.clock())


def cloud_is_back(at: DrainPass) -> None:
    """A whole pass went well: the message about the trouble is no longer true.

    :raises StaleState: somebody else changed the drain meanwhile
    """
    change = outage.is_over(drain_view(at.drain), at.drain.cloud_down_since)
    if change is None:
        return
    event = at.event(change.kind) if change.kind else None
    store.change_drain(at.drain, at.clock(), event=event, **change.fields)


def in_trouble(
    drain: Drain,
    rows: Iterable[InstanceMigration],
    trouble: Message,
    worker: str,
    now: datetime,
) -> None:
    """Say on a drain what keeps its passes from their work; after a bounded wait, end it with
    what is known.

    :param trouble: of one of the codes of `core.drain.outage.TROUBLES`
    :raises StaleState: somebody else changed the drain meanwhile
    """
    by_id = {row.pk: row for row in rows}
    found = outage.in_trouble(
        drain_view(drain),
        drain.cloud_down_since,
        [row_view(row) for row in by_id.values()],
        trouble,
        settings.current().cloud_down_wait_seconds,
        now,
    )
    if found.change is not None:
        change = found.change
        event = (change.kind, worker, change.message) if change.kind else None
        store.change_drain(drain, now, event=event, **change.fields)
    for row_id, what in found.rows.items():
        event_of_row = (what.kind, worker, what.said, what.request_id)
        store.change_migration(by_id[row_id], now, event=event_of_row, **what.fields)
    if found.end is not None:
        with store.all_or_none():
            end = found.end
            store.finish_drain(drain, end.state, end.result, end.message, worker, now)
            store.expect_nothing_open(drain)

"""What was requested for one instance on its way: to abort or to force its migration, or to reset
its server."""

import time
from collections.abc import Callable
from typing import Any

from .. import store
from ..core import drain as d
from ..core.drain import answers
from ..core.states import Wish
from ..exceptions import CloudError
from ..observe.evidence import inquire
from ..observe.views import row_view
from ..store import InstanceMigration
from .asking import INTENT_GOES_STALE, DrainPass, answer_of, ask, becomes


def abort(at: DrainPass, row: InstanceMigration, action: d.Abort) -> None:
    """Record what is asked for, and for whom; ask; and record that Nova took it. An answer
    that got lost is asked for again, as long as the migration can be aborted.

    :raises CloudError: Nova did not judge it: it is the drain's trouble
    :raises StaleState: another worker asks
    """
    store.change_migration(
        row,
        at.clock(),
        # one worker asks
        expect={"aborted_migration_id": row.aborted_migration_id, "wish_tries": row.wish_tries},
        aborted_migration_id=action.migration_id,
        aborted_by=action.by,
        aborted_at=None,
        **_asking(at, row, Wish.ABORT, action.by, action.migration_id),
    )
    _ask(
        at,
        row,
        Wish.ABORT,
        lambda: at.cloud.abort_migration(row.server_id, action.migration_id),
    )


def force_complete(at: DrainPass, row: InstanceMigration, action: d.ForceComplete) -> None:
    """Ask, as for an abort. To be forced twice does a migration no harm.

    :raises CloudError: Nova did not judge it: it is the drain's trouble
    :raises StaleState: another worker asks
    """
    store.change_migration(
        row,
        at.clock(),
        expect={"forced_at": row.forced_at, "wish_tries": row.wish_tries},  # one worker asks
        **_asking(at, row, Wish.FORCE, action.by, action.migration_id),
    )
    _ask(
        at,
        row,
        Wish.FORCE,
        lambda: at.cloud.force_complete(row.server_id, action.migration_id),
    )


def _ask(at: DrainPass, row: InstanceMigration, wish: Wish, call: Callable[[], str]) -> None:
    try:
        request_id = ask(at, row, call)
    except CloudError as error:
        becomes(at, row, answers.request_failed(row_view(row), wish, answer_of(error)), error)
        return
    becomes(at, row, answers.request_taken(wish, request_id, at.clock()))


def _asking(
    at: DrainPass, row: InstanceMigration, wish: Wish, by: str, migration_id: int | None
) -> dict[str, Any]:
    return answers.asking(row_view(row), wish, by, migration_id, at.clock())


def reset(at: DrainPass, row: InstanceMigration, action: d.Reset) -> None:
    """Read the evidence anew, and set the server to active only where it is complete.

    :raises CloudError: Nova did not judge it: it is the drain's trouble
    :raises StaleState: somebody else changed the row meanwhile
    """
    try:
        server = at.cloud.server(row.server_id)
        done = answers.is_reset(row_view(row), server)
        evidence = None if done else inquire(at.cloud, row)
    except CloudError as error:
        becomes(at, row, answers.not_reset(row_view(row), error.said, error.request_id))
        return
    request_id = ""
    if evidence is not None:
        if not evidence.complete:
            becomes(at, row, answers.not_reset(row_view(row), evidence.why_not))
            return
        looked = time.monotonic()
        # Should the answer get lost, the next pass finds an active server, and knows why.
        store.change_migration(
            row,
            at.clock(),
            answer=answers.RESET_SENT,
            **_asking(at, row, Wish.RESET, action.by, row.nova_migration_id),
        )
        if time.monotonic() - looked > INTENT_GOES_STALE:
            return  # stopped in between: it may be migrated again by now
        try:
            request_id = ask(at, row, lambda: at.cloud.reset_state_to_active(row.server_id))
        except CloudError as error:
            what = answers.request_failed(row_view(row), Wish.RESET, answer_of(error))
            becomes(at, row, what, error)
            return
    becomes(at, row, answers.was_reset(row_view(row), action.by, request_id))

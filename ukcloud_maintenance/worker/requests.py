"""What was requested for one instance on its way: to abort or to force its migration, or to reset
its server."""

import time
from collections.abc import Callable

from .. import store
from ..core import drain as d
from ..core.attempt import RequestView
from ..core.drain import answers
from ..core.message import Message
from ..exceptions import CloudError, StaleState
from ..observe.evidence import inquire
from ..observe.views import row_view
from ..store import InstanceMigration
from .asking import INTENT_GOES_STALE, DrainPass, answer_of, ask, becomes


def abort(at: DrainPass, row: InstanceMigration, action: d.Abort) -> None:
    """Record the request; send it; and record that Nova accepted it. If the answer was lost, the
    request is sent again as long as the migration can be aborted.

    :raises CloudError: Nova did not judge it: it is the drain's trouble
    :raises StaleState: another worker asks
    """
    known = action.migration_id
    _ask(at, row, known, lambda: at.cloud.abort_migration(row.server_id, known))


def force_complete(at: DrainPass, row: InstanceMigration, action: d.ForceComplete) -> None:
    """Ask, as for an abort. To be forced twice does a migration no harm.

    :raises CloudError: Nova did not judge it: it is the drain's trouble
    :raises StaleState: another worker asks
    """
    known = action.migration_id
    _ask(at, row, known, lambda: at.cloud.force_complete(row.server_id, known))


def _ask(at: DrainPass, row: InstanceMigration, migration_id: int, call: Callable[[], str]) -> None:
    kind = _about_to_ask(at, row, migration_id).kind
    try:
        request_id = ask(at, row, call)
    except CloudError as error:
        becomes(at, row, answers.request_failed(_open(row), answer_of(error)), error)
        return
    becomes(at, row, answers.request_taken(kind, request_id, at.clock()))


def _about_to_ask(
    at: DrainPass,
    row: InstanceMigration,
    migration_id: int | None = None,
    answer: Message | None = None,
) -> RequestView:
    """Record that Nova is asked; one worker asks.

    :param answer: what is noted until Nova's is known
    """
    request = answers.asking(_open(row), migration_id, at.clock())
    if answer is not None:
        request["answer"] = answer
    store.change_migration(row, at.clock(), request=request)
    return _open(row)


def _open(row: InstanceMigration) -> RequestView:
    request = row.requests.open
    if request is None:
        raise StaleState(f"nothing is requested for server {row.server_id} any more")
    return request


def reset(at: DrainPass, row: InstanceMigration) -> None:
    """Read the evidence anew, and set the server to active only where it is complete.

    :raises CloudError: Nova did not judge it: it is the drain's trouble
    :raises StaleState: somebody else changed the row meanwhile
    """
    try:
        server = at.cloud.server(row.server_id)
        done = answers.is_reset(row_view(row), server)
        evidence = None if done else inquire(at.cloud, row)
    except CloudError as error:
        becomes(at, row, answers.not_reset(_open(row), error.said, error.request_id))
        return
    request_id = ""
    if evidence is not None:
        if not evidence.complete:
            becomes(at, row, answers.not_reset(_open(row), evidence.why_not))
            return
        looked = time.monotonic()
        # Should the answer get lost, the next pass finds an active server, and knows why.
        _about_to_ask(at, row, answer=answers.RESET_SENT)
        if time.monotonic() - looked > INTENT_GOES_STALE:
            return  # stopped in between: it may be migrated again by now
        try:
            request_id = ask(at, row, lambda: at.cloud.reset_state_to_active(row.server_id))
        except CloudError as error:
            becomes(at, row, answers.request_failed(_open(row), answer_of(error)), error)
            return
    becomes(at, row, answers.was_reset(row_view(row), _open(row), request_id, at.clock()))

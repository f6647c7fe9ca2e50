"""What was requested for one instance on its way: to abort or to force its migration, or to reset
its server."""

import time
from collections.abc import Callable
from dataclasses import replace

from .. import store
from ..core import drain as d
from ..core.attempt import RequestView
from ..core.drain import answers
from ..core.states import RequestKind
from ..exceptions import CloudError, StaleState
from ..observe.evidence import inquire
from ..observe.views import row_view
from ..store import InstanceMigration
from .asking import INTENT_GOES_STALE, DrainPass, answer_of, ask, becomes


def abort(at: DrainPass, row: InstanceMigration, action: d.Abort) -> None:
    """Record that Nova is asked; ask; and record that Nova took it. An answer that got lost is
    requested again, as long as the migration can be aborted.

    :raises CloudError: Nova did not judge it: it is the drain's trouble
    :raises StaleState: another worker asks, or something else is requested by now
    """
    known = action.migration_id
    _ask(at, row, RequestKind.ABORT, action, lambda: at.cloud.abort_migration(row.server_id, known))


def force_complete(at: DrainPass, row: InstanceMigration, action: d.ForceComplete) -> None:
    """Ask, as for an abort. To be forced twice does a migration no harm.

    :raises CloudError: Nova did not judge it: it is the drain's trouble
    :raises StaleState: another worker asks, or something else is requested by now
    """
    known = action.migration_id
    _ask(at, row, RequestKind.FORCE, action, lambda: at.cloud.force_complete(row.server_id, known))


def _ask(
    at: DrainPass,
    row: InstanceMigration,
    kind: RequestKind,
    action: d.Abort | d.ForceComplete,
    call: Callable[[], str],
) -> None:
    request = _about_to_ask(at, row, _open(row, kind, action.request), action.migration_id)
    try:
        request_id = ask(at, row, call)
    except CloudError as error:
        what = answers.request_failed(request, answer_of(error))
        becomes(at, row, what, error, request.id)
        return
    becomes(at, row, answers.request_taken(kind, request_id, at.clock()), request=request.id)


def _about_to_ask(
    at: DrainPass,
    row: InstanceMigration,
    request: RequestView,
    migration_id: int | None = None,
) -> RequestView:
    """Record that Nova is asked; one worker asks."""
    asking = answers.asking(request, migration_id, at.clock())
    store.change_migration(row, at.clock(), request={"id": request.id, **asking})
    return replace(request, **asking)


def _open(row: InstanceMigration, kind: RequestKind, which: int | None) -> RequestView:
    """What is requested, if it is what was decided on.

    :param which: the id of the request; None: it was made in this pass
    """
    request = row.requests.open
    if request is None or request.kind != kind or which not in (None, request.id):
        raise StaleState(f"that is no longer requested for server {row.server_id}")
    return request


def reset(at: DrainPass, row: InstanceMigration, action: d.Reset) -> None:
    """Read the evidence anew, and set the server to active only where it is complete.

    :raises CloudError: Nova did not judge it: it is the drain's trouble
    :raises StaleState: somebody else changed the row meanwhile
    """
    request = _open(row, RequestKind.RESET, action.request)
    try:
        server = at.cloud.server(row.server_id)
        done = answers.is_reset(row_view(row), server)
        evidence = None if done else inquire(at.cloud, row)
    except CloudError as error:
        what = answers.not_reset(request, error.said, error.request_id)
        becomes(at, row, what, request=request.id)
        return
    request_id = ""
    if evidence is not None:
        if not evidence.complete:
            becomes(at, row, answers.not_reset(request, evidence.why_not), request=request.id)
            return
        looked = time.monotonic()
        # Should the answer get lost, the next pass finds an active server, and knows why.
        request = _about_to_ask(at, row, request)
        if time.monotonic() - looked > INTENT_GOES_STALE:
            return  # stopped in between: it may be migrated again by now
        try:
            request_id = ask(at, row, lambda: at.cloud.reset_state_to_active(row.server_id))
        except CloudError as error:
            what = answers.request_failed(request, answer_of(error))
            becomes(at, row, what, error, request.id)
            return
    what = answers.was_reset(row_view(row), request, request_id, at.clock())
    becomes(at, row, what, request=request.id)

"""Nova is asked to migrate a server, or to confirm that it has arrived."""

import logging
import random
import time

from .. import settings, store
from ..core import drain as d
from ..core.drain import answers, beginning, objections, whereabouts
from ..core.message import Message
from ..core.states import MIGRATION_IN_PROGRESS, DrainState, Method, MigrationState
from ..exceptions import (
    CloudAnswerUnusable,
    CloudBadRequest,
    CloudConflict,
    CloudError,
    CloudServerError,
    StaleState,
)
from ..log import log_event
from ..observe.evidence import hear
from ..observe.views import limits, row_view
from ..store import InstanceMigration
from .asking import INTENT_GOES_STALE, DrainPass, answer_of, ask, becomes


def submit(at: DrainPass, row: InstanceMigration, action: d.Submit) -> None:
    """Look once more, record the intent and what was there before, ask Nova, record the
    answer.

    Five requests, four of a server that never moved: its actions (by which a request whose answer
    gets lost is found again), its migrations (does one leave doubt about its guest?), the
    hypervisor's word that the guest runs here, the server itself, which must still be as it was
    seen, and the request.

    :raises CloudError: it is the drain's trouble, not this row's
    :raises StaleState: the drain or the row is no longer as it was
    """
    try:
        actions = at.cloud.actions(row.server_id)
        unmoved = objections.was_never_moved(actions)
        records = [] if unmoved else at.cloud.migrations_of(row.server_id)
        # The server is read last: what its host's hypervisor said is about this host only
        # where it still is on it.
        doubtful = objections.doubtful_request(row.source_compute, records, actions)
        words = at.cloud.failure_of(row.server_id, doubtful) if doubtful else ""
        tells = action.status not in whereabouts.TELLS_NOTHING
        sight = hear(at.cloud, row.server_id) if tells else None
        server = at.cloud.server(row.server_id)
    except (CloudAnswerUnusable, CloudBadRequest, CloudConflict, CloudServerError) as error:
        what = answers.not_readable(row_view(row), answer_of(error), limits(), at.clock())
        becomes(at, row, what, error)
        return
    looked = time.monotonic()
    if server is None or not beginning.is_as_seen(server, row.source_compute, action.status):
        detail = f"{server.task_state or server.status} on {server.host}" if server else "deleted"
        log_event(logging.INFO, "changed", drain=at.drain.pk, server=row.server_id, detail=detail)
        return  # the next pass judges it as it is now
    objection = objections.objection(server, action.method, records, actions, sight, words)
    if objection is not None:
        becomes(at, row, beginning.held_back(objection))
        return
    _expect_running(at)
    now = at.clock()
    begun = beginning.new_attempt(
        row_view(row), action.method, action.status, action.host, records, actions, now
    )
    store.change_migration(row, now, started_at=row.started_at or now, **begun)
    at.known_for(row)
    at.alive()
    if why := _why_step_back(at, row, action.host or ""):
        pause = 2 + random.uniform(0, 5)
        becomes(at, row, beginning.stepped_back(row_view(row), why, pause, at.clock()))
        return
    if time.monotonic() - looked > INTENT_GOES_STALE:
        return  # found and dealt with by the next pass, as any lost request is
    _ask_to_move(at, row, action)


def _ask_to_move(at: DrainPass, row: InstanceMigration, action: d.Submit) -> None:
    move = at.cloud.cold_migrate if action.method is Method.COLD else at.cloud.live_migrate
    try:
        request_id = ask(at, row, lambda: move(row.server_id, action.host))
    except CloudError as error:
        what = answers.submit_failed(
            row_view(row),
            answer_of(error),
            limits(),
            at.clock(),
            patience_seconds=settings.current().cloud_down_wait_seconds,
            retry=at.drain.state != DrainState.CANCELLING,
            named=row.destination or at.drain.destination,
        )
        becomes(at, row, what, error)
        return
    becomes(at, row, answers.submitted(action.host or "", request_id))


def _why_step_back(at: DrainPass, row: InstanceMigration, host: str) -> Message | None:
    """What another worker recorded at the same moment; None where nothing is in the way."""
    traffic = store.traffic(at.drain.region)
    return beginning.why_step_back(
        row_view(row),
        host,
        store.travelling_groups(at.drain) if row.group else frozenset(),
        traffic.total,
        traffic.inbound,
        settings.current().max_in_region,
        settings.current().max_per_destination,
    )


def confirm(at: DrainPass, row: InstanceMigration) -> None:
    """Record what we confirm, and ask.

    :raises CloudError: it is the drain's trouble, not this row's
    :raises StaleState: the drain or the row is no longer as it was
    """
    found = answers.to_confirm(row_view(row), at.cloud.migrations_of(row.server_id))
    if found is None:
        return
    if isinstance(found, answers.Consequence):
        becomes(at, row, found)
        return
    in_progress = row.state in MIGRATION_IN_PROGRESS
    if not in_progress:
        _expect_running(at)
    now = at.clock()
    store.change_migration(
        row,
        now,
        state=MigrationState.CONFIRMING,
        nova_migration_id=found,
        confirms=row.attempt.confirms + 1 if in_progress else 1,
        confirm_at=now,
        submitted_at=row.attempt.submitted_at if in_progress else now,
        started_at=row.started_at or now,
    )
    try:
        request_id = ask(at, row, lambda: at.cloud.confirm_resize(row.server_id))
    except CloudError as error:
        becomes(at, row, answers.confirm_failed(row_view(row), answer_of(error)), error)
        return
    becomes(at, row, answers.confirm_taken(request_id))


def _expect_running(at: DrainPass) -> None:
    if store.state_of(at.drain) != DrainState.RUNNING:
        raise StaleState(f"drain {at.drain.pk} is no longer running")

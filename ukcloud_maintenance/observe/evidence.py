"""What is read to know where a guest runs, the hypervisor's word last.

Of a server in ERROR the page reads it with the admin's own session before it offers a reset, and
the worker reads it again, with its own, before it asks for one: five requests. Before the worker
asks Nova to migrate a server, and after an attempt that left doubt, it asks for the hypervisor's
word alone: one request.
"""

from datetime import datetime

from .. import store
from ..cloud import Cloud
from ..core.drain.whereabouts import GuestSight
from ..core.host.evidence import ErrorSight, Evidence, weigh
from ..exceptions import CloudConflict, CloudError
from ..store import InstanceMigration


def inquire(cloud: Cloud, row: InstanceMigration) -> Evidence:
    """What is known of where the guest of an instance runs, as of now.

    :raises CloudError: Nova does not tell of the server, its migrations or the service
    """
    server = cloud.server(row.server_id)
    records = cloud.migrations_of(row.server_id) if server else []
    service = cloud.service(row.source_compute)
    known = row.attempt.nova_migration_id
    record = next((m for m in records if m.id == known), None)
    abort = row.requests.abort
    asked_at: datetime = store.now()
    diagnostics, refused = None, None
    try:
        diagnostics = cloud.diagnostics(row.server_id) if server else None
    except CloudError as error:
        refused = error.cause
    sight = ErrorSight(
        server=server,
        source=row.source_compute,
        record=record,
        aborted_by_us=(
            known is not None
            and abort is not None
            and abort.nova_migration_id == known
            and abort.taken_at is not None
        ),
        was_cancelled=row.attempt.was_cancelled,
        newer_migrations=[m for m in records if known is not None and m.id > known],
        diagnostics=diagnostics,
        diagnostics_error=refused,
        service=service,
        read_at=asked_at,
        initial_status=row.initial_status,
    )
    return weigh(sight, store.now())


def hear(cloud: Cloud, server_id: str, failed_request_id: str = "") -> GuestSight:
    """What the hypervisor of a server's host says of its guest, now. An answer that did not come
    is a value, too. One request, and one more for Nova's words.

    :param failed_request_id: of the attempt that ended, to read Nova's own words about it
    """
    words = ""
    if failed_request_id:
        try:
            words = cloud.failure_of(server_id, failed_request_id)
        except CloudError:
            words = ""  # the hypervisor's word is what counts
    try:
        return GuestSight(cloud.diagnostics(server_id), nova_words=words)
    except CloudConflict as error:
        return GuestSight(refused=True, error=error.detail or error.cause, nova_words=words)
    except CloudError as error:
        return GuestSight(unsupported=error.status == 501, error=error.cause, nova_words=words)

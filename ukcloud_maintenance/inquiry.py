"""What is read of a server in ERROR before anybody resets it: five requests, the hypervisor last.

The page reads it with the admin's own session before it offers a reset, and the worker reads it
again, with its own, before it asks for one.
"""

from datetime import datetime

from . import store
from .cloud import Cloud
from .core.evidence import ErrorSight, Evidence, weigh
from .exceptions import CloudError
from .store import InstanceMigration


def inquire(cloud: Cloud, row: InstanceMigration) -> Evidence:
    """What is known of where the guest of an instance runs, as of now.

    :raises CloudError: Nova does not tell of the server, its migrations or the service
    """
    server = cloud.server(row.server_id)
    records = cloud.migrations_of(row.server_id) if server else []
    service = cloud.service(row.source_compute)
    known = row.nova_migration_id
    record = next((m for m in records if m.id == known), None)
    asked_at: datetime = store.now()
    diagnostics, refused = None, ""
    try:
        diagnostics = cloud.diagnostics(row.server_id) if server else None
    except CloudError as error:
        refused = str(error)
    sight = ErrorSight(
        server=server,
        source=row.source_compute,
        record=record,
        aborted_by_us=(
            known is not None and row.aborted_migration_id == known and row.aborted_at is not None
        ),
        was_cancelled=row.was_cancelled,
        newer_migrations=[m for m in records if known is not None and m.id > known],
        diagnostics=diagnostics,
        diagnostics_error=refused,
        service=service,
        read_at=asked_at,
        initial_status=row.initial_status,
    )
    return weigh(sight, store.now())

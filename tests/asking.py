"""What is requested for an instance, in the record."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from ukcloud_maintenance import store
from ukcloud_maintenance.core.attempt import RequestView
from ukcloud_maintenance.core.states import RequestKind, RequestOrigin, RequestState
from ukcloud_maintenance.store import InstanceMigration

#: Whoever is none of these is an admin.
DRAIN_ITSELF = {origin.value for origin in RequestOrigin} - {RequestOrigin.ADMIN.value}


def request(
    row: InstanceMigration,
    kind: str = "abort",
    by: str = "amy",
    now: datetime | None = None,
    **more: Any,
) -> InstanceMigration:
    """Record a request about the newest attempt, open unless another state is given; the row."""
    now = now or timezone.now()
    origin = by if by in DRAIN_ITSELF else RequestOrigin.ADMIN
    name = "" if by in DRAIN_ITSELF else by
    migration_id = row.attempt.nova_migration_id
    made = RequestView(
        RequestKind(kind), origin, name, requested_at=now, nova_migration_id=migration_id
    )
    store.add_request(row, made, now)
    if more.get("taken_at"):
        more = {"state": RequestState.TAKEN.value, "tries": 1, **more}
    if more:
        store.change_migration(row, now, request=more)
    return row


def wanted(row: InstanceMigration) -> str:
    """What is requested for it and not carried out yet, or empty."""
    found = row.requests.open
    return found.kind if found else ""

"""A host of a run that is acted on, without what leads there."""

from datetime import datetime, timedelta
from typing import Any

from ukcloud_maintenance import store
from ukcloud_maintenance.models import HostMaintenance, Run, RunAction, RunHost


def act(run: Run, row: RunHost, now: datetime, **about: Any) -> RunAction:
    """Record an action as the worker does, on a host that is verified safe for so long."""
    safe = HostMaintenance.objects.create(
        region=run.region,
        host=row.host,
        host_key=row.host_key,
        service_id="s",
        found_status="enabled",
        opened_at=now,
        safe_since=now,
        verified_at=now,
    )
    try:
        return store.intend_to_act(
            run, row, now, maintenance=safe, verified_after=now - timedelta(minutes=1), **about
        )
    finally:
        safe.delete()

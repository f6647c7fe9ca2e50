"""What is kept of the canaries of hosts in runs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from ..core.run.canary import restored
from ..exceptions import StaleState
from ..models import Run, RunHost
from .journal import Happened
from .run_changes import add_run_event, touch


def keep_canary(
    run: Run,
    host: RunHost,
    now: datetime,
    canary: Mapping[str, Any],
    event: Happened | None = None,
) -> None:
    """Keep what is known of the canary of a host, only if that is still as it was read.

    :raises StaleState: it is not
    """
    with transaction.atomic():
        touch(run, now)  # whoever changes a host takes this lock first
        kept = RunHost.objects.get(pk=host.pk).before
        if kept.get("canary") != host.before.get("canary"):
            raise StaleState(f"somebody else has the canary of {host.host}")
        before = {**kept, "canary": dict(canary)}
        RunHost.objects.filter(pk=host.pk).update(before=before)
        if event:
            add_run_event(run, now, event)
    host.before = before


def canary_names(region: str) -> frozenset[str]:
    """What the canaries of open runs are called. One query."""
    rows = RunHost.objects.filter(run__region=region, run__finished_at=None)
    found = (restored(before.get("canary")) for before in rows.values_list("before", flat=True))
    return frozenset(one.name for one in found if one is not None)

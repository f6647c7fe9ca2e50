"""Claims of runs, and what becomes of them after the clock was set back."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from ..core.run.states import RUN_OPEN
from ..models import Run, RunAction, RunHost, Worker
from . import clock
from .clock import SLACK
from .run_changes import change_host
from .runs import run, tries_of
from .workers import due, free_claim, take_first


def claim_run(
    worker: str,
    machine: str,
    now: datetime,
    lease_seconds: float,
    silent_seconds: float,
    regions: Iterable[str] | None,
    longest_pause: float,
) -> Run | None:
    """Take the open run that is due first and that nobody holds, see :func:`store.claim`. One with
    a command that runs on another machine is left to the workers there while there is one.

    :param machine: the one that the worker runs on
    :param silent_seconds: after which a worker that does not report is taken for dead
    """
    here = Q(machine__in=["", machine]) | ~Q(machine__in=_machines(now, silent_seconds))
    free, is_due = free_claim(now, lease_seconds), due(now, longest_pause, regions)
    wanted = Q(state__in=[s.value for s in RUN_OPEN]) & here
    rows = Run.objects.filter(free, is_due, wanted)
    until = now + timedelta(seconds=lease_seconds)
    # NULL from here on: a pass was requested
    taken = take_first(rows, claimed_by=worker, claimed_until=until, next_pass_at=now)
    return None if taken is None else run(taken)


def _machines(now: datetime, silent_seconds: float) -> list[str]:
    """Those with a living worker."""
    alive = Worker.objects.filter(
        stopped_at=None, seen_at__gte=now - timedelta(seconds=silent_seconds)
    )
    return list(alive.filter(seen_at__lte=now + SLACK).values_list("host", flat=True).distinct())


def set_back_run(run: Run, hosts: Iterable[RunHost], at: datetime) -> bool:
    """Whether the clock was set back since these rows were written: waits begin anew, now, as
    :func:`store.set_back` has it for drains."""
    at = max(at, clock.now())
    limit = at + SLACK
    changed = False
    for host in hosts:
        names = ("since", "down_at", "up_since", "checked_at")
        late: dict[str, Any] = {name: at for name in names if (getattr(host, name) or at) > limit}
        for action in tries_of(host):
            stamps = ("started_at", "ended_at", "reminded_at")
            ahead = {name: at for name in stamps if (getattr(action, name) or at) > limit}
            if ahead:
                if action.next_at:  # by the clock that was set back
                    ahead["next_at"] = at
                RunAction.objects.filter(pk=action.pk).update(**ahead)
                changed = True
                for name in ahead:
                    setattr(action, name, at)
        if late:
            change_host(run, host, at, **late)
            changed = True
    return changed


def is_run_requested(now: datetime, lease_seconds: float, regions: Iterable[str] | None) -> bool:
    """Whether a run was requested, or changed, that no worker has looked at yet. One query."""
    new = free_claim(now, lease_seconds) & Q(next_pass_at=None)
    if regions is not None:
        new &= Q(region__in=list(regions))
    return Run.objects.filter(new, state__in=[s.value for s in RUN_OPEN]).exists()

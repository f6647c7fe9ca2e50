"""Claims, leases and signs of life of workers."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from ..core.message import Message
from ..core.states import DRAIN_OPEN
from ..models import Drain, HostMaintenance, Inventory, Notice, Run, Worker
from .clock import SLACK
from .draining import drain, drains_with_requests
from .hosts import maintenance

#: How many times the longest lease or pause a stamp may be ahead that is still believed: a clock
#: that is set back delays by so much at most.
_BELIEVED = 2


@dataclass(frozen=True)
class WorkerStatus:
    """Whether any worker is at work.

    :param alive: one has reported within the time that the settings allow
    :param seen_at: when the last one reported, or None where none ever did
    :param problem: what keeps the living ones from working, or None
    :param names: the living ones
    """

    alive: bool
    seen_at: datetime | None
    problem: Message | None
    names: tuple[str, ...]


def worker_status(now: datetime, silent_seconds: float) -> WorkerStatus:
    """The signs of life of the workers, by one query."""
    # What is dated ahead of the clock is no sign of life: a living one reports again at once.
    workers = list(Worker.objects.filter(seen_at__lte=now + SLACK).order_by("-seen_at")[:50])
    limit = now - timedelta(seconds=silent_seconds)
    living = [w for w in workers if w.seen_at >= limit and w.stopped_at is None]
    well = [w for w in living if not w.problem]
    problem = None if well or not living else living[0].problem
    return WorkerStatus(
        alive=bool(living),
        seen_at=workers[0].seen_at if workers else None,
        problem=problem,
        names=tuple(w.name for w in living),
    )


#: The longest pause between two passes, in seconds, where whoever claims does not say it. A worker
#: does: its settings may ask for longer ones.
LONGEST_PAUSE = 300.0


def free_claim(now: datetime, lease_seconds: float) -> Q:
    """What nobody holds. A lease that ends later than any could that was taken by now is void."""
    latest = now + timedelta(seconds=_BELIEVED * lease_seconds)
    return Q(claimed_until=None) | Q(claimed_until__lt=now) | Q(claimed_until__gt=latest)


def due(
    now: datetime, longest_pause: float, regions: Iterable[str] | None, at_once: Q | None = None
) -> Q:
    """What is to be looked at by now, or is put off for longer than any pause is."""
    latest = now + timedelta(seconds=_BELIEVED * longest_pause)
    found = Q(next_pass_at=None) | Q(next_pass_at__lte=now) | Q(next_pass_at__gt=latest)
    found |= at_once or Q()
    return found if regions is None else found & Q(region__in=list(regions))


def claim(
    worker: str,
    now: datetime,
    lease_seconds: float,
    regions: Iterable[str] | None = None,
    longest_pause: float = LONGEST_PAUSE,
) -> Drain | None:
    """Take the drain that is due first and that nobody holds, of those that are open or have an
    request that is open; None where none is.

    :param regions: the regions that the worker can log in to, or None for any
    :param longest_pause: of any worker between two passes, in seconds

    A claim spares two workers from doing the same reads. It is not what keeps them from doing
    the same change: that is the compare-and-set of each row.
    """
    free, is_due = free_claim(now, lease_seconds), due(now, longest_pause, regions)
    wanted = Q(state__in=[s.value for s in DRAIN_OPEN]) | Q(pk__in=drains_with_requests())
    rows = Drain.objects.filter(free, is_due, wanted)
    until = now + timedelta(seconds=lease_seconds)
    # NULL from here on: a pass was requested, see `release`
    taken = take_first(rows, claimed_by=worker, claimed_until=until, next_pass_at=now)
    return None if taken is None else drain(taken)


def take_first(rows: "QuerySet[Any]", **claim: Any) -> int | None:
    """Claim the row that is due first, of those that nobody holds; None where there is none, or
    others were faster.

    :param claim: the fields that say who has it
    """
    ordered = rows.order_by(F("next_pass_at").asc(nulls_first=True), "id")
    for pk in list(ordered.values_list("pk", flat=True)[:20]):
        if rows.filter(pk=pk).update(**claim) == 1:
            return int(pk)
    return None


def is_requested(now: datetime, lease_seconds: float, regions: Iterable[str] | None = None) -> bool:
    """Whether something was requested that no worker has looked at yet: a new drain, a change of
    one, a return to service. Two queries by the few rows that are open; asked each second.
    """
    new = free_claim(now, lease_seconds) & Q(next_pass_at=None, open_key__isnull=False)
    if regions is not None:
        new &= Q(region__in=list(regions))
    returning = HostMaintenance.objects.filter(new, returning_since__isnull=False)
    return Drain.objects.filter(new).exists() or returning.exists()


def claim_host(
    worker: str,
    now: datetime,
    lease_seconds: float,
    regions: Iterable[str] | None = None,
    longest_pause: float = LONGEST_PAUSE,
) -> HostMaintenance | None:
    """Take the open maintenance that is due first and that nobody holds, in the manner of
    :func:`claim`; None where none is.

    While the host is drained it is not due; while it is returned to service it is due whatever else
    is in progress. What its previous holder still finds out does not count.
    """
    free = free_claim(now, lease_seconds)
    ahead = Q(verified_at__gt=now, safe_since__isnull=False, returning_since=None)
    is_due = due(now, longest_pause, regions, ahead) & Q(closed_at=None)
    is_drained = Exists(Drain.objects.filter(open_key=OuterRef("host_key")))
    rows = HostMaintenance.objects.filter(free, is_due, open_key__isnull=False).filter(
        Q(returning_since__isnull=False) | ~is_drained
    )
    until = now + timedelta(seconds=lease_seconds)
    taken = take_first(rows, claimed_by=worker, claimed_until=until, looks=F("looks") + 1)
    return None if taken is None else maintenance(taken)


def release_host(maintenance: HostMaintenance, worker: str, next_pass_at: datetime | None) -> None:
    """Release a host, to be claimed again after a time; at once where its return was requested
    since it was read."""
    held = HostMaintenance.objects.filter(pk=maintenance.pk, claimed_by=worker)
    free: dict[str, Any] = {"claimed_by": "", "claimed_until": None}
    if not held.filter(returning_since=maintenance.returning_since).update(
        **free, next_pass_at=next_pass_at
    ):
        held.update(**free, next_pass_at=None)


def release(one: Drain | Run, worker: str, next_pass_at: datetime | None) -> None:
    """Give it back, to be taken again by any worker after a time; at once where that was requested
    since it was claimed."""
    held = type(one).objects.filter(pk=one.pk, claimed_by=worker)
    free: dict[str, Any] = {"claimed_by": "", "claimed_until": None}
    if not held.filter(next_pass_at__isnull=False).update(**free, next_pass_at=next_pass_at):
        held.update(**free)


def renew(one: Drain | HostMaintenance | Run, worker: str, until: datetime) -> bool:
    """Keep what this worker holds; whether it does (still)."""
    held = type(one).objects.filter(pk=one.pk, claimed_by=worker)
    return held.update(claimed_until=until) == 1


def sign_of_life(
    name: str, host: str, pid: int, now: datetime, problem: Message | None = None
) -> None:
    """A worker is alive, but for a problem."""
    changed = Worker.objects.filter(name=name).update(seen_at=now, stopped_at=None, problem=problem)
    if not changed:
        Worker.objects.get_or_create(
            name=name,
            defaults={
                "host": host,
                "pid": pid,
                "started_at": now,
                "seen_at": now,
                "problem": problem,
            },
        )


#: Workers that have not said goodbye. One whose silence was told of counts as stopped at its last
#: sign of life, and is silent all the same; see `store.worker_is_silent`.
SAID_NO_GOODBYE = Q(stopped_at=None) | Q(stopped_at=F("seen_at"))


def worker_stopped(name: str, now: datetime) -> None:
    """A worker says goodbye, or is known to be dead; what it held is free."""
    gone = Worker.objects.filter(name=name)
    if gone.filter(seen_at=now).exists():
        now += timedelta(microseconds=1)  # a goodbye is later than what it follows
    gone.update(stopped_at=now)
    Drain.objects.filter(claimed_by=name).update(claimed_by="", claimed_until=None)
    for claimed in (HostMaintenance, Inventory, Notice, Run):
        claimed.objects.filter(claimed_by=name).update(claimed_by="", claimed_until=None)


def workers_of(host: str) -> list[Worker]:
    """The workers of a machine that have not said goodbye."""
    return list(Worker.objects.filter(SAID_NO_GOODBYE, host=host))


def forget_workers(before: datetime, now: datetime | None = None) -> None:
    """Remove workers that have been silent since a time; those, too, that reported as long after
    `now` as that is before it: the clock was set back since."""
    gone = Q(seen_at__lt=before)
    if now is not None:
        gone |= Q(seen_at__gt=now + (now - before))
    Worker.objects.filter(gone).delete()

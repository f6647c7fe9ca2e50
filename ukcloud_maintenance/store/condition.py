"""How the whole stands, for those who watch it: a bounded number of rows, by thirteen queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q

from ..core.run.states import RUN_OPEN, RUN_TERMINAL, Stage
from ..core.states import DRAIN_OPEN, Direction
from ..models import Drain, HostMaintenance, InstanceMigration, Run, RunHost, Worker
from .clock import SLACK
from .counting import Counts, counts
from .workers import SAID_NO_GOODBYE

#: The most rows of one kind that are read.
WORKERS_MAX, DRAINS_MAX, HOSTS_MAX, RUNS_MAX = 200, 500, 1000, 200


@dataclass(frozen=True)
class DrainCondition:
    """A drain that is open, or the last one of a host that is in maintenance.

    :ivar in_need: how many of its instances need a person
    :ivar due_since: of an open one: since when a pass over it is due that no worker makes; None:
        a worker has it, or it is put off
    """

    drain: Drain
    counts: Counts
    in_need: int
    due_since: datetime | None


@dataclass(frozen=True)
class HostCondition:
    """A host that is in maintenance.

    :ivar verified_since: since when no verification was made; None: it is drained or returned to
        service, and none is to be made
    """

    maintenance: HostMaintenance
    verified_since: datetime | None


@dataclass(frozen=True)
class RunCondition:
    """A run that is not over.

    :ivar due_since: as of a drain
    :ivar failed: how many of its hosts failed that nobody went on without
    """

    run: Run
    due_since: datetime | None
    failed: int = 0


@dataclass(frozen=True)
class Condition:
    """How the whole stands, in all regions.

    :param drains_by: how many drains are on record, by region and state
    :param instances_by: how many instances the open drains have, by region and state
    :param runs_by: how many runs are on record, by region and state
    :param run_hosts_by: how many hosts the runs have that are not over, by region and stage
    :param left_failed: how many hosts failed that their run left, and that are out of service
        still, by region
    :param workers: those that have not said goodbye, and reported within a week; the one that
        reported last comes first
    :param had_workers: whether any worker reported within a week
    """

    now: datetime
    drains_by: Mapping[tuple[str, str], int]
    instances_by: Mapping[tuple[str, str], int]
    drains: Sequence[DrainCondition]
    hosts: Sequence[HostCondition]
    workers: Sequence[Worker]
    had_workers: bool
    runs_by: Mapping[tuple[str, str], int]
    run_hosts_by: Mapping[tuple[str, str], int]
    left_failed: Mapping[str, int]
    runs: Sequence[RunCondition]


def condition(now: datetime) -> Condition:
    """How the whole stands."""
    hosts = list(HostMaintenance.objects.filter(open_key__isnull=False)[:HOSTS_MAX])
    kept = _last_drains(hosts)
    open_ones = Drain.objects.filter(state__in=[s.value for s in DRAIN_OPEN]).order_by("-id")
    current = {d.pk: d for d in [*open_ones[:DRAINS_MAX], *kept.values()]}
    tally = counts(current)
    open_keys = {d.open_key for d in current.values() if d.open_key}
    return Condition(
        now,
        _by_state(Drain.objects.order_by().values_list("region", "state")),
        _by_state(
            InstanceMigration.objects.filter(drain__open_key__isnull=False)
            .order_by()
            .values_list("drain__region", "state")
        ),
        [_of_drain(d, tally[d.pk], now) for d in current.values()],
        [_of_host(one, kept.get(one.pk), open_keys) for one in hosts],
        list(
            Worker.objects.filter(SAID_NO_GOODBYE, seen_at__lte=now + SLACK).order_by("-seen_at")[
                :WORKERS_MAX
            ]
        ),
        Worker.objects.exists(),
        _by_state(Run.objects.order_by().values_list("region", "state")),
        _by_state(
            RunHost.objects.filter(run__state__in=sorted(RUN_OPEN))
            .order_by()
            .values_list("run__region", "stage")
        ),
        _left_failed(),
        [RunCondition(one, _due_since(one, now), one.failed_hosts) for one in _open_runs()],
    )


def _open_runs() -> Iterable[Any]:
    failed = Q(hosts__stage=Stage.FAILED.value, hosts__is_accepted=False)
    found = Run.objects.filter(state__in=sorted(RUN_OPEN)).order_by("-id")
    return found.annotate(failed_hosts=Count("hosts", filter=failed))[:RUNS_MAX]


def _left_failed() -> dict[str, int]:
    """Hosts that a run is done with although they failed, as long as they are in the maintenance
    in which they were then; each host once."""
    kept = HostMaintenance.objects.filter(
        open_key=OuterRef("host_key"), opened_at__lte=OuterRef("finished_at")
    )
    left = Q(run__state__in=sorted(RUN_TERMINAL)) | Q(is_accepted=True)
    failed = RunHost.objects.filter(left, Exists(kept), stage=Stage.FAILED.value).order_by()
    found = failed.values_list("run__region").annotate(n=Count("host_key", distinct=True))
    return dict(found)


def _by_state(rows: Any) -> dict[tuple[str, str], int]:
    return {(region, state): n for region, state, n in rows.annotate(n=Count("id"))}


def _last_drains(hosts: Sequence[HostMaintenance]) -> dict[int, Drain]:
    """The newest drain away from each of these hosts in its maintenance, by the maintenance."""
    newest = (
        Drain.objects.filter(
            maintenance_id__in=[one.pk for one in hosts if one.returning_since is None],
            direction=Direction.AWAY,
        )
        .order_by()
        .values("maintenance_id")
        .annotate(newest=Max("id"))
        .values_list("newest", flat=True)
    )
    found = Drain.objects.filter(pk__in=list(newest))
    return {d.maintenance_id: d for d in found if d.maintenance_id is not None}


def _of_drain(drain: Drain, tally: Counts, now: datetime) -> DrainCondition:
    due = _due_since(drain, now) if drain.open_key is not None else None
    # what failed before a cancel was given up with it
    return DrainCondition(drain, tally, tally.in_need(drain.state, can_retry=True), due)


def _due_since(one: Drain | Run, now: datetime) -> datetime | None:
    if one.claimed_until and one.claimed_until > now:
        return None
    # without a time it is due at once, which is when it was changed last
    at = one.next_pass_at or one.updated_at
    return at if at <= now else None


def _of_host(one: HostMaintenance, last: Drain | None, open_keys: set[str]) -> HostCondition:
    is_drained = last is not None and last.open_key is not None
    if is_drained or one.host_key in open_keys or one.returning_since is not None:
        return HostCondition(one, None)
    times = [one.opened_at, one.verified_at, last.finished_at if last else None]
    return HostCondition(one, max(time for time in times if time is not None))

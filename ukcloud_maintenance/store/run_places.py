"""Where hosts are in runs that are not over, how far runs are, and which drains are theirs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Min, Q, QuerySet

from ..core.actor import NAME_LENGTH
from ..core.run.states import RUN_OPEN
from ..models import Drain, Event, Run, RunAction, RunHost
from .draining import drains


def name_of_run(run: Run) -> str:
    """By what name a run asks for something, for whoever requested it."""
    return f"{run.requested_by} (run {run.pk})"[:NAME_LENGTH]


def drains_of_run(run: Run) -> "QuerySet[Drain]":
    """The drains that a run requested, the first one first: those of hosts that were tried again,
    and those that brought instances back, are among them."""
    asked = Q(requested_by_id=run.requested_by_id, requested_by=name_of_run(run))
    asked &= Q(host_key__in=run.hosts.values("host_key"))
    newest = Q(pk__in=run.hosts.filter(drain__isnull=False).values("drain_id"))
    return drains().filter(asked | newest).order_by("id")


def failed_meanwhile(run: Run) -> frozenset[str]:
    """The hosts of a run that failed in it, whatever became of them since. One query."""
    told = Event.objects.filter(run=run, kind="run_host_failed").values_list("message", flat=True)
    return frozenset(str(one.values["host"]) for one in told if one and "host" in one.values)


def open_places(region: str) -> dict[str, RunHost]:
    """The place of each host that is in a run of the region that is not over, by host, with its
    run and its actions. Two queries."""
    rows = RunHost.objects.filter(
        run__region=region, run__state__in=sorted(RUN_OPEN), open_key__isnull=False
    ).select_related("run")
    found = {row.host: row for row in rows}
    tries: dict[int, list[RunAction]] = {row.pk: [] for row in found.values()}
    if tries:
        for action in RunAction.objects.filter(host__in=tries).order_by("number", "id"):
            tries[action.host_id].append(action)
    for row in found.values():
        row.tries = tries[row.pk]
    return found


@dataclass(frozen=True)
class RunCounts:
    """How many hosts of a run are in which stage, as :class:`Counts` has it of a drain's instances.

    :param started_at: when the first of them began, or None
    """

    by_stage: Mapping[str, int] = field(default_factory=dict)
    started_at: datetime | None = None

    @property
    def total(self) -> int:
        return sum(self.by_stage.values())

    def __getitem__(self, stage: str) -> int:
        return self.by_stage.get(stage, 0)


def run_counts(runs: Iterable[Run]) -> dict[int, RunCounts]:
    """The counts of several runs, by one query."""
    found: dict[int, dict[str, int]] = {run.pk: {} for run in runs}
    begun: dict[int, list[datetime]] = {run_id: [] for run_id in found}
    rows = RunHost.objects.filter(run__in=found).order_by().values_list("run_id", "stage")
    for run_id, stage, number, first in rows.annotate(n=Count("id"), begun=Min("started_at")):
        found[run_id][stage] = number
        begun[run_id] += [first] if first else []
    return {
        run_id: RunCounts(by_stage, min(begun[run_id], default=None))
        for run_id, by_stage in found.items()
    }

"""Where hosts are in runs that are not over, how far runs are, and which drains are theirs."""

from collections import Counter
from collections.abc import Iterable
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


class RunTally:
    """How far a run is.

    :ivar stages: how many of its hosts are in each stage
    :ivar started_at: when the first of them began, or None
    """

    def __init__(self) -> None:
        self.stages: Counter[str] = Counter()
        self.started_at: datetime | None = None


def run_tallies(runs: Iterable[Run]) -> dict[int, RunTally]:
    """How far each run is. One query."""
    found = {run.pk: RunTally() for run in runs}
    rows = RunHost.objects.filter(run__in=found).order_by().values("run_id", "stage")
    for row in rows.annotate(n=Count("id"), begun=Min("started_at")):
        tally = found[row["run_id"]]
        tally.stages[row["stage"]] = row["n"]
        times = [at for at in (tally.started_at, row["begun"]) if at is not None]
        tally.started_at = min(times, default=None)
    return found

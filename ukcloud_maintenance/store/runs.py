"""Rolling runs, as they are read."""

from django.db.models import QuerySet

from ..core.message import Message
from ..core.run.order import Order
from ..core.run.states import Stage
from ..models import Event, Run, RunAction, RunHost, host_key
from .keys import with_key


def run(run_id: int) -> Run | None:
    """One run, or None."""
    return with_key(Run.objects.all(), run_id).first()


def runs(region: str) -> "QuerySet[Run]":
    """The runs of a region, newest first."""
    return Run.objects.filter(region=region)


def run_hosts(run: Run, *, outputs: bool = True) -> list[RunHost]:
    """The hosts of a run in their order, with their drains, maintenances and actions. Two
    queries.

    :param outputs: with what the actions have written, which may be much
    """
    found = run.hosts.select_related("drain", "drain__maintenance", "maintenance")
    rows = list(found.order_by("position", "id"))
    actions: dict[int, list[RunAction]] = {row.pk: [] for row in rows}
    tries = RunAction.objects.filter(host__run=run).order_by("number", "id")
    for action in tries if outputs else tries.defer("output"):
        if action.host_id in actions:
            actions[action.host_id].append(action)
    for row in rows:
        row.tries = actions[row.pk]
    return rows


def tries_of(host: RunHost) -> list[RunAction]:
    """Its actions, the first one first, as :func:`run_hosts` read them."""
    found = getattr(host, "tries", None)
    return list(host.actions.order_by("number", "id")) if found is None else found


def run_of_host(region: str, host: str) -> RunHost | None:
    """The place of exactly this host in the run that it is in, or None."""
    rows = RunHost.objects.filter(open_key=host_key(region, host))
    return rows.select_related("run").first()


def done_before(drain_id: int) -> frozenset[str]:
    """For a drain of a run in which few instances are to move twice: the hosts that the run is done
    with, which need not be emptied again. One query."""
    mine = RunHost.objects.filter(drain_id=drain_id, run__order=Order.FEW_MOVES.value)
    done = RunHost.objects.filter(run__in=mine.values("run_id"), stage=Stage.DONE.value)
    return frozenset(done.values_list("host", flat=True))


def acted_on(region: str, host: str) -> RunHost | None:
    """The place of a host in a run while its action is in progress, or None. One query."""
    rows = RunHost.objects.filter(open_key=host_key(region, host), stage=Stage.ACTING.value)
    return rows.first()


def was_told(run: Run, kind: str, said: Message) -> bool:
    """Whether the newest event of this kind in a run says the same."""
    newest = Event.objects.filter(run=run, kind=kind).order_by("-id").first()
    return newest is not None and newest.message == said


def run_events(run: Run) -> "QuerySet[Event]":
    """What happened in a run, in the order in which it did."""
    return Event.objects.filter(run=run).order_by("at", "id")

"""Plans: several hosts that are drained as one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from .. import store
from ..cloud import Cloud
from ..core import steering
from ..core.actor import RULE_DRAIN, RULE_VIEW, Actor
from ..core.copying.duration import Forecast
from ..core.drain import needs
from ..core.drain.needs import Need
from ..core.message import Message, message
from ..core.states import DRAIN_TERMINAL
from ..core.steering import DrainVerb
from ..exceptions import Refused
from ..store import Drain, InstanceMigration, Plan
from .access import require
from .drains import ready_to_request, write_request
from .hosts import worker_status
from .instances import retry_failed
from .reports import blocked_until, forecast_of_plan
from .requests import PLAN_MAX_HOSTS, DrainRequest, check_hosts_of_plan
from .steering import cancel_drain, change_drain, pause_drain, require_cancel, resume_drain


@dataclass(frozen=True)
class PlanRequest:
    """Several hosts that are drained as one.

    :param hosts: in the order in which they are emptied
    :param each: what is requested on each of them; its `host` is not looked at
    :param hosts_at_once: hosts whose instances move at a time; 0: all
    """

    hosts: tuple[str, ...]
    each: DrainRequest
    hosts_at_once: int = 1


def request_plan(actor: Actor, cloud: Cloud, request: PlanRequest) -> Plan:
    """Write a plan and its drains to the queue, all or nothing. The worker disables all their
    services before the first instance moves, so that none moves twice.

    :raises Refused: with the reason and what can be done; nothing was changed
    """
    require(actor, RULE_DRAIN)
    names = check_hosts_of_plan(request.hosts)
    if not 0 <= request.hosts_at_once <= PLAN_MAX_HOSTS:
        raise Refused(
            message("hosts_at_once_out_of_range", most=PLAN_MAX_HOSTS), field="hosts_at_once"
        )
    ready = ready_to_request(actor, cloud, [replace(request.each, host=name) for name in names])
    with store.in_turn(cloud.region):
        plan = store.create_plan(
            region=cloud.region,
            reason=ready[0][0].reason,
            hosts_at_once=request.hosts_at_once,
            actor_id=actor.id,
            actor=str(actor),
            now=store.now(),
        )
        for order, (one, drain_plan) in enumerate(ready):
            write_request(actor, cloud.region, one, drain_plan, plan, order)
    return plan


@dataclass(frozen=True)
class PlanReport:
    """A plan with its drains and their counts, in its order, from the database alone."""

    plan: Plan
    drains: list[Drain]
    counts: Mapping[int, store.Counts]
    worker: store.WorkerStatus
    now: datetime = field(default_factory=store.now)
    #: the instances of all its drains that need a person, and why; the worst first
    in_need: Sequence[tuple[Need, InstanceMigration]] = ()
    #: how long it still takes; None where it is over, or nothing is left to be moved
    forecast: Forecast | None = None

    @property
    def is_over(self) -> bool:
        return all(drain.state in DRAIN_TERMINAL for drain in self.drains)

    @property
    def total(self) -> store.Counts:
        """The counts of all its drains together."""
        found: dict[str, int] = {}
        for counts in self.counts.values():
            for state, number in counts.by_state.items():
                found[state] = found.get(state, 0) + number
        return store.Counts(
            found,
            sum(counts.arrived_wrong for counts in self.counts.values()),
            sum(counts.astray for counts in self.counts.values()),
            sum(counts.endless for counts in self.counts.values()),
            sum(counts.aborted for counts in self.counts.values()),
        )

    def blocked_until(self, drain: Drain) -> datetime | None:
        """When a drain no longer waits for what is blocked, where it waits for nothing else."""
        return blocked_until(drain)

    @property
    def revision(self) -> int:
        """Raised by every change of one of its drains."""
        return sum(drain.revision for drain in self.drains)


def plan_report(actor: Actor, plan_id: int) -> PlanReport:
    """Everything that the plan page shows. Nova is not asked.

    :raises Refused: there is no such plan
    """
    plan = get_plan(actor, plan_id)
    drains = list(store.drains_of_plan(plan.pk))
    return PlanReport(
        plan,
        drains,
        store.counts(d.pk for d in drains),
        worker_status(actor),
        in_need=_in_need(drains),
        forecast=forecast_of_plan(plan, drains),
    )


def _in_need(drains: list[Drain]) -> list[tuple[Need, InstanceMigration]]:
    rows: dict[int, list[InstanceMigration]] = {drain.pk: [] for drain in drains}
    for row in store.in_question(rows):
        rows[row.drain_id].append(row)
    found: list[tuple[Need, InstanceMigration]] = []
    for drain in drains:
        if rows[drain.pk]:
            found += needs.in_need(rows[drain.pk], drain.state, can_retry=store.can_retry(drain))
    return needs.worst_first(found)


def get_plan(actor: Actor, plan_id: int) -> Plan:
    """One plan.

    :raises Refused: there is no such plan
    """
    require(actor, RULE_VIEW)
    plan = store.plan(plan_id)
    if plan is None:
        raise Refused(message("unknown_plan", id=plan_id))
    return plan


class PlanAnswer(NamedTuple):
    """What became of something that was requested for all drains of a plan.

    :ivar why: why it was not done with this one, or None
    :ivar expected: that was clear from the drain's state: it is over, or nothing of it failed
    """

    drain: Drain
    why: Message | None
    expected: bool


def _any_done(answers: Iterable[PlanAnswer]) -> bool:
    return any(answer.why is None for answer in answers)


def steer_plan(actor: Actor, plan_id: int, verb: DrainVerb, **options: Any) -> list[PlanAnswer]:
    """Pause, resume, change, cancel or retry all drains of a plan in which that can be done.

    :param options: for a cancel, see :func:`cancel_drain`; for a change, see :func:`change_drain`
    :raises Refused: there is no such plan, it can be done with none of its drains, or a value of a
        change is wrong
    :raises NotAllowed: for one of its drains at least; then nothing is done with any
    """
    require(actor, steering.RULE_OF_DRAIN[verb])
    plan = store.plan(plan_id)
    if plan is None:
        raise Refused(message("unknown_plan", id=plan_id))
    known: Mapping[DrainVerb, Callable[..., Any]] = {
        DrainVerb.PAUSE: pause_drain,
        DrainVerb.RESUME: resume_drain,
        DrainVerb.CHANGE: change_drain,
        DrainVerb.CANCEL: cancel_drain,
        DrainVerb.RETRY: retry_failed,
    }
    act = known[verb]
    answers: list[PlanAnswer] = []
    drains = list(store.drains_of_plan(plan_id))
    if verb is DrainVerb.PAUSE:
        drains.reverse()  # so that none begins because the one before it was paused
    if verb is DrainVerb.CANCEL:
        for drain in drains:
            if not steering.drain_objection(verb, drain):
                require_cancel(actor, drain, options.get("abort", False), options.get("enable"))
    for drain in drains:
        why = steering.drain_objection(verb, drain)
        expected = why is not None
        if why is None:
            try:
                act(actor, drain.pk, **options)
            except Refused as error:
                if verb is DrainVerb.CHANGE and error.field and not _any_done(answers):
                    raise  # a wrong value
                why, expected = error.said, error.code == "nothing_failed"
        answers.append(PlanAnswer(drain, why, expected))
    refused = [(answer.why, answer.expected) for answer in answers if answer.why]
    if len(refused) == len(answers):
        telling = next((why for why, expected in refused if not expected), refused[0][0])
        raise Refused(telling, code=f"cannot_{verb.value}")
    return answers

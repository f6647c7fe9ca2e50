"""What can be asked for, from a page or a shell.

Every function takes an actor and checks first what the actor may do; there is no default. What
it reads of OpenStack it reads through the `Cloud` that it is given: the admin's on a page, the
worker's in a shell. Nothing here changes anything in OpenStack, but for
:func:`remove_allocation`; the worker does.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils import timezone

from .. import conf, store
from ..cloud import Cloud, from_clouds_yaml
from ..core import steering
from ..core.actor import (
    RULE_ABORT,
    RULE_CANCEL,
    RULE_DRAIN,
    RULE_FORCE,
    RULE_RESET,
    RULE_RETURN,
    RULE_STEER,
    RULE_VIEW,
    Actor,
)
from ..core.copying.duration import Forecast, forecast
from ..core.copying.patience import TimeoutBounds, TimeoutOutlook, timeout_outlook
from ..core.facts import HostFacts, Migration, Server, Service
from ..core.host import returning as h
from ..core.host.certificate import SCOPE, Check, from_json
from ..core.host.evidence import Evidence
from ..core.host.orphans import Orphan, OrphanSight, amounts, kept, weigh
from ..core.preflight.judge import group_of, judge
from ..core.preflight.verdicts import Around, Choice, Verdict, Wishes
from ..core.record import export
from ..core.states import (
    DRAIN_TERMINAL,
    MIGRATION_UNDER_WAY,
    Direction,
    DrainState,
    MigrationState,
    ReturnChoice,
    TimeoutAction,
    Wish,
)
from ..core.steering import DrainVerb, Verb
from ..exceptions import CloudError, NotAllowed, Refused, StaleState, UnknownHost
from ..observe.evidence import inquire
from ..preflight import (  # noqa: F401
    NO_CHOICES,
    PARTS,
    DrainPlan,
    PlanChoices,
    Planned,
    is_bare_metal,
    make_plan,
    make_plans,
    opt_out_names,
)
from ..store import Drain, HostMaintenance, InstanceMigration, Plan

if TYPE_CHECKING:
    from keystoneauth1.session import Session

#: Nova's limit for a service's disabled_reason (nova/api/openstack/compute/schemas/services.py).
REASON_MAX = 255
#: Characters of a note on one instance: what its column holds (models.InstanceMigration).
NOTE_MAX = 255
#: The longest time, in days, that can be named to keep the record (conf, KEEP_DAYS).
KEEP_DAYS_MAX = 36500
#: The orders in which the instances of a drain start. Largest first keeps it short: what takes
#: longest starts first, so that the last one to fly is small. Smallest first frees many soon.
LARGEST_FIRST = "largest"
SMALLEST_FIRST = "smallest"
ORDERS = (LARGEST_FIRST, SMALLEST_FIRST)


def _require(actor: Actor, rule: str) -> None:
    """Fail closed: whatever is not allowed is refused, and a check that breaks is no yes."""
    if actor.may(rule) is not True:
        raise NotAllowed(f"{actor.name} is not allowed to do this (policy {rule}).", rule=rule)


def connect(session: "Session", region: str, interface: str) -> Cloud:
    """The cloud as a page sees it: the request's session, a page's patience."""
    return Cloud(
        session,
        region,
        interface=conf.interface() or interface,
        timeout=conf.page_timeout_seconds(),
    )


def connect_shell(region: str) -> Cloud:
    """The cloud as a command sees it: with the worker's credentials.

    :raises Refused: the settings name no cloud for this region
    :raises ConfigurationError: clouds.yaml does not know it
    """
    return from_clouds_yaml(_cloud_name(region), region)


def shell_regions() -> list[str]:
    """The regions that the settings name a cloud for; one empty name where there is but one."""
    return list(conf.regions())


def _cloud_name(region: str) -> str:
    name = conf.cloud_of(region)
    if not name:
        raise Refused(
            f"No worker is set up for region {region}.",
            code="region_without_worker",
            remedy=f'Add the region to {conf.NAME}["CLOUDS"].',
        )
    return name


# -- looking ---------------------------------------------------------------------------------


def list_hosts(actor: Actor, cloud: Cloud) -> list[HostFacts]:
    """Every compute host of the region: two requests (one more for each 1,000 hypervisors)."""
    _require(actor, RULE_VIEW)
    return cloud.hosts()


def count_instances(
    actor: Actor, cloud: Cloud, hosts: Iterable[str], among: Iterable[str] = ()
) -> dict[str, int | CloudError]:
    """The true number of instances of each host: one small request a host, side by side.

    A host that cannot be counted has the error as its value.

    :param among: all hosts of the region. Nova's database may take names that differ in case
        alone for the same; such hosts are counted by looking at each instance.
    """
    _require(actor, RULE_VIEW)
    wanted = list(hosts)
    spellings: dict[str, set[str]] = {}
    for name in {*wanted, *among}:
        spellings.setdefault(name.casefold(), set()).add(name)
    twins = [name for name in wanted if len(spellings[name.casefold()]) > 1]
    counted = cloud.count_servers_on_each([name for name in wanted if name not in twins])
    for name in twins:
        try:
            counted[name] = len(cloud.servers_on(name))
        except CloudError as error:
            counted[name] = error
    return counted


#: how long it is told in a few words how a drain or a return ended
JUST_NOW = timedelta(hours=1)


def host_records(actor: Actor, region: str) -> dict[str, store.HostRecord]:
    """What the database knows of the hosts of a region, by host."""
    _require(actor, RULE_VIEW)
    now = store.now()
    return store.host_records(region, _verified_after(now), now - JUST_NOW)


def worker_status(actor: Actor) -> store.WorkerStatus:
    """Whether any worker is at work."""
    _require(actor, RULE_VIEW)
    return store.worker_status(store.now(), conf.worker_silent_seconds())


def project_names(actor: Actor, cloud: Cloud) -> dict[str, str]:
    """Names of the projects by id; empty where Keystone does not tell them."""
    _require(actor, RULE_VIEW)
    try:
        return cloud.project_names()
    except CloudError:
        return {}


@dataclass(frozen=True)
class HostPage:
    """One host and what runs on it."""

    service: Service
    servers: list[Server]
    projects: dict[str, str]


def host_page(actor: Actor, cloud: Cloud, host: str) -> HostPage:
    """One host, its instances, and the names of their projects: three requests.

    :raises UnknownHost: no compute service has exactly this name
    """
    _require(actor, RULE_VIEW)
    service = _service(cloud.services(host), host, cloud.region)
    servers = cloud.servers_on(host)
    return HostPage(service, servers, project_names(actor, cloud) if servers else {})


# -- draining --------------------------------------------------------------------------------


def plan_drain(
    actor: Actor, cloud: Cloud, host: str, choices: PlanChoices = NO_CHOICES
) -> DrainPlan:
    """What a drain of this host would do; nothing is changed. For the requests see `plan`.

    :raises UnknownHost: no compute service has exactly this name
    :raises Refused: the host cannot be drained now, with the reason
    """
    _require(actor, RULE_DRAIN)
    _check_choices(choices.choices)
    services = _services_for_a_plan(cloud)
    service = _service(services, host, cloud.region, cloud)
    _check_host(service, cloud.region, cloud)
    plan = make_plan(cloud, service, services, choices)
    _check_not_bare_metal(plan)
    return plan


def check_host(
    actor: Actor, cloud: Cloud, host: str, choices: PlanChoices = NO_CHOICES
) -> DrainPlan:
    """The same for whoever may look. What stands against a drain of the host itself is the
    plan's `refusal`.

    :raises UnknownHost: no compute service has exactly this name
    :raises Refused: a choice is none
    """
    _require(actor, RULE_VIEW)
    _check_choices(choices.choices)
    services = _services_for_a_plan(cloud)
    service = _service(services, host, cloud.region, cloud)
    plan = make_plan(cloud, service, services, choices)
    return replace(plan, refusal=_refusal(plan, cloud))


def _services_for_a_plan(cloud: Cloud) -> list[Service]:
    """The compute services, while Nova is asked what it can tell of servers."""
    found = cloud.try_side_by_side(
        {"services": cloud.services, "microversion": cloud.prefer_newest}
    )
    if isinstance(found["services"], CloudError):
        raise found["services"]
    return list(found["services"])


@dataclass(frozen=True)
class DrainChoices:
    """What an admin may choose for a drain, and what is chosen where they don't.

    :param max_concurrent: migrations at once, unless the admin says otherwise
    :param max_concurrent_ceiling: the most that may be asked for
    :param reason_max: characters
    :param timeout_action: what becomes of a copy that takes too long, unless the admin says
        otherwise
    :param timeout_seconds_per_gib: how long a copy may take, by its memory and local disk …
    :param timeout_min_seconds: … and at least
    :param max_in_region: migrations at once of all drains of the region together
    :param max_per_destination: migrations at once to one destination
    :param max_hosts: hosts of one plan
    """

    max_concurrent: int
    max_concurrent_ceiling: int
    reason_max: int = REASON_MAX
    timeout_action: str = TimeoutAction.WARN.value
    timeout_seconds_per_gib: float = 0
    timeout_min_seconds: float = 0
    max_in_region: int = 0
    max_per_destination: int = 0
    max_hosts: int = 0


def drain_choices(actor: Actor, region: str, *, rule: str = RULE_DRAIN) -> DrainChoices:
    """What may be chosen for a drain in this region. Nothing is asked of OpenStack.

    :param rule: what the actor is about to do with it
    :raises Refused: no worker is set up for the region
    """
    _require(actor, rule)
    _cloud_name(region)
    return DrainChoices(
        conf.max_concurrent(),
        conf.max_concurrent_ceiling(),
        timeout_action=conf.timeout_action(),
        timeout_seconds_per_gib=conf.timeout_seconds_per_gib(),
        timeout_min_seconds=conf.timeout_min_seconds(),
        max_in_region=conf.max_in_region(),
        max_per_destination=conf.max_per_destination(),
        max_hosts=PLAN_MAX_HOSTS,
    )


@dataclass(frozen=True)
class DrainRequest:
    """What an admin asks for.

    :param host: service.host, compared exactly
    :param reason: becomes the service's disabled reason; 1 to 255 characters
    :param max_concurrent: migrations at once, or None for the setting's
    :param destination: one host that all go to, or empty for the scheduler's choice
    :param choices: by server id, what the admin chose for it: live, cold, stay or confirm
    :param notes: by server id, why
    :param move_locked: whether instances that are locked are moved
    :param follow_plan: whether each instance is asked to go to its host of the estimate first
    :param order: largest first, which keeps the drain short, or smallest first
    :param start_at: not begun before this time, the service not disabled before it; None: at once
    :param stop_at: nothing new is started after this time; None: no such end
    :param timeout_action: what becomes of a copy that takes too long (see core.states); None: the
        setting's
    """

    host: str
    reason: str
    max_concurrent: int | None = None
    destination: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    move_locked: bool = True
    follow_plan: bool = False
    order: str = LARGEST_FIRST
    start_at: datetime | None = None
    stop_at: datetime | None = None
    timeout_action: str | None = None


def check_request(request: DrainRequest) -> DrainRequest:
    """The request with its blanks removed and its defaults filled in.

    :raises Refused: something in it is wrong by itself, whatever the cloud says
    """
    reason = request.reason.strip()
    if not reason:
        raise Refused(
            "A reason is needed; it is shown to everybody as the service's disabled reason.",
            code="reason_missing",
            field="reason",
        )
    if len(reason) > REASON_MAX:
        raise Refused(
            f"The reason is {len(reason)} characters long; Nova takes at most {REASON_MAX}.",
            code="reason_too_long",
            field="reason",
        )
    limit = request.max_concurrent
    if limit is None:
        limit = conf.max_concurrent()
    _check_pace(limit)
    _check_window(request.start_at, request.stop_at)
    action = request.timeout_action or conf.timeout_action()
    _check_timeout(action)
    _check_choices(request.choices)
    longest = max(map(len, request.notes.values()), default=0)
    if longest > NOTE_MAX:
        raise Refused(
            f"A note is {longest} characters long; {NOTE_MAX} are kept.",
            code="note_too_long",
            field="choices",
        )
    if request.order not in ORDERS:
        raise Refused(
            f"{request.order!r} is no order.",
            code="order_unknown",
            remedy=f"Choose one of: {', '.join(ORDERS)}.",
            field="order",
        )
    destination = request.destination.strip()
    if destination and request.follow_plan:
        raise Refused(
            "The instances can go to one named host or follow the plan, not both.",
            code="destination_and_plan",
            field="destination",
        )
    return replace(
        request,
        reason=reason,
        max_concurrent=limit,
        destination=destination,
        timeout_action=action,
    )


def _check_pace(limit: int) -> None:
    if not 1 <= limit <= conf.max_concurrent_ceiling():
        raise Refused(
            f"The number of migrations at once must be from 1 to {conf.max_concurrent_ceiling()}.",
            code="max_concurrent_out_of_range",
            field="max_concurrent",
        )


def _check_window(start_at: datetime | None, stop_at: datetime | None) -> None:
    for name, moment in (("start_at", start_at), ("stop_at", stop_at)):
        if moment is not None and timezone.is_naive(moment):
            raise Refused(
                f"{moment:%Y-%m-%d %H:%M} has no time zone.",
                code="window_without_zone",
                remedy="Name one, for example +00:00.",
                field=name,
            )
    if stop_at is not None and stop_at <= store.now():
        raise Refused("The end of the window is past.", code="window_is_over", field="stop_at")
    if start_at is not None and stop_at is not None and stop_at <= start_at:
        raise Refused("The window ends before it begins.", code="window_is_empty", field="stop_at")


def _may_time_out(actor: Actor, action: str) -> None:
    """What interrupts needs the right to interrupt, unless it is what the settings say."""
    rule = {TimeoutAction.ABORT: RULE_ABORT, TimeoutAction.FORCE: RULE_FORCE}.get(
        TimeoutAction(action)
    )
    if rule and action != conf.timeout_action():
        _require(actor, rule)


def _check_timeout(action: str) -> None:
    if action not in list(TimeoutAction):
        raise Refused(
            f"{action!r} is no timeout action.",
            code="timeout_action_unknown",
            remedy=f"Choose one of: {', '.join(TimeoutAction)}.",
            field="timeout_action",
        )


def _check_choices(choices: Mapping[str, str]) -> None:
    for server_id, choice in choices.items():
        if choice not in list(Choice):
            raise Refused(
                f"{choice!r} cannot be chosen for server {server_id}.",
                code="choice_unknown",
                remedy=f"Choose one of: {', '.join(c for c in Choice if c)}.",
                field="choices",
            )


def request_drain(actor: Actor, cloud: Cloud, request: DrainRequest) -> Drain:
    """Write a drain and its instance migrations to the queue; the worker does the rest.

    :raises Refused: with the reason and what can be done; nothing was changed
    """
    return request_drains(actor, cloud, [request])[0]


def request_drains(actor: Actor, cloud: Cloud, requests: Iterable[DrainRequest]) -> list[Drain]:
    """Several drains, all or none, in one transaction.

    Should two admins ask at the same moment, the one who comes second gets the refusal, and
    nothing of theirs is written.
    """
    _require(actor, RULE_DRAIN)
    ready = _ready(actor, cloud, requests)
    with store.in_turn(cloud.region):
        return [_write(actor, cloud.region, one, plan) for one, plan in ready]


def _ready(
    actor: Actor, cloud: Cloud, requests: Iterable[DrainRequest]
) -> list[tuple[DrainRequest, DrainPlan]]:
    """The requests, checked, each with its plan; all of them are planned together."""
    asked = [check_request(r) for r in requests]
    for one in asked:
        _may_time_out(actor, one.timeout_action or conf.timeout_action())
    if repeated := sorted({r.host for r in asked if [a.host for a in asked].count(r.host) > 1}):
        raise Refused(f"Host {repeated[0]} is named twice.", code="host_twice", field="host")
    _cloud_name(cloud.region)
    services = _services_for_a_plan(cloud)
    checked = []
    for one in asked:
        service = _service(services, one.host, cloud.region, cloud)
        _check_host(service, cloud.region, cloud)
        _check_destination(services, cloud.region, one.host, one.destination)
        if one.destination in {other.host for other in asked}:
            raise Refused(
                f"The destination {one.destination} is to be drained itself.",
                code="destination_is_drained",
                remedy="Choose another one, or leave the choice to the scheduler.",
                field="destination",
            )
        checked.append((one, service))
    hosts = frozenset(a.host for a in asked)
    wanted = [
        (
            service,
            PlanChoices(
                one.choices,
                move_locked=one.move_locked,
                max_concurrent=one.max_concurrent,
                destination=one.destination,
                drained_too=hosts,
            ),
        )
        for one, service in checked
    ]
    plans = make_plans(cloud, wanted, services)
    for (one, _), plan in zip(checked, plans, strict=True):
        _check_not_bare_metal(plan)
        if one.destination in plan.bare_metal:
            raise _destination_is_bare_metal(one.destination)
    return [(one, plan) for (one, _), plan in zip(checked, plans, strict=True)]


# -- several hosts as one plan ---------------------------------------------------------------

#: The most hosts of one plan.
PLAN_MAX_HOSTS = 100


@dataclass(frozen=True)
class PlanRequest:
    """Several hosts that are drained as one.

    :param hosts: in the order in which they are emptied
    :param each: what is asked for on each of them; its `host` is not looked at
    :param hosts_at_once: hosts whose instances move at a time; 0: all
    """

    hosts: tuple[str, ...]
    each: DrainRequest
    hosts_at_once: int = 1


@dataclass(frozen=True)
class HostSets:
    """The hosts of the region by what they can be chosen by."""

    zones: Mapping[str, tuple[str, ...]]
    aggregates: Mapping[str, tuple[str, ...]]


def host_sets(actor: Actor, cloud: Cloud) -> HostSets:
    """Which hosts an availability zone or an aggregate has: two requests, side by side.

    :raises CloudError: one of them failed
    """
    _require(actor, RULE_VIEW)
    found = cloud.try_side_by_side({"services": cloud.services, "aggregates": cloud.aggregates})
    for answer in found.values():
        if isinstance(answer, CloudError):
            raise answer
    zones: dict[str, list[str]] = {}
    for service in found["services"]:
        zones.setdefault(service.zone, []).append(service.host)
    known = {service.host for service in found["services"]}
    return HostSets(
        {zone: tuple(hosts) for zone, hosts in zones.items()},
        {a.name: tuple(h for h in a.hosts if h in known) for a in found["aggregates"]},
    )


def check_hosts(
    actor: Actor, cloud: Cloud, hosts: Iterable[str], choices: PlanChoices = NO_CHOICES
) -> list[DrainPlan]:
    """What a drain of all these hosts together would do; nothing is changed. What stands against
    the drain of a host itself is its plan's `refusal`.

    :raises UnknownHost: no compute service has exactly one of these names
    :raises Refused: a choice is none, there are too many hosts, or one is named twice
    """
    _require(actor, RULE_VIEW)
    names = _check_hosts_of_plan(hosts)
    _check_choices(choices.choices)
    services = _services_for_a_plan(cloud)
    found = [_service(services, name, cloud.region, cloud) for name in names]
    together = replace(choices, drained_too=choices.drained_too | frozenset(names))
    plans = make_plans(cloud, [(service, together) for service in found], services)
    return [replace(plan, refusal=_refusal(plan, cloud)) for plan in plans]


def _refusal(plan: DrainPlan, cloud: Cloud) -> Refused | None:
    try:
        _check_host(plan.service, cloud.region, cloud)
        _check_not_bare_metal(plan)
    except Refused as error:
        return error
    return None


def _check_hosts_of_plan(hosts: Iterable[str]) -> list[str]:
    names = list(hosts)
    if not names:
        raise Refused("No host is selected.", code="nothing_selected", field="hosts")
    if len(names) > PLAN_MAX_HOSTS:
        raise Refused(
            f"{len(names)} hosts are too many for one plan; it takes {PLAN_MAX_HOSTS}.",
            code="too_many_hosts",
            field="hosts",
        )
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(f"Host {repeated[0]} is named twice.", code="host_twice", field="hosts")
    return names


def request_plan(actor: Actor, cloud: Cloud, request: PlanRequest) -> Plan:
    """Write a plan and its drains to the queue, all or nothing. The worker disables all their
    services before the first instance moves, so that none moves twice.

    :raises Refused: with the reason and what can be done; nothing was changed
    """
    _require(actor, RULE_DRAIN)
    names = _check_hosts_of_plan(request.hosts)
    if not 0 <= request.hosts_at_once <= PLAN_MAX_HOSTS:
        raise Refused(
            f"The number of hosts at a time must be from 0 (all) to {PLAN_MAX_HOSTS}.",
            code="hosts_at_once_out_of_range",
            field="hosts_at_once",
        )
    ready = _ready(actor, cloud, [replace(request.each, host=name) for name in names])
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
            _write(actor, cloud.region, one, drain_plan, plan, order)
    return plan


@dataclass(frozen=True)
class PlanReport:
    """A plan with its drains and their counts, in its order, from the database alone."""

    plan: Plan
    drains: list[Drain]
    counts: Mapping[int, store.Counts]
    worker: store.WorkerStatus
    now: datetime = field(default_factory=store.now)

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
        )

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
    return PlanReport(plan, drains, store.counts(d.pk for d in drains), worker_status(actor))


def get_plan(actor: Actor, plan_id: int) -> Plan:
    """One plan.

    :raises Refused: there is no such plan
    """
    _require(actor, RULE_VIEW)
    plan = store.plan(plan_id)
    if plan is None:
        raise Refused(f"There is no plan {plan_id}.", code="unknown_plan")
    return plan


class PlanAnswer(NamedTuple):
    """What became of something that was asked for all drains of a plan.

    :ivar why: why it was not done with this one, or empty
    :ivar expected: that was clear from the drain's state: it is over, or nothing of it failed
    """

    drain: Drain
    why: str
    expected: bool


def steer_plan(actor: Actor, plan_id: int, verb: DrainVerb, **options: Any) -> list[PlanAnswer]:
    """Pause, resume, cancel or retry all drains of a plan in which that can be done.

    :param options: for a cancel, see :func:`cancel_drain`
    :raises Refused: there is no such plan, or it can be done with none of its drains
    :raises NotAllowed: for one of its drains at least; then nothing is done with any
    """
    _require(actor, steering.RULE_OF_DRAIN[verb])
    if verb is DrainVerb.CHANGE:
        raise Refused("The drains of a plan are changed one by one.", code="cannot_change")
    plan = store.plan(plan_id)
    if plan is None:
        raise Refused(f"There is no plan {plan_id}.", code="unknown_plan")
    act: Callable[..., Any] = {
        DrainVerb.PAUSE: pause_drain,
        DrainVerb.RESUME: resume_drain,
        DrainVerb.CANCEL: cancel_drain,
        DrainVerb.RETRY: retry_failed,
    }[verb]
    answers: list[PlanAnswer] = []
    drains = list(store.drains_of_plan(plan_id))
    if verb is DrainVerb.PAUSE:
        drains.reverse()  # so that none begins because the one before it was paused
    if verb is DrainVerb.CANCEL:
        for drain in drains:
            if not steering.drain_objection(verb, drain):
                _require_cancel(actor, drain, options.get("abort", False), options.get("enable"))
    for drain in drains:
        why = steering.drain_objection(verb, drain)
        expected = bool(why)
        if not why:
            try:
                act(actor, drain.pk, **options)
            except Refused as error:
                why, expected = str(error), error.code == "nothing_failed"
        answers.append(PlanAnswer(drain, why, expected))
    if all(answer.why for answer in answers):
        telling = next((answer for answer in answers if not answer.expected), answers[0])
        raise Refused(telling.why, code=f"cannot_{verb.value}")
    return answers


def _write(
    actor: Actor,
    region: str,
    request: DrainRequest,
    plan: DrainPlan,
    plan_row: Plan | None = None,
    order: int = 0,
) -> Drain:
    """Write what was planned. What something around it stands against enters as blocked, and
    the worker looks at it again."""
    sign = -1 if request.order == LARGEST_FIRST else 1
    ordered = sorted(
        plan.planned, key=lambda p: (sign * p.server.memory_bytes, p.server.name, p.server.id)
    )
    entries = [
        store.Entry(
            one.server,
            one.verdict,
            one.wishes.choice.value,
            request.notes.get(one.server.id, ""),
            one.group,
            one.planned_host,
        )
        for one in ordered
    ]
    service = plan.service
    names = {p.server.project_id: p.project_name for p in plan.planned}
    try:
        return store.create_drain(
            region=region,
            host=service.host,
            service_id=service.id,
            reason=request.reason,
            max_concurrent=request.max_concurrent or conf.max_concurrent(),
            destination=request.destination,
            actor_id=actor.id,
            actor=str(actor),
            planned=entries,
            follow_plan=request.follow_plan,
            move_locked=request.move_locked,
            project_names=names,
            now=store.now(),
            start_at=request.start_at,
            stop_at=request.stop_at,
            timeout_action=request.timeout_action or conf.timeout_action(),
            plan=plan_row,
            plan_order=order,
        )
    except store.DrainExists as error:
        raise _drain_open(service.host, error.drain) from error
    except store.BeingReturned as error:
        raise _being_returned(error.maintenance) from error
    except store.IsDestination as error:
        raise _is_destination(service.host, error.drain) from error
    except store.DestinationAway as error:
        raise _destination_away(error) from error


def _is_destination(host: str, drain: Drain) -> Refused:
    return Refused(
        f"Drain {drain.pk} of {drain.host}, requested by {drain.requested_by}, sends instances to"
        f" host {host}.",
        code="host_is_destination",
        remedy="Wait until that is over, or cancel it first.",
        field="host",
        drain_id=drain.pk,
    )


def _destination_away(error: store.DestinationAway) -> Refused:
    if error.drain is None:
        return Refused(
            f"The destination {error.host} is in maintenance.",
            code="destination_in_maintenance",
            remedy="Return it to service first, choose another one, or leave the choice to the"
            " scheduler.",
            field="destination",
        )
    return Refused(
        f"The destination {error.host} is being drained itself.",
        code="destination_is_drained",
        remedy="Choose another one, or leave the choice to the scheduler.",
        field="destination",
        drain_id=error.drain.pk,
    )


def _service(
    services: list[Service], host: str, region: str, cloud: Cloud | None = None
) -> Service:
    found = [s for s in services if s.host == host]
    if not found:
        raise UnknownHost(
            f"There is no compute host named {host!r} in region {region or '(default)'}.",
            code="unknown_host",
            remedy=f"{_also_known_as(cloud, host)}Host names are compared exactly; take the name"
            " from the list of hosts.",
            field="host",
        )
    return found[0]


def _also_known_as(cloud: Cloud | None, host: str) -> str:
    """Whose hypervisor that of a host is that is down or not known, in a sentence, or empty: the
    service was renamed, or the hypervisor's name was taken for the host's."""
    if cloud is None:
        return ""
    try:
        found = h.same_machine(host, cloud.hypervisors())
    except CloudError:
        return ""
    if found is None:
        return ""
    return (
        f"Its hypervisor {found.hypervisor_hostname} belongs to the service of host {found.host}:"
        " drain that one. "
    )


def _check_host(service: Service, region: str, cloud: Cloud | None = None) -> None:
    if not service.is_known:
        raise Refused(
            f"Nova does not reach the cell of host {service.host}, so its state is unknown.",
            code="host_unknown",
            remedy="Bring the cell back first.",
            field="host",
        )
    if not service.is_up:
        how = "was forced down" if service.forced_down else "is down"
        raise Refused(
            f"Host {service.host} {how}: live migration needs both hosts alive.",
            code="host_down",
            remedy=f"{_also_known_as(cloud, service.host)}Bring it back. Or, but only after it is"
            " certain that the machine is off (fenced), use evacuation (openstack server evacuate):"
            " while it still runs, a second copy of each guest would start on the same disk.",
            field="host",
        )
    if open_drain := store.open_drain_of(region, service.host):
        raise _drain_open(service.host, open_drain)
    maintenance = store.open_maintenance(region, service.host)
    if maintenance and maintenance.returning_since:
        raise _being_returned(maintenance)
    try:
        store.check_no_destination(region, service.host)
    except store.IsDestination as error:
        raise _is_destination(service.host, error.drain) from error


def _check_not_bare_metal(plan: DrainPlan) -> None:
    host = plan.service.host
    if host in plan.bare_metal:
        raise Refused(
            f"The instances of host {host} are bare metal nodes of Ironic's: Nova moves them in no"
            " way.",
            code="bare_metal",
            remedy="Take a node out of service in Ironic (openstack baremetal node maintenance"
            " set), after its owner has moved what runs on it.",
            field="host",
        )


def _destination_is_bare_metal(host: str) -> Refused:
    return Refused(
        f"The nodes of the destination {host} are bare metal (Ironic): no instance can go there.",
        code="destination_bare_metal",
        remedy="Choose another one, or leave the choice to the scheduler.",
        field="destination",
    )


def _being_returned(maintenance: HostMaintenance) -> Refused:
    return Refused(
        f"Host {maintenance.host} is being given back to service (asked for by"
        f" {maintenance.returned_by}).",
        code="host_returning",
        remedy="Wait until that is over, then drain it again.",
        field="host",
    )


def _drain_open(host: str, drain: Drain | None) -> Refused:
    number = f" (drain {drain.pk}, asked for by {drain.requested_by})" if drain else ""
    if drain and drain.direction == Direction.BACK:
        return Refused(
            f"Instances are being brought back to host {host}{number}.",
            code="drain_open",
            remedy="Wait until that is over, or cancel it first.",
            field="host",
            drain_id=drain.pk,
        )
    return Refused(
        f"Host {host} is being drained already{number}.",
        code="drain_open",
        remedy="Watch that drain, or cancel it first.",
        field="host",
        drain_id=drain.pk if drain else None,
    )


def _check_destination(services: list[Service], region: str, host: str, name: str) -> None:
    """Whether the instances of a host can be sent to another one, where one is named."""
    if not name:
        return
    try:
        store.check_destination(region, name)
    except store.DestinationAway as error:
        raise _destination_away(error) from error
    if name == host:
        raise Refused(
            "The destination is the host that is to be drained.",
            code="destination_is_source",
            field="destination",
        )
    found = [s for s in services if s.host == name]
    if not found:
        raise Refused(
            f"There is no compute host named {name!r} to go to.",
            code="destination_unknown",
            remedy="Host names are compared exactly.",
            field="destination",
        )
    if not found[0].is_up:
        raise Refused(
            f"The destination {name} is down.", code="destination_down", field="destination"
        )
    if found[0].status != "enabled":
        why = f": {found[0].disabled_reason}" if found[0].disabled_reason else ""
        raise Refused(
            f"The destination {name} is disabled{why}.",
            code="destination_disabled",
            remedy="Choose another one, or leave the choice to the scheduler.",
            field="destination",
        )


def check_destination(actor: Actor, cloud: Cloud, hosts: Iterable[str], destination: str) -> None:
    """Whether the instances of all these hosts can be sent to one host, where one is named.

    :raises Refused: they cannot, with the reason
    """
    _require(actor, RULE_VIEW)
    for host in hosts if destination else ():
        _check_destination(cloud.services(destination), cloud.region, host, destination)


# -- steering --------------------------------------------------------------------------------

#: How often a change is tried again that a worker or another admin was faster than.
TRIES = 5


def _wants_enabled(drain: Drain, enable: bool | None) -> bool:
    """Whether the service is to be enabled after a cancel, see :func:`cancel_drain`."""
    if enable is not None:
        return enable
    return drain.cancel_enable if drain.state == DrainState.CANCELLING else drain.did_disable


def _require_cancel(actor: Actor, drain: Drain, abort: bool, enable: bool | None) -> None:
    """:raises NotAllowed: the actor may not cancel it in this way"""
    _require(actor, RULE_CANCEL)
    if abort:
        _require(actor, RULE_ABORT)
    if _wants_enabled(drain, enable) and not drain.did_disable:
        # An earlier drain disabled it: that is a return to service.
        _require(actor, RULE_RETURN)


def cancel_drain(
    actor: Actor, drain_id: int, *, abort: bool = False, enable: bool | None = None
) -> Drain:
    """Start nothing new; what flies lands, or is aborted; then the drain is over, in bounded time
    (settings CANCEL_WAIT_SECONDS, ABORT_WAIT_SECONDS).

    Cancelling one that is being cancelled changes what is chosen otherwise: what flies can be
    aborted after all, and the service enabled or left.

    :param abort: whether what flies is aborted
    :param enable: whether the service is enabled again, if its reason is still the one that we
        wrote; None: as it was before this drain
    :raises Refused: there is no such drain, or it is over
    """
    _require(actor, RULE_CANCEL)
    if abort:
        _require(actor, RULE_ABORT)

    def cancel(drain: Drain) -> None:
        if drain.state in DRAIN_TERMINAL:
            raise Refused(f"Drain {drain_id} is over ({drain.state}).", code="drain_over")
        again = drain.state == DrainState.CANCELLING
        before, wanted = _wants_enabled(drain, None), _wants_enabled(drain, enable)
        _require_cancel(actor, drain, abort, enable)
        if again and wanted == before and (drain.cancel_abort or not abort):
            return
        aborts = abort or (again and drain.cancel_abort)
        store.cancel_drain(drain, actor, store.now(), abort=aborts, enable=wanted)

    return _change(actor, drain_id, RULE_CANCEL, cancel)


def pause_drain(actor: Actor, drain_id: int) -> Drain:
    """Start nothing new; what flies lands. One that has not begun is put on hold.

    :raises Refused: there is no such drain, or it is over or being cancelled
    """
    _require(actor, RULE_STEER)

    def pause(drain: Drain) -> None:
        if drain.state != DrainState.PAUSED:
            _object(DrainVerb.PAUSE, drain)
            store.pause_drain(drain, actor, store.now())

    return _change(actor, drain_id, RULE_STEER, pause)


def resume_drain(actor: Actor, drain_id: int) -> Drain:
    """Go on with a drain that is paused. A window that is over is forgotten.

    :raises Refused: there is no such drain, or it is not paused
    """
    _require(actor, RULE_STEER)

    def resume(drain: Drain) -> None:
        _cloud_name(drain.region)
        if drain.state not in (DrainState.RUNNING, DrainState.PENDING):
            _object(DrainVerb.RESUME, drain)
            store.resume_drain(drain, actor, store.now())

    return _change(actor, drain_id, RULE_STEER, resume)


class _Unchanged:
    """Stands for what is not to be changed, where None means something."""


UNCHANGED = _Unchanged()


@dataclass(frozen=True)
class DrainChange:
    """What of a drain is to be changed while it is open; see :class:`DrainRequest`.

    `None` takes an end of the window away.
    """

    max_concurrent: int | None = None
    timeout_action: str | None = None
    start_at: datetime | _Unchanged | None = UNCHANGED
    stop_at: datetime | _Unchanged | None = UNCHANGED


def change_drain(actor: Actor, drain_id: int, change: DrainChange) -> Drain:
    """Change the pace, the window or the timeout of a drain while it runs, waits or is paused.

    :raises Refused: a value is wrong, or the drain is over or being cancelled
    """
    _require(actor, RULE_STEER)

    def adjust(drain: Drain) -> None:
        _object(DrainVerb.CHANGE, drain)
        _cloud_name(drain.region)
        fields: dict[str, object] = {}
        said = []
        limit = change.max_concurrent
        if limit is not None and limit != drain.max_concurrent:
            _check_pace(limit)
            fields["max_concurrent"] = limit
            said.append(f"{limit} migrations at once, was {drain.max_concurrent}")
        action = change.timeout_action
        if action is not None and action != drain.timeout_action:
            _check_timeout(action)
            _may_time_out(actor, action)
            fields["timeout_action"] = action
            said.append(f"timeout action {action}, was {drain.timeout_action}")
        window = {
            name: value
            for name, value in (("start_at", change.start_at), ("stop_at", change.stop_at))
            if not isinstance(value, _Unchanged) and value != getattr(drain, name)
        }
        if window:
            if "start_at" in window and drain.started_at is not None:
                raise Refused(
                    "The drain has begun; the time of its beginning cannot be changed any more.",
                    code="window_has_begun",
                    field="start_at",
                )
            start_at = window.get("start_at", drain.start_at)
            stop_at = window.get("stop_at", drain.stop_at)
            _check_window(start_at, stop_at if "stop_at" in window else None)
            if start_at is not None and stop_at is not None and stop_at <= start_at:
                raise Refused(
                    "The window ends before it begins.", code="window_is_empty", field="start_at"
                )
            fields |= window
            said += [
                _window_change(WINDOW_WORDS[name], getattr(drain, name), value)
                for name, value in window.items()
            ]
        if fields:
            text = "; ".join(said)
            store.adjust_drain(drain, actor, store.now(), text, **fields)

    return _change(actor, drain_id, RULE_STEER, adjust)


#: what the ends of a window are called in the record
WINDOW_WORDS = {"start_at": "window start", "stop_at": "window end"}


def _window_change(end: str, before: datetime | None, after: datetime | None) -> str:
    was = f", was {_iso(before)}" if before else ""
    return f"{end} {_iso(after) or 'removed'}{was}"


def _object(verb: DrainVerb, drain: Drain) -> None:
    if why := steering.drain_objection(verb, drain):
        raise Refused(f"Drain {drain.pk}: {why}", code=f"cannot_{verb.value}")


def _change(actor: Actor, drain_id: int, rule: str, change: Callable[[Drain], None]) -> Drain:
    """Read a drain and change it; again where a worker or another admin was faster."""
    for _ in range(TRIES):
        drain = get_drain(actor, drain_id, rule=rule)
        try:
            change(drain)
        except StaleState:
            continue
        return drain
    raise Refused(
        f"Drain {drain_id} changes too fast to be changed.", code="busy", remedy="Try again."
    )


def evidence(actor: Actor, cloud: Cloud, drain_id: int, row_id: int) -> Evidence:
    """What is known of where the guest of an instance in ERROR runs: read now, five requests.

    :raises Refused: no such drain or instance, or nothing of it is to be reset
    """
    _require(actor, RULE_VIEW)
    drain = get_drain(actor, drain_id)
    row = store.migrations(drain).filter(pk=row_id).first()
    if row is None:
        raise Refused(
            f"Instance {row_id} is not part of drain {drain_id}.",
            code="unknown_instance",
            remedy="Reload the page.",
        )
    if row.state != MigrationState.UNKNOWN or row.code not in steering.RESETTABLE:
        raise Refused(
            f"{row.server_name}: {steering.objection(Verb.RESET, row, drain)}",
            code="cannot_reset",
        )
    return inquire(cloud, row)


@dataclass(frozen=True)
class Steered:
    """What became of a request for several instances.

    :param done: those for which it was written down; what Nova makes of it is seen on the page
    :param refused: those for which it was not, and why
    """

    done: tuple[InstanceMigration, ...] = ()
    refused: tuple[tuple[InstanceMigration, str], ...] = ()


def steer(
    actor: Actor,
    drain_id: int,
    verb: Verb,
    row_ids: Iterable[int],
    *,
    destination: str = "",
    cloud: Cloud | None = None,
) -> Steered:
    """Ask for something for instances of a drain, each by itself: one that is refused does not
    keep the others from it.

    :param row_ids: ids of instance migrations of this drain
    :param destination: for a retry, the host that they are to go to, compared exactly
    :param cloud: to check the destination with; needed where one is named
    :raises Refused: no such drain or instance, or the destination cannot be used; or all were
        refused: with the reason of the first
    """
    rule = steering.RULE_OF[verb]
    _require(actor, rule)
    drain = get_drain(actor, drain_id, rule=rule)
    if verb is not Verb.SKIP:  # which asks for nothing of a worker
        _cloud_name(drain.region)
    wanted = list(dict.fromkeys(row_ids))
    found = {row.pk: row for row in store.migrations(drain) if row.pk in set(wanted)}
    if missing := [pk for pk in wanted if pk not in found]:
        raise Refused(
            f"Instance {missing[0]} is not part of drain {drain_id}.",
            code="unknown_instance",
            remedy="Reload the page.",
        )
    if not wanted:
        raise Refused("No instance is selected.", code="nothing_selected")
    if destination:
        _check_retry_destination(verb, cloud, drain, destination)
    # What is put first keeps its order among those that are put first with it.
    order = reversed(wanted) if verb is Verb.FIRST else wanted
    done, refused = [], []
    for pk in order:
        row = found[pk]
        if why := _steer_one(actor, drain, verb, row, destination):
            refused.append((row, why))
        else:
            done.append(row)
    if refused and not done:
        row, why = refused[0]
        raise Refused(f"{row.server_name}: {why}", code=f"cannot_{verb.value}")
    return Steered(tuple(done), tuple(refused))


def retry_failed(actor: Actor, drain_id: int) -> Steered:
    """Try all instances again that failed; a drain that is over goes on.

    :raises Refused: nothing failed that can be tried again, or the drain was cancelled
    """
    _require(actor, RULE_STEER)
    drain = get_drain(actor, drain_id, rule=RULE_STEER)
    _object(DrainVerb.RETRY, drain)
    _cloud_name(drain.region)
    failed = [
        row.pk
        for row in store.migrations(drain)
        if row.state == MigrationState.FAILED and not steering.objection(Verb.RETRY, row, drain)
    ]
    if not failed:
        raise Refused(
            f"Nothing of drain {drain_id} failed that can be tried again.", code="nothing_failed"
        )
    return steer(actor, drain_id, Verb.RETRY, failed)


def _steer_one(
    actor: Actor, drain: Drain, verb: Verb, row: InstanceMigration, destination: str
) -> str:
    """Why it is not done, or empty. What a worker or another admin changed meanwhile is judged
    anew."""
    for _ in range(TRIES):
        if why := steering.objection(verb, row, drain):
            return why
        try:
            _ask(actor, drain, verb, row, destination)
            return ""
        except store.DrainExists as error:
            return str(_drain_open(drain.host, error.drain))
        except store.BeingReturned as error:
            return str(_being_returned(error.maintenance))
        except store.DestinationAway as error:
            return str(_destination_away(error))
        except store.IsDestination as error:
            return str(_is_destination(drain.host, error.drain))
        except store.GivenBack:
            return (
                "The host was given back to service since this drain ended; what runs on it now"
                " was never part of it. Drain the host again."
            )
        except StaleState:
            drain.refresh_from_db()
            row.refresh_from_db()
    return "It changes too fast; try again."


def _ask(actor: Actor, drain: Drain, verb: Verb, row: InstanceMigration, destination: str) -> None:
    now = store.now()
    match verb:
        case Verb.ABORT:
            store.make_wish(drain, row, Wish.ABORT, actor, now)
        case Verb.FORCE:
            store.make_wish(drain, row, Wish.FORCE, actor, now)
        case Verb.RESET:
            store.make_wish(drain, row, Wish.RESET, actor, now)
        case Verb.RETRY:
            store.retry_instance(drain, row, actor, now, destination)
        case Verb.SKIP:
            store.skip_instance(drain, row, actor, now)
        case Verb.FIRST:
            store.put_first(drain, row, actor, now)


def _check_retry_destination(
    verb: Verb, cloud: Cloud | None, drain: Drain, destination: str
) -> None:
    if verb is not Verb.RETRY or cloud is None:
        raise Refused(
            "A destination can be named for a retry alone.",
            code="destination_not_taken",
            field="destination",
        )
    if drain.destination and drain.destination != destination:
        raise Refused(
            f"All instances of this run go to {drain.destination}.",
            code="destination_is_set",
            field="destination",
        )
    services = cloud.services(destination)
    _check_destination(services, drain.region, drain.host, destination)
    if is_bare_metal(cloud, destination):
        raise _destination_is_bare_metal(destination)


def get_drain(actor: Actor, drain_id: int, *, rule: str = RULE_VIEW) -> Drain:
    """One drain.

    :raises Refused: there is no such drain
    """
    _require(actor, rule)
    drain = store.drain(drain_id)
    if drain is None:
        raise Refused(f"There is no drain {drain_id}.", code="unknown_drain")
    return drain


def open_drains(actor: Actor) -> list[Drain]:
    """The drains under way in all regions, newest first."""
    _require(actor, RULE_VIEW)
    return list(store.drains().exclude(state__in=[s.value for s in DRAIN_TERMINAL]))


@dataclass(frozen=True)
class DrainReport:
    """A drain with its instances and their counts, as of one moment, from the database alone."""

    drain: Drain
    migrations: list["store.InstanceMigration"]
    counts: store.Counts
    worker: store.WorkerStatus
    now: datetime = field(default_factory=store.now)
    #: how long it still takes; None where it is over, or nothing is left to be moved
    forecast: Forecast | None = None
    #: whether what failed can be tried again as far as the host is concerned
    may_go_on: bool = True
    #: when each copy under way times out and what becomes of it then, by the row's id
    timeouts: Mapping[int, TimeoutOutlook] = field(default_factory=dict)


def drain_report(actor: Actor, drain_id: int) -> DrainReport:
    """Everything that the drain page and `drain_status` show. Nova is not asked."""
    drain = get_drain(actor, drain_id)
    rows = list(store.migrations(drain))
    now = store.now()
    return DrainReport(
        drain,
        rows,
        store.counts_of(drain, rows),
        worker_status(actor),
        now=now,
        forecast=_forecast(drain, rows),
        may_go_on=drain.state != DrainState.FAILED or store.may_reopen(drain),
        timeouts=_timeouts(drain, rows, now),
    )


def _timeouts(
    drain: Drain, rows: list[InstanceMigration], now: datetime
) -> dict[int, TimeoutOutlook]:
    bounds = TimeoutBounds(conf.timeout_seconds_per_gib(), conf.timeout_min_seconds())
    found = {row.pk: timeout_outlook(row, drain.timeout_action, bounds, now) for row in rows}
    return {pk: outlook for pk, outlook in found.items() if outlook is not None}


#: What a copy that does not end as things are is called (core.convergence).
_ENDLESS = frozenset({"not_converging", "stalled"})


def _forecast(drain: Drain, rows: list[InstanceMigration]) -> Forecast | None:
    """From what this region has shown so far, and from what is under way. A migration that does
    not end as it goes makes it infinite."""
    if drain.state in DRAIN_TERMINAL:
        return None
    now = store.now()
    waiting: list[int] = []
    flying: list[float | tuple[int, float]] = []
    for row in rows:
        runs = row.state in MIGRATION_UNDER_WAY and row.running_since is not None
        if row.course in _ENDLESS and runs:
            flying.append(math.inf)
        elif runs and row.seconds_left is not None:
            flying.append(row.seconds_left)
        elif runs:
            flying.append((row.memory_bytes, (now - row.running_since).total_seconds()))
        elif row.state in MIGRATION_UNDER_WAY or row.state == MigrationState.PENDING:
            waiting.append(row.memory_bytes)
    if not waiting and not flying:
        return None
    at_once = min(drain.max_concurrent, drain.learned_limit or drain.max_concurrent)
    return forecast(waiting, flying, at_once, store.learned_rate(drain.region))


# -- safe to power off -----------------------------------------------------------------------

#: The version of :func:`certificate_document`: raised where a key changes its meaning or goes.
CERTIFICATE_SCHEMA = 1


def _verified_after(now: datetime) -> datetime:
    """What was verified before is not called safe."""
    return now - timedelta(seconds=conf.certificate_seconds())


@dataclass(frozen=True)
class Certificate:
    """Whether a host is safe to power off, as of one moment, from the database alone.

    :param maintenance: the open one, or None where the host is not in maintenance
    :param checks: what the last verification found, in the order in which it is shown
    :param verified_at: when that verification began; None: there was none
    :param valid_until: after this it is too old to be believed
    :param safe: every check held, and the verification is new enough, and the host is neither
        drained nor given back meanwhile
    :param safe_since: since when every verification found it safe; None where it is not
    :param why_not: why it is not safe, in words; empty where it is
    :param open_drain: the drain under way, or None
    :param drains: the drains of this maintenance, oldest first
    :param lasts_seconds: how long a verification is believed, and so how long the next one is
        worth waiting for
    """

    host: str
    region: str
    maintenance: HostMaintenance | None
    checks: tuple[Check, ...] = ()
    verified_at: datetime | None = None
    valid_until: datetime | None = None
    safe: bool = False
    safe_since: datetime | None = None
    withdrawn_at: datetime | None = None
    withdrawn_why: str = ""
    why_not: str = ""
    open_drain: Drain | None = None
    drains: tuple[Drain, ...] = ()
    now: datetime = field(default_factory=store.now)
    lasts_seconds: float = 0

    @property
    def stale(self) -> bool:
        """Whether the last verification is too old to be believed, or dated ahead of the clock."""
        if self.verified_at is None or self.valid_until is None:
            return False
        return not self.verified_at <= self.now <= self.valid_until

    @property
    def drained_by(self) -> tuple[str, ...]:
        """Who asked for the drains, each once, in their order."""
        return tuple(dict.fromkeys(drain.requested_by for drain in self.drains))

    @property
    def drain_ids(self) -> tuple[int, ...]:
        return tuple(drain.pk for drain in self.drains)


def certificate(actor: Actor, region: str, host: str) -> Certificate:
    """Whether exactly this host is safe to power off. OpenStack is not asked: the worker does
    that all the time."""
    _require(actor, RULE_VIEW)
    maintenance = store.open_maintenance(region, host)
    open_drain = store.open_drain_of(region, host)
    now = store.now()  # after it is read: what was recorded meanwhile is not of the future
    if maintenance is None:
        return Certificate(
            host,
            region,
            None,
            why_not="The host is not in maintenance.",
            open_drain=open_drain,
            now=now,
            lasts_seconds=conf.certificate_seconds(),
        )
    verified_at = maintenance.verified_at
    lasts = timedelta(seconds=conf.certificate_seconds())
    checks = from_json(maintenance.checks)
    safe = open_drain is None and store.is_safe(maintenance, _verified_after(now))
    return Certificate(
        host,
        region,
        maintenance,
        checks=tuple(checks),
        verified_at=verified_at,
        valid_until=verified_at + lasts if verified_at else None,
        safe=safe,
        safe_since=maintenance.safe_since if safe else None,
        withdrawn_at=maintenance.withdrawn_at,
        withdrawn_why=maintenance.withdrawn_why,
        why_not="" if safe else _why_not_safe(maintenance, open_drain, checks, now),
        open_drain=open_drain,
        drains=tuple(store.drains_in(maintenance)),
        now=now,
        lasts_seconds=lasts.total_seconds(),
    )


def _why_not_safe(
    maintenance: HostMaintenance, open_drain: Drain | None, checks: Iterable[Check], now: datetime
) -> str:
    if maintenance.returning_since:
        return "The host is being given back to service."
    if open_drain:
        return f"The host is being drained (drain {open_drain.pk})."
    if maintenance.verified_at is None:
        return "It was not verified yet."
    if maintenance.verified_at > now:
        return (
            f"It was last verified at {_iso(maintenance.verified_at)}, which is still to come: the"
            " clock of the database was set back, so how long ago that was is not known."
            " Is a worker running?"
        )
    if maintenance.verified_at < _verified_after(now):
        seconds = int((now - maintenance.verified_at).total_seconds())
        trouble = maintenance.message.startswith(h.TROUBLES)
        return (
            f"It was last verified {seconds} s ago, which is too long."
            f" {maintenance.message if trouble else 'Is a worker running?'}"
        )
    return h.why_not_safe(checks, maintenance.withdrawn_why)


def certificate_document(actor: Actor, region: str, host: str) -> dict[str, Any]:
    """The certificate for programs and for the files. Times are ISO 8601 in UTC; what is not
    known is null."""
    return document_of(actor, certificate(actor, region, host))


def document_of(actor: Actor, found: Certificate) -> dict[str, Any]:
    """:func:`certificate_document` of a certificate that was read already."""
    _require(actor, RULE_VIEW)
    maintenance = found.maintenance
    return {
        "schema": CERTIFICATE_SCHEMA,
        "host": found.host,
        "region": found.region,
        "written_at": _iso(found.now),
        "safe_to_power_off": found.safe,
        "why_not": found.why_not or None,
        "safe_since": _iso(found.safe_since),
        "verified_at": _iso(found.verified_at),
        "valid_until": _iso(found.valid_until),
        "withdrawn_at": _iso(found.withdrawn_at),
        "withdrawn_why": found.withdrawn_why or None,
        "checks": list(maintenance.checks) if maintenance else [],
        "scope": SCOPE,
        "maintenance": {
            "id": maintenance.pk,
            "service_id": maintenance.service_id,
            "found_status": maintenance.found_status,
            "found_reason": maintenance.found_reason or None,
            "our_reason": maintenance.our_reason or None,
            "disabled_at": _iso(maintenance.disabled_at),
            "opened_at": _iso(maintenance.opened_at),
            "returning_since": _iso(maintenance.returning_since),
            "message": maintenance.message,
        }
        if maintenance
        else None,
        "drains": [
            {
                "id": drain.pk,
                "state": drain.state,
                "result": drain.result or None,
                "reason": drain.reason,
                "requested_by": drain.requested_by,
                "created_at": _iso(drain.created_at),
                "finished_at": _iso(drain.finished_at),
            }
            for drain in found.drains
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def host_maintenance(actor: Actor, region: str, host: str) -> HostMaintenance | None:
    """The maintenance of exactly this host that is open, or the last one; None: it had none."""
    _require(actor, RULE_VIEW)
    return store.newest_maintenance(region, host)


def is_listed(actor: Actor, cloud: Cloud, host: str) -> bool:
    """Whether Nova lists a compute service of exactly this host.

    :raises UnknownHost: it does not, and there is no record of the host either
    """
    _require(actor, RULE_VIEW)
    if cloud.service(host) is not None:
        return True
    if not store.is_recorded(cloud.region, host):
        _service([], host, cloud.region)
    return False


def check_recorded(actor: Actor, region: str, host: str) -> None:
    """:raises UnknownHost: this host was never drained or in maintenance, as far as is kept"""
    _require(actor, RULE_VIEW)
    if not store.is_recorded(region, host):
        raise UnknownHost(
            f"There is no record of a host named {host!r} in region {region or '(default)'}.",
            code="unknown_host",
            remedy="Host names are compared exactly; take the name from the list of hosts.",
            field="host",
        )


def get_maintenance(actor: Actor, maintenance_id: int) -> HostMaintenance:
    """One maintenance, open or over.

    :raises Refused: there is no such one
    """
    _require(actor, RULE_VIEW)
    found = store.maintenance(maintenance_id)
    if found is None:
        raise Refused(f"There is no maintenance {maintenance_id}.", code="unknown_maintenance")
    return found


# -- allocations that are left behind -------------------------------------------------------


def host_allocations(actor: Actor, cloud: Cloud, host: str) -> list[Orphan]:
    """Everything that Placement shows on exactly this host, and of each whether it holds anything.
    Some five requests, and up to six for each consumer.

    :raises UnknownHost: Nova does not name the host's hypervisor
    """
    _require(actor, RULE_VIEW)
    providers = _providers(cloud, host)
    allocations = cloud.allocations_on(sorted(h.id for h in cloud.hypervisors_of(host) if h.id))
    records = {m.uuid: m for m in cloud.migrations_touching(host) if m.uuid}
    consumers = dict.fromkeys(a.consumer_id for a in allocations)
    return [_weigh(cloud, host, providers, records, consumer) for consumer in consumers]


def _providers(cloud: Cloud, host: str) -> frozenset[str]:
    providers = cloud.providers_of(host)
    if not providers:
        raise UnknownHost(
            f"Nova does not name the hypervisor of host {host!r}, so that what is held of it is not"
            " known.",
            code="unknown_host",
            remedy="Host names are compared exactly; take the name from the list of hosts.",
            field="host",
        )
    return providers


def _weigh(
    cloud: Cloud,
    host: str,
    providers: frozenset[str],
    records: Mapping[str, Migration],
    consumer_id: str,
) -> Orphan:
    """Read what is to be known of one consumer, what it holds last."""
    record = records.get(consumer_id)
    server, own, migrations = None, None, []
    there: frozenset[str] = frozenset()
    if record is not None:
        server = cloud.server(record.server_id)
        migrations = cloud.migrations_of(record.server_id)
        own = cloud.allocations_of(record.server_id)
        if server is not None and server.host and server.host != host:
            there = cloud.providers_of(server.host)
    consumer = cloud.allocations_of(consumer_id)
    return weigh(OrphanSight(host, providers, record, server, there, own, migrations, consumer))


def remove_allocation(actor: Actor, cloud: Cloud, host: str, consumer_id: str) -> Orphan:
    """Remove what a consumer holds of a host in maintenance, where that is proved, now, to hold
    nothing.

    The one change that is made with the caller's own rights and at once, and not by a worker: it
    is a single request that Placement takes only of what was just read (the consumer's
    generation), so that nothing of it can be left half done, come late, or happen twice.

    :raises Refused: the host is not in maintenance, or the allocation holds something
    :raises CloudConflict: it changed while it was looked at; nothing was done
    """
    _require(actor, RULE_RESET)
    maintenance = store.open_maintenance(cloud.region, host)
    if maintenance is None:
        raise Refused(f"Host {host} is not in maintenance.", code="no_maintenance", field="host")
    records = {m.uuid: m for m in cloud.migrations_touching(host) if m.uuid}
    found = _weigh(cloud, host, _providers(cloud, host), records, consumer_id)
    if not found.removable:
        failed = " ".join(check.text for check in found.checks if not check.passed)
        raise Refused(
            f"The allocation of consumer {consumer_id} is not proved to hold nothing: {failed}",
            code="allocation_in_use",
        )
    what = f"{consumer_id}: {'; '.join(amounts(a) for a in found.here)}"
    store.record_of_host(maintenance, store.now(), "allocation_remove_asked", actor, what)
    left = kept(found.consumer, {a.provider_id for a in found.here})
    try:
        request_id = cloud.set_allocations(left)
    except CloudError as error:
        text = f"{consumer_id}: {error}"
        store.record_of_host(
            maintenance,
            store.now(),
            "allocation_not_removed",
            actor,
            text,
            error.request_id,
        )
        raise
    store.record_of_host(maintenance, store.now(), "allocation_removed", actor, what, request_id)
    store.verify_soon(maintenance)
    return found


# -- back to service -------------------------------------------------------------------------


@dataclass(frozen=True)
class Returnable:
    """An instance that came from the host in this maintenance, and how it could come back.

    :param server: as it is now, and where
    :param verdict: whether and how it can be moved now
    :param row: how it left
    """

    server: Server
    verdict: Verdict
    row: InstanceMigration


@dataclass(frozen=True)
class ReturnPreview:
    """What a return to service would do.

    :param service: as it is now; None: Nova has none of this host (any more)
    :param ours: it is disabled, and its reason is exactly the one that we wrote
    :param default: the choice where nobody makes one; None: it is the admin's to make
    :param outlooks: what each choice would do, or why it cannot be made
    :param instances: those that left in this maintenance and could be brought back
    :param moved_since: those of them that somebody else moved from where we had brought them:
        they are left alone, unless that is asked for
    :param already_back: how many are on the host again
    :param not_found: how many are no more, or cannot be read
    :param refusal: what stands against a return whatever is chosen, or None
    :param max_concurrent: how many are brought back at once, unless the admin says otherwise
    :param max_concurrent_ceiling: the most that may be asked for
    """

    host: str
    maintenance: HostMaintenance
    service: Service | None
    ours: bool
    default: ReturnChoice | None
    outlooks: Mapping[ReturnChoice, h.Outlook]
    instances: tuple[Returnable, ...] = ()
    moved_since: tuple[Returnable, ...] = ()
    already_back: int = 0
    not_found: int = 0
    open_drain: Drain | None = None
    refusal: Refused | None = None
    max_concurrent: int = 1
    max_concurrent_ceiling: int = 1


def return_preview(actor: Actor, cloud: Cloud, host: str) -> ReturnPreview:
    """What a return of this host would do; nothing is changed. One request, and one for each
    instance that left in this maintenance.

    :raises UnknownHost: neither Nova nor a maintenance knows exactly this name
    :raises Refused: the host is not in maintenance
    """
    _require(actor, RULE_RETURN)
    maintenance, service = _to_return(cloud, host)
    view = _return_view(maintenance)
    left = store.left_in(maintenance)
    instances, moved_since, back, not_found = _returnable(cloud, host, left)
    open_drain = store.open_drain_of(cloud.region, host)
    refusal = None
    if maintenance.returning_since:
        refusal = _returning_already(maintenance)
    elif open_drain:
        refusal = _drain_open(host, open_drain)
    return ReturnPreview(
        host=host,
        maintenance=maintenance,
        service=service,
        ours=h.is_ours(service, maintenance.our_reason),
        default=h.default_choice(view, service),
        outlooks=h.outlooks(view, service),
        instances=tuple(instances),
        moved_since=tuple(moved_since),
        already_back=back,
        not_found=not_found,
        open_drain=open_drain,
        refusal=refusal,
        max_concurrent=conf.max_concurrent(),
        max_concurrent_ceiling=conf.max_concurrent_ceiling(),
    )


def _to_return(cloud: Cloud, host: str) -> tuple[HostMaintenance, Service | None]:
    service = cloud.service(host)
    maintenance = store.open_maintenance(cloud.region, host)
    if maintenance is None and service is None:
        _service([], host, cloud.region)
    if maintenance is None:
        raise Refused(
            f"Host {host} is not in maintenance: no drain of it was begun since it was last"
            " given back.",
            code="no_maintenance",
            remedy="To enable its service all the same: openstack compute service set --enable"
            f" {host} nova-compute.",
            field="host",
        )
    return maintenance, service


def _return_view(maintenance: HostMaintenance) -> h.MaintenanceView:
    return h.MaintenanceView(
        host=maintenance.host,
        found_status=maintenance.found_status,
        found_reason=maintenance.found_reason,
        our_reason=maintenance.our_reason,
    )


def _returnable(
    cloud: Cloud, host: str, left: list[InstanceMigration]
) -> tuple[list[Returnable], list[Returnable], int, int]:
    """The instances that can come back, those of them that somebody else moved since, how many
    are back, and how many cannot be found."""
    rows = {row.server_id: row for row in left}
    servers = cloud.servers_by_id(rows) if rows else {}
    # Wherever a run of ours brought it, a later drain of that host included, it is not somebody
    # else's doing.
    places = {i: row.dest_compute for i, row in store.newest_moves(cloud.region, rows).items()}
    wishes = Wishes(opt_out_names=opt_out_names())
    found: list[Returnable] = []
    moved: list[Returnable] = []
    for server_id, server in servers.items():
        if not server.host or server.host == host:
            continue
        place = places.get(server_id) or rows[server_id].dest_compute
        stands = not place or place == server.host
        one = Returnable(server, judge(server, wishes), rows[server_id])
        (found if stands else moved).append(one)
    for some in (found, moved):
        some.sort(key=lambda r: (-r.server.memory_bytes, r.server.name, r.server.id))
    back = sum(server.host == host for server in servers.values())
    return found, moved, back, len(rows) - len(servers)


def left_alone(actor: Actor, cloud: Cloud, maintenance: HostMaintenance) -> list[Returnable]:
    """The instances that a return does not bring back, because somebody else moved them since.
    One request for each that left in this maintenance."""
    _require(actor, RULE_VIEW)
    return _returnable(cloud, maintenance.host, store.left_in(maintenance))[1]


@dataclass(frozen=True)
class ReturnRequest:
    """What an admin asks for.

    :param host: service.host, compared exactly
    :param choice: what becomes of the service; None: what `ReturnPreview.default` says
    :param bring_back: whether the instances that left are brought back afterwards
    :param also_moved: those too that somebody else moved since
    :param max_concurrent: of them at once, or None for the setting's
    """

    host: str
    choice: ReturnChoice | None = None
    bring_back: bool = False
    max_concurrent: int | None = None
    also_moved: bool = False


def return_host(actor: Actor, cloud: Cloud, request: ReturnRequest) -> HostMaintenance:
    """Ask for the return of a host to service; the worker does the rest.

    Whoever asks for the same again gets the same answer.

    :raises Refused: with the reason and what can be done; nothing was changed
    """
    _require(actor, RULE_RETURN)
    limit = conf.max_concurrent() if request.max_concurrent is None else request.max_concurrent
    if not 1 <= limit <= conf.max_concurrent_ceiling():
        raise Refused(
            f"The number of migrations at once must be from 1 to {conf.max_concurrent_ceiling()}.",
            code="max_concurrent_out_of_range",
            field="max_concurrent",
        )
    if request.choice is not None and request.choice not in list(ReturnChoice):
        raise Refused(
            f"{request.choice!r} cannot be chosen.",
            code="choice_unknown",
            remedy=f"Choose one of: {', '.join(ReturnChoice)}.",
            field="choice",
        )
    _cloud_name(cloud.region)
    for _ in range(5):
        maintenance, service = _to_return(cloud, request.host)
        if maintenance.returning_since:
            return _same_again(actor, cloud, maintenance, request)
        if open_drain := store.open_drain_of(cloud.region, request.host):
            raise _drain_open(request.host, open_drain)
        choice, words = _checked_choice(maintenance, service, request)
        run = None
        if request.bring_back:
            run = _run_of(actor, cloud, maintenance, limit, request.also_moved)
        try:
            store.request_return(
                maintenance,
                choice=choice,
                words=words,
                actor=actor,
                now=store.now(),
                run=run,
            )
            return maintenance
        except store.DrainExists as error:
            raise _drain_open(request.host, error.drain) from error
        except StaleState:
            continue
    raise Refused(
        f"The maintenance of host {request.host} changes too fast.",
        code="busy",
        remedy="Try again.",
    )


def _same_again(
    actor: Actor, cloud: Cloud, maintenance: HostMaintenance, request: ReturnRequest
) -> HostMaintenance:
    same = request.choice in (None, maintenance.return_choice)
    if same and request.bring_back and store.return_run(maintenance) is None:
        # there was nothing to bring back
        same = _run_of(actor, cloud, maintenance, 1, request.also_moved) is None
    if not same:
        raise _returning_already(maintenance)
    return maintenance


def _returning_already(maintenance: HostMaintenance) -> Refused:
    return Refused(
        f"Host {maintenance.host} is being given back already (asked for by"
        f" {maintenance.returned_by}): {maintenance.message}",
        code="returning",
        remedy="Wait until that is over.",
        field="host",
    )


def _checked_choice(
    maintenance: HostMaintenance, service: Service | None, request: ReturnRequest
) -> tuple[str, str]:
    """What is chosen, and what it will do, in words."""
    view = _return_view(maintenance)
    # Where it is the admin's to choose, what stands against the usual one says so.
    choice = request.choice or h.default_choice(view, service) or ReturnChoice.OURS
    outlook = h.outlooks(view, service)[ReturnChoice(choice)]
    if not outlook.allowed:
        raise Refused(outlook.text, code=outlook.code, remedy=outlook.remedy, field="choice")
    enabled = service is not None and service.status == "enabled"
    if request.bring_back and choice == ReturnChoice.LEAVE and not enabled:
        raise Refused(
            f"Instances cannot be brought back to host {request.host}: its service stays disabled.",
            code="bring_back_needs_service",
            remedy="Choose to enable the service, or leave the instances where they are.",
            field="bring_back",
        )
    return str(choice), outlook.text


def _run_of(
    actor: Actor, cloud: Cloud, maintenance: HostMaintenance, limit: int, also_moved: bool
) -> store.ReturnRun | None:
    """What is brought back; None where there is nothing."""
    instances, moved, _, _ = _returnable(cloud, maintenance.host, store.left_in(maintenance))
    note = ""
    if also_moved:
        instances += moved
    elif moved:
        names = ", ".join(f"{one.server.name} (on {one.server.host})" for one in moved)
        note = f"Left alone, because somebody else moved them since: {names}."
    if not instances:
        return None
    newest = store.drains_in(maintenance).last()
    around = _groups(cloud)
    return store.ReturnRun(
        reason=f"Back after: {newest.reason if newest else maintenance.our_reason}"[:REASON_MAX],
        max_concurrent=limit,
        actor_id=actor.id,
        entries=[
            store.Entry(one.server, one.verdict, group=group_of(one.server, around))
            for one in instances
        ],
        project_names={one.row.project_id: one.row.project_name for one in instances},
        note=note,
    )


def _groups(cloud: Cloud) -> Around:
    """The server groups; where they cannot be read, what comes back does so without one."""
    try:
        return Around(groups=tuple(cloud.server_groups()))
    except CloudError:
        return Around()


def return_run(actor: Actor, maintenance: HostMaintenance) -> Drain | None:
    """The run that brings instances back with the return of this maintenance, or None."""
    _require(actor, RULE_VIEW)
    return store.return_run(maintenance)


# -- the record ------------------------------------------------------------------------------


def export_drain(actor: Actor, drain_id: int) -> dict[str, Any]:
    """A drain with its instances and events as a document; see `core.export`.

    :raises Refused: there is no such drain
    """
    drain = get_drain(actor, drain_id)
    return export.document(drain, store.migrations(drain), store.events(drain), store.now())


def clear_record(
    actor: Actor, older_than_days: int | None = None, dry_run: bool = False
) -> store.Cleared:
    """Remove drains that have been over for longer than a time, and what belonged to them alone.

    :param older_than_days: days, or None for the setting's
    :param dry_run: only tell what would be removed
    :raises Refused: the number of days is none
    """
    _require(actor, RULE_DRAIN)
    days = conf.keep_days() if older_than_days is None else older_than_days
    if not 1 <= days <= KEEP_DAYS_MAX:
        raise Refused(
            f"The number of days must be from 1 to {KEEP_DAYS_MAX}, not {days}.",
            code="days_out_of_range",
            remedy="What is under way, or was over today, is never removed.",
        )
    return store.clear(store.now() - timedelta(days=days), dry_run)

"""What can be asked for, from a page or a shell.

Every function takes an actor and checks first what the actor may do; there is no default. What
it reads of OpenStack it reads through the `Cloud` that it is given: the admin's on a page, the
worker's in a shell. Nothing here changes anything in OpenStack; the worker does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from . import conf, store
from .cloud import Cloud, from_clouds_yaml
from .core import export
from .core.actor import RULE_CANCEL, RULE_DRAIN, RULE_VIEW, Actor
from .core.facts import HostFacts, Server, Service
from .core.preflight import Choice
from .core.states import DRAIN_TERMINAL, DrainState
from .exceptions import CloudError, NotAllowed, Refused, StaleState, UnknownHost
from .plan import NO_CHOICES, DrainPlan, PlanChoices, make_plan
from .plan import PARTS as PARTS
from .plan import Planned as Planned
from .store import Drain

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


def host_records(actor: Actor, region: str) -> dict[str, store.HostRecord]:
    """What the database knows of the hosts of a region, by host."""
    _require(actor, RULE_VIEW)
    return store.host_records(region)


def worker_status(actor: Actor) -> store.WorkerStatus:
    """Whether any worker is at work."""
    _require(actor, RULE_VIEW)
    return store.worker_status(timezone.now(), conf.worker_silent_seconds())


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
    service = _service(services, host, cloud.region)
    _check_host(service, cloud.region)
    return make_plan(cloud, service, services, choices)


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
    service = _service(services, host, cloud.region)
    refusal = None
    try:
        _check_host(service, cloud.region)
    except Refused as error:
        refusal = error
    return replace(make_plan(cloud, service, services, choices), refusal=refusal)


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
    """

    max_concurrent: int
    max_concurrent_ceiling: int
    reason_max: int = REASON_MAX


def drain_choices(actor: Actor, region: str) -> DrainChoices:
    """What may be chosen for a drain in this region. Nothing is asked of OpenStack.

    :raises Refused: no worker is set up for the region
    """
    _require(actor, RULE_DRAIN)
    _cloud_name(region)
    return DrainChoices(conf.max_concurrent(), conf.max_concurrent_ceiling())


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
    if not 1 <= limit <= conf.max_concurrent_ceiling():
        raise Refused(
            f"The number of migrations at once must be from 1 to {conf.max_concurrent_ceiling()}.",
            code="max_concurrent_out_of_range",
            field="max_concurrent",
        )
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
    return replace(request, reason=reason, max_concurrent=limit, destination=destination)


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
    asked = [check_request(r) for r in requests]
    if repeated := sorted({r.host for r in asked if [a.host for a in asked].count(r.host) > 1}):
        raise Refused(f"Host {repeated[0]} is named twice.", code="host_twice", field="host")
    _cloud_name(cloud.region)
    services = _services_for_a_plan(cloud)
    checked = []
    for one in asked:
        service = _service(services, one.host, cloud.region)
        _check_host(service, cloud.region)
        _check_destination(services, one)
        checked.append((one, service))
    ready = []
    for one, service in checked:
        choices = PlanChoices(
            one.choices,
            move_locked=one.move_locked,
            max_concurrent=one.max_concurrent,
            destination=one.destination,
            drained_too=frozenset(a.host for a in asked),
        )
        ready.append((one, make_plan(cloud, service, services, choices)))
    with store.all_or_none():
        return [_write(actor, cloud.region, one, plan) for one, plan in ready]


def _write(actor: Actor, region: str, request: DrainRequest, plan: DrainPlan) -> Drain:
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
            actor=actor.name,
            planned=entries,
            follow_plan=request.follow_plan,
            move_locked=request.move_locked,
            project_names=names,
            now=timezone.now(),
        )
    except store.DrainExists as error:
        raise _drain_open(service.host, error.drain) from error


def _service(services: list[Service], host: str, region: str) -> Service:
    found = [s for s in services if s.host == host]
    if not found:
        raise UnknownHost(
            f"There is no compute host named {host!r} in region {region or '(default)'}.",
            code="unknown_host",
            remedy="Host names are compared exactly; take the name from the list of hosts.",
            field="host",
        )
    return found[0]


def _check_host(service: Service, region: str) -> None:
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
            remedy="A dead host is a case for evacuation (nova host-evacuate), not for a drain.",
            field="host",
        )
    if open_drain := store.open_drain_of(region, service.host):
        raise _drain_open(service.host, open_drain)


def _drain_open(host: str, drain: Drain | None) -> Refused:
    number = f" (drain {drain.pk}, asked for by {drain.requested_by})" if drain else ""
    return Refused(
        f"Host {host} is being drained already{number}.",
        code="drain_open",
        remedy="Watch that drain, or cancel it first.",
        field="host",
        drain_id=drain.pk if drain else None,
    )


def _check_destination(services: list[Service], request: DrainRequest) -> None:
    name = request.destination
    if not name:
        return
    if name == request.host:
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


def cancel_drain(actor: Actor, drain_id: int) -> Drain:
    """Start nothing new; what flies lands, then the drain is over.

    Cancelling one that is being cancelled changes nothing.

    :raises Refused: there is no such drain, or it is over
    """
    _require(actor, RULE_CANCEL)
    for _ in range(5):
        drain = get_drain(actor, drain_id, rule=RULE_CANCEL)
        if drain.state in DRAIN_TERMINAL:
            raise Refused(f"Drain {drain_id} is over ({drain.state}).", code="drain_over")
        if drain.state == DrainState.CANCELLING:
            return drain
        try:
            store.cancel_drain(drain, actor.name, timezone.now())
            return drain
        except StaleState:
            continue
    raise Refused(
        f"Drain {drain_id} changes too fast to be cancelled.",
        code="busy",
        remedy="Try again.",
    )


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
    now: datetime = field(default_factory=timezone.now)


def drain_report(actor: Actor, drain_id: int) -> DrainReport:
    """Everything that the drain page and `drain_status` show. Nova is not asked."""
    drain = get_drain(actor, drain_id)
    rows = list(store.migrations(drain))
    by_state: dict[str, int] = {}
    for row in rows:
        by_state[row.state] = by_state.get(row.state, 0) + 1
    return DrainReport(drain, rows, store.Counts(by_state), worker_status(actor))


# -- the record ------------------------------------------------------------------------------


def export_drain(actor: Actor, drain_id: int) -> dict[str, Any]:
    """A drain with its instances and events as a document; see `core.export`.

    :raises Refused: there is no such drain
    """
    drain = get_drain(actor, drain_id)
    return export.document(drain, store.migrations(drain), store.events(drain), timezone.now())


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
    return store.clear(timezone.now() - timedelta(days=days), dry_run)

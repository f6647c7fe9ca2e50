"""What can be asked for, from a page or a shell.

Every function takes an actor and checks first what the actor may do; there is no default. What
it reads of OpenStack it reads through the `Cloud` that it is given: the admin's on a page, the
worker's in a shell. Nothing here changes anything in OpenStack; the worker does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from . import conf, store
from .cloud import Cloud, from_clouds_yaml
from .core import hosts as h
from .core.actor import RULE_CANCEL, RULE_DRAIN, RULE_RETURN, RULE_VIEW, Actor
from .core.certificate import Check, from_json
from .core.facts import HostFacts, Server, Service
from .core.preflight import Choice, Verdict, Wishes, judge
from .core.states import DRAIN_TERMINAL, Direction, DrainState, ReturnChoice
from .exceptions import CloudError, NotAllowed, Refused, StaleState, UnknownHost
from .plan import NO_CHOICES, DrainPlan, PlanChoices, make_plan, opt_out_names
from .plan import PARTS as PARTS
from .plan import Planned as Planned
from .store import Drain, HostMaintenance, InstanceMigration

if TYPE_CHECKING:
    from keystoneauth1.session import Session

#: Nova's limit for a service's disabled_reason (nova/api/openstack/compute/schemas/services.py).
REASON_MAX = 255
#: Characters of a note on one instance: what its column holds (models.InstanceMigration).
NOTE_MAX = 255
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
    return store.host_records(region, _verified_after(timezone.now()))


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
    except store.BeingReturned as error:
        raise _being_returned(error.maintenance) from error


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
    maintenance = store.open_maintenance(region, service.host)
    if maintenance and maintenance.returning_since:
        raise _being_returned(maintenance)


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
    now: datetime = field(default_factory=timezone.now)

    @property
    def stale(self) -> bool:
        """Whether the last verification is too old to be believed."""
        return self.valid_until is not None and self.valid_until < self.now

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
    now = timezone.now()
    maintenance = store.open_maintenance(region, host)
    open_drain = store.open_drain_of(region, host)
    if maintenance is None:
        return Certificate(
            host,
            region,
            None,
            why_not="The host is not in maintenance.",
            open_drain=open_drain,
            now=now,
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
    if maintenance.verified_at < _verified_after(now):
        seconds = int((now - maintenance.verified_at).total_seconds())
        trouble = maintenance.message.startswith(h.TROUBLE)
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


def get_maintenance(actor: Actor, maintenance_id: int) -> HostMaintenance:
    """One maintenance, open or over.

    :raises Refused: there is no such one
    """
    _require(actor, RULE_VIEW)
    found = store.maintenance(maintenance_id)
    if found is None:
        raise Refused(f"There is no maintenance {maintenance_id}.", code="unknown_maintenance")
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
    :param already_back: how many are on the host again
    :param not_found: how many are no more, or cannot be read
    :param refusal: what stands against a return whatever is chosen, or None
    """

    host: str
    maintenance: HostMaintenance
    service: Service | None
    ours: bool
    default: ReturnChoice | None
    outlooks: Mapping[ReturnChoice, h.Outlook]
    instances: tuple[Returnable, ...] = ()
    already_back: int = 0
    not_found: int = 0
    open_drain: Drain | None = None
    refusal: Refused | None = None


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
    instances, back, not_found = _returnable(cloud, host, left)
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
        already_back=back,
        not_found=not_found,
        open_drain=open_drain,
        refusal=refusal,
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
) -> tuple[list[Returnable], int, int]:
    """The instances that can come back, how many are back, and how many cannot be found."""
    rows = {row.server_id: row for row in left}
    servers = cloud.servers_by_id(rows) if rows else {}
    wishes = Wishes(opt_out_names=opt_out_names())
    found = [
        Returnable(server, judge(server, wishes), rows[server_id])
        for server_id, server in servers.items()
        if server.host and server.host != host
    ]
    found.sort(key=lambda r: (-r.server.memory_bytes, r.server.name, r.server.id))
    back = sum(server.host == host for server in servers.values())
    return found, back, len(rows) - len(servers)


@dataclass(frozen=True)
class ReturnRequest:
    """What an admin asks for.

    :param host: service.host, compared exactly
    :param choice: what becomes of the service; None: what `ReturnPreview.default` says
    :param bring_back: whether the instances that left are brought back afterwards
    :param max_concurrent: of them at once, or None for the setting's
    """

    host: str
    choice: ReturnChoice | None = None
    bring_back: bool = False
    max_concurrent: int | None = None


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
        run = _run_of(actor, cloud, maintenance, limit) if request.bring_back else None
        try:
            store.request_return(
                maintenance,
                choice=choice,
                words=words,
                actor=actor.name,
                now=timezone.now(),
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
        same = _run_of(actor, cloud, maintenance, 1) is None  # there was nothing to bring back
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
    actor: Actor, cloud: Cloud, maintenance: HostMaintenance, limit: int
) -> store.ReturnRun | None:
    """What is brought back; None where there is nothing."""
    instances, _, _ = _returnable(cloud, maintenance.host, store.left_in(maintenance))
    if not instances:
        return None
    newest = store.drains_in(maintenance).last()
    return store.ReturnRun(
        reason=f"Back after: {newest.reason if newest else maintenance.our_reason}"[:REASON_MAX],
        max_concurrent=limit,
        actor_id=actor.id,
        entries=[store.Entry(one.server, one.verdict) for one in instances],
        project_names={one.row.project_id: one.row.project_name for one in instances},
    )


def return_run(actor: Actor, maintenance: HostMaintenance) -> Drain | None:
    """The run that brings instances back with the return of this maintenance, or None."""
    _require(actor, RULE_VIEW)
    return store.return_run(maintenance)

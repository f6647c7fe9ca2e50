"""Rolling runs: what is requested, and what is wrong with it before anything is changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from .. import settings, store
from ..cloud import Cloud
from ..core.actor import RULE_DRAIN, RULE_RETURN, RULE_ROLL, Actor
from ..core.copying.duration import Learned, estimate
from ..core.facts import Aggregate, Capacity, Server, Service
from ..core.message import Message, available, message, some
from ..core.run.domains import DomainKind
from ..core.run.forecast import Forecast, forecast
from ..core.run.order import Host, Load, Order, Rolling, roll
from ..core.run.states import Approval, OnFailure
from ..core.run.windows import WindowError, Windows, parse_all
from ..exceptions import CloudError, Refused
from ..observe.room import read_capacity
from ..preflight import MIB, HostPreflight, PreflightChoices, make_plans
from ..store import Run
from .access import cloud_name, require
from .checks import RegionSight, check_may_drain, find_service
from .preflights import services_for_a_plan
from .relief import with_relief
from .requests import (
    PLAN_MAX_HOSTS,
    DrainRequest,
    check_hosts_of_plan,
    check_request,
    may_time_out,
)

#: How long an action and what follows it are taken to last where none of the name was seen yet,
#: in seconds.
ACTION_SECONDS = 600.0


@dataclass(frozen=True)
class RunRequest:
    """What an admin asks for.

    :param hosts: service.host of each, compared exactly
    :param each: what each drain is requested with; its `host` is not looked at
    :param action: the name of an action in the settings; empty: by hand
    :param at_once: hosts that are out at a time
    :param domain: what fails together
    :param aggregates: the ones that count, where that is aggregates
    :param per_domain: hosts of one of them that are out at a time; 0: as many as at once
    :param windows: when hosts may begin; none: always
    :param failures: how many hosts may fail, where it continues after a failure
    """

    hosts: tuple[str, ...]
    each: DrainRequest
    action: str = ""
    at_once: int = 1
    domain: str = DomainKind.ZONE.value
    aggregates: tuple[str, ...] = ()
    per_domain: int = 0
    order: str = Order.BY_HAND.value
    windows: tuple[str, ...] = ()
    on_failure: str = OnFailure.STOP.value
    failures: int = 1
    approval: str = Approval.NONE.value
    bring_back: bool = False


@dataclass(frozen=True)
class RunHostPreview:
    """One host of a run that may be requested.

    :param seconds: from its begin to its return to service, as far as can be told
    :param refusal: why it cannot be drained now, or None
    """

    service: Service
    domains: tuple[str, ...]
    servers: Sequence[Server]
    seconds: float
    refusal: Refused | None = None

    @property
    def host(self) -> str:
        return self.service.host

    @property
    def memory_bytes(self) -> int:
        return sum(server.memory_bytes for server in self.servers)


@dataclass(frozen=True)
class RunPreview:
    """What a run would do, as of now. Nothing is changed.

    :param hosts: in the order in which they take their turns
    :param rolling: their order, how many moves it needs, and how many any order needs at least
    :param room: the preflight of the hosts that need most room, as many as are out at a time,
        placed together
    :param lacks: what stands against their drain for want of room; None: there is enough
    :param forecast: when each begins and ends
    :param never_fit: the hosts that no window is long enough for
    """

    request: RunRequest
    hosts: Sequence[RunHostPreview]
    rolling: Rolling
    forecast: Forecast
    room: Sequence[HostPreflight] = ()
    lacks: Message | None = None
    never_fit: Sequence[str] = ()
    found_down: Sequence[str] = ()
    found_in_error: Mapping[str, str] = field(default_factory=dict)


def check_run_request(actor: Actor, request: RunRequest) -> RunRequest:
    """The request with its defaults filled in.

    :raises Refused: something in it is wrong by itself, whatever the cloud says
    """
    require(actor, RULE_ROLL)
    require(actor, RULE_DRAIN)
    require(actor, RULE_RETURN)
    hosts = tuple(check_hosts_of_plan(request.hosts))
    each = check_request(replace(request.each, host=hosts[0], destination="", choices={}))
    may_time_out(actor, each.timeout_action or settings.current().timeout_action)
    known = settings.current().actions
    if request.action and request.action not in known:
        raise Refused(
            message("run_action_unknown", action=request.action, known=available(known)),
            field="action",
        )
    for name, value, kind in (
        ("domain", request.domain, DomainKind),
        ("order", request.order, Order),
        ("on_failure", request.on_failure, OnFailure),
        ("approval", request.approval, Approval),
    ):
        if value not in [one.value for one in kind]:
            said = message("run_choice_unknown", choice=value, known=[one.value for one in kind])
            raise Refused(said, field=name)
    for name, least in (("at_once", 1), ("per_domain", 0), ("failures", 0)):
        if not least <= getattr(request, name) <= PLAN_MAX_HOSTS:
            said = message("run_number_out_of_range", least=least, most=PLAN_MAX_HOSTS)
            raise Refused(said, field=name)
    if request.domain == DomainKind.AGGREGATE and not request.aggregates:
        raise Refused(message("run_no_aggregate"), field="aggregates")
    windows = tuple(map(str, parse_windows(request.windows).windows))
    return replace(request, hosts=hosts, each=each, windows=windows)


def parse_windows(texts: Iterable[str]) -> Windows:
    """:raises Refused: one of them is none"""
    try:
        return parse_all(texts)
    except WindowError as error:
        raise Refused(error.said, field="windows") from error


def check_run(actor: Actor, cloud: Cloud, request: RunRequest) -> RunPreview:
    """What this run would do; nothing is changed. A request for each host, and some for the
    region.

    :raises UnknownHost: no compute service has exactly one of these names
    :raises Refused: something in the request is wrong
    """
    request = check_run_request(actor, request)
    cloud_name(cloud.region)
    services = services_for_a_plan(cloud)
    chosen = [find_service(services, name, cloud.region, cloud) for name in request.hosts]
    sight = RegionSight(cloud.region, cloud)
    calls: dict[str, Any] = {f"on {s.host}": partial(cloud.servers_on, s.host) for s in chosen}
    calls |= {"errors": cloud.servers_in_error, "aggregates": cloud.aggregates}
    known = store.inventory(cloud.region, store.now())
    calls["capacity"] = partial(read_capacity, cloud, services, known)
    found = cloud.try_side_by_side(calls)
    for answer in found.values():
        if isinstance(answer, CloudError):
            raise answer
    domains = _domains(request, chosen, found["aggregates"])
    act = settings.current().actions.get(request.action)
    takes = store.action_seconds(request.action)
    after = act.settle if act else settings.current().by_hand_settle_seconds
    if takes is None:  # but it does not last beyond its time limit
        takes = min(ACTION_SECONDS, act.time_limit) if act else ACTION_SECONDS
    after += takes
    learned = store.learned_rate(cloud.region)
    at_once = request.each.max_concurrent or settings.current().max_concurrent
    hosts = [
        RunHostPreview(
            service,
            domains[service.host],
            found[f"on {service.host}"],
            after + _drain_seconds(found[f"on {service.host}"], at_once, learned),
            _refusal(service, sight),
        )
        for service in chosen
    ]
    rolling = _rolling(cloud, request, hosts, services, found["capacity"])
    by_name = {one.host: one for one in hosts}
    hosts = [by_name[name] for name in rolling.hosts]
    room, lacks = _room(cloud, request, hosts, services)
    windows = parse_windows(request.windows)
    return RunPreview(
        request,
        hosts,
        rolling,
        forecast(windows, store.now(), [one.seconds for one in hosts], request.at_once),
        room,
        lacks,
        [one.host for one in hosts if windows.never_fits(store.now(), one.seconds)],
        sorted(s.host for s in services if not s.is_up),
        found["errors"],
    )


def _drain_seconds(servers: Sequence[Server], at_once: int, learned: Learned) -> float:
    sizes = [server.memory_bytes for server in servers]
    return estimate(sizes, at_once, learned).seconds if sizes else 0.0


def _domains(
    request: RunRequest, services: Sequence[Service], aggregates: Iterable[Aggregate]
) -> dict[str, tuple[str, ...]]:
    if request.domain == DomainKind.ZONE:
        return {s.host: (s.zone,) for s in services}
    if request.domain == DomainKind.NONE:
        return {s.host: () for s in services}
    by_names = {one.name: one for one in aggregates}
    if unknown := [name for name in request.aggregates if name not in by_names]:
        raise Refused(
            message("run_aggregate_unknown", name=unknown[0], known=available(by_names)),
            field="aggregates",
        )
    return {
        s.host: tuple(name for name in request.aggregates if s.host in by_names[name].hosts)
        for s in services
    }


def _refusal(service: Service, sight: RegionSight) -> Refused | None:
    try:
        check_may_drain(service, sight)
    except Refused as error:
        return error
    place = store.run_of_host(sight.region, service.host)
    return in_another_run(service.host, place.run) if place else None


def never_fits(hosts: Sequence[str]) -> Refused:
    return Refused(message("run_never_fits", hosts=some(hosts)), field="windows")


def in_another_run(host: str, run: Run | None) -> Refused:
    said = message("run_host_taken", host=host, run=run.pk if run else 0)
    return Refused(said, code="run_host_taken", field="hosts")


def _rolling(
    cloud: Cloud,
    request: RunRequest,
    hosts: Sequence[RunHostPreview],
    services: Sequence[Service],
    capacity: Mapping[str, Capacity],
) -> Rolling:
    """The order in which they take their turns, and the moves that it needs."""
    kept = store.away_hosts(cloud.region)

    def host(service: Service, servers: Iterable[Server] = ()) -> Host:
        loads = tuple(Load(server.memory_bytes, server.vcpus) for server in servers)
        has = capacity.get(service.host)
        memory = has.free("MEMORY_MB") * MIB if has else 0
        return Host(service.host, loads, memory, has.free("VCPU") if has else 0, service.zone)

    chosen = [host(one.service, one.servers) for one in hosts]
    mine = {one.host for one in hosts}
    others = [host(s) for s in services if s.can_receive and s.host not in mine | kept]
    return roll(Order(request.order), chosen, others, request.at_once)


def _room(
    cloud: Cloud,
    request: RunRequest,
    hosts: Sequence[RunHostPreview],
    services: Sequence[Service],
) -> tuple[list[HostPreflight], Message | None]:
    """Whether as many of the fullest hosts as are out at a time find room elsewhere."""
    largest = sorted(hosts, key=lambda one: -one.memory_bytes)[: request.at_once]
    return room_for(cloud, [one.service for one in largest], request.each, services)


def room_for(
    cloud: Cloud,
    hosts: Sequence[Service],
    each: DrainRequest,
    services: Sequence[Service],
) -> tuple[list[HostPreflight], Message | None]:
    """Whether all that runs on these hosts finds room on the others, which stay; and what is
    missing, or None."""
    names = frozenset(one.host for one in hosts)
    choices = PreflightChoices(
        move_locked=each.move_locked,
        max_concurrent=each.max_concurrent,
        follow_estimate=each.follow_estimate,
        drained_too=names,
    )
    plans = make_plans(cloud, [(service, choices) for service in hosts], services)
    plans = with_relief(cloud, plans, services)
    short = [
        one
        for plan in plans
        for one in plan.planned
        if one.unplaced is not None or one.verdict.code in _NO_ROOM
    ]
    if not short:
        return plans, None
    placed = some([one.server.name for one in short])
    kept = plans[0].room_kept
    relief = [kept, *plans[0].relief] if kept else plans[0].relief
    said = message("run_no_room", instances=placed, count=len(short), relief=relief)
    return plans, said


#: Verdicts of an instance that finds no host with room for it.
_NO_ROOM = frozenset({"no_room", "no_receiver"})


def request_run(actor: Actor, cloud: Cloud, request: RunRequest) -> Run:
    """Write a run to the queue; the worker does the rest. What a later look may mend, such as
    room that is missing, is no reason against it: the run waits, and says so.

    :raises Refused: with the reason and what can be done; nothing was changed
    """
    preview = check_run(actor, cloud, request)
    request = preview.request
    for one in preview.hosts:
        if one.refusal is not None:
            raise one.refusal
    if preview.never_fit:
        raise never_fits(preview.never_fit)
    each = request.each
    try:
        return store.create_run(
            hosts=[
                store.NewHost(h.host, h.domains, len(h.servers), h.seconds) for h in preview.hosts
            ],
            actor=actor,
            said=message("run_requested", reason=each.reason, count=len(preview.hosts)),
            now=store.now(),
            region=cloud.region,
            reason=each.reason,
            action=request.action,
            at_once=request.at_once,
            domain=request.domain,
            aggregates=list(request.aggregates),
            per_domain=request.per_domain,
            order=request.order,
            windows=list(request.windows),
            on_failure=request.on_failure,
            failures=request.failures if request.on_failure == OnFailure.SKIP else 0,
            approval=request.approval,
            bring_back=request.bring_back,
            max_concurrent=each.max_concurrent,
            follow_estimate=each.follow_estimate,
            move_locked=each.move_locked,
            timeout_action=each.timeout_action,
            found_down=list(preview.found_down),
            found_in_error=sorted(preview.found_in_error),
            message=message("waits_for_worker"),
        )
    except store.HostInRun as error:
        raise in_another_run(error.host, error.run) from error

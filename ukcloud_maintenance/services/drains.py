"""Asking for drains."""

from collections.abc import Iterable

from .. import settings, store
from ..cloud import Cloud
from ..core.actor import RULE_DRAIN, Actor
from ..core.message import message
from ..exceptions import Refused
from ..preflight import HostPreflight, PreflightChoices, make_plans
from ..store import Drain, Plan
from .access import cloud_name, require
from .checks import (
    RegionSight,
    being_returned,
    check_may_drain,
    check_may_receive,
    check_not_bare_metal,
    destination_away,
    destination_is_bare_metal,
    drain_is_open,
    find_service,
    host_is_destination,
)
from .preflights import services_for_a_plan
from .requests import LARGEST_FIRST, DrainRequest, check_request, may_time_out


def request_drain(actor: Actor, cloud: Cloud, request: DrainRequest) -> Drain:
    """Write a drain and its instance migrations to the queue; the worker does the rest.

    :raises Refused: with the reason and what can be done; nothing was changed
    """
    require(actor, RULE_DRAIN)
    [(ready, plan)] = ready_to_request(actor, cloud, [request])
    with store.in_turn(cloud.region):
        return write_request(actor, cloud.region, ready, plan)


def ready_to_request(
    actor: Actor, cloud: Cloud, requests: Iterable[DrainRequest]
) -> list[tuple[DrainRequest, HostPreflight]]:
    """The requests, checked, each with its plan; all of them are planned together."""
    asked = [check_request(r) for r in requests]
    for one in asked:
        may_time_out(actor, one.timeout_action or settings.current().timeout_action)
    if repeated := sorted({r.host for r in asked if [a.host for a in asked].count(r.host) > 1}):
        raise Refused(message("host_twice", host=repeated[0]), field="host")
    cloud_name(cloud.region)
    services = services_for_a_plan(cloud)
    checked = []
    sight = RegionSight(cloud.region, cloud)
    for one in asked:
        service = find_service(services, one.host, cloud.region, cloud)
        check_may_drain(service, sight)
        check_may_receive(services, cloud.region, one.host, one.destination)
        if one.destination in {other.host for other in asked}:
            raise Refused(
                message("destination_to_be_drained", host=one.destination),
                code="destination_is_drained",
                field="destination",
            )
        checked.append((one, service))
    hosts = frozenset(a.host for a in asked)
    wanted = [
        (
            service,
            PreflightChoices(
                one.choices,
                move_locked=one.move_locked,
                max_concurrent=one.max_concurrent,
                destination=one.destination,
                follow_estimate=one.follow_estimate,
                drained_too=hosts,
            ),
        )
        for one, service in checked
    ]
    plans = make_plans(cloud, wanted, services)
    for (one, _), plan in zip(checked, plans, strict=True):
        check_not_bare_metal(plan)
        if one.destination in plan.bare_metal:
            raise destination_is_bare_metal(one.destination)
    return [(one, plan) for (one, _), plan in zip(checked, plans, strict=True)]


def write_request(
    actor: Actor,
    region: str,
    request: DrainRequest,
    plan: HostPreflight,
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
            one.chosen.choice.value,
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
            max_concurrent=request.max_concurrent or settings.current().max_concurrent,
            destination=request.destination,
            actor_id=actor.id,
            actor=str(actor),
            planned=entries,
            follow_estimate=request.follow_estimate,
            move_locked=request.move_locked,
            project_names=names,
            now=store.now(),
            start_at=request.start_at,
            stop_at=request.stop_at,
            timeout_action=request.timeout_action or settings.current().timeout_action,
            plan=plan_row,
            plan_order=order,
        )
    except store.DrainExists as error:
        raise drain_is_open(service.host, error.drain) from error
    except store.BeingReturned as error:
        raise being_returned(error.maintenance) from error
    except store.IsDestination as error:
        raise host_is_destination(service.host, error.drain) from error
    except store.DestinationAway as error:
        raise destination_away(error) from error

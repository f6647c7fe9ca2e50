"""What a drain would do: one host, several, and the sets that hosts are chosen by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..cloud import Cloud
from ..core.actor import RULE_DRAIN, RULE_VIEW, Actor
from ..core.facts import Service
from ..exceptions import CloudError, Refused
from ..preflight import NO_CHOICES, DrainPlan, PlanChoices, make_plan, make_plans
from .access import require
from .checks import check_may_drain, check_not_bare_metal, find_service
from .requests import check_choices, check_hosts_of_plan


def plan_drain(
    actor: Actor, cloud: Cloud, host: str, choices: PlanChoices = NO_CHOICES
) -> DrainPlan:
    """What a drain of this host would do; nothing is changed. For the requests see `plan`.

    :raises UnknownHost: no compute service has exactly this name
    :raises Refused: the host cannot be drained now, with the reason
    """
    require(actor, RULE_DRAIN)
    check_choices(choices.choices)
    services = services_for_a_plan(cloud)
    service = find_service(services, host, cloud.region, cloud)
    check_may_drain(service, cloud.region, cloud)
    plan = make_plan(cloud, service, services, choices)
    check_not_bare_metal(plan)
    return plan


def check_host(
    actor: Actor, cloud: Cloud, host: str, choices: PlanChoices = NO_CHOICES
) -> DrainPlan:
    """The same for whoever may look. What stands against a drain of the host itself is the
    plan's `refusal`.

    :raises UnknownHost: no compute service has exactly this name
    :raises Refused: a choice is none
    """
    require(actor, RULE_VIEW)
    check_choices(choices.choices)
    services = services_for_a_plan(cloud)
    service = find_service(services, host, cloud.region, cloud)
    plan = make_plan(cloud, service, services, choices)
    return replace(plan, refusal=_refusal(plan, cloud))


def services_for_a_plan(cloud: Cloud) -> list[Service]:
    """The compute services, while Nova is asked what it can tell of servers."""
    found = cloud.try_side_by_side(
        {"services": cloud.services, "microversion": cloud.prefer_newest}
    )
    if isinstance(found["services"], CloudError):
        raise found["services"]
    return list(found["services"])


@dataclass(frozen=True)
class HostSets:
    """The hosts of the region by what they can be chosen by."""

    zones: Mapping[str, tuple[str, ...]]
    aggregates: Mapping[str, tuple[str, ...]]


def host_sets(actor: Actor, cloud: Cloud) -> HostSets:
    """Which hosts an availability zone or an aggregate has: two requests, side by side.

    :raises CloudError: one of them failed
    """
    require(actor, RULE_VIEW)
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
    require(actor, RULE_VIEW)
    names = check_hosts_of_plan(hosts)
    check_choices(choices.choices)
    services = services_for_a_plan(cloud)
    found = [find_service(services, name, cloud.region, cloud) for name in names]
    together = replace(choices, drained_too=choices.drained_too | frozenset(names))
    plans = make_plans(cloud, [(service, together) for service in found], services)
    return [replace(plan, refusal=_refusal(plan, cloud)) for plan in plans]


def _refusal(plan: DrainPlan, cloud: Cloud) -> Refused | None:
    try:
        check_may_drain(plan.service, cloud.region, cloud)
        check_not_bare_metal(plan)
    except Refused as error:
        return error
    return None

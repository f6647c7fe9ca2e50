"""Preflights: what a drain of one host would do, or a plan of several; and the sets that hosts
are chosen by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from .. import settings
from ..cloud import Cloud
from ..core.actor import RULE_DRAIN, RULE_VIEW, Actor
from ..core.copying.duration import Duration, of_plan, within_limits
from ..core.facts import Service
from ..exceptions import CloudError, Refused
from ..preflight import NO_CHOICES, HostPreflight, PreflightChoices, make_plan, make_plans
from .access import require
from .checks import RegionSight, check_may_drain, check_not_bare_metal, find_service
from .relief import with_relief
from .requests import check_choices, check_hosts_of_plan


def preflight_host(
    actor: Actor, cloud: Cloud, host: str, choices: PreflightChoices = NO_CHOICES
) -> HostPreflight:
    """What a drain of this host would do; nothing is changed. For the requests see `plan`.

    :raises UnknownHost: no compute service has exactly this name
    :raises Refused: the host cannot be drained now, with the reason
    """
    require(actor, RULE_DRAIN)
    check_choices(choices.choices)
    services = services_for_a_plan(cloud)
    service = find_service(services, host, cloud.region, cloud)
    check_may_drain(service, RegionSight(cloud.region, cloud))
    plan = make_plan(cloud, service, services, choices)
    check_not_bare_metal(plan)
    return with_relief(cloud, [plan], services)[0]


def check_host(
    actor: Actor, cloud: Cloud, host: str, choices: PreflightChoices = NO_CHOICES
) -> HostPreflight:
    """The same for whoever may look. What stands against a drain of the host itself is the
    plan's `refusal`.

    :raises UnknownHost: no compute service has exactly this name
    :raises Refused: a choice is none
    """
    require(actor, RULE_VIEW)
    check_choices(choices.choices)
    services = services_for_a_plan(cloud)
    service = find_service(services, host, cloud.region, cloud)
    [plan] = with_relief(cloud, [make_plan(cloud, service, services, choices)], services)
    return replace(plan, refusal=_refusal(plan, RegionSight(cloud.region, cloud)))


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


@dataclass(frozen=True)
class PlanPreflight:
    """What a plan of several hosts would do, as of now. Its hosts were placed together.

    :param hosts: one for each host that Nova knows, in the order of the plan. What stands against
        the drain of a host itself is its `refusal`.
    :param unknown: the names of which Nova knows no host
    :param duration: how long those that can be drained may take; None where nothing is to be
        migrated
    :param in_region: the most migrations at once in the region, which the duration reckons with
    """

    hosts: list[HostPreflight] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    duration: Duration | None = None
    in_region: int = 0


def check_plan(
    actor: Actor,
    cloud: Cloud,
    hosts: Iterable[str],
    choices: PreflightChoices = NO_CHOICES,
    *,
    hosts_at_once: int = 1,
    skip_unknown: bool = False,
) -> PlanPreflight:
    """What a drain of all these hosts together would do; nothing is changed. Pages and commands
    tell the time of a plan by this alone.

    :param hosts_at_once: hosts whose instances move at a time; 0: all
    :param skip_unknown: whether names that Nova does not know are told, and not refused
    :raises UnknownHost: no compute service has exactly one of these names
    :raises Refused: a choice is none, there are too many hosts, or one is named twice
    """
    require(actor, RULE_VIEW)
    names = check_hosts_of_plan(hosts)
    check_choices(choices.choices)
    services = services_for_a_plan(cloud)
    known = {service.host for service in services}
    unknown = [name for name in names if name not in known] if skip_unknown else []
    found = [
        find_service(services, name, cloud.region, cloud) for name in names if name not in unknown
    ]
    if not found:
        return PlanPreflight(unknown=unknown)
    together = replace(choices, drained_too=choices.drained_too | frozenset(names))
    plans = make_plans(cloud, [(service, together) for service in found], services)
    plans = with_relief(cloud, plans, services)
    sight = RegionSight(cloud.region, cloud)
    in_region = settings.current().max_in_region
    checked = [replace(plan, refusal=_refusal(plan, sight)) for plan in plans]
    durations = [plan.duration for plan in checked if plan.duration and not plan.refusal]
    return PlanPreflight(
        checked,
        unknown,
        of_plan(durations, hosts_at_once, _most_at_once(checked)),
        in_region,
    )


def _most_at_once(plans: Iterable[HostPreflight]) -> int:
    """How many migrations of all hosts of a plan run at a time."""
    now = settings.current()
    hosts = {service.host for plan in plans for service in plan.receivers}
    return within_limits(now.max_in_region, now.max_in_region, now.max_per_destination, len(hosts))


def _refusal(plan: HostPreflight, sight: RegionSight) -> Refused | None:
    try:
        check_may_drain(plan.service, sight)
        check_not_bare_metal(plan)
    except Refused as error:
        return error
    return None

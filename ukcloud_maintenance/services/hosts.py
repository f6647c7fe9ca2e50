"""What the list of hosts and the page of a host show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from .. import settings, store
from ..cloud import PARALLEL, Cloud
from ..core.actor import RULE_VIEW, Actor
from ..core.facts import Capacity, HostFacts, Hypervisor, Server, Service
from ..exceptions import CloudError, CloudForbidden, CloudNotFound
from .access import require
from .certificates import verified_after
from .checks import find_service


@dataclass(frozen=True)
class RegionHosts:
    """The compute hosts of a region.

    :param hosts: their services as of now, their hypervisors, and what Placement says of them
        (left out where that did not answer)
    :param read_at: when hypervisors and Placement were read for the inventory, the oldest of it;
        None: for this list, because there is no inventory that can be shown
    """

    hosts: list[HostFacts]
    read_at: datetime | None = None


def list_hosts(actor: Actor, cloud: Cloud) -> RegionHosts:
    """Every compute host of the region: one request where the worker keeps an inventory; where
    not, three and one more for each 1,000 hypervisors."""
    require(actor, RULE_VIEW)
    known = store.inventory(cloud.region, store.now())
    capacity: Mapping[str, Capacity] | None
    if known is None:
        hosts, capacity = cloud.hosts_and_capacity()
    else:
        hosts, capacity = cloud.hosts(known.all), known.capacity
    with_capacity = [replace(one, capacity=(capacity or {}).get(one.host)) for one in hosts]
    return RegionHosts(with_capacity, known.read_at if known else None)


@dataclass(frozen=True)
class HostNow:
    """How many instances a host has at this moment, and its hypervisor if that was read too."""

    instances: int
    hypervisor: Hypervisor | None = None


def hosts_now(
    actor: Actor, cloud: Cloud, hosts: Iterable[HostFacts], among: Iterable[str] = ()
) -> dict[str, HostNow | CloudError]:
    """The true number of instances of each host: one small request a host, side by side.

    A host that cannot be counted has the error as its value.

    :param among: all hosts of the region. Nova's database may take names that differ in case
        alone for the same; such hosts are counted by looking at each instance.
    """
    require(actor, RULE_VIEW)
    wanted = {facts.host: facts.hypervisor for facts in hosts}
    spellings: dict[str, set[str]] = {}
    for name in {*wanted, *among}:
        spellings.setdefault(name.casefold(), set()).add(name)
    twins = [name for name in wanted if len(spellings[name.casefold()]) > 1]
    found: dict[str, HostNow | CloudError] = {}
    for name in twins:
        try:
            found[name] = HostNow(len(cloud.servers_on(name)))
        except CloudError as error:
            found[name] = error
    by_id = {
        name: partial(cloud.hypervisor_and_servers, one.id)
        for name, one in wanted.items()
        if name not in twins and one and one.id
    }
    for name, answer in cloud.try_side_by_side(by_id, PARALLEL).items():
        if not isinstance(answer, CloudError):
            hypervisor, number = answer
            # its id is of another host's by now, or names none: it is counted by its name
            if hypervisor.host == name:
                found[name] = HostNow(number, hypervisor)
        elif not isinstance(answer, CloudNotFound | CloudForbidden):
            found[name] = answer
    counted = cloud.count_servers_on_each([name for name in wanted if name not in found])
    return found | {
        name: answer if isinstance(answer, CloudError) else HostNow(answer)
        for name, answer in counted.items()
    }


#: how long it is told in a few words how a drain or a return ended
JUST_NOW = timedelta(hours=1)


def host_records(
    actor: Actor, region: str, hosts: Iterable[str] | None = None, *, lately: bool = False
) -> dict[str, store.HostRecord]:
    """What the database knows of the hosts of a region, by host.

    :param hosts: of these alone, or None for all
    :param lately: of those alone of which anything is in progress, or ended `JUST_NOW`
    """
    require(actor, RULE_VIEW)
    now = store.now()
    since = now - JUST_NOW
    return store.host_records(
        region, verified_after(now), since, hosts, finished_after=since if lately else None
    )


def worker_status(actor: Actor) -> store.WorkerStatus:
    """Whether any worker is at work."""
    require(actor, RULE_VIEW)
    return store.worker_status(store.now(), settings.current().worker_silent_seconds)


def project_names(actor: Actor, cloud: Cloud) -> dict[str, str]:
    """Names of the projects by id; empty where Keystone does not tell them."""
    require(actor, RULE_VIEW)
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
    require(actor, RULE_VIEW)
    service = find_service(cloud.services(host), host, cloud.region)
    servers = cloud.servers_on(host)
    return HostPage(service, servers, project_names(actor, cloud) if servers else {})

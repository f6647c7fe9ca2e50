"""What the list of hosts and the page of a host show."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from .. import settings, store
from ..cloud import Cloud
from ..core.actor import RULE_VIEW, Actor
from ..core.facts import HostFacts, Server, Service
from ..exceptions import CloudError
from .access import require
from .certificates import verified_after
from .checks import find_service


def list_hosts(actor: Actor, cloud: Cloud) -> list[HostFacts]:
    """Every compute host of the region: two requests (one more for each 1,000 hypervisors)."""
    require(actor, RULE_VIEW)
    return cloud.hosts()


def count_instances(
    actor: Actor, cloud: Cloud, hosts: Iterable[str], among: Iterable[str] = ()
) -> dict[str, int | CloudError]:
    """The true number of instances of each host: one small request a host, side by side.

    A host that cannot be counted has the error as its value.

    :param among: all hosts of the region. Nova's database may take names that differ in case
        alone for the same; such hosts are counted by looking at each instance.
    """
    require(actor, RULE_VIEW)
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


def host_records(
    actor: Actor, region: str, hosts: Iterable[str] | None = None
) -> dict[str, store.HostRecord]:
    """What the database knows of the hosts of a region, by host.

    :param hosts: of these alone, or None for all
    """
    require(actor, RULE_VIEW)
    now = store.now()
    return store.host_records(region, verified_after(now), now - JUST_NOW, hosts)


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

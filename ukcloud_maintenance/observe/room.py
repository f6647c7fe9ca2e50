"""Room on the hosts of a region, and which of them are Ironic's.

Where the worker keeps an inventory, Nova's whole list of hypervisors is not read for it: how much
room there is says Placement, and what is drained is asked for by name.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from .. import store
from ..cloud import Cloud
from ..core.facts import Capacity, Service
from ..exceptions import CloudError


def read_capacity(
    cloud: Cloud, services: Iterable[Service], known: store.Hypervisors | None
) -> Mapping[str, Capacity]:
    """What each host can take, by Placement as of now; the inventory only tells which host a
    provider is of. One request, and one more where a host that can receive is not in the answer:
    it is full, or the provider that it has now is not in the inventory yet. Nova's whole list is
    read where there is no inventory, and where it is behind for one of them."""
    if known is None:
        return cloud.capacity()
    hosts = {service.host for service in services if service.can_receive}
    if hosts <= known.hosts | known.by_host.keys():
        found = cloud.capacity(known.all)
        absent = {one.id for host in hosts - found.keys() for one in known.of(host)}
        if not absent or absent <= cloud.providers():
            return found
    return cloud.capacity()


def bare_metal(
    cloud: Cloud, capacity: Mapping[str, Capacity] | None, hosts: Iterable[str]
) -> frozenset[str]:
    """The hosts of Ironic's. Where the room of all is not known, at least these hosts are looked
    at, one request each; what cannot be read is not known."""
    if capacity is not None:
        return frozenset(host for host, found in capacity.items() if found.bare_metal)
    return frozenset(host for host in hosts if is_bare_metal(cloud, host))


def bare_metal_now(
    cloud: Cloud, hosts: Iterable[str], known: store.Hypervisors, by_inventory: frozenset[str]
) -> frozenset[str]:
    """The hosts of Ironic's, these ones by what Nova says now: one request each, side by side."""
    names = {host: [one.hypervisor_hostname for one in known.of(host)] for host in hosts}
    answers = cloud.try_side_by_side(
        {host: partial(cloud.hypervisors_of, host, *found[:1]) for host, found in names.items()}
    )
    # one that cannot be read, or is not there at this moment, is what it was
    now = {
        host: nodes
        for host, nodes in answers.items()
        if nodes and not isinstance(nodes, CloudError)
    }
    metal = {host for host, nodes in now.items() if any(node.is_bare_metal for node in nodes)}
    return (by_inventory - now.keys()) | metal


def is_bare_metal(cloud: Cloud, host: str) -> bool:
    """Whether the nodes of exactly this host are Ironic's, as far as Nova tells. One request."""
    try:
        return any(hypervisor.is_bare_metal for hypervisor in cloud.hypervisors_of(host))
    except CloudError:
        return False

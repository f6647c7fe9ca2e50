"""Allocations in Placement that a migration left behind."""

from collections.abc import Mapping

from .. import store
from ..cloud import Cloud
from ..core.actor import RULE_RESET, RULE_VIEW, Actor
from ..core.facts import Migration
from ..core.host.certificate import failures
from ..core.host.orphans import Orphan, OrphanSight, amounts_of, kept, weigh
from ..core.message import message
from ..exceptions import CloudError, Refused, UnknownHost
from .access import require


def host_allocations(actor: Actor, cloud: Cloud, host: str) -> list[Orphan]:
    """Everything that Placement shows on exactly this host, and of each whether it holds anything.
    Some five requests, and up to six for each consumer.

    :raises UnknownHost: Nova does not name the host's hypervisor
    """
    require(actor, RULE_VIEW)
    providers = _providers(cloud, host)
    allocations = cloud.allocations_on(sorted(h.id for h in cloud.hypervisors_of(host) if h.id))
    records = {m.uuid: m for m in cloud.migrations_touching(host) if m.uuid}
    consumers = dict.fromkeys(a.consumer_id for a in allocations)
    return [_weigh(cloud, host, providers, records, consumer) for consumer in consumers]


def _providers(cloud: Cloud, host: str) -> frozenset[str]:
    providers = cloud.providers_of(host)
    if not providers:
        raise UnknownHost(
            message("host_without_hypervisor", host=host), code="unknown_host", field="host"
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
    require(actor, RULE_RESET)
    maintenance = store.open_maintenance(cloud.region, host)
    if maintenance is None:
        raise Refused(
            message("host_not_in_maintenance", host=host), code="no_maintenance", field="host"
        )
    records = {m.uuid: m for m in cloud.migrations_touching(host) if m.uuid}
    found = _weigh(cloud, host, _providers(cloud, host), records, consumer_id)
    if not found.removable:
        failed = failures(found.checks)
        raise Refused(message("allocation_in_use", consumer=consumer_id, why=failed))
    held = [amounts_of(allocation) for allocation in found.here]
    what = message("allocation_of", consumer=consumer_id, amounts=held)
    store.record_of_host(maintenance, store.now(), "allocation_remove_asked", actor, what)
    left = kept(found.consumer, {a.provider_id for a in found.here})
    try:
        request_id = cloud.set_allocations(left)
    except CloudError as error:
        why = message("allocation_kept", consumer=consumer_id, why=error.cause)
        store.record_of_host(
            maintenance,
            store.now(),
            "allocation_not_removed",
            actor,
            why,
            error.request_id,
        )
        raise
    store.record_of_host(maintenance, store.now(), "allocation_removed", actor, what, request_id)
    store.verify_soon(maintenance)
    return found

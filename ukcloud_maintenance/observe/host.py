"""What is read to tell whether a host is empty: as its drain ends, and for its certificate."""

import logging
from collections.abc import Callable, Iterable
from functools import partial

from ..cloud import Cloud, side_by_side
from ..core.facts import Allocation, Hypervisor, Server, Service
from ..core.host.certificate import HostObservation
from ..core.host.emptiness import HostContents
from ..core.host.returning import same_machine
from ..core.message import NAMED, Message
from ..exceptions import CloudAnswerUnusable, CloudError
from ..log import log_event
from ..store import HostMaintenance


def read_contents(cloud: Cloud, host: str, alive: Callable[[], None]) -> HostContents:
    """The service first, then the lists, and the service once more: what the lists say holds only
    if the service was what it is meant to be all the while. Four requests, and one for each
    server elsewhere of which a migration from or to the host is not over.

    :param alive: called between the requests
    :raises CloudError: one of the four failed
    """
    before = cloud.service(host)
    # Before the servers: what arrives between the two is seen by one of them at least.
    migrations = cloud.migrations_touching(host)
    alive()
    servers = cloud.servers_on(host)
    alive()
    unfinished = {m.server_id for m in migrations if m.server_id and not m.is_over}
    known: dict[str, Server | None] = {s.id: s for s in servers if s.id in unfinished}
    of_migrations = known | read_servers(cloud, unfinished - known.keys())
    alive()
    return HostContents(host, before, cloud.service(host), servers, migrations, of_migrations)


def read_servers(cloud: Cloud, server_ids: Iterable[str]) -> dict[str, Server | None]:
    """Servers by id, one request each: None where one does not exist; one that cannot be read is
    left out."""

    def read(server_id: str) -> tuple[str, Server | None] | None:
        try:
            return server_id, cloud.server(server_id)
        except CloudError as error:
            log_event(logging.WARNING, "not_read", server=server_id, detail=error.said)
            return None

    return dict(filter(None, side_by_side(partial(read, one) for one in sorted(server_ids))))


def look_at_host(
    cloud: Cloud, maintenance: HostMaintenance, alive: Callable[[], None]
) -> HostObservation:
    """What tells whether a host is empty, and then what Placement says: some eight requests, and
    one for each server that an unfinished migration or an allocation names.

    :param alive: called between the requests
    :raises CloudError: what must be known cannot be read
    """
    contents = read_contents(cloud, maintenance.host, alive)
    hypervisors, allocations = _allocations(cloud, maintenance, contents.after, alive)
    alive()
    elsewhere = _elsewhere(cloud, allocations, contents)
    known = [*contents.servers_of_migrations.values(), *elsewhere.values()]
    names = {s.id: s.name for s in known if s}
    gone = contents.before is None
    return HostObservation(
        **vars(contents) | {"names": names},
        hypervisors=hypervisors,
        allocations=allocations,
        service_id=maintenance.service_id,
        elsewhere=elsewhere,
        same_machine=_same_machine(cloud, maintenance.host) if gone else None,
    )


def _same_machine(cloud: Cloud, host: str) -> Hypervisor | None:
    """Whether another service has the hypervisor of a host whose service is gone."""
    try:
        return same_machine(host, cloud.hypervisors())
    except CloudError as error:
        log_event(logging.WARNING, "no_hypervisors", host=host, detail=error.said)
        return None


def _allocations(
    cloud: Cloud,
    maintenance: HostMaintenance,
    service: Service | None,
    alive: Callable[[], None],
) -> tuple[list[Hypervisor], list[Allocation] | Message]:
    """What Placement says, or why it cannot be told. A host that is safe does not lose that
    over one answer that did not come (see `worker.host.in_trouble`), unless its cell is down:
    that is known, and Nova does not tell its hypervisors then."""
    hypervisors: list[Hypervisor] = []
    try:
        hypervisors = cloud.hypervisors_of(maintenance.host)
        alive()
        found = cloud.allocations_on([one.id for one in hypervisors if one.id])
    except CloudAnswerUnusable as error:
        return hypervisors, error.cause
    except CloudError as error:
        if maintenance.safe_since and service is not None and service.is_known:
            raise
        return hypervisors, error.cause
    return hypervisors, found


def _elsewhere(
    cloud: Cloud, allocations: list[Allocation] | Message, contents: HostContents
) -> dict[str, Server | None]:
    """The servers whose allocations these are, by their own ids or by those of their
    migrations, and that are not on this host: of as many as are shown."""
    if isinstance(allocations, Message):
        return {}
    of_record = {m.uuid: m.server_id for m in contents.migrations if m.uuid}
    here = {server.id for server in contents.servers}
    consumers = dict.fromkeys(a.consumer_id for a in allocations)
    wanted = dict.fromkeys(of_record.get(consumer, consumer) for consumer in consumers)
    found = read_servers(cloud, [i for i in wanted if i not in here][:NAMED])
    # What is neither a server nor a migration does not count as a server that no longer exists.
    servers = set(of_record.values())
    return {i: s for i, s in found.items() if s is not None or i in servers}

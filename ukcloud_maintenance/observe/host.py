"""What is read to tell whether a host is empty: as its drain ends, and for its certificate."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from ..cloud import PARALLEL, Cloud
from ..core.facts import Server
from ..core.host.emptiness import HostContents
from ..core.printable import logger
from ..exceptions import CloudError

LOG = logger("ukcloud_maintenance.worker")


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
            LOG.warning("not_read server=%s detail=%r", server_id, str(error))
            return None

    wanted = sorted(server_ids)
    if not wanted:
        return {}
    with ThreadPoolExecutor(min(PARALLEL, len(wanted))) as pool:
        return dict(filter(None, pool.map(read, wanted)))

"""Stand-ins for what the tests of this folder do not want to be real."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from keystoneauth1.session import Session

from ukcloud_maintenance.cloud import Cloud
from ukcloud_maintenance.core.facts import (
    Aggregate,
    Capacity,
    Contacts,
    HostFacts,
    Hypervisor,
    Inventory,
    Migration,
    Server,
    ServerGroup,
    Service,
)
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.exceptions import CloudError, CloudUnreachable

GIB = 1024**3


def service(host: str, **more: object) -> Service:
    """A nova-compute service that is up and enabled."""
    found = Service(
        id=str(uuid.uuid5(uuid.NAMESPACE_DNS, host)),
        host=host,
        zone="nova",
        state="up",
        status="enabled",
    )
    return replace(found, **more)  # type: ignore[arg-type]


def server(name: str, host: str = "cmp1", **more: object) -> Server:
    """An ACTIVE server of 1 GiB."""
    found = Server(
        # a name may be anything, lone surrogates included
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, name.encode("ascii", "backslashreplace").decode())),
        name=name,
        host=host,
        status="ACTIVE",
        vm_state="active",
        task_state=None,
        project_id="p1",
        memory_bytes=GIB,
        vcpus=1,
        flavor_name="m1.small",
    )
    return replace(found, **more)  # type: ignore[arg-type]


class FakeCloud(Cloud):
    """A cloud of the given services and servers, without a network.

    `failure`, where it is set, is raised by every read. What stands around the servers is not
    known where it is None.
    """

    def __init__(
        self,
        services: Iterable[Service] = (),
        servers: Iterable[Server] = (),
        region: str = "RegionOne",
        failure: CloudError | None = None,
    ):
        super().__init__(Session(), region)
        self.all_services = list(services)
        self.all_servers = list(servers)
        self.failure = failure
        self.all_groups: list[ServerGroup] | None = None
        self.all_aggregates: list[Aggregate] | None = None
        self.all_capacity: dict[str, Capacity] | None = None
        self.all_inventories: dict[str, dict[str, Inventory]] = {}
        #: servers that are elsewhere, and whose migration from a host is not confirmed
        self.unconfirmed: list[tuple[str, Server]] = []

    def services(self, host: str | None = None) -> list[Service]:
        self._fail()
        return [s for s in self.all_services if host is None or s.host == host]

    def servers_on(self, host: str) -> list[Server]:
        self._fail()
        return [s for s in self.all_servers if s.host == host]

    def servers_in_error(self) -> dict[str, str]:
        self._fail()
        return {s.id: s.name for s in self.all_servers if s.status == "ERROR"}

    def project_names(self) -> dict[str, str]:
        self._fail()
        return {"p1": "customer"}

    def contacts_of(self, project_ids: Iterable[str]) -> Contacts:
        self._fail()
        return Contacts({one: (f"{one}@example.org",) for one in project_ids})

    #: what Nova offers
    servers_at = "2.98"

    def prefer_newest(self) -> str:
        return self.servers_at

    def server(self, server_id: str) -> Server | None:
        self._fail()
        known = [*self.all_servers, *(s for _, s in self.unconfirmed)]
        return next((s for s in known if s.id == server_id), None)

    def unconfirmed_from(self, host: str) -> list[Migration]:
        self._fail()
        return [
            Migration(n, "", s.id, "finished", "migration", host, s.host)
            for n, (source, s) in enumerate(self.unconfirmed)
            if source == host
        ]

    def server_groups(self) -> list[ServerGroup]:
        return self._known(message("to_list_server_groups"), self.all_groups)

    def aggregates(self) -> list[Aggregate]:
        return self._known(message("to_list_aggregates"), self.all_aggregates)

    def capacity(self, known: Iterable[Hypervisor] | None = None) -> dict[str, Capacity]:
        return self._known(message("to_read_capacity"), self.all_capacity)

    def hosts_and_capacity(self) -> tuple[list[HostFacts], dict[str, Capacity] | None]:
        return self.hosts(), self.all_capacity

    def inventories_of(self, host: str) -> dict[str, Inventory]:
        return self._known(message("to_read_capacity"), self.all_inventories.get(host))

    def _known(self, what: Message, value: Any) -> Any:
        self._fail()
        if value is None:
            raise CloudUnreachable(what, "timed out")
        return value

    def _fail(self) -> None:
        if self.failure:
            raise self.failure

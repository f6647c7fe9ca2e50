"""Stand-ins for what the tests of this folder do not want to be real."""

import uuid
from collections.abc import Iterable
from dataclasses import replace

from keystoneauth1.session import Session

from ukcloud_maintenance.cloud import Cloud
from ukcloud_maintenance.core.facts import Server, Service
from ukcloud_maintenance.exceptions import CloudError

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
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
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

    `failure`, where it is set, is raised by every read.
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

    def services(self, host: str | None = None) -> list[Service]:
        self._fail()
        return [s for s in self.all_services if host is None or s.host == host]

    def servers_on(self, host: str) -> list[Server]:
        self._fail()
        return [s for s in self.all_servers if s.host == host]

    def project_names(self) -> dict[str, str]:
        self._fail()
        return {"p1": "customer"}

    def _fail(self) -> None:
        if self.failure:
            raise self.failure

"""``DemoCloud``: a real control plane with simulated hosts, for tests.

    from ukcloud_maintenance.demo.config import FAST, HostSpec
    from ukcloud_maintenance.demo.harness import DemoCloud

    with DemoCloud() as cloud:                       # 6 hosts, ready in seconds
        server = cloud.create_server("web-01", host="cmp1")       # waits for ACTIVE
        cloud.nova.post(
            f"/servers/{server}/action",
            json={"os-migrateLive": {"host": None, "block_migration": "auto"}},
        )
        cloud.wait_for_migration(server, "completed")

``cloud.nova`` is keystoneauth's adapter of the compute service as the cloud's ``admin``;
``cloud.session("worker")`` a session of the worker's account; ``cloud.clouds_yaml`` is the file
for ``OS_CLIENT_CONFIG_FILE``. How a server's migration goes is chosen by its metadata, see
``behaviours``: ``cloud.create_server("db-1", host="cmp2", play="rollback fail_times=1")``.

``DemoCloud(config=dataclasses.replace(FAST, max_concurrent_live_migrations=1))`` chooses hosts,
speeds and limits. Any number of clouds can run beside each other; each has its own directory and
port, and costs 300 MB. Starting one takes about 8 s; the first on a machine a few more, to fill
a cache (``$XDG_CACHE_HOME/ukcloud-maintenance-demo``).

A test session usually wants one cloud and many servers, each test with servers of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from keystoneauth1 import adapter, session

from . import behaviours, clients, waiting
from .config import FAST, CloudConfig
from .remote import RemoteControl
from .standins import IMAGE_ID
from .waiting import DemoCloudError


class DemoCloud(RemoteControl):
    """A cloud with servers, stopped at the end of the ``with`` block.

    How it is started is in ``plane_process``; how it is disturbed, in ``remote``.
    """

    def __init__(
        self,
        state: Path | None = None,
        port: int | None = None,
        config: CloudConfig = FAST,
    ) -> None:
        super().__init__(state, port, config)
        self._adapters: dict[tuple[str, str], adapter.Adapter] = {}
        self._flavors: dict[tuple[int, int, int], str] = {}

    # --- clients ------------------------------------------------------------------------------

    def session(self, cloud: str = "admin") -> session.Session:
        """A keystoneauth session of ``admin`` or ``worker``."""
        return self.adapter("compute", cloud).session

    def adapter(self, service_type: str, cloud: str = "admin") -> adapter.Adapter:
        """An adapter of one service, kept for the next call."""
        key = (service_type, cloud)
        if key not in self._adapters:
            self._adapters[key] = clients.connect(
                self.clouds_yaml, cloud, service_type, user_agent="test"
            )
        return self._adapters[key]

    @property
    def nova(self) -> adapter.Adapter:
        """The compute service as ``admin``, at microversion 2.96."""
        return self.adapter("compute")

    def service(self, host: str) -> dict[str, Any]:
        """The nova-compute of ``host`` in ``/os-services``."""
        query = f"/os-services?binary=nova-compute&host={host}"
        return self.nova.get(query).json()["services"][0]

    # --- servers ------------------------------------------------------------------------------

    def flavor(self, ram_mib: int = 512, vcpus: int = 1, disk_gib: int = 1) -> str:
        """The id of a flavor of this size, made when it is missing."""
        key = (ram_mib, vcpus, disk_gib)
        if key not in self._flavors:
            name = "test-{}-{}-{}".format(*key)
            for flavor in self.nova.get("/flavors/detail?is_public=None").json()["flavors"]:
                if flavor["name"] == name:
                    self._flavors[key] = flavor["id"]
                    break
            else:
                body = {"name": name, "ram": ram_mib, "vcpus": vcpus, "disk": disk_gib}
                made = self.nova.post("/flavors", json={"flavor": body}).json()["flavor"]
                self._flavors[key] = made["id"]
        return self._flavors[key]

    def create_server(
        self,
        name: str,
        flavor: str | None = None,
        host: str | None = None,
        *,
        ram_mib: int = 512,
        metadata: Mapping[str, str] | None = None,
        play: str | None = None,
        tags: Iterable[str] = (),
        state: str = "ACTIVE",
        group: str | None = None,
        image: str = IMAGE_ID,
        cloud: str = "admin",
        wait: bool = True,
    ) -> str:
        """Boot a server and return its id.

        :param flavor: a flavor's id; None takes one with ``ram_mib``
        :param host: ``service.host`` to build it on (not pinned to its zone)
        :param play: how its live migrations go, see ``behaviours``
        :param state: ACTIVE, PAUSED, SHUTOFF, SUSPENDED or ERROR
        :param group: a server group's id, as scheduler hint
        :param wait: whether to wait until it has that state (only ACTIVE can do without)
        """
        data = dict(metadata or {})
        if play:
            behaviours.parse(play)
            data[behaviours.LIVE_KEY] = play
        server: dict[str, Any] = {
            "name": name,
            "flavorRef": flavor or self.flavor(ram_mib),
            "imageRef": image,
            "networks": "none",
            "metadata": data,
        }
        if tags:
            server["tags"] = list(tags)
        if host:
            server["host"] = host
        body: dict[str, Any] = {"server": server}
        if group:
            body["os:scheduler_hints"] = {"group": group}
        nova = self.adapter("compute", cloud)
        server_id = nova.post("/servers", json=body).json()["server"]["id"]
        if wait or state != "ACTIVE":
            self.wait_for_server(server_id, "ACTIVE")
            self.change_state(server_id, state)
        return server_id

    def create_servers(self, names: Iterable[str], **arguments: Any) -> list[str]:
        """Several at once, which is much faster than one after the other."""
        state = arguments.pop("state", "ACTIVE")
        servers = [self.create_server(name, wait=False, **arguments) for name in names]
        for server in servers:
            self.wait_for_server(server, "ACTIVE")
        for server in servers:
            self.change_state(server, state)
        return servers

    def change_state(self, server: str, state: str) -> None:
        """Bring an ACTIVE server into PAUSED, SHUTOFF, SUSPENDED or ERROR, and wait for it."""
        action = {
            "ACTIVE": None,
            "PAUSED": {"pause": None},
            "SHUTOFF": {"os-stop": None},
            "SUSPENDED": {"suspend": None},
            "ERROR": {"os-resetState": {"state": "error"}},
        }[state]
        if action:
            self.action(server, action)
            self.wait_for_server(server, state)

    def action(self, server: str, body: Mapping[str, Any]) -> Any:
        """POST a server action; returns the response."""
        return self.nova.post(f"/servers/{server}/action", json=body)

    def server(self, server: str) -> dict[str, Any]:
        """The server as the API shows it."""
        return self.nova.get(f"/servers/{server}").json()["server"]

    def host_of(self, server: str) -> str:
        """The ``service.host`` that the database says."""
        return self.server(server)["OS-EXT-SRV-ATTR:host"]

    def delete_server(self, *servers: str) -> None:
        """Delete and wait until they are gone; a stuck one is reset first."""
        for server in servers:
            if self.config.reclaim_seconds:
                path, body = f"/servers/{server}/action", {"forceDelete": None}
                self.nova.post(path, json=body, raise_exc=False)
            else:
                self.nova.delete(f"/servers/{server}", raise_exc=False)
        for server in servers:
            self.wait(
                lambda server=server: (
                    self.nova.get(f"/servers/{server}", raise_exc=False).status_code == 404
                ),
                f"server {server} is deleted",
            )

    # --- migrations ---------------------------------------------------------------------------

    def live_migrate(self, server: str, dest: str | None = None) -> str:
        """Ask for a live migration; returns the id of the request."""
        response = self.action(
            server, {"os-migrateLive": {"host": dest, "block_migration": "auto"}}
        )
        return response.headers["x-openstack-request-id"]

    def migrations(self, server: str) -> list[dict[str, Any]]:
        """The server's migration records, newest first, without bytes."""
        response = self.nova.get(f"/os-migrations?instance_uuid={server}")
        return response.json()["migrations"]

    def progress(self, server: str) -> list[dict[str, Any]]:
        """What ``/servers/{id}/migrations`` lists: those in progress, with bytes."""
        return self.nova.get(f"/servers/{server}/migrations").json()["migrations"]

    # --- waiting ------------------------------------------------------------------------------

    def wait(self, condition: Callable[[], Any], what: str, timeout: float = 60) -> Any:
        """Poll until ``condition()`` is true; returns its value."""
        return waiting.wait(condition, what, timeout)

    def wait_for_server(self, server: str, status: str, timeout: float = 60) -> dict[str, Any]:
        """Until the server has this status and no task in progress."""

        def there():
            body = self.server(server)
            if body["status"] == "ERROR" != status and body["OS-EXT-STS:task_state"] is None:
                raise DemoCloudError(f"server {server} is in ERROR: {body.get('fault')}")
            settled = body["OS-EXT-STS:task_state"] is None
            return body if body["status"] == status and settled else None

        return self.wait(there, f"server {server} is {status}", timeout)

    def wait_for_migration(
        self, server: str, *statuses: str, timeout: float = 60
    ) -> dict[str, Any]:
        """Until the server's newest migration record has one of ``statuses``."""

        def there():
            records = self.migrations(server)
            return records[0] if records and records[0]["status"] in statuses else None

        return self.wait(there, f"a migration of {server} is {' or '.join(statuses)}", timeout)

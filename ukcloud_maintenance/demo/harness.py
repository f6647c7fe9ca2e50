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

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import requests
from keystoneauth1 import adapter, session

from . import behaviours, clients
from .config import FAST, CloudConfig
from .ports import free_port
from .standins import IMAGE_ID

START_TIMEOUT = 120.0


class DemoCloudError(Exception):
    """The cloud didn't do what a test needs; the message carries the end of its log."""


def child_environment() -> dict[str, str]:
    """The environment of a process of the demo: finds this package, compiles what it imports (a
    restart is faster then), and asks no proxy for what is on loopback.

    The processes themselves are started with ``-P``: what lies in the current directory must not
    be imported in place of a module of theirs.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.lower().endswith("_proxy")
    }
    path = [str(Path(__file__).resolve().parents[2])]
    path += environment.get("PYTHONPATH", "").split(os.pathsep)
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, path)))
    return environment


class Fault:
    """A fault that was asked for; as a context manager it ends with the block."""

    def __init__(self, cloud: DemoCloud, number: int) -> None:
        self._cloud = cloud
        self._number = number

    def _count(self, what: str) -> int:
        return self._cloud._demo("GET", f"faults/{self._number}")[what]

    @property
    def hits(self) -> int:
        """How many requests it has met."""
        return self._count("hits")

    @property
    def passed(self) -> int:
        """How many of them the service has carried out (their answer may be held still)."""
        return self._count("passed")

    def wait_hit(self, timeout: float = 60) -> None:
        """Until a request has arrived; with ``hold_before`` the service hasn't seen it yet."""
        self._cloud.wait(lambda: self.hits, "a request meets the fault", timeout)

    def wait_passed(self, timeout: float = 60) -> None:
        """Until the service has carried a request out, whose client has no answer yet."""
        self._cloud.wait(lambda: self.passed, "a request is carried out", timeout)

    def remove(self) -> None:
        """Forget it; requests that it holds go on."""
        self._cloud._demo("DELETE", f"faults/{self._number}")

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class DemoCloud:
    """A control plane in a process of its own, stopped at the end of the ``with`` block.

    :param state: its directory; None makes a temporary one, removed at the end
    :param port: None takes a free one
    :param config: hosts, speeds and limits; ``FAST`` by default
    """

    program = "ukcloud_maintenance.demo.controlplane"
    """The module that is run as the control plane's process."""

    def __init__(
        self,
        state: Path | None = None,
        port: int | None = None,
        config: CloudConfig = FAST,
    ) -> None:
        self._temporary = state is None
        self.state = Path(state or tempfile.mkdtemp(prefix="demo-cloud-"))
        self.port = port or free_port()
        self.config = config
        self.process: subprocess.Popen | None = None
        self._adapters: dict[tuple[str, str], adapter.Adapter] = {}
        self._flavors: dict[tuple[int, int, int], str] = {}

    # --- the process --------------------------------------------------------------------------

    def __enter__(self) -> DemoCloud:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def auth_url(self) -> str:
        return f"{self.url}/identity/v3"

    @property
    def clouds_yaml(self) -> Path:
        return self.state / "clouds.yaml"

    @property
    def log(self) -> Path:
        return self.state / "log" / "controlplane.log"

    def start(self, progress: Callable[[str], None] | None = None) -> None:
        """Start the process and wait until every API answers.

        :param progress: called with each line that the process says meanwhile
        """
        (self.state / "log").mkdir(parents=True, exist_ok=True)
        config = self.state / "wanted.json"
        config.write_text(self.config.to_json())
        environment = self.environment()
        said = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    self.program,
                    f"--state={self.state}",
                    f"--port={self.port}",
                    f"--config={config}",
                    f"--with-parent={os.getpid()}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        ready = self.state / "ready.json"
        output = self.log.open(errors="replace")
        output.seek(said)
        with output:
            self._wait_ready(ready, output, progress or (lambda line: None))

    def _wait_ready(self, ready: Path, output: TextIO, progress: Callable[[str], None]) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            while line := output.readline():
                progress(line.rstrip().partition("] ")[2] or line.rstrip())
            with contextlib.suppress(OSError, ValueError):
                if json.loads(ready.read_text())["pid"] == self.process.pid:
                    return
            if self.process.poll() is not None:
                raise DemoCloudError(
                    f"the control plane ended with {self.process.returncode}\n{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                self.kill()
                raise DemoCloudError(
                    f"the control plane isn't ready after {START_TIMEOUT:.0f} s\n" + self.log_tail()
                )
            time.sleep(0.05)

    def environment(self) -> dict[str, str]:
        """The environment of the process."""
        return child_environment()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._end(signal.SIGKILL)

    def restart(self, *, killed: bool = False) -> None:
        """Stop (or kill) the process and start it again on the same directory and port."""
        self._end(signal.SIGKILL if killed else signal.SIGTERM)
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def close(self) -> None:
        """Stop, and remove a directory that was made for this cloud."""
        self.stop()
        if self._temporary:
            shutil.rmtree(self.state, ignore_errors=True)

    def log_tail(self, lines: int = 40) -> str:
        """The end of the process's output and the errors in Nova's log."""
        text = (
            self.log.read_text(errors="replace").splitlines()[-lines:] if self.log.exists() else []
        )
        nova = self.state / "log" / "nova.log"
        if nova.exists():
            errors = [
                line for line in nova.read_text(errors="replace").splitlines() if " ERROR " in line
            ]
            text += ["--- errors in nova.log", *errors[-lines:]]
        return "\n".join(text)

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

    # --- instrumentation, see the module of that name -----------------------------------------

    def _demo(self, method: str, path: str, **arguments: Any) -> Any:
        with requests.Session() as http:
            http.trust_env = False
            response = http.request(method, f"{self.url}/demo/{path}", timeout=60, **arguments)
        if response.status_code != 200:
            raise DemoCloudError(f"{method} /demo/{path}: {response.text}")
        return response.json()

    def fault(self, **fields: Any) -> Fault:
        """Spoil requests to come; the arguments are the fields of ``instrumentation.Fault``.

        with cloud.fault(method="POST", path="/action$", body="os-migrateLive", lose=True):
            ...
        """
        return Fault(self, self._demo("POST", "faults", json=fields)["id"])

    def mark(self) -> int:
        """The number of the newest request, for ``requests(since=…)``."""
        return self._demo("GET", "requests?since=9999999999")["last"]

    def requests(
        self,
        since: int = 0,
        service: str = "compute",
        method: str | None = None,
        exclude_user_agent: str = "^(test|demo-cloud) ",
    ) -> list[dict[str, Any]]:
        """The request log of one service, without those of the tests' own clients: dicts with
        ``id, time, method, path`` (and query), ``action, user_agent, microversion, status,
        request_id``; the status is None while a request is held, and where its answer got lost.
        """
        rows = self._demo("GET", f"requests?since={since}")["requests"]
        return [
            row
            for row in rows
            if row["path"].startswith(f"/{service}/")
            and method in (None, row["method"])
            and not re.search(exclude_user_agent, row["user_agent"] or "")
        ]

    def control_host(self, host: str, do: str) -> None:
        """``stop``, ``kill``, ``start``, ``freeze`` or ``thaw`` one nova-compute."""
        self._demo("POST", f"hosts/{host}", json={"do": do})

    @contextlib.contextmanager
    def cell_down(self) -> Iterator[None]:
        """While the block runs, the hosts' cell does not answer nova-api."""
        self._demo("POST", "cell", json={"do": "down"})
        try:
            yield
        finally:
            self._demo("POST", "cell", json={"do": "up"})

    def host_states(self) -> dict[str, str]:
        """``running``, ``frozen`` or ``stopped`` for each host."""
        return self._demo("GET", "hosts")["hosts"]

    def guests(self) -> dict[str, list[str]]:
        """Where the simulated guests really are: server id -> hosts."""
        return self._demo("GET", "guests")["guests"]

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
        """What ``/servers/{id}/migrations`` lists: those under way, with bytes."""
        return self.nova.get(f"/servers/{server}/migrations").json()["migrations"]

    # --- waiting ------------------------------------------------------------------------------

    def wait(self, condition: Callable[[], Any], what: str, timeout: float = 60) -> Any:
        """Poll until ``condition()`` is true; returns its value."""
        deadline = time.monotonic() + timeout
        pause = 0.05
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise DemoCloudError(f"waited {timeout:.0f} s in vain until {what}")
            time.sleep(pause)
            pause = min(pause * 1.2, 0.3)
        return value

    def wait_for_server(self, server: str, status: str, timeout: float = 60) -> dict[str, Any]:
        """Until the server has this status and no task under way."""

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

"""What a test asks of a running control plane besides OpenStack's APIs: to spoil requests, to show
those that it got, to stop hosts. The other end is ``instrumentation``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import requests

from .plane_process import ControlPlaneProcess
from .waiting import DemoCloudError, wait


class Fault:
    """A fault that was requested; as a context manager it ends with the block."""

    def __init__(self, cloud: RemoteControl, number: int) -> None:
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
        wait(lambda: self.hits, "a request meets the fault", timeout)

    def wait_passed(self, timeout: float = 60) -> None:
        """Until the service has carried a request out, whose client has no answer yet."""
        wait(lambda: self.passed, "a request is carried out", timeout)

    def remove(self) -> None:
        """Forget it; requests that it holds go on."""
        self._cloud._demo("DELETE", f"faults/{self._number}")

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class RemoteControl(ControlPlaneProcess):
    """A control plane that can be looked into and disturbed."""

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
        """``stop``, ``kill``, ``start``, ``freeze`` or ``thaw`` one nova-compute; ``boot`` starts
        it on a machine that was started anew."""
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

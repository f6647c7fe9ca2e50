"""The one WSGI application of the demo cloud: the services by path prefix, and below ``/demo``
what tests use to look at requests, to spoil them, and to stop hosts.

It is test instrumentation: it listens on loopback only, knows no accounts, and wants
``Content-Type: application/json``, so that no web page can reach it through a browser.

============================ =====================================================================
``GET /demo/requests``       the request log: ``?since=ID`` for what came after a request's id
``POST /demo/faults``        spoil requests to come; the body has the fields of ``Fault``
``GET /demo/faults/ID``      how many requests it has met (``hits``) and passed on (``passed``)
``DELETE /demo/faults/ID``   forget it, and let go what it holds; without ID: all
``GET /demo/hosts``          host -> ``running``, ``frozen`` or ``stopped``
``POST /demo/hosts/HOST``    ``{"do": "stop" | "kill" | "start" | "boot" | "freeze" | "thaw"}``
``POST /demo/cell``           ``{"do": "down" | "up"}``: see ``cell``
``GET /demo/guests``         server id -> hosts on which a simulated guest is, whatever the
                             database says
============================ =====================================================================

``stop`` and ``kill`` end one nova-compute (``stop`` cancels what waits in its queue; ``kill``
writes nothing), ``freeze`` is SIGSTOP: no heartbeat, no message is read, no bytes are reported,
until ``thaw``. Nova calls the host down once its heartbeats have been missing for
``CloudConfig.service_down_seconds``.
"""

from __future__ import annotations

import collections
import dataclasses
import errno
import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .controlplane import ControlPlane

TOKEN_CACHE = "demo.token_cache"

REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclasses.dataclass
class Fault:
    """What happens to the next ``times`` requests that match, in the order of these fields."""

    method: str | None = None
    path: str = ""
    """Regular expression, searched in path and query, ``/compute/v2.1/servers?host=cmp1``."""
    body: str = ""
    """Regular expression, searched in the request's body."""
    user_agent: str = ""
    """Regular expression, searched in the User-Agent."""
    skip: int = 0
    """So many matching requests are left alone first."""
    times: int = 1
    hold_before: float = 0
    """Seconds to hold the request before anything else."""
    answer: int | None = None
    """Answer with this status *instead of* passing the request on."""
    hold_after: float = 0
    """Passed on: seconds to hold the answer back."""
    replace: int | None = None
    """Passed on: give this status as the answer instead of the service's."""
    lose: bool = False
    """Passed on: close the connection without an answer."""

    def __post_init__(self) -> None:
        self.id = 0
        self.hits = 0
        self.passed = 0
        self.answered = 0
        self.released = threading.Event()

    def matches(self, entry: dict[str, Any], body: bytes) -> bool:
        return bool(
            (self.method is None or self.method == entry["method"])
            and re.search(self.path, entry["path"])
            and re.search(self.user_agent, entry["user_agent"] or "")
            and re.search(self.body, body.decode(errors="replace"))
        )

    def as_json(self) -> dict[str, Any]:
        counters = ("id", "hits", "passed", "answered")
        return dataclasses.asdict(self) | {name: getattr(self, name) for name in counters}


class TokenCache:
    """What ``keystonemiddleware`` wants of a cache that it finds in the WSGI environment."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:
        return self._values.get(key)

    def set(self, key: str, value: Any, **_ignored: Any) -> None:
        with self._lock:
            if len(self._values) > 1000:
                self._values.clear()
            self._values[key] = value


class Instrumentation:
    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._tokens = TokenCache()
        self._lock = threading.Lock()
        self._requests: collections.deque[dict[str, Any]] = collections.deque(maxlen=50_000)
        self._last_request = 0
        self._faults: dict[int, Fault] = {}
        self._last_fault = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        prefix = "/" + path.split("/", 2)[1]
        if prefix == "/demo":
            return self._control(environ, start_response, path)
        application = self._plane.applications.get(prefix)
        if application is None:
            return _answer(start_response, 503, {"error": f"{prefix} isn't served (yet)"})
        environ["SCRIPT_NAME"] = prefix
        environ["PATH_INFO"] = path[len(prefix) :]
        environ[TOKEN_CACHE] = self._tokens

        body = b""
        if length := int(environ.get("CONTENT_LENGTH") or 0):
            body = environ["wsgi.input"].read(length)
            environ["wsgi.input"] = io.BytesIO(body)
        entry = self._log(environ, path, body)
        recorded = _record(entry, start_response)
        fault = self._fault_for(entry, body)
        if fault is None:
            return application(environ, recorded)
        return self._spoil(fault, entry, application, environ, start_response)

    # --- the request log ----------------------------------------------------------------------

    def _log(self, environ: dict[str, Any], path: str, body: bytes) -> dict[str, Any]:
        query = environ.get("QUERY_STRING")
        action = None
        if environ["REQUEST_METHOD"] == "POST" and path.endswith("/action"):
            try:
                action = next(iter(json.loads(body)))
            except (ValueError, StopIteration):
                action = None
        with self._lock:
            self._last_request += 1
            entry = {
                "id": self._last_request,
                "time": time.time(),
                "method": environ["REQUEST_METHOD"],
                "path": f"{path}?{query}" if query else path,
                "action": action,
                "user_agent": environ.get("HTTP_USER_AGENT"),
                "microversion": environ.get("HTTP_OPENSTACK_API_VERSION"),
                "status": None,
                "request_id": None,
            }
            self._requests.append(entry)
        return entry

    # --- faults -------------------------------------------------------------------------------

    def _fault_for(self, entry: dict[str, Any], body: bytes) -> Fault | None:
        with self._lock:
            for fault in self._faults.values():
                if fault.times > 0 and fault.matches(entry, body):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    fault.hits += 1
                    return fault
        return None

    def _spoil(
        self,
        fault: Fault,
        entry: dict[str, Any],
        application: Callable,
        environ: dict[str, Any],
        start_response: Callable,
    ) -> Iterable[bytes]:
        fault.released.wait(fault.hold_before) if fault.hold_before else None
        if fault.answer is not None:
            entry["status"] = fault.answer
            fault.answered += 1
            return _answer(start_response, fault.answer, _spoiled(fault.answer))
        status, headers, body = _call(application, environ)
        entry["request_id"] = _request_id(headers)
        fault.passed += 1
        if fault.hold_after:
            fault.released.wait(fault.hold_after)
        if fault.lose:
            # The server closes the connection and says nothing, as for any client that went away.
            raise ConnectionResetError(errno.ECONNRESET, "lost on purpose")
        fault.answered += 1
        if fault.replace is not None:
            entry["status"] = fault.replace
            return _answer(start_response, fault.replace, _spoiled(fault.replace))
        entry["status"] = int(status.split()[0])
        start_response(status, headers)
        return [body]

    # --- control ------------------------------------------------------------------------------

    def _control(self, environ: dict[str, Any], start: Callable, path: str) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        host = environ.get("HTTP_HOST", "").partition(":")[0]
        data: dict[str, Any] = {}
        if method == "POST":
            if environ.get("CONTENT_TYPE") != "application/json":
                return _answer(start, 400, {"error": "Content-Type must be application/json"})
            length = int(environ.get("CONTENT_LENGTH") or 0)
            data = json.loads(environ["wsgi.input"].read(length) or b"{}")
        if host not in ("127.0.0.1", "localhost"):
            return _answer(start, 403, {"error": "only by a loopback address"})
        parts = path.strip("/").split("/")[1:]
        try:
            match method, *parts:
                case "GET", "requests":
                    return _answer(start, 200, self._requests_since(environ))
                case "GET", "guests":
                    return _answer(start, 200, {"guests": self._plane.hypervisors.guests()})
                case "GET", "hosts":
                    states = {name: host.state for name, host in self._plane.hosts.items()}
                    return _answer(start, 200, {"hosts": states})
                case "POST", "hosts", name if name in self._plane.hosts:
                    return _answer(start, 200, self._control_host(name, data["do"]))
                case "POST", "cell":
                    from . import cell

                    {"down": cell.take_down, "up": cell.bring_up}[data["do"]]()
                    return _answer(start, 200, {})
                case "POST", "faults":
                    return _answer(start, 200, self._add_fault(Fault(**data)).as_json())
                case "GET", "faults", number if int(number) in self._faults:
                    return _answer(start, 200, self._faults[int(number)].as_json())
                case "DELETE", "faults", *numbers:
                    self._remove_faults([int(number) for number in numbers])
                    return _answer(start, 200, {})
        except (KeyError, TypeError, ValueError, re.error) as error:
            return _answer(start, 400, {"error": repr(error)})
        return _answer(start, 404, {"error": "no such thing"})

    def _requests_since(self, environ: dict[str, Any]) -> dict[str, Any]:
        found = re.search(r"since=(\d+)", environ.get("QUERY_STRING", ""))
        since = int(found.group(1)) if found else 0
        with self._lock:
            rows = [dict(row) for row in self._requests if row["id"] > since]
        return {"requests": rows, "last": self._last_request}

    def _control_host(self, name: str, what: str) -> dict[str, Any]:
        host = self._plane.hosts[name]
        {
            "start": host.start,
            "boot": lambda: host.start(booted=True),
            "stop": host.stop,
            "kill": lambda: host.stop(killed=True),
            "freeze": host.freeze,
            "thaw": host.thaw,
        }[what]()
        return {"host": name, "state": host.state}

    def _add_fault(self, fault: Fault) -> Fault:
        for pattern in (fault.path, fault.body, fault.user_agent):
            re.compile(pattern)
        with self._lock:
            self._last_fault += 1
            fault.id = self._last_fault
            self._faults[fault.id] = fault
        return fault

    def _remove_faults(self, numbers: list[int]) -> None:
        with self._lock:
            for number in numbers or list(self._faults):
                if fault := self._faults.pop(number, None):
                    fault.released.set()


def _record(entry: dict[str, Any], start_response: Callable) -> Callable:
    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable:
        entry["status"] = int(status.split()[0])
        entry["request_id"] = _request_id(headers)
        return (
            start_response(status, headers, exc_info)
            if exc_info
            else start_response(status, headers)
        )

    return start


def _request_id(headers: Iterable[tuple[str, str]]) -> str | None:
    wanted = "x-openstack-request-id"
    return next((value for name, value in headers if name.lower() == wanted), None)


def _call(application: Callable, environ: dict[str, Any]) -> tuple[str, list, bytes]:
    """Run a WSGI application to its end."""
    got: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable:
        got[:] = [status, headers]
        return lambda data: None

    result = application(environ, start)
    try:
        body = b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    return got[0], got[1], body


def _spoiled(status: int) -> dict[str, Any]:
    """An error in the shape of Nova's."""
    reason = REASONS.get(status, "Error")
    name = reason[0].lower() + reason[1:].replace(" ", "")
    return {name: {"code": status, "message": f"{reason} (made by the demo cloud)"}}


def _answer(start_response: Callable, status: int, body: object) -> Iterable[bytes]:
    data = json.dumps(body).encode()
    start_response(
        f"{status} {REASONS.get(status, 'OK')}",
        [("Content-Type", "application/json"), ("Content-Length", str(len(data)))],
    )
    return [data]

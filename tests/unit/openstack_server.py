"""An HTTP server that answers like Keystone and, by the test's script, like Nova."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    method: str
    path: str  # below Nova's endpoint, without the query
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Script = Callable[[Request], Answer]


class OpenStack:
    """`nova`, `keystone`, `placement` and `neutron` map a path to an answer or what makes one."""

    def __init__(self, url: str):
        self.url = url
        self.nova: dict[str, Answer | Script] = {}
        self.keystone: dict[str, Answer | Script] = {}
        self.placement: dict[str, Answer | Script] = {}
        self.neutron: dict[str, Answer | Script] = {}
        #: what the catalogue says below `url`; None: that there is no such service
        self.network_path: str | None = "/networking"
        #: what the catalogue says below `url`
        self.compute_path = "/compute/v2.1"
        self.requests: list[Request] = []
        self.login: Answer | None = None
        self.regions = ["RegionOne"]

    def answer(self, request: Request) -> Answer:
        if request.path == "/identity/v3/auth/tokens":
            return self.login or self._token()
        if request.path == "/identity/v3":
            return Answer({"version": self._version()})
        for prefix, script in (
            ("/identity/v3", self.keystone),
            ("/compute/v2.1", self.nova),
            ("/placement", self.placement),
            ("/networking", self.neutron),
        ):
            if request.path.startswith(prefix):
                request.path = request.path.removeprefix(prefix)
                self.requests.append(request)
                found = script.get(request.path, Answer({"itemNotFound": {"message": "?"}}, 404))
                if isinstance(found, Answer):
                    return _after_marker(found, request)
                return found(request)
        return Answer({"error": {"message": f"unexpected: {request.path}"}}, 500)

    def _version(self) -> dict[str, Any]:
        links = [{"rel": "self", "href": f"{self.url}/identity/v3"}]
        return {"id": "v3.14", "status": "stable", "links": links}

    def _token(self) -> Answer:
        def service(kind: str, path: str) -> dict[str, Any]:
            return {
                "type": kind,
                "name": kind,
                "endpoints": [
                    {"interface": i, "region_id": r, "region": r, "url": self.url + path, "id": i}
                    for r in self.regions
                    for i in ("public", "internal")
                ],
            }

        token = {
            "user": {"id": "worker-id", "name": "worker", "domain": {"id": "default"}},
            "roles": [{"id": "1", "name": "admin"}],
            "project": {"id": "p", "name": "admin", "domain": {"id": "default"}},
            "methods": ["password"],
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "catalog": [
                service("identity", "/identity/v3"),
                service("compute", self.compute_path),
                service("placement", "/placement"),
                *([service("network", self.network_path)] if self.network_path else []),
            ],
        }
        return Answer({"token": token}, 201, {"X-Subject-Token": "a-token"})


def _after_marker(found: Answer, request: Request) -> Answer:
    """Of a list of hypervisors, as Nova: what comes after the marker."""
    if "marker" not in request.query or request.path != "/os-hypervisors/detail":
        return found
    if found.status != 200 or not isinstance(found.body, dict):
        return found
    everything = found.body["hypervisors"]
    ids = [str(one["id"]) for one in everything]
    after = everything[ids.index(request.query["marker"]) + 1 :]
    return Answer({"hypervisors": after})


@contextmanager
def running() -> Iterator[OpenStack]:
    """The server, on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: the second one would wait for the first one's receipt, 40 ms.
        wbufsize = -1
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = openstack.answer(
                Request(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(raw) if raw else None,
                )
            )
            is_bytes = isinstance(answer.body, bytes)
            body = answer.body if is_bytes else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {
                "Content-Type": "text/html" if is_bytes else "application/json",
                "Content-Length": str(len(body)),
                **answer.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _handle

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    openstack = OpenStack(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield openstack
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

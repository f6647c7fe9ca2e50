"""A proxy in front of the demo cloud that spoils requests, as networks and load balancers do.

It stands between the workers and Keystone, Nova and Placement. The catalogue that Keystone answers
with is rewritten on its way, so that whoever logs in through the proxy stays behind it. What is
spoiled follows from the seed and from the number of the request; how much, from the weather.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import struct
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

#: Answers given instead of passing the request on, as a server or a load balancer that is at its
#: end gives them: the service never sees the request.
REFUSALS = ("401", "429", "500", "502", "503", "html")
#: Every fault, and what becomes of the request.
KINDS = {
    **dict.fromkeys(REFUSALS, "answered so, and not passed on"),
    "cut-before": "the connection is closed, and nothing passed on",
    "delay": "held for a moment, and passed on",
    "hang": "held for longer than a client waits, then closed, and nothing passed on",
    "late": "held for longer than a client waits, and passed on all the same",
    "502-after": "passed on, and answered with 502",
    "html-after": "passed on, and answered with a page",
    "half-json": "passed on, and half the body answered as if it were the whole",
    "cut-after": "passed on, and the connection closed without an answer",
    "cut-within": "passed on, and the connection closed in the middle of the body",
    "hang-after": "passed on, and the answer held for longer than a client waits",
}
PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Be right back</body></html>"
)
#: Headers that belong to one connection.
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass(frozen=True)
class Weather:
    """How much is spoiled.

    :param rate: the share of the reads and logins, 0 to 1; of what changes something, which is
        rare, it is four times as much
    :param kinds: what may happen to them
    :param service: identity, compute or placement; empty: all
    """

    rate: float = 0.0
    kinds: tuple[str, ...] = tuple(KINDS)
    service: str = ""


@dataclass
class Entry:
    """One request that arrived.

    :param at: seconds since the epoch
    :param action: of a server: the first key of the body
    :param fault: what was done to it, or empty
    :param passed_at: when it was passed on; None: it was not
    :param status: what the service answered, or None
    :param request_id: by which the service knows it
    """

    at: float
    method: str
    path: str
    action: str = ""
    fault: str = ""
    passed_at: float | None = None
    status: int | None = None
    request_id: str = ""

    @property
    def service(self) -> str:
        return self.path.split("/")[1]

    @property
    def server(self) -> str:
        """The id of the server that it is about, or empty."""
        _, found, rest = self.path.partition("/servers/")
        return rest.split("/")[0] if found else ""


class Proxy:
    """Serves until :meth:`close`, at `url`.

    :param upstream: the cloud's own address
    :param patience: how long a client waits for an answer, in seconds: what hangs is held longer
    :param late: how long a request is held at most that is passed on late, in seconds
    """

    def __init__(self, upstream: str, seed: int, patience: float, late: float):
        self.upstream = urlsplit(upstream)
        self.seed = seed
        self.patience = patience
        self.late = late
        self.weather = Weather()
        self.faults: Counter[str] = Counter()
        self.requests = 0
        #: what changes something; reads are counted alone
        self.writes: list[Entry] = []
        self._lock = threading.Lock()
        self._wanted: deque[str] = deque()
        self._closing = threading.Event()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="proxy", daemon=True
        ).start()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def spoil_next(self, *kinds: str) -> None:
        """Do these to the next requests, whatever the weather."""
        with self._lock:
            self._wanted.extend(kinds)

    def admit(self, entry: Entry) -> tuple[str, random.Random]:
        """What becomes of a request that arrived, and the chance that its details follow from."""
        with self._lock:
            self.requests += 1
            chance = random.Random(f"{self.seed}:{self.requests}")
            reads = entry.method == "GET" or entry.service == "identity"
            weather = self.weather
            rate = weather.rate if reads else 4 * weather.rate
            if self._wanted:
                entry.fault = self._wanted.popleft()
            elif weather.service in ("", entry.service) and chance.random() < rate:
                entry.fault = chance.choice(weather.kinds)
            if entry.fault:
                self.faults[entry.fault] += 1
            if not reads:
                self.writes.append(entry)
        return entry.fault, chance

    def hold(self, seconds: float) -> None:
        self._closing.wait(seconds)

    def forward(
        self, entry: Entry, body: bytes, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """The service's own answer."""
        connection = http.client.HTTPConnection(
            str(self.upstream.hostname), self.upstream.port, timeout=120
        )
        try:
            entry.passed_at = time.time()
            connection.request(entry.method, entry.path, body or None, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        entry.status = answer.status
        entry.request_id = answer.getheader("x-openstack-request-id") or ""
        return answer.status, answer.getheaders(), data

    def rewritten(self, data: bytes) -> bytes:
        """Addresses of the cloud become addresses of the proxy."""
        return data.replace(self.upstream.geturl().encode(), self.url.encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are killed, and go away in the middle of anything."""


class _Handler(BaseHTTPRequestHandler):
    owner: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: see `Proxy.writes`."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        entry = Entry(time.time(), self.command, self.path, _action(self.path, body))
        kind, chance = self.owner.admit(entry)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        headers["Accept-Encoding"] = "identity"
        if kind in REFUSALS:
            self._refuse(kind, chance)
            return
        if kind == "cut-before":
            self._cut()
            return
        if kind == "hang":
            self.owner.hold(chance.uniform(1.1, 1.8) * self.owner.patience)
            self._cut()
            return
        if kind == "delay":
            self.owner.hold(chance.uniform(0.1, 0.4 * self.owner.patience))
        if kind == "late":
            self.owner.hold(chance.uniform(self.owner.patience, self.owner.late))
        try:
            status, answered, data = self.owner.forward(entry, body, headers)
        except OSError:
            self._cut()
            return
        data = self.owner.rewritten(data)
        match kind:
            case "cut-after" | "late":
                self._cut()
            case "hang-after":
                self.owner.hold(chance.uniform(1.1, 1.8) * self.owner.patience)
                self._cut()
            case "502-after":
                self._refuse("502", chance)
            case "html-after":
                self._refuse("html", chance)
            case "half-json":
                self._answer(status, answered, data[: len(data) // 2])
            case "cut-within":
                self._answer(status, answered, data, cut_at=len(data) // 2)
                self._cut()
            case _:
                self._answer(status, answered, data)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET

    def _refuse(self, kind: str, chance: random.Random) -> None:
        if kind == "html":
            self._answer(200, [("Content-Type", "text/html")], PAGE)
            return
        headers = [("Content-Type", "application/json")]
        if kind in ("429", "503"):
            headers.append(("Retry-After", str(chance.randint(1, 3))))
        if kind == "401":
            headers.append(("WWW-Authenticate", f"Keystone uri={self.owner.url}/identity"))
        body = {"error": {"code": int(kind), "message": f"{kind} of the proxy"}}
        self._answer(int(kind), headers, json.dumps(body).encode())

    def _answer(
        self,
        status: int,
        headers: list[tuple[str, str]],
        data: bytes,
        cut_at: int | None = None,
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP:
                self.send_header(name, self.owner.rewritten(value.encode()).decode())
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:cut_at])

    def _cut(self) -> None:
        """Reset the connection, rather than end it."""
        self.close_connection = True
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


def _action(path: str, body: bytes) -> str:
    if not path.endswith("/action"):
        return ""
    try:
        return str(next(iter(json.loads(body))))
    except (ValueError, StopIteration, TypeError):
        return ""

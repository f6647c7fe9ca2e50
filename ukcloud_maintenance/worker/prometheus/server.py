"""The HTTP server of the metrics: few connections at a time, and none that lasts."""

import ipaddress
import socket
import threading
from collections.abc import Callable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

#: So many connections are served at a time; others are closed.
CONNECTIONS = 8
#: A connection on which nothing comes is closed after so many seconds.
IDLE_SECONDS = 10.0


def serve(app: Callable[..., Any], address: str, port: int) -> tuple[int, Callable[[], None]]:
    """Serve a WSGI application in a thread: its port, and the function that ends that.

    :raises OSError: the address is none of this machine, or the port is taken
    :raises ValueError: it is no address
    """
    server = _Server((address, port), _Handler)
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, daemon=True, name="metrics")
    thread.start()

    def close() -> None:
        server.shutdown()
        server.server_close()

    return int(server.server_address[1]), close


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a connection, and so many of them at most; none keeps the worker from its end."""

    daemon_threads = True

    def __init__(self, where: tuple[str, int], handler: type[WSGIRequestHandler]):
        if ipaddress.ip_address(where[0]).version == 6:
            self.address_family = socket.AF_INET6
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(where, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # there is no thread for it
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def server_bind(self) -> None:
        # HTTPServer's asks the resolver for a name, which may take long
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody went away, or sent what is no HTTP."""


class _Handler(WSGIRequestHandler):
    timeout = IDLE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        pass

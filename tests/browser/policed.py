"""A Horizon as a web server in front of it adds a Content-Security-Policy, which is not enforced:
what would break it is reported to the page, and counted there."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: The frame of Horizon breaks it itself, so that it is only reported.
HEADER = "Content-Security-Policy-Report-Only"
POLICY = (
    "default-src 'self'; script-src 'self' 'report-sample';"
    " style-src 'self' 'report-sample'; img-src 'self' data:"
)
#: To run before any script of a page: keeps what the browser reports, also over pages.
LISTEN = """
    document.addEventListener('securitypolicyviolation', function (event) {
      const kept = JSON.parse(sessionStorage.getItem('csp') || '[]');
      kept.push([event.effectiveDirective, event.blockedURI, event.sample]);
      sessionStorage.setItem('csp', JSON.stringify(kept));
    });
"""
TAKE = """
    const kept = sessionStorage.getItem('csp') || '[]';
    sessionStorage.removeItem('csp');
    return JSON.parse(kept);
"""


@contextmanager
def policed(url: str) -> Iterator[str]:
    """The address of the same Horizon with the header on every answer."""
    theirs = urlsplit(url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            connection = http.client.HTTPConnection(theirs, timeout=120)
            connection.request(
                self.command, self.path, self.rfile.read(length) or None, dict(self.headers)
            )
            found = connection.getresponse()
            body = found.read()
            self.send_response(found.status)
            for name, value in found.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header(HEADER, POLICY)
            if found.status not in (204, 304):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
            connection.close()

        do_GET = do_POST = do_HEAD = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

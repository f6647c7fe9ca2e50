"""Web servers on loopback that are told things: slow, down, wrong, or fine."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Parts of addresses and keys that nothing may show.
PASSWORD = "pa55-of-receiver"
TOKEN = "t0ken-of-receiver"
SECRET = "a-key-that-nobody-else-has"


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    content: str

    @property
    def document(self) -> dict:
        return json.loads(self.content)

    @property
    def delivery(self) -> str:
        return self.headers["webhook-id"]

    @property
    def topic(self) -> str:
        return self.headers["webhook-event"]


@dataclass
class Receiver:
    """What arrived, and how it is answered.

    :param answers: statuses, or functions that answer by themselves, the first one first; then 200
    """

    port: int = 0
    answers: list[int | Callable[[BaseHTTPRequestHandler], int]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def webhook(self, **more) -> dict:
        url = f"http://user:{PASSWORD}@127.0.0.1:{self.port}/{TOKEN}"
        return {"url": url, "secret": SECRET, "name": "hook", **more}

    def apprise(self, **more) -> dict:
        url = f"json://user:{PASSWORD}@127.0.0.1:{self.port}/{TOKEN}"
        return {"url": url, "name": "pager", **more}

    def wait(self, number: int = 1) -> None:
        for _ in range(number):
            assert self.arrived.acquire(timeout=60), "nothing more arrived"

    @property
    def topics(self) -> list[str]:
        return [one.topic for one in self.requests]


@contextmanager
def receiver(*answers: int | Callable[[BaseHTTPRequestHandler], int]) -> Iterator[Receiver]:
    told = Receiver(answers=list(answers))
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                told.requests.append(Request(self.path, headers, content))
                answer = told.answers.pop(0) if told.answers else 200
            told.arrived.release()
            status = answer(self) if callable(answer) else answer
            if status:
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", f"http://127.0.0.1:{told.port}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # whoever sent it is gone
    told.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

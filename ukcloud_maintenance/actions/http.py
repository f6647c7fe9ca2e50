"""One request to somebody else's server, bounded in every way: in time as a whole, in size, to the
address that it was meant for.

Nothing of an address but its origin, and nothing of a header, is in what is said of a failure:
they may hold passwords.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests.utils import get_auth_from_url
from urllib3.exceptions import HTTPError

from ..connections import OwnPools, pool_classes, retry_after, shut_down
from ..core.message import Message, message

#: The longest pause that a server may ask for, in seconds.
LONGEST_PAUSE = 86400.0
#: Characters that a secret has at least: what is shorter is a part of other words.
SECRET = 6
_WORD = re.compile(r"[a-z._-]*")
_HERE = threading.local()


class NoReply(Exception):
    """No answer came.

    :param why: the reason; no sentence, but a part of one
    :param sent: whether the server may have the request
    """

    def __init__(self, why: Message, *, sent: bool):
        super().__init__(str(why))
        self.why, self.sent = why, sent


@dataclass(frozen=True)
class Reply:
    """An answer.

    :param body: as much of it as came, and was wanted
    :param whole: whether that is all of it
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    whole: bool = False

    @property
    def retry_after(self) -> float | None:
        """For how many seconds the server asks to be left alone; None where it does not."""
        asked = retry_after(self.headers)
        return None if asked is None else min(asked, LONGEST_PAUSE)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port.

    :raises ValueError: it is no address
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no address of a server")
    port = parts.port if parts.port is not None else 443 if parts.scheme == "https" else 80
    return parts.scheme, parts.hostname, port


def named(url: str) -> str:
    """The origin, as it may be shown to anybody."""
    try:
        scheme, host, port = origin(url)
    except ValueError:
        return "?"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def without_secrets(
    said: str, urls: Iterable[str], headers: Mapping[str, str], *others: str
) -> str:
    """Words of a server's without what only we and it should know of our request to it: it may
    repeat the address, or a part of it that is a key.

    :param urls: each that is known to it
    :param others: further secrets
    """
    found = {*others, *headers.values(), *(part for url in urls for part in _parts(url))}
    found |= {part for one in headers.values() for part in one.split()}
    found |= {unquote(one) for one in found}
    for secret in sorted(found, key=len, reverse=True):
        if len(secret) >= SECRET:
            said = said.replace(secret, "***")
    return said


def _parts(url: str) -> Iterator[str]:
    """What may be secret in an address: names and words of its path are not."""
    parts = urlsplit(url)
    yield parts.username or ""
    yield parts.password or ""
    yield parts.query
    for one in parts.query.split("&"):
        yield one.partition("=")[2] or one
    for one in parts.path.split("/"):
        if not _WORD.fullmatch(one):
            yield one


def ask(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    seconds: float,
    limit: int,
    body: bytes | None = None,
    query: Mapping[str, str] | None = None,
) -> Reply:
    """Send one request, and wait for its answer. No redirect is followed.

    :param seconds: for all of it
    :param limit: bytes of the answer's body that are read at most
    :raises NoReply: none came
    """
    call = _Call(method, url, headers, body, query, seconds, limit)
    thread = threading.Thread(target=call.run, daemon=True, name="action request")
    thread.start()
    thread.join(seconds)
    return call.end(seconds)


class _Call:
    """A request in a thread of its own: neither the look-up of a name nor a server that sends a
    byte a second has an end of its own."""

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        query: Mapping[str, str] | None,
        seconds: float,
        limit: int,
    ):
        self.request = {"method": method, "url": url, "params": query, "data": body}
        self.headers, self.seconds, self.limit = headers, seconds, limit
        self.lock = threading.Lock()
        self.sockets: list[socket.socket] = []
        self.sent = self.over = False
        self.reply: Reply | None = None
        self.why: Message | None = None

    def run(self) -> None:
        _HERE.call = self
        why = None
        try:
            self._exchange()
        except requests.exceptions.SSLError:
            why = message("tls_failed")
        except requests.Timeout:
            why = message("no_complete_answer", seconds=f"{self.seconds:g}")
        except (requests.RequestException, HTTPError, OSError, ValueError):
            why = message("connection_broke") if self.sent else message("no_connection")
        with self.lock:
            self.why = self.why or why

    def _exchange(self) -> None:
        with requests.Session() as session:
            for scheme in ("http://", "https://"):
                session.mount(scheme, _Adapter())
            session.auth = self._authorize
            with session.request(
                **self.request,  # type: ignore[arg-type]
                headers={"Accept-Encoding": "identity", **self.headers},
                timeout=self.seconds,
                allow_redirects=False,
                stream=True,
            ) as answer:
                self._note(Reply(answer.status_code, answer.headers))
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    return  # a small answer may be a large one
                self._read(answer)

    def _authorize(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """That of the address, and never that of a .netrc, which would replace our header."""
        user, password = get_auth_from_url(str(self.request["url"]))
        if (user or password) and "Authorization" not in prepared.headers:
            HTTPBasicAuth(user, password)(prepared)
        return prepared

    def _read(self, answer: requests.Response) -> None:
        body = b""
        while len(body) <= self.limit:
            chunk = answer.raw.read(min(65536, self.limit + 1 - len(body)), decode_content=False)
            if not chunk:
                self._note(Reply(answer.status_code, answer.headers, body, whole=True))
                return
            body += chunk
            self._note(Reply(answer.status_code, answer.headers, body[: self.limit]))

    def _note(self, reply: Reply) -> None:
        with self.lock:
            if not self.over:
                self.reply = reply

    def opened(self, sock: socket.socket) -> None:
        with self.lock:
            if self.over:
                sock.close()
                raise OSError("its time is over")
            self.sockets.append(sock)

    def end(self, seconds: float) -> Reply:
        """What came of it; whatever has not come by now is not waited for."""
        with self.lock:
            self.over = True
            for sock in self.sockets:
                with contextlib.suppress(OSError):
                    shut_down(sock)
            if self.reply is not None:
                return self.reply
            late = message("no_complete_answer", seconds=f"{seconds:g}")
            raise NoReply(self.why or late, sent=self.sent)


class _Watched:
    """A connection whose socket can be shut down by who waits for it."""

    sock: Any

    def _new_conn(self) -> Any:
        sock = super()._new_conn()  # type: ignore[misc]
        _HERE.call.opened(sock)
        return sock

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        _HERE.call.opened(self.sock)  # with TLS, another than the one that was connected
        _HERE.call.sent = True


class _Adapter(OwnPools, HTTPAdapter):
    pools = pool_classes(_Watched)

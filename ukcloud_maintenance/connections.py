"""What all connections to other people's servers have in common, whoever opens them: classes of
our own below `requests`, answers that are whole, and what a busy server asks for.
"""

import socket
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _Whole:
    """Answers that break off are failures, as they are by themselves since urllib3 2."""

    def urlopen(self, *args: Any, **more: Any) -> Any:
        more["enforce_content_length"] = True
        return super().urlopen(*args, **more)  # type: ignore[misc]


def pool_classes(behaviour: type) -> dict[str, type]:
    """Pools, by scheme, of connections that behave as a class says that stands before urllib3's."""
    plain = type("Connection", (behaviour, HTTPConnection), {})
    tls = type("TlsConnection", (behaviour, HTTPSConnection), {})
    return {
        "http": type("Pool", (_Whole, HTTPConnectionPool), {"ConnectionCls": plain}),
        "https": type("TlsPool", (_Whole, HTTPSConnectionPool), {"ConnectionCls": tls}),
    }


class OwnPools:
    """An adapter of `requests` with pools of our own; it stands before the adapter's class.

    :cvar pools: made by :func:`pool_classes`
    """

    pools: dict[str, type]

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)  # type: ignore[misc]
        self.poolmanager.pool_classes_by_scheme = self.pools  # type: ignore[attr-defined]

    def proxy_manager_for(self, *args: Any, **more: Any) -> Any:
        manager = super().proxy_manager_for(*args, **more)  # type: ignore[misc]
        manager.pool_classes_by_scheme = self.pools
        return manager


def shut_down(sock: Any) -> None:
    """End what is waited for on a socket: the plain socket's way, which leaves the thread that
    reads its TLS alone.

    :raises OSError: it is closed already
    """
    socket.socket.shutdown(sock, socket.SHUT_RDWR)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """For how many seconds a server asks to be left alone; None where it does not. A time is
    compared with the server's own clock."""
    text = str(headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        now = parsedate_to_datetime(str(headers.get("Date") or ""))
        return max((until - now).total_seconds(), 0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

"""Free ports for servers that are started in a moment."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

_FIRST, _LAST = 15000, 32767

#: the ports of this process, by an open file with a lock on it
_taken: dict[int, IO[bytes]] = {}


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on, and that is given to nobody else as long as this
    process lives.

    The kernel's own choice (port 0) is given up before the server is there, and may be another's
    by then, or the near end of an outgoing connection: so that it is none of those either.
    """
    folder = Path(tempfile.gettempdir()) / f"ukcloud-maintenance-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    last = _LAST
    try:
        of_kernel = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        last = min(last, max(int(of_kernel[0]) - 1, _FIRST + 1000))
    except (OSError, ValueError, IndexError):
        pass
    for port in random.sample(range(_FIRST, last + 1), 1000):
        if port in _taken:
            continue
        lock = (folder / str(port)).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _taken[port] = lock
        return port
    raise RuntimeError("no port of a thousand is free")

"""What systemd is told (sd_notify(3)): a datagram to the socket that it names."""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Tell systemd, e.g. ``READY=1``; nothing where it did not start us, or does not listen."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    # "@" stands for the NUL byte of Linux' abstract sockets
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(state.encode(), address)

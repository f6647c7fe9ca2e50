"""Threads that hang, and what is reported to systemd about them."""

import contextlib
import logging
import os
import socket
import sys
import threading

from ..core.message import Message
from ..log import log_event

#: With so many threads abandoned that do not end, the process is of no use.
ABANDONED_MAX = 8


class Watchdog:
    """Knows the threads of a worker that were abandoned.

    :param name: the worker's
    """

    def __init__(self, name: str):
        self.name = name
        #: threads that did not come back, and what to say of each
        self.abandoned: dict[threading.Thread, Message] = {}

    @property
    def is_stuck(self) -> bool:
        return len(self.abandoned) >= ABANDONED_MAX

    def abandon(self, thread: threading.Thread, said: Message) -> None:
        """Nobody waits for it any longer. One line in the log, with where it hangs."""
        where = sys._current_frames().get(thread.ident or 0)
        frames: list[str] = []
        while where is not None and len(frames) < 8:
            frames.append(f"{os.path.basename(where.f_code.co_filename)}:{where.f_lineno}")
            where = where.f_back
        log_event(logging.ERROR, "hung", worker=self.name, detail=said, at=" < ".join(frames))
        self.abandoned[thread] = said

    def welcome(self) -> None:
        """Forget those that came back after all."""
        for thread in [t for t in self.abandoned if not t.is_alive()]:
            log_event(
                logging.INFO, "came_back", worker=self.name, detail=self.abandoned.pop(thread)
            )


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)), e.g. ``READY=1``; nothing where it did not start us, or does
    not listen."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    # "@" stands for the NUL byte of Linux' abstract sockets
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(state.encode(), address)

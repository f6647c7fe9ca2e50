"""Carries TCP connections from one network namespace's loopback to another's.

``python forwarder.py JSON``, JSON being a list of ``[listen_pid, listen_port, connect_pid,
connect_port]``; a PID names the network namespace of that process, null the one that this is
started in. Says ``ready`` once all ports are open. A socket belongs for ever to the namespace that
its thread was in when it was made, so that one process does.
"""

import asyncio
import contextlib
import ctypes
import functools
import json
import os
import socket
import sys

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    def __init__(self, pid: int | None) -> None:
        self.file = os.open(f"/proc/{pid or 'self'}/ns/net", os.O_RDONLY)

    def enter(self) -> None:
        if libc.setns(self.file, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def socket(self, home: "Namespace") -> socket.socket:
        self.enter()
        try:
            return socket.socket()
        finally:
            home.enter()


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            writer.close()


async def connected(home, there, port, reader, writer) -> None:
    target = there.socket(home)
    target.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(target, ("127.0.0.1", port))
    except OSError:
        target.close()
        writer.close()
        return
    far_reader, far_writer = await asyncio.open_connection(sock=target)
    await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))


async def main(routes: list) -> None:
    home = Namespace(None)
    for listen_pid, listen_port, connect_pid, connect_port in routes:
        here = Namespace(listen_pid).socket(home)
        here.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        here.bind(("127.0.0.1", listen_port))
        there = Namespace(connect_pid)
        await asyncio.start_server(
            functools.partial(connected, home, there, connect_port), sock=here
        )
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))

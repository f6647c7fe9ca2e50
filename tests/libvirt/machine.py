"""A machine made of namespaces: processes, network, mounts and a host name of its own.

Nothing of it is visible outside: its interfaces, mounts and ports exist in its namespaces only, and
all of them end with its first process, which ends with the process that made the machine, however
that ends. So nothing has to be cleaned up, not even after a SIGKILL.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

HOLDER = Path(__file__).with_name("holder.py")
#: Before a command: it is killed when the thread that starts it ends, however that ends.
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
NAMESPACES = ("--mount", "--uts", "--net", "--ipc", "--pid")
#: Before a command: it is the first process of new namespaces, and is killed with this one.
UNSHARE = ("unshare", *NAMESPACES, "--fork", "--kill-child=KILL")


class Machine:
    """Started by the constructor.

    :param folder: where its files are; outside of it, it writes nothing
    :param binds: (file or folder of its own, path on this machine that it takes the place of)
    """

    def __init__(self, name: str, folder: Path, binds: Sequence[tuple[Path, str]] = ()) -> None:
        self.name = name
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        what = {"name": name, "binds": [(str(source), target) for source, target in binds]}
        self._unshare = subprocess.Popen(
            # The outer process is killed with ours, and the inner one with the outer.
            [*DIES_WITH_US, *UNSHARE, sys.executable, "-I", str(HOLDER), json.dumps(what)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._unshare.stdout is not None
        first = self._unshare.stdout.readline()
        if first != "ready\n":
            raise RuntimeError(f"{name}: {first}{self._unshare.communicate()[0]}")
        outer = self._unshare.pid
        self.pid = int(Path(f"/proc/{outer}/task/{outer}/children").read_text())

    def _enter(self, command: Sequence[str]) -> list[str]:
        return ["nsenter", f"--target={self.pid}", *NAMESPACES, "--", *command]

    def run(self, *command: str, check: bool = True, timeout: float = 60) -> str:
        """Run a command in the machine; its output, with what it said on stderr."""
        done = subprocess.run(
            self._enter(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {done.stdout}")
        return done.stdout

    def start(
        self, service: str, *command: str, environment: Mapping[str, str] | None = None
    ) -> Service:
        """Start a command that stays; its output is appended to ``<service>.out``."""
        pid_file = self.folder / f"{service}.pid"
        pid_file.unlink(missing_ok=True)
        script = 'echo $$ >"$0"; exec "$@"'
        with (self.folder / f"{service}.out").open("ab") as out:
            process = subprocess.Popen(
                self._enter(["sh", "-c", script, str(pid_file), *command]),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )
        return Service(self, service, process, pid_file)

    def power_off(self) -> None:
        """End every process of it at once, as when the power goes."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._unshare.kill()
        self._unshare.wait()


class Service:
    """A process in a machine."""

    def __init__(
        self, machine: Machine, name: str, process: subprocess.Popen, pid_file: Path
    ) -> None:
        self.machine = machine
        self.name = name
        self._process = process
        self._pid_file = pid_file

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def signal(self, name: str) -> None:
        """``KILL``, ``STOP`` and the like, to this process alone (its children stay)."""
        self.machine.run("kill", f"-{name}", self._pid_file.read_text().strip())

    def kill(self) -> None:
        self.signal("KILL")
        self._process.wait(20)


def connect(bridge: Machine, hosts: Mapping[Machine, str]) -> None:
    """Put the machines' ``eth0``, with the addresses (CIDR) given, on a bridge in ``bridge``."""
    bridge.run("ip", "link", "add", "lan", "type", "bridge")
    bridge.run("ip", "link", "set", "lan", "up")
    for host, address in hosts.items():
        pair = ["ip", "link", "add", host.name, "type", "veth", "peer", "name", "eth0"]
        # A PID as those outside see it: entered without the PID namespace.
        subprocess.run(
            ["nsenter", f"--target={bridge.pid}", "--net", "--", *pair, "netns", str(host.pid)],
            check=True,
        )
        bridge.run("ip", "link", "set", host.name, "master", "lan", "up")
        host.run("ip", "address", "add", address, "dev", "eth0")
        host.run("ip", "link", "set", "eth0", "up")


@contextlib.contextmanager
def unplugged(bridge: Machine, host: Machine) -> Iterator[None]:
    """While the block runs, no other host reaches ``host``, nor it them."""
    bridge.run("ip", "link", "set", host.name, "down")
    try:
        yield
    finally:
        bridge.run("ip", "link", "set", host.name, "up")


def wait(condition, what: str, timeout: float = 60):
    """Poll until ``condition()`` is true; its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s in vain until {what}")
        time.sleep(0.2)
    return value

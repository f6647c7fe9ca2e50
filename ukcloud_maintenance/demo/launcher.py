"""``make demo``: a cloud with servers, a worker, and Horizon with the plugin.

Everything listens on 127.0.0.1 only. What can be changed is in the environment:

=====================  =========================================================
``DEMO_HORIZON_PORT``  Horizon, 8000 by default
``DEMO_CLOUD_PORT``    Keystone, Placement and Nova, 8774 by default
``DEMO_STATE``         directory in which everything is kept, ``.demo`` by default
=====================  =========================================================
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Generic, TypeVar

from . import horizon
from .config import DEMO, ROLLING_HOSTS, ROLLING_ZONE
from .harness import DemoCloud, DemoCloudError
from .identity import PEOPLE_PASSWORD
from .seed import Seeder

STARTED = time.monotonic()
Result = TypeVar("Result")

FIRST_HOST = "cmp1"

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Problem(Exception):
    """Something that the user can understand and mend; shown without a traceback."""


class Stop(BaseException):
    """Ctrl-C or SIGTERM."""


def say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:5.1f}s] {text}", flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m ukcloud_maintenance.demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--reset", action="store_true", help="forget everything and start afresh")
    arguments = parser.parse_args(argv)

    def stop(*_: object) -> None:
        # A second Ctrl-C must not interrupt the stopping.
        for name in STOP_SIGNALS:
            signal.signal(name, signal.SIG_IGN)
        raise Stop

    for name in STOP_SIGNALS:
        signal.signal(name, stop)
    launcher = None
    try:
        launcher = Launcher()
        launcher.run(reset=arguments.reset)
    except Stop:
        print(flush=True)
        say("stopping")
    except (Problem, DemoCloudError) as problem:
        print(f"\nerror: {problem}", file=sys.stderr, flush=True)
        return 1
    finally:
        if launcher:
            launcher.stop()
    say(f"stopped; `make demo` goes on from here, everything is kept in {launcher.state}")
    return 0


def port_from(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Problem(f"{variable} is {text!r}, which is no port")
    return int(text)


def check_port(port: int, variable: str, purpose: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Problem(
                f"port {port} for {purpose} can't be used ({error.strerror}): stop what listens"
                f" there, or choose another one with {variable}=…"
            ) from error


class Launcher:
    def __init__(self) -> None:
        self.state = Path(os.environ.get("DEMO_STATE") or ".demo").resolve()
        self.horizon_port = port_from("DEMO_HORIZON_PORT", 8000)
        self.cloud_port = port_from("DEMO_CLOUD_PORT", 8774)
        self.cloud: DemoCloud | None = None
        self.children: dict[str, tuple[subprocess.Popen, Path]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.horizon_port}"

    def run(self, *, reset: bool) -> None:
        """Start everything, and look after it until something ends."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._only_one():
            self._end_leftovers()
            check_port(self.horizon_port, "DEMO_HORIZON_PORT", "Horizon")
            check_port(self.cloud_port, "DEMO_CLOUD_PORT", "the cloud")
            if reset:
                say(f"forgetting what is in {self.state}")
                for part in ("cloud", "horizon", "log"):
                    shutil.rmtree(self.state / part, ignore_errors=True)
            (self.state / "log").mkdir(exist_ok=True)
            self._start()
            self._watch()

    @contextlib.contextmanager
    def _only_one(self):
        with (self.state / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Problem(
                    f"a demo runs already with {self.state}; another one beside it needs its own"
                    " DEMO_STATE, DEMO_HORIZON_PORT and DEMO_CLOUD_PORT"
                ) from error
            yield

    def _end_leftovers(self) -> None:
        """End what a launcher that was killed could no longer stop."""
        path = self.state / "pids.json"
        with contextlib.suppress(OSError, ValueError):
            for pid in json.loads(path.read_text()):
                command = Path(f"/proc/{pid}/cmdline")
                with contextlib.suppress(OSError):
                    words = command.read_bytes()
                    if b"ukcloud_maintenance.demo" in words or b"maintenance_worker" in words:
                        os.kill(pid, signal.SIGKILL)
                        while command.exists() and command.read_bytes():
                            time.sleep(0.05)
        path.unlink(missing_ok=True)

    # --- starting -----------------------------------------------------------------------------

    def _start(self) -> None:
        kept = (self.state / "cloud" / "seeded").exists()
        say("starting the cloud: " + ("as it was left" if kept else "a new one"))
        self.cloud = DemoCloud(state=self.state / "cloud", port=self.cloud_port, config=DEMO)
        static = Background(self._prepare_horizon)
        self.cloud.start(progress=lambda line: say(f"cloud: {line}"))
        self._remember_children()
        # Meanwhile the others start; they need the cloud, not its servers.
        seeder = Seeder(self.cloud, lambda text: say(f"cloud: {text}"))
        seeded = Background(seeder.run)
        environment = static.result()
        say("starting the worker and Horizon")
        worker = [sys.executable, "-P", "-m", "django", "maintenance_worker"]
        self._launch("the worker", worker, environment)
        self._launch("Horizon", horizon.command(self.horizon_port), environment)
        while not horizon.answers(f"{self.url}/auth/login/"):
            self._check_children()
            time.sleep(0.2)
        seeded.result()
        self._greet()

    def _prepare_horizon(self) -> dict[str, str]:
        """Static files and tables; returns the environment of Horizon and the worker."""
        say("Horizon: compressing style sheets and scripts (once for each version of them)")
        root = horizon.prepare_static()
        environment = horizon.child_environment(
            DEMO_STATE=str(self.state),
            DEMO_STATIC_ROOT=str(root),
            DEMO_AUTH_URL=f"http://127.0.0.1:{self.cloud_port}/identity/v3",
            # A retry that comes half a minute later is sensible, and dull to watch.
            DEMO_MAINTENANCE=os.environ.get("DEMO_MAINTENANCE", '{"RETRY_SECONDS": 10}'),
        )
        say("Horizon: creating or upgrading its tables")
        horizon.migrate(environment)
        say("Horizon: prepared")
        return environment

    def _launch(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        log = self.state / "log" / f"{name.split()[-1].lower()}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=self.state,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the launcher, which stops the others in order.
                start_new_session=True,
            )
        self.children[name] = (process, log)
        self._remember_children()

    def _remember_children(self) -> None:
        processes = [process for process, _log in self.children.values()]
        if self.cloud and self.cloud.process:
            processes.append(self.cloud.process)
        (self.state / "pids.json").write_text(json.dumps([p.pid for p in processes]))

    def _greet(self) -> None:
        login = f"admin / {PEOPLE_PASSWORD}"
        first, last = ROLLING_HOSTS[0].name, ROLLING_HOSTS[-1].name
        django_admin = str(Path(sys.executable).with_name("django-admin"))
        print(
            f"""
  Horizon    {self.url}/
  Log in as  {login}   (operator too; viewer may look, not touch; alice has no admin role)
  Domain     Default, where it is asked for

  What to click first
    1. Admin > Compute > Maintenance shows the hypervisors.
    2. In the row of {FIRST_HOST}: Drain Host. Give a reason, go through the steps, submit.
    3. Watch its servers leave; all of them can. It takes about a minute. Then the page says
       when the host is safe to power off, and its own page gives it back to service.
    4. Then drain cmp2, where some refuse, to see what a failure looks like.
    5. Or tick cmp10, cmp11 and cmp12, and drain them as one plan. etl-01 never ends by itself:
       force it. Abort training-01 while it moves, to see what some releases of Nova make of it.
    6. A rolling run: at "Select all of", choose the zone {ROLLING_ZONE}, which has the hosts
       {first} to {last}, then Rolling Maintenance with the action reboot. Each host is
       drained, rebooted, watched and returned to service: five or six minutes for all of
       them, less than four with two hosts at a time.
    7. Or tick cmp1 and cmp3 for it: on cmp3 a server arrives in ERROR, so that the run stops
       there and says what it needs.

  In a shell, the same rolling run
    export DEMO_STATE={quote(str(self.state))} DJANGO_SETTINGS_MODULE={horizon.SETTINGS}
    {quote(django_admin)} maintenance_run start --zone {ROLLING_ZONE} \\
        --action reboot --reason "new kernel" --watch

  Logs       {self.state}/log, {self.state}/cloud/log

  Ctrl-C stops everything; the next `make demo` goes on from there.
""",
            flush=True,
        )

    # --- looking after it ---------------------------------------------------------------------

    def _check_children(self) -> None:
        everybody = dict(self.children)
        if self.cloud and self.cloud.process:
            everybody["the cloud"] = (self.cloud.process, self.cloud.log)
        for name, (process, log) in everybody.items():
            if process.poll() is not None:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
                raise Problem(
                    f"{name} has ended with {process.returncode}, so all is stopped. The end of"
                    f" {log}:\n{tail}"
                )

    def _watch(self) -> None:
        while True:
            self._check_children()
            time.sleep(0.5)

    def stop(self) -> None:
        """End what was started: the worker first, while it still can talk to the cloud."""
        horizon.stop_helpers()
        for process, _log in self.children.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 5
        for process, _log in self.children.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.cloud:
            self.cloud.stop()
        if self.children or self.cloud:
            (self.state / "pids.json").unlink(missing_ok=True)


class Background(Generic[Result]):
    """Runs a function in a thread; its exception is raised where its result is wanted."""

    def __init__(self, function: Callable[[], Result]) -> None:
        self._function = function
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error

    def result(self) -> Result:
        while self._thread.is_alive():
            self._thread.join(0.2)
        if isinstance(self._error, SystemExit):
            raise Problem(str(self._error))
        if self._error:
            raise self._error
        return self._value

"""Drives drains of a real Nova: in this process, or by workers in processes of their own."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from django.utils import timezone

from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.models import Drain
from ukcloud_maintenance.worker.drain import Reconciler

#: Short waits, and the cloud of the demo's clouds.yaml.
SETTINGS = {
    "CLOUD": "worker",
    "RETRY_SECONDS": 1,
    "SETTLE_SECONDS": 4,
    "BY_HAND_SETTLE_SECONDS": 4,
    "API_TIMEOUT_SECONDS": 8,
    "SUBMIT_GRACE_SECONDS": 14,
    "BLOCKED_WAIT_SECONDS": 3,
    "PROOF_WAIT_SECONDS": 20,
    "MAX_ATTEMPTS": 2,
    "POLL_SECONDS": 1.2,
    "IDLE_SECONDS": 2.0,
}
REPOSITORY = Path(__file__).resolve().parents[2]


class Passes:
    """Passes of a worker that is this process, as far apart as it wants them to be."""

    def __init__(self, nova, sleep):
        self.nova = nova
        self.sleep = sleep
        self.cloud = services.connect_shell("")
        self.by = Reconciler(self.cloud, "worker", timezone.now)
        self.pause = 0.0

    def ask(self, host: str, reason: str = "new kernel", **more) -> Drain:
        request = services.DrainRequest(host, reason, **more)
        return services.request_drain(shell_actor(), self.cloud, request)

    def one(self, drain: Drain) -> Drain:
        self.pause = self.by.run(store.drain(drain.pk)).pause_seconds
        return store.drain(drain.pk)

    def until_over(self, drain: Drain, timeout: float = 240, watch=lambda drain: None) -> Drain:
        return self.until(drain, lambda d: d.state in DRAIN_TERMINAL, timeout, watch)

    def until(
        self, drain: Drain, condition, timeout: float = 180, watch=lambda drain: None
    ) -> Drain:
        deadline = time.monotonic() + timeout
        while True:
            drain = self.one(drain)
            watch(drain)
            if condition(drain):
                return drain
            if time.monotonic() > deadline:
                states = [(r.server_name, r.state, r.message) for r in store.migrations(drain)]
                raise AssertionError(f"{drain.state} {drain.message}: {states}")
            self.sleep(self.pause)


def rows_by_name(drain: Drain) -> dict:
    return {row.server_name: row for row in store.migrations(drain)}


def service_of(nova, host: str) -> dict:
    found = nova.nova.get(f"/os-services?binary=nova-compute&host={host}").json()["services"]
    return next(s for s in found if s["host"] == host)


def servers_on(nova, host: str) -> list[str]:
    path = f"/servers/detail?all_tenants=1&host={host}&soft_deleted=1"
    return [s["id"] for s in nova.nova.get(path).json()["servers"]]


class Installation:
    """A database in a file, and the commands of the product in processes of their own.

    :param environment: goes before what the environment would be: another database, say
    """

    #: a database file as `migrate` makes it
    _tables: bytes | None = None

    def __init__(self, nova, folder: Path, **environment: str):
        self.nova = nova
        self.file = folder / "queue.sqlite3"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": str(REPOSITORY),
            "TEST_DATABASE_URL": f"sqlite:///{self.file}",
            "TEST_MAINTENANCE": json.dumps(SETTINGS),
            "OS_CLIENT_CONFIG_FILE": str(nova.clouds_yaml),
            **environment,
        }
        self.log = folder / "worker.log"
        self.workers: list[subprocess.Popen] = []
        if "TEST_DATABASE_URL" in environment:
            self.run("migrate", "--verbosity=0")
        else:
            self._copy_tables()

    def _copy_tables(self) -> None:
        """Make them once for all installations of this process: it takes seconds."""
        if Installation._tables is None:
            self.run("migrate", "--verbosity=0")
            Installation._tables = self.file.read_bytes()
        self.file.write_bytes(Installation._tables)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", "django", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def drain(self, host: str, *more: str) -> int:
        done = self.run("drain_host", host, "--reason", "new kernel", "--json", *more)
        found = json.loads(done.stdout)
        first = found[0] if isinstance(found, list) else found
        return int(first["id"])

    def start_worker(
        self, module: str = "django", log_to: Path | None = None, **environment: str
    ) -> subprocess.Popen:
        with (log_to or self.log).open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", module, "maintenance_worker"],
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.workers.append(worker)
        return worker

    def status(self, drain_id: int) -> dict:
        return json.loads(self.run("drain_status", str(drain_id), "--json").stdout)

    def query(self, text: str, *parameters) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(self.file, timeout=30)) as database:
            return database.execute(text, parameters).fetchall()

    def states(self, drain_id: int) -> list[str]:
        table = "ukcloud_maintenance_instancemigration"
        return [s for (s,) in self.query(f"select state from {table} where drain_id=?", drain_id)]

    def state(self, drain_id: int) -> str:
        return self.query("select state from ukcloud_maintenance_drain where id=?", drain_id)[0][0]

    def wait(self, condition, what: str, timeout: float = 180) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, (
                f"waited in vain until {what}\n{self.log.read_text()[-4000:]}"
            )
            time.sleep(0.1)

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
            worker.wait()

"""What is done to the cloud while drains run: by accident, by other people, and by operators.

Everything follows from one seed, but for how the processes' own times fall. Whatever lasts is
undone by itself after a bounded time, and by :meth:`Director.calm` at the latest.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from django.db import DatabaseError, connections

from tests.chaos import clock
from tests.chaos.proxy import KINDS, Proxy, Weather
from tests.chaos.records import Journal, NovaDatabase
from tests.databases import Server
from tests.worker.driving import Installation
from ukcloud_maintenance import services, store
from ukcloud_maintenance.cloud import Cloud
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.states import DRAIN_TERMINAL, ReturnChoice
from ukcloud_maintenance.demo.behaviours import LIVE_KEY
from ukcloud_maintenance.demo.harness import DemoCloud, DemoCloudError
from ukcloud_maintenance.exceptions import MaintenanceError

#: What is lost where a migration is asked for at the wrong time: others leave these alone, so that
#: it is known who did it.
FRAGILE = "outlives-compute"
#: How a server's migration goes, where it is not plain: see demo.behaviours.
PLAYS = (
    "",
    "",
    f"{FRAGILE} rate=60000000",
    f"{FRAGILE} rate=60000000 after=1",
    f"{FRAGILE} rate=100000000 after=4",
    "rate=60000000",
    "bouncing",
    "slow-prepare seconds=3",
    "rollback fail_times=1",
    "fail-pre fail_times=1",
    "fail-destination-check fail_times=1",
    "null-bytes",
)
#: What a director does, and how often as compared with the others.
ACTS = {
    "kill_worker": 3,
    "freeze_worker": 2,
    "terminate_worker": 0.5,
    "storm": 4,
    "outage": 1,
    "restart_compute": 2,
    "freeze_compute": 1,
    "spoil_database": 1.5,
    "step_clock": 2,
    "rest": 2,
}
LOCK = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
time.sleep(float(sys.argv[2]))
database.execute("ROLLBACK")
"""


class WorkerSlot:
    """A worker that is started again when it ends, as systemd does it.

    :param clock: the file of its clock's error
    :ivar log: what it writes, and those that ran here before it
    """

    def __init__(self, installation: Installation, number: int, folder: Path, clock: Path):
        self.number = number
        self.clock = clock
        self.log = folder / f"worker-{number}.log"
        self._installation = installation
        self.process: subprocess.Popen[bytes] | None = None
        self._said = 0

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def is_at_work(self) -> bool:
        """Whether it got as far as to say that it has started, which takes some seconds."""
        if self.process is None or not self.log.exists():
            return False
        return b"worker_started" in self.log.read_bytes()[self._said :]

    def start(self) -> None:
        self._said = self.log.stat().st_size if self.log.exists() else 0
        environment = {clock.VARIABLE: str(self.clock)}
        self.process = self._installation.start_worker("tests.chaos.clock", self.log, **environment)

    def signal(self, number: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait()
        self.process = None


class Director:
    """Does one thing after the other, at random.

    :param without: names of what is left out, to find out what a violation takes
    :param gap: the mean pause between two, in seconds
    """

    def __init__(
        self,
        *,
        seed: int,
        nova: DemoCloud,
        proxy: Proxy,
        installation: Installation,
        database: Server | None,
        workers: int,
        journal: Journal,
        folder: Path,
        without: Sequence[str] = (),
        gap: float = 2.0,
    ):
        self.chance = random.Random(seed)
        self.nova = nova
        self.proxy = proxy
        self.installation = installation
        self.database = database
        self.journal = journal
        self.gap = gap
        self.faults: Counter[str] = Counter()
        # Who shares a file of SQLite is on one machine, and has one clock.
        self.clocks = [folder / f"clock-{n}" for n in range(workers if database else 1)]
        for file in self.clocks:
            clock.write(file, 0.0)
        self.slots = [
            WorkerSlot(installation, n, folder, self.clocks[n % len(self.clocks)])
            for n in range(workers)
        ]
        self._hosts = [host.name for host in nova.config.hosts]
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._busy: set[str] = set()
        self._terminated: set[int] = set()
        self._locks: list[subprocess.Popen[bytes]] = []
        self._acts = {
            getattr(self, f"_{name}"): weight
            for name, weight in ACTS.items()
            if name not in without
        }
        self._rests_until = 0.0

    # -- time --------------------------------------------------------------------------------

    def start(self) -> None:
        for slot in self.slots:
            self._start(slot)

    def all_at_work(self) -> bool:
        return all(slot.is_at_work for slot in self.slots)

    def begin(self) -> None:
        """It is never quite clear from now on."""
        self.proxy.weather = Weather(0.06)

    def run(self, seconds: float) -> None:
        """Until then, and no longer; what lasts may last on, see :meth:`calm`."""
        end = time.monotonic() + seconds
        acts, weights = list(self._acts), list(self._acts.values())
        due = time.monotonic()
        while time.monotonic() < end:
            self.tick()
            if time.monotonic() >= due:
                self.chance.choices(acts, weights)[0]()
                pause = self.chance.expovariate(1 / self.gap)
                due = max(time.monotonic(), self._rests_until) + pause
            time.sleep(0.05)

    def tick(self) -> None:
        """Undo what is due, and start workers again that ended by themselves."""
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()
        for slot in self.slots:
            if slot.process and slot.process.poll() is not None:
                code = slot.process.returncode
                if slot.pid in self._terminated:
                    # by its own handler, or before it had one
                    self.journal.note("worker_stopped", f"worker {slot.number} with {code}")
                else:
                    text = f"worker {slot.number} ended by itself with {code}"
                    self.journal.note("worker_died", text)
                self._start(slot)

    def calm(self) -> None:
        """The faults stop: everything that lasts is undone, at once."""
        while self._later:
            heapq.heappop(self._later)[2]()
        self.proxy.weather = Weather()
        for file in self.clocks:
            clock.write(file, 0.0)
        for lock in self._locks:
            lock.wait(60)
        self.journal.note("calm")

    def stop(self) -> None:
        for slot in self.slots:
            slot.signal(signal.SIGCONT)
            slot.kill()
        for lock in self._locks:
            lock.kill()
            lock.wait()

    def _count(self, kind: str, text: str = "", *, host: str = "") -> None:
        self.faults[kind] += 1
        self.journal.note(kind, text, host=host)

    def _after(self, seconds: float, undo: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), undo))

    def _once(self, name: str, seconds: float, undo: Callable[[], None]) -> None:
        """Keep others from it until it is undone."""
        self._busy.add(name)

        def end() -> None:
            self._busy.discard(name)
            undo()

        self._after(seconds, end)

    def _rest(self) -> None:
        """Nothing new for a while, so that something gets done."""
        self._rests_until = time.monotonic() + self.chance.uniform(4, 12)

    # -- workers -----------------------------------------------------------------------------

    def _start(self, slot: WorkerSlot) -> None:
        slot.start()
        self.journal.note("start_worker", f"worker {slot.number} pid {slot.pid}")

    def _a_worker(self) -> WorkerSlot | None:
        """One that is left alone at the moment; one at least is left to do the work. To meet them
        while they start is rarer than it would be by chance."""
        early = self.chance.random() < 0.2
        free = [s for s in self.slots if s.process and f"worker:{s.number}" not in self._busy]
        met = [s for s in free if early or s.is_at_work]
        return self.chance.choice(met) if met and len(free) > 1 else None

    def _kill_worker(self) -> None:
        if slot := self._a_worker():
            self._count("kill_worker", f"worker {slot.number} pid {slot.pid}")
            slot.kill()
            name = f"worker:{slot.number}"
            self._once(name, self.chance.uniform(0, 4), lambda: self._start(slot))

    def _terminate_worker(self) -> None:
        if slot := self._a_worker():
            self._count("terminate_worker", f"worker {slot.number} pid {slot.pid}")
            self._terminated.add(slot.pid)
            slot.signal(signal.SIGTERM)

    def _freeze_worker(self) -> None:
        if slot := self._a_worker():
            # beyond its lease now and then
            seconds = self.chance.choice((0.5, 2, 5, 12, 20))
            self._count("freeze_worker", f"worker {slot.number} pid {slot.pid}, {seconds} s")
            slot.signal(signal.SIGSTOP)

            def wake() -> None:
                slot.signal(signal.SIGCONT)
                self.journal.note("wake_worker", f"worker {slot.number} pid {slot.pid}")

            self._once(f"worker:{slot.number}", seconds, wake)

    def _step_clock(self) -> None:
        file = self.chance.choice(self.clocks)
        seconds = self.chance.choice((-3600, -300, -60, -5, 0, 5, 60, 300, 3600))
        self._count("step_clock", f"{file.name} {seconds:+} s")
        clock.write(file, float(seconds))

    # -- the network -------------------------------------------------------------------------

    def _storm(self) -> None:
        if "weather" in self._busy:
            return
        kinds = tuple(self.chance.sample(sorted(KINDS), self.chance.randint(1, len(KINDS))))
        rate = self.chance.choice((0.1, 0.3, 0.6))
        self._set_weather(Weather(rate, kinds), "storm", self.chance.uniform(2, 8))

    def _outage(self) -> None:
        """A service that accepts and never answers, or that is plainly down."""
        if "weather" in self._busy:
            return
        service = self.chance.choice(("identity", "compute", "placement", ""))
        kind = self.chance.choice(("hang", "503", "cut-before"))
        name = f"outage_of_{service or 'everything'}"
        self._set_weather(Weather(1.0, (kind,), service), name, self.chance.uniform(3, 12))

    def _set_weather(self, weather: Weather, name: str, seconds: float) -> None:
        before = self.proxy.weather
        self._count(name, f"{weather.rate:.0%} {','.join(weather.kinds)[:60]} for {seconds:.0f} s")
        self.proxy.weather = weather

        def clear() -> None:
            self.proxy.weather = before
            self.journal.note("weather_clears")

        self._once("weather", seconds, clear)

    # -- the hypervisors' services -------------------------------------------------------------

    def _a_compute(self) -> str | None:
        # one at a time, so that there is somewhere to go; rather one that is at work
        if any(name.startswith("compute:") for name in self._busy):
            return None
        moving = NovaDatabase(self.nova).migrations(unfinished=True)
        sources = sorted({m.source for m in moving} & set(self._hosts))
        busy = sources and self.chance.random() < 0.6
        return self.chance.choice(sources if busy else self._hosts)

    def _restart_compute(self) -> None:
        if host := self._a_compute():
            how = self.chance.choice(("kill", "stop"))
            seconds = self.chance.choice((0.2, 2, 5, 20))
            self._count(f"{how}_compute", f"for {seconds} s", host=host)
            self.nova.control_host(host, how)

            def start() -> None:
                self.nova.control_host(host, "start")
                self.journal.note("start_compute", host=host)

            self._once(f"compute:{host}", seconds, start)

    def _freeze_compute(self) -> None:
        if host := self._a_compute():
            seconds = self.chance.choice((2, 6, 18))
            self._count("freeze_compute", f"for {seconds} s", host=host)
            self.nova.control_host(host, "freeze")

            def thaw() -> None:
                self.nova.control_host(host, "thaw")
                self.journal.note("thaw_compute", host=host)

            self._once(f"compute:{host}", seconds, thaw)

    # -- our database ------------------------------------------------------------------------

    def _spoil_database(self) -> None:
        if "database" in self._busy:
            return
        if self.database is None:
            seconds = self.chance.choice((1, 3, 7))
            self._count("lock_database", f"for {seconds} s")
            self._locks.append(
                subprocess.Popen(
                    [sys.executable, "-c", LOCK, str(self.installation.file), str(seconds)],
                    stdin=subprocess.DEVNULL,
                )
            )
            self._once("database", seconds, lambda: None)
            return
        seconds = self.chance.choice((0, 1, 3, 8))
        self._count("restart_database", f"away for {seconds} s")
        self.database.stop()

        def start() -> None:
            assert self.database
            self.database.start()
            self.journal.note("database_is_back")

        self._once("database", seconds, start)


class Loop:
    """A thread that acts at random until it is told to stop."""

    def __init__(self, seed: str, gap: float, journal: Journal):
        self.chance = random.Random(seed)
        self.gap = gap
        self.journal = journal
        self.counts: Counter[str] = Counter()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(90)

    def _run(self) -> None:
        while not self._stop.wait(self.chance.expovariate(1 / self.gap)):
            try:
                self.act()
            except DatabaseError:
                self.counts["database_down"] += 1
            finally:
                connections.close_all()

    def act(self) -> None:
        raise NotImplementedError


class Operator(Loop):
    """Somebody who drains hosts, gives them back, and changes their mind: through `services`, as
    the commands do it.

    :param at_once: how many hosts are in maintenance at a time, at most
    """

    def __init__(self, seed: str, gap: float, journal: Journal, cloud: Cloud, hosts: list[str]):
        super().__init__(seed, gap, journal)
        self.cloud = cloud
        self.hosts = hosts
        self.at_once = max(1, len(hosts) // 2)
        self._actor = shell_actor()
        self._rested: dict[str, float] = {}

    def act(self) -> None:
        region = self.cloud.region
        in_maintenance = [h for h in self.hosts if store.open_maintenance(region, h)]
        open_drains = list(
            store.drains(region).exclude(state__in=[s.value for s in DRAIN_TERMINAL])
        )
        drained = {d.host for d in open_drains}
        taken = drained | set(in_maintenance)
        for host in in_maintenance:
            self._rested.setdefault(host, time.monotonic() + self.chance.uniform(6, 25))
            if host not in drained and time.monotonic() > self._rested[host]:
                self._return_to_service(host)
                return
        for host in set(self._rested) - set(in_maintenance):
            del self._rested[host]
        if self.chance.random() < 0.2:
            self.resume_all()
        what = self.chance.random()
        if open_drains and what < 0.1:
            self._steer(self.chance.choice(open_drains))
        elif len(taken) < self.at_once:
            self._drain(self.chance.choice([h for h in self.hosts if h not in taken]))

    def drain(self, host: str, **more: object) -> None:
        """Ask for one, at once."""
        request = services.DrainRequest(host, "new kernel", **more)  # type: ignore[arg-type]
        self._asking(
            "drain", host, lambda: services.request_drain(self._actor, self.cloud, request)
        )

    def _drain(self, host: str) -> None:
        self.drain(
            host,
            max_concurrent=self.chance.randint(1, 4),
            follow_estimate=self.chance.random() < 0.3,
        )

    def _return_to_service(self, host: str) -> None:
        request = services.ReturnRequest(
            host, ReturnChoice.ENABLE, bring_back=self.chance.random() < 0.3
        )
        self._asking("return", host, lambda: services.return_host(self._actor, self.cloud, request))

    def _steer(self, drain: services.Drain) -> None:
        verb = self.chance.choice(("cancel", "pause", "retry", "faster"))
        act: Callable[[], object] = {
            "cancel": lambda: services.cancel_drain(
                self._actor, drain.pk, abort=self.chance.random() < 0.5
            ),
            "pause": lambda: services.pause_drain(self._actor, drain.pk),
            "retry": lambda: services.retry_failed(self._actor, drain.pk),
            "faster": lambda: services.change_drain(
                self._actor, drain.pk, services.DrainChange(max_concurrent=5)
            ),
        }[verb]
        self._asking(verb, drain.host, act, str(drain.pk))

    def resume_all(self) -> None:
        """What is paused would wait for ever."""
        for drain in services.open_drains(self._actor):
            with contextlib.suppress(MaintenanceError):
                services.resume_drain(self._actor, drain.pk)

    def _asking(self, kind: str, host: str, ask: Callable[[], object], text: str = "") -> None:
        # before, since a worker may be quicker than the note
        self.journal.note(kind, text, host=host)
        try:
            ask()
            self.counts[kind] += 1
        except MaintenanceError as error:
            self.counts["refused"] += 1
            self.journal.note(f"{kind}_refused", str(error), host=host)


class Others(Loop):
    """Somebody else, who knows nothing of drains: boots, deletes, stops, starts, pauses and moves
    servers, through Nova itself."""

    def __init__(
        self, seed: str, gap: float, journal: Journal, nova: DemoCloud, hosts: list[str], most: int
    ):
        super().__init__(seed, gap, journal)
        self.nova = nova
        self.hosts = hosts
        self.most = most
        self._numbers = itertools.count(1)

    def act(self) -> None:
        listed = self.nova.nova.get("/servers/detail?all_tenants=1").json()["servers"]
        settled = [s for s in listed if s["OS-EXT-STS:task_state"] is None]
        what = self.chance.choices(
            ("boot", "delete", "stop", "start", "pause", "unpause", "move", "intrude"),
            (4, 1.5, 1, 2, 0.7, 1.5, 1.5, 0.7),
        )[0]
        if what == "boot":
            if len(listed) < self.most:
                self.boot()
            return
        wanted = {"start": "SHUTOFF", "unpause": "PAUSED"}.get(what, "ACTIVE")
        # a delete meets servers that are on their way, too
        among = listed if what == "delete" else settled
        among = [s for s in among if what == "delete" or s["status"] == wanted]
        if what in ("move", "intrude"):
            among = [s for s in among if FRAGILE not in s["metadata"].get(LIVE_KEY, "")]
        if among:
            self._do(what, self.chance.choice(among))

    def boot(self, host: str = "") -> None:
        name = f"vm-{next(self._numbers)}"
        server = self.nova.create_server(
            name,
            host=host or None,
            ram_mib=self.chance.choice((256, 512, 1024)),
            play=self.chance.choice(PLAYS) or None,
            wait=False,
        )
        self._count("boot", name, server, host)

    def _do(self, what: str, server: dict) -> None:
        here = server["OS-EXT-SRV-ATTR:host"] or ""
        path = f"/servers/{server['id']}"
        if what == "delete":
            answer = self.nova.nova.delete(path, raise_exc=False)
        elif what == "intrude":
            # As one did until 2.67: the scheduler, which knows of disabled hosts, is not asked.
            to = self.chance.choice([h for h in self.hosts if h != here])
            body = {"os-migrateLive": {"host": to, "block_migration": "auto", "force": True}}
            answer = self.nova.nova.post(
                f"{path}/action", json=body, microversion="2.67", raise_exc=False
            )
            here = to
        else:
            body = {
                "stop": {"os-stop": None},
                "start": {"os-start": None},
                "pause": {"pause": None},
                "unpause": {"unpause": None},
                "move": {"os-migrateLive": {"host": None, "block_migration": "auto"}},
            }[what]
            answer = self.nova.nova.post(f"{path}/action", json=body, raise_exc=False)
        if answer.status_code < 300:
            self._count(what, server["name"], server["id"], here)

    def _count(self, what: str, name: str, server: str, host: str) -> None:
        self.counts[what] += 1
        self.journal.note(f"other_{what}", name, server=server, host=host)

    def _run(self) -> None:
        # Its own trouble with a Nova whose hosts are restarted is not what is looked for.
        while not self._stop.wait(self.chance.expovariate(1 / self.gap)):
            try:
                self.act()
            except (DemoCloudError, OSError, ValueError, KeyError) as error:
                self.counts["own_trouble"] += 1
                self.journal.note("other_trouble", f"{type(error).__name__}: {error}"[:120])
            except Exception as error:  # keystoneauth's own
                self.counts["own_trouble"] += 1
                self.journal.note("other_trouble", f"{type(error).__name__}: {error}"[:120])

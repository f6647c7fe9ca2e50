"""The worker: works off the queue of drains until it is told to stop."""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from types import FrameType
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, close_old_connections, connections

from ukcloud_maintenance import conf, services, store
from ukcloud_maintenance.cloud import Cloud
from ukcloud_maintenance.core.printable import logger
from ukcloud_maintenance.exceptions import CloudError, ConfigurationError, MaintenanceError
from ukcloud_maintenance.host_reconciler import HostReconciler
from ukcloud_maintenance.reconciler import Reconciler, say
from ukcloud_maintenance.store import Drain, HostMaintenance, InstanceMigration

from ._edge import EdgeCommand

LOG = logger("ukcloud_maintenance.worker")

#: Drains that one worker works on side by side; a region that hangs must not hold up the others.
THREADS = 4
#: Hosts in maintenance beside them, with threads of their own: neither may hold up the other.
HOST_THREADS = 2
#: Pause after a pass that ended in a bug, in seconds.
AFTER_A_BUG = 30
#: A worker reports this often, in seconds.
REPORT_EVERY = 5
#: Workers that have been silent for so long are forgotten.
FORGET_AFTER = timedelta(days=7)
#: Attempts whose beginning a worker remembers; far more than can be under way.
WITNESSED = 10_000


class Command(EdgeCommand):
    help = (
        "Works off the drains: disables the hosts' compute services, live-migrates the instances"
        " at a safe pace and follows each to its end; verifies that hosts in maintenance are safe"
        " to power off, and gives them back to service. Any number of workers may run, on any"
        " number of machines. SIGTERM finishes the pass in hand; a second one leaves at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="one pass over every drain that is due, then stop",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _log_to_stderr()
        try:
            worker = Worker()
            worker.check_clouds()
        except MaintenanceError as error:
            raise CommandError(str(error), returncode=2) from error
        if not options["once"]:
            worker.stop_on_signals()
        worker.run(once=options["once"])


def _log_to_stderr() -> None:
    """Horizon's LOGGING knows nothing of us; a worker without a log is of no use."""
    if LOG.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False


class Worker:
    """The loop around the reconciler: claims drains that are due, and gives them back."""

    def __init__(self) -> None:
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self.name = f"{self.host}:{self.pid}:{int(time.time())}"
        self.clouds: dict[str, Cloud] = {}
        self.asked: set[str] = set()
        self.stopping = threading.Event()
        self.problems: dict[str, str] = {}
        self.reported_at = 0.0
        #: the database's clock less our monotonic one, in seconds, at the last look
        self.offset: float | None = None
        #: when this process first saw an attempt, by its monotonic clock
        self.witnessed: dict[tuple[int, int], float] = {}
        self.lock = threading.Lock()

    # -- starting and stopping ---------------------------------------------------------------

    def check_clouds(self) -> None:
        """Fail at once where clouds.yaml lacks a cloud; credentials are tried when needed.

        :raises ConfigurationError: naming the setting or the cloud
        """
        regions = conf.regions()
        if not regions:
            raise ConfigurationError(
                f'{conf.NAME} names no cloud: add {conf.NAME}["CLOUD"] = "<cloud of clouds.yaml>".'
            )
        for region in regions:
            self.cloud(region)

    def stop_on_signals(self) -> None:
        def stop(number: int, frame: FrameType | None) -> None:
            if self.stopping.is_set():
                os._exit(128 + number)
            self.stopping.set()
            LOG.info("stopping worker=%s signal=%s", self.name, number)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)

    def cloud(self, region: str) -> Cloud:
        """The cloud of a region; its session logs in by itself, and again when it must."""
        with self.lock:
            if region not in self.clouds:
                self.clouds[region] = services.connect_shell(region)
            return self.clouds[region]

    def _newest(self, region: str) -> Cloud:
        """The cloud of a region, which is asked once what its Nova can tell of servers."""
        cloud = self.cloud(region)
        with self.lock:
            first = region not in self.asked
            self.asked.add(region)
        if first:
            cloud.prefer_newest()
        return cloud

    # -- the loop ----------------------------------------------------------------------------

    def run(self, *, once: bool = False) -> None:
        say(logging.INFO, "worker_started", worker=self.name, regions=",".join(conf.regions()))
        self._bury_the_dead()
        flying: dict[int, Future[None]] = {}
        hosts: dict[int, Future[None]] = {}
        with (
            ThreadPoolExecutor(THREADS, thread_name_prefix="drain") as pool,
            ThreadPoolExecutor(HOST_THREADS, thread_name_prefix="host") as host_pool,
        ):
            while not self.stopping.is_set():
                flying = {pk: future for pk, future in flying.items() if not future.done()}
                hosts = {pk: future for pk, future in hosts.items() if not future.done()}
                taken: Drain | None = None
                host: HostMaintenance | None = None
                try:
                    close_old_connections()
                    self._watch_the_clock()
                    self._report()
                    if len(flying) < THREADS:
                        taken = self._claim()
                    if len(hosts) < HOST_THREADS:
                        host = self._claim_host()
                except DatabaseError:
                    LOG.exception("database_down worker=%s", self.name)
                    self.stopping.wait(conf.idle_seconds())
                    if taken is None:
                        continue
                if taken is not None:
                    flying[taken.pk] = pool.submit(self._pass, taken)
                if host is not None:
                    hosts[host.pk] = host_pool.submit(self._host_pass, host)
                if taken is not None or host is not None:
                    continue
                if once and not flying and not hosts:
                    break
                else:
                    self.stopping.wait(min(conf.poll_seconds(), 1.0) / 4)
        with contextlib.suppress(DatabaseError):
            store.worker_stopped(self.name, store.now())
        say(logging.INFO, "worker_stopped", worker=self.name)

    def _claim(self) -> Drain | None:
        regions = conf.regions()
        return store.claim(
            self.name,
            store.now(),
            conf.lease_seconds(),
            None if "" in regions else list(regions),
            _longest_pause(),
        )

    def _claim_host(self) -> HostMaintenance | None:
        regions = conf.regions()
        return store.claim_host(
            self.name,
            store.now(),
            conf.lease_seconds(),
            None if "" in regions else list(regions),
            _longest_pause(),
        )

    def _pass(self, drain: Drain) -> None:
        """One pass, in a thread of the pool: nothing that goes wrong in it leaves it."""
        pause: float = AFTER_A_BUG
        try:
            reconciler = Reconciler(
                self._newest(drain.region),
                self.name,
                store.now,
                self._still_alive,
                self._known_for,
            )
            outcome = reconciler.run(drain)
            self._remember(drain.region, outcome.problem)
            pause = conf.poll_seconds() if outcome.moving else conf.idle_seconds()
        except (CloudError, ConfigurationError) as error:
            self._remember(drain.region, str(error))
            say(logging.ERROR, "no_cloud", drain=drain.pk, region=drain.region, detail=error)
            pause = conf.idle_seconds()
        except MaintenanceError as error:
            say(logging.WARNING, "pass_given_up", drain=drain.pk, detail=error)
            pause = conf.poll_seconds()
        except Exception:
            LOG.exception("bug drain=%s host=%s", drain.pk, drain.host)
        finally:
            try:
                store.release(drain, self.name, _after(pause))
            except DatabaseError:
                LOG.exception("database_down drain=%s", drain.pk)  # the lease runs out
            connections.close_all()

    def _host_pass(self, maintenance: HostMaintenance) -> None:
        """One pass over a host in maintenance, in a thread of the pool: nothing that goes wrong
        in it leaves it."""
        pause: float = AFTER_A_BUG
        region, host = maintenance.region, maintenance.host
        try:
            reconciler = HostReconciler(
                self._newest(region), self.name, store.now, self._host_still_alive
            )
            outcome = reconciler.run(maintenance)
            self._remember(region, outcome.problem)
            pause = outcome.pause_seconds
        except (CloudError, ConfigurationError) as error:
            self._remember(region, str(error))
            say(logging.ERROR, "no_cloud", host=host, region=region, detail=error)
            pause = conf.idle_seconds()
        except Exception:
            LOG.exception("bug host=%s", host)
        finally:
            try:
                store.release_host(maintenance, self.name, _after(pause))
            except DatabaseError:
                LOG.exception("database_down host=%s", host)  # the lease runs out
            connections.close_all()

    # -- signs of life -----------------------------------------------------------------------

    def _remember(self, region: str, problem: str) -> None:
        with self.lock:
            if problem:
                self.problems[region] = problem
            else:
                self.problems.pop(region, None)

    def _report(self) -> None:
        if time.monotonic() - self.reported_at < REPORT_EVERY:
            return
        with self.lock:
            problem = "\n".join(self.problems.values())
        now = store.now()
        store.sign_of_life(self.name, self.host, self.pid, now, problem)
        store.forget_workers(now - FORGET_AFTER, now)
        self.reported_at = time.monotonic()

    def _still_alive(self, drain: Drain) -> None:
        """Called between the steps of a pass: keeps the drain claimed."""
        until = store.now() + timedelta(seconds=conf.lease_seconds())
        store.renew(drain, self.name, until)

    def _host_still_alive(self, maintenance: HostMaintenance) -> None:
        until = store.now() + timedelta(seconds=conf.lease_seconds())
        store.renew_host(maintenance, self.name, until)

    # -- clocks ------------------------------------------------------------------------------

    def _watch_the_clock(self) -> None:
        """The database's clock is the one that counts, and may be set back: what it dated is then
        younger than it looks. Our own monotonic clock shows it."""
        offset = store.now().timestamp() - time.monotonic()
        if self.offset is not None and self.offset - offset > store.SLACK.total_seconds():
            say(logging.WARNING, "clock_set_back", seconds=f"{self.offset - offset:.0f}")
            store.clock_was_set_back()
        self.offset = offset

    def _known_for(self, row: InstanceMigration) -> float:
        """For how many seconds this process has known of this attempt, whatever the database's
        clock did meanwhile: one that is set ahead must not make a request on its way a lost one."""
        with self.lock:
            if len(self.witnessed) >= WITNESSED:
                self.witnessed.clear()  # it is waited for anew
            first = self.witnessed.setdefault((row.pk, row.attempts), time.monotonic())
        return time.monotonic() - first

    def _bury_the_dead(self) -> None:
        """Free what workers of this machine held whose process is gone, so that a restart does
        not wait for their leases. Should one be alive after all (another PID namespace), two
        work on the same drain for a pass, and the compare-and-set keeps them apart."""
        try:
            for worker in store.workers_of(self.host):
                if worker.pid == self.pid or not _runs(worker.pid):
                    store.worker_stopped(worker.name, store.now())
        except DatabaseError:
            LOG.exception("database_down worker=%s", self.name)


def _longest_pause() -> float:
    """Seconds between two passes over the same drain or host, at most."""
    return max(conf.poll_seconds(), conf.idle_seconds(), conf.verify_seconds(), AFTER_A_BUG)


def _after(pause: float) -> datetime:
    """When something is due again. What is put off for longer is taken for a clock's error."""
    return store.now() + timedelta(seconds=min(pause, _longest_pause()))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

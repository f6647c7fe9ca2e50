"""The worker: works off the queue of drains until it is told to stop.

The main thread waits for signals and watches; it touches neither the database nor OpenStack, so
that nothing that hangs there keeps it from that. A second thread claims what is due and reports
that the worker is alive, and each pass has a thread of its own. A thread that does not come back
is abandoned: its place is given to another one, its claim is given back, and what it still does
is void (`PassOver`, and the compare-and-set of each row).
"""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import FrameType
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connections,
)

from ukcloud_maintenance import conf, services, store
from ukcloud_maintenance.cloud import BUSY_SECONDS_MAX, Cloud
from ukcloud_maintenance.core.host import returning as hosts
from ukcloud_maintenance.core.printable import logger
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.exceptions import (
    CloudError,
    ConfigurationError,
    MaintenanceError,
    PassOver,
    StaleState,
)
from ukcloud_maintenance.store import Drain, HostMaintenance, InstanceMigration
from ukcloud_maintenance.worker import drain as reconciler
from ukcloud_maintenance.worker import host as host_reconciler
from ukcloud_maintenance.worker.drain import Reconciler, say
from ukcloud_maintenance.worker.host import HostReconciler

from ._edge import EdgeCommand

LOG = logger("ukcloud_maintenance.worker")

#: Drains that one worker works on side by side; a region that hangs must not hold up the others.
THREADS = 4
#: Hosts in maintenance beside them, with threads of their own: neither may hold up the other.
HOST_THREADS = 2
#: Pause after a pass that ended in a bug, in seconds; it doubles with each further one, up to …
AFTER_A_BUG = 30.0
AFTER_A_BUG_MAX = 300.0
#: Pause while the database does not answer, in seconds; it doubles each time, up to …
DATABASE_PAUSE = 1.0
DATABASE_PAUSE_MAX = 30.0
#: A worker reports this often, in seconds.
REPORT_EVERY = 5
#: Workers that have been silent for so long are forgotten.
FORGET_AFTER = timedelta(days=7)
#: Attempts whose beginning a worker remembers; far more than can be under way.
WITNESSED = 10_000
#: How long, in seconds, a worker that is told to stop waits for what it has in hand: for the answer
#: to a request for change, since it breaks off reads; and to say goodbye to the database.
STOP_SECONDS = 8.0
GOODBYE_SECONDS = 2.0
#: With so many threads abandoned that do not end, the process is of no use.
ABANDONED_MAX = 8

#: What a database that is down or restarts comes up with; everything else of it is a bug of ours.
DATABASE_LOST = (OperationalError, InterfaceError)


class Command(EdgeCommand):
    help = (
        "Works off the drains: disables the hosts' compute services, live-migrates the instances"
        " at a safe pace and follows each to its end; verifies that hosts in maintenance are safe"
        " to power off, and gives them back to service. Any number of workers may run, on any"
        " number of machines. SIGTERM waits some seconds for the answer to a request for change,"
        " and leaves; a second one leaves at once."
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
        if worker.failure:
            if worker.has_leftovers:
                self.stderr.lines(worker.failure)
                _leave(4)
            raise CommandError(worker.failure, returncode=4)
        if worker.has_leftovers:
            _leave(0)


def _leave(code: int) -> None:
    """End the process without waiting for threads that do not come back."""
    sys.stderr.flush()
    os._exit(code)


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


@dataclass(eq=False)
class Pass:
    """One pass over a drain or over a host in maintenance, in a thread of its own."""

    of: Drain | HostMaintenance
    began: float = field(default_factory=time.monotonic)
    thread: threading.Thread | None = None
    cloud: Cloud | None = None
    #: nobody waits for it any longer
    abandoned: bool = False

    @property
    def key(self) -> tuple[str, int]:
        return ("drain" if isinstance(self.of, Drain) else "host", self.of.pk)

    @property
    def region(self) -> str:
        return str(self.of.region)

    @property
    def name(self) -> str:
        kind = f"drain {self.of.pk} of " if isinstance(self.of, Drain) else "the maintenance of "
        return f"{kind}{self.of.host}"

    @property
    def has_ended(self) -> bool:
        return self.thread is not None and not self.thread.is_alive()

    def stop(self) -> None:
        if self.cloud is not None:
            self.cloud.stop()


@dataclass
class GivenBack:
    """A claim to be given back, once the database takes it."""

    of: Drain | HostMaintenance
    pause: float
    #: what is to be said of it first, or empty
    trouble: str = ""


class Worker:
    """The loop around the reconcilers: claims what is due, and gives it back."""

    def __init__(self) -> None:
        self.host = socket.gethostname()
        self.pid = os.getpid()
        self.name = f"{self.host}:{self.pid}:{int(time.time())}"
        self.clouds: dict[str, Cloud] = {}
        self.asked: set[str] = set()
        self.stopping = threading.Event()
        #: by what the worker fails on (see Pass.key): the problem
        self.problems: dict[tuple[str, int], str] = {}
        #: how often in a row a pass ended in a bug
        self.bugs: dict[tuple[str, int], int] = {}
        self.passes: dict[tuple[str, int], Pass] = {}
        #: threads that did not come back, and what to say of each
        self.abandoned: dict[threading.Thread, str] = {}
        self.to_give_back: list[GivenBack] = []
        self.database_down_since: float | None = None
        self.reported_at = 0.0
        #: the database's clock less our monotonic one, in seconds, at the last look
        self.offset: float | None = None
        #: when this process first saw an attempt, by its monotonic clock
        self.witnessed: dict[tuple[int, int], float] = {}
        self.lock = threading.Lock()
        self.dispatcher = threading.Thread()
        #: when the dispatcher is expected to turn again, by the monotonic clock
        self.turn_expected = 0.0
        self.ready = threading.Event()
        #: why it left without being told to, or empty
        self.failure = ""

    @property
    def has_leftovers(self) -> bool:
        """Whether threads did not come back: the process must be left without them."""
        mine = [self.dispatcher, *self.abandoned, *(p.thread for p in self.passes.values())]
        return any(thread is not None and thread.is_alive() for thread in mine)

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

    def _cloud_for(self, one: Pass) -> Cloud:
        """The cloud for one pass, which ends with it; Nova is asked once what it can tell of
        servers."""
        shared = self.cloud(one.region)
        with self.lock:
            first = one.region not in self.asked
            self.asked.add(one.region)
        one.cloud = shared.within(conf.pass_seconds(), lambda: self._still_ours(one))
        if one.abandoned or self.stopping.is_set():
            one.stop()  # told to before there was anything to be told
        if first:
            shared.use_newest_of(one.cloud)
        return one.cloud

    def run(self, *, once: bool = False) -> None:
        """Work until told to stop; the caller's thread watches."""
        say(logging.INFO, "worker_started", worker=self.name, regions=",".join(conf.regions()))
        self._start_dispatcher(once)
        notify("READY=1")
        while not self.stopping.is_set():
            self._watch(once)
            if once and not self.dispatcher.is_alive():
                break
            self.stopping.wait(0.25)
        notify("STOPPING=1")
        self._stop()

    def _stop(self) -> None:
        """Leave in bounded time, with the record as it is."""
        self.stopping.set()
        until = time.monotonic() + STOP_SECONDS
        passes = list(self.passes.values())
        for one in passes:
            one.stop()
        for thread in (self.dispatcher, *(one.thread for one in passes)):
            if thread is not None and thread.ident is not None:
                thread.join(max(until - time.monotonic(), 0))
        for one in passes:
            if not one.has_ended:
                say(logging.WARNING, "left_behind", worker=self.name, detail=one.name)
        goodbye = threading.Thread(target=self._say_goodbye, daemon=True)
        goodbye.start()
        goodbye.join(GOODBYE_SECONDS)
        say(logging.INFO, "worker_stopped", worker=self.name)

    def _say_goodbye(self) -> None:
        try:
            store.worker_stopped(self.name, store.now())
        except DATABASE_LOST as error:
            self._database_is_down(error)
        finally:
            _close_connections()

    # -- watching ----------------------------------------------------------------------------

    def _watch(self, once: bool) -> None:
        """Abandon what does not come back, and tell systemd whether all is well."""
        now = time.monotonic()
        # its reads end by themselves then, and what changes something a little later
        bound = conf.pass_seconds() + 2 * conf.api_timeout_seconds()
        for one in list(self.passes.values()):
            if now - one.began > bound and not one.has_ended:
                self._abandon(one, now)
        if now > self.turn_expected + bound and self.dispatcher.is_alive():
            text = "The database has not answered the worker for a long time."
            self._log_hung(self.dispatcher, text)
            self.abandoned[self.dispatcher] = text
            self._start_dispatcher(once)
        elif not once and not self.dispatcher.is_alive():
            self._start_dispatcher(once)  # whatever ended it
        for thread in [t for t in self.abandoned if not t.is_alive()]:
            say(logging.INFO, "came_back", worker=self.name, detail=self.abandoned.pop(thread))
        if len(self.abandoned) >= ABANDONED_MAX:
            self.failure = "Too many passes do not end; the worker has to be started again."
            say(logging.ERROR, "worker_is_stuck", worker=self.name, detail=self.failure)
            self.stopping.set()
        if not self.abandoned:
            notify("WATCHDOG=1")

    def _abandon(self, one: Pass, now: float) -> None:
        text = (
            f"A pass over {one.name} has not ended after {now - one.began:.0f} s, and was"
            " abandoned. Look at the worker's log."
        )
        assert one.thread is not None
        self._log_hung(one.thread, text)
        one.abandoned = True
        one.stop()
        self.abandoned[one.thread] = text
        self.passes.pop(one.key, None)
        self.to_give_back.append(GivenBack(one.of, AFTER_A_BUG, text))

    def _log_hung(self, thread: threading.Thread, text: str) -> None:
        """One line, with where it hangs."""
        where = sys._current_frames().get(thread.ident or 0)
        frames: list[str] = []
        while where is not None and len(frames) < 8:
            frames.append(f"{os.path.basename(where.f_code.co_filename)}:{where.f_lineno}")
            where = where.f_back
        say(logging.ERROR, "hung", worker=self.name, detail=text, at=" < ".join(frames))

    # -- claiming ----------------------------------------------------------------------------

    def _start_dispatcher(self, once: bool) -> None:
        self.turn_expected = time.monotonic()
        self.dispatcher = threading.Thread(
            target=self._dispatch, args=(once,), daemon=True, name="dispatcher"
        )
        self.dispatcher.start()

    def _dispatch(self, once: bool) -> None:
        """Claim what is due, until told to stop or replaced."""
        buried = False
        pause = DATABASE_PAUSE
        while not self.stopping.is_set() and self.dispatcher is threading.current_thread():
            self.turn_expected = time.monotonic()
            try:
                close_old_connections()
                if not buried:
                    self._bury_the_dead()
                    buried = True
                self._watch_the_clock()
                self._report()
                self._give_back()
                busy = self._claim()
            except (DatabaseError, InterfaceError) as error:
                _close_connections()
                if once:
                    self.failure = f"The database failed: {' '.join(str(error).split())}"
                    break
                self._database_is_down(error)
                self._rest(pause)
                pause = min(2 * pause, DATABASE_PAUSE_MAX)
                continue
            except Exception:
                LOG.exception("bug worker=%s", self.name)
                self._rest(AFTER_A_BUG)
                continue
            pause = DATABASE_PAUSE
            self._database_is_back()
            if busy:
                continue
            if once and not self.passes:
                break
            self._rest(min(conf.poll_seconds(), 1.0) / 4)
        _close_connections()

    def _rest(self, seconds: float) -> None:
        self.turn_expected = time.monotonic() + seconds
        self.stopping.wait(seconds)

    def _claim(self) -> bool:
        """Begin a pass over what is due, if there is a place for it; whether there was."""
        found = self._take()
        for one in found:
            one.thread = threading.Thread(
                target=self._work, args=(one,), daemon=True, name=f"{one.key[0]}-{one.key[1]}"
            )
            self.passes[one.key] = one
            one.thread.start()
        return bool(found)

    def _take(self) -> list[Pass]:
        """Claim what is due, as far as there are places."""
        for one in list(self.passes.values()):
            if one.has_ended:
                self.passes.pop(one.key, None)
        kinds = [key[0] for key in self.passes]
        regions = None if "" in conf.regions() else list(conf.regions())
        lease, longest = conf.lease_seconds(), _longest_pause()
        taken: list[Drain | HostMaintenance | None] = []
        if kinds.count("drain") < THREADS:
            taken.append(store.claim(self.name, store.now(), lease, regions, longest))
        if kinds.count("host") < HOST_THREADS:
            taken.append(store.claim_host(self.name, store.now(), lease, regions, longest))
        return [Pass(one) for one in taken if one is not None]

    def _give_back(self) -> None:
        """What could not be given back when its pass was over."""
        while self.to_give_back:
            one = self.to_give_back[0]
            if one.trouble:
                self._tell(one.of, one.trouble)
            self._release(one.of, one.pause)
            self.to_give_back.pop(0)

    def _release(self, of: Drain | HostMaintenance, pause: float) -> None:
        if isinstance(of, Drain):
            store.release(of, self.name, _after(pause))
        else:
            store.release_host(of, self.name, _after(pause))

    # -- passes ------------------------------------------------------------------------------

    def _work(self, one: Pass) -> None:
        """One pass, in its thread: nothing that goes wrong in it leaves it."""
        pause = 0.0
        try:
            pause = self._try(one)
        except DATABASE_LOST as error:
            self._database_is_down(error)
            pause = conf.idle_seconds()
        except Exception as error:
            # not even that the pass failed could be written down
            pause = AFTER_A_BUG_MAX
            LOG.exception("bug %s", one.name)
            self._remember(one, _in_words(error))
        try:
            if not one.abandoned:
                self._release(one.of, pause)
        except (DatabaseError, InterfaceError) as error:
            self._database_is_down(error)
            self.to_give_back.append(GivenBack(one.of, pause))
        finally:
            _close_connections()

    def _try(self, one: Pass) -> float:
        """Seconds until the next pass."""
        try:
            cloud = self._cloud_for(one)
            if isinstance(one.of, Drain):
                worker = Reconciler(
                    cloud, self.name, store.now, lambda _: self._still_ours(one), self._known_for
                )
                outcome = worker.run(one.of)
                pause = conf.poll_seconds() if outcome.moving else conf.idle_seconds()
                pause = max(pause, outcome.wait_seconds)
                problem, reconnect = outcome.problem, outcome.reconnect
            else:
                host = HostReconciler(cloud, self.name, store.now, lambda _: self._still_ours(one))
                seen = host.run(one.of)
                pause, problem, reconnect = seen.pause_seconds, seen.problem, seen.reconnect
        except (CloudError, ConfigurationError) as error:
            text = error.advice if isinstance(error, CloudError) else str(error)
            say(logging.ERROR, "no_cloud", of=one.name, region=one.region, detail=text)
            pause, problem, reconnect = conf.idle_seconds(), text, True
            self._tell(one.of, text)
        except PassOver as error:
            say(logging.INFO, "pass_over", of=one.name, detail=error)
            return 0.0
        except MaintenanceError as error:
            say(logging.WARNING, "pass_given_up", of=one.name, detail=error)
            return conf.poll_seconds()
        except DATABASE_LOST:
            raise
        except Exception as error:
            LOG.exception("bug %s", one.name)
            self.bugs[one.key] = times = self.bugs.get(one.key, 0) + 1
            self._remember(one, f"{one.name}: {_in_words(error)}")
            self._tell(one.of, _in_words(error))
            return min(AFTER_A_BUG * 2 ** (times - 1), AFTER_A_BUG_MAX)
        self.bugs.pop(one.key, None)
        self._remember(one, problem)
        if reconnect:
            with self.lock:
                self.clouds.pop(one.region, None)
                self.asked.discard(one.region)
        return pause

    def _tell(self, of: Drain | HostMaintenance, text: str) -> None:
        """Say of a drain or a host, where it is shown, what keeps the worker from it."""
        now = store.now()
        # somebody else's change may be what it says by now
        with contextlib.suppress(StaleState):
            if isinstance(of, Drain):
                drain = store.drain(of.pk)
                if drain is not None and drain.state not in DRAIN_TERMINAL:
                    rows = list(store.migrations(drain))
                    reconciler.in_trouble(drain, rows, reconciler.FAILS, text, self.name, now)
            else:
                found = store.maintenance(of.pk)
                if found is not None and found.closed_at is None:
                    host_reconciler.in_trouble(found, hosts.FAILS, text, self.name, now)

    def _still_ours(self, one: Pass) -> None:
        """Called between the steps of a pass, and before each request for change: keeps the
        claim.

        :raises PassOver: it is lost, or the pass was abandoned
        """
        if one.abandoned:
            raise PassOver("it was abandoned")
        until = store.now() + timedelta(seconds=conf.lease_seconds())
        if isinstance(one.of, Drain):
            ours = store.renew(one.of, self.name, until)
        else:
            ours = store.renew_host(one.of, self.name, until)
        if not ours:
            raise PassOver("another worker has taken over, or it is over")

    # -- signs of life -----------------------------------------------------------------------

    def _remember(self, one: Pass, problem: str) -> None:
        with self.lock:
            if problem and not one.abandoned:
                self.problems[one.key] = problem
            else:
                self.problems.pop(one.key, None)

    def _report(self) -> None:
        if time.monotonic() - self.reported_at < REPORT_EVERY:
            return
        self._forget_what_is_over()
        with self.lock:
            told = [*self.abandoned.values(), *self.problems.values()]
        problem = "\n".join(dict.fromkeys(told))
        now = store.now()
        store.sign_of_life(self.name, self.host, self.pid, now, problem)
        store.forget_workers(now - FORGET_AFTER, now)
        self.reported_at = time.monotonic()

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

    def _forget_what_is_over(self) -> None:
        """Problems of what is over by now, or that another worker gets on with."""
        for kind, pk in list(self.problems):
            if kind == "drain":
                drain = store.drain(pk)
                stays = (
                    drain is not None
                    and not drain.is_settled
                    and (
                        drain.state in DRAIN_TERMINAL
                        or drain.message.startswith(reconciler.TROUBLES)
                    )
                )
            else:
                found = store.maintenance(pk)
                stays = found is not None and found.closed_at is None
            if not stays:
                with self.lock:
                    self.problems.pop((kind, pk), None)
                self.bugs.pop((kind, pk), None)

    def _database_is_down(self, error: Exception) -> None:
        """One line for each outage, whoever notices it."""
        with self.lock:
            first, self.database_down_since = (
                self.database_down_since is None,
                self.database_down_since or time.monotonic(),
            )
        if first:
            detail = " ".join(str(error).split())
            say(logging.ERROR, "database_down", worker=self.name, detail=detail)

    def _database_is_back(self) -> None:
        with self.lock:
            since, self.database_down_since = self.database_down_since, None
        if since is not None:
            seconds = round(time.monotonic() - since)
            say(logging.INFO, "database_back", worker=self.name, seconds=seconds)

    def _bury_the_dead(self) -> None:
        """Free what workers of this machine held whose process is gone, so that a restart does
        not wait for their leases. Should one be alive after all (another PID namespace), two
        work on the same drain for a pass, and the compare-and-set keeps them apart."""
        for worker in store.workers_of(self.host):
            if worker.pid == self.pid or not _runs(worker.pid):
                store.worker_stopped(worker.name, store.now())


def _longest_pause() -> float:
    """Seconds between two passes over the same drain or host, at most."""
    return max(
        conf.poll_seconds(),
        conf.idle_seconds(),
        conf.verify_seconds(),
        AFTER_A_BUG_MAX,
        BUSY_SECONDS_MAX,
    )


def _after(pause: float) -> datetime:
    """When something is due again. What is put off for longer is taken for a clock's error."""
    return store.now() + timedelta(seconds=min(pause, _longest_pause()))


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


def _close_connections() -> None:
    """Those of this thread, whatever became of them."""
    with contextlib.suppress(DatabaseError, InterfaceError):
        connections.close_all()


def _in_words(error: Exception) -> str:
    """An error that nobody expected, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

"""The worker: processes the queue of drains until it is told to stop.

The main thread waits for signals and watches; it touches neither the database nor OpenStack, so
that nothing that hangs there keeps it from that. A second thread claims what is due and reports
that the worker is alive, and each pass has a thread of its own. A thread that does not come back is
abandoned: its place is given to another one, its claim is released, and what it still does is void
(`PassOver`, and the compare-and-set of each row).
"""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

from django.db import DatabaseError, InterfaceError, close_old_connections

from .. import settings, store
from ..core.message import Message, message
from ..core.printable import one_line
from ..exceptions import ConfigurationError
from ..log import LOG, log_event
from .agenda import Agenda
from .housekeeping import (
    DATABASE_LOST,
    Apart,
    ClockWatch,
    DatabaseOutage,
    Key,
    SignsOfLife,
    close_connections,
)
from .inventory import InventoryKeeper
from .metrics import Endpoint
from .passes import AFTER_A_BUG, HeldClaim, Pass, PassRunner, Work, longest_pause
from .teller import Teller
from .watchdog import Watchdog, notify

#: Drains that one worker works on side by side; a region that hangs must not hold up the others.
THREADS = 4
#: Hosts in maintenance beside them, with threads of their own: neither may hold up the other.
HOST_THREADS = 2
#: Runs beside both.
RUN_THREADS = 2
#: The dispatcher turns at least this often, in seconds, to watch the clock and to report.
TURN_SECONDS = 1.0
#: Pause while the database does not answer, in seconds; it doubles each time, up to …
DATABASE_PAUSE = 1.0
DATABASE_PAUSE_MAX = 30.0
#: How long, in seconds, a worker that is told to stop waits for what it has in hand: for the answer
#: to a request for change, since it breaks off reads; and to say goodbye to the database.
STOP_SECONDS = 8.0
GOODBYE_SECONDS = 2.0


class Worker:
    """The loop around the reconcilers: claims what is due, and gives it back.

    :param name: what it is called in the record; by default by its machine, process and start
    :param metrics_port: where it serves metrics, 0: nowhere; None: where the settings say
    """

    def __init__(self, name: str = "", metrics_port: int | None = None) -> None:
        host, pid = socket.gethostname(), os.getpid()
        self.name = name or f"{host}:{pid}:{int(time.time())}"
        self.stopping = threading.Event()
        self.agenda = Agenda()
        self.apart = Apart()
        #: whether the last turn asked for all that there may be to do
        self.has_asked = True
        self.endpoint = Endpoint(self.name, metrics_port)
        self.database = DatabaseOutage(self.name, self.endpoint.metrics.database)
        self.signs = SignsOfLife(self.name, host, pid)
        self.clock = ClockWatch()
        self.watchdog = Watchdog(self.name)
        self.runner = PassRunner(
            *(self.name, self.signs, self.database, self.agenda, self.stopping),
            metrics=self.endpoint.metrics,
        )
        self.passes: dict[Key, Pass] = {}
        self.keepers: list[tuple[InventoryKeeper | Teller, threading.Thread]] = []
        self.dispatcher = threading.Thread()
        #: when the dispatcher is expected to turn again, by the monotonic clock
        self.turn_expected = 0.0
        #: why it left without being told to, or None
        self.failure: Message | None = None

    @property
    def has_leftovers(self) -> bool:
        """Whether threads did not come back: the process must be left without them."""
        threads = [p.thread for p in self.passes.values()] + [thread for _, thread in self.keepers]
        mine = [self.dispatcher, *self.watchdog.abandoned, *threads]
        return any(thread is not None and thread.is_alive() for thread in mine)

    # -- starting and stopping ---------------------------------------------------------------

    def check_clouds(self) -> None:
        """Fail at once where clouds.yaml lacks a cloud; credentials are tried when needed.

        :raises ConfigurationError: naming the setting or the cloud
        """
        regions = settings.current().regions
        if not regions:
            raise ConfigurationError(message("settings_name_no_cloud", name=settings.NAME))
        for region in regions:
            self.runner.clouds.of(region)

    def stop_on_signals(self) -> None:
        """SIGTERM and SIGINT let `run` end; a second one ends the process at once."""

        def stop(number: int, frame: FrameType | None) -> None:
            if self.stopping.is_set():
                os._exit(128 + number)
            self.stopping.set()
            LOG.info("stopping worker=%s signal=%s", self.name, number)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)

    def run(self, *, once: bool = False) -> None:
        """Work until told to stop; the caller's thread watches."""
        log_event(
            logging.INFO,
            "worker_started",
            worker=self.name,
            regions=",".join(settings.current().regions),
        )
        self._start_dispatcher(once)
        if not once:
            self._keep_inventories()
            self._keep(Teller(self.name, self.database, self.stopping), "teller")
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
        self.agenda.ask_at_once()  # the dispatcher turns, and sees it
        until = time.monotonic() + STOP_SECONDS
        passes = list(self.passes.values())
        for one in passes:
            self.apart.do(f"stop of={one.label}", one.stop)
        for number, (keeper, _) in enumerate(self.keepers):
            self.apart.do(f"stop of=keeper-{number}", keeper.stop)
        threads = [one.thread for one in passes] + [thread for _, thread in self.keepers]
        for thread in (self.dispatcher, *threads):
            if thread is not None and thread.ident is not None:
                thread.join(max(until - time.monotonic(), 0))
        for one in passes:
            if not one.has_ended:
                log_event(logging.WARNING, "left_behind", worker=self.name, detail=one.name)
        goodbye = threading.Thread(target=self._say_goodbye, daemon=True)
        goodbye.start()
        goodbye.join(GOODBYE_SECONDS)
        self.apart.do("stop of=metrics", self.endpoint.close)
        log_event(logging.INFO, "worker_stopped", worker=self.name)

    def _say_goodbye(self) -> None:
        try:
            store.worker_stopped(self.name, store.now())
        except DATABASE_LOST as error:
            self.database.is_down(error)
        finally:
            close_connections()

    # -- watching ----------------------------------------------------------------------------

    def _watch(self, once: bool) -> None:
        """Abandon what does not come back, and tell systemd whether all is well."""
        if not once:
            self.apart.do("metrics", self.endpoint.attend)
        now = time.monotonic()
        # its reads end by themselves then, and what changes something a little later
        bound = settings.current().pass_seconds + 2 * settings.current().api_timeout_seconds
        for one in list(self.passes.values()):
            if now - one.began > bound and not one.has_ended:
                self.apart.do(f"abandon of={one.label}", partial(self._abandon, one, now))
        if now > self.turn_expected + bound and self.dispatcher.is_alive():
            self.watchdog.abandon(self.dispatcher, message("database_silent"))
            self._start_dispatcher(once)
        elif not once and not self.dispatcher.is_alive():
            self._start_dispatcher(once)  # whatever ended it
        self.watchdog.welcome()
        if self.watchdog.is_stuck:
            self.failure = message("worker_stuck")
            log_event(logging.ERROR, "worker_is_stuck", worker=self.name, detail=self.failure)
            self.stopping.set()
        if not self.watchdog.abandoned:
            notify("WATCHDOG=1")

    def _abandon(self, one: Pass, now: float) -> None:
        said = message("pass_abandoned", of=one.name, seconds=round(now - one.began))
        assert one.thread is not None
        self.watchdog.abandon(one.thread, said)
        self.passes.pop(one.key, None)
        self.runner.abandon(one, said)

    def _keep_inventories(self) -> None:
        """A thread for each region, beside those of passes: what it fails at, nobody waits for."""

        def drains() -> bool:
            return any(key[0] == "drain" for key in list(self.passes))

        for region in settings.current().regions:
            keeper = InventoryKeeper(
                self.name, region, self.runner.clouds, self.database, drains, self.stopping
            )
            self._keep(keeper, "inventory")

    def _keep(self, keeper: InventoryKeeper | Teller, name: str) -> None:
        thread = threading.Thread(target=keeper.run, daemon=True, name=name)
        self.keepers.append((keeper, thread))
        thread.start()

    # -- claiming ----------------------------------------------------------------------------

    def _start_dispatcher(self, once: bool) -> None:
        self.turn_expected = time.monotonic()
        self.dispatcher = threading.Thread(
            target=self._dispatch, args=(once,), daemon=True, name="dispatcher"
        )
        self.dispatcher.start()

    def _dispatch(self, once: bool) -> None:
        """Claim what is due, until told to stop or replaced."""
        are_released = False
        pause = DATABASE_PAUSE
        while not self.stopping.is_set() and self.dispatcher is threading.current_thread():
            self.turn_expected = time.monotonic()
            try:
                close_old_connections()
                if not are_released:
                    self.signs.release_the_dead()
                    are_released = True
                found_nothing = self._turn()
                is_over = once and not self.passes and (found_nothing or not self.has_asked)
            except (DatabaseError, InterfaceError) as error:
                close_connections()
                if once:
                    detail = one_line(error).rstrip(".")
                    self.failure = message("health_database", detail=detail)
                    break
                self.database.is_down(error)
                self._rest(pause)
                pause = min(2 * pause, DATABASE_PAUSE_MAX)
                continue
            except Exception:
                LOG.exception("bug worker=%s", self.name)
                if once:
                    self.failure = message("not_claimed")
                    break
                self._rest(AFTER_A_BUG)
                continue
            pause = DATABASE_PAUSE
            self.database.is_back()
            if is_over:
                if not self.has_asked:
                    self.failure = message("not_claimed")
                break
            self._wait()
        close_connections()

    def _turn(self) -> bool:
        """Once through what the dispatcher does; whether it asked, and found nothing to do."""
        self._watch_the_clock()
        self._report()
        self.runner.release_held()
        if not self.agenda.is_time and not self._is_requested():
            return False
        self.agenda.begin()
        if self._claim():
            return False  # it asks again at once
        self.agenda.found_nothing()
        return self.has_asked

    def _is_requested(self) -> bool:
        """Whether somebody waits for a worker: asked each turn, as one small look costs less than
        a claim, and all that is put off is known to be due later."""
        lease = settings.current().lease_seconds
        now, regions = store.now(), self._regions
        return store.is_requested(now, lease, regions) or store.is_run_requested(
            now, lease, regions
        )

    @property
    def _regions(self) -> list[str] | None:
        """Those that it can log in to; None: any."""
        regions = settings.current().regions
        return None if "" in regions else list(regions)

    def _watch_the_clock(self) -> None:
        if self.clock.was_set_back():
            self.agenda.ask_at_once()

    def _report(self) -> None:
        served = [self.endpoint.problem] if self.endpoint.problem else []
        self.signs.report([*self.watchdog.abandoned.values(), *served])

    def _rest(self, seconds: float) -> None:
        self.turn_expected = time.monotonic() + seconds
        self.stopping.wait(seconds)

    def _wait(self) -> None:
        """Until there is something to ask for, or for one turn."""
        seconds = min(self.agenda.seconds_left, TURN_SECONDS)
        self.turn_expected = time.monotonic() + seconds
        if not self.stopping.is_set():
            self.agenda.rest(seconds)

    def _claim(self) -> bool:
        """Begin a pass over what is due, if there is a place for it; whether there was."""
        found = self._take()
        for one in found:
            before = self.passes.get(one.key)
            if before is not None and not (before.has_ended or before.is_released):
                # its lease ended while it hung or the machine slept: the claim is this one's now
                log_event(logging.WARNING, "lease_ended", worker=self.name, detail=before.name)
                self.runner.give_up(before)
            one.thread = threading.Thread(
                target=self.runner.work, args=(one,), daemon=True, name=one.label
            )
            self.passes[one.key] = one
            one.thread.start()
        return bool(found)

    def _take(self) -> list[Pass]:
        """Claim what is due, as far as there are places. What was claimed before the database was
        lost is released once that is back."""
        for one in list(self.passes.values()):
            if one.has_ended:
                self.passes.pop(one.key, None)
        kinds = [key[0] for key in self.passes]
        found: list[Pass] = []
        self.has_asked = True
        # tables that are not as they should be concern all kinds
        of_all = (DatabaseError, InterfaceError)
        try:
            for kind, places, claim in (
                ("drain", THREADS, self._claim_drain),
                ("host", HOST_THREADS, self._claim_host),
                ("run", RUN_THREADS, self._claim_run),
            ):
                if kinds.count(kind) < places:
                    add = partial(self._add, found, claim)
                    asked = self.apart.do(f"claim of={kind}", add, of_all)
                    self.has_asked = self.has_asked and asked
        except of_all:
            self.runner.to_release += [HeldClaim(one.of, 0.0) for one in found]
            raise
        return found

    @staticmethod
    def _add(found: list[Pass], claim: Callable[[], Work | None]) -> None:
        if (one := claim()) is not None:
            found.append(Pass(one))

    def _claim_drain(self) -> Work | None:
        lease = settings.current().lease_seconds
        return store.claim(self.name, store.now(), lease, self._regions, longest_pause())

    def _claim_host(self) -> Work | None:
        lease = settings.current().lease_seconds
        return store.claim_host(self.name, store.now(), lease, self._regions, longest_pause())

    def _claim_run(self) -> Work | None:
        current, machine = settings.current(), self.signs.host
        times = (store.now(), current.lease_seconds, current.worker_silent_seconds)
        return store.claim_run(self.name, machine, *times, self._regions, longest_pause())

"""One pass in a thread of its own: over what, with which cloud, and what becomes of it."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from django.db import DatabaseError, InterfaceError

from .. import settings, store
from ..cloud import BUSY_SECONDS_MAX, Asked, Cloud
from ..cloud.shell import connect_shell
from ..core.bugs import AFTER_A_BUG, AFTER_A_BUG_MAX, bug, pause_after
from ..core.message import Message, lines, message, text
from ..core.states import DRAIN_TERMINAL
from ..exceptions import (
    CloudError,
    ConfigurationError,
    MaintenanceError,
    PassOver,
    Refused,
    StaleState,
)
from ..log import LOG, in_words, log_event
from ..observe.placement import Surroundings
from ..rolling.resting import Resting
from ..rolling.run import RunReconciler
from ..store import Drain, HostMaintenance, Run
from . import host as hosts
from . import outage
from .agenda import Agenda
from .drain import Reconciler
from .host import HostReconciler
from .housekeeping import (
    DATABASE_LOST,
    Apart,
    DatabaseOutage,
    Key,
    SignsOfLife,
    Witness,
    close_connections,
)
from .looks import Looks
from .metrics import Metrics, NoMetrics

#: What a pass is over.
Work = Drain | HostMaintenance | Run
_KINDS: dict[type, str] = {Drain: "drain", HostMaintenance: "host", Run: "run"}


@dataclass(eq=False)
class Pass:
    """One pass over a drain, a host in maintenance or a run, in a thread of its own."""

    of: Work
    began: float = field(default_factory=lambda: time.monotonic())
    thread: threading.Thread | None = None
    cloud: Cloud | None = None
    #: nobody waits for it any longer
    abandoned: bool = False
    #: its claim is released, or is about to be
    is_released: bool = False
    #: how it went, see `metrics.Metrics.pass_ended`
    result: str = "done"
    #: nothing is left to be done of it
    is_over: bool = False

    @property
    def key(self) -> Key:
        return (_KINDS[type(self.of)], self.of.pk)

    @property
    def region(self) -> str:
        return str(self.of.region)

    @property
    def name(self) -> Message:
        if isinstance(self.of, Drain):
            return message("drain_of", drain=self.of.pk, host=self.of.host)
        if isinstance(self.of, Run):
            return message("run_named", run=self.of.pk)
        return message("maintenance_of", host=self.of.host)

    @property
    def label(self) -> str:
        """For logs and threads."""
        kind, pk = self.key
        return f"{kind}-{pk}"

    @property
    def has_ended(self) -> bool:
        return self.is_over or (self.thread is not None and not self.thread.is_alive())

    def stop(self) -> None:
        if self.cloud is not None:
            self.cloud.stop()


@dataclass
class HeldClaim:
    """A claim to be released, once the database accepts that."""

    of: Work
    pause: float
    #: what is to be said of it first
    trouble: Message | None = None


class Clouds:
    """The sessions of a worker, one a region; they log in by themselves, and again when they
    must.

    :param tell: who is told of each request
    """

    def __init__(self, tell: Callable[[Asked], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._of: dict[str, Cloud] = {}
        self._asked: set[str] = set()

    def of(self, region: str) -> Cloud:
        """The cloud of a region.

        :raises Refused: the settings name no cloud for this region
        :raises ConfigurationError: clouds.yaml does not know it
        """
        with self._lock:
            if region not in self._of:
                self._of[region] = connect_shell(region)
                self._of[region].tell_of_requests(self._tell)
            return self._of[region]

    def is_first(self, region: str) -> bool:
        """Whether nobody has asked Nova yet what it can tell of servers: once a session."""
        with self._lock:
            first = region not in self._asked
            self._asked.add(region)
        return first

    def forget(self, region: str) -> None:
        """Begin its session anew."""
        with self._lock:
            self._of.pop(region, None)
            self._asked.discard(region)


class PassRunner:
    """Makes passes, and releases what they were about.

    :param name: the worker's
    :param stopping: set once the worker is to leave
    """

    def __init__(
        self,
        name: str,
        signs: SignsOfLife,
        database: DatabaseOutage,
        agenda: Agenda,
        stopping: threading.Event,
        metrics: Metrics | None = None,
    ):
        self.name = name
        self.machine = signs.host
        self.held_until: dict[int, float] = {}
        self.resting = Resting()
        self.metrics: Metrics = metrics or NoMetrics()
        self.signs = signs
        self.database = database
        self.agenda = agenda
        self.stopping = stopping
        self.witness = Witness()
        self.looks = Looks()
        self.surroundings = Surroundings()
        self.clouds = Clouds(self.metrics.asked)
        self.to_release: list[HeldClaim] = []

    def work(self, one: Pass) -> None:
        """One pass, in its thread: nothing that goes wrong in it leaves it."""
        pause = 0.0
        try:
            pause = self.try_it(one)
        except DATABASE_LOST as error:
            one.result = "problem"
            self.database.is_down(error)
            pause = settings.current().idle_seconds
        except Exception as error:
            # not even that the pass failed could be written down
            one.result = "bug"
            pause = AFTER_A_BUG_MAX
            LOG.exception("bug %s", one.name)
            self._remember(one, bug(one.name, in_words(error)))
        try:
            if not one.abandoned:
                one.is_released = True
                self.release(one.of, pause)
        except (DatabaseError, InterfaceError) as error:
            self.database.is_down(error)
            self.to_release.append(HeldClaim(one.of, pause))
        except Exception:
            # its lease ends by itself
            LOG.exception("bug release of=%s", one.label)
        finally:
            close_connections()
            one.is_over = True
            if not one.abandoned:
                self.metrics.pass_ended(one.key[0], one.result, time.monotonic() - one.began)
            self.agenda.ask_at_once()

    def try_it(self, one: Pass) -> float:
        """One pass; the seconds until the next one."""
        try:
            pause, problem, reconnect, failed = self._run(one)
        except (CloudError, ConfigurationError) as error:
            said = error.said
            one.result = "problem"
            if isinstance(error, CloudError):
                self.metrics.openstack(one.region, one.key, answers=False)
            log_event(logging.ERROR, "no_cloud", of=one.name, region=one.region, detail=said)
            pause, problem, reconnect = settings.current().idle_seconds, said, True
            failed = None
            self._tell(one.of, said)
        except PassOver as error:
            one.result = "overtaken"
            log_event(logging.INFO, "pass_over", of=one.name, detail=error)
            return 0.0
        except MaintenanceError as error:
            one.result = "overtaken" if isinstance(error, StaleState) else "problem"
            why = error.said if isinstance(error, Refused) else error
            log_event(logging.WARNING, "pass_given_up", of=one.name, detail=why)
            return settings.current().poll_seconds
        except DATABASE_LOST:
            raise
        except Exception as error:
            one.result = "bug"
            LOG.exception("bug %s", one.name)
            times = self.signs.count_bug(one.key)
            self._remember(one, bug(one.name, in_words(error)))
            self._tell(one.of, text(in_words(error)))
            return pause_after(times)
        self.signs.forget_bugs(one.key)
        wrong = [said for said in (failed, problem) if said is not None]
        self._remember(one, lines(*wrong) if wrong else None)
        if wrong and one.result != "bug":
            one.result = "problem"
        self.metrics.openstack(one.region, one.key, answers=problem is None)
        if reconnect:
            self.clouds.forget(one.region)
        return pause

    def _run(self, one: Pass) -> tuple[float, Message | None, bool, Message | None]:
        """The pause, the problem, whether a new session may help, and on what of it the worker
        fails."""
        cloud = self.cloud_for(one)

        def alive(of: Work) -> None:
            self.still_ours(one)

        if isinstance(one.of, Drain):
            known_for = self.witness.known_for
            by = Reconciler(
                *(cloud, self.name, store.now, alive, known_for, self.looks, self.surroundings),
                ended=partial(self.metrics.attempt_ended, one.region),
            )
            outcome = by.run_on(one.of)
            return outcome.pause_seconds, outcome.problem, outcome.reconnect, None
        if isinstance(one.of, Run):
            rolled = RunReconciler(
                *(cloud, self.name, self.machine, store.now, alive, self.held_until),
                acted=partial(self.metrics.action_ended, one.region),
                resting=self.resting,
            ).run(one.of)
            one.result = "bug" if rolled.had_bug else one.result
            return rolled.pause_seconds, rolled.problem, False, rolled.bug
        seen = HostReconciler(cloud, self.name, store.now, alive).run(one.of)
        return seen.pause_seconds, seen.problem, seen.reconnect, None

    def cloud_for(self, one: Pass) -> Cloud:
        """The cloud for one pass, which ends with it; Nova is asked once what it can tell of
        servers."""
        shared = self.clouds.of(one.region)
        first = self.clouds.is_first(one.region)
        one.cloud = shared.within(settings.current().pass_seconds, lambda: self.still_ours(one))
        if one.abandoned or self.stopping.is_set():
            one.stop()  # told to before there was anything to be told
        if first:
            shared.use_newest_of(one.cloud)
        return one.cloud

    def still_ours(self, one: Pass) -> None:
        """Called between the steps of a pass, and before each request for change: keeps the
        claim.

        :raises PassOver: it is lost, or the pass was abandoned
        """
        if one.abandoned:
            raise PassOver("it was abandoned")
        until = store.now() + timedelta(seconds=settings.current().lease_seconds)
        if not store.renew(one.of, self.name, until):
            raise PassOver("another worker has taken over, or it is over")

    def abandon(self, one: Pass, trouble: Message) -> None:
        """Nobody waits for it any longer: its claim is released, and what it does is void."""
        self.give_up(one)
        self.to_release.append(HeldClaim(one.of, AFTER_A_BUG, trouble))
        self.agenda.ask_at_once()

    def give_up(self, one: Pass) -> None:
        """What it does is void from now on; its claim is another one's."""
        one.abandoned = True
        one.stop()
        self.metrics.pass_ended(one.key[0], "abandoned", time.monotonic() - one.began)

    def release_held(self) -> None:
        """What could not be released when its pass was over. What a bug keeps from that is given
        up: its lease ends by itself, and the others are not to wait for it."""
        while self.to_release:
            one = self.to_release[0]
            apart, name = Apart(), f"release of={Pass(one.of).label}"
            if one.trouble is not None:
                apart.do(f"{name} (trouble)", partial(self._tell, one.of, one.trouble))
            apart.do(name, partial(self.release, one.of, one.pause))
            self.to_release.pop(0)

    def release(self, of: Work, pause: float) -> None:
        """Give it back, to be due again after a time. What is put off for longer than anything is
        would be taken for a clock's error."""
        pause = min(pause, longest_pause())
        at = store.now() + timedelta(seconds=pause)
        if isinstance(of, HostMaintenance):
            store.release_host(of, self.name, at)
        else:
            store.release(of, self.name, at)
        self.agenda.put_off(Pass(of).key, pause)

    def _remember(self, one: Pass, problem: Message | None) -> None:
        self.signs.remember(one.key, None if one.abandoned else problem)

    def _tell(self, of: Work, trouble: Message) -> None:
        """Say of a drain or a host, where it is shown, what keeps the worker from it."""
        now = store.now()
        # somebody else's change may be what it says by now
        with contextlib.suppress(StaleState):
            if isinstance(of, Drain):
                drain = store.drain(of.pk)
                if drain is not None and drain.state not in DRAIN_TERMINAL:
                    rows = list(store.migrations(drain))
                    failed = message("worker_failed", detail=trouble)
                    outage.in_trouble(drain, rows, failed, self.name, now)
            elif isinstance(of, Run):
                run = store.run(of.pk)
                if run is not None and run.finished_at is None:
                    failed = message("worker_failed_on_run", detail=trouble)
                    store.change_run(run, now, message=failed)
            else:
                found = store.maintenance(of.pk)
                if found is not None and found.closed_at is None:
                    failed = message("worker_failed_on_host", detail=trouble)
                    hosts.in_trouble(found, failed, self.name, now)


def longest_pause() -> float:
    """Seconds between two passes over the same drain or host, at most."""
    return max(
        settings.current().poll_seconds,
        settings.current().idle_seconds,
        settings.current().verify_seconds,
        AFTER_A_BUG_MAX,
        BUSY_SECONDS_MAX,
    )

"""What a worker does beside its passes: it reports that it is alive and what it fails on, watches
the clock and the database, and frees what dead workers hold."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial

from django.db import DatabaseError, InterfaceError, connections

from .. import store
from ..core.bugs import AFTER_A_BUG
from ..core.drain.outage import TROUBLES
from ..core.message import Message, holds, lines
from ..core.printable import one_line
from ..core.states import DRAIN_TERMINAL
from ..log import LOG, log_event
from ..store import InstanceMigration

#: A worker reports this often, in seconds.
REPORT_EVERY = 5
#: Workers that have been silent for so long are forgotten.
FORGET_AFTER = timedelta(days=7)
#: Attempts whose beginning a worker remembers; far more than can be in progress.
WITNESSED = 10_000
DATABASE_LOST = store.DATABASE_LOST

#: "drain", "host" or "run", and the id
Key = tuple[str, int]


class Apart:
    """Keeps a bug in what is done with one of several from the others: it is logged, and that one
    rests for a while."""

    def __init__(self) -> None:
        #: until when each rests, by the monotonic clock
        self._until: dict[str, float] = {}

    def do(
        self,
        name: str,
        act: Callable[[], None],
        of_all: tuple[type[Exception], ...] = DATABASE_LOST,
    ) -> bool:
        """What is to be done with one of them, unless it rests; whether it was done.

        :param name: of what, for the log
        :param of_all: what is no bug of one, and is raised: a database that is lost
        """
        if time.monotonic() < self._until.get(name, 0.0):
            return False
        try:
            act()
        except of_all:
            raise
        except Exception:
            LOG.exception("bug %s", name)
            self._until[name] = time.monotonic() + AFTER_A_BUG
            return False
        self._until.pop(name, None)
        return True


class SignsOfLife:
    """What a worker reports of itself.

    :param name: the worker's
    :param host: the machine that it runs on
    :param pid: its process there
    """

    def __init__(self, name: str, host: str, pid: int):
        self.name, self.host, self.pid = name, host, pid
        self.reported_at = 0.0
        self._lock = threading.Lock()
        #: by what the worker fails on: the problem
        self._problems: dict[Key, Message] = {}
        self._apart = Apart()
        #: how often in a row a pass ended in a bug
        self._bugs: dict[Key, int] = {}

    def remember(self, key: Key, problem: Message | None) -> None:
        """What keeps the worker from its work on something, or None: nothing does."""
        with self._lock:
            if problem is not None:
                self._problems[key] = problem
            else:
                self._problems.pop(key, None)

    def count_bug(self, key: Key) -> int:
        """How many passes in a row ended in a bug, this one among them."""
        with self._lock:
            self._bugs[key] = self._bugs.get(key, 0) + 1
            return self._bugs[key]

    def forget_bugs(self, key: Key) -> None:
        with self._lock:
            self._bugs.pop(key, None)

    def report(self, more: Iterable[Message]) -> None:
        """Write down that the worker is alive, now and then.

        :param more: problems beside those that were remembered
        """
        if time.monotonic() - self.reported_at < REPORT_EVERY:
            return
        self._forget_what_is_over()
        with self._lock:
            told = list(more)
            for one in self._problems.values():
                if one not in told:
                    told.append(one)
        problem = lines(*told) if told else None
        now = store.now()
        store.sign_of_life(self.name, self.host, self.pid, now, problem)
        store.forget_workers(now - FORGET_AFTER, now)
        self.reported_at = time.monotonic()

    def _forget_what_is_over(self) -> None:
        """Problems of what is over by now, or that another worker gets on with."""
        for key in list(self._problems):
            kind, pk = key
            self._apart.do(f"problem of={kind}-{pk}", partial(self._forget_if_over, key))

    def _forget_if_over(self, key: Key) -> None:
        if not _stays(*key):
            self.remember(key, None)
            self.forget_bugs(key)

    def release_the_dead(self) -> None:
        """Free what workers of this machine held whose process is gone, so that a restart does
        not wait for their leases. Should one be alive after all (another PID namespace), two
        work on the same drain for a pass, and the compare-and-set keeps them apart."""
        for worker in store.workers_of(self.host):
            release = partial(self._release_if_dead, worker)
            self._apart.do(f"release worker={worker.name}", release)

    def _release_if_dead(self, worker: store.Worker) -> None:
        if worker.pid == self.pid or not _runs(worker.pid):
            store.worker_stopped(worker.name, store.now())


def _stays(kind: str, pk: int) -> bool:
    """Whether a problem with a drain or a host is one still."""
    if kind == "run":
        run = store.run(pk)
        return run is not None and run.finished_at is None
    if kind == "host":
        found = store.maintenance(pk)
        return found is not None and found.closed_at is None
    drain = store.drain(pk)
    return (
        drain is not None
        and not drain.is_settled
        and (drain.state in DRAIN_TERMINAL or holds(drain.message, *TROUBLES))
    )


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class ClockWatch:
    """Compares the database's clock with our own monotonic one."""

    def __init__(self) -> None:
        #: the database's clock less our monotonic one, in seconds, at the last look
        self._offset: float | None = None

    def was_set_back(self) -> bool:
        """The database's clock is the one that counts, and may be set back: what it dated is then
        younger than it looks. Our own monotonic clock shows it."""
        offset = store.now().timestamp() - time.monotonic()
        before, self._offset = self._offset, offset
        if before is None or before - offset <= store.SLACK.total_seconds():
            return False
        log_event(logging.WARNING, "clock_set_back", seconds=f"{before - offset:.0f}")
        store.clock_was_set_back()
        return True


class Witness:
    """Knows since when this process has known of an attempt."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[int, int], float] = {}

    def known_for(self, row: InstanceMigration) -> float:
        """For how many seconds this process has known of this attempt, whatever the database's
        clock did meanwhile: one that is set ahead must not make a request on its way a lost one."""
        with self._lock:
            if len(self._seen) >= WITNESSED:
                self._seen.clear()  # it is waited for anew
            first = self._seen.setdefault((row.pk, row.attempts), time.monotonic())
        return time.monotonic() - first


class DatabaseOutage:
    """One line for each outage of the database, whoever notices it, and one when it is over.

    :param worker: the worker's name
    :param tell: who is told whether it answers, when that changes
    """

    def __init__(self, worker: str, tell: Callable[..., None] = lambda *, answers: None):
        self.worker = worker
        self.tell = tell
        self._lock = threading.Lock()
        self._since: float | None = None

    def is_down(self, error: Exception) -> None:
        with self._lock:
            first = self._since is None
            self._since = self._since or time.monotonic()
        if first:
            detail = one_line(error)
            log_event(logging.ERROR, "database_down", worker=self.worker, detail=detail)
            self.tell(answers=False)

    def is_back(self) -> None:
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            seconds = round(time.monotonic() - since)
            log_event(logging.INFO, "database_back", worker=self.worker, seconds=seconds)
            self.tell(answers=True)


def close_connections() -> None:
    """Those of this thread, whatever became of them."""
    with contextlib.suppress(DatabaseError, InterfaceError):
        connections.close_all()

"""What the database knows, as metrics: read when somebody asks for them."""

import logging
import math
import threading
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError
from prometheus_client.core import GaugeMetricFamily

from ... import settings, store
from ...core.printable import one_line
from ...core.run.holds import hold
from ...core.run.states import STAGES_IN_PROGRESS, RunState
from ...log import LOG, log_event
from ...store import Condition
from ..housekeeping import close_connections
from ..measured import OF_THE_DATABASE

#: What was read of the database is shown for so many seconds: however many ask, it is read so often
#: at most.
KEPT_SECONDS = 5.0
#: A read of the database is waited for so many seconds, and another one begun if it takes longer:
#: a database that hangs may never answer it.
PATIENCE = 5.0
#: Each read that hangs still doubles the time until another one is begun, up to so many seconds: it
#: has a thread and a connection.
PATIENCE_MAX = 3600.0


class FromDatabase:
    """What the database knows, read when somebody asks.

    :param name: the worker's
    """

    def __init__(self, name: str):
        self.name = name
        #: held for no longer than it takes to look
        self._lock = threading.Lock()
        self._read_at = -math.inf
        self._found: Condition | None = None
        self._failed = False
        self._reading: _Reading | None = None
        #: those that were given up, and have not ended
        self._hanging: list[_Reading] = []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = self._families()
        yield _family("database_up", [((), 0 if found is None else 1)])
        yield from found or ()

    def _families(self) -> list[GaugeMetricFamily] | None:
        """All or none, as one that lacks a host would tell something else. A bug costs nobody what
        the worker counted."""
        try:
            found = self._condition()
            return None if found is None else list(_families(found))
        except Exception:
            LOG.exception("bug metrics worker=%s", self.name)
            return None

    def _condition(self) -> Condition | None:
        """What was read of late; None: it cannot be read, or not in time."""
        with self._lock:
            if time.monotonic() - self._read_at < KEPT_SECONDS:
                return self._found
            reading = self._begun()
        reading.over.wait(max(PATIENCE - reading.age, 0.0))
        return reading.found

    def _begun(self) -> "_Reading":
        """The read that somebody waits for already, or a new one."""
        reading = self._reading
        if reading is not None:
            self._hanging = [one for one in self._hanging if not one.over.is_set()]
            if reading.age < min(PATIENCE * 2 ** len(self._hanging), PATIENCE_MAX):
                return reading
            self._hanging.append(reading)
        reading = _Reading()
        threading.Thread(
            target=self._read_into, args=(reading,), daemon=True, name="metrics-database"
        ).start()
        self._reading = reading  # before it ends: for that it needs the lock
        return reading

    def _read_into(self, reading: "_Reading") -> None:
        try:
            reading.found = self._read()
        finally:
            with self._lock:
                if self._reading is reading:  # not one that was given up
                    self._found, self._read_at = reading.found, time.monotonic()
                    self._reading = None
            reading.over.set()

    def _read(self) -> Condition | None:
        try:
            found = store.condition(store.now())
        except (DatabaseError, InterfaceError) as error:
            if not self._failed:
                detail = one_line(error)
                log_event(logging.WARNING, "no_condition", worker=self.name, detail=detail)
            self._failed = True
            return None
        except Exception:
            LOG.exception("bug metrics worker=%s", self.name)
            return None
        finally:
            close_connections()
        self._failed = False
        return found


class _Reading:
    """A read of the database, in a thread of its own."""

    def __init__(self) -> None:
        self.begun_at = time.monotonic()
        self.over = threading.Event()
        self.found: Condition | None = None

    @property
    def age(self) -> float:
        return time.monotonic() - self.begun_at


def _families(found: Condition) -> Iterator[GaugeMetricFamily]:
    read = settings.current()
    silent = found.now - timedelta(seconds=read.worker_silent_seconds)
    verified_after = found.now - timedelta(seconds=read.certificate_seconds)
    in_need: Tally[tuple[str, ...]] = Tally()
    instances: Tally[tuple[str, ...]] = Tally()
    overdue: dict[tuple[str, ...], float] = {}
    held: dict[tuple[str, ...], float] = {}
    for one in found.drains:
        at = (one.drain.region,)
        in_need[at] += one.in_need > 0
        instances[at] += one.in_need
        overdue[at] = max(overdue.get(at, 0.0), _since(one.due_since, found.now))
    for each in found.runs:
        run = each.run
        region = (run.region,)
        overdue[region] = max(overdue.get(region, 0.0), _since(each.due_since, found.now))
        if run.state == RunState.RUNNING and (why := hold(run.message)) is not None:
            reason = (run.region, why.value)
            held[reason] = max(held.get(reason, 0.0), _since(run.held_since, found.now))
    run_hosts: Tally[tuple[str, ...]] = Tally()
    for (of, stage), number in found.run_hosts_by.items():
        status = "under_way" if stage in STAGES_IN_PROGRESS else stage
        run_hosts[of, status] += number
    statuses: Tally[tuple[str, ...]] = Tally()
    ages, safe = [], []
    for host in found.hosts:
        kept = host.maintenance
        is_safe = store.is_safe(kept, verified_after)
        # what is drained and what is returned is not verified
        status = "safe" if is_safe else "not_safe"
        if host.verified_since is None:
            status = "returning" if kept.returning_since else "draining"
        else:
            ages.append(((kept.region, kept.host), _since(host.verified_since, found.now)))
        statuses[kept.region, status] += 1
        safe.append(((kept.region, kept.host), float(status == "safe")))
    workers = Tally({("well",): 0, ("problem",): 0, ("silent",): 0})
    for worker in found.workers:
        said = "problem" if worker.problem else "well"
        workers[("silent" if worker.seen_at < silent else said,)] += 1
    yield _family("drains", found.drains_by.items())
    yield _family("instances", found.instances_by.items())
    yield _family("drains_in_need", in_need.items())
    yield _family("instances_in_need", instances.items())
    yield _family("pass_overdue_seconds", overdue.items())
    yield _family("runs", found.runs_by.items())
    yield _family("run_hosts", run_hosts.items())
    left = [((of,), number) for of, number in found.left_failed.items()]
    yield _family("run_hosts_left_failed", left)
    yield _family("run_held_seconds", held.items())
    yield _family("hosts_in_maintenance", statuses.items())
    yield _family("certificate_age_seconds", ages)
    yield _family("host_safe", safe)
    yield _family("workers", workers.items())


def _since(at: datetime | None, now: datetime) -> float:
    return between(at, now) if at is not None else 0.0


def between(start: datetime, end: datetime) -> float:
    """Seconds; none where the database's clock was set back meanwhile."""
    return max((end - start).total_seconds(), 0.0)


def _family(name: str, samples: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
    one = OF_THE_DATABASE[name]
    family = GaugeMetricFamily(one.full_name, one.help, labels=one.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family

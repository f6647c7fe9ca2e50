"""The metrics of a worker, served for Prometheus over HTTP.

A registry of its own: nothing is global, and two workers in one process do not count for each
other. The server's threads touch nothing of the worker but its counters.
"""

import ipaddress
import logging
import math
import platform
import socket
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.db import DatabaseError, InterfaceError
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    make_wsgi_app,
)
from prometheus_client.core import GaugeMetricFamily

from .. import release, settings, store
from ..cloud import Asked
from ..core.printable import one_line
from ..core.run.holds import hold
from ..core.run.states import STAGES_UNDER_WAY, RunState
from ..core.states import Method, Result
from ..log import LOG, log_event
from ..store import Condition, InstanceMigration, RunAction
from . import measured
from .housekeeping import Key, close_connections
from .measured import OF_THE_DATABASE, OF_THE_WORKER, PREFIX

#: What was read of the database is shown for so many seconds: however many ask, it is read so often
#: at most.
KEPT_SECONDS = 5.0
#: A read of the database is waited for so many seconds, and another one begun if it takes longer:
#: a database that hangs may never answer it.
PATIENCE = 5.0
#: Each read that hangs still doubles the time until another one is begun, up to so many seconds: it
#: has a thread and a connection.
PATIENCE_MAX = 3600.0
#: So many connections are served at a time; others are closed.
CONNECTIONS = 8
#: A connection on which nothing comes is closed after so many seconds.
IDLE_SECONDS = 10.0
#: A pass that failed is followed by another one within so many seconds, or by none.
TROUBLE_LASTS = 700.0

_MAKE: dict[str, Any] = {
    measured.COUNTER: Counter,
    measured.GAUGE: Gauge,
    measured.HISTOGRAM: Histogram,
}


class PrometheusMetrics:
    """See :class:`metrics.Metrics`.

    :param name: the worker's
    """

    def __init__(self, name: str):
        self.name = name
        self.registry = CollectorRegistry()
        self._lock = threading.Lock()
        #: by region: of what the last pass failed for OpenStack's sake, and when
        self._in_trouble: dict[str, dict[Key, float]] = {}
        self._of: dict[str, Any] = {}
        for one in OF_THE_WORKER.values():
            if one.kind == measured.INFO:
                info = Info(PREFIX + one.name, one.help, registry=self.registry)
                info.info({"version": release.version(), "python": platform.python_version()})
                continue
            more = {"buckets": one.buckets} if one.buckets else {}
            self._of[one.name] = _MAKE[one.kind](
                PREFIX + one.name, one.help, one.labels, registry=self.registry, **more
            )
        ProcessCollector(registry=self.registry)
        self.registry.register(FromDatabase(name))
        self.database(answers=True)

    # -- what is counted ---------------------------------------------------------------------

    def asked(self, request: Asked) -> None:
        status = "none" if request.status is None else str(request.status)
        labels = (request.service, request.method, request.route, status)
        self._of["openstack_requests"].labels(*labels).inc()
        self._of["openstack_request_duration_seconds"].labels(request.service).observe(
            request.seconds
        )

    def pass_ended(self, kind: str, result: str, seconds: float) -> None:
        self._of["passes"].labels(kind, result).inc()
        self._of["pass_duration_seconds"].labels(kind).observe(seconds)
        self._of["last_pass_timestamp_seconds"].labels(kind).set_to_current_time()

    def attempt_ended(self, region: str, row: InstanceMigration) -> None:
        attempt = row.attempt
        method = attempt.method or row.method
        labels = (region, method, attempt.result)
        self._of["migrations"].labels(*labels).inc()
        if attempt.submitted_at and attempt.ended_at:
            seconds = _between(attempt.submitted_at, attempt.ended_at)
            self._of["migration_duration_seconds"].labels(*labels).observe(seconds)
        if attempt.result == Result.SUCCEEDED and method != Method.CONFIRM:  # which moves nothing
            moved = self._of["moved_bytes"]
            moved.labels(region, "memory").inc(row.memory_bytes)
            moved.labels(region, "local_disk").inc(row.local_disk_bytes)

    def action_ended(self, region: str, tried: RunAction) -> None:
        labels = (region, tried.name, tried.state)
        self._of["actions"].labels(*labels).inc()
        if tried.ended_at:
            seconds = _between(tried.started_at, tried.ended_at)
            self._of["action_duration_seconds"].labels(*labels).observe(seconds)

    def openstack(self, region: str, key: Key, *, answers: bool) -> None:
        with self._lock:
            in_trouble = self._in_trouble.setdefault(region, {})
            is_new = not answers and not self._is_out(region)
            if answers:
                in_trouble.pop(key, None)
            else:
                in_trouble[key] = time.monotonic()
        counted = self._of["outages"].labels("openstack", region)
        self._of["outage"].labels("openstack", region).set_function(
            lambda: float(self._is_out(region))
        )
        if is_new:
            counted.inc()

    def _is_out(self, region: str) -> bool:
        """Whether the last pass over anything in a region failed. What is over by now, whatever
        was its trouble, is not passed again."""
        latest = time.monotonic() - TROUBLE_LASTS
        return any(at > latest for at in list(self._in_trouble.get(region, {}).values()))

    def database(self, *, answers: bool) -> None:
        counted = self._of["outages"].labels("database", "")
        self._of["outage"].labels("database", "").set(0 if answers else 1)
        if not answers:
            counted.inc()

    # -- how it is served --------------------------------------------------------------------

    def serve(self, address: str, port: int) -> Callable[[], None]:
        """Serve them until the function that is returned is called.

        :raises OSError: the address is none of this machine, or the port is taken
        :raises ValueError: it is no address
        """
        server = _Server((address, port), _Handler)
        server.set_app(make_wsgi_app(self.registry))
        thread = threading.Thread(target=server.serve_forever, daemon=True, name="metrics")
        thread.start()
        self.port = server.server_address[1]

        def close() -> None:
            server.shutdown()
            server.server_close()

        return close


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
        found = self._condition()
        yield _family("database_up", [((), 0 if found is None else 1)])
        if found is not None:
            yield from _families(found)

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
        status = "under_way" if stage in STAGES_UNDER_WAY else stage
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
    return _between(at, now) if at is not None else 0.0


def _between(start: datetime, end: datetime) -> float:
    """Seconds; none where the database's clock was set back meanwhile."""
    return max((end - start).total_seconds(), 0.0)


def _family(name: str, samples: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
    one = OF_THE_DATABASE[name]
    family = GaugeMetricFamily(one.full_name, one.help, labels=one.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a connection, and so many of them at most; none keeps the worker from its end."""

    daemon_threads = True

    def __init__(self, where: tuple[str, int], handler: type[WSGIRequestHandler]):
        if ipaddress.ip_address(where[0]).version == 6:
            self.address_family = socket.AF_INET6
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(where, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # there is no thread for it
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def server_bind(self) -> None:
        # HTTPServer's asks the resolver for a name, which may take long
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody went away, or sent what is no HTTP."""


class _Handler(WSGIRequestHandler):
    timeout = IDLE_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        pass

"""The metrics of a worker, served for Prometheus over HTTP.

A registry of its own: nothing is global, and two workers in one process do not count for each
other. The server's threads touch nothing of the worker but its counters.
"""

import platform
import threading
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    make_wsgi_app,
)

from ... import release
from ...cloud import Asked
from ...core.states import Method, Result
from ...store import InstanceMigration, RunAction
from .. import measured
from ..housekeeping import Key
from ..measured import OF_THE_WORKER, PREFIX
from .from_database import FromDatabase, between
from .server import serve

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
            seconds = between(attempt.submitted_at, attempt.ended_at)
            self._of["migration_duration_seconds"].labels(*labels).observe(seconds)
        if attempt.result == Result.SUCCEEDED and method != Method.CONFIRM:  # which moves nothing
            moved = self._of["moved_bytes"]
            moved.labels(region, "memory").inc(row.memory_bytes)
            moved.labels(region, "local_disk").inc(row.local_disk_bytes)

    def action_ended(self, region: str, tried: RunAction) -> None:
        labels = (region, tried.name, tried.state)
        self._of["actions"].labels(*labels).inc()
        if tried.ended_at:
            seconds = between(tried.started_at, tried.ended_at)
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
        self.port, close = serve(make_wsgi_app(self.registry), address, port)
        return close

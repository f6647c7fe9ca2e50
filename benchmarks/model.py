"""Drains in a time of their own: the product's passes and database, a model of Nova, and no clock.

What a real Nova on a machine that is busy with other things cannot tell apart is plain here: how
many requests a drain costs, and how much of its length is waiting. Each request takes
`REQUEST_SECONDS`; those that are made side by side take no time of their own.
"""

import heapq
import logging
import resource
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from unittest import mock

from django.conf import settings as django_settings
from django.db import connection

from tests.worker import fake_nova
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.facts import Action, Server, Service
from ukcloud_maintenance.core.preflight.judge import judge
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.log import LOG
from ukcloud_maintenance.models import Drain
from ukcloud_maintenance.observe import placement
from ukcloud_maintenance.worker import looks
from ukcloud_maintenance.worker.agenda import SLACK
from ukcloud_maintenance.worker.drain import Reconciler
from ukcloud_maintenance.worker.loop import THREADS

REQUEST_SECONDS = 0.05
_TICK = 0.1


class Nova(fake_nova.FakeNova):
    """A host of its own, and a time that goes on with each request."""

    def __init__(self, host: str, limit: int, request_seconds: float = REQUEST_SECONDS):
        self.host, self.request_seconds = host, request_seconds
        super().__init__(limit=limit)
        self.the_service = Service(f"svc-{host}", host, "az1", "up", "enabled")
        self.requests = 0
        self.last_arrival = self.now
        self.first_post: datetime | None = None
        #: how many ran, each tick, while more waited to be moved
        self.full, self.ticks = 0, 0

    def add(self, name: str, status: str = "ACTIVE", memory: int = fake_nova.GIB) -> Server:
        self.all[name] = Server(
            name, name, self.host, status, status.lower(), None, memory_bytes=memory
        )
        self.done[name] = [Action(f"create-{name}", "create", "owner", self.now)]
        return self.all[name]

    def _call(self) -> None:
        super()._call()
        if threading.current_thread() is threading.main_thread():
            self.go_on(self.request_seconds)
        self.requests += 1

    def _migrate(self, server_id: str, host: str | None, record: str, action: str) -> str:
        self.first_post = self.first_post or self.now
        self.requests -= 1  # it is counted as it comes and as it goes
        return super()._migrate(server_id, host or f"beside-{self.host}", record, action)

    def disable_service(self, service_id: str, reason: str) -> str:
        self.requests -= 1  # so is this
        return super().disable_service(service_id, reason)

    def aggregates(self) -> list[Any]:
        self._call()
        return super().aggregates()

    def clock(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> None:
        """Time goes by."""
        while seconds > 1e-6:
            step = min(_TICK, seconds)
            self.tick(step)
            seconds -= step
            left = sum(s.host == self.host for s in self.all.values())
            self.last_arrival = self.now if left else self.last_arrival
            if self.first_post and left > self.limit:
                self.ticks += 1
                self.full += sum(r.status == "running" for r in self.records) >= self.limit


def drained(
    sizes: list[int],
    at_once: int,
    limit: int,
    seconds: float,
    *,
    workers: int = 1,
    hosts: list[str] | None = None,
    each_pass: Callable[[Drain, Nova], None] = lambda drain, nova: None,
    request_seconds: float = REQUEST_SECONDS,
) -> dict[str, Any]:
    """Drain hosts at once, and tell how that went.

    :param sizes: instances of each host
    :param limit: how many Nova runs at once
    :param seconds: that a copy takes
    """
    novas, drains = {}, {}
    hosts = hosts or [f"source-{next(_NUMBER)}" for _ in sizes]
    with mock.patch.object(fake_nova, "COPY", seconds):
        for host, size in zip(hosts, sizes, strict=True):
            nova = Nova(host, limit, request_seconds)
            for number in range(size):
                nova.add(f"{host}-{next(_NUMBER)}-{number}")
            drain = _ask(nova, at_once)
            novas[drain.pk], drains[drain.pk] = nova, drain
        passes = _work(novas, THREADS * workers, each_pass)
    begun = fake_nova.START
    moved = max(nova.last_arrival for nova in novas.values())
    ended = [(nova.now - begun).total_seconds() for nova in novas.values()]
    ideal = max(sizes) * seconds / min(at_once, limit)
    firsts = [n.first_post for n in novas.values() if n.first_post is not None]
    total = sum(sizes)
    return {
        "states": sorted({store.state_of(d) or "" for d in drains.values()}),
        "drains": len(sizes),
        "instances": total,
        "at_once": at_once,
        "nova_runs": limit,
        "length_seconds": max(ended),
        "ideal_seconds": ideal,
        "ratio": max(ended) / ideal,
        "ratio_to_last_arrival": (moved - begun).total_seconds() / ideal,
        "to_first_request_seconds": max((f - begun).total_seconds() for f in firsts),
        "pipe_full_share": min(n.full / max(n.ticks, 1) for n in novas.values()),
        "most_running": max(n.most_running for n in novas.values()),
        "passes": passes,
        "requests_per_instance": sum(n.requests for n in novas.values()) / total,
    }


def _ask(nova: Nova, at_once: int) -> Drain:
    found = list(nova.all.values())
    return store.create_drain(
        region="RegionOne",
        host=nova.host,
        service_id=nova.the_service.id,
        reason="benchmark",
        max_concurrent=at_once,
        destination="",
        actor_id="u1",
        actor="admin",
        planned=[store.Entry(one, judge(one)) for one in found],
        project_names={},
        now=nova.now,
    )


def _work(novas: dict[int, Nova], lanes: int, each_pass: Callable[[Drain, Nova], None]) -> int:
    """Passes, as a worker with so many threads makes them; how many there were."""
    due = [(fake_nova.START, pk) for pk in novas]
    free = [fake_nova.START] * lanes
    passes, memory, around = 0, looks.Looks(), placement.Surroundings()
    while due:
        at, pk = heapq.heappop(due)
        start = max(at, heapq.heappop(free))
        nova = novas[pk]
        nova.go_on((start - nova.now).total_seconds())
        drain = store.drain(pk)
        assert drain is not None
        clock = mock.Mock(monotonic=nova.now.timestamp)
        work = Reconciler(nova, "worker", nova.clock, looks=memory, surroundings=around)
        with mock.patch.object(looks, "time", clock), mock.patch.object(placement, "time", clock):
            outcome = work.run_on(drain)
        passes += 1
        each_pass(drain, nova)
        heapq.heappush(free, nova.now)
        if store.state_of(drain) not in DRAIN_TERMINAL:
            pause = timedelta(seconds=outcome.pause_seconds + SLACK)
            heapq.heappush(due, (nova.now + pause, pk))
    return passes


_NUMBER = count(1)


def _settings(**more: Any) -> Any:
    chosen = {"CLOUD": "worker", "MAX_IN_REGION": 100, "MAX_PER_DESTINATION": 100, **more}
    return mock.patch.object(django_settings, "UKCLOUD_MAINTENANCE", chosen)


def one_host(scale: float) -> dict[str, Any]:
    """12 instances of 6 s: one at a time, three, three where Nova would run ten; then again, where
    Nova's limit is known. And a host with 36, of which the beginning and the end are less."""
    many = max(int(36 * scale), 1)
    with _settings():
        return {
            f"{title}{at_once} of {limit}{again}": drained([size], at_once, limit, 6, hosts=[host])
            for title, size, at_once, limit in (
                *(("", 12, 1, 1), ("", 12, 3, 3), ("", 12, 3, 10)),
                *(("36 instances, ", many, 1, 1), ("36 instances, ", many, 3, 3)),
            )
            for host in [f"source-{next(_NUMBER)}"]
            for again in ("", ", known")
        }


def many_on_one_host(scale: float) -> dict[str, Any]:
    """300 instances, 20 at once; the forecast from a tenth of the way on."""
    size, seconds = int(300 * scale), 30
    told: list[tuple[datetime, float]] = []

    def listen(drain: Drain, nova: Nova) -> None:
        rows = list(store.migrations(drain))
        left = sum(row.state == "succeeded" for row in rows)
        with mock.patch.object(store, "now", nova.clock):
            found = services.reports.forecast_of(drain, rows)
        if found is not None and left >= size / 10 and left < size:
            told.append((nova.now, found.likely))

    with _settings():
        found = drained([size], 20, 20, seconds, each_pass=listen)
    end = fake_nova.START + timedelta(seconds=found["length_seconds"])
    # the last tenth is seconds, which no forecast is asked for
    ratios = [
        likely / (end - at).total_seconds()
        for at, likely in told
        if (end - at).total_seconds() > found["length_seconds"] / 10
    ]
    return {
        **found,
        "forecast_least": min(ratios, default=None),
        "forecast_most": max(ratios, default=None),
    }


def many_drains(scale: float) -> dict[str, Any]:
    """50 drains of 20 instances at once, by one worker, and by three."""
    with _settings():
        return {
            f"{workers} workers": drained([20] * int(50 * scale), 1, 1, 20, workers=workers)
            for workers in (1, 3)
        }


def endurance(scale: float) -> dict[str, Any]:
    """10,000 migrations by one process: memory, and what is written for each."""
    size, rounds = 100, int(100 * scale)
    memory, log = [], _Counter()
    with _settings(), mock.patch("ukcloud_maintenance.log.LOG.handle", log.count):
        LOG.setLevel(logging.INFO)
        before = _database_bytes()
        for _ in range(rounds):
            drained([size], 10, 10, 2)
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        written = _database_bytes() - before
    half = memory[len(memory) // 2]
    return {
        "migrations": size * rounds,
        "memory_mib_half_way": half,
        "memory_mib_at_the_end": memory[-1],
        "log_bytes_per_instance": log.bytes / (size * rounds),
        "database_bytes_per_instance": written / (size * rounds),
    }


class _Counter:
    """Counts the bytes of what is logged."""

    def __init__(self) -> None:
        self.bytes = 0

    def count(self, record: Any) -> None:
        self.bytes += len(record.getMessage()) + len("2026-01-01 00:00:00,000 INFO ") + 1


def _database_bytes() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        [pages] = cursor.fetchone()
        cursor.execute("PRAGMA page_size")
        [size] = cursor.fetchone()
    return int(pages) * int(size)


ROWS: dict[str, Callable[[float], dict[str, Any]]] = {
    "model-one-host": one_host,
    "model-300-on-one-host": many_on_one_host,
    "model-50-drains": many_drains,
    "model-10000-migrations": endurance,
}

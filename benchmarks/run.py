"""How the costs grow: `python -m benchmarks.run`; the pages of a large region beside Horizon's own,
as JSON: `python -m benchmarks.run region`.

Milliseconds are of processor time, and depend on the machine; what is to be looked at is the
column of ratios, which compares lines of one run. A cost that is linear in the size grows by
the ratio of the sizes, one that does not depend on it stays at 1.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import django

from . import hosts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: each cost is measured for so long, in seconds; its cheapest run counts
MEASURE_SECONDS = float(os.environ.get("BENCHMARK_SECONDS", "1"))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
        os.environ.setdefault("TEST_DATABASE_URL", f"sqlite:///{folder}/benchmark.sqlite3")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        pages_that_poll()
        hosts_page()
        claims()
        decisions()
        the_past()


def report(title: str, costs: dict[str, Callable[[], Any]]) -> None:
    """A table of costs; ratios are to the first line."""
    print(f"\n{title}\n{'':40}{'ms':>10}{'ratio':>8}")
    first = 0.0
    for name, function in costs.items():
        seconds = _cheapest(function)
        first = first or seconds
        print(f"{name:40}{seconds * 1000:10.3f}{seconds / first:8.1f}")


def _cheapest(function: Callable[[], Any]) -> float:
    function()  # warm caches and lazy imports
    best, end = float("inf"), time.perf_counter() + MEASURE_SECONDS
    while time.perf_counter() < end:
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return best


def pages_that_poll() -> None:
    """What the drain page asks for every 2 s: nothing new, and everything new."""
    from ukcloud_maintenance import services, store
    from ukcloud_maintenance.content.maintenance.drains import overview as progress
    from ukcloud_maintenance.content.maintenance.drains import table
    from ukcloud_maintenance.core.actor import Actor

    actor = Actor("u1", "admin", may=lambda rule: True)

    def unchanged(drain_id: int) -> None:
        revision = store.revision(drain_id)
        assert revision is not None
        progress.token(revision, services.worker_status(actor))

    def changed(drain_id: int) -> str:
        found = services.drain_report(actor, drain_id)
        rows = [row.as_json() for row in table.rows(found, actor)]
        return json.dumps({"rows": rows, "parts": progress.parts(found, actor)})

    drains = {number: _drain(f"polled-{number}", number) for number in (10, 100, 1000)}
    report(
        "a drain page's request for updates",
        {f"nothing new, {n} instances": partial(unchanged, pk) for n, pk in drains.items()}
        | {f"something new, {n} instances": partial(changed, pk) for n, pk in drains.items()},
    )


def hosts_page() -> None:
    """Reading Nova's two lists and sorting them by host, without the network."""
    from tests.fakes import FakeCloud
    from ukcloud_maintenance.cloud import Cloud
    from ukcloud_maintenance.content.maintenance.common.formats import natural_key

    class Recorded(Cloud):
        """Answers as Nova would, from JSON text."""

        def __init__(self, hosts: int):
            super().__init__(FakeCloud().session, "RegionOne")
            names = [f"cmp{number}" for number in range(hosts)]
            services = [
                {"id": name, "host": name, "zone": "az1", "status": "enabled", "state": "up"}
                for name in names
            ]
            hypervisors = [
                {
                    **{"id": name, "hypervisor_hostname": name, "service": {"host": name}},
                    **{"vcpus": 64, "vcpus_used": 9, "memory_mb": 524288, "memory_mb_used": 9999},
                }
                for name in names
            ]
            self.answers = {
                "/os-services": json.dumps({"services": services}),
                "/os-hypervisors": json.dumps({"hypervisors": hypervisors}),
            }

        def _get(self, what: str, path: str, microversion: str = "") -> Any:
            return next(
                json.loads(text) for start, text in self.answers.items() if path.startswith(start)
            )

    def work(cloud: Cloud) -> None:
        sorted(cloud.hosts(), key=lambda found: natural_key(found.host))

    report(
        "the hosts page's work on Nova's answers",
        {f"{n} hosts": partial(work, Recorded(n)) for n in (50, 200, 1000)},
    )


def claims() -> None:
    """A worker takes a drain and gives it back, among many that are open."""
    from ukcloud_maintenance import store

    def take() -> None:
        drain = store.claim("benchmark", NOW, 60)
        assert drain is not None
        store.release(drain, "benchmark", NOW)

    def among(number: int) -> Callable[[], None]:
        for index in range(store.drains().count(), number):
            _drain(f"claimed-{index}", 0)
        return take

    # Measured one after the other, because each needs its own number of open drains.
    print(f"\na claim and a release\n{'':40}{'ms':>10}{'ratio':>8}")
    first = 0.0
    for number in (10, 100, 1000):
        seconds = _cheapest(among(number))
        first = first or seconds
        print(f"{f'{number} drains open':40}{seconds * 1000:10.3f}{seconds / first:8.1f}")


def decisions() -> None:
    """What a pass of the worker thinks, without what it reads and writes."""
    from tests.core import build

    def think(number: int) -> Callable[[], Any]:
        names = [f"web-{index}" for index in range(number)]
        rows = [build.row(name, id=index) for index, name in enumerate(names)]
        return partial(build.decide, build.drain(), rows, build.seen(*map(build.server, names)))

    report("one decision", {f"{n} instances": think(n) for n in (10, 100, 1000)})


def the_past() -> None:
    """What every pass asks the database about the whole region, as the record grows."""
    from datetime import timedelta

    from ukcloud_maintenance import store
    from ukcloud_maintenance.models import Attempt, InstanceMigration

    def remember(number: int) -> None:
        drain_id = _drain(f"past-{number}", 0)
        InstanceMigration.objects.bulk_create(
            (
                InstanceMigration(
                    drain_id=drain_id,
                    server_id=f"{number}-{index}",
                    server_name="past",
                    state="succeeded",
                    method="live",
                    memory_bytes=2**30,
                    source_compute="past",
                    finished_at=NOW + timedelta(seconds=10 + index % 50),
                    created_at=NOW,
                    updated_at=NOW,
                )
                for index in range(number)
            ),
            batch_size=500,
        )
        Attempt.objects.bulk_create(
            (
                Attempt(
                    migration=row,
                    number=1,
                    method="live",
                    running_since=NOW,
                    ended_at=row.finished_at,
                    result="succeeded",
                )
                for row in InstanceMigration.objects.filter(drain_id=drain_id)
            ),
            batch_size=500,
        )

    # Measured one after the other, because the record grows.
    print(f"\nthe region's past, by what is on record\n{'':40}{'ms':>10}{'ratio':>8}")
    first: dict[str, float] = {}
    for number in (100, 1000, 10000):
        remember(number)
        for title, function in {
            "what is under way": partial(store.traffic, "RegionOne"),
            "how fast it was": partial(store.learned_rate, "RegionOne"),
        }.items():
            seconds = _cheapest(function)
            ratio = seconds / first.setdefault(title, seconds)
            print(f"{f'{title}, {number}':40}{seconds * 1000:10.3f}{ratio:8.1f}")


def _drain(host: str, instances: int) -> int:
    """An open drain in the database; its number."""
    from tests.fakes import server
    from ukcloud_maintenance import store
    from ukcloud_maintenance.core.preflight.judge import judge

    found = [server(f"{host}-{index}", host) for index in range(instances)]
    return store.create_drain(
        region="RegionOne",
        host=host,
        service_id="s",
        reason="benchmark",
        max_concurrent=2,
        destination="",
        actor_id="u1",
        actor="admin",
        planned=[(one, judge(one)) for one in found],
        project_names={},
        now=NOW,
    ).pk


if __name__ == "__main__":
    if sys.argv[1:] == ["region"]:
        hosts.main()
    else:
        main()

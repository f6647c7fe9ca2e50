"""How the costs grow: `python -m benchmarks.run`, with `--json FILE` for a program too. How quick
drains are: `--pace`, see there; how evenly instances land: `spread`; the pages of a large region
beside Horizon's own, as JSON: `region`.

Milliseconds are of processor time, and depend on the machine; what is to be looked at is the
column of ratios, which compares lines of one run. A cost that is linear in the size grows by
the ratio of the sizes, one that does not depend on it stays at 1.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any

import django

from ukcloud_maintenance.core.backports import UTC

from . import hosts, spread

NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: each cost is measured for so long, in seconds; its cheapest run counts
MEASURE_SECONDS = float(os.environ.get("BENCHMARK_SECONDS", "1"))
#: of a drain, a queue or a record; where nothing is to be measured, what shows that it could be
SIZES = (10, 100, 1000) if MEASURE_SECONDS else (10, 20, 30)
#: what was measured, by the titles of the tables: milliseconds by line, or what `watching` tells
RESULTS: dict[str, dict[str, Any]] = {}


def main() -> None:
    if sys.argv[1:2] == ["--pace"]:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
        django.setup()
        from benchmarks import pace

        pace.main(sys.argv[2:])
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
        os.environ.setdefault("TEST_DATABASE_URL", f"sqlite:///{folder}/benchmark.sqlite3")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        if sys.argv[1:2] == ["spread"]:
            spread.main(sys.argv[2:])
            return
        pages_that_poll()
        hosts_page()
        claims()
        idle_workers()
        decisions()
        packings()
        the_past()
        many_watch()
    if sys.argv[1:2] == ["--json"]:
        with open(sys.argv[2], "w") as file:
            json.dump(RESULTS, file, indent=1)


def report(title: str, costs: dict[str, Callable[[], Any]]) -> None:
    """A table of costs; ratios are to the first line."""
    table(title, ((name, _cheapest(function)) for name, function in costs.items()))


def table(title: str, seconds: Iterable[tuple[str, float]]) -> None:
    """The same of what is measured while it is asked for, one line after the other."""
    print(f"\n{title}\n{'':40}{'ms':>10}{'ratio':>8}")
    found = RESULTS.setdefault(title, {})
    for name, cost in seconds:
        found[name] = cost * 1000
        print(f"{name:40}{found[name]:10.3f}{found[name] / next(iter(found.values())):8.1f}")


def _cheapest(function: Callable[[], Any]) -> float:
    function()  # warm caches and lazy imports
    best, end = float("inf"), time.perf_counter() + MEASURE_SECONDS
    while True:
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
        if time.perf_counter() >= end:
            return best


def pages_that_poll() -> None:
    """What the drain page asks for: nothing new, one row new, and all of it."""
    from ukcloud_maintenance import services, store
    from ukcloud_maintenance.content.maintenance.drains import mark, overview, table
    from ukcloud_maintenance.content.maintenance.drains.offers import Offers
    from ukcloud_maintenance.core.actor import Actor

    actor = Actor("u1", "admin", may=lambda rule: True)

    def unchanged(drain_id: int) -> None:
        worker = services.worker_status(actor)
        mark.mark(services.get_drain(actor, drain_id, outline=True), worker)

    def changed(drain_id: int, since: int) -> str:
        offers = Offers(actor)
        found = services.drain_report(actor, drain_id, since)
        rows = [row.as_json() for row in table.rows(found, offers)]
        return json.dumps({"rows": rows, "parts": overview.parts(found, offers)})

    drains = {number: make_drain(f"polled-{number}", number) for number in SIZES}
    for drain_id in drains.values():
        [row, *_others] = store.migrations(services.get_drain(actor, drain_id))
        store.change_migration(row, NOW, note="changed")
    report(
        "a drain page's request for updates",
        {f"nothing new, {n} instances": partial(unchanged, pk) for n, pk in drains.items()}
        | {f"one row new, {n} instances": partial(changed, pk, 1) for n, pk in drains.items()}
        | {f"all of it, {n} instances": partial(changed, pk, 0) for n, pk in drains.items()},
    )


def many_watch() -> None:
    """A drain that is watched by fifty admins: what a poll costs, and what is asked of Nova."""
    from benchmarks import watching

    title = "a drain that is watched"
    found = watching.measure(50 if MEASURE_SECONDS else 2)
    RESULTS[title] = found
    print(f"\n{title}")
    for name, value in found.items():
        print(f"{name.replace('_', ' '):40}{round(value, 3):10}")


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
            if "&marker=" in path:
                return {"hypervisors": []}
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
            make_drain(f"claimed-{index}", 0)
        return take

    # Measured one after the other, because each needs its own number of open drains.
    table(
        "a claim and a release",
        ((f"{number} drains open", _cheapest(among(number))) for number in SIZES),
    )


def idle_workers() -> None:
    """What a hundred workers that have nothing to do ask of the database in one second."""
    from ukcloud_maintenance import store
    from ukcloud_maintenance.models import Drain

    def look() -> None:
        for _ in range(100):
            assert not store.is_requested(NOW, 60, None)

    def beside(number: int) -> Callable[[], None]:
        for index in range(store.drains().count(), number):
            make_drain(f"over-{index}", 0)
        Drain.objects.update(state="succeeded", open_key=None)
        return look

    table(
        "a second of a hundred idle workers",
        ((f"{number} drains that are over", _cheapest(beside(number))) for number in SIZES),
    )


def decisions() -> None:
    """What a pass of the worker thinks, without what it reads and writes."""
    from tests.core import build

    def think(number: int) -> Callable[[], Any]:
        names = [f"web-{index}" for index in range(number)]
        rows = [build.row(name, id=index) for index, name in enumerate(names)]
        return partial(build.decide, build.drain(), rows, build.seen(*map(build.server, names)))

    report("one decision", {f"{n} instances": think(n) for n in SIZES})


def packings() -> None:
    """Where the instances of a drain go: worked out before each of them is sent."""
    from ukcloud_maintenance.core.facts import Capacity
    from ukcloud_maintenance.core.preflight.board import Item
    from ukcloud_maintenance.core.preflight.needs import Needs
    from ukcloud_maintenance.core.preflight.packing import pack

    def among(hosts: int, full: int, instances: int = 30) -> Callable[[], Any]:
        names = tuple(f"cmp{n}" for n in range(hosts))
        total = {"MEMORY_MB": 2**19, "VCPU": 256}
        room = {
            name: Capacity(total, {"MEMORY_MB": 2**19 * (full - n % 10) // 100})
            for n, name in enumerate(names)
        }
        sizes = (2048, 4096, 8192, 16384, 32768)
        items = [
            Item(f"s{n}", Needs({"MEMORY_MB": sizes[n % 5], "VCPU": 1 + n % 3}), names)
            for n in range(instances)
        ]
        return partial(pack, items, room)

    report(
        "30 instances are packed",
        {
            f"{hosts} hosts, {full} % full": among(hosts, full)
            for hosts in (4, 20, 100, 1000)
            for full in (30, 95)
        },
    )


def the_past() -> None:
    """What every pass asks the database about the whole region, as the record grows."""
    from datetime import timedelta

    from ukcloud_maintenance import store
    from ukcloud_maintenance.models import Attempt, InstanceMigration

    def remember(number: int) -> None:
        drain_id = make_drain(f"past-{number}", 0)
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
    title_of_all = "the region's past, by what is on record"
    print(f"\n{title_of_all}\n{'':40}{'ms':>10}{'ratio':>8}")
    first: dict[str, float] = {}
    for number in (10 * size for size in SIZES):
        remember(number)
        for title, function in {
            "what is under way": partial(store.traffic, "RegionOne"),
            "how fast it was": partial(store.learned_rate, "RegionOne"),
        }.items():
            seconds = _cheapest(function)
            ratio = seconds / first.setdefault(title, seconds)
            RESULTS.setdefault(title_of_all, {})[f"{title}, {number}"] = seconds * 1000
            print(f"{f'{title}, {number}':40}{seconds * 1000:10.3f}{ratio:8.1f}")


def make_drain(host: str, instances: int) -> int:
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

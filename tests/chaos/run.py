"""One run: starts everything, lets the faults happen, waits for the end, and judges."""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.db import connections

from tests.chaos import clock, invariants, records
from tests.chaos.faults import Director, Operator, Others
from tests.chaos.proxy import Proxy
from tests.databases import Server
from tests.worker import driving
from ukcloud_maintenance import models, services, store
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.demo.config import FAST, MIB, HostSpec
from ukcloud_maintenance.demo.harness import DemoCloud
from ukcloud_maintenance.messages import english

#: Short waits, and yet in the proportion that the defaults have.
SETTINGS = driving.SETTINGS | {
    "API_TIMEOUT_SECONDS": 6,
    "SUBMIT_GRACE_SECONDS": 20,
    "MAX_ATTEMPTS": 4,
    "VERIFY_SECONDS": 5,
    "HOST_DOWN_WAIT_SECONDS": 40,
    "CANCEL_WAIT_SECONDS": 30,
    "BLOCKED_WAIT_SECONDS": 10,
    "LATE_MIN_SECONDS": 15,
    "TIMEOUT_MIN_SECONDS": 90,
    "TIMEOUT_SECONDS_PER_GIB": 150,
}
CERTIFICATE_SECONDS = 3 * SETTINGS["VERIFY_SECONDS"]
HOSTS = tuple(HostSpec(f"cmp{n}", "az1") for n in range(1, 7))
CLOUD = dataclasses.replace(
    FAST, hosts=HOSTS, copy_bytes_per_second=200 * MIB, max_concurrent_live_migrations=2
)
SERVERS = 14
#: After the faults have stopped everything must be over by then, in seconds: what waits longest is
#: a host that was down, and all that waits for it.
END_SECONDS = 240


def run(
    seed: int,
    seconds: float,
    workers: int,
    folder: Path,
    server: Server | None,
    nova: DemoCloud,
    without: Sequence[str] = (),
) -> dict[str, Any]:
    """What happened, and what did not hold.

    :param folder: for the workers' log, their clocks, and the database where it is a file
    :param server: the database where it is none; Django of this process knows it
    """
    patience = float(SETTINGS["API_TIMEOUT_SECONDS"])
    # One that Nova has not recorded by the end of SUBMIT_GRACE_SECONDS is taken for lost.
    late = float(SETTINGS["SUBMIT_GRACE_SECONDS"]) - 9.5
    proxy = Proxy(nova.url, seed, patience, late)
    clouds = folder / "clouds.yaml"
    clouds.write_text(_behind(proxy, nova))
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
        "TEST_MAINTENANCE": json.dumps(SETTINGS),
        "OS_CLIENT_CONFIG_FILE": str(clouds),
    }
    if server:
        environment["TEST_DATABASE_URL"] = server.url
    installation = driving.Installation(nova, folder, **environment)
    settings.UKCLOUD_MAINTENANCE = SETTINGS
    journal = records.Journal()
    cloud = services.connect_shell("")
    hosts = [host.name for host in nova.config.hosts]
    others = Others(f"{seed}:others", 2.0, journal, nova, hosts, most=SERVERS + 4)
    for n in range(SERVERS):
        others.boot(hosts[n % len(hosts)])
    for one in nova.nova.get("/servers?all_tenants=1").json()["servers"]:
        nova.wait_for_server(one["id"], "ACTIVE")
    others.counts.clear()
    operator = Operator(f"{seed}:operator", 1.0, journal, cloud, hosts)
    director = Director(
        seed=seed,
        nova=nova,
        proxy=proxy,
        installation=installation,
        database=server,
        workers=workers,
        journal=journal,
        folder=folder,
        without=without,
    )
    if server is None:
        clock.shift_django(director.clocks[0])  # who asks is on the workers' machine
    sampler = records.Sampler(nova, cloud.region, hosts)
    try:
        with sampler:
            director.start()
            nova.wait(director.all_at_work, "the workers have started", 180)
            director.begin()
            operator.drain(hosts[0])
            operator.drain(hosts[1], max_concurrent=3)
            operator.start()
            others.start()
            director.run(seconds)
            others.stop()
            operator.stop()
            director.calm()
            calm_at = time.time()
            settled = _settle(director, operator, cloud.region)
        if (problems := _problems()) or settled is None:
            for slot in director.slots:
                slot.signal(signal.SIGUSR1)
            time.sleep(1)
    finally:
        director.stop()
        proxy.close()
    found = records.read(nova, nova.session("worker").get_user_id())
    found.samples, found.drain_seen = sampler.samples, sampler.drain_seen
    found.notes, found.writes = journal.notes, proxy.writes
    found.problems, found.calm_at = problems, calm_at
    found.logs = [slot.log.read_text() for slot in director.slots]
    broken = invariants.violations(found, CERTIFICATE_SECONDS)
    counts = {
        "faults": dict(sorted(director.faults.items())),
        "requests_spoiled": dict(sorted(proxy.faults.items())),
        "requests": proxy.requests,
        "by_others": dict(sorted(others.counts.items())),
        "by_operators": dict(sorted(operator.counts.items())),
        "looks": len(sampler.samples),
        "safe": sum(s.safe is True for s in sampler.samples),
        "drains": _ends(found),
        "instances": dict(sorted(Counter(r.state for r in found.rows).items())),
        "settled_after": settled,
    }
    _print(counts, broken, found)
    return counts | {"violations": [dataclasses.asdict(v) for v in broken]}


def _behind(proxy: Proxy, nova: DemoCloud) -> str:
    """clouds.yaml of somebody who sees the cloud through the proxy."""
    clouds = yaml.safe_load(nova.clouds_yaml.read_text())
    for one in clouds["clouds"].values():
        one["auth"]["auth_url"] = f"{proxy.url}/identity/v3"
    return str(yaml.safe_dump(clouds))


def _settle(director: Director, operator: Operator, region: str) -> float | None:
    """Wait until everything is over; after how many seconds it was, or None."""
    begun = time.monotonic()
    over = [state.value for state in DRAIN_TERMINAL]

    def all_is_over() -> bool:
        # a connection that is older than the database is of no use
        connections.close_all()
        return not store.drains(region).exclude(state__in=over).exists()

    while time.monotonic() - begun < END_SECONDS:
        director.tick()
        if all_is_over():
            # a little longer, for what the sampler and the workers' reports still have to see
            time.sleep(8)
            if all_is_over():
                return round(time.monotonic() - begun, 1)
        operator.resume_all()
        time.sleep(0.5)
    return None


def _problems() -> list[str]:
    alive = models.Worker.objects.filter(stopped_at=None).exclude(problem="")
    newest = models.Worker.objects.order_by("-seen_at").values_list("seen_at", flat=True).first()
    return [
        english(w.problem) for w in alive if newest and (newest - w.seen_at).total_seconds() < 15
    ]


def _ends(found: records.Records) -> dict[str, int]:
    return dict(
        sorted(
            Counter(
                f"{'drain' if d.direction == 'away' else 'return'} {d.state}"
                + (f" ({d.result})" if d.result else "")
                for d in found.drains.values()
            ).items()
        )
    )


def _print(
    counts: dict[str, Any], broken: list[invariants.Violation], found: records.Records
) -> None:
    for name, value in counts.items():
        text = ", ".join(f"{k} {n}" for k, n in value.items()) if isinstance(value, dict) else value
        print(f"  {name.replace('_', ' ')}: {text}")
    for violation in broken:
        print(f"\n  VIOLATION {violation.rule}: {violation.text}")
        if violation.server or violation.host:
            about = {"server": violation.server}
            if violation.rule in ("certificates", "ends_are_true", "ended"):
                about["host"] = violation.host
            print(records.timeline(found, around=violation.at, **about))
    sys.stdout.flush()

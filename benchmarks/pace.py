"""How quick drains are, and what they cost Nova: real drains on a real Nova with simulated
hypervisors, by the product's own command and worker, in processes of their own.

Every time is compared with what Nova itself takes for one migration on this machine at this
moment, which is measured first. Results are one JSON object a row.
"""

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.utils.dateparse import parse_datetime

from benchmarks import model
from tests.worker.driving import REPOSITORY, Installation
from ukcloud_maintenance.core.facts import NOVA_STATUS_OVER, NOVA_STATUS_RUNNING
from ukcloud_maintenance.demo.config import FAST, MIB, CloudConfig, HostSpec
from ukcloud_maintenance.demo.harness import DemoCloud

#: Memory of each instance.
MEMORY_MIB = 128
SAMPLE_SECONDS = 0.25
_DRAINS = "ukcloud_maintenance_drain"


class Site:
    """A cloud, an installation of the product as it comes, and its workers.

    :param product: the tree that the product is run from
    """

    def __init__(self, nova: DemoCloud, folder: Path, product: Path = REPOSITORY, **settings: Any):
        maintenance = json.dumps({"CLOUD": "worker", **settings})
        self.nova = nova
        self.installed = Installation(
            nova, folder, PYTHONPATH=str(product), TEST_MAINTENANCE=maintenance
        )

    def build(self, host: str, count: int, seconds: float, prefix: str = "") -> list[str]:
        """Instances that copy for so many seconds each."""
        play = f"rate={int(MEMORY_MIB * MIB / seconds)}"
        names = [f"{prefix or host}-{n}" for n in range(count)]
        return self.nova.create_servers(names, host=host, ram_mib=MEMORY_MIB, play=play)

    def nova_takes(self, host: str, seconds: float) -> float:
        """Seconds that Nova takes for one such migration, from its start to its arrival."""
        [server] = self.build(host, 1, seconds, "lone")
        self.nova.live_migrate(server)
        began = 0.0
        while True:
            records = self.nova.migrations(server)
            status = records[0]["status"] if records else ""
            if status in NOVA_STATUS_RUNNING and not began:
                began = time.time()
            if status in NOVA_STATUS_OVER:
                took = time.time() - began
                self.nova.delete_server(server)
                return took
            time.sleep(0.05)

    def in_progress(self, host: str) -> dict[str, str]:
        """The status of each migration from a host, by server."""
        found = self.nova.nova.get(f"/os-migrations?source_compute={host}").json()["migrations"]
        newest: dict[str, str] = {}
        for one in found:
            newest.setdefault(one["instance_uuid"], one["status"])
        return newest

    def stamp(self, text: str, *parameters: Any) -> float:
        """A time of the product's record, in seconds since the epoch."""
        [[found]] = self.installed.query(text, *parameters)
        return parse_datetime(f"{found}+00:00").timestamp()


@contextlib.contextmanager
def site(config: CloudConfig, product: Path, workers: int = 1, **settings: Any) -> Iterator[Site]:
    with DemoCloud(config=config) as nova, tempfile.TemporaryDirectory() as folder:
        found = Site(nova, Path(folder), product, **settings)
        try:
            for _ in range(workers):
                found.installed.start_worker()
            found.installed.wait(
                lambda: "worker_started" in found.installed.log.read_text(), "it works"
            )
            time.sleep(2)  # its first look at an empty queue is over
            yield found
        finally:
            found.installed.close()


def hosts(limit: int, *names: str) -> CloudConfig:
    """These as sources, at which Nova runs so many at once, and five destinations."""
    sources = [HostSpec(name, "az1", max_concurrent_live_migrations=limit) for name in names]
    dests = [
        HostSpec(f"dest{n}", "az1", vcpus=1024, memory_mib=512 * 1024, disk_gib=65536)
        for n in range(5)
    ]
    return replace(FAST, hosts=(*sources, *dests))


def drained(at: Site, host: str, at_once: int, one: float, count: int) -> dict[str, Any]:
    """Drain a host, from the start of the command to the end of the drain.

    :param one: seconds that Nova takes for one of its instances
    """
    mark, pressed = at.nova.mark(), time.time()
    drain = at.installed.drain(host, "--max-concurrent", str(at_once))
    command = time.time() - pressed
    starts: dict[str, float] = {}
    full, samples, limit = 0, 0, at_once
    state = "pending"
    while state in ("pending", "running"):
        found = at.in_progress(host)
        running = [server for server, s in found.items() if s in NOVA_STATUS_RUNNING]
        for server in running:
            starts.setdefault(server, time.time())
        left = count - sum(s in NOVA_STATUS_OVER for s in found.values())
        if starts and len(starts) >= limit and left >= limit:
            samples += 1
            full += len(running) >= limit
        time.sleep(SAMPLE_SECONDS)
        state = at.installed.state(drain)
    finished = at.stamp(f"select finished_at from {_DRAINS} where id=?", drain)
    asked = at.nova.requests(since=mark)
    created = at.stamp(f"select created_at from {_DRAINS} where id=?", drain)
    first = [r["time"] for r in asked if r["method"] == "POST" and r["path"].endswith("/action")]
    ideal = count * one / limit
    begun = sorted(starts.values())
    return {
        "state": state,
        "instances": count,
        "at_once": at_once,
        "nova_takes_seconds": one,
        "command_seconds": command,
        "length_seconds": finished - pressed,
        "ideal_seconds": ideal,
        "ratio": (finished - pressed) / ideal,
        "ratio_but_command": (finished - created) / ideal,
        "to_first_request_seconds": min(first) - created,
        "first_starts_within_seconds": begun[min(at_once, len(begun)) - 1] - begun[0],
        "pipe_full_share": full / samples if samples else None,
        "requests": len(asked),
        "requests_per_instance": len(asked) / count,
    }


def one_host(product: Path, at_once: int, limit: int, scale: float) -> dict[str, Any]:
    """12 instances of 6 s; then 6 more from the same host, of which the limit is known."""
    seconds, count = 6 * scale, 12
    with site(hosts(limit, "source"), product) as at:
        one = statistics.median(at.nova_takes("source", seconds) for _ in range(3))
        at.build("source", count, seconds)
        first = drained(at, "source", at_once, one, count)
        at.nova.nova.put(f"/os-services/{at.nova.service('source')['id']}", json=ENABLED)
        time.sleep(4)  # the scheduler hears of it
        at.build("source", count // 2, seconds, "again")
        again = drained(at, "source", at_once, one, count // 2)
    return {"first": first, "again": again}


def blocked(product: Path, scale: float) -> dict[str, Any]:
    """Passes over a drain in which only a blocked instance is left, and their requests."""
    seconds = 60 * scale
    with site(hosts(1, "source"), product, BLOCKED_WAIT_SECONDS=3600) as at:
        at.nova.create_server("broken", host="source", ram_mib=MEMORY_MIB, state="ERROR")
        drain = at.installed.drain("source")
        at.installed.wait(
            lambda: at.installed.query(f"select blocked_since from {_DRAINS}") != [(None,)],
            "it waits",
        )
        mark = at.nova.mark()
        time.sleep(seconds)
        asked = at.nova.requests(since=mark)
        passes = sum("/os-services" in r["path"] for r in asked)
        assert at.installed.state(drain) == "running"
    return {"seconds": seconds, "passes": passes, "requests": len(asked)}


def _modelled(
    row: Callable[[float], dict[str, Any]], product: Path, scale: float
) -> dict[str, Any]:
    """A row of the model, in a database of this process."""
    assert product == REPOSITORY, "the model is run in this process"
    call_command("migrate", verbosity=0)
    return row(scale)


ENABLED = {"status": "enabled"}
#: every row, by name
ROWS: dict[str, Callable[[Path, float], dict[str, Any]]] = {
    "one-at-a-time": lambda product, scale: one_host(product, 1, 1, scale),
    "three-at-a-time": lambda product, scale: one_host(product, 3, 3, scale),
    "three-of-ten": lambda product, scale: one_host(product, 3, 10, scale),
    "blocked": blocked,
    **{name: partial(_modelled, row) for name, row in model.ROWS.items()},
}


def main(arguments: list[str]) -> None:
    """One JSON object a line."""
    parser = argparse.ArgumentParser(prog="benchmarks.run --pace", description=__doc__)
    parser.add_argument("rows", nargs="*", default=list(ROWS), help=", ".join(ROWS))
    parser.add_argument("--of", type=Path, default=REPOSITORY, help="another tree of the product")
    parser.add_argument("--scale", type=float, default=1, help="of times and numbers")
    chosen = parser.parse_args(arguments)
    os.chdir(chosen.of)  # Python looks there before all else
    for name in chosen.rows:
        found = ROWS[name](chosen.of, chosen.scale)
        print(json.dumps({"row": name, "scale": chosen.scale, **_rounded(found)}), flush=True)


def _rounded(found: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _rounded(value)
        if isinstance(value, dict)
        else round(value, 3)
        if isinstance(value, float)
        else value
        for key, value in found.items()
    }

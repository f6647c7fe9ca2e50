"""How evenly instances land: `python -m benchmarks.run spread [--empty] [DESTINATIONS …]`, as JSON.

On the simulated cloud, whose Nova, scheduler and Placement are real, the same instances leave a
host in three ways: as a drain of ours keeps the hosts even, as a drain that leaves the choice to
Nova's scheduler, and as Horizon's button "Migrate Host" requests them, all at once. The
destinations are empty first, and then, unless with --empty, so full that the instances just fit.
"""

import itertools
import json
import os
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

WAYS = ("even", "scheduler", "horizon")
MEMORY_MIB = 64 * 1024
#: How full the destinations are, and the instances that come, in MiB, for each destination.
SITUATIONS = {0.0: [4096] * 3, 0.85: [4096, 4096, 1024], 0.95: [2048, 1024]}
#: From so many destinations on the same memory comes in one instance for each of them: Nova takes
#: a second or two for each instance, and a hundred full hosts would take hours.
MANY = 50
EMPTY = "--empty"
#: Seconds that one way may take.
PATIENCE = 1800.0


@dataclass(frozen=True)
class Landing:
    """What came of one way.

    :param most: instances on the host that has most of them
    :param deviation: standard deviation of the destinations' shares of memory
    :param no_valid_host: how often Nova's scheduler found no host
    :param left: instances that are still where they were
    """

    destinations: int
    filled: float
    way: str
    instances: int
    most: int
    deviation: float
    no_valid_host: int
    left: int
    seconds: float


def spread(sizes: list[int], situations: dict[float, list[int]] = SITUATIONS) -> list[Landing]:
    """Every way in every situation, with so many destinations each.

    :param situations: by how full the destinations are: the instances for each of them
    """
    from ukcloud_maintenance.demo import plane_process
    from ukcloud_maintenance.demo.config import FAST, GIB, HostSpec
    from ukcloud_maintenance.demo.harness import DemoCloud

    plane_process.START_TIMEOUT = PATIENCE  # a hundred hosts, on whatever machine
    found: list[Landing] = []
    for size in sizes:
        names = [f"from-{n}" for n in range(len(situations) * len(WAYS))]
        sources = [HostSpec(n, "az1", vcpus=512, memory_mib=2**20, disk_gib=2**14) for n in names]
        hosts = (*sources, *(HostSpec(f"to-{n}", "az1") for n in range(size)))
        # nothing of the cloud's is to wait: it has to keep up with the passes of this process
        config = replace(
            FAST,
            hosts=hosts,
            max_concurrent_live_migrations=3,
            copy_bytes_per_second=4 * GIB,
            service_down_seconds=60,
        )
        with DemoCloud(config=config) as cloud:
            os.environ["OS_CLIENT_CONFIG_FILE"] = str(cloud.clouds_yaml)
            _Ground(cloud, size, situations, names).run(found)
    return found


class _Ground:
    """One cloud, and a source of its own for each way in each situation."""

    def __init__(self, cloud: Any, size: int, situations: dict[float, list[int]], names: list[str]):
        self.cloud = cloud
        self.size = size
        self.situations = situations
        self.source = dict(zip(itertools.product(situations, WAYS), names, strict=True))

    def run(self, found: list[Landing]) -> None:
        cloud = self.cloud
        servers = {}
        for (filled, way), source in self.source.items():
            # interleaved, as instances come and go
            each = self.situations[filled]
            wanted = ([sum(each)] if filled and self.size >= MANY else each) * self.size
            wanted = sorted(wanted, key=lambda mib: mib * 7919 % 31) if filled else wanted
            if not filled:
                wanted = wanted[: max(12, min(self.size, 48))]
            servers[filled, way] = [
                cloud.create_server(f"{source}-{n}", host=source, ram_mib=mib, wait=False)
                for n, mib in enumerate(wanted)
            ]
            for server in servers[filled, way]:
                cloud.wait_for_server(server, "ACTIVE", PATIENCE)
        for source in self.source.values():
            service = cloud.service(source)
            body = {"status": "disabled", "disabled_reason": "to be emptied"}
            cloud.nova.put(f"/os-services/{service['id']}", json=body)
        full = 0.0
        for filled in sorted(self.situations):
            self._fill(filled - full)
            full = filled
            for way in WAYS:
                here = servers[filled, way]
                found.append(self._measure(filled, way, self.source[filled, way], here))
                print(json.dumps(vars(found[-1])), file=sys.stderr, flush=True)
                cloud.delete_server(*here)

    def _fill(self, share: float) -> None:
        mib = int(MEMORY_MIB * share)
        if mib <= 0:
            return
        made = [
            self.cloud.create_server(f"filler-{n}", host=f"to-{n}", ram_mib=mib, wait=False)
            for n in range(self.size)
        ]
        for server in made:
            self.cloud.wait_for_server(server, "ACTIVE", PATIENCE)

    def _measure(self, filled: float, way: str, source: str, servers: list[str]) -> Landing:
        began = time.monotonic()
        if way == "horizon":
            for server in servers:
                self.cloud.live_migrate(server)
        else:
            _drain(source, follow_estimate=way == "even")
        self._until_over(servers)
        seconds = time.monotonic() - began
        hosts = Counter(self.cloud.host_of(server) for server in servers)
        left = hosts.pop(source, 0)
        records = [m for server in servers for m in self.cloud.migrations(server)]
        refused = [m for m in records if m["status"] == "error" and not m["dest_compute"]]
        return Landing(
            self.size,
            filled,
            way,
            len(servers),
            max(hosts.values(), default=0),
            round(statistics.pstdev(self._shares()), 4),
            len(refused),
            left,
            round(seconds, 1),
        )

    def _until_over(self, servers: list[str]) -> None:
        def over() -> bool:
            return all(
                self.cloud.server(server)["OS-EXT-STS:task_state"] is None for server in servers
            )

        time.sleep(1)  # Nova takes a request before it sets the task
        self.cloud.wait(over, "all have arrived", PATIENCE)

    def _shares(self) -> list[float]:
        """The share of memory that is taken of each destination, by Placement."""
        placement = self.cloud.adapter("placement")
        shares = []
        for provider in placement.get("/resource_providers").json()["resource_providers"]:
            if not provider["name"].startswith("to-"):
                continue
            path = f"/resource_providers/{provider['uuid']}/usages"
            usages = placement.get(path).json()["usages"]
            shares.append(usages.get("MEMORY_MB", 0) / MEMORY_MIB)
        return shares


def _drain(source: str, *, follow_estimate: bool) -> None:
    """A drain of ours, pass by pass, three at a time, until it is over."""
    from django.utils import timezone

    from ukcloud_maintenance import services, store
    from ukcloud_maintenance.core.actor import shell_actor
    from ukcloud_maintenance.core.states import DRAIN_TERMINAL
    from ukcloud_maintenance.worker.drain import Reconciler

    cloud = services.connect_shell("")
    request = services.DrainRequest(
        source, "benchmark", max_concurrent=3, follow_estimate=follow_estimate
    )
    drain = services.request_drain(shell_actor(), cloud, request)
    ends_at = time.monotonic() + PATIENCE
    while drain.state not in DRAIN_TERMINAL:
        if time.monotonic() > ends_at:
            raise TimeoutError(f"the drain of {source} does not end: {drain.message}")
        Reconciler(cloud, "benchmark", timezone.now).run(drain)
        drain = store.drain(drain.pk)
        time.sleep(0.5)


def main(arguments: list[str]) -> None:
    """Print a list of landings, as JSON; progress goes to the standard error."""
    from django.test import override_settings

    quick = {"CLOUD": "worker", "RETRY_SECONDS": 1, "BLOCKED_WAIT_SECONDS": 10}
    sizes = [int(argument) for argument in arguments if argument != EMPTY] or [4, 20, 100]
    situations = {0.0: SITUATIONS[0.0]} if EMPTY in arguments else SITUATIONS
    with override_settings(UKCLOUD_MAINTENANCE=quick):
        print(json.dumps([vars(landing) for landing in spread(sizes, situations)], indent=1))

"""The pages of a large region beside Horizon's own: `python -m benchmarks.run region`.

A real Nova, Placement and Keystone with 1,000 hosts (see `region`), a Horizon with the plugin, and
a worker. Each page is fetched in turn with Horizon's Admin > Compute > Hypervisors, and its best
time counts; what is to be looked at is the ratio. `BENCHMARK_HOSTS` and `BENCHMARK_ROUNDS` make it
shorter.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import requests

from ukcloud_maintenance.cloud import MICROVERSION
from ukcloud_maintenance.demo.harness import DemoCloud
from ukcloud_maintenance.demo.horizon import HorizonProcess
from ukcloud_maintenance.demo.identity import PEOPLE_PASSWORD

from .region import CONFIG, Size, fill

HORIZONS = "Horizon's Admin > Hypervisors"
#: not a page, but what one took that read all of it, and nothing else
WHOLE_LIST = "Nova's list of all hypervisors"
#: what each page may take, as a ratio to Horizon's
AIMS = {
    "hosts": 0.08,
    "hosts, filtered": 0.05,
    "hosts, sorted": 0.05,
    "hosts, page 30": 0.05,
    "Drain Host form": 0.10,
    "preflight": 0.10,
    "preflight of the full host": 0.15,
    "plan form": 0.25,
}
LARGE = Size()
#: hosts of the plan's form
TOGETHER = 20


class Browser:
    """Somebody who is logged in to Horizon as admin."""

    def __init__(self, url: str):
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        page = self._session.get(f"{url}/auth/login/", timeout=120)
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert found, page.status_code
        self._session.post(
            f"{url}/auth/login/",
            data={
                "csrfmiddlewaretoken": found[1],
                **{"username": "admin", "password": PEOPLE_PASSWORD, "region": "default"},
            },
            timeout=300,
        )

    def get(self, path: str) -> tuple[float, str]:
        """Seconds, and the page."""
        began = time.perf_counter()
        answer = self._session.get(f"{self.url}{path}", timeout=600)
        seconds = time.perf_counter() - began
        assert answer.status_code == 200, (path, answer.status_code)
        assert "/auth/login" not in answer.url, "not logged in"
        return seconds, answer.text


@contextmanager
def region(size: Size) -> Iterator[tuple[DemoCloud, Browser]]:
    """A region of this size with a Horizon and a worker, and somebody who looks at it."""
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="region-")))
        cloud = stack.enter_context(DemoCloud(config=CONFIG))
        fill(cloud, size)
        settings = json.dumps({"IDLE_SECONDS": 2})
        horizon = stack.enter_context(HorizonProcess(cloud, state, maintenance=settings))
        stack.enter_context(_worker(horizon))
        browser = Browser(horizon.url)
        _wait_for_the_inventory(browser)
        yield cloud, browser


@contextmanager
def _worker(horizon: HorizonProcess) -> Iterator[None]:
    with (horizon.state / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "maintenance_worker"],
            env=horizon.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _wait_for_the_inventory(browser: Browser) -> None:
    until = time.monotonic() + 300
    while "was read at most" not in browser.get("/admin/maintenance/")[1]:
        assert time.monotonic() < until, "no inventory"
        time.sleep(1)


def pages(size: Size) -> dict[str, tuple[str, str]]:
    """The address of each page, and what must be on it."""
    one, full = size.host(size.hosts // 2), size.host(size.hosts - 1)
    several = "&".join(f"host={size.host(n)}" for n in range(min(TOGETHER, size.hosts - 1)))
    of = "/admin/maintenance"
    last = min(30, (size.hosts + 2) // 20)
    return {
        HORIZONS: ("/admin/hypervisors/", one),
        "hosts": (f"{of}/", size.host(0)),
        "hosts, filtered": (f"{of}/?q={one[:-1]}&column=host", one),
        "hosts, sorted": (f"{of}/?sort=memory&order=desc", full),
        "hosts, page 30": (f"{of}/?page={last}", f"page {last} of"),
        "Drain Host form": (f"{of}/hosts/{one}/drain/", "Drain Host"),
        "preflight": (f"{of}/hosts/{one}/check/", one),
        "preflight of the full host": (f"{of}/hosts/{full}/check/", full),
        "plan form": (f"{of}/plans/new/?{several}", size.host(1)),
    }


def measure(cloud: DemoCloud, browser: Browser, size: Size, rounds: int) -> dict[str, Any]:
    """The best of so many fetches of each page, in turn: seconds, ratios and aims, and what it
    asked Nova for. The first fetch of each warms caches and counts for none."""
    best: dict[str, float] = {}
    asked: dict[str, int] = {}
    for turn in range(rounds + 1):
        began = time.perf_counter()
        cloud.nova.get("/os-hypervisors/detail", microversion=MICROVERSION)
        if turn > 0:
            seconds = time.perf_counter() - began
            best[WHOLE_LIST] = min(best.get(WHOLE_LIST, seconds), seconds)
            asked[WHOLE_LIST] = 1
        for name, (path, needle) in pages(size).items():
            since = cloud.mark()
            seconds, page = browser.get(path)
            assert needle in page, (name, path)
            if turn > 0:
                best[name] = min(best.get(name, seconds), seconds)
                asked[name] = min(asked.get(name, 10**6), _requests(cloud, since))
    return {
        "size": asdict(size),
        "pages": {
            name: {
                "seconds": round(seconds, 3),
                "ratio": round(seconds / best[HORIZONS], 3),
                "nova_requests": asked[name],
                **({"aim": AIMS[name]} if name in AIMS else {}),
            }
            for name, seconds in best.items()
        },
    }


def _requests(cloud: DemoCloud, since: int) -> int:
    """What the page asked Nova for since then; the worker's steps meanwhile are none of its."""
    agents = [one["user_agent"] for one in cloud.requests(since)]
    return sum(not agent.startswith("ukcloud_maintenance") for agent in agents)


def main() -> None:
    """Measure, and print it as JSON."""
    number = int(os.environ.get("BENCHMARK_HOSTS", LARGE.hosts))
    share = number / LARGE.hosts
    full, migrations = round(share * LARGE.full), round(share * LARGE.migrations)
    size = Size(number, full=max(full, LARGE.instances + 1), migrations=migrations)
    rounds = int(os.environ.get("BENCHMARK_ROUNDS", "3"))
    with region(size) as (cloud, browser):
        measured = measure(cloud, browser, size, rounds)
    print(json.dumps(measured, indent=2))

"""The benchmarks can be run; what they measure is nobody's business here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.timeout(900)  # 40 s, but on a machine that is busy with something else
def test_all_of_them_run():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.run"],
        cwd=ROOT,
        env={**os.environ, "BENCHMARK_SECONDS": "0"},
        capture_output=True,
        text=True,
        timeout=840,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ratio") == 5  # a table each


@pytest.mark.timeout(900)
def test_the_pages_of_a_region_are_measured_beside_horizons():
    """A real Nova of few hosts, but more than a page of the inventory."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.run", "region"],
        cwd=ROOT,
        env={**os.environ, "BENCHMARK_HOSTS": "70", "BENCHMARK_ROUNDS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=840,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0
    measured = json.loads(done.stdout)
    pages = measured["pages"]
    assert measured["size"]["hosts"] == 70
    assert {"hosts", "Drain Host form", "plan form"} < pages.keys()
    assert all(page["seconds"] > 0 and page["ratio"] > 0 for page in pages.values())
    # the services, and each row
    rows = {"hosts": 20, "hosts, filtered": 10, "hosts, sorted": 20}
    assert {name: pages[name]["nova_requests"] for name in rows} == {
        name: number + 1 for name, number in rows.items()
    }

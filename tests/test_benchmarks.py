"""The benchmarks can be run; how long anything took in them is nobody's business here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import report

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.run", *arguments],
        cwd=ROOT,
        env={**os.environ, "BENCHMARK_SECONDS": "0", **environment},
        capture_output=True,
        text=True,
        timeout=1700,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def lines(found: dict) -> list[str]:
    """What `make bench` says of it, a line for each aim."""
    return list(report(found))[1:]


@pytest.mark.timeout(1800)  # 40 s, but on a machine that is busy with something else
def test_all_of_them_run(tmp_path):
    results = tmp_path / "results.json"
    assert run("--json", str(results)).count("ratio") == 7  # a table each

    found = json.loads(results.read_text())
    assert len(found) == 8
    watched = found["a drain that is watched"]
    assert watched["requests_to_openstack"] == 0
    assert watched["bytes_without_news"] == 0
    # what changed is sent, and not the table
    assert watched["bytes_with_news"] < watched["bytes_whole"] / 10
    assert len(lines({"costs": found})) == 2


@pytest.mark.timeout(1800)  # a minute, but on a machine that is busy with something else
def test_nine_equal_instances_are_spread_over_three_equal_hosts():
    """On a real Nova. How its scheduler would spread them is shown, and not ours to promise."""
    found = json.loads(run("spread", "--empty", "3"))
    landed = {one["way"]: one for one in found}
    assert {line.split()[2] for line in lines({"spread": found})[2:]} == set(landed)
    assert set(landed) == {"even", "scheduler", "horizon"}
    ours = landed["even"]
    assert (ours["instances"], ours["most"], ours["left"], ours["deviation"]) == (9, 3, 0, 0)
    assert ours["no_valid_host"] == 0


@pytest.mark.timeout(1800)
def test_the_pages_of_a_region_are_measured_beside_horizons():
    """A real Nova of few hosts, but more than a page of the inventory."""
    measured = json.loads(run("region", BENCHMARK_HOSTS="55", BENCHMARK_ROUNDS="1"))
    pages = measured["pages"]
    assert measured["size"]["hosts"] == 55
    assert {"hosts", "Drain Host form", "plan form"} < pages.keys()
    assert all(page["seconds"] > 0 and page["ratio"] > 0 for page in pages.values())
    assert len(lines({"pages": measured})) == len(pages) - 2  # but Horizon's, and Nova's list
    # the services, and each row
    rows = {"hosts": 20, "hosts, filtered": 10, "hosts, sorted": 20}
    assert {name: pages[name]["nova_requests"] for name in rows} == {
        name: number + 1 for name, number in rows.items()
    }


@pytest.mark.timeout(1800)
def test_drains_in_a_time_of_their_own_are_short_and_cheap():
    """No clock and no other process has a part in what is compared here."""
    rows = ["model-one-host", "model-300-on-one-host", "model-50-drains", "model-10000-migrations"]
    done = run("--pace", *rows, "--scale=0.02", TEST_DATABASE_URL="sqlite://")
    one_host, many, drains, endurance = map(json.loads, done.splitlines())
    assert [one["row"] for one in (one_host, many, drains, endurance)] == rows
    told = dict(zip(rows, (one_host, many, drains, endurance), strict=True))
    assert len(lines({"model": told})) == 9
    cases = {name: case for name, case in one_host.items() if isinstance(case, dict)}
    assert all(case["states"] == ["succeeded"] for case in cases.values())
    assert {name: case["most_running"] for name, case in cases.items()} == {
        "1 of 1": 1,
        "1 of 1, known": 1,
        "3 of 3": 3,
        "3 of 3, known": 3,
        "3 of 10": 4,  # one more, to find out
        "3 of 10, known": 3,
        # of which this is one instance alone
        "36 instances, 1 of 1": 1,
        "36 instances, 1 of 1, known": 1,
        "36 instances, 3 of 3": 1,
        "36 instances, 3 of 3, known": 1,
    }
    for name, most in {"1 of 1": 15, "3 of 3": 13, "3 of 10": 15}.items():
        assert cases[name]["requests_per_instance"] <= most, name
    assert many["states"] == drains["1 workers"]["states"] == ["succeeded"]
    assert drains["1 workers"]["pipe_full_share"] > 0.9
    assert 0 < endurance["log_bytes_per_instance"] <= 1024

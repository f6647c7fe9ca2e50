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
def test_drains_in_a_time_of_their_own_are_short_and_cheap():
    """No clock and no other process has a part in what is compared here."""
    rows = ["model-one-host", "model-300-on-one-host", "model-50-drains", "model-10000-migrations"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.run", "--pace", *rows, "--scale=0.02"],
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE_URL": "sqlite://"},
        capture_output=True,
        text=True,
        timeout=840,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one_host, many, drains, endurance = map(json.loads, done.stdout.splitlines())
    assert [one["row"] for one in (one_host, many, drains, endurance)] == rows
    cases = {name: case for name, case in one_host.items() if isinstance(case, dict)}
    assert all(case["states"] == ["succeeded"] for case in cases.values())
    assert {name: case["most_running"] for name, case in cases.items()} == {
        "1 of 1": 1,
        "1 of 1, known": 1,
        "3 of 3": 3,
        "3 of 3, known": 3,
        "3 of 10": 4,  # one more, to find out
        "3 of 10, known": 3,
    }
    for name, most in {"1 of 1": 13, "3 of 3": 11, "3 of 10": 12}.items():
        assert cases[name]["requests_per_instance"] <= most, name
    assert many["states"] == drains["1 workers"]["states"] == ["succeeded"]
    assert drains["1 workers"]["pipe_full_share"] > 0.9
    assert 0 < endurance["log_bytes_per_instance"] <= 1024

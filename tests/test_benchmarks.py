"""The benchmarks can be run; the times that they measure are nobody's business here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.timeout(900)  # 40 s, but on a machine that is busy with something else
def test_all_of_them_run(tmp_path):
    results = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.run", "--json", str(results)],
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

    found = json.loads(results.read_text())
    assert len(found) == 6
    watched = found["a drain that is watched"]
    assert watched["requests_to_openstack"] == 0
    assert watched["bytes_without_news"] == 0
    # what changed is sent, and not the table
    assert watched["bytes_with_news"] < watched["bytes_whole"] / 10

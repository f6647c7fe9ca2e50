"""The benchmarks can be run; what they measure is nobody's business here."""

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

"""The machines leave nothing behind, whatever becomes of the run that made them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.libvirt import parts
from tests.libvirt.cloud import PREFIX, clean_up_after_killed

MAKES_ONE = """
import sys, time
from pathlib import Path
from tests.libvirt.machine import Machine
machine = Machine("one", Path(sys.argv[1]))
machine.run("sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &")
machine.run("ip", "link", "add", "lan", "type", "bridge")
print(machine.pid, flush=True)
time.sleep(1000)
"""


@pytest.fixture(autouse=True)
def possible():
    if why_not := parts.missing():
        pytest.skip(why_not)


def members(namespace: str) -> list[str]:
    """The processes of a PID namespace."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "ns" / "pid") == namespace:
                found.append(process.name)
        except OSError:
            continue
    return found


def test_a_run_that_is_killed_takes_its_machines_with_it(tmp_path):
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKES_ONE, str(tmp_path)],
        cwd=parts.HERE.parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    first = maker.stdout.readline().strip()
    namespace = os.readlink(f"/proc/{first}/ns/pid")
    assert len(members(namespace)) >= 2
    maker.kill()
    maker.wait()
    deadline = time.monotonic() + 30
    while members(namespace):
        assert time.monotonic() < deadline, members(namespace)
        time.sleep(0.1)
    assert "lan:" not in Path("/proc/net/dev").read_text()


def test_the_folder_of_a_killed_run_is_removed_by_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, alive, foreign = (tmp_path / f"{PREFIX}{name}" for name in ("dead", "alive", "foreign"))
    for folder in (dead, alive, foreign):
        folder.mkdir()
    started = Path(f"/proc/{os.getpid()}/stat").read_text().rsplit(")", 1)[1].split()[19]
    (dead / "owner").write_text(f"{os.getpid()} {int(started) - 1}")  # that number's former life
    (alive / "owner").write_text(f"{os.getpid()} {started}")
    clean_up_after_killed()
    assert [f.exists() for f in (dead, alive, foreign)] == [False, True, True]

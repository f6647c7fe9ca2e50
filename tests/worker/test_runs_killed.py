"""A rolling run whose worker is killed again and again: each action is begun once, and nobody is
out who should not be."""

import json
import random
import sys
import time
from collections import Counter

import pytest

from tests.worker.driving import SETTINGS, Installation, service_of

pytestmark = pytest.mark.timeout(600)

HOSTS = ("cmp10", "cmp11", "cmp12")
#: writes its host into a file, once, and takes a while
MARK = """
import sys, time
with open(sys.argv[2], "a") as file:
    file.write(sys.argv[1] + "\\n")
time.sleep(1.5)
"""


@pytest.fixture
def installation(nova, tmp_path):
    action = {
        "command": [sys.executable, "-c", MARK, "{host}", str(tmp_path / "marks")],
        "settle": 0.5,
        "time_limit": 60,
    }
    given = {
        **SETTINGS,
        "VERIFY_SECONDS": 5,
        "ACTIONS": {"mark": action},
        "ACTIONS_DIRECTORY": str(tmp_path / "records"),
    }
    made = Installation(nova, tmp_path, TEST_MAINTENANCE=json.dumps(given))
    yield made
    made.close()


def test_a_worker_that_is_killed_again_and_again_begins_each_action_once(
    installation, nova, tmp_path
):
    # a fixed seed: where it is cut off depends on the machine all the same
    chance = random.Random(14)
    nova.create_servers(["kept-a", "kept-b"], host=HOSTS[0])
    started = installation.run(
        *("maintenance_run", "start", "--hosts", *HOSTS, "--action", "mark"),
        *("--reason", "new kernel", "--json"),
    )
    run = json.loads(started.stdout)["id"]
    marks = tmp_path / "marks"

    def state() -> str:
        table = "ukcloud_maintenance_run"
        return installation.query(f"select state from {table} where id=?", run)[0][0]

    for _ in range(12):
        if state() != "running":
            break
        worker = installation.start_worker()
        time.sleep(chance.uniform(1.5, 5))
        worker.kill()
        worker.wait()
        disabled = [host for host in HOSTS if service_of(nova, host)["status"] == "disabled"]
        assert len(disabled) <= 1
    installation.start_worker()
    installation.wait(lambda: state() != "running", "the run is over", 240)
    assert state() == "succeeded", installation.run("maintenance_run", "status", str(run)).stdout
    assert Counter(marks.read_text().split()) == Counter(HOSTS)
    assert {service_of(nova, host)["status"] for host in HOSTS} == {"enabled"}

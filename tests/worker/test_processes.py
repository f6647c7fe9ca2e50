"""Workers in processes of their own: killed, stopped, robbed of answers, and side by side."""

import json
import random
import signal
import time
from collections import Counter

import pytest
import yaml

from tests.worker.driving import SETTINGS, Installation

pytestmark = pytest.mark.timeout(900)

#: The settings of a worker that waits for an answer that is held back.
PATIENT = json.dumps(SETTINGS | {"API_TIMEOUT_SECONDS": 30, "SUBMIT_GRACE_SECONDS": 40})


@pytest.fixture
def installed(nova, tmp_path):
    installation = Installation(nova, tmp_path)
    yield installation
    installation.close()


@pytest.fixture
def since(nova):
    """The number of the newest request before the test: what comes after it is the test's."""
    return nova.mark()


def posts(nova, since: int) -> Counter:
    """The requests for a live migration that reached Nova's front door, by server."""
    return Counter(
        entry["path"].split("/servers/")[1].split("/")[0]
        for entry in nova.requests(since)
        if entry["action"] == "os-migrateLive"
    )


def live_migrations(nova, servers) -> list[int]:
    return [
        sum(m["migration_type"] == "live-migration" for m in nova.migrations(server))
        for server in servers
    ]


def events(installed, kind: str) -> int:
    table = "ukcloud_maintenance_event"
    return installed.query(f"select count(*) from {table} where kind=?", kind)[0][0]


def drained(installed, drain_id: int, servers) -> dict:
    installed.wait(lambda: installed.state(drain_id) == "succeeded", "drained", 180)
    status = installed.status(drain_id)
    assert {m["state"] for m in status["instances"]} == {"succeeded"}
    assert live_migrations(installed.nova, servers) == [1] * len(servers)
    return status


def test_killed_between_the_intent_and_the_answer_it_adopts_what_nova_has(nova, installed, since):
    servers = nova.create_servers(["a", "b"], host="cmp1")
    fault = nova.fault(method="POST", body="os-migrateLive", hold_after=60)
    drain_id = installed.drain("cmp1")
    worker = installed.start_worker()
    fault.wait_passed()
    assert "submitted" in installed.states(drain_id), "the intent is recorded first"
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    fault.remove()
    installed.start_worker()
    drained(installed, drain_id, servers)
    assert events(installed, "adopted") == 1
    assert set(posts(nova, since).values()) == {1}, "a request was sent twice"


def test_killed_before_nova_got_the_request_it_is_sent_again_after_a_time(nova, installed):
    servers = nova.create_servers(["a"], host="cmp2")
    fault = nova.fault(method="POST", body="os-migrateLive", hold_before=60, answer=503)
    drain_id = installed.drain("cmp2")
    worker = installed.start_worker()
    fault.wait_hit()
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    fault.remove()
    installed.start_worker()
    status = drained(installed, drain_id, servers)
    assert status["instances"][0]["attempts"] == 2
    assert events(installed, "adopted") == 0


@pytest.mark.parametrize("loss", [{"lose": True}, {"replace": 502}])
def test_a_lost_answer_is_not_a_reason_to_ask_twice(nova, installed, since, loss):
    servers = nova.create_servers(["a", "b"], host="cmp3")
    nova.fault(method="POST", body="os-migrateLive", **loss)
    drain_id = installed.drain("cmp3")
    installed.start_worker()
    drained(installed, drain_id, servers)
    assert events(installed, "adopted") == 1
    assert set(posts(nova, since).values()) == {1}, "a request was sent twice"


def test_sigterm_finishes_the_pass_in_hand(nova, installed):
    nova.create_servers(["a"], host="cmp13", play="rate=40000000")
    fault = nova.fault(method="POST", body="os-migrateLive", hold_after=3)
    drain_id = installed.drain("cmp13")
    worker = installed.start_worker(TEST_MAINTENANCE=PATIENT)
    fault.wait_passed()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    migration = installed.status(drain_id)["instances"][0]
    assert migration["state"] == "migrating", "the answer was recorded before it left"
    installed.start_worker()
    installed.wait(lambda: installed.state(drain_id) == "succeeded", "drained")


def test_a_second_sigterm_leaves_at_once(nova, installed):
    nova.create_servers(["a"], host="cmp5")
    fault = nova.fault(method="POST", body="os-migrateLive", hold_after=60)
    installed.drain("cmp5")
    worker = installed.start_worker(TEST_MAINTENANCE=PATIENT)
    fault.wait_passed()
    worker.send_signal(signal.SIGTERM)
    installed.wait(lambda: "stopping worker=" in installed.log.read_text(), "it was told")
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 128 + signal.SIGTERM
    fault.remove()


def test_workers_killed_again_and_again_lose_nothing(nova, installed, since):
    chance = random.Random(20260102)
    servers = nova.create_servers([f"s{n}" for n in range(5)], host="cmp6")
    drain_id = installed.drain("cmp6", "--max-concurrent", "2")
    for _ in range(4):
        worker = installed.start_worker()
        time.sleep(chance.uniform(2.5, 5))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    installed.start_worker()
    drained(installed, drain_id, servers)


def test_two_workers_share_the_drains_and_move_nothing_twice(nova, installed, since):
    first = nova.create_servers(["a1", "a2", "a3"], host="cmp7")
    second = nova.create_servers(["b1", "b2", "b3"], host="cmp8")
    installed.start_worker()
    installed.start_worker()
    one, two = installed.drain("cmp7"), installed.drain("cmp8")
    for drain_id in (one, two):
        installed.wait(lambda d=drain_id: installed.state(d) == "succeeded", "drained", 180)
    counted = posts(nova, since)
    # A server may land on the other host while it is not disabled yet, and has to leave again.
    assert all(
        counted[s] == n
        for s, n in zip(first + second, live_migrations(nova, first + second), strict=True)
    )
    for drain_id in (one, two):
        assert {m["attempts"] for m in installed.status(drain_id)["instances"]} == {1}


def test_a_worker_that_may_not_log_in_says_so(nova, installed, tmp_path):
    clouds = yaml.safe_load(nova.clouds_yaml.read_text())
    clouds["clouds"]["worker"]["auth"]["password"] = "wrong"
    bad = tmp_path / "clouds.yaml"
    bad.write_text(yaml.safe_dump(clouds))
    nova.create_servers(["a"], host="cmp9")
    installed.drain("cmp9")
    installed.environment["OS_CLIENT_CONFIG_FILE"] = str(bad)
    installed.start_worker()

    def problem() -> str:
        found = installed.query("select problem from ukcloud_maintenance_worker")
        return found[0][0] if found else ""

    installed.wait(lambda: "401" in problem(), "the problem is reported")

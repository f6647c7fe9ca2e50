"""Faults of the API, the request log, and hosts that stop, freeze and come back."""

import time

import pytest
import requests
from keystoneauth1 import exceptions

from tests.cloud.watching import watch

MIB = 1024**2


def up(cloud, host: str) -> bool:
    return cloud.service(host)["state"] == "up"


def test_answered_instead_of_nova(cloud):
    with (
        cloud.fault(method="GET", path="/os-services", answer=503),
        pytest.raises(exceptions.ServiceUnavailable),
    ):
        cloud.nova.get("/os-services")
    assert cloud.nova.get("/os-services").status_code == 200


def test_skips_and_counts(cloud):
    with cloud.fault(method="GET", path="/flavors$", answer=500, skip=1, times=2) as fault:
        codes = [cloud.nova.get("/flavors", raise_exc=False).status_code for _ in range(4)]
        assert codes == [200, 500, 500, 200]
        assert (fault.hits, fault.passed) == (2, 0)


def test_the_answer_gets_lost_but_nova_did_it(cloud):
    server = cloud.create_server("lost", host="cmp1")
    body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    with cloud.fault(method="POST", path="/action$", body="os-migrateLive", lose=True) as fault:
        with pytest.raises(exceptions.ConnectFailure):
            cloud.nova.post(f"/servers/{server}/action", json=body, connect_retries=0)
        assert fault.passed == 1
    assert watch(cloud, server).record["status"] == "completed"
    actions = cloud.nova.get(f"/servers/{server}/os-instance-actions").json()["instanceActions"]
    assert [a["action"] for a in actions].count("live-migration") == 1


def test_a_bad_gateway_after_nova_did_it(cloud):
    server = cloud.create_server("gateway", host="cmp1")
    with (
        cloud.fault(method="POST", path="/action$", replace=502),
        pytest.raises(exceptions.BadGateway),
    ):
        cloud.action(server, {"os-migrateLive": {"host": None, "block_migration": "auto"}})
    assert watch(cloud, server).record["status"] == "completed"


def test_the_answer_is_held_back(cloud):
    server = cloud.create_server("held", host="cmp1")
    token = cloud.session().get_token()
    with cloud.fault(method="POST", path=f"{server}/action$", hold_after=30) as fault:
        with pytest.raises(requests.Timeout):
            requests.post(
                f"{cloud.url}/compute/v2.1/servers/{server}/action",
                json={"pause": None},
                headers={"X-Auth-Token": token},
                timeout=2,
                proxies={"http": ""},
            )
        fault.wait_passed()
        assert fault.passed == 1
    cloud.wait_for_server(server, "PAUSED")


def test_held_before_nova_sees_it(cloud):
    server = cloud.create_server("held-before", host="cmp1")
    token = cloud.session().get_token()
    with cloud.fault(method="POST", path=f"{server}/action$", hold_before=30) as fault:
        with pytest.raises(requests.Timeout):
            requests.post(
                f"{cloud.url}/compute/v2.1/servers/{server}/action",
                json={"pause": None},
                headers={"X-Auth-Token": token},
                timeout=1,
                proxies={"http": ""},
            )
        fault.wait_hit()
        assert (fault.hits, fault.passed) == (1, 0)
        assert cloud.server(server)["status"] == "ACTIVE"


def test_request_log(cloud):
    server = cloud.create_server("logged", host="cmp1")
    marker = cloud.mark()
    session = cloud.session("worker")
    session.get(
        f"/servers/{server}?a=b",
        endpoint_filter={"service_type": "compute"},
        user_agent="somebody",
    )
    cloud.action(server, {"pause": None})
    rows = cloud.requests(since=marker, exclude_user_agent="^$")
    get = next(row for row in rows if row["user_agent"].startswith("somebody"))
    assert (get["method"], get["status"]) == ("GET", 200)
    assert get["path"] == f"/compute/v2.1/servers/{server}?a=b"
    post = next(row for row in rows if row["method"] == "POST")
    assert post["action"] == "pause"
    assert post["request_id"].startswith("req-")
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert all("test" not in row["user_agent"] for row in cloud.requests(since=marker))


def test_control_wants_json(cloud):
    answer = requests.post(f"{cloud.url}/demo/faults", data="{}", proxies={"http": ""}, timeout=9)
    assert answer.status_code == 400


def test_a_frozen_host_goes_down_and_thaws(cloud):
    assert up(cloud, "cmp11")
    cloud.control_host("cmp11", "freeze")
    try:
        assert cloud.host_states()["cmp11"] == "frozen"
        cloud.wait(lambda: not up(cloud, "cmp11"), "cmp11 is down")
        assert up(cloud, "cmp1")
    finally:
        cloud.control_host("cmp11", "thaw")
    cloud.wait(lambda: up(cloud, "cmp11"), "cmp11 is up again")


def test_a_stopped_host_cancels_its_queue_and_comes_back_with_its_servers(cloud):
    slow = f"rate={16 * MIB}"
    first, second = cloud.create_servers(["stop-1", "stop-2"], host="cmp3", play=slow)
    cloud.live_migrate(first)
    cloud.wait_for_migration(first, "running")
    cloud.live_migrate(second)
    cloud.wait_for_migration(second, "queued")
    cloud.control_host("cmp3", "stop")
    cloud.wait_for_migration(second, "cancelled")
    time.sleep(1)
    assert cloud.migrations(first)[0]["status"] == "running"

    cloud.control_host("cmp3", "start")
    cloud.wait_for_migration(first, "error")
    for server in (first, second):
        assert cloud.wait_for_server(server, "ACTIVE")["OS-EXT-SRV-ATTR:host"] == "cmp3"
    cloud.delete_server(first, second)


def test_forced_down_by_the_api(cloud):
    service = cloud.service("cmp12")
    cloud.nova.put(f"/os-services/{service['id']}", json={"forced_down": True})
    assert not up(cloud, "cmp12")
    cloud.nova.put(f"/os-services/{service['id']}", json={"forced_down": False})
    cloud.wait(lambda: up(cloud, "cmp12"), "cmp12 is up again")

"""Canaries on a real Nova and Placement, with simulated hypervisors."""

import json
import random
import sys
import time
from collections import Counter

import pytest
from keystoneauth1.adapter import Adapter

from tests.worker.conftest import _taken_for_disabled
from tests.worker.driving import SETTINGS, Installation, Passes, servers_on, service_of
from tests.worker.test_runs import ACTOR, Worker, stages, told
from ukcloud_maintenance import services
from ukcloud_maintenance.cloud.building import DISABLED
from ukcloud_maintenance.core.run.canary import PREFIX
from ukcloud_maintenance.core.run.states import HostVerb
from ukcloud_maintenance.demo.standins import IMAGE_ID
from ukcloud_maintenance.messages import english

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]


@pytest.fixture
def worker(passes: Passes, nova, settings, tmp_path):
    def made(flavor: str, **more) -> Worker:
        settings.UKCLOUD_MAINTENANCE = {
            **SETTINGS,
            "VERIFY_SECONDS": 5,
            "ACTIONS_DIRECTORY": str(tmp_path / "records"),
            "ACTIONS": {
                "nothing": {
                    "command": [sys.executable, "-c", "pass"],
                    "checks": ["canary"],
                    "settle": 0.5,
                }
            },
            "CANARY": {"image": IMAGE_ID, "flavor": flavor, **more},
        }
        return Worker(passes)

    return made


def traits_of(nova, cloud, host: str) -> list[str]:
    placement = Adapter(nova.session(), service_type="placement", interface="public")
    [provider] = [one.id for one in cloud.hypervisors_of(host)]
    path = f"/resource_providers/{provider}/traits"
    return placement.get(path, microversion="1.29").json()["traits"]


def canaries(nova) -> list[dict]:
    found = nova.nova.get("/servers/detail?all_tenants=1").json()["servers"]
    return [one for one in found if one["name"].startswith(PREFIX)]


def until(condition, timeout: float = 60):
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_a_disabled_host_takes_what_names_it_and_nothing_else(nova, passes):
    """What the check stands on: without the trait, with a zone and a host."""
    cloud, host = passes.cloud, "st13"
    service = service_of(nova, host)
    cloud.disable_service(service["id"], "new kernel")
    until(lambda: DISABLED in traits_of(nova, cloud, host))
    [provider] = [one.id for one in cloud.hypervisors_of(host)]
    about = {"image": IMAGE_ID, "flavor": nova.flavor(), "network": "none", "metadata": {}}

    def built(place: str) -> dict:
        server = cloud.build_server(f"{PREFIX}{place.replace(':', '-')}", place, **about)
        until(lambda: nova.server(server)["status"] != "BUILD")
        return nova.server(server)

    refused = built(f"az1:{host}")
    assert refused["status"] == "ERROR"
    assert "No valid host" in refused["fault"]["message"]

    cloud.mark_disabled(provider, False)
    assert DISABLED not in traits_of(nova, cloud, host)
    body = {"name": "others", "imageRef": IMAGE_ID, "flavorRef": nova.flavor(), "networks": "none"}
    answer = nova.nova.post(
        "/servers", json={"server": {**body, "host": host}}, microversion="2.87"
    )
    others = answer.json()["server"]["id"]
    until(lambda: nova.server(others)["status"] != "BUILD")
    assert nova.server(others)["status"] == "ERROR"  # its service is disabled, and it is filtered

    canary = built(f"az1:{host}")
    assert (canary["status"], canary["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", host)
    assert service_of(nova, host)["status"] == "disabled"
    cloud.mark_disabled(provider, True)
    assert DISABLED in traits_of(nova, cloud, host)
    for one in (refused["id"], canary["id"]):
        cloud.delete_server(one)
    until(lambda: canaries(nova) == [])


def test_a_run_builds_one_on_each_host_and_leaves_none(worker, nova):
    nova.create_servers(["kept"], host="st14")
    one = worker(nova.flavor())

    def watch(report):
        for server in canaries(nova):
            if host := server["OS-EXT-SRV-ATTR:host"]:
                assert service_of(nova, host)["status"] == "disabled"
        return report if report.is_over else None

    run = one.request("st14", "st15", action="nothing")
    report = one.until(run, watch)
    assert report.run.state == "succeeded", told(report)
    # by Nova's own record: one was built on each
    gone = nova.nova.get("/servers/detail?all_tenants=1&deleted=true").json()["servers"]
    mine = [
        event.message for event in services.run_record(ACTOR, run) if event.kind == "run_canary"
    ]
    assert [said.values["said"].code for said in mine] == [
        "run_canary_built",
        "run_canary_fine",
    ] * 2
    names = [server["name"] for server in gone if server["name"].startswith(PREFIX)]
    tokens = {row.before["canary"]["token"] for row in report.hosts}
    assert sorted(name for name in names if name.removeprefix(PREFIX) in tokens) == sorted(
        PREFIX + token for token in tokens
    )
    assert canaries(nova) == []
    for host in ("st14", "st15"):
        assert service_of(nova, host)["status"] == "enabled"
        until(lambda host=host: DISABLED not in traits_of(nova, one.cloud, host))


def test_a_host_that_cannot_run_it_stays_out_and_says_why(worker, nova):
    one = worker(nova.flavor(ram_mib=4_000_000))
    run = one.request("st12", action="nothing")
    report = one.until(run, lambda r: r if r.run.state == "stopped" else None)
    assert "No valid host was found" in english(report.hosts[0].message)
    assert canaries(nova) == []
    assert service_of(nova, "st12")["status"] == "disabled"
    assert DISABLED in traits_of(nova, one.cloud, "st12")
    assert servers_on(nova, "st12") == []

    # with one that fits there
    worker(nova.flavor())
    services.steer_host(ACTOR, run.pk, "st12", HostVerb.RETRY)
    report = one.until_over(run)
    assert stages(report) == {"st12": "done"}, told(report)
    assert canaries(nova) == []


def test_workers_that_are_killed_again_and_again_leave_none(nova, tmp_path):
    action = {"command": [sys.executable, "-c", "pass"], "checks": ["canary"], "settle": 0.5}
    given = {
        **SETTINGS,
        "VERIFY_SECONDS": 5,
        "ACTIONS": {"nothing": action},
        "ACTIONS_DIRECTORY": str(tmp_path / "records"),
        "CANARY": {"image": IMAGE_ID, "flavor": nova.flavor()},
    }
    installation = Installation(nova, tmp_path, TEST_MAINTENANCE=json.dumps(given))
    try:
        started = installation.run(
            *("maintenance_run", "start", "--hosts", "cmp12", "cmp13", "--action", "nothing"),
            *("--reason", "new kernel", "--json"),
        )
        run = json.loads(started.stdout)["id"]

        def state() -> str:
            table = "ukcloud_maintenance_run"
            return installation.query(f"select state from {table} where id=?", run)[0][0]

        def stages() -> list[str]:
            table = "ukcloud_maintenance_runhost"
            return [s for (s,) in installation.query(f"select stage from {table}")]

        # a fixed seed: where it is cut off depends on the machine all the same
        chance = random.Random(7)
        for _ in range(10):
            if state() != "running":
                break
            worker = installation.start_worker()
            installation.wait(lambda: stages() != ["draining", "waiting"], "it is on its way")
            time.sleep(chance.uniform(1, 3))
            worker.kill()
            worker.wait()
            names = Counter(one["name"] for one in canaries(nova))
            assert max(names.values(), default=0) <= 1
        installation.start_worker()
        installation.wait(lambda: state() != "running", "the run is over", 240)
        shown = installation.run("maintenance_run", "status", str(run)).stdout
        assert state() == "succeeded", shown
        assert canaries(nova) == []
        assert {service_of(nova, host)["status"] for host in ("cmp12", "cmp13")} == {"enabled"}
        until(lambda: _taken_for_disabled(nova, nova.adapter("placement")) == [])
    finally:
        installation.close()

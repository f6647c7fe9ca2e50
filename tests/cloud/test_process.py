"""The control plane as a process: restarts, kills, two at a time."""

import json
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cloud.watching import watch
from ukcloud_maintenance.demo.harness import DemoCloud, DemoCloudError

MIB = 1024**2


def test_servers_survive_being_stopped(own_cloud):
    cloud = own_cloud
    kept = {
        cloud.create_server("kept-1", host="cmp1"): ("ACTIVE", 1),
        cloud.create_server("kept-2", host="cmp1", state="PAUSED"): ("PAUSED", 3),
        cloud.create_server("kept-3", host="cmp10", state="SHUTOFF"): ("SHUTOFF", 4),
    }
    cloud.restart()
    for server, expected in kept.items():
        body = cloud.server(server)
        assert (body["status"], body["OS-EXT-STS:power_state"]) == expected
    # The driver knows them again: they can leave.
    first = next(iter(kept))
    cloud.live_migrate(first)
    assert watch(cloud, first).record["status"] == "completed"


def test_killed_in_the_middle_of_a_migration(own_cloud):
    cloud = own_cloud
    still = cloud.create_server("still", host="cmp10", state="PAUSED")
    server = cloud.create_server("in-flight", host="cmp10", play=f"rate={16 * MIB}")
    cloud.live_migrate(server)
    cloud.wait_for_migration(server, "running")
    cloud.restart(killed=True)
    cloud.wait_for_migration(server, "error")
    assert cloud.wait_for_server(server, "ACTIVE")["OS-EXT-SRV-ATTR:host"] == "cmp10"
    assert cloud.server(still)["status"] == "PAUSED"


def test_files(own_cloud):
    ready = json.loads((own_cloud.state / "ready.json").read_text())
    assert ready["pid"] == own_cloud.process.pid
    assert ready["url"] == own_cloud.url
    assert stat.S_IMODE(own_cloud.clouds_yaml.stat().st_mode) == 0o600
    own_cloud.stop()
    assert not (own_cloud.state / "ready.json").exists()


def test_a_busy_port_is_a_clear_error(cloud):
    second = DemoCloud(port=cloud.port)
    with pytest.raises(DemoCloudError, match=f"cannot listen on 127.0.0.1:{cloud.port}"):
        second.start()
    second.close()


def test_the_worker_is_an_admin(cloud):
    answer = cloud.adapter("compute", "worker").get("/servers/detail?all_tenants=1")
    assert answer.status_code == 200


def test_zones_and_capacity(cloud):
    zones = cloud.nova.get("/os-availability-zone/detail").json()["availabilityZoneInfo"]
    hosts = {zone["zoneName"]: set(zone["hosts"]) for zone in zones}
    assert hosts["az1"] == {"cmp1", "cmp2", "cmp3"}
    assert hosts["az2"] == {"cmp10", "cmp11", "cmp12"}
    candidates = cloud.adapter("placement").get(
        "/allocation_candidates?resources=VCPU:1,MEMORY_MB:64",
        headers={"OpenStack-API-Version": "placement 1.36"},
    )
    summaries = candidates.json()["provider_summaries"].values()
    assert {s["resources"]["MEMORY_MB"]["capacity"] for s in summaries} == {64 * 1024}


def test_it_ends_with_the_process_that_started_it(tmp_path):
    script = (
        "import pathlib, sys, time\n"
        "from ukcloud_maintenance.demo.harness import DemoCloud\n"
        "from ukcloud_maintenance.demo.config import CloudConfig, HostSpec\n"
        "config = CloudConfig(hosts=(HostSpec('cmp1', 'az1'),))\n"
        "cloud = DemoCloud(pathlib.Path(sys.argv[1]), config=config)\n"
        "cloud.start()\n"
        "print(cloud.process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    pid = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.1)

"""One real control plane for the tests of the worker."""

import contextlib
import sqlite3
import time
from dataclasses import replace

import pytest
from keystoneauth1.adapter import Adapter

from tests.worker import driving
from ukcloud_maintenance.demo.config import FAST, HostSpec
from ukcloud_maintenance.demo.databases import path_of
from ukcloud_maintenance.demo.harness import DemoCloud

#: One pair of hosts a test, so that no test waits for what another one left.
HOSTS = (
    *(HostSpec(f"cmp{n}", "az1") for n in range(1, 14)),
    *(HostSpec(f"st{n}", "az1") for n in range(1, 16)),
    HostSpec("big1", "az2"),
    HostSpec("big2", "az2"),
)


@pytest.fixture(scope="package")
def demo():
    with DemoCloud(config=replace(FAST, hosts=HOSTS, max_concurrent_live_migrations=2)) as cloud:
        yield cloud


@pytest.fixture
def nova(demo, settings, monkeypatch):
    """The demo cloud, with its worker's credentials in place and every service enabled."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(demo.clouds_yaml))
    settings.UKCLOUD_MAINTENANCE = driving.SETTINGS
    yield demo
    for service in demo.nova.get("/os-services?binary=nova-compute").json()["services"]:
        if service["status"] != "enabled":
            demo.nova.put(f"/os-services/{service['id']}", json={"status": "enabled"})
    servers = demo.nova.get("/servers?all_tenants=1").json()["servers"]
    demo.delete_server(*[s["id"] for s in servers])
    settle(demo)


def settle(demo: DemoCloud) -> None:
    """Leave nothing for the next test: what Nova holds for a server that was deleted on its way to
    another host it holds for ever, and its scheduler hears of a service that is enabled a moment
    later than the API."""
    placement = Adapter(demo.session(), service_type="placement", interface="public")
    with contextlib.closing(sqlite3.connect(path_of(demo.state, "placement"), timeout=60)) as db:
        held = db.execute("SELECT DISTINCT consumer_id FROM allocations").fetchall()
    for (consumer,) in held:
        placement.delete(f"/allocations/{consumer}", raise_exc=False)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (held := _taken_for_disabled(demo, placement)):
        # A nova-compute that looked down when its service was enabled was not told, and is not
        # before its next periodic task.
        for service in held:
            for status in ("disabled", "enabled"):
                demo.nova.put(f"/os-services/{service['id']}", json={"status": status})
        time.sleep(0.3)


def _taken_for_disabled(demo: DemoCloud, placement: Adapter) -> list[dict]:
    """The services that are enabled, of hosts that the scheduler takes for disabled."""
    found = placement.get(
        "/resource_providers?required=COMPUTE_STATUS_DISABLED", microversion="1.18"
    ).json()["resource_providers"]
    hosts = {one["name"].partition(".")[0] for one in found}
    if not hosts:
        return []
    services = demo.nova.get("/os-services?binary=nova-compute").json()["services"]
    return [s for s in services if s["host"] in hosts and s["state"] == "up"]


@pytest.fixture
def passes(nova):
    """Drives a drain to its end, pass by pass, in this process."""
    return driving.Passes(nova, sleep=time.sleep)

"""The zone of the demo that is there for a rolling run, with the servers that are seeded there."""

import collections
from dataclasses import replace

import pytest

from tests.worker.test_runs import ACTOR, Worker, stages, told
from tests.worker.test_runs import worker as worker_of_runs
from ukcloud_maintenance import services, store
from ukcloud_maintenance.demo.config import FAST, ROLLING_HOSTS, ROLLING_ZONE
from ukcloud_maintenance.demo.harness import DemoCloud
from ukcloud_maintenance.demo.seed import ROLLING, Seeder
from ukcloud_maintenance.messages import english

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]
#: Two to be rolled, and one that has room for what leaves them.
HOSTS = ROLLING_HOSTS[:3]
worker = worker_of_runs


@pytest.fixture(scope="module")
def demo():
    """A cloud of its own: those of tests have other hosts."""
    with DemoCloud(config=replace(FAST, hosts=HOSTS)) as cloud:
        Seeder(cloud, lambda text: None).run()
        yield cloud


def listed(demo: DemoCloud) -> list[dict]:
    return demo.nova.get("/servers/detail?all_tenants=1").json()["servers"]


def test_hosts_of_the_demo_are_rolled_to_the_end_and_nothing_leaves_their_zone(
    worker: Worker, demo: DemoCloud
):
    assert len(listed(demo)) == len(HOSTS) * len(ROLLING)
    first, second, _third = [host.name for host in HOSTS]
    run = worker.request(first, second, action="reboot")
    report = worker.until_over(run)
    assert report.run.state == "succeeded", told(report)
    assert stages(report) == {first: "done", second: "done"}
    # what came from the first host is counted where it had to leave the second one again
    moved = {h.host: store.counts([h.drain_id])[h.drain_id].total for h in report.hosts}
    assert {host.host: host.instances for host in report.hosts} == moved
    record = services.run_record(ACTOR, report.run)
    said = collections.Counter(english(one.message) for one in record)
    assert [line for line, times in said.items() if times > 1] == []
    servers = listed(demo)
    assert {(s["status"], s["pinned_availability_zone"]) for s in servers} == {
        ("ACTIVE", ROLLING_ZONE)
    }
    assert len(servers) == len(HOSTS) * len(ROLLING)
    Seeder(demo, lambda text: None).run()
    assert len(listed(demo)) == len(servers)

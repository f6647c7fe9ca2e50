"""How the whole stands, by a bounded number of queries, on each database."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.store.test_store import NOW, begin, create, end, row
from ukcloud_maintenance import store
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.models import Drain, HostMaintenance


def in_maintenance(drain: Drain) -> Drain:
    store.join_maintenance(drain, found_status="enabled", found_reason="", service_id="s1", now=NOW)
    return drain


def test_how_it_all_stands():
    failed = in_maintenance(begin(create("cmp1", ("a", "b"))))
    store.change_migration(row(failed), NOW, state=MigrationState.FAILED, message=text("No."))
    end(failed, DrainState.FAILED, DrainResult.INSTANCES_FAILED)
    in_maintenance(begin(create("cmp2", ("c",))))
    create("cmp3", ("d",), region="RegionTwo", now=NOW - timedelta(minutes=5))
    store.sign_of_life("w1", "ctl1", 1, NOW)
    store.sign_of_life("w2", "ctl2", 2, NOW - timedelta(hours=1), text("No access."))
    store.sign_of_life("w3", "ctl3", 3, NOW)
    store.worker_stopped("w3", NOW)
    now = NOW + timedelta(seconds=60)
    with CaptureQueriesContext(connection) as queries:
        found = store.condition(now)
    assert len(queries) == 9
    assert found.drains_by == {
        ("RegionOne", "failed"): 1,
        ("RegionOne", "running"): 1,
        ("RegionTwo", "pending"): 1,
    }
    assert found.instances_by == {("RegionOne", "pending"): 1, ("RegionTwo", "pending"): 1}
    drains = {one.drain.host: one for one in found.drains}
    assert {host: one.in_need for host, one in drains.items()} == {"cmp1": 1, "cmp2": 0, "cmp3": 0}
    assert drains["cmp1"].due_since is None, "it is over"
    assert drains["cmp3"].due_since == NOW - timedelta(minutes=5)
    hosts = {one.maintenance.host: one.verified_since for one in found.hosts}
    assert hosts == {"cmp1": NOW, "cmp2": None}, "cmp2 is being drained"
    assert [one.name for one in found.workers] == ["w1", "w2"]
    assert found.had_workers


def test_what_a_worker_has_and_what_is_put_off_is_not_due():
    drain = begin(create("cmp1", ("a",)))
    now = NOW + timedelta(seconds=60)
    assert store.claim("w1", now, 90)
    assert store.condition(now).drains[0].due_since is None
    store.release(drain, "w1", now + timedelta(seconds=5))
    assert store.condition(now).drains[0].due_since is None
    later = now + timedelta(seconds=65)
    assert store.condition(later).drains[0].due_since == now + timedelta(seconds=5)


def test_a_host_that_is_returned_is_not_verified():
    drain = in_maintenance(begin(create("cmp1", ("a",))))
    end(drain)
    HostMaintenance.objects.update(returning_since=NOW)
    [host] = store.condition(NOW).hosts
    assert host.verified_since is None


def test_of_nothing_there_is_nothing():
    found = store.condition(NOW)
    assert (found.drains_by, found.instances_by) == ({}, {})
    assert (found.drains, found.hosts, found.workers, found.had_workers) == ([], [], [], False)

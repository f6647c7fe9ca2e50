"""How the whole stands, by a bounded number of queries, on each database."""

from datetime import timedelta

from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from tests.store.test_store import NOW, begin, create, end, row
from ukcloud_maintenance import store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.run.states import RunState, Stage
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.models import Drain, HostMaintenance, Run

ALICE = Actor("id-of-alice", "alice")


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
    assert len(queries) == 13
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


def roll(*hosts: str, now=NOW, **more) -> Run:
    return store.create_run(
        hosts=[store.NewHost(host) for host in hosts],
        actor=ALICE,
        said=text("new kernel"),
        now=now,
        region="RegionOne",
        reason="new kernel",
        max_concurrent=1,
        **more,
    )


def fail(run: Run, host: str) -> None:
    row = next(one for one in store.run_hosts(run) if one.host == host)
    store.change_host(run, row, NOW, stage=Stage.DRAINING.value)
    store.change_host(run, row, NOW, stage=Stage.FAILED.value)


def test_how_the_runs_stand():
    over = roll("cmp1", "cmp2")
    for host in ("cmp1", "cmp2"):
        in_maintenance(begin(create(host, (host,))))
        fail(over, host)
    found = store.condition(NOW)
    assert found.run_hosts_by == {("RegionOne", "failed"): 2}
    assert found.left_failed == {}, "its run is not over"
    store.change_run(over, NOW, state=RunState.FAILED.value)
    going = roll("cmp3", "cmp4")
    fail(going, "cmp3")  # which was not drained at all, so that it is in service
    now = NOW + timedelta(seconds=60)
    found = store.condition(now)
    assert found.runs_by == {("RegionOne", "failed"): 1, ("RegionOne", "running"): 1}
    assert found.run_hosts_by == {("RegionOne", "failed"): 1, ("RegionOne", "waiting"): 1}
    assert found.left_failed == {"RegionOne": 2}
    assert [(one.run, one.due_since) for one in found.runs] == [(going, NOW)]
    HostMaintenance.objects.filter(host="cmp1").update(open_key=None, closed_at=NOW)
    assert store.condition(now).left_failed == {"RegionOne": 1}, "it is back in service"
    # and out again, which is no doing of that run
    HostMaintenance.objects.filter(host="cmp1").update(
        open_key=F("host_key"), closed_at=None, opened_at=now
    )
    assert store.condition(now).left_failed == {"RegionOne": 1}


def test_a_host_that_failed_twice_is_one_and_one_gone_on_without_counts():
    first = roll("cmp1")
    in_maintenance(begin(create("cmp1", ("a",))))
    fail(first, "cmp1")
    store.accept_failures(first)
    assert store.condition(NOW).left_failed == {"RegionOne": 1}
    store.change_run(first, NOW, state=RunState.FAILED.value)
    second = roll("cmp1")
    fail(second, "cmp1")
    store.change_run(second, NOW, state=RunState.FAILED.value)
    assert store.condition(NOW).left_failed == {"RegionOne": 1}


def test_a_run_that_a_worker_has_is_not_due():
    run = roll("cmp1")
    Run.objects.update(claimed_until=NOW + timedelta(seconds=90))
    later = NOW + timedelta(seconds=60)
    assert [one.due_since for one in store.condition(later).runs] == [None]
    Run.objects.update(claimed_until=None, next_pass_at=NOW + timedelta(seconds=30))
    [one] = store.condition(later).runs
    assert (one.run, one.due_since) == (run, NOW + timedelta(seconds=30))


def test_of_nothing_there_is_nothing():
    found = store.condition(NOW)
    assert (found.drains_by, found.instances_by) == ({}, {})
    assert (found.drains, found.hosts, found.workers, found.had_workers) == ([], [], [], False)
    assert (found.runs_by, found.run_hosts_by, found.left_failed, found.runs) == ({}, {}, {}, [])

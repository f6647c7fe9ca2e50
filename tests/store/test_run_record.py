"""Clearing the record of rolling runs, on SQLite, PostgreSQL and MariaDB."""

from datetime import datetime, timedelta
from functools import partial

import pytest

from tests.acted import act as act_as_worker
from tests.store.test_record import BEFORE, in_maintenance, over
from tests.store.test_store import NOW, ROUNDS, create
from ukcloud_maintenance import store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.run.states import ActionKind, RunState, Stage
from ukcloud_maintenance.models import Drain, Event, HostMaintenance, Run, RunAction, RunHost

ALICE = Actor("u1", "alice")


def new_run(*hosts: str, now: datetime = NOW) -> Run:
    return store.create_run(
        hosts=[store.NewHost(host) for host in hosts],
        actor=ALICE,
        said=message("run_requested", reason="kernel", count=len(hosts)),
        now=now,
        region="RegionOne",
        reason="kernel",
        max_concurrent=2,
    )


def ended(*hosts: str, days: float = 0, state: RunState = RunState.SUCCEEDED) -> Run:
    """A run that ended some days after NOW; its first host was acted on twice."""
    run = new_run(*hosts)
    first = store.run_hosts(run)[0]
    for stage in (Stage.DRAINING, Stage.READY):
        store.change_host(run, first, NOW, stage=stage.value)
    for number in (1, 2):
        made = act_as_worker(
            run,
            store.run_hosts(run)[0],
            NOW,
            name="reboot",
            kind=ActionKind.WEBHOOK,
            machine="",
            place="",
            event=("run_host_acting", "worker", None),
            before={},
        )
        assert made.number == number
    end = NOW + timedelta(days=days)
    if state is RunState.CANCELLED:
        store.change_run(run, end, state=RunState.CANCELLING.value)
    store.change_run(run, end, state=state.value)
    return run


def test_a_run_goes_with_all_that_is_its_own_and_nothing_else():
    old, young = ended("cmp1", "cmp2", days=29), ended("cmp1", days=31)
    expected = store.clear(BEFORE, dry_run=True)
    assert Run.objects.count() == 2
    found = store.clear(BEFORE)
    assert found == expected
    assert (found.runs, found.run_hosts, found.run_actions, found.events) == (1, 2, 2, 3)
    assert list(Run.objects.all()) == [young]
    assert {host.run_id for host in RunHost.objects.all()} == {young.pk}
    assert RunAction.objects.count() == 2
    assert not Event.objects.filter(run_id=old.pk).exists()
    assert Event.objects.filter(run=young).count() == 3
    assert store.clear(BEFORE) == store.Cleared()


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.CANCELLED])
def test_how_it_ended_does_not_matter(state):
    ended("cmp1", state=state)
    assert store.clear(BEFORE).runs == 1


def test_one_that_is_not_over_stays_however_old():
    run = new_run("cmp1", now=NOW - timedelta(days=9999))
    # a row that contradicts itself is no reason either
    Run.objects.filter(pk=run.pk).update(finished_at=NOW - timedelta(days=9000))
    assert store.clear(BEFORE) == store.Cleared()
    assert Run.objects.count() == 1


@pytest.mark.parametrize("by_drain", [True, False])
def test_one_with_a_host_in_maintenance_stays_whole(by_drain):
    run = ended("cmp1", "cmp2")
    drain = over()
    maintenance = in_maintenance(drain)
    given = {"drain": drain} if by_drain else {"maintenance": maintenance}
    RunHost.objects.filter(run=run, host="cmp1").update(**given)
    expected = store.clear(BEFORE, dry_run=True)
    found = store.clear(BEFORE)
    assert found == expected
    assert (found.runs, found.kept_runs, found.kept) == (0, 1, 1)
    assert RunHost.objects.count() == 2
    store.close_maintenance(maintenance, NOW)
    assert store.clear(BEFORE).runs == 1


def test_a_younger_run_outlives_its_drains_and_maintenances():
    run = ended("cmp1", days=31)
    drain = over()
    maintenance = in_maintenance(drain)
    store.close_maintenance(maintenance, NOW)
    RunHost.objects.update(drain=drain, maintenance=maintenance)
    found = store.clear(BEFORE)
    assert (found.drains, found.maintenances, found.runs) == (1, 1, 0)
    [host] = store.run_hosts(run)
    assert (host.drain_id, host.maintenance_id) == (None, None)
    assert not Drain.objects.exists()
    assert not HostMaintenance.objects.exists()


def test_events_of_drains_and_runs_are_told_apart():
    ended("cmp1")
    create("cmp2")
    assert store.clear(BEFORE).events == 3
    assert [event.kind for event in Event.objects.all()] == ["drain_requested"]


def test_two_at_once_remove_each_run_once(at_once):
    for number in range(6):
        ended(f"cmp{number}", f"other{number}")
    results = at_once([lambda: store.clear(BEFORE)] * 3)
    assert all(isinstance(result, store.Cleared) for result in results), results
    assert sum(result.runs for result in results) == 6
    assert sum(result.run_hosts for result in results) == 12
    for model in (Run, RunHost, RunAction, Event):
        assert not model.objects.exists()


def test_of_two_runs_that_want_a_host_at_once_one_has_it(at_once):
    for _ in range(ROUNDS):
        results = at_once([partial(new_run, "cmp1", "cmp2"), partial(new_run, "cmp2", "cmp3")])
        [made] = [found for found in results if isinstance(found, Run)]
        assert [type(found) for found in results if found is not made] == [store.HostInRun]
        assert list(Run.objects.all()) == [made]
        Run.objects.all().delete()

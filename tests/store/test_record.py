"""Reading and clearing the record, on SQLite, PostgreSQL and MariaDB."""

from datetime import timedelta

import pytest
from django.db.models import QuerySet

from tests.fakes import server
from tests.store.test_store import NOW, create, row
from ukcloud_maintenance import store
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.models import (
    Drain,
    Event,
    HostMaintenance,
    InstanceMigration,
    Plan,
)
from ukcloud_maintenance.store import retention

WORKER = "ctl1:4711:1772366400"
BEFORE = NOW + timedelta(days=30)


def over(host: str = "cmp1", days: float = 0, **more) -> Drain:
    """A drain of two instances that ended some days after NOW, with four events."""
    drain = create(host, **more)
    store.change_drain(drain, NOW, state=DrainState.RUNNING, started_at=NOW)
    store.record(drain, row(drain), NOW, "submitted", WORKER, "", "req-1")
    end = NOW + timedelta(days=days)
    store.finish_drain(drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED, "Over.", WORKER, end)
    store.record(drain, row(drain, "b"), NOW, "gone", WORKER, "")
    return drain


def kinds(found: "QuerySet[Event]") -> list[str]:
    return [event.kind for event in found]


# -- reading ---------------------------------------------------------------------------------


def test_events_are_found_by_instance_and_by_who_did_it():
    drain = over(days=1)
    store.record(drain, row(drain), NOW, "skipped", "alice", "")
    drain.migrations.filter(server_name="a").update(server_name="web-1")
    store.record(create("cmp2"), None, NOW, "drain_started", WORKER, "")
    every = ["drain_requested", "submitted", "gone", "skipped", "drain_failed"]

    assert kinds(store.find_events(drain)) == every
    assert kinds(store.find_events(drain, by_worker=True)) == ["submitted", "gone", "drain_failed"]
    assert kinds(store.find_events(drain, by_worker=False)) == ["drain_requested", "skipped"]
    assert kinds(store.find_events(drain, "WEB")) == ["submitted", "skipped"]
    assert kinds(store.find_events(drain, "web", by_worker=False)) == ["skipped"]
    assert kinds(store.find_events(drain, server("b", "cmp1").id[:20].upper())) == ["gone"]
    assert kinds(store.find_events(drain, server("b", "cmp1").id[1:20])) == []  # not by chance
    assert kinds(store.find_events(drain, "%")) == []


@pytest.mark.parametrize(
    ("actor", "is_worker"),
    [
        (WORKER, True),
        ("node.example.org:1:1772366400", True),
        ("by-hand", True),  # it reports as a worker
        ("alice", False),
        ("root (shell)", False),
        ("alice (domain:1:2)", False),
        ("a:1:2", False),
        ("", False),
    ],
)
def test_a_worker_is_known_by_its_report_or_by_its_name(actor, is_worker):
    store.sign_of_life("by-hand", "h", 1, NOW)
    assert store.workers_among([actor]) == ({actor} if is_worker else set())


def test_another_event_gives_the_record_another_name():
    drain = create()
    names = [store.newest_event(drain.pk)]
    store.record(create("cmp2"), None, NOW, "drain_started", WORKER, "")
    assert store.newest_event(drain.pk) == names[0]
    store.record(drain, None, NOW, "limit_learned", WORKER, "")
    names.append(store.newest_event(drain.pk))
    # one that was begun before and committed after
    newest = Event.objects.filter(drain=drain).order_by("-pk").first()
    Event.objects.filter(pk=newest.pk).update(id=newest.pk + 100)
    names.append(store.newest_event(drain.pk))
    store.record(drain, None, NOW, "late", WORKER, "")
    names.append(store.newest_event(drain.pk))
    assert len(set(names)) == len(names)
    assert store.newest_event(10**9) == "0-0"


# -- clearing --------------------------------------------------------------------------------


def test_a_drain_goes_with_all_that_is_its_own_and_nothing_else():
    old, young = over(days=29), over("cmp2", days=31)
    found = store.clear(BEFORE)
    assert (found.drains, found.instances, found.events) == (1, 2, 4)
    assert list(Drain.objects.all()) == [young]
    assert InstanceMigration.objects.count() == 2
    assert Event.objects.count() == 4
    assert not Event.objects.filter(drain_id=old.pk).exists()
    assert store.clear(BEFORE).drains == 0


def test_many_go_in_batches(monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 3)
    for number in range(8):
        over(f"cmp{number}")
    assert store.clear(BEFORE, dry_run=True).drains == 8
    assert store.clear(BEFORE).drains == 8
    assert not Drain.objects.exists()


def test_an_open_drain_stays_however_old():
    drain = create(now=NOW - timedelta(days=9999))
    # a row that contradicts itself is no reason either
    Drain.objects.filter(pk=drain.pk).update(finished_at=NOW - timedelta(days=9000))
    assert store.clear(BEFORE) == store.Cleared()
    assert Drain.objects.count() == 1


def test_one_that_is_taken_up_again_meanwhile_stays_whole(monkeypatch):
    """A retry comes between the look and the removal."""
    drain = over()
    plain = retention._clear_drain

    def retried_first(drain_id, goes, found):
        store.change_drain(
            drain, NOW, state=DrainState.RUNNING, finished_at=None, open_key=drain.host_key
        )
        return plain(drain_id, goes, found)

    monkeypatch.setattr(retention, "_clear_drain", retried_first)
    assert store.clear(BEFORE) == store.Cleared()
    assert (Drain.objects.count(), InstanceMigration.objects.count()) == (1, 2)
    assert Event.objects.count() == 4


def in_maintenance(drain: Drain) -> HostMaintenance:
    return store.join_maintenance(
        drain, found_status="enabled", found_reason="", service_id="s", now=NOW
    )


def test_a_maintenance_goes_when_it_is_closed_and_has_no_drain_left():
    first, second, third = over("cmp1"), over("cmp2", days=31), over("cmp3")
    closed, needed, still_open = [in_maintenance(d) for d in (first, second, third)]
    for one in (closed, needed):
        store.close_maintenance(one, NOW)
    Event.objects.create(maintenance=closed, at=NOW, kind="returned", actor="alice")

    expected = store.clear(BEFORE, dry_run=True)
    found = store.clear(BEFORE)
    assert found == expected
    assert (found.drains, found.maintenances, found.events, found.kept) == (1, 1, 5, 1)
    assert set(HostMaintenance.objects.all()) == {needed, still_open}
    assert set(Drain.objects.all()) == {second, third}


def test_a_maintenance_that_was_closed_lately_stays():
    drain = over()
    maintenance = in_maintenance(drain)
    store.close_maintenance(maintenance, BEFORE + timedelta(days=1))
    found = store.clear(BEFORE)
    assert (found.drains, found.maintenances) == (1, 0)
    assert HostMaintenance.objects.get() == maintenance


def test_a_plan_goes_with_the_last_of_its_drains():
    def plan() -> Plan:
        return Plan.objects.create(
            region="RegionOne", reason="r", requested_by_id="u", requested_by="a", created_at=NOW
        )

    gone, needed = plan(), plan()
    for host, one, days in (("cmp1", gone, 0), ("cmp2", needed, 0), ("cmp3", needed, 31)):
        Drain.objects.filter(pk=over(host, days=days).pk).update(plan=one)
    assert store.clear(BEFORE, dry_run=True) == store.clear(BEFORE)
    assert list(Plan.objects.all()) == [needed]


def test_two_at_once_remove_each_drain_once(at_once):
    for number in range(6):
        over(f"cmp{number}")
    results = at_once([lambda: store.clear(BEFORE)] * 3)
    assert all(isinstance(result, store.Cleared) for result in results), results
    assert sum(result.drains for result in results) == 6
    assert not Drain.objects.exists()
    assert not Event.objects.exists()


def test_states_do_not_matter_but_the_end_does():
    drain = create()
    store.cancel_drain(drain, "alice", NOW)
    assert drain.state == DrainState.CANCELLED
    assert row(drain).state == MigrationState.CANCELLED
    assert store.clear(BEFORE).drains == 1

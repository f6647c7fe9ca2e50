"""Instances are brought back to a host after its return to service, against a real Nova."""

import pytest
from django.utils import timezone

from tests.worker.driving import rows_by_name, servers_on, service_of
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.worker.host import HostReconciler

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]


def give_back(passes, host, **more):
    """Ask for the return, and let a worker see to it."""
    request = services.ReturnRequest(host, bring_back=True, **more)
    maintenance = services.return_host(shell_actor(), passes.cloud, request)
    run = services.return_run(shell_actor(), maintenance)
    return maintenance, run


def work(passes, maintenance):
    for _ in range(30):
        found = store.open_maintenance(maintenance.region, maintenance.host)
        if found is None:
            return
        HostReconciler(passes.cloud, "worker", timezone.now).run(found)
        passes.sleep(0.3)
    raise AssertionError("the host was not given back")


def test_instances_come_back_after_the_host_did_and_not_before(nova, passes):
    live = nova.create_servers(["a", "b"], host="st1")
    off = nova.create_server("off", host="st1", state="SHUTOFF")
    assert passes.until_over(passes.ask("st1")).state == "succeeded"
    maintenance, run = give_back(passes, "st1")
    for _ in range(3):
        run = passes.one(run)
    assert run.state == "pending"
    assert servers_on(nova, "st1") == []
    work(passes, maintenance)
    assert service_of(nova, "st1")["status"] == "enabled"
    run = passes.until_over(run)
    assert (run.state, run.result) == ("succeeded", "brought_back"), run.message
    assert set(servers_on(nova, "st1")) == {*live, off}
    assert nova.server(off)["status"] == "SHUTOFF"
    rows = rows_by_name(run)
    assert {r.method for r in rows.values()} == {"live", "cold"}
    for row in rows.values():
        assert (row.state, row.dest_compute) == ("succeeded", "st1")
        assert row.source_compute != "st1"
    # away and back: twice, and each of them once
    for server in live:
        assert [m["status"] for m in nova.migrations(server)] == ["completed"] * 2


def test_what_cannot_come_back_is_named_and_the_return_stands(nova, passes):
    stubborn = nova.create_server("stubborn", host="st2", play="fail-destination-check to=st2")
    other = nova.create_server("other", host="st2")
    assert passes.until_over(passes.ask("st2")).state == "succeeded"
    maintenance, run = give_back(passes, "st2")
    work(passes, maintenance)
    run = passes.until_over(run)
    rows = rows_by_name(run)
    assert (run.state, run.result) == ("failed", "instances_failed")
    assert (rows["stubborn"].state, rows["stubborn"].attempts) == ("failed", 2)
    assert "Nova:" in english(rows["stubborn"].message)
    assert servers_on(nova, "st2") == [other]
    assert nova.host_of(stubborn) != "st2"
    assert service_of(nova, "st2")["status"] == "enabled"
    assert "1 of 2" in english(run.message)


def test_a_run_back_is_steered_like_a_drain(nova, passes):
    nova.create_servers(["a", "b", "c"], host="st4", play="rate=100000000 to=st4")
    assert passes.until_over(passes.ask("st4")).state == "succeeded"
    maintenance, run = give_back(passes, "st4", max_concurrent=1)
    work(passes, maintenance)
    run = passes.until(run, lambda d: any(r.state == "migrating" for r in store.migrations(d)))
    services.pause_drain(shell_actor(), run.pk)
    run = passes.until(run, lambda d: not any(r.state == "migrating" for r in store.migrations(d)))
    assert sorted(r.state for r in store.migrations(run)).count("pending") == 2
    services.resume_drain(shell_actor(), run.pk)
    run = passes.until(run, lambda d: any(r.state == "migrating" for r in store.migrations(d)))
    services.cancel_drain(shell_actor(), run.pk)
    run = passes.until_over(run)
    assert run.state == "cancelled"
    states = sorted(r.state for r in store.migrations(run))
    assert states == ["cancelled", "succeeded", "succeeded"]
    assert service_of(nova, "st4")["status"] == "enabled", "the return stands"


def test_a_host_that_is_disabled_again_gets_nothing_more_until_it_is_enabled(nova, passes):
    server = nova.create_server("a", host="st5")
    assert passes.until_over(passes.ask("st5")).state == "succeeded"
    maintenance, run = give_back(passes, "st5")
    work(passes, maintenance)
    service = service_of(nova, "st5")
    nova.nova.put(
        f"/os-services/{service['id']}", json={"status": "disabled", "disabled_reason": "fan"}
    )
    for _ in range(4):
        run = passes.one(run)
    assert nova.host_of(server) != "st5"
    assert "disabled" in english(run.message)
    nova.nova.put(f"/os-services/{service['id']}", json={"status": "enabled"})
    run = passes.until_over(run)
    assert (run.state, nova.host_of(server)) == ("succeeded", "st5")

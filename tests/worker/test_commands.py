"""The commands with the worker's own clouds.yaml and a real Nova; the worker takes a pass in
each pause of a command that waits."""

import pytest

from tests.commands.helpers import run
from tests.worker.driving import rows_by_name, servers_on, service_of
from ukcloud_maintenance import store
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.management.commands import _waiting
from ukcloud_maintenance.models import Drain, HostMaintenance, Plan
from ukcloud_maintenance.worker.host import HostReconciler

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]


@pytest.fixture
def at_work(passes, monkeypatch):
    """A worker that takes every open drain and every host in maintenance, one pass each, while a
    command waits."""
    real_sleep = _waiting.time.sleep

    def pause(seconds):
        for drain in Drain.objects.exclude(state__in=[s.value for s in DRAIN_TERMINAL]):
            passes.one(drain)
        for maintenance in HostMaintenance.objects.exclude(open_key=None):
            HostReconciler(passes.cloud, "worker", store.now).run(maintenance)
        real_sleep(0.5)

    # the module's own name for it, so that the gateway's sleeps stay what they are
    monkeypatch.setattr(_waiting, "time", _Time(pause, _waiting.time.monotonic))
    return passes


class _Time:
    def __init__(self, sleep, monotonic):
        self.sleep = sleep
        self.monotonic = monotonic


def test_hosts_of_a_zone_are_drained_as_one_plan(nova, at_work):
    servers = [nova.create_server(f"p{n}", host=f"big{n}") for n in (1, 2)]
    checked = run("drain_host", "--zone", "az2", "--dry-run", "--json")
    assert [document["host"] for document in checked.json] == ["big1", "big2"]
    for document in checked.json:
        assert "cmp1" in document["receivers"]
        assert not {"big1", "big2"} & set(document["receivers"])
    outcome = run("drain_host", "--zone", "az2", "--reason", "rack", "--wait", "--json")
    assert outcome.exit_code == 0, outcome.stdout + outcome.stderr
    assert [(d["host"], d["state"]) for d in outcome.json] == [
        ("big1", "succeeded"),
        ("big2", "succeeded"),
    ]
    assert {d["plan_id"] for d in outcome.json} == {Plan.objects.get().pk}
    for server in servers:
        assert [m["status"] for m in nova.migrations(server)] == ["completed"]
    assert servers_on(nova, "big1") == servers_on(nova, "big2") == []
    status = run("drain_status", "--plan", str(Plan.objects.get().pk), "--json").json
    assert (status["left"], status["total"], status["is_over"]) == (2, 2, True)


def test_an_abort_a_forced_completion_and_a_retry(nova, passes):
    nova.create_server("hang", host="st14", play="never-converges")
    assert run("drain_host", "st14", "--reason", "r").exit_code == 0
    drain = Drain.objects.get(host="st14")
    number = str(drain.pk)

    def runs(drain):
        return rows_by_name(drain)["hang"].attempt.nova_status == "running"

    drain = passes.until(drain, runs)
    first = rows_by_name(drain)["hang"].attempt.nova_migration_id
    assert run("drain_instance", "abort", number, "hang").exit_code == 0
    drain = passes.until(drain, lambda d: rows_by_name(d)["hang"].state == "failed")
    drain = passes.until_over(drain)
    assert run("drain_retry", number, "--instance", "hang").exit_code == 0
    drain = passes.until(
        drain, lambda d: runs(d) and rows_by_name(d)["hang"].attempt.nova_migration_id != first
    )
    outcome = run("drain_instance", "force-complete", number, "hang", "--yes", "--json")
    assert outcome.exit_code == 0, outcome.stdout
    drain = passes.until_over(drain)
    assert (drain.state, drain.result) == ("succeeded", "empty"), drain.message


def test_a_cancel_that_aborts_what_never_ends_and_gives_the_service_back(nova, at_work):
    nova.create_server("hang", host="st15", play="never-converges")
    run("drain_host", "st15", "--reason", "r")
    drain = Drain.objects.get(host="st15")
    at_work.until(drain, lambda d: rows_by_name(d)["hang"].attempt.nova_status == "running")
    assert service_of(nova, "st15")["status"] == "disabled"
    outcome = run("drain_cancel", str(drain.pk), "--abort", "--wait", "--json")
    assert outcome.exit_code == 0, outcome.stdout + outcome.stderr
    assert outcome.json["state"] == "cancelled"
    assert [row["state"] for row in outcome.json["instances"]] == ["cancelled"]
    assert service_of(nova, "st15")["status"] == "enabled"
    assert store.drain(drain.pk).cancel_enable is True

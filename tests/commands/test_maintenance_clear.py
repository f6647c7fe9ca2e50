"""`maintenance_clear`: what is long over goes, what is not stays."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.commands.helpers import begin, finish, run
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.run.states import RunState
from ukcloud_maintenance.core.states import DrainResult, DrainState
from ukcloud_maintenance.exceptions import ConfigurationError
from ukcloud_maintenance.models import Drain, InstanceMigration, Run, RunHost

pytestmark = pytest.mark.django_db


def over_since(days: float, host: str = "cmp1") -> Drain:
    assert run("drain_host", host, "--reason", "kernel update").exit_code == 0
    drain = Drain.objects.get(host=host, open_key__isnull=False)
    begin(drain)
    finish(drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED, "Over.")
    Drain.objects.filter(pk=drain.pk).update(finished_at=timezone.now() - timedelta(days=days))
    return drain


def left() -> set[int]:
    return set(Drain.objects.values_list("pk", flat=True))


def test_removes_what_is_older_than_the_setting_and_says_so(cloud):
    old, young = over_since(366), over_since(364)
    outcome = run("maintenance_clear")
    assert outcome.exit_code == 0
    assert "Removed 1 drain with 3 instances and 2 events, 0 maintenances" in outcome.stdout
    assert left() == {young.pk}
    assert not InstanceMigration.objects.filter(drain_id=old.pk).exists()


def test_the_setting_and_the_argument_name_the_days(cloud, settings):
    drain = over_since(20)
    settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, "KEEP_DAYS": 21}
    assert run("maintenance_clear", "--json").json["drains"] == 0
    assert run("maintenance_clear", "--older-than", "19", "--json").json["drains"] == 1
    assert drain.pk not in left()


def test_a_dry_run_counts_the_same_and_removes_nothing(cloud):
    drains = {over_since(400).pk, over_since(400, "cmp10").pk}
    tried = run("maintenance_clear", "--dry-run", "--json").json
    assert left() == drains
    assert (tried.pop("dry_run"), tried["drains"], tried["instances"]) == (True, 2, 3)
    assert "Would remove 2 drains" in run("maintenance_clear", "--dry-run").stdout
    done = run("maintenance_clear", "--json").json
    assert done.pop("dry_run") is False
    assert done == tried
    assert left() == set()


@pytest.mark.parametrize("days", ["0", "-5", "36501", "soon"])
def test_nonsense_is_refused_and_nothing_is_removed(cloud, days):
    drain = over_since(40000 if days == "36501" else 400)
    outcome = run("maintenance_clear", f"--older-than={days}", "--json")
    assert outcome.exit_code == 2
    assert outcome.json["error"]["code"] in ("days_out_of_range", "bad_arguments")
    assert left() == {drain.pk}


def test_what_is_under_way_is_never_removed(cloud):
    assert run("drain_host", "cmp1", "--reason", "old one").exit_code == 0
    Drain.objects.update(created_at=timezone.now() - timedelta(days=9999))
    assert run("maintenance_clear", "--older-than=1", "--json").json["drains"] == 0
    assert len(left()) == 1


def test_who_may_not_read_the_credentials_removes_nothing(cloud, monkeypatch):
    drain = over_since(400)

    def unreadable(region):
        raise ConfigurationError(text("clouds.yaml cannot be read"))

    monkeypatch.setattr(services, "connect_shell", unreadable)
    assert run("maintenance_clear").exit_code == 2
    assert left() == {drain.pk}


def run_over_since(days: float, *hosts: str) -> Run:
    """A rolling run that was cancelled."""
    now = timezone.now()
    made = Run.objects.create(
        region="RegionOne",
        reason="kernel update",
        max_concurrent=1,
        created_at=now,
        updated_at=now,
    )
    for position, host in enumerate(hosts):
        RunHost.objects.create(run=made, position=position, host=host, since=now)
    store.change_run(made, now, state=RunState.CANCELLING.value)
    store.change_run(made, now, state=RunState.CANCELLED.value)
    Run.objects.filter(pk=made.pk).update(finished_at=now - timedelta(days=days))
    return made


def test_rolling_runs_go_as_well(cloud):
    old, young = run_over_since(366, "cmp1"), run_over_since(364, "cmp1", "cmp2")
    tried = run("maintenance_clear", "--dry-run")
    assert "Would remove 1 rolling run with 1 host and 0 actions." in tried.stdout
    assert Run.objects.count() == 2
    assert "Removed 1 rolling run with 1 host and 0 actions." in run("maintenance_clear").stdout
    assert list(Run.objects.all()) == [young]
    assert not RunHost.objects.filter(run_id=old.pk).exists()
    found = run("maintenance_clear", "--older-than", "300", "--json").json
    assert (found["runs"], found["run_hosts"], found["run_actions"]) == (1, 2, 0)


def test_a_rolling_run_with_a_host_in_maintenance_is_kept_and_counted(cloud):
    drain = over_since(400)
    maintenance = store.join_maintenance(
        drain, found_status="enabled", found_reason="", service_id="s1", now=timezone.now()
    )
    made = run_over_since(400, "cmp1", "cmp2")
    RunHost.objects.filter(run=made, host="cmp1").update(maintenance=maintenance)
    outcome = run("maintenance_clear")
    assert "Kept 1 rolling run of that age: a host of it is still in maintenance." in outcome.stdout
    assert Run.objects.count() == 1

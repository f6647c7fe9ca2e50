"""`maintenance_check`: a plugin for Nagios."""

import json
import os
import re
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import OperationalError

from tests.commands.helpers import begin, finish, move, run, succeed
from tests.worker.driving import REPOSITORY
from ukcloud_maintenance import store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.message import lines, message, text
from ukcloud_maintenance.core.run.states import RunState, Stage
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.models import Drain, HostMaintenance, Run, host_key

# it looks in a thread of its own, which sees what is committed
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker():
    """One that is well."""
    store.sign_of_life("ctl1:1:1", "ctl1", 1, store.now())


@pytest.fixture
def drain(cloud, worker):
    assert run("drain_host", "cmp1", "--reason", "kernel update").exit_code == 0
    found = Drain.objects.get(host="cmp1")
    begin(found)
    Drain.objects.update(next_pass_at=store.now() + timedelta(seconds=5))
    return found


def line(outcome) -> str:
    assert outcome.stderr == ""
    [only] = outcome.stdout.splitlines()
    return only


def measured(outcome) -> dict[str, str]:
    return dict(part.split("=") for part in line(outcome).partition(" | ")[2].split())


def test_all_is_well(worker):
    outcome = run("maintenance_check")
    assert outcome.exit_code == 0
    assert line(outcome).startswith("MAINTENANCE OK - All is well. | workers=1;;;0 ")


def test_performance_data_is_as_plugins_write_it(drain):
    parts = line(run("maintenance_check")).partition(" | ")[2].split()
    form = r"[a-z_]+=\d+(\.\d+)?s?;\d*(\.\d+)?;\d*(\.\d+)?;0"
    assert [part for part in parts if not re.fullmatch(form, part)] == []
    assert "drains_open=1;;;0" in parts


def test_neither_openstack_nor_its_credentials_are_needed(worker, monkeypatch):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", "/nowhere")
    assert run("maintenance_check").exit_code == 0


# -- workers -----------------------------------------------------------------------------------


def test_no_worker_ever():
    outcome = run("maintenance_check")
    assert outcome.exit_code == 2
    assert "No worker has ever reported." in line(outcome)


def test_all_workers_were_stopped(worker):
    store.worker_stopped("ctl1:1:1", store.now())
    outcome = run("maintenance_check")
    assert outcome.exit_code == 2
    assert "all were stopped" in line(outcome)


def test_the_only_worker_is_silent():
    store.sign_of_life("ctl1:1:1", "ctl1", 1, store.now() - timedelta(minutes=10))
    outcome = run("maintenance_check")
    assert outcome.exit_code == 2
    assert "No worker is running: the last one, ctl1:1:1, reported 10 min ago." in line(outcome)
    assert run("maintenance_check", "--worker-silent", "3600").exit_code == 0


def test_a_silent_worker_is_not_hidden_by_one_that_is_well(worker):
    store.sign_of_life("ctl2:1:1", "ctl2", 1, store.now() - timedelta(minutes=10))
    outcome = run("maintenance_check")
    assert outcome.exit_code == 1
    assert "Worker ctl2:1:1 has been silent for 10 min." in line(outcome)
    assert measured(outcome)["workers"] == "1;;;0"


def test_a_silent_worker_is_said_after_somebody_was_told_of_it(worker):
    store.sign_of_life("ctl2:1:1", "ctl2", 1, store.now() - timedelta(minutes=10))
    [silent] = store.silent_workers(store.now(), 90)
    assert store.worker_is_silent(silent, "ctl1:1:1", store.now())
    outcome = run("maintenance_check")
    assert outcome.exit_code == 1
    assert "Worker ctl2:1:1 has been silent for 10 min." in line(outcome)


def test_a_problem_of_one_worker_is_not_hidden_by_one_that_is_well(worker):
    store.sign_of_life("ctl2:1:1", "ctl2", 1, store.now(), text("Keystone refuses us."))
    outcome = run("maintenance_check")
    assert outcome.exit_code == 1
    assert "Worker ctl2:1:1 reports a problem: Keystone refuses us." in line(outcome)
    store.sign_of_life("ctl1:1:1", "ctl1", 1, store.now(), text("Keystone refuses us."))
    assert run("maintenance_check").exit_code == 2, "no worker works"


@pytest.mark.parametrize("more", [(), (text("Keystone refuses us."),)])
def test_metrics_that_are_not_served_keep_no_worker_from_its_work(more):
    problem = message("metrics_not_served", address="127.0.0.1", port=9105, detail="in use")
    store.sign_of_life("ctl1:1:1", "ctl1", 1, store.now(), lines(problem, *more))
    outcome = run("maintenance_check")
    assert outcome.exit_code == (2 if more else 1)
    assert "cannot serve metrics at 127.0.0.1, port 9105" in line(outcome)


# -- drains ------------------------------------------------------------------------------------


def test_a_drain_that_needs_a_person(drain):
    move(drain, "web-1", MigrationState.UNKNOWN)
    outcome = run("maintenance_check")
    assert outcome.exit_code == 1
    assert f"Drain {drain.pk} of host cmp1 needs a person for 1 instance." in line(outcome)
    assert measured(outcome)["in_need"] == "1;1;;0"
    assert run("maintenance_check", "--in-need", "1,1").exit_code == 2
    assert run("maintenance_check", "--in-need", "2").exit_code == 0
    assert run("maintenance_check", "--in-need", "0").exit_code == 0


def test_a_drain_that_failed_needs_a_person_while_its_host_is_in_maintenance(drain):
    store.join_maintenance(
        drain, found_status="enabled", found_reason="", service_id="s", now=store.now()
    )
    move(drain, "web-1", MigrationState.FAILED)
    finish(drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED, "Failed.")
    assert "needs a person for 1 instance" in line(run("maintenance_check"))
    HostMaintenance.objects.update(closed_at=store.now(), open_key=None)
    assert run("maintenance_check").exit_code == 0


def test_a_drain_that_no_worker_looks_at(drain):
    assert run("maintenance_check").exit_code == 0
    Drain.objects.update(next_pass_at=store.now() - timedelta(minutes=10))
    outcome = run("maintenance_check")
    assert outcome.exit_code == 1
    assert f"No worker has looked at drain {drain.pk} of host cmp1 for 10 min." in line(outcome)
    assert run("maintenance_check", "--not-passed", "300,500").exit_code == 2
    Drain.objects.update(claimed_by="w", claimed_until=store.now() + timedelta(minutes=1))
    assert run("maintenance_check").exit_code == 0, "one looks at it right now"


def test_a_new_drain_without_a_worker_for_its_region(drain):
    Drain.objects.update(next_pass_at=None, updated_at=store.now() - timedelta(hours=1))
    outcome = run("maintenance_check")
    assert outcome.exit_code == 2
    assert "No worker has looked at drain" in line(outcome)


def test_a_drain_that_is_open_for_too_long(drain):
    Drain.objects.update(started_at=store.now() - timedelta(days=2))
    outcome = run("maintenance_check")
    assert outcome.exit_code == 1
    assert "has been open for 48.0 h" in line(outcome)
    assert run("maintenance_check", "--open-long", "0").exit_code == 0


def test_one_that_is_to_begin_later_is_not(drain):
    later = store.now() + timedelta(days=2)
    Drain.objects.update(
        started_at=None, start_at=later, created_at=store.now() - timedelta(days=9)
    )
    assert run("maintenance_check").exit_code == 0


def test_another_region_does_not_count(drain):
    move(drain, "web-1", MigrationState.UNKNOWN)
    assert run("maintenance_check", "--region", "RegionTwo").exit_code == 0
    assert run("maintenance_check", "--region", "RegionOne").exit_code == 1


def test_a_region_of_which_nothing_is_known_is_not_well(drain, settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": {"RegionTwo": "two"}}
    assert run("maintenance_check", "--region", "RegionTwo").exit_code == 0
    assert run("maintenance_check", "--region", "RegionOne").exit_code == 0  # a drain is open there
    outcome = run("maintenance_check", "--region", "RegionTow")
    assert outcome.exit_code == 3
    assert "No worker is configured for region RegionTow." in line(outcome)


# -- certificates ------------------------------------------------------------------------------


def test_a_certificate_that_is_old(drain):
    succeed(drain)
    assert run("maintenance_check").exit_code == 0
    old = store.now() - timedelta(minutes=10)
    HostMaintenance.objects.update(verified_at=old, opened_at=old)
    Drain.objects.update(finished_at=old)
    outcome = run("maintenance_check")
    assert outcome.exit_code == 1
    assert "Host cmp1 was not verified for 10 min" in line(outcome)
    assert run("maintenance_check", "--certificate", "300,400").exit_code == 2
    HostMaintenance.objects.update(returning_since=store.now())
    assert run("maintenance_check").exit_code == 0, "it is not verified while it is returned"


# -- the edge ----------------------------------------------------------------------------------


# -- rolling runs ------------------------------------------------------------------------------


@pytest.fixture
def a_run(worker):
    """One over two hosts, at which a worker has just looked."""
    now = store.now()
    made = store.create_run(
        hosts=[store.NewHost("cmp1"), store.NewHost("cmp2")],
        actor=shell_actor(),
        said=text("new kernel"),
        now=now,
        region="RegionOne",
        reason="new kernel",
        max_concurrent=1,
    )
    Run.objects.update(next_pass_at=now + timedelta(seconds=5))
    return made


def fail(of: Run) -> None:
    first = store.run_hosts(of)[0]
    for stage in (Stage.DRAINING, Stage.FAILED):
        store.change_host(of, first, store.now(), stage=stage.value)


def test_a_run_that_goes_on_is_well(a_run):
    assert run("maintenance_check").exit_code == 0
    assert measured(run("maintenance_check"))["runs_open"] == "1;;;0"


def test_a_run_with_a_host_that_failed_needs_a_person(a_run):
    fail(a_run)
    outcome = run("maintenance_check")
    assert outcome.exit_code == 1
    assert f"Run {a_run.pk} needs a person: a host of it failed." in line(outcome)
    assert measured(outcome)["run_hosts_failed"] == "1;1;;0"
    assert run("maintenance_check", "--region", "elsewhere").exit_code == 0


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.CANCELLED])
def test_what_a_run_left_out_of_service_is_said_after_its_end(a_run, state):
    fail(a_run)
    key = host_key("RegionOne", "cmp1")
    maintenance = HostMaintenance.objects.create(
        **{"region": "RegionOne", "host": "cmp1", "host_key": key, "open_key": key},
        **{"service_id": "s", "found_status": "enabled"},
        opened_at=store.now() - timedelta(hours=1),
        verified_at=store.now(),
    )
    if state is RunState.CANCELLED:
        store.change_run(a_run, store.now(), state=RunState.CANCELLING.value)
    store.change_run(a_run, store.now(), state=state.value)
    outcome = run("maintenance_check")
    assert outcome.exit_code == 1
    assert "A host that failed in a rolling run is still out of service." in line(outcome)
    store.close_maintenance(maintenance, store.now())
    assert run("maintenance_check").exit_code == 0


@pytest.mark.parametrize(
    ("said", "exit_code"),
    [
        (message("run_hosts_down", hosts=("cmp9",), count=1), 1),
        (message("run_fits_no_window", host="cmp1", seconds=9), 1),
        (message("run_waits_for_window", at=store.now()), 0),
        (message("run_waits_for_approval", host="cmp1"), 0),
    ],
)
def test_a_run_that_is_held_for_long(a_run, said, exit_code):
    store.change_run(a_run, store.now() - timedelta(hours=2), message=said)
    outcome = run("maintenance_check")
    assert outcome.exit_code == exit_code
    assert (f"Run {a_run.pk} has begun no host for " in line(outcome)) is bool(exit_code)
    assert run("maintenance_check", "--run-held", "0").exit_code == 0
    assert run("maintenance_check", "--run-held", "60,120").exit_code == 2 * exit_code


def test_a_run_that_no_worker_looks_at(a_run):
    Run.objects.update(next_pass_at=store.now() - timedelta(minutes=10))
    outcome = run("maintenance_check")
    assert outcome.exit_code == 1
    assert f"No worker has looked at run {a_run.pk} for 10 min." in line(outcome)


def test_the_worst_is_said_first_and_the_rest_counted(drain):
    for number in range(9):
        old = store.now() - timedelta(minutes=10)
        store.sign_of_life(f"x{number}", f"ctl{number}", 1, old)
    Drain.objects.update(next_pass_at=store.now() - timedelta(hours=1))
    said = line(run("maintenance_check"))
    assert said.startswith("MAINTENANCE CRITICAL - No worker has looked at drain")
    assert "And 5 more." in said


def test_names_of_others_begin_no_performance_data_and_no_line(worker):
    store.sign_of_life("w2", "ctl2", 1, store.now(), text("a | workers=9\nx\x1b[31m"))
    outcome = run("maintenance_check")
    said = line(outcome)
    assert said.count("|") == 1
    assert "\x1b" not in said
    assert measured(outcome)["workers"] == "2;;;0"


def test_json(drain):
    move(drain, "web-1", MigrationState.UNKNOWN)
    outcome = run("maintenance_check", "--json")
    assert outcome.exit_code == 1
    assert outcome.json["status"] == "warning"
    [finding] = outcome.json["findings"]
    assert finding["message_code"] == "health_in_need"
    assert finding["message_values"]["drain"] == drain.pk
    assert outcome.json["measures"]["in_need"] == {"value": 1, "warning": 1, "critical": None}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["--in-need", "x"],
        ["--in-need", "1,2,3"],
        ["--in-need", "-1"],
        ["--certificate", "nan"],
        ["--timeout", "0"],
        ["--worker-silent", "inf"],
        ["--region", "a\0b"],
    ],
)
def test_what_cannot_be_understood_is_unknown(worker, arguments):
    outcome = run("maintenance_check", *arguments)
    assert outcome.exit_code == 3
    assert outcome.stdout.startswith("MAINTENANCE UNKNOWN - ")
    outcome = run("maintenance_check", "--json", *arguments)
    assert outcome.exit_code == 3
    assert outcome.json["status"] == "unknown"
    assert outcome.json["error"]["code"] == "bad_arguments"


def test_wrong_settings_are_unknown(worker, settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "x", "VERIFY_SECONDS": "often"}
    outcome = run("maintenance_check")
    assert outcome.exit_code == 3
    assert "VERIFY_SECONDS" in line(outcome)


def test_a_bug_is_unknown_and_no_warning(worker, monkeypatch):
    monkeypatch.setattr(store, "condition", lambda now: 1 / 0)
    outcome = run("maintenance_check")
    assert outcome.exit_code == 3
    assert outcome.stdout.startswith("MAINTENANCE UNKNOWN - ")
    assert "ZeroDivisionError" in outcome.stderr


def test_a_database_that_fails_is_critical(monkeypatch):
    def fail(now):
        raise OperationalError("connection\nrefused")

    monkeypatch.setattr(store, "condition", fail)
    outcome = run("maintenance_check")
    assert outcome.exit_code == 2
    assert "The database failed: connection refused" in line(outcome)


def test_a_database_that_does_not_answer_is_critical():
    """A server that takes the connection, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = subprocess.run(
            [sys.executable, "-m", "django", "maintenance_check", "--timeout", "1"],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "PYTHONPATH": str(REPOSITORY),
                "TEST_DATABASE_URL": f"postgresql://x@127.0.0.1:{silent.getsockname()[1]}/x",
            },
            capture_output=True,
            text=True,
            timeout=240,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "The database has not answered for 1 s." in done.stdout


#: As a driver does that waits in C for its server: no handler of a signal runs meanwhile.
_HANGS = """
import sys
import django
from django.core.management import execute_from_command_line
django.setup()
from django.db import connection
from ukcloud_maintenance import store

def hangs(now):
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT count(*) FROM n"
    with connection.cursor() as cursor:
        cursor.execute(endless)

store.condition = hangs
execute_from_command_line(["django-admin", "maintenance_check", *sys.argv[1:]])
"""


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_driver_that_hangs_in_c_is_critical(more):
    done = subprocess.run(
        [sys.executable, "-c", _HANGS, "--timeout", "1", *more],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": str(REPOSITORY),
            "TEST_DATABASE_URL": "sqlite://",
        },
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    said = json.loads(done.stdout)["findings"][0]["message"] if more else done.stdout
    assert "The database has not answered for 1 s." in said

"""Rolling runs from a shell: `maintenance_run`, `host_done`."""

import io
import json
import os
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.acted import act as act_as_worker
from tests.commands.helpers import run
from tests.commands.test_edge import EVIL, is_harmless
from tests.fakes import GIB, FakeCloud, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.facts import Aggregate, Capacity
from ukcloud_maintenance.core.message import message, text
from ukcloud_maintenance.core.run.states import ActionKind, ActionState, RunState, Stage
from ukcloud_maintenance.exceptions import CloudServerError, ConfigurationError
from ukcloud_maintenance.management.commands import _waiting
from ukcloud_maintenance.models import Event, Run, RunAction, RunHost

pytestmark = pytest.mark.django_db

START = ("maintenance_run", "start")
WORKER = "ctl1:4711:1772366400"
WINDOW = "Mon-Fri 22:00-04:00 Europe/London"


@pytest.fixture
def racks(cloud, settings):
    """Zone az1 has cmp1 (2 instances) and cmp2 (1), az2 has cmp4 (none); cmp10 and cmp11 have room,
    cmp3 is down; an action by the name of reboot."""
    cloud.all_services = [
        service("cmp1", zone="az1"),
        service("cmp2", zone="az1"),
        service("cmp4", zone="az2"),
        service("cmp10", zone="az1"),
        service("cmp11", zone="az1"),
        service("cmp3", zone="az2", state="down"),
    ]
    cloud.all_servers = [
        server("web-1"),
        server("db-1", memory_bytes=4 * GIB),
        server("web-2", host="cmp2"),
    ]
    cloud.all_groups = []
    cloud.all_aggregates = [Aggregate("rack-a", hosts=("cmp1", "cmp4")), Aggregate("empty")]
    total = {"MEMORY_MB": 16384, "VCPU": 32}
    cloud.all_capacity = {
        host: Capacity(total, {"MEMORY_MB": 1024, "VCPU": 1})
        for host in ("cmp1", "cmp2", "cmp4", "cmp10", "cmp11")
    }
    settings.UKCLOUD_MAINTENANCE = {
        **settings.UKCLOUD_MAINTENANCE,
        "ACTIONS": {"reboot": {"command": ["reboot", "{host}"], "reboots": True}},
    }
    return cloud


@pytest.fixture
def a_run(racks) -> Run:
    """cmp1 and cmp2, with the action reboot."""
    outcome = run(*START, "--hosts", "cmp1", "cmp2", "--reason", "kernel", "--action", "reboot")
    assert outcome.exit_code == 0, outcome.stderr
    return Run.objects.get()


def host_of(of: Run, name: str = "cmp1") -> RunHost:
    return next(one for one in store.run_hosts(of) if one.host == name)


def bring(of: Run, name: str, *stages: Stage, **fields) -> RunHost:
    """A worker brings a host into a stage, by the way through others."""
    for stage in stages:
        row = host_of(of, name)
        more = fields if stage is stages[-1] else {}
        if stage is Stage.DRAINING:
            more = {"started_at": timezone.now() - timedelta(minutes=7), **more}
        store.change_host(of, row, timezone.now(), stage=stage.value, **more)
    return host_of(of, name)


def act_on(of: Run, name: str, kind: ActionKind = ActionKind.COMMAND, **fields) -> RunAction:
    """A worker begins an action on a host that is drained."""
    if host_of(of, name).stage == Stage.WAITING:
        bring(of, name, Stage.DRAINING, Stage.READY)
    of.refresh_from_db()
    made = act_as_worker(
        of,
        host_of(of, name),
        timezone.now(),
        name="" if kind is ActionKind.HAND else "reboot",
        kind=kind,
        machine="",
        place="",
        before={},
        event=("run_host_acting", WORKER, message("run_action_begins", action="reboot")),
    )
    state = fields.pop("state", ActionState.RUNNING)
    row = host_of(of, name)
    store.change_action(of, row, made, timezone.now(), state=state.value, **fields)
    return made


def end(of: Run, state: RunState, said: str = "run_cancelled") -> None:
    of.refresh_from_db()
    store.change_run(of, timezone.now(), state=state.value, message=message(said))


# -- start -----------------------------------------------------------------------------------


def test_a_run_is_requested_with_what_was_typed(racks):
    outcome = run(
        *(*START, "--hosts", "cmp2", "cmp1", "--reason", "kernel", "--action", "reboot"),
        *("--at-once", "2", "--per-domain", "1", "--order", "fewest", "--window", WINDOW),
        *("--window", "Sat,Sun 00:00-24:00 UTC", "--on-failure", "skip", "--failures", "3"),
        *("--approve", "each", "--bring-back", "--max-concurrent", "4", "--leave-locked"),
        *("--timeout-action", "force-complete", "--placing", "scheduler"),
    )
    assert outcome.exit_code == 0, outcome.stderr
    made = Run.objects.get()
    assert f"Run {made.pk} requested: 2 hosts." in outcome.stdout
    assert "No worker is running" in outcome.stderr
    assert (made.reason, made.action, made.at_once, made.per_domain) == ("kernel", "reboot", 2, 1)
    assert (made.domain, made.order, made.on_failure, made.failures) == (
        "zone",
        "fewest",
        "skip",
        3,
    )
    assert made.windows == [WINDOW, "Sat,Sun 00:00-24:00 UTC"]
    assert (made.approval, made.bring_back, made.max_concurrent) == ("each", True, 4)
    assert (made.timeout_action, made.move_locked) == ("force_complete", False)
    assert made.follow_estimate is False
    assert [host.host for host in made.hosts.all()] == ["cmp2", "cmp1"]
    assert "shell:" in made.requested_by_id


def test_what_is_not_typed_is_safe(racks):
    outcome = run(*START, "--hosts", "cmp1", "--reason", "kernel", "--json")
    document = outcome.json
    assert (document["state"], document["action"], document["at_once"]) == ("running", None, 1)
    assert (document["domain"], document["order"]) == ("zone", "by_hand")
    assert (document["on_failure"], document["failures"], document["approval"]) == (
        *("stop", 0, "none"),
    )
    assert document["windows"] == []
    assert [host["host"] for host in document["hosts"]] == ["cmp1"]
    assert "1 host." in outcome.stderr


@pytest.mark.parametrize("name", ["by-hand", "by_hand"])
def test_by_hand_may_be_said(racks, name):
    assert run(*START, "--hosts", "cmp1", "--reason", "r", "--action", name).exit_code == 0
    assert Run.objects.get().action == ""


@pytest.mark.parametrize(
    ("arguments", "hosts"),
    [
        (["--zone", "az1"], ["cmp1", "cmp2", "cmp10", "cmp11"]),
        (["--aggregate", "rack-a"], ["cmp1", "cmp4"]),
        (["--hosts", "cmp4", "--aggregate", "rack-a"], ["cmp4", "cmp1"]),
    ],
)
def test_hosts_by_zone_and_aggregate(racks, arguments, hosts):
    racks.all_services = [one for one in racks.all_services if one.is_up]
    assert run(*START, *arguments, "--reason", "r").exit_code == 0
    assert [host.host for host in RunHost.objects.order_by("position")] == hosts


def test_failure_domains_of_aggregates(racks):
    named = ("--domain-aggregate", "rack-a", "--domain-aggregate", "empty")
    assert run(*START, "--hosts", "cmp1", "cmp2", "--reason", "r", *named).exit_code == 0
    assert Run.objects.get().domain == "aggregate"
    assert [host.domains for host in RunHost.objects.order_by("position")] == [["rack-a"], []]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "words"),
    [
        ([], 2, "bad_arguments", "--hosts, --zone or --aggregate"),
        (["--hosts", "nope"], 2, "unknown_host", "nope"),
        (["--hosts", "cmp1", "cmp1"], 2, "host_twice", "cmp1"),
        (["--zone", "az9"], 2, "unknown_zone", "az1"),
        (["--aggregate", "empty"], 2, "nothing_selected", "no compute host"),
        (["--hosts", "cmp1", "--exclude", "cmp1"], 2, "bad_arguments", "cmp1 cannot be excluded"),
        (["--hosts", "cmp1", "--action", "paint"], 2, "run_action_unknown", "reboot"),
        (["--hosts", "cmp1", "--at-once", "0"], 2, "run_number_out_of_range", "--at-once: "),
        (["--hosts", "cmp1", "--at-once", "101"], 2, "run_number_out_of_range", "100"),
        (["--hosts", "cmp1", "--per-domain", "-1"], 2, "run_number_out_of_range", "--per-domain"),
        (
            ["--hosts", "cmp1", "--on-failure", "skip", "--failures", "-1"],
            *(2, "run_number_out_of_range", "--failures"),
        ),
        (["--hosts", "cmp1", "--failures", "2"], 2, "bad_arguments", "--on-failure skip"),
        (["--hosts", "cmp1", "--domain", "aggregate"], 2, "run_no_aggregate", "aggregate"),
        (
            ["--hosts", "cmp1", "--domain", "zone", "--domain-aggregate", "rack-a"],
            *(2, "bad_arguments", "--domain-aggregate"),
        ),
        (
            ["--hosts", "cmp1", "--domain", "none", "--per-domain", "1"],
            *(2, "bad_arguments", "--per-domain"),
        ),
        (["--hosts", "cmp1", "--domain-aggregate", "x"], 2, "run_aggregate_unknown", "rack-a"),
        (["--hosts", "cmp1", "--domain", "planet"], 2, "bad_arguments", "planet"),
        (["--hosts", "cmp1", "--order", "random"], 2, "bad_arguments", "random"),
        (["--hosts", "cmp1", "--window", "at night"], 2, "window_unreadable", "at night"),
        (
            ["--hosts", "cmp1", "--window", "Mon 22:00-23:00"],
            *(2, "window_lacks_zone", "time zone"),
        ),
        (
            ["--hosts", "cmp1", "--window", "Mon 22:00-23:00 Mars/Base"],
            *(2, "window_unknown_zone", "Mars/Base"),
        ),
        (["--hosts", "cmp1", "--max-concurrent", "0"], 2, "max_concurrent_out_of_range", ""),
        (["--hosts", "cmp1", "--timeout-action", "pray"], 2, "timeout_action_unknown", "pray"),
        (["--hosts", "cmp1", "--reason", " "], 2, "reason_missing", ""),
        (["--hosts", "cmp1", "--reason", "r" * 256], 2, "reason_too_long", ""),
        (["--hosts", "cmp1", "cmp3"], 3, "host_down", "cmp3"),
        (["--hosts", "cmp1", "--window", "daily 22:00-22:01 UTC"], 3, "run_never_fits", "cmp1"),
    ],
)
def test_refusals_change_nothing(racks, arguments, exit_code, code, words):
    reason = [] if "--reason" in arguments else ["--reason", "r"]
    outcome = run(*START, *arguments, *reason, "--json")
    assert outcome.exit_code == exit_code, outcome.stderr
    error = outcome.json["error"]
    assert error["code"] == code
    assert words in error["message"] + error["remedy"]
    assert not Run.objects.exists()
    plain = run(*START, *arguments, *reason)
    assert plain.exit_code == exit_code
    assert plain.stdout == ""
    assert words in plain.stderr


def test_that_there_is_nothing_to_choose_from_is_said(racks, settings):
    settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, "ACTIONS": {}}
    outcome = run(*START, "--hosts", "cmp1", "--reason", "r", "--action", "paint", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "run_action_unknown")
    assert outcome.json["error"]["remedy"].endswith("Available: none.")


def test_a_reason_is_needed(racks):
    outcome = run(*START, "--hosts", "cmp1", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "bad_arguments")
    assert "--reason" in outcome.stderr


def test_a_host_is_in_one_run_at_a_time(a_run):
    outcome = run(*START, "--hosts", "cmp4", "cmp1", "--reason", "r", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "run_host_taken")
    assert f"in run {a_run.pk}" in outcome.json["error"]["message"]
    assert Run.objects.count() == 1


def test_an_openstack_that_fails_is_said(racks):
    racks.failure = CloudServerError("list", "boom")
    outcome = run(*START, "--hosts", "cmp1", "--reason", "r", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (4, "openstack_failed")
    assert not Run.objects.exists()


# -- the dry run -----------------------------------------------------------------------------


def test_a_dry_run_tells_what_would_be_done_and_requests_nothing(racks):
    outcome = run(
        *(*START, "--hosts", "cmp1", "cmp2", "cmp4", "--dry-run", "--at-once", "2"),
        *("--order", "fewest", "--window", "daily 00:00-24:00 UTC"),
    )
    assert outcome.exit_code == 0, outcome.stdout + outcome.stderr
    said = outcome.stdout
    assert "3 hosts, fewest instances first; at most 2 hosts out at a time" in said
    assert "of one availability zone at a time" in said
    rows = [line.split()[:3] for line in said.splitlines() if line.startswith("cmp")]
    assert rows == [["cmp4", "az2", "0"], ["cmp2", "az1", "1"], ["cmp1", "az1", "2"]]
    assert "3 at least in any order" in said
    assert "Room: enough while the fullest hosts are out (cmp1, cmp2)." in said
    assert "Windows: daily 00:00-24:00 UTC." in said
    assert "Down already, so not waited for: cmp3." in said
    assert "Ends about 20" in said
    assert not Run.objects.exists()


def test_an_action_that_was_never_seen_is_thought_to_last_no_longer_than_its_limit(racks, settings):
    reboot = settings.UKCLOUD_MAINTENANCE["ACTIONS"]["reboot"]

    def seconds() -> int:
        asked = ("--hosts", "cmp4", "--action", "reboot", "--dry-run", "--json")
        [host] = run(*START, *asked).json["hosts"]
        return host["forecast_seconds"]

    assert seconds() == 600 + 60  # and the settling time; it has no instances
    settings.UKCLOUD_MAINTENANCE["ACTIONS"]["reboot"] = {**reboot, "time_limit": 90}
    assert seconds() == 90 + 60


def test_the_json_of_a_dry_run(racks):
    document = run(*START, "--hosts", "cmp1", "cmp2", "--dry-run", "--json").json
    assert document["clear"] is True
    assert (document["moves_at_least"], document["moves_without_room"]) == (3, 0)
    assert document["moves"] >= 3
    assert (document["lacks"], document["lacks_code"], document["never_fit"]) == (None, None, [])
    assert document["found_down"] == ["cmp3"]
    first, second = document["hosts"]
    assert (first["host"], first["zone"], first["instances"]) == ("cmp1", "az1", 2)
    assert first["memory_bytes"] == 5 * GIB
    assert first["refusal"] is None
    assert first["forecast_begins_at"] < first["forecast_ends_at"] == second["forecast_begins_at"]
    assert second["forecast_ends_at"] == document["forecast_ends_at"]
    assert [plan["host"] for plan in document["room"]] == ["cmp1"]


def test_one_host_is_one_host(racks):
    said = run(*START, "--hosts", "cmp1", "--dry-run").stdout
    assert said.startswith("1 host, as given; at most 1 host out at a time.")


def test_a_dry_run_without_room_fails(racks):
    full = {"MEMORY_MB": 16384, "VCPU": 32}
    racks.all_capacity = {
        host: Capacity(full, {"MEMORY_MB": 15872, "VCPU": 1}) for host in racks.all_capacity
    }
    outcome = run(*START, "--hosts", "cmp1", "--dry-run")
    assert outcome.exit_code == 1
    assert "Room: NOT ENOUGH while cmp1 are out." in outcome.stdout
    assert "db-1" in outcome.stdout
    assert "there is no room at their time" in outcome.stdout
    document = run(*START, "--hosts", "cmp1", "--dry-run", "--json").json
    assert (document["clear"], document["lacks_code"]) == (False, "run_no_room")


def test_a_dry_run_with_an_instance_that_cannot_leave_fails(racks):
    racks.all_servers.append(server("old-1", status="SUSPENDED", vm_state="suspended"))
    outcome = run(*START, "--hosts", "cmp1", "--dry-run")
    assert outcome.exit_code == 1
    assert "cmp1 does not become empty by itself: 2 leave live, 1 stays" in outcome.stdout
    assert "`drain_host cmp1 --dry-run`" in outcome.stdout


def test_a_dry_run_of_a_host_that_cannot_be_drained_is_refused(racks):
    outcome = run(*START, "--hosts", "cmp4", "cmp3", "--dry-run")
    assert outcome.exit_code == 3
    assert "cannot be requested while cmp3 cannot be drained" in outcome.stdout
    document = run(*START, "--hosts", "cmp4", "cmp3", "--dry-run", "--json").json
    assert [h["refusal"] and h["refusal"]["code"] for h in document["hosts"]] == [None, "host_down"]


def test_a_dry_run_of_windows_that_are_too_short_fails(racks):
    outcome = run(*START, "--hosts", "cmp1", "--dry-run", "--window", "daily 22:00-22:01 UTC")
    assert outcome.exit_code == 1
    assert "no window is long enough for cmp1" in outcome.stdout
    assert "Its end is unknown." in outcome.stdout


# -- looking ---------------------------------------------------------------------------------


def test_the_status_of_a_run(a_run):
    act_on(a_run, "cmp1")
    outcome = run("maintenance_run", "status", str(a_run.pk))
    assert outcome.exit_code == 0
    said = outcome.stdout
    assert said.startswith(f"Run {a_run.pk}: running, 0 of 2 hosts done")
    assert "Reason: kernel" in said
    assert "Action: reboot; at most 1 host out at a time; as given; stop after a failure" in said
    assert "Ends about 20" in said
    [row] = [line for line in said.splitlines() if line.startswith("cmp1")]
    assert row.split()[1] == "acting"
    assert "7 min" in row
    assert "reboot: running" in row
    [row] = [line for line in said.splitlines() if line.startswith("cmp2")]
    assert row.split()[1] == "waiting"


def test_what_needs_somebody_stands_first(a_run):
    bring(a_run, "cmp1", Stage.DRAINING, Stage.FAILED, message=message("run_drain_missing"))
    end(a_run, RunState.STOPPED, "run_no_window")
    act_on_hand = Run.objects.get(pk=a_run.pk)
    said = run("maintenance_run", "status", str(a_run.pk)).stdout
    assert ", 1 failed" in said.splitlines()[0]
    assert "Needs you:" in said
    assert f"cmp1 failed (draining): `maintenance_run retry {a_run.pk} cmp1`, or skip it." in said
    assert f"`maintenance_run resume {a_run.pk}`" in said
    store.change_run(act_on_hand, timezone.now(), state=RunState.RUNNING.value)
    act_on(a_run, "cmp2", ActionKind.HAND)
    said = run("maintenance_run", "status", str(a_run.pk)).stdout
    assert "cmp2 is yours: `host_done cmp2`" in said
    assert "by hand: running" in said


def test_an_action_that_failed_may_have_been_done_by_hand(a_run):
    act_on(a_run, "cmp1", state=ActionState.FAILED, message=message("run_no_reason"))
    bring(a_run, "cmp1", Stage.FAILED, message=message("run_no_reason"))
    said = run("maintenance_run", "status", str(a_run.pk)).stdout
    assert "cmp1 failed (acting): " in said
    assert "`host_done cmp1` if it was done nevertheless, or skip it." in said
    assert run("host_done", "cmp1").exit_code == 0
    assert host_of(a_run).stage == "settling"


def test_an_approval_that_is_waited_for(a_run):
    Run.objects.update(approval="each")
    a_run.refresh_from_db()
    said = message("run_waits_for_approval", host="cmp1")
    store.change_run(a_run, timezone.now(), message=said)
    assert (
        f"`maintenance_run approve {a_run.pk}`"
        in run("maintenance_run", "status", str(a_run.pk)).stdout
    )


def test_without_a_number_all_that_are_not_over(racks, a_run):
    assert run(*START, "--hosts", "cmp4", "--reason", "other").exit_code == 0
    said = run("maintenance_run", "status").stdout
    assert said.count("Reason: ") == 2
    both = run("maintenance_run", "status", "--json").json
    assert len(both) == 2
    for one in Run.objects.all():
        end(one, RunState.SUCCEEDED, "run_no_window")
    outcome = run("maintenance_run", "status")
    assert (outcome.exit_code, outcome.stdout.startswith("No run is in progress.")) == (0, True)
    assert run("maintenance_run", "status", "--json").json == []


def test_a_list_has_those_that_are_over_too(racks, a_run):
    assert "There is no run." not in run("maintenance_run", "list").stdout
    end(a_run, RunState.SUCCEEDED, "run_no_window")
    assert run(*START, "--hosts", "cmp4", "--reason", "other").exit_code == 0
    found = run("maintenance_run", "list", "--json").json
    assert [one["state"] for one in found] == ["running", "succeeded"]
    assert [one["reason"] for one in found] == ["other", "kernel"]
    rows = run("maintenance_run", "list").stdout.splitlines()
    assert len(rows) == 3
    assert "by hand" in rows[1]
    assert "reboot" in rows[2]


def test_an_empty_list(racks):
    assert run("maintenance_run", "list").stdout == "There is no run.\n"
    assert run("maintenance_run", "list", "--json").json == []


def test_the_json_of_a_run(a_run):
    act_on(a_run, "cmp1", output="secret line\n")
    bring(a_run, "cmp2", Stage.SKIPPED, message=message("run_host_left_out"))
    document = run("maintenance_run", "status", str(a_run.pk), "--json").json
    assert document["id"] == a_run.pk
    assert document["message_code"] == "waits_for_worker"
    first, second = document["hosts"]
    assert (first["host"], first["stage"], first["position"]) == ("cmp1", "acting", 0)
    [action] = first["actions"]
    assert (action["number"], action["name"], action["kind"]) == (1, "reboot", "command")
    assert "output" not in action
    assert "token" not in action
    assert "poll_url" not in action
    assert first["forecast_ends_at"].endswith("Z")
    assert second["message"] == "It was left out, as requested."
    assert (second["message_code"], second["message_values"]) == ("run_host_left_out", {})
    assert second["forecast_ends_at"] is None


def test_what_an_action_has_written(a_run):
    act_on(a_run, "cmp1", output="first\nsecond \x1b[2Jline\n")
    outcome = run("maintenance_run", "output", str(a_run.pk), "cmp1")
    assert outcome.exit_code == 0
    assert outcome.stdout == "first\nsecond \\x1b[2Jline\n"
    assert "cmp1, reboot: running, started 20" in outcome.stderr
    document = run("maintenance_run", "output", str(a_run.pk), "cmp1", "--json").json
    assert document["output"] == "first\nsecond \x1b[2Jline\n"
    assert (document["number"], document["state"]) == (1, "running")


def test_what_an_earlier_try_has_written(a_run):
    act_on(a_run, "cmp1", output="one", state=ActionState.LATER)
    act_on(a_run, "cmp1", output="two")
    newest = run("maintenance_run", "output", str(a_run.pk), "cmp1")
    assert newest.stdout == "two\n"
    assert "reboot (try 2): running" in newest.stderr
    number = str(a_run.pk)
    assert run("maintenance_run", "output", number, "cmp1", "--try", "1").stdout == "one\n"
    outcome = run("maintenance_run", "output", number, "cmp1", "--try", "3", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "unknown_try")


def test_nothing_was_written(a_run):
    outcome = run("maintenance_run", "output", str(a_run.pk), "cmp1")
    assert outcome.exit_code == 2
    assert "no action yet" in outcome.stderr
    act_on(a_run, "cmp1")
    outcome = run("maintenance_run", "output", str(a_run.pk), "cmp1")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert "It has written nothing." in outcome.stderr


def test_an_export_has_everything(a_run, tmp_path):
    secret = "https://alice:s3cret@awx/1?token=t0ken"
    act_on(a_run, "cmp1", ActionKind.WEBHOOK, output="said\n", poll_url=secret)
    number = str(a_run.pk)
    outcome = run("maintenance_run", "export", number)
    document = outcome.json
    assert outcome.stdout.isascii()
    assert (document["schema"], document["schema_version"]) == ("ukcloud_maintenance.run", 1)
    assert document["exported_at"].endswith("Z")
    assert document["run"]["id"] == a_run.pk
    assert document["run"]["hosts"][0]["actions"][0]["output"] == "said\n"
    assert [e["kind"] for e in document["events"]] == ["run_requested", "run_host_acting"]
    asked = document["events"][0]
    assert asked["message"] == "kernel (2 hosts)"
    assert asked["message_values"] == {"count": 2, "reason": "kernel"}
    token = RunAction.objects.get().token
    assert not [word for word in ("s3cret", "t0ken", "awx", token) if word in outcome.stdout]

    file = tmp_path / "run.json"
    outcome = run("maintenance_run", "export", number, "--output", str(file), "--json")
    assert outcome.json == {
        **{"run_id": a_run.pk, "output": str(file), "hosts": 2, "events": 2},
    }
    assert json.loads(file.read_text())["events"] == document["events"]
    outcome = run("maintenance_run", "export", number, "--output", str(tmp_path), "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "cannot_write")


def test_a_reader_alone_gets_the_document(a_run):
    nobody = Actor("u", "mallory")
    with pytest.raises(Exception, match="mallory"):
        services.run_document(nobody, a_run)
    reader = Actor("u", "carol", may=lambda rule: rule == "maintenance:view")
    assert services.run_document(reader, a_run)["run"]["id"] == a_run.pk


# -- steering --------------------------------------------------------------------------------


def test_pause_and_resume(a_run):
    number = str(a_run.pk)
    outcome = run("maintenance_run", "pause", number)
    assert outcome.exit_code == 0
    assert f"Run {number} is paused: no host begins" in outcome.stdout
    assert f"`maintenance_run resume {number}`" in outcome.stdout
    assert Run.objects.get().state == "paused"
    again = run("maintenance_run", "pause", number, "--json")
    assert (again.exit_code, again.json["error"]["code"]) == (3, "cannot_pause")
    assert run("maintenance_run", "resume", number, "--json").json["state"] == "running"
    assert run("maintenance_run", "resume", number).exit_code == 3


def test_cancel(a_run):
    outcome = run("maintenance_run", "cancel", str(a_run.pk))
    assert (outcome.exit_code, Run.objects.get().state) == (0, "cancelling")
    assert "is being cancelled" in outcome.stdout
    assert run("maintenance_run", "cancel", str(a_run.pk)).exit_code == 3


def test_approve(a_run):
    number = str(a_run.pk)
    outcome = run("maintenance_run", "approve", number)
    assert outcome.exit_code == 3
    assert "waits for an approval" in outcome.stderr
    Run.objects.update(approval="each")
    assert run("maintenance_run", "approve", number).exit_code == 0
    assert host_of(a_run).approved_at is not None
    assert host_of(a_run, "cmp2").approved_at is None


def test_skip_retry_and_done(a_run):
    number = str(a_run.pk)
    outcome = run("maintenance_run", "skip", number, "cmp2")
    assert (outcome.exit_code, host_of(a_run, "cmp2").stage) == (0, "skipped")
    assert f"Host cmp2 of run {number} is left out." in outcome.stdout
    assert run("maintenance_run", "retry", number, "cmp1").exit_code == 3
    bring(a_run, "cmp1", Stage.DRAINING, Stage.FAILED, message=message("run_drain_missing"))
    outcome = run("maintenance_run", "retry", number, "cmp1", "--json")
    assert outcome.json["hosts"][0]["stage"] == "waiting"
    assert run("maintenance_run", "done", number, "cmp1").exit_code == 3
    act_on(a_run, "cmp1", ActionKind.HAND)
    assert run("maintenance_run", "done", number, "cmp1").exit_code == 0
    assert RunAction.objects.get().state == "done"
    assert RunAction.objects.get().done_by


def test_add(a_run):
    number = str(a_run.pk)
    outcome = run("maintenance_run", "add", number, "cmp4")
    assert outcome.exit_code == 0, outcome.stderr
    assert f"Run {number} has 1 host more: cmp4." in outcome.stdout
    assert [host.host for host in store.run_hosts(a_run)] == ["cmp1", "cmp2", "cmp4"]
    for hosts, exit_code, code in (
        (["cmp4"], 3, "run_host_taken"),
        (["cmp3"], 3, "host_down"),
        (["nope"], 2, "unknown_host"),
    ):
        outcome = run("maintenance_run", "add", number, *hosts, "--json")
        assert (outcome.exit_code, outcome.json["error"]["code"]) == (exit_code, code)
    assert RunHost.objects.count() == 3


def test_host_done_finds_the_run(a_run):
    outcome = run("host_done", "cmp4", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "run_host_in_none")
    assert run("host_done", "cmp1").exit_code == 3  # nothing is done with it yet
    act_on(a_run, "cmp1", ActionKind.WEBHOOK)
    outcome = run("host_done", "cmp1")
    assert outcome.exit_code == 0
    assert "The maintenance of cmp1 is done." in outcome.stdout
    assert f"`maintenance_run status {a_run.pk}`" in outcome.stdout
    assert RunAction.objects.get().state == "done"


def test_a_command_is_not_done_by_word_of_mouth(a_run):
    act_on(a_run, "cmp1")
    outcome = run("host_done", "cmp1", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "cannot_done")
    assert RunAction.objects.get().state == "running"


#: Each sub-command, as it is typed of a run that does not exist.
OF_A_RUN = [
    *(("status",), ("pause",), ("resume",), ("cancel",), ("approve",), ("export",)),
    *(("skip", "cmp1"), ("retry", "cmp1"), ("done", "cmp1"), ("add", "cmp1"), ("output", "cmp1")),
]


@pytest.mark.parametrize("number", ["9999", "0", "9" * 30])
@pytest.mark.parametrize("verb", OF_A_RUN, ids=lambda verb: verb[0])
def test_a_run_that_does_not_exist_is_bad_input(racks, verb, number):
    outcome = run("maintenance_run", verb[0], number, *verb[1:], "--json")
    assert outcome.exit_code == 2, outcome.stderr
    assert outcome.json["error"]["code"] == "unknown_run"
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("verb", ["skip", "retry", "done", "output"])
def test_a_host_that_the_run_has_not_is_bad_input(a_run, verb):
    outcome = run("maintenance_run", verb, str(a_run.pk), "cmp4", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "run_host_unknown")


@pytest.mark.parametrize(
    "arguments", [(), ("begin",), ("status", "x"), ("skip", "1"), ("add", "1")]
)
def test_nonsense_is_bad_input(racks, arguments):
    outcome = run("maintenance_run", *arguments, "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "bad_arguments")


@pytest.mark.parametrize(
    "verb", [v for v in OF_A_RUN if v[0] not in ("status", "export", "output")]
)
def test_one_that_is_over_is_refused_and_unchanged(a_run, verb):
    end(a_run, RunState.SUCCEEDED, "run_no_window")
    before = list(Run.objects.values()), list(RunHost.objects.values()), Event.objects.count()
    outcome = run("maintenance_run", verb[0], str(a_run.pk), *verb[1:], "--json")
    assert outcome.exit_code == 3
    assert "is over" in outcome.json["error"]["message"]
    assert before == (
        *(list(Run.objects.values()), list(RunHost.objects.values()), Event.objects.count()),
    )


def test_who_may_not_read_the_credentials_may_nothing(a_run, monkeypatch):
    def unreadable(region):
        raise ConfigurationError(text("clouds.yaml cannot be read"))

    monkeypatch.setattr(services, "connect_shell", unreadable)
    before = list(Run.objects.values())
    for verb in [*OF_A_RUN, ("list",)]:
        number = [] if verb[0] == "list" else [str(a_run.pk)]
        outcome = run("maintenance_run", verb[0], *number, *verb[1:])
        assert (outcome.exit_code, outcome.stdout) == (2, ""), verb
    assert run("host_done", "cmp1").exit_code == 2
    assert run(*START, "--hosts", "cmp4", "--reason", "r").exit_code == 2
    assert list(Run.objects.values()) == before


# -- regions ---------------------------------------------------------------------------------


@pytest.fixture
def two_regions(a_run, monkeypatch, settings):
    """RegionOne with the run, and south, whose clouds.yaml has a cloud of another name."""
    clouds = {"CLOUDS": {"RegionOne": "demo", "south": "demo"}}
    settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, **clouds}
    settings.UKCLOUD_MAINTENANCE.pop("CLOUD", None)
    south = FakeCloud([service("cmp1")], region="south")
    here = services.connect_shell("RegionOne")
    found = {"RegionOne": here, "south": south}
    monkeypatch.setattr(services, "connect_shell", lambda region: found[region])
    return found


def test_a_host_is_done_in_the_region_that_is_named(a_run, two_regions):
    act_on(a_run, "cmp1", ActionKind.HAND)
    outcome = run("host_done", "cmp1", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "region_missing")
    outcome = run("host_done", "cmp1", "--region", "south", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "run_host_in_none")
    assert run("host_done", "cmp1", "--region", "RegionOne").exit_code == 0
    assert RunAction.objects.get().state == "done"


def test_a_list_has_all_regions_or_one(a_run, two_regions):
    assert run(*START, "--hosts", "cmp1", "--reason", "r", "--json").exit_code == 2
    both = run("maintenance_run", "list", "--json").json
    assert [one["id"] for one in both] == [a_run.pk]
    assert run("maintenance_run", "list", "--region", "south", "--json").json == []
    [here] = run("maintenance_run", "list", "--region", "RegionOne", "--json").json
    assert here["region"] == "RegionOne"


def test_a_region_that_cannot_be_opened_does_not_hide_the_others(a_run, two_regions, monkeypatch):
    def connect(region):
        if region == "south":
            raise ConfigurationError(text("There is no cloud of that name."))
        return two_regions[region]

    monkeypatch.setattr(services, "connect_shell", connect)
    outcome = run("maintenance_run", "status", "--json")
    assert [one["id"] for one in outcome.json] == [a_run.pk]
    assert "Region south is left out." in outcome.stderr
    outcome = run("maintenance_run", "list", "--region", "south")
    assert (outcome.exit_code, outcome.stdout) == (2, "")


# -- waiting ---------------------------------------------------------------------------------


@pytest.fixture
def each_second(monkeypatch):
    """What happens while a command waits, a step a second."""
    steps: list = []

    def sleep(seconds):
        if not steps:
            raise AssertionError("nothing more happens")
        steps.pop(0)()

    monkeypatch.setattr(_waiting.time, "sleep", sleep)
    return steps


def test_waiting_shows_each_change_and_ends_with_the_run(a_run, each_second):
    each_second += [
        lambda: bring(a_run, "cmp1", Stage.DRAINING, message=message("run_begins")),
        lambda: None,
        lambda: bring(a_run, "cmp2", Stage.SKIPPED),
        lambda: end(a_run, RunState.SUCCEEDED, "run_no_window"),
    ]
    outcome = run("maintenance_run", "status", str(a_run.pk), "--wait")
    assert outcome.exit_code == 0
    lines = outcome.stderr.splitlines()
    assert lines.count("cmp1: draining. Its drain begins.") == 1
    assert lines.count("cmp2: skipped") == 1
    assert outcome.stdout.startswith(f"Run {a_run.pk}: succeeded")
    assert each_second == []


def test_watching_is_waiting_and_needs_no_number_of_a_single_run(a_run, each_second):
    each_second += [lambda: end(a_run, RunState.SUCCEEDED, "run_no_window")]
    outcome = run("maintenance_run", "status", "--watch", "--json")
    assert (outcome.exit_code, outcome.json["state"]) == (0, "succeeded")


def test_which_one_is_to_be_waited_for_must_be_clear(racks):
    outcome = run("maintenance_run", "status", "--wait", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "bad_arguments")


@pytest.mark.parametrize("state", [RunState.STOPPED, RunState.FAILED])
def test_waiting_ends_where_a_person_must_look(racks, each_second, state):
    each_second += [lambda: end(Run.objects.get(), state, "run_no_window")]
    outcome = run(*START, "--hosts", "cmp4", "--reason", "r", "--wait", "--json")
    assert (outcome.exit_code, outcome.json["state"]) == (1, state.value)


def test_waiting_for_a_cancel(a_run, each_second):
    each_second += [lambda: end(a_run, RunState.CANCELLED)]
    assert run("maintenance_run", "cancel", str(a_run.pk), "--wait").exit_code == 0


def test_one_that_somebody_else_cancels_is_no_success(a_run, each_second):
    def cancel():
        end(a_run, RunState.CANCELLING)
        end(a_run, RunState.CANCELLED)

    each_second += [cancel]
    assert run("maintenance_run", "status", str(a_run.pk), "--wait").exit_code == 1


def test_an_interrupted_wait_says_how_to_go_on(a_run, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(_waiting.time, "sleep", interrupt)
    outcome = run("maintenance_run", "status", str(a_run.pk), "--wait", "--json")
    assert (outcome.exit_code, outcome.json["state"]) == (130, "running")
    assert f"`maintenance_run cancel {a_run.pk}`" in outcome.stderr
    assert Run.objects.get().state == "running"


def test_a_terminal_gets_the_table_drawn_again(a_run, each_second, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((100, 12)))
    each_second += [
        lambda: bring(a_run, "cmp1", Stage.DRAINING, message=message("text", text=EVIL)),
        lambda: end(a_run, RunState.SUCCEEDED, "run_no_window"),
    ]
    terminal = Terminal()
    assert (
        run("maintenance_run", "status", str(a_run.pk), "--watch", stderr=terminal).exit_code == 0
    )
    drawn = terminal.getvalue()
    assert drawn.count("HOST") >= 2
    moves = re.findall(r"\x1b\[(\d+)A\x1b\[J", drawn)
    assert len(moves) == 2
    assert all(int(lines) < 12 for lines in moves)  # what the screen has
    drawn = re.sub(r"\x1b\[(\d+A|J|\?7[lh])", "", drawn)
    assert is_harmless(drawn)


# -- hostile names ---------------------------------------------------------------------------

HOSTILE = [
    ("status",),
    ("list",),
    ("pause", "{id}"),
    ("resume", "{id}"),
    ("approve", "{id}"),
    ("skip", "{id}", EVIL),
    ("skip", "{id}", "{evil}"),
    ("retry", "{id}", EVIL),
    ("done", "{id}", EVIL),
    ("add", "{id}", EVIL),
    ("output", "{id}", EVIL),
    ("output", "{id}", "{evil}"),
    ("output", "{id}", "cmp1"),
    ("export", "{id}"),
    ("export", "{id}", "--output", EVIL),
    ("cancel", "{id}"),
    ("status", EVIL),
    (EVIL,),
    ("list", "--bogus" + EVIL),
    ("start", "--hosts", EVIL, "--reason", "r"),
    ("start", "--hosts", "cmp4", "--reason", EVIL, "--action", EVIL),
    ("start", "--hosts", "cmp4", "--reason", "r", "--window", EVIL),
    ("start", "--hosts", "cmp4", "--reason", "r", "--domain-aggregate", EVIL),
    ("start", "--zone", EVIL, "--dry-run"),
    ("start", "--hosts", "cmp1", "--dry-run"),
]


@pytest.mark.parametrize("json_too", [False, True])
@pytest.mark.parametrize("command", HOSTILE, ids=lambda c: " ".join(c)[:24].encode().hex()[:24])
def test_nothing_that_others_wrote_reaches_the_terminal_raw(
    a_run, racks, tmp_path, monkeypatch, command, json_too
):
    monkeypatch.chdir(tmp_path)
    racks.all_servers += [server("e" + EVIL, status="ERROR", vm_state="error", fault_message=EVIL)]
    act_on(a_run, "cmp1", output=EVIL, state=ActionState.FAILED, message=message("text", text=EVIL))
    RunHost.objects.filter(host="cmp2").update(host=EVIL, message=message("text", text=EVIL))
    Run.objects.update(
        reason=EVIL,
        requested_by=EVIL,
        action=EVIL[:60],
        message=message("text", text=EVIL),
        found_down=[EVIL],
    )
    Event.objects.update(actor=EVIL, message=message("text", text=EVIL))
    known = {"{id}": str(a_run.pk), "{evil}": EVIL}
    arguments = [known.get(one, one) for one in command]
    outcome = run("maintenance_run", *arguments, *(["--json"] if json_too else []))
    assert outcome.exit_code in (0, 1, 2, 3)
    assert is_harmless(outcome.stdout)
    assert is_harmless(outcome.stderr)
    assert "Traceback" not in outcome.stderr
    if command != ("output", "{id}", "cmp1"):  # which is theirs, line by line
        lines = (outcome.stdout + outcome.stderr).splitlines()
        assert not [line for line in lines if line.startswith("Drain 9")]
    if json_too:
        assert outcome.json is not None


@pytest.mark.parametrize("number", ["9" * 26, str(2**63), "9" * 5000, "-" + "9" * 26])
@pytest.mark.parametrize(
    "option", ["--at-once", "--per-domain", "--failures", "--max-concurrent", "--try", "id"]
)
def test_a_number_that_nothing_takes_is_bad_input(a_run, option, number):
    if option == "--try":
        arguments = ["output", str(a_run.pk), "cmp1", f"--try={number}"]
    elif option == "id":
        arguments = ["status", "--", number]
    else:
        arguments = [*START[1:], "--hosts", "cmp4", "--reason", "r", "--on-failure", "skip"]
        arguments.append(f"{option}={number}")
    outcome = run("maintenance_run", *arguments)
    assert (outcome.exit_code, "Traceback" in outcome.stderr) == (2, False), outcome.stderr
    assert Run.objects.count() == 1


def test_bytes_that_are_no_text_are_bad_input(racks):
    outcome = run(*START, "--hosts", "cmp\udcff", "--reason", "r", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "bad_arguments")
    outcome = run("host_done", "x" * 300, "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "bad_arguments")


def test_options_of_django_may_stand_behind_the_sub_command(racks):
    outcome = run("maintenance_run", "list", "--traceback", "--verbosity", "0")
    assert outcome.exit_code == 0

"""Several hosts as one plan: `drain_host`, `drain_status --plan`."""

import itertools
import re
from datetime import datetime

import pytest
from django.utils import timezone

from tests.commands.helpers import begin, finish, move, run, succeed
from tests.fakes import GIB, server, service
from ukcloud_maintenance import store
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.facts import Aggregate, Capacity
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.management.commands import _waiting
from ukcloud_maintenance.models import Drain, Plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def racks(cloud):
    """Zone az1 has cmp1 (2 instances, all leave) and cmp2 (1), nova has cmp10, cmp11 and cmp3;
    aggregate rack has cmp11, cmp2 and a host that Nova does not know. cmp10 has 8 GiB free."""
    cloud.all_services = [
        service("cmp1", zone="az1"),
        service("cmp2", zone="az1"),
        service("cmp10"),
        service("cmp11"),
        service("cmp3", state="down"),
    ]
    cloud.all_servers = [
        server("web-1"),
        server("db-1", memory_bytes=4 * GIB),
        server("web-2", host="cmp2"),
    ]
    cloud.all_groups = []
    cloud.all_aggregates = [
        Aggregate("rack", hosts=("cmp11", "cmp2", "gone")),
        Aggregate("empty"),
    ]
    cloud.all_capacity = {
        "cmp10": Capacity({"MEMORY_MB": 16384, "VCPU": 32}, {"MEMORY_MB": 8192, "VCPU": 4})
    }
    return cloud


def _hosts():
    return [drain.host for drain in Drain.objects.order_by("plan_order")]


def test_several_hosts_are_one_plan_one_after_another(racks):
    outcome = run("drain_host", "cmp2", "cmp1", "--reason", "kernel")
    assert outcome.exit_code == 0
    plan = Plan.objects.get()
    assert (plan.hosts_at_once, plan.reason) == (1, "kernel")
    assert _hosts() == ["cmp2", "cmp1"]
    assert f"Plan {plan.pk} requested: 2 hosts, one after another." in outcome.stdout
    assert "of cmp2 requested: 1 instance." in outcome.stdout


def test_one_host_is_no_plan(racks):
    run("drain_host", "cmp1", "--reason", "r", "--hosts-at-once", "3")
    assert not Plan.objects.exists()
    assert Drain.objects.get().plan_id is None


@pytest.mark.parametrize(("number", "words"), [("0", "all at once"), ("2", "2 at a time")])
def test_hosts_at_once(racks, number, words):
    hosts = ["cmp1", "cmp2", "cmp10"]
    outcome = run("drain_host", *hosts, "--reason", "r", "--hosts-at-once", number)
    assert Plan.objects.get().hosts_at_once == int(number)
    assert words in outcome.stdout


def test_json_of_a_plan_is_its_drains(racks):
    document = run("drain_host", "cmp1", "cmp2", "--reason", "r", "--json").json
    plan = Plan.objects.get()
    assert [(d["host"], d["plan_id"]) for d in document] == [("cmp1", plan.pk), ("cmp2", plan.pk)]


@pytest.mark.parametrize(
    ("arguments", "hosts"),
    [
        (["--zone", "az1"], ["cmp1", "cmp2"]),
        (["--aggregate", "rack"], ["cmp11", "cmp2"]),
        (["cmp10", "--zone", "az1"], ["cmp10", "cmp1", "cmp2"]),
        (["cmp2", "--zone", "az1", "--zone", "az1"], ["cmp2", "cmp1"]),
        (["--zone", "az1", "--aggregate", "rack"], ["cmp1", "cmp2", "cmp11"]),
        (["--aggregate", "empty", "cmp1"], ["cmp1"]),
        (["--zone", "nova", "--exclude", "cmp3"], ["cmp10", "cmp11"]),
        (
            ["--zone", "nova", "--aggregate", "rack", "--exclude=cmp3", "--exclude=cmp11"],
            ["cmp10", "cmp2"],
        ),
    ],
)
def test_hosts_by_zone_and_aggregate(racks, arguments, hosts):
    assert run("drain_host", *arguments, "--reason", "r").exit_code == 0
    assert (_hosts() if len(hosts) > 1 else [Drain.objects.get().host]) == hosts


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "words"),
    [
        (["--zone", "az"], 2, "unknown_zone", "az1, nova"),
        (["--aggregate", "RACK"], 2, "unknown_aggregate", "empty, rack"),
        (["--aggregate", "empty"], 2, "nothing_selected", "no compute host"),
        (
            ["--aggregate", "rack", "--exclude", "cmp11", "--exclude", "cmp2"],
            2,
            "nothing_selected",
            "",
        ),
        (["--zone", "az1", "--exclude", "cmp3"], 2, "bad_arguments", "cmp3 cannot be excluded"),
        (
            ["--zone", "az1", "cmp1", "--exclude", "cmp1"],
            2,
            "bad_arguments",
            "cmp1 cannot be excluded",
        ),
        (["cmp1", "cmp2", "--exclude", "cmp2"], 2, "bad_arguments", "cmp2 cannot be excluded"),
        (["cmp1", "cmp2", "cmp1"], 2, "host_twice", "cmp1"),
        (["cmp1", "cmp2", "--hosts-at-once", "101"], 2, "hosts_at_once_out_of_range", "100"),
        (["cmp1", "cmp2", "--hosts-at-once", "-1"], 2, "bad_arguments", "must be 0 (all) or more"),
        (["cmp1", "cmp2", "--destination", "cmp2"], 3, "destination_is_drained", "cmp2"),
        (["--zone", "nova"], 3, "host_down", "cmp3"),
    ],
)
def test_refusals_change_nothing(racks, arguments, exit_code, code, words):
    outcome = run("drain_host", *arguments, "--reason", "r", "--json")
    assert outcome.exit_code == exit_code
    error = outcome.json["error"]
    assert error["code"] == code
    assert words in error["message"] + error["remedy"]
    assert not Drain.objects.exists()
    assert not Plan.objects.exists()


def test_a_plan_has_at_most_a_hundred_hosts(racks):
    racks.all_services = [service(f"n{number}") for number in range(101)]
    outcome = run("drain_host", "--zone", "nova", "--reason", "r", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "too_many_hosts")


def test_no_host_is_named(racks):
    outcome = run("drain_host", "--reason", "r", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "bad_arguments")
    assert "--zone" in outcome.json["error"]["message"]
    assert "usage:" in outcome.stderr


# -- choices ---------------------------------------------------------------------------------


@pytest.mark.parametrize("hosts", [["cmp1"], ["cmp1", "cmp2"]])
def test_window_timeout_and_order_reach_every_drain(racks, hosts):
    outcome = run(
        *("drain_host", *hosts, "--reason", "r"),
        *("--start-at", "2126-03-01T22:00+01:00", "--stop-at", "2126-03-02T04:00Z"),
        *("--timeout-action", "force-complete", "--order", "smallest"),
        *("--placing", "scheduler", "--leave-locked"),
    )
    assert outcome.exit_code == 0
    for drain in Drain.objects.all():
        assert drain.start_at == datetime(2126, 3, 1, 21, tzinfo=UTC)
        assert drain.stop_at == datetime(2126, 3, 2, 4, tzinfo=UTC)
        assert (drain.timeout_action, drain.follow_estimate) == ("force_complete", False)
        assert drain.move_locked is False
    first = Drain.objects.get(host="cmp1")
    assert [r.server_name for r in first.migrations.order_by("position")] == ["web-1", "db-1"]
    assert "does not start before 2126-03-01T21:00:00Z" in outcome.stdout
    assert "no new migrations start after 2126-03-02T04:00:00Z" in outcome.stdout
    assert "is paused until the rest is copied" in outcome.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--start-at", "2126-03-01T22:00"], "window_without_zone", "2026-03-01T22:00+01:00"),
        (["--stop-at", "2126-03-01"], "window_without_zone", "--stop-at"),
        (["--stop-at", "22:00"], "time_unreadable", "ISO 8601"),
        (["--start-at", "0001-01-01T00:00+14:00"], "time_unreadable", "--start-at"),
        (["--start-at", ""], "time_unreadable", "Write it like"),
        (["--start-at", "0001-01-01T00:00Z"], "window_out_of_range", "year"),
        (["--stop-at", "9999-12-31T23:59Z"], "window_out_of_range", "year"),
        (["--stop-at", "2026-01-01T00:00Z"], "window_is_over", "past"),
        (
            ["--start-at", "2126-03-01T22:00Z", "--stop-at", "2126-03-01T22:00Z"],
            "window_is_empty",
            "before it starts",
        ),
        (["--timeout-action", "explode"], "timeout_action_unknown", "warn, abort"),
        (["--placing", "anywhere"], "bad_arguments", "even"),
    ],
)
@pytest.mark.parametrize("more", [["--reason", "r"], ["--dry-run"]])
def test_choices_that_are_none(racks, arguments, code, words, more):
    outcome = run("drain_host", "cmp1", *arguments, *more, "--json")
    error = outcome.json["error"]
    assert (outcome.exit_code, error["code"]) == (2, code)
    assert words in error["message"] + error["remedy"]
    assert not Drain.objects.exists()


def test_an_order_that_is_none(racks):
    outcome = run("drain_host", "cmp1", "--reason", "r", "--order", "random", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "bad_arguments")


# -- only checked ----------------------------------------------------------------------------


def test_a_dry_run_tells_what_the_whole_plan_would_do(racks):
    outcome = run("drain_host", "cmp1", "cmp2", "--dry-run")
    assert outcome.exit_code == 0
    assert not Drain.objects.exists()
    text = outcome.stdout
    assert re.search(r"^cmp1: 2 leave live; needs 5 GiB; about ", text, re.MULTILINE)
    assert re.search(r"^cmp2: 1 leaves live; needs 1 GiB; about ", text, re.MULTILINE)
    # one estimate for all three of them, shown once
    assert re.findall(r"^cmp10 +3 +50% -> 88%", text, re.MULTILINE)
    assert text.count("Destinations to be requested (an estimate") == 1
    assert text.splitlines()[-1] == (
        "The whole plan: 2 hosts, one after another; 3 leave live; needs 6 GiB, 8 GiB free on 2"
        " hosts; about 61 s."
    )


@pytest.mark.parametrize(
    "arguments", [["--placing", "scheduler"], ["--destination", "cmp10"]], ids=lambda a: a[0]
)
def test_where_the_estimate_is_not_what_is_asked_for_a_dry_run_does_not_say_so(racks, arguments):
    text = run("drain_host", "cmp1", "--dry-run", *arguments).stdout
    assert "Possible destinations (an estimate: Nova's scheduler decides)" in text
    assert "to be requested" not in text


def test_a_host_that_is_named_goes_before_any_placing(racks):
    run("drain_host", "cmp1", "--reason", "r", "--destination", "cmp10", "--placing", "even")
    drain = Drain.objects.get()
    assert (drain.destination, drain.follow_estimate) == ("cmp10", False)


def test_the_time_of_a_dry_run_follows_the_hosts_at_a_time(racks):
    text = run("drain_host", "cmp1", "cmp2", "--dry-run", "--hosts-at-once", "0").stdout
    assert "2 hosts, all at once;" in text
    assert text.splitlines()[-1].endswith("about 46 s.")


def test_a_joint_estimate_tells_of_what_does_not_fit_together(racks):
    """5.5 GiB are free: enough for each host alone, not for both."""
    racks.all_capacity["cmp10"] = Capacity({"MEMORY_MB": 5632, "VCPU": 32}, {})
    for host in ("cmp1", "cmp2"):
        assert run("drain_host", host, "--dry-run").exit_code == 0
    outcome = run("drain_host", "cmp1", "cmp2", "--dry-run", "--json")
    assert outcome.exit_code == 1
    left_over = [i for d in outcome.json for i in d["instances"] if i["unplaced"]]
    assert len(left_over) == 1
    assert [d["estimate"]["fits"] for d in outcome.json] == [False, False]
    last = outcome.stderr.splitlines()[-1]
    assert "no room for 1 of them" in last


def test_a_dry_run_keeps_room_for_what_another_drain_is_still_to_migrate(racks):
    """5.5 GiB are free, of which the drain of cmp2 needs one."""
    racks.all_capacity["cmp10"] = Capacity({"MEMORY_MB": 5632, "VCPU": 32}, {})
    run("drain_host", "cmp2", "--reason", "r")
    outcome = run("drain_host", "cmp1", "--dry-run", "--json")
    assert outcome.exit_code == 1
    assert outcome.json[0]["estimate"]["kept_for"] == {"cmp2": 1}
    assert "no room for 1 of them" in outcome.stderr
    said = "Room is kept for 1 instance that still waits in another drain: cmp2."
    assert said in outcome.stderr
    assert said in run("drain_host", "cmp1", "--dry-run").stdout


def test_a_dry_run_tells_every_host_that_cannot_be_drained(racks):
    outcome = run("drain_host", "cmp1", "cmp3", "--dry-run", "--json")
    assert outcome.exit_code == 3
    first, second = outcome.json
    assert (first["host"], first["refusal"]) == ("cmp1", None)
    assert second["refusal"]["code"] == "host_down"
    assert "evacuation" in second["refusal"]["remedy"]
    assert "cmp3: CANNOT BE DRAINED NOW. Host cmp3 is down" in outcome.stderr
    assert "the plan cannot be requested while cmp3 cannot be drained" in outcome.stderr


def test_a_dry_run_looks_at_the_choices(racks):
    racks.all_servers[0] = server("web-1", locked=True)
    assert run("drain_host", "cmp1", "--dry-run").exit_code == 0
    outcome = run("drain_host", "cmp1", "--dry-run", "--leave-locked", "--json")
    assert outcome.exit_code == 1
    assert outcome.json[0]["counts"]["stays"] == 1


# -- waiting and looking ---------------------------------------------------------------------


@pytest.fixture
def worker(monkeypatch):
    """Steps that a worker would take, one in each pause of the command."""
    steps = []

    def pause(seconds):
        assert steps, "the command waits, but nothing is to wait for"
        steps.pop(0)()

    monkeypatch.setattr(_waiting.time, "sleep", pause)
    return steps


def _empty(host):
    drain = Drain.objects.get(host=host)
    succeed(drain)


def _interrupt():
    raise KeyboardInterrupt


def test_waits_until_the_whole_plan_is_over(racks, worker):
    worker += [lambda: _empty("cmp1"), lambda: None, lambda: _empty("cmp2")]
    outcome = run("drain_host", "cmp1", "cmp2", "--reason", "r", "--wait", "--json")
    assert outcome.exit_code == 0
    assert not worker
    assert [d["state"] for d in outcome.json] == ["succeeded", "succeeded"]


def test_every_host_of_a_plan_has_to_be_safe(racks, worker, monkeypatch):
    clock = itertools.count(0, 60)
    monkeypatch.setattr(_waiting.time, "monotonic", lambda: float(next(clock)))
    worker += [
        lambda: succeed(Drain.objects.get(host="cmp1")),
        lambda: succeed(Drain.objects.get(host="cmp2"), safe=False),
    ]
    worker += [lambda: None] * 2
    outcome = run("drain_host", "cmp1", "cmp2", "--reason", "r", "--wait", "--json")
    assert outcome.exit_code == 1
    assert [d["safe_to_power_off"] for d in outcome.json] == [True, False]
    assert "1 allocation" in outcome.json[1]["why_not"]
    assert "cmp2 is NOT safe to power off" in outcome.stderr


def test_an_interrupt_names_the_plan(racks, worker):
    worker += [_interrupt]
    outcome = run("drain_host", "cmp1", "cmp2", "--reason", "r", "--wait")
    plan = Plan.objects.get()
    assert outcome.exit_code == 130
    assert (
        f"Plan {plan.pk} continues. Follow it with `drain_status --plan {plan.pk}`"
        in outcome.stderr
    )
    assert Drain.objects.filter(state=DrainState.PENDING).count() == 2


def test_waiting_names_the_copy_that_needs_help(racks, worker):
    def hang():
        drain = Drain.objects.get()
        begin(drain)
        move(
            drain,
            "web-1",
            MigrationState.MIGRATING,
            nova_status="running",
            course="not_converging",
        )

    worker += [hang, _interrupt]
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait")
    assert "in progress: web-1 running (not converging)" in outcome.stderr


@pytest.fixture
def plan(racks):
    run("drain_host", "cmp1", "cmp2", "--reason", "kernel")
    drain = Drain.objects.get(host="cmp1")
    begin(drain)
    move(drain, "web-1", MigrationState.SUCCEEDED)
    return Plan.objects.get()


def test_status_of_a_plan(plan):
    text = run("drain_status", "--plan", str(plan.pk)).stdout
    assert f"Plan {plan.pk}: 2 hosts, one after another; 1 of 3 left their hosts" in text
    assert "Reason: kernel" in text
    assert re.search(r"^Time left: about .+ \(.+ to .+; a rough estimate: ", text, re.M)
    first, second = text.splitlines()[-2:]
    numbers = [str(drain.pk) for drain in Drain.objects.order_by("plan_order")]
    assert first.split()[:7] == ["cmp1", numbers[0], "running", "1", "2", "0", "0"]
    assert second.split()[:7] == ["cmp2", numbers[1], "pending", "0", "1", "0", "0"]


def test_status_of_a_plan_names_who_needs_a_person_and_where_what_helps_is_told(plan):
    drain = Drain.objects.get(host="cmp2")
    row = store.migrations(drain)[0]
    store.change_migration(row, timezone.now(), state=MigrationState.BLOCKED, code="task_state")
    text = run("drain_status", "--plan", str(plan.pk)).stdout
    said = f"Needs you on cmp2: {row.server_name} (blocked): see `drain_status {drain.pk}`"
    assert [line for line in text.splitlines() if "Needs you" in line] == [said]


def test_status_of_a_plan_as_json(plan):
    document = run("drain_status", "--plan", str(plan.pk), "--json").json
    assert (document["id"], document["hosts_at_once"], document["reason"]) == (plan.pk, 1, "kernel")
    assert (document["left"], document["total"], document["is_over"]) == (1, 3, False)
    assert document["requested_by"].endswith("(shell)")
    forecast, each = document["forecast"], [d["forecast"] for d in document["drains"]]
    assert forecast.keys() == each[0].keys()
    seconds = [one["seconds"]["likely"] for one in (forecast, *each)]
    assert 0 < seconds[0] == pytest.approx(sum(seconds[1:]), abs=1)
    assert [d["host"] for d in document["drains"]] == ["cmp1", "cmp2"]
    assert {m["server_name"] for m in document["drains"][0]["instances"]} == {"web-1", "db-1"}


def test_status_of_a_plan_that_is_over(plan):
    drain = Drain.objects.get(host="cmp1")
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")
    _empty("cmp2")
    outcome = run("drain_status", "--plan", str(plan.pk))
    assert "one after another, finished; 1 of 3" in outcome.stdout
    assert "maintenance_worker" not in outcome.stderr


def test_a_plan_that_does_not_exist(cloud):
    outcome = run("drain_status", "--plan", "4711", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "unknown_plan")


def test_a_drain_and_a_plan_are_too_much(plan):
    assert run("drain_status", "1", "--plan", "1").exit_code == 2


def test_a_plan_is_changed_as_one(plan):
    outcome = run("drain_change", "--plan", str(plan.pk), "--max-concurrent", "5")
    assert outcome.exit_code == 0
    assert {d.max_concurrent for d in Drain.objects.filter(plan=plan) if d.finished_at is None} == {
        5
    }
    outcome = run("drain_change", "--plan", str(plan.pk), "--max-concurrent", "0", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "max_concurrent_out_of_range")

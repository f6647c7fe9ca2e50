"""`drain_affected`: who is affected, before and after."""

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import translation
from django.utils.dateparse import parse_datetime

from tests.commands import test_runs
from tests.commands.helpers import begin, finish, move, run
from tests.commands.test_runs import bring, host_of
from tests.fakes import GIB, FakeCloud, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor, shell_actor
from ukcloud_maintenance.core.facts import Contacts
from ukcloud_maintenance.core.message import message, text
from ukcloud_maintenance.core.run.states import ActionState, HostVerb, RunState, RunVerb, Stage
from ukcloud_maintenance.core.states import (
    DrainResult,
    DrainState,
    MigrationState,
    RequestKind,
    RequestState,
)
from ukcloud_maintenance.exceptions import (
    CloudForbidden,
    CloudUnreachable,
    ConfigurationError,
    NotAllowed,
)
from ukcloud_maintenance.models import Attempt, Drain, InstanceMigration, Request, Run, RunAction
from ukcloud_maintenance.rolling.actor import actor_of
from ukcloud_maintenance.services.runs import ACTION_SECONDS

pytestmark = pytest.mark.django_db

racks, a_run = test_runs.racks, test_runs.a_run


@pytest.fixture
def drain(cloud):
    assert run("drain_host", "cmp1", "--reason", "kernel update").exit_code == 0
    return Drain.objects.get(host="cmp1")


def by_name(document: dict) -> dict[str, dict]:
    return {
        one["server_name"]: one | {"project": project["project_name"]}
        for project in document["projects"]
        for one in project["instances"]
    }


def affected(*arguments: str) -> dict:
    outcome = run("drain_affected", *arguments, "--format", "json")
    assert outcome.exit_code == 0, outcome.stdout + outcome.stderr
    return outcome.json


# -- before ------------------------------------------------------------------------------------


def test_before_when_each_is_expected_to_move_and_whom_to_tell(drain):
    found = affected(str(drain.pk))
    assert (found["schema"], found["drain_ids"]) == ("ukcloud_maintenance.affected", [drain.pk])
    [project] = found["projects"]
    assert (project["project_name"], project["emails"]) == ("customer", ["p1@example.org"])
    instances = by_name(found)
    assert instances["web-1"]["interruption"] == "moment"
    assert instances["web-1"]["interrupted_seconds_at_most"] is None, "Nova does not tell"
    assert instances["web-1"]["expected_begin_at"] < instances["web-1"]["expected_end_at"]
    # largest first: it begins at once, beside the other one
    assert instances["db-1"]["expected_begin_at"] == found["exported_at"]
    assert instances["db-1"]["expected_end_at"] > instances["web-1"]["expected_end_at"]
    stays = instances["old-1"]
    assert (stays["part"], stays["expected_end_at"]) == ("not_moved", None)


def test_the_order_of_the_drain_counts(drain):
    store.adjust_drain(drain, shell_actor(), store.now(), text("slow"), max_concurrent=1)
    InstanceMigration.objects.filter(server_name="web-1").update(position=-1)
    found = by_name(affected(str(drain.pk)))
    assert found["web-1"]["expected_begin_at"] < found["db-1"]["expected_begin_at"]


def test_at_the_drains_own_pace_and_not_at_its_regions(cloud):
    cloud.all_servers = [server(f"s{n}", memory_bytes=GIB) for n in range(7)]
    assert run("drain_host", "cmp1", "--reason", "r", "--max-concurrent", "1").exit_code == 0
    drain = Drain.objects.get()
    begin(drain)
    before = by_name(affected(str(drain.pk)))["s6"]
    # five took ten minutes each, one after the other: far slower than anything assumed
    for n in range(5):
        move(drain, f"s{n}", MigrationState.SUCCEEDED, dest_compute="cmp10")
        ended = store.now() - timedelta(minutes=10 * (4 - n))
        Attempt.objects.filter(migration__server_name=f"s{n}").update(
            running_since=ended - timedelta(minutes=10), ended_at=ended, result="failed"
        )  # of which a region learns nothing
    after = by_name(affected(str(drain.pk)))["s6"]
    slowest = drain.created_at + timedelta(minutes=5)
    assert before["expected_likely_at"] < slowest.isoformat(), "the test tests something"
    assert after["expected_likely_at"] > (drain.created_at + timedelta(minutes=15)).isoformat()


def test_a_drain_that_waits_for_its_window(drain):
    start = store.now() + timedelta(hours=5)
    Drain.objects.update(start_at=start)
    found = by_name(affected(str(drain.pk)))["web-1"]
    assert found["expected_begin_at"] >= start.isoformat(timespec="seconds")[:19]


def test_what_does_not_begin_in_its_window_has_no_time(drain):
    begin(drain)
    store.adjust_drain(drain, shell_actor(), store.now(), text("slow"), max_concurrent=1)
    InstanceMigration.objects.filter(server_name="db-1").update(memory_bytes=400 * GIB)
    Drain.objects.update(stop_at=store.now() + timedelta(seconds=60))
    found = by_name(affected(str(drain.pk)))
    assert found["db-1"]["expected_begin_at"] is not None
    assert found["web-1"]["expected_begin_at"] is None


def test_of_a_paused_drain_nobody_knows_when(drain):
    begin(drain)
    services.pause_drain(shell_actor(), drain.pk)
    assert by_name(affected(str(drain.pk)))["web-1"]["expected_begin_at"] is None
    assert "When it moves is unknown." in run("drain_affected", str(drain.pk)).stdout


def test_hosts_without_a_drain_count_from_its_start(cloud):
    found = affected("--host", "cmp1")
    assert (found["drain_ids"], found["hosts"]) == ([], ["cmp1"])
    instances = by_name(found)
    assert instances["db-1"]["expected_begin_seconds"] == 0
    assert instances["web-1"]["expected_end_seconds"] > 0
    assert instances["web-1"]["expected_end_at"] is None
    assert instances["old-1"]["part"] == "not_moved"
    assert not Drain.objects.exists(), "nothing is changed"
    said = run("drain_affected", "--host", "cmp1").stdout
    assert "after the start of the maintenance" in said


def test_a_host_that_is_drained_is_its_drain_and_several_are_told_at_once(cloud, drain):
    cloud.all_servers.append(server("other", host="cmp10", project_id="p2"))
    found = affected("--host", "cmp1", "--host", "cmp10")
    assert found["drain_ids"] == [drain.pk]
    assert found["hosts"] == ["cmp1", "cmp10"]
    instances = by_name(found)
    assert instances["web-1"]["drain_id"] == drain.pk
    assert instances["other"]["drain_id"] is None
    assert [project["emails"] for project in found["projects"]] == [
        ["p1@example.org"],
        ["p2@example.org"],
    ]


def test_a_plan_whose_hosts_take_turns(monkeypatch):
    cloud = FakeCloud(
        [service("cmp1"), service("cmp2"), service("cmp3")],
        [server("a", "cmp1"), server("b", "cmp2"), server("c", "cmp2")],
    )
    monkeypatch.setattr(services, "connect_shell", lambda region: cloud)
    plan = services.request_plan(
        shell_actor(),
        cloud,
        services.PlanRequest(("cmp1", "cmp2"), services.DrainRequest("", "r"), hosts_at_once=1),
    )
    found = by_name(affected("--plan", str(plan.pk)))
    assert set(found) == {"a", "b", "c"}
    assert found["a"]["expected_begin_at"] < found["b"]["expected_begin_at"]
    Drain.objects.update(plan=None)
    ids = [str(drain.pk) for drain in Drain.objects.all()]
    alone = by_name(affected(*ids))
    assert alone["a"]["expected_begin_at"] == alone["b"]["expected_begin_at"], "each by itself"


# -- after -------------------------------------------------------------------------------------


def test_after_when_it_moved_and_for_how_long_it_was_interrupted(drain):
    begin(drain)
    move(drain, "web-1", MigrationState.SUCCEEDED, dest_compute="cmp10")
    move(drain, "db-1", MigrationState.SUCCEEDED, dest_compute="cmp10")
    row = InstanceMigration.objects.get(server_name="db-1")
    now = store.now()
    Attempt.objects.filter(migration=row).update(
        submitted_at=now - timedelta(seconds=90), ended_at=now - timedelta(seconds=10)
    )
    Request.objects.create(
        migration=row,
        attempt_number=row.newest_attempt.number,
        kind=RequestKind.FORCE,
        state=RequestState.TAKEN,
        requested_at=now,
        taken_at=now - timedelta(seconds=52),
    )
    finish(drain, DrainState.FAILED, DrainResult.INSTANCES_LEFT, "One stays.")
    found = by_name(affected(str(drain.pk)))
    assert found["web-1"]["interruption"] == "moment"
    assert found["web-1"]["moved_at"] is not None
    assert found["web-1"]["dest_compute"] == "cmp10"
    forced = found["db-1"]
    assert (forced["interruption"], forced["interrupted_seconds_at_most"]) == ("paused", 42.0)
    assert forced["expected_end_at"] is None
    said = run("drain_affected", str(drain.pk)).stdout
    assert "We have maintained servers" in said
    assert "It was paused so that the move could finish, for at most 42 s." in said


# -- a rolling run -----------------------------------------------------------------------------


def drained(of: Run, host: str, cloud: FakeCloud) -> Drain:
    """A worker begins with a host of a run."""
    request = services.DrainRequest(host, of.reason, of.max_concurrent)
    drain = services.request_drain(actor_of(of), cloud, request)
    bring(of, host, Stage.DRAINING, drain=drain)
    begin(drain)
    return drain


def emptied(of: Run, drain: Drain, cloud: FakeCloud, dest: str) -> None:
    """All that is on the host of a drain of a run moves to another one."""
    for row in drain.migrations.all():
        move(drain, row.server_name, MigrationState.SUCCEEDED, dest_compute=dest)
    cloud.all_servers = [
        replace(one, host=dest) if one.host == drain.host else one for one in cloud.all_servers
    ]
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")
    bring(of, drain.host, Stage.READY)


def of_run(of: Run) -> list[dict]:
    return list(by_name(affected("--run", str(of.pk))).values())


def width(one: dict) -> timedelta:
    ends, begins = one["expected_end_at"], one["expected_begin_at"]
    return parse_datetime(ends) - parse_datetime(begins)


def test_before_a_run_when_the_turn_of_each_host_is_expected(a_run):
    found = affected("--run", str(a_run.pk))
    assert (found["run_id"], found["plan_id"], found["drain_ids"]) == (a_run.pk, None, [])
    assert found["hosts"] == ["cmp1", "cmp2"]
    [project] = found["projects"]
    assert project["emails"] == ["p1@example.org"]
    instances = by_name(found)
    assert {one["part"] for one in instances.values()} == {"to_move"}
    first, second = instances["db-1"], instances["web-2"]
    assert first["expected_begin_at"] == found["exported_at"]
    # one at a time, and what is done to a host takes its time
    turn = store.run_hosts(a_run)[1]
    openings = services.openings(services.run_report(shell_actor(), a_run.pk))
    likely = openings[turn.pk][0] - timedelta(seconds=120)
    assert first["expected_end_at"] < second["expected_end_at"]
    assert second["expected_likely_at"] > likely.isoformat()
    assert second["expected_begin_seconds"] is None
    assert width(second) > timedelta(seconds=2 * ACTION_SECONDS), "nobody knows how long it takes"
    assert not Drain.objects.exists(), "nothing is changed"
    # what leaves the first host may arrive on the second one, and not the other way round
    assert (first["may_move_again"], second["may_move_again"]) == (True, False)
    assert {one["moves"] for one in instances.values()} == {1}


def test_an_action_that_was_seen_makes_the_time_more_certain(a_run):
    guessed = width(by_name(affected("--run", str(a_run.pk)))["web-2"])
    other = services.request_run(
        shell_actor(),
        services.connect_shell(""),
        services.RunRequest(("cmp4",), services.DrainRequest("", "r"), action="reboot"),
    )
    tried = test_runs.act_on(other, "cmp4", state=ActionState.DONE)
    began = store.now() - timedelta(seconds=ACTION_SECONDS)
    RunAction.objects.filter(pk=tried.pk).update(started_at=began)
    assert width(by_name(affected("--run", str(a_run.pk)))["web-2"]) < guessed


def test_a_run_that_waits_for_its_window(a_run):
    tomorrow = store.now() + timedelta(days=1)
    Run.objects.update(windows=[f"{tomorrow:%a} 00:00-24:00 UTC"])
    opens = tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)
    for one in of_run(a_run):
        assert one["expected_begin_at"] >= opens.isoformat()[:19]


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.STOPPED])
def test_of_a_run_that_does_not_go_on_nobody_knows_when(a_run, state):
    store.change_run(a_run, store.now(), state=state.value)
    assert {one["expected_begin_at"] for one in of_run(a_run)} == {None}
    assert "When it moves is unknown." in run("drain_affected", "--run", str(a_run.pk)).stdout


def test_a_host_that_is_left_out_affects_nobody(a_run):
    services.steer_host(shell_actor(), a_run.pk, "cmp1", HostVerb.SKIP)
    assert [one["server_name"] for one in of_run(a_run)] == ["web-2"]
    services.steer_run(shell_actor(), a_run.pk, RunVerb.CANCEL)
    assert of_run(a_run) == []


def test_while_a_run_goes_on_what_moved_is_of_its_drain(a_run, racks):
    drain = drained(a_run, "cmp1", racks)
    found = affected("--run", str(a_run.pk))
    assert (found["drain_ids"], found["hosts"]) == ([drain.pk], ["cmp1", "cmp2"])
    emptied(a_run, drain, racks, "cmp10")
    instances = by_name(affected("--run", str(a_run.pk)))
    assert {name: one["part"] for name, one in instances.items()} == {
        "web-1": "moved",
        "db-1": "moved",
        "web-2": "to_move",
    }
    assert instances["web-1"]["moved_at"] is not None
    assert not instances["web-1"]["may_move_again"], "it is on no host of the run"


def test_an_instance_that_moves_twice_is_told_with_both_moves(a_run, racks):
    emptied(a_run, drained(a_run, "cmp1", racks), racks, "cmp2")
    found = affected("--run", str(a_run.pk))
    [project] = found["projects"]
    web = [one for one in project["instances"] if one["server_name"] == "web-1"]
    assert [(one["host"], one["part"]) for one in web] == [("cmp1", "moved"), ("cmp2", "to_move")]
    assert [(one["move"], one["moves"]) for one in web] == [(1, 2), (2, 2)]
    said = run("drain_affected", "--run", str(a_run.pk)).stdout
    lines = [line for line in said.splitlines() if line.startswith("- web-1 (")]
    assert len(lines) == 2
    assert any("Expected between" in line and "Move 2 of 2." in line for line in lines)
    assert any("Moved by" in line and "Move 1 of 2." in line for line in lines)
    emptied(a_run, drained(a_run, "cmp2", racks), racks, "cmp10")
    outcome = run("drain_affected", "--run", str(a_run.pk), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(outcome.stdout)))
    web = [row for row in rows if row["server_name"] == "web-1"]
    assert [(row["move"], row["moves"], row["part"]) for row in web] == [
        ("1", "2", "moved"),
        ("2", "2", "moved"),
    ]


def test_a_host_that_was_tried_again_counts_what_moved_and_not_what_failed(a_run, racks):
    first = drained(a_run, "cmp1", racks)
    move(first, "web-1", MigrationState.SUCCEEDED, dest_compute="cmp10")
    move(first, "db-1", MigrationState.FAILED)
    finish(first, DrainState.FAILED, DrainResult.INSTANCES_FAILED, "One failed.")
    racks.all_servers = [one for one in racks.all_servers if one.name != "web-1"]
    said = message("run_drain_failed", why=text("One failed."))
    bring(a_run, "cmp1", Stage.FAILED, message=said)
    services.steer_host(shell_actor(), a_run.pk, "cmp1", HostVerb.RETRY)
    waits = {one["server_name"]: one for one in of_run(a_run)}
    assert (waits["db-1"]["part"], waits["db-1"]["drain_id"]) == ("to_move", None)
    second = drained(a_run, "cmp1", racks)
    assert host_of(a_run).drain_id == second.pk
    emptied(a_run, second, racks, "cmp11")
    found = affected("--run", str(a_run.pk))
    assert found["drain_ids"] == [first.pk, second.pk]
    told = [
        (one["server_name"], one["part"], one["moves"])
        for project in found["projects"]
        for one in project["instances"]
    ]
    assert told == [("web-1", "moved", 1), ("db-1", "moved", 1), ("web-2", "to_move", 1)]


def test_what_is_brought_back_moves_again(a_run, racks):
    Run.objects.update(bring_back=True)
    emptied(a_run, drained(a_run, "cmp1", racks), racks, "cmp10")
    assert all(one["may_move_again"] for one in of_run(a_run))
    assert "An instance may be moved more than once." in (
        run("drain_affected", "--run", str(a_run.pk)).stdout
    )
    bring(a_run, "cmp1", Stage.RETURNING, Stage.DONE)
    assert not any(one["may_move_again"] for one in of_run(a_run) if one["host"] == "cmp1")


def test_a_host_of_a_run_that_somebody_else_drains_is_that_drain(a_run, racks):
    theirs = services.request_drain(shell_actor(), racks, services.DrainRequest("cmp2", "fan"))
    found = affected("--run", str(a_run.pk))
    assert found["drain_ids"] == [theirs.pk]
    assert by_name(found)["web-2"]["drain_id"] == theirs.pk


def test_after_a_run_nova_is_not_asked(a_run, racks, monkeypatch):
    for host in ("cmp1", "cmp2"):
        emptied(a_run, drained(a_run, host, racks), racks, "cmp10")
        bring(a_run, host, Stage.RETURNING, Stage.DONE)
    a_run.refresh_from_db()
    store.change_run(a_run, store.now(), state=RunState.SUCCEEDED.value)

    def unasked(host):
        raise AssertionError(host)

    monkeypatch.setattr(racks, "servers_on", unasked)
    assert [one["part"] for one in of_run(a_run)] == ["moved"] * 3
    said = run("drain_affected", "--run", str(a_run.pk)).stdout
    assert "We have maintained servers" in said
    for word in ("cmp1", "cmp10", "kernel", "reboot"):
        assert word not in said


def test_a_nova_that_does_not_tell_what_is_on_a_host_of_a_run_is_an_error(a_run, racks):
    racks.failure = CloudUnreachable(text("list the servers"), "timed out")
    assert run("drain_affected", "--run", str(a_run.pk)).exit_code == 4


# -- the forms ---------------------------------------------------------------------------------


def test_a_text_for_customers(drain):
    outcome = run("drain_affected", str(drain.pk))
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    lines = outcome.stdout.splitlines()
    assert lines[:2] == [
        "To: p1@example.org",
        "Subject: Maintenance: instances of project customer",
    ]
    assert "may run slower" in outcome.stdout
    assert "To be moved:" in lines
    [web] = [line for line in lines if line.startswith("- web-1 (")]
    assert "Expected between 20" in web
    assert "UTC" in web
    # what is nobody's business outside
    for word in ("cmp1", "kernel update", "drain"):
        assert word not in outcome.stdout


def test_a_text_per_project(cloud):
    cloud.all_servers.append(server("theirs", project_id="p2"))
    said = run("drain_affected", "--host", "cmp1").stdout
    ours, theirs = said.split("-" * 72 + "\n")
    assert "theirs" not in ours
    assert "To: p2@example.org" in theirs
    assert "web-1" not in theirs


def test_a_text_in_the_readers_language(drain):
    found = services.affected(
        shell_actor(), services.connect_shell(""), services.AffectedRequest((drain.pk,))
    )
    with translation.override("de"):
        assert "langsamer" in services.affected_rendered(found, "text")
        assert "slower" in services.affected_text(found, "text"), "a shell's is English"


def test_csv(drain):
    outcome = run("drain_affected", str(drain.pk), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(outcome.stdout)))
    assert sorted(row["server_name"] for row in rows) == ["db-1", "old-1", "web-1"]
    assert {row["emails"] for row in rows} == {"p1@example.org"}


def test_names_do_no_harm(cloud, monkeypatch):
    evil = '=HYPERLINK("http://x")'
    cloud.all_servers = [
        server(evil, project_id=evil),
        server("a\nTo: everybody@example.org\x1b[2J", project_id="p2"),
    ]
    contacts = Contacts({evil: ("=cmd@x",), "p2": ()})
    monkeypatch.setattr(cloud, "contacts_of", lambda ids: contacts, raising=False)
    monkeypatch.setattr(cloud, "within", lambda seconds: cloud)
    outcome = run("drain_affected", "--host", "cmp1", "--format", "csv")
    for row in csv.reader(io.StringIO(outcome.stdout)):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
    said = run("drain_affected", "--host", "cmp1").stdout
    assert "\x1b" not in said
    assert not any(line.startswith("To: everybody") for line in said.splitlines())


@pytest.mark.parametrize("was_there", [True, False])
def test_a_file(drain, tmp_path, was_there):
    file = tmp_path / "told.csv"
    if was_there:
        file.touch(0o644)
    outcome = run("drain_affected", str(drain.pk), "--format", "csv", "--output", str(file))
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert "web-1" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600, "it has addresses of people"
    assert run("drain_affected", str(drain.pk), "--output", "/dev/null").exit_code == 0
    outcome = run("drain_affected", str(drain.pk), "--output", str(tmp_path / "no" / "file"))
    assert outcome.exit_code == 2


# -- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_a_keystone_that_does_not_tell_is_said_and_no_error(drain, cloud, monkeypatch, form):
    def refused(project_ids):
        raise CloudForbidden(text("list the users"), "no", status=403)

    monkeypatch.setattr(cloud, "contacts_of", refused)
    monkeypatch.setattr(cloud, "within", lambda seconds: cloud)
    outcome = run("drain_affected", str(drain.pk), "--format", form)
    assert outcome.exit_code == 0
    said = outcome.stdout + outcome.stderr
    assert "E-mail addresses could not be read of 1 project" in said
    assert "web-1" in outcome.stdout
    if form == "json":
        assert outcome.json["projects"][0]["emails"] is None, "not known is not none"
    if form == "text":
        assert "To: (no e-mail address is known)" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "affected_nothing_named"),
        (["999"], "unknown_drain"),
        (["--plan", "999"], "unknown_plan"),
        (["--run", "999"], "unknown_run"),
        (["--host", "cmp"], "unknown_host"),
        (["99999999999999999999"], "unknown_drain"),
    ],
)
def test_what_is_not_there(cloud, arguments, code):
    outcome = run("drain_affected", *arguments, "--json")
    assert outcome.exit_code == 2
    assert outcome.json["error"]["code"] == code


def test_drains_of_several_regions(drain):
    other = Drain.objects.get(pk=drain.pk)
    other.pk, other.region, other.open_key = None, "Elsewhere", None
    other.save()
    outcome = run("drain_affected", str(drain.pk), str(other.pk), "--json")
    assert outcome.exit_code == 2
    assert outcome.json["error"]["code"] == "affected_several_regions"
    outcome = run("drain_affected", str(drain.pk), "--region", "Elsewhere", "--json")
    assert outcome.json["error"]["code"] == "other_region"


def test_who_may_not_read_the_credentials_may_not_read_addresses(drain, monkeypatch):
    def fail(region):
        raise ConfigurationError(text("clouds.yaml cannot be read."))

    monkeypatch.setattr(services, "connect_shell", fail)
    assert run("drain_affected", str(drain.pk)).exit_code == 2


def test_the_policy_is_asked_first(drain, cloud):
    viewer = Actor("u", "viewer", lambda rule: rule == "maintenance:view")
    with pytest.raises(NotAllowed):
        services.affected(viewer, cloud, services.AffectedRequest((drain.pk,)))

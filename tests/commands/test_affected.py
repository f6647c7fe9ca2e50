"""`drain_affected`: who is affected, before and after."""

import csv
import io
from datetime import timedelta

import pytest
from django.utils import translation

from tests.commands.helpers import begin, finish, move, run
from tests.fakes import GIB, FakeCloud, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor, shell_actor
from ukcloud_maintenance.core.facts import Contacts
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import (
    DrainResult,
    DrainState,
    MigrationState,
    RequestKind,
    RequestState,
)
from ukcloud_maintenance.exceptions import CloudForbidden, ConfigurationError, NotAllowed
from ukcloud_maintenance.models import Attempt, Drain, InstanceMigration, Request

pytestmark = pytest.mark.django_db


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
    Drain.objects.update(stop_at=store.now() + timedelta(seconds=1))
    found = by_name(affected(str(drain.pk)))
    assert found["db-1"]["expected_begin_at"] is not None
    assert found["web-1"]["expected_begin_at"] is None


def test_of_a_paused_drain_nobody_knows_when(drain):
    begin(drain)
    services.pause_drain(shell_actor(), drain.pk)
    assert by_name(affected(str(drain.pk)))["web-1"]["expected_begin_at"] is None
    assert "When it moves is not known." in run("drain_affected", str(drain.pk)).stdout


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

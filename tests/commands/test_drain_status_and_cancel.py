"""`drain_status` and `drain_cancel`: the database alone, by who may read clouds.yaml."""

import json
import math
import re
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from tests.asking import request
from tests.commands.helpers import begin, finish, move, run
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.codes import ABORTED
from ukcloud_maintenance.core.copying.duration import Forecast
from ukcloud_maintenance.core.message import message, text
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState, RequestState
from ukcloud_maintenance.exceptions import ConfigurationError
from ukcloud_maintenance.models import Drain

pytestmark = pytest.mark.django_db

DRAIN_KEYS = {
    "id",
    "plan_id",
    "direction",
    "start_at",
    "stop_at",
    "max_concurrent",
    "timeout_action",
    "cancelled_by",
    "forecast",
    "host",
    "region",
    "state",
    "result",
    "message",
    "message_code",
    "message_values",
    "reason",
    "requested_by",
    "created_at",
    "started_at",
    "finished_at",
    "instances",
}
#: What is told of an instance, beside other things.
INSTANCE_KEYS = {
    *("server_id", "server_name", "project_id", "state", "method", "code", "attempts", "seconds"),
    *("source_compute", "dest_compute", "nova_status", "nova_migration_id", "request_id"),
    *("message", "message_code", "message_values", "started_at", "finished_at"),
    *("memory_bytes", "memory_total_bytes", "memory_remaining_bytes", "disk_total_bytes"),
    *("disk_remaining_bytes", "rate_bytes", "course", "seconds_left"),
    *("timed_out_at", "times_out_at", "attempt_list", "request_list"),
}


@pytest.fixture
def drain(cloud):
    assert run("drain_host", "cmp1", "--reason", "kernel update").exit_code == 0
    return Drain.objects.get(host="cmp1")


def _unreadable(region):
    raise ConfigurationError(text(f"clouds.yaml cannot be used for {region}"))


def test_one_drain_as_json(drain):
    begin(drain)
    move(
        drain,
        "web-1",
        MigrationState.MIGRATING,
        nova_status="running",
        dest_compute="cmp10",
        attempts=1,
        memory_total_bytes=1000,
        memory_remaining_bytes=400,
        course="not_converging",
        seconds_left=90.5,
        started_at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
    )
    move(
        drain,
        "db-1",
        MigrationState.MIGRATING,
        course="not_converging",
        seconds_left=80.0,
        rate_bytes=1e6,
        timed_out_at=datetime(2026, 3, 1, 12, 40, tzinfo=UTC),
    )
    no = message("text", text="Nova said no.")
    request(drain.migrations.get(server_name="db-1"), "abort", "ada", answer=no)
    outcome = run("drain_status", str(drain.pk), "--json")
    assert outcome.exit_code == 0
    document = outcome.json
    assert set(document) >= DRAIN_KEYS
    assert document["id"] == drain.pk
    assert (document["plan_id"], document["direction"]) == (None, "away")
    assert (document["max_concurrent"], document["timeout_action"]) == (2, "warn")
    assert (document["start_at"], document["stop_at"]) == (None, None)
    assert (document["host"], document["region"]) == ("cmp1", "RegionOne")
    assert (document["state"], document["result"]) == ("running", None)
    assert document["reason"] == "kernel update"
    assert document["requested_by"].endswith("(shell)")
    assert document["finished_at"] is None
    rows = {row["server_name"]: row for row in document["instances"]}
    assert all(set(row) >= INSTANCE_KEYS for row in rows.values())
    assert set(rows) == {"web-1", "db-1", "old-1"}
    web = rows["web-1"]
    assert (web["state"], web["method"], web["nova_status"]) == ("migrating", "live", "running")
    assert (web["source_compute"], web["dest_compute"]) == ("cmp1", "cmp10")
    assert (web["memory_total_bytes"], web["memory_remaining_bytes"]) == (1000, 400)
    assert (web["attempts"], web["started_at"]) == (1, "2026-03-01T12:30:00.000Z")
    assert (web["course"], web["seconds_left"]) == ("not_converging", 90.5)
    assert web["request_list"] == []
    assert [one["number"] for one in web["attempt_list"]] == [1]
    db = rows["db-1"]
    # its abort is requested
    assert (db["course"], db["seconds_left"], db["rate_bytes"]) == (None, None, 1e6)
    (asked,) = db["request_list"]
    assert (asked["kind"], asked["requested_by"], asked["state"]) == ("abort", "ada", "open")
    assert asked["answer"] == "Nova said no."
    assert db["timed_out_at"] == "2026-03-01T12:40:00.000Z"
    old = rows["old-1"]
    assert (old["state"], old["method"], old["dest_compute"]) == ("stays", None, None)
    assert "suspended" in old["message"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_times_are_utc_whatever_the_time_zone(drain, settings, zone):
    settings.TIME_ZONE = zone
    Drain.objects.filter(pk=drain.pk).update(created_at=datetime(2026, 3, 1, 23, 5, 7, tzinfo=UTC))
    document = run("drain_status", str(drain.pk), "--json").json
    assert document["created_at"] == "2026-03-01T23:05:07.000Z"


def test_without_a_number_the_drains_under_way(drain):
    run("drain_host", "cmp10", "--reason", "other")
    begin(drain)
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")
    document = run("drain_status", "--json").json
    assert [d["host"] for d in document] == ["cmp10"]
    assert set(document[0]) >= DRAIN_KEYS


def test_nothing_under_way(cloud):
    assert run("drain_status", "--json").json == []
    assert "No drain is in progress." in run("drain_status").stdout


def test_table_of_the_drains_under_way(drain):
    begin(drain)
    move(drain, "web-1", MigrationState.SUCCEEDED)
    head, row = run("drain_status").stdout.splitlines()
    assert head.split()[:7] == ["ID", "HOST", "REGION", "STATE", "LEFT", "OF", "STAY"]
    assert row.split()[:7] == [str(drain.pk), "cmp1", "RegionOne", "running", "1", "2", "1"]


def test_table_of_one_drain(drain):
    begin(drain)
    move(drain, "web-1", MigrationState.FAILED, message="No valid\nhost was found.", attempts=3)
    finish(drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED, "One could not be moved.")
    text = run("drain_status", str(drain.pk)).stdout
    assert "cmp1" in text
    assert "One could not be moved." in text
    line = next(line for line in text.splitlines() if line.startswith("web-1"))
    assert "failed" in line
    assert "No valid host was found." in line


def test_one_drain_tells_its_window_pace_and_plan(cloud):
    window = ["--start-at", "2126-03-01T22:00+01:00", "--stop-at", "2126-03-02T04:00Z"]
    run("drain_host", "cmp1", "cmp10", "--reason", "r", "--max-concurrent", "1", *window)
    drain = Drain.objects.get(host="cmp1")
    text = run("drain_status", str(drain.pk)).stdout
    assert (
        "1 migration at once; not before 2126-03-01T21:00:00Z; no new migrations after"
        " 2126-03-02T04:00:00Z; timeout action: warn" in text
    )
    assert f"Part of plan {drain.plan_id}: see `drain_status --plan {drain.plan_id}`" in text
    listed = run("drain_status").stdout
    assert listed.count("2126-03-01T21:00:00Z/2126-03-02T04:00:00Z") == 2


def test_one_drain_tells_which_copy_will_not_end_and_the_ways_out(drain):
    begin(drain)
    move(
        drain,
        "web-1",
        MigrationState.MIGRATING,
        course="not_converging",
        timed_out_at=datetime(2026, 3, 1, 12, 40, tzinfo=UTC),
    )
    no = message("abort_refused", words="Migration 7\nis not running.")
    row = drain.migrations.get(server_name="web-1")
    request(row, "abort", "ada", answer=no)
    move(drain, "db-1", MigrationState.MIGRATING, course="converging", seconds_left=300.0)
    text = run("drain_status", str(drain.pk)).stdout
    web = next(line for line in text.splitlines() if line.startswith("web-1"))
    assert re.search(r"migrating +aborting ", web)
    assert "[abort requested by ada] [Nova refused the abort: Migration 7 is not running.]" in web
    assert "not converging" not in text

    store.change_migration(row, timezone.now(), request={"state": RequestState.REFUSED})
    text = run("drain_status", str(drain.pk)).stdout
    web = next(line for line in text.splitlines() if line.startswith("web-1"))
    assert re.search(r"migrating +not converging ", web)
    assert "[Nova refused the abort: Migration 7 is not running.]" in web
    assert "[timeout exceeded at 2026-03-01T12:40:00Z]" in web
    ours = message("abort_not_taken", why=message("was_over"))
    row.request_rows.update(answer=ours)
    text_of_ours = run("drain_status", str(drain.pk)).stdout
    assert "[The migration was not aborted: it had already ended.]" in text_of_ours
    db = next(line for line in text.splitlines() if line.startswith("db-1"))
    assert re.search(r"converging +at least 5 min", db)
    _, advice = text.rsplit("\nweb-1 (", 1)
    assert "is not converging: the guest writes at least as fast as it is copied" in advice
    assert f"`drain_instance abort {drain.pk} INSTANCE`" in advice
    assert f"`drain_instance force-complete {drain.pk} INSTANCE`" in advice
    assert "The guest is paused until the rest is copied." in advice
    assert "db-1" not in advice


def test_what_is_copied_again_is_told_by_its_pass_and_what_is_over_not_at_all(drain):
    """As a whole it stays at 99 %, for as long as the guest writes."""
    begin(drain)
    again = {"memory_remaining_bytes": 300, "pass_bytes": 400, "fraction": 0.99}
    move(drain, "web-1", MigrationState.MIGRATING, nova_status="running", **again)
    move(drain, "db-1", MigrationState.MIGRATING, fraction=0.5)

    def line(name: str) -> str:
        text = run("drain_status", str(drain.pk)).stdout
        return next(line for line in text.splitlines() if line.startswith(name))

    assert " 25% of rewritten " in line("web-1")
    assert " 50% " in line("db-1")
    row = drain.migrations.get(server_name="db-1")
    store.change_migration(row, timezone.now(), state=MigrationState.FAILED)
    assert "%" not in line("db-1")


def test_who_needs_a_person_is_named_with_the_reason(drain):
    begin(drain)
    assert "Needs you" not in run("drain_status", str(drain.pk)).stdout
    move(drain, "web-1", MigrationState.MIGRATING, course="stalled", running_since=timezone.now())
    move(drain, "db-1", MigrationState.FAILED, code=ABORTED)
    text = run("drain_status", str(drain.pk)).stdout
    assert "Needs you: web-1 (stalled), db-1 (aborted)." in text
    # by the words of its row, and neither as a failure nor as one that writes too fast
    db = next(line for line in text.splitlines() if line.startswith("db-1"))
    assert re.search(r"\) +aborted ", db)
    assert "Time left: no estimate: a migration is stalled" in text
    assert "not converging" not in text


def _forecast(monkeypatch, low, likely, high, samples=34, *, assumed=False):
    found = Forecast(low, likely, high, samples, assumed)
    monkeypatch.setattr(services.reports, "forecast_of", lambda drain, rows: found)


@pytest.mark.parametrize(
    ("hours", "fits"),
    [(None, ""), (2, "; it fits"), (0.3, "; it may not fit"), (0.1, "; it does not fit")],
)
def test_one_drain_tells_its_time_left_and_whether_it_fits(drain, monkeypatch, hours, fits):
    _forecast(monkeypatch, 600, 900, 1800)
    begin(drain)
    if hours:
        end = timezone.now() + timedelta(hours=hours)
        Drain.objects.filter(pk=drain.pk).update(stop_at=end)
    text = run("drain_status", str(drain.pk)).stdout
    line = next(line for line in text.splitlines() if line.startswith("Time left"))
    window = f"{fits} into its window" if fits else ""
    said = f"Time left: about 15 min (10 min to 30 min; based on 34 earlier migrations){window}"
    assert line == said
    document = run("drain_status", str(drain.pk), "--json").json["forecast"]
    assert document == {
        "seconds": {"low": 600, "likely": 900, "high": 1800},
        "samples": 34,
        "assumed": False,
    }


def test_the_window_of_one_that_has_not_begun_counts_from_its_beginning(drain, monkeypatch):
    _forecast(monkeypatch, 600, 900, 1800)
    begins = timezone.now() + timedelta(hours=5)
    ends = begins + timedelta(minutes=5)
    Drain.objects.filter(pk=drain.pk).update(start_at=begins, stop_at=ends)
    assert "it does not fit into its window" in run("drain_status", str(drain.pk)).stdout


def test_a_guess_is_called_one_and_what_is_over_has_no_time_left(drain):
    assert "a rough estimate: too few migrations" in run("drain_status", str(drain.pk)).stdout
    begin(drain)
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")
    assert "Time left" not in run("drain_status", str(drain.pk)).stdout


def test_no_end_is_no_number(drain, monkeypatch):
    _forecast(monkeypatch, math.inf, math.inf, math.inf)
    outcome = run("drain_status", str(drain.pk), "--json")
    assert "Infinity" not in outcome.stdout
    assert outcome.json["forecast"]["seconds"] == {"low": None, "likely": None, "high": None}
    assert "a migration is not converging" in run("drain_status", str(drain.pk)).stdout


def test_a_copy_that_is_over_needs_no_advice(drain):
    begin(drain)
    move(drain, "web-1", MigrationState.SUCCEEDED, course="stalled", seconds_left=2.0)
    assert "drain_instance" not in run("drain_status", str(drain.pk)).stdout


@pytest.mark.parametrize("kind", ["abort", "force_complete", None])
def test_what_was_said_of_a_copy_is_not_told_to_programs_either_once_it_is_over(drain, kind):
    begin(drain)
    move(drain, "web-1", MigrationState.MIGRATING, course="not_converging", seconds_left=2.0)
    row = drain.migrations.get(server_name="web-1")
    if kind:
        request(row, kind, "ada", taken_at=timezone.now())
    else:
        store.change_migration(row, timezone.now(), state=MigrationState.SUCCEEDED)
    for command in ("drain_status", "drain_export"):
        arguments = [str(drain.pk), "--json"] if command == "drain_status" else [str(drain.pk)]
        found = json.loads(run(command, *arguments).stdout)["instances"]
        web = next(one for one in found if one["server_name"] == "web-1")
        assert (web["course"], web["seconds_left"]) == (None, None), command


def test_a_run_back_is_told_as_one(drain):
    Drain.objects.filter(pk=drain.pk).update(direction="back")
    first = f"cmp1 (bring-back {drain.pk}): pending, 0 of 2 came back, 1 stays"
    assert run("drain_status", str(drain.pk)).stdout.startswith(first)
    assert "pending (bring-back)" in run("drain_status").stdout
    assert run("drain_status", str(drain.pk), "--json").json["direction"] == "back"


@pytest.mark.parametrize("command", ["drain_status", "drain_cancel"])
def test_a_drain_that_does_not_exist(cloud, command):
    outcome = run(command, "4711", "--json")
    assert outcome.exit_code == 2
    assert outcome.json["error"]["code"] == "unknown_drain"
    assert "4711" in outcome.stderr


@pytest.mark.parametrize("command", ["drain_status", "drain_cancel"])
def test_who_may_not_read_clouds_yaml_learns_and_changes_nothing(drain, monkeypatch, command):
    monkeypatch.setattr(services, "connect_shell", _unreadable)
    outcome = run(command, str(drain.pk), "--json")
    assert outcome.exit_code == 2
    assert set(outcome.json) == {"error"}
    assert "cmp1" not in outcome.stdout
    drain.refresh_from_db()
    assert drain.state == DrainState.PENDING


def test_one_readable_cloud_of_several_is_enough(drain, cloud, monkeypatch, settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": {"south": "gone", "RegionOne": "demo"}}
    monkeypatch.setattr(
        services,
        "connect_shell",
        lambda region: cloud if region == "RegionOne" else _unreadable(region),
    )
    assert run("drain_cancel", str(drain.pk)).exit_code == 0


def test_cancels_one_that_has_not_begun_at_once(drain):
    outcome = run("drain_cancel", str(drain.pk))
    assert outcome.exit_code == 0
    assert "is cancelled" in outcome.stdout
    drain.refresh_from_db()
    assert (drain.state, drain.result) == (DrainState.CANCELLED, DrainResult.CANCELLED)
    assert drain.cancelled_by.endswith("(shell)")


def test_cancels_one_that_runs_by_letting_land_what_flies(drain):
    begin(drain)
    outcome = run("drain_cancel", str(drain.pk), "--json")
    assert outcome.exit_code == 0
    assert outcome.json["state"] == "cancelling"
    again = run("drain_cancel", str(drain.pk))
    assert again.exit_code == 0
    assert "being cancelled" in again.stdout


def test_one_that_is_over_cannot_be_cancelled(drain):
    begin(drain)
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")
    outcome = run("drain_cancel", str(drain.pk), "--json")
    assert outcome.exit_code == 3
    assert outcome.json["error"]["code"] == "drain_over"
    drain.refresh_from_db()
    assert drain.state == DrainState.SUCCEEDED


@pytest.mark.parametrize("argument", ["five", "1.5", ""])
def test_a_number_that_is_none(cloud, argument):
    assert run("drain_status", argument).exit_code == 2
    assert run("drain_cancel", argument).exit_code == 2


@pytest.mark.parametrize(
    ("action", "elapsed", "more", "said"),
    [
        ("abort", 600, {}, r"\[times out in \d+ min, then it is aborted\]"),
        ("force_complete", 600, {}, r"\[times out in \d+ min, then it is forced to complete"),
        ("warn", 600, {}, r"\[times out in \d+ min, then it is marked and continues\]"),
        (
            "abort",
            1900,
            {"seconds_left": 15.0},
            r"it may continue; otherwise in \d+ min it is aborted\]",
        ),
    ],
)
def test_a_copy_tells_when_it_times_out_and_what_happens_then(drain, action, elapsed, more, said):
    begin(drain)
    store.adjust_drain(drain, "ada", timezone.now(), "", timeout_action=action)
    since = timezone.now() - timedelta(seconds=elapsed)
    move(
        drain,
        "web-1",
        MigrationState.MIGRATING,
        nova_status="running",
        running_since=since,
        **more,
    )
    text = run("drain_status", str(drain.pk)).stdout
    assert re.search(said, text)
    document = run("drain_status", str(drain.pk), "--json").json
    due = {m["server_name"]: m["times_out_at"] for m in document["instances"]}
    assert due["web-1"] is not None
    assert due["db-1"] is None

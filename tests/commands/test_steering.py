"""The commands that steer a drain, a plan, or instances of a drain."""

import io
import sys
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from tests.asking import request, wanted
from tests.commands.helpers import begin, finish, move, run, shell_user
from tests.fakes import GIB, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.drain import LATE_ERROR
from ukcloud_maintenance.core.facts import Diagnostics, Migration
from ukcloud_maintenance.core.host.evidence import CODES
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import (
    DrainResult,
    DrainState,
    MigrationState,
    TimeoutAction,
)
from ukcloud_maintenance.exceptions import (
    CloudConflict,
    CloudUnreachable,
    ConfigurationError,
    Refused,
)
from ukcloud_maintenance.management.commands import _waiting, drain_instance
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain, Event, Plan

pytestmark = pytest.mark.django_db


@pytest.fixture
def drain(cloud):
    """Of cmp1: web-1 and db-1 wait, old-1 stays."""
    run("drain_host", "cmp1", "--reason", "kernel")
    return Drain.objects.get(host="cmp1")


@pytest.fixture
def plan(cloud):
    cloud.all_servers.append(server("web-2", host="cmp10"))
    cloud.all_services.append(service("cmp11"))
    run("drain_host", "cmp1", "cmp10", "--reason", "kernel", "--hosts-at-once", "0")
    return Plan.objects.get()


def _row(drain, name):
    return drain.migrations.get(server_name=name)


def _fly(drain, name, **fields):
    """A live migration of it runs in Nova."""
    fields = {"nova_status": "running", "nova_migration_id": 7, "initial_status": "ACTIVE"} | fields
    move(drain, name, MigrationState.MIGRATING, **fields)


def _fail(drain, *names, over=True):
    begin(drain)
    for name in names:
        move(drain, name, MigrationState.FAILED, attempts=3, code="no_host", message="No host.")
    if over:
        finish(drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED, "Not all could be moved.")


# -- who may ---------------------------------------------------------------------------------

COMMANDS = [
    ("drain_pause", ["{id}"]),
    ("drain_resume", ["{id}"]),
    ("drain_cancel", ["{id}"]),
    ("drain_retry", ["{id}"]),
    ("drain_change", ["{id}", "--max-concurrent", "5"]),
    ("drain_instance", ["skip", "{id}", "web-1"]),
    ("drain_status", ["{id}"]),
]


def _filled(arguments, number):
    return [argument.format(id=number) for argument in arguments]


@pytest.mark.parametrize(("command", "arguments"), COMMANDS)
def test_who_may_not_read_clouds_yaml_learns_and_changes_nothing(
    drain, monkeypatch, command, arguments
):
    def unreadable(region):
        raise ConfigurationError(text("clouds.yaml cannot be read"))

    if command == "drain_resume":
        run("drain_pause", str(drain.pk))
    events = Event.objects.count()
    monkeypatch.setattr(services, "connect_shell", unreadable)
    outcome = run(command, *_filled(arguments, drain.pk), "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "configuration")
    assert "cmp1" not in outcome.stdout
    assert Event.objects.count() == events


@pytest.mark.parametrize(("command", "arguments"), COMMANDS)
def test_a_drain_that_does_not_exist(cloud, command, arguments):
    outcome = run(command, *_filled(arguments, 4711), "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "unknown_drain")
    assert "4711" in outcome.stderr


@pytest.mark.parametrize("command", ["drain_pause", "drain_resume", "drain_cancel", "drain_retry"])
def test_a_plan_that_does_not_exist(cloud, command):
    outcome = run(command, "--plan", "4711", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "unknown_plan")


@pytest.mark.parametrize("command", ["drain_pause", "drain_resume", "drain_cancel", "drain_retry"])
@pytest.mark.parametrize("arguments", [[], ["five"], ["1", "--plan", "1"]])
def test_neither_a_drain_nor_a_plan(cloud, command, arguments):
    outcome = run(command, "--json", *arguments)
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "bad_arguments")


@pytest.mark.parametrize(("command", "arguments"), COMMANDS[:-1])
def test_the_shells_user_is_recorded(drain, monkeypatch, command, arguments):
    if command == "drain_retry":
        _fail(drain, "web-1")
    if command == "drain_resume":
        run("drain_pause", str(drain.pk))
    before = set(Event.objects.values_list("pk", flat=True))
    shell_user(monkeypatch, 1042, "ada")
    assert run(command, *_filled(arguments, drain.pk)).exit_code == 0
    new = Event.objects.exclude(pk__in=before)
    assert new
    assert {event.actor for event in new} == {"ada (shell)"}


# -- pause and resume ------------------------------------------------------------------------


def test_pause_and_resume(drain):
    begin(drain)
    paused = run("drain_pause", str(drain.pk), "--json")
    assert (paused.exit_code, paused.json["state"]) == (0, "paused")
    drain.refresh_from_db()
    assert drain.state == DrainState.PAUSED
    assert "no new migrations start, those in progress finish" in paused.stderr
    assert f"drain_resume {drain.pk}" in paused.stderr
    resumed = run("drain_resume", str(drain.pk))
    assert resumed.exit_code == 0
    assert f"Drain {drain.pk} of cmp1 resumed: 2 migrations at once" in resumed.stdout
    drain.refresh_from_db()
    assert drain.state == DrainState.RUNNING


def test_a_drain_that_has_not_begun_is_put_on_hold(drain):
    assert "it has not started and does not start" in run("drain_pause", str(drain.pk)).stdout
    assert run("drain_resume", str(drain.pk), "--json").json["state"] == "pending"


def test_pausing_twice_is_as_good_as_once(drain):
    run("drain_pause", str(drain.pk))
    assert run("drain_pause", str(drain.pk)).exit_code == 0
    assert Event.objects.filter(kind="drain_paused").count() == 1


@pytest.mark.parametrize("command", ["drain_pause", "drain_resume"])
def test_what_is_over_is_neither_paused_nor_resumed(drain, command):
    begin(drain)
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")
    outcome = run(command, str(drain.pk), "--json")
    assert outcome.exit_code == 3
    assert outcome.json["error"]["code"] == f"cannot_{command.removeprefix('drain_')}"
    assert "succeeded" in outcome.json["error"]["message"]


def test_a_plan_is_paused_and_resumed(plan):
    outcome = run("drain_pause", "--plan", str(plan.pk), "--json")
    assert outcome.exit_code == 0
    assert [d["state"] for d in outcome.json["drains"]] == ["paused", "paused"]
    assert outcome.json["refused"] == []
    assert "maintenance_worker" in outcome.stderr
    assert run("drain_resume", "--plan", str(plan.pk)).exit_code == 0
    assert set(plan.drains.values_list("state", flat=True)) == {"pending"}


def test_what_is_over_does_not_keep_the_rest_of_a_plan_from_it(plan):
    first, second = plan.drains.order_by("plan_order")
    begin(first)
    finish(first, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")
    outcome = run("drain_pause", "--plan", str(plan.pk), "--json")
    assert outcome.exit_code == 0
    [refused] = outcome.json["refused"]
    assert refused["drain_id"] == first.pk
    assert "succeeded" in refused["reason"]
    assert f"Drain {first.pk} of cmp1: The drain is succeeded" in outcome.stderr
    second.refresh_from_db()
    assert second.state == DrainState.PAUSED


def test_a_drain_of_a_plan_that_could_not_be_paused_shows_in_the_exit_code(plan, monkeypatch):
    first, _ = plan.drains.order_by("plan_order")
    real = services.pause_drain

    def busy(actor, drain_id):
        if drain_id == first.pk:
            raise Refused(text("It changes too fast."), code="busy")
        return real(actor, drain_id)

    monkeypatch.setattr(services.plans, "pause_drain", busy)
    outcome = run("drain_pause", "--plan", str(plan.pk))
    assert outcome.exit_code == 1
    assert f"Drain {first.pk} of cmp1: It changes too fast." in outcome.stdout


def test_a_fault_in_each_drain_of_a_plan_is_no_refusal(plan, monkeypatch):
    """That would say that nothing was changed."""

    def fault(*args, **options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(services.plans, "pause_drain", fault)
    outcome = run("drain_pause", "--plan", str(plan.pk), "--json")
    assert outcome.exit_code == 1
    assert outcome.json["error"]["code"] == "cannot_pause"
    assert "RuntimeError" in outcome.json["error"]["message"]


def test_a_plan_that_is_over_is_refused(plan):
    run("drain_cancel", "--plan", str(plan.pk))
    outcome = run("drain_pause", "--plan", str(plan.pk), "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "cannot_pause")


# -- cancel ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "did_disable", "abort", "enable", "words"),
    [
        ([], True, False, True, "migrations in progress finish; its service is enabled at the end"),
        ([], False, False, False, "its service stays unchanged"),
        (["--abort"], False, True, False, "migrations in progress are aborted"),
        (["--enable"], False, False, True, "its service is enabled at the end"),
        (["--leave-disabled"], True, False, False, "its service stays unchanged"),
    ],
)
def test_what_is_chosen_with_a_cancel(drain, arguments, did_disable, abort, enable, words):
    begin(drain)
    Drain.objects.filter(pk=drain.pk).update(did_disable=did_disable)
    outcome = run("drain_cancel", str(drain.pk), *arguments)
    assert outcome.exit_code == 0
    drain.refresh_from_db()
    assert drain.state == DrainState.CANCELLING
    assert (drain.cancel_abort, drain.cancel_enable) == (abort, enable)
    assert words in outcome.stdout


def test_a_cancel_can_be_made_to_abort_later(drain):
    begin(drain)
    run("drain_cancel", str(drain.pk))
    assert run("drain_cancel", str(drain.pk), "--abort", "--enable").exit_code == 0
    drain.refresh_from_db()
    assert (drain.cancel_abort, drain.cancel_enable) == (True, True)


def test_a_second_thought_about_the_service_counts(drain):
    begin(drain)
    run("drain_cancel", str(drain.pk), "--leave-disabled")
    drain.refresh_from_db()
    since = drain.cancelling_since
    assert run("drain_cancel", str(drain.pk), "--enable").exit_code == 0
    drain.refresh_from_db()
    assert drain.cancel_enable is True
    assert drain.cancelling_since == since, "the wait for what flies has one bound"


def test_enable_and_leave_disabled_exclude_each_other(drain):
    outcome = run("drain_cancel", str(drain.pk), "--enable", "--leave-disabled")
    assert outcome.exit_code == 2
    drain.refresh_from_db()
    assert drain.state == DrainState.PENDING


@pytest.fixture
def worker(monkeypatch):
    """Steps that a worker would take, one in each pause of the command."""
    steps = []

    def pause(seconds):
        assert steps, "the command waits, but nothing is to wait for"
        steps.pop(0)()

    monkeypatch.setattr(_waiting.time, "sleep", pause)
    return steps


def _cancelled(drain):
    drain.refresh_from_db()
    finish(drain, DrainState.CANCELLED, DrainResult.CANCELLED, "1 of 3 left the host.")


def _interrupt():
    raise KeyboardInterrupt


def test_a_cancel_that_waits(drain, worker):
    begin(drain)
    worker += [lambda: None, lambda: _cancelled(drain)]
    outcome = run("drain_cancel", str(drain.pk), "--wait", "--json")
    assert outcome.exit_code == 0
    assert not worker
    assert outcome.json["state"] == "cancelled"
    assert f"Drain {drain.pk} of cmp1 cancelled: 1 of 3 left the host." in outcome.stderr


@pytest.mark.parametrize(
    ("state", "code"),
    [(MigrationState.UNKNOWN, "left_flying"), (MigrationState.FAILED, "arrived_error")],
)
def test_a_cancel_that_leaves_an_instance_that_needs_a_look_is_no_success(
    drain, worker, state, code
):
    begin(drain)
    worker += [lambda: move(drain, "web-1", state, code=code), lambda: _cancelled(drain)]
    outcome = run("drain_cancel", str(drain.pk), "--wait")
    assert outcome.exit_code == 1
    last = outcome.stderr.splitlines()[-1]
    assert "web-1" in last
    assert "cancelled" in last


def test_a_wait_for_a_cancel_that_is_interrupted(drain, worker):
    begin(drain)
    worker += [_interrupt]
    outcome = run("drain_cancel", str(drain.pk), "--wait", "--json")
    assert outcome.exit_code == 130
    assert outcome.json["state"] == "cancelling"
    assert f"The cancellation of drain {drain.pk} continues." in outcome.stderr


def test_a_plan_is_cancelled(plan, worker):
    first, _ = plan.drains.order_by("plan_order")
    begin(first)
    worker += [lambda: _cancelled(first)]
    outcome = run("drain_cancel", "--plan", str(plan.pk), "--abort", "--wait", "--json")
    assert outcome.exit_code == 0
    assert [d["state"] for d in outcome.json["drains"]] == ["cancelled", "cancelled"]
    assert (outcome.json["is_over"], outcome.json["refused"]) == (True, [])
    first.refresh_from_db()
    assert first.cancel_abort is True


def test_a_plan_that_is_over_needs_no_worker(plan):
    outcome = run("drain_cancel", "--plan", str(plan.pk))
    assert outcome.exit_code == 0
    assert "is cancelled." in outcome.stdout
    assert "maintenance_worker" not in outcome.stderr


def test_a_wait_for_the_cancel_of_a_plan_minds_only_what_it_cancelled(plan, worker):
    first, _ = plan.drains.order_by("plan_order")
    begin(first)
    finish(first, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")
    outcome = run("drain_cancel", "--plan", str(plan.pk), "--wait", "--json")
    assert outcome.exit_code == 0
    assert [d["state"] for d in outcome.json["drains"]] == ["succeeded", "cancelled"]
    assert [r["drain_id"] for r in outcome.json["refused"]] == [first.pk]


# -- retry -----------------------------------------------------------------------------------


def test_retries_all_that_failed(drain):
    _fail(drain, "web-1", "db-1")
    outcome = run("drain_retry", str(drain.pk), "--json")
    assert outcome.exit_code == 0
    document = outcome.json
    assert (document["drain_id"], document["verb"], document["refused"]) == (drain.pk, "retry", [])
    assert {row["server_name"] for row in document["done"]} == {"web-1", "db-1"}
    drain.refresh_from_db()
    assert drain.state == DrainState.RUNNING
    assert {_row(drain, name).state for name in ("web-1", "db-1")} == {"pending"}
    assert "web-1: retried." in outcome.stderr


@pytest.mark.parametrize("by", ["server_name", "server_id"])
def test_retries_those_that_are_named(drain, by):
    _fail(drain, "web-1", "db-1")
    named = getattr(_row(drain, "web-1"), by)
    assert run("drain_retry", str(drain.pk), "--instance", named).exit_code == 0
    assert (_row(drain, "web-1").state, _row(drain, "db-1").state) == ("pending", "failed")


def test_retries_to_a_host(drain):
    _fail(drain, "web-1", "db-1")
    arguments = ["--instance", "web-1", "--instance", "db-1", "--to", "cmp10"]
    assert run("drain_retry", str(drain.pk), *arguments).exit_code == 0
    assert {_row(drain, name).destination for name in ("web-1", "db-1")} == {"cmp10"}


def test_retries_all_that_failed_to_a_host(drain):
    _fail(drain, "web-1", over=False)
    assert run("drain_retry", str(drain.pk), "--to", "cmp10").exit_code == 0
    assert _row(drain, "web-1").destination == "cmp10"
    assert _row(drain, "db-1").destination == ""


@pytest.mark.parametrize(
    ("host", "exit_code", "code"),
    [
        ("cmp1", 3, "destination_is_drained"),
        ("cmp99", 2, "destination_unknown"),
        ("CMP10", 2, "destination_unknown"),
        ("cmp3", 3, "destination_down"),
    ],
)
def test_destinations_that_are_none(drain, host, exit_code, code):
    _fail(drain, "web-1", over=False)
    outcome = run("drain_retry", str(drain.pk), "--to", host, "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (exit_code, code)
    assert _row(drain, "web-1").state == MigrationState.FAILED


@pytest.mark.parametrize("arguments", [[], ["--to", "cmp10"]])
def test_nothing_to_retry(drain, arguments):
    outcome = run("drain_retry", str(drain.pk), *arguments, "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "nothing_failed")


def test_what_has_not_failed_is_not_retried(drain):
    outcome = run("drain_retry", str(drain.pk), "--instance", "web-1", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "cannot_retry")
    assert "web-1" in outcome.json["error"]["message"]


def test_some_of_several_are_refused(drain):
    _fail(drain, "web-1")
    arguments = ["--instance", "web-1", "--instance", "old-1"]
    outcome = run("drain_retry", str(drain.pk), *arguments, "--json")
    assert outcome.exit_code == 1
    assert [row["server_name"] for row in outcome.json["done"]] == ["web-1"]
    [refused] = outcome.json["refused"]
    assert refused["server_name"] == "old-1"
    assert "stays" in refused["reason"]
    assert refused["reason"] in outcome.stderr


def test_retries_a_plan(plan):
    first, second = plan.drains.order_by("plan_order")
    _fail(first, "web-1")
    outcome = run("drain_retry", "--plan", str(plan.pk), "--json")
    assert outcome.exit_code == 0  # that nothing failed in the other one is no failure
    assert [d["state"] for d in outcome.json["drains"]] == ["running", "pending"]
    assert [r["drain_id"] for r in outcome.json["refused"]] == [second.pk]
    assert "failed instances are retried" in outcome.stderr


@pytest.mark.parametrize("arguments", [["--instance", "web-1"], ["--to", "cmp11"]])
def test_a_plan_is_retried_as_a_whole(plan, arguments):
    outcome = run("drain_retry", "--plan", str(plan.pk), *arguments, "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "bad_arguments")


# -- change ----------------------------------------------------------------------------------


def test_changes_a_drain(drain):
    outcome = run(
        *("drain_change", str(drain.pk), "--max-concurrent", "5", "--timeout-action", "abort"),
        *("--start-at", "2126-03-01T22:00+01:00", "--stop-at", "2126-03-02T04:00Z"),
    )
    assert outcome.exit_code == 0
    drain.refresh_from_db()
    assert (drain.max_concurrent, drain.timeout_action) == (5, TimeoutAction.ABORT)
    assert drain.start_at == datetime(2126, 3, 1, 21, tzinfo=UTC)
    assert drain.stop_at == datetime(2126, 3, 2, 4, tzinfo=UTC)
    assert "(pending): 5 migrations at once; not before 2126-03-01T21:00:00Z" in outcome.stdout


def test_changes_how_destinations_are_chosen(drain):
    outcome = run("drain_change", str(drain.pk), "--placing", "scheduler")
    assert outcome.exit_code == 0
    assert "placing: scheduler" in outcome.stdout
    document = run("drain_change", str(drain.pk), "--placing", "even", "--json").json
    assert document["follow_estimate"] is True
    store.change_drain(drain, timezone.now(), destination="cmp2")
    outcome = run("drain_change", str(drain.pk), "--placing", "scheduler", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "destination_is_set")


def test_what_is_not_named_is_not_changed(drain):
    end = timezone.now() + timedelta(days=1)
    store.change_drain(drain, timezone.now(), stop_at=end, start_at=end - timedelta(hours=1))
    document = run("drain_change", str(drain.pk), "--max-concurrent", "1", "--json").json
    assert document["max_concurrent"] == 1
    drain.refresh_from_db()
    assert (drain.stop_at, drain.start_at) == (end, end - timedelta(hours=1))


@pytest.mark.parametrize("end", ["start_at", "stop_at"])
def test_takes_an_end_of_the_window_away(drain, end):
    store.change_drain(drain, timezone.now(), **{end: timezone.now() + timedelta(days=1)})
    option = f"--{end.replace('_', '-')}"
    document = run("drain_change", str(drain.pk), option, "none", "--json").json
    assert document[end] is None
    assert run("drain_host", "cmp10", "--reason", "r", option, "none").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        ([], 2, "bad_arguments"),
        (["--max-concurrent", "0"], 2, "max_concurrent_out_of_range"),
        (["--timeout-action", "explode"], 2, "timeout_action_unknown"),
        (["--stop-at", "2126-03-01T22:00"], 2, "window_without_zone"),
        (["--stop-at", "never"], 2, "time_unreadable"),
        (["--stop-at", "2026-01-01T00:00Z"], 2, "window_is_over"),
        (["--start-at", "2126-03-01T22:00Z"], 3, "window_has_begun"),
    ],
)
def test_changes_that_are_refused(drain, arguments, exit_code, code):
    begin(drain)
    outcome = run("drain_change", str(drain.pk), *arguments, "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (exit_code, code)
    assert not Event.objects.filter(kind="drain_changed").exists()


def test_what_is_over_is_not_changed(drain):
    run("drain_cancel", str(drain.pk))
    outcome = run("drain_change", str(drain.pk), "--max-concurrent", "3", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "cannot_change")


# -- instances -------------------------------------------------------------------------------


def test_aborts_a_migration(drain):
    begin(drain)
    _fly(drain, "web-1")
    outcome = run("drain_instance", "abort", str(drain.pk), "web-1")
    assert outcome.exit_code == 0
    assert wanted(_row(drain, "web-1")) == "abort"
    assert "web-1: abort requested; it keeps running on its host." in outcome.stdout
    assert f"`drain_status {drain.pk}`" in outcome.stdout


def test_skips_and_puts_first(drain):
    begin(drain)
    assert run("drain_instance", "first", str(drain.pk), "web-1").exit_code == 0
    assert drain.migrations.order_by("position").first().server_name == "web-1"
    outcome = run("drain_instance", "skip", str(drain.pk), "web-1", "db-1", "--json")
    assert outcome.exit_code == 0
    assert (outcome.json["verb"], len(outcome.json["done"])) == ("skip", 2)
    assert {_row(drain, name).state for name in ("web-1", "db-1")} == {"skipped"}


def test_those_that_are_put_first_keep_their_order(cloud):
    cloud.all_servers.append(server("big", memory_bytes=8 * GIB))
    run("drain_host", "cmp1", "--reason", "r")
    drain = Drain.objects.get()
    assert drain.migrations.order_by("position").first().server_name == "big"
    run("drain_instance", "first", str(drain.pk), "web-1", "db-1")
    names = [r.server_name for r in drain.migrations.order_by("position")]
    assert names[:2] == ["web-1", "db-1"]


def test_what_cannot_be_done_is_refused_with_the_reason(drain):
    outcome = run("drain_instance", "abort", str(drain.pk), "web-1", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "cannot_abort")
    assert "web-1: No live migration of it is in progress." in outcome.json["error"]["message"]


def test_one_that_is_refused_does_not_keep_the_others_from_it(drain):
    outcome = run("drain_instance", "skip", str(drain.pk), "old-1", "web-1", "--json")
    assert outcome.exit_code == 1
    assert [row["server_name"] for row in outcome.json["done"]] == ["web-1"]
    assert [row["server_name"] for row in outcome.json["refused"]] == ["old-1"]


@pytest.mark.parametrize("name", ["web", "WEB-1", "web-10", ""])
def test_an_instance_that_is_not_part_of_the_drain(drain, name):
    outcome = run("drain_instance", "skip", str(drain.pk), "db-1", name, "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "unknown_instance")
    assert f"drain_status {drain.pk}" in outcome.json["error"]["remedy"]
    assert _row(drain, "db-1").state == MigrationState.PENDING


@pytest.mark.parametrize(
    "arguments",
    [["drain_instance", "skip", "{id}", "twin"], ["drain_retry", "{id}", "--instance", "twin"]],
)
def test_a_name_that_is_ambiguous_is_refused_with_the_ids(cloud, arguments):
    ids = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"]
    cloud.all_servers = [server("twin", id=ids[0]), server("twin", id=ids[1])]
    run("drain_host", "cmp1", "--reason", "r")
    drain = Drain.objects.get()
    outcome = run(*_filled(arguments, drain.pk), "--json")
    error = outcome.json["error"]
    assert (outcome.exit_code, error["code"]) == (2, "instance_ambiguous")
    assert all(one in error["remedy"] for one in ids)
    assert run("drain_instance", "skip", str(drain.pk), ids[1]).exit_code == 0
    states = {row.server_id: row.state for row in drain.migrations.all()}
    assert states == {ids[0]: "pending", ids[1]: "skipped"}


def test_an_id_wins_over_a_name(cloud):
    """Whoever names an instance by another one's id steers the other one, not this one."""
    id = "11111111-1111-1111-1111-111111111111"
    cloud.all_servers = [server("real", id=id), server(id)]
    run("drain_host", "cmp1", "--reason", "r")
    drain = Drain.objects.get()
    run("drain_instance", "skip", str(drain.pk), id)
    assert _row(drain, "real").state == MigrationState.SKIPPED
    assert _row(drain, id).state == MigrationState.PENDING


@pytest.mark.parametrize(
    "arguments", [[], ["skip"], ["skip", "1"], ["explode", "1", "web-1"], ["skip", "x", "web-1"]]
)
def test_arguments_that_cannot_be_parsed(drain, arguments):
    outcome = run("drain_instance", "--json", *arguments)
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "bad_arguments")


# -- forced completion -----------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def flying(drain):
    begin(drain)
    _fly(drain, "web-1", memory_remaining_bytes=600 * 1024**2, rate_bytes=10.0 * 1024**2)
    return drain


def _wish(drain):
    return wanted(_row(drain, "web-1"))


def test_force_complete_without_a_terminal_needs_yes(flying, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    outcome = run("drain_instance", "force-complete", str(flying.pk), "web-1", "--json")
    error = outcome.json["error"]
    assert (outcome.exit_code, error["code"]) == (2, "confirmation_missing")
    assert "The guest is paused until the rest is copied." in error["message"]
    assert "--yes" in error["remedy"]
    assert _wish(flying) == ""


def test_force_complete_with_yes(flying, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    outcome = run("drain_instance", "force-complete", str(flying.pk), "web-1", "--yes")
    assert outcome.exit_code == 0
    assert _wish(flying) == "force_complete"
    assert "its guest is paused until the rest is copied" in outcome.stdout


def test_force_complete_names_its_consequence_and_takes_a_typed_yes(flying, monkeypatch):
    monkeypatch.setattr(sys, "stdin", _Terminal("yes\n"))
    outcome = run("drain_instance", "force-complete", str(flying.pk), "web-1", "--json")
    assert outcome.exit_code == 0
    assert _wish(flying) == "force_complete"
    assert [row["server_name"] for row in outcome.json["done"]] == ["web-1"]
    asked, _ = outcome.stderr.split("Type yes to continue: ")
    assert "600 MiB left, a pause of about 60 s" in asked
    assert "The guest is paused until the rest is copied." in asked


@pytest.mark.parametrize("answer", ["", "\n", "no\n", "y\n", "yes please\n"])
def test_force_complete_is_not_done_on_any_other_answer(flying, monkeypatch, answer):
    monkeypatch.setattr(sys, "stdin", _Terminal(answer))
    outcome = run("drain_instance", "force-complete", str(flying.pk), "web-1", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "not_confirmed")
    assert _wish(flying) == ""


def test_an_interrupt_confirms_nothing(flying, monkeypatch):
    class _Interrupted(_Terminal):
        def readline(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", _Interrupted())
    outcome = run("drain_instance", "force-complete", str(flying.pk), "web-1")
    assert outcome.exit_code == 130
    assert _wish(flying) == ""


def test_nobody_is_asked_for_what_cannot_be_done(flying, monkeypatch):
    monkeypatch.setattr(sys, "stdin", _Terminal())
    outcome = run("drain_instance", "force-complete", str(flying.pk), "db-1", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "cannot_force_complete")
    assert "Type yes" not in outcome.stderr


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "unknown how much is left"),
        ({"memory_remaining_bytes": 2 * GIB}, "2 GiB left"),
        (
            {
                "memory_remaining_bytes": GIB,
                "disk_remaining_bytes": GIB,
                "rate_bytes": float(GIB),
                "course": "converging",
                "seconds_left": 40.0,
            },
            "2 GiB left, a pause of about 2 s; without one, it finishes in about 40 s",
        ),
    ],
)
def test_what_is_said_of_a_pause(drain, fields, said):
    begin(drain)
    _fly(drain, "web-1", **fields)
    assert english(drain_instance._forecast(_row(drain, "web-1"))) == said


def test_only_live_migrations_that_run_are_offered(flying, monkeypatch):
    """Others that are named with it are refused, and the confirmation does not name them."""
    monkeypatch.setattr(sys, "stdin", _Terminal("yes\n"))
    outcome = run("drain_instance", "force-complete", str(flying.pk), "db-1", "web-1", "--json")
    assert outcome.exit_code == 1
    asked, _ = outcome.stderr.split("Type yes to continue: ")
    assert "db-1" not in asked
    assert [row["server_name"] for row in outcome.json["refused"]] == ["db-1"]


# -- reset -----------------------------------------------------------------------------------


@pytest.fixture
def in_error(drain, cloud, monkeypatch):
    """An abort left web-1 in ERROR on cmp1; the hypervisor there says that its guest runs."""
    begin(drain)
    _fly(drain, "web-1", was_cancelled=True)
    request(_row(drain, "web-1"), "abort", "ann", taken_at=timezone.now())
    change = {"state": MigrationState.UNKNOWN, "code": LATE_ERROR}
    store.change_migration(_row(drain, "web-1"), timezone.now(), **change)
    web = _row(drain, "web-1")
    cloud.all_servers = [
        replace(s, status="ERROR", vm_state="error") if s.name == "web-1" else s
        for s in cloud.all_servers
    ]
    record = Migration(7, "u7", web.server_id, "error", "live-migration", "cmp1", "cmp10")
    monkeypatch.setattr(cloud, "migrations_of", lambda id: [record], raising=False)
    monkeypatch.setattr(cloud, "service", lambda host: cloud.services(host)[0], raising=False)
    running = Diagnostics("running", "libvirt", 3600, "kvm")
    monkeypatch.setattr(cloud, "diagnostics", lambda id: running, raising=False)
    return drain


def _refuse(cloud, monkeypatch):
    """The hypervisor does not tell of the guest."""

    def diagnostics(server_id):
        raise CloudConflict("read the diagnostics", "it does not run", status=409)

    monkeypatch.setattr(cloud, "diagnostics", diagnostics)


def test_resets_on_complete_evidence_which_is_shown(in_error):
    outcome = run("drain_instance", "reset", str(in_error.pk), "web-1", "--yes", "--json")
    assert outcome.exit_code == 0
    web = _row(in_error, "web-1")
    assert wanted(web) == "reset"
    assert [row["server_name"] for row in outcome.json["done"]] == ["web-1"]
    evidence = outcome.json["evidence"][web.server_id]
    assert evidence["complete"] is True
    assert {c["code"]: c["passed"] for c in evidence["checks"]} == dict.fromkeys(CODES, True)
    assert outcome.stderr.count("  yes  ") == len(CODES)
    assert evidence["meaning"] in outcome.stderr


def test_refuses_a_reset_on_incomplete_evidence_whoever_says_yes(in_error, cloud, monkeypatch):
    _refuse(cloud, monkeypatch)
    outcome = run("drain_instance", "reset", str(in_error.pk), "web-1", "--yes", "--json")
    error = outcome.json["error"]
    assert (outcome.exit_code, error["code"]) == (3, "evidence_incomplete")
    assert error["message"].startswith("web-1: the evidence is not complete.")
    assert "virsh" in error["remedy"]
    assert "  NO   " in outcome.stderr
    assert wanted(_row(in_error, "web-1")) == ""


def test_a_reset_is_confirmed_after_the_evidence_was_shown(in_error, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    outcome = run("drain_instance", "reset", str(in_error.pk), "web-1", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, "confirmation_missing")
    assert "a second copy" in outcome.json["error"]["message"]
    assert wanted(_row(in_error, "web-1")) == ""
    monkeypatch.setattr(sys, "stdin", _Terminal("yes\n"))
    outcome = run("drain_instance", "reset", str(in_error.pk), "web-1")
    assert outcome.exit_code == 0
    assert "  yes  " in outcome.stdout
    assert "web-1" in outcome.stderr.split("Type yes to continue: ")[0]
    assert wanted(_row(in_error, "web-1")) == "reset"


def test_what_is_not_in_error_is_not_reset(drain):
    outcome = run("drain_instance", "reset", str(drain.pk), "web-1", "--yes", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "cannot_reset")


def test_a_reset_without_an_answer_of_openstack(in_error, cloud):
    cloud.failure = CloudUnreachable("show the server", "timed out")
    outcome = run("drain_instance", "reset", str(in_error.pk), "web-1", "--yes", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (4, "openstack_failed")
    assert wanted(_row(in_error, "web-1")) == ""

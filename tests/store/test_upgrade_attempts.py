"""The record of before attempts and requests were rows: what an upgrade makes of it, and back.

`record_0010.json` was made by the code of before, on a Nova: drains that run, are paused, are
cancelled and are over, instances in each state, requests in each stage.
"""

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.worker.fake_nova import FakeNova
from tests.worker.test_any_history import ask, one_pass, run
from ukcloud_maintenance import store
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.drain.requests import is_to_abort
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import MIGRATION_UNDER_WAY, RequestKind
from ukcloud_maintenance.migrations import _attempts
from ukcloud_maintenance.models import Attempt, Drain, HostMaintenance, InstanceMigration, Request
from ukcloud_maintenance.observe.views import row_view

BEFORE, AFTER = "0010_messages", "0018_even"
RECORD = Path(__file__).with_name("record_0010.json")
#: In what an ended attempt tells now: the code of before forgot these at its end.
FORGOTTEN = ("running_since", "queued_since")


@pytest.fixture
def old(request):
    """The models of before, with a record in them, and the way back to the present at the end."""
    call_command("migrate", "ukcloud_maintenance", BEFORE, verbosity=0)
    targets = [("ukcloud_maintenance", BEFORE)]
    apps = MigrationExecutor(connection).loader.project_state(targets).apps
    model = {
        name: apps.get_model("ukcloud_maintenance", name)
        for name in ("HostMaintenance", "Drain", "InstanceMigration", "Event")
    }
    told = json.loads(RECORD.read_text())
    for name, made in model.items():
        rows = [one for one in told if one["model"] == name.lower()]
        made.objects.bulk_create([_row(made, one) for one in rows])
    yield model
    call_command("migrate", "ukcloud_maintenance", verbosity=0)


def _row(model, one):
    fields = {model._meta.get_field(name): value for name, value in one["fields"].items()}
    return model(
        pk=one["pk"],
        **{
            field.attname: value if field.is_relation else field.to_python(value)
            for field, value in fields.items()
        },
    )


def rows_of(model) -> dict[int, dict]:
    return {row["id"]: row for row in model.objects.order_by("pk").values()}


def upgrade() -> None:
    call_command("migrate", "ukcloud_maintenance", AFTER, verbosity=0)


def downgrade() -> None:
    call_command("migrate", "ukcloud_maintenance", BEFORE, verbosity=0)


def test_the_record_holds_every_state(old):
    drains, rows = rows_of(old["Drain"]), rows_of(old["InstanceMigration"]).values()
    assert {d["state"] for d in drains.values()} >= {
        *("running", "paused", "cancelling", "succeeded", "failed", "cancelled"),
    }
    assert {r["state"] for r in rows} >= {
        *("pending", "blocked", "submitted", "migrating", "confirming", "succeeded", "gone"),
        *("failed", "stays", "skipped", "cancelled", "unknown"),
    }
    assert {r["wish"] for r in rows} == {"", "abort", "force_complete", "reset"}
    assert any(r["aborted_at"] for r in rows)
    assert any(r["timeout_asked"] for r in rows)
    assert any(r["answer"] for r in rows)


def test_what_a_row_told_of_its_newest_attempt_is_that_attempt(old):
    before = rows_of(old["InstanceMigration"])
    upgrade()
    for row in InstanceMigration.objects.select_related("newest_attempt"):
        told, attempt = before[row.pk], row.attempt
        under_way = row.state in MIGRATION_UNDER_WAY
        if under_way or told["nova_migration_id"] or told["request_id"]:
            assert attempt.number >= 1
            for name in set(_attempts.SAME) - set(FORGOTTEN):
                assert getattr(attempt, name) == told[name], (row.pk, name)
        if under_way:
            assert (attempt.ended_at, attempt.result) == (None, "")
            assert (attempt.running_since, attempt.queued_since) == (
                told["running_since"],
                told["queued_since"],
            )
    ended = Attempt.objects.exclude(migration__state__in=MIGRATION_UNDER_WAY)
    assert not ended.filter(ended_at=None).exists()
    assert not ended.filter(result="").exists()


def test_attempts_are_as_many_as_the_events_tell(old):
    upgrade()
    for drain in Drain.objects.all():
        for row in drain.migrations.all():
            sent = row.events.filter(kind="submitted").count()
            assert row.attempt_rows.count() >= sent
            numbers = list(row.attempt_rows.values_list("number", flat=True))
            assert numbers == list(range(1, len(numbers) + 1))


def test_what_was_requested_is_as_far_as_it_was(old):
    before = rows_of(old["InstanceMigration"])
    upgrade()
    for row in InstanceMigration.objects.all():
        told, requests = before[row.pk], row_view(row).requests
        found = requests.open
        assert (found.kind if found else "") == told["wish"]
        if found:
            assert found.tries == told["wish_tries"]
            assert found.nova_migration_id == told["wish_migration_id"]
            assert found.requested_by == told["wish_by"].replace("timeout", "")
        if told["aborted_migration_id"] and row.state in MIGRATION_UNDER_WAY:
            assert requests.abort.nova_migration_id == told["aborted_migration_id"]
            assert requests.abort.taken_at == told["aborted_at"]
        if told["timeout_asked"]:
            assert requests.has(told["timeout_asked"], "timeout")
        assert requests.forced_at == told["forced_at"]
    asked = {row["drain_id"] for row in before.values() if row["wish"]}
    assert set(store.drains_with_requests()) == asked


def test_the_way_back_gives_what_was(old):
    before, drains = rows_of(old["InstanceMigration"]), rows_of(old["Drain"])
    upgrade()
    attempts, requests = rows_of(Attempt), rows_of(Request)
    downgrade()
    assert {pk for pk, drain in rows_of(old["Drain"]).items() if drain["errand"]} == {
        row["drain_id"] for row in before.values() if row["wish"]
    }
    assert rows_of(old["Drain"]).keys() == drains.keys()
    for pk, row in rows_of(old["InstanceMigration"]).items():
        for name in (*_attempts.SAME, "wish", "wish_by", "wish_tries", "wish_migration_id"):
            if name not in FORGOTTEN and before[pk]["state"] not in _attempts.WAITING:
                assert row[name] == before[pk][name], (pk, name)
        if row["state"] in MIGRATION_UNDER_WAY:
            for name in _attempts.ABORTED:
                assert row[name] == before[pk][name], (pk, name)
            assert row["timeout_asked"] == before[pk]["timeout_asked"]
    upgrade()
    assert [_told(one) for one in rows_of(Request).values()] == [
        _told(one) for one in requests.values()
    ]
    assert [one["number"] for one in rows_of(Attempt).values()] == [
        one["number"] for one in attempts.values()
    ]


def _told(request: dict) -> tuple:
    return (request["migration_id"], request["kind"], request["state"], request["origin"])


def test_an_upgrade_that_was_cut_off_can_be_done_once_more(old):
    """MariaDB keeps what was changed before it was written down that it was."""
    call_command("migrate", "ukcloud_maintenance", "0012_attempts_filled", verbosity=0)
    once = Attempt.objects.count(), Request.objects.count()  # later columns are not there yet
    call_command("migrate", "ukcloud_maintenance", BEFORE, fake=True, verbosity=0)
    upgrade()
    assert (Attempt.objects.count(), Request.objects.count()) == once


@pytest.mark.parametrize("passes", [2, 4, 6, 9])
def test_a_drain_that_is_under_way_goes_on(passes):
    """Down to the code of before and up again in the middle of it, with an abort requested: it ends
    as it would have without."""
    assert history(passes, upgraded=True) == history(passes, upgraded=False)


def history(passes: int, *, upgraded: bool) -> tuple:
    """How a drain ends, and what Nova was asked for."""
    nova = FakeNova(limit=2, outcomes={"b": ["failed", "completed"]})
    for name in "abcd":
        nova.add(name)
    drain = ask(nova, 2)
    for _ in range(passes):
        one_pass(nova, drain.pk)
        nova.tick()
    flying = store.migrations(drain).filter(state="migrating").first()
    if flying is not None:
        store.make_request(store.drain(drain.pk), flying, RequestKind.ABORT, "ann", nova.now)
    before = [_in_flight(row_view(r)) for r in store.migrations(drain)]
    if upgraded:
        downgrade()
        upgrade()
    assert before == [_in_flight(row_view(r)) for r in store.migrations(drain)]
    drain = run(nova, drain)
    rows = list(drain.migrations.values_list("server_id", "state", "attempts", "code"))
    asked = Counter((r.server_id, r.status) for r in nova.records)
    drain.delete()
    HostMaintenance.objects.all().delete()
    return drain.state, rows, asked, nova.aborts


def _in_flight(row) -> tuple:
    asked = row.requests.open
    known = asked and replace(asked, id=None)
    return (row.state, row.attempts, row.attempt.nova_migration_id, known)


# -- by hand: what the record above does not have -----------------------------------------------


def at(seconds: float) -> datetime:
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=seconds)


@pytest.fixture
def before():
    """Makes rows of before: their fields, and their events as (seconds, kind, request id)."""
    downgrade()
    targets = [("ukcloud_maintenance", BEFORE)]
    apps = MigrationExecutor(connection).loader.project_state(targets).apps
    drains, rows, events = (
        apps.get_model("ukcloud_maintenance", name).objects
        for name in ("Drain", "InstanceMigration", "Event")
    )
    given = {"created_at": at(0), "updated_at": at(60)}
    drain = drains.create(
        **given, region="R", host="cmp1", host_key="k", reason="r", max_concurrent=1
    )

    def make(name: str, *told: tuple[float, str, str], **fields) -> None:
        common = {"source_compute": "cmp1", "attempts": 1, "submitted_at": at(1), "method": "live"}
        row = rows.create(drain=drain, server_id=name, server_name=name, **given, **common | fields)
        for seconds, kind, request_id in told:
            said = REFUSED if kind in ("abort_refused", "failed") else None
            events.create(
                drain=drain, migration=row, at=at(seconds), kind=kind, request_id=request_id,
                actor="w", message=said,
            )  # fmt: skip

    yield make
    call_command("migrate", "ukcloud_maintenance", verbosity=0)


REFUSED = message("nova_refused", words="not now")
FLIES = {
    "state": "migrating",
    "request_id": "req-1",
    "nova_migration_id": 8,
    "nova_status": "running",
    "running_since": at(3),
    "initial_status": "ACTIVE",
}


def upgraded(name: str) -> tuple[list[tuple], list[tuple], InstanceMigration]:
    upgrade()
    row = store.migrations(Drain.objects.get()).get(server_name=name)
    attempts = [
        (a.number, a.method, a.result, a.ended_at and (a.ended_at - at(0)).total_seconds())
        for a in row.attempt_rows.all()
    ]
    return attempts, [(r.kind, r.origin, r.state) for r in row.request_rows.all()], row


def test_a_timeouts_abort_that_nova_refused_keeps_no_cancel_from_aborting(before):
    told = (2, "submitted", "req-1"), (30, "timed_out", ""), (31, "abort_refused", "req-2")
    before("one", *told, **FLIES, timed_out_at=at(30), timeout_asked="abort", answer=REFUSED)
    _, requests, row = upgraded("one")
    assert requests == [("abort", "timeout", "refused")]
    assert is_to_abort(row_view(row))


def test_what_a_timeout_forced_was_asked_for_by_the_timeout(before):
    told = (2, "submitted", "req-1"), (30, "timed_out", ""), (31, "forced", "req-2")
    more = {"timed_out_at": at(30), "timeout_asked": "force_complete", "forced_at": at(31)}
    before("one", *told, **FLIES, **more)
    assert upgraded("one")[1] == [("force_complete", "timeout", "taken")]


@pytest.mark.parametrize(
    ("state", "end"), [("succeeded", ("succeeded", 60)), ("confirming", ("", None))]
)
def test_a_cold_migration_that_was_confirmed_is_one_attempt(before, state, end):
    told = [(2, "submitted", "req-1"), (41, "confirm_asked", "req-2")]
    over = {}
    if state == "succeeded":
        told.append((60, "succeeded", ""))
        over = {"finished_at": at(60)}
    known = {"request_id": "req-2", "nova_migration_id": 5, "confirms": 1, "confirm_at": at(40)}
    before("one", *told, state=state, **known | over | {"method": "cold"})
    assert upgraded("one")[0] == [(1, "cold", *end)]


@pytest.mark.parametrize(
    "told", [[(2, "put_off", ""), (50, "cancelled", "")], [(50, "cancelled", "")]],
    ids=["put off", "stepped back"],
)  # fmt: skip
def test_what_was_never_sent_is_no_attempt(before, told):
    before("one", *told, state="cancelled", finished_at=at(50))
    assert upgraded("one")[0] == []


def test_what_nova_refused_for_good_was_an_attempt(before):
    told = (5, "failed", "req-0"), (20, "retried", ""), (30, "submitted", "req-1")
    before("one", *told, **FLIES)
    assert upgraded("one")[0] == [(1, "live", "failed", 5), (2, "live", "", None)]

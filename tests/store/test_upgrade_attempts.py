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
from django.test import override_settings

from tests.databases import as_default
from tests.worker.fake_nova import FakeNova
from tests.worker.test_any_history import QUICK, ask, one_pass, run
from ukcloud_maintenance import store
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.drain.requests import is_to_abort
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import MIGRATION_IN_PROGRESS, RequestKind
from ukcloud_maintenance.migrations import _attempts
from ukcloud_maintenance.models import Attempt, Drain, InstanceMigration, Request
from ukcloud_maintenance.observe.views import row_view

BEFORE, AFTER = "0010_messages", "0021_held"
RECORD = Path(__file__).with_name("record_0010.json")
#: In what an ended attempt tells now: the code of before forgot these at its end.
FORGOTTEN = ("running_since", "queued_since")


@pytest.fixture
def old(empty_database):
    """The models of before, with a record in them, in a database of their own."""
    with as_default(empty_database()):
        yield recorded()


def recorded() -> dict:
    """An empty database becomes one of before, with a record in it; its models."""
    model = models_of_before()
    told = json.loads(RECORD.read_text())
    for name, made in model.items():
        rows = [one for one in told if one["model"] == name.lower()]
        made.objects.bulk_create([_row(made, one) for one in rows])
    return model


def models_of_before() -> dict:
    """Of a database that is made as it was then."""
    downgrade()
    targets = [("ukcloud_maintenance", BEFORE)]
    apps = MigrationExecutor(connection).loader.project_state(targets).apps
    names = ("HostMaintenance", "Drain", "InstanceMigration", "Event")
    return {name: apps.get_model("ukcloud_maintenance", name) for name in names}


@pytest.fixture(scope="module")
def an_upgrade(empty_database, django_db_blocker):
    """The record, upgraded: the database that it is in, and its rows as they were."""
    database = empty_database()
    with django_db_blocker.unblock(), as_default(database):
        model = recorded()
        before = {name: rows_of(model[name]) for name in ("Drain", "InstanceMigration")}
        upgrade()
    return database, before


@pytest.fixture
def before(an_upgrade):
    """The rows of the record as they were, by model; the database is the upgraded one, to read."""
    database, rows = an_upgrade
    with as_default(database):
        yield rows


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


def test_the_record_holds_every_state(before):
    drains, rows = before["Drain"], before["InstanceMigration"].values()
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


def test_what_a_row_told_of_its_newest_attempt_is_that_attempt(before):
    for row in InstanceMigration.objects.select_related("newest_attempt"):
        told, attempt = before["InstanceMigration"][row.pk], row.attempt
        in_progress = row.state in MIGRATION_IN_PROGRESS
        if in_progress or told["nova_migration_id"] or told["request_id"]:
            assert attempt.number >= 1
            for name in set(_attempts.SAME) - set(FORGOTTEN):
                assert getattr(attempt, name) == told[name], (row.pk, name)
        if in_progress:
            assert (attempt.ended_at, attempt.result) == (None, "")
            assert (attempt.running_since, attempt.queued_since) == (
                told["running_since"],
                told["queued_since"],
            )
    ended = Attempt.objects.exclude(migration__state__in=MIGRATION_IN_PROGRESS)
    assert not ended.filter(ended_at=None).exists()
    assert not ended.filter(result="").exists()


@pytest.mark.usefixtures("before")
def test_attempts_are_as_many_as_the_events_tell():
    for drain in Drain.objects.all():
        for row in drain.migrations.all():
            sent = row.events.filter(kind="submitted").count()
            assert row.attempt_rows.count() >= sent
            numbers = list(row.attempt_rows.values_list("number", flat=True))
            assert numbers == list(range(1, len(numbers) + 1))


def test_what_was_requested_is_as_far_as_it_was(before):
    rows = before["InstanceMigration"]
    for row in InstanceMigration.objects.all():
        told, requests = rows[row.pk], row_view(row).requests
        found = requests.open
        assert (found.kind if found else "") == told["wish"]
        if found:
            assert found.tries == told["wish_tries"]
            assert found.nova_migration_id == told["wish_migration_id"]
            assert found.requested_by == told["wish_by"].replace("timeout", "")
        if told["aborted_migration_id"] and row.state in MIGRATION_IN_PROGRESS:
            assert requests.abort.nova_migration_id == told["aborted_migration_id"]
            assert requests.abort.taken_at == told["aborted_at"]
        if told["timeout_asked"]:
            assert requests.has(told["timeout_asked"], "timeout")
        assert requests.forced_at == told["forced_at"]
    asked = {row["drain_id"] for row in rows.values() if row["wish"]}
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
        if row["state"] in MIGRATION_IN_PROGRESS:
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


#: after so many passes a drain is upgraded
PASSES = (2, 4, 6, 9)


@pytest.mark.parametrize("passes", PASSES)
def test_a_drain_that_is_under_way_goes_on(histories, passes):
    """Down to the code of before and up again in the middle of it, with an abort requested: it ends
    as it would have without."""
    before, after, end, end_without = histories[passes]
    assert before == after
    assert end == end_without


@pytest.fixture(scope="module")
def histories(empty_database, django_db_blocker):
    """By passes: the rows of a drain before and after its upgrade, how it ended, and how another
    one ended that was not upgraded; each in a region of its own."""
    with (
        django_db_blocker.unblock(),
        as_default(empty_database()),
        override_settings(UKCLOUD_MAINTENANCE=QUICK),
    ):
        upgrade()
        ends_without = {passes: ended(*begun(passes, f"spared {passes}")) for passes in PASSES}
        drains = {passes: begun(passes, f"upgraded {passes}") for passes in PASSES}
        before = {passes: in_flight(drain) for passes, (_nova, drain) in drains.items()}
        downgrade()
        upgrade()
        after = {passes: in_flight(drain) for passes, (_nova, drain) in drains.items()}
        return {
            passes: (before[passes], after[passes], ended(*drains[passes]), ends_without[passes])
            for passes in PASSES
        }


def begun(passes: int, region: str) -> tuple[FakeNova, Drain]:
    """A drain that is under way for so many passes, then with an abort requested."""
    nova = FakeNova(limit=2, outcomes={"b": ["failed", "completed"]}, region=region)
    for name in "abcd":
        nova.add(name)
    drain = ask(nova, 2)
    for _ in range(passes):
        one_pass(nova, drain.pk)
        nova.tick()
    flying = store.migrations(drain).filter(state="migrating").first()
    if flying is not None:
        store.make_request(store.drain(drain.pk), flying, RequestKind.ABORT, "ann", nova.now)
    return nova, drain


def ended(nova: FakeNova, drain: Drain) -> tuple:
    """How the drain ends, and what Nova was asked for."""
    drain = run(nova, drain)
    rows = list(drain.migrations.values_list("server_id", "state", "attempts", "code"))
    asked = Counter((r.server_id, r.status) for r in nova.records)
    return drain.state, rows, asked, nova.aborts


def in_flight(drain: Drain) -> list[tuple]:
    return [_in_flight(row_view(row)) for row in store.migrations(drain)]


def _in_flight(row) -> tuple:
    asked = row.requests.open
    known = asked and replace(asked, id=None)
    return (row.state, row.attempts, row.attempt.nova_migration_id, known)


# -- by hand: what the record above does not have -----------------------------------------------


def at(seconds: float) -> datetime:
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=seconds)


REFUSED = message("nova_refused", words="not now")
FLIES = {
    "state": "migrating",
    "request_id": "req-1",
    "nova_migration_id": 8,
    "nova_status": "running",
    "running_since": at(3),
    "initial_status": "ACTIVE",
}
FORCED = {"timed_out_at": at(30), "timeout_asked": "force_complete", "forced_at": at(31)}
ABORTED = {"timed_out_at": at(30), "timeout_asked": "abort", "answer": REFUSED}
COLD = {"request_id": "req-2", "nova_migration_id": 5, "confirms": 1, "confirm_at": at(40)}
COLD |= {"method": "cold"}
SUBMITTED, TIMED_OUT = (2, "submitted", "req-1"), (30, "timed_out", "")
CONFIRMED = (41, "confirm_asked", "req-2")
CANCELLED = {"state": "cancelled", "finished_at": at(50)}
#: Rows of before, by name: their events as (seconds, kind, request id), and their fields.
ROWS = {
    "abort refused": ([SUBMITTED, TIMED_OUT, (31, "abort_refused", "req-2")], FLIES | ABORTED),
    "forced": ([SUBMITTED, TIMED_OUT, (31, "forced", "req-2")], FLIES | FORCED),
    "succeeded": (
        [SUBMITTED, CONFIRMED, (60, "succeeded", "")],
        COLD | {"state": "succeeded", "finished_at": at(60)},
    ),
    "confirming": ([SUBMITTED, CONFIRMED], COLD | {"state": "confirming"}),
    "put off": ([(2, "put_off", ""), (50, "cancelled", "")], CANCELLED),
    "stepped back": ([(50, "cancelled", "")], CANCELLED),
    "refused for good": (
        [(5, "failed", "req-0"), (20, "retried", ""), (30, "submitted", "req-1")],
        FLIES,
    ),
}


@pytest.fixture(scope="module")
def by_hand(empty_database, django_db_blocker):
    """A database with these rows, upgraded."""
    database = empty_database()
    with django_db_blocker.unblock(), as_default(database):
        model = models_of_before()
        given = {"created_at": at(0), "updated_at": at(60)}
        drain = model["Drain"].objects.create(
            **given, region="R", host="cmp1", host_key="k", reason="r", max_concurrent=1
        )
        common = {"source_compute": "cmp1", "attempts": 1, "submitted_at": at(1), "method": "live"}
        for name, (told, fields) in ROWS.items():
            row = model["InstanceMigration"].objects.create(
                drain=drain, server_id=name, server_name=name, **given, **common | fields
            )
            for seconds, kind, request_id in told:
                said = REFUSED if kind in ("abort_refused", "failed") else None
                model["Event"].objects.create(
                    drain=drain, migration=row, at=at(seconds), kind=kind, request_id=request_id,
                    actor="w", message=said,
                )  # fmt: skip
        upgrade()
    return database


@pytest.fixture
def upgraded(by_hand):
    """What became of one of them: its attempts, its requests, and the row."""

    def find(name: str) -> tuple[list[tuple], list[tuple], InstanceMigration]:
        row = store.migrations(Drain.objects.get()).get(server_name=name)
        attempts = [
            (a.number, a.method, a.result, a.ended_at and (a.ended_at - at(0)).total_seconds())
            for a in row.attempt_rows.all()
        ]
        return attempts, [(r.kind, r.origin, r.state) for r in row.request_rows.all()], row

    with as_default(by_hand):
        yield find


def test_a_timeouts_abort_that_nova_refused_keeps_no_cancel_from_aborting(upgraded):
    _, requests, row = upgraded("abort refused")
    assert requests == [("abort", "timeout", "refused")]
    assert is_to_abort(row_view(row))


def test_what_a_timeout_forced_was_asked_for_by_the_timeout(upgraded):
    assert upgraded("forced")[1] == [("force_complete", "timeout", "taken")]


@pytest.mark.parametrize(
    ("state", "end"), [("succeeded", ("succeeded", 60)), ("confirming", ("", None))]
)
def test_a_cold_migration_that_was_confirmed_is_one_attempt(upgraded, state, end):
    assert upgraded(state)[0] == [(1, "cold", *end)]


@pytest.mark.parametrize("what", ["put off", "stepped back"])
def test_what_was_never_sent_is_no_attempt(upgraded, what):
    assert upgraded(what)[0] == []


def test_what_nova_refused_for_good_was_an_attempt(upgraded):
    assert upgraded("refused for good")[0] == [(1, "live", "failed", 5), (2, "live", "", None)]

"""Whoever watches a drain is sent what changed, and misses nothing, whoever changed it."""

from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests.fakes import GIB, server
from tests.panel.watching import Watcher, ask
from tests.worker import test_any_history as history
from tests.worker.fake_nova import FakeNova
from ukcloud_maintenance import release, services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.attempt import RequestView
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.preflight.judge import judge
from ukcloud_maintenance.core.states import (
    DrainResult,
    DrainState,
    MigrationState,
    RequestKind,
    TimeoutAction,
)
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.exceptions import Refused, StaleState
from ukcloud_maintenance.models import Drain, InstanceMigration
from ukcloud_maintenance.store import setbacks

ANN = Actor("u", "ann", may=lambda rule: True)
PRESSES = ("pause", "resume", "abort", "force", "skip", "first", "retry", "faster", "cancel")


@pytest.mark.timeout(1800)  # a minute, but on a machine that is busy with something else
class AnyHistory(TestCase):
    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(
        names=history.server_names,
        outcomes=st.dictionaries(
            st.sampled_from("abcdef"),
            st.lists(st.sampled_from(["failed", "completed", "stalls"]), max_size=3),
        ),
        posts=st.dictionaries(st.sampled_from("abcdef"), history.post_fates),
        kills=history.kill_plans,
        presses=st.lists(
            st.tuples(st.integers(0, 30), st.sampled_from(PRESSES), st.integers(0, 4)), max_size=10
        ),
        polls=st.sets(st.integers(0, 40)),
        lost=st.sets(st.integers(0, 40)),
    )
    def test_a_page_that_is_told_what_changed_shows_all_that_is(
        self, names, outcomes, posts, kills, presses, polls, lost
    ):
        """Admins press buttons, workers are killed, answers get lost, and the page sleeps."""
        nova = FakeNova(limit=2, outcomes=outcomes, posts=posts)
        for name in names:
            nova.add(name)
        tick, passes = nova.tick, [0]

        def press(what: str, which: int) -> None:
            rows = list(store.migrations(drain))
            try:
                match what:
                    case "pause":
                        services.pause_drain(ANN, drain.pk)
                    case "resume":
                        services.resume_drain(ANN, drain.pk)
                    case "cancel":
                        services.cancel_drain(ANN, drain.pk, abort=bool(which % 2))
                    case "faster":
                        change = services.DrainChange(max_concurrent=1 + which)
                        services.change_drain(ANN, drain.pk, change)
                    case "force":
                        services.steer(ANN, drain.pk, Verb.FORCE, [rows[which % len(rows)].pk])
                    case _:
                        services.steer(ANN, drain.pk, Verb(what), [rows[which % len(rows)].pk])
            except Refused:
                pass  # not in this state; nothing was changed

        def look() -> None:
            if passes[0] in polls or passes[0] > 40:
                watcher.poll(lost=passes[0] in lost)
                if passes[0] not in lost:
                    watcher.assert_up_to_date()

        def watched_tick(seconds=1):
            look()
            tick(seconds)
            for at, what, which in presses:
                if at == passes[0]:
                    press(what, which)
            look()
            passes[0] += 1

        def clock():
            return nova.now

        more = history.QUICK | {"CANCEL_WAIT_SECONDS": 20, "LATE_MIN_SECONDS": 5}
        with (
            self.settings(UKCLOUD_MAINTENANCE=more),
            mock.patch("django.utils.timezone.now", clock),
        ):
            drain = history.ask(nova, 2)
            watcher = Watcher(drain)
            nova.tick = watched_tick
            # one that stays paused, or has nothing to do, is not over: that is fine
            with _enough():
                history.run(nova, drain, kills)
            watcher.poll().assert_up_to_date()


@contextmanager
def _enough():
    with mock.patch.object(history, "PASSES", 60):
        try:
            yield
        except AssertionError as error:
            if "did not end" not in str(error):
                raise


@pytest.fixture
def at(monkeypatch):
    """The time, which stands still until it is set: at noon, as yesterday is told otherwise."""
    clock = [timezone.now().replace(hour=12)]
    monkeypatch.setattr("django.utils.timezone.now", lambda: clock[0])

    def go(seconds: float):
        clock[0] += timedelta(seconds=seconds)
        return clock[0]

    return go


@pytest.fixture
def drain(db, at, make_drain):
    """A drain that runs, with ten instances: two migrate, one failed, one arrived, six wait."""
    made = make_drain("cmp1", *(server(f"s{n}", memory_bytes=GIB) for n in range(10)))
    now = at(0)
    store.change_drain(made, now, state=DrainState.RUNNING, started_at=now)
    ways = {
        0: [MigrationState.SUBMITTED, MigrationState.MIGRATING],
        1: [MigrationState.SUBMITTED, MigrationState.MIGRATING],
        2: [MigrationState.SUBMITTED, MigrationState.FAILED],
        3: [MigrationState.SUBMITTED, MigrationState.MIGRATING, MigrationState.SUCCEEDED],
    }
    rows = list(store.migrations(made))
    for n, states in ways.items():
        for state in states:
            begun = {"attempts": 1, "submitted_at": now} if state == states[0] else {}
            store.change_migration(rows[n], now, state=state, **begun)
    for row in rows[:2]:
        store.change_migration(
            row,
            now,
            method="live",
            nova_status="running",
            nova_migration_id=row.pk,
            running_since=now,
            initial_status="ACTIVE",
        )
    return store.drain(made.pk)


def row(drain: Drain, name: str) -> InstanceMigration:
    return next(one for one in store.migrations(drain) if one.server_name == name)


def ids(drain: Drain, *names: str) -> set[int]:
    return {row(drain, name).pk for name in names}


#: What is written of a drain's instances, and of whom it speaks then. What migrates is always
#: sent: the clock changes what is said of it.
WRITERS = {
    "its own fields": (lambda d, t: store.change_migration(row(d, "s4"), t, note="why"), "s4"),
    "another state": (
        lambda d, t: store.change_migration(row(d, "s4"), t, state=MigrationState.BLOCKED),
        "s4",
    ),
    "its attempt": (
        lambda d, t: store.change_migration(row(d, "s2"), t, nova_status="error"),
        "s2",
    ),
    "skip": (lambda d, t: store.skip_instance(d, row(d, "s5"), "ann", t), "s5"),
    "first": (lambda d, t: store.put_first(d, row(d, "s9"), "ann", t), "s9"),
    "retry": (lambda d, t: store.retry_instance(d, row(d, "s2"), "ann", t), "s2"),
    "a request": (
        lambda d, t: store.make_request(d, row(d, "s0"), RequestKind.ABORT, "ann", t),
        "s0",
    ),
    "a request of the drain itself": (
        lambda d, t: store.add_request(row(d, "s2"), RequestView(RequestKind.RESET), t),
        "s2",
    ),
    "one that joins": (
        lambda d, t: store.add_server(d, server("new"), judge(server("new")), "w", t),
        "new",
    ),
    "an event": (lambda d, t: store.record(d, row(d, "s4"), t, "aborted", "w", None), None),
    "the pace": (
        lambda d, t: store.adjust_drain(d, "ann", t, message("lands"), max_concurrent=5),
        None,
    ),
    "pause": (lambda d, t: store.pause_drain(d, "ann", t), None),
    "cancel": (lambda d, t: store.cancel_drain(d, "ann", t), None),
    "the end": (
        lambda d, t: store.finish_drain(
            d, DrainState.FAILED, DrainResult.INTERRUPTED, message("lands"), "w", t
        ),
        None,
    ),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_whoever_writes_is_seen_and_no_other_row_is_sent(drain, at, writer):
    watcher = Watcher(drain)
    write, of = WRITERS[writer]
    at(1)
    write(drain, at(0))
    watcher.poll()
    assert watcher.touched == ids(drain, "s0", "s1", *([of] if of else []))
    watcher.assert_up_to_date()
    assert watcher.poll().touched is None


def test_a_cancel_before_it_began_tells_of_every_instance(db, at, make_drain):
    drain = make_drain("cmp1", server("a"), server("b"))
    watcher = Watcher(drain)
    store.cancel_drain(drain, "ann", at(1))
    watcher.poll().assert_up_to_date()
    assert watcher.touched == ids(drain, "a", "b")


def test_a_clock_that_was_set_back_is_told(drain, at):
    watcher = Watcher(drain)
    at(-7200)
    rows = list(store.migrations(drain))
    assert setbacks.set_back(drain, rows, at(0), 60)
    watcher.poll().assert_up_to_date()


def test_a_server_that_joined_is_written_with_the_revision_that_it_joined_at(drain, at):
    joined = store.add_server(drain, server("new"), judge(server("new")), "w", at(1))
    assert InstanceMigration.objects.get(pk=joined.pk).revision == store.revision(drain.pk)


def test_a_write_that_comes_too_late_marks_nothing(drain, at):
    stale = row(drain, "s4")
    store.change_migration(row(drain, "s4"), at(1), state=MigrationState.BLOCKED)
    before = InstanceMigration.objects.get(pk=stale.pk).revision
    for write in (
        lambda: store.change_migration(stale, at(1), state=MigrationState.SKIPPED),
        lambda: store.add_request(stale, RequestView(RequestKind.ABORT), at(1)),
    ):
        with pytest.raises(StaleState):
            write()
    assert InstanceMigration.objects.get(pk=stale.pk).revision == before


def test_an_answer_that_got_lost_is_told_again(drain, at):
    watcher = Watcher(drain)
    store.skip_instance(drain, row(drain, "s5"), "ann", at(1))
    watcher.poll(lost=True)
    store.put_first(drain, row(drain, "s9"), "ann", at(1))
    watcher.poll().assert_up_to_date()
    assert watcher.touched == ids(drain, "s0", "s1", "s5", "s9")


def test_two_pages_that_saw_different_things_each_get_what_they_lack(drain, at):
    early = Watcher(drain)
    store.skip_instance(drain, row(drain, "s5"), "ann", at(1))
    late = Watcher(drain)
    store.put_first(drain, row(drain, "s9"), "ann", at(1))
    for watcher in (late, early, late):
        watcher.poll().assert_up_to_date()
    assert early.touched == ids(drain, "s0", "s1", "s5", "s9")


def test_what_changes_while_an_answer_is_made_is_told_by_the_next_one(drain, at, monkeypatch):
    watcher = Watcher(drain)
    store.change_migration(row(drain, "s4"), at(1), note="first")
    read = store.migrations_since

    def meanwhile(*args):
        found = read(*args)
        monkeypatch.setattr(store, "migrations_since", read)
        store.skip_instance(store.drain(drain.pk), row(drain, "s5"), "ann", at(0))
        return found

    monkeypatch.setattr(store, "migrations_since", meanwhile)
    watcher.poll()
    watcher.poll().assert_up_to_date()
    assert ids(drain, "s5") <= watcher.touched


def test_an_instance_that_comes_to_rest_while_they_are_read_is_read_whole(drain, at):
    """The outlines are read first: whatever changes after that is of a later revision."""
    moving = row(drain, "s0")
    seen = store.revision(drain.pk)
    filtered = store.draining.migrations

    def meanwhile(drain):
        store.change_migration(moving, at(1), state=MigrationState.SUCCEEDED)
        return filtered(drain)

    with mock.patch.object(store.draining, "migrations", meanwhile):
        rows = {r.pk: r for r in store.migrations_since(drain, seen)}
    assert len(rows) == 10
    assert rows[moving.pk].state == MigrationState.SUCCEEDED
    assert not rows[moving.pk].get_deferred_fields()


def test_another_look_needs_the_whole_table(drain, at, monkeypatch):
    watcher = Watcher(drain)
    all_of_them = {r.pk for r in store.migrations(drain)}
    with translation.override("de"):
        assert watcher.poll().touched == all_of_them
        watcher.assert_up_to_date()
    assert watcher.poll().touched == all_of_them
    monkeypatch.setattr(release, "version", lambda: "another")
    monkeypatch.setattr(
        "ukcloud_maintenance.content.maintenance.drains.mark.version", lambda: "another"
    )
    assert watcher.poll().touched == all_of_them  # Horizon was upgraded meanwhile
    assert watcher.poll().touched is None
    at(86400)
    assert watcher.poll().touched == all_of_them  # what was today's was yesterday's
    watcher.assert_up_to_date()


def test_a_database_that_was_restored_is_shown_as_it_is(drain, at):
    watcher = Watcher(drain)
    Drain.objects.filter(pk=drain.pk).update(revision=3)
    InstanceMigration.objects.filter(pk=row(drain, "s5").pk).update(note="as it was", revision=2)
    watcher.poll().assert_up_to_date()


@pytest.mark.parametrize(
    "token",
    [
        *("x", "1-2", "1-a-b-c-d-0-0", "-1-a-b-c-d-0", "1-a-b-c-d-x", "1-a-b-c-d-"),
        *("\N{SUPERSCRIPT TWO}-a-b-c-d-0", "9" * 5000 + "-a-b-c-d-0"),
    ],
)
def test_a_token_of_whatever_kind_is_answered_with_the_whole(drain, token):
    answer = ask(drain, token)
    assert answer.status_code == 200
    assert b'"whole": true' in answer.content


class TestTheClock:
    """What is said of a time is news when that time has come, though nobody wrote anything."""

    def test_a_drain_that_was_to_begin(self, db, at, make_drain):
        drain = make_drain("cmp1", server("a"), start_at=at(0) + timedelta(seconds=60))
        watcher = Watcher(drain)
        assert "Starts at" in watcher.shown["parts"]["headline"]
        at(30)
        assert watcher.poll().touched is None
        at(31)
        watcher.poll().assert_up_to_date()
        assert "Waiting for a worker." in watcher.shown["parts"]["headline"]
        assert watcher.poll().touched is None

    def test_a_window_that_is_over(self, drain, at):
        said = message("lands")
        store.adjust_drain(drain, "ann", at(0), said, stop_at=at(0) + timedelta(seconds=60))
        watcher = Watcher(drain)
        at(61)
        watcher.poll().assert_up_to_date()
        assert "Its window has ended" in watcher.shown["parts"]["headline"]
        assert watcher.poll().touched is None

    def test_a_migration_that_times_out(self, drain, at, settings):
        settings.UKCLOUD_MAINTENANCE = {
            "TIMEOUT_MIN_SECONDS": 600,
            "TIMEOUT_SECONDS_PER_GIB": 1,
            "WORKER_SILENT_SECONDS": 10000,
        }
        said = message("lands")
        action = TimeoutAction.ABORT.value
        store.adjust_drain(drain, "ann", at(0), said, timeout_action=action)
        watcher = Watcher(drain)
        told = str(watcher.rows[row(drain, "s0").pk])
        assert "Times out in" in told
        at(601)
        watcher.poll().assert_up_to_date()
        assert "Times out in" not in str(watcher.rows[row(drain, "s0").pk])
        assert watcher.poll().touched is None

    def test_a_worker_that_is_silent(self, drain, at):
        store.sign_of_life("worker-1", "ctl", 1, at(0))
        watcher = Watcher(drain)
        assert watcher.shown["parts"]["worker"] == ""
        at(3600)
        watcher.poll().assert_up_to_date()
        assert "No worker is running." in watcher.shown["parts"]["worker"]
        assert watcher.touched == ids(drain, "s0", "s1")
        # it reported once more, and fell silent before anybody asked
        store.sign_of_life("worker-1", "ctl", 1, at(0))
        at(3600)
        watcher.poll().assert_up_to_date()


def test_another_drain_of_the_host_is_told_to_the_page_of_one_that_failed(drain, at, make_drain):
    """That changes nothing of this drain; what failed of it can no longer be retried."""
    store.finish_drain(
        drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED, message("cancelling"), "w", at(1)
    )
    watcher = Watcher(drain)
    failed = row(drain, "s2").pk
    assert "retry" in watcher.rows[failed]["verbs"]
    make_drain("cmp1")
    watcher.poll().assert_up_to_date()
    assert watcher.rows[failed]["verbs"] == []


def test_a_policy_that_changed_is_told(drain, at, monkeypatch):
    """With the next news."""
    watcher = Watcher(drain)
    monkeypatch.setattr(
        "ukcloud_maintenance.content.maintenance.common.session.may",
        lambda request, rule: rule == "maintenance:view",
    )
    store.change_migration(row(drain, "s4"), at(1), note="why")
    watcher.poll().assert_up_to_date()
    assert not any(one["verbs"] for one in watcher.rows.values())


def test_news_of_one_of_hundreds_reads_none_of_the_others_one_by_one(db, at, make_drain):
    """Of what is at rest an outline is read; whatever asks it for more would cost a query each."""

    def queries(number: int, host: str) -> int:
        made = make_drain(host, *(server(f"{host}-{n}", host=host) for n in range(number)))
        now = at(1)
        store.change_drain(made, now, state=DrainState.RUNNING, started_at=now)
        rows = list(store.migrations(made))
        for one in rows[2:]:
            for state in (
                MigrationState.SUBMITTED,
                MigrationState.MIGRATING,
                MigrationState.SUCCEEDED,
            )[: 3 * (one.pk % 2)]:
                begun = {"attempts": 1} if state == MigrationState.SUBMITTED else {}
                store.change_migration(one, now, state=state, **begun)
        token = Watcher(made).token
        store.pause_drain(store.drain(made.pk), "ann", at(1))
        store.change_migration(rows[0], at(0), note="why")
        with CaptureQueriesContext(connection) as found:
            answer = ask(made, token)
        assert b'"whole": false' in answer.content
        return len(found)

    assert queries(6, "cmp1") == queries(60, "cmp2") <= 9


def test_the_answer_grows_with_what_changed_and_not_with_the_drain(db, at, make_drain):
    def size(number: int, host: str) -> int:
        made = make_drain(host, *(server(f"s{n}", host=host) for n in range(number)))
        token = Watcher(made).token
        store.change_migration(store.migrations(made)[0], at(1), note="why")
        return len(ask(made, token).content)

    assert size(100, "cmp1") < 1.1 * size(10, "cmp2")

"""The database's clock is the one that counts, on SQLite, PostgreSQL and MariaDB; and a stamp
that is ahead of it proves nothing, keeps nobody away, and is overwritten."""

import time
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from unittest import mock

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.store.test_hosts import give_back, in_maintenance, verified
from tests.store.test_store import NOW, begin, create, read, row
from tests.worker.test_hosts import QUICK, HostNova
from ukcloud_maintenance import store
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import DrainState, MigrationState
from ukcloud_maintenance.exceptions import CloudUnreachable, StaleState
from ukcloud_maintenance.models import Drain, HostMaintenance, InstanceMigration, Worker
from ukcloud_maintenance.store import clock, setbacks
from ukcloud_maintenance.worker import Worker as WorkerLoop
from ukcloud_maintenance.worker.drain import Reconciler

DAY = timedelta(days=1)
MINUTES = timedelta(minutes=5)
#: how far a clock is from another one, at least, that is not the same under any load
FAR = timedelta(hours=12)

server_clock = pytest.mark.usefixtures("a_server_with_a_clock")


@pytest.fixture(autouse=True)
def no_reading(monkeypatch):
    monkeypatch.setattr(clock, "_reading", None)


@pytest.fixture
def a_server_with_a_clock():
    if connection.vendor == "sqlite":
        pytest.skip("its clock is that of the machine")


def of_the_server() -> datetime:
    if connection.vendor == "sqlite":
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM clock_timestamp())"
            if connection.vendor == "postgresql"
            else "SELECT unix_timestamp(now(6))"
        )
        return datetime.fromtimestamp(float(cursor.fetchone()[0]), UTC)


@contextmanager
def local_clock(ahead: timedelta):
    """The wall clock of this process is wrong, however it is asked."""
    wrong = time.time() + ahead.total_seconds()
    with (
        mock.patch("django.utils.timezone.now", side_effect=lambda: datetime.now(UTC) + ahead),
        mock.patch("time.time", return_value=wrong),
    ):
        yield


def fresh() -> datetime:
    clock._reading = None
    return store.now()


# -- the clock -------------------------------------------------------------------------------


def test_it_is_the_databases_clock_in_utc():
    found = store.now()
    assert found.utcoffset() == timedelta(0)
    assert abs(found - of_the_server()) < FAR


@server_clock
@pytest.mark.parametrize("ahead", [DAY, -DAY])
def test_the_local_clock_does_not_matter(ahead):
    with local_clock(ahead):
        assert abs(timezone.now() - of_the_server()) > FAR
        assert abs(store.now() - of_the_server()) < FAR


@server_clock
@pytest.mark.parametrize("zone", ["+13:00", "-11:00"])
def test_the_time_zone_of_the_session_does_not_matter(zone):
    command = "SET TIME ZONE" if connection.vendor == "postgresql" else "SET time_zone ="
    with connection.cursor() as cursor:
        cursor.execute(f"{command} '{zone}'")
    try:
        assert abs(store.now() - of_the_server()) < timedelta(hours=6)
    finally:
        connection.close()


def test_it_goes_on_in_a_transaction():
    with transaction.atomic():
        Drain.objects.count()
        before = fresh()
        end = time.monotonic() + 60
        while fresh() == before:
            assert time.monotonic() < end, "it stands still"


@pytest.fixture
def stopwatch(monkeypatch):
    """What the monotonic clock of this process shows to `store`, next and from then on."""
    shown = [100.0]
    reading = SimpleNamespace(monotonic=lambda: shown.pop(0) if len(shown) > 1 else shown[0])
    monkeypatch.setattr(clock, "time", reading)
    return shown


@server_clock
def test_many_questions_are_one_query(stopwatch):
    with CaptureQueriesContext(connection) as queries:
        first = store.now()
        stopwatch[:] = [100.5]
        assert store.now() == first + timedelta(seconds=0.5)
        assert len(queries) == 1
        stopwatch[:] = [101.5]
        store.now()
        assert len(queries) == 2


@server_clock
def test_an_answer_that_took_long_is_used_once(stopwatch):
    """The process may have been stopped between the answer and the look at its own clock."""
    stopwatch[:] = [100.0, 140.0]
    with CaptureQueriesContext(connection) as queries:
        store.now()
        store.now()
        assert len(queries) == 2


@server_clock
def test_a_slow_answer_does_not_set_it_back_and_a_step_does(stopwatch):
    carried = of_the_server() + timedelta(hours=20)
    clock._reading = (carried, 90.0)
    assert store.now() < carried - FAR, "the server's clock was set back"
    stopwatch[:] = [100.0, 100.0 + 86400]
    clock._reading = (carried, 100.0 + 86400)  # it agrees with an answer that took a day
    assert store.now() == carried


# -- leases and passes -----------------------------------------------------------------------


def claims(kind: str):
    """(what is claimed, how it is claimed)."""
    if kind == "drain":
        return begin(create()), partial(store.claim, lease_seconds=60, longest_pause=30)
    return in_maintenance(), partial(store.claim_host, lease_seconds=60, longest_pause=30)


def put(one, **stamps) -> None:
    type(one).objects.filter(pk=one.pk).update(**stamps)


@pytest.mark.parametrize("kind", ["drain", "host"])
@pytest.mark.parametrize("ahead", [MINUTES, 3000 * DAY])
def test_a_lease_that_no_worker_could_have_by_now_is_void(kind, ahead):
    taken, claim = claims(kind)
    put(taken, claimed_by="ahead", claimed_until=NOW + ahead)
    assert claim("w", NOW) == taken


@pytest.mark.parametrize("kind", ["drain", "host"])
def test_a_lease_that_somebody_may_have_is_kept(kind):
    taken, claim = claims(kind)
    put(taken, claimed_by="other", claimed_until=NOW + timedelta(seconds=61))
    assert claim("w", NOW) is None
    assert claim("w", NOW + timedelta(seconds=62)) == taken


@pytest.mark.parametrize("kind", ["drain", "host"])
@pytest.mark.parametrize("ahead", [MINUTES, 3000 * DAY])
def test_what_is_put_off_for_longer_than_any_pause_is_due(kind, ahead):
    taken, claim = claims(kind)
    put(taken, next_pass_at=NOW + ahead)
    assert claim("w", NOW) == taken


@pytest.mark.parametrize("kind", ["drain", "host"])
def test_what_is_put_off_for_a_pause_is_not_due_before(kind):
    taken, claim = claims(kind)
    put(taken, next_pass_at=NOW + timedelta(seconds=30))
    assert claim("w", NOW + timedelta(seconds=29)) is None
    assert claim("w", NOW + timedelta(seconds=30)) == taken


@pytest.mark.parametrize("kind", ["drain", "host"])
@pytest.mark.parametrize("step", [-1, -45, -119, -121, -1e8, 1, 61, 1e8])
def test_after_a_step_of_the_clock_it_is_claimed_again_in_bounded_time(kind, step):
    """A worker took it and died; the other one asks every second by a clock that was set."""
    taken, claim = claims(kind)
    assert claim("dead", NOW) == taken
    put(taken, next_pass_at=NOW + timedelta(seconds=30))
    asked_at = [NOW + timedelta(seconds=step + n) for n in (1, 61, 121)]
    assert any(claim("other", at) == taken for at in asked_at)


# -- verifications ---------------------------------------------------------------------------


@contextmanager
def the_time_is(at: datetime):
    """By the database's clock, for the store itself and for those who ask it."""
    with (
        mock.patch.object(store, "now", return_value=at),
        mock.patch.object(clock, "now", return_value=at),
    ):
        yield


def safe(maintenance: HostMaintenance, at: datetime | None = None) -> bool:
    with the_time_is(at or NOW):
        return store.is_safe(store.maintenance(maintenance.pk), (at or NOW) - timedelta(seconds=90))


def look(maintenance: HostMaintenance, at: datetime, found: bool = True) -> bool:
    """A look that was recorded when the database's clock said so."""
    with the_time_is(at):
        return verified(maintenance, safe=found, at=at)


@pytest.mark.parametrize("ahead", [timedelta(microseconds=1), MINUTES, DAY])
def test_a_verification_of_the_future_is_none_and_is_looked_after_at_once(ahead):
    maintenance = in_maintenance()
    look(maintenance, NOW)
    assert safe(maintenance)
    put(maintenance, verified_at=NOW + ahead, next_pass_at=NOW + timedelta(seconds=30))
    assert not safe(maintenance)
    with the_time_is(NOW):
        assert not store.host_records("RegionOne", NOW - DAY)["cmp1"].safe
    assert store.claim_host("w", NOW, 60, None, 30) == maintenance


@pytest.mark.parametrize("found", [True, False])
def test_a_verification_of_the_future_is_overwritten(found):
    maintenance = in_maintenance()
    look(maintenance, NOW + MINUTES)
    look(store.maintenance(maintenance.pk), NOW, found)
    after = store.maintenance(maintenance.pk)
    assert after.verified_at == NOW
    assert after.safe_since == (NOW if found else None)
    assert safe(maintenance) is found


def test_a_look_that_was_timed_by_a_clock_ahead_certifies_nothing_ever():
    maintenance = in_maintenance()
    with the_time_is(NOW):
        verified(maintenance, at=NOW + MINUTES)
    for seconds in (0, 1, 299, 300, 301, 389, 400):
        assert not safe(maintenance, NOW + timedelta(seconds=seconds))
    look(store.maintenance(maintenance.pk), NOW + timedelta(seconds=1))
    assert safe(maintenance, NOW + timedelta(seconds=1))


@pytest.mark.parametrize("step", [-DAY, -MINUTES, timedelta(0), MINUTES])
def test_who_claimed_it_later_has_the_word_whatever_the_clocks_say(step):
    maintenance = in_maintenance()
    slow = store.claim_host("slow", NOW, 60)
    later = store.claim_host("quick", NOW + step + DAY, 60) or store.claim_host("q", NOW + step, 60)
    assert later == slow == maintenance
    with pytest.raises(StaleState):
        look(slow, NOW)
    assert look(later, NOW + step, False) is True
    with pytest.raises(StaleState):
        look(slow, NOW + DAY)
    with pytest.raises(StaleState):
        store.withdraw(slow, "The host could not be verified.", "slow", NOW)
    assert not safe(maintenance, NOW + step)


def test_of_looks_at_the_same_moment_one_is_recorded(at_once):
    maintenance = in_maintenance()
    copies = [store.maintenance(maintenance.pk) for _ in range(6)]
    results = at_once(
        [partial(verified, m, at=NOW + timedelta(seconds=n)) for n, m in enumerate(copies)]
    )
    assert sorted(map(type, results), key=str) == sorted([bool] + [StaleState] * 5, key=str)


def test_a_clock_that_was_set_back_voids_what_was_dated_by_it():
    maintenance, drain = in_maintenance("cmp1"), begin(create("cmp2"))
    look(maintenance, NOW)
    looking = store.claim_host("w", NOW, 60)
    put(maintenance, next_pass_at=NOW + timedelta(seconds=30))
    put(drain, next_pass_at=NOW + timedelta(seconds=30))
    store.clock_was_set_back()
    assert not safe(maintenance)
    with pytest.raises(StaleState):
        look(looking, NOW)
    assert store.claim("w", NOW, 60) == drain
    assert store.claim_host("other", NOW + timedelta(seconds=61), 60) == maintenance


@server_clock
@pytest.mark.parametrize("ahead", [MINUTES, DAY, -DAY])
def test_a_worker_whose_clock_is_wrong_certifies_and_claims_as_any_other(settings, ahead):
    settings.UKCLOUD_MAINTENANCE = QUICK
    nova = HostNova()
    maintenance = in_maintenance()
    with local_clock(ahead):
        worker = WorkerLoop()
        worker.runner.cloud_for = lambda one: nova
        (taken,) = worker._take()
        worker.runner.release(taken.of, worker.runner.try_it(taken))
    after = store.maintenance(maintenance.pk)
    server = of_the_server()
    for stamp in (after.verified_at, after.safe_since, after.next_pass_at):
        assert abs(stamp - server) < FAR if abs(ahead) > FAR else stamp < server + MINUTES / 2
    # killed by now; an instance is booted, and another worker looks
    nova.add("late")
    put(maintenance, next_pass_at=F("verified_at"))
    other = WorkerLoop()
    other.runner.cloud_for = lambda one: nova
    (taken,) = other._take()
    other.runner.try_it(taken)
    assert store.maintenance(maintenance.pk).safe_since is None


# -- signs of life ---------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [timedelta(seconds=2), MINUTES, DAY])
def test_a_report_of_the_future_is_no_sign_of_life(ahead):
    store.sign_of_life("ahead", "ctl1", 1, NOW + ahead, problem=text("Keystone refuses it."))
    status = store.worker_status(NOW, 90)
    assert (status.alive, status.seen_at, status.names) == (False, None, ())
    store.sign_of_life("w", "ctl1", 2, NOW)
    status = store.worker_status(NOW, 90)
    assert (status.alive, status.seen_at, status.names) == (True, NOW, ("w",))
    store.sign_of_life("ahead", "ctl1", 1, NOW)
    assert set(store.worker_status(NOW, 90).names) == {"ahead", "w"}


def test_many_reports_of_the_future_do_not_hide_the_living():
    for n in range(60):
        store.sign_of_life(f"w{n}", "ctl1", n, NOW + DAY)
    store.sign_of_life("living", "ctl1", 99, NOW)
    assert store.worker_status(NOW, 90).names == ("living",)


def test_workers_of_a_far_future_are_forgotten_as_those_of_the_past():
    for name, seen in (("old", -8), ("past", -6), ("future", 6), ("far", 8)):
        store.sign_of_life(name, "ctl1", 1, NOW + seen * DAY)
    store.forget_workers(NOW - 7 * DAY, NOW)
    assert set(Worker.objects.values_list("name", flat=True)) == {"past", "future"}


# -- waits -----------------------------------------------------------------------------------


@pytest.fixture
def now():
    """It is NOW, by the database's clock."""
    with the_time_is(NOW):
        yield NOW


@pytest.mark.usefixtures("now")
def test_no_wait_lasts_as_long_as_the_clock_was_set_back():
    """Whatever says since when something is so: each field of each row, the ones to come too."""
    drain, maintenance = begin(create("cmp1", servers=["a"])), in_maintenance("cmp2")
    for name in setbacks._STAMPS[Drain]:
        put(drain, **{name: NOW + DAY})
        assert store.set_back(read(drain), [], NOW, 600) is True, name
        assert getattr(read(drain), name) == NOW, name
    for name in setbacks._STAMPS[InstanceMigration]:
        put(row(drain), **{name: NOW + DAY})
        assert store.set_back(read(drain), [row(drain)], NOW, 600) is True, name
        assert getattr(row(drain), name) == NOW, name
    for name in {*setbacks._STAMPS[HostMaintenance]} - {"closed_at"}:  # then it is over
        put(maintenance, **{name: NOW + DAY})
        assert store.set_back_host(store.maintenance(maintenance.pk), NOW) is True, name
        assert getattr(store.maintenance(maintenance.pk), name) == NOW, name
    assert not store.set_back(read(drain), [row(drain)], NOW, 600)
    assert not store.set_back_host(store.maintenance(maintenance.pk), NOW)


@pytest.mark.usefixtures("now")
def test_what_is_planned_stays_planned_and_a_pause_is_no_longer_than_any():
    drain = begin(create(start_at=NOW + DAY, stop_at=NOW + 2 * DAY))
    first, second = drain.migrations.all()
    put(first, not_before=NOW + DAY)
    put(second, not_before=NOW + timedelta(seconds=600))
    rows = list(drain.migrations.all())
    assert store.set_back(drain, rows, NOW, 600) is True
    first, second = drain.migrations.all()
    assert first.not_before == second.not_before == NOW + timedelta(seconds=600)
    assert (read(drain).start_at, read(drain).stop_at) == (NOW + DAY, NOW + 2 * DAY)


@pytest.mark.usefixtures("now")
def test_what_is_right_is_left_as_it_is():
    drain, maintenance = begin(create("cmp1")), in_maintenance("cmp2")
    revision = read(drain).revision
    with CaptureQueriesContext(connection) as queries:
        rows = list(store.migrations(drain))
        assert store.set_back(drain, rows, NOW, 600) is False
        assert store.set_back_host(maintenance, NOW) is False
    assert len(queries) == 2, "the rows with their requests, and nothing else"
    assert read(drain).revision == revision


@pytest.mark.usefixtures("now")
def test_a_pass_after_a_step_back_waits_anew_and_ends(settings):
    """A drain that waits for an OpenStack that does not answer, by a clock that was a day ahead."""
    settings.UKCLOUD_MAINTENANCE = QUICK
    drain, nova = begin(create()), HostNova()
    put(drain, cloud_down_since=NOW + DAY)
    nova.failure = CloudUnreachable("read the service", "connection refused")
    for seconds in (0, QUICK["CLOUD_DOWN_WAIT_SECONDS"]):
        at = NOW + timedelta(seconds=seconds)
        Reconciler(nova, "w", lambda at=at: at).run(read(drain))
        assert read(drain).cloud_down_since == NOW
    assert read(drain).state == DrainState.FAILED


@pytest.mark.usefixtures("now")
def test_a_worker_that_is_behind_does_not_date_back_what_is_right():
    drain, maintenance = begin(create("cmp1")), in_maintenance("cmp2")
    assert not store.set_back(drain, drain.migrations.all(), NOW - DAY, 600)
    assert not store.set_back_host(maintenance, NOW - DAY)


# -- who was first ---------------------------------------------------------------------------


def test_the_open_maintenance_is_the_newest_whatever_the_clock_said():
    old = in_maintenance()
    put(old, opened_at=NOW + DAY)
    store.close_maintenance(old, NOW + DAY)
    new = in_maintenance()
    assert store.newest_maintenance("RegionOne", "cmp1") == new


@pytest.mark.parametrize("step", [-DAY, DAY])
def test_the_run_of_a_return_is_the_one_that_was_asked_for_with_it(step):
    run = store.ReturnRun("back", 2, "u1", [], {})
    maintenance = in_maintenance()
    ask = partial(store.request_return, choice="ours", actor="ann")
    first = ask(maintenance, now=NOW, run=run)
    assert store.return_run(maintenance) == first
    store.give_up_return(maintenance, text("It is not ours."), "worker", NOW)
    assert store.return_run(maintenance) is None
    ask(maintenance, now=NOW + step)
    assert store.return_run(maintenance) is None, "nothing is brought back this time"
    store.give_up_return(maintenance, text("It is not ours."), "worker", NOW + step)
    third = ask(maintenance, now=NOW + 2 * step, run=run)
    assert store.return_run(maintenance) == third != first


def test_a_return_is_told_apart_from_that_of_another_host():
    run = store.ReturnRun("back", 2, "u1", [], {})
    one, two = in_maintenance("cmp1"), in_maintenance("cmp2")
    give_back(one, "ann")
    made = store.request_return(two, choice="ours", actor="ann", now=NOW, run=run)
    assert (store.return_run(one), store.return_run(two)) == (None, made)
    assert MigrationState.PENDING not in made.migrations.values_list("state", flat=True)

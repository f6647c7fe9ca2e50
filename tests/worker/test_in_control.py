"""What goes wrong when a worker dies, two press at once, or Nova is slow: steering, plans, the
way back, and the return to service, against a model of Nova."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.asking import request
from tests.core import build
from tests.worker.fake_nova import FakeNova as Nova
from tests.worker.fake_nova import Killed
from tests.worker.test_any_history import QUICK, ask, one_pass
from ukcloud_maintenance import services, settings, store
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.facts import ServerGroup
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    Direction,
    DrainResult,
    DrainState,
    MigrationState,
    RequestKind,
    ReturnChoice,
    ReturnResult,
    TimeoutAction,
)
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.exceptions import (
    CloudServerError,
    CloudUnreachable,
    NotAllowed,
    Refused,
    StaleState,
)
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Attempt, Drain, Event, HostMaintenance, InstanceMigration
from ukcloud_maintenance.observe import drain as observed
from ukcloud_maintenance.services.instances import steer_one
from ukcloud_maintenance.worker import drain as reconciler
from ukcloud_maintenance.worker import requests as requested
from ukcloud_maintenance.worker import service
from ukcloud_maintenance.worker.asking import DrainPass

ADMIN = Actor("u1", "admin", may=lambda rule: True)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(settings):
    settings.UKCLOUD_MAINTENANCE = QUICK


def read(drain) -> Drain:
    return store.drain(drain.pk)


def row(drain, name="a") -> InstanceMigration:
    return InstanceMigration.objects.get(drain=drain, server_id=name)


def passes(nova, drain, number=1) -> Drain:
    for _ in range(number):
        one_pass(nova, drain.pk)
        nova.tick()
    return read(drain)


def until(nova, drain, wanted, most=200) -> Drain:
    for _ in range(most):
        if wanted():
            return read(drain)
        passes(nova, drain)
    raise AssertionError("it did not come to that")


def flying(**more) -> tuple[Nova, Drain]:
    """A drain whose one copy stalls for ever."""
    nova = Nova(outcomes={"a": ["stalls", "stalls"]}, **more)
    nova.add("a")
    drain = ask(nova, 1)
    until(nova, drain, lambda: row(drain).attempt.nova_status == "running")
    return nova, drain


def press(drain, verb, name="a"):
    return services.steer(ADMIN, drain.pk, verb, [row(drain, name).pk])


def unreachable(*args):
    raise CloudUnreachable("abort", "connection refused")


def failed_drain(nova) -> Drain:
    """A drain that is over, because one instance could not be moved."""
    nova.outcomes = {"a": ["failed"] * 3}
    nova.add("a")
    drain = ask(nova, 1)
    over = until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert over.state == DrainState.FAILED
    assert row(over).state == MigrationState.FAILED
    return over


# -- an abort that never reached Nova ----------------------------------------------------------


def lose_the_abort(nova, drain, how):
    def dies(*args):
        raise Killed

    real = nova.abort_migration
    nova.abort_migration = dies if how == "killed" else unreachable
    with suppress(Killed):
        one_pass(nova, drain.pk)
    nova.abort_migration = real
    nova.tick()


@pytest.mark.parametrize("how", ["killed", "connection refused"])
def test_an_abort_that_never_reached_nova_is_asked_again_or_can_be(how):
    nova, drain = flying()
    press(drain, Verb.ABORT)
    lose_the_abort(nova, drain, how)
    assert nova.aborts == []
    passes(nova, drain, 120)
    assert nova.aborts or not steering.objection(Verb.ABORT, row(drain), read(drain))


def test_a_cancel_aborts_what_an_earlier_abort_did_not_reach():
    nova, drain = flying()
    press(drain, Verb.ABORT)
    lose_the_abort(nova, drain, "connection refused")
    services.cancel_drain(ADMIN, drain.pk, abort=True)
    until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL, 2500)
    assert row(drain).state == MigrationState.CANCELLED, row(drain).message


def test_a_timeout_whose_abort_got_lost_still_ends_the_copy(settings):
    settings.UKCLOUD_MAINTENANCE = {
        **QUICK,
        "LATE_MIN_SECONDS": 1,
        "TIMEOUT_MIN_SECONDS": 5,
        "TIMEOUT_SECONDS_PER_GIB": 1,
        "TIMEOUT_ACTION": "abort",
    }
    nova, drain = flying()
    store.adjust_drain(read(drain), "admin", nova.now, "", timeout_action="abort")
    nova.tick(10)
    lose_the_abort(nova, drain, "connection refused")
    assert row(drain).attempt.timed_out_at
    passes(nova, drain, 300)
    assert nova.aborts, "it flies for ever"


def test_a_force_that_never_reached_nova_can_be_asked_again():
    nova, drain = flying()
    press(drain, Verb.FORCE)
    real, nova.force_complete = nova.force_complete, unreachable
    one_pass(nova, drain.pk)
    nova.force_complete = real
    nova.tick(120)
    passes(nova, drain, 5)
    assert nova.forces or not steering.objection(Verb.FORCE, row(drain), read(drain))


def test_a_copy_that_fails_by_itself_is_not_said_to_be_aborted():
    nova, drain = flying()
    press(drain, Verb.ABORT)
    lose_the_abort(nova, drain, "connection refused")
    flight = nova.flights[0]
    flight.outcome, flight.ends_at = "failed", nova.now
    nova.tick()
    passes(nova, drain, 5)
    assert nova.aborts == []
    assert "aborted" not in english(row(drain).message)
    assert row(drain).state != MigrationState.FAILED, "it had attempts left"


# -- two workers -------------------------------------------------------------------------------


def test_the_second_of_two_aborts_does_not_take_back_the_first():
    """Else what an admin wanted aborted is migrated again by itself."""
    nova, drain = flying()
    press(drain, Verb.ABORT)
    slow = row(drain)
    slow_drain = read(drain)
    one_pass(nova, drain.pk)
    assert nova.aborts == [1]
    second = DrainPass(slow_drain, nova, "w2", lambda: nova.now)
    with pytest.raises(StaleState):
        requested.abort(second, slow, d.Abort(slow.pk, 1))
    nova.tick()
    passes(nova, drain, 10)
    assert (row(drain).state, row(drain).code) == (MigrationState.FAILED, "aborted")
    assert len(nova.accepted_posts) == 1


def test_a_worker_that_was_stopped_does_not_enable_the_host_of_another_drain():
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    until(nova, drain, lambda: nova.the_service.status == "disabled")
    services.cancel_drain(ADMIN, drain.pk)
    slow = read(drain)
    until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert nova.enabled == 1
    again = ask(nova, 1)
    until(nova, again, lambda: nova.the_service.status == "disabled")
    with pytest.raises(StaleState):
        service.enable(DrainPass(slow, nova, "w1", lambda: nova.now), d.Enable("svc-1"))
    assert nova.the_service.status == "disabled"


# -- who disabled the service ------------------------------------------------------------------


def test_a_cancel_gives_back_a_service_whose_disabling_was_not_answered():
    nova = Nova()
    nova.add("a", "SUSPENDED")
    drain = ask(nova, 1)
    real = nova.disable_service

    def lost(*args):
        real(*args)
        raise CloudUnreachable("disable", "the connection was reset")

    nova.disable_service = lost
    until(nova, drain, lambda: nova.the_service.status == "disabled")
    nova.disable_service = real
    services.cancel_drain(ADMIN, drain.pk)
    until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert nova.the_service.status == "enabled"


def test_a_cancel_while_the_service_is_about_to_be_disabled_leaves_it_enabled():
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    passes(nova, drain, 2)
    assert read(drain).maintenance is not None
    real = nova.service

    def and_somebody_cancels(host):
        found = real(host)
        if read(drain).state == DrainState.RUNNING:
            services.cancel_drain(ADMIN, drain.pk)
        return found

    nova.service = and_somebody_cancels
    until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert nova.the_service.status == "enabled"


def test_a_cancel_before_anything_was_disabled_leaves_no_maintenance_behind():
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    passes(nova, drain, 1)
    # a worker that was killed before it came to disable the service
    store.join_maintenance(
        read(drain),
        found_status="enabled",
        found_reason="",
        service_id=nova.the_service.id,
        now=nova.now,
    )
    assert nova.the_service.status == "enabled"
    services.cancel_drain(ADMIN, drain.pk)
    until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert nova.the_service.status == "enabled"
    assert store.open_maintenance("RegionOne", "cmp1") is None


def test_a_cancel_while_the_host_is_recorded_comes_before_it_is_disabled(monkeypatch):
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    join = store.join_maintenance

    def join_and_be_cancelled(*drain_and, **found):
        made = join(*drain_and, **found)
        services.cancel_drain(ADMIN, drain.pk)
        return made

    monkeypatch.setattr(store, "join_maintenance", join_and_be_cancelled)
    disable = nova.disable_service
    asked = []
    nova.disable_service = lambda *which: asked.append(which) or disable(*which)
    until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert asked == []
    assert store.open_maintenance("RegionOne", "cmp1") is None


# -- a drain that is over, and goes on ---------------------------------------------------------


def test_a_retry_of_an_old_drain_does_not_drain_a_host_that_is_in_service():
    nova = Nova()
    old = failed_drain(nova)
    store.finish_return(  # weeks ago: the host was given back
        old.maintenance, ReturnResult.IN_SERVICE, "", "worker", nova.now
    )
    nova.the_service = replace(nova.the_service, status="enabled", disabled_reason="")
    nova.outcomes = {}
    nova.add("new customer")
    posts = len(nova.accepted_posts)
    with suppress(Refused):
        press(old, Verb.RETRY)
    for _ in range(60):
        passes(nova, old)
    moved = [s for s, _ in nova.accepted_posts[posts:] if s == "new customer"]
    assert (nova.the_service.status, moved) == ("enabled", [])


def test_a_retry_waits_until_the_host_has_been_given_back():
    nova = Nova()
    old = failed_drain(nova)
    maintenance = store.open_maintenance("RegionOne", "cmp1")
    store.request_return(maintenance, choice=ReturnChoice.OURS, actor="bob", now=nova.now)
    with pytest.raises(Refused):
        press(old, Verb.RETRY)


def test_a_retry_withdraws_that_the_host_is_safe_as_a_new_drain_does():
    nova = Nova()
    old = failed_drain(nova)
    HostMaintenance.objects.update(safe_since=nova.now, verified_at=nova.now)
    press(old, Verb.RETRY)
    records = store.host_records("RegionOne", nova.now - timedelta(seconds=90))
    assert not records["cmp1"].safe


def test_a_cancel_right_after_a_retry_gives_the_service_back_as_any_other():
    nova = Nova()
    old = failed_drain(nova)
    assert nova.the_service.status == "disabled"
    press(old, Verb.RETRY)
    services.cancel_drain(ADMIN, old.pk, enable=True)
    until(nova, old, lambda: read(old).state in DRAIN_TERMINAL)
    assert nova.the_service.status == "enabled"


# -- a retry at the moment at which the drain ends ---------------------------------------------


def failed_beside_one_that_flies() -> tuple[Nova, Drain]:
    nova = Nova(outcomes={"a": ["failed"] * 3, "b": ["stalls"]}, limit=2)
    nova.add("a")
    nova.add("b")
    drain = ask(nova, 2)
    until(nova, drain, lambda: row(drain).state == MigrationState.FAILED, 300)
    until(nova, drain, lambda: row(drain, "b").attempt.nova_status == "running")
    return nova, drain


def test_a_retry_while_the_last_pass_looks_is_not_left_waiting_in_a_drain_that_is_over():
    nova, drain = failed_beside_one_that_flies()
    flight = nova.flights[0]
    flight.outcome, flight.ends_at = "completed", nova.now
    nova.tick()
    real = nova.service
    pressed = []

    def and_somebody_retries(host):
        if not pressed:
            pressed.append(press(drain, Verb.RETRY))
        return real(host)

    nova.service = and_somebody_retries
    one_pass(nova, drain.pk)
    assert pressed
    over = until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert row(over).state not in (MigrationState.PENDING, MigrationState.BLOCKED)
    assert over.state == DrainState.SUCCEEDED


def test_a_retry_that_read_the_drain_before_it_ended_opens_it_again():
    nova = Nova(outcomes={"a": ["failed"] * 3})
    nova.add("a")
    drain = ask(nova, 1)
    until(nova, drain, lambda: row(drain).state == MigrationState.FAILED)
    Drain.objects.filter(pk=drain.pk).update(state="running")
    seen_running = read(drain)
    Drain.objects.filter(pk=drain.pk).update(state="failed", open_key=None)
    assert steer_one(ADMIN, seen_running, Verb.RETRY, row(drain), "") is None
    assert (read(drain).state, row(drain).state) == (DrainState.RUNNING, MigrationState.PENDING)


def test_a_retry_while_a_drain_ends_for_want_of_openstack_is_not_left_waiting_in_it():
    nova, drain = failed_beside_one_that_flies()
    nova.service = unreachable
    one_pass(nova, drain.pk)
    nova.now += timedelta(seconds=4000)

    def and_somebody_retries(host):
        if row(drain).state == MigrationState.FAILED:
            press(drain, Verb.RETRY)
        return unreachable()

    nova.service = and_somebody_retries
    with pytest.raises(StaleState):
        one_pass(nova, drain.pk)
    assert (read(drain).state, row(drain).state) == (DrainState.RUNNING, MigrationState.PENDING)
    nova.service = unreachable
    one_pass(nova, drain.pk)
    assert (read(drain).state, row(drain).state) == (DrainState.FAILED, MigrationState.FAILED)
    assert not steering.objection(Verb.RETRY, row(drain), read(drain))


@pytest.mark.parametrize("enable", [True, False])
def test_a_cancel_that_ends_for_want_of_openstack_says_what_is_not_known(enable):
    nova = Nova(outcomes={"a": ["stalls"]})
    nova.add("a")
    drain = ask(nova, 1)
    until(nova, drain, lambda: row(drain).attempt.nova_status == "running")
    store.cancel_drain(read(drain), "ann", nova.now, abort=False, enable=enable)
    nova.service = unreachable
    one_pass(nova, drain.pk)
    nova.now += timedelta(seconds=4000)
    one_pass(nova, drain.pk)
    ended = read(drain)
    assert (ended.state, row(drain).state) == (DrainState.CANCELLED, MigrationState.UNKNOWN)
    said = "It is unknown whether the compute service is enabled again."
    assert (said in english(ended.message)) is enable


def test_a_retry_goes_where_the_others_go_whatever_an_earlier_one_named():
    nova = Nova(outcomes={"a": ["failed"] * 9})
    nova.add("a")
    drain = ask(nova, 1)
    until(nova, drain, lambda: row(drain).state == MigrationState.FAILED)
    store.retry_instance(read(drain), row(drain), "ann", nova.now, "cmp9")
    until(nova, drain, lambda: row(drain).state == MigrationState.FAILED)
    assert {r.dest_compute for r in nova.records[-3:]} == {"cmp9"}
    press(drain, Verb.RETRY)
    passes(nova, drain)
    assert nova.records[-1].dest_compute == "cmp2", "the scheduler's choice"


# -- the last look before Nova is asked ----------------------------------------------------------


def test_what_somebody_moved_at_the_last_moment_is_not_migrated_off_its_new_host():
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    real = nova.migrations_of

    def and_somebody_moves_it(server_id):
        nova.all["a"] = replace(nova.all["a"], host="cmp9")
        return real(server_id)

    nova.migrations_of = and_somebody_moves_it
    over = until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert nova.accepted_posts == []
    assert (row(over).state, row(over).dest_compute) == (MigrationState.GONE, "cmp9")


# -- a copy that takes long ----------------------------------------------------------------------


@pytest.fixture
def outpaced(settings, monkeypatch) -> tuple[Nova, Drain]:
    """A drain whose first copy stalls, and so many newer ones that a pass reads no further back
    than to them."""
    settings.UKCLOUD_MAINTENANCE = {
        **QUICK,
        "LATE_MIN_SECONDS": 5,
        "TIMEOUT_MIN_SECONDS": 30,
        "TIMEOUT_SECONDS_PER_GIB": 10,
    }
    monkeypatch.setattr(observed, "NEWEST", 3)
    nova = Nova(outcomes={"a": ["stalls"]}, limit=2)
    for name in "abcdefgh":
        nova.add(name)
    drain = ask(nova, 2)
    until(nova, drain, lambda: drain.migrations.filter(state="succeeded").count() == 7)
    assert not any(r.server_id == "a" for r in nova.newest_migrations_from("cmp1", 3))
    return nova, drain


def test_a_copy_is_followed_however_many_newer_ones_there_are(outpaced):
    nova, drain = outpaced
    passes(nova, drain, 30)
    found = row(drain)
    assert (found.state, found.code, found.attempt.nova_status) == ("migrating", "", "running")
    assert nova.most_under_way <= 3
    services.cancel_drain(ADMIN, drain.pk, abort=True)
    over = until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert (nova.aborts, row(over).state) == ([1], MigrationState.CANCELLED)


def test_a_record_that_is_not_known_yet_is_found_however_many_newer_ones_there_are(outpaced):
    nova, drain = outpaced
    Attempt.objects.filter(migration__server_id="a").update(nova_migration_id=None)
    one_pass(nova, drain.pk)
    assert row(drain).attempt.nova_migration_id == 1


def test_a_record_that_was_read_is_not_read_again():
    nova, drain = flying()
    nova.migrations_of = None
    one_pass(nova, drain.pk)
    assert row(drain).attempt.nova_status == "running"


# -- server groups that cannot be read -----------------------------------------------------------


def test_servers_join_and_the_others_go_on_although_no_groups_can_be_read():
    nova, drain = flying()
    asked = []

    def broken():
        asked.append(nova.now)
        raise CloudServerError("list the server groups", "a cell is down", status=500)

    nova.server_groups = broken
    nova.add("late")
    nova.add("later")
    nova.flights[0].outcome, nova.flights[0].ends_at = "completed", nova.now
    nova.tick()
    one_pass(nova, drain.pk)
    assert row(drain).state == MigrationState.SUCCEEDED
    assert (row(drain, "late").group, row(drain, "later").group) == ("", "")
    assert len(asked) == 1, "each of them waits for it"
    over = until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert over.result == DrainResult.EMPTY


def test_a_server_that_joins_travels_with_its_group_in_mind():
    nova, drain = flying()
    nova.groups = [ServerGroup("g1", "web", "anti-affinity", ("late",))]
    nova.add("late")
    one_pass(nova, drain.pk)
    assert row(drain, "late").group == "g1"


# -- a cancel whose host is down -----------------------------------------------------------------


def test_a_cancel_of_a_paused_drain_gives_back_a_host_that_was_down_for_long():
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    until(nova, drain, lambda: nova.the_service.status == "disabled")
    services.pause_drain(ADMIN, drain.pk)
    nova.the_service = replace(nova.the_service, state="down")
    passes(nova, drain)
    nova.tick(1000)
    passes(nova, drain)
    services.cancel_drain(ADMIN, drain.pk)
    over = until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL, 5)
    assert (over.state, over.result) == (DrainState.CANCELLED, DrainResult.CANCELLED)
    assert nova.the_service.status == "enabled"
    assert "The compute service is enabled." in english(over.message)
    assert store.open_maintenance("RegionOne", "cmp1") is None


def test_a_cancel_of_a_host_that_crashed_gives_it_back_and_ends():
    nova, drain = flying()
    nova.the_service = replace(nova.the_service, state="down")
    services.cancel_drain(ADMIN, drain.pk)
    passes(nova, drain)
    nova.tick(1000)
    over = until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL, 5)
    assert (over.state, over.result) == (DrainState.CANCELLED, DrainResult.HOST_LOST)
    assert row(over).state == MigrationState.UNKNOWN
    assert nova.the_service.status == "enabled"
    assert "The compute service is enabled." in english(over.message)


# -- a second thought while a pass is in hand ----------------------------------------------------


def and_meanwhile(nova, change):
    """Something that an admin does after the pass has read the drain, once."""
    real, done = nova.servers_on, []

    def servers_on(host):
        if not done:
            done.append(change())
        return real(host)

    nova.servers_on = servers_on
    return done


@pytest.mark.parametrize("first", [True, False])
def test_what_is_chosen_for_the_service_while_a_cancel_ends_is_done(first):
    nova = Nova()
    nova.add("a", "SUSPENDED")
    drain = ask(nova, 1)
    until(nova, drain, lambda: nova.the_service.status == "disabled")
    services.cancel_drain(ADMIN, drain.pk, enable=first)
    told = and_meanwhile(nova, lambda: services.cancel_drain(ADMIN, drain.pk, enable=not first))
    over = until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL, 5)
    assert [t.state for t in told] == [DrainState.CANCELLING]
    assert (nova.the_service.status == "enabled") is not first
    assert ("is enabled" in english(over.message)) is not first


def test_of_two_who_cancel_otherwise_the_slower_one_takes_nothing_back(monkeypatch):
    _, drain = flying()
    services.cancel_drain(ADMIN, drain.pk, enable=True)
    real, done = store.cancel_drain, []

    def slowly(*args, **more):
        if not done:
            done.append(True)
            services.cancel_drain(ADMIN, drain.pk, abort=True)
        return real(*args, **more)

    monkeypatch.setattr(store, "cancel_drain", slowly)
    services.cancel_drain(ADMIN, drain.pk, enable=False)
    assert (read(drain).cancel_abort, read(drain).cancel_enable) == (True, False)


def test_a_window_that_is_extended_while_a_pass_looks_is_not_over():
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    until(nova, drain, lambda: nova.the_service.status == "disabled")
    Drain.objects.filter(pk=drain.pk).update(stop_at=nova.now)
    ahead = timezone.now() + timedelta(days=365)
    change = services.DrainChange(stop_at=ahead)
    and_meanwhile(nova, lambda: services.change_drain(ADMIN, drain.pk, change))
    found = passes(nova, drain)
    assert (found.state, found.stop_at) == (DrainState.RUNNING, ahead)
    assert not Event.objects.filter(drain=drain, kind="window_closed").exists()
    over = until(nova, drain, lambda: read(drain).state in DRAIN_TERMINAL)
    assert over.state == DrainState.SUCCEEDED


def test_a_beginning_that_is_put_off_while_a_worker_begins_is_waited_for(monkeypatch):
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    ahead = timezone.now() + timedelta(days=365)
    change = services.DrainChange(start_at=ahead)
    real = d.decide

    def and_somebody_puts_it_off(*args):
        services.change_drain(ADMIN, drain.pk, change)
        return real(*args)

    monkeypatch.setattr(d, "decide", and_somebody_puts_it_off)
    one_pass(nova, drain.pk)
    assert (read(drain).state, read(drain).start_at) == (DrainState.PENDING, ahead)


# -- a reset that Nova does not take -----------------------------------------------------------


def test_one_server_that_cannot_be_reset_does_not_hold_up_the_drain(monkeypatch):
    nova = Nova()
    nova.add("a")
    nova.add("b")
    drain = ask(nova, 1)
    passes(nova, drain, 2)
    bad = row(drain)
    if bad.state == MigrationState.PENDING:
        store.change_migration(
            bad, nova.now, state=MigrationState.UNKNOWN, code=d.LATE_ERROR, message=""
        )
    else:
        store.change_migration(bad, nova.now, state=MigrationState.UNKNOWN, code=d.LATE_ERROR)
        nova.flights = [f for f in nova.flights if f.server_id != "a"]
    nova.all["a"] = replace(nova.all["a"], status="ERROR", vm_state="error", task_state=None)

    class Complete:
        complete = True

    def broken(server_id):
        raise CloudServerError("reset", "Internal Server Error", status=500)

    monkeypatch.setattr(requested, "inquire", lambda cloud, one: Complete())
    nova.reset_state_to_active = broken
    press(drain, Verb.RESET)
    passes(nova, drain, 60)
    assert row(drain, "b").state == MigrationState.SUCCEEDED


def test_a_worker_that_was_stopped_does_not_reset_what_may_be_moving_again(monkeypatch):
    nova = Nova()
    nova.add("a", "SUSPENDED")
    drain = ask(nova, 1)
    passes(nova, drain, 3)
    InstanceMigration.objects.update(state="unknown", code=d.LATE_ERROR)
    request(row(drain), "reset", "admin")

    class Complete:
        complete = True

    resets = []
    nova.reset_state_to_active = resets.append
    monkeypatch.setattr(requested, "inquire", lambda cloud, one: Complete())
    change, clock = store.change_migration, [0.0]

    def and_the_worker_is_stopped(*args, **more):
        change(*args, **more)
        clock[0] += 60

    monkeypatch.setattr(requested.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(store, "change_migration", and_the_worker_is_stopped)
    one_pass(nova, drain.pk)
    assert row(drain).requests.open.tries == 1
    assert resets == []


# -- a request that is forgotten ----------------------------------------------------------------


def test_what_is_requested_while_a_pass_ends_is_not_forgotten(monkeypatch):
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    passes(nova, drain, 3)
    one = row(drain)
    store.change_migration(one, nova.now, state=MigrationState.UNKNOWN, code=d.LATE_ERROR)
    store.finish_drain(
        read(drain), DrainState.FAILED, DrainResult.INSTANCES_FAILED, "", "w", nova.now
    )
    request(one, "reset", "bob", state="refused")  # one that was answered just now
    real = d.decide

    def and_somebody_asks(*args):
        press(drain, Verb.RESET)
        return real(*args)

    monkeypatch.setattr(d, "decide", and_somebody_asks)
    one_pass(nova, drain.pk)
    assert row(drain).requests.open.kind == RequestKind.RESET
    assert store.claim("w", nova.now + timedelta(hours=1), 60) is not None


# -- force and abort ----------------------------------------------------------------------------


def test_what_a_cancel_aborts_is_not_forced_before():
    one = build.migrating(
        nova_status="running",
        nova_migration_id=7,
        requested=[build.asked(RequestKind.FORCE)],
        running_since=build.ago(60),
    )
    view = build.drain(
        state=DrainState.CANCELLING, cancelling_since=build.ago(1), cancel_abort=True
    )
    here = build.server(status="MIGRATING", task_state="migrating")
    actions = build.decide(view, [one], build.seen(here, records=(build.record(),)))
    assert [type(a) for a in actions if isinstance(a, d.Abort | d.ForceComplete)] == [d.Abort]


@pytest.mark.parametrize("status", ["running (post-copy)", "post-migrating"])
def test_a_timeout_does_not_claim_what_nova_would_not_take(status):
    one = build.migrating(nova_status=status, nova_migration_id=7, running_since=build.ago(100_000))
    here = build.server(status="MIGRATING", task_state="migrating")
    view = build.drain(timeout_action=TimeoutAction.ABORT)
    actions = build.decide(view, [one], build.seen(here, records=(build.record(status=status),)))
    told = [a for a in actions if isinstance(a, d.ChangeRow) and a.kind == "timed_out"]
    said = [english(a.message) for a in told]
    assert len(said) == 1
    assert "aborted" not in said[0]
    assert "abort_refused" not in build.kinds(actions)


# -- the way back ------------------------------------------------------------------------------


def test_a_copy_to_a_host_that_was_disabled_meanwhile_is_followed_to_its_end():
    one = build.migrating(
        source_compute="cmp2",
        dest_compute="cmp1",
        destination="cmp1",
        nova_status="running",
        nova_migration_id=7,
        running_since=build.ago(1200),
    )
    waits = build.row("waits", source_compute="cmp2")
    view = build.drain(
        direction=Direction.BACK, destination="cmp1", host_down_since=build.ago(10_000)
    )
    here = build.server(host="cmp2", status="MIGRATING", task_state="migrating")
    flies = build.record(source_compute="cmp2", dest_compute="cmp1")
    sight = build.seen(here, records=(flies,))  # the service is up, and disabled
    actions = build.decide(view, [one, waits], sight)
    assert "state" not in build.changes(actions, one)
    assert build.finish(actions) is None


def test_a_run_back_that_brought_nothing_back_is_no_success():
    gone = build.row(state=MigrationState.GONE, source_compute="cmp2", dest_compute="cmp3")
    view = build.drain(direction=Direction.BACK, destination="cmp1")
    sight = build.seen(service=build.service(status="enabled", disabled_reason=""))
    over = build.finish(build.decide(view, [gone], sight))
    assert over.result != DrainResult.BROUGHT_BACK


# -- what waits, and what it costs --------------------------------------------------------------


@pytest.mark.parametrize("how", ["paused", "not begun", "next in its plan"])
def test_a_drain_that_waits_for_others_is_not_looked_at_each_second(how):
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    if how == "not begun":
        Drain.objects.filter(pk=drain.pk).update(start_at=nova.now + timedelta(days=7))
    elif how == "paused":
        until(nova, drain, lambda: nova.the_service.status == "disabled")
        services.pause_drain(ADMIN, drain.pk)
        until(nova, drain, lambda: row(drain).state in ("pending", "succeeded"))
        nova.add("late")
        passes(nova, drain, 2)
    else:
        held(drain, nova)
        passes(nova, drain, 8)
    for _ in range(3):  # the message, the last writes
        found = reconciler.Reconciler(nova, "w", lambda: nova.now).run(read(drain))
    assert found.pause_seconds == settings.current().idle_seconds


def held(drain, nova) -> Drain:
    """The drain is the second of a plan, one host at a time."""
    plan = store.create_plan(
        region="RegionOne",
        reason="kernel",
        hosts_at_once=1,
        actor_id="u",
        actor="admin",
        now=nova.now,
    )
    first = store.create_drain(
        region="RegionOne",
        host="cmp0",
        service_id="svc-0",
        reason="kernel",
        max_concurrent=1,
        destination="",
        actor_id="u",
        actor="admin",
        planned=[],
        project_names={},
        now=nova.now,
        plan=plan,
        plan_order=0,
    )
    store.change_drain(first, nova.now, state=DrainState.RUNNING, started_at=nova.now)
    store.join_maintenance(
        first, found_status="disabled", found_reason="", service_id="svc-0", now=nova.now
    )
    Drain.objects.filter(pk=drain.pk).update(plan=plan, plan_order=1)
    return first


def test_a_drain_that_waits_with_its_service_enabled_by_somebody_says_so_once():
    nova = Nova()
    nova.add("a")
    drain = ask(nova, 1)
    held(drain, nova)
    until(nova, drain, lambda: nova.the_service.status == "disabled")
    passes(nova, drain, 2)
    nova.the_service = replace(nova.the_service, status="enabled", disabled_reason="")
    passes(nova, drain, 40)
    said = Event.objects.filter(drain=drain, kind="service_enabled_by_other").count()
    assert said == 1, f"{said} events in 40 passes"


def test_a_drain_that_the_limits_hold_says_what_it_waits_for(settings):
    settings.UKCLOUD_MAINTENANCE = {**QUICK, "MAX_IN_REGION": 1}
    flying()
    other = Nova()
    other.the_service = replace(other.the_service, host="cmp9")
    other.all["z"] = build.server("z", host="cmp9")
    drain = ask(other, 1)
    passes(other, drain, 20)
    assert other.accepted_posts == []
    assert read(drain).message


def test_one_full_destination_does_not_hold_the_region_without_a_word():
    """Four copies to cmp2 that do not end, and many hosts with room: a server that joined has no
    place in the estimate, and waits as long as they do."""
    admission = d.Admission(room=16, inbound={"cmp2": 4}, per_destination=4)
    actions = build.decide(
        build.drain(), [build.row()], build.seen(build.server(), admission=admission)
    )
    said = [a for a in actions if isinstance(a, d.ChangeDrain) and a.fields.get("message")]
    assert build.submits(actions) or said


def test_one_that_stepped_back_still_goes_where_the_hosts_stay_even():
    one = build.row(attempts=1, extra_attempts=1, dest_compute="cmp7")  # as stepping back leaves it
    view = build.drain(follow_estimate=True)
    sight = build.seen(build.server(), placing=build.placing(cmp7=9000, cmp8=8000))
    actions = build.decide(view, [one], sight)
    assert [a.host for a in actions if isinstance(a, d.Submit)] == ["cmp7"]


def test_a_host_that_an_earlier_drain_disabled_is_not_given_back_by_a_cancel_alone():
    nova = Nova()
    nova.add("a")
    first = ask(nova, 1)
    until(nova, first, lambda: read(first).state == DrainState.SUCCEEDED)
    second = ask(nova, 1)
    passes(nova, second, 2)
    may_cancel = Actor("u2", "bob", may=lambda rule: rule == "maintenance:cancel")
    with pytest.raises(NotAllowed):
        services.cancel_drain(may_cancel, second.pk, enable=True)


# -- leftovers at a destination ----------------------------------------------------------------


def test_novas_words_of_leftovers_keep_the_next_attempt_from_that_host():
    nova = Nova(outcomes={"a": ["failed", "failed", "failed"]})
    nova.failure_of = lambda *ids: (
        "The supplied disk path (/instances/a) already exists, it is expected not to exist."
    )
    nova.add("a")
    drain = ask(nova, 1)
    until(nova, drain, lambda: row(drain).attempts == 1 and row(drain).state == "pending")
    first = row(drain).dest_compute
    assert row(drain).unfit_hosts == {first: "leftovers_at_destination"}
    services.steer(ADMIN, drain.pk, Verb.SKIP, [row(drain).pk])
    services.steer(ADMIN, drain.pk, Verb.RETRY, [row(drain).pk])
    assert row(drain).unfit_hosts == {}  # whoever retries has seen to what was there

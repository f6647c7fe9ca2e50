"""What steering writes, on SQLite, PostgreSQL and MariaDB: once, whoever else writes too."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import OperationalError

from tests.store.test_store import ADMINS, NOW, admin, begin, create, end, read, row
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.cancelling import is_untouched
from ukcloud_maintenance.core.message import message, text
from ukcloud_maintenance.core.states import (
    DrainResult,
    DrainState,
    MigrationState,
    RequestKind,
)
from ukcloud_maintenance.core.steering import DrainVerb, Verb
from ukcloud_maintenance.exceptions import Refused, StaleState
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain, Event, Plan, Request

LATER = NOW + timedelta(seconds=5)


def fly(drain: Drain, name: str = "a", dest: str = "", status: str = "running"):
    one = row(drain, name)
    store.change_migration(one, NOW, state=MigrationState.SUBMITTED, attempts=one.attempts + 1)
    store.change_migration(
        one,
        NOW,
        state=MigrationState.MIGRATING,
        nova_migration_id=7,
        nova_status=status,
        dest_compute=dest,
    )
    return one


def fail(drain: Drain, name: str = "a"):
    one = row(drain, name)
    store.change_migration(one, NOW, state=MigrationState.FAILED, message="no valid host")
    return one


def kinds(drain: Drain) -> list[str]:
    return list(Event.objects.filter(drain=drain).values_list("kind", flat=True))


# -- the drain -------------------------------------------------------------------------------


def test_one_that_has_not_begun_is_put_on_hold_and_let_go_again():
    drain = create()
    store.pause_drain(drain, "ann", NOW)
    assert is_untouched(read(drain))
    store.resume_drain(drain, "ann", LATER)
    assert read(drain).state == DrainState.PENDING
    assert kinds(drain)[1:] == ["drain_paused", "drain_resumed"]


def test_one_on_hold_that_is_cancelled_is_over_at_once():
    drain = create()
    store.pause_drain(drain, "ann", NOW)
    assert store.cancel_drain(drain, "ann", NOW, enable=True) == DrainState.CANCELLED
    assert {r.state for r in store.migrations(drain)} == {"cancelled"}
    assert read(drain).open_key is None


def test_a_resume_forgets_a_window_that_is_over_and_keeps_one_that_is_not():
    drain = begin(create(stop_at=NOW))
    store.pause_drain(drain, "ann", NOW)
    store.resume_drain(drain, "ann", LATER)
    assert (read(drain).state, read(drain).stop_at) == (DrainState.RUNNING, None)
    ahead = NOW + timedelta(hours=1)
    other = begin(create("cmp2", stop_at=ahead))
    store.pause_drain(other, "ann", NOW)
    store.resume_drain(other, "ann", LATER)
    assert read(other).stop_at == ahead


def test_a_cancel_keeps_what_was_chosen_with_it():
    drain = begin(create())
    store.cancel_drain(drain, "ann", NOW, abort=True, enable=True)
    found = read(drain)
    assert (found.cancel_abort, found.cancel_enable, found.cancelling_since) == (True, True, NOW)
    said = Event.objects.get(drain=drain, kind="drain_cancelled").message
    assert said == message("aborts_and_enables")


def test_a_cancel_is_not_changed_by_who_has_not_seen_what_another_one_chose():
    drain = begin(create())
    store.cancel_drain(drain, "ann", NOW)
    slow = read(drain)
    store.cancel_drain(read(drain), "bob", LATER, abort=True)
    with pytest.raises(StaleState):
        store.cancel_drain(slow, "ann", LATER, enable=True)
    assert (read(drain).cancel_abort, read(drain).cancel_enable) == (True, False)
    with pytest.raises(StaleState):
        store.finish_drain(
            slow,
            DrainState.CANCELLED,
            DrainResult.CANCELLED,
            "",
            "w",
            LATER,
            expect=store.cancel_choice(slow),
        )
    assert read(drain).state == DrainState.CANCELLING


def test_of_many_who_cancel_otherwise_at_once_none_takes_back_what_another_chose(at_once):
    for number in range(4):
        drain = begin(create(f"cmp{number}"))
        services.cancel_drain(admin(0), drain.pk, enable=False)
        answers = at_once(
            [
                partial(services.cancel_drain, admin(1), drain.pk, abort=True),
                partial(services.cancel_drain, admin(2), drain.pk, enable=True),
            ]
        )
        assert [type(a) for a in answers] == [Drain, Drain]
        assert (read(drain).cancel_abort, read(drain).cancel_enable) == (True, True)


def test_a_cancel_begins_the_waits_that_a_pause_did_not_end():
    drain = begin(create())
    store.change_drain(drain, NOW, host_down_since=NOW, cloud_down_since=NOW)
    store.pause_drain(drain, "ann", NOW)
    store.cancel_drain(drain, "ann", LATER)
    assert (read(drain).host_down_since, read(drain).cloud_down_since) == (None, None)
    other = begin(create("cmp2"))
    store.change_drain(other, NOW, host_down_since=NOW)
    store.cancel_drain(other, "ann", LATER)
    assert read(other).host_down_since == NOW, "it ran, and waited"


def test_a_resume_does_not_forget_a_window_that_was_extended_meanwhile():
    drain = begin(create(stop_at=NOW))
    store.pause_drain(drain, "ann", NOW)
    slow = read(drain)
    ahead = NOW + timedelta(hours=1)
    store.adjust_drain(drain, "bob", LATER, "", stop_at=ahead)
    with pytest.raises(StaleState):
        store.resume_drain(slow, "ann", LATER)
    assert (read(drain).state, read(drain).stop_at) == (DrainState.PAUSED, ahead)


def test_a_change_stands_on_what_it_expects_also_where_that_is_nothing():
    drain = begin(create(stop_at=NOW))
    with pytest.raises(StaleState):
        store.change_drain(drain, LATER, expect={"stop_at": None}, message=text("no"))
    store.change_drain(drain, LATER, expect={"stop_at": NOW, "start_at": None}, message=text("yes"))
    assert read(drain).message == text("yes")


def test_a_drain_that_failed_goes_on_unless_the_host_has_another_one():
    drain = begin(create())
    one = fail(drain)
    end(drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED)
    other = create()
    with pytest.raises(store.DrainExists) as caught:
        store.retry_instance(drain, one, "ann", LATER)
    assert caught.value.drain == other
    assert (read(drain).state, row(drain).state) == ("failed", "failed")
    assert "retried" not in kinds(drain)
    store.cancel_drain(other, "ann", LATER)
    drain = read(drain)
    store.retry_instance(drain, one, "ann", LATER, "cmp9")
    found, again = read(drain), row(drain)
    assert (found.state, found.result, found.finished_at) == ("running", "", None)
    assert store.open_drain_of("RegionOne", "cmp1") == found
    assert (again.state, again.destination, again.finished_at) == ("pending", "cmp9", None)
    assert again.extra_attempts == again.attempts
    store.retry_instance(found, fail(found), "ann", LATER)
    assert row(drain).destination == "", "the scheduler's choice"


def test_a_changed_pace_is_not_judged_by_what_was_seen_of_the_old_one():
    drain = begin(create())
    store.change_drain(drain, NOW, nova_runs_more=True)
    store.adjust_drain(drain, "ann", LATER, "5 at once, was 2", max_concurrent=5)
    assert (read(drain).max_concurrent, read(drain).nova_runs_more) == (5, False)


# -- an instance -----------------------------------------------------------------------------


def test_a_wish_wakes_the_worker_also_when_the_drain_is_over():
    drain = begin(create())
    one = row(drain)
    store.change_migration(
        one, NOW, state=MigrationState.UNKNOWN, code="error_after_abort", message="?"
    )
    end(drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED)
    assert store.claim("w1", LATER, 60) is None
    store.make_request(drain, one, RequestKind.RESET, "ann", LATER)
    assert store.claim("w1", LATER, 60) == drain
    assert store.claim("w2", LATER, 60) is None


def test_of_two_wishes_at_the_same_moment_the_second_is_stale():
    drain = begin(create())
    fly(drain)
    mine, theirs = row(drain), row(drain)
    store.make_request(drain, mine, RequestKind.ABORT, "ann", NOW)
    with pytest.raises(StaleState):
        store.make_request(drain, theirs, RequestKind.FORCE, "bob", NOW)
    found = row(drain).requests.open
    assert (found.kind, found.requested_by) == ("abort", "ann")


def test_a_wish_is_for_the_migration_that_was_seen():
    drain = begin(create())
    mine = fly(drain)
    worker = row(drain)
    store.change_migration(worker, NOW, nova_migration_id=8)
    with pytest.raises(StaleState):
        store.make_request(drain, mine, RequestKind.ABORT, "ann", NOW)


def test_what_is_put_first_is_before_what_was_put_first_before():
    drain = create(servers=("a", "b", "c"))
    for name in ("b", "c"):
        store.put_first(drain, row(drain, name), "ann", NOW)
    assert [r.server_name for r in store.migrations(drain)] == ["c", "b", "a"]
    assert all(r.position < 0 for r in store.migrations(drain) if r.server_name != "a")


def test_several_put_first_together_keep_their_order():
    drain = create(servers=("a", "b", "c", "d"))
    chosen = [row(drain, name).pk for name in ("c", "d")]
    services.steer(admin(1), drain.pk, Verb.FIRST, chosen)
    assert [r.server_name for r in store.migrations(drain)] == ["c", "d", "a", "b"]


def test_what_cannot_be_done_for_one_is_done_for_the_others():
    drain = begin(create(servers=("a", "b")))
    fly(drain, "b")
    done = services.steer(admin(1), drain.pk, Verb.SKIP, [r.pk for r in store.migrations(drain)])
    assert [r.server_name for r in done.done] == ["a"]
    ((refused, why),) = done.refused
    assert refused.server_name == "b"
    assert "migrating" in english(why)
    assert (row(drain, "a").state, row(drain, "b").state) == ("skipped", "migrating")


def broken(monkeypatch, name: str, pk: int, error: Exception | None = None) -> None:
    """Lets a function of the store fail for one drain, or for one instance."""
    real = getattr(store, name)

    def act(*some, **named):
        if pk in [getattr(one, "pk", None) for one in some]:
            raise error or ValueError("https://user:secret@host")
        return real(*some, **named)

    monkeypatch.setattr(store, name, act)


def test_a_bug_about_one_instance_keeps_nobody_from_the_others(monkeypatch, caplog):
    drain = begin(create(servers=("a", "b", "c")))
    broken(monkeypatch, "skip_instance", row(drain, "a").pk)
    done = services.steer(admin(1), drain.pk, Verb.SKIP, [r.pk for r in store.migrations(drain)])
    assert [r.server_name for r in done.done] == ["b", "c"]
    ((refused, why),) = done.refused
    assert (refused.server_name, why) == ("a", message("unexpected_error", fault="ValueError"))
    [line] = [one for one in caplog.records if one.exc_info]
    server = row(drain, "a").server_id
    assert line.getMessage() == f"bug skip drain={drain.pk} server={server}"


def test_a_database_that_is_lost_is_no_bug_about_one(monkeypatch):
    drain = begin(create(servers=("a", "b")))
    broken(monkeypatch, "skip_instance", row(drain, "a").pk, OperationalError("gone"))
    with pytest.raises(OperationalError):
        services.steer(admin(1), drain.pk, Verb.SKIP, [r.pk for r in store.migrations(drain)])
    assert row(drain, "b").state == "pending"


def test_a_bug_about_one_drain_of_a_plan_keeps_nobody_from_the_others(monkeypatch, caplog):
    plan, (first, *others) = make_plan("cmp1", "cmp2", "cmp3")
    broken(monkeypatch, "cancel_drain", first.pk)
    answers = services.steer_plan(admin(1), plan.pk, DrainVerb.CANCEL)
    assert [one.why and one.why.code for one in answers] == ["unexpected_error", None, None]
    assert not answers[0].expected
    assert {read(one).state for one in others} == {"cancelled"}
    assert read(first).state == "pending"
    [line] = [one for one in caplog.records if one.exc_info]
    assert line.getMessage() == f"bug cancel drain={first.pk}"
    with pytest.raises(Refused) as caught:
        services.steer_plan(admin(1), plan.pk, DrainVerb.CANCEL)
    assert caught.value.said.code == "unexpected_error"


def test_an_instance_of_another_drain_is_not_touched():
    drain, other = create(), create("cmp2")
    with pytest.raises(Refused) as caught:
        services.steer(admin(1), drain.pk, Verb.SKIP, [row(other).pk])
    assert caught.value.code == "unknown_instance"
    assert row(other).state == "pending"


def test_of_many_admins_who_abort_at_once_one_is_written(at_once):
    drain = begin(create())
    fly(drain)
    pk = row(drain).pk

    def press(number: int):
        return services.steer(admin(number), drain.pk, Verb.ABORT, [pk])

    answers = at_once([partial(press, number) for number in range(ADMINS)])
    refused = [a for a in answers if isinstance(a, Refused)]
    assert [a.code for a in refused] == ["cannot_abort"] * (ADMINS - 1)
    assert sum(isinstance(a, services.Steered) for a in answers) == 1
    assert kinds(drain).count("abort_asked") == 1


def test_a_pause_a_cancel_and_a_worker_at_once_leave_one_truth(at_once):
    for number in range(4):
        drain = begin(create(f"cmp{number}"))
        known = read(drain)
        answers = at_once(
            [
                partial(services.cancel_drain, admin(0), drain.pk),
                partial(services.pause_drain, admin(1), drain.pk),
                partial(end, known, DrainState.FAILED, DrainResult.NOT_PROVED),
            ]
        )
        assert {type(a) for a in answers} <= {Drain, Refused, StaleState, type(None)}
        found = read(drain)
        # the worker was first, or the cancel stands: a pause keeps neither from it
        assert found.state in (DrainState.CANCELLING, DrainState.FAILED)
        assert (found.open_key is None) is (found.state == DrainState.FAILED)
        assert isinstance(answers[2], StaleState) is (found.state == DrainState.CANCELLING)


# -- the drain changes while something is asked for in it ------------------------------------


def lose(drain: Drain):
    one = row(drain)
    store.change_migration(one, NOW, state=MigrationState.UNKNOWN, code="error_after_abort")
    return one


#: How an instance is where something can be asked for it.
ASKABLE = {
    Verb.ABORT: fly,
    Verb.FORCE: fly,
    Verb.RETRY: fail,
    Verb.SKIP: fail,
    Verb.FIRST: row,
    Verb.RESET: lose,
}
#: What becomes of a drain meanwhile, and what can be asked for in it then.
CHANGES = {
    "succeeded": (
        partial(end, state=DrainState.SUCCEEDED, result=DrainResult.INSTANCES_LEFT),
        {Verb.RESET},
    ),
    "failed": (
        partial(end, state=DrainState.FAILED, result=DrainResult.INSTANCES_FAILED),
        {Verb.RESET, Verb.RETRY},
    ),
    "cancelling": (
        lambda drain: store.cancel_drain(drain, "bob", NOW),
        {Verb.RESET, Verb.ABORT, Verb.FORCE},
    ),
    "paused": (lambda drain: store.pause_drain(drain, "bob", NOW), set(Verb)),
}


def kept(drain: Drain) -> tuple:
    """What a request writes."""
    found = read(drain)
    return (
        found.state,
        list(Request.objects.values()),
        list(found.migrations.values()),
        kinds(found),
    )


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("verb", Verb)
def test_what_is_asked_for_while_its_drain_changes_is_judged_anew(monkeypatch, verb, change):
    """A drain that is over is not changed by who saw it while it was open."""
    drain = begin(create())
    one = ASKABLE[verb](drain)
    becomes, offered = CHANGES[change]
    left = []

    def now():  # it is asked between the judgement and the write
        if not left:
            becomes(read(drain))
            left.append(kept(drain))
        return LATER

    monkeypatch.setattr(store, "now", now)
    if verb in offered:
        assert services.steer(admin(1), drain.pk, verb, [one.pk]).done == (one,)
        assert kept(drain) != left[0]
    else:
        with pytest.raises(Refused) as caught:
            services.steer(admin(1), drain.pk, verb, [one.pk])
        assert caught.value.code == f"cannot_{verb.value}"
        assert change in english(caught.value.said)
        assert kept(drain) == left[0]


def test_a_skip_and_the_end_of_the_drain_at_once_are_one_after_the_other(at_once):
    for number in range(6):
        drain = begin(create(f"cmp{number}"))
        one = fail(drain)
        known = read(drain)
        _, over = at_once(
            [
                partial(services.steer, admin(1), drain.pk, Verb.SKIP, [one.pk]),
                partial(end, known, DrainState.FAILED, DrainResult.INSTANCES_FAILED),
            ]
        )
        assert over is None
        # not by their times: `end` has its own
        written = Event.objects.filter(drain=drain).order_by("id")
        assert list(written.values_list("kind", flat=True))[-1] == "drain_failed"
        assert (row(drain).state == "skipped") is ("skipped" in kinds(drain))


# -- the region and the plan -----------------------------------------------------------------


def test_what_is_under_way_is_counted_by_where_it_goes():
    first, second = begin(create("cmp1")), begin(create("cmp2", servers=("c", "d")))
    fly(first, "a", dest="cmp9")
    fly(second, "c", dest="cmp9")
    fly(second, "d")
    elsewhere = begin(create("cmp3", servers=("e",), region="RegionTwo"))
    fly(elsewhere, "e", dest="cmp9")
    found = store.traffic("RegionOne")
    assert (found.total, found.inbound, found.anywhere) == (3, {"cmp9": 2}, 1)


def make_plan(*hosts: str, at_once: int = 1) -> tuple[Plan, list[Drain]]:
    plan = store.create_plan(
        region="RegionOne",
        reason="racks",
        hosts_at_once=at_once,
        actor_id="u1",
        actor="ann",
        now=NOW,
    )
    drains = [create(host, plan=plan, plan_order=order) for order, host in enumerate(hosts)]
    return plan, drains


def join(drain: Drain, *, disabled: bool, found_status: str = "enabled") -> None:
    kept = store.join_maintenance(
        drain, found_status=found_status, found_reason="", service_id="s", now=NOW
    )
    if disabled:
        store.disabled(kept, NOW)


def test_a_drain_of_a_plan_waits_until_all_its_services_are_disabled():
    _, (one, two, three) = make_plan("cmp1", "cmp2", "cmp3", at_once=0)
    for drain in (one, two, three):
        begin(drain)
    join(one, disabled=True)
    join(two, disabled=False, found_status="disabled")  # somebody else's: it takes nothing either
    assert store.ahead_of(read(one)) == (["cmp3"], [])
    join(three, disabled=False)
    assert store.ahead_of(read(one)) == (["cmp3"], [])
    store.disabled(read(three).maintenance, NOW)
    assert store.ahead_of(read(one)) == ([], [])


def test_a_host_that_is_down_or_on_hold_does_not_hold_up_its_plan():
    _, (one, two, three) = make_plan("cmp1", "cmp2", "cmp3")
    begin(one)
    join(one, disabled=True)
    store.change_drain(begin(two), NOW, host_down_since=NOW)
    store.pause_drain(three, "ann", NOW)
    assert store.ahead_of(read(one)) == ([], [])


def test_hosts_of_a_plan_have_their_turn():
    _, drains = make_plan("cmp1", "cmp2", "cmp3", at_once=2)
    for drain in drains:
        begin(drain)
        join(drain, disabled=True)
    one, _two, three = drains
    assert store.ahead_of(read(three)) == ([], ["cmp1", "cmp2"])
    assert store.ahead_of(read(one)) == ([], [])
    end(one)
    assert store.ahead_of(read(three)) == ([], [])


def test_a_drain_of_no_plan_waits_for_nobody():
    assert store.ahead_of(begin(create())) == ([], [])

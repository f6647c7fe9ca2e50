"""What `decide` makes of pauses, windows, aborts, timeouts, limits, and cancels that must end."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.core.build import (
    GIB,
    LIMITS,
    NOW,
    ago,
    altered,
    asked,
    changes,
    decide,
    drain,
    finish,
    kinds,
    made,
    migrating,
    of_request,
    progress,
    record,
    row,
    seen,
    server,
    service,
    submits,
)
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.drain import answers
from ukcloud_maintenance.core.message import message, text
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.messages import english

ENABLED = service(status="enabled", disabled_reason="")


def later(seconds: float):
    return ago(-seconds)


def of_type(actions, kind):
    return [a for a in actions if isinstance(a, kind)]


def moving(name: str = "web"):
    return server(name, status="MIGRATING", task_state="migrating")


def flying(name: str = "web", **more):
    return migrating(
        name, **{"nova_migration_id": 7, "nova_status": "running", "running_since": ago(5), **more}
    )


# -- pause, and the window -------------------------------------------------------------------


def test_nothing_is_started_while_it_is_paused_and_what_flies_is_followed():
    rows = [row("a"), flying("b")]
    sight = seen(server("a"), moving("b"), records=(record("b"),))
    actions = decide(drain(state="paused", started_at=ago(60)), rows, sight)
    assert not submits(actions)
    assert changes(actions, rows[1])["dest_compute"] == "cmp2"


def test_one_that_was_paused_before_it_began_touches_nothing():
    sight = seen(server("a"), service=service(status="enabled", disabled_reason=""))
    view = drain(state="paused", started_at=None, maintenance=None)
    assert decide(view, [row("a")], sight) == []


def test_it_does_not_begin_before_its_time():
    view = drain(state="pending", start_at=later(60))
    assert decide(view, [row("a")], seen()) == []
    (begun,) = decide(replace(view, start_at=ago(1)), [row("a")], seen())
    assert begun.fields["state"] == DrainState.RUNNING


def test_a_window_that_is_over_before_it_begins_leaves_the_host_alone():
    view = drain(state="pending", stop_at=ago(1))
    (held,) = decide(view, [row("a")], seen())
    assert (held.fields["state"], held.kind) == (DrainState.PAUSED, "window_closed")


def test_after_the_window_nothing_new_is_started_and_what_flies_lands():
    rows = [row("a"), flying("b")]
    sight = seen(server("a"), moving("b"), records=(record("b"),))
    actions = decide(drain(stop_at=ago(1)), rows, sight)
    assert not submits(actions)
    assert "window_closed" not in kinds(actions)


def test_when_the_last_one_has_landed_after_the_window_the_drain_rests():
    actions = decide(drain(stop_at=ago(1)), [row("a")], seen(server("a")))
    assert not submits(actions)
    (held,) = [a for a in of_type(actions, d.ChangeDrain) if a.kind == "window_closed"]
    assert held.fields["state"] == DrainState.PAUSED
    assert finish(actions) is None


def test_a_window_does_not_keep_an_empty_host_from_its_proof():
    view = drain(stop_at=ago(1), proving_since=ago(5))
    actions = decide(view, [row("a", state="succeeded")], seen(everything=True))
    assert finish(actions).result == DrainResult.EMPTY


# -- aborts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["queued", "preparing", "running"])
def test_an_abort_that_is_asked_for_is_sent_where_nova_takes_it(status):
    one = flying(requested=[asked("abort", "ann")])
    sight = seen(moving(), records=(record(status=status),))
    assert of_type(decide(drain(), [one], sight), d.Abort) == [d.Abort(one.id, 7)]


def test_an_abort_waits_while_nova_has_only_accepted_it():
    one = flying(requested=[asked()], nova_status="accepted", running_since=None)
    actions = decide(drain(), [one], seen(moving(), records=(record(status="accepted"),)))
    assert not of_type(actions, d.Abort)
    assert not of_request(actions, one)


@pytest.mark.parametrize("status", ["running (post-copy)", "post-migrating"])
def test_an_abort_that_comes_too_late_says_so(status):
    one = flying(requested=[asked("abort", "ann")])
    actions = decide(drain(), [one], seen(moving(), records=(record(status=status),)))
    assert not of_type(actions, d.Abort)
    assert of_request(actions, one)["state"] == "refused"
    assert status in english(of_request(actions, one)["answer"])


def test_an_abort_is_meant_for_one_attempt_alone():
    one = flying(requested=[asked(nova_migration_id=6)])
    actions = decide(drain(), [one], seen(moving(), records=(record(),)))
    assert not of_type(actions, d.Abort)
    assert "another attempt" in english(of_request(actions, one)["answer"])


def aborted(by="ann", **more):
    return flying(
        **{"requested": [asked("abort", by, taken_at=ago(30))], "anomaly_since": ago(20), **more}
    )


def test_what_an_admin_aborted_has_failed_and_is_not_tried_again():
    one = aborted()
    actions = decide(drain(), [one], seen(server(), records=(record(status="cancelled"),)))
    found = changes(actions, one)
    assert (found["state"], found["code"]) == (MigrationState.FAILED, "aborted")
    assert "ann" in english(found["message"])


def test_an_abort_is_not_believed_before_it_has_settled():
    one = aborted(anomaly_since=None)
    actions = decide(drain(), [one], seen(server(), records=(record(status="cancelled"),)))
    found = changes(actions, one)
    assert "state" not in found
    assert found["anomaly_since"] == NOW
    assert found["was_cancelled"] is True


def test_what_its_timeout_aborted_is_tried_again():
    one = aborted("timeout")
    actions = decide(drain(), [one], seen(server(), records=(record(status="cancelled"),)))
    assert changes(actions, one)["state"] == MigrationState.PENDING


def test_the_last_attempt_that_its_timeout_aborted_has_failed():
    one = aborted("timeout", attempts=LIMITS.max_attempts)
    actions = decide(drain(), [one], seen(server(), records=(record(status="cancelled"),)))
    assert changes(actions, one)["state"] == MigrationState.FAILED


@pytest.mark.parametrize(
    "known",
    [{"requested": [asked(taken_at=ago(30))]}, {"was_cancelled": True}],
    ids=["ours", "seen"],
)
def test_an_error_after_an_abort_is_recognised(known):
    one = flying(anomaly_since=ago(20), **known)
    sight = seen(server(status="ERROR"), records=(record(status="error"),))
    found = changes(decide(drain(), [one], sight), one)
    assert (found["state"], found["code"]) == (MigrationState.UNKNOWN, d.LATE_ERROR)
    assert "evidence" in english(found["message"])


def test_an_error_without_an_abort_is_not_taken_for_one():
    one = flying(anomaly_since=ago(20))
    sight = seen(server(status="ERROR"), records=(record(status="error"),))
    found = changes(decide(drain(), [one], sight), one)
    assert found["code"] == "error_at_source"


def test_an_abort_of_another_attempt_does_not_explain_an_error():
    one = flying(anomaly_since=ago(20), requested=[asked(nova_migration_id=6, taken_at=ago(30))])
    sight = seen(server(status="ERROR"), records=(record(status="error"),))
    assert changes(decide(drain(), [one], sight), one)["code"] == "error_at_source"


# -- force complete --------------------------------------------------------------------------


def test_force_complete_is_sent_while_it_runs_and_waits_while_it_prepares():
    one = flying(requested=[asked("force_complete", nova_migration_id=None)])
    sent = decide(drain(), [one], seen(moving(), records=(record(),)))
    assert of_type(sent, d.ForceComplete) == [d.ForceComplete(one.id, 7)]
    waits = decide(drain(), [one], seen(moving(), records=(record(status="preparing"),)))
    assert not of_type(waits, d.ForceComplete)
    assert not of_request(waits, one)


# -- timeouts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "kind"), [("warn", None), ("abort", "abort"), ("force_complete", "force_complete")]
)
def test_a_copy_that_takes_too_long_meets_the_chosen_action(action, kind):
    one = flying(running_since=ago(1801))
    actions = decide(drain(timeout_action=action), [one], seen(moving(), records=(record(),)))
    found = changes(actions, one)
    assert found["timed_out_at"] == NOW
    assert "timed_out" in kinds(actions)
    assert made(actions) == ([(kind, "timeout")] if kind else [])


def test_the_timeout_grows_with_the_memory_and_is_met_once():
    sight = seen(moving(), records=(record(),))
    large = flying(running_since=ago(1801), memory_bytes=8 * GIB)
    assert "timed_out_at" not in changes(decide(drain(), [large], sight), large)
    over = altered(large, running_since=ago(8 * 300 + 1))
    assert changes(decide(drain(), [over], sight), over)["timed_out_at"] == NOW
    again = altered(over, timed_out_at=ago(5))
    assert "timed_out" not in kinds(decide(drain(), [again], sight))
    before = again.requests.with_new(asked("abort", "timeout", state="refused", tries=1))
    again = replace(again, requests=before)
    assert made(decide(drain(timeout_action="abort"), [again], sight)) == []


def timed_out(**more):
    return flying(running_since=ago(1801), timed_out_at=ago(5), **more)


@pytest.mark.parametrize("action", ["abort", "force_complete"])
@pytest.mark.parametrize("before", ["", "abort", "force_complete"])
def test_a_changed_action_reaches_a_copy_that_was_marked_already(before, action):
    """Also where another action was asked for before, and Nova did not take that."""
    one = timed_out(requested=[asked(before, "timeout", state="refused")] if before else [])
    actions = decide(drain(timeout_action=action), [one], seen(moving(), records=(record(),)))
    found = changes(actions, one)
    if before == action:
        assert made(actions) == []
        return
    assert made(actions) == [(action, "timeout")]
    assert "timed_out" in kinds(actions)
    assert "timed_out_at" not in found  # since when it takes too long is as it was


@pytest.mark.parametrize(("action", "left"), [("warn", ""), ("abort", "abort")])
def test_what_the_drain_no_longer_says_is_not_asked_of_nova(action, left):
    one = timed_out(requested=[asked("force_complete", "timeout")])
    actions = decide(drain(timeout_action=action), [one], seen(moving(), records=(record(),)))
    assert of_request(actions, one)["state"] == "withdrawn"
    assert made(actions) == ([(left, "timeout")] if left else [])
    assert not of_type(actions, d.ForceComplete)


def test_what_an_admin_asked_for_is_not_taken_back_by_a_timeout():
    one = timed_out(requested=[asked("force_complete", "ann")])
    actions = decide(drain(timeout_action="abort"), [one], seen(moving(), records=(record(),)))
    assert not of_request(actions, one)
    assert of_type(actions, d.ForceComplete)


@pytest.mark.parametrize("what", [{"local_disk_bytes": 10 * GIB}, {"disk_total_bytes": 10 * GIB}])
def test_the_timeout_counts_the_local_disk(what):
    sight = seen(moving(), records=(record(),))
    one = flying(running_since=ago(1801), **what)
    assert "timed_out" not in kinds(decide(drain(), [one], sight))
    over = altered(one, running_since=ago(11 * 300 + 1))
    assert "timed_out" in kinds(decide(drain(), [over], sight))


def test_what_nova_shows_of_the_disk_goes_before_the_flavor():
    one = flying(running_since=ago(3001), local_disk_bytes=100 * GIB, disk_total_bytes=9 * GIB)
    assert "timed_out" in kinds(decide(drain(), [one], seen(moving(), records=(record(),))))


def test_a_disk_on_shared_storage_gives_no_more_time():
    """Its memory is copied from the beginning, and no disk before it."""
    since = ago(1801)
    points = ((since.timestamp() + 5, 0, GIB, 10), (since.timestamp() + 90, 0, GIB // 2, GIB))
    one = flying(running_since=since, local_disk_bytes=500 * GIB, points=points)
    assert "timed_out" in kinds(decide(drain(), [one], seen(moving(), records=(record(),))))
    # What nothing was told of for long was a disk all the same (a qcow2 overlay).
    late = ((since.timestamp() + 1500, 0, GIB, 10),)
    one = altered(one, points=late)
    assert "timed_out" not in kinds(decide(drain(), [one], seen(moving(), records=(record(),))))


@pytest.mark.parametrize("action", ["abort", "force_complete"])
def test_what_is_about_to_end_is_let_go_on_beyond_its_timeout_and_not_for_ever(action):
    one = flying(running_since=ago(1801), course="converging", seconds_left=15.0, fraction=0.79)
    sight = seen(moving(), records=(record(),))
    found = decide(drain(timeout_action=action), [one], sight)
    assert changes(found, one)["timed_out_at"] == NOW
    assert "may continue until" in message_of(found, "timed_out")
    assert made(found) == []
    # Its forecast was wrong for half of the timeout again.
    one = altered(one, running_since=ago(1800 * 1.5 + 1), timed_out_at=ago(900))
    assert made(decide(drain(timeout_action=action), [one], sight)) == [(action, "timeout")]


def test_what_takes_longer_than_its_timeout_allows_is_not_let_go_on():
    one = flying(running_since=ago(1801), course="slow", seconds_left=901.0)
    sight = seen(moving(), records=(record(),))
    assert made(decide(drain(timeout_action="abort"), [one], sight)) == [("abort", "timeout")]


def message_of(actions, kind):
    return next(english(a.message) for a in actions if getattr(a, "kind", "") == kind)


def test_what_waits_in_novas_queue_does_not_time_out():
    one = flying(nova_status="queued", running_since=None, queued_since=ago(9999))
    actions = decide(drain(), [one], seen(moving(), records=(record(status="queued"),)))
    assert "timed_out" not in kinds(actions)


# -- a cancel that ends ----------------------------------------------------------------------


def cancelling(**more):
    return drain(state="cancelling", cancelling_since=ago(10), started_at=ago(100), **more)


def test_a_cancel_aborts_what_flies_where_that_was_chosen():
    one = flying()
    sight = seen(moving(), records=(record(),))
    assert of_type(decide(cancelling(cancel_abort=True), [one], sight), d.Abort) == [
        d.Abort(one.id, 7)
    ]
    assert not of_type(decide(cancelling(), [one], sight), d.Abort)


def test_what_a_cancel_aborted_is_cancelled():
    one = aborted("cancel")
    sight = seen(server(), records=(record(status="cancelled"),))
    actions = decide(cancelling(cancel_abort=True), [one], sight)
    found = changes(actions, one)
    assert (found["state"], found["code"]) == (MigrationState.CANCELLED, "aborted")
    assert finish(actions).state == DrainState.CANCELLED


@pytest.mark.parametrize(("abort", "after"), [(True, 300), (False, 1800)])
def test_a_cancel_ends_in_bounded_time_with_what_is_known(abort, after):
    one = flying()
    sight = seen(moving(), records=(record(),))
    early = replace(cancelling(cancel_abort=abort), cancelling_since=ago(after - 1))
    assert finish(decide(early, [one], sight)) is None
    actions = decide(replace(early, cancelling_since=ago(after)), [one], sight)
    found = changes(actions, one)
    assert (found["state"], found["code"]) == (MigrationState.UNKNOWN, "left_flying")
    assert "running" in english(found["message"])
    assert finish(actions).state == DrainState.CANCELLED


def test_a_cancel_waits_longer_for_large_memories():
    one = flying(memory_bytes=100 * GIB)
    view = replace(cancelling(), cancelling_since=ago(2000))
    assert finish(decide(view, [one], seen(moving(), records=(record(),)))) is None
    view = replace(view, cancelling_since=ago(3000))
    assert finish(decide(view, [one], seen(moving(), records=(record(),))))


def test_a_cancel_gives_the_service_back_and_then_ends():
    view = cancelling(cancel_enable=True)
    ours = decide(view, [], seen())
    assert of_type(ours, d.Enable) == [d.Enable("5e8a")]
    assert finish(ours) is None
    over = decide(view, [], seen(service=service(status="enabled", disabled_reason="")))
    assert not of_type(over, d.Enable)
    assert "enabled" in english(finish(over).message)


def test_a_cancel_leaves_a_service_alone_that_somebody_else_gave_a_reason():
    actions = decide(
        cancelling(cancel_enable=True), [], seen(service=service(disabled_reason="broken fan"))
    )
    assert not of_type(actions, d.Enable)
    assert "broken fan" in english(finish(actions).message)


def test_a_cancel_leaves_the_service_disabled_where_that_was_chosen():
    actions = decide(cancelling(), [], seen())
    assert not of_type(actions, d.Enable)
    assert "stays disabled" in english(finish(actions).message)


DOWN = service(state="down")
UNREACHED = service(status="UNKNOWN", id="", state="")


@pytest.mark.parametrize("enable", [True, False])
@pytest.mark.parametrize("rows", [[], [row()], [flying()]], ids=["none", "waits", "flies"])
def test_a_cancel_gives_the_service_of_a_lost_host_back_before_it_ends(rows, enable):
    view = cancelling(cancel_enable=enable, host_down_since=ago(901))
    here = [moving() if r.state == "migrating" else server() for r in rows]
    actions = decide(view, rows, seen(*here, service=DOWN))
    assert all(changes(actions, r)["state"] in ("cancelled", "unknown") for r in rows)
    assert bool(of_type(actions, d.Enable)) is enable
    assert (finish(actions) is None) is enable


@pytest.mark.parametrize(
    ("found", "enable", "said"),
    [
        (replace(ENABLED, state="down"), True, "The compute service is enabled."),
        (DOWN, False, "The compute service stays disabled."),
        (replace(DOWN, disabled_reason="broken fan"), True, "somebody else gave a reason for it"),
        (UNREACHED, True, "so the service was not enabled."),
    ],
)
def test_a_cancel_of_a_lost_host_says_what_became_of_the_service(found, enable, said):
    view = cancelling(cancel_enable=enable, host_down_since=ago(901))
    actions = decide(view, [], seen(service=found))
    assert finish(actions).result == DrainResult.HOST_LOST
    assert said in english(finish(actions).message)


@pytest.mark.parametrize(
    ("found", "enable", "reason", "ends"),
    [
        (ENABLED, True, "new kernel", True),  # it enabled it again
        (ENABLED, False, "", True),  # it had not come to disable it
        (ENABLED, False, "new kernel", False),  # somebody else enabled it
        (service(), False, "new kernel", False),
    ],
)
def test_a_cancelled_drain_of_an_enabled_service_ends_its_maintenance(found, enable, reason, ends):
    view = cancelling(cancel_enable=enable, maintenance=d.MaintenanceView(our_reason=reason))
    end = finish(decide(view, [], seen(service=found)))
    assert (end.state, end.ends_maintenance) == (DrainState.CANCELLED, ends)
    back = replace(view, direction="back")
    assert not finish(decide(back, [], seen(service=found))).ends_maintenance


@pytest.mark.parametrize("found", [None, UNREACHED])
def test_a_cancel_does_not_wait_for_ever_for_a_service_that_nova_does_not_tell_of(found):
    view = cancelling(cancel_enable=True, host_down_since=ago(901))
    actions = decide(view, [flying()], seen(service=found))
    assert not of_type(actions, d.Enable)
    assert finish(actions).state == DrainState.CANCELLED


# -- order, destinations, limits, plans ------------------------------------------------------


def test_what_was_put_at_the_head_goes_before_all_others():
    rows = [row("a", position=0), row("b", position=-1, attempts=2)]
    actions = decide(drain(), rows, seen(server("a"), server("b")))
    assert submits(actions) == [rows[1].id]


def test_a_retry_has_all_its_attempts_again():
    one = row("a", attempts=3, extra_attempts=3)
    assert submits(decide(drain(), [one], seen(server("a")))) == [one.id]
    spent = row("a", attempts=3)
    assert changes(decide(drain(), [spent], seen(server("a"))), spent)["state"] == "failed"


def test_an_instance_goes_to_the_host_that_was_named_for_it():
    one = row("a", destination="cmp7", attempts=1)
    (sent,) = of_type(decide(drain(), [one], seen(server("a"))), d.Submit)
    assert sent.host == "cmp7"


def test_nothing_is_started_while_the_region_is_full():
    sight = seen(server("a"), admission=d.Admission(room=0))
    assert not submits(decide(drain(), [row("a")], sight))
    assert submits(decide(drain(), [row("a")], replace(sight, admission=d.Admission(room=1))))


@pytest.mark.parametrize(
    ("admission", "host", "takes"),
    [
        (d.Admission(), "cmp2", True),
        (d.Admission(inbound={"cmp2": 2}, per_destination=2), "cmp2", False),
        (d.Admission(inbound={"cmp2": 2}, per_destination=2), "cmp3", True),
        (d.Admission(inbound={"cmp2": 2}, per_destination=2), "", False),
        (d.Admission(inbound={"cmp2": 1}, per_destination=2), "", True),
        (d.Admission(inbound={"cmp2": 1}, anywhere=1, per_destination=2), "", False),
        (d.Admission(anywhere=1, per_destination=2), "cmp2", True),
        (d.Admission(anywhere=2, per_destination=2), "cmp2", False),
    ],
)
def test_what_one_host_may_still_receive(admission, host, takes):
    assert admission.takes(host) is takes


def test_a_full_destination_makes_room_for_the_next_instance_that_goes_elsewhere():
    rows = [row("a", destination="cmp2"), row("b", destination="cmp3", position=1)]
    admission = d.Admission(inbound={"cmp2": 4}, per_destination=4)
    actions = decide(drain(), rows, seen(server("a"), server("b"), admission=admission))
    assert submits(actions) == [rows[1].id]


def test_where_the_scheduler_could_choose_a_full_host_the_estimate_names_another():
    admission = d.Admission(inbound={"cmp2": 4}, per_destination=4)
    # where what it asks for is not all seen, no place is worked out for it
    sight = seen(server("a", extra_specs={"hw:numa_nodes": "2"}), admission=admission)
    even = drain(follow_estimate=True)
    assert not submits(decide(even, [row("a")], sight))
    (sent,) = of_type(decide(even, [row("a", planned_host="cmp5")], sight), d.Submit)
    assert sent.host == "cmp5"


def test_a_drain_that_is_left_to_the_scheduler_waits_for_it():
    """Nobody asked for the hosts of the estimate."""
    admission = d.Admission(inbound={"cmp2": 4}, per_destination=4)
    one = row("a", planned_host="cmp5")
    actions = decide(drain(), [one], seen(server("a"), admission=admission))
    assert not submits(actions)
    assert of_type(actions, d.ChangeDrain)[-1].fields["message"].code == "destinations_full"
    assert submits(decide(drain(), [one], seen(server("a"))))


def test_nothing_is_started_before_its_turn_in_the_plan_and_the_page_says_why():
    admission = d.Admission(holds=message("waits_for_hosts", hosts=["cmp0"]))
    actions = decide(drain(), [row("a")], seen(server("a"), admission=admission))
    assert not submits(actions)
    assert of_type(actions, d.ChangeDrain)[-1].fields == {"message": admission.holds}
    on = decide(drain(message=admission.holds), [row("a")], seen(server("a")))
    assert submits(on)
    assert {"message": None} in [a.fields for a in of_type(on, d.ChangeDrain)]


def test_what_is_blocked_is_not_given_up_while_the_plan_holds_it():
    one = row("a", state="blocked", code="task_under_way")
    admission = d.Admission(holds=message("waits_for_hosts", hosts=["cmp0"]))
    view = drain(blocked_since=ago(9999))
    sight = seen(server("a", task_state="rebooting"), admission=admission)
    assert "state" not in changes(decide(view, [one], sight), one)
    sight = replace(sight, admission=d.Admission())
    assert changes(decide(view, [one], sight), one)["state"] == MigrationState.FAILED


def test_the_service_is_disabled_although_it_is_not_its_turn():
    view = drain(maintenance=d.MaintenanceView())
    admission = d.Admission(holds=message("waits_for_hosts", hosts=["cmp0"]))
    sight = seen(
        server("a"), service=service(status="enabled", disabled_reason=""), admission=admission
    )
    assert of_type(decide(view, [row("a")], sight), d.Disable)


# -- a reset ---------------------------------------------------------------------------------


def test_a_reset_is_carried_out_for_a_drain_that_is_over_too():
    one = row("a", state="unknown", code=d.LATE_ERROR, requested=[asked("reset")])
    view = drain(state="failed")
    assert decide(view, [one], seen(service=None)) == [d.Reset(one.id)]
    assert decide(view, [altered(one, state="failed")], seen(service=None)) == []


# -- the way back ----------------------------------------------------------------------------


def back(**more):
    given = {"direction": "back", "destination": "cmp1", "started_at": ago(60)}
    closed = d.MaintenanceView("new kernel", ago(100), closed_at=ago(50))
    return drain(**{**given, "maintenance": closed, **more})


def returning(name: str = "web", **more):
    return row(name, **{"source_compute": "cmp5", **more})


def test_nothing_comes_back_before_the_host_was_given_back():
    view = back(state="pending", started_at=None)
    waits = d.MaintenanceView("new kernel", ago(100), returning_since=ago(5))
    assert decide(replace(view, maintenance=waits), [returning()], seen(service=None)) == []
    (begun,) = decide(view, [returning()], seen(service=None))
    assert begun.fields["state"] == DrainState.RUNNING


def test_a_host_that_is_not_given_back_after_all_gets_nothing_back():
    view = back(state="pending", started_at=None, maintenance=d.MaintenanceView())
    actions = decide(view, [returning()], seen(service=None))
    assert finish(actions).state == DrainState.CANCELLED


def test_an_instance_is_sent_back_to_the_host_and_nothing_is_disabled():
    one = returning()
    actions = decide(back(), [one], seen(server(host="cmp5"), service=ENABLED))
    assert not of_type(actions, d.Disable)
    (sent,) = of_type(actions, d.Submit)
    assert (sent.row_id, sent.host) == (one.id, "cmp1")


def test_a_run_back_never_has_more_under_way_than_it_wants():
    """Each comes from a host of its own, so that none would wait in Nova's queue."""
    flies = flying("a", source_compute="cmp5", fraction=0.9)
    waits = returning("b", source_compute="cmp6")
    sight = seen(
        replace(moving("a"), host="cmp5"),
        server("b", host="cmp6"),
        service=ENABLED,
        records=(record("a", source_compute="cmp5", dest_compute="cmp1"),),
    )
    assert not submits(decide(back(max_concurrent=1), [flies, waits], sight))
    assert submits(decide(back(max_concurrent=2), [flies, waits], sight)) == [waits.id]


@pytest.mark.parametrize("sight", [service(), service(status="enabled", state="down")])
def test_nothing_is_sent_to_a_host_that_takes_nothing(sight):
    actions = decide(back(), [returning()], seen(server(host="cmp5"), service=sight))
    assert not submits(actions)
    assert "host_down" in kinds(actions)


def test_what_has_come_back_has_arrived():
    one = replace(flying(), source_compute="cmp5")
    sight = seen(
        service=ENABLED,
        elsewhere={"web": server(host="cmp1")},
        records=(record(source_compute="cmp5", dest_compute="cmp1", status="completed"),),
    )
    actions = decide(back(), [one], sight)
    assert changes(actions, one)["state"] == MigrationState.SUCCEEDED
    assert (finish(actions).state, finish(actions).result) == ("succeeded", "brought_back")


def test_what_went_somewhere_else_meanwhile_is_gone():
    one = replace(flying(), source_compute="cmp5")
    sight = seen(service=ENABLED, elsewhere={"web": server(host="cmp8")})
    assert changes(decide(back(), [one], sight), one)["state"] == MigrationState.GONE


def test_one_that_cannot_come_back_fails_the_run_and_is_named():
    one = returning(state="failed", message=text("No valid host was found."))
    other = returning("db", state="succeeded")
    actions = decide(back(), [one, other], seen(service=ENABLED))
    assert (finish(actions).state, finish(actions).result) == ("failed", "instances_failed")
    assert "web (failed): No valid host" in english(finish(actions).message)


def test_what_was_not_looked_at_in_this_pass_stays_as_it_is():
    one = returning()
    actions = decide(back(), [one], seen(service=ENABLED))
    assert changes(actions, one) == {}
    assert finish(actions) is None


# -- is it going to end? ---------------------------------------------------------------------


def samples(remaining: list[int], every: float = 5.0):
    """The row after these samples were seen, one pass each; and what the last pass set on it."""
    one, found = flying(memory_bytes=GIB), {}
    sent = 0
    for n, left in enumerate(remaining):
        before = remaining[n - 1] if n else GIB
        sent += max(before - left, GIB // 10)
        seen_now = progress(
            memory_total_bytes=GIB,
            memory_processed_bytes=sent,
            memory_remaining_bytes=left,
        )
        sight = seen(moving(), records=(record(),), progress={"web": (seen_now,)})
        now = NOW + timedelta(seconds=every * n)
        found = changes(d.decide(drain(), [one], sight, LIMITS, now), one)
        one = altered(one, **found)
    return one


def test_a_copy_that_shrinks_is_told_to_end_and_when():
    one = samples([GIB * n // 10 for n in range(10, 4, -1)])
    assert one.attempt.course == "converging"
    assert 10 < one.attempt.seconds_left < 60


def test_a_guest_that_writes_faster_than_it_is_copied_is_told():
    up_and_down = [GIB, GIB // 2, GIB // 20, GIB // 3, GIB // 20] + [GIB // 3, GIB // 20] * 6
    assert samples(up_and_down).attempt.course == "not_converging"


def test_a_copy_of_which_nothing_arrives_is_stalled():
    one = flying(memory_bytes=GIB)
    still = progress(
        memory_total_bytes=GIB, memory_processed_bytes=GIB // 2, memory_remaining_bytes=GIB // 2
    )
    sight = seen(moving(), records=(record(),), progress={"web": (still,)})
    for seconds in range(0, 60, 2):
        now = NOW + timedelta(seconds=seconds)
        found = changes(d.decide(drain(), [one], sight, LIMITS, now), one)
        one = altered(one, **found)
    assert one.attempt.course == "stalled"
    assert len(one.attempt.points) <= 3  # the same bytes again and again are no new points


def test_nothing_is_said_of_the_course_of_an_attempt_that_is_over():
    one = replace(samples([GIB * n // 10 for n in range(10, 4, -1)]), anomaly_since=ago(20))
    sight = seen(server(), records=(record(status="failed"),))
    found = changes(decide(drain(), [one], sight), one)
    assert (found["course"], found["seconds_left"]) == ("", None)


def test_an_abort_of_which_nova_is_not_known_to_know_explains_no_error():
    one = flying(anomaly_since=ago(20), requested=[asked(tries=1, tried_at=NOW)])
    sight = seen(server(status="ERROR"), records=(record(status="error"),))
    assert changes(decide(drain(), [one], sight), one)["code"] == "error_at_source"


def test_an_abort_whose_answer_got_lost_is_asked_again_after_a_while_and_not_for_ever():
    one = flying(requested=[asked(tries=1, tried_at=ago(1))])
    sight = seen(moving(), records=(record(),))
    assert not of_type(decide(drain(), [one], sight), d.Abort)
    again = altered(one, {"tried_at": ago(6)})
    assert of_type(decide(drain(), [again], sight), d.Abort) == [d.Abort(one.id, 7)]
    spent = altered(again, {"tries": d.ASK_AGAIN_TIMES})
    actions = decide(drain(), [spent], sight)
    assert not of_type(actions, d.Abort)
    given_up = altered(spent, of_request(actions, spent))
    assert (given_up.requests.open, given_up.requests.abort) == (None, None)


class TestACancelsAbortThatNovaRefuses:
    """It was asked for again in every pass, some three hundred times."""

    def asked(self, **more):
        """Passes of a cancel, one a second, and every abort refused: when Nova was asked."""
        view = drain(state=DrainState.CANCELLING, cancel_abort=True, cancelling_since=NOW, **more)
        one = flying()
        sight = seen(server(status="MIGRATING", task_state="migrating"), records=(record(),))
        at = []
        for second in range(290):
            now = NOW + timedelta(seconds=second)
            for action in d.decide(view, [one], sight, LIMITS, now):
                if isinstance(action, d.ChangeRow):
                    one = altered(one, dict(action.request), **action.fields)
                elif isinstance(action, d.MakeRequest):
                    one = replace(one, requests=one.requests.with_new(action.request))
                elif isinstance(action, d.Abort):
                    at.append(second)
                    one = altered(one, answers.asking(one.requests.open, action.migration_id, now))
                    no = answers.Answer("in vain", "not now", "", status=409, refuses=True)
                    one = altered(one, answers.request_failed(one.requests.open, no).request)
        return at, one

    def test_is_asked_for_now_and_then_and_not_for_ever(self):
        at, one = self.asked()
        assert len(at) == d.ASK_AGAIN_TIMES
        assert min(b - a for a, b in pairwise(at)) >= 5
        assert one.requests.open is None
        assert english(one.requests.answer) == "Nova refused the abort: not now"

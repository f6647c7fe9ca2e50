"""Cold migrations, confirmations, anti-affinity groups and the admin's choices in `decide`."""

from dataclasses import replace

import pytest

from tests.core.build import (
    NOW,
    ago,
    altered,
    changes,
    decide,
    drain,
    finish,
    kinds,
    migrating,
    nova_action,
    record,
    row,
    seen,
    server,
    service,
    submits,
)
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.facts import Capacity
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.preflight.verdicts import PlacementContext
from ukcloud_maintenance.core.states import DrainResult, DrainState, Method, MigrationState
from ukcloud_maintenance.messages import english


def submitted(actions):
    return [a for a in actions if isinstance(a, d.Submit)]


def confirmed(actions):
    return [a.row_id for a in actions if isinstance(a, d.Confirm)]


def cold(**more):
    given = {"method": Method.COLD, "initial_status": "SHUTOFF", "before_migration_id": 0}
    return migrating(**{**given, **more})


def confirming(**more):
    given = {"state": MigrationState.CONFIRMING, "confirms": 1, "confirm_at": ago(5)}
    return cold(**{**given, **more})


OFF = row(method=Method.COLD, initial_status="SHUTOFF")
MIGRATION = record(status="finished", migration_type="migration")


class TestWhatIsMovedHow:
    def test_what_is_shut_off_is_cold_migrated(self):
        (action,) = submitted(decide(drain(), [OFF], seen(server(status="SHUTOFF"))))
        assert (action.method, action.status) == (Method.COLD, "SHUTOFF")

    def test_what_runs_is_never_cold_migrated_unless_it_was_chosen(self):
        started = decide(drain(), [OFF], seen(server()))
        assert changes(started, OFF)["method"] == Method.LIVE
        assert [a.method for a in submitted(started)] == [Method.LIVE]
        chosen = replace(OFF, choice="cold")
        (action,) = submitted(decide(drain(), [chosen], seen(server())))
        assert (action.method, action.status) == (Method.COLD, "ACTIVE")

    def test_what_was_stopped_meanwhile_goes_cold_and_says_what_changed(self):
        actions = decide(drain(), [row()], seen(server(status="SHUTOFF")))
        assert kinds(actions) == ["changed"]
        assert [a.method for a in submitted(actions)] == [Method.COLD]

    def test_what_an_admin_wants_to_stay_stays(self):
        chosen = row(choice="stay")
        assert changes(decide(drain(), [chosen], seen(server())), chosen)["state"] == "stays"

    def test_locked_instances_stay_where_the_admin_said_so(self):
        locked = seen(server(locked=True))
        assert submits(decide(drain(), [row()], locked))
        changed = changes(decide(drain(move_locked=False), [row()], locked), row())
        assert changed["state"] == MigrationState.STAYS


class TestGroups:
    def test_members_of_one_group_never_travel_together(self):
        flies = migrating("a", group="g1", nova_status="running", nova_migration_id=7)
        mate, other = row("b", group="g1"), row("c", group="g2", position=1)
        flying = seen(
            server("a", status="MIGRATING", task_state="migrating"),
            server("b"),
            server("c"),
            records=(record("a"),),
        )
        assert submits(decide(drain(max_concurrent=5), [flies, mate, other], flying)) == [other.id]

    def test_a_confirmation_under_way_holds_the_group_back_too(self):
        waits = confirming(group="g1", nova_status="finished", nova_migration_id=7)
        mate = row("b", group="g1")
        flying = seen(server("b"), elsewhere={"web": server(host="cmp2", status="VERIFY_RESIZE")})
        assert not submits(decide(drain(max_concurrent=5), [waits, mate], flying))


class TestConfirming:
    def there(self, status="VERIFY_RESIZE", **more):
        return seen(
            records=(MIGRATION,), elsewhere={"web": server(host="cmp2", status=status, **more)}
        )

    def test_a_cold_migration_is_confirmed_when_nova_waits_for_it(self):
        actions = decide(drain(), [cold()], self.there())
        assert confirmed(actions) == [cold().id]
        assert "state" not in changes(actions, cold())

    def test_not_while_a_task_runs(self):
        assert not confirmed(decide(drain(), [cold()], self.there(task_state="resize_finish")))

    def test_it_is_done_when_it_is_what_it_was(self):
        actions = decide(drain(), [confirming()], self.there("SHUTOFF"))
        assert changes(actions, confirming())["state"] == MigrationState.SUCCEEDED

    def test_one_that_was_off_and_runs_now_did_not_arrive_in_order(self):
        ours = confirming(anomaly_since=ago(20))
        changed = changes(decide(drain(), [ours], self.there("ACTIVE")), ours)
        assert (changed["state"], changed["code"]) == ("failed", "arrived_other")

    def test_it_is_asked_again_a_bounded_number_of_times(self):
        waits = confirming(confirm_at=ago(59))
        assert not confirmed(decide(drain(), [waits], self.there()))
        again = confirming(confirm_at=ago(61))
        assert confirmed(decide(drain(), [again], self.there())) == [again.id]
        last = confirming(confirm_at=ago(61), confirms=3)
        changed = changes(decide(drain(), [last], self.there()), last)
        assert (changed["state"], changed["code"]) == ("failed", "arrived_unconfirmed")

    def test_one_that_somebody_reverted_is_tried_again(self):
        ours = confirming()
        actions = decide(drain(), [ours], seen(server(status="SHUTOFF"), records=(MIGRATION,)))
        assert changes(actions, ours)["state"] == MigrationState.PENDING

    def test_one_whose_revert_failed_is_not_said_to_be_reverted(self):
        ours = confirming()
        failed = seen(server(status="ERROR"), records=(MIGRATION,))
        changed = changes(decide(drain(), [ours], failed), ours)
        assert changed["state"] == MigrationState.UNKNOWN
        assert "reverted" not in english(changed["message"])
        assert "ERROR" in english(changed["message"])

    def test_a_cancelled_drain_confirms_what_it_moved(self):
        view = drain(state=DrainState.CANCELLING)
        actions = decide(view, [cold()], self.there())
        assert confirmed(actions) == [cold().id]
        assert finish(actions) is None

    def test_a_lost_answer_is_found_by_novas_name_of_the_action(self):
        lost = cold(state=MigrationState.SUBMITTED, request_id="", before_action="req-old")
        found = seen(
            server(status="RESIZE", task_state="resize_prep"),
            actions={"web": [nova_action("req-new", action="migrate"), nova_action("req-old")]},
        )
        assert changes(decide(drain(), [lost], found), lost)["request_id"] == "req-new"
        other = seen(
            server(status="RESIZE", task_state="resize_prep"),
            actions={"web": [nova_action("req-new"), nova_action("req-old")]},
        )
        assert "request_id" not in changes(decide(drain(), [lost], other), lost)


class TestAResizeThatWasThereBefore:
    here = server(status="VERIFY_RESIZE")

    def test_it_is_left_alone_unless_it_was_chosen(self):
        actions = decide(drain(), [row()], seen(self.here))
        assert not confirmed(actions)
        assert changes(actions, row())["state"] == MigrationState.BLOCKED

    def test_chosen_it_is_confirmed_and_then_moved(self):
        chosen = row(choice="confirm", method=Method.CONFIRM, initial_status="VERIFY_RESIZE")
        assert confirmed(decide(drain(), [chosen], seen(self.here))) == [chosen.id]
        asked = altered(chosen, state=MigrationState.CONFIRMING, confirms=1, confirm_at=ago(2))
        changed = changes(decide(drain(), [asked], seen(server())), asked)
        assert (changed["state"], changed["method"], changed["choice"]) == ("pending", "live", "")

    def test_one_that_left_and_still_holds_its_disk_here_keeps_the_drain_open(self):
        away = server(host="cmp2", status="VERIFY_RESIZE")
        actions = decide(drain(), [row()], seen(elsewhere={"web": away}))
        changed = changes(actions, row())
        assert (changed["state"], changed["code"]) == ("blocked", "resize_holds_here")
        assert finish(actions) is None

    def test_chosen_that_one_is_confirmed_too_and_counts_as_moved(self):
        away = server(host="cmp2", status="VERIFY_RESIZE")
        chosen = row(choice="confirm", method=Method.CONFIRM)
        assert confirmed(decide(drain(), [chosen], seen(elsewhere={"web": away}))) == [chosen.id]
        asked = altered(chosen, state=MigrationState.CONFIRMING, confirms=1, confirm_at=ago(2))
        done = seen(elsewhere={"web": server(host="cmp2")})
        assert changes(decide(drain(), [asked], done), asked)["state"] == "succeeded"

    def test_confirmed_by_somebody_else_it_is_gone(self):
        held = row(state=MigrationState.BLOCKED, code="resize_holds_here")
        done = seen(elsewhere={"web": server(host="cmp2")})
        assert changes(decide(drain(), [held], done), held)["state"] == MigrationState.GONE


class TestPaceOfCold:
    def test_a_cold_one_never_goes_over_the_limit(self):
        rows = [
            migrating("a", nova_status="running", nova_migration_id=1, fraction=0.9),
            row("b", method=Method.COLD),
        ]
        flying = seen(
            server("a", status="MIGRATING", task_state="migrating"),
            server("b", status="SHUTOFF"),
            records=(record("a", id=1),),
        )
        assert not submits(decide(drain(max_concurrent=1, learned_limit=1), rows, flying))

    def test_cold_ones_teach_nothing_about_the_limit_of_live_ones(self):
        rows = [
            cold(nova_status="migrating", nova_migration_id=1),
            migrating("b", nova_status="queued", nova_migration_id=2),
        ]
        flying = seen(
            server(status="RESIZE", task_state="resize_migrating"),
            server("b", status="MIGRATING", task_state="migrating"),
            records=(
                record(status="migrating", id=1, migration_type="migration"),
                record("b", "queued", id=2),
            ),
        )
        assert "limit_learned" not in kinds(decide(drain(max_concurrent=3), rows, flying))


@pytest.mark.parametrize("status", ["VERIFY_RESIZE", "ERROR", "RESCUE"])
def test_what_may_become_free_is_looked_at_again_and_then_counts_as_failed(status):
    blocked = row(state=MigrationState.BLOCKED)
    here = seen(server(status=status), everything=True)
    changed = changes(decide(drain(blocked_since=ago(601)), [blocked], here), blocked)
    assert changed["state"] == MigrationState.FAILED
    actions = decide(drain(), [replace(blocked, state=MigrationState.FAILED)], here)
    assert finish(actions).result == DrainResult.INSTANCES_FAILED


class TestWhatStandsAround:
    full = row(
        state=MigrationState.BLOCKED, code="no_room", message=text("No host has room for it.")
    )

    def test_a_look_is_wanted_for_those_that_it_stands_against_and_not_in_every_pass(self):
        assert d.wants_a_look([self.full], None, NOW)
        assert not d.wants_a_look([self.full], ago(29), NOW)
        assert d.wants_a_look([self.full], ago(31), NOW)
        assert not d.wants_a_look([row(), replace(self.full, code="building")], None, NOW)

    def test_it_stays_blocked_until_another_look_says_otherwise(self):
        assert not changes(decide(drain(), [self.full], seen(server())), self.full)
        room = Capacity(
            total={"VCPU": 8, "MEMORY_MB": 8192, "DISK_GB": 100}, used={}, traits=frozenset()
        )
        unknown = seen(server(), around=PlacementContext(receivers={"cmp2": "az1"}))
        assert not changes(decide(drain(), [self.full], unknown), self.full)
        clear = seen(
            server(), around=PlacementContext(receivers={"cmp2": "az1"}, capacity={"cmp2": room})
        )
        assert changes(decide(drain(), [self.full], clear), self.full)["state"] == "pending"

    def test_a_look_may_say_that_it_stands_against_it_still(self):
        nowhere = seen(server(), around=PlacementContext(receivers={}, capacity={}))
        changed = changes(decide(drain(), [self.full], nowhere), self.full)
        assert "state" not in changed
        assert changed["code"] == "no_receiver"


class TestWhatIsNotOurs:
    """Other people's resizes, and what hangs: recognised, bounded, never touched."""

    away = server(host="cmp2", status="VERIFY_RESIZE")

    @pytest.mark.parametrize("ours", ["failed", "error", "confirmed"])
    def test_somebody_elses_resize_is_not_confirmed(self, ours):
        attempt = cold(nova_migration_id=7)
        over = record(status=ours, migration_type="migration")
        theirs = record(status="finished", migration_type="resize", id=8)
        actions = decide(
            drain(), [attempt], seen(records=(theirs, over), elsewhere={"web": self.away})
        )
        assert not confirmed(actions)
        assert changes(actions, attempt)["code"] == d.HELD

    def test_a_resize_after_our_own_was_confirmed_is_its_owners(self):
        asked = confirming(nova_migration_id=7, confirm_at=ago(61))
        over = record(status="confirmed", migration_type="migration")
        actions = decide(drain(), [asked], seen(records=(over,), elsewhere={"web": self.away}))
        assert not confirmed(actions)
        assert changes(actions, asked)["state"] == MigrationState.SUCCEEDED

    @pytest.mark.parametrize(
        "state", [MigrationState.BLOCKED, MigrationState.PENDING, MigrationState.MIGRATING]
    )
    def test_a_cancel_does_not_wait_for_somebody_elses_confirmation(self, state):
        held = row(state=state, code=d.HELD, nova_migration_id=7)
        over = record(status="failed")
        view = drain(state=DrainState.CANCELLING)
        actions = decide(view, [held], seen(records=(over,), elsewhere={"web": self.away}))
        assert changes(actions, held)["state"] == MigrationState.CANCELLED
        assert finish(actions).state == DrainState.CANCELLED

    def test_nothing_is_concluded_while_the_cell_is_down(self):
        rows = [row("a"), migrating("b"), confirming()]
        dark = seen(service=service(status="UNKNOWN", id="", state=""))
        for state in (DrainState.RUNNING, DrainState.CANCELLING):
            actions = decide(drain(state=state, host_down_since=ago(5)), rows, dark)
            # but that the host could not be seen while these were migrated is remembered
            assert [a.row_id for a in actions] == [rows[1].id]
            assert changes(actions, rows[1])["source_service"] == "down"
            assert "state" not in changes(actions, rows[1])

    def test_a_cold_migration_is_not_confirmed_while_the_old_host_is_down(self):
        down = seen(
            service=service(state="down"),
            records=(MIGRATION,),
            elsewhere={"web": self.away},
        )
        assert not confirmed(decide(drain(host_down_since=ago(5)), [cold()], down))

    def test_one_that_somebody_moves_and_does_not_finish_is_blocked_and_so_bounded(self):
        stuck = seen(elsewhere={"web": server(host="cmp2", task_state="resize_finish")})
        changed = changes(decide(drain(), [row()], stuck), row())
        assert (changed["state"], changed["code"]) == ("blocked", "task_under_way")

    def test_a_task_without_a_record_ends(self):
        lost = migrating(anomaly_since=ago(301))
        stuck = seen(server(status="MIGRATING", task_state="migrating"))
        changed = changes(decide(drain(), [lost], stuck), lost)
        assert (changed["state"], changed["code"]) == ("failed", "task_stuck")

    def test_a_record_that_stays_open_after_a_reset_is_a_case_for_a_person(self):
        reset = migrating(anomaly_since=ago(61), nova_migration_id=7)
        idle = seen(server(), records=(record(),))
        changed = changes(decide(drain(), [reset], idle), reset)
        assert (changed["state"], changed["code"]) == ("unknown", "record_open")

    def test_a_task_that_does_not_end_on_the_other_host_is_one_too(self):
        there = server(host="cmp2", task_state="resize_finish")
        for ours in (cold(anomaly_since=ago(301)), confirming(anomaly_since=ago(301))):
            actions = decide(drain(), [ours], seen(records=(MIGRATION,), elsewhere={"web": there}))
            assert changes(actions, ours)["code"] == "task_stuck_elsewhere"

    def test_a_group_that_travels_in_another_drain_holds_its_members_back_alone(self):
        mate, other = row("a", group="g1"), row("b", position=1)
        here = seen(server("a"), server("b"), travelling=frozenset({"g1"}))
        assert submits(decide(drain(), [mate, other], here)) == [other.id]

    def test_an_unconfirmed_resize_is_not_left_by_choice(self):
        rows = [
            row("kept", state=MigrationState.STAYS, code="chosen", choice="stay"),
            row("held", state=MigrationState.FAILED, code=d.HELD, message=text("Held.")),
        ]
        end = finish(decide(drain(), rows, seen(server("kept"), everything=True)))
        assert end.result == DrainResult.INSTANCES_FAILED

    def test_a_guest_that_runs_behind_a_shutoff_is_not_powered_off(self):
        odd = seen(server(status="SHUTOFF", power_state=1))
        assert changes(decide(drain(), [OFF], odd), OFF)["code"] == "guest_on"

"""What `decide` answers to what was seen."""

from dataclasses import replace

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
    migrating,
    nova_action,
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
from ukcloud_maintenance.core.copying.patience import late_after_seconds
from ukcloud_maintenance.core.drain.whereabouts import GuestSight
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.messages import english


class TestTheHostFirst:
    def test_a_pending_drain_only_starts(self):
        actions = decide(drain(state=DrainState.PENDING), [row()], seen(server(), service=None))
        assert [a.fields["state"] for a in actions] == [DrainState.RUNNING]

    def test_the_service_as_found_is_recorded_before_it_is_touched(self):
        enabled = service(status="enabled", disabled_reason="")
        actions = decide(drain(maintenance=None), [row()], seen(server(), service=enabled))
        assert actions == [d.OpenMaintenance(enabled), d.Disable("5e8a", "new kernel")]

    def test_a_disabled_service_is_recorded_as_found_and_not_touched(self):
        theirs = service(disabled_reason="bad DIMM, do not touch")
        actions = decide(drain(maintenance=None), [row()], seen(server(), service=theirs))
        assert actions == [d.OpenMaintenance(theirs)]

    def test_an_enabled_service_is_disabled_and_nothing_is_submitted_in_that_pass(self):
        enabled = service(status="enabled", disabled_reason="")
        view = drain(maintenance=d.MaintenanceView())
        actions = decide(view, [row()], seen(server(), service=enabled))
        assert actions == [d.Disable("5e8a", "new kernel")]

    def test_an_empty_host_is_not_called_drained_before_it_was_disabled(self):
        enabled = service(status="enabled", disabled_reason="")
        view = drain(maintenance=d.MaintenanceView(), proving_since=ago(50))
        actions = decide(view, [], seen(service=enabled, everything=True))
        assert finish(actions) is None

    def test_a_service_that_somebody_else_disabled_is_left_untouched(self):
        theirs = service(disabled_reason="bad DIMM, do not touch")
        view = drain(maintenance=d.MaintenanceView())
        actions = decide(view, [row()], seen(server(), service=theirs))
        assert not [a for a in actions if isinstance(a, d.Disable | d.MarkDisabled)]
        assert submits(actions) == [row().id]

    def test_a_disabling_whose_answer_got_lost_is_recognised_by_its_reason(self):
        view = drain(maintenance=d.MaintenanceView("new kernel", None))
        actions = decide(view, [row()], seen(server()))
        assert d.MarkDisabled() in actions

    def test_a_service_enabled_by_somebody_during_the_drain_is_not_disabled_again(self):
        enabled = service(status="enabled", disabled_reason="")
        actions = decide(drain(), [row()], seen(server(), service=enabled))
        assert not [a for a in actions if isinstance(a, d.Disable)]
        assert kinds(actions)[0] == "service_enabled_by_other"

    @pytest.mark.parametrize(
        "gone",
        [
            None,
            service(state="down"),
            service(forced_down=True),
            service(status="UNKNOWN", id="", state=""),
        ],
    )
    def test_nothing_is_submitted_while_the_host_is_down_or_unknown(self, gone):
        actions = decide(drain(), [row()], seen(server(), service=gone))
        assert not submits(actions)
        assert kinds(actions) == ["host_down"]

    def test_a_host_that_stays_down_ends_the_drain_with_the_truth_about_each(self):
        rows = [row("a"), migrating("b"), row("c", state=MigrationState.SUCCEEDED)]
        down = seen(server("a"), server("b"), service=service(state="down"))
        actions = decide(drain(host_down_since=ago(901)), rows, down)
        assert changes(actions, rows[0])["state"] == MigrationState.FAILED
        assert changes(actions, rows[1])["state"] == MigrationState.UNKNOWN
        end = finish(actions)
        assert (end.state, end.result) == (DrainState.FAILED, DrainResult.HOST_LOST)

    def test_a_cell_that_is_down_does_not_make_instances_gone(self):
        unknown = seen(service=service(status="UNKNOWN", id="", state=""))
        actions = decide(drain(), [row()], unknown)
        assert "state" not in changes(actions, row())

    def test_a_host_that_is_back_is_drained_on(self):
        actions = decide(drain(host_down_since=ago(60)), [row()], seen(server()))
        assert "host_back" in kinds(actions)
        assert submits(actions)


class TestJoining:
    def test_a_server_that_appeared_joins(self):
        new = server("late")
        actions = decide(drain(), [], seen(new))
        assert [a.server for a in actions if isinstance(a, d.Join)] == [new]
        assert finish(actions) is None

    @pytest.mark.parametrize("state", [MigrationState.SUCCEEDED, MigrationState.GONE])
    def test_a_server_that_came_back_is_moved_again(self, state):
        back = row(state=state, attempts=1)
        actions = decide(drain(), [back], seen(server()))
        assert changes(actions, back)["state"] == MigrationState.PENDING

    def test_a_server_that_keeps_coming_back_is_given_up(self):
        back = row(state=MigrationState.PENDING, attempts=3)
        assert changes(decide(drain(), [back], seen(server())), back)["state"] == "failed"


class TestPace:
    def rows(self, *specs):
        made = []
        for index, spec in enumerate(specs):
            name = f"s{index}"
            if spec == "pending":
                made.append(row(name, position=index))
            elif spec == "submitted":
                made.append(migrating(name, state=MigrationState.SUBMITTED, position=index))
            else:
                made.append(
                    migrating(name, nova_status=spec, nova_migration_id=index + 1, position=index)
                )
        records = tuple(
            record(f"s{i}", spec, id=i + 1)
            for i, spec in enumerate(specs)
            if spec not in ("pending", "submitted", "")
        )
        task = {"pending": None}
        servers = [
            server(
                f"s{i}",
                task_state=task.get(s, "migrating"),
                status="ACTIVE" if s == "pending" else "MIGRATING",
            )
            for i, s in enumerate(specs)
        ]
        return made, seen(*servers, records=records, actions={})

    @pytest.mark.parametrize(
        ("in_progress", "more", "submitted"),
        [
            ((), {}, True),
            (("running",), {}, True),
            (("preparing",), {}, True),
            (("running (post-copy)",), {}, True),
            # one that waits, in Nova's queue or on its way there, holds the next one back
            (("accepted",), {}, False),
            (("queued",), {}, False),
            (("running", "queued"), {}, False),
            (("submitted",), {}, False),
            (("",), {}, False),
            # full; one more only if it is known to wait
            (("running", "running"), {}, False),
            (("running", "running"), {"learned_limit": 2}, True),
            (("running", "running"), {"learned_limit": 1}, True),
            (("running", "running"), {"learned_limit": 3}, False),
            (("running", "running"), {"nova_runs_more": True, "learned_limit": 2}, False),
            (("running", "running", "running"), {"learned_limit": 2}, False),
        ],
    )
    def test_when_one_more_is_submitted(self, in_progress, more, submitted):
        rows, observation = self.rows(*in_progress, "pending")
        actions = decide(drain(**more), rows, observation)
        assert bool(submits(actions)) is submitted

    def test_never_more_than_one_a_pass(self):
        rows, observation = self.rows("pending", "pending", "pending")
        assert len(submits(decide(drain(max_concurrent=5), rows, observation))) == 1

    def test_whether_nova_queues_one_more_is_found_out_when_one_is_about_to_end(self):
        rows, observation = self.rows("running", "running", "pending")
        rows[0] = altered(rows[0], fraction=0.8)
        assert submits(decide(drain(), rows, observation)) == [rows[2].id]

    def test_the_limit_is_what_runs_while_one_stays_queued(self):
        rows, observation = self.rows("running", "queued", "pending")
        actions = decide(drain(max_concurrent=4), rows, observation)
        assert {"learned_limit": 1} in [a.fields for a in actions if isinstance(a, d.ChangeDrain)]

    @pytest.mark.parametrize("waits", ["accepted", "submitted"])
    def test_one_that_did_not_reach_the_hosts_queue_teaches_nothing(self, waits):
        rows, observation = self.rows("running", waits, "pending")
        assert "limit_learned" not in kinds(decide(drain(), rows, observation))

    def test_a_limit_that_was_learned_too_low_is_corrected(self):
        rows, observation = self.rows("running", "running", "pending")
        actions = decide(drain(max_concurrent=4, learned_limit=1), rows, observation)
        assert {"learned_limit": 2} in [a.fields for a in actions if isinstance(a, d.ChangeDrain)]

    def test_nova_running_more_than_wanted_is_remembered(self):
        rows, observation = self.rows("running", "running", "running", "pending")
        actions = decide(drain(max_concurrent=2), rows, observation)
        assert {"nova_runs_more": True} in [
            a.fields for a in actions if isinstance(a, d.ChangeDrain)
        ]
        assert not submits(actions)

    def test_a_paused_drain_starts_nothing(self):
        rows, observation = self.rows("pending")
        assert not submits(decide(drain(state=DrainState.PAUSED), rows, observation))

    def test_those_that_failed_before_wait_for_the_others(self):
        failed = row("a", attempts=1, position=0, not_before=ago(1))
        fresh = row("b", position=9)
        actions = decide(drain(), [failed, fresh], seen(server("a"), server("b")))
        assert submits(actions) == [fresh.id]

    def test_a_pause_is_kept(self):
        failed = row(attempts=1, not_before=ago(-5))
        assert not submits(decide(drain(), [failed], seen(server())))

    def test_the_named_destination_is_asked_for(self):
        actions = decide(drain(destination="cmp9"), [row()], seen(server()))
        assert [a.host for a in actions if isinstance(a, d.Submit)] == ["cmp9"]

    def test_a_paused_instance_must_be_paused_again_at_the_end(self):
        actions = decide(drain(), [row()], seen(server(status="PAUSED")))
        assert [a.status for a in actions if isinstance(a, d.Submit)] == ["PAUSED"]


class TestWaiting:
    def test_a_busy_instance_is_blocked_and_joins_when_it_is_free(self):
        busy = server(task_state="rebooting")
        actions = decide(drain(), [row()], seen(busy))
        assert changes(actions, row())["state"] == MigrationState.BLOCKED
        blocked = row(state=MigrationState.BLOCKED, code="task_under_way")
        actions = decide(drain(), [blocked], seen(server()))
        assert changes(actions, blocked)["state"] == MigrationState.PENDING
        assert submits(actions) == [blocked.id]

    def test_an_instance_that_was_suspended_stays_with_the_reason(self):
        changed = changes(decide(drain(), [row()], seen(server(status="SUSPENDED"))), row())
        assert changed["state"] == MigrationState.STAYS
        assert "suspended" in english(changed["message"])

    def test_an_instance_that_was_resumed_joins(self):
        stays = row(state=MigrationState.STAYS, code="status_suspended", initial_status="SUSPENDED")
        changed = changes(decide(drain(), [stays], seen(server())), stays)
        assert (changed["state"], changed["initial_status"]) == ("pending", "ACTIVE")

    def test_one_that_an_admin_left_here_does_not_join_by_itself(self):
        chosen = row(state=MigrationState.STAYS, code="chosen", choice="stay")
        assert "state" not in changes(decide(drain(), [chosen], seen(server())), chosen)

    def test_one_whose_owner_takes_the_word_back_joins(self):
        kept = row(state=MigrationState.STAYS, code="owner_stay")
        assert changes(decide(drain(), [kept], seen(server())), kept)["state"] == "pending"

    def test_deleted_is_gone(self):
        changed = changes(decide(drain(), [row()], seen(elsewhere={"web": None})), row())
        assert changed["state"] == MigrationState.GONE
        assert "deleted" in english(changed["message"])

    def test_moved_by_somebody_else_is_gone(self):
        moved = seen(elsewhere={"web": server(host="cmp5")})
        changed = changes(decide(drain(), [row()], moved), row())
        assert (changed["state"], changed["dest_compute"]) == ("gone", "cmp5")

    def test_not_gone_while_nova_still_has_it_here(self):
        odd = seen(elsewhere={"web": server(host="cmp1")})
        assert "state" not in changes(decide(drain(), [row()], odd), row())

    def test_blocked_ones_are_waited_for_and_then_failed_with_their_reason(self):
        blocked = row(state=MigrationState.BLOCKED, code="task_under_way", message=text("Busy."))
        busy = seen(server(task_state="rebooting"))
        assert kinds(decide(drain(), [blocked], busy))[-1] == "waiting_for_blocked"
        assert "state" not in changes(
            decide(drain(blocked_since=ago(599)), [blocked], busy), blocked
        )
        changed = changes(decide(drain(blocked_since=ago(601)), [blocked], busy), blocked)
        assert changed["state"] == MigrationState.FAILED
        assert "rebooting" in english(changed["message"])


class TestFollowing:
    def test_status_destination_and_bytes_are_noted(self):
        ours = migrating()
        bytes_now = progress(
            memory_total_bytes=GIB, memory_processed_bytes=GIB // 4, memory_remaining_bytes=GIB // 2
        )
        actions = decide(
            drain(),
            [ours],
            seen(
                server(status="MIGRATING", task_state="migrating"),
                records=(record(),),
                progress={"web": [bytes_now]},
            ),
        )
        changed = changes(actions, ours)
        assert (changed["nova_status"], changed["dest_compute"]) == ("running", "cmp2")
        assert changed["fraction"] == pytest.approx(0.5)

    def test_nothing_is_written_when_nothing_changed(self):
        ours = migrating(
            nova_status="running",
            nova_migration_id=7,
            dest_compute="cmp2",
            running_since=ago(5),
        )
        same = seen(server(status="MIGRATING", task_state="migrating"), records=(record(),))
        assert decide(drain(), [ours], same) == []

    @pytest.mark.parametrize(
        ("known", "beside", "begun"),
        [
            ({"learned_limit": 2}, {"submitted_at": ago(60)}, ago(10)),
            ({"learned_limit": 1}, {"submitted_at": ago(60)}, NOW),
            ({"learned_limit": 1}, {"submitted_at": ago(60), "ended_at": ago(11)}, ago(10)),
            ({"learned_limit": 1}, {"submitted_at": ago(60), "ended_at": ago(9)}, NOW),
            ({"learned_limit": 1}, {"submitted_at": ago(5)}, ago(10)),
            ({"nova_runs_more": True}, {"submitted_at": ago(60)}, ago(10)),
            ({}, {"submitted_at": ago(60)}, NOW),
        ],
    )
    def test_a_copy_began_as_it_was_submitted_where_a_place_was_free(self, known, beside, begun):
        """Looks may be far apart: the first that sees it running says little of when it began."""
        ended = "ended_at" in beside
        other = migrating("other", **beside)
        if ended:
            other = altered(other, state=MigrationState.SUCCEEDED)
        ours = migrating()
        there = [server(status="MIGRATING", task_state="migrating"), server("other")][: 2 - ended]
        found = seen(*there, records=(record(),))
        changed = changes(decide(drain(**known), [other, ours], found), ours)
        assert changed["running_since"] == begun

    def test_it_began_no_longer_ago_than_looks_are_apart(self):
        """What others of this host wait for is not known, nor how long nobody looked: a timeout
        that aborts is not to count the time in Nova's queue."""
        for late in ({"submitted_at": ago(3600)}, {"queued_since": ago(3600)}):
            ours = migrating(**late)
            found = seen(server(status="MIGRATING", task_state="migrating"), records=(record(),))
            known = drain(learned_limit=2, timeout_action="abort")
            changed = changes(decide(known, [ours], found), ours)
            assert changed["running_since"] >= ago(10)
            assert "timed_out_at" not in changed

    def test_one_that_was_seen_queued_began_after_that(self):
        ours = migrating(queued_since=ago(4))
        found = seen(server(status="MIGRATING", task_state="migrating"), records=(record(),))
        changed = changes(decide(drain(learned_limit=1), [ours], found), ours)
        assert changed["running_since"] == ago(4)

    def test_an_older_migration_of_the_server_is_not_taken_for_ours(self):
        ours = migrating(before_migration_id=7)
        actions = decide(
            drain(),
            [ours],
            seen(server(task_state="migrating", status="MIGRATING"), records=(record(),)),
        )
        assert "nova_migration_id" not in changes(actions, ours)

    def arrived(self, **more):
        return seen(records=(record(status="completed"),), elsewhere={"web": server(**more)})

    def test_arrived_is_other_host_no_task_and_the_status_it_had(self):
        ours = migrating()
        changed = changes(decide(drain(), [ours], self.arrived(host="cmp2")), ours)
        assert changed["state"] == MigrationState.SUCCEEDED
        assert (changed["dest_compute"], changed["fraction"]) == ("cmp2", 1.0)

    def test_a_record_that_says_running_for_a_moment_longer_is_no_obstacle(self):
        ours = migrating()
        there = seen(records=(record(),), elsewhere={"web": server(host="cmp2")})
        changed = changes(decide(drain(), [ours], there), ours)
        assert (changed["state"], changed["nova_status"]) == ("succeeded", "completed")

    def test_not_arrived_while_a_task_runs(self):
        ours = migrating()
        busy = self.arrived(host="cmp2", task_state="migrating", status="MIGRATING")
        assert "state" not in changes(decide(drain(), [ours], busy), ours)

    def test_arrived_in_error_is_failed_and_never_tried_again(self):
        ours = migrating()
        changed = changes(decide(drain(), [ours], self.arrived(host="cmp2", status="ERROR")), ours)
        assert changed["state"] == MigrationState.FAILED
        assert english(changed["message"]).startswith("It arrived on cmp2 in ERROR")

    def test_a_paused_guest_that_arrives_running_did_not_arrive_in_order(self):
        ours = migrating(initial_status="PAUSED", anomaly_since=ago(20))
        changed = changes(decide(drain(), [ours], self.arrived(host="cmp2")), ours)
        assert changed["state"] == MigrationState.FAILED
        assert "before the migration it was PAUSED" in english(changed["message"])

    def test_completed_alone_is_not_enough(self):
        ours = migrating()
        still = seen(server(), records=(record(status="completed"),))
        assert "state" not in changes(decide(drain(), [ours], still), ours)

    def test_completed_but_still_here_is_a_case_for_a_person(self):
        ours = migrating(anomaly_since=ago(16))
        still = seen(server(), records=(record(status="completed"),))
        changed = changes(decide(drain(), [ours], still), ours)
        assert (changed["state"], changed["code"]) == ("unknown", "completed_at_source")

    def test_error_at_the_source_is_never_retried_or_repaired(self):
        ours = migrating(anomaly_since=ago(16))
        broken = seen(server(status="ERROR"), records=(record(status="error"),))
        actions = decide(drain(), [ours], broken)
        assert changes(actions, ours)["state"] == MigrationState.UNKNOWN
        assert not submits(actions)

    @pytest.mark.parametrize(
        ("status", "dest", "settles"),
        [
            ("failed", "cmp2", 0),
            ("error", "", 0),
            # a nova-compute that was restarted: libvirt may be copying still
            ("error", "cmp2", LIMITS.late_min_seconds),
            ("cancelled", "cmp2", LIMITS.settle_seconds),
        ],
    )
    def test_a_failed_attempt_is_put_off_where_nova_does_not_change_its_mind(
        self, status, dest, settles
    ):
        ours = migrating()
        over = seen(server(), records=(record(status=status, dest_compute=dest),))
        changed = changes(decide(drain(), [ours], over), ours)
        assert ("state" not in changed) is (settles > 0)
        early = migrating(anomaly_since=ago(max(settles - 1, 0)))
        assert ("state" not in changes(decide(drain(), [early], over), early)) is (settles > 0)
        settled = migrating(anomaly_since=ago(settles + 1))
        changed = changes(decide(drain(), [settled], over), settled)
        assert changed["state"] == MigrationState.PENDING
        assert changed["not_before"] > NOW

    def test_the_last_attempt_fails_for_good(self):
        ours = migrating(attempts=3)
        over = seen(server(), records=(record(status="failed"),))
        actions = decide(drain(), [ours], over)
        assert changes(actions, ours)["state"] == MigrationState.FAILED
        assert [a.ask_why for a in actions if isinstance(a, d.ChangeRow) and a.kind] == [True]

    def test_pauses_double_up_to_a_limit(self):
        pauses = [
            (
                d.failed_attempt(
                    migrating(attempts=n), "", "", replace(LIMITS, max_attempts=9), NOW
                )["not_before"]
                - NOW
            ).total_seconds()
            for n in range(1, 8)
        ]
        assert pauses == [30, 60, 120, 240, 480, 600, 600]

    def test_a_task_that_does_not_end_is_named_and_not_retried(self):
        ours = migrating(anomaly_since=ago(61))
        stuck = seen(server(task_state="migrating"), records=(record(status="failed"),))
        changed = changes(decide(drain(), [ours], stuck), ours)
        assert (changed["state"], changed["code"]) == ("failed", "task_stuck")

    def test_a_record_that_is_gone_is_a_case_for_a_person(self):
        ours = migrating(anomaly_since=ago(16), nova_migration_id=7)
        changed = changes(decide(drain(), [ours], seen(server())), ours)
        assert (changed["state"], changed["code"]) == ("unknown", "record_gone")

    def test_a_request_that_nova_took_and_forgot_is_tried_again(self):
        ours = migrating(anomaly_since=ago(16))
        changed = changes(decide(drain(), [ours], seen(server())), ours)
        assert (changed["state"], changed["code"]) == ("pending", "no_record")

    def test_late_is_marked_once_and_nothing_is_done_to_it(self):
        slow = migrating(
            nova_status="running",
            nova_migration_id=7,
            dest_compute="cmp2",
            running_since=ago(301),
        )
        flying = seen(server(status="MIGRATING", task_state="migrating"), records=(record(),))
        actions = decide(drain(), [slow], flying)
        assert kinds(actions) == ["late"]
        assert changes(actions, slow) == {"late_since": NOW}
        assert decide(drain(), [altered(slow, late_since=NOW)], flying) == []

    def test_late_is_scaled_by_memory(self):
        assert late_after_seconds(GIB, LIMITS) == 300
        assert late_after_seconds(64 * GIB, LIMITS) == 64 * 30

    def test_the_time_in_novas_queue_does_not_make_it_late(self):
        queued = migrating(
            nova_status="queued",
            nova_migration_id=7,
            dest_compute="cmp2",
            queued_since=ago(5000),
            submitted_at=ago(5000),
        )
        waits = seen(
            server(status="MIGRATING", task_state="migrating"), records=(record(status="queued"),)
        )
        assert "late" not in kinds(decide(drain(), [queued], waits))


class TestARequestThatNovaNeverActsOn:
    """The message bus lost the cast to nova-conductor: the record stays as it is for ever."""

    flying = server(status="MIGRATING", task_state="migrating", vm_state="active")

    def stuck(self, status: str = "accepted", **more):
        given = {"nova_migration_id": 7, "dest_compute": "cmp2", "queued_since": ago(900)}
        return migrating(nova_status=status, **given, **more)

    def saw(self, *others, status: str = "accepted"):
        servers = [self.flying, *(server(o.server_id) for o in others)]
        return seen(*servers, records=(record(status=status), *others))

    def test_it_is_named_after_a_while_and_bounded(self):
        one = self.stuck()
        assert changes(decide(drain(), [one], self.saw()), one) == {"anomaly_since": NOW}
        one = self.stuck(anomaly_since=ago(LIMITS.submit_grace_seconds))
        assert "has not started" in english(
            changes(decide(drain(), [one], self.saw()), one)["message"]
        )
        one = self.stuck(anomaly_since=ago(LIMITS.late_min_seconds - 1))
        assert "state" not in changes(decide(drain(), [one], self.saw()), one)
        one = self.stuck(anomaly_since=ago(LIMITS.late_min_seconds))
        changed = changes(decide(drain(), [one], self.saw()), one)
        assert (changed["state"], changed["code"]) == ("failed", "task_stuck")
        assert "nova-conductor" in english(changed["message"])

    def test_without_the_hypervisors_word_it_is_for_a_person(self):
        one = self.stuck(anomaly_since=ago(LIMITS.late_min_seconds))
        sight = replace(self.saw(), guests={"web": GuestSight(refused=True)})
        changed = changes(decide(drain(), [one], sight), one)
        assert (changed["state"], changed["code"]) == ("unknown", "guest_in_doubt")

    def test_its_hypervisor_is_asked_when_its_time_is_over(self):
        one = self.stuck(anomaly_since=ago(LIMITS.late_min_seconds))
        assert d.words_wanted(drain(), [one], self.saw(), LIMITS, NOW) == ["web"]
        early = self.stuck(anomaly_since=ago(LIMITS.late_min_seconds - 1))
        assert d.words_wanted(drain(), [early], self.saw(), LIMITS, NOW) == []

    def test_the_others_go_on_then(self):
        one = self.stuck(anomaly_since=ago(LIMITS.late_min_seconds))
        waits = row("db")
        sight = self.saw()
        sight = replace(sight, servers={**sight.servers, "db": server("db")})
        assert submits(decide(drain(), [one, waits], sight)) == [waits.id]

    def test_an_abort_of_it_is_answered_then(self):
        one = self.stuck(anomaly_since=ago(LIMITS.late_min_seconds), requested=[asked()])
        actions = decide(drain(), [one], self.saw())
        assert not altered(one, of_request(actions, one), **changes(actions, one)).requests.open

    @pytest.mark.parametrize("direction", ["away", "back"])
    def test_what_waits_in_novas_queue_waits_for_its_turn(self, direction):
        """However long: a copy before it, of whomever, may be one that a run back does not see."""
        one = self.stuck("queued")
        found = changes(decide(drain(direction=direction), [one], self.saw(status="queued")), one)
        assert not {"anomaly_since", "state", "message"} & set(found)

    def test_what_was_seen_so_for_a_moment_is_forgotten(self):
        one = self.stuck(
            anomaly_since=ago(100), message=text("Nova took the request and has not begun it.")
        )
        changed = changes(decide(drain(), [one], self.saw(status="running")), one)
        assert (changed["anomaly_since"], changed["message"]) == (None, None)


class TestALostAnswer:
    lost = migrating(
        state=MigrationState.SUBMITTED, request_id="", before_action="req-old", attempts=1
    )

    def test_our_newer_action_is_adopted(self):
        flying = seen(
            server(status="MIGRATING", task_state="migrating"),
            records=(record(),),
            actions={"web": [nova_action("req-new"), nova_action("req-old")]},
        )
        changed = changes(decide(drain(), [self.lost], flying), self.lost)
        assert (changed["state"], changed["request_id"]) == ("migrating", "req-new")

    @pytest.mark.parametrize(
        "actions",
        [
            [nova_action("req-old")],
            [nova_action("req-theirs", user_id="somebody"), nova_action("req-old")],
            [nova_action("req-reboot", action="reboot"), nova_action("req-old")],
            [],
        ],
    )
    def test_nobody_elses_action_is_adopted(self, actions):
        here = seen(server(), actions={"web": actions})
        assert "state" not in changes(decide(drain(), [self.lost], here), self.lost)

    def test_it_is_not_sent_again_while_it_may_be_on_its_way(self):
        waiting = altered(self.lost, submitted_at=ago(59))
        actions = decide(drain(), [waiting], seen(server(), actions={"web": []}))
        assert actions == [] or not submits(actions)
        assert "state" not in changes(actions, waiting)

    def test_it_may_be_sent_again_when_nova_never_got_it(self):
        waiting = altered(self.lost, submitted_at=ago(61))
        changed = changes(decide(drain(), [waiting], seen(server(), actions={"web": []})), waiting)
        assert changed["state"] == MigrationState.PENDING
        assert "attempts" not in changed  # the attempt counts

    def test_one_that_arrived_meanwhile_is_adopted_and_done_in_one_pass(self):
        there = seen(
            records=(record(status="completed"),),
            actions={"web": [nova_action("req-new"), nova_action("req-old")]},
            elsewhere={"web": server(host="cmp2")},
        )
        assert changes(decide(drain(), [self.lost], there), self.lost)["state"] == "succeeded"


class TestTheEnd:
    done = row(state=MigrationState.SUCCEEDED)

    def test_empty_must_be_seen_twice(self):
        empty = seen(everything=True)
        first = decide(drain(), [self.done], empty)
        assert finish(first) is None
        assert first[0].fields["proving_since"] == NOW
        end = finish(decide(drain(proving_since=ago(1)), [self.done], empty))
        assert (end.state, end.result) == (DrainState.SUCCEEDED, DrainResult.EMPTY)

    @pytest.mark.parametrize(
        "unfinished",
        [
            record("other", "running"),
            record("other", "finished", migration_type="migration"),
            record("other", "finished", migration_type="resize"),
            record("other", "pre-migrating", migration_type="resize"),
        ],
    )
    def test_an_unfinished_migration_keeps_it_from_being_empty(self, unfinished):
        busy = seen(records=(unfinished,), everything=True)
        actions = decide(drain(proving_since=ago(1)), [self.done], busy)
        assert finish(actions) is None
        assert "(other), ACTIVE on cmp2" in english(actions[0].message)

    def test_the_proof_ends_in_bounded_time(self):
        busy = seen(
            records=(record("other", "finished", migration_type="resize"),), everything=True
        )
        end = finish(decide(drain(proving_since=ago(301)), [self.done], busy))
        assert (end.state, end.result) == (DrainState.FAILED, DrainResult.NOT_PROVED)
        assert "(other), ACTIVE on cmp2" in english(end.message)
        assert "confirm or revert it" in english(end.message)

    @pytest.mark.parametrize("gone", [service(state="down"), service(status="UNKNOWN", id="")])
    def test_no_proof_without_a_live_host(self, gone):
        empty = seen(service=gone, everything=True)
        assert finish(decide(drain(proving_since=ago(9)), [self.done], empty)) is None

    def test_no_proof_from_recent_migrations_alone(self):
        assert finish(decide(drain(proving_since=ago(9)), [self.done], seen())) is None

    def test_left_by_choice(self):
        stays = row(
            "off", state=MigrationState.STAYS, code="status_suspended", message=text("It sleeps.")
        )
        end = finish(
            decide(
                drain(),
                [self.done, stays],
                seen(server("off", status="SUSPENDED"), everything=True),
            )
        )
        assert (end.state, end.result) == (DrainState.FAILED, DrainResult.INSTANCES_LEFT)
        assert "off (stays): It sleeps." in english(end.message)

    def test_each_one_that_is_left_is_named_with_its_reason(self):
        rows = [
            row("bad", state=MigrationState.FAILED, message=text("No valid host.")),
            row(
                "off",
                state=MigrationState.STAYS,
                code="status_suspended",
                message=text("It sleeps."),
            ),
        ]
        end = finish(
            decide(
                drain(),
                rows,
                seen(server("bad"), server("off", status="SUSPENDED"), everything=True),
            )
        )
        assert end.result == DrainResult.INSTANCES_FAILED
        assert "bad (failed): No valid host." in english(end.message)
        assert "off (stays): It sleeps." in english(end.message)

    def test_an_unknown_one_keeps_the_host_from_being_called_empty(self):
        rows = [row(state=MigrationState.UNKNOWN, message=text("Look."))]
        end = finish(decide(drain(proving_since=ago(9)), rows, seen(everything=True)))
        assert (end.state, end.result) == (DrainState.FAILED, DrainResult.INSTANCES_FAILED)

    def test_a_failed_one_that_somebody_moved_is_gone(self):
        failed = row(state=MigrationState.FAILED)
        actions = decide(drain(), [failed], seen(elsewhere={"web": server(host="cmp4")}))
        assert changes(actions, failed)["state"] == MigrationState.GONE


class TestCancelling:
    view = drain(state=DrainState.CANCELLING)

    def test_what_waits_is_cancelled_and_what_flies_lands(self):
        rows = [row("waits"), migrating("flies")]
        flying = seen(
            server("waits"),
            server("flies", status="MIGRATING", task_state="migrating"),
            records=(record("flies"),),
        )
        actions = decide(self.view, rows, flying)
        assert changes(actions, rows[0])["state"] == MigrationState.CANCELLED
        assert "state" not in changes(actions, rows[1])
        assert finish(actions) is None
        assert not submits(actions)

    def test_it_is_over_when_the_last_one_landed(self):
        ours = migrating()
        landed = seen(records=(record(status="completed"),), elsewhere={"web": server(host="cmp2")})
        actions = decide(self.view, [ours], landed)
        assert changes(actions, ours)["state"] == MigrationState.SUCCEEDED
        end = finish(actions)
        assert (end.state, end.result) == (DrainState.CANCELLED, DrainResult.CANCELLED)
        assert "stays disabled" in english(end.message)

    def test_an_attempt_that_fails_is_not_tried_again(self):
        ours = migrating()
        over = seen(server(), records=(record(status="failed"),))
        assert changes(decide(self.view, [ours], over), ours)["state"] == MigrationState.FAILED

    def test_it_neither_disables_nor_lets_anything_join(self):
        enabled = service(status="enabled")
        view = drain(state=DrainState.CANCELLING, maintenance=None)
        actions = decide(view, [], seen(server("new"), service=enabled))
        assert [type(a) for a in actions] == [d.Finish]

    def test_it_ends_although_the_host_is_lost(self):
        ours = migrating()
        view = drain(state=DrainState.CANCELLING, host_down_since=ago(901))
        end = finish(decide(view, [ours], seen(server(), service=service(state="down"))))
        assert end.state == DrainState.CANCELLED


# -- who moved it, and who came back -----------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "who"),
    [
        (None, "by somebody else"),
        (d.OtherRun(5, "cmp1", "away", "cmp3"), "by drain 5 of cmp1"),
        (d.OtherRun(6, "cmp3", "back", "cmp3"), "by run 6, which brings instances back to cmp3"),
        (d.OtherRun(5, "cmp1", "away", "cmp4"), "by somebody else"),  # that one went elsewhere
    ],
)
def test_what_another_run_of_ours_moved_is_not_said_to_be_somebody_elses_doing(run, who):
    one = row()
    more = {"other_runs": {"web": run}} if run else {}
    moved = seen(elsewhere={"web": server(host="cmp3")}, **more)
    found = changes(decide(drain(), [one], moved), one)
    assert english(found["message"]) == f"It was moved to cmp3 {who}."
    busy = seen(elsewhere={"web": server(host="cmp3", task_state="migrating")}, **more)
    found = changes(decide(drain(), [one], busy), one)
    assert f"for {who.removeprefix('by ')} (task migrating)" in english(found["message"])


def back(**more):
    return drain(direction="back", destination="cmp1", maintenance=None, **more)


ENDED = [
    row("came", state=MigrationState.SUCCEEDED, source_compute="cmp2", dest_compute="cmp1"),
    row("by-hand", state=MigrationState.GONE, source_compute="cmp2", dest_compute="cmp1"),
    row("astray", state=MigrationState.GONE, source_compute="cmp2", dest_compute="cmp3"),
    row(
        "deleted",
        state=MigrationState.GONE,
        source_compute="cmp2",
        dest_compute="cmp1",
        server_status="DELETED",
    ),
]


@pytest.mark.parametrize("state", [DrainState.RUNNING, DrainState.CANCELLING])
def test_a_run_back_counts_who_came_back_and_never_who_left(state):
    sight = seen(service=service(status="enabled"))
    message = english(finish(decide(back(state=state), ENDED, sight)).message)
    assert "2 of 4 are back on cmp1." in message
    assert "left the host" not in message
    assert "astray (gone)" in message
    assert "by-hand" not in message


def test_the_advice_of_a_run_back_names_the_host_that_the_guest_is_on():
    one = migrating(
        source_compute="cmp2", dest_compute="cmp1", submitted_at=ago(999), anomaly_since=ago(999)
    )
    sight = seen(
        server(host="cmp2", task_state="migrating"),
        records=(record(status="error", source_compute="cmp2", dest_compute="cmp1"),),
        service=service(status="enabled"),
    )
    found = changes(decide(back(), [one], sight), one)
    assert "nova-compute on cmp2" in english(found["message"])
    assert "here" not in english(found["message"])

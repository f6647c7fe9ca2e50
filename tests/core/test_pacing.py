"""How many are submitted in one pass, and what is known of Nova's limit."""

import pytest

from tests.core.build import ago, decide, drain, migrating, record, row, seen, server, submits
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.drain import pacing
from ukcloud_maintenance.core.states import MIGRATION_IN_PROGRESS

WAITING = [row(f"web-{n}", id=n) for n in range(12)]


def copied(number, status="running", **more):
    more = {"nova_status": status, "nova_migration_id": 100 + number, **more}
    return migrating(f"copied-{number}", id=100 + number, **more)


def one_pass(view, *in_progress, waiting=WAITING, records=None, **observed):
    names = [r.server_name for r in (*in_progress, *waiting)]
    servers = [server(n, task_state="migrating" if "copied" in n else None) for n in names]
    if records is None:
        records = [
            record(r.server_name, r.attempt.nova_status, id=r.id)
            for r in in_progress
            if r.attempt.nova_status
        ]
    rows = [*in_progress, *waiting]
    return decide(view, rows, seen(*servers, records=tuple(records), **observed))


class TestSeveralInOnePass:
    def test_while_nothing_is_known_they_are_submitted_one_by_one(self):
        assert len(submits(one_pass(drain(max_concurrent=5)))) == 1

    def test_as_many_as_nova_ran_at_once_when_the_host_was_drained_before(self):
        assert len(submits(one_pass(drain(max_concurrent=5), last_limit=3))) == 3
        assert len(submits(one_pass(drain(max_concurrent=2), last_limit=9))) == 2

    def test_what_the_last_drain_knew_lets_none_wait_in_the_queue(self):
        in_progress = [copied(n) for n in range(3)]
        assert len(submits(one_pass(drain(max_concurrent=3), *in_progress, last_limit=3))) == 0

    @pytest.mark.parametrize(("limit", "more"), [(0, 1), (3, 1), (4, 0)])
    def test_no_more_than_are_to_run_where_the_last_drain_saw_nova_run_more(self, limit, more):
        """One more is to wait in Nova's queue, never to run."""
        in_progress = [copied(n, fraction=0.9) for n in range(3)]
        actions = one_pass(drain(max_concurrent=3), *in_progress, last_limit=limit)
        assert len(submits(actions)) == more

    @pytest.mark.parametrize("learned", [1, 2, 3])
    @pytest.mark.parametrize("running", [0, 1, 2, 3])
    def test_the_places_that_are_free_and_one_that_waits(self, learned, running):
        in_progress = [copied(n) for n in range(min(running, learned))]
        actions = one_pass(drain(max_concurrent=3, learned_limit=learned), *in_progress)
        assert len(submits(actions)) == learned + 1 - len(in_progress)

    def test_where_nova_runs_more_none_is_to_wait(self):
        view = drain(max_concurrent=3, nova_runs_more=True, learned_limit=4)
        assert len(submits(one_pass(view, copied(1)))) == 2
        assert len(submits(one_pass(view, copied(1), copied(2), copied(3)))) == 0

    def test_one_that_nova_does_not_begin_holds_up_the_others(self):
        stuck = copied(1, "accepted", submitted_at=ago(pacing.STUCK_SECONDS + 1))
        assert submits(one_pass(drain(max_concurrent=4, learned_limit=4), stuck)) == []

    def test_no_more_than_a_pass_may_submit(self):
        actions = one_pass(drain(max_concurrent=50), last_limit=50)
        assert len(submits(actions)) == pacing.SUBMITS_A_PASS

    def test_what_the_last_drain_knew_is_tried_a_few_at_a_time(self):
        unseen = [copied(n, "") for n in range(pacing.SUBMITS_A_PASS)]
        assert submits(one_pass(drain(max_concurrent=50), *unseen, last_limit=50)) == []
        begun = [copied(n) for n in range(pacing.SUBMITS_A_PASS)]
        assert submits(one_pass(drain(max_concurrent=50), *begun, last_limit=50)) != []

    def test_the_room_in_the_region_is_shared_by_those_of_one_pass(self):
        admission = d.Admission(room=2)
        actions = one_pass(drain(max_concurrent=5), last_limit=5, admission=admission)
        assert len(submits(actions)) == 2

    def test_so_is_the_room_at_a_destination(self):
        admission = d.Admission(per_destination=3, inbound={"cmp2": 1})
        view = drain(max_concurrent=5, destination="cmp2")
        actions = one_pass(view, last_limit=5, admission=admission)
        assert len(submits(actions)) == 2

    def test_one_that_this_pass_sees_arrive_leaves_its_place(self):
        admission = d.Admission(room=0, per_destination=1, inbound={"cmp2": 1})
        gone = copied(1, dest_compute="cmp2", initial_status="ACTIVE")
        there = server("copied-1", host="cmp2")
        records = (record("copied-1", "completed", id=101),)
        rows = [gone, *WAITING]
        found = seen(
            *(server(r.server_name) for r in WAITING),
            records=records,
            elsewhere={"copied-1": there},
            admission=admission,
        )
        view = drain(max_concurrent=1, destination="cmp2", nova_runs_more=True)
        assert len(submits(decide(view, rows, found))) == 1

    def test_no_two_of_an_anti_affinity_group(self):
        grouped = [row(f"web-{n}", id=n, group="g1") for n in range(4)]
        actions = one_pass(drain(max_concurrent=4), waiting=grouped, last_limit=4)
        assert len(submits(actions)) == 1

    def test_never_more_in_progress_than_the_limit_and_one(self):
        for learned in range(1, 6):
            for wanted in range(1, 6):
                for count in range(7):
                    in_progress = [copied(n) for n in range(count)]
                    view = drain(max_concurrent=wanted, learned_limit=learned)
                    total = count + len(submits(one_pass(view, *in_progress)))
                    assert total <= max(count, wanted + 1)


class TestTheLimit:
    def learned(self, view, *in_progress):
        actions = one_pass(view, *in_progress, waiting=[])
        changed = [a.fields for a in actions if isinstance(a, d.ChangeDrain)]
        return [f["learned_limit"] for f in changed if "learned_limit" in f]

    @pytest.mark.parametrize("status", ["preparing", "running", "post-migrating"])
    def test_it_is_learned_whenever_a_pass_sees_one_queued_while_others_run(self, status):
        rows = copied(1, status), copied(2, status), copied(3, "queued")
        assert self.learned(drain(max_concurrent=3), *rows) == [2]

    def test_it_is_learned_in_the_pass_that_sees_it_first(self):
        rows = [copied(n, "") for n in (1, 2, 3)]
        statuses = ("running", "running", "queued")
        records = [record(r.server_name, s, id=r.id) for r, s in zip(rows, statuses, strict=True)]
        actions = one_pass(drain(max_concurrent=3), *rows, waiting=[], records=records)
        assert {"learned_limit": 2} in [a.fields for a in actions if isinstance(a, d.ChangeDrain)]

    def test_two_in_the_queue_say_that_it_is_lower_than_was_known(self):
        rows = copied(1), copied(2, "queued"), copied(3, "queued")
        assert self.learned(drain(max_concurrent=3, learned_limit=3), *rows) == [1]

    def test_one_in_the_queue_does_not(self):
        rows = copied(1), copied(2), copied(3, "queued")
        assert self.learned(drain(max_concurrent=3, learned_limit=3), *rows) == []

    def test_only_what_is_under_way_is_counted(self):
        assert all(r.state in MIGRATION_IN_PROGRESS for r in (copied(1), copied(2, "queued")))

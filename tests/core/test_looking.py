"""When a drain is looked at again, and whether Nova's records alone tell that nothing happened."""

from dataclasses import replace

import pytest

from tests.core.build import GIB, LIMITS, NOW, ago, asked, drain, migrating, record, row, seen
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.drain import looking
from ukcloud_maintenance.core.drain.context import Pass
from ukcloud_maintenance.core.states import DrainState, MigrationState

POLL, IDLE = 1.0, 5.0
LEARNED = {"learned_limit": 1, "max_concurrent": 1}


def running(name="web", since=2.0, **more):
    more = {"nova_status": "running", "nova_migration_id": 7, **more}
    return migrating(name, running_since=ago(since), **more)


def begun(since, waited=0.0, **more):
    return running(since=since, submitted_at=ago(since + waited), **more)


def queued(name="next", **more):
    return migrating(name, nova_status="queued", nova_migration_id=8, **more)


def arrived(name="first", took=20.0, **more):
    ended = {"running_since": ago(100 + took), "ended_at": ago(100)}
    return row(name, state=MigrationState.SUCCEEDED, attempts=1, **ended, **more)


WAITS = row("waits")


def pause(view, *rows, acted=False, **observed):
    p = Pass(view, rows, seen(**observed), LIMITS, NOW)
    return d.pause_after(p, POLL, IDLE, acted=acted)


class TestThePause:
    def test_where_only_blocked_ones_are_left_it_is_that_of_an_idle_drain(self):
        blocked = row(state=MigrationState.BLOCKED, code="status_error")
        assert pause(drain(), blocked) == IDLE
        assert pause(drain(), blocked, acted=True) == IDLE

    def test_a_pause_after_a_failure_ends_when_it_ends(self):
        assert pause(drain(), row(not_before=ago(-3))) == pytest.approx(3)
        assert pause(drain(), row(not_before=ago(-300))) == IDLE
        assert pause(drain(), row(not_before=ago(1))) == POLL

    def test_while_nothing_tells_how_long_a_copy_takes_it_is_looked_at_often(self):
        assert pause(drain(**LEARNED), running(), queued(), WAITS) == POLL

    def test_a_full_pipe_is_looked_at_when_a_copy_is_about_to_end(self):
        rows = arrived(took=6), running(since=1), queued(), WAITS
        expected = looking.EARLY * 6 - 1
        assert pause(drain(**LEARNED), *rows) == pytest.approx(expected)

    def test_smaller_ones_are_expected_to_end_sooner(self):
        small = running(since=0, memory_bytes=GIB // 2)
        expected = looking.EARLY * 6 / 2
        rows = arrived(took=6), small, queued(), WAITS
        assert pause(drain(**LEARNED), *rows) == pytest.approx(expected)

    def test_an_end_that_is_far_off_does_not_delay_the_usual_look(self):
        assert pause(drain(**LEARNED), arrived(took=600), running(), queued(), WAITS) == IDLE

    def test_it_is_never_longer_than_the_latest_look(self):
        for took in range(1, 100):
            rows = arrived(took=took), running(since=0.5), queued(), WAITS
            assert POLL <= pause(drain(**LEARNED), *rows) <= d.LATEST_LOOK * IDLE

    def test_the_ramp_is_looked_at_at_once_and_not_for_ever(self):
        view = drain(max_concurrent=3)
        just = migrating(submitted_at=ago(1))
        assert pause(view, just, WAITS) == looking.RAMP_SECONDS
        assert pause(view, replace_submitted(just, 60), WAITS) == POLL

    def test_the_end_of_the_last_one_is_awaited_by_looks_that_follow_each_other(self):
        for since in (9.05, 10, 9 + looking.RAMP_LASTS - 0.1):
            rows = arrived(took=10), begun(since)
            assert pause(drain(**LEARNED), *rows) == looking.RAMP_SECONDS
        assert pause(drain(**LEARNED), arrived(took=10), begun(5)) == pytest.approx(4)

    def test_not_for_ever(self):
        rows = arrived(took=10), begun(9 + looking.RAMP_LASTS + 0.1)
        assert pause(drain(**LEARNED), *rows) == POLL

    def test_one_that_began_unseen_may_end_earlier(self):
        # it waited in Nova's queue, and was looked at last when it could not have begun yet
        rows = arrived(took=10), begun(1, waited=3)
        assert pause(drain(**LEARNED), *rows) == pytest.approx(9 - 1 - 3)
        for since in (6.5, 7.5):
            rows = arrived(took=10), begun(since, waited=3)
            assert pause(drain(**LEARNED), *rows) == POLL
        # no pause is longer than the latest look
        rows = arrived(took=10), begun(2, waited=600)
        assert pause(drain(**LEARNED), *rows) == POLL

    def test_while_the_end_waits_for_more_than_the_last_copy_nothing_is_gained_by_it(self):
        late = begun(9.05)
        for other in (
            row("blocked", state=MigrationState.BLOCKED, code="status_error"),
            begun(9.05, name="other"),
        ):
            assert pause(drain(**LEARNED), arrived(took=10), late, other) == POLL
        for view in ({"state": DrainState.CANCELLING}, {"direction": "back"}):
            assert pause(drain(**LEARNED, **view), arrived(took=10), late) == POLL

    def test_what_is_odd_or_requested_is_looked_at_often(self):
        for odd in (
            running(anomaly_since=ago(1)),
            running(requested=[asked()]),
            running(source_service="down"),
        ):
            assert pause(drain(**LEARNED), arrived(took=60), odd, queued(), WAITS) == POLL


def replace_submitted(one, seconds):
    return replace(one, attempt=replace(one.attempt, submitted_at=ago(seconds)))


class TestTheGlance:
    ROWS = (running(), queued(), WAITS)
    RECORDS = (record(), record("next", "queued", id=8))

    def is_unchanged(self, view, rows, records):
        if not d.may_glance(view, rows):
            return False
        by_server = {r.server_id: [r] for r in records}
        return d.is_unchanged(Pass(view, rows, seen(), LIMITS, NOW), by_server)

    def test_records_as_they_were_tell_that_nothing_happened(self):
        assert self.is_unchanged(drain(**LEARNED), self.ROWS, self.RECORDS)

    @pytest.mark.parametrize("status", ["completed", "failed", "error", "cancelled", "preparing"])
    def test_another_status_tells_that_something_did(self, status):
        changed = (record(status=status), self.RECORDS[1])
        assert not self.is_unchanged(drain(**LEARNED), self.ROWS, changed)

    def test_so_does_a_record_that_is_missing(self):
        assert not self.is_unchanged(drain(**LEARNED), self.ROWS, self.RECORDS[:1])

    def test_where_one_more_may_be_submitted_everything_is_read(self):
        assert not self.is_unchanged(drain(max_concurrent=2), (running(), WAITS), self.RECORDS)

    def test_while_a_limit_is_being_found_out_the_bytes_are_read(self):
        view = drain(max_concurrent=1)
        assert not self.is_unchanged(view, (running(fraction=0.1), WAITS), self.RECORDS)

    @pytest.mark.parametrize(
        "view",
        [
            {"state": DrainState.CANCELLING},
            {"state": DrainState.PAUSED},
            {"direction": "back"},
            {"host_down_since": ago(1)},
        ],
    )
    def test_it_is_not_for_a_drain_of_which_more_is_to_be_known(self, view):
        assert not d.may_glance(drain(**LEARNED, **view), self.ROWS)

    @pytest.mark.parametrize(
        "odd",
        [
            migrating(state=MigrationState.SUBMITTED),
            migrating(state=MigrationState.CONFIRMING),
            running(method="cold"),
            running(anomaly_since=ago(1)),
            running(source_service="down"),
            running(requested=[asked()]),
            running(requested=[asked(taken_at=ago(1))]),
        ],
    )
    def test_nor_for_one_of_which_more_is_to_be_known(self, odd):
        assert not d.may_glance(drain(**LEARNED), (odd, queued()))


class TestWhatFollowsAtOnce:
    def test_what_opens_the_way_for_the_next_pass(self):
        begun = d.ChangeDrain({"state": DrainState.RUNNING})
        for action in (begun, d.OpenMaintenance(seen().service), d.Disable("s", "r")):
            assert d.leads_on([row()], [row()], [action])
        assert not d.leads_on([row()], [row()], [d.Submit(1, None, "ACTIVE")])
        assert not d.leads_on([], [], [d.ChangeDrain({"proving_since": NOW})])

    def test_the_host_is_proved_empty_as_soon_as_the_last_one_left(self):
        assert d.leads_on([running()], [arrived()], [])
        assert not d.leads_on([arrived()], [arrived()], [])

"""Where a guest runs, and whether Nova may be asked to migrate it: the whole table, and what
stands on it in a pass."""

from dataclasses import replace

import pytest

from tests.core.build import (
    LIMITS,
    NOW,
    RUNS,
    ago,
    asked,
    changes,
    decide,
    drain,
    kinds,
    migrating,
    record,
    row,
    seen,
    server,
    service,
    submits,
)
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.codes import OBJECTIONS
from ukcloud_maintenance.core.drain import objections as o
from ukcloud_maintenance.core.drain import whereabouts as w
from ukcloud_maintenance.core.drain.whereabouts import Ending, GuestSight, Step, Word
from ukcloud_maintenance.core.facts import Action, Diagnostics
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import DrainState, Method, MigrationState
from ukcloud_maintenance.messages import english

GONE = GuestSight(refused=True, error="it is in power state running")
SILENT = GuestSight(error="timed out")
#: Nova's words where a hypervisor was asked for a guest that it did not have.
LOST = replace(RUNS, nova_words="Instance web could not be found.")
SIGHTS = {Word.RUNS_HERE: RUNS, Word.NOT_HERE: GONE, Word.SILENT: SILENT, Word.DOUBTFUL: LOST}

LONG_AGO = ago(100_000)


def of_word(word: Word):
    """(server, sight) of which this is known."""
    if word is Word.PAUSED:
        return server(status="PAUSED"), None
    if word is Word.OFF:
        return server(status="SHUTOFF"), None
    return server(), SIGHTS[word]


#: Fields of a row whose abort Nova took.
TAKEN = {"nova_migration_id": 7, "requested": [asked("abort", "al", taken_at=NOW)]}

#: For each ending what Nova shows: (record, changes of the server, changes of the row).
SHOWN = {
    Ending.NOT_BEGUN: (None, {}, {}),
    Ending.NO_HOST: (record(status="error", dest_compute=""), {}, {}),
    Ending.ROLLED_BACK: (record(status="failed"), {}, {}),
    Ending.ABORTED: (record(status="cancelled"), {}, {}),
    Ending.ABORT_ERROR: (
        record(status="error"),
        {},
        TAKEN
        | {
            "requested": [asked("abort", "timeout", taken_at=NOW)]
        },  # what an admin aborts is not tried again by itself
    ),
    Ending.ERROR: (record(status="error"), {}, {}),
    Ending.STUCK_WAITING: (record(status="accepted"), {"task_state": "migrating"}, {}),
    Ending.LEFT_WAITING: (record(status="queued"), {}, {}),
    Ending.LEFT_OPEN: (record(status="running"), {}, {}),
    Ending.COMPLETED_HERE: (record(status="completed"), {}, {}),
    Ending.RECORD_GONE: (None, {}, {"nova_migration_id": 7}),
    Ending.TASK_WITHOUT_RECORD: (None, {"task_state": "migrating"}, {}),
    Ending.TASK_STUCK: (record(status="failed"), {"task_state": "migrating"}, {}),
    Ending.ERROR_STATUS: (record(status="error"), {"status": "ERROR"}, {}),
}
#: What can be seen together: a server in ERROR is neither PAUSED nor SHUTOFF.
SEEN = [
    (ending, word)
    for ending in Ending
    for word in Word
    if ending is not Ending.ERROR_STATUS or word not in (Word.PAUSED, Word.OFF)
]


class TestTheTable:
    def test_every_ending_with_every_word_has_a_step(self):
        assert set(w.STEPS) == {(ending, word) for ending in Ending for word in Word}

    def test_what_is_not_there_is_never_tried_again_after_a_destination_was_involved(self):
        for ending in set(Ending) - w.HARMLESS:
            assert w.STEPS[ending, Word.NOT_HERE] is Step.UNKNOWN

    def test_nothing_is_tried_again_in_doubt_without_the_hypervisors_word(self):
        for ending in set(Ending) - w.HARMLESS:
            for word in (Word.SILENT, Word.DOUBTFUL):
                assert w.STEPS[ending, word] in (Step.ASK, Step.UNKNOWN)

    def test_a_source_that_was_down_makes_every_harmless_looking_end_as_doubtful_as_an_error(self):
        for ending in (Ending.ROLLED_BACK, Ending.ABORTED):
            for word in Word:
                lost = w.next_step(ending, word, source_lost=True)
                assert lost is w.STEPS[Ending.ERROR, word]

    def test_a_cold_migration_that_failed_has_moved_nothing_that_runs(self):
        assert w.next_step(Ending.ERROR, Word.OFF, cold=True) is Step.AGAIN
        assert w.next_step(Ending.ERROR, Word.OFF, cold=True, source_lost=True) is Step.UNKNOWN
        assert w.next_step(Ending.ERROR, Word.NOT_HERE, cold=True) is Step.UNKNOWN

    @pytest.mark.parametrize("ending", Ending)
    def test_nova_shows_each_ending(self, ending):
        found, of_server, of_row = SHOWN[ending]
        seen_so = {
            "had_record": "nova_migration_id" in of_row,
            "aborted": "requested" in of_row,
        }
        assert w.ending_of(server(**of_server), found, **seen_so) is ending

    @pytest.mark.parametrize("status", ["accepted", "queued", "preparing", "running", "failed"])
    def test_what_nova_works_on_has_not_ended(self, status):
        busy = server(task_state="migrating", status="MIGRATING", vm_state="active")
        ending = w.ending_of(busy, record(status=status))
        over = {"failed": Ending.TASK_STUCK, "accepted": Ending.STUCK_WAITING}
        assert ending is over.get(status)

    @pytest.mark.parametrize("status", ["accepted", "queued", "preparing"])
    def test_a_record_that_waits_for_ever_never_left(self, status):
        assert w.ending_of(server(), record(status=status)) is Ending.LEFT_WAITING

    @pytest.mark.parametrize("status", ["running", "running (post-copy)", "post-migrating"])
    def test_a_record_that_copies_for_ever_may_have_left(self, status):
        assert w.ending_of(server(), record(status=status)) is Ending.LEFT_OPEN


class TestTheWord:
    @pytest.mark.parametrize(
        ("sight", "more", "word"),
        [
            (RUNS, {}, Word.RUNS_HERE),
            (GONE, {}, Word.NOT_HERE),
            (SILENT, {}, Word.SILENT),
            (None, {}, Word.SILENT),
            (GuestSight(Diagnostics("shutdown", "libvirt", 1)), {}, Word.NOT_HERE),
            (GuestSight(Diagnostics("paused", "libvirt", 1)), {}, Word.NOT_HERE),
            (LOST, {}, Word.DOUBTFUL),
            (replace(RUNS, nova_words="Host cmp2 could not be found."), {}, Word.RUNS_HERE),
            (RUNS, {"power_state": 0}, Word.DOUBTFUL),
            (RUNS, {"power_state": 4}, Word.DOUBTFUL),
            (RUNS, {"status": "ERROR", "power_state": 0}, Word.RUNS_HERE),
            (RUNS, {"status": "PAUSED"}, Word.PAUSED),
            (RUNS, {"status": "SHUTOFF"}, Word.OFF),
            (RUNS, {"status": "MIGRATING", "vm_state": "paused", "task_state": "x"}, Word.PAUSED),
        ],
    )
    def test_the_more_cautious_sign_counts(self, sight, more, word):
        assert w.word_of(server(**more), sight) is word


def after(ending, word, **more):
    """What a pass makes of an attempt that ended so long ago."""
    shown, of_server, of_row = SHOWN[ending]
    here, sight = of_word(word)
    one = migrating(**{"anomaly_since": LONG_AGO, **of_row, **more})
    here = replace(here, **of_server)
    guests = {} if sight is None else {"web": sight}
    observation = seen(here, records=(shown,) if shown else (), guests=guests)
    actions = decide(drain(), [one], observation)
    assert not submits(actions)
    return actions, changes(actions, one)


class TestAPass:
    @pytest.mark.parametrize(("ending", "word"), SEEN)
    def test_follows_the_table(self, ending, word):
        _, changed = after(ending, word)
        step = w.STEPS[ending, word]
        wanted = {
            Step.AGAIN: MigrationState.PENDING,
            Step.FAILED: MigrationState.FAILED,
            Step.UNKNOWN: MigrationState.UNKNOWN,
            Step.ASK: MigrationState.UNKNOWN,  # it was asked long enough
        }[step]
        assert changed["state"] == wanted
        if wanted is MigrationState.PENDING:
            assert changed["not_before"] > NOW

    @pytest.mark.parametrize(("ending", "word"), SEEN)
    def test_names_both_hosts_to_look_on_where_a_person_must(self, ending, word):
        _, changed = after(ending, word, dest_compute="cmp2")
        if changed["state"] == MigrationState.UNKNOWN:
            assert "cmp1" in english(changed["message"])
            assert "cmp2" in english(changed["message"])
            assert "do not start" in english(changed["message"])

    def test_asks_again_before_it_gives_up(self):
        one = migrating(anomaly_since=ago(LIMITS.settle_seconds + 1))
        silent = seen(server(), records=(record(status="cancelled"),), guests={"web": SILENT})
        changed = changes(decide(drain(), [one], silent), one)
        assert "state" not in changed
        assert "did not report" in english(changed["message"])

    def test_says_why_it_waits(self):
        one = migrating(anomaly_since=ago(20), dest_compute="cmp2")
        over = seen(server(), records=(record(status="error"),), guests={})
        changed = changes(decide(drain(), [one], over), one)
        assert "libvirt may still finish the copy by itself" in english(changed["message"])
        busy = seen(server(task_state="migrating"), records=(), guests={})
        assert "message" not in changes(decide(drain(), [migrating()], busy), migrating())

    def test_waits_for_the_word_that_it_has_not_asked_for(self):
        one = migrating(anomaly_since=LONG_AGO)
        unasked = seen(server(), records=(record(status="error"),), guests={})
        assert "state" not in changes(decide(drain(), [one], unasked), one)

    def test_a_source_that_is_down_is_remembered_for_the_attempt(self):
        busy = server(task_state="migrating", status="MIGRATING", vm_state="active")
        one = migrating()
        down = seen(busy, records=(record(),), service=service(state="down"))
        assert changes(decide(drain(), [one], down), one)["source_service"] == d.SOURCE_DOWN
        one = migrating(source_service=d.SOURCE_DOWN)
        back = seen(busy, records=(record(),))
        assert changes(decide(drain(), [one], back), one)["source_service"] == d.SOURCE_WAS_DOWN

    def test_so_is_that_of_a_run_back(self):
        one = migrating(source_compute="cmp2")
        there = server(host="cmp2", task_state="migrating", status="MIGRATING")
        view = drain(direction="back")
        dark = seen(
            there,
            records=(record(source_compute="cmp2"),),
            service=service(status="enabled", disabled_reason=""),
            sources={"cmp2": service(host="cmp2", state="down")},
        )
        assert changes(decide(view, [one], dark), one)["source_service"] == d.SOURCE_DOWN

    def test_a_paused_guest_whose_source_was_down_is_for_a_person(self):
        one = migrating(anomaly_since=LONG_AGO, source_service=d.SOURCE_WAS_DOWN)
        sight = seen(server(status="PAUSED"), records=(record(status="failed"),))
        assert changes(decide(drain(), [one], sight), one)["state"] == MigrationState.UNKNOWN

    def test_a_source_that_was_down_is_given_the_time_of_the_copy(self):
        early = migrating(anomaly_since=ago(100), source_service=d.SOURCE_WAS_DOWN)
        sight = seen(server(), records=(record(status="cancelled"),))
        assert "state" not in changes(decide(drain(), [early], sight), early)

    @pytest.mark.parametrize("state", [DrainState.RUNNING, DrainState.CANCELLING])
    @pytest.mark.parametrize("kind", ["abort", "force_complete"])
    def test_nothing_is_asked_of_nova_while_the_source_is_down(self, state, kind):
        one = migrating(nova_migration_id=7, nova_status="running", requested=[asked(kind, "al")])
        busy = server(task_state="migrating", status="MIGRATING", vm_state="active")
        down = seen(busy, records=(record(),), service=service(state="down"))
        view = drain(
            state=state,
            cancel_abort=True,
            cancelling_since=ago(1),
            host_down_since=NOW,
        )
        actions = decide(view, [one], down)
        assert not [a for a in actions if isinstance(a, d.Abort | d.ForceComplete)]

    @pytest.mark.parametrize("action", ["abort", "force_complete"])
    def test_nor_is_it_said_that_a_timeout_does_something_then(self, action):
        one = migrating(nova_migration_id=7, nova_status="running", running_since=LONG_AGO)
        busy = server(task_state="migrating", status="MIGRATING", vm_state="active")
        view = drain(timeout_action=action, host_down_since=NOW)
        down = seen(busy, records=(record(),), service=service(state="down"))
        assert "timed_out" not in kinds(decide(view, [one], down))
        back = seen(busy, records=(record(),))
        assert "timed_out" in kinds(decide(view, [one], back))

    @pytest.mark.parametrize("status", ["PAUSED", "SHUTOFF"])
    def test_an_abort_that_ended_in_error_proves_nothing_of_what_no_hypervisor_tells(self, status):
        one = migrating(anomaly_since=LONG_AGO, **TAKEN)
        sight = seen(server(status=status), records=(record(status="error"),))
        changed = changes(decide(drain(), [one], sight), one)
        assert changed["state"] == MigrationState.UNKNOWN
        assert "was aborted, as" not in english(changed["message"])

    def test_what_was_aborted_and_is_shut_off_is_not_said_to_run(self):
        one = migrating(anomaly_since=LONG_AGO, **TAKEN)
        sight = seen(server(status="SHUTOFF"), records=(record(status="cancelled"),))
        message = english(changes(decide(drain(), [one], sight), one)["message"])
        assert "It is SHUTOFF on this host." in message
        assert "runs" not in message

    def test_a_record_left_waiting_is_named_and_the_instance_moved_again(self):
        actions, changed = after(Ending.LEFT_WAITING, Word.RUNS_HERE)
        assert changed["code"] == d.LEFT_RECORD
        assert "migration 7" in english(changed["message"])
        assert kinds(actions) == ["attempt_failed"]


class TestWhoIsAskedAbout:
    def wanted(self, one, *servers, **more):
        observation = replace(seen(*servers, **more), guests={})
        return d.words_wanted(drain(), [one], observation, LIMITS, NOW)

    def test_nobody_whose_migration_is_in_progress(self):
        busy = server(task_state="migrating", status="MIGRATING", vm_state="active")
        assert self.wanted(migrating(), busy, records=(record(),)) == []

    @pytest.mark.parametrize("ending", sorted(set(Ending) - w.HARMLESS))
    def test_everybody_whose_end_leaves_doubt_once_it_has_stood(self, ending):
        shown, of_server, of_row = SHOWN[ending]
        here = server(**of_server)
        records = (shown,) if shown else ()
        at_once = ending is Ending.ROLLED_BACK
        fresh = migrating(**of_row)
        assert self.wanted(fresh, here, records=records) == (["web"] if at_once else [])
        stood = migrating(anomaly_since=LONG_AGO, **of_row)
        assert self.wanted(stood, here, records=records) == ["web"]

    @pytest.mark.parametrize("status", ["PAUSED", "SHUTOFF"])
    def test_nobody_of_whom_no_hypervisor_tells(self, status):
        one = migrating(anomaly_since=LONG_AGO)
        assert self.wanted(one, server(status=status), records=(record(status="error"),)) == []

    def test_nobody_while_the_source_is_down(self):
        one = migrating(anomaly_since=LONG_AGO)
        down = service(state="down")
        shown = (record(status="error"),)
        assert self.wanted(one, server(), records=shown, service=down) == []

    @pytest.mark.parametrize("code", sorted(OBJECTIONS))
    def test_who_waits_for_a_word(self, code):
        assert self.wanted(row(state="blocked", code=code), server()) == ["web"]
        assert self.wanted(row(state="blocked", code="no_room"), server()) == []

    @pytest.mark.parametrize("code", sorted(OBJECTIONS))
    def test_and_goes_on_once_it_is_there(self, code):
        one = row(state="blocked", code=code)
        held = decide(drain(), [one], seen(server(), guests={"web": SILENT}))
        assert "state" not in changes(held, one)
        free = decide(drain(), [one], seen(server()))
        assert changes(free, one)["state"] == MigrationState.PENDING

    @pytest.mark.parametrize("code", sorted(OBJECTIONS))
    def test_and_is_judged_anew_where_no_word_is_to_be_had_any_more(self, code):
        """What was shut down from within is SHUTOFF for Nova some minutes later."""
        off = row(state="blocked", code=code)
        free = decide(drain(), [off], seen(server(status="SHUTOFF"), guests={}))
        assert changes(free, off)["state"] == MigrationState.PENDING
        mute = GuestSight(unsupported=True, error="not implemented")
        free = decide(drain(), [off], seen(server(), guests={"web": mute}))
        assert changes(free, off)["state"] == MigrationState.PENDING

    @pytest.mark.parametrize("code", sorted(OBJECTIONS))
    def test_no_host_that_is_down_for_what_waits(self, code):
        """It would not answer before the time-out."""
        down = service(state="down")
        assert self.wanted(row(state="blocked", code=code), server(), service=down) == []


def ask(server_, *records, actions=(), sight=RUNS, method=Method.LIVE, words=""):
    return o.objection(server_, method, records, actions, sight, words)


class TestBeforeNovaIsAsked:
    @pytest.mark.parametrize("method", [Method.LIVE, Method.COLD])
    def test_a_guest_that_runs_where_nova_has_it_may_be_migrated(self, method):
        assert ask(server(), method=method) is None
        assert ask(server(), record(status="failed"), method=method) is None
        assert ask(server(), record(status="error"), method=method) is None

    @pytest.mark.parametrize("method", [Method.LIVE, Method.COLD])
    @pytest.mark.parametrize(
        ("sight", "code"),
        [(GONE, o.NOT_HERE), (SILENT, o.SILENT), (None, o.SILENT)],
    )
    def test_one_that_does_not_may_not(self, method, sight, code):
        found = ask(server(), sight=sight, method=method)
        assert (found.code, found.doubt) == (code, False)

    def test_one_whose_power_state_speaks_against_it_may_not(self):
        assert ask(server(power_state=0)).code == o.POWER

    @pytest.mark.parametrize("status", ["error", "queued", "accepted", "preparing", "completed"])
    def test_one_that_may_have_left_for_elsewhere_is_for_a_person(self, status):
        found = ask(server(), record(status=status), sight=GONE)
        assert (found.code, found.doubt) == (o.NOT_HERE, True)
        assert "cmp1" in english(found.said)
        assert "cmp2" in english(found.said)

    @pytest.mark.parametrize("status", ["running", "running (post-copy)", "post-migrating"])
    def test_a_copy_that_may_be_in_progress_keeps_every_other_one_off(self, status):
        found = ask(server(), record(status=status))
        assert (found.code, found.doubt) == (o.STILL_OPEN, True)

    def test_a_driver_that_never_tells_is_no_obstacle_without_doubt(self):
        mute = GuestSight(unsupported=True, error="not implemented")
        assert ask(server(), sight=mute) is None
        found = ask(server(), record(status="error"), sight=mute)
        assert (found.code, found.doubt) == (o.SILENT, True)  # to wait for it would be in vain
        assert "cmp2" in english(found.said)

    @pytest.mark.parametrize("status", ["PAUSED", "SHUTOFF"])
    def test_of_what_no_hypervisor_tells_the_last_migration_must_be_free_of_doubt(self, status):
        one = server(status=status)
        assert ask(one, sight=None) is None
        assert ask(one, record(status="failed"), sight=None) is None
        assert ask(one, record(status="error", dest_compute=""), sight=None) is None
        assert ask(one, record(status="completed", dest_compute="cmp1"), sight=None) is None
        found = ask(one, record(status="error"), sight=None)
        assert (found.code, found.doubt) == (o.LEFT_IN_DOUBT, True)

    def test_a_cold_migration_that_failed_leaves_no_doubt_of_what_is_shut_off(self):
        cold = record(status="error", migration_type="migration")
        assert ask(server(status="SHUTOFF"), cold, sight=None) is None

    def test_a_start_since_settles_it(self):
        one = server(status="SHUTOFF")
        over = record(status="error", updated_at=ago(200))
        started = Action("req-1", "start", "al", ago(50))
        assert ask(one, over, actions=[started], sight=None) is None
        for no_settling in (
            replace(started, started_at=ago(300)),
            replace(started, started_at=ago(150)),  # two clocks of Nova
            replace(started, message=text("Error")),
            replace(started, action="stop"),
        ):
            assert ask(one, over, actions=[no_settling], sight=None).code == o.LEFT_IN_DOUBT

    def test_an_older_record_is_no_matter(self):
        older = record(id=6, status="error")
        newer = record(id=9, status="completed", dest_compute="cmp1", source_compute="cmp2")
        assert ask(server(status="SHUTOFF"), newer, older, sight=None) is None

    @pytest.mark.parametrize("status", ["PAUSED", "SHUTOFF"])
    @pytest.mark.parametrize(
        "later",
        [
            record(id=9, status="error", dest_compute=""),
            record(id=9, status="failed", dest_compute="cmp3"),
            record(id=9, status="cancelled", dest_compute="cmp3"),
            record(id=9, status="error", migration_type="migration"),
        ],
    )
    def test_a_later_attempt_that_failed_does_not_hide_the_one_that_left_doubt(self, later, status):
        found = ask(server(status=status), later, record(status="error"), sight=None)
        assert (found.code, found.doubt) == (o.LEFT_IN_DOUBT, True)
        assert "Migration 7 to cmp2" in english(found.said)

    def test_nor_does_it_hide_a_copy_that_may_be_in_progress(self):
        later = record(id=9, status="error", dest_compute="")
        found = ask(server(), later, record(status="running"))
        assert (found.code, found.doubt) == (o.STILL_OPEN, True)
        assert "migration 7 to cmp2" in english(found.said)

    @pytest.mark.parametrize("status", ["ACTIVE", "PAUSED", "SHUTOFF"])
    def test_a_guest_that_was_started_anew_may_have_an_older_twin(self, status):
        """Nova did not find the guest at the source: it was at the destination. Started again by
        its owner it runs at the source too, and to migrate it there destroys the other."""
        over = record(status="error", updated_at=ago(200))
        started = Action("req-1", "reboot", "al", ago(50))
        lost = "Instance web could not be found."
        found = ask(server(status=status), over, actions=[started], words=lost)
        assert (found.code, found.doubt) == (o.LEFT_IN_DOUBT, True)
        assert "cmp2" in english(found.said)
        other = "Instance db could not be found."
        assert ask(server(status=status), over, actions=[started], words=other) is None
        came = record(id=9, status="completed", dest_compute="cmp1", source_compute="cmp2")
        assert ask(server(status=status), came, over, actions=[started], words=lost) is None

    def test_the_request_that_left_doubt_is_the_one_of_its_time(self):
        over = record(status="error", created_at=ago(200))
        moves = [
            Action("req-later", "live-migration", "al", ago(170)),
            Action("req-start", "start", "al", ago(199)),
            Action("req-that", "live-migration", "al", ago(201)),
            Action("req-older", "live-migration", "al", ago(900)),
        ]
        assert o.doubtful_request("cmp1", [over], moves) == "req-that"
        assert o.doubtful_request("cmp2", [over], moves) == ""
        assert o.doubtful_request("cmp1", [record(status="failed")], moves) == ""

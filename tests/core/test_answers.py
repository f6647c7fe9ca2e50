"""What becomes of a row, and of a drain, by what came of asking Nova for a change."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.core.build import LIMITS, NOW, ago, asked, drain, migrating, record, row, server
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.cancelling import CANCELLING
from ukcloud_maintenance.core.drain import outage
from ukcloud_maintenance.core.drain.answers import (
    Answer,
    Consequence,
    asking,
    confirm_failed,
    confirm_taken,
    is_reset,
    not_readable,
    not_reset,
    request_failed,
    request_taken,
    submit_failed,
    submitted,
    to_confirm,
    was_reset,
    with_reason,
)
from ukcloud_maintenance.core.drain.beginning import (
    held_back,
    is_as_seen,
    new_attempt,
    stepped_back,
    why_step_back,
)
from ukcloud_maintenance.core.drain.objections import Objection
from ukcloud_maintenance.core.facts import Action
from ukcloud_maintenance.core.message import message, several, text
from ukcloud_maintenance.core.states import (
    DrainResult,
    DrainState,
    Method,
    MigrationState,
    RequestKind,
    check_migration_transition,
)
from ukcloud_maintenance.messages import english

PATIENCE = 3600


def answer(detail: str = "no", **more) -> Answer:
    said = text(f"Could not ask: {detail}")
    given = {"said": said, "words": detail, "request_id": "req-1"}
    return Answer(**{**given, **more})


#: Every kind of answer that is not the one that was hoped for.
ANSWERS = {
    "unsent": answer("connection refused", not_begun=True),
    "unsent, no session": answer("log in", refuses=True, not_begun=True),
    "401": answer("token", status=401, refuses=True, not_begun=True),
    "429": answer("slow down", status=429, refuses=True, not_begun=True, retry_after=7),
    "503, busy": answer("later", status=503, retry_after=7),
    "409": answer("task_state", status=409, refuses=True),
    "403": answer("policy", status=403, refuses=True),
    "404": answer("not found", status=404, refuses=True),
    "400": answer("no valid host", status=400, refuses=True),
    "500": answer("MessagingTimeout", status=500),
    "lost": answer("no answer"),
}
REFUSED = ("409", "403", "404", "400")
NOT_BEGUN = ("unsent", "unsent, no session", "401", "429")


def sent(**more) -> d.Row:
    return migrating(state=MigrationState.SUBMITTED, request_id="", **more)


def of_submit(kind: str, one: d.Row, retry: bool = True) -> Consequence:
    found = submit_failed(one, ANSWERS[kind], LIMITS, NOW, patience_seconds=PATIENCE, retry=retry)
    if "state" in found.fields:
        check_migration_transition(one.state, str(found.fields["state"]))
    return found


# -- a migration is requested --------------------------------------------------------------------

#: how long it has been put off already, in seconds (None: it has not); the attempts before
SITUATIONS = {
    "the first time": (None, 1),
    "put off before": (100, 1),
    "put off for too long": (PATIENCE, 1),
    "the last attempt": (None, LIMITS.max_attempts),
    "the last attempt, put off for too long": (PATIENCE, LIMITS.max_attempts),
}
#: what becomes of it: the event or line, the new state, whether it is the drain's trouble
PUT_OFF = ("put_off", "pending", True)
AGAIN = ("attempt_failed", "pending", False)
FAILED = ("failed", "failed", False)
LOOKED_FOR = ("answer_lost", None, False)
LOOKED_FOR_LATER = ("answer_lost", None, True)
TABLE = {
    "unsent": [PUT_OFF, PUT_OFF, LOOKED_FOR, PUT_OFF, LOOKED_FOR],
    "unsent, no session": [PUT_OFF, PUT_OFF, AGAIN, PUT_OFF, FAILED],
    "401": [PUT_OFF, PUT_OFF, AGAIN, PUT_OFF, FAILED],
    "429": [PUT_OFF, PUT_OFF, AGAIN, PUT_OFF, FAILED],
    "503, busy": [LOOKED_FOR_LATER, LOOKED_FOR_LATER, LOOKED_FOR, LOOKED_FOR_LATER, LOOKED_FOR],
    **{kind: [AGAIN, AGAIN, AGAIN, FAILED, FAILED] for kind in REFUSED},
    "500": [LOOKED_FOR] * 5,
    "lost": [LOOKED_FOR] * 5,
}


def test_the_table_has_every_answer():
    assert TABLE.keys() == ANSWERS.keys()


@pytest.mark.parametrize(
    ("kind", "situation", "expected"),
    [
        (kind, situation, expected)
        for kind, column in TABLE.items()
        for situation, expected in zip(SITUATIONS, column, strict=True)
    ],
)
def test_what_becomes_of_a_migration_that_was_requested_in_vain(kind, situation, expected):
    put_off, attempts = SITUATIONS[situation]
    since = None if put_off is None else ago(put_off)
    one = sent(attempts=attempts, put_off_since=since)
    found = of_submit(kind, one)
    assert (found.kind, found.fields.get("state"), found.is_trouble) == expected
    assert found.request_id == "req-1"
    assert found.is_setback


@pytest.mark.parametrize("kind", NOT_BEGUN)
def test_what_was_not_begun_is_no_attempt_and_waits_as_long_as_nova_asks(kind):
    found = of_submit(kind, sent())
    assert found.fields["extra_attempts"] == 1
    assert found.fields["put_off_since"] == NOW
    pause = ANSWERS[kind].retry_after or 0
    assert found.fields["not_before"] == NOW + timedelta(seconds=pause)
    assert found.said == message("put_off", why=ANSWERS[kind].said)
    assert found.is_recorded
    again = of_submit(kind, sent(put_off_since=ago(9), extra_attempts=1))
    assert not again.is_recorded, "what repeats itself is recorded once"
    assert again.fields["put_off_since"] == ago(9)
    assert again.fields["extra_attempts"] == 2


def test_a_busy_nova_that_may_have_it_costs_no_attempt_if_it_turns_out_not_to():
    found = of_submit("503, busy", sent())
    assert (found.fields["extra_attempts"], found.fields["put_off_since"]) == (1, NOW)
    assert not found.is_recorded
    assert "extra_attempts" not in of_submit("lost", sent()).fields


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_says_why_and_waits(kind):
    found = of_submit(kind, sent())
    given = ANSWERS[kind]
    assert found.said == found.fields["message"] == message("nova_refused", words=given.words)
    assert found.fields["code"] == f"refused_{given.status}"
    assert found.fields["request_id"] == "req-1"
    assert found.fields["not_before"] == NOW + timedelta(seconds=LIMITS.retry_seconds)


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_one_of_a_drain_that_is_cancelled_is_not_tried_again(kind):
    assert of_submit(kind, sent(), retry=False).fields["state"] == MigrationState.FAILED


def test_what_nova_took_is_under_way():
    found = submitted("cmp2", "req-2")
    assert found.fields["state"] == MigrationState.MIGRATING
    assert found.fields["put_off_since"] is None
    assert (found.kind, found.said, found.request_id) == (
        "submitted",
        message("moves_to", host="cmp2"),
        "req-2",
    )
    assert not found.is_setback


@pytest.mark.parametrize("kind", ["400", "409", "500", "lost"])
def test_what_nova_does_not_tell_of_one_server_counts_as_an_attempt(kind):
    found = not_readable(row(attempts=1), ANSWERS[kind], LIMITS, NOW)
    assert (found.kind, found.fields["attempts"]) == ("attempt_failed", 2)
    assert found.fields["code"] == "not_readable"
    last = not_readable(row(attempts=LIMITS.max_attempts - 1), ANSWERS[kind], LIMITS, NOW)
    assert (last.kind, last.fields["state"]) == ("failed", MigrationState.FAILED)


@pytest.mark.parametrize("kind", ["429", "503, busy"])
def test_a_nova_that_is_busy_is_the_drains_trouble_whatever_it_is_asked(kind):
    assert not_readable(row(), ANSWERS[kind], LIMITS, NOW) == Consequence(is_trouble=True)


# -- just before it is requested -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (server(), True),
        (None, False),
        (server(host="cmp2"), False),
        (server(task_state="rebooting"), False),
        (server(status="SHUTOFF"), False),
    ],
)
def test_only_what_is_as_it_was_seen_is_migrated(now, expected):
    assert is_as_seen(now, "cmp1", "ACTIVE") is expected


@pytest.mark.parametrize(("doubt", "state"), [(True, "unknown"), (False, "blocked")])
def test_a_doubt_needs_a_person_and_everything_else_is_looked_at_again(doubt, state):
    found = held_back(Objection("guest_silent", text("No word."), doubt))
    assert found.fields == {"state": state, "code": "guest_silent", "message": text("No word.")}
    assert (found.kind, found.said) == (state, text("No word."))


def attempt(one: d.Row, **more):
    given = {
        "method": Method.LIVE,
        "status": "ACTIVE",
        "host": "cmp2",
        "records": [record(id=7), record(id=4)],
        "actions": [Action(action="live-migration", request_id="req-9", user_id="u")],
        "now": NOW,
    }
    return new_attempt(one, **{**given, **more})


def test_an_attempt_records_what_was_there_and_forgets_the_one_before():
    before = row(attempts=2, code="nova_failed", message=text("It failed."), anomaly_since=NOW)
    found = attempt(before)
    assert (found["state"], found["attempts"]) == (MigrationState.SUBMITTED, 3)
    assert (found["before_migration_id"], found["before_action"]) == (7, "req-9")
    assert found["dest_compute"] == found["asked_host"] == found["sent_to"] == "cmp2"
    assert found["submitted_at"] == NOW
    forgotten = ("code", "message", "anomaly_since", "not_before")
    assert not any(found[name] for name in forgotten)


def test_the_first_attempt_of_a_server_that_has_no_past():
    found = attempt(row(), records=[], actions=[], host=None)
    assert (found["before_migration_id"], found["before_action"]) == (0, "")
    assert found["dest_compute"] == ""


def test_what_ran_when_it_was_stopped_to_be_moved_is_to_run_again():
    stopped = row(choice="cold", attempts=1, initial_status="ACTIVE")
    assert attempt(stopped, status="SHUTOFF")["initial_status"] == "ACTIVE"
    assert attempt(row(choice="cold"), status="SHUTOFF")["initial_status"] == "SHUTOFF"


@pytest.mark.parametrize(
    ("group", "host", "total", "inbound", "expected"),
    [
        ("", "cmp2", 4, {"cmp2": 2}, ""),
        ("ring", "cmp2", 4, {"cmp2": 2}, "anti-affinity"),
        ("other", "cmp2", 4, {}, ""),
        ("", "cmp2", 5, {}, "no further migrations at once"),
        ("", "cmp2", 4, {"cmp2": 3}, "no further migrations at once"),
        ("", "", 4, {"cmp2": 3}, ""),
    ],
)
def test_two_that_set_out_at_the_same_moment_step_back(group, host, total, inbound, expected):
    found = why_step_back(row(group=group), host, frozenset({"ring"}), total, inbound, 4, 2)
    assert expected in english(found)
    assert bool(found) is bool(expected)


def test_who_steps_back_has_made_no_attempt():
    found = stepped_back(sent(extra_attempts=1), text("It waits."), 3, NOW)
    assert found.fields == {
        "state": MigrationState.PENDING,
        "extra_attempts": 2,
        "message": text("It waits."),
        "submitted_at": None,
        "not_before": NOW + timedelta(seconds=3),
    }
    assert not found.kind


# -- a resize is confirmed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "records", "expected"),
    [
        (None, [record(id=3, status="finished")], 3),
        (3, [record(id=3, status="finished"), record(id=2, status="finished")], 3),
        (3, [record(id=3, status="confirmed")], None),
        (None, [], None),
    ],
)
def test_our_own_resize_is_confirmed(known, records, expected):
    assert to_confirm(row(nova_migration_id=known), records) == expected


def test_somebody_elses_resize_is_not_ours_to_confirm():
    found = to_confirm(row(nova_migration_id=3), [record(id=5, status="finished")])
    assert isinstance(found, Consequence)
    assert (found.fields["state"], found.fields["code"]) == (MigrationState.FAILED, "resized_again")


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_confirmation_in_vain_is_asked_for_again(kind):
    found = confirm_failed(row(state=MigrationState.CONFIRMING, confirms=2), ANSWERS[kind])
    assert "state" not in found.fields
    assert found.is_trouble is (kind in NOT_BEGUN)
    assert found.fields.get("confirms") == (1 if kind in NOT_BEGUN else None)
    assert not (found.kind and found.is_recorded)


def test_a_confirmation_that_nova_took_is_recorded():
    found = confirm_taken("req-3")
    assert (found.kind, found.request_id) == ("confirm_asked", "req-3")
    assert found.is_recorded
    assert not found.is_setback


# -- what was requested for one instance ---------------------------------------------------------

KINDS = {RequestKind.ABORT: "abort", RequestKind.FORCE: "force", RequestKind.RESET: "reset"}


def test_that_nova_is_asked_is_recorded_before():
    found = {"tries": 3, "tried_at": NOW, "nova_migration_id": 9}
    unknown = asked(tries=2, nova_migration_id=None)  # when it was requested
    assert (
        asking(unknown, 9, NOW) == asking(asked(tries=2, nova_migration_id=9), None, NOW) == found
    )


@pytest.mark.parametrize("about", KINDS)
@pytest.mark.parametrize("kind", ANSWERS)
def test_what_becomes_of_a_request_in_vain(kind, about):
    found = request_failed(asked(about, tries=1), ANSWERS[kind])
    assert not found.fields, "the instance is as it was"
    if kind in NOT_BEGUN:
        standing = Consequence(request={"tries": 0}, is_trouble=True)
        assert found == standing, "it stands, and is no try"
    elif kind in REFUSED:
        assert found.kind == f"{KINDS[about]}_refused"
        assert found.request["state"] == "refused", "it is over"
        assert found.request["answer"] == found.said
        assert english(found.said).endswith(f": {ANSWERS[kind].words}")
    else:
        assert found.kind == f"{KINDS[about]}_unanswered"
        assert "state" not in found.request, "it is asked for again"
        assert not found.is_trouble


@pytest.mark.parametrize("about", [RequestKind.ABORT, RequestKind.FORCE])
def test_the_same_answer_twice_is_recorded_once(about):
    first = request_failed(asked(about), ANSWERS["lost"])
    second = request_failed(replace(asked(about), **first.request), ANSWERS["lost"])
    assert (first.kind, second) == (f"{KINDS[about]}_unanswered", Consequence())


@pytest.mark.parametrize(
    ("about", "kind"), [(RequestKind.ABORT, "aborting"), (RequestKind.FORCE, "forced")]
)
def test_a_request_that_nova_took_is_over(about, kind):
    found = request_taken(about, "req-4", NOW)
    assert found.kind == kind
    assert (found.request["state"], found.request["taken_at"]) == ("taken", NOW)
    assert found.request["request_id"] == found.request_id == "req-4"
    assert not found.is_setback


def test_a_reset_is_asked_for_a_bounded_number_of_times():
    one = asked("reset", tries=d.ASK_AGAIN_TIMES - 1)
    assert "state" not in request_failed(one, ANSWERS["500"]).request
    last = request_failed(replace(one, tries=d.ASK_AGAIN_TIMES), ANSWERS["500"])
    assert (last.kind, last.request["state"]) == ("reset_refused", "refused")
    assert english(last.said) == "Its state was not reset: Could not ask: MessagingTimeout"


@pytest.mark.parametrize(
    ("tries", "now", "expected"),
    [
        (1, server(), True),
        (0, server(), False),
        (1, server(status="ERROR"), False),
        (1, server(host="cmp2"), False),
        (1, None, False),
    ],
)
def test_an_active_server_was_reset_by_us_only_where_we_asked(tries, now, expected):
    one = row(requested=[asked("reset", tries=tries)], source_compute="cmp1")
    assert is_reset(one, now) is expected


def test_a_reset_whose_answer_was_lost_is_ours_though_a_further_one_was_not_sent():
    again = asked("reset", tries=2)
    again = replace(again, **request_failed(again, ANSWERS["unsent"]).request)
    assert is_reset(row(requested=[again], source_compute="cmp1"), server())


def test_a_reset_ends_as_failed_and_says_who_asked():
    found = was_reset(row(source_compute="cmp1"), asked("reset", "bob"), "req-5", NOW)
    assert (found.fields["state"], found.fields["code"]) == (MigrationState.FAILED, "reset")
    expected = "Its state was reset to active, as requested by bob; it runs on cmp1."
    assert english(found.said) == expected
    assert (found.request["state"], found.request["taken_at"]) == ("taken", NOW)


def test_a_reset_without_evidence_is_refused_with_what_is_missing():
    found = not_reset(asked("reset", tries=1), text("Its host is down."))
    assert english(found.said) == "Its state was not reset: Its host is down."
    assert found.request["state"] == "refused"


# -- Nova's words about a failure ----------------------------------------------------------------


def test_novas_words_are_added_and_their_cause_keeps_a_host_away():
    decided = d.ChangeRow(
        1, {"state": "pending", "message": text("It failed.")}, "attempt_failed", text("Why:")
    )
    words = "domain 'x' already exists with uuid 1"
    failed = row(dest_compute="cmp2", unfit_hosts={"cmp3": "x"}, request_id="req-1")
    found = with_reason(failed, decided, words)
    says = message("nova_says", words=words, request_id="req-1")
    assert found.message == several(text("Why:"), says)
    assert english(found.fields["message"]) == f"It failed. Nova: {words} (req-1)"
    assert found.fields["unfit_hosts"] == {"cmp3": "x", "cmp2": "leftovers_at_destination"}
    assert "unfit_hosts" not in with_reason(row(), decided, "no").fields
    assert with_reason(row(), decided, "") is decided


# -- a drain that cannot be worked on ------------------------------------------------------------


DETAIL = text("No answer.")


def trouble(found_drain: d.DrainView, since, rows=(), what=outage.TROUBLE):
    said = message(what, detail=DETAIL)
    return outage.in_trouble(found_drain, since, list(rows), said, PATIENCE, NOW)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        (outage.TROUBLE, "cloud_down"),
        (outage.BUSY, "cloud_down"),
        (outage.FAILS, "worker_failed"),
    ],
)
def test_trouble_is_said_once_and_since_when(what, kind):
    found = trouble(drain(), None, what=what)
    said = message(what, detail=DETAIL)
    change = d.ChangeDrain({"cloud_down_since": NOW, "message": said}, kind, DETAIL)
    assert found == outage.Outage(change)
    assert trouble(drain(message=said), ago(5), what=what) == outage.Outage()
    other = trouble(drain(message=text("Something else.")), ago(5), what=what)
    assert other == outage.Outage(d.ChangeDrain({"message": said}))


@pytest.mark.parametrize("state", [DrainState.PAUSED, DrainState.PENDING])
def test_what_does_not_move_is_waited_for_without_end(state):
    assert trouble(drain(state=state), ago(2 * PATIENCE), [row()]).end is None


ROWS = [
    row("waits"),
    row("blocked", state=MigrationState.BLOCKED),
    migrating("moves", source_compute="cmp1", dest_compute="cmp2"),
    row("done", state=MigrationState.SUCCEEDED),
]


@pytest.mark.parametrize(
    ("state", "rest", "end"),
    [
        (DrainState.RUNNING, MigrationState.FAILED, DrainState.FAILED),
        (DrainState.CANCELLING, MigrationState.CANCELLED, DrainState.CANCELLED),
    ],
)
def test_after_a_bounded_wait_it_ends_with_what_is_known(state, rest, end):
    found = trouble(drain(state=state), ago(PATIENCE), ROWS)
    states = [found.rows[one.id].fields["state"] for one in ROWS[:3]]
    assert states == [rest, rest, MigrationState.UNKNOWN]
    assert ROWS[3].id not in found.rows
    unknown = found.rows[ROWS[2].id]
    assert (unknown.fields["code"], unknown.request_id) == ("cloud_lost", "req-ours")
    assert "OpenStack stopped answering while it was being migrated" in english(unknown.said)
    assert (found.end.state, found.end.result) == (end, DrainResult.INTERRUPTED)
    assert english(found.end.message).startswith("It is unknown where moves runs.")


def test_it_does_not_end_a_moment_too_early():
    assert trouble(drain(), ago(PATIENCE - 1), ROWS).end is None
    assert trouble(drain(), None, ROWS).end is None


def test_whether_the_service_was_given_back_is_said_not_to_be_known():
    cancelling = drain(state=DrainState.CANCELLING, cancel_enable=True)
    end = trouble(cancelling, ago(PATIENCE)).end
    assert "It is unknown whether the compute service is enabled again." in english(end.message)


@pytest.mark.parametrize(
    ("state", "code", "since", "fields", "kind"),
    [
        ("running", outage.BUSY, ago(1), {"message": None}, "cloud_back"),
        ("cancelling", outage.FAILS, ago(1), {"message": CANCELLING}, "cloud_back"),
        ("running", "region_full", ago(1), {}, "cloud_back"),
        ("running", outage.TROUBLE, None, {"message": None}, ""),
    ],
)
def test_trouble_that_is_over_is_not_said_any_more(state, code, since, fields, kind):
    said = message(code, detail=DETAIL)
    found = outage.is_over(drain(state=state, message=said), since)
    assert found == d.ChangeDrain({"cloud_down_since": None, **fields}, kind)


@pytest.mark.parametrize(
    ("state", "said", "since"),
    [("running", None, None), ("failed", message(outage.TROUBLE, detail=DETAIL), ago(1))],
)
def test_where_nothing_was_said_or_all_is_over_nothing_is_taken_back(state, said, since):
    assert outage.is_over(drain(state=state, message=said), since) is None

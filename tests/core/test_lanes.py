"""Rows and events of a drain into lanes: which stretch from when to when, and how it ended."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.record.axis import ticks
from ukcloud_maintenance.core.record.lanes import (
    LaneAttempt,
    LaneEvent,
    LaneRow,
    Outcome,
    lane,
    lanes,
    pauses,
)
from ukcloud_maintenance.core.states import MIGRATION_TERMINAL, MigrationState, Result

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def row(state: str = "succeeded", *sent: LaneAttempt, **more) -> LaneRow:
    if state in MIGRATION_TERMINAL:
        more.setdefault("finished_at", at(100))
    return replace(LaneRow(1, "s-1", "web-1", state, START, attempts=sent), **more)


def sent(since: float, until: float | None = None, result: str = "", to: str = "", **more):
    """An attempt; its further times are in seconds, too."""
    times = {k: at(v) if isinstance(v, int | float) else v for k, v in more.items()}
    ended = None if until is None else at(until)
    return LaneAttempt(at(since), to, ended_at=ended, result=result, **times)


def events(*told: tuple) -> list[LaneEvent]:
    """(seconds, kind) or (seconds, kind, message)."""
    return [LaneEvent(n, at(e[0]), e[1], *e[2:3], row_id=1) for n, e in enumerate(told, 1)]


def shown(found) -> list[str]:
    """Each stretch as `kind from-to outcome >destination`."""
    texts = []
    for one in found.segments:
        end = "" if one.end is None else f"{(one.end - START).total_seconds():g}"
        text = f"{one.kind} {(one.start - START).total_seconds():g}-{end} {one.outcome}".strip()
        texts.append(f"{text} >{one.destination}" if one.destination else text)
    return texts


HISTORIES = {
    "one attempt that arrives": (
        row("succeeded", sent(10, 40, "succeeded", "cmp2")),
        [(10, "submitted"), (40, "succeeded")],
        ["waiting 0-10", "moving 10-40 arrived >cmp2"],
    ),
    "two attempts to two hosts": (
        row("succeeded", sent(10, 20, "failed", "cmp2"), sent(50, 90, "succeeded", "cmp3")),
        [(20, "attempt_failed", text("No valid host."))],
        [
            "waiting 0-10",
            "moving 10-20 failed >cmp2",
            "waiting 20-50",
            "moving 50-90 arrived >cmp3",
        ],
    ),
    "refused at once, and then for good": (
        row("failed", sent(10, 11, "failed"), sent(60, 61, "failed"), finished_at=at(61)),
        [(11, "attempt_failed", text("Nova refused")), (61, "failed", text("Nova refused"))],
        ["waiting 0-10", "moving 10-11 failed", "waiting 11-60", "moving 60-61 failed"],
    ),
    "under way": (
        row("migrating", sent(10, to="cmp2")),
        [(10, "submitted")],
        ["waiting 0-10", "moving 10- >cmp2"],
    ),
    "in Nova's queue": (
        row("migrating", sent(10, queued_since=11)),
        [],
        ["waiting 0-10", "queued 10-"],
    ),
    "out of Nova's queue": (
        row("migrating", sent(10, to="cmp2", running_since=30)),
        [(30, "copying")],
        ["waiting 0-10", "queued 10-30 >cmp2", "moving 30- >cmp2"],
    ),
    "out of Nova's queue, and arrived": (
        row("succeeded", sent(10, 40, "succeeded", "cmp2", running_since=30)),
        [],
        ["waiting 0-10", "queued 10-30 >cmp2", "moving 30-40 arrived >cmp2"],
    ),
    "the moment before Nova runs it is no queue": (
        row("succeeded", sent(10, 40, "succeeded", "cmp2", running_since=11)),
        [],
        ["waiting 0-10", "moving 10-40 arrived >cmp2"],
    ),
    "cold, and confirmed": (
        row("succeeded", sent(10, 35, "succeeded", "cmp2", method="cold", confirm_at=30)),
        [(30, "confirm_asked")],
        ["waiting 0-10", "moving 10-30 >cmp2", "confirming 30-35 arrived >cmp2"],
    ),
    "a resize that was pending is confirmed first": (
        row(
            "succeeded",
            sent(5, 10, "confirmed", method="confirm", confirm_at=5),
            sent(20, 30, "succeeded", "cmp2"),
        ),
        [(5, "confirm_asked"), (10, "resize_settled")],
        ["waiting 0-5", "confirming 5-10 confirmed", "waiting 10-20", "moving 20-30 arrived >cmp2"],
    ),
    "blocked for a time": (
        row("succeeded", sent(20, 30, "succeeded", "cmp2")),
        [(5, "blocked", text("rebooting")), (15, "unblocked")],
        ["waiting 0-5", "blocked 5-15", "waiting 15-20", "moving 20-30 arrived >cmp2"],
    ),
    "Nova refuses it because of what it does": (
        row("blocked", sent(5, 7, "blocked")),
        [(7, "blocked", text("busy"))],
        ["waiting 0-5", "moving 5-7 blocked", "blocked 7-"],
    ),
    "aborted, and tried again": (
        row("pending", sent(5, 25, "aborted")),
        [(20, "aborting"), (25, "aborted", text("It runs on here."))],
        ["waiting 0-5", "moving 5-25 aborted", "waiting 25-"],
    ),
    "aborted, and not tried again": (
        row("failed", sent(5, 25, "aborted"), finished_at=at(25)),
        [(20, "abort_asked"), (21, "aborting"), (25, "aborted", text("By bob."))],
        ["waiting 0-5", "moving 5-25 aborted"],
    ),
    "aborted too late": (
        row("succeeded", sent(5, 25, "succeeded", "cmp2")),
        [(20, "aborting"), (25, "succeeded")],
        ["waiting 0-5", "moving 5-25 arrived >cmp2"],
    ),
    "an abort that Nova refuses changes nothing": (
        row("migrating", sent(5)),
        [(20, "abort_asked"), (21, "abort_refused", text("409"))],
        ["waiting 0-5", "moving 5-"],
    ),
    "came back": (
        row("succeeded", sent(5, 10, "succeeded", "cmp2"), sent(70, 80, "succeeded", "cmp3")),
        [(10, "succeeded"), (60, "came_back"), (80, "succeeded")],
        [
            "waiting 0-5",
            "moving 5-10 arrived >cmp2",
            "rest 10-60",
            "waiting 60-70",
            "moving 70-80 arrived >cmp3",
        ],
    ),
    "failed, and retried by an admin": (
        row("migrating", sent(5, 10, "failed"), sent(70)),
        [(10, "failed"), (60, "retried")],
        ["waiting 0-5", "moving 5-10 failed", "rest 10-60", "waiting 60-70", "moving 70-"],
    ),
    "cancelled without an event": (row("cancelled"), [], ["waiting 0-100"]),
    "unknown where it runs": (
        row("unknown", sent(5, 50, "unknown"), finished_at=at(50)),
        [(50, "unknown", text("look at it"))],
        ["waiting 0-5", "moving 5-50 unknown"],
    ),
    "stays from the beginning": (row("stays", finished_at=START), [], []),
    "an attempt of which no end is known": (
        row("gone", sent(5)),
        [],
        ["waiting 0-5", "moving 5-100 gone"],
    ),
    "kinds that nobody knows": (
        row("migrating", sent(5)),
        [(1, "first"), (8, "quantum_flip", text("what?"))],
        ["waiting 0-5", "moving 5-"],
    ),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_history(name):
    known, told, expected = HISTORIES[name]
    assert shown(lane(known, events(*told))) == expected


def test_what_is_no_stretch_is_a_mark_with_its_words():
    told = [
        (1, "joined", text("It appeared.")),
        (5, "submitted"),
        (8, "quantum_flip", text("what?")),
    ]
    found = lane(row("migrating", sent(5)), events(*told))
    assert [(m.kind, m.at, m.message) for m in found.marks] == [
        ("joined", at(1), text("It appeared.")),
        ("quantum_flip", at(8), text("what?")),
    ]


@pytest.mark.parametrize("state", sorted(MIGRATION_TERMINAL))
def test_the_row_has_the_last_word_on_the_end(state):
    found = lane(row(state.value, sent(5)), events((5, "submitted")))
    expected = {"succeeded": "arrived", "skipped": "stays"}.get(state.value, state.value)
    assert (found.outcome.value, found.end) == (expected, at(100))


def test_failed_attempts_are_counted():
    attempts = (sent(5, 6, "failed"), sent(10, 20, "aborted"), sent(30))
    found = lane(row("migrating", *attempts), [])
    assert found.failed_attempts == 2
    assert [s.has_failed for s in found.segments] == [False, True, False, True, False, False]


def test_lanes_are_sorted_by_start_and_what_was_never_asked_for_is_last():
    rows = [
        replace(row("pending"), id=1, position=0),
        replace(row("migrating", sent(9)), id=2, position=1),
        replace(row("migrating", sent(5)), id=3, position=2),
        replace(row("stays"), id=4, position=3),
    ]
    assert [one.row.id for one in lanes(rows, [LaneEvent(3, at(1), "drain_started")])] == [
        3,
        2,
        1,
        4,
    ]


def test_pauses_of_the_drain():
    told = [(5, "drain_paused"), (9, "drain_resumed"), (20, "drain_paused")]
    found = [replace(event, row_id=None) for event in events(*told)]
    assert pauses(found) == [(at(5), at(9)), (at(20), None)]
    assert pauses(events((5, "drain_paused"))) == []  # an instance has no such thing


def test_at_the_end_of_its_window_a_drain_is_paused_too():
    told = [(5, "window_closed"), (7, "drain_paused"), (9, "drain_resumed"), (20, "window_closed")]
    found = [replace(event, row_id=None) for event in events(*told)]
    assert pauses(found) == [(at(5), at(9)), (at(20), None)]


KINDS = [
    *("submitted", "adopted", "copying", "attempt_failed", "failed", "succeeded", "gone"),
    *("unknown", "cancelled", "stays", "skipped", "blocked", "unblocked", "joined", "came_back"),
    *("confirm_asked", "resize_settled", "late", "aborting", "aborted", "retried", "reset"),
    *("first", "something_new"),
]
moments = st.one_of(st.none(), st.floats(-50, 500).map(at))


@given(
    told=st.lists(
        st.tuples(
            st.floats(-10, 400), st.sampled_from(KINDS), st.sampled_from([None, text("cmp2")])
        ),
        max_size=12,
    ),
    state=st.sampled_from(list(MigrationState)),
    finished=moments,
    attempts=st.lists(
        st.builds(
            LaneAttempt,
            st.floats(-50, 500).map(at),
            method=st.sampled_from(["live", "cold", "confirm"]),
            queued_since=moments,
            running_since=moments,
            confirm_at=moments,
            ended_at=moments,
            result=st.sampled_from(list(Result)),
        ),
        max_size=4,
    ),
)
def test_stretches_follow_each_other_from_the_beginning_to_the_end(told, state, finished, attempts):
    """Whatever the record holds: no gap, no overlap, and only the last one may go on."""
    known = LaneRow(1, "s", "n", state.value, START, finished_at=finished, attempts=tuple(attempts))
    found = lane(known, events(*told))

    assert found.begin == START
    assert (found.end is None) == (state not in MIGRATION_TERMINAL)
    edge = found.begin
    for segment in found.segments[:-1]:
        assert segment.start == edge
        assert segment.end is not None
        assert segment.end >= segment.start
        edge = segment.end
    if found.segments:
        last = found.segments[-1]
        assert last.start == edge
        assert last.end == found.end
        assert last.end is None or last.end >= last.start
    else:
        assert found.end == found.begin
    assert all(mark.at >= found.begin for mark in found.marks)
    if state in MIGRATION_TERMINAL:
        assert found.outcome is not Outcome.NONE
    else:
        assert found.segments[-1].outcome is Outcome.NONE


# -- the axis --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "step"),
    [
        (0, 1),
        (5, 1),
        (40, 10),
        (120, 30),
        (3600, 600),
        (5 * 3600, 3600),
        (26 * 3600, 6 * 3600),
        (6 * 86400, 86400),
        (100 * 86400, 28 * 86400),
        (4000 * 86400, 2 * 365 * 86400),
    ],
)
def test_ticks_are_as_far_apart_as_fits(seconds, step):
    found = ticks(START, at(seconds), UTC)
    assert found.step == step
    assert 1 <= len(found.at) <= 8


def test_ticks_are_round_in_the_zone_of_the_user():
    begin = datetime(2026, 3, 1, 12, 7, 13, 5, tzinfo=UTC)
    kathmandu = ZoneInfo("Asia/Kathmandu")  # 5:45 ahead
    found = ticks(begin, begin + timedelta(hours=5), kathmandu)
    texts = [f"{moment.astimezone(kathmandu):%H:%M:%S}" for moment in found.at]
    assert texts == ["18:00:00", "19:00:00", "20:00:00", "21:00:00", "22:00:00"]
    found = ticks(begin, begin + timedelta(minutes=12), kathmandu)
    texts = [f"{moment.astimezone(kathmandu):%H:%M:%S}" for moment in found.at]
    assert texts == ["17:54:00", "17:56:00", "17:58:00", "18:00:00", "18:02:00", "18:04:00"]


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        ((2026, 3, 29), ["00", "03", "06", "09", "12", "15", "18"]),
        ((2026, 10, 25), ["00", "03", "06", "09", "12", "15", "18"]),
    ],
    ids=["an hour is left out", "an hour comes twice"],
)
def test_ticks_stay_round_where_the_clock_is_changed(day, hours):
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(*day, tzinfo=zone)
    found = ticks(
        begin.astimezone(UTC), begin.astimezone(UTC) + timedelta(hours=19, minutes=30), zone
    )
    assert [f"{moment.astimezone(zone):%H}" for moment in found.at] == hours


@given(
    span=st.floats(0, 3e8),
    begin=st.floats(1e9, 2.1e9).map(lambda epoch: datetime.fromtimestamp(epoch, UTC)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_ticks_are_few_rising_and_inside(span, begin, zone):
    end = begin + timedelta(seconds=span)
    found = ticks(begin, end, ZoneInfo(zone)).at
    assert len(found) <= 9
    assert list(found) == sorted(set(found))
    assert all(begin <= moment <= end for moment in found)

"""When each instance is expected to move, and what that means for it."""

import itertools
import math
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ukcloud_maintenance.core import affected as a
from ukcloud_maintenance.core.affected import Interruption, Part
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.copying.duration import Forecast, Learned, forecast
from ukcloud_maintenance.core.copying.schedule import Share, in_turn, schedule, share_of
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import Method, MigrationState, RequestKind

GIB = 1024**3
KNOWN = Learned(rate=GIB / 10, samples=50, slow_rate=GIB / 20, fast_rate=GIB / 5)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

sizes = st.lists(st.integers(0, 64 * GIB), max_size=20)
moving = st.lists(
    st.floats(0, 3600) | st.tuples(st.integers(1, 64 * GIB), st.floats(0, 3600)), max_size=4
)


@given(sizes, moving, st.integers(1, 8), st.sampled_from([KNOWN, Learned()]))
def test_the_last_one_ends_when_the_drain_does(waiting, moving, at_once, learned):
    """The drain's forecast, and that of each instance, are one, whatever the order."""
    whole = forecast(waiting, moving, at_once, learned)
    found = schedule(waiting, moving, at_once, learned)
    # of more that run than may, nobody takes the place of the first to end
    assert found.total == pytest.approx((whole.low, whole.likely, whole.high))


@given(sizes, moving, st.integers(1, 8))
def test_none_begins_before_one_that_is_before_it(waiting, moving, at_once):
    _moving, found = schedule(waiting, moving, at_once, KNOWN).expected()
    assert len(found) == len(waiting)
    begins = [one.begins for one in found]
    assert begins == sorted(begins)
    assert all(one.begins <= one.likely_ends <= one.ends for one in found)


def test_one_after_the_other():
    _moving, found = schedule([GIB, 2 * GIB], [], 1, KNOWN).expected()
    assert [(one.begins, one.likely_ends, one.ends) for one in found] == [
        (0, 10, 20),
        (5, 30, 60),
    ]


def test_by_its_own_pace_all_of_it_takes_longer():
    share = share_of((10, 20, 40), Forecast(30, 40, 60, 9, False))
    assert share == Share(3, 2, 1.5)
    _moving, [found] = schedule([GIB], [], 1, KNOWN).expected(share)
    assert (found.likely_ends, found.ends) == (20, 30)


shares = st.floats(0.01, 100)


@given(
    sizes,
    moving,
    st.integers(1, 8),
    st.builds(Share, shares, shares, shares),
    st.lists(st.floats(0, 9999), min_size=3, max_size=3),
)
def test_none_is_likely_to_end_later_than_at_the_latest_whatever_its_own_pace(
    waiting, moving, at_once, share, offset
):
    found = schedule(waiting, moving, at_once, Learned())
    for one in itertools.chain(*found.expected(share, tuple(offset))):
        assert one.begins <= one.likely_ends <= one.ends


def test_what_does_not_end_has_no_time_and_neither_has_who_waits_for_it():
    moving, waiting = schedule([GIB], [math.inf], 1, KNOWN).expected()
    assert not moving[0].is_known
    assert not waiting[0].is_known
    assert share_of((1, math.inf, math.inf), Forecast(1, 1, 1, 1, False)).high == 1


def test_hosts_that_take_turns():
    assert in_turn([(10, 20, 30)], [(1, 2, 3), (5, 5, 5)], 1) == [(10, 20, 30), (11, 22, 33)]
    assert in_turn([(10, 20, 30)], [(1, 2, 3)], 2) == [(0, 0, 0)]
    assert in_turn([(10, 20, 30)], [(1, 2, 3), (1, 1, 1)], 0) == [(0, 0, 0), (0, 0, 0)]


# -- what it means -----------------------------------------------------------------------------


def row(state, method=Method.LIVE, status="ACTIVE", now="ACTIVE", code=""):
    return SimpleNamespace(
        state=state,
        method=method,
        initial_status=status,
        server_status=now,
        code=code,
        server_name="a",
    )


def attempt(number=1, method=Method.LIVE, seconds=60, ended=True):
    end = NOW - timedelta(seconds=100)
    return SimpleNamespace(
        number=number,
        method=method,
        submitted_at=end - timedelta(seconds=seconds),
        ended_at=end if ended else None,
    )


def forced(attempt=1, before_end=20):
    at = NOW - timedelta(seconds=100 + before_end)
    return SimpleNamespace(kind=RequestKind.FORCE, attempt=attempt, taken_at=at)


S = MigrationState


@pytest.mark.parametrize(
    ("row", "attempts", "requests", "part", "interruption", "at_most"),
    [
        (row(S.PENDING), [], [], Part.TO_MOVE, Interruption.MOMENT, None),
        (row(S.PENDING, Method.COLD), [], [], Part.TO_MOVE, Interruption.OFF, None),
        (row(S.PENDING, Method.COLD, "SHUTOFF"), [], [], Part.TO_MOVE, Interruption.NONE, 0),
        (row(S.BLOCKED), [], [], Part.UNKNOWN, Interruption.UNKNOWN, None),
        # a resize is confirmed: that is no move, and whether one follows is seen afterwards
        *(
            (row(state, Method.CONFIRM), [], [], Part.UNKNOWN, Interruption.UNKNOWN, None)
            for state in (S.PENDING, S.CONFIRMING)
        ),
        (
            row(S.SUCCEEDED, Method.CONFIRM),
            [attempt(method=Method.CONFIRM)],
            [],
            Part.NOT_MOVED,
            Interruption.NONE,
            0,
        ),
        (row(S.MIGRATING), [attempt(ended=False)], [], Part.MOVING, Interruption.MOMENT, None),
        # paused, and not over yet: until now
        (
            row(S.MIGRATING),
            [attempt(ended=False)],
            [forced()],
            Part.MOVING,
            Interruption.PAUSED,
            120,
        ),
        (row(S.SUCCEEDED), [attempt()], [], Part.MOVED, Interruption.MOMENT, None),
        (row(S.SUCCEEDED), [attempt()], [forced()], Part.MOVED, Interruption.PAUSED, 20),
        (
            row(S.SUCCEEDED, Method.COLD),
            [attempt(method=Method.COLD)],
            [],
            Part.MOVED,
            Interruption.OFF,
            60,
        ),
        (
            row(S.SUCCEEDED, Method.COLD, "SHUTOFF"),
            [attempt(method=Method.COLD)],
            [],
            Part.MOVED,
            Interruption.NONE,
            0,
        ),
        # a pause of an attempt that failed counts as well
        (
            row(S.SUCCEEDED),
            [attempt(1), attempt(2)],
            [forced(1, 5), forced(2, 7)],
            Part.MOVED,
            Interruption.PAUSED,
            12,
        ),
        (row(S.STAYS), [], [], Part.NOT_MOVED, Interruption.NONE, 0),
        (row(S.CANCELLED), [attempt()], [forced()], Part.NOT_MOVED, Interruption.PAUSED, 20),
        (row(S.FAILED), [attempt()], [], Part.NOT_MOVED, Interruption.NONE, 0),
        (row(S.FAILED, now="ERROR"), [attempt()], [], Part.NOT_MOVED, Interruption.UNKNOWN, None),
        (
            row(S.FAILED, now="ERROR", code="arrived_error"),
            [attempt()],
            [],
            Part.MOVED,
            Interruption.UNKNOWN,
            None,
        ),
        (row(S.UNKNOWN), [attempt()], [], Part.UNKNOWN, Interruption.UNKNOWN, None),
        (row(S.GONE), [], [], Part.UNKNOWN, Interruption.UNKNOWN, None),
    ],
)
def test_what_it_means_for_its_owner(row, attempts, requests, part, interruption, at_most):
    found = a.effect(row, attempts, requests, NOW)
    assert (found.part, found.interruption, found.at_most) == (part, interruption, at_most)


def test_a_resize_that_is_confirmed_is_said_not_to_interrupt():
    before, after = (row(state, Method.CONFIRM) for state in (S.PENDING, S.SUCCEEDED))
    assert a.effect(before, [], [], NOW).said == message("affected_will_be_confirmed")
    assert a.effect(after, [], [], NOW).said == message("affected_was_confirmed")


@pytest.mark.parametrize("state", list(MigrationState))
def test_every_state_means_something(state):
    assert a.effect(row(state), [], [], NOW).said

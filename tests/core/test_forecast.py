"""When a run ends, against a clock that looks every minute whether the next host may begin."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.core.test_windows import utc, windows
from tests.examples import some
from ukcloud_maintenance.core.run import windows as w
from ukcloud_maintenance.core.run.forecast import corrected, ends_at, forecast
from ukcloud_maintenance.core.run.windows import Windows, parse_all

HOUR = 3600
NIGHTS = parse_all(["Mon-Fri 22:00-04:00 Europe/London"])
FRIDAY = utc(2026, 1, 9, 12)
MINUTE = timedelta(minutes=1)


def test_a_run_goes_on_night_after_night():
    found = forecast(NIGHTS, FRIDAY, [4 * HOUR, 3 * HOUR, 3 * HOUR])
    assert found.hosts == (
        (utc(2026, 1, 9, 22), utc(2026, 1, 10, 2)),
        (utc(2026, 1, 12, 22), utc(2026, 1, 13, 1)),
        (utc(2026, 1, 13, 1), utc(2026, 1, 13, 4)),
    )
    assert found.ends == utc(2026, 1, 13, 4)
    assert found.never_fits == ()


def test_two_at_a_time():
    found = forecast(NIGHTS, FRIDAY, [4 * HOUR, 2 * HOUR, 4 * HOUR, 2 * HOUR], at_once=2)
    assert [begins for begins, _ends in found.hosts] == [
        *(utc(2026, 1, 9, 22), utc(2026, 1, 9, 22), utc(2026, 1, 10, 0), utc(2026, 1, 10, 2)),
    ]
    assert found.ends == utc(2026, 1, 10, 4)


def test_none_is_begun_before_the_one_before_it():
    """The second does not fit into what is left of the night; the third would."""
    found = forecast(NIGHTS, utc(2026, 1, 13, 2), [HOUR, 3 * HOUR, HOUR], at_once=2)
    assert [begins for begins, _ends in found.hosts] == [
        *(utc(2026, 1, 13, 2), utc(2026, 1, 13, 22), utc(2026, 1, 13, 22)),
    ]


def test_what_is_longer_than_each_opening_is_named_and_the_others_go_on():
    found = forecast(NIGHTS, FRIDAY, [HOUR, 7 * HOUR, HOUR])
    assert found.never_fits == (1,)
    assert found.hosts[1] is None
    assert found.hosts[2] == (utc(2026, 1, 9, 23), utc(2026, 1, 10))
    assert found.ends is None
    assert ends_at(NIGHTS, FRIDAY, [HOUR, 7 * HOUR, HOUR]) is None


def test_a_host_of_six_and_a_half_hours_fits_in_the_night_of_seven():
    sundays = parse_all(["Sat 22:00-04:00 Europe/London"])
    assert ends_at(sundays, utc(2026, 10, 19), [6.5 * HOUR]) == utc(2026, 10, 25, 3, 30)
    assert ends_at(sundays, utc(2026, 11, 2), [6.5 * HOUR]) is None
    # … and one of six not in the night of five
    assert ends_at(sundays, utc(2026, 3, 28), [6 * HOUR]) == utc(2026, 4, 5, 3)


def test_without_windows_it_begins_at_once():
    assert ends_at(Windows(), FRIDAY, [HOUR] * 5, at_once=2) == FRIDAY + timedelta(hours=3)
    assert ends_at(Windows(), FRIDAY, [w.LONGEST] * 2) == FRIDAY + timedelta(days=732)
    assert ends_at(Windows(), FRIDAY, []) == FRIDAY


def test_always_open_has_no_end_that_a_long_host_could_miss():
    always = parse_all(["daily 00:00-24:00 Europe/London"])
    month = 30 * 24 * HOUR
    assert ends_at(always, FRIDAY, [month, month]) == FRIDAY + timedelta(days=60)


@pytest.mark.parametrize(("lengths", "at_once"), [([-1], 1), ([float("nan")], 1), ([1], 0)])
def test_what_makes_no_sense_is_refused(lengths, at_once):
    with pytest.raises(ValueError, match=r"seconds|at_once"):
        forecast(Windows(), FRIDAY, lengths, at_once)


def by_the_minute(several: Windows, now: datetime, lengths: list[int], at_once: int):
    """The same by trying each minute, of hosts that fit; lengths in minutes."""
    at, found = now, []
    for length in lengths:
        while len([1 for _begins, ends in found if ends > at]) >= at_once or not several.fits(
            at, length * 60
        ):
            at += MINUTE
        found.append((at, at + length * MINUTE))
    return found


@hypothesis_settings(max_examples=some(40), deadline=None)
@given(
    st.lists(windows, min_size=1, max_size=3).map(lambda several: Windows(tuple(several))),
    st.integers(0, 7 * 1440),
    st.lists(st.integers(1, 1600), min_size=1, max_size=4),
    st.integers(1, 3),
)
def test_it_is_what_happens_when_one_looks_every_minute(several, after, lengths, at_once):
    now = utc(2026, 10, 20) + after * MINUTE
    seconds = [length * 60 for length in lengths]
    found = forecast(several, now, seconds, at_once)
    fitting = [i for i, host in enumerate(found.hosts) if host is not None]
    assert sorted({*range(len(lengths))} - {*fitting}) == list(found.never_fits)
    # those that fit happen as they would without the others
    expected = by_the_minute(several, now, [lengths[i] for i in fitting], at_once)
    assert [found.hosts[i] for i in fitting] == expected
    for i in found.never_fits:
        turn = max([now, *(found.hosts[j][0] for j in fitting if j < i)])
        assert several.never_fits(turn, seconds[i]) or len(fitting) >= at_once


def test_hosts_that_have_begun_go_on_whatever_the_windows_are():
    now = utc(2026, 11, 2, 22, 50)
    found = forecast(parse_all(["daily 22:00-23:00 UTC"]), now, [1800, 1800], begun=[0])
    assert found.hosts == (
        (now, utc(2026, 11, 2, 23, 20)),
        (utc(2026, 11, 3, 22), utc(2026, 11, 3, 22, 30)),  # the next opening that is long enough
    )


def test_what_takes_longer_than_its_length_begins_by_that_and_delays_the_next():
    open_all = parse_all(["daily 22:00-23:00 UTC"])
    now = utc(2026, 1, 9, 22)
    found = forecast(open_all, now, [1200, 1200], takes=[2 * HOUR, 1200])
    (begins, ends), (then, _end) = found.hosts
    assert (begins, ends) == (now, now + timedelta(hours=2))
    assert then == utc(2026, 1, 10, 22), "the window is over by then"
    assert forecast(open_all, now, [1200], takes=[600]).ends == now + timedelta(minutes=10)


def test_a_host_takes_as_much_more_or_less_as_those_did_that_are_done():
    assert corrected(700, []) == 700
    assert corrected(700, [(600, 60)]) == 160
    # one that lasted a night changes nothing
    assert corrected(700, [(600, 60), (650, 120), (600, 40_000)]) == 170
    assert corrected(60, [(600, 900)]) == 360
    assert corrected(60, [(600, 60)]) == 60


def test_a_host_that_ended_before_it_began_by_a_clock_that_was_set_back_tells_nothing():
    assert corrected(700, [(600, -3000)]) == 700
    assert corrected(700, [(600, -3000), (600, 60)]) == 160


def test_a_small_host_does_not_take_no_time_because_large_ones_took_less():
    """A quarter of an hour less than was thought is more than was thought of it."""
    taken = [(1200.0, 300.0), (1300.0, 420.0)]
    assert corrected(700, taken) == 300
    assert corrected(120, taken) == 120
    assert corrected(1500, taken) == 610

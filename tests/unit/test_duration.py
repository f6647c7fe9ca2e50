"""How long a drain that runs still takes, and how sure that is."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ukcloud_maintenance.core.copying import duration
from ukcloud_maintenance.core.copying.duration import (
    Learned,
    at_own_pace,
    busy_seconds,
    estimate,
    forecast,
    learned_of,
    measure_of,
    nominal_seconds,
    of_one,
    within_limits,
)

MIB = 1024**2
GIB = 1024**3
#: 50, 100 and 200 MiB a second.
LEARNED = Learned(100 * MIB, 20, 50 * MIB, 200 * MIB)


def seconds(found):
    return pytest.approx((found.low, found.likely, found.high))


def test_quartiles_of_what_was_seen():
    found = learned_of([10, 20, 30, 40, 50])
    assert (found.slow_rate, found.rate, found.fast_rate) == (20, 30, 40)
    assert found.samples == 5


@pytest.mark.parametrize("rates", [[], [0.0], [-1.0, math.nan, math.inf]])
def test_nothing_is_learned_of_what_is_no_rate(rates):
    assert learned_of(rates) == Learned(0.0, 0)


def test_one_sample_has_no_spread_and_is_not_enough():
    found = learned_of([7.0])
    assert (found.slow_rate, found.rate, found.fast_rate, found.samples) == (7, 7, 7, 1)
    assert forecast([GIB], [], 1, found).assumed


def test_what_waits_is_sent_at_the_rates_that_were_learned():
    found = forecast([1000 * MIB, 500 * MIB], [], 1, LEARNED)
    assert seconds(found) == (7.5, 15, 30)
    assert (found.samples, found.assumed) == (20, False)
    assert seconds(forecast([1000 * MIB, 500 * MIB], [], 2, LEARNED)) == (5, 10, 20)


def test_a_drain_with_nothing_left_takes_no_time():
    assert seconds(forecast([], [], 1, LEARNED)) == (0, 0, 0)
    assert seconds(forecast([], [], 0, Learned())) == (0, 0, 0)


def test_too_few_samples_make_a_wide_guess_that_says_so():
    few = Learned(100 * MIB, duration.ENOUGH_SAMPLES - 1, 99 * MIB, 101 * MIB)
    found = forecast([1000 * MIB], [], 1, few)
    assert (found.samples, found.assumed) == (0, True)
    assert found.low == pytest.approx(2)
    assert found.likely == pytest.approx(15)
    assert found.high == pytest.approx(55)


def test_what_was_learned_without_quartiles_has_a_range_all_the_same():
    found = forecast([1000 * MIB], [], 1, Learned(100 * MIB, 20))
    assert seconds(found) == (5, 10, 20)
    assert not found.assumed


def test_what_waits_takes_the_place_of_what_runs():
    found = forecast([100 * MIB], [40.0], 1, LEARNED)
    assert found.likely == pytest.approx(41)
    assert forecast([100 * MIB], [40.0], 2, LEARNED).likely == pytest.approx(40)
    # the limit was lowered to one while two run: who waits, waits for both
    assert forecast([100 * MIB], [40.0, 10.0], 1, LEARNED).likely == pytest.approx(41)


def test_the_large_one_that_is_begun_last_is_by_itself_in_the_end():
    """Two at a time: 5 and 5 beside each other, and then the 40; or both beside the 40."""
    sizes = [500 * MIB, 500 * MIB, 4000 * MIB]
    assert forecast(sizes, [], 2, LEARNED).likely == pytest.approx(45)
    assert forecast(sizes[::-1], [], 2, LEARNED).likely == pytest.approx(40)


def test_those_of_a_group_move_one_after_the_other_however_many_may():
    sizes = [1000 * MIB] * 4
    ring = (sizes[:3], [7.0])
    assert seconds(forecast(sizes, [7.0], 5, LEARNED, [ring])) == (20.25, 37, 70.5)
    assert forecast(sizes, [7.0], 1, LEARNED, [ring]).likely == pytest.approx(47)
    assert estimate(sizes, 4, LEARNED, [sizes[:3]]).seconds == pytest.approx(30)
    assert estimate(sizes, 4, LEARNED).seconds == pytest.approx(10)


def test_one_that_tells_nothing_is_reckoned_by_its_size_and_age():
    assert seconds(forecast([], [(1000 * MIB, 4.0)], 1, LEARNED)) == (1, 6, 16)


def test_one_that_is_overdue_is_not_about_to_end():
    found = forecast([], [(1000 * MIB, 40.0)], 1, LEARNED)
    assert seconds(found) == (0, 10, 40)


def test_a_drain_ends_no_sooner_than_one_that_does_not_end():
    assert math.isinf(forecast([GIB], [math.inf, 3.0], 4, LEARNED).likely)


def test_one_that_began_later_than_now_by_a_clock_that_was_set_back_is_as_one_that_begins():
    assert seconds(forecast([], [(1000 * MIB, -3600.0)], 1, LEARNED)) == (5, 10, 20)


@pytest.mark.parametrize(
    ("destinations", "at_once"),
    [
        (0, 10),  # any of them, or not known
        (1, 4),
        (2, 8),
        (9, 10),
    ],
)
def test_no_more_run_at_a_time_than_their_destinations_take(destinations, at_once):
    assert within_limits(10, 20, 4, destinations) == at_once
    assert within_limits(10, 3, 4, destinations) == 3


@given(
    waiting=st.lists(st.integers(0, 2**44), max_size=20),
    running=st.lists(
        st.one_of(st.floats(-10, 1e6), st.tuples(st.integers(0, 2**44), st.floats(0, 1e6))),
        max_size=8,
    ),
    at_once=st.integers(0, 6),
    rates=st.lists(st.floats(1, 1e12), max_size=12),
)
def test_any_forecast_is_in_order_and_within_its_bounds(waiting, running, at_once, rates):
    learned = learned_of(rates)
    found = forecast(waiting, running, at_once, learned)
    assert 0 <= found.low <= found.likely <= found.high
    assert found.assumed == (len(rates) < duration.ENOUGH_SAMPLES)
    places = max(at_once, 1)
    each = [forecast([size], [], 1, learned).likely for size in waiting]
    ends = [forecast([], [one], 1, learned).likely for one in running]
    least = max([0.0, *each, *ends, sum(each) / places])
    most = max([0.0, *ends]) + sum(each)
    assert least * (1 - 1e-9) <= found.likely <= most * (1 + 1e-9)


class TestItsOwnPace:
    """A drain that has done a part is the best measure of the rest."""

    def test_a_fixed_part_of_each_is_learned(self):
        # 300 small instances by three at a time, 30 s each however small they are
        size, each, at_once, count = 64 * MIB, 30.0, 3, 300
        learned = Learned()
        for done in range(30, 300, 30):
            left = count - done
            by_rate = forecast([size] * left, [], at_once, learned)
            one = nominal_seconds(size)
            found = at_own_pace(by_rate, done * one, left * one, done * each / at_once, done)
            assert found.likely == pytest.approx(left * each / at_once)
            assert found.low < found.likely < found.high
            assert found.samples == done

    def test_a_few_teach_nothing_and_endless_stays_endless(self):
        few = forecast([GIB], [], 1, Learned())
        assert at_own_pace(few, 10, 10, 99, 4) == few
        endless = forecast([GIB], [math.inf], 1, Learned())
        assert at_own_pace(endless, 10, 10, 99, 50) == endless

    def test_the_last_ones_do_not_share_themselves(self):
        """Twenty at a time, 30 s each: that is 1.5 s for each of many, and 30 s for the last."""
        found = at_own_pace(forecast([GIB], [], 20, Learned()), 299, 1, 450, 299, longest=30)
        assert (found.low, found.likely, found.high) == (22.5, 30, 45)
        found = at_own_pace(forecast([GIB], [], 20, Learned()), 150, 150, 225, 150, longest=30)
        assert found.likely == 225

    @pytest.mark.parametrize(
        ("elapsed", "fraction", "told", "part", "still"),
        [
            (0, None, None, 0, 60),
            (45, None, None, 0.75, 15),
            (80, None, None, 1, 20),  # it is overdue
            (-3600, None, None, 0, 60),  # the clock was set back
            (10, 0.5, None, 0.5, 30),
            (10, 0.5, 400.0, 0.5, 400),  # its guest writes much
        ],
    )
    def test_of_one_in_progress_a_part_is_done(self, elapsed, fraction, told, part, still):
        assert of_one(60, elapsed, fraction, told) == (part, still)
        assert of_one(0, 0, None, None) == (0, 0)

    def test_one_that_tells_no_bytes_does_not_make_the_time_left_grow_while_it_runs(self):
        """Ten of a minute each, one after the other, after ten of them."""
        plain = forecast([GIB] * 10, [], 1, Learned())
        before = math.inf
        for elapsed in range(0, 61, 5):
            part, still = of_one(60, elapsed, None, None)
            done, left = 600 + part * 60, 540 + (1 - part) * 60
            found = at_own_pace(plain, done, left, 600 + elapsed, 10, still)
            assert found.likely == pytest.approx(600 - elapsed)
            assert found.likely < before
            before = found.likely

    def test_a_time_in_which_nothing_was_in_progress_does_not_count(self):
        assert busy_seconds([(0, 10), (5, 12), (100, 110)]) == 22
        assert busy_seconds([]) == 0


class TestTheMeasure:
    """What one takes beside another, by those that are done."""

    SIZES = tuple(n * GIB for n in (1, 2, 4, 8, 16, 32, 64))

    @pytest.mark.parametrize(("fixed", "rate"), [(8, 1000), (20, 1000), (20, 200), (0.5, 50)])
    def test_a_mixed_drain_is_forecast_by_its_own_fixed_part(self, fixed, rate):
        sizes = [random.Random(7).sample(self.SIZES, 7)[n % 7] for n in range(140)]
        took = [(size, fixed + size / (rate * MIB)) for size in sizes]
        for done in range(14, 140, 14):
            measure = measure_of(took[:done], sizes[done:])
            pace = sum(s for _, s in took[:done]) / sum(map(measure, sizes[:done]))
            told = pace * sum(map(measure, sizes[done:]))
            assert told == pytest.approx(sum(s for _, s in took[done:]), rel=0.01)

    def test_one_that_took_very_long_is_no_rule(self):
        took = [(size, 10 + size / (100 * MIB)) for size in self.SIZES for _ in range(5)]
        took.append((GIB, 1e6))
        measure = measure_of(took, [])
        assert [measure(size) for size in self.SIZES] == pytest.approx(
            [10 + size / (100 * MIB) for size in self.SIZES]
        )

    @pytest.mark.parametrize(
        "took",
        [
            [],
            [(GIB, 10.0), (2 * GIB, 11.0), (4 * GIB, 12.0), (8 * GIB, 13.0)],
            [(GIB, 0.0), (2 * GIB, -1.0)] * 50,
            [(0, 10.0)] * 50,
        ],
    )
    def test_a_few_teach_nothing(self, took):
        assert measure_of(took, [64 * GIB]) is nominal_seconds

    @pytest.mark.parametrize(("took", "small"), [(85.0, 6.25), (645.0, 15.0), (3.0, 3.0)])
    def test_where_all_are_alike_the_fixed_part_is_the_usual_one_however_fast_they_are(
        self, took, small
    ):
        measure = measure_of([(64 * GIB, took)] * 9, [GIB])
        assert measure(64 * GIB) == pytest.approx(took)
        assert measure(GIB) == pytest.approx(small)

    @pytest.mark.parametrize("rate", [200, 1000])
    def test_the_largest_first_which_is_the_usual_order(self, rate):
        """On a fast network a fixed part of 20 s is most of what a small one takes."""
        sizes = [size for size in reversed(self.SIZES) for _ in range(10)]
        took = [(size, 20 + size / (rate * MIB)) for size in sizes]
        for done in range(14, 70, 7):
            measure = measure_of(took[:done], sizes[done:])
            pace = sum(s for _, s in took[:done]) / sum(map(measure, sizes[:done]))
            told = pace * sum(map(measure, sizes[done:]))
            assert 0.5 < told / sum(s for _, s in took[done:]) < 1.5  # was 0.13

    def test_of_those_of_which_none_is_done_it_stays_assumed_for_a_while(self):
        """Two sizes next to each other, of which the larger one took less, by chance."""
        took = [(GIB, 16.0), (2 * GIB, 14.0)] * 10
        measure = measure_of(took, [64 * GIB])
        assert measure(64 * GIB) > 3 * measure(GIB)

    @given(
        took=st.lists(st.tuples(st.integers(0, 2**44), st.floats(-1, 1e6)), max_size=30),
        left=st.lists(st.integers(0, 2**44), max_size=5),
    )
    def test_it_is_a_time_and_never_less_for_more(self, took, left):
        measure = measure_of(took, left)
        each = [measure(size) for size in sorted([*left, *(size for size, _ in took)])]
        assert all(math.isfinite(one) and one >= 0 for one in each)
        assert each == sorted(each)

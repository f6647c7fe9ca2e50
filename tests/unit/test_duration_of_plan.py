"""How long several hosts take: one after another, some at a time, and within the region's limit."""

import math

import pytest

from ukcloud_maintenance.core.copying.duration import Duration, Forecast, forecast_of_plan, of_plan


def host(seconds: float, one_by_one: float) -> Duration:
    return Duration(seconds, one_by_one, at_once=2, rate=100.0, samples=7)


HOSTS = [host(60, 100), host(30, 50), host(20, 40)]


@pytest.mark.parametrize(
    ("at_once", "least", "most"),
    [
        (1, 110, 190),  # the sum
        (0, 60, 100),  # the longest of them
        (3, 60, 100),
        (9, 60, 100),
        (2, 60, 100),  # 60 beside 30 + 20
    ],
)
def test_hosts_take_each_others_places_in_the_order_of_the_plan(at_once, least, most):
    found = of_plan(HOSTS, at_once, in_region=20)
    assert (found.seconds, found.seconds_one_by_one) == (least, most)
    assert (found.at_once, found.rate, found.samples) == (2, 100.0, 7)


def test_the_region_takes_no_more_than_its_limit():
    """190 s of copying by two at a time take 95 s, however many hosts are emptied at a time."""
    found = of_plan(HOSTS, 0, in_region=2)
    assert (found.seconds, found.seconds_one_by_one) == (95, 100)
    assert of_plan(HOSTS, 0, in_region=1).seconds == 190


def test_nothing_to_migrate_takes_no_time():
    assert of_plan([], 1, in_region=20) is None


def left(likely: float) -> Forecast:
    return Forecast(likely / 2, likely, likely * 2, samples=7, assumed=False)


@pytest.mark.parametrize(
    ("at_once", "likely"),
    [
        (1, 40 + 60 + 30),  # one after another
        (2, 40 + 30),  # 60 beside the one that runs, and the next in its place
        (0, 60),
        (9, 60),
    ],
)
def test_hosts_that_wait_take_the_places_of_those_that_are_emptied(at_once, likely):
    found = forecast_of_plan([left(40)], [left(60), left(30)], left(1), at_once)
    assert (found.low, found.likely, found.high) == (likely / 2, likely, likely * 2)
    assert (found.samples, found.assumed) == (7, False)


def test_a_running_plan_takes_no_less_than_the_region_needs_for_all():
    assert forecast_of_plan([left(40)], [left(60)], left(500), 0).likely == 500
    forever = Forecast(math.inf, math.inf, math.inf, 7, False)
    assert forecast_of_plan([forever], [left(60)], left(1), 0).likely == math.inf

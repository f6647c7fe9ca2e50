"""When somebody is told that instances need a person: once for all, and not all the time."""

from hypothesis import given
from hypothesis import strategies as st

from tests.core.build import NOW, ago, row
from ukcloud_maintenance.core import notices
from ukcloud_maintenance.core.drain.needs import Need
from ukcloud_maintenance.core.drain.telling import TELL_EVERY, needs_you
from ukcloud_maintenance.messages import english


def found(*names: str, need: Need = Need.BLOCKED):
    return [(need, row(name)) for name in names]


def ids(*names: str) -> list[int]:
    return [row(name).id for name in names]


def test_all_are_named_in_one_notice():
    said = needs_you(found("a", "b") + found("c", need=Need.NOT_CONVERGING), [], None, NOW)
    assert english(said) == "3 instances need you: a (blocked), b (blocked), c (not converging)."


def test_six_are_named_and_the_others_counted():
    said = needs_you(found(*"abcdefgh"), [], None, NOW)
    assert english(said).startswith("8 instances need you: a (blocked), ")
    assert english(said).endswith(", f (blocked), and 2 more.")


def test_nobody_is_told_of_the_same_twice():
    assert needs_you(found("a", "b"), ids("a", "b"), ago(9999), NOW) is None
    assert needs_you([], [], None, NOW) is None
    assert needs_you(found("a"), ids("a", "b"), ago(9999), NOW) is None


def test_those_that_follow_are_told_together_a_little_later():
    assert needs_you(found("a", "b"), ids("a"), ago(TELL_EVERY - 1), NOW) is None
    assert needs_you(found("a", "b"), ids("a"), ago(TELL_EVERY), NOW) is not None


def test_a_clock_that_was_set_back_silences_nobody():
    assert needs_you(found("a"), [], ago(-3600), NOW) is not None


@given(attempts=st.integers(1, 10_000), age=st.floats(0, notices.GIVE_UP_SECONDS - 1))
def test_it_is_tried_again_in_bounded_time(attempts, age):
    pause = notices.retry_after(attempts, age, None)
    assert notices.RETRY_SECONDS <= pause <= notices.RETRY_MAX_SECONDS
    assert notices.retry_after(attempts + 1, age, 500) >= pause


def test_the_end_of_trying():
    assert notices.retry_after(1, notices.GIVE_UP_SECONDS, None) is None
    assert notices.retry_after(1, 0, 422) is None
    assert notices.retry_after(1, 0, 404) is not None

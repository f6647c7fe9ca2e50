"""What a cancel comes to: whether it can be requested, and what changes then."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from ukcloud_maintenance.core import cancelling, steering
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.cancelling import Choice, changes, chosen, is_untouched, objection
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import DRAIN_OPEN, DRAIN_TERMINAL, DrainState
from ukcloud_maintenance.core.steering import DrainVerb

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=20)


@dataclass(frozen=True)
class A:
    """A drain."""

    state: str = DrainState.RUNNING
    started_at: datetime | None = BEFORE
    did_disable: bool = False
    cancelling_since: datetime | None = None
    cancel_abort: bool = False
    cancel_enable: bool = False
    pk: int = 7


@pytest.mark.parametrize("state", sorted(DRAIN_TERMINAL))
def test_one_that_is_over_is_refused_by_one_code_wherever_it_is_asked_for(state):
    said = message("drain_over", drain=7, state=state)
    assert objection(A(state)) == said
    assert steering.drain_objection(DrainVerb.CANCEL, A(state)) == said


@pytest.mark.parametrize("state", sorted(DRAIN_OPEN))
def test_one_that_is_open_can_be_cancelled_and_the_service_chosen_again(state):
    assert objection(A(state, cancel_abort=True)) is None
    refused = steering.drain_objection(DrainVerb.CANCEL, A(state, cancel_abort=True))
    assert (refused is not None) == (state == DrainState.CANCELLING)  # there is no more to offer


@pytest.mark.parametrize(
    ("state", "started_at", "untouched"),
    [
        (DrainState.PENDING, None, True),
        (DrainState.PAUSED, None, True),
        (DrainState.PAUSED, BEFORE, False),
        (DrainState.RUNNING, BEFORE, False),
        (DrainState.CANCELLED, None, False),
    ],
)
def test_what_no_worker_has_begun_with_is_untouched(state, started_at, untouched):
    assert is_untouched(A(state, started_at)) == untouched


@pytest.mark.parametrize(
    ("drain", "abort", "enable", "wanted"),
    [
        (A(), False, None, Choice(False, False)),
        (A(did_disable=True), True, None, Choice(True, True)),
        (A(did_disable=True), False, False, Choice(False, False)),
        (A("cancelling", cancel_enable=True), True, None, Choice(True, True)),
        (A("cancelling", cancel_abort=True), False, True, Choice(True, True)),
        # the same as before
        (A("cancelling", cancel_enable=True), False, None, None),
        (A("cancelling", cancel_abort=True), False, False, None),
        # what an earlier cancel chose is no choice of a drain that was reopened since
        (A(cancel_abort=True, cancel_enable=True), False, None, Choice(False, False)),
    ],
)
def test_what_was_chosen_before_stands_and_an_abort_is_not_taken_back(drain, abort, enable, wanted):
    assert chosen(drain, abort=abort, enable=enable) == wanted


@pytest.mark.parametrize(
    ("drain", "abort", "since"),
    [
        (A(), False, NOW),
        (A("cancelling", cancelling_since=BEFORE), False, BEFORE),
        (A("cancelling", cancelling_since=BEFORE), True, NOW),
        (A("cancelling", cancelling_since=BEFORE, cancel_abort=True), True, BEFORE),
    ],
)
def test_the_wait_has_one_bound_and_an_abort_another_one(drain, abort, since):
    found = changes(drain, Choice(abort, True), NOW)
    assert (found["state"], found["cancelling_since"]) == (DrainState.CANCELLING, since)
    assert (found["cancel_abort"], found["cancel_enable"]) == (abort, True)


@pytest.mark.parametrize("state", [DrainState.RUNNING, DrainState.PAUSED])
def test_a_paused_one_waits_for_its_host_anew(state):
    found = changes(A(state), Choice(False, False), NOW)
    waits = {name: found[name] for name in found if name.endswith("down_since")}
    expected = {"host_down_since": None, "cloud_down_since": None}
    assert waits == (expected if state == DrainState.PAUSED else {})


def test_each_choice_is_recorded_by_a_code_of_its_own():
    every = [Choice(abort, enable) for abort in (False, True) for enable in (False, True)]
    assert len({choice.said.code for choice in every}) == 4
    assert cancelling.CANCELLING.code == "cancelling"

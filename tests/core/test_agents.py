"""What a host's agents were before its action decides what is held against them afterwards."""

from datetime import datetime

import pytest

from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.facts import NetworkAgent
from ukcloud_maintenance.core.run.agents import kept_of, standing_against
from ukcloud_maintenance.messages import english

HEARD = datetime(2026, 11, 2, 21, tzinfo=UTC)


def agent(binary: str, *, alive: bool = True, enabled: bool = True) -> NetworkAgent:
    return NetworkAgent(f"id-{binary}", "cmp1", binary, f"{binary} agent", alive, enabled, HEARD)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"a": True}, [agent("a")], None),
        ({"a": True}, [agent("a", alive=False)], "a (a agent), last heard of at 2026-11-02T21:00"),
        ({"a": True}, [agent("a", enabled=False)], "a (a agent), alive, but disabled in Neutron"),
        ({"a": True}, [], "a, no longer listed by Neutron"),
        # was not up before either
        ({"a": False}, [agent("a", alive=False)], None),
        ({"a": False}, [], None),
        # is new
        ({}, [agent("b", alive=False)], "b (b agent), last heard of"),
        ({}, [agent("b")], None),
        # there was none, and there is none
        ({}, [], None),
        # what was is not known
        (None, [agent("a")], None),
        (None, [agent("a", alive=False)], "a (a agent), last heard of"),
        (None, [], "it is unknown which ones it had before"),
    ],
)
def test_what_was_up_must_be_up(before, after, said):
    found = standing_against("cmp1", after, before)
    assert (found is None) == (said is None)
    assert said is None or said in english(found)


def test_all_that_are_not_up_are_named():
    found = standing_against("cmp1", [agent("b", alive=False)], {"a": True, "b": True})
    assert english(found).startswith(
        "2 network agents of cmp1 are not up: b (b agent), last heard of at 2026-11-02T21:00:00Z;"
        " a, no longer listed by Neutron."
    )


def test_one_of_which_nothing_was_heard():
    found = standing_against("cmp1", [NetworkAgent("1", "cmp1", "a", "A")], None)
    assert "a (A), never heard of" in english(found)


def test_what_an_earlier_try_broke_was_up_once():
    first = kept_of([agent("a"), agent("b", alive=False)])
    assert first == {"a": True, "b": False}
    second = kept_of([agent("a", alive=False), agent("b", alive=False)], first)
    assert second == first
    assert kept_of([], first) == {"a": True}


def test_of_two_of_a_kind_both_must_have_been_up():
    assert kept_of([agent("a"), agent("a", alive=False)]) == {"a": False}

"""The states: what ends, what can follow what, and that every way leads to an end."""

import itertools

import pytest

from ukcloud_maintenance.core.states import (
    DRAIN_OPEN,
    DRAIN_TERMINAL,
    DRAIN_TRANSITIONS,
    MIGRATION_IN_PROGRESS,
    MIGRATION_LEFT,
    MIGRATION_OPEN,
    MIGRATION_TERMINAL,
    MIGRATION_TRANSITIONS,
    MIGRATION_WAITING,
    DrainState,
    MigrationState,
    check_drain_transition,
    check_migration_transition,
)

#: The table of design.md, section 3. Pending can also go to cancelling; one that has not begun
#: can be put on hold and let go again; and one that failed goes on when what failed is retried.
DRAIN_WAYS = {
    ("pending", "running"),
    ("pending", "paused"),
    ("paused", "pending"),
    ("paused", "cancelled"),
    ("failed", "running"),
    ("pending", "cancelled"),
    ("pending", "cancelling"),
    ("running", "paused"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelling"),
    ("paused", "running"),
    ("paused", "cancelling"),
    ("cancelling", "cancelled"),
}


def reachable(transitions, start):
    seen, todo = set(), [start]
    while todo:
        state = todo.pop()
        if state not in seen:
            seen.add(state)
            todo += transitions[state]
    return seen


@pytest.mark.parametrize(("old", "new"), itertools.product(DrainState, DrainState))
def test_drains_go_these_ways_and_no_other(old, new):
    if (old.value, new.value) in DRAIN_WAYS:
        check_drain_transition(old, new)
    else:
        with pytest.raises(ValueError, match=f"from {old} to {new}"):
            check_drain_transition(old, new)


def test_every_state_has_its_line_in_the_tables():
    assert set(DRAIN_TRANSITIONS) == set(DrainState)
    assert set(MIGRATION_TRANSITIONS) == set(MigrationState)


def test_nothing_follows_the_end_of_a_drain_but_a_retry_of_what_failed():
    assert {s for s, ways in DRAIN_TRANSITIONS.items() if not ways} == DRAIN_TERMINAL - {
        DrainState.FAILED
    }
    assert DRAIN_TRANSITIONS[DrainState.FAILED] == {DrainState.RUNNING}
    assert not DRAIN_OPEN & DRAIN_TERMINAL
    assert set(DrainState) == DRAIN_OPEN | DRAIN_TERMINAL


@pytest.mark.parametrize("state", sorted(DRAIN_OPEN))
def test_every_open_drain_can_end(state):
    assert reachable(DRAIN_TRANSITIONS, state) & DRAIN_TERMINAL


@pytest.mark.parametrize("state", sorted(MIGRATION_OPEN))
def test_every_open_instance_migration_can_end_in_each_of_the_plain_ways(state):
    ends = {MigrationState.GONE, MigrationState.FAILED, MigrationState.CANCELLED}
    assert ends | {MigrationState.UNKNOWN} <= MIGRATION_TRANSITIONS[state]


@pytest.mark.parametrize(("old", "new"), itertools.product(MigrationState, MigrationState))
def test_instance_migrations_go_the_ways_of_the_table(old, new):
    if new in MIGRATION_TRANSITIONS[old]:
        check_migration_transition(old, new)
    else:
        with pytest.raises(ValueError, match=f"from {old} to {new}"):
            check_migration_transition(old, new)


@pytest.mark.parametrize("state", list(MigrationState))
def test_no_state_follows_itself(state):
    assert state not in MIGRATION_TRANSITIONS[state]


def test_nova_is_asked_from_pending_alone():
    """So that an intent is always recorded anew, with a new attempt."""
    before = {s for s, ways in MIGRATION_TRANSITIONS.items() if MigrationState.SUBMITTED in ways}
    assert before == {MigrationState.PENDING}


def test_only_what_nova_was_asked_for_can_succeed():
    before = {s for s, ways in MIGRATION_TRANSITIONS.items() if MigrationState.SUCCEEDED in ways}
    assert before == MIGRATION_IN_PROGRESS


def test_an_unknown_one_is_never_taken_up_again_as_it_is():
    """A second copy of the guest could be started by any repair: it becomes a failed one first,
    when its state was reset on evidence."""
    assert MIGRATION_TRANSITIONS[MigrationState.UNKNOWN] == {MigrationState.FAILED}


def test_a_failed_one_is_never_sent_without_being_asked_for_again():
    assert MigrationState.SUBMITTED not in MIGRATION_TRANSITIONS[MigrationState.FAILED]


def test_the_sets_fit_together():
    assert set(MigrationState) == MIGRATION_OPEN | MIGRATION_TERMINAL
    assert not MIGRATION_OPEN & MIGRATION_TERMINAL
    assert MIGRATION_IN_PROGRESS | MIGRATION_WAITING == MIGRATION_OPEN
    assert not MIGRATION_IN_PROGRESS & MIGRATION_WAITING
    assert MIGRATION_LEFT < MIGRATION_TERMINAL


def test_queued_is_novas_word():
    assert "queued" not in {*DrainState, *MigrationState}


@pytest.mark.parametrize("word", ["queued", "", "PENDING", "done"])
def test_words_that_are_no_states(word):
    with pytest.raises(ValueError, match="not a valid"):
        check_drain_transition("pending", word)
    with pytest.raises(ValueError, match="not a valid"):
        check_migration_transition(word, "pending")

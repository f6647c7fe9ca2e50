"""Hosts in maintenance under two hands at once, on SQLite, PostgreSQL and MariaDB."""

from datetime import timedelta
from functools import partial

import pytest

from tests.store.test_store import ADMINS, NOW, ROUNDS, begin, create, end, join
from ukcloud_maintenance import store
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import DrainState
from ukcloud_maintenance.exceptions import StaleState
from ukcloud_maintenance.models import Drain, Event, HostMaintenance


def in_maintenance(host: str = "cmp1", servers=("a",)) -> HostMaintenance:
    """A host whose drain is over."""
    drain = begin(create(host, servers=[f"{s} of {host}" for s in servers]))
    maintenance = join(drain, "enabled")
    store.intend_to_disable(maintenance, "kernel update")
    store.disabled(maintenance, NOW)
    end(drain)
    return store.maintenance(maintenance.pk)


def verified(maintenance: HostMaintenance, *, safe: bool = True, at=NOW) -> bool:
    return store.verified(
        maintenance,
        checks=[{"code": "all", "passed": safe, "text": "", "details": []}],
        safe=safe,
        why=None if safe else text("Something arrived."),
        looked_at=at,
        actor="worker",
        now=at,
    )


def give_back(maintenance: HostMaintenance, actor: str, choice: str = "ours") -> str:
    store.request_return(maintenance, choice=choice, actor=actor, now=NOW)
    return actor


def test_each_due_host_is_claimed_once(at_once):
    for n in range(6):
        in_maintenance(f"cmp{n}")
    taken = at_once([partial(store.claim_host, f"w{n}", NOW, 60, None) for n in range(6)])
    got = [m for m in taken if isinstance(m, HostMaintenance)]
    assert len({m.pk for m in got}) == len(got)
    while (more := store.claim_host("last", NOW, 60, None)) is not None:
        got.append(more)
    assert len({m.pk for m in got}) == len(got) == 6


def test_what_is_drained_is_not_claimed_and_what_is_given_back_is():
    in_maintenance("cmp1")
    create("cmp1", servers=["b"])
    maintenance = in_maintenance("cmp2")
    give_back(maintenance, "ann")
    assert store.claim_host("w", NOW, 60, ["RegionOne"]) == maintenance
    assert store.claim_host("w", NOW, 60, ["RegionOne"]) is None


def test_of_many_returns_at_once_one_is_written(at_once):
    for n in range(ROUNDS):
        maintenance = in_maintenance(f"cmp{n}")
        copies = [store.maintenance(maintenance.pk) for _ in range(ADMINS)]
        results = at_once(
            [partial(give_back, m, f"admin {i}") for i, m in enumerate(copies)],
        )
        winners = [r for r in results if isinstance(r, str)]
        assert len(winners) == 1, results
        assert all(isinstance(r, StaleState) for r in results if r not in winners), results
        assert store.maintenance(maintenance.pk).returned_by == winners[0]
        asked = Event.objects.filter(kind="return_requested", maintenance=maintenance)
        assert [e.actor for e in asked] == winners


def test_a_drain_and_a_return_at_once_are_never_both_taken(at_once):
    """The answers do not tell who was first; the rows must agree with them whoever it was."""
    for n in range(ROUNDS):
        host = f"cmp{n}"
        maintenance = in_maintenance(host)
        drained, returned = at_once(
            [
                partial(create, host, servers=[f"b of {host}"]),
                partial(give_back, maintenance, "ann"),
            ]
        )
        is_open = store.open_drain_of("RegionOne", host) is not None
        is_returning = store.maintenance(maintenance.pk).returning_since is not None
        assert is_open is isinstance(drained, Drain), drained
        assert is_returning is isinstance(returned, str), returned
        assert is_open is not is_returning
        lost = returned if is_open else drained
        assert isinstance(lost, store.BeingReturned | StaleState), lost


@pytest.mark.parametrize("other", ["drain", "return"])
def test_a_host_never_becomes_safe_while_something_else_begins(at_once, other):
    for n in range(ROUNDS):
        host = f"cmp{n}"
        maintenance = in_maintenance(host)
        begins = (
            partial(create, host, servers=[f"b of {host}"])
            if other == "drain"
            else partial(give_back, store.maintenance(maintenance.pk), "ann")
        )
        looked, begun = at_once([partial(verified, maintenance), begins])
        now = store.maintenance(maintenance.pk)
        if other == "return" and isinstance(begun, StaleState):
            assert looked is True  # whoever asked reads it again
            continue
        assert not isinstance(begun, Exception), begun
        assert now.safe_since is None
        if isinstance(looked, StaleState):
            assert now.withdrawn_at is None
        else:
            assert looked is True
            assert now.withdrawn_at is not None
            assert Event.objects.filter(kind="safe_withdrawn", maintenance=now).count() == 1


def test_a_later_look_is_not_overwritten_by_an_earlier_one():
    maintenance = in_maintenance()
    slow = store.maintenance(maintenance.pk)
    assert verified(maintenance, at=NOW + timedelta(seconds=5)) is True
    with pytest.raises(StaleState):
        verified(slow, safe=False)
    # the same was found: there is nothing that the revision could tell of
    slow = store.maintenance(maintenance.pk)
    assert verified(maintenance, at=NOW + timedelta(seconds=9)) is False
    with pytest.raises(StaleState):
        verified(slow, at=NOW + timedelta(seconds=7))
    assert store.maintenance(maintenance.pk).verified_at == NOW + timedelta(seconds=9)


def test_what_is_brought_back_is_written_with_the_return_or_not_at_all():
    maintenance = in_maintenance()
    stale = store.maintenance(maintenance.pk)
    run = store.ReturnRun("back", 2, "u1", [], {})
    made = store.request_return(maintenance, choice="ours", actor="ann", now=NOW, run=run)
    assert (made.direction, made.host_key) == ("back", maintenance.host_key)
    with pytest.raises(StaleState):
        store.request_return(stale, choice="ours", actor="bob", now=NOW, run=run)
    assert Drain.objects.filter(direction="back").count() == 1


def test_giving_up_and_beginning_the_run_at_once_end_in_one_of_both(at_once):
    for n in range(ROUNDS):
        maintenance = in_maintenance(f"cmp{n}")
        run = store.ReturnRun("back", 2, "u1", [], {})
        made = store.request_return(maintenance, choice="ours", actor="ann", now=NOW, run=run)
        begun, given_up = at_once(
            [
                partial(begin, store.drain(made.pk)),
                partial(store.give_up_return, maintenance, text("not ours"), "worker", NOW),
            ]
        )
        state = store.drain(made.pk).state
        returning = store.maintenance(maintenance.pk).returning_since is not None
        if given_up is None:
            assert not returning
            assert state in (DrainState.CANCELLED, DrainState.CANCELLING)
        else:
            assert isinstance(given_up, StaleState), given_up
            assert returning
            assert state == DrainState.RUNNING
            assert isinstance(begun, Drain)

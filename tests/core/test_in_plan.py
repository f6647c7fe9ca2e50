"""What a drain of a plan waits for, what was learned of Nova's limit, and which runs take hosts."""

from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from tests.core.build import NOW
from ukcloud_maintenance.core.drain.in_plan import ahead_of
from ukcloud_maintenance.core.drain.pacing import limit_of
from ukcloud_maintenance.core.run.states import RunState
from ukcloud_maintenance.core.run.steering import takes_hosts
from ukcloud_maintenance.core.states import DRAIN_TERMINAL, DrainState


@dataclass(frozen=True)
class Kept:
    """The maintenance of a host."""

    found_status: str = "enabled"
    disabled_at: datetime | None = NOW


@dataclass(frozen=True)
class A:
    """A drain of a plan."""

    host: str
    plan_order: int
    state: str = DrainState.RUNNING
    started_at: datetime | None = NOW
    host_down_since: datetime | None = None
    maintenance: Kept | None = None
    max_concurrent: int = 2
    learned_limit: int | None = None
    nova_runs_more: bool = False


FIRST, MINE = A("cmp1", 0), A("cmp2", 1)


@pytest.mark.parametrize(
    ("changed", "taking"),
    [
        ({}, ["cmp1"]),
        ({"maintenance": Kept(disabled_at=None)}, ["cmp1"]),
        ({"maintenance": Kept()}, []),
        ({"maintenance": Kept("disabled", None)}, []),
        ({"host_down_since": NOW}, []),
        ({"state": DrainState.PENDING, "started_at": None}, ["cmp1"]),
        ({"state": DrainState.PAUSED}, ["cmp1"]),
        ({"state": DrainState.PAUSED, "started_at": None}, []),
        *(({"state": state}, []) for state in sorted(DRAIN_TERMINAL)),
    ],
)
def test_it_waits_until_the_others_take_no_instances(changed, taking):
    assert ahead_of(MINE, [replace(FIRST, **changed)], 0) == (taking, [])


@pytest.mark.parametrize(
    ("at_once", "before"), [(0, []), (1, ["cmp1", "cmp3"]), (2, ["cmp1", "cmp3"]), (3, [])]
)
def test_it_waits_for_those_before_it_as_far_as_the_number_is_full(at_once, before):
    kept = Kept()
    others = [
        A("cmp1", 0, maintenance=kept),
        A("cmp3", 1, maintenance=kept),
        A("cmp4", 3, maintenance=kept),
    ]
    assert ahead_of(replace(MINE, plan_order=2), others, at_once) == ([], before)


@pytest.mark.parametrize(
    ("last", "limit"),
    [
        (None, 0),
        (A("cmp1", 0), 0),
        (A("cmp1", 0, learned_limit=1), 1),
        (A("cmp1", 0, nova_runs_more=True), 3),
        (A("cmp1", 0, learned_limit=5, nova_runs_more=True), 5),
    ],
)
def test_what_the_last_drain_found_out_of_novas_limit(last, limit):
    assert limit_of(last) == limit


def test_a_run_takes_hosts_unless_it_is_over_or_cancelled():
    assert takes_hosts() == {RunState.RUNNING, RunState.PAUSED, RunState.STOPPED}

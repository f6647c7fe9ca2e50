"""What keeps a run from going on, by what it says, and since when."""

from datetime import datetime, timedelta

import pytest

from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.run.holds import _BY_CODE, Hold, hold, noted
from ukcloud_maintenance.messages import TEMPLATES

NOW = datetime(2026, 11, 2, 22, tzinfo=UTC)
DOWN = message("run_hosts_down", hosts=("cmp8",), count=1)
OTHERS = message("run_hosts_down", hosts=("cmp8", "cmp9"), count=2)
ALERTS = message("alerts_firing", alerts=("Fire",))
WINDOW = message("run_waits_for_window", at=NOW + timedelta(hours=1))
FULL = message("hosts_out_limit", count=1, hosts=("cmp1",))


def test_the_codes_are_those_of_the_catalog():
    assert _BY_CODE.keys() <= TEMPLATES.keys()
    assert set(_BY_CODE.values()) == set(Hold)


def test_that_as_many_are_out_as_may_be_holds_no_run():
    assert hold(FULL) is None
    assert hold(None) is None
    assert hold(message("waits_for_worker")) is None
    assert (hold(DOWN), hold(WINDOW)) == (Hold.GATE, Hold.WINDOW)


@pytest.mark.parametrize(
    ("before", "said", "kept"),
    [
        (None, DOWN, {"held_since": NOW}),
        (DOWN, OTHERS, {}),  # of the same kind: since then
        (DOWN, ALERTS, {}),
        (WINDOW, DOWN, {"held_since": NOW}),
        (FULL, DOWN, {"held_since": NOW}),
        (DOWN, FULL, {"held_since": None}),
        (DOWN, None, {"held_since": None}),
    ],
)
def test_since_when_it_is_held_for_a_reason_of_a_kind(before, said, kept):
    assert noted(before, said, NOW) == kept

"""How a drain goes on, and whether it may as far as its host is concerned."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.going_on import (
    HostNow,
    can_be_reopened,
    can_retry,
    paused,
    reopened,
    resumed,
)
from ukcloud_maintenance.core.states import Direction, DrainState

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class A:
    """A drain."""

    state: str = DrainState.FAILED
    direction: str = Direction.AWAY
    maintenance_id: int | None = 3
    started_at: datetime | None = None
    stop_at: datetime | None = None
    pk: int = 7


@pytest.mark.parametrize(
    ("drain", "host", "may"),
    [
        (A(), HostNow(None, 3), True),
        (A(), HostNow(7, 3), True),  # it is reopened just now
        (A(), HostNow(8, 3), False),
        (A(), HostNow(None, 3, is_returning=True), False),
        (A(), HostNow(None, None), False),
        (A(), HostNow(None, 4), False),
        (A(maintenance_id=None), HostNow(None, 4), True),  # it never came to the service
        (A(direction=Direction.BACK), HostNow(), True),
        (A(direction=Direction.BACK), HostNow(8), False),
        (A(direction=Direction.BACK), HostNow(None, 4, is_returning=True), False),
    ],
)
def test_a_failed_one_goes_on_in_the_maintenance_that_it_was_part_of(drain, host, may):
    assert can_be_reopened(drain, host) == may
    assert can_retry(drain, host) == may


@pytest.mark.parametrize("state", sorted(set(DrainState) - {DrainState.FAILED}))
def test_to_any_other_the_host_does_not_matter(state):
    assert can_retry(A(state), HostNow(8, 4, is_returning=True))


@pytest.mark.parametrize(
    ("stop_at", "kept"), [(None, True), (NOW, False), (NOW + timedelta(seconds=1), True)]
)
@pytest.mark.parametrize("how", [resumed, reopened])
def test_a_window_that_is_over_is_removed(how, stop_at, kept):
    assert ("stop_at" not in how(A(stop_at=stop_at), NOW)) == kept


def test_it_goes_on_where_it_was():
    assert resumed(A(started_at=None), NOW)["state"] == DrainState.PENDING
    assert resumed(A(started_at=NOW), NOW)["state"] == DrainState.RUNNING
    assert reopened(A(started_at=None), NOW)["state"] == DrainState.RUNNING


@pytest.mark.parametrize(
    ("fields", "waits"),
    [
        (paused(), {"blocked_since", "proving_since"}),
        (resumed(A(), NOW), {"blocked_since", "host_down_since", "cloud_down_since"}),
        (
            reopened(A(), NOW),
            {"blocked_since", "host_down_since", "cloud_down_since", "proving_since"},
        ),
    ],
)
def test_its_waits_begin_anew(fields, waits):
    assert {name for name in fields if name.endswith("_since")} == waits
    assert all(fields[name] is None for name in waits)

"""What changes seldom around the instances of a drain is read seldom."""

import math
from types import SimpleNamespace

import pytest

from tests.core.build import NOW, ago, row, seen
from tests.fakes import FakeCloud, service
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import MigrationState
from ukcloud_maintenance.exceptions import CloudUnreachable
from ukcloud_maintenance.observe import drain as observed
from ukcloud_maintenance.observe import placement
from ukcloud_maintenance.observe.placement import KEPT_SECONDS, Surroundings


class Counting(FakeCloud):
    """Tells how often its services were asked for."""

    def __init__(self, region="RegionOne"):
        super().__init__([service("cmp1")])
        self.region, self.asked = region, 0
        self.all_groups, self.all_aggregates = [], []

    def services(self, host=None):
        self.asked += 1
        return super().services(host)


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(placement, "time", found)
    return found


def test_it_is_read_again_after_its_time(clock):
    cloud, around = Counting(), Surroundings()
    first = around.read(cloud)
    clock.now += KEPT_SECONDS - 1
    assert around.read(cloud) is first
    assert cloud.asked == 1
    clock.now += 1
    assert around.read(cloud)["services"] == first["services"]
    assert cloud.asked == 2


def test_it_is_read_at_once_where_it_may_be_wrong(clock):
    cloud, around = Counting(), Surroundings()
    around.read(cloud)
    around.read(cloud, most=0)
    around.read(cloud)
    assert cloud.asked == 2
    clock.now += 5
    around.read(cloud, most=6)
    assert cloud.asked == 2
    around.read(cloud, most=5)
    assert cloud.asked == 3
    clock.now += KEPT_SECONDS
    around.read(cloud, most=9 * KEPT_SECONDS)
    assert cloud.asked == 4


def test_each_region_has_its_own(clock):
    one, other, around = Counting(), Counting("RegionTwo"), Surroundings()
    around.read(one)
    around.read(other)
    assert (one.asked, other.asked) == (1, 1)


def test_what_could_not_be_read_is_tried_again(clock):
    cloud, around = Counting(), Surroundings()
    cloud.failure = CloudUnreachable(message("to_list_services"), message("text", text="no"))
    assert isinstance(around.read(cloud)["services"], CloudUnreachable)
    cloud.failure = None
    assert around.read(cloud)["services"] == cloud.all_services


@pytest.mark.parametrize(
    ("rows", "most"),
    [
        ([row()], KEPT_SECONDS),
        ([row(fall_back=True, state=MigrationState.PENDING, ended_at=ago(7))], 7),
        ([row(fall_back=True, state=MigrationState.MIGRATING, submitted_at=ago(900))], 900),
        ([row(fall_back=True, state=MigrationState.SUCCEEDED, ended_at=ago(1))], KEPT_SECONDS),
        (
            [
                row("a", fall_back=True, state=MigrationState.MIGRATING, submitted_at=ago(900)),
                row("b", fall_back=True, state=MigrationState.SUBMITTED, submitted_at=ago(2)),
            ],
            2,
        ),
    ],
)
def test_after_a_refusal_it_is_read_once_and_not_in_each_pass_until_that_one_arrived(
    rows, most, monkeypatch
):
    asked = []

    class Remembered(Surroundings):
        def read(self, cloud, *, most=KEPT_SECONDS):
            asked.append(most)
            return {}

    monkeypatch.setattr(observed.d, "places_wanted", lambda *_: ["web"])
    monkeypatch.setattr(observed, "drain_view", lambda one: one)
    monkeypatch.setattr(observed, "row_view", lambda one: one)
    monkeypatch.setattr(observed, "read_placing", lambda *_: None)
    monkeypatch.setattr(observed.store, "done_before", lambda _: frozenset())
    by = observed.Observer(None, lambda: NOW, lambda: None, lambda _: math.inf, Remembered())
    observed.with_placing(by, SimpleNamespace(pk=1), rows, seen())
    assert asked == [most]

"""What changes seldom around the instances of a drain is read seldom."""

import pytest

from tests.fakes import FakeCloud, service
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.exceptions import CloudUnreachable
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
    around.read(cloud, anew=True)
    around.read(cloud)
    assert cloud.asked == 2


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

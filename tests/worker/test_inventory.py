"""The worker keeps the inventory: step by step, beside its passes, whatever Nova does."""

import threading
from dataclasses import replace

import pytest

from tests.fakes import FakeCloud, service
from ukcloud_maintenance import store
from ukcloud_maintenance.core.facts import Capacity, Hypervisor
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.exceptions import CloudAuthError, CloudBadRequest, CloudUnreachable
from ukcloud_maintenance.models import Inventory
from ukcloud_maintenance.worker import inventory as module
from ukcloud_maintenance.worker.housekeeping import DatabaseOutage
from ukcloud_maintenance.worker.inventory import InventoryKeeper

pytestmark = pytest.mark.django_db


class ListingCloud(FakeCloud):
    """Lists hypervisors three at a time."""

    def __init__(self, number: int):
        super().__init__([service(f"cmp{n}") for n in range(number)])
        self.nodes = [Hypervisor(f"id-{n:03}", f"n{n}", f"cmp{n}") for n in range(number)]
        self.asked: list[str] = []

    def within(self, seconds, before_write=lambda: None):
        return self

    def services(self, host=None):
        self.asked.append("services")
        return super().services(host)

    def hypervisors_after(self, marker):
        self.asked.append(f"after {marker}")
        self._fail()
        if marker and marker not in [one.id for one in self.nodes]:
            raise CloudBadRequest(message("to_list_hypervisors"), "marker not found", status=400)
        return [one for one in self.nodes if one.id > marker][:3]


class OneCloud:
    """What a keeper is given for the worker's sessions."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.forgotten: list[str] = []

    def of(self, region):
        return self.cloud

    def forget(self, region):
        self.forgotten.append(region)


@pytest.fixture
def cloud():
    return ListingCloud(7)


@pytest.fixture
def keeper(cloud):
    return keeper_of(cloud)


def keeper_of(cloud, name="w", is_busy=lambda: False):
    return InventoryKeeper(
        name, "RegionOne", OneCloud(cloud), DatabaseOutage(name), is_busy, threading.Event()
    )


def is_due() -> None:
    Inventory.objects.update(next_step_at=None)


def steps(keeper, number: int) -> list[float]:
    pauses = []
    for _ in range(number):
        is_due()
        pauses.append(keeper.attend())
    return pauses


def known():
    return store.inventory("RegionOne", store.now())


def test_a_round_is_one_small_page_a_step_and_ends_with_one_that_is_empty(keeper, cloud):
    steps(keeper, 3)
    assert known() is None
    steps(keeper, 1)
    assert cloud.asked == ["services", "after ", "after id-002", "after id-005", "after id-006"]
    assert known().all == cloud.nodes
    assert known().hosts == {one.host for one in cloud.nodes}
    steps(keeper, 1)
    assert cloud.asked[-2:] == ["services", "after "]


def test_a_round_takes_three_quarters_of_a_minute_and_the_first_no_longer_than_nova(keeper):
    first = steps(keeper, 3)
    assert max(first) < 1
    assert steps(keeper, 5)[1:] == pytest.approx([module.ROUND_SECONDS / 4] * 4, abs=1)


def test_what_is_not_due_costs_nova_nothing(keeper, cloud):
    steps(keeper, 4)
    asked = len(cloud.asked)
    assert keeper.attend() == module.LOOK_AGAIN
    assert keeper_of(cloud, "w2").attend() == module.LOOK_AGAIN
    assert len(cloud.asked) == asked


def test_hosts_that_vanish_and_appear_are_so_a_round_later(keeper, cloud):
    steps(keeper, 4)
    cloud.nodes = [*cloud.nodes[1:], Hypervisor("id-900", "new", "new")]
    steps(keeper, 4)
    assert {one.id for one in known().all} == {one.id for one in cloud.nodes}


def test_a_round_begins_anew_where_the_hypervisor_it_stands_at_is_gone(keeper, cloud):
    steps(keeper, 5)
    cloud.nodes.pop(2)  # the last one of the first page
    steps(keeper, 1)
    assert known() is not None
    steps(keeper, 3)
    assert sorted(one.id for one in known().all) == [one.id for one in cloud.nodes]


def test_another_worker_goes_on_where_one_was_stopped(keeper, cloud):
    steps(keeper, 2)
    store.worker_stopped("w", store.now())
    cloud.asked.clear()
    steps(keeper_of(cloud, "w2"), 2)
    assert cloud.asked == ["after id-005", "after id-006"]
    assert known().all == cloud.nodes


def test_a_nova_that_is_down_is_asked_less_and_less_and_what_was_known_grows_old(keeper, cloud):
    steps(keeper, 4)
    cloud.failure = CloudUnreachable(message("to_list_hypervisors"), "connection refused")
    assert steps(keeper, 6) == [5, 10, 20, 40, 60, 60]
    assert known() is not None
    cloud.failure = None
    steps(keeper, 1)
    assert cloud.asked[-1] == "after "


def test_a_login_that_is_refused_is_tried_with_a_new_session(keeper, cloud):
    cloud.failure = CloudAuthError(message("to_log_in"), "expired", status=401)
    keeper.attend()
    assert keeper.clouds.forgotten == ["RegionOne"]


def test_a_drains_pass_goes_first_for_a_moment_and_holds_nothing_up_for_ever(cloud, monkeypatch):
    monkeypatch.setattr(module, "YIELDS", 0.3)
    looked = []
    busy = keeper_of(cloud, is_busy=lambda: looked.append(len(cloud.asked)) or True)
    busy.attend()
    assert len(looked) > 1
    assert set(looked) == {0}
    assert cloud.asked == ["services", "after "]


def test_a_bug_of_ours_ends_no_thread(keeper, cloud, monkeypatch):
    monkeypatch.setattr(cloud, "hypervisors_after", lambda marker: 1 / 0)
    assert steps(keeper, 2) == [5, 10]
    assert Inventory.objects.get().claimed_by == ""


def test_the_region_is_the_one_that_the_pages_call_it_by(cloud, monkeypatch):
    """Where the settings name none, it is found in the catalogue."""
    monkeypatch.setattr(cloud, "find_region", lambda: "North")
    keeper = keeper_of(cloud)
    keeper.region = ""
    steps(keeper, 4)
    assert known() is None
    assert store.inventory("North", store.now()).all == cloud.nodes


def test_two_nodes_of_one_service_and_a_service_without_any(keeper, cloud):
    cloud.nodes[1] = replace(cloud.nodes[1], host="cmp0", hypervisor_type="ironic")
    steps(keeper, 4)
    assert [one.id for one in known().of("cmp0")] == ["id-000", "id-001"]
    assert known().of("cmp1") == ()
    assert "cmp1" in known().hosts


def test_the_vcpus_are_placements_at_the_end_of_a_round_if_it_answers(keeper, cloud):
    cloud.all_capacity = {"cmp1": Capacity({"VCPU": 16, "MEMORY_MB": 9}, {"VCPU": 3})}
    steps(keeper, 4)
    assert known().capacity == {"cmp1": Capacity({"VCPU": 16}, {"VCPU": 3})}
    cloud.all_capacity = None
    steps(keeper, 4)
    assert known().capacity == {}
    assert known().all == cloud.nodes

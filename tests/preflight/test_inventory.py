"""A preflight where the worker keeps an inventory: what it spares Nova, and what it may not say."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes import FakeCloud, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.cloud.wire import as_capacity
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.facts import Capacity, Hypervisor
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.exceptions import CloudUnreachable, Refused
from ukcloud_maintenance.services import DrainRequest, PreflightChoices

pytestmark = pytest.mark.django_db

ACTOR = shell_actor()


class RoomCloud(FakeCloud):
    """Hosts with a hypervisor and room each; remembers what was asked for."""

    def __init__(self, number: int):
        super().__init__([service(f"cmp{n}") for n in range(number)], [server("web", "cmp0")])
        self.all_groups, self.all_aggregates = [], []
        self.nodes = [Hypervisor(f"id-{n}", f"node{n}", f"cmp{n}") for n in range(number)]
        #: memory in MiB, by the provider's id; one that has none left is not in the answer
        self.room = {one.id: 8192 for one in self.nodes}
        self.asked: list[str] = []

    def hypervisors(self):
        self.asked.append("hypervisors")
        return list(self.nodes)

    def hypervisors_of(self, host, name=""):
        self.asked.append(f"hypervisors_of {host} {name}".strip())
        self._fail()
        return [one for one in self.nodes if one.host == host]

    def capacity(self, known=None):
        nodes = self.hypervisors() if known is None else list(known)
        summaries = {
            uuid: {
                "traits": [],
                "resources": {
                    name: {"capacity": total, "used": 0}
                    for name, total in (("MEMORY_MB", mib), ("VCPU", 8), ("DISK_GB", 99))
                },
            }
            for uuid, mib in self.room.items()
            if mib
        }
        found = as_capacity(summaries, {one.id: one.host for one in nodes})
        return found | {n.host: Capacity(bare_metal=True) for n in nodes if n.is_bare_metal}

    def providers(self):
        self.asked.append("providers")
        return frozenset(self.room)


@pytest.fixture
def cloud():
    found = RoomCloud(4)
    keep_inventory(found)
    return found


def keep_inventory(cloud, seconds_ago=20):
    now = store.now()
    head = store.claim_inventory("RegionOne", "w", now, 90)
    store.begin_round(head, "w", [one.host for one in cloud.all_services])
    at = now - timedelta(seconds=seconds_ago)
    store.keep_page(head, "w", cloud.nodes, at)
    store.keep_page(head, "w", [], at)
    store.release_inventory(head, "w", now)


def plan_of(cloud, host="cmp0", **choices):
    return services.preflight_host(ACTOR, cloud, host, PreflightChoices(**choices))


def test_the_list_of_all_hypervisors_is_not_read(cloud):
    plan = plan_of(cloud)
    assert cloud.asked == ["hypervisors_of cmp0 node0"]
    assert set(plan.capacity) == {"cmp0", "cmp1", "cmp2", "cmp3"}
    assert [p.planned_host != "" for p in plan.planned] == [True]


def test_room_is_what_placement_says_now(cloud):
    cloud.room |= {"id-1": 100, "id-2": 4096}
    plan = plan_of(cloud)
    assert {h: c.free("MEMORY_MB") for h, c in plan.capacity.items()} == {
        **{"cmp0": 8192, "cmp1": 100, "cmp2": 4096, "cmp3": 8192},
    }


def test_a_host_that_is_full_is_known_without_the_list(cloud):
    cloud.room["id-1"] = 0
    assert plan_of(cloud).full == ["cmp1"]
    assert sorted(cloud.asked) == ["hypervisors_of cmp0 node0", "providers"]


def test_a_host_that_the_inventory_does_not_know_yet_is_not_called_full(cloud):
    cloud.all_services.append(service("new"))
    cloud.nodes.append(Hypervisor("id-new", "new", "new"))
    cloud.room["id-new"] = 8192
    plan = plan_of(cloud)
    assert plan.full == []
    assert plan.capacity["new"].free("MEMORY_MB") == 8192
    assert "hypervisors" in cloud.asked


def test_a_host_with_another_hypervisor_than_the_inventory_knows_is_not_called_full(cloud):
    cloud.nodes[1] = replace(cloud.nodes[1], id="id-again")
    del cloud.room["id-1"]
    cloud.room["id-again"] = 8192
    plan = plan_of(cloud)
    assert plan.full == []
    assert plan.capacity["cmp1"].free("MEMORY_MB") == 8192


def test_a_service_without_a_hypervisor_costs_no_list(cloud):
    cloud.nodes.pop(1)
    del cloud.room["id-1"]
    keep_again(cloud)
    assert plan_of(cloud).full == ["cmp1"]
    assert "hypervisors" not in cloud.asked


def keep_again(cloud):
    store.Inventory.objects.update(next_step_at=None)
    keep_inventory(cloud)


def test_without_an_inventory_the_list_is_read(cloud):
    store.Inventory.objects.all().delete()
    plan_of(cloud)
    assert cloud.asked == ["hypervisors"]


@pytest.mark.parametrize("of_ironic", [True, False])
def test_whether_the_host_itself_is_of_ironic_is_what_nova_says_now(cloud, of_ironic):
    """The inventory says the contrary."""
    kinds = ("ironic", "QEMU") if of_ironic else ("QEMU", "ironic")
    cloud.nodes[0] = replace(cloud.nodes[0], hypervisor_type=kinds[1])
    keep_again(cloud)
    cloud.nodes[0] = replace(cloud.nodes[0], hypervisor_type=kinds[0])
    if of_ironic:
        with pytest.raises(Refused) as refused:
            services.request_drain(ACTOR, cloud, DrainRequest("cmp0", "r"))
        assert refused.value.code == "bare_metal"
    else:
        services.request_drain(ACTOR, cloud, DrainRequest("cmp0", "r"))


def test_whether_the_chosen_destination_is_of_ironic_is_what_nova_says_now(cloud):
    cloud.nodes[1] = replace(cloud.nodes[1], hypervisor_type="ironic")
    with pytest.raises(Refused) as refused:
        services.request_drain(ACTOR, cloud, DrainRequest("cmp0", "r", destination="cmp1"))
    assert refused.value.code == "destination_bare_metal"


def test_a_host_of_ironic_that_cannot_be_read_now_is_still_one(cloud, monkeypatch):
    cloud.nodes[0] = replace(cloud.nodes[0], hypervisor_type="ironic")
    keep_again(cloud)

    def fail(host, name=""):
        raise CloudUnreachable(message("to_read_hypervisor", host=host), "timed out")

    monkeypatch.setattr(cloud, "hypervisors_of", fail)
    assert services.check_host(ACTOR, cloud, "cmp0").refusal.code == "bare_metal"


def test_hosts_of_ironic_do_not_receive(cloud):
    cloud.nodes[1] = replace(cloud.nodes[1], hypervisor_type="ironic")
    keep_again(cloud)
    assert [one.host for one in plan_of(cloud).receivers] == ["cmp2", "cmp3"]


def test_a_host_that_is_down_finds_its_other_name_in_the_inventory(cloud):
    cloud.all_services[3] = service("cmp3", state="down")
    with pytest.raises(Refused):
        plan_of(cloud, "cmp3")
    assert "hypervisors" not in cloud.asked

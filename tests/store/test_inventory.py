"""The inventory of hypervisors, on each database."""

from datetime import datetime, timedelta
from functools import partial

import pytest

from ukcloud_maintenance import store
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.facts import Hypervisor
from ukcloud_maintenance.models import Inventory, InventoryPage

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LEASE = 90


@pytest.fixture(autouse=True)
def _empty(database):
    Inventory.objects.all().delete()


def node(number: int, **more) -> Hypervisor:
    fields = {"vcpus": 4, "memory_bytes": 2**40, "running_vms": number} | more
    return Hypervisor(f"id-{number:03}", f"n{number}.example", f"cmp{number}", **fields)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def claim(seconds: float = 0, worker: str = "w", region: str = "RegionOne"):
    return store.claim_inventory(region, worker, at(seconds), LEASE)


def a_round(*pages, seconds: float = 0, region: str = "RegionOne", hosts=()) -> None:
    """A whole round, a page a second."""
    head = claim(seconds, region=region)
    assert store.begin_round(head, "w", hosts or [one.host for page in pages for one in page])
    for number, page in enumerate((*pages, [])):
        assert store.keep_page(head, "w", page, at(seconds + number))
    store.release_inventory(head, "w", at(seconds + len(pages) + 1))


def test_what_was_listed_is_read_back_to_the_letter():
    found = [node(1, hypervisor_type="QEMU"), node(2)]
    a_round(found[:1], found[1:], hosts=["cmp1", "cmp2", "Cmp1 "])
    known = store.inventory("RegionOne", at(5))
    assert known.all == found
    assert known.of("cmp2") == (found[1],)
    assert known.of("cmp") == known.of("CMP2") == ()
    assert known.hosts == {"cmp1", "cmp2", "Cmp1 "}
    assert known.read_at == NOW


def test_all_nodes_of_one_service_are_its_own():
    nodes = [Hypervisor(f"id-{n}", f"node-{n}", "ironic1", hypervisor_type="ironic") for n in "abc"]
    a_round(nodes[:2], nodes[2:])
    assert store.inventory("RegionOne", at(5)).of("ironic1") == tuple(nodes)


def test_a_round_that_is_not_over_is_none():
    head = claim()
    store.begin_round(head, "w", ["cmp1", "cmp2"])
    store.keep_page(head, "w", [node(1)], NOW)
    assert store.inventory("RegionOne", NOW) is None


def test_one_that_nobody_kept_up_is_none():
    a_round([node(1)], [node(2)])
    assert store.inventory("RegionOne", at(180)) is not None
    assert store.inventory("RegionOne", at(181)) is None


def test_one_of_the_future_is_none_and_neither_is_one_after_the_clock_was_set_back():
    a_round([node(1)], [node(2)])
    assert store.inventory("RegionOne", at(-1)) is None
    store.clock_was_set_back()
    assert store.inventory("RegionOne", at(5)) is None
    assert claim(-3600) is not None  # the next page is due at once


def test_another_region_has_another_one():
    a_round([node(1)], region="RegionOne")
    a_round([node(2)], region="RegionTwo")
    assert store.inventory("RegionTwo", at(5)).all == [node(2)]
    for region in ("regionone", "RegionOne ", "", "RegionThree"):
        assert store.inventory(region, at(5)) is None


def test_pages_are_renewed_one_by_one_and_the_oldest_says_how_old_all_are():
    a_round([node(1)], [node(2)])
    head = claim(30)
    store.begin_round(head, "w", ["cmp1", "cmp2"])
    store.keep_page(head, "w", [node(1, vcpus_used=3)], at(30))
    known = store.inventory("RegionOne", at(31))
    assert known.all == [node(2), node(1, vcpus_used=3)]
    assert known.read_at == at(1)


def test_what_is_gone_is_forgotten_at_the_end_of_a_round_and_what_moved_is_there_once():
    a_round([node(1), node(2)], [node(3), node(4)], [node(5)])
    a_round([node(2), node(3, vcpus_used=1)], [node(4), node(5)], seconds=30)
    known = store.inventory("RegionOne", at(40))
    assert sorted(known.all, key=lambda one: one.id) == [
        *(node(2), node(3, vcpus_used=1), node(4), node(5)),
    ]
    assert known.hosts == {"cmp2", "cmp3", "cmp4", "cmp5"}
    assert InventoryPage.objects.count() == 2


def test_it_is_claimed_by_one_worker_at_a_time_and_when_it_is_due():
    first = claim(0, "w1")
    assert claim(1, "w2") is None
    store.release_inventory(first, "w1", at(10))
    assert claim(9, "w2") is None
    assert claim(10, "w2") is not None


def test_one_worker_of_many_that_ask_at_once_gets_it(at_once):
    # twice: before there is a row, and when there is one
    for seconds in (0, 1000):
        taken = at_once([partial(claim, seconds, f"w{n}") for n in range(4)])
        assert [one for one in taken if isinstance(one, Exception)] == []
        assert len([one for one in taken if one is not None]) == 1
    assert Inventory.objects.count() == 1


def test_what_a_worker_finds_out_after_it_lost_it_is_void():
    late = claim(0, "w1")
    store.begin_round(late, "w1", ["cmp1"])
    head = claim(LEASE + 1, "w2")
    store.begin_round(head, "w2", ["cmp1"])
    assert not store.keep_page(late, "w1", [node(9)], at(LEASE + 2))
    assert InventoryPage.objects.count() == 0
    store.release_inventory(late, "w1", at(0))
    assert claim(LEASE + 3, "w1") is None


def test_a_page_that_was_kept_already_is_not_kept_twice():
    head = claim()
    store.begin_round(head, "w", ["cmp1", "cmp2"])
    twin = Inventory.objects.get(pk=head.pk)
    assert store.keep_page(head, "w", [node(1)], NOW)
    assert not store.keep_page(twin, "w", [node(2)], NOW)


def test_a_worker_that_says_goodbye_in_the_middle_leaves_the_round_to_the_next():
    head = claim(0, "w1")
    store.begin_round(head, "w1", ["cmp1", "cmp2"])
    store.keep_page(head, "w1", [node(1)], NOW)
    store.worker_stopped("w1", at(1))
    head = claim(2, "w2")
    assert (head.marker, head.number) == (node(1).id, 1)
    assert store.keep_page(head, "w2", [node(2)], at(2))
    assert store.keep_page(head, "w2", [], at(3))
    assert store.inventory("RegionOne", at(4)).all == [node(1), node(2)]


def test_a_round_that_begins_anew_keeps_what_is_known():
    a_round([node(1)], [node(2)])
    head = claim(30)
    store.begin_round(head, "w", ["cmp1", "cmp2"])
    store.keep_page(head, "w", [node(1)], at(30))
    store.restart_round(head, "w")
    store.release_inventory(head, "w", at(31))
    head = claim(32)
    assert (head.marker, head.number) == ("", 0)
    assert store.inventory("RegionOne", at(33)).all == [node(2), node(1)]


def test_an_inventory_of_a_region_that_is_no_more_is_forgotten():
    a_round([node(1)], region="Old")
    a_round([node(1)], region="RegionOne", seconds=80000)
    store.forget_inventories(at(80002))
    assert Inventory.objects.count() == 2
    store.forget_inventories(at(24 * 3600 + 60))
    assert [one.region for one in Inventory.objects.all()] == ["RegionOne"]
    assert InventoryPage.objects.count() == 1


def test_what_another_release_wrote_of_a_hypervisor_is_read_as_far_as_it_is_known():
    a_round([node(1)])
    page = InventoryPage.objects.get()
    page.hypervisors = [[*page.hypervisors[0], "new"], ["id-2", "n2.example", "cmp2"]]
    page.save()
    assert store.inventory("RegionOne", at(5)).all == [
        node(1),
        Hypervisor("id-2", "n2.example", "cmp2"),
    ]

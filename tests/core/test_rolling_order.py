"""In which order hosts are rolled: by hand, and against every order of a small region."""

from itertools import permutations

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.examples import some
from ukcloud_maintenance.core.run import order as o
from ukcloud_maintenance.core.run.order import Host, Load, Order, natural_key, roll

BY_HAND, FEWEST, FEW_MOVES = Order.BY_HAND, Order.FEWEST, Order.FEW_MOVES


def host(name: str, *memory: int, free: int = 0, zone: str = "", vcpus: int = 1) -> Host:
    loads = tuple(Load(one, vcpus) for one in memory)
    return Host(name, loads, free, free_vcpus=100, zone=zone)


def names(rolling) -> list[str]:
    return list(rolling.hosts)


def test_by_hand_is_as_given():
    hosts = [host("cmp3", 1, free=9), host("cmp1", free=9), host("cmp2", 1, free=9)]
    assert names(roll(BY_HAND, hosts)) == ["cmp3", "cmp1", "cmp2"]


def test_fewest_instances_first_and_then_by_name():
    hosts = [host("cmp10", 1), host("cmp2", 1), host("cmp1", 1, 1), host("cmp11"), host("CMP3", 1)]
    assert names(roll(FEWEST, hosts)) == ["cmp11", "cmp2", "CMP3", "cmp10", "cmp1"]


def test_an_empty_host_first_costs_nothing_and_takes_the_next_ones():
    hosts = [host("cmp1", 4, 4, free=2), host("cmp2", 4, 4, free=2), host("cmp3", free=10)]
    assert roll(FEW_MOVES, hosts) == o.Rolling(("cmp3", "cmp1", "cmp2"), 4, 4, 0)
    # by hand the first two go to cmp3, and from there once more
    assert roll(BY_HAND, hosts) == o.Rolling(("cmp1", "cmp2", "cmp3"), 6, 4, 0)


def test_a_host_that_was_just_patched_is_the_best_destination():
    """The second one's instance goes to the first, not to the third, which is still to come."""
    hosts = [host("cmp1", free=8), host("cmp2", 4, free=4), host("cmp3", 4, free=4)]
    assert roll(BY_HAND, hosts).moves == 2


def test_what_finds_no_room_on_a_patched_host_goes_to_the_one_that_comes_last():
    hosts = [host("cmp1", 4, free=4), host("cmp2", 4, free=4), host("cmp3", 4, free=4)]
    # cmp1's goes to cmp3 and moves again with it; cmp2's goes to cmp1
    assert roll(BY_HAND, hosts).moves == 4


def test_of_those_to_come_the_last_one_is_the_best_destination():
    """On cmp2, cmp1's would have to move again before there is room for it on a patched host."""
    hosts = [host("cmp1", 4), host("cmp2", 4, free=4), host("cmp3", 4, free=4)]
    assert roll(BY_HAND, hosts).moves == 4


def test_of_the_patched_ones_the_last_one_is_the_best_destination():
    """So the first one keeps its room for the large instance."""
    hosts = [host("cmp1", free=8), host("cmp2", free=4), host("cmp3", 4), host("cmp4", 8)]
    assert roll(BY_HAND, hosts).no_room == 0


def test_room_is_given_once():
    assert roll(BY_HAND, [host("cmp1", free=4), host("cmp2", 4, 4)]).no_room == 1


def test_what_finds_no_room_stays_and_takes_room():
    assert roll(BY_HAND, [host("cmp1", 4), host("cmp2", 4)]).no_room == 2


def test_the_empty_ones_come_first_even_where_others_would_fit_elsewhere():
    hosts = [host("cmp1", 4, free=20), host("cmp2", free=9)]
    assert [one.name for one in o._greedy(hosts, [host("spare", free=8)], 1)] == ["cmp2", "cmp1"]


def test_two_at_a_time_cannot_take_from_each_other():
    hosts = [host("cmp1", free=8), host("cmp2", 4, free=4), host("cmp3", 4, free=8)]
    assert roll(BY_HAND, hosts, at_once=1).moves == 2
    assert roll(BY_HAND, hosts, at_once=2).moves == 3


def test_hosts_that_are_not_rolled_take_what_they_have_room_for():
    hosts = [host("cmp1", 4, 4, free=0), host("cmp2", 4, 4, free=8)]
    assert roll(BY_HAND, hosts).moves == 6
    assert roll(BY_HAND, hosts, [host("spare", 9, free=8)]) == o.Rolling(("cmp1", "cmp2"), 4, 4, 0)


def test_instances_stay_in_their_zone():
    hosts = [host("cmp1", free=9, zone="a"), host("cmp2", 4, zone="b"), host("cmp3", zone="b")]
    assert roll(BY_HAND, hosts) == o.Rolling(("cmp1", "cmp2", "cmp3"), 1, 1, 1)
    to_come = [host("cmp1", 4, zone="b"), host("cmp2", free=9, zone="a")]
    assert roll(BY_HAND, to_come) == o.Rolling(("cmp1", "cmp2"), 1, 1, 1)


def test_processors_count_as_well():
    few = [Host("cmp1", (), 9, 1), Host("cmp2", (Load(1, 2),), 9, 9)]
    assert roll(BY_HAND, few).no_room == 1
    assert roll(BY_HAND, [Host("cmp1", (), 9, 2), few[1]]).no_room == 0


def test_an_overcommitted_host_takes_nothing():
    hosts = [host("cmp1", free=-4), host("cmp2", 1, free=9)]
    assert roll(BY_HAND, hosts).no_room == 1


def test_the_one_that_gives_most_room_is_taken_where_several_would_do():
    hosts = [
        *(host("cmp1", 2, free=0), host("cmp2", 2, free=8), host("cmp3", 2, 2, 2, free=2)),
        host("cmp0", free=2),
    ]
    assert names(roll(FEW_MOVES, hosts)) == ["cmp0", "cmp2", "cmp3", "cmp1"]
    assert roll(FEW_MOVES, hosts).moves == 5


def test_no_hosts_take_no_moves():
    assert roll(FEW_MOVES, []) == o.Rolling((), 0, 0, 0)


@pytest.mark.parametrize("order", list(Order))
def test_a_name_twice_is_refused(order):
    with pytest.raises(ValueError, match="names="):
        roll(order, [host("cmp1")], [host("cmp1")])
    with pytest.raises(ValueError, match="at_once=0"):
        roll(order, [host("cmp1")], at_once=0)


loads = st.builds(Load, st.integers(1, 6), st.integers(0, 3))


def regions(most: int):
    return st.lists(
        st.tuples(
            st.lists(loads, max_size=4),
            st.integers(-1, 10),
            st.integers(0, 10),
            st.sampled_from(["a", "a", "b"]),
        ),
        max_size=most,
    ).map(
        lambda rows: [
            Host(f"cmp{n}", tuple(on), memory, vcpus, zone)
            for n, (on, memory, vcpus, zone) in enumerate(rows)
        ]
    )


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow])
@given(regions(14), regions(3), st.integers(1, 3), st.sampled_from(Order))
def test_each_host_once_and_never_fewer_moves_than_any_order_needs(hosts, others, at_once, order):
    others = [Host(f"other-{host.name}", *list(vars(host).values())[1:]) for host in others]
    found = roll(order, hosts, others, at_once)
    assert sorted(found.hosts) == sorted(host.name for host in hosts)
    assert found.at_least == sum(len(host.instances) for host in hosts)
    assert found.moves >= found.at_least
    assert 0 <= found.no_room <= found.moves
    assert roll(order, hosts, others, at_once) == found


def cost(rolling) -> tuple[int, int]:
    return rolling.no_room, rolling.moves


@hypothesis_settings(max_examples=some(150), suppress_health_check=[HealthCheck.too_slow])
@given(regions(5), st.integers(1, 2))
def test_few_moves_is_never_worse_than_the_simple_orders_nor_better_than_the_best(hosts, at_once):
    found = roll(FEW_MOVES, hosts, at_once=at_once)
    every = [cost(roll(BY_HAND, one, at_once=at_once)) for one in permutations(hosts)]
    by_name = sorted(hosts, key=lambda host: natural_key(host.name))
    assert min(every) <= cost(found) <= cost(roll(BY_HAND, by_name, at_once=at_once))
    assert cost(found) <= cost(roll(FEWEST, hosts, at_once=at_once))
    assert cost(found) <= cost(roll(BY_HAND, hosts, at_once=at_once))


@hypothesis_settings(max_examples=some(150), suppress_health_check=[HealthCheck.too_slow])
@given(regions(6).filter(lambda hosts: any(not host.instances for host in hosts)))
def test_what_it_says_is_what_the_order_takes_by_hand(hosts):
    found = roll(FEW_MOVES, hosts)
    by_name = {host.name: host for host in hosts}
    assert roll(BY_HAND, [by_name[name] for name in found.hosts]) == found


def test_a_region_of_the_usual_kind_is_rolled_with_hardly_a_second_move():
    """Twenty hosts, two thirds full: those of the first one move twice, and none beyond."""
    hosts = [host(f"cmp{n}", *([4] * (6 + n % 3)), free=16) for n in range(20)]
    found = roll(FEW_MOVES, hosts)
    assert found.moves - found.at_least <= 6
    assert found.no_room == 0


def test_the_search_is_bounded(monkeypatch):
    """Beyond its bound the one with the fewest instances is taken."""
    hosts = [host("cmp1", 2), host("cmp2", 2, free=8), host("cmp3", 2, 2), host("cmp0", free=2)]
    assert [one.name for one in o._greedy(hosts, (), 1)] == ["cmp0", "cmp2", "cmp1", "cmp3"]
    monkeypatch.setattr(o, "SEARCH", 0)
    assert [one.name for one in o._greedy(hosts, (), 1)] == ["cmp0", "cmp1", "cmp2", "cmp3"]

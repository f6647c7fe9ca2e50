"""How many hosts may be out at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.run.domains import (
    OTHERS_OUT,
    DomainKind,
    OutLimits,
    Place,
    may_go_out,
)
from ukcloud_maintenance.messages import TEMPLATES, render

A1, A2, A3 = (Place(f"a{n}", "az-a", frozenset({"rack-1", "ssd"})) for n in (1, 2, 3))
B1, B2 = (Place(f"b{n}", "az-b", frozenset({"rack-2", "ssd"})) for n in (1, 2))
BOTH = Place("both", "az-c", frozenset({"rack-1", "rack-2"}))
LOOSE = Place("loose", "az-b")
RACKS = frozenset({"rack-1", "rack-2"})
ZONE, AGGREGATE, NONE = DomainKind.ZONE, DomainKind.AGGREGATE, DomainKind.NONE


def racks(**limits) -> OutLimits:
    return OutLimits(kind=AGGREGATE, aggregates=RACKS, **limits)


def test_one_host_at_a_time_is_the_default():
    assert may_go_out(A1, [], OutLimits()) is None
    assert may_go_out(A2, [A1], OutLimits()) == message("hosts_out_limit", count=1, hosts=["a1"])


@pytest.mark.parametrize(
    ("place", "out", "limits", "said"),
    [
        # in all
        (A3, [A1, A2], OutLimits(3, 3), None),
        (A3, [A1, A2], OutLimits(2, 3), message("hosts_out_limit", count=2, hosts=["a1", "a2"])),
        (B1, [A1, A2], OutLimits(2, 3, kind=NONE), "hosts_out_limit"),
        (B1, [A1, A2], OutLimits(3, kind=NONE), None),
        # the same host is counted once, and does not go out twice
        (A2, [A1, A1], OutLimits(2, 2), None),
        (A1, [A1], OutLimits(3, 3), message("host_is_out", host="a1")),
        # in each zone
        (
            *(A2, [A1], OutLimits(3, 1)),
            message("zone_out_limit", domain="az-a", count=1, hosts=["a1"]),
        ),
        (B1, [A1], OutLimits(3, 1, domains=2), None),
        (B1, [A1], OutLimits(3, 1, domains=None), None),
        (B2, [A1, B1], OutLimits(5, 1, domains=None), "zone_out_limit"),
        # zones at a time
        (B1, [A1], OutLimits(3, 2), message("zones_out_limit", count=1, domains=["az-a"])),
        (A2, [A1], OutLimits(3, 2), None),
        (BOTH, [A1, B1], OutLimits(3, 2, domains=2), "zones_out_limit"),
        (A2, [A1, B1], OutLimits(3, 2, domains=1), None),
        # the aggregates that count, and no others
        (B1, [A1], racks(at_once=3, domains=2), None),
        (
            *(A2, [A1], racks(at_once=3)),
            message("aggregate_out_limit", domain="rack-1", count=1, hosts=["a1"]),
        ),
        (B1, [A1], racks(at_once=3), message("aggregates_out_limit", count=1, domains=["rack-1"])),
        # a host of two racks
        (BOTH, [], racks(at_once=3), None),
        (BOTH, [B1], racks(at_once=3, domains=None), "aggregate_out_limit"),
        (B1, [BOTH], racks(at_once=3, domains=None), "aggregate_out_limit"),
        (BOTH, [B1], racks(at_once=3, per_domain=2), "aggregates_out_limit"),
        (B1, [BOTH], racks(at_once=3, per_domain=2), None),
        # one of no rack
        (LOOSE, [A1, B1], racks(at_once=3), None),
        (A1, [LOOSE], racks(at_once=3), None),
        (LOOSE, [A1], racks(at_once=1), "hosts_out_limit"),
    ],
)
def test_may_go_out(place, out, limits, said):
    found = may_go_out(place, out, limits)
    assert (found.code if isinstance(said, str) else found) == said
    if found is not None:
        assert found.code in OTHERS_OUT | {"host_is_out"}
        assert found.code in TEMPLATES
        assert "{" not in render(found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"at_once": 0},
        {"per_domain": 0},
        {"domains": 0},
        {"kind": AGGREGATE},
    ],
)
def test_limits_that_let_nothing_go_are_refused(wrong):
    with pytest.raises(ValueError, match="="):
        OutLimits(**wrong)


places = st.builds(
    Place,
    st.sampled_from([f"h{n}" for n in range(9)]),
    st.sampled_from(["az-a", "az-b", "az-c"]),
    st.frozensets(st.sampled_from(["rack-1", "rack-2", "ssd"])),
)
limits = st.builds(
    OutLimits,
    st.integers(1, 5),
    st.integers(1, 3),
    st.none() | st.integers(1, 3),
    st.sampled_from(list(DomainKind)),
    st.just(RACKS),
)


@given(st.lists(places, unique_by=lambda place: place.host), limits)
def test_those_that_went_out_one_by_one_keep_to_every_limit(region, limits):
    out: list[Place] = []
    for place in region:
        if may_go_out(place, out, limits) is None:
            out.append(place)
    assert bool(out) == bool(region), "the first of all may always go"
    assert len(out) <= limits.at_once
    domains = [domain for place in out for domain in limits.domains_of(place)]
    assert all(domains.count(domain) <= limits.per_domain for domain in domains)
    if limits.domains is not None:
        most = max([limits.domains, *(len(limits.domains_of(place)) for place in out)])
        assert len(set(domains)) <= most

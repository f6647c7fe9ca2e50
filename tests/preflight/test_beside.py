"""What other drains are still to migrate takes room too, and a preflight keeps it for them."""

import pytest

from tests.fakes import GIB, FakeCloud, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.facts import Capacity
from ukcloud_maintenance.core.preflight.beside import Beside, Waiting
from ukcloud_maintenance.core.states import Direction, DrainState, Method, MigrationState
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.services import DrainRequest, PreflightChoices

pytestmark = pytest.mark.django_db

ACTOR = shell_actor()


def capacity(gib: int = 16, used_gib: int = 0) -> Capacity:
    return Capacity({"MEMORY_MB": gib * 1024, "VCPU": 64}, {"MEMORY_MB": used_gib * 1024})


@pytest.fixture
def cloud():
    """cmp2 receives; cmp5 has 15 GiB to be moved, cmp1 has two instances of 1 GiB."""
    fake = FakeCloud(
        [service("cmp1"), service("cmp2"), service("cmp5")],
        [
            server("web-1"),
            server("web-2"),
            server("large", host="cmp5", memory_bytes=15 * GIB),
        ],
    )
    fake.all_groups, fake.all_aggregates = [], []
    fake.all_capacity = {"cmp2": capacity(24, 8), "cmp1": capacity(), "cmp5": capacity()}
    return fake


@pytest.fixture
def drain(cloud):
    return services.request_drain(ACTOR, cloud, DrainRequest("cmp5", "r"))


def plan_of(cloud, host="cmp1", **choices):
    return services.check_host(ACTOR, cloud, host, PreflightChoices(**choices))


def without_place(plan) -> list[str]:
    return [p.server.name for p in plan.planned if p.unplaced]


def test_what_another_drain_is_still_to_migrate_keeps_its_room(cloud, drain):
    plan = plan_of(cloud)
    assert plan.kept_for == {"cmp5": 1}
    assert without_place(plan) == ["web-1"]
    [fill] = plan.packing.hosts
    assert (fill.used_before["MEMORY_MB"], fill.used_after["MEMORY_MB"]) == (8192, 24 * 1024)
    assert fill.servers == (next(s.id for s in cloud.all_servers if s.name == "web-2"),)
    assert english(plan.room_kept) == (
        "Room is kept for 1 instance that still waits in another drain: cmp5."
    )


def test_without_another_drain_nothing_is_kept(cloud):
    plan = plan_of(cloud)
    assert plan.kept_for == {}
    assert plan.room_kept is None
    assert without_place(plan) == []


@pytest.mark.parametrize("state", sorted(set(MigrationState) - {MigrationState.PENDING}))
def test_what_does_not_wait_keeps_nothing(cloud, drain, state):
    """What was sent is in Placement's numbers; what stays, or is blocked, goes nowhere now."""
    drain.migrations.update(state=state)
    assert plan_of(cloud).kept_for == {}


def test_one_whose_resize_is_to_be_confirmed_may_be_elsewhere_already(cloud, drain):
    drain.migrations.update(method=Method.CONFIRM)
    assert plan_of(cloud).kept_for == {}


@pytest.mark.parametrize("how", ["cancelling", "over", "another region"])
def test_a_drain_that_sends_nothing_more_keeps_nothing(cloud, drain, how):
    if how == "cancelling":
        drain.state = DrainState.CANCELLING
    elif how == "over":
        drain.state, drain.open_key = DrainState.CANCELLED, None
    else:
        drain.region = "elsewhere"
    drain.save()
    assert plan_of(cloud).kept_for == {}


def test_a_paused_drain_goes_on_and_keeps_its_room(cloud, drain):
    services.pause_drain(ACTOR, drain.pk)
    assert plan_of(cloud).kept_for == {"cmp5": 1}


def test_the_hosts_own_drain_is_not_another(cloud, drain):
    assert plan_of(cloud, "cmp5").kept_for == {}


def test_all_hosts_of_a_plan_are_placed_by_themselves(cloud, drain):
    found = services.check_plan(ACTOR, cloud, ["cmp1", "cmp5"])
    assert [plan.kept_for for plan in found.hosts] == [{}, {}]


def test_of_the_one_chosen_destination_only_what_goes_there_takes_room(cloud, drain):
    cloud.all_services.append(service("cmp6"))
    cloud.all_capacity["cmp6"] = capacity(32)
    assert without_place(plan_of(cloud, destination="cmp2")) == []
    drain.destination = "cmp2"
    drain.save()
    assert without_place(plan_of(cloud, destination="cmp2")) == ["web-1"]
    assert without_place(plan_of(cloud, destination="cmp6")) == []


# -- where the others go ---------------------------------------------------------------------


def left(waiting, receiving=("a1", "a2", "b1"), ours=()):
    zones = {"a1": "a", "a2": "a", "b1": "b", "source": "a", "far": "c"}
    beside = Beside(waiting, zones, frozenset(receiving))
    room, kept_for = beside.left_of({host: capacity() for host in ("a1", "a2", "b1")}, ours)
    return {host: found.free("MEMORY_MB") // 1024 for host, found in room.items()}, kept_for


def one(name="one", source="source", to="", gib=10):
    return Waiting(name, source, source, to, {"MEMORY_MB": gib * 1024, "VCPU": 1})


def test_they_go_to_their_zone_and_elsewhere_only_where_nothing_receives_there():
    assert left([one("1"), one("2"), one("3")]) == ({"a1": 6, "a2": 6, "b1": 16}, {"source": 2})
    assert left([one("1", source="far"), one("2"), one("3")])[0] == {"a1": 6, "a2": 6, "b1": 6}
    assert left([one("1")], receiving=["b1"])[0] == {"a1": 16, "a2": 16, "b1": 6}


def test_one_with_a_host_of_its_own_goes_there_or_nowhere():
    assert left([one(to="a2")])[0] == {"a1": 16, "a2": 6, "b1": 16}
    assert left([one(to="a2")], receiving=["a1"]) == ({"a1": 16, "a2": 16, "b1": 16}, {})


def test_one_that_is_placed_by_itself_does_not_count_twice():
    assert left([one("1"), one("2")], ours={"1"})[1] == {"source": 1}


def test_one_that_waits_in_two_drains_takes_room_once():
    """On its way off one host, and to be brought back to another; where not all fit, too."""
    twice = [one("1"), one("1", to="b1"), one("2"), one("3"), one("4", gib=20)]
    room, kept_for = left(twice)
    assert sum(room.values()) == 3 * 16 - 3 * 10
    assert kept_for == {"source": 3}


def test_of_many_drains_a_few_are_named(cloud):
    cloud.all_services += [service(f"more-{n:02}") for n in range(30)]
    cloud.all_capacity["cmp2"] = capacity(1000)
    for n in range(30):
        cloud.all_servers.append(server(f"s-{n}", host=f"more-{n:02}"))
        services.request_drain(ACTOR, cloud, DrainRequest(f"more-{n:02}", "r"))
    said = english(plan_of(cloud).room_kept)
    assert said.startswith("Room is kept for 30 instances")
    assert "more-00" in said
    assert "more-29" not in said


def test_nothing_is_said_where_nothing_is_to_be_placed(cloud, drain):
    cloud.all_servers = [one for one in cloud.all_servers if one.host != "cmp1"]
    assert plan_of(cloud).room_kept is None


def test_a_bring_back_keeps_room_on_the_host_that_it_fills(cloud, drain):
    drain.direction = Direction.BACK
    drain.save()
    [found] = store.waiting(drain.region)
    assert (found.drained, found.to) == ("cmp5", "cmp5")

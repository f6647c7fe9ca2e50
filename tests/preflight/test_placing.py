"""What is read to keep the hosts even: fresh, all or nothing, and what was sent counted in."""

from datetime import datetime

import pytest

from tests.fakes import GIB, FakeCloud, server, service
from ukcloud_maintenance import store
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.facts import Allocation, Capacity, ServerGroup
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.preflight.judge import judge
from ukcloud_maintenance.core.states import MigrationState
from ukcloud_maintenance.exceptions import CloudUnreachable
from ukcloud_maintenance.models import Drain
from ukcloud_maintenance.observe.placement import Surroundings, read_placing

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


def room(used: int = 0, **more) -> Capacity:
    return Capacity({"MEMORY_MB": 65536, "VCPU": 64, "DISK_GB": 999}, {"MEMORY_MB": used}, **more)


@pytest.fixture
def cloud():
    hosts = ("cmp1", "cmp2", "cmp3", "cmp4", "metal")
    names = [*map(service, hosts), service("cmp5", status="disabled"), service("full")]
    found = FakeCloud(names, [server("a"), server("b")])
    found.all_groups, found.all_aggregates = [], []
    found.all_capacity = {host: room() for host in (*hosts, "cmp5")}
    found.all_capacity["metal"] = room(bare_metal=True)
    return found


def make(host: str, *servers) -> Drain:
    return store.create_drain(
        region="RegionOne",
        host=host,
        service_id=host,
        reason="r",
        max_concurrent=2,
        destination="",
        actor_id="u",
        actor="ann",
        planned=[(one, judge(one)) for one in servers],
        project_names={},
        now=NOW,
    )


def read(cloud, drain, wanted="a"):
    servers = {s.id: s for s in cloud.servers_on(drain.host)}
    around = Surroundings().read(cloud)
    return read_placing(cloud, drain, servers, [server(one).id for one in wanted], around)


def send(drain, host, **more) -> None:
    [row] = drain.migrations.all()
    store.change_migration(
        row, NOW, state=MigrationState.SUBMITTED, attempts=1, dest_compute=host, submitted_at=NOW
    )
    if more:
        store.change_migration(row, NOW, state=MigrationState.MIGRATING, **more)


def test_the_hosts_that_can_receive(cloud):
    make("cmp4")
    found = read(cloud, make("cmp1", server("a")))
    # not itself, not one that is drained, disabled, without room, or Ironic's
    assert set(found.receivers) == {"cmp2", "cmp3"}
    assert found.whereabouts == {server(name).id: "cmp1" for name in "ab"}


@pytest.mark.parametrize(
    ("more", "counted"),
    [
        ({}, True),
        ({"nova_status": ""}, True),
        ({"nova_status": "accepted"}, True),
        ({"nova_status": "queued"}, False),
        ({"nova_status": "running"}, False),
    ],
)
def test_what_was_sent_counts_until_nova_tells_that_its_host_was_chosen(cloud, more, counted):
    """From then on Placement counts it."""
    other = make("cmp4", server("c", "cmp4", memory_bytes=3 * GIB, vcpus=2))
    send(other, "cmp2", **more)
    used = read(cloud, make("cmp1", server("a"))).capacity["cmp2"].used
    assert used.get("MEMORY_MB") == (3072 if counted else 0)
    assert used.get("VCPU", 0) == (2 if counted else 0)
    assert cloud.all_capacity["cmp2"].used == {"MEMORY_MB": 0}  # what was read is left alone


@pytest.mark.parametrize(
    ("allocated", "used"),
    [
        ({}, 3072),
        ({"c": 3072}, 3072),
        ({"c": 3072, "another": 1024}, 4096),
        ({"another": 1024}, 4096),
        (None, 3072 + 500),  # it cannot be read: what was read before, and what was sent
    ],
)
def test_what_placement_has_learned_of_meanwhile_does_not_count_twice(
    cloud, monkeypatch, allocated, used
):
    """Whatever it had told of the room a moment ago."""
    sent = server("c", "cmp4", memory_bytes=3 * GIB, vcpus=2)
    send(make("cmp4", sent), "cmp2")
    cloud.all_capacity["cmp2"] = room(500, providers=("p2",))

    def allocations_on(providers):
        assert providers == ("p2",)
        if allocated is None:
            raise CloudUnreachable(message("to_list_services"), "no route", sent=True)
        ids = {"c": sent.id, "another": "another"}
        return [
            Allocation(ids[name], "p2", {"MEMORY_MB": mib, "VCPU": 2})
            for name, mib in allocated.items()
        ]

    monkeypatch.setattr(cloud, "allocations_on", allocations_on, raising=False)
    found = read(cloud, make("cmp1", server("a"))).capacity["cmp2"].used
    assert found["MEMORY_MB"] == used


def test_a_host_that_is_not_known_yet_is_not_counted(cloud):
    send(make("cmp4", server("c", "cmp4")), "")
    found = read(cloud, make("cmp1", server("a")))
    assert found.capacity["cmp2"].used == {"MEMORY_MB": 0}


@pytest.mark.parametrize("part", ["groups", "aggregates", "capacity"])
def test_where_a_part_cannot_be_read_nothing_is_known(cloud, part):
    setattr(cloud, f"all_{part}", None)
    found = read(cloud, make("cmp1", server("a")))
    assert (found.capacity, found.receivers, found.groups) == (None, None, None)


def test_the_members_of_the_group_of_the_next_one_are_looked_up_and_no_others(cloud, monkeypatch):
    cloud.all_servers += [server("mate", "cmp3"), server("other", "cmp2")]
    cloud.all_groups = [
        ServerGroup("g1", "g", "soft-anti-affinity", (server("a").id, server("mate").id)),
        ServerGroup("g2", "g", "anti-affinity", (server("b").id, server("other").id)),
    ]
    asked = []
    one = cloud.server
    monkeypatch.setattr(
        cloud, "server", lambda server_id: asked.append(server_id) or one(server_id)
    )
    found = read(cloud, make("cmp1", server("a")))
    assert asked == [server("mate").id]
    assert found.whereabouts[server("mate").id] == "cmp3"


@pytest.mark.parametrize(("policy", "counted"), [("soft-anti-affinity", True), ("affinity", False)])
def test_a_member_of_a_soft_group_is_where_it_goes(cloud, policy, counted):
    """For Nova those of a hard one are where they are."""
    cloud.all_servers += [server("far", "cmp4")]
    mates = tuple(server(name).id for name in ("a", "b", "far"))
    cloud.all_groups = [ServerGroup("g1", "g", policy, mates)]
    send(make("cmp4", server("far", "cmp4")), "cmp3", nova_status="running")
    drain = make("cmp1", server("b"))
    send(drain, "cmp2", nova_status="running")
    found = read(cloud, drain).whereabouts
    goes = {"a": "cmp1", "b": "cmp2", "far": "cmp3"}
    stays = {"a": "cmp1", "b": "cmp1", "far": "cmp4"}
    assert found == {server(n).id: host for n, host in (goes if counted else stays).items()}


def test_what_this_drain_sent_is_counted_by_what_its_flavor_asks_for(cloud):
    """Processors of its own, where the host has such."""
    cloud.all_capacity["cmp2"].total["PCPU"] = 8
    pinned = server("b", vcpus=4, extra_specs={"hw:cpu_policy": "dedicated"})
    cloud.all_servers = [server("a"), pinned]
    drain = make("cmp1", pinned)
    send(drain, "cmp2")
    used = read(cloud, drain).capacity["cmp2"].used
    assert (used["PCPU"], used.get("VCPU", 0)) == (4, 0)

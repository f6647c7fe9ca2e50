"""A plan of a drain: what is read, judged, packed and estimated, and for whom."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.fakes import GIB, FakeCloud, server, service
from tests.said import raises
from tests.work import calls
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.actor import RULE_VIEW, Actor, shell_actor
from ukcloud_maintenance.core.copying.duration import Learned, estimate
from ukcloud_maintenance.core.facts import Aggregate, Capacity, Hypervisor, ServerGroup
from ukcloud_maintenance.core.preflight.verdicts import Kind
from ukcloud_maintenance.core.states import DrainResult, DrainState
from ukcloud_maintenance.exceptions import CloudUnreachable, NotAllowed, Refused, UnknownHost
from ukcloud_maintenance.messages import english, english_remedy
from ukcloud_maintenance.models import Drain, InstanceMigration
from ukcloud_maintenance.observe.placement import read_placement_context
from ukcloud_maintenance.services import DrainRequest, PreflightChoices

pytestmark = pytest.mark.django_db

ACTOR = shell_actor()
VIEWER = Actor("v", "viewer", may=lambda rule: rule == RULE_VIEW)


def capacity(memory_mib: int = 16384) -> Capacity:
    return Capacity({"MEMORY_MB": memory_mib, "VCPU": 64}, {})


@pytest.fixture
def cloud():
    fake = FakeCloud(
        [
            service("cmp1"),
            service("cmp2", zone="az2"),
            service("cmp3", status="disabled"),
            service("cmp4", state="down"),
        ],
        [server("web"), server("off", status="SHUTOFF"), server("bad", status="ERROR")],
    )
    fake.all_groups, fake.all_aggregates = [], []
    fake.all_capacity = {f"cmp{n}": capacity() for n in (1, 2, 3, 4)}
    return fake


def plan_of(cloud, host="cmp1", **choices):
    return services.preflight_host(ACTOR, cloud, host, PreflightChoices(**choices))


def named(plan):
    return {p.server.name: p for p in plan.planned}


def test_only_hosts_that_can_receive_are_counted_and_packed(cloud):
    plan = plan_of(cloud)
    assert [s.host for s in plan.destinations] == ["cmp2"]
    assert [s.host for s in plan.receivers] == ["cmp2"]
    assert {f.host for f in plan.packing.hosts} == {"cmp2"}
    assert {n: p.planned_host for n, p in named(plan).items()} == {
        "web": "cmp2",
        "off": "cmp2",
        "bad": "",
    }
    assert [len(plan.of_kind(k)) for k in Kind] == [1, 1, 0, 0, 1]
    assert plan.needed_memory_bytes == 2 * GIB
    assert plan.memory_bytes == GIB  # of the live ones
    assert plan.free_memory_bytes == 16 * GIB
    assert not plan.everything_leaves


def test_a_host_that_is_being_drained_does_not_receive(cloud):
    cloud.all_services.append(service("cmp5"))
    services.request_drain(ACTOR, cloud, DrainRequest("cmp5", "r"))
    assert [s.host for s in plan_of(cloud).receivers] == ["cmp2"]
    assert plan_of(cloud, drained_too=frozenset({"cmp2"})).receivers == []
    assert named(plan_of(cloud, drained_too=frozenset({"cmp2"})))["web"].verdict.code == (
        "no_receiver"
    )


def test_what_a_drain_sends_to_no_host_in_maintenance_the_estimate_does_not_either(cloud):
    """Though somebody enabled it by hand: that one is the scheduler's, if it comes to that, and is
    named where there is no room."""
    cloud.all_services.append(service("cmp5"))
    cloud.all_capacity["cmp5"] = capacity(65536)
    kept, now = services.request_drain(ACTOR, cloud, DrainRequest("cmp5", "r")), timezone.now()
    store.join_maintenance(kept, found_status="enabled", found_reason="", service_id="s", now=now)
    store.change_drain(kept, now, state=DrainState.RUNNING, started_at=now)
    store.finish_drain(kept, DrainState.SUCCEEDED, DrainResult.EMPTY, "", "w", now)
    places = {name: one.planned_host for name, one in named(plan_of(cloud)).items()}
    assert places == {"web": "cmp2", "off": "cmp2", "bad": ""}
    cloud.all_capacity["cmp2"] = capacity(1024)
    plan = services.check_host(VIEWER, cloud, "cmp1")
    assert [one.planned_host for one in plan.moving].count("") == 1
    assert not any(one.verdict.code for one in plan.moving)
    assert "relief_maintenance_empty" in [said.code for said in plan.relief]


def test_a_chosen_destination_is_the_only_one(cloud):
    cloud.all_services.append(service("cmp5"))
    cloud.all_capacity["cmp5"] = capacity(1024)
    plan = plan_of(cloud, destination="cmp5")
    assert [s.host for s in plan.receivers] == ["cmp5"]
    assert len(plan.packing.unplaced) == 1


def test_choices_are_heeded(cloud):
    ids = {s.name: s.id for s in cloud.all_servers}
    plan = plan_of(cloud, choices={ids["web"]: "cold", ids["off"]: "stay", ids["bad"]: ""})
    assert named(plan)["web"].verdict.kind is Kind.COLD
    assert named(plan)["off"].verdict.code == "chosen"
    with raises(Refused, match="teleport"):
        plan_of(cloud, choices={ids["web"]: "teleport"})


def test_the_names_of_the_opt_outs_are_settings(cloud, settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", "OPT_OUT_STAY": "pinned"}
    cloud.all_servers = [server("web", tags=("pinned",))]
    assert named(plan_of(cloud))["web"].verdict.code == "owner_stay"


def test_one_that_left_and_waits_for_confirmation_is_part_of_it_and_needs_no_room(cloud):
    gone = server("moved", host="cmp2", status="VERIFY_RESIZE")
    cloud.unconfirmed = [("cmp1", gone), ("cmp9", server("other", status="VERIFY_RESIZE"))]
    plan = plan_of(cloud, choices={gone.id: "confirm"})
    assert named(plan)["moved"].verdict.kind is Kind.CONFIRM
    assert "moved" not in {p.server.name for p in plan.moving}
    assert named(plan)["moved"].planned_host == ""
    assert "other" not in named(plan)


# -- renamed services ------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["cmp4", "cmp4.example"])
def test_a_host_whose_service_was_renamed_says_which_it_is_now(cloud, monkeypatch, host):
    """One that is down, and a hypervisor's name that was taken for a host's."""
    nodes = [Hypervisor("n4", "cmp4.example", "new4"), Hypervisor("n1", "cmp1.example", "cmp1")]
    monkeypatch.setattr(cloud, "hypervisors", lambda: nodes)
    with pytest.raises(Refused) as refused:
        services.preflight_host(ACTOR, cloud, host)
    assert "cmp4.example belongs to the service of host new4" in english_remedy(refused.value.said)
    monkeypatch.setattr(cloud, "hypervisors", lambda: nodes[1:])
    with pytest.raises(Refused) as refused:
        services.preflight_host(ACTOR, cloud, host)
    assert "belongs to" not in english_remedy(refused.value.said)


# -- bare metal ------------------------------------------------------------------------------


def metal(cloud, host):
    cloud.all_capacity[host] = Capacity(bare_metal=True)


def test_the_instances_of_a_host_of_ironic_are_refused_and_never_live(cloud):
    metal(cloud, "cmp1")
    plan = services.check_host(ACTOR, cloud, "cmp1")
    assert plan.refusal.code == "bare_metal"
    assert "Ironic" in english(plan.refusal.said)
    assert {p.verdict.kind for p in plan.planned} <= {Kind.STAYS, Kind.BLOCKED}
    assert named(plan)["web"].verdict.code == "bare_metal"
    ids = [s.id for s in cloud.all_servers]
    chosen = services.check_host(ACTOR, cloud, "cmp1", PreflightChoices(choices={ids[0]: "cold"}))
    assert not chosen.moving
    for ask in (
        lambda: services.preflight_host(ACTOR, cloud, "cmp1"),
        lambda: services.request_drain(ACTOR, cloud, DrainRequest("cmp1", "r")),
        lambda: services.request_plan(
            ACTOR, cloud, services.PlanRequest(("cmp2", "cmp1"), DrainRequest("", "r"))
        ),
    ):
        with pytest.raises(Refused) as refused:
            ask()
        assert refused.value.code == "bare_metal"
    assert not Drain.objects.exists()


def test_a_host_of_ironic_never_receives(cloud):
    cloud.all_services.append(service("metal"))
    metal(cloud, "metal")
    plan = plan_of(cloud)
    assert "metal" not in {s.host for s in [*plan.destinations, *plan.receivers]}
    assert "metal" not in plan.around.receivers
    assert "metal" not in {p.planned_host for p in plan.planned}
    with pytest.raises(Refused) as refused:
        services.request_drain(ACTOR, cloud, DrainRequest("cmp1", "r", destination="metal"))
    assert refused.value.code == "destination_bare_metal"
    seen = read_placement_context(cloud, "cmp1", cloud.all_servers, frozenset(), "")
    assert "metal" not in seen.receivers


def test_a_host_of_ironic_is_known_without_placement(cloud, monkeypatch):
    cloud.all_capacity = None
    node = Hypervisor("n1", "n1", "cmp1", hypervisor_type="ironic")
    monkeypatch.setattr(cloud, "hypervisors_of", lambda host: [node] if host == "cmp1" else [])
    assert services.check_host(ACTOR, cloud, "cmp1").refusal.code == "bare_metal"


def test_a_retry_does_not_go_to_a_host_of_ironic(cloud, monkeypatch):
    drain = services.request_drain(ACTOR, cloud, DrainRequest("cmp1", "r"))
    node = Hypervisor("n1", "n1", "cmp2", hypervisor_type="ironic")
    monkeypatch.setattr(cloud, "hypervisors_of", lambda host: [node])
    row = drain.migrations.first()
    with pytest.raises(Refused) as refused:
        services.steer(
            ACTOR, drain.pk, steering.Verb.RETRY, [row.pk], destination="cmp2", cloud=cloud
        )
    assert refused.value.code == "destination_bare_metal"


@pytest.mark.parametrize("part", ["groups", "aggregates", "capacity"])
def test_what_cannot_be_read_is_named_and_the_rest_is_shown(cloud, part):
    setattr(cloud, f"all_{part}", None)
    plan = plan_of(cloud)
    assert set(plan.unknown) == {part}
    assert "timed out" in english(plan.unknown[part])
    assert set(plan.unknown) <= set(services.PARTS)
    assert named(plan)["web"].verdict.kind is Kind.LIVE
    assert (plan.packing is None) == (part == "capacity")
    assert (plan.free_memory_bytes is None) == (part == "capacity")


@pytest.mark.parametrize(
    ("offered", "missing"),
    [
        ("2.87", {"pinned_zones", "image_properties"}),
        ("2.96", {"image_properties"}),
        ("2.98", set()),
    ],
)
def test_what_nova_is_too_old_to_tell_is_named(cloud, offered, missing):
    cloud.servers_at = offered
    plan = plan_of(cloud)
    assert plan.unknown.keys() == missing <= set(services.PARTS)
    for why in plan.unknown.values():
        assert why.code == "not_told"
        assert f"was asked at {offered}" in english(why)


def test_projects_that_cannot_be_read(cloud, monkeypatch):
    def fail():
        raise CloudUnreachable("list the projects", "timed out")

    monkeypatch.setattr(cloud, "project_names", fail)
    assert set(plan_of(cloud).unknown) == {"projects"}


@pytest.mark.parametrize("read", ["servers_on", "unconfirmed_from"])
def test_without_the_servers_there_is_no_plan(cloud, monkeypatch, read):
    def fail(host):
        raise CloudUnreachable("read", "timed out")

    monkeypatch.setattr(cloud, read, fail)
    with pytest.raises(CloudUnreachable):
        plan_of(cloud)


def test_a_check_is_for_whoever_may_look(cloud):
    with pytest.raises(NotAllowed):
        services.preflight_host(VIEWER, cloud, "cmp1")
    plan = services.check_host(VIEWER, cloud, "cmp1")
    assert plan.refusal is None
    assert len(plan.planned) == 3
    with pytest.raises(NotAllowed):
        services.check_host(Actor("n", "nobody"), cloud, "cmp1")


def test_a_check_shows_what_stands_against_a_drain_of_the_host_itself(cloud):
    assert services.check_host(VIEWER, cloud, "cmp4").refusal.code == "host_down"
    services.request_drain(ACTOR, cloud, DrainRequest("cmp1", "r"))
    assert services.check_host(VIEWER, cloud, "cmp1").refusal.code == "drain_open"
    with pytest.raises(UnknownHost):
        services.check_host(VIEWER, cloud, "cmp")


def test_a_request_writes_what_was_planned(cloud):
    """What something around it stands against is written as blocked, and looked at again."""
    web = next(s for s in cloud.all_servers if s.name == "web")
    cloud.all_servers.append(server("large", memory_bytes=64 * GIB))
    cloud.all_groups = [ServerGroup("g1", "ring", "anti-affinity", (web.id,))]
    assert named(plan_of(cloud))["large"].verdict.code == "no_room"
    drain = services.request_drain(ACTOR, cloud, DrainRequest("cmp1", "r", follow_estimate=True))
    rows = {row.server_name: row for row in drain.migrations.all()}
    assert (rows["web"].group, rows["web"].planned_host) == ("g1", "cmp2")
    assert (rows["large"].state, rows["large"].code) == ("blocked", "no_room")
    assert rows["off"].method == "cold"
    assert rows["web"].project_name == "customer"


def test_members_on_other_hosts_are_looked_up(cloud):
    web = next(s for s in cloud.all_servers if s.name == "web")
    cloud.all_servers.append(other := server("other", host="cmp2"))
    cloud.all_groups = [ServerGroup("g1", "ring", "anti-affinity", (web.id, other.id))]
    assert named(plan_of(cloud))["web"].verdict.code == "anti_affinity"


# -- how long --------------------------------------------------------------------------------


def test_the_time_is_assumed_until_enough_was_learned():
    assumed = estimate([GIB] * 4, 2, Learned(10.0, 3))
    assert (assumed.samples, assumed.rate) == (0, 100 * 1024**2)
    assert assumed.seconds == pytest.approx(2 * (10.24 + 5))
    assert assumed.seconds_one_by_one == pytest.approx(4 * (10.24 + 5))
    learned = estimate([GIB, GIB, 2 * GIB], 2, Learned(GIB / 10, 5))
    assert (learned.samples, learned.seconds, learned.seconds_one_by_one) == (5, 20, 40)
    assert estimate([], 2, Learned()).seconds == 0


def test_members_of_one_anti_affinity_group_take_their_time_one_after_the_other(cloud):
    cloud.all_servers = [server(f"s{n}", memory_bytes=GIB) for n in range(4)]
    cloud.all_services.append(service("cmp5"))
    cloud.all_capacity["cmp5"] = capacity(99999)
    members = tuple(one.id for one in cloud.all_servers[:3])
    one = estimate([GIB], 1, Learned()).seconds
    assert plan_of(cloud, max_concurrent=4).duration.seconds == one
    cloud.all_groups = [ServerGroup("g", "ring", "anti-affinity", members, 3)]
    assert plan_of(cloud, max_concurrent=4).duration.seconds == pytest.approx(3 * one)


def test_no_more_at_a_time_than_the_destinations_take(cloud):
    cloud.all_servers = [server(f"s{n}") for n in range(16)]
    cloud.all_services.append(service("cmp5"))
    cloud.all_capacity |= {"cmp2": capacity(99999), "cmp5": capacity(99999)}
    one = estimate([GIB], 1, Learned()).seconds
    for destination, at_once in (("cmp2", 4), ("", 8)):  # MAX_PER_DESTINATION is 4
        found = plan_of(cloud, destination=destination, max_concurrent=16).duration
        assert (found.at_once, found.seconds) == (at_once, 16 // at_once * one)
    others = [server(f"t{n}", host="cmp2") for n in range(16)]
    cloud.all_servers += others
    both = services.check_plan(
        VIEWER, cloud, ["cmp1", "cmp2"], PreflightChoices(max_concurrent=16), hosts_at_once=0
    )
    assert both.duration.seconds == pytest.approx(32 // 4 * one)


def test_the_rate_is_learned_from_past_migrations_of_the_region(cloud):
    cloud.all_servers = [server(f"web-{n}", memory_bytes=(n + 1) * GIB) for n in range(5)]
    services.request_drain(ACTOR, cloud, DrainRequest("cmp1", "r"))
    assert store.learned_rate("RegionOne") == Learned()
    now = timezone.now()
    for row in InstanceMigration.objects.all():
        since = now - timedelta(seconds=10)
        row.attempt_rows.create(
            number=1, method="live", result="succeeded", running_since=since, ended_at=now
        )
    assert store.learned_rate("RegionOne") == Learned(3 * GIB / 10, 5, 2 * GIB / 10, 4 * GIB / 10)
    assert store.learned_rate("RegionTwo") == Learned()


# -- how quick -------------------------------------------------------------------------------


def test_two_hundred_instances_on_a_hundred_hosts_are_quick():
    hosts = [f"cmp{n}" for n in range(101)]
    cloud = FakeCloud(
        [service(h, zone="az1") for h in hosts],
        [server(f"web-{n}", host="cmp0", memory_bytes=(1 + n % 8) * GIB) for n in range(200)],
    )
    members = [s.id for s in cloud.all_servers]
    cloud.all_groups = [
        ServerGroup(f"g{n}", "ring", "anti-affinity", tuple(members[n::40])) for n in range(40)
    ]
    cloud.all_aggregates = [Aggregate("az1", "az1", tuple(hosts))]
    cloud.all_capacity = {h: capacity() for h in hosts}
    with calls() as made:
        plan = plan_of(cloud, "cmp0")
    assert plan.everything_leaves
    assert made() < 2_000_000  # were 0.6 million, some 0.4 s

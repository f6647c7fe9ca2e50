"""What the preflight says, against what a real Nova answers and does."""

from dataclasses import replace

import pytest

from ukcloud_maintenance import services
from ukcloud_maintenance.cloud import Cloud
from ukcloud_maintenance.cloud.wire import version_key
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.preflight.judge import judge
from ukcloud_maintenance.core.preflight.verdicts import Choice, Chosen, Kind
from ukcloud_maintenance.demo.config import FAST, HostSpec
from ukcloud_maintenance.demo.harness import DemoCloud
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.preflight import TOLD_SINCE

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

HOSTS = (
    *(HostSpec(f"cmp{n}", "az1", memory_mib=8192) for n in (1, 2, 3)),
    HostSpec("lone", "az2", memory_mib=8192),
)


@pytest.fixture(scope="module")
def demo():
    with DemoCloud(config=replace(FAST, hosts=HOSTS)) as cloud:
        yield cloud


@pytest.fixture
def nova(demo):
    yield demo
    servers = demo.nova.get("/servers?all_tenants=1").json()["servers"]
    demo.delete_server(*[s["id"] for s in servers])
    for group in demo.nova.get("/os-server-groups?all_projects=True").json()["server_groups"]:
        demo.nova.delete(f"/os-server-groups/{group['id']}")


@pytest.fixture
def cloud(nova):
    return Cloud(nova.session("admin"), "RegionOne")


def plan_of(cloud, host="cmp1", **choices):
    plan = services.preflight_host(shell_actor(), cloud, host, services.PreflightChoices(**choices))
    return plan, {p.server.name: p for p in plan.planned}


def ask(nova, server, body) -> int:
    """The status of Nova's answer to an action."""
    answer = nova.nova.post(f"/servers/{server}/action", json=body, raise_exc=False)
    if answer.status_code == 202 and "lock" not in body:
        nova.wait(
            lambda: nova.server(server)["OS-EXT-STS:task_state"] is None, "the action is over"
        )
    return answer.status_code


def live(nova, server) -> int:
    return ask(nova, server, {"os-migrateLive": {"host": None, "block_migration": "auto"}})


def cold(nova, server) -> int:
    return ask(nova, server, {"migrate": None})


def verify_resize(nova, name) -> str:
    server = nova.create_server(name, host="cmp1", state="SHUTOFF")
    assert cold(nova, server) == 202
    nova.wait_for_server(server, "VERIFY_RESIZE")
    return server


def rescued(nova, name) -> str:
    server = nova.create_server(name, host="cmp1")
    nova.action(server, {"rescue": {}})
    nova.wait_for_server(server, "RESCUE")
    return server


MAKE = {
    "RESCUE": rescued,
    "VERIFY_RESIZE": verify_resize,
    **{
        status: lambda nova, name, status=status: nova.create_server(
            name, host="cmp1", state=status
        )
        for status in ("ACTIVE", "PAUSED", "SHUTOFF", "SUSPENDED", "ERROR")
    },
}


@pytest.mark.parametrize("status", MAKE)
def test_the_verdict_is_what_nova_answers(nova, cloud, status):
    server = MAKE[status](nova, status.lower())
    facts = cloud.server(server)
    assert facts.status == status
    by_default = judge(facts).kind
    when_cold_is_chosen = judge(facts, Chosen(choice=Choice.COLD)).kind
    assert (by_default is Kind.LIVE) == (live(nova, server) == 202)
    assert (when_cold_is_chosen is Kind.COLD) == (cold(nova, server) == 202)


def test_a_task_under_way_is_refused(nova, cloud):
    server = nova.create_server("busy", host="cmp1", play="rate=16000000")
    nova.live_migrate(server)
    verdict = judge(cloud.server(server))
    assert (verdict.kind, verdict.code) == (Kind.BLOCKED, "task_under_way")
    body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
    answer = nova.nova.post(f"/servers/{server}/action", json=body, raise_exc=False)
    assert answer.status_code == 409


def test_a_locked_one_is_moved_for_an_administrator(nova, cloud):
    server = nova.create_server("locked", host="cmp1")
    nova.action(server, {"lock": {"locked_reason": "mine"}})
    verdict = judge(cloud.server(server))
    assert [c.code for c in verdict.cautions if "mine" in english(c.said)] == ["locked"]
    assert live(nova, server) == 202
    nova.action(server, {"unlock": None})


# -- what Nova takes with 202 and refuses afterwards -----------------------------------------


def ends(nova, server) -> str:
    """What becomes of a live migration that Nova took."""
    before = len(nova.migrations(server))
    nova.live_migrate(server)
    nova.wait(lambda: len(nova.migrations(server)) > before, "there is a record of it")
    return nova.wait_for_migration(server, "completed", "error", "failed")["status"]


def group_of_policy(nova, policy) -> str:
    body = {"server_group": {"name": policy, "policy": policy}}
    return nova.nova.post("/os-server-groups", json=body).json()["server_group"]["id"]


def test_hard_affinity_keeps_even_a_lone_member(nova, cloud):
    group = group_of_policy(nova, "affinity")
    server = nova.create_server("one", host="cmp1", group=group)
    _, planned = plan_of(cloud)
    assert (planned["one"].verdict.kind, planned["one"].verdict.code) == (Kind.BLOCKED, "affinity")
    assert ends(nova, server) == "error"
    # the remedy; Nova forgets a group that does not exist any more
    nova.nova.delete(f"/os-server-groups/{group}")
    _, planned = plan_of(cloud)
    assert planned["one"].verdict.kind is Kind.LIVE
    assert ends(nova, server) == "completed"


def test_anti_affinity_with_too_few_hosts(nova, cloud):
    group = group_of_policy(nova, "anti-affinity")
    for n in (1, 2, 3):
        nova.create_server(f"apart-{n}", host=f"cmp{n}", group=group)
    fourth = nova.create_server("apart-4", host="lone", group=group)
    _, planned = plan_of(cloud)
    one = planned["apart-1"]
    assert (one.verdict.kind, one.verdict.code) == (Kind.BLOCKED, "anti_affinity")
    assert one.group == group
    assert ends(nova, one.server.id) == "error"
    nova.delete_server(fourth)
    plan, planned = plan_of(cloud)
    assert planned["apart-1"].planned_host == "lone"
    assert plan.everything_leaves
    assert ends(nova, one.server.id) == "completed"
    assert nova.host_of(one.server.id) == "lone"


def test_a_zone_pin_without_another_host(nova, cloud):
    body = {
        "name": "pinned",
        "flavorRef": nova.flavor(),
        "imageRef": nova.server(nova.create_server("any", host="cmp1"))["image"]["id"],
        "networks": "none",
        "availability_zone": "az2",
    }
    server = nova.nova.post("/servers", json={"server": body}).json()["server"]["id"]
    nova.wait_for_server(server, "ACTIVE")
    _, planned = plan_of(cloud, "lone")
    found = planned["pinned"]
    assert (found.server.pinned_zone, found.server.zone) == ("az2", "az2")
    assert (found.verdict.kind, found.verdict.code) == (Kind.BLOCKED, "zone_without_host")
    assert ends(nova, server) == "error"


def flavor_with(nova, **extra_specs: str) -> str:
    body = {"name": "-".join(extra_specs.values()), "ram": 512, "vcpus": 1, "disk": 1}
    flavor = nova.nova.post("/flavors", json={"flavor": body}).json()["flavor"]["id"]
    specs = {key.replace("__", ":"): value for key, value in extra_specs.items()}
    nova.nova.post(f"/flavors/{flavor}/os-extra_specs", json={"extra_specs": specs})
    return flavor


def test_a_forbidden_trait(nova, cloud):
    """Every simulated host but one is told to have a trait that the flavor does not want."""
    placement = nova.adapter("placement")
    head = {"OpenStack-API-Version": "placement 1.29"}
    placement.put("/traits/CUSTOM_LOUD", headers=head)
    providers = placement.get("/resource_providers", headers=head).json()["resource_providers"]
    for provider in providers:
        if provider["name"].startswith("cmp1."):
            continue
        path = f"/resource_providers/{provider['uuid']}/traits"
        there = placement.get(path, headers=head).json()
        there["traits"].append("CUSTOM_LOUD")
        placement.put(path, json=there, headers=head)
    quiet = flavor_with(nova, trait__CUSTOM_LOUD="forbidden")
    server = nova.create_server("quiet", flavor=quiet, host="cmp1")
    _, planned = plan_of(cloud)
    verdict = planned["quiet"].verdict
    assert (verdict.kind, verdict.code) == (Kind.BLOCKED, "traits")
    assert "CUSTOM_LOUD" in english(verdict.said)
    assert ends(nova, server) == "error"


def test_room_is_what_placement_says(nova, cloud):
    nova.create_server("large", host="cmp1", ram_mib=5000)
    nova.create_servers(["full-2", "full-3"], host="cmp2", ram_mib=2500)
    nova.create_server("full-4", host="cmp3", ram_mib=5000)
    nova.create_server("full-5", host="lone", ram_mib=5000)
    plan, planned = plan_of(cloud)
    verdict = planned["large"].verdict
    assert (verdict.kind, verdict.code) == (Kind.BLOCKED, "no_room")
    assert plan.capacity["cmp2"].total["MEMORY_MB"] == 8192
    assert plan.capacity["cmp2"].used["MEMORY_MB"] == 5000
    assert "lacks 1.8 GiB of memory" in english(verdict.said)  # 5000 MiB less what is free
    assert not plan.everything_leaves
    assert ends(nova, planned["large"].server.id) == "error"


def test_what_would_give_room_is_what_placement_has(nova, cloud):
    """A host that is disabled, and a higher allocation ratio of the one that comes nearest."""
    nova.create_server("large", host="cmp1", ram_mib=5000)
    nova.create_server("half-2", host="cmp2", ram_mib=5000)
    nova.create_server("more-3", host="cmp3", ram_mib=6000)
    plan, _ = plan_of(cloud)
    assert plan.relief == ()  # there is room on lone
    lone = nova.service("lone")["id"]
    nova.nova.put(f"/os-services/{lone}", json={"status": "disabled", "disabled_reason": "spare"})
    try:
        plan, planned = plan_of(cloud)
    finally:
        nova.nova.put(f"/os-services/{lone}", json={"status": "enabled"})
    assert planned["large"].verdict.code == "no_room"
    empty, ratio = plan.relief
    assert empty.code == "relief_disabled_empty"
    assert english(empty).startswith("lone is disabled (spare) and empty; enabled it would offer 8")
    assert (ratio.code, ratio.values["host"]) == ("relief_memory_ratio", "cmp2")
    found = cloud.inventories_of("cmp2")["MEMORY_MB"]
    whole = (found.total - found.reserved) * found.allocation_ratio
    assert round(whole) == plan.capacity["cmp2"].total["MEMORY_MB"]
    assert ratio.values["ratio"] == f"{found.allocation_ratio:g}"


def test_a_host_that_has_no_memory_left_is_full(nova, cloud):
    nova.create_server("all-of-it", host="lone", ram_mib=8192)
    plan, _ = plan_of(cloud)
    assert plan.full == ["lone"]


# -- the plan --------------------------------------------------------------------------------


def test_a_plan_costs_ten_requests_and_one_for_each_other_member(nova, cloud):
    group = group_of_policy(nova, "anti-affinity")
    nova.create_server("apart-1", host="cmp1", group=group)
    nova.create_server("apart-2", host="cmp2", group=group)
    nova.create_servers([f"web-{n}" for n in range(5)], host="cmp1")
    mark = nova.mark()
    plan, planned = plan_of(Cloud(nova.session("worker"), "RegionOne"))
    rows = [
        row
        for service in ("compute", "placement", "identity")
        for row in nova.requests(mark, service, exclude_user_agent="^(demo-cloud|openstack) ")
        if row["user_agent"] and "/auth/tokens" not in row["path"]
    ]
    paths = sorted(row["path"].split("?")[0] for row in rows if row["method"] == "GET")
    assert all(row["status"] == 200 for row in rows), rows
    assert len([p for p in paths if "/servers/" in p and not p.endswith("/detail")]) == 1
    assert len(paths) <= 12, paths
    # what this Nova is too old to tell, and nothing else
    offered = version_key(nova.nova.get("/").json()["version"]["version"])
    told = {part: offered >= version_key(since) for part, since in TOLD_SINCE.items()}
    assert plan.unknown.keys() == {part for part, is_told in told.items() if not is_told}
    assert plan.everything_leaves
    assert planned["apart-1"].planned_host in ("cmp3", "lone")
    assert {p.planned_host for p in planned.values()} <= {"cmp2", "cmp3", "lone"}
    assert planned["web-0"].server.pinned_zone == ""
    assert planned["web-0"].server.boots_from_volume is False
    assert (planned["web-0"].server.image_properties is not None) == told["image_properties"]


def test_follows_the_plan_where_it_was_chosen(nova, cloud, settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker"}
    group = group_of_policy(nova, "anti-affinity")
    nova.create_server("apart-1", host="cmp1", group=group)
    nova.create_server("apart-2", host="cmp2", group=group)
    request = services.DrainRequest("cmp1", "new kernel", follow_estimate=True)
    drain = services.request_drain(shell_actor(), cloud, request)
    [row] = drain.migrations.all()
    assert row.planned_host in ("cmp3", "lone")
    assert row.group == group

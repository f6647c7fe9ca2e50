"""The packaged policies of the worker's account, on a real Nova, Placement and Keystone.

The account has one role, `maintenance_worker`, and that role has what the files in `contrib` give
to it and nothing else.
"""

import inspect
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from keystoneauth1 import adapter

import ukcloud_maintenance
from tests.cloud.watching import copying
from tests.worker import driving
from tests.worker.driving import rows_by_name, servers_on, service_of
from tests.worker.test_steering import SETTLES, ask, events, until_copied
from tests.worker.test_way_back import give_back, work
from ukcloud_maintenance import services, store
from ukcloud_maintenance.cloud import Cloud
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.preflight.verdicts import Choice
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.demo import clients
from ukcloud_maintenance.demo.config import FAST, REGION, HostSpec
from ukcloud_maintenance.demo.harness import DemoCloud
from ukcloud_maintenance.demo.standins import IMAGE_ID
from ukcloud_maintenance.exceptions import (
    CloudAnswerUnusable,
    CloudBadRequest,
    CloudConflict,
    CloudForbidden,
    CloudNotFound,
)
from ukcloud_maintenance.worker.host import HostReconciler

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

ROLE = "maintenance_worker"
CONTRIB = Path(ukcloud_maintenance.__file__).parent / "contrib"
FILES = ("nova", "placement", "keystone")
POLICY: dict[str, str] = {
    rule: who
    for name in FILES
    for rule, who in yaml.safe_load((CONTRIB / f"{name}-policy-worker.yaml").read_text()).items()
}
#: the rules that the files give to the role
GIVEN = {rule for rule, who in POLICY.items() if f"role:{ROLE}" in who}
#: what it is to have none of them
REFUSED = (CloudForbidden, CloudAnswerUnusable, CloudNotFound)
COMPUTE = "os_compute_api:"
EXTRA_SPECS = {"hw:watchdog_action": "none"}


@pytest.fixture(scope="module")
def demo():
    hosts = tuple(HostSpec(f"cmp{n}", "az1") for n in range(1, 7))
    with DemoCloud(config=replace(FAST, hosts=hosts, max_concurrent_live_migrations=2)) as cloud:
        set_policy(cloud, POLICY)
        yield cloud


def set_policy(cloud: DemoCloud, rules: dict[str, str]) -> None:
    """All three services read this file, and read it again when it changes."""
    file = cloud.state / "etc" / "policy.yaml"
    new = file.with_suffix(".new")
    new.write_text(yaml.safe_dump(rules))
    before = file.stat().st_mtime_ns
    os.utime(new, ns=(before + 10**9, before + 10**9))
    new.replace(file)


@pytest.fixture(scope="module")
def account(demo, tmp_path_factory):
    """Makes an account with one role in a project; a clouds.yaml that names it `worker`."""
    keystone = adapter.Adapter(demo.session(), service_type="identity", interface="public")
    path = "" if keystone.get_endpoint().rstrip("/").endswith("/v3") else "/v3"
    known = keystone.get(f"{path}/projects").json()["projects"]
    projects = {project["name"]: project["id"] for project in known}

    def made(role: str, project: str) -> Path:
        name = f"{role}-of-{project}"
        roles = keystone.get(f"{path}/roles?name={role}").json()["roles"]
        if not roles:
            body = {"role": {"name": role}}
            roles = [keystone.post(f"{path}/roles", json=body).json()["role"]]
        body = {"user": {"name": name, "password": "only-for-tests", "domain_id": "default"}}
        user = keystone.post(f"{path}/users", json=body).json()["user"]
        keystone.put(
            f"{path}/projects/{projects[project]}/users/{user['id']}/roles/{roles[0]['id']}"
        )
        clouds = yaml.safe_load(demo.clouds_yaml.read_text())
        auth = clouds["clouds"]["worker"]["auth"]
        auth |= {"username": name, "password": "only-for-tests", "project_name": project}
        file = tmp_path_factory.mktemp("account") / "clouds.yaml"
        file.write_text(yaml.safe_dump(clouds))
        return file

    return made


def gateway_of(clouds_yaml: Path) -> Cloud:
    return Cloud(clients.login(clouds_yaml, "worker", "test"), REGION)


@pytest.fixture(scope="module")
def workers_clouds_yaml(account):
    return account(ROLE, "service")


@pytest.fixture(scope="module")
def gateway(workers_clouds_yaml):
    return gateway_of(workers_clouds_yaml)


@pytest.fixture
def passes(demo, workers_clouds_yaml, settings, monkeypatch):
    """A worker that is this process, with the role and nothing else."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(workers_clouds_yaml))
    settings.UKCLOUD_MAINTENANCE = driving.SETTINGS
    return driving.Passes(demo, sleep=time.sleep)


@pytest.fixture(scope="module")
def things(demo):
    """A locked server of another project that failed to migrate once, and what is around it."""
    flavor = demo.flavor(ram_mib=256)
    demo.nova.post(f"/flavors/{flavor}/os-extra_specs", json={"extra_specs": EXTRA_SPECS})
    body = {"server_group": {"name": "ring", "policy": "affinity"}}
    group = demo.nova.post("/os-server-groups", json=body).json()["server_group"]["id"]
    server = demo.create_server(
        "seen", host="cmp5", flavor=flavor, group=group, play="fail-destination-check"
    )
    demo.create_server("elsewhere", host="cmp6")
    request = demo.live_migrate(server)
    migration = demo.wait_for_migration(server, "error")["id"]
    demo.wait_for_server(server, "ACTIVE")
    demo.action(server, {"lock": {"locked_reason": "mine"}})
    yield {"server": server, "request": request, "migration": migration}
    demo.delete_server(server)


def is_allowed(call, *arguments) -> bool:
    """Whether Nova got as far as looking at what was asked."""
    try:
        call(*arguments)
    except (CloudConflict, CloudBadRequest, CloudNotFound):
        return True
    return True


def _update(cloud: Cloud, **_: object) -> bool:
    service = cloud.service("cmp4")
    assert service
    cloud.disable_service(service.id, "new memory")
    return cloud.enable_service(service.id).startswith("req-")


def _hypervisor_ids(cloud: Cloud) -> list[str]:
    return [hypervisor.id for hypervisor in cloud.hypervisors_of("cmp5")]


def _holders(cloud: Cloud) -> list[str]:
    return [allocation.consumer_id for allocation in cloud.allocations_on(_hypervisor_ids(cloud))]


#: Every call of the gateway that asks OpenStack, as the worker makes it: whether it gets what it
#: needs of a server of another project, and the rules that this takes.
CALLS = {
    "services": (lambda c, **t: len(c.services()) == 6, {"os-services:list"}),
    "service": (lambda c, **t: c.service("cmp5").host == "cmp5", {"os-services:list"}),
    "disable_service": (_update, {"os-services:update"}),
    "enable_service": (_update, {"os-services:update"}),
    "hypervisors": (lambda c, **t: len(c.hypervisors()) == 6, {"os-hypervisors:list-detail"}),
    "hypervisors_of": (lambda c, **t: len(_hypervisor_ids(c)) == 1, {"os-hypervisors:list-detail"}),
    "hypervisors_after": (
        lambda c, **t: len(c.hypervisors_after("")) == 6,
        {"os-hypervisors:list-detail"},
    ),
    "machine": (
        lambda c, **t: c.machine("cmp5").uptime_seconds == (42 * 24 + 3) * 3600 + 14 * 60,
        {"os-hypervisors:list-detail", "os-hypervisors:show"},
    ),
    "hosts": (lambda c, **t: len(c.hosts()) == 6, {"os-hypervisors:list-detail"}),
    "hosts_and_capacity": (
        lambda c, **t: [len(found or ()) for found in c.hosts_and_capacity()] == [6, 6],
        {"os-hypervisors:list-detail", "placement:allocation_candidates:list"},
    ),
    "servers_on": (
        lambda c, **t: [(s.name, s.host) for s in c.servers_on("cmp5")] == [("seen", "cmp5")],
        {
            "servers:detail",
            "servers:detail:get_all_tenants",
            "servers:allow_all_filters",
            "os-extended-server-attributes",
        },
    ),
    "count_servers_on": (
        lambda c, **t: c.count_servers_on("cmp5") == 1,
        {"servers:index", "servers:index:get_all_tenants", "servers:allow_all_filters"},
    ),
    "count_servers_on_each": (
        lambda c, **t: c.count_servers_on_each(["cmp5"]) == {"cmp5": 1},
        {"servers:index", "servers:index:get_all_tenants", "servers:allow_all_filters"},
    ),
    "servers_in_error": (
        lambda c, **t: c.servers_in_error() == {},
        {"servers:index", "servers:index:get_all_tenants"},
    ),
    "server": (
        lambda c, server, **t: c.server(server).extra_specs == EXTRA_SPECS,
        {
            "servers:show",
            "servers:show:flavor-extra-specs",
            "os-extended-server-attributes",
            "context_is_admin",
        },
    ),
    "servers_by_id": (
        lambda c, server, **t: list(c.servers_by_id([server])) == [server],
        {"servers:show"},
    ),
    "prefer_newest": (lambda c, **t: c.prefer_newest() == "2.98", set()),
    "server_groups": (
        lambda c, **t: "ring" in [group.name for group in c.server_groups()],
        {"os-server-groups:index", "os-server-groups:index:all_projects"},
    ),
    "aggregates": (
        lambda c, **t: [a.name for a in c.aggregates()] == ["az1"],
        {"os-aggregates:index"},
    ),
    "capacity": (lambda c, **t: len(c.capacity()) == 6, {"placement:allocation_candidates:list"}),
    "providers": (lambda c, **t: len(c.providers()) == 6, {"placement:resource_providers:list"}),
    "allocations_on": (
        lambda c, server, **t: server in _holders(c),
        {"placement:resource_providers:list", "placement:resource_providers:allocations:list"},
    ),
    "unconfirmed_from": (lambda c, **t: c.unconfirmed_from("cmp5") == [], {"os-migrations:index"}),
    "migrations_touching": (
        lambda c, migration, **t: migration in [m.id for m in c.migrations_touching("cmp5")],
        {"os-migrations:index", "os-migrations:index:all_projects", "os-migrations:index:host"},
    ),
    "newest_migrations_from": (
        lambda c, migration, **t: migration in [m.id for m in c.newest_migrations_from("cmp5", 9)],
        {"os-migrations:index:host"},
    ),
    "migrations_of": (
        lambda c, server, **t: [m.source_compute for m in c.migrations_of(server)] == ["cmp5"],
        {"os-migrations:index:host"},
    ),
    "progress": (lambda c, server, **t: c.progress(server) == [], {"servers:migrations:index"}),
    # asked for with a body or an id that Nova refuses after it looked at who asks
    "live_migrate": (
        lambda c, server, **t: is_allowed(c.live_migrate, server, "nowhere"),
        {"os-migrate-server:migrate_live:host"},
    ),
    "cold_migrate": (
        lambda c, server, **t: is_allowed(c.cold_migrate, server, "nowhere"),
        {"os-migrate-server:migrate:host"},
    ),
    "confirm_resize": (
        lambda c, server, **t: is_allowed(c.confirm_resize, server),
        {"servers:confirm_resize"},
    ),
    "abort_migration": (
        lambda c, server, migration, **t: is_allowed(c.abort_migration, server, migration),
        {"servers:migrations:delete"},
    ),
    "force_complete": (
        lambda c, server, migration, **t: is_allowed(c.force_complete, server, migration),
        {"servers:migrations:force_complete"},
    ),
    "reset_state_to_active": (
        lambda c, server, **t: c.reset_state_to_active(server).startswith("req-"),
        {"os-admin-actions:reset_state"},
    ),
    "diagnostics": (
        lambda c, server, **t: c.diagnostics(server).state == "running",
        {"os-server-diagnostics"},
    ),
    "actions": (
        lambda c, server, request, **t: request in [a.request_id for a in c.actions(server)],
        {"os-instance-actions:list"},
    ),
    "failure_of": (
        lambda c, server, request, **t: c.failure_of(server, request) not in ("", "Error"),
        {"os-instance-actions:show", "os-instance-actions:events:details"},
    ),
    "project_names": (
        lambda c, **t: "admin" in c.project_names().values(),
        {"identity:list_projects"},
    ),
    "user_id": (lambda c, **t: bool(c.user_id()), set()),
    "find_region": (lambda c, **t: c.find_region() == "RegionOne", set()),
    "log_in": (lambda c, **t: c.log_in() is None, set()),
}
#: Methods that ask nothing themselves, or only by others of these.
NO_CALLS = {
    *("try_side_by_side", "within", "use_newest_of", "stop", "providers_of", "tell_of_requests"),
}
#: For canaries alone: tests below.
OF_CANARIES = {"build_server", "own_servers_named", "delete_server", "mark_disabled", "set_traits"}
#: Of Neutron, which this cloud does not have: tests/unit/test_network.py.
OF_NEUTRON = {"agents_of"}
#: What an administrator does, never the worker: an allocation that was left behind is removed, the
#: rows of the hosts page are looked at, and the overcommit is read where room is missing.
OF_AN_ADMIN = {
    "contacts_of",
    "allocations_of",
    "set_allocations",
    "hypervisor_and_servers",
    "inventories_of",
}


def full(rule: str) -> str:
    known = rule.startswith(("placement:", "identity:", "context_"))
    return rule if known else COMPUTE + rule


def gets_it(name: str, gateway: Cloud, things: dict) -> bool:
    """Whether the call gets what the worker needs."""
    try:
        return bool(CALLS[name][0](gateway, **things))
    except REFUSED:
        return False
    except AttributeError:  # of what there is not
        return False


def test_every_call_of_the_gateway_is_in_the_table():
    public = {name for name, _ in inspect.getmembers(Cloud, inspect.isfunction) if name[0] != "_"}
    assert public == set(CALLS) | NO_CALLS | OF_AN_ADMIN | OF_NEUTRON | OF_CANARIES


def test_every_rule_that_is_given_is_taken_by_a_call():
    taken = {full(rule) for _, rules in CALLS.values() for rule in rules}
    # to the scheduler's choice: see the test of that
    left = {f"{COMPUTE}os-migrate-server:{verb}" for verb in ("migrate_live", "migrate")}
    assert taken | left == GIVEN


#: What a policy file lets the role do that it could not do without, as oslo.policy judges it.
_JUDGE = """
import importlib, json, sys
from oslo_config import cfg
from oslo_policy import policy

name, file, nothing, role = sys.argv[1:]
module = {"keystone": "keystone.common.policies"}.get(name, f"{name}.policies")
rules = list(importlib.import_module(module).list_rules())
someone = {"project_id": "somebody's", "user_id": "somebody"}


def allowed(file, is_admin):
    conf = cfg.ConfigOpts()
    conf([])
    enforcer = policy.Enforcer(conf, policy_file=file)
    enforcer.suppress_deprecation_warnings = True
    enforcer.register_defaults(rules)
    me = {"roles": [role], "project_id": "service", "user_id": "me"}
    found = set()
    for rule in rules:
        admin = is_admin and enforcer.enforce("context_is_admin", someone, me)
        if enforcer.enforce(rule.name, someone, me | {"is_admin": admin}):
            found.add(rule.name)
    return found


with_it = allowed(file, name == "nova")
print(json.dumps(sorted(with_it - allowed(nothing, False))))
"""
#: Rules that others are made of, which no call asks for by themselves.
ALIASES = {"admin_api", "admin_or_owner"}


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_the_role_what_it_says_and_nothing_else(name, tmp_path):
    nothing = tmp_path / "policy.yaml"
    nothing.write_text("{}")
    file = CONTRIB / f"{name}-policy-worker.yaml"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _JUDGE, name, str(file), str(nothing), ROLE],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    rules = yaml.safe_load(file.read_text())
    said = {rule for rule, who in rules.items() if f"role:{ROLE}" in who}
    assert set(json.loads(done.stdout.splitlines()[-1])) - ALIASES == said


@pytest.mark.parametrize("name", CALLS)
def test_the_role_gets_what_the_worker_needs(gateway, things, name):
    assert gets_it(name, gateway, things)


@pytest.fixture
def policy(demo):
    """Other policies for a while."""
    yield lambda rules: set_policy(demo, rules)
    set_policy(demo, POLICY)


@pytest.mark.parametrize(
    ("rule", "name"), [(rule, name) for name, (_, rules) in CALLS.items() for rule in sorted(rules)]
)
def test_without_one_rule_the_call_fails(gateway, things, policy, rule, name):
    closed = POLICY[full(rule)].replace(f" or role:{ROLE}", "")
    policy(POLICY | {full(rule): closed})
    assert not gets_it(name, gateway, things)


@pytest.mark.parametrize("verb", ["migrate_live", "migrate"])
def test_what_is_left_to_the_scheduler_has_a_rule_of_its_own(demo, gateway, policy, verb):
    server = demo.create_server(verb, host="cmp6")
    move = gateway.live_migrate if verb == "migrate_live" else gateway.cold_migrate
    rule = f"{COMPUTE}os-migrate-server:{verb}"
    policy(POLICY | {rule: POLICY[rule].replace(f" or role:{ROLE}", "")})
    with pytest.raises(CloudForbidden):
        move(server, None)
    policy(POLICY)
    move(server, None)
    demo.wait_for_migration(server, "completed", "finished")
    demo.delete_server(server)


def test_without_the_files_the_role_is_refused(gateway, things, policy):
    policy({})
    asks_nothing = {"prefer_newest", "user_id", "log_in", "find_region"}
    empty_is_fine = {"progress"}  # of a server that is not there for this account
    got = {name for name in CALLS if gets_it(name, gateway, things)}
    # what asks for something and is told that there is no such server was refused as well
    told_nothing = {"confirm_resize", "abort_migration", "force_complete"}
    told_nothing |= {"live_migrate", "cold_migrate"}
    assert got <= asks_nothing | empty_is_fine | told_nothing
    assert gateway.server(things["server"]) is None
    with pytest.raises(CloudForbidden):
        gateway.services()


# -- canaries --------------------------------------------------------------------------------

#: what the documentation says that they need
CANARY_RULES: dict[str, str] = yaml.safe_load(
    (Path(__file__).parents[2] / "doc" / "source" / "security.md")
    .read_text()
    .partition("```yaml\n")[2]
    .partition("```")[0]
)


def canary(demo: DemoCloud, gateway: Cloud) -> None:
    """All that is asked for one."""
    about = {"image": IMAGE_ID, "flavor": demo.flavor(), "network": "none", "metadata": {}}
    [provider] = _hypervisor_ids(gateway)
    gateway.mark_disabled(provider, True)
    gateway.mark_disabled(provider, False)
    server = gateway.build_server("maintenance-canary-x", "az1:cmp5", **about)
    assert [one.id for one in gateway.own_servers_named("maintenance-canary-x")] == [server]
    demo.wait_for_server(server, "ACTIVE")
    gateway.delete_server(server)
    demo.wait(lambda: gateway.server(server) is None, "it is gone")
    other = gateway.build_server("maintenance-canary-y", "az1:cmp5", **about)
    demo.wait_for_server(other, "ACTIVE")
    gateway.delete_server(other, for_good=True)
    demo.wait(lambda: gateway.server(other) is None, "it is gone")


def test_a_canary_needs_the_rules_of_the_documentation_and_no_others(demo, gateway, policy):
    policy(POLICY | CANARY_RULES)
    canary(demo, gateway)


#: Of one with a network, which this cloud does not have.
OF_A_NETWORK = f"{COMPUTE}servers:create:attach_network"


@pytest.mark.parametrize("rule", sorted(CANARY_RULES.keys() - {OF_A_NETWORK}))
def test_without_one_rule_there_is_no_canary(demo, gateway, policy, rule):
    closed = CANARY_RULES[rule].replace(" or role:maintenance_worker", "")
    policy(POLICY | CANARY_RULES | {rule: closed})
    try:
        with pytest.raises(CloudForbidden):
            canary(demo, gateway)
    finally:
        policy(POLICY)
        left = demo.nova.get("/servers?all_tenants=1&name=maintenance-canary").json()["servers"]
        demo.delete_server(*[one["id"] for one in left])
        [provider] = _hypervisor_ids(gateway)
        Cloud(demo.session(), REGION).mark_disabled(provider, False)


# -- the worker with it ----------------------------------------------------------------------


def test_a_drain_and_its_return_succeed_with_the_role_alone(demo, passes):
    live, locked = demo.create_servers(["live", "locked"], host="cmp1")
    demo.action(locked, {"lock": {"locked_reason": "mine"}})
    off = demo.create_server("off", host="cmp1", state="SHUTOFF")
    resized = demo.create_server("resized", host="cmp2")
    demo.action(resized, {"migrate": {"host": "cmp1"}})
    demo.wait_for_server(resized, "VERIFY_RESIZE")
    drain = passes.until_over(passes.ask("cmp1", choices={resized: Choice.CONFIRM.value}))
    assert (drain.state, drain.result) == ("succeeded", "empty"), drain.message
    methods = {name: row.method for name, row in rows_by_name(drain).items()}
    assert (methods["live"], methods["locked"], methods["off"]) == ("live", "live", "cold")

    maintenance = store.open_maintenance(REGION, "cmp1")
    HostReconciler(passes.cloud, "worker", store.now).run(maintenance)
    found = services.certificate(shell_actor(), REGION, "cmp1")
    assert found.safe, [check for check in found.checks if not check.passed]

    maintenance, run = give_back(passes, "cmp1")
    work(passes, maintenance)
    assert service_of(demo, "cmp1")["status"] == "enabled"
    run = passes.until_over(run)
    assert (run.state, run.result) == ("succeeded", "brought_back"), run.message
    assert set(servers_on(demo, "cmp1")) == {live, locked, off, resized}
    demo.delete_server(live, locked, off, resized)


def test_an_abort_its_evidence_and_a_reset_with_the_role_alone(demo, passes, settings):
    settings.UKCLOUD_MAINTENANCE = SETTLES
    server = demo.create_server("web", host="cmp3", play="late-error-after-abort stall")
    drain = until_copied(passes, passes.ask("cmp3"), "web")
    ask(drain, Verb.ABORT, "web")
    drain = passes.until_over(drain)
    row = rows_by_name(drain)["web"]
    assert (row.state, row.code) == ("unknown", "error_after_abort")
    found = services.evidence(shell_actor(), passes.cloud, drain.pk, row.pk)
    assert found.complete, [check for check in found.checks if not check.passed]
    ask(drain, Verb.RESET, "web")
    passes.until(drain, lambda d: rows_by_name(d)["web"].state == "failed")
    assert demo.server(server)["status"] == "ACTIVE"
    assert events(drain, "reset")[0].request_id.startswith("req-")
    demo.delete_server(server)


def test_a_copy_is_forced_to_complete_with_the_role_alone(demo, passes):
    server = demo.create_server("busy", host="cmp4", play="never-converges")
    drain = until_copied(passes, passes.ask("cmp4"), "busy")
    ask(drain, Verb.FORCE, "busy")
    drain = passes.until_over(drain)
    assert (drain.state, drain.result) == ("succeeded", "empty"), drain.message
    demo.delete_server(server)


# -- Nova's own manager role -----------------------------------------------------------------


def test_novas_manager_may_do_a_part_of_it_in_its_own_project(demo, account, things, policy):
    """Nova 32 and later let a manager of a project move its servers to the scheduler's choice,
    and see, abort and force that; nothing of a host, of another project, or of a named host."""
    policy({})
    gateway = gateway_of(account("manager", "admin"))
    server = demo.create_server("managed", host="cmp6", play="post-copy seconds=1 rate=20000000")
    gateway.live_migrate(server, None)
    migration = copying(demo, server)["id"]
    assert [one.migration_id for one in gateway.progress(server)] == [migration]
    assert gateway.force_complete(server, migration).startswith("req-")
    demo.wait_for_migration(server, "completed")
    demo.wait_for_server(server, "ACTIVE")
    gateway.live_migrate(server, None)
    migration = copying(demo, server)["id"]
    assert gateway.abort_migration(server, migration).startswith("req-")
    demo.wait_for_migration(server, "cancelled")
    demo.wait_for_server(server, "ACTIVE")

    service = demo.service("cmp6")
    for refused in (
        lambda: gateway.services(),
        lambda: gateway.disable_service(service["id"], "new memory"),
        lambda: gateway.servers_on("cmp6"),
        lambda: gateway.hypervisors(),
        lambda: gateway.migrations_touching("cmp6"),
        lambda: gateway.live_migrate(server, "cmp1"),
        lambda: gateway.cold_migrate(server, "cmp1"),
        lambda: gateway.diagnostics(server),
        lambda: gateway.reset_state_to_active(server),
        lambda: gateway.capacity(),
        lambda: gateway.project_names(),
    ):
        with pytest.raises(CloudForbidden):
            refused()
    other = demo.create_server("others", host="cmp6", cloud="worker")
    assert gateway.server(other) is None
    demo.delete_server(server)
    demo.nova.delete(f"/servers/{other}")

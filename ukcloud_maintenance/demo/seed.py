"""What ``make demo`` shows: projects, users, flavors and some fifty servers.

Everything is looked up by name first, so that a seeding that was interrupted is continued and a
finished one changes nothing. Afterwards the cloud is the user's: what was moved stays moved, what
was deleted stays deleted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keystoneauth1 import adapter, session
from keystoneauth1.identity import v3

from .clients import NOVA_MICROVERSION
from .config import DEFAULT_HOSTS, ROLLING_HOSTS
from .harness import DemoCloud
from .identity import PEOPLE_PASSWORD
from .standins import IMAGE_ID

FLAVORS = {
    # name: MiB of memory, vCPUs, GiB of disk
    "m1.tiny": (512, 1, 5),
    "m1.small": (2048, 1, 20),
    "m1.medium": (4096, 2, 40),
    "m1.large": (8192, 4, 80),
    "m1.xlarge": (16384, 8, 160),
}

PROJECTS = {
    # project: its member
    "web-shop": "alice",
    "data-platform": "bob",
    "research": "carol",
}

VIEWER, VIEWER_ROLE = "viewer", "maintenance_viewer"
"""Somebody who is an administrator for Horizon, and by this role may look, but not touch."""

DATABASES = "databases"
"""The anti-affinity group."""


@dataclasses.dataclass(frozen=True)
class Seed:
    name: str
    host: str
    flavor: str
    project: str
    state: str = "ACTIVE"
    play: str | None = None
    """How its live migrations go, see ``behaviours``."""
    group: str | None = None
    locked: str | None = None
    """Locked, with this reason."""
    zone: str | None = None
    """The availability zone that it may not leave."""


ROLLING = (
    # Of these three, each host of the zone for rolling runs has one.
    ("shop", "m1.medium", "web-shop"),
    ("worker", "m1.small", "data-platform"),
    ("build", "m1.small", "research"),
)

SERVERS = (
    # The host that the demo proposes first: everything can leave, and nothing fails.
    Seed("web-01", "cmp1", "m1.small", "web-shop"),
    Seed("web-02", "cmp1", "m1.small", "web-shop"),
    Seed("api-01", "cmp1", "m1.medium", "web-shop"),
    Seed("cache-01", "cmp1", "m1.medium", "web-shop"),
    Seed("db-primary", "cmp1", "m1.large", "data-platform", group=DATABASES),
    Seed("queue-01", "cmp1", "m1.tiny", "data-platform"),
    Seed("mail-01", "cmp1", "m1.tiny", "web-shop"),
    Seed("monitoring", "cmp1", "m1.small", "data-platform"),
    Seed("simulation-07", "cmp1", "m1.small", "research", state="PAUSED"),
    # Some that fail, each in its own way.
    Seed("web-03", "cmp2", "m1.small", "web-shop"),
    Seed("db-replica-1", "cmp2", "m1.large", "data-platform", group=DATABASES),
    Seed("search-01", "cmp2", "m1.medium", "web-shop", play="rollback fail_times=1 from=cmp2"),
    Seed("billing-01", "cmp2", "m1.medium", "web-shop", play="fail-destination-check from=cmp2"),
    Seed("stream-01", "cmp2", "m1.large", "data-platform", play="bouncing"),
    Seed("report-builder", "cmp2", "m1.small", "data-platform", state="SHUTOFF"),
    Seed("legacy-erp", "cmp2", "m1.medium", "web-shop", state="ERROR"),
    Seed("web-04", "cmp3", "m1.small", "web-shop"),
    Seed("db-replica-2", "cmp3", "m1.large", "data-platform", group=DATABASES),
    Seed("vpn-01", "cmp3", "m1.tiny", "web-shop", locked="Change freeze until Monday"),
    # Where it arrives, nothing but its ERROR is wrong: that is not to be a host of a rolling run.
    Seed(
        *("ci-runner-01", "cmp3", "m1.medium", "research"),
        play="landing-fails from=cmp3",
        zone="az1",
    ),
    Seed("ci-runner-02", "cmp3", "m1.medium", "research", state="SUSPENDED"),
    Seed("etl-01", "cmp10", "m1.xlarge", "data-platform", play="never-converges from=cmp10"),
    Seed("etl-02", "cmp10", "m1.xlarge", "data-platform", play="disk-first"),
    Seed("notebook-01", "cmp10", "m1.medium", "research"),
    Seed("notebook-02", "cmp10", "m1.medium", "research", state="SHUTOFF"),
    Seed("gitlab", "cmp11", "m1.large", "research"),
    Seed("registry", "cmp11", "m1.medium", "research"),
    Seed("mail-02", "cmp11", "m1.tiny", "web-shop"),
    Seed("staging-web", "cmp11", "m1.small", "web-shop", state="PAUSED"),
    Seed("training-01", "cmp12", "m1.xlarge", "research", play="late-error-after-abort"),
    Seed("archive-01", "cmp12", "m1.small", "data-platform", state="SHUTOFF"),
    # Where nothing fails, and nothing leaves the zone: six hosts for a rolling run.
    *(
        Seed(f"{name}-{number:02}", host.name, flavor, project, zone=host.zone)
        for number, host in enumerate(ROLLING_HOSTS, 1)
        for name, flavor, project in ROLLING
    ),
)


def hosts_seeded(finished: Path) -> set[str]:
    """The hosts whose servers were there once, by the file that says so; one that was written
    before the demo had its zone for rolling runs is empty."""
    if not finished.exists():
        return set()
    return set(finished.read_text().split()) or {host.name for host in DEFAULT_HOSTS}


class Seeder:
    def __init__(self, cloud: DemoCloud, say: Callable[[str], None]) -> None:
        self._cloud = cloud
        self._say = say
        self._keystone = cloud.adapter("identity")
        self._projects: dict[str, str] = {}
        self._wanted: list[Seed] = []
        self._novas: dict[str, adapter.Adapter] = {}

    def run(self) -> None:
        """Seed, unless that was finished once for all hosts."""
        finished = self._cloud.state / "seeded"
        done = hosts_seeded(finished)
        hosts = {host.name for host in self._cloud.config.hosts}
        self._wanted = [seed for seed in SERVERS if seed.host in hosts - done]
        if not self._wanted:
            return
        self._say(f"creating {len(PROJECTS)} projects with users")
        self._accounts()
        flavors = {name: self._flavor(name, *size) for name, size in FLAVORS.items()}
        groups = {DATABASES: self._group(DATABASES, "data-platform")}
        self._say(f"booting {len(self._wanted)} servers")
        self._servers(flavors, groups)
        finished.write_text(" ".join(sorted(done | hosts)))

    # --- accounts -----------------------------------------------------------------------------

    def _named(self, collection: str, name: str) -> dict[str, Any] | None:
        found = self._keystone.get(f"/{collection}?name={name}").json()[collection]
        return found[0] if found else None

    def _ensure(self, collection: str, name: str, **fields: Any) -> str:
        found = self._named(collection, name)
        if found is None:
            one = collection[:-1]
            # a role of a domain would not be in anybody's token
            where = {} if collection == "roles" else {"domain_id": "default"}
            body = {one: {"name": name, **where, **fields}}
            found = self._keystone.post(f"/{collection}", json=body).json()[one]
        return found["id"]

    def _accounts(self) -> None:
        roles = {role: self._named("roles", role)["id"] for role in ("admin", "member")}
        admin = self._named("users", "admin")["id"]
        for project, user in PROJECTS.items():
            project_id = self._projects[project] = self._ensure("projects", project)
            user_id = self._ensure(
                "users", user, password=PEOPLE_PASSWORD, default_project_id=project_id
            )
            for who, role in ((user_id, "member"), (admin, "admin")):
                self._keystone.put(f"/projects/{project_id}/users/{who}/roles/{roles[role]}")
        project_id = self._named("projects", "admin")["id"]
        user_id = self._ensure(
            "users", VIEWER, password=PEOPLE_PASSWORD, default_project_id=project_id
        )
        roles[VIEWER_ROLE] = self._ensure("roles", VIEWER_ROLE)
        for role in ("admin", VIEWER_ROLE):
            self._keystone.put(f"/projects/{project_id}/users/{user_id}/roles/{roles[role]}")

    def _nova(self, project: str) -> adapter.Adapter:
        """Nova as the admin, but in ``project``: who boots a server owns it."""
        if project not in self._novas:
            auth = v3.Password(
                auth_url=self._cloud.auth_url,
                username="admin",
                password=PEOPLE_PASSWORD,
                project_name=project,
                user_domain_name="Default",
                project_domain_name="Default",
            )
            self._novas[project] = adapter.Adapter(
                session.Session(auth=auth, user_agent="demo-cloud"),
                service_type="compute",
                default_microversion=NOVA_MICROVERSION,
            )
        return self._novas[project]

    # --- servers ------------------------------------------------------------------------------

    def _flavor(self, name: str, ram: int, vcpus: int, disk: int) -> str:
        there = self._cloud.nova.get("/flavors").json()["flavors"]
        for flavor in there:
            if flavor["name"] == name:
                return flavor["id"]
        body = {"flavor": {"name": name, "ram": ram, "vcpus": vcpus, "disk": disk}}
        return self._cloud.nova.post("/flavors", json=body).json()["flavor"]["id"]

    def _group(self, name: str, project: str) -> str:
        nova = self._nova(project)
        for group in nova.get("/os-server-groups").json()["server_groups"]:
            if group["name"] == name:
                return group["id"]
        body = {"server_group": {"name": name, "policy": "anti-affinity"}}
        return nova.post("/os-server-groups", json=body).json()["server_group"]["id"]

    def _servers(self, flavors: dict[str, str], groups: dict[str, str]) -> None:
        names = {seed.name for seed in self._wanted}
        listed = self._cloud.nova.get("/servers/detail?all_tenants=1").json()["servers"]
        there = [row for row in listed if row["name"] in names]
        # What was being built when an earlier seeding was interrupted never will be.
        broken = {row["id"] for row in there if row["status"] in ("BUILD", "ERROR")}
        self._cloud.delete_server(*broken)
        ids = {row["name"]: row["id"] for row in there if row["id"] not in broken}
        for seed in self._wanted:
            if seed.name not in ids:
                ids[seed.name] = self._boot(seed, flavors, groups)
        wanted = {ids[seed.name]: seed for seed in self._wanted}

        def ids_in(status: str) -> set[str]:
            rows = self._cloud.nova.get(f"/servers?all_tenants=1&status={status}").json()
            return {row["id"] for row in rows["servers"]} & wanted.keys()

        self._cloud.wait(lambda: not ids_in("BUILD"), "all servers are built", timeout=180)
        for server in ids_in("ERROR"):
            body = self._cloud.server(server)
            if body["OS-EXT-SRV-ATTR:host"] is None:
                raise RuntimeError(f"{body['name']} could not be built: {body.get('fault')}")
        self._say("bringing some of them into other states")
        changed = [(server, seed) for server, seed in wanted.items() if seed.state != "ACTIVE"]
        for server, seed in changed:
            if self._cloud.server(server)["status"] == "ACTIVE":
                self._cloud.change_state(server, seed.state)
        for server, seed in wanted.items():
            if seed.locked:
                self._cloud.action(server, {"lock": {"locked_reason": seed.locked}})

    def _boot(self, seed: Seed, flavors: dict[str, str], groups: dict[str, str]) -> str:
        body: dict[str, Any] = {
            "server": {
                "name": seed.name,
                "flavorRef": flavors[seed.flavor],
                "imageRef": IMAGE_ID,
                "networks": "none",
                "host": seed.host,
            }
        }
        if seed.zone:
            body["server"]["availability_zone"] = seed.zone
        if seed.play:
            body["server"]["metadata"] = {"demo:live_migration": seed.play}
        if seed.group:
            body["os:scheduler_hints"] = {"group": groups[seed.group]}
        return self._nova(seed.project).post("/servers", json=body).json()["server"]["id"]

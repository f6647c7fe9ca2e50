"""Horizon's pages with a user of our making and a cloud without a network."""

import inspect
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from types import SimpleNamespace

import pytest
import yaml
from compressor.templatetags.compress import CompressorNode
from django.utils import timezone
from horizon.themes import ThemeTemplateLoader
from openstack_auth import policy as auth_policy
from openstack_auth import user as auth_user
from openstack_auth import utils as auth_utils
from openstack_dashboard.api import keystone as horizon_keystone
from oslo_policy import _checks
from oslo_policy.policy import Enforcer

from tests.fakes import GIB, FakeCloud, server, service
from ukcloud_maintenance import store
from ukcloud_maintenance.content.maintenance.common import session
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.facts import Hypervisor, Server, Service
from ukcloud_maintenance.core.preflight.judge import judge

REGION = "RegionOne"


class PanelCloud(FakeCloud):
    """Adds what the hosts page reads, and remembers what was asked."""

    def __init__(self, services: Iterable[Service] = (), servers: Iterable[Server] = (), **more):
        super().__init__(services, servers, **more)
        self.asked: list[str] = []
        #: hosts whose instances cannot be counted
        self.uncountable: dict[str, Exception] = {}

    def services(self, host=None):
        self.asked.append("services")
        return super().services(host)

    def servers_on(self, host):
        self.asked.append(f"servers_on {host}")
        return super().servers_on(host)

    def project_names(self):
        self.asked.append("project_names")
        return super().project_names()

    def hypervisors(self):
        self.asked.append("hypervisors")
        self._fail()
        return self._hypervisors()

    def _hypervisors(self):
        found = []
        for one in self.all_services:
            here = [s for s in self.all_servers if s.host == one.host]
            found.append(
                Hypervisor(
                    id=one.id,
                    hypervisor_hostname=f"{one.host}.example",
                    host=one.host,
                    vcpus=16,
                    vcpus_used=len(here),
                    memory_bytes=64 * GIB,
                    memory_used_bytes=sum(s.memory_bytes for s in here),
                    running_vms=len(here) + 5,  # old, and wrong on purpose
                )
            )
        return found

    def hypervisor_and_servers(self, hypervisor_id):
        one = next(s for s in self.all_services if s.id == hypervisor_id)
        number = self.count_servers_on(one.host)
        # at this moment the statistic is right
        now = next(h for h in self._hypervisors() if h.id == hypervisor_id)
        return replace(now, running_vms=number), number

    def count_servers_on(self, host):
        self.asked.append(f"count {host}")
        if host in self.uncountable:
            raise self.uncountable[host]
        return sum(1 for s in self.all_servers if s.host == host)


CATALOG = [
    {
        "type": kind,
        "name": kind,
        "endpoints": [
            {
                "id": f"{kind}-{region}-{interface}",
                "interface": interface,
                "region": region,
                "region_id": region,
                "url": f"http://{kind}.{region.lower()}.example/{interface}",
            }
            for region in (REGION, "RegionTwo")
            for interface in ("public", "internal")
        ],
    }
    for kind in ("compute", "identity")
]


def make_user(*roles: str, region: str = REGION, name: str = "alice", domain: str = "Default"):
    """A user of Horizon as openstack_auth makes one at a login."""
    # before Horizon 26 it is made of an answer of Keystone alone
    token = auth_user.Token.__new__(auth_user.Token)
    token.id = f"token-of-{name}"
    token.expires = datetime.now(UTC) + timedelta(hours=1)
    token.user = {"id": f"id-of-{name}", "name": name, "password_expires_at": None}
    token.project = token.tenant = {"id": "p0", "name": "admin", "domain_id": "default"}
    token.serviceCatalog = CATALOG
    return auth_user.User(
        id=f"id-of-{name}",
        token=token,
        user=name,
        user_domain_id=domain.lower(),
        user_domain_name=domain,
        project_id="p0",
        project_name="admin",
        service_catalog=CATALOG,
        roles=[{"name": role} for role in roles],
        endpoint="http://identity.example/v3",
        enabled=True,
        services_region=region,
        authorized_tenants=[],
    )


@pytest.fixture(autouse=True)
def _plain_pages(settings, monkeypatch):
    make_pages_plain(settings, monkeypatch)


def make_pages_plain(settings, monkeypatch) -> None:
    """Style sheets, scripts, and what other panels ask OpenStack to know whether they are shown,
    are not what these tests look at."""
    settings.COMPRESS_ENABLED = False
    settings.COMPRESS_PRECOMPILERS = ()
    # A page of Horizon names half a thousand of them: most of the time that it takes.
    monkeypatch.setattr(CompressorNode, "render", lambda node, context, forced=False: "")
    # Nor does the theme bring a template: each is looked for on the disk, each time.
    monkeypatch.setattr(ThemeTemplateLoader, "get_template_sources", lambda loader, name: ())
    # Whether a file has changed is looked after before every single check, a hundred times a page.
    load_rules = Enforcer.load_rules

    def load_once(enforcer, force_reload=False):
        if force_reload or not enforcer.rules:
            load_rules(enforcer, force_reload)

    monkeypatch.setattr(Enforcer, "load_rules", load_once)
    # They are half a megabyte of YAML, which libyaml reads in a tenth of the time.
    monkeypatch.setattr(yaml, "safe_load", lambda stream: yaml.load(stream, yaml.CSafeLoader))
    # And what arguments a check takes is read from its code, a thousand times a page.
    arguments = SimpleNamespace(getfullargspec=lambda call: _arguments(type(call.__self__)))
    monkeypatch.setattr(_checks, "inspect", arguments)
    monkeypatch.setattr(horizon_keystone, "get_identity_api_version", lambda request: (3, 14))


@cache
def _arguments(check: type) -> inspect.FullArgSpec:
    return inspect.getfullargspec(check.__call__)


@pytest.fixture
def fresh_policy(monkeypatch):
    """For tests that change the policy's settings. The one that all others share comes back."""
    monkeypatch.setattr(auth_policy, "_ENFORCER", None)


@pytest.fixture
def log_in(monkeypatch):
    """Log a user in: log_in("admin") or log_in("member", region=…)."""

    def become(*roles: str, **more: str):
        user = make_user(*roles, **more)
        monkeypatch.setattr(auth_utils, "get_user", lambda request: user)
        return user

    return become


@pytest.fixture
def cloud(monkeypatch):
    """cmp1 with five instances, cmp10 and CMP1 beside it, cmp3 down, cmp4 disabled."""
    fake = PanelCloud(
        [
            service("cmp1", zone="az1"),
            service("cmp10", zone="az1"),
            service("cmp2", zone="az2"),
            service("cmp3", zone="az2", state="down"),
            service("cmp4", zone="az2", status="disabled", disabled_reason="bad fan"),
        ],
        [
            server("web-1"),
            server("web-2", status="PAUSED", vm_state="paused"),
            server("db-1", memory_bytes=4 * GIB),
            server("old-1", status="SHUTOFF", vm_state="stopped"),
            server("busy-1", task_state="rebooting"),
            server("app-1", host="cmp10"),
        ],
    )
    monkeypatch.setattr(session, "cloud", lambda request: fake)
    return fake


@pytest.fixture
def admin(db, client, log_in, cloud):
    """Django's test client, logged in as an administrator."""
    log_in("admin")
    client.user_cloud = cloud
    return client


@pytest.fixture
def make_drain(db):
    """Write a drain as `services` does, and change its rows through the store."""

    def make(host: str = "cmp1", *servers: Server, region: str = REGION, **more):
        fields = {
            "service_id": "s-1",
            "reason": "new kernel",
            "max_concurrent": 2,
            "destination": "",
            "actor_id": "id-of-alice",
            "actor": "alice",
            "project_names": {"p1": "customer"},
            "now": timezone.now(),
        } | more
        return store.create_drain(
            region=region, host=host, planned=[(s, judge(s)) for s in servers], **fields
        )

    return make


@pytest.fixture
def worker_alive(db):
    store.sign_of_life("worker-1", "controller", 1, timezone.now())
    return SimpleNamespace(name="worker-1")

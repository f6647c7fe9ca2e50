"""A cloud and a database in which every name and every text is an attack.

`hostile` makes the values; `tag` in them tells which field one came from. The cloud answers like
Keystone, Nova and Placement; the rows are written as no code of ours would.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.db import models
from django.utils import timezone

from tests.unit.openstack_server import Answer, OpenStack, Request, Script
from ukcloud_maintenance.core.host.certificate import CODES as CHECKS
from ukcloud_maintenance.core.states import MigrationState
from ukcloud_maintenance.core.steering import RESETTABLE
from ukcloud_maintenance.models import (
    Attempt,
    Drain,
    Event,
    HostMaintenance,
    InstanceMigration,
    Plan,
    Run,
    RunAction,
    RunHost,
    Worker,
    host_key,
)
from ukcloud_maintenance.models import Request as Requested

REGION = "RegionOne"
#: what 7919*7907 would be, wherever it was evaluated
PRODUCT = "62615533"
MARK = "Hx7"
#: the tags of all values that were made
MADE: set[str] = set()


def hostile(tag: str) -> str:
    """AngularJS's expressions, in Horizon's and in its own notation, HTML out of an attribute and
    out of text, and a URL that runs. Without a slash, so that it can be a host's name too."""
    MADE.add(tag)
    run = f"window.__pwned=`{tag}`"
    return (
        f"javascript:{run};{MARK}-{tag}-"
        f"{{$constructor.constructor('{run}')()$}}{{$7919*7907$}}{{{{7919*7907}}}}${{7919*7907}}"
        f"\"'><img src=x onerror={run}><script>{run}"
    )


def identity(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


#: free, with servers of every kind; being drained; empty and safe; down and being given back; two
#: that can receive
FREE, DRAINED, SAFE, DOWN, OTHER, THIRD = (
    hostile(f"host-{name}") for name in ("free", "drained", "safe", "down", "other", "third")
)
HOSTS = (FREE, DRAINED, SAFE, DOWN, OTHER, THIRD)


# -- the cloud -------------------------------------------------------------------------------


def service(host: str) -> dict[str, Any]:
    disabled = host in (DRAINED, SAFE, DOWN)
    return {
        "id": identity(host),
        "binary": "nova-compute",
        "host": host,
        "zone": hostile("zone"),
        "state": "down" if host == DOWN else "up",
        "status": "disabled" if disabled else "enabled",
        "disabled_reason": hostile("disabled_reason") if disabled else None,
        "forced_down": False,
        "updated_at": "2026-01-01T00:00:00.000000",
    }


def hypervisor(host: str) -> dict[str, Any]:
    return {
        "id": identity(f"hypervisor of {host}"),
        "hypervisor_hostname": hostile("hypervisor_hostname"),
        "hypervisor_type": "QEMU",
        "service": {"host": host},
        "vcpus": 16,
        "vcpus_used": 2,
        "memory_mb": 65536,
        "memory_mb_used": 4096,
        "running_vms": 2,
    }


#: the kinds of servers on each host: what Nova says of them beside their name
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "locked": {"locked": True, "locked_reason": hostile("locked_reason")},
    "stopped": {"status": "SHUTOFF", "OS-EXT-STS:vm_state": "stopped"},
    "broken": {
        "status": "ERROR",
        "OS-EXT-STS:vm_state": "error",
        "fault": {"code": 500, "message": hostile("fault")},
    },
    "paused": {"status": "PAUSED", "OS-EXT-STS:vm_state": "paused"},
    "busy": {"OS-EXT-STS:task_state": "rebooting"},
    "resized": {"status": "VERIFY_RESIZE", "OS-EXT-STS:vm_state": "resized"},
    "said": {
        "metadata": {
            hostile("metadata-key"): hostile("metadata-value"),
            "maintenance:live_migrate": hostile("metadata-opt-out"),
        },
        "tags": [hostile("tag"), f"maintenance:stay={hostile('tag-opt-out')}"],
    },
    "special": {
        "flavor": {
            "original_name": hostile("flavor"),
            "ram": 1024,
            "vcpus": 1,
            "disk": 1,
            "extra_specs": {
                "pci_passthrough:alias": hostile("extra_spec"),
                hostile("extra_spec-key"): "1",
            },
        },
        "image": {"id": identity("image"), "properties": {"os_type": hostile("image_property")}},
    },
}


def server(host: str, kind: str) -> dict[str, Any]:
    return {
        "id": identity(f"{kind} on {host}"),
        "name": hostile(f"server-{kind}"),
        "OS-EXT-SRV-ATTR:host": host,
        "status": "ACTIVE",
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:power_state": 1,
        "OS-EXT-AZ:availability_zone": hostile("zone"),
        "pinned_availability_zone": hostile("zone") if kind == "plain" else None,
        "host_status": "UP",
        "tenant_id": "customer",
        "user_id": "u",
        "locked": False,
        "flavor": {"original_name": hostile("flavor"), "ram": 1024, "vcpus": 1, "disk": 1},
        "image": {"id": identity("image"), "properties": {}},
        "metadata": {},
        "tags": [],
        "os-extended-volumes:volumes_attached": [],
        "created": "2026-01-01T00:00:00Z",
    } | KINDS[kind]


SERVERS = [server(host, kind) for host in (FREE, DRAINED, OTHER) for kind in KINDS]
MIGRATION = {
    "id": 7,
    "uuid": identity("migration"),
    "status": "error",
    "migration_type": "live-migration",
    "source_compute": DRAINED,
    "dest_compute": OTHER,
    "created_at": "2026-01-01T00:00:00.000000",
    "updated_at": "2026-01-01T00:00:00.000000",
}
ACTION = {
    "request_id": "req-1",
    "action": "live-migration",
    "user_id": "u",
    "start_time": "2026-01-01T00:00:00.000000",
    "message": hostile("action-message"),
    "events": [{"result": "Error", "details": hostile("event-details")}],
}


class Routes(dict[str, Answer | Script]):
    """Answers by the pattern that the whole path matches."""

    def get(self, path: str, default: Any = None) -> Any:
        return next((a for pattern, a in self.items() if re.fullmatch(pattern, path)), default)


def _services(request: Request) -> Answer:
    hosts = [h for h in HOSTS if request.query.get("host") in (None, h)]
    return Answer({"services": [service(h) for h in hosts]})


def _servers(request: Request) -> Answer:
    return Answer(
        {
            "servers": [
                s for s in SERVERS if request.query.get("host") in (None, s["OS-EXT-SRV-ATTR:host"])
            ]
        }
    )


def _server(request: Request) -> Answer:
    wanted = request.path.split("/")[2]
    found = next((s for s in SERVERS if s["id"] == wanted), None)
    if found is None:
        return Answer({"itemNotFound": {"message": hostile("not-found")}}, 404)
    return Answer({"server": found})


def _migrations(request: Request) -> Answer:
    return Answer(
        {
            "migrations": [
                MIGRATION | {"instance_uuid": s["id"]} for s in SERVERS if _asked(request, s)
            ]
        }
    )


def _server_groups(request: Request) -> Answer:
    members = [s["id"] for s in SERVERS if s["OS-EXT-SRV-ATTR:host"] == FREE]
    group = {
        "id": identity("group"),
        "name": hostile("group"),
        "policy": "affinity",
        "members": members,
    }
    return Answer({"server_groups": [] if int(request.query.get("offset", "0")) else [group]})


def _asked(request: Request, one: Mapping[str, Any]) -> bool:
    return one["OS-EXT-SRV-ATTR:host"] == DRAINED and request.query.get("instance_uuid") in (
        None,
        one["id"],
    )


def _summaries() -> dict[str, Any]:
    resources = {
        name: {"capacity": 65536, "used": 1024} for name in ("MEMORY_MB", "VCPU", "DISK_GB")
    }
    return {
        identity(f"hypervisor of {host}"): {
            "resources": resources,
            "traits": [hostile("trait")],
            "root_provider_uuid": identity(f"hypervisor of {host}"),
        }
        for host in (FREE, OTHER, THIRD)
    }


def _hold(openstack: OpenStack) -> None:
    """Nova, Keystone and Placement as they are when all is well."""
    openstack.nova = Routes(
        {
            "/?": Answer({"version": {"id": "v2.1", "version": "2.98", "links": []}}),
            "/os-services": _services,
            "/os-hypervisors/detail": Answer({"hypervisors": [hypervisor(h) for h in HOSTS]}),
            "/servers(/detail)?": _servers,
            "/servers/[^/]*/diagnostics": Answer(
                {"conflictingRequest": {"message": hostile("diagnostics")}}, 409
            ),
            "/servers/[^/]*/migrations": Answer({"migrations": []}),
            "/servers/[^/]*/os-instance-actions": Answer({"instanceActions": [ACTION]}),
            "/servers/[^/]*/os-instance-actions/.*": Answer({"instanceAction": ACTION}),
            "/servers/[^/]*": _server,
            "/os-migrations": _migrations,
            "/os-aggregates": Answer(
                {
                    "aggregates": [
                        {
                            "name": hostile("aggregate"),
                            "availability_zone": hostile("zone"),
                            "hosts": list(HOSTS),
                            "metadata": {"filter_tenant_id": hostile("aggregate-metadata")},
                        }
                    ]
                }
            ),
            "/os-server-groups": _server_groups,
        }
    )
    project = {"id": "customer", "name": hostile("project"), "enabled": True}
    own = {"id": "p", "name": hostile("own-project"), "enabled": True, "domain_id": "default"}
    openstack.keystone = Routes(
        {
            "/(auth|users/[^/]*)/projects": Answer({"projects": [own], "links": {}}),
            "/projects": Answer({"projects": [project, own], "links": {}}),
        }
    )
    openstack.placement = Routes(
        {"/allocation_candidates": Answer({"provider_summaries": _summaries()})}
    )


def prepare(openstack: OpenStack) -> None:
    """Let the stand-in be this cloud, with an administrator of a hostile name."""
    login = openstack._token()
    token = login.body["token"]
    domain = {"id": "default", "name": "Default"}
    token["user"] |= {"name": hostile("user"), "domain": domain}
    token["project"] |= {"name": hostile("own-project"), "domain": domain}
    openstack.login = login
    _hold(openstack)


def fail(openstack: OpenStack) -> None:
    """Let Nova refuse everything from now on, in hostile words."""
    refusal = Answer(
        {"computeFault": {"message": hostile("nova-error")}},
        500,
        {"x-openstack-request-id": hostile("nova-request-id")},
    )
    openstack.nova = Routes({".*": refusal})


# -- the database ----------------------------------------------------------------------------

#: Text that no other person writes: our own words and keys, and Nova's ids and states.
OURS = {
    "region",
    "host_key",
    "open_key",
    "service_id",
    "source_service",
    "found_status",
    "return_choice",
    "return_result",
    "result",
    "server_id",
    "project_id",
    "choice",
    "group",
    "code",
    "initial_status",
    "server_status",
    "task_state",
    "nova_status",
    "before_action",
    "origin",
    "course",
    "kind",
    "claimed_by",
    "actor_id",
    "requested_by_id",
    "direction",
    "state",
    "method",
    "timeout_action",
}


def texts(model: type[models.Model]) -> Iterable[str]:
    """The names of the fields that somebody else may write."""
    for field in model._meta.concrete_fields:
        if isinstance(field, models.CharField | models.TextField) and field.name not in OURS:
            yield field.name


def row(model: type[models.Model], **known: Any) -> Any:
    """A row with a hostile value in every such field but those that are given."""
    values: dict[str, Any] = {
        name: hostile(f"{model.__name__}.{name}") for name in texts(model) if name not in known
    }
    for field in model._meta.concrete_fields:
        if not (field.null or field.has_default() or field.primary_key):
            if isinstance(field, models.DateTimeField):
                values[field.name] = timezone.now() - timedelta(minutes=5)
            elif isinstance(field, models.IntegerField):
                values[field.name] = 1
    return model.objects.create(**values | known)  # type: ignore[attr-defined]


def _at(host: str) -> dict[str, Any]:
    return {"region": REGION, "host": host, "host_key": host_key(REGION, host)}


def _open(host: str) -> dict[str, Any]:
    return _at(host) | {"open_key": host_key(REGION, host)}


def _run(now: Any) -> int:
    """A run with a host in each stage that a page tells more of; its number."""
    chosen = {"domain": "none", "order": "by_hand", "on_failure": "stop", "approval": "none"}
    run = row(Run, region=REGION, state="running", **chosen)
    stages = {OTHER: "acting", THIRD: "acting", SAFE: "failed", FREE: "waiting"}
    for place, (host, stage) in enumerate(stages.items()):
        known = {"host_key": host_key(REGION, host), "open_key": host_key(REGION, host)}
        failed_in = "draining" if stage == "failed" else ""
        one = row(RunHost, run=run, host=host, position=place, stage=stage, started_at=now,
                  failed_in=failed_in, **known)  # fmt: skip
        if stage == "acting":
            kind = "hand" if host == OTHER else "command"
            row(RunAction, host=one, number=1, kind=kind, state="running",
                token=str(place))  # fmt: skip
    row(Event, run=run, kind="run_requested", at=now)
    return run.pk


def fill() -> dict[str, int]:
    """Write rows of every kind; the ids that the pages are asked for."""
    now = timezone.now()
    row(Worker, seen_at=now)
    checks = [
        {
            "code": code,
            "passed": code != CHECKS[0],
            "text": hostile("check-text"),
            "details": [hostile("check-details")],
        }
        for code in CHECKS
    ]
    seen = {
        "checks": checks,
        "verified_at": now,
        "service_id": identity(SAFE),
        "found_status": "disabled",
    }
    row(HostMaintenance, **_at(FREE), closed_at=now, return_result="refused", **seen)
    safe = row(HostMaintenance, **_open(SAFE), safe_since=now, withdrawn_at=now, **seen)
    returning = row(
        HostMaintenance, **_open(DOWN), returning_since=now, return_choice="ours", **seen
    )
    in_work = row(HostMaintenance, **_open(DRAINED), withdrawn_at=now, **seen)
    plan = row(Plan, region=REGION)
    drain = row(Drain, **_open(DRAINED), state="running", started_at=now, plan=plan,
                maintenance=in_work, move_locked=False)  # fmt: skip
    row(Drain, **_open(OTHER), state="pending", plan=plan, plan_order=1)
    row(Drain, **_at(SAFE), state="succeeded", result="empty", maintenance=safe,
        started_at=now, finished_at=now)  # fmt: skip
    for state, result in (("failed", "instances_failed"), ("cancelled", "cancelled")):
        row(Drain, **_at(DOWN), state=state, result=result, maintenance=returning,
            started_at=now, finished_at=now)  # fmt: skip
    back = row(Drain, **_open(THIRD), state="running", direction="back", started_at=now)
    ids = {"drain_id": drain.pk, "plan_id": plan.pk, "back": back.pk, "run_id": _run(now)}
    kinds = [kind for kind in KINDS if kind != "broken"]
    for n, state in enumerate(MigrationState):
        kind = "broken" if state is MigrationState.UNKNOWN else (*kinds, *"1234567")[n]
        known = identity(f"{kind} on {DRAINED}")
        one = row(InstanceMigration, drain=drain, server_id=known, state=state.value, position=n,
                  method="live", initial_status="ACTIVE", server_status="ACTIVE", choice="stays",
                  started_at=now,
                  code=min(RESETTABLE) if state is MigrationState.UNKNOWN else "")  # fmt: skip
        attempt = row(Attempt, migration=one, number=1, method="live", nova_status="running",
                      nova_migration_id=7 + n, timed_out_at=now, submitted_at=now)  # fmt: skip
        InstanceMigration.objects.filter(pk=one.pk).update(newest_attempt=attempt)
        is_open = state is MigrationState.SUBMITTED
        row(Requested, migration=one, attempt_number=1, kind="abort", origin="admin",
            state="open" if is_open else "taken", open_key=one.pk if is_open else None,
            taken_at=None if is_open else now, requested_at=now, tries=1)  # fmt: skip
        ids[state.value] = one.pk
        # the name of the instance in a fold of its own: a text of several lines
        row(Event, drain=drain, migration=one, kind="failed", at=now,
            message=f"{hostile('event-line')}\n{hostile('event-line-2')}")  # fmt: skip
    row(InstanceMigration, drain=back, server_id=identity("back"), state="migrating", choice="",
        method="live")  # fmt: skip
    for kind in ("drain_requested", "service_disabled", "submitted", "a_kind_of_the_future"):
        row(Event, drain=drain, kind=kind, at=now)
    row(Event, maintenance=safe, kind="host_safe", at=now)
    return ids

"""The JSON of OpenStack's APIs as values of `core.facts`."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from ..core.backports import UTC
from ..core.facts import (
    Action,
    Aggregate,
    Capacity,
    HostFacts,
    Hypervisor,
    Inventory,
    Machine,
    Migration,
    NetworkAgent,
    Progress,
    Server,
    ServerGroup,
    Service,
)

MIB = 1024**2
GIB = 1024**3


def last_line(traceback: Any) -> str:
    lines = [line.strip() for line in str(traceback or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def as_time(text: Any) -> datetime | None:
    """Nova's times are UTC, written with or without a zone."""
    if not text:
        return None
    try:
        value = parse_datetime(str(text))
    except ValueError:
        return None
    if value is None:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def as_service(raw: dict[str, Any]) -> Service:
    return Service(
        id=str(raw.get("id") or ""),
        host=str(raw.get("host") or ""),
        zone=str(raw.get("zone") or ""),
        state=str(raw.get("state") or ""),
        status=str(raw.get("status") or "UNKNOWN"),
        disabled_reason=str(raw.get("disabled_reason") or ""),
        forced_down=bool(raw.get("forced_down")),
        updated_at=as_time(raw.get("updated_at")),
    )


def as_machine(raw: dict[str, Any]) -> Machine:
    version = raw.get("hypervisor_version")
    return Machine(uptime_of(raw.get("uptime")), version if isinstance(version, int) else None)


def as_network_agent(raw: dict[str, Any]) -> NetworkAgent:
    return NetworkAgent(
        id=str(raw.get("id") or ""),
        host=str(raw.get("host") or ""),
        binary=str(raw.get("binary") or raw.get("agent_type") or ""),
        kind=str(raw.get("agent_type") or ""),
        is_alive=raw.get("alive") is True,
        is_enabled=raw.get("admin_state_up") is not False,
        heard_at=as_time(raw.get("heartbeat_timestamp")),
    )


#: What uptime(1) prints: " 10:31:12 up 3 days,  2:11,  1 user, …", "up 5 min", "up 1 day, 3 min".
_UPTIME = re.compile(r"\bup\s+(?:(\d+)\s+days?,\s*)?(?:(\d+):(\d\d)|(\d+)\s+min|(\d+)\s+sec)?")


def uptime_of(said: Any) -> int | None:
    """Seconds since the machine was started, by the words of uptime(1); None where they are not."""
    found = _UPTIME.search(said) if isinstance(said, str) else None
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, just, seconds = (int(one or 0) for one in found.groups())
    return ((days * 24 + hours) * 60 + minutes + just) * 60 + seconds


def as_hypervisor(raw: dict[str, Any]) -> Hypervisor:
    return Hypervisor(
        id=str(raw.get("id") or ""),
        hypervisor_hostname=str(raw.get("hypervisor_hostname") or ""),
        host=str((raw.get("service") or {}).get("host") or ""),
        hypervisor_type=str(raw.get("hypervisor_type") or ""),
        vcpus=int(raw.get("vcpus") or 0),
        vcpus_used=int(raw.get("vcpus_used") or 0),
        memory_bytes=int(raw.get("memory_mb") or 0) * MIB,
        memory_used_bytes=int(raw.get("memory_mb_used") or 0) * MIB,
        running_vms=int(raw.get("running_vms") or 0),
    )


def summed(hypervisors: list[Hypervisor]) -> Hypervisor | None:
    if len(hypervisors) < 2:
        return hypervisors[0] if hypervisors else None
    first = hypervisors[0]
    return Hypervisor(
        id="",
        hypervisor_hostname="",
        host=first.host,
        hypervisor_type=first.hypervisor_type,
        vcpus=sum(h.vcpus for h in hypervisors),
        vcpus_used=sum(h.vcpus_used for h in hypervisors),
        memory_bytes=sum(h.memory_bytes for h in hypervisors),
        memory_used_bytes=sum(h.memory_used_bytes for h in hypervisors),
        running_vms=sum(h.running_vms for h in hypervisors),
    )


def as_server(raw: dict[str, Any]) -> Server:
    flavor = raw.get("flavor") or {}
    disk_gib = int(flavor.get("disk") or 0) + int(flavor.get("ephemeral") or 0)
    return Server(
        id=str(raw["id"]),
        name=str(raw.get("name") or ""),
        host=str(raw.get("OS-EXT-SRV-ATTR:host") or ""),
        status=str(raw.get("status") or "UNKNOWN"),
        vm_state=str(raw.get("OS-EXT-STS:vm_state") or ""),
        task_state=raw.get("OS-EXT-STS:task_state") or None,
        project_id=str(raw.get("tenant_id") or ""),
        user_id=str(raw.get("user_id") or ""),
        power_state=int(raw.get("OS-EXT-STS:power_state") or 0),
        locked=bool(raw.get("locked")),
        locked_reason=str(raw.get("locked_reason") or ""),
        flavor_name=str(flavor.get("original_name") or ""),
        vcpus=int(flavor.get("vcpus") or 0),
        memory_bytes=int(flavor.get("ram") or 0) * MIB,
        disk_bytes=disk_gib * GIB + int(flavor.get("swap") or 0) * MIB,
        fault_message=str((raw.get("fault") or {}).get("message") or ""),
        created_at=as_time(raw.get("created")),
        metadata=as_texts(raw.get("metadata")),
        tags=tuple(raw.get("tags") or ()),
        extra_specs=as_texts(flavor.get("extra_specs")),
        root_disk_bytes=int(flavor.get("disk") or 0) * GIB,
        # Nova shows "" as the image of a server that boots from a volume
        boots_from_volume=not raw["image"] if "image" in raw else None,
        zone=str(raw.get("OS-EXT-AZ:availability_zone") or ""),
        pinned_zone=str(raw["pinned_availability_zone"] or "")
        if "pinned_availability_zone" in raw
        else None,
        image_properties=as_texts((raw.get("image") or {})["properties"])
        if "properties" in (raw.get("image") or {})
        else None,
    )


def as_texts(raw: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in (raw or {}).items()}


def as_server_group(raw: dict[str, Any]) -> ServerGroup:
    return ServerGroup(
        id=str(raw["id"]),
        name=str(raw.get("name") or ""),
        policy=str(raw.get("policy") or ""),
        members=tuple(str(member) for member in raw.get("members") or ()),
        max_per_host=int((raw.get("rules") or {}).get("max_server_per_host") or 1),
        project_id=str(raw.get("project_id") or ""),
    )


def as_aggregate(raw: dict[str, Any]) -> Aggregate:
    return Aggregate(
        name=str(raw.get("name") or ""),
        zone=str(raw.get("availability_zone") or ""),
        hosts=tuple(str(host) for host in raw.get("hosts") or ()),
        metadata=as_texts(raw.get("metadata")),
    )


def as_capacity(summaries: dict[str, Any], hosts: dict[str, str]) -> dict[str, Capacity]:
    """Provider summaries added up by host. A provider that is no hypervisor's is left out."""
    total: dict[str, dict[str, int]] = {}
    used: dict[str, dict[str, int]] = {}
    traits: dict[str, set[str]] = {}
    roots: dict[str, set[str]] = {}
    for uuid, summary in summaries.items():
        root = str(summary.get("root_provider_uuid") or uuid)
        host = hosts.get(root)
        if not host:
            continue
        roots.setdefault(host, set()).add(root)
        traits.setdefault(host, set()).update(summary.get("traits") or ())
        for name, amounts in (summary.get("resources") or {}).items():
            for tally, key in ((total, "capacity"), (used, "used")):
                found = tally.setdefault(host, {})
                found[name] = found.get(name, 0) + int(amounts.get(key) or 0)
    return {
        host: Capacity(
            total.get(host, {}),
            used.get(host, {}),
            frozenset(found),
            providers=tuple(sorted(roots[host])),
        )
        for host, found in traits.items()
    }


def as_largest(hypervisors: Iterable[Hypervisor]) -> dict[str, dict[str, int]]:
    """What one instance can have at most, by host and resource class: what the machine has. The
    summaries of Placement leave its `max_unit` out; libvirt's driver sets it to what the hypervisor
    shows (nova/virt/libvirt/driver.py, `update_provider_tree`), others to less. Of what is not
    shown, nothing is known."""
    found: dict[str, dict[str, int]] = {}
    for one in hypervisors:
        limits = found.setdefault(one.host, {})
        for name, amount in (("VCPU", one.vcpus), ("MEMORY_MB", one.memory_bytes // MIB)):
            if amount > 0:
                limits[name] = max(amount, limits.get(name, 0))
    return found


def as_hosts(services: Iterable[Service], hypervisors: Iterable[Hypervisor]) -> list[HostFacts]:
    """Each service with its hypervisor, or the sum of several."""
    by_host: dict[str, list[Hypervisor]] = {}
    for hypervisor in hypervisors:
        by_host.setdefault(hypervisor.host, []).append(hypervisor)
    return [HostFacts(s, summed(by_host.get(s.host, []))) for s in services]


def as_inventories(raw: dict[str, Any]) -> dict[str, Inventory]:
    return {
        name: Inventory(
            int(one.get("total") or 0),
            int(one.get("reserved") or 0),
            float(one.get("allocation_ratio") or 1.0),
        )
        for name, one in raw.items()
    }


def version_key(text: str) -> tuple[int, ...]:
    """A microversion to compare by; what is none is below all."""
    return tuple(int(part) for part in re.findall(r"\d+", text)) or (0,)


def as_migration(raw: dict[str, Any]) -> Migration:
    return Migration(
        id=int(raw["id"]),
        uuid=str(raw.get("uuid") or ""),
        server_id=str(raw.get("instance_uuid") or ""),
        status=str(raw.get("status") or ""),
        migration_type=str(raw.get("migration_type") or ""),
        source_compute=str(raw.get("source_compute") or ""),
        dest_compute=str(raw.get("dest_compute") or ""),
        created_at=as_time(raw.get("created_at")),
        updated_at=as_time(raw.get("updated_at")),
    )


def as_bytes(value: Any) -> int | None:
    return None if value is None else int(value)


def as_progress(raw: dict[str, Any]) -> Progress:
    return Progress(
        migration_id=int(raw["id"]),
        status=str(raw.get("status") or ""),
        memory_total_bytes=as_bytes(raw.get("memory_total_bytes")),
        memory_processed_bytes=as_bytes(raw.get("memory_processed_bytes")),
        memory_remaining_bytes=as_bytes(raw.get("memory_remaining_bytes")),
        disk_total_bytes=as_bytes(raw.get("disk_total_bytes")),
        disk_processed_bytes=as_bytes(raw.get("disk_processed_bytes")),
        disk_remaining_bytes=as_bytes(raw.get("disk_remaining_bytes")),
        updated_at=as_time(raw.get("updated_at")),
    )


def as_action(raw: dict[str, Any]) -> Action:
    return Action(
        request_id=str(raw.get("request_id") or ""),
        action=str(raw.get("action") or ""),
        user_id=str(raw.get("user_id") or ""),
        started_at=as_time(raw.get("start_time")),
        message=str(raw.get("message") or ""),
    )

"""What a demo cloud is made of: hosts, speeds and intervals.

Kept free of OpenStack imports, so that the launcher and the tests can read it cheaply.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

MIB = 1024**2
GIB = 1024**3

REGION = "RegionOne"

NODE_DOMAIN = "demo.example"
"""Suffix of a node's ``hypervisor_hostname``. It differs from ``service.host`` on purpose: code
that takes the one for the other works in many clouds and fails in the rest; here it fails."""


@dataclasses.dataclass(frozen=True)
class HostSpec:
    """One simulated hypervisor."""

    name: str
    """``service.host``, compared exactly."""
    zone: str
    vcpus: int = 32
    memory_mib: int = 64 * 1024
    disk_gib: int = 2048
    max_concurrent_live_migrations: int | None = None
    """Nova's own limit for this source host; None takes the cloud's."""

    @property
    def node(self) -> str:
        """The node's ``hypervisor_hostname``."""
        return f"{self.name}.{NODE_DOMAIN}"


DEFAULT_HOSTS = (
    HostSpec("cmp1", "az1"),
    HostSpec("cmp2", "az1"),
    HostSpec("cmp3", "az1"),
    HostSpec("cmp10", "az2"),
    HostSpec("cmp11", "az2"),
    HostSpec("cmp12", "az2"),
)

ROLLING_ZONE = "rolling"
"""The availability zone in which `make demo` shows a rolling run to its end."""

ROLLING_HOSTS = tuple(
    # Small ones, half full: what leaves the other hosts finds those emptier, and goes there.
    HostSpec(f"cmp{n}", ROLLING_ZONE, vcpus=8, memory_mib=16 * 1024, disk_gib=512)
    for n in range(21, 27)
)


@dataclasses.dataclass(frozen=True)
class CloudConfig:
    """Everything about a demo cloud that somebody may want to choose."""

    hosts: tuple[HostSpec, ...] = DEFAULT_HOSTS
    max_concurrent_live_migrations: int = 2
    copy_bytes_per_second: int = 400 * MIB
    """How fast memory and disk are copied, each server for itself."""
    progress_interval_seconds: float = 1.0
    """How often bytes are written to the migration record (libvirt's driver: 5 s)."""
    prepare_seconds: float = 0.3
    """How long a migration stays in ``preparing``."""
    force_complete_slowdown: float = 4.0
    """After force complete without post-copy the rest is copied this much slower."""
    report_interval_seconds: int = 3
    """How often a nova-compute says that it is alive (Nova's default: 10)."""
    service_down_seconds: int = 15
    """Silence after which Nova calls a service down (Nova's default: 60)."""
    rpc_response_seconds: int = 60
    """How long a call to a host that doesn't answer is waited for."""
    token_expiration_seconds: int = 4 * 3600
    reclaim_seconds: int = 0
    """How long a deleted server is kept as SOFT_DELETED; 0: it is deleted at once (Nova's
    default). `DemoCloud.delete_server` deletes for good all the same."""

    resources_interval_seconds: int = 0
    """How often a nova-compute counts its resources anew, which it keeps up to date with every
    change anyway; 0: every minute (Nova's default)."""

    def limit_of(self, host: HostSpec) -> int:
        """How many live migrations Nova runs at a time from ``host``."""
        return host.max_concurrent_live_migrations or self.max_concurrent_live_migrations

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_mapping(cls, data: dict) -> CloudConfig:
        """Build a configuration from JSON data; an unknown key is a TypeError."""
        data = dict(data)
        if "hosts" in data:
            data["hosts"] = tuple(HostSpec(**host) for host in data["hosts"])
        return cls(**data)

    @classmethod
    def load(cls, path: Path) -> CloudConfig:
        return cls.from_mapping(json.loads(path.read_text()))


DEMO = CloudConfig(hosts=(*DEFAULT_HOSTS, *ROLLING_HOSTS))
"""That of ``make demo``."""

FAST = CloudConfig(
    copy_bytes_per_second=2 * GIB,
    progress_interval_seconds=0.1,
    prepare_seconds=0.1,
    report_interval_seconds=2,
    service_down_seconds=12,
    rpc_response_seconds=20,
    resources_interval_seconds=600,
)
"""For tests: a server of 512 MiB is copied in a quarter of a second."""

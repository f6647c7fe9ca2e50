"""What Nova told us: frozen values with units, read by `cloud`, judged by `core`.

Field names follow Nova's API; sizes are bytes, times are aware datetimes in UTC. Nova reports
flavor sizes in MiB and GiB; `cloud` converts once, at the edge.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .message import Message

#: nova/compute/power_state.py: the guest runs.
POWER_RUNNING = 1
#: Nova's statuses of a migration that is over (nova/objects/migration.py, and
#: nova/compute/manager.py for `done`, an old name of `completed`).
NOVA_STATUS_OVER = frozenset(
    {"completed", "done", "confirmed", "reverted", "failed", "error", "cancelled"}
)
#: … of a migration that waits for its turn: accepted by the API, or queued on the source.
NOVA_STATUS_WAITING = frozenset({"accepted", "queued"})
#: … of one that occupies the source host's limit of concurrent live migrations.
NOVA_STATUS_RUNNING = frozenset(
    {"preparing", "running", "running (post-copy)", "post-migrating", "pre-migrating", "migrating"}
)
#: … of one whose guest runs at the destination and fetches the rest from the source: it ends.
NOVA_STATUS_POST_COPY = "running (post-copy)"
#: … of one that has copied everything, whatever is still to be done.
NOVA_STATUS_COPIED = NOVA_STATUS_OVER | {"post-migrating"}


@dataclass(frozen=True)
class Service:
    """A nova-compute service, `GET /os-services` (2.53 and later)."""

    id: str  # a UUID; empty where the cell is down (2.69)
    host: str  # service.host: the name that everything is compared by
    zone: str
    state: str  # "up" | "down"; "" where the cell is down
    status: str  # "enabled" | "disabled" | "UNKNOWN" (cell down, 2.69)
    disabled_reason: str = ""
    forced_down: bool = False
    updated_at: datetime | None = None

    @property
    def is_up(self) -> bool:
        return self.state == "up" and not self.forced_down

    @property
    def can_receive(self) -> bool:
        """Whether the scheduler sends instances there."""
        return self.is_up and self.status == "enabled"

    @property
    def is_known(self) -> bool:
        """False where Nova can't reach the cell of this host."""
        return self.status in ("enabled", "disabled") and bool(self.id)


@dataclass(frozen=True)
class Hypervisor:
    """`GET /os-hypervisors/detail`, at most 2.87 (the usage fields end there)."""

    id: str
    hypervisor_hostname: str
    host: str  # service.host
    hypervisor_type: str = ""
    vcpus: int = 0
    vcpus_used: int = 0
    memory_bytes: int = 0
    memory_used_bytes: int = 0
    running_vms: int = 0  # a statistic that is about a minute old

    @property
    def is_bare_metal(self) -> bool:
        """A node of Ironic: the instance is the machine (nova/virt/ironic/driver.py)."""
        return self.hypervisor_type.lower() == "ironic"


@dataclass(frozen=True)
class Machine:
    """What tells that a hypervisor was restarted or upgraded, `GET /os-hypervisors/{id}` (2.88).

    libvirt's driver tells the uptime with each report of its resources, and at its start: it is a
    minute old at most, and told in whole minutes. None: not told, by this driver or this Nova.
    """

    uptime_seconds: int | None = None
    version: int | None = None


@dataclass(frozen=True)
class NetworkAgent:
    """An agent of Neutron's, `GET /v2.0/agents`.

    :param binary: of a host there is one agent of each, whatever its id or type become
    :param kind: its type, e.g. "Open vSwitch agent"
    :param is_alive: Neutron has heard of it within `agent_down_time`, 75 s by default
    :param is_enabled: its admin_state_up; an agent of OVN has always been enabled
    :param heard_at: when Neutron last heard of it
    """

    id: str
    host: str
    binary: str
    kind: str = ""
    is_alive: bool = False
    is_enabled: bool = True
    heard_at: datetime | None = None

    @property
    def is_up(self) -> bool:
        return self.is_alive and self.is_enabled


@dataclass(frozen=True)
class Server:
    """A server as an admin sees it, `GET /servers/detail`."""

    id: str
    name: str
    host: str  # OS-EXT-SRV-ATTR:host; empty while it is not scheduled
    status: str  # ACTIVE, PAUSED, SHUTOFF, …
    vm_state: str
    task_state: str | None
    project_id: str = ""
    user_id: str = ""
    power_state: int = 0
    locked: bool = False
    locked_reason: str = ""
    flavor_name: str = ""
    vcpus: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0  # root, ephemeral and swap of the flavor
    fault_message: str = ""
    created_at: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict, hash=False)
    tags: tuple[str, ...] = ()
    extra_specs: dict[str, str] = field(default_factory=dict, hash=False)  # of its flavor (2.47)
    root_disk_bytes: int = 0  # of the flavor; a server that boots from a volume does not use it
    boots_from_volume: bool | None = None  # None: not known
    zone: str = ""  # the availability zone that it is in now
    # What newer releases tell; None where this one does not.
    pinned_zone: str | None = None  # 2.96; empty: not pinned
    image_properties: dict[str, str] | None = field(default=None, hash=False)  # 2.98

    @property
    def local_disk_bytes(self) -> int:
        """The disk that its flavor gives it on the host itself."""
        return self.disk_bytes - (self.root_disk_bytes if self.boots_from_volume else 0)


@dataclass(frozen=True)
class ServerGroup:
    """`GET /os-server-groups?all_projects=True` (policy and rules: 2.64)."""

    id: str
    name: str
    policy: str  # affinity | anti-affinity | soft-affinity | soft-anti-affinity
    members: tuple[str, ...] = ()  # server ids, of deleted ones too (nova keeps those a while)
    max_per_host: int = 1  # rules.max_server_per_host, of anti-affinity alone
    project_id: str = ""

    @property
    def is_anti_affinity(self) -> bool:
        return self.policy.endswith("anti-affinity")

    @property
    def is_soft(self) -> bool:
        return self.policy.startswith("soft-")


@dataclass(frozen=True)
class Aggregate:
    """`GET /os-aggregates`; one with a zone makes the availability zone of its hosts.

    `metadata` is all of Nova's, `availability_zone` included.
    """

    name: str
    zone: str = ""
    hosts: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict, hash=False)


#: Placement's resource class of processors that may be overcommitted
VCPUS = "VCPU"


@dataclass(frozen=True)
class Capacity:
    """What Placement says of one compute host, its nested providers added up.

    Amounts are in Placement's units: VCPU and PCPU in processors, MEMORY_MB in MiB, DISK_GB in
    GiB. `total` is what may be allocated: (inventory - reserved) x allocation ratio. `largest` is
    what one instance may have at most, however much is free: Placement gives none more than the
    machine has (`max_unit`). `providers` are the compute nodes' own, by UUID.
    """

    total: dict[str, int] = field(default_factory=dict, hash=False)
    used: dict[str, int] = field(default_factory=dict, hash=False)
    traits: frozenset[str] = frozenset()
    bare_metal: bool = False  # its nodes are Ironic's, by Nova: no instance comes or leaves
    providers: tuple[str, ...] = ()
    largest: dict[str, int] = field(default_factory=dict, hash=False)

    def free(self, resource: str) -> int:
        return self.total.get(resource, 0) - self.used.get(resource, 0)

    def room(self, resource: str) -> int:
        """How much of it one instance can get."""
        free = self.free(resource)
        return min(free, self.largest.get(resource, free))


@dataclass(frozen=True)
class HostFacts:
    """One row of the hosts page: the service, the hypervisor where Nova knows one, and what
    Placement says of it, where that is known and it has any memory left."""

    service: Service
    hypervisor: Hypervisor | None = None
    capacity: Capacity | None = None

    @property
    def host(self) -> str:
        return self.service.host


@dataclass(frozen=True)
class Inventory:
    """What a compute host has of one resource class, `GET /resource_providers/{id}/inventories`.

    In Placement's units; (total - reserved) x allocation_ratio may be allocated.
    """

    total: int
    reserved: int = 0
    allocation_ratio: float = 1.0


@dataclass(frozen=True)
class Allocation:
    """What one consumer holds of one resource provider,
    `GET /resource_providers/{id}/allocations` of Placement.

    Nova's consumers are servers and migrations: while a server is being moved, and until a cold
    migration or resize is confirmed, what it holds at the source belongs to the UUID of the
    migration record, and the server's own id holds the destination.
    """

    consumer_id: str
    provider_id: str
    resources: dict[str, int] = field(default_factory=dict, hash=False)  # Placement's units


@dataclass(frozen=True)
class Consumer:
    """Everything that one consumer holds, on any provider, `GET /allocations/{id}` of Placement.

    :param generation: raised by Placement with each change (1.28); None: it holds nothing
    """

    consumer_id: str
    project_id: str = ""
    user_id: str = ""
    generation: int | None = None
    allocations: tuple[Allocation, ...] = ()


@dataclass(frozen=True)
class Diagnostics:
    """What the hypervisor says of a guest, `GET /servers/{id}/diagnostics` (2.48).

    `uptime_seconds` is counted from the server's launch in Nova's database, not by the guest.
    """

    state: str  # pending | running | paused | shutdown | crashed | suspended
    driver: str  # libvirt | vmwareapi | ironic | …
    uptime_seconds: int | None
    hypervisor: str = ""  # kvm | qemu | …


@dataclass(frozen=True)
class Migration:
    """A migration record, `GET /os-migrations` (2.59 and later: newest first, paged)."""

    id: int
    uuid: str
    server_id: str
    status: str
    migration_type: str  # live-migration | migration | resize | evacuation
    source_compute: str
    dest_compute: str
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        return self.status in NOVA_STATUS_OVER


@dataclass(frozen=True)
class Progress:
    """Bytes of a migration in progress, `GET /servers/{id}/migrations` (2.23).

    All None while `preparing` and at the first moments of `running`.
    """

    migration_id: int
    status: str
    memory_total_bytes: int | None = None
    memory_processed_bytes: int | None = None
    memory_remaining_bytes: int | None = None
    disk_total_bytes: int | None = None
    disk_processed_bytes: int | None = None
    disk_remaining_bytes: int | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Action:
    """An instance action, `GET /servers/{id}/os-instance-actions`."""

    request_id: str
    action: str  # live-migration | migrate | reboot | …
    user_id: str
    started_at: datetime | None = None
    message: str = ""


@dataclass(frozen=True)
class Contacts:
    """Whom to tell of what happens to a project's servers.

    :param emails: by project id; empty where none of its users has an address
    :param not_read: ids of the projects whose users could not be read
    :param problem: why, or None
    :param left_out: of how many projects nothing was asked: there are too many
    """

    emails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    not_read: frozenset[str] = frozenset()
    problem: Message | None = None
    left_out: int = 0

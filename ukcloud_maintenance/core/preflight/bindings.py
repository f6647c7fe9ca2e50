"""What binds an instance to its host, as far as flavor and image tell.

Read from Nova 34. Three things refuse at once (nova/compute/api.py): memory encryption and a
vTPM whose secret the host does not keep refuse a live migration, an accelerator refuses a cold
one too. A PCI device is refused in the conductor's check (conductor/tasks/live_migrate.py,
`_check_can_migrate_pci`) unless its alias is `live_migratable`, which the API does not show.
Pinned processors, NUMA, huge pages, real time and persistent memory move since Train and Ussuri;
they only narrow down where to.

Not to be seen without Neutron and one request for each server: SR-IOV and vDPA ports, ports with
accelerators or guaranteed bandwidth, and Manila shares (2.97), which refuse a live migration.
"""

from ..facts import Server
from ..message import message
from .needs import asked
from .verdicts import Caution, Choice, Chosen, Kind, PlacementContext, Said, blocked, way_of

TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})  # oslo.utils' strutils


def accelerator(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """`block_accelerators` of both ways in nova/compute/api.py: 403 whatever its status."""
    if profile := server.extra_specs.get("accel:device_profile"):
        return blocked(message("accelerator", profile=profile))
    return None


def memory_encryption(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """`reject_mem_enc_instances` of live_migrate (AMD SEV and SEV-ES)."""
    if way_of(server, chosen) is not Kind.LIVE:
        return None
    if asked(server, "hw:mem_encryption").lower() in TRUE:
        return blocked(message("memory_encryption"))
    return None


def vtpm(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """`reject_legacy_vtpm_live_migration`: `hw:tpm_secret_security` must be `host`, and every
    nova-compute of the cell at least 33.0.0 (Gazpacho); none before moved it."""
    if not asked(server, "hw:tpm_version"):
        return None
    security = server.extra_specs.get("hw:tpm_secret_security") or "user"
    if way_of(server, chosen) is Kind.COLD:
        if security == "user" and server.status != "SHUTOFF":
            return Caution("vtpm_secret", message("vtpm_secret"))
        return None
    if security == "host":
        return Caution("vtpm", message("vtpm_by_release"))
    return blocked(message("vtpm", security=security))


def pci_device(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if not (alias := server.extra_specs.get("pci_passthrough:alias")):
        return None
    if way_of(server, chosen) is Kind.COLD:
        return Caution("pci_device", message("pci_device_needed", alias=alias))
    if chosen.choice is Choice.LIVE:
        return Caution("pci_device", message("pci_device_by_alias", alias=alias))
    return blocked(message("pci_device", alias=alias))


def vgpu(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """virt/libvirt/driver.py, `_assert_source_can_live_migrate_mdevs`: QEMU 8.1, libvirt 8.6."""
    if way_of(server, chosen) is not Kind.LIVE:
        return None
    if any(key.endswith(":VGPU") for key in server.extra_specs):
        return Caution("vgpu", message("vgpu"))
    return None


def host_shape(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """What NUMATopologyFilter looks at; Placement does not know whether it fits."""
    found = [
        (message("pinned_processors"), asked(server, "hw:cpu_policy") in ("dedicated", "mixed")),
        (message("numa_nodes"), bool(asked(server, "hw:numa_nodes"))),
        (message("huge_pages"), asked(server, "hw:mem_page_size") not in ("", "small")),
        (message("real_time"), asked(server, "hw:cpu_realtime").lower() in TRUE),
        (message("persistent_memory"), bool(server.extra_specs.get("hw:pmem"))),
    ]
    if asks := [name for name, is_asked in found if is_asked]:
        return Caution("host_shape", message("host_shape", asks=asks))
    return None


def local_disk(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """`block_migration: auto`: Nova copies the disk unless the hosts share their storage."""
    if not server.local_disk_bytes:
        return None
    return Caution("local_disk", message("local_disk", size=server.local_disk_bytes))


FILTERS = (accelerator, memory_encryption, vtpm, pci_device, vgpu, host_shape, local_disk)

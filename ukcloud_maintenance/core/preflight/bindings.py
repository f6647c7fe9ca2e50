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
from .needs import asked
from .verdicts import Around, Caution, Choice, Kind, Said, Wishes, blocked, way_of

TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})  # oslo.utils' strutils
SHUT_OFF_FIRST = "Shut it off, or choose cold migration for it."


def accelerator(server: Server, wishes: Wishes, around: Around) -> Said:
    """`block_accelerators` of both ways in nova/compute/api.py: 403 whatever its status."""
    if profile := server.extra_specs.get("accel:device_profile"):
        return blocked(
            "accelerator",
            f"It has an accelerator (device profile {profile}), and Nova migrates those in no way.",
            "Have it rebuilt elsewhere, or let it stay.",
        )
    return None


def memory_encryption(server: Server, wishes: Wishes, around: Around) -> Said:
    """`reject_mem_enc_instances` of live_migrate (AMD SEV and SEV-ES)."""
    if way_of(server, wishes) is not Kind.LIVE:
        return None
    if asked(server, "hw:mem_encryption").lower() in TRUE:
        return blocked(
            "memory_encryption",
            "Its memory is encrypted (SEV), and Nova does not live-migrate it.",
            SHUT_OFF_FIRST,
        )
    return None


def vtpm(server: Server, wishes: Wishes, around: Around) -> Said:
    """`reject_legacy_vtpm_live_migration`: `hw:tpm_secret_security` must be `host`, and every
    nova-compute of the cell at least 33.0.0 (Gazpacho); none before moved it."""
    if not asked(server, "hw:tpm_version"):
        return None
    security = server.extra_specs.get("hw:tpm_secret_security") or "user"
    if way_of(server, wishes) is Kind.COLD:
        if security == "user" and server.status != "SHUTOFF":
            return Caution(
                "vtpm_secret",
                "Only its user can read the secret of its TPM: Nova may not be able to start it"
                " again for an administrator.",
            )
        return None
    if security == "host":
        return Caution(
            "vtpm",
            "It has a TPM: it is live-migrated only where all compute services of its cell are of"
            " 2026.1 or later.",
        )
    return blocked(
        "vtpm",
        f"It has a TPM (secret security {security}), and Nova does not live-migrate it.",
        SHUT_OFF_FIRST,
    )


def pci_device(server: Server, wishes: Wishes, around: Around) -> Said:
    if not (alias := server.extra_specs.get("pci_passthrough:alias")):
        return None
    if way_of(server, wishes) is Kind.COLD:
        return Caution("pci_device", f"It needs a PCI device ({alias}) on its new host too.")
    if wishes.choice is Choice.LIVE:
        return Caution(
            "pci_device",
            f"It has a PCI device ({alias}): Nova refuses unless the alias is live_migratable.",
        )
    return blocked(
        "pci_device",
        f"It has a PCI device ({alias}), and Nova does not live-migrate it unless the alias says"
        " so.",
        "Choose live migration where the alias is live_migratable (2025.1 and later), or cold.",
    )


def vgpu(server: Server, wishes: Wishes, around: Around) -> Said:
    """virt/libvirt/driver.py, `_assert_source_can_live_migrate_mdevs`: QEMU 8.1, libvirt 8.6."""
    if way_of(server, wishes) is not Kind.LIVE:
        return None
    if any(key.endswith(":VGPU") for key in server.extra_specs):
        return Caution(
            "vgpu",
            "It has a virtual GPU: both hosts need QEMU 8.1, libvirt 8.6, a driver that can"
            " migrate it, and the same type free.",
        )
    return None


def host_shape(server: Server, wishes: Wishes, around: Around) -> Said:
    """What NUMATopologyFilter looks at; Placement does not know whether it fits."""
    found = [
        ("pinned processors", asked(server, "hw:cpu_policy") in ("dedicated", "mixed")),
        ("NUMA nodes", bool(asked(server, "hw:numa_nodes"))),
        ("huge pages", asked(server, "hw:mem_page_size") not in ("", "small")),
        ("real time", asked(server, "hw:cpu_realtime").lower() in TRUE),
        ("persistent memory", bool(server.extra_specs.get("hw:pmem"))),
    ]
    if asks := ", ".join(name for name, is_asked in found if is_asked):
        return Caution(
            "host_shape",
            f"It asks for {asks}: Nova looks for a host that has them free in the right place,"
            " which the estimate does not see.",
        )
    return None


def local_disk(server: Server, wishes: Wishes, around: Around) -> Said:
    """`block_migration: auto`: Nova copies the disk unless the hosts share their storage."""
    if not server.local_disk_bytes:
        return None
    size = f"{server.local_disk_bytes / 1024**3:.4g} GiB"
    return Caution(
        "local_disk", f"Its local disk of {size} is copied too, unless the hosts share storage."
    )


FILTERS = (accelerator, memory_encryption, vtpm, pci_device, vgpu, host_shape, local_disk)

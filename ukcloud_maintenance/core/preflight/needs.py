"""What a server asks of a host in Placement's words: resource classes and traits.

As nova/scheduler/utils.py does it (`ResourceRequest.from_request_spec`, Nova 34), as far as
flavor and image tell. What comes of ports (bandwidth, SR-IOV), of device profiles, of PCI in
Placement and of the traits of an image is not seen. Groups with a suffix are added up, though
they may ask for several providers of one host.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..facts import Capacity, Server

GIB = 1024**3
MIB = 1024**2

_SPEC = re.compile(r"(resources|trait)[\w-]*:(\w+)")
#: What flavors ask for that is not seen here: devices, NUMA and page sizes, groups of providers,
#: capabilities, and what aggregates are compared with. Names of image properties have "_" for ":".
_NOT_SEEN = re.compile(
    r"(pci_passthrough|accel|capabilities|aggregate_instance_extra_specs):.+"
    r"|hw:(numa_|pci_numa_|mem_page_size).*|(resources|trait)[\w-]+:.+|[^:]+"
)
_NOT_SEEN_OF_IMAGE = re.compile(r"trait:.+|hw_(numa_|pci_numa_|mem_page_size).*")
_CPUS = re.compile(r"(\^)?(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class Needs:
    """:param resources: amounts by resource class, in Placement's units
    :param required: traits that a host must have
    :param forbidden: traits that it must not have
    """

    resources: Mapping[str, int]
    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()

    def at(self, capacity: Capacity) -> Mapping[str, int]:
        """The amounts as this host is asked for them.

        A host that has no PCPU inventory is asked for VCPU instead (scheduler/manager.py, the
        "fallback" for hosts of before Train), and one whose disk is a shared provider for none.
        """
        wanted = dict(self.resources)
        if "PCPU" in wanted and "PCPU" not in capacity.total:
            wanted["VCPU"] = wanted.get("VCPU", 0) + wanted.pop("PCPU")
        if "DISK_GB" not in capacity.total:
            wanted.pop("DISK_GB", None)
        return wanted

    def missing(self, capacity: Capacity) -> dict[str, int]:
        """How much of what is missing on this host, by resource class; empty where it fits."""
        return {
            name: amount - capacity.room(name)
            for name, amount in self.at(capacity).items()
            if amount > capacity.room(name)
        }


def needs_of(server: Server) -> Needs:
    """What this server needs on its next host."""
    resources: dict[str, int] = {}
    traits: dict[str, set[str]] = {"required": set(), "forbidden": set()}
    for key, value in server.extra_specs.items():
        if not (match := _SPEC.fullmatch(key)):
            continue
        kind, name = match.groups()
        if kind == "trait":
            traits.get(value, set()).add(name)
        elif value.isdecimal():
            resources[name] = resources.get(name, 0) + int(value)
    if version := asked(server, "hw:tpm_version"):
        model = asked(server, "hw:tpm_model").removeprefix("tpm-") or "tis"
        traits["required"] |= {
            f"COMPUTE_SECURITY_TPM_{version.replace('.', '_')}",
            f"COMPUTE_SECURITY_TPM_{model.upper()}",
        }
    if not resources.keys() & {"VCPU", "PCPU"}:
        resources |= _processors(server)
    resources.setdefault("MEMORY_MB", server.memory_bytes // MIB)
    resources.setdefault("DISK_GB", math.ceil(server.local_disk_bytes / GIB))
    return Needs(
        {name: amount for name, amount in resources.items() if amount},
        frozenset(traits["required"]),
        frozenset(traits["forbidden"]),
    )


def is_all_seen(server: Server) -> bool:
    """Whether all that its flavor and its image ask for is seen here, as far as they tell."""
    image = server.image_properties or {}
    return not (
        any(map(_NOT_SEEN.fullmatch, server.extra_specs))
        or any(map(_NOT_SEEN_OF_IMAGE.fullmatch, image))
    )


def asked(server: Server, name: str) -> str:
    """What flavor or image ask for, e.g. `hw:cpu_policy` or `hw_cpu_policy`; or empty."""
    image = server.image_properties or {}
    return server.extra_specs.get(name) or image.get(name.replace(":", "_"), "")


def _processors(server: Server) -> dict[str, int]:
    policy = asked(server, "hw:cpu_policy")
    if policy == "dedicated":
        pinned = server.vcpus
    elif policy == "mixed":
        pinned = _count(
            server.extra_specs.get("hw:cpu_dedicated_mask")
            or asked(server, "hw:cpu_realtime_mask"),
            server.vcpus,
        )
    else:
        return {"VCPU": server.vcpus}
    emulator = server.extra_specs.get("hw:emulator_threads_policy") == "isolate"
    return {"VCPU": server.vcpus - pinned, "PCPU": pinned + emulator}


def _count(mask: str, vcpus: int) -> int:
    """How many processors a mask names, e.g. `2-5,^3`; one of exclusions alone means the rest."""
    named: set[int] = set()
    left_out: set[int] = set()
    for excluded, first, last in _CPUS.findall(mask):
        (left_out if excluded else named).update(range(int(first), int(last or first) + 1))
    return len(((named or set(range(vcpus))) - left_out) & set(range(vcpus))) if mask else 0

"""How much of something is in use.

vCPUs are Placement's everywhere, as they decide about placing: what is allocated, of what may be
allocated, which is what the host has times its allocation ratio.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from ukcloud_maintenance.core.facts import VCPUS, HostFacts

from . import formats


@dataclass(frozen=True)
class Usage:
    """How much of something is in use.

    :param name: of what it is, after the percentage
    """

    used: int
    total: int
    text: str
    name: str

    @property
    def percent(self) -> int:
        return min(100, 100 * self.used // self.total) if self.total > 0 else 0

    @property
    def key(self) -> tuple[float, int]:
        return (self.used / self.total if self.total > 0 else 0, self.used)


def vcpus_title() -> str:
    """The head of a column of vCPUs."""
    return _("vCPUs allocated")


def vcpus_of(facts: HostFacts) -> Usage | None:
    """The vCPUs of a host; None where Placement does not tell."""
    total = facts.capacity.total.get(VCPUS, 0) if facts.capacity else 0
    if not facts.capacity or not facts.hypervisor or total <= 0:
        return None
    used = facts.capacity.used.get(VCPUS, 0)
    return Usage(
        used,
        total,
        _("%(part)s of %(whole)s") % {"part": formats.number(used), "whole": formats.number(total)},
        _("of the vCPUs that may be allocated (%(physical)s physical, with overcommit)")
        % {"physical": formats.number(facts.hypervisor.vcpus)},
    )


def memory_of(facts: HostFacts) -> Usage | None:
    """The memory of a host by its hypervisor; None where Nova knows none."""
    found = facts.hypervisor
    if not found:
        return None
    return Usage(
        found.memory_used_bytes,
        found.memory_bytes,
        formats.size_of(found.memory_used_bytes, found.memory_bytes),
        _("memory in use"),
    )

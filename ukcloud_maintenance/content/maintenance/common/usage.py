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
    """How much of something is in use; a list of a thousand is put into words where it is shown."""

    used: int
    total: int

    @property
    def text(self) -> str:
        return _("%(part)s of %(whole)s") % {
            "part": formats.number(self.used),
            "whole": formats.number(self.total),
        }

    @property
    def name(self) -> str:
        """Of what it is, after the percentage."""
        raise NotImplementedError

    @property
    def percent(self) -> int:
        return min(100, 100 * self.used // self.total) if self.total > 0 else 0

    @property
    def key(self) -> tuple[float, int]:
        return (self.used / self.total if self.total > 0 else 0, self.used)


@dataclass(frozen=True)
class Vcpus(Usage):
    physical: int

    @property
    def name(self) -> str:
        words = _("of the vCPUs that may be allocated (%(physical)s physical, with overcommit)")
        return words % {"physical": formats.number(self.physical)}


@dataclass(frozen=True)
class Memory(Usage):
    """In bytes."""

    @property
    def text(self) -> str:
        return formats.size_of(self.used, self.total)

    @property
    def name(self) -> str:
        return _("memory in use")


def vcpus_title() -> str:
    """The head of a column of vCPUs."""
    return _("vCPUs allocated")


def vcpus_of(facts: HostFacts) -> Usage | None:
    """The vCPUs of a host; None where Placement does not tell."""
    total = facts.capacity.total.get(VCPUS, 0) if facts.capacity else 0
    if not facts.capacity or not facts.hypervisor or total <= 0:
        return None
    return Vcpus(facts.capacity.used.get(VCPUS, 0), total, facts.hypervisor.vcpus)


def memory_of(facts: HostFacts) -> Usage | None:
    """The memory of a host by its hypervisor; None where Nova knows none."""
    found = facts.hypervisor
    return Memory(found.memory_used_bytes, found.memory_bytes) if found else None

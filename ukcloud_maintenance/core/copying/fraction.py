"""Bytes into a fraction and a rate. Pure; sizes are bytes, times are seconds.

What libvirt really reports (measured): nothing while preparing, then perhaps a sample of 0/0/0;
`remaining` goes up and down while the guest writes; `processed` can exceed the total; with block
migration the disk comes first and the memory after it. So the fraction is taken from what remains,
never falls within an attempt, and is never whole before the instance has arrived.
"""

from dataclasses import dataclass
from typing import Protocol

#: The bar of a migration that Nova still runs stops short of its end.
NEARLY = 0.99
#: Weight of the newest sample in the smoothed rate.
SMOOTHING = 0.5


@dataclass(frozen=True)
class Sample:
    """What is left and what was sent, all in bytes; None where Nova tells nothing."""

    memory_total: int | None = None
    memory_processed: int | None = None
    memory_remaining: int | None = None
    disk_total: int | None = None
    disk_processed: int | None = None
    disk_remaining: int | None = None

    @property
    def is_empty(self) -> bool:
        return not self.memory_total and not self.disk_total

    @property
    def processed(self) -> int:
        return (self.memory_processed or 0) + (self.disk_processed or 0)


def fraction(sample: Sample, flavor_memory: int, before: float | None) -> float | None:
    """How much of the copy is done, from 0 to :data:`NEARLY`; None before the first sample.

    :param flavor_memory: memory of the flavor in bytes, which stands in for the total while
        the disk is copied and the memory's turn has not come
    :param before: the fraction before this sample: the bar never goes back
    """
    if sample.is_empty:
        return before
    disk_total = sample.disk_total or 0
    disk_left = min(sample.disk_remaining or 0, disk_total)
    if sample.memory_total:
        memory_total = sample.memory_total
        memory_left = min(sample.memory_remaining or 0, memory_total)
    else:
        memory_total = memory_left = flavor_memory
    total = disk_total + memory_total
    if not total:
        return before
    now = min(1 - (disk_left + memory_left) / total, NEARLY)
    return max(now, before or 0.0, 0.0)


def rate(
    sample: Sample, earlier: Sample | None, seconds: float, before: float | None
) -> float | None:
    """Bytes a second, smoothed; `before` where two samples tell nothing new.

    :param earlier: the sample before, of the same attempt
    :param seconds: the time between the two
    """
    if earlier is None or seconds <= 0:
        return before
    sent = sample.processed - earlier.processed
    if sent <= 0:
        return before
    newest = sent / seconds
    return newest if before is None else SMOOTHING * newest + (1 - SMOOTHING) * before


class CopyLike(Protocol):
    """The part of an attempt that is looked at; see models.Attempt."""

    # read-only, so that frozen values fit
    @property
    def memory_remaining_bytes(self) -> int | None: ...
    @property
    def disk_remaining_bytes(self) -> int | None: ...
    @property
    def pass_bytes(self) -> int | None: ...
    @property
    def fraction(self) -> float | None: ...


def remaining(copy: CopyLike) -> int | None:
    """Bytes that are left, as Nova told last; None where it told nothing."""
    told = [copy.memory_remaining_bytes, copy.disk_remaining_bytes]
    if all(value is None for value in told):
        return None
    return sum(max(0, value or 0) for value in told)


def of_pass(copy: CopyLike) -> float | None:
    """How much is done of the pass that is copied now, and of all of it in the first one: what is
    copied as a whole stays at its end for as long as the guest's writes are copied again."""
    left = remaining(copy)
    if not copy.pass_bytes or left is None:
        return copy.fraction
    return min(1.0, max(0.0, 1 - left / copy.pass_bytes))

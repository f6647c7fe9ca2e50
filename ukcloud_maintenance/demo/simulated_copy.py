"""How the memory and the disk of one guest are copied, in bytes over time; nothing of Nova."""

from __future__ import annotations

import threading
import time

from .behaviours import Play
from .config import CloudConfig


class Copy:
    """One live migration in progress, as far as bytes are concerned."""

    def __init__(self, play: Play, memory_bytes: int, disk_bytes: int, config: CloudConfig) -> None:
        self.play = play
        self._slowdown = config.force_complete_slowdown
        self.memory_bytes = memory_bytes
        self.disk_bytes = disk_bytes if "disk-first" in play else 0
        self.rate = play.number("rate", config.copy_bytes_per_second)
        self.sent = 0.0
        """Bytes on the wire so far, memory and (scaled to the time of the memory) disk."""
        self.wake = threading.Event()
        self.abort_asked = False
        self.force_asked = False
        self.forced_from: float | None = None
        self.samples = 0
        self.started = time.monotonic()

    # What the guest makes dirty again after each pass, as fractions of its memory.
    BOUNCES = (1.0, 0.6, 0.35)
    ENDLESS = (0.4, 0.1)

    @property
    def work(self) -> float:
        """All that has to be sent until the copy is complete; infinite where it never ends."""
        if self.forced_from is not None:
            return self.forced_from + self._remaining_at(self.forced_from)
        if "never-converges" in self.play:
            return float("inf")
        passes = sum(self.BOUNCES) if "bouncing" in self.play else 1.0
        return self.memory_bytes * passes + self._disk_work

    @property
    def _disk_work(self) -> float:
        return float(self.memory_bytes) if self.disk_bytes else 0.0

    @property
    def complete(self) -> bool:
        return self.sent >= self.work

    @property
    def limit(self) -> float:
        """Where the copy stops although it isn't complete (``stall``)."""
        if "stall" in self.play:
            return self.sent_at(self.play.number("at", 0.5))
        return float("inf")

    def advance(self, seconds: float) -> None:
        self.sent = min(self.sent + seconds * self._rate_now, self.work, self.limit)

    def seconds_until(self, sent: float) -> float:
        """How long it takes, at the rate of this moment, until so many bytes are on the wire."""
        return (sent - self.sent) / self._rate_now

    @property
    def _rate_now(self) -> float:
        return self.rate if self.forced_from is None else self.rate / self._slowdown

    def force(self) -> None:
        """Pause the guest: nothing gets dirty from then on, the rest is copied more slowly."""
        if self.forced_from is None:
            self.forced_from = self.sent

    def sent_at(self, fraction: float) -> float:
        """The bytes on the wire when that fraction of the memory is copied, as ``at`` counts it."""
        return self._disk_work + fraction * self.memory_bytes

    @property
    def fraction(self) -> float:
        """Of the memory, as ``at`` counts it."""
        return max(self.sent - self._disk_work, 0.0) / self.memory_bytes

    def _remaining_at(self, sent: float) -> float:
        memory = max(sent - self._disk_work, 0.0)
        total = self.memory_bytes
        if "bouncing" in self.play:
            for share in self.BOUNCES:
                if memory <= share * total:
                    return share * total - memory
                memory -= share * total
            return 0.0
        if "never-converges" in self.play and memory > total:
            high, low = self.ENDLESS
            return (high - (memory / total) % (high - low)) * total
        if "never-converges" in self.play:
            return total - memory * (1 - self.ENDLESS[1])
        return max(total - memory, 0.0)

    def sample(self) -> dict[str, int]:
        """The byte fields of the migration record, as libvirt's job statistics have them."""
        first = not self.samples
        self.samples += 1
        values = {
            f"{kind}_{what}": 0
            for kind in ("memory", "disk")
            for what in ("total", "processed", "remaining")
        }
        early = time.monotonic() - self.started < self.play.number("seconds", 0)
        if "early-zero" in self.play and (first or early):
            return values
        if self.disk_bytes:
            disk = min(self.sent / self._disk_work, 1.0) * self.disk_bytes
            values["disk_total"] = self.disk_bytes
            values["disk_processed"] = int(disk)
            values["disk_remaining"] = self.disk_bytes - int(disk)
            if self.sent < self._disk_work:
                return values
        memory = max(self.sent - self._disk_work, 0.0)
        if self.forced_from is None:
            remaining = self._remaining_at(self.sent)
        else:
            remaining = max(self.work - self.sent, 0.0)
        factor = 1.6 if "overshoot" in self.play else 1.0
        values["memory_total"] = self.memory_bytes
        values["memory_processed"] = int(memory * factor)
        values["memory_remaining"] = int(remaining)
        return values

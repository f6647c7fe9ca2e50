"""The heartbeat of a guest, read from its serial console."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from .cloud import LibvirtCloud


@dataclass
class Heart:
    """How far it had come at some moment, to be compared with later."""

    cloud: LibvirtCloud
    server: str
    number: int
    up: float

    @classmethod
    def of(cls, cloud: LibvirtCloud, server: str, host: str) -> Heart:
        number, up = cloud.beats(server, host)[-1]
        return cls(cloud, server, number, up)

    def goes_on(self, host: str) -> None:
        """It beats on ``host`` and nowhere else, and it is the heart that it was: it counts on
        without a gap, and its uptime was not reset.

        A guest that QEMU emulates is at times silent for minutes after it was moved on a busy
        machine: its clock stands until it has caught up, and its timers with it. That is QEMU's
        doing and is told as a warning; libvirt must say that it runs there and nowhere else.
        """
        beats_at = self.cloud.pulse(self.server)
        if beats_at is None:
            where = self.cloud.where(self.server)
            assert [name for name, state in where.items() if state == "running"] == [host]
            last = self.cloud.beats(self.server, host)[-1:]
            warnings.warn(f"{self.server} is silent on {host} since {last}", stacklevel=2)
            return
        assert beats_at == host
        beats = self.cloud.beats(self.server, host)
        numbers = [number for number, _ in beats]
        # The console's file is written by QEMU, which drops a line where it is paused in it.
        assert numbers == sorted(set(numbers)), f"it was started anew: {numbers}"
        number, up = beats[-1]
        assert number > self.number, f"heartbeat {number} after {self.number}"
        # Its clock may go back by seconds where the processor that emulates it was busy: seen 7 s.
        assert up > self.up - 30, f"up {up} s after {self.up} s"

"""One live migration at its source, from the start of the copy to its end."""

from __future__ import annotations

import time
from collections.abc import Callable

from nova.compute import power_state

from .hypervisors import ComputeProcess
from .simulated_copy import Copy


class SimulatedFailure(Exception):
    """A failure that somebody requested in a server's metadata."""


class LiveMigration:
    """Plays what a copy's ``play`` says, and writes of it what libvirt's driver would.

    :param instance: Nova's instance, whose ``progress`` is written
    :param migration: Nova's record, whose bytes and status are written
    :param process: the nova-compute that it dies and freezes with
    :param set_state: sets the guest's power state
    :param interval: seconds between two reports of bytes
    """

    def __init__(
        self,
        copy: Copy,
        instance,
        migration,
        process: ComputeProcess,
        set_state: Callable[[int], None],
        interval: float,
    ) -> None:
        self.copy = copy
        self._instance = instance
        self._migration = migration
        self._process = process
        self._set_state = set_state
        self._interval = interval

    def abort(self) -> None:
        self.copy.abort_asked = True
        self.copy.wake.set()

    def force_complete(self) -> None:
        self.copy.force_asked = True
        self.copy.wake.set()

    def run(self) -> str:
        """Copy until the end: ``copied``, ``failed`` (to be rolled back) or ``cancelled``."""
        copy, play = self.copy, self.copy.play
        started = last = time.monotonic()
        silence = min(0.5, self._interval / 2)
        if "null-bytes" in play:
            silence = play.number("seconds", 3)
            self._process.sleep(silence, unless=lambda: copy.abort_asked)
            last = time.monotonic()
            silence = 0
        next_sample = last + silence
        switch = play.number("at", 0.5)
        while True:
            if not (copy.complete or copy.abort_asked or copy.force_asked):
                copy.wake.wait(self._pause(next_sample))
            copy.wake.clear()
            self._process.stay_alive()
            now = time.monotonic()
            copy.advance(now - last)
            last = now

            if copy.abort_asked and "stuck-running" not in play:
                return "cancelled"
            if "timeout" in play.parameters and now - started > play.number("timeout", 0):
                return "cancelled"
            if "rollback" in play and copy.fraction >= switch:
                return "failed"
            if "error-in-copy" in play and copy.fraction >= switch:
                raise SimulatedFailure("operation failed: migration job: unexpectedly failed")
            by_itself = "at" in play.parameters and copy.fraction >= switch
            if "post-copy" in play and (copy.force_asked or by_itself):
                self._post_copy()
                return "copied"
            if copy.force_asked and not play.names & {"stall", "stuck-running"}:
                copy.force()
                self._set_state(power_state.PAUSED)
            copy.force_asked = False

            if now >= next_sample:
                self._report(copy.sample())
                next_sample = now + self._interval
            if copy.complete:
                if "stuck-running" not in play:
                    if copy.forced_from is not None:
                        self._set_state(power_state.RUNNING)
                    return "copied"
                copy.abort_asked = False
                copy.wake.wait(1)

    def _pause(self, next_sample: float) -> float:
        """Seconds until there is something to look at."""
        copy = self.copy
        targets = [copy.work]
        if copy.play.names & {"rollback", "error-in-copy", "post-copy"}:
            switch = copy.sent_at(copy.play.number("at", 0.5))
            if copy.sent < switch:
                targets.append(switch)
        until_target = copy.seconds_until(min(targets))
        until_sample = next_sample - time.monotonic()
        return max(min(until_target, until_sample, 1.0), 0.005)

    def _post_copy(self) -> None:
        self._migration.status = "running (post-copy)"
        self._migration.save()
        self._process.sleep(self.copy.play.number("seconds", 3))

    def _report(self, sample: dict[str, int]) -> None:
        """What libvirt's driver writes at each interval."""
        for field, value in sample.items():
            setattr(self._migration, field, value)
        self._migration.save()
        total = sample["memory_total"] + sample["disk_total"]
        remaining = sample["memory_remaining"] + sample["disk_remaining"]
        self._instance.progress = 100 - round(100 * remaining / total) if total else 0
        self._instance.save()

"""What the simulated hosts of one cloud share, and what outlives their nova-computes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .config import CloudConfig, HostSpec

if TYPE_CHECKING:
    from .simulated_guests import SimulatedGuests


class Hypervisors:
    """The hypervisors of a cloud, with the guests that really run on them."""

    def __init__(self, config: CloudConfig) -> None:
        self.config = config
        self.drivers: dict[str, SimulatedGuests] = {}
        """Host -> the driver of its newest nova-compute, which has the guests."""
        self.frozen: set[str] = set()
        """Hosts that say nothing, read nothing and copy nothing."""
        self.booted: dict[str, float] = {}
        """When the machines were started, by the monotonic clock, of those that were meanwhile."""
        self.alone: dict[str, threading.Event] = {}
        """Copies that libvirt goes on with although their nova-compute is gone: server id -> set
        to abort."""

    def spec(self, host: str) -> HostSpec:
        return next(spec for spec in self.config.hosts if spec.name == host)

    def guests(self) -> dict[str, list[str]]:
        """Where the guests are: server id -> hosts (two after a cold migration that is not
        confirmed yet)."""
        where: dict[str, list[str]] = {}
        for host, driver in self.drivers.items():
            for server in driver.list_instance_uuids():
                where.setdefault(server, []).append(host)
        return where

    def go_on_alone(self, instance, source: str, dest: str, seconds: float) -> None:
        """libvirt's own daemon copies on, unless it is told to stop."""
        aborted = self.alone[instance.uuid] = threading.Event()

        def finish() -> None:
            if not aborted.wait(seconds):
                self.drivers[source].hand_guest_over(instance, dest)
            self.alone.pop(instance.uuid, None)

        threading.Thread(target=finish, name=f"alone-{instance.uuid}", daemon=True).start()


class ProcessGone(BaseException):
    """Ends a copy's thread as the death of its process would: without any handler of Nova's
    (they catch ``Exception``) writing anything."""


class ComputeProcess:
    """The life of one nova-compute, as its threads notice it."""

    def __init__(self, frozen: Callable[[], bool]) -> None:
        self._frozen = frozen
        self.gone = threading.Event()
        """Set when it was stopped or killed."""

    def stay_alive(self) -> None:
        """Die with the process; stand still while it is frozen."""
        while self._frozen() and not self.gone.is_set():
            self.gone.wait(0.1)
        if self.gone.is_set():
            raise ProcessGone

    def sleep(self, seconds: float, unless: Callable[[], bool] = lambda: False) -> None:
        """As `stay_alive`, for so long, or until ``unless`` is true."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not unless():
            self.gone.wait(min(left, 0.1))
            self.stay_alive()

"""Keeps the inventory of a region's hypervisors, a page of Nova's list at a time.

It has a thread of its own, takes none of the places of passes, and lets a drain's pass go first. A
round over the list costs Nova what one look at the whole list does, and takes `ROUND_SECONDS`, or
twice as long as Nova takes for it.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from .. import settings, store
from ..cloud import Cloud
from ..core.facts import Capacity
from ..exceptions import CloudAuthError, CloudBadRequest, CloudError, MaintenanceError, PassOver
from ..log import LOG, log_event
from .housekeeping import DATABASE_LOST, DatabaseOutage, close_connections
from .passes import Clouds

#: A round takes so long, in seconds, so that no page grows older than a minute; the first one as
#: long as Nova takes.
ROUND_SECONDS = 45.0
#: A step waits for drains' passes for so many seconds at most.
YIELDS = 1.0
#: Pause after a failure, in seconds; it doubles with each further one, up to …
AFTER_FAILURE = 5.0
AFTER_FAILURE_MAX = 60.0
#: What another worker keeps, or is not due, is looked at again after so many seconds.
LOOK_AGAIN = 5.0


class InventoryKeeper:
    """Reads the next page of a region's hypervisors when it is due.

    :param worker: the worker's name
    :param region: as the settings name it
    :param is_busy: whether a drain's pass is in progress
    """

    def __init__(
        self,
        worker: str,
        region: str,
        clouds: Clouds,
        database: DatabaseOutage,
        is_busy: Callable[[], bool],
        stopping: threading.Event,
    ):
        self.worker = worker
        self.region = region
        self.clouds = clouds
        self.database = database
        self.is_busy = is_busy
        self.stopping = stopping
        self._cloud: Cloud | None = None
        #: how often in a row it failed
        self._failures = 0

    def run(self) -> None:
        """Until the worker is told to stop."""
        while not self.stopping.is_set():
            self.stopping.wait(self.attend())
        close_connections()

    def stop(self) -> None:
        """Break off what is being read."""
        if self._cloud is not None:
            self._cloud.stop()

    def attend(self) -> float:
        """One step, if it is due; the seconds until the next look. Whatever goes wrong costs
        nobody but the pages: they read for themselves, then."""
        try:
            pause = self.step()
        except PassOver:
            return LOOK_AGAIN
        except DATABASE_LOST as error:
            self.database.is_down(error)
            close_connections()
            return AFTER_FAILURE_MAX
        except MaintenanceError as error:
            if self._failures == 0:
                said = getattr(error, "said", error)
                log_event(logging.WARNING, "no_inventory", region=self.region, detail=said)
            if isinstance(error, CloudAuthError):
                self.clouds.forget(self.region)
        except Exception:
            LOG.exception("bug inventory region=%s", self.region)
        else:
            self._failures = 0
            return pause
        self._failures += 1
        return min(AFTER_FAILURE * 2 ** (self._failures - 1), AFTER_FAILURE_MAX)

    def step(self) -> float:
        """Read and keep the next page, if it is due; the seconds until the next look.

        :raises MaintenanceError: OpenStack cannot be asked, or does not answer
        """
        lease = settings.current().lease_seconds
        self._cloud = cloud = self.clouds.of(self.region).within(lease)
        if self.stopping.is_set():
            cloud.stop()  # told to before there was anything to be told
        head = store.claim_inventory(cloud.find_region(), self.worker, store.now(), lease)
        if head is None:
            return LOOK_AGAIN
        pause = AFTER_FAILURE
        try:
            self._let_drains_go_first()
            pause = self._read(cloud, head)
        finally:
            at = store.now() + timedelta(seconds=pause)
            store.release_inventory(head, self.worker, at)
        if head.number == 0:
            store.forget_inventories(store.now())
        return pause

    def _let_drains_go_first(self) -> None:
        until = time.monotonic() + YIELDS
        while self.is_busy() and time.monotonic() < until and not self.stopping.is_set():
            self.stopping.wait(0.1)

    def _read(self, cloud: Cloud, head: store.Inventory) -> float:
        """The next page; the seconds until the one after it. Nova rests as long as it took."""
        began = time.monotonic()
        if not head.marker:
            hosts = [service.host for service in cloud.services()]
            store.begin_round(head, self.worker, hosts)
        read_at = store.now()
        try:
            found = cloud.hypervisors_after(head.marker)
        except CloudBadRequest:
            # the hypervisor that the last page ended with is gone
            store.restart_round(head, self.worker)
            return AFTER_FAILURE
        capacity = None if found else self._capacity(cloud, head)
        store.keep_page(head, self.worker, found, read_at, capacity)
        took = time.monotonic() - began
        if head.complete_at is None:
            return took
        return max(ROUND_SECONDS / (head.pages + 1) - took, took)

    @staticmethod
    def _capacity(cloud: Cloud, head: store.Inventory) -> Mapping[str, Capacity] | None:
        """At the end of a round; None: Placement does not tell, and no vCPUs are shown. One
        request."""
        try:
            return cloud.capacity(store.listed(head))
        except CloudError as error:
            log_event(logging.WARNING, "no_capacity", region=head.region, detail=error.said)
            return None

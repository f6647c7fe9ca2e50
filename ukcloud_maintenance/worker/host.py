"""One pass over the maintenance of one host: observe, decide, apply.

While a host is in maintenance and no drain of it is in progress, it is verified again and again
that it is safe to power off (`core.certificate`): some eight requests, and one for each server that
an unfinished migration or an allocation names. When it is returned to service, its service is
enabled, and waited for (`core.hosts`): one request a pass. As with drains, the intent is recorded
before Nova is asked, so that a process that dies between any two instructions loses nothing.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from .. import settings, store
from ..cloud import Cloud
from ..core.facts import Service
from ..core.host import certificate as c
from ..core.host import returning as h
from ..core.host import unverified as u
from ..core.message import Message, holds, message
from ..exceptions import CloudError, CloudNotFound, StaleState
from ..log import log_event
from ..observe.host import look_at_host
from ..observe.views import host_view, return_limits
from ..store import HostMaintenance
from .asking import INTENT_GOES_STALE, may_be_ours


@dataclass(frozen=True)
class HostOutcome:
    """How a pass went.

    :param pause_seconds: when the host is due again
    :param problem: what keeps the worker from its work, or None
    :param reconnect: clouds.yaml is to be read anew, because the problem may be in it
    """

    pause_seconds: float
    problem: Message | None = None
    reconnect: bool = False


class HostReconciler:
    """Works on hosts in maintenance of one region.

    :param cloud: the region, logged in as the worker
    :param worker: the worker's name: the actor of its events
    :param clock: tells the time, aware and in UTC
    :param alive: called between the steps of a pass, so that a long one is not taken for dead
    """

    def __init__(
        self,
        cloud: Cloud,
        worker: str,
        clock: Callable[[], datetime],
        alive: Callable[[HostMaintenance], None] = lambda maintenance: None,
    ):
        self.cloud = cloud
        self.worker = worker
        self.clock = clock
        self.alive = alive

    def run(self, maintenance: HostMaintenance) -> HostOutcome:
        """One pass. An OpenStack that does not answer is an outcome; a bug is raised."""
        try:
            if store.set_back_host(maintenance, self.clock()):
                log_event(logging.WARNING, "clock_set_back", host=maintenance.host)
            if maintenance.returning_since:
                return self._return_to_service(maintenance)
            return self._verify(maintenance)
        except StaleState as error:
            # Somebody else got there first; what was found out is void.
            log_event(logging.INFO, "overtaken", host=maintenance.host, detail=error)
            return HostOutcome(settings.current().poll_seconds)

    # -- safe to power off -------------------------------------------------------------------

    def _verify(self, maintenance: HostMaintenance) -> HostOutcome:
        pause = settings.current().verify_seconds
        looked_at = self.clock()
        try:
            sight = look_at_host(self.cloud, maintenance, lambda: self.alive(maintenance))
        except CloudError as error:
            return self._in_trouble(maintenance, error, pause)
        checks = c.certify(sight)
        safe = c.is_safe(checks)
        was_safe = maintenance.safe_since is not None
        why = None if safe else h.why_withdrawn(checks, sight.after, maintenance.verified_at)
        store.verified(
            maintenance,
            checks=c.as_json(checks),
            safe=safe,
            why=why,
            looked_at=looked_at,
            actor=self.worker,
            now=self.clock(),
            clear_message=holds(maintenance.message, *h.TROUBLES),
        )
        is_safe = maintenance.safe_since is not None
        if is_safe and not was_safe:
            log_event(logging.INFO, "safe_to_power_off", host=maintenance.host)
        elif was_safe and not is_safe:
            log_event(logging.WARNING, "safe_withdrawn", host=maintenance.host, detail=why)
        if maintenance.verified_at is None:
            # the clock was set back while it was looked
            return HostOutcome(settings.current().poll_seconds)
        return HostOutcome(pause)

    # -- back to service ---------------------------------------------------------------------

    def _return_to_service(self, maintenance: HostMaintenance) -> HostOutcome:
        service: Service | None = None
        try:
            service = self.cloud.service(maintenance.host)
        except CloudError as error:
            return self._in_trouble(maintenance, error, settings.current().idle_seconds)
        looked = time.monotonic()
        step = h.decide_return(host_view(maintenance), service, return_limits(), self.clock())
        if isinstance(step, h.Enable):
            try:
                self._enable(maintenance, step.service_id, looked)
            except CloudNotFound:
                return HostOutcome(
                    settings.current().poll_seconds
                )  # the next look tells that it is gone
            except CloudError as error:
                return self._in_trouble(maintenance, error, settings.current().idle_seconds)
            return HostOutcome(settings.current().poll_seconds)
        _apply(maintenance, step, self.worker, self.clock())
        waits = isinstance(step, h.Wait)
        return HostOutcome(
            settings.current().idle_seconds if waits else settings.current().poll_seconds
        )

    def _enable(self, maintenance: HostMaintenance, service_id: str, looked: float) -> None:
        """Record the intent, ask Nova, record the answer."""
        store.intend_to_enable(maintenance, self.clock())
        if time.monotonic() - looked > INTENT_GOES_STALE:
            return  # stopped in between: what was seen may no longer be so
        asked = time.monotonic()
        request_id = self.cloud.enable_service(service_id)
        if time.monotonic() - asked > settings.current().lease_seconds:
            self.alive(maintenance)  # this process was stopped: is the host ours still?
        said = message("waits_until_up")
        store.enabled(maintenance, said, self.worker, request_id, self.clock())
        log_event(logging.INFO, "service_enabled", host=maintenance.host, request_id=request_id)

    def _in_trouble(
        self, maintenance: HostMaintenance, error: CloudError, pause: float
    ) -> HostOutcome:
        in_trouble(maintenance, error.trouble, self.worker, self.clock())
        pause = max(pause, error.retry_after or 0)
        return HostOutcome(pause, error.said, may_be_ours(error))


def in_trouble(maintenance: HostMaintenance, trouble: Message, worker: str, now: datetime) -> None:
    """Say of a host what keeps its passes from their work; what that means for its certificate, or
    for its return to service, after a bounded wait.

    :param trouble: of one of the codes of `core.host.returning.TROUBLES`
    :raises StaleState: somebody else changed the maintenance meanwhile
    """
    log_event(logging.WARNING, "in_trouble", host=maintenance.host, detail=trouble)
    if maintenance.returning_since:
        step = h.cloud_is_lost(host_view(maintenance), return_limits(), trouble, now)
        _apply(maintenance, step, worker, now)
    else:
        _cannot_verify(maintenance, trouble, worker, now)


def _cannot_verify(
    maintenance: HostMaintenance, trouble: Message, worker: str, now: datetime
) -> None:
    known = u.Standing(maintenance.message, maintenance.safe_since, maintenance.verified_at)
    found = u.cannot_verify(known, trouble, settings.current().certificate_seconds, now)
    if found.message is not None:
        store.change_maintenance(maintenance, now, message=found.message)
    if found.withdrawn is not None:
        store.withdraw(maintenance, found.withdrawn, worker, now)
        log_event(logging.WARNING, "safe_withdrawn", host=maintenance.host, detail=found.withdrawn)


def _apply(maintenance: HostMaintenance, step: h.Step, worker: str, now: datetime) -> None:
    match step:
        case h.MarkEnabled():
            store.enabled(maintenance, step.message, worker, "", now)
        case h.Wait():
            if maintenance.message != step.message:
                store.change_maintenance(maintenance, now, message=step.message)
        case h.Close():
            store.finish_return(maintenance, step.result, step.message, worker, now)
            log_event(
                logging.INFO,
                "host_returned",
                host=maintenance.host,
                result=step.result.value,
                detail=step.message,
            )
        case h.GiveUp():
            store.give_up_return(maintenance, step.message, worker, now)
            log_event(logging.WARNING, "return_refused", host=maintenance.host, detail=step.message)

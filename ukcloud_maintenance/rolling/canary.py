"""Canaries: built on a host that is about to be returned, looked at, and deleted.

A host whose service is disabled takes no server, not even one that names it: the scheduler asks
Placement for hosts without the trait of disabled ones alone. So the trait is taken away for as long
as Nova chooses the host, while the service stays disabled, which keeps everybody else's servers
out (nova/scheduler/filters/compute_filter.py). Each step is recorded before it is made: a worker
that dies at any instruction leaves what the next pass finds, by the canary's name.
"""

import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from .. import settings, store
from ..cloud import Cloud
from ..core.facts import Server, Service
from ..core.message import Message, message
from ..core.run import canary as c
from ..exceptions import CloudError, CloudNotFound
from ..log import log_event
from ..store import Run, RunHost
from .acting import of
from .views import maintenance_of

#: As `acting.INTENT_GOES_STALE`.
INTENT_GOES_STALE = 20.0
#: How long one that cannot be deleted is waited for, at least, in seconds.
DELETE_SECONDS = 60.0


class Canaries:
    """Builds and follows canaries, for one worker.

    :param worker: its name: the actor of its events
    :param clock: tells the time, aware and in UTC
    """

    def __init__(self, cloud: Cloud, worker: str, clock: Callable[[], datetime]):
        self.cloud = cloud
        self.worker = worker
        self.clock = clock

    def follow(self, run: Run, row: RunHost) -> Message | None:
        """One step on the way of the canary of a host; what is waited for, or None: the host may
        go on, without a canary or with one that cannot be deleted.

        :raises CloudError: OpenStack does not answer
        :raises StaleState: somebody else got there first
        """
        one = c.restored(row.before.get("canary"))
        if one is None or one.is_gone:
            return None
        if one.is_overdue(max(self._seconds, DELETE_SECONDS), self.clock()):
            with contextlib.suppress(CloudError):
                self._step(run, row, one)
            return None
        return self._step(run, row, one)

    def standing_against(
        self, run: Run, row: RunHost, service: Service | None
    ) -> tuple[Message | None, bool]:
        """What the canary of a host tells against it, and whether it is known by now; one is
        built where there is none. None: nothing.

        :raises CloudError: OpenStack does not answer
        :raises StaleState: somebody else got there first
        """
        one = c.restored(row.before.get("canary"))
        if one is not None and not one.is_gone:
            return message(c.LEFT, host=row.host, server=one.server or one.name), True
        is_over = one is not None and one.settled == row.since.isoformat()
        if one is not None and is_over and not one.asks_for_another:
            return (None if one.is_fine else one.verdict), True
        return self._build(run, row, service, one, one.tries + 1 if one and is_over else 1)

    def _build(
        self, run: Run, row: RunHost, service: Service | None, earlier: c.Canary | None, tries: int
    ) -> tuple[Message | None, bool]:
        wanted = settings.current().canary
        if wanted is None:
            return message("run_canary_not_set"), True
        began, now = time.monotonic(), self.clock()
        nodes = self.cloud.hypervisors_of(row.host)
        if service is None or len(nodes) != 1 or nodes[0].is_bare_metal:
            return c.failed(row.host, message("canary_no_hypervisor", count=len(nodes))), True
        one = c.Canary(
            token=earlier.token if earlier else str(uuid.uuid4()),
            settled=row.since.isoformat(),
            provider=nodes[0].id,
            asked_at=now,
            is_open=service.status == "disabled",
            tries=tries,
        )
        waits = message("run_canary_built", host=row.host)
        if self.cloud.own_servers_named(one.name):  # a late one: it goes first
            one = replace(one, settled="", is_open=False, judged_at=now)
            self._keep(run, row, replace(one, verdict=c.failed(row.host, message("canary_late"))))
            return waits, False
        maintenance = maintenance_of(row)
        if maintenance is not None and maintenance.safe_since is not None:
            store.withdraw(maintenance, waits, self.worker, now)
        one = self._keep(run, row, one, waits)
        if time.monotonic() - began > INTENT_GOES_STALE:
            return waits, False  # stopped in between: the next look tells that there is none
        log_event(logging.INFO, "canary_begins", run=run.pk, host=row.host, name=one.name)
        try:
            if one.is_open:
                self.cloud.mark_disabled(one.provider, False)
            server = self.cloud.build_server(
                one.name,
                f"{service.zone}:{row.host}",
                image=wanted.image,
                flavor=wanted.flavor,
                network=wanted.network,
                metadata={"maintenance_canary_of": row.host},
            )
        except CloudError as error:
            if not error.sent or (error.status or 500) < 500:  # there is none for certain
                verdict = c.failed(row.host, error.said)
                again = error.not_begun or error.status == 409
                one = replace(one, verdict=verdict, judged_at=now, may_be_repeated=again)
                self._keep(run, row, one, verdict)
            return waits, False
        self._keep(run, row, replace(one, server=server))
        return waits, False

    def _step(self, run: Run, row: RunHost, one: c.Canary) -> Message | None:
        found = self._find(one)
        newest = found[0] if found else None
        if newest is not None and (not one.server or (newest.host and not one.had_host)):
            had_host = one.had_host or bool(newest.host)
            one = self._keep(run, row, replace(one, server=newest.id, had_host=had_host))
        if one.may_close(newest, self.clock()):
            one = self._close(run, row, one)
        if one.verdict is None:
            verdict = c.judge(
                one,
                row.host,
                newest,
                seconds=self._seconds,
                grace=settings.current().submit_grace_seconds,
                now=self.clock(),
            )
            if verdict is None:
                return message("run_canary_built", host=row.host)
            log_event(logging.INFO, "canary_judged", run=run.pk, host=row.host, detail=verdict)
            again = c.tells_nothing(one, verdict, newest)
            one = replace(one, verdict=verdict, judged_at=self.clock(), may_be_repeated=again)
            self._keep(run, row, one, verdict)
        for server in found:
            with contextlib.suppress(CloudNotFound):
                self.cloud.delete_server(server.id, for_good=server.status == "SOFT_DELETED")
        if found:
            return message("run_canary_deleted", host=row.host)
        if one.is_open:
            one = self._close(run, row, one)
        self._keep(run, row, replace(one, is_gone=True))
        return None

    def _find(self, one: c.Canary) -> list[Server]:
        """The one of this id first, and whatever else has its name."""
        found = {}
        if one.server and (known := self.cloud.server(one.server)) is not None:
            found[known.id] = known
        for server in self.cloud.own_servers_named(one.name):
            found.setdefault(server.id, server)
        return list(found.values())

    def _close(self, run: Run, row: RunHost, one: c.Canary) -> c.Canary:
        """Let the scheduler take the host for disabled again; where it is still."""
        now = self.cloud.service(row.host)  # at this moment: somebody may have enabled it
        if now is not None and now.status == "disabled":
            with contextlib.suppress(CloudNotFound):  # with its provider that is over
                self.cloud.mark_disabled(one.provider, True)
        return self._keep(run, row, replace(one, is_open=False))

    def _keep(
        self, run: Run, row: RunHost, one: c.Canary, happened: Message | None = None
    ) -> c.Canary:
        """:param happened: what the record of the run tells of it"""
        event = ("run_canary", self.worker, of(row, happened)) if happened else None
        store.keep_canary(run, row, self.clock(), c.stored(one), event)
        return one

    @property
    def _seconds(self) -> float:
        wanted = settings.current().canary
        return wanted.seconds if wanted else DELETE_SECONDS

"""What the steps of a pass over one drain share: whose pass it is, how a change is requested from
Nova, and how its outcome is recorded."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from .. import settings, store
from ..cloud import Cloud
from ..core.drain.answers import Answer, Consequence
from ..core.facts import ServerGroup
from ..core.message import Message, message
from ..exceptions import (
    CloudAuthError,
    CloudBadRequest,
    CloudConflict,
    CloudError,
    CloudForbidden,
    CloudNotFound,
    CloudUnreachable,
    PassOver,
)
from ..log import log_event
from ..store import Drain, InstanceMigration

#: An intent older than this, in seconds, is no longer sent: the process was stopped between the
#: record and the request, and somebody else may have taken it for lost.
INTENT_GOES_STALE = 5.0
#: Answers by which Nova says no: nothing was begun.
REFUSALS = (CloudConflict, CloudBadRequest, CloudForbidden, CloudNotFound, CloudAuthError)


@dataclass(frozen=True)
class DrainPass:
    """One pass over one drain.

    :param cloud: the region, logged in as the worker
    :param worker: the worker's name: the actor of its events
    :param clock: tells the time, aware and in UTC
    :param alive: called between the steps, so that a long pass is not taken for dead
    :param known_for: for how many seconds this process has known of an attempt, by a clock that
        nobody can set
    """

    drain: Drain
    cloud: Cloud
    worker: str
    clock: Callable[[], datetime]
    alive: Callable[[], None] = lambda: None
    known_for: Callable[[InstanceMigration], float] = lambda row: math.inf

    def event(self, kind: str, said: Message | None = None) -> store.Happened:
        """An event of the drain, by this worker."""
        return (kind, self.worker, said)

    @cached_property
    def server_groups(self) -> list[ServerGroup]:
        """The region's server groups, read once a pass; none where they cannot be read."""
        try:
            return self.cloud.server_groups()
        except CloudError as error:
            log_event(logging.WARNING, "no_groups", drain=self.drain.pk, detail=error.said)
            return []


def ask(at: DrainPass, row: InstanceMigration | None, call: Callable[[], str]) -> str:
    """Ask Nova for a change; the request id.

    The claim was ours just before it was sent, and an answer is not waited for longer than a
    claim lasts. Where it came later all the same (this process was stopped meanwhile), it is
    recorded if somebody else took over: what they did, they did without knowing of it.

    :raises CloudError: it was refused, or no answer came
    :raises PassOver: somebody else took over meanwhile
    """
    asked = time.monotonic()
    request_id = ""
    try:
        request_id = call()
    except CloudError as error:
        request_id = error.request_id
        raise
    finally:
        took = time.monotonic() - asked
        if took > settings.current().lease_seconds:
            try:
                at.alive()
            except PassOver:
                _came_late(at, row, took, request_id)
                raise
    return request_id


def _came_late(at: DrainPass, row: InstanceMigration | None, took: float, request_id: str) -> None:
    said = message("came_late", worker=at.worker, seconds=round(took))
    store.record(at.drain, row, at.clock(), "came_late", at.worker, said, request_id)
    server = row.server_id if row else ""
    log_event(
        logging.WARNING,
        "came_late",
        drain=at.drain.pk,
        server=server,
        request_id=request_id,
        detail=said,
    )


def answer_of(error: CloudError) -> Answer:
    """An error of the gateway, as what it says of the request."""
    return Answer(
        said=error.said,
        words=error.detail or error.cause,
        request_id=error.request_id,
        status=error.status or 0,
        retry_after=error.retry_after,
        refuses=isinstance(error, REFUSALS),
        not_begun=error.not_begun,
    )


def may_be_ours(error: CloudError) -> bool:
    """Whether another session may help: a setting is wrong, or no answer comes, which can be a
    login that hangs and that all who share its session wait for."""
    return error.remedy is not None or isinstance(error, CloudUnreachable)


def becomes(
    at: DrainPass,
    row: InstanceMigration,
    what: Consequence,
    error: CloudError | None = None,
    request: int | None = None,
) -> None:
    """Record what becomes of a row, and log it.

    :param error: what it becomes so by, which is raised where it is the drain's trouble
    :param request: the id of the request that it is the answer to
    :raises StaleState: somebody else changed the row meanwhile
    """
    is_recorded = what.kind and what.is_recorded
    event = (what.kind, at.worker, what.said, what.request_id) if is_recorded else None
    if what.fields or what.request or event:
        of_request = {"id": request, **what.request} if what.request else {}
        store.change_migration(row, at.clock(), event=event, request=of_request, **what.fields)
    if what.kind:
        log_event(
            logging.WARNING if what.is_setback else logging.INFO,
            what.kind,
            drain=at.drain.pk,
            server=row.server_id,
            name=row.server_name,
            attempt=row.attempts,
            request_id=what.request_id,
            detail=what.detail or what.said,
        )
    if what.is_trouble and error is not None:
        raise error

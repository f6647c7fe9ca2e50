"""One pass over one drain: observe, decide, apply.

*Observe* reads what counts (`observe.drain`). *Decide* is pure (`core.drain`). *Apply* records the
intent, makes the call, and records the answer, so that a process that dies between any two
instructions leaves either nothing or an intent that the next pass finds, and looks for in Nova.
"""

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from .. import settings, store
from ..cloud import Cloud
from ..core import drain as d
from ..core.drain.answers import with_reason
from ..core.drain.context import Pass
from ..core.drain.inputs import Observation
from ..core.message import Message
from ..core.preflight.judge import group_of
from ..core.preflight.verdicts import PlacementContext
from ..core.states import DRAIN_TERMINAL, MIGRATION_IN_PROGRESS, MigrationState
from ..exceptions import CloudError, StaleState
from ..log import log_event
from ..observe.drain import Observer, admission, glance, observe
from ..observe.placement import Surroundings
from ..observe.views import drain_view, limits, row_view
from ..store import Drain, InstanceMigration
from . import attempts, outage, requests, service
from .asking import DrainPass, may_be_ours
from .looks import Looks
from .needs import tell_who_needs_you

#: Passes that follow each other without a pause: a drain is begun, its host disabled, and what is
#: on it listed again and the first migration submitted.
PASSES_AT_ONCE = 3


@dataclass(frozen=True)
class Outcome:
    """How a pass went.

    :param pause_seconds: when the drain is due again
    :param problem: what keeps the worker from its work, or None
    :param reconnect: clouds.yaml is to be read, and a session begun, anew: the problem may be in
        either
    :param leads_on: the next pass is to follow at once
    """

    pause_seconds: float
    problem: Message | None = None
    reconnect: bool = False
    leads_on: bool = False


def _outcome_of(error: CloudError) -> Outcome:
    pause = max(settings.current().idle_seconds, error.retry_after or 0)
    return Outcome(pause, error.said, may_be_ours(error))


class Reconciler:
    """Works off drains of one region; see `DrainPass` for what it is given.

    :param looks: when each drain was looked at, where that is remembered
    :param surroundings: … what was read of the region lately
    :param ended: told of each instance of which an attempt ended in a pass
    """

    def __init__(
        self,
        cloud: Cloud,
        worker: str,
        clock: Callable[[], datetime],
        alive: Callable[[Drain], None] = lambda drain: None,
        known_for: Callable[[InstanceMigration], float] = lambda row: math.inf,
        looks: Looks | None = None,
        surroundings: Surroundings | None = None,
        ended: Callable[[InstanceMigration], None] = lambda row: None,
    ):
        self.cloud = cloud
        self.worker = worker
        self.clock = clock
        self.alive = alive
        self.known_for = known_for
        self.looks = looks or Looks()
        self.surroundings = surroundings or Surroundings()
        self.ended = ended

    def run(self, drain: Drain) -> Outcome:
        """One pass. An OpenStack that does not answer is an outcome; a bug is raised.

        :raises StaleState: somebody else changed the drain while its trouble was recorded
        """
        alive = partial(self.alive, drain)
        at = DrainPass(drain, self.cloud, self.worker, self.clock, alive, self.known_for)
        rows = list(store.migrations(drain))
        before = {row.pk: (row.attempts, row.state in MIGRATION_IN_PROGRESS) for row in rows}
        try:
            return run(at, self.looks, self.surroundings, rows)
        finally:
            for row in rows:
                if _has_ended(row, *before.get(row.pk, (0, False))):
                    self.ended(row)

    def run_on(self, drain: Drain) -> Outcome:
        """One pass, and those to which it only opens the way: each looks anew, at the drain as it
        is by then. See `run`.

        :raises PassOver: the drain is no longer ours
        """
        outcome = self.run(drain)
        for _ in range(PASSES_AT_ONCE - 1):
            if not outcome.leads_on:
                break
            self.alive(drain)
            found = store.drain(drain.pk)
            if found is None:
                break
            outcome = self.run(found)
        return outcome


def _has_ended(row: InstanceMigration, attempts: int, was_in_progress: bool) -> bool:
    """Whether an attempt ended in a pass; one may begin and end in the same pass. What was put off
    before Nova was asked is none.

    :param attempts: how many there were before the pass
    :param was_in_progress: whether one was in progress then
    """
    if row.state in MIGRATION_IN_PROGRESS or row.attempt.ended_at is None:
        return False
    return was_in_progress or row.attempts > attempts


def run(
    at: DrainPass, looks: Looks, surroundings: Surroundings, rows: list[InstanceMigration]
) -> Outcome:
    """One pass over a drain and its instances.

    While nothing but copies are in progress, and no more may be submitted, it is a glance: one
    request, which tells whether any migration ended or began. See `observe.drain` for what the
    others cost.

    :raises StaleState: somebody else changed the drain while its trouble was recorded
    """
    drain = at.drain
    if store.set_back(drain, rows, at.clock(), settings.current().retry_max_seconds):
        log_event(logging.WARNING, "clock_set_back", drain=drain.pk, host=drain.host)
    by = Observer(at.cloud, at.clock, at.alive, at.known_for, surroundings)
    views = [row_view(row) for row in rows]
    try:
        records = None
        is_well = drain.cloud_down_since is None
        if is_well and looks.is_fresh(drain) and d.may_glance(drain_view(drain), views):
            records = glance(by, drain)
            limit = store.last_limit(drain)
            known = Observation(None, admission=admission(drain), last_limit=limit)
            before = Pass(drain_view(drain), views, known, limits(), at.clock())
            if d.is_unchanged(before, records):
                return Outcome(_pause(before, acted=False))
        seen = observe(by, drain, rows, records)
    except CloudError as error:
        outage.cloud_is_down(at, rows, error)
        return _outcome_of(error)
    looks.remember(drain)
    actions = d.decide(drain_view(drain), views, seen, limits(), at.clock())
    by_id = {row.pk: row for row in rows}
    try:
        _apply_all(at, by_id, actions)
    except CloudError as error:
        # A row's own trouble is dealt with where it arises; this is the drain's, and
        # its bound is that of an OpenStack that does not answer.
        if drain.state not in DRAIN_TERMINAL:
            outage.cloud_is_down(at, by_id.values(), error)
        return _outcome_of(error)
    outage.cloud_is_back(at)
    left = [row_view(row) for row in by_id.values()]
    tell_who_needs_you(at, left)
    after = Pass(drain_view(drain), left, seen, limits(), at.clock())
    pause = _pause(after, acted=bool(actions))
    return Outcome(pause, leads_on=d.leads_on(views, left, actions))


def _pause(p: Pass, *, acted: bool) -> float:
    now = settings.current()
    return d.pause_after(p, now.poll_seconds, now.idle_seconds, acted=acted)


def _apply_all(
    at: DrainPass,
    rows: dict[int, InstanceMigration],
    actions: Iterable[d.Action],
) -> None:
    """Apply what was decided, in its order.

    :raises CloudError: it is the drain's trouble
    """
    overtaken: set[int] = set()
    for action in actions:
        row_id = getattr(action, "row_id", None)
        if row_id in overtaken:
            continue
        try:
            _apply(at, rows, action)
        except StaleState as error:
            # Somebody else got there first; what was decided on the old state is void.
            log_event(logging.INFO, "overtaken", drain=at.drain.pk, detail=error)
            if row_id is None:
                break
            overtaken.add(row_id)


def _apply(at: DrainPass, rows: dict[int, InstanceMigration], action: d.Action) -> None:
    drain, now = at.drain, at.clock()
    match action:
        case d.ChangeRow():
            _change_row(at, rows[action.row_id], action)
        case d.Submit():
            attempts.submit(at, rows[action.row_id], action)
        case d.Confirm():
            attempts.confirm(at, rows[action.row_id])
        case d.MakeRequest():
            store.add_request(rows[action.row_id], action.request, now)
        case d.Abort():
            requests.abort(at, rows[action.row_id], action)
        case d.ForceComplete():
            requests.force_complete(at, rows[action.row_id], action)
        case d.Reset():
            requests.reset(at, rows[action.row_id], action)
        case d.Enable():
            service.enable(at, action)
        case d.Disable():
            service.disable(at, action)
        case d.Join():
            group = group_of(action.server, PlacementContext(groups=tuple(at.server_groups)))
            row = store.add_server(drain, action.server, action.verdict, at.worker, now, group)
            if row:
                rows[row.pk] = row
                log_event(logging.INFO, "joined", drain=drain.pk, server=row.server_id)
        case d.OpenMaintenance():
            store.join_maintenance(
                drain,
                found_status=action.service.status,
                found_reason=action.service.disabled_reason,
                service_id=action.service.id,
                now=now,
            )
        case d.MarkDisabled():
            assert drain.maintenance is not None  # decide saw it
            store.disabled(drain.maintenance, now)
        case d.ChangeDrain():
            _change_drain(at, action)
        case d.Finish():
            _finish(at, action)


def _change_row(at: DrainPass, row: InstanceMigration, action: d.ChangeRow) -> None:
    if action.ask_why:
        action = with_reason(row_view(row), action, _why(at, row))
    changes: dict[str, Any] = dict(action.fields)
    request_id = changes.get("request_id") or row.attempt.request_id
    event = (action.kind, at.worker, action.message, request_id) if action.kind else None
    store.change_migration(row, at.clock(), event=event, request=action.request, **changes)
    if action.kind:
        is_bad = row.state in (MigrationState.FAILED, MigrationState.UNKNOWN)
        level = logging.WARNING if is_bad else logging.INFO
        log_event(
            level,
            action.kind,
            drain=at.drain.pk,
            server=row.server_id,
            name=row.server_name,
            attempt=row.attempts,
            request_id=row.attempt.request_id,
            detail=action.message,
        )


def _why(at: DrainPass, row: InstanceMigration) -> str:
    """Nova's own words, read once per failure; a Nova that does not tell is no obstacle."""
    request_id = row.attempt.request_id
    if not request_id:
        return ""
    try:
        return at.cloud.failure_of(row.server_id, request_id)
    except CloudError as error:
        log_event(
            logging.WARNING,
            "no_reason",
            drain=row.drain_id,
            server=row.server_id,
            detail=error.said,
        )
        return ""


def _change_drain(at: DrainPass, action: d.ChangeDrain) -> None:
    drain, now = at.drain, at.clock()
    event = at.event(action.kind, action.message) if action.kind else None
    store.change_drain(drain, now, expect=action.expect, event=event, **action.fields)
    if action.kind:
        log_event(logging.INFO, action.kind, drain=drain.pk, host=drain.host, detail=action.message)


def _finish(at: DrainPass, action: d.Finish) -> None:
    drain, now = at.drain, at.clock()
    with store.all_or_none():
        store.finish_drain(
            drain,
            action.state,
            action.result,
            action.message,
            at.worker,
            now,
            expect=store.cancel_choice(drain),
        )
        store.expect_nothing_open(drain)
        if action.ends_maintenance:
            assert drain.maintenance is not None  # decide saw it
            store.close_maintenance(drain.maintenance, now)
    log_event(
        logging.INFO,
        f"drain_{action.state.value}",
        drain=drain.pk,
        host=drain.host,
        result=action.result.value,
    )

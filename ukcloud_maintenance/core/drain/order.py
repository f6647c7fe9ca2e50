"""The order of a pass over one drain."""

from collections.abc import Sequence
from datetime import datetime

from ..states import (
    DRAIN_TERMINAL,
    MIGRATION_IN_PROGRESS,
    MIGRATION_WAITING,
    DrainState,
    MigrationState,
)
from .actions import Action
from .context import Pass
from .ending import finish_if_over, give_up
from .following import follow, wanted_words
from .host import cell_is_down, disable_first, host_is_lost, host_is_up, watch_host, watch_source
from .inputs import DrainView, Limits, Observation, Row
from .pacing import SUBMITS_A_PASS, learn_limit, submit_next
from .requests import carry_out_requests, enforce_cancel_deadline
from .schedule import begin, pause_at_window_end, window_is_closed
from .waiting import join_new, watch_settled, watch_waiting


def decide(
    drain: DrainView, rows: Sequence[Row], seen: Observation, limits: Limits, now: datetime
) -> list[Action]:
    """The actions of this pass, in the order in which they are to be applied."""
    return run_pass(Pass(drain, rows, seen, limits, now))


def words_wanted(
    drain: DrainView, rows: Sequence[Row], seen: Observation, limits: Limits, now: datetime
) -> list[str]:
    """The servers, by id, about whose guests the hypervisors are to be asked in this pass: those
    whose attempt ended in a way that leaves in doubt where the guest runs, and those that wait
    for that word. The answers go into `Observation.guests`."""
    return wanted_words(Pass(drain, rows, seen, limits, now))


def places_wanted(
    drain: DrainView, rows: Sequence[Row], seen: Observation, limits: Limits, now: datetime
) -> list[str]:
    """The servers, by id, of which this pass would start some if it knew where the hosts stay even,
    those first in turn. What is around them goes into `Observation.placing`."""
    p = Pass(drain, rows, seen, limits, now)
    if drain.follow_estimate:
        run_pass(p)
    return p.places_wanted[:SUBMITS_A_PASS]


def run_pass(p: Pass) -> list[Action]:
    if p.drain.state in DRAIN_TERMINAL:
        carry_out_requests(p)
        return p.actions
    if p.drain.state == DrainState.PENDING:
        begin(p)
        return p.actions
    if p.drain.state == DrainState.PAUSED and p.drain.started_at is None:
        return []  # paused before it began: nothing is touched
    cancelling = p.drain.state == DrainState.CANCELLING
    is_up = watch_host(p)
    disabled = False
    if p.back:
        disabled = is_up
    elif is_up and not cancelling:
        disabled = disable_first(p)
        join_new(p)
    for row in p.rows_in({MigrationState.SUBMITTED, MigrationState.MIGRATING}):
        watch_source(p, row)
    if cell_is_down(p):
        # Nova's lists leave out what is in that cell without a word: nothing is to be read
        # from an instance that is missing.
        if host_is_lost(p):
            give_up(p, cancelling)
        return p.actions
    for row in list(p.rows.values()):
        row = p.rows[row.id]
        if row.state in MIGRATION_IN_PROGRESS:
            follow(p, row)
        elif row.state in MIGRATION_WAITING:
            watch_waiting(p, row, cancelling)
        else:
            watch_settled(p, row, cancelling)
    carry_out_requests(p)
    if cancelling:
        enforce_cancel_deadline(p)
    if not p.back:
        learn_limit(p)
    if disabled and p.drain.state == DrainState.RUNNING:
        if window_is_closed(p):
            pause_at_window_end(p)
        else:
            submit_next(p)
    lost = not is_up and host_is_lost(p)
    # On a host that is up, and only disabled, migrations in progress continue and finish.
    if lost and not (host_is_up(p) and p.rows_in(MIGRATION_IN_PROGRESS)):
        give_up(p, cancelling)
    elif disabled or cancelling:
        finish_if_over(p, cancelling)
    return p.actions

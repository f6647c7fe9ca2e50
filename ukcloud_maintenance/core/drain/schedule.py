"""When a drain begins, and what its window does."""

from dataclasses import replace
from typing import Any

from ..message import message
from ..states import MIGRATION_IN_PROGRESS, MIGRATION_WAITING, DrainResult, DrainState
from .actions import ChangeDrain, Finish
from .attempts import cancel_waiting
from .context import Pass


def begin(p: Pass) -> None:
    """From pending to running. What follows belongs to a drain that runs, giving up on a
    lost host included."""
    if p.drain.start_at is not None and p.now < p.drain.start_at:
        return
    maintenance = p.drain.maintenance
    if p.back and maintenance is not None and maintenance.closed_at is None:
        if maintenance.returning_since is None:
            for row in p.rows_in(MIGRATION_WAITING):
                cancel_waiting(p, row)
            p.actions.append(
                Finish(
                    DrainState.CANCELLED,
                    DrainResult.CANCELLED,
                    message("not_given_back"),
                )
            )
        return
    if window_is_closed(p):
        text = message("window_over")
        fields: dict[str, Any] = {"state": DrainState.PAUSED, "message": text}
        p.actions.append(ChangeDrain(fields, "window_closed", text, window_as_read(p)))
        return
    # whatever it waited for is no longer said
    fields = {"state": DrainState.RUNNING, "started_at": p.now, "message": None}
    p.actions.append(ChangeDrain(fields, "drain_started", expect=window_as_read(p)))


def window_as_read(p: Pass) -> dict[str, Any]:
    return {"start_at": p.drain.start_at, "stop_at": p.drain.stop_at}


def window_is_closed(p: Pass) -> bool:
    return p.drain.stop_at is not None and p.now >= p.drain.stop_at


def pause_at_window_end(p: Pass) -> None:
    """The window has ended: migrations in progress finish, and then the drain is paused until an
    admin decides. A drain that has nothing left to start ends like any other."""
    waiting = p.rows_in(MIGRATION_WAITING)
    if not waiting or p.rows_in(MIGRATION_IN_PROGRESS):
        return
    text = message("window_closed")
    fields = {"state": DrainState.PAUSED, "message": text, "blocked_since": None}
    p.actions.append(ChangeDrain(fields, "window_closed", text, window_as_read(p)))
    p.drain = replace(p.drain, state=DrainState.PAUSED)

"""Cancel, pause, resume and change a drain that was requested."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from .. import store
from ..core import cancelling, steering
from ..core.actor import RULE_ABORT, RULE_CANCEL, RULE_RETURN, RULE_STEER, Actor
from ..core.message import Message, message
from ..core.states import DrainState
from ..core.steering import DrainVerb
from ..exceptions import Refused, StaleState
from ..store import Drain
from .access import TRIES, cloud_name, require
from .reports import get_drain
from .requests import check_pace, check_timeout, check_window, may_time_out


def require_cancel(actor: Actor, drain: Drain, abort: bool, enable: bool | None) -> None:
    """:raises NotAllowed: the actor may not cancel it in this way"""
    require(actor, RULE_CANCEL)
    if abort:
        require(actor, RULE_ABORT)
    if cancelling.wants_enabled(drain, enable) and not drain.did_disable:
        # An earlier drain disabled it: that is a return to service.
        require(actor, RULE_RETURN)


def cancel_drain(
    actor: Actor, drain_id: int, *, abort: bool = False, enable: bool | None = None
) -> Drain:
    """Start no new migrations; those in progress finish or are aborted. It ends in bounded time
    (CANCEL_WAIT_SECONDS; 300 s at most for what is aborted).

    Cancelling one that is being cancelled changes what is chosen otherwise: migrations in progress
    can be aborted after all, and the service enabled or left.

    :param abort: whether migrations in progress are aborted
    :param enable: whether the service is enabled again, if its reason is still the one that we
        wrote; None: as it was before this drain
    :raises Refused: there is no such drain, or it is over
    """
    require(actor, RULE_CANCEL)
    if abort:
        require(actor, RULE_ABORT)

    def cancel(drain: Drain) -> None:
        if why := cancelling.objection(drain):
            raise Refused(why)
        require_cancel(actor, drain, abort, enable)
        if choice := cancelling.chosen(drain, abort=abort, enable=enable):
            how = {"abort": choice.abort, "enable": choice.enable}
            store.cancel_drain(drain, actor, store.now(), **how)

    return _change(actor, drain_id, RULE_CANCEL, cancel)


def pause_drain(actor: Actor, drain_id: int) -> Drain:
    """Start no new migrations; those in progress finish. One that has not begun is paused.

    :raises Refused: there is no such drain, or it is over or being cancelled
    """
    require(actor, RULE_STEER)

    def pause(drain: Drain) -> None:
        if drain.state != DrainState.PAUSED:
            refuse_where_not_offered(DrainVerb.PAUSE, drain)
            store.pause_drain(drain, actor, store.now())

    return _change(actor, drain_id, RULE_STEER, pause)


def resume_drain(actor: Actor, drain_id: int) -> Drain:
    """Go on with a drain that is paused. A window that is over is forgotten.

    :raises Refused: there is no such drain, or it is not paused
    """
    require(actor, RULE_STEER)

    def resume(drain: Drain) -> None:
        cloud_name(drain.region)
        if drain.state not in (DrainState.RUNNING, DrainState.PENDING):
            refuse_where_not_offered(DrainVerb.RESUME, drain)
            store.resume_drain(drain, actor, store.now())

    return _change(actor, drain_id, RULE_STEER, resume)


class _Unchanged:
    """Stands for what is not to be changed, where None means something."""


UNCHANGED = _Unchanged()


@dataclass(frozen=True)
class DrainChange:
    """What of a drain is to be changed while it is open; see :class:`DrainRequest`.

    `None` takes an end of the window away.
    """

    max_concurrent: int | None = None
    timeout_action: str | None = None
    follow_estimate: bool | None = None
    start_at: datetime | _Unchanged | None = UNCHANGED
    stop_at: datetime | _Unchanged | None = UNCHANGED


def change_drain(actor: Actor, drain_id: int, change: DrainChange) -> Drain:
    """Change the pace, the placing, the window or the timeout of a drain while it runs, waits or
    is paused.

    :raises Refused: a value is wrong, or the drain is over or being cancelled
    """
    require(actor, RULE_STEER)

    def adjust(drain: Drain) -> None:
        refuse_where_not_offered(DrainVerb.CHANGE, drain)
        cloud_name(drain.region)
        fields: dict[str, object] = {}
        said = []
        limit = change.max_concurrent
        if limit is not None and limit != drain.max_concurrent:
            check_pace(limit)
            fields["max_concurrent"] = limit
            said.append(message("pace_changed", count=limit, before=drain.max_concurrent))
        action = change.timeout_action
        if action is not None and action != drain.timeout_action:
            check_timeout(action)
            may_time_out(actor, action)
            fields["timeout_action"] = action
            said.append(message("timeout_changed", action=action, before=drain.timeout_action))
        follow = change.follow_estimate
        if follow is not None and follow != drain.follow_estimate:
            if drain.destination:
                raise Refused(
                    message("destination_is_set", host=drain.destination),
                    field="placing",
                )
            fields["follow_estimate"] = follow
            said.append(message("placed_evenly") if follow else message("placed_by_scheduler"))
        window = {
            name: value
            for name, value in (("start_at", change.start_at), ("stop_at", change.stop_at))
            if not isinstance(value, _Unchanged) and value != getattr(drain, name)
        }
        if window:
            if "start_at" in window and drain.started_at is not None:
                raise Refused(message("window_has_begun"), field="start_at")
            start_at = window.get("start_at", drain.start_at)
            stop_at = window.get("stop_at", drain.stop_at)
            check_window(start_at, stop_at if "stop_at" in window else None)
            if start_at is not None and stop_at is not None and stop_at <= start_at:
                raise Refused(message("window_is_empty"), field="start_at")
            fields |= window
            said += [
                _window_change(name == "start_at", getattr(drain, name), value)
                for name, value in window.items()
            ]
        if fields:
            what = message("changed", what=said)
            store.adjust_drain(drain, actor, store.now(), what, **fields)

    return _change(actor, drain_id, RULE_STEER, adjust)


def _window_change(start: bool, before: datetime | None, after: datetime | None) -> Message:
    """A change of the beginning of a window, or of its end."""
    if after is None:
        removed = message("window_start_removed", before=before)
        return removed if start else message("window_end_removed", before=before)
    if before is None:
        return (
            message("window_start_set", at=after) if start else message("window_end_set", at=after)
        )
    moved = message("window_start_moved", at=after, before=before)
    return moved if start else message("window_end_moved", at=after, before=before)


def refuse_where_not_offered(verb: DrainVerb, drain: Drain) -> None:
    if why := steering.drain_objection(verb, drain):
        raise Refused(message("drain_cannot", drain=drain.pk, why=why), code=f"cannot_{verb.value}")


def _change(actor: Actor, drain_id: int, rule: str, change: Callable[[Drain], None]) -> Drain:
    """Read a drain and change it; again where a worker or another admin was faster."""
    for _ in range(TRIES):
        drain = get_drain(actor, drain_id, rule=rule)
        try:
            change(drain)
        except StaleState:
            continue
        return drain
    raise Refused(message("drain_busy", drain=drain_id), code="busy")

"""What a cancel of a drain comes to: whether it can be requested, and what is changed then."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from .message import Message, message
from .states import DRAIN_OPEN, DrainState


class DrainLike(Protocol):
    """The part of a drain that is looked at."""

    # read-only, so that frozen values fit
    @property
    def pk(self) -> Any: ...
    @property
    def state(self) -> str: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def did_disable(self) -> bool: ...
    @property
    def cancelling_since(self) -> datetime | None: ...
    @property
    def cancel_abort(self) -> bool: ...
    @property
    def cancel_enable(self) -> bool: ...


@dataclass(frozen=True)
class Choice:
    """What is chosen with a cancel.

    :param abort: migrations in progress are aborted, rather than left to finish
    :param enable: the service is enabled again, if its reason is still the one that we wrote
    """

    abort: bool
    enable: bool

    @property
    def said(self) -> Message:
        """For the record."""
        if self.abort:
            return message("aborts_and_enables") if self.enable else message("aborts")
        return message("lands_and_enables") if self.enable else message("lands")


def objection(drain: DrainLike) -> Message | None:
    """Why it cannot be cancelled, nor anything of its cancel chosen otherwise; None: it can."""
    over = drain.state not in DRAIN_OPEN
    return message("drain_over", drain=drain.pk, state=drain.state) if over else None


def is_untouched(drain: DrainLike) -> bool:
    """Whether no worker has begun with it: neither the service nor an instance was touched. Such
    a drain is cancelled at once."""
    return drain.started_at is None and drain.state in (DrainState.PENDING, DrainState.PAUSED)


def wants_enabled(drain: DrainLike, enable: bool | None) -> bool:
    """Whether the service is to be enabled at the end.

    :param enable: what was chosen; None: as it was before this drain, or as chosen before
    """
    if enable is not None:
        return enable
    return drain.cancel_enable if drain.state == DrainState.CANCELLING else drain.did_disable


def chosen(drain: DrainLike, *, abort: bool, enable: bool | None) -> Choice | None:
    """What is chosen by a request, with what was chosen before it; None: the same as before. An
    abort is not taken back."""
    before = Choice(drain.cancel_abort, drain.cancel_enable)
    again = drain.state == DrainState.CANCELLING
    wanted = Choice(abort or (again and drain.cancel_abort), wants_enabled(drain, enable))
    return None if again and wanted == before else wanted


def changes(drain: DrainLike, choice: Choice, now: datetime) -> dict[str, Any]:
    """The fields of a drain that is being cancelled from now on, or otherwise than before.

    The wait for migrations in progress has one bound, which a second request does not extend; if
    they are aborted after all, another one begins.
    """
    goes_on = drain.state == DrainState.CANCELLING and choice.abort == drain.cancel_abort
    fields: dict[str, Any] = {
        "state": DrainState.CANCELLING,
        "cancelling_since": drain.cancelling_since if goes_on else now,
        "cancel_abort": choice.abort,
        "cancel_enable": choice.enable,
        "message": CANCELLING,
    }
    if drain.state == DrainState.PAUSED:  # which ends neither wait; now they end the drain
        fields |= {"host_down_since": None, "cloud_down_since": None}
    return fields


#: What a drain says while it is being cancelled.
CANCELLING = message("cancelling")

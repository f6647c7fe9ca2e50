"""Whether a host counts as safe to power off by what is on record, and how a verification changes
that."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ..message import Message, message


class Kept(Protocol):
    """The part of a host's maintenance that is looked at."""

    # read-only, so that frozen values fit
    @property
    def open_key(self) -> str | None: ...
    @property
    def returning_since(self) -> datetime | None: ...
    @property
    def safe_since(self) -> datetime | None: ...
    @property
    def verified_at(self) -> datetime | None: ...


def is_fresh(verified_at: datetime | None, after: datetime, now: datetime) -> bool:
    """Whether a verification is believed still: it is new enough, and not of the future, as how old
    one is that is dated ahead of the clock cannot be told."""
    return verified_at is not None and after <= verified_at <= now


def is_safe(kept: Kept | None, verified_after: datetime | None, now: datetime) -> bool:
    """Whether a host is known to be safe to power off.

    :param kept: its maintenance, or None
    :param verified_after: what was verified before this is not believed; None: nothing is
    """
    return (
        kept is not None
        and kept.open_key is not None
        and kept.returning_since is None
        and kept.safe_since is not None
        and verified_after is not None
        and is_fresh(kept.verified_at, verified_after, now)
    )


@dataclass(frozen=True)
class Verified:
    """What a verification changes.

    :param fields: of the maintenance; without that it was made
    :param event: its kind; empty: nothing happened
    :param said: of that
    """

    fields: dict[str, Any]
    event: str = ""
    said: Message | None = None


def verified(
    kept: Kept, *, is_safe: bool, verified_at: datetime | None, why: Message | None, now: datetime
) -> Verified:
    """What it changes whether the host is known to be safe.

    :param is_safe: every check holds
    :param verified_at: when the look began; None: it is dated ahead of the clock, so no proof
    :param why: what keeps it from being safe
    """
    since = kept.safe_since
    if not is_safe:
        return Verified(withdrawn(why, now), "safe_withdrawn", why) if since else Verified({})
    if verified_at is None:
        return Verified({})
    if since is None:
        said = message("every_check_holds")
        return Verified({"safe_since": verified_at}, "safe_to_power_off", said)
    was_set_back = since > verified_at  # the clock
    return Verified({"safe_since": verified_at} if was_set_back else {})


def withdrawn(why: Message | None, now: datetime) -> dict[str, Any]:
    """The fields of a maintenance whose host is no longer known to be safe."""
    return {"safe_since": None, "withdrawn_at": now, "withdrawn_why": why}


def was_closed_by_hand(disabled_at: datetime | None, found_status: str) -> bool:
    """Whether somebody put the host back into service past us: the service is enabled, although we
    disabled it."""
    return disabled_at is not None and found_status == "enabled"

"""What becomes of a certificate while its host cannot be looked at."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..message import Message, holds, message
from .returning import TROUBLES
from .safety import is_fresh


@dataclass(frozen=True)
class Standing:
    """What is on record of a host in maintenance."""

    message: Message | None
    safe_since: datetime | None
    verified_at: datetime | None


@dataclass(frozen=True)
class Unverified:
    """What is to be recorded.

    :param message: what the host says now; None: what it says stands
    :param withdrawn: why it is no longer known to be safe; None: that is not withdrawn
    """

    message: Message | None = None
    withdrawn: Message | None = None


def cannot_verify(
    known: Standing, trouble: Message, certificate_seconds: float, now: datetime
) -> Unverified:
    """Say what is in the way; withdraw what could not be verified for a bounded time.

    :param trouble: of one of the codes of `TROUBLES`
    :param certificate_seconds: how long a verification is believed
    """
    # What became of a return to service that was refused is still to be read.
    free = not known.message or holds(known.message, *TROUBLES)
    said = trouble if free and known.message != trouble else None
    at = known.verified_at
    if not known.safe_since or is_fresh(at, now - timedelta(seconds=certificate_seconds), now):
        return Unverified(said)
    detail = trouble.values["detail"]
    why = message("not_verified", detail=detail)
    if at:
        why = message("not_verified_since", at=at, detail=detail)
    return Unverified(said, why)

"""When somebody is told that instances of a drain need a person."""

from collections.abc import Collection, Sequence
from datetime import datetime

from ..message import Message, message, some
from .inputs import Row
from .needs import Need

#: Those that come to need a person within so many seconds of a notice are named together in the
#: next one.
TELL_EVERY = 600.0
#: So many are named.
NAMED = 6


def needs_you(
    found: Sequence[tuple[Need, Row]],
    told: Collection[int],
    told_at: datetime | None,
    now: datetime,
) -> Message | None:
    """All that need a person, as one notice, if nobody was told of one among them; None: there is
    nothing to tell, or not yet.

    :param told: the instances, by id, that the last notice was about
    :param told_at: when that was
    """
    if all(row.id in told for _, row in found):
        return None
    if told_at is not None and 0 <= (now - told_at).total_seconds() < TELL_EVERY:
        return None
    names = [
        message("needs_you_for", name=row.server_name or row.server_id, need=_word(need))
        for need, row in found
    ]
    return message("needs_you", count=len(found), names=some(names, NAMED))


def _word(need: Need) -> str:
    return "changed" if need is Need.ARRIVED_WRONG else need.replace("_", " ")

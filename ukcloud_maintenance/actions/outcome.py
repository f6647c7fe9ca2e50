"""What became of an action, in the same words for commands and webhooks. Pure."""

from dataclasses import dataclass

from ..core.backports import StrEnum
from ..core.message import Message


class Ending(StrEnum):
    """:cvar LATER: it was not done, nothing of it is in progress, and it may be tried again
    :cvar UNKNOWN: it began, and its end is not known: a person must look
    """

    RUNNING = "running"
    DONE = "done"
    LATER = "later"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """:param said: what there is to say of it, with what can be done about it"""

    ending: Ending
    said: Message

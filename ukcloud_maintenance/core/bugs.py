"""What becomes of an error that nobody expected: it is said, and tried again after a pause."""

from .message import Message, message, text

#: The code of what a worker reports of itself then.
BUG = "worker_bug"
#: Pause after a bug, in seconds; it doubles with each further one in a row, up to …
AFTER_A_BUG = 30.0
AFTER_A_BUG_MAX = 300.0


def pause_after(times: int) -> float:
    """Seconds until it is tried again.

    :param times: how many bugs in a row there were, this one among them
    """
    return min(AFTER_A_BUG * 2 ** (times - 1), AFTER_A_BUG_MAX)


def bug(of: Message, error: str) -> Message:
    """What a worker reports of itself.

    :param of: what it failed on
    :param error: in one line
    """
    return message(BUG, of=of, error=error)


def on_host(error: str) -> Message:
    """What is said of a host on which a worker failed."""
    return message("worker_failed_on_host", detail=text(error))

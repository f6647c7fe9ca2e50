"""One structured line in the log of the worker, for everything that happens in its passes."""

from .core.message import Message
from .core.printable import logger, one_line
from .messages import english

LOG = logger("ukcloud_maintenance.worker")


def log_event(level: int, event: str, **pairs: object) -> None:
    """One structured log line: `event key=value …`, with values quoted where they need it."""
    text = " ".join(
        f"{key}={_quoted(value)}" for key, value in pairs.items() if value not in ("", None)
    )
    LOG.log(level, "%s %s", event, text)


def _quoted(value: object) -> str:
    text = english(value) if isinstance(value, Message) else str(value)
    text = text.replace("\n", "; ")
    return '"' + text.replace('"', "'") + '"' if " " in text or not text else text


def in_words(error: Exception) -> str:
    """An error that nobody expected, in one line."""
    return f"{type(error).__name__}: {one_line(error)}"[:500]

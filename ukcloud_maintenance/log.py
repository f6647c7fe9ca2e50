"""One structured line in the log of the worker, for everything that happens in its passes."""

from .core.message import Message
from .core.printable import logger
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

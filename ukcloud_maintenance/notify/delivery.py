"""Hands a notice over, in a process of its own: see `courier`."""

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core import signing
from ..core.message import Message, message
from ..settings import Receiver
from .letter import Letter

#: How long a receiver may take for one notice, in seconds.
SEND_SECONDS = 30
#: How much longer, in seconds, the courier may take to end by itself.
_GRACE = 5
_COURIER = Path(__file__).with_name("courier.py")


@dataclass(frozen=True)
class Failed:
    """A receiver did not take a notice.

    :param why: without anything of its address
    :param status: what a webhook answered, or None
    """

    why: Message
    status: int | None = None


def deliver(receiver: Receiver, letter: Letter, now: datetime) -> Failed | None:
    """Hand a notice over, once; None: the receiver took it. It takes `SEND_SECONDS` at most, and a
    little."""
    order = _signed(receiver, letter, now) if receiver.is_webhook else _plain(letter)
    told = json.dumps({**order, "url": receiver.url, "seconds": SEND_SECONDS})
    try:
        ended = subprocess.run(
            [sys.executable, str(_COURIER)],
            input=told.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SEND_SECONDS + _GRACE,
            check=False,
        )
        answer = json.loads(ended.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        # it was ended by its own clock, or by whoever stops the worker
        return Failed(message("told_not_in_time", seconds=SEND_SECONDS))
    return _judged(answer)


def _judged(answer: dict[str, Any]) -> Failed | None:
    status = answer.get("status")
    if answer.get("taken") or (status is not None and 200 <= status < 300):
        return None
    if status is not None:
        return Failed(message("told_refused", status=status), status)
    if fault := answer.get("fault"):
        return Failed(message("told_not_sent", fault=fault))
    if answer.get("unknown"):
        return Failed(message("told_url_unknown"))
    return Failed(message("told_not_by_apprise"))


def _plain(letter: Letter) -> dict[str, Any]:
    return {"title": letter.title, "body": letter.body, "tone": letter.tone}


def _signed(receiver: Receiver, letter: Letter, now: datetime) -> dict[str, Any]:
    """The request of a webhook, as in the specification of Standard Webhooks
    (https://www.standardwebhooks.com)."""
    content = json.dumps(letter.document, sort_keys=True)
    headers = {
        "content-type": "application/json",
        "user-agent": "ukcloud-maintenance",
        "webhook-event": letter.topic,
        **signing.headers(receiver.key, letter.delivery, int(now.timestamp()), content.encode()),
    }
    return {"content": content, "headers": headers}

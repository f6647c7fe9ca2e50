"""Webhooks: another program is told to do it, and asked how far it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from ..core import signing
from ..core.backports import StrEnum
from ..core.message import Message, message
from ..core.printable import printable
from ..core.shape import Shape, keys
from ..settings.actions import VALUES, Action, Poll, Webhook
from .http import NoReply, Reply, ask, named, origin, without_secrets

#: Bytes of an answer that are read at most, characters of one that are quoted, and of an address.
READ, QUOTED, ADDRESS = 65536, 200, 2000
#: Where an answer names the address at which the end can be read, besides its header Location.
_ADDRESSES = ("status_url", "url", "href")
#: Where an answer says why.
_REASONS = ("detail", "message", "error", "msg")


SENT = Shape(
    "The request of an action",
    keys("action", "its name in `ACTIONS`"),
    keys("host run", "the host, and the number of the run"),
    keys("reason", "of the run"),
    about="Without a `body` of its own: that has these values as `{host}`, `{run}` and `{reason}`,"
    " and a command as `MAINTENANCE_HOST`, `MAINTENANCE_RUN` and `MAINTENANCE_REASON` too; see"
    " [actions](actions.md)",
    elsewhere="the webhooks of `ACTIONS`",
)


class Sending(StrEnum):
    """:cvar REFUSED: it makes no sense to send the same again
    :cvar LATER: it does, after a pause
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    LATER = "later"


@dataclass(frozen=True)
class Answer:
    """What came of a request.

    :param poll_url: where its end can be read (:func:`poll`); empty: somebody must report it
    :param retry_after: seconds that the receiver asks for; None: it does not
    :param may_have_begun: whether the receiver may be doing it, although it was not accepted
    """

    kind: Sending
    said: Message
    poll_url: str = field(default="", repr=False)
    retry_after: float | None = None
    may_have_begun: bool = False


class Progress(StrEnum):
    """:cvar TRY_LATER: how far it is could not be read now; the action itself may go on"""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TRY_LATER = "try_later"


@dataclass(frozen=True)
class Report:
    """How far an action is, according to its receiver.

    :param retry_after: seconds that the receiver asks for; None: it does not
    """

    kind: Progress
    said: Message
    retry_after: float | None = None


def body(action: Action, values: Mapping[str, str]) -> dict[str, Any]:
    """What is sent: that of the settings with its values, otherwise ``action``, ``host``, ``run``
    and ``reason``."""
    known = {name: printable(values.get(name, "")) for name in VALUES}
    template = _of(action).body
    if template is None:
        return SENT.made(action=action.name, **known)
    filled: dict[str, Any] = _filled(template, known)
    return filled


def send(action: Action, delivery_id: str, content: Mapping[str, Any], now: datetime) -> Answer:
    """Send the request of an action.

    :param delivery_id: the same each time that it is sent again, so that the receiver can tell
    :param content: of :func:`body`
    """
    hook = _of(action)
    sent = json.dumps(content, sort_keys=True).encode()
    signed = signing.headers(hook.key, delivery_id, int(now.timestamp()), sent)
    receiver = named(hook.url)
    try:
        reply = ask(
            "POST",
            hook.url,
            headers={**_headers(hook), "Content-Type": "application/json", **signed},
            body=sent,
            seconds=hook.timeout,
            limit=READ,
        )
    except NoReply as error:
        said = message("webhook_no_answer", receiver=receiver, why=error.why)
        return Answer(Sending.LATER, said, may_have_begun=error.sent)
    return _answer(hook, receiver, reply)


def poll(action: Action, url: str) -> Report:
    """Ask how far an action is.

    :param url: the `poll_url` of the answer
    """
    hook = _of(action)
    receiver = named(hook.url)
    if hook.poll is None or not _same_origin(url, hook.url):
        return Report(Progress.TRY_LATER, message("webhook_sent_elsewhere", receiver=receiver))
    try:
        reply = ask("GET", url, headers=_headers(hook), seconds=hook.timeout, limit=READ * 16)
    except NoReply as error:
        said = message("webhook_no_answer", receiver=receiver, why=error.why)
        return Report(Progress.TRY_LATER, said)
    if not 200 <= reply.status < 300:
        return Report(Progress.TRY_LATER, _failed(hook, receiver, reply, url), reply.retry_after)
    status = _status(hook.poll, reply)
    if status is None:
        said = message("webhook_no_status", receiver=receiver, field=hook.poll.field)
        return Report(Progress.TRY_LATER, said)
    quoted = _quoted(hook, status, url)
    if status in hook.poll.done:
        return Report(Progress.DONE, message("webhook_done", receiver=receiver, status=quoted))
    if status in hook.poll.failed:
        return Report(Progress.FAILED, message("webhook_failed", receiver=receiver, status=quoted))
    return Report(Progress.RUNNING, message("webhook_running", receiver=receiver, status=quoted))


# -- the answer --------------------------------------------------------------------------------


def _answer(hook: Webhook, receiver: str, reply: Reply) -> Answer:
    if 200 <= reply.status < 300:
        return _accepted(hook, receiver, reply)
    said = _failed(hook, receiver, reply)
    if reply.status in (408, 429, 503):  # it says that it did nothing
        return Answer(Sending.LATER, said, retry_after=reply.retry_after)
    if reply.status >= 500:
        return Answer(Sending.LATER, said, retry_after=reply.retry_after, may_have_begun=True)
    return Answer(Sending.REFUSED, said)


def _accepted(hook: Webhook, receiver: str, reply: Reply) -> Answer:
    accepted = message("webhook_accepted", receiver=receiver)
    if hook.poll is None:
        return Answer(Sending.ACCEPTED, accepted)
    address = _address(reply)
    if not address:
        said = message("webhook_no_address", receiver=receiver)
        return Answer(Sending.ACCEPTED, said)
    try:
        url = urljoin(hook.url, address)
    except ValueError:
        url = ""
    if not _same_origin(url, hook.url):
        said = message("webhook_other_address", receiver=receiver, other=named(url))
        return Answer(Sending.REFUSED, said, may_have_begun=True)
    return Answer(Sending.ACCEPTED, accepted, url)


def _address(reply: Reply) -> str:
    """Empty where there is none that can be one."""
    found = reply.headers.get("Location")
    if not found:
        content = _json(reply)
        values = [content.get(key) for key in _ADDRESSES] if isinstance(content, dict) else []
        found = next((one for one in values if isinstance(one, str) and one), "")
    usable = found.isprintable() and " " not in found and len(found) <= ADDRESS
    return found if usable else ""


def _same_origin(url: str, other: str) -> bool:
    try:
        return url.isprintable() and " " not in url and origin(url) == origin(other)
    except ValueError:
        return False


def _failed(hook: Webhook, receiver: str, reply: Reply, asked: str = "") -> Message:
    """:param asked: the address that was read, where it is not that of the webhook"""
    if 300 <= reply.status < 400:
        return message("webhook_redirects", receiver=receiver, status=reply.status)
    detail = _detail(hook, reply, asked)
    if not detail:
        return message("webhook_refused", receiver=receiver, status=reply.status)
    return message("webhook_refused_because", receiver=receiver, status=reply.status, detail=detail)


def _detail(hook: Webhook, reply: Reply, asked: str) -> str:
    """Why, in the receiver's words; pages of HTML are none."""
    content = _json(reply)
    if isinstance(content, dict):
        values = [content.get(key) for key in _REASONS]
        said = next((one for one in values if isinstance(one, str) and one), "")
    else:
        said = content if isinstance(content, str) else reply.body.decode(errors="replace")
    return "" if said.lstrip().startswith("<") else _quoted(hook, said, asked)


def _json(reply: Reply) -> Any:
    """None where there is none that can be read."""
    if not reply.whole:
        return None
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        return None


def _status(poll: Poll, reply: Reply) -> str | None:
    found = _json(reply)
    for key in poll.field.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int | float) else None


def _quoted(hook: Webhook, said: str, asked: str) -> str:
    """Words of the receiver's, on one line, without what only we and it should know."""
    said = without_secrets(said, [hook.url, asked], hook.headers, hook.secret)
    line = printable(" ".join(said.split()))
    return line if len(line) <= QUOTED else f"{line[:QUOTED]}..."


# -- the request -------------------------------------------------------------------------------


def _of(action: Action) -> Webhook:
    if action.webhook is None:
        raise ValueError(f"action {action.name} has no webhook")
    return action.webhook


def _headers(hook: Webhook) -> dict[str, str]:
    return {"User-Agent": "ukcloud-maintenance", "Accept": "application/json", **hook.headers}


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return value.format(**known)
    if isinstance(value, Mapping):
        return {key: _filled(inner, known) for key, inner in value.items()}
    return [_filled(inner, known) for inner in value] if isinstance(value, list | tuple) else value

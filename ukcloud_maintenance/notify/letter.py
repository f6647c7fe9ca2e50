"""What a notice says, for people and for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.utils.translation import override

from ..core.message import Message, message
from ..core.notices import INFO, TEST, TOLD, Kind
from ..core.printable import printable
from ..core.shape import Shape, iso, keys
from ..core.states import Direction
from ..messages import document, english, render

if TYPE_CHECKING:
    from ..store import Event

#: What people are told is cut off here, in characters: services have limits, and the page has all.
LONGEST = 3000


DATA = Shape(
    "What a notice tells",
    keys("event_id event", "its number and kind in the record; not in a test", maybe=True),
    keys(
        "region host drain_id run_id",
        "what it is about; empty or null: of none; not in a test",
        maybe=True,
    ),
    keys(
        "reason requested_by",
        "why and by whom the drain or the run was requested; not in a test",
        maybe=True,
    ),
    keys("actor", "who did it: a person, or a worker; not in a test", maybe=True),
    keys("title", "one line, and what there is to say", said="message"),
    keys("url", "the page about it; null: `HORIZON_URL` is not set"),
)
NOTICE = Shape(
    "A notice",
    keys("id", "its number, the same in each attempt"),
    keys("type", "the event as in [Events](notifications.md#events); `test`: only a test"),
    keys("timestamp", "when it happened"),
    keys("data", "what is told", one=DATA),
    elsewhere="the receivers of `WEBHOOKS`: see [Webhooks](notifications.md#webhooks)",
)


@dataclass(frozen=True)
class Letter:
    """A notice as it is handed over, the same in each attempt.

    :param delivery: its number, by which a receiver knows it again
    :param topic: what it is about, see core.notices
    :param tone: info, success, warning or failure
    :param document: what a webhook is sent
    """

    delivery: str
    topic: str
    tone: str
    title: str
    body: str
    document: Mapping[str, Any]


def letter_of(event: "Event", delivery: str, language: str, horizon: str) -> Letter:
    """What is told of an event of a kind of core.notices.

    :param horizon: where Horizon is, or empty: no link
    """
    kind, facts = TOLD[event.kind], _facts(event)
    back = event.drain is not None and event.drain.direction == Direction.BACK
    named = facts["host"] or message("run_named", run=facts["run_id"])
    title = message(kind.title_of(back=back), host=named)
    said: Message | None = event.message
    about = None
    if event.drain is not None:
        about = message(
            "told_of_drain",
            drain=facts["drain_id"],
            region=facts["region"],
            who=facts["requested_by"],
            reason=facts["reason"],
        )
    elif event.run is not None:
        about = message(
            "told_of_run",
            run=facts["run_id"],
            region=facts["region"],
            who=facts["requested_by"],
            reason=facts["reason"],
        )
    data = DATA.made(
        **facts,
        title=english(title),
        **document("message", said),
        url=_link(facts, horizon) or None,
    )
    return _letter(delivery, kind, event.at, language, title, (said, about), data)


def letter_for_test(delivery: str, language: str, horizon: str, at: datetime) -> Letter:
    """One that only tells that it arrives."""
    title, said = message("told_test"), message("told_test_text")
    data = DATA.made(title=english(title), **document("message", said), url=horizon or None)
    return _letter(delivery, Kind(TEST, INFO, title.code), at, language, title, (said,), data)


def _letter(
    delivery: str,
    kind: Kind,
    at: datetime,
    language: str,
    title: Message,
    said: Sequence[Message | None],
    data: Mapping[str, Any],
) -> Letter:
    with override(None if language == "en" else language, deactivate=True):
        titled = render(title)
        text = "\n".join(render(one) for one in said if one is not None)
    text = printable(text, keep="\n")
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    body = "\n".join(filter(None, [text, data["url"]]))
    sent = NOTICE.made(id=delivery, type=kind.topic, timestamp=iso(at), data=data)
    return Letter(delivery, kind.topic, kind.tone, printable(titled), body, sent)


def _facts(event: "Event") -> dict[str, Any]:
    """What programs are told of an event beside its message."""
    drain, run = event.drain, event.run
    about, requested = drain or event.maintenance, drain or run
    values = event.message.values if event.message is not None else {}
    return {
        "event_id": event.pk,
        "event": event.kind,
        "region": about.region if about else run.region if run else "",
        "host": about.host if about else values.get("host", ""),
        "drain_id": drain.pk if drain else None,
        "run_id": run.pk if run else None,
        "reason": requested.reason if requested else "",
        "requested_by": requested.requested_by if requested else "",
        "actor": event.actor,
    }


def _link(facts: Mapping[str, Any], horizon: str) -> str:
    """The page about it, or Horizon itself, or empty."""
    base = horizon.rstrip("/")
    if not base:
        return ""
    if facts["drain_id"]:
        return f"{base}/admin/maintenance/drains/{facts['drain_id']}/"
    if facts["run_id"]:
        return f"{base}/admin/maintenance/runs/{facts['run_id']}/"
    if facts["region"]:
        return f"{base}/admin/maintenance/hosts/{quote(facts['host'], safe='')}/"
    return f"{base}/admin/maintenance/"

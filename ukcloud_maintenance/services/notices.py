"""Who is told of what happens, and whether it arrived."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

from .. import notify, settings, store
from ..core.actor import RULE_DRAIN, RULE_VIEW, Actor
from ..core.message import Message
from ..settings import Receiver
from .access import require


@dataclass(frozen=True)
class Told:
    """A receiver, and what became of what it was to be told.

    :param receiver: None: the settings no longer have it
    """

    name: str
    receiver: Receiver | None
    notices: store.Told


def who_is_told(actor: Actor) -> list[Told]:
    """The receivers of the settings, and others that something was queued for."""
    require(actor, RULE_VIEW)
    known = {one.name: one for one in settings.current().receivers}
    found = {one.receiver: one for one in store.told()}
    nothing = store.Told("", 0, 0, 0, None, None, None)
    return [
        Told(name, known.get(name), found.get(name, nothing))
        for name in (*known, *(name for name in found if name not in known))
    ]


def send_test(actor: Actor) -> Iterator[tuple[Receiver, Message | None]]:
    """Send a test to each receiver of the settings, one after the other: with each why it did not
    arrive, or None."""
    require(actor, RULE_DRAIN)
    return ((one, _tested(one)) for one in settings.current().receivers)


def _tested(receiver: Receiver) -> Message | None:
    now, at = settings.current(), store.now()
    letter = notify.letter_for_test(str(uuid4()), now.notify_language, now.horizon_url, at)
    failed = notify.deliver(receiver, letter, at)
    return failed.why if failed else None

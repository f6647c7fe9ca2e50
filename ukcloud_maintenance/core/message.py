"""What there is to say, as values: a stable code and what the sentence names. Pure.

Nothing here is text that a reader sees. The sentences are templates (the package `messages`) that
the edges fill in: pages in the reader's language, commands and exports in English. So a sentence
is never parsed, and a program can go by the code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, overload

#: The code of what has no code of its own: text from before there were codes, or words of others.
TEXT = "text"
#: The codes of what is put together of messages: sentences of a paragraph, and lines.
SEVERAL = "several"
LINES = "lines"
#: How many things of a list a message names.
NAMED = 10


@dataclass(frozen=True)
class Message:
    """One thing to say.

    :param code: stable, in lower case, e.g. ``status_shelved``; the documentation lists it
    :param values: what the template names: texts, numbers (sizes in bytes, times in seconds),
        moments, further messages, and lists of these. What OpenStack or an operator wrote is a
        value to the letter. They are kept as they are stored, moments in ISO 8601, so that a
        message is the same before and after.
    """

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {name: _kept(value) for name, value in self.values.items()}
        object.__setattr__(self, "values", kept)

    def __str__(self) -> str:
        """For those who look for a fault; what a reader sees is rendered."""
        return f"{self.code} {dict(self.values)}" if self.values else self.code


class MessageError(Exception):
    """An error that says what there is to say as a message; `str()` is for those who look for a
    fault.

    :param said: the cause, and what can be done about it
    """

    def __init__(self, said: Message):
        super().__init__(said)
        self.said = said

    def __str__(self) -> str:
        return str(self.said)


def message(code: str, /, **values: Any) -> Message:
    """A message of a code, with the values that its template names."""
    return Message(code, values)


@overload
def several(first: Message, /, *rest: Message | None) -> Message: ...


@overload
def several(*messages: Message | None) -> Message | None: ...


def several(*messages: Message | None) -> Message | None:
    """Messages as one, said one behind the other; None where there is none."""
    said = [one for one in messages if one is not None]
    return said[0] if len(said) == 1 else Message(SEVERAL, {"parts": said}) if said else None


def lines(first: Message, *rest: Message) -> Message:
    """A message whose parts are a line each."""
    return Message(LINES, {"first": first, "rest": rest}) if rest else first


def some(values: Iterable[Any], most: int = NAMED) -> tuple[Any, ...]:
    """The first few of a list, and how many there are beyond."""
    everything = tuple(values)
    beyond = len(everything) - most
    return (*everything[:most], message("and_more", count=beyond)) if beyond > 0 else everything


def available(values: Iterable[str]) -> tuple[Any, ...]:
    """What there is in place of what there is not, in order; that there is none is said, too."""
    return some(sorted(values)) or (message("none_available"),)


def holds(one: Message | None, *codes: str) -> bool:
    """Whether a message, or one that it is put together of, has one of these codes."""
    if one is None:
        return False
    return one.code in codes or any(
        holds(part, *codes)
        for value in one.values.values()
        for part in (value if isinstance(value, tuple) else (value,))
        if isinstance(part, Message)
    )


def text(words: str) -> Message:
    """Words that are shown as they are, in every language."""
    return Message(TEXT, {"text": words})


def as_json(one: Message) -> dict[str, Any]:
    """Plain values, to be stored and exported; times in ISO 8601 with their offset."""
    return {"code": one.code, "values": {name: _plain(v) for name, v in one.values.items()}}


def all_as_json(messages: Iterable[Message]) -> list[dict[str, Any]]:
    return [as_json(one) for one in messages]


def from_json(stored: Any) -> Message:
    """The message that :func:`as_json` made these values of.

    :raises ValueError: they are not such values
    """
    if not _is_message(stored):
        raise ValueError(f"not a stored message: {stored!r}")
    return Message(stored["code"], {name: _live(v) for name, v in stored["values"].items()})


def _is_message(stored: Any) -> bool:
    return (
        isinstance(stored, dict)
        and stored.keys() == {"code", "values"}
        and isinstance(stored["code"], str)
        and isinstance(stored["values"], dict)
    )


def _kept(value: Any) -> Any:
    """A value as it comes back from where it is stored."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Message):
        return value
    if isinstance(value, str):
        return str(value)  # an enum's member is its value
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return tuple(_kept(one) for one in value)
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return as_json(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _live(value: Any) -> Any:
    if _is_message(value):
        return from_json(value)
    if isinstance(value, list):
        return tuple(_live(one) for one in value)
    return value

"""The documents for programs: the keys of each JSON object, and what they mean. Pure.

A shape stands beside the code that makes its object, and the object is made through it, so that no
key is made that is not explained. The reference of JSON is made of the shapes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from .backports import UTC
from .message import Message


class Said(Protocol):
    """Writes a message under a name: its text, and beside it its code and values."""

    def __call__(self, name: str, one: Message | None, /) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Keys:
    """Keys that are explained together; see :func:`keys`."""

    names: tuple[str, ...]
    meaning: str
    said: tuple[str, ...] = ()
    inner: "Shape | None" = None
    form: str = ""
    maybe: bool = False

    def __iter__(self) -> Iterator[str]:
        """As they stand in the object."""
        yield from self.names
        for name in self.said:
            yield from (name, f"{name}_code", f"{name}_values")


#: What is below a key: an object, a list of them, objects by names that are not ours, or values
#: by such names.
ONE, EACH, BY_NAME, FREE = "one", "each", "by_name", "free"


def keys(
    names: str,
    meaning: str,
    *,
    said: str = "",
    one: "Shape | None" = None,
    each: "Shape | None" = None,
    by_name: "Shape | None" = None,
    free: bool = False,
    maybe: bool = False,
) -> Keys:
    """Keys that are explained together, or one below which there are others.

    :param names: with blanks between them
    :param meaning: as the documentation says it
    :param said: those that are messages, and have their code and values beside them
    :param one: what it has below it: an object, or null
    :param each: a list of objects
    :param by_name: objects by names that are not ours
    :param free: values by such names
    :param maybe: whether it may be missing; the meaning says when
    """
    below = {ONE: one, EACH: each, BY_NAME: by_name}
    form = next((form for form, shape in below.items() if shape), FREE if free else "")
    inner = one or each or by_name
    return Keys(tuple(names.split()), meaning, tuple(said.split()), inner, form, maybe)


class Shape:
    """One JSON object.

    :ivar title: what the documentation calls it
    :ivar about: what there is to say of the whole of it, or empty
    :ivar elsewhere: who gets it besides those who run a command that prints it, or empty
    """

    def __init__(self, title: str, *rows: Keys, about: str = "", elsewhere: str = ""):
        self.title, self.rows = title, rows
        self.about, self.elsewhere = about, elsewhere
        self.required = {name for row in rows if not row.maybe for name in row}
        self.known = {name for row in rows for name in row}

    def __repr__(self) -> str:
        return f"<{self.title}>"

    def made(self, /, **values: Any) -> dict[str, Any]:
        """The object of these values.

        :raises TypeError: a key is none of its own, or is missing
        """
        if wrong := (values.keys() - self.known) | (self.required - values.keys()):
            raise TypeError(self.title, *sorted(wrong))
        return values

    def of(self, thing: Any, said: Said, /, **given: Any) -> dict[str, Any]:
        """The object of something that has the same names; see :func:`plain`.

        :param given: what it has not, or not in the same way
        """
        found: dict[str, Any] = {}
        for row in self.rows:
            if row.maybe and row.names[0] not in given:
                continue
            for name in row.names:
                found[name] = given[name] if name in given else plain(getattr(thing, name))
            for name in row.said:
                found |= said(name, getattr(thing, name))
        return self.made(**found | given)


@dataclass(frozen=True)
class Printed:
    """A document that a command prints.

    :param arguments: what is typed besides `--json`, as the documentation says it
    :param many: it prints a list of them
    """

    shape: Shape
    arguments: str = ""
    many: bool = False


def plain(value: Any) -> Any:
    """A value as documents have it: times in ISO 8601, null for an empty text."""
    if isinstance(value, datetime):
        return iso(value)
    return None if value == "" else value


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""The parts of a setting that is a dict of dicts: each is taken out by its kind, and what is wrong
with it is noted.

Texts are not quoted where they are wrong: they may hold a secret.
"""

import re
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any
from urllib.parse import urlsplit

from ..core.signing import BASE64, KEY_MIN, is_secret

#: What is filled in where a text names it in braces.
VALUES = ("host", "run", "reason")
#: A header's value: no control characters, no blanks at its ends.
_HEADER = re.compile(r"(?! )[\x20-\x7e\xa0-\xff]*(?<! )")


class Parts:
    """A dict whose values are taken out one by one; what is wrong with them is noted.

    :param where: the keys that lead to it, as they are written in Python
    :param found: where it is noted
    """

    def __init__(self, given: Mapping[Any, Any], where: str, found: list[str]):
        self.given, self.where, self.found = given, where, found
        self.known: set[str] = set()

    def wrong(self, key: str, problem: str) -> None:
        self.found.append(f"{self.where}{f'[{key!r}]' if key else ''} {problem}.")

    def close(self) -> None:
        """Everything that may be there was taken."""
        for key in self.given:
            if key not in self.known:
                self.wrong("", f"has no {key!r}; known are {', '.join(sorted(self.known))}")

    def _take(self, key: str, kinds: tuple[type, ...], default: Any) -> Any:
        """None where it is of another kind, or there is none and no default."""
        self.known.add(key)
        value = self.given.get(key, default)
        if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)):
            return value
        if key in self.given:
            names = " or ".join(kind.__name__ for kind in kinds)
            self.wrong(key, f"must be {names}, not {type(value).__name__}")
        elif default is None:
            self.wrong("", f"lacks {key!r}")
        return None

    def inner(self, key: str) -> "Parts | None":
        value = self._take(key, (dict,), None)
        return None if value is None else Parts(value, f"{self.where}[{key!r}]", self.found)

    def text(self, key: str, default: str | None = None, *, empty: bool = False) -> str:
        value = self._take(key, (str,), default)
        if value == "" and not empty:
            self.wrong(key, "must not be empty")
        if value and "\0" in value:
            self.wrong(key, "must have no NUL")
        return value or ""

    def number(self, key: str, default: float, minimum: float, maximum: float) -> float:
        value = self._take(key, (int, float), default)
        if value is not None and not minimum <= value <= maximum:
            self.wrong(key, f"must be between {minimum} and {maximum}, not {value!r}")
        return float(value or 0)

    def flag(self, key: str) -> bool:
        return bool(self._take(key, (bool,), False))

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        value = self._take(key, (list, tuple), default)
        if value is None:
            return ()
        if not all(isinstance(one, str) and one and "\0" not in one for one in value):
            self.wrong(key, "must have texts alone, none of them empty or with a NUL")
            return ()
        if not value and default is None:
            self.wrong(key, "must not be empty")
        return tuple(value)

    def some_of(self, key: str, choices: tuple[str, ...]) -> tuple[str, ...]:
        value = self.texts(key, ())
        if others := [one for one in value if one not in choices]:
            self.wrong(key, f"has {others[0]!r}; known are {', '.join(choices)}")
        return tuple(one for one in choices if one in value)

    def argv(self, key: str) -> tuple[str, ...]:
        value = self.texts(key)
        for one in value:
            for problem in _misfits(one):
                self.wrong(key, problem)
        return value

    def pairs(self, key: str, name: str) -> Mapping[str, str]:
        """A dict of texts whose keys are a `name` each, as a regular expression."""
        value = self._take(key, (dict,), {}) or {}
        for one, told in value.items():
            if not isinstance(one, str) or not re.fullmatch(name, one):
                self.wrong(key, f"has a name that cannot be used: {one!r}")
            elif not isinstance(told, str):
                self.wrong(key, f"must have text for {one!r}, not {type(told).__name__}")
        return dict(value)

    def environment(self, key: str) -> Mapping[str, str]:
        value = self.pairs(key, r"[A-Za-z_][A-Za-z0-9_]*")
        for one, told in value.items():
            if isinstance(told, str) and "\0" in told:
                self.wrong(key, f"has a NUL in {one!r}")
        return value

    def headers(self, key: str) -> Mapping[str, str]:
        value = self.pairs(key, r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
        for one, told in value.items():
            if isinstance(told, str) and not _HEADER.fullmatch(told):
                self.wrong(key, f"has characters in {one!r} that no header may have")
        return value

    def secret(self, key: str) -> str:
        """One that requests are signed with, see core.signing."""
        given = self.text(key)
        if given and not is_secret(given):
            self.wrong(
                key,
                f"must be a text of at least {KEY_MIN} characters, or {BASE64} and at least"
                f" {KEY_MIN} bytes in base64",
            )
        return given

    def address(self, key: str) -> str:
        value = self.text(key)
        if value and (problem := _no_address(value)):
            self.wrong(key, problem)
        return value

    def body(self, key: str) -> Mapping[str, Any] | None:
        if key not in self.given:
            self.known.add(key)
            return None
        value = self._take(key, (dict,), None)
        for problem in _unsendable(value or {}):
            self.wrong(key, problem)
        return value


def _no_address(url: str) -> str:
    """Why it is no address of a server; without a word of it, for it may hold a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f\x7f]", url):
        return "must be an address that begins with http:// or https:// and a host"
    return "must have no #fragment" if parts.fragment else ""


def _misfits(text: str) -> Iterator[str]:
    """What is in braces in a text and cannot be filled in."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        yield "has a single brace; {{ and }} stand for braces"
        return
    for _literal, name, spec, conversion in parts:
        if name is not None and (name not in VALUES or spec or conversion):
            found = f"{{{name}}}" if name.isidentifier() and name not in VALUES else "braces"
            known = ", ".join(f"{{{one}}}" for one in VALUES)
            yield (
                f"has {found} that cannot be filled in; {known} can, and {{{{ and }}}} stand for"
                " braces"
            )


def _unsendable(value: Any) -> Iterator[str]:
    """What in a body cannot be sent as JSON."""
    if isinstance(value, str):
        yield from _misfits(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                yield f"has the key {key!r}, which is no text"
            yield from _unsendable(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _unsendable(inner)
    elif value is not None and not isinstance(value, bool | int | float):
        yield f"has a {type(value).__name__}, which JSON lacks"

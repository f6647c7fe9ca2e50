"""Who is told: the settings NOTIFY and WEBHOOKS.

Their addresses are secrets. What is said of a wrong one names its place and the key, never a value.
"""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..core.notices import TOPICS
from ..core.signing import BASE64, KEY_MIN, is_secret, key_of

#: What a receiver may be called.
_NAME = re.compile(r"[\w.@-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Receiver:
    """Somebody who is told.

    :param name: what the database and all output call it
    :param url: an address of Apprise or of a webhook, which nothing may show
    :param topics: of what; see core.notices
    :param key: what a webhook's notices are signed with; empty: it is told by Apprise
    """

    name: str
    url: str = field(repr=False)
    topics: frozenset[str]
    key: bytes = field(default=b"", repr=False)

    @property
    def is_webhook(self) -> bool:
        return bool(self.key)


def receivers(
    notify: Sequence[Mapping[str, Any]], webhooks: Sequence[Mapping[str, Any]]
) -> tuple[Receiver, ...]:
    """The receivers of both settings, each of which was found fine."""
    return tuple(
        Receiver(
            _name_of(one),
            one["url"],
            frozenset(one.get("on", TOPICS)),
            key_of(one["secret"]) if "secret" in one else b"",
        )
        for one in (*notify, *webhooks)
    )


def wrong_notify(value: Any) -> str:
    """What is wrong with NOTIFY, or empty."""
    return _wrong(value, {"url", "on", "name"})


def wrong_webhooks(value: Any) -> str:
    """What is wrong with WEBHOOKS, or empty."""
    return _wrong(value, {"url", "secret", "on", "name"})


def same_names(notify: Sequence[Mapping[str, Any]], webhooks: Sequence[Mapping[str, Any]]) -> str:
    """A name that two receivers have, or empty. Names that differ in case alone are the same:
    MariaDB does not tell them apart."""
    names = [_name_of(one) for one in (*notify, *webhooks)]
    folded = [name.casefold() for name in names]
    return next((name for name in names if folded.count(name.casefold()) > 1), "")


def _wrong(value: Any, keys: Collection[str]) -> str:
    if not isinstance(value, list | tuple):
        return f"must be a list of dicts, not {type(value).__name__}"
    for number, one in enumerate(value, 1):
        if not isinstance(one, dict):
            return f"must be a list of dicts; number {number} is of type {type(one).__name__}"
        if problem := _wrong_one(one, keys):
            return f"has a wrong receiver, number {number}: {problem}"
    return ""


def _wrong_one(one: Mapping[Any, Any], keys: Collection[str]) -> str:
    if one.keys() - keys:
        return f"it has a key that is none of {', '.join(sorted(keys))}"
    if not _is_address(one.get("url"), web="secret" in keys):
        kind = "the address of a web server, https://…" if "secret" in keys else "an Apprise URL"
        return f'"url" must be {kind}'
    if "secret" in keys and not is_secret(one.get("secret")):
        return (
            f'"secret" must be a text of at least {KEY_MIN} characters, or {BASE64} and at least'
            f" {KEY_MIN} bytes in base64"
        )
    on = one.get("on", TOPICS)
    if not isinstance(on, list | tuple) or not on or not set(map(str, on)) <= set(TOPICS):
        return f'"on" must be a list of {", ".join(TOPICS)}'
    name = one.get("name", "a")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return '"name" must be 1 to 64 letters, digits or . _ @ -'
    return ""


def _is_address(url: Any, *, web: bool) -> bool:
    if not isinstance(url, str) or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
        named = bool(parts.scheme) and "://" in url
        return parts.scheme in ("http", "https") and bool(parts.hostname) if web else named
    except ValueError:
        return False


def _name_of(one: Mapping[str, Any]) -> str:
    """Its name, or one that stays the same while it is told at the same service. No user, password
    or path of the address goes into that."""
    if name := one.get("name"):
        return str(name)
    parts = urlsplit(one["url"])
    where = hashlib.sha256(f"{parts.scheme}://{parts.hostname}".encode()).hexdigest()
    return f"{parts.scheme}-{where[:8]}"

"""Text in columns of a MariaDB or MySQL whose character set lacks some characters.

Before Django 5.2 a connection has the character set `utf8`, which has no emoji, unless OPTIONS
names another one; and before MariaDB 11.6 a database made without one has `latin1`. What Nova and
Keystone call things must not stop a worker there, so that each character that cannot be stored is
replaced. What a person enters is refused instead: see :func:`lost`.
"""

import re
from typing import Any, NamedTuple
from uuid import uuid4

from django.db import connection, models


class _Narrow(NamedTuple):
    lacks: re.Pattern[str]
    stand_in: str


_BMP = _Narrow(re.compile(r"[^\u0000-\uffff]"), "\N{REPLACEMENT CHARACTER}")
_LATIN1 = _Narrow(re.compile(r"[^\u0000-\u00ff]"), "?")
_ASCII = _Narrow(re.compile(r"[^\u0000-\u007f]"), "?")
_NARROW = {"utf8": _BMP, "utf8mb3": _BMP, "latin1": _LATIN1}
#: the one that has all characters
WHOLE = "utf8mb4"


def character_sets(to: Any) -> set[str]:
    """The character sets that a text passes on its way into our tables; none where all databases
    of the kind store every character. One query."""
    if to.vendor != "mysql":
        return set()
    with to.cursor() as cursor:
        cursor.execute(
            "SELECT @@character_set_connection, COALESCE((SELECT character_set_name"
            " FROM information_schema.columns WHERE table_schema = DATABASE()"
            " AND table_name = 'ukcloud_maintenance_drain' AND column_name = 'reason'),"
            " @@character_set_database)"
        )
        return set(cursor.fetchone())


def lost(text: str) -> str:
    """The characters of a text that the default database cannot store, each once."""
    found = [c for narrow in _narrow(text, connection) for c in narrow.lacks.findall(text)]
    return "".join(dict.fromkeys(found))


def replaced(text: str, to: Any) -> str:
    """The text with a stand-in for each character that this database cannot store."""
    for narrow in _narrow(text, to):
        text = narrow.lacks.sub(narrow.stand_in, text)
    return text


def escaped(document: str, to: Any) -> str:
    """The same of a JSON document, which has an escape for every character: nothing is lost."""
    for narrow in _narrow(document, to):
        document = narrow.lacks.sub(_escape, document)
    return document


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _narrow(text: str, to: Any) -> list[_Narrow]:
    """What a connection is asked once, and only for a text that may be too much for it."""
    if text.isascii() or to.vendor != "mysql":
        return []
    if not hasattr(to, "_ukcloud_narrow"):
        sets = character_sets(to) - {WHOLE}
        to._ukcloud_narrow = [_NARROW.get(name, _ASCII) for name in sorted(sets)]
    found: list[_Narrow] = to._ukcloud_narrow
    return found


def new_number() -> str:
    """A UUID, as text: the type of a UUIDField is another one on MariaDB with Django 5 than it was
    before, and a Horizon that is upgraded would no longer find its rows. Migrations refer to it."""
    return str(uuid4())


class _Words(models.CharField):
    """A text that others may have written, to be read. What is compared to the letter, such as a
    host, is none: another name would be another host. For migrations it is Django's own field."""

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        value = super().get_db_prep_save(value, connection)
        return replaced(value, connection) if isinstance(value, str) else value

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class _Passage(models.TextField):
    """The same of any length."""

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        value = super().get_db_prep_save(value, connection)
        return replaced(value, connection) if isinstance(value, str) else value

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs


#: A value is a text: for mypy it is as Django's own fields are, which have no types.
Words: Any = _Words
Passage: Any = _Passage

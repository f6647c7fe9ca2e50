"""Databases for the tests: settings from a URL, and real servers on loopback."""

from typing import Any
from urllib.parse import unquote, urlsplit

_ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
}


def from_url(url: str) -> dict[str, Any]:
    """An entry of Django's DATABASES, e.g. for ``postgresql://user:password@127.0.0.1:5433/name``.

    ``sqlite://`` alone is a database in memory, ``sqlite:////absolute/file`` a file.
    """
    parts = urlsplit(url)
    settings: dict[str, Any] = {"ENGINE": _ENGINES[parts.scheme]}
    if parts.scheme == "sqlite":
        return settings | {"NAME": parts.path[1:] or ":memory:", "OPTIONS": {"timeout": 60}}
    return settings | {
        "NAME": parts.path.lstrip("/"),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
    }

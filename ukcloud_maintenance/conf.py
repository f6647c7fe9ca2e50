"""The settings by a function each: for callers that do not read `settings.current()` yet."""

from collections.abc import Callable
from typing import Any

from . import settings
from .settings import NAME

__all__ = ["NAME", "cloud_of"]


def __getattr__(name: str) -> Callable[[], Any]:
    if not hasattr(settings.Settings, name) and name.upper() not in {
        one.name for one in settings.SETTINGS
    }:
        raise AttributeError(name)
    return lambda: getattr(settings.current(), name)


def cloud_of(region: str) -> str:
    """See :meth:`settings.Settings.cloud_of`."""
    return settings.current().cloud_of(region)

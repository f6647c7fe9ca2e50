"""The settings of who is told of what, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .receivers import Receiver, receivers, wrong_notify, wrong_webhooks
from .schema import setting


def _wrong_base(value: Any) -> str:
    """What is wrong with HORIZON_URL, or empty."""
    if not isinstance(value, str):
        return f"must be str, not {type(value).__name__}"
    try:
        parts = urlsplit(value)
        fine = parts.scheme in ("http", "https") and parts.hostname and not parts.username
    except ValueError:
        fine = None
    return "" if not value or fine else "must be like https://cloud.example.com/horizon"


@dataclass(frozen=True)
class Notices:
    """Who is told; only the worker and `maintenance_notify` read it."""

    notify: Sequence[Mapping[str, Any]] = setting(
        (),
        "list of dicts: url, on, name",
        "Who is told by Apprise of what happens: `url` is a URL of Apprise, `on` a list of events"
        " (without it: all), `name` what the output calls it. See"
        " [Notifications](notifications.md).",
        check=wrong_notify,
    )
    webhooks: Sequence[Mapping[str, Any]] = setting(
        (),
        "list of dicts: url, secret, on, name",
        "Web servers that are sent each event as signed JSON: `secret` is the key of the"
        " signature, at least 16 characters.",
        check=wrong_webhooks,
    )
    notify_language: str = setting(
        "en",
        "en or de",
        "The language of notices.",
        choices=("en", "de"),
    )
    horizon_url: str = setting(
        "",
        "an http or https URL; empty: no links",
        "Where Horizon is for those who are told, with its WEBROOT: notices link to its pages.",
        check=_wrong_base,
    )

    @property
    def receivers(self) -> tuple[Receiver, ...]:
        """Who is told, in the order of the settings."""
        return receivers(self.notify, self.webhooks)

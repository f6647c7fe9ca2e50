"""Checks, as a page shows them."""

from collections.abc import Iterable
from dataclasses import replace

from ukcloud_maintenance.core.host.certificate import Check

from . import labels


def told(checks: Iterable[Check]) -> list[Check]:
    """The same checks, in the language of the reader."""
    return [
        replace(check, text=labels.said(check.text), details=tuple(map(labels.said, check.details)))
        for check in checks
    ]

"""Checks, as a page shows them."""

from collections.abc import Iterable
from dataclasses import dataclass

from ukcloud_maintenance.core.host.certificate import Check

from .words import said


@dataclass(frozen=True)
class Told:
    """A check in the language of the reader."""

    code: str
    passed: bool
    text: str
    details: tuple[str, ...]


def told(checks: Iterable[Check]) -> list[Told]:
    return [
        Told(check.code, check.passed, said(check.found), tuple(map(said, check.details)))
        for check in checks
    ]

"""Checks, as a page shows them."""

from collections.abc import Iterable
from dataclasses import dataclass

from ukcloud_maintenance.core.host.certificate import NO_SERVERS, Check

from .words import said


@dataclass(frozen=True)
class Told:
    """A check in the language of the reader.

    :param is_above: some of its details are in the list "Needs you" of the same page, and left out
    """

    code: str
    passed: bool
    text: str
    details: tuple[str, ...]
    is_above: bool = False


def told(checks: Iterable[Check], above: frozenset[str] = frozenset()) -> list[Told]:
    """:param above: servers that the page tells of already, as `emptiness.called` has them"""
    return [_told(check, above) for check in checks]


def _told(check: Check, above: frozenset[str]) -> Told:
    known = above if check.code == NO_SERVERS else ()
    rest = tuple(d for d in check.details if d.values.get("server") not in known)
    is_above = len(rest) < len(check.details)
    return Told(check.code, check.passed, said(check.found), tuple(map(said, rest)), is_above)

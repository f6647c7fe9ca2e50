"""What stands against the drain of a host, or is to be known before it, each thing once."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from ukcloud_maintenance.core.message import Message
from ukcloud_maintenance.core.preflight.verdicts import Kind

from ..common import formats, words
from ..common.labels import Label
from .rows import Row
from .words import COMMON, STOPPED, verdict_label

#: from the worst to what is only to be known
BLOCKED, NO_PLACE, STAYS, DOWNTIME, CONFIRM, TO_KNOW = range(6)


@dataclass(frozen=True)
class Issue:
    """One thing that stands against the drain of a host, or is to be known before it.

    :param names: the instances that it is about
    """

    weight: int
    label: Label
    names: str
    text: str
    remedy: str = ""


def issues_of(rows: Sequence[Row]) -> list[Issue]:
    """What is to be said of a host, the worst first, each once with the names it is about."""
    found: dict[tuple[int, str, str], list[str]] = {}
    for row in rows:
        for weight, said in _said_of(row):
            key = weight, words.said(said, remedy=False), words.remedy(said)
            found.setdefault(key, []).append(row.name)
    issues = [
        Issue(weight, _label(weight), formats.abbreviate(names), text, remedy)
        for (weight, text, remedy), names in found.items()
    ]
    return sorted(issues, key=lambda issue: issue.weight)


def _said_of(row: Row) -> list[tuple[int, Message | None]]:
    verdict = row.planned.verdict
    weights = {Kind.BLOCKED.value: BLOCKED, Kind.STAYS.value: STAYS}
    said: list[tuple[int, Message | None]] = []
    if row.group in weights:
        said.append((weights[row.group], verdict.said))
    known = {"no_place": NO_PLACE, "downtime": DOWNTIME}
    for caution in verdict.cautions:
        if caution.code not in COMMON:
            weight = known.get(caution.code, TO_KNOW)
            if weight == TO_KNOW and row.group == Kind.CONFIRM.value:
                weight = CONFIRM
            said.append((weight, caution.said))
    return said


def _label(weight: int) -> Label:
    return {
        BLOCKED: verdict_label(Kind.BLOCKED.value),
        NO_PLACE: Label(_("No host found"), "warning", "inbox"),
        STAYS: verdict_label(Kind.STAYS.value),
        DOWNTIME: verdict_label(STOPPED),
        CONFIRM: verdict_label(Kind.CONFIRM.value),
        TO_KNOW: Label(_("Notes"), "default", "info-circle"),
    }[weight]

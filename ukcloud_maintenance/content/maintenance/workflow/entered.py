"""What was entered so far in the Drain Host workflow, as far as it makes sense."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ukcloud_maintenance.core.preflight.verdicts import Choice
from ukcloud_maintenance.services import PreflightChoices

from ..common.fields import SCHEDULER

#: the fields of the first step: one of each for an instance, its id behind
CHOICE, NOTE = "choice-", "note-"


@dataclass(frozen=True)
class Entered:
    """What was chosen and noted for instances, by server id."""

    choices: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, posted: Mapping[str, str]) -> "Entered":
        def under(prefix: str) -> dict[str, str]:
            found = {n.removeprefix(prefix): v.strip() for n, v in posted.items()}
            return {k: v for k, v in found.items() if f"{prefix}{k}" in posted and v}

        return cls(under(CHOICE), under(NOTE))

    @property
    def known_choices(self) -> dict[str, str]:
        return {k: v for k, v in self.choices.items() if v in list(Choice)}

    def fields_without(self, shown: set[str]) -> list[tuple[str, str]]:
        """What was entered for instances that are not shown.

        :param shown: server ids
        """
        every = [(CHOICE, k, v) for k, v in self.choices.items()]
        every += [(NOTE, k, v) for k, v in self.notes.items()]
        return [(f"{prefix}{k}", v) for prefix, k, v in every if k not in shown]

    def for_preflight(self, posted: Mapping[str, str], ceiling: int) -> PreflightChoices:
        """What the preflight looks different for.

        :param ceiling: the most migrations at once that may be requested
        """
        if "reason" not in posted:
            return PreflightChoices()
        destination = posted.get("destination", "").strip()
        entered = posted.get("max_concurrent", "").strip()
        at_once = int(entered) if entered.isdecimal() and len(entered) < 5 else 0
        return PreflightChoices(
            self.known_choices,
            move_locked="move_locked" in posted,
            max_concurrent=at_once if 1 <= at_once <= ceiling else None,
            destination="" if destination == SCHEDULER else destination,
            follow_estimate=destination != SCHEDULER,
        )

"""What was entered so far in the Drain Host workflow, as far as it makes sense."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ukcloud_maintenance.core.preflight.verdicts import Choice
from ukcloud_maintenance.services import PreflightChoices

from ..common.fields import SCHEDULER

#: the fields of the first step without a script: one of each for an instance, its id behind
CHOICE, NOTE = "choice-", "note-"
#: what is entered for all others, in one field: Django takes 1,000. A line for each instance:
#: its id, what is chosen or nothing, and the note, with a blank between two.
LIST = "choices"


@dataclass(frozen=True)
class Entered:
    """What was chosen and noted for instances, by server id."""

    choices: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, posted: Mapping[str, str]) -> "Entered":
        choices: dict[str, str] = {}
        notes: dict[str, str] = {}
        for line in re.split(r"\r?\n", posted.get(LIST, "")):
            server, choice, note = (*line.split(" ", 2), "", "")[:3]
            choices[server], notes[server] = choice, note
        for name in posted:
            for prefix, found in ((CHOICE, choices), (NOTE, notes)):
                if name.startswith(prefix):
                    found[name.removeprefix(prefix)] = posted[name]
        return cls(*({k: v.strip() for k, v in d.items() if v.strip()} for d in (choices, notes)))

    @property
    def known_choices(self) -> dict[str, str]:
        return {k: v for k, v in self.choices.items() if v in list(Choice)}

    def listed(self, but: set[str]) -> str:
        """What was entered for all but these, as `LIST` has it.

        :param but: server ids
        """

        def line(server: str) -> str:
            # A word each, and one line, whatever was sent: the note is all that follows.
            words = ("_".join(one.split()) for one in (server, self.choices.get(server, "")))
            note = " ".join(self.notes.get(server, "").split())
            return " ".join((*words, note)).rstrip()

        return "\n".join(line(k) for k in self.choices | self.notes if k not in but)

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

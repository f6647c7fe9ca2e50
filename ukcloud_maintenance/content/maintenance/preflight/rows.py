"""The instances of a preflight: what is said of each, and what each choice would make of it.

The rows carry what each choice would make of them, so that the script on the page keeps summary
and review in step without asking again; the sentences are the server's in any case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ukcloud_maintenance.core.facts import Server
from ukcloud_maintenance.core.preflight.verdicts import Choice, Verdict
from ukcloud_maintenance.services import HostPreflight, Planned

from ..common import formats
from .words import GROUPS, choice_text, group_of, verdict_html, verdict_label

#: what can be chosen, by status; nothing for what Nova moves in no way
CHOICES: Mapping[str, tuple[Choice, ...]] = {
    "ACTIVE": (Choice.LIVE, Choice.COLD, Choice.STAY),
    "PAUSED": (Choice.LIVE, Choice.STAY),
    "SHUTOFF": (Choice.COLD, Choice.STAY),
    "VERIFY_RESIZE": (Choice.CONFIRM, Choice.STAY),
    "SUSPENDED": (),
    "SHELVED": (),
    "SOFT_DELETED": (),
}


@dataclass(frozen=True)
class Option:
    """One choice, and what it would make of the instance.

    :param says: the place of what would be said then, in `Preflight.sayings`
    :param group_locked: the same where locked instances are not moved
    """

    value: str
    text: str
    selected: bool
    group: str
    says: int
    group_locked: str = ""
    says_locked: int = 0


@dataclass(frozen=True)
class Row:
    planned: Planned
    said: SafeString
    group: str
    options: list[Option]
    note: str
    is_here: bool

    @property
    def server(self) -> Server:
        return self.planned.server

    @property
    def name(self) -> str:
        return self.server.name or self.server.id

    @property
    def project(self) -> str:
        return self.planned.project_name or self.server.project_id

    @property
    def memory(self) -> str:
        return formats.size(self.server.memory_bytes)

    @property
    def state(self) -> str:
        server = self.server
        state = f"{server.status} ({server.task_state})" if server.task_state else server.status
        if not self.is_here and server.host:
            state = _("%(state)s on %(host)s") % {"state": state, "host": server.host}
        return state


class Rows:
    """The instances of a host, those that need a look first.

    :param notes: what was noted so far, by server id
    :param choose: whether choices are offered
    """

    def __init__(self, plan: HostPreflight, notes: Mapping[str, str], *, choose: bool):
        self._plan = plan
        self._notes = notes
        self._choose = choose
        #: what is said of an instance, each once
        self.sayings: list[SafeString] = []
        self._places: dict[str, int] = {}
        self.rows = sorted(
            (self._row(p) for p in plan.planned),
            key=lambda row: (GROUPS.index(row.group), formats.natural_key(row.name)),
        )

    def _row(self, planned: Planned) -> Row:
        server = planned.server
        return Row(
            planned,
            verdict_html(server, planned.verdict),
            group_of(server, planned.verdict),
            self._options(planned) if self._choose else [],
            self._notes.get(server.id, ""),
            server.host == self._plan.service.host,
        )

    def _options(self, planned: Planned) -> list[Option]:
        offered = CHOICES.get(planned.server.status, (Choice.STAY,))
        if not offered:
            return []
        return [self._option(planned, choice) for choice in (Choice.NONE, *offered)]

    def _option(self, planned: Planned, choice: Choice) -> Option:
        server, chosen = planned.server, planned.chosen.choice
        verdict = self._verdict(planned, choice, move_locked=True)
        text = choice_text(choice, server)
        if choice is Choice.NONE:
            text = f"{text}: {verdict_label(group_of(server, verdict)).text}"
        group, says = group_of(server, verdict), self._saying(server, verdict)
        locked = ("", 0)
        if server.locked and choice is Choice.NONE:
            left = self._verdict(planned, choice, move_locked=False)
            locked = (group_of(server, left), self._saying(server, left))
        return Option(choice.value, text, choice is chosen, group, says, *locked)

    def _verdict(self, planned: Planned, choice: Choice, *, move_locked: bool) -> Verdict:
        chosen = replace(planned.chosen, choice=choice, move_locked=move_locked)
        if chosen == planned.chosen:
            return planned.verdict
        return self._plan.if_chosen(planned, chosen)

    def _saying(self, server: Server, verdict: Verdict) -> int:
        html = verdict_html(server, verdict)
        if html not in self._places:
            self._places[html] = len(self.sayings)
            self.sayings.append(html)
        return self._places[html]

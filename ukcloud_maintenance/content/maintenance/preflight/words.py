"""What a drain would do, as the workflow and the check show it: summary, instances, hosts.

The rows carry what each choice would make of them, so that the script on the page keeps summary
and review in step without asking again; the sentences are the server's in any case.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance import services
from ukcloud_maintenance.core.copying.duration import ASSUMED_OVERHEAD, Duration
from ukcloud_maintenance.core.facts import Server
from ukcloud_maintenance.core.preflight.packing import HostFill
from ukcloud_maintenance.core.preflight.verdicts import Caution, Choice, Kind, Verdict
from ukcloud_maintenance.services import DrainPlan, Planned

from ..common import formats, labels
from ..common.formats import about
from ..common.labels import Label

MIB = 1024**2
#: more hosts than this are folded
HOSTS_SHOWN = 8
#: names of instances that are told of a host
NAMES_SHOWN = 6

#: What is told apart of the cold ones, because its user notices: it runs, and is stopped.
STOPPED = "stopped"
#: those that need a look first
GROUPS = (
    Kind.BLOCKED.value,
    Kind.STAYS.value,
    Kind.CONFIRM.value,
    STOPPED,
    Kind.COLD.value,
    Kind.LIVE.value,
)
#: what is worth a word, but no warning; what is worth more than one
COMMON = frozenset({"local_disk"})
STRONG = frozenset({"no_place", "downtime"})
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


def group_of(server: Server, verdict: Verdict) -> str:
    """Its kind, the cold ones that run told apart."""
    runs = server.status not in ("SHUTOFF", "VERIFY_RESIZE")
    return STOPPED if verdict.kind is Kind.COLD and runs else verdict.kind.value


def choice_text(choice: Choice, server: Server) -> str:
    """A choice with its consequence."""
    if choice is Choice.LIVE:
        return _("Live")
    if choice is Choice.COLD and server.status == "SHUTOFF":
        return _("Cold: moved while it is shut off")
    if choice is Choice.COLD:
        return _("Cold: stopped, moved and started again")
    if choice is Choice.CONFIRM:
        return _("Confirm the resize: it cannot be reverted then")
    if choice is Choice.STAY:
        return _("Stay on this host")
    return _("As judged")


def verdict_label(group: str) -> Label:
    known = {
        Kind.LIVE.value: Label(_("Live"), "default", "arrow-right", _("It moves while it runs.")),
        Kind.COLD.value: Label(
            _("Cold"), "default", "snowflake", _("It moves while it is shut off.")
        ),
        STOPPED: Label(
            _("Cold, stopped meanwhile"),
            "warning",
            "power-off",
            _("It is stopped, moved and started again."),
        ),
        Kind.CONFIRM.value: Label(
            _("Resize confirmed"), "warning", "check", _("It cannot be reverted then.")
        ),
        Kind.STAYS.value: Label(_("Stays"), "info", "anchor", _("It stays on this host.")),
        Kind.BLOCKED.value: Label(
            _("Blocked"), "danger", "hand", _("It is looked at again while the drain runs.")
        ),
    }
    return known[group]


def verdict_html(server: Server, verdict: Verdict) -> SafeString:
    """The verdict in a cell: label, reason, remedy, cautions."""
    group = group_of(server, verdict)
    said = [_caution_html(caution) for caution in verdict.cautions]
    reason = format_html(" {}", labels.said(verdict.reason)) if verdict.reason else ""
    remedy = (
        format_html(' <span class="mnt-quiet">{}</span>', labels.said(verdict.remedy))
        if verdict.remedy
        else ""
    )
    return format_html(
        "{}{}{}{}",
        verdict_label(group).html,
        reason,
        remedy,
        format_html_join("", "{}", ((one,) for one in said)),
    )


def _caution_html(caution: Caution) -> SafeString:
    text = labels.said(caution.text)
    if caution.code in COMMON:
        return format_html(' <span class="mnt-caution">{}</span>', text)
    return format_html(
        '<div class="mnt-caution{}"><span class="fa fa-triangle-exclamation" aria-hidden="true">'
        "</span> {}</div>",
        " mnt-caution-strong" if caution.code in STRONG else "",
        text,
    )


# -- counted ---------------------------------------------------------------------------------

Counted = Callable[[int], str]

#: of the summary; what is stopped counts as cold there
COUNTED: Mapping[str, Counted] = {
    Kind.LIVE.value: lambda n: ngettext("%(n)s leaves live", "%(n)s leave live", n),
    Kind.COLD.value: lambda n: ngettext("%(n)s cold", "%(n)s cold", n),
    Kind.CONFIRM.value: lambda n: ngettext("%(n)s to be confirmed", "%(n)s to be confirmed", n),
    Kind.STAYS.value: lambda n: ngettext("%(n)s stays", "%(n)s stay", n),
    Kind.BLOCKED.value: lambda n: ngettext("%(n)s blocked", "%(n)s blocked", n),
}
#: of the review
REVIEWED: Mapping[str, Counted] = {
    Kind.LIVE.value: lambda n: ngettext(
        "%(n)s instance is live-migrated", "%(n)s instances are live-migrated", n
    ),
    STOPPED: lambda n: ngettext(
        "%(n)s running instance is stopped, moved and started again:",
        "%(n)s running instances are stopped, moved and started again:",
        n,
    ),
    Kind.COLD.value: lambda n: ngettext(
        "%(n)s instance that is shut off is moved, and stays shut off:",
        "%(n)s instances that are shut off are moved, and stay shut off:",
        n,
    ),
    Kind.CONFIRM.value: lambda n: ngettext(
        "The resize of %(n)s instance is confirmed:",
        "The resizes of %(n)s instances are confirmed:",
        n,
    ),
    Kind.STAYS.value: lambda n: ngettext(
        "%(n)s instance stays on this host:", "%(n)s instances stay on this host:", n
    ),
    Kind.BLOCKED.value: lambda n: ngettext(
        "%(n)s instance is blocked now:", "%(n)s instances are blocked now:", n
    ),
}


@dataclass(frozen=True)
class Count:
    """A number with its words, in both forms for the script."""

    group: str
    n: int
    words: Counted
    names: str = ""
    tail: str = ""

    @property
    def text(self) -> str:
        return self.words(self.n) % {"n": formats.number(self.n)}

    @property
    def one(self) -> str:
        return self.words(1)

    @property
    def many(self) -> str:
        return self.words(2)


# -- the rows --------------------------------------------------------------------------------


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
    def is_chosen(self) -> bool:
        return bool(self.planned.wishes.choice)

    @property
    def state(self) -> str:
        server = self.server
        state = f"{server.status} ({server.task_state})" if server.task_state else server.status
        if not self.is_here and server.host:
            state = _("%(state)s on %(host)s") % {"state": state, "host": server.host}
        return state


@dataclass(frozen=True)
class Fill:
    """A resource of one host before and after."""

    text: str
    before: int
    more: int
    spoken: str


@dataclass(frozen=True)
class HostBar:
    host: str
    come: int
    names: str
    memory: Fill | None
    vcpus: Fill | None


# -- all of it -------------------------------------------------------------------------------


class Preflight:
    """A plan as it is shown.

    :param notes: what was noted so far, by server id
    :param choose: whether choices are offered
    """

    def __init__(self, plan: DrainPlan, notes: Mapping[str, str] | None = None, *, choose: bool):
        self.plan = plan
        self.notes = notes or {}
        self.choose = choose
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
            self._options(planned) if self.choose else [],
            self.notes.get(server.id, ""),
            server.host == self.plan.service.host,
        )

    def _options(self, planned: Planned) -> list[Option]:
        offered = CHOICES.get(planned.server.status, (Choice.STAY,))
        if not offered:
            return []
        return [self._option(planned, choice) for choice in (Choice.NONE, *offered)]

    def _option(self, planned: Planned, choice: Choice) -> Option:
        server, chosen = planned.server, planned.wishes.choice
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
        wishes = replace(planned.wishes, choice=choice, move_locked=move_locked)
        if wishes == planned.wishes:
            return planned.verdict
        return self.plan.if_wished(planned, wishes)

    def _saying(self, server: Server, verdict: Verdict) -> int:
        html = verdict_html(server, verdict)
        if html not in self._places:
            self._places[html] = len(self.sayings)
            self.sayings.append(html)
        return self._places[html]

    # -- the summary ---------------------------------------------------------------------

    @cached_property
    def counts(self) -> list[Count]:
        """In the order of the summary, those that are none too, for the script."""
        return [
            Count(group, self._number(group) + (group == "cold") * self._number(STOPPED), words)
            for group, words in COUNTED.items()
        ]

    @property
    def counted(self) -> list[Count]:
        return [count for count in self.counts if count.n]

    def _number(self, group: str) -> int:
        return sum(row.group == group for row in self.rows)

    @property
    def needed(self) -> str:
        """The memory that leaves, or empty."""
        return formats.size(self.plan.needed_memory_bytes) if self.plan.moving else ""

    @property
    def room(self) -> str:
        """What the others have left."""
        free, n = self.plan.free_memory_bytes, len(self.plan.receivers)
        if not n:
            return _("no other host can receive")
        if free is None:
            return ngettext(
                "what is free on %(n)s host is not known",
                "what is free on %(n)s hosts is not known",
                n,
            ) % {"n": formats.number(n)}
        return ngettext("%(size)s free on %(n)s host", "%(size)s free on %(n)s hosts", n) % {
            "size": formats.size(free),
            "n": formats.number(n),
        }

    @property
    def duration(self) -> Duration | None:
        return self.plan.duration

    @property
    def overhead(self) -> float:
        return 0 if self.duration and self.duration.samples else ASSUMED_OVERHEAD

    @property
    def time(self) -> str:
        """About how long: at best, and where Nova runs one migration at a time."""
        if not self.duration:
            return ""
        least, most = about(self.duration.seconds), about(self.duration.seconds_one_by_one)
        if least == most:
            return self.about_words % {"time": least}
        return self.range_words % {"least": least, "most": most}

    @property
    def about_words(self) -> str:
        return _("about %(time)s")

    @property
    def range_words(self) -> str:
        return _("about %(least)s to %(most)s")

    @property
    def time_note(self) -> str:
        """What the estimate of the time stands on."""
        found = self.duration
        if not found:
            return ""
        rate = formats.rate(found.rate)
        if found.samples:
            basis = ngettext(
                "%(rate)s each, learned from %(n)s migration here",
                "%(rate)s each, learned from %(n)s migrations here",
                found.samples,
            ) % {"rate": rate, "n": formats.number(found.samples)}
        else:
            basis = _("%(rate)s each is assumed, as nothing was learned here yet") % {"rate": rate}
        return _(
            "The time is an estimate: with %(n)s at once, or one by one where Nova allows no more;"
            " %(basis)s. Guests that write much and disks that are copied take longer."
        ) % {"n": formats.number(found.at_once), "basis": basis}

    @property
    def unknown(self) -> list[tuple[str, str]]:
        """What could not be read, and why."""
        return [
            (_(services.PARTS[part]), labels.said(why)) for part, why in self.plan.unknown.items()
        ]

    @property
    def homeless(self) -> str:
        """Those that find no place together with the others, with what is missing."""
        packing = self.plan.packing
        if not packing or packing.fits:
            return ""
        lost = [row for row in self.rows if row.planned.unplaced]
        names = "; ".join(self._lack(row.planned) for row in lost)
        if packing.proved:
            words = ngettext(
                "Together they do not fit: there is no place for %(n)s instance: %(names)s.",
                "Together they do not fit: there is no place for %(n)s instances: %(names)s.",
                len(lost),
            )
        else:
            words = ngettext(
                "Together they may not fit: no place was found for %(n)s instance: %(names)s.",
                "Together they may not fit: no place was found for %(n)s instances: %(names)s.",
                len(lost),
            )
        return words % {"n": formats.number(len(lost)), "names": names}

    @staticmethod
    def _lack(planned: Planned) -> str:
        found = planned.unplaced
        name = planned.server.name or planned.server.id
        if not found or not found.nearest:
            return name
        missing = ", ".join(amount(*one) for one in sorted(found.missing.items()))
        return _("%(name)s (%(missing)s missing on %(host)s)") % {
            "name": name,
            "missing": missing,
            "host": found.nearest,
        }

    # -- the review ----------------------------------------------------------------------

    @cached_property
    def review(self) -> list[Count]:
        tails = {
            STOPPED: _(
                "Their users lose them for that time, and all that is in their memory is lost."
            ),
            Kind.CONFIRM.value: _("It cannot be reverted any more."),
            Kind.STAYS.value: _(
                "The host is not empty then, and the drain ends as finished with instances left."
            ),
            Kind.BLOCKED.value: _("It is looked at again while the drain runs."),
        }
        return [
            Count(
                group,
                self._number(group),
                words,
                ", ".join(r.name for r in self.rows if r.group == group) if group != "live" else "",
                tails.get(group, ""),
            )
            for group, words in REVIEWED.items()
        ]

    @property
    def live_memory(self) -> str:
        return formats.size(self.plan.memory_bytes)

    @property
    def moves(self) -> bool:
        return any(row.planned.verdict.leaves for row in self.rows)

    @property
    def stops(self) -> bool:
        return self._number(STOPPED) > 0

    # -- the hosts -----------------------------------------------------------------------

    @cached_property
    def hosts(self) -> list[HostBar]:
        packing = self.plan.packing
        if not packing:
            return []
        names = {row.server.id: row.name for row in self.rows}
        found = [_bar(fill, names) for fill in packing.hosts]
        found += [HostBar(host, 0, "", None, None) for host in self.plan.full]
        return sorted(found, key=lambda bar: formats.natural_key(bar.host))

    @property
    def hosts_folded(self) -> bool:
        return len(self.hosts) > HOSTS_SHOWN

    @property
    def hosts_taking(self) -> int:
        return sum(1 for bar in self.hosts if bar.come)


def _bar(fill: HostFill, names: Mapping[str, str]) -> HostBar:
    come = [names.get(server, server) for server in fill.servers]
    return HostBar(
        fill.host,
        len(come),
        few(sorted(come, key=formats.natural_key)),
        _fill(fill, "MEMORY_MB", lambda n, whole: formats.size(n * MIB, like=whole * MIB)),
        _fill(fill, "VCPU", lambda n, _whole: formats.number(n)),
    )


def _fill(fill: HostFill, name: str, shown: Callable[[int, int], str]) -> Fill | None:
    total = fill.total.get(name, 0)
    if total <= 0:
        return None
    before, after = fill.used_before.get(name, 0), fill.used_after.get(name, 0)
    now, then = (min(100, round(100 * n / total)) for n in (before, after))
    words = {
        "before": shown(before, total).split(" ")[0],
        "after": shown(after, total).split(" ")[0],
        "total": shown(total, total),
    }
    if after == before:
        text = _("%(before)s of %(total)s") % words
        spoken = _("%(now)s%% used, unchanged") % {"now": now}
    else:
        text = _("%(before)s → %(after)s of %(total)s") % words
        spoken = _("%(now)s%% used now, %(then)s%% after") % {"now": now, "then": then}
    return Fill(text, now, max(0, then - now), spoken)


def few(names: Iterable[str]) -> str:
    """Some names, and how many more there are."""
    every = list(names)
    shown = ", ".join(every[:NAMES_SHOWN])
    more = len(every) - NAMES_SHOWN
    if more <= 0:
        return shown
    return ngettext("%(names)s and %(n)s more", "%(names)s and %(n)s more", more) % {
        "names": shown,
        "n": formats.number(more),
    }


def amount(resource: str, n: int) -> str:
    """An amount of a resource class, from Placement's units."""
    if resource == "MEMORY_MB":
        return _("%(size)s of memory") % {"size": formats.size(n * MIB)}
    if resource == "DISK_GB":
        return _("%(size)s of disk") % {"size": formats.size(n * 1024 * MIB)}
    return f"{formats.number(n)} {resource}"

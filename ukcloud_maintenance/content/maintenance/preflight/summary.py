"""What a drain of one host would do, as the workflow and the preflight page show it: summary,
instances, hosts."""

from collections.abc import Mapping
from functools import cached_property

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance import services
from ukcloud_maintenance.core.copying.duration import ASSUMED_OVERHEAD, Duration
from ukcloud_maintenance.core.preflight.surroundings import CODES, amounts
from ukcloud_maintenance.core.preflight.verdicts import Kind
from ukcloud_maintenance.services import HostPreflight, Planned

from ..common import formats, usage
from ..common.fields import SCHEDULER
from ..common.formats import about
from ..common.words import remedy, said
from .hosts import HostBar, host_bars
from .issues import Issue, issues_of
from .rows import Row, Rows
from .words import COUNTED, REVIEWED, STOPPED, Count

#: more hosts than this are folded
HOSTS_SHOWN = 8
#: more instances than this have no fields of their own, so that a script is needed to choose:
#: Django takes 1,000 fields
MANY = 200


class Preflight:
    """A preflight as it is shown.

    :param notes: what was noted so far, by server id
    :param choose: whether choices are offered
    :param destination: where all are to go: one host, SCHEDULER, or empty: so that the hosts stay
        even
    """

    def __init__(
        self,
        plan: HostPreflight,
        notes: Mapping[str, str] | None = None,
        *,
        choose: bool,
        destination: str = "",
    ):
        self.destination = destination
        self.plan = plan
        self.notes = notes or {}
        self.choose = choose
        found = Rows(plan, self.notes, choose=choose)
        self.rows: list[Row] = found.rows
        #: what is said of an instance, each once
        self.sayings: list[SafeString] = found.sayings

    # -- the summary ---------------------------------------------------------------------

    @cached_property
    def counted(self) -> list[Count]:
        """In the order of the summary."""
        counts = [
            Count(group, self._number(group) + (group == "cold") * self._number(STOPPED), words)
            for group, words in COUNTED.items()
        ]
        return [count for count in counts if count.n]

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
            return _("no other host can receive instances")
        if free is None:
            return ngettext(
                "the free capacity of %(n)s host is unknown",
                "the free capacity of %(n)s hosts is unknown",
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
        return formats.between(least, most)

    @property
    def time_note(self) -> str:
        """What the estimate of the time stands on."""
        found = self.duration
        if not found:
            return ""
        rate = formats.rate(found.rate)
        if found.samples:
            basis = ngettext(
                "%(rate)s each, measured in %(n)s migration here",
                "%(rate)s each, measured in %(n)s migrations here",
                found.samples,
            ) % {"rate": rate, "n": formats.number(found.samples)}
        else:
            basis = _("%(rate)s each is assumed, because no migration was measured here yet") % {
                "rate": rate
            }
        return _(
            "The time is an estimate for %(n)s at once, or one by one if Nova allows no more;"
            " %(basis)s. Guests that write a lot and disks that are copied take longer."
        ) % {"n": formats.number(found.at_once), "basis": basis}

    @cached_property
    def issues(self) -> list[Issue]:
        """What stands against it, or is to be known before, the worst first."""
        return issues_of(self.rows)

    @property
    def unknown(self) -> list[tuple[str, str]]:
        """What could not be read, and why."""
        return [(said(services.PARTS[part]), said(why)) for part, why in self.plan.unknown.items()]

    @property
    def placing(self) -> dict[str, str]:
        """That there is room for all that leave, by who chooses their hosts: what can be said of
        it is not the same. Empty where there is not, or that is not known."""
        packing = self.plan.packing
        if not self.plan.moving or not packing or not packing.fits:
            return {}
        if any(row.planned.verdict.code in CODES for row in self.rows):
            return {}  # what is around them blocks some, so that not all have a host
        if self.destination not in ("", SCHEDULER):
            words = _("%(host)s has room for all instances together.")
            return {self.destination: words % {"host": self.destination}}
        return {
            "": _(
                "Together they fit: each instance is requested to go where the hosts stay even, and"
                " Nova checks it."
            ),
            SCHEDULER: _(
                "There is room for all instances together. Nova's scheduler chooses their hosts,"
                " and may choose others than those of the estimate."
            ),
        }

    @property
    def placed(self) -> list[tuple[str, str, bool]]:
        """The same: who chooses, the words, and whether that is what is chosen now."""
        return [(who, words, who == self.destination) for who, words in self.placing.items()]

    @property
    def relief(self) -> list[tuple[str, str]]:
        """What would give room where it is missing, and how."""
        return [(said(one, remedy=False), remedy(one)) for one in self.plan.relief]

    @property
    def room_kept(self) -> str:
        """That room is kept for what other drains are still to migrate."""
        return said(self.plan.room_kept)

    @property
    def unplaced(self) -> str:
        """Those that find no place together with the others, with what is missing."""
        packing = self.plan.packing
        if not packing or packing.fits:
            return ""
        lost = [row for row in self.rows if row.planned.unplaced]
        names = formats.abbreviate((self._lack(row.planned) for row in lost), "; ")
        if packing.proved:
            words = ngettext(
                "The other hosts have no room for %(n)s instance: %(names)s.",
                "The other hosts have no room for %(n)s instances: %(names)s.",
                len(lost),
            )
        else:
            words = ngettext(
                "The other hosts may have no room: no host was found for %(n)s instance:"
                " %(names)s.",
                "The other hosts may have no room: no host was found for %(n)s instances:"
                " %(names)s.",
                len(lost),
            )
        return words % {"n": formats.number(len(lost)), "names": names}

    @staticmethod
    def _lack(planned: Planned) -> str:
        found = planned.unplaced
        name = planned.server.name or planned.server.id
        if not found or not found.nearest:
            return name
        missing = ", ".join(map(said, amounts(found.missing)))
        return _("%(name)s (%(host)s lacks %(missing)s)") % {
            "name": name,
            "missing": missing,
            "host": found.nearest,
        }

    # -- the review ----------------------------------------------------------------------

    @cached_property
    def review(self) -> list[Count]:
        tails = {
            STOPPED: _("They are unavailable during the move, and their memory contents are lost."),
            Kind.CONFIRM.value: _("A confirmed resize cannot be reverted."),
            Kind.STAYS.value: _(
                "The host will not be empty, and the drain finishes with instances that stay."
            ),
            Kind.BLOCKED.value: _(
                "The drain checks them again while it runs; if one stays blocked, the drain ends as"
                " failed."
            ),
        }
        return [
            Count(
                group,
                self._number(group),
                words,
                formats.abbreviate(r.name for r in self.rows if r.group == group != "live"),
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
        return host_bars(self.plan, {row.server.id: row.name for row in self.rows})

    @property
    def hosts_folded(self) -> bool:
        return len(self.hosts) > HOSTS_SHOWN

    @property
    def hosts_without(self) -> int:
        """How many could receive, and would receive none."""
        return len(self.plan.receivers) - len(self.hosts)

    @property
    def vcpus_title(self) -> str:
        return usage.vcpus_title()

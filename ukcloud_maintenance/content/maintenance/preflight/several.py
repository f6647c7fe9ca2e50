"""What a plan of several hosts would do: one summary, and the preflight of each host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.copying.duration import Duration
from ukcloud_maintenance.core.facts import Service
from ukcloud_maintenance.core.preflight.verdicts import Kind
from ukcloud_maintenance.services import HostPreflight, Planned, PlanPreflight

from ..common import formats, labels
from ..common.labels import Label
from ..common.words import remedy, said
from .issues import STAYS, TO_KNOW, Issue
from .summary import Preflight
from .words import Count, verdict_label


@dataclass(frozen=True)
class JointPlan(HostPreflight):
    """The preflights of several hosts as if they were one."""

    hosts: frozenset[str] = field(default_factory=frozenset)

    @property
    def moving(self) -> list[Planned]:
        return [p for p in self.planned if p.verdict.leaves and p.server.host in self.hosts]


def joined(plans: Sequence[HostPreflight], duration: Duration | None) -> JointPlan:
    """:param plans: those of `services.check_plan`, at least one; they were placed together"""
    first = plans[0]
    each = {p.server.id: p for plan in plans for p in plan.planned}
    return JointPlan(
        first.service,
        list(each.values()),
        first.destinations,
        first.receivers,
        first.capacity,
        first.packing,
        duration,
        first.unknown,
        around=first.around,
        relief=first.relief,
        kept_for=first.kept_for,
        hosts=frozenset(plan.service.host for plan in plans),
    )


class JointPreflight(Preflight):
    """The same for several hosts, in words for several."""

    @cached_property
    def review(self) -> list[Count]:
        def stay(n: int) -> str:
            return ngettext(
                "%(n)s instance stays where it is:", "%(n)s instances stay where they are:", n
            )

        said = {
            Kind.STAYS.value: {
                "words": stay,
                "tail": _(
                    "Their hosts will not be empty, and the drains finish with instances that stay."
                ),
            },
            Kind.BLOCKED.value: {
                "tail": _(
                    "The drains check them again while they run; if one stays blocked, the drain of"
                    " its host ends as failed."
                )
            },
        }
        return [replace(count, **said.get(count.group, {})) for count in super().review]


@dataclass(frozen=True)
class Remainder:
    """Instances of a host that stay, are blocked, or find no place, by name."""

    group: str
    label: Label
    names: str


class PlanHost:
    """One host of the plan that is to be made.

    :param place: its place in the order, from 0
    """

    def __init__(self, place: int, plan: HostPreflight, notes: Mapping[str, str]):
        self.place = place
        self.plan = plan
        self.preflight = Preflight(plan, notes, choose=True)
        self.refusal = plan.refusal
        refusal = plan.refusal.said if plan.refusal else None
        self.refused = said(refusal, remedy=False)
        self.remedy = remedy(refusal)
        self.issues = self.preflight.issues

    @property
    def host(self) -> str:
        return self.plan.service.host

    @property
    def service(self) -> Service:
        return self.plan.service

    @property
    def service_label(self) -> Label:
        return labels.service_status(self.plan.service)

    @property
    def number(self) -> str:
        n = len(self.preflight.rows)
        return ngettext("%(n)s instance", "%(n)s instances", n) % {"n": formats.number(n)}

    @property
    def weight(self) -> int:
        """The worst that is to be said of it."""
        return min((issue.weight for issue in self.issues), default=TO_KNOW + 1)

    @property
    def against(self) -> list[Issue]:
        """What keeps the host from being empty at the end."""
        return [issue for issue in self.issues if issue.weight <= STAYS]

    @cached_property
    def remainders(self) -> list[Remainder]:
        """What stays or does not fit: each, those that are none too, for the script."""
        rows = self.preflight.rows
        groups = (Kind.BLOCKED.value, Kind.STAYS.value)
        named = [(group, [row.name for row in rows if row.group == group]) for group in groups]
        lost = [row.name for row in rows if row.planned.unplaced and row.planned.verdict.leaves]
        found = [
            Remainder(group, verdict_label(group), formats.abbreviate(names))
            for group, names in named
        ]
        return [
            *found,
            Remainder("unplaced", Label(_("No host found"), "warning"), formats.abbreviate(lost)),
        ]

    @property
    def remains(self) -> bool:
        return any(rest.names for rest in self.remainders)


class SeveralHosts:
    """A plan as it is shown before it is requested.

    :param found: with one known host at least
    :param destination: see `Preflight`
    """

    def __init__(self, found: PlanPreflight, notes: Mapping[str, str], destination: str = ""):
        self.duration = found.duration
        self.in_region = found.in_region
        self.unknown = found.unknown
        able = [plan for plan in found.hosts if not plan.refusal]
        self.plan = joined(able or found.hosts, found.duration)
        self.joint = JointPreflight(self.plan, choose=False, destination=destination)
        self.hosts = [PlanHost(n, plan, notes) for n, plan in enumerate(found.hosts)]

    @property
    def refused(self) -> list[PlanHost]:
        """Those that cannot be drained, and must go from the plan."""
        return [host for host in self.hosts if host.refusal]

    @cached_property
    def by_need(self) -> list[PlanHost]:
        """The hosts that can be drained, those that need a look first."""
        found = [host for host in self.hosts if not host.refusal]
        return sorted(found, key=lambda host: (host.weight, host.place))

    @property
    def lead(self) -> str:
        n, hosts = len(self.joint.rows), len(self.by_need)
        return _("%(instances)s on %(hosts)s") % {
            "instances": ngettext("%(n)s instance", "%(n)s instances", n)
            % {"n": formats.number(n)},
            "hosts": ngettext("%(n)s host", "%(n)s hosts", hosts) % {"n": formats.number(hosts)},
        }

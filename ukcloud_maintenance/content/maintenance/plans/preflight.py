"""What a drain of several hosts would do: one summary, what stands against it, and each host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.copying.duration import Duration, of_plan
from ukcloud_maintenance.core.facts import Service
from ukcloud_maintenance.core.preflight.verdicts import Kind
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.services import DrainPlan, Planned

from ..common import formats, labels
from ..common.labels import Label
from ..preflight.words import COMMON, STOPPED, Count, Preflight, Row, few, verdict_label


@dataclass(frozen=True)
class JointPlan(DrainPlan):
    """The plans of several hosts as if they were one."""

    hosts: frozenset[str] = field(default_factory=frozenset)

    @property
    def moving(self) -> list[Planned]:
        return [p for p in self.planned if p.verdict.leaves and p.server.host in self.hosts]


def joined(plans: Sequence[DrainPlan], duration: Duration | None) -> JointPlan:
    """:param plans: those of `services.check_hosts`, at least one; they were placed together"""
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
        hosts=frozenset(plan.service.host for plan in plans),
    )


# -- what stands against it ------------------------------------------------------------------

#: from the worst to what is only to be known
REFUSED, BLOCKED, NO_PLACE, STAYS, DOWNTIME, CONFIRM, TO_KNOW = range(7)


@dataclass(frozen=True)
class Issue:
    """One thing that stands against the drain of a host, or is to be known before it.

    :param names: the instances that it is about, or empty: the host itself
    """

    weight: int
    label: Label
    names: str
    text: str
    remedy: str = ""


def issues_of(rows: Sequence[Row], refusal: Refused | None) -> list[Issue]:
    """What is to be said of a host, the worst first, each once with the names it is about."""
    found: dict[tuple[int, str, str], list[str]] = {}
    for row in rows:
        for key in _said_of(row):
            found.setdefault(key, []).append(row.name)
    issues = [
        Issue(weight, _label(weight), few(names), labels.said(text), labels.said(remedy))
        for (weight, text, remedy), names in found.items()
    ]
    if refusal:
        issues.append(
            Issue(
                REFUSED,
                _label(REFUSED),
                "",
                labels.said(refusal.message),
                labels.said(refusal.remedy),
            )
        )
    return sorted(issues, key=lambda issue: issue.weight)


def _said_of(row: Row) -> list[tuple[int, str, str]]:
    verdict = row.planned.verdict
    weights = {Kind.BLOCKED.value: BLOCKED, Kind.STAYS.value: STAYS}
    said = []
    if row.group in weights:
        said.append((weights[row.group], verdict.reason, verdict.remedy))
    known = {"no_place": NO_PLACE, "downtime": DOWNTIME}
    for caution in verdict.cautions:
        if caution.code not in COMMON:
            weight = known.get(caution.code, TO_KNOW)
            if weight == TO_KNOW and row.group == Kind.CONFIRM.value:
                weight = CONFIRM
            said.append((weight, caution.text, ""))
    return said


def _label(weight: int) -> Label:
    return {
        REFUSED: Label(_("Cannot be drained"), "danger", "xmark"),
        BLOCKED: verdict_label(Kind.BLOCKED.value),
        NO_PLACE: Label(_("No place found"), "warning", "box-open"),
        STAYS: verdict_label(Kind.STAYS.value),
        DOWNTIME: verdict_label(STOPPED),
        CONFIRM: verdict_label(Kind.CONFIRM.value),
        TO_KNOW: Label(_("To be known"), "default", "info-circle"),
    }[weight]


class JointPreflight(Preflight):
    """The same for several hosts, in words for several."""

    @cached_property
    def review(self) -> list[Count]:
        def stay(n: int) -> str:
            return ngettext(
                "%(n)s instance stays where it is:", "%(n)s instances stay where they are:", n
            )

        tail = _("Their hosts are not empty then, and the drains end with instances left.")
        return [
            replace(count, words=stay, tail=tail) if count.group == Kind.STAYS.value else count
            for count in super().review
        ]


# -- all of it -------------------------------------------------------------------------------


class PlanHost:
    """One host of the plan that is to be made.

    :param place: its place in the order, from 0
    """

    def __init__(self, place: int, plan: DrainPlan, notes: Mapping[str, str]):
        self.place = place
        self.plan = plan
        self.preflight = Preflight(plan, notes, choose=True)
        self.refusal = plan.refusal
        self.refused = labels.said(plan.refusal.message) if plan.refusal else ""
        self.remedy = labels.said(plan.refusal.remedy) if plan.refusal else ""
        self.issues = issues_of(self.preflight.rows, plan.refusal)

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


class PlanPreflight:
    """Several hosts as they are shown before they are drained.

    :param plans: in the order of the plan, at least one
    :param hosts_at_once: hosts that are emptied at a time; 0: all
    :param in_region: the most migrations at once in the region
    """

    def __init__(
        self,
        plans: Sequence[DrainPlan],
        notes: Mapping[str, str],
        hosts_at_once: int,
        in_region: int,
    ):
        durations = [plan.duration for plan in plans if plan.duration]
        self.duration = of_plan(durations, hosts_at_once, in_region)
        self.in_region = in_region
        self.plan = joined(plans, self.duration)
        self.joint = JointPreflight(self.plan, choose=False)
        self.hosts = [PlanHost(n, plan, notes) for n, plan in enumerate(plans)]

    @property
    def refused(self) -> list[PlanHost]:
        """Those that cannot be drained, and must go from the plan."""
        return [host for host in self.hosts if host.refusal]

    @cached_property
    def with_issues(self) -> list[PlanHost]:
        """Hosts of which something is to be said, the worst first."""
        found = [host for host in self.hosts if host.issues]
        return sorted(found, key=lambda host: (host.weight, host.place))

    @property
    def many(self) -> bool:
        """Too many instances for a field of each in one form: those left as judged send none."""
        return len(self.joint.rows) > 200

    @property
    def fits(self) -> bool:
        """Whether a place was found for all that leave, together."""
        packing = self.plan.packing
        return bool(self.plan.moving) and packing is not None and packing.fits

    @property
    def lead(self) -> str:
        n, hosts = len(self.joint.rows), len(self.hosts)
        return _("%(instances)s on %(hosts)s") % {
            "instances": ngettext("%(n)s instance", "%(n)s instances", n)
            % {"n": formats.number(n)},
            "hosts": ngettext("%(n)s host", "%(n)s hosts", hosts) % {"n": formats.number(hosts)},
        }

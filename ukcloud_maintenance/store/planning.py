"""Plans, and whose turn it is in one."""

from datetime import datetime

from django.db.models import QuerySet

from ..core.states import DRAIN_OPEN, DrainState
from ..models import Drain, Plan
from .draining import drains
from .keys import with_key


def plan(plan_id: int) -> Plan | None:
    """One plan, or None."""
    return with_key(Plan.objects.all(), plan_id).first()


def plans(region: str) -> "QuerySet[Plan]":
    """The plans of a region, newest first."""
    return Plan.objects.filter(region=region)


def drains_of_plan(plan_id: int) -> "QuerySet[Drain]":
    """The drains of a plan, in its order."""
    return with_key(drains(), plan_id, "plan_id").order_by("plan_order", "id")


def ahead_of(drain: Drain) -> tuple[list[str], list[str]]:
    """What a drain of a plan waits for: the hosts whose service is still to be disabled, and the
    hosts before it that are being emptied, as far as the plan's number at a time is full. Both
    are empty for a drain that is in no plan. Two queries."""
    if drain.plan_id is None:
        return [], []
    others = list(drains_of_plan(drain.plan_id).exclude(pk=drain.pk))
    still_open = [other for other in others if other.state in DRAIN_OPEN]
    taking = [
        other.host
        for other in still_open
        if other.host_down_since is None
        and not _is_disabled(other)
        and not _is_paused_unbegun(other)
    ]
    at_once = Plan.objects.values_list("hosts_at_once", flat=True).get(pk=drain.plan_id)
    before = [other.host for other in still_open if other.plan_order < drain.plan_order]
    return taking, before if at_once and len(before) >= at_once else []


def _is_disabled(drain: Drain) -> bool:
    known = drain.maintenance
    return known is not None and (known.found_status == "disabled" or bool(known.disabled_at))


def _is_paused_unbegun(drain: Drain) -> bool:
    """Paused before it began: its service is not disabled until it is resumed."""
    return drain.state == DrainState.PAUSED and drain.started_at is None


def create_plan(
    *, region: str, reason: str, hosts_at_once: int, actor_id: str, actor: str, now: datetime
) -> Plan:
    """Write a plan; its drains are written with it, in one transaction of the caller's.

    :param hosts_at_once: how many hosts' instances move at a time; 0: all
    """
    return Plan.objects.create(
        region=region,
        reason=reason,
        hosts_at_once=hosts_at_once,
        requested_by_id=actor_id,
        requested_by=actor,
        created_at=now,
    )

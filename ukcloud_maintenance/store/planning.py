"""Plans, and whose turn it is in one."""

from datetime import datetime

from django.db.models import QuerySet

from ..core.drain import in_plan
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
    """What a drain of a plan waits for, see core.drain.in_plan; nothing where it is in none. Two
    queries."""
    if drain.plan_id is None:
        return [], []
    others = list(drains_of_plan(drain.plan_id).exclude(pk=drain.pk))
    at_once = Plan.objects.values_list("hosts_at_once", flat=True).get(pk=drain.plan_id)
    return in_plan.ahead_of(drain, others, at_once)


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

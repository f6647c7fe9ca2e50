"""What a drain is requested with, and what is wrong with it before anything is looked up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.utils import timezone

from .. import settings, store
from ..core.actor import RULE_ABORT, RULE_DRAIN, RULE_FORCE, Actor
from ..core.message import message
from ..core.preflight.verdicts import Choice
from ..core.states import TimeoutAction
from ..exceptions import Refused
from .access import cloud_name, require

#: Nova's limit for a service's disabled_reason (nova/api/openstack/compute/schemas/services.py).
REASON_MAX = 255
#: Characters of a note on one instance: what its column holds (models.InstanceMigration).
NOTE_MAX = 255
#: The orders in which the instances of a drain start. Largest first keeps it short: what takes
#: longest starts first, so that the last one is small. Smallest first frees many soon.
LARGEST_FIRST = "largest"
SMALLEST_FIRST = "smallest"
ORDERS = (LARGEST_FIRST, SMALLEST_FIRST)
#: The most hosts of one plan.
PLAN_MAX_HOSTS = 100


@dataclass(frozen=True)
class DrainChoices:
    """What an admin may choose for a drain, and what is chosen where they don't.

    :param max_concurrent: migrations at once, unless the admin says otherwise
    :param max_concurrent_ceiling: the most that may be requested
    :param timeout_action: what becomes of a copy that takes too long, unless the admin says
        otherwise
    :param timeout_seconds_per_gib: how long a copy may take, by its memory and local disk …
    :param timeout_min_seconds: … and at least
    :param max_in_region: migrations at once of all drains of the region together
    :param max_per_destination: migrations at once to one destination
    :param max_hosts: hosts of one plan
    """

    max_concurrent: int
    max_concurrent_ceiling: int
    timeout_action: str = TimeoutAction.WARN.value
    timeout_seconds_per_gib: float = 0
    timeout_min_seconds: float = 0
    max_in_region: int = 0
    max_per_destination: int = 0
    max_hosts: int = 0


def drain_choices(actor: Actor, region: str, *, rule: str = RULE_DRAIN) -> DrainChoices:
    """What may be chosen for a drain in this region. Nothing is asked of OpenStack.

    :param rule: what the actor is about to do with it
    :raises Refused: no worker is set up for the region
    """
    require(actor, rule)
    cloud_name(region)
    return DrainChoices(
        settings.current().max_concurrent,
        settings.current().max_concurrent_ceiling,
        timeout_action=settings.current().timeout_action,
        timeout_seconds_per_gib=settings.current().timeout_seconds_per_gib,
        timeout_min_seconds=settings.current().timeout_min_seconds,
        max_in_region=settings.current().max_in_region,
        max_per_destination=settings.current().max_per_destination,
        max_hosts=PLAN_MAX_HOSTS,
    )


@dataclass(frozen=True)
class DrainRequest:
    """What an admin asks for.

    :param host: service.host, compared exactly
    :param reason: becomes the service's disabled reason; 1 to 255 characters
    :param max_concurrent: migrations at once, or None for the setting's
    :param destination: one host that all go to, or empty
    :param choices: by server id, what the admin chose for it: live, cold, stay or confirm
    :param notes: by server id, why
    :param move_locked: whether instances that are locked are moved
    :param follow_estimate: whether each instance is asked to go where the hosts stay even, and
        the scheduler chooses what Nova refuses; else it chooses for all. A `destination` goes
        before it.
    :param order: largest first, which keeps the drain short, or smallest first
    :param start_at: not begun before this time, the service not disabled before it; None: at once
    :param stop_at: nothing new is started after this time; None: no such end
    :param timeout_action: what becomes of a copy that takes too long (see core.states); None: the
        setting's
    """

    host: str
    reason: str
    max_concurrent: int | None = None
    destination: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    move_locked: bool = True
    follow_estimate: bool = True
    order: str = LARGEST_FIRST
    start_at: datetime | None = None
    stop_at: datetime | None = None
    timeout_action: str | None = None


def check_request(request: DrainRequest) -> DrainRequest:
    """The request with its blanks removed and its defaults filled in.

    :raises Refused: something in it is wrong by itself, whatever the cloud says
    """
    reason = request.reason.strip()
    if not reason:
        raise Refused(message("reason_missing"), field="reason")
    if len(reason) > REASON_MAX:
        raise Refused(
            message("reason_too_long", length=len(reason), most=REASON_MAX), field="reason"
        )
    limit = request.max_concurrent
    if limit is None:
        limit = settings.current().max_concurrent
    check_pace(limit)
    check_window(request.start_at, request.stop_at)
    action = request.timeout_action or settings.current().timeout_action
    check_timeout(action)
    check_choices(request.choices)
    longest = max(map(len, request.notes.values()), default=0)
    if longest > NOTE_MAX:
        raise Refused(message("note_too_long", length=longest, most=NOTE_MAX), field="choices")
    entered = [("reason", reason), ("host", request.host), ("destination", request.destination)]
    for name, text in (*entered, *(("choices", note) for note in request.notes.values())):
        if lost := store.lost(text):
            raise Refused(message("characters_not_stored", characters=lost), field=name)
    if request.order not in ORDERS:
        raise Refused(message("order_unknown", order=request.order, known=ORDERS), field="order")
    destination = request.destination.strip()
    return replace(
        request,
        reason=reason,
        max_concurrent=limit,
        destination=destination,
        follow_estimate=request.follow_estimate and not destination,
        timeout_action=action,
    )


def check_pace(limit: int) -> None:
    most = settings.current().max_concurrent_ceiling
    if not 1 <= limit <= most:
        raise Refused(message("max_concurrent_out_of_range", most=most), field="max_concurrent")


#: Years that every database stores and every time zone can show.
_YEARS = range(1970, 9999)


def check_window(start_at: datetime | None, stop_at: datetime | None) -> None:
    for name, moment in (("start_at", start_at), ("stop_at", stop_at)):
        if moment is not None and timezone.is_naive(moment):
            raise Refused(
                message("window_without_zone", time=f"{moment:%Y-%m-%d %H:%M}"), field=name
            )
        if moment is not None and moment.year not in _YEARS:
            raise Refused(message("window_out_of_range"), field=name)
    if stop_at is not None and stop_at <= store.now():
        raise Refused(message("window_is_over"), field="stop_at")
    if start_at is not None and stop_at is not None and stop_at <= start_at:
        raise Refused(message("window_is_empty"), field="stop_at")


def may_time_out(actor: Actor, action: str) -> None:
    """What interrupts needs the right to interrupt, unless it is what the settings say."""
    rule = {TimeoutAction.ABORT: RULE_ABORT, TimeoutAction.FORCE: RULE_FORCE}.get(
        TimeoutAction(action)
    )
    if rule and action != settings.current().timeout_action:
        require(actor, rule)


def check_timeout(action: str) -> None:
    if action not in list(TimeoutAction):
        raise Refused(
            message("timeout_action_unknown", action=action, known=list(TimeoutAction)),
            field="timeout_action",
        )


def check_choices(choices: Mapping[str, str]) -> None:
    for server_id, choice in choices.items():
        if choice not in list(Choice):
            known = [c for c in Choice if c]
            raise Refused(
                message("choice_unknown", choice=choice, server=server_id, known=known),
                field="choices",
            )


def check_hosts_of_plan(hosts: Iterable[str]) -> list[str]:
    names = list(hosts)
    if not names:
        raise Refused(message("no_host_selected"), code="nothing_selected", field="hosts")
    if len(names) > PLAN_MAX_HOSTS:
        raise Refused(
            message("too_many_hosts", count=len(names), most=PLAN_MAX_HOSTS), field="hosts"
        )
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(message("host_twice", host=repeated[0]), field="hosts")
    return names

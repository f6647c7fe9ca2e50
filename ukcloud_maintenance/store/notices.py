"""Notices: handed to receivers, claimed, delivered or given up. See `models.Notice`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, Min, Q

from ..core.message import Message, message
from ..core.notices import GIVE_UP_SECONDS, RETRY_MAX_SECONDS, topic_of
from ..core.states import Direction
from ..models import Event, Notice, Worker
from .destinations import in_turn
from .journal import add_event
from .workers import free_claim

#: A worker that fell silent longer ago than this is not told of: it was gone before anybody was
#: there to tell it.
_NEWS = timedelta(hours=1)
#: The turn in which workers hand out notices, one at a time: no region has such a name.
_TURN = "\0notices"


def hand_out(receivers: Mapping[str, Collection[str]]) -> None:
    """Queue what is new for each receiver that wants it, in the order in which it happened.

    :param receivers: the topics that each wants to be told of, by its name
    """
    if not Notice.objects.filter(state=Notice.NEW).exists():
        return
    with in_turn(_TURN):
        new = Notice.objects.filter(state=Notice.NEW).select_related("event__drain")
        found = list(new.order_by("event_id"))
        Notice.objects.bulk_create(
            Notice(event=one.event, receiver=name, state=Notice.QUEUED)
            for one in found
            for name, topics in receivers.items()
            if topic_of(one.event.kind, back=_brings_back(one.event)) in topics
        )
        Notice.objects.filter(pk__in=[one.pk for one in found]).delete()


def _brings_back(event: Event) -> bool:
    return event.drain is not None and event.drain.direction == Direction.BACK


def claim_notice(receiver: str, worker: str, now: datetime, lease_seconds: float) -> Notice | None:
    """Take the next notice of a receiver, if it is due and nobody has it: the one before it was
    delivered or given up. It counts as an attempt."""
    queue = Notice.objects.filter(receiver=receiver, state=Notice.QUEUED)
    first = queue.order_by("pk").values_list("pk", flat=True).first()
    if first is None:
        return None
    # a pause that is longer than any was begun before the clock was set back
    longest = now + timedelta(seconds=2 * RETRY_MAX_SECONDS)
    due = Q(next_at=None) | Q(next_at__lte=now) | Q(next_at__gt=longest)
    taken = queue.filter(free_claim(now, lease_seconds), due, pk=first).update(
        claimed_by=worker,
        claimed_until=now + timedelta(seconds=lease_seconds),
        attempts=F("attempts") + 1,
    )
    related = ("event__drain", "event__maintenance", "event__run")
    return Notice.objects.select_related(*related).filter(pk=first).first() if taken else None


def delivered(notice: Notice, now: datetime) -> None:
    """The receiver took it: whoever has claimed it by now."""
    queued = Notice.objects.filter(pk=notice.pk, state=Notice.QUEUED)
    queued.update(state=Notice.SENT, done_at=now, problem=None, **_FREE)


def not_delivered(
    notice: Notice, worker: str, now: datetime, problem: Message, retry_seconds: float | None
) -> None:
    """An attempt of this worker failed.

    :param retry_seconds: until the next one; None: it is given up
    """
    mine = Notice.objects.filter(pk=notice.pk, state=Notice.QUEUED, claimed_by=worker)
    if retry_seconds is None:
        mine.update(state=Notice.FAILED, done_at=now, problem=problem, **_FREE)
    else:
        mine.update(problem=problem, next_at=now + timedelta(seconds=retry_seconds), **_FREE)


_FREE: Mapping[str, Any] = {"claimed_by": "", "claimed_until": None}


def forget_notices(receivers: Collection[str], now: datetime) -> None:
    """Remove what still waits for receivers that the settings no longer have, and what no worker
    has handed to any, once it is so old that it would be given up."""
    limit = now - timedelta(seconds=GIVE_UP_SECONDS)
    old = Notice.objects.filter(event__at__lt=limit)
    gone = old.filter(
        Q(state=Notice.NEW) | Q(state=Notice.QUEUED) & ~Q(receiver__in=list(receivers))
    )
    Notice.objects.filter(pk__in=list(gone.values_list("pk", flat=True))).delete()


@dataclass(frozen=True)
class Told:
    """What became of the notices of one receiver.

    :param queued_since: when that happened of which it is to be told next; None: nothing waits
    :param told_at: when it was last told of something
    :param problem: why the last attempt failed of what waits or was given up, if one did
    """

    receiver: str
    queued: int
    sent: int
    failed: int
    queued_since: datetime | None
    told_at: datetime | None
    problem: Message | None


def told() -> list[Told]:
    """What became of the notices of each receiver that has some, by name."""
    found = (
        Notice.objects.exclude(state=Notice.NEW)
        .order_by("receiver")
        .values("receiver")
        .annotate(
            queued=Count("pk", filter=Q(state=Notice.QUEUED)),
            sent=Count("pk", filter=Q(state=Notice.SENT)),
            failed=Count("pk", filter=Q(state=Notice.FAILED)),
            queued_since=Min("event__at", filter=Q(state=Notice.QUEUED)),
            told_at=Max("done_at", filter=Q(state=Notice.SENT)),
        )
    )
    return [Told(**one, problem=_problem(one["receiver"])) for one in found]


def _problem(receiver: str) -> Message | None:
    """That of the first one that waits, or else of the last one that was given up."""
    mine = Notice.objects.filter(receiver=receiver).exclude(problem="").order_by("pk")
    problems = mine.values_list("problem", flat=True)
    waiting: Message | None = problems.filter(state=Notice.QUEUED).first()
    return waiting or problems.filter(state=Notice.FAILED).last()


def silent_workers(now: datetime, silent_seconds: float) -> list[Worker]:
    """Those that fell silent within the last hour, have not said goodbye, and of which nobody was
    told yet."""
    limit = now - timedelta(seconds=silent_seconds)
    return list(
        Worker.objects.filter(stopped_at=None, seen_at__lt=limit, seen_at__gte=limit - _NEWS)
    )


def worker_is_silent(silent: Worker, told_by: str, now: datetime) -> bool:
    """Record that a worker is silent, once: it counts as stopped when it reported last, until it
    reports again. It said no goodbye, which is later than that: whoever watches goes on saying
    that it is silent. Whether it was this call that recorded it."""
    as_seen = Worker.objects.filter(pk=silent.pk, stopped_at=None, seen_at=silent.seen_at)
    with transaction.atomic():
        if not as_seen.update(stopped_at=F("seen_at")):
            return False
        said = message("worker_silent", worker=silent.name, host=silent.host, since=silent.seen_at)
        add_event(None, None, now, "worker_silent", told_by, said)
    return True

"""Events, and the revision that pages poll."""

import re
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Count, F, Max, Q, QuerySet, Subquery

from ..core.actor import Actor
from ..core.message import Message
from ..core.notices import TOLD
from ..models import Drain, Event, HostMaintenance, InstanceMigration, Notice, Run, Worker

#: What happened, who did it, and what is said of it; of a row and a host also Nova's request id.
Happened = tuple[str, "Who", Message | str | None]
HappenedToRow = tuple[str, "Who", Message | str | None, str]
#: Whoever did something: an actor, or a worker by its name.
Who = Actor | str


def revision(drain_id: int) -> int | None:
    """The drain's revision, by one small query; None where there is no such drain."""
    return Drain.objects.filter(pk=drain_id).values_list("revision", flat=True).first()


def touch(drain_id: int, now: datetime) -> None:
    """Raise the revision.

    Every transaction does this, or changes the drain's row in another way, before anything
    else: it takes the lock that all of them take first. One that begins by reading fails on
    SQLite where another one writes; one that inserts a row with a foreign key to the drain
    shares its lock on MariaDB, and two that do so and then raise the revision are a deadlock.
    """
    Drain.objects.filter(pk=drain_id).update(revision=F("revision") + 1, updated_at=now)


def revision_of_drain(drain_id: int) -> Subquery:
    """The drain's revision as the database has it by then: what every change of an instance, of
    its attempts or its requests writes to the instance's row, in the transaction that raised the
    drain's. Whoever has seen a revision of the drain lacks the rows of later ones, and no other."""
    return Subquery(Drain.objects.filter(pk=drain_id).order_by().values("revision"))


def record(
    drain: Drain | None,
    row: InstanceMigration | None,
    now: datetime,
    kind: str,
    actor: Who,
    message: Message | str | None,
    request_id: str = "",
) -> None:
    """Record what was done."""
    with transaction.atomic():
        if drain:
            touch(drain.pk, now)
        add_event(drain, row, now, kind, actor, message, request_id)


def add_event(
    drain: Drain | None,
    row: InstanceMigration | None,
    now: datetime,
    kind: str,
    actor: Who,
    message: Message | str | None,
    request_id: str = "",
    maintenance: HostMaintenance | None = None,
    run: Run | None = None,
) -> None:
    """Record an event, and that somebody is to be told of it; in the transaction of the caller,
    which changes what the event is about."""
    event = Event.objects.create(
        drain=drain,
        run=run,
        maintenance=maintenance,
        migration=row,
        at=now,
        kind=kind,
        actor=str(actor),
        actor_id=actor.id if isinstance(actor, Actor) else "",
        message=message,
        request_id=request_id,
    )
    if kind in TOLD:
        Notice.objects.create(event=event)


#: How a worker names itself: machine, process, and when it started.
_WORKER_NAME = re.compile(r"\S+:\d+:\d{9,}")


def events(drain: Drain) -> "QuerySet[Event]":
    """The events of a drain with their instances, in the order in which they happened."""
    return drain.events.select_related("migration").order_by("at", "id")


def find_events(drain: Drain, text: str = "", by_worker: bool | None = None) -> "QuerySet[Event]":
    """The events of a drain that are about an instance and of a kind of actor.

    :param text: looked for in an instance's name, and as the beginning of its id, without regard
        to case; anywhere in the id, a short name such as db-1 would be found by chance
    :param by_worker: acts of workers alone, requests of people alone, or None for both
    """
    found = events(drain)
    if text:
        found = found.filter(
            Q(migration__server_name__icontains=text) | Q(migration__server_id__istartswith=text)
        )
    if by_worker is not None:
        actors = drain.events.order_by().values_list("actor", flat=True).distinct()
        workers = workers_among(actors)
        found = found.filter(actor__in=workers) if by_worker else found.exclude(actor__in=workers)
    return found


def workers_among(actors: Iterable[str]) -> frozenset[str]:
    """Those of the actors of events that are workers, also ones that are long forgotten."""
    named = set(actors)
    known = Worker.objects.filter(name__in=named).order_by().values_list("name", flat=True)
    return frozenset(known) | {name for name in named if _WORKER_NAME.fullmatch(name)}


def newest_event(drain_id: int) -> str:
    """Names what the record of a drain holds: another event gives it another name. One query.

    An event may be written before another one, and be seen after it: so they are counted too.
    """
    found = Event.objects.filter(drain_id=drain_id).aggregate(newest=Max("id"), n=Count("id"))
    return f"{found['newest'] or 0}-{found['n']}"

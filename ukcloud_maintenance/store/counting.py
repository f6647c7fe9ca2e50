"""How many instances are where, how fast migrations were, and what the list of hosts shows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Func, Max, OuterRef, Q

from ..core.codes import ABORTED, ARRIVED_WRONG, NOWHERE
from ..core.copying.duration import Learned, learned_of
from ..core.drain.counting import DELETED, Counts
from ..core.drain.needs import ENDLESS, STALLED
from ..core.facts import NOVA_STATUS_COPIED, NOVA_STATUS_POST_COPY
from ..core.host import safety
from ..core.states import (
    Direction,
    Method,
    MigrationState,
    RequestKind,
    RequestOrigin,
    RequestState,
    Result,
)
from ..models import Attempt, Drain, HostMaintenance, InstanceMigration, Request, host_key
from . import clock


class ToTheLetter(Func):
    """A text that is equal to itself alone: MariaDB's collation takes CMP1 for cmp1."""

    template = "%(expressions)s"
    arity = 1

    def as_mysql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(compiler, connection, template="BINARY %(expressions)s", **more)


def counts(drain_ids: Iterable[int]) -> dict[int, Counts]:
    """What core.drain.counting.counts_of tells of several drains, by one query."""
    ids = list(drain_ids)
    found: dict[int, dict[str, int]] = {drain_id: {} for drain_id in ids}
    more: dict[int, list[int]] = {drain_id: [0, 0, 0, 0] for drain_id in ids}
    went_wrong = Q(state=MigrationState.FAILED, code__in=sorted(ARRIVED_WRONG))
    went = Q(drain__direction=Direction.BACK) & (Q(state=MigrationState.GONE) | went_wrong)
    elsewhere_now = ~Q(dest_compute=ToTheLetter("drain__host"))
    went &= Q(server_status=DELETED) | Q(code=NOWHERE) | elsewhere_now
    copies = Q(state=MigrationState.MIGRATING, newest_attempt__course__in=list(ENDLESS))
    copies &= _is_said_of_its_course()
    rows = (
        InstanceMigration.objects.filter(drain_id__in=ids)
        .order_by()
        .values_list("drain_id", "state")
        .annotate(
            n=Count("id"),
            arrived=Count("id", filter=went_wrong),
            elsewhere=Count("id", filter=went),
            endless=Count("id", filter=copies),
            aborted=Count("id", filter=Q(state=MigrationState.FAILED, code=ABORTED)),
        )
    )
    for drain_id, state, number, *others in rows:
        found[drain_id][state] = number
        more[drain_id] = [a + b for a, b in zip(more[drain_id], others, strict=True)]
    return {drain_id: Counts(by_state, *more[drain_id]) for drain_id, by_state in found.items()}


def _is_said_of_its_course() -> Q:
    """What core.drain.needs.course_of goes by, of an instance that is being migrated."""
    live = Q(method__in=["", Method.LIVE.value])
    copied = Q(newest_attempt__nova_status__in=sorted(NOVA_STATUS_COPIED))
    in_post_copy = Q(newest_attempt__nova_status=NOVA_STATUS_POST_COPY)
    ends = copied | (in_post_copy & ~Q(newest_attempt__course=STALLED))
    abort, force = RequestKind.ABORT.value, RequestKind.FORCE.value
    is_open = Q(state=RequestState.OPEN.value, kind__in=[abort, force])
    was_sent = Q(tries__gt=0) | Q(taken_at__isnull=False)
    counts_on = Q(state=RequestState.TAKEN.value) | Q(origin=RequestOrigin.CANCEL.value)
    forced = Q(kind=force, taken_at__isnull=False)
    of_attempt = Q(attempt_number=OuterRef("newest_attempt__number"))
    steered = Request.objects.filter(
        is_open | (of_attempt & ((Q(kind=abort) & was_sent & counts_on) | forced)),
        migration=OuterRef("pk"),
    )
    return live & ~ends & ~Q(Exists(steered))


@dataclass(frozen=True)
class HostRecord:
    """What the database knows of one host: the last drain away from it, its counts, an open
    maintenance; whether the host is safe to power off.

    :ivar returned: the maintenance that a return ended of late, or None
    :ivar run_back: what is bringing instances back to it, or None; and its counts
    """

    drain: Drain
    counts: Counts
    maintenance: HostMaintenance | None
    safe: bool = False
    returned: HostMaintenance | None = None
    run_back: Drain | None = None
    back: Counts = field(default_factory=Counts)

    @property
    def returning(self) -> bool:
        """Whether the host is being returned to service."""
        return self.maintenance is not None and self.maintenance.returning_since is not None


def host_records(
    region: str,
    verified_after: datetime | None = None,
    returned_after: datetime | None = None,
    hosts: Iterable[str] | None = None,
    *,
    finished_after: datetime | None = None,
) -> dict[str, HostRecord]:
    """The latest drain of every host of a region that ever had one, by host: four queries.

    :param hosts: of these hosts alone
    :param finished_after: of the hosts alone that are drained or in maintenance, or were drained
        or returned since: two queries more, and of a large region much less to be read
    :param verified_after: what was verified before this is not called safe; None: nothing is
    :param returned_after: since when a host that was returned to service is told of; None: no one
        is
    """
    of_these = Q()
    if hosts is not None:
        of_these = Q(host_key__in=[host_key(region, host) for host in hosts])
    asked = Q(open_key__isnull=False)
    if returned_after is not None:
        asked |= Q(closed_at__gte=returned_after, returning_since__isnull=False)
    if finished_after is not None:
        lately = Q(finished_at__isnull=True) | Q(finished_at__gte=finished_after)
        drained = Drain.objects.filter(lately, of_these, region=region).order_by()
        kept = HostMaintenance.objects.filter(asked, of_these, region=region).order_by()
        keys = {
            key for found in (drained, kept) for key in found.values_list("host_key", flat=True)
        }
        of_these &= Q(host_key__in=keys)
    newest = (
        Drain.objects.filter(of_these, region=region, direction=Direction.AWAY)
        .order_by()
        .values("host_key")
        .annotate(newest=Max("id"))
        .values_list("newest", flat=True)
    )
    wanted = Q(pk__in=list(newest)) | Q(
        of_these, region=region, open_key__isnull=False, direction=Direction.BACK
    )
    found_drains = list(Drain.objects.filter(wanted))
    latest = [d for d in found_drains if d.direction == Direction.AWAY]
    back = {d.host_key: d for d in found_drains if d.direction == Direction.BACK}
    maintenances: dict[str, HostMaintenance] = {}
    returned: dict[str, HostMaintenance] = {}
    for found in HostMaintenance.objects.filter(asked, of_these, region=region).order_by(
        "closed_at"
    ):
        (returned if found.open_key is None else maintenances)[found.host_key] = found

    def last_return(drain: Drain) -> HostMaintenance | None:
        last = returned.get(drain.host_key)
        before = last and last.closed_at and last.closed_at <= drain.created_at
        return None if before else last

    tally = counts(d.pk for d in found_drains)
    return {
        d.host: HostRecord(
            d,
            tally[d.pk],
            maintenances.get(d.host_key),
            is_safe(maintenances.get(d.host_key), verified_after),
            last_return(d),
            run_back := back.get(d.host_key),
            tally[run_back.pk] if run_back else Counts(),
        )
        for d in latest
        if d.region == region
    }


def is_safe(maintenance: HostMaintenance | None, verified_after: datetime | None) -> bool:
    """Whether a host is known to be safe to power off now, see core.host.safety."""
    return safety.is_safe(maintenance, verified_after, clock.now())


def learned_rate(region: str, newest: int = 200) -> Learned:
    """How fast live migrations of a region were of late: one query.

    Only the time in which a migration ran counts, not what it waited in Nova's queue.
    """
    rows = (
        Attempt.objects.filter(
            migration__drain__region=region,
            result=Result.SUCCEEDED,
            method=Method.LIVE,
            running_since__isnull=False,
            ended_at__isnull=False,
            migration__memory_bytes__gt=0,
        )
        .order_by("-ended_at")
        .values_list("migration__memory_bytes", "running_since", "ended_at")[:newest]
    )
    rates = [
        memory / seconds
        for memory, since, until in rows
        if (seconds := (until - since).total_seconds()) > 0
    ]
    return learned_of(rates)

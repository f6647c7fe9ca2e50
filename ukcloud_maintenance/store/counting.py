"""How many instances are where, how fast migrations were, and what the list of hosts shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Exists, F, Max, OuterRef, Q

from ..core.codes import ABORTED, ARRIVED_WRONG, NOWHERE
from ..core.copying.duration import Learned, learned_of
from ..core.drain.alarm import arrived_wrong
from ..core.drain.needs import ENDLESS, STALLED, WAITS_FOR_BLOCKED, counts_failed, course_of
from ..core.facts import NOVA_STATUS_COPIED, NOVA_STATUS_POST_COPY
from ..core.states import (
    DRAIN_TERMINAL,
    MIGRATION_IN_PROGRESS,
    MIGRATION_LEFT,
    MIGRATION_WAITING,
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


@dataclass(frozen=True)
class Counts:
    """How many instances of a drain are in which state.

    :param arrived_wrong: those of the failed ones that left the host, and are not what they were
        before, see core.alarm
    """

    by_state: Mapping[str, int] = field(default_factory=dict)
    arrived_wrong: int = 0
    #: of a run back: those that are gone or arrived, and are not on the host that they were to
    #: come back to
    astray: int = 0
    #: of the migrating ones: those whose copy does not end as it goes
    endless: int = 0
    #: of the failed ones: those that an admin aborted
    aborted: int = 0

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def left(self) -> int:
        """Those that left the host: arrived elsewhere, well or not, or gone. Of a run back those
        that came back, and never one that went elsewhere."""
        gone = sum(self.by_state.get(state, 0) for state in MIGRATION_LEFT)
        return gone + self.arrived_wrong - self.astray

    @property
    def unknown(self) -> int:
        """Those of which it is not known where they run."""
        return self[MigrationState.UNKNOWN]

    @property
    def still_here(self) -> int:
        """Those that are known not to have left."""
        return self.total - self.left - self.unknown

    @property
    def in_progress(self) -> int:
        return sum(self[state] for state in MIGRATION_IN_PROGRESS)

    @property
    def waiting(self) -> int:
        return sum(self[state] for state in MIGRATION_WAITING)

    @property
    def staying(self) -> int:
        """Those that stay because somebody chose that, or because their kind is not moved."""
        return self[MigrationState.STAYS] + self[MigrationState.SKIPPED]

    @property
    def need_a_look(self) -> bool:
        """Whether a person must look at one: the drain is no success, whatever else it came to."""
        return bool(self.unknown or self.arrived_wrong)

    def in_need(self, drain_state: str, *, can_retry: bool = True) -> int:
        """How many need a person, see core.drain.needs."""
        found = self.unknown + self.arrived_wrong
        if drain_state not in DRAIN_TERMINAL:
            found += self.endless
        if drain_state in WAITS_FOR_BLOCKED:
            found += self[MigrationState.BLOCKED]
        if counts_failed(drain_state, can_retry=can_retry):
            found += self[MigrationState.FAILED] - self.arrived_wrong
        return found

    def __getitem__(self, state: str) -> int:
        return self.by_state.get(state, 0)


def counts(drain_ids: Iterable[int]) -> dict[int, Counts]:
    """The counts of several drains, by one query."""
    ids = list(drain_ids)
    found: dict[int, dict[str, int]] = {drain_id: {} for drain_id in ids}
    more: dict[int, list[int]] = {drain_id: [0, 0, 0, 0] for drain_id in ids}
    went_wrong = Q(state=MigrationState.FAILED, code__in=sorted(ARRIVED_WRONG))
    went = Q(drain__direction=Direction.BACK) & (Q(state=MigrationState.GONE) | went_wrong)
    elsewhere_now = ~Q(dest_compute="") & ~Q(dest_compute=F("drain__host"))
    went &= Q(server_status="DELETED") | Q(code=NOWHERE) | elsewhere_now
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


def counts_of(drain: Drain, rows: Iterable[InstanceMigration]) -> Counts:
    """The same of one drain whose rows were read already."""
    by_state: dict[str, int] = {}
    wrong = astray = endless = aborted = 0
    for row in rows:
        endless += course_of(row) in ENDLESS
        aborted += row.state == MigrationState.FAILED and row.code == ABORTED
        by_state[row.state] = by_state.get(row.state, 0) + 1
        wrong += arrived_wrong(row)
        went = row.state == MigrationState.GONE or arrived_wrong(row)
        if drain.direction == Direction.BACK and went:
            nowhere = row.server_status == "DELETED" or row.code == NOWHERE
            astray += nowhere or row.dest_compute not in ("", drain.host)
    return Counts(by_state, wrong, astray, endless, aborted)


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
) -> dict[str, HostRecord]:
    """The latest drain of every host of a region that ever had one, by host: four queries.

    :param hosts: of these hosts alone
    :param verified_after: what was verified before this is not called safe; None: nothing is
    :param returned_after: since when a host that was returned to service is told of; None: no one
        is
    """
    of_these = Q()
    if hosts is not None:
        of_these = Q(host_key__in=[host_key(region, host) for host in hosts])
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
    asked = Q(open_key__isnull=False)
    if returned_after is not None:
        asked |= Q(closed_at__gte=returned_after, returning_since__isnull=False)
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
    """Whether a host is known to be safe to power off, by a verification that is new enough, and
    not of the future: how old one is that is dated ahead of the clock cannot be told."""
    return (
        maintenance is not None
        and maintenance.open_key is not None
        and maintenance.returning_since is None
        and maintenance.safe_since is not None
        and maintenance.verified_at is not None
        and verified_after is not None
        and verified_after <= maintenance.verified_at <= clock.now()
    )


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

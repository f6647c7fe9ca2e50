"""What one pass over one drain looks at, read into the frozen value that core decides by.

Three requests, four where nothing is left to be moved: the service (is the host up, is it
disabled), then its servers (what is still there, what is new), and the newest records of the
migrations from it (how far are they). One more for each server that left the list: where it is, and
whether it arrived well; one for each copy in progress, every few seconds: its bytes; one for each
migration whose record is not among the newest, and for each request whose answer got lost.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from .. import settings, store
from ..cloud import Cloud, side_by_side
from ..core import drain as d
from ..core.facts import NOVA_STATUS_RUNNING, Migration, Server
from ..core.message import message, some
from ..core.states import (
    DRAIN_TERMINAL,
    MIGRATION_IN_PROGRESS,
    MIGRATION_OPEN,
    Direction,
    DrainState,
    Method,
    MigrationState,
)
from ..store import Drain, InstanceMigration
from .evidence import hear
from .host import read_contents
from .placement import Surroundings, read_placement_context, read_placing
from .views import drain_view, limits, row_view

#: How many migration records of the host a pass reads; far more than can be in progress.
NEWEST = 100
#: Seconds between two times that libvirt's driver writes the bytes of a copy (nova/virt/libvirt).
BYTES_EVERY = 5.0

T = TypeVar("T")


@dataclass(frozen=True)
class Observer:
    """What a drain is observed with.

    :param clock: tells the time, aware and in UTC
    :param alive: called between the requests, so that a long look is not taken for dead
    :param known_for: for how many seconds this process has known of an attempt, by a clock that
        nobody can set
    :param surroundings: what was read of the region lately
    """

    cloud: Cloud
    clock: Callable[[], datetime]
    alive: Callable[[], None]
    known_for: Callable[[InstanceMigration], float]
    surroundings: Surroundings


Records = dict[str, list[Migration]]


def glance(by: Observer, drain: Drain) -> Records:
    """Nova's newest records of the migrations from the host, by server: one request. By itself it
    tells whether any of those in progress began or ended."""
    by_server: Records = {}
    for record in by.cloud.newest_migrations_from(drain.host, NEWEST):
        by_server.setdefault(record.server_id, []).append(record)
    by.alive()
    return by_server


def observe(
    by: Observer, drain: Drain, rows: list[InstanceMigration], records: Records | None = None
) -> d.Observation:
    """Read the service first and the servers after it: what is listed then was listed after
    the service was disabled, if it is.

    :param records: those of `glance`, where this pass has read them already. They are older than
        the list of servers then: a record that was not over may be by now, and says so in the next
        pass.
    :raises CloudError: what must be known cannot be read
    """
    untouched = drain.state == DrainState.PAUSED and drain.started_at is None
    if drain.state == DrainState.PENDING or drain.state in DRAIN_TERMINAL or untouched:
        return d.Observation(service=None)
    if drain.direction == Direction.BACK:
        return _observe_way_back(by, drain, rows)
    cloud = by.cloud
    still_open = [r for r in rows if r.state in MIGRATION_OPEN]
    in_progress = [r for r in rows if r.state in MIGRATION_IN_PROGRESS]
    contents = None
    if still_open or drain.state != DrainState.RUNNING:
        service = cloud.service(drain.host)
        servers = {s.id: s for s in cloud.servers_on(drain.host)}
    else:
        contents = read_contents(cloud, drain.host, by.alive)
        contents = replace(contents, names={r.server_id: r.server_name for r in rows})
        service, servers = contents.before, {s.id: s for s in contents.servers}
    by.alive()
    if records is None:
        records = glance(by, drain) if in_progress else {}
    _add_older(by, drain, in_progress, records)
    views = [row_view(r) for r in rows]
    lost = [r.server_id for r in in_progress if r.state == MigrationState.SUBMITTED]
    due = d.is_due(drain.looked_around_at, by.clock())
    moved = [
        r.server_id
        for r in views
        if r.server_id not in servers and d.is_looked_for(r) and (due or not d.is_held(r))
    ]
    around = None
    running = drain.state == DrainState.RUNNING
    if running and d.wants_a_look(views, drain.looked_around_at, by.clock()):
        leaving = frozenset(r.server_id for r in still_open if r.method)
        here = list(servers.values())
        around = read_placement_context(cloud, drain.host, here, leaving, drain.destination)
    if around or (due and any(d.is_held(r) for r in views)):
        store.looked_around(drain, by.clock())
    elsewhere = _each(cloud.server, moved)
    limit = store.last_limit(drain)
    probed = d.probes(drain_view(drain), views, limit)
    seen = d.Observation(
        service=service,
        servers=servers,
        migrations=records,
        contents=contents,
        progress=_each(
            cloud.progress, _copied(by, in_progress, servers, records, each_pass=probed)
        ),
        actions=_each(cloud.actions, lost),
        elsewhere=elsewhere,
        other_runs=_other_runs(drain, elsewhere),
        our_user_id=cloud.user_id() if lost else "",
        around=around,
        travelling=store.travelling_groups(drain),
        admission=admission(drain),
        on_their_way=_on_their_way(by, rows),
        last_limit=limit,
    )
    return with_placing(by, drain, rows, with_words(by, drain, rows, seen, due))


def with_placing(
    by: Observer, drain: Drain, rows: list[InstanceMigration], seen: d.Observation
) -> d.Observation:
    """What stands around the next instance, where a host is to be chosen for it."""
    views = [row_view(r) for r in rows]
    wanted = d.places_wanted(drain_view(drain), views, seen, limits(), by.clock())
    if not wanted:
        return seen
    # One was refused its host: what is remembered of the hosts may be why.
    anew = any(row.fall_back and row.state in MIGRATION_OPEN for row in views)
    around = by.surroundings.read(by.cloud, anew=anew)
    placing = read_placing(by.cloud, drain, seen.servers, wanted, around)
    by.alive()
    preferred = store.done_before(drain.pk)
    return replace(seen, placing=placing, placing_of=frozenset(wanted), preferred=preferred)


def _add_older(
    by: Observer, drain: Drain, in_progress: list[InstanceMigration], by_server: Records
) -> None:
    """Read the records of those in progress that are not among the newest: one request each."""
    # The record of one that takes long may be older than the newest by now. That of a resize
    # has another source: the host that its owner left.
    older = [
        r.server_id
        for r in in_progress
        if r.method != Method.CONFIRM and _lacks_record(r, by_server.get(r.server_id, ()))
    ]
    for server_id, found in _each(by.cloud.migrations_of, older).items():
        by_server[server_id] = [m for m in found if m.source_compute == drain.host]
    by.alive()


def _observe_way_back(by: Observer, drain: Drain, rows: list[InstanceMigration]) -> d.Observation:
    """What is read for bringing instances back to a host: the host, the migrations in progress, and
    the few instances that start next. One request for each, and two for each migration in
    progress."""
    cloud = by.cloud
    in_progress = [r for r in rows if r.state in MIGRATION_IN_PROGRESS]
    services = {s.host: s for s in cloud.services()} if in_progress else {}
    service = services.get(drain.host) if in_progress else cloud.service(drain.host)
    ready = [r for r in rows if r.state == MigrationState.PENDING]
    ready.sort(key=lambda r: d.turn(row_view(r)))
    looked_at = in_progress + ready[: 2 * drain.max_concurrent]
    due = d.is_due(drain.looked_around_at, by.clock())
    if due:
        blocked = [r for r in rows if r.state == MigrationState.BLOCKED]
        if blocked:
            store.looked_around(drain, by.clock())
            looked_at += blocked
    source = {r.server_id: r.source_compute for r in looked_at}
    found = _each(cloud.server, list(source))
    by.alive()
    here = {i: s for i, s in found.items() if s is not None and s.host == source[i]}
    records = _each(cloud.migrations_of, [r.server_id for r in in_progress])
    lost = [r.server_id for r in in_progress if r.state == MigrationState.SUBMITTED]
    elsewhere = {i: s for i, s in found.items() if i not in here}
    seen = d.Observation(
        service=service,
        servers=here,
        migrations={
            i: [m for m in found_of if m.source_compute == source[i]]
            for i, found_of in records.items()
        },
        progress=_each(cloud.progress, _copied_live(in_progress, here)),
        actions=_each(cloud.actions, lost),
        elsewhere=elsewhere,
        other_runs=_other_runs(drain, elsewhere),
        our_user_id=cloud.user_id() if lost else "",
        travelling=store.travelling_groups(drain),
        admission=admission(drain),
        on_their_way=_on_their_way(by, rows),
        sources={r.source_compute: services.get(r.source_compute) for r in in_progress},
    )
    return with_words(by, drain, rows, seen, due)


def with_words(
    by: Observer, drain: Drain, rows: list[InstanceMigration], seen: d.Observation, due: bool
) -> d.Observation:
    """The hypervisors' words about the guests of whom they are wanted, read last. Where only
    instances that wait for them want one, they are asked now and then.

    :param due: whether what waits is to be asked about in this pass
    """
    by.alive()
    waiting = {r.server_id for r in rows if r.state == MigrationState.BLOCKED}
    # What waits has no attempt in progress whose words could count.
    request = {r.server_id: r.attempt.request_id for r in rows if r.server_id not in waiting}
    wanted = [
        server_id
        for server_id in d.words_wanted(
            drain_view(drain), [row_view(r) for r in rows], seen, limits(), by.clock()
        )
        if due or server_id not in waiting
    ]
    if not wanted:
        return seen
    if waiting & set(wanted):
        store.looked_around(drain, by.clock())
    guests = _each(lambda i: hear(by.cloud, i, request.get(i, "")), wanted)
    by.alive()
    return replace(seen, guests=guests)


def _copied_live(in_progress: Iterable[InstanceMigration], here: Mapping[str, Server]) -> list[str]:
    """The servers that are copied live at the moment."""
    return [
        r.server_id
        for r in in_progress
        if r.server_id in here and r.state != MigrationState.SUBMITTED and r.method == Method.LIVE
    ]


def _copied(
    by: Observer,
    in_progress: Iterable[InstanceMigration],
    here: Mapping[str, Server],
    records: Records,
    *,
    each_pass: bool,
) -> list[str]:
    """The servers whose bytes are to be read in this pass. Of what waits in Nova's queue there are
    none, and libvirt's driver writes them every few seconds.

    :param each_pass: one is watched until it is about to end, to learn Nova's limit then
    """
    begun = {
        m.server_id for found in records.values() for m in found if m.status in NOVA_STATUS_RUNNING
    }
    wanted = [r for r in in_progress if r.server_id in begun]
    if not each_pass:
        wanted = [r for r in wanted if _is_old(by, r)]
    return _copied_live(wanted, here)


def _is_old(by: Observer, row: InstanceMigration) -> bool:
    """Whether libvirt's driver wrote the bytes of a copy again since they were read."""
    known = row.attempt.sampled_at or row.attempt.running_since
    return known is not None and (by.clock() - known).total_seconds() >= BYTES_EVERY


def _on_their_way(by: Observer, rows: Iterable[InstanceMigration]) -> frozenset[str]:
    """The servers whose request may still be on its way to Nova, however late it is by a
    clock that was set meanwhile."""
    grace = settings.current().submit_grace_seconds
    sent = [row for row in rows if row.state == MigrationState.SUBMITTED]
    return frozenset(row.server_id for row in sent if by.known_for(row) < grace)


def _other_runs(drain: Drain, elsewhere: Mapping[str, Server | None]) -> dict[str, d.OtherRun]:
    """Which other run of ours moved a server, by our own record."""
    moved = [server_id for server_id, server in elsewhere.items() if server and server.host]
    if not moved:
        return {}
    return {
        server_id: d.OtherRun(row.drain_id, row.drain.host, row.drain.direction, row.dest_compute)
        for server_id, row in store.newest_moves(drain.region, moved, but=drain).items()
    }


def admission(drain: Drain) -> d.Admission:
    """What the plan and the region's limits leave to this drain, by our own record."""
    taking, before = store.ahead_of(drain)
    holds = None
    if taking:
        holds = message("waits_for_services", hosts=some(taking))
    elif before:
        holds = message("waits_for_hosts", hosts=some(before))
    traffic = store.traffic(drain.region)
    return d.Admission(
        holds=holds,
        room=settings.current().max_in_region - traffic.total,
        inbound=traffic.inbound,
        anywhere=traffic.anywhere,
        per_destination=settings.current().max_per_destination,
        avoid=store.away_hosts(drain.region),
    )


def _each(read: Callable[[str], T], server_ids: list[str]) -> dict[str, T]:
    """One request a server, side by side."""
    found = side_by_side(partial(read, server_id) for server_id in server_ids)
    return dict(zip(server_ids, found, strict=True))


def _lacks_record(row: InstanceMigration, records: Iterable[Migration]) -> bool:
    """Whether Nova's record of this attempt is not among these of its server."""
    attempt = row.attempt
    if attempt.nova_migration_id is not None:
        return all(m.id != attempt.nova_migration_id for m in records)
    return all(m.id <= (attempt.before_migration_id or 0) for m in records)

"""Where an instance is sent: where an admin said, where the hosts stay even, or anywhere.

Nova is asked for one host and checks it like any other. A host of ours that it refuses leaves the
next attempt to the scheduler, once for each attempt that counts: from 2.34 on Nova's "No valid
host" is about the host that was asked for, and no proof that no other would do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..codes import HOST_REFUSED
from ..message import Message
from ..preflight import surroundings
from ..preflight.board import Item
from ..preflight.needs import is_all_seen
from ..preflight.packing import items_of, pack
from ..preflight.verdicts import PlacementContext
from ..states import Method, MigrationState
from .attempts import NO_COURSE
from .context import Pass
from .inputs import Row
from .waiting import no_fit_host


def where_to(p: Pass, row: Row) -> str | None:
    """The host to ask for; empty: the scheduler's choice; None: not in this pass, which did not
    look at what is around it (see `Pass.places_wanted`)."""
    if named := p.named(row):
        return named
    if not p.drain.follow_estimate or p.back or row.fall_back:
        return ""
    if not is_all_seen(p.seen.servers[row.server_id]):
        return ""
    if p.seen.placing is None or not _is_looked_at(p, p.seen.placing, row):
        return None
    return places(p).get(row.server_id, "")


def _is_looked_at(p: Pass, around: PlacementContext, row: Row) -> bool:
    """Whether all is known that its place goes by: where the members of its groups are, if any."""
    looked_at = p.seen.placing_of
    if looked_at is None or row.server_id in looked_at:
        return True
    return not any(row.server_id in group.members for group in around.groups or ())


def places(p: Pass) -> Mapping[str, str]:
    """The host of each instance that waits, by server id, so that all fit and the hosts stay
    even; of those that there is no place for, none. Those that go elsewhere are counted in."""
    if p.places is None:
        p.places = _packed(p)
    return p.places


def _packed(p: Pass) -> Mapping[str, str]:
    around = p.seen.placing
    if around is None or around.capacity is None or around.receivers is None:
        return {}
    rows = {
        row.server_id: row
        for row in p.rows_in({MigrationState.PENDING})
        if row.method in (Method.LIVE, Method.COLD) and row.server_id in p.seen.servers
    }
    servers = [p.seen.servers[server_id] for server_id in rows]
    items = [_for_row(p, rows[item.id], item) for item in items_of(servers, around)]
    if p.seen.preferred:
        bound = _preferred(p.seen.preferred, items, around)
        found = pack(bound, around.capacity, around.whereabouts)
        if found.fits:
            return found.placed
        # One that goes to a preferred host has taken the only place of another, perhaps.
        free = pack(items, around.capacity, around.whereabouts)
        return max(found, free, key=lambda one: len(one.placed)).placed
    return pack(items, around.capacity, around.whereabouts).placed


def _preferred(
    hosts: frozenset[str], items: Sequence[Item], around: PlacementContext
) -> list[Item]:
    """The same, where those that the preferred hosts have room for may go nowhere else."""
    here = [replace(i, hosts=tuple(host for host in i.hosts if host in hosts)) for i in items]
    fit = [item for item in here if item.hosts]
    placed = pack(fit, around.capacity or {}, around.whereabouts).placed
    return [replace(i, hosts=(placed[i.id],)) if i.id in placed else i for i in items]


def _for_row(p: Pass, row: Row, item: Item) -> Item:
    if named := p.named(row):
        return replace(item, hosts=(named,))
    out = {*p.seen.admission.avoid, *row.unfit_hosts}
    if has_failed_there(row):
        out.add(row.dest_compute)
    return replace(item, hosts=tuple(host for host in item.hosts if host not in out))


def has_failed_there(row: Row) -> bool:
    """Whether the last attempt went to `dest_compute`, or was refused it, and was one."""
    return bool(row.dest_compute) and (row.fall_back or row.attempts > row.extra_attempts)


def elsewhere_with_room(p: Pass, row: Row) -> str:
    """Where the scheduler might choose a host that takes no more, the estimate of before knows
    another, unless it was tried, or does not take it now as far as that is known; or empty. One
    with a place of its own waits for that."""
    host = row.planned_host
    if p.named(row) or row.fall_back or (p.seen.placing and row.server_id in places(p)):
        return ""
    if host in p.seen.admission.avoid or host in row.unfit_hosts:
        return ""
    tried = has_failed_there(row) and row.dest_compute == host
    if tried or not p.seen.admission.takes(host):
        return ""
    return host if _may_take(p, row, host) else ""


def _may_take(p: Pass, row: Row, host: str) -> bool:
    """Whether nothing that this pass saw of the hosts stands against one of them."""
    around = p.seen.placing or p.seen.around
    if around is None or around.receivers is None:
        return True
    return host in surroundings.with_room(p.seen.servers[row.server_id], around)


def fit_host(p: Pass, row: Row) -> str | None:
    """Another host for an instance that the scheduler might send again to one where it cannot
    arrive; empty: the scheduler's choice, where nothing is known; None: not in this pass."""
    if other := elsewhere_with_room(p, row):
        return other
    around = p.seen.around
    if around is None:
        return None  # the next pass that is due to look around will know
    if around.receivers is None:
        return ""
    found = surroundings.with_room(p.seen.servers[row.server_id], around)
    fit = [host for host in found if host not in row.unfit_hosts]
    fit = [host for host in fit if host not in p.seen.admission.avoid]
    if not fit:
        no_fit_host(p, row, sorted(row.unfit_hosts))
        return None
    return next((host for host in fit if p.seen.admission.takes(host)), None)


def falls_back(row: Row, named: str) -> bool:
    """Whether an attempt whose host Nova did not accept is followed by one that is left to the
    scheduler: where the host was ours to choose, and at most once for each attempt that counts.

    :param named: the host that an admin named for it, or for all, or empty
    """
    return bool(row.attempt.asked_host) and not named and not row.fall_back


def fallen_back(row: Row, said: Message | None) -> dict[str, Any]:
    """The fields of a row whose host was refused: it is the scheduler's next, at once, and what
    was refused counts as no attempt."""
    return {
        "state": MigrationState.PENDING,
        "code": HOST_REFUSED,
        "message": said,
        "fall_back": True,
        "extra_attempts": row.extra_attempts + 1,
        "not_before": None,
        "anomaly_since": None,
        **NO_COURSE,
    }

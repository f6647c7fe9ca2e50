"""Does an allocation in Placement hold anything? What must hold before it is removed.

While a server is moved, Nova gives what it holds at its source to the migration record, and the
server's own claim to the destination. A nova-compute or libvirtd that is killed at the wrong moment
leaves the record's claim behind, on a host that its guest has long left. Nothing of Nova's removes
it, and the host is never shown as empty.

The same claim is all that accounts for a guest that came to stay at its source. So it is removed
only where the guest is elsewhere, by Nova and by its own claim.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..facts import Allocation, Consumer, Migration, Server
from .certificate import Check

HELD_HERE = "held_here"
MIGRATION_OVER = "migration_over"
SERVER_ELSEWHERE = "server_elsewhere"
OWN_CLAIM = "own_claim"
NOTHING_UNDER_WAY = "nothing_under_way"
#: Every check, in the order in which they are shown.
CODES = (HELD_HERE, MIGRATION_OVER, SERVER_ELSEWHERE, OWN_CLAIM, NOTHING_UNDER_WAY)
#: Types of records to whose UUID Nova gives an allocation (conductor/tasks/migrate.py,
#: conductor/tasks/live_migrate.py). An evacuation holds both sides in the server's name.
HOLDS = frozenset({"live-migration", "migration", "resize"})


@dataclass(frozen=True)
class OrphanSight:
    """What was read about one consumer that holds something of a host, the consumer last.

    :param host: service.host
    :param providers: the resource providers of the host, nested ones included
    :param record: the migration whose UUID the consumer is, or None
    :param server: the server of that migration; None where it does not exist (any more)
    :param server_providers: the resource providers of the host that the server is on
    :param own: what the server holds by its own id
    :param migrations: of that server, newest first
    :param consumer: what the consumer holds now, on any host
    """

    host: str
    providers: frozenset[str]
    record: Migration | None
    server: Server | None
    server_providers: frozenset[str]
    own: Consumer | None
    migrations: Sequence[Migration]
    consumer: Consumer


@dataclass(frozen=True)
class Orphan:
    """What a consumer holds of a host, and whether that holds anything.

    :param removable: all checks hold: to remove it takes nothing from any guest
    :param command: what removes exactly this and nothing else by hand, where that is so
    """

    consumer: Consumer
    host: str
    here: tuple[Allocation, ...]
    record: Migration | None = None
    server: Server | None = None
    checks: tuple[Check, ...] = field(default_factory=tuple)
    removable: bool = False
    command: str = ""


def weigh(sight: OrphanSight) -> Orphan:
    """Whether an allocation is left behind."""
    here = tuple(a for a in sight.consumer.allocations if a.provider_id in sight.providers)
    checks = (
        _held_here(sight, here),
        _migration_over(sight),
        _server_elsewhere(sight),
        _own_claim(sight),
        _nothing_under_way(sight),
    )
    removable = all(check.passed for check in checks)
    return Orphan(
        sight.consumer,
        sight.host,
        here,
        sight.record,
        sight.server,
        checks,
        removable,
        _command(sight, here) if removable else "",
    )


def _command(sight: OrphanSight, here: Sequence[Allocation]) -> str:
    """osc-placement: `delete` removes all that a consumer holds, wherever; `unset` (1.12) what it
    holds of one provider."""
    consumer = sight.consumer.consumer_id
    if len(here) == len(sight.consumer.allocations):
        return f"openstack resource provider allocation delete {consumer}"
    return " && ".join(
        "openstack --os-placement-api-version 1.12 resource provider allocation unset"
        f" --provider {provider} {consumer}"
        for provider in dict.fromkeys(a.provider_id for a in here)
    )


def _held_here(sight: OrphanSight, here: Sequence[Allocation]) -> Check:
    if not here:
        return Check(HELD_HERE, False, f"It holds nothing of {sight.host} (any more).")
    return Check(
        HELD_HERE, True, f"It holds resources of {sight.host}.", tuple(amounts(a) for a in here)
    )


def _migration_over(sight: OrphanSight) -> Check:
    record = sight.record
    if record is None or record.uuid != sight.consumer.consumer_id:
        text = "It is not that of a migration from or to this host that Nova knows."
        return Check(MIGRATION_OVER, False, text)
    if record.migration_type not in HOLDS:
        text = f"Migration {record.id} is {record.migration_type}, and never holds anything."
        return Check(MIGRATION_OVER, False, text)
    over = "is over" if record.is_over else "is not over"
    return Check(
        MIGRATION_OVER,
        record.is_over,
        f"Migration {record.id} ({record.migration_type}) {over}: {record.status}.",
    )


def _server_elsewhere(sight: OrphanSight) -> Check:
    if sight.record is None:
        return Check(SERVER_ELSEWHERE, False, "Its server is not known.")
    server = sight.server
    if server is None:
        return Check(
            SERVER_ELSEWHERE, True, f"Server {sight.record.server_id} does not exist any more."
        )
    where = f"Nova has {server.name} ({server.id}) on {server.host or 'no host'}, {server.status}"
    if server.task_state:
        return Check(SERVER_ELSEWHERE, False, f"{where}, task {server.task_state}.")
    # In ERROR Nova may be wrong about where the guest is.
    settled = server.status not in ("VERIFY_RESIZE", "ERROR", "UNKNOWN")
    elsewhere = bool(server.host) and server.host != sight.host
    return Check(SERVER_ELSEWHERE, elsewhere and settled, f"{where}.")


def _own_claim(sight: OrphanSight) -> Check:
    held = {a.provider_id for a in sight.own.allocations} if sight.own else set()
    if sight.record is not None and sight.server is None:
        text = "Its server holds something by its own id." if held else "Nothing else is held."
        return Check(OWN_CLAIM, not held, text)
    host = sight.server.host if sight.server else ""
    if held & sight.providers:
        text = f"By its own id its server holds resources of {sight.host} as well."
        return Check(OWN_CLAIM, False, text)
    if not host or not held & sight.server_providers:
        return Check(
            OWN_CLAIM,
            False,
            f"By its own id its server holds nothing of {host or 'any host'}: this may be all that"
            " accounts for its guest.",
        )
    return Check(OWN_CLAIM, True, f"By its own id its server holds resources of {host}.")


def _nothing_under_way(sight: OrphanSight) -> Check:
    if sight.record is None:
        text = "Whether a migration of its server is in progress is not known."
        return Check(NOTHING_UNDER_WAY, False, text)
    unfinished = [m for m in sight.migrations if not m.is_over]
    if not unfinished:
        return Check(NOTHING_UNDER_WAY, True, "No migration of its server is in progress.")
    return Check(
        NOTHING_UNDER_WAY,
        False,
        "A migration of its server is not over.",
        tuple(
            f"migration {m.id} ({m.migration_type}, {m.status}) from {m.source_compute or '?'}"
            f" to {m.dest_compute or '?'}"
            for m in unfinished[:10]
        ),
    )


def amounts(allocation: Allocation) -> str:
    """E.g. `MEMORY_MB 512, VCPU 1 of provider …`, in Placement's units."""
    held = ", ".join(f"{name} {n}" for name, n in sorted(allocation.resources.items()))
    return f"{held or 'nothing'} of provider {allocation.provider_id}"


def kept(consumer: Consumer, providers: Iterable[str]) -> Consumer:
    """What the consumer still holds after all that it holds of these providers is removed."""
    gone = set(providers)
    return Consumer(
        consumer.consumer_id,
        consumer.project_id,
        consumer.user_id,
        consumer.generation,
        tuple(a for a in consumer.allocations if a.provider_id not in gone),
    )

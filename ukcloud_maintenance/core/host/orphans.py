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
from ..message import Message, message
from .certificate import Check, amounts

HELD_HERE = "held_here"
MIGRATION_OVER = "migration_over"
SERVER_ELSEWHERE = "server_elsewhere"
OWN_CLAIM = "own_claim"
NOTHING_IN_PROGRESS = "nothing_under_way"
#: Every check, in the order in which they are shown.
CODES = (HELD_HERE, MIGRATION_OVER, SERVER_ELSEWHERE, OWN_CLAIM, NOTHING_IN_PROGRESS)
#: Types of records to whose UUID Nova gives an allocation (conductor/tasks/migrate.py,
#: conductor/tasks/live_migrate.py). An evacuation holds both sides in the server's name.
HOLDS = frozenset({"live-migration", "migration", "resize"})


@dataclass(frozen=True)
class OrphanSight:
    """What was read about one consumer that holds something of a host, the consumer last.

    :param host: service.host
    :param providers: the resource providers of the host, nested ones included
    :param record: the migration whose UUID the consumer is, or None
    :param server: the server of that migration; None where it does not exist
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
        _nothing_in_progress(sight),
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
        return Check(HELD_HERE, False, message("holds_nothing_of", host=sight.host))
    details = tuple(amounts_of(allocation) for allocation in here)
    return Check(HELD_HERE, True, message("holds_resources_of", host=sight.host), details)


def _migration_over(sight: OrphanSight) -> Check:
    record = sight.record
    if record is None or record.uuid != sight.consumer.consumer_id:
        return Check(MIGRATION_OVER, False, message("consumer_of_no_migration"))
    values = {"record": record.id, "type": record.migration_type}
    if record.migration_type not in HOLDS:
        return Check(MIGRATION_OVER, False, message("type_never_holds", **values))
    values["status"] = record.status
    if record.is_over:
        return Check(MIGRATION_OVER, True, message("record_is_over", **values))
    return Check(MIGRATION_OVER, False, message("record_is_not_over", **values))


def _server_elsewhere(sight: OrphanSight) -> Check:
    if sight.record is None:
        return Check(SERVER_ELSEWHERE, False, message("server_not_known"))
    server = sight.server
    if server is None:
        gone = message("server_gone", server_id=sight.record.server_id)
        return Check(SERVER_ELSEWHERE, True, gone)
    values = {
        "name": server.name,
        "server_id": server.id,
        "host": server.host or message("host_of_none"),
        "status": server.status,
    }
    if server.task_state:
        busy = message("server_is_busy_on", task=server.task_state, **values)
        return Check(SERVER_ELSEWHERE, False, busy)
    # In ERROR Nova may be wrong about where the guest is.
    settled = server.status not in ("VERIFY_RESIZE", "ERROR", "UNKNOWN")
    elsewhere = bool(server.host) and server.host != sight.host
    return Check(SERVER_ELSEWHERE, elsewhere and settled, message("server_is_on", **values))


def _own_claim(sight: OrphanSight) -> Check:
    held = {a.provider_id for a in sight.own.allocations} if sight.own else set()
    if sight.record is not None and sight.server is None:
        if held:
            return Check(OWN_CLAIM, False, message("own_claim_of_deleted"))
        return Check(OWN_CLAIM, True, message("nothing_else_held"))
    host = sight.server.host if sight.server else ""
    if held & sight.providers:
        return Check(OWN_CLAIM, False, message("own_claim_here_too", host=sight.host))
    if not host or not held & sight.server_providers:
        none = message("no_own_claim", host=host or message("any_host"))
        return Check(OWN_CLAIM, False, none)
    return Check(OWN_CLAIM, True, message("own_claim", host=host))


def _nothing_in_progress(sight: OrphanSight) -> Check:
    if sight.record is None:
        return Check(NOTHING_IN_PROGRESS, False, message("progress_not_known"))
    unfinished = [record for record in sight.migrations if not record.is_over]
    if not unfinished:
        return Check(NOTHING_IN_PROGRESS, True, message("nothing_in_progress"))
    details = tuple(from_to(record) for record in unfinished[:10])
    return Check(NOTHING_IN_PROGRESS, False, message("not_all_over"), details)


def from_to(record: Migration) -> Message:
    """A migration in a list of several."""
    return message(
        "migration_from_to",
        record=record.id,
        type=record.migration_type,
        status=record.status,
        source=record.source_compute or "?",
        dest=record.dest_compute or "?",
    )


def amounts_of(allocation: Allocation) -> Message:
    """E.g. `MEMORY_MB 512, VCPU 1 of provider …`, in Placement's units."""
    return message("amounts_of", held=amounts(allocation), provider=allocation.provider_id)


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

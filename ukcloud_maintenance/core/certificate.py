"""May the host be switched off? What must hold, each point for itself, and what stands against it.

Nova's lists leave out a cell that is down without a word, so that an empty one proves nothing
alone: the service is read before and after them, and where it could not be told at either time
nothing that was read between counts. What cannot be told is never taken for what is well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .facts import Allocation, Hypervisor, Migration, Server, Service

SERVICE_DISABLED = "service_disabled"
SERVICE_UP = "service_up"
CELL_ANSWERED = "cell_answered"
NO_SERVERS = "no_servers"
NO_MIGRATIONS = "no_migrations"
NO_RESIZES = "no_resizes"
NO_ALLOCATIONS = "no_allocations"
#: Every check, in the order in which they are shown.
CODES = (
    SERVICE_DISABLED,
    SERVICE_UP,
    CELL_ANSWERED,
    NO_SERVERS,
    NO_MIGRATIONS,
    NO_RESIZES,
    NO_ALLOCATIONS,
)
#: Nova's statuses of a resize or cold migration that came to its destination and is not over yet
#: (nova/compute/manager.py): it holds disk and allocation on both hosts.
NOVA_STATUS_UNCONFIRMED = frozenset({"finished", "confirming", "reverting"})
#: How many things a check names.
NAMED = 10
#: What is said of a check that has nothing to go by, because there is no compute service: why not
#: is said once, by the first check, and this is not shown beside it.
NOTHING_TO_GO_BY = "This cannot be verified without a compute service."


@dataclass(frozen=True)
class Check:
    """One point of several that must hold.

    :param code: a stable word for programs
    :param text: what was found, in a sentence
    :param details: each thing that stands against it, or that should be known although it passed
    """

    code: str
    passed: bool
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostSight:
    """What was read of a host, in this order: the service, the lists, the service again.

    :param host: service.host
    :param before: the service as it was read before all lists; None where Nova lists none
    :param after: … and after all of them
    :param servers: every server on the host, SOFT_DELETED ones included
    :param migrations: every migration that has the host as source or destination, of any age
    :param servers_of_migrations: for each unfinished one of these, by server id, the server; None
        where it does not exist (any more). An id that is missing could not be read.
    :param hypervisors: all nodes of the host
    :param allocations: what is held of the providers of all these hypervisors and of what is
        nested with them, or, in words, why that could not be read
    :param names: names of servers by id, as far as known, for what consumers are called
    :param service_id: of the service as it was when the maintenance began, or empty
    :param elsewhere: the servers of allocations that are not on this host, by id, of as many as
        are named; None where one does not exist (any more)
    :param same_machine: a hypervisor of another service that is that of this host by its id or
        name, where this host has no service; None: none is known
    """

    host: str
    before: Service | None
    after: Service | None
    servers: Sequence[Server]
    migrations: Sequence[Migration]
    servers_of_migrations: Mapping[str, Server | None]
    hypervisors: Sequence[Hypervisor]
    allocations: Sequence[Allocation] | str
    names: Mapping[str, str] = field(default_factory=dict)
    service_id: str = ""
    elsewhere: Mapping[str, Server | None] = field(default_factory=dict)
    same_machine: Hypervisor | None = None


def certify(sight: HostSight) -> tuple[Check, ...]:
    """Every check of `CODES`, in that order."""
    cell = _cell_answered(sight)
    lists = (
        (_no_servers(sight), _no_migrations(sight), _no_resizes(sight))
        if cell.passed
        else tuple(_cannot_tell(sight, code) for code in (NO_SERVERS, NO_MIGRATIONS, NO_RESIZES))
    )
    return (_service_disabled(sight), _service_up(sight), cell, *lists, _no_allocations(sight))


def is_safe(checks: Iterable[Check]) -> bool:
    """Whether every check was made, and has passed."""
    found = {check.code: check.passed for check in checks}
    return all(found.get(code) is True for code in CODES)


def worth_saying(checks: Iterable[Check]) -> list[Check]:
    """Those that say something of their own: a service that is gone is said once."""
    return [check for check in checks if check.text != NOTHING_TO_GO_BY]


def as_json(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Plain values, to be stored and exported."""
    return [
        {
            "code": check.code,
            "passed": check.passed,
            "text": check.text,
            "details": list(check.details),
        }
        for check in checks
    ]


def from_json(stored: Any) -> tuple[Check, ...]:
    """The checks that :func:`as_json` made these values of.

    :raises ValueError: they are not such values
    """
    if not isinstance(stored, list):
        raise ValueError("stored checks are a list")
    checks = []
    for raw in stored:
        if (
            not isinstance(raw, dict)
            or not isinstance(raw.get("code"), str)
            or not isinstance(raw.get("passed"), bool)
        ):
            raise ValueError(f"not a stored check: {raw!r}")
        checks.append(
            Check(
                raw["code"],
                raw["passed"],
                str(raw.get("text") or ""),
                tuple(str(line) for line in raw.get("details") or ()),
            )
        )
    return tuple(checks)


def _service_disabled(sight: HostSight) -> Check:
    if missing := _no_service(sight):
        return Check(SERVICE_DISABLED, False, missing)
    before, after = _both(sight)
    anew = _registered_anew(sight, after)
    if before.id != after.id:
        return Check(
            SERVICE_DISABLED,
            False,
            f"The compute service of {sight.host} was replaced by another one while this was read.",
        )
    if (before.status, after.status) == ("disabled", "disabled"):
        return Check(SERVICE_DISABLED, True, "The compute service is disabled.", anew)
    if before.status == after.status == "enabled":
        text = "The compute service is enabled: new instances can arrive."
        return Check(SERVICE_DISABLED, False, text, anew)
    return Check(
        SERVICE_DISABLED,
        False,
        f"The compute service was {before.status}, and {after.status} a moment later.",
        anew,
    )


def _registered_anew(sight: HostSight, service: Service) -> tuple[str, ...]:
    if not sight.service_id or not service.id or service.id == sight.service_id:
        return ()
    return (
        "It was registered anew since the maintenance began"
        f" (it is service {service.id}, and was {sight.service_id}).",
    )


def _service_up(sight: HostSight) -> Check:
    if _no_service(sight):
        return Check(SERVICE_UP, False, NOTHING_TO_GO_BY)
    for service in _both(sight):
        if service.forced_down:
            return Check(
                SERVICE_UP,
                False,
                "The compute service is forced down, so that Nova does not say whether it is up.",
            )
        if not service.is_up:
            state = service.state or "not known"
            return Check(
                SERVICE_UP,
                False,
                f"The compute service is {state}: what Nova says of this host may be old.",
            )
    return Check(SERVICE_UP, True, "The compute service is up.")


def _cell_answered(sight: HostSight) -> Check:
    if _no_service(sight):
        return Check(CELL_ANSWERED, False, NOTHING_TO_GO_BY)
    for service, when in zip(_both(sight), ("before", "after"), strict=True):
        if not service.is_known:
            return Check(
                CELL_ANSWERED,
                False,
                f"Nova could not reach the cell of this host {when} its lists were read: they leave"
                " out what is in a cell that is down.",
            )
    return Check(CELL_ANSWERED, True, "The cell of this host answered.")


def _no_servers(sight: HostSight) -> Check:
    found = list({s.id: s for s in sight.servers}.values())
    if not found:
        return Check(NO_SERVERS, True, "No instance is on this host, deleted ones included.")
    return Check(
        NO_SERVERS,
        False,
        f"{_count(len(found), 'instance is', 'instances are')} on this host.",
        _some(f"{_called(s.name, s.id)}, {s.status}" for s in found),
    )


def _no_migrations(sight: HostSight) -> Check:
    return _no_records(
        sight,
        NO_MIGRATIONS,
        [m for m in _unfinished(sight) if m.status not in NOVA_STATUS_UNCONFIRMED],
        "No migration from or to this host is under way.",
        ("migration from or to this host is", "migrations from or to this host are"),
        "under way.",
    )


def _no_resizes(sight: HostSight) -> Check:
    return _no_records(
        sight,
        NO_RESIZES,
        [m for m in _unfinished(sight) if m.status in NOVA_STATUS_UNCONFIRMED],
        "No resize or cold migration from or to this host waits to be confirmed.",
        ("resize or cold migration", "resizes or cold migrations"),
        "from or to this host not confirmed: each holds its disk on both hosts until it is"
        " confirmed or reverted.",
    )


def _no_records(
    sight: HostSight,
    code: str,
    records: list[Migration],
    none: str,
    words: tuple[str, str],
    end: str,
) -> Check:
    stale = [m for m in records if m.server_id and _server_is_gone(sight, m)]
    held = [m for m in records if m not in stale]
    if held:
        return Check(
            code,
            False,
            f"{_count(len(held), *words)} {end}",
            _some(_record(sight, m) for m in held),
        )
    return Check(
        code,
        True,
        none,
        _some(
            f"{_record(sight, m)}: a record left behind, it does not hold the host" for m in stale
        ),
    )


def _no_allocations(sight: HostSight) -> Check:
    if isinstance(sight.allocations, str):
        return Check(
            NO_ALLOCATIONS,
            False,
            "Placement could not be read.",
            (sight.allocations,) if sight.allocations else (),
        )
    ours = [h for h in sight.hypervisors if h.host == sight.host]
    if not ours and _no_service(sight):
        return Check(NO_ALLOCATIONS, False, NOTHING_TO_GO_BY)
    if not ours or not all(h.id for h in ours):
        return Check(
            NO_ALLOCATIONS,
            False,
            "Nova does not name the hypervisor of this host, so that its resource provider, and"
            " what is held of it, is not known.",
        )
    if not sight.allocations:
        return Check(NO_ALLOCATIONS, True, "Placement shows no allocation on this host.")
    return Check(
        NO_ALLOCATIONS,
        False,
        f"Placement shows {_count(len(sight.allocations), 'allocation', 'allocations')}"
        " on this host.",
        _some(_held(sight, a) for a in sight.allocations),
    )


def _cannot_tell(sight: HostSight, code: str) -> Check:
    if _no_service(sight):
        return Check(code, False, NOTHING_TO_GO_BY)
    return Check(code, False, "This cannot be told: the cell of this host did not answer.")


def _no_service(sight: HostSight) -> str:
    """Why there is no service to speak of, what that means and what to do, or empty."""
    host = sight.host
    if all(service and service.host == host for service in (sight.before, sight.after)):
        return ""
    text = (
        f"Nova has no compute service of host {host}: it was deleted or renamed, and nothing of the"
        " host can be verified."
    )
    if sight.same_machine is not None:
        found = sight.same_machine
        return (
            f"{text} Its hypervisor {found.hypervisor_hostname} belongs to the service of host"
            f" {found.host} now: drain that one, and end this maintenance (host_return {host}"
            " --leave)."
        )
    return (
        f"{text} End the maintenance where the machine was removed (host_return {host} --leave);"
        " else its nova-compute registers a new service when it starts, which is enabled unless"
        " Nova is set up otherwise."
    )


def _both(sight: HostSight) -> tuple[Service, Service]:
    assert sight.before
    assert sight.after
    return sight.before, sight.after


def _unfinished(sight: HostSight) -> list[Migration]:
    return [m for m in {m.id: m for m in sight.migrations}.values() if not m.is_over]


def _server_is_gone(sight: HostSight, record: Migration) -> bool:
    found = sight.servers_of_migrations
    return record.server_id in found and found[record.server_id] is None


def _record(sight: HostSight, record: Migration) -> str:
    source, dest = record.source_compute or "?", record.dest_compute or "?"
    text = (
        f"migration {record.id} ({record.migration_type or 'of unknown type'},"
        f" {record.status or 'without a status'}) from {source} to {dest}"
    )
    if not record.server_id:
        return f"{text}, of no server"
    if record.server_id not in sight.servers_of_migrations:
        called = _called(sight.names.get(record.server_id, ""), record.server_id)
        return f"{text} of {called}, which could not be read"
    server = sight.servers_of_migrations[record.server_id]
    if server is None:
        return f"{text} of server {record.server_id}, which does not exist any more"
    said = f"{text} of {_called(server.name, server.id)}, {server.status} on {server.host or '?'}"
    return f"{said}{_stale(record, server)}"


def _stale(record: Migration, server: Server) -> str:
    """What to do about a record that nothing is done for: its nova-compute was killed while it
    waited, for what is queued is in the memory of that process alone (nova/compute/manager.py)."""
    idle = server.task_state is None and server.status in ("ACTIVE", "PAUSED", "SHUTOFF")
    if not idle or record.status not in ("accepted", "queued", "preparing", "running"):
        return ""
    return (
        ". Nova does nothing with the server: if that stays so, a nova-compute that was killed left"
        " the record behind, and no command of Nova's ends it. When no migration of the server is"
        " in progress, set it to error in the database of the cell: UPDATE migrations SET status ="
        f" 'error' WHERE id = {record.id} AND status = '{record.status}'"
    )


def _held(sight: HostSight, allocation: Allocation) -> str:
    amounts = ", ".join(f"{name} {n}" for name, n in sorted(allocation.resources.items()))
    consumer = allocation.consumer_id
    names = dict(sight.names) | {s.id: s.name for s in sight.servers}
    cure = ""
    if consumer in names:
        who = f"server {_called(names[consumer], consumer)}{_whereabouts(sight, consumer)}"
        if sight.elsewhere.get(consumer):
            cure = _CURE_OF_SERVER.format(consumer=consumer)
    elif records := [m for m in sight.migrations if m.uuid and m.uuid == consumer]:
        record = records[0]
        who = _record_of_consumer(names, record) + _whereabouts(sight, record.server_id)
        if record.is_over and record.server_id in sight.elsewhere:
            cure = (
                ". It is left behind, if all else fits: `host_allocations"
                f" {sight.host} --remove {consumer}` proves that, and removes exactly this"
            )
    else:
        who = f"consumer {consumer}, which is not known to be a server or a migration"
    return f"{who}: {amounts or 'nothing'}{cure}"


#: Nova itself compares what a server holds with where it is.
_CURE_OF_SERVER = (
    ". While a migration of it is in progress that is as it should be; else compare with"
    " `openstack resource provider allocation show {consumer}`, and correct it with"
    " `nova-manage placement heal_allocations --force --instance {consumer}`"
)


def _whereabouts(sight: HostSight, server_id: str) -> str:
    """Where the server of an allocation really is, where that was read and is another host."""
    if server_id not in sight.elsewhere:
        return ""
    server = sight.elsewhere[server_id]
    if server is None:
        return ", which does not exist any more"
    return f", {server.status} on {server.host or 'no host'}"


def _record_of_consumer(names: Mapping[str, str], record: Migration) -> str:
    return (
        f"migration {record.id} ({record.migration_type}, {record.status}) of server"
        f" {_called(names.get(record.server_id, ''), record.server_id)}"
    )


def _called(name: str, server_id: str) -> str:
    return f"{name} ({server_id})" if name else server_id


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _some(lines: Iterable[str]) -> tuple[str, ...]:
    """The first few, and how many there are beyond."""
    everything = list(lines)
    rest = len(everything) - NAMED
    return (*everything[:NAMED], f"and {rest} more") if rest > 0 else tuple(everything)

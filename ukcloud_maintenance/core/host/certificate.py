"""May the host be switched off? What must hold, each point for itself, and what stands against it.

Whether it is empty is told by `emptiness`, as at the end of a drain; here it must be disabled, and
hold nothing in Placement, as well. Where its cell could not be told before or after the lists were
read, nothing that was read between counts. What cannot be told is never taken for what is well.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import message as m
from ..facts import Allocation, Hypervisor, Server, Service
from ..message import Message, message, some
from ..shape import Shape, keys
from . import emptiness
from .emptiness import Emptiness, HostContents, Obstacle, called

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
#: What a certificate is about, and what it is not: nothing of this is looked at.
SCOPE = message("certificate_scope")
#: The code of what is said of a check that has nothing to go by, because there is no compute
#: service: why not is said once, by the first check, and this is not shown beside it.
NOTHING_TO_GO_BY = "nothing_to_go_by"


@dataclass(frozen=True)
class Check:
    """One point of several that must hold.

    :param code: a stable word for programs
    :param found: what was found
    :param details: each thing that stands against it, or that should be known although it passed
    """

    code: str
    passed: bool
    found: Message
    details: tuple[Message, ...] = ()


CHECK = Shape(
    "A check",
    keys("code passed", "which it is, and whether it holds"),
    keys("", "what was found", said="text"),
    keys("", "lists: each thing that stands against it, or that should be known", said="details"),
)


@dataclass(frozen=True)
class HostObservation(HostContents):
    """What was read of a host: what is needed to tell whether it is empty, and between the two
    looks at the service, what Placement says.

    :param hypervisors: all nodes of the host
    :param allocations: what is held of the providers of all these hypervisors and of what is
        nested with them, or why that could not be read
    :param service_id: of the service as it was when the maintenance began, or empty
    :param elsewhere: the servers of allocations that are not on this host, by id, of as many as
        are named; None where one does not exist
    :param same_machine: a hypervisor of another service that is that of this host by its id or
        name, where this host has no service; None: none is known
    """

    hypervisors: Sequence[Hypervisor]
    allocations: Sequence[Allocation] | Message
    service_id: str = field(default="", kw_only=True)
    elsewhere: Mapping[str, Server | None] = field(default_factory=dict, kw_only=True)
    same_machine: Hypervisor | None = field(default=None, kw_only=True)


def certify(sight: HostObservation) -> tuple[Check, ...]:
    """Every check of `CODES`, in that order."""
    found = emptiness.look(sight)
    cell = _cell_answered(found)
    lists = (
        (_no_servers(found), _no_migrations(found), _no_resizes(found))
        if cell.passed
        else tuple(_cannot_tell(found, code) for code in (NO_SERVERS, NO_MIGRATIONS, NO_RESIZES))
    )
    return (
        _service_disabled(sight, found),
        _service_up(sight, found),
        cell,
        *lists,
        _no_allocations(sight, found),
    )


def is_safe(checks: Iterable[Check]) -> bool:
    """Whether every check was made, and has passed."""
    found = {check.code: check.passed for check in checks}
    return all(found.get(code) is True for code in CODES)


def worth_saying(checks: Iterable[Check]) -> list[Check]:
    """Those that say something of their own: a service that is gone is said once."""
    return [check for check in checks if check.found.code != NOTHING_TO_GO_BY]


def failures(checks: Iterable[Check]) -> Message | None:
    """What was found by those that have not passed, without the details; None: all have."""
    return m.several(*(check.found for check in checks if not check.passed))


def as_json(checks: Iterable[Check]) -> list[dict[str, Any]]:
    """Plain values, to be stored."""
    return [
        {
            "code": check.code,
            "passed": check.passed,
            "found": m.as_json(check.found),
            "details": m.all_as_json(check.details),
        }
        for check in checks
    ]


def for_programs(
    checks: Iterable[Check],
    said: Callable[[str, Message], dict[str, Any]],
    listed: Callable[[str, Sequence[Message]], dict[str, Any]],
) -> list[dict[str, Any]]:
    """Plain values, to be exported.

    :param said: writes a message under a name: its text, code and values
    :param listed: the same of several
    """
    return [
        CHECK.made(
            code=check.code,
            passed=check.passed,
            **said("text", check.found),
            **listed("details", check.details),
        )
        for check in checks
    ]


def from_json(stored: Any) -> tuple[Check, ...]:
    """The checks that :func:`as_json` made these values of. Those of earlier releases have words,
    which are kept as they are.

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
                _stored(raw.get("found") or raw.get("text")),
                tuple(_stored(line) for line in raw.get("details") or ()),
            )
        )
    return tuple(checks)


def _stored(raw: Any) -> Message:
    return m.from_json(raw) if isinstance(raw, dict) else m.text(str(raw or ""))


def _service_disabled(sight: HostObservation, found: Emptiness) -> Check:
    if found.of(Obstacle.NO_SERVICE):
        return Check(SERVICE_DISABLED, False, _no_service(sight))
    assert sight.before
    assert sight.after
    before, after = sight.before, sight.after
    anew = _registered_anew(sight, after)
    if before.id != after.id:
        return Check(SERVICE_DISABLED, False, message("service_replaced", host=sight.host))
    if (before.status, after.status) == ("disabled", "disabled"):
        return Check(SERVICE_DISABLED, True, message("service_is_disabled"), anew)
    if before.status == after.status == "enabled":
        return Check(SERVICE_DISABLED, False, message("service_takes_instances"), anew)
    changed = message("service_changed", before=before.status, after=after.status)
    return Check(SERVICE_DISABLED, False, changed, anew)


def _registered_anew(sight: HostObservation, service: Service) -> tuple[Message, ...]:
    if not sight.service_id or not service.id or service.id == sight.service_id:
        return ()
    return (message("registered_anew", service=service.id, before=sight.service_id),)


def _service_up(sight: HostObservation, found: Emptiness) -> Check:
    if found.of(Obstacle.NO_SERVICE):
        return Check(SERVICE_UP, False, message(NOTHING_TO_GO_BY))
    for service in (sight.before, sight.after):
        if service and not service.is_up:
            return Check(SERVICE_UP, False, emptiness.why_down(service))
    return Check(SERVICE_UP, True, message("service_is_up"))


def _cell_answered(found: Emptiness) -> Check:
    if found.of(Obstacle.NO_SERVICE):
        return Check(CELL_ANSWERED, False, message(NOTHING_TO_GO_BY))
    if unknown := found.of(Obstacle.CELL):
        return Check(CELL_ANSWERED, False, unknown[0])
    return Check(CELL_ANSWERED, True, message("cell_answered"))


def _no_servers(found: Emptiness) -> Check:
    servers = found.of(Obstacle.SERVER)
    if not servers:
        return Check(NO_SERVERS, True, message("no_servers"))
    return Check(NO_SERVERS, False, message("servers_here", count=len(servers)), some(servers))


def _no_migrations(found: Emptiness) -> Check:
    if held := found.with_remedies(Obstacle.MIGRATION):
        return Check(NO_MIGRATIONS, False, message("migrations_here", count=len(held)), some(held))
    left = _left_over(found, Obstacle.MIGRATION)
    return Check(NO_MIGRATIONS, True, message("no_migrations"), left)


def _no_resizes(found: Emptiness) -> Check:
    if held := found.with_remedies(Obstacle.RESIZE):
        return Check(NO_RESIZES, False, message("resizes_here", count=len(held)), some(held))
    return Check(NO_RESIZES, True, message("no_resizes"), _left_over(found, Obstacle.RESIZE))


def _left_over(found: Emptiness, kind: Obstacle) -> tuple[Message, ...]:
    return some(message("holds_no_host", what=record) for record in found.left_over(kind))


def _no_allocations(sight: HostObservation, found: Emptiness) -> Check:
    held = sight.allocations
    if isinstance(held, Message):
        why = () if held == m.text("") else (held,)
        return Check(NO_ALLOCATIONS, False, message("placement_not_read"), why)
    ours = [h for h in sight.hypervisors if h.host == sight.host]
    if not ours and found.of(Obstacle.NO_SERVICE):
        return Check(NO_ALLOCATIONS, False, message(NOTHING_TO_GO_BY))
    if not ours or not all(h.id for h in ours):
        return Check(NO_ALLOCATIONS, False, message("hypervisor_not_named"))
    if not held:
        return Check(NO_ALLOCATIONS, True, message("no_allocations"))
    return Check(
        NO_ALLOCATIONS,
        False,
        message("allocations_here", count=len(held)),
        some(_held(sight, allocation) for allocation in held),
    )


def _cannot_tell(found: Emptiness, code: str) -> Check:
    if found.of(Obstacle.NO_SERVICE):
        return Check(code, False, message(NOTHING_TO_GO_BY))
    return Check(code, False, message("cell_did_not_answer"))


def _no_service(sight: HostObservation) -> Message:
    """What it means that there is no compute service, and what to do."""
    if (now := sight.same_machine) is None:
        return message("service_deleted", host=sight.host)
    return message(
        "service_renamed", host=sight.host, hypervisor=now.hypervisor_hostname, now=now.host
    )


def amounts(allocation: Allocation) -> Sequence[Message]:
    """E.g. `MEMORY_MB 512`, `VCPU 1`, in Placement's units."""
    held = sorted(allocation.resources.items())
    return [message("amount", resource=name, n=n) for name, n in held] or [message("no_amount")]


def _held(sight: HostObservation, allocation: Allocation) -> Message:
    """Who holds it and what; where the server really is, where that was read and is another host;
    and what is to be done then."""
    consumer = allocation.consumer_id
    held = amounts(allocation)
    names = dict(sight.names) | {s.id: s.name for s in sight.servers}
    if consumer in names:
        who = message("held_by_server", server=called(names[consumer], consumer))
        where = _really(sight, consumer) if sight.elsewhere.get(consumer) else None
        if where:
            # Nova itself compares what a server holds with where it is.
            return message("held_by_moved", who=who, held=held, where=where, consumer=consumer)
        return message("held", who=who, held=held)
    record = next((r for r in sight.migrations if r.uuid and r.uuid == consumer), None)
    if record is None:
        return message("held", who=message("held_by_unknown", consumer=consumer), held=held)
    who = message(
        "held_by_migration",
        record=record.id,
        type=record.migration_type,
        status=record.status,
        server=called(names.get(record.server_id, ""), record.server_id),
    )
    where = _really(sight, record.server_id)
    if where is None:
        return message("held", who=who, held=held)
    if not record.is_over:
        return message("held_elsewhere", who=who, held=held, where=where)
    return message(
        "held_left_behind", who=who, held=held, where=where, host=sight.host, consumer=consumer
    )


def _really(sight: HostObservation, server_id: str) -> Message | None:
    if server_id not in sight.elsewhere:
        return None
    server = sight.elsewhere[server_id]
    if server is None:
        return message("server_is_no_more")
    host = server.host or message("host_of_none")
    return message("server_is_elsewhere", status=server.status, host=host)

"""May the host be switched off? What must hold, each point for itself, and what stands against it.

Whether it is empty is told by `emptiness`, as at the end of a drain; here it must be disabled, and
hold nothing in Placement, as well. Where its cell could not be told before or after the lists were
read, nothing that was read between counts. What cannot be told is never taken for what is well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..facts import Allocation, Hypervisor, Migration, Server, Service
from ..message import some
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
SCOPE = (
    "Looked at: Nova's instances, migrations and compute service of this host, and Placement's"
    " allocations. Not looked at: network agents (Neutron), volumes (Cinder), storage daemons such"
    " as Ceph OSDs, fencing (Masakari, host monitors, IPMI), and virtual machines outside Nova."
)
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
class HostSight(HostContents):
    """What was read of a host: what is needed to tell whether it is empty, and between the two
    looks at the service, what Placement says.

    :param hypervisors: all nodes of the host
    :param allocations: what is held of the providers of all these hypervisors and of what is
        nested with them, or, in words, why that could not be read
    :param service_id: of the service as it was when the maintenance began, or empty
    :param elsewhere: the servers of allocations that are not on this host, by id, of as many as
        are named; None where one does not exist (any more)
    :param same_machine: a hypervisor of another service that is that of this host by its id or
        name, where this host has no service; None: none is known
    """

    hypervisors: Sequence[Hypervisor]
    allocations: Sequence[Allocation] | str
    service_id: str = field(default="", kw_only=True)
    elsewhere: Mapping[str, Server | None] = field(default_factory=dict, kw_only=True)
    same_machine: Hypervisor | None = field(default=None, kw_only=True)


def certify(sight: HostSight) -> tuple[Check, ...]:
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


def _service_disabled(sight: HostSight, found: Emptiness) -> Check:
    if found.of(Obstacle.NO_SERVICE):
        return Check(SERVICE_DISABLED, False, _no_service(sight))
    assert sight.before
    assert sight.after
    before, after = sight.before, sight.after
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


def _service_up(sight: HostSight, found: Emptiness) -> Check:
    if found.of(Obstacle.NO_SERVICE):
        return Check(SERVICE_UP, False, NOTHING_TO_GO_BY)
    for service in (sight.before, sight.after):
        if service and not service.is_up:
            return Check(SERVICE_UP, False, emptiness.why_down(service))
    return Check(SERVICE_UP, True, "The compute service is up.")


def _cell_answered(found: Emptiness) -> Check:
    if found.of(Obstacle.NO_SERVICE):
        return Check(CELL_ANSWERED, False, NOTHING_TO_GO_BY)
    if unknown := found.of(Obstacle.CELL):
        return Check(CELL_ANSWERED, False, unknown[0])
    return Check(CELL_ANSWERED, True, "The cell of this host answered.")


def _no_servers(found: Emptiness) -> Check:
    servers = found.of(Obstacle.SERVER)
    if not servers:
        return Check(NO_SERVERS, True, "No instance is on this host, deleted ones included.")
    return Check(
        NO_SERVERS,
        False,
        f"{_count(len(servers), 'instance is', 'instances are')} on this host.",
        some(servers),
    )


def _no_migrations(found: Emptiness) -> Check:
    return _no_records(
        found,
        NO_MIGRATIONS,
        Obstacle.MIGRATION,
        "No migration from or to this host is under way.",
        ("migration from or to this host is", "migrations from or to this host are"),
        "under way.",
    )


def _no_resizes(found: Emptiness) -> Check:
    return _no_records(
        found,
        NO_RESIZES,
        Obstacle.RESIZE,
        "No resize or cold migration from or to this host waits to be confirmed.",
        ("resize or cold migration", "resizes or cold migrations"),
        "from or to this host not confirmed: each holds its disk on both hosts until it is"
        " confirmed or reverted.",
    )


def _no_records(
    found: Emptiness, code: str, kind: Obstacle, none: str, words: tuple[str, str], end: str
) -> Check:
    if held := found.with_remedies(kind):
        return Check(code, False, f"{_count(len(held), *words)} {end}", some(held))
    return Check(
        code,
        True,
        none,
        some(
            f"{line}: a record left behind, it does not hold the host"
            for line in found.left_over(kind)
        ),
    )


def _no_allocations(sight: HostSight, found: Emptiness) -> Check:
    if isinstance(sight.allocations, str):
        return Check(
            NO_ALLOCATIONS,
            False,
            "Placement could not be read.",
            (sight.allocations,) if sight.allocations else (),
        )
    ours = [h for h in sight.hypervisors if h.host == sight.host]
    if not ours and found.of(Obstacle.NO_SERVICE):
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
        some(_held(sight, a) for a in sight.allocations),
    )


def _cannot_tell(found: Emptiness, code: str) -> Check:
    if found.of(Obstacle.NO_SERVICE):
        return Check(code, False, NOTHING_TO_GO_BY)
    return Check(code, False, "This cannot be told: the cell of this host did not answer.")


def _no_service(sight: HostSight) -> str:
    """What it means that there is no compute service, and what to do."""
    host = sight.host
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


def _held(sight: HostSight, allocation: Allocation) -> str:
    amounts = ", ".join(f"{name} {n}" for name, n in sorted(allocation.resources.items()))
    consumer = allocation.consumer_id
    names = dict(sight.names) | {s.id: s.name for s in sight.servers}
    then = ""
    if consumer in names:
        who = f"server {called(names[consumer], consumer)}"
        if sight.elsewhere.get(consumer):
            then = _really(sight, consumer) + _CURE_OF_SERVER.format(consumer=consumer)
    elif records := [m for m in sight.migrations if m.uuid and m.uuid == consumer]:
        record = records[0]
        who = _record_of_consumer(names, record)
        then = _really(sight, record.server_id)
        if then and record.is_over:
            then += (
                ". It is left behind, if all else fits: `host_allocations"
                f" {sight.host} --remove {consumer}` proves that, and removes exactly this"
            )
    else:
        who = f"consumer {consumer}, which is not known to be a server or a migration"
    return f"{who}: {amounts or 'nothing'}{then}"


#: Nova itself compares what a server holds with where it is.
_CURE_OF_SERVER = (
    ". While a migration of it is in progress that is as it should be; else compare with"
    " `openstack resource provider allocation show {consumer}`, and correct it with"
    " `nova-manage placement heal_allocations --force --instance {consumer}`"
)


def _really(sight: HostSight, server_id: str) -> str:
    """Where the server of an allocation really is, where that was read and is another host."""
    if server_id not in sight.elsewhere:
        return ""
    server = sight.elsewhere[server_id]
    if server is None:
        return "; the server does not exist any more"
    return f"; the server is {server.status} on {server.host or 'no host'}"


def _record_of_consumer(names: Mapping[str, str], record: Migration) -> str:
    return (
        f"migration {record.id} ({record.migration_type}, {record.status}) of server"
        f" {called(names.get(record.server_id, ''), record.server_id)}"
    )


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"

"""May the host be switched off? What must hold, each point for itself, and what stands against it.

Whether it is empty is told by `emptiness`, as at the end of a drain; here it must be disabled, and
hold nothing in Placement, as well. Where its cell could not be told before or after the lists were
read, nothing that was read between counts. What cannot be told is never taken for what is well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import emptiness
from .emptiness import Emptiness, HostContents, Obstacle, called, some
from .facts import Allocation, Hypervisor, Migration

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
    """

    hypervisors: Sequence[Hypervisor]
    allocations: Sequence[Allocation] | str


def certify(sight: HostSight) -> tuple[Check, ...]:
    """Every check of `CODES`, in that order."""
    found = emptiness.look(sight)
    cell = _cell_answered(found)
    lists = (
        (_no_servers(found), _no_migrations(found), _no_resizes(found))
        if cell.passed
        else tuple(_cannot_tell(code) for code in (NO_SERVERS, NO_MIGRATIONS, NO_RESIZES))
    )
    return (
        _service_disabled(sight, found),
        _service_up(sight, found),
        cell,
        *lists,
        _no_allocations(sight),
    )


def is_safe(checks: Iterable[Check]) -> bool:
    """Whether every check was made, and has passed."""
    found = {check.code: check.passed for check in checks}
    return all(found.get(code) is True for code in CODES)


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
    if missing := found.of(Obstacle.NO_SERVICE):
        return Check(SERVICE_DISABLED, False, missing[0])
    assert sight.before
    assert sight.after
    before, after = sight.before, sight.after
    if before.id != after.id:
        return Check(
            SERVICE_DISABLED,
            False,
            f"The compute service of {sight.host} was replaced by another one while this was read.",
        )
    if (before.status, after.status) == ("disabled", "disabled"):
        return Check(SERVICE_DISABLED, True, "The compute service is disabled.")
    if before.status == after.status == "enabled":
        return Check(
            SERVICE_DISABLED, False, "The compute service is enabled: new instances can arrive."
        )
    return Check(
        SERVICE_DISABLED,
        False,
        f"The compute service was {before.status}, and {after.status} a moment later.",
    )


def _service_up(sight: HostSight, found: Emptiness) -> Check:
    if missing := found.of(Obstacle.NO_SERVICE):
        return Check(SERVICE_UP, False, missing[0])
    for service in (sight.before, sight.after):
        if service and not service.is_up:
            return Check(SERVICE_UP, False, emptiness.why_down(service))
    return Check(SERVICE_UP, True, "The compute service is up.")


def _cell_answered(found: Emptiness) -> Check:
    if unknown := found.of(Obstacle.NO_SERVICE, Obstacle.CELL):
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
    if held := found.of(kind):
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


def _no_allocations(sight: HostSight) -> Check:
    if isinstance(sight.allocations, str):
        return Check(
            NO_ALLOCATIONS,
            False,
            "Placement could not be read.",
            (sight.allocations,) if sight.allocations else (),
        )
    ours = [h for h in sight.hypervisors if h.host == sight.host]
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


def _cannot_tell(code: str) -> Check:
    return Check(code, False, "This cannot be told: the cell of this host did not answer.")


def _held(sight: HostSight, allocation: Allocation) -> str:
    amounts = ", ".join(f"{name} {n}" for name, n in sorted(allocation.resources.items()))
    consumer = allocation.consumer_id
    names = dict(sight.names) | {s.id: s.name for s in sight.servers}
    if consumer in names:
        who = f"server {called(names[consumer], consumer)}"
    elif records := [m for m in sight.migrations if m.uuid and m.uuid == consumer]:
        who = _record_of_consumer(names, records[0])
    else:
        who = f"consumer {consumer}, which is not known to be a server or a migration"
    return f"{who}: {amounts or 'nothing'}"


def _record_of_consumer(names: Mapping[str, str], record: Migration) -> str:
    return (
        f"migration {record.id} ({record.migration_type}, {record.status}) of server"
        f" {called(names.get(record.server_id, ''), record.server_id)}"
    )


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"

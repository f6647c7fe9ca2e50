"""Short ways to say the facts that the pure tests are about."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.attempt import ATTEMPT_FIELDS, AttemptView, Requests, RequestView
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.drain.context import changed_row
from ukcloud_maintenance.core.drain.whereabouts import GuestSight
from ukcloud_maintenance.core.facts import (
    Action,
    Capacity,
    Diagnostics,
    Migration,
    Progress,
    Server,
    Service,
)
from ukcloud_maintenance.core.host.emptiness import HostContents
from ukcloud_maintenance.core.preflight.verdicts import PlacementContext
from ukcloud_maintenance.core.states import (
    DrainState,
    MigrationState,
    check_drain_transition,
    check_migration_transition,
)

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
GIB = 1024**3
LIMITS = d.Limits()
#: What the hypervisor says of a guest that runs on it.
RUNS = GuestSight(Diagnostics("running", "libvirt", 1))


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def service(**more: Any) -> Service:
    given = {
        "id": "5e8a",
        "host": "cmp1",
        "zone": "az1",
        "state": "up",
        "status": "disabled",
        "disabled_reason": "new kernel",
    }
    return Service(**{**given, **more})


def server(name: str = "web", **more: Any) -> Server:
    status = more.pop("status", "ACTIVE")
    given = {
        "id": name,
        "name": name,
        "host": "cmp1",
        "status": status,
        "vm_state": status.lower(),
        "task_state": None,
        "memory_bytes": GIB,
        "power_state": {"ACTIVE": 1, "MIGRATING": 1, "PAUSED": 3, "SHUTOFF": 4}.get(status, 0),
    }
    return Server(**{**given, **more})


def row(name: str = "web", **more: Any) -> d.Row:
    given = {
        "id": sum(ord(c) * 257**i for i, c in enumerate(name)) % 1_000_003,
        "server_id": name,
        "server_name": name,
        "state": MigrationState.PENDING,
        "memory_bytes": GIB,
    }
    if more.get("dest_compute"):
        more.setdefault("sent_to", more["dest_compute"])
    of_attempt = {k: more.pop(k) for k in list(more) if k in ATTEMPT_FIELDS}
    requested = tuple(more.pop("requested", ()))
    number = more.get("attempts", 1 if of_attempt or requested else 0)
    attempt = AttemptView(number, **of_attempt)
    every = tuple(replace(r, attempt=number) for r in requested)
    return d.Row(**{**given, **more}, attempt=attempt, requests=Requests(every, number))


def asked(kind: str = "abort", by: str = "amy", **more: Any) -> RequestView:
    """What was requested for an instance: by an admin, by `timeout` or by `cancel`."""
    origin = by if by in ("timeout", "cancel") else "admin"
    given = {
        "origin": origin,
        "requested_by": by if origin == "admin" else "",
        "requested_at": NOW,
        "nova_migration_id": 7,
    }
    if more.get("taken_at"):
        given |= {"state": "taken", "tries": 1}
    return RequestView(kind, **{**given, **more})


def migrating(name: str = "web", **more: Any) -> d.Row:
    given = {
        "state": MigrationState.MIGRATING,
        "attempts": 1,
        "request_id": "req-ours",
        "submitted_at": ago(10),
        "before_migration_id": 0,
        "task_state": "migrating",
        "server_status": "MIGRATING",
    }
    return row(name, **{**given, **more})


def record(name: str = "web", status: str = "running", **more: Any) -> Migration:
    given = {
        "id": 7,
        "uuid": "u7",
        "server_id": name,
        "status": status,
        "migration_type": "live-migration",
        "source_compute": "cmp1",
        "dest_compute": "cmp2",
    }
    return Migration(**{**given, **more})


def nova_action(request_id: str = "req-ours", **more: Any) -> Action:
    given = {"request_id": request_id, "action": "live-migration", "user_id": "worker"}
    return Action(**{**given, **more})


def progress(**more: Any) -> Progress:
    return Progress(**{"migration_id": 7, "status": "running", **more})


def drain(**more: Any) -> d.DrainView:
    given = {
        "host": "cmp1",
        "state": DrainState.RUNNING,
        "reason": "new kernel",
        "max_concurrent": 2,
        "maintenance": d.MaintenanceView("new kernel", ago(100)),
    }
    return d.DrainView(**{**given, **more})


def seen(
    *servers: Server,
    records: tuple[Migration, ...] = (),
    everything: bool = False,
    of_records: dict[str, Server | None] | None = None,
    **more: Any,
) -> d.Observation:
    """What a pass saw.

    :param everything: whether it read all that tells whether the host is empty: the records then
        are those of any age, from and to the host
    :param of_records: the servers of these, where they are not on cmp2
    """
    by_server: dict[str, list[Migration]] = {}
    for item in records:
        by_server.setdefault(item.server_id, []).append(item)
    given = {
        "service": service(),
        "servers": {s.id: s for s in servers},
        "migrations": by_server,
        "our_user_id": "worker",
        "guests": {s.id: RUNS for s in servers},
    }
    if everything:
        host_service = more.get("service", given["service"])
        owners = {r.server_id: server(r.server_id, host="cmp2") for r in records if not r.is_over}
        given["contents"] = HostContents(
            "cmp1", host_service, host_service, servers, records, owners | (of_records or {})
        )
        given["migrations"] = {}
    return d.Observation(**{**given, **more})


def placing(**free: int) -> PlacementContext:
    """What stands around them: so many MiB are free on each of these hosts, of 64 GiB."""
    room = {"VCPU": 64, "MEMORY_MB": 65536, "DISK_GB": 999}
    return PlacementContext(
        groups=(),
        aggregates=(),
        receivers=dict.fromkeys(free, "az1"),
        capacity={host: Capacity(room, {"MEMORY_MB": 65536 - n}) for host, n in free.items()},
    )


def decide(
    drain_view: d.DrainView,
    rows: list[d.Row],
    observation: d.Observation,
    limits: d.Limits = LIMITS,
) -> list[d.Action]:
    """The decision, in which every change of state is one that the store will take."""
    actions = d.decide(drain_view, rows, observation, limits, NOW)
    states = {r.id: r.state for r in rows}
    for action in actions:
        if isinstance(action, d.ChangeRow) and "state" in action.fields:
            check_migration_transition(states[action.row_id], action.fields["state"])
            states[action.row_id] = action.fields["state"]
        if isinstance(action, d.ChangeDrain) and "state" in action.fields:
            check_drain_transition(drain_view.state, action.fields["state"])
        if isinstance(action, d.Finish):
            check_drain_transition(drain_view.state, action.state)
    return actions


def submits(actions: list[d.Action]) -> list[int]:
    return [a.row_id for a in actions if isinstance(a, d.Submit)]


def changes(actions: list[d.Action], of: d.Row) -> dict[str, Any]:
    """Everything that is set on a row in this pass."""
    merged: dict[str, Any] = {}
    for action in actions:
        if isinstance(action, d.ChangeRow) and action.row_id == of.id:
            merged |= action.fields
    return merged


def of_request(actions: list[d.Action], of: d.Row) -> dict[str, Any]:
    """Everything that is set on what is requested for it in this pass."""
    merged: dict[str, Any] = {}
    for action in actions:
        if isinstance(action, d.ChangeRow) and action.row_id == of.id:
            merged |= action.request
    return merged


def made(actions: list[d.Action]) -> list[tuple[str, str]]:
    """What the drain itself requests in this pass: (kind, origin)."""
    return [(a.request.kind, a.request.origin) for a in actions if isinstance(a, d.MakeRequest)]


def kinds(actions: list[d.Action]) -> list[str]:
    return [a.kind for a in actions if isinstance(a, d.ChangeRow | d.ChangeDrain) and a.kind]


def finish(actions: list[d.Action]) -> d.Finish | None:
    return next((a for a in actions if isinstance(a, d.Finish)), None)


def altered(one: d.Row, request: dict[str, Any] | None = None, **fields: Any) -> d.Row:
    """A row with fields of its own, of its newest attempt and of its open request changed."""
    return changed_row(one, fields, request or {})

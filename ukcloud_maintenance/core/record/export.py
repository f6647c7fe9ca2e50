"""A drain as a document: one JSON object, or one line of CSV an instance. Pure.

Both are made of the same document, wherever they are asked for. Times are ISO 8601 in UTC, sizes
bytes, durations seconds; what is not known is null, in CSV empty. The names are stable: what is
added raises nothing, what is removed or changes its meaning raises :data:`SCHEMA_VERSION`.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from ..message import Message
from ..printable import cell

SCHEMA = "ukcloud_maintenance.drain"
SCHEMA_VERSION = 1

CSV, JSON = "csv", "json"
CONTENT_TYPES = {CSV: "text/csv; charset=utf-8", JSON: "application/json; charset=utf-8"}

_DRAIN_TEXTS = (
    *("direction", "region", "host", "service_id", "state", "result", "reason"),
    *("requested_by", "requested_by_id", "cancelled_by", "destination"),
)
_DRAIN_VALUES = ("max_concurrent", "follow_plan", "move_locked", "learned_limit")
_DRAIN_TIMES = ("created_at", "started_at", "finished_at")

_INSTANCE_TEXTS = (
    *("server_id", "server_name", "project_id", "project_name", "flavor_name"),
    *("state", "method", "code", "choice", "note"),
    *("source_compute", "dest_compute", "nova_status", "request_id", "server_status"),
)
_INSTANCE_VALUES = ("vcpus", "memory_bytes", "disk_bytes", "attempts", "nova_migration_id")
_INSTANCE_TIMES = ("created_at", "started_at", "finished_at")

#: the columns of the CSV, in their order
COLUMNS = (
    *("drain_id", "region", "host"),
    *("server_id", "server_name", "project_id", "project_name", "flavor_name"),
    *("vcpus", "memory_bytes", "disk_bytes"),
    *("state", "code", "method", "choice", "note"),
    *("source_compute", "dest_compute", "nova_status", "nova_migration_id", "request_id"),
    *("attempts", "created_at", "started_at", "finished_at", "seconds", "message"),
)


#: Writes a message under a name.
Said = Callable[[str, Message | None], dict[str, Any]]


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def document(
    drain: Any, rows: Iterable[Any], events: Iterable[Any], now: datetime, said: Said
) -> dict[str, Any]:
    """The drain, its instances and its events.

    :param drain: models.Drain
    :param rows: of models.InstanceMigration
    :param events: of models.Event, in the order in which they happened
    :param said: writes a message under a name: its text, code and values
    """
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "exported_at": iso(now),
        "drain": {
            "id": drain.pk,
            **_texts(drain, _DRAIN_TEXTS),
            **said("message", drain.message),
            **{name: getattr(drain, name) for name in _DRAIN_VALUES},
            **{name: iso(getattr(drain, name)) for name in _DRAIN_TIMES},
        },
        "instances": [_instance(row, said) for row in rows],
        "events": [
            {
                "id": event.pk,
                "at": iso(event.at),
                "kind": event.kind,
                "actor": event.actor,
                "actor_id": event.actor_id or None,
                "server_id": event.migration.server_id if event.migration else None,
                **said("message", event.message),
                "request_id": event.request_id or None,
            }
            for event in events
        ],
    }


def _texts(one: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(one, name) or None for name in names}


def _instance(row: Any, said: Said) -> dict[str, Any]:
    took = row.finished_at - row.started_at if row.finished_at and row.started_at else None
    return {
        **_texts(row, _INSTANCE_TEXTS),
        **said("message", row.message),
        **{name: getattr(row, name) for name in _INSTANCE_VALUES},
        **{name: iso(getattr(row, name)) for name in _INSTANCE_TIMES},
        "seconds": round(took.total_seconds(), 3) if took is not None else None,
    }


def as_json(found: dict[str, Any]) -> str:
    """Every value to the letter; in ASCII, so that it does no harm on a terminal either."""
    return json.dumps(found, indent=2) + "\n"


def as_csv(found: dict[str, Any]) -> str:
    """One line an instance below a line of names; lines end as RFC 4180 has it, and nowhere else.

    Cells are made fit for terminals and spreadsheets, see :func:`printable.cell`; who needs a
    value to the letter takes the JSON.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    drain = found["drain"]
    shared = {"drain_id": drain["id"], "region": drain["region"], "host": drain["host"]}
    for instance in found["instances"]:
        values = instance | shared
        writer.writerow([cell(values[name]) for name in COLUMNS])
    return out.getvalue()


def rendered(found: dict[str, Any], form: str) -> str:
    """The document as text.

    :param form: :data:`CSV` or :data:`JSON`
    """
    return {CSV: as_csv, JSON: as_json}[form](found)


def file_name(found: dict[str, Any], form: str) -> str:
    """A name that every file system takes, e.g. drain-17-cmp1.csv."""
    host = re.sub(r"[^A-Za-z0-9._-]+", "_", found["drain"]["host"] or "")[:80].strip("._-")
    return "-".join(filter(None, ["drain", str(found["drain"]["id"]), host])) + f".{form}"

"""A drain as a document: one JSON object, or one line of CSV an instance. Pure.

Both are made of the same document, wherever they are requested. Times are ISO 8601 in UTC, sizes
bytes, durations seconds; what is not known is null, in CSV empty. The names are stable: what is
added raises nothing, what is removed or changes its meaning raises :data:`SCHEMA_VERSION`.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from ..backports import UTC
from ..copying.duration import Forecast
from ..drain.needs import course_of
from ..message import Message
from ..printable import cell, file_part

SCHEMA = "ukcloud_maintenance.drain"
SCHEMA_VERSION = 2

CSV, JSON = "csv", "json"
CONTENT_TYPES = {CSV: "text/csv; charset=utf-8", JSON: "application/json; charset=utf-8"}

_DRAIN_TEXTS = (
    *("direction", "region", "host", "service_id", "state", "result", "reason"),
    *("requested_by", "requested_by_id", "cancelled_by", "destination", "timeout_action"),
)
_DRAIN_VALUES = ("plan_id", "max_concurrent", "follow_estimate", "move_locked", "learned_limit")
_DRAIN_TIMES = ("created_at", "started_at", "finished_at", "start_at", "stop_at")

_INSTANCE_TEXTS = (
    *("server_id", "server_name", "project_id", "project_name", "flavor_name"),
    *("state", "method", "code", "choice", "note"),
    *("source_compute", "dest_compute", "server_status"),
)
_INSTANCE_VALUES = ("vcpus", "memory_bytes", "disk_bytes", "attempts")
_INSTANCE_TIMES = ("created_at", "started_at", "finished_at")

#: What the newest attempt tells of an instance.
_NEWEST_TEXTS = ("nova_status", "request_id")
_NEWEST_VALUES = (
    *("nova_migration_id", "memory_total_bytes", "memory_remaining_bytes"),
    *("disk_total_bytes", "disk_remaining_bytes", "pass_bytes", "rate_bytes"),
)

_ATTEMPT_TEXTS = (
    *("method", "source_compute", "asked_host", "sent_to", "nova_status", "request_id"),
    *("result", "code"),
)
_ATTEMPT_VALUES = ("number", "nova_migration_id", "memory_total_bytes", "disk_total_bytes")
_ATTEMPT_TIMES = ("submitted_at", "queued_since", "running_since", "timed_out_at", "ended_at")

_REQUEST_TEXTS = ("kind", "origin", "requested_by", "state", "request_id")
_REQUEST_VALUES = ("attempt", "nova_migration_id", "tries")
_REQUEST_TIMES = ("requested_at", "tried_at", "taken_at")

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


def drain_document(drain: Any, said: Said, forecast: Forecast | None = None) -> dict[str, Any]:
    """A drain by itself.

    :param drain: models.Drain
    :param said: writes a message under a name: its text, code and values
    """
    return {
        "id": drain.pk,
        **texts(drain, _DRAIN_TEXTS),
        **said("message", drain.message),
        **values(drain, _DRAIN_VALUES),
        **times(drain, _DRAIN_TIMES),
        "forecast": forecast_document(forecast),
    }


def instance_document(
    row: Any, attempts: Iterable[Any], said: Said, times_out_at: datetime | None = None
) -> dict[str, Any]:
    """An instance of a drain, with each attempt and each request.

    :param row: models.InstanceMigration
    :param attempts: of models.Attempt
    :param times_out_at: when the copy in progress does
    """
    took = row.finished_at - row.started_at if row.finished_at and row.started_at else None
    newest, requests = row.attempt, row.requests
    course = course_of(row)  # not what was said of a copy that is over
    return {
        **texts(row, _INSTANCE_TEXTS),
        **said("message", row.message),
        **values(row, _INSTANCE_VALUES),
        **times(row, _INSTANCE_TIMES),
        "seconds": round(took.total_seconds(), 3) if took is not None else None,
        **texts(newest, _NEWEST_TEXTS),
        **values(newest, _NEWEST_VALUES),
        "course": course or None,
        "seconds_left": newest.seconds_left if course else None,
        **times(newest, ("timed_out_at",)),
        "times_out_at": iso(times_out_at),
        "attempt_list": [
            {
                **values(one, _ATTEMPT_VALUES),
                **texts(one, _ATTEMPT_TEXTS),
                **times(one, _ATTEMPT_TIMES),
                **said("message", one.message),
            }
            for one in attempts
        ],
        "request_list": [
            {
                **texts(one, _REQUEST_TEXTS),
                **values(one, _REQUEST_VALUES),
                **times(one, _REQUEST_TIMES),
                **said("answer", one.answer),
            }
            for one in requests.every
        ],
    }


def document(
    drain: dict[str, Any],
    instances: list[dict[str, Any]],
    events: Iterable[Any],
    now: datetime,
    said: Said,
) -> dict[str, Any]:
    """The drain, its instances and its events.

    :param drain: see :func:`drain_document`
    :param instances: see :func:`instance_document`
    :param events: of models.Event, in the order in which they happened
    """
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "exported_at": iso(now),
        "drain": drain,
        "instances": instances,
        "events": [
            {
                **event_document(event, said),
                "server_id": event.migration.server_id if event.migration else None,
                "request_id": event.request_id or None,
            }
            for event in events
        ],
    }


def event_document(event: Any, said: Said) -> dict[str, Any]:
    """What all events have.

    :param event: models.Event
    """
    return {
        "id": event.pk,
        "at": iso(event.at),
        "kind": event.kind,
        "actor": event.actor,
        "actor_id": event.actor_id or None,
        **said("message", event.message),
    }


def texts(one: Any, names: Iterable[str]) -> dict[str, Any]:
    """Texts; empty ones are null."""
    return {name: getattr(one, name) or None for name in names}


def values(one: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(one, name) for name in names}


def times(one: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: iso(getattr(one, name)) for name in names}


def forecast_document(forecast: Forecast | None) -> dict[str, Any] | None:
    """How many seconds it still takes; null for what does not end as things are."""
    if forecast is None:
        return None
    times = {"low": forecast.low, "likely": forecast.likely, "high": forecast.high}
    return {
        "seconds": {
            name: round(seconds) if math.isfinite(seconds) else None
            for name, seconds in times.items()
        },
        "samples": forecast.samples,
        "assumed": forecast.assumed,
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
    host = file_part(found["drain"]["host"] or "")
    return "-".join(filter(None, ["drain", str(found["drain"]["id"]), host])) + f".{form}"

"""A drain as a document: one JSON object, or one line of CSV an instance. Pure.

Both are made of the same document, wherever they are requested. Times are ISO 8601 in UTC, sizes
bytes, durations seconds; what is not known is null, in CSV empty. The names are stable: what is
added raises nothing, what is removed or changes its meaning raises :data:`SCHEMA_VERSION`.
"""

import csv
import io
import json
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ..copying.duration import Forecast
from ..drain.counting import Counts
from ..drain.needs import course_of
from ..printable import cell, file_part
from ..shape import Said, Shape, iso, keys, plain

SCHEMA = "ukcloud_maintenance.drain"
SCHEMA_VERSION = 2

CSV, JSON = "csv", "json"
CONTENT_TYPES = {CSV: "text/csv; charset=utf-8", JSON: "application/json; charset=utf-8"}

#: As those of a drain and of a plan are told.
COUNTED = (
    keys("left to_leave", "how many instances have left, of how many that are to leave"),
    keys("stay", "how many are not to leave, by choice or because their kind is not moved"),
    keys("unknown", "of how many it is unknown where they run"),
    keys("total", "all of them: `to_leave` and `stay` together"),
)
COUNTS = Shape("Counts", *COUNTED)
FORECAST_SECONDS = Shape(
    "The seconds of a forecast",
    keys(
        "low likely high",
        "at the earliest, the likely time, and at the latest; null: a migration is not converging",
    ),
)
FORECAST = Shape(
    "A forecast",
    keys("seconds", "how long it still takes", one=FORECAST_SECONDS),
    keys("samples", "on how many earlier migrations of the region it is based"),
    keys("assumed", "whether those are too few, so that it is a rough estimate"),
)
ATTEMPT = Shape(
    "An attempt",
    keys("number method", "which it is, and how the instance was to be moved"),
    keys("source_compute", "from which host"),
    keys(
        "asked_host sent_to",
        "the host that was requested (null: the scheduler chose), and the one that Nova named",
    ),
    keys("nova_migration_id nova_status request_id", "Nova's record of it"),
    keys("submitted_at queued_since running_since timed_out_at ended_at", "its times"),
    keys("result code", "how it ended, and what is said of that; null: it has not", said="message"),
    keys("memory_total_bytes disk_total_bytes", "what there was to copy"),
)
REQUEST = Shape(
    "A request",
    keys("kind origin", "what it is, and whose: `admin`, `timeout` or `cancel`"),
    keys("requested_by requested_at", "by whom, and when"),
    keys("attempt nova_migration_id", "the attempt that it is about"),
    keys("state tries tried_at taken_at", "how far it is, and when Nova was asked and took it"),
    keys(
        "request_id",
        "OpenStack's number of that, and what Nova made of it if it did not take it",
        said="answer",
    ),
)
INSTANCE = Shape(
    "An instance",
    keys("server_id server_name project_id project_name flavor_name", "which it is"),
    keys("vcpus memory_bytes disk_bytes", "its size"),
    keys(
        "state code method choice note",
        "how far it is and why, how it is moved, what was chosen for it, and why; what is said",
        said="message",
    ),
    keys(
        "source_compute dest_compute server_status",
        "where it was and is, and Nova's status of it",
    ),
    keys("attempts", "how many times it was tried"),
    keys("created_at started_at finished_at seconds", "its times, and how long it took"),
    keys("nova_status nova_migration_id request_id", "Nova's record of the newest attempt"),
    keys(
        "memory_total_bytes memory_remaining_bytes disk_total_bytes disk_remaining_bytes"
        " rate_bytes",
        "its copy; the rate is by the second",
    ),
    keys(
        "pass_bytes",
        "the size of the pass that copies what the guest has written since the one before; null in"
        " the first pass",
    ),
    keys(
        "course seconds_left",
        "whether the migration in progress is converging, and when it finishes; null once it is"
        " over, aborted or forced to complete",
    ),
    keys("timed_out_at times_out_at", "when it exceeded its timeout, or will"),
    keys("attempt_list", "each attempt, in their order", each=ATTEMPT),
    keys("request_list", "each abort, force complete and reset", each=REQUEST),
)
DRAIN = Shape(
    "A drain",
    keys("id plan_id", "its number, and that of its plan"),
    keys("direction", "`away` from the host, or `back` to it after its return to service"),
    keys("region host service_id", "the host and its compute service"),
    keys("state result", "how far it is, how it ended, and what is said of it", said="message"),
    keys("reason requested_by requested_by_id cancelled_by", "why and by whom"),
    keys("max_concurrent", "how many migrations run at once, as requested or changed since"),
    keys(
        "destination follow_estimate",
        "where to: a host; or null, and the hosts are kept even (false: the scheduler chooses)",
    ),
    keys("move_locked timeout_action", "whether locked instances move; what a timeout does"),
    keys("learned_limit", "how many live migrations Nova runs at once on the host"),
    keys("created_at started_at finished_at start_at stop_at", "its times and its window"),
    keys("counts", "how many of its instances have left", one=COUNTS),
    keys("forecast", "how long it still takes; null: it is over, or nothing is left", one=FORECAST),
    keys(
        "instances",
        "its instances, in the order in which they are started; in a file they stand beside it",
        each=INSTANCE,
        maybe=True,
    ),
    keys(
        "safe_to_power_off",
        "after `drain_host --wait` alone: whether the host is, and why not",
        said="why_not",
        maybe=True,
    ),
)
EVENT = Shape(
    "An event of a drain",
    keys("id at kind", "its number, when it happened, and what it is"),
    keys("actor actor_id", "by whom: a person, or a worker"),
    keys("server_id", "of which instance (null: of the drain), and what is said", said="message"),
    keys("request_id", "the number of OpenStack's answer that it tells of"),
)
FILE = Shape(
    "The file of a drain",
    keys("schema", f"`{SCHEMA}`"),
    keys("schema_version", f"`{SCHEMA_VERSION}`"),
    keys("exported_at", "when it was written"),
    keys("drain", "the drain, without its instances", one=DRAIN),
    keys("instances", "its instances, in the order in which they are started", each=INSTANCE),
    keys("events", "its timeline", each=EVENT),
    elsewhere="**JSON** beside the record on a drain's page",
)

#: What the newest attempt tells of an instance.
_NEWEST = (
    *("nova_status", "request_id", "nova_migration_id", "timed_out_at"),
    *("memory_total_bytes", "memory_remaining_bytes", "disk_total_bytes", "disk_remaining_bytes"),
    *("pass_bytes", "rate_bytes"),
)

#: the columns of the CSV, in their order
COLUMNS = (
    *("drain_id", "region", "host"),
    *("server_id", "server_name", "project_id", "project_name", "flavor_name"),
    *("vcpus", "memory_bytes", "disk_bytes"),
    *("state", "code", "method", "choice", "note"),
    *("source_compute", "dest_compute", "nova_status", "nova_migration_id", "request_id"),
    *("attempts", "created_at", "started_at", "finished_at", "seconds", "message"),
)


def counts_document(counts: Counts) -> dict[str, int]:
    """How many instances left of those that are to leave, how many stay, and of how many it is not
    known where they are; and how many there are."""
    return COUNTS.made(**{name: getattr(counts, name) for row in COUNTED for name in row})


def drain_document(
    drain: Any, counts: Counts, said: Said, forecast: Forecast | None = None
) -> dict[str, Any]:
    """A drain by itself.

    :param drain: models.Drain
    :param counts: of its instances
    :param said: writes a message under a name: its text, code and values
    """
    return DRAIN.of(
        drain,
        said,
        id=drain.pk,
        counts=counts_document(counts),
        forecast=forecast_document(forecast),
    )


def instance_document(
    row: Any, attempts: Iterable[Any], said: Said, times_out_at: datetime | None = None
) -> dict[str, Any]:
    """An instance of a drain, with each attempt and each request.

    :param row: models.InstanceMigration
    :param attempts: of models.Attempt
    :param times_out_at: when the copy in progress does
    """
    took = row.finished_at - row.started_at if row.finished_at and row.started_at else None
    newest = row.attempt
    course = course_of(row)  # not what was said of a copy that is over
    return INSTANCE.of(
        row,
        said,
        seconds=round(took.total_seconds(), 3) if took is not None else None,
        **{name: plain(getattr(newest, name)) for name in _NEWEST},
        course=course or None,
        seconds_left=newest.seconds_left if course else None,
        times_out_at=iso(times_out_at),
        attempt_list=[ATTEMPT.of(one, said) for one in attempts],
        request_list=[REQUEST.of(one, said) for one in row.requests.every],
    )


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
    return FILE.made(
        schema=SCHEMA,
        schema_version=SCHEMA_VERSION,
        exported_at=iso(now),
        drain=drain,
        instances=instances,
        events=[
            EVENT.of(
                event,
                said,
                id=event.pk,
                actor=event.actor,
                server_id=event.migration.server_id if event.migration else None,
            )
            for event in events
        ],
    )


def forecast_document(forecast: Forecast | None) -> dict[str, Any] | None:
    """How many seconds it still takes; null for what does not end as things are."""
    if forecast is None:
        return None
    times = {"low": forecast.low, "likely": forecast.likely, "high": forecast.high}
    seconds = {
        name: round(value) if math.isfinite(value) else None for name, value in times.items()
    }
    return FORECAST.made(
        seconds=FORECAST_SECONDS.made(**seconds),
        samples=forecast.samples,
        assumed=forecast.assumed,
    )


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

"""A rolling run as a document for programs. Pure.

Times are ISO 8601 in UTC, durations seconds; what is not known is null. The names are stable: what
is added raises nothing, what is removed or changes its meaning raises :data:`SCHEMA_VERSION`. What
names a delivery, or where its end is asked for, is left out: it may hold a secret.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ..shape import Said, Shape, iso, keys
from .windows import Opening

SCHEMA = "ukcloud_maintenance.run"
SCHEMA_VERSION = 1

TRY = Shape(
    "A try of an action",
    keys("number name kind", "which it is; `kind` is `command`, `webhook` or `hand`"),
    keys("state", "how far it is, and what is said of it", said="message"),
    keys("machine done_by", "where a command runs; and who said that it is done"),
    keys("started_at ended_at", "its times"),
    keys("next_at reminded_at", "when the next try is due, and when somebody was reminded of it"),
    keys("output", "in a file alone: what it has written", maybe=True),
)
HOST = Shape(
    "A host of a run",
    keys(
        "host position domains instances",
        "which it is, what fails together with it, and how many instances it had",
    ),
    keys("stage since failed_in", "how far it is, since when, and why", said="message"),
    keys("is_unwanted approved_by approved_at", "what people requested"),
    keys("drain_id maintenance_id", "its drain and its maintenance"),
    keys(
        "started_at finished_at down_at up_since checked_at",
        "its times, and what the checks found wrong",
        said="objection",
    ),
    keys(
        "forecast_seconds forecast_begins_at forecast_ends_at",
        "how long it was expected to take, and when it is expected to begin and to end",
    ),
    keys("actions", "each try of its action", each=TRY),
)
RUN = Shape(
    "A run",
    keys(
        "id region reason requested_by requested_by_id created_at finished_at",
        "which it is, why and by whom",
    ),
    keys("state", "how far it is, and what it waits for", said="message"),
    keys(
        "held_since",
        "since when no host begins for a reason of this kind (window, approval, check, room,"
        " trouble); null: it is not held",
    ),
    keys("action", "the name of its action; null: by hand"),
    keys(
        "at_once domain per_domain order windows",
        "how it goes about it; `per_domain` 0: as many as at once",
    ),
    keys("on_failure failures approval bring_back", "as it was requested"),
    keys(
        "max_concurrent follow_estimate move_locked timeout_action",
        "what each of its drains is requested with",
    ),
    keys(
        "found_down found_in_error",
        "the hosts that were down and the servers that were in ERROR at the start",
    ),
    keys(
        "forecast_ends_at",
        "when it is expected to end; null: it is over, or a host never fits a window",
    ),
    keys("hosts", "its hosts, in their order", each=HOST),
    about="Addresses and names of deliveries are left out: they may hold a secret",
)
EVENT = Shape(
    "An event of a run",
    keys("id at kind", "its number, when it happened, and what it is"),
    keys("actor actor_id", "by whom (a person, or a worker), and what is said", said="message"),
)
FILE = Shape(
    "The file of a run",
    keys("schema", f"`{SCHEMA}`"),
    keys("schema_version", f"`{SCHEMA_VERSION}`"),
    keys("exported_at", "when it was written"),
    keys("run", "the run, with the output of its actions", one=RUN),
    keys("events", "its timeline", each=EVENT),
)


def run_document(
    run: Any, hosts: Iterable[Mapping[str, Any]], said: Said, ends_at: datetime | None = None
) -> dict[str, Any]:
    """A run with its hosts, without its events.

    :param run: models.Run
    :param hosts: made by :func:`host_document`
    :param said: writes a message under a name: its text, code and values
    :param ends_at: when it is forecast to end
    """
    return RUN.of(run, said, id=run.pk, forecast_ends_at=iso(ends_at), hosts=list(hosts))


def host_document(
    host: Any,
    tries: Iterable[Any],
    said: Said,
    opening: Opening | None = None,
    output: bool = False,
) -> dict[str, Any]:
    """One host of a run.

    :param host: models.RunHost
    :param tries: of models.RunAction, the first one first
    :param opening: when it is forecast to begin and to end
    :param output: whether what its commands have written is a part of it
    """
    begins, ends = opening or (None, None)
    return HOST.of(
        host,
        said,
        forecast_seconds=round(host.seconds),
        forecast_begins_at=iso(begins),
        forecast_ends_at=iso(ends),
        actions=[TRY.of(one, said, **({"output": one.output} if output else {})) for one in tries],
    )


def document(
    of_run: Mapping[str, Any], events: Iterable[Any], at: datetime, said: Said
) -> dict[str, Any]:
    """The file: a run with its hosts and events.

    :param of_run: made by :func:`run_document`
    :param events: of models.Event
    :param at: when it is written
    """
    return FILE.made(
        schema=SCHEMA,
        schema_version=SCHEMA_VERSION,
        exported_at=iso(at),
        run=dict(of_run),
        events=[EVENT.of(event, said, id=event.pk, actor=event.actor) for event in events],
    )

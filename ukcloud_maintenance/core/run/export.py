"""A rolling run as a document for programs. Pure.

Times are ISO 8601 in UTC, durations seconds; what is not known is null. The names are stable: what
is added raises nothing, what is removed or changes its meaning raises :data:`SCHEMA_VERSION`. What
names a delivery, or where its end is asked for, is left out: it may hold a secret.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ..record.export import Said, event_document, iso, texts, times, values
from .windows import Opening

SCHEMA = "ukcloud_maintenance.run"
SCHEMA_VERSION = 1

_RUN_TEXTS = (
    *("region", "state", "reason", "requested_by", "requested_by_id", "action", "domain", "order"),
    *("on_failure", "approval", "timeout_action"),
)
_RUN_VALUES = (
    *("at_once", "per_domain", "failures", "bring_back", "max_concurrent", "follow_estimate"),
    *("move_locked", "windows", "found_down", "found_in_error"),
)
_RUN_TIMES = ("created_at", "finished_at", "held_since")

_HOST_TEXTS = ("host", "stage", "failed_in", "approved_by")
_HOST_VALUES = ("position", "domains", "instances", "is_unwanted", "drain_id", "maintenance_id")
_HOST_TIMES = (
    *("since", "started_at", "finished_at", "approved_at", "down_at", "up_since", "checked_at"),
)

_TRY_TEXTS = ("name", "kind", "state", "machine", "done_by")
_TRY_TIMES = ("started_at", "ended_at", "next_at", "reminded_at")


def run_document(
    run: Any, hosts: Iterable[Mapping[str, Any]], said: Said, ends_at: datetime | None = None
) -> dict[str, Any]:
    """A run with its hosts, without its events.

    :param run: models.Run
    :param hosts: made by :func:`host_document`
    :param said: writes a message under a name: its text, code and values
    :param ends_at: when it is forecast to end
    """
    return {
        "id": run.pk,
        **texts(run, _RUN_TEXTS),
        **said("message", run.message),
        **values(run, _RUN_VALUES),
        **times(run, _RUN_TIMES),
        "forecast_ends_at": iso(ends_at),
        "hosts": list(hosts),
    }


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
    return {
        **texts(host, _HOST_TEXTS),
        **said("message", host.message),
        **values(host, _HOST_VALUES),
        **times(host, _HOST_TIMES),
        "forecast_seconds": round(host.seconds),
        "forecast_begins_at": iso(begins),
        "forecast_ends_at": iso(ends),
        **said("objection", host.objection),
        "actions": [_try_document(one, said, output) for one in tries],
    }


def _try_document(one: Any, said: Said, output: bool) -> dict[str, Any]:
    return {
        "number": one.number,
        **texts(one, _TRY_TEXTS),
        **times(one, _TRY_TIMES),
        **said("message", one.message),
        **({"output": one.output} if output else {}),
    }


def document(
    of_run: Mapping[str, Any], events: Iterable[Any], at: datetime, said: Said
) -> dict[str, Any]:
    """The file: a run with its hosts and events.

    :param of_run: made by :func:`run_document`
    :param events: of models.Event
    :param at: when it is written
    """
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "exported_at": iso(at),
        "run": dict(of_run),
        "events": [event_document(event, said) for event in events],
    }

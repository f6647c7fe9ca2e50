"""Drains for programs, and tables and paragraphs for people."""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from ukcloud_maintenance import services
from ukcloud_maintenance.core.copying.duration import Forecast
from ukcloud_maintenance.core.drain.alarm import alarm
from ukcloud_maintenance.core.message import Message
from ukcloud_maintenance.core.printable import printable
from ukcloud_maintenance.core.states import Direction
from ukcloud_maintenance.messages import document, english


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def drain_document(report: services.DrainReport) -> dict[str, Any]:
    """A drain for programs. What is not known (yet) is null; times are UTC, sizes bytes."""
    drain = report.drain
    return {
        "id": drain.pk,
        "plan_id": drain.plan_id,
        "host": drain.host,
        "region": drain.region,
        "direction": drain.direction,
        "state": drain.state,
        "result": drain.result or None,
        **document("message", drain.message),
        "reason": drain.reason,
        "requested_by": drain.requested_by,
        "cancelled_by": drain.cancelled_by or None,
        "created_at": iso(drain.created_at),
        "started_at": iso(drain.started_at),
        "finished_at": iso(drain.finished_at),
        "start_at": iso(drain.start_at),
        "stop_at": iso(drain.stop_at),
        "max_concurrent": drain.max_concurrent,
        "timeout_action": drain.timeout_action,
        "forecast": _forecast_document(report.forecast),
        "migrations": [
            {
                "server_id": row.server_id,
                "server_name": row.server_name,
                "state": row.state,
                "method": row.method or None,
                "nova_status": row.nova_status or None,
                "source_compute": row.source_compute,
                "dest_compute": row.dest_compute or None,
                "attempts": row.attempts,
                "code": row.code or None,
                **document("message", row.message),
                "started_at": iso(row.started_at),
                "finished_at": iso(row.finished_at),
                "memory_total_bytes": row.memory_total_bytes,
                "memory_remaining_bytes": row.memory_remaining_bytes,
                "disk_total_bytes": row.disk_total_bytes,
                "disk_remaining_bytes": row.disk_remaining_bytes,
                "rate_bytes": row.rate_bytes,
                "course": row.course or None,
                "seconds_left": row.seconds_left,
                "timed_out_at": iso(row.timed_out_at),
                "times_out_at": iso(outlook.due_at)
                if (outlook := report.timeouts.get(row.pk))
                else None,
                "wish": row.wish or None,
                "wish_by": row.wish_by or None,
                **document("answer", row.answer, None),
            }
            for row in report.migrations
        ],
    }


def _forecast_document(forecast: Forecast | None) -> dict[str, Any] | None:
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


def summary(report: services.DrainReport) -> str:
    """One line about a drain, e.g. "cmp1 (drain 5): running, 7 of 12 left the host"; what a person
    must look at comes first."""
    drain, counts = report.drain, report.counts
    done = "came back" if drain.direction == Direction.BACK else "left the host"
    first = english(alarm(report.migrations))
    return (
        f"{drain.host} (drain {drain.pk}): {first}{' ' if first else ''}"
        f"{drain.state}, {counts.left} of {counts.total} {done}"
    )


def paragraph(said: Message | None) -> list[str]:
    """The lines of a message that has several; what others wrote begins none."""
    return english(said).split("\n")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of columns as wide as their widest cell."""
    lines = [list(head), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]

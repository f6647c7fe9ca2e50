"""Drains for programs, and tables and paragraphs for people."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from ukcloud_maintenance import services
from ukcloud_maintenance.core.drain.alarm import alarm
from ukcloud_maintenance.core.message import Message
from ukcloud_maintenance.core.printable import printable
from ukcloud_maintenance.core.states import Direction
from ukcloud_maintenance.messages import english


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def summary(report: services.DrainReport) -> str:
    """One line about a drain, e.g. "cmp1 (drain 5): running, 7 of 12 left the host"; what needs
    attention comes first."""
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

"""Drains for programs, and tables and paragraphs for people."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from ukcloud_maintenance import services
from ukcloud_maintenance.core.drain.alarm import alarm
from ukcloud_maintenance.core.drain.counting import Counts
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.printable import printable
from ukcloud_maintenance.core.states import Direction
from ukcloud_maintenance.messages import english

#: letters of a column, below which it would say nothing
NARROWEST = 8


def summary(report: services.DrainReport) -> Message:
    """One line about a drain, e.g. "cmp1 (drain 5): running, 7 of 9 left the host, 3 stay"; what
    needs attention comes first."""
    drain = report.drain
    back = drain.direction == Direction.BACK
    return message(
        "shell_summary_back" if back else "shell_summary",
        host=drain.host,
        drain=drain.pk,
        alarm=alarm(report.migrations),
        state=drain.state,
        counts=left_of(report.counts, "shell_came_back" if back else "shell_left_host"),
    )


def left_of(counts: Counts, done: str) -> Message:
    """How many left of those that are to, e.g. "7 of 9 left the host, 3 stay".

    :param done: the code of what is said of them
    """
    said = message(done, left=counts.left, to_leave=counts.to_leave)
    return message("shell_and_stay", counts=said, count=counts.stay) if counts.stay else said


def paragraph(said: Message | None) -> list[str]:
    """The lines of a message that has several; what others wrote begins none."""
    return english(said).split("\n")


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], columns: int | None = None
) -> list[str]:
    """Lines of columns as wide as their widest cell.

    :param columns: letters in a line of the terminal: where the table is wider, the widest columns
        break their cells over several lines, no letter is lost; None: nothing breaks
    """
    lines = [list(head), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    while columns and sum(widths) + 2 * (len(widths) - 1) > columns and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return [text for line in lines for text in _texts(line, widths)]


def _texts(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """A line of the table as one of text, or as several where a cell is wider than its column."""
    cells = [
        [cell] if len(cell) <= width else textwrap.wrap(cell, width, break_on_hyphens=False)
        for cell, width in zip(line, widths, strict=True)
    ]
    for parts in zip_longest(*cells, fillvalue=""):
        yield "  ".join(part.ljust(w) for part, w in zip(parts, widths, strict=True)).rstrip()

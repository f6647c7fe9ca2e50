"""Watching drains from a shell until they are over."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections

from ukcloud_maintenance import services
from ukcloud_maintenance.core.copying.convergence import Verdict
from ukcloud_maintenance.core.copying.fraction import of_pass
from ukcloud_maintenance.core.drain.needs import course_of
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.printable import printable
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    MIGRATION_IN_PROGRESS,
    Direction,
    DrainState,
)
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.services import DrainReport

from ._base import EXIT_INTERRUPTED, ShellCommand
from ._documents import paragraph, summary

PAUSE_SECONDS = 1.0
#: how long a database that fails is asked again before the watching ends
PATIENCE_SECONDS = 60.0

#: verdicts on a copy that are worth a word beside its share
_NEEDS_HELP = {Verdict.SLOW, Verdict.NOT_CONVERGING, Verdict.STALLED}


Shown = TypeVar("Shown", contravariant=True)


class Display(Protocol[Shown]):
    """Shows how far something is."""

    def show(self, report: Shown, /) -> None: ...

    def close(self) -> None: ...


class Changes:
    """A line for each change: for logs and pipes."""

    def __init__(self, write: Callable[..., None]):
        self._write = write
        self._shown: dict[int | str, str] = {}

    def line(self, of: int | str, line: str) -> None:
        if self._shown.get(of) != line:
            self._shown[of] = line
            self._write(line)

    def close(self) -> None:
        pass


class Lines(Changes):
    def show(self, reports: Sequence[DrainReport]) -> None:
        for report in reports:
            said = summary(report)
            if moving := list(_in_progress(report)):
                said = message("shell_summary_moving", summary=said, moving=moving)
            self.line(report.drain.pk, english(said))


class Drawing:
    """Lines that are drawn again in their place: for terminals."""

    #: up by so many lines; clear the rest of the screen; cut lines that are too long, or break them
    _UP, _CLEAR, _CUT, _BREAK = "\x1b[{}A", "\x1b[J", "\x1b[?7l", "\x1b[?7h"

    def __init__(self, draw: Callable[[str], None]):
        self._draw = draw
        self._drawn = 0

    def lines(self, lines: list[str], more: str) -> None:
        """:param more: the code of what is said of those that do not fit"""
        # What leaves the screen at its top cannot be drawn again.
        fitting = max(shutil.get_terminal_size().lines - 2, 1)
        if len(lines) > fitting:
            lines = [*lines[:fitting], english(message(more, n=len(lines) - fitting))]
        up = self._UP.format(self._drawn) if self._drawn else ""
        text = "".join(f"{line}\n" for line in lines)
        self._draw(f"{up}{self._CLEAR}{self._CUT}{text}{self._BREAK}")
        self._drawn = len(lines)

    def close(self) -> None:
        """What is drawn stays; what is written next stands below it."""
        self._drawn = 0


class Bars(Drawing):
    """A bar for each drain."""

    _WIDTH = 20

    def __init__(self, draw: Callable[[str], None]):
        super().__init__(draw)
        self._begun = time.monotonic()

    def show(self, reports: Sequence[DrainReport]) -> None:
        self.lines([self._bar(report) for report in reports], "shell_more")

    def _bar(self, report: DrainReport) -> str:
        done, whole = progress(report)
        elapsed = timedelta(seconds=int(time.monotonic() - self._begun))
        moving = ", ".join(_in_progress(report, percent=True))
        bar = "#" * int(self._WIDTH * done / whole)
        said = printable(f"{english(summary(report))} {moving}")
        return f"{done / whole:4.0%}|{bar:<{self._WIDTH}}| {elapsed} {said}"


def progress(report: DrainReport) -> tuple[float, int]:
    """How many instances have left, those in progress by their share, and how many are to leave.

    A drain without any counts as one step, so that there is something to draw.
    """
    counts = report.counts
    if not counts.to_leave:
        return float(report.drain.state in DRAIN_TERMINAL), 1
    copying = [
        row.attempt.fraction for row in report.migrations if row.state in MIGRATION_IN_PROGRESS
    ]
    return counts.left + sum(share or 0.0 for share in copying), counts.to_leave


def _in_progress(report: DrainReport, *, percent: bool = False) -> Iterator[str]:
    for row in report.migrations:
        if row.state in MIGRATION_IN_PROGRESS:
            copied = of_pass(row.attempt) if percent else None
            share = "" if copied is None else f" {copied:.0%}"
            found = course_of(row)
            course = f" ({found.replace('_', ' ')})" if found in _NEEDS_HELP else ""
            yield f"{row.server_name} {row.attempt.nova_status or row.state}{share}{course}"


def watch(
    read: Callable[[], list[DrainReport]], display: Display[Sequence[DrainReport]]
) -> list[DrainReport]:
    """Show the drains until all are over; their last reports.

    :raises OperationalError, InterfaceError: the database has failed for a minute
    """

    def are_over(reports: list[DrainReport]) -> bool:
        display.show(reports)
        return all(report.drain.state in DRAIN_TERMINAL for report in reports)

    return patiently(read, are_over)


Read = TypeVar("Read")


def patiently(read: Callable[[], Read], is_over: Callable[[Read], bool]) -> Read:
    """Read until it is over: what was read last. A database may restart or fail over meanwhile.

    :raises OperationalError, InterfaceError: the database has failed for a minute
    """
    failing_since: float | None = None
    while True:
        try:
            found = read()
        except (InterfaceError, OperationalError):
            close_old_connections()
            failing_since = failing_since or time.monotonic()
            if time.monotonic() - failing_since > PATIENCE_SECONDS:
                raise
        else:
            failing_since = None
            if is_over(found):
                return found
        time.sleep(PAUSE_SECONDS)


class _Verdict:
    """Whether the wait for a host to be safe to power off is over: it is safe, or nothing (or no
    longer anything) is in progress that could make it safe, or it has not become safe for as long
    as a verification is valid."""

    def __init__(self) -> None:
        self._settled_since: float | None = None

    def __call__(self, found: services.Certificate) -> bool:
        if found.safe:
            return True
        if found.open_drain is not None and found.open_drain.direction == Direction.AWAY:
            self._settled_since = None
            return False
        if found.maintenance is None or found.maintenance.returning_since:
            return True
        now = time.monotonic()
        if self._settled_since is None:
            self._settled_since = now
        return now - self._settled_since > found.lasts_seconds


class DisplayCommand(ShellCommand):
    """A command that shows how far something is, and what it notes below that."""

    display: Display[Any] | None = None

    def note(self, *lines: str) -> None:
        if self.display:
            self.display.close()
        super().note(*lines)


class WaitingCommand(DisplayCommand):
    """A command that can wait until drains are over, and until hosts are safe to power off."""

    def until_safe(self, region: str, host: str) -> services.Certificate:
        """Wait until a host is safe to power off or will not be, and show why it is not yet."""
        shown: Message | None = None

        def read() -> services.Certificate:
            nonlocal shown
            found = services.certificate(self.actor, region, host)
            self.warn_of_worker(services.worker_status(self.actor))
            if not found.safe and found.why_not != shown:
                shown = found.why_not
                self.note(english(message("shell_why_not_safe", host=host, why=shown)))
            return found

        return patiently(read, _Verdict())

    def say_safety(self, found: services.Certificate) -> None:
        """Whether a host is safe to power off, in a sentence."""
        if found.safe:
            since, at = found.safe_since, found.verified_at
            self.tell(message("shell_safe", host=found.host, since=since, verified=at))
        else:
            self.tell(message("shell_not_safe", host=found.host, why=found.why_not))

    def reports(self, ids: list[int]) -> list[DrainReport]:
        return [services.drain_report(self.actor, drain_id) for drain_id in ids]

    def wait(
        self,
        ids: list[int],
        print_out: Callable[[list[DrainReport]], Any],
        plan_id: int | None,
        *,
        then: Callable[[list[DrainReport]], Any] = lambda reports: None,
    ) -> list[DrainReport]:
        """Show the drains until all are over; their last reports.

        :param print_out: prints the JSON of reports, also where the waiting is interrupted
        :param then: waits for what is to follow, before anything is printed
        :param plan_id: the plan that is all of them, or None
        """
        display: Display[Sequence[DrainReport]] = (
            Bars(self.stderr.draw) if self.stderr.isatty() else Lines(self.note)
        )
        self.display = display
        try:
            reports = watch(lambda: self._look(ids), display)
            display.close()
            then(reports)
        except KeyboardInterrupt:
            display.close()
            reports = self.reports(ids)
            if self.json:
                print_out(reports)
            self.note(*map(english, _continues(reports, plan_id)))
            raise SystemExit(EXIT_INTERRUPTED) from None
        if self.json:
            print_out(reports)
        for report in reports:
            self.say(*_ended(report))
        return reports

    def _look(self, ids: list[int]) -> list[DrainReport]:
        reports = self.reports(ids)
        self.warn_without_worker(reports[0])
        return reports


def _continues(reports: list[DrainReport], plan_id: int | None) -> Iterator[Message]:
    if plan_id is not None and any(r.drain.state not in DRAIN_TERMINAL for r in reports):
        yield message("shell_plan_continues", plan=plan_id)
        return
    for drain in (report.drain for report in reports):
        if drain.state == DrainState.CANCELLING:
            yield message("shell_cancel_continues", drain=drain.pk)
        elif drain.state not in DRAIN_TERMINAL:
            yield message("shell_drain_continues", drain=drain.pk, host=drain.host)
        elif drain.state == DrainState.SUCCEEDED:
            yield message("shell_wait_for_safe", drain=drain.pk, host=drain.host)


def _ended(report: DrainReport) -> list[str]:
    drain = report.drain
    first, *rest = paragraph(drain.message)
    said = message(
        "shell_drain_ended", drain=drain.pk, host=drain.host, state=drain.state, what=first
    )
    return [english(said), *rest]

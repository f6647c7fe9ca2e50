"""Watching a rolling run from a shell until it is over, or stopped."""

import shutil
from collections.abc import Callable
from typing import Any

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.printable import one_line, printable
from ukcloud_maintenance.core.run.states import RunState
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.services import RunReport

from ._base import EXIT_INTERRUPTED
from ._runs import headline, run_text, said_of
from ._waiting import Changes, Display, DisplayCommand, Drawing, patiently


class Lines(Changes):
    def show(self, report: RunReport) -> None:
        said = one_line(english(report.run.message))
        self.line("", f"{headline(report)}{f'. {said}' if said else ''}")
        for host in report.hosts:
            words = said_of(host)
            stage = host.stage.replace("_", " ")
            self.line(host.host, f"{host.host}: {stage}{f'. {words}' if words else ''}")


class Table(Drawing):
    """The whole run."""

    def show(self, report: RunReport) -> None:
        lines = run_text(report, shutil.get_terminal_size().columns)
        self.lines([printable(line) for line in lines], "shell_more_lines")


def is_at_rest(report: RunReport) -> bool:
    """Whether nothing more becomes of the run by itself: it is over, or it stopped after a failure
    and a person must look."""
    return report.is_over or report.run.state == RunState.STOPPED


class RunCommand(DisplayCommand):
    """A command about one rolling run."""

    def wait_for(self, run_id: int, *, is_over: Callable[[RunReport], bool]) -> RunReport:
        """Show a run until it is over; its last report, whose JSON is printed, also where the
        waiting is interrupted."""
        drawn = self.stderr.isatty()
        display: Display[RunReport] = Table(self.stderr.draw) if drawn else Lines(self.note)
        self.display = display

        def look() -> RunReport:
            report = services.run_report(self.actor, run_id)
            self.warn_of_worker(report.worker)
            return report

        def shown(report: RunReport) -> bool:
            display.show(report)
            return is_over(report)

        try:
            report = patiently(look, shown)
        except KeyboardInterrupt:
            display.close()
            report = services.run_report(self.actor, run_id)
            self.print_run(report)
            if not report.is_over:
                self.note(english(message("shell_run_continues", run=run_id)))
            raise SystemExit(EXIT_INTERRUPTED) from None
        display.close()
        self.print_run(report)
        return report

    def print_run(self, report: RunReport, **more: Any) -> None:
        """Its JSON, where JSON is wanted."""
        if self.json:
            self.print_json({**services.progress_document(report), **more})

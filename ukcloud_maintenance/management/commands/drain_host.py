"""Drain hosts, from a shell."""

import argparse
import sys
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.states import DrainState, MigrationState

from ._base import EXIT_INTERRUPTED, EXIT_NOT_DRAINED, ShellCommand, drain_document
from ._plans import plan_document, plan_text
from ._waiting import Bars, Display, Lines, watch


class Command(ShellCommand):
    help = (
        "Queue the migration of every instance off one or several hosts; the worker does the"
        " rest. With several hosts: one refused, none submitted. With --dry-run nothing is"
        " queued: it tells what can leave, how and where to."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "hosts", nargs="+", metavar="HOST", help="name of a compute service, compared exactly"
        )
        reason = parser.add_argument(
            "--reason",
            required=True,
            help="why; becomes the disabled reason of the service, at most 255 characters",
        )

        class DryRun(argparse.Action):
            """Nothing is asked for, so no reason is needed."""

            def __call__(self, *args: Any) -> None:
                reason.required = False
                args[1].dry_run = True

        parser.add_argument(
            "--dry-run",
            action=DryRun,
            nargs=0,
            default=False,
            help="only check: what can leave, how, where to, and what stands against it",
        )
        parser.add_argument("--region", help="needed where several are configured")
        parser.add_argument(
            "--max-concurrent",
            type=int,
            metavar="N",
            help="migrations of a host at once; the setting MAX_CONCURRENT where not given",
        )
        parser.add_argument(
            "--destination",
            default="",
            metavar="HOST",
            help="one host that all instances go to; the scheduler's choice where not given",
        )
        parser.add_argument("--wait", action="store_true", help="wait until all are over")
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        cloud = self.cloud(options["region"])
        if options["dry_run"]:
            self._check(cloud, options)
            return
        drains = services.request_drains(
            self.actor,
            cloud,
            [
                services.DrainRequest(
                    host, options["reason"], options["max_concurrent"], options["destination"]
                )
                for host in options["hosts"]
            ],
        )
        ids = [drain.pk for drain in drains]
        if options["wait"]:
            self._wait(ids)
            return
        reports = self._reports(ids)
        if self.json:
            self.print_json([drain_document(report) for report in reports])
        for report in reports:
            self.say(_asked(report))
        self.warn_without_worker(reports[0])

    def _check(self, cloud: services.Cloud, options: dict[str, Any]) -> None:
        choices = services.PlanChoices(
            max_concurrent=options["max_concurrent"],
            destination=options["destination"],
            drained_too=frozenset(options["hosts"]),
        )
        plans = [services.plan_drain(self.actor, cloud, host, choices) for host in options["hosts"]]
        if self.json:
            self.print_json([plan_document(plan) for plan in plans])
        for plan in plans:
            self.say(plan_text(plan))
        if not all(plan.everything_leaves for plan in plans):
            raise SystemExit(EXIT_NOT_DRAINED)

    def _reports(self, ids: list[int]) -> list[services.DrainReport]:
        return [services.drain_report(self.actor, drain_id) for drain_id in ids]

    def _wait(self, ids: list[int]) -> None:
        display: Display = Bars(sys.stderr) if self.stderr.isatty() else Lines(self.note)
        try:
            reports = watch(lambda: self._look(ids), display)
        except KeyboardInterrupt:
            display.close()
            self._interrupted(self._reports(ids))
            raise SystemExit(EXIT_INTERRUPTED) from None
        display.close()
        if self.json:
            self.print_json([drain_document(report) for report in reports])
        for report in reports:
            self.say(_ended(report))
        if any(report.drain.state != DrainState.SUCCEEDED for report in reports):
            raise SystemExit(EXIT_NOT_DRAINED)

    def _look(self, ids: list[int]) -> list[services.DrainReport]:
        reports = self._reports(ids)
        self.warn_without_worker(reports[0])
        return reports

    def _interrupted(self, reports: list[services.DrainReport]) -> None:
        if self.json:
            self.print_json([drain_document(report) for report in reports])
        for drain in (report.drain for report in reports):
            self.note(
                f"Drain {drain.pk} of {drain.host} goes on. Watch it with `drain_status"
                f" {drain.pk}`, stop it with `drain_cancel {drain.pk}`."
            )


def _asked(report: services.DrainReport) -> str:
    drain, counts = report.drain, report.counts
    text = f"Drain {drain.pk} of {drain.host} is asked for: {counts.total} instances"
    if staying := counts[MigrationState.STAYS]:
        text += f", {staying} of them stay where they are"
    return text + "."


def _ended(report: services.DrainReport) -> str:
    drain = report.drain
    return f"Drain {drain.pk} of {drain.host} {drain.state}: {drain.message}"

"""Try instances again that failed, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.shape import Printed
from ukcloud_maintenance.core.states import MigrationState
from ukcloud_maintenance.core.steering import DrainVerb, Verb

from ._documents import summary
from ._steering import PLAN, STEERED, SteeringCommand, find_instances


class Command(SteeringCommand):
    help = (
        "Retry failed instances with all their attempts: all of a drain or plan, or the given"
        " instances, including skipped ones. A drain that has ended is reopened."
    )
    prints = (Printed(STEERED, "ID"), Printed(PLAN, "--plan ID"))
    verb = DrainVerb.RETRY

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_target(parser)
        parser.add_argument(
            "--instance",
            action="append",
            metavar="NAME_OR_ID",
            help="only this instance; can be given several times",
        )
        parser.add_argument(
            "--to",
            default="",
            metavar="HOST",
            help="the destination; default: the scheduler chooses",
        )
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        if options["plan"] is not None:
            if options["instance"] or options["to"]:
                self.usage_error("--instance and --to are for a single drain, not for --plan")
            self.prove_authority()
            self.show_plan(options["plan"], self.steer_plan(options["plan"]))
            return
        self.prove_authority()
        self._retry(options["id"], options["instance"], options["to"])

    def _retry(self, drain_id: int, named: list[str] | None, destination: str) -> None:
        report = services.drain_report(self.actor, drain_id)
        if named:
            rows = find_instances(report, named)
        else:
            rows = [
                row
                for row in report.migrations
                if row.state == MigrationState.FAILED
                and not steering.objection(Verb.RETRY, row, report.drain)
            ]
        if named or (destination and rows):
            cloud = self.cloud(report.drain.region) if destination else None
            steered = services.steer(
                self.actor,
                drain_id,
                Verb.RETRY,
                [row.pk for row in rows],
                destination=destination,
                cloud=cloud,
            )
        else:
            steered = services.retry_failed(self.actor, drain_id)
        self.show_steered(drain_id, Verb.RETRY, steered)

    def said(self, drain: services.Drain) -> Message:
        found = summary(services.drain_report(self.actor, drain.pk))
        return message("shell_failed_retried", summary=found)

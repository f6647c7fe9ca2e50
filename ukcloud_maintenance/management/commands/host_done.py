"""Say that the maintenance of a host is done, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.run.export import RUN
from ukcloud_maintenance.core.shape import Printed

from ._base import ShellCommand


class Command(ShellCommand):
    help = (
        "Say that the maintenance of a host is done, whichever rolling run it is in: of one that"
        " is maintained by hand or by a webhook, or whose action failed and was finished by hand."
        " The run then waits until the host is up, and returns it to service."
    )

    prints = (Printed(RUN),)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("host", metavar="HOST", help="its name, which must match exactly")
        parser.add_argument("--region", help="required if several regions are configured")
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        cloud = self.cloud(options["region"])
        row = services.host_done(self.actor, cloud.region, options["host"])
        report = services.run_report(self.actor, row.run_id)
        if self.json:
            self.print_json(services.progress_document(report))
        self.tell(message("shell_maintenance_done", host=row.host, run=row.run_id))
        self.warn_of_worker(report.worker)

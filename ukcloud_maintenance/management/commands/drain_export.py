"""Write the record of a drain to a file, from a shell."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.record import export
from ukcloud_maintenance.core.shape import Printed, Shape, keys

from ._base import ShellCommand

WRITTEN = Shape(
    "The file of a drain that was written",
    keys("drain_id format output", "of which drain, `csv` or `json`, and where it is"),
    keys("instances events", "how many are in it; a CSV has no events"),
)


class Command(ShellCommand):
    help = (
        "Export a drain with its instances as CSV, or with its instances and events as JSON."
        " OpenStack is not queried."
    )

    prints = (Printed(export.FILE), Printed(WRITTEN, "--output FILE"))

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, metavar="ID", help="the drain's number")
        parser.add_argument(
            "--format",
            choices=[export.CSV, export.JSON],
            default=export.JSON,
            help="csv: one line per instance; json (the default): everything",
        )
        parser.add_argument(
            "--output",
            metavar="FILE",
            help="the file to write, which is overwritten; default: standard output",
        )
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        form = options["format"]
        document = services.export_drain(self.actor, options["id"])
        text = export.rendered(document, form)
        if not options["output"]:
            self.stdout.file(text)
            return
        path = Path(options["output"])
        self.write_file(path, text)
        instances = len(document["instances"])
        if self.json:
            self.print_json(
                WRITTEN.made(
                    drain_id=options["id"],
                    format=form,
                    output=str(path),
                    instances=instances,
                    events=len(document["events"]),
                )
            )
        said = message("n_instances", count=instances)
        self.tell(
            message("shell_drain_written", drain=options["id"], instances=said, path=str(path))
        )

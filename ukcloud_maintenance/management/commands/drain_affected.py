"""Tell who is affected by drains, from a shell."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.shape import Printed

from ._base import ShellCommand, failure

#: Addresses of people are nobody else's business on this machine.
_MODE = 0o600


class Command(ShellCommand):
    help = (
        "Tell who is affected by drains, by a plan, by a rolling run or by a drain of hosts, before"
        " and after: by project, when each instance is expected to move or did, whether it was"
        " interrupted, and the e-mail addresses of the project's users. Nothing is changed. The"
        " addresses are personal data."
    )
    prints = (Printed(services.AFFECTED),)
    exit_codes = """\
exit codes:
  0    told, also where Keystone did not tell the addresses
  2    bad input, an unknown host, drain, plan or run, or wrong settings or credentials
  3    refused
  4    OpenStack or the database failed or did not answer
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="the numbers of drains")
        parser.add_argument("--plan", type=int, metavar="PLAN", help="the number of a plan")
        parser.add_argument("--run", type=int, metavar="RUN", help="the number of a rolling run")
        parser.add_argument(
            "--host",
            action="append",
            default=[],
            metavar="HOST",
            help="a host, drained or not, which must match exactly; can be given several times. Of"
            " a host without an open drain, times count from the start of its drain",
        )
        parser.add_argument("--region", help="the hosts' region; required if there are several")
        parser.add_argument(
            "--format",
            choices=services.AFFECTED_FORMS,
            default="text",
            help="text (the default): a text for each project's users; csv: one line per instance;"
            " json: everything",
        )
        parser.add_argument(
            "--output",
            metavar="FILE",
            help="the file to write, which is overwritten, and which its owner alone may read;"
            " default: standard output",
        )
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        request = services.AffectedRequest(
            tuple(dict.fromkeys(options["ids"])),
            options["plan"],
            tuple(options["host"]),
            options["run"],
        )
        region = services.affected_region(self.actor, request)
        if region is not None and options["region"] not in (None, region):
            raise failure(message("named_in_other_region", region=region), code="other_region")
        cloud = self.cloud(region if region is not None else options["region"])
        found = services.affected(self.actor, cloud, request)
        form = "json" if self.json else options["format"]
        text = services.affected_text(found, form)
        if not options["output"]:
            self.stdout.file(text)
        else:
            self.write_file(Path(options["output"]), text, _MODE)
        if form != "text" or options["output"]:  # a text says it by itself
            self.note(*services.affected_problems(found))

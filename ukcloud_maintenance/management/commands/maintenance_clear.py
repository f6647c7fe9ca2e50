"""Remove the record of drains and rolling runs that are long over, from a shell."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.shape import Printed, Shape, keys

from ._base import ShellCommand
from ._documents import counted

CLEARED = Shape(
    "What was cleared",
    keys("dry_run", "whether it was only counted"),
    keys("drains instances events maintenances plans", "how many were removed"),
    keys("runs run_hosts run_actions", "of rolling runs"),
    keys("kept kept_runs", "drains and runs of that age whose host is still in maintenance"),
)


class Command(ShellCommand):
    help = (
        "Remove drains that ended more than KEEP_DAYS ago, with their instances and events, and"
        " the host maintenances and the rolling runs that ended as long ago. Drains and runs in"
        " progress, and those of a host that is still in maintenance, are never removed."
    )

    prints = (Printed(CLEARED),)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=int,
            metavar="DAYS",
            help="days since their end, at least 1; default: the setting KEEP_DAYS",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only show what would be removed"
        )
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        found = services.clear_record(self.actor, options["older_than"], options["dry_run"])
        if self.json:
            self.print_json(CLEARED.made(dry_run=options["dry_run"], **asdict(found)))
        verb = "Would remove" if options["dry_run"] else "Removed"
        self.say(
            f"{verb} {counted(found.drains, 'drain')} with {counted(found.instances, 'instance')}"
            f" and {counted(found.events, 'event')}, {counted(found.maintenances, 'maintenance')}"
            f" of hosts and {counted(found.plans, 'plan')}."
        )
        self.say(
            f"{verb} {counted(found.runs, 'rolling run')} with {counted(found.run_hosts, 'host')}"
            f" and {counted(found.run_actions, 'action')}."
        )
        if found.kept:
            self.say(
                f"Kept {counted(found.kept, 'drain')} of that age: their hosts are still in"
                " maintenance."
            )
        if found.kept_runs:
            self.say(
                f"Kept {counted(found.kept_runs, 'rolling run')} of that age: a host of it is still"
                " in maintenance."
            )

"""Remove the record of drains and rolling runs that are long over, from a shell."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.shape import Printed, Shape, keys

from ._base import ShellCommand

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
        dry = options["dry_run"]
        self.tell(
            message(
                "shell_would_remove" if dry else "shell_removed",
                drains=message("n_drains", count=found.drains),
                instances=message("n_instances", count=found.instances),
                events=message("n_events", count=found.events),
                maintenances=message("n_maintenances", count=found.maintenances),
                plans=message("n_plans", count=found.plans),
            ),
            message(
                "shell_would_remove_runs" if dry else "shell_removed_runs",
                runs=message("n_runs", count=found.runs),
                hosts=message("n_hosts", count=found.run_hosts),
                actions=message("n_actions", count=found.run_actions),
            ),
        )
        if found.kept:
            self.tell(message("shell_kept", drains=message("n_drains", count=found.kept)))
        if found.kept_runs:
            self.tell(message("shell_kept_runs", runs=message("n_runs", count=found.kept_runs)))

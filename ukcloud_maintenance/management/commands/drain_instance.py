"""Do something with instances of a drain, from a shell."""

import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.convergence import ADVICE, Verdict, pause_seconds
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.services import InstanceMigration

from ._base import EXIT_INTERRUPTED, EXIT_REFUSED, Failure
from ._plans import duration_text, size_text
from ._steering import SteeringCommand, find_instances, not_confirmed

VERBS = {
    "abort": Verb.ABORT,
    "force-complete": Verb.FORCE,
    "skip": Verb.SKIP,
    "first": Verb.FIRST,
}
#: What a forced completion costs the guest.
_COST = next(way.cost for way in ADVICE[Verdict.CONVERGING] if way.code == Verb.FORCE)


class Command(SteeringCommand):
    help = (
        "Steer instances of a drain. abort: stop their migrations, they run on where they are."
        f" force-complete: {_COST} skip: take them off the list, they stay. first: start them next."
        " For failed ones see drain_retry."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=VERBS, metavar="VERB", help=" | ".join(VERBS))
        parser.add_argument("id", type=int, metavar="ID", help="the drain's number")
        parser.add_argument(
            "instances",
            nargs="+",
            metavar="INSTANCE",
            help="id of a server, or its exact name",
        )
        parser.add_argument(
            "--yes", action="store_true", help="do not ask before a guest is interrupted"
        )
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        verb = VERBS[options["verb"]]
        report = services.drain_report(self.actor, options["id"])
        rows = find_instances(report, options["instances"])
        able = [row for row in rows if not steering.objection(verb, row, report.drain)]
        if verb is Verb.FORCE and able and not options["yes"]:
            self._confirm(able)
        steered = services.steer(self.actor, report.drain.pk, verb, [row.pk for row in rows])
        self.show_steered(report.drain.pk, verb, steered)

    def _confirm(self, rows: Sequence[InstanceMigration]) -> None:
        """Name the consequence, and have it confirmed where somebody is there to do so."""
        if not sys.stdin.isatty():
            not_confirmed(_COST)
        self.note("Force to complete:")
        for row in rows:
            self.note(f"  {row.server_name} ({row.server_id}): {_forecast(row)}")
        self.note(_COST)
        self.stderr.write("Type yes to go on: ", lambda text: text, ending="")
        self.stderr.flush()
        try:
            answer = sys.stdin.readline()
        except KeyboardInterrupt:
            raise SystemExit(EXIT_INTERRUPTED) from None
        if answer.strip().lower() != "yes":
            raise Failure("Not confirmed; nothing was changed.", EXIT_REFUSED, "not_confirmed")


def _forecast(row: InstanceMigration) -> str:
    """How long the guest would be paused, and whether the copy ends without it."""
    sizes = (row.memory_remaining_bytes, row.disk_remaining_bytes)
    remaining = None if sizes == (None, None) else sum(size or 0 for size in sizes)
    pause = pause_seconds(remaining, row.rate_bytes)
    said = "how much is left is not known"
    if remaining is not None:
        said = f"{size_text(remaining)} left"
    if pause is not None:
        said += f", a pause of about {duration_text(pause)}"
    if row.course == Verdict.CONVERGING and row.seconds_left is not None:
        said += f"; left alone it ends in about {duration_text(row.seconds_left)}"
    return said

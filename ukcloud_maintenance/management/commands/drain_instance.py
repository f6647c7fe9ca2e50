"""Steer instances of a drain, from a shell."""

from collections.abc import Callable, Sequence
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.copying.convergence import ADVICE, Verdict, pause_seconds
from ukcloud_maintenance.core.host.evidence import Evidence
from ukcloud_maintenance.core.message import Message, message, text
from ukcloud_maintenance.core.shape import Printed
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.messages import english, english_remedy
from ukcloud_maintenance.services import InstanceMigration

from ._base import EXIT_REFUSED, failure
from ._steering import STEERED, SteeringCommand, find_instances

VERBS = {
    "abort": Verb.ABORT,
    "force-complete": Verb.FORCE,
    "skip": Verb.SKIP,
    "first": Verb.FIRST,
    "reset": Verb.RESET,
}
#: What a forced completion costs the guest.
_FORCE_COST = next(
    english_remedy(way.said) for way in ADVICE[Verdict.CONVERGING] if way.code == Verb.FORCE
)


class Command(SteeringCommand):
    help = (
        "Steer instances of a drain. abort: stop their migrations; they keep running on their"
        f" source host. force-complete: {_FORCE_COST} skip: leave them on the host."
        " first: move them to the front of the queue. reset: set instances to active that Nova left"
        " in ERROR after an abort; the evidence that their guests run on their source host is read"
        " and shown, and nothing is reset unless it is complete for all of them. To retry failed"
        " instances, use drain_retry."
    )

    prints = (Printed(STEERED),)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=VERBS, metavar="VERB", help=" | ".join(VERBS))
        parser.add_argument("id", type=int, metavar="ID", help="the drain's number")
        parser.add_argument(
            "instances",
            nargs="+",
            metavar="INSTANCE",
            help="server id, or exact server name",
        )
        parser.add_argument(
            "--yes",
            action="store_true",
            help="do not ask for confirmation of force-complete and reset",
        )
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        verb = VERBS[options["verb"]]
        report = services.drain_report(self.actor, options["id"])
        rows = find_instances(report, options["instances"])
        able = [row for row in rows if not steering.objection(verb, row, report.drain)]
        evidence = {}
        if verb is Verb.RESET and able:
            evidence = self._evidence(report, able)
        if able and not options["yes"]:
            if verb is Verb.FORCE:
                self._confirm(message("to_force"), able, _forecast, text(_FORCE_COST))
            elif verb is Verb.RESET:
                self._confirm(message("to_reset"), able, _where, message("cost_of_reset"))
        steered = services.steer(self.actor, report.drain.pk, verb, [row.pk for row in rows])
        self.show_steered(report.drain.pk, verb, steered, evidence)

    def _evidence(
        self, report: services.DrainReport, rows: Sequence[InstanceMigration]
    ) -> dict[str, Evidence]:
        """The evidence that their guests run on their source host, by server id.

        The worker reads it again before it requests a reset from Nova.

        :raises Failure: it is not complete
        """
        cloud = self.cloud(report.drain.region)
        found = {
            row.server_id: services.evidence(self.actor, cloud, report.drain.pk, row.pk)
            for row in rows
        }
        for row in rows:
            self.say(*_evidence_lines(row, found[row.server_id]))
        for row in rows:
            evidence = found[row.server_id]
            if not evidence.complete:
                said = message(
                    "evidence_incomplete",
                    name=row.server_name,
                    why=evidence.why_not,
                    by_hand=evidence.by_hand,
                )
                raise failure(said, EXIT_REFUSED, drain_id=report.drain.pk)
        return found

    def _confirm(
        self,
        what: Message,
        rows: Sequence[InstanceMigration],
        of: Callable[[InstanceMigration], Message],
        cost: Message,
    ) -> None:
        named = [f"  {row.server_name} ({row.server_id}): {english(of(row))}" for row in rows]
        self.confirm(english(cost), english(what), *named, english(cost))


def _where(row: InstanceMigration) -> Message:
    return message("shell_on_host", host=row.source_compute)


def _evidence_lines(row: InstanceMigration, evidence: Evidence) -> list[str]:
    """Each check, what they mean together, and what to look at by hand."""
    named = {"name": row.server_name, "id": row.server_id}
    lines = [english(message("shell_read_at", **named, at=evidence.read_at))]
    for check in evidence.checks:
        lines.append(f"  {'yes' if check.passed else 'NO '}  {english(check.found)}")
        lines += [f"       {english(detail)}" for detail in check.details]
    lines.append(english(evidence.meaning))
    lines += [f"  - {english(step)}" for step in evidence.by_hand]
    return lines


def _forecast(row: InstanceMigration) -> Message:
    """How long the guest would be paused, and whether the migration finishes without it."""
    sizes = (row.attempt.memory_remaining_bytes, row.attempt.disk_remaining_bytes)
    remaining = None if sizes == (None, None) else sum(size or 0 for size in sizes)
    pause = pause_seconds(remaining, row.attempt.rate_bytes)
    said = message("shell_left_unknown")
    if remaining is not None:
        said = message("shell_left", size=remaining)
    if pause is not None:
        said = message("shell_left_and_pause", left=said, pause=pause)
    seconds = row.attempt.seconds_left
    if row.attempt.course == Verdict.CONVERGING and seconds is not None:
        said = message("shell_finishes_without", left=said, seconds=seconds)
    return said

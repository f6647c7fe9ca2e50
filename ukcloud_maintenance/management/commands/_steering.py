"""What the commands that steer a drain, a plan or an instance have in common."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core import steering
from ukcloud_maintenance.core.host.certificate import CHECK, for_programs
from ukcloud_maintenance.core.host.evidence import Evidence
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.record.export import (
    COUNTED,
    DRAIN,
    FORECAST,
    counts_document,
    forecast_document,
)
from ukcloud_maintenance.core.shape import Printed, Shape, iso, keys
from ukcloud_maintenance.core.steering import DrainVerb, Verb
from ukcloud_maintenance.messages import document, documents, english
from ukcloud_maintenance.services import DrainReport, InstanceMigration, PlanReport, Steered

from ._base import EXIT_NOT_ALL, failure
from ._waiting import WaitingCommand

#: What is said of an instance for which something was written down.
_ASKED = {
    Verb.ABORT: message("shell_abort"),
    Verb.FORCE: message("shell_force"),
    Verb.RETRY: message("shell_retry"),
    Verb.SKIP: message("shell_skip"),
    Verb.FIRST: message("shell_first"),
    Verb.RESET: message("shell_reset"),
}
#: Those that a worker asks Nova for.
_NOVA_ANSWERS = {Verb.ABORT, Verb.FORCE, Verb.RESET}


REFUSED_DRAIN = Shape("A drain that was refused", keys("drain_id", "which, and why", said="reason"))
PLAN = Shape(
    "A plan",
    keys("id region", "its number, and where it is"),
    keys("reason requested_by created_at", "why, by whom and when it was requested"),
    keys("hosts_at_once", "how many hosts move their instances at a time; 0: all"),
    keys("is_over", "whether all its drains are"),
    *COUNTED,
    keys("forecast", "how long it still takes; null: it is over, or nothing is left", one=FORECAST),
    keys("drains", "its drains, with their instances", each=DRAIN),
    keys(
        "refused",
        "where something was requested of all: the drains in which it was not done",
        each=REFUSED_DRAIN,
        maybe=True,
    ),
)
STEERED_ONE = Shape("An instance that was steered", keys("server_id server_name", "which"))
REFUSED_ONE = Shape(
    "An instance that was refused", keys("server_id server_name", "which, and why", said="reason")
)
EVIDENCE = Shape(
    "Evidence",
    keys("complete", "whether it proves that the guest runs on its source host"),
    keys("", "what it means", said="meaning"),
    keys("", "lists: what to look at by hand", said="by_hand"),
    keys("read_at", "when it was read"),
    keys("checks", "each point", each=CHECK),
)
STEERED = Shape(
    "What was requested of instances",
    keys("drain_id verb", "of which drain, and what"),
    keys("done", "those for which it was recorded", each=STEERED_ONE),
    keys("refused", "the others", each=REFUSED_ONE),
    keys("evidence", "of a reset alone: of each server", by_name=EVIDENCE, maybe=True),
)
#: What a command prints that requests the same of a drain or of all drains of a plan.
OF_DRAIN_OR_PLAN = (Printed(DRAIN, "ID"), Printed(PLAN, "--plan ID"))


def pace_and_window(drain: services.Drain) -> list[Message]:
    """How a drain goes about it, e.g. "2 migrations at once", "not before …"."""
    said = [message("n_migrations_at_once", count=drain.max_concurrent)]
    if drain.start_at:
        said.append(message("pace_not_before", at=drain.start_at))
    if drain.stop_at:
        said.append(message("pace_nothing_after", at=drain.stop_at))
    said.append(message("pace_timeout_action", action=drain.timeout_action))
    if not drain.destination:
        said.append(message("pace_even" if drain.follow_estimate else "pace_scheduler"))
    return said


def plan_progress_document(
    plan: PlanReport, drains: Iterable[DrainReport], **more: Any
) -> dict[str, Any]:
    """A plan of several hosts and how far it is, for programs.

    :param more: those of its keys that may be missing
    """
    row, total = plan.plan, plan.total
    return PLAN.made(
        id=row.pk,
        region=row.region,
        reason=row.reason,
        hosts_at_once=row.hosts_at_once,
        requested_by=row.requested_by,
        created_at=iso(row.created_at),
        is_over=plan.is_over,
        **counts_document(total),
        forecast=forecast_document(plan.forecast),
        drains=[services.drain_document(report) for report in drains],
        **more,
    )


def find_instances(report: DrainReport, wanted: Iterable[str]) -> list[InstanceMigration]:
    """The instances of a drain by id or exact name, in the order in which they were named.

    :raises Failure: one is not part of the drain, or its name is that of several
    """
    drain, found = report.drain, []
    for text in wanted:
        rows = [row for row in report.migrations if row.server_id == text]
        rows = rows or [row for row in report.migrations if row.server_name == text]
        if not rows:
            named = {"drain": drain.pk, "host": drain.host, "name": text}
            said = message("instance_not_of_this_drain", **named)
            raise failure(said, code="unknown_instance", drain_id=drain.pk)
        if len(rows) > 1:
            ids = [row.server_id for row in rows]
            named = {"drain": drain.pk, "name": text, "count": len(rows), "ids": ids}
            raise failure(message("instance_ambiguous", **named), drain_id=drain.pk)
        found += rows
    return found


class SteeringCommand(WaitingCommand):
    """Something that is requested for a drain, for all drains of a plan, or for instances."""

    #: what is requested, where it can be requested for a plan
    verb: DrainVerb

    def add_target(self, parser: CommandParser) -> None:
        """The drain, or the plan."""
        target = parser.add_mutually_exclusive_group(required=True)
        target.add_argument("id", type=int, nargs="?", metavar="ID", help="the drain's number")
        target.add_argument(
            "--plan",
            type=int,
            metavar="ID",
            help="all drains of this plan for which it is possible",
        )

    def said(self, drain: services.Drain) -> Message:
        """What became of the request, in one sentence about the drain."""
        raise NotImplementedError

    # -- a drain -----------------------------------------------------------------------------

    def show_drain(self, drain_id: int) -> None:
        report = services.drain_report(self.actor, drain_id)
        if self.json:
            self.print_json(services.drain_document(report))
        self.tell(self.said(report.drain))
        if report.drain.finished_at is None:
            self.warn_without_worker(report)

    def steer(
        self, options: Mapping[str, Any], one: Callable[..., services.Drain], **more: Any
    ) -> None:
        """Ask for it in the drain, or in all drains of the plan.

        :param one: what asks for it in one drain
        """
        self.prove_authority()
        if options["plan"] is not None:
            self.show_plan(options["plan"], self.steer_plan(options["plan"], **more))
        else:
            self.show_drain(one(self.actor, options["id"], **more).pk)

    # -- a plan ------------------------------------------------------------------------------

    def steer_plan(self, plan_id: int, **options: Any) -> dict[int, Message]:
        """Ask for it in all drains of the plan; by the number of those in which it was not done,
        why."""
        answers = services.steer_plan(self.actor, plan_id, self.verb, **options)
        return {drain.pk: why for drain, why, _ in answers if why}

    def print_plan(
        self, plan_id: int, reports: list[DrainReport], refused: Mapping[int, Message]
    ) -> None:
        """The JSON of a plan, with why something was not done in some of its drains."""
        plan = services.plan_report(self.actor, plan_id)
        of_drains = [
            REFUSED_DRAIN.made(drain_id=drain_id, **document("reason", refused[drain_id]))
            for drain_id in sorted(refused)
        ]
        self.print_json(plan_progress_document(plan, reports, refused=of_drains))

    def show_plan(self, plan_id: int, refused: Mapping[int, Message]) -> None:
        """What was done, drain by drain; exit 1 where one was refused that could have taken it."""
        reports = self.reports_of_plan(plan_id)
        if self.json:
            self.print_plan(plan_id, reports, refused)
        for drain in (report.drain for report in reports):
            why = refused.get(drain.pk)
            refusal = {"drain": drain.pk, "host": drain.host, "said": why}
            self.tell(message("shell_of_drain", **refusal) if why else self.said(drain))
        if any(report.drain.finished_at is None for report in reports):
            self.warn_without_worker(reports[0])
        self.exit_if_refused(reports, refused)

    def reports_of_plan(self, plan_id: int) -> list[DrainReport]:
        drains = services.plan_report(self.actor, plan_id).drains
        return self.reports([drain.pk for drain in drains])

    def exit_if_refused(self, reports: list[DrainReport], refused: Mapping[int, Message]) -> None:
        """One that is over needs no pause: only what should have been done and was not counts.

        Where nothing failed there is nothing to retry, which is no failure either.
        """
        if self.verb is not DrainVerb.RETRY and any(
            report.drain.pk in refused and not steering.drain_objection(self.verb, report.drain)
            for report in reports
        ):
            raise SystemExit(EXIT_NOT_ALL)

    # -- instances ---------------------------------------------------------------------------

    def show_steered(
        self,
        drain_id: int,
        verb: Verb,
        steered: Steered,
        evidence: Mapping[str, Evidence] | None = None,
    ) -> None:
        """What was written down, instance by instance; exit 1 where some were refused.

        :param evidence: by server id, for a reset
        """
        if self.json:
            read = {name: _evidence_document(found) for name, found in (evidence or {}).items()}
            self.print_json(
                STEERED.made(
                    drain_id=drain_id,
                    verb=verb.value,
                    done=[STEERED_ONE.made(**_name(row)) for row in steered.done],
                    refused=[
                        REFUSED_ONE.made(**_name(row), **document("reason", why))
                        for row, why in steered.refused
                    ],
                    **({"evidence": read} if read else {}),
                )
            )
        for row in steered.done:
            self.tell(message("shell_instance", name=row.server_name, what=_ASKED[verb]))
        for row, why in steered.refused:
            named = {"name": row.server_name, "id": row.server_id}
            self.note(english(message("shell_instance_refused", **named, why=why)))
        if verb in _NOVA_ANSWERS:
            self.tell(message("shell_see_drain", drain=drain_id))
        self.warn_without_worker(services.drain_report(self.actor, drain_id))
        if steered.refused:
            raise SystemExit(EXIT_NOT_ALL)


def _name(row: InstanceMigration) -> dict[str, str]:
    return {"server_id": row.server_id, "server_name": row.server_name}


def _evidence_document(found: Evidence) -> dict[str, Any]:
    return EVIDENCE.made(
        complete=found.complete,
        **document("meaning", found.meaning),
        **documents("by_hand", found.by_hand),
        read_at=iso(found.read_at),
        checks=for_programs(found.checks, document, documents),
    )

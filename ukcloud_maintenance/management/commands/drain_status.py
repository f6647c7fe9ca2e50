"""Show drains and plans, from a shell."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.codes import ABORTED
from ukcloud_maintenance.core.copying.convergence import ADVICE, Verdict
from ukcloud_maintenance.core.copying.duration import Forecast
from ukcloud_maintenance.core.copying.fraction import of_pass
from ukcloud_maintenance.core.drain import needs
from ukcloud_maintenance.core.drain.alarm import alarm
from ukcloud_maintenance.core.printable import one_line
from ukcloud_maintenance.core.states import (
    MIGRATION_IN_PROGRESS,
    MIGRATION_WAITING,
    Direction,
    MigrationState,
    TimeoutAction,
)
from ukcloud_maintenance.messages import english, english_remedy, iso
from ukcloud_maintenance.services import DrainReport, InstanceMigration

from ._base import ShellCommand
from ._documents import counted, paragraph, summary, table
from ._plans import duration_text, pace_of
from ._steering import pace_and_window, plan_progress_document

#: What the verdicts mean that need an admin's attention.
_MEANING = {
    Verdict.SLOW: "is slow: the data left to copy decreases, but it takes long",
    Verdict.NOT_CONVERGING: "is not converging: the guest writes at least as fast as it is copied",
    Verdict.STALLED: "is stalled: no data is being copied",
}
_COMMANDS = {"abort": "drain_instance abort", "force_complete": "drain_instance force-complete"}


class Command(ShellCommand):
    help = (
        "Show all drains in progress, one drain with its instances, or a plan with its hosts."
        " Reads the maintenance database; OpenStack is not queried."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("id", type=int, nargs="?", metavar="ID", help="the drain's number")
        what.add_argument("--plan", type=int, metavar="ID", help="the plan's number")
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        if options["plan"] is not None:
            self._plan(services.plan_report(self.actor, options["plan"]))
        elif options["id"] is None:
            self._all()
        else:
            self._one(services.drain_report(self.actor, options["id"]))

    def _all(self) -> None:
        drains = services.open_drains(self.actor)
        reports = [services.drain_report(self.actor, drain.pk) for drain in drains]
        if self.json:
            self.print_json([services.drain_document(report) for report in reports])
            return
        if not reports:
            self.say("No drain is in progress.")
            return
        self._alarms(reports)
        self.say(
            *table(
                [
                    *("ID", "HOST", "REGION", "STATE", "LEFT", "OF", "PLAN", "WINDOW"),
                    *("REQUESTED BY", "REQUESTED AT", "REASON"),
                ],
                [
                    (
                        r.drain.pk,
                        r.drain.host,
                        r.drain.region,
                        _state_of(r.drain),
                        r.counts.left,
                        r.counts.total,
                        r.drain.plan_id or "-",
                        _window(r.drain),
                        r.drain.requested_by,
                        iso(r.drain.created_at),
                        r.drain.reason,
                    )
                    for r in reports
                ],
                self.columns,
            )
        )
        self.warn_without_worker(reports[0])

    def _alarms(self, reports: list[DrainReport]) -> None:
        """First of all, the instances that need attention."""
        for report in reports:
            if first := english(alarm(report.migrations)):
                self.say(f"Drain {report.drain.pk} of {report.drain.host}: {first}")

    def _plan(self, report: services.PlanReport) -> None:
        plan, total = report.plan, report.total
        reports = [services.drain_report(self.actor, drain.pk) for drain in report.drains]
        if self.json:
            self.print_json(plan_progress_document(report, reports))
            return
        self._alarms(reports)
        how = english(pace_of(plan.hosts_at_once, len(reports)))
        over = ", finished" if report.is_over else ""
        self.say(
            f"Plan {plan.pk}: {len(reports)} hosts, {how}{over};"
            f" {total.left} of {total.total} left their hosts",
            *_of_plan_in_need(report),
            f"Reason: {plan.reason}",
            f"Requested by {plan.requested_by} at {iso(plan.created_at)}",
            *([_forecast(report.forecast, report.in_need)] if report.forecast else []),
            "",
        )
        self.say(
            *table(
                ["HOST", "DRAIN", "STATE", "LEFT", "OF", "FAILED", "WINDOW", "MESSAGE"],
                [
                    (
                        r.drain.host,
                        r.drain.pk,
                        r.drain.state,
                        r.counts.left,
                        r.counts.total,
                        r.counts[MigrationState.FAILED],
                        _window(r.drain),
                        one_line(english(r.drain.message)),
                    )
                    for r in reports
                ],
                self.columns,
            )
        )
        if not report.is_over:
            self.warn_without_worker(reports[0])

    def _one(self, report: DrainReport) -> None:
        if self.json:
            self.print_json(services.drain_document(report))
            return
        drain = report.drain
        self.tell(summary(report))
        if drain.message:
            self.say(*paragraph(drain.message))
        if report.in_need:
            self.say(f"Needs you: {', '.join(_names(report.in_need))}.")
        self.say(
            f"Reason: {drain.reason}",
            f"Requested by {drain.requested_by} at {iso(drain.created_at)},"
            f" started {iso(drain.started_at) or 'not yet'},"
            f" finished {iso(drain.finished_at) or 'not yet'}",
            "; ".join(map(english, pace_and_window(drain))),
            *_time_left(report),
        )
        if drain.plan_id:
            self.say(f"Part of plan {drain.plan_id}: see `drain_status --plan {drain.plan_id}`")
        self.say(
            "",
            *table(
                [
                    *("INSTANCE", "STATE", "NOVA", "COPIED", "COURSE", "TIME LEFT"),
                    *("TO", "ATTEMPTS", "MESSAGE"),
                ],
                [
                    (
                        f"{row.server_name} ({row.server_id})",
                        _state(row),
                        row.attempt.nova_status,
                        _copied(row),
                        *_course(row),
                        row.dest_compute,
                        row.attempts,
                        " ".join(_said(row, report)),
                    )
                    for row in report.migrations
                ],
                self.columns,
            ),
        )
        if advice := list(_advice(report)):
            self.say("", *advice)
        if drain.finished_at is None:
            self.warn_without_worker(report)


def _state_of(drain: services.Drain) -> str:
    """Of those that are no drain, what they are as well."""
    back = drain.direction == Direction.BACK
    return f"{drain.state} (bring-back)" if back else str(drain.state)


def _window(drain: services.Drain) -> str:
    if drain.start_at is None and drain.stop_at is None:
        return "-"
    return f"{iso(drain.start_at) or ''}/{iso(drain.stop_at) or ''}"


def _time_left(report: DrainReport) -> Iterator[str]:
    """How long it still takes, how sure that is, and whether its window is long enough."""
    found, stop_at = report.forecast, report.drain.stop_at
    if found is None:
        return
    said = _forecast(found, report.in_need)
    if math.isfinite(found.likely) and stop_at is not None:
        begins = max(report.now, report.drain.start_at or report.now)
        room = (stop_at - begins).total_seconds()
        if found.low > room:
            said += "; it does not fit into its window"
        elif found.high > room:
            said += "; it may not fit into its window"
        else:
            said += "; it fits into its window"
    yield said


def _forecast(found: Forecast, in_need: Iterable[tuple[needs.Need, object]]) -> str:
    """How long a drain or a plan still takes, and how sure that is."""
    if not math.isfinite(found.likely):
        what = "stalled" if needs.only_stalled(in_need) else "not converging"
        return f"Time left: no estimate: a migration is {what}"
    source = f"based on {counted(found.samples, 'earlier migration')}"
    if found.assumed:
        source = "a rough estimate: too few migrations in this region so far"
    high = duration_text(found.high) if math.isfinite(found.high) else "unknown"
    return (
        f"Time left: about {duration_text(found.likely)}"
        f" ({duration_text(found.low)} to {high}; {source})"
    )


def _said(row: InstanceMigration, report: DrainReport) -> Iterator[str]:
    """What there is to say of an instance, on one line."""
    yield from english(row.message).split()
    requests = row.requests
    if requests.open:
        by = requests.open.requested_by or f"the {requests.open.origin}"
        yield f"[{requests.open.kind} requested by {by}]"
    if requests.answer and row.state not in MIGRATION_WAITING:
        yield f"[{one_line(english(requests.answer))}]"
    if row.attempt.timed_out_at and row.state == MigrationState.MIGRATING:
        yield f"[timeout exceeded at {iso(row.attempt.timed_out_at)}]"
    if times_out := _times_out(row, report):
        yield f"[{times_out}]"


#: What a timeout does, by what the drain says now.
_THEN = {
    TimeoutAction.WARN: "marked and continues",
    TimeoutAction.ABORT: "aborted",
    TimeoutAction.FORCE: "forced to complete, its guest paused until the rest is copied",
}


def _times_out(row: InstanceMigration, report: DrainReport) -> str:
    """When a migration in progress times out and what happens then; empty once that is past."""
    found = report.timeouts.get(row.pk)
    if found is None or report.now > found.due_at:
        return ""
    left = duration_text((found.due_at - report.now).total_seconds())
    if report.now <= found.at:
        return f"times out in {left}, then it is {_THEN[found.action]}"
    if found.action == TimeoutAction.WARN or row.requests.forced_at:
        return ""
    return (
        f"should finish soon, so it may continue; otherwise in {left} it is {_THEN[found.action]}"
    )


def _names(in_need: Iterable[tuple[needs.Need, InstanceMigration]]) -> Iterator[str]:
    for need, row in in_need:
        yield f"{row.server_name or row.server_id} ({need.replace('_', ' ')})"


def _of_plan_in_need(report: services.PlanReport) -> Iterator[str]:
    """A line for each host of which instances need a person; what helps is told of its drain."""
    for drain in report.drains:
        found = [(need, row) for need, row in report.in_need if row.drain_id == drain.pk]
        if found:
            said = ", ".join(_names(found))
            yield f"Needs you on {drain.host}: {said}: see `drain_status {drain.pk}`"


def _state(row: InstanceMigration) -> str:
    """What was aborted on request did not fail."""
    aborted = row.state == MigrationState.FAILED and row.code == ABORTED
    return "aborted" if aborted else row.state


def _copied(row: InstanceMigration) -> str:
    """How much of it is copied; of what is copied again, where that is so."""
    moves = row.state in MIGRATION_IN_PROGRESS
    share = of_pass(row.attempt) if moves else row.attempt.fraction
    if share is None or not (moves or row.state == MigrationState.SUCCEEDED):
        return ""
    return f"{share:.0%} of rewritten" if moves and row.attempt.pass_bytes else f"{share:.0%}"


def _course(row: InstanceMigration) -> tuple[str, str]:
    """Whether the copy is going to end, and when; in the first pass the least that it takes."""
    if needs.is_aborting(row):
        return "aborting", ""
    course, left = needs.course_of(row), row.attempt.seconds_left
    if not course or left is None:
        return course.replace("_", " "), ""
    least = "" if row.attempt.pass_bytes else "at least "
    return course.replace("_", " "), f"{least}{duration_text(left)}"


def _advice(report: DrainReport) -> Iterator[str]:
    """What can be done about migrations that do not finish, or not soon, and what it costs."""
    for verdict, meaning in _MEANING.items():
        rows = [row for row in report.migrations if needs.course_of(row) == verdict]
        for row in rows:
            yield f"{row.server_name} ({row.server_id}) {meaning}."
        for way in ADVICE[verdict] if rows else ():
            command = _COMMANDS.get(way.code)
            typed = f" (`{command} {report.drain.pk} INSTANCE`)" if command else ""
            yield f"  {english(way.said, remedy=False)}{typed} {english_remedy(way.said)}"

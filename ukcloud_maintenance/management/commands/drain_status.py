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
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.printable import one_line
from ukcloud_maintenance.core.record.export import DRAIN
from ukcloud_maintenance.core.shape import Printed
from ukcloud_maintenance.core.states import (
    MIGRATION_IN_PROGRESS,
    MIGRATION_WAITING,
    Direction,
    MigrationState,
    TimeoutAction,
)
from ukcloud_maintenance.messages import english, english_remedy, to_the_second
from ukcloud_maintenance.services import DrainReport, InstanceMigration

from ._base import ShellCommand
from ._documents import left_of, paragraph, summary, table
from ._plans import duration_text, pace_of
from ._steering import PLAN, pace_and_window, plan_progress_document

#: What the verdicts mean that need an admin's attention.
_MEANING = {
    Verdict.SLOW: "shell_is_slow",
    Verdict.NOT_CONVERGING: "shell_is_not_converging",
    Verdict.STALLED: "shell_is_stalled",
}
_COMMANDS = {"abort": "drain_instance abort", "force_complete": "drain_instance force-complete"}


class Command(ShellCommand):
    help = (
        "Show all drains in progress, one drain with its instances, or a plan with its hosts."
        " Reads the maintenance database; OpenStack is not queried."
    )

    prints = (
        Printed(DRAIN, many=True),
        Printed(DRAIN, "ID"),
        Printed(PLAN, "--plan ID"),
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
            self.tell(message("shell_no_drain_open"))
            return
        self._alarms(reports)
        self.say(
            *table(
                [
                    *("ID", "HOST", "REGION", "STATE", "LEFT", "OF", "STAY", "PLAN", "WINDOW"),
                    *("REQUESTED BY", "REQUESTED AT", "REASON"),
                ],
                [
                    (
                        r.drain.pk,
                        r.drain.host,
                        r.drain.region,
                        _state_of(r.drain),
                        r.counts.left,
                        r.counts.to_leave,
                        r.counts.stay,
                        r.drain.plan_id or "-",
                        _window(r.drain),
                        r.drain.requested_by,
                        to_the_second(r.drain.created_at),
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
            if first := alarm(report.migrations):
                drain = report.drain
                self.tell(message("shell_of_drain", drain=drain.pk, host=drain.host, said=first))

    def _plan(self, report: services.PlanReport) -> None:
        plan, total = report.plan, report.total
        reports = [services.drain_report(self.actor, drain.pk) for drain in report.drains]
        if self.json:
            self.print_json(plan_progress_document(report, reports))
            return
        self._alarms(reports)
        self.tell(
            message(
                "shell_plan_over" if report.is_over else "shell_plan",
                plan=plan.pk,
                hosts=message("n_hosts", count=len(reports)),
                pace=pace_of(plan.hosts_at_once, len(reports)),
                counts=left_of(total, "shell_left_their_hosts"),
            ),
            *_of_plan_in_need(report),
            message("shell_reason", reason=plan.reason),
            message("shell_requested_by", who=plan.requested_by, at=plan.created_at),
            *([_forecast(report.forecast, report.in_need)] if report.forecast else []),
        )
        self.say("")
        self.say(
            *table(
                ["HOST", "DRAIN", "STATE", "LEFT", "OF", "STAY", "FAILED", "WINDOW", "MESSAGE"],
                [
                    (
                        r.drain.host,
                        r.drain.pk,
                        r.drain.state,
                        r.counts.left,
                        r.counts.to_leave,
                        r.counts.stay,
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
            self.tell(message("shell_needs_you", names=_names(report.in_need)))
        self.tell(
            message("shell_reason", reason=drain.reason),
            message(
                "shell_requested_started",
                who=drain.requested_by,
                at=drain.created_at,
                started=drain.started_at or message("shell_not_yet"),
                finished=drain.finished_at or message("shell_not_yet"),
            ),
            message("shell_summary_of", parts=pace_and_window(drain)),
            *_time_left(report),
        )
        if drain.plan_id:
            self.tell(message("shell_part_of_plan", plan=drain.plan_id))
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
    return english(message("shell_state_back", state=drain.state)) if back else str(drain.state)


def _window(drain: services.Drain) -> str:
    if drain.start_at is None and drain.stop_at is None:
        return "-"
    return f"{to_the_second(drain.start_at) or ''}/{to_the_second(drain.stop_at) or ''}"


def _time_left(report: DrainReport) -> Iterator[Message]:
    """How long it still takes, how sure that is, and whether its window is long enough."""
    found, stop_at = report.forecast, report.drain.stop_at
    if found is None:
        return
    said = _forecast(found, report.in_need)
    if math.isfinite(found.likely) and stop_at is not None:
        begins = max(report.now, report.drain.start_at or report.now)
        room = (stop_at - begins).total_seconds()
        if found.low > room:
            said = message("shell_fits_not", said=said)
        elif found.high > room:
            said = message("shell_may_not_fit", said=said)
        else:
            said = message("shell_fits", said=said)
    yield said


def _forecast(found: Forecast, in_need: Iterable[tuple[needs.Need, object]]) -> Message:
    """How long a drain or a plan still takes, and how sure that is."""
    if not math.isfinite(found.likely):
        if needs.only_stalled(in_need):
            return message("shell_stalled_no_estimate")
        return message("shell_not_converging_no_estimate")
    source = message("shell_based_on", count=found.samples)
    if found.assumed:
        source = message("shell_rough_estimate")
    high = found.high if math.isfinite(found.high) else message("shell_high_unknown")
    return message("shell_time_left", likely=found.likely, low=found.low, high=high, source=source)


def _said(row: InstanceMigration, report: DrainReport) -> Iterator[str]:
    """What there is to say of an instance, on one line."""
    yield from english(row.message).split()
    requests = row.requests
    if requests.open:
        by = requests.open.requested_by or message("shell_by_origin", origin=requests.open.origin)
        yield english(message("shell_request_open", kind=requests.open.kind, who=by))
    if requests.answer and row.state not in MIGRATION_WAITING:
        yield f"[{one_line(english(requests.answer))}]"
    if row.attempt.timed_out_at and row.state == MigrationState.MIGRATING:
        yield english(message("shell_timed_out", at=row.attempt.timed_out_at))
    if times_out := _times_out(row, report):
        yield english(times_out)


#: What a timeout does, by what the drain says now.
_THEN = {
    TimeoutAction.WARN: message("shell_then_warn"),
    TimeoutAction.ABORT: message("shell_then_abort"),
    TimeoutAction.FORCE: message("shell_then_force"),
}


def _times_out(row: InstanceMigration, report: DrainReport) -> Message | None:
    """When a migration in progress times out and what happens then; None once that is past."""
    found = report.timeouts.get(row.pk)
    if found is None or report.now > found.due_at:
        return None
    left = (found.due_at - report.now).total_seconds()
    if report.now <= found.at:
        return message("shell_times_out", left=left, then=_THEN[found.action])
    if found.action == TimeoutAction.WARN or row.requests.forced_at:
        return None
    return message("shell_may_finish", left=left, then=_THEN[found.action])


def _names(in_need: Iterable[tuple[needs.Need, InstanceMigration]]) -> Iterator[Message]:
    for need, row in in_need:
        name = row.server_name or row.server_id
        yield message("shell_in_need", name=name, need=need.replace("_", " "))


def _of_plan_in_need(report: services.PlanReport) -> Iterator[Message]:
    """A line for each host of which instances need a person; what helps is told of its drain."""
    for drain in report.drains:
        found = [(need, row) for need, row in report.in_need if row.drain_id == drain.pk]
        if found:
            names = _names(found)
            yield message("shell_needs_you_on", host=drain.host, names=names, drain=drain.pk)


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
    again = moves and row.attempt.pass_bytes
    return english(message("shell_of_rewritten", share=share)) if again else f"{share:.0%}"


def _course(row: InstanceMigration) -> tuple[str, str]:
    """Whether the copy is going to end, and when; in the first pass the least that it takes."""
    if needs.is_aborting(row):
        return "aborting", ""
    course, left = needs.course_of(row), row.attempt.seconds_left
    if not course or left is None:
        return course.replace("_", " "), ""
    if row.attempt.pass_bytes:
        return course.replace("_", " "), duration_text(left)
    return course.replace("_", " "), english(message("shell_at_least", left=left))


def _advice(report: DrainReport) -> Iterator[str]:
    """What can be done about migrations that do not finish, or not soon, and what it costs."""
    for verdict, code in _MEANING.items():
        rows = [row for row in report.migrations if needs.course_of(row) == verdict]
        for row in rows:
            yield english(message(code, name=row.server_name, id=row.server_id))
        for way in ADVICE[verdict] if rows else ():
            command = _COMMANDS.get(way.code)
            typed = f" (`{command} {report.drain.pk} INSTANCE`)" if command else ""
            yield f"  {english(way.said, remedy=False)}{typed} {english_remedy(way.said)}"

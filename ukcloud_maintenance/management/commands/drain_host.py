"""Drain hosts, from a shell."""

from dataclasses import replace
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.record.export import DRAIN
from ukcloud_maintenance.core.shape import Printed
from ukcloud_maintenance.core.states import DrainState, TimeoutAction
from ukcloud_maintenance.messages import document

from ._arguments import PLACING, add_placing, add_window, moment
from ._base import EXIT_NOT_DRAINED, EXIT_REFUSED
from ._hosts import add_dry_run, add_host_sets, chosen_hosts
from ._plans import pace_of, plan_text, plans_text
from ._preflights import PREFLIGHT, plan_document
from ._waiting import WaitingCommand


class Command(WaitingCommand):
    help = (
        "Drain one or several hosts: queue the migration of every instance; the worker does the"
        " rest. Several hosts make one plan: all are disabled before the first instance moves,"
        " so that no instance moves twice; if one host is refused, none is drained. With"
        " --dry-run nothing is queued: it shows which instances can leave, how and to which"
        " hosts."
    )

    prints = (
        Printed(DRAIN, many=True),
        Printed(PREFLIGHT, "--dry-run", many=True),
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "hosts",
            nargs="*",
            metavar="HOST",
            help=("host name of a compute service, which must match exactly"),
        )
        add_host_sets(parser)
        reason = parser.add_argument(
            "--reason",
            required=True,
            help=(
                "the reason, which becomes the service's disabled reason; at most 255 characters"
            ),
        )

        add_dry_run(
            parser,
            reason,
            "preflight only: which instances can leave, how, to which hosts, and what prevents it",
        )
        parser.add_argument("--region", help="required if several regions are configured")
        parser.add_argument(
            "--hosts-at-once",
            type=int,
            default=1,
            metavar="N",
            help="with several hosts: how many are drained at a time; default: 1, one after"
            " another in the given order; 0: all",
        )
        parser.add_argument(
            "--max-concurrent",
            type=int,
            metavar="N",
            help="number of migrations of a host at once; default: the setting MAX_CONCURRENT",
        )
        parser.add_argument(
            "--destination",
            default="",
            metavar="HOST",
            help="one destination for all instances; it goes before --placing",
        )
        add_placing(parser, default="even")
        parser.add_argument(
            "--order",
            choices=services.ORDERS,
            default=services.LARGEST_FIRST,
            help=("which instances start first; default: the largest, which keeps the drain short"),
        )
        parser.add_argument(
            "--leave-locked",
            action="store_true",
            help="do not move locked instances; default: they are moved",
        )
        add_window(parser)
        parser.add_argument(
            "--wait",
            action="store_true",
            help="wait until all drains have ended and their hosts are safe to power off",
        )
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self._certificates: dict[int, services.Certificate] = {}
        if not (options["hosts"] or options["zone"] or options["aggregate"]):
            self.usage_error("give at least one HOST, --zone or --aggregate")
        if options["hosts_at_once"] < 0:
            self.usage_error("--hosts-at-once must be 0 (all) or more")
        request = services.DrainRequest(
            "",
            options["reason"] or "",
            options["max_concurrent"],
            options["destination"],
            move_locked=not options["leave_locked"],
            follow_estimate=PLACING[options["placing"]],
            order=options["order"],
            start_at=moment("--start-at", options["start_at"]),
            stop_at=moment("--stop-at", options["stop_at"]),
            timeout_action=options["timeout_action"],
        )
        cloud = self.cloud(options["region"])
        hosts = chosen_hosts(self.actor, cloud, options)
        request = replace(request, host=hosts[0])
        if options["dry_run"]:
            services.check_request(replace(request, reason=request.reason or "none is needed"))
            services.check_destination(self.actor, cloud, hosts, options["destination"])
            self._check(cloud, hosts, options)
            return
        plan = None
        if len(hosts) == 1:
            ids = [services.request_drain(self.actor, cloud, request).pk]
        else:
            plan = services.request_plan(
                self.actor,
                cloud,
                services.PlanRequest(tuple(hosts), request, options["hosts_at_once"]),
            )
            ids = [drain.pk for drain in services.plan_report(self.actor, plan.pk).drains]
        if options["wait"]:
            self._wait(ids, plan)
            return
        reports = self.reports(ids)
        if self.json:
            self._print(reports)
        if plan:
            n, pace = message("n_hosts", count=len(ids)), pace_of(plan.hosts_at_once, len(ids))
            self.tell(message("shell_plan_requested", plan=plan.pk, hosts=n, pace=pace))
        for report in reports:
            self.tell(_asked(report))
        self.warn_without_worker(reports[0])

    def _check(self, cloud: services.Cloud, hosts: list[str], options: dict[str, Any]) -> None:
        choices = services.PreflightChoices(
            move_locked=not options["leave_locked"],
            max_concurrent=options["max_concurrent"],
            destination=options["destination"],
            follow_estimate=PLACING[options["placing"]],
            drained_too=frozenset(hosts),
        )
        if len(hosts) == 1:
            plans = [services.preflight_host(self.actor, cloud, hosts[0], choices)]
            lines = plan_text(plans[0], self.columns)
        else:
            at_once = options["hosts_at_once"]
            found = services.check_plan(self.actor, cloud, hosts, choices, hosts_at_once=at_once)
            plans = found.hosts
            lines = plans_text(found, at_once, self.columns)
        if self.json:
            self.print_json([plan_document(plan) for plan in plans])
        self.say(*lines)
        if any(plan.refusal for plan in plans):
            raise SystemExit(EXIT_REFUSED)
        if not all(plan.everything_leaves for plan in plans):
            raise SystemExit(EXIT_NOT_DRAINED)

    def _wait(self, ids: list[int], plan: services.Plan | None) -> None:
        reports = self.wait(
            ids, self._print, plan.pk if plan else None, then=self._verify_what_is_drained
        )
        for found in self._certificates.values():
            self.say_safety(found)
        if not all(_is_drained(r) and self._certificates[r.drain.pk].safe for r in reports):
            raise SystemExit(EXIT_NOT_DRAINED)

    def _verify_what_is_drained(self, reports: list[services.DrainReport]) -> None:
        """A drain that succeeded is followed by a verification that its host is safe to power off.
        Of one that ended otherwise nothing is waited for."""
        for report in reports:
            drain = report.drain
            self._certificates[drain.pk] = (
                self.until_safe(drain.region, drain.host)
                if _is_drained(report)
                else services.certificate(self.actor, drain.region, drain.host)
            )

    def _print(self, reports: list[services.DrainReport]) -> None:
        """The drains; after a wait, with whether their hosts are safe to power off."""
        documents = []
        for report in reports:
            found = self._certificates.get(report.drain.pk)
            of_drain = services.drain_document(report)
            if found:
                why_not = document("why_not", found.why_not, none=None)
                of_drain = DRAIN.made(**of_drain, safe_to_power_off=found.safe, **why_not)
            documents.append(of_drain)
        self.print_json(documents)


def _is_drained(report: services.DrainReport) -> bool:
    return report.drain.state == DrainState.SUCCEEDED and not report.counts.need_a_look


def _asked(report: services.DrainReport) -> Message:
    drain, counts = report.drain, report.counts
    instances = message("n_instances", count=counts.total)
    if staying := counts.stay:
        instances = message("shell_some_stay", instances=instances, staying=staying)
    what = [instances]
    if drain.start_at:
        what.append(message("shell_not_before", at=drain.start_at))
    if drain.stop_at:
        what.append(message("shell_nothing_after", at=drain.stop_at))
    if drain.timeout_action == TimeoutAction.FORCE:
        what.append(message("shell_forces"))
    return message("shell_drain_requested", drain=drain.pk, host=drain.host, what=what)

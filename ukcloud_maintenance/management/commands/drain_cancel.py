"""Cancel a drain or a plan, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.states import DrainState
from ukcloud_maintenance.core.steering import DrainVerb

from ._base import EXIT_NOT_DRAINED
from ._steering import OF_DRAIN_OR_PLAN, SteeringCommand


class Command(SteeringCommand):
    help = (
        "Cancel a drain or a plan. No new migrations start; those in progress finish or are"
        " aborted, and the drain ends within a limited time. The compute service then gets the"
        " state it had before the drain, unless you choose otherwise."
    )
    prints = OF_DRAIN_OR_PLAN
    verb = DrainVerb.CANCEL

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_target(parser)
        parser.add_argument(
            "--abort",
            action="store_true",
            help="abort migrations in progress: those instances keep running on their host",
        )
        service = parser.add_mutually_exclusive_group()
        service.add_argument(
            "--enable",
            action="store_true",
            default=None,
            help="enable the service at the end if it still has the reason that the drain wrote",
        )
        service.add_argument(
            "--leave-disabled",
            action="store_false",
            dest="enable",
            help="leave the service unchanged",
        )
        parser.add_argument("--wait", action="store_true", help="wait until it has ended")
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        chosen = {"abort": options["abort"], "enable": options["enable"]}
        if options["plan"] is not None:
            self._plan(options["plan"], chosen, wait=options["wait"])
            return
        drain = services.cancel_drain(self.actor, options["id"], **chosen)
        if not options["wait"]:
            self.show_drain(drain.pk)
            return
        reports = self.wait(
            [drain.pk], lambda found: self.print_json(services.drain_document(found[0])), None
        )
        self._exit_unless_cancelled(reports)

    def _plan(self, plan_id: int, chosen: dict[str, Any], *, wait: bool) -> None:
        refused = self.steer_plan(plan_id, **chosen)
        if not wait:
            self.show_plan(plan_id, refused)
            return
        ids = [report.drain.pk for report in self.reports_of_plan(plan_id)]
        reports = self.wait(ids, lambda found: self.print_plan(plan_id, found, refused), plan_id)
        self.exit_if_refused(reports, refused)
        self._exit_unless_cancelled([r for r in reports if r.drain.pk not in refused])

    def _exit_unless_cancelled(self, reports: list[services.DrainReport]) -> None:
        if any(r.drain.state != DrainState.CANCELLED or r.counts.need_a_look for r in reports):
            raise SystemExit(EXIT_NOT_DRAINED)

    def said(self, drain: services.Drain) -> Message:
        if drain.state != DrainState.CANCELLING:
            return message("shell_drain_is", drain=drain.pk, host=drain.host, state=drain.state)
        aborts, enables = drain.cancel_abort, drain.cancel_enable
        return message(
            "shell_drain_cancelling",
            drain=drain.pk,
            host=drain.host,
            migrations=message("shell_migrations_aborted" if aborts else "shell_migrations_finish"),
            service=message("shell_service_enabled" if enables else "shell_service_unchanged"),
        )

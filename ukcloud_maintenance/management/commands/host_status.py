"""Show whether a host is safe to power off, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.host.certificate import worth_saying
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.shape import Printed
from ukcloud_maintenance.messages import english

from ._arguments import add_host
from ._base import EXIT_INTERRUPTED
from ._waiting import WaitingCommand

EXIT_NOT_SAFE = 1


class Command(WaitingCommand):
    help = (
        "Show the maintenance of a host and whether it is safe to power off. The worker"
        " verifies this continuously; OpenStack is queried only about a host that is not in"
        " maintenance."
    )
    prints = (Printed(services.CERTIFICATE),)
    exit_codes = """\
exit codes:
  0    the host is safe to power off
  1    it is not; with --wait: it did not become so
  2    bad input, an unknown host, or wrong settings or credentials
  4    OpenStack or the database failed or did not answer
  130  interrupted while waiting
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add_host(parser)
        parser.add_argument(
            "--wait",
            action="store_true",
            help="wait until the host is safe to power off, for as long as a drain of it is"
            " open and for one verification period after that",
        )
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        cloud = self.cloud(options["region"])
        host = options["host"]
        found = services.certificate(self.actor, cloud.region, host)
        listed = found.maintenance is not None or services.is_listed(self.actor, cloud, host)
        interrupted = False
        if options["wait"]:
            try:
                found = self.until_safe(cloud.region, host)
            except KeyboardInterrupt:
                interrupted = True
                found = services.certificate(self.actor, cloud.region, host)
        if self.json:
            self.print_json(services.document_of(self.actor, found))
        else:
            self._show(found, listed)
        if interrupted:
            raise SystemExit(EXIT_INTERRUPTED)
        if not found.safe:
            raise SystemExit(EXIT_NOT_SAFE)

    def _show(self, found: services.Certificate, listed: bool) -> None:
        self.say_safety(found)
        if not listed:
            self.tell(message("no_service_of_host", host=found.host))
        if found.maintenance is None:
            last = services.host_maintenance(self.actor, found.region, found.host)
            if last is not None:
                self.tell(
                    message(
                        "shell_last_maintenance",
                        at=last.closed_at,
                        result=last.return_result or message("closed_by_hand"),
                        said=last.message or message("no_message"),
                    )
                )
            return
        for check in worth_saying(found.checks):
            if not check.passed and check.found == found.why_not:
                continue  # all that stands against it was said above
            self.say(f"  {'yes' if check.passed else 'NO '}  {english(check.found)}")
            for line in check.details:
                self.say(f"         {english(line)}")
        self.say(f"  {english(services.SCOPE)}")
        if found.withdrawn_at and not found.safe and found.withdrawn_why != found.why_not:
            at, why = found.withdrawn_at, found.withdrawn_why
            self.tell(message("shell_withdrawn", at=at, why=why))
        maintenance = found.maintenance
        reason = f' ("{maintenance.found_reason}")' if maintenance.found_reason else ""
        self.tell(
            message(
                "shell_in_maintenance",
                at=maintenance.opened_at,
                status=maintenance.found_status,
                reason=reason,
            )
        )
        for drain in found.drains:
            said = {"drain": drain.pk, "state": drain.state, "who": drain.requested_by}
            self.tell(message("shell_drain_of_host", **said, reason=drain.reason))
        if maintenance.message:
            self.say(english(maintenance.message))
        self.warn_of_worker(services.worker_status(self.actor))

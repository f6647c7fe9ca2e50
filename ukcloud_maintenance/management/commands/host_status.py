"""Show whether a host is safe to power off, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services

from ._base import ShellCommand, iso

EXIT_NOT_SAFE = 1


class Command(ShellCommand):
    help = (
        "Show what is known of a host in maintenance, and whether it is safe to power off."
        " OpenStack is not asked: the worker verifies the host all the time."
    )
    exit_codes = """\
exit codes:
  0    the host is safe to power off
  1    it is not
  2    bad input, or wrong settings or credentials
  4    the database failed or did not answer
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("host", metavar="HOST", help="service.host, compared exactly")
        parser.add_argument("--region", help="the host's region; needed where there are several")
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        region = self.cloud(options["region"]).region
        host = options["host"]
        found = services.certificate(self.actor, region, host)
        last = services.host_maintenance(self.actor, region, host)
        if self.json:
            self.print_json(services.document_of(self.actor, found))
        else:
            self._show(found, last)
        if not found.safe:
            raise SystemExit(EXIT_NOT_SAFE)

    def _show(self, found: services.Certificate, last: services.HostMaintenance | None) -> None:
        if found.safe:
            self.say(
                f"{found.host} is SAFE TO POWER OFF, since {iso(found.safe_since)}; verified"
                f" {iso(found.verified_at)}."
            )
        else:
            self.say(f"{found.host} is NOT safe to power off. {found.why_not}")
        if found.maintenance is None:
            if last is not None:
                self.say(
                    f"Its last maintenance ended {iso(last.closed_at)}"
                    f" ({last.return_result or 'closed by hand'}): {last.message or 'no message'}"
                )
            return
        for check in found.checks:
            self.say(f"  {'yes' if check.passed else 'NO '}  {check.text}")
            for line in check.details:
                self.say(f"         {line}")
        if found.withdrawn_at and not found.safe:
            self.say(f"Withdrawn {iso(found.withdrawn_at)}: {found.withdrawn_why}")
        maintenance = found.maintenance
        reason = f' ("{maintenance.found_reason}")' if maintenance.found_reason else ""
        self.say(
            f"In maintenance since {iso(maintenance.opened_at)}; the service was found"
            f" {maintenance.found_status}{reason}."
        )
        for drain in found.drains:
            self.say(
                f"Drain {drain.pk}: {drain.state}, asked for by {drain.requested_by}:"
                f" {drain.reason}"
            )
        if maintenance.message:
            self.say(maintenance.message)
        self.warn_of_worker(services.worker_status(self.actor))

"""Show drains, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services

from ._base import ShellCommand, drain_document, iso, summary, table


class Command(ShellCommand):
    help = "Show the drains under way, or one drain with its instances. OpenStack is not asked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, nargs="?", metavar="ID", help="the drain's number")
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        if options["id"] is None:
            self._all()
        else:
            self._one(services.drain_report(self.actor, options["id"]))

    def _all(self) -> None:
        drains = services.open_drains(self.actor)
        reports = [services.drain_report(self.actor, drain.pk) for drain in drains]
        if self.json:
            self.print_json([drain_document(report) for report in reports])
            return
        if not reports:
            self.say("No drain is under way.")
            return
        self.say(
            table(
                ["ID", "HOST", "REGION", "STATE", "LEFT", "OF", "ASKED BY", "ASKED AT", "REASON"],
                [
                    (
                        r.drain.pk,
                        r.drain.host,
                        r.drain.region,
                        r.drain.state,
                        r.counts.left,
                        r.counts.total,
                        r.drain.requested_by,
                        iso(r.drain.created_at),
                        r.drain.reason,
                    )
                    for r in reports
                ],
            )
        )
        self.warn_without_worker(reports[0])

    def _one(self, report: services.DrainReport) -> None:
        if self.json:
            self.print_json(drain_document(report))
            return
        drain = report.drain
        self.say(summary(report))
        if drain.message:
            self.say(drain.message)
        self.say(
            f"Reason: {drain.reason}\n"
            f"Asked by {drain.requested_by} at {iso(drain.created_at)},"
            f" started {iso(drain.started_at) or 'not yet'},"
            f" finished {iso(drain.finished_at) or 'not yet'}\n"
        )
        self.say(
            table(
                ["INSTANCE", "STATE", "NOVA", "COPIED", "TO", "ATTEMPTS", "MESSAGE"],
                [
                    (
                        f"{row.server_name} ({row.server_id})",
                        row.state,
                        row.nova_status,
                        "" if row.fraction is None else f"{row.fraction:.0%}",
                        row.dest_compute,
                        row.attempts,
                        " ".join(row.message.split()),
                    )
                    for row in report.migrations
                ],
            )
        )
        if drain.finished_at is None:
            self.warn_without_worker(report)

"""Give a host back to service, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.shape import Printed, Shape, iso, keys
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    DrainState,
    ReturnChoice,
    ReturnResult,
)
from ukcloud_maintenance.messages import document, english

from ._arguments import add_host
from ._base import EXIT_INTERRUPTED
from ._waiting import WaitingCommand, patiently

EXIT_NOT_IN_SERVICE = 1


BRING_BACK = Shape(
    "A drain that brings instances back",
    keys("state result", "how far it is, how it ended, and what is said of it", said="message"),
)
RETURN = Shape(
    "A return to service",
    keys("maintenance_id host region", "of which host"),
    keys("choice", "`enable`, `leave`, or empty: as it was found"),
    keys("returned_by returning_since", "by whom it was requested, and since when it is returned"),
    keys("enabled_at closed_at", "when the service was enabled, and when the maintenance ended"),
    keys("result", "how it ended, and what is said of it; null: it has not", said="message"),
    keys(
        "bring_back_drain_id",
        "the drain that brings the instances back; null: there is none",
    ),
    keys("bring_back", "how far that is", one=BRING_BACK),
)


class Command(WaitingCommand):
    help = (
        "Return a host to service after its maintenance: its compute service is enabled if a"
        " drain disabled it, and stays unchanged if it was disabled before. If somebody else"
        " has disabled it since, choose with --enable or --leave."
    )
    prints = (Printed(RETURN),)
    exit_codes = """\
exit codes:
  0    requested; with --wait: the host is in service, or --leave was given and it is unchanged,
       and the instances to bring back are back
  1    with --wait: the host is not in service, or an instance was not brought back
  2    bad input, an unknown host, or wrong settings or credentials
  3    refused; nothing was changed
  4    OpenStack or the database failed or did not answer
  130  interrupted while waiting; the return continues
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add_host(parser)
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument(
            "--enable",
            dest="choice",
            action="store_const",
            const=ReturnChoice.ENABLE,
            help="enable the service, whoever disabled it",
        )
        choice.add_argument(
            "--leave",
            dest="choice",
            action="store_const",
            const=ReturnChoice.LEAVE,
            help="leave the service unchanged; the maintenance ends anyway",
        )
        parser.add_argument(
            "--bring-back",
            action="store_true",
            help="bring back the instances that left the host in this maintenance",
        )
        parser.add_argument(
            "--also-moved",
            action="store_true",
            help="with --bring-back: also bring back the instances that somebody else has moved"
            " since; default: they stay where they are",
        )
        parser.add_argument(
            "--max-concurrent",
            type=int,
            metavar="N",
            help="number of migrations at once while they are brought back",
        )
        parser.add_argument(
            "--wait",
            action="store_true",
            help="wait until the host is back in service, and with --bring-back until the instances"
            " are back",
        )
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        cloud = self.cloud(options["region"])
        request = services.ReturnRequest(
            options["host"],
            options["choice"],
            options["bring_back"],
            options["max_concurrent"],
            options["also_moved"],
        )
        maintenance = services.return_host(self.actor, cloud, request)
        if request.bring_back and not request.also_moved:
            for one in services.left_alone(self.actor, cloud, maintenance):
                said = message(
                    "shell_not_brought_back",
                    name=one.server.name,
                    id=one.server.id,
                    source=one.row.dest_compute,
                    host=one.server.host,
                )
                self.note(english(said))
        if options["wait"]:
            self._wait(maintenance, options["bring_back"])
            return
        if self.json:
            self.print_json(self._document(maintenance))
        self.tell(message("shell_return_requested", host=maintenance.host))
        if options["bring_back"]:
            self.tell(_brought_back(services.return_run(self.actor, maintenance)))
        self.warn_of_worker(services.worker_status(self.actor))

    def _wait(self, maintenance: services.HostMaintenance, bring_back: bool) -> None:
        run = services.return_run(self.actor, maintenance) if bring_back else None
        if bring_back:
            self.tell(_brought_back(run))
        try:
            ended = self._until_over(maintenance)
        except KeyboardInterrupt:
            if self.json:
                self.print_json(self._document(maintenance))
            self.note(english(message("shell_return_continues", host=maintenance.host)))
            raise SystemExit(EXIT_INTERRUPTED) from None
        said = {"host": ended.host, "result": ended.return_result, "said": ended.message}
        self.tell(message("shell_return_ended", **said))
        back = run is None or self._until_back(ended, run)
        if run is None and self.json:
            self.print_json(self._document(ended))
        if not back or ended.return_result not in (ReturnResult.IN_SERVICE, ReturnResult.LEFT):
            raise SystemExit(EXIT_NOT_IN_SERVICE)

    def _until_back(self, ended: services.HostMaintenance, run: services.Drain) -> bool:
        """Wait for the run that brings the instances back; whether all of them are back."""
        reports = self.wait([run.pk], lambda _reports: self.print_json(self._document(ended)), None)
        return all(report.drain.state == DrainState.SUCCEEDED for report in reports)

    def _until_over(self, maintenance: services.HostMaintenance) -> services.HostMaintenance:
        shown: Message | None = None

        def read() -> services.HostMaintenance:
            now = services.get_maintenance(self.actor, maintenance.pk)
            self.warn_of_worker(services.worker_status(self.actor))
            return now

        def is_over(now: services.HostMaintenance) -> bool:
            nonlocal shown
            if now.returning_since is None or now.closed_at is not None:
                return True
            if now.message != shown:
                self.note(f"{now.host}: {english(now.message)}")
                shown = now.message
            return False

        return patiently(read, is_over)

    def _document(self, maintenance: services.HostMaintenance) -> dict[str, Any]:
        """A return for programs. What is not known (yet) is null; times are UTC."""
        run = services.return_run(self.actor, maintenance)
        return RETURN.made(
            maintenance_id=maintenance.pk,
            host=maintenance.host,
            region=maintenance.region,
            choice=maintenance.return_choice,
            returned_by=maintenance.returned_by,
            returning_since=iso(maintenance.returning_since),
            enabled_at=iso(maintenance.enabled_at),
            closed_at=iso(maintenance.closed_at),
            result=maintenance.return_result or None,
            **document("message", maintenance.message),
            bring_back_drain_id=run.pk if run else None,
            bring_back=run
            and BRING_BACK.made(
                state=run.state, result=run.result or None, **document("message", run.message)
            ),
        )


def _brought_back(run: services.Drain | None) -> Message:
    if run is None:
        return message("shell_none_to_bring_back")
    if run.state in DRAIN_TERMINAL:
        return message("shell_bring_back_ended", drain=run.pk, state=run.state)
    return message("shell_brings_back", drain=run.pk)

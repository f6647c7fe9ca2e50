"""Cancel a drain, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.states import DrainState

from ._base import ShellCommand, drain_document


class Command(ShellCommand):
    help = "Start no more migrations of a drain; those under way land, then it is over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, metavar="ID", help="the drain's number")
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        drain = services.cancel_drain(self.actor, options["id"])
        if self.json:
            self.print_json(drain_document(services.drain_report(self.actor, drain.pk)))
        if drain.state == DrainState.CANCELLED:
            self.say(f"Drain {drain.pk} of {drain.host} is cancelled.")
        else:
            self.say(f"Drain {drain.pk} of {drain.host} is cancelling: what is under way lands.")

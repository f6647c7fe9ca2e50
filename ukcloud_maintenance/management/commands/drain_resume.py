"""Go on with a drain or a plan that is paused, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.steering import DrainVerb

from ._steering import OF_DRAIN_OR_PLAN, SteeringCommand, pace_and_window


class Command(SteeringCommand):
    help = "Resume a paused drain or plan. A window that has expired is removed."
    prints = OF_DRAIN_OR_PLAN
    verb = DrainVerb.RESUME

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_target(parser)
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.steer(options, services.resume_drain)

    def said(self, drain: services.Drain) -> Message:
        pace = pace_and_window(drain)
        return message("shell_drain_resumed", drain=drain.pk, host=drain.host, pace=pace)

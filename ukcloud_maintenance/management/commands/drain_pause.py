"""Pause a drain or a plan, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.steering import DrainVerb

from ._steering import OF_DRAIN_OR_PLAN, SteeringCommand


class Command(SteeringCommand):
    help = (
        "Pause a drain or a plan. No new migrations start until it is resumed; those in"
        " progress finish. A drain that has not started does not start."
    )
    prints = OF_DRAIN_OR_PLAN
    verb = DrainVerb.PAUSE

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_target(parser)
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.steer(options, services.pause_drain)

    def said(self, drain: services.Drain) -> Message:
        return message(
            "shell_drain_paused",
            drain=drain.pk,
            host=drain.host,
            state=drain.state,
            what=message("shell_paused_begun" if drain.started_at else "shell_paused_unbegun"),
        )

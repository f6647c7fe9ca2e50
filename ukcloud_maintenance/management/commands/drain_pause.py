"""Pause a drain or a plan, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
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

    def said(self, drain: services.Drain) -> str:
        what = "no new migrations start, those in progress finish"
        if not drain.started_at:
            what = "it has not started and does not start"
        return (
            f"Drain {drain.pk} of {drain.host} is {drain.state}: {what}. Resume it with"
            f" `drain_resume {drain.pk}`."
        )

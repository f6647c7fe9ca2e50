"""Pause a drain or a plan, from a shell."""

from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.steering import DrainVerb

from ._steering import SteeringCommand


class Command(SteeringCommand):
    help = (
        "Start no more migrations of a drain, or of a plan, until it is resumed; those under way"
        " land. One that has not begun is put on hold."
    )
    verb = DrainVerb.PAUSE

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_target(parser)
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        self.prove_authority()
        if options["plan"] is not None:
            self.show_plan(options["plan"], self.steer_plan(options["plan"]))
        else:
            self.show_drain(services.pause_drain(self.actor, options["id"]).pk)

    def said(self, drain: services.Drain) -> str:
        what = "nothing new starts, what is under way lands"
        if not drain.started_at:
            what = "it had not begun, and is on hold"
        return (
            f"Drain {drain.pk} of {drain.host} is {drain.state}: {what}."
            f" Go on with `drain_resume {drain.pk}`."
        )

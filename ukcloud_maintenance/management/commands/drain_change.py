"""Change a drain while it is open, from a shell."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import Message, message
from ukcloud_maintenance.core.steering import DrainVerb
from ukcloud_maintenance.services import UNCHANGED, DrainChange

from ._arguments import PLACING, add_placing, add_window, moment
from ._steering import OF_DRAIN_OR_PLAN, SteeringCommand, pace_and_window


class Command(SteeringCommand):
    help = (
        "Change the pace, the choice of destinations, the window or the timeout action of a drain"
        " that is waiting, running or paused, or of all such drains of a plan."
    )
    prints = OF_DRAIN_OR_PLAN
    verb = DrainVerb.CHANGE

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_target(parser)
        parser.add_argument(
            "--max-concurrent",
            type=int,
            metavar="N",
            help="number of migrations of the host at once",
        )
        add_placing(parser)
        add_window(parser, none=True)
        super().add_arguments(parser)

    def act(self, **options: Any) -> None:
        names = ("max_concurrent", "placing", "start_at", "stop_at", "timeout_action")
        if all(options[name] is None for name in names):
            self.usage_error("nothing to change: give at least one option")
        change = DrainChange(
            max_concurrent=options["max_concurrent"],
            timeout_action=options["timeout_action"],
            follow_estimate=options["placing"] and PLACING[options["placing"]],
            start_at=_end("--start-at", options["start_at"]),
            stop_at=_end("--stop-at", options["stop_at"]),
        )
        self.steer(options, services.change_drain, change=change)

    def said(self, drain: services.Drain) -> Message:
        return message(
            "shell_drain_changed",
            drain=drain.pk,
            host=drain.host,
            state=drain.state,
            pace=pace_and_window(drain),
        )


def _end(option: str, text: str | None) -> Any:
    """An end of the window: unchanged, none, or a time."""
    if text is None:
        return UNCHANGED
    found: datetime | None = None if text == "none" else moment(option, text)
    return found

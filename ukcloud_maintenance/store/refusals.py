"""Why a change was not made: somebody else was first, and in which way."""

from ..exceptions import StaleState
from ..models import Drain, HostMaintenance


class DrainExists(StaleState):
    """The host has an open drain already. `drain` is it, or None where it is just over."""

    def __init__(self, drain: Drain | None):
        super().__init__("the host has an open drain")
        self.drain = drain


class BeingReturned(StaleState):
    """The host is being returned to service. `maintenance` is what that is part of."""

    def __init__(self, maintenance: HostMaintenance):
        super().__init__("the host is being returned to service")
        self.maintenance = maintenance


class DestinationAway(StaleState):
    """Instances cannot be sent to a host: it is being drained itself, or is in maintenance.

    `drain` is what drains it, or None.
    """

    def __init__(self, host: str, drain: Drain | None):
        super().__init__(f"host {host} is drained or in maintenance")
        self.host = host
        self.drain = drain


class IsDestination(StaleState):
    """A host cannot be drained: `drain` is open, and sends instances to it."""

    def __init__(self, drain: Drain):
        super().__init__(f"drain {drain.pk} sends instances there")
        self.drain = drain


class ReturnedSince(StaleState):
    """The host was returned to service since the drain was over."""

    def __init__(self) -> None:
        super().__init__("the host was returned to service since")

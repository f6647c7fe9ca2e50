"""Who may do what, and how OpenStack is reached."""

from typing import TYPE_CHECKING

from .. import settings
from ..cloud import Cloud, shell
from ..cloud.shell import cloud_name
from ..core.actor import Actor
from ..core.message import message
from ..exceptions import NotAllowed

if TYPE_CHECKING:
    from keystoneauth1.session import Session

__all__ = ["TRIES", "cloud_name", "connect", "connect_shell", "require", "shell_regions"]

#: How often a change is tried again that a worker or another admin was faster than.
TRIES = 5


def require(actor: Actor, rule: str) -> None:
    """Fail closed: whatever is not allowed is refused, and a check that breaks is no yes."""
    if actor.may(rule) is not True:
        raise NotAllowed(message("not_allowed", name=actor.name, rule=rule), rule=rule)


def connect(session: "Session", region: str, interface: str) -> Cloud:
    """The cloud as a page sees it: the request's session, a page's patience."""
    return Cloud(
        session,
        region,
        interface=settings.current().interface or interface,
        timeout=settings.current().page_timeout_seconds,
    )


def connect_shell(region: str) -> Cloud:
    """The cloud as a command sees it: with the worker's credentials.

    :raises Refused: the settings name no cloud for this region
    :raises ConfigurationError: clouds.yaml does not know it
    """
    return shell.connect_shell(region)


def shell_regions() -> list[str]:
    """The regions that the settings name a cloud for; one empty name where there is but one."""
    return list(settings.current().regions)

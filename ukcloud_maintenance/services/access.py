"""Who may do what, and how OpenStack is reached."""

from typing import TYPE_CHECKING

from .. import conf
from ..cloud import Cloud, from_clouds_yaml
from ..core.actor import Actor
from ..exceptions import NotAllowed, Refused

if TYPE_CHECKING:
    from keystoneauth1.session import Session


def require(actor: Actor, rule: str) -> None:
    """Fail closed: whatever is not allowed is refused, and a check that breaks is no yes."""
    if actor.may(rule) is not True:
        raise NotAllowed(f"{actor.name} is not allowed to do this (policy {rule}).", rule=rule)


def connect(session: "Session", region: str, interface: str) -> Cloud:
    """The cloud as a page sees it: the request's session, a page's patience."""
    return Cloud(
        session,
        region,
        interface=conf.interface() or interface,
        timeout=conf.page_timeout_seconds(),
    )


def connect_shell(region: str) -> Cloud:
    """The cloud as a command sees it: with the worker's credentials.

    :raises Refused: the settings name no cloud for this region
    :raises ConfigurationError: clouds.yaml does not know it
    """
    return from_clouds_yaml(cloud_name(region), region)


def shell_regions() -> list[str]:
    """The regions that the settings name a cloud for; one empty name where there is but one."""
    return list(conf.regions())


def cloud_name(region: str) -> str:
    name = conf.cloud_of(region)
    if not name:
        raise Refused(
            f"No worker is set up for region {region}.",
            code="region_without_worker",
            remedy=f'Add the region to {conf.NAME}["CLOUDS"].',
        )
    return name

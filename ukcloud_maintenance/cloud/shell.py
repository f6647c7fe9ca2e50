"""The cloud as commands and the worker see it: with the worker's credentials."""

from .. import settings
from ..core.message import message
from ..exceptions import Refused
from .clouds_yaml import from_clouds_yaml
from .gateway import Cloud


def connect_shell(region: str) -> Cloud:
    """The cloud of a region, with the credentials that the settings and clouds.yaml name for it.

    :raises Refused: the settings name no cloud for this region
    :raises ConfigurationError: clouds.yaml does not know it
    """
    return from_clouds_yaml(cloud_name(region), region)


def cloud_name(region: str) -> str:
    """The cloud of clouds.yaml that the settings name for a region.

    :raises Refused: they name none
    """
    name = settings.current().cloud_of(region)
    if not name:
        raise Refused(message("region_without_worker", region=region, setting=settings.NAME))
    return name

"""Which release this is."""

from functools import cache
from importlib import metadata

DISTRIBUTION = "ukcloud-maintenance"


@cache
def version() -> str:
    """The version of this plugin, or empty where it was not installed as a package."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return ""

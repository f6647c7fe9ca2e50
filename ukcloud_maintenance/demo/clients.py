"""A thin way to talk to one service of the demo cloud with ``keystoneauth``."""

from __future__ import annotations

from pathlib import Path

import yaml
from keystoneauth1 import adapter, session
from keystoneauth1.identity import v3

NOVA_MICROVERSION = "2.96"


def login(clouds_yaml: Path, cloud: str, user_agent: str = "demo-cloud") -> session.Session:
    """A session of one of the clouds in ``clouds_yaml``."""
    settings = yaml.safe_load(Path(clouds_yaml).read_text())["clouds"][cloud]
    return session.Session(auth=v3.Password(**settings["auth"]), user_agent=user_agent)


def connect(
    clouds_yaml: Path,
    cloud: str,
    service_type: str,
    microversion: str | None = None,
    user_agent: str = "demo-cloud",
) -> adapter.Adapter:
    """An adapter of one service; errors are keystoneauth's exceptions."""
    if service_type == "compute":
        microversion = microversion or NOVA_MICROVERSION
    return adapter.Adapter(
        login(clouds_yaml, cloud, user_agent),
        service_type=service_type,
        interface="public",
        default_microversion=microversion,
    )

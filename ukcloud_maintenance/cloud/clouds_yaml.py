"""The cloud that clouds.yaml names, as openstacksdk reads it."""

import os
from typing import Any

import openstack.exceptions
import yaml
from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import session

from .. import settings
from ..core.message import Message, message
from ..core.printable import one_line
from ..exceptions import ConfigurationError
from .gateway import Cloud


def from_clouds_yaml(name: str, region: str) -> Cloud:
    """The cloud `name` of clouds.yaml (openstacksdk's convention), logged in lazily.

    :param region: the region requested; where empty, the one that clouds.yaml names
    :raises ConfigurationError: clouds.yaml has no such cloud, or cannot be used
    """
    asked: dict[str, Any] = {"region_name": region} if region else {}
    try:
        found = openstack.config.OpenStackConfig(app_name="ukcloud_maintenance")
        config = found.get_one(cloud=name, **asked)
        ksa_session = config.get_session()
        for setting, file in _files(ksa_session).items():
            if problem := _unreadable(file):
                said = message("clouds_yaml_file", setting=setting, cloud=name, problem=problem)
                raise ConfigurationError(said)
        return Cloud(
            ksa_session,
            region or config.get_region_name() or "",
            interface=config.get_interface("compute") or "public",
            timeout=settings.current().api_timeout_seconds,
            cloud_name=name,
        )
    except (openstack.exceptions.ConfigException, yaml.YAMLError) as error:
        # openstacksdk passes over a file that it cannot read, and then misses the cloud; an older
        # one falls over one that is no YAML
        unreadable = [one for file in _config_files() if (one := _unreadable(file))]
        said = message("clouds_yaml_unusable", cloud=name, why=unreadable or str(error))
        raise ConfigurationError(said) from error
    except ksa_exceptions.ClientException as error:
        said = message("clouds_yaml_incomplete", cloud=name, why=str(error))
        raise ConfigurationError(said) from error
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        # what openstacksdk comes to of a file of another shape than it expects
        why = f"{type(error).__name__}: {error}"
        raise ConfigurationError(message("clouds_yaml_unusable", cloud=name, why=why)) from error


def _config_files() -> list[str]:
    """Where openstacksdk looks for clouds.yaml, as far as there is a file."""
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    files = [named] if named else list(openstack.config.loader.CONFIG_FILES)
    return [file for file in files if os.path.exists(file)]


def _files(ksa_session: session.Session) -> dict[str, str]:
    """The files that the session reads for each connection, by the key that names them."""
    certificate, key = ksa_session.cert, None
    if isinstance(certificate, tuple):
        certificate, key = certificate
    authority = ksa_session.verify if isinstance(ksa_session.verify, str) else None
    files = {"cacert": authority, "cert": certificate, "key": key}
    return {setting: file for setting, file in files.items() if file}


def _unreadable(file: str) -> Message | None:
    """Why a file cannot be read, or None."""
    if os.path.isdir(file):
        may_list = os.access(file, os.R_OK | os.X_OK)
        return None if may_list else message("file_unreadable", file=file)
    try:
        with open(file, encoding="utf-8") as opened:
            if file.endswith((".yaml", ".yml")):
                yaml.safe_load(opened)
    except (OSError, ValueError, yaml.YAMLError) as error:
        return message("file_unreadable_because", file=file, detail=one_line(error))
    return None

"""Keystone beside Nova in one process, and the accounts of the demo cloud."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path
from unittest import mock

from . import databases
from .config import REGION

PEOPLE_PASSWORD = "demo"
"""Of everybody who logs in to Horizon. The cloud listens on loopback and runs nothing real."""

WORKER = "maintenance-worker"


def load_application(state: Path, config_file: Path):
    """Return Keystone's WSGI application (and leave it initialised).

    Keystone and Nova both keep their options in oslo.config's one global object, where
    ``[database]`` would have to be two databases at once. Keystone is therefore imported while
    that global is replaced with an object of its own, which its modules then hold on to; its
    engine is started with it too, since oslo.db looks at the global when it first connects.
    """
    from oslo_config import cfg

    nova_options = cfg.CONF
    cfg.CONF = cfg.ConfigOpts()
    argv, sys.argv = sys.argv, sys.argv[:1]
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(config_file)
    try:
        from keystone.common.sql import core as sql
        from keystone.server import wsgi

        application = wsgi.initialize_public_application()
        sql._get_main_context_manager()._factory._start(conf=cfg.CONF)
    finally:
        cfg.CONF = nova_options
        sys.argv = argv
    return application


def create_keys(state: Path) -> None:
    """Fernet keys of tokens and of stored credentials."""
    from cryptography import fernet

    for name in ("fernet", "credential"):
        directory = state / "keys" / name
        directory.mkdir(parents=True, mode=0o700)
        for index in range(2):
            key = directory / str(index)
            key.write_bytes(fernet.Fernet.generate_key())
            key.chmod(0o600)


def create_accounts(state: Path) -> dict[str, str]:
    """Bootstrap Keystone and add the accounts that the services and the clouds need.

    Returns the passwords that are not ``PEOPLE_PASSWORD``; they are kept in ``secrets.json``.
    """
    from keystone.cmd import bootstrap
    from keystone.common import provider_api

    passwords = {"nova": secrets.token_urlsafe(18), WORKER: secrets.token_urlsafe(18)}
    write_secrets(state, passwords)

    # The application has loaded the back ends already, and they can't be loaded twice.
    with mock.patch.object(bootstrap.backends, "load_backends"):
        keystone = bootstrap.Bootstrapper()
    keystone.admin_username = "admin"
    keystone.admin_password = PEOPLE_PASSWORD
    keystone.project_name = "admin"
    keystone.admin_role_name = "admin"
    keystone.region_id = REGION
    keystone.service_name = "keystone"
    keystone.public_url = keystone.internal_url = keystone.admin_url = "http://localhost"
    keystone.bootstrap()

    identity = provider_api.ProviderAPIs.identity_api
    resources = provider_api.ProviderAPIs.resource_api
    assignments = provider_api.ProviderAPIs.assignment_api
    catalog = provider_api.ProviderAPIs.catalog_api

    project = new_id()
    resources.create_project(
        project,
        {"id": project, "name": "service", "domain_id": "default", "enabled": True},
    )
    for name, password, roles in (
        ("nova", passwords["nova"], (keystone.admin_role_id, keystone.service_role_id)),
        (WORKER, passwords[WORKER], (keystone.admin_role_id,)),
    ):
        user = identity.create_user(
            {"name": name, "password": password, "domain_id": "default", "enabled": True}
        )
        for role in roles:
            assignments.create_grant(role, user_id=user["id"], project_id=project)
    operator = identity.create_user(
        {
            "name": "operator",
            "password": PEOPLE_PASSWORD,
            "domain_id": "default",
            "enabled": True,
        }
    )
    assignments.create_grant(
        keystone.admin_role_id, user_id=operator["id"], project_id=keystone.project_id
    )

    for service_type, name in (
        ("placement", "placement"),
        ("compute", "nova"),
        ("image", "glance"),
        ("network", "neutron"),
    ):
        service = new_id()
        catalog.create_service(
            service, {"id": service, "type": service_type, "name": name, "enabled": True}
        )
        for interface in ("public", "internal", "admin"):
            endpoint = new_id()
            catalog.create_endpoint(
                endpoint,
                {
                    "id": endpoint,
                    "interface": interface,
                    "service_id": service,
                    "region_id": REGION,
                    "url": "http://localhost",
                    "enabled": True,
                },
            )
    assert set(databases.ENDPOINTS) == {"identity", "placement", "compute", "image", "network"}
    return passwords


def new_id() -> str:
    return secrets.token_hex(16)


def write_secrets(state: Path, passwords: dict[str, str]) -> None:
    path = state / "secrets.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(passwords))


def read_secrets(state: Path) -> dict[str, str]:
    return json.loads((state / "secrets.json").read_text())


def write_clouds_yaml(state: Path, base_url: str) -> Path:
    """Clouds ``admin`` and ``worker`` in openstacksdk's format, readable by the owner only."""
    import yaml

    def cloud(user: str, password: str, project: str) -> dict:
        return {
            "auth": {
                "auth_url": f"{base_url}/identity/v3",
                "username": user,
                "password": password,
                "project_name": project,
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            "region_name": REGION,
            "identity_api_version": "3",
            "interface": "public",
        }

    passwords = read_secrets(state)
    clouds = {
        "admin": cloud("admin", PEOPLE_PASSWORD, "admin"),
        "worker": cloud(WORKER, passwords[WORKER], "service"),
    }
    path = state / "clouds.yaml"
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(yaml.safe_dump({"clouds": clouds}, sort_keys=False))
    return path

"""Django settings of a Horizon with the plugin, running against the demo cloud.

Everything that may be chosen comes from the environment:

========================= =====================================================================
``DEMO_STATE``            directory of the demo, ``.demo`` by default: the cloud is in ``cloud``
                          below it, Horizon's own files are in ``horizon``
``DEMO_AUTH_URL``         Keystone; by default what the cloud's ``ready.json`` says
``DEMO_CLOUDS_YAML``      by default the cloud's; given on as ``OS_CLIENT_CONFIG_FILE``
``DEMO_DATABASE_URL``     ``postgresql://user:password@host:port/name`` or ``mysql://…``; by
                          default SQLite in Horizon's directory
``DEMO_STATIC_ROOT``      collected static files, see ``horizon``
``DEMO_MAINTENANCE``      JSON, merged into ``UKCLOUD_MAINTENANCE``
``DEMO_THEME``            directory of the theme: of one's own, or ``themes/material`` of Horizon's
``DEMO_WEBROOT``          Horizon's path on its server, ``/`` by default
========================= =====================================================================

``DJANGO_SETTINGS_MODULE=ukcloud_maintenance.demo.horizon_settings django-admin drain_status``
works in a shell beside a running ``make demo``.
"""

import json
import os
import secrets
import sys
import types
import warnings
from pathlib import Path
from urllib.parse import unquote, urlsplit

import django

_STATE = Path(os.environ.get("DEMO_STATE", ".demo")).resolve()
_OURS = _STATE / "horizon"
_OURS.mkdir(parents=True, exist_ok=True, mode=0o700)


def _secret_key() -> str:
    path = _OURS / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()


def _auth_url() -> str:
    if url := os.environ.get("DEMO_AUTH_URL"):
        return url
    try:
        return json.loads((_STATE / "cloud" / "ready.json").read_text())["auth_url"]
    except (OSError, ValueError):
        return "http://127.0.0.1:8774/identity/v3"


# Some settings only take effect where Horizon's own settings read local ones, in the middle:
# without a SECRET_KEY there it would write one beside its code, and each theme is compiled.
_local = types.ModuleType("local.local_settings")
_local.SECRET_KEY = _secret_key()
_local.WEBROOT = os.environ.get("DEMO_WEBROOT", "/")
_theme = os.environ.get("DEMO_THEME", "themes/default")
_local.DEFAULT_THEME = Path(_theme).name
_local.AVAILABLE_THEMES = [(_local.DEFAULT_THEME, _local.DEFAULT_THEME.title(), _theme)]
if _local.DEFAULT_THEME != "default":  # which others take their variables from
    _local.AVAILABLE_THEMES.append(("default", "Default", "themes/default"))
sys.modules.setdefault("local", types.ModuleType("local"))
sys.modules["local.local_settings"] = _local

from openstack_dashboard import enabled as _core_enabled  # noqa: E402
from openstack_dashboard.local import enabled as _local_enabled  # noqa: E402
from openstack_dashboard.settings import *  # noqa: E402, F403
from openstack_dashboard.settings import (  # noqa: E402
    DEFAULT_POLICY_FILES,
    HORIZON_CONFIG,
    INSTALLED_APPS,
    POLICY_FILES,
)
from openstack_dashboard.utils.settings import update_dashboards as _update_dashboards  # noqa: E402

from ukcloud_maintenance import enabled as _enabled  # noqa: E402
from ukcloud_maintenance import policies as _policies  # noqa: E402

# The second call replaces some of what the first one, in Horizon's settings, did, and repeats
# the rest. That there were dashboards before it is nothing that anybody has to hear.
for _name in ("dashboards", "default_dashboard"):
    HORIZON_CONFIG.pop(_name, None)
_update_dashboards([_core_enabled, _local_enabled, _enabled], HORIZON_CONFIG, INSTALLED_APPS)
INSTALLED_APPS = list(dict.fromkeys(INSTALLED_APPS))
for _name, _value in HORIZON_CONFIG.items():
    if isinstance(_value, list) and all(isinstance(item, str) for item in _value):
        HORIZON_CONFIG[_name] = list(dict.fromkeys(_value))

# Horizon's settings show them, to whoever types a command too.
warnings.filterwarnings("ignore", category=DeprecationWarning)

DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
SECRET_KEY = _local.SECRET_KEY
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
# Sessions outlive a restart, and a cookie could not hold a token with its catalog.
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_FILE_PATH = str(_OURS / "sessions")
Path(SESSION_FILE_PATH).mkdir(exist_ok=True, mode=0o700)
SESSION_TIMEOUT = 4 * 3600

STATIC_ROOT = os.environ.get("DEMO_STATIC_ROOT", str(_OURS / "static"))
COMPRESS_ROOT = STATIC_ROOT
COMPRESS_OFFLINE = True

OPENSTACK_KEYSTONE_URL = _auth_url()
OPENSTACK_API_VERSIONS = {"identity": 3, "image": 2}
OPENSTACK_KEYSTONE_DEFAULT_ROLE = "member"
OPENSTACK_NEUTRON_NETWORK = {
    # Neutron is a stand-in without anything in it.
    "enable_router": False,
    "enable_quotas": False,
    "enable_ipv6": False,
    "enable_ha_router": False,
    "enable_distributed_router": False,
    "enable_fip_topology_check": False,
}
# The demo's certificate of nothing: everything is plain HTTP on loopback.
CSRF_COOKIE_SECURE = False
SESSION_COOKIE_SECURE = False

POLICY_FILES = {**POLICY_FILES, _policies.SCOPE: _policies.POLICY_FILE}
DEFAULT_POLICY_FILES = {**DEFAULT_POLICY_FILES, _policies.SCOPE: _policies.DEFAULT_POLICY_FILE}
POLICY_CHECK_FUNCTION = "openstack_auth.policy.check"


def _database(url: str | None) -> dict:
    if not url:
        url = f"sqlite:///{_OURS / 'horizon.sqlite3'}"
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        options: dict[str, object] = {"timeout": 30}
        if django.VERSION >= (5, 1):
            options["transaction_mode"] = "IMMEDIATE"
            options["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "/" + parts.path.lstrip("/"),
            "OPTIONS": options,
        }
    database = {
        "NAME": parts.path.lstrip("/"),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
    }
    if parts.scheme in ("postgresql", "postgres"):
        return {"ENGINE": "django.db.backends.postgresql", **database}
    if parts.scheme in ("mysql", "mariadb"):
        import pymysql

        pymysql.install_as_MySQLdb()
        return {
            "ENGINE": "django.db.backends.mysql",
            "OPTIONS": {"charset": "utf8mb4"},
            **database,
        }
    raise ValueError(f"DEMO_DATABASE_URL: {parts.scheme} is none of sqlite, postgresql, mysql")


DATABASES = {"default": _database(os.environ.get("DEMO_DATABASE_URL"))}

# openstacksdk, which the worker and the commands log in with, looks here.
os.environ.setdefault(
    "OS_CLIENT_CONFIG_FILE",
    os.environ.get("DEMO_CLOUDS_YAML", str(_STATE / "cloud" / "clouds.yaml")),
)
# Short waits: what fails or is blocked on purpose is to be seen to its end in a minute or two.
UKCLOUD_MAINTENANCE = {
    "CLOUD": "worker",
    "RETRY_SECONDS": 10,
    "BLOCKED_WAIT_SECONDS": 60,
    "VERIFY_SECONDS": 10,
    "ACTIONS_DIRECTORY": str(_OURS / "actions"),
    "ACTIONS": {
        "reboot": {
            "command": [
                *(sys.executable, "-P", "-m", "ukcloud_maintenance.demo.reboot", "{host}"),
                *(_auth_url().removesuffix("/identity/v3"), "8"),
            ],
            "reboots": True,
            "settle": 5,
            "time_limit": 120,
        },
    },
    **json.loads(os.environ.get("DEMO_MAINTENANCE", "{}")),
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"ukcloud_maintenance": {"level": "INFO"}},
}

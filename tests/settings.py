"""Horizon's own settings with this plugin installed as the docs say, for the tests.

What a test run, or a process that a test starts, may choose by its environment:

    TEST_DATABASE_URL     sqlite:////file, postgresql://user:password@host:port/name or mysql://…;
                          SQLite in memory where it is not set
    TEST_KEYSTONE_URL     the Keystone that the login page asks
    TEST_MAINTENANCE      a JSON object that is merged into UKCLOUD_MAINTENANCE
"""

import json
import os
import sys
import types
import warnings
from pathlib import Path

import pymysql

from tests.databases import from_url

# Django's MySQL backend wants mysqlclient, which has to be compiled; this stands in for it.
pymysql.install_as_MySQLdb()

_REPOSITORY = Path(__file__).resolve().parent.parent

# Horizon reads local settings from this module. Without a key in them it would write one to
# .secret_key_store beside its own code.
_local = types.ModuleType("local.local_settings")
_local.SECRET_KEY = "only-for-tests"  # type: ignore[attr-defined]
sys.modules[_local.__name__] = _local

import openstack_dashboard.local.enabled as _enabled  # noqa: E402
import ukcloud_maintenance.enabled as _our_enabled  # noqa: E402

# As if our files were linked into that folder.
_enabled.__path__ += _our_enabled.__path__

from openstack_dashboard.settings import *  # noqa: E402, F403
from openstack_dashboard.settings import DEFAULT_POLICY_FILES, POLICY_FILES  # noqa: E402

from ukcloud_maintenance import policies as _policies  # noqa: E402

# Horizon's settings turn them on, whatever pytest was told.
warnings.filterwarnings("ignore", category=DeprecationWarning)

DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
DATABASES = {"default": from_url(os.environ.get("TEST_DATABASE_URL", "sqlite://"))}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
# One for each worker of pytest-xdist.
STATIC_ROOT = str(_REPOSITORY / ".test-static" / os.environ.get("PYTEST_XDIST_WORKER", ""))
# Pages are compiled when a test asks for them, not by `manage.py compress`.
COMPRESS_OFFLINE = False

OPENSTACK_KEYSTONE_URL = os.environ.get("TEST_KEYSTONE_URL", "http://127.0.0.1:5000/v3")
OPENSTACK_KEYSTONE_DEFAULT_ROLE = "member"

POLICY_FILES = {**POLICY_FILES, _policies.SCOPE: _policies.POLICY_FILE}
DEFAULT_POLICY_FILES = {**DEFAULT_POLICY_FILES, _policies.SCOPE: _policies.DEFAULT_POLICY_FILE}
POLICY_CHECK_FUNCTION = "openstack_auth.policy.check"

UKCLOUD_MAINTENANCE = {
    "CLOUD": "demo",
    **json.loads(os.environ.get("TEST_MAINTENANCE", "{}")),
}

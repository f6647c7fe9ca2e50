"""Django system checks: what is missing in the settings, and the line to add.

They look at settings and files only, never at OpenStack or clouds.yaml: the web process runs
them too, and it must not need the worker's credentials. A cloud that clouds.yaml doesn't know is
reported by the worker and the commands, when they open it.
"""

import functools
import importlib.util
import os
from collections.abc import Iterable, Iterator
from typing import Any

import django
import yaml
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.db import connection

from . import policies, settings, stored_text

#: for ``django-admin check --tag ukcloud_maintenance`` and for our commands
TAG = "ukcloud_maintenance"

_SCOPE = policies.SCOPE
_POLICY_LINES = {
    "POLICY_FILES": f'POLICY_FILES["{_SCOPE}"] = policies.POLICY_FILE',
    "DEFAULT_POLICY_FILES": f'DEFAULT_POLICY_FILES["{_SCOPE}"] = policies.DEFAULT_POLICY_FILE',
}
_POLICY_IMPORT = "from ukcloud_maintenance import policies"
#: each command reads them: in C, where PyYAML has it, in a tenth of the time
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@register(TAG)
def check_database(**_: Any) -> list[CheckMessage]:
    """Horizon names no database, and Django's stand-in for none fails at the first query."""
    default = getattr(django_settings, "DATABASES", {}).get("default", {})
    engine = default.get("ENGINE") or "django.db.backends.dummy"
    if engine != "django.db.backends.dummy":
        return []
    return [
        Error(
            'DATABASES["default"] names no database, and the queue of drains is kept in one.',
            hint='Add DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME":'
            ' "/var/lib/openstack-dashboard/maintenance.sqlite3"}}, or name a PostgreSQL or'
            " MariaDB database where Horizon runs on several controllers.",
            id="ukcloud_maintenance.E001",
        )
    ]


@register(TAG)
def check_character_set(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """MariaDB and MySQL store the characters of a character set, and only one has all of them.

    :param databases: those that may be asked: of `check --database default`, and of `migrate`
    """
    default = getattr(django_settings, "DATABASES", {}).get("default", {})
    if default.get("ENGINE") != "django.db.backends.mysql":
        return []
    plain = stored_text.WHOLE if django.VERSION >= (5, 2) else "utf8"
    found = {(default.get("OPTIONS") or {}).get("charset", plain)}
    if "default" in (databases or ()):
        found |= stored_text.character_sets(connection)
    return [
        CheckWarning(
            f"The database stores text as {name}, which lacks characters such as emoji: a reason"
            " with one is refused, and in the names of others each is replaced.",
            hint='Add "charset": "utf8mb4" to the OPTIONS of DATABASES["default"]. A database that'
            " was made without it: ALTER DATABASE … CHARACTER SET utf8mb4, and ALTER TABLE …"
            " CONVERT TO CHARACTER SET utf8mb4 for each of its tables ukcloud_maintenance_….",
            id="ukcloud_maintenance.W006",
        )
        for name in sorted(found - {stored_text.WHOLE})
    ]


@register(TAG)
def check_policy(**_: Any) -> list[CheckMessage]:
    """Horizon allows whatever it has no policy for; the panel denies it instead. Either way
    nobody gets what they should."""
    return list(_policy_problems())


def _policy_problems() -> Iterator[CheckMessage]:
    if not getattr(django_settings, "POLICY_CHECK_FUNCTION", None):
        yield Error(
            "POLICY_CHECK_FUNCTION is not set: what cannot be checked is denied to everybody.",
            hint='Add POLICY_CHECK_FUNCTION = "openstack_auth.policy.check".',
            id="ukcloud_maintenance.E002",
        )
    defined: set[str] = set()
    complete = True
    for name, line in _POLICY_LINES.items():
        path = (getattr(django_settings, name, None) or {}).get(_SCOPE)
        if not path:
            complete = False
            yield Error(
                f'{name}["{_SCOPE}"] is not set: what has no policy is denied to everybody.',
                hint=f"Add {_POLICY_IMPORT}; {line}.",
                id="ukcloud_maintenance.E003",
            )
            continue
        path = os.path.join(getattr(django_settings, "POLICY_FILES_PATH", None) or "", path)
        try:
            defined |= _rules(path)
        except (OSError, ValueError, yaml.YAMLError) as error:
            complete = False
            yield Error(
                f'{name}["{_SCOPE}"] cannot be read: {error}',
                hint=f"Repair {path}, or use the packaged one: {_POLICY_IMPORT}; {line}.",
                id="ukcloud_maintenance.E004",
            )
    ours = {r for r in _rules(policies.DEFAULT_POLICY_FILE) if r.startswith(f"{_SCOPE}:")}
    if complete and (missing := sorted(ours - defined)):
        yield Error(
            f"The policy files of {_SCOPE} do not define {', '.join(missing)}:"
            " what has no rule is denied to everybody.",
            hint=f"Add {_POLICY_IMPORT}; {_POLICY_LINES['DEFAULT_POLICY_FILES']}.",
            id="ukcloud_maintenance.E005",
        )


def _rules(path: str) -> frozenset[str]:
    """The names of the rules of a policy file: a map, or a list of the documented defaults."""
    with open(path, encoding="utf-8") as file:
        return _rules_in(path, file.read())


@functools.cache
def _rules_in(path: str, text: str) -> frozenset[str]:
    content = yaml.load(text, _LOADER) or {}
    if isinstance(content, dict):
        return frozenset(str(name) for name in content)
    if isinstance(content, list) and all(isinstance(rule, dict) for rule in content):
        return frozenset(str(rule.get("name")) for rule in content)
    raise ValueError(f"{path} is neither a map of rules nor a list of them")


@register(TAG)
def check_settings(**_: Any) -> list[CheckMessage]:
    """Unknown keys, wrong types and values of UKCLOUD_MAINTENANCE; what is no longer in use."""
    return [
        *(
            Error(problem, hint=remedy, id="ukcloud_maintenance.E010")
            for problem, remedy in settings.problems()
        ),
        *(
            CheckWarning(problem, hint=remedy, id="ukcloud_maintenance.W011")
            for problem, remedy in settings.leftovers()
        ),
    ]


@register(TAG)
def check_apprise(**_: Any) -> list[CheckMessage]:
    """Apprise is an extra: it is needed where somebody is told by it."""
    given = getattr(django_settings, settings.NAME, None)
    wanted = isinstance(given, dict) and given.get("NOTIFY")
    if not wanted or importlib.util.find_spec("apprise") is not None:
        return []
    return [
        Error(
            f'{settings.NAME}["NOTIFY"] is set, and Apprise is not installed.',
            hint="Install it where the worker runs: pip install ukcloud-maintenance[notify]."
            " WEBHOOKS needs none.",
            id="ukcloud_maintenance.E012",
        )
    ]

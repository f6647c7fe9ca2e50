"""Who may do what: every role, every URL, every method. A new URL needs a row here."""

import itertools

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openstack_auth import utils as auth_utils

from tests.fakes import server
from tests.panel import test_runs
from ukcloud_maintenance import store
from ukcloud_maintenance.content.maintenance import urls
from ukcloud_maintenance.core.actor import (
    RULE_ABORT,
    RULE_AFFECTED,
    RULE_CANCEL,
    RULE_DRAIN,
    RULE_FORCE,
    RULE_RESET,
    RULE_RETURN,
    RULE_ROLL,
    RULE_STEER,
    RULE_VIEW,
)

READ = {"GET", "HEAD"}
#: For each URL the rule that it takes, and the methods that it has (beside OPTIONS).
URLS: dict[str, tuple[str, set[str]]] = {
    "index": (RULE_VIEW, READ),
    "host_updates": (RULE_VIEW, READ),
    "host": (RULE_VIEW, READ),
    "check_host": (RULE_VIEW, READ),
    "drain_host": (RULE_DRAIN, READ | {"POST"}),
    "host_panel": (RULE_VIEW, READ),
    "certificate": (RULE_VIEW, READ),
    "certificate_file": (RULE_VIEW, READ),
    "return_host": (RULE_RETURN, READ | {"POST"}),
    "allocations": (RULE_RESET, READ | {"POST"}),
    "drains": (RULE_VIEW, READ),
    "drain": (RULE_VIEW, READ),
    "updates": (RULE_VIEW, READ),
    "cancel_drain": (RULE_CANCEL, READ | {"POST"}),
    "pause_drain": (RULE_STEER, READ | {"POST"}),
    "resume_drain": (RULE_STEER, READ | {"POST"}),
    "retry_failed": (RULE_STEER, READ | {"POST"}),
    "change_drain": (RULE_STEER, READ | {"POST"}),
    "instances_abort": (RULE_ABORT, READ | {"POST"}),
    "instances_force": (RULE_FORCE, READ | {"POST"}),
    "instances_retry": (RULE_STEER, READ | {"POST"}),
    "instances_retry_on": (RULE_STEER, READ | {"POST"}),
    "instances_skip": (RULE_STEER, READ | {"POST"}),
    "instances_first": (RULE_STEER, READ | {"POST"}),
    "instances_reset": (RULE_RESET, READ | {"POST"}),
    "timeline": (RULE_VIEW, READ),
    "picture": (RULE_VIEW, READ),
    "export_csv": (RULE_VIEW, READ),
    "export_json": (RULE_VIEW, READ),
    "affected_drain": (RULE_AFFECTED, READ),
    "affected_drain_csv": (RULE_AFFECTED, READ),
    "affected_drain_json": (RULE_AFFECTED, READ),
    "affected_drain_text": (RULE_AFFECTED, READ),
    "affected_plan": (RULE_AFFECTED, READ),
    "affected_plan_csv": (RULE_AFFECTED, READ),
    "affected_plan_json": (RULE_AFFECTED, READ),
    "affected_plan_text": (RULE_AFFECTED, READ),
    "affected_run": (RULE_AFFECTED, READ),
    "affected_run_csv": (RULE_AFFECTED, READ),
    "affected_run_json": (RULE_AFFECTED, READ),
    "affected_run_text": (RULE_AFFECTED, READ),
    "plans": (RULE_VIEW, READ),
    "new_plan": (RULE_DRAIN, READ | {"POST"}),
    "host_sets": (RULE_DRAIN, READ),
    "plan": (RULE_VIEW, READ),
    "plan_updates": (RULE_VIEW, READ),
    "steer_plan": (RULE_STEER, {"POST"}),
    "change_plan": (RULE_STEER, READ | {"POST"}),
    "cancel_plan": (RULE_CANCEL, READ | {"POST"}),
    "host_done": (RULE_ROLL, {"POST"}),
    "runs": (RULE_VIEW, READ),
    "new_run": (RULE_ROLL, READ | {"POST"}),
    "run": (RULE_VIEW, READ),
    "run_updates": (RULE_VIEW, READ),
    "run_record": (RULE_VIEW, READ),
    "steer_run": (RULE_ROLL, {"POST"}),
    "steer_run_host": (RULE_ROLL, {"POST"}),
    "cancel_run": (RULE_ROLL, READ | {"POST"}),
    "add_to_run": (RULE_ROLL, READ | {"POST"}),
}
#: Who there is, and which rules each of them meets.
EVERYTHING = {rule for rule, _methods in URLS.values()}
ROLES: dict[str, tuple[tuple[str, ...] | None, set[str]]] = {
    "nobody": (None, set()),
    "without a role": ((), set()),
    "member": (("member", "reader"), set()),
    "of a similar name": (("Administrator", "admin2", "maintenance_viewer2"), set()),
    "viewer": (("maintenance_viewer",), {RULE_VIEW}),
    "viewer in a project": (("member", "maintenance_viewer"), {RULE_VIEW}),
    "administrator who looks only": (
        ("admin", "maintenance_viewer"),
        {RULE_VIEW, RULE_AFFECTED},
    ),
    "administrator": (("admin", "member"), EVERYTHING),
}
#: Those that differ from another one by what their roles are called alone.
ALIKE = {"without a role", "of a similar name", "viewer in a project"}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
SCRIPT = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}


def test_every_url_has_a_row():
    assert set(URLS) == {pattern.name for pattern in urls.urlpatterns}
    for pattern in urls.urlpatterns:
        assert URLS[pattern.name][0] == pattern.callback.view_class.rule, pattern.name


@pytest.fixture
def addresses(make_drain):
    plan = store.create_plan(
        region="RegionOne",
        reason="new kernel",
        hosts_at_once=1,
        actor_id="id-of-alice",
        actor="alice",
        now=timezone.now(),
    )
    drain = make_drain("cmp1", server("web-1"), plan=plan)
    run = test_runs.write_run("cmp1", "cmp2")
    arguments = {"host": "cmp1", "drain_id": drain.pk, "plan_id": plan.pk, "run_id": run.pk}
    return {
        pattern.name: reverse(
            f"horizon:admin:maintenance:{pattern.name}",
            kwargs={k: v for k, v in arguments.items() if k in pattern.pattern.converters},
        )
        for pattern in urls.urlpatterns
    }


@pytest.fixture
def become(log_in, monkeypatch):
    def as_role(role: str):
        roles, rules = ROLES[role]
        if roles is None:
            monkeypatch.setattr(auth_utils, "get_user", lambda request: AnonymousUser())
        else:
            log_in(*roles)
        return rules

    return as_role


def rows() -> dict[str, list]:
    """All that the plugin has in the database."""
    found = {}
    with connection.cursor() as cursor:  # a thousand times: Django's models take their time
        for model in apps.get_app_config("ukcloud_maintenance").get_models():
            key = connection.ops.quote_name(model._meta.pk.column)
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY {key}")
            found[model.__name__] = cursor.fetchall()
    return found


def expected(role: str, rules: set[str], name: str, method: str, script: bool) -> set[int]:
    """The statuses that are right; empty: anything that is no refusal."""
    rule, methods = URLS[name]
    if role == "nobody":
        return {401} if script else {302}
    if rule not in rules:
        return {403}
    return set() if method in methods or method == "OPTIONS" else {405}


@pytest.mark.parametrize("name", URLS)
def test_every_role_at_every_url_by_every_method(client, cloud, become, addresses, name):
    cloud.all_aggregates, cloud.all_groups, cloud.all_capacity = [], [], {}
    before = rows()
    for role, method, script in itertools.product(ROLES, METHODS, (False, True)):
        if (script or role in ALIKE) and method not in ("GET", "POST"):
            continue  # the same code answers, and Horizon's pages are slow
        rules = become(role)
        changes = method == "POST" and URLS[name][0] in rules
        if changes and "POST" in URLS[name][1]:
            continue  # see below
        answer = client.generic(method, addresses[name], **(SCRIPT if script else {}))
        said = (role, method, script, answer.status_code)
        if statuses := expected(role, rules, name, method, script):
            assert answer.status_code in statuses, said
        elif method == "OPTIONS":
            assert answer.status_code in (200, 405), said
        else:
            assert answer.status_code in (200, 204, 302, 404, 409), said
        assert rows() == before, said


@pytest.mark.parametrize("name", [name for name, (_, methods) in URLS.items() if "POST" in methods])
def test_a_change_takes_a_token_against_forged_requests(cloud, log_in, addresses, name):
    log_in("admin")
    before = rows()
    strict = Client(enforce_csrf_checks=True)
    sent = {"reason": "x", "max_concurrent": 1, "verb": "pause", "row": 1, "confirmed": "yes"}
    for script in ({}, SCRIPT):
        answer = strict.post(addresses[name], sent, **script)
        # Horizon leads to the login; a script is told so, before 2026.2 by no more than a header.
        told = answer.headers.get("location") or answer.headers["X-Horizon-Location"]
        assert "csrf_failure" in told
    assert rows() == before
    assert Client().post(addresses[name], sent).status_code in (200, 302, 404, 409)

"""Nobody gets in, whatever is wrong with the policy's settings. For the roles see test_roles."""

import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.fakes import server
from tests.panel.conftest import make_user
from ukcloud_maintenance import policies, store
from ukcloud_maintenance.content.maintenance import urls
from ukcloud_maintenance.content.maintenance.common import session
from ukcloud_maintenance.content.maintenance.panel import Maintenance
from ukcloud_maintenance.core.actor import (
    RULE_ABORT,
    RULE_AFFECTED,
    RULE_CANCEL,
    RULE_DRAIN,
    RULE_FORCE,
    RULE_RESET,
    RULE_RETURN,
    RULE_STEER,
    RULE_VIEW,
)
from ukcloud_maintenance.models import Drain

PANEL = "horizon:admin:maintenance"


@pytest.fixture
def every_url(make_drain):
    plan = store.create_plan(
        region="RegionOne",
        reason="new kernel",
        hosts_at_once=1,
        actor_id="id-of-alice",
        actor="alice",
        now=timezone.now(),
    )
    drain = make_drain("cmp1", server("web-1"), plan=plan)
    arguments = {"host": "cmp1", "drain_id": drain.pk, "plan_id": plan.pk}
    return {
        pattern.name: reverse(
            f"{PANEL}:{pattern.name}",
            kwargs={k: v for k, v in arguments.items() if k in pattern.pattern.converters},
        )
        for pattern in urls.urlpatterns
    }


def test_who_lacks_the_role_does_not_see_the_panel(rf, log_in):
    for roles, seen in ((("admin",), True), (("member",), False)):
        request = rf.get("/")
        request.session = {}
        request.user = log_in(*roles)
        assert Maintenance().can_access({"request": request}) is seen


def test_who_may_look_but_not_drain_is_not_offered_it(
    client, cloud, log_in, every_url, settings, tmp_path, fresh_policy
):
    policy = tmp_path / "policy.yaml"
    policy.write_text('"maintenance:view": "role:admin or role:watcher"\n')
    settings.POLICY_FILES = {**settings.POLICY_FILES, session.SCOPE: str(policy)}
    log_in("watcher")

    page = client.get(every_url["index"])
    assert page.status_code == 200
    assert "Drain Host" not in page.content.decode()
    assert "Cancel Drain" not in client.get(every_url["drain"]).content.decode()
    for name in ("drain_host", "cancel_drain"):
        assert client.get(every_url[name]).status_code == 403
        assert client.post(every_url[name], {}).status_code == 403


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"POLICY_CHECK_FUNCTION": None}, "POLICY_CHECK_FUNCTION"),
        ({"POLICY_FILES": {"compute": "nova_policy.yaml"}}, "POLICY_FILES"),
        ({"DEFAULT_POLICY_FILES": {}}, "no rules were found"),
    ],
)
def test_a_policy_that_cannot_be_checked_denies_even_the_administrator(
    client, cloud, log_in, every_url, settings, caplog, fresh_policy, changed, words
):
    for name, value in changed.items():
        setattr(settings, name, value)
    log_in("admin")
    for name, url in every_url.items():
        assert client.get(url).status_code == 403, name
        assert client.post(url).status_code == 403, name
    assert words in caplog.text


def test_a_rule_that_the_policy_lacks_denies(rf, log_in, settings, tmp_path, fresh_policy):
    """Horizon falls back to the rule `default`, and allows where there is none."""
    defaults = Path(policies.DEFAULT_POLICY_FILE).read_text().replace(RULE_DRAIN, "other:rule")
    defaults = defaults.replace("name: default", "name: something_else")
    changed = tmp_path / "defaults.yaml"
    changed.write_text(defaults)
    settings.DEFAULT_POLICY_FILES = {**settings.DEFAULT_POLICY_FILES, session.SCOPE: str(changed)}
    request = rf.get("/")
    request.session = {}
    request.user = log_in("admin")

    assert session.may(request, RULE_VIEW)
    assert not session.may(request, RULE_DRAIN)


def test_a_change_without_the_csrf_token_is_refused(cloud, log_in, every_url):
    log_in("admin")
    strict = Client(enforce_csrf_checks=True)
    for name in ("cancel_drain", "drain_host"):
        response = strict.post(every_url[name], {"reason": "x", "max_concurrent": 1})
        assert "csrf_failure" in response["location"]  # Horizon leads to the login
    assert Drain.objects.get().state == "pending"


def test_only_a_post_cancels(admin, every_url):
    page = admin.get(every_url["cancel_drain"])
    assert "csrfmiddlewaretoken" in page.content.decode()
    assert admin.put(every_url["cancel_drain"]).status_code == 405
    assert Drain.objects.get().state == "pending"

    response = admin.post(every_url["cancel_drain"])
    assert response["location"] == every_url["drain"]
    drain = Drain.objects.get()
    assert (drain.state, drain.cancelled_by) == ("cancelled", "alice")


# -- the session adapter ---------------------------------------------------------------------


def test_an_actors_name_tells_a_domain_that_is_not_the_default_one(rf):
    request = rf.get("/")
    request.user = make_user("admin")
    assert session.actor(request).name == "alice"
    assert session.actor(request).id == "id-of-alice"
    request.user = make_user("admin", domain="Customers")
    assert session.actor(request).name == "alice (Customers)"


def test_the_cloud_takes_token_and_catalogue_from_the_request(rf, settings):
    settings.OPENSTACK_ENDPOINT_TYPE = "internal"
    settings.OPENSTACK_SSL_CACERT = "/etc/ssl/our-ca.pem"
    request = rf.get("/")
    request.user = make_user("admin", region="RegionTwo")
    cloud = session.cloud(request)

    # None of these asks Keystone: its host does not exist.
    assert cloud.region == "RegionTwo"
    assert cloud.session.get_token() == "token-of-alice"
    assert cloud._compute.get_endpoint() == "http://compute.regiontwo.example/internal"
    assert cloud.session.verify == "/etc/ssl/our-ca.pem"
    settings.OPENSTACK_SSL_NO_VERIFY = True
    assert session.cloud(request).session.verify is False
    settings.OPENSTACK_SSL_NO_VERIFY = False
    settings.OPENSTACK_SSL_CACERT = None
    assert session.cloud(request).session.verify is True


def test_a_refused_token_is_not_tried_again(rf, monkeypatch):
    """A 401 must not make the session ask Keystone for another token; it has no credentials."""
    request = rf.get("/")
    request.user = make_user("admin")
    assert session.cloud(request).session.invalidate() is False


def test_every_view_is_one_of_ours():
    """dispatch() is where the policy is checked; a view that goes around it would be open."""
    from ukcloud_maintenance.content.maintenance.common.base import PanelView

    for pattern in urls.urlpatterns:
        view = pattern.callback.view_class
        assert issubclass(view, PanelView)
        assert re.match(r"maintenance:[a-z_]+$", view.rule)
    assert {p.callback.view_class.rule for p in urls.urlpatterns} == {
        RULE_VIEW,
        RULE_DRAIN,
        RULE_CANCEL,
        RULE_STEER,
        RULE_ABORT,
        RULE_AFFECTED,
        RULE_FORCE,
        RULE_RESET,
        RULE_RETURN,
    }

"""All forms and dialogs: what helps with a field and what is wrong with it belong to that field."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.fakes import server
from tests.panel.test_workflow import AJAX, GOOD
from ukcloud_maintenance import store
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.models import Drain, Plan

PANEL = "horizon:admin:maintenance"
WRONG = {"reason": "", "max_concurrent": "0", "stop_at": "soon", "destination": "nowhere"}


class Page(HTMLParser):
    """The elements of a page with an id or a name, and where they point to."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    @property
    def ids(self) -> list[str]:
        return [attrs["id"] for _tag, attrs in self.elements if "id" in attrs]

    def named(self, attribute: str) -> set[str]:
        """The ids that are named by an attribute of any element."""
        found = (attrs.get(attribute, "") for _tag, attrs in self.elements)
        return {name for names in found for name in names.split()}

    @property
    def fields(self) -> list[dict[str, str]]:
        """What can be entered, which of it has a name."""
        return [
            attrs
            for tag, attrs in self.elements
            if tag in ("input", "select") and attrs.get("type") != "hidden" and "name" in attrs
        ]


@pytest.fixture
def drain(make_drain):
    drain = make_drain("cmp1", server("web-1"), server("db-1"))
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    row = store.migrations(drain).get(server_name="db-1")
    store.change_migration(row, now, state=MigrationState.BLOCKED)
    return drain


@pytest.fixture
def plan(db, make_drain):
    plan = store.create_plan(
        region="RegionOne",
        reason="why",
        hosts_at_once=1,
        actor_id="a",
        actor="alice",
        now=timezone.now(),
    )
    make_drain("cmp10", server("one", host="cmp10"), plan=plan, plan_order=0)
    return plan


def form_of_one(client, **_):
    return client.get(reverse(f"{PANEL}:drain_host", args=["cmp2"]))


def form_of_one_in_a_modal(client, **_):
    return client.get(reverse(f"{PANEL}:drain_host", args=["cmp2"]), **AJAX)


def form_of_one_refused(client, **_):
    return client.post(reverse(f"{PANEL}:drain_host", args=["cmp2"]), {**GOOD, **WRONG}, **AJAX)


def form_of_several(client, **_):
    return client.get(reverse(f"{PANEL}:new_plan"), {"host": ["cmp2", "cmp10"]})


def form_of_several_refused(client, **_):
    sent = {
        **GOOD,
        **WRONG,
        "host": ["cmp2", "cmp3"],
        "pace": "n",
        "hosts_at_once": "",
        "do": "drain",
    }
    return client.post(reverse(f"{PANEL}:new_plan"), sent)


def change_drain(client, drain, **_):
    return client.get(reverse(f"{PANEL}:change_drain", args=[drain.pk]), **AJAX)


def change_drain_refused(client, drain, **_):
    sent = {"max_concurrent": "0", "stop_at": "soon", "timeout_action": "explode"}
    return client.post(reverse(f"{PANEL}:change_drain", args=[drain.pk]), sent, **AJAX)


def change_plan(client, plan, **_):
    return client.get(reverse(f"{PANEL}:change_plan", args=[plan.pk]), **AJAX)


def change_plan_refused(client, plan, **_):
    sent = {"max_concurrent": "0", "start_at": "soon"}
    return client.post(reverse(f"{PANEL}:change_plan", args=[plan.pk]), sent, **AJAX)


def retry_on_a_host(client, drain, **_):
    row = store.migrations(drain).get(server_name="db-1")
    return client.get(reverse(f"{PANEL}:instances_retry_on", args=[drain.pk]), {"row": row.pk})


def retry_on_a_host_refused(client, drain, **_):
    row = store.migrations(drain).get(server_name="db-1")
    sent = {"row": row.pk, "confirmed": "yes", "destination": ""}
    return client.post(reverse(f"{PANEL}:instances_retry_on", args=[drain.pk]), sent)


def give_back(client, **_):
    return client.get(reverse(f"{PANEL}:return_host", args=["cmp4"]), **AJAX)


def give_back_refused_for_its_number(client, **_):
    sent = {"choice": "enable", "bring_back": "on", "max_concurrent": "many"}
    return client.post(reverse(f"{PANEL}:return_host", args=["cmp4"]), sent, **AJAX)


def give_back_refused_without_a_choice(client, **_):
    return client.post(reverse(f"{PANEL}:return_host", args=["cmp4"]), {}, **AJAX)


FORMS = (
    give_back,
    give_back_refused_for_its_number,
    give_back_refused_without_a_choice,
    form_of_one,
    form_of_one_in_a_modal,
    form_of_one_refused,
    form_of_several,
    form_of_several_refused,
    change_drain,
    change_drain_refused,
    change_plan,
    change_plan_refused,
    retry_on_a_host,
    retry_on_a_host_refused,
)


@pytest.fixture(autouse=True)
def given_back(make_drain, cloud):
    """A host in maintenance, whose drain has moved one that can be brought back."""
    now = timezone.now()
    moved = server("moved-1", host="cmp4")
    drain = make_drain("cmp4", moved)
    found = {"found_status": "enabled", "found_reason": "", "service_id": "s"}
    store.join_maintenance(drain, now=now, **found)
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    row = store.migrations(drain).get()
    store.change_migration(row, now, state=MigrationState.SUBMITTED, method="live", attempts=1)
    store.change_migration(row, now, state=MigrationState.MIGRATING, dest_compute="cmp2")
    store.change_migration(row, now, state=MigrationState.SUCCEEDED, dest_compute="cmp2")
    store.finish_drain(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "", "w", now)
    cloud.all_servers.append(dataclasses.replace(moved, host="cmp2"))


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__)
def html(request, admin, drain, plan, known) -> str:
    return request.param(admin, drain=drain, plan=plan).content.decode()


@pytest.fixture
def known(cloud):
    cloud.all_groups, cloud.all_aggregates = [], []
    return cloud


def test_what_is_named_is_there_and_once(html):
    page = Page(html)
    named = page.named("aria-describedby") | page.named("aria-labelledby") | page.named("for")
    ours = {one for one in named if one.startswith(("id_", "mnt-"))}
    assert len(ours) > 2
    assert ours <= set(page.ids)
    assert sorted(one for one in ours if page.ids.count(one) != 1) == []


def test_every_help_and_every_error_belongs_to_a_field(html):
    page = Page(html)
    described = page.named("aria-describedby")
    helps = {one for one in page.ids if one.endswith("_helptext")}
    places = {one for one in page.ids if one.endswith("_error")}
    assert places
    assert places <= described
    filled = {name for name in helps if re.search(rf'id="{name}"[^>]*>\s*[^<\s]', html)}
    assert filled <= described


def test_every_error_is_beside_its_field(html, request):
    """In a place that is announced, and that its field names."""
    groups = re.split(r'<(?:div|fieldset) class="form-group', html)[1:]
    wrong = [group for group in groups if "has-error" in group.split(">")[0]]
    assert bool(wrong) == ("refused" in request.node.name)
    for group in wrong:
        places = re.findall(r'class="mnt-errors"\s+role="alert">(.*?)</div>', group, re.S)
        assert any('class="help-block">' in place for place in places)
    assert html.count('class="help-block">') == sum(
        place.count('class="help-block">')
        for place in re.findall(r'class="mnt-errors"\s+role="alert">(.*?)</div>', html, re.S)
    )
    assert Drain.objects.count() == 3
    assert Plan.objects.count() == 1

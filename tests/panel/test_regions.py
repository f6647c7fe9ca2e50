"""A page knows hosts by name, and another region may have a host of that name: what was read of one
region neither acts on another one nor is kept up to date from it."""

import re

import pytest
from django.urls import reverse

from tests.fakes import server
from tests.panel import test_certificate
from tests.panel.test_plans import page, shown
from ukcloud_maintenance.models import Drain, Plan

PANEL = "horizon:admin:maintenance"
AJAX = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}
SAID = "This belongs to region RegionOne, but region RegionTwo is selected."
OF_HOST = (
    "host",
    "drain_host",
    "check_host",
    "return_host",
    "host_panel",
    "certificate",
    "certificate_file",
)

maintained = test_certificate.maintained


def of_first(name: str, *args: str) -> str:
    return reverse(f"{PANEL}:{name}", args=args) + "?region=RegionOne"


@pytest.fixture
def elsewhere(client, cloud, log_in, db):
    """The administrator, who switched to the other region after the page was read."""
    log_in("admin", region="RegionTwo")
    return client


@pytest.mark.parametrize("name", OF_HOST)
def test_what_was_read_of_a_host_is_not_answered_from_another_region(
    elsewhere, log_in, maintained, name
):
    answer = elsewhere.get(of_first(name, "cmp4"))
    assert answer.status_code == 409
    said = page(answer) if b"<body" in answer.content else answer.json()["message"]
    assert SAID in said
    assert "Switch to region RegionOne at the top of the page, and try again." in said
    log_in("admin", region="RegionOne")
    assert elsewhere.get(of_first(name, "cmp4")).status_code == 200


@pytest.mark.parametrize("name", ["host_updates", "host_sets", "new_plan"])
def test_nor_is_what_was_read_of_all_hosts(elsewhere, log_in, name):
    assert elsewhere.get(of_first(name), {"region": "RegionOne"}).status_code == 409
    log_in("admin", region="RegionOne")
    assert elsewhere.get(of_first(name), {"region": "RegionOne"}).status_code != 409


def test_a_form_does_not_act_on_the_host_of_another_region(elsewhere, maintained):
    """Each is complete, and would act if the region were not looked at."""
    drain = {"reason": "new kernel", "max_concurrent": "2", "timeout_action": "warn"}
    plan = {"host": ["cmp1", "cmp10"], "do": "drain", "pace": "1"} | drain
    drains = Drain.objects.count()
    for url, entered in (
        (of_first("drain_host", "cmp1"), drain),
        (of_first("new_plan"), plan),
        (of_first("return_host", "cmp4"), {"choice": "leave"}),
    ):
        answer = elsewhere.post(url, entered)
        assert answer.status_code == 409
        assert SAID in page(answer)
        assert SAID in elsewhere.post(url, entered, **AJAX).content.decode()
    assert Drain.objects.count() == drains
    assert not Plan.objects.exists()
    maintained.refresh_from_db()
    assert maintained.returning_since is None


def test_every_page_of_hosts_says_which_region_it_is_of(admin, maintained, make_drain):
    test_certificate.verify(maintained)
    drain = make_drain("cmp1", server("web-1"))
    for url in (
        reverse(f"{PANEL}:index"),
        reverse(f"{PANEL}:host", args=["cmp4"]),
        reverse(f"{PANEL}:check_host", args=["cmp10"]),
        reverse(f"{PANEL}:return_host", args=["cmp4"]),
        reverse(f"{PANEL}:drain_host", args=["cmp10"]),
        reverse(f"{PANEL}:drain", args=[drain.pk]),
        reverse(f"{PANEL}:new_plan") + "?host=cmp10&host=cmp2",
        reverse(f"{PANEL}:drains"),
    ):
        html = shown(admin.get(url))
        html = html[html.index('id="content_body"') :]
        links = re.findall(
            r'(?:href|action|data-url|data-updates|data-sets)="(/admin/maintenance/'
            r'(?:hosts/[^"]+|updates/[^"]*|plans/sets/[^"]*))"',
            html,
        )
        assert links, url
        assert [one for one in links if "region=RegionOne" not in one] == [], url
    chooser = admin.get(reverse(f"{PANEL}:index")).content.decode()
    assert '<input type="hidden" name="region" value="RegionOne">' in chooser
    planned = admin.get(reverse(f"{PANEL}:new_plan") + "?host=cmp10").content.decode()
    assert f'action="{of_first("new_plan")}"' in planned


def test_a_region_that_is_not_named_is_the_one_that_is_chosen(elsewhere):
    assert elsewhere.get(reverse(f"{PANEL}:host", args=["cmp1"])).status_code == 200

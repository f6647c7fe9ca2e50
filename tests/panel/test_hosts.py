"""The hosts page and the page of one host."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.fakes import server, service
from ukcloud_maintenance import store
from ukcloud_maintenance.core.facts import Capacity
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.exceptions import (
    CloudAuthError,
    CloudForbidden,
    CloudNotFound,
    CloudServerError,
    CloudUnreachable,
)

INDEX = reverse("horizon:admin:maintenance:index")


class _Rows(HTMLParser):
    """The text of the cells of a table, by host."""

    def __init__(self):
        super().__init__()
        self.rows: dict[str, list[str]] = {}
        self._host = ""
        self._in_cell = False

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self._host = dict(attrs).get("data-host", "")
            if self._host:
                self.rows[self._host] = []
        elif tag in ("td", "th") and self._host and dict(attrs).get("class") != "mnt-box":
            self.rows[self._host].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        if tag == "tr":
            self._host = ""
        elif tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data):
        if self._host and self._in_cell:
            self.rows[self._host][-1] += data


def rows(response) -> dict[str, list[str]]:
    parser = _Rows()
    parser.feed(response.content.decode())
    return {
        host: [re.sub(r"\s+", " ", cell).strip() for cell in cells]
        for host, cells in parser.rows.items()
    }


def hosts(response) -> list[str]:
    return list(rows(response))


def test_vcpus_are_those_that_decide_about_placing_on_all_pages(admin, cloud):
    """Allocated, of what may be allocated: 16 physical ones, four times overcommitted."""
    whole = {"VCPU": 64, "MEMORY_MB": 64 * 1024}
    cloud.all_capacity = {
        host: Capacity(whole, {"VCPU": 5, "MEMORY_MB": 0}) for host in ("cmp1", "cmp2", "cmp10")
    }
    page = admin.get(INDEX)
    assert rows(page)["cmp1"][5] == "5 of 64"
    assert rows(page)["cmp3"][5] == "\N{EN DASH}"  # Placement does not tell
    html = page.content.decode()
    assert "7% of the vCPUs that may be allocated (16 physical, with overcommit)" in html
    check = admin.get(reverse("horizon:admin:maintenance:check_host", args=["cmp1"]))
    assert re.search(r"5 → \d+ of 64<", check.content.decode())
    for one in (page, check):
        assert "vCPUs allocated" in one.content.decode()
    # Where Placement does not answer, the rest of the list is shown all the same.
    cloud.all_capacity = None
    found = rows(admin.get(INDEX))
    assert found["cmp1"][4:7] == ["5", "\N{EN DASH}", "8 of 64 GiB"]


def test_lists_every_host_with_what_an_admin_needs(admin, cloud):
    cloud.all_capacity = {"cmp1": Capacity({"VCPU": 64}, {"VCPU": 5})}
    found = rows(admin.get(INDEX))

    assert found["cmp1"][:5] == ["cmp1", "az1", "Up", "Enabled", "5"]
    assert found["cmp1"][5:7] == ["5 of 64", "8 of 64 GiB"]
    assert found["cmp3"][2] == "Down"
    assert found["cmp4"][3] == "Disabledbad fan"


def test_sorts_names_as_people_do(admin):
    assert hosts(admin.get(INDEX)) == ["cmp1", "cmp2", "cmp3", "cmp4", "cmp10"]
    down = hosts(admin.get(INDEX, {"sort": "host", "order": "desc"}))
    assert down == ["cmp10", "cmp4", "cmp3", "cmp2", "cmp1"]


def test_the_number_of_instances_is_the_true_one_and_sorting_says_that_it_is_not(admin):
    response = admin.get(INDEX, {"sort": "instances", "order": "desc"})

    assert hosts(response)[:2] == ["cmp1", "cmp10"]
    assert rows(response)["cmp1"][4] == "5"
    assert "may be a minute old" in response.content.decode()
    assert "may be a minute old" not in admin.get(INDEX).content.decode()


def test_asks_for_two_lists_and_one_number_for_each_row_shown(admin, cloud, settings):
    settings.API_RESULT_PAGE_SIZE = 2
    admin.get(INDEX)

    assert sorted(cloud.asked) == ["count cmp1", "count cmp2", "hypervisors", "services"]


def test_pages_follow_the_users_own_page_size(admin, settings):
    settings.API_RESULT_PAGE_SIZE = 2
    first = admin.get(INDEX, {"q": "az", "sort": "zone"})
    assert hosts(first) == ["cmp1", "cmp10"]
    assert "?q=az&amp;sort=zone&amp;page=2" in first.content.decode()
    assert hosts(admin.get(INDEX, {"page": 3})) == ["cmp10"]
    assert hosts(admin.get(INDEX, {"page": "no number"})) == ["cmp1", "cmp2"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "cmp1"}, ["cmp1", "cmp10"]),
        ({"q": "CMP1", "column": "host"}, ["cmp1", "cmp10"]),
        ({"q": "az2"}, ["cmp2", "cmp3", "cmp4"]),
        ({"q": "bad fan"}, ["cmp4"]),
        ({"q": "bad fan", "column": "host"}, []),
        ({"q": "8 of 64", "column": "memory"}, ["cmp1"]),
        ({"state": "down"}, ["cmp3"]),
        ({"state": "disabled"}, ["cmp4"]),
        ({"state": "up", "q": "az2"}, ["cmp2", "cmp4"]),
        ({"state": "draining"}, []),
    ],
)
def test_filters_by_any_columns_text_and_by_state(admin, query, expected):
    response = admin.get(INDEX, query)
    assert hosts(response) == expected
    assert ("No host matches the filter" in response.content.decode()) == (not expected)
    assert "Clear Filter" in response.content.decode()


def test_says_that_there_are_no_hosts(admin, cloud):
    cloud.all_services = []
    assert "There is no compute host in region RegionOne" in admin.get(INDEX).content.decode()


def test_a_host_that_is_down_offers_no_drain(admin):
    page = admin.get(INDEX).content.decode()
    assert reverse("horizon:admin:maintenance:drain_host", args=["cmp1"]) in page
    assert reverse("horizon:admin:maintenance:drain_host", args=["cmp3"]) not in page


def test_a_drain_of_one_host_shows_at_no_other(admin, make_drain):
    drain = make_drain("cmp1", server("web-1"), server("web-2"))
    found = rows(admin.get(INDEX))

    assert found["cmp1"][7:] == ["0 of 2", "View Drain Preflight"]
    assert found["cmp10"][7:] == ["", "Drain Host Preflight"]
    assert hosts(admin.get(INDEX, {"state": "draining"})) == ["cmp1"]
    assert (
        reverse("horizon:admin:maintenance:drain", args=[drain.pk])
        in admin.get(INDEX).content.decode()
    )


def updated(client) -> dict[str, str]:
    answer = client.get(
        reverse("horizon:admin:maintenance:host_updates"), HTTP_X_REQUESTED_WITH="XMLHttpRequest"
    )
    assert answer["Cache-Control"] == "no-store"
    return {
        host: re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", cell)).strip()
        for host, cell in answer.json()["cells"].items()
    }


def test_the_maintenance_column_goes_on_by_itself_without_asking_nova(admin, cloud, make_drain):
    page = admin.get(INDEX).content.decode()
    assert "data-updates" in page
    assert " data-watch>" not in page  # none that may change
    drain = make_drain("cmp4", server("web-1", host="cmp4"))
    make_drain("cmp1", region="RegionTwo")
    page = admin.get(INDEX).content.decode()
    assert "data-updates" in page
    assert page.count(" data-watch>") == 1
    cloud.asked.clear()

    assert updated(admin) == {"cmp4": "0 of 1"}
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY)
    assert re.fullmatch(r"drained \d\d:\d\d", updated(admin)["cmp4"])
    assert cloud.asked == []

    long_ago = timezone.now() - timedelta(hours=2)
    store.Drain.objects.filter(pk=drain.pk).update(finished_at=long_ago)
    assert updated(admin) == {}


def test_what_was_drained_long_ago_is_not_read_again_and_again(admin, make_drain, monkeypatch):
    """In a region of a thousand hosts that is nearly all of them."""
    for host in ("cmp4", "cmp10"):
        finish(make_drain(host), DrainState.SUCCEEDED, DrainResult.EMPTY)
    store.Drain.objects.update(finished_at=timezone.now() - timedelta(hours=2))
    drain = make_drain("cmp1")
    counted = []
    counts = store.counting.counts
    monkeypatch.setattr(
        store.counting, "counts", lambda ids: counts(counted.append(list(ids)) or counted[-1])
    )
    assert set(updated(admin)) == {"cmp1"}
    assert counted == [[drain.pk]]
    admin.get(INDEX)
    assert len(counted[-1]) == 3


def test_hosts_that_differ_in_case_alone_are_two(admin, cloud, make_drain):
    cloud.all_services.append(service("CMP1"))
    cloud.all_servers.append(server("other-1", host="CMP1"))
    make_drain("CMP1", server("other-1", host="CMP1"))
    found = rows(admin.get(INDEX))

    assert (found["CMP1"][4], found["CMP1"][7]) == ("1", "0 of 1")
    assert (found["cmp1"][4], found["cmp1"][7]) == ("5", "")
    # Nova's database may count both under either name.
    assert "count cmp1" not in cloud.asked
    assert "count CMP1" not in cloud.asked


def finish(drain, state, result):
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    for row in store.migrations(drain):
        if row.state == MigrationState.PENDING and state == DrainState.SUCCEEDED:
            store.change_migration(row, now, state=MigrationState.GONE)
    if state == DrainState.CANCELLED:
        store.change_drain(drain, now, state=DrainState.CANCELLING)
    store.finish_drain(drain, state, result, "", "worker", now)


def test_a_drained_host_says_so_until_it_is_enabled_again(admin, cloud, make_drain):
    drain = make_drain("cmp4", server("web-1", host="cmp4"))
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY)
    assert re.fullmatch(r"drained \d\d:\d\d", rows(admin.get(INDEX))["cmp4"][7])

    cloud.all_services = [service("cmp4")]
    assert rows(admin.get(INDEX))["cmp4"][7] == ""


def test_a_host_where_instances_stayed_says_how_many(admin, make_drain):
    stays = server("old-1", host="cmp4", status="SHUTOFF", vm_state="stopped")
    drain = make_drain("cmp4", stays)
    finish(drain, DrainState.FAILED, DrainResult.INSTANCES_LEFT)
    assert re.fullmatch(r"1 not moved \d\d:\d\d", rows(admin.get(INDEX))["cmp4"][7])


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (
            CloudUnreachable("list the compute services", "connection refused"),
            [
                "Could not list the compute services: connection refused.",
                "Check that nova-api is running",
            ],
        ),
        (
            CloudServerError("list the hypervisors", "boom", status=500, request_id="req-7"),
            ["Could not list the hypervisors: boom (HTTP 500).", "req-7"],
        ),
        (
            CloudForbidden("list the hypervisors", "no", status=403),
            ["Could not list the hypervisors", "policy refuses this user"],
        ),
        (
            CloudAuthError("find Nova in the service catalog", "no endpoint"),
            ["Could not find Nova in the service catalog", "service catalog"],
        ),
    ],
)
def test_a_nova_that_fails_leaves_a_page_that_says_so(admin, cloud, make_drain, failure, words):
    make_drain("cmp1", server("web-1"))
    cloud.failure = failure
    for url in (INDEX, reverse("horizon:admin:maintenance:host", args=["cmp1"])):
        response = admin.get(url)
        page = response.content.decode()
        assert response.status_code == 200
        for word in words:
            assert word in page
        # What is under way is known without Nova.
        assert "0 of 1" in page
        assert "not authorized" not in page.lower()


def test_a_token_that_nova_refuses_leads_to_the_login(admin, cloud):
    cloud.failure = CloudAuthError("list the hypervisors", "expired", status=401)
    response = admin.get(INDEX)
    assert response.status_code == 302
    assert "/auth/login/?next=/admin/maintenance/" in response["location"]


def test_a_host_that_cannot_be_counted_shows_the_statistic_as_one(admin, cloud):
    cloud.uncountable["cmp1"] = CloudUnreachable("count the servers of host cmp1", "timed out")
    response = admin.get(INDEX)
    assert rows(response)["cmp1"][4] == "10 ?"
    assert "Could not count the servers of host cmp1: timed out" in response.content.decode()


def test_warns_when_no_worker_is_at_work(admin):
    page = admin.get(INDEX).content.decode()
    assert "No worker is running." in page
    assert "django-admin maintenance_worker" in page
    store.sign_of_life("w", "controller", 1, timezone.now() - timedelta(days=1))
    page = admin.get(INDEX).content.decode()
    assert re.search(r"last report was at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", page)
    store.sign_of_life("w", "controller", 1, timezone.now(), problem=text("Keystone refuses it."))
    page = admin.get(INDEX).content.decode()
    assert "No worker is running." not in page
    assert "Keystone refuses it." in page
    store.sign_of_life("w", "controller", 1, timezone.now())
    assert "worker" not in rows(admin.get(INDEX))
    assert "The worker reports" not in admin.get(INDEX).content.decode()


# -- the inventory -----------------------------------------------------------------------------


def keep_inventory(cloud, seconds_ago=20, region="RegionOne"):
    """What a worker kept of the hypervisors as they are now."""
    now = store.now()
    found = cloud._hypervisors()
    head = store.claim_inventory(region, "w", now, 90)
    store.begin_round(head, "w", [one.host for one in cloud.all_services])
    at = now - timedelta(seconds=seconds_ago)
    store.keep_page(head, "w", found, at)
    store.keep_page(head, "w", [], at, cloud.all_capacity)
    store.release_inventory(head, "w", now)


def test_with_an_inventory_nova_is_asked_for_the_services_and_the_rows_shown(
    admin, cloud, settings
):
    settings.API_RESULT_PAGE_SIZE = 2
    keep_inventory(cloud)
    for query, shown in (
        ({}, ["cmp1", "cmp2"]),
        ({"page": "3"}, ["cmp10"]),
        ({"sort": "memory", "order": "desc"}, ["cmp1", "cmp10"]),
        ({"sort": "instances", "order": "desc"}, ["cmp1", "cmp10"]),
        ({"q": "8 of 64", "column": "memory"}, ["cmp1"]),
    ):
        cloud.asked.clear()
        assert hosts(admin.get(INDEX, query)) == shown
        assert cloud.asked == ["services", *(f"count {host}" for host in shown)]


def test_with_an_inventory_the_rows_shown_are_as_of_now_and_the_page_says_how_old_the_rest_is(
    admin, cloud
):
    cloud.all_capacity = {"cmp10": Capacity({"VCPU": 64}, {"VCPU": 1})}
    keep_inventory(cloud, seconds_ago=20)
    cloud.all_capacity = None
    cloud.all_servers.append(server("new-1", host="cmp10"))
    cloud.all_services[1] = service("cmp10", status="disabled", disabled_reason="just now")
    response = admin.get(INDEX)
    assert rows(response)["cmp10"][3:7] == ["Disabledjust now", "2", "1 of 64", "2 of 64 GiB"]
    assert re.search(r"read at most 2\d s ago", response.content.decode())


def test_hosts_appear_and_vanish_at_once_whatever_the_inventory_knows(admin, cloud):
    keep_inventory(cloud)
    cloud.all_services[0] = service("new1")
    found = rows(admin.get(INDEX))
    assert "cmp1" not in found
    assert found["new1"][4:7] == ["0", "\N{EN DASH}", "\N{EN DASH}"]


def test_an_inventory_of_another_region_is_not_shown(admin, cloud):
    keep_inventory(cloud, region="RegionTwo")
    admin.get(INDEX)
    assert "hypervisors" in cloud.asked


@pytest.mark.parametrize("number", [100, 101])
def test_without_an_inventory_a_large_region_says_why_its_list_is_slow(admin, cloud, number):
    keep_inventory(cloud, seconds_ago=600)
    cloud.all_services = [service(f"n{n}") for n in range(number)]
    response = admin.get(INDEX)
    assert "hypervisors" in cloud.asked
    assert len(hosts(response)) == 20
    assert ("no worker keeps an up-to-date inventory" in response.content.decode()) == (
        number > 100
    )


@pytest.mark.parametrize("error", [CloudForbidden, CloudNotFound])
def test_a_host_whose_hypervisor_is_not_told_is_counted_by_its_servers(
    admin, cloud, monkeypatch, error
):
    def refuse(hypervisor_id):
        raise error("read the hypervisor", "no", status=403)

    monkeypatch.setattr(cloud, "hypervisor_and_servers", refuse)
    assert rows(admin.get(INDEX))["cmp1"][4:7:2] == ["5", "8 of 64 GiB"]


def test_a_hypervisor_that_is_another_hosts_by_now_counts_for_none(admin, cloud, monkeypatch):
    real = cloud.hypervisor_and_servers

    def moved(hypervisor_id):
        hypervisor, number = real(hypervisor_id)
        return replace(hypervisor, host="cmp99"), number + 40

    monkeypatch.setattr(cloud, "hypervisor_and_servers", moved)
    assert rows(admin.get(INDEX))["cmp1"][4:7:2] == ["5", "8 of 64 GiB"]


def test_the_nodes_of_one_service_are_added_up_and_counted_by_its_name(admin, cloud, monkeypatch):
    real = cloud._hypervisors
    monkeypatch.setattr(
        cloud,
        "_hypervisors",
        lambda: [replace(h, id=f"{h.id}-{n}") for h in real() for n in range(2)],
    )
    keep_inventory(cloud)
    assert rows(admin.get(INDEX))["cmp1"][4:7:2] == ["5", "16 of 128 GiB"]


# -- one host --------------------------------------------------------------------------------


def host_page(client, host):
    return client.get(reverse("horizon:admin:maintenance:host", args=[host]))


def test_a_hosts_page_shows_its_instances_and_its_drains(admin, cloud, make_drain):
    cloud.all_servers.append(server("kept-1", locked=True, locked_reason="audit"))
    drain = make_drain("cmp1", server("web-1"))
    make_drain("cmp10", server("app-1", host="cmp10"), reason="of another host")
    page = host_page(admin, "cmp1").content.decode()

    for word in ("web-1", "PAUSED", "rebooting", "m1.small", "customer", "locked: audit"):
        assert word in page
    assert "app-1" not in page
    assert reverse("horizon:admin:instances:detail", args=[server("web-1").id]) in page
    assert f"Drain {drain.pk}" in page
    assert "of another host" not in page


def test_an_unknown_host_is_404_with_words(admin):
    for host in ("cmp", "CMP1", "cmp1 ", "cmp1%"):
        response = host_page(admin, host)
        assert response.status_code == 404
        assert "There is no compute host named" in response.content.decode()


def test_a_host_that_nova_forgot_still_shows_its_record(admin, make_drain):
    make_drain("gone-1")
    page = host_page(admin, "gone-1").content.decode()
    assert "Nova no longer has a compute host of this name" in page
    assert "new kernel" in page


def test_no_drain_is_offered_of_bare_metal(admin, cloud, monkeypatch):
    real = cloud.hypervisors
    monkeypatch.setattr(
        cloud,
        "hypervisors",
        lambda: [
            replace(one, hypervisor_type="ironic") if one.host == "cmp1" else one for one in real()
        ],
    )
    shown = rows(admin.get(INDEX))
    assert "cannot be drained" in shown["cmp1"][-1]
    assert "Drain Host" not in shown["cmp1"][-1]
    assert "Drain Host" in shown["cmp10"][-1]

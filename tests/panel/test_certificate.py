"""Safe to power off, and the return to service, on the pages."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.fakes import server, service
from tests.panel.test_hosts import rows, updated
from tests.panel.test_plans import page, shown, text
from ukcloud_maintenance import release, store
from ukcloud_maintenance.content.maintenance.common import session
from ukcloud_maintenance.core import message as m
from ukcloud_maintenance.core.actor import RULE_DRAIN, RULE_VIEW
from ukcloud_maintenance.core.facts import Allocation, Consumer, Hypervisor, Migration
from ukcloud_maintenance.core.host import certificate as c
from ukcloud_maintenance.core.host.emptiness import called
from ukcloud_maintenance.core.host.returning import standing_against
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState, ReturnResult
from ukcloud_maintenance.exceptions import CloudUnreachable
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain, HostMaintenance

PANEL = "horizon:admin:maintenance"
INDEX = reverse(f"{PANEL}:index")
REASON = "new kernel"
#: every check, as it reads where it holds
HOLDS = {
    c.SERVICE_DISABLED: "The compute service is disabled.",
    c.SERVICE_UP: "The compute service is up.",
    c.CELL_ANSWERED: "The cell of this host answered.",
    c.NO_SERVERS: "No instance is on this host, not even a soft-deleted one.",
    c.NO_MIGRATIONS: "No migration from or to this host is in progress.",
    c.NO_RESIZES: "No resize or cold migration from or to this host is unconfirmed.",
    c.NO_ALLOCATIONS: "Placement has no allocations on this host.",
}


#: … and what it is recorded as
FOUND = {
    c.SERVICE_DISABLED: message("service_is_disabled"),
    c.SERVICE_UP: message("service_is_up"),
    c.CELL_ANSWERED: message("cell_answered"),
    c.NO_SERVERS: message("no_servers"),
    c.NO_MIGRATIONS: message("no_migrations"),
    c.NO_RESIZES: message("no_resizes"),
    c.NO_ALLOCATIONS: message("no_allocations"),
}


def url(name: str, host: str = "cmp4") -> str:
    return reverse(f"{PANEL}:{name}", args=[host])


@pytest.fixture
def maintained(cloud, make_drain):
    """cmp4, drained by us of two instances that are on cmp2 now; its service is ours."""
    away = [server(name, host="cmp4") for name in ("moved-1", "moved-2")]
    drain = make_drain("cmp4", *away)
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    found = store.join_maintenance(
        drain, found_status="enabled", found_reason="", service_id="s-4", now=now
    )
    store.intend_to_disable(found, REASON)
    store.disabled(found, now)
    for row in store.migrations(drain):
        for state in (MigrationState.SUBMITTED, MigrationState.SUCCEEDED):
            store.change_migration(row, now, state=state)
    store.finish_drain(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "", "worker", now)
    cloud.all_servers += [replace(one, host="cmp2") for one in away]
    cloud.all_services = [
        service("cmp4", status="disabled", disabled_reason=REASON) if s.host == "cmp4" else s
        for s in cloud.all_services
    ]
    found.refresh_from_db()
    return found


def verify(maintenance: HostMaintenance, ago: float = 1, **against: c.Check) -> HostMaintenance:
    """Record a verification as the worker does.

    :param ago: seconds
    :param against: checks that do not hold, by code
    """
    checks = [against.get(code) or c.Check(code, True, found) for code, found in FOUND.items()]
    looked = timezone.now() - timedelta(seconds=ago)
    store.verified(
        maintenance,
        checks=c.as_json(checks),
        safe=not against,
        why=standing_against(against.values()),
        looked_at=looked,
        actor="worker",
        now=looked,
    )
    maintenance.refresh_from_db()
    return maintenance


ARRIVED = {
    c.NO_SERVERS: c.Check(
        c.NO_SERVERS,
        False,
        message("servers_here", count=1),
        (message("server_on_host", server="late-1 (abc)", status="ACTIVE"),),
    )
}
DOWN = {
    c.SERVICE_UP: c.Check(
        c.SERVICE_UP,
        False,
        message("service_not_up", state="down"),
    )
}


def ahead(maintenance: HostMaintenance, minutes: float = 5) -> None:
    """Dated as by a clock that was ahead, or that was set back since."""
    future = timezone.now() + timedelta(minutes=minutes)
    HostMaintenance.objects.filter(pk=maintenance.pk).update(verified_at=future, safe_since=future)


def panel(client, host: str = "cmp4", **query) -> str:
    answer = client.get(url("host_panel", host), query, HTTP_X_REQUESTED_WITH="XMLHttpRequest")
    assert answer["Cache-Control"] == "no-store"
    return text(answer.json()["html"])


# -- the panel -------------------------------------------------------------------------------


def test_a_safe_host_says_so_with_every_check(admin, maintained):
    verify(maintained)
    html = shown(admin.get(url("host")))
    said = text(html)
    assert "Safe to power off Since " in said
    assert re.search(r"Last verified \S+ \d\d:\d\d:\d\d UTC\.", said)
    assert html.count('class="mnt-passed"') == len(HOLDS)
    assert "mnt-crossed" not in html
    for words in HOLDS.values():
        assert words in said
    assert url("certificate") in html
    assert url("certificate_file") in html


def primary(client) -> list[str]:
    """The primary buttons of what is ours on the page of the host."""
    html = shown(client.get(url("host")))
    ours = html[html.index('class="mnt-page') :]
    found = re.findall(r'class="btn btn-primary[^"]*"[^>]*>(.*?)</(?:a|button)>', ours, re.DOTALL)
    return [text(one) for one in found if "{" not in one]


@pytest.mark.parametrize("is_safe", [True, False])
def test_a_host_that_is_drained_has_one_primary_button(admin, maintained, is_safe):
    """It can be drained again, but is to be returned."""
    if is_safe:
        verify(maintained)
    assert primary(admin) == ["Return to Service"]
    assert "Drain Host" in text(shown(admin.get(url("host"))))
    admin.post(url("return_host"), {"choice": "ours"})
    assert primary(admin) == []


def test_times_are_in_the_users_zone_and_name_it(admin, maintained):
    verify(maintained)
    admin.cookies["django_timezone"] = "Asia/Tokyo"
    assert re.search(r"Last verified \S+ \d\d:\d\d:\d\d JST\.", panel(admin))


def test_what_is_against_it_is_crossed_with_its_details(admin, maintained):
    verify(maintained, **ARRIVED)
    html = shown(admin.get(url("host")))
    assert "Not safe to power off" in html
    assert html.count('class="mnt-crossed"') == 1
    assert html.count('class="mnt-passed"') == len(HOLDS) - 1
    assert "late-1 (abc), ACTIVE" in html
    assert 'aria-label="does not hold"' in html
    assert "Safe to power off Since" not in text(html)


def test_one_that_is_withdrawn_says_since_when_and_why(admin, maintained):
    verify(maintained, ago=20)
    verify(maintained, **ARRIVED)
    said = panel(admin)
    assert said.startswith("No longer safe to power off")
    assert "The certificate was withdrawn at" in said
    assert "1 instance is on this host. late-1 (abc), ACTIVE" in said
    verify(maintained)
    said = panel(admin)
    assert said.startswith("Safe to power off Since")
    assert "It was temporarily not safe to power off" in said


def test_a_host_that_was_switched_off_is_told_calmly(admin, maintained):
    verify(maintained, ago=20)
    verify(maintained, **DOWN)
    html = shown(admin.get(url("host")))
    assert "mnt-certificate-info" in html
    assert "The host is down" in html
    assert "No longer safe to power off" not in html
    assert "host is down" in rows(admin.get(INDEX))["cmp4"][7]


def test_one_that_nobody_verifies_any_more_is_not_called_safe(admin, maintained):
    assert panel(admin).startswith("Not verified yet")
    assert rows(admin.get(INDEX))["cmp4"][7] == "not safe: not verified yet"
    verify(maintained, ago=7200)
    said = panel(admin)
    assert said.startswith("No longer verified")
    assert "Safe to power off" not in said
    assert "which is too long" in said
    assert re.fullmatch(r"not safe: not verified since .+", rows(admin.get(INDEX))["cmp4"][7])


def test_a_host_that_is_not_in_maintenance_has_no_panel(admin, cloud):
    assert "mnt-certificate" not in shown(admin.get(url("host", "cmp1")))
    assert panel(admin, "cmp1") == ""


def test_the_panel_is_204_while_nothing_changed(admin, cloud, maintained):
    verify(maintained)
    first = admin.get(url("host_panel")).json()
    cloud.asked.clear()
    assert admin.get(url("host_panel"), {"seen": first["token"]}).status_code == 204
    verify(maintained, **ARRIVED)
    second = admin.get(url("host_panel"), {"seen": first["token"]}).json()
    assert second["token"] != first["token"]
    assert second["announcement"] == "cmp4: No longer safe to power off."
    assert cloud.asked == []


def test_it_becomes_too_old_without_any_change_of_the_record(admin, maintained):
    verify(maintained)
    token = admin.get(url("host_panel")).json()["token"]
    old = timezone.now() - timedelta(hours=2)
    HostMaintenance.objects.update(verified_at=old)
    stale = admin.get(url("host_panel"), {"seen": token})
    assert "No longer verified" in stale.json()["html"]
    again = admin.get(url("host_panel"), {"seen": stale.json()["token"]})
    assert again.status_code == 204


def test_one_that_is_dated_ahead_of_the_clock_is_not_called_safe(admin, maintained):
    verify(maintained)
    assert rows(admin.get(INDEX))["cmp4"][7] == "safe to power off"
    ahead(maintained)
    said = panel(admin)
    assert said.startswith("No longer verified")
    assert "Safe to power off" not in said
    assert "the database clock was set back" in said
    assert rows(admin.get(INDEX))["cmp4"][7] == "not safe: not verified yet"
    document = admin.get(url("certificate_file")).json()
    assert (document["safe_to_power_off"], document["safe_since"]) == (False, None)
    verify(maintained)
    assert panel(admin).startswith("Safe to power off")


def test_on_the_page_of_a_drain_it_is_told_once_the_drain_is_over(admin, maintained, make_drain):
    verify(maintained)
    drain = Drain.objects.get(host="cmp4")
    html = shown(admin.get(reverse(f"{PANEL}:drain", args=[drain.pk])))
    assert f'data-url="{url("host_panel")}?region=RegionOne&amp;drain={drain.pk}"' in html
    assert panel(admin, drain=drain.pk).startswith("Safe to power off")
    make_drain("cmp4", server("late-1", host="cmp4"))
    assert panel(admin, drain=drain.pk) == ""
    assert panel(admin).startswith("Not safe to power off: being drained")


def test_who_is_in_the_list_of_the_drain_is_linked_to_and_not_told_again(admin, maintained):
    drain = Drain.objects.get(host="cmp4")
    row = drain.migrations.get(server_name="moved-1")
    drain.migrations.filter(pk=row.pk).update(state=MigrationState.UNKNOWN)
    here = [called(row.server_name, row.server_id), "late-1 (s-9)"]
    said = tuple(message("server_on_host", server=one, status="ACTIVE") for one in here)
    found = message("servers_here", count=2)
    verify(maintained, no_servers=c.Check(c.NO_SERVERS, False, found, said))
    assert all(one in panel(admin) for one in here)
    for elsewhere in (drain.pk + 1, "1" * 30, "x"):
        assert all(one in panel(admin, drain=elsewhere) for one in here)
    shown_there = panel(admin, drain=drain.pk)
    assert here[0] not in shown_there
    assert "2 instances are on this host. Needs you" in shown_there
    assert here[1] in shown_there


# -- the page to print, and the file ---------------------------------------------------------


def test_the_page_to_print_has_all_that_a_paper_needs(admin, maintained):
    verify(maintained)
    drain = Drain.objects.get(host="cmp4")
    answer = admin.get(url("certificate"))
    html = answer.content.decode()
    said = text(re.sub(r"(?s)<style.*?</style>", "", html))
    for words in (
        "Safe to power off",
        "Host cmp4",
        "Region RegionOne",
        f"Drain {drain.pk}, requested by alice: new kernel",
        f"ukcloud-maintenance {release.version()}",
        *HOLDS.values(),
    ):
        assert words in said
    assert re.search(r"Issued \S+ \d\d:\d\d:\d\d UTC", said)
    assert said.count("☑ passed") == len(HOLDS)
    assert "navbar" not in html  # a page of its own


def test_a_page_of_a_host_that_is_not_safe_does_not_look_like_one(admin, maintained):
    verify(maintained, **ARRIVED)
    html = admin.get(url("certificate")).content.decode()
    assert "Not safe to power off" in html
    assert 'class="verdict no"' in html
    assert html.count("☒ failed") == 1
    assert "late-1 (abc), ACTIVE" in html


def test_what_it_is_not_about_is_said_on_page_print_and_file(admin, maintained):
    verify(maintained)
    scope = english(c.SCOPE)
    assert scope in unescape(text(panel(admin)))
    assert scope in unescape(text(admin.get(url("certificate")).content.decode()))
    assert admin.get(url("certificate_file")).json()["scope"] == scope


@pytest.mark.parametrize("name", ["certificate", "certificate_file", "host", "return_host"])
def test_a_host_that_nobody_knows_has_no_page(admin, maintained, name):
    for host in ("cmp99", "CMP4", "cmp4x"):
        assert admin.get(url(name, host)).status_code == 404


@pytest.mark.parametrize("name", ["certificate", "certificate_file", "host"])
def test_one_that_nova_lists_no_longer_is_shown_from_the_record(admin, cloud, maintained, name):
    cloud.all_services = [s for s in cloud.all_services if s.host != "cmp4"]
    assert admin.get(url(name)).status_code == 200


def test_the_file_is_the_document_with_a_clean_name(admin, cloud, maintained):
    verify(maintained)
    answer = admin.get(url("certificate_file"))
    document = json.loads(answer.content)
    assert document["host"] == "cmp4"
    assert document["safe_to_power_off"] is True
    assert [one["code"] for one in document["checks"]] == list(c.CODES)
    name = re.fullmatch(r'attachment; filename="(.+)"', answer["Content-Disposition"])[1]
    assert re.fullmatch(r"certificate-cmp4-\d{8}T\d{6}Z\.json", name)


# -- the list of hosts -----------------------------------------------------------------------


def test_the_list_says_it_in_words_and_goes_on_by_itself(admin, cloud, maintained):
    verify(maintained)
    html = shown(admin.get(INDEX))
    assert rows(admin.get(INDEX))["cmp4"][7:] == [
        "safe to power off",
        "Return to Service Preflight",
    ]
    assert "fa-check-circle" in html
    assert html.count(" data-watch>") == 1
    assert list(rows(admin.get(INDEX, {"state": "safe"}))) == ["cmp4"]
    assert list(rows(admin.get(INDEX, {"state": "maintenance"}))) == ["cmp4"]
    cloud.asked.clear()
    verify(maintained, **ARRIVED)
    assert updated(admin) == {"cmp4": "not safe: 1 instance is on this host"}
    assert cloud.asked == []
    assert list(rows(admin.get(INDEX, {"state": "safe"}))) == []


def test_the_page_of_a_plan_says_it_too_and_goes_on_after_the_drains(admin, maintained):
    plan = store.create_plan(
        region="RegionOne",
        reason=REASON,
        hosts_at_once=1,
        actor_id="id-of-alice",
        actor="alice",
        now=timezone.now(),
    )
    Drain.objects.filter(host="cmp4").update(plan=plan)
    at = reverse(f"{PANEL}:plan_updates", args=[plan.pk])
    first = admin.get(at).json()
    assert first["over"] is True
    assert "not safe: not verified yet" in first["rows"][0]["cells"][-2]
    assert admin.get(at, {"seen": first["token"]}).status_code == 204
    verify(maintained)
    second = admin.get(at, {"seen": first["token"]}).json()
    assert "safe to power off" in second["rows"][0]["cells"][-2]
    assert "safe to power off" in page(admin.get(reverse(f"{PANEL}:plan", args=[plan.pk])))


# -- back to service -------------------------------------------------------------------------


def test_the_return_says_how_it_was_and_is_and_what_each_choice_does(admin, maintained):
    answer = admin.get(url("return_host"), HTTP_X_REQUESTED_WITH="XMLHttpRequest")
    html, said = answer.content.decode(), text(answer.content.decode())
    assert "Found enabled Now disabled: new kernel (the reason that the drain wrote)" in said
    assert re.findall(r'name="choice" value="(\w+)" required( checked)?', html) == [
        ("ours", " checked"),
        ("leave", ""),
    ]
    assert "The maintenance ends when Nova reports the host up." in said
    assert "Bring back the 2 instances that were moved from this host" in said
    assert "moved-1 1 GiB ACTIVE cmp2" in said


def test_where_somebody_else_disabled_it_the_choice_is_theirs(admin, cloud, maintained):
    cloud.all_services = [service("cmp4", status="disabled", disabled_reason="bad disk")]
    answer = admin.get(url("return_host"))
    html, said = answer.content.decode(), page(answer)
    assert "Now disabled: bad disk (not the reason that the drain wrote)" in said
    found = re.findall(r'name="choice" value="(\w+)" required( checked)?( disabled)?', html)
    assert found == [("ours", "", " disabled"), ("enable", "", ""), ("leave", "", "")]
    assert "was not disabled by a drain" in said

    answer = admin.post(url("return_host"), {"max_concurrent": "2"})
    assert "Choose what to do with the compute service." in page(answer)
    answer = admin.post(url("return_host"), {"choice": "ours", "bring_back": "on"})
    html = answer.content.decode()
    assert "was not disabled by a drain" in page(answer)
    assert 'name="bring_back" checked' in html  # what was entered is kept
    maintained.refresh_from_db()
    assert maintained.returning_since is None


@pytest.mark.parametrize("at_once", ["0", "9999", "many"])
def test_a_wrong_number_is_refused_and_what_was_entered_is_kept(admin, maintained, at_once):
    fields = {"choice": "leave", "bring_back": "on", "max_concurrent": at_once}
    html = admin.post(url("return_host"), fields).content.decode()
    assert "number of migrations at once" in html
    assert re.search(r'value="leave" required checked', html)
    assert f'value="{at_once}"' in html
    maintained.refresh_from_db()
    assert maintained.returning_since is None


def test_a_return_is_asked_for_and_followed_to_its_end(admin, maintained):
    verify(maintained)
    fields = {"choice": "ours", "bring_back": "on", "max_concurrent": "3"}
    answer = admin.post(url("return_host"), fields)
    assert answer["location"] == url("host")
    maintained.refresh_from_db()
    assert (maintained.return_choice, maintained.returned_by) == ("ours", "alice")
    run = Drain.objects.get(direction="back")
    assert (run.host, run.max_concurrent) == ("cmp4", 3)

    html = shown(admin.get(url("host")))
    said = text(html)
    assert "The return of host cmp4 to service was requested." in said
    assert "Being returned to service Waiting for a worker. Requested by alice" in said
    assert reverse(f"{PANEL}:drain", args=[run.pk]) in html
    assert "Return to Service" not in html[html.index("mnt-certificate") :]
    assert rows(admin.get(INDEX))["cmp4"][7:] == ["being returned", "View Bring-Back Preflight"]
    assert "Drain Host" not in said  # it would be refused

    store.enabled(
        maintained, "Waiting for Nova to report it up.", "worker", "req-1", timezone.now()
    )
    assert "Waiting for Nova to report it up." in panel(admin)
    store.finish_return(
        maintained, ReturnResult.IN_SERVICE, "In service again.", "worker", timezone.now()
    )
    assert updated(admin)["cmp4"] == "instances being brought back"
    found = rows(admin.get(INDEX))["cmp4"]
    assert found[7:] == ["instances being brought back", "View Bring-Back Preflight"]
    index = shown(admin.get(INDEX))
    assert index.count(f'href="{reverse(f"{PANEL}:drain", args=[run.pk])}"') == 2
    said = panel(admin)
    assert said.startswith("Back in service In service again. Requested by alice")
    assert "Finished" in said
    HostMaintenance.objects.update(closed_at=timezone.now() - timedelta(days=2))
    assert panel(admin) == ""  # no news any more


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (ReturnResult.IN_SERVICE, "back in service"),
        (ReturnResult.LEFT, "maintenance ended"),
        (ReturnResult.NOT_UP, "not reported up"),
    ],
)
def test_the_list_does_not_go_on_calling_a_host_safe_that_was_given_back(
    admin, maintained, result, words
):
    verify(maintained)
    assert updated(admin) == {"cmp4": "safe to power off"}
    # it was drained long before
    Drain.objects.update(finished_at=timezone.now() - timedelta(hours=5))
    admin.post(url("return_host"), {"choice": "ours" if result != ReturnResult.LEFT else "leave"})
    maintained.refresh_from_db()
    store.finish_return(maintained, result, m.text("Some words."), "worker", timezone.now())
    assert re.fullmatch(rf"{words} \d\d:\d\d", updated(admin)["cmp4"])
    HostMaintenance.objects.update(closed_at=timezone.now() - timedelta(hours=2))
    assert updated(admin) == {}  # which empties the cell


def test_a_drain_after_the_return_is_what_the_list_tells(admin, maintained, make_drain):
    admin.post(url("return_host"), {"choice": "leave"})
    maintained.refresh_from_db()
    store.finish_return(maintained, ReturnResult.LEFT, m.text(""), "worker", timezone.now())
    make_drain("cmp4", server("late-1", host="cmp4"))
    assert updated(admin) == {"cmp4": "0 of 1"}


def test_no_drain_is_offered_while_a_host_is_being_returned(admin, maintained):
    assert "Drain Host" in shown(admin.get(url("host")))
    admin.post(url("return_host"), {"choice": "ours"})
    assert rows(admin.get(INDEX))["cmp4"][7:] == ["being returned", "Preflight"]
    assert "Drain Host" not in shown(admin.get(url("host")))


def test_one_that_was_given_up_says_why_and_the_maintenance_goes_on(admin, maintained):
    admin.post(url("return_host"), {"choice": "ours"})
    maintained.refresh_from_db()
    store.give_up_return(
        maintained, m.text("Somebody disabled it meanwhile."), "worker", timezone.now()
    )
    verify(maintained)
    said = panel(admin)
    assert "return to service failed: Somebody disabled it meanwhile." in said
    assert "Return to Service" in said


def test_a_host_that_is_drained_is_not_given_back(admin, maintained, make_drain):
    drain = make_drain("cmp4", server("late-1", host="cmp4"))
    answer = admin.get(url("return_host"))
    assert f"(drain {drain.pk}, requested by alice)" in page(answer)
    assert re.search(r'type="submit" value="Return to Service" disabled', answer.content.decode())
    assert f"(drain {drain.pk}" in page(admin.post(url("return_host"), {"choice": "ours"}))
    assert 'id="mnt-return"' not in shown(admin.get(url("host")))


def test_nothing_to_give_back_and_nova_that_does_not_answer(admin, cloud, maintained):
    answer = admin.get(url("return_host", "cmp1"))
    assert answer.status_code == 409
    assert "Host cmp1 is not in maintenance" in page(answer)
    assert admin.get(url("return_host", "cmp99")).status_code == 404
    cloud.failure = CloudUnreachable("read the compute service", "timed out")
    answer = admin.get(url("return_host"))
    assert answer.status_code == 503
    assert "Could not read the compute service: timed out." in page(answer)
    # the certificate is our own record, and needs no Nova
    verify(maintained)
    assert "Safe to power off" in page(admin.get(url("host")))


def test_who_may_not_give_it_back_is_not_offered_it(client, cloud, log_in, maintained, monkeypatch):
    log_in("maintenance_viewer")
    verify(maintained)
    for name in ("host", "certificate", "certificate_file", "host_panel"):
        assert client.get(url(name)).status_code == 200, name
    assert 'id="mnt-return"' not in shown(client.get(url("host")))
    assert "Return to Service" not in shown(client.get(INDEX))
    assert client.get(url("return_host")).status_code == 403
    assert client.post(url("return_host"), {"choice": "ours"}).status_code == 403
    # nor does the right to drain give it
    monkeypatch.setattr(session, "may", lambda request, rule: rule in (RULE_VIEW, RULE_DRAIN))
    assert "Return to Service" not in shown(client.get(INDEX))
    assert client.post(url("return_host"), {"choice": "ours"}).status_code == 403
    maintained.refresh_from_db()
    assert maintained.returning_since is None


# -- allocations that are left behind ----------------------------------------------------------


@pytest.fixture
def left_behind(maintained, cloud, monkeypatch):
    """A migration of moved-1, which is on cmp2, still holds something of cmp4."""
    moved = next(s for s in cloud.all_servers if s.name == "moved-1")
    record = Migration(7, "u7", moved.id, "error", "live-migration", "cmp4", "cmp2")
    held = {
        "u7": Consumer("u7", "p", "u", 3, (Allocation("u7", "n-cmp4", {"VCPU": 1}),)),
        moved.id: Consumer(moved.id, "p", "u", 1, (Allocation(moved.id, "n-cmp2", {"VCPU": 1}),)),
    }
    known = {
        "hypervisors_of": lambda host: [Hypervisor(f"n-{host}", host, host)],
        "providers_of": lambda host: frozenset({f"n-{host}"}),
        "allocations_on": lambda ids: [
            a for c in held.values() for a in c.allocations if a.provider_id in set(ids)
        ],
        "allocations_of": lambda consumer: held.get(consumer, Consumer(consumer)),
        "migrations_touching": lambda host: [record],
        "migrations_of": lambda server_id: [record],
        "set_allocations": lambda left: held.update({left.consumer_id: left}) or "req-7",
    }
    for name, value in known.items():
        monkeypatch.setattr(cloud, name, value)
    return held


def test_an_allocation_that_is_left_behind_is_shown_with_its_proof_and_removed(admin, left_behind):
    shown_page = text(page(admin.get(url("allocations"))))
    assert "Allocations on cmp4" in shown_page
    assert "According to Nova, moved-1" in shown_page
    assert "Remove Allocation" in shown(admin.get(url("allocations")))
    assert admin.post(url("allocations"), {"consumer": "u7"}).status_code == 302
    assert left_behind["u7"].allocations == ()
    assert "Remove Allocation" not in shown(admin.get(url("allocations")))


def test_one_that_may_hold_a_guest_is_not_offered_nor_removed(admin, left_behind, cloud):
    cloud.all_servers = [
        replace(s, host="cmp4") if s.name == "moved-1" else s for s in cloud.all_servers
    ]
    assert "Remove Allocation" not in shown(admin.get(url("allocations")))
    answer = text(page(admin.post(url("allocations"), {"consumer": "u7"})))
    assert "may still be in use" in answer
    assert left_behind["u7"].allocations

"""The Drain Host workflow: what it says, what it refuses, and that nothing entered is lost."""

import html
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import html as django_html
from django.utils import timezone

from tests.fakes import GIB, server, service
from ukcloud_maintenance import preflight, services
from ukcloud_maintenance.content.maintenance.common import session
from ukcloud_maintenance.exceptions import CloudAuthError, CloudUnreachable
from ukcloud_maintenance.models import Drain, InstanceMigration

AJAX = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}


def url(host: str) -> str:
    return reverse("horizon:admin:maintenance:drain_host", args=[host])


def text(response) -> str:
    """What a person reads: no tags, blanks as one."""
    page = re.sub(r"<(script|style).*?</\1>", " ", response.content.decode(), flags=re.S)
    plain = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))
    return re.sub(r"\( ", "(", re.sub(r" ([.,;)])", r"\1", plain))


GOOD = {"reason": "new kernel", "max_concurrent": "3", "destination": "", "move_locked": "on"}


@pytest.mark.parametrize("headers", [{}, AJAX], ids=["page", "modal"])
def test_shows_what_will_happen_to_each_instance(admin, headers):
    response = admin.get(url("cmp1"), **headers)
    page = text(response)

    assert response.status_code == 200
    assert ('class="workflow modal' in response.content.decode()) == bool(headers)
    assert "3 leave live, 1 cold, 1 blocked; needs 7 GiB" in page
    assert "It is paused: a paused guest can be live-migrated" in page
    assert "Nova has a task in progress for it (rebooting)." in page
    assert "SHUTOFF Cold" in page
    assert "3 instances are live-migrated (6 GiB)." in page
    assert "1 instance that is shut off is moved and stays shut off: old-1." in page
    assert "1 instance is currently blocked: busy-1." in page
    assert "No instance is stopped, rebuilt or deleted." in page
    assert "customer" in page
    assert "app-1" not in page  # that is on cmp10


def test_plurals_and_an_empty_host(admin, cloud):
    assert "1 leaves live; needs 1 GiB" in text(admin.get(url("cmp10")))
    assert "There is no instance on this host." in text(admin.get(url("cmp2")))
    assert "No instance is moved." in text(admin.get(url("cmp2")))


def test_offers_the_hosts_that_can_receive(admin, cloud):
    cloud.all_services += [service("cmp21"), service("cmp9")]
    page = admin.get(url("cmp1")).content.decode()
    field = page.split('name="destination"')[1].split("</select>")[0]
    offered = re.findall(r'<option value="([^"]*)"', field)
    # neither itself, nor the one that is down, nor the one that is disabled
    assert offered == ["", "*scheduler", "cmp2", "cmp9", "cmp10", "cmp21"]


def test_a_service_that_is_disabled_already_is_left_as_it_is(admin):
    page = text(admin.get(url("cmp4")))
    assert "is already disabled and stays unchanged" in page
    assert "bad fan" in page


@pytest.mark.parametrize("headers", [{}, AJAX], ids=["page", "modal"])
def test_submitting_writes_the_drain_and_leads_to_its_page(admin, cloud, headers):
    response = admin.post(url("cmp1"), {**GOOD, "destination": "cmp10"}, **headers)

    drain = Drain.objects.get()
    page = reverse("horizon:admin:maintenance:drain", args=[drain.pk])
    if headers:
        assert (response.status_code, response["X-Horizon-Location"]) == (200, page)
    else:
        assert (response.status_code, response["location"]) == (302, page)
    assert (drain.host, drain.region, drain.state) == ("cmp1", "RegionOne", "pending")
    assert (drain.reason, drain.max_concurrent, drain.destination) == ("new kernel", 3, "cmp10")
    assert (drain.requested_by, drain.requested_by_id) == ("alice", "id-of-alice")
    assert {m.server_name: m.state for m in drain.migrations.all()} == {
        "web-1": "pending",
        "web-2": "pending",
        "db-1": "pending",
        "old-1": "pending",
        "busy-1": "blocked",
    }


def refused(admin, host="cmp1", **changed):
    """A POST that is refused: the page, with nothing written and nothing lost."""
    entered = GOOD | changed
    response = admin.post(url(host), entered, **AJAX)
    assert response.status_code == 200
    assert "X-Horizon-Location" not in response
    assert not Drain.objects.filter(reason=entered["reason"]).exists()
    page = response.content.decode()
    assert f'value="{django_html.escape(entered["reason"])}"' in page
    assert f'value="{entered["max_concurrent"]}"' in page
    if entered["destination"]:
        assert f'<option value="{entered["destination"]}" selected>' in page
    return response


def at_field(response, name: str) -> str:
    """The error that is shown at a field."""
    page = response.content.decode()
    group = next(g for g in page.split('<div class="form-group') if f'name="{name}"' in g)
    assert group.startswith(" has-error")
    return html.unescape(re.search(r'class="help-block">(.*?)<', group).group(1))


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"reason": ""}, "reason", "A reason is required"),
        ({"reason": "   "}, "reason", "A reason is required"),
        (
            {"reason": "x" * 256},
            "reason",
            "The reason has 256 characters; Nova accepts at most 255",
        ),
        ({"max_concurrent": "0"}, "max_concurrent", "greater than or equal to 1"),
        ({"max_concurrent": "21"}, "max_concurrent", "At most 20 migrations may run at once"),
        ({"max_concurrent": "many"}, "max_concurrent", "whole number"),
        ({"destination": "cmp1"}, "destination", "is the host to be drained"),
        ({"destination": "cmp3"}, "destination", "Destination cmp3 is down."),
        ({"destination": "cmp4"}, "destination", "Destination cmp4 is disabled: bad fan"),
        ({"destination": "CMP10"}, "destination", "no compute host named 'CMP10'"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(admin, changed, field, words):
    response = refused(admin, **changed)
    assert words in at_field(response, field)
    # The step with the error is the one that is shown.
    assert re.search(r'id="drain_host__options" class="js-tab-pane active"', str(response.content))


def test_a_reason_of_255_characters_is_taken(admin):
    admin.post(url("cmp1"), {**GOOD, "reason": "ä" * 255})
    assert Drain.objects.get().reason == "ä" * 255


@pytest.mark.parametrize("headers", [{}, AJAX], ids=["page", "modal"])
def test_a_host_that_is_down_is_refused_when_the_workflow_opens(admin, headers):
    response = admin.get(url("cmp3"), **headers)
    page = text(response)
    assert "Host cmp3 is down, and live migration needs both hosts up." in page
    assert "evacuation" in page
    assert "only after it is certain that the machine is off (fenced)" in page
    assert "drain_host__options" not in response.content.decode()
    # Horizon's script shows a modal only for a 200.
    assert response.status_code == (200 if headers else 409)


def test_a_host_that_goes_down_meanwhile_is_refused_with_what_was_entered(admin, cloud):
    cloud.all_services[0] = service("cmp1", state="down")
    assert "evacuation" in text(refused(admin, destination="cmp10"))


def test_an_unknown_host_is_refused(admin):
    response = admin.get(url("cmp"))
    assert response.status_code == 404
    assert "There is no compute host named 'cmp' in region RegionOne." in text(response)
    assert "no compute host named 'cmp'" in text(refused(admin, host="cmp"))


def test_a_host_with_a_drain_under_way_leads_to_it(admin, make_drain):
    drain = make_drain("cmp1", server("web-1"), reason="the first one")
    link = f'href="{reverse("horizon:admin:maintenance:drain", args=[drain.pk])}"'

    opened = admin.get(url("cmp1"))
    assert link in opened.content.decode()
    assert "is already being drained" in text(opened)

    posted = refused(admin)
    assert link in posted.content.decode()
    assert "is already being drained" in text(posted)
    assert Drain.objects.count() == 1
    # cmp10 is another host
    admin.post(url("cmp10"), GOOD)
    assert Drain.objects.count() == 2


def test_the_second_of_two_admins_gets_the_refusal(admin, make_drain, monkeypatch):
    """The other one's drain is written between our checks and our own write."""
    real = preflight.make_plans
    others = iter(["the other admin's"])

    def plan(*arguments):
        for reason in others:
            make_drain("cmp1", reason=reason)
        return real(*arguments)

    monkeypatch.setattr(services.drains, "make_plans", plan)
    assert "is already being drained" in text(refused(admin))
    assert Drain.objects.get().reason == "the other admin's"
    assert not InstanceMigration.objects.exists()


def test_a_region_without_a_worker_is_refused(admin, settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": {"RegionTwo": "two"}}
    page = text(admin.get(url("cmp1")))
    assert "No worker is configured for region RegionOne." in page
    assert 'UKCLOUD_MAINTENANCE["CLOUDS"]' in page


def test_a_nova_that_fails_is_said_and_nothing_is_lost(admin, cloud):
    cloud.failure = CloudUnreachable("list the compute services", "timed out")
    assert "Could not list the compute services: timed out." in text(admin.get(url("cmp1")))
    assert "Could not list the compute services: timed out." in text(refused(admin))


def test_a_refused_token_leads_to_the_login(admin, cloud):
    cloud.failure = CloudAuthError("list the compute services", "expired", status=401)
    assert "/auth/login/" in admin.get(url("cmp1"))["location"]
    response = admin.post(url("cmp1"), GOOD, **AJAX)
    assert response.status_code == 401
    assert "/auth/login/" in response["X-Horizon-Location"]


def test_the_steps_are_checked_one_by_one_without_asking_nova(admin, cloud):
    headers = AJAX | {
        "HTTP_X_HORIZON_VALIDATE_STEP_START": "1",
        "HTTP_X_HORIZON_VALIDATE_STEP_END": "1",
    }
    answer = admin.post(url("cmp1"), {**GOOD, "reason": ""}, **headers).json()
    assert answer["has_errors"] is True
    assert list(answer["errors"]["options"]) == ["reason"]
    assert admin.post(url("cmp1"), GOOD, **headers).json()["has_errors"] is False
    assert cloud.asked == []
    assert not Drain.objects.exists()


def test_names_are_escaped(admin, cloud):
    nasty = '<script>alert("1")</script>{$ 1+1 $}'
    cloud.all_servers = [
        server(nasty),
        server(nasty + "2", status="SHUTOFF", vm_state="stopped"),
    ]
    cloud.all_services[0] = service("cmp1", status="disabled", disabled_reason=nasty)
    for response in (
        admin.get(url("cmp1")),
        refused(admin, reason=nasty + "x" * 255),
        refused(admin, destination="nowhere<b>"[:7]),
        admin.get(reverse("horizon:admin:maintenance:host", args=["cmp1"])),
        admin.get(reverse("horizon:admin:maintenance:index")),
        admin.get(reverse("horizon:admin:maintenance:index"), {"q": nasty}),
    ):
        page = response.content.decode()
        assert "alert(&quot;1&quot;)" in page or "nowhere" in page
        assert "<script>alert(" not in page
        assert "{$ 1+1" not in page


# -- the window and the timeout --------------------------------------------------------------


def local(at, zone: str) -> str:
    return timezone.localtime(at, ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")


def test_window_and_timeout_are_asked_for_on_the_users_clock(admin):
    admin.cookies["django_timezone"] = "Asia/Kathmandu"
    start = (timezone.now() + timedelta(hours=2)).replace(second=0, microsecond=0)
    stop = start + timedelta(hours=3)
    page = text(admin.get(url("cmp1")))
    assert "Times are in the time zone Asia/Kathmandu (UTC+05:45)." in page
    assert (
        "The settings define too long as 5 min per GiB of memory and local disk, at least" in page
    )
    assert "Start: at once. No new migrations after: no end." in page
    admin.post(
        url("cmp1"),
        GOOD
        | {
            "start_at": local(start, "Asia/Kathmandu"),
            "stop_at": local(stop, "Asia/Kathmandu"),
            "timeout_action": "force_complete",
        },
    )
    drain = Drain.objects.get()
    assert (drain.start_at, drain.stop_at) == (start, stop)
    assert drain.timeout_action == "force_complete"


def test_without_a_window_it_begins_at_once_with_the_timeout_of_the_settings(admin, settings):
    settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, "TIMEOUT_ACTION": "abort"}
    shown = admin.get(url("cmp1")).content.decode()
    assert re.search(r'name="timeout_action" value="abort"[^>]* checked', shown)
    admin.post(url("cmp1"), GOOD)
    drain = Drain.objects.get()
    assert (drain.start_at, drain.stop_at, drain.timeout_action) == (None, None, "abort")


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"start_at": "2020-01-01T10:00"}, "start_at", "Leave it empty to start at once"),
        ({"start_at": "soon"}, "start_at", "This is not a date with a time"),
        ({"start_at": "2097-03-31T02:30"}, "start_at", "go forward then"),
        ({"stop_at": "2097-10-27T02:30"}, "stop_at", "so 02:30 occurs twice"),
        ({"stop_at": "2020-01-01T10:00"}, "stop_at", "Leave it empty for no end"),
        (
            {"start_at": "2097-05-01T10:00", "stop_at": "2097-05-01T10:00"},
            "stop_at",
            "The window ends before it starts.",
        ),
        ({"timeout_action": "stop"}, "timeout_action", "Select a valid choice"),
    ],
)
def test_a_window_that_cannot_be_is_refused_at_its_field(admin, changed, field, words):
    admin.cookies["django_timezone"] = "Europe/Berlin"
    response = refused(admin, **changed)
    assert words in at_field(response, field)
    if field != "timeout_action":
        assert f'value="{changed[field]}"' in response.content.decode()


def test_who_may_not_interrupt_is_not_offered_a_timeout_that_does(
    admin, settings, tmp_path, fresh_policy
):
    policy = tmp_path / "policy.yaml"
    policy.write_text('"maintenance:abort": "!"\n"maintenance:force_complete": "!"\n')
    settings.POLICY_FILES = {**settings.POLICY_FILES, session.SCOPE: str(policy)}
    shown = admin.get(url("cmp1")).content.decode()
    assert re.findall(r'name="timeout_action" value="(\w+)"', shown) == ["warn"]
    assert "Select a valid choice" in at_field(
        refused(admin, timeout_action="abort"), "timeout_action"
    )


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(600, "fits"), (3, "does not fit")],  # the form knows no seconds
)
def test_whether_it_fits_is_said_in_the_step_and_in_the_review(admin, cloud, minutes, words):
    """A form that is shown again says it by the estimate of the preflight."""
    cloud.all_servers = [server(f"big-{n}", memory_bytes=16 * GIB) for n in range(4)]
    stop = timezone.now() + timedelta(minutes=minutes)
    page = text(refused(admin, reason="", stop_at=local(stop, "UTC")))
    assert page.count(f"According to the estimate, the drain {words} into the window") >= 2

"""The preflight on screen: summary, rows, choices, the hosts before and after, the check."""

import dataclasses
import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.fakes import GIB, server, service
from tests.panel.test_workflow import AJAX, GOOD, text, url
from ukcloud_maintenance import services, store
from ukcloud_maintenance.content.maintenance.common import formats, session
from ukcloud_maintenance.content.maintenance.preflight import words as preflight
from ukcloud_maintenance.content.maintenance.preflight.summary import Preflight
from ukcloud_maintenance.core.actor import RULE_VIEW, shell_actor
from ukcloud_maintenance.core.copying.duration import Duration
from ukcloud_maintenance.core.facts import Capacity, Inventory
from ukcloud_maintenance.core.preflight import relief
from ukcloud_maintenance.core.preflight.verdicts import Choice, Kind
from ukcloud_maintenance.core.states import DrainResult, DrainState
from ukcloud_maintenance.exceptions import CloudUnreachable
from ukcloud_maintenance.models import Drain
from ukcloud_maintenance.services import DrainRequest, HostPreflight

NASTY = '<script>alert("1")</script>{$ 1+1 $}'


def check_url(host: str) -> str:
    return reverse("horizon:admin:maintenance:check_host", args=[host])


def room(free_gib: int, total_gib: int = 64) -> Capacity:
    used = (total_gib - free_gib) * 1024
    return Capacity({"MEMORY_MB": total_gib * 1024, "VCPU": 32}, {"MEMORY_MB": used, "VCPU": 4})


@pytest.fixture
def known(cloud):
    """A cloud of which all is known: room on cmp2 and cmp10, no groups."""
    cloud.all_groups, cloud.all_aggregates = [], []
    cloud.all_capacity = {"cmp2": room(16), "cmp10": room(32)}
    return cloud


def text_of(fragment: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", fragment))).strip()


def server_id(name: str) -> str:
    return server(name).id


def row(page: str, name: str) -> str:
    return page.split(f'data-name="{name}"')[1].split("</tr>")[0]


def offered(page: str, name: str) -> list[str]:
    return re.findall(r'<option value="(\w*)"', row(page, name))


# -- what is said ----------------------------------------------------------------------------


def test_the_summary_speaks_of_memory_room_and_time(admin, known):
    page = text(admin.get(url("cmp1")))
    assert "3 leave live, 1 cold, 1 blocked; needs 7 GiB, 48 GiB free on 2 hosts; about " in page
    # 4, 1, 1 and 1 GiB with 100 MiB/s and 5 s each: two at a time, or one after the other
    assert "about 46 s to 2 min." in page
    assert "for 2 at once, or one by one if Nova allows no more" in page
    assert "100 MiB/s each is assumed" in page


def test_what_is_not_known_is_said_once(admin, cloud):
    page = text(admin.get(url("cmp1")))
    assert "the free capacity of 2 hosts is unknown" in page
    assert page.count("Could not list the server groups: timed out") == 1
    assert "server groups: " in page
    assert "The hosts before and after" not in page


def test_who_finds_no_place_is_named_with_what_is_missing(admin, known):
    known.all_servers = [server(f"big-{n}", memory_bytes=12 * GIB) for n in (1, 2)]
    known.all_capacity = {"cmp2": room(2), "cmp10": room(16)}
    response = admin.get(url("cmp1"))
    page = text(response)
    assert re.search(r"have no room for 1 instance: big-\d \(cmp10 lacks 8 GiB of memory\)", page)
    assert "the closest is cmp10, which then lacks 8 GiB of memory" in page


def test_room_that_is_kept_for_another_drain_is_said(admin, known):
    assert "Room is kept" not in text(admin.get(check_url("cmp1")))
    known.all_services.append(service("cmp20"))
    known.all_servers += [server(f"far-{n}", host="cmp20", memory_bytes=8 * GIB) for n in (1, 2)]
    services.request_drain(shell_actor(), known, DrainRequest("cmp20", "r"))
    said = "Room is kept for 2 instances that still wait in other drains: cmp20."
    for page in (check_url("cmp1"), url("cmp1")):
        shown = text(admin.get(page))
        assert shown.count(said) == 1
        assert "After: with what still waits in other drains, too." in shown
    known.all_capacity = {"cmp2": room(2), "cmp10": room(16)}
    assert "have no room for 2 instances" in text(admin.get(check_url("cmp1")))


def test_the_hosts_before_and_after(admin, known):
    """Those that receive, and how many do not: a cloud may have a thousand."""
    known.all_services += [service("cmp20"), *(service(f"more-{n}") for n in range(1000))]
    page = admin.get(check_url("cmp1")).content.decode()
    hosts = page.split("mnt-hosts-table")[1]
    assert re.findall(r'<tr data-host="([^"]+)"', hosts) == ["cmp10"]
    assert "32 → 39 of 64 GiB" in hosts
    assert 'aria-label="50% used now, 61% after"' in hosts
    assert "1002 other hosts would receive no instance." in re.sub(r"\s+", " ", hosts)
    assert re.search(r'<details class="mnt-hosts" open', page)
    known.all_capacity |= {f"more-{n}": room(8) for n in range(1000)}
    known.all_servers += [server(f"big-{n}", memory_bytes=6 * GIB) for n in range(10)]
    page = admin.get(check_url("cmp1")).content.decode()
    assert re.search(r'<details class="mnt-hosts">', page)
    assert 9 <= page.split("mnt-hosts-table")[1].count("<tr data-host=") <= 15


def placing(response) -> dict[str, bool]:
    """Who chooses the hosts, and whether what is said of the room then is shown."""
    first = response.content.decode().split("mnt-scroll")[0]
    found = re.findall(r'<p data-placing="([^"]*)"( hidden)?', re.sub(r"\s+", " ", first))
    return {who: not hidden for who, hidden in found}


def test_that_they_fit_is_only_said_where_it_is_what_nova_is_asked_for(admin, known):
    """Nova's scheduler may place them otherwise, so that the last one finds no room."""

    def shown(destination: str):
        fields = {**GOOD, "reason": "", "destination": destination}
        return admin.post(url("cmp1"), fields, **AJAX)

    assert placing(shown("")) == {"": True, "*scheduler": False}
    assert placing(shown("*scheduler")) == {"": False, "*scheduler": True}
    said = text(shown(""))
    assert "There is room for all instances together. Nova's scheduler chooses their hosts" in said
    assert "Together they fit: each instance is requested to go where the hosts stay even" in said
    assert placing(shown("cmp2")) == {"cmp2": True}
    assert "cmp2 has room for all instances together." in text(shown("cmp2"))
    known.all_servers.append(server("huge", memory_bytes=30 * GIB))
    assert placing(shown("*scheduler"))["*scheduler"] is True
    assert placing(shown("cmp10")) == {}
    known.all_servers[-1] = server("huge", memory_bytes=40 * GIB)
    assert "No host has room for it" in text(shown(""))
    assert placing(shown("*scheduler")) == {}
    # The check has no destination: the hosts are to stay even.
    known.all_servers.pop()
    assert placing(admin.get(check_url("cmp1")))[""] is True


def test_where_room_is_missing_it_says_what_would_give_it(admin, known, make_drain):
    """By name, and how much: hosts in maintenance, disabled or down, and the overcommit."""
    known.all_servers = [server("huge", memory_bytes=40 * GIB, vcpus=8)]
    assert "What would provide capacity:" not in text(admin.get(check_url("cmp2")))
    half = {"MEMORY_MB": 64 * 1024, "VCPU": 32}
    known.all_services += [
        service("idle", status="disabled", disabled_reason="maintenance"),
        service("small", status="disabled"),
        service("drained", status="disabled"),
    ]
    known.all_capacity |= {
        "cmp3": Capacity(half, {"MEMORY_MB": 0, "VCPU": 0}),
        "cmp4": Capacity(half, {"MEMORY_MB": 4096, "VCPU": 2}),
        "idle": Capacity(half, {"MEMORY_MB": 0, "VCPU": 0}),
        "small": room(8),
        "drained": Capacity(half, {"MEMORY_MB": 0}),
    }
    known.all_inventories = {"cmp10": {"MEMORY_MB": Inventory(64 * 1024, 0, 1.0)}}
    make_drain("drained")
    kept = make_drain("idle")
    now = timezone.now()
    found = {"found_status": "enabled", "found_reason": "", "service_id": "s"}
    store.join_maintenance(kept, now=now, **found)
    store.change_drain(kept, now, state=DrainState.RUNNING, started_at=now)
    store.finish_drain(kept, DrainState.SUCCEEDED, DrainResult.EMPTY, "", "w", now)
    page = admin.get(check_url("cmp1")).content.decode()
    listed = page.split('class="mnt-relief"')[1].split("</ul>")[0]
    told = [text_of(one) for one in listed.split("<li>")[1:]]
    assert told == [
        "cmp3 is down; in service it would offer 64 GiB of memory, 32 vCPUs."
        " Start nova-compute there, and enable it if it is disabled.",
        "idle is in maintenance and empty; in service it would offer 64 GiB of memory, 32 vCPUs."
        " If its maintenance is finished, return it to service (host_return idle).",
        "cmp4 is disabled (bad fan); enabled it would offer 60 GiB of memory, 30 vCPUs."
        " If that reason no longer holds, enable it: openstack compute service set --enable cmp4"
        " nova-compute.",
        "cmp10 has a memory allocation ratio of 1; each 0.1 more would offer 6.4 GiB of memory."
        " Set ram_allocation_ratio in its nova.conf. If guests then use more memory than the host"
        " has, the kernel may kill some of them.",
    ]
    # What cannot be read is not said; the rest is.
    known.all_inventories = {}
    page = text(admin.get(check_url("cmp1")))
    assert "idle is in maintenance and empty" in page
    assert "allocation ratio" not in page


def test_more_overcommit_is_no_advice_for_one_that_is_larger_than_the_machine(admin, known):
    known.all_servers = [server("huge", vcpus=99)]
    known.all_inventories = {"cmp10": {"VCPU": Inventory(16, 0, 4.0)}}
    for host in list(known.all_capacity):
        known.all_capacity[host] = Capacity({"MEMORY_MB": 64 * 1024, "VCPU": 64, "DISK_GB": 99})
    known.all_services = [service("cmp1"), service("cmp10")]
    assert "allocation ratio" in text(admin.get(check_url("cmp1")))
    cmp10 = known.all_capacity["cmp10"]
    known.all_capacity["cmp10"] = dataclasses.replace(cmp10, largest={"VCPU": 16})
    page = text(admin.get(check_url("cmp1")))
    assert "the closest is cmp10, which lacks 83 vCPUs" in page
    assert "allocation ratio" not in page


def test_looking_for_room_is_bounded(admin, known, monkeypatch):
    """However many instances have none, and however many hosts are out of service."""
    asked: list[str] = []
    real = relief.judge
    monkeypatch.setattr(
        relief, "judge", lambda server, *more: asked.append(server.name) or real(server, *more)
    )
    known.all_servers = [server(f"huge-{n}", memory_bytes=99 * GIB) for n in range(300)]
    for n in range(30):
        known.all_services.append(service(f"off-{n}", status="disabled"))
        known.all_capacity[f"off-{n}"] = room(60)
    assert "What would provide capacity" not in text(admin.get(check_url("cmp1")))
    assert len(asked) == 20 * 30
    known.all_servers.append(server("small", memory_bytes=50 * GIB))
    page = text(admin.get(check_url("cmp1")))
    assert page.count("enabled it would offer") == 5
    assert "25 more hosts would offer capacity if they were in service." in page


def test_the_review_of_one_host_names_estimate_room_and_what_blocked_ones_lead_to(admin, known):
    review = text_of(admin.get(url("cmp1")).content.decode().split('class="mnt-review"')[1])
    assert re.search(r"Estimated duration: about .+\. Expected end: about [\d: -]+", review)
    assert "Memory needed: 7 GiB (48 GiB free on 2 hosts)." in review
    assert "There is room for all instances together." in review
    assert (
        "1 instance is currently blocked: busy-1 . The drain checks them again while it runs;"
        in (review)
    )
    assert "if one stays blocked, the drain ends as failed." in review


def test_the_estimate_of_one_host_is_updated_without_requesting_anything(admin, known):
    fields = {**GOOD, "reason": "", "do": "update", **chosen(**{"db-1": "stay"})}
    for more in ({}, AJAX):
        page = admin.post(url("cmp1"), {**fields, "destination": "cmp2"}, **more)
        assert "A reason is required" not in text(page)
        assert "16 GiB free on 1 host" in text(page)
        assert re.search(
            r'id="drain_host__instances" class="js-tab-pane active"', page.content.decode()
        )
    admin.post(url("cmp1"), {**GOOD, "do": "update"})
    assert not Drain.objects.exists()


def test_only_choices_that_make_sense_are_offered(admin, known):
    known.all_servers += [
        server("susp-1", status="SUSPENDED", vm_state="suspended"),
        server("res-1", status="VERIFY_RESIZE", vm_state="resized"),
        server("err-1", status="ERROR", vm_state="error"),
    ]
    page = admin.get(url("cmp1")).content.decode()
    assert offered(page, "web-1") == ["", "live", "cold", "stay"]
    assert offered(page, "web-2") == ["", "live", "stay"]
    assert offered(page, "old-1") == ["", "cold", "stay"]
    assert offered(page, "res-1") == ["", "confirm", "stay"]
    assert offered(page, "err-1") == ["", "stay"]
    assert offered(page, "susp-1") == []
    assert "Cold: stopped, moved and started again" in row(page, "web-1")
    assert "Confirm the resize: it cannot be reverted afterwards" in row(page, "res-1")
    # what each would make of it is there for the script
    assert 'data-group="stopped"' in row(page, "web-1")


# -- what is chosen --------------------------------------------------------------------------


def chosen(**choices: str) -> dict[str, str]:
    return {f"choice-{server_id(name)}": choice for name, choice in choices.items()}


def test_choices_notes_and_options_reach_the_drain(admin, known):
    web, db = server_id("web-1"), server_id("db-1")
    entered = {
        **GOOD,
        f"choice-{web}": "stay",
        f"note-{web}": "in use",
        f"choice-{db}": "cold",
        "order": "smallest",
        "destination": "*scheduler",
    }
    del entered["move_locked"]
    admin.post(url("cmp1"), entered)
    drain = Drain.objects.get()
    rows = {m.server_name: m for m in drain.migrations.all()}
    assert (drain.follow_estimate, drain.move_locked, drain.destination) == (False, False, "")
    assert (rows["web-1"].state, rows["web-1"].choice, rows["web-1"].note) == (
        "stays",
        "stay",
        "in use",
    )
    assert (rows["db-1"].state, rows["db-1"].method, rows["db-1"].choice) == (
        "pending",
        "cold",
        "cold",
    )
    assert rows["web-2"].planned_host in ("cmp2", "cmp10")
    assert rows["web-2"].position < rows["db-1"].position

    page = admin.get(reverse("horizon:admin:maintenance:drain", args=[drain.pk]))
    said = text(page)
    assert "Stopped, moved and started again: db-1." in page.content.decode()
    assert "Destination chosen by the scheduler for each instance" in said
    assert "smallest first" in said
    assert "not moved" in said
    assert "Chosen: stay \N{EN DASH} in use" in said
    assert "Pending cold" in said


def test_what_is_chosen_for_none_is_as_judged(admin, known):
    admin.post(url("cmp1"), {**GOOD, **chosen(**{"web-1": "", "web-2": ""})})
    assert set(Drain.objects.get().migrations.values_list("choice", flat=True)) == {""}


def test_a_refusal_keeps_choices_and_notes_and_the_review_speaks_of_them(admin, known):
    web, db = server_id("web-1"), server_id("db-1")
    entered = {
        **GOOD,
        "reason": "",
        f"choice-{web}": "stay",
        f"note-{web}": 'in use "now"',
        f"choice-{db}": "cold",
    }
    response = admin.post(url("cmp1"), entered, **AJAX)
    page, said = response.content.decode(), text(response)
    assert '<option value="stay" selected' in row(page, "web-1")
    assert 'value="in use &quot;now&quot;"' in row(page, "web-1")
    assert '<option value="cold" selected' in row(page, "db-1")
    assert "1 leaves live, 2 cold, 1 stays, 1 blocked" in said
    assert "1 running instance is stopped, moved and started again: db-1." in said
    assert "1 instance stays on this host: web-1." in said
    assert not Drain.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("choice-{}", "explode", "'explode' is not a valid choice"),
        ("note-{}", "x" * 256, "The note has 256 characters; at most 255 are stored."),
    ],
)
def test_what_cannot_be_chosen_is_refused_at_its_step(admin, known, field, value, words):
    web, db = server_id("web-1"), server_id("db-1")
    entered = {**GOOD, field.format(web): value, f"choice-{db}": "stay", f"note-{db}": "kept"}
    response = admin.post(url("cmp1"), entered, **AJAX)
    page = response.content.decode()
    assert words in text(response)
    assert re.search(r'id="drain_host__instances" class="js-tab-pane active"', page)
    assert '<option value="stay" selected' in row(page, "db-1")
    assert 'value="kept"' in row(page, "db-1")
    assert not Drain.objects.exists()


def test_what_was_entered_survives_a_cloud_that_fails(admin, known):
    known.failure = CloudUnreachable("list the compute services", "timed out")
    db = server_id("db-1")
    entered = {**GOOD, f"choice-{db}": "cold", f"note-{db}": "<b>why"}
    page = admin.post(url("cmp1"), entered, **AJAX).content.decode()
    kept = f'<input type="hidden" name="choices" value="{db} cold &lt;b&gt;why"'
    assert kept in page
    again = {**GOOD, "choices": f"{db} cold <b>why"}
    assert kept in admin.post(url("cmp1"), again, **AJAX).content.decode()


def test_locked_ones_are_moved_or_left_as_was_chosen(admin, known):
    known.all_servers = [server("l-1", locked=True, locked_reason="mine"), server("l-2")]
    page = admin.get(url("cmp1")).content.decode()
    assert 'data-group-locked="stays"' in row(page, "l-1")
    assert "data-group-locked" not in row(page, "l-2")
    entered = {**GOOD, "reason": ""}
    del entered["move_locked"]
    assert "1 leaves live, 1 stays" in text(admin.post(url("cmp1"), entered, **AJAX))
    entered |= chosen(**{"l-1": "live"})  # goes before the policy of the drain
    assert "2 leave live" in text(admin.post(url("cmp1"), entered, **AJAX))


def test_one_host_for_all_is_judged_with_its_room(admin, known):
    response = admin.post(url("cmp1"), {**GOOD, "reason": "", "destination": "cmp2"}, **AJAX)
    assert "16 GiB free on 1 host" in text(response)
    assert "cmp2 (16 GiB free)" in text(response)


# -- the check -------------------------------------------------------------------------------


@pytest.fixture
def viewer(db, client, log_in, known, monkeypatch):
    """Somebody who may look, and no more."""
    log_in("admin")
    monkeypatch.setattr(session, "may", lambda request, rule: rule == RULE_VIEW)
    return client


@pytest.mark.parametrize("headers", [{}, AJAX], ids=["page", "modal"])
def test_who_may_look_may_check(viewer, headers):
    response = viewer.get(check_url("cmp1"), **headers)
    page = response.content.decode()
    assert response.status_code == 200
    assert "3 leave live, 1 cold, 1 blocked; needs 7 GiB" in text(response)
    assert "choice-" not in page
    assert "/drain/" not in page.split("mnt-check-page")[1]
    assert viewer.get(url("cmp1")).status_code in (302, 403)


def test_the_check_leads_to_the_drain_and_says_what_stands_against_it(admin, known, make_drain):
    here = f'href="{url("cmp1")}?region=RegionOne"'
    assert here in admin.get(check_url("cmp1"), **AJAX).content.decode()
    known.all_servers.append(server("on-3", host="cmp3"))
    down = admin.get(check_url("cmp3"), **AJAX)
    assert "Host cmp3 is down" in text(down)
    assert "on-3" in text(down)  # the rest is shown all the same
    assert f'href="{url("cmp3")}' not in down.content.decode()
    drain = make_drain("cmp1", server("web-1"))
    link = reverse("horizon:admin:maintenance:drain", args=[drain.pk])
    assert f'href="{link}"' in admin.get(check_url("cmp1"), **AJAX).content.decode()
    assert admin.get(check_url("nowhere")).status_code == 404
    for page in ("index", "host"):
        args = ["cmp1"] if page == "host" else []
        shown = admin.get(reverse(f"horizon:admin:maintenance:{page}", args=args))
        assert f'href="{check_url("cmp1")}?region=RegionOne"' in shown.content.decode()


def test_everything_is_escaped(admin, known):
    known.all_servers = [
        server(NASTY, locked=True, locked_reason=NASTY),
        server("b", status="SHUTOFF", vm_state="stopped", tags=(f"maintenance:stay={NASTY}",)),
        server("c", task_state=NASTY),
    ]
    known.all_services.append(service(f"h-{NASTY[:8]}"))
    first = known.all_servers[0].id
    entered = {**GOOD, "reason": "", f"choice-{first}": "stay", f"note-{first}": NASTY}
    for response in (
        admin.get(url("cmp1")),
        admin.get(check_url("cmp1"), **AJAX),
        admin.post(url("cmp1"), entered, **AJAX),
        admin.post(url("cmp1"), entered | {f"choice-{first}": NASTY}, **AJAX),
    ):
        page = response.content.decode()
        assert "alert(&quot;1&quot;)" in page
        assert "<script>alert(" not in page
        assert "{$ 1+1" not in page


# -- many ------------------------------------------------------------------------------------


def test_two_hundred_instances_cost_no_more_requests_than_one(admin, known):
    def cost(path: str) -> tuple[int, int, int]:
        known.asked.clear()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page = admin.get(path, **AJAX).content
        return len(known.asked), len(queries), len(page)

    known.all_capacity["cmp2"] = Capacity({"MEMORY_MB": 64 * 1024, "VCPU": 400}, {})
    known.all_servers = [server("only")]
    asked, queries, _size = cost(url("cmp1"))
    known.all_servers = [
        server(f"vm-{n}", memory_bytes=GIB // 8, locked=n % 7 == 0) for n in range(200)
    ]
    many_asked, many_queries, size = cost(url("cmp1"))
    assert (many_asked, many_queries) == (asked, queries)
    assert asked <= 4
    assert size < 600_000
    page = html.unescape(admin.get(url("cmp1"), **AJAX).content.decode())
    assert page.count("<tr data-server=") == 200
    # what can be said is sent once, not for each instance
    assert page.split("mnt-sayings")[1].split("mnt-hosts")[0].count("<div>") < 12


def test_what_is_chosen_for_a_thousand_instances_is_requested(admin, known):
    """Django takes a thousand fields: it is one field for all of them. Each has a line."""
    known.all_servers = [server(f"vm-{n}", memory_bytes=GIB // 64) for n in range(1000)]
    page = html.unescape(admin.get(url("cmp1")).content.decode())
    assert len(re.findall('name="(?:choice|note)-', page)) == 0
    assert page.count("<select") > 1000
    chosen = {one.id: f"why {n}" for n, one in enumerate(known.all_servers)}
    lines = "\r\n".join(f"{one} stay {why}" for one, why in chosen.items())
    refused = admin.post(url("cmp1"), {**GOOD, "reason": "", "choices": lines})
    assert refused.status_code == 200
    assert "1000 stay" in text(refused)
    kept = re.search(r'name="choices" value="([^"]*)"', refused.content.decode())[1]
    assert html.unescape(kept).splitlines() == lines.splitlines()
    assert 'value="why 999"' in row(refused.content.decode(), "vm-999")
    assert admin.post(url("cmp1"), {**GOOD, "choices": lines}).status_code == 302
    drain = Drain.objects.get()
    assert {r.server_id: r.note for r in drain.migrations.filter(state="stays")} == chosen


def test_hundreds_are_told_by_some_names_and_a_number(admin, known):
    """Those that find no host, those that stay, and those that were stopped, wherever they are
    named together."""
    few = lambda said: re.findall(r"vm-\d+", said)  # noqa: E731
    known.all_servers = [server(f"vm-{n}", memory_bytes=4 * GIB) for n in range(300)]
    page = html.unescape(admin.get(url("cmp1")).content.decode())
    [said] = re.findall(r"<p>(The other hosts.*?)</p>", page, re.DOTALL)
    assert "288 instances" in said
    assert "and 282 more" in said
    assert len(few(said)) == 6
    chosen = "\r\n".join(
        f"{one.id} {'stay' if n % 2 else 'cold'}" for n, one in enumerate(known.all_servers)
    )
    refused = admin.post(url("cmp1"), {**GOOD, "reason": "", "choices": chosen})
    names = re.findall(r"data-names>([^<]*)<", refused.content.decode())
    assert [len(few(one)) for one in names if few(one)] == [6, 6]
    assert all("and 144 more" in one for one in names if few(one))
    done = admin.post(url("cmp1"), {**GOOD, "choices": chosen}, follow=True)
    [told] = [str(one) for one in done.context["messages"]]
    assert len(few(told)) == 6


def test_what_was_no_choice_is_none_once_it_is_shown_again(admin, known):
    """What is no choice stays none, and a note of two lines is a note."""
    web, db = server_id("web-1"), server_id("db-1")
    crafted = {f"choice-{web}": "stay too", f"note-{web}": f"a\n{db} stay"}
    crafted[f"choice-x\n{db}"] = "stay"
    known.failure = CloudUnreachable("list the compute services", "timed out")
    page = admin.post(url("cmp1"), {**GOOD, **crafted}, **AJAX).content.decode()
    assert f'name="choices" value="{web} stay_too a {db} stay\nx_{db} stay"' in page


def test_all_kinds_and_choices_have_words():
    for group in preflight.GROUPS:
        assert preflight.verdict_label(group).text
    for choice in Choice:
        assert preflight.choice_text(choice, server("a"))
    assert {*preflight.COUNTED} == {kind.value for kind in Kind}
    assert {*preflight.REVIEWED} == {*preflight.GROUPS}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "1 s"), (44.2, "45 s"), (90, "2 min"), (540, "9 min"), (9000, "2.5 h")],
)
def test_times_are_rounded_to_one_unit(seconds, words):
    assert formats.about(seconds) == words


def test_few_names():
    assert formats.abbreviate("abc") == "a, b, c"
    assert formats.abbreviate("abcdefgh") == "a, b, c, d, e, f and 2 more"


def test_a_learned_rate_is_named(known):
    plan = HostPreflight(service("cmp1"), [], [])
    plan = dataclasses.replace(plan, duration=Duration(60, 60, 2, 230 * 1024**2, 12))
    shown = Preflight(plan, choose=False)
    assert shown.time == "about 60 s"
    assert "230 MiB/s each, measured in 12 migrations here" in shown.time_note

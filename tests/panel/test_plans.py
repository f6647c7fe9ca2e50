"""Several hosts as one plan: selecting them, the form, the page, all of them."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.commands.helpers import run as run_command
from tests.fakes import GIB, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.content.maintenance.common import formats, session
from ukcloud_maintenance.core.actor import RULE_CANCEL, RULE_DRAIN, RULE_STEER, RULE_VIEW, Actor
from ukcloud_maintenance.core.facts import Aggregate, Capacity
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState, ReturnResult
from ukcloud_maintenance.exceptions import CloudUnreachable
from ukcloud_maintenance.models import Drain, Plan

PANEL = "horizon:admin:maintenance"
INDEX = reverse(f"{PANEL}:index")
NEW = reverse(f"{PANEL}:new_plan")
ACTOR = Actor("id-of-alice", "alice", may=lambda rule: True)


def shown(response) -> str:
    """What is on the page, without its head, menus and scripts."""
    html = response.content.decode()
    return re.sub(r"(?s)<script.*?</script>", "", html[html.index("<body") :])


def text(html: str) -> str:
    """What is read, without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def page(response) -> str:
    return text(shown(response))


def order(response) -> list[str]:
    """The hosts of the form, as it would send them."""
    return re.findall(r'type="hidden" name="host" value="([^"]+)"', response.content.decode())


def order_of_review(html: str) -> list[str]:
    return re.findall(r'<tr data-host="([^"]+)"', html[html.index("mnt-review-hosts") :])


def html_of_review(client, *hosts: str) -> str:
    html = shown(client.get(NEW, {"host": hosts}))
    return html[html.index("mnt-review-hosts") :]


def is_disabled(response) -> bool:
    """Whether the last button of the form cannot be pressed."""
    button = re.search(r'<button [^>]*value="drain"[^>]*>', response.content.decode())
    return button is not None and button[0].endswith(" disabled>")


def entered(*hosts: str, do: str = "drain", **more):
    """What the form sends."""
    fields = {
        "host": list(hosts),
        "do": do,
        "reason": "new firmware",
        "pace": "1",
        "hosts_at_once": "2",
        "max_concurrent": "2",
        "destination": "",
        "order": "largest",
        "start_at": "",
        "stop_at": "",
        "timeout_action": "warn",
        "move_locked": "on",
    }
    return {name: value for name, value in (fields | more).items() if value is not None}


@pytest.fixture
def room(cloud):
    """Placement's word on all hosts: 16 GiB each, a quarter of it used."""
    mib = {"MEMORY_MB": 16 * 1024, "VCPU": 16, "DISK_GB": 1000}
    cloud.all_capacity = {
        one.host: Capacity(mib, {"MEMORY_MB": 4096, "VCPU": 2, "DISK_GB": 0})
        for one in cloud.all_services
    }
    return cloud


@pytest.fixture
def make_plan(db, make_drain):
    """Write a plan as `services` does."""

    def make(*hosts: str, at_once: int = 1, region: str = "RegionOne") -> Plan:
        plan = store.create_plan(
            region=region,
            reason="new firmware",
            hosts_at_once=at_once,
            actor_id="id-of-alice",
            actor="alice",
            now=timezone.now(),
        )
        for order, host in enumerate(hosts):
            one, two = server(f"a-{host}", host=host), server(f"b-{host}", host=host)
            make_drain(host, one, two, region=region, plan=plan, plan_order=order)
        return plan

    return make


def drain_of(plan: Plan, host: str) -> Drain:
    return Drain.objects.get(plan=plan, host=host)


def run(drain: Drain) -> None:
    store.change_drain(drain, timezone.now(), state=DrainState.RUNNING, started_at=timezone.now())


def finish(drain: Drain, state=DrainState.SUCCEEDED, result=DrainResult.EMPTY) -> None:
    run(drain)
    moved = MigrationState.GONE if state == DrainState.SUCCEEDED else MigrationState.FAILED
    for row in store.migrations(drain):
        store.change_migration(row, timezone.now(), state=moved)
    store.finish_drain(drain, state, result, "", "worker", timezone.now())


# -- selecting hosts -------------------------------------------------------------------------


def test_every_host_can_be_selected_and_zones_be_chosen(admin):
    html = shown(admin.get(INDEX))
    boxes = re.findall(r'type="checkbox" name="host" value="([^"]+)" form="mnt-select"', html)
    assert boxes == ["cmp1", "cmp2", "cmp3", "cmp4", "cmp10"]
    assert f'id="mnt-select" class="form-inline mnt-select" method="get" action="{NEW}"' in html
    assert re.findall(r'<option value="zone:([^"]+)"', html) == ["az1", "az2"]


def test_the_chooser_knows_zones_and_aggregates(admin, cloud):
    cloud.all_aggregates = [Aggregate("rack-7", hosts=("cmp10", "cmp2", "gone")), Aggregate("no")]
    found = admin.get(reverse(f"{PANEL}:host_sets")).json()
    assert found["aggregates"] == [
        {"name": "no", "hosts": []},
        {"name": "rack-7", "hosts": ["cmp2", "cmp10"]},
    ]
    assert {"name": "az1", "hosts": ["cmp1", "cmp10"]} in found["zones"]


def test_the_chooser_says_that_nova_does_not_answer(admin, cloud):
    cloud.failure = CloudUnreachable("list the aggregates", "timed out")
    answer = admin.get(reverse(f"{PANEL}:host_sets"))
    assert answer.status_code == 503
    assert "timed out" in answer.json()["message"]


@pytest.mark.parametrize(
    ("query", "hosts"),
    [
        ({"host": ["cmp10", "cmp1", "cmp2", "cmp10"]}, ["cmp1", "cmp2", "cmp10"]),
        ({"set": "zone:az1"}, ["cmp1", "cmp10"]),
        ({"set": "aggregate:rack-7", "host": ["cmp4"]}, ["cmp4", "cmp2", "cmp10"]),
    ],
)
def test_without_a_script_the_form_takes_boxes_and_a_set(admin, cloud, query, hosts):
    cloud.all_aggregates = [Aggregate("rack-7", hosts=("cmp10", "cmp2"))]
    assert order(admin.get(NEW, query)) == hosts


def test_nothing_selected_leads_back(admin):
    for answer in (admin.get(NEW), admin.post(NEW, entered("cmp1", do="remove:cmp1"))):
        html = shown(answer)
        assert "No host is selected." in html
        assert INDEX in html


# -- the form --------------------------------------------------------------------------------


def test_one_summary_for_all_hosts_packed_together(admin, room):
    said = page(admin.get(NEW, {"host": ["cmp1", "cmp10"]}))
    # cmp3 is down and cmp4 disabled, so that cmp2 alone can receive
    assert "6 instances on 2 hosts: 4 leave live, 1 cold, 1 blocked ; needs 8 GiB" in said
    assert "12 GiB free on 1 host" in said
    assert "There is room for all instances together. Nova&#x27;s scheduler chooses" in said

    room.all_servers.append(server("huge-1", host="cmp10", memory_bytes=8 * GIB))
    said = page(admin.get(NEW, {"host": ["cmp1", "cmp10"]}))
    assert "The other hosts have no room for 4 instances" in said
    assert "room for all instances" not in said
    # each of the two alone would fit
    assert "have no room" not in page(admin.get(NEW, {"host": ["cmp10"]}))
    rest = re.search(
        r'(?s)<tr data-host="cmp10">(.*?)</tr>', html_of_review(admin, "cmp1", "cmp10")
    )
    assert "No host found app-1" in text(rest[1])


def test_one_host_and_several_have_one_form(admin, room):
    """The same options, words, counters and errors; several have their order and pace besides."""
    room.all_servers = [server("web-1"), server("busy-1", task_state="rebooting")]
    wrong = {"reason": "", "max_concurrent": "0", "stop_at": "soon"}
    one = reverse(f"{PANEL}:drain_host", args=["cmp1"])
    forms = [shown(admin.get(one)), shown(admin.get(NEW, {"host": ["cmp1", "cmp2"]}))]
    sent = entered("cmp1", "cmp2", **wrong)
    refused = [shown(admin.post(one, sent)), shown(admin.post(NEW, sent))]

    names = [set(re.findall(r' name="([a-z_]+)"', html)) for html in forms]
    assert names[1] - names[0] == {"pace", "hosts_at_once", "host"}
    assert names[0] < names[1]
    for words in (
        "1 leaves live, 1 blocked",
        "needs 1 GiB",
        "There is room for all instances together.",
        "The estimate of free capacity does not include your latest choices yet.",
        "Update Estimate",
        "What will happen to each instance",
        "The hosts before and after",
        "1 instance is currently blocked: busy-1",
        "ends as failed.",
        "Estimated duration:",
        "Expected end: about",
        "Memory needed: 1 GiB",
    ):
        assert [words in text(html) for html in forms] == [True, True], words
    assert ["No known obstacles." in text(html) for html in forms] == [False, False]
    for counter in ("mnt-counter", "mnt-plan-count", 'data-summary="time"', "data-fit"):
        assert all(counter in html for html in forms), counter
    errors = [re.findall(r'class="help-block">([^<]+)<', html) for html in refused]
    assert len(errors[0]) == 3
    assert errors[0] == errors[1]

    room.all_servers = [server("web-1")]
    forms = [shown(admin.get(one)), shown(admin.get(NEW, {"host": ["cmp1", "cmp2"]}))]
    assert ["No known obstacles." in text(html) for html in forms] == [True, True]


def test_the_time_follows_the_pace(admin, room):
    def time(pace: str) -> str:
        answer = admin.post(NEW, entered("cmp1", "cmp10", do="update", pace=pace))
        return re.search(r'data-summary="time">([^<]+)<', answer.content.decode())[1]

    # 4 GiB, 3 x 1 GiB on cmp1, two at a time; 1 GiB on cmp10; at 100 MiB/s and 5 s on top
    assert time("1") == "about 62 s to 2 min"
    assert time("0") == "about 46 s to 2 min"


def test_what_stands_against_it_is_told_by_host_the_worst_first(admin, room):
    room.all_servers += [
        server("held-1", host="cmp10", locked=True, locked_reason="audit"),
        server("err-1", host="cmp10", status="ERROR", vm_state="error"),
        server("err-2", host="cmp10", status="ERROR", vm_state="error"),
    ]
    html = shown(admin.post(NEW, entered("cmp2", "cmp3", "cmp1", "cmp10", do="update")))
    hosts = re.findall(r'(?s)<section class="mnt-of-host"[^>]*>(.*?)</section>', html)
    told = [text(one) for one in hosts]
    assert [one.split()[0] for one in told] == ["cmp1", "cmp10", "cmp2"]
    assert "busy-1 : Nova has a task in progress for it" in told[0]
    assert told[1].index("err-1, err-2 : It is in ERROR") < told[1].index("held-1 : It is locked")
    assert "<li" not in hosts[2]
    assert "Host cmp3 is down" in text(html[: html.index("mnt-of-host")])
    assert order_of_review(html) == ["cmp2", "cmp3", "cmp1", "cmp10"]


def test_a_host_that_cannot_be_drained_must_go(admin, make_drain, room):
    drain = make_drain("cmp10")
    answer = admin.get(NEW, {"host": ["cmp1", "cmp3", "cmp10", "cmp99"]})
    said = page(answer)
    assert "Host cmp3 is down, and live migration needs both hosts up." in said
    assert f"Host cmp10 is already being drained (drain {drain.pk}, requested by alice)." in said
    assert "Nova has no compute host with exactly this name." in said
    assert "5 instances on 1 host: 3 leave live, 1 cold, 1 blocked" in said
    # nothing is told of what would become of hosts of which none can be drained
    assert "mnt-lead" not in shown(admin.get(NEW, {"host": ["cmp3", "cmp98"]}))
    assert is_disabled(answer)

    fields = {"do": "remove_refused", "reason": "kept words"}
    for hosts in (["cmp99", "cmp1", "cmp3", "cmp10"], ["cmp99", "cmp2", "cmp1"]):
        answer = admin.post(NEW, entered(*hosts, **fields))
        assert order(answer) == [host for host in hosts if host in ("cmp1", "cmp2")]
        assert 'value="kept words"' in answer.content.decode()
        assert not is_disabled(answer)
    answer = admin.post(NEW, entered("cmp99", "cmp3", **fields))
    assert "No host is selected." in page(answer)


def test_hosts_are_moved_and_removed_and_what_was_entered_is_kept(admin, cloud):
    choice = f"choice-{server('db-1').id}"
    kept = {choice: "stay", f"note-{server('db-1').id}": "wait <for> it", "pace": "n"}

    def post(do: str, *hosts: str):
        return admin.post(NEW, entered(*hosts, do=do, hosts_at_once="3", reason="", **kept))

    assert order(post("up:cmp2", "cmp1", "cmp10", "cmp2")) == ["cmp1", "cmp2", "cmp10"]
    assert order(post("down:cmp1", "cmp1", "cmp10", "cmp2")) == ["cmp10", "cmp1", "cmp2"]
    answer = post("remove:cmp10", "cmp1", "cmp10", "cmp2")
    assert order(answer) == ["cmp1", "cmp2"]
    html = answer.content.decode()
    assert "wait &lt;for&gt; it" in html
    assert "It stays on this host by choice." in html
    assert re.search(r'value="n"[^>]*checked', html)
    assert 'name="hosts_at_once" value="3"' in html
    assert "A reason is required" not in html  # it was not sent off
    # choices for a host that went are carried along, should it come back
    html = post("remove:cmp1", "cmp1", "cmp2", "cmp10").content.decode()
    kept = f"{choice.removeprefix('choice-')} stay wait &lt;for&gt; it"
    assert f'type="hidden" name="choices" value="{kept}"' in html
    assert Plan.objects.count() == 0


def test_a_plan_is_asked_for_with_all_that_was_entered(admin, room):
    start = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    fields = entered(
        "cmp10",
        "cmp1",
        pace="n",
        hosts_at_once="2",
        max_concurrent="3",
        order="smallest",
        start_at=start.strftime("%Y-%m-%dT%H:%M"),
        stop_at=(start + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M"),
        timeout_action="abort",
        move_locked=None,
        **{f"choice-{server('web-1').id}": "cold", f"note-{server('web-1').id}": "agreed"},
    )
    answer = admin.post(NEW, fields)
    plan = Plan.objects.get()
    assert answer["location"] == reverse(f"{PANEL}:plan", args=[plan.pk])
    assert (plan.hosts_at_once, plan.reason, plan.requested_by) == (2, "new firmware", "alice")
    drains = list(store.drains_of_plan(plan.pk))
    assert [d.host for d in drains] == ["cmp10", "cmp1"]
    for drain in drains:
        assert (drain.max_concurrent, drain.follow_estimate, drain.move_locked) == (3, True, False)
        assert (drain.start_at, drain.stop_at) == (start, start + timedelta(hours=2))
        assert drain.timeout_action == "abort"
    row = store.migrations(drains[1]).get(server_name="web-1")
    assert (row.choice, row.note) == ("cold", "agreed")
    said = page(admin.get(answer["location"]))
    assert "The drains of 2 hosts were requested." in said
    assert "Stopped, moved and started again: web-1." in said


def test_one_host_that_was_selected_is_a_drain_and_no_plan(admin, room):
    html = admin.get(NEW, {"host": "cmp1"}).content.decode()
    assert "Drain Host cmp1" in html
    assert 'name="pace"' not in html
    assert 'id="mnt-order"' not in html
    answer = admin.post(NEW, entered("cmp1"))
    drain = Drain.objects.get()
    assert answer["location"] == reverse(f"{PANEL}:drain", args=[drain.pk])
    assert drain.plan is None
    assert "The drain of host cmp1 was requested." in page(admin.get(answer["location"]))


@pytest.mark.parametrize("hosts", [("cmp1",), ("cmp1", "cmp10")])
@pytest.mark.parametrize("do", ["", "update", "explode", "up:cmp99"])
def test_nothing_is_asked_for_without_the_button_that_does(admin, room, hosts, do):
    answer = admin.post(NEW, entered(*hosts, do=do, reason=""))
    assert order(answer) == list(hosts)
    assert "A reason is required" not in page(answer)
    admin.post(NEW, entered(*hosts, do=do))
    assert not Drain.objects.exists()


def test_the_steps_of_several_are_checked_without_asking_nova(admin, cloud):
    """Horizon's script sends no button along."""
    headers = {"HTTP_X_HORIZON_VALIDATE_STEP_START": "1", "HTTP_X_HORIZON_VALIDATE_STEP_END": "1"}
    wrong = entered("cmp1", "cmp10", do=None, reason="", pace="n", hosts_at_once="")
    answer = admin.post(NEW, wrong, **headers).json()
    assert sorted(answer["errors"]["options"]) == ["hosts_at_once", "reason"]
    right = admin.post(NEW, entered("cmp1", "cmp10", do=None), **headers).json()
    assert right["has_errors"] is False
    assert cloud.asked == []
    assert not Drain.objects.exists()


def test_times_are_those_of_the_users_zone(admin, room):
    admin.cookies["django_timezone"] = "Asia/Tokyo"
    assert "Times are in the time zone Asia/Tokyo (UTC+09:00)." in page(
        admin.get(NEW, {"host": "cmp1"})
    )
    admin.post(NEW, entered("cmp1", start_at="2999-07-01T09:30"))
    assert Drain.objects.get().start_at.isoformat() == "2999-07-01T00:30:00+00:00"


def test_a_time_that_the_clocks_leave_out_is_refused_in_the_form(admin, room):
    admin.cookies["django_timezone"] = "Europe/Berlin"
    answer = admin.post(NEW, entered("cmp1", start_at="2027-03-28T02:30"))
    assert "go forward then" in page(answer)
    assert not Drain.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"reason": " "}, "A reason is required: it becomes the service&#x27;s disabled reason."),
        ({"reason": "x" * 256}, "The reason has 256 characters; Nova accepts at most 255"),
        ({"pace": "n", "hosts_at_once": ""}, "Enter the number of hosts at a time."),
        ({"pace": "n", "hosts_at_once": "101"}, "At most 100."),
        ({"max_concurrent": "999"}, "At most 20 migrations may run at once."),
        ({"stop_at": "2001-01-01T00:00"}, "This time is in the past."),
        ({"start_at": "2001-01-01T00:00"}, "This time is in the past."),
        (
            {"start_at": "2999-01-02T00:00", "stop_at": "2999-01-01T00:00"},
            "The window ends before it starts.",
        ),
        ({"destination": "cmp10"}, "The destination is the host to be drained."),
        ({"destination": "cmp1"}, "Destination cmp1 is one of the hosts to be drained."),
        ({"destination": "cmp4"}, "Destination cmp4 is disabled: bad fan."),
        ({"timeout_action": "explode"}, "Select a valid choice"),
    ],
)
def test_a_refusal_is_shown_and_nothing_entered_is_lost(admin, room, wrong, words):
    note = {f"choice-{server('web-1').id}": "cold", f"note-{server('web-1').id}": "kept note"}
    answer = admin.post(NEW, entered("cmp10", "cmp1", **({"order": "smallest"} | note | wrong)))
    html = answer.content.decode()
    assert answer.status_code == 200
    assert words in html
    assert order(answer) == ["cmp10", "cmp1"]
    assert 'value="kept note"' in html
    assert re.search(r'<option value="smallest" selected', html)
    assert Plan.objects.count() == 0
    assert Drain.objects.count() == 0


def test_a_host_that_somebody_was_faster_with_is_named(admin, room, make_drain):
    drain = make_drain("cmp1")
    answer = admin.post(NEW, entered("cmp10", "cmp1"))
    assert f"(drain {drain.pk}, requested by alice)" in page(answer)
    assert Plan.objects.count() == 0


def test_nova_that_does_not_answer_takes_nothing_away(admin, cloud):
    cloud.failure = CloudUnreachable("list the compute services", "connection refused")
    answer = admin.post(NEW, entered("cmp10", "cmp1", reason="kept"))
    html = answer.content.decode()
    assert "Could not list the compute services: connection refused." in html
    assert order(answer) == ["cmp10", "cmp1"]
    assert 'value="kept"' in html
    assert is_disabled(answer)


def test_many_instances_send_no_field_each(admin, cloud):
    """Django takes a thousand fields: without a script each would send two."""
    assert 'name="choice-' in admin.get(NEW, {"host": ["cmp1", "cmp2"]}).content.decode()
    cloud.all_servers += [server(f"many-{n}", host="cmp10") for n in range(210)]
    chosen = f"choice-{server('many-7').id}"
    html = admin.post(
        NEW, entered("cmp10", "cmp1", do="update", **{chosen: "stay"})
    ).content.decode()
    assert 'name="choice-' not in html
    assert f'name="choices" value="{server("many-7").id} stay"' in html


#: What is read of Nova, Placement and Keystone whatever the hosts are.
NOT_OF_A_HOST = (
    "services",
    "project_names",
    "server_groups",
    "aggregates",
    "capacity",
    "hypervisors",
)


def count_calls(monkeypatch, cloud, names) -> Counter:
    """Count from now on how often each of these is read."""
    counted: Counter[str] = Counter()

    def counting(name, real):
        def read(*arguments, **more):
            counted[name] += 1
            return real(*arguments, **more)

        return read

    for name in names:
        monkeypatch.setattr(cloud, name, counting(name, getattr(cloud, name)))
    return counted


@pytest.mark.parametrize("do", ["", "update"], ids=["opened", "shown again"])
def test_the_form_costs_the_database_no_more_for_more_hosts(admin, room, monkeypatch, do):
    up = [service(f"up{n}") for n in range(17)]
    down = [service(f"down{n}", state="down") for n in range(3)]
    room.all_services += up + down
    room.all_servers += [server(f"vm-{one.host}", host=one.host) for one in up]
    counted = count_calls(monkeypatch, room, NOT_OF_A_HOST)
    queries = []
    for hosts in (["up0", "down0"], [one.host for one in up + down]):
        counted.clear()
        with CaptureQueriesContext(connection) as captured:
            if do:
                answer = admin.post(NEW, entered(*hosts, do=do))
            else:
                answer = admin.get(NEW, {"host": hosts})
        assert len(order(answer)) == len(hosts)
        queries.append(len(captured))
        assert counted == dict.fromkeys(NOT_OF_A_HOST, 1)
    assert queries[0] == queries[1]


def test_asking_for_a_plan_reads_each_list_once(admin, room, monkeypatch):
    counted = count_calls(monkeypatch, room, NOT_OF_A_HOST)
    admin.post(NEW, entered("cmp1", "cmp2", "cmp10"))
    assert Plan.objects.count() == 1
    assert counted == dict.fromkeys(set(NOT_OF_A_HOST) - {"hypervisors"}, 1)


def test_page_and_shell_tell_the_same_time(admin, cloud, monkeypatch):
    """A hundred hosts at once, of six minutes each: the three that receive take 4 migrations at a
    time each, whoever asks, and the region takes 20."""
    names = [f"many{n}" for n in range(100)]
    cloud.all_services += [service(name) for name in names]
    cloud.all_servers = [
        server(f"vm-{name}-{n}", host=name, memory_bytes=35 * GIB) for name in names for n in (1, 2)
    ]
    monkeypatch.setattr(services, "connect_shell", lambda region: cloud)
    answer = admin.post(NEW, entered(*names, do="update", pace="0"))
    on_page = re.search(r'data-summary="time">([^<]+)<', answer.content.decode())[1]
    shell = run_command("drain_host", *names, "--dry-run", "--hosts-at-once", "0").stdout
    assert on_page == "about 101 min"
    assert shell.splitlines()[-1].endswith("about 101 min.")


def test_limits_of_the_region_are_named(admin, settings):
    settings.UKCLOUD_MAINTENANCE = settings.UKCLOUD_MAINTENANCE | {
        "MAX_IN_REGION": 7,
        "MAX_PER_DESTINATION": 3,
    }
    assert "together run at most 7 at once, and at most 3 to one host." in page(
        admin.get(NEW, {"host": ["cmp1", "cmp2"]})
    )


# -- the page --------------------------------------------------------------------------------


def updates(client, plan: Plan, seen: str = ""):
    url = reverse(f"{PANEL}:plan_updates", args=[plan.pk])
    return client.get(url, {"seen": seen}, HTTP_X_REQUESTED_WITH="XMLHttpRequest")


def steer(client, plan: Plan, verb: str):
    return client.post(reverse(f"{PANEL}:steer_plan", args=[plan.pk]), {"verb": verb}, follow=True)


def states(plan: Plan) -> list[str]:
    return [drain.state for drain in store.drains_of_plan(plan.pk)]


def test_the_page_shows_the_hosts_in_order_with_their_drains(admin, make_plan, worker_alive):
    plan = make_plan("cmp2", "cmp1", "cmp10")
    finish(drain_of(plan, "cmp2"))
    run(drain_of(plan, "cmp1"))
    answer = admin.get(reverse(f"{PANEL}:plan", args=[plan.pk]))
    html = shown(answer)
    assert re.findall(r'<tr data-id="\d+" data-host="([^"]+)"', html) == ["cmp2", "cmp1", "cmp10"]
    said = text(html)
    assert "1 of 3 hosts are drained. 2 of 6 instances have left." in said
    assert "one after another" in said
    assert reverse(f"{PANEL}:drain", args=[drain_of(plan, "cmp1").pk]) in html
    assert "2/6 · Plan" in answer.content.decode()
    assert "No worker is running" not in said


def facts(client, plan: Plan) -> str:
    return text(updates(client, plan).json()["parts"]["facts"])


def test_the_page_says_how_long_the_plan_still_takes_and_when_it_ends(admin, make_plan):
    """By what a drain says, for all of its hosts: two instances each, one at a time by default."""
    plan = make_plan("cmp1", "cmp2", at_once=1)
    one = services.drain_report(ACTOR, drain_of(plan, "cmp1").pk).forecast
    whole = services.plan_report(ACTOR, plan.pk).forecast
    assert whole.likely == 2 * one.likely > 0
    assert f"Expected time rough estimate: about {formats.about(whole.likely)} (" in facts(
        admin, plan
    )
    assert "Expected end" not in facts(admin, plan)
    run(drain_of(plan, "cmp1"))
    assert "Time left rough estimate: about" in facts(admin, plan)
    assert re.search(r"Expected end (\d{4}-\d\d-\d\d )?\d\d:\d\d", facts(admin, plan))
    finish(drain_of(plan, "cmp1"))
    assert services.plan_report(ACTOR, plan.pk).forecast.likely == one.likely
    finish(drain_of(plan, "cmp2"))
    assert services.plan_report(ACTOR, plan.pk).forecast is None
    assert "Expected" not in facts(admin, plan)
    assert "Time left" not in facts(admin, plan)


def test_hosts_at_once_end_when_the_last_one_does(admin, make_plan, settings):
    plan = make_plan("cmp1", "cmp2", at_once=0)
    one = services.drain_report(ACTOR, drain_of(plan, "cmp1").pk).forecast
    assert services.plan_report(ACTOR, plan.pk).forecast == one
    settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, "MAX_IN_REGION": 1}
    # The region's limit goes before the pace.
    assert services.plan_report(ACTOR, plan.pk).forecast.likely > one.likely


def test_a_plan_that_is_paused_says_how_long_it_takes_after_resuming(admin, make_plan):
    plan = make_plan("cmp1")
    run(drain_of(plan, "cmp1"))
    store.change_drain(drain_of(plan, "cmp1"), timezone.now(), state=DrainState.PAUSED)
    assert "Time left after resuming rough estimate" in facts(admin, plan)


def test_no_worker_is_said(admin, make_plan):
    plan = make_plan("cmp1")
    assert "No worker is running." in page(admin.get(reverse(f"{PANEL}:plan", args=[plan.pk])))


def test_updates_are_204_while_nothing_changed(
    admin, cloud, make_plan, worker_alive, django_assert_max_num_queries
):
    plan = make_plan("cmp1", "cmp2")
    first = updates(admin, plan).json()
    with django_assert_max_num_queries(2):
        assert updates(admin, plan, first["token"]).status_code == 204
    run(drain_of(plan, "cmp2"))
    second = updates(admin, plan, first["token"]).json()
    assert second["token"] != first["token"]
    assert "Running" in second["parts"]["state"]
    assert (second["over"], second["announcement"]) == (False, "Running.")
    finish(drain_of(plan, "cmp1"))
    third = updates(admin, plan).json()
    assert "cmp1: Drained. 1 of 2 hosts" in third["announcement"]
    with django_assert_max_num_queries(6):
        assert updates(admin, plan, third["token"]).status_code == 204
    store.finish_drain(
        drain_of(plan, "cmp2"),
        DrainState.FAILED,
        DrainResult.INSTANCES_FAILED,
        "",
        "w",
        timezone.now(),
    )
    last = updates(admin, plan).json()
    assert last["over"] is True
    assert "Finished, 1 of 2 drained" in last["title"]
    assert "2 instances are still on their hosts." in last["announcement"]
    assert cloud.asked == []


def test_all_are_paused_resumed_and_cancelled(admin, make_plan):
    plan = make_plan("cmp1", "cmp2")
    for drain in store.drains_of_plan(plan.pk):
        run(drain)
    assert "2 drains were paused." in page(steer(admin, plan, "pause"))
    assert states(plan) == ["paused", "paused"]
    html = shown(admin.get(reverse(f"{PANEL}:plan", args=[plan.pk])))
    assert 'value="resume"' in html
    assert 'value="pause"' not in html
    assert "2 drains were resumed." in page(steer(admin, plan, "resume"))
    assert states(plan) == ["running", "running"]

    url = reverse(f"{PANEL}:cancel_plan", args=[plan.pk])
    asked = page(admin.get(url))
    assert "Cancel the drains of 2 hosts" in asked
    assert "4 waiting instances stay where they are." in asked
    answer = admin.post(url, {"in_progress": "abort", "service": "leave"}, follow=True)
    assert "2 drains were cancelled or are being cancelled." in page(answer)
    for drain in store.drains_of_plan(plan.pk):
        assert (drain.state, drain.cancel_abort, drain.cancel_enable) == ("cancelling", True, False)


def test_services_that_the_plan_disabled_are_enabled_again_unless_chosen_otherwise(
    admin, make_plan
):
    plan = make_plan("cmp1", "cmp2")
    run(drain_of(plan, "cmp1"))
    run(drain_of(plan, "cmp2"))
    Drain.objects.filter(host="cmp1").update(did_disable=True)
    admin.post(
        reverse(f"{PANEL}:cancel_plan", args=[plan.pk]), {"in_progress": "finish", "service": ""}
    )
    assert [d.cancel_enable for d in store.drains_of_plan(plan.pk)] == [True, False]
    assert not any(d.cancel_abort for d in store.drains_of_plan(plan.pk))


def test_what_failed_is_tried_again(admin, make_plan):
    plan = make_plan("cmp1", "cmp2")
    html = shown(admin.get(reverse(f"{PANEL}:plan", args=[plan.pk])))
    assert 'value="retry"' not in html
    finish(drain_of(plan, "cmp1"), DrainState.FAILED, DrainResult.INSTANCES_FAILED)
    html = shown(admin.get(reverse(f"{PANEL}:plan", args=[plan.pk])))
    assert 'value="retry"' in html
    assert "The failed instances of 1 drain are retried." in page(steer(admin, plan, "retry"))
    assert states(plan)[0] == "running"


def test_what_one_host_refused_is_told_beside_what_was_done(admin, make_plan):
    plan = make_plan("cmp1", "cmp2", "cmp10")
    for host in ("cmp1", "cmp2"):
        finish(drain_of(plan, host), DrainState.FAILED, DrainResult.INSTANCES_FAILED)
    given_back = drain_of(plan, "cmp1")
    maintenance = store.join_maintenance(
        given_back, found_status="enabled", found_reason="", service_id="s", now=timezone.now()
    )
    store.request_return(maintenance, choice="leave", actor="alice", now=timezone.now())
    store.finish_return(maintenance, ReturnResult.LEFT, "", "worker", timezone.now())
    said = page(steer(admin, plan, "retry"))
    assert "The failed instances of 1 drain are retried." in said
    assert "cmp1: failed: The host was returned to service" in said.replace("a-cmp1", "failed")
    assert "cmp10:" not in said  # nothing of it failed
    assert states(plan) == ["failed", "running", "pending"]


def test_all_of_a_plan_is_cancelled_or_nothing_where_a_right_is_missing(
    admin, make_plan, monkeypatch
):
    plan = make_plan("cmp1", "cmp2")
    run(drain_of(plan, "cmp1"))
    run(drain_of(plan, "cmp2"))
    Drain.objects.filter(host="cmp1").update(did_disable=True)  # somebody else did cmp2
    url = reverse(f"{PANEL}:cancel_plan", args=[plan.pk])
    assert 'value="enable"' in shown(admin.get(url))
    some = (RULE_VIEW, RULE_DRAIN, RULE_CANCEL, RULE_STEER)
    monkeypatch.setattr(session, "may", lambda request, rule: rule in some)
    assert 'value="enable"' not in shown(admin.get(url))
    assert admin.post(url, {"in_progress": "finish", "service": "enable"}).status_code == 403
    assert states(plan) == ["running", "running"]
    one = reverse(f"{PANEL}:cancel_drain", args=[drain_of(plan, "cmp2").pk])
    assert 'value="enable"' not in shown(admin.get(one))
    Drain.objects.filter(host="cmp2").update(did_disable=True)
    assert 'value="enable"' in shown(admin.get(url))
    assert 'value="enable"' in shown(admin.get(one))
    admin.post(url, {"in_progress": "finish", "service": "enable"})
    assert states(plan) == ["cancelling", "cancelling"]


def test_what_cannot_be_done_says_why(admin, make_plan):
    plan = make_plan("cmp1")
    finish(drain_of(plan, "cmp1"))
    assert "there is nothing to pause" in page(steer(admin, plan, "pause"))
    assert steer(admin, plan, "explode").status_code == 409
    assert admin.get(reverse(f"{PANEL}:cancel_plan", args=[plan.pk])).status_code == 409


def test_a_plan_of_another_region_is_not_here(admin, make_plan):
    plan = make_plan("cmp1", region="RegionTwo")
    for name in ("plan", "plan_updates", "cancel_plan"):
        answer = admin.get(reverse(f"{PANEL}:{name}", args=[plan.pk]))
        assert answer.status_code == 404, name
    answer = admin.post(reverse(f"{PANEL}:steer_plan", args=[plan.pk]), {"verb": "pause"})
    assert answer.status_code == 404
    assert states(plan) == ["pending"]
    assert admin.get(reverse(f"{PANEL}:plan", args=[plan.pk + 1])).status_code == 404


def test_all_plans_and_the_drains_of_each(admin, make_plan):
    plans = reverse(f"{PANEL}:plans")
    assert "There are no plans yet" in page(admin.get(plans))
    plan = make_plan("cmp1", "cmp2", at_once=0)
    make_plan("cmp9", region="RegionTwo")
    said = page(admin.get(plans))
    assert f"Plan {plan.pk} cmp1, cmp2 (2, all at once) Pending 0 of 4 have left their host" in said
    assert "cmp9" not in said
    drains = shown(admin.get(reverse(f"{PANEL}:drains")))
    assert drains.count(f'<a href="{reverse(f"{PANEL}:plan", args=[plan.pk])}">') == 2


# -- who may -------------------------------------------------------------------------------


@pytest.fixture
def viewer(client, cloud, log_in, db):
    """May look, but not touch."""
    log_in("maintenance_viewer")
    client.user_cloud = cloud
    return client


def test_who_may_only_look_is_offered_nothing(viewer, make_plan):
    plan = make_plan("cmp1")
    assert "checkbox" not in shown(viewer.get(INDEX))
    assert "Drain Selected" not in shown(viewer.get(INDEX))
    html = shown(viewer.get(reverse(f"{PANEL}:plan", args=[plan.pk])))
    for word in ("Pause", "Resume", "Retry", "Cancel"):
        assert word not in html
    assert viewer.get(reverse(f"{PANEL}:plans")).status_code == 200
    for name in ("new_plan", "host_sets"):
        assert viewer.get(reverse(f"{PANEL}:{name}")).status_code == 403
    assert viewer.post(NEW, entered("cmp2")).status_code == 403
    assert steer(viewer, plan, "pause").status_code == 403
    assert viewer.post(reverse(f"{PANEL}:cancel_plan", args=[plan.pk])).status_code == 403
    assert states(plan) == ["pending"]
    assert Plan.objects.count() == 1


def test_abort_is_offered_to_who_may_and_refused_to_others(admin, make_plan, monkeypatch):
    plan = make_plan("cmp1")
    run(drain_of(plan, "cmp1"))
    row = store.migrations(drain_of(plan, "cmp1"))[0]
    store.change_migration(row, timezone.now(), state=MigrationState.SUBMITTED)
    url = reverse(f"{PANEL}:cancel_plan", args=[plan.pk])
    assert 'value="abort"' in shown(admin.get(url))
    some = (RULE_VIEW, RULE_DRAIN, RULE_CANCEL, RULE_STEER)
    monkeypatch.setattr(session, "may", lambda request, rule: rule in some)
    assert 'value="abort"' not in shown(admin.get(url))
    assert 'value="abort"' not in shown(admin.get(NEW, {"host": "cmp2"}))
    assert admin.post(url, {"in_progress": "abort"}).status_code == 403
    assert states(plan) == ["running"]


# -- changed as one --------------------------------------------------------------------------


def change_form(admin, plan):
    """The fields of the form as they are shown, those for comparison among them."""
    html = admin.get(reverse(f"{PANEL}:change_plan", args=[plan.pk])).content.decode()
    found = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        unchecked = 'type="radio"' in tag and "checked" not in tag
        if name and name[1] != "csrfmiddlewaretoken" and not unchecked:
            found[name[1]] = value[1] if value else ""
    for name, options in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', html, re.S):
        found[name] = re.search(r'value="([^"]*)" selected', options)[1]
    return found


def test_all_drains_of_a_plan_are_changed_at_once(admin, make_plan):
    plan = make_plan("cmp1", "cmp2", "cmp3")
    finish(drain_of(plan, "cmp1"), DrainState.SUCCEEDED, DrainResult.EMPTY)
    run(drain_of(plan, "cmp2"))
    html = shown(admin.get(reverse(f"{PANEL}:plan", args=[plan.pk])))
    url = reverse(f"{PANEL}:change_plan", args=[plan.pk])
    assert url in html
    entered = change_form(admin, plan)
    assert "start_at" not in entered  # one has begun
    answer = admin.post(
        url, {**entered, "max_concurrent": "7", "placing": "scheduler"}, follow=True
    )
    assert "2 drains were changed." in page(answer)
    drains = store.drains_of_plan(plan.pk)
    assert [d.max_concurrent for d in drains] == [2, 7, 7]
    assert [d.follow_estimate for d in drains] == [True, False, False]


def test_nothing_is_changed_in_a_plan_where_a_value_is_wrong(admin, make_plan):
    plan = make_plan("cmp1", "cmp2")
    url = reverse(f"{PANEL}:change_plan", args=[plan.pk])
    entered = change_form(admin, plan)
    html = admin.post(url, {**entered, "max_concurrent": "999"}).content.decode()
    assert "has-error" in html
    html = admin.post(url, {**entered, "stop_at": "2001-01-01T00:00"}).content.decode()
    assert "has-error" in html
    drains = store.drains_of_plan(plan.pk)
    assert [(d.max_concurrent, d.stop_at) for d in drains] == [(2, None), (2, None)]
    assert "Nothing was changed." in page(admin.post(url, entered, follow=True))


def test_a_plan_that_is_over_is_not_changed(admin, make_plan):
    plan = make_plan("cmp1")
    finish(drain_of(plan, "cmp1"), DrainState.SUCCEEDED, DrainResult.EMPTY)
    response = admin.get(reverse(f"{PANEL}:change_plan", args=[plan.pk]))
    assert f"Plan {plan.pk} has ended." in page(response)


def test_a_host_that_waits_for_another_one_of_its_plan_says_so(admin, make_plan):
    plan = make_plan("cmp1", "cmp2")
    run(drain_of(plan, "cmp1"))
    waits = drain_of(plan, "cmp2")
    run(waits)
    said = message("waits_for_hosts", hosts=["cmp1"])
    Drain.objects.filter(pk=waits.pk).update(message=said)
    rows = {row["id"]: row["cells"] for row in updates(admin, plan).json()["rows"]}
    assert text(rows[waits.pk][2]) == "Waiting for cmp1"
    assert text(rows[drain_of(plan, "cmp1").pk][2]) == "Running"


def at_a_glance(client, plan) -> tuple[str, str]:
    """Its state, and what is said before how many hosts are drained."""
    parts = updates(client, plan).json()["parts"]
    why, _drained, _rest = text(parts["headline"]).partition("0 of 3 hosts are drained.")
    return text(parts["state"]), why.strip()


@pytest.fixture
def in_turn(make_plan) -> Plan:
    """A plan of three hosts, of which the first runs and the others wait for it."""
    plan = make_plan("cmp1", "cmp2", "cmp10")
    for host in ("cmp1", "cmp2", "cmp10"):
        run(drain_of(plan, host))
    waits = message("waits_for_hosts", hosts=["cmp1"])
    Drain.objects.filter(plan=plan).exclude(host="cmp1").update(message=waits)
    return plan


def test_a_plan_is_what_its_hosts_are_that_do_not_wait_for_others(admin, in_turn):
    paused = "Paused: no new migrations start; those in progress finish."
    assert at_a_glance(admin, in_turn) == ("Running", "")
    store.change_drain(drain_of(in_turn, "cmp1"), timezone.now(), state=DrainState.PAUSED)
    assert at_a_glance(admin, in_turn) == ("Paused", paused)
    assert "Expected end" not in facts(admin, in_turn)
    # one of them is cancelled; the plan goes on with the others
    store.change_drain(drain_of(in_turn, "cmp1"), timezone.now(), state=DrainState.CANCELLING)
    assert at_a_glance(admin, in_turn) == ("Running", "")
    for host in ("cmp2", "cmp10"):
        store.change_drain(drain_of(in_turn, host), timezone.now(), state=DrainState.CANCELLING)
    state, why = at_a_glance(admin, in_turn)
    assert (state, why.partition(":")[0]) == ("Cancelling", "Being cancelled")


def test_a_plan_that_is_to_begin_later_says_when(admin, make_plan):
    plan = make_plan("cmp1", "cmp2", "cmp10")
    assert at_a_glance(admin, plan) == ("Pending", "")
    tomorrow = timezone.now() + timedelta(days=1)
    Drain.objects.filter(plan=plan).update(start_at=tomorrow)
    when = f"{timezone.localtime(tomorrow):%Y-%m-%d %H:%M}"
    assert at_a_glance(admin, plan) == ("Scheduled", f"Starts at {when}.")
    assert f"Starts at {when} UTC" in facts(admin, plan)
    assert "Scheduled" in text(page(admin.get(reverse(f"{PANEL}:plans"))))


def test_a_plan_that_waits_for_blocked_ones_alone_says_for_whom_and_until_when(admin, in_turn):
    drain = drain_of(in_turn, "cmp1")
    one, two = store.migrations(drain)
    store.change_migration(one, timezone.now(), state=MigrationState.GONE)
    store.change_migration(two, timezone.now(), state=MigrationState.BLOCKED, code="task_state")
    assert at_a_glance(admin, in_turn) == ("Running", "1 needs you.")
    Drain.objects.filter(pk=drain.pk).update(blocked_since=timezone.now())
    state, why = at_a_glance(admin, in_turn)
    assert state == "Running"
    assert re.fullmatch(
        r"1 needs you\. cmp1: Nothing is moving\. Waiting until \S+ for b-cmp1, then the drain"
        r" ends as failed\.",
        why,
    )
    assert "Expected end" not in facts(admin, in_turn)
    rows = {row["id"]: row["cells"] for row in updates(admin, in_turn).json()["rows"]}
    assert "progress-bar-warning" in rows[drain.pk][3]


def test_what_others_do_with_a_plan_is_announced(admin, in_turn):
    """As of a drain: a quarter of the way, a skip, a pause, who needs a person, each host."""

    def said() -> str:
        return updates(admin, in_turn).json()["announcement"]

    assert said() == "Running."
    now = timezone.now()
    one, two = store.migrations(drain_of(in_turn, "cmp1"))
    store.change_migration(one, now, state=MigrationState.GONE)
    assert said() == "Running."  # not each instance
    store.change_migration(two, now, state=MigrationState.GONE)
    assert said() == "Running. 25 % of the instances have left."
    one, _two = store.migrations(drain_of(in_turn, "cmp2"))
    store.change_migration(one, now, state=MigrationState.SKIPPED)
    assert said() == "Running. 25 % of the instances have left. 1 skipped."
    store.change_drain(drain_of(in_turn, "cmp1"), now, state=DrainState.PAUSED)
    assert said().startswith("Paused. ")
    store.change_drain(drain_of(in_turn, "cmp1"), now, state=DrainState.RUNNING)
    finish(drain_of(in_turn, "cmp1"))
    assert said().endswith("cmp1: Drained. 1 of 3 hosts have finished.")

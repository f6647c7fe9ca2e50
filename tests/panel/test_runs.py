"""Rolling maintenance: the form, the review, the page of a run and what is pressed on it."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.acted import act as act_as_worker
from tests.fakes import GIB, server, service
from tests.panel import test_hosts
from tests.panel.test_plans import page, shown, text
from ukcloud_maintenance import services, store
from ukcloud_maintenance.content.maintenance.common import session
from ukcloud_maintenance.content.maintenance.runs.table import OUTPUT_SHOWN
from ukcloud_maintenance.core.actor import RULE_VIEW, Actor
from ukcloud_maintenance.core.facts import Aggregate, Capacity
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.run.states import ActionKind, ActionState, RunState, Stage
from ukcloud_maintenance.core.states import DrainResult, DrainState
from ukcloud_maintenance.exceptions import CloudUnreachable
from ukcloud_maintenance.models import Event, Run, RunAction, RunHost

PANEL = "horizon:admin:maintenance"
NEW = reverse(f"{PANEL}:new_run")
RUNS = reverse(f"{PANEL}:runs")
INDEX = reverse(f"{PANEL}:index")
ACTOR = Actor("id-of-alice", "alice", may=lambda rule: True)
WORKER = "controller:17:1700000000"


def entered(*hosts: str, do: str = "review", **more):
    """What the form sends."""
    fields = {
        "host": list(hosts),
        "do": do,
        "reason": "new firmware",
        "action": "",
        "order": "by_hand",
        "at_once": "1",
        "domain": "zone",
        "per_domain": "1",
        "windows": "",
        "on_failure": "stop",
        "failures": "1",
        "approval": "none",
        "max_concurrent": "2",
        "timeout_action": "warn",
        "move_locked": "on",
    }
    return {name: value for name, value in (fields | more).items() if value is not None}


@pytest.fixture
def room(cloud):
    """Two hosts with instances, one more to receive them; Placement tells of their room."""
    cloud.all_services = [service(f"cmp{n}", zone="az1") for n in (1, 2, 3)]
    cloud.all_servers = [server("web-1"), server("web-2"), server("db-1", host="cmp2")]
    mib = {"MEMORY_MB": 16 * 1024, "VCPU": 16, "DISK_GB": 1000}
    cloud.all_capacity = {
        one.host: Capacity(mib, {"MEMORY_MB": 4096, "VCPU": 2, "DISK_GB": 0})
        for one in cloud.all_services
    }
    cloud.all_aggregates = []
    cloud.all_groups = []
    cloud.servers_in_error = dict
    return cloud


def write_run(*hosts: str, region: str = "RegionOne", **more) -> Run:
    """A run as `services` writes one."""
    fields = {
        "reason": "new firmware",
        "max_concurrent": 2,
        "message": message("waits_for_worker"),
    } | more
    return store.create_run(
        hosts=[store.NewHost(host, ("az1",), 3, 600) for host in hosts],
        actor=ACTOR,
        said=message("run_requested", reason="new firmware", count=len(hosts)),
        now=timezone.now() - timedelta(hours=1),
        region=region,
        **fields,
    )


@pytest.fixture
def make_run(db):
    return write_run


def host_of(run: Run, name: str) -> RunHost:
    return next(one for one in store.run_hosts(run) if one.host == name)


def stage(run: Run, name: str, *stages: Stage, minutes: int = 5, **more) -> RunHost:
    """Let a host go through these stages, as the worker writes them."""
    row = host_of(run, name)
    at = timezone.now() - timedelta(minutes=minutes * len(stages))
    for one in stages:
        said = message("run_of_host", host=name, said=message(f"run_stage_{one.value}"))
        event = (f"run_host_{one.value}", WORKER, said)
        begun = {"started_at": row.started_at or at} if one is Stage.DRAINING else {}
        store.change_host(run, row, at, stage=one.value, event=event, **begun)
        at += timedelta(minutes=minutes)
    if more:
        store.change_host(run, row, timezone.now(), **more)
    return row


def act(run: Run, name: str, kind=ActionKind.HAND, action: str = "", **more) -> RunAction:
    """Let a host be acted on, as the worker does."""
    row = stage(run, name, Stage.DRAINING, Stage.READY)
    made = act_as_worker(
        run,
        row,
        timezone.now(),
        name=action,
        kind=kind,
        machine="controller" if kind is ActionKind.COMMAND else "",
        place="",
        event=("run_host_acting", WORKER, message("run_of_host", host=name, said=None)),
        before={},
    )
    fields = {"state": ActionState.RUNNING.value} | more
    store.change_action(run, host_of(run, name), made, timezone.now(), **fields)
    return made


def yours(run: Run, name: str) -> None:
    act(run, name)
    said = message("run_host_is_yours", host=name)
    store.change_host(run, host_of(run, name), timezone.now(), message=said)


def fail(run: Run, name: str) -> None:
    said = message("run_drain_failed", why=message("run_no_reason"))
    stage(run, name, Stage.DRAINING, Stage.FAILED, message=said)


def url(name: str, run: Run) -> str:
    return reverse(f"{PANEL}:{name}", args=[run.pk])


def order(response) -> list[str]:
    """The hosts of the form, as it would send them."""
    return re.findall(r'type="hidden" name="host" value="([^"]+)"', response.content.decode())


def errors(response) -> list[str]:
    """What is said beside fields, with the name of each."""
    found = re.findall(r'(?s)id="id_(\w+)_error"[^>]*>(.*?)</div>', response.content.decode())
    return [f"{name}: {text(html)}" for name, html in found if text(html)]


def updates(client, run: Run, seen: str = ""):
    return client.get(url("run_updates", run), {"seen": seen} if seen else {})


def part(client, run: Run, name: str) -> str:
    return updates(client, run).json()["parts"][name]


def cells(client, run: Run, host: str) -> dict[str, str]:
    row = next(r for r in updates(client, run).json()["rows"] if r["host"] == host)
    return dict(zip(row["slugs"], row["cells"], strict=True))


def buttons(html: str) -> set[str]:
    """The ids of the buttons of a piece."""
    return set(re.findall(r'id="mnt-([a-z-]+?)(?:-\d+)?"', html)) - {"needs-title"}


# -- the form --------------------------------------------------------------------------------


def test_the_hosts_page_leads_to_the_form(admin):
    html = shown(admin.get(INDEX))
    button = re.search(r'(?s)<button [^>]*id="mnt-roll-selected".*?</button>', html)
    assert f'formaction="{NEW}"' in button[0]
    assert "Rolling Maintenance…" in text(button[0])


def test_the_form_has_the_hosts_in_their_order_and_the_actions_of_the_settings(
    admin, room, settings
):
    settings.UKCLOUD_MAINTENANCE = settings.UKCLOUD_MAINTENANCE | {
        "ACTIONS": {"reboot": {"command": ["/bin/true", "{host}"], "time_limit": 60}}
    }
    answer = admin.get(NEW, {"host": ["cmp2", "cmp10", "cmp1"]})
    assert order(answer) == ["cmp1", "cmp2", "cmp10"]
    html = shown(answer)
    assert "Rolling Maintenance of 3 Hosts" in html
    # several at a time are several: no other limit stands beside that one unless it is entered
    assert 'value="' not in re.search(r'<input [^>]*name="per_domain"[^>]*>', html)[0]
    assert re.findall(r'<option value="([^"]*)"', html[html.index('id="id_action"') :])[:2] == [
        "",
        "reboot",
    ]


def test_hosts_are_moved_and_removed_and_what_was_entered_is_kept(admin, room):
    sent = entered("cmp1", "cmp2", "cmp3", do="up:cmp3", reason="", windows="nonsense")
    answer = admin.post(NEW, sent)
    assert order(answer) == ["cmp1", "cmp3", "cmp2"]
    assert "nonsense" in shown(answer)
    assert errors(answer) == []
    assert order(admin.post(NEW, entered("cmp1", "cmp2", do="remove:cmp1"))) == ["cmp2"]
    assert "No host is selected." in page(admin.post(NEW, entered("cmp1", do="remove:cmp1")))
    assert "No host is selected." in page(admin.get(NEW))


def test_the_aggregates_of_the_hosts_are_offered(admin, room):
    room.all_aggregates = [
        Aggregate("rack-1", hosts=("cmp1", "cmp3")),
        Aggregate("rack-2", hosts=("cmp2",)),
    ]
    html = shown(admin.get(NEW, {"host": ["cmp1", "cmp3"]}))
    assert re.findall(r'name="aggregates" value="([^"]+)"', html) == ["rack-1"]
    answer = admin.post(NEW, entered("cmp1", "cmp3", domain="aggregate"))
    assert errors(answer) == ["aggregates: Select the aggregates whose hosts fail together."]
    answer = admin.post(NEW, entered("cmp1", domain="aggregate", aggregates=["rack-9"]))
    [said] = errors(answer)
    assert said.startswith("aggregates: There is no aggregate rack-9.")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("reason", "", "reason: A reason is required: it becomes"),
        ("windows", "Mon-Fri 25:00-04:00 UTC", "windows: &#x27;25:00&#x27; is not a time of day."),
        ("windows", "daily 22:00-04:00", "windows: The window"),
        ("windows", "daily 01:00-01:05 UTC", "windows: No window is long enough for these hosts:"),
        ("at_once", "0", "at_once: Ensure this value is greater than or equal to 1."),
        ("at_once", "101", "at_once: At most 100."),
        ("max_concurrent", "1000", "max_concurrent: At most"),
        ("failures", "", "failures: Enter how many hosts may fail."),
        ("action", "format", "action: Select a valid choice."),
        ("order", "x", "order: Select a valid choice."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_written(
    admin, room, field, value, said
):
    sent = entered("cmp1", "cmp2", do="request", on_failure="skip", **{field: value})
    [found] = errors(admin.post(NEW, sent))
    assert found.startswith(said)
    assert not Run.objects.exists()


def test_a_service_that_refuses_is_heard(admin, room):
    html = page(admin.post(NEW, entered("cmp1", "gone")))
    assert "gone" in html
    assert "Review" in html
    room.failure = CloudUnreachable(message("to_list_servers", host="cmp1"), "timed out")
    answer = admin.post(NEW, entered("cmp1", "cmp2"))
    assert answer.status_code == 503
    assert "timed out" in page(answer)


# -- the review ------------------------------------------------------------------------------


def test_the_review_changes_nothing_and_says_what_would_happen(admin, room):
    room.servers_in_error = lambda: {"id-1": "err-1"}
    room.all_services.append(service("cmp4", zone="az1", state="down"))
    sent = entered("cmp2", "cmp1", order="fewest", windows="daily 00:00-24:00 UTC")
    html = shown(admin.post(NEW, sent))
    said = text(html)
    assert "2 hosts, one at a time. Ends about" in said
    assert "Nothing has been changed yet." in said
    assert "There is room for all instances of the fullest host." in said
    assert "3 moves of instances are needed; any order needs at least 3." in said
    assert "Every host fits a window." in said
    assert "1 host of the region is down already: cmp4." in said
    assert "1 instance is in ERROR already: err-1." in said
    assert re.findall(r'<tr data-host="([^"]+)"', html) == ["cmp2", "cmp1"]
    assert "1 instance, 1 GiB" in said
    assert "Fewest instances first" in said
    assert not Run.objects.exists()
    button = re.search(r'<button [^>]*value="request"[^>]*>', html)
    assert not button[0].endswith(" disabled>")
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html)
    assert ("host", "cmp2") in hidden
    assert ("reason", "new firmware") in hidden


def test_room_that_is_missing_is_named_and_no_reason_against_it(admin, room):
    room.all_servers.append(server("huge-1", host="cmp1", memory_bytes=64 * GIB))
    html = shown(admin.post(NEW, entered("cmp1", "cmp2")))
    assert "There is no room elsewhere for an instance: huge-1." in text(html)
    assert "it waits before a host until there is room" in text(html)
    assert not re.search(r'value="request"[^>]* disabled', html)


def test_a_host_that_cannot_be_drained_keeps_it_from_being_requested(admin, room, make_drain):
    make_drain("cmp2", server("db-1", host="cmp2"))
    html = shown(admin.post(NEW, entered("cmp1", "cmp2")))
    assert "1 host cannot be drained now" in text(html)
    assert re.search(r'value="request"[^>]* disabled', html)
    answer = admin.post(NEW, entered("cmp1", "cmp2", do="request"))
    assert "cmp2" in page(answer)
    assert not Run.objects.exists()


def test_going_back_keeps_what_was_entered(admin, room):
    html = shown(admin.post(NEW, entered("cmp1", do="edit", reason="fans", approval="each")))
    assert 'value="fans"' in html
    assert re.search(r'name="approval" value="each"[^>]* checked', html)


def test_it_is_requested_once_however_often_it_is_pressed(admin, room):
    sent = entered(
        *("cmp1", "cmp2"),
        do="request",
        at_once="2",
        per_domain="2",
        windows="Mon-Fri 22:00-04:00 Europe/London\n\nSat,Sun 00:00-24:00 UTC\n",
        on_failure="skip",
        failures="1",
        approval="first",
        bring_back="on",
        timeout_action="abort",
    )
    answer = admin.post(NEW, sent)
    run = Run.objects.get()
    assert answer["location"] == url("run", run)
    assert (run.reason, run.action, run.at_once, run.per_domain) == ("new firmware", "", 2, 2)
    assert run.windows == ["Mon-Fri 22:00-04:00 Europe/London", "Sat,Sun 00:00-24:00 UTC"]
    assert (run.on_failure, run.failures, run.approval) == ("skip", 1, "first")
    assert (run.bring_back, run.timeout_action, run.requested_by) == (True, "abort", "alice")
    assert [host.host for host in store.run_hosts(run)] == ["cmp1", "cmp2"]
    again = page(admin.post(NEW, sent))
    assert f"is in run {run.pk} already." in again
    assert Run.objects.count() == 1


# -- the page --------------------------------------------------------------------------------


def test_a_run_that_waits(admin, make_run):
    run = make_run("cmp1", "cmp2")
    said = page(admin.get(url("run", run)))
    assert "0 of 2 hosts are done. Waiting for a worker." in said
    assert "No worker is running." in said
    assert "Needs you" not in said
    assert "Expected end about" in said
    assert "Run requested: new firmware (2 hosts)" in said
    assert buttons(part(admin, run, "actions")) == {"pause", "add", "cancel"}
    assert updates(admin, run).json()["title"] == f"0/2 · Run {run.pk}"
    assert buttons(cells(admin, run, "cmp1")["verbs"]) == {"row-skip"}


def test_that_others_are_out_is_not_said_beside_who_is_out_nor_once_they_are_back(admin, make_run):
    others = message("hosts_out_limit", count=1, hosts=["cmp1"])
    run = make_run("cmp1", "cmp2", message=others)
    act(run, "cmp1")
    assert text(part(admin, run, "headline")) == "0 of 2 hosts are done. cmp1: waits for you."
    run = make_run("cmp3", "cmp4", message=others)
    stage(run, "cmp3", Stage.DRAINING, Stage.READY, Stage.RETURNING, Stage.DONE)
    assert text(part(admin, run, "headline")) == "1 of 2 hosts are done."


def test_a_host_that_is_yours_comes_first(admin, make_run, worker_alive):
    run = make_run("cmp1", "cmp2", "cmp3")
    fail(run, "cmp2")
    yours(run, "cmp1")
    answer = updates(admin, run).json()
    needs = answer["parts"]["needs"]
    assert re.findall(r'data-needs="\d+-(\w+)"', needs) == ["yours", "failed"]
    assert "Host cmp1 is yours" in text(needs)
    assert "It was not emptied" in text(needs)
    assert buttons(needs) == {"need-done", "need-retry", "need-skip"}
    assert answer["title"] == f"2 need you · 0/3 · Run {run.pk}"
    assert "cmp1: waits for you." in text(answer["parts"]["headline"])
    assert "waits for you</text>" in answer["parts"]["picture"]
    limit = message("hosts_out_limit", count=1, hosts=["cmp1"])
    store.change_run(run, timezone.now(), message=limit)
    assert "no more may be" not in part(admin, run, "headline")
    assert "2 need you: cmp1, cmp2." in answer["announcement"]
    assert "Yours" in cells(admin, run, "cmp1")["stage"]
    assert "by hand: waiting for a person" in cells(admin, run, "cmp1")["action"]


def test_the_maintenance_is_done_once(admin, make_run):
    run = make_run("cmp1", "cmp2")
    yours(run, "cmp1")
    for _ in range(2):
        answer = admin.post(url("steer_run_host", run), {"done": "cmp1"}, follow=True)
        assert "Host cmp1: maintenance done. It is returned to service next." in page(answer)
    [made] = RunAction.objects.all()
    assert (made.state, made.done_by) == ("done", "alice")
    assert Event.objects.filter(kind="run_action_done").count() == 1
    assert "said to be done by alice" in cells(admin, run, "cmp1")["action"]
    assert "Needs you" not in part(admin, run, "needs")


def test_a_host_that_failed_is_tried_again_or_left_out(admin, make_run):
    run = make_run("cmp1", "cmp2")
    for name in ("cmp1", "cmp2"):
        fail(run, name)
    steer = url("steer_run_host", run)
    assert "is tried again" in page(admin.post(steer, {"retry": "cmp1"}, follow=True))
    assert "is left out" in page(admin.post(steer, {"skip": "cmp2"}, follow=True))
    assert host_of(run, "cmp1").stage == Stage.WAITING
    assert host_of(run, "cmp2").stage == Stage.SKIPPED
    again = page(admin.post(steer, {"skip": "cmp2"}, follow=True))
    assert "is finished first" in again
    assert "has no host cmp9" in page(admin.post(steer, {"skip": "cmp9"}, follow=True))


def test_an_approval_is_asked_for_and_given(admin, make_run):
    run = make_run("cmp1", "cmp2", approval="each")
    assert "approve" in buttons(part(admin, run, "actions"))  # in advance
    said = message("run_waits_for_approval", host="cmp1")
    store.change_run(run, timezone.now(), message=said)
    answer = updates(admin, run).json()["parts"]
    assert "approve" not in buttons(answer["actions"])
    assert "approve" in buttons(answer["needs"])
    admin.post(url("steer_run", run), {"verb": "approve"})
    assert host_of(run, "cmp1").approved_by == "alice"
    assert host_of(run, "cmp2").approved_at is None


def test_the_host_that_is_approved_is_the_one_that_is_named(admin, make_run):
    """The first one waits for its failure domain, and lets the next one pass."""
    run = make_run("cmp1", "cmp2", approval="each")
    said = message("run_waits_for_approval", host="cmp2")
    store.change_run(run, timezone.now(), message=said)
    needs = part(admin, run, "needs")
    assert "cmp2" in needs
    assert "cmp1" not in needs
    admin.post(url("steer_run", run), {"verb": "approve"})
    assert host_of(run, "cmp2").approved_by == "alice"


def test_after_the_first_host_no_further_approval_is_offered(admin, make_run):
    run = make_run("cmp1", "cmp2", approval="first")
    admin.post(url("steer_run", run), {"verb": "approve"})
    assert "approve" not in buttons(part(admin, run, "actions"))


def test_pause_resume_and_a_second_admin(admin, make_run, log_in):
    run = make_run("cmp1", "cmp2")
    steer = url("steer_run", run)
    assert "Run paused" in page(admin.post(steer, {"verb": "pause"}, follow=True))
    assert buttons(part(admin, run, "actions")) == {"resume", "add", "cancel"}
    assert "Paused by alice" in text(part(admin, run, "headline"))
    log_in("admin", name="bob")
    # who has an older page is told
    assert "is not running" in page(admin.post(steer, {"verb": "pause"}, follow=True))
    assert "Run resumed." in page(admin.post(steer, {"verb": "resume"}, follow=True))
    record = text(part(admin, run, "record"))
    assert "bob Resume" in record
    assert "alice Pause" in record
    assert admin.post(steer, {"verb": "explode"}).status_code == 409


def test_cancel_asks_what_becomes_of_the_hosts(admin, make_run):
    run = make_run("cmp1", "cmp2", "cmp3", "cmp4")
    yours(run, "cmp1")
    stage(run, "cmp2", Stage.DRAINING)
    fail(run, "cmp3")
    said = page(admin.get(url("cancel_run", run)))
    assert "1 waiting host does not begin." in said
    assert "hosts enabled again: cmp2" in said
    assert "finished first, then returned to service: cmp1" in said
    assert "Hosts that failed stay as they are: cmp3" in said
    answer = admin.post(url("cancel_run", run), follow=True)
    assert "The run is being cancelled." in page(answer)
    assert buttons(part(admin, run, "actions")) == set()
    assert "is being cancelled" in page(admin.get(url("cancel_run", run)))
    again = admin.post(url("cancel_run", run), follow=True)
    assert "The run is being cancelled." in page(again)


def test_hosts_are_added(admin, room, make_run):
    run = make_run("cmp1", domain="none")
    add = url("add_to_run", run)
    assert errors(admin.post(add, {"hosts": " \n"})) == ["hosts: Name one host at least."]
    assert errors(admin.post(add, {"hosts": "cmp1"})) == [
        f"hosts: Host cmp1 is in run {run.pk} already. Wait until that run is over, or leave the"
        " host out of it."
    ]
    assert len(errors(admin.post(add, {"hosts": "gone"}))) == 1
    seen = updates(admin, run).json()["token"]
    answer = admin.post(add, {"hosts": "cmp3\ncmp2\n\ncmp3"}, follow=True)
    assert "2 hosts were added." in page(answer)
    assert [host.host for host in store.run_hosts(run)] == ["cmp1", "cmp3", "cmp2"]
    assert [row["host"] for row in updates(admin, run, seen).json()["rows"]] == [
        *("cmp1", "cmp3", "cmp2")
    ]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState.STOPPED, "Stopped"),
        (RunState.CANCELLING, "Cancelling"),
        (RunState.FAILED, "Finished, hosts failed"),
        (RunState.CANCELLED, "Cancelled"),
        (RunState.SUCCEEDED, "Finished"),
    ],
)
def test_every_state_has_its_words(admin, make_run, state, words):
    run = make_run("cmp1")
    if state == RunState.CANCELLED:
        store.change_run(run, timezone.now(), state="cancelling")
    store.change_run(run, timezone.now(), state=state.value, message=None)
    answer = updates(admin, run).json()
    assert words in text(answer["parts"]["state"])
    assert answer["over"] is (state in ("failed", "cancelled", "succeeded"))
    assert words in page(admin.get(RUNS))
    if answer["over"]:
        assert answer["parts"]["actions"] == ""
        assert "Expected end" not in answer["parts"]["facts"]
        assert answer["announcement"].startswith(words)


def test_what_failed_is_named_when_the_run_is_over(admin, make_run):
    run = make_run("cmp1")
    fail(run, "cmp1")
    said = message("run_failed", hosts=["cmp1"], count=1)
    store.change_run(run, timezone.now(), state="failed", message=said)
    needs = part(admin, run, "needs")
    assert "cmp1" in needs
    assert buttons(needs) == set()
    assert "Over, with a host that failed: cmp1." in text(part(admin, run, "headline"))


def test_the_output_of_a_command_is_shown_bounded_and_harmless(admin, make_run):
    run = make_run("cmp1")
    output = "first\n" + "x" * OUTPUT_SHOWN + "\n<script>alert(1)</script>\x1b[31mred\u202e end"
    act(run, "cmp1", ActionKind.COMMAND, "reboot", output=output)
    cell = cells(admin, run, "cmp1")["action"]
    assert "reboot: in progress" in cell
    assert "Output, 3 lines" in cell
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31mred\\u202e end</pre>" in cell
    assert "first" not in cell
    assert len(cell) < OUTPUT_SHOWN + 1000
    assert "done" not in buttons(cells(admin, run, "cmp1")["verbs"])  # a command runs


def test_the_drain_of_a_host_and_who_needs_somebody_in_it(admin, make_run, make_drain):
    run = make_run("cmp1")
    drain = make_drain("cmp1", server("web-1"), server("busy-1", task_state="rebooting"))
    row = stage(run, "cmp1", Stage.DRAINING)
    store.change_host(run, row, timezone.now(), drain=drain)
    store.change_drain(drain, timezone.now(), state=DrainState.RUNNING)
    cell = cells(admin, run, "cmp1")["drain"]
    assert reverse(f"{PANEL}:drain", args=[drain.pk]) in cell
    assert "0 of 2" in cell
    counts = store.counts([drain.pk])[drain.pk]
    n = counts.in_need(DrainState.RUNNING)
    assert ("instance of its drain needs a person" in part(admin, run, "needs")) is (n == 1)


# -- the picture -----------------------------------------------------------------------------


def test_the_picture_has_a_lane_a_host_what_was_and_what_is_forecast(admin, make_run):
    run = make_run("cmp1", "cmp2", windows=["daily 00:00-24:00 UTC"])
    act(run, "cmp1")
    picture = part(admin, run, "picture")
    for css in ("draining", "ready", "acting", "forecast"):
        assert f"mnt-seg-{css}" in picture, css
    assert picture.count('class="mnt-lane"') == 2
    assert 'class="mnt-window"' in picture
    assert "style=" not in picture
    assert "being drained 5:00, drained 5:00, being maintained" in text(picture)
    assert "a window is open" in text(picture)


def test_what_failed_is_told_in_the_picture_without_its_colour(admin, make_run):
    run = make_run("cmp1")
    fail(run, "cmp1")
    assert "\N{MULTIPLICATION SIGN} failed" in text(part(admin, run, "picture"))


def test_what_hosts_took_that_are_done_is_the_forecast_of_the_others(admin, make_run):
    run = make_run("cmp1", "cmp2")  # 10 minutes were thought of each
    stage(run, "cmp1", Stage.DRAINING, Stage.READY, Stage.RETURNING, Stage.DONE, minutes=1)
    begins, ends = services.openings(services.run_report(ACTOR, run.pk))[host_of(run, "cmp2").pk]
    assert ends - begins == timedelta(minutes=3)


def test_a_clock_that_was_set_back_makes_no_host_longer_and_no_action_shorter(admin, make_run):
    run = make_run("cmp1", "cmp2")
    stage(run, "cmp1", Stage.DRAINING)
    later = timezone.now() + timedelta(hours=1)
    store.change_host(run, host_of(run, "cmp1"), timezone.now(), started_at=later)
    begins, ends = services.openings(services.run_report(ACTOR, run.pk))[host_of(run, "cmp1").pk]
    assert ends - begins == timedelta(minutes=10)
    made = act(run, "cmp2", action="patch", state="done", started_at=later)
    assert made.ended_at < later
    assert store.action_seconds("patch") is None
    begun = made.ended_at - timedelta(minutes=3)
    store.change_action(run, host_of(run, "cmp2"), made, timezone.now(), started_at=begun)
    assert store.action_seconds("patch") == 180


def test_a_host_that_fits_no_window_is_said_so(admin, make_run):
    run = make_run("cmp1", windows=["daily 01:00-01:05 UTC"])
    assert "No window is long enough for: cmp1." in part(admin, run, "facts")
    assert cells(admin, run, "cmp1")["ends"] == "fits no window"


# -- updates, the record, the list -----------------------------------------------------------


def test_nothing_is_sent_while_nothing_changed(admin, make_run, worker_alive):
    run = make_run("cmp1")
    said = message("run_failed", hosts=["cmp1"], count=1)
    store.change_run(run, timezone.now(), state="failed", message=said)  # it does not tick
    seen = updates(admin, run).json()["token"]
    assert updates(admin, run, seen).status_code == 204
    store.record_of_run(run, timezone.now(), ("run_note", WORKER, message("run_goes_on")))
    assert updates(admin, run, seen).status_code == 200


def test_all_events_are_on_a_page_of_their_own(admin, make_run):
    run = make_run("cmp1")
    for _ in range(31):
        store.record_of_run(run, timezone.now(), ("run_x", WORKER, message("run_goes_on")))
    assert "2 earlier events" in text(part(admin, run, "record"))
    assert "Run requested" not in part(admin, run, "record")
    said = page(admin.get(url("run_record", run)))
    assert "Run requested: new firmware (1 host)" in said


def test_the_list_of_runs(admin, make_run):
    assert "There are no runs yet." in page(admin.get(RUNS))
    first = make_run("cmp1", "cmp2")
    stage(first, "cmp1", Stage.DRAINING, Stage.FAILED)
    make_run("cmp3", region="RegionTwo")
    said = page(admin.get(RUNS))
    assert f"Run {first.pk} Running 1 needs you 0 of 2, 1 failed (one at a time) by hand" in said
    assert said.count("new firmware") == 1
    assert "so far" in said


def test_a_run_of_another_region_is_none_here(admin, make_run):
    run = make_run("cmp1", region="RegionTwo")
    for name in ("run", "run_updates", "run_record", "cancel_run", "add_to_run"):
        assert admin.get(url(name, run)).status_code == 404, name
    for name in ("steer_run", "steer_run_host", "cancel_run", "add_to_run"):
        admin.post(url(name, run), {"verb": "pause", "skip": "cmp1", "hosts": "cmp2"})
    run.refresh_from_db()
    assert run.state == "running"
    assert [host.stage for host in store.run_hosts(run)] == ["waiting"]
    gone = reverse(f"{PANEL}:run", args=[4711])
    assert "There is no run 4711." in page(admin.get(gone))


def test_who_only_looks_is_offered_nothing(admin, make_run, monkeypatch):
    run = make_run("cmp1", "cmp2")
    yours(run, "cmp1")
    monkeypatch.setattr(session, "may", lambda request, rule: rule == RULE_VIEW)
    answer = updates(admin, run).json()
    assert answer["parts"]["actions"] == ""
    assert "Host cmp1 is yours" in text(answer["parts"]["needs"])
    assert "<button" not in answer["parts"]["needs"]
    assert all("<button" not in cell for row in answer["rows"] for cell in row["cells"])
    for where in (INDEX, reverse(f"{PANEL}:host", args=["cmp1"])):
        assert "Maintenance Done" not in page(admin.get(where))


# -- the pages of hosts ----------------------------------------------------------------------


def test_hosts_say_in_which_run_they_are_and_whose(admin, make_run, make_drain):
    test_hosts.finish(make_drain("cmp2"), DrainState.SUCCEEDED, DrainResult.EMPTY)
    store.Drain.objects.update(finished_at=timezone.now() - timedelta(hours=2))
    run = make_run("cmp1", "cmp2")
    yours(run, "cmp1")
    html = shown(admin.get(INDEX))
    for host in ("cmp1", "cmp2"):
        line = re.search(rf'(?s)<tr id="hosts__row__{host}".*?</tr>', html)[0]
        assert f'href="{url("run", run)}"' in line
        assert f"in run {run.pk}" in text(line)
        assert ("Maintenance Done" in text(line)) is (host == "cmp1")
    assert "in run" not in re.search(r'(?s)<tr id="hosts__row__cmp10".*?</tr>', html)[0]
    cell = admin.get(reverse(f"{PANEL}:host_updates")).json()["cells"]
    # in service again; that it was drained once is told of no longer
    assert text(cell["cmp2"]) == f"in run {run.pk}"
    said = page(admin.get(reverse(f"{PANEL}:host", args=["cmp1"])))
    assert f"This host is in run {run.pk} It is empty and safe to power off" in said
    assert "waits for you" not in page(admin.get(reverse(f"{PANEL}:host", args=["cmp2"])))


@pytest.mark.parametrize("back", ["", "host"])
def test_the_maintenance_is_done_from_the_pages_of_hosts(admin, make_run, back):
    run = make_run("cmp1")
    yours(run, "cmp1")
    done = reverse(f"{PANEL}:host_done", args=["cmp1"])
    answer = admin.post(done, {"back": back})
    where = reverse(f"{PANEL}:host", args=["cmp1"]) if back else INDEX
    assert answer["location"].partition("?")[0] == where
    assert RunAction.objects.get().done_by == "alice"
    said = page(admin.post(reverse(f"{PANEL}:host_done", args=["cmp2"]), follow=True))
    assert "Host cmp2 is in no run that is not over." in said


# -- hostile names ---------------------------------------------------------------------------

HOSTILE = "x\"'><img src=x onerror=alert(1)>{{7*7}}"


def test_hostile_names_stay_text(admin, cloud, make_run):
    cloud.all_services = [service(HOSTILE)]
    run = make_run(HOSTILE, reason=HOSTILE)
    yours(run, HOSTILE)
    for where in (url("run", run), url("cancel_run", run), url("run_record", run), RUNS, INDEX):
        html = shown(admin.get(where))
        assert "<img src=x" not in html, where
    answer = updates(admin, run).json()
    assert "<img src=x" not in "".join(answer["parts"].values())
    assert "<img src=x" not in "".join(cell for row in answer["rows"] for cell in row["cells"])
    assert "<img src=x" not in shown(admin.get(NEW, {"host": HOSTILE}))
    admin.post(url("steer_run_host", run), {"done": HOSTILE})
    assert RunAction.objects.get().state == "done"


def test_services_give_the_pages_what_they_need(make_run):
    run = make_run("cmp1", "cmp2")
    yours(run, "cmp1")
    places = services.run_places(ACTOR, "RegionOne")
    assert {host: services.is_yours(place) for host, place in places.items()} == {
        "cmp1": True,
        "cmp2": False,
    }
    counts = services.run_counts(ACTOR, [run])[run.pk]
    assert counts.by_stage == {"acting": 1, "waiting": 1}
    assert counts.started_at == host_of(run, "cmp1").started_at
    assert services.run_places(ACTOR, "RegionTwo") == {}


def test_a_zone_that_this_machine_does_not_know_is_no_error_of_the_page(admin, make_run):
    run = make_run("cmp1")
    Run.objects.update(windows=["daily 22:00-23:00 Nowhere/Lost"])
    assert admin.get(f"{RUNS}{run.pk}/").status_code == 200

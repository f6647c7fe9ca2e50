"""What a person must look at is said first, on every page, and its drain is no success."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.asking import request
from tests.fakes import server
from tests.panel.test_drain_page import text, updates
from tests.panel.test_hosts import rows
from tests.panel.test_plans import make_plan as make_plan
from tests.panel.test_plans import updates as plan_updates
from tests.panel.test_steering import fly
from ukcloud_maintenance import store
from ukcloud_maintenance.core.drain import needs
from ukcloud_maintenance.core.message import lines, message
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState

PANEL = "horizon:admin:maintenance"
INDEX = reverse(f"{PANEL}:index")
UNKNOWN = (MigrationState.UNKNOWN, "record_gone", "It is unknown where web-1 runs.")
ARRIVED = (
    MigrationState.FAILED,
    "arrived_error",
    "web-1 arrived in ERROR, or in a different state than before.",
)
ENDS = [
    (DrainState.SUCCEEDED, DrainResult.EMPTY),
    (DrainState.FAILED, DrainResult.INSTANCES_LEFT),
    (DrainState.FAILED, DrainResult.INSTANCES_FAILED),
    (DrainState.FAILED, DrainResult.NOT_PROVED),
    (DrainState.FAILED, DrainResult.HOST_LOST),
    (DrainState.CANCELLED, DrainResult.CANCELLED),
]


def spoil(drain, state, code):
    now = timezone.now()
    row = drain.migrations.get(server_name="web-1")
    for step in (MigrationState.SUBMITTED, MigrationState.MIGRATING, state):
        more = {"code": code, "server_status": "ERROR"} if step == state else {}
        store.change_migration(row, now, state=step, **more)


def end(drain, state, result):
    now = timezone.now()
    if state == DrainState.CANCELLED:
        store.change_drain(drain, now, state=DrainState.CANCELLING)
    store.finish_drain(drain, state, result, "", "worker", now)


@pytest.fixture(params=[UNKNOWN, ARRIVED], ids=["unknown", "arrived"])
def overtaken(request, make_drain):
    """A drain of cmp4 that runs, one instance of which is gone and one needs a look."""
    state, code, words = request.param
    drain = make_drain("cmp4", server("web-1", host="cmp4"), server("db-1", host="cmp4"))
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    store.change_migration(drain.migrations.get(server_name="db-1"), now, state=MigrationState.GONE)
    spoil(drain, state, code)
    return drain, words


def test_on_the_page_of_a_drain_that_is_open(admin, overtaken):
    drain, words = overtaken
    assert text(updates(admin, drain).json()["parts"]["headline"]).startswith(words)


@pytest.mark.parametrize(("state", "result"), ENDS)
def test_on_the_page_of_a_drain_that_is_over(admin, overtaken, state, result):
    drain, words = overtaken
    end(drain, state, result)
    data = updates(admin, drain).json()
    assert text(data["parts"]["headline"]).startswith(words)
    assert not re.search("Drained|Finished", data["parts"]["state"])
    for part in ("state", "bar"):
        assert "success" not in data["parts"][part], data["parts"][part]
    assert "still on the host" not in data["parts"]["headline"]
    assert words in data["announcement"]
    drains = admin.get(reverse(f"{PANEL}:drains")).content.decode()
    [listed] = [r for r in re.findall(r"<tr\b.*?</tr>", drains, re.DOTALL) if "cmp4" in r]
    assert not re.search("Drained|Finished|success", listed), listed


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize(("state", "result"), ENDS)
def test_in_the_list_of_hosts(admin, overtaken, state, result, safe):
    drain, words = overtaken
    if safe:
        store.join_maintenance(
            drain, found_status="enabled", found_reason="", service_id="s", now=timezone.now()
        )
    end(drain, state, result)
    if safe:
        now = timezone.now()
        found = store.open_maintenance("RegionOne", "cmp4")
        store.verified(found, checks=[], safe=True, why="", looked_at=now, actor="worker", now=now)
    first = words.replace("web-1", "1 instance").rstrip(".")
    cell = rows(admin.get(INDEX))["cmp4"][7]
    assert cell.startswith(first)
    assert ("safe to power off" in cell) == safe
    html = admin.get(reverse(f"{PANEL}:host_updates")).json()["cells"]["cmp4"]
    assert "text-danger" in html
    assert "text-success" not in html


@pytest.mark.parametrize(("state", "result"), ENDS)
def test_on_the_page_of_a_plan(admin, make_plan, state, result):
    plan = make_plan("cmp1", "cmp2")
    for drain in store.drains_of_plan(plan.pk):
        now = timezone.now()
        store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
        for row in store.migrations(drain):
            store.change_migration(row, now, state=MigrationState.GONE)
    drain = store.drains_of_plan(plan.pk)[1]
    row = store.migrations(drain)[0]
    drain.migrations.filter(pk=row.pk).update(state=MigrationState.UNKNOWN)
    end(store.drains_of_plan(plan.pk)[0], DrainState.SUCCEEDED, DrainResult.EMPTY)
    end(drain, state, result)
    data = plan_updates(admin, plan).json()
    first = "It is unknown where 1 instance runs."
    assert data["parts"]["headline"].startswith(first)
    assert "All drained" not in data["parts"]["state"]
    for part in ("state", "bar"):
        assert "success" not in data["parts"][part]
    assert "hosts are empty" not in data["parts"]["headline"]
    listed = admin.get(reverse(f"{PANEL}:plans")).content.decode()
    assert "All drained" not in listed


# -- the list of those that need a person ----------------------------------------------------

SITUATIONS = {
    "unknown": {"state": MigrationState.UNKNOWN, "code": "error_after_abort"},
    "wrong": {"state": MigrationState.FAILED, "code": "arrived_error", "server_status": "ERROR"},
    "endless": {"state": MigrationState.MIGRATING, "course": "not_converging"},
    "failed": {"state": MigrationState.FAILED, "code": "no_valid_host"},
    "aborted": {"state": MigrationState.FAILED, "code": "aborted"},
    "blocked": {"state": MigrationState.BLOCKED, "code": "task_state"},
    "well": {"state": MigrationState.MIGRATING, "course": "converging"},
}
#: what is offered for each, in the order of the list
LISTED = {
    "unknown": ["View Evidence…"],
    "wrong": [],
    "endless": ["Force Complete…", "Abort…"],
    "failed": ["Retry", "Skip…"],
    "aborted": ["Retry", "Skip…"],
    "blocked": ["Retry", "Skip…"],
}


@pytest.fixture
def needy(make_drain):
    """A drain of cmp4 that runs, with an instance for every reason to need a person."""
    drain = make_drain("cmp4", *(server(name, host="cmp4") for name in SITUATIONS))
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    for row in drain.migrations.all():
        fields = SITUATIONS[row.server_name]
        steps = [fields["state"]]
        if fields["state"] != MigrationState.BLOCKED:
            steps = [MigrationState.SUBMITTED, MigrationState.MIGRATING, *steps]
        for step in dict.fromkeys(steps):
            more = {k: v for k, v in fields.items() if k != "state"} if step == steps[-1] else {}
            if step == MigrationState.MIGRATING:
                more |= {"nova_migration_id": row.pk, "nova_status": "running"}
            store.change_migration(row, now, state=step, **more)
    return drain


def verbs_of(item_html):
    found = re.findall(r'<(?:a|button)[^>]*class="btn[^>]*>([^<]*)<', item_html)
    return [one.strip() for one in found]


def test_the_list_leads_the_page_of_a_drain_with_what_helps(admin, needy):
    data = updates(admin, needy).json()
    items = re.findall(r"<li data-needs.*?</li>", data["parts"]["needs"], re.DOTALL)
    shown = {re.search(r"<a href[^>]*>([^<]*)</a>", i).group(1): verbs_of(i) for i in items}
    assert shown == LISTED
    assert list(shown) == list(LISTED)
    assert "Needs you" in data["parts"]["needs"]
    assert data["title"] == "6 need you · 1/7 · cmp4"
    assert text(data["parts"]["headline"]) == "6 need you. 1 of 7 instances have left."
    assert "warning" in data["parts"]["bar"]
    assert "label-warning" in data["parts"]["state"]


def test_what_is_aborted_is_no_failure_in_the_table(admin, needy):
    cells = {r["name"]: r["cells"] for r in updates(admin, needy).json()["rows"]}
    assert text(cells["aborted"][3][0]) == "Aborted"
    assert "danger" not in cells["aborted"][3][0]
    assert text(cells["failed"][3][0]) == "Failed"
    counts = text(updates(admin, needy).json()["parts"]["counts"])
    assert "2 failed" in counts  # and the one that arrived wrong
    assert counts.endswith("1 aborted")


def test_what_helps_without_a_question_is_done_from_the_list(admin, needy):
    page = admin.get(reverse(f"{PANEL}:drain", args=[needy.pk])).content.decode()
    found = re.search(r'form="mnt-one"\s+formaction="([^"]*)" name="row" value="(\d+)"', page)
    assert admin.post(found[1], {"row": found[2]}).status_code == 302
    assert needy.migrations.get(pk=found[2]).state == MigrationState.PENDING


def test_the_list_is_empty_where_nobody_is_needed(admin, make_drain):
    drain = make_drain("cmp4", server("web-1", host="cmp4"))
    data = updates(admin, drain).json()
    assert data["parts"]["needs"] == ""
    assert data["title"] == "0/1 · cmp4"


def test_only_blocked_ones_are_waited_for(admin, needy, settings):
    settings.UKCLOUD_MAINTENANCE = {"BLOCKED_WAIT_SECONDS": 600}
    now = timezone.now()
    needy.migrations.exclude(server_name="blocked").delete()
    type(needy).objects.filter(pk=needy.pk).update(blocked_since=now)
    headline = text(updates(admin, needy).json()["parts"]["headline"])
    until = timezone.localtime(now + timedelta(seconds=600))
    assert headline.startswith(
        f"Nothing is moving. Waiting until {until:%H:%M} for blocked, then the drain ends as"
        " failed."
    )
    assert re.search(r"failed\. \d+:\d\d left\. 0 of 1 instance has left\.$", headline)


def test_a_wait_that_is_over_is_not_said_to_go_on(admin, needy, settings):
    """No worker has ended it yet."""
    settings.UKCLOUD_MAINTENANCE = {"BLOCKED_WAIT_SECONDS": 600}
    needy.migrations.exclude(server_name="blocked").delete()
    long_ago = timezone.now() - timedelta(hours=1)
    type(needy).objects.filter(pk=needy.pk).update(blocked_since=long_ago)
    data = updates(admin, needy).json()
    assert text(data["parts"]["headline"]) == (
        "Nothing is moving. The wait for blocked has ended; the drain ends as failed."
        " 0 of 1 instance has left."
    )


@pytest.mark.parametrize("other", ["well", "joined"])
def test_what_moves_is_not_said_to_stand_still(admin, needy, other):
    """Before the worker has seen that it no longer waits alone."""
    needy.migrations.exclude(server_name__in=["blocked", "well"]).delete()
    if other == "joined":
        needy.migrations.filter(server_name="well").update(state=MigrationState.PENDING)
    type(needy).objects.filter(pk=needy.pk).update(blocked_since=timezone.now())
    headline = text(updates(admin, needy).json()["parts"]["headline"])
    assert headline == "blocked is blocked. 0 of 2 instances have left."


def test_nothing_is_waited_for_once_the_window_is_over(admin, needy):
    now = timezone.now()
    needy.migrations.exclude(server_name="blocked").delete()
    past = now - timedelta(minutes=1)
    type(needy).objects.filter(pk=needy.pk).update(blocked_since=now, stop_at=past)
    assert text(updates(admin, needy).json()["parts"]["headline"]) == (
        "blocked is blocked. Its window has ended: no new migrations start; those in progress"
        " finish. 0 of 1 instance has left."
    )


def test_a_failure_and_the_wait_for_others_are_both_announced(admin, needy):
    needy.migrations.exclude(server_name__in=["blocked", "failed"]).delete()
    type(needy).objects.filter(pk=needy.pk).update(blocked_since=timezone.now())
    said = updates(admin, needy).json()["announcement"]
    assert "failed failed. Nothing is moving. Waiting until" in said


def test_the_lists_count_them_by_queries_as_the_page_does_by_rows(admin, needy):
    by_query = store.counts([needy.pk])[needy.pk]
    assert by_query == store.counts_of(needy, store.migrations(needy))
    for state in DrainState:
        found = needs.in_need(store.migrations(needy), state)
        assert by_query.in_need(state) == len(found), state
    html = admin.get(reverse(f"{PANEL}:host_updates")).json()["cells"]["cmp4"]
    assert "6 need you" in text(html)
    assert "6 need you" in text(admin.get(reverse(f"{PANEL}:drains")).content.decode())


@pytest.mark.parametrize(
    ("nova_status", "asked", "needed"),
    [
        ("running", None, 1),
        ("running", {"kind": "abort"}, 0),
        ("running", {"kind": "abort", "tries": 1}, 0),
        ("running", {"kind": "abort", "taken_at": "now"}, 0),
        ("running", {"kind": "abort", "state": "refused", "tries": 1}, 1),
        ("running", {"kind": "abort", "state": "withdrawn"}, 1),
        # what a cancel sent may have been taken, though Nova refused it
        ("running", {"kind": "abort", "state": "refused", "tries": 1, "by": "cancel"}, 0),
        ("running", {"kind": "force_complete"}, 0),
        ("running", {"kind": "force_complete", "taken_at": "now"}, 0),
        ("running", {"kind": "force_complete", "state": "refused", "tries": 1}, 1),
        ("running", {"kind": "abort", "taken_at": "now", "attempt": 0}, 1),
        ("running (post-copy)", None, 0),
        ("post-migrating", None, 0),
    ],
)
def test_the_lists_do_not_count_what_ends_by_itself_or_is_seen_to(
    admin, needy, nova_status, asked, needed
):
    """Before the worker has looked again as well: the pages would contradict each other."""
    needy.migrations.exclude(server_name="endless").delete()
    row = store.migrations(needy)[0]
    store.change_migration(row, timezone.now(), nova_status=nova_status, late_since=timezone.now())
    if asked:
        fields = dict(asked)
        if "taken_at" in fields:
            fields["taken_at"] = timezone.now()
        if "attempt" in fields:
            fields["attempt_number"] = fields.pop("attempt")
        request(row, fields.pop("kind"), fields.pop("by", "bob"), **fields)
    assert store.counts([needy.pk])[needy.pk].in_need(DrainState.RUNNING) == needed
    assert store.counts_of(needy, store.migrations(needy)).in_need(DrainState.RUNNING) == needed
    assert bool(updates(admin, needy).json()["parts"]["needs"]) == bool(needed)


def test_what_is_aborted_neither_times_out_nor_is_late(admin, needy):
    needy.migrations.exclude(server_name="endless").delete()
    now = timezone.now()
    row = store.migrations(needy)[0]
    type(needy).objects.filter(pk=needy.pk).update(timeout_action="abort")
    store.change_migration(row, now, late_since=now, running_since=now)
    [shown] = updates(admin, needy).json()["rows"]
    assert "Late" in text(shown["cells"][3][0])
    assert "it is then aborted" in text(shown["cells"][11][0])
    request(row, "abort", "bob")
    [shown] = updates(admin, needy).json()["rows"]
    assert text(shown["cells"][3][0]) == "Migrating"
    assert text(shown["cells"][11][0]) == "Abort requested by bob."


@pytest.mark.parametrize(
    ("course", "words"), [("not_converging", "not converging"), ("stalled", "stalled")]
)
def test_why_there_is_no_estimate_is_what_the_row_says(admin, make_plan, course, words):
    plan = make_plan("cmp1")
    [drain] = store.drains_of_plan(plan.pk)
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    row = store.migrations(drain)[0]
    fly(row, course=course, running_since=now)
    said = f"no estimate: a migration is {words}"
    assert said in text(updates(admin, drain).json()["parts"]["facts"])
    assert said in text(plan_updates(admin, plan).json()["parts"]["facts"])


def test_the_list_leads_the_page_of_a_plan(admin, make_plan):
    plan = make_plan("cmp1", "cmp2")
    drain = store.drains_of_plan(plan.pk)[1]
    row = store.migrations(drain)[0]
    store.change_migration(row, timezone.now(), state=MigrationState.BLOCKED, code="task_state")
    data = plan_updates(admin, plan).json()
    assert data["title"].startswith("1 needs you · ")
    assert data["parts"]["headline"].startswith("1 needs you.")
    assert "primary" not in data["parts"]["state"] + data["parts"]["bar"]
    shown = text(data["parts"]["needs"])
    assert f"{row.server_name} ( cmp2 ) Blocked" in shown
    assert reverse(f"{PANEL}:drain", args=[drain.pk]) in data["parts"]["needs"]


def test_what_helps_is_at_hand_on_the_page_of_a_plan_too(admin, needy):
    plan = store.create_plan(
        region="RegionOne",
        reason="firmware",
        hosts_at_once=1,
        actor_id="id-of-alice",
        actor="alice",
        now=timezone.now(),
    )
    type(needy).objects.filter(pk=needy.pk).update(plan=plan)
    needy.refresh_from_db()
    data = plan_updates(admin, plan).json()
    items = re.findall(r"<li data-needs.*?</li>", data["parts"]["needs"], re.DOTALL)
    shown = {re.search(r"<a href[^>]*>([^<]*)</a>", i).group(1): verbs_of(i) for i in items}
    assert shown == {name: [*verbs, "View Drain"] for name, verbs in LISTED.items()}

    # what needs no question is done, and the admin stays with the plan
    page = admin.get(reverse(f"{PANEL}:plan", args=[plan.pk])).content.decode()
    assert 'id="mnt-one"' in page
    assert '<input type="hidden" name="back" value="plan">' in page
    failed = needy.migrations.get(server_name="failed")
    retry = f'formaction="([^"]*/retry/)" name="row" value="{failed.pk}"'
    answer = admin.post(re.search(retry, page)[1], {"row": failed.pk, "back": "plan"})
    assert answer["Location"] == reverse(f"{PANEL}:plan", args=[plan.pk])
    failed.refresh_from_db()
    assert failed.state == MigrationState.PENDING
    # of a drain that is in no plan it leads to the drain
    type(needy).objects.filter(pk=needy.pk).update(plan=None)
    blocked = needy.migrations.get(server_name="blocked")
    answer = admin.post(
        re.search(retry.replace(str(failed.pk), str(blocked.pk)), page)[1],
        {"row": blocked.pk, "back": "plan"},
    )
    assert answer["Location"] == reverse(f"{PANEL}:drain", args=[needy.pk])


def test_a_drain_that_ended_says_once_what_is_left(admin, needy):
    """The list has them; the alert does not repeat it."""
    left = [
        message("instance_left", name=name, state="failed", why=message("came_back"))
        for name in ("failed", "stays-1")
    ]
    # another instance of the same name, that stays
    left.append(message("instance_left", name="failed", state="stays", why=message("came_back")))
    said = lines(message("left_host", done=0, total=7), *left)
    needy.migrations.filter(server_name="endless").update(state=MigrationState.GONE)
    store.finish_drain(
        needy, DrainState.FAILED, DrainResult.INSTANCES_FAILED, said, "worker", timezone.now()
    )
    data = updates(admin, needy).json()
    assert "failed" in needs_names(data)
    assert "stays-1" in data["parts"]["message"]
    assert text(data["parts"]["message"]).count("failed (") == 1  # the other one


def needs_names(data):
    return re.findall(r"<li data-needs[^>]*><div><a [^>]*>([^<]*)<", data["parts"]["needs"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("endless", "endless is not converging."),
        ("failed", "failed failed."),
        ("aborted", "aborted was aborted."),
        ("blocked", "blocked is blocked."),
    ],
)
def test_one_reason_is_said_in_the_headline(admin, needy, name, words):
    needy.migrations.exclude(server_name=name).delete()
    headline = text(updates(admin, needy).json()["parts"]["headline"])
    assert headline == f"{words} 0 of 1 instance has left."


def test_announced_is_what_changes_for_a_person_and_not_each_instance(admin, make_drain):
    """A quarter of the way, who needs a person, a skip, a pause, and the end."""
    drain = make_drain("cmp4", *(server(f"web-{n}", host="cmp4") for n in range(8)))
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    rows_ = list(store.migrations(drain))

    def said():
        return updates(admin, drain).json()["announcement"]

    heard = [said()]
    for row in rows_[:4]:
        store.change_migration(row, now, state=MigrationState.GONE)
        heard.append(said())
    assert list(dict.fromkeys(heard)) == [
        "cmp4: Running.",
        "cmp4: Running. 25 % of the instances have left.",
        "cmp4: Running. 50 % of the instances have left.",
    ]
    store.change_migration(rows_[4], now, state=MigrationState.BLOCKED, code="task_state")
    assert said().endswith("have left. web-4 is blocked.")
    store.change_migration(rows_[5], now, state=MigrationState.SKIPPED)
    assert "1 skipped." in said()
    drain.refresh_from_db()
    store.change_drain(drain, now, state=DrainState.PAUSED)
    assert said().startswith("cmp4: Paused.")
    html = admin.get(reverse(f"{PANEL}:drain", args=[drain.pk])).content.decode()
    assert f'data-announced="{said()}"' in html  # no news to whoever opens the page

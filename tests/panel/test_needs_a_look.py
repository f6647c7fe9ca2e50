"""What a person must look at is said first, on every page, and its drain is no success."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.fakes import server
from tests.panel.test_drain_page import text, updates
from tests.panel.test_hosts import rows
from tests.panel.test_plans import make_plan as make_plan
from tests.panel.test_plans import updates as plan_updates
from ukcloud_maintenance import store
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

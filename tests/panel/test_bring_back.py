"""What brings instances back to a host is a drain in the other direction: the pages tell it so."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.fakes import server
from tests.panel.test_drain_page import text
from tests.panel.test_hosts import rows as host_rows
from tests.panel.test_steering import actions, fly, put, rows_of, updates
from ukcloud_maintenance import store
from ukcloud_maintenance.core.states import Direction, DrainResult, DrainState, MigrationState

PANEL = "horizon:admin:maintenance"
INDEX = reverse(f"{PANEL}:index")


@pytest.fixture
def back(make_drain, worker_alive):
    """cmp4 was drained; a bring-back to it runs, of four instances."""
    now = timezone.now()
    away = make_drain("cmp4", server("left", host="cmp4"))
    store.change_drain(away, now, state=DrainState.RUNNING, started_at=now)
    store.change_migration(store.migrations(away)[0], now, state=MigrationState.GONE)
    store.finish_drain(away, DrainState.SUCCEEDED, DrainResult.EMPTY, "", "worker", now)
    made = make_drain("cmp4", *(server(name) for name in "abcd"), destination="cmp4")
    type(made).objects.filter(pk=made.pk).update(direction=Direction.BACK.value)
    made.refresh_from_db()
    store.change_drain(made, now, state=DrainState.RUNNING, started_at=now)
    put(rows_of(made)["a"], "succeeded")
    return made


def test_who_needs_a_person_is_said_in_the_lists_and_its_state(admin, back):
    put(rows_of(back)["b"], "failed")
    fly(rows_of(back)["c"], course="not_converging")
    state = updates(admin, back)["parts"]["state"]
    assert "label-warning" in state
    assert "label-primary" not in state
    assert "2 need you" in host_rows(admin.get(INDEX))["cmp4"][7]
    cell = admin.get(reverse(f"{PANEL}:host_updates")).json()["cells"]["cmp4"]
    assert text(cell) == "instances being brought back 2 need you"


def test_what_it_waits_for_is_said_with_the_time_that_is_left(admin, back):
    back.migrations.exclude(server_name__in=["a", "b"]).delete()
    put(rows_of(back)["b"], "blocked")
    type(back).objects.filter(pk=back.pk).update(blocked_since=timezone.now())
    headline = text(updates(admin, back)["parts"]["headline"])
    assert re.fullmatch(
        r"Nothing is moving\. Waiting until \S+ for b, then the bring-back ends as failed\."
        r" \d+:\d\d left\. 1 of 2 instances are back on cmp4\.",
        headline,
    )
    long_ago = timezone.now() - timedelta(days=1)
    type(back).objects.filter(pk=back.pk).update(blocked_since=long_ago)
    assert text(updates(admin, back)["parts"]["headline"]) == (
        "Nothing is moving. The wait for b has ended; the bring-back ends as failed."
        " 1 of 2 instances are back on cmp4."
    )


def test_its_progress_is_told_as_one_that_comes_back(admin, back):
    data = updates(admin, back)
    assert data["announcement"] == "cmp4: Running. 25 % of the instances are back."
    assert 'aria-label="Instances that are back"' in data["parts"]["bar"]


def test_the_page_of_its_host_leads_to_it_by_its_name(admin, back):
    html = admin.get(reverse(f"{PANEL}:host", args=["cmp4"])).content.decode()
    assert "View Bring-Back (1 of 4)" in text(html)
    assert "View Drain" not in html


def test_one_that_is_paused_before_it_began_and_one_without_instances(admin, make_drain):
    made = make_drain("cmp4", destination="cmp4")
    type(made).objects.filter(pk=made.pk).update(direction=Direction.BACK.value)
    made.refresh_from_db()
    store.change_drain(made, timezone.now(), state=DrainState.PAUSED)
    headline = text(updates(admin, made)["parts"]["headline"])
    assert headline.endswith("Resume the bring-back to start it.")
    assert "Resume Bring-Back" in actions(admin, made)
    html = admin.get(reverse(f"{PANEL}:drain", args=[made.pk])).content.decode()
    assert "There was no instance to bring back." in html
    assert "There was no instance on the host" not in html

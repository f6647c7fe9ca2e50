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
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import Direction, DrainResult, DrainState, MigrationState
from ukcloud_maintenance.exceptions import CloudUnreachable

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


def test_one_that_ended_long_ago_needs_nobody_in_the_list(admin, back):
    put(rows_of(back)["b"], "failed")
    back.migrations.filter(server_name__in=["c", "d"]).delete()
    back.refresh_from_db()
    result = DrainResult.INSTANCES_FAILED
    store.finish_drain(back, DrainState.FAILED, result, "", "worker", timezone.now())
    html = text(admin.get(reverse(f"{PANEL}:drains")).content.decode())
    assert "Not all brought back" in html
    assert "need" not in html[html.index(f"Bring-back {back.pk}") :].partition("new kernel")[0]


def test_what_keeps_it_from_beginning_is_said_once_and_nothing_else(admin, make_drain):
    """A worker is not what it waits for."""
    made = make_drain("cmp4", server("a"), destination="cmp4")
    waits = message("waits_for_service")
    type(made).objects.filter(pk=made.pk).update(direction=Direction.BACK.value, message=waits)
    shown = updates(admin, made)["parts"]
    assert text(shown["headline"]) == "Waiting for the host to be back in service."
    assert shown["message"] == ""
    assert "Waiting for a worker" not in str(shown)


def said(response) -> str:
    [(_kind, words)] = response.json()["messages"]
    return words


SCRIPT = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest", "HTTP_ACCEPT": "application/json, text/html"}


def test_what_is_done_with_it_is_told_and_asked_as_such(admin, back):
    def url(name: str) -> str:
        return reverse(f"{PANEL}:{name}", args=[back.pk])

    fly(rows_of(back)["b"])
    admin.post(url("pause_drain"), **SCRIPT)
    assert said(admin.post(url("resume_drain"), **SCRIPT)) == "Bring-back resumed."
    fields = {"max_concurrent": "3", "timeout_action": "warn"}
    assert said(admin.post(url("change_drain"), fields, **SCRIPT)) == "The bring-back was changed."
    shown = text(admin.get(url("cancel_drain")).content.decode())
    assert "Cancel the bring-back of instances to host cmp4?" in shown
    assert f"Bring-back {back.pk}" in shown  # where the page is
    assert "The bring-back waits for that for a limited time." in shown
    assert "Each instance keeps running where it is" in shown
    told = said(admin.post(url("cancel_drain"), {"in_progress": "finish"}, **SCRIPT))
    assert told.startswith("The bring-back is being cancelled: ")
    shown = text(admin.get(url("cancel_drain")).content.decode())
    assert "The bring-back of instances to host cmp4 is already being cancelled." in shown
    told = said(admin.post(url("cancel_drain"), {"in_progress": "abort"}, **SCRIPT))
    assert told.endswith("those in progress are aborted.")


def test_one_that_has_not_begun_is_cancelled_as_such(admin, make_drain):
    made = make_drain("cmp4", server("a"), destination="cmp4")
    type(made).objects.filter(pk=made.pk).update(direction=Direction.BACK.value)
    answer = admin.post(reverse(f"{PANEL}:cancel_drain", args=[made.pk]), **SCRIPT)
    assert said(answer).startswith("The bring-back was cancelled before it started")


def test_it_is_reached_where_nova_does_not_answer(admin, back, cloud):
    put(rows_of(back)["b"], "failed")
    cloud.failure = CloudUnreachable("list the compute services", "connection refused")
    html = text(admin.get(INDEX).content.decode())
    assert f"Bring-back {back.pk} (cmp4): 1 of 4 1 needs you" in html

"""Steering from the drain page: what is offered to whom in which state, and that it is done."""

import dataclasses
import html
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openstack_auth import policy as auth_policy

from tests.asking import request, wanted
from tests.fakes import GIB, server, service
from tests.panel import test_hosts
from ukcloud_maintenance import services, store
from ukcloud_maintenance.content.maintenance.common import fields, session
from ukcloud_maintenance.content.maintenance.drains import course
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.copying.duration import Forecast, nominal_seconds
from ukcloud_maintenance.core.drain import LATE_ERROR
from ukcloud_maintenance.core.host.certificate import Check
from ukcloud_maintenance.core.host.evidence import Evidence
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.message import text as plain
from ukcloud_maintenance.core.states import (
    Direction,
    DrainResult,
    DrainState,
    MigrationState,
    RequestKind,
    ReturnResult,
)
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import InstanceMigration, Request

PANEL = "horizon:admin:maintenance"
AJAX = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}
SCRIPT = AJAX | {"HTTP_ACCEPT": "application/json, text/html"}
MIB = 1024**2

#: every kind of situation of an instance, and what is offered for it while the drain runs
OFFERED = {
    "waits": {"first", "skip"},
    "blocked": {"retry", "retry_on", "skip"},
    "submitted": set(),
    "accepted": set(),
    "queued": {"abort"},
    "preparing": {"abort"},
    "running": {"abort", "force"},
    "paused_guest": {"abort"},
    "requested": set(),
    "aborting": set(),
    "forced": {"abort"},
    "post_copy": set(),
    "cold": set(),
    "succeeded": set(),
    "gone": set(),
    "failed": {"retry", "retry_on", "skip"},
    "arrived_in_error": set(),
    "skipped": {"retry", "retry_on"},
    "stays": set(),
    "late_error": {"reset"},
    "unknown": set(),
}
SLUGS = ("retry", "retry_on", "first", "skip", "abort", "force", "reset")
CONFIRMED = {"retry_on", "skip", "abort", "force", "reset"}
#: the rule of the policy of each
RULES = {
    "retry": "steer",
    "retry_on": "steer",
    "first": "steer",
    "skip": "steer",
    "abort": "abort",
    "force": "force_complete",
    "reset": "reset",
    "pause_drain": "steer",
    "resume_drain": "steer",
    "retry_failed": "steer",
    "change_drain": "steer",
    "cancel_drain": "cancel",
}


def text(fragment: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", fragment))).strip()


def url(slug: str, drain) -> str:
    return reverse(f"{PANEL}:instances_{slug}", args=[drain.pk])


def drain_url(name: str, drain) -> str:
    return reverse(f"{PANEL}:{name}", args=[drain.pk])


def updates(client, drain) -> dict:
    return client.get(drain_url("updates", drain), **AJAX).json()


def verbs(client, drain) -> dict[str, set[str]]:
    """What is offered for each instance."""
    return {row["name"]: set(row["verbs"]) for row in updates(client, drain)["rows"]}


def actions(client, drain) -> list[str]:
    """The buttons of the drain."""
    shown = updates(client, drain)["parts"]["actions"]
    found = re.findall(r">([^<>]+)</(?:a|button)>", shown)
    return [one.rstrip("\N{HORIZONTAL ELLIPSIS}") for one in found]


def messages_of(response) -> list[list[str]]:
    return response.json()["messages"]


def fly(row, **more) -> InstanceMigration:
    now = timezone.now()
    first = {"method": more.pop("method", "live"), "attempts": 1, "started_at": now}
    first["initial_status"] = more.pop("initial_status", "ACTIVE")
    store.change_migration(row, now, state=MigrationState.SUBMITTED, **first)
    if more.pop("submitted", False):
        return row
    given = {"nova_status": "running", "nova_migration_id": 7, "dest_compute": "cmp2"} | more
    store.change_migration(row, now, state=MigrationState.MIGRATING, **given)
    return row


def put(row, situation: str) -> None:
    """Bring a row that waits into a situation."""
    now = timezone.now()

    def end(state: MigrationState, **more) -> None:
        fly(row)
        store.change_migration(row, now, state=state, **more)

    known = {
        "waits": lambda: None,
        "blocked": lambda: store.change_migration(row, now, state=MigrationState.BLOCKED),
        "submitted": lambda: fly(row, submitted=True),
        "paused_guest": lambda: fly(row, initial_status="PAUSED"),
        "requested": lambda: request(fly(row), "abort", "bob"),
        "aborting": lambda: request(fly(row), "abort", "bob", taken_at=now),
        "forced": lambda: request(fly(row), "force_complete", "bob", taken_at=now),
        "post_copy": lambda: fly(row, nova_status="running (post-copy)"),
        "cold": lambda: fly(row, method="cold"),
        "succeeded": lambda: end(MigrationState.SUCCEEDED),
        "gone": lambda: end(MigrationState.GONE),
        "failed": lambda: end(MigrationState.FAILED, message="No valid host was found."),
        "arrived_in_error": lambda: end(MigrationState.FAILED, code="arrived_error"),
        "skipped": lambda: store.change_migration(row, now, state=MigrationState.SKIPPED),
        "stays": lambda: store.change_migration(row, now, state=MigrationState.STAYS),
        "late_error": lambda: end(MigrationState.UNKNOWN, code=LATE_ERROR, message="In ERROR."),
        "unknown": lambda: end(MigrationState.UNKNOWN, code="left_flying"),
    }
    known.get(situation, lambda: fly(row, nova_status=situation))()


@pytest.fixture
def drain(make_drain):
    """A drain that runs, with an instance in every situation."""
    drain = make_drain("cmp1", *(server(name) for name in OFFERED))
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now, did_disable=True)
    for row in store.migrations(drain):
        put(row, row.server_name)
    return drain


def rows_of(drain) -> dict:
    return {row.server_name: row for row in store.migrations(drain)}


@pytest.fixture
def denied(settings, tmp_path, fresh_policy):
    """Take rules away from everybody."""

    def deny(*rules: str) -> None:
        policy = tmp_path / "policy.yaml"
        policy.write_text("".join(f'"maintenance:{rule}": "!"\n' for rule in rules))
        settings.POLICY_FILES = {**settings.POLICY_FILES, session.SCOPE: str(policy)}
        auth_policy.reset()

    return deny


EVIDENCE = Evidence(
    (
        Check("server_in_error", True, plain("The instance is in ERROR.")),
        Check(
            "guest_runs", True, plain("The hypervisor of cmp1 reports that the guest is running.")
        ),
    ),
    True,
    plain("Nova 33 and 34 do this after an abort."),
    (),
    datetime(2026, 11, 23, 8, 0, tzinfo=UTC),
)
INCOMPLETE = dataclasses.replace(
    EVIDENCE,
    checks=(
        EVIDENCE.checks[0],
        Check(
            "guest_runs",
            False,
            plain("cmp1 did not report that the guest runs there."),
            (plain("timed out"),),
        ),
    ),
    complete=False,
    meaning=plain("It is not certain where the guest of this instance runs."),
    by_hand=(plain("On cmp1 and on cmp2: virsh list --all."),),
)


@pytest.fixture
def evidence(monkeypatch):
    """What is read of a real Nova is tested with a real one."""
    found = [EVIDENCE]
    monkeypatch.setattr(services, "evidence", lambda actor, cloud, drain_id, row_id: found[0])
    return found


# -- what is offered -------------------------------------------------------------------------


def test_each_instance_is_offered_what_can_be_done_with_it(admin, drain, evidence):
    assert verbs(admin, drain) == OFFERED
    page = admin.get(drain_url("drain", drain)).content.decode()
    for row in store.migrations(drain):
        shown = re.search(rf'data-id="{row.pk}"[^>]*data-verbs="([^"]*)"', page).group(1)
        assert set(shown.split()) == OFFERED[row.server_name]


@pytest.mark.parametrize(
    ("state", "left"),
    [
        (DrainState.PAUSED, set(SLUGS)),
        (DrainState.FAILED, {"retry", "retry_on", "reset"}),
        (DrainState.CANCELLING, {"abort", "force", "reset"}),
        (DrainState.CANCELLED, {"reset"}),
    ],
)
def test_what_needs_a_drain_that_goes_on_is_not_offered_in_one_that_does_not(
    admin, drain, state, left
):
    type(drain).objects.filter(pk=drain.pk).update(state=state.value)
    assert verbs(admin, drain) == {name: slugs & left for name, slugs in OFFERED.items()}


@pytest.mark.parametrize("slug", SLUGS)
def test_each_verb_is_done_where_it_is_offered_and_refused_where_it_is_not(
    admin, drain, evidence, slug
):
    """Every verb on every situation, as a form without a script posts it."""
    for name, offered in OFFERED.items():
        row = rows_of(drain)[name]
        before = (row.state, wanted(row), row.position, row.destination)
        data = {"row": row.pk, "confirmed": "yes", "destination": "cmp10"}
        response = admin.post(url(slug, drain), data)
        assert response.status_code == 302, name
        assert response["location"] == drain_url("drain", drain)
        row = rows_of(drain)[name]
        after = (row.state, wanted(row), row.position, row.destination)
        assert (before != after) is (slug in offered), name
        expected = {
            "retry": ("pending", ""),
            "retry_on": ("pending", ""),
            "first": ("pending", ""),
            "skip": ("skipped", ""),
            "abort": ("migrating", "abort"),
            "force": ("migrating", "force_complete"),
            "reset": ("unknown", "reset"),
        }
        if slug in offered:
            assert (row.state, wanted(row)) == expected[slug], name
    assert drain.events.filter(actor="alice").exists()


@pytest.mark.parametrize("slug", SLUGS)
def test_looking_changes_nothing_and_a_form_without_the_confirmation_is_asked_for_it(
    admin, drain, evidence, slug
):
    name = next(name for name, slugs in OFFERED.items() if slug in slugs)
    row = rows_of(drain)[name]
    revision = store.revision(drain.pk)
    for headers in ({}, AJAX):
        shown = admin.get(url(slug, drain), {"row": row.pk}, **headers).content.decode()
        assert 'name="confirmed" value="yes"' in shown
        assert f'name="row" value="{row.pk}"' in shown
        assert "csrfmiddlewaretoken" in shown
        assert name in shown
    if slug in CONFIRMED:
        asked = admin.post(url(slug, drain), {"row": row.pk})
        assert 'name="confirmed" value="yes"' in asked.content.decode()
    assert store.revision(drain.pk) == revision


def test_a_form_without_the_token_is_refused(log_in, cloud, drain):
    log_in("admin")
    strict = Client(enforce_csrf_checks=True)
    revision = store.revision(drain.pk)
    row = rows_of(drain)["running"]
    for slug in SLUGS:
        strict.post(url(slug, drain), {"row": row.pk, "confirmed": "yes"})
    for name in ("pause_drain", "resume_drain", "retry_failed", "change_drain", "cancel_drain"):
        strict.post(drain_url(name, drain), {"max_concurrent": 7})
    assert store.revision(drain.pk) == revision


@pytest.mark.parametrize("slug", SLUGS)
def test_who_may_not_gets_no_button_and_403(admin, drain, denied, slug):
    denied(RULES[slug])
    offered = verbs(admin, drain)
    assert all(slug not in slugs for slugs in offered.values())
    page = admin.get(drain_url("drain", drain)).content.decode()
    assert f'data-verb="{slug}"' not in page
    name = next(name for name, slugs in OFFERED.items() if slug in slugs)
    row = rows_of(drain)[name]
    revision = store.revision(drain.pk)
    data = {"row": row.pk, "confirmed": "yes", "destination": "cmp10"}
    for headers in ({}, SCRIPT):
        assert admin.get(url(slug, drain), data, **headers).status_code == 403
        assert admin.post(url(slug, drain), data, **headers).status_code == 403
    assert store.revision(drain.pk) == revision


def test_who_may_only_look_sees_a_table_without_tools(admin, drain, denied):
    denied("steer", "abort", "force_complete", "reset", "cancel", "drain")
    page = admin.get(drain_url("drain", drain)).content.decode()
    assert "mnt-steering" not in page
    assert 'name="row"' not in page
    assert updates(admin, drain)["parts"]["actions"] == ""
    assert "View Evidence" not in page


# -- several at once -------------------------------------------------------------------------


def test_each_of_several_is_judged_by_itself(admin, drain):
    rows = rows_of(drain)
    chosen = [rows[name].pk for name in ("running", "queued", "failed")]
    asked = text(admin.get(url("abort", drain), {"row": chosen}, **AJAX).content.decode())
    assert "Abort the migrations of 2 instances?" in asked
    assert "Left out, because the action is not available for them now: failed" in asked
    assert "No live migration of it is in progress." in asked

    data = {"row": chosen, "confirmed": "yes"}
    said = messages_of(admin.post(url("abort", drain), data, **SCRIPT))
    assert said == [
        ["success", "Abort requested: queued, running."],
        ["warning", "Abort: failed: No live migration of it is in progress."],
    ]
    wanted_of = {name: wanted(row) for name, row in rows_of(drain).items()}
    assert (wanted_of["running"], wanted_of["queued"], wanted_of["failed"]) == (
        "abort",
        "abort",
        "",
    )
    # and the page says who asked, at once
    shown = {row["name"]: text(row["cells"][11][0]) for row in updates(admin, drain)["rows"]}
    assert "Abort requested by alice." in shown["running"]
    assert verbs(admin, drain)["running"] == set()


def test_a_thousand_are_selected_and_steered_by_one_field(admin, make_drain):
    """Django takes a thousand fields; the script asks with a POST, as an address has a limit."""
    drain = make_drain("cmp1", *(server(f"vm-{n}") for n in range(1001)))
    chosen = ",".join(str(row.pk) for row in store.migrations(drain))
    asked = admin.post(url("skip", drain), {"row": chosen}, **SCRIPT).content.decode()
    assert "Skip 1001 instances?" in text(asked)
    assert asked.count("<li><strong>") == 1001
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', asked))
    assert sent["row"] == chosen
    assert not InstanceMigration.objects.filter(state=MigrationState.SKIPPED).exists()
    admin.post(url("skip", drain), {k: sent[k] for k in ("row", "confirmed")}, **SCRIPT)
    assert InstanceMigration.objects.filter(state=MigrationState.SKIPPED).count() == 1001


def test_another_admin_was_faster(admin, drain):
    """The dialog is open while somebody else aborts one of the two."""
    rows = rows_of(drain)
    store.make_request(drain, rows["queued"], RequestKind.ABORT, "bob", timezone.now())
    data = {"row": [rows["running"].pk, rows["queued"].pk], "confirmed": "yes"}
    response = admin.post(url("abort", drain), data, follow=True)
    page = text(response.content.decode())
    assert "Abort requested: running." in page
    assert "Abort: queued: Another request to Nova is already in progress for it." in page
    assert rows_of(drain)["queued"].requests.open.requested_by == "bob"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "No instance is selected."),
        (["999999"], "not part of this drain"),
        (["x"], "not part of this drain"),
        (["9" * 40], "not part of this drain"),
    ],
)
def test_a_selection_that_is_none_is_said(admin, drain, rows, words):
    for slug in ("abort", "retry"):
        data = {"row": rows, "confirmed": "yes"}
        ((kind, said),) = messages_of(admin.post(url(slug, drain), data, **SCRIPT))
        assert kind == "error"
        assert words in said
        shown = admin.get(url(slug, drain), {"row": rows}, **AJAX)
        assert words in text(shown.content.decode())


def test_instances_of_another_drain_or_region_cannot_be_touched(admin, drain, make_drain, log_in):
    other = make_drain("cmp10", server("other-1"))
    (row,) = store.migrations(other)
    data = {"row": row.pk, "confirmed": "yes"}
    ((kind, _said),) = messages_of(admin.post(url("skip", drain), data, **SCRIPT))
    assert kind == "error"
    log_in("admin", region="RegionTwo")
    assert admin.post(url("skip", other), data, **SCRIPT).status_code == 404
    row.refresh_from_db()
    assert row.state == "pending"


# -- the dialogs -----------------------------------------------------------------------------


def test_an_abort_says_how_much_of_what_is_copied_now_is_lost(admin, make_drain):
    drain = make_drain("cmp1", server("first"), server("again"))
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    rows = rows_of(drain)
    fly(rows["first"], fraction=0.5)
    fly(rows["again"], fraction=0.99, memory_remaining_bytes=300, pass_bytes=400)
    chosen = ",".join(str(row.pk) for row in rows.values())
    shown = text(admin.get(url("abort", drain), {"row": chosen}, **AJAX).content.decode())
    assert "first 50 % copied" in shown
    assert "again 25 % of the rewritten data copied" in shown


def test_force_complete_says_for_how_long_each_guest_is_paused(admin, drain):
    rows = rows_of(drain)
    store.change_migration(
        rows["running"],
        timezone.now(),
        memory_total_bytes=4 * GIB,
        memory_remaining_bytes=1250 * MIB,
        rate_bytes=50.0 * MIB,
    )
    asked = text(
        admin.get(url("force", drain), {"row": rows["running"].pk}, **AJAX).content.decode()
    )
    assert "Force this migration to complete?" in asked
    assert "running paused for about 25 s (1.2 GiB left at 50 MiB/s)" in asked
    assert "Its users notice" in asked
    assert "post-copy, the pause lasts only seconds" in asked


def test_abort_and_skip_say_what_they_mean(admin, drain):
    rows = rows_of(drain)
    asked = text(admin.get(url("abort", drain), {"row": rows["running"].pk}).content.decode())
    for words in (
        "Abort the migration of this instance?",
        "keeps running on its source host",
        "The data copied so far is discarded.",
        "It is not retried automatically",
        "may set the server to ERROR about two seconds later",
    ):
        assert words in asked
    asked = text(admin.get(url("skip", drain), {"row": rows["waits"].pk}).content.decode())
    assert "It stays on cmp1, so the host will not be empty." in asked


def test_a_retry_is_offered_the_hosts_that_can_receive(admin, cloud, drain, make_drain):
    cloud.all_services.append(service("cmp5"))
    make_drain("cmp5", server("elsewhere-1"))
    row = rows_of(drain)["failed"]
    page = admin.get(url("retry_on", drain), {"row": row.pk}, **AJAX).content.decode()
    # not the host itself, nor what is down, disabled or drained
    assert re.findall(r'<option value="([^"]+)"', page) == ["cmp2", "cmp10"]
    assert "cmp2 (64 GiB free)" in page
    # of an inventory it says how old that is
    test_hosts.keep_inventory(cloud, seconds_ago=10)
    page = admin.get(url("retry_on", drain), {"row": row.pk}, **AJAX).content.decode()
    assert re.search(r"cmp2 \(64 GiB free [1-9]\d s ago\)", page)

    for entered, words in (
        ("", "No destination is chosen."),
        ("cmp3", "Destination cmp3 is down."),
        ("cmp4", "Destination cmp4 is disabled: bad fan"),
        ("cmp5", "cmp5 is being drained itself"),
        ("CMP2", "no compute host named"),
    ):
        data = {"row": row.pk, "confirmed": "yes", "destination": entered}
        shown = text(admin.post(url("retry_on", drain), data, **SCRIPT).content.decode())
        assert words in shown
    row.refresh_from_db()
    assert row.state == "failed"

    data = {"row": row.pk, "confirmed": "yes", "destination": "cmp2"}
    said = messages_of(admin.post(url("retry_on", drain), data, **SCRIPT))
    assert said == [["success", "Retry requested: failed."]]
    row.refresh_from_db()
    assert (row.state, row.destination) == ("pending", "cmp2")
    shown = {r["name"]: text(r["cells"][11][0]) for r in updates(admin, drain)["rows"]}
    assert "Requested destination: cmp2." in shown["failed"]


def test_no_host_is_named_where_all_go_to_one(admin, make_drain):
    drain = make_drain("cmp1", server("failed"), destination="cmp2")
    store.change_drain(drain, timezone.now(), state=DrainState.RUNNING, started_at=timezone.now())
    put(rows_of(drain)["failed"], "failed")
    assert verbs(admin, drain) == {"failed": {"retry", "skip"}}


def test_a_retry_takes_up_a_drain_that_is_over(admin, make_drain):
    drain = make_drain("cmp1", server("failed"))
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    put(rows_of(drain)["failed"], "failed")
    store.finish_drain(drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED, "", "worker", now)
    assert actions(admin, drain) == ["Retry Failed"]
    said = messages_of(admin.post(drain_url("retry_failed", drain), **SCRIPT))
    assert said == [["success", "Retry requested: failed."]]
    assert updates(admin, drain)["over"] is False
    assert rows_of(drain)["failed"].state == "pending"


def test_no_retry_is_offered_of_a_drain_whose_host_was_given_back_or_is_drained_again(
    admin, make_drain
):
    drain = make_drain("cmp1", server("failed"))
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    maintenance = store.join_maintenance(
        drain, found_status="enabled", found_reason="", service_id="s", now=now
    )
    put(rows_of(drain)["failed"], "failed")
    store.finish_drain(drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED, "", "worker", now)
    offered = {"retry", "retry_on"}

    def listed() -> bool:
        """Whether the list of drains says that somebody is needed."""
        html = admin.get(reverse(f"{PANEL}:drains")).content.decode()
        return "1 needs you" in text(html[html.index(f'data-drain="{drain.pk}"') :])

    def on_hosts() -> bool:
        cell = admin.get(reverse(f"{PANEL}:host_updates")).json()["cells"].get("cmp1", "")
        if "1 needs you" in text(cell):
            assert f'href="{drain_url("drain", drain)}" ng-non-bindable' in cell
        return "1 needs you" in text(cell)

    assert actions(admin, drain) == ["Retry Failed"]
    assert verbs(admin, drain)["failed"] >= offered
    assert listed()
    assert on_hosts()

    again = make_drain("cmp1", server("late-1"))
    maintenance.refresh_from_db()
    assert actions(admin, drain) == []
    assert not verbs(admin, drain)["failed"] & offered
    assert not listed()
    assert not on_hosts()
    store.cancel_drain(again, "alice", now, abort=False, enable=False)
    assert actions(admin, drain) == ["Retry Failed"]
    assert listed()

    store.request_return(maintenance, choice="leave", actor="alice", now=now)
    assert actions(admin, drain) == []
    assert not listed()
    assert not on_hosts()
    store.finish_return(maintenance, ReturnResult.LEFT, "", "worker", now)
    assert actions(admin, drain) == []
    assert not verbs(admin, drain)["failed"] & offered
    assert not listed()


def test_the_evidence_is_shown_and_the_button_only_where_it_is_complete(admin, drain, evidence):
    row = rows_of(drain)["late_error"]
    data = {"row": row.pk}
    shown = admin.get(url("reset", drain), data, **AJAX).content.decode()
    assert 'value="Reset to Active"' in shown
    said = text(shown)
    for words in (
        "What happened In ERROR.",
        "reports that the guest is running",
        "do this after an abort",
    ):
        assert words in said
    assert "What to Check by Hand" not in said
    assert shown.count("mnt-passed") == 2

    evidence[0] = INCOMPLETE
    for response in (
        admin.get(url("reset", drain), data, **AJAX),
        # it got incomplete between the look and the press
        admin.post(url("reset", drain), data | {"confirmed": "yes"}, **SCRIPT),
    ):
        shown = response.content.decode()
        assert 'value="Reset to Active"' not in shown
        assert shown.count("mnt-not-passed") == 1
        assert "On cmp1 and on cmp2: virsh list --all." in text(shown)
        assert "timed out" in shown
    assert wanted(rows_of(drain)["late_error"]) == ""

    evidence[0] = EVIDENCE
    said = messages_of(admin.post(url("reset", drain), data | {"confirmed": "yes"}, **SCRIPT))
    assert said == [["success", "Reset to active requested: late_error."]]
    requested = rows_of(drain)["late_error"].requests.open
    assert (requested.kind, requested.requested_by) == ("reset", "alice")


def test_the_page_of_a_drain_that_is_over_waits_for_the_answer_to_what_is_asked(
    admin, drain, evidence
):
    row = rows_of(drain)["late_error"]
    Request.objects.update(state="lapsed", open_key=None)  # of those that an end leaves none
    store.finish_drain(
        drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED, "", "worker", timezone.now()
    )
    assert updates(admin, drain)["over"] is True
    assert "No worker is running" not in updates(admin, drain)["parts"]["worker"]
    admin.post(url("reset", drain), {"row": row.pk, "confirmed": "yes"}, **SCRIPT)
    asked = updates(admin, drain)
    assert asked["over"] is False
    assert "No worker is running" in asked["parts"]["worker"]
    assert 'data-over="false"' in admin.get(drain_url("timeline", drain), **AJAX).content.decode()
    # a worker answers
    drain.refresh_from_db()
    for row in rows_of(drain).values():
        if wanted(row):
            told = {"state": "refused", "answer": message("text", text="It was not done: No.")}
            store.change_migration(row, timezone.now(), request=told)
    told = admin.get(drain_url("updates", drain) + f"?seen={asked['token']}", **AJAX)
    assert told.status_code == 200  # and not 204: there is something to be shown
    assert told.json()["over"] is True


def test_two_are_not_reset_at_once(admin, drain, evidence):
    rows = rows_of(drain)
    data = {"row": [rows["late_error"].pk, rows["unknown"].pk], "confirmed": "yes"}
    ((kind, said),) = messages_of(admin.post(url("reset", drain), data, **SCRIPT))
    assert kind == "error"
    assert "one by one" in said
    assert wanted(rows_of(drain)["late_error"]) == ""


# -- a drain ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        (DrainState.PENDING, ["Pause Drain", "Retry Failed", "Change Drain", "Cancel Drain"]),
        (DrainState.RUNNING, ["Pause Drain", "Retry Failed", "Change Drain", "Cancel Drain"]),
        (DrainState.PAUSED, ["Resume Drain", "Retry Failed", "Change Drain", "Cancel Drain"]),
        (DrainState.CANCELLING, ["Abort Migrations in Progress"]),
        (DrainState.SUCCEEDED, []),
        (DrainState.FAILED, ["Retry Failed"]),
        (DrainState.CANCELLED, []),
    ],
)
def test_a_drain_is_offered_what_can_be_done_with_it(admin, drain, state, buttons):
    type(drain).objects.filter(pk=drain.pk).update(state=state.value)
    assert actions(admin, drain) == buttons
    # and what is not offered is refused, with nothing changed
    names = {
        "pause_drain": "Pause Drain",
        "resume_drain": "Resume Drain",
        "retry_failed": "Retry Failed",
        "change_drain": "Change Drain",
    }
    for name, button in names.items():
        type(drain).objects.filter(pk=drain.pk).update(state=state.value)
        revision = store.revision(drain.pk)
        data = {"max_concurrent": 5}
        said = messages_of(admin.post(drain_url(name, drain), data, **SCRIPT))
        if button in buttons:
            assert said[0][0] == "success", name
        elif (name, state) not in {
            # asked for twice, it is as it was asked for
            ("pause_drain", DrainState.PAUSED),
            ("resume_drain", DrainState.RUNNING),
            ("resume_drain", DrainState.PENDING),
        }:
            assert said[0][0] == "error", name
            assert store.revision(drain.pk) == revision, name


def test_nothing_failed_nothing_to_retry(admin, make_drain):
    drain = make_drain("cmp1", server("a"))
    assert "Retry Failed" not in actions(admin, drain)
    ((kind, _said),) = messages_of(admin.post(drain_url("retry_failed", drain), **SCRIPT))
    assert kind == "error"


@pytest.mark.parametrize(
    ("name", "button"),
    [
        ("pause_drain", "Pause Drain"),
        ("retry_failed", "Retry Failed"),
        ("change_drain", "Change Drain"),
        ("cancel_drain", "Cancel Drain"),
    ],
)
def test_who_may_not_steer_the_drain_gets_no_button_and_403(admin, drain, denied, name, button):
    assert button in actions(admin, drain)
    denied(RULES[name])
    assert button not in actions(admin, drain)
    revision = store.revision(drain.pk)
    for headers in ({}, SCRIPT):
        assert admin.get(drain_url(name, drain), **headers).status_code == 403
        assert admin.post(drain_url(name, drain), {}, **headers).status_code == 403
    assert store.revision(drain.pk) == revision


def test_pause_and_resume(admin, drain):
    response = admin.post(drain_url("pause_drain", drain), follow=True)
    assert "Paused: no new migrations start; those in progress finish." in text(
        response.content.decode()
    )
    drain.refresh_from_db()
    assert drain.state == "paused"
    assert "Paused" in text(updates(admin, drain)["parts"]["headline"])
    # a GET, as after a login, leads to the drain and changes nothing
    assert admin.get(drain_url("resume_drain", drain))["location"] == drain_url("drain", drain)
    admin.post(drain_url("resume_drain", drain))
    drain.refresh_from_db()
    assert drain.state == "running"


@pytest.mark.parametrize(
    ("sent", "abort", "enable"),
    [
        ({}, False, True),
        ({"in_progress": "finish", "service": "leave"}, False, False),
        ({"in_progress": "abort", "service": "enable"}, True, True),
    ],
)
def test_a_cancel_is_done_as_it_was_chosen(admin, drain, sent, abort, enable):
    page = admin.get(drain_url("cancel_drain", drain), **AJAX).content.decode()
    chosen = re.findall(r'name="(\w+)" value="(\w+)" checked', page)
    assert chosen == [("in_progress", "finish"), ("service", "enable")]
    in_progress = sum(row.state in ("submitted", "migrating") for row in store.migrations(drain))
    assert f"{in_progress} migrations are in progress" in text(page)
    admin.post(drain_url("cancel_drain", drain), sent)
    drain.refresh_from_db()
    assert drain.state == "cancelling"
    assert (drain.cancel_abort, drain.cancel_enable) == (abort, enable)


def test_what_flies_can_still_be_aborted_while_it_is_being_cancelled(admin, drain):
    admin.post(drain_url("cancel_drain", drain), {"in_progress": "finish", "service": "leave"})
    page = admin.get(drain_url("cancel_drain", drain), **AJAX).content.decode()
    assert "is already being cancelled. Abort the migrations in progress?" in text(page)
    assert 'value="finish"' not in page
    assert 'value="leave" checked' in page
    admin.post(drain_url("cancel_drain", drain), {"in_progress": "abort", "service": "leave"})
    drain.refresh_from_db()
    assert (drain.cancel_abort, drain.cancel_enable) == (True, False)
    assert actions(admin, drain) == []
    assert "those in progress are aborted" in updates(admin, drain)["parts"]["headline"]


def test_who_may_cancel_but_not_abort_is_not_offered_the_abort(admin, drain, denied):
    denied("abort")
    page = admin.get(drain_url("cancel_drain", drain), **AJAX).content.decode()
    assert 'value="abort"' not in page
    assert admin.post(drain_url("cancel_drain", drain), {"in_progress": "abort"}).status_code == 403
    drain.refresh_from_db()
    assert drain.state == "running"


# -- change ----------------------------------------------------------------------------------


def change(admin, drain, **entered):
    data = shown_to_change(admin, drain) | entered
    return admin.post(drain_url("change_drain", drain), data, **SCRIPT)


def shown_to_change(admin, drain) -> dict[str, str]:
    """The fields of the dialog as a browser sends them, those that are hidden too."""
    page = admin.get(drain_url("change_drain", drain), **AJAX)
    form = page.context["form"]
    hidden = re.findall(
        r'<input type="hidden" name="(initial-\w+)"(?: value="([^"]*)")?', page.content.decode()
    )
    assert len(hidden) == len(form.fields)
    return {name: form[name].value() or "" for name in form.fields} | dict(hidden)


def test_pace_window_and_timeout_are_changed(admin, drain):
    admin.cookies["django_timezone"] = "Europe/Berlin"
    evening = timezone.localtime(timezone.now(), ZoneInfo("Europe/Berlin")).replace(
        hour=22, minute=30, second=0, microsecond=0
    ) + timedelta(days=1)
    response = change(
        admin,
        drain,
        max_concurrent="5",
        stop_at=f"{evening:%Y-%m-%dT%H:%M}",
        timeout_action="abort",
    )
    assert messages_of(response) == [["success", "The drain was changed."]]
    drain.refresh_from_db()
    assert (drain.max_concurrent, drain.timeout_action) == (5, "abort")
    assert drain.stop_at == evening
    facts = text(updates(admin, drain)["parts"]["facts"])
    assert re.search(r"No new migrations after \S+ 22:30 Europe/Berlin \(UTC\+0[12]:00\)", facts)
    assert "On timeout abort it; retry if Nova leaves the instance ACTIVE" in facts
    # what is shown again has the same minute, and is no change
    assert messages_of(change(admin, drain)) == [["info", "Nothing was changed."]]
    change(admin, drain, stop_at="")
    drain.refresh_from_db()
    assert drain.stop_at is None


@pytest.mark.parametrize(
    ("entered", "words"),
    [
        ({"max_concurrent": "0"}, "greater than or equal to 1"),
        ({"max_concurrent": "21"}, "must be from 1 to 20"),
        ({"stop_at": "2020-01-01T10:00"}, "The window ends in the past."),
        ({"stop_at": "tomorrow"}, "This is not a date with a time."),
        ({"timeout_action": "stop"}, "Select a valid choice"),
    ],
)
def test_a_change_that_cannot_be_is_refused_at_its_field(admin, drain, entered, words):
    page = change(admin, drain, **entered).content.decode()
    (name,) = entered
    group = next(g for g in page.split('<div class="form-group') if f'name="{name}"' in g)
    assert group.startswith(" has-error")
    assert words in html.unescape(group)
    assert 'name="start_at"' not in page  # it has begun
    drain.refresh_from_db()
    assert (drain.max_concurrent, drain.stop_at, drain.timeout_action) == (2, None, "warn")


def test_the_choice_of_destinations_is_changed_for_those_to_come(admin, drain):
    facts = text(updates(admin, drain)["parts"]["facts"])
    assert "Destination hosts are kept even; chosen by the scheduler where Nova" in facts
    response = change(admin, drain, placing="scheduler")
    assert messages_of(response) == [["success", "The drain was changed."]]
    drain.refresh_from_db()
    assert drain.follow_estimate is False
    facts = text(updates(admin, drain)["parts"]["facts"])
    assert "Destination chosen by the scheduler for each instance" in facts
    assert messages_of(change(admin, drain)) == [["info", "Nothing was changed."]]
    change(admin, drain, placing="even")
    said = [english(e.message) for e in drain.events.filter(kind="drain_changed").order_by("pk")]
    assert said == [
        "destinations chosen by the scheduler, was kept even",
        "destinations kept even, was chosen by the scheduler",
    ]


def test_where_all_go_to_one_host_there_is_no_choice_of_destinations(admin, drain):
    type(drain).objects.filter(pk=drain.pk).update(destination="cmp2", follow_estimate=False)
    page = admin.get(drain_url("change_drain", drain), **AJAX).content.decode()
    assert 'name="placing"' not in page
    assert 'name="max_concurrent"' in page
    assert "Destination cmp2" in text(updates(admin, drain)["parts"]["facts"])


def test_the_beginning_can_be_changed_before_it(admin, make_drain):
    drain = make_drain("cmp1", server("a"))
    at = (timezone.now() + timedelta(hours=3)).replace(second=0, microsecond=0)
    change(admin, drain, start_at=f"{at:%Y-%m-%dT%H:%M}")
    drain.refresh_from_db()
    assert drain.start_at == at
    data = updates(admin, drain)
    assert text(data["parts"]["state"]) == "Scheduled"
    assert "Starts at" in text(data["parts"]["headline"])
    assert f'data-until="{at.isoformat()}"' in data["parts"]["headline"]
    shown = change(admin, drain, start_at="2020-01-01T10:00").content.decode()
    assert "This time is in the past. Leave it empty to start at once." in shown


def test_who_may_not_interrupt_is_not_offered_a_timeout_that_does(admin, drain, denied):
    denied("abort", "force_complete")
    page = admin.get(drain_url("change_drain", drain), **AJAX).content.decode()
    assert re.findall(r'name="timeout_action" value="(\w+)"', page) == ["warn"]
    change(admin, drain, timeout_action="abort")
    drain.refresh_from_db()
    assert drain.timeout_action == "warn"


def test_what_another_admin_changed_meanwhile_stands(admin, drain):
    """Only what differs from what was shown is changed, whatever it is by now."""
    form = shown_to_change(admin, drain)
    later = timezone.now() + timedelta(hours=2)
    store.adjust_drain(
        drain, "bob", timezone.now(), message("changed", what=[]), max_concurrent=5, stop_at=later
    )
    admin.post(
        drain_url("change_drain", drain), form | {"timeout_action": "force_complete"}, **SCRIPT
    )
    event = drain.events.filter(kind="drain_changed", actor="alice").get()
    assert english(event.message) == "timeout action force_complete, was warn"
    drain.refresh_from_db()
    assert (drain.max_concurrent, drain.stop_at) == (5, later)


def test_what_was_shown_is_kept_when_the_dialog_is_shown_again(admin, drain):
    form = shown_to_change(admin, drain)
    store.adjust_drain(drain, "bob", timezone.now(), message("changed", what=[]), max_concurrent=5)
    again = admin.post(
        drain_url("change_drain", drain),
        form | {"stop_at": "2001-01-01T10:00", "timeout_action": "abort"},
        **AJAX,
    )
    html = again.content.decode()
    assert "help-block" in html
    hidden = re.search(r'name="initial-max_concurrent" value="(\d+)"', html)
    assert hidden
    assert hidden[1] == form["initial-max_concurrent"] != "5"


@pytest.mark.parametrize(
    ("zone", "entered", "expected"),
    [
        ("Europe/Berlin", "2027-01-10T22:30", "2027-01-10T21:30:00+00:00"),
        ("Europe/Berlin", "2027-07-10T22:30", "2027-07-10T20:30:00+00:00"),
        ("Asia/Kathmandu", "2027-01-10 22:30", "2027-01-10T16:45:00+00:00"),
        ("Europe/Berlin", "2027-03-28T02:30", "go forward then, so 02:30 does not exist"),
        ("Europe/Berlin", "2027-10-31T02:30", "go back then, so 02:30 occurs twice"),
        ("UTC", "0001-01-01T00:00", "0001-01-01T00:00:00+00:00"),
        ("Asia/Kathmandu", "0001-01-01T00:00", "The year is out of range."),
        ("UTC", "22:30", "This is not a date with a time."),
    ],
)
def test_times_are_read_on_the_users_clock(zone, entered, expected):
    with timezone.override(zone):
        try:
            read = fields.LocalTimeField().clean(entered).isoformat()
        except forms.ValidationError as error:
            read = " ".join(error.messages)
    assert expected in read


# -- is it going to end? ---------------------------------------------------------------------


def points(*remaining: int) -> list[list[float]]:
    return [[5.0 * n, 0, left * MIB, n * 100 * MIB] for n, left in enumerate(remaining)]


@pytest.mark.parametrize(
    ("fields_", "label", "advice"),
    [
        ({"course": "", "points": []}, "", ""),
        ({"course": "unknown", "points": points(900)}, "", ""),
        ({"course": "converging", "seconds_left": 130.0}, "Converging at least 3 min left", ""),
        (
            {"course": "slow", "seconds_left": 1400.0},
            "Slow at least 24 min left",
            "the migration finishes by itself",
        ),
        ({"course": "not_converging"}, "Not converging", "only when the guest writes less"),
        ({"course": "stalled"}, "Stalled", "network between the two hosts"),
    ],
)
def test_the_course_of_a_copy_is_told_with_the_ways_out(admin, drain, fields_, label, advice):
    row = rows_of(drain)["running"]
    given = {"points": points(900, 700, 500), "memory_remaining_bytes": 500 * MIB}
    given |= {"memory_total_bytes": GIB, "rate_bytes": 25.0 * MIB} | fields_
    store.change_migration(row, timezone.now(), **given)
    shown = {r["name"]: r["cells"] for r in updates(admin, drain)["rows"]}["running"]
    copied, message = shown[5][0], shown[11][0]
    assert text(copied) == " ".join(filter(None, ["0.5 of 1 GiB · 25 MiB/s", label]))
    assert ("Options:" in message) is bool(advice)
    assert advice in text(message)
    if advice:
        ways = re.findall(r"<li><strong>([^<]+)</strong>", message)
        assert ways == ["Wait", "Abort", "Force Complete"]
    if label in ("Slow at least 24 min left", "Not converging"):
        assert "paused until the rest is copied, for about 20 s (500 MiB left at 25 MiB/s)" in text(
            message
        )


def test_the_curve_keeps_its_place_and_falls(drain):
    row = rows_of(drain)["running"]
    row.attempt.points = []
    empty = course.sparkline(row)
    assert 'width="64" height="16"' in empty
    assert "polyline" not in empty
    row.attempt.points = points(1000, 500, 0)
    assert 'points="0.0,1.0 32.0,8.0 64.0,15.0"' in course.sparkline(row)
    # the disk first: all of the memory is still to come, and the curve does not leap up
    row.attempt.memory_total_bytes = 1000 * MIB
    row.attempt.points = [[0, 1000 * MIB, 0, 0], [10, 0, 0, 0], [20, 0, 500 * MIB, 0]]
    heights = [float(p.split(",")[1]) for p in course.sparkline(row).split('"')[-2].split()]
    assert heights == sorted(heights)
    row.state = MigrationState.SUCCEEDED
    assert course.sparkline(row) == ""


@pytest.mark.parametrize(
    ("forecast", "words"),
    [
        (
            Forecast(480, 720, 1500, 34, False),
            "about 12 min (8 min to 25 min), based on 34 migrations",
        ),
        (Forecast(60, 60, 60, 1, False), "about 60 s, based on 1 migration in this region"),
        (
            Forecast(300, 700, 3000, 0, True),
            "rough estimate: about 12 min (5 min to 50 min); too few",
        ),
        (Forecast(*[float("inf")] * 3, 34, False), "no estimate"),
    ],
)
def test_the_time_left_is_told_with_how_sure_it_is(admin, drain, monkeypatch, forecast, words):
    monkeypatch.setattr(services.reports, "forecast_of", lambda drain, rows: forecast)
    assert words in text(updates(admin, drain)["parts"]["facts"])


def test_the_time_left_goes_by_what_large_and_small_ones_took_in_this_drain(make_drain):
    """20 s each, and as little for each GiB as a fast network takes; the large ones come last."""
    sizes = [1, 2, 1, 4, 2, 1, 64, 32, 2, 64]
    made = make_drain("cmp7", *(server(f"x{n}", memory_bytes=s * GIB) for n, s in enumerate(sizes)))
    begun = timezone.now() - timedelta(hours=1)
    store.change_drain(made, begun, state=DrainState.RUNNING, started_at=begun, max_concurrent=1)
    for row in list(store.migrations(made))[:8]:
        took = timedelta(seconds=20 + row.memory_bytes / GIB)
        store.change_migration(row, begun, state=MigrationState.SUBMITTED, attempts=1)
        store.change_migration(row, begun, state=MigrationState.MIGRATING, running_since=begun)
        begun += took
        store.change_migration(row, begun, state=MigrationState.SUCCEEDED, ended_at=begun)
    found = services.reports.forecast_of(made, list(store.migrations(made)))
    assert found.likely == pytest.approx((20 + 2) + (20 + 64), rel=0.01)


def test_the_last_one_takes_its_time_however_many_ran_at_once_before_it(make_drain):
    """Four at a time, 40 s each; the last one is by itself."""
    made = make_drain("cmp7", *(server(f"x{n}", memory_bytes=GIB) for n in range(9)))
    begun = timezone.now() - timedelta(hours=1)
    store.change_drain(made, begun, state=DrainState.RUNNING, started_at=begun, max_concurrent=4)
    rows = list(store.migrations(made))
    for some in (rows[:4], rows[4:8]):
        ended = begun + timedelta(seconds=40)
        for row in some:
            store.change_migration(row, begun, state=MigrationState.SUBMITTED, attempts=1)
            store.change_migration(row, begun, state=MigrationState.MIGRATING, running_since=begun)
            store.change_migration(row, ended, state=MigrationState.SUCCEEDED)
        begun = ended
    found = services.reports.forecast_of(made, list(store.migrations(made)))
    assert found.likely == pytest.approx(40, rel=0.01)  # was 10
    now = timezone.now()
    store.change_migration(rows[8], now, state=MigrationState.SUBMITTED, attempts=1)
    store.change_migration(rows[8], now, state=MigrationState.MIGRATING, running_since=now)
    store.change_migration(rows[8], now, seconds_left=300.0, course="slow")
    found = services.reports.forecast_of(made, list(store.migrations(made)))
    assert found.likely == pytest.approx(300, rel=0.01)


def test_those_of_an_anti_affinity_group_take_their_time_one_after_the_other(make_drain):
    made = make_drain("cmp7", *(server(f"x{n}", memory_bytes=GIB) for n in range(10)))
    rows = list(store.migrations(made))
    made.migrations.filter(pk__in=[row.pk for row in rows[6:]]).update(group="ring")
    begun = timezone.now() - timedelta(hours=1)
    store.change_drain(made, begun, state=DrainState.RUNNING, started_at=begun, max_concurrent=8)
    found = services.reports.forecast_of(made, list(store.migrations(made)))
    assert found.likely == pytest.approx(4 * nominal_seconds(GIB))
    expected = services.expected.planned([made], None, timezone.now())[0].expected
    assert max(one.likely_ends for one in expected.values()) == pytest.approx(found.likely)
    for row in rows[:6]:
        store.change_migration(row, begun, state=MigrationState.SUBMITTED, attempts=1)
        store.change_migration(row, begun, state=MigrationState.MIGRATING, running_since=begun)
        ended = begun + timedelta(seconds=30)
        store.change_migration(row, ended, state=MigrationState.SUCCEEDED)
    found = services.reports.forecast_of(made, list(store.migrations(made)))
    assert found.likely == pytest.approx(4 * 30, rel=0.01)


@pytest.mark.parametrize("destination", ["", "cmp8"])
def test_no_more_than_one_destination_takes_run_at_a_time(make_drain, destination):
    made = make_drain("cmp7", *(server(f"x{n}", memory_bytes=GIB) for n in range(8)))
    now = timezone.now()
    store.change_drain(made, now, max_concurrent=8, destination=destination)
    assert services.reports.at_once(made) == (4 if destination else 8)
    waves = 2 if destination else 1
    found = services.reports.forecast_of(made, list(store.migrations(made)))
    assert found.likely == pytest.approx(waves * nominal_seconds(GIB))


@pytest.mark.parametrize(
    ("low", "likely", "high", "words"),
    [
        (100, 200, 3000, "Will fit"),
        (100, 200, 4000, "May not fit"),
        (100, 7200, 9000, "May not fit: about 5 instances would wait"),
        (4000, 7200, 9000, "Will not fit: about 5 instances would wait"),
        (4000, 4400, 9000, "Will not fit: about 2 instances would wait"),
        (float("inf"), float("inf"), float("inf"), "May not fit"),
    ],
)
def test_whether_it_fits_into_its_window(low, likely, high, words):
    assert course.fit_label(3600, low, likely, high, waiting=10).text == words


# -- what the page says of the new situations --------------------------------------------------


def headline(admin, drain) -> str:
    return text(updates(admin, drain)["parts"]["headline"])


def test_a_drain_that_was_paused_before_it_began(admin, make_drain):
    drain = make_drain("cmp1", server("a"))
    store.pause_drain(drain, "alice", timezone.now())
    data = updates(admin, drain)
    assert text(data["parts"]["state"]) == "Paused before start"
    assert "Paused before it started; nothing was changed" in headline(admin, drain)


def test_a_window_that_is_over(admin, drain):
    type(drain).objects.filter(pk=drain.pk).update(stop_at=timezone.now() - timedelta(minutes=1))
    assert "Its window has ended: no new migrations start" in headline(admin, drain)
    type(drain).objects.filter(pk=drain.pk).update(
        state="paused", message="Resume it to go on without a window."
    )
    assert "Paused because its window has ended." in headline(admin, drain)
    parts = updates(admin, drain)["parts"]
    assert "Resume it to go on without a window." in text(parts["message"])
    assert "(ended)" in text(parts["facts"])
    said = messages_of(admin.post(drain_url("resume_drain", drain), **SCRIPT))
    assert said == [["success", "Drain resumed. Its expired window was removed."]]


def test_a_run_that_brings_instances_back(admin, make_drain):
    drain = make_drain("cmp1", server("a"), server("b"), destination="cmp1")
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    type(drain).objects.filter(pk=drain.pk).update(direction=Direction.BACK.value)
    put(rows_of(drain)["a"], "succeeded")
    page = admin.get(drain_url("drain", drain)).content.decode()
    assert "Bring-back of instances to cmp1" in page
    assert headline(admin, drain) == "1 of 2 instances are back on cmp1."
    assert actions(admin, drain) == ["Pause Bring-Back", "Change Bring-Back", "Cancel Bring-Back"]
    assert 'name="service"' not in admin.get(drain_url("cancel_drain", drain)).content.decode()
    put(rows_of(drain)["b"], "succeeded")
    drain.refresh_from_db()
    store.finish_drain(drain, DrainState.SUCCEEDED, DrainResult.BROUGHT_BACK, "", "worker", now)
    data = updates(admin, drain)
    assert text(data["parts"]["state"]) == "Brought back"
    assert text(data["parts"]["headline"]) == "All instances are back on cmp1."


def test_its_place_in_a_plan(admin, make_drain):
    plan = store.Plan.objects.create(
        region="RegionOne",
        reason="r",
        requested_by_id="x",
        requested_by="alice",
        created_at=timezone.now(),
    )
    drains = [make_drain(host, server(host)) for host in ("cmp1", "cmp2", "cmp10")]
    for order, one in enumerate(drains):
        type(one).objects.filter(pk=one.pk).update(plan=plan, plan_order=order)
    facts = updates(admin, drains[1])["parts"]["facts"]
    assert f"host 2 of 3 of plan {plan.pk}" in text(facts)


def test_what_was_asked_and_answered_is_shown(admin, drain):
    now = timezone.now()
    rows = rows_of(drain)
    no = message("abort_refused", words="not running")
    request(rows["running"], "abort", "ann", state="refused", answer=no)
    request(rows["queued"], "abort", "timeout")
    store.change_migration(rows["queued"], now, timed_out_at=now)
    shown = {r["name"]: text(r["cells"][11][0]) for r in updates(admin, drain)["rows"]}
    assert "Nova refused the abort: not running" in shown["running"]
    assert "Abort requested by the timeout." in shown["queued"]
    assert "Timeout exceeded at" in shown["queued"]
    assert "requested by bob" in shown["aborting"]
    assert "its guest is paused until the rest is copied" in shown["forced"]
    assert "View Evidence" in shown["late_error"]


def test_names_are_escaped_in_dialogs_and_rows(admin, make_drain, cloud):
    nasty = '<script>alert("1")</script>{$ 1+1 $}'
    drain = make_drain("cmp1", server(nasty))
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    (row,) = store.migrations(drain)
    request(fly(row, course="slow"), "abort", nasty, answer=message("text", text=nasty))
    pages = [admin.get(drain_url("drain", drain))]
    pages += [admin.get(url(slug, drain), {"row": row.pk}) for slug in ("abort", "force")]
    for page in pages:
        shown = page.content.decode()
        assert "alert(&quot;1&quot;)" in shown
        assert "<script>alert(" not in shown
        assert "{$ 1+1" not in shown

"""The record: timeline, picture and export of a drain, history of a host."""

import ast
import csv
import html
import io
import json
import re
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

import ukcloud_maintenance
from tests.fakes import server
from ukcloud_maintenance import services, store
from ukcloud_maintenance.content.maintenance.common.formats import NOTHING
from ukcloud_maintenance.content.maintenance.hosts.history import CHART_HEIGHT
from ukcloud_maintenance.content.maintenance.record import events, timeline
from ukcloud_maintenance.content.maintenance.record import picture as lanes_page
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.record.lanes import Outcome
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain, Event, HostMaintenance

AJAX = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}
NASTY = '<script>alert("1")</script>{$ 1+1 $}'
WORKER = "ctl1:4711:1772366400"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def url(name: str, drain) -> str:
    return reverse(f"horizon:admin:maintenance:{name}", args=[drain.pk])


def fragment(client, name: str, drain, **query):
    return client.get(url(name, drain), query, **AJAX)


def text(markup: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup))).strip()


def rows(response) -> list[list[str]]:
    """The cells of the events that are shown."""
    found = re.findall(r"<tr class=\"mnt-event.*?</tr>", response.content.decode(), re.S)
    return [[text(cell) for cell in re.findall(r"<td.*?</td>", row, re.S)] for row in found]


def whats(response) -> list[str]:
    return [row[2] for row in rows(response)]


def token(response) -> str:
    return re.search(r'data-token="([^"]*)"', response.content.decode())[1]


@pytest.fixture
def drain(make_drain):
    """web-1 arrives at its second attempt, db-1 is under way, old-1 stays."""
    drain = make_drain(
        "cmp1",
        server("web-1"),
        server("db-1"),
        server("old-1", status="SUSPENDED", vm_state="suspended"),
        now=START,
    )
    store.change_drain(
        drain,
        at(1),
        state=DrainState.RUNNING,
        started_at=at(1),
        event=("drain_started", WORKER, ""),
    )
    one = {row.server_name: row for row in store.migrations(drain)}
    submit(one["web-1"], 10, "req-1", to="cmp2")
    store.change_migration(
        one["web-1"],
        at(20),
        state=MigrationState.PENDING,
        event=("attempt_failed", WORKER, "Nova: No valid host was found. (req-1)", "req-1"),
    )
    submit(one["web-1"], 50, "req-2")
    store.change_migration(
        one["web-1"],
        at(90),
        state=MigrationState.SUCCEEDED,
        dest_compute="cmp2",
        event=("succeeded", WORKER, message("runs_on", host="cmp2"), "req-2"),
    )
    submit(one["db-1"], 60, "req-3")
    store.change_migration(one["db-1"], at(61), dest_compute="cmp4", nova_status="running")
    store.record(drain, one["db-1"], at(70), "abort_asked", "bob", "")
    return drain


def submit(row, seconds: float, request_id: str, to: str = "") -> None:
    store.change_migration(
        row,
        at(seconds),
        state=MigrationState.SUBMITTED,
        attempts=row.attempts + 1,
        submitted_at=at(seconds),
        sent_to=to,
        started_at=at(seconds),
    )
    said = message("moves_to", host=to) if to else message("moves_anywhere")
    store.change_migration(
        row,
        at(seconds),
        state=MigrationState.MIGRATING,
        request_id=request_id,
        event=("submitted", WORKER, said, request_id),
    )


# -- the drain page --------------------------------------------------------------------------


def test_the_drains_page_leads_to_all_of_it_and_loads_none(admin, drain):
    shown = admin.get(url("drain", drain)).content.decode()
    for name in ("timeline", "picture", "export_csv", "export_json"):
        assert f'href="{url(name, drain)}"' in shown
    assert "mnt-event" not in shown
    assert "mnt-lanes-picture" not in shown


# -- the timeline ----------------------------------------------------------------------------


def test_the_timeline_says_when_who_what_which_and_how_it_went(admin, cloud, drain):
    found = rows(fragment(admin, "timeline", drain))
    assert cloud.asked == []
    assert found[::-1][:5] == [
        [f"2026-03-01 12:00:{s:02} UTC {ago}", who, *rest]
        for (s, who, *rest), ago in zip(
            [
                (0, "alice", "Drain requested", NOTHING, "new kernel", ""),
                (1, "worker ctl1", "Drain started", NOTHING, "", ""),
                (
                    10,
                    "worker ctl1",
                    "Migration requested from Nova",
                    "web-1",
                    "To cmp2.",
                    "req-1 Copy",
                ),
                (
                    *(20, "worker ctl1", "Attempt failed", "web-1"),
                    *("Nova: No valid host was found. (req-1)", "req-1 Copy"),
                ),
                (
                    *(50, "worker ctl1", "Migration requested from Nova", "web-1"),
                    *("To a host chosen by the scheduler.", "req-2 Copy"),
                ),
            ],
            [found[0][0].split("UTC ")[1]] * 5,
            strict=True,
        )
    ]
    markup = fragment(admin, "timeline", drain).content.decode()
    assert "mnt-kind-attempt_failed mnt-tone-bad" in markup
    web = drain.migrations.get(server_name="web-1")
    assert f'href="{reverse("horizon:admin:instances:detail", args=[web.server_id])}"' in markup


def test_the_newest_comes_first_unless_the_oldest_is_asked_for(admin, drain):
    newest = whats(fragment(admin, "timeline", drain))
    assert (newest[0], newest[-1]) == ("Arrived", "Drain requested")
    assert whats(fragment(admin, "timeline", drain, order="oldest")) == newest[::-1]
    assert whats(fragment(admin, "timeline", drain, order="sideways")) == newest


def test_the_timeline_is_filtered_by_instance_and_by_who_it_was(admin, drain):
    def asked(**query) -> list[str]:
        return whats(fragment(admin, "timeline", drain, order="oldest", **query))

    moves = [
        "Migration requested from Nova",
        "Attempt failed",
        "Migration requested from Nova",
        "Arrived",
    ]
    assert asked(q="WEB") == moves
    assert asked(q=drain.migrations.get(server_name="web-1").server_id) == moves
    assert asked(who="admin") == ["Drain requested", "Abort requested"]
    assert asked(who="admin", q="db-1") == ["Abort requested"]
    assert "Abort requested" not in asked(who="worker")
    assert len(asked(who="worker")) == 6
    none = fragment(admin, "timeline", drain, q="nothing like it").content.decode()
    assert "No event matches the filter." in none
    assert 'value="nothing like it"' in none


def test_a_thousand_events_are_paged_and_cost_the_same_queries(admin, drain):
    def queries(**query) -> int:
        with CaptureQueriesContext(connection) as found:
            assert fragment(admin, "timeline", drain, **query).status_code == 200
        return len(found)

    few = queries()
    row = drain.migrations.get(server_name="db-1")
    Event.objects.bulk_create(
        Event(drain=drain, migration=row, at=at(100 + n), kind="late", actor=WORKER)
        for n in range(1000)
    )
    assert queries() == few <= 9
    first = fragment(admin, "timeline", drain, q="db")
    assert len(rows(first)) == timeline.EVENTS_ON_PAGE
    assert 'href="?q=db&amp;page=2"' in first.content.decode()
    assert len(first.content) < 150_000
    last = fragment(admin, "timeline", drain, page=11)
    assert len(rows(last)) == 8
    assert 'rel="next"' not in last.content.decode()
    assert rows(fragment(admin, "timeline", drain, page=999)) == rows(last)
    assert rows(fragment(admin, "timeline", drain, page="x")) == rows(
        fragment(admin, "timeline", drain)
    )


def test_nothing_new_is_204_and_an_event_is_new(admin, drain):
    seen = token(fragment(admin, "timeline", drain))
    again = fragment(admin, "timeline", drain, seen=seen)
    assert (again.status_code, again.content) == (204, b"")
    assert again["Cache-Control"] == "no-store"
    store.change_migration(
        drain.migrations.get(server_name="db-1"), at(80), memory_remaining_bytes=1
    )
    assert fragment(admin, "timeline", drain, seen=seen).status_code == 204  # no event
    store.record(drain, None, at(99), "host_down", WORKER, "")
    answer = fragment(admin, "timeline", drain, seen=seen)
    assert whats(answer)[0] == "The host went down"
    assert token(answer) != seen


def test_an_end_is_told_so_that_the_page_stops_asking(admin, drain):
    response = fragment(admin, "timeline", drain)
    assert 'data-over="false"' in response.content.decode()
    Drain.objects.filter(pk=drain.pk).update(state=DrainState.FAILED)
    answer = fragment(admin, "timeline", drain, seen=token(response))
    assert 'data-over="true"' in answer.content.decode()


def test_a_kind_that_nobody_knows_is_shown_by_its_name(admin, drain):
    store.record(drain, None, at(200), "quantum_flip", WORKER, "Why not.")
    store.record(drain, None, at(201), "flip_refused", WORKER, "")
    store.record(drain, None, at(202), '"><b>bold', "carol", "")
    found = fragment(admin, "timeline", drain)
    assert [row[2] for row in rows(found)[:3]] == ['"><b>bold', "flip refused", "quantum flip"]
    markup = found.content.decode()
    assert "mnt-kind-quantum_flip mnt-tone-plain" in markup
    assert "mnt-kind-flip_refused mnt-tone-bad" in markup
    assert "mnt-kind-bbold " in markup


def test_long_words_are_folded_and_all_there(admin, drain):
    store.record(drain, None, at(200), "cloud_down", WORKER, "No valid host was found. " * 40)
    markup = fragment(admin, "timeline", drain).content.decode()
    assert "<details" in markup
    assert markup.count("No valid host was found.") > 40


def test_times_are_in_the_zone_of_the_user_and_it_is_named(admin, drain):
    admin.cookies["django_timezone"] = "Asia/Kathmandu"
    first = rows(fragment(admin, "timeline", drain))[-1]
    assert first[0].startswith("2026-03-01 17:45:00 +0545")
    assert "+0545" in fragment(admin, "picture", drain).content.decode()


def test_without_a_script_there_are_pages_with_the_same(admin, drain):
    for name, title in (("timeline", "Timeline"), ("picture", "Chart")):
        page = admin.get(url(name, drain)).content.decode()
        assert f"{title}: Drain {drain.pk} of cmp1" in page
        assert f'href="{url("drain", drain)}"' in page
        piece = fragment(admin, name, drain).content.decode()
        assert "<html" not in piece
        assert "data-record-list" in page
        assert "data-record-list" in piece
    assert rows(admin.get(url("timeline", drain))) == rows(fragment(admin, "timeline", drain))


def test_a_drain_with_nothing_to_show_says_so(admin, make_drain):
    empty = make_drain("cmp2")
    assert "nothing to show" in fragment(admin, "picture", empty).content.decode()
    Event.objects.all().delete()
    assert "This drain has no events" in fragment(admin, "timeline", empty).content.decode()


@pytest.mark.parametrize("name", ["timeline", "picture", "export_csv", "export_json"])
def test_only_who_may_look_at_it_sees_a_drain(client, log_in, cloud, make_drain, name):
    drain = make_drain("cmp1", server("web-1"), region="RegionTwo")
    log_in("member", region="RegionTwo")
    assert client.get(url(name, drain)).status_code in (302, 403)
    log_in("admin", region="RegionOne")
    for headers in ({}, AJAX):
        refused = client.get(url(name, drain), **headers)
        assert "web-1" not in refused.content.decode()
        assert "Switch to region RegionTwo" in refused.content.decode()
    log_in("admin", region="RegionTwo")
    assert client.get(url(name, drain)).status_code == 200
    assert client.post(url(name, drain)).status_code == 405


def test_a_drain_that_is_not_there_is_told_as_json_to_a_script(admin, drain):
    path = reverse("horizon:admin:maintenance:timeline", args=[10**9])
    answer = admin.get(path, **AJAX)
    said = answer.json()["message"]
    assert (answer.status_code, said.split(". ")[0]) == (404, f"There is no drain {10**9}")


def test_a_change_of_the_window_is_told_in_words_and_in_the_zone_of_the_user(admin, drain):
    Drain.objects.filter(pk=drain.pk).update(started_at=None, state=DrainState.PENDING)
    actor = Actor("u2", "bob", may=lambda rule: True)
    begin, end = (datetime(2126, 3, 1, hour, tzinfo=UTC) for hour in (20, 21))
    for start, stop in ((begin, end), (None, end + timedelta(hours=1))):
        services.change_drain(actor, drain.pk, services.DrainChange(start_at=start, stop_at=stop))
    moved, first = drain.events.filter(kind="drain_changed").order_by("-id")
    assert (
        english(first.message)
        == "window start 2126-03-01T20:00:00Z; window end 2126-03-01T21:00:00Z"
    )
    assert english(moved.message) == (
        "window start removed, was 2126-03-01T20:00:00Z;"
        " window end 2126-03-01T22:00:00Z, was 2126-03-01T21:00:00Z"
    )
    admin.cookies["django_timezone"] = "Asia/Kathmandu"
    assert rows(fragment(admin, "timeline", drain))[0][4] == (
        "window start removed, was 2126-03-02 01:45:00 +0545;"
        " window end 2126-03-02 03:45:00 +0545, was 2126-03-02 02:45:00 +0545"
    )


def test_the_words_of_nova_are_left_as_they_are(admin, drain):
    row = drain.migrations.get(server_name="web-1")
    store.record(drain, row, at(300), "late", WORKER, "Nova: at 2026-03-01T12:00:00Z it failed.")
    assert rows(fragment(admin, "timeline", drain))[0][4].startswith(
        "Nova: at 2026-03-01T12:00:00Z"
    )


# -- the picture -----------------------------------------------------------------------------


def picture(client, drain) -> tuple[str, ET.Element]:
    """The markup, and the drawing as XML: it must be well-formed."""
    markup = fragment(client, "picture", drain).content.decode()
    drawn = re.search(r'<svg class="mnt-lanes-picture".*</svg>', markup, re.S)[0]
    return markup, ET.fromstring(drawn)


def percent(value: str) -> float:
    assert value.endswith("%")
    return float(value[:-1])


def test_the_picture_has_a_lane_for_each_instance_with_its_stretches(admin, cloud, drain):
    markup, drawn = picture(admin, drain)
    assert cloud.asked == []
    names = re.findall(r"<li><a[^>]*>([^<]+)</a>", markup)
    assert names == ["web-1", "db-1", "old-1"]
    lanes = drawn.findall("g[@class='mnt-lane']")
    stretches = [
        [g.get("class").removeprefix("mnt-seg mnt-seg-") for g in lane.findall("g")]
        for lane in lanes
    ]
    assert stretches == [["waiting", "failed", "waiting", "moving"], ["waiting", "moving"], []]
    assert [lane.find("text").text for lane in lanes] == ["→ cmp2", "→ cmp4", "stays"]
    # a failed attempt has a form as well as a colour, and its reason
    assert len(lanes[0].findall("svg[@class='mnt-cross']")) == 1
    title = lanes[0].findall("g")[1].find("title").text
    assert title.startswith("web-1, moving, to cmp2, failed: Nova: No valid host was found.")
    # what is no stretch is a mark
    assert (
        lanes[1].find("svg[@class='mnt-diamond']/g/title").text
        == "Abort requested, 2026-03-01 12:01:10"
    )


def test_stretches_stand_where_their_times_are(admin, drain):
    Drain.objects.filter(pk=drain.pk).update(finished_at=at(101), state=DrainState.FAILED)
    _markup, drawn = picture(admin, drain)
    lane = drawn.find("g[@class='mnt-lane']")
    edges = [
        (percent(g.find("rect").get("x")), percent(g.find("rect").get("width")))
        for g in lane.findall("g")
    ]
    second = lanes_page.PLOT / 101  # of the time from 0 to 101
    starts = [(x - lanes_page.svg.LEFT) / second for x, _width in edges]
    assert starts == pytest.approx([0, 10, 20, 50], abs=0.05)
    assert [width / second for _x, width in edges] == pytest.approx([10, 10, 30, 40], abs=0.05)


def test_a_line_shows_now_only_while_it_runs(admin, drain):
    _markup, drawn = picture(admin, drain)
    assert drawn.find("line[@class='mnt-now']") is not None
    Drain.objects.filter(pk=drain.pk).update(finished_at=at(101), state=DrainState.FAILED)
    _markup, drawn = picture(admin, drain)
    assert drawn.find("line[@class='mnt-now']") is None


def test_the_picture_is_told_in_words_too(admin, drain):
    Drain.objects.filter(pk=drain.pk).update(finished_at=at(101), state=DrainState.FAILED)
    markup, drawn = picture(admin, drain)
    assert drawn.get("role") == "img"
    assert drawn.get("aria-label").startswith(
        "3 instances from 2026-03-01 12:00:00 to 2026-03-01 12:01:41:"
    )
    assert "1 arrived" in drawn.get("aria-label")
    words = [text(found) for found in re.findall(r"<li>.*?</li>", markup, re.S)]
    assert words == [
        "web-1 : arrived, to cmp2, 1:20, 1 failed attempt",
        "db-1 : moving, to cmp4",
        "old-1 : stays",
    ]


def test_the_legend_explains_what_occurs_and_nothing_else(admin, drain, make_drain):
    markup, _drawn = picture(admin, drain)
    legend = text(re.search(r'<p class="mnt-legend">.*?</p>', markup, re.S)[0])
    assert legend == "waiting moving failed attempt event: hover for details now"
    plain, _drawn = picture(admin, make_drain("cmp2", server("x", "cmp2")))
    assert text(re.search(r'<p class="mnt-legend">.*?</p>', plain, re.S)[0]) == "waiting now"


def test_what_was_waited_for_the_start_does_not_fill_the_picture(admin, make_drain):
    """Asked for in the morning, to begin at night."""
    drain = make_drain("cmp2", server("x", "cmp2"), now=START)
    begun = START + timedelta(hours=10)
    store.change_drain(drain, begun, state=DrainState.RUNNING, started_at=begun)
    (row,) = store.migrations(drain)
    submit(row, 36000 + 60, "req-1")
    end = begun + timedelta(minutes=10)
    store.change_migration(row, end, state=MigrationState.GONE, event=("gone", WORKER, "", ""))
    store.finish_drain(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "", WORKER, end)
    _markup, drawn = picture(admin, drain)
    moving = drawn.find("g[@class='mnt-lane']/g[@class='mnt-seg mnt-seg-moving']/rect")
    assert percent(moving.get("width")) > lanes_page.PLOT * 0.7


def test_pauses_of_the_drain_are_seen(admin, drain):
    store.change_drain(drain, at(30), state=DrainState.PAUSED, event=("drain_paused", "bob", ""))
    _markup, drawn = picture(admin, drain)
    title = drawn.find("rect[@class='mnt-pause']/title").text
    assert title == "The drain was paused, since 2026-03-01 12:00:30"


def test_a_hundred_lanes_cost_the_same_queries_and_do_not_weigh_much(admin, make_drain):
    small = make_drain("cmp1", server("one"))
    large = make_drain("cmp2", *(server(f"s{i}", host="cmp2") for i in range(100)))
    for number, row in enumerate(store.migrations(large)):
        submit(row, number * 10, f"req-{number}")
        store.change_migration(
            row,
            at(number * 10 + 50),
            state=MigrationState.SUCCEEDED,
            event=("succeeded", WORKER, "It runs on cmp3.", ""),
        )

    def queries(drain) -> int:
        with CaptureQueriesContext(connection) as found:
            assert fragment(admin, "picture", drain).status_code == 200
        return len(found)

    assert queries(small) == queries(large) <= 6
    markup, drawn = picture(admin, large)
    assert len(drawn.findall("g[@class='mnt-lane']")) == 100
    assert int(drawn.get("height")) == 100 * lanes_page.LANE_HEIGHT
    assert len(markup) < 150_000


def test_a_picture_is_asked_for_again_only_when_it_changed(admin, drain, monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: at(1000.5))
    seen = token(fragment(admin, "picture", drain))
    assert fragment(admin, "picture", drain, seen=seen).status_code == 204
    monkeypatch.setattr(timezone, "now", lambda: at(1000.5 + lanes_page.REDRAWN_EVERY))
    assert fragment(admin, "picture", drain, seen=seen).status_code == 200  # time goes on

    Drain.objects.filter(pk=drain.pk).update(finished_at=at(101), state=DrainState.FAILED)
    seen = token(fragment(admin, "picture", drain))
    monkeypatch.setattr(timezone, "now", lambda: at(99999))
    assert fragment(admin, "picture", drain, seen=seen).status_code == 204  # it is over


def test_names_and_words_are_escaped_everywhere(admin, make_drain):
    drain = make_drain("cmp1", server(NASTY), reason=NASTY, actor=NASTY, now=START)
    (row,) = store.migrations(drain)
    submit(row, 10, "req-1", to="cmp2")
    store.change_migration(
        row,
        at(20),
        state=MigrationState.FAILED,
        dest_compute=NASTY,
        event=("failed", WORKER, NASTY * 9, NASTY[:60]),
    )
    store.record(drain, row, at(21), NASTY[:32], NASTY, NASTY, NASTY[:60])
    for name in ("timeline", "picture"):
        for headers in ({}, AJAX):
            shown = admin.get(url(name, drain), {"q": NASTY} if headers else {}, **headers)
            markup = shown.content.decode()
            assert "<script>alert(" not in markup
            assert "{$ 1+1" not in markup  # what AngularJS would evaluate
    picture(admin, drain)  # and it is XML all the same
    history = admin.get(reverse("horizon:admin:maintenance:host", args=["cmp1"])).content.decode()
    assert "<script>alert(" not in history


#: where a kind stands among the arguments of what records an event
KIND_AT = {
    "change": 2,
    "_change": 2,
    "ChangeRow": 2,
    "ChangeDrain": 1,
    "record": 3,
    "add_event": 3,
    "_event": 0,
    "_answered": 2,
    "Consequence": 1,
    "Verified": 1,
}


#: Modules that record what happens in runs: their pages show what was said, and no kinds.
OF_RUNS = {"runs", "run_changes", "run_actions", "rolling"}
QUERIES = {"filter", "exclude", "get"}


def recorded_kinds() -> set[str]:
    """The kinds of events in the source of what records them."""
    root = Path(ukcloud_maintenance.__file__).parent
    found: set[object] = set()
    for file in root.rglob("*.py"):
        room = file.relative_to(root).parts[0]
        if room not in {"core", "worker", "store", "services"} or file.stem in OF_RUNS:
            continue
        for call in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(call, ast.Tuple)
                and room == "store"
                and len(call.elts) in (3, 4)
                # who did it is no constant; names of fields are
                and not all(isinstance(one, ast.Constant) for one in call.elts)
            ):
                found.add(getattr(call.elts[0], "value", None))
            if not isinstance(call, ast.Call):
                continue
            if any(
                k.arg == "is_recorded" and ast.unparse(k.value) == "False" for k in call.keywords
            ):
                continue  # the log alone has it
            function = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            function = call.func.id if isinstance(call.func, ast.Name) else function
            place = KIND_AT.get(function)
            told = [call.args[place]] if place is not None and len(call.args) > place else []
            told += [
                keyword.value.elts[0]
                for keyword in call.keywords
                if keyword.arg == "event" and isinstance(keyword.value, ast.Tuple)
            ]
            if function not in QUERIES:  # what is looked for is not recorded there
                told += [keyword.value for keyword in call.keywords if keyword.arg == "kind"]
            found |= {
                node.value
                for one in told
                for node in (one, *([one.body, one.orelse] if isinstance(one, ast.IfExp) else []))
                if isinstance(node, ast.Constant)
            }
    return {kind for kind in found if isinstance(kind, str) and kind}


def test_there_are_words_for_every_kind_that_is_recorded():
    """One without would stand, in English, between translated ones."""
    found = recorded_kinds()
    assert {"submitted", "adopted", "late", "limit_learned", "joined", "cloud_back"} <= found
    assert {"aborting", "aborted", "drain_paused", "safe_to_power_off"} <= found
    assert {kind for kind in found if kind not in events.KINDS} == set()


def test_words_are_translated_when_they_are_shown():
    with override("de"):
        assert lanes_page.outcome_words(Outcome.NONE) == ""
        assert events.kind_words("failed")  # lazily, not when the module was read


# -- the export ------------------------------------------------------------------------------


def test_a_drain_can_be_taken_home_as_csv(admin, drain):
    response = admin.get(url("export_csv", drain))
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    expected = f'attachment; filename="drain-{drain.pk}-cmp1.csv"'
    assert response["Content-Disposition"] == expected
    assert response["Cache-Control"] == "no-store"
    lines = list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))
    assert [(line["server_name"], line["state"], line["dest_compute"]) for line in lines] == [
        ("web-1", "succeeded", "cmp2"),
        ("db-1", "migrating", "cmp4"),
        ("old-1", "stays", ""),
    ]
    assert lines[0]["started_at"] == "2026-03-01T12:00:50.000Z"


def test_a_drain_can_be_taken_home_as_json(admin, drain):
    response = admin.get(url("export_json", drain))
    assert response["Content-Type"].startswith("application/json")
    found = json.loads(response.content)
    assert [event["kind"] for event in found["events"]][:3] == [
        *("drain_requested", "drain_started", "submitted"),
    ]
    assert found["drain"]["requested_by"] == "alice"
    assert len(found["instances"]) == 3


def test_the_name_of_the_file_is_clean_whatever_the_host_is_called(admin, make_drain):
    drain = make_drain('cmp"1\r\nX: y', server("a"))
    response = admin.get(url("export_csv", drain))
    expected = f'attachment; filename="drain-{drain.pk}-cmp_1_X_y.csv"'
    assert response["Content-Disposition"] == expected


# -- the history of a host -------------------------------------------------------------------


def host_page(client, host: str = "cmp1") -> str:
    return client.get(reverse("horizon:admin:maintenance:host", args=[host])).content.decode()


def over(make_drain, begun: datetime, minutes: float, failed: int, total: int = 4, **more):
    drain = make_drain("cmp1", *(server(f"s{n}") for n in range(total)), now=begun, **more)
    store.change_drain(drain, begun, state=DrainState.RUNNING, started_at=begun)
    end = begun + timedelta(minutes=minutes)
    for n, row in enumerate(store.migrations(drain)):
        state = MigrationState.FAILED if n < failed else MigrationState.GONE
        store.change_migration(row, end, state=state)
    if failed:
        store.finish_drain(drain, DrainState.FAILED, DrainResult.INSTANCES_FAILED, "", WORKER, end)
    else:
        store.finish_drain(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "", WORKER, end)
    return drain


def history(page: str) -> list[list[str]]:
    table = re.search(r'<table id="drains".*?</table>', page, re.S)[0]
    body = table.split("<tbody>")[1]
    return [
        [text(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        for row in re.findall(r"<tr.*?</tr>", body, re.S)
    ]


def chart(page: str) -> ET.Element:
    return ET.fromstring(re.search(r'<svg class="mnt-chart".*?</svg>', page, re.S)[0])


def test_a_host_that_was_never_drained_says_so(admin):
    page = host_page(admin)
    assert "This host has not been drained yet." in page
    assert "mnt-chart" not in page


def test_the_history_tells_who_how_long_how_many_and_how_many_failures(admin, make_drain):
    first = over(make_drain, START, 61.5, failed=1)
    second = over(make_drain, START + timedelta(days=9), 5, failed=0, actor="bob")
    page = host_page(admin)
    assert page.count('<table id="drains"') == 1
    rows = history(page)
    assert [row[:5] for row in rows] == [
        [f"Drain {second.pk}", "Drained", "4 of 4 left the host", "0", "5:00"],
        [f"Drain {first.pk}", "Failed", "3 of 4 left the host", "1", "1:01:30"],
    ]
    assert [row[6] for row in rows] == ["bob", "alice"]


def test_a_return_to_service_stands_where_it_belongs(admin, make_drain):
    first = over(make_drain, START, 60, failed=0)
    maintenance = store.join_maintenance(
        first, found_status="enabled", found_reason="", service_id="s", now=START
    )
    store.close_maintenance(maintenance, START + timedelta(days=3))
    HostMaintenance.objects.filter(pk=maintenance.pk).update(
        returned_by="carol",
        returning_since=START + timedelta(days=3, seconds=-2),
        message="Enabled, and Nova sees it up.",
    )
    second = over(make_drain, START + timedelta(days=9), 5, failed=0)
    store.join_maintenance(  # open: no return yet
        second, found_status="enabled", found_reason="", service_id="s", now=START
    )
    rows = history(host_page(admin))
    assert [row[0] for row in rows] == [
        f"Drain {second.pk}",
        "Return to service",
        f"Drain {first.pk}",
    ]
    assert rows[1][1:] == [
        *("Enabled, and Nova sees it up. In maintenance for 3 days.", "0:02", NOTHING, "carol"),
        *("2026-03-04 11:59", "2026-03-04 12:00"),
    ]


def test_a_short_maintenance_is_told_in_minutes_and_its_return_in_seconds(admin, make_drain):
    drain = over(make_drain, START, 60, failed=0)
    found = store.join_maintenance(
        drain, found_status="enabled", found_reason="", service_id="s", now=START
    )
    end = START + timedelta(minutes=18)
    store.close_maintenance(found, end)
    HostMaintenance.objects.filter(pk=found.pk).update(
        returning_since=end - timedelta(seconds=2), message="Enabled, and Nova sees it up."
    )
    told = next(row for row in history(host_page(admin)) if row[0] == "Return to service")
    assert told[1:3] == ["Enabled, and Nova sees it up. In maintenance for 18 min.", "0:02"]


def test_what_was_aborted_is_no_failure_in_the_history(admin, make_drain):
    drain = over(make_drain, START, 60, failed=2)
    row = drain.migrations.filter(state=MigrationState.FAILED).first()
    drain.migrations.filter(pk=row.pk).update(code="aborted")
    [told] = history(host_page(admin))
    assert told[3] == "1"


def test_the_chart_has_a_bar_for_each_drain_as_high_as_it_took(admin, make_drain):
    over(make_drain, START, 30, failed=1)
    over(make_drain, START + timedelta(days=1), 60, failed=0)
    drawn = chart(host_page(admin))
    bars = drawn.findall("g")
    heights = [float(bar.find("rect").get("height")) for bar in bars]
    assert heights == [CHART_HEIGHT / 2, CHART_HEIGHT]
    # a quarter of the first one's instances failed, and a quarter of it is marked
    bad = [bar.find("g[@class='mnt-seg mnt-seg-failed']/rect") for bar in bars]
    assert float(bad[0].get("height")) == pytest.approx(heights[0] / 4, abs=0.1)
    assert bad[1] is None
    assert bars[0].find("title").text.endswith("Failed, 30:00, 1 of 4 instances failed")
    assert drawn.get("aria-label") == (
        "Durations of 2 drains; the longest took 1:00:00; instances failed in 1 of them."
    )


@pytest.mark.parametrize("number", [1, 30, 33])
def test_the_chart_keeps_its_form_with_one_drain_and_with_many(admin, make_drain, number):
    for n in range(number):
        over(make_drain, START + timedelta(days=n), 10 + n, failed=0, total=1)
    page = host_page(admin)
    shown = min(number, 30)
    bars = chart(page).findall("g")
    assert len(bars) == len(history(page)) == shown
    edges = [
        (percent(bar.find("rect").get("x")), percent(bar.find("rect").get("width"))) for bar in bars
    ]
    assert all(2 < width < 12 for _x, width in edges)
    assert all(a + w < b for (a, w), (b, _w) in pairwise(edges))
    assert edges[-1][0] + edges[-1][1] <= 100
    assert ("Show All" in page) == (number > shown)


def test_a_drain_under_way_and_one_that_has_not_begun_are_in_the_chart(admin, make_drain):
    make_drain("cmp1", server("a"))
    (bar,) = chart(host_page(admin)).findall("g")
    assert float(bar.find("rect").get("height")) == 2
    assert "so far" in bar.find("title").text


def test_a_run_that_brings_instances_back_is_told_as_one(admin, make_drain):
    drain = over(make_drain, START, 5, failed=0)
    Drain.objects.filter(pk=drain.pk).update(direction="back")
    drain.migrations.update(dest_compute=drain.host)
    page = host_page(admin)
    assert history(page)[0][0] == f"Bring-back {drain.pk}"
    assert history(page)[0][2] == "4 of 4 were brought back"
    told = whats(fragment(admin, "timeline", drain))
    assert told[0] == "All instances to bring back have arrived"

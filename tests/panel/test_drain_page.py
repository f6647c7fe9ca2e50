"""A drain's page, its updates, and the list of drains."""

import html
import json
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tests.fakes import GIB, server
from ukcloud_maintenance import store
from ukcloud_maintenance.content.maintenance.common import formats
from ukcloud_maintenance.content.maintenance.common.formats import NOTHING
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState

AJAX = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}
NASTY = '<script>alert("1")</script>{$ 1+1 $}'


def page(drain) -> str:
    return reverse("horizon:admin:maintenance:drain", args=[drain.pk])


def updates(client, drain, seen: str = ""):
    url = reverse("horizon:admin:maintenance:updates", args=[drain.pk])
    return client.get(url, {"seen": seen} if seen else {}, **AJAX)


def text(fragment: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", fragment))).strip()


def cells(data: dict) -> dict[str, list[str]]:
    """The text of the rows of an update, by instance."""
    shown = {}
    for row in data["rows"]:
        texts = [text(cell[0]) for cell in row["cells"]]
        shown[texts[0]] = texts
    return shown


@pytest.fixture
def running(make_drain):
    """A drain under way with an instance in each state that is of interest."""
    now = timezone.now()
    names = ["flies-1", "late-1", "done-1", "failed-1", "waits-1", "unknown-1"]
    drain = make_drain(
        "cmp1",
        *(server(name, memory_bytes=4 * GIB) for name in names),
        server("old-1", status="SUSPENDED", vm_state="suspended"),
    )
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now, learned_limit=2)
    rows = {row.server_name: row for row in store.migrations(drain)}

    def submit(name: str, **more):
        store.change_migration(
            rows[name], now, state=MigrationState.SUBMITTED, attempts=1, started_at=now
        )
        store.change_migration(
            rows[name],
            now,
            state=MigrationState.MIGRATING,
            nova_status="running",
            dest_compute="cmp2",
            **more,
        )

    submit(
        "flies-1",
        memory_total_bytes=4 * GIB,
        memory_remaining_bytes=3 * GIB,
        rate_bytes=230 * 1024**2,
        fraction=0.25,
    )
    submit("late-1", late_since=now)
    submit("done-1")
    store.change_migration(
        rows["done-1"], now, state=MigrationState.SUCCEEDED, nova_status="completed"
    )
    submit("failed-1")
    store.change_migration(
        rows["failed-1"],
        now,
        state=MigrationState.FAILED,
        nova_status="error",
        message="No valid host was found. There are not enough hosts available. " * 9,
    )
    submit("unknown-1")
    store.change_migration(rows["unknown-1"], now, state=MigrationState.UNKNOWN)
    return drain


def test_the_page_shows_all_of_it_without_a_script(admin, cloud, running):
    response = admin.get(page(running))
    shown = text(response.content.decode())

    assert cloud.asked == []  # the database alone
    assert "<title>2 need you · 1/6 · cmp1 - " in response.content.decode()
    assert "2 need you. 1 of 6 instances have left." in shown
    assert (
        "2 migrating 1 pending 1 succeeded 1 unknown 1 failed 1 stays" in shown
    )  # words and numbers
    assert "at most 2; Nova runs 2 at once here" in shown
    assert "new kernel" in shown
    assert "alice" in shown
    assert "1 of 4 GiB · 230 MiB/s" in shown
    for word in ("flies-1", "customer", "running", "cmp2", "Late", "old-1", "Stays", "completed"):
        assert word in shown


def test_an_update_holds_the_same_rows_as_the_page(admin, running):
    data = updates(admin, running).json()
    whole = admin.get(page(running)).content.decode()
    for row in data["rows"]:
        for markup, _key in row["cells"]:
            assert markup in whole

    shown = cells(data)
    assert shown["flies-1"][1:9] == [
        "customer",
        "4 GiB",
        "Migrating",
        "running",
        "1 of 4 GiB · 230 MiB/s",
        "cmp1",
        "cmp2",
        "1",
    ]
    assert shown["late-1"][3] == "Migrating Late"
    assert shown["waits-1"][3:9] == ["Pending", NOTHING, NOTHING, "cmp1", NOTHING, NOTHING]
    assert shown["old-1"][11].startswith("It is suspended")
    # a long message is folded, and all of it is there
    assert shown["failed-1"][11].count("No valid host was found.") >= 10
    assert "<details" in data["rows"][3]["cells"][11][0]


def test_a_bar_is_full_only_at_the_end(admin, running):
    row = running.migrations.get(server_name="flies-1")
    store.change_migration(
        row,
        timezone.now(),
        memory_remaining_bytes=0,
        fraction=1.0,
    )
    copied = updates(admin, running).json()["rows"][0]["cells"][5][0]
    assert 'aria-valuenow="99"' in copied


def test_nothing_new_costs_two_small_queries_and_no_openstack(admin, cloud, running):
    first = updates(admin, running)
    token = first.json()["token"]
    with CaptureQueriesContext(connection) as queries:
        again = updates(admin, running, token)

    assert (again.status_code, again.content) == (204, b"")
    assert len(queries) == 2
    assert cloud.asked == []
    assert again["Cache-Control"] == "no-store"
    assert updates(admin, running, "another-token").status_code == 200


def test_any_change_is_new(admin, running, worker_alive):
    token = updates(admin, running).json()["token"]
    row = running.migrations.get(server_name="flies-1")
    store.change_migration(row, timezone.now(), memory_remaining_bytes=2 * GIB)
    answer = updates(admin, running, token)
    assert answer.status_code == 200
    assert "2 of 4 GiB" in cells(answer.json())["flies-1"][5]

    token = answer.json()["token"]
    store.worker_stopped("worker-1", timezone.now())
    answer = updates(admin, running, token)
    assert answer.status_code == 200
    assert "No worker is running." in answer.json()["parts"]["worker"]


def test_the_number_of_queries_does_not_depend_on_the_rows(admin, make_drain):
    small = make_drain("cmp1", server("one"))
    large = make_drain("cmp2", *(server(f"s{i}", host="cmp2") for i in range(60)))

    def queries(drain) -> int:
        with CaptureQueriesContext(connection) as found:
            assert updates(admin, drain).status_code == 200
        return len(found)

    assert queries(small) == queries(large) <= 7


def finish(drain, state, result, message=""):
    now = timezone.now()
    if state == DrainState.CANCELLED:
        store.change_drain(drain, now, state=DrainState.CANCELLING, cancelled_by="bob")
    store.finish_drain(drain, state, result, message, "worker", now)


def over(make_drain, state, result, *servers, message=""):
    drain = make_drain("cmp1", *servers)
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    if state == DrainState.SUCCEEDED:
        for row in store.migrations(drain):
            store.change_migration(row, now, state=MigrationState.GONE)
    finish(drain, state, result, message)
    return drain


STAYS = server("old-1", status="SUSPENDED", vm_state="suspended")


@pytest.mark.parametrize(
    ("state", "result", "servers", "label", "headline"),
    [
        (DrainState.SUCCEEDED, DrainResult.EMPTY, [server("a")], "Drained", "The host is empty."),
        (
            DrainState.FAILED,
            DrainResult.INSTANCES_LEFT,
            [STAYS],
            "Finished, 1 stays",
            "There was no other instance on the host.",
        ),
        (
            DrainState.FAILED,
            DrainResult.INSTANCES_FAILED,
            [server("a"), server("b")],
            "Failed",
            "The drain ended without emptying the host. 2 instances are still on the host.",
        ),
        (
            DrainState.FAILED,
            DrainResult.NOT_PROVED,
            [],
            "Not verified empty",
            "The drain ended, but the host could not be verified as empty.",
        ),
        (
            DrainState.FAILED,
            DrainResult.INTERRUPTED,
            [server("a")],
            "Interrupted",
            "The drain ended because the worker could not continue."
            " 1 instance is still on the host.",
        ),
        (
            DrainState.FAILED,
            DrainResult.HOST_LOST,
            [server("a")],
            "Host lost",
            "The drain ended because the host went down. 1 instance is still on the host.",
        ),
        (
            DrainState.CANCELLED,
            DrainResult.CANCELLED,
            [server("a")],
            "Cancelled",
            "1 instance is still on the host.",
        ),
    ],
)
def test_an_end_is_said_plainly(admin, make_drain, state, result, servers, label, headline):
    drain = over(make_drain, state, result, *servers, message="What is left:\nthe worker's words")
    data = updates(admin, drain).json()

    assert data["over"] is True
    assert text(data["parts"]["state"]) == label
    assert text(data["parts"]["headline"]) == headline
    assert "the worker's words" in text(data["parts"]["message"])
    assert data["parts"]["actions"] == ""
    assert data["parts"]["worker"] == ""
    assert data["title"] == f"{label} · cmp1"
    assert data["announcement"] == f"cmp1: {label}. {headline}"
    shown = admin.get(page(drain)).content.decode()
    assert 'data-over="true"' in shown


def test_cancelling_asks_first_and_says_what_happens(admin, running):
    url = reverse("horizon:admin:maintenance:cancel_drain", args=[running.pk])
    for headers in ({}, AJAX):
        asked = text(admin.get(url, **headers).content.decode())
        assert "Cancel the drain of host cmp1?" in asked
        assert "2 migrations are in progress" in asked
        assert "1 waiting instance stays on cmp1." in asked
        assert "1 instance that has left is not brought back." in asked
    running.refresh_from_db()
    assert running.state == DrainState.RUNNING

    admin.post(url)
    running.refresh_from_db()
    assert (running.state, running.cancelled_by) == (DrainState.CANCELLING, "alice")
    data = updates(admin, running).json()
    assert "Being cancelled" in data["parts"]["headline"]
    # what is left to be asked for
    assert text(data["parts"]["actions"]) == "Abort Migrations in Progress…"
    assert data["over"] is False


def test_cancelling_what_is_over_says_so(admin, make_drain):
    drain = over(make_drain, DrainState.SUCCEEDED, DrainResult.EMPTY)
    url = reverse("horizon:admin:maintenance:cancel_drain", args=[drain.pk])
    assert f"Drain {drain.pk} has ended (succeeded)." in text(admin.get(url).content.decode())
    assert admin.post(url)["location"] == page(drain)


@pytest.mark.parametrize("number", [99, 10**30])
def test_an_unknown_drain_is_404_with_words(admin, number):
    for name in ("drain", "cancel_drain", "updates"):
        url = reverse(f"horizon:admin:maintenance:{name}", args=[number])
        response = admin.get(url)
        assert response.status_code == 404, name
        assert f"There is no drain {number}." in response.content.decode()


def test_a_drain_of_another_region_names_it_and_cannot_be_touched(
    client, log_in, cloud, make_drain
):
    drain = make_drain("cmp1", server("web-1"), region="RegionTwo")
    log_in("admin", region="RegionOne")
    for name in ("drain", "updates", "cancel_drain"):
        url = reverse(f"horizon:admin:maintenance:{name}", args=[drain.pk])
        response = client.get(url)
        assert response.status_code == 404
        assert "Switch to region RegionTwo" in response.content.decode()
    assert client.post(url).status_code == 404
    drain.refresh_from_db()
    assert drain.state == DrainState.PENDING
    index = client.get(reverse("horizon:admin:maintenance:index")).content.decode()
    assert "View Drain" not in index
    assert "web-1" not in client.get(page(drain)).content.decode()

    log_in("admin", region="RegionTwo")
    assert client.get(page(drain)).status_code == 200


def test_names_and_words_are_escaped_in_page_and_updates(admin, make_drain):
    drain = make_drain(
        "cmp1", server(NASTY), reason=NASTY, actor=NASTY, project_names={"p1": NASTY}
    )
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, message=NASTY)
    (row,) = store.migrations(drain)
    sent = {"nova_status": NASTY[:32], "dest_compute": NASTY}
    store.change_migration(row, now, state=MigrationState.SUBMITTED, **sent)
    store.change_migration(row, now, state=MigrationState.FAILED, message=NASTY * 9)
    store.sign_of_life("w", "h", 1, now, problem=text(NASTY))

    data = updates(admin, drain).json()
    fragments = [cell[0] for cell in data["rows"][0]["cells"]] + list(data["parts"].values())
    listed = admin.get(reverse("horizon:admin:maintenance:drains")).content.decode()
    for shown in [*fragments, admin.get(page(drain)).content.decode(), listed]:
        assert "<script>alert(" not in shown
        assert "{$ 1+1" not in shown  # what AngularJS would evaluate
    assert sum("&lt;script&gt;" in fragment for fragment in fragments) >= 7
    assert json.loads(updates(admin, drain).content)  # and it is JSON all the same


def test_times_are_shown_in_the_users_zone_in_updates_too(admin, make_drain):
    """Horizon sets the time zone for pages only, not for the requests of a script."""
    at = timezone.now().replace(hour=12, minute=30, second=5)
    drain = make_drain("cmp1", now=at)
    admin.cookies["django_timezone"] = "Asia/Kathmandu"  # UTC+5:45
    assert "18:15:05" in admin.get(page(drain)).content.decode()
    assert "18:15:05" in updates(admin, drain).json()["parts"]["facts"]
    admin.cookies["django_timezone"] = "UTC"
    assert "12:30:05" in updates(admin, drain).json()["parts"]["facts"]


def test_pages_speak_german(admin, running, settings):
    admin.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    shown = text(admin.get(page(running)).content.decode())
    assert "1 von 6 Instanzen haben den Host verlassen." in shown
    assert "Sie ist suspendiert" in shown  # what the preflight said when it was asked for


# -- the list --------------------------------------------------------------------------------


def drains(client, **query) -> list[int]:
    shown = client.get(reverse("horizon:admin:maintenance:drains"), query).content.decode()
    return [int(number) for number in re.findall(r'<tr data-drain="(\d+)"', shown)]


def test_the_list_is_newest_first_filtered_and_paged(admin, make_drain, settings):
    now = timezone.now()
    first = make_drain("cmp1", server("a"), now=now - timedelta(hours=2), reason="old disk")
    store.cancel_drain(first, "bob", now)
    second = make_drain("cmp10", now=now - timedelta(hours=1), actor="carol")
    third = make_drain("cmp1", now=now)
    make_drain("cmp1", region="RegionTwo")

    assert drains(admin) == [third.pk, second.pk, first.pk]
    assert drains(admin, q="cmp10") == [second.pk]
    assert drains(admin, q="OLD DISK") == [first.pk]
    assert drains(admin, q="carol") == [second.pk]
    assert drains(admin, state="open") == [third.pk, second.pk]
    assert drains(admin, state="cancelled") == [first.pk]
    assert drains(admin, state="cancelled", q="cmp10") == []
    settings.API_RESULT_PAGE_SIZE = 2
    assert drains(admin) == [third.pk, second.pk]
    assert drains(admin, page=2) == [first.pk]


def test_a_long_reason_is_shortened_in_the_lists_and_all_of_it_can_be_reached(admin, make_drain):
    """By whoever points at it, and by whoever comes by keyboard."""
    make_drain("cmp1", server("a"), reason="new kernel")
    make_drain("cmp2", server("b"), reason=f"{'firmware ' * 25}<b>")
    html = admin.get(reverse("horizon:admin:maintenance:drains")).content.decode()
    found = re.findall(r'<div class="mnt-reason([^>]*)>([^<]*)</div>', html)
    long, short = found
    assert short == ('"', "new kernel")
    whole = f"{'firmware ' * 25}&lt;b&gt;"
    assert long == (f' mnt-brief" tabindex="0" title="{whole}"', whole)


def test_the_list_says_when_it_is_empty(admin, make_drain):
    url = reverse("horizon:admin:maintenance:drains")
    assert "No host of region RegionOne has been drained yet." in admin.get(url).content.decode()
    make_drain("cmp1")
    assert "No drain matches the filter." in admin.get(url, {"q": "none"}).content.decode()


# -- formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, NOTHING),
        (0, "0 B"),
        (1023, "1023 B"),
        (512 * 1024**2, "512 MiB"),
        (1536 * 1024**2, "1.5 GiB"),
        (46 * GIB, "46 GiB"),
        (3 * 1024 * GIB, "3 TiB"),
    ],
)
def test_sizes(value, shown):
    assert formats.size(value) == shown


def test_durations_and_names():
    assert formats.duration(5) == "0:05"
    assert formats.duration(185) == "3:05"
    assert formats.duration(3765) == "1:02:45"
    assert formats.duration(-3) == "0:00"
    names = ["cmp10", "cmp2", "CMP2", "a-9-x", "a-10", "", "10", "9"]
    assert sorted(names, key=formats.natural_key) == [
        "",
        "9",
        "10",
        "a-9-x",
        "a-10",
        "CMP2",
        "cmp2",
        "cmp10",
    ]


@pytest.mark.parametrize(
    ("action", "elapsed", "more", "said"),
    [
        ("abort", 600, {}, r"Times out in \d+:\d\d ?; it is then aborted\."),
        ("force_complete", 600, {}, r"Times out in \d+:\d\d ?; its guest is then paused"),
        ("warn", 600, {}, ""),
        (
            "warn",
            600,
            {"late_since": True},
            r"Times out in \d+:\d\d ?; it is then marked and continues",
        ),
        ("abort", 1900, {"seconds_left": 15.0}, r"so it may continue\. Otherwise it is aborted in"),
        ("force_complete", 1900, {"seconds_left": 15.0}, r"its guest is paused in \d+:\d\d until"),
        ("abort", 1900, {"seconds_left": None}, ""),
        ("warn", 1900, {"seconds_left": 15.0}, ""),
    ],
)
def test_a_copy_tells_when_it_times_out_and_what_happens_then(
    admin, make_drain, action, elapsed, more, said
):
    now = timezone.now()
    drain = make_drain("cmp1", server("web", memory_bytes=GIB))
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    store.adjust_drain(drain, "ann", now, "", timeout_action=action)
    [row] = store.migrations(drain)
    store.change_migration(row, now, state=MigrationState.SUBMITTED)
    if "late_since" in more:
        more = {"late_since": now}
    store.change_migration(
        row,
        now,
        state=MigrationState.MIGRATING,
        nova_status="running",
        running_since=now - timedelta(seconds=elapsed),
        **more,
    )
    shown = " ".join(cells(updates(admin, drain).json())["web"])
    if said:
        assert re.search(said, shown), shown
    else:
        assert "Times out" not in shown
        assert "it may continue" not in shown


# -- what the table tells of time and place --------------------------------------------------


def columns(admin, drain):
    """The cells of each row, by the slug of their column."""
    html = admin.get(page(drain)).content.decode()
    found = {}
    for row in re.findall(r"<tr data-id=.*?</tr>", html, re.DOTALL):
        name = re.search(r'data-name="([^"]*)"', row).group(1)
        cells_ = re.findall(r'<td class="mnt-col-(\w+)"[^>]*>(.*?)</td>', row, re.DOTALL)
        found[name] = dict(cells_)
    return found


def test_hosts_are_linked_and_ids_can_be_copied(admin, running):
    rows = columns(admin, running)
    for slug, host in (("source", "cmp1"), ("dest", "cmp2")):
        assert f'/hosts/{host}/?region=RegionOne">{host}</a>' in rows["flies-1"][slug]
    server_id = running.migrations.get(server_name="flies-1").server_id
    assert f'data-copy="{server_id}"' in rows["flies-1"]["name"]


def test_an_attempt_tells_how_long_it_takes_or_took(admin, make_drain, monkeypatch):
    drain = make_drain("cmp1", server("gone"), server("flies"), server("waits"))
    begun = timezone.now() - timedelta(minutes=5)
    store.change_drain(drain, begun, state=DrainState.RUNNING, started_at=begun)
    rows = {row.server_name: row for row in drain.migrations.all()}
    for name in ("gone", "flies"):
        store.change_migration(
            rows[name], begun, state=MigrationState.SUBMITTED, submitted_at=begun
        )
        store.change_migration(rows[name], begun, state=MigrationState.MIGRATING)
    store.change_migration(
        rows["gone"], begun + timedelta(seconds=75), state=MigrationState.SUCCEEDED
    )
    monkeypatch.setattr("django.utils.timezone.now", lambda: begun + timedelta(seconds=303))
    shown = columns(admin, drain)
    assert text(shown["gone"]["duration"]) == "1:15"
    assert "finished 2" in shown["gone"]["duration"]  # the time, in ISO 8601
    assert f'data-since="{begun.isoformat()}"' in shown["flies"]["duration"]
    assert text(shown["flies"]["duration"]) == "5:03"
    assert text(shown["waits"]["duration"]) == NOTHING


def test_what_failed_tells_which_hosts_were_tried(admin, make_drain):
    drain = make_drain("cmp1", server("poor"), server("lucky"))
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    rows = {row.server_name: row for row in drain.migrations.all()}
    for name, row in rows.items():
        for n, host in enumerate(("cmp2", "cmp3", "cmp2"), 1):
            store.change_migration(
                row, now, state=MigrationState.SUBMITTED, submitted_at=now, attempts=n
            )
            store.change_migration(row, now, state=MigrationState.MIGRATING, sent_to=host)
            if n < 3:
                store.change_migration(row, now, state=MigrationState.PENDING)
        end = MigrationState.FAILED if name == "poor" else MigrationState.SUCCEEDED
        store.change_migration(row, now, state=end)
    shown = columns(admin, drain)
    assert "Tried: cmp2, cmp3." in text(shown["poor"]["message"])
    assert "Tried" not in shown["lucky"]["message"]


def test_dates_are_iso_with_their_zone(admin, running):
    html = admin.get(page(running)).content.decode()
    titles = re.findall(r'<time datetime="[^"]*" title="([^"]*)"', html)
    assert titles
    for title in titles:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", title), title

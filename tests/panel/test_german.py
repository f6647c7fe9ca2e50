"""The pages in German: no English stands in what is ours on them."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, override

import ukcloud_maintenance
from tests.asking import request
from tests.fakes import GIB, server, service
from tests.panel import (
    test_certificate,
    test_hosts,
    test_plans,
    test_record,
    test_runs,
    test_steering,
)
from ukcloud_maintenance import services, store
from ukcloud_maintenance.content.maintenance.common import labels
from ukcloud_maintenance.core.host.evidence import ErrorSight, weigh
from ukcloud_maintenance.core.message import lines, message, text
from ukcloud_maintenance.core.run.states import ActionKind, Stage
from ukcloud_maintenance.core.states import DrainState, MigrationState
from ukcloud_maintenance.models import Drain, Event, Run, RunHost

PANEL = "horizon:admin:maintenance"
AJAX = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}
#: Words that no German sentence has.
ENGLISH = re.compile(
    r"\b(the|and|is|are|it|its|of|to|by|from|which|while|with|this|that|there|be|been|has|have|"
    r"Pause|Resume|Cancel|Retry|Skip|Abort|Timeline|History|Safe|Power|Drain|Wait|Instances)\b"
)
#: What people and Nova said, and commands; it stays as it is.
AS_SAID = (
    "new kernel",
    "new firmware",
    "No valid host was found.",
    "bad fan",
    "In ERROR.",
    "timed out",
)
#: What a person reads of an element without looking at its text.
READ = re.compile(r"aria-label|title|placeholder")

drain = test_steering.drain
maintained = test_certificate.maintained
make_plan = test_plans.make_plan
make_run = test_runs.make_run
room = test_plans.room


@pytest.fixture
def evidence(monkeypatch):
    """Of a server whose guest may be anywhere."""
    sight = ErrorSight(
        server=server("web-1", status="ERROR"),
        source="cmp1",
        service=service("cmp1"),
        diagnostics=None,
        diagnostics_error=text("timed out"),
        record=None,
        aborted_by_us=False,
        was_cancelled=False,
        newer_migrations=(),
        read_at=timezone.now(),
        initial_status="PAUSED",
    )
    found = weigh(sight, timezone.now())
    monkeypatch.setattr(services, "evidence", lambda actor, cloud, drain_id, row_id: found)
    return found


class Reader(HTMLParser):
    """All pieces of text of our part of a page, and the attributes that are read out or shown."""

    def __init__(self, html: str):
        super().__init__()
        self.found: list[str] = []
        self.silent = 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.silent += tag in ("script", "style")
        read = [value for name, value in attrs if READ.fullmatch(name)]
        if tag == "input" and given.get("type") == "submit":
            read.append(given.get("value"))
        self.found += [value for value in read if value]

    def handle_endtag(self, tag):
        self.silent -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.silent and data.strip():
            self.found.append(re.sub(r"\s+", " ", data).strip())


def english(html: str) -> list[str]:
    """What of a page is not German."""
    left = []
    for piece in Reader(html).found:
        ours = piece
        for said in AS_SAID:
            ours = ours.replace(said, "")
        if ENGLISH.search(ours) or _KEYS.get(piece, piece) != piece:
            left.append(piece)
    return left


def _keys() -> dict[str, str]:
    """The English of every text without values, with its German. Single words in small letters
    are left out: they are names and statuses of Nova's too."""
    found = ukcloud_maintenance.__file__
    source = Path(found).parent / "locale" / "de" / "LC_MESSAGES" / "django.po"
    pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', source.read_text(), re.M)
    return {one: other for one, other in pairs if not re.fullmatch(r"[a-z]+", one)}


_KEYS = _keys()


@pytest.fixture
def german(admin):
    """The administrator, with German chosen; gives our part of what is answered."""
    admin.cookies[django_settings.LANGUAGE_COOKIE_NAME] = "de"

    def get(name: str, *args, ajax: bool = False, post=None, **query) -> str:
        where = reverse(f"{PANEL}:{name}", args=args)
        more = AJAX if ajax else {}
        response = admin.get(where, query, **more) if post is None else admin.post(where, post)
        assert response.status_code == 200
        html = response.content.decode()
        start = html.find('id="content_body"')
        return html[html.index(">", start) + 1 :] if start >= 0 else html

    get.client = admin
    with override(get_language()):  # the last page's language would stay for other tests
        yield get


def test_the_reader_finds_what_is_english():
    assert english("<p title='Pause'>Alles gut</p>") == ["Pause"]
    assert english("<p>Sie endet nicht. It is over.</p>") == ["Sie endet nicht. It is over."]
    assert english("<button>Try again</button><i>new kernel</i>") == ["Try again"]
    assert english("<script>is it</script><input type=submit value='Go Back'>") == ["Go Back"]


# -- the drain -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "of"), [("updates", "pk"), ("plan_updates", "plan_id")])
def test_a_page_that_showed_another_language_is_sent_all_of_it(admin, drain, name, of):
    plan = store.create_plan(
        region=drain.region,
        reason="x",
        hosts_at_once=1,
        now=timezone.now(),
        actor_id="u",
        actor="a",
    )
    Drain.objects.filter(pk=drain.pk).update(plan=plan)
    drain.refresh_from_db()
    url = reverse(f"{PANEL}:{name}", args=[getattr(drain, of)])
    with override(get_language()):
        shown = admin.get(url).json()
        assert admin.get(url, {"seen": shown["token"]}).status_code == 204
        admin.cookies[django_settings.LANGUAGE_COOKIE_NAME] = "de"
        again = admin.get(url, {"seen": shown["token"]}).json()
    assert len(again["rows"]) == len(shown["rows"])
    assert again["parts"]["state"] != shown["parts"]["state"]


def test_the_page_of_a_drain_with_every_verb(german, drain, evidence):
    page = german("drain", drain.pk)
    assert english(page) == []
    for word in (
        "Leerung anhalten",
        "Leerung abbrechen",
        "Abschluss erzwingen",
        "Wiederholen",
        "Auslassen",
    ):
        assert word in page


@pytest.mark.parametrize("course", ["converging", "slow", "not_converging", "stalled"])
def test_what_is_told_of_a_copy_and_of_what_was_asked(german, drain, course):
    now = timezone.now()
    rows = test_steering.rows_of(drain)
    given = {"points": test_steering.points(900, 700, 500), "memory_total_bytes": GIB}
    given |= {
        "memory_remaining_bytes": 500 * test_steering.MIB,
        "rate_bytes": 25.0 * test_steering.MIB,
        "seconds_left": 130.0,
    }
    store.change_migration(rows["running"], now, course=course, **given)
    store.change_migration(rows["queued"], now, late_since=now, timed_out_at=now)
    request(rows["preparing"], "abort", "bob", answer=message("abort_refused", words="No."))
    parts = test_steering.updates(german.client, drain)
    cells = [cell for row in parts["rows"] for column in row["cells"] for cell in [column[0]]]
    shown = [*(str(part) for part in parts["parts"].values()), *map(str, cells)]
    assert [piece for one in shown for piece in english(one)] == []
    assert any("Möglichkeiten:" in one for one in shown) is (course != "converging")
    assert any("Nova lehnte den Abbruch ab: No." in one for one in shown)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (DrainState.PAUSED, "Leerung fortsetzen"),
        (DrainState.CANCELLING, "Wird abgebrochen"),
    ],
)
def test_the_page_of_a_drain_that_does_not_run(german, drain, state, words):
    store.change_drain(drain, timezone.now(), state=state)
    page = german("drain", drain.pk)
    assert english(page) == []
    assert words in page


@pytest.mark.parametrize(
    ("slug", "name", "words"),
    [
        ("abort", "running", "Die Migration dieser Instanz abbrechen?"),
        ("force", "running", "Den Abschluss dieser Migration erzwingen?"),
        ("retry_on", "failed", "auf welchen Host?"),
        ("skip", "failed", "Diese Instanz auslassen?"),
        ("reset", "late_error", "auf active zurücksetzen?"),
    ],
)
def test_the_dialogs_of_an_instance(german, drain, evidence, slug, name, words):
    row = test_steering.rows_of(drain)[name]
    page = german(f"instances_{slug}", drain.pk, ajax=True, row=row.pk)
    assert english(page) == []
    assert words in page


def test_a_dialog_says_in_german_why_something_cannot_be_done(german, drain):
    rows = test_steering.rows_of(drain)
    page = german("instances_skip", drain.pk, ajax=True, row=[one.pk for one in rows.values()])
    assert english(page) == []
    assert "sie ist erfolgreich." in page


@pytest.mark.parametrize("name", ["cancel_drain", "change_drain"])
def test_the_dialogs_of_a_drain(german, drain, name):
    assert english(german(name, drain.pk, ajax=True)) == []


def test_the_timeline_and_the_picture(german, make_drain):
    recorded = test_record.drain.__wrapped__(make_drain)
    timeline = german("timeline", recorded.pk)
    assert english(timeline) == []
    assert "Migration bei Nova angefordert" in timeline
    assert "Sie läuft auf cmp2." in timeline
    assert english(german("picture", recorded.pk)) == []


# -- plans -----------------------------------------------------------------------------------


def test_the_form_of_a_plan_and_a_refusal_in_it(german, room, make_drain):
    make_drain("cmp10")
    page = german("new_plan", host=["cmp1", "cmp10", "cmp3"])
    assert english(page) == []
    assert page.count('data-language="de"') == 1  # numbers are written by the script too
    assert "Host cmp10 wird schon geleert (Leerung" in page
    assert "Host cmp3 ist ausgefallen, und für eine Live-Migration" in page
    again = german("new_plan", post=test_plans.entered("cmp1", stop_at="2001-01-01T00:00"))
    assert "Diese Zeit liegt in der Vergangenheit." in again
    assert english(again) == []


@pytest.mark.parametrize("over", [False, True])
def test_the_page_of_a_plan(german, make_plan, over):
    plan = make_plan("cmp1", "cmp2")
    for host in ("cmp1", "cmp2") if over else ():
        test_plans.finish(test_plans.drain_of(plan, host))
    page = german("plan", plan.pk)
    assert english(page) == []
    assert ("Alle 2 Hosts sind leer." in page) is over
    assert english(german("plans")) == []
    if not over:
        assert english(german("cancel_plan", plan.pk, ajax=True)) == []


# -- hosts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("against", [{}, test_certificate.ARRIVED, test_certificate.DOWN])
def test_the_certificate(german, maintained, against):
    test_certificate.verify(maintained, **against)
    printed, page = german("certificate", "cmp4"), german("host", "cmp4")
    assert english(printed) == []
    assert english(page) == []
    for shown in (printed, page):
        assert ("Darf ausgeschaltet werden" in test_plans.text(shown)) is not against
        assert "Der Compute-Dienst ist deaktiviert." in shown


def test_the_return_of_a_host(german, maintained):
    page = german("return_host", "cmp4", ajax=True)
    assert english(page) == []
    assert "Die Wartung endet, wenn Nova den Host als erreichbar meldet." in page


def test_the_list_of_hosts(german, maintained):
    test_certificate.verify(maintained)
    assert english(german("index")) == []
    assert english(german("drains")) == []


def test_the_form_of_a_drain(german):
    page = german("drain_host", "cmp1")
    assert english(page) == []


# -- messages of the inner layers -------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "german_"),
    [
        # a value that is a message of ours, and one that is a host
        (
            message("is_on", status="SHUTOFF", host=message("this_host")),
            "Sie ist SHUTOFF auf diesem Host.",
        ),
        # a line for each instance
        (
            lines(
                message("left_host", done=1, total=2),
                message(
                    "instance_left",
                    name="web-1",
                    state="failed",
                    why=message("migration_aborted"),
                ),
            ),
            "1 von 2 haben den Host verlassen.\n"
            "web-1 (fehlgeschlagen): Die Migration wurde abgebrochen.",
        ),
        (
            lines(
                message("left_host", done=0, total=1),
                message("instance_not_of_drain", name="my vm", status="ACTIVE"),
            ),
            "0 von 1 haben den Host verlassen.\nmy vm (ACTIVE): nicht Teil der Leerung.",
        ),
        # what others said stays as it is, between what is ours
        (
            message("nova_refused", words="Quota exceeded. It is cancelled."),
            "Nova lehnte die Anfrage ab: Quota exceeded. It is cancelled.",
        ),
        (text("libvirt said no. So there."), "libvirt said no. So there."),
        (None, ""),
    ],
)
def test_messages_are_german_around_the_words_of_others(one, german_):
    with override("de"):
        assert labels.said(one) == german_


@pytest.mark.parametrize("state", [*DrainState, *MigrationState])
def test_states_are_german_in_messages(state):
    one = message("instance_left_without_reason", name="web-1", state=state)
    with override("de"):
        assert labels.said(one) != f"web-1 ({state.value})"


def test_what_is_told_of_a_return_is_german_around_its_values():
    one = message("enables_ours", reason="kernel 6.1. See 12.")
    with override("de"):
        assert labels.said(one) == (
            'Der Dienst, den eine Leerung deaktiviert hat ("kernel 6.1. See 12."), wird'
            " aktiviert. Die Wartung endet, wenn Nova den Host als erreichbar meldet."
        )


@pytest.mark.parametrize(
    ("inventory", "words"),
    [(True, "vor höchstens 2"), (False, "nach allen Hypervisoren gefragt")],
    ids=["with", "without"],
)
def test_how_old_the_list_of_hosts_is_or_why_it_is_slow_in_german(
    admin, cloud, settings, inventory, words
):
    cloud.all_services = [service(f"n{n}") for n in range(101)]
    if inventory:
        test_hosts.keep_inventory(cloud)
    settings.LANGUAGE_CODE = "de"
    page = admin.get(reverse(f"{PANEL}:index"), HTTP_ACCEPT_LANGUAGE="de").content.decode()
    assert words in page


# -- rolling maintenance -----------------------------------------------------------------------


def test_the_form_and_the_review_of_a_run(german, cloud):
    test_runs.room.__wrapped__(cloud)
    page = german("new_run", host=["cmp1", "cmp2"])
    assert english(page) == []
    assert "Rollende Wartung von 2 Hosts" in page
    wrong = test_runs.entered("cmp1", reason="", at_once="999", on_failure="skip", failures="")
    assert english(german("new_run", post=wrong)) == []
    cloud.servers_in_error = lambda: {"id-1": "err-1"}
    cloud.all_services.append(service("cmp4", zone="az1", state="down"))
    for one in (
        test_runs.entered("cmp1", "cmp2"),
        test_runs.entered("cmp1", at_once="2", on_failure="skip", domain="none", bring_back="on"),
    ):
        review = german("new_run", post=one)
        assert english(review) == []
        assert "Noch wurde nichts geändert." in review


def test_the_pages_of_a_run(german, make_run):
    assert "Es gibt noch keine Durchläufe." in german("runs")
    run = make_run("cmp1", "cmp2", "cmp3", "cmp4", windows=["daily 00:00-24:00 UTC"], at_once=3)
    test_runs.act(run, "cmp1")
    test_runs.act(run, "cmp2", ActionKind.COMMAND, "reboot", output="ok\n")
    test_runs.stage(run, "cmp3", Stage.DRAINING, Stage.READY)
    # what the worker says is translated with the messages of the worker
    Event.objects.all().delete()
    RunHost.objects.update(message=None)
    Run.objects.update(message=None)
    shown = german("run", run.pk)
    assert english(shown) == []
    for words in ("Ihr Host", "Wartung beendet", "wird gewartet", "Ausgabe, 1 Zeile", "Braucht"):
        assert words in shown, words
    for name in ("cancel_run", "add_to_run"):
        assert english(german(name, run.pk, ajax=True)) == []
    for name in ("runs", "index"):
        assert english(german(name)) == []
    assert english(german("run_record", run.pk)) == []
    page = german("host", "cmp1")
    assert english(page) == []
    assert f"Dieser Host ist in Durchlauf {run.pk}" in page

"""What a browser may send and a database may refuse: answered with 400 or 404, never with 500."""

import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from django import forms
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from openstack_auth import utils as auth_utils

from tests.commands.helpers import run
from tests.databases import as_default
from tests.fakes import server, service
from tests.panel.conftest import REGION, PanelCloud, make_pages_plain, make_user
from ukcloud_maintenance import services, store
from ukcloud_maintenance.checks import TAG
from ukcloud_maintenance.content import maintenance
from ukcloud_maintenance.content.maintenance import urls
from ukcloud_maintenance.content.maintenance.common import session
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.preflight.judge import judge
from ukcloud_maintenance.core.states import MigrationState
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.models import Drain
from ukcloud_maintenance.services import LARGEST_FIRST, DrainRequest
from ukcloud_maintenance.services.requests import check_request

ROOT = "/admin/maintenance/"
#: every parameter and field that a view reads, and one that none does
NAMES = (
    "q",
    "state",
    "column",
    "sort",
    "order",
    "page",
    "region",
    "seen",
    "who",
    "set",
    "host",
    "row",
    "drain",
    "do",
    "verb",
    "reason",
    "max_concurrent",
    "hosts_at_once",
    "destination",
    "start_at",
    "stop_at",
    "timeout_action",
    "choice",
    "choice-1",
    "note-1",
    "service",
    "in_progress",
    "confirmed",
    "consumer",
    "move_locked",
    "pace",
    "placing",
    "action",
    "aggregates",
    "approval",
    "at_once",
    "back",
    "bring_back",
    "domain",
    "failures",
    "hosts",
    "on_failure",
    "per_domain",
    "windows",
    "nobody-reads-this",
)
#: how a view reads one
READ = re.compile(r"""\b(?:GET|POST|given|sent|entered|data)\.(?:get|getlist)\(\s*"([\w-]+)\"""")
VIEWS = {pattern.name: str(pattern.pattern) for pattern in urls.urlpatterns}
DRAIN = {"reason": "new kernel", "max_concurrent": "1", "order": LARGEST_FIRST, "move_locked": ""}
SCRIPT = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}
MANY_DIGITS = ("9" * 31, "9" * 5000, str(2**63))


@pytest.fixture(autouse=True)
def _pages(settings, monkeypatch):
    make_pages_plain(settings, monkeypatch)
    fake = PanelCloud([service("cmp1"), service("cmp2")], [server("web-1")])
    fake.all_aggregates, fake.all_groups, fake.all_capacity = [], [], {}
    user = make_user("admin")
    monkeypatch.setattr(session, "cloud", lambda request: fake)
    monkeypatch.setattr(auth_utils, "get_user", lambda request: user)


@pytest.fixture
def drain(database) -> Drain:
    """A drain of a plan; its id is the plan's, too. There is a run beside it."""
    about = {"region": REGION, "reason": "new kernel", "actor_id": "1", "actor": "alice"}
    plan = store.create_plan(hosts_at_once=1, now=timezone.now(), **about)
    one = server("web-1")
    run = store.create_run(
        hosts=[store.NewHost("cmp2")],
        actor=Actor("1", "alice"),
        said=message("text", text="new kernel"),
        now=timezone.now(),
        region=REGION,
        reason="new kernel",
        max_concurrent=1,
    )
    made = store.create_drain(
        host="cmp1",
        service_id="s-1",
        max_concurrent=1,
        destination="",
        planned=[(one, judge(one))],
        project_names={},
        now=timezone.now(),
        plan=plan,
        **about,
    )
    made.run_number = run.pk
    return made


def path(name: str, drain: Drain, host: str = "cmp1", number: str = "") -> str:
    found = VIEWS[name].replace("<str:host>", quote(host, safe=""))
    found = found.replace("<int:plan_id>", number or str(drain.plan_id))
    found = found.replace("<int:run_id>", number or str(drain.run_number))
    return ROOT + found.replace("<int:drain_id>", number or str(drain.pk))


def test_every_parameter_and_field_is_sent():
    sources = [file.read_text() for file in Path(maintenance.__file__).parent.rglob("*.py")]
    read = {name for source in sources for name in READ.findall(source)}
    # their fields are there once their modules are, which the table of URLs has seen to
    of_forms = {name for form in _all_forms(forms.Form) for name in form.base_fields}
    assert {"seen", "page", "reason"} <= read | of_forms
    assert read | of_forms <= set(NAMES)


def _all_forms(kind):
    ours = [kind] if kind.__module__.startswith("ukcloud_maintenance") else []
    return ours + [form for below in kind.__subclasses__() for form in _all_forms(below)]


@pytest.mark.parametrize("name", VIEWS)
def test_what_no_database_stores_is_a_bad_request(drain, name):
    client = Client()
    before = Drain.objects.values().get()
    where = path(name, drain)
    asked = [
        client.get(where, {"q": "web\0"}),
        client.get(where, {"row": "\0"}, **SCRIPT),
        client.get(f"{where}?%00=1", **SCRIPT),
        client.post(where, DRAIN | {"reason": "web\0"}, **SCRIPT),
        client.post(where, DRAIN | {"\0": "1"}, **SCRIPT),
        # half a character, by an encoding of the request's own
        client.get(f"{where}?q=%5Cud800", CONTENT_TYPE="text/plain; charset=unicode_escape"),
    ]
    if "<str:" in VIEWS[name]:
        asked.append(client.get(path(name, drain, host="cmp1\0"), **SCRIPT))
        asked.append(client.post(path(name, drain, host="\0"), DRAIN, **SCRIPT))
    assert [answer.status_code for answer in asked] == [400] * len(asked)
    assert Drain.objects.values().get() == before


def test_it_is_a_bad_request_in_whatever_field(drain):
    client = Client()
    for name in NAMES:
        for value in ("\0", "web\0", "\0'"):
            assert client.get(path("updates", drain), {name: value}).status_code == 400
            assert (
                client.post(path("change_drain", drain), {name: value}, **SCRIPT).status_code == 400
            )


@pytest.mark.parametrize("name", [name for name, found in VIEWS.items() if "<int:" in found])
def test_an_id_that_no_row_can_have_is_not_found(drain, name):
    client = Client()
    for number in MANY_DIGITS:
        where = path(name, drain, number=number)
        for answer in (client.get(f"{where}?seen=1&row=1"), client.post(where, {"row": "1"})):
            assert answer.status_code in (404, 405), name


@pytest.mark.parametrize("name", VIEWS)
def test_numbers_that_are_too_great_or_none_are_no_error_of_the_server(drain, name):
    client = Client()
    where = path(name, drain)
    # the last is a digit to Python, and no number
    for number in (*MANY_DIGITS, "-" + "9" * 31, "\N{SUPERSCRIPT TWO}"):
        asked = {"page": number, "row": number, "host": f"cmp{number}", "seen": number}
        everywhere = {name: number for name in NAMES if name != "region"}
        for one in (asked, everywhere):
            assert client.get(where, one, **SCRIPT).status_code < 500
        assert client.post(where, everywhere, **SCRIPT).status_code < 500
        sent = {**DRAIN, "row": "1", "confirmed": "yes", "do": "drain", "pace": "n"}
        sent |= {"max_concurrent": number, "hosts_at_once": number, "choice": "ours"}
        assert client.post(where, sent, **SCRIPT).status_code < 500
    for time in ("0001-01-01T00:00", "9999-12-31T23:59", f"{'9' * 31}-01-01T00:00"):
        sent = {**DRAIN, "host": "cmp1", "do": "drain", "start_at": time, "stop_at": time}
        assert client.post(where, sent, **SCRIPT).status_code < 500


def test_a_window_that_no_time_zone_can_show_is_refused(drain):
    client = Client()
    last = "9999-12-31T23:59"
    where = path("drain_host", drain, host="cmp2")
    answer = client.post(where, {**DRAIN, "stop_at": last})
    assert "The year is out of range." in answer.content.decode()
    where = path("change_drain", drain)
    sent = {"max_concurrent": "1", "initial-max_concurrent": "1", "stop_at": last}
    answer = client.post(where, sent | {"timeout_action": "warn"}, **SCRIPT)
    assert "The year is out of range." in answer.content.decode()
    assert not Drain.objects.filter(stop_at__isnull=False).exists()


@pytest.mark.parametrize("name", ["index", "drains", "host", "timeline", "new_plan"])
def test_other_peoples_scripts_are_text_as_any_other(drain, name):
    client = Client()
    for text in ("\N{GRINNING FACE}", "Ωμέγα", "عربي", "a\u202eb", "\N{SNOWMAN}" * 300):
        asked = {"q": text, "host": ["cmp1", text]}
        assert client.get(path(name, drain), asked).status_code == 200
    assert client.get(path("host", drain, host="\N{GRINNING FACE}")).status_code == 404


def test_emoji_are_stored(drain):
    where = path("drain_host", drain, host="cmp2")
    answer = Client().post(where, {**DRAIN, "reason": "new kernel \N{GRINNING FACE}"})
    assert answer.status_code == 302
    assert Drain.objects.latest("pk").reason == "new kernel \N{GRINNING FACE}"


@pytest.fixture(params=["utf8mb3", "latin1"])
def narrow(engine, django_db_blocker, database, request):
    """A MariaDB that lacks characters: its old utf8 has three bytes for a character, and none for
    emoji; latin1 is what it takes where nobody names one."""
    if connection.vendor != "mysql":
        pytest.skip("the character sets of the other databases have all characters")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS narrow CHARACTER SET {request.param}")
    # as Django has it before 5.2
    with as_default(engine | {"NAME": "narrow", "OPTIONS": {"charset": "utf8"}}):
        call_command("migrate", verbosity=0)
        yield request.param
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE narrow")
        connections["default"].close()


@pytest.mark.parametrize("field", ["reason", f"note-{server('web-1').id}"])
def test_characters_that_this_database_lacks_are_refused_where_they_are_entered(narrow, field):
    client = Client()
    where = f"{ROOT}hosts/cmp1/drain/"
    answer = client.post(where, {**DRAIN, field: "new kernel \N{GRINNING FACE}"})
    assert answer.status_code == 200
    words = "The database cannot store these characters: \N{GRINNING FACE}"
    assert words in answer.content.decode()
    assert not Drain.objects.exists()
    assert client.post(where, DRAIN).status_code == 302


def test_nor_are_they_looked_for(narrow):
    client, smile = Client(), "\N{GRINNING FACE}"
    drain = SimpleNamespace(pk=1, plan_id=1, run_number=1)
    given = {one: smile for one in NAMES}
    for name in VIEWS:
        answer = client.get(path(name, drain), given)
        if name != "steer_plan":
            assert answer.status_code == 400, name
            assert "text that the database cannot store" in answer.content.decode()
        for sent in (given, {**given, **DRAIN}):
            assert client.post(path(name, drain), sent, **SCRIPT).status_code < 500, name


def test_a_reason_with_them_is_refused_in_a_shell(narrow):
    request = DrainRequest("cmp1", "new kernel \N{GRINNING FACE}\N{GRINNING FACE}")
    with pytest.raises(Refused) as caught:
        check_request(request)
    assert (caught.value.code, caught.value.field) == ("characters_not_stored", "reason")
    assert str(caught.value.said.values["characters"]) == "\N{GRINNING FACE}"


#: what is typed, and the code of the refusal
TYPED = (
    ("drain_host cmp1 --reason 😀", "characters_not_stored"),
    ("drain_host cmp1 --reason r --destination 😀", "characters_not_stored"),
    ("drain_host cmp1 --reason r --dry-run --destination 😀", "characters_not_stored"),
    ("drain_host 😀 --reason r", "characters_not_stored"),
    ("host_status 😀", "unknown_host"),
    ("host_return 😀", "unknown_host"),
    ("host_done 😀", "run_host_in_none"),
    ("drain_affected --host 😀", "unknown_host"),
    ("maintenance_run start --hosts cmp1 --reason 😀", "characters_not_stored"),
    ("maintenance_run start --hosts 😀 --reason r", "characters_not_stored"),
    ("maintenance_run start --hosts cmp1 😀 --reason r", "unknown_host"),
    ("maintenance_run start --hosts cmp1 --reason r --action 😀", "run_action_unknown"),
)


def test_whatever_a_command_is_given_is_refused_as_bad_input(narrow, monkeypatch):
    """It is no failure of the database, which exits with 4."""
    fake = PanelCloud([service("cmp1"), service("cmp2")], [server("web-1")])
    fake.all_aggregates, fake.all_groups, fake.all_capacity = [], [], {}
    monkeypatch.setattr(services, "connect_shell", lambda region: fake)
    for typed, code in TYPED:
        outcome = run(*typed.split(), "--json")
        assert (outcome.exit_code, outcome.json["error"]["code"]) == (2, code), typed
    assert not Drain.objects.exists()


def test_nor_is_a_host_taken_for_another_one(narrow):
    """cmp😀 is none that is stored as cmp�."""
    for given in ({"host": "cmp\N{GRINNING FACE}"}, {"destination": "cmp\N{GRINNING FACE}"}):
        with pytest.raises(Refused) as caught:
            check_request(DrainRequest(**{"host": "cmp1", "reason": "new kernel", **given}))
        assert (caught.value.code, caught.value.field) == ("characters_not_stored", *given)


def test_in_what_others_have_named_each_is_replaced(narrow):
    """By their id they are known; the messages have them whole."""
    smile, now = "\N{GRINNING FACE}", timezone.now()
    name = f"ä Ω\N{SNOWMAN} {smile}"
    utf8 = narrow == "utf8mb3"
    stored = "ä Ω\N{SNOWMAN} \N{REPLACEMENT CHARACTER}" if utf8 else "ä ?? ?"
    about = {"region": REGION, "actor_id": "1", "actor": name, "reason": "new kernel"}
    one = server(name, flavor_name=name)
    drain = store.create_drain(
        host="cmp1",
        service_id="s-1",
        max_concurrent=1,
        destination="",
        planned=[(one, judge(one))],
        project_names={one.project_id: name},
        now=now,
        **about,
    )
    maintenance = store.join_maintenance(
        drain, found_status="disabled", found_reason=name, service_id="s-1", now=now
    )
    row = drain.migrations.get()
    told = message("text", text=f"No valid host: {name}")
    store.change_migration(row, now, state=MigrationState.BLOCKED, message=told, code="no_host")
    row.refresh_from_db()
    assert (row.server_id, row.server_name) == (one.id, stored)
    assert (row.flavor_name, row.project_name) == (stored, stored)
    assert row.message == told
    maintenance.refresh_from_db()
    assert maintenance.found_reason == stored
    assert Drain.objects.get().requested_by == stored
    assert {event.actor for event in drain.events.all()} == {stored}


def test_it_is_told_of_by_the_check(narrow):
    found = {one.id: one.msg for one in run_checks(tags=[TAG], databases=["default"])}
    assert list(found) == ["ukcloud_maintenance.W006"]
    assert "utf8mb3" in found["ukcloud_maintenance.W006"] or narrow == "latin1"

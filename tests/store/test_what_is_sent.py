"""What a browser may send and a database may refuse: answered with 400 or 404, never with 500."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from django import forms
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from openstack_auth import utils as auth_utils
from openstack_dashboard.api import keystone as horizon_keystone

from tests.databases import as_default
from tests.fakes import server, service
from tests.panel.conftest import REGION, PanelCloud, make_user
from ukcloud_maintenance import store
from ukcloud_maintenance.content import maintenance
from ukcloud_maintenance.content.maintenance import urls
from ukcloud_maintenance.content.maintenance.common import session
from ukcloud_maintenance.core.preflight.judge import judge
from ukcloud_maintenance.models import Drain
from ukcloud_maintenance.services import LARGEST_FIRST

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
    "under_way",
    "confirmed",
    "consumer",
    "flying",
    "move_locked",
    "pace",
    "placing",
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
    settings.COMPRESS_ENABLED = False
    settings.COMPRESS_PRECOMPILERS = ()
    fake = PanelCloud([service("cmp1"), service("cmp2")], [server("web-1")])
    fake.all_aggregates, fake.all_groups, fake.all_capacity = [], [], {}
    user = make_user("admin")
    monkeypatch.setattr(horizon_keystone, "get_identity_api_version", lambda request: (3, 14))
    monkeypatch.setattr(session, "cloud", lambda request: fake)
    monkeypatch.setattr(auth_utils, "get_user", lambda request: user)


@pytest.fixture
def drain(database) -> Drain:
    """A drain of a plan; its id is the plan's, too."""
    about = {"region": REGION, "reason": "new kernel", "actor_id": "1", "actor": "alice"}
    plan = store.create_plan(hosts_at_once=1, now=timezone.now(), **about)
    one = server("web-1")
    return store.create_drain(
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


def path(name: str, drain: Drain, host: str = "cmp1", number: str = "") -> str:
    found = VIEWS[name].replace("<str:host>", quote(host, safe=""))
    found = found.replace("<int:plan_id>", number or str(drain.plan_id))
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
def test_numbers_that_are_too_great_are_no_error_of_the_server(drain, name):
    client = Client()
    where = path(name, drain)
    for number in (*MANY_DIGITS, "-" + "9" * 31):
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


def test_characters_that_this_database_lacks_are_a_bad_request(engine, django_db_blocker, database):
    """MariaDB's old utf8 has three bytes for a character, and none for emoji."""
    if connection.vendor != "mysql":
        pytest.skip("the character sets of the other databases have all characters")
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS narrow CHARACTER SET utf8mb3")
    with as_default(engine | {"NAME": "narrow"}):
        call_command("migrate", verbosity=0)
        client = Client()
        where = f"{ROOT}hosts/cmp2/drain/"
        answer = client.post(where, {**DRAIN, "reason": "new kernel \N{GRINNING FACE}"})
        assert answer.status_code == 400
        assert "text that the database cannot store" in answer.content.decode()
        assert not Drain.objects.exists()
        assert client.post(where, DRAIN).status_code == 302
        connections["default"].close()

"""The edge of the commands: what they write is printable, and what they are given is text."""

import ast
import io
import json
import logging
import os
import pwd
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.asking import request
from tests.commands.helpers import begin, finish, move, run, shell_user
from tests.core.test_printable import HARMFUL, TEXTS
from tests.examples import some
from tests.fakes import FakeCloud, server, service
from ukcloud_maintenance import checks, services
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.exceptions import CloudServerError
from ukcloud_maintenance.management import commands
from ukcloud_maintenance.management.commands._edge import Console, EdgeCommand
from ukcloud_maintenance.models import Drain, Event, InstanceMigration

pytestmark = pytest.mark.django_db

FOLDER = Path(commands.__file__).parent
NAMES = sorted(file.stem for file in FOLDER.glob("*.py") if not file.stem.startswith("_"))
#: clears a screen, forges a line, turns a name round, and begins a formula
EVIL = "=x\x1b[2J\x1b]0;owned\x07\r\nDrain 9 of cmp9 succeeded\u202e\x9b1m\u2028\x7f\u200b"


def is_harmless(text: str) -> bool:
    return text.replace("\n", "").isprintable()


# -- one place that writes -------------------------------------------------------------------


def writes(file: Path) -> set[str]:
    """What in a file of commands writes past the edge."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Name) and node.id == "print":
            found.add("print")
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            if node.attr in ("write", "writelines", "getLogger"):
                found.add(text)
            if text in ("sys.stdout", "sys.stderr", "sys.__stdout__", "sys.__stderr__"):
                found.add(text)
    return found


def test_no_command_writes_past_the_edge():
    found = {file.name: writes(file) for file in FOLDER.glob("*.py") if file.stem != "_edge"}
    # the handler of a log whose records are printable, see core.printable
    assert found.pop("maintenance_worker.py") == {"sys.stderr"}
    assert set().union(*found.values()) == set()


def test_what_writes_past_the_edge_is_found(tmp_path):
    file = tmp_path / "command.py"
    file.write_text("import sys\nprint(1)\nself.stdout.write('a')\nsys.stderr.flush()\n")
    assert writes(file) == {"print", "self.stdout.write", "sys.stderr"}


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_the_edge(name):
    command = import_module(f"ukcloud_maintenance.management.commands.{name}").Command
    assert issubclass(command, EdgeCommand)
    made = command(stdout=io.StringIO(), stderr=io.StringIO())
    assert isinstance(made.stdout, Console)
    assert isinstance(made.stderr, Console)


def test_every_logger_of_ours_is_printable():
    root = FOLDER.parents[1]
    asking = [
        file.name
        for file in root.rglob("*.py")
        if "demo" not in file.parts and "getLogger" in file.read_text()
    ]
    assert asking == ["printable.py"]


# -- what is written -------------------------------------------------------------------------


@pytest.fixture
def evil(monkeypatch):
    """A cloud in which everything that somebody may name has a hostile name."""
    fake = FakeCloud(
        [service("cmp1", disabled_reason=EVIL), service("cmp2")],
        [
            server("a" + EVIL, locked=True, locked_reason=EVIL, flavor_name=EVIL),
            server("b" + EVIL, status="ERROR", vm_state="error", fault_message=EVIL),
            server("c" + EVIL, metadata={"maintenance:stay": "true"}, tags=(EVIL,)),
        ],
    )
    fake.all_aggregates = []
    monkeypatch.setattr(services, "connect_shell", lambda region: fake)
    return fake


@pytest.fixture
def drain(evil):
    """One that is under way, with hostile words wherever Nova's or an admin's may stand."""
    assert run("drain_host", "cmp1", "--reason", EVIL.replace("\n", " ")).exit_code == 0
    drain = Drain.objects.get()
    begin(drain)
    for row in drain.migrations.all():
        request(row, "abort", EVIL, answer=message("text", text=EVIL))
    InstanceMigration.objects.update(message=EVIL, note=EVIL)
    # whose lines are those of core.decide
    Drain.objects.update(message=EVIL.replace("\n", " "), requested_by=EVIL, reason=EVIL)
    return Drain.objects.get()


COMMANDS = [
    ("drain_status",),
    ("drain_status", "{id}"),
    ("drain_pause", "{id}"),
    ("drain_resume", "{id}"),
    ("drain_change", "{id}", "--max-concurrent", "3"),
    ("drain_retry", "{id}", "--instance", EVIL),
    ("drain_instance", "skip", "{id}", "a" + EVIL),
    ("drain_instance", "abort", "{id}", "{first}"),
    ("drain_export", "{id}", "--output", EVIL),
    ("drain_cancel", "{id}"),
    ("host_status", "cmp1"),
    ("host_status", EVIL),
    ("host_return", "cmp1"),
    ("drain_host", "cmp1", "--reason", "r"),
    ("drain_host", "cmp1", "--dry-run"),
    ("drain_host", "cmp1", "cmp2", "--dry-run"),
    ("drain_host", EVIL, "--reason", "r"),
    ("drain_host", "--zone", EVIL, "--reason", "r"),
    ("drain_host", "cmp1", "--reason", "r", "--order", EVIL),
    ("drain_host", "cmp1", "--reason", "r", "--start-at", EVIL),
    ("drain_status", EVIL),
    ("drain_status", "--bogus" + EVIL),
    ("maintenance_clear", "--dry-run"),
]


def filled(drain: Drain, arguments) -> list[str]:
    first = drain.migrations.first()
    known = {"{id}": str(drain.pk), "{first}": first.server_id if first else ""}
    return [known.get(argument, argument) for argument in arguments]


@pytest.mark.parametrize("json_too", [False, True])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c)[:40].encode().hex()[:24])
def test_nothing_that_others_wrote_reaches_the_terminal_raw(
    drain, tmp_path, monkeypatch, command, json_too
):
    monkeypatch.chdir(tmp_path)
    name, *arguments = filled(drain, command)
    outcome = run(name, *arguments, *(["--json"] if json_too else []))
    assert outcome.exit_code in (0, 1, 2, 3)
    assert is_harmless(outcome.stdout)
    assert is_harmless(outcome.stderr)
    assert "Traceback" not in outcome.stderr
    # no line of theirs is one of ours
    lines = (outcome.stdout + outcome.stderr).splitlines()
    assert not [line for line in lines if line.startswith("Drain 9")]
    if json_too:
        assert outcome.json is not None


def test_json_has_every_value_to_the_letter_and_is_ascii(drain):
    outcome = run("drain_status", str(drain.pk), "--json")
    assert outcome.json["reason"] == EVIL
    assert outcome.stdout.isascii()
    exported = run("drain_export", str(drain.pk))
    assert exported.json["instances"][0]["message"] == EVIL
    assert exported.stdout.isascii()


def test_csv_on_a_terminal_is_harmless(drain):
    outcome = run("drain_export", str(drain.pk), "--format", "csv")
    assert is_harmless(outcome.stdout.replace("\r\n", "\n"))
    assert "'=x" in outcome.stdout


@pytest.mark.parametrize("kind", HARMFUL)
def test_a_failure_of_openstack_is_told_harmlessly(evil, kind):
    for one in HARMFUL[kind]:
        evil.failure = CloudServerError("list", f"a{one}b")
        outcome = run("drain_host", "cmp1", "--reason", "r")
        assert outcome.exit_code == 4
        assert is_harmless(outcome.stderr)
        assert f"a{one}b" not in outcome.stderr
        assert outcome.stderr.count("\n") == 1


@settings(
    max_examples=some(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(TEXTS, st.sampled_from(["drain_status", "drain_host"]))
def test_whatever_a_server_is_called(evil, text, name):
    Drain.objects.all().delete()
    evil.all_servers = [server(text, locked=True, locked_reason=text)]
    if name == "drain_host":
        outcome = run("drain_host", "cmp1", "--dry-run")
    else:
        evil.all_servers = [server(text.encode(errors="ignore").decode())]
        assert run("drain_host", "cmp1", "--reason", "r").exit_code == 0
        outcome = run("drain_status", str(Drain.objects.get().pk))
    assert outcome.exit_code in (0, 1)
    assert is_harmless(outcome.stdout)
    assert is_harmless(outcome.stderr)


def test_so_does_the_worker(monkeypatch, settings, tmp_path):
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": EVIL}
    outcome = run("maintenance_worker", "--once")
    assert outcome.exit_code == 2
    assert "clouds.yaml" in outcome.stderr
    assert is_harmless(outcome.stderr)
    assert is_harmless(run("maintenance_worker", "--bogus" + EVIL).stderr)


@pytest.mark.parametrize("name", NAMES)
def test_no_command_looks_through_horizons_pages(name):
    """Django's own checks do; the worker then keeps all of them in memory, for ever."""
    command = import_module(f"ukcloud_maintenance.management.commands.{name}").Command
    assert set(command.requires_system_checks) <= {checks.TAG}


def test_the_worker_begins_without_them_and_with_our_checks():
    wrong = json.dumps({"POLL_SECONDS": -1})
    look = "import sys; print('openstack_dashboard.urls' in sys.modules, file=sys.stderr)"
    done = in_a_process("maintenance_worker", "--metrics-port", "-1", script=SEVERAL + look)
    assert done.stderr.splitlines()[-2:] == [b"[2]", b"False"], done.stderr
    done = in_a_process("maintenance_worker", TEST_MAINTENANCE=wrong)
    assert done.returncode == 1
    assert b"ukcloud_maintenance.E010" in done.stderr


def test_a_bug_is_told_harmlessly(evil, monkeypatch):
    def bug(*_, **__):
        raise RuntimeError(EVIL)

    monkeypatch.setattr(services, "open_drains", bug)
    outcome = run("drain_status")
    assert outcome.exit_code == 1
    assert "RuntimeError" in outcome.stderr
    assert is_harmless(outcome.stderr)


def test_so_is_the_traceback_that_somebody_asks_for(evil):
    outcome = run("drain_host", EVIL, "--reason", "r", "--traceback")
    assert outcome.exit_code == 2
    assert "Traceback" in outcome.stderr
    assert is_harmless(outcome.stderr)


def test_an_error_is_not_coloured_on_a_terminal(evil, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("DJANGO_COLORS", "dark")
    for more in ([], ["--force-color"]):
        outcome = run("drain_host", "nope", "--reason", "r", *more, stderr=Terminal())
        assert outcome.stderr.startswith("CommandError: ")
        assert is_harmless(outcome.stderr)


def test_a_bar_has_no_control_but_its_own(drain, monkeypatch):
    """It moves its own cursor; what it says is printable."""
    from ukcloud_maintenance.management.commands import _waiting

    move(drain, drain.migrations.get(server_name__startswith="a").server_name, "migrating")
    out = io.StringIO()
    bars = _waiting.Bars(Console(out).draw)
    bars.show([services.drain_report(shell_actor(), drain.pk)])
    bars.close()
    text = re.sub(r"\n|\x1b\[(\d+A|J|\?7[lh])", "", out.getvalue())
    assert "a=x\\x1b[2J" in text
    assert text.isprintable()


def test_the_end_of_a_drain_is_told_in_lines(drain):
    Drain.objects.update(message="")
    finish(
        Drain.objects.get(), DrainState.FAILED, DrainResult.INSTANCES_FAILED, "1 of 3.\nweb: why"
    )
    assert "1 of 3.\nweb: why\n" in run("drain_status", str(drain.pk)).stdout


# -- what is given ---------------------------------------------------------------------------

NOT_UTF8 = os.fsdecode(b"a\xff\xfeb")
TEXT_ARGUMENTS = [
    ("drain_host", "{}", "--reason", "r"),
    ("drain_host", "cmp1", "--reason", "{}"),
    ("drain_host", "cmp1", "--reason", "r", "--region", "{}"),
    ("drain_host", "cmp1", "--reason", "r", "--destination", "{}"),
    ("drain_host", "cmp1", "--reason", "r", "--timeout-action", "{}"),
    ("drain_host", "cmp1", "--reason", "r", "--start-at", "{}"),
    ("drain_host", "cmp1", "--reason", "r", "--order", "{}"),
    ("drain_host", "cmp1", "--reason", "r", "--max-concurrent", "{}"),
    ("drain_host", "cmp1", "{}", "--dry-run"),
    ("drain_host", "--zone", "{}", "--reason", "r"),
    ("drain_host", "--aggregate", "{}", "--reason", "r"),
    ("drain_status", "{}"),
    ("drain_status", "--plan", "{}"),
    ("drain_retry", "1", "--instance", "{}"),
    ("drain_retry", "1", "--to", "{}"),
    ("drain_instance", "abort", "1", "{}"),
    ("drain_instance", "{}", "1", "web"),
    ("drain_change", "1", "--stop-at", "{}"),
    ("drain_export", "1", "--format", "{}"),
    ("host_status", "{}"),
    ("host_status", "cmp1", "--region", "{}"),
    ("host_return", "{}"),
    ("host_return", "cmp1", "--region", "{}"),
    ("maintenance_clear", "--older-than", "{}"),
]


@pytest.mark.parametrize("bad", [NOT_UTF8, "x" * 300, "x" * 100_000], ids=["bytes", "300", "100k"])
@pytest.mark.parametrize("arguments", TEXT_ARGUMENTS, ids=" ".join)
def test_a_text_that_is_none_is_bad_input(cloud, arguments, bad):
    name, *told = [bad if argument == "{}" else argument for argument in arguments]
    for more in ([], ["--json"]):
        outcome = run(name, *told, *more)
        assert outcome.exit_code == 2, outcome
        assert is_harmless(outcome.stderr)
        assert "Traceback" not in outcome.stderr
        assert Drain.objects.count() == 0
    assert outcome.json["error"]["message"]


@pytest.mark.parametrize("number", ["9" * 19, "9" * 40, "-" + "9" * 19])
def test_a_number_that_no_database_holds_is_an_unknown_drain(cloud, number):
    for command in ("drain_pause", "drain_resume", "drain_cancel", "drain_export"):
        outcome = run(command, "--json", "--", number)
        assert outcome.exit_code == 2
        assert outcome.json["error"]["code"] == "unknown_drain"


@pytest.mark.parametrize("bad", ["a\0b", "\udc80"])
def test_from_python_as_well(cloud, bad):
    with pytest.raises(CommandError) as caught:
        call_command("drain_host", bad, reason="r", stdout=io.StringIO(), stderr=io.StringIO())
    assert caught.value.returncode == 2
    with pytest.raises(CommandError) as caught:
        call_command("drain_host", "cmp1", reason=bad)
    assert caught.value.returncode == 2


@pytest.mark.parametrize("name", ["x" * 5000, "no/such/folder/file", "a\udc80b"])
def test_a_file_that_cannot_be_is_bad_input(drain, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    outcome = run("drain_export", str(drain.pk), "--output", name, "--json")
    assert outcome.exit_code == 2
    assert outcome.json["error"]["code"] in ("cannot_write", "bad_arguments")


# -- in a process of its own: real arguments, real encodings -----------------------------------

REPOSITORY = Path(__file__).resolve().parents[2]


#: Runs several commands, with `--next` between them, in the time that one needs to start.
SEVERAL = """
import itertools, sys
from django.core.management import execute_from_command_line
codes = []
for is_end, words in itertools.groupby(sys.argv[1:], "--next".__eq__):
    if not is_end:
        try:
            execute_from_command_line(["django-admin", *words])
        except SystemExit as ended:
            codes.append(ended.code or 0)
        else:
            codes.append(0)
        print(end="\\0", flush=True)  # what each has written stays apart
print(codes, file=sys.stderr)
"""


def in_a_process(
    *command: bytes | str, script: str = "", **environment: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *(["-c", script] if script else ["-m", "django"]), *command],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": str(REPOSITORY),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )


ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.parametrize(
    "environment", [{}, ASCII, {"PYTHONIOENCODING": "ascii:strict"}], ids=["utf-8", "C", "ascii"]
)
def test_bytes_that_are_no_text_and_a_terminal_that_knows_no_umlauts(environment):
    done = in_a_process(
        *(b"host_status", b"\xff\xc3\xbc", b"--json", b"--next"),
        *("drain_host", "Größe", "--reason", "r", "--next", "drain_host", "--help"),
        script=SEVERAL,
        **environment,
    )
    assert done.stderr.splitlines()[-1] == b"[2, 2, 0]", done.stderr
    assert b"Traceback" not in done.stderr
    refused, _, helped, end = done.stdout.split(b"\0")
    assert json.loads(refused)["error"]["code"] == "bad_arguments"
    assert b"--reason" in helped
    assert end == b""


def test_a_stream_that_knows_no_umlauts_gets_escapes():
    raw = io.BytesIO()
    console = Console(io.TextIOWrapper(raw, "ascii", write_through=True))
    console.lines("Größe €")
    assert raw.getvalue() == b"Gr\\xf6\\xdfe \\u20ac\n"


# -- who asks --------------------------------------------------------------------------------


def test_the_shells_user_is_the_one_of_the_uid(monkeypatch):
    shell_user(monkeypatch, 1042, "ada", LOGNAME="mallory", USER="mallory")
    assert (shell_actor().id, shell_actor().name) == ("shell:1042", "ada (shell)")


def test_whoever_came_by_sudo_stands_beside(monkeypatch):
    shell_user(monkeypatch, 0, "root", SUDO_USER="alice")
    assert shell_actor().name == "root (sudo: alice) (shell)"
    shell_user(monkeypatch, 990, "worker", SUDO_USER="alice")
    assert shell_actor().name == "worker (sudo: alice) (shell)"
    shell_user(monkeypatch, 1000, "alice", SUDO_USER="alice")
    assert shell_actor().name == "alice (shell)"


def test_what_sudo_is_said_to_be_is_harmless_and_short(monkeypatch):
    shell_user(monkeypatch, 0, "root", SUDO_USER="a\x1b[2J\n" + "x" * 9999)
    assert shell_actor().name.isprintable()
    assert len(str(shell_actor())) <= 255


def test_a_uid_without_an_entry_is_a_number(monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 1234)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert shell_actor().name == "uid 1234 (shell)"


def test_events_tell_who_by_id_and_name(cloud, monkeypatch):
    shell_user(monkeypatch, 1042, "ada")
    assert run("drain_host", "cmp1", "--reason", "r").exit_code == 0
    drain = Drain.objects.get()
    assert run("drain_pause", str(drain.pk)).exit_code == 0
    assert run("drain_resume", str(drain.pk)).exit_code == 0
    begin(drain)
    move(drain, "web-1", MigrationState.SUCCEEDED)
    assert run("drain_cancel", str(drain.pk)).exit_code == 0
    assert {(e.actor, e.actor_id) for e in Event.objects.all()} == {("ada (shell)", "shell:1042")}
    assert {e["actor_id"] for e in run("drain_export", str(drain.pk)).json["events"]} == {
        "shell:1042"
    }


def test_what_libraries_log_is_printable_where_it_has_no_other_place(evil, capsys):
    run("drain_status")
    record = logging.LogRecord("urllib3", logging.WARNING, "f", 1, EVIL, None, None)
    assert is_harmless(logging.lastResort.format(record))

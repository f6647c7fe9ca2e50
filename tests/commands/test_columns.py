"""Tables in a terminal: as wide as it is, with names of any length, and nothing is cut off."""

import contextlib
import io
import re
from importlib import import_module

import pytest

from tests.commands.helpers import run
from tests.fakes import FakeCloud, server, service
from ukcloud_maintenance import services
from ukcloud_maintenance.management.commands._documents import table

pytestmark = pytest.mark.django_db

HOST, NAME = "compute-" + "h" * 192, "web-" + "n" * 251
WIDTH = 100


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def long_names(monkeypatch):
    fake = FakeCloud([service(HOST), service("cmp10")], [server(NAME, host=HOST)])
    monkeypatch.setattr(services, "connect_shell", lambda region: fake)
    monkeypatch.setenv("COLUMNS", str(WIDTH))


def shown(name: str, *arguments: str) -> str:
    """What the command writes to a terminal."""
    out = Terminal()
    command = import_module(f"ukcloud_maintenance.management.commands.{name}").Command(
        stdout=out, stderr=io.StringIO(), no_color=True
    )
    with contextlib.suppress(SystemExit):
        command.run_from_argv(["django-admin", name, *arguments])
    return out.getvalue()


def tables(text: str) -> list[str]:
    """The lines from the head of a table to the next empty line."""
    found = []
    for part in text.split("\n\n"):
        lines = part.splitlines()
        heads = [n for n, line in enumerate(lines) if re.match(r"[A-Z]{2,}(  +[A-Z ]+)+$", line)]
        found += lines[heads[0] :] if heads else []
    return found


COMMANDS = {
    "dry run": ("drain_host", HOST, "--dry-run"),
    "dry run of several": ("drain_host", HOST, "cmp10", "--dry-run"),
    "drains": ("drain_status",),
    "a drain": ("drain_status", "1"),
    "a plan": ("drain_status", "--plan", "1"),
}


def test_every_table_is_as_wide_as_the_terminal_and_whole_in_a_file(long_names):
    for what in ("dry run", "dry run of several"):
        check(what)
    done = run("drain_host", HOST, "cmp10", "--reason", "r" * 255)
    assert done.exit_code == 0, done.stderr
    for what in ("drains", "a drain", "a plan"):
        check(what)


def check(what: str) -> None:
    lines = tables(shown(*COMMANDS[what]))
    assert lines, what
    assert max(map(len, lines)) <= WIDTH, what
    piped = run(*COMMANDS[what])
    assert (NAME if "dry" in what or what == "a drain" else HOST) in piped.stdout, what
    assert max(map(len, tables(piped.stdout))) > WIDTH, what


def test_a_table_breaks_its_widest_cells_and_loses_no_letter():
    lines = table(["NAME", "STATE"], [("a" * 40, "running"), ("b", "paused")], 20)
    assert lines == [
        "NAME         STATE",
        "aaaaaaaaaaa  running",
        "aaaaaaaaaaa",
        "aaaaaaaaaaa",
        "aaaaaaa",
        "b            paused",
    ]


def test_a_table_that_fits_or_is_written_to_a_file_is_left_alone():
    rows = [("a" * 40, "with  two blanks")]
    assert table(["NAME", "SAID"], rows, 80) == table(["NAME", "SAID"], rows)


def test_a_terminal_of_no_width_at_all_is_no_end():
    assert table(["NAME", "STATE"], [("a" * 40, "running")], 3)[-1] == "a" * 8

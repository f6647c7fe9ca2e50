"""A number that a command is given and no database, no clock and no Nova takes is bad input."""

import io
from importlib import import_module

import pytest

from tests.commands.helpers import run
from tests.commands.test_edge import NAMES
from tests.commands.test_host_commands import maintenance
from ukcloud_maintenance.models import Drain

__all__ = ["maintenance"]

pytestmark = pytest.mark.django_db

TOO_GREAT = ("9" * 26, str(2**63), "9" * 5000, "-" + "9" * 26)
#: what a command takes besides, so that it is the number that is looked at
BESIDES = {
    "drain_host": ("cmp10", "cmp1", "--reason", "r"),
    "drain_change --max-concurrent": ("2",),
    "drain_retry --plan": (),
    "drain_instance": ("abort", "web-1"),
    "host_return": ("cmp1", "--ours", "--bring-back"),
}


def numbers() -> list[tuple[str, str]]:
    """Command and option of each number that a command takes; of a positional one its name."""
    found = []
    for name in NAMES:
        module = import_module(f"ukcloud_maintenance.management.commands.{name}")
        command = module.Command(stdout=io.StringIO(), stderr=io.StringIO())
        parser = command.create_parser("django-admin", name)
        # of commands with sub-commands see test_runs.py
        for action in parser._actions:
            theirs = "--verbosity" in action.option_strings
            if action.type is int and not theirs:
                found.append((name, action.option_strings[0] if action.option_strings else ""))
            assert action.type not in (float, complex), (name, action.dest)
    return found


def test_there_are_numbers():
    assert {("drain_status", ""), ("drain_host", "--max-concurrent")} < set(numbers())


@pytest.mark.parametrize(("name", "option"), numbers())
@pytest.mark.parametrize("number", TOO_GREAT)
def test_it_is_bad_input(maintenance, name, option, number):
    before = list(Drain.objects.values())
    besides = BESIDES.get(f"{name} {option}", BESIDES.get(name, ()))
    if name == "drain_instance":  # the number stands between them
        arguments = [besides[0], number, besides[1]]
    else:
        arguments = [*besides, f"{option}={number}"] if option else [*besides, "--", number]
    outcome = run(name, *arguments)
    assert (outcome.exit_code, "Traceback" in outcome.stderr) == (2, False), outcome.stderr
    assert list(Drain.objects.values()) == before

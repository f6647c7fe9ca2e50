"""What README.md says of settings, commands and files is what the code has."""

import re
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from tests import readme
from ukcloud_maintenance import checks, policies, settings
from ukcloud_maintenance.management import commands
from ukcloud_maintenance.messages import TEMPLATES

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", readme.generated())
def test_the_generated_parts_are_up_to_date(name):
    assert readme.section(name) == readme.generated()[name], "run `python -m tests.readme`"


def test_the_reference_of_the_messages_is_up_to_date():
    assert readme.MESSAGES.read_text() == readme.messages()


def test_every_code_is_in_the_reference():
    told = readme.MESSAGES.read_text()
    assert [code for code in TEMPLATES if f"| `{code}` |" not in told] == []


def test_every_setting_is_in_the_table():
    table = readme.section("settings")
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [s.name for s in settings.SETTINGS]


#: Every command but the worker, whose section is another one.
COMMANDS = sorted(
    file.stem
    for file in Path(commands.__path__[0]).glob("[a-z]*.py")
    if file.stem != "maintenance_worker"
)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_of_the_commands(command):
    parser = load_command_class("ukcloud_maintenance", command).create_parser("django-admin", "")
    usage = re.search(
        rf"django-admin {command} (.*?)(?=\n +django-admin|\n\n)", readme.text(), re.S
    )
    from_django = {"--help", "--version", "--settings", "--pythonpath", "--traceback"}
    from_django |= {"--verbosity", "--no-color", "--force-color", "--skip-checks"}
    options = {o for a in parser._actions for o in a.option_strings if o.startswith("--")}
    assert set(re.findall(r"--[a-z-]+", usage[1])) == options - from_django


def test_the_commands_that_are_named_exist():
    named = set(re.findall(r"django-admin (\w+)", readme.text()))
    assert {"maintenance_worker", "drain_host", "migrate", "compress"} <= named
    assert named <= set(get_commands())


def test_the_policy_rules_that_are_named_exist():
    defaults = yaml.safe_load(Path(policies.DEFAULT_POLICY_FILE).read_text())
    rules = {rule["name"] for rule in defaults}
    named = set(re.findall(r"`(maintenance:\w+)`", readme.text()))
    ours = settings.current()
    opt_outs = {ours.opt_out_stay, ours.opt_out_live, ours.opt_out_cold}
    assert opt_outs <= named
    named -= opt_outs
    assert named == {rule for rule in rules if rule.startswith("maintenance:")}


def test_the_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([\w-]+)(?: [\w-]+)*:", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:^    |`)make (\w+)", readme.text(), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_the_files_that_are_linked_exist():
    for link in re.findall(r"(?<!!)\[[^\]]*\]\((?!http)([^)]+)\)", readme.text()):
        assert (ROOT / link).is_file(), link


def test_the_yaml_example_names_the_cloud_of_the_settings_example():
    clouds = yaml.safe_load(readme.code_blocks("yaml")[0])["clouds"]
    assert f'UKCLOUD_MAINTENANCE = {{"CLOUD": "{next(iter(clouds))}"}}' in readme.text()


def test_the_hints_of_the_checks_are_the_lines_of_the_readme(settings):
    """Who follows a check ends up with what the README says."""
    snippet = readme.code_blocks("python")[0]
    for line in checks._POLICY_LINES.values():
        assert line in snippet
    assert checks._POLICY_IMPORT in snippet

"""What README.md and doc/source say of settings, commands, messages and files is true."""

import dataclasses
import json
import re
import shlex
import subprocess
from configparser import ConfigParser
from pathlib import Path

import jinja2
import pytest
import yaml
from django.core.management import get_commands

from tests import readme
from ukcloud_maintenance import checks, policies, settings
from ukcloud_maintenance.messages import TEMPLATES
from ukcloud_maintenance.settings import actions as action_settings

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ukcloud_maintenance"
PAGES = [str(page.relative_to(ROOT)) for page in readme.pages()]


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


# -- what is generated -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "name"), readme.generated(), ids=[name for _, name in readme.generated()]
)
def test_the_generated_parts_are_up_to_date(page, name):
    expected = readme.generated()[page, name]
    assert readme.section(page, name) == expected, "run `python -m tests.readme`"


def test_the_reference_of_the_messages_is_up_to_date():
    assert readme.MESSAGES.read_text() == readme.messages()


def test_every_code_is_in_the_reference():
    told = readme.MESSAGES.read_text()
    assert [code for code in TEMPLATES if f"| `{code}` |" not in told] == []


def test_every_setting_is_in_the_table():
    table = readme.section(readme.SETTINGS, "settings")
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [s.name for s in settings.SETTINGS]


@pytest.mark.parametrize("command", readme.command_names())
def test_the_options_of_the_commands(command):
    """Each command has a section with its usage and a table, each of which has all its options."""
    [part] = re.findall(
        rf"^### {command}\n(.*?)(?=^### |\Z)",
        readme.section(readme.COMMANDS, "commands"),
        re.MULTILINE | re.DOTALL,
    )
    usage = "\n".join(re.findall(r"```text\n(.*?)```", part, re.DOTALL))
    from_django = {"--help", "--version", "--settings", "--pythonpath", "--traceback"}
    from_django |= {"--verbosity", "--no-color", "--force-color", "--skip-checks"}
    parser = readme.parser_of(command)
    parsers = [parser, *readme.verbs_of(parser).values()]
    actions = [action for one in parsers for action in one._actions]
    options = {o for a in actions for o in a.option_strings if o.startswith("--")} - from_django
    assert set(re.findall(r"--[a-z-]+", usage)) == options
    assert set(re.findall(r"^\| `(--[a-z-]+)", part, re.MULTILINE)) == options


def test_every_command_can_be_found_by_what_it_is_for():
    hand_written = readme.COMMANDS.read_text().partition("<!-- commands:")[0]
    assert [c for c in readme.command_names() if f"[{c}](#{c})" not in hand_written] == []


# -- what README.md must be --------------------------------------------------------------------


def test_the_readme_names_every_page():
    named = set(re.findall(r"\]\((doc/source/[\w.-]+\.md)", readme.README.read_text()))
    assert named == set(PAGES) - {"README.md", "doc/source/index.md"}


def test_the_readme_can_be_read_in_two_screens():
    assert len(readme.README.read_text().splitlines()) <= 80


# -- links -------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[str, str]]:
    """(file, anchor) of each link and picture that leads to something of ours."""
    found = re.findall(r"\]\(((?!https?:)[^)\s]+)\)", page.read_text())
    return [(link.partition("#")[0], link.partition("#")[2]) for link in found]


def broken_links(page: Path) -> list[str]:
    broken = []
    for file, anchor in links(page):
        target = page.parent / file if file else page
        if not target.is_file() or (anchor and anchor not in anchors(target)):
            broken.append(f"{file}#{anchor}")
    return broken


@pytest.mark.parametrize("page", PAGES)
def test_the_links_resolve(page):
    assert broken_links(ROOT / page) == []


@pytest.mark.parametrize(
    ("link", "is_broken"),
    [
        ("[a](other.md)", False),
        ("[a](other.md#b-c-1)", False),
        ("[a](#here)", False),
        ("![a](none.png)", True),
        ("[a](other.md#c)", True),
        ("[a](#there)", True),
        ("[a](https://example.org/none#x)", False),
    ],
)
def test_a_broken_link_is_found(tmp_path, link, is_broken):
    (tmp_path / "other.md").write_text("# B: c 1\n```sh\n# c\n```\n")
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n{link}\n")
    assert bool(broken_links(page)) is is_broken


def test_every_picture_is_shown():
    shown = {Path(file).name for page in readme.pages() for file, _ in links(page)}
    pictures = {file.name for file in (readme.DOCS / "images").iterdir()}
    assert len(pictures) > 5
    assert pictures <= shown


# -- examples ----------------------------------------------------------------------------------

#: a language of code blocks, and what reads it
READERS = {
    "python": lambda text: compile(text, "example", "exec"),
    "yaml": yaml.safe_load,
    "json": json.loads,
    "ini": lambda text: ConfigParser().read_string(text),
    "jinja": lambda text: jinja2.Environment().parse(text),
    "sh": lambda text: subprocess.run(["sh", "-n"], input=text, text=True, check=True),
    "text": str,
}


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_can_be_read(page):
    languages = re.findall(r"^ *```([\w{}]+)$", text_of(page), re.MULTILINE)
    assert set(languages) - {"{toctree}"} <= READERS.keys()
    for language in set(languages) & READERS.keys():
        for block in readme.code_blocks(ROOT / page, language):
            READERS[language](block)


def test_the_examples_of_actions_can_be_used(monkeypatch):
    found = {}
    for block in readme.code_blocks(readme.DOCS / "actions.md", "python"):
        exec(compile(block, "actions.md", "exec"), found)
    ours = found["UKCLOUD_MAINTENANCE"]
    every = {**ours["ACTIONS"], **found["ACTIONS"]}
    ours |= {"ACTIONS": every, "ALERTS": found["ALERTS"]}
    monkeypatch.setattr("django.conf.settings.UKCLOUD_MAINTENANCE", ours)
    assert list(settings.problems()) == []
    assert settings.current().actions.keys() == {"reboot", "awx", "rundeck"}
    [told] = readme.code_blocks(readme.DOCS / "actions.md", "yaml")
    assert yaml.safe_load(told)[0]["hosts"] == "all"


def test_every_key_of_an_action_is_explained():
    told = (readme.DOCS / "actions.md").read_text().partition("## All keys")[2]
    names = {field.name for field in dataclasses.fields(action_settings.Action)} - {"name"}
    kinds = (action_settings.Webhook, action_settings.Poll)
    names |= {field.name for kind in kinds for field in dataclasses.fields(kind)}
    assert {name for name in names if f"`{name}`" not in told} == set()
    assert [check for check in action_settings.CHECKS if f"`{check}`" not in told] == []


# -- commands that are named -------------------------------------------------------------------


def test_the_commands_that_are_named_exist():
    named = set(re.findall(r"django-admin (\w+)", readme.everything()))
    assert {"maintenance_worker", "migrate", "compress", *readme.command_names()} <= named
    assert named <= set(get_commands())


def typed() -> list[tuple[str, str, list[str]]]:
    """(page, command, arguments) of each command of ours that is shown to be typed. The reference
    of JSON names only what makes the difference."""
    found = []
    for page in set(readme.pages()) - {readme.JSON}:
        spans = re.findall(
            r"`((?:django-admin )?(?:drain|host|maintenance)_\w+ [^`]+)`", page.read_text()
        )
        for line in [*readme.shell_lines(page), *spans]:
            line = line.partition(" #")[0].partition("django-admin ")[2] or line
            command, _, rest = line.partition(" ")
            if command in readme.command_names():
                found.append((page.name, command, shlex.split(rest)))
    return found


def test_what_is_shown_to_be_typed_can_be_typed():
    """Where only an option is meant (`drain_host --wait`), it is one of that command."""
    assert len(typed()) > 20
    for page, command, arguments in typed():
        # an id stands in capitals, or as the value of a message
        given = [re.sub(r"^(ID|\{\w+\})$", "7", argument) for argument in arguments]
        parser = readme.parser_of(command)
        if given and given[0].startswith("--"):
            options = {option for action in parser._actions for option in action.option_strings}
            assert given[0] in options, f"{page}: {command} {given[0]}"
            continue
        try:
            parser.parse_args(given)
        except Exception as error:
            pytest.fail(f"{page}: {command} {arguments}: {error}")


def test_the_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([\w-]+)(?: [\w-]+)*:", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:^    |`)make ([\w-]+)", readme.everything(), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


# -- rules, settings, messages, labels ---------------------------------------------------------


def test_the_policy_rules_that_are_named_exist():
    defaults = yaml.safe_load(Path(policies.DEFAULT_POLICY_FILE).read_text())
    rules = {rule["name"] for rule in defaults}
    named = set(re.findall(r"`(maintenance:\w+)`", readme.everything()))
    ours = settings.current()
    opt_outs = {ours.opt_out_stay, ours.opt_out_live, ours.opt_out_cold}
    assert opt_outs <= named
    named -= opt_outs
    assert named == {rule for rule in rules if rule.startswith("maintenance:")}


@pytest.mark.parametrize("page", [page for page in PAGES if page != "doc/source/messages.md"])
def test_the_settings_that_are_named_exist(page):
    of_others = {"ADMINS", "DATABASES", "POLICY_FILES", "POLICY_FILES_PATH"}
    of_others |= {"SECRET_KEY", "SUDO_USER", "UKCLOUD_MAINTENANCE"}
    # of actions, their records and what they are run with
    of_others |= {
        "MAINTENANCE_HOST",
        "MAINTENANCE_RUN",
        "MAINTENANCE_REASON",
        "PATH",
        "LANG",
        "HOME",
    }
    of_others |= {
        "COMPUTE_STATUS_DISABLED",
        "ACTIVE",
        "ERROR",
        "INSTANCE",
        "PAUSED",
        "REASON",
        "VERB",
        "HOST",
        "ID",
    }
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", text_of(page)))
    assert named - of_others - {one.name for one in settings.SETTINGS} == set()


def first_cells(page: Path, title: str) -> list[str]:
    """What is in backquotes in the first cells of the tables below a heading."""
    part = page.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert part
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("|")]
    return [code for cell in cells for code in re.findall(r"`(\w+)`", cell)]


def test_the_messages_that_troubleshooting_explains_exist():
    codes = first_cells(readme.OPERATING, "Troubleshooting")
    assert len(codes) > 50
    assert [code for code in codes if code not in TEMPLATES] == []


def test_the_events_of_the_log_that_are_explained_exist():
    source = "\n".join(file.read_text() for file in (PACKAGE / "worker").glob("*.py"))
    events = first_cells(readme.OPERATING, "Monitoring")
    assert len(events) > 5
    assert [e for e in events if f'"{e}"' not in source and f'"{e} ' not in source] == []


@pytest.mark.parametrize(
    "page", ["README.md", *(f"doc/source/{p}.md" for p in ("quickstart", "using", "operating"))]
)
def test_the_buttons_that_are_named_exist(page):
    """They are bold, and begin with a capital in each word, or stand in the table of buttons."""
    named = set(re.findall(r"\*\*((?:[A-Z]\w+)(?: (?:to )?[A-Z]\w+)*)\*\*", text_of(page)))
    if page == "doc/source/using.md":
        rows = text_of(page).partition("| button |")[2].partition("\n\n")[0].splitlines()[2:]
        named |= {row.split("|")[1].strip() for row in rows}
        assert {"Abort", "Retry"} <= named
    folders = (PACKAGE / "content", PACKAGE / "services")
    source = "\n".join(
        file.read_text()
        for folder in folders
        for kind in ("py", "html")
        for file in folder.rglob(f"*.{kind}")
    )
    missing = [n for n in named if f'"{n}"' not in source and f'"{n}…"' not in source]
    assert missing == []


# -- installing --------------------------------------------------------------------------------


def test_the_yaml_example_names_the_cloud_of_the_settings_example():
    [example] = readme.code_blocks(readme.INSTALLING, "yaml")
    cloud = next(iter(yaml.safe_load(example)["clouds"]))
    line = f'UKCLOUD_MAINTENANCE = {{"CLOUD": "{cloud}"}}'
    assert line in readme.code_blocks(readme.INSTALLING, "python")[0]
    assert line in readme.README.read_text()


def test_the_hints_of_the_checks_are_the_lines_of_the_docs(settings):
    """Who follows a check ends up with what installing.md says."""
    snippet = readme.code_blocks(readme.INSTALLING, "python")[0]
    for line in checks._POLICY_LINES.values():
        assert line in snippet
    assert checks._POLICY_IMPORT in snippet

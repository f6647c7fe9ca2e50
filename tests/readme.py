"""README.md and the pages of doc/source, and the parts of them that follow from the code.

`python -m tests.readme` writes those parts.
"""

import argparse
import re
import textwrap
from importlib import import_module
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "doc" / "source"
COMMANDS = DOCS / "commands.md"
INSTALLING = DOCS / "installing.md"
JSON = DOCS / "json.md"
MESSAGES = DOCS / "messages.md"
OPERATING = DOCS / "operating.md"
MONITORING = DOCS / "monitoring.md"
POLICIES = DOCS / "policies.md"
SECURITY = DOCS / "security.md"
SETTINGS = DOCS / "settings.md"

#: What the rooms of `messages.catalog` are called.
ROOMS = {
    "preflight": "The preflight",
    "drain": "Drains and their events",
    "instances": "Instances of a drain",
    "emptiness": "What is on a host",
    "certificate": "Whether a host is safe to power off",
    "returning": "The return of a host to service",
    "evidence": "Where a guest runs, before a reset",
    "allocations": "Allocations left behind on a host",
    "services": "Requests that are refused",
    "shell": "What a command refuses by itself",
    "commands": "What a command tells of what it did",
    "status": "What a command shows",
    "runs": "Rolling runs",
    "runs_windows": "Windows of a rolling run that cannot be read",
    "runs_domains": "Hosts of a rolling run that may not go out yet",
    "notices": "Notices, and why one did not arrive",
    "cloud": "OpenStack that refuses, fails or does not answer",
    "worker": "What a worker reports of itself",
    "actions": "Maintenance actions and alerts",
    "monitoring": "Monitoring",
    "affected": "Who is affected",
    "common": "What messages are put together of",
}


def pages() -> list[Path]:
    """README.md, then the pages of doc/source in alphabetical order."""
    return [README, *sorted(DOCS.glob("*.md"))]


def everything() -> str:
    """The text of all pages."""
    return "\n".join(page.read_text() for page in pages())


def code_blocks(page: Path, language: str = "") -> list[str]:
    """The fenced blocks of a language, without the indentation of a list that they are in."""
    found = re.findall(
        rf"^ *```{language}\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL
    )
    return [textwrap.dedent(block) for block in found]


def shell_lines(page: Path) -> list[str]:
    """What is shown to be typed: the lines of the indented blocks and of those in `sh`, with their
    continuations."""
    text = re.sub(r"^ *```(?!sh).*?^ *```$", "", page.read_text(), flags=re.M | re.S)
    text = text.replace("\\\n", " ")
    blocks = [
        *re.findall(r"^ {4,}(\S.*)$", text, re.M),
        *"".join(code_blocks(page, "sh")).split("\n"),
    ]
    return [" ".join(line.split()) for line in blocks if line.strip()]


# -- the parts that are generated --------------------------------------------------------------


def generated() -> dict[tuple[Path, str], str]:
    """The parts by page and name of their marker."""
    from tests import reference

    return {
        (SETTINGS, "settings"): _settings(),
        (COMMANDS, "commands"): _commands(),
        (COMMANDS, "exit codes"): _table_of_exit_codes(_base().EXIT_CODES),
        (POLICIES, "policies"): _policies(),
        (MONITORING, "metrics"): _metrics(),
        (JSON, "sources"): reference.sources(),
        (JSON, "documents"): reference.documents(),
    }


def section(page: Path, name: str) -> str:
    """What stands between the markers of a part."""
    found = _between(name).search(page.read_text())
    assert found, f"{page.name} has no markers for {name!r}"
    return found[2]


def write() -> None:
    for (page, name), part in generated().items():
        content = _between(name).sub(
            lambda found, part=part: found[1] + part + found[3], page.read_text()
        )
        page.write_text(content)
    MESSAGES.write_text(messages())


def messages() -> str:
    """messages.md: every code with what it says and what can be done about it."""
    lines = [
        "# Messages",
        "",
        "<!-- written by `python -m tests.readme` from ukcloud_maintenance/messages/catalog -->",
        "",
        "Every message has a stable code: in documents (`--json`, exports) it stands beside the"
        " English text, as `message_code` and `message_values`. A name in braces is a value;"
        " `{seconds:duration}` says how it is written.",
    ]
    for room, title in ROOMS.items():
        templates = import_module(f"ukcloud_maintenance.messages.catalog.{room}").TEMPLATES
        lines += ["", f"## {title}", "", "| Code | Message | What to do |", "|---|---|---|"]
        for code, template in sorted(templates.items()):
            said = " / ".join(filter(None, [template.text, template.plural]))
            if template.cause:
                said += f" ({template.cause.rstrip('.')})"
            cells = (said.replace("|", "\\|"), template.remedy.replace("|", "\\|"))
            lines.append(f"| `{code}` | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def _between(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: [^>]*-->\n)(.*?)(<!-- /{name} -->)", re.DOTALL)


def _settings() -> str:
    from ukcloud_maintenance import settings

    return settings.table()


def _metrics() -> str:
    from ukcloud_maintenance.worker import measured

    return measured.table()


def _policies() -> str:
    from ukcloud_maintenance import policies

    lines = ["| rule | default | what it is |", "|---|---|---|"]
    for rule in yaml.safe_load(Path(policies.DEFAULT_POLICY_FILE).read_text()):
        lines.append(f"| `{rule['name']}` | `{rule['check_str']}` | {rule['description']} |")
    return "\n".join(lines) + "\n"


# -- the commands ------------------------------------------------------------------------------


def command_names() -> list[str]:
    """Our commands in alphabetical order."""
    from ukcloud_maintenance.management import commands

    return sorted(file.stem for file in Path(commands.__path__[0]).glob("[a-z]*.py"))


def parser_of(command: str) -> argparse.ArgumentParser:
    """A new parser: some of them change while they parse."""
    from django.core.management import load_command_class

    return load_command_class("ukcloud_maintenance", command).create_parser("django-admin", command)


def verbs_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of its sub-commands; none where it has none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def arguments_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments of a command, without those that every command of Django has."""
    from django.core.management.base import BaseCommand

    theirs = BaseCommand().create_parser("django-admin", "")
    known = {option for action in theirs._actions for option in action.option_strings}
    return [action for action in parser._actions if not known & set(action.option_strings)]


def _base():
    from ukcloud_maintenance.management.commands import _base

    return _base


def _commands() -> str:
    from django.core.management import load_command_class

    from tests import reference

    lines: list[str] = []
    for name in command_names():
        command = load_command_class("ukcloud_maintenance", name)
        lines += [f"### {name}", "", command.help, ""]
        verbs = verbs_of(parser_of(name))
        for verb, parser in verbs.items():
            lines += [f"#### {name} {verb}", "", parser.description, ""]
            lines += _of_parser(f"{name} {verb}", parser)
            lines += reference.of_command(name, verb)
        if not verbs:
            lines += _of_parser(name, parser_of(name))
            lines += reference.of_command(name) if hasattr(command, "prints") else []
        codes = getattr(command, "exit_codes", None)
        if codes == _base().EXIT_CODES:
            lines += ["Exit codes: [those of all commands](#exit-codes).", ""]
        elif codes:
            lines += [f"Exit codes of {name}:", ""] if verbs else []
            lines += [_table_of_exit_codes(codes)]
    return "\n".join(lines) + "\n"


def _of_parser(name: str, parser: argparse.ArgumentParser) -> list[str]:
    """Its usage, and the table of its arguments."""
    lines = ["```text", _usage(name, parser), "```", "", "| argument | what it is |", "|---|---|"]
    for action in arguments_of(parser):
        explained = (action.help or "").replace("|", "\\|")
        lines.append(f"| `{_spelled(action)}` | {explained} |")
    return [*lines, ""]


def _usage(command: str, parser: argparse.ArgumentParser) -> str:
    """One line, wrapped: the options, then what has a place."""
    either = {
        _spelled(action): group
        for group in parser._mutually_exclusive_groups
        for action in group._group_actions
    }
    parts: list[str] = []
    for action in sorted(arguments_of(parser), key=lambda action: not action.option_strings):
        if group := either.get(_spelled(action)):
            choice = " | ".join(_spelled(other) for other in group._group_actions)
            parts.append(f"({choice})" if group.required else f"[{choice}]")
        else:
            parts.append(_in_usage(action))
    # a part is never broken
    text = " ".join(
        part.replace(" ", "\0") for part in ["django-admin", command, *dict.fromkeys(parts)]
    )
    wrapped = textwrap.fill(text, 96, subsequent_indent=" " * 4, break_on_hyphens=False)
    return wrapped.replace("\0", " ")


def _in_usage(action: argparse.Action) -> str:
    name = _spelled(action)
    if not action.option_strings:
        return {"*": f"[{name} …]", "+": f"{name} …", "?": f"[{name}]"}.get(action.nargs, name)
    several = isinstance(action, argparse._AppendAction) or action.nargs == "+"
    name += " …" if several else ""
    return name if action.required else f"[{name}]"


def _spelled(action: argparse.Action) -> str:
    """An option with its value, or the name of what has a place."""
    value = action.metavar or ""
    if action.choices and not action.metavar:
        value = "{" + ",".join(str(choice) for choice in action.choices) + "}"
    elif action.nargs != 0 and not value:
        value = action.dest.upper()
    return f"{action.option_strings[0]} {value}".strip() if action.option_strings else value


def _table_of_exit_codes(codes: str) -> str:
    codes = re.sub(r"\n {5,}", " ", codes)  # one that goes on in a second line
    lines = ["| exit code | meaning |", "|---|---|"]
    for code, meaning in re.findall(r"^ +(\d+) +(.+)$", codes, re.MULTILINE):
        lines.append(f"| {code} | {meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    write()

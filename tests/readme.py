"""The parts of README.md that follow from the code. `python -m tests.readme` writes them."""

import re
import textwrap
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
MESSAGES = ROOT / "docs" / "messages.md"

#: What the rooms of `messages.catalog` are called.
ROOMS = {
    "preflight": "The preflight",
    "drain": "Drains, instances and their events",
    "emptiness": "What is on a host",
    "host": "Hosts: certificate, evidence, return",
    "services": "Requests that are refused",
    "cloud": "OpenStack that refuses, fails or does not answer",
    "common": "What messages are put together of",
}


def text() -> str:
    return README.read_text()


def code_blocks(language: str) -> list[str]:
    """The fenced blocks of a language, without the indentation of a list that they are in."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", text(), re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


def generated() -> dict[str, str]:
    """The parts by the name of their marker."""
    return {"settings": _settings(), "exit codes": _exit_codes()}


def section(name: str) -> str:
    """What stands between the markers of a part."""
    found = _between(name).search(text())
    assert found, f"README.md has no markers for {name!r}"
    return found[2]


def write() -> None:
    content = text()
    for name, part in generated().items():
        content = _between(name).sub(lambda found, part=part: found[1] + part + found[3], content)
    README.write_text(content)
    MESSAGES.write_text(messages())


def messages() -> str:
    """docs/messages.md: every code with what it says and what can be done about it."""
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


def _exit_codes() -> str:
    from ukcloud_maintenance.management.commands._base import EXIT_CODES

    lines = ["| exit code | meaning |", "|---|---|"]
    for code, meaning in re.findall(r"^ +(\d+) +(.+)$", EXIT_CODES, re.MULTILINE):
        lines.append(f"| {code} | {meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    write()

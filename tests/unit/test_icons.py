"""Every icon has a glyph in both Font Awesomes: 4.7 of Horizon up to 2025.2, and 6 since then."""

import ast
import re
from pathlib import Path

import pytest
from xstatic.pkg import font_awesome

import ukcloud_maintenance

ROOT = Path(ukcloud_maintenance.__file__).parent
CONTENT = ROOT / "content"
RULE = re.compile(r"\.fa-([a-z0-9-]+)::?before")
#: a class attribute that begins with an icon's, with what a template puts into it
CLASSES = re.compile(
    r"""class(?:Name)?\s*=\s*["'](fa\s(?:\{%.*?%\}|\{\{.*?\}\}|[^"'])*)""", re.DOTALL
)
NAMED = re.compile(r"\bfa-([a-z0-9-]+)")
#: what `fa-{{ … }}` becomes in a template that chooses between two
CHOSEN = re.compile(r"fa-\{\{[^}]*yesno:'([^']*)'")
#: Words of ours that one of the two has an icon of, and that are none here.
NO_ICONS = {"cancel", "memory", "message", "running", "timeline", "windows"}


def old() -> set[str]:
    lines = (Path(__file__).parent / "font_awesome_4.7.txt").read_text().splitlines()
    return {name for line in lines if not line.startswith("#") for name in line.split()}


def installed() -> set[str]:
    """Of the Font Awesome that this Horizon ships; what needs the shims of version 4 is none."""
    folder = Path(font_awesome.BASE_DIR) / "css"
    found = folder / "fontawesome.css"
    sheet = found if found.exists() else folder / "font-awesome.css"
    return set(RULE.findall(sheet.read_text()))


def of_markup(text: str) -> set[str]:
    found = {name for classes in CLASSES.findall(text) for name in NAMED.findall(classes)}
    return found | {name for names in CHOSEN.findall(text) for name in names.split(",")}


def of_python(text: str) -> set[str]:
    """Strings that are an icon's name in one of the two, or hold one; short ones are no icons."""
    strings = {
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {name for string in strings for name in NAMED.findall(string)}
    return named | {s for s in strings & (old() | installed()) if len(s) > 2} - NO_ICONS


MARKUP = [*CONTENT.rglob("*.html"), *(ROOT / "static").rglob("*.js")]
PYTHON = [file for file in CONTENT.rglob("*.py") if file.name != "urls.py"]


def test_icons_are_found():
    markup = set().union(*(of_markup(file.read_text()) for file in MARKUP))
    assert {"check", "times", "lock", "ellipsis-v", "caret-up", "print"} <= markup
    python = set().union(*(of_python(file.read_text()) for file in PYTHON))
    assert {"exclamation-triangle", "eye", "pause", "copy", "hourglass-half"} <= python
    assert of_markup("""<i class="fa fa-{{ x|yesno:'check,xmark' }} big">""") == {"check", "xmark"}
    assert of_python("Label('x', 'clock-o'); '<i class=\"fa fa-hand\">'") == {"clock-o", "hand"}


@pytest.mark.parametrize("files", [MARKUP, PYTHON], ids=["markup", "Python"])
def test_both_font_awesomes_have_them(files):
    read = of_markup if files is MARKUP else of_python
    for file in files:
        assert read(file.read_text()) <= old() & installed(), file.name

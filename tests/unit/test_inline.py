"""No page has a script or a style in it: they hold under a Content-Security-Policy that allows
none (`script-src 'self'; style-src 'self'`)."""

import ast
import re
from pathlib import Path

import pytest

import ukcloud_maintenance

ROOT = Path(ukcloud_maintenance.__file__).parent
#: What such a policy forbids. A style that a script sets by the CSSOM is allowed; a handler, a
#: style sheet or a script that is text of the page is not.
INLINE = {
    "style attribute": re.compile(r"""(?<![\w.-])style\s*=\s*\\?["']"""),
    "style sheet": re.compile(r"<style\b", re.IGNORECASE),
    "script": re.compile(r"<script\b(?![^>]*\bsrc=)", re.IGNORECASE),
    "handler": re.compile(r"""(?<![\w.-])on[a-z]{3,}\s*=\s*\\?["']""", re.IGNORECASE),
    "address": re.compile(r"""["'\s=]javascript:""", re.IGNORECASE),
    "style by setAttribute": re.compile(r"setAttribute\(\s*.style|\.cssText\b"),
    "evaluated text": re.compile(r"\beval\(|new Function\(|set(Timeout|Interval)\(\s*['\"]"),
}
FILES = [
    *(ROOT / "content").rglob("*.html"),
    *(ROOT / "static").rglob("*.js"),
    *(ROOT / "content").rglob("*.py"),
    *(ROOT / "core" / "record").rglob("*.py"),
]


def inline(text: str) -> set[str]:
    return {what for what, pattern in INLINE.items() if pattern.search(text)}


def text_of(file: Path) -> str:
    """The file; of a Python module its strings, which is where markup is."""
    if file.suffix != ".py":
        return file.read_text()
    nodes = ast.walk(ast.parse(file.read_text()))
    strings = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return "\n".join(one for one in strings if isinstance(one, str))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<p style="width: 1%">', "style attribute"),
        ("<style>p {}</style>", "style sheet"),
        ("<script>x()</script>", "script"),
        ('<a onclick="x()">', "handler"),
        ('<a href="javascript:x()">', "address"),
        ("one.setAttribute('style', x)", "style by setAttribute"),
        ("setTimeout('x()', 5)", "evaluated text"),
    ],
)
def test_it_is_found(text, found):
    assert inline(text) == {found}


def test_what_is_allowed_is_not():
    text = (
        '<script src="x.js" defer></script> <link rel="stylesheet"> data-style="x" a.style.top = 1'
    )
    assert inline(text) == set()


def test_no_file_has_it():
    assert len(FILES) > 100
    assert {str(file): found for file in FILES if (found := inline(text_of(file)))} == {}

"""What the panel writes into a page is escaped by Horizon's own rule, and by nothing else.

Horizon takes the expressions of AngularJS out of text by replacing `django.utils.html.escape` when
its settings load. Whoever took a reference before (Django's template filters: `django.core.wsgi`
loads them first) or escapes in a way of its own (`html.escape`) lets them pass. So templates use
filters of a list, and Python makes HTML of `format_html` and literals alone.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.template.base import Lexer, TokenType

import ukcloud_maintenance
from tests.panel.conftest import make_user
from ukcloud_maintenance.content.maintenance.common import formats

ROOT = Path(ukcloud_maintenance.__file__).parent
TEMPLATES = sorted(ROOT.glob("**/*.html"))

#: Filters that neither escape by themselves nor call something safe that was not.
FILTERS = {
    "add_bootstrap_class",  # Horizon's, of a form's field
    "date",
    "default",
    "length",
    "stringformat",
    "urlencode",
    "yesno",
}
TAGS = {
    "block",
    "blocktrans",
    "comment",
    "csrf_token",
    "else",
    "elif",
    "empty",
    "endblock",
    "endblocktrans",
    "endcomment",
    "endfor",
    "endif",
    "endwith",
    "extends",
    "for",
    "get_current_language",
    "if",
    "include",
    "load",
    "plural",
    "trans",
    "url",
    "with",
}
#: Names that make HTML of text past Horizon's rule, or call text HTML.
FORBIDDEN = {
    "SafeData",
    "SafeString",
    "SafeText",
    "conditional_escape",
    "defaultfilters",
    "escape",
    "escapejs",
    "force_escape",
    "json_script",
    "linebreaks",
    "linebreaksbr",
    "mark_safe",
    "urlize",
}
#: Makers of HTML, and which of their arguments is HTML already.
MAKERS = {"format_html": 0, "format_html_join": 1, "mark_safe": 0}
TRANSLATED = {"_", "gettext", "gettext_lazy", "pgettext"}


def filters_and_tags(source: str) -> Iterator[tuple[str, str]]:
    """(filter or tag, name) of all that a template uses."""
    for token in Lexer(source).tokenize():
        if token.token_type not in (TokenType.VAR, TokenType.BLOCK):
            continue
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", "''", token.contents)
        yield from (("filter", name) for name in re.findall(r"\|\s*(\w+)", bare))
        if token.token_type is TokenType.BLOCK:
            yield "tag", token.contents.split()[0]


def test_there_are_templates():
    assert len(TEMPLATES) > 40


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_a_template_uses_no_filter_that_escapes_by_itself(file):
    used = set(filters_and_tags(file.read_text()))
    assert {name for kind, name in used if kind == "filter"} <= FILTERS
    assert {name for kind, name in used if kind == "tag"} <= TAGS


@pytest.mark.parametrize(
    "source",
    [
        "{{ name|linebreaksbr }}",
        "{{ names|join:', ' }}",
        "{{ name|default:''|force_escape }}",
        "{{ name|safe }}",
        "{% if name|urlize %}{% endif %}",
        "{% autoescape off %}{{ name }}{% endautoescape %}",
        "{% filter linebreaks %}{{ name }}{% endfilter %}",
        "{% firstof name %}",
        "{% debug %}",
    ],
)
def test_what_escapes_by_itself_is_found_in_a_template(source):
    used = set(filters_and_tags(source))
    assert (
        not {name for kind, name in used if kind == "filter"} <= FILTERS
        or not {name for kind, name in used if kind == "tag"} <= TAGS
    )


def own_html(source: str) -> list[str]:
    """Where a module makes HTML of something else than literals and escaped values."""
    found = []
    tree = ast.parse(source)
    # In the places of types they are harmless.
    types = {
        id(node)
        for one in ast.walk(tree)
        for part in (getattr(one, "annotation", None), getattr(one, "returns", None))
        if part is not None
        for node in ast.walk(part)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if names & FORBIDDEN - {"SafeString", "mark_safe"} or node.module == "html":
                found.append(f"line {node.lineno}: imports {', '.join(sorted(names))}")
        elif isinstance(node, ast.Import):
            found += [f"line {node.lineno}: html" for alias in node.names if alias.name == "html"]
        elif isinstance(node, ast.FunctionDef) and node.name == "__html__":
            found.append(f"line {node.lineno}: __html__")
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            if name in MAKERS:
                html = node.args[MAKERS[name]] if len(node.args) > MAKERS[name] else None
                if not _is_literal(html, tree):
                    found.append(f"line {node.lineno}: {name} of something that is no literal")
            elif name in FORBIDDEN and id(node) not in types and name != "escape":
                found.append(f"line {node.lineno}: {name}")
    return found


def _is_literal(node: ast.AST | None, tree: ast.AST) -> bool:
    """A string that stands here, its translation, or a name that only such are given to."""
    match node:
        case ast.Constant(value=str()):
            return True
        case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str()), *_]):
            return name in TRANSLATED
        case ast.IfExp(body=body, orelse=orelse):
            return _is_literal(body, tree) and _is_literal(orelse, tree)
        case ast.Name(id=name):
            given = [
                one.value
                for one in ast.walk(tree)
                if isinstance(one, ast.Assign)
                and any(isinstance(t, ast.Name) and t.id == name for t in one.targets)
            ]
            return bool(given) and all(isinstance(value, ast.Constant) for value in given)
    return False


@pytest.mark.parametrize("file", sorted(ROOT.glob("content/**/*.py")), ids=lambda file: file.name)
def test_html_is_made_of_literals_and_of_escaped_values(file):
    assert own_html(file.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "from html import escape",
        "import html",
        "from django.utils.html import escape",
        "from django.utils.html import conditional_escape",
        "from django.template import defaultfilters",
        "mark_safe(name)",
        "mark_safe(f'<b>{name}</b>')",
        "SafeString(name)",
        "format_html(f'<b>{name}</b>')",
        "format_html('<b>%s</b>' % name)",
        "format_html('<b>' + name + '</b>')",
        "format_html_join(', ', f'<b>{name}</b>', [])",
        "safestring.mark_safe(name)",
        "class A:\n    def __html__(self):\n        return self.name",
    ],
)
def test_html_made_in_another_way_is_found(source):
    assert own_html(source) != []


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_angularjs_is_kept_out_of_pages_and_dialogs(file):
    """By the templates that all the others extend."""
    source = file.read_text()
    parents = re.findall(r"{% extends [\"'](.+?)[\"'] %}", source)
    assert file.name in ("_base.html", "_modal.html", "_drain_host.html") or all(
        parent in [f"admin/maintenance/common/_{name}.html" for name in ("base", "modal", "list")]
        for parent in parents
    )
    if parents == ["admin/maintenance/common/_base.html"]:
        if file.name == "_list.html":  # what lists fill stands within the panel
            before, _start, panel = source.partition("{% block panel %}")
            assert "{% block" not in before
            assert panel.count("{% block") == panel.count("{% endblock %}") - 1
            assert panel.rstrip().endswith("{% endblock %}")
            return
        blocks = set(re.findall(r"{% block (\w+)", source))
        assert blocks <= {"panel", "title"}
    if parents == ["admin/maintenance/common/_list.html"]:
        listed = (file.parents[1] / "common/_list.html").read_text()
        own = re.findall(r"{% block (\w+)", source)
        assert set(own) <= set(re.findall(r"{% block (\w+)", listed)) - {"panel"}
    if "<html" in source or parents in (["base.html"], ["horizon/common/_modal.html"]):
        assert "ng-non-bindable" in source


def test_text_is_escaped_once():
    """Horizon's `escape` answers with text that is not marked as safe."""
    once = formats.as_html("it's <b>")
    assert once == "it&#x27;s &lt;b&gt;"
    assert formats.as_html(once) == once


def test_a_long_name_of_an_admin_fits_where_it_is_recorded(rf):
    from ukcloud_maintenance.content.maintenance.common import session

    request = rf.get("/")
    request.user = make_user("admin", name="n" * 255, domain="d" * 64)
    assert session.actor(request).name == "n" * 255


def test_numbers_of_any_length_are_sorted_by():
    names = ["cmp10", "cmp2", "cmp" + "9" * 5000, "cmp", "CMP2"]
    assert sorted(names, key=formats.natural_key) == [
        "cmp",
        "CMP2",
        "cmp2",
        "cmp10",
        "cmp" + "9" * 5000,
    ]

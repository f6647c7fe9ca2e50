"""The texts of the scripts come from Django's JavaScript catalog, whole and in every language.

A panel test looks at the catalog as a page of Horizon refers to it.
"""

import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ukcloud_maintenance
from ukcloud_maintenance.content.maintenance.preflight.words import COUNTED, REVIEWED

PACKAGE = Path(ukcloud_maintenance.__file__).parent
SCRIPTS = sorted(PACKAGE.glob("static/**/*.js"))
LANGUAGES = sorted(folder.name for folder in (PACKAGE / "locale").iterdir() if folder.is_dir())

COMMENT = re.compile(r"/\*.*?\*/|(?<![:'\"])//[^\n]*", re.S)
STRING = r"'((?:[^'\\\n]|\\.)*)'"
#: gettext('…') and ngettext('…', '…', n)
TEXT = re.compile(rf"\bgettext\(\s*{STRING}\s*\)|\bngettext\(\s*{STRING},\s*{STRING},")
ENTRY = re.compile(r'^msgid "(.+)"\n(?:msgid_plural "(.+)"\n)?((?:msgstr.*(?:\n|$))+)', re.M)

#: singular, and plural where there is one
Text = tuple[str, str]


def texts(source: str) -> set[Text]:
    """What a script says."""
    found = set()
    for text, one, many in TEXT.findall(COMMENT.sub("", source)):
        found.add((text or one, many))
    return found


def calls(source: str, names: str) -> Iterator[tuple[str, str, str]]:
    """Of each call: what stands before it, its arguments, what stands after it; strings emptied."""
    bare = re.sub(STRING, "''", COMMENT.sub("", source))
    for call in re.finditer(rf"\b(?:{names})\(", bare):
        open_, at = 1, call.end()
        while open_:
            open_ += {"(": 1, ")": -1}.get(bare[at], 0)
            at += 1
        yield bare[: call.start()].rstrip(), bare[call.end() : at - 1], bare[at:].lstrip()


def faults(source: str) -> list[str]:
    """What translators could not do anything about, or an extractor would not find."""
    found = []
    if "data-text" in source:
        found.append("reads a text of an attribute")
    if len(TEXT.findall(COMMENT.sub("", source))) < len(list(calls(source, "n?gettext"))):
        found.append("a text is no single literal")
    for before, arguments, after in calls(source, "n?gettext|interpolate"):
        if before.endswith("+") or after.startswith("+"):
            found.append(f"({arguments}) is glued to another piece")
    for _before, arguments, _after in calls(source, "interpolate"):
        if not re.search(r",\s*true$", arguments):
            found.append(f"({arguments}) has no named values")
    return found


def entries(language: str) -> dict[Text, list[str]]:
    """The source of a catalog: translations by text."""
    source = (PACKAGE / "locale" / language / "LC_MESSAGES" / "djangojs.po").read_text()
    assert "#, fuzzy" not in source
    assert "#~" not in source
    return {
        (one, many): re.findall(r'^msgstr\S* "(.*)"$', translations, re.M)
        for one, many, translations in ENTRY.findall(source)
    }


def places(text: str) -> set[str]:
    """The values of a text."""
    return set(re.findall(r"%\((\w+)\)s", text))


ALL = {text for script in SCRIPTS for text in texts(script.read_text())}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_takes_its_texts_from_the_catalog(script):
    assert faults(script.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("say(gettext('It is over.'));  // isn't it", []),
        ("interpolate(gettext('%(n)s of (%(all)s)'), {n: f(1), all: 2}, true)", []),
        ("root.getAttribute('data-text-lost')", ["reads a text of an attribute"]),
        ("gettext(words)", ["a text is no single literal"]),
        ("gettext('It is ' + 'over.')", ["a text is no single literal"]),
        ("n + ' ' + gettext('left')", ["('') is glued to another piece"]),
        ("interpolate(gettext('%(n)s'), {n: f()}, true) +\n ','",
         ["(gettext(''), {n: f()}, true) is glued to another piece"]),
        ("interpolate(gettext('%s'), [n])", ["(gettext(''), [n]) has no named values"]),
    ],
)  # fmt: skip
def test_a_text_that_cannot_be_translated_is_found(source, found):
    assert faults(source) == found


def test_the_texts_of_a_script_are_found():
    source = (
        "gettext('a b'); // gettext('c')\nngettext('%(n)s d',\n  '%(n)s e', n); gettext('it\\'s')"
    )
    assert texts(source) == {("a b", ""), ("%(n)s d", "%(n)s e"), ("it\\'s", "")}
    assert len(ALL) > 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_no_other(language):
    known = set(entries(language))
    assert ALL - known == set(), "not translated"
    assert known - ALL == set(), "said by no script"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_translation_has_the_values_of_its_text_and_is_compiled(language):
    compiled = gettext.translation("djangojs", PACKAGE / "locale", [language])
    for (one, many), translations in entries(language).items():
        assert all(translations), one
        assert len(translations) == (2 if many else 1), one
        assert {frozenset(places(text)) for text in (one, many or one, *translations)} == {
            frozenset(places(one))
        }, one
        if many:
            assert [compiled.ngettext(one, many, n) for n in (1, 2)] == translations
        else:
            assert compiled.gettext(one) == translations[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_server_says_it_in_the_same_words(language):
    """Where both say something, it does not change as the script starts."""
    servers = gettext.translation("django", PACKAGE / "locale", [language])
    for (one, many), translations in entries(language).items():
        for text, n, said in zip((one, many), (1, 2), translations, strict=False):
            told = servers.ngettext(one, many, n) if many else servers.gettext(one)
            assert told in (text, said), one


@pytest.mark.parametrize("table", [COUNTED, REVIEWED], ids=["summary", "review"])
def test_the_scripts_count_in_the_words_of_the_server(table):
    assert {(words(1), words(2)) for words in table.values()} <= ALL


def test_no_template_has_texts_for_a_script():
    found = {
        str(template.relative_to(PACKAGE))
        for template in PACKAGE.rglob("*.html")
        if "data-text" in template.read_text()
    }
    assert found == set()

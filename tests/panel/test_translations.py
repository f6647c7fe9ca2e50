"""The translations are whole: what is in the sources of them is in the compiled files too."""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.utils.translation import override

import ukcloud_maintenance
from ukcloud_maintenance.content.maintenance import labels
from ukcloud_maintenance.core import preflight

PACKAGE = Path(ukcloud_maintenance.__file__).parent
LOCALE = PACKAGE / "locale"
LANGUAGES = sorted(folder.name for folder in LOCALE.iterdir() if folder.is_dir())


def compiled(language: str) -> gettext.NullTranslations:
    return gettext.translation("django", LOCALE, [language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_the_source_is_translated_and_compiled(language):
    source = (LOCALE / language / "LC_MESSAGES" / "django.po").read_text()
    assert "#, fuzzy" not in source
    found = compiled(language)
    entries = [entry for entry in source.split("\n\n")[1:] if not entry.startswith("#~")]
    assert len(entries) > 150
    for entry in entries:
        strings = re.findall(r'^(msg\w+)(?:\[\d\])? "(.*)"$', entry, re.M)
        assert all(text for _kind, text in strings), entry
        said = {kind: text.replace('\\"', '"') for kind, text in strings}
        one, plural, form = said["msgid"], said.get("msgid_plural"), said["msgstr"]
        context = said.get("msgctxt")
        if plural and context:
            assert found.npgettext(context, one, plural, 2) == form
        elif plural:
            assert found.ngettext(one, plural, 2) == form
        elif context:
            assert found.pgettext(context, one) == form
        else:
            assert found.gettext(one) == form


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_preflight_says_is_known_to_the_translators(language):
    found = compiled(language)
    for reason, remedy in preflight._STAYS.values():
        for sentence in (reason, remedy):
            assert found.gettext(sentence) != sentence


def sentences_of(module: str) -> list[str]:
    """The whole sentences without values in a module's source, its docstrings left out."""
    tree = ast.parse((PACKAGE / "core" / f"{module}.py").read_text())
    beside = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            beside |= {id(value) for value in node.values}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in beside
    ]
    found = [text for text in texts if text[:1].isupper() and " " in text and text.endswith(".")]
    return [one for text in found for one in re.split(r"(?<=\.) (?=[A-Z])", text)]


@pytest.mark.parametrize(
    ("module", "at_least"),
    [
        ("steering", 12),
        ("certificate", 10),
        ("evidence", 10),
        ("hosts", 8),
        ("decide", 18),
        ("preflight", 30),
        ("surroundings", 4),
        ("bindings", 6),
    ],
)
def test_what_the_core_says_is_known_to_the_translators(module, at_least):
    found = sentences_of(module)
    assert len(found) >= at_least
    with override("de"):
        assert [one for one in found if labels.said(one) == one] == []


def test_sentences_with_values_are_translated_around_them():
    english = "Its local disk of 20 GiB is copied too, unless the hosts share storage."
    busy = "Nova is busy with it (task 100%(x)s). It is looked at again while the drain runs."
    assert labels.said(english) == english
    assert labels.said(busy) == busy
    with override("de"):
        assert labels.said(english).startswith("Ihre lokale Platte von 20 GiB wird mitkopiert")
        assert "Aufgabe 100%(x)s). Während" in labels.said(busy)

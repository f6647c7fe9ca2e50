"""The translations are whole: what is in the sources of them is in the compiled files too."""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.utils.translation import override

import ukcloud_maintenance
from ukcloud_maintenance.content.maintenance.common import labels
from ukcloud_maintenance.core.preflight import judge as preflight

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


def sentences_of(room: str) -> list[str]:
    """The whole sentences without values in a module's or a package's source, its docstrings left
    out."""
    files = sorted((PACKAGE / room).rglob("*.py")) or [PACKAGE / f"{room}.py"]
    return [sentence for file in files for sentence in _sentences_in(file)]


def _sentences_in(file: Path) -> list[str]:
    tree = ast.parse(file.read_text())
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
    ("room", "at_least"),
    [
        ("core/steering", 12),
        ("core/host/certificate", 10),
        ("core/host/evidence", 10),
        ("core/host/returning", 8),
        ("core/drain", 18),
        ("core/preflight", 40),
        ("store", 10),
    ],
)
def test_what_the_inner_layers_say_is_known_to_the_translators(room, at_least):
    found = sentences_of(room)
    assert len(found) >= at_least
    with override("de"):
        assert [one for one in found if labels.said(one) == one] == []


@pytest.mark.parametrize(
    "said",
    [
        "What is under way is aborted; the service is left as it is.",
        "Taken off the list by bob. It has left the host.",
        "web-1: It has left the host.",
        "web-1: The host was given back to service since this drain ended; what runs on it now was"
        " never part of it. Drain the host again.",
        "Host cmp1 is being given back already (asked for by bob): Waiting for a worker.",
        "It was last verified 90 s ago, which is too long. Is a worker running?",
        "The service was enabled, and is disabled without a reason again; waiting.",
        "4 migrations at once, was 2; timeout action abort, was warn; window end"
        " 2126-03-01T21:00:00Z, was 2126-03-01T20:00:00Z; window start removed, was"
        " 2126-03-01T19:00:00Z",
    ],
)
def test_no_piece_of_what_is_said_stays_english(said):
    with override("de"):
        told = labels.said(said)
    assert not re.search(
        r"\b(the|is|has|it|since|asked|host again|timeout action|at once|window|removed|end)\b",
        told,
    ), told
    assert all(name in told for name in re.findall(r"web-1|bob|cmp1|90|\b4\b", said))


def test_sentences_with_values_are_translated_around_them():
    english = "Its local disk of 20 GiB is copied too, unless the hosts share storage."
    busy = "Nova is busy with it (task 100%(x)s). It is looked at again while the drain runs."
    assert labels.said(english) == english
    assert labels.said(busy) == busy
    with override("de"):
        assert labels.said(english).startswith("Ihre lokale Platte von 20 GiB wird mitkopiert")
        assert "Aufgabe 100%(x)s). Während" in labels.said(busy)

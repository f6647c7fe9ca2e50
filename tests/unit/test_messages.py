"""Messages as values, and the table of templates that turns them into text."""

import ast
import gettext
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ukcloud_maintenance
from tests.sources import nodes
from ukcloud_maintenance.core import message as m
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import Message, message, text
from ukcloud_maintenance.core.run.states import Stage
from ukcloud_maintenance.core.states import MigrationState
from ukcloud_maintenance.message_field import MessageField
from ukcloud_maintenance.messages import (
    TEMPLATES,
    Template,
    remedy_of,
    render,
    rendering,
)
from ukcloud_maintenance.messages.catalog import runs_windows, services, shell
from ukcloud_maintenance.messages.template import fields

PACKAGE = Path(ukcloud_maintenance.__file__).parent
#: Not where the package is, which may be installed.
ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = sorted(folder.name for folder in (PACKAGE / "locale").iterdir() if folder.is_dir())
AT = datetime(2026, 3, 1, 21, 0, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture
def templates(monkeypatch):
    """Templates of this test alone."""

    def use(**table: Template) -> None:
        monkeypatch.setattr("ukcloud_maintenance.messages.rendering.TEMPLATES", table)

    return use


# -- values ----------------------------------------------------------------------------------


NAMES = st.from_regex(r"[a-z]+", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner).map(tuple)
        | st.builds(
            Message,
            st.text(min_size=1),
            st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), inner),
        )
    ),
    max_leaves=8,
)


@given(values)
def test_what_is_stored_comes_back(value):
    one = Message("some", {"value": value})
    assert m.from_json(json.loads(json.dumps(m.as_json(one)))) == one


def test_a_moment_is_stored_with_its_offset():
    stored = m.as_json(message("some", at=AT))
    assert stored["values"]["at"] == "2026-03-01T21:00:00+01:00"


@pytest.mark.parametrize(
    "stored",
    [None, "text", [], {}, {"code": "a"}, {"code": 1, "values": {}}, {"code": "a", "values": []}],
)
def test_what_is_no_message_is_refused(stored):
    with pytest.raises(ValueError, match="not a stored message"):
        m.from_json(stored)


# -- text ------------------------------------------------------------------------------------


def test_values_are_written_as_their_place_says(templates):
    templates(
        all=Template(
            "{name}: {took:duration}, {at:time}, {size:size}, {share:percent}, {fast:rate}"
        )
    )
    one = message("all", name="vm", took=300, at=AT, size=8 * 1024**3, share=0.5, fast=3 * 1024**2)
    assert render(one) == "vm: 5 min, 2026-03-01T20:00:00Z, 8 GiB, 50%, 3 MiB/s"
    again = m.from_json(m.as_json(one))
    assert render(again) == render(one)


def test_a_number_chooses_the_form(templates):
    templates(left=Template("{count} instance is left.", plural="{count} instances are left."))
    assert render(message("left", count=1)) == "1 instance is left."
    assert render(message("left", count=3)) == "3 instances are left."


def test_a_message_can_be_part_of_another(templates):
    templates(
        over=Template("Still blocked: {why:inline}; {hosts:list}.{lines:lines}"),
        busy=Template("Nova is busy with it."),
        text=Template("{text}"),
    )
    one = message("over", why=message("busy"), hosts=["cmp1", "cmp2"], lines=[text("a"), text("b")])
    assert render(one) == "Still blocked: Nova is busy with it; cmp1, cmp2.\na\nb"


def test_what_others_wrote_is_no_template(templates):
    templates(said=Template("Nova says: {words}"))
    words = "{0} %(name)s {name!r} {$ 1+1 $} <b>"
    assert render(message("said", words=words)) == f"Nova says: {words}"
    assert render(text(words)) == f"text (text: {words})"  # this test has no template for it


def test_the_remedy_can_be_had_alone(templates):
    templates(down=Template("Host {host} is down.", remedy="Bring {host} back."))
    one = message("down", host="cmp1")
    assert render(one) == "Host cmp1 is down. Bring cmp1 back."
    assert render(one, remedy=False) == "Host cmp1 is down."
    assert remedy_of(one) == "Bring cmp1 back."


@pytest.mark.parametrize("one", [message("from_the_future", host="cmp1"), message("down")])
def test_what_cannot_be_written_is_shown_by_its_values(templates, one):
    templates(down=Template("Host {host} is down."))
    assert render(one).startswith(one.code)
    assert all(str(value) in render(one) for value in one.values.values())


def test_several_messages_are_the_sentences_of_a_text_or_its_lines():
    assert render(m.several(text("One."), None, text("Two."))) == "One. Two."
    assert m.several(text("One."), None) == text("One.")
    assert m.several(None) is None
    assert render(m.lines(text("One."), text("Two,\nand more."), text("Three."))) == (
        "One.\nTwo, and more.\nThree."
    )


def test_a_list_names_ten_and_says_how_many_more_there_are():
    assert render(message("waits_for_hosts", hosts=m.some("abc"))).endswith(": a, b, c first.")
    said = render(message("waits_for_hosts", hosts=m.some("abcdefghijkl")))
    assert said.endswith("i, j, and 2 more first.")


def test_a_code_is_found_wherever_it_stands():
    one = m.several(text("One."), m.lines(text("Two."), message("late", seconds=3)))
    assert m.holds(one, "late")
    assert not m.holds(one, "early")
    assert not m.holds(None, "late")


def test_where_a_value_is_empty_there_are_no_two_blanks(templates):
    templates(said=Template("Nova refused: {words} {advice} It is left."))
    assert render(message("said", words="no.", advice="")) == "Nova refused: no. It is left."


def test_a_message_is_the_same_before_it_is_stored_and_after():
    one = message("some", at=AT, state=MigrationState.FAILED, hosts=["a"], why=text("b"))
    assert m.from_json(json.loads(json.dumps(m.as_json(one)))) == one


# -- the table -------------------------------------------------------------------------------


def parts(template: Template) -> list[str]:
    return [part for part in (template.text, template.plural, template.remedy) if part]


@pytest.mark.parametrize("code", sorted(TEMPLATES))
def test_a_template_is_well_formed(code):
    template = TEMPLATES[code]
    assert re.fullmatch(r"[a-z0-9_.]+", code)
    assert all(fields(part) is not None for part in parts(template))
    if template.plural:
        assert fields(template.text) | {("count", "")} >= fields(template.plural) - {("count", "")}


#: Numbers that stand with no noun, or never alone.
NEVER_ONE = {
    *("affected_move_of", "canary_no_hypervisor", "instance_ambiguous", "limit_learned"),
    "too_many_hosts",
}


def test_a_template_with_a_number_has_a_form_for_one_and_for_others():
    counts = {code for code, one in TEMPLATES.items() if ("count", "") in fields(one.text)}
    assert {code for code in counts if not TEMPLATES[code].plural} == NEVER_ONE


#: What the glossary has other words for.
OTHER_WORDS = re.compile(
    r"\b(asked for|under way|fl(?:y|ies|ying)|lands?|landed|goes on|went on|on hold|any ?more"
    r"|its turn|as judged|to be known|taken up again|g(?:ive|ives|iven|iving) back|way back"
    r"|run back|homeless|no end in sight|not known(?! to))\b",
    re.I,
)


def written() -> Iterator[str]:
    """Every text of the templates, the pages, the scripts and the documentation."""
    for template in TEMPLATES.values():
        yield from (*parts(template), template.cause)
    for domain in ("django", "djangojs"):
        catalog = gettext.translation(domain, PACKAGE / "locale", ["de"])
        for msgid in catalog._catalog:
            yield msgid[0] if isinstance(msgid, tuple) else msgid
    for page in (ROOT / "README.md", *(ROOT / "doc").rglob("*.md")):
        yield from re.sub(r"`[^`]*`", "", page.read_text()).splitlines()


def test_one_word_for_one_thing():
    texts = list(written())
    assert len(texts) > 3000
    assert [one for one in texts if OTHER_WORDS.search(one)] == []


def wrong_messages(root: Path, table: Mapping[str, Template]) -> list[str]:
    """The messages in a source that have no template, or lack a value that theirs names. One whose
    values are not written out is checked for its template alone."""
    found = []
    for file in sorted(root.rglob("*.py")):
        for node in nodes(file.read_text()):
            if (
                not isinstance(node, ast.Call)
                or ast.unparse(node.func).rpartition(".")[2] != "message"
                or not node.args
                or not isinstance(node.args[0], ast.Constant)
            ):
                continue
            code = node.args[0].value
            at = f"{file.relative_to(root)}:{node.lineno} {code}"
            names = {keyword.arg for keyword in node.keywords}
            if code not in table:
                found.append(f"{at} has no template")
            elif None not in names and (lacks := table[code].names - names):
                found.append(f"{at} lacks {', '.join(sorted(lacks))}")
    return found


def test_every_message_has_a_template_and_its_values():
    assert wrong_messages(PACKAGE, TEMPLATES) == []


#: Codes that are put together, by what they begin with.
MADE = {
    "run_stage_": {stage.value for stage in Stage},
    "run_asked_": {"pause", "resume", "cancel"},
}
#: What releases before this one said, which their records hold.
OF_BEFORE = {"destination_and_plan", "nothing_to_cancel", "plan_not_changed", "reset_sent"}


def sources() -> Iterator[ast.AST]:
    """Every node of the product but of the templates themselves and of migrations."""
    for file in PACKAGE.rglob("*.py"):
        if not {"messages", "migrations", "demo"} & set(file.relative_to(PACKAGE).parts):
            yield from nodes(file.read_text())


def test_every_template_is_said_and_every_code_is_written_out():
    texts, made = set(), set()
    for node in sources():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "message":
            made |= {one.values[0].value for one in node.args[:1] if isinstance(one, ast.JoinedStr)}
    assert made == MADE.keys()
    codes = {f"{begin}{end}" for begin, ends in MADE.items() for end in ends}
    assert codes | OF_BEFORE == TEMPLATES.keys() - texts


#: What a refusal is made by: errors with a message, and the end of a command.
REFUSALS = {"Refused", "UnknownHost", "NotAllowed", "ConfigurationError", "WindowError", "failure"}
#: Refusals that say themselves what can be done, or carry what does.
SAY_IT_THEMSELVES = {
    *("choice_missing", "reason_missing", "drain_has_state_again", "nothing_to_retry"),
    *("drain_instead", "instance_busy", "wrong_where_it_is", "forced_already"),
    *("hosts_at_once_out_of_range", "max_concurrent_out_of_range"),
    *("drain_cannot", "instance_cannot", "setting_wrong", "check_command_failed"),
}
#: Refusals after which nothing is left to be done: it was done, or there is nothing to do it with.
NOTHING_LEFT_TO_DO = {
    *("aborted_already", "asked_already", "cancelled_already", "paused_already", "moved_already"),
    *("nothing_failed", "nothing_to_cancel", "nothing_to_change", "nothing_to_pause"),
    *("not_paused", "is_over", "plan_over", "drain_has_state", "run_needs_no_approval"),
    *("no_live_migration", "no_migration_under_way"),
    *("first_only_waiting", "retries_only_failed", "skips_only_waiting"),
}


def refused_in(tree: ast.AST, *, whole: bool = False) -> set[str]:
    """The codes of the messages that something is refused with.

    :param whole: all messages of this source are refusals
    """
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    refusals = [c for c in calls if ast.unparse(c.func).rpartition(".")[2] in REFUSALS]
    return {
        code.value
        for refusal in ([tree] if whole else refusals)
        for call in ast.walk(refusal)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "message"
        for code in ast.walk(call.args[0])
        if isinstance(code, ast.Constant) and isinstance(code.value, str)
    }


def test_who_is_refused_something_is_told_what_to_do():
    found: set[str] = set()
    for file in PACKAGE.rglob("*.py"):
        name = str(file.relative_to(PACKAGE))
        if not name.startswith(("demo/", "migrations/")):
            whole = name == "core/steering.py"
            found |= refused_in(ast.parse(file.read_text()), whole=whole)
    found = {*found, *services.TEMPLATES, *shell.TEMPLATES, *runs_windows.TEMPLATES} & {*TEMPLATES}
    assert len(found) > 140
    without = {code for code in found if not TEMPLATES[code].remedy}
    # the last is a value of others
    assert without == SAY_IT_THEMSELVES | NOTHING_LEFT_TO_DO | (OF_BEFORE & without) | {
        "not_known_to_nova"
    }


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('raise Refused(message("late", seconds=3), code="x")', {"late"}),
        ('raise store.Refused(message("a" if x else "b"))', {"a", "b"}),
        ('raise failure(message("lost", why=message("late")))', {"lost", "late"}),
        ('log(message("late"))', set()),
    ],
)
def test_the_messages_of_refusals_are_found(source, found):
    assert refused_in(ast.parse(source)) == found


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ('message("late", seconds=3)', []),
        ('m.message("late", **values)', []),
        ('message("late")', ["a.py:1 late lacks seconds"]),
        ('m.message("left", total=2)', ["a.py:1 left lacks count"]),
        ('message("lost", seconds=3)', ["a.py:1 lost has no template"]),
        ("message(code, seconds=3)", []),
    ],
)
def test_a_message_without_its_template_or_values_is_found(tmp_path, source, wrong):
    (tmp_path / "a.py").write_text(source)
    table = {
        "late": Template("Late after {seconds:duration}."),
        "left": Template("{count} of {total} left.", plural="{count} of {total} left."),
    }
    assert wrong_messages(tmp_path, table) == wrong


def untranslated(table: Mapping[str, Template], catalog: gettext.NullTranslations) -> list[str]:
    """The codes of templates that a catalog lacks, or has with other values than they name."""
    found = []
    for code, template in table.items():
        for part in parts(template):
            if not re.sub(r"\{[^}]*\}", "", part).strip(" .:,;()"):
                continue  # nothing but values
            if template.plural and part != template.remedy:
                number = 1 if part == template.text else 2
                told = catalog.ngettext(template.text, template.plural, number)
            else:
                told = catalog.gettext(part)
            counted = {("count", "")}
            if told == part or fields(told) - counted != fields(part) - counted:
                found.append(code)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_template_is_translated_with_all_its_values(language):
    catalog = gettext.translation("django", PACKAGE / "locale", [language])
    assert untranslated(TEMPLATES, catalog) == []


class Catalog(gettext.NullTranslations):
    def gettext(self, message):
        return {"Late after {s}.": "Zu spät nach {s}.", "Gone to {host}.": "Fort."}.get(
            message, message
        )


def test_a_template_that_is_not_translated_or_loses_a_value_is_found():
    table = {
        "late": Template("Late after {s}."),
        "gone": Template("Gone to {host}."),
        "new": Template("New."),
        "bare": Template("{text}"),
    }
    assert untranslated(table, Catalog()) == ["gone", "new"]


def test_the_formats_of_an_edge_are_used(templates):
    class Words(rendering.Plain):
        def time(self, at: datetime) -> str:
            return at.astimezone(UTC).strftime("%H Uhr")

    templates(at=Template("since {at:time}"))
    assert render(message("at", at=AT), Words()) == "since 20 Uhr"


# -- the column ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one",
    [None, text(""), text("Wörter\0 🔧"), m.several(text("One."), message("late", seconds=3))],
)
def test_a_message_comes_back_from_its_column(one):
    field = MessageField()
    assert field.to_python(field.get_prep_value(one)) == one


@pytest.mark.parametrize("words", ['{"code": "drained", "values": {}}', "{}", "[1]", "null", "It"])
def test_words_are_no_message_whatever_they_look_like(words):
    """What an operator writes as a reason can look like a message of ours."""
    field = MessageField()
    assert field.to_python(field.get_prep_value(words)) == text(words)


@pytest.mark.parametrize("stored", ["It runs on.", "{}", '{"code": 1}', "[", "null", "3"])
def test_what_is_no_stored_message_is_kept_as_words(stored):
    assert MessageField().to_python(stored) == text(stored)

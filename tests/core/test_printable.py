"""What others wrote, made fit for a terminal, a log or a spreadsheet."""

import csv
import io
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ukcloud_maintenance.core.printable import cell, file_part, logger, one_line, printable

#: Every kind of character that does something else than being seen.
HARMFUL = {
    "C0": [chr(n) for n in range(0x20)],
    "DEL and C1": [chr(n) for n in range(0x7F, 0xA0)],
    "bidi": ["\u200e", "\u200f", "\u061c"]
    + [chr(n) for n in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))],
    "zero-width": ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u180e"],
    "separators": ["\u2028", "\u2029", "\x85"],
    "tags": ["\U000e0001", "\U000e0041"],
    "surrogates": ["\ud800", "\udc80", "\udfff"],
    "noncharacters": ["\ufffe", "\U0010ffff"],
}
#: any text, with what is harmful in it more often than by chance
TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from([one for kind in HARMFUL.values() for one in kind] + list("=+-@;,|'\"")),
    )
)


@pytest.mark.parametrize("kind", HARMFUL)
def test_what_does_something_is_written_as_an_escape(kind):
    for one in HARMFUL[kind]:
        shown = printable(f"a{one}b")
        assert shown.startswith("a\\")
        assert shown.isprintable()
        assert shown.isascii()


def test_escapes_are_those_that_programmers_know():
    assert printable("a\x1b[2J\r\n\t\x00\x9b\u202e\U000e0041\udc80") == (
        r"a\x1b[2J\r\n\t\x00\x9b\u202e\U000e0041\udc80"
    )


@pytest.mark.parametrize("text", ["", "web-1", "Größe 5 €", "ホスト", "naïve — 🙂", "C:\\new"])
def test_what_is_only_seen_stays(text):
    assert printable(text) == text


def test_what_is_ours_is_kept():
    assert printable("a\nb\rc", keep="\n") == "a\nb\\rc"


@given(TEXTS)
def test_nothing_is_left_that_is_not_printable_and_twice_is_once(text):
    once = printable(text)
    assert once.isprintable()
    assert printable(once) == once
    assert not {unicodedata.category(c) for c in once} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


# -- cells -----------------------------------------------------------------------------------

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cells_of(line: str, delimiter: str, quoted: bool) -> list[list[str]]:
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(line, newline=""), delimiter=delimiter, quoting=quoting)
    return list(reader)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_no_cell_is_a_formula_however_the_file_is_read(texts):
    """A spreadsheet takes commas, semicolons, bars or tabs for the end of a cell by its settings,
    and quotes only where a cell begins with one."""
    out = io.StringIO()
    csv.writer(out).writerow([1, *(cell(text) for text in texts)])
    for delimiter in ",;|\t":
        for quoted in (True, False):
            for row in cells_of(out.getvalue(), delimiter, quoted):
                for found in row:
                    # an apostrophe before it is what makes it a text
                    assert not found.lstrip(' "\t').startswith(FORMULA), (delimiter, quoted)


@given(TEXTS)
def test_a_cell_holds_line_breaks_and_no_other_control(text):
    shown = str(cell(text))
    assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        (' "=1+1"', '\' "=1+1"'),
        ("a;=1", "a;'=1"),
        ("a, -b", "a,' -b"),
        ("a\n@b", "a\n'@b"),
        ("a\r\nb", "a\nb"),
        ("\tb", r"'\tb"),
        ("req-1", "req-1"),
        ("a = b", "a = b"),
        (-5, -5),
        (None, ""),
        (True, True),
    ],
)
def test_cells(value, shown):
    assert cell(value) == shown


# -- logs ------------------------------------------------------------------------------------


@pytest.fixture
def logged():
    """A logger of ours with a handler of somebody else's, and what that wrote."""
    out = io.StringIO()
    log = logger("ukcloud_maintenance.tests.printable")
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log.addHandler(handler)
    log.propagate = False
    yield log, out
    log.removeHandler(handler)


EVIL = "x\x1b[2J\r\n2026-01-01T00:00:00Z INFO forged\u202e\x9b\udc80"


def test_a_log_line_is_one_line(logged):
    log, out = logged
    log.warning("failed host=%s why=%s", "cmp1", EVIL)
    (line,) = out.getvalue().splitlines()
    assert line.isprintable()
    assert line.startswith("WARNING failed host=cmp1 why=x\\x1b[2J\\r\\n2026")


def test_a_traceback_is_printable_and_indented(logged):
    log, out = logged
    try:
        try:
            raise KeyError(EVIL)
        except KeyError as error:
            raise RuntimeError(EVIL) from error
    except RuntimeError:
        log.exception("bug host=%s", EVIL)
    first, *others = out.getvalue().rstrip("\n").split("\n")
    assert first.startswith("ERROR bug host=")
    assert any("RuntimeError" in line for line in others)
    assert all(line.startswith("    ") and line.isprintable() for line in others)


def test_the_filter_is_there_once():
    assert logger("ukcloud_maintenance.tests.once") is logger("ukcloud_maintenance.tests.once")
    assert len(logger("ukcloud_maintenance.tests.once").filters) == 1


@pytest.mark.parametrize(
    ("words", "part"),
    [
        *(("a b\r\nx", "a_b_x"), ('q"; x=y', "q_x_y"), ("../../etc", "etc"), ("ü", "")),
        *(("cmp-1.az1.example", "cmp-1.az1.example"), ("x" * 300, "x" * 80)),
    ],
)
def test_words_cannot_leave_their_place_in_the_name_of_a_file(words, part):
    assert file_part(words) == part


def test_what_has_several_lines_becomes_one():
    assert one_line(OSError("no\n  answer\r\n")) == "no answer"

"""The style sheet, as Horizon compiles it."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from horizon import themes
from horizon.utils.scss_filter import ScssFilter

SHEET = "ukcloud_maintenance/scss/maintenance.scss"
#: a colour of our own, which would be the same in every theme
FIXED = re.compile(r"#[0-9a-fA-F]{3,8}\b(?!\s*\{)|\brgba?\(\d")


@pytest.fixture
def compiled(monkeypatch):
    def compile_for(theme: str) -> str:
        monkeypatch.setattr(themes._local, "theme", theme, raising=False)
        return ScssFilter("", filename=finders.find(SHEET)).input()

    return compile_for


@pytest.mark.parametrize("theme", ["default", "material"])
def test_it_is_made_of_the_themes_colours(compiled, theme):
    assert ".mnt-table" in compiled(theme)


def test_another_theme_has_other_colours(compiled):
    assert compiled("default") != compiled("material")


def test_no_colour_is_fixed():
    sheets = sorted(Path(finders.find(SHEET)).parent.glob("*.scss"))
    assert len(sheets) > 3
    lines = [line for sheet in sheets for line in sheet.read_text().splitlines()]
    assert [line for line in lines if FIXED.search(line)] == []

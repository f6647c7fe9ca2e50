"""The style sheet, as Horizon compiles it."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string
from horizon import themes
from horizon.utils import scss_filter

#: what Horizon is told to compile
[SHEET] = [file for file in settings.HORIZON_CONFIG["scss_files"] if "ukcloud_maintenance" in file]
#: a colour of our own, which would be the same in every theme
FIXED = re.compile(r"#[0-9a-fA-F]{3,8}\b(?!\s*\{)|\brgba?\(\d")


@pytest.fixture
def compiled(monkeypatch):
    return lambda theme: as_horizon_does(theme, monkeypatch)


def as_horizon_does(theme: str, monkeypatch) -> str:
    """The sheet on its own, or, up to 2025.2, Horizon's one sheet that imports those of plugins.
    2024.1 compiles it by pyScss, the others by libsass."""
    context = {
        "THEME": theme,
        "THEME_DIR": settings.THEME_COLLECTION_DIR,
        "HORIZON_CONFIG": settings.HORIZON_CONFIG,
    }
    try:
        horizons = render_to_string("themes/themes.scss", context)
    except TemplateDoesNotExist:
        monkeypatch.setattr(themes._local, "theme", theme, raising=False)
        return scss_filter.ScssFilter("", filename=finders.find(SHEET)).input()
    if hasattr(scss_filter, "ScssFilter"):
        return scss_filter.ScssFilter(horizons).input()
    return scss_filter.HorizonScssFilter(horizons, attrs={}).input()


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

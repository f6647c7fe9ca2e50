"""Our pages hold under a Content-Security-Policy without inline scripts and styles, as far as
Horizon's own frame does; and their icons are drawn."""

import pytest

from tests.browser.everywhere import everywhere
from tests.browser.policed import LISTEN, TAKE, policed
from tests.browser.test_looks import full  # noqa: F401

pytestmark = pytest.mark.timeout(900)
#: A page of Horizon's own, with its frame, a table and a dialog.
BESIDE = "/admin/aggregates/"
#: Each icon that is seen: its classes, and whether its glyph is in a font that has been loaded.
ICONS = """
    return [...document.querySelectorAll('.mnt-page .fa')].filter(
      (icon) => icon.checkVisibility()).map(function (icon) {
      const style = getComputedStyle(icon, '::before');
      const glyph = style.content.replace(/^"|"$/g, '');
      return [icon.className, glyph.length === 1 && glyph !== 'none' && glyph >= '\\u0021'
        && document.fonts.check(style.fontWeight + ' 14px ' + style.fontFamily, glyph)
        && icon.getBoundingClientRect().width > 0];
    });
"""


@pytest.fixture
def window(horizon, open_window):
    with policed(horizon.url) as url:
        window = open_window()
        window.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LISTEN})
        window.url = url
        yield window.as_user("admin", "demo")


def test_our_pages_break_no_policy_that_horizons_own_do_not(window, drains, full):  # noqa: F811
    take = window.driver.execute_script
    take(TAKE)
    window.driver.get(window.url + BESIDE)
    window.find(".ajax-modal").click()
    window.see(".modal form")
    theirs = {tuple(one) for one in take(TAKE)}
    assert theirs, "nothing was reported: is the policy sent?"
    ours: dict[tuple[str, ...], str] = {}
    for name, _scope in everywhere(window, drains):
        ours |= {tuple(one): name for one in take(TAKE) if tuple(one) not in theirs}
    assert ours == {}


def test_every_icon_is_drawn(window, drains):
    seen: dict[str, bool] = {}
    for path in ("", f"drains/{drains['needs']}/", "hosts/cmp10/"):
        window.go(path)
        window.see(".mnt-page .fa")
        window.wait(
            lambda: window.driver.execute_script("return document.fonts.status") == "loaded",
            "the fonts are there",
        )
        window.picture("icons " + path.replace("/", "-"))
        seen |= {classes: drawn for classes, drawn in window.driver.execute_script(ICONS)}
    assert len(seen) > 8
    assert [classes for classes, drawn in seen.items() if not drawn] == []

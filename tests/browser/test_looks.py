"""The looks of every page and dialog: in narrow windows, in German, as a system asks for them."""

import pytest

from tests.browser import looks
from tests.browser.everywhere import CONTENT, everywhere

pytestmark = pytest.mark.timeout(900)
WIDE, ZOOMED, NARROW = (1400, 1), (640, 2), (400, 1)


@pytest.fixture
def full(servers) -> None:
    """Instances on two hosts, one with the longest name that Nova takes."""
    for host in ("cmp1", "cmp11"):
        servers(host, f"web-{host}", "n" * 255, ram_mib=512)
        servers(host, f"off-{host}", ram_mib=512, state="SHUTOFF")
        servers(host, f"held-{host}", ram_mib=512, tags=["maintenance:stay"])


def test_what_is_wrong_is_found(window):
    window.go()
    window.see("#hosts")
    window.driver.execute_script(
        "document.querySelector('.mnt-page').insertAdjacentHTML('afterbegin', `"
        '<p id="far" style="width: 3000px">far</p><p id="bare" class="label">bare</p>'
        '<p style="height: 9px; line-height: 9px; margin: 0">under</p>'
        '<p id="over" style="height: 9px; margin: -9px 0 0; line-height: 9px">over</p>'
        '<div id="scrolled" style="width: 60px; overflow-x: auto">'
        '<p style="width: 200px">.</p></div>'
        '<p id="cut" style="width: 20px; overflow: hidden; white-space: nowrap">cut off here</p>'
        '<button id="dull" style="outline: 0; border: 0">dull</button>'
        '<p id="moving" style="transition: color 1s">moving</p>`)'
    )

    def said(script: str, *more) -> str:
        return "\n".join(looks.faults(window, script, CONTENT, *more))

    sideways = said(looks.SIDEWAYS)
    assert "p#far" in sideways
    assert "div#scrolled" in sideways
    assert "div#scrolled" in said(looks.WIDE)
    cut = said(looks.CUT, 1)
    assert "p#cut" in cut
    assert "is written over p#over" in cut
    assert "p#moving" in said(looks.MOVES)
    assert "button#dull" in said(looks.UNFOCUSED)
    looks.emulate(window, forced_colors="active")
    window.driver.execute_script("document.querySelector('#bare').style.border = 'none'")
    assert "p#bare" in said(looks.GROUND)


def test_german_and_long_names_fit_at_any_width(window, drains, full):
    window.driver.add_cookie({"name": "horizon_language", "value": "de", "path": "/"})
    window.go()
    assert "Wartung" in window.text()
    found = []
    for name, scope in everywhere(window, drains):
        for width, zoom in (NARROW, ZOOMED, WIDE):
            looks.emulate(window, width, zoom)
            scripts = [looks.SIDEWAYS, looks.CUT]
            if width == WIDE[0]:
                scripts.append(looks.WIDE)
            for script in scripts:
                seen = looks.faults(window, script, scope, 1 if width == WIDE[0] else 2)
                found += [f"{name}, {width} px: {one}" for one in seen]
    assert not found, "\n" + "\n".join(found)


def test_nothing_moves_or_is_told_by_colour_alone_and_the_focus_shows(window, drains, full):
    found = []
    for name, scope in everywhere(window, drains):
        looks.emulate(window)
        checks = {"focus": looks.faults(window, looks.UNFOCUSED, scope)}
        looks.emulate(window, prefers_reduced_motion="reduce")
        checks["motion"] = looks.faults(window, looks.MOVES, scope)
        looks.emulate(window, forced_colors="active")
        checks["colours"] = looks.faults(window, looks.GROUND, scope)
        checks["focus, colours"] = looks.faults(window, looks.UNFOCUSED, scope)
        found += [f"{name}, {check}: {one}" for check, seen in checks.items() for one in seen]
    assert not found, "\n" + "\n".join(found)

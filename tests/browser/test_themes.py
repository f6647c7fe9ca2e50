"""The colours of every page and dialog in other themes: Horizon's own, and a dark one."""

from pathlib import Path

import pytest

from tests.browser.everywhere import everywhere
from tests.browser.test_accessibility import COLOURS, Axe, axe  # noqa: F401
from tests.browser.test_looks import full  # noqa: F401
from ukcloud_maintenance.demo.horizon import HorizonProcess

pytestmark = pytest.mark.timeout(900)
DARK = str(Path(__file__).parent / "themes" / "dark")
#: Every label and mark has a colour of its own: what has that of its ground is told to nobody,
#: and axe does not count it.
UNSEEN = """
    return [...document.querySelectorAll('.mnt-page .label, .modal .label')]
      .filter(one => one.checkVisibility() && getComputedStyle(one).color
        === getComputedStyle(one).backgroundColor).map(one => one.outerHTML);
"""


@pytest.fixture(scope="module", params=["themes/material", DARK], ids=["material", "dark"])
def horizon(request, cloud, tmp_path_factory):
    """A Horizon whose administrator has chosen another theme."""
    state = tmp_path_factory.mktemp("themed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEMO_THEME", request.param)
        with HorizonProcess(cloud, state) as running:
            yield running


def test_every_word_can_be_read(window, drains, full, axe):  # noqa: F811
    window.driver.set_script_timeout(60)
    looking = Axe(window, axe, set(), COLOURS)
    unseen = []
    for name, scope in everywhere(window, drains):
        looking.look(name, scope)
        unseen += window.driver.execute_script(UNSEEN)
    assert unseen == []
    looking.verdict()

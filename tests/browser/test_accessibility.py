"""The pages for those who use no mouse, or no screen: by axe-core, and by keyboard alone."""

from pathlib import Path

import pytest
from selenium.common.exceptions import NoSuchElementException
from selenium.webdriver.common.keys import Keys

from tests.browser.everywhere import runs
from tests.browser.test_plan import django

pytestmark = pytest.mark.timeout(600)

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
#: WCAG 2.2 at level AA, and what axe calls good practice besides
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"type": "tag", "values": TAGS}
COLOURS = {"type": "rule", "values": ["color-contrast"]}
#: what is ours on a page, and where a dialog is shown, in it
CONTENT = ".mnt-page"
MODAL = "#modal_wrapper .modal"
#: Every element that breaks a rule, and what makes it the same as one of Horizon's: its colours
#: where they are what is wrong, otherwise its kind and its classes.
RUN = """
    const [scope, only, done] = arguments;
    const looksLike = node => {
      const colours = node.any.map(one => one.data).find(data => data && data.fgColor);
      if (colours) { return colours.fgColor + ' on ' + colours.bgColor; }
      const found = document.querySelector(node.target.join(' '));
      return found ? found.localName + '.' + Array.from(found.classList).sort().join('.') : '';
    };
    axe.run(scope, {runOnly: only, resultTypes: ['violations']})
      .then(found => done(found.violations.flatMap(one => one.nodes.map(node => ({
        key: one.id + ' ' + looksLike(node),
        said: one.id + ': ' + one.help + '\\n    ' + node.target.join(' ') + ': '
          + node.html.slice(0, 200) + '\\n    ' + node.failureSummary.replace(/\\s+/g, ' ')})))))
      .catch(error => done([{key: 'axe itself', said: String(error)}]));
"""
#: pages of Horizon, with lists and with a dialog
HORIZONS = ("hypervisors/", "aggregates/", "aggregates/create/")
#: Buttons as the theme makes them, of which not every kind is on those pages.
BUTTONS = """
    document.querySelector('#content_body').insertAdjacentHTML('beforeend', `
      <p><button class="btn btn-danger">Horizon</button></p>
      <p><button class="btn btn-default disabled">Horizon</button></p>`);
"""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        pytest.fail("axe-core is not installed: `make test` does that, into tests/browser")
    return AXE.read_text()


@pytest.fixture(scope="module")
def horizons_own() -> set[str]:
    """What is wrong of Horizon's own pages; filled by the first test that looks."""
    return set()


class Axe:
    """Looks at what a window shows, and gathers what is wrong of it.

    :param excused: what is wrong of Horizon's own pages; filled where it is empty
    :param only: the rules of axe
    """

    def __init__(self, window, source: str, excused: set[str], only: dict = EVERYTHING):
        self.window = window
        self.only = only
        self.source = source
        self.found: list[str] = []
        self.excused = excused
        if not excused:
            excused |= self._what_horizon_does()

    def _violations(self, scope: str) -> list[dict]:
        if not self.window.driver.execute_script("return typeof axe === 'object'"):
            self.window.driver.execute_script(self.source)
        return self.window.driver.execute_async_script(RUN, scope, self.only)

    def _what_horizon_does(self) -> set[str]:
        """What is wrong of Horizon's own pages and of its theme: nothing of ours to mend."""
        found = set()
        for page in HORIZONS:
            self.window.driver.get(f"{self.window.url}/admin/{page}")
            self.window.see("#content_body")
            self.window.driver.execute_script(BUTTONS)
            found |= {one["key"] for one in self._violations("#content_body")}
        assert "axe itself" not in found
        return found

    def look(self, name: str, scope: str = CONTENT) -> None:
        self.window.see(scope)
        self.found += [
            f"{name}: {one['said']} [{one['key']}]"
            for one in self._violations(scope)
            if one["key"] not in self.excused
        ]

    def verdict(self) -> None:
        assert not self.found, "\n" + "\n".join(self.found)


@pytest.fixture
def look(window, axe, horizons_own):
    """Look at what is shown now; the test fails at its end, with all that was found."""
    window.driver.set_script_timeout(60)
    looking = Axe(window, axe, horizons_own)
    yield looking.look
    looking.verdict()


def test_what_is_wrong_of_ours_is_found(window, axe, horizons_own):
    looking = Axe(window, axe, horizons_own)
    window.go("drains/")
    window.driver.execute_script(
        "document.querySelector('.mnt-page').innerHTML += '<img src=\"#\"><h5>deep</h5>"
        '<p style="color: #ccc">pale</p><button></button>\''
    )
    looking.look("spoilt")
    rules = {one.split(": ")[1] for one in looking.found}
    assert {"image-alt", "heading-order", "color-contrast", "button-name"} <= rules


def test_the_lists_and_the_pages_of_hosts(window, look, drains, servers):
    servers("cmp1", "web-1", ram_mib=512)
    for path in ("", "drains/", "plans/", "runs/", "hosts/cmp1/", "hosts/cmp10/", "hosts/cmp5/"):
        window.go(path)
        look(path)
    window.go("hosts/cmp10/certificate/")
    assert window.driver.title
    look("certificate", "html")


def test_the_page_of_a_drain_in_every_state(window, look, drains):
    for state in ("running", "needs", "paused", "scheduled", "failed", "unknown", "succeeded"):
        window.go(f"drains/{drains[state]}/")
        window.see("#mnt-drain")
        assert bool(window.find_all(".mnt-needs")) == (state in ("needs", "unknown"))
        look(state)
        # with all that can be unfolded
        for summary in window.find_all("#mnt-drain summary"):
            window.driver.execute_script("arguments[0].click()", summary)
        window.see("#mnt-timeline tbody tr")
        window.see("#mnt-picture .mnt-lanes-picture")
        look(f"{state}, unfolded")
    window.go(f"drains/{drains['needs']}/picture/")
    look("the chart as a page")
    window.go(f"drains/{drains['needs']}/timeline/")
    look("the timeline as a page")


def test_the_page_of_a_plan(window, look, drains):
    window.go(f"plans/{drains['plan']}/")
    look("plan")
    window.go(f"plans/{drains['plan']}/cancel/")
    look("cancel of a plan")


def test_the_pages_of_a_run(window, look, drains, servers):
    servers("cmp11", "web-1", ram_mib=512)
    for name, scope in runs(window, drains):
        look(name, scope)


def test_the_dialogs(window, look, drains):
    page = f"drains/{drains['needs']}/"
    for name, selector in {
        "cancel": "#mnt-cancel",
        "skip": "[data-needs] a[href*='/skip/']",
        "force": "[data-needs] a[href*='/force/']",
        "abort": "[data-needs] a[href*='/abort/']",
        "evidence": "[data-needs] a[href*='/reset/']",
    }.items():
        window.go(page)
        window.see(selector).click()
        window.see(f"{MODAL} .modal-footer")
        window.wait(lambda: settled(window), "the dialog has come to rest")
        look(name, MODAL)
    window.go("drains/{}/change/".format(drains["scheduled"]))
    look("change")


def settled(window) -> bool:
    """The dialog has been faded in: half of that, its colours are no contrast."""
    return window.driver.execute_script(
        "return !document.getAnimations().some(one => one.playState === 'running')"
    )


def test_the_preflight_and_the_steps_of_the_workflow(window, look, servers):
    servers("cmp1", "web-1", "web-2", ram_mib=512)
    servers("cmp1", "off-1", ram_mib=512, state="SHUTOFF")
    servers("cmp1", "held-1", ram_mib=512, tags=["maintenance:stay"])
    window.go()
    window.see("tr[data-host=cmp1] a[href*='/check/']").click()
    window.see(f"{MODAL} .mnt-hosts-table")
    window.wait(lambda: settled(window), "the dialog has come to rest")
    look("preflight", MODAL)
    window.go()
    window.see("tr[data-host=cmp1] a[href*='/drain/']").click()
    window.see(f"{MODAL} .mnt-plan")
    window.wait(lambda: settled(window), "the dialog has come to rest")
    look("instances", MODAL)
    window.see(f"{MODAL} .button-next").click()
    window.see(f"{MODAL} [name=reason]")
    window.see(f"{MODAL} .button-next").click()
    window.wait_for_text("A reason is required", MODAL)
    look("options", MODAL)
    window.see(f"{MODAL} [name=reason]").send_keys("new kernel")
    window.see(f"{MODAL} .button-next").click()
    window.see(f"{MODAL} .mnt-review")
    look("review", MODAL)
    window.go("hosts/cmp1/drain/")
    look("the workflow as a page")
    window.go("plans/new/?host=cmp1&host=cmp2")
    look("several hosts")
    window.see(".button-next").click()
    window.see("[name=reason]").send_keys("new kernel")
    look("several hosts, options")
    window.see(".button-next").click()
    window.see(".mnt-review-hosts")
    look("several hosts, review")


# -- by keyboard alone -----------------------------------------------------------------------


def tab_to(window, selector: str, most: int = 120) -> None:
    """Press TAB until the focus is on what is meant; what has it must be seen to have it."""
    for _ in range(most):
        window.press(Keys.TAB)
        focused = window.driver.switch_to.active_element
        if window.driver.execute_script(
            "return arguments[0].matches(arguments[1])", focused, selector
        ):
            assert focused.is_displayed(), selector
            assert is_marked_as_focused(window), f"nothing shows that {selector} has the focus"
            return
    raise AssertionError(f"{selector} is not reached by {most} times TAB")


def is_marked_as_focused(window) -> bool:
    """An outline, a shadow, or another look than without the focus."""
    return window.driver.execute_script(
        """
        const one = document.activeElement;
        const look = () => ['outlineStyle', 'boxShadow', 'borderColor', 'backgroundColor',
          'textDecorationLine', 'color'].map(name => getComputedStyle(one)[name]).join();
        const style = document.createElement('style');
        style.textContent = '* { transition: none !important }';
        document.head.append(style);
        const focused = look();
        one.blur();
        const blurred = look();
        one.focus();
        style.remove();
        return focused !== blurred;
        """
    )


def test_the_main_job_by_keyboard_alone(window, servers):
    servers("cmp3", "web-1", "web-2", ram_mib=512)
    window.go()
    window.see("tr[data-host=cmp3] a[href*='/drain/']")
    tab_to(window, "tr[data-host=cmp3] a[href*='/drain/']")
    window.press(Keys.ENTER)
    window.see(f"{MODAL} .mnt-plan")
    window.wait(
        lambda: window.driver.execute_script(
            "return !!document.activeElement.closest(arguments[0])", MODAL
        ),
        "the focus is in the dialog",
    )
    window.wait(lambda: settled(window), "the dialog has come to rest")

    # -- three steps
    tab_to(window, f"{MODAL} .button-next")
    window.press(Keys.ENTER)
    window.see(f"{MODAL} [name=reason]")
    if window.driver.switch_to.active_element.get_attribute("name") != "reason":
        tab_to(window, f"{MODAL} [name=reason]")
    window.press("by keyboard alone")
    tab_to(window, f"{MODAL} .button-next")
    window.press(Keys.SPACE)
    window.see(f"{MODAL} .mnt-review")
    assert "by keyboard alone" in window.text(f"{MODAL} .mnt-review")
    tab_to(window, f"{MODAL} .button-final")
    window.press(Keys.ENTER)

    # -- the drain's page, which says first where it leads
    window.see("#mnt-drain")
    with pytest.raises(NoSuchElementException):
        window.find("#mnt-resume")
    tab_to(window, "#mnt-pause")
    window.press(Keys.ENTER)
    window.wait_for_text("Paused", "[data-part=state]")
    assert window.see("#mnt-resume")
    assert window.problems() == []


# -- what a screen reader says by itself -----------------------------------------------------

#: Remember what every live region of the page says from now on.
LISTEN = """
    window.told = [];
    const live = ['[aria-live]', '[role=status]', '[role=alert]'].map(one => '.mnt-page ' + one);
    new MutationObserver(changes => changes.forEach(change => {
      const at = change.target.nodeType === 1 ? change.target : change.target.parentElement;
      const region = at && !at.closest('[aria-hidden=true], [hidden]') && at.closest(live.join());
      if (region && region.textContent.trim()) { window.told.push(region.textContent.trim()); }
    })).observe(document.body, {subtree: true, childList: true, characterData: true});
"""
#: A copy goes on, as a worker would write it: more often than the page asks.
COPY = """
import time
from ukcloud_maintenance import store
from ukcloud_maintenance.models import Drain
row = Drain.objects.get(pk={drain}).migrations.get(state="migrating")
for step in range(16):
    left = 2**28 - step * 2**24
    store.change_migration(row, store.now(), memory_remaining_bytes=left)
    time.sleep(0.5)
"""
END = """
from ukcloud_maintenance import store
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.models import Drain
drain = Drain.objects.get(pk={drain})
for row in drain.migrations.filter(state__in=["migrating", "pending"]):
    store.change_migration(row, store.now(), state=MigrationState.GONE)
store.finish_drain(
    drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "", "worker", store.now()
)
"""


def test_nothing_is_said_while_it_moves_and_once_when_it_ends(window, horizon, drains):
    window.go(f"drains/{drains['running']}/")
    window.see("#mnt-drain")
    window.driver.execute_script(LISTEN)
    before, copied = window.updates(), window.text("#mnt-progress")
    django(horizon, "shell", "-c", COPY.format(drain=drains["running"]))
    window.wait(lambda: window.updates() >= before + 3, "three updates")
    window.wait(lambda: window.text("#mnt-progress") != copied, "what is copied has changed")
    told = window.driver.execute_script("return window.told")
    assert told == []

    django(horizon, "shell", "-c", END.format(drain=drains["running"]))
    window.wait_for_text("Drained", "[data-part=state]")
    before = window.updates()
    window.wait(lambda: window.updates() >= before + 1, "another update", 60)
    told = window.driver.execute_script("return window.told")
    assert told[-1].startswith("cmp1: Drained")
    # an update in between may find another quarter of them gone
    assert len(told) <= 2, told

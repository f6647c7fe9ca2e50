"""Forms and dialogs: where the focus goes, errors in view, and that something happens at once."""

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.browser.test_plan import click

pytestmark = pytest.mark.timeout(600)


def focused(window):
    return window.driver.switch_to.active_element


def has_focus(window, selector: str) -> bool:
    return window.driver.execute_script(
        "return document.activeElement.matches(arguments[0])", selector
    )


def wait_for_focus(window, selector: str) -> None:
    window.wait(lambda: has_focus(window, selector), f"{selector} has the focus")


def is_in_view(window, selector: str) -> bool:
    """All of it, and not under Horizon's bar."""
    return window.driver.execute_script(
        """
        const box = Array.from(document.querySelectorAll(arguments[0]))
          .find(one => one.getClientRects().length).getBoundingClientRect();
        const bar = document.querySelector('.navbar-fixed-top');
        const top = document.querySelector('.modal.in') || !bar
          ? 0 : bar.getBoundingClientRect().bottom;
        return box.top >= top && box.bottom <= window.innerHeight;
        """,
        selector,
    )


def describes(window, selector: str) -> str:
    """What is told with a field."""
    return window.driver.execute_script(
        """
        return document.querySelector(arguments[0]).getAttribute('aria-describedby').split(' ')
          .map(id => document.getElementById(id).textContent.trim()).join(' ').trim();
        """,
        selector,
    )


def hold_navigation(window) -> None:
    """As where the next page takes its time: the form is sent nowhere."""
    window.driver.execute_script(
        """
        window.sent = 0;
        document.addEventListener('submit', event => {
          if (!event.defaultPrevented) { window.sent += 1; }
          event.preventDefault();
        });
        """
    )


def submit_twice(window, selector: str) -> int:
    for _ in range(2):
        window.driver.execute_script("document.querySelector(arguments[0]).click()", selector)
    return window.driver.execute_script("return window.sent")


def test_the_workflow_from_the_selection_to_an_error(window, servers):
    servers("cmp1", "a-1", "a-2", ram_mib=512)
    servers("cmp2", "b-1", ram_mib=512)
    window.go()
    for host in ("cmp1", "cmp2"):
        click(window, f"td.mnt-box input[value={host}]")
    button = "#mnt-drain-selected"

    # -- opening the form takes its time: that is said, and it is opened once
    hold_navigation(window)
    assert submit_twice(window, button) == 1
    assert window.find(button).get_attribute("aria-busy") == "true"
    window.wait_for_text("Reading the hosts; this may take some seconds.", "#mnt-select")
    window.picture("forms-busy-hosts")
    # … until the reader is back; a page that was kept meanwhile is loaded again by Horizon
    window.driver.execute_script(
        "window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: false}))"
    )
    assert window.find(button).get_attribute("aria-busy") is None
    assert "this may take" not in window.text("#mnt-select")
    assert submit_twice(window, button) == 2

    # -- the real one, and back by the browser
    window.go()
    window.see(button).click()
    window.see("form.mnt-drain-form")
    window.driver.back()
    window.see(button)
    assert window.find(button).get_attribute("aria-busy") is None
    window.find(button).click()

    # -- a step is read from its beginning
    window.see("form.mnt-drain-form")
    click(window, ".button-next")
    wait_for_focus(window, "#drain_host__options .mnt-step")
    assert focused(window).text == "Options"
    assert is_in_view(window, "#drain_host__options .mnt-step")
    click(window, ".button-previous")
    wait_for_focus(window, "#drain_host__instances .mnt-step")
    click(window, ".button-next")
    wait_for_focus(window, "#drain_host__options .mnt-step")

    # -- errors: beside their fields, the first one has the focus and is in view
    click(window, "[name=pace][value=n]")
    window.find("[name=hosts_at_once]").clear()
    window.find("[name=max_concurrent]").clear()
    window.find("[name=max_concurrent]").send_keys("0")
    click(window, ".button-next")
    window.wait_for_text("A reason is required", "#id_reason_error")
    wait_for_focus(window, "[name=reason]")
    for wanted in ("[name=reason]", "label[for=id_reason]", "#id_reason_error"):
        assert is_in_view(window, wanted), wanted
    assert window.find("[name=reason]").get_attribute("aria-invalid") == "true"
    assert "A reason is required" in describes(window, "[name=reason]")
    assert "characters left" in describes(window, "[name=reason]")
    assert "greater than or equal to 1" in window.text("#id_max_concurrent_error")
    assert "Enter the number of hosts" in window.text("#id_hosts_at_once_error")
    assert len(window.find_all("#drain_host__options .help-block")) == 3
    window.picture("forms-errors")
    # … and gone as soon as something else is entered
    window.find("[name=reason]").send_keys("new firmware")
    assert window.text("#id_reason_error").strip() == ""
    assert window.find("[name=reason]").get_attribute("aria-invalid") is None
    click(window, "[name=max_concurrent]")
    window.find("[name=max_concurrent]").send_keys(Keys.BACKSPACE, "2")
    click(window, "[name=pace][value='1']")
    click(window, ".button-next")
    wait_for_focus(window, "#drain_host__review .mnt-step")
    review = window.text(".mnt-review")
    assert "Estimated duration: about" in review
    assert "Expected end: about" in review
    assert "Together they fit:" in review
    assert "There is room" not in review
    window.picture("forms-review")
    click(window, ".button-previous")
    Select(window.see("[name=destination]")).select_by_value("*scheduler")
    click(window, ".button-next")
    chooses = "There is room for all instances together. Nova's scheduler chooses"
    window.wait_for_text(chooses, ".mnt-review")
    assert "Together they fit" not in window.text(".mnt-review")
    assert window.problems() == []

    # -- requesting it: once, and that is said
    hold_navigation(window)
    assert submit_twice(window, ".button-final") == 1
    window.wait_for_text("This may take some seconds.", ".modal-footer")
    window.picture("forms-busy-review")


def resize(window, width: int, height: int) -> None:
    """The page itself: a window of chromium is never narrower than 500 pixels."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    window.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def test_errors_of_a_page_are_in_view_where_it_is_small(window, servers):
    resize(window, 400, 700)
    servers("cmp1", "a-1", ram_mib=512)
    window.go("hosts/cmp1/drain/")
    window.see("form.mnt-drain-form")
    click(window, ".button-next")
    wait_for_focus(window, "#drain_host__options .mnt-step")
    window.driver.execute_script(
        "document.querySelector('[name=stop_at]').value = '2001-01-01T00:00'"
    )
    window.find("[name=reason]").send_keys("new firmware")
    click(window, ".button-next")
    wait_for_focus(window, "[name=stop_at]")
    for wanted in ("[name=stop_at]", "label[for=id_stop_at]", "#id_stop_at_error"):
        assert is_in_view(window, wanted), wanted
    window.picture("forms-errors-400")


def test_a_dialog_has_the_focus_and_gives_it_back(window, servers):
    servers("cmp1", "a-1", ram_mib=512)
    window.go()
    link = "tr[data-host=cmp1] a[href*='/check/']"
    window.see(link).click()
    window.see(".modal .mnt-plan")
    window.wait(
        lambda: window.driver.execute_script(
            "return document.activeElement.closest('.modal') !== null"
        ),
        "the focus is in the dialog",
    )
    window.find(".modal .modal-footer .cancel").click()
    wait_for_focus(window, link)
    link = "tr[data-host=cmp1] a[href*='/drain/']"
    window.see(link).click()
    window.see(".modal .mnt-plan")
    wait_for_focus(window, ".modal .mnt-step")
    # The estimate is updated in it, and nothing is requested by that.
    Select(window.see(".modal tr[data-name=a-1] select")).select_by_value("stay")
    window.see(".modal .mnt-stale button").click()
    window.wait(
        lambda: not any(one.is_displayed() for one in window.find_all(".modal .mnt-stale")),
        "it is up to date",
    )
    chosen = Select(window.see(".modal tr[data-name=a-1] select")).first_selected_option
    assert chosen.get_attribute("value") == "stay"
    assert "1 stays" in window.text(".modal .mnt-lead")
    wait_for_focus(window, ".modal .mnt-step")
    assert window.problems() == []
    window.press(Keys.ESCAPE)
    window.wait(lambda: not window.find_all(".modal.in"), "it is closed")
    wait_for_focus(window, link)
    window.go("drains/")
    window.wait_for_text("has been drained yet.", ".mnt-empty")


def test_the_first_field_of_a_dialog_and_what_is_wrong_in_it(window, drains):
    window.go(f"plans/{drains['plan']}/")
    window.see("#mnt-change").click()
    window.see(".modal .mnt-change")
    wait_for_focus(window, ".modal [name=max_concurrent]")
    window.find(".modal [name=max_concurrent]").clear()
    window.find(".modal [name=max_concurrent]").send_keys("0")
    window.find(".modal [type=submit]").click()
    window.wait_for_text("greater than or equal to 1", ".modal #id_max_concurrent_error")
    wait_for_focus(window, ".modal [name=max_concurrent]")
    window.picture("forms-change-plan-error")
    window.find(".modal .modal-footer .cancel").click()
    wait_for_focus(window, "#mnt-change")
    window.find("#mnt-cancel").click()
    window.see(".modal .mnt-plan-cancel")
    wait_for_focus(window, ".modal [name=in_progress]:checked")
    window.picture("forms-plan")


@pytest.mark.parametrize("width", [400, 1400])
def test_the_forms_in_german(window, servers, width):
    """To be looked at; nothing is wider than the window, but what scrolls by itself."""
    servers("cmp1", "a-1", "a-2", ram_mib=512)
    servers("cmp2", "b-1", ram_mib=512, state="SHUTOFF")
    # The texts of the scripts have one address for all languages.
    window.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    resize(window, width, 1000)
    window.driver.add_cookie({"name": "horizon_language", "value": "de"})
    window.go("plans/new/?host=cmp1&host=cmp2")
    window.see("form.mnt-drain-form")
    window.wait_for_text("Zusammen finden sie Platz:", ".mnt-preflight")
    pictures(window, f"forms-german-{width}-preflight")
    click(window, ".button-next")
    wait_for_focus(window, "#drain_host__options .mnt-step")
    click(window, ".button-next")
    wait_for_focus(window, "[name=reason]")
    pictures(window, f"forms-german-{width}-options")
    window.find("[name=reason]").send_keys("Firmware")
    click(window, ".button-next")
    wait_for_focus(window, "#drain_host__review .mnt-step")
    pictures(window, f"forms-german-{width}-review")


def pictures(window, name: str) -> None:
    """Of the whole page, from its top to its end."""
    wide = window.driver.execute_script(
        "const page = document.querySelector('.mnt-page');"
        "return page.scrollWidth - page.clientWidth"
    )
    assert wide <= 1, name
    width, height = window.driver.execute_script("return [innerWidth, innerHeight]")
    whole = window.driver.execute_script("return document.documentElement.scrollHeight")
    resize(window, width, min(whole, 4000))
    window.driver.execute_script("window.scrollTo(0, 0)")
    window.picture(name)
    resize(window, width, height)

"""Steering a drain as an administrator does it, on a real Nova."""

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.browser.test_drain import drain_in_modal, next_step
from ukcloud_maintenance.demo.behaviours import LIVE_KEY

pytestmark = pytest.mark.timeout(600)

NAME, STATE, NOVA, COPIED, DEST, MESSAGE = 0, 3, 4, 5, 7, 11


def cell(window, name: str, column: int) -> str:
    return window.rows()[name][column]


def wait_for_state(window, name: str, state: str, timeout: float = 60) -> None:
    window.wait(lambda: cell(window, name, STATE).startswith(state), f"{name} is {state}", timeout)


def select(window, *names: str) -> None:
    for name in names:
        window.find(f"tr[data-name='{name}'] input[name=row]").send_keys(Keys.SPACE)


def offered(window) -> list[str]:
    """The buttons for what is selected."""
    shown = [e.text for e in window.find_all("#mnt-steering button[data-verb]") if e.text]
    return [one.replace("\N{HORIZONTAL ELLIPSIS}", "") for one in shown]


def press(window, verb: str) -> None:
    """A button for what is selected."""
    window.see(f"#mnt-steering button[data-verb={verb}]").send_keys(Keys.ENTER)


def dialog(window, words: str) -> None:
    window.see(".modal form.mnt-steer")
    window.wait_for_text(words, ".modal")


def confirm(window) -> None:
    window.see(".modal .modal-footer [type=submit]").click()
    window.wait(lambda: not window.find_all(".modal form.mnt-steer"), "the dialog is gone")


def menu(window, name: str, verb: str) -> None:
    """Choose from the menu of a row, by keyboard alone."""
    window.find(f"tr[data-name='{name}'] .mnt-menu button").send_keys(Keys.ENTER)
    window.see(f"tr[data-name='{name}'] .mnt-menu.open a")
    for _ in range(8):
        window.press(Keys.ARROW_DOWN)
        if window.driver.switch_to.active_element.get_attribute("data-verb") == verb:
            break
    else:
        raise AssertionError(f"{verb} is not reached by the arrow keys")
    window.press(Keys.ENTER)


def focused(window) -> str:
    element = window.driver.switch_to.active_element
    return element.get_attribute("value") or element.text


def test_pause_skip_retry_and_abort_by_keyboard(window, servers, start_worker, cloud):
    stall = {LIVE_KEY: "stall at=0.3 fail_times=1"}
    servers("cmp1", "stuck-1", ram_mib=1024, metadata=stall)
    servers("cmp1", "web-1", "web-2", "web-3", ram_mib=512)
    # the largest goes first, and alone: the others wait for as long as it is stuck
    drain_in_modal(window, "cmp1", "steered", at_once=1)
    window.mark()
    start_worker()
    window.wait(lambda: cell(window, "stuck-1", NOVA) == "running", "it is copied", 60)

    # -- pause: nothing new starts, and the page stays
    window.find("#mnt-pause").send_keys(Keys.ENTER)
    window.wait_for_text("Paused", "[data-part=state]")
    window.wait_for_text("Paused: no new migrations start", ".messages, body")
    assert window.see("#mnt-resume")

    # -- the selection outlives updates, the filter and another order
    window.wait(lambda: cell(window, "web-3", STATE) == "Pending", "it waits")
    select(window, "web-2", "web-3")
    assert window.text("#mnt-steering .mnt-selected") == "2 selected"
    assert offered(window) == ["Move to Front (2)", "Skip (2)"]
    before = window.updates()
    window.find("#mnt-progress th.mnt-col-name button").click()
    window.find("#mnt-rows-q").send_keys("web-2")
    window.wait(lambda: window.updates() >= before + 2, "two more updates")
    assert "1 of them is not shown by the filter" in window.text("#mnt-steering")
    window.find("#mnt-rows-clear").click()
    assert window.text("#mnt-steering .mnt-selected") == "2 selected"
    select(window, "stuck-1")
    window.picture("steering-selected")
    select(window, "stuck-1")

    # -- skip both, with a dialog; then take them up again, without one
    press(window, "skip")
    dialog(window, "Skip 2 instances?")
    assert "the host will not be empty" in window.text(".modal")
    window.picture("steering-skip")
    window.press(Keys.ESCAPE)
    window.wait(lambda: not window.find_all(".modal form"), "the dialog is gone")
    window.wait(lambda: focused(window).startswith("Skip"), "the focus is back")
    press(window, "skip")
    confirm(window)
    for name in ("web-2", "web-3"):
        wait_for_state(window, name, "Skipped")
    assert "Skipped by admin." in cell(window, "web-2", MESSAGE)
    assert offered(window) == ["Retry (2)", "Retry on a Host (2)"]
    press(window, "retry")
    for name in ("web-2", "web-3"):
        wait_for_state(window, name, "Pending")

    # -- abort what is stuck, from the menu of its row, by keyboard alone
    menu(window, "stuck-1", "abort")
    dialog(window, "Abort the migration of this instance?")
    window.wait(lambda: focused(window) == "Go Back", "the harmless way has the focus")
    window.picture("steering-abort")
    window.press(Keys.TAB)
    assert focused(window) == "Abort"
    window.press(Keys.ENTER)
    wait_for_state(window, "stuck-1", "Aborted")
    window.wait_for_text("aborted, as requested by admin. It runs on", "#mnt-progress")
    window.picture("steering-aborted")

    # -- and on: to a host that is named
    menu(window, "stuck-1", "retry_on")
    Select(window.see(".modal [name=destination]")).select_by_value("cmp5")
    window.picture("steering-retry-on")
    confirm(window)
    wait_for_state(window, "stuck-1", "Pending")
    window.find("#mnt-resume").click()
    window.wait_for_text("Drained", "[data-part=state]", 120)
    assert cell(window, "stuck-1", DEST) == "cmp5"
    assert not window.find("#mnt-steering").is_displayed()  # nothing is left to be done
    assert window.is_marked, "the page was loaded again"
    assert window.problems() == []
    window.picture("steering-drained")


def test_a_copy_that_does_not_end_is_recognised_and_forced(window, servers, start_worker, cloud):
    busy = {LIVE_KEY: "never-converges"}
    server_id = servers("cmp2", "busy-1", ram_mib=512, metadata=busy)["busy-1"]
    start_worker()
    drain_in_modal(window, "cmp2", "forced")
    window.mark()
    window.wait_for_text("Not converging", "#mnt-progress", 90)
    window.wait_for_text("Options:", "#mnt-progress")
    window.find(".mnt-advice summary").send_keys(Keys.ENTER)
    window.wait_for_text("Force Complete: the guest is paused", ".mnt-advice")
    window.picture("steering-not-converging")

    menu(window, "busy-1", "force")
    dialog(window, "Force this migration to complete?")
    assert "busy-1 paused for about" in window.text(".modal")
    window.picture("steering-force")
    confirm(window)
    window.wait_for_text("Drained", "[data-part=state]", 90)
    assert "It was forced to complete at" in cell(window, "busy-1", MESSAGE)
    assert cloud.server(server_id)["status"] == "ACTIVE"
    assert window.is_marked
    assert window.problems() == []


def test_an_error_after_an_abort_is_reset_on_its_evidence_and_the_rest_cancelled(
    window, servers, start_worker, cloud
):
    behaviour = {LIVE_KEY: "stall late-error-after-abort at=0.3"}
    server_id = servers("cmp3", "lost-1", ram_mib=1024, metadata=behaviour)["lost-1"]
    servers("cmp3", "stuck-2", ram_mib=512, metadata={LIVE_KEY: "stall at=0.3"})
    start_worker()
    drain_in_modal(window, "cmp3", "late error")
    window.mark()
    window.wait(lambda: cell(window, "lost-1", NOVA) == "running", "it is copied", 60)
    menu(window, "lost-1", "abort")
    confirm(window)
    wait_for_state(window, "lost-1", "Unknown", 60)
    assert cloud.server(server_id)["status"] == "ERROR"

    window.see("tr[data-name='lost-1'] .mnt-look").send_keys(Keys.ENTER)
    dialog(window, "reports that the guest is running")
    assert not window.find_all(".modal .mnt-not-passed")
    window.picture("steering-evidence")
    confirm(window)
    window.wait_for_text(
        "Its state was reset to active, as requested by admin", "#mnt-progress", 60
    )
    assert cloud.server(server_id)["status"] == "ACTIVE"
    window.picture("steering-reset")

    # -- the other one never lands: cancel, abort it, and give the service back
    window.wait(lambda: cell(window, "stuck-2", NOVA) == "running", "the other is copied", 60)
    window.find("#mnt-cancel").click()
    dialog(window, "1 migration is in progress")
    window.see(".modal [name=in_progress][value=abort]").click()
    assert window.find(".modal [name=service][value=enable]").is_selected()
    window.picture("steering-cancel")
    confirm(window)
    window.wait_for_text("Cancelled", "[data-part=state]", 90)
    assert cell(window, "stuck-2", STATE) == "Cancelled"
    assert cloud.service("cmp3")["status"] == "enabled"
    assert window.is_marked
    assert window.problems() == []
    window.picture("steering-cancelled")


def test_the_workflow_says_whether_the_drain_fits_into_its_window(window, servers):
    servers("cmp4", "web-1", "web-2", ram_mib=1024)
    window.go("hosts/cmp4/drain/")
    next_step(window)
    window.see("[name=reason]").send_keys("window")

    def enter(name: str, value: str) -> None:
        window.driver.execute_script(
            "var e = document.querySelector('[name=' + arguments[0] + ']');"
            "e.value = arguments[1]; e.dispatchEvent(new Event('input', {bubbles: true}));",
            name,
            value,
        )

    step = ".mnt-fit[data-fit]"
    assert not window.find(step).is_displayed()
    enter("start_at", "2097-05-01T22:00")
    enter("stop_at", "2097-05-01T22:00")
    assert not window.find(step).is_displayed()  # no window at all: the server says so
    enter("stop_at", "2097-05-02T04:00")
    assert window.text(step) == "According to the estimate, the drain fits into the window."
    window.find("[name=timeout_action][value=abort]").click()
    window.picture("steering-window")
    next_step(window)
    review = window.text(".mnt-review")
    assert "Start: at 2097-05-01 22:00 UTC." in review
    assert "No new migrations after: 2097-05-02 04:00 UTC. According to the estimate" in review
    tried = "abort it; retry if Nova leaves the instance ACTIVE."
    assert f"On timeout: {tried}" in review
    window.see(".button-final").click()
    window.see("#mnt-drain")
    window.wait_for_text("Scheduled", "[data-part=state]")
    assert "Will fit" in window.text("[data-part=facts]")
    window.find("#mnt-cancel").click()
    dialog(window, "Nothing was changed, and nothing will be.")
    confirm(window)
    window.wait_for_text("Cancelled", "[data-part=state]")
    assert window.problems() == []

"""A rolling run by hand over two hosts, from the form to the end."""

import pytest

from tests.browser.test_accessibility import axe, horizons_own, look, settled
from tests.browser.test_drain import servers_of
from tests.browser.test_plan import click

__all__ = ["axe", "horizons_own", "look"]
pytestmark = pytest.mark.timeout(900)
ENDED = "Over: all 2 hosts are back in service."


def row(host: str, column: str) -> str:
    return f"#mnt-run-hosts tr[data-host={host}] .mnt-col-{column}"


def at_400_pixels(window, name: str) -> None:
    """A picture of a narrow window, in which nothing is beyond the edge."""
    size = window.driver.get_window_size()
    window.driver.set_window_size(500, 900)
    window.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    wide = window.driver.execute_script(
        "return document.querySelector('.mnt-page').scrollWidth - document.querySelector("
        "'.mnt-page').clientWidth"
    )
    window.picture(name)
    window.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    window.driver.set_window_size(size["width"], size["height"])
    assert wide <= 1


def test_two_hosts_one_after_the_other_by_hand(window, look, cloud, servers, start_worker):
    servers("cmp1", "a-1", "a-2", ram_mib=512)
    servers("cmp2", "b-1", ram_mib=512)

    # -- the hosts, and the form
    window.go("runs/")
    window.wait_for_text("There are no runs yet.")
    window.problems()  # those of the page that a login leads to, which is Horizon's
    look("no runs")
    window.go()
    window.see("#hosts")
    assert not window.find("#mnt-roll-selected").is_enabled()
    for host in ("cmp1", "cmp2"):
        click(window, f"td.mnt-box input[value={host}]")
    click(window, "#mnt-roll-selected")
    window.see(".mnt-run-form")
    window.picture("run-form")
    look("form")
    at_400_pixels(window, "run-form-narrow")
    window.find("[name=windows]").send_keys("whenever")
    click(window, ".mnt-form-buttons [value=review]")
    window.wait_for_text("A reason is required", ".mnt-field-reason")
    window.wait_for_text("'whenever' is not a window.", ".mnt-field-windows")
    window.picture("run-form-errors")
    look("form with errors")
    window.see("[name=windows]").clear()
    window.find("[name=reason]").send_keys("new firmware")
    window.find("[name=windows]").send_keys("daily 00:00-24:00 UTC")
    click(window, ".mnt-form-buttons [value=review]")

    # -- what it would do
    window.see("#mnt-run-preview")
    assert window.texts("#mnt-run-preview th.mnt-name") == ["cmp1", "cmp2"]
    assert "Nothing has been changed yet." in window.text(".mnt-lead")
    window.picture("run-review")
    look("review")
    click(window, "[value=edit]")
    window.see(".mnt-run-form")
    assert window.find("[name=reason]").get_attribute("value") == "new firmware"
    click(window, ".mnt-form-buttons [value=review]")
    click(window, "[value=request]")

    # -- the run
    window.see("#mnt-run")
    run = window.driver.current_url.rstrip("/").rsplit("/", 1)[-1]
    window.wait_for_text("No worker is running.", "#mnt-run")
    window.picture("run-requested")

    # -- who is affected, before
    click(window, "#mnt-affected")
    window.see(".mnt-affected")
    assert window.texts(".mnt-affected tbody td:nth-child(2)") == ["cmp1", "cmp1", "cmp2"]
    window.wait_for_text("Expected between", ".mnt-affected tbody")
    window.wait_for_text("Hosts that wait begin later", ".mnt-affected")
    window.picture("run-affected")
    look("who is affected, before")
    at_400_pixels(window, "run-affected-narrow")
    window.go(f"runs/{run}/")
    window.see("#mnt-run")
    window.mark()
    start_worker()
    window.wait_for_text("Yours", row("cmp1", "stage"), 240)
    window.wait_for_text("Maintenance Done", ".mnt-needs")
    assert window.is_marked
    assert servers_of(cloud, "cmp1") == []
    assert cloud.service("cmp1")["status"] == "disabled"
    assert cloud.service("cmp2")["status"] == "enabled"
    click(window, ".mnt-section summary")
    window.picture("run-yours")
    look("a host is yours")
    at_400_pixels(window, "run-yours-narrow")
    window.go(f"runs/{run}/affected/")
    window.wait_for_text("Moved by", ".mnt-affected tbody")
    window.picture("run-affected-yours")
    look("who is affected, meanwhile")
    window.go(f"runs/{run}/")
    window.see("#mnt-run")
    click(window, "#mnt-cancel")
    window.see("#modal_wrapper .modal .modal-footer")
    window.wait(lambda: settled(window), "the dialog has come to rest")
    window.picture("run-cancel")
    look("cancel", "#modal_wrapper .modal")
    click(window, "#modal_wrapper .cancel")
    click(window, ".mnt-needs [name=done]")
    window.wait_for_text("Host cmp1: maintenance done.")
    window.wait_for_text("Yours", row("cmp2", "stage"), 240)
    assert "Done" in window.text(row("cmp1", "stage"))
    assert cloud.service("cmp1")["status"] == "enabled"
    window.picture("run-second")

    # -- from the list of hosts
    window.go()
    window.wait_for_text(f"in run {run}", "tr[data-host=cmp2] .mnt-state-cell")
    window.picture("run-hosts")
    look("hosts")
    click(window, "tr[data-host=cmp2] .mnt-actions button")
    window.wait_for_text("Host cmp2: maintenance done.")
    window.go(f"runs/{run}/")
    window.wait_for_text(ENDED, "[data-part=headline]", 240)
    window.picture("run-over")
    look("over")
    window.go(f"runs/{run}/affected/")
    window.wait_for_text("3 instances of 1 project.", ".mnt-affected")
    assert "Expected between" not in window.text(".mnt-affected")
    window.picture("run-affected-over")
    look("who is affected, after")
    assert cloud.service("cmp2")["status"] == "enabled"
    window.go("runs/")
    window.wait_for_text("2 of 2", "#runs")
    window.picture("runs")
    look("runs")
    assert window.problems() == []

"""The preflight with every verdict on a real Nova, and a drain of what was chosen there."""

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.browser.test_drain import next_step, servers_of

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def all_kinds(cloud, servers) -> dict[str, str]:
    """Instances of every verdict on cmp1. Their ids by name."""
    made = servers("cmp1", "web-1", "web-2", ram_mib=512)
    made |= servers("cmp1", "db-1", ram_mib=1024)
    made |= servers("cmp1", "off-1", ram_mib=512, state="SHUTOFF")
    made |= servers("cmp1", "paused-1", ram_mib=512, state="PAUSED")
    made |= servers("cmp1", "held-1", ram_mib=512, tags=["maintenance:stay"])
    made |= servers("cmp1", "broken-1", ram_mib=512, state="ERROR")
    made |= servers("cmp1", "locked-1", ram_mib=512)
    cloud.action(made["locked-1"], {"lock": {"locked_reason": "month end"}})
    made |= servers("cmp2", "resized-1", ram_mib=512)
    cloud.action(made["resized-1"], {"migrate": {"host": "cmp1"}})
    cloud.wait_for_server(made["resized-1"], "VERIFY_RESIZE")
    return made


def row(window, name: str):
    return window.find(f".mnt-plan tr[data-name='{name}']")


def said(window, name: str) -> str:
    return row(window, name).find_element("css selector", ".mnt-said").text


def choose(window, name: str, choice: str, note: str = "") -> None:
    select = row(window, name).find_element("css selector", "select")
    Select(select).select_by_value(choice)
    if note:
        row(window, name).find_element("css selector", ".mnt-why").send_keys(note)


def test_check_choose_and_drain(window, cloud, all_kinds, start_worker):
    # -- the check, from the host's row
    window.go()
    window.see("tr[data-host=cmp1] a[href*='/check/']").click()
    window.wait_for_text("5 leave live, 1 cold, 1 stays, 2 blocked; needs 3.5 GiB", ".modal")
    assert not window.find_all(".modal .mnt-plan select")
    assert "Its owner requests that it stay on its host (maintenance:stay)." in said(
        window, "held-1"
    )
    assert "It is in ERROR, although Nova last saw its guest running." in said(window, "broken-1")
    assert "not confirmed yet" in said(window, "resized-1")
    assert "It is locked (month end)" in said(window, "locked-1")
    assert "It is paused" in said(window, "paused-1")
    assert "Cold" in said(window, "off-1")
    hosts = [tr.get_attribute("data-host") for tr in window.find_all(".mnt-hosts-table tbody tr")]
    # Those that receive, and how many do not.
    assert set(hosts) < {"cmp2", "cmp3", "cmp4", "cmp5", "cmp6", "cmp10", "cmp11", "cmp12"}
    others = window.text(".modal [data-without]")
    assert others.startswith(f"{8 - len(hosts)} other host")
    window.picture("check")
    asked = window.driver.execute_script("return performance.getEntriesByType('resource').length")

    # -- and on to the workflow
    window.see(".modal .mnt-go-on").click()
    window.see("form.mnt-drain-form .mnt-plan")
    window.wait(lambda: len(window.find_all(".modal .mnt-plan")) == 1, "one modal is left")
    window.picture("workflow-preflight")
    box = window.see(".modal #mnt-plan-q")
    box.send_keys("DB-", Keys.ENTER)  # Enter does not turn the page
    shown = [tr.get_attribute("data-name") for tr in window.find_all(".mnt-plan tr[data-name]")]
    assert len(shown) == 9
    assert "1 of 9 shown" in window.text(".modal .mnt-plan-count")
    assert not row(window, "web-1").is_displayed()
    box.send_keys(Keys.ESCAPE)
    assert row(window, "web-1").is_displayed()

    # -- a choice shows at once what it makes of the instance
    why = row(window, "db-1").find_element("css selector", ".mnt-why")
    assert not why.is_displayed()
    choose(window, "db-1", "cold", "agreed with its owner")
    assert "It is stopped, moved and started again" in said(window, "db-1")
    choose(window, "resized-1", "confirm")
    assert "cannot be reverted" in said(window, "resized-1")
    choose(window, "broken-1", "stay")
    choose(window, "web-2", "stay", "busy until noon")
    choose(window, "web-2", "")
    assert "Live" in said(window, "web-2")
    summary = window.text(".modal .mnt-lead")
    assert "4 leave live, 2 cold, 1 to be confirmed, 2 stay; needs 4 GiB" in summary
    window.picture("workflow-chosen")
    next_step(window)
    window.see(".modal [name=reason]").send_keys("new firmware")
    Select(window.find(".modal [name=destination]")).select_by_value("*scheduler")
    locked = window.find(".modal [name=move_locked]")
    locked.click()
    window.picture("workflow-options-plan")
    next_step(window)
    window.see(".modal .mnt-review")
    review = window.text(".modal .mnt-review")
    assert "3 instances are live-migrated" in review
    assert "1 running instance is stopped, moved and started again: db-1." in review
    assert "1 instance that is shut off is moved and stays shut off: off-1." in review
    assert "The resize of 1 instance is confirmed: resized-1. " in review
    assert "resized-1. A confirmed resize cannot be reverted." in review
    assert "3 instances stay on this host:" in review
    assert "locked-1" in review
    assert "No other instance is stopped" in review
    assert "Leave it to Nova's scheduler" in review
    window.see(".modal .button-previous").click()
    window.see(".modal [name=move_locked]").click()
    next_step(window)
    window.wait_for_text("2 instances stay on this host:", ".modal .mnt-review")
    window.picture("workflow-review-chosen")
    assert window.problems() == []
    assert asked < 60

    # -- a drain of it, to its end
    window.see(".modal .button-final").click()
    window.see("#mnt-drain")
    facts = window.text("[data-part=facts]")
    assert "Destination chosen by the scheduler for each instance" in facts
    assert "Locked instances" not in facts
    assert "Chosen: cold" in window.rows()["db-1"][-1]
    assert "agreed with its owner" in window.rows()["db-1"][-1]
    assert window.rows()["web-2"][-1] == ""
    start_worker()
    window.wait_for_text("Finished, 2 stay", "[data-part=state]", 240)
    window.picture("drain-all-kinds")
    rows = window.rows()
    left = [name for name, cells in rows.items() if cells[3].startswith("Succeeded")]
    assert sorted(left) == sorted({*all_kinds} - {"held-1", "broken-1"})
    assert rows["db-1"][3].split() == ["Succeeded", "cold"]

    # -- and Nova says the same
    assert {s["name"] for s in servers_of(cloud, "cmp1")} == {"held-1", "broken-1"}
    for name, status in {"db-1": "ACTIVE", "off-1": "SHUTOFF", "resized-1": "ACTIVE"}.items():
        assert cloud.server(all_kinds[name])["status"] == status


def test_choices_survive_a_refusal(window, servers, cloud):
    servers("cmp3", "one", "two", ram_mib=512)
    window.go("hosts/cmp3/drain/")
    choose(window, "one", "cold", "kept <b>note</b>")
    next_step(window)
    window.see("[name=reason]").send_keys("kept")
    window.find("[name=destination] option[value=cmp12]").click()
    next_step(window)
    window.see(".mnt-review")
    service = cloud.service("cmp12")
    body = {"status": "disabled", "disabled_reason": "smoke"}
    cloud.nova.put(f"/os-services/{service['id']}", json=body)
    window.see(".button-final").click()
    window.wait_for_text("Destination cmp12 is disabled: smoke.")
    window.see(".button-previous").click()
    window.see(".mnt-plan")
    assert "It is stopped, moved and started again" in said(window, "one")
    why = row(window, "one").find_element("css selector", ".mnt-why")
    assert why.get_attribute("value") == "kept <b>note</b>"

"""Who needs a person is seen at once, and what helps is at hand; the lists keep up with Nova."""

import pytest
from selenium.webdriver.common.keys import Keys

from ukcloud_maintenance.models import Event

pytestmark = pytest.mark.timeout(600)


def listed(window) -> list[str]:
    return [e.text.split(" ")[0] for e in window.find_all(".mnt-needs li > div:first-child")]


def test_what_needs_a_person_leads_the_page_with_what_helps(window, drains):
    window.go(f"drains/{drains['needs']}/")
    window.see(".mnt-needs")
    window.mark()
    window.picture("drain-needs")
    assert listed(window) == [
        f"{name}-cmp2" for name in ("unknown", "wrong", "endless", "failed", "blocked")
    ]
    assert window.driver.title.startswith("5 need you · ")

    # what needs no question is done at once, and what is done leaves the list
    window.find("[id^=mnt-needs-retry][aria-label='Retry: failed-cmp2']").click()
    window.wait(lambda: "failed-cmp2" not in listed(window), "it has left the list")
    assert window.rows()["failed-cmp2"][3] == "Pending"

    # what must be asked first is asked
    window.find("[id^=mnt-needs-skip][aria-label='Skip: blocked-cmp2']").click()
    window.see(".modal [type=submit]").click()
    window.wait(lambda: "blocked-cmp2" not in listed(window), "it has left the list")
    assert window.rows()["blocked-cmp2"][3] == "Skipped"
    window.wait(lambda: window.driver.title.startswith("3 need you · "), "the title follows")
    assert window.is_marked, "the page was loaded again"
    assert window.problems() == []


def test_nothing_leads_where_nobody_is_needed(window, drains):
    window.go(f"drains/{drains['running']}/")
    window.see("#mnt-progress")
    assert window.find_all(".mnt-needs") == []
    window.go("drains/")
    window.picture("drains-needs")
    shown = {row.text.split("\n")[0]: row.text for row in window.find_all("#drains tbody tr")}
    assert any("5 need you" in text for text in shown.values())
    window.go()
    window.picture("hosts-needs")
    assert "5 need you" in window.text("tr[data-host=cmp2]")
    assert "need" not in window.text("tr[data-host=cmp1]")


@pytest.mark.parametrize("allowed", ["granted", "denied"])
def test_an_id_is_copied_whether_or_not_a_page_may_use_the_clipboard(window, drains, allowed):
    permission = {"permission": {"name": "clipboard-write"}, "setting": allowed}
    window.driver.execute_cdp_cmd("Browser.setPermission", permission)
    window.go(f"drains/{drains['needs']}/")
    button = window.see("tr[data-name=endless-cmp2] .mnt-copy")
    button.click()
    window.wait_for_text("Copied: ", ".alert-success")
    assert len(window.find_all(".alert-success")) == 1
    assert window.driver.switch_to.active_element == button
    # what was copied can be pasted
    field = window.find("#mnt-rows-q")
    field.send_keys(Keys.CONTROL, "v")
    assert field.get_attribute("value") == button.get_attribute("data-copy")


def test_a_request_id_of_the_timeline_is_copied(window, drains, record):
    with record():
        Event.objects.filter(drain_id=drains["needs"]).update(request_id="req-1f0c")
    window.go(f"drains/{drains['needs']}/")
    window.find("#mnt-timeline summary").click()
    button = window.see("#mnt-timeline .mnt-copy")
    button.click()
    window.wait_for_text("Copied: req-1f0c", ".alert-success")
    assert len(window.find_all(".alert-success")) == 1
    field = window.find("#mnt-rows-q")
    field.send_keys(Keys.CONTROL, "v")
    assert field.get_attribute("value") == "req-1f0c"


def test_an_id_that_cannot_be_copied_is_shown(window, drains):
    permission = {"permission": {"name": "clipboard-write"}, "setting": "denied"}
    window.driver.execute_cdp_cmd("Browser.setPermission", permission)
    window.go(f"drains/{drains['needs']}/")
    button = window.see("tr[data-name=endless-cmp2] .mnt-copy")
    window.driver.execute_script("document.execCommand = () => false")
    button.click()
    window.wait_for_text(f"Copy it by hand: {button.get_attribute('data-copy')}", ".alert-danger")
    assert len(window.find_all(".alert-danger")) == 1
    assert not window.find_all(".alert-success")
    window.picture("not-copied")


def test_a_row_tells_what_it_can(window, drains):
    window.go(f"drains/{drains['needs']}/")
    window.see("tr[data-name=endless-cmp2]")
    # boxes stand where something can be done, and the menus are at the right
    boxes = {
        tr.get_attribute("data-name"): tr.find_element("css selector", "[name=row]").is_displayed()
        for tr in window.find_all("#mnt-progress tbody tr[data-id]")
    }
    assert boxes["failed-cmp2"]
    assert not boxes["wrong-cmp2"]
    last = window.find("tr[data-name=failed-cmp2] td:last-child")
    assert last.find_elements("css selector", ".mnt-menu button")


def test_the_list_of_hosts_follows_nova_as_a_whole(window, cloud, servers):
    window.go()
    window.see("#hosts tr[data-host=cmp3]")
    window.mark()
    assert "Enabled" in window.text("tr[data-host=cmp3]")
    window.find("tr[data-host=cmp3] [name=host]").click()
    found = cloud.nova.get("/os-services?binary=nova-compute&host=cmp3").json()["services"]
    service = next(s for s in found if s["host"] == "cmp3")
    body = {"status": "disabled", "disabled_reason": "bad DIMM"}
    cloud.nova.put(f"/os-services/{service['id']}", json=body)
    servers("cmp1", "new-1", ram_mib=512)

    def looked_again() -> bool:
        # at once, as after the network was away
        window.driver.execute_script("window.dispatchEvent(new Event('online'))")
        return "bad DIMM" in window.text("tr[data-host=cmp3]")

    window.wait(looked_again, "the row says that the service is disabled", 90)
    window.wait(lambda: window.text("tr[data-host=cmp1] .mnt-number") == "1", "it is counted")
    assert window.find("tr[data-host=cmp3] [name=host]").is_selected()
    assert window.is_marked, "the page was loaded again"


def test_a_plan_is_changed_in_a_dialog_that_keeps_what_was_entered(window, drains):
    window.go(f"plans/{drains['plan']}/")
    window.see(".mnt-needs")
    window.picture("plan-needs")
    window.find("#mnt-change").click()
    window.see(".modal [name=max_concurrent]")
    window.picture("plan-change")
    field = window.find(".modal [name=max_concurrent]")
    field.clear()
    field.send_keys("999")
    window.find(".modal [type=submit]").click()
    window.see(".modal .mnt-field-max_concurrent.has-error")
    assert window.find(".modal [name=max_concurrent]").get_attribute("value") == "999"
    window.picture("plan-change-refused")
    field = window.find(".modal [name=max_concurrent]")
    field.clear()
    field.send_keys("3")
    window.find(".modal [type=submit]").click()
    window.wait_for_text("3 drains were changed.")
    assert window.problems() == []

"""The main job, end to end, as an administrator does it."""

import time

import pytest
from novaclient import client
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.browser.conftest import MEMBER

pytestmark = pytest.mark.timeout(600)


def servers_of(cloud, host: str) -> list[dict]:
    """What Nova says is on exactly this host, asked through a client that is not the product's."""
    nova = client.Client("2.87", session=cloud.session())
    wanted = {"all_tenants": 1, "soft_deleted": 1, "host": host}
    found = [server.to_dict() for server in nova.servers.list(search_opts=wanted)]
    return [s for s in found if s["OS-EXT-SRV-ATTR:host"] == host]


def next_step(window) -> None:
    window.see(".modal .button-next, .static_page .button-next").click()


def drain_in_modal(window, host: str, reason: str, at_once: int | None = None) -> None:
    """From the hosts page to the drain's page."""
    window.go()
    window.see(f"tr[data-host='{host}'] a[href*='/drain/']").click()
    window.see(".modal .mnt-plan, .modal #drain_host__instances p")
    next_step(window)
    window.see(".modal [name=reason]").send_keys(reason)
    if at_once:
        field = window.see(".modal [name=max_concurrent]")
        field.clear()
        field.send_keys(str(at_once))
    next_step(window)
    window.see(".modal .mnt-review")
    window.see(".modal .button-final").click()
    window.see("#mnt-drain")


def test_an_admin_drains_a_host(window, cloud, servers, start_worker):
    slow = "rate=50000000"  # what moves is seen moving, however late a page comes
    moving = servers("cmp1", "web-1", "web-2", "web-3", ram_mib=512, play=slow)
    moving |= servers("cmp1", "db-1", ram_mib=1024, play=slow)
    moving |= servers("cmp1", "paused-1", ram_mib=512, state="PAUSED", play=slow)
    others = servers("cmp10", "app-1", "app-2", ram_mib=512)
    start_worker()

    # -- the hosts, with their instance counts
    window.go()
    window.picture("hosts")
    assert window.text("tr[data-host=cmp1] .mnt-number") == "5"
    assert window.text("tr[data-host=cmp10] .mnt-number") == "2"
    order = [row.get_attribute("data-host") for row in window.find_all("#hosts tr[data-host]")]
    assert order == ["cmp1", "cmp2", "cmp3", "cmp4", "cmp5", "cmp6", "cmp10", "cmp11", "cmp12"]
    window.find("tr[data-host=cmp1] th a").click()
    window.wait_for_text("paused-1", "#instances")
    window.picture("host")

    # -- the workflow, as a modal
    window.go()
    window.see("tr[data-host=cmp1] a[href*='/drain/']").click()
    window.wait_for_text("5 leave live; needs 3 GiB", ".modal")
    window.picture("workflow-instances")
    next_step(window)
    window.see(".modal [name=reason]")
    next_step(window)  # without a reason it does not go on
    window.wait_for_text("A reason is required", ".modal")
    window.see(".modal [name=reason]").send_keys("new kernel in rack 7")
    assert "235 characters left" in window.text(".modal .mnt-counter")
    assert "A reason is required" not in window.text(".modal")
    window.picture("workflow-options")
    next_step(window)
    window.see(".modal .mnt-review")
    review = window.text(".modal .mnt-review")
    window.picture("workflow-review")
    assert "with the reason new kernel in rack 7." in review
    assert "5 instances are live-migrated (3 GiB)." in review
    assert "Migrations at once, at most: 2" in review
    assert "Destination: Keep the hosts even." in review
    began = time.monotonic()
    window.see(".modal .button-final").click()

    # -- the drain's page, which moves by itself
    window.see("#mnt-drain")
    window.mark()
    assert set(window.rows()) == set(moving)
    drain_page = window.driver.current_window_handle
    hosts_page = window.open_tab()
    window.go()
    window.mark()
    assert window.find_all("tr[data-host=cmp1] .mnt-meter-drain")
    window.driver.switch_to.window(drain_page)
    titles = set()
    statuses = set()
    fractions = set()

    def watch() -> bool:
        titles.add(window.driver.title.split(" - ")[0])
        statuses.update(cells[4] for cells in window.rows().values())
        fractions.update(
            bar.get_attribute("aria-valuenow") for bar in window.find_all(".mnt-small [role]")
        )
        if len(titles) == 3:
            window.picture("drain-running")
        return "Drained" in window.text("[data-part=state]")

    window.wait(watch, "it is drained", 240)
    over, asked = time.monotonic(), window.updates()
    window.picture("drain-drained")
    assert window.is_marked, "the page was loaded again"
    assert "0/5 · cmp1" in titles
    assert len(titles) > 2
    assert window.driver.title.startswith("Drained · cmp1 - ")
    assert {"running", "completed"} <= statuses
    assert len(fractions) > 3
    assert "The host is empty." in window.text("[data-part=headline]")
    assert window.text("#mnt-announce") or "Drained" in window.driver.execute_script(
        "return document.getElementById('mnt-announce').textContent"
    )
    for name, cells in window.rows().items():
        assert cells[3] == "Succeeded", name
        assert cells[6] == "cmp1", name
        assert cells[7] not in ("cmp1", ""), name

    # -- one request every two seconds, and after the end none for ten, as the browser counts them
    assert 1 <= asked <= (over - began) / 2 + 2
    window.wait(lambda: window.updates() > asked, "one more update")
    before, after = window.driver.execute_script(
        "return performance.getEntriesByType('resource').filter(e => e.name.includes('/updates/'))"
        f".slice({asked - 1}, {asked + 1}).map(e => e.startTime)"
    )
    assert after - before >= 10_000
    assert window.problems() == []

    # -- and Nova says the same
    assert servers_of(cloud, "cmp1") == []
    for name, server_id in moving.items():
        server = cloud.server(server_id)
        assert server["OS-EXT-SRV-ATTR:host"] != "cmp1"
        assert server["status"] == ("PAUSED" if name == "paused-1" else "ACTIVE")
        assert server["OS-EXT-STS:task_state"] is None
    here = {s["id"] for s in servers_of(cloud, "cmp10")}
    assert set(others.values()) <= here, "a server of cmp10 was moved"
    assert cloud.service("cmp1")["disabled_reason"] == "new kernel in rack 7"
    assert cloud.service("cmp10")["status"] == "enabled"

    # -- the hosts page, which was open all the time, and the list tell it too
    window.driver.switch_to.window(hosts_page)
    window.wait_for_text("safe to power off", "tr[data-host=cmp1] .mnt-state-cell", 60)
    assert window.is_marked, "the page was loaded again"
    window.go()
    assert "safe to power off" in window.text("tr[data-host=cmp1] .mnt-state-cell")
    assert window.text("tr[data-host=cmp1] .mnt-number") == "0"
    window.picture("hosts-drained")
    window.go("drains/")
    assert "Drained" in window.text("#drains")
    window.picture("drains")


def test_filter_order_and_unfolded_messages_stay_while_it_moves(
    window, servers, start_worker, cloud
):
    servers("cmp2", "slow-1", "slow-10", "slow-2", ram_mib=1024)
    servers("cmp2", "held-1", ram_mib=512, state="SUSPENDED")
    drain_in_modal(window, "cmp2", "sticky")
    window.mark()
    table = "#mnt-progress"

    # order by name, by keyboard alone
    header = window.find(f"{table} th.mnt-col-name button")
    header.send_keys(Keys.ENTER)
    assert list(window.rows()) == ["held-1", "slow-1", "slow-2", "slow-10"]
    header.send_keys(Keys.SPACE)
    assert list(window.rows()) == ["slow-10", "slow-2", "slow-1", "held-1"]
    aria = window.find(f"{table} th.mnt-col-name").get_attribute("aria-sort")
    assert aria == "descending"
    # unfold the message of the one that stays
    window.find(f"{table} details summary").send_keys(Keys.ENTER)
    assert window.find(f"{table} details").get_attribute("open") is not None

    start_worker()
    window.wait_for_text("migrating", "[data-part=counts]", 60)
    assert list(window.rows()) == ["slow-10", "slow-2", "slow-1", "held-1"]
    assert window.find(f"{table} details").get_attribute("open") is not None

    box = window.find("#mnt-rows-q")
    box.send_keys("slow-1")
    assert list(window.rows()) == ["slow-10", "slow-1"]
    assert "2 of 4 shown" in window.text("#mnt-rows-count")
    before = window.updates()
    window.driver.set_window_size(1400, 500)
    window.driver.execute_script("window.scrollTo(0, 120)")
    window.wait(lambda: window.updates() >= before + 3, "three more updates", 90)
    assert list(window.rows()) == ["slow-10", "slow-1"]
    assert window.driver.switch_to.active_element.get_attribute("id") == "mnt-rows-q"
    assert window.driver.execute_script("return window.scrollY") == 120
    window.driver.set_window_size(1400, 1000)
    window.picture("drain-filtered")
    box.clear()
    box.send_keys("nothing like it")
    window.see("#mnt-rows-none")
    window.find("#mnt-rows-clear").click()
    assert len(window.rows()) == 4

    window.wait_for_text("Finished, 1 stays", "[data-part=state]", 120)
    window.picture("drain-instances-left")
    assert list(window.rows()) == ["slow-10", "slow-2", "slow-1", "held-1"]
    assert window.is_marked
    assert cloud.service("cmp2")["status"] == "disabled"


def test_two_tabs_show_the_same_and_a_cancel_in_one_reaches_the_other(
    window, servers, start_worker, cloud
):
    servers("cmp3", "one", "two", "three", "four", ram_mib=1024, play="rate=50000000")
    # one after the other: however late the cancel comes, some are still there
    drain_in_modal(window, "cmp3", "two tabs", at_once=1)
    address = window.driver.current_url
    first = window.driver.current_window_handle
    second = window.open_tab()
    window.driver.get(address)
    window.mark()

    # no worker yet: both say so
    assert "No worker is running." in window.text("[data-part=worker]")
    window.picture("drain-no-worker")
    since = cloud.mark()
    updates = window.updates()
    window.wait(lambda: window.updates() >= updates + 2, "two more updates")
    assert cloud.requests(since) == [], "an update asked Nova"
    start_worker()
    window.wait_for_text("migrating", "[data-part=counts]", 60)
    assert window.find("[data-part=worker]").text == ""

    window.driver.switch_to.window(first)
    window.find("#mnt-cancel").send_keys(Keys.ENTER)
    window.wait_for_text("Cancel the drain of host cmp3?", ".modal")
    window.picture("cancel")
    window.see(".modal .modal-footer [type=submit]").click()
    window.wait_for_text("Cancelled", "[data-part=state]", 90)
    window.picture("drain-cancelled")

    window.driver.switch_to.window(second)
    window.wait_for_text("Cancelled", "[data-part=state]", 30)
    assert window.is_marked
    left = len(servers_of(cloud, "cmp3"))
    assert 1 <= left <= 3
    assert f"{left} instance" in window.text("[data-part=headline]")


def test_a_lost_connection_is_said_and_mended(window, horizon, servers):
    servers("cmp4", "one", ram_mib=512)
    drain_in_modal(window, "cmp4", "connection")
    window.mark()

    horizon.stop()
    window.wait_for_text("No connection to Horizon.", "#mnt-connection", 40)
    assert "the drain itself continues" in window.text("#mnt-connection")
    window.picture("connection-lost")
    horizon.start()
    window.wait(lambda: not window.find("#mnt-connection").is_displayed(), "it is back", 60)
    assert window.is_marked

    # the same for a session that has ended: log in again, here or in another tab
    cookies = window.end_session("Your session has ended.", "#mnt-connection")
    window.picture("session-ended")
    link = window.find("#mnt-connection a").get_attribute("href")
    assert "/auth/login/?next=/admin/maintenance/drains/" in link
    for cookie in cookies:
        window.driver.add_cookie(cookie)
    window.wait(lambda: not window.find("#mnt-connection").is_displayed(), "it is back", 60)
    assert window.is_marked

    window.find("#mnt-cancel").click()
    window.see(".modal .modal-footer [type=submit]").click()
    window.wait_for_text("Cancelled", "[data-part=state]")


def test_the_workflow_by_keyboard_alone_on_a_page_of_its_own(window, servers, cloud):
    servers("cmp5", "one", ram_mib=512)
    window.go("hosts/cmp5/drain/")
    window.picture("workflow-page")
    window.find(".button-next").send_keys(Keys.ENTER)
    reason = window.see("[name=reason]")
    # A step is read from its beginning; the field is the first thing behind that.
    window.wait(
        lambda: window.driver.switch_to.active_element.text == "Options", "the step has the focus"
    )
    window.press(Keys.TAB)
    window.wait(lambda: window.driver.switch_to.active_element == reason, "the field has the focus")
    # Enter goes on; it must not send the form before the review was seen.
    window.press("by keyboard", Keys.ENTER)
    window.see(".mnt-review")
    assert "by keyboard" in window.text(".mnt-review")
    assert "hosts/cmp5/drain" in window.driver.current_url
    window.find(".button-previous").send_keys(Keys.ENTER)
    window.see("[name=max_concurrent]").clear()
    window.see("[name=max_concurrent]").send_keys("5", Keys.ENTER)
    window.wait_for_text("Migrations at once, at most: 5", ".mnt-review")
    window.see(".button-final").send_keys(Keys.ENTER)
    window.see("#mnt-drain")
    assert "at most 5" in window.text("[data-part=facts]")

    # a second drain of the same host is refused, with a link to the first
    address = window.driver.current_url
    window.go("hosts/cmp5/drain/")
    window.wait_for_text("is already being drained")
    window.picture("refused")
    window.driver.find_element(By.LINK_TEXT, "View Drain").send_keys(Keys.ENTER)
    window.wait(lambda: window.driver.current_url == address, "it leads to the drain")
    window.find("#mnt-cancel").click()
    window.see(".modal .modal-footer [type=submit]").click()
    window.wait_for_text("Cancelled", "[data-part=state]")


def test_a_refusal_in_the_modal_keeps_what_was_entered(window, servers, cloud):
    servers("cmp11", "one", ram_mib=512)
    window.go()
    window.see("tr[data-host=cmp11] a[href*='/drain/']").click()
    window.wait_for_text("1 leaves live; needs 512 MiB", ".modal")
    next_step(window)
    window.see(".modal [name=reason]").send_keys("kept")
    window.find(".modal [name=destination] option[value=cmp12]").click()
    next_step(window)
    window.wait_for_text("Destination: cmp12", ".modal .mnt-review")
    # meanwhile the destination is disabled by somebody else
    service = cloud.service("cmp12")
    body = {"status": "disabled", "disabled_reason": "smoke"}
    cloud.nova.put(f"/os-services/{service['id']}", json=body)
    window.see(".modal .button-final").click()
    window.wait_for_text("Destination cmp12 is disabled: smoke.", ".modal")
    window.picture("refused-at-field")
    assert window.see(".modal [name=reason]").get_attribute("value") == "kept"
    assert window.find(".modal [name=destination]").get_attribute("value") == "cmp12"


def test_what_the_hosts_page_asks_of_nova(window, cloud, servers):
    servers("cmp1", "one", ram_mib=512)
    servers("cmp10", "two", ram_mib=512)
    since = cloud.mark()
    window.go("?sort=instances&order=desc")
    window.see("tr[data-host=cmp1]")
    # The API's version and root are not looked for: two lists, one of them to its empty end, and a
    # small one a row. There is no worker, and no inventory.
    paths = [request["path"] for request in cloud.requests(since)]
    lists = [path for path in paths if "?with_servers=true" not in path]
    assert sorted(path.partition("?")[0].rpartition("/")[2] for path in lists) == [
        "detail",
        "detail",
        "os-services",
    ]
    rows = len(window.find_all("#hosts tr[data-host]"))
    assert len(paths) == 3 + rows
    assert "may be a minute old" in window.text("#content_body")
    # which hosts a zone or an aggregate has is asked when somebody turns to them
    Select(window.find("#mnt-set")).select_by_value("zone:az1")
    window.wait(
        lambda: (
            {
                box.get_attribute("value")
                for box in window.find_all("td.mnt-box input")
                if box.is_selected()
            }
            == {"cmp1", "cmp2", "cmp3"}
        ),
        "the hosts of the zone are selected",
    )
    assert len(cloud.requests(since)) == len(paths) + 2


def test_nova_that_refuses_leaves_a_calm_page(window, cloud):
    with cloud.fault(method="GET", path="/os-hypervisors", answer=500):
        window.go()
        assert "Could not list the hypervisors" in window.text("#content_body")
        window.picture("nova-fails")
    window.go()
    window.see("tr[data-host=cmp1]")


def test_who_is_no_admin_does_not_see_the_panel(open_window):
    window = open_window().log_in(*MEMBER)
    assert "Maintenance" not in window.text("body")
    assert not window.find_all("a[href*='/admin/maintenance/']")
    for path in (
        "",
        "hosts/cmp1/",
        "hosts/cmp1/check/",
        "hosts/cmp1/drain/",
        "drains/",
        "drains/1/",
    ):
        window.go(path)
        assert "You are not authorized to access this page" in window.text("body")
        status = window.driver.execute_script(
            "return performance.getEntriesByType('navigation')[0].responseStatus"
        )
        assert status == 403, path
    window.picture("not-authorized")

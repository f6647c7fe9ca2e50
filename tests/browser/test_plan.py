"""Three hosts drained as one plan, until they are safe to power off; two are given back."""

import subprocess
import sys

import pytest
from selenium.webdriver.support.ui import Select

from tests.browser.test_drain import servers_of

pytestmark = pytest.mark.timeout(600)
HOSTS = ("cmp1", "cmp2", "cmp3")


def click(window, selector: str) -> None:
    """In a page that is longer than the window."""
    element = window.see(selector)
    window.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def hosts_in_order(window) -> list[str]:
    return [tr.get_attribute("data-host") for tr in window.find_all("#mnt-order tbody tr")]


def says_when_out_of_date(window, selector, picture):
    window.mark()
    cookies = window.end_session("Your session has ended; this page", selector)
    assert "/auth/login/?next=/admin/maintenance/" in window.find(f"{selector} a").get_attribute(
        "href"
    )
    window.picture(picture)
    for cookie in cookies:
        window.driver.add_cookie(cookie)
    window.wait(lambda: not window.find(selector).is_displayed(), "it is up to date again", 120)
    assert window.is_marked


def says_that_another_region_is_chosen(window, selector):
    """The server is asked of another region than the one that is chosen."""
    window.driver.execute_script(
        "window.realOpen = XMLHttpRequest.prototype.open;"
        "XMLHttpRequest.prototype.open = function (method, url) {"
        "  arguments[1] = url.replace(/region=[^&]*/, 'region=Elsewhere');"
        "  return window.realOpen.apply(this, arguments); };"
    )
    window.wait_for_text("Another region is now selected", selector, 60)
    window.picture("hosts-of-another-region")
    window.driver.execute_script("XMLHttpRequest.prototype.open = window.realOpen;")
    window.wait(lambda: not window.find(selector).is_displayed(), "it is up to date again", 60)


def django(horizon, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env=horizon.environment,
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=60,
    )


#: As if the drains and the returns had ended hours ago.
LONG_AGO = """
from datetime import timedelta
from django.db.models import F
from ukcloud_maintenance.models import Drain, HostMaintenance
Drain.objects.update(finished_at=F("finished_at") - timedelta(hours=3))
HostMaintenance.objects.update(closed_at=F("closed_at") - timedelta(hours=3))
"""


def test_select_three_hosts_drain_them_as_one_and_give_two_back(
    window, cloud, servers, start_worker, horizon
):
    made = servers("cmp1", "a-1", "a-2", ram_mib=512)
    made |= servers("cmp2", "b-1", ram_mib=512)
    made |= servers("cmp3", "c-1", ram_mib=512)

    # -- the selection stays while the list is sorted and filtered
    window.go()
    window.see("#hosts")
    assert not window.find("#mnt-drain-selected").is_enabled()
    for host in HOSTS:
        click(window, f"td.mnt-box input[value={host}]")
    window.wait_for_text("3 hosts selected", "#mnt-selected")
    window.go("?q=cmp1&column=host")
    window.wait_for_text("3 hosts selected. 2 of them are not shown here.", "#mnt-selected")
    window.picture("hosts-selected")
    click(window, "#mnt-drain-selected")

    # -- the workflow: what each host comes to
    window.see("form.mnt-drain-form")
    assert "Drain 3 Hosts" in window.text(".modal-title")
    assert "4 instances on 3 hosts: 4 leave live; needs 2 GiB" in window.text(".mnt-lead")
    click(window, ".mnt-of-host[data-host=cmp2] summary")
    Select(window.see(".mnt-of-host[data-host=cmp2] select")).select_by_value("stay")
    assert "3 leave live, 1 stays" in window.text(".mnt-lead")
    assert "1 stays" in window.text(".mnt-of-host[data-host=cmp2] h4")
    window.picture("several-preflight")
    Select(window.see(".mnt-of-host[data-host=cmp2] select")).select_by_value("")
    click(window, ".button-next")

    # -- how, and in which order
    window.see("#mnt-order")
    assert hosts_in_order(window) == list(HOSTS)
    click(window, "tr[data-host=cmp3] .mnt-up")
    assert hosts_in_order(window) == ["cmp1", "cmp3", "cmp2"]
    assert "cmp3 is now number 2." in window.find("#mnt-order-said").get_attribute("textContent")
    time = "#drain_host__options [data-summary=time]"
    one_by_one = window.text(time)
    click(window, "[name=pace][value='0']")
    assert window.text(time) != one_by_one
    click(window, "[name=pace][value='1']")
    assert window.text(time) == one_by_one
    click(window, ".button-next")
    window.wait_for_text("A reason is required", "#drain_host__options")
    window.picture("several-options-error")
    click(window, "[name=reason]")
    window.find("[name=reason]").send_keys("new firmware")
    window.picture("several-options")
    click(window, ".button-next")

    # -- what is about to happen
    window.see(".mnt-review-hosts")
    reviewed = window.find_all(".mnt-review-hosts tr[data-host]")
    assert [tr.get_attribute("data-host") for tr in reviewed] == ["cmp1", "cmp3", "cmp2"]
    assert "one after another" in window.text(".mnt-review")
    window.picture("several-review")
    click(window, "button[value=drain]")

    # -- the plan
    window.see("#mnt-plan")
    plan = window.driver.current_url.rstrip("/").rsplit("/", 1)[-1]
    window.mark()
    window.wait_for_text("No worker is running.", "#mnt-plan")
    start_worker()
    window.wait_for_text("Running", "[data-part=state]")
    headline = "[data-part=headline]"
    window.wait(lambda: "0 of 3" not in window.text(headline), "the first host is empty", 120)
    window.picture("plan-running")
    window.wait_for_text("All 3 hosts are empty.", headline, 240)
    for host in HOSTS:
        window.wait_for_text(
            "safe to power off", f"tr[data-host={host}] .mnt-col-safety", timeout=120
        )
    window.picture("plan-over")
    assert window.is_marked
    for host in HOSTS:
        assert servers_of(cloud, host) == []
        assert cloud.service(host)["status"] == "disabled"
    for name, server_id in made.items():
        # each moved once, and to none of the three
        moves = cloud.nova.get(f"/os-migrations?instance_uuid={server_id}").json()["migrations"]
        assert [m["status"] for m in moves] == ["completed"], name
        assert moves[0]["dest_compute"] not in HOSTS
    window.go()
    assert window.text("#mnt-selected").strip() == ""

    # -- safe to power off, in the list and on the pages of host and drain
    for host in HOSTS:
        window.wait_for_text(
            "safe to power off", f"tr[data-host={host}] .mnt-state-cell", timeout=120
        )
    window.picture("hosts-safe")
    window.go("hosts/cmp3/")
    window.wait_for_text("Safe to power off", ".mnt-safety")
    assert len(window.find_all(".mnt-checks .mnt-passed")) == 7
    window.picture("certificate")
    window.go(f"plans/{plan}/")
    click(window, "tr[data-host=cmp3] .mnt-col-drain a")
    window.see(".mnt-safety")
    window.wait_for_text("Safe to power off", ".mnt-safety")
    window.picture("drain-certificate")
    says_when_out_of_date(window, ".mnt-panel .mnt-out-of-date", "drain-out-of-date")
    window.go()
    says_when_out_of_date(window, ".mnt-out-of-date", "hosts-out-of-date")
    says_that_another_region_is_chosen(window, ".mnt-out-of-date")

    # -- a plan that is looked at takes nothing off what is selected since
    click(window, "td.mnt-box input[value=cmp4]")
    window.wait_for_text("1 host selected", "#mnt-selected")
    window.go(f"plans/{plan}/")
    window.see("#mnt-plan")
    window.go()
    window.wait_for_text("1 host selected", "#mnt-selected")
    window.go("hosts/cmp3/certificate/")
    window.wait_for_text("Checks")
    window.picture("certificate-print")

    # -- and back
    window.go("hosts/cmp3/")
    click(window, "#mnt-return")
    window.see(".modal .mnt-return")
    assert "new firmware (the reason that the drain wrote)" in window.text(".modal .mnt-return")
    assert "c-1" in window.text(".modal .mnt-return")
    window.picture("return")
    click(window, ".modal [name=bring_back]")
    click(window, ".modal input[type=submit]")
    window.wait_for_text("The return of host cmp3 to service was requested.")
    window.wait_for_text("Back in service", ".mnt-safety", 120)
    window.picture("returned")
    assert cloud.service("cmp3")["status"] == "enabled"
    click(window, ".mnt-certificate a[href*='/drains/']")
    window.see("#mnt-drain")
    window.wait(
        lambda: [s["name"] for s in servers_of(cloud, "cmp3")] == ["c-1"], "it is back", 120
    )

    # -- one that is given back by somebody else is not called safe any longer
    window.go()
    cell = "tr[data-host=cmp2] .mnt-state-cell"
    window.wait_for_text("safe to power off", cell)
    window.wait_for_text("back in service", "tr[data-host=cmp3] .mnt-state-cell", 60)
    window.mark()
    django(horizon, "host_return", "cmp2")
    window.wait_for_text("back in service", cell, 60)
    window.picture("hosts-given-back")
    django(horizon, "shell", "-c", LONG_AGO)
    window.wait(lambda: window.text(cell).strip() == "", "nothing is said of it any more", 60)
    assert window.is_marked
    assert window.problems() == []

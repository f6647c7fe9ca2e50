"""The record in a real browser, of a drain that a real Nova made."""

import json
import time

import pytest

from tests.browser.test_drain import drain_in_modal
from tests.browser.test_steering import confirm, press, select, wait_for_state
from ukcloud_maintenance import store
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.models import HostMaintenance

pytestmark = pytest.mark.timeout(600)

#: an answer that fails, in place of the server's
BREAK = """
    window.realSend = window.realSend || XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function () { this.abort(); this.onloadend(); };
"""
REPAIR = "XMLHttpRequest.prototype.send = window.realSend;"


def requests(window, part: str) -> int:
    """How often the page has asked for a part of the record."""
    return window.driver.execute_script(
        "return performance.getEntriesByType('resource')"
        ".filter(e => e.name.includes(arguments[0])).length",
        f"/{part}/",
    )


def events(window) -> list[list[str]]:
    """The cells of the timeline."""
    return window.driver.execute_script(
        "return Array.from(document.querySelectorAll('.mnt-timeline tbody tr'))"
        ".map(tr => Array.from(tr.cells).map(td => td.innerText.trim()));"
    )


def said(window) -> str:
    """All that the timeline says happened, newest first."""
    return " ".join(event[2] for event in events(window))


def choose(window, selector: str, value: str) -> None:
    window.driver.execute_script(
        "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
        "e.dispatchEvent(new Event('change', {bubbles: true}));",
        selector,
        value,
    )


def test_the_record_grows_while_it_is_open_and_is_whole_at_the_end(
    window, servers, start_worker, horizon, record
):
    names = ["web-1", "web-2", "db-1"]
    servers("cmp1", *names[:2], ram_mib=512)
    servers("cmp1", names[2], ram_mib=1024, play="rate=40000000")
    drain_in_modal(window, "cmp1", "see it in a picture")
    window.mark()

    # -- nothing is asked for while it is closed; then it comes, and goes on by itself
    assert requests(window, "timeline") == requests(window, "picture") == 0
    window.find("#mnt-timeline summary").click()
    window.wait(lambda: [e[2] for e in events(window)] == ["Drain requested"], "the request")
    window.find("#mnt-picture summary").click()
    window.see("#mnt-picture .mnt-lanes-picture")
    assert set(window.texts(".mnt-lanes-names li a")) == set(names)
    assert window.find_all(".mnt-now")
    stop_worker = start_worker()
    window.wait(lambda: window.find_all(".mnt-seg-moving"), "a move is drawn", 120)
    window.driver.execute_script("document.querySelector('.mnt-records').scrollIntoView()")
    window.picture("record-running")
    window.wait(
        lambda: (
            sum(e[2] == "Arrived" for e in events(window)) == 3
            and any("Drained" in e[2] for e in events(window))
        ),
        "all of it in the timeline",
        240,
    )
    window.wait(lambda: not window.find_all(".mnt-now"), "the picture is finished")
    assert window.is_marked
    lanes = window.texts(".mnt-lane-end")
    assert len(lanes) == 3
    assert all(end.startswith("→ cmp") for end in lanes)
    said = window.driver.execute_script(
        "return document.querySelector('.mnt-lanes-picture').getAttribute('aria-label')"
    )
    assert "3 arrived" in said
    window.driver.execute_script("document.querySelector('.mnt-records').scrollIntoView()")
    window.picture("record")

    # -- it is over: what comes after it is shown too, and asked for less often
    before, since = requests(window, "timeline"), time.monotonic()
    assert "withdrawn" not in window.text("#mnt-drain")
    stop_worker()  # its next look would find the host to be safe again
    with record():
        verified = HostMaintenance.objects.get()
        store.withdraw(verified, message("service_is_up"), "the day shift", store.now())
    window.wait_for_text("withdrawn", "#mnt-drain .mnt-certificate", 60)
    window.wait(lambda: "the day shift" in {e[1] for e in events(window)}, "it is told", 90)
    assert requests(window, "timeline") - before <= (time.monotonic() - since) / 30 + 2
    assert window.is_marked

    # -- every act has its actor, and Nova's request id where it is one of Nova's
    told = events(window)
    moves = [e for e in told if e[2] == "Migration requested from Nova"]
    assert len(moves) == 3
    assert all("worker" in e[1] and "req-" in e[5] for e in moves)
    assert told[-1][1:3] == ["admin", "Drain requested"]

    # -- filter and order, in place
    window.find("#mnt-events-q").send_keys("db-1")
    window.wait(lambda: {e[3] for e in events(window)} == {"db-1"}, "one instance")
    choose(window, "#mnt-events-order", "oldest")
    window.wait(lambda: events(window)[0][2] == "Migration requested from Nova", "the other order")
    choose(window, "#mnt-events-who", "admin")
    window.wait_for_text("No event matches the filter.", "#mnt-timeline")
    window.find("[data-record-clear]").click()
    window.wait(lambda: len(events(window)) >= len(told), "all events again")
    assert window.find("#mnt-events-q").get_attribute("value") == ""
    assert window.driver.switch_to.active_element.get_attribute("id") == "mnt-events-q"
    assert window.is_marked

    # -- what fails is said, and can be tried again
    window.driver.refresh()
    window.see("#mnt-timeline")
    window.driver.execute_script(BREAK)
    window.find("#mnt-timeline summary").click()
    window.wait_for_text("Loading failed.", "#mnt-timeline")
    window.driver.execute_script(REPAIR)
    window.see("#mnt-timeline .mnt-record-alert button").click()
    window.wait(lambda: len(events(window)) >= len(told), "the timeline after all")
    assert "Loading failed." not in window.text("#mnt-timeline")

    # -- the same as a page, and to take home
    number = window.driver.current_url.rstrip("/").rsplit("/", 1)[1]
    window.go(f"drains/{number}/picture/")
    assert len(window.find_all(".mnt-lane")) == 3
    document = window.driver.execute_async_script(
        "fetch(arguments[0]).then(r => r.text()).then(arguments[1])",
        f"{horizon.url}/admin/maintenance/drains/{number}/export.json",
    )
    found = json.loads(document)
    assert {one["server_name"]: one["state"] for one in found["instances"]} == dict.fromkeys(
        names, "succeeded"
    )

    # -- the host remembers
    window.go("hosts/cmp1/")
    assert len(window.find_all(".mnt-hist")) == 1
    window.picture("host-history")
    assert window.problems() == []


def test_the_timeline_goes_on_when_a_drain_that_was_over_goes_on(window, servers, start_worker):
    servers("cmp1", "web-1", ram_mib=512)
    drain_in_modal(window, "cmp1", "in two goes")
    window.find("#mnt-timeline summary").click()
    window.wait(lambda: [e[2] for e in events(window)] == ["Drain requested"], "the request")
    select(window, "web-1")
    press(window, "skip")
    confirm(window)
    wait_for_state(window, "web-1", "Skipped")
    start_worker()
    window.wait_for_text("Finished, 1 stays", "[data-part=state]", 60)
    window.wait(lambda: "Drain ended" in said(window), "the end is in the timeline", 90)
    window.mark()
    press(window, "retry")
    window.wait_for_text("Drained", "[data-part=state]", 120)
    # of a drain that is over it is read every 30 s
    window.wait(lambda: "Drained" in said(window), "the other end is, too", 90)
    assert any(e[2] == "Arrived" for e in events(window))
    assert window.is_marked
    assert window.problems() == []

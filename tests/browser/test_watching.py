"""A drain of hundreds of instances is watched: what changed is touched, and nothing else; and a
screen reader is told what others did, and nothing every two seconds."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.timeout(600)

#: Notes the rows that are touched, and every text that a live region comes to hold.
WATCH = """
    window.touched = new Set();
    window.heard = [];
    const body = document.querySelector('#mnt-progress tbody');
    const note = node => {
      const tr = (node.nodeType === 1 ? node : node.parentNode)?.closest?.('tr[data-id]');
      if (tr) { window.touched.add(Number(tr.dataset.id)); }
    };
    new MutationObserver(records => records.forEach(record => {
      note(record.target);
      record.addedNodes.forEach(note);
      record.removedNodes.forEach(note);
    })).observe(body, {subtree: true, childList: true, attributes: true, characterData: true});
    const live = '[aria-live], [role=status], [role=alert]';
    new MutationObserver(records => {
      const regions = new Set(records.map(record =>
        (record.target.nodeType === 1 ? record.target : record.target.parentNode)?.closest(live)));
      regions.forEach(region => region && window.heard.push(region.textContent.trim()));
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
"""


class Others:
    """The workers and the other admins, see tests.browser.watched.

    :ivar rows: the ids of the rows by the instances' names
    """

    def __init__(self, process: subprocess.Popen):
        self._process = process
        made = json.loads(self._answer())
        self.drain, self.rows = made["drain"], made["rows"]

    def do(self, what: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._answer() == "done\n"

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def ids(self, *names: str) -> set[int]:
        return {self.rows[name] for name in names}


@pytest.fixture
def others(horizon, empty_record) -> Iterator[Callable[[int], Others]]:
    """Make a drain of so many instances."""
    started: list[subprocess.Popen] = []

    def make(number: int) -> Others:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.browser.watched", str(number)],
                env=horizon.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return Others(started[-1])

    yield make
    for process in started:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture
def watch(window, others) -> Callable[[int], Others]:
    """Open the page of a drain of so many instances, and watch what becomes of it."""

    def begin(number: int) -> Others:
        found = others(number)
        window.go(f"drains/{found.drain}/")
        window.see("#mnt-progress tbody tr[data-id]")
        window.mark()
        window.driver.execute_script(WATCH)
        return found

    return begin


def next_updates(window, n: int = 2) -> None:
    before = window.updates()
    window.wait(lambda: window.updates() >= before + n, f"{n} more updates")


def touched(window) -> set[int]:
    """The rows that were touched since this was asked last."""
    script = "const all = [...window.touched]; window.touched.clear(); return all"
    return set(window.driver.execute_script(script))


def heard(window) -> list[Any]:
    """What a screen reader was told since this was asked last."""
    return window.driver.execute_script("return window.heard.splice(0)")


def test_an_update_touches_what_changed_and_leaves_what_an_admin_has_in_hand(window, watch):
    others = watch(300)
    moving = others.ids("vm-000", "vm-001")
    next_updates(window)
    assert touched(window) <= moving  # their clocks tick

    for _ in range(3):
        others.do("copy")
        next_updates(window)
    assert touched(window) == moving
    others.do("arrive vm-000")
    window.wait(lambda: window.rows()["vm-000"][3] == "Succeeded", "it is told")
    assert touched(window) <= moving

    # what an admin has in hand: an order, a filter, marks, an open menu, and the focus in it
    header = window.find("#mnt-progress th.mnt-col-name button")
    header.send_keys(Keys.ENTER)
    header.send_keys(Keys.ENTER)
    window.find("#mnt-rows-q").send_keys("vm-2")
    window.find("tr[data-name=vm-250] [name=row]").click()
    window.find("tr[data-name=vm-251] [name=row]").click()
    window.find("tr[data-name=vm-260] .mnt-menu button").send_keys(Keys.ENTER)
    window.see("tr[data-name=vm-260] .mnt-menu.open")
    order = list(window.rows())
    assert order == [f"vm-{n}" for n in range(299, 199, -1)]
    touched(window)
    others.do("skip vm-250")
    others.do("first vm-260")
    others.do("skip vm-261")
    window.wait(lambda: window.rows()["vm-261"][3] == "Skipped", "it is told")
    next_updates(window)
    assert touched(window) <= moving | others.ids("vm-250", "vm-260", "vm-261")
    assert list(window.rows()) == order
    assert window.rows()["vm-250"][3] == "Skipped"
    assert [
        box.get_attribute("value") for box in window.find_all("[name=row]") if box.is_selected()
    ] == [str(others.rows[name]) for name in ("vm-251", "vm-250")]
    assert window.find_all("tr[data-name=vm-260] .mnt-menu.open")
    focused = "return document.activeElement.closest('tr').dataset.name"
    assert window.driver.execute_script(focused) == "vm-260"

    # a pause changes nothing of what is at rest; a menu that is open is put in its place
    others.do("pause")
    window.wait_for_text("Paused", "[data-part=state]")
    assert touched(window) <= moving | others.ids("vm-260")
    others.do("cancel")
    window.wait_for_text("Cancelling", "[data-part=state]")
    window.wait(
        lambda: window.find("tr[data-name=vm-270]").get_attribute("data-verbs") == "",
        "nothing is offered for what waits",
    )
    assert window.is_marked
    assert window.problems() == []


def test_a_row_that_moves_is_the_only_one_that_moves(window, watch):
    others = watch(30)
    touched(window)
    others.do("first vm-029")
    window.wait(lambda: next(iter(window.rows())) == "vm-029", "it is the first one")
    assert touched(window) <= others.ids("vm-029", "vm-000", "vm-001")
    # sorted by state, one that fails goes to the top, and one that arrives to the end
    window.find("#mnt-progress th.mnt-col-state button").send_keys(Keys.ENTER)
    touched(window)
    others.do("fail vm-000")
    window.wait(lambda: next(iter(window.rows())) == "vm-000", "what failed comes first")
    others.do("arrive vm-001")
    window.wait(lambda: window.rows()["vm-001"][3] == "Succeeded", "it is told")
    assert touched(window) <= others.ids("vm-000", "vm-001")
    states = [cells[3] for cells in window.rows().values()]
    assert states == sorted(states, key=["Failed", "Pending", "Succeeded"].index)


def test_what_others_did_is_announced_once_and_what_is_copied_is_not(window, watch):
    others = watch(12)
    assert heard(window) == []
    for _ in range(4):
        others.do("copy")
        next_updates(window, 1)
    assert heard(window) == []

    for what, words in (
        ("fail vm-000", "vm-000 failed."),
        ("skip vm-010", "1 skipped."),
        ("pause", "cmp1: Paused."),
        ("resume", "cmp1: Running."),
        ("cancel", "cmp1: Cancelling."),
        ("end", "cmp1: Cancelled."),
    ):
        others.do(what)
        told: list[str] = []

        def announced(told=told, words=words) -> bool:
            told += heard(window)
            return any(words in one for one in told)

        window.wait(announced, f"{what} is announced")
        assert len([one for one in told if one]) == 1, told
        if what != "end":
            others.do("copy")
            next_updates(window)
            assert heard(window) == []
    assert window.is_marked


#: In place of the browser's own, which shows nothing without a screen: keeps what is shown.
RECORDER = """
    window.shown = [];
    window.Notification = function (title, options) { window.shown.push([title, options.body]); };
    window.Notification.permission = localStorage.getItem('granted') || 'default';
    window.Notification.requestPermission = () => {
      localStorage.setItem('granted', 'granted');
      window.Notification.permission = 'granted';
      return Promise.resolve('granted');
    };
"""


def shown(window) -> list[list[str]]:
    return window.driver.execute_script("return window.shown")


def test_a_notice_on_the_desktop_comes_to_whoever_asked_for_it_and_to_nobody_else(window, watch):
    window.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": RECORDER})
    others = watch(3)
    bell = window.see("#mnt-notify")
    assert bell.get_attribute("aria-pressed") == "false"
    others.do("arrive vm-000")
    window.wait(lambda: window.rows()["vm-000"][3] == "Succeeded", "it is told")
    assert shown(window) == []

    bell.click()
    window.wait(lambda: bell.get_attribute("aria-pressed") == "true", "it is asked for")
    others.do("cancel")
    others.do("end")
    window.wait(lambda: shown(window), "the end is shown")
    [(title, body)] = shown(window)
    assert title
    assert title in window.driver.title  # what the tab says
    assert "cancelled" in body.lower()

    # it is asked for in this browser, until it is taken back
    window.go(f"drains/{others.drain}/")
    assert window.see("#mnt-notify").get_attribute("aria-pressed") == "true"
    window.find("#mnt-notify").click()
    assert window.find("#mnt-notify").get_attribute("aria-pressed") == "false"

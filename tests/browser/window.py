"""A browser window, with words for what a person does in it."""

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket
from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

#: What a browser that is gone is noticed by.
GONE = (WebDriverException, websocket.WebSocketException, OSError)
#: What a page may keep beside cookies.
KEPT = "local_storage,indexeddb,service_workers,cache_storage"
SCREENSHOTS = Path(__file__).resolve().parents[2] / "screenshots"


def chromium(profile: Path, width: int = 1400, height: int = 1000) -> Chrome:
    """A browser without a screen, with a profile of its own. The caller quits it."""
    driver = shutil.which("chromedriver")
    shell = shutil.which("chromium-headless-shell")
    for package, program in {"chromium-headless-shell": shell, "chromium-driver": driver}.items():
        if not program:
            pytest.fail(f"Debian's package {package} is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = str(Path(__file__).with_name("chromium"))
    for argument in (
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--window-size={width},{height}",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    service = webdriver.ChromeService(driver)
    return webdriver.Chrome(options=options, service=service)


class Browser:
    """A browser that many tests use one after the other: it is started once, and each window knows
    nothing of those before it, neither cookies nor what is kept, allowed or emulated. The files
    that all pages have in common stay in its cache: to fetch and compile them is most of a first
    page.

    :param folder: for its profiles
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._started = 0
        self._driver: Chrome | None = None
        self._devtools: websocket.WebSocket | None = None
        self._home = ""

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.quit()

    def open_window(self, width: int, height: int) -> Chrome:
        """The driver of an empty window, the only one beside the first."""
        self.close_window()
        driver = self._driver or self._start()
        wanted = {"newWindow": True, "width": width, "height": height}
        target = self._tell("Target.createTarget", url="about:blank", **wanted)["targetId"]
        driver.switch_to.window(target)
        driver.get_log("browser")  # what others left in it
        return driver

    def close_window(self) -> None:
        """Close it, and all that it opened. A browser that is gone is started anew next time."""
        if self._driver is None:
            return
        try:
            for window in set(self._driver.window_handles) - {self._home}:
                self._tell("Target.closeTarget", targetId=window)
            self._driver.switch_to.window(self._home)
            self._tell("Storage.clearCookies")
            self._tell("Browser.resetPermissions")
            everywhere = {"origin": "*", "storageTypes": KEPT}
            self._driver.execute_cdp_cmd("Storage.clearDataForOrigin", everywhere)
        except GONE:
            self.quit()

    def quit(self) -> None:
        if self._devtools is not None:
            self._devtools.close()
        if self._driver is not None:
            with contextlib.suppress(WebDriverException):
                self._driver.quit()
        self._driver, self._devtools = None, None

    def _start(self) -> Chrome:
        self._started += 1
        self._driver = driver = chromium(self._folder / f"profile-{self._started}")
        self._home = driver.current_window_handle
        address = driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
        known = requests.get(f"http://{address}/json/version", timeout=60).json()
        self._devtools = websocket.create_connection(
            known["webSocketDebuggerUrl"], timeout=60, suppress_origin=True
        )
        return driver

    def _tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the driver does not do: it concerns the browser, and no page."""
        assert self._devtools is not None
        self._devtools.send(json.dumps({"id": 1, "method": method, "params": parameters}))
        while (answer := json.loads(self._devtools.recv())).get("id") != 1:
            pass
        assert "error" not in answer, answer
        return answer["result"]


class Window:
    def __init__(self, driver: Chrome, url: str):
        self.driver = driver
        self.url = url

    def as_user(self, name: str, password: str) -> "Window":
        """Log in without showing a page, which takes as long as a test's own pages."""
        page = f"{self.url}/auth/login/"
        with requests.Session() as session:
            session.trust_env = False
            session.get(page, timeout=120)
            entered = {"username": name, "password": password, "region": "default"}
            token = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
            answer = session.post(page, entered | token, allow_redirects=False, timeout=120)
            assert answer.status_code == 302, f"{name} is not logged in"
            for one in session.cookies:
                wanted = {"name": one.name, "value": one.value or "", "url": self.url}
                self.driver.execute_cdp_cmd("Network.setCookie", wanted)
        self.driver.get(f"{self.url}/static/dashboard/img/favicon.ico")  # of this origin, and cheap
        return self

    def log_in(self, name: str, password: str) -> "Window":
        self.driver.get(f"{self.url}/auth/login/")
        self.find("[name=username]").send_keys(name)
        self.find("[name=password]").send_keys(password, Keys.ENTER)
        self.wait(lambda: "/auth/login" not in self.driver.current_url, "logged in")
        return self

    def open_tab(self) -> str:
        """Another one of the same user, in which all that follows is done; its handle."""
        before = set(self.driver.window_handles)
        self.driver.execute_script("window.open('about:blank')")
        [tab] = self.wait(lambda: set(self.driver.window_handles) - before, "a tab is opened")
        self.driver.switch_to.window(tab)
        return tab

    def go(self, path: str = "") -> "Window":
        self.driver.get(f"{self.url}/admin/maintenance/{path}")
        return self

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def find_all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def see(self, selector: str, timeout: float = 30) -> WebElement:
        """The first element that is shown, as soon as there is one."""
        return self.wait(
            lambda: next((e for e in self.find_all(selector) if e.is_displayed()), None),
            f"{selector} is shown",
            timeout,
        )

    def text(self, selector: str = "body") -> str:
        return re.sub(r"\s+", " ", self.wait(lambda: self.find(selector).text or " ", selector))

    def texts(self, selector: str) -> list[str]:
        return self.wait(
            lambda: [re.sub(r"\s+", " ", e.text) for e in self.find_all(selector)] or [""], selector
        )

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def wait(self, condition: Callable[[], Any], what: str, timeout: float = 30) -> Any:
        deadline = time.monotonic() + timeout
        pause = 0.05
        while True:
            try:
                if value := condition():
                    return value
            except (StaleElementReferenceException, NoSuchElementException):
                pass
            if time.monotonic() > deadline:
                self.picture("failed")
                raise AssertionError(f"waited {timeout:.0f} s in vain until {what}")
            time.sleep(pause)
            pause = min(pause * 1.3, 0.25)  # each look costs what a page costs, in three processes

    def wait_for_text(self, words: str, selector: str = "body", timeout: float = 30) -> None:
        self.wait(lambda: words in self.text(selector), f"{selector} says {words!r}", timeout)

    def end_session(self, words: str, selector: str) -> list[dict[str, Any]]:
        """Take the session away until the page says so; returns its cookies.

        An answer that is under way brings the cookie with it once more, so once is not enough.
        """
        cookies = self.driver.get_cookies()

        def said() -> bool:
            self.driver.delete_all_cookies()
            return words in self.find(selector).text

        self.wait(said, f"{selector} says {words!r}", 60)
        return cookies

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    # -- the drain page --------------------------------------------------------------------

    def rows(self) -> dict[str, list[str]]:
        """The cells of the progress table that are shown, by instance."""
        script = """
            return Array.from(document.querySelectorAll('#mnt-progress tbody tr[data-id]'))
              .filter(tr => !tr.hidden)
              .map(tr => Array.from(tr.cells)
                .filter(td => !td.matches('.mnt-col-tools, .mnt-col-actions'))
                .map(td => td.textContent.trim()));
        """
        return {cells[0]: cells for cells in self.driver.execute_script(script)}

    def updates(self) -> int:
        """How many updates the page has asked for since it was loaded."""
        return self.driver.execute_script(
            "return performance.getEntriesByType('resource')"
            ".filter(e => e.name.includes('/updates/')).length"
        )

    def mark(self) -> None:
        """Leave a mark that a reload would wipe out."""
        self.driver.execute_script("window.notReloaded = true")

    @property
    def is_marked(self) -> bool:
        return bool(self.driver.execute_script("return window.notReloaded === true"))

    def problems(self) -> list[str]:
        """What the browser's console calls severe, but for requests that failed."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and entry["source"] != "network"
        ]

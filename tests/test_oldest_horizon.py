"""The oldest Horizon of the matrix: its pages and the store, and the main job in a browser; `make
matrix` runs the rest."""

import dataclasses
import json
import subprocess
import sys

import pytest

from tests.browser.test_drain import drain_in_modal, servers_of
from tests.browser.test_policy import ICONS
from tests.browser.window import Window, chromium
from tests.matrix.cells import Result, prepare, run_tests
from tests.matrix.environments import PYTHONS, find_python, releases, supported
from ukcloud_maintenance.demo.config import FAST, HostSpec
from ukcloud_maintenance.demo.harness import DemoCloud
from ukcloud_maintenance.demo.horizon import HorizonProcess

pytestmark = pytest.mark.timeout(1200)

#: A quarter of them, that which reaches most into Horizon and Django: two minutes of a processor
#: with the making of the environment, the whole of them six.
TESTS = (
    *(f"tests/panel/test_{page}.py" for page in ("access", "styles", "hosts", "workflow")),
    *(f"tests/panel/test_{page}.py" for page in ("drain_page", "preflight", "plans")),
    *(f"tests/store/test_{what}.py" for what in ("store", "steering", "hosts", "record")),
    "-k=not postgresql and not mariadb",
)
#: What the demo serves Horizon with.
SERVER = ("cheroot>=10", "whitenoise>=6")


@pytest.fixture(scope="module")
def oldest():
    """An environment with the oldest Horizon, and with us in it."""
    release, here = releases()[0], "{}.{}".format(*sys.version_info)
    version, python = next(
        (version, python)
        for version in (here, *PYTHONS)
        if version in supported(release) and (python := find_python(version))
    )
    result = Result(release, version)
    made = prepare(result, python)
    assert result.problems == []
    return made


def test_the_pages_and_the_store_work_in_the_oldest_horizon(oldest):
    passed, failed, _skipped = run_tests(oldest, TESTS, workers=1)
    assert failed == 0, (oldest.folder / "tests.log").read_text()[-5000:]
    assert passed > 300


def test_a_host_is_drained_in_the_oldest_horizon(oldest, tmp_path):
    constraints = oldest.folder / "installed.txt"  # nothing of its Horizon's is changed
    oldest.pip("install", "-c", constraints, *SERVER)
    hosts = tuple(HostSpec(f"cmp{n}", "az1") for n in (1, 2, 3))
    settings = json.dumps({"POLL_SECONDS": 0.5, "IDLE_SECONDS": 1, "SETTLE_SECONDS": 3})
    with (
        DemoCloud(config=dataclasses.replace(FAST, hosts=hosts)) as cloud,
        HorizonProcess(cloud, tmp_path, maintenance=settings, python=oldest.python) as horizon,
    ):
        servers = cloud.create_servers(("web-1", "web-2"), host="cmp1")
        driver = chromium(tmp_path / "profile")
        worker = None
        try:
            window = Window(driver, horizon.url).log_in("admin", "demo")
            window.go()
            window.see("tr[data-host=cmp1]")
            assert window.text("tr[data-host=cmp1] .mnt-number") == "2"
            window.picture("oldest-hosts")
            icons_are_drawn(window)
            drain_in_modal(window, "cmp1", "as old as it gets")
            with (tmp_path / "worker.log").open("wb") as log:
                worker = subprocess.Popen(
                    [oldest.python, "-m", "django", "maintenance_worker"],
                    cwd=tmp_path,
                    env=horizon.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            window.wait_for_text("Drained", "[data-part=state]", 240)
            window.wait_for_text("Safe to power off", timeout=120)
            window.picture("oldest-drained")
            icons_are_drawn(window)
            assert set(window.rows()) == {"web-1", "web-2"}
            assert window.problems() == []
            assert servers_of(cloud, "cmp1") == []
            elsewhere = {s["id"] for host in ("cmp2", "cmp3") for s in servers_of(cloud, host)}
            assert elsewhere == set(servers)
        finally:
            driver.quit()
            if worker:
                worker.terminate()
                worker.wait(60)


def icons_are_drawn(window: Window) -> None:
    """Each as a glyph, none as an empty box."""
    window.wait(
        lambda: window.driver.execute_script("return document.fonts.status") == "loaded",
        "the fonts are there",
    )
    seen = window.driver.execute_script(ICONS)
    assert seen
    assert [classes for classes, is_drawn in seen if not is_drawn] == []

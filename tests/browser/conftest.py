"""A real browser, a real Horizon with the plugin, a real Keystone, Placement and Nova.

Screenshots of every screen go to `screenshots/`, which is not committed.
"""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

import pytest
from django.core.management import call_command

from tests.browser import all_drains
from tests.browser.window import GONE, Browser, Window
from tests.databases import as_default, from_url
from ukcloud_maintenance.demo.config import DEFAULT_HOSTS, FAST, MIB, HostSpec
from ukcloud_maintenance.demo.harness import DemoCloud
from ukcloud_maintenance.demo.horizon import HorizonProcess

#: slow enough to be seen moving, fast enough for a test
CONFIG = dataclasses.replace(
    FAST,
    # cmp6 is in none of `all_drains`: it receives whatever of these is looked at
    hosts=(*DEFAULT_HOSTS, *(HostSpec(f"cmp{n}", "az2") for n in (4, 5, 6))),
    copy_bytes_per_second=150 * MIB,
    progress_interval_seconds=0.5,
)
MEMBER = ("somebody", "demo-member")


@pytest.fixture(scope="package")
def cloud() -> Iterator[DemoCloud]:
    with DemoCloud(config=CONFIG) as running:
        add_member(running)
        yield running


def add_member(cloud: DemoCloud) -> None:
    """A user who may log in to the project of the administrators, and no more."""
    keystone = cloud.adapter("identity")
    name, password = MEMBER
    projects = keystone.get("/projects?name=admin").json()["projects"]
    roles = keystone.get("/roles?name=member").json()["roles"]
    user = {"name": name, "password": password, "domain_id": "default"}
    user_id = keystone.post("/users", json={"user": user}).json()["user"]["id"]
    keystone.put(f"/projects/{projects[0]['id']}/users/{user_id}/roles/{roles[0]['id']}")


@pytest.fixture(scope="package")
def horizon(cloud, tmp_path_factory) -> Iterator[HorizonProcess]:
    settings = {"POLL_SECONDS": 1, "IDLE_SECONDS": 1.5, "SETTLE_SECONDS": 10}
    settings["BY_HAND_SETTLE_SECONDS"] = 3
    state = tmp_path_factory.mktemp("horizon")
    with HorizonProcess(cloud, state, maintenance=json.dumps(settings)) as running:
        yield running


@pytest.fixture
def record(horizon, django_db_blocker) -> Callable[[], AbstractContextManager[None]]:
    """Horizon's database as that of this process, for as long as the context lasts."""
    rows = from_url(f"sqlite:///{horizon.state / 'horizon' / 'horizon.sqlite3'}")

    @contextmanager
    def record() -> Iterator[None]:
        with django_db_blocker.unblock(), as_default(rows):
            yield

    return record


@pytest.fixture(autouse=True)
def empty_record(record) -> None:
    """No drain and no maintenance of an earlier test: a host that is one's own to drain."""
    with record():
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def drains(record, empty_record) -> dict[str, int]:
    """A drain in every state and a plan, without a worker: their numbers by name."""
    with record():
        return all_drains.write()


@pytest.fixture
def start_worker(horizon) -> Iterator[Callable[[], Callable[[], None]]]:
    """Start the worker when the test wants it. It is stopped at the test's end, or by what this
    gives, where what the test writes would be overtaken by the worker's next look."""
    with ExitStack() as running:

        def start() -> Callable[[], None]:
            with (horizon.state / "worker.log").open("ab") as log:
                worker = subprocess.Popen(
                    [sys.executable, "-m", "django", "maintenance_worker"],
                    env=horizon.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            stop = partial(_stop, worker)
            running.callback(stop)
            return stop

        yield start


def _stop(worker: subprocess.Popen) -> None:
    worker.terminate()
    try:
        worker.wait(30)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


@pytest.fixture(scope="package")
def browser(tmp_path_factory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def open_window(horizon, browser) -> Iterator[Callable[..., Window]]:
    """Open the one window of a test. One that crashes at its start, before any page of ours is in
    it, says nothing of ours: there is another browser, once."""

    def open_one(width: int = 1400, height: int = 1000) -> Window:
        try:
            return Window(browser.open_window(width, height), horizon.url)
        except GONE:
            browser.quit()
            return Window(browser.open_window(width, height), horizon.url)

    yield open_one
    browser.close_window()


@pytest.fixture
def window(open_window) -> Window:
    """A window in which the administrator is logged in."""
    return open_window().as_user("admin", "demo")


@pytest.fixture
def servers(cloud) -> Iterator[Callable[..., dict[str, str]]]:
    """Make servers on a host; they are deleted at the end. Their ids by name."""
    made: list[str] = []  # several may have one name

    def make(host: str, *names: str, **more) -> dict[str, str]:
        ids = cloud.create_servers(names, host=host, **more)
        made.extend(ids)
        return dict(zip(names, ids, strict=True))

    yield make
    cloud.delete_server(*made)
    for service in cloud.nova.get("/os-services?binary=nova-compute").json()["services"]:
        if service["status"] == "disabled":
            cloud.nova.put(f"/os-services/{service['id']}", json={"status": "enabled"})

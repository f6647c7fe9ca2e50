"""Horizon with the plugin, served as in production; around it nothing but hostile names.

`get_wsgi_application` in a process of its own: what it loads before Horizon's settings replace
Django's `escape` is part of what is tested, and pytest-django loads in another order.
"""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.browser.window import Window, chromium
from tests.databases import as_default, from_url
from tests.hostile import world
from tests.unit.openstack_server import OpenStack, running
from ukcloud_maintenance.demo.horizon import HorizonProcess


@pytest.fixture(scope="session")
def openstack() -> Iterator[OpenStack]:
    with running() as stand_in:
        world.prepare(stand_in)
        yield stand_in


@pytest.fixture(scope="session")
def horizon(openstack, tmp_path_factory) -> Iterator[HorizonProcess]:
    state = tmp_path_factory.mktemp("hostile")
    cloud = SimpleNamespace(auth_url=f"{openstack.url}/identity/v3", clouds_yaml="")
    url = f"sqlite:///{state / 'rows.sqlite3'}"
    with HorizonProcess(cloud, state, database_url=url) as process:  # type: ignore[arg-type]
        yield process


@pytest.fixture(scope="session")
def ids(horizon, django_db_blocker) -> dict[str, int]:
    """The hostile rows, by what they are."""
    settings = from_url(horizon.environment["DEMO_DATABASE_URL"])
    with django_db_blocker.unblock(), as_default(settings):
        return world.fill()


@pytest.fixture(scope="session")
def window(horizon, tmp_path_factory) -> Iterator[Window]:
    """A browser in which an administrator is logged in."""
    driver = chromium(tmp_path_factory.mktemp("profile"))
    driver.set_script_timeout(60)
    try:
        yield Window(driver, horizon.url).log_in("admin", "demo")
    finally:
        driver.quit()

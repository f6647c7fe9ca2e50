"""One demo cloud for this folder; every test makes servers of its own."""

import dataclasses
from collections.abc import Iterator

import pytest

from ukcloud_maintenance.demo.config import DEFAULT_HOSTS, FAST
from ukcloud_maintenance.demo.harness import DemoCloud

#: The host whose nova-compute runs one live migration at a time, as Nova's default is.
ONE_AT_A_TIME = "cmp3"

CONFIG = dataclasses.replace(
    FAST,
    hosts=tuple(
        dataclasses.replace(host, max_concurrent_live_migrations=1)
        if host.name == ONE_AT_A_TIME
        else host
        for host in DEFAULT_HOSTS
    ),
    max_concurrent_live_migrations=4,
)


@pytest.fixture(scope="package")
def cloud() -> Iterator[DemoCloud]:
    with DemoCloud(config=CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def own_cloud() -> Iterator[DemoCloud]:
    """For tests that stop or kill the whole control plane; smaller, since it starts often."""
    few = tuple(host for host in CONFIG.hosts if host.name in ("cmp1", "cmp10"))
    with DemoCloud(config=dataclasses.replace(CONFIG, hosts=few)) as running:
        yield running

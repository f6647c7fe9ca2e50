"""One cloud with real libvirt and QEMU for all tests of this folder; see `cloud`."""

import concurrent.futures
import time

import pytest

from tests.libvirt import parts
from tests.libvirt.cloud import LibvirtCloud
from tests.worker import driving

#: Real hypervisors are slower than simulated ones, and a busy machine slower still.
SETTINGS = driving.SETTINGS | {
    "API_TIMEOUT_SECONDS": 20,
    "SUBMIT_GRACE_SECONDS": 40,
    "PROOF_WAIT_SECONDS": 60,
    # A copy that Nova aborts at the restart of its nova-compute leaves files at the destination,
    # at which the next attempt fails; the rollback of that one removes them.
    "MAX_ATTEMPTS": 3,
}


@pytest.fixture(scope="package")
def hypervisors():
    if why_not := parts.missing():
        pytest.skip(why_not)
    with LibvirtCloud() as cloud:
        yield cloud


@pytest.fixture
def nova(hypervisors, settings, monkeypatch):
    """The cloud, with its worker's credentials in place; afterwards every host is as it was."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(hypervisors.clouds_yaml))
    settings.UKCLOUD_MAINTENANCE = SETTINGS
    yield hypervisors
    hypervisors.put_in_order()


@pytest.fixture
def passes(nova):
    """Drives a drain to its end, pass by pass, in this process."""
    return driving.Passes(nova, sleep=time.sleep)


@pytest.fixture
def boot(nova):
    """Boots guests at once: ``boot("lv1", web="idle", db="full")`` -> their ids by name."""

    def boot_all(host: str, **kinds: str) -> dict[str, str]:
        nova.guest_flavor()  # made once, not by all at once
        with concurrent.futures.ThreadPoolExecutor() as pool:
            ids = pool.map(lambda name: nova.boot(name, host, kinds[name]), kinds)
            return dict(zip(kinds, ids, strict=True))

    return boot_all


@pytest.fixture
def all_faults(request):
    """For tests that are too slow for every run."""
    if not request.config.getoption("--all-faults"):
        pytest.skip("slow, runs with --all-faults")

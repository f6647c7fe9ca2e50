"""A cloud of three hosts, which the commands are given in place of the worker's."""

import pytest

from tests.fakes import FakeCloud, server, service
from ukcloud_maintenance import services


@pytest.fixture
def cloud(monkeypatch):
    """cmp1 with two ACTIVE servers and one SUSPENDED, cmp10 empty, cmp3 down."""
    fake = FakeCloud(
        [service("cmp1"), service("cmp10"), service("cmp3", state="down")],
        [
            server("web-1"),
            server("db-1", memory_bytes=4 * 1024**3),
            server("old-1", status="SUSPENDED", vm_state="suspended"),
        ],
    )
    monkeypatch.setattr(services, "connect_shell", lambda region: fake)
    return fake

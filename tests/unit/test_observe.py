"""What is read of a host while things happen to it."""

from dataclasses import replace

import pytest

from ukcloud_maintenance.core.facts import Migration, Server, Service
from ukcloud_maintenance.core.host.emptiness import look
from ukcloud_maintenance.exceptions import CloudServerError
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.observe.host import read_contents

SERVICE = Service("s", "cmp1", "az1", "up", "disabled")


class Changing:
    """A cloud in which a migration from cmp9 to cmp1 ends after a number of reads."""

    def __init__(self, ends_after: int):
        self.reads = 0
        self.ends_after = ends_after
        self.failing: set[str] = set()

    @property
    def has_arrived(self) -> bool:
        self.reads += 1
        return self.reads > self.ends_after

    def service(self, host):
        self.reads += 1
        return SERVICE

    def _server(self, arrived: bool) -> Server:
        host = "cmp1" if arrived else "cmp9"
        return Server("web", "web", host, "ACTIVE", "active", None)

    def servers_on(self, host):
        return [self._server(True)] if self.has_arrived else []

    def migrations_touching(self, host):
        status = "completed" if self.has_arrived else "running"
        return [Migration(1, "u", "web", status, "live-migration", "cmp9", "cmp1")]

    def server(self, server_id):
        if server_id in self.failing:
            raise CloudServerError("read the server", "boom", status=500)
        return self._server(self.has_arrived)


@pytest.mark.parametrize("ends_after", range(8))
def test_what_arrives_while_it_is_read_is_never_missed(ends_after):
    assert not look(read_contents(Changing(ends_after), "cmp1", lambda: None)).is_empty


def test_a_server_that_cannot_be_read_is_no_server_that_is_gone():
    cloud = Changing(99)
    cloud.failing = {"web"}
    contents = replace(read_contents(cloud, "cmp1", lambda: None), names={"web": "web-1"})
    [found] = look(contents).obstacles
    assert "web-1 (web), which could not be read" in english(found.said)

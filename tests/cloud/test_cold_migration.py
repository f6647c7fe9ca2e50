"""Cold migrations come to VERIFY_RESIZE and can be confirmed, reverted and made to fail."""

import pytest

from ukcloud_maintenance.demo import behaviours


def migrate(cloud, server: str) -> None:
    cloud.action(server, {"migrate": None})


@pytest.mark.parametrize("status", ["SHUTOFF", "ACTIVE"])
def test_confirmed(cloud, status):
    server = cloud.create_server(f"cold-{status}", host="cmp1", state=status)
    migrate(cloud, server)
    cloud.wait_for_server(server, "VERIFY_RESIZE")
    dest = cloud.host_of(server)
    assert dest != "cmp1"
    cloud.action(server, {"confirmResize": None})
    cloud.wait_for_server(server, status)
    assert cloud.host_of(server) == dest
    assert cloud.guests()[server] == [dest]
    assert cloud.migrations(server)[0]["status"] == "confirmed"


def test_reverted(cloud):
    server = cloud.create_server("cold-revert", host="cmp1", state="SHUTOFF")
    migrate(cloud, server)
    cloud.wait_for_server(server, "VERIFY_RESIZE")
    cloud.action(server, {"revertResize": None})
    cloud.wait_for_server(server, "SHUTOFF")
    assert cloud.host_of(server) == "cmp1"


def test_paused_is_refused(cloud):
    server = cloud.create_server("cold-paused", host="cmp1", state="PAUSED")
    response = cloud.nova.post(f"/servers/{server}/action", json={"migrate": None}, raise_exc=False)
    assert response.status_code == 409


def test_fails_at_the_source(cloud):
    server = cloud.create_server(
        "cold-fails", host="cmp1", state="SHUTOFF", metadata={behaviours.COLD_KEY: "fail"}
    )
    migrate(cloud, server)
    cloud.wait_for_migration(server, "error")
    cloud.wait_for_server(server, "SHUTOFF")
    assert cloud.host_of(server) == "cmp1"


def test_fails_at_the_destination(cloud):
    server = cloud.create_server(
        "cold-lands-badly", host="cmp1", metadata={behaviours.COLD_KEY: "fail-finish"}
    )
    migrate(cloud, server)
    cloud.wait_for_server(server, "ERROR")
    assert cloud.migrations(server)[0]["status"] == "error"

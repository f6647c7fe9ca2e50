"""The gateway's calls that steer a migration and prove a host empty, on the real Nova."""

import uuid

import pytest

from tests.cloud.conftest import ONE_AT_A_TIME
from tests.cloud.watching import copying, watch
from tests.said import raises
from ukcloud_maintenance.cloud import Cloud
from ukcloud_maintenance.demo.config import REGION
from ukcloud_maintenance.exceptions import (
    CloudAnswerUnusable,
    CloudBadRequest,
    CloudConflict,
    CloudError,
    CloudNotFound,
)

MIB = 1024**2
SLOW = f"rate={16 * MIB}"
"""Half a minute: as good as for ever."""


@pytest.fixture(scope="module")
def gateway(cloud):
    return Cloud(cloud.session("worker"), REGION)


def in_progress(cloud, server: str, status: str = "running", host: str | None = None) -> int:
    """Live-migrate a server and wait for a status; the id of the record."""
    cloud.live_migrate(server, host)
    if status == "running":
        return copying(cloud, server)["id"]
    return cloud.wait_for_migration(server, status)["id"]


def aborted_late(cloud, gateway, name: str, **more) -> str:
    """A server at cmp1 in ERROR, as Nova 33 and 34 leave it after an abort."""
    server = cloud.create_server(
        name, host="cmp1", play=f"late-error-after-abort after=0.5 {SLOW}", **more
    )
    gateway.abort_migration(server, in_progress(cloud, server))
    cloud.wait_for_migration(server, "error")
    cloud.wait(lambda: cloud.server(server)["status"] == "ERROR", "the server is in ERROR")
    return server


# -- services --------------------------------------------------------------------------------


def test_a_service_is_enabled_and_loses_its_reason(cloud, gateway):
    service = gateway.service("cmp11")
    gateway.disable_service(service.id, "new memory")
    assert gateway.service("cmp11").disabled_reason == "new memory"
    assert gateway.enable_service(service.id).startswith("req-")
    found = gateway.service("cmp11")
    assert (found.status, found.disabled_reason) == ("enabled", "")
    gateway.enable_service(service.id)  # enabled already: nothing to complain of


def test_a_service_that_does_not_exist_is_not_enabled(gateway):
    with pytest.raises(CloudNotFound):
        gateway.enable_service(str(uuid.uuid4()))


# -- migrations ------------------------------------------------------------------------------


def test_a_running_migration_is_aborted(cloud, gateway):
    server = cloud.create_server("abort-running", host="cmp1", play=SLOW)
    migration = in_progress(cloud, server)
    assert gateway.abort_migration(server, migration).startswith("req-")
    seen = watch(cloud, server)
    assert (seen.record["status"], seen.server["status"]) == ("cancelled", "ACTIVE")
    assert cloud.guests()[server] == ["cmp1"]


def test_a_queued_migration_is_aborted(cloud, gateway):
    first, second = cloud.create_servers(["aq-1", "aq-2"], host=ONE_AT_A_TIME, play=SLOW)
    running = in_progress(cloud, first)
    gateway.abort_migration(second, in_progress(cloud, second, "queued"))
    assert watch(cloud, second).record["status"] == "cancelled"
    assert gateway.abort_migration(first, running)
    watch(cloud, first)


def test_what_cannot_be_aborted_is_refused_in_novas_words(cloud, gateway):
    server = cloud.create_server("abort-late", host="cmp1")
    migration = in_progress(cloud, server, "completed")
    cloud.wait_for_server(server, "ACTIVE")
    with raises(CloudConflict, match="invalid state"):
        gateway.abort_migration(server, migration)
    with raises(CloudConflict, match="invalid state"):
        gateway.force_complete(server, migration)


def test_neither_is_a_migration_of_another_server(cloud, gateway):
    one = cloud.create_server("abort-one", host="cmp1", play=SLOW)
    other = cloud.create_server("abort-other", host="cmp1")
    others = in_progress(cloud, other, "completed")
    mine = in_progress(cloud, one)
    with raises(CloudNotFound, match=str(others)):
        gateway.abort_migration(one, others)
    with raises(CloudBadRequest, match=str(others)):
        gateway.force_complete(one, others)
    gateway.abort_migration(one, mine)
    watch(cloud, one)


def test_a_queued_migration_is_not_forced(cloud, gateway):
    first, second = cloud.create_servers(["fq-1", "fq-2"], host=ONE_AT_A_TIME, play=SLOW)
    running, queued = in_progress(cloud, first), in_progress(cloud, second, "queued")
    with raises(CloudBadRequest, match="queued"):
        gateway.force_complete(second, queued)
    for server, migration in ((second, queued), (first, running)):
        gateway.abort_migration(server, migration)
        watch(cloud, server)


def test_an_endless_migration_is_forced_to_complete(cloud, gateway):
    server = cloud.create_server("force-endless", host="cmp1", play="never-converges")
    migration = in_progress(cloud, server)
    assert gateway.force_complete(server, migration).startswith("req-")
    seen = watch(cloud, server)
    assert (seen.record["status"], seen.server["status"]) == ("completed", "ACTIVE")


def test_migrations_are_found_from_both_sides(cloud, gateway):
    server = cloud.create_server("both-sides", host="cmp1")
    migration = in_progress(cloud, server, "completed", "cmp12")
    for host in ("cmp1", "cmp12"):
        found = gateway.migrations_touching(host)
        assert migration in [m.id for m in found]
        assert all(host in (m.source_compute, m.dest_compute) for m in found)
    assert migration not in [m.id for m in gateway.migrations_touching("cmp10")]
    assert gateway.migrations_touching("cmp") == []


# -- servers ---------------------------------------------------------------------------------


def test_a_state_is_reset(cloud, gateway):
    server = cloud.create_server("reset", host="cmp1", state="ERROR")
    assert gateway.reset_state_to_active(server).startswith("req-")
    assert gateway.server(server).status == "ACTIVE"
    with pytest.raises(CloudNotFound):
        gateway.reset_state_to_active(str(uuid.uuid4()))


def test_diagnostics_of_a_guest_that_runs(cloud, gateway):
    found = gateway.diagnostics(cloud.create_server("diag", host="cmp1"))
    assert (found.state, found.driver, found.hypervisor) == ("running", "libvirt", "qemu")
    assert 0 <= found.uptime_seconds < 600


def test_diagnostics_after_a_late_error_say_that_the_guest_runs(cloud, gateway):
    server = aborted_late(cloud, gateway, "diag-late")
    assert gateway.server(server).vm_state == "error"
    assert gateway.diagnostics(server).state == "running"
    gateway.reset_state_to_active(server)
    assert gateway.server(server).status == "ACTIVE"


@pytest.mark.parametrize("state", ["PAUSED", "SHUTOFF"])
def test_diagnostics_of_a_guest_that_does_not_run_are_refused(cloud, gateway, state):
    server = cloud.create_server(f"diag-{state}", host="cmp1", state=state)
    words = {"PAUSED": "paused", "SHUTOFF": "shutdown"}[state]
    with raises(CloudConflict, match=f"power state {words}"):
        gateway.diagnostics(server)


def test_diagnostics_of_a_guest_that_is_elsewhere_are_refused(cloud, gateway):
    """Nova's words name the state of its database; the refusal is the hypervisor's."""
    server = cloud.create_server("diag-landed", host="cmp1", play="landed-but-source after=1")
    cloud.live_migrate(server)
    cloud.wait(lambda: cloud.guests()[server] != ["cmp1"], "the guest is at the destination")
    with raises(CloudConflict, match="power state running"):
        gateway.diagnostics(server)
    cloud.wait_for_migration(server, "error")
    cloud.wait(lambda: cloud.server(server)["status"] == "ERROR", "the server is in ERROR")
    assert gateway.server(server).host == "cmp1"
    with raises(CloudConflict, match="power state running"):
        gateway.diagnostics(server)
    assert "power state" in gateway.server(server).fault_message


def test_a_guest_that_is_elsewhere_stays_there_when_novacompute_starts_again(cloud, gateway):
    server = cloud.create_server("diag-restart", host="cmp2", play="landed-but-source after=0")
    cloud.live_migrate(server)
    cloud.wait_for_migration(server, "error")
    there = cloud.guests()[server]
    assert there != ["cmp2"]
    for host in ("cmp2", *there):
        cloud.control_host(host, "kill")
        cloud.control_host(host, "start")
    assert cloud.guests()[server] == there
    with pytest.raises(CloudConflict):
        gateway.diagnostics(server)


def test_diagnostics_of_a_host_that_does_not_answer(cloud, gateway):
    server = cloud.create_server("diag-frozen", host="cmp10")
    cloud.control_host("cmp10", "stop")
    try:
        with pytest.raises(CloudError):
            Cloud(cloud.session("worker"), REGION, timeout=5).diagnostics(server)
    finally:
        cloud.control_host("cmp10", "start")


# -- hypervisors and Placement ---------------------------------------------------------------


def test_the_hypervisor_of_exactly_one_host(gateway):
    """cmp1 is a part of the names of cmp10, cmp11 and cmp12."""
    [found] = gateway.hypervisors_of("cmp1")
    assert (found.host, found.hypervisor_hostname) == ("cmp1", "cmp1.demo.example")
    assert gateway.hypervisors_of("cmp") == []
    assert gateway.hypervisors_of("no such host") == []


@pytest.fixture
def provider(gateway):
    def find(host: str) -> str:
        [hypervisor] = gateway.hypervisors_of(host)
        return hypervisor.id

    return find


def test_what_servers_hold_of_their_host(cloud, gateway, provider):
    server = cloud.create_server("allocated", host="cmp11", ram_mib=1024)
    [found] = [a for a in gateway.allocations_on([provider("cmp11")]) if a.consumer_id == server]
    assert found.resources["MEMORY_MB"] == 1024
    assert found.resources["VCPU"] == 1
    assert found.provider_id == provider("cmp11")
    cloud.delete_server(server)
    found = gateway.allocations_on([provider("cmp11")])
    assert server not in [a.consumer_id for a in found]


def test_an_unconfirmed_migration_holds_the_source_by_its_own_uuid(cloud, gateway, provider):
    server = cloud.create_server("held", host="cmp11", state="SHUTOFF")
    cloud.action(server, {"migrate": {"host": "cmp12"}})
    cloud.wait_for_server(server, "VERIFY_RESIZE")
    [record] = [m for m in gateway.migrations_touching("cmp11") if m.server_id == server]
    assert record.status == "finished"
    assert record.uuid in [a.consumer_id for a in gateway.allocations_on([provider("cmp11")])]
    assert server in [a.consumer_id for a in gateway.allocations_on([provider("cmp12")])]
    cloud.action(server, {"confirmResize": None})
    cloud.wait_for_server(server, "SHUTOFF")
    assert record.uuid not in [a.consumer_id for a in gateway.allocations_on([provider("cmp11")])]
    cloud.delete_server(server)


def test_an_empty_host_has_no_allocations(own_cloud):
    gateway = Cloud(own_cloud.session("worker"), REGION)
    [hypervisor] = gateway.hypervisors_of("cmp10")
    assert gateway.servers_on("cmp10") == []
    assert gateway.allocations_on([hypervisor.id]) == []
    assert gateway.allocations_on([]) == []


def test_an_unknown_provider_is_not_an_empty_one(gateway, provider):
    with raises(CloudAnswerUnusable, match="does not know"):
        gateway.allocations_on([provider("cmp11"), str(uuid.uuid4())])

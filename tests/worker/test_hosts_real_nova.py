"""The certificate and the return to service against a real Nova with simulated hypervisors."""

import contextlib
import json
import signal
import sqlite3
import time
import uuid
from dataclasses import replace

import pytest
from django.utils import timezone

from tests.worker import driving
from tests.worker.conftest import HOSTS
from tests.worker.driving import Installation, Passes, servers_on, service_of
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.host.certificate import CODES
from ukcloud_maintenance.core.states import ReturnChoice
from ukcloud_maintenance.demo.config import FAST
from ukcloud_maintenance.demo.databases import path_of
from ukcloud_maintenance.demo.harness import DemoCloud, DemoCloudError
from ukcloud_maintenance.exceptions import CloudConflict, Refused
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain, Event
from ukcloud_maintenance.worker.host import HostReconciler

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

REGION = "RegionOne"
REASON = "new kernel"
SLOW = "rate=20000000"


@pytest.fixture(scope="module")
def demo():
    """One that keeps deleted servers for a while."""
    config = replace(FAST, hosts=HOSTS, max_concurrent_live_migrations=2, reclaim_seconds=3600)
    with DemoCloud(config=config) as cloud:
        yield cloud


class Hosts:
    """A worker that is this process, on hosts in maintenance."""

    def __init__(self, nova: DemoCloud, passes: Passes):
        self.nova = nova
        self.passes = passes
        self.cloud = passes.cloud

    def drain(self, host: str, reason: str = REASON) -> Drain:
        drain = self.passes.until_over(self.passes.ask(host, reason=reason))
        assert drain.state == "succeeded", drain.message
        return drain

    def one_pass(self, host: str) -> None:
        maintenance = store.open_maintenance(REGION, host)
        HostReconciler(self.cloud, "worker", timezone.now).run(maintenance)

    def verify(self, host: str) -> services.Certificate:
        self.one_pass(host)
        return services.certificate(shell_actor(), REGION, host)

    def failed(self, host: str) -> dict[str, str]:
        """The checks that fail now, with everything that they say."""
        found = self.verify(host)
        failed = {
            check.code: " ".join(map(english, [check.found, *check.details]))
            for check in found.checks
            if not check.passed
        }
        assert found.safe is not bool(failed)
        return failed

    def safe(self, host: str) -> None:
        assert self.failed(host) == {}
        assert store.open_maintenance(REGION, host).safe_since

    def withdrawn(self, host: str, *codes: str) -> dict[str, str]:
        """It was safe and is not any more, because of exactly these checks."""
        before = store.open_maintenance(REGION, host)
        assert before.safe_since
        failed = self.failed(host)
        assert set(failed) == set(codes), failed
        now = store.open_maintenance(REGION, host)
        assert now.safe_since is None
        assert now.withdrawn_at > before.verified_at
        assert now.withdrawn_why
        last = Event.objects.filter(maintenance=now).last()
        assert (last.kind, last.message) == ("safe_withdrawn", now.withdrawn_why)
        return failed

    def put(self, host: str, **body: str) -> None:
        self.nova.nova.put(f"/os-services/{service_of(self.nova, host)['id']}", json=body)

    @contextlib.contextmanager
    def enabled(self, host: str):
        """Somebody enables the service for a while, and disables it with the reason it had."""
        reason = service_of(self.nova, host)["disabled_reason"]
        self.put(host, status="enabled")
        try:
            yield
        finally:
            self.put(host, status="disabled", disabled_reason=reason)

    def build(self, name: str, host: str, **more) -> str:
        """The scheduler hears of a service that was enabled a moment later than the API."""
        return self.until_the_scheduler_knows(
            lambda: self.nova.create_server(name, host=host, **more), name
        )

    def until_the_scheduler_knows(self, call, name: str):
        for _ in range(20):
            try:
                return call()
            except DemoCloudError:
                failed = self.nova.nova.get(f"/servers?all_tenants=1&name=^{name}$").json()
                self.nova.delete_server(*[s["id"] for s in failed["servers"]])
                time.sleep(0.5)
        raise AssertionError(f"{name} does not come to be")

    def ask(self, host: str, choice: ReturnChoice | None = None, **more):
        request = services.ReturnRequest(host, choice, **more)
        return services.return_host(shell_actor(), self.cloud, request)

    def until_returned(self, host: str, timeout: float = 60):
        maintenance = store.open_maintenance(REGION, host)
        deadline = time.monotonic() + timeout
        while maintenance.closed_at is None:
            assert time.monotonic() < deadline, maintenance.message
            self.one_pass(host)
            maintenance = store.maintenance(maintenance.pk)
            time.sleep(0.5)
        return maintenance


@pytest.fixture
def hosts(nova, passes):
    return Hosts(nova, passes)


# -- safe to power off -----------------------------------------------------------------------


def test_a_drained_host_is_safe_until_somebody_enables_its_service(nova, hosts):
    server = nova.create_server("web", host="cmp1")
    drain = hosts.drain("cmp1")
    found = hosts.verify("cmp1")
    assert found.safe, found.why_not
    assert [c.code for c in found.checks] == list(CODES)
    assert nova.host_of(server) != "cmp1"
    event = Event.objects.get(kind="safe_to_power_off")
    assert event.drain == drain
    hosts.put("cmp1", status="enabled")
    failed = hosts.withdrawn("cmp1", "service_disabled")
    assert "enabled" in failed["service_disabled"]
    hosts.put("cmp1", status="disabled", disabled_reason=REASON)
    hosts.safe("cmp1")


def test_a_host_that_is_switched_off_is_told_calmly(nova, hosts):
    hosts.drain("cmp2")
    hosts.safe("cmp2")
    nova.control_host("cmp2", "stop")
    try:
        nova.wait(lambda: service_of(nova, "cmp2")["state"] == "down", "cmp2 is down")
        hosts.withdrawn("cmp2", "service_up")
        why = english(store.open_maintenance(REGION, "cmp2").withdrawn_why)
        assert "most likely because it was powered off" in why
    finally:
        nova.control_host("cmp2", "start")
    nova.wait(lambda: service_of(nova, "cmp2")["state"] == "up", "cmp2 is up")
    hosts.safe("cmp2")


def test_a_host_that_is_forced_down_is_not_safe(nova, hosts):
    hosts.drain("cmp2")
    hosts.safe("cmp2")
    identifier = service_of(nova, "cmp2")["id"]
    nova.nova.put(f"/os-services/{identifier}", json={"forced_down": True})
    try:
        failed = hosts.withdrawn("cmp2", "service_up")
        assert "forced down" in failed["service_up"]
        why = english(store.open_maintenance(REGION, "cmp2").withdrawn_why)
        assert "powered off" not in why
    finally:
        nova.nova.put(f"/os-services/{identifier}", json={"forced_down": False})


def test_an_instance_that_arrives_withdraws_it_also_when_it_is_soft_deleted(nova, hosts):
    hosts.drain("cmp3")
    hosts.safe("cmp3")
    with hosts.enabled("cmp3"):
        server = hosts.build("late", "cmp3")
    failed = hosts.withdrawn("cmp3", "no_servers", "no_allocations")
    assert f"late ({server}), ACTIVE" in failed["no_servers"]
    assert f"server late ({server})" in failed["no_allocations"]
    assert "MEMORY_MB 512" in failed["no_allocations"]
    nova.nova.delete(f"/servers/{server}")
    nova.wait(lambda: nova.server(server)["status"] == "SOFT_DELETED", "it is soft-deleted")
    plain = nova.nova.get("/servers?all_tenants=1&host=cmp3").json()["servers"]
    assert plain == [], "a plain list does not show it"
    assert "late" in hosts.failed("cmp3")["no_servers"]
    assert "SOFT_DELETED" in hosts.failed("cmp3")["no_servers"]
    nova.delete_server(server)
    hosts.safe("cmp3")


def test_a_migration_away_from_it_withdraws_it_until_it_has_landed(nova, hosts):
    hosts.drain("cmp4")
    hosts.safe("cmp4")
    with hosts.enabled("cmp4"):
        server = hosts.build("leaving", "cmp4", play=SLOW)
    nova.live_migrate(server, "cmp5")
    nova.wait_for_migration(server, "running")
    failed = hosts.withdrawn("cmp4", "no_servers", "no_migrations", "no_allocations")
    assert "from cmp4 to cmp5" in failed["no_migrations"]
    assert f"leaving ({server})" in failed["no_migrations"]
    nova.wait_for_migration(server, "completed")
    nova.wait_for_server(server, "ACTIVE")
    hosts.safe("cmp4")


def test_a_migration_towards_it_withdraws_it(nova, hosts):
    server = nova.create_server("coming", host="cmp5", play="stall")
    hosts.drain("cmp6")
    hosts.safe("cmp6")

    def migrate():
        nova.live_migrate(server, "cmp6")
        found = nova.wait_for_migration(server, "running", "error", "failed")
        if found["status"] != "running":
            raise DemoCloudError("the scheduler does not know yet")

    with hosts.enabled("cmp6"):
        hosts.until_the_scheduler_knows(migrate, "no such server")
    assert servers_on(nova, "cmp6") == []
    failed = hosts.withdrawn("cmp6", "no_migrations", "no_allocations")
    assert "from cmp5 to cmp6" in failed["no_migrations"]
    assert f"server coming ({server})" in failed["no_allocations"]
    in_progress = nova.progress(server)[0]["id"]
    nova.nova.delete(f"/servers/{server}/migrations/{in_progress}")
    nova.wait_for_migration(server, "cancelled")
    nova.wait_for_server(server, "ACTIVE")
    nova.wait(lambda: not hosts.failed("cmp6"), "nothing of it is left")


def test_a_resize_that_is_not_confirmed_withdraws_it_on_the_side_that_it_left(nova, hosts):
    hosts.drain("cmp7")
    hosts.safe("cmp7")
    with hosts.enabled("cmp7"):
        server = hosts.build("held", "cmp7", state="SHUTOFF")
    nova.action(server, {"migrate": {"host": "cmp8"}})
    nova.wait_for_server(server, "VERIFY_RESIZE")
    assert servers_on(nova, "cmp7") == [], "Nova's list does not show it"
    failed = hosts.withdrawn("cmp7", "no_resizes", "no_allocations")
    assert f"held ({server}), VERIFY_RESIZE on cmp8" in failed["no_resizes"]
    assert "migration" in failed["no_allocations"]
    nova.action(server, {"confirmResize": None})
    nova.wait_for_server(server, "SHUTOFF")
    hosts.safe("cmp7")


def test_a_resize_that_is_not_confirmed_withdraws_it_on_the_side_where_it_arrived(nova, hosts):
    server = nova.create_server("held", host="cmp9", state="SHUTOFF")
    hosts.drain("cmp8")
    hosts.safe("cmp8")

    def migrate():
        answer = nova.nova.post(
            f"/servers/{server}/action", json={"migrate": {"host": "cmp8"}}, raise_exc=False
        )
        if answer.status_code != 202:
            raise DemoCloudError(answer.text)
        nova.wait(lambda: nova.server(server)["OS-EXT-STS:task_state"] is None, "it settles")
        if nova.server(server)["status"] != "VERIFY_RESIZE":
            raise DemoCloudError("the scheduler does not know yet")

    with hosts.enabled("cmp8"):
        hosts.until_the_scheduler_knows(migrate, "no such server")
    failed = hosts.withdrawn("cmp8", "no_servers", "no_resizes", "no_allocations")
    assert "from cmp9 to cmp8" in failed["no_resizes"]
    assert "VERIFY_RESIZE" in failed["no_servers"]
    nova.action(server, {"revertResize": None})
    nova.wait_for_server(server, "SHUTOFF")
    assert nova.host_of(server) == "cmp9"
    nova.wait(lambda: not hosts.failed("cmp8"), "nothing of it is left")


def provider_of(nova, host: str) -> str:
    found = nova.nova.get("/os-hypervisors/detail").json()["hypervisors"]
    return next(one["id"] for one in found if one["service"]["host"] == host)


def held_by(nova, consumer: str) -> dict:
    answer = nova.adapter("placement").get(f"/allocations/{consumer}", microversion="1.28")
    return {p: held["resources"] for p, held in answer.json()["allocations"].items()}


def test_what_a_migration_that_is_over_left_behind_is_named_and_removed_and_no_more(nova, hosts):
    """As a nova-compute leaves it that was killed: the record is over, and holds its source."""
    server = nova.create_server("left-behind", host="st1")
    hosts.drain("st1")
    [record] = nova.migrations(server)
    here, elsewhere = provider_of(nova, "st1"), provider_of(nova, nova.host_of(server))
    placement = nova.adapter("placement")
    resources = {"resources": {"VCPU": 1, "MEMORY_MB": 64}}
    placement.put(
        f"/allocations/{record['uuid']}",
        json={
            "allocations": {here: resources, elsewhere: resources},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
        },
        microversion="1.28",
    )
    before = held_by(nova, server)
    said = hosts.failed("st1")["no_allocations"]
    assert f"of server left-behind ({server}): MEMORY_MB 64, VCPU 1" in said
    assert f"; the server is ACTIVE on {nova.host_of(server)}. This is probably a leftover" in said
    assert f"host_allocations st1 --remove {record['uuid']}" in said
    [found] = services.host_allocations(shell_actor(), hosts.cloud, "st1")
    assert found.removable, found.checks
    services.remove_allocation(shell_actor(), hosts.cloud, "st1", record["uuid"])
    # that of the host is gone, what the consumer holds elsewhere stays, and the server's own
    assert set(held_by(nova, record["uuid"])) == {elsewhere}
    assert held_by(nova, server) == before
    hosts.safe("st1")
    maintenance = store.open_maintenance(REGION, "st1")
    kinds = [
        e.kind for e in Event.objects.filter(maintenance=maintenance, actor=shell_actor().name)
    ]
    assert kinds[-2:] == ["allocation_remove_asked", "allocation_removed"]
    with pytest.raises(Refused) as refused:
        services.remove_allocation(shell_actor(), hosts.cloud, "st1", record["uuid"])
    assert "holds no resources of st1" in english(refused.value.said)


def test_what_changes_while_it_is_removed_is_not_removed(nova, hosts, monkeypatch):
    server = nova.create_server("racing", host="st2")
    hosts.drain("st2")
    [record] = nova.migrations(server)
    here = provider_of(nova, "st2")
    placement = nova.adapter("placement")

    def put(vcpus, generation):
        body = {
            "allocations": {here: {"resources": {"VCPU": vcpus}}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": generation,
        }
        return placement.put(
            f"/allocations/{record['uuid']}", json=body, microversion="1.28", raise_exc=True
        )

    put(1, None)
    real = hosts.cloud.set_allocations

    def somebody_is_faster(consumer):
        put(2, consumer.generation)
        return real(consumer)

    monkeypatch.setattr(hosts.cloud, "set_allocations", somebody_is_faster)
    with pytest.raises(CloudConflict):
        services.remove_allocation(shell_actor(), hosts.cloud, "st2", record["uuid"])
    assert held_by(nova, record["uuid"]) == {here: {"VCPU": 2}}
    assert Event.objects.filter(kind="allocation_not_removed").exists()
    monkeypatch.undo()
    services.remove_allocation(shell_actor(), hosts.cloud, "st2", record["uuid"])
    assert held_by(nova, record["uuid"]) == {}


# -- what is on its way to a host that is drained ---------------------------------------------


def coming(nova, host: str, play: str) -> str:
    """An instance that somebody migrates to the host, before it is disabled."""
    server = nova.create_server("coming", host="cmp5", play=play)
    nova.live_migrate(server, host)
    nova.wait_for_migration(server, "running")
    return server


def test_what_somebody_migrates_to_the_host_is_waited_for_and_joins(nova, hosts, passes, settings):
    settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, "PROOF_WAIT_SECONDS": 90}
    server = coming(nova, "cmp11", f"{SLOW} to=cmp11")
    drain = passes.ask("cmp11")
    said = set()
    drain = passes.until_over(drain, watch=lambda seen: said.add(english(seen.message)))
    assert any("from cmp5 to cmp11 of coming" in message for message in said), said
    assert (drain.state, drain.result) == ("succeeded", "empty"), drain.message
    [row] = store.migrations(drain)
    assert (row.server_id, row.state) == (server, "succeeded")
    assert nova.host_of(server) != "cmp11"
    hosts.safe("cmp11")


def test_what_does_not_arrive_in_time_is_named(nova, hosts, passes, settings):
    settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, "PROOF_WAIT_SECONDS": 3}
    server = coming(nova, "cmp12", "stall to=cmp12")
    drain = passes.until_over(passes.ask("cmp12"))
    assert (drain.state, drain.result) == ("failed", "not_proved")
    assert f"from cmp5 to cmp12 of coming ({server}), MIGRATING on cmp5" in english(drain.message)
    assert "no_migrations" in hosts.failed("cmp12")
    nova.nova.delete(f"/servers/{server}/migrations/{nova.progress(server)[0]['id']}")
    nova.wait_for_migration(server, "cancelled")


def test_a_record_of_a_server_that_was_deleted_holds_neither_drain_nor_certificate(
    nova, hosts, passes
):
    server = nova.create_server("deleted", host="st3")
    nova.live_migrate(server, "cmp5")
    nova.wait_for_migration(server, "completed")
    nova.wait_for_server(server, "ACTIVE")
    nova.delete_server(server)
    # Nova removes the records with their server. What a nova-compute that was killed meanwhile
    # leaves behind is made by hand.
    with contextlib.closing(sqlite3.connect(path_of(nova.state, "nova_cell1"), timeout=60)) as cell:
        cell.execute(
            "UPDATE migrations SET deleted = 0, deleted_at = NULL, status = 'running'"
            " WHERE instance_uuid = ?",
            [server],
        )
        cell.commit()
    left = [(m.server_id, m.status) for m in hosts.cloud.migrations_touching("st3")]
    assert left == [(server, "running")]
    hosts.drain("st3")
    hosts.safe("st3")
    found = services.certificate(shell_actor(), REGION, "st3")
    [check] = [c for c in found.checks if c.code == "no_migrations"]
    assert "which no longer exists" in english(check.details[0])


@pytest.mark.parametrize("play", ["landing-fails", "error-after-copy"])
def test_an_instance_that_arrives_in_error_is_no_success_of_an_empty_host(
    nova, hosts, passes, play
):
    server = nova.create_server("lands", host="st4", play=f"{play} from=st4")
    drain = passes.until_over(passes.ask("st4"))
    assert servers_on(nova, "st4") == []
    assert (drain.state, drain.result) == ("failed", "instances_failed")
    assert english(drain.message).startswith(
        "Arrived in status ERROR, which differs from before the migration: lands."
    ), drain.message
    assert "The host is empty." in english(drain.message)
    hosts.one_pass("st4")
    nova.delete_server(server)


def test_an_allocation_that_nobody_knows_of_withdraws_it(nova, hosts):
    hosts.drain("cmp10")
    hosts.safe("cmp10")
    placement = nova.adapter("placement")
    found = nova.nova.get("/os-hypervisors/detail").json()["hypervisors"]
    provider = next(one["id"] for one in found if one["service"]["host"] == "cmp10")
    consumer = str(uuid.uuid4())
    placement.put(
        f"/allocations/{consumer}",
        json={
            "allocations": {provider: {"resources": {"VCPU": 1, "MEMORY_MB": 256}}},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
        },
        microversion="1.28",
    )
    failed = hosts.withdrawn("cmp10", "no_allocations")
    assert f"consumer {consumer}, neither a known server" in failed["no_allocations"]
    assert "MEMORY_MB 256, VCPU 1" in failed["no_allocations"]
    placement.delete(f"/allocations/{consumer}", microversion="1.28")
    hosts.safe("cmp10")


def test_a_placement_that_does_not_answer_refuses_it(nova, hosts):
    hosts.drain("cmp12")
    with nova.fault(path="^/placement/resource_providers", times=100, answer=503) as fault:
        failed = hosts.failed("cmp12")
        fault.wait_hit()
    assert set(failed) == {"no_allocations"}
    assert "503" in failed["no_allocations"]
    hosts.safe("cmp12")


def test_a_cell_that_does_not_answer_withdraws_it(nova, hosts):
    """Nova then lists no instance on the host, and says so to nobody but whoever reads its
    service."""
    hosts.drain("cmp12")
    hosts.safe("cmp12")
    with nova.cell_down():
        assert nova.nova.get("/servers?all_tenants=1&host=cmp12").json() == {"servers": []}
        failed = hosts.failed("cmp12")
        assert {"cell_answered", "no_servers", "no_migrations", "no_resizes"} <= set(failed)
        kept = store.open_maintenance(REGION, "cmp12")
        assert (kept.safe_since, bool(kept.withdrawn_why)) == (None, True)
    hosts.safe("cmp12")


def test_the_neighbour_whose_name_begins_alike_does_not_count(nova, hosts):
    nova.create_server("neighbour", host="cmp10")
    hosts.drain("cmp1")
    hosts.safe("cmp1")


# -- back to service -------------------------------------------------------------------------


def test_found_enabled_it_is_enabled(nova, hosts):
    hosts.drain("cmp1")
    hosts.ask("cmp1")
    maintenance = hosts.until_returned("cmp1")
    assert maintenance.return_result == "in_service"
    service = service_of(nova, "cmp1")
    assert (service["status"], service["disabled_reason"]) == ("enabled", None)
    event = Event.objects.get(kind="service_enabled")
    assert event.request_id.startswith("req-")
    # and can be drained anew, as a maintenance of its own
    assert hosts.drain("cmp1").maintenance != maintenance


@pytest.mark.parametrize("reason", ["bad DIMM, ask Ann", ""])
def test_found_disabled_it_is_left_as_it_was_found(nova, hosts, reason):
    body = {"status": "disabled"} | ({"disabled_reason": reason} if reason else {})
    hosts.put("cmp2", **body)
    before = service_of(nova, "cmp2")
    hosts.drain("cmp2")
    hosts.safe("cmp2")
    preview = services.return_preview(shell_actor(), hosts.cloud, "cmp2")
    assert (preview.ours, preview.default) == (False, "leave")
    hosts.ask("cmp2")
    assert hosts.until_returned("cmp2").return_result == "left"
    after = service_of(nova, "cmp2")
    same = ("status", "disabled_reason")
    assert {k: after[k] for k in same} == {k: before[k] for k in same}
    assert before["disabled_reason"] == (reason or None)


def test_disabled_by_the_first_of_two_drains_it_is_enabled(nova, hosts):
    first = hosts.drain("cmp3", "first")
    second = hosts.drain("cmp3", "second")
    assert first.maintenance == second.maintenance
    assert service_of(nova, "cmp3")["disabled_reason"] == "first"
    hosts.ask("cmp3")
    assert hosts.until_returned("cmp3").return_result == "in_service"
    assert service_of(nova, "cmp3")["status"] == "enabled"
    assert Event.objects.get(kind="host_returned").drain == second


def test_a_reason_that_is_not_ours_is_enabled_only_where_it_was_chosen(nova, hosts):
    hosts.drain("cmp4")
    hosts.put("cmp4", status="disabled", disabled_reason="bad DIMM")
    with pytest.raises(Refused) as refused:
        hosts.ask("cmp4")
    assert refused.value.code == "not_ours"
    assert "bad DIMM" in english(refused.value.said)
    assert service_of(nova, "cmp4")["disabled_reason"] == "bad DIMM"
    hosts.ask("cmp4", ReturnChoice.ENABLE)
    assert hosts.until_returned("cmp4").return_result == "in_service"
    assert service_of(nova, "cmp4")["status"] == "enabled"


def test_a_host_that_boots_is_enabled_at_once_and_waited_for(nova, hosts):
    hosts.drain("cmp5")
    nova.control_host("cmp5", "stop")
    try:
        nova.wait(lambda: service_of(nova, "cmp5")["state"] == "down", "cmp5 is down")
        hosts.ask("cmp5")
        for _ in range(3):
            hosts.one_pass("cmp5")
        maintenance = store.open_maintenance(REGION, "cmp5")
        assert service_of(nova, "cmp5")["status"] == "enabled"
        assert maintenance.closed_at is None
        assert "Waiting for Nova to report it up" in english(maintenance.message)
    finally:
        nova.control_host("cmp5", "start")
    maintenance = hosts.until_returned("cmp5")
    assert maintenance.return_result == "in_service"
    assert maintenance.closed_at > maintenance.enabled_at


def test_what_came_from_the_host_is_asked_to_come_back(nova, hosts):
    for name, state in {"a": "ACTIVE", "p": "PAUSED", "off": "SHUTOFF", "gone": "ACTIVE"}.items():
        nova.create_server(name, host="cmp6", state=state)
    drain = hosts.drain("cmp6")
    ids = {row.server_name: row.server_id for row in store.migrations(drain)}
    nova.delete_server(ids["gone"])
    preview = services.return_preview(shell_actor(), hosts.cloud, "cmp6")
    assert {one.server.name for one in preview.instances} == {"a", "p", "off"}
    assert (preview.already_back, preview.not_found) == (0, 1)
    maintenance = hosts.ask("cmp6", bring_back=True)
    run = store.return_run(maintenance)
    rows = {r.server_name: r for r in store.migrations(run)}
    assert {n: r.method for n, r in rows.items()} == {"a": "live", "p": "live", "off": "cold"}
    for row in rows.values():
        assert row.source_compute == nova.host_of(row.server_id) != "cmp6"
    assert hosts.until_returned("cmp6").return_result == "in_service"


# -- by workers in processes of their own ----------------------------------------------------


@pytest.fixture
def installed(nova, tmp_path):
    installation = Installation(nova, tmp_path)
    settings = {**driving.SETTINGS, "VERIFY_SECONDS": 10}
    installation.environment["TEST_MAINTENANCE"] = json.dumps(settings)
    yield installation
    installation.close()


def puts(nova, since: int) -> int:
    return len(nova.requests(since, method="PUT"))


def test_a_worker_verifies_and_gives_back_and_is_killed_meanwhile(nova, installed):
    nova.create_server("web", host="cmp11")
    drain_id = installed.drain("cmp11")
    worker = installed.start_worker()
    installed.wait(lambda: installed.state(drain_id) == "succeeded", "drained")

    def is_safe() -> bool:
        return installed.run("host_status", "cmp11", check=False).returncode == 0

    installed.wait(is_safe, "safe to power off")
    since = nova.mark()
    fault = nova.fault(method="PUT", path="/os-services/", hold_after=60)
    installed.run("host_return", "cmp11")
    fault.wait_passed()
    assert installed.run("host_status", "cmp11", check=False).returncode == 1
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    fault.remove()
    installed.start_worker()
    table = "ukcloud_maintenance_hostmaintenance"
    installed.wait(
        lambda: installed.query(f"select return_result from {table}") == [("in_service",)],
        "given back",
    )
    assert puts(nova, since) == 1, "asked twice"
    assert service_of(nova, "cmp11")["status"] == "enabled"
    kinds = [k for (k,) in installed.query("select kind from ukcloud_maintenance_event")]
    assert kinds.count("service_enabled") == kinds.count("host_returned") == 1


def test_without_a_worker_the_certificate_runs_out(nova, installed):
    drain_id = installed.drain("cmp12")
    worker = installed.start_worker()
    installed.wait(lambda: installed.state(drain_id) == "succeeded", "drained")

    def status() -> dict:
        return json.loads(installed.run("host_status", "cmp12", "--json", check=False).stdout)

    installed.wait(lambda: status()["safe_to_power_off"], "safe to power off")
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    installed.wait(lambda: not status()["safe_to_power_off"], "the certificate has run out")
    assert "too long" in status()["why_not"]


def test_host_return_waits_for_the_worker(nova, installed):
    drain_id = installed.drain("big1")
    installed.start_worker()
    installed.wait(lambda: installed.state(drain_id) == "succeeded", "drained")
    done = installed.run("host_return", "big1", "--wait", "--json")
    assert json.loads(done.stdout)["result"] == "in_service"

"""Hosts in maintenance against a model of Nova: the certificate comes and goes, a host is given
back, and nothing is lost or done twice whoever else is at work. What Nova itself does is tested
against the real one, in test_hosts_real_nova.py."""

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests.worker.fake_nova import FakeNova, Killed
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.facts import (
    Allocation,
    Hypervisor,
    Migration,
    ServerGroup,
    Service,
)
from ukcloud_maintenance.core.host import returning as h
from ukcloud_maintenance.core.host.certificate import CODES
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.preflight.judge import judge
from ukcloud_maintenance.core.states import (
    DrainResult,
    DrainState,
    MigrationState,
    ReturnChoice,
)
from ukcloud_maintenance.exceptions import (
    CloudConflict,
    CloudNotFound,
    CloudUnreachable,
    Refused,
    StaleState,
    UnknownHost,
)
from ukcloud_maintenance.messages import english, english_remedy
from ukcloud_maintenance.models import Drain, Event, HostMaintenance, InstanceMigration
from ukcloud_maintenance.services.checks import RegionSight, check_may_drain
from ukcloud_maintenance.worker.host import HostReconciler

QUICK = {
    "CLOUD": "worker",
    "VERIFY_SECONDS": 10,
    "HOST_DOWN_WAIT_SECONDS": 60,
    "CLOUD_DOWN_WAIT_SECONDS": 120,
    "API_TIMEOUT_SECONDS": 2,
    "SUBMIT_GRACE_SECONDS": 4,
    "POLL_SECONDS": 1,
    "IDLE_SECONDS": 2,
}
ADMIN = Actor("u1", "admin", may=lambda rule: True)
NODE = Hypervisor("node-1", "cmp1.example", "cmp1")


@dataclass
class HostNova(FakeNova):
    """`FakeNova` as seen by whoever looks after a host in maintenance."""

    def __post_init__(self):
        super().__post_init__()
        self.the_service = replace(self.the_service, status="disabled", disabled_reason="kernel")
        self.allocations: list[Allocation] = []
        self.enabled: list[str] = []
        #: what becomes of the next requests to enable: lost (done, no answer), never (not done)
        self.puts: list[str] = []
        self.failure = None

    def _call(self):
        super()._call()
        if self.failure:
            raise self.failure

    def service(self, host):
        found = super().service(host)
        return found if found and found.host == host else None

    def services(self, host=None):
        found = self.service(host)
        return [found] if found else []

    def hypervisors_of(self, host):
        self._call()
        return [NODE]

    def allocations_on(self, providers):
        self._call()
        assert list(providers) == ["node-1"]
        return list(self.allocations)

    def servers_by_id(self, ids):
        self._call()
        return {i: self.all[i] for i in ids if i in self.all}

    def enable_service(self, service_id):
        self._call()
        if self.the_service is None:
            raise CloudNotFound("enable the compute service", "gone", status=404)
        fate = self.puts.pop(0) if self.puts else "answered"
        if fate == "never":
            raise CloudUnreachable("enable the compute service", "connection refused")
        self.enabled.append(service_id)
        self.the_service = replace(self.the_service, status="enabled", disabled_reason="")
        self._call()
        if fate == "lost":
            raise CloudUnreachable("enable the compute service", "the connection was reset")
        return "req-enable"


@dataclass
class World:
    """A host after its drain, and passes of a worker over it."""

    nova: HostNova
    worker: str = "worker"
    made: list[Drain] = field(default_factory=list)

    @property
    def now(self):
        return self.nova.now

    def drain(self, reason="kernel", names=()) -> Drain:
        planned = [(s, judge(s)) for s in (self.nova.add(n) for n in names)]
        drain = store.create_drain(
            region="RegionOne",
            host="cmp1",
            service_id="svc-1",
            reason=reason,
            max_concurrent=2,
            destination="",
            actor_id="u",
            actor="ann",
            planned=planned,
            project_names={},
            now=self.now,
        )
        self.made.append(drain)
        return drain

    def drained(
        self, found="enabled", found_reason="", reason="kernel", ours=True, names=()
    ) -> HostMaintenance:
        """Drained, and the drain is over; its instances are on cmp2."""
        drain = self.drain(reason, names)
        store.change_drain(drain, self.now, state=DrainState.RUNNING)
        maintenance = store.join_maintenance(
            drain,
            found_status=found,
            found_reason=found_reason,
            service_id="svc-1",
            now=self.now,
        )
        if ours:
            store.intend_to_disable(maintenance, reason)
            store.disabled(maintenance, self.now)
        for row in drain.migrations.all():
            for state in ("submitted", "migrating", "succeeded"):
                store.change_migration(row, self.now, state=MigrationState(state))
            self.nova.all[row.server_id] = replace(self.nova.all[row.server_id], host="cmp2")
        store.finish_drain(
            drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.", "worker", self.now
        )
        return self.maintenance

    @property
    def maintenance(self) -> HostMaintenance:
        return HostMaintenance.objects.get()

    def one_pass(self) -> HostMaintenance:
        HostReconciler(self.nova, self.worker, lambda: self.nova.now).run(self.maintenance)
        return self.maintenance

    def later(self, seconds=10) -> HostMaintenance:
        self.nova.tick(seconds)
        return self.one_pass()

    def ask(self, choice=None, **more) -> HostMaintenance:
        return services.return_host(
            ADMIN, self.nova, services.ReturnRequest("cmp1", choice, **more)
        )

    def certificate(self) -> services.Certificate:
        return services.certificate(ADMIN, "RegionOne", "cmp1")

    @staticmethod
    def events(*kinds: str) -> list[str]:
        return list(Event.objects.filter(kind__in=kinds).values_list("kind", flat=True))


@contextmanager
def at_the_time_of(nova):
    with mock.patch("django.utils.timezone.now", side_effect=lambda: nova.now):
        yield


@pytest.fixture
def world(settings, db):
    settings.UKCLOUD_MAINTENANCE = QUICK
    world = World(HostNova())
    with at_the_time_of(world.nova):
        yield world


# -- who works on which ----------------------------------------------------------------------


def claim(world, worker="w1", **more):
    return store.claim_host(worker, world.now, 6, **more)


def test_a_host_is_claimed_by_one_while_no_drain_of_it_is_open(world):
    maintenance = world.drained()
    assert claim(world, regions=["elsewhere"]) is None
    assert claim(world, regions=["RegionOne"]) == maintenance
    assert claim(world, "w2") is None, "somebody holds it"
    world.nova.tick(7)
    assert claim(world, "w2") == maintenance, "the lease of the first is over"
    store.release_host(maintenance, "w1", None)
    assert world.maintenance.claimed_by == "w2", "what another one holds is not released"
    store.release_host(maintenance, "w2", world.now + timedelta(seconds=10))
    assert claim(world) is None, "it is not due"
    world.nova.tick(10)
    world.drain()
    assert claim(world) is None, "it is drained"


def test_the_death_of_a_worker_frees_its_hosts(world):
    world.drained()
    claim(world)
    store.worker_stopped("w1", world.now)
    assert claim(world, "w2") is not None


def test_a_return_is_due_at_once_also_while_somebody_verifies(world):
    world.drained()
    held = claim(world)
    world.ask()
    store.release_host(held, "w1", world.now + timedelta(seconds=10))
    assert claim(world, "w2") is not None


def test_a_run_that_brings_back_does_not_keep_its_host_from_being_given_back(world):
    world.drained(names=["a"])
    world.ask(bring_back=True)
    assert Drain.objects.filter(direction="back", open_key__isnull=False).count() == 1
    assert claim(world) is not None


# -- safe to power off -----------------------------------------------------------------------


def test_the_certificate_is_granted_and_says_since_when(world):
    world.drained()
    assert english(world.certificate().why_not) == "The host was not verified yet."
    maintenance = world.one_pass()
    assert maintenance.safe_since == maintenance.verified_at == world.now
    found = world.certificate()
    assert (found.safe, found.why_not) == (True, None)
    assert [c.code for c in found.checks] == list(CODES)
    assert [drain.requested_by for drain in found.drains] == ["ann"]
    event = Event.objects.get(kind="safe_to_power_off")
    assert (event.maintenance, event.drain) == (maintenance, world.made[0])


def test_a_verification_that_finds_nothing_new_writes_the_time_alone(world):
    world.drained()
    before = world.one_pass()
    drain = store.drain(world.made[0].pk)
    after = world.later()
    assert after.verified_at == before.verified_at + timedelta(seconds=10)
    assert (after.revision, after.safe_since) == (before.revision, before.safe_since)
    assert store.revision(drain.pk) == drain.revision
    assert world.events("safe_to_power_off") == ["safe_to_power_off"]


def test_what_arrives_withdraws_it_and_its_leaving_grants_it_again(world):
    world.drained()
    world.one_pass()
    world.nova.add("late")
    maintenance = world.later()
    assert (maintenance.safe_since, maintenance.withdrawn_at) == (None, world.now)
    assert "late (late), ACTIVE" in english(maintenance.withdrawn_why)
    found = world.certificate()
    assert not found.safe
    assert "1 instance is on this host" in english(found.why_not)
    del world.nova.all["late"]
    maintenance = world.later()
    assert maintenance.safe_since == world.now
    assert world.events("safe_to_power_off", "safe_withdrawn") == [
        "safe_to_power_off",
        "safe_withdrawn",
        "safe_to_power_off",
    ]


def test_the_service_is_read_before_and_after_the_lists(world):
    world.drained()
    listed = world.nova.servers_on

    def enabled_meanwhile(host):
        world.nova.the_service = replace(world.nova.the_service, status="enabled")
        return listed(host)

    world.nova.servers_on = enabled_meanwhile
    world.one_pass()
    assert not world.certificate().safe
    assert "changed from disabled to enabled" in english(world.certificate().why_not)


def test_a_host_that_was_switched_off_is_told_calmly(world):
    world.drained()
    at = world.one_pass().verified_at
    world.nova.the_service = replace(world.nova.the_service, state="down")
    maintenance = world.later()
    assert maintenance.safe_since is None
    assert "most likely because it was powered off" in english(maintenance.withdrawn_why)
    assert f"{at:%H:%M:%S}Z" in english(maintenance.withdrawn_why)
    found = world.certificate()
    assert (found.safe, found.why_not) == (False, maintenance.withdrawn_why)
    assert world.later().withdrawn_why == maintenance.withdrawn_why
    world.nova.add("late")
    world.later()
    assert "late" in english(world.certificate().why_not)
    del world.nova.all["late"]
    world.nova.the_service = replace(world.nova.the_service, state="up")
    assert world.later().safe_since == world.now


@pytest.mark.parametrize(
    "more", [{"forced_down": True}, {"state": "down", "status": "enabled"}], ids=str
)
def test_whatever_else_is_wrong_is_not_told_calmly(world, more):
    world.drained()
    world.one_pass()
    world.nova.the_service = replace(world.nova.the_service, **more)
    maintenance = world.later()
    assert maintenance.withdrawn_at == world.now
    assert "powered off" not in english(maintenance.withdrawn_why)


def test_one_that_is_down_and_gets_an_instance_is_not_told_calmly(world):
    world.drained()
    world.one_pass()
    world.nova.the_service = replace(world.nova.the_service, state="down")
    world.nova.add("late")
    why = english(world.later().withdrawn_why)
    assert "powered off" not in why
    assert "late (late)" in why


def test_an_openstack_that_does_not_answer_withdraws_it_after_a_bounded_time(world):
    world.drained()
    verified_at = world.one_pass().verified_at
    world.nova.failure = CloudUnreachable("read the compute service", "timed out")
    for _ in range(3):
        maintenance = world.later(10)
        assert maintenance.safe_since is not None
        assert "timed out" in english(maintenance.message)
    assert world.certificate().safe, "30 s: just valid"
    maintenance = world.later(1)
    assert maintenance.safe_since is None
    assert "could not be verified since" in english(maintenance.withdrawn_why)
    assert maintenance.verified_at == verified_at
    world.nova.failure = None
    maintenance = world.later()
    assert maintenance.safe_since == world.now
    assert maintenance.message is None


def test_an_openstack_that_is_busy_is_said_to_be_busy(world):
    world.drained()
    world.one_pass()
    slow = CloudUnreachable("read the compute service", "slow down", status=503, retry_after=9)
    world.nova.failure = slow
    assert world.later(10).message.code == "openstack_busy"
    world.nova.failure = None
    assert world.later().message is None


def test_without_a_worker_it_is_not_shown_as_safe_for_long(world):
    world.drained()
    world.one_pass()
    world.nova.now += timedelta(seconds=30)
    assert world.certificate().safe
    assert services.host_records(ADMIN, "RegionOne")["cmp1"].safe
    world.nova.now += timedelta(seconds=1)
    found = world.certificate()
    assert (found.safe, found.safe_since, found.stale) == (False, None, True)
    assert "31 s ago" in english(found.why_not)
    assert not services.host_records(ADMIN, "RegionOne")["cmp1"].safe


def test_one_answer_of_placement_that_does_not_come_is_waited_for(world):
    world.drained()

    def broken(providers):
        raise CloudUnreachable("read the allocations", "timed out")

    works = world.nova.allocations_on
    world.nova.allocations_on = broken
    world.one_pass()
    assert "Placement could not be read" in english(world.certificate().why_not)
    world.nova.allocations_on = works
    assert world.later().safe_since
    world.nova.allocations_on = broken
    assert world.later().safe_since, "it is not lost over one answer"
    world.nova.tick(25)
    assert world.one_pass().safe_since is None


def test_what_is_held_in_placement_is_named(world):
    world.drained(names=["a"])
    world.nova.allocations = [
        Allocation("a", "node-1", {"VCPU": 1}),
        Allocation("stranger", "node-1", {"MEMORY_MB": 512}),
    ]
    world.one_pass()
    why = english(world.certificate().why_not)
    assert "server a (a): VCPU 1" in why
    assert "consumer stranger, neither a known server" in why


def test_servers_of_unfinished_migrations_are_looked_at(world):
    world.drained(names=["a"])
    gone = Migration(7, "u7", "deleted", "queued", "live-migration", "cmp1", "cmp2")
    held = Migration(8, "u8", "a", "finished", "migration", "cmp1", "cmp2")
    world.nova.records = [gone]
    assert world.one_pass().safe_since, "its server is no more"
    world.nova.records = [gone, held]
    assert world.later().safe_since is None
    assert "migration 8 (migration, finished) from cmp1 to cmp2 of a (a)" in (
        english(world.certificate().why_not)
    )
    read = world.nova.server

    def unreadable(server_id):
        if server_id == "deleted":
            raise CloudUnreachable("read server", "its cell is down")
        return read(server_id)

    world.nova.server = unreadable
    world.nova.records = [gone]
    world.later()
    assert "which could not be read" in english(world.certificate().why_not)


def test_a_drain_that_begins_voids_it_at_once(world):
    world.drained()
    world.one_pass()
    drain = world.drain("again")
    maintenance = world.maintenance
    assert (maintenance.safe_since, maintenance.withdrawn_at) == (None, world.now)
    assert Event.objects.get(kind="safe_withdrawn").drain == drain
    assert english(world.certificate().why_not) == f"The host is being drained (drain {drain.pk})."


@pytest.mark.parametrize("begins", ["drain", "return", "look"])
def test_what_was_found_out_is_void_when_something_begins_meanwhile(world, begins):
    world.drained()
    listed = world.nova.servers_on

    def meanwhile(host):
        world.nova.servers_on = listed
        if begins == "drain":
            world.drain("again")
        elif begins == "return":
            world.ask()
        else:  # another worker, which is faster and sees what arrives
            world.nova.tick(1)
            world.nova.add("late")
            world.one_pass()
            del world.nova.all["late"]
        return listed(host)

    world.nova.servers_on = meanwhile
    maintenance = world.one_pass()
    assert maintenance.safe_since is None
    assert world.events("safe_to_power_off") == []
    if begins == "look":
        assert maintenance.verified_at == world.now, "the later look counts"


def test_a_slow_look_does_not_make_a_later_one_younger(world):
    world.drained()
    world.one_pass()
    listed = world.nova.servers_on

    def slow(host):
        world.nova.servers_on = listed
        world.nova.tick(20)
        world.one_pass()
        return listed(host)

    world.nova.servers_on = slow
    maintenance = world.later()
    assert maintenance.verified_at == world.now


def test_the_document_is_plain_and_complete(world):
    world.drained()
    world.one_pass()
    document = services.document_of(ADMIN, services.certificate(ADMIN, "RegionOne", "cmp1"))
    assert document["schema"] == "ukcloud_maintenance.certificate"
    assert document["safe_to_power_off"] is True
    assert document["verified_at"] == "2026-01-02T03:00:00.000Z"
    assert document["valid_until"] == "2026-01-02T03:00:30.000Z"
    assert [c["code"] for c in document["checks"]] == list(CODES)
    assert document["drains"][0]["requested_by"] == "ann"
    assert document["maintenance"]["our_reason"] == "kernel"
    other = services.document_of(ADMIN, services.certificate(ADMIN, "RegionOne", "CMP1"))
    assert (other["safe_to_power_off"], other["maintenance"]) == (False, None)


# -- what can be chosen ----------------------------------------------------------------------


def disabled(reason: str, **more) -> Service:
    return Service("svc-1", "cmp1", "az1", "up", "disabled", reason, **more)


@pytest.mark.parametrize(
    ("found", "our_reason", "service", "default", "allowed"),
    [
        ("enabled", "kernel", disabled("kernel"), "ours", {"ours", "enable", "leave"}),
        ("enabled", "kernel", disabled("bad DIMM"), None, {"enable", "leave"}),
        ("enabled", "kernel", disabled(""), None, {"enable", "leave"}),
        ("disabled", "", disabled("bad DIMM"), "leave", {"enable", "leave"}),
        ("disabled", "", disabled(""), "leave", {"enable", "leave"}),
        # ours is the exact reason, not the same words by chance of a host found disabled
        ("disabled", "", disabled("kernel"), "leave", {"enable", "leave"}),
        ("enabled", "kernel", disabled("Kernel"), None, {"enable", "leave"}),
        ("enabled", "kernel", disabled("kernel "), None, {"enable", "leave"}),
        (
            "enabled",
            "kernel",
            replace(disabled(""), status="enabled"),
            "ours",
            {"ours", "enable", "leave"},
        ),
        ("enabled", "kernel", None, "leave", {"leave"}),
        ("enabled", "kernel", Service("", "cmp1", "", "", "UNKNOWN"), None, {"leave"}),
    ],
)
def test_what_can_be_chosen_follows_from_whose_decision_stands(
    found, our_reason, service, default, allowed
):
    view = h.MaintenanceView("cmp1", found, "", our_reason)
    assert h.default_choice(view, service) == default
    outlooks = h.outlooks(view, service)
    assert {str(c) for c, o in outlooks.items() if o.allowed} == allowed
    assert set(outlooks) == set(ReturnChoice)
    assert all(english(o.message) for o in outlooks.values())
    assert all(o.code and english_remedy(o.message) for o in outlooks.values() if not o.allowed)


# -- back to service -------------------------------------------------------------------------


def finish(world, passes=200) -> HostMaintenance:
    for _ in range(passes):
        maintenance = world.one_pass()
        if maintenance.closed_at or not maintenance.returning_since:
            return maintenance
        world.nova.tick()
    raise AssertionError(english(maintenance.message))


def test_a_host_that_we_disabled_is_enabled_and_is_in_service_when_it_is_up(world):
    world.drained()
    world.nova.the_service = replace(world.nova.the_service, state="down")
    asked = world.ask()
    assert asked.returning_since == world.now
    maintenance = world.one_pass()
    assert world.nova.enabled == ["svc-1"], "at once, although it is down"
    assert maintenance.enabled_at == world.now
    for _ in range(5):
        world.nova.tick()
        assert world.one_pass().closed_at is None
    world.nova.the_service = replace(world.nova.the_service, state="up")
    maintenance = world.one_pass()
    assert (maintenance.return_result, maintenance.open_key) == ("in_service", None)
    assert maintenance.closed_at == world.now
    assert world.nova.enabled == ["svc-1"]
    assert world.events("return_requested", "service_enabled", "host_returned") == [
        "return_requested",
        "service_enabled",
        "host_returned",
    ]
    assert "which a drain disabled" in english(Event.objects.get(kind="return_requested").message)
    event = Event.objects.get(kind="service_enabled")
    assert (event.request_id, event.drain) == ("req-enable", world.made[0])
    with pytest.raises(Refused) as refused:
        world.ask()
    assert refused.value.code == "no_maintenance"


def test_whichever_drain_disabled_it_it_is_ours(world):
    world.drained(reason="kernel")
    world.drained(found="disabled", found_reason="kernel", reason="second", ours=False)
    world.ask()
    assert finish(world).return_result == "in_service"


def test_one_that_was_found_disabled_is_given_back_as_it_was_found(world):
    world.nova.the_service = replace(world.nova.the_service, disabled_reason="bad DIMM")
    world.drained(found="disabled", found_reason="bad DIMM", ours=False)
    world.ask()
    maintenance = finish(world)
    assert (maintenance.return_result, maintenance.return_choice) == ("left", "leave")
    assert "bad DIMM" in english(maintenance.message)
    assert world.nova.enabled == []
    assert world.nova.the_service.disabled_reason == "bad DIMM"


def test_a_reason_of_somebody_else_is_left_to_the_admin(world):
    world.drained()
    world.nova.the_service = replace(world.nova.the_service, disabled_reason="bad DIMM")
    with pytest.raises(Refused) as refused:
        world.ask()
    assert refused.value.code == "not_ours"
    assert 'with the reason "bad DIMM"' in english(refused.value.said)
    assert world.maintenance.returning_since is None
    world.ask(ReturnChoice.ENABLE)
    assert finish(world).return_result == "in_service"
    assert world.nova.enabled == ["svc-1"]


def test_a_reason_that_changes_before_the_request_is_not_overwritten(world):
    world.drained()
    world.ask()
    world.nova.the_service = replace(world.nova.the_service, disabled_reason="bad DIMM")
    maintenance = world.one_pass()
    assert (maintenance.return_result, maintenance.returning_since) == ("refused", None)
    assert maintenance.open_key is not None
    assert "bad DIMM" in english(maintenance.message)
    assert world.nova.enabled == []
    # it is verified again, and can be asked for again
    assert world.later().safe_since == world.now
    assert "bad DIMM" in english(world.maintenance.message)
    world.ask(ReturnChoice.LEAVE)
    assert finish(world).return_result == "left"


def test_a_refused_return_brings_nothing_back(world):
    world.drained(names=["a"])
    world.ask(bring_back=True)
    world.nova.the_service = replace(world.nova.the_service, disabled_reason="bad DIMM")
    world.one_pass()
    run = Drain.objects.get(direction="back")
    assert (run.state, run.open_key) == ("cancelled", None)
    assert run.migrations.get().state == "cancelled"
    world.ask(ReturnChoice.ENABLE, bring_back=True)
    assert Drain.objects.filter(direction="back", open_key__isnull=False).count() == 1


def test_enabled_by_somebody_meanwhile_is_fine(world):
    world.drained()
    world.ask()
    world.nova.the_service = replace(world.nova.the_service, status="enabled", disabled_reason="")
    maintenance = finish(world)
    assert maintenance.return_result == "in_service"
    assert "by somebody else" in english(maintenance.message)
    assert world.nova.enabled == []


@pytest.mark.parametrize("forced", [False, True])
def test_one_that_does_not_come_up_in_time_is_said_to_be_so(world, forced):
    world.drained()
    world.nova.the_service = replace(world.nova.the_service, state="down", forced_down=forced)
    world.ask()
    began = world.now
    maintenance = finish(world)
    assert maintenance.return_result == "not_up"
    assert maintenance.closed_at - began == timedelta(seconds=60)
    assert "did not report it up in time" in english(maintenance.message)
    assert ("forced down" in english(maintenance.message)) is forced


def test_a_service_that_is_gone_is_said_to_be_so(world):
    world.drained()
    world.ask()
    world.nova.the_service = None
    maintenance = finish(world)
    assert maintenance.return_result == "not_up"
    assert "no compute service" in english(maintenance.message)


def test_a_service_that_goes_at_the_last_moment_is_no_trouble(world):
    world.drained()
    world.ask()
    intend = store.intend_to_enable

    def gone(*args):
        intend(*args)
        world.nova.the_service = None

    with mock.patch.object(store, "intend_to_enable", gone):
        world.one_pass()
    assert "no compute service" in english(finish(world).message)


def test_a_host_without_a_service_can_be_left_alone(world):
    world.drained()
    world.nova.the_service = None
    with pytest.raises(Refused) as refused:
        world.ask(ReturnChoice.OURS)
    assert refused.value.code == "service_gone"
    world.ask(ReturnChoice.LEAVE)
    assert finish(world).return_result == "left"


def test_disabled_again_by_somebody_is_not_fought_over(world):
    world.drained()
    world.nova.the_service = replace(world.nova.the_service, state="down")
    world.ask()
    world.one_pass()
    world.nova.the_service = disabled("no, wait")
    maintenance = finish(world)
    assert maintenance.return_result == "not_up"
    assert "no, wait" in english(maintenance.message)
    assert world.nova.enabled == ["svc-1"]


def test_a_cell_that_is_down_is_waited_for_and_nothing_is_changed(world):
    world.drained()
    world.ask()
    world.nova.the_service = Service("", "cmp1", "", "", "UNKNOWN")
    maintenance = finish(world)
    assert (maintenance.return_result, maintenance.closed_at) == ("refused", None)
    assert world.nova.enabled == []


def test_an_openstack_that_never_answers_ends_the_return_in_bounded_time(world):
    world.drained()
    world.ask()
    began = world.now
    world.nova.failure = CloudConflict("read the compute service", "no")
    maintenance = finish(world)
    assert (maintenance.return_result, maintenance.closed_at) == ("refused", None)
    assert world.now - began == timedelta(seconds=120)


def test_a_lost_answer_is_found_out(world):
    world.drained()
    world.ask()
    world.nova.puts = ["never", "lost"]
    maintenance = finish(world)
    assert maintenance.return_result == "in_service"
    assert world.nova.enabled == ["svc-1"]
    assert world.events("service_enabled") == ["service_enabled"]


def test_a_process_that_was_stopped_before_the_request_does_not_send_it_later(world):
    world.drained()
    world.ask()
    with mock.patch("ukcloud_maintenance.worker.host.time") as clock:
        clock.monotonic.side_effect = [0.0, 60.0]
        world.one_pass()
    assert world.nova.enabled == []
    assert finish(world).return_result == "in_service"


# -- asking ----------------------------------------------------------------------------------


def test_asked_twice_it_is_the_same_return(world):
    world.drained(names=["a"])
    first = world.ask(bring_back=True)
    again = world.ask()
    assert (again.pk, again.returning_since) == (first.pk, first.returning_since)
    assert world.ask(ReturnChoice.OURS, bring_back=True).revision == again.revision
    assert Drain.objects.filter(direction="back").count() == 1
    with pytest.raises(Refused) as refused:
        world.ask(ReturnChoice.LEAVE)
    assert refused.value.code == "returning"
    assert world.events("return_requested") == ["return_requested"]


def test_one_that_wants_instances_back_is_not_told_yes_when_they_stay(world):
    world.drained(names=["a"])
    world.ask()
    with pytest.raises(Refused):
        world.ask(bring_back=True)


def test_of_two_admins_at_once_one_is_asked_and_both_are_answered(world):
    world.drained()
    stale = world.maintenance
    world.ask()
    with pytest.raises(StaleState):
        store.request_return(stale, choice="leave", actor="bob", now=world.now)
    assert world.maintenance.return_choice == "ours"


def test_refused_before_anything_is_changed(world, settings):
    with pytest.raises(Refused) as refused:
        world.ask()
    assert refused.value.code == "no_maintenance"
    with pytest.raises(UnknownHost):
        services.return_host(ADMIN, world.nova, services.ReturnRequest("cmp"))
    with pytest.raises(Refused) as refused:
        world.ask("reboot")
    assert refused.value.code == "choice_unknown"
    with pytest.raises(Refused) as refused:
        world.ask(max_concurrent=0)
    assert refused.value.code == "max_concurrent_out_of_range"
    world.drained()
    before = world.maintenance.revision
    drain = world.drain("again")
    with pytest.raises(Refused) as refused:
        world.ask()
    assert (refused.value.code, refused.value.drain_id) == ("drain_open", drain.pk)
    settings.UKCLOUD_MAINTENANCE = {**QUICK, "CLOUD": "", "CLOUDS": {"other": "x"}}
    with pytest.raises(Refused) as refused:
        world.ask()
    assert refused.value.code == "region_without_worker"
    assert world.maintenance.returning_since is None
    assert world.maintenance.revision == before + 1, "the drain's alone"


def test_a_drain_that_comes_first_wins_the_race_and_the_return_is_refused(world):
    world.drained()
    maintenance = world.maintenance
    # read before the drain, written after it
    drain = world.drain("again")
    maintenance.revision += 1
    with pytest.raises(store.DrainExists) as caught:
        store.request_return(maintenance, choice="ours", actor="bob", now=world.now)
    assert caught.value.drain == drain
    assert world.maintenance.returning_since is None
    assert world.events("return_requested") == []


def test_a_host_that_is_given_back_is_not_drained(world):
    world.drained()
    world.ask()
    service = replace(world.nova.the_service, status="enabled")
    with pytest.raises(Refused) as refused:
        check_may_drain(service, RegionSight("RegionOne"))
    assert refused.value.code == "host_returning"
    with pytest.raises(store.BeingReturned):
        world.drain("again")
    assert Drain.objects.count() == 1
    finish(world)
    check_may_drain(service, RegionSight("RegionOne"))
    world.drain("again")


def test_while_it_is_given_back_it_is_not_safe_to_power_off(world):
    world.drained()
    world.one_pass()
    world.ask()
    found = world.certificate()
    assert (found.safe, found.why_not) == (False, message("being_given_back"))
    assert "returned to service" in english(world.maintenance.withdrawn_why)
    assert services.host_records(ADMIN, "RegionOne")["cmp1"].returning


def test_the_preview_tells_what_would_come_back(world):
    nova = world.nova
    world.drained(names=["back", "gone", "here", "off"])
    # a later drain of the same maintenance: the newest row counts, each instance is named once
    world.drained(found="disabled", found_reason="kernel", ours=False, names=["late"])
    nova.all["off"] = replace(nova.all["off"], host="cmp3", status="SHUTOFF", vm_state="stopped")
    nova.all["here"] = replace(nova.all["here"], host="cmp1")
    del nova.all["gone"]
    before = world.maintenance.revision
    preview = services.return_preview(ADMIN, nova, "cmp1")
    assert {(r.server.id, r.server.host, r.verdict.method) for r in preview.instances} == {
        ("back", "cmp2", "live"),
        ("late", "cmp2", "live"),
        ("off", "cmp3", "cold"),
    }
    assert (preview.already_back, preview.not_found) == (1, 1)
    assert (preview.ours, preview.default, preview.refusal) == (True, "ours", None)
    assert world.maintenance.revision == before
    world.drain("third")
    assert services.return_preview(ADMIN, nova, "cmp1").refusal.code == "drain_open"


def brought_to(world, name, dest, drain=None):
    """A run of ours brought an instance somewhere, by our own record."""
    row = InstanceMigration.objects.filter(server_id=name).order_by("id").last()
    if drain is not None:
        row = drain.migrations.get(server_id=name)
    InstanceMigration.objects.filter(pk=row.pk).update(
        dest_compute=dest,
        state="succeeded",
        newest_attempt=row.attempt_rows.create(
            number=9, submitted_at=world.now, ended_at=world.now, result="succeeded"
        ),
    )
    world.nova.all[name] = replace(world.nova.all[name], host=dest)


def test_what_an_admin_moved_since_is_left_alone_unless_it_is_asked_for(world):
    world.drained(names=["stays-put", "moved"])
    brought_to(world, "stays-put", "cmp2")
    brought_to(world, "moved", "cmp2")
    world.nova.all["moved"] = replace(world.nova.all["moved"], host="cmp9")
    preview = services.return_preview(ADMIN, world.nova, "cmp1")
    assert [r.server.id for r in preview.instances] == ["stays-put"]
    assert [r.server.id for r in preview.moved_since] == ["moved"]
    world.ask(bring_back=True)
    run = Drain.objects.get(direction="back")
    assert [r.server_id for r in run.migrations.all()] == ["stays-put"]
    said = english(Event.objects.get(kind="return_run_requested").message)
    assert "Not brought back, because somebody else has moved them since: moved (on cmp9)." in said


def test_what_an_admin_moved_since_comes_back_where_that_is_asked_for(world):
    world.drained(names=["stays-put", "moved"])
    brought_to(world, "moved", "cmp2")
    world.nova.all["moved"] = replace(world.nova.all["moved"], host="cmp9")
    world.ask(bring_back=True, also_moved=True)
    rows = Drain.objects.get(direction="back").migrations.all()
    assert {r.server_id: r.source_compute for r in rows} == {"stays-put": "cmp2", "moved": "cmp9"}


def test_what_another_drain_of_ours_moved_on_comes_back(world):
    world.drained(names=["a"])
    brought_to(world, "a", "cmp2")
    world.nova.tick(60)
    planned = [(world.nova.all["a"], judge(world.nova.all["a"]))]
    other = store.create_drain(
        region="RegionOne",
        host="cmp2",
        service_id="svc-2",
        reason="too",
        max_concurrent=1,
        destination="",
        actor_id="u",
        actor="ann",
        planned=planned,
        project_names={},
        now=world.now,
    )
    brought_to(world, "a", "cmp3", other)
    preview = services.return_preview(ADMIN, world.nova, "cmp1")
    assert ([r.server.id for r in preview.instances], preview.moved_since) == (["a"], ())


def test_what_is_brought_back_is_a_run_in_the_other_direction(world):
    nova = world.nova
    maintenance = world.drained(names=["a", "b", "off"])
    nova.all["off"] = replace(nova.all["off"], host="cmp3", status="SHUTOFF", vm_state="stopped")
    nova.all["b"] = replace(nova.all["b"], memory_bytes=2**33)
    world.ask(bring_back=True, max_concurrent=3)
    run = Drain.objects.get(direction="back")
    assert (run.state, run.host, run.destination) == ("pending", "cmp1", "cmp1")
    assert (run.maintenance, run.max_concurrent) == (maintenance, 3)
    assert (run.requested_by, run.reason) == ("admin", "kernel")
    rows = run.migrations.order_by("position")
    assert [(r.server_name, r.method, r.source_compute, r.initial_status) for r in rows] == [
        ("b", "live", "cmp2", "ACTIVE"),
        ("a", "live", "cmp2", "ACTIVE"),
        ("off", "cold", "cmp3", "SHUTOFF"),
    ]
    # it stands in the way of a drain, does not stand for one, and the host takes instances
    assert store.draining_hosts("RegionOne") == frozenset()
    assert services.host_records(ADMIN, "RegionOne")["cmp1"].drain == world.made[0]
    assert finish(world).return_result == "in_service"
    with pytest.raises(Refused) as refused:
        check_may_drain(nova.the_service, RegionSight("RegionOne"))
    assert (refused.value.code, refused.value.drain_id) == ("drain_open", run.pk)
    assert "brought back" in english(refused.value.said)
    assert services.return_run(ADMIN, world.maintenance) == run


def test_members_of_a_group_come_back_with_it_in_mind(world):
    world.drained(names=["a", "b"])
    world.nova.groups = [
        ServerGroup("g1", "web", "anti-affinity", ("a",)),
        ServerGroup("g2", "soft", "soft-anti-affinity", ("b",)),
    ]
    other = world.drain("other host")
    Drain.objects.filter(pk=other.pk).update(open_key=None)
    world.ask(bring_back=True)
    run = Drain.objects.get(direction="back")
    assert dict(run.migrations.values_list("server_name", "group")) == {"a": "g1", "b": ""}
    run.migrations.filter(server_name="a").update(state="migrating")
    assert store.travelling_groups(other) == {"g1"}


def test_instances_come_back_although_the_groups_cannot_be_read(world):
    world.drained(names=["a"])

    def broken():
        raise CloudUnreachable("list the server groups", "timed out")

    world.nova.server_groups = broken
    world.ask(bring_back=True)
    assert [r.group for r in Drain.objects.get(direction="back").migrations.all()] == [""]


def test_nothing_is_brought_back_to_a_service_that_stays_disabled(world):
    world.drained(names=["a"])
    with pytest.raises(Refused) as refused:
        world.ask(ReturnChoice.LEAVE, bring_back=True)
    assert refused.value.code == "bring_back_needs_service"
    assert world.maintenance.returning_since is None


def test_where_nothing_is_to_come_back_there_is_no_run(world):
    world.drained()
    world.ask(bring_back=True)
    world.ask(bring_back=True)
    assert Drain.objects.filter(direction="back").count() == 0
    assert finish(world).return_result == "in_service"


# -- any history -----------------------------------------------------------------------------


@contextmanager
def killed_in_the_database(countdown):
    """The process dies right before or right after it changed the maintenance."""
    left = [countdown]

    def killable(change):
        def call(*args, **more):
            instruction()
            result = change(*args, **more)
            instruction()
            return result

        return call

    def instruction():
        if left[0] is not None:
            left[0] -= 1
            if left[0] <= 0:
                left[0] = None
                raise Killed

    names = ("intend_to_enable", "enabled", "finish_return", "give_up_return", "verified")
    with mock.patch.multiple(store, **{name: killable(getattr(store, name)) for name in names}):
        yield


class AnyHistory(TestCase):
    @settings(
        max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(
        verify=st.integers(0, 2),
        kills=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 14)), max_size=5),
        puts=st.lists(st.sampled_from(["lost", "never", "answered"]), max_size=3),
        down_for=st.integers(0, 15),
        theirs_at=st.none() | st.integers(0, 12),
        names=st.sets(st.sampled_from("abc")),
    )
    def test_a_return_ends_with_the_truth(self, verify, kills, puts, down_for, theirs_at, names):
        nova = HostNova()
        nova.puts = list(puts)
        world = World(nova)
        by_pass = dict(kills)
        with self.settings(UKCLOUD_MAINTENANCE=QUICK), at_the_time_of(nova):
            world.drained(names=sorted(names))
            for _ in range(verify):
                world.later()
            world.ask(bring_back=True)
            nova.the_service = replace(nova.the_service, state="down")
            for number in range(120):
                if number == down_for:
                    nova.the_service = replace(nova.the_service, state="up")
                before_put = not nova.enabled
                if number == theirs_at and before_put:
                    nova.the_service = replace(nova.the_service, disabled_reason="theirs")
                instruction = by_pass.get(number)
                in_nova = instruction is not None and instruction % 2 == 0
                nova.calls = 0
                nova.kill_after = instruction // 2 if in_nova else None
                try:
                    with killed_in_the_database(
                        None if in_nova or instruction is None else instruction
                    ):
                        world.one_pass()
                except Killed:
                    pass
                nova.kill_after = None
                nova.tick()
                maintenance = world.maintenance
                if maintenance.closed_at or not maintenance.returning_since:
                    break
            else:
                raise AssertionError(english(maintenance.message))

        runs = list(Drain.objects.filter(direction="back"))
        assert len(runs) == bool(names)
        if maintenance.return_result == "refused":
            # somebody else's decision stands
            assert nova.enabled == []
            assert nova.the_service.disabled_reason == "theirs"
            assert all(run.state == "cancelled" for run in runs)
            assert world.events("return_refused") == ["return_refused"]
            assert world.events("service_enabled", "host_returned") == []
        else:
            assert maintenance.return_result == "in_service"
            assert (nova.the_service.status, nova.the_service.state) == ("enabled", "up")
            assert nova.enabled == ["svc-1"], "asked twice"
            assert maintenance.enabled_at is not None
            assert all(run.state == "pending" for run in runs)
            assert world.events("service_enabled", "host_returned") == [
                "service_enabled",
                "host_returned",
            ]

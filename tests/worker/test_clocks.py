"""The database's clock is set, back and forth, while workers are killed and started: the real
workers against a model of Nova, on SQLite, whose clock is the machine's.

True time is what the monotonic clock shows. What must hold in it: a host is not called safe
without somebody having found it so within the time that a certificate is good for; nobody's drain
or host is left alone for longer than a bounded time; nothing is moved twice.
"""

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from unittest import mock

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests.worker.fake_nova import START, FakeNova
from tests.worker.test_any_history import ask
from tests.worker.test_hosts import HostNova, World
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    MIGRATION_TERMINAL,
    DrainState,
    MigrationState,
)
from ukcloud_maintenance.models import Drain, HostMaintenance, InstanceMigration
from ukcloud_maintenance.settings import current
from ukcloud_maintenance.worker import Worker, agenda, asking, attempts, housekeeping, loop, passes
from ukcloud_maintenance.worker import host as host_reconciler
from ukcloud_maintenance.worker import requests as requested

ADMIN = Actor("u1", "admin", may=lambda rule: True)
QUICK = {
    "CLOUD": "worker",
    "VERIFY_SECONDS": 10,
    "API_TIMEOUT_SECONDS": 3,
    "SUBMIT_GRACE_SECONDS": 6,
    "POLL_SECONDS": 1,
    "IDLE_SECONDS": 2,
    "RETRY_SECONDS": 2,
    "SETTLE_SECONDS": 2,
    "BLOCKED_WAIT_SECONDS": 5,
}
STEPS = [-86400, -300, -45, -20, -5, -2, 2, 20, 300, 86400]
#: what a worker's loop needs to see a step, in seconds
A_LOOP = 1
#: the modules of the worker that tell how much time went by
WITH_A_CLOCK = (agenda, asking, attempts, host_reconciler, housekeeping, loop, passes, requested)


#: Histories of many passes each: how long they take says how busy the machine is.
pytestmark = pytest.mark.timeout(1200)


class Killed(BaseException):
    """SIGKILL: nothing catches it, nothing is cleaned up."""


class Cloud:
    """Time and two workers around a Nova."""

    def __init__(self, nova: FakeNova):
        self.nova = nova
        self.time = 0.0
        self.ahead = 0.0
        self.workers: list[Worker | None] = [None, None]
        self.started = 0
        #: what happens in the middle of the next requests, by the request's name
        self.meanwhile: dict[str, list[tuple]] = {}
        #: true times at which a look began that found the host safe
        self.found_safe: list[float] = []
        self.looking_since = 0.0

    @property
    def wall(self):
        """The clock of the machine, and thereby the database's."""
        return START + timedelta(seconds=self.time + self.ahead)

    @contextmanager
    def running(self):
        clock = SimpleNamespace(
            monotonic=lambda: self.time, time=lambda: self.wall.timestamp(), gmtime=None
        )
        look, verified = host_reconciler.look_at_host, store.verified

        def timed_look(*args):
            self.looking_since = self.time
            return look(*args)

        def noted(maintenance, *, safe, **more):
            began = self.looking_since
            verified(maintenance, safe=safe, **more)
            if safe:
                self.found_safe.append(began)

        with ExitStack() as stack:
            for patch in (
                mock.patch("django.utils.timezone.now", side_effect=lambda: self.wall),
                *(mock.patch.object(module, "time", clock) for module in WITH_A_CLOCK),
                mock.patch.object(host_reconciler, "look_at_host", timed_look),
                mock.patch.object(store, "verified", noted),
                mock.patch.object(housekeeping, "connections"),
                # nothing here is put off for longer
                mock.patch.object(passes, "AFTER_A_BUG_MAX", 30),
                mock.patch.object(passes, "BUSY_SECONDS_MAX", 30),
                mock.patch.object(passes.LOG, "exception", side_effect=AssertionError),
            ):
                stack.enter_context(patch)
            for name in ("servers_on", "live_migrate"):
                self._interrupt(name)
            self.start(0)
            self.start(1)
            yield self

    def _interrupt(self, name: str) -> None:
        ask = getattr(self.nova, name)

        def interrupted(*args):
            for act in self.meanwhile.pop(name, []):
                self.act(*act)
            return ask(*args)

        setattr(self.nova, name, interrupted)

    # -- what happens ------------------------------------------------------------------------

    def act(self, what: str, which: int = 0) -> None:
        match what:
            case "wait":
                for _ in range(which):
                    self.tick()
            case "step":
                self.ahead += which
            case "kill" if self.workers[1 - which]:
                self.workers[which] = None
            case "die" if self.workers[which] and self.workers[1 - which]:
                # it has taken whatever is due, and does not come to give it back
                self.workers[which]._take()
                self.workers[which] = None
            case "start":
                self.start(which)
            case "boot":
                self.nova.add("late")
            case "leave":
                self.nova.all.pop("late", None)

    def start(self, which: int) -> None:
        if self.workers[which] is None:
            self.started += 1
            worker = Worker(name=f"w{self.started}")
            worker.runner.cloud_for = lambda one: self.nova
            self.workers[which] = worker
            worker._watch_the_clock()

    def tick(self) -> None:
        self.time += 1
        self.nova.tick()
        for worker in [w for w in self.workers if w]:
            if worker in self.workers:
                self.turn(worker)

    def turn(self, worker) -> None:
        """Once through the loop of a worker; one that is killed meanwhile does nothing more."""
        worker._watch_the_clock()
        worker._report()
        for one in worker._take():
            worker.runner.work(one)


steps = st.tuples(st.just("step"), st.sampled_from(STEPS))
hands = st.one_of(
    st.tuples(st.sampled_from(["kill", "die", "start"]), st.integers(0, 1)),
    st.tuples(st.sampled_from(["boot", "leave"])),
)
waits = st.tuples(st.just("wait"), st.integers(1, 12))
histories = st.lists(st.one_of(steps, waits, hands), max_size=12)
quick = examples(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)


def is_safe() -> bool:
    return services.certificate(ADMIN, "RegionOne", "cmp1").safe


def to_be_drained(names: str) -> HostNova:
    nova = HostNova()
    nova.the_service = replace(nova.the_service, status="enabled", disabled_reason="")
    for name in names:
        nova.add(name)
    return nova


class TestAnyStepOfTheClock(TestCase):
    @quick
    @given(history=histories, meanwhile=st.lists(st.one_of(steps, hands, waits), max_size=4))
    def test_a_host_is_safe_only_where_somebody_just_found_it_so(self, history, meanwhile):
        nova = HostNova()
        cloud = Cloud(nova)
        with self.settings(UKCLOUD_MAINTENANCE=QUICK), cloud.running():
            World(nova).drained()
            good_for = current().certificate_seconds + A_LOOP
            tick = cloud.tick

            def watched():
                tick()
                if is_safe():
                    assert cloud.time - max(cloud.found_safe, default=-1e9) <= good_for

            cloud.tick = watched
            cloud.act("wait", 3)
            cloud.meanwhile["servers_on"] = meanwhile
            for act in history:
                cloud.act(*act)
            # It is looked after in bounded time, whatever became of its lease and its next pass.
            cloud.meanwhile.clear()
            cloud.act("start", 0)
            bound = 2 * max(current().lease_seconds, passes.longest_pause())
            cloud.act("wait", int(bound + current().verify_seconds) + 5)
            assert is_safe() is ("late" not in nova.all)
            assert nova.calls
            stamps = HostMaintenance.objects.values_list("verified_at", "next_pass_at").get()
            assert stamps[0] <= cloud.wall
            assert stamps[1] <= cloud.wall + timedelta(seconds=current().verify_seconds)

    @quick
    @given(
        history=histories,
        meanwhile=st.lists(st.one_of(steps, st.just(("wait", 1))), max_size=4),
        servers=st.integers(1, 3),
    )
    def test_a_drain_ends_and_moves_nothing_twice(self, history, meanwhile, servers):
        nova = to_be_drained("abc"[:servers])
        cloud = Cloud(nova)
        with self.settings(UKCLOUD_MAINTENANCE=QUICK), cloud.running():
            drain = ask(nova, 2)
            # a request is on its way for less than the grace, while others work on
            cloud.meanwhile["live_migrate"] = meanwhile
            for act in [h for h in history if h[0] not in ("boot", "leave")]:
                cloud.act(*act)
            cloud.act("start", 0)
            for _ in range(20):
                if store.drain(drain.pk).state in DRAIN_TERMINAL:
                    break
                cloud.act("wait", 15)
            over = store.drain(drain.pk)
            assert over.state in DRAIN_TERMINAL
            assert [host for _, host in nova.accepted_posts if host != "cmp1"] == []
            assert len(nova.accepted_posts) == len({name for name, _ in nova.accepted_posts})
            for row in InstanceMigration.objects.all():
                assert row.state in MIGRATION_TERMINAL
                here = nova.all[row.server_id].host == "cmp1"
                if row.state != MigrationState.UNKNOWN:
                    assert (row.state == MigrationState.SUCCEEDED) is not here


# -- the same by hand, for what hypothesis would seldom hit ------------------------------------


@pytest.fixture
def cloud(settings, db):
    settings.UKCLOUD_MAINTENANCE = QUICK
    cloud = Cloud(HostNova())
    with cloud.running():
        yield cloud


@pytest.mark.parametrize("step", [s for s in STEPS if s < 0])
def test_a_step_back_voids_the_certificate_until_the_next_look(cloud, step):
    World(cloud.nova).drained()
    cloud.act("wait", 5)
    assert is_safe()
    cloud.ahead += step
    cloud.nova.failure = host_reconciler.CloudError("read the service", "no answer")
    cloud.tick()
    assert not is_safe(), "nobody could look since"
    cloud.nova.failure = None
    cloud.act("wait", 12)
    assert is_safe()


def test_a_look_during_which_the_clock_was_set_back_certifies_nothing(cloud):
    World(cloud.nova).drained()
    cloud.meanwhile["servers_on"] = [("step", -86400), ("boot",), ("leave",)]
    cloud.workers[1] = None
    cloud.turn(cloud.workers[0])
    assert HostMaintenance.objects.get().verified_at is None
    assert not is_safe()
    cloud.act("wait", 3)
    assert is_safe(), "it is looked again soon"


def test_a_certificate_of_the_future_is_looked_after_though_the_cloud_is_down(cloud):
    """What an earlier version left behind: a worker was ahead, certified, and was killed."""
    World(cloud.nova).drained()
    cloud.act("wait", 3)
    ahead = cloud.wall + timedelta(seconds=300)
    HostMaintenance.objects.update(
        verified_at=ahead, safe_since=ahead, next_pass_at=ahead, claimed_until=ahead
    )
    cloud.nova.failure = host_reconciler.CloudError("read the service", "no answer")
    cloud.tick()
    assert HostMaintenance.objects.get().safe_since is None
    looks = HostMaintenance.objects.get().looks
    cloud.act("wait", 8)
    assert HostMaintenance.objects.get().looks - looks <= 2, "it is not asked without a pause"


@pytest.mark.parametrize("step", [3600, 86400])
def test_a_request_on_its_way_is_not_lost_because_the_clock_is_set_ahead(cloud, step):
    """Worker 1's request takes its time; the clock jumps, so that its lease and its grace are
    over; worker 2 works on the same drain. The request arrives in the end."""
    nova = cloud.nova = to_be_drained("a")
    cloud._interrupt("live_migrate")
    drain = ask(nova, 1)
    store.change_drain(drain, cloud.wall, state=DrainState.RUNNING, started_at=cloud.wall)
    cloud.act("wait", 1)
    cloud.meanwhile["live_migrate"] = [("step", step), ("wait", 4)]
    for _ in range(10):
        cloud.act("wait", 10)
        if Drain.objects.get().state in DRAIN_TERMINAL:
            break
    assert nova.accepted_posts == [("a", "cmp1")]
    row = InstanceMigration.objects.get()
    assert (row.state, row.attempts) == (MigrationState.SUCCEEDED, 1)

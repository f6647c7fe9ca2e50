"""Rules that hold over any history: kills at any instruction, lost answers, failures.

Each example drives the real reconciler and the real store against a model of Nova, killing the
process at a random instruction of a random pass and starting a new one.
"""

from contextlib import contextmanager
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests.worker.fake_nova import FakeNova, Killed
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.preflight.judge import judge
from ukcloud_maintenance.core.preflight.verdicts import Chosen
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    MIGRATION_TERMINAL,
    DrainState,
    MigrationState,
)
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.models import Drain, InstanceMigration
from ukcloud_maintenance.worker import drain as reconciler
from ukcloud_maintenance.worker.looks import Looks

QUICK = {
    "CLOUD": "worker",
    "RETRY_SECONDS": 2,
    "SETTLE_SECONDS": 2,
    "API_TIMEOUT_SECONDS": 3,
    "SUBMIT_GRACE_SECONDS": 6,
    "BLOCKED_WAIT_SECONDS": 5,
    "MAX_ATTEMPTS": 3,
}
PASSES = 400


def ask(nova: FakeNova, max_concurrent: int, choice: str = "") -> Drain:
    """:param choice: the admin's for every server, as in a drain's form"""
    picked = Chosen(choice=choice)
    return store.create_drain(
        region=nova.region,
        host=nova.the_service.host,
        service_id="svc-1",
        reason="new kernel",
        max_concurrent=max_concurrent,
        destination="",
        actor_id="u",
        actor="admin",
        planned=[store.Entry(s, judge(s, picked), choice) for s in nova.all.values()],
        project_names={},
        now=nova.now,
    )


@contextmanager
def killed_in_the_database(countdown: int | None):
    """The process dies right before or right after it changed a row."""
    change = store.change_migration
    left = [countdown]

    def instruction():
        if left[0] is not None:
            left[0] -= 1
            if left[0] <= 0:
                left[0] = None
                raise Killed

    def killable(*args, **more):
        instruction()
        change(*args, **more)
        instruction()

    with mock.patch.object(store, "change_migration", killable):
        yield


def one_pass(nova: FakeNova, drain_id: int) -> None:
    drain = store.drain(drain_id)
    reconciler.Reconciler(nova, "worker", lambda: nova.now).run(drain)


def run(nova: FakeNova, drain: Drain, kills: list[tuple[int, int]] = ()) -> Drain:
    """Pass after pass until the drain is over; `kills` are (pass, instruction) pairs."""
    by_pass = dict(kills)
    remembers = Looks()
    for number in range(PASSES):
        instruction = by_pass.get(number)
        in_nova = instruction is not None and instruction % 2 == 0
        nova.calls = 0
        nova.kill_after = (instruction // 2 + 1) if in_nova else None
        try:
            with killed_in_the_database(None if in_nova or instruction is None else instruction):
                by = reconciler.Reconciler(nova, "worker", lambda: nova.now, looks=remembers)
                by.run_on(store.drain(drain.pk))
        except Killed:
            remembers = Looks()  # another process
        nova.kill_after = None
        nova.tick()
        running = [r for r in nova.records if r.status == "running"]
        nova.times_over += len(running) > drain.max_concurrent
        if store.state_of(drain) in DRAIN_TERMINAL:
            return Drain.objects.get(pk=drain.pk)
    raise AssertionError(f"the drain did not end in {PASSES} passes")


server_names = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5, unique=True)
attempt_outcomes = st.lists(st.sampled_from(["failed", "error_early", "completed"]), max_size=4)
post_fates = st.lists(
    st.sampled_from(["lost", "never", "broken", "refused", "answered"]), max_size=3
)
kill_plans = st.lists(st.tuples(st.integers(0, 25), st.integers(1, 16)), max_size=5)


@pytest.mark.timeout(1800)  # two minutes, but on a machine that is busy with something else
class AnyHistory(TestCase):
    @settings(
        max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(
        names=server_names,
        outcomes=st.dictionaries(st.sampled_from("abcdef"), attempt_outcomes),
        posts=st.dictionaries(st.sampled_from("abcdef"), post_fates),
        kills=kill_plans,
        limit=st.integers(1, 4),
        wanted=st.integers(1, 3),
        off=st.sets(st.sampled_from("abcdef")),
    )
    def test_every_instance_is_accounted_for_and_none_is_migrated_twice(
        self, names, outcomes, posts, kills, limit, wanted, off
    ):
        nova = FakeNova(limit=limit, outcomes=outcomes, posts=posts)
        for name in names:
            nova.add(name, "SHUTOFF" if name in off else "ACTIVE")
        with self.settings(UKCLOUD_MAINTENANCE=QUICK):
            drain = run(nova, ask(nova, wanted), kills)

        rows = list(InstanceMigration.objects.filter(drain=drain))
        assert {r.server_id for r in rows} == set(names)
        assert all(r.state in MIGRATION_TERMINAL for r in rows)
        # none is moved again once it left
        assert [host for _, host in nova.accepted_posts if host != "cmp1"] == []
        # a host that Nova refused is followed by one that it chooses, once for each attempt
        assert all(r.attempts - r.extra_attempts <= 3 for r in rows)
        assert all(r.extra_attempts <= 3 for r in rows)
        # the row tells the truth
        for r in rows:
            here = nova.all[r.server_id].host == "cmp1"
            assert (r.state == MigrationState.SUCCEEDED) is not here
            # as it was: what was off is off, and nothing waits for its confirmation
            assert nova.all[r.server_id].status == ("SHUTOFF" if r.server_id in off else "ACTIVE")
            assert nova.confirms.count(r.server_id) == (r.server_id in off and not here)
        left = [s for s in nova.all.values() if s.host == "cmp1"]
        assert (drain.state == DrainState.SUCCEEDED) is (not left)
        assert nova.disabled_by.count("new kernel") >= 1
        # the pace
        assert nova.most_under_way <= wanted + 1
        if limit <= wanted:
            assert nova.most_running <= wanted

    @settings(max_examples=30, deadline=None, database=None)
    @given(
        names=server_names,
        cancel_at=st.integers(0, 20),
        kills=kill_plans,
        outcomes=st.dictionaries(st.sampled_from("abcdef"), attempt_outcomes),
    )
    def test_a_cancelled_drain_ends_with_the_truth(self, names, cancel_at, kills, outcomes):
        nova = FakeNova(limit=2, outcomes=outcomes)
        for name in names:
            nova.add(name)
        tick = nova.tick
        passes = [0]

        def cancelling_tick(seconds=1):
            tick(seconds)
            if passes[0] == cancel_at:
                current = store.drain(drain.pk)
                if current.state not in DRAIN_TERMINAL:
                    store.cancel_drain(current, "admin", nova.now)
                    self.posted = len(nova.accepted_posts)
            passes[0] += 1

        self.posted = None
        with self.settings(UKCLOUD_MAINTENANCE=QUICK):
            drain = ask(nova, 2)
            nova.tick = cancelling_tick
            over = run(nova, drain, kills)
        if self.posted is not None:
            assert over.state == DrainState.CANCELLED
            assert len(nova.accepted_posts) == self.posted, "something was started after all"
        for r in InstanceMigration.objects.filter(drain=drain):
            assert r.state in MIGRATION_TERMINAL
            here = nova.all[r.server_id].host == "cmp1"
            assert (r.state == MigrationState.SUCCEEDED) is not here

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(
        names=server_names,
        outcomes=st.dictionaries(
            st.sampled_from("abcdef"),
            st.lists(st.sampled_from(["failed", "completed", "stalls"]), max_size=3),
        ),
        kills=kill_plans,
        presses=st.lists(
            st.tuples(
                st.integers(0, 40),
                st.sampled_from(
                    ["pause", "resume", "abort", "force", "skip", "first", "retry", "faster"]
                ),
                st.integers(0, 4),
            ),
            max_size=12,
        ),
        abort=st.booleans(),
        enable=st.booleans(),
    )
    def test_whatever_an_admin_presses_the_drain_can_be_ended_with_the_truth(
        self, names, outcomes, kills, presses, abort, enable
    ):
        nova = FakeNova(limit=2, outcomes=outcomes)
        for name in names:
            nova.add(name)
        actor = Actor("u", "ann", may=lambda rule: True)
        tick, passes = nova.tick, [0]

        def press(what: str, which: int) -> None:
            rows = list(store.migrations(store.drain(drain.pk)))
            one = [rows[which % len(rows)].pk]
            try:
                match what:
                    case "pause":
                        services.pause_drain(actor, drain.pk)
                    case "resume":
                        services.resume_drain(actor, drain.pk)
                    case "faster":
                        change = services.DrainChange(max_concurrent=1 + which)
                        services.change_drain(actor, drain.pk, change)
                    case "force":
                        services.steer(actor, drain.pk, Verb.FORCE, one)
                    case _:
                        services.steer(actor, drain.pk, Verb(what), one)
            except Refused:
                pass  # not in this state; nothing was changed

        def pressing_tick(seconds=1):
            tick(seconds)
            for at, what, which in presses:
                if at == passes[0]:
                    press(what, which)
            current = store.drain(drain.pk)
            if passes[0] == 60 and current.state not in DRAIN_TERMINAL:
                services.cancel_drain(actor, drain.pk, abort=abort, enable=enable)
            passes[0] += 1

        def clock():
            return nova.now

        more = QUICK | {"CANCEL_WAIT_SECONDS": 20, "LATE_MIN_SECONDS": 5}
        # the services tell the time by the system's clock, the worker by the model's
        with (
            self.settings(UKCLOUD_MAINTENANCE=more),
            mock.patch("django.utils.timezone.now", clock),
        ):
            drain = ask(nova, 2)
            nova.tick = pressing_tick
            over = run(nova, drain, kills)
        assert over.state in DRAIN_TERMINAL
        rows = list(InstanceMigration.objects.filter(drain=drain))
        assert {r.server_id for r in rows} == set(names)
        assert [host for _, host in nova.accepted_posts if host != "cmp1"] == []
        for r in rows:
            here = nova.all[r.server_id].host == "cmp1"
            flies = any(f.server_id == r.server_id for f in nova.flights)
            assert r.state in MIGRATION_TERMINAL
            if r.state == MigrationState.UNKNOWN:
                assert (r.code, flies) == ("left_flying", True)
            else:
                assert not flies, "it is told to be over, and flies"
                assert (r.state == MigrationState.SUCCEEDED) is not here
            assert not r.requests.open
        if over.state == DrainState.CANCELLED:
            gave_back = nova.the_service.status == "enabled"
            assert gave_back is enable or not nova.disabled_by


@pytest.mark.django_db
class TestThePace:
    @pytest.mark.parametrize(("limit", "wanted"), [(1, 1), (1, 3), (2, 2), (2, 5), (9, 2), (9, 1)])
    def test_nova_is_kept_just_full_enough(self, settings, limit, wanted):
        settings.UKCLOUD_MAINTENANCE = QUICK
        nova = FakeNova(limit=limit)
        for name in "abcdefgh":
            nova.add(name)
        drain = run(nova, ask(nova, wanted))
        assert drain.state == DrainState.SUCCEEDED
        assert nova.most_running >= min(limit, wanted)
        if limit <= wanted:
            assert nova.most_running == limit
            assert nova.most_under_way == limit + 1, "one must wait in Nova's queue"
            assert drain.learned_limit == limit
        else:
            # Finding out that Nova runs more costs one overlap, at the end of one copy.
            assert nova.most_running <= wanted + 1
            assert nova.times_over <= 2

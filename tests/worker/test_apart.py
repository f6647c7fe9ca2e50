"""A bug in what the worker does with one of several keeps nobody from the others, and is logged."""

import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import OperationalError, ProgrammingError

from tests.worker.driving import SETTINGS
from ukcloud_maintenance import store
from ukcloud_maintenance.core.bugs import AFTER_A_BUG, bug
from ukcloud_maintenance.core.message import lines, message, text
from ukcloud_maintenance.core.states import DrainState
from ukcloud_maintenance.exceptions import PassOver
from ukcloud_maintenance.models import Drain, Run
from ukcloud_maintenance.models import Worker as Report
from ukcloud_maintenance.rolling.run import RunOutcome, RunReconciler
from ukcloud_maintenance.worker import Worker, housekeeping, loop, passes
from ukcloud_maintenance.worker.housekeeping import Apart, SignsOfLife
from ukcloud_maintenance.worker.passes import HeldClaim, Pass

HERE = "here"


class Clock:
    """The monotonic clock, which a test sets ahead."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(housekeeping, "time", made)
    return made


@pytest.fixture
def worker(db, settings, monkeypatch) -> Worker:
    settings.UKCLOUD_MAINTENANCE = SETTINGS
    made = Worker()
    made.runner.cloud_for = lambda one: None
    monkeypatch.setattr(loop, "notify", lambda state: None)
    return made


def running(host: str) -> Drain:
    now = store.now()
    drain = store.create_drain(
        region="",
        host=host,
        service_id="s",
        reason="kernel",
        max_concurrent=1,
        destination="",
        actor_id="",
        actor="al",
        planned=[],
        project_names={},
        now=now,
    )
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    return drain


def broken(monkeypatch, where: object, name: str, on: object, error: Exception | None = None):
    """Lets a function fail where its first argument is this one."""
    real = getattr(where, name)

    def act(first, *more, **named):
        if getattr(first, "pk", first) == on:
            raise error or ValueError("no")
        return real(first, *more, **named)

    monkeypatch.setattr(where, name, act)


def bugs(caplog) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.exc_info]


class TestApart:
    def test_one_rests_and_the_others_go_on(self, clock, caplog):
        apart, done = Apart(), []

        def act(name: str) -> None:
            done.append(name)
            if name == "a":
                raise ValueError("no")

        for _ in range(2):
            for name in "ab":
                apart.do(name, lambda name=name: act(name))
        assert done == ["a", "b", "b"]
        assert bugs(caplog) == ["bug a"]
        clock.at += AFTER_A_BUG
        apart.do("a", lambda: done.append("again"))
        apart.do("a", lambda: done.append("and again"))
        assert done[3:] == ["again", "and again"]

    def test_a_database_that_is_lost_is_no_bug_of_one(self, caplog):
        def act() -> None:
            raise OperationalError("gone")

        with pytest.raises(OperationalError):
            Apart().do("a", act)
        assert bugs(caplog) == []


@pytest.mark.django_db
class TestSignsOfLife:
    def test_it_reports_whatever_one_of_its_problems_is_about(self, monkeypatch, caplog):
        signs = SignsOfLife("w", HERE, 1)
        gone, kept = ("drain", 7), ("drain", 8)
        signs.remember(kept, text("What is wrong."))
        signs.remember(gone, text("What was wrong."))
        broken(monkeypatch, store, "drain", 8)
        signs.report([])
        assert Report.objects.get().problem == text("What is wrong.")
        assert bugs(caplog) == ["bug problem of=drain-8"]

    def test_the_dead_are_released_but_for_one(self, monkeypatch, caplog):
        now = store.now()
        for name in ("w1", "w2"):
            store.sign_of_life(name, HERE, 1, now, None)
        monkeypatch.setattr(housekeeping, "_runs", lambda pid: False)
        broken(monkeypatch, store, "worker_stopped", "w1")
        SignsOfLife("w3", HERE, 2).release_the_dead()
        stopped = {one.name: one.stopped_at is not None for one in Report.objects.all()}
        assert stopped == {"w1": False, "w2": True}
        assert bugs(caplog) == ["bug release worker=w1"]


class TestAClaimThatIsReleasedLater:
    def release_both(self, worker: Worker) -> tuple[Drain, Drain]:
        first, second = running("cmp1"), running("cmp2")
        for one in worker._take(), worker._take():
            assert len(one) == 1
        for drain in (first, second):
            given = HeldClaim(drain, AFTER_A_BUG, text("It hung."))
            worker.runner.to_release.append(given)
        return first, second

    @staticmethod
    def claimed() -> list[bool]:
        return [bool(one.claimed_by) for one in Drain.objects.order_by("pk")]

    def test_one_that_cannot_be_told_of_is_released(self, worker, monkeypatch, caplog):
        first, _second = self.release_both(worker)
        broken(monkeypatch, worker.runner, "_tell", first.pk)
        worker.runner.release_held()
        assert (worker.runner.to_release, self.claimed()) == ([], [False, False])
        assert bugs(caplog) == [f"bug release of=drain-{first.pk} (trouble)"]

    def test_one_that_cannot_be_released_holds_up_no_other_one(self, worker, monkeypatch, caplog):
        first, _second = self.release_both(worker)
        broken(monkeypatch, store, "release", first.pk)
        worker.runner.release_held()
        assert (worker.runner.to_release, self.claimed()) == ([], [True, False])
        assert bugs(caplog) == [f"bug release of=drain-{first.pk}"]

    def test_one_that_a_pass_cannot_release_ends_that_pass(self, worker, monkeypatch, caplog):
        drain = running("cmp1")
        [one] = worker._take()
        monkeypatch.setattr(worker.runner, "try_it", lambda one: 0.0)
        broken(monkeypatch, store, "release", drain.pk)
        monkeypatch.setattr(passes, "close_connections", lambda: None)
        worker.runner.work(one)
        assert one.is_over
        assert worker.runner.to_release == [], "its lease ends by itself"
        assert bugs(caplog) == [f"bug release of=drain-{drain.pk}"]

    def test_a_database_that_is_lost_is_waited_for(self, worker, monkeypatch):
        first, _second = self.release_both(worker)
        with monkeypatch.context() as lost:
            broken(lost, store, "release", first.pk, OperationalError("gone"))
            with pytest.raises(OperationalError):
                worker.runner.release_held()
        assert len(worker.runner.to_release) == 2
        worker.runner.release_held()
        assert self.claimed() == [False, False]


@pytest.mark.parametrize(
    ("kind", "claim"), [("drain", "claim"), ("host", "claim_host"), ("run", "claim_run")]
)
def test_what_cannot_be_claimed_keeps_no_other_kind(
    worker, monkeypatch, clock, caplog, kind, claim
):
    work = {name: object() for name in ("claim", "claim_host", "claim_run")}
    asked: list[str] = []
    for name, one in work.items():

        def give(*args, name=name, one=one):
            asked.append(name)
            if name == claim:
                raise ValueError("no")
            return one

        monkeypatch.setattr(store, name, give)
    for _ in range(2):
        found = worker._take()
        assert [one.of for one in found] == [one for name, one in work.items() if name != claim]
    assert asked.count(claim) == 1, "it rests"
    assert bugs(caplog) == [f"bug claim of={kind}"]
    clock.at += AFTER_A_BUG
    worker._take()
    assert asked.count(claim) == 2


@pytest.mark.django_db
def test_with_once_what_could_not_be_asked_for_is_not_nothing_to_do(worker, monkeypatch, clock):
    assert worker._turn(), "it asked, and there is nothing to do"
    worker.agenda.ask_at_once()

    def fail(*args):
        raise ValueError("no")

    with monkeypatch.context() as broken_claim:
        broken_claim.setattr(store, "claim", fail)
        assert not worker._turn()
    worker.agenda.ask_at_once()
    assert not worker._turn(), "it rests"
    clock.at += AFTER_A_BUG
    worker.agenda.ask_at_once()
    assert worker._turn()


def test_tables_that_are_not_as_they_should_be_are_no_bug_of_a_claim(worker, monkeypatch, caplog):
    def fail(*args):
        raise ProgrammingError("column does not exist")

    monkeypatch.setattr(store, "claim", fail)
    with pytest.raises(ProgrammingError):
        worker._take()
    assert bugs(caplog) == []


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError("gone"), ProgrammingError("no column")])
def test_what_was_claimed_before_the_database_was_lost_waits_for_no_lease(
    worker, monkeypatch, error
):
    drain = running("cmp1")
    with monkeypatch.context() as lost:
        broken(lost, store, "claim_host", worker.name, error)
        with pytest.raises(type(error)):
            worker._claim()
    assert not worker.passes
    worker.runner.release_held()
    [found] = worker._take()
    assert found.of == drain


@pytest.mark.django_db
def test_a_pass_whose_lease_ended_while_it_hung_is_abandoned_for_the_next_one(worker, monkeypatch):
    """A machine that was suspended, say: both have the same name, and one would release what the
    other works on."""
    drain = running("cmp1")
    # none of them comes to its work
    monkeypatch.setattr(threading.Thread, "start", lambda self: None)
    monkeypatch.setattr(threading.Thread, "is_alive", lambda self: True)
    assert worker._claim()
    [first] = worker.passes.values()
    Drain.objects.update(claimed_until=store.now() - timedelta(seconds=1), next_pass_at=None)
    assert worker._claim()
    [second] = worker.passes.values()
    assert (first.of, second.of, first is second) == (drain, drain, False)
    assert worker.watchdog.abandoned == {}, "it may come back in a moment"
    worker.runner.still_ours(second)
    with pytest.raises(PassOver):
        worker.runner.still_ours(first)
    assert worker.runner.to_release == [], "it is the second one's"
    second.is_released = True  # and is over in a moment
    Drain.objects.update(claimed_until=None, next_pass_at=None)
    assert worker._claim()
    assert not second.abandoned


@dataclass
class Stoppable:
    """A pass or a keeper."""

    label: str
    ended: list[str] = field(default_factory=list)
    fails: bool = False
    thread: threading.Thread | None = None
    has_ended = True

    def stop(self) -> None:
        if self.fails:
            raise ValueError("no")
        self.ended.append(self.label)


def test_a_worker_stops_all_that_can_be_stopped(worker, caplog, monkeypatch):
    monkeypatch.setattr(worker, "_say_goodbye", lambda: None)
    ended: list[str] = []
    for name, fails in (("a", True), ("b", False)):
        worker.passes[name] = Stoppable(name, ended, fails)
        worker.keepers.append((Stoppable(f"keeper-{name}", ended, fails), threading.Thread()))
    worker._stop()
    assert ended == ["b", "keeper-b"]
    assert len(bugs(caplog)) == 2


def test_metrics_that_fail_cost_nobody_anything(worker, caplog, monkeypatch):
    def fail() -> None:
        raise ValueError("no")

    monkeypatch.setattr(worker.endpoint, "attend", fail)
    monkeypatch.setattr(worker, "_start_dispatcher", lambda once: None)
    worker.turn_expected = time.monotonic()
    worker._watch(once=False)
    assert bugs(caplog) == ["bug metrics"]


def passed_over(worker: Worker, monkeypatch, outcome: RunOutcome) -> tuple[float, Pass, list[bool]]:
    """The pause after a pass over a run that came to this, the pass, and whether OpenStack is said
    to answer."""
    told: list[bool] = []

    class Told(passes.NoMetrics):
        def openstack(self, region, key, *, answers):
            told.append(answers)

    worker.runner.metrics = Told()
    monkeypatch.setattr(RunReconciler, "run", lambda self, run: outcome)
    one = Pass(Run(pk=1, region=""))
    return worker.runner.try_it(one), one, told


def test_a_bug_in_one_host_of_a_run_is_one_of_its_pass_and_no_outage(worker, monkeypatch):
    said = bug(message("run_host_named", run=1, host="cmp1"), "ValueError: no")
    pause, one, told = passed_over(worker, monkeypatch, RunOutcome(5, None, said, True))
    assert pause == 5, "the others of the run do not wait"
    assert (one.result, told) == ("bug", [True])
    assert worker.signs._problems == {("run", 1): said}


def test_a_bug_in_one_host_of_a_run_hides_no_outage(worker, monkeypatch):
    said, trouble = text("a bug"), text("OpenStack is down.")
    outcome = RunOutcome(5, trouble, said, had_bug=False)
    _pause, one, told = passed_over(worker, monkeypatch, outcome)
    assert (one.result, told) == ("problem", [False])
    assert worker.signs._problems == {("run", 1): lines(said, trouble)}

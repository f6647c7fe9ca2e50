"""Passes over a run, without a network: what is kept and told of them for those who watch."""

from datetime import timedelta

import pytest
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from tests.acted import act
from tests.fakes import GIB, FakeCloud, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.bugs import BUG
from ukcloud_maintenance.core.facts import Capacity
from ukcloud_maintenance.core.message import message, text
from ukcloud_maintenance.core.run import decide
from ukcloud_maintenance.core.run.states import (
    ActionKind,
    ActionState,
    HostVerb,
    RunState,
    RunVerb,
    Stage,
)
from ukcloud_maintenance.exceptions import (
    CloudUnreachable,
    ConfigurationError,
    PassOver,
    Refused,
    StaleState,
)
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Run, RunAction
from ukcloud_maintenance.rolling import gates, resting
from ukcloud_maintenance.rolling.resting import Resting
from ukcloud_maintenance.rolling.run import RunOutcome, RunReconciler
from ukcloud_maintenance.rolling.views import run_view

pytestmark = pytest.mark.django_db


class Course:
    """A run over cmp1, which is worked on by a worker with a clock of its own."""

    def __init__(self, *hosts: str, **fields):
        self.now = timezone.now()
        self.told: list[RunAction] = []
        self.cloud = FakeCloud([service("cmp1"), service("cmp2")], region="")
        store.create_run(
            hosts=[store.NewHost(host, ("nova",)) for host in hosts or ("cmp1",)],
            actor=shell_actor(),
            said=text("new kernel"),
            now=self.now,
            region="",
            reason="new kernel",
            max_concurrent=1,
            **fields,
        )

    @property
    def run(self) -> Run:
        return Run.objects.get()

    @property
    def row(self):
        return store.run_hosts(self.run)[0]

    def stage(self, *stages: Stage) -> None:
        for one in stages:
            store.change_host(self.run, self.row, self.now, stage=one.value)

    def act(self, kind: ActionKind, name: str = "") -> RunAction:
        self.stage(Stage.DRAINING, Stage.READY)
        made = act(
            self.run,
            self.row,
            self.now,
            name=name,
            kind=kind,
            machine="",
            place="",
            before={},
            event=("run_host_acting", "worker", message("run_host_is_yours", host="cmp1")),
        )
        store.change_action(self.run, self.row, made, self.now, state=ActionState.RUNNING.value)
        return made

    def work(self, after: float = 0) -> Run:
        """One pass."""
        self.outcome(after)
        return self.run

    def outcome(self, after: float = 0, resting: Resting | None = None) -> RunOutcome:
        """How one pass went."""
        self.now += timedelta(seconds=after)
        by = RunReconciler(
            *(self.cloud, "worker", "here", lambda: self.now),
            acted=self.told.append,
            resting=resting,
        )
        return by.run(self.run)

    @property
    def rows(self) -> list[store.RunHost]:
        return store.run_hosts(self.run)


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker"}


def test_since_when_a_gate_holds_a_run_is_kept_however_often_it_says_so():
    course = Course()
    course.cloud.all_services.append(service("cmp8", state="down"))
    first = course.work()
    assert first.message.code == "run_hosts_down"
    began = course.now
    assert first.held_since == began
    course.cloud.all_services.append(service("cmp9", state="down"))
    again = course.work(after=60)
    assert len(again.message.values["hosts"]) == 2
    assert again.held_since == began
    services.steer_run(shell_actor(), again.pk, RunVerb.PAUSE)
    assert course.run.held_since is None, "a person holds it"
    services.steer_run(shell_actor(), again.pk, RunVerb.RESUME)
    assert course.work(after=60).held_since == course.now, "it began anew"


def test_the_end_of_what_a_person_does_is_told_once():
    course = Course()
    course.act(ActionKind.HAND)
    course.work()
    assert course.told == []
    services.steer_host(shell_actor(), course.run.pk, "cmp1", HostVerb.DONE)
    for _ in range(3):
        course.work()
    [tried] = course.told
    assert (tried.name, tried.state) == ("", "done")
    assert tried.ended_at is not None
    assert course.row.stage != Stage.ACTING


@pytest.mark.parametrize(
    ("state", "then"),
    [
        (ActionState.FAILED, Stage.FAILED),
        (ActionState.LATER, Stage.READY),
        (ActionState.UNKNOWN, Stage.FAILED),
    ],
)
def test_an_action_that_did_not_do_it_is_told_too(state, then):
    course = Course(action="reboot")
    made = course.act(ActionKind.WEBHOOK, "reboot")
    store.change_action(course.run, course.row, made, course.now, state=state.value)
    course.work()
    assert [one.state for one in course.told] == [state.value]
    assert course.told[0].name == "reboot"
    course.work()
    assert len(course.told) == 1
    events = {event.kind for event in store.run_events(course.run)}
    assert f"run_host_{then.value}" in events


def test_settings_that_keep_one_host_from_its_action_keep_no_other_one(settings, tmp_path):
    """Its records cannot be kept; the one behind it goes on, and none begins."""
    (tmp_path / "records").touch()
    settings.UKCLOUD_MAINTENANCE = {
        "CLOUD": "worker",
        "ACTIONS_DIRECTORY": str(tmp_path / "records"),
        "ACTIONS": {"reboot": {"command": ["true"]}},
    }
    course = Course("cmp1", "cmp2", "cmp3", action="reboot", at_once=3)
    course.act(ActionKind.COMMAND, "reboot")
    RunAction.objects.update(machine="here")
    second = store.run_hosts(course.run)[1]
    store.change_host(course.run, second, course.now, stage=Stage.DRAINING.value)  # without a drain
    with pytest.raises(ConfigurationError):
        course.work()
    stages = [row.stage for row in store.run_hosts(course.run)]
    assert stages == [Stage.ACTING, Stage.FAILED, Stage.WAITING]


def with_room_for_one(course: Course) -> None:
    """cmp1 and cmp2 have an instance each, and cmp3 takes one of the two."""
    course.cloud = FakeCloud(
        [service("cmp1"), service("cmp2"), service("cmp3")],
        [server("a", "cmp1", memory_bytes=4 * GIB), server("b", "cmp2", memory_bytes=4 * GIB)],
    )
    Run.objects.update(region=course.cloud.region)
    course.cloud.all_groups, course.cloud.all_aggregates = [], []
    free = Capacity({"MEMORY_MB": 6 * 1024, "VCPU": 8}, {})
    course.cloud.all_capacity = dict.fromkeys(("cmp1", "cmp2", "cmp3"), free)


def test_room_is_kept_for_what_has_not_left_the_hosts_that_are_drained():
    """Each of two hosts would find its room, and both together do not."""
    course = Course("cmp1", "cmp2", at_once=2)
    with_room_for_one(course)
    drain = services.request_drain(
        shell_actor(), course.cloud, services.DrainRequest("cmp1", "new kernel")
    )
    store.change_host(course.run, course.row, course.now, stage="draining", drain=drain)
    said = course.work().message
    assert said.code == "run_no_room"
    course.cloud.all_servers.pop(0)  # it has left
    assert course.work(after=60).message is None
    assert store.run_hosts(course.run)[1].stage == Stage.DRAINING


def test_what_another_drain_is_still_to_migrate_leaves_a_run_no_room_and_is_named():
    course = Course("cmp1")
    with_room_for_one(course)
    drain = services.request_drain(
        shell_actor(), course.cloud, services.DrainRequest("cmp2", "another team's")
    )
    said = course.work().message
    assert said.code == "run_no_room"
    assert "still waits in another drain: cmp2." in english(said)
    services.cancel_drain(shell_actor(), drain.pk)
    assert course.work(after=60).message is None
    assert store.run_hosts(course.run)[0].stage == Stage.DRAINING


def test_no_wait_of_a_run_lasts_as_long_as_the_clock_was_set_back():
    course = Course(action="reboot")
    right = course.now
    course.now += timedelta(days=1)
    made = course.act(ActionKind.WEBHOOK, "reboot")
    again = course.now + timedelta(minutes=5)
    later = {"state": ActionState.LATER.value, "next_at": again}
    store.change_action(course.run, course.row, made, course.now, **later)
    course.now = right
    course.work()
    made.refresh_from_db()
    times = [made.started_at, made.ended_at, made.next_at, course.row.since]
    assert max(times) < right + timedelta(minutes=1)


def test_how_far_an_action_is_is_said_of_its_host(settings):
    """That its receiver accepted it, say, or cannot tell how far it is."""
    hook = {"url": "http://127.0.0.1:9/", "secret": "s3cret-of-both-ends"}
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker", "ACTIONS": {"awx": {"webhook": hook}}}
    course = Course(action="awx")
    made = course.act(ActionKind.WEBHOOK, "awx")
    said = message("webhook_accepted", receiver="http://127.0.0.1:9")
    store.change_action(course.run, course.row, made, course.now, message=said)
    course.work()
    assert (course.row.stage, course.row.message) == (Stage.ACTING, said)
    revision = course.run.revision
    course.work()
    assert course.run.revision == revision, "once"


def test_a_host_settles_for_as_long_as_nova_needs_to_miss_it(settings):
    """However soon a person says that it is done, and whatever migrations wait for."""
    hook = {"url": "http://127.0.0.1:9/", "secret": "s3cret-of-both-ends"}
    actions = {"awx": {"webhook": hook, "settle": 70}}
    given = {"CLOUD": "worker", "SETTLE_SECONDS": 0, "ACTIONS": actions}
    settings.UKCLOUD_MAINTENANCE = given
    course = Course()
    assert run_view(course.run).settle_seconds == 60
    settings.UKCLOUD_MAINTENANCE = {**given, "BY_HAND_SETTLE_SECONDS": 90}
    assert run_view(course.run).settle_seconds == 90
    Run.objects.update(action="awx")
    assert run_view(course.run).settle_seconds == 70


class Clock:
    """The monotonic clock of a worker, which a test sets ahead."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(resting, "time", made)
    return made


def failing(monkeypatch, host: str, error: Exception) -> list[str]:
    """Lets each step of a host end in an error; the hosts of which a step was begun."""
    begun: list[str] = []
    real = RunReconciler._step

    def step(self, run, row, services):
        begun.append(row.host)
        if row.host == host:
            raise error
        real(self, run, row, services)

    monkeypatch.setattr(RunReconciler, "_step", step)
    return begun


def draining(*hosts: str) -> Course:
    """Each without a drain, by which its run sees that it failed."""
    course = Course(*hosts, at_once=len(hosts))
    for row in course.rows:
        store.change_host(course.run, row, course.now, stage=Stage.DRAINING.value)
    return course


def test_a_bug_in_one_host_keeps_no_other_one(monkeypatch, caplog):
    course = draining("cmp1", "cmp2")
    failing(monkeypatch, "cmp1", ValueError("of\nours"))
    outcome = course.outcome()
    assert [row.stage for row in course.rows] == [Stage.DRAINING, Stage.FAILED]
    assert english(course.row.message) == "The worker failed on this host. ValueError: of ours"
    assert outcome.had_bug
    assert english(outcome.bug).startswith(
        f"The worker failed on host cmp1 of run {course.run.pk}: ValueError: of ours"
    )
    [line] = [one for one in caplog.records if one.exc_info]
    assert line.getMessage() == f"bug run={course.run.pk} host=cmp1"


def test_it_rests_for_longer_each_time_and_the_others_do_not(monkeypatch, clock):
    course = draining("cmp1", "cmp2")
    Run.objects.update(on_failure="skip", failures=2)
    begun = failing(monkeypatch, "cmp1", ValueError("no"))
    at_rest = Resting()
    pauses, outcomes = [], []
    for _ in range(6):
        begun.clear()
        outcomes.append(course.outcome(resting=at_rest))
        assert "cmp1" in begun
        began = clock.at
        while at_rest.why(course.row.pk) is not None:
            begun.clear()
            assert course.outcome(resting=at_rest).bug == outcomes[0].bug
            assert "cmp1" not in begun
            clock.at += 10
        pauses.append(clock.at - began)
    assert pauses == [30, 60, 120, 240, 300, 300]
    assert all(one.had_bug for one in outcomes)


def test_what_was_said_of_a_bug_is_taken_back_once_it_is_over(monkeypatch, clock):
    course = draining("cmp1")
    drain = services.request_drain(
        shell_actor(), course.cloud, services.DrainRequest("cmp1", "new kernel")
    )
    store.change_host(course.run, course.row, course.now, drain=drain)
    at_rest = Resting()
    with monkeypatch.context() as broken:
        failing(broken, "cmp1", ValueError("no"))
        course.outcome(resting=at_rest)
    assert course.row.message is not None
    clock.at += 30
    outcome = course.outcome(resting=at_rest)
    assert (course.row.message, outcome.bug, outcome.had_bug) == (None, None, False)
    with monkeypatch.context() as broken:
        failing(broken, "cmp1", ValueError("no"))
        course.outcome(resting=at_rest)
    clock.at += 30
    assert at_rest.why(course.row.pk) is None, "it is the first one in a row again"


@pytest.mark.parametrize(
    "error", [PassOver("over"), OperationalError("gone"), InterfaceError("closed")]
)
def test_what_is_no_bug_of_a_host_ends_the_pass(monkeypatch, error):
    course = draining("cmp1", "cmp2")
    begun = failing(monkeypatch, "cmp1", error)
    with pytest.raises(type(error)):
        course.outcome()
    assert begun == ["cmp1"]
    assert course.row.message is None


def test_somebody_who_was_faster_ends_the_pass(monkeypatch):
    course = draining("cmp1", "cmp2")
    begun = failing(monkeypatch, "cmp1", StaleState("faster"))
    outcome = course.outcome()
    assert begun == ["cmp1"]
    assert not outcome.had_bug


def test_an_openstack_that_does_not_answer_for_one_host_is_no_bug(monkeypatch):
    course = draining("cmp1", "cmp2")
    failing(monkeypatch, "cmp1", CloudUnreachable("to list services", "no answer"))
    outcome = course.outcome()
    assert not outcome.had_bug
    assert course.row.message.code == "openstack_trouble"
    assert course.rows[1].stage == Stage.FAILED


def test_a_bug_at_the_beginning_of_a_host_keeps_the_run_from_it_and_no_other_one(
    monkeypatch, clock
):
    course = Course("cmp1", "cmp2", at_once=2)
    monkeypatch.setattr(gates, "room_is_missing", lambda *args: None)
    tried = []

    def begin(self, run, row):
        tried.append(row.host)
        raise ValueError("no")

    second = course.rows[1]
    store.change_host(course.run, second, course.now, stage=Stage.DRAINING.value)
    Run.objects.update(on_failure="skip", failures=2)
    monkeypatch.setattr(RunReconciler, "_begin", begin)
    at_rest = Resting()
    outcome = course.outcome(resting=at_rest)
    assert (tried, outcome.had_bug) == (["cmp1"], True)
    assert [row.stage for row in course.rows] == [Stage.WAITING, Stage.FAILED]
    assert course.row.message.code == "worker_failed_on_host"
    assert english(course.run.message) == "The worker failed on this run: ValueError: no."
    assert not course.outcome(resting=at_rest).had_bug
    assert tried == ["cmp1"], "it rests"
    clock.at += 30
    course.outcome(resting=at_rest)
    assert tried == ["cmp1", "cmp1"]


def test_a_host_that_cannot_be_begun_rests_for_longer_each_time(monkeypatch, clock):
    """What is done with one that waits goes well each time, but is not what went wrong."""
    course = Course("cmp1")
    monkeypatch.setattr(gates, "room_is_missing", lambda *args: None)

    def begin(self, run, row):
        raise ValueError("no")

    at_rest = Resting()
    pauses = []
    with monkeypatch.context() as broken:
        broken.setattr(RunReconciler, "_begin", begin)
        for _ in range(3):
            assert course.outcome(resting=at_rest).had_bug
            began = clock.at
            while at_rest.why(course.row.pk) is not None:
                clock.at += 10
            pauses.append(clock.at - began)
            assert course.row.message.code == "worker_failed_on_host"
    assert pauses == [30, 60, 120]
    assert not course.outcome(resting=at_rest).had_bug
    assert (course.row.stage, course.row.message) == (Stage.DRAINING, None)


def test_a_bug_in_one_host_hides_no_openstack_that_does_not_answer(monkeypatch):
    course = draining("cmp1", "cmp2")

    def step(self, run, row, services):
        if row.host == "cmp1":
            raise ValueError("no")
        raise CloudUnreachable("to list services", "no answer")

    monkeypatch.setattr(RunReconciler, "_step", step)
    outcome = course.outcome()
    assert outcome.had_bug
    assert outcome.bug.code == BUG
    assert outcome.problem == CloudUnreachable("to list services", "no answer").said


def at_the_end(monkeypatch, then) -> None:
    """Lets somebody do this once a pass has found that its run is over."""
    real = decide.of_run

    def of_run(run, hosts):
        found = real(run, hosts)
        then()
        return found

    monkeypatch.setattr(decide, "of_run", of_run)


def all_failed() -> Course:
    """A run that a person told to go on without the host that failed."""
    course = draining("cmp1")
    course.stage(Stage.FAILED)
    Run.objects.update(on_failure="skip", failures=1)
    return course


def test_no_run_ends_while_a_host_is_retried(monkeypatch):
    course = all_failed()
    run = course.run
    with monkeypatch.context() as meanwhile:
        at_the_end(
            meanwhile,
            lambda: services.steer_host(shell_actor(), run.pk, "cmp1", HostVerb.RETRY),
        )
        course.work()
    assert (course.run.state, course.run.finished_at) == (RunState.RUNNING, None)
    assert (course.row.stage, bool(course.row.open_key)) == (Stage.WAITING, True)


def test_no_run_ends_while_hosts_are_added(monkeypatch):
    course = all_failed()
    run, new = course.run, [store.NewHost("cmp2", ("nova",))]
    event = ("run_hosts_added", shell_actor(), message("run_hosts_added", hosts=["cmp2"]))
    with monkeypatch.context() as meanwhile:
        at_the_end(meanwhile, lambda: store.add_hosts(run, new, event, course.now))
        course.work()
    assert (course.run.state, course.run.finished_at) == (RunState.RUNNING, None)
    assert course.rows[1].open_key


def test_no_host_of_a_run_that_ended_meanwhile_is_retried(monkeypatch):
    course = all_failed()
    real, ended = store.run_hosts, []

    def run_hosts(run, **more):
        found = real(run, **more)
        if not ended:
            ended.append(True)
            course.work()  # once the admin has read it
        return found

    monkeypatch.setattr(store, "run_hosts", run_hosts)
    with pytest.raises(Refused) as refused:
        services.steer_host(shell_actor(), course.run.pk, "cmp1", HostVerb.RETRY)
    assert refused.value.said.code == "run_is_over"
    assert (course.run.state, course.row.stage) == (RunState.FAILED, Stage.FAILED)

"""Webhooks and records of commands as a run follows them: sent once, or known not to be."""

import os
import signal
from datetime import timedelta

import pytest

from tests.actions.servers import answer, serving
from tests.actions.test_command import pids_of, until
from ukcloud_maintenance import store
from ukcloud_maintenance.actions.command import State, look
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.facts import Machine
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.run.states import ActionState, Stage
from ukcloud_maintenance.exceptions import StaleState
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain, HostMaintenance, RunAction, RunHost, host_key
from ukcloud_maintenance.rolling.acting import Acting, record_of

pytestmark = pytest.mark.django_db


class Told:
    """Stands in for the region, of which an action wants to know the machine alone."""

    def machine(self, host: str) -> Machine:
        return Machine(1000, 1)


class Bench:
    """A host that is ready, and a worker that acts on it at a time of its own."""

    def __init__(self, action: str, machine: str = "here"):
        self.now = store.now()
        self.acting = Acting(Told(), "worker", machine, lambda: self.now)
        self.run = store.create_run(
            hosts=[store.NewHost("cmp1")],
            actor=shell_actor(),
            said=text("new kernel"),
            now=self.now,
            region="",
            reason="new kernel",
            action=action,
            max_concurrent=1,
        )
        kept = {"region": "", "host": "cmp1", "host_key": host_key("", "cmp1"), "service_id": "s"}
        maintenance = HostMaintenance.objects.create(
            **kept,
            open_key=host_key("", "cmp1"),
            found_status="enabled",
            opened_at=self.now,
            safe_since=self.now,
            verified_at=self.now,
        )
        drain = Drain.objects.create(
            **kept,
            reason="new kernel",
            max_concurrent=1,
            state="succeeded",
            maintenance=maintenance,
            created_at=self.now,
            updated_at=self.now,
        )
        RunHost.objects.update(
            stage=Stage.READY.value, drain=drain, maintenance=maintenance, open_key=None
        )

    @property
    def row(self) -> RunHost:
        return store.run_hosts(self.run)[0]

    def give_back(self) -> None:
        """Somebody returns the host to service by hand."""
        HostMaintenance.objects.update(closed_at=self.now, safe_since=None, open_key=None)

    @property
    def tried(self):
        return store.tries_of(self.row)[-1]

    def act(self) -> "Bench":
        self.acting.act(self.run, self.row)
        return self

    def follow(self, after: float = 0) -> ActionState:
        self.now += timedelta(seconds=after)
        self.acting.follow(self.run, self.row)
        return ActionState(self.tried.state)


def hook(settings, url: str, **more) -> None:
    poll = {"field": "status", "done": ["successful"], "failed": ["failed"], "interval": 5}
    action = {"webhook": {"url": f"{url}/hook", "secret": "s3cret-of-both-ends", "poll": poll}}
    settings.UKCLOUD_MAINTENANCE = {
        "CLOUD": "worker",
        "ACTIONS": {"awx": {"time_limit": 600, "retry_after": 10, **action, **more}},
    }


def test_a_webhook_is_sent_until_it_is_taken_and_asked_until_it_ends(settings):
    with serving(
        answer(503),
        answer(202, {"url": "/jobs/7"}),
        answer(200, {"status": "running"}),
        answer(200, {"status": "successful"}),
    ) as server:
        hook(settings, server.url)
        bench = Bench("awx").act()
        assert bench.tried.state == ActionState.INTENDED
        assert bench.follow() is ActionState.INTENDED  # not due yet
        assert bench.follow(after=11) is ActionState.RUNNING
        assert bench.follow(after=1) is ActionState.RUNNING
        assert bench.follow(after=6) is ActionState.DONE
        assert [one.path for one in server.sent] == ["/hook", "/hook", "/jobs/7", "/jobs/7"]
        deliveries = {one.headers["webhook-id"] for one in server.sent[:2]}
        assert deliveries == {bench.tried.token}


def test_one_that_may_have_been_taken_is_left_to_a_person(settings):
    with serving(answer(500)) as server:
        hook(settings, server.url)
        bench = Bench("awx").act()
        assert bench.tried.state == ActionState.UNKNOWN
        assert len(server.sent) == 1


def test_one_that_may_be_repeated_is_sent_again(settings):
    with serving(answer(500), answer(200, {"url": "/jobs/7"})) as server:
        hook(settings, server.url, idempotent=True)
        bench = Bench("awx").act()
        assert bench.follow(after=11) is ActionState.RUNNING
        assert len(server.sent) == 2


@pytest.mark.parametrize("idempotent", [False, True])
def test_a_worker_that_died_while_it_sent_does_not_send_again_by_itself(
    settings, monkeypatch, idempotent
):
    with serving(answer(200, {"url": "/jobs/7"})) as server:
        hook(settings, server.url, idempotent=idempotent)
        bench = Bench("awx")
        with monkeypatch.context() as killed:
            killed.setattr(bench.acting, "_start", lambda *_: None)
            bench.act()
        known = ActionState.RUNNING if idempotent else ActionState.UNKNOWN
        assert bench.follow() is known
        assert len(server.sent) == idempotent


def test_what_was_refused_has_failed_and_what_never_ends_is_unknown(settings):
    with serving(answer(404)) as server:
        hook(settings, server.url)
        assert Bench("awx").act().tried.state == ActionState.FAILED
    with serving(answer(200, {"url": "/jobs/7"}), answer(200, {"status": "running"})) as server:
        hook(settings, server.url)
        HostMaintenance.objects.update(open_key=None)
        bench = Bench("awx").act()
        assert bench.follow(after=700) is ActionState.RUNNING
        assert bench.follow(after=30) is ActionState.UNKNOWN


def test_nobody_answers_and_nothing_was_sent(settings):
    hook(settings, "http://127.0.0.1:9")  # the discard service: nobody listens
    bench = Bench("awx").act()
    assert bench.tried.state == ActionState.INTENDED
    assert bench.follow(after=800) is ActionState.FAILED


@pytest.mark.parametrize("idempotent", [False, True])
def test_nothing_is_sent_once_its_time_is_over(settings, monkeypatch, idempotent):
    with serving(answer(503), answer(202, {"url": "/jobs/7"})) as server:
        hook(settings, server.url, idempotent=idempotent)
        bench = Bench("awx").act()
        later = timedelta(seconds=800)
        HostMaintenance.objects.update(verified_at=bench.now + later)  # it is safe still
        store_now = store.now
        monkeypatch.setattr(store.clock, "now", lambda: store_now() + later)
        known = ActionState.UNKNOWN if idempotent else ActionState.FAILED
        assert bench.follow(after=800) is known
        assert "503" in english(bench.tried.message)
        assert len(server.sent) == 1


def command(settings, tmp_path, *argv: str) -> None:
    settings.UKCLOUD_MAINTENANCE = {
        "CLOUD": "worker",
        "ACTIONS_DIRECTORY": str(tmp_path / "records"),
        "ACTIONS": {"mark": {"command": list(argv), "time_limit": 60}},
    }


def test_a_command_of_another_machine_is_not_looked_at_and_its_end_is_unknown_at_last(
    settings, tmp_path
):
    command(settings, tmp_path, "true")
    bench = Bench("mark", machine="there").act()
    bench.acting.machine = "here"
    assert bench.follow() is ActionState.RUNNING
    assert bench.tried.message.code == "run_other_machine"
    assert bench.follow(after=181) is ActionState.UNKNOWN


def test_a_record_that_was_lost_is_no_proof_that_nothing_began(settings, tmp_path):
    command(settings, tmp_path, "sleep", "5")
    bench = Bench("mark").act()
    (tmp_path / "records").rename(tmp_path / "away")
    assert bench.follow() is ActionState.UNKNOWN
    assert bench.tried.message.code == "run_record_lost"


def test_an_action_that_the_settings_lost_fails_the_host_by_name(settings, tmp_path):
    command(settings, tmp_path, "true")
    bench = Bench("mark")
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker"}
    bench.act()
    assert bench.row.stage == Stage.FAILED
    assert bench.row.message.code == "run_action_gone"


def test_nothing_is_begun_on_a_host_that_was_given_back_since_it_was_decided(settings, tmp_path):
    command(settings, tmp_path, "true")
    bench = Bench("mark")
    row = bench.row
    bench.give_back()
    with pytest.raises(StaleState):
        bench.acting.act(bench.run, row)
    assert not RunAction.objects.exists()
    assert bench.row.stage == Stage.READY


def test_nothing_is_begun_on_a_host_that_was_verified_ahead_of_the_clock(settings, tmp_path):
    """It was set back since it was decided: how old that verification is cannot be told."""
    command(settings, tmp_path, "true")
    bench = Bench("mark")
    HostMaintenance.objects.update(verified_at=bench.now + timedelta(hours=1))
    with pytest.raises(StaleState):
        bench.act()
    assert not RunAction.objects.exists()


def test_a_webhook_is_not_sent_again_to_a_host_that_was_given_back(settings):
    with serving(answer(503), answer(202, {"url": "/jobs/7"})) as server:
        hook(settings, server.url)
        bench = Bench("awx").act()
        bench.give_back()
        assert bench.follow(after=11) is ActionState.FAILED
        assert bench.tried.message.code == "run_no_longer_safe"
        assert len(server.sent) == 1


def test_a_command_that_began_too_late_does_not_begin_at_all(settings, tmp_path, monkeypatch):
    command(settings, tmp_path, "touch", str(tmp_path / "began"))
    bench = Bench("mark")
    with monkeypatch.context() as stopped:
        # as if the process had been stopped between the intent and the command
        later = iter([bench.now, bench.now + timedelta(seconds=60)])
        stopped.setattr(bench.acting, "clock", later.__next__)
        bench.act()
    assert bench.follow() is ActionState.LATER
    assert not (tmp_path / "began").exists()


def test_a_command_that_nobody_watches_any_longer_is_a_persons_and_no_bug(settings, tmp_path):
    command(settings, tmp_path, "sleep", "1000")
    bench = Bench("mark").act()
    record = record_of(bench.tried)
    [pid] = until(lambda: pids_of(record, "pid", "pid"))
    [supervisor] = pids_of(record, "began", "supervisor")
    os.kill(supervisor, signal.SIGKILL)
    try:
        until(lambda: look(record).state is not State.RUNNING)
        assert bench.follow() is ActionState.UNKNOWN
        assert bench.tried.message.code == "action_unwatched"
        assert record.exists(), "it tells whether the process still runs"
    finally:
        os.killpg(pid, signal.SIGKILL)

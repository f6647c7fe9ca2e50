"""A worker never hangs without a word: what does not answer, what fails for ever, a database that
goes away, and a signal to stop meanwhile."""

import json
import logging
import signal
import socket
import threading
import time
from unittest import mock

import pytest
from django.db import OperationalError

from tests.worker.driving import SETTINGS, Installation
from tests.worker.test_processes import drained, events, installed, posts, since  # noqa: F401
from ukcloud_maintenance import store
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import DrainState
from ukcloud_maintenance.exceptions import PassOver
from ukcloud_maintenance.message_field import MessageField
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain
from ukcloud_maintenance.models import Worker as Report
from ukcloud_maintenance.worker import Worker, housekeeping, loop, passes
from ukcloud_maintenance.worker import drain as reconciler

pytestmark = pytest.mark.timeout(900)


def problem(installation: Installation) -> str:
    found = installation.query(
        "select problem from ukcloud_maintenance_worker where stopped_at is null"
    )
    return found[0][0] if found else ""


class TestKeystoneThatNeverAnswers:
    def test_is_named_and_the_worker_obeys_and_nothing_is_lost(self, nova, installed):  # noqa: F811
        servers = nova.create_servers(["a"], host="cmp1")
        drain_id = installed.drain("cmp1")
        with nova.fault(path="^/identity/v3/auth/tokens", user_agent="", hold_before=90, times=50):
            impatient = json.dumps(SETTINGS | {"API_TIMEOUT_SECONDS": 2})
            worker = installed.start_worker(TEST_MAINTENANCE=impatient)
            installed.wait(lambda: "no_complete_answer" in problem(installed), "it is named")
            seen = "select max(seen_at) from ukcloud_maintenance_worker"
            (first,) = installed.query(seen)[0]
            installed.wait(lambda: installed.query(seen)[0][0] > first, "it still reports")
            stored = installed.query("select message from ukcloud_maintenance_drain")[0][0]
            said = english(MessageField().to_python(stored))
            # whichever of the two limits a busy machine comes to first
            assert "no complete answer" in said or "timed out" in said
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        installed.start_worker()
        drained(installed, drain_id, servers)
        installed.wait(lambda: not problem(installed), "what is over is not shown")
        assert "no complete answer" not in installed.status(drain_id)["message"]


def test_a_token_that_is_refused_for_a_request_costs_no_attempt(nova, installed, since):  # noqa: F811
    servers = nova.create_servers(["a"], host="cmp2")
    nova.fault(method="POST", body="os-migrateLive", answer=401)
    drain_id = installed.drain("cmp2")
    installed.start_worker()
    drained(installed, drain_id, servers)
    assert posts(nova, since) == {servers[0]: 2}, "the refused one, and the one that was begun"
    assert events(installed, "attempt_failed") == 0
    assert events(installed, "put_off") == 1


def test_so_does_a_nova_that_is_busy(nova, installed, since):  # noqa: F811
    servers = nova.create_servers(["a"], host="cmp3")
    nova.fault(method="POST", body="os-migrateLive", answer=429)
    drain_id = installed.drain("cmp3")
    installed.start_worker()
    drained(installed, drain_id, servers)
    assert posts(nova, since) == {servers[0]: 2}
    assert events(installed, "attempt_failed") == 0


def test_the_service_manager_is_told(nova, installed, tmp_path):  # noqa: F811
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(120)
        installed.environment["NOTIFY_SOCKET"] = address
        worker = installed.start_worker()
        said = [listener.recv(100).decode() for _ in range(3)]
        assert said[0] == "READY=1"
        assert set(said[1:]) == {"WATCHDOG=1"}
        worker.send_signal(signal.SIGTERM)
        while said[-1] != "STOPPING=1":
            said.append(listener.recv(100).decode())
        assert worker.wait(60) == 0


@pytest.fixture
def one_drain(db):
    now = store.now()
    drain = store.create_drain(
        region="",
        host="cmp1",
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


@pytest.fixture
def worker(settings, monkeypatch):
    settings.UKCLOUD_MAINTENANCE = SETTINGS
    made = Worker()
    made.runner.cloud_for = lambda one: None
    monkeypatch.setattr(loop, "notify", lambda state: None)
    return made


@pytest.fixture
def lines():
    """What the worker logs, line by line, whether or not its logger is propagated."""
    found: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append(record.getMessage())
    logger = logging.getLogger("ukcloud_maintenance.worker")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(handler)
    logger.setLevel(level)


def run(monkeypatch, act):
    monkeypatch.setattr(reconciler.Reconciler, "run_on", lambda self, drain: act(self, drain))


class TestAPassThatDoesNotEnd:
    def test_is_abandoned_named_and_its_place_is_free(self, worker, one_drain, lines):
        free = threading.Event()
        (one,) = worker._take()
        # it stands for the pass, which beside the test's transaction could not see the database
        one.thread = threading.Thread(target=free.wait, args=(60,))
        one.thread.start()
        worker.passes[one.key] = one
        worker.dispatcher = threading.current_thread()
        worker.turn_expected = time.monotonic() + 1000
        try:
            worker._watch(once=True)
            assert worker.passes, "it has its time"
            one.began -= 10_000
            worker._watch(once=True)
            assert not worker.passes
            assert one.abandoned
            assert "abandoned" in "".join(lines)
            with pytest.raises(PassOver):
                worker.runner.still_ours(one)
            worker.runner.release_held()
            worker._report()
            assert "has not ended" in english(Report.objects.get().problem)
            drain = Drain.objects.get()
            assert "has not ended" in english(drain.message)
            assert drain.claimed_by == ""
        finally:
            free.set()
            one.thread.join()
        worker._watch(once=True)
        worker.signs.reported_at = 0
        worker._report()
        assert Report.objects.get().problem is None

    def test_many_of_them_end_the_worker(self, worker):
        over = threading.Event()
        threads = [threading.Thread(target=over.wait) for _ in range(8)]
        for thread in threads:
            thread.start()
            worker.watchdog.abandoned[thread] = "a pass"
        worker.dispatcher = threading.current_thread()
        worker.turn_expected = time.monotonic() + 1000
        worker._watch(once=True)
        over.set()
        for thread in threads:
            thread.join()
        assert worker.stopping.is_set()
        assert worker.failure == message("worker_stuck")


class TestABug:
    def test_reaches_the_page_and_the_workers_problem_and_leaves_them(
        self, worker, one_drain, monkeypatch
    ):
        def fail(this, drain):
            raise KeyError("cacert")

        run(monkeypatch, fail)
        monkeypatch.setattr(passes.LOG, "exception", lambda *a, **k: None)
        monkeypatch.setattr(housekeeping, "connections", mock.MagicMock())
        (one,) = worker._take()
        worker.runner.work(one)
        worker._report()
        assert "KeyError: 'cacert'" in english(Report.objects.get().problem)
        drain = Drain.objects.get()
        assert "KeyError: 'cacert'" in english(drain.message)
        assert drain.next_pass_at > store.now(), "it is not tried at once"
        run(monkeypatch, lambda this, drain: reconciler.Outcome(pause_seconds=5))
        Drain.objects.update(next_pass_at=None)
        (one,) = worker._take()
        worker.runner.work(one)
        worker.signs.reported_at = 0
        worker._report()
        assert Report.objects.get().problem is None

    def test_pauses_grow_and_have_a_bound(self, worker, one_drain, monkeypatch):
        def fail(this, drain):
            raise ValueError("no")

        run(monkeypatch, fail)
        monkeypatch.setattr(passes.LOG, "exception", lambda *a, **k: None)
        one = passes.Pass(store.drain(one_drain.pk))
        pauses = [worker.runner.try_it(one) for _ in range(6)]
        assert pauses == sorted(pauses)
        assert pauses[0] < pauses[1]
        assert pauses[-1] == passes.AFTER_A_BUG_MAX


class TestADatabaseThatGoesAway:
    def test_is_an_outage_one_line_and_it_comes_back(self, worker, monkeypatch, lines):
        failures = [OperationalError("server closed the connection\n\tunexpectedly")] * 4
        rests: list[float] = []

        def report():
            if failures:
                raise failures.pop()
            worker.stopping.set()

        monkeypatch.setattr(worker.signs, "release_the_dead", lambda: None)
        monkeypatch.setattr(worker, "_watch_the_clock", lambda: None)
        monkeypatch.setattr(worker, "_report", report)
        monkeypatch.setattr(worker.runner, "release_held", lambda: None)
        monkeypatch.setattr(worker, "_claim", lambda: False)
        monkeypatch.setattr(worker, "_rest", rests.append)
        monkeypatch.setattr(housekeeping, "connections", mock.MagicMock())
        monkeypatch.setattr(loop, "close_old_connections", lambda: None)
        worker.dispatcher = threading.current_thread()
        worker._dispatch(once=False)
        assert [line.split()[0] for line in lines] == ["database_down", "database_back"]
        assert all("\n" not in line and "Traceback" not in line for line in lines)
        assert rests[:4] == [1, 2, 4, 8], "it is asked less and less often"

    def test_a_pass_that_meets_it_is_no_bug(self, worker, one_drain, monkeypatch, lines):
        def lost(this, drain):
            raise OperationalError("database is locked")

        run(monkeypatch, lost)
        monkeypatch.setattr(housekeeping, "connections", mock.MagicMock())
        (one,) = worker._take()
        worker.runner.work(one)
        assert [line.split()[0] for line in lines] == ["database_down"]
        assert Drain.objects.get().message is None

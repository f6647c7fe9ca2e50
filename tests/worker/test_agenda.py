"""When the dispatcher asks the database for work: seldom while nothing can be due, and in time for
what is. By a clock of the test's own: nothing here waits."""

import threading
from types import SimpleNamespace
from unittest import mock

import pytest
from django.db import OperationalError

from ukcloud_maintenance import store
from ukcloud_maintenance.models import Drain
from ukcloud_maintenance.worker import Worker, agenda, housekeeping, loop

IDLE = 5.0
KEY = ("drain", 1)


class Dispatcher:
    """A worker's dispatcher, in the thread of the test, and the time around it."""

    def __init__(self, monkeypatch):
        self.time = 1000.0
        #: when it asked for drains, and for hosts, since it began
        self.asked: list[float] = []
        self.asked_for_hosts: list[float] = []
        #: what happens by itself, and when
        self.events: list[tuple[float, object]] = []
        #: what a claim finds
        self.due: list[Drain] = []
        self.begun: list[float] = []
        #: whether somebody waits for a worker
        self.requested = False
        self.worker = Worker()
        clock = SimpleNamespace(monotonic=lambda: self.time)
        monkeypatch.setattr(agenda, "time", clock)
        monkeypatch.setattr(loop, "time", clock)
        monkeypatch.setattr(housekeeping, "connections", mock.MagicMock())
        monkeypatch.setattr(loop, "close_old_connections", lambda: None)
        monkeypatch.setattr(store, "claim", self.claim)
        monkeypatch.setattr(store, "claim_host", self.claim_host)
        monkeypatch.setattr(store, "claim_run", lambda *args: None)
        monkeypatch.setattr(store, "is_requested", lambda *args: self.requested)
        monkeypatch.setattr(store, "is_run_requested", lambda *args: False)
        monkeypatch.setattr(self.worker.signs, "release_the_dead", lambda: None)
        monkeypatch.setattr(self.worker.signs, "report", lambda more: None)
        monkeypatch.setattr(self.worker.clock, "was_set_back", lambda: False)
        monkeypatch.setattr(self.worker.agenda, "rest", self.rest)
        # after what failed, too: a test of a loop ends whatever the loop meets
        monkeypatch.setattr(self.worker, "_rest", self.rest)
        monkeypatch.setattr(self.worker.runner, "work", lambda one: None)

    @property
    def now(self) -> float:
        return round(self.time - 1000, 3)

    def claim(self, *args):
        self.asked.append(self.now)
        if not self.due:
            return None
        self.begun.append(self.now)
        return self.due.pop()

    def claim_host(self, *args):
        self.asked_for_hosts.append(self.now)

    def at(self, seconds: float, act) -> None:
        self.events.append((seconds, act))
        self.events.sort(key=lambda event: event[0])

    def rest(self, seconds: float) -> None:
        """Time goes by, up to the end of the rest or to what cuts it short."""
        until = self.now + seconds
        while self.events and self.events[0][0] <= until:
            at, act = self.events.pop(0)
            self.time = 1000 + at
            act()
            if self.worker.agenda.is_time or self.worker.stopping.is_set():
                return
        self.time = 1000 + until

    def run(self, seconds: float) -> None:
        self.at(seconds, self.worker.stopping.set)
        self.worker.dispatcher = threading.current_thread()
        self.worker._dispatch(once=False)


@pytest.fixture
def dispatcher(settings, monkeypatch):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker", "IDLE_SECONDS": IDLE, "POLL_SECONDS": 2}
    return Dispatcher(monkeypatch)


def test_an_idle_worker_asks_once_in_idle_seconds(dispatcher):
    dispatcher.run(60)
    assert dispatcher.asked == [IDLE * n for n in range(12)]
    assert dispatcher.asked_for_hosts == dispatcher.asked


def test_what_is_requested_is_begun_within_a_second(dispatcher):
    def press():
        dispatcher.requested = True
        dispatcher.due.append(Drain(pk=1, region=""))

    dispatcher.at(17.3, press)
    dispatcher.run(18.9)
    assert dispatcher.begun == [18]


def test_a_new_drain_is_begun_within_idle_seconds(dispatcher):
    dispatcher.at(17.3, lambda: dispatcher.due.append(Drain(pk=1, region="")))
    dispatcher.run(40)
    (begun,) = dispatcher.begun
    assert 17.3 <= begun <= 17.3 + IDLE


def test_what_it_put_off_itself_is_asked_for_when_it_is_due(dispatcher):
    dispatcher.worker.agenda.put_off(KEY, 2)
    dispatcher.run(9)
    due = 2 + agenda.SLACK
    assert dispatcher.asked == [0, due, due + IDLE], "and once"


def test_the_newest_pause_counts(dispatcher):
    dispatcher.worker.agenda.put_off(KEY, 1)
    dispatcher.worker.agenda.put_off(KEY, 3)
    dispatcher.run(4)
    assert dispatcher.asked == [0, 3 + agenda.SLACK]


def test_a_long_pause_does_not_keep_it_from_asking(dispatcher):
    dispatcher.worker.agenda.put_off(KEY, 3600)
    dispatcher.run(11)
    assert dispatcher.asked == [0, 5, 10]


def test_it_asks_at_once_when_a_place_is_free(dispatcher):
    dispatcher.at(6.5, dispatcher.worker.agenda.ask_at_once)
    dispatcher.run(11)
    assert dispatcher.asked == [0, 5, 6.5]


def test_a_place_that_becomes_free_while_it_asks_is_not_missed(dispatcher, monkeypatch):
    def claim_host(*args):
        if len(dispatcher.asked) == 1:
            dispatcher.worker.agenda.ask_at_once()

    monkeypatch.setattr(store, "claim_host", claim_host)
    dispatcher.run(1)
    assert dispatcher.asked == [0, 0]


def test_it_asks_again_at_once_as_long_as_it_finds_something(dispatcher):
    dispatcher.due += [Drain(pk=n, region="") for n in range(3)]
    dispatcher.run(1)
    assert len(dispatcher.begun) == 3
    assert set(dispatcher.asked) == {0}


def test_it_asks_at_once_when_the_clock_was_set_back(dispatcher, monkeypatch):
    back = iter([False, False, True])
    monkeypatch.setattr(dispatcher.worker.clock, "was_set_back", lambda: next(back, False))
    dispatcher.run(4)
    assert dispatcher.asked == [0, 2]


def test_it_turns_each_second_to_watch_the_clock_though_it_does_not_ask(dispatcher, monkeypatch):
    looks = []
    monkeypatch.setattr(
        dispatcher.worker.clock, "was_set_back", lambda: looks.append(dispatcher.now)
    )
    dispatcher.run(4)
    assert looks == [0, 1, 2, 3]


def test_a_database_that_fails_is_asked_again_after_the_pause(dispatcher, monkeypatch):
    answers = [OperationalError("gone"), None]

    def claim(*args):
        dispatcher.asked.append(dispatcher.now)
        found = answers.pop(0) if answers else None
        if found:
            raise found

    def rest(seconds):
        dispatcher.time += seconds

    monkeypatch.setattr(store, "claim", claim)
    monkeypatch.setattr(dispatcher.worker, "_rest", rest)
    dispatcher.run(5)
    assert dispatcher.asked == [0, loop.DATABASE_PAUSE]


@pytest.mark.parametrize("broken", ["claim", "claim_host", "claim_run"])
def test_once_ends_though_one_kind_cannot_be_claimed_and_says_so(dispatcher, monkeypatch, broken):
    """The others are worked off before."""

    def claim(*args):
        raise RuntimeError("a bug")

    if broken != "claim":
        dispatcher.due.append(Drain(pk=1, region=""))
    monkeypatch.setattr(store, broken, claim)
    dispatcher.worker.dispatcher = threading.current_thread()
    dispatcher.worker._dispatch(once=True)
    assert len(dispatcher.begun) == (broken != "claim")
    assert dispatcher.worker.failure.code == "not_claimed"


def test_once_ends_with_a_fault_of_the_dispatcher_itself(dispatcher, monkeypatch):
    def turn():
        raise RuntimeError("a bug")

    monkeypatch.setattr(dispatcher.worker, "_turn", turn)
    dispatcher.worker.dispatcher = threading.current_thread()
    dispatcher.worker._dispatch(once=True)
    assert dispatcher.worker.failure.code == "not_claimed"


def test_once_ends_when_nothing_is_due_and_nothing_is_under_way(dispatcher):
    dispatcher.due.append(Drain(pk=1, region=""))
    dispatcher.worker.dispatcher = threading.current_thread()
    dispatcher.worker._dispatch(once=True)
    assert len(dispatcher.begun) == 1
    assert dispatcher.worker.failure is None

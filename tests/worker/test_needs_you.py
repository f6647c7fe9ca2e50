"""A drain whose instances need a person says so once for all of them, in the record too."""

from dataclasses import replace

import pytest

from tests.worker.fake_nova import FakeNova
from tests.worker.test_any_history import QUICK, ask, one_pass
from ukcloud_maintenance import store
from ukcloud_maintenance.core.drain.telling import TELL_EVERY
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Event, Notice

pytestmark = pytest.mark.django_db


def told(drain) -> list[str]:
    return [english(e.message) for e in Event.objects.filter(drain=drain, kind="needs_you")]


def busy(nova: FakeNova, *names: str, task: str | None = "rebuilding") -> None:
    for name in names:
        nova.all[name] = replace(nova.all[name], task_state=task)


def passes(nova: FakeNova, drain, number: int = 6) -> None:
    for _ in range(number):
        one_pass(nova, drain.pk)
        nova.tick()


@pytest.fixture
def nova(settings) -> FakeNova:
    settings.UKCLOUD_MAINTENANCE = {**QUICK, "BLOCKED_WAIT_SECONDS": 86400}
    found = FakeNova()
    for name in "abcd":
        found.add(name)
    return found


def test_those_that_need_a_person_are_told_once(nova):
    busy(nova, "a", "b")
    drain = ask(nova, 2)
    passes(nova, drain)
    assert told(drain) == ["2 instances need you: a (blocked), b (blocked)."]
    assert Notice.objects.filter(event__kind="needs_you").count() == 1
    assert [e.kind for e in store.events(drain)].count("needs_you") == 1


def test_those_that_follow_are_told_later_and_all_together(nova):
    busy(nova, "a")
    nova.outcomes = {"b": ["stalls"]}
    drain = ask(nova, 1)
    passes(nova, drain)
    assert told(drain) == ["1 instance needs you: a (blocked)."]
    busy(nova, "c", "d")
    passes(nova, drain)
    assert len(told(drain)) == 1
    nova.tick(TELL_EVERY)
    passes(nova, drain)
    assert len(told(drain)) == 2
    others = "a (blocked), c (blocked), d (blocked)."
    assert told(drain)[1] == f"4 instances need you: b (stalled), {others}"


def test_one_that_needs_nobody_any_longer_is_forgotten_and_may_need_somebody_again(nova):
    busy(nova, "a", "b")
    nova.outcomes = {"a": ["stalls"], "c": ["stalls"]}
    drain = ask(nova, 1)
    passes(nova, drain)
    assert len(store.drain(drain.pk).needs_told) == 2
    busy(nova, "a", task=None)
    nova.tick(60)
    passes(nova, drain)
    assert len(store.drain(drain.pk).needs_told) == 1
    assert len(told(drain)) == 1


def test_an_end_says_it_by_itself(nova, settings):
    settings.UKCLOUD_MAINTENANCE = {**QUICK, "BLOCKED_WAIT_SECONDS": 0, "PROOF_WAIT_SECONDS": 1}
    busy(nova, "a")
    drain = ask(nova, 4)
    passes(nova, drain, 60)
    assert store.state_of(drain) in DRAIN_TERMINAL
    kinds = list(Notice.objects.order_by("event_id").values_list("event__kind", flat=True))
    assert kinds == ["drain_started", "needs_you", "drain_failed"]

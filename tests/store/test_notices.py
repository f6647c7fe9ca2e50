"""The queue of notices, on SQLite, PostgreSQL and MariaDB."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import models, transaction

from tests.store.test_record import BEFORE, over
from tests.store.test_store import NOW, create
from ukcloud_maintenance import store
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.notices import TOPICS
from ukcloud_maintenance.core.states import DrainState
from ukcloud_maintenance.exceptions import StaleState
from ukcloud_maintenance.models import Drain, Event, Notice, Worker

BOTH = {"a": TOPICS, "b": TOPICS}
COURSE = ("drain_started", "drain_succeeded", "safe_to_power_off")


def happen(*kinds: str, host: str = "cmp1") -> Drain:
    drain = create(host)
    for kind in kinds:
        store.record(drain, None, NOW, kind, "w", text(kind))
    return drain


def queue(receiver: str) -> list[str]:
    found = Notice.objects.filter(receiver=receiver).order_by("pk")
    return list(found.values_list("event__kind", flat=True))


def test_an_event_and_its_notice_are_written_as_one():
    drain = create()

    def killed_before_the_commit():
        with transaction.atomic():
            event = ("drain_started", "w", None)
            store.change_drain(drain, NOW, state=DrainState.RUNNING, event=event)
            assert Notice.objects.count() == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        killed_before_the_commit()
    assert not Notice.objects.exists()
    assert not Event.objects.filter(kind="drain_started").exists()
    stale = store.drain(drain.pk)
    store.change_drain(store.drain(drain.pk), NOW, state=DrainState.RUNNING)
    with pytest.raises(StaleState):
        store.change_drain(stale, NOW, state=DrainState.PAUSED, event=("drain_failed", "w", None))
    assert Notice.objects.count() == 0


def test_workers_that_hand_out_at_once_hand_out_once(at_once):
    happen(*COURSE)
    assert at_once([lambda: store.hand_out(BOTH)] * 4) == [None] * 4
    assert (queue("a"), queue("b"), queue("")) == ([*COURSE], [*COURSE], [])


def test_of_workers_that_claim_at_once_one_has_it_and_nobody_the_next(at_once):
    happen(*COURSE)
    store.hand_out(BOTH)
    for kind in COURSE:
        claims = [
            lambda name=name: store.claim_notice("a", name, store.now(), 60) for name in "wxyz"
        ]
        [found] = [one for one in at_once(claims) if one is not None]
        assert (found.event.kind, found.attempts) == (kind, 1)
        store.delivered(found, store.now())
    assert store.claim_notice("a", "w", store.now(), 60) is None
    assert store.claim_notice("b", "w", store.now(), 60).event.kind == COURSE[0]


def test_a_pause_is_kept_whatever_the_clock_did():
    happen(*COURSE)
    store.hand_out(BOTH)
    now = store.now()
    notice = store.claim_notice("a", "w", now, 60)
    store.not_delivered(notice, "w", now, text("No."), 30)
    assert store.claim_notice("a", "w", now + timedelta(seconds=29), 60) is None
    assert store.claim_notice("a", "w", now + timedelta(seconds=31), 60).attempts == 2
    # the clock was set back by a day: neither the claim nor the pause lasts so long
    assert store.claim_notice("a", "x", now - timedelta(days=1), 60).attempts == 3


def test_what_became_of_them():
    happen(*COURSE)
    store.hand_out(BOTH)
    now = store.now()
    store.delivered(store.claim_notice("a", "w", now, 60), now)
    store.not_delivered(store.claim_notice("a", "w", now, 60), "w", now, text("No."), None)
    a, b = store.told()
    assert (a.receiver, a.queued, a.sent, a.failed, a.problem) == ("a", 1, 1, 1, text("No."))
    assert (b.receiver, b.queued, b.sent, b.failed, b.problem) == ("b", 3, 0, 0, None)
    assert (a.told_at is not None, b.told_at) == (True, None)
    assert b.queued_since.astimezone(UTC) == NOW


def test_a_dead_workers_claim_is_free():
    happen(*COURSE)
    store.hand_out(BOTH)
    assert store.claim_notice("a", "dead", store.now(), 60)
    store.worker_stopped("dead", store.now())
    assert store.claim_notice("a", "w", store.now(), 60).attempts == 2


def test_no_column_is_of_a_type_that_changes_with_django():
    """On MariaDB a UUIDField is char(32) before Django 5, and uuid since: a Horizon that goes from
    one to the other would no longer find or write its rows."""
    ours = apps.get_app_config("ukcloud_maintenance").get_models()
    fields = [field for model in ours for field in model._meta.get_fields()]
    assert not [str(field) for field in fields if isinstance(field, models.UUIDField)]
    happen("drain_started")
    store.hand_out(BOTH)
    numbers = [store.claim_notice(name, "w", store.now(), 60).delivery for name in BOTH]
    assert sorted(numbers) == sorted(Notice.objects.values_list("delivery", flat=True))
    assert [len(number) for number in numbers] == [36, 36]


def test_they_go_with_the_record_and_are_no_events_of_it():
    over(days=1)
    store.hand_out(BOTH)
    assert Notice.objects.exists()
    counted = store.clear(BEFORE, dry_run=True)
    assert store.clear(BEFORE) == counted
    assert (counted.drains, Notice.objects.count(), Event.objects.count()) == (1, 0, 0)


def test_what_is_of_no_drain_goes_by_its_age():
    Worker.objects.create(name="w", host="ctl1", pid=1, started_at=NOW, seen_at=NOW)
    [silent] = store.silent_workers(NOW + timedelta(hours=1), 90)
    assert store.worker_is_silent(silent, "x", NOW)
    assert not store.worker_is_silent(silent, "y", NOW)
    assert store.clear(NOW).events == 0
    assert store.clear(BEFORE, dry_run=True).events == 1
    assert store.clear(BEFORE).events == 1
    assert not Notice.objects.exists()


def test_a_worker_of_whose_silence_somebody_was_told_is_silent_until_it_says_goodbye():
    store.sign_of_life("w", "ctl1", 1, NOW)
    later = NOW + timedelta(minutes=10)

    def known() -> list[str]:
        assert [w.name for w in store.workers_of("ctl1")] == [
            w.name for w in store.condition(later).workers
        ]
        return [w.name for w in store.workers_of("ctl1")]

    [silent] = store.silent_workers(later, 90)
    assert store.worker_is_silent(silent, "x", later)
    assert store.silent_workers(later, 90) == [], "it is told once"
    assert known() == ["w"]
    assert not store.worker_status(later, 90).alive
    store.worker_stopped("w", NOW)  # by the same clock, and at the same moment
    assert known() == []
    store.sign_of_life("w", "ctl1", 1, later)
    assert known() == ["w"]
    store.worker_stopped("w", later + timedelta(seconds=1))
    assert known() == []


def test_a_worker_that_was_gone_long_ago_is_no_news():
    store.sign_of_life("old", "ctl1", 1, NOW)
    store.sign_of_life("new", "ctl1", 2, NOW + timedelta(minutes=30))
    [found] = store.silent_workers(NOW + timedelta(minutes=62), 90)
    assert found.name == "new"


def test_of_workers_that_see_another_one_silent_one_tells(at_once):
    Worker.objects.create(name="w", host="ctl1", pid=1, started_at=NOW, seen_at=NOW)
    [silent] = store.silent_workers(NOW + timedelta(hours=1), 90)
    told = at_once([lambda name=name: store.worker_is_silent(silent, name, NOW) for name in "abc"])
    assert sorted(told) == [False, False, True]
    assert Event.objects.filter(kind="worker_silent").count() == 1

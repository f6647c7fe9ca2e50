"""The worker tells each receiver what happened: in order, whatever becomes of the others, once."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from tests.notify.conftest import a_drain, happen
from tests.notify.receivers import PASSWORD, SECRET, TOKEN, receiver
from ukcloud_maintenance import notify, store
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.notices import GIVE_UP_SECONDS, TOPICS
from ukcloud_maintenance.models import Event, Notice, Worker
from ukcloud_maintenance.worker import teller as module
from ukcloud_maintenance.worker.housekeeping import DatabaseOutage
from ukcloud_maintenance.worker.teller import Teller

pytestmark = pytest.mark.usefixtures("database")


def teller(name: str = "w") -> Teller:
    return Teller(name, DatabaseOutage(name), threading.Event())


def step(one: Teller) -> None:
    """What is due, delivered or not."""
    one.step()
    one.wait()


def is_due() -> None:
    Notice.objects.update(next_at=None)


def states(**of) -> list[str]:
    return list(Notice.objects.filter(**of).order_by("pk").values_list("state", flat=True))


@pytest.fixture
def told(settings):
    """Names the receivers of the settings."""

    def use(*webhooks: dict, **more) -> None:
        settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", "WEBHOOKS": list(webhooks), **more}

    return use


@pytest.fixture
def other():
    with receiver() as found:
        yield found


COURSE = ("drain_started", "needs_you", "drain_succeeded", "safe_to_power_off")


def test_everything_arrives_once_in_its_order(told, hook):
    told(hook.webhook())
    happen(a_drain(), *COURSE)
    for _ in range(3):
        step(teller())
    assert hook.topics == ["drain_started", "needs_you", "drained", "safe"]
    assert states() == ["sent"] * 4
    assert len({one.delivery for one in hook.requests}) == 4


def test_a_receiver_is_told_of_what_it_wants(told, hook, other):
    told(hook.webhook(on=["safe"]), other.webhook(name="other", on=["needs_you", "drained"]))
    happen(a_drain(), "submitted", *COURSE, "drain_cancelled")
    step(teller())
    assert (hook.topics, other.topics) == (["safe"], ["needs_you", "drained"])


def test_a_worker_without_receivers_leaves_what_is_new_to_the_others(told, hook):
    told()
    happen(a_drain(), "drain_started")
    step(teller("without"))
    told(hook.webhook())
    step(teller("with"))
    assert hook.topics == ["drain_started"]


def test_where_nobody_has_receivers_nothing_is_kept_for_more_than_a_day(told):
    told()
    happen(a_drain(), *COURSE)
    Event.objects.exclude(kind="safe_to_power_off").update(
        at=timezone.now() - timedelta(seconds=GIVE_UP_SECONDS + 60)
    )
    step(teller())
    assert list(Notice.objects.values_list("event__kind", flat=True)) == ["safe_to_power_off"]


def test_a_run_back_tells_only_what_has_words_for_it(told, hook):
    told(hook.webhook())
    happen(a_drain(), "drain_started")
    back = a_drain()
    type(back).objects.filter(pk=back.pk).update(direction="back")
    happen(back, "drain_started", "drain_failed", "drain_succeeded")
    step(teller())
    assert hook.topics == ["drain_started", "failed"]
    assert hook.requests[1].document["data"]["drain_id"] == back.pk


def test_what_fails_is_repeated_before_what_follows(told, hook):
    told(hook.webhook())
    hook.answers = [500, 503]
    happen(a_drain(), "drain_started", "drain_succeeded")
    step(teller())
    assert (hook.topics, states()) == (["drain_started"], ["queued", "queued"])
    step(teller())
    assert len(hook.requests) == 1, "it was repeated without a pause"
    for _ in range(2):
        is_due()
        step(teller())
    assert hook.topics == ["drain_started"] * 3 + ["drained"]
    assert len({one.delivery for one in hook.requests[:3]}) == 1
    assert len({one.content for one in hook.requests[:3]}) == 1
    assert states() == ["sent", "sent"]


def test_what_is_refused_for_good_is_given_up_and_the_next_is_told(told, hook):
    told(hook.webhook())
    hook.answers = [422]
    happen(a_drain(), "drain_started", "drain_succeeded")
    step(teller())
    assert states() == ["failed", "sent"]
    [found] = store.told()
    assert (found.sent, found.failed, found.problem.code) == (1, 1, "told_refused")


def test_a_bug_is_an_attempt_that_failed(told, hook, monkeypatch):
    told(hook.webhook())
    write = notify.letter_of

    def fails(event, *more):
        assert event.kind != "drain_started"
        return write(event, *more)

    monkeypatch.setattr(notify, "letter_of", fails)
    happen(a_drain(), "drain_started", "drain_succeeded")
    step(teller())
    assert states() == ["queued", "queued"]
    Event.objects.update(at=timezone.now() - timedelta(seconds=GIVE_UP_SECONDS + 1))
    is_due()
    step(teller())
    assert states() == ["failed", "sent"]


def test_after_a_day_it_is_given_up(told):
    with receiver() as gone:
        told(gone.webhook())
    happen(a_drain(), "drain_started")
    step(teller())
    assert states() == ["queued"]
    Event.objects.update(at=timezone.now() - timedelta(seconds=GIVE_UP_SECONDS + 1))
    is_due()
    step(teller())
    assert states() == ["failed"]


def test_one_that_is_slow_holds_up_no_other_one_and_no_pass(told, hook, other):
    let_go = threading.Event()
    hook.answers = [lambda _: let_go.wait(60) and 200]
    told(hook.webhook(), other.webhook(name="other"))
    one = teller()
    happen(a_drain(), "drain_started")
    one.step()
    hook.wait()
    other.wait()
    happen(a_drain(), "drain_succeeded")
    one.step()  # the slow one is still at it
    other.wait()
    assert other.topics == ["drain_started", "drained"]
    assert hook.topics == ["drain_started"]
    let_go.set()
    one.wait()
    step(one)
    assert hook.topics == ["drain_started", "drained"]


def test_two_workers_do_not_tell_the_same(told, hook):
    told(hook.webhook())
    drain = a_drain()
    happen(drain, *COURSE * 3)
    workers = [teller(name) for name in "ab"]

    def work(one: Teller) -> None:
        while Notice.objects.exclude(state=Notice.SENT).exists():
            assert one.attend() == module.LOOK_EVERY
            one.wait()

    threads = [threading.Thread(target=work, args=(one,)) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = [one.document["data"]["event"] for one in hook.requests]
    assert events == list(COURSE * 3)


class Killed(BaseException):
    """SIGKILL: nothing catches it, nothing is cleaned up."""


@pytest.mark.parametrize("instruction", range(1, 25))
def test_killed_at_any_instruction_nothing_is_lost(told, hook, monkeypatch, instruction):
    """Right before or right after it writes or sends something; another worker goes on."""
    told(hook.webhook())
    left = [instruction]

    def killable(place, name):
        does = getattr(place, name)

        def do(*args, **more):
            count()
            result = does(*args, **more)
            count()
            return result

        monkeypatch.setattr(place, name, do)

    def count():
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    for name in ("hand_out", "claim_notice", "delivered", "not_delivered"):
        killable(store, name)
    killable(notify, "deliver")
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.run)  # dies with its worker
    hook.answers = [500]
    happen(a_drain(), "drain_started", "drain_succeeded")
    for name in "abc":
        try:
            teller(name).step()
        except Killed:
            store.worker_stopped(name, store.now())  # as a restart does, or the end of its lease
        is_due()
    topics = hook.topics
    assert states() == ["sent", "sent"]
    assert topics == sorted(topics), "out of order"
    numbers = {topic: {r.delivery for r in hook.requests if r.topic == topic} for topic in topics}
    assert {topic: len(found) for topic, found in numbers.items()} == {
        "drain_started": 1,
        "drained": 1,
    }


def test_what_was_claimed_by_a_worker_that_is_gone_is_told_after_its_lease(told, hook):
    told(hook.webhook())
    happen(a_drain(), "drain_started")
    store.hand_out({"hook": TOPICS})
    now = store.now()
    assert store.claim_notice("hook", "gone", now, 60)
    assert store.claim_notice("hook", "other", now, 60) is None
    later = now + timedelta(seconds=61)
    assert store.claim_notice("hook", "other", later, 60).attempts == 2


def test_what_arrived_after_all_is_not_repeated(told, hook):
    """A worker that was stopped for longer than its lease goes on where it was."""
    told(hook.webhook())
    happen(a_drain(), "drain_started")
    store.hand_out({"hook": TOPICS})
    notice = store.claim_notice("hook", "slow", store.now(), 60)
    Notice.objects.update(claimed_by="other")
    store.not_delivered(notice, "slow", store.now(), text("Too late."), 10.0)
    assert Notice.objects.get().next_at is None, "it is the other one's by now"
    store.delivered(notice, store.now())
    assert states() == ["sent"]


def test_no_address_and_no_key_is_written_anywhere(told, hook, database, caplog):
    told(hook.webhook(), NOTIFY=[hook.apprise()])
    hook.answers = [500, 500]
    happen(a_drain(), "drain_started")
    step(teller())
    is_due()
    step(teller())
    written = database.read_bytes() + caplog.text.encode()
    assert b"hook" in written
    assert not any(secret.encode() in written for secret in (PASSWORD, TOKEN, SECRET))


def test_what_waits_for_receivers_that_are_no_more_does_not_stay(told, hook, other):
    with receiver() as gone:
        told(gone.webhook(name="gone"))
    happen(a_drain(), "drain_started")
    step(teller())
    told(hook.webhook())
    step(teller())
    assert states(receiver="gone") == ["queued"], "another worker may know it still"
    Event.objects.update(at=timezone.now() - timedelta(days=2))
    step(teller())
    assert states(receiver="gone") == []


def test_wrong_settings_do_not_end_it(told, hook):
    told({"url": "x"})
    happen(a_drain(), "drain_started")
    assert teller().attend() == module.AFTER_FAILURE
    assert states() == ["new"]


def test_a_database_that_fails_once_is_asked_again_soon_and_twice_is_an_outage(
    told, hook, monkeypatch
):
    told(hook.webhook())
    happen(a_drain(), "drain_started")
    outages = []
    one = Teller(
        "w", DatabaseOutage("w", lambda *, answers: outages.append(not answers)), threading.Event()
    )
    hand_out, fails = store.hand_out, []

    def may_fail(receivers):
        if fails:
            raise fails.pop()
        hand_out(receivers)

    monkeypatch.setattr(store, "hand_out", may_fail)
    for _ in range(2):
        fails[:] = [OperationalError("database is locked")]
        assert one.attend() == module.LOOK_EVERY
        assert one.attend() == module.LOOK_EVERY
    one.wait()
    assert (hook.topics, outages) == (["drain_started"], [])
    fails[:] = [OperationalError("gone")] * 2
    assert [one.attend(), one.attend()] == [module.LOOK_EVERY, module.AFTER_FAILURE]
    assert outages == [True]


# -- silent workers --------------------------------------------------------------------------


def a_worker(name: str, seconds: float) -> None:
    seen_at = timezone.now() - timedelta(seconds=seconds)
    Worker.objects.create(name=name, host="ctl1", pid=1, started_at=seen_at, seen_at=seen_at)


def test_a_worker_that_is_silent_is_told_once_by_one_of_the_others(told, hook, monkeypatch):
    told(hook.webhook())
    monkeypatch.setattr(module, "SEEN_SILENT", 0.0)
    a_worker("silent", 3600)
    a_worker("well", 1)
    for one in (teller("a"), teller("b")):
        step(one)
        step(one)
    [found] = hook.requests
    assert found.topic == "worker_silent"
    assert found.document["data"]["message_values"]["worker"] == "silent"
    assert found.document["data"]["host"] == "ctl1"
    store.sign_of_life("silent", "ctl1", 1, store.now())
    Worker.objects.filter(name="silent").update(seen_at=timezone.now() - timedelta(hours=1))
    step(teller())
    step(teller())
    assert len(hook.requests) == 2, "it came back, and was silent again"


def test_none_is_taken_for_silent_at_first_sight(told, hook):
    """After an outage of the database all of them look so."""
    told(hook.webhook())
    a_worker("silent", 3600)
    one = teller()
    step(one)
    step(one)
    assert not Event.objects.filter(kind="worker_silent").exists()


def test_one_that_said_goodbye_is_not_silent(told, hook):
    a_worker("stopped", 3600)
    store.worker_stopped("stopped", store.now())
    assert store.silent_workers(store.now(), 90) == []


def fail(monkeypatch, where: object, name: str, first: object) -> None:
    """Lets a function fail where its first argument is this one; None: always."""
    real = getattr(where, name)

    def act(one, *more):
        if first in (None, one):
            raise ValueError("no")
        return real(one, *more)

    monkeypatch.setattr(where, name, act)


def bugs(caplog) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.exc_info]


def test_a_bug_about_one_receiver_keeps_no_other_one_from_its_news(
    told, hook, other, monkeypatch, caplog
):
    told(hook.webhook(), other.webhook(name="other"))
    happen(a_drain(), "drain_started")
    fail(monkeypatch, store, "claim_notice", hook.webhook()["name"])
    one = teller()
    for _ in range(2):
        assert one.attend() == module.LOOK_EVERY
        one.wait()
    assert (hook.topics, other.topics) == ([], ["drain_started"])
    assert bugs(caplog) == ["bug notices worker=w receiver=hook"], "it rests"


def test_a_bug_in_what_is_new_holds_up_nothing_that_is_queued(told, hook, monkeypatch, caplog):
    told(hook.webhook())
    happen(a_drain(), "drain_started")
    store.hand_out({"hook": TOPICS})
    fail(monkeypatch, store, "hand_out", None)
    one = teller()
    assert one.attend() == module.LOOK_EVERY
    one.wait()
    assert hook.topics == ["drain_started"]
    assert bugs(caplog) == ["bug notices worker=w hand_out"]


def test_a_bug_about_one_silent_worker_hides_no_other_one(told, hook, monkeypatch, caplog):
    told(hook.webhook())
    long_ago = timezone.now() - timedelta(minutes=30)
    for name in ("w1", "w2"):
        store.sign_of_life(name, "cn1", 1, long_ago, None)
    monkeypatch.setattr(module, "SEEN_SILENT", 0.0)
    fail(monkeypatch, store, "worker_is_silent", Worker.objects.get(name="w1"))
    teller().attend()
    assert list(Event.objects.values_list("kind", flat=True)) == ["worker_silent"]
    assert Worker.objects.get(name="w2").stopped_at is not None
    assert bugs(caplog) == ["bug notices worker=w silent=w1"]

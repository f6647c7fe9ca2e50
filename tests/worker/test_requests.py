"""Requests and attempts where workers and admins meet, on the model of Nova."""

import pytest

from tests.asking import request, wanted
from tests.worker.fake_nova import FakeNova
from tests.worker.test_any_history import QUICK, ask, one_pass
from ukcloud_maintenance import store
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import DRAIN_TERMINAL, DrainResult, DrainState, RequestKind
from ukcloud_maintenance.exceptions import CloudServerError, CloudUnreachable, StaleState
from ukcloud_maintenance.worker import requests
from ukcloud_maintenance.worker.asking import DrainPass
from ukcloud_maintenance.worker.drain import _finish as finish

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def flying():
    """An instance whose copy stalls."""
    nova = FakeNova(limit=2, outcomes={"a": ["stalls"] * 3})
    nova.add("a")
    drain = ask(nova, 1)
    for _ in range(8):
        one_pass(nova, drain.pk)
        nova.tick()
    return nova, store.drain(drain.pk)


def only(drain):
    return store.migrations(drain).get()


def taken_over(nova, drain, kind: str):
    """What a worker read before it was stopped; the request that it saw is withdrawn since, and
    an admin asked for something."""
    slow = request(only(drain), "abort", "timeout", nova.now)
    slow = only(drain)
    assert slow.requests.open.origin == "timeout"
    store.change_migration(only(drain), nova.now, request={"state": "withdrawn"})
    store.make_request(store.drain(drain.pk), only(drain), RequestKind(kind), "ann", nova.now)
    return slow


@pytest.mark.parametrize("kind", ["abort", "force_complete"])
def test_a_worker_that_was_stopped_asks_for_nothing_that_was_withdrawn(flying, kind):
    nova, drain = flying
    slow = taken_over(nova, drain, kind)
    known = slow.requests.open
    action = d.Abort(slow.pk, slow.attempt.nova_migration_id, known.id)
    with pytest.raises(StaleState):
        requests.abort(DrainPass(drain, nova, "w1", lambda: nova.now), slow, action)
    assert nova.aborts == []
    assert (wanted(only(drain)), only(drain).requests.open.tries) == (kind, 0)


def test_what_a_stopped_worker_withdraws_is_what_it_saw(flying):
    nova, drain = flying
    slow = taken_over(nova, drain, "abort")
    taken_back = {"id": slow.requests.open.id, "state": "withdrawn"}
    with pytest.raises(StaleState):
        store.change_migration(slow, nova.now, request=taken_back)
    assert wanted(only(drain)) == "abort"


@pytest.mark.parametrize("since", [{"state": "failed"}, {"attempts": 2}], ids=["over", "again"])
def test_nothing_is_requested_for_what_is_further_than_it_was_read(flying, since):
    """Else it would stay open for a migration that nobody looks at any more."""
    nova, drain = flying
    slow = only(drain)
    store.change_migration(only(drain), nova.now, **since)
    with pytest.raises(StaleState):
        request(slow, "abort", "cancel", nova.now)
    assert wanted(only(drain)) == ""


def test_what_an_admin_aborted_is_not_migrated_again_although_the_answer_got_lost(flying):
    nova, drain = flying
    real = nova.abort_migration

    def lost(server_id, migration_id):
        real(server_id, migration_id)
        raise CloudUnreachable("abort", "no answer")

    nova.abort_migration = lost
    store.make_request(drain, only(drain), RequestKind.ABORT, "ann", nova.now)
    for _ in range(60):
        one_pass(nova, drain.pk)
        nova.tick()
    row = only(drain)
    assert (row.state, row.code, row.attempts) == ("failed", "aborted", 1)
    assert store.drain(drain.pk).is_settled


def test_an_attempt_that_may_have_reached_nova_stays_on_record(settings):
    """Put off once, and sent three times after it without an answer."""
    settings.UKCLOUD_MAINTENANCE = QUICK
    nova = FakeNova(limit=2)
    nova.add("a")
    drain = ask(nova, 1)
    answers = [CloudServerError("move", "busy", status=429, retry_after=1.0)]
    answers += [CloudUnreachable("move", "no answer")] * 3

    def move(server_id, host):
        raise answers.pop(0)

    nova.live_migrate = move
    for _ in range(120):
        one_pass(nova, drain.pk)
        nova.tick()
        if store.drain(drain.pk).state in DRAIN_TERMINAL:
            break
    row = only(drain)
    assert (row.state, row.code) == ("failed", "never_sent")
    assert answers == []
    told = list(row.attempt_rows.values_list("number", "result", "code"))
    assert told == [(n, "failed", "never_sent") for n in (1, 2, 3)]
    assert not row.attempt_rows.filter(submitted_at=None).exists()
    assert row.events.order_by("-id").first().kind == "failed"


def test_a_service_that_is_to_be_left_after_all_leaves_its_maintenance_open(flying):
    nova, drain = flying
    store.cancel_drain(drain, "admin", nova.now, enable=True)
    as_read = store.drain(drain.pk)
    store.cancel_drain(store.drain(drain.pk), "admin", nova.now, enable=False)
    at = DrainPass(as_read, nova, "worker", lambda: nova.now)
    end = d.Finish(DrainState.CANCELLED, DrainResult.CANCELLED, text("Cancelled."), True)
    with pytest.raises(StaleState):
        finish(at, end)
    found = store.drain(drain.pk)
    assert (found.state, found.maintenance.closed_at) == (DrainState.CANCELLING, None)

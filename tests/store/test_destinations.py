"""A host is emptied, or others are told to send instances to it; never both."""

from functools import partial
from itertools import chain

import pytest
from django.utils import timezone

from tests.fakes import FakeCloud, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain

ADMIN = Actor(id="u1", name="ann", may=lambda rule: True)
HOSTS = ("cmp1", "cmp2", "cmp3")
ROUNDS = 6


@pytest.fixture
def cloud():
    return FakeCloud([service(h) for h in HOSTS], [server(f"on-{h}", h) for h in HOSTS])


def ask(cloud, host, destination="", **more) -> Drain:
    request = services.DrainRequest(host, "kernel", destination=destination, **more)
    return services.request_drain(ADMIN, cloud, request)


def plan(cloud, *hosts, destination="") -> store.Plan:
    each = services.DrainRequest("", "kernel", destination=destination)
    return services.request_plan(ADMIN, cloud, services.PlanRequest(hosts, each))


def begin(drain: Drain) -> Drain:
    now = timezone.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    store.join_maintenance(
        drain, found_status="enabled", found_reason="", service_id="s", now=timezone.now()
    )
    return drain


def end(drain: Drain, state=DrainState.SUCCEEDED, result=DrainResult.EMPTY) -> Drain:
    for row in store.migrations(drain):
        if row.state == MigrationState.PENDING:
            failed = state == DrainState.FAILED
            to = MigrationState.FAILED if failed else MigrationState.GONE
            store.change_migration(row, timezone.now(), state=to)
    store.finish_drain(drain, state, result, "Over.", "worker", timezone.now())
    return drain


def retry(cloud, drain: Drain, destination: str = "") -> services.Steered:
    rows = [row.pk for row in store.migrations(drain)]
    more = {"destination": destination, "cloud": cloud} if destination else {}
    return services.steer(ADMIN, drain.pk, Verb.RETRY, rows, **more)


def refused(call, code: str) -> Refused:
    before = store.drains().count()
    with pytest.raises(Refused) as found:
        call()
    assert found.value.code == code, found.value
    assert store.drains().count() == before
    return found.value


# -- a host that others send to is not drained -----------------------------------------------


def paused(drain):
    store.pause_drain(drain, "ann", timezone.now())


@pytest.mark.parametrize("then", [lambda drain: None, begin, paused])
def test_a_host_that_a_drain_sends_to_is_not_drained(cloud, then):
    first = ask(cloud, "cmp1", "cmp2")
    then(first)
    error = refused(lambda: ask(cloud, "cmp2"), "host_is_destination")
    assert error.drain_id == first.pk
    assert "cmp1" in english(error.said)
    refused(lambda: plan(cloud, "cmp3", "cmp2"), "host_is_destination")
    assert services.check_host(ADMIN, cloud, "cmp2").refusal.code == "host_is_destination"
    ask(cloud, "cmp3")


def test_it_is_when_that_is_over(cloud):
    end(begin(ask(cloud, "cmp1", "cmp2")))
    ask(cloud, "cmp2")


def test_a_drain_that_is_being_cancelled_sends_nothing_more(cloud):
    first = begin(ask(cloud, "cmp1", "cmp2"))
    services.cancel_drain(ADMIN, first.pk)
    ask(cloud, "cmp2")


def test_a_host_that_one_instance_is_sent_to_is_not_drained(cloud):
    first = end(begin(ask(cloud, "cmp1")), DrainState.FAILED, DrainResult.INSTANCES_FAILED)
    retry(cloud, first, "cmp2")
    error = refused(lambda: ask(cloud, "cmp2"), "host_is_destination")
    assert error.drain_id == first.pk


def test_the_estimate_of_another_drain_does_not_stand_against_it(cloud):
    first = ask(cloud, "cmp1", follow_estimate=True)
    first.migrations.update(planned_host="cmp2")
    ask(cloud, "cmp2")


# -- nothing is sent to a host that is drained or in maintenance -----------------------------


@pytest.mark.parametrize("then", [lambda drain: None, begin, paused])
def test_nothing_is_sent_to_a_host_that_is_drained(cloud, then):
    other = ask(cloud, "cmp2")
    then(other)
    error = refused(lambda: ask(cloud, "cmp1", "cmp2"), "destination_is_drained")
    assert error.drain_id == other.pk
    refused(lambda: plan(cloud, "cmp1", "cmp3", destination="cmp2"), "destination_is_drained")


def test_nor_to_one_in_an_open_plan(cloud):
    plan(cloud, "cmp2", "cmp3")
    for host in ("cmp2", "cmp3"):
        refused(lambda host=host: ask(cloud, "cmp1", host), "destination_is_drained")


def test_nor_to_one_in_maintenance_whatever_its_service(cloud):
    end(begin(ask(cloud, "cmp2")))
    refused(lambda: ask(cloud, "cmp1", "cmp2"), "destination_in_maintenance")


@pytest.mark.parametrize("open_", [True, False])
def test_a_retry_sends_nothing_there_either(cloud, open_):
    first = end(begin(ask(cloud, "cmp1")), DrainState.FAILED, DrainResult.INSTANCES_FAILED)
    other = begin(ask(cloud, "cmp2"))
    if not open_:
        end(other)
    code = "destination_is_drained" if open_ else "destination_in_maintenance"
    refused(lambda: retry(cloud, first, "cmp2"), code)
    assert store.drain(first.pk).state == DrainState.FAILED


def test_a_drain_is_not_reopened_whose_destination_is_drained_by_now(cloud):
    first = end(begin(ask(cloud, "cmp1", "cmp2")), DrainState.FAILED, DrainResult.INSTANCES_FAILED)
    begin(ask(cloud, "cmp2"))
    error = refused(lambda: retry(cloud, first), "cannot_retry")
    assert "cmp2 is being drained itself" in english(error.said)
    assert store.drain(first.pk).state == DrainState.FAILED


def test_nor_one_whose_host_others_send_to_by_now(cloud):
    first = end(begin(ask(cloud, "cmp1")), DrainState.FAILED, DrainResult.INSTANCES_FAILED)
    store.close_maintenance(store.open_maintenance("RegionOne", "cmp1"), timezone.now())
    Drain.objects.filter(pk=first.pk).update(maintenance=None)
    ask(cloud, "cmp2", "cmp1")
    error = refused(lambda: retry(cloud, first), "cannot_retry")
    assert "moves instances to host cmp1" in english(error.said)


# -- both at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("asks", ["new", "retry"])
def test_of_both_at_the_same_moment_one_is_refused(at_once, cloud, asks):
    for _ in range(ROUNDS):
        if asks == "new":
            sends = partial(ask, cloud, "cmp1", "cmp2")
        else:
            first = ask(cloud, "cmp1")
            end(begin(first), DrainState.FAILED, DrainResult.INSTANCES_FAILED)
            sends = partial(retry, cloud, first, "cmp2")
        many = [sends, *[partial(ask, cloud, "cmp2")] * 2, partial(ask, cloud, "cmp3")]
        answers = at_once(list(chain(many)))
        errors = [a for a in answers if isinstance(a, Exception)]
        assert all(isinstance(e, Refused) for e in errors), errors
        sent = not isinstance(answers[0], Exception)
        emptied = [a for a in answers[1:3] if isinstance(a, Drain)]
        assert (sent, len(emptied)) in [(True, 0), (False, 1)], answers
        assert isinstance(answers[3], Drain)
        for drain in store.drains():
            if drain.open_key:
                services.cancel_drain(ADMIN, drain.pk)
                Drain.objects.filter(pk=drain.pk).update(open_key=None, state="cancelled")
        store.HostMaintenance.objects.update(open_key=None)

"""What asks for a worker's doing is refused in a region that the settings name no cloud for, by
every way in; what ends or holds a drain is not."""

import pytest

from tests.fakes import FakeCloud, server, service
from tests.said import raises
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.core.steering import DrainVerb, Verb
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.messages import english_remedy

pytestmark = pytest.mark.django_db

ME = shell_actor()
REQUEST = services.DrainRequest("cmp1", "new kernel")


@pytest.fixture
def cloud():
    return FakeCloud([service("cmp1"), service("cmp2")], [server("a")])


@pytest.fixture
def drain(cloud, settings):
    """A drain that was asked for while its region had a worker."""
    found = services.request_drain(ME, cloud, REQUEST)
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": {"Elsewhere": "x"}}
    return found


def failed(drain):
    row = store.migrations(drain).get()
    now = store.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    store.change_migration(row, now, state=MigrationState.FAILED, message="no")
    store.finish_drain(drain, DrainState.FAILED, DrainResult.NOT_PROVED, "no", "w", now)
    return row


def paused(drain):
    services.pause_drain(ME, drain.pk)


WAYS = {
    "a drain": lambda cloud, drain: services.request_drain(ME, cloud, REQUEST),
    "a plan": lambda cloud, drain: services.request_plan(
        ME, cloud, services.PlanRequest(("cmp2",), services.DrainRequest("", "r"))
    ),
    "the form of a drain": lambda cloud, drain: services.drain_choices(ME, cloud.region),
    "a resume": lambda cloud, drain: services.resume_drain(ME, drain.pk),
    "a change": lambda cloud, drain: services.change_drain(
        ME, drain.pk, services.DrainChange(max_concurrent=3)
    ),
    "an instance": lambda cloud, drain: services.steer(
        ME, drain.pk, Verb.FIRST, [store.migrations(drain).get().pk]
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_is_refused_and_the_setting_named(cloud, drain, way):
    paused(drain)
    before = store.revision(drain.pk)
    with pytest.raises(Refused) as refused:
        WAYS[way](cloud, store.drain(drain.pk))
    assert refused.value.code == "region_without_worker"
    assert 'UKCLOUD_MAINTENANCE["CLOUDS"]' in english_remedy(refused.value.said)
    assert store.revision(drain.pk) == before


@pytest.mark.parametrize(
    "retry",
    [
        lambda drain, row: services.retry_failed(ME, drain.pk),
        lambda drain, row: services.steer(ME, drain.pk, Verb.RETRY, [row.pk]),
    ],
    ids=["all that failed", "one instance"],
)
def test_so_is_a_retry_of_what_is_over(drain, retry):
    row = failed(drain)
    with pytest.raises(Refused) as refused:
        retry(drain, row)
    assert refused.value.code == "region_without_worker"
    assert store.drain(drain.pk).state == DrainState.FAILED


def test_a_plan_is_not_resumed(cloud, settings):
    plan = services.request_plan(ME, cloud, services.PlanRequest(("cmp1", "cmp2"), REQUEST))
    services.steer_plan(ME, plan.pk, DrainVerb.PAUSE)
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": {"Elsewhere": "x"}}
    with raises(Refused, match="No worker is configured"):
        services.steer_plan(ME, plan.pk, DrainVerb.RESUME)


def test_it_can_be_paused_and_cancelled(drain):
    paused(drain)
    services.cancel_drain(ME, drain.pk)
    assert store.drain(drain.pk).state == DrainState.CANCELLED


def test_a_worker_that_is_merely_silent_is_no_reason(cloud):
    """The pages and the commands warn of it."""
    assert not services.worker_status(ME).alive
    assert services.request_drain(ME, cloud, REQUEST).pk

"""Texts and numbers at their limits, and who did what, on every database."""

import pytest
from django.utils import timezone

from tests.fakes import FakeCloud, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.steering import Verb
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.models import Drain, Event, Worker

#: As long as Keystone lets a name and a domain be: more than is recorded.
ANN = Actor("id-of-ann", "ä" * 255 + " (" + "d" * 64 + ")", may=lambda rule: True)


@pytest.fixture
def cloud():
    return FakeCloud([service("cmp1"), service("cmp2")], [server("web-1"), server("web-2")])


@pytest.fixture
def drain(cloud):
    Worker.objects.create(
        name="w:1:1234567890", host="w", pid=1, started_at=timezone.now(), seen_at=timezone.now()
    )
    return services.request_drain(ANN, cloud, services.DrainRequest("cmp1", "r" * 255))


def test_every_request_is_recorded_with_id_and_name(cloud, drain):
    services.pause_drain(ANN, drain.pk)
    services.resume_drain(ANN, drain.pk)
    services.change_drain(ANN, drain.pk, services.DrainChange(max_concurrent=5))
    rows = list(drain.migrations.all())
    services.steer(ANN, drain.pk, Verb.FIRST, [rows[1].pk])
    services.steer(ANN, drain.pk, Verb.SKIP, [rows[0].pk])
    services.steer(ANN, drain.pk, Verb.RETRY, [rows[0].pk])
    services.cancel_drain(ANN, drain.pk)
    kinds = {event.kind for event in Event.objects.all()}
    assert {"drain_requested", "drain_paused", "drain_resumed", "drain_changed"} <= kinds
    assert {"first", "skipped", "retried", "drain_cancelled"} <= kinds
    for event in Event.objects.all():
        assert (event.actor_id, event.actor) == ("id-of-ann", str(ANN)), event.kind
    assert len(str(ANN)) == 255
    drain = Drain.objects.get()
    assert (drain.requested_by, drain.cancelled_by) == (str(ANN), str(ANN))


def test_a_plan_and_a_return_are_too(cloud, drain):
    services.cancel_drain(ANN, drain.pk)
    request = services.PlanRequest(("cmp1", "cmp2"), services.DrainRequest("", "racks"))
    plan = services.request_plan(ANN, cloud, request)
    assert (plan.requested_by_id, plan.requested_by) == ("id-of-ann", str(ANN))
    for one in store.drains_of_plan(plan.pk):
        store.join_maintenance(
            one,
            found_status="enabled",
            found_reason="",
            service_id=one.service_id,
            now=timezone.now(),
        )
        one.refresh_from_db()
        services.cancel_drain(ANN, one.pk)
    maintenance = services.host_maintenance(ANN, "RegionOne", "cmp1")
    returned = services.return_host(ANN, cloud, services.ReturnRequest("cmp1"))
    assert (returned.pk, returned.returned_by) == (maintenance.pk, str(ANN))
    assert set(Event.objects.values_list("actor_id", flat=True)) == {"id-of-ann"}
    assert "return_requested" in Event.objects.values_list("kind", flat=True)


def test_a_worker_has_a_name_and_no_id(drain):
    store.record(drain, None, timezone.now(), "submitted", "w:1:1234567890", "", "req-1")
    event = Event.objects.get(kind="submitted")
    assert (event.actor, event.actor_id) == ("w:1:1234567890", "")


@pytest.mark.parametrize("number", [2**31, 2**63, 10**40, -(10**19)])
def test_a_number_that_no_key_has_is_unknown(number):
    with pytest.raises(Refused) as caught:
        services.get_drain(ANN, number)
    assert caught.value.code == "unknown_drain"
    with pytest.raises(Refused) as caught:
        services.get_plan(ANN, number)
    assert caught.value.code == "unknown_plan"

"""What other people and a limping Nova do meanwhile: seen through the reconciler and the store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.worker.fake_nova import FakeNova
from tests.worker.test_any_history import QUICK, ask, one_pass
from ukcloud_maintenance import store
from ukcloud_maintenance.core.facts import Migration, Service
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.exceptions import CloudForbidden, CloudServerError, CloudUnreachable
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain, InstanceMigration

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(settings):
    settings.UKCLOUD_MAINTENANCE = QUICK


def go(nova: FakeNova, drain: Drain, passes: int = 500) -> Drain:
    """Pass after pass, until it is over or the passes are used up."""
    for _ in range(passes):
        one_pass(nova, drain.pk)
        nova.tick()
        drain = store.drain(drain.pk)
        if drain.state in DRAIN_TERMINAL:
            break
    return drain


def until(nova: FakeNova, drain: Drain, state: str) -> InstanceMigration:
    """Pass after pass, until an instance is in this state."""
    for _ in range(50):
        found = drain.migrations.filter(state=state).first()
        if found:
            return found
        go(nova, drain, 1)
    raise AssertionError(f"none became {state}")


def cancel(drain: Drain, nova: FakeNova) -> None:
    store.cancel_drain(store.drain(drain.pk), "admin", nova.now)


def resized_by_its_owner(nova: FakeNova, name: str, number: int = 50) -> None:
    """The owner resizes it to another host and has not confirmed."""
    nova.records.append(Migration(number, "u", name, "finished", "resize", "cmp1", "cmp9"))
    nova.all[name] = replace(nova.all[name], host="cmp9", status="VERIFY_RESIZE", task_state=None)


def test_one_that_is_resumed_joins_and_the_others_go_on():
    nova = FakeNova()
    nova.add("asleep", "SUSPENDED")
    nova.add("web")
    drain = ask(nova, 1)
    go(nova, drain, 3)
    nova.all["asleep"] = replace(nova.all["asleep"], status="ACTIVE", vm_state="active")
    drain = go(nova, drain)
    assert (drain.state, drain.result) == ("succeeded", "empty")


def test_a_cell_that_goes_down_and_comes_back_costs_nothing():
    nova = FakeNova()
    nova.add("a")
    nova.add("b")
    drain = ask(nova, 1)
    until(nova, drain, "migrating")
    known, everything = nova.the_service, dict(nova.all)
    nova.the_service = Service("", "cmp1", "az1", "", "UNKNOWN")
    nova.all = {}
    before = list(drain.migrations.order_by("id").values_list("state", flat=True))
    for _ in range(20):
        one_pass(nova, drain.pk)
        nova.now += timedelta(seconds=1)
    assert list(drain.migrations.order_by("id").values_list("state", flat=True)) == before
    nova.the_service, nova.all = known, everything
    drain = go(nova, drain)
    assert (drain.state, drain.result) == ("succeeded", "empty")


def test_the_owners_resize_is_neither_confirmed_nor_waited_for_in_a_cancel():
    nova = FakeNova()
    nova.add("web")
    drain = ask(nova, 1)
    go(nova, drain, 1)
    resized_by_its_owner(nova, "web")
    go(nova, drain, 3)
    assert drain.migrations.get().code == "resize_holds_here"
    cancel(drain, nova)
    drain = go(nova, drain, 5)
    assert drain.state == "cancelled"
    assert nova.confirms == []


def test_our_own_confirmation_is_not_repeated_on_the_owners_next_resize():
    nova = FakeNova()
    nova.add("off", "SHUTOFF")
    drain = ask(nova, 1)
    until(nova, drain, "confirming")
    assert nova.confirms == ["off"]
    nova.tick(120)  # the worker was away; the owner resizes it meanwhile, elsewhere
    nova.records.append(Migration(50, "u", "off", "finished", "resize", "cmp2", "cmp3"))
    nova.all["off"] = replace(nova.all["off"], host="cmp3", status="VERIFY_RESIZE")
    drain = go(nova, drain)
    assert nova.confirms == ["off"]
    assert (drain.state, drain.result) == ("succeeded", "empty")


def test_what_is_started_at_the_last_moment_is_not_powered_off():
    nova = FakeNova()
    nova.add("off", "SHUTOFF")
    drain = ask(nova, 1)
    listed = nova.migrations_of

    def started_meanwhile(server_id):
        nova.all["off"] = replace(nova.all["off"], status="ACTIVE", vm_state="active")
        return listed(server_id)

    nova.migrations_of = started_meanwhile
    drain = go(nova, drain)
    assert drain.state == "succeeded"
    assert {r.migration_type for r in nova.records} == {"live-migration"}


def test_what_ran_is_to_run_again_whichever_attempt_moved_it():
    nova = FakeNova(outcomes={"web": ["failed"]})
    nova.add("web")
    drain = ask(nova, 1, "cold")
    land = nova._land

    def powered_off(flight):
        land(flight)
        nova.all["web"] = replace(
            nova.all["web"],
            vm_state="shutoff",
            status="SHUTOFF" if nova.all["web"].host == "cmp1" else nova.all["web"].status,
        )

    nova._land = powered_off
    go(nova, drain)
    row = drain.migrations.get()
    assert (row.state, row.code) == ("failed", "arrived_other")
    assert "before the migration it was ACTIVE" in english(row.message)


def test_the_record_of_a_resize_that_is_confirmed_is_not_looked_for_again_and_again():
    """It came from another host, so that it is never among those of this one."""
    nova = FakeNova()
    nova.add("web", "VERIFY_RESIZE")
    nova.records.append(Migration(50, "u", "web", "finished", "resize", "cmp9", "cmp1"))
    drain = ask(nova, 1, "confirm")
    nova.confirm_resize = lambda server_id: "req-slow"  # Nova takes its time
    until(nova, drain, "confirming")
    asked = []
    nova.migrations_of = asked.append
    go(nova, drain, 3)
    assert drain.migrations.get().state == "confirming"
    assert asked == []


def test_members_of_a_group_in_two_drains_step_back_rather_than_travel_together(monkeypatch):
    nova = FakeNova(limit=5)
    server = nova.add("a")
    first = ask(nova, 1)
    first.migrations.update(group="g1")
    go(nova, first, 2)
    # another worker, another drain: its member sets out between our look and our intent
    looks = iter([frozenset(), frozenset({"g1"})])
    travelling = store.travelling_groups
    monkeypatch.setattr(
        store, "travelling_groups", lambda drain: next(looks, None) or travelling(drain)
    )
    go(nova, first, 1)
    row = first.migrations.get()
    assert (row.state, nova.accepted_posts) == ("pending", [])
    assert row.not_before is not None
    assert go(nova, first).state == "succeeded"
    assert nova.all[server.id].host != "cmp1"


def test_many_that_hold_their_disks_here_are_not_read_in_every_pass():
    nova = FakeNova()
    names = [f"s{n}" for n in range(20)]
    for name in names:
        nova.add(name)
    drain = ask(nova, 1)
    drain.migrations.exclude(server_id="s0").update(position=9)
    for number, name in enumerate(names):
        resized_by_its_owner(nova, name, 50 + number)
    go(nova, drain, 4)
    assert set(drain.migrations.values_list("code", flat=True)) == {"resize_holds_here"}
    nova.calls = 0
    one_pass(nova, drain.pk)
    assert nova.calls <= 3


def test_one_server_that_nova_cannot_tell_of_does_not_hold_up_the_others():
    nova = FakeNova()
    nova.add("bad")
    nova.add("web")
    drain = ask(nova, 1)
    actions = nova.actions

    def broken(server_id):
        if server_id == "bad":
            raise CloudServerError("list the actions of server bad", "boom", status=500)
        return actions(server_id)

    nova.actions = broken
    drain = go(nova, drain)
    states = dict(drain.migrations.values_list("server_name", "state"))
    assert states == {"bad": "failed", "web": "succeeded"}
    assert "boom" in english(drain.message)
    assert drain.migrations.get(server_name="bad").attempts == 3


def test_a_trouble_that_is_over_is_not_said_any_more():
    nova = FakeNova()
    nova.add("web")
    drain = ask(nova, 1)
    disable = nova.disable_service

    def unreachable(service_id, reason):
        raise CloudUnreachable("disable the compute service", "connection refused")

    nova.disable_service = unreachable
    drain = go(nova, drain, 5)
    assert "connection refused" in english(drain.message)
    assert drain.cloud_down_since is not None
    nova.disable_service = disable
    drain = go(nova, drain, 2)
    assert (drain.message, drain.cloud_down_since) == (None, None)
    assert go(nova, drain).state == "succeeded"


def test_a_service_that_nova_never_lets_us_disable_ends_the_drain(settings):
    settings.UKCLOUD_MAINTENANCE = {**QUICK, "CLOUD_DOWN_WAIT_SECONDS": 30}
    nova = FakeNova()
    nova.add("web")

    def refused(service_id, reason):
        raise CloudForbidden("disable the compute service", "policy", status=403)

    nova.disable_service = refused
    drain = go(nova, ask(nova, 1), 60)
    assert drain.state == "failed"
    assert "policy" in english(drain.message)
    assert nova.accepted_posts == []

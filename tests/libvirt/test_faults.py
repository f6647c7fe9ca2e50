"""Processes die and cables are pulled while real guests are copied: no guest may be lost by it."""

import time

import pytest

from tests.libvirt import machine
from tests.libvirt.conftest import SETTINGS
from tests.libvirt.heart import Heart
from tests.libvirt.test_drain import assert_proved_before_each_migration, until_copying
from tests.worker.driving import rows_by_name
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.steering import Verb, verbs
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.messages import english

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def short_patience(nova, settings):
    """What the memory of a guest explains is over soon, so that the wait for a copy that nobody
    watches is."""
    settings.UKCLOUD_MAINTENANCE = SETTINGS | {
        "LATE_MIN_SECONDS": 10,
        "TIMEOUT_MIN_SECONDS": 60,
        "TIMEOUT_SECONDS_PER_GIB": 10,
        "API_TIMEOUT_SECONDS": 10,
        "SUBMIT_GRACE_SECONDS": 20,
    }


def asked(nova, server):
    """How often Nova took a live migration of a server."""
    return len(nova.migrations(server))


@pytest.mark.parametrize("seconds", [4, 40])
def test_a_guest_whose_copy_outlived_its_nova_compute_is_never_migrated_again(
    nova, passes, boot, seconds
):
    server = boot("lv1", web="full")["web"]
    source = nova.hosts["lv1"]
    source.limit_copy(server, 3)
    drain = until_copying(passes, passes.ask("lv1"), "web")
    dest = nova.migrations(server)[0]["dest_compute"]
    source.compute.kill()
    killed = time.monotonic()
    # libvirt ends the copy by itself; with 4 seconds it is helped to be done by then
    source.machine.run("virsh", "migrate-setspeed", server, "1000", check=False)
    machine.wait(lambda: nova.where(server) == {dest: "running"}, "libvirt is done")
    machine.wait(lambda: nova.beats(server, dest), "its heart beats there")
    heart = Heart.of(nova, server, dest)
    while time.monotonic() < killed + seconds:
        drain = passes.one(drain)
        time.sleep(0.3)
    source.start_compute()
    drain = passes.until_over(drain, timeout=180)

    # what Nova believes
    body = nova.server(server)
    assert body["OS-EXT-SRV-ATTR:host"] == "lv1"
    # what the product makes of it: nothing is asked of Nova, nothing is offered, both hosts named
    row = rows_by_name(drain)["web"]
    assert (drain.state, row.state) == ("failed", "unknown"), row.message
    assert "lv1" in english(row.message)
    assert dest in english(row.message)
    assert Verb.RETRY not in verbs(row, drain)
    with pytest.raises(Refused):
        services.steer(shell_actor(), drain.pk, Verb.RETRY, [row.pk])
    with pytest.raises(Refused):
        services.retry_failed(shell_actor(), drain.pk)
    # nor does whoever asks next
    again = passes.until_over(passes.ask("lv1"), timeout=120)
    assert rows_by_name(again)["web"].state == "unknown"
    assert asked(nova, server) == 1
    heart.goes_on(dest)
    assert nova.where(server) == {dest: "running"}


def test_one_that_stays_queued_for_ever_never_left_and_is_migrated_again(nova, passes, boot):
    guests = boot("lv2", one="full", other="full")
    hearts = {}
    for server in guests.values():
        nova.hosts["lv2"].limit_copy(server, 1)
        hearts[server] = Heart.of(nova, server, "lv2")
    drain = passes.ask("lv2", max_concurrent=2)
    # Nova itself runs one at a time
    drain = passes.until(
        drain,
        lambda d: (
            sorted(r.attempt.nova_status for r in store.migrations(d)) == ["queued", "running"]
        ),
        timeout=120,
    )
    queued = next(r for r in store.migrations(drain) if r.attempt.nova_status == "queued")
    nova.hosts["lv2"].compute.kill()
    nova.hosts["lv2"].start_compute()
    # the copy that was not done Nova aborts as soon as it is back
    (running,) = set(guests.values()) - {queued.server_id}
    nova.wait_for_migration(running, "error", timeout=90)
    for server in guests.values():
        nova.hosts["lv2"].limit_copy(server, 100)
    drain = passes.until_over(drain, timeout=240)
    states = {r.server_name: (r.state, r.message) for r in store.migrations(drain)}
    assert {state for state, _ in states.values()} == {"succeeded"}, states
    statuses = [
        m["status"]
        for m in nova.migrations(queued.server_id)
        if m["id"] == queued.attempt.nova_migration_id
    ]
    assert statuses == ["queued"]  # Nova's record is as it was
    for server, heart in hearts.items():
        assert_proved_before_each_migration(nova, server)
        heart.goes_on(nova.host_of(server))


def test_leftovers_at_the_destination_do_not_harm_the_guest(nova, passes, boot):
    """Nova refuses, and its rollback removes the leftovers: what it would do to a guest as well."""
    server = boot("lv3", web="idle")["web"]
    heart = Heart.of(nova, server, "lv3")
    leftover = nova.hosts["lv1"].instances / server
    leftover.mkdir()
    (leftover / "disk").touch()
    drain = passes.until_over(passes.ask("lv3", destination="lv1"), timeout=180)
    row = rows_by_name(drain)["web"]
    # it is not sent there again by itself, and was to go nowhere else
    assert (drain.state, row.state, row.attempts) == ("failed", "failed", 1), row.message
    assert "are still on lv1" in english(row.message)
    assert [m["status"] for m in nova.migrations(server)] == ["failed"]
    assert any("already exists" in english(event.message) for event in store.events(drain))
    assert_proved_before_each_migration(nova, server)
    heart.goes_on("lv3")


@pytest.mark.parametrize("end", ["source", "destination"])
@pytest.mark.usefixtures("all_faults")
def test_a_guest_survives_the_death_of_libvirtd(nova, passes, boot, end):
    server = boot("lv1", web="full")["web"]
    nova.hosts["lv1"].limit_copy(server, 3)
    heart = Heart.of(nova, server, "lv1")
    drain = until_copying(passes, passes.ask("lv1"), "web")
    dest = nova.migrations(server)[0]["dest_compute"]
    host = nova.hosts["lv1" if end == "source" else dest]
    host.libvirtd.kill()
    time.sleep(6)
    host.start_libvirtd()
    drain = passes.until_over(drain, timeout=200)
    assert_true_to_the_guest(nova, drain, server, heart)


@pytest.mark.usefixtures("all_faults")
def test_a_guest_survives_a_cut_between_the_hosts(nova, passes, boot):
    server = boot("lv1", web="full")["web"]
    nova.hosts["lv1"].limit_copy(server, 3)
    heart = Heart.of(nova, server, "lv1")
    drain = until_copying(passes, passes.ask("lv1"), "web")
    with machine.unplugged(nova.control, nova.hosts["lv1"].machine):
        until = time.monotonic() + 46
        while time.monotonic() < until:
            drain = passes.one(drain)
            time.sleep(1)
    drain = passes.until_over(drain, timeout=200)
    assert_true_to_the_guest(nova, drain, server, heart)


def assert_true_to_the_guest(nova, drain, server, heart):
    """The guest runs at one host, and a drain that says so of it is right about which."""
    row = next(r for r in store.migrations(drain) if r.server_id == server)
    assert_proved_before_each_migration(nova, server)
    where = nova.pulse(server)
    assert where
    if row.state == "succeeded":
        assert where == nova.host_of(server) != drain.host
    else:
        assert row.state in ("failed", "unknown"), (row.state, row.message)
        assert drain.state == "failed"
    heart.goes_on(where)

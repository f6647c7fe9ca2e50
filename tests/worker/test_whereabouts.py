"""A guest is never put at risk by a retry: the worker against a real Nova whose record, and whose
idea of the server, are wrong about where the guest runs."""

import time

import pytest

from tests.said import raises
from tests.worker.driving import SETTINGS, rows_by_name
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.drain.objections import LEFT_IN_DOUBT
from ukcloud_maintenance.core.steering import Verb, verbs
from ukcloud_maintenance.exceptions import Refused
from ukcloud_maintenance.messages import english

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

#: Two minutes: whatever is to happen in the copy, or to end it, has the time.
SLOW = "rate=5000000"


@pytest.fixture
def lose_patience(settings):
    """From then on what the memory of a guest explains is over soon, so that the wait for a copy
    that nobody watches is. Not before it runs: Nova may be as long in choosing a host."""

    def lose() -> None:
        settings.UKCLOUD_MAINTENANCE = SETTINGS | {
            "LATE_MIN_SECONDS": 5,
            "TIMEOUT_SECONDS_PER_GIB": 10,
        }

    return lose


def asked(nova, server: str) -> int:
    """How often Nova was asked to live-migrate a server."""
    return sum(m["migration_type"] == "live-migration" for m in nova.migrations(server))


def kill_in_the_copy(nova, passes, drain, server: str, host: str, lose_patience):
    """The nova-compute of the source dies while the server is copied."""
    drain = passes.until(drain, lambda d: row_of(d, server).attempt.nova_status == "running")
    nova.control_host(host, "kill")
    lose_patience()
    return drain


def row_of(drain, server: str):
    return next(r for r in store.migrations(drain) if r.server_id == server)


def wait_until(condition, what: str, timeout: float = 180) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.2)


@pytest.fixture
def alone_at_the_destination(nova, passes, lose_patience):
    """(drain, server, destination): the copy ended without its nova-compute, which is back."""
    server = nova.create_server("web", host="cmp1", play=f"outlives-compute after=1 {SLOW}")
    drain = kill_in_the_copy(nova, passes, passes.ask("cmp1"), server, "cmp1", lose_patience)
    wait_until(lambda: nova.guests()[server] != ["cmp1"], "libvirt is done")
    (dest,) = nova.guests()[server]
    nova.control_host("cmp1", "start")
    nova.wait_for_migration(server, "error")
    return drain, server, dest


def test_a_guest_that_runs_at_the_destination_alone_is_not_migrated_again(
    nova, passes, alone_at_the_destination
):
    drain, server, dest = alone_at_the_destination
    body = nova.server(server)
    seen = (body["OS-EXT-SRV-ATTR:host"], body["status"], body["OS-EXT-STS:task_state"])
    assert seen == ("cmp1", "ACTIVE", None)  # what Nova believes
    drain = passes.until_over(drain)
    row = row_of(drain, server)
    assert (drain.state, row.state) == ("failed", "unknown")
    assert "cmp1" in english(row.message)
    assert dest in english(row.message)
    assert asked(nova, server) == 1
    # nothing of it is offered, and the page does not say that it stays on the host
    assert not verbs(row, drain)
    assert nova.guests()[server] == [dest]


@pytest.mark.parametrize("how", ["another drain", "a cold migration"])
def test_nor_is_it_by_whoever_asks_next(nova, passes, alone_at_the_destination, how):
    drain, server, dest = alone_at_the_destination
    passes.until_over(drain)
    more = {"choices": {server: "cold"}} if how == "a cold migration" else {}
    again = passes.until_over(passes.ask("cmp1", **more))
    row = row_of(again, server)
    assert (again.state, row.state, row.attempts) == ("failed", "unknown", 0)
    assert asked(nova, server) == 1
    assert nova.guests()[server] == [dest]


def test_nor_is_its_older_twin_that_the_owner_started_by_a_reboot(
    nova, passes, alone_at_the_destination
):
    """Then a guest runs at the source, as asked; to migrate it destroys the other."""
    drain, server, dest = alone_at_the_destination
    passes.until_over(drain)
    nova.nova.post(f"/servers/{server}/action", json={"reboot": {"type": "HARD"}})
    wait_until(lambda: sorted(nova.guests()[server]) == sorted(["cmp1", dest]), "two run")
    wait_until(lambda: nova.server(server)["OS-EXT-STS:task_state"] is None, "Nova is done")
    again = passes.until_over(passes.ask("cmp1"))
    row = row_of(again, server)
    assert (again.state, row.state, row.attempts) == ("failed", "unknown", 0), row.message
    assert row.code == LEFT_IN_DOUBT
    assert dest in english(row.message)
    assert asked(nova, server) == 1
    assert sorted(nova.guests()[server]) == sorted(["cmp1", dest])


def test_the_simulated_rollback_would_destroy_it(nova, alone_at_the_destination):
    """What the tests above are about: without the proof the guest is lost."""
    _, server, dest = alone_at_the_destination
    nova.live_migrate(server, dest)
    wait_until(lambda: server not in nova.guests(), "the rollback has destroyed the guest")


def test_a_nova_compute_that_is_back_in_time_aborts_the_copy_and_it_is_tried_again(
    nova, passes, lose_patience
):
    server = nova.create_server(
        "web", host="cmp2", play=f"outlives-compute after=60 fail_times=1 {SLOW}"
    )
    drain = kill_in_the_copy(nova, passes, passes.ask("cmp2"), server, "cmp2", lose_patience)
    nova.control_host("cmp2", "start")
    nova.wait_for_migration(server, "error")
    drain = passes.until_over(drain)
    row = row_of(drain, server)
    assert (drain.state, row.state, row.attempts) == ("succeeded", "succeeded", 2), row.message
    assert nova.guests()[server] == [nova.host_of(server)]


def test_what_nova_keeps_queued_for_ever_never_left_and_is_tried_again(nova, passes, lose_patience):
    plays = ["outlives-compute after=60 fail_times=1 " + SLOW] * 2 + ["plain"]
    servers = [nova.create_server(f"q-{n}", host="cmp3", play=play) for n, play in enumerate(plays)]
    drain = passes.ask("cmp3", max_concurrent=3)

    def two_run_and_one_waits(d):
        statuses = sorted(r.attempt.nova_status for r in store.migrations(d))
        return statuses == ["queued", "running", "running"]

    drain = passes.until(drain, two_run_and_one_waits)
    queued = next(r for r in store.migrations(drain) if r.attempt.nova_status == "queued")
    nova.control_host("cmp3", "kill")
    lose_patience()
    nova.control_host("cmp3", "start")
    drain = passes.until_over(drain)
    assert {r.state for r in store.migrations(drain)} == {"succeeded"}, drain.message
    for server in servers:
        assert nova.guests()[server] == [nova.host_of(server)]
    # Nova's record of the first attempt is as it was
    old = [
        m for m in nova.migrations(queued.server_id) if m["id"] == queued.attempt.nova_migration_id
    ]
    assert [m["status"] for m in old] == ["queued"]
    assert "never left" in " ".join(english(e.message) for e in store.events(drain))


def test_nothing_is_aborted_or_forced_while_the_source_is_down(nova, passes, lose_patience):
    server = nova.create_server("web", host="cmp4", play=f"outlives-compute after=30 {SLOW}")
    drain = kill_in_the_copy(nova, passes, passes.ask("cmp4"), server, "cmp4", lose_patience)
    drain = passes.until(drain, lambda d: d.host_down_since)
    row = row_of(drain, server)
    assert not {Verb.ABORT, Verb.FORCE} & set(verbs(row, drain))
    with raises(Refused, match="down"):
        services.steer(shell_actor(), drain.pk, Verb.ABORT, [row.pk])


def test_a_guest_that_was_lost_by_its_host_is_blocked_before_the_first_attempt(nova, passes):
    """ACTIVE for Nova, and no hypervisor has it: a crash that Nova has not noticed yet."""
    server = nova.create_server("web", host="cmp5", play="landed-but-source after=1")
    nova.live_migrate(server)
    nova.wait_for_migration(server, "error")
    nova.wait(lambda: nova.server(server)["status"] == "ERROR", "Nova is done with it")
    nova.nova.post(f"/servers/{server}/action", json={"os-resetState": {"state": "active"}})
    drain = passes.until_over(passes.ask("cmp5"))
    row = rows_by_name(drain)["web"]
    assert (drain.state, row.state, row.attempts) == ("failed", "unknown", 0)
    assert asked(nova, server) == 1

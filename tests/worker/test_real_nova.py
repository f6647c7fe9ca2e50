"""The reconciler against a real Nova with simulated hypervisors."""

import time
from collections import Counter

import pytest

from tests.cloud.watching import copying
from tests.worker import driving
from tests.worker.driving import rows_by_name, servers_on, service_of
from ukcloud_maintenance import cloud as gateway
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.demo.behaviours import LIVE_KEY
from ukcloud_maintenance.demo.harness import DemoCloudError
from ukcloud_maintenance.messages import english

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]


def live_migrations(nova, *servers: str) -> Counter:
    """How many live migrations Nova has on record for each server."""
    return Counter(
        {
            s: sum(m["migration_type"] == "live-migration" for m in nova.migrations(s))
            for s in servers
        }
    )


def build_when_the_scheduler_knows(nova, name: str, host: str) -> str:
    """The scheduler hears of a service that was enabled a moment later than the API."""
    for _ in range(20):
        try:
            return nova.create_server(name, host=host)
        except DemoCloudError:
            failed = nova.nova.get(f"/servers?all_tenants=1&name=^{name}$").json()["servers"]
            nova.delete_server(*[s["id"] for s in failed])
            time.sleep(0.5)
    raise AssertionError(f"{name} cannot be built on {host}")


def slow_down(nova, drain, first: int) -> None:
    """The copies of those that go first take long enough for passes of a busy machine to see them
    together with what comes after them."""
    for row in store.migrations(drain)[:first]:
        slow = {LIVE_KEY: "rate=15000000"}
        nova.nova.post(f"/servers/{row.server_id}/metadata", json={"metadata": slow})


def test_a_host_is_drained(nova, passes):
    play = "rate=40000000"
    servers = nova.create_servers([f"web-{n}" for n in range(5)], host="cmp1", play=play)
    paused = nova.create_server("paused", host="cmp1", state="PAUSED", play=play)
    neighbour = nova.create_server("neighbour", host="cmp10")
    running, queued, learned = [], [], []

    def watch(drain):
        records = nova.nova.get("/os-migrations?source_compute=cmp1").json()["migrations"]
        in_progress = [m["status"] for m in records]
        running.append(sum(s in ("preparing", "running") for s in in_progress))
        queued.append(sum(s in ("accepted", "queued") for s in in_progress))
        rows = [r for r in store.migrations(drain) if r.state == "migrating"]
        statuses = [r.attempt.nova_status for r in rows]
        if "queued" in statuses and "running" in statuses:
            learned.append(drain.learned_limit)

    asked = passes.ask("cmp1", max_concurrent=3)
    slow_down(nova, asked, 2)  # so that a pass sees the third one queued
    drain = passes.until_over(asked, timeout=240, watch=watch)

    assert (drain.state, drain.result) == ("succeeded", "empty"), drain.message
    assert servers_on(nova, "cmp1") == []
    for server in [*servers, paused]:
        body = nova.server(server)
        assert body["OS-EXT-SRV-ATTR:host"] != "cmp1"
        assert body["status"] == ("PAUSED" if server == paused else "ACTIVE")
    # the service carries our reason; the neighbour whose name begins alike is untouched
    service = service_of(nova, "cmp1")
    assert (service["status"], service["disabled_reason"]) == ("disabled", "new kernel")
    assert service_of(nova, "cmp10")["status"] == "enabled"
    assert nova.host_of(neighbour) == "cmp10"
    # small waves: Nova runs 2 at once here, one more waits, and that was found out
    assert max(running) == 2
    assert max(queued) == 1
    assert learned, "no pass saw one queued while others ran"
    assert None not in learned, "a pass that saw it did not learn from it"
    assert drain.learned_limit == 2
    assert set(live_migrations(nova, *servers, paused).values()) == {1}
    for row in store.migrations(drain):
        assert (row.state, row.attempt.nova_status, row.attempts) == ("succeeded", "completed", 1)
        assert row.dest_compute == nova.host_of(row.server_id)
        assert row.attempt.memory_total_bytes
        assert row.attempt.memory_remaining_bytes == 0
        assert row.started_at < row.finished_at


def test_every_way_to_go_wrong_is_told_apart(nova, passes, settings):
    # On a busy machine Nova takes longer than usual from the end of a record to that of the task.
    waits = {"SETTLE_SECONDS": 30, "SUBMIT_GRACE_SECONDS": 40}
    settings.UKCLOUD_MAINTENANCE = driving.SETTINGS | waits
    for name, play in {
        "once": "rollback fail_times=1",
        "never": "fail-destination-check",
        "source": "fail-source-check fail_times=1",
        "landing": "landing-fails",
        "broken": "error-in-copy",
        "liar": "completed-but-source",
        "split": "landed-but-source",
    }.items():
        nova.create_server(name, host="big1", play=play)
    nova.create_server("asleep", host="big1", state="SUSPENDED")
    drain = passes.until_over(passes.ask("big1", max_concurrent=4), timeout=300)
    rows = rows_by_name(drain)
    told = {name: (row.state, row.code, row.attempts) for name, row in rows.items()}
    assert told == {
        "once": ("succeeded", "", 2),
        # two attempts, each of them with a host of ours and with one of the scheduler's
        "never": ("failed", "nova_error", 4),
        "source": ("succeeded", "", 2),
        "landing": ("failed", "arrived_error", 1),
        "broken": ("unknown", "error_at_source", 1),
        "liar": ("unknown", "completed_at_source", 1),
        "split": ("unknown", "error_at_source", 1),
        "asleep": ("stays", "status_suspended", 0),
    }
    # Nova's own words, and the request they belong to
    assert "Nova: " in english(rows["never"].message)
    assert rows["never"].attempt.request_id in english(rows["never"].message)
    assert (drain.state, drain.result) == ("failed", "instances_failed")
    for name in ("never", "broken", "liar", "split", "asleep"):
        assert f"\n{name} (" in english(drain.message)
    # nothing was repaired by guessing
    assert nova.server(rows["broken"].server_id)["status"] == "ERROR"
    assert nova.server(rows["asleep"].server_id)["status"] == "SUSPENDED"


def test_a_host_that_somebody_disabled_is_left_as_it_was_found(nova, passes):
    service = service_of(nova, "cmp2")
    theirs = {"status": "disabled", "disabled_reason": "bad DIMM, ask Ann"}
    nova.nova.put(f"/os-services/{service['id']}", json=theirs)
    nova.create_server("web", host="cmp3")  # cmp2 takes none: it is disabled
    drain = passes.until_over(passes.ask("cmp2"))
    assert (drain.state, drain.result) == ("succeeded", "empty")
    assert service_of(nova, "cmp2")["disabled_reason"] == "bad DIMM, ask Ann"
    maintenance = drain.maintenance
    assert (maintenance.found_status, maintenance.found_reason) == ("disabled", "bad DIMM, ask Ann")
    assert (maintenance.our_reason, maintenance.disabled_at) == ("", None)


def test_a_second_drain_does_not_take_our_disabling_for_somebody_elses(nova, passes):
    first = passes.until_over(passes.ask("cmp3", reason="first"))
    second = passes.until_over(passes.ask("cmp3", reason="second"))
    assert second.maintenance == first.maintenance
    assert second.maintenance.found_status == "enabled"
    assert service_of(nova, "cmp3")["disabled_reason"] == "first"


def test_what_arrives_leaves_and_is_moved_by_others_is_accounted_for(nova, passes):
    for name in ("deleted", "moved", "stopped", "slow"):
        nova.create_server(name, host="cmp4", play="rate=20000000" if name == "slow" else None)
    drain = passes.ask("cmp4", max_concurrent=1)
    ids = {name: row.server_id for name, row in rows_by_name(drain).items()}
    # the slow one goes first and holds the line while the others change
    type(rows_by_name(drain)["slow"]).objects.filter(server_id=ids["slow"]).update(position=-1)
    passes.until(drain, lambda d: rows_by_name(d)["slow"].attempt.nova_status == "running")
    nova.nova.delete(f"/servers/{ids['deleted']}")
    nova.action(ids["stopped"], {"os-stop": None})
    nova.live_migrate(ids["moved"], "cmp5")
    nova.wait(lambda: nova.host_of(ids["moved"]) == "cmp5", "moved by somebody else")
    # a build that was under way when the service was disabled lands all the same
    service = service_of(nova, "cmp4")
    path = f"/os-services/{service['id']}"
    nova.nova.put(path, json={"status": "enabled"})
    build_when_the_scheduler_knows(nova, "late", "cmp4")
    nova.nova.put(path, json={"status": "disabled", "disabled_reason": "new kernel"})
    drain = passes.until_over(drain)
    rows = rows_by_name(drain)
    assert {name: row.state for name, row in rows.items()} == {
        "slow": "succeeded",
        "deleted": "gone",
        "moved": "gone",
        "stopped": "succeeded",
        "late": "succeeded",
    }
    assert rows["moved"].dest_compute == "cmp5"
    assert rows["stopped"].method == "cold", "it was shut off while it waited for its turn"
    assert (drain.state, drain.result) == ("succeeded", "empty")


def test_cancel_lets_land_what_flies_and_starts_nothing(nova, passes):
    nova.create_servers([f"web-{n}" for n in range(4)], host="cmp6", play="rate=40000000")
    drain = passes.ask("cmp6", max_concurrent=1)
    drain = passes.until(
        drain, lambda d: "running" in {r.attempt.nova_status for r in store.migrations(d)}
    )
    posted = sum(bool(r.attempts) for r in store.migrations(drain))
    services.cancel_drain(shell_actor(), drain.pk)
    drain = passes.until_over(drain)
    assert (drain.state, drain.result) == ("cancelled", "cancelled")
    states = Counter(r.state for r in store.migrations(drain))
    assert states == {"succeeded": posted, "cancelled": 4 - posted}
    assert len(servers_on(nova, "cmp6")) == 4 - posted
    # as it was before the drain, unless the admin says otherwise
    assert service_of(nova, "cmp6")["status"] == "enabled"
    assert "is enabled" in english(drain.message)


def test_a_pass_costs_three_requests_and_one_for_each_under_way(nova, passes, monkeypatch):
    nova.create_servers([f"web-{n}" for n in range(4)], host="cmp7", play="rate=50000000")
    asked = []
    send, write = gateway.Cloud._send, gateway.Cloud._write

    def reading(self, api, what, method, path, **more):
        asked.append((method, path))
        return send(self, api, what, method, path, **more)

    def writing(self, what, method, path, body=None):
        asked.append((method, path))
        return write(self, what, method, path, body)

    monkeypatch.setattr(gateway.Cloud, "_send", reading)
    monkeypatch.setattr(gateway.Cloud, "_write", writing)
    drain = passes.ask("cmp7", max_concurrent=3)
    slow_down(nova, drain, 2)  # so that three are in progress at once
    drain = passes.one(passes.one(drain))
    measured, rooms = [], []
    deadline = time.monotonic() + 300
    while drain.state == "running" and time.monotonic() < deadline:
        flying = sum(r.state in ("submitted", "migrating") for r in store.migrations(drain))
        before = store.revision(drain.pk)
        asked.clear()
        drain = passes.one(drain)
        posts = [path for method, path in asked if method == "POST"]
        ended = any(r.state == "succeeded" for r in store.migrations(drain))
        reads = [path for method, path in asked if method == "GET"]
        # Before a POST five are read of what is around, and four of its server.
        of_room = [path for path in reads if path.startswith("/resource_providers")]
        measured.append((flying, len(reads) - len(of_room) - 9 * len(posts)))
        rooms.append((flying, len(posts), len(of_room)))
        assert before <= store.revision(drain.pk)
        time.sleep(0.3)
    assert drain.state == "succeeded"
    assert ended
    # The proof that the host is empty, once nothing is left to be moved, takes four.
    assert all(reads <= (3 + flying if flying else 4) for flying, reads in measured), measured
    # What was sent, and has no host yet by Nova's word, is looked for where it was sent to.
    assert all(reads <= (2 * flying if posts else 0) for flying, posts, reads in rooms), rooms
    assert max(flying for flying, _ in measured) == 3


def test_a_token_that_nova_does_not_take_any_more_is_renewed(nova, passes):
    nova.create_servers(["a", "b"], host="cmp8")
    drain = passes.one(passes.ask("cmp8"))
    passes.cloud.session.auth.auth_ref._auth_token = "expired"
    drain = passes.until_over(drain)
    assert drain.state == "succeeded"
    assert passes.cloud.session.get_token() != "expired"


def test_an_abort_by_somebody_else_is_followed_until_it_settled(nova, passes, settings):
    settings.UKCLOUD_MAINTENANCE = driving.SETTINGS | {"SETTLE_SECONDS": 12}
    server = nova.create_server("web", host="cmp9", play="late-error-after-abort stall")
    drain = passes.ask("cmp9")
    passes.until(drain, lambda d: rows_by_name(d)["web"].attempt.nova_status == "running")
    in_progress = copying(nova, server)["id"]
    nova.nova.delete(f"/servers/{server}/migrations/{in_progress}")
    drain = passes.until_over(drain)
    row = rows_by_name(drain)["web"]
    # cancelled and ACTIVE for a moment, then error and ERROR while the guest runs on
    assert (row.state, row.code) == ("unknown", "error_after_abort")
    assert nova.server(server)["status"] == "ERROR"
    assert services.evidence(shell_actor(), passes.cloud, drain.pk, row.pk).complete
    assert live_migrations(nova, server)[server] == 1


def test_a_stopped_instance_is_cold_migrated_confirmed_and_still_stopped(nova, passes):
    running = nova.create_server("running", host="cmp10")
    stopped = nova.create_server("stopped", host="cmp10", state="SHUTOFF")
    drain = passes.until_over(passes.ask("cmp10"))
    rows = rows_by_name(drain)
    assert (drain.state, drain.result) == ("succeeded", "empty"), drain.message
    assert {r.method for r in rows.values()} == {"live", "cold"}
    assert nova.server(running)["status"] == "ACTIVE"
    body = nova.server(stopped)
    assert body["status"] == "SHUTOFF"
    assert body["OS-EXT-SRV-ATTR:host"] == rows["stopped"].dest_compute != "cmp10"
    (record,) = nova.migrations(stopped)
    assert (record["migration_type"], record["status"]) == ("migration", "confirmed")


def test_what_runs_is_stopped_moved_and_started_only_where_it_was_chosen(nova, passes):
    chosen = nova.create_server("chosen", host="cmp11")
    nova.create_server("other", host="cmp11")
    drain = passes.ask("cmp11", choices={chosen: "cold"})
    drain = passes.until_over(drain)
    rows = rows_by_name(drain)
    assert drain.state == "succeeded", drain.message
    assert (rows["chosen"].method, rows["other"].method) == ("cold", "live")
    assert nova.server(chosen)["status"] == "ACTIVE"


def test_a_resize_that_was_pending_is_confirmed_only_where_it_was_chosen(nova, passes):
    held = nova.create_server("held", host="cmp12", state="SHUTOFF")
    nova.action(held, {"migrate": {"host": "cmp1"}})
    nova.wait_for_server(held, "VERIFY_RESIZE")
    # it runs elsewhere, but its disk and its allocation are here: the host is not empty
    drain = passes.until_over(passes.ask("cmp12"))
    assert drain.state == "failed"
    assert "held" in english(drain.message)
    assert nova.server(held)["status"] == "VERIFY_RESIZE"
    drain = passes.until_over(passes.ask("cmp12", choices={held: "confirm"}))
    assert (drain.state, drain.result) == ("succeeded", "empty"), drain.message
    assert nova.server(held)["status"] == "SHUTOFF"


def test_a_host_that_nova_does_not_accept_leaves_the_instance_to_the_scheduler(nova, passes):
    server = nova.create_server("picky", host="cmp8")
    found = services.preflight_host(shell_actor(), passes.cloud, "cmp8")
    assert found.packing_is_asked_for
    chosen = found.planned[0].planned_host
    play = {"metadata": {LIVE_KEY: f"fail-destination-check to={chosen}"}}
    nova.nova.post(f"/servers/{server}/metadata", json=play)
    drain = passes.until_over(passes.ask("cmp8"))
    row = rows_by_name(drain)["picky"]
    assert (row.state, row.attempts, row.extra_attempts) == ("succeeded", 2, 1)
    first, second = store.attempts(drain)[row.pk]
    assert (first.asked_host, first.code) == (chosen, "host_refused")
    assert (second.asked_host, second.sent_to) == ("", row.dest_compute)
    assert nova.host_of(server) == row.dest_compute not in ("cmp8", chosen)
    [event] = row.events.filter(kind="host_refused")
    assert f"Nova did not accept {chosen} as its destination" in english(event.message)
    assert "Nova: " in english(event.message)
    assert live_migrations(nova, server) == {server: 2}


def test_members_of_an_anti_affinity_group_never_travel_together(nova, passes):
    group = nova.nova.post(
        "/os-server-groups",
        json={"server_group": {"name": "ha", "policy": "anti-affinity"}},
        microversion="2.64",
    ).json()["server_group"]["id"]
    first = nova.create_server("ha-1", host="big1", group=group, play="rate=50000000")
    # the late check would refuse a second one here; the group is joined over two hosts
    second = nova.create_server("ha-2", host="big2", group=group, play="rate=50000000")
    travelling = []

    def watch(drain):
        both = [m["status"] for s in (first, second) for m in nova.migrations(s)]
        travelling.append(sum(s in ("preparing", "running", "queued") for s in both))

    one, two = passes.ask("big1"), passes.ask("big2")
    assert {r.group for d in (one, two) for r in store.migrations(d)} == {group}
    for _ in range(200):
        one = passes.one(one)
        watch(one)
        two = passes.one(two)
        watch(two)
        if one.state == two.state == "succeeded":
            break
        time.sleep(0.2)
    assert (one.state, two.state) == ("succeeded", "succeeded")
    assert max(travelling) == 1

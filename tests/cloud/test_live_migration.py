"""One test for each behaviour of the simulated driver: what the API shows then."""

import itertools
import time

import pytest
from keystoneauth1 import exceptions

from tests.cloud.conftest import ONE_AT_A_TIME
from tests.cloud.watching import copying, in_order, nova_of, watch
from ukcloud_maintenance.demo import behaviours

MIB = 1024**2
#: Where what is to be seen lasts for a part of the copy: a busy machine looks once a second.
SIXTEEN_SECONDS = f"rate={32 * MIB}"
"""For a server of 512 MiB."""
SLOW = f"rate={16 * MIB}"
"""Half a minute: as good as for ever."""


def state(server: dict) -> tuple[str, str]:
    return server["status"], server["OS-EXT-SRV-ATTR:host"]


def event_details(cloud, server: str, request_id: str) -> str:
    """Nova's own words for why a migration failed."""
    action = cloud.nova.get(f"/servers/{server}/os-instance-actions/{request_id}").json()
    return " ".join(e["details"] or "" for e in action["instanceAction"]["events"])


def test_every_documented_name_is_known():
    for name in behaviours.LIVE_NAMES:
        assert f"``{name}``" in behaviours.__doc__
    with pytest.raises(ValueError, match="no-such-thing"):
        behaviours.parse("no-such-thing at=0.5")


def test_plain_goes_through_all_statuses_and_reports_bytes(cloud):
    play = f"slow-prepare seconds=10 {SIXTEEN_SECONDS}"  # each long enough to be seen
    server = cloud.create_server("plain", host="cmp1", play=play)
    cloud.live_migrate(server)
    seen = watch(cloud, server)

    assert in_order(["preparing", "running", "completed"], seen.statuses)
    assert seen.server["status"] == "ACTIVE"
    assert seen.server["OS-EXT-SRV-ATTR:host"] == seen.record["dest_compute"] != "cmp1"
    assert seen.record["source_compute"] == "cmp1"
    assert all(s["memory_total_bytes"] is None for s in seen.samples if s["status"] == "preparing")
    assert set(seen.values("memory_total_bytes")) == {512 * MIB}
    remaining = seen.values("memory_remaining_bytes")
    assert remaining == sorted(remaining, reverse=True)
    assert len(remaining) > 3
    assert cloud.guests()[server] == [seen.record["dest_compute"]]


def test_node_name_differs_from_host_name(cloud):
    server = cloud.server(cloud.create_server("names", host="cmp10"))
    assert server["OS-EXT-SRV-ATTR:host"] == "cmp10"
    assert server["OS-EXT-SRV-ATTR:hypervisor_hostname"] == "cmp10.demo.example"


def test_a_named_destination(cloud):
    server = cloud.create_server("named", host="cmp1")
    cloud.live_migrate(server, "cmp12")
    assert state(watch(cloud, server).server) == ("ACTIVE", "cmp12")


def test_paused_stays_paused(cloud):
    server = cloud.create_server("paused", host="cmp1", state="PAUSED")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    assert seen.server["status"] == "PAUSED"
    assert seen.server["OS-EXT-STS:power_state"] == 3
    assert seen.record["status"] == "completed"


@pytest.mark.parametrize("status", ["SHUTOFF", "SUSPENDED", "ERROR"])
def test_other_states_are_refused(cloud, status):
    server = cloud.create_server(f"refused-{status}", host="cmp1", state=status)
    with pytest.raises(exceptions.Conflict):
        cloud.live_migrate(server)


def test_null_bytes(cloud):
    server = cloud.create_server("nulls", host="cmp1", play="null-bytes seconds=12")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    nulls = [s for s in seen.samples if s["status"] == "running" and not s["memory_total_bytes"]]
    assert nulls
    assert seen.record["status"] == "completed"


def test_early_zero_sample(cloud):
    server = cloud.create_server(
        "zero", host="cmp1", play=f"early-zero seconds=8 {SIXTEEN_SECONDS}"
    )
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    assert seen.values("memory_total_bytes")[0] == 0
    assert seen.values("memory_remaining_bytes")[0] == 0
    assert seen.values("memory_total_bytes")[-1] == 512 * MIB


def test_remaining_goes_up_and_down(cloud):
    server = cloud.create_server("bouncing", host="cmp1", play=f"bouncing {SIXTEEN_SECONDS}")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    remaining = seen.values("memory_remaining_bytes")
    rises = [b for a, b in itertools.pairwise(remaining) if b > a]
    assert rises
    assert seen.values("memory_processed_bytes")[-1] > 512 * MIB
    assert seen.record["status"] == "completed"


def test_processed_passes_the_total(cloud):
    server = cloud.create_server("overshoot", host="cmp1", play=f"overshoot {SLOW}")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    assert seen.values("memory_processed_bytes")[-1] > 512 * MIB
    remaining = seen.values("memory_remaining_bytes")
    assert remaining == sorted(remaining, reverse=True)


def test_disk_before_memory(cloud):
    server = cloud.create_server("disk", host="cmp1", play=f"disk-first {SIXTEEN_SECONDS}")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    reported = [s for s in seen.samples if s["disk_total_bytes"]]
    first = [s for s in reported if s["disk_remaining_bytes"] > 0]
    assert first
    assert all(
        (s["memory_total_bytes"], s["memory_processed_bytes"], s["memory_remaining_bytes"])
        == (0, 0, 0)
        for s in first
    )
    assert reported[-1]["disk_remaining_bytes"] == 0
    assert reported[-1]["memory_total_bytes"] == 512 * MIB


def test_every_destination_refuses(cloud):
    server = cloud.create_server("no-dest", host="cmp1", play="fail-destination-check")
    request_id = cloud.live_migrate(server)
    seen = watch(cloud, server)
    assert seen.record["status"] == "error"
    assert seen.record["dest_compute"] is None
    assert state(seen.server) == ("ACTIVE", "cmp1")
    assert "fault" not in seen.server
    assert event_details(cloud, server, request_id)


def test_one_destination_refuses_and_another_is_taken(cloud):
    server = cloud.create_server("one-refuses", host="cmp1", play="fail-destination-check to=cmp2")
    with_refusal = cloud.live_migrate(server, "cmp2")
    seen = watch(cloud, server)
    assert seen.record["status"] == "error"
    assert "avx512f" in event_details(cloud, server, with_refusal)
    cloud.live_migrate(server, "cmp11")
    assert state(watch(cloud, server).server) == ("ACTIVE", "cmp11")


def test_source_refuses(cloud):
    server = cloud.create_server("source-refuses", host="cmp1", play="fail-source-check")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    assert seen.record["status"] == "error"
    assert state(seen.server) == ("ACTIVE", "cmp1")


def test_preparing_fails(cloud):
    play = "fail-pre slow-prepare seconds=12"  # long enough to be seen
    server = cloud.create_server("pre-fails", host="cmp1", play=play)
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    assert seen.record["dest_compute"]
    assert state(seen.server) == ("ACTIVE", "cmp1")
    # Nova writes `error` first, and `failed` at the end of its rollback; the task ends between.
    assert in_order(["preparing"], seen.statuses)
    cloud.wait_for_migration(server, "failed")


def test_rolled_back_at_half_time(cloud):
    server = cloud.create_server("rollback", host="cmp1", play=f"rollback {SLOW}")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    assert in_order(["running", "failed"], seen.statuses)
    assert state(seen.server) == ("ACTIVE", "cmp1")
    assert min(seen.values("memory_remaining_bytes")) >= 200 * MIB


def test_fails_the_first_time_only(cloud):
    server = cloud.create_server("once", host="cmp1", play="rollback fail_times=1")
    cloud.live_migrate(server)
    assert watch(cloud, server).record["status"] == "failed"
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    assert seen.record["status"] == "completed"
    assert state(seen.server)[1] != "cmp1"


def test_exception_in_the_copy(cloud):
    server = cloud.create_server("in-copy", host="cmp1", play="error-in-copy")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    assert seen.record["status"] == "error"
    assert state(seen.server) == ("ERROR", "cmp1")


def test_exception_after_the_copy(cloud):
    server = cloud.create_server("after-copy", host="cmp1", play="error-after-copy")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    cloud.wait(lambda: cloud.server(server)["status"] == "ERROR", "the server is in ERROR")
    assert seen.record["status"] == "error"
    assert cloud.host_of(server) == seen.record["dest_compute"]


def test_landing_fails(cloud):
    server = cloud.create_server("landing", host="cmp1", play="landing-fails")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    # In 29 the source takes no notice of it, and calls the migration completed.
    assert seen.record["status"] == ("error" if nova_of(cloud) > 29 else "completed")
    assert state(seen.server) == ("ERROR", seen.record["dest_compute"])
    assert seen.server["OS-EXT-STS:vm_state"] == "error"


def test_stalls_until_it_is_aborted(cloud):
    server = cloud.create_server("stall", host="cmp1", play="stall")
    cloud.live_migrate(server)
    cloud.wait(
        lambda: [m for m in cloud.progress(server) if m["memory_remaining_bytes"] == 256 * MIB],
        "it stands at one half",
    )
    time.sleep(0.5)
    (row,) = cloud.progress(server)
    assert (row["status"], row["memory_remaining_bytes"]) == ("running", 256 * MIB)
    cloud.nova.delete(f"/servers/{server}/migrations/{row['id']}")
    seen = watch(cloud, server)
    assert seen.record["status"] == "cancelled"
    assert state(seen.server) == ("ACTIVE", "cmp1")


def test_never_converges_until_it_is_forced(cloud):
    server = cloud.create_server("endless", host="cmp1", play="never-converges")
    cloud.live_migrate(server)
    cloud.wait(
        lambda: [
            m for m in cloud.progress(server) if (m["memory_processed_bytes"] or 0) > 1024 * MIB
        ],
        "it has copied everything twice",
    )
    (row,) = cloud.progress(server)
    assert row["memory_remaining_bytes"] > 0
    cloud.nova.post(
        f"/servers/{server}/migrations/{row['id']}/action", json={"force_complete": None}
    )
    seen = watch(cloud, server)
    assert seen.record["status"] == "completed"
    assert seen.server["status"] == "ACTIVE"


def test_force_complete_copies_the_rest_slowly(cloud):
    server = cloud.create_server("forced", host="cmp1", play=SIXTEEN_SECONDS)
    cloud.live_migrate(server)
    row = copying(cloud, server)
    cloud.nova.post(
        f"/servers/{server}/migrations/{row['id']}/action", json={"force_complete": None}
    )
    # At its own speed it would have been over by then.
    time.sleep(row["memory_remaining_bytes"] / (32 * MIB))
    (row,) = cloud.progress(server)
    assert row["status"] == "running"
    assert row["memory_remaining_bytes"] > 0
    assert watch(cloud, server).record["status"] == "completed"


def test_late_error_after_an_abort(cloud):
    server = cloud.create_server(
        "late", host="cmp1", play=f"late-error-after-abort after=15 {SLOW}"
    )
    cloud.live_migrate(server)
    row = copying(cloud, server)
    cloud.nova.delete(f"/servers/{server}/migrations/{row['id']}")
    seen = watch(cloud, server)
    assert seen.record["status"] == "cancelled"
    assert state(seen.server) == ("ACTIVE", "cmp1")

    cloud.wait_for_migration(server, "error")
    cloud.wait(lambda: state(cloud.server(server)) == ("ERROR", "cmp1"), "the server is in ERROR")
    assert cloud.guests()[server] == ["cmp1"]


def test_completion_timeout_aborts_by_itself(cloud):
    server = cloud.create_server(
        "timeout", host="cmp1", play=f"late-error-after-abort timeout=0.5 after=15 {SLOW}"
    )
    cloud.live_migrate(server)
    assert watch(cloud, server).record["status"] == "cancelled"
    cloud.wait_for_migration(server, "error")


def test_abort_of_a_plain_one_is_clean(cloud):
    server = cloud.create_server("abort", host="cmp1", play=SLOW)
    cloud.live_migrate(server)
    row = copying(cloud, server)
    cloud.nova.delete(f"/servers/{server}/migrations/{row['id']}")
    seen = watch(cloud, server)
    assert seen.record["status"] == "cancelled"
    time.sleep(2)
    assert state(cloud.server(server)) == ("ACTIVE", "cmp1")


def test_abort_of_a_preparing_one_is_clean(cloud):
    server = cloud.create_server("abort-pre", host="cmp1", play="slow-prepare seconds=12")
    cloud.live_migrate(server)
    cloud.wait_for_migration(server, "preparing")
    (row,) = cloud.progress(server)
    cloud.nova.delete(f"/servers/{server}/migrations/{row['id']}")
    seen = watch(cloud, server)
    assert seen.record["status"] == "cancelled"
    assert state(seen.server) == ("ACTIVE", "cmp1")


def test_one_at_a_time_the_rest_is_queued_and_aborted_cleanly(cloud):
    first, second = cloud.create_servers(["q-1", "q-2"], host=ONE_AT_A_TIME, play=SLOW)
    cloud.live_migrate(first)
    cloud.wait_for_migration(first, "running")
    cloud.live_migrate(second)
    cloud.wait_for_migration(second, "queued")
    time.sleep(1)
    (row,) = cloud.progress(second)
    assert row["status"] == "queued"
    assert row["memory_total_bytes"] is None
    cloud.nova.delete(f"/servers/{second}/migrations/{row['id']}")
    seen = watch(cloud, second)
    assert seen.record["status"] == "cancelled"
    assert state(seen.server) == ("ACTIVE", ONE_AT_A_TIME)
    cloud.delete_server(first)


def test_two_run_at_once_where_the_limit_allows(cloud):
    servers = cloud.create_servers(["two-1", "two-2"], host="cmp1", play=SIXTEEN_SECONDS)
    for server in servers:
        cloud.live_migrate(server)
    cloud.wait(
        lambda: all([m["status"] for m in cloud.progress(s)] == ["running"] for s in servers),
        "both run",
    )
    for server in servers:
        assert watch(cloud, server).record["status"] == "completed"


def test_landed_while_the_database_says_source(cloud):
    server = cloud.create_server("landed", host="cmp1", play="landed-but-source after=15")
    cloud.live_migrate(server)
    cloud.wait(lambda: cloud.guests()[server] != ["cmp1"], "the guest is at the destination")
    assert cloud.host_of(server) == "cmp1"
    assert cloud.migrations(server)[0]["status"] == "running"
    seen = watch(cloud, server)
    assert seen.record["status"] == "error"
    assert state(seen.server) == ("ERROR", "cmp1")
    assert cloud.guests()[server] == [seen.record["dest_compute"]]


def test_completed_while_the_server_says_source(cloud):
    server = cloud.create_server("completed", host="cmp1", play="completed-but-source")
    cloud.live_migrate(server)
    seen = watch(cloud, server)
    assert seen.record["status"] == "completed"
    assert state(seen.server) == ("ACTIVE", "cmp1")


def test_post_copy_vanishes_from_the_list(cloud):
    server = cloud.create_server("post-copy", host="cmp1", play=f"post-copy seconds=12 {SLOW}")
    cloud.live_migrate(server)
    row = copying(cloud, server)
    cloud.nova.post(
        f"/servers/{server}/migrations/{row['id']}/action", json={"force_complete": None}
    )
    cloud.wait_for_migration(server, "running (post-copy)")
    assert cloud.progress(server) == []
    seen = watch(cloud, server)
    assert seen.record["status"] == "completed"
    assert seen.server["status"] == "ACTIVE"


def test_stays_running_until_the_source_restarts(cloud):
    server = cloud.create_server("stuck", host="cmp2", play="stuck-running")
    cloud.live_migrate(server)
    cloud.wait(
        lambda: [m for m in cloud.progress(server) if m["memory_remaining_bytes"] == 0],
        "everything is copied",
    )
    (row,) = cloud.progress(server)
    cloud.nova.delete(f"/servers/{server}/migrations/{row['id']}")
    time.sleep(1.5)
    assert cloud.migrations(server)[0]["status"] == "running"
    assert cloud.server(server)["status"] == "MIGRATING"

    cloud.control_host("cmp2", "kill")
    cloud.control_host("cmp2", "start")
    seen = watch(cloud, server)
    assert seen.record["status"] == "error"
    assert state(seen.server) == ("ACTIVE", "cmp2")

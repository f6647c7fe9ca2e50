"""A server in ERROR at the source: complete evidence, and each reason for which it is not."""

import dataclasses
from datetime import datetime, timedelta

import pytest

from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.facts import (
    NOVA_STATUS_OVER,
    Diagnostics,
    Migration,
    Server,
    Service,
)
from ukcloud_maintenance.core.host import evidence
from ukcloud_maintenance.core.host.evidence import ErrorSight, weigh
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.messages import english

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVER = Server("s1", "web-1", "cmp1", "ERROR", "error", None)
RECORD = Migration(7, "uuid-7", "s1", "error", "live-migration", "cmp1", "cmp2")
SERVICE = Service("service-1", "cmp1", "az1", "up", "disabled")
RUNNING = Diagnostics("running", "libvirt", 3600, "kvm")
LATE_ERROR = ErrorSight(
    server=SERVER,
    source="cmp1",
    record=RECORD,
    aborted_by_us=True,
    was_cancelled=True,
    newer_migrations=(),
    diagnostics=RUNNING,
    diagnostics_error=None,
    service=SERVICE,
    read_at=NOW,
)


def server(**fields):
    return {"server": dataclasses.replace(SERVER, **fields)}


def record(**fields):
    return {"record": dataclasses.replace(RECORD, **fields)}


def service(**fields):
    return {"service": dataclasses.replace(SERVICE, **fields)}


def guest(state):
    return {"diagnostics": Diagnostics(state, "libvirt", 1)}


def found(**fields):
    return weigh(dataclasses.replace(LATE_ERROR, **fields), NOW)


def failed(weighed):
    return {check.code for check in weighed.checks if not check.passed}


def test_an_abort_that_turned_to_error_while_the_guest_runs_on():
    weighed = found()
    assert weighed.complete
    assert tuple(check.code for check in weighed.checks) == evidence.CODES
    assert failed(weighed) == set()
    assert weighed.by_hand == ()
    assert weighed.read_at == NOW
    assert "cmp1 has just confirmed that the guest runs there" in english(weighed.meaning)


@pytest.mark.parametrize(
    "fields",
    [
        {"aborted_by_us": False},
        {"was_cancelled": False},
        {"aborted_by_us": False, "was_cancelled": False, **record(status="cancelled")},
        record(status="cancelled"),
        service(status="enabled"),
        {"initial_status": "PAUSED"},
        {"initial_status": "PAUSED", **guest("paused")},
        {"newer_migrations": (RECORD, dataclasses.replace(RECORD, id=6, status="running"))},
        {"read_at": NOW - timedelta(seconds=20)},
    ],
    ids=[
        "somebody else's abort",
        "ours, that was not seen as cancelled",
        "cancelled still",
        "ours, cancelled still",
        "enabled",
        "paused before, runs",
        "paused before and now",
        "older migrations",
        "a moment ago",
    ],
)
def test_what_else_is_complete(fields):
    assert found(**fields).complete


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"server": None}, {"server_in_error", "at_source", "migration_over"}),
        (server(status="ACTIVE"), {"server_in_error"}),
        (server(status="UNKNOWN"), {"server_in_error"}),
        (server(status=""), {"server_in_error"}),
        (server(task_state="migrating"), {"server_in_error"}),
        (server(host="cmp2"), {"at_source"}),
        (server(host="CMP1"), {"at_source"}),
        (server(host=""), {"at_source"}),
        (server(id="s2"), {"migration_over"}),
        ({"source": ""}, {"at_source", "service_up", "migration_over"}),
        ({"service": None}, {"service_up"}),
        (service(state="down"), {"service_up"}),
        (service(forced_down=True), {"service_up"}),
        (service(host="cmp2"), {"service_up"}),
        (service(status="UNKNOWN", id=""), {"service_up"}),
        ({"aborted_by_us": False, "was_cancelled": False}, {"aborted"}),
        ({"record": None}, {"migration_over", "nothing_newer"}),
        (record(migration_type="migration"), {"migration_over"}),
        (record(migration_type="evacuation"), {"migration_over"}),
        (record(source_compute="cmp3"), {"migration_over"}),
        ({"newer_migrations": (dataclasses.replace(RECORD, id=8),)}, {"nothing_newer"}),
        ({"diagnostics": None}, {"guest_runs"}),
        (guest("shutdown"), {"guest_runs"}),
        (guest("paused"), {"guest_runs"}),
        (guest("pending"), {"guest_runs"}),
        (guest("crashed"), {"guest_runs"}),
        (guest("suspended"), {"guest_runs"}),
        (guest(""), {"guest_runs"}),
        ({"initial_status": "PAUSED", **guest("shutdown")}, {"guest_runs"}),
        ({"read_at": NOW - timedelta(seconds=31)}, {"guest_runs"}),
        ({"read_at": NOW + timedelta(seconds=31)}, {"guest_runs"}),
    ],
)
def test_every_reason_for_which_it_is_not(fields, expected):
    weighed = found(**fields)
    assert failed(weighed) == expected
    assert not weighed.complete


@pytest.mark.parametrize("status", ["", "running", "queued", *sorted(NOVA_STATUS_OVER)])
def test_an_abort_leaves_a_record_that_is_cancelled_or_error(status):
    assert found(**record(status=status)).complete == (status in ("cancelled", "error"))


def test_what_nova_said_is_told():
    weighed = found(diagnostics=None, diagnostics_error=text("Could not read it (HTTP 409)"))
    [check] = [c for c in weighed.checks if c.code == "guest_runs"]
    assert check.details == (text("Could not read it (HTTP 409)"),)


def test_what_was_migrated_since_is_named():
    newer = dataclasses.replace(RECORD, id=9, status="running", dest_compute="cmp5")
    weighed = found(newer_migrations=(newer, RECORD))
    [check] = [c for c in weighed.checks if c.code == "nothing_newer"]
    assert [english(line) for line in check.details] == [
        "migration 9 (live-migration, running) from cmp1 to cmp5"
    ]


def test_where_it_is_not_known_both_hosts_are_to_be_looked_at():
    weighed = found(diagnostics=None)
    everything = " ".join(map(english, weighed.by_hand))
    for words in ("cmp1", "cmp2", "virsh list", "s1", "second copy", "newest disk"):
        assert words in everything
    assert "PAUSED" not in everything
    assert "cmp2" in english(weighed.meaning)
    paused = found(diagnostics=None, initial_status="PAUSED")
    assert "PAUSED" in " ".join(map(english, paused.by_hand))
    assert found(**record(dest_compute=""), diagnostics=None).by_hand


@pytest.mark.parametrize("fields", [{"server": None}, server(status="ACTIVE")])
def test_what_is_not_in_error_needs_no_repair(fields):
    weighed = found(**fields)
    assert "nothing to reset" in english(weighed.meaning)
    assert weighed.by_hand == ()

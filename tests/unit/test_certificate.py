"""May the host be switched off: every reason for which each check must say no."""

import dataclasses
import json
from datetime import datetime

import pytest

from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.facts import (
    NOVA_STATUS_OVER,
    Allocation,
    Hypervisor,
    Migration,
    Server,
    Service,
)
from ukcloud_maintenance.core.host import certificate
from ukcloud_maintenance.core.host import returning as hosts
from ukcloud_maintenance.core.host.certificate import (
    Check,
    HostObservation,
    as_json,
    certify,
    from_json,
)
from ukcloud_maintenance.core.message import holds, message, text
from ukcloud_maintenance.messages import english

HOST = "cmp1"
SERVICE = Service("service-1", HOST, "az1", "up", "disabled", "new memory")
#: What Nova tells of a service whose cell is down (2.69).
CELL_DOWN = Service("", HOST, "", "", "UNKNOWN")
NODE = Hypervisor("node-1", "cmp1.example", HOST)


def changed(**fields) -> Service:
    return dataclasses.replace(SERVICE, **fields)


def server(number=1, host=HOST, status="ACTIVE") -> Server:
    return Server(f"s{number}", f"web-{number}", host, status, status.lower(), None)


def record(status, number=1, source=HOST, dest="cmp2", kind="live-migration") -> Migration:
    return Migration(number, f"uuid-{number}", f"s{number}", status, kind, source, dest)


EMPTY = HostObservation(HOST, SERVICE, SERVICE, (), (), {}, (NODE,), ())


def sight(**fields) -> HostObservation:
    return dataclasses.replace(EMPTY, **fields)


def failed(found: HostObservation) -> set[str]:
    return {check.code for check in certify(found) if not check.passed}


def check(found: HostObservation, code: str) -> Check:
    return next(c for c in certify(found) if c.code == code)


def details(found: HostObservation, code: str) -> tuple[str, ...]:
    """What is said of each thing in a check."""
    return tuple(map(english, check(found, code).details))


def test_an_empty_host_is_safe():
    checks = certify(EMPTY)
    assert tuple(c.code for c in checks) == certificate.CODES
    assert all(c.passed and english(c.found) and not c.details for c in checks)
    assert certificate.is_safe(checks)


SERVICE_CHECKS = {"service_disabled", "service_up", "cell_answered"}
LISTS = {"no_servers", "no_migrations", "no_resizes"}
UNTOLD = {"cell_answered", *LISTS}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (None, SERVICE_CHECKS | LISTS),
        (changed(host="CMP1"), SERVICE_CHECKS | LISTS),
        (changed(status="enabled"), {"service_disabled"}),
        (changed(id="another"), {"service_disabled"}),
        (changed(state="down"), {"service_up"}),
        (changed(forced_down=True), {"service_up"}),
        (changed(state=""), {"service_up"}),
        (CELL_DOWN, {"service_disabled", "service_up"} | UNTOLD),
        (changed(status="UNKNOWN"), {"service_disabled"} | UNTOLD),
        (changed(status=""), {"service_disabled"} | UNTOLD),
    ],
    ids=[
        "none",
        "of another spelling",
        "enabled",
        "replaced",
        "down",
        "forced down",
        "of no state",
        "cell down",
        "unknown",
        "without a status",
    ],
)
def test_the_service_is_well_at_both_times(when, service, expected):
    found = sight(**{when: service})
    assert failed(found) == expected
    assert not certificate.is_safe(certify(found))


def test_a_service_that_is_enabled_throughout():
    enabled = changed(status="enabled")
    assert failed(sight(before=enabled, after=enabled)) == {"service_disabled"}


def test_a_cell_that_is_down_throughout_makes_every_list_worthless():
    """The lists are empty then, and Nova answered 200."""
    found = sight(before=CELL_DOWN, after=CELL_DOWN, hypervisors=())
    assert failed(found) == set(certificate.CODES)


@pytest.mark.parametrize("status", ["ACTIVE", "SHUTOFF", "SOFT_DELETED", "ERROR", "VERIFY_RESIZE"])
def test_a_server_in_any_state_is_named(status):
    found = sight(servers=(server(1, status=status),))
    assert failed(found) == {"no_servers"}
    assert details(found, "no_servers") == (f"web-1 (s1), {status}",)


def test_ten_are_named_and_the_rest_is_counted():
    found = check(sight(servers=[server(n) for n in range(13)]), "no_servers")
    assert english(found.found) == "13 instances are on this host."
    assert len(found.details) == 11
    assert english(found.details[-1]) == "and 3 more"
    found = check(sight(servers=[server(n) for n in range(10)]), "no_servers")
    assert len(found.details) == 10
    assert "more" not in english(found.details[-1])


UNDER_WAY = [
    "accepted",
    "queued",
    "preparing",
    "running",
    "running (post-copy)",
    "post-migrating",
    "pre-migrating",
    "migrating",
    "something new",
    "",
]


@pytest.mark.parametrize("status", UNDER_WAY)
@pytest.mark.parametrize(("source", "dest"), [(HOST, "cmp2"), ("cmp2", HOST), (HOST, "")])
@pytest.mark.parametrize("kind", ["live-migration", "migration", "resize", "evacuation"])
def test_a_migration_under_way_holds_the_host(status, source, dest, kind):
    moving = server(1, source)
    found = sight(
        migrations=(record(status, source=source, dest=dest, kind=kind),),
        servers_of_migrations={"s1": moving},
    )
    assert failed(found) == {"no_migrations"}
    [line] = details(found, "no_migrations")
    for word in ("migration 1 ", kind, status, f"from {source}", f"to {dest}", "web-1 (s1)"):
        assert word in line


@pytest.mark.parametrize("status", ["finished", "confirming", "reverting"])
@pytest.mark.parametrize(("source", "dest"), [(HOST, "cmp2"), ("cmp2", HOST), (HOST, HOST)])
@pytest.mark.parametrize("kind", ["migration", "resize"])
def test_an_unconfirmed_resize_holds_the_host(status, source, dest, kind):
    found = sight(
        migrations=(record(status, source=source, dest=dest, kind=kind),),
        servers_of_migrations={"s1": server(1, dest, "VERIFY_RESIZE")},
    )
    assert failed(found) == {"no_resizes"}
    [line] = details(found, "no_resizes")
    assert f"VERIFY_RESIZE on {dest}" in line


@pytest.mark.parametrize("status", sorted(NOVA_STATUS_OVER))
@pytest.mark.parametrize("kind", ["live-migration", "migration", "resize", "evacuation"])
def test_what_is_over_holds_nothing(status, kind):
    """An evacuation stays `done` until the host that it left starts again."""
    assert failed(sight(migrations=(record(status, kind=kind),))) == set()


@pytest.mark.parametrize(
    ("status", "code"), [("running", "no_migrations"), ("finished", "no_resizes")]
)
class TestRecordsLeftBehind:
    def test_of_a_server_that_is_gone_holds_nothing_and_is_named(self, status, code):
        found = sight(migrations=(record(status),), servers_of_migrations={"s1": None})
        assert failed(found) == set()
        [line] = details(found, code)
        assert "migration 1 " in line
        assert "s1, which no longer exists" in line

    def test_of_a_server_that_could_not_be_read_holds(self, status, code):
        found = sight(migrations=(record(status),), servers_of_migrations={}, names={"s1": "db"})
        assert failed(found) == {code}
        assert "db (s1), which could not be read" in details(found, code)[0]

    def test_of_no_server_holds(self, status, code):
        nobody = dataclasses.replace(record(status), server_id="")
        found = sight(migrations=(nobody,), servers_of_migrations={"": None})
        assert failed(found) == {code}
        assert "without a server" in details(found, code)[0]

    def test_beside_one_that_holds_is_not_what_is_named(self, status, code):
        found = sight(
            migrations=(record(status, 1), record(status, 2)),
            servers_of_migrations={"s1": None, "s2": server(2)},
        )
        assert failed(found) == {code}
        [line] = details(found, code)
        assert "migration 2 " in line


def test_an_allocation_of_a_server_is_named():
    held = Allocation("s1", "node-1", {"VCPU": 2, "MEMORY_MB": 512})
    found = sight(allocations=(held,), names={"s1": "web-1"})
    assert failed(found) == {"no_allocations"}
    assert details(found, "no_allocations") == ("server web-1 (s1): MEMORY_MB 512, VCPU 2",)


def test_an_allocation_of_a_migration_is_named_even_if_it_is_over():
    held = Allocation("uuid-7", "node-1", {"VCPU": 1})
    found = sight(allocations=(held,), migrations=(record("error", 7),), names={"s7": "db"})
    assert failed(found) == {"no_allocations"}
    assert details(found, "no_allocations") == (
        "migration 7 (live-migration, error) of server db (s7): VCPU 1",
    )


def test_an_allocation_of_nobody_known_holds_the_host():
    migrations = (dataclasses.replace(record("completed"), uuid=""),)
    for consumer in ("who-knows", ""):
        found = sight(allocations=(Allocation(consumer, "gpu", {}),), migrations=migrations)
        assert failed(found) == {"no_allocations"}
        assert "neither a known server" in details(found, "no_allocations")[0]


@pytest.mark.parametrize("words", ["Could not read: no answer", ""])
def test_a_placement_that_could_not_be_read(words):
    found = sight(allocations=text(words))
    assert failed(found) == {"no_allocations"}
    assert check(found, "no_allocations").details == ((text(words),) if words else ())


@pytest.mark.parametrize(
    "hypervisors",
    [
        (),
        (Hypervisor("node-9", "cmp1.example", "cmp10"),),
        (Hypervisor("", "", HOST),),
        (NODE, Hypervisor("", "second", HOST)),
    ],
    ids=["none", "another host's", "a sum", "one of two has no id"],
)
def test_no_allocations_of_a_provider_that_is_not_known_prove_nothing(hypervisors):
    assert failed(sight(hypervisors=hypervisors)) == {"no_allocations"}


def test_several_nodes_are_one_host():
    assert failed(sight(hypervisors=(NODE, Hypervisor("node-2", "second", HOST)))) == set()


def test_safe_means_that_every_check_was_made():
    checks = certify(EMPTY)
    assert not certificate.is_safe(())
    for missing in checks:
        assert not certificate.is_safe(c for c in checks if c is not missing)


def test_checks_are_stored_and_read_again():
    checks = certify(sight(servers=(server(),), allocations=text("no answer")))
    assert from_json(json.loads(json.dumps(as_json(checks)))) == checks
    assert from_json([]) == ()


def test_checks_of_earlier_releases_are_read_with_their_words():
    """They were stored as texts."""
    held = {"code": "no_servers", "passed": False, "text": "1 instance.", "details": ["vm, ACTIVE"]}
    bare = {"code": "service_up", "passed": True}
    assert from_json([held, bare]) == (
        Check("no_servers", False, text("1 instance."), (text("vm, ACTIVE"),)),
        Check("service_up", True, text("")),
    )


@pytest.mark.parametrize(
    "stored",
    [None, {}, "x", [None], [{}], [{"code": "no_servers"}], [{"code": "x", "passed": "yes"}]],
)
def test_what_is_no_stored_check_is_not_read_as_one(stored):
    with pytest.raises(ValueError, match="stored check"):
        from_json(stored)


@pytest.mark.parametrize("last_safe", [None, datetime(2026, 3, 1, 12, tzinfo=UTC)])
def test_a_host_that_was_switched_off_is_told_calmly_until_something_else_fails(last_safe):
    down = changed(state="down")
    checks = certify(sight(before=down, after=down))
    why = hosts.why_withdrawn(checks, down, last_safe)
    assert holds(why, *hosts.SWITCHED_OFF)
    assert hosts.why_not_safe(checks, why) == why
    worse = certify(sight(before=down, after=down, servers=(server(),)))
    assert holds(hosts.why_not_safe(worse, why), "service_not_up", "servers_here")
    assert not holds(hosts.why_not_safe(worse, why), *hosts.SWITCHED_OFF)
    forced = changed(forced_down=True)
    checks = certify(sight(before=forced, after=forced))
    assert hosts.why_withdrawn(checks, forced, last_safe) == message("service_forced_down")


# -- a service that is gone --------------------------------------------------------------------


def test_a_service_that_was_deleted_is_one_sentence_and_not_six():
    checks = certify(sight(before=None, after=None, hypervisors=(), service_id="service-1"))
    assert {c.code for c in checks if not c.passed} == set(certificate.CODES)
    [one] = certificate.worth_saying(checks)
    assert "Nova has no compute service of host cmp1: it was deleted or renamed" in english(
        one.found
    )
    assert "host_return cmp1 --leave" in english(one.found)
    assert hosts.standing_against(checks) == one.found


def test_a_service_that_was_renamed_is_recognised_by_its_hypervisor():
    renamed = dataclasses.replace(NODE, host="cmp1-new")
    [one] = certificate.worth_saying(
        certify(sight(before=None, after=None, hypervisors=(), same_machine=renamed))
    )
    assert "cmp1.example now belongs to the service of host cmp1-new" in english(one.found)


@pytest.mark.parametrize(
    ("others", "found"),
    [
        ([Hypervisor("node-1", "other.name", "new")], "new"),  # the same provider of Placement
        ([Hypervisor("node-2", "cmp1.example", "new")], "new"),  # of the same name
        ([Hypervisor("node-2", "cmp10.example", "cmp10")], None),
        ([Hypervisor("node-2", "cmp1.example", "cmp1")], None),  # its own
        ([Hypervisor("node-2", "cmp1.example", "metal", "ironic")], None),
    ],
)
def test_the_same_machine_is_known_by_provider_or_name(others, found):
    one = hosts.same_machine(HOST, [NODE, *others])
    assert (one and one.host) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [("cmp1", "new"), ("cmp1.example", "new"), ("cmp10", None), ("cmp1-b", None)],
)
def test_where_the_host_has_no_hypervisor_any_more_it_is_known_by_the_machines_name(name, found):
    one = hosts.same_machine(HOST, [Hypervisor("node-2", name, "new")])
    assert (one and one.host) == found


@pytest.mark.parametrize(("status", "passed"), [("disabled", True), ("enabled", False)])
def test_a_service_that_was_registered_anew_is_told(status, passed):
    anew = changed(id="service-2", status=status)
    one = check(sight(before=anew, after=anew, service_id="service-1"), "service_disabled")
    assert one.passed is passed
    assert one.details == (message("registered_anew", service="service-2", before="service-1"),)
    same = check(sight(service_id="service-1"), "service_disabled")
    assert same.details == ()


# -- what is left behind, and its cure ---------------------------------------------------------


@pytest.mark.parametrize("side", [{"source": HOST}, {"source": "cmp2", "dest": HOST}])
def test_a_record_that_nothing_is_done_for_is_named_with_its_remedy(side):
    """Left `queued` by a nova-compute that was killed: it stands against the destination too."""
    stale = record("queued", **side)
    found = sight(migrations=(stale,), servers_of_migrations={"s1": server(host="cmp3")})
    [line] = details(found, "no_migrations")
    assert "UPDATE migrations SET status = 'error' WHERE id = 1 AND status = 'queued'" in line
    busy = dataclasses.replace(server(host="cmp3"), task_state="migrating")
    found = sight(migrations=(stale,), servers_of_migrations={"s1": busy})
    [line] = details(found, "no_migrations")
    assert "UPDATE" not in line


def held_by(consumer: str, **more) -> str:
    allocation = Allocation(consumer, "node-1", {"VCPU": 2})
    return details(sight(allocations=(allocation,), **more), "no_allocations")[0]


def test_an_allocation_left_behind_names_the_servers_real_host_and_the_cure():
    there = {"elsewhere": {"s7": server(7, host="cmp3")}, "names": {"s7": "web-7"}}
    line = held_by("uuid-7", migrations=(record("error", 7),), **there)
    assert line.startswith("migration 7 (live-migration, error) of server web-7 (s7): VCPU 2")
    assert "the server is ACTIVE on cmp3" in line
    assert "host_allocations cmp1 --remove uuid-7" in line
    in_progress = held_by("uuid-7", migrations=(record("running", 7),), **there)
    assert "--remove" not in in_progress
    gone = held_by("uuid-7", migrations=(record("error", 7),), elsewhere={"s7": None})
    assert "no longer exists" in gone
    own = held_by("s7", **there)
    assert own.startswith("server web-7 (s7): VCPU 2; the server is ACTIVE on cmp3")
    assert "heal_allocations" in own

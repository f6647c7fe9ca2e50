"""Which allocation is proved to hold nothing, and what each single doubt does to that."""

from dataclasses import replace

import pytest

from ukcloud_maintenance.core.facts import NOVA_STATUS_OVER, Allocation, Consumer, Migration, Server
from ukcloud_maintenance.core.host import orphans
from ukcloud_maintenance.core.host.orphans import OrphanSight, weigh

HERE = Allocation("u7", "p1", {"VCPU": 1, "MEMORY_MB": 512})
RECORD = Migration(7, "u7", "s1", "error", "live-migration", "cmp1", "cmp2")
SERVER = Server("s1", "web", "cmp2", "ACTIVE", "active", None)
LEFT_BEHIND = OrphanSight(
    host="cmp1",
    providers=frozenset({"p1", "p1-gpu"}),
    record=RECORD,
    server=SERVER,
    server_providers=frozenset({"p2"}),
    own=Consumer("s1", allocations=(Allocation("s1", "p2", {"VCPU": 1}),)),
    migrations=(RECORD,),
    consumer=Consumer("u7", "p", "u", 3, (HERE,)),
)


def failed(**fields):
    found = weigh(replace(LEFT_BEHIND, **fields))
    assert found.removable is all(check.passed for check in found.checks)
    assert bool(found.command) is found.removable
    return {check.code for check in found.checks if not check.passed}


def test_what_a_killed_compute_left_behind_can_be_removed():
    assert failed() == set()
    assert tuple(c.code for c in weigh(LEFT_BEHIND).checks) == orphans.CODES


@pytest.mark.parametrize("status", sorted(NOVA_STATUS_OVER))
def test_a_migration_that_is_over_holds_nothing_however_it_ended(status):
    assert failed(record=replace(RECORD, status=status)) == set()


DOUBTS = {
    "nothing is held here": ({"consumer": Consumer("u7")}, {"held_here"}),
    "no record": (
        {"record": None, "server": None, "own": None, "migrations": ()},
        {"migration_over", "server_elsewhere", "own_claim", "nothing_under_way"},
    ),
    "another record": ({"record": replace(RECORD, uuid="u8")}, {"migration_over"}),
    "queued": ({"record": replace(RECORD, status="queued")}, {"migration_over"}),
    "not confirmed": ({"record": replace(RECORD, status="finished")}, {"migration_over"}),
    "an evacuation": (
        {"record": replace(RECORD, migration_type="evacuation")},
        {"migration_over"},
    ),
    "the guest is here": (
        {"server": replace(SERVER, host="cmp1"), "server_providers": frozenset()},
        {"server_elsewhere", "own_claim"},
    ),
    "on no host": (
        {"server": replace(SERVER, host=""), "server_providers": frozenset()},
        {"server_elsewhere", "own_claim"},
    ),
    "busy": ({"server": replace(SERVER, task_state="migrating")}, {"server_elsewhere"}),
    "in error": ({"server": replace(SERVER, status="ERROR")}, {"server_elsewhere"}),
    "a resize": ({"server": replace(SERVER, status="VERIFY_RESIZE")}, {"server_elsewhere"}),
    "it is all that accounts for the guest": ({"own": Consumer("s1")}, {"own_claim"}),
    "its claim is here too": (
        {
            "own": Consumer(
                "s1",
                allocations=(Allocation("s1", "p2", {"VCPU": 1}), Allocation("s1", "p1-gpu", {})),
            )
        },
        {"own_claim"},
    ),
    "a newer migration": (
        {"migrations": (replace(RECORD, id=8, uuid="u8", status="running"), RECORD)},
        {"nothing_under_way"},
    ),
    "an unconfirmed resize": (
        {"migrations": (replace(RECORD, id=8, status="finished"), RECORD)},
        {"nothing_under_way"},
    ),
    "deleted, and yet it holds something": ({"server": None}, {"own_claim"}),
}


@pytest.mark.parametrize(("fields", "doubts"), DOUBTS.values(), ids=DOUBTS)
def test_every_doubt_keeps_it(fields, doubts):
    assert failed(**fields) == doubts


def test_that_of_a_server_that_was_deleted_holds_nothing():
    assert failed(server=None, own=Consumer("s1")) == set()


def test_the_command_removes_exactly_that():
    assert weigh(LEFT_BEHIND).command == "openstack resource provider allocation delete u7"
    elsewhere = Allocation("u7", "p9", {"VCPU": 1})
    both = replace(LEFT_BEHIND, consumer=Consumer("u7", "p", "u", 3, (HERE, elsewhere)))
    found = weigh(both)
    assert found.here == (HERE,)
    assert "allocation unset --provider p1 u7" in found.command
    left = orphans.kept(both.consumer, {"p1"})
    assert left == Consumer("u7", "p", "u", 3, (elsewhere,))

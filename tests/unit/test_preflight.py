"""What will happen to an instance in a drain, by its status and its task."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import server
from ukcloud_maintenance.core.preflight import Kind, judge
from ukcloud_maintenance.core.states import MIGRATION_WAITING, Method, MigrationState

STAYS = {
    "SHUTOFF": "Start it",
    "SUSPENDED": "Resume it",
    "RESCUE": "Unrescue it",
    "ERROR": "fault",
    "VERIFY_RESIZE": "Confirm or revert",
    "SHELVED": "unshelve",
    "SOFT_DELETED": "restore",
}
#: nova/api/openstack/common.py: every status that an admin can see
STATUSES = [
    *STAYS,
    *["ACTIVE", "PAUSED", "BUILD", "DELETED", "HARD_REBOOT", "MIGRATING", "PASSWORD", "REBOOT"],
    *["REBUILD", "RESIZE", "REVERT_RESIZE", "SHELVED_OFFLOADED", "UNKNOWN"],
]


@pytest.mark.parametrize("status", ["ACTIVE", "PAUSED"])
def test_is_live_migrated(status):
    verdict = judge(server("a", status=status))
    assert verdict.kind is Kind.LIVE
    assert (verdict.state, verdict.method) == (MigrationState.PENDING, Method.LIVE)
    assert verdict.message == ""


def test_a_locked_one_is_live_migrated_too():
    """An admin may migrate a locked server."""
    assert judge(server("a", locked=True, locked_reason="mine")).kind is Kind.LIVE


@pytest.mark.parametrize(("status", "remedy"), STAYS.items())
def test_stays_with_a_reason_and_a_remedy(status, remedy):
    verdict = judge(server("a", status=status, vm_state="whatever"))
    assert verdict.kind is Kind.STAYS
    assert (verdict.state, verdict.method) == (MigrationState.STAYS, Method.NONE)
    assert verdict.code == f"status_{status.lower()}"
    assert verdict.reason.endswith(".")
    assert remedy in verdict.remedy


@pytest.mark.parametrize("task", ["migrating", "rebooting", "image_snapshot", "deleting"])
@pytest.mark.parametrize("status", ["ACTIVE", "PAUSED", "SHUTOFF", "ERROR"])
def test_a_task_blocks_whatever_the_status(status, task):
    verdict = judge(server("a", status=status, task_state=task))
    assert verdict.kind is Kind.BLOCKED
    assert verdict.state in MIGRATION_WAITING
    assert task in verdict.reason


@pytest.mark.parametrize(
    "facts",
    [
        {"status": "BUILD", "vm_state": "building", "task_state": "spawning"},
        {"status": "BUILD", "vm_state": "building", "task_state": None},
        {"status": "ACTIVE", "vm_state": "building"},
    ],
)
def test_one_that_is_being_built_is_looked_at_again(facts):
    verdict = judge(server("a", **facts))
    assert (verdict.kind, verdict.code) == (Kind.BLOCKED, "building")


@given(
    status=st.sampled_from(STATUSES) | st.text(min_size=1, max_size=12),
    task=st.none() | st.sampled_from(["migrating", "rebooting", "spawning"]),
)
def test_every_instance_gets_a_verdict_and_none_moves_by_mistake(status, task):
    verdict = judge(server("a", status=status, task_state=task))
    assert (verdict.kind is Kind.LIVE) == (status in ("ACTIVE", "PAUSED") and task is None)
    if verdict.kind is not Kind.LIVE:
        assert verdict.code
        assert verdict.reason
    assert len(verdict.code) <= 64  # the column of the database

"""The filters: one table of what an instance and its surroundings are like, and what is said.

A row is (facts of the server, what is chosen, surroundings, kind, code, cautions). What Nova itself
answers to the ones that it can be brought to is in tests/preflight.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import GIB, server
from ukcloud_maintenance.core.facts import Aggregate, Capacity, ServerGroup
from ukcloud_maintenance.core.preflight import bindings, surroundings
from ukcloud_maintenance.core.preflight import judge as preflight
from ukcloud_maintenance.core.preflight.judge import group_of, judge
from ukcloud_maintenance.core.preflight.needs import needs_of
from ukcloud_maintenance.core.preflight.verdicts import (
    Choice,
    Chosen,
    Kind,
    OptOutNames,
    PlacementContext,
)
from ukcloud_maintenance.core.states import MIGRATION_WAITING, Method, MigrationState
from ukcloud_maintenance.messages import english, english_remedy

LIVE, COLD, CONFIRM, STAYS, BLOCKED = Kind.LIVE, Kind.COLD, Kind.CONFIRM, Kind.STAYS, Kind.BLOCKED
ME = server("web")
OFF = {"status": "SHUTOFF", "vm_state": "stopped", "power_state": 4}
STAY_NAME, LIVE_NAME, COLD_NAME = (
    "maintenance:stay",
    "maintenance:live_migrate",
    "maintenance:cold_migrate",
)


def specs(**extra_specs: str) -> dict:
    return {"extra_specs": {k.replace("__", ":"): v for k, v in extra_specs.items()}}


def chosen(choice: Choice, **more) -> Chosen:
    return Chosen(choice=choice, **more)


def roomy(*traits: str, memory: int = 9999) -> Capacity:
    return Capacity({"MEMORY_MB": memory, "VCPU": 8}, {}, frozenset(traits))


def hosts(**more) -> PlacementContext:
    """Two hosts with room in az1, one in az2."""
    given = {
        "receivers": {"h1": "az1", "h2": "az1", "h3": "az2"},
        "capacity": {"h1": roomy(), "h2": roomy(), "h3": roomy("CUSTOM_FAST")},
        "aggregates": (
            Aggregate("az1", "az1", ("cmp1", "h1", "h2")),
            Aggregate("a", "az2", ("h3",)),
        ),
        "groups": (),
    }
    return PlacementContext(**{**given, **more})


def grouped(
    policy: str, members: dict[str, str], most: int = 1, leaving=(), **more
) -> PlacementContext:
    """The server under test and others, by host, in a group."""
    ids = {server(name).id: host for name, host in members.items()}
    found = ServerGroup("g1", "ring", policy, (ME.id, *ids), most)
    return hosts(
        groups=(found,),
        whereabouts={ME.id: "cmp1"} | {m: h for m, h in ids.items() if h},
        leaving=frozenset({ME.id, *(server(n).id for n in leaving)}),
        **more,
    )


def kept(**metadata: str) -> PlacementContext:
    """Every host is kept for others by an aggregate."""
    found = Aggregate(
        "kept", "", ("h1", "h2", "h3"), {k.replace("__", ":"): v for k, v in metadata.items()}
    )
    return hosts(aggregates=(found,))


NO, ALONE = Chosen(), None
TABLE = {
    # status
    "active": ({}, NO, ALONE, LIVE, "", ()),
    "paused": ({"status": "PAUSED"}, NO, ALONE, LIVE, "", ("paused",)),
    "shut off": (OFF, NO, ALONE, COLD, "", ()),
    "suspended": ({"status": "SUSPENDED"}, NO, ALONE, STAYS, "status_suspended", ()),
    "shelved": ({"status": "SHELVED"}, NO, ALONE, STAYS, "status_shelved", ()),
    "soft deleted": ({"status": "SOFT_DELETED"}, NO, ALONE, STAYS, "status_soft_deleted", ()),
    "rescue": ({"status": "RESCUE"}, NO, ALONE, BLOCKED, "status_rescue", ()),
    "error": ({"status": "ERROR"}, NO, ALONE, BLOCKED, "status_error", ()),
    "error, but the guest runs": (
        {"status": "ERROR", "power_state": 1}, NO, ALONE, BLOCKED, "status_error_guest_runs", (),
    ),
    "verify resize": (
        {"status": "VERIFY_RESIZE"}, NO, ALONE, BLOCKED, "status_verify_resize", (),
    ),
    "verify resize, to be confirmed": (
        {"status": "VERIFY_RESIZE"}, chosen(Choice.CONFIRM), ALONE,
        CONFIRM, "status_verify_resize", ("confirm_is_final",),
    ),
    "verify resize cannot be forced": (
        {"status": "VERIFY_RESIZE"}, chosen(Choice.COLD), ALONE,
        BLOCKED, "status_verify_resize", (),
    ),
    "build": ({"status": "BUILD", "vm_state": "building"}, NO, ALONE, BLOCKED, "building", ()),
    "build, with its task": (
        {"status": "BUILD", "task_state": "spawning"}, NO, ALONE, BLOCKED, "building", (),
    ),
    "unheard of": ({"status": "ODD"}, NO, ALONE, BLOCKED, "status_odd", ()),
    "a task": ({"task_state": "rebooting"}, NO, ALONE, BLOCKED, "task_under_way", ()),
    "a task, shut off": ({**OFF, "task_state": "x"}, NO, ALONE, BLOCKED, "task_under_way", ()),
    "active, but the guest is off": ({"power_state": 4}, NO, ALONE, BLOCKED, "guest_off", ()),
    "active, guest crashed": ({"power_state": 6}, NO, ALONE, BLOCKED, "guest_off", ()),
    "shut off, but the guest runs": (
        {**OFF, "power_state": 1}, NO, ALONE, BLOCKED, "guest_on", (),
    ),
    "guest off goes cold": (
        {"power_state": 4}, chosen(Choice.COLD), ALONE, COLD, "", ("downtime",),
    ),
    # the admin's choice
    "chosen to stay": ({}, chosen(Choice.STAY), ALONE, STAYS, "chosen", ()),
    "chosen to stay, in error": (
        {"status": "ERROR"}, chosen(Choice.STAY), ALONE, STAYS, "chosen", (),
    ),
    "chosen cold": ({}, chosen(Choice.COLD), ALONE, COLD, "", ("downtime",)),
    "chosen cold, paused": (
        {"status": "PAUSED"}, chosen(Choice.COLD), ALONE, BLOCKED, "cold_while_paused", (),
    ),
    "chosen live, shut off": (
        OFF, chosen(Choice.LIVE), ALONE, COLD, "", ("choice_without_effect",),
    ),
    "nothing to confirm": (
        {}, chosen(Choice.CONFIRM), ALONE, LIVE, "", ("choice_without_effect",),
    ),
    # locks
    "locked": ({"locked": True}, NO, ALONE, LIVE, "", ("locked",)),
    "locked, left alone": ({"locked": True}, Chosen(move_locked=False), ALONE, STAYS, "locked", ()),
    "locked, but chosen": (
        {"locked": True}, chosen(Choice.LIVE, move_locked=False), ALONE, LIVE, "", ("locked",),
    ),
    # the owner's word
    "tag stay": ({"tags": (STAY_NAME,)}, NO, ALONE, STAYS, "owner_stay", ()),
    "metadata stay": ({"metadata": {STAY_NAME: "True"}}, NO, ALONE, STAYS, "owner_stay", ()),
    "stay=false": ({"metadata": {STAY_NAME: "no"}}, NO, ALONE, LIVE, "", ()),
    "stay=please": ({"metadata": {STAY_NAME: "please"}}, NO, ALONE, STAYS, "owner_stay", ()),
    "stay, overruled": (
        {"tags": (STAY_NAME,)}, chosen(Choice.LIVE), ALONE, LIVE, "", ("owner_overruled",),
    ),
    "not live": ({"metadata": {LIVE_NAME: "false"}}, NO, ALONE, STAYS, "owner_no_live", ()),
    "not live, by tag": ({"tags": (f"{LIVE_NAME}=false",)}, NO, ALONE, STAYS, "owner_no_live", ()),
    "not live, nonsense": ({"metadata": {LIVE_NAME: "?"}}, NO, ALONE, STAYS, "owner_no_live", ()),
    "not live, overruled": (
        {"metadata": {LIVE_NAME: "false"}}, chosen(Choice.LIVE), ALONE,
        LIVE, "", ("owner_overruled",),
    ),
    "not live, goes cold": (
        {"metadata": {LIVE_NAME: "false"}}, chosen(Choice.COLD), ALONE, COLD, "", ("downtime",),
    ),
    "live agreed": ({"tags": (LIVE_NAME,)}, NO, ALONE, LIVE, "", ()),
    "cold agreed stops nobody": ({"tags": (COLD_NAME,)}, NO, ALONE, LIVE, "", ()),
    "not cold": (OFF | {"metadata": {COLD_NAME: "0"}}, NO, ALONE, STAYS, "owner_no_cold", ()),
    "not cold, overruled": (
        OFF | {"metadata": {COLD_NAME: "0"}}, chosen(Choice.COLD), ALONE,
        COLD, "", ("owner_overruled",),
    ),
    "not cold, does not matter": ({"metadata": {COLD_NAME: "0"}}, NO, ALONE, LIVE, "", ()),
    "two words: the no counts": (
        {"tags": (LIVE_NAME,), "metadata": {LIVE_NAME: "false"}}, NO, ALONE,
        STAYS, "owner_no_live", (),
    ),
    "another name": (
        {"tags": ("pin",)}, Chosen(opt_out_names=OptOutNames(stay="pin")), ALONE,
        STAYS, "owner_stay", (),
    ),
    "no name": (
        {"tags": ("",)}, Chosen(opt_out_names=OptOutNames("", "", "")), ALONE, LIVE, "", (),
    ),
    # what binds it to its host
    "accelerator": (specs(accel__device_profile="fpga"), NO, ALONE, BLOCKED, "accelerator", ()),
    "accelerator, cold too": (
        OFF | specs(accel__device_profile="fpga"), NO, ALONE, BLOCKED, "accelerator", (),
    ),
    "SEV": (specs(hw__mem_encryption="True"), NO, ALONE, BLOCKED, "memory_encryption", ()),
    "SEV of the image": (
        {"image_properties": {"hw_mem_encryption": "true"}}, NO, ALONE,
        BLOCKED, "memory_encryption", (),
    ),
    "SEV, shut off": (OFF | specs(hw__mem_encryption="True"), NO, ALONE, COLD, "", ()),
    "SEV cannot be forced": (
        specs(hw__mem_encryption="1"), chosen(Choice.LIVE), ALONE, BLOCKED, "memory_encryption", (),
    ),
    "no SEV": (specs(hw__mem_encryption="false"), NO, ALONE, LIVE, "", ()),
    "TPM": (specs(hw__tpm_version="2.0"), NO, ALONE, BLOCKED, "vtpm", ()),
    "TPM, secret of the deployment": (
        specs(hw__tpm_version="2.0", hw__tpm_secret_security="deployment"), NO, ALONE,
        BLOCKED, "vtpm", (),
    ),
    "TPM, secret of the host": (
        specs(hw__tpm_version="2.0", hw__tpm_secret_security="host"), NO, ALONE,
        LIVE, "", ("vtpm",),
    ),
    "TPM, shut off": (OFF | specs(hw__tpm_version="2.0"), NO, ALONE, COLD, "", ()),
    "TPM, stopped for it": (
        specs(hw__tpm_version="2.0"), chosen(Choice.COLD), ALONE,
        COLD, "", ("downtime", "vtpm_secret"),
    ),
    "PCI": (specs(pci_passthrough__alias="gpu:1"), NO, ALONE, BLOCKED, "pci_device", ()),
    "PCI, live all the same": (
        specs(pci_passthrough__alias="gpu:1"), chosen(Choice.LIVE), ALONE,
        LIVE, "", ("pci_device",),
    ),
    "PCI, shut off": (
        OFF | specs(pci_passthrough__alias="gpu:1"), NO, ALONE, COLD, "", ("pci_device",),
    ),
    "vGPU": (specs(resources__VGPU="1"), NO, ALONE, LIVE, "", ("vgpu",)),
    "pinned": (specs(hw__cpu_policy="dedicated"), NO, ALONE, LIVE, "", ("host_shape",)),
    "shared is not pinned": (specs(hw__cpu_policy="shared"), NO, ALONE, LIVE, "", ()),
    "NUMA": (specs(hw__numa_nodes="2"), NO, ALONE, LIVE, "", ("host_shape",)),
    "huge pages": (specs(hw__mem_page_size="large"), NO, ALONE, LIVE, "", ("host_shape",)),
    "real-time scheduling": (specs(hw__cpu_realtime="yes"), NO, ALONE, LIVE, "", ("host_shape",)),
    "persistent memory": (specs(hw__pmem="6GB"), NO, ALONE, LIVE, "", ("host_shape",)),
    "local disk": ({"disk_bytes": 20 * GIB}, NO, ALONE, LIVE, "", ("local_disk",)),
    "boots from a volume": (
        {"disk_bytes": 20 * GIB, "root_disk_bytes": 20 * GIB, "boots_from_volume": True},
        NO, ALONE, LIVE, "", (),
    ),
    "swap beside the volume": (
        {"disk_bytes": 21 * GIB, "root_disk_bytes": 20 * GIB, "boots_from_volume": True},
        NO, ALONE, LIVE, "", ("local_disk",),
    ),
    # where to
    "room": ({}, NO, hosts(), LIVE, "", ()),
    "no host": ({}, NO, hosts(receivers={}), BLOCKED, "no_receiver", ()),
    "no host, cold": (OFF, NO, hosts(receivers={}), BLOCKED, "no_receiver", ()),
    "pinned to its zone": ({"pinned_zone": "az1"}, NO, hosts(), LIVE, "", ()),
    "not pinned": ({"pinned_zone": "", "zone": "az9"}, NO, hosts(), LIVE, "", ()),
    "pin not known": ({"pinned_zone": None, "zone": "az9"}, NO, hosts(), LIVE, "", ()),
    "alone in its zone": (
        {"pinned_zone": "az2"}, NO, hosts(receivers={"h1": "az1"}),
        BLOCKED, "zone_without_host", (),
    ),
    "zone is gone": ({"pinned_zone": "az9"}, NO, hosts(), LIVE, "", ("zone_gone",)),
    "trait": (specs(trait__CUSTOM_FAST="required"), NO, hosts(), LIVE, "", ()),
    "trait that none has": (
        specs(trait__CUSTOM_NEW="required"), NO, hosts(), BLOCKED, "traits", (),
    ),
    "trait in another zone": (
        specs(trait__CUSTOM_FAST="required") | {"pinned_zone": "az1"}, NO, hosts(),
        BLOCKED, "traits", (),
    ),
    "trait that all have": (
        specs(trait__CUSTOM_FAST="forbidden"), NO, hosts(receivers={"h3": "az2"}),
        BLOCKED, "traits", (),
    ),
    "kept for another project": ({}, NO, kept(filter_tenant_id="p2,p3"), LIVE, "", ("aggregate",)),
    "kept for its own project": ({}, NO, kept(filter_tenant_id="p2,p1"), LIVE, "", ()),
    "kept for another flavor": ({}, NO, kept(trait__CUSTOM_A="required"), LIVE, "", ("aggregate",)),
    # groups
    "anti-affinity": ({}, NO, grouped("anti-affinity", {"b": "h1"}), LIVE, "", ()),
    "anti-affinity, all taken": (
        {}, NO, grouped("anti-affinity", {"b": "h1", "c": "h2", "d": "h3"}),
        BLOCKED, "anti_affinity", (),
    ),
    "anti-affinity, two allowed": (
        {}, NO, grouped("anti-affinity", {"b": "h1", "c": "h2", "d": "h3"}, most=2), LIVE, "", (),
    ),
    "anti-affinity, one host for two": (
        {}, NO,
        grouped("anti-affinity", {"b": "h1", "c": "h2", "d": "cmp1"}, leaving=["d"]),
        LIVE, "", ("anti_affinity",),
    ),
    "affinity, others stay": ({}, NO, grouped("affinity", {"b": "cmp1"}), BLOCKED, "affinity", ()),
    "affinity, others leave too": (
        {}, NO, grouped("affinity", {"b": "cmp1"}, leaving=["b"]), BLOCKED, "affinity", (),
    ),
    "affinity, alone": ({}, NO, grouped("affinity", {}), BLOCKED, "affinity", ()),
    "affinity, one is elsewhere": (
        {}, NO, grouped("affinity", {"b": "h2"}), LIVE, "", ("affinity",),
    ),
    "affinity, one is nobody knows where": (
        {}, NO, grouped("affinity", {"b": ""}), LIVE, "", ("affinity",),
    ),
    "soft affinity": (
        {}, NO, grouped("soft-affinity", {"b": "cmp1"}), LIVE, "", ("soft_affinity",),
    ),
    "soft affinity, alone": ({}, NO, grouped("soft-affinity", {"b": "h1"}), LIVE, "", ()),
    "soft anti-affinity": (
        {}, NO, grouped("soft-anti-affinity", {"b": "h1"}), LIVE, "", ("soft_anti_affinity",),
    ),
    "group is gone": ({}, NO, hosts(groups=()), LIVE, "", ()),
    # capacity
    "no room": (
        {"memory_bytes": 64 * GIB}, NO, hosts(), BLOCKED, "no_room", (),
    ),
    "room in another zone": (
        {"pinned_zone": "az1", "memory_bytes": 5 * GIB}, NO,
        hosts(capacity={"h1": roomy(memory=9), "h2": roomy(memory=9), "h3": roomy()}),
        BLOCKED, "no_room", (),
    ),
    "room on a host that its group forbids": (
        {}, NO,
        grouped("anti-affinity", {"b": "h1"}, capacity={"h1": roomy(), "h2": roomy(memory=9)}),
        BLOCKED, "no_room", (),
    ),
    "room, but on no machine that is large enough": (
        {"vcpus": 7}, NO,
        hosts(capacity={h: replace(roomy(), largest={"VCPU": 6}) for h in ("h1", "h2", "h3")}),
        BLOCKED, "no_room", (),
    ),
    "a machine that is large enough": (
        {"vcpus": 7}, NO,
        hosts(capacity={"h1": replace(roomy(), largest={"VCPU": 6}), "h2": roomy()}),
        LIVE, "", (),
    ),
    "no such resource": (specs(resources__CUSTOM_X="1"), NO, hosts(), BLOCKED, "no_room", ()),
    "bare metal": ({}, NO, hosts(bare_metal=frozenset({"cmp1"})), STAYS, "bare_metal", ()),
    "room is not known": ({"memory_bytes": 64 * GIB}, NO, hosts(capacity=None), LIVE, "", ()),
}  # fmt: skip


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_a_filter_says(row):
    facts, picked, around, kind, code, cautions = row
    verdict = judge(server("web", **facts), picked, around)
    assert (verdict.kind, verdict.code) == (kind, code), verdict
    assert tuple(c.code for c in verdict.cautions) == cautions
    said = [verdict.said, *(c.said for c in verdict.cautions)]
    for sentence in map(english, said):
        assert not sentence or sentence.endswith("."), sentence
    if kind in (STAYS, BLOCKED):
        assert english(verdict.said, remedy=False)
        assert english_remedy(verdict.said)


def test_every_filter_has_its_row():
    """Each is the reason of at least one row: without it a row would come out differently."""
    for module in (preflight, bindings, surroundings):
        for examine in module.FILTERS:
            others = [f for f in preflight.FILTERS if f is not examine]
            assert any(
                _said(others, row) != _said(preflight.FILTERS, row) for row in TABLE.values()
            ), examine.__name__


def _said(filters, row):
    facts, picked, around, *_ = row
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preflight, "FILTERS", tuple(filters))
        return judge(server("web", **facts), picked, around)


@pytest.mark.parametrize(
    ("kind", "state", "method"),
    [
        (LIVE, MigrationState.PENDING, Method.LIVE),
        (COLD, MigrationState.PENDING, Method.COLD),
        (CONFIRM, MigrationState.PENDING, Method.CONFIRM),
        (STAYS, MigrationState.STAYS, Method.NONE),
        (BLOCKED, MigrationState.BLOCKED, Method.NONE),
    ],
)
def test_how_a_verdict_enters_a_drain(kind, state, method):
    verdict = preflight.Verdict(kind)
    assert (verdict.state, verdict.method) == (state, method)
    assert verdict.leaves == (state is MigrationState.PENDING)
    assert (state in MIGRATION_WAITING) == (kind is not STAYS)


def test_what_is_said_names_what_it_is_about():
    task = judge(server("a", task_state="image_snapshot"))
    assert "image_snapshot" in english(task.said)
    locked = judge(server("a", locked=True, locked_reason="do not touch"))
    assert "do not touch" in english(locked.cautions[0].said)
    disk = judge(server("a", disk_bytes=20 * GIB))
    assert "20 GiB" in english(disk.cautions[0].said)
    short = judge(server("a", memory_bytes=10 * GIB), NO, hosts())
    assert f"lacks {10 * 1024 - 9999} MiB of memory" in english(short.said)
    agrees = {"metadata": {LIVE_NAME: "false", COLD_NAME: "true"}}
    assert "owner allows" in english_remedy(judge(server("a", **agrees)).said)


def test_anti_affinity_groups_alone_are_travelled_one_by_one():
    assert group_of(ME, grouped("anti-affinity", {})) == "g1"
    for policy in ("affinity", "soft-anti-affinity", "soft-affinity"):
        assert group_of(ME, grouped(policy, {})) == ""
    assert group_of(ME, PlacementContext()) == ""


@pytest.mark.parametrize(
    ("facts", "resources"),
    [
        ({}, {"VCPU": 1, "MEMORY_MB": 1024}),
        ({"disk_bytes": 3 * GIB + 1}, {"VCPU": 1, "MEMORY_MB": 1024, "DISK_GB": 4}),
        (
            specs(resources__VCPU="0", resources__CUSTOM_GOLD="1"),
            {"MEMORY_MB": 1024, "CUSTOM_GOLD": 1},
        ),
        (specs(hw__cpu_policy="dedicated") | {"vcpus": 4}, {"PCPU": 4, "MEMORY_MB": 1024}),
        (
            specs(hw__cpu_policy="dedicated", hw__emulator_threads_policy="isolate") | {"vcpus": 4},
            {"PCPU": 5, "MEMORY_MB": 1024},
        ),
        (
            specs(hw__cpu_policy="mixed", hw__cpu_dedicated_mask="1-3,^2") | {"vcpus": 4},
            {"VCPU": 2, "PCPU": 2, "MEMORY_MB": 1024},
        ),
        (
            specs(hw__cpu_policy="mixed", hw__cpu_realtime_mask="^0") | {"vcpus": 4},
            {"VCPU": 1, "PCPU": 3, "MEMORY_MB": 1024},
        ),
        (
            specs(resources1__VGPU="1", resources2__VGPU="1"),
            {"VCPU": 1, "MEMORY_MB": 1024, "VGPU": 2},
        ),
    ],
)  # fmt: skip
def test_what_a_server_needs_in_placements_words(facts, resources):
    assert dict(needs_of(server("a", **facts)).resources) == resources


#: nova/api/openstack/common.py: every status that an admin can see
STATUSES = [
    *["ACTIVE", "PAUSED", "SHUTOFF", "SUSPENDED", "RESCUE", "ERROR", "VERIFY_RESIZE", "SHELVED"],
    *["BUILD", "DELETED", "HARD_REBOOT", "MIGRATING", "PASSWORD", "REBOOT", "SOFT_DELETED"],
    *["REBUILD", "RESIZE", "REVERT_RESIZE", "SHELVED_OFFLOADED", "UNKNOWN"],
]


@given(
    status=st.sampled_from(STATUSES) | st.text(min_size=1, max_size=12),
    task=st.none() | st.sampled_from(["migrating", "rebooting", "spawning"]),
    choice=st.sampled_from(Choice),
    around=st.sampled_from([None, *(row[2] for row in TABLE.values())]),
)
def test_every_instance_gets_a_verdict_and_none_is_interrupted_by_mistake(
    status, task, choice, around
):
    verdict = judge(server("web", status=status, task_state=task), Chosen(choice=choice), around)
    if verdict.kind is LIVE:
        assert status in ("ACTIVE", "PAUSED")
    if verdict.kind is COLD:
        assert status == "SHUTOFF" or (status == "ACTIVE" and choice is Choice.COLD)
        assert status == "SHUTOFF" or "downtime" in {c.code for c in verdict.cautions}
    if verdict.kind is CONFIRM:
        assert (status, choice) == ("VERIFY_RESIZE", Choice.CONFIRM)
    if verdict.leaves:
        assert task is None
    else:
        assert verdict.code
        assert verdict.said
    assert len(verdict.code) <= 64  # the column of the database

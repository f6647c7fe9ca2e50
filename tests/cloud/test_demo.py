"""What `make demo` promises without being started: its seed, and its complaints."""

import collections
import itertools
import socket
import subprocess
import sys
import threading

import pytest

from ukcloud_maintenance.core.facts import Capacity
from ukcloud_maintenance.core.preflight.board import Item
from ukcloud_maintenance.core.preflight.needs import Needs
from ukcloud_maintenance.core.preflight.packing import Packing, pack
from ukcloud_maintenance.demo import behaviours, launcher
from ukcloud_maintenance.demo.config import (
    DEFAULT_HOSTS,
    DEMO,
    FAST,
    ROLLING_HOSTS,
    ROLLING_ZONE,
    CloudConfig,
)
from ukcloud_maintenance.demo.seed import FLAVORS, PROJECTS, SERVERS, hosts_seeded

#: nova.conf's initial_cpu_allocation_ratio
CPU_RATIO = 4


def test_seed_is_consistent():
    names = [seed.name for seed in SERVERS]
    assert len(names) == len(set(names))
    assert len(names) >= 30
    hosts = {host.name for host in DEMO.hosts}
    assert len(hosts) == len(DEMO.hosts)
    for seed in SERVERS:
        assert seed.host in hosts
        assert seed.flavor in FLAVORS
        assert seed.project in PROJECTS
        behaviours.parse(seed.play)
    assert {"ACTIVE", "PAUSED", "SHUTOFF", "ERROR"} <= {seed.state for seed in SERVERS}
    assert any(seed.locked for seed in SERVERS)


def test_the_first_host_can_be_emptied():
    first = [seed for seed in SERVERS if seed.host == launcher.FIRST_HOST]
    assert len(first) >= 8
    assert all(seed.play is None and seed.locked is None for seed in first)
    assert {seed.state for seed in first} == {"ACTIVE", "PAUSED"}
    assert any(seed.play for seed in SERVERS)


def test_members_of_the_anti_affinity_group_are_apart():
    hosts = collections.Counter(seed.host for seed in SERVERS if seed.group)
    assert len(hosts) >= 2
    assert set(hosts.values()) == {1}


def needs(flavor: str) -> Needs:
    memory, vcpus, disk = FLAVORS[flavor]
    return Needs({"MEMORY_MB": memory, "VCPU": vcpus, "DISK_GB": disk})


def packed(*out: str) -> Packing:
    """Where all that is seeded on these hosts would go, server groups left aside."""
    zones = {host.name: host.zone for host in DEMO.hosts}
    capacity = {}
    for host in DEMO.hosts:
        total = {
            "MEMORY_MB": host.memory_mib,
            "VCPU": host.vcpus * CPU_RATIO,
            "DISK_GB": host.disk_gib,
        }
        used = collections.Counter()
        for seed in SERVERS:
            if seed.host == host.name:
                used.update(needs(seed.flavor).resources)
        capacity[host.name] = Capacity(total, dict(used))
    items = [
        Item(
            seed.name,
            needs(seed.flavor),
            tuple(h for h, zone in zones.items() if h not in out and seed.zone in (None, zone)),
        )
        for seed in SERVERS
        if seed.host in out
    ]
    return pack(items, capacity)


def test_six_hosts_are_there_for_a_rolling_run_and_all_on_them_can_move():
    hosts = [host.name for host in ROLLING_HOSTS]
    assert len(set(hosts)) == 6
    assert {host.name for host in DEMO.hosts if host.zone == ROLLING_ZONE} == set(hosts)
    theirs = [seed for seed in SERVERS if seed.host in hosts]
    assert min(collections.Counter(seed.host for seed in theirs).values()) >= 2
    assert {seed.host for seed in theirs} == set(hosts)
    for seed in theirs:
        plain = (seed.state, seed.play, seed.locked, seed.group)
        assert plain == ("ACTIVE", None, None, None), seed.name
        assert seed.zone == ROLLING_ZONE, seed.name


@pytest.mark.parametrize("at_once", [1, 2])
def test_there_is_room_for_a_rolling_run_of_so_many_at_once(at_once):
    for out in itertools.combinations([host.name for host in ROLLING_HOSTS], at_once):
        assert packed(*out).fits, out


def test_the_trouble_of_the_other_hosts_stays_away_from_the_rolling_run():
    rolling = {host.name for host in ROLLING_HOSTS}
    for host in ("cmp1", "cmp2", "cmp3"):
        assert rolling.isdisjoint(packed(host).placed.values()), host
    # what arrives in ERROR does not go there either where the choice is left to Nova
    arrives_broken = [seed for seed in SERVERS if seed.play and "landing-fails" in seed.play]
    assert arrives_broken
    assert all(seed.zone not in (None, ROLLING_ZONE) for seed in arrives_broken)


def test_clouds_of_tests_do_not_pay_for_the_hosts_of_the_demo():
    assert FAST.hosts == CloudConfig().hosts == DEFAULT_HOSTS


def test_a_demo_of_before_gets_the_servers_of_its_new_hosts(tmp_path):
    finished = tmp_path / "seeded"
    assert hosts_seeded(finished) == set()
    finished.touch()
    assert hosts_seeded(finished) == {host.name for host in DEFAULT_HOSTS}
    finished.write_text("cmp1 cmp21")
    assert hosts_seeded(finished) == {"cmp1", "cmp21"}


def test_everything_fits():
    for host in DEMO.hosts:
        used = sum(FLAVORS[seed.flavor][0] for seed in SERVERS if seed.host == host.name)
        assert used < host.memory_mib


def test_one_host_name_is_the_beginning_of_another():
    names = [host.name for host in DEMO.hosts]
    assert any(a != b and b.startswith(a) for a in names for b in names)


def test_config_survives_json(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(CloudConfig(max_concurrent_live_migrations=7).to_json())
    assert CloudConfig.load(file) == CloudConfig(max_concurrent_live_migrations=7)
    with pytest.raises(TypeError, match="no_such_field"):
        CloudConfig.from_mapping({"no_such_field": 1})


@pytest.mark.parametrize("variable", ["DEMO_HORIZON_PORT", "DEMO_CLOUD_PORT"])
def test_a_busy_port_names_the_port_and_the_variable(tmp_path, monkeypatch, variable):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            free = other.getsockname()[1]
        monkeypatch.setenv("DEMO_STATE", str(tmp_path / "state"))
        monkeypatch.setenv("DEMO_HORIZON_PORT", str(free))
        monkeypatch.setenv("DEMO_CLOUD_PORT", str(free))
        monkeypatch.setenv(variable, str(port))
        done = subprocess.run(
            [sys.executable, "-m", "ukcloud_maintenance.demo"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert variable in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_none(monkeypatch):
    monkeypatch.setenv("DEMO_HORIZON_PORT", "eighty")
    with pytest.raises(launcher.Problem, match="DEMO_HORIZON_PORT is 'eighty'"):
        launcher.port_from("DEMO_HORIZON_PORT", 8000)


def test_a_pool_starts_no_thread_beside_an_idle_one(monkeypatch):
    futurist = pytest.importorskip("futurist")
    pytest.importorskip("nova")
    from ukcloud_maintenance.demo import releases

    monkeypatch.setattr(futurist, "ThreadPoolExecutor", futurist.ThreadPoolExecutor)
    releases.start_no_thread_beside_idle_ones()
    with futurist.ThreadPoolExecutor(max_workers=3) as pool:
        for _ in range(20):
            # its thread has said so when it is idle, which is after the result is there
            pool.submit(int).result()
            pool._work_queue.join()
        assert pool.num_workers == 1
        go = threading.Event()
        waiting = [pool.submit(go.wait, 60) for _ in range(5)]
        assert pool.num_workers == 3, "whoever is busy keeps nobody waiting"
        go.set()
        assert all(one.result() for one in waiting)

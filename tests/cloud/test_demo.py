"""What `make demo` promises without being started: its seed, and its complaints."""

import collections
import socket
import subprocess
import sys

import pytest

from ukcloud_maintenance.demo import behaviours, launcher
from ukcloud_maintenance.demo.config import DEFAULT_HOSTS, CloudConfig
from ukcloud_maintenance.demo.seed import FLAVORS, PROJECTS, SERVERS


def test_seed_is_consistent():
    names = [seed.name for seed in SERVERS]
    assert len(names) == len(set(names))
    assert len(names) >= 30
    hosts = {host.name for host in DEFAULT_HOSTS}
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


def test_everything_fits():
    for host in DEFAULT_HOSTS:
        used = sum(FLAVORS[seed.flavor][0] for seed in SERVERS if seed.host == host.name)
        assert used < host.memory_mib


def test_one_host_name_is_the_beginning_of_another():
    names = [host.name for host in DEFAULT_HOSTS]
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

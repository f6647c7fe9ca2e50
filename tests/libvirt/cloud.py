"""``LibvirtCloud``: Nova with real libvirt and QEMU, three hosts in namespaces on this machine.

======================  ======================================================================
``lv1`` … ``lv3``       machines of their own: libvirtd, nova-compute, QEMU without KVM; each
                        with its own instances folder, so that disks are copied
``control``             a machine with RabbitMQ and the bridge between the hosts
this machine            the control plane, on one port of loopback
a forwarder             carries that port and RabbitMQ's to where they are needed
======================  ======================================================================

By hand::

    python -m tests.libvirt.cloud        # a cloud until Ctrl-C; says how to look into it
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from ukcloud_maintenance.demo.children import child_environment
from ukcloud_maintenance.demo.config import FAST
from ukcloud_maintenance.demo.harness import DemoCloud
from ukcloud_maintenance.demo.ports import free_port

from . import machine, parts

HOSTS = ("lv1", "lv2", "lv3")
FORWARDER = Path(__file__).with_name("forwarder.py")
RABBIT_PORT = 5672
PREFIX = "libvirt-cloud-"


class Host:
    """A hypervisor: a machine with libvirtd and nova-compute."""

    def __init__(self, cloud: LibvirtCloud, name: str, address: str) -> None:
        self.cloud = cloud
        self.name = name
        self.address = address
        self.folder = cloud.state / name
        self.machine = self._machine()
        self.libvirtd: machine.Service
        self.compute: machine.Service

    def _machine(self) -> machine.Machine:
        folder = self.folder
        for part in ("etc", "bin"):
            (folder / part).mkdir(parents=True)
        for part in ("lib/libvirt", "lib/nova/instances", "log/libvirt", "cache/libvirt", "tmp"):
            (folder / "var" / part).mkdir(parents=True)
        (folder / "var" / "run").symlink_to("/run")
        identity = uuid.uuid5(uuid.NAMESPACE_DNS, self.name)
        (folder / "machine-id").write_text(identity.hex + "\n")
        names = "".join(f"{address} {name}\n" for name, address in self.cloud.addresses.items())
        (folder / "hosts").write_text("127.0.0.1 localhost\n" + names)
        # libvirt looks these up, whoever runs QEMU.
        users = Path("/etc/passwd").read_text()
        groups = Path("/etc/group").read_text()
        if "libvirt-qemu:" not in users:
            users += "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin\n"
        for number, group in enumerate(("kvm", "libvirt", "libvirt-qemu"), 64055):
            if not re.search(rf"^{group}:", groups, re.MULTILINE):
                groups += f"{group}:x:{number}:\n"
        (folder / "passwd").write_text(users)
        (folder / "group").write_text(groups)
        (folder / "etc" / "libvirtd.conf").write_text(
            f"""
listen_tls = 0
listen_tcp = 1
listen_addr = "{self.address}"
auth_tcp = "none"
auth_unix_rw = "none"
host_uuid = "{identity}"
"""
        )
        (folder / "etc" / "libvirt.conf").write_text('uri_default = "qemu:///system"\n')
        (folder / "etc" / "qemu.conf").write_text(
            f"""
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
migration_host = "{self.address}"
"""
        )
        (folder / "var" / "lib" / "nova" / "compute_id").write_text(str(identity) + "\n")
        sudo = folder / "bin" / "sudo"
        sudo.write_text('#!/bin/sh\nexec "$@"\n')
        sudo.chmod(0o755)
        binds = [
            (folder / "var", "/var"),
            (folder / "etc", "/etc/libvirt"),
            (folder / "hosts", "/etc/hosts"),
            (folder / "machine-id", "/etc/machine-id"),
            (folder / "passwd", "/etc/passwd"),
            (folder / "group", "/etc/group"),
        ]
        return machine.Machine(self.name, folder, binds)

    def write_nova_conf(self) -> None:
        # Nova's ways to become root, which everything here is.
        helper = f"{Path(sys.executable).parent}/privsep-helper --config-file {self.nova_conf}"
        folder = self.folder
        # Read after the control plane's own file, of which it takes accounts and intervals.
        self.nova_conf.write_text(
            f"""
[DEFAULT]
host = {self.name}
my_ip = {self.address}
state_path = /var/lib/nova
log_file = {folder}/nova-compute.log
compute_driver = libvirt.LibvirtDriver
cpu_allocation_ratio = 64
force_config_drive = false
[libvirt]
virt_type = qemu
live_migration_uri = qemu+tcp://%s/system
live_migration_inbound_addr = {self.address}
live_migration_monitor_interval = 1
[workarounds]
disable_rootwrap = true
skip_cpu_compare_on_dest = true
disable_deep_image_inspection = true
[oslo_concurrency]
lock_path = /var/lib/nova/locks
[nova_sys_admin]
helper_command = {helper}
[privsep_osbrick]
helper_command = {helper}
"""
        )

    @property
    def instances(self) -> Path:
        """Its own, although each host has it at the same path, as Nova wants it."""
        return self.folder / "var" / "lib" / "nova" / "instances"

    @property
    def nova_conf(self) -> Path:
        return self.folder / "nova.conf"

    def start_libvirtd(self) -> None:
        # A daemon that was killed leaves its own file behind.
        self.machine.run("rm", "-f", "/run/libvirtd.pid")
        self.libvirtd = self.machine.start("libvirtd", "libvirtd", "--listen")
        machine.wait(
            lambda: "Name" in self.machine.run("virsh", "list", check=False),
            f"libvirtd of {self.name} answers",
        )

    def start_compute(self) -> None:
        environment = child_environment() | {
            "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1",
            "PYTHONPATH": str(parts.python_path()),
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
        }
        binary = Path(sys.executable).parent / "nova-compute"
        files = (self.cloud.state / "etc" / "nova.conf", self.nova_conf)
        self.compute = self.machine.start(
            "nova-compute",
            str(binary),
            *[f"--config-file={file}" for file in files],
            environment=environment,
        )

    def console(self, server: str) -> str:
        """What the guest wrote to its serial console on this host; empty where it never was."""
        with contextlib.suppress(OSError):
            path = self.instances / server / "console.log"
            return path.read_text(errors="replace")
        return ""

    def domains(self) -> dict[str, str]:
        """Server id -> ``running``, ``paused``, … of each QEMU that libvirt knows here."""
        uuids = self.machine.run("virsh", "list", "--all", "--uuid").split()
        return {u: self.machine.run("virsh", "domstate", u, check=False).strip() for u in uuids}

    def limit_copy(self, server: str, mib_per_second: int) -> None:
        """How fast libvirt copies this guest away from here, now and from now on."""
        self.machine.run("virsh", "migrate-setspeed", server, str(mib_per_second))


class LibvirtCloud(DemoCloud):
    program = "tests.libvirt.controlplane"

    def __init__(self) -> None:
        super().__init__(config=replace(FAST, hosts=(), rpc_response_seconds=60))
        self.state.rmdir()
        clean_up_after_killed()
        self.state = Path(tempfile.mkdtemp(prefix=PREFIX))
        (self.state / "owner").write_text(_life(os.getpid()))
        self.rabbit_port = free_port()
        self.addresses = {name: f"10.0.0.{n}" for n, name in enumerate(HOSTS, 1)}
        self.hosts: dict[str, Host] = {}
        self.control: machine.Machine | None = None
        self._forwarder: subprocess.Popen | None = None

    def environment(self) -> dict[str, str]:
        return super().environment() | {"TRANSPORT_URL": self.transport_url}

    @property
    def transport_url(self) -> str:
        return f"rabbit://guest:guest@127.0.0.1:{self.rabbit_port}/"

    def start(self, progress=None) -> None:
        try:
            self._start(progress)
        except BaseException:
            self.close()
            raise

    def _start(self, progress) -> None:
        shutil.copytree(parts.CACHE / "images", self.state / "images")
        self._start_rabbit()
        for name, address in self.addresses.items():
            self.hosts[name] = Host(self, name, address)
        machine.connect(
            self.control, {host.machine: f"{host.address}/24" for host in self.hosts.values()}
        )
        self._start_forwarder()
        machine.wait(self._rabbit_answers, "RabbitMQ answers", 90)
        super().start(progress)
        for host in self.hosts.values():
            host.write_nova_conf()
            host.start_libvirtd()
            host.start_compute()
        for name in self.hosts:
            self.wait(lambda name=name: self._knows(name), f"Nova knows {name}", 120)

    def _start_rabbit(self) -> None:
        folder = self.state / "control"
        for part in ("rabbit", "var/log", "var/lib/rabbitmq", "var/tmp"):
            (folder / part).mkdir(parents=True)
        (folder / "hosts").write_text("127.0.0.1 localhost control\n")
        (folder / "rabbit" / "rabbitmq.conf").write_text(
            "vm_memory_high_watermark.absolute = 2GB\n"
        )
        (folder / "rabbit" / "enabled_plugins").write_text("[].\n")
        binds = [(folder / "hosts", "/etc/hosts"), (folder / "var", "/var")]
        self.control = machine.Machine("control", folder, binds)
        environment = os.environ | {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": "libvirt-cloud@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(RABBIT_PORT),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbit" / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "rabbit" / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "rabbit" / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "rabbit" / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        # The program itself: the one on PATH changes to a user who has no rights here.
        self.control.start("rabbit", parts.PACKAGES["rabbitmq-server"], environment=environment)

    def _start_forwarder(self) -> None:
        control = self.control.pid
        routes = [[None, self.rabbit_port, control, RABBIT_PORT]]
        for host in self.hosts.values():
            routes.append([host.machine.pid, self.rabbit_port, control, RABBIT_PORT])
            routes.append([host.machine.pid, self.port, None, self.port])
        self._forwarder = subprocess.Popen(
            [*machine.DIES_WITH_US, sys.executable, "-I", str(FORWARDER), json.dumps(routes)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._forwarder.stdout.readline() != "ready\n":
            raise RuntimeError("the forwarder has ended")

    def _rabbit_answers(self) -> bool:
        out = self.state / "control" / "rabbit.out"
        return "completed with" in out.read_text(errors="replace")

    def _knows(self, host: str) -> bool:
        """Whether Nova's scheduler can place a server there."""
        found = self.nova.get("/os-hypervisors/detail").json()["hypervisors"]
        return any(h["service"]["host"] == host and h["state"] == "up" for h in found)

    def close(self) -> None:
        self.stop()
        for host in self.hosts.values():
            host.machine.power_off()
        if self._forwarder:
            self._forwarder.kill()
            self._forwarder.wait()
        if self.control:
            self.control.power_off()
        kept = os.environ.get("KEEP_LIBVIRT_CLOUD")
        if not kept:
            shutil.rmtree(self.state, ignore_errors=True)

    def put_in_order(self) -> None:
        """Every service runs and is enabled, and no guest is left, whatever a test did."""
        for host in self.hosts.values():
            if not host.libvirtd.runs:
                host.start_libvirtd()
            if not host.compute.runs:
                host.start_compute()
        for name in self.hosts:
            self.wait(lambda name=name: self.service(name)["state"] == "up", f"{name} is up", 90)
            service = self.service(name)
            if service["status"] != "enabled":
                self.nova.put(f"/os-services/{service['id']}", json={"status": "enabled"})
        servers = self.nova.get("/servers?all_tenants=1").json()["servers"]
        self.delete_server(*[server["id"] for server in servers])
        for host in self.hosts.values():
            # A guest of which Nova is wrong about the host.
            for domain in host.domains():
                host.machine.run("virsh", "destroy", domain, check=False)
                host.machine.run("virsh", "undefine", domain, check=False)
            for folder in host.instances.iterdir():
                if not folder.name.startswith("_") and folder.is_dir():
                    shutil.rmtree(folder, ignore_errors=True)

    # --- guests -------------------------------------------------------------------------------

    def guest_flavor(self) -> str:
        """128 MiB, and a disk as large as the image."""
        return self.flavor(128, disk_gib=0)

    def boot(self, name: str, host: str, kind: str = "idle") -> str:
        """A guest whose heart beats; its id."""
        server = self.create_server(name, self.guest_flavor(), host, image=parts.IMAGES[kind])
        self.wait(lambda: self.beats(server, host), f"the heart of {name} beats", 90)
        return server

    def beats(self, server: str, host: str) -> list[tuple[int, float]]:
        """(number, seconds since its start) of each heartbeat that the guest wrote on ``host``."""
        found = re.findall(r"heartbeat (\d+) up ([\d.]+)", self.hosts[host].console(server))
        return [(int(number), float(up)) for number, up in found]

    def pulse(self, server: str) -> str | None:
        """The one host on which the guest's heart beats now; None where nowhere."""
        before = {host: len(self.beats(server, host)) for host in self.hosts}
        # Guests that are emulated beat slowly on a busy machine, and not at all while their clock
        # catches up with where it was before they were moved.
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            time.sleep(0.3)
            alive = [h for h in self.hosts if len(self.beats(server, h)) > before[h]]
            if alive:
                assert len(alive) == 1, f"{server} runs on {alive}"
                return alive[0]
        return None

    def where(self, server: str) -> dict[str, str]:
        """Host -> state of the guest's domain there, as libvirt says."""
        return {
            name: states[server]
            for name, host in self.hosts.items()
            if server in (states := host.domains())
        }

    def looks(self, server: str) -> dict[str, Any]:
        """Everything that Nova's API says about a server and its newest migration."""
        body = self.server(server)
        records = self.migrations(server)
        diagnostics = self.nova.get(f"/servers/{server}/diagnostics", raise_exc=False)
        told = diagnostics.json()
        migration = records[0] if records else {}
        keys = ("id", "status", "source_compute", "dest_compute")
        return {
            "server": body["status"],
            "host": body["OS-EXT-SRV-ATTR:host"],
            "vm_state": body["OS-EXT-STS:vm_state"],
            "task_state": body["OS-EXT-STS:task_state"],
            "power_state": body["OS-EXT-STS:power_state"],
            "migration": {key: migration.get(key) for key in keys},
            "diagnostics": (
                diagnostics.status_code,
                told.get("state") or next(iter(told.values()), {}).get("message"),
            ),
        }


def _life(pid: int) -> str:
    """A process, told from a later one of the same number."""
    return f"{pid} {Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[19]}"


def clean_up_after_killed() -> None:
    """Remove the folders of runs that were killed; of their processes the kernel has seen to."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            owner = (folder / "owner").read_text()
            try:
                lives = _life(int(owner.split()[0])) == owner
            except OSError:
                lives = False
            if not lives:
                shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    if why_not := parts.missing():
        print(why_not, file=sys.stderr)
        return 1
    with contextlib.suppress(KeyboardInterrupt), LibvirtCloud() as cloud:
        print(f"OS_CLIENT_CONFIG_FILE={cloud.clouds_yaml} OS_CLOUD=admin")
        for name, host in cloud.hosts.items():
            print(f"{name}: nsenter --target={host.machine.pid} -m -u -n -i -p -- virsh list")
        while True:
            time.sleep(3600)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""One simulated hypervisor and the guests on it, as long as nothing is migrated.

Which node and which guests it has follows from the host's name and from the database, so that
nova-compute can be restarted at any time.
"""

from __future__ import annotations

import contextlib
import time
import uuid

from nova import context as nova_context
from nova import exception, objects
from nova.compute import power_state, vm_states
from nova.virt import fake
from oslo_utils import timeutils

from .config import HostSpec
from .hypervisors import Hypervisors


def node_uuid(node: str) -> str:
    """The same for a node at every start; nova-compute refuses to start under another one."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, node))


class SimulatedGuests(fake.FakeDriver):
    """Nova's ``FakeDriver`` with one node, resources of its own, and guests that keep their power
    state."""

    def __init__(self, hypervisors: Hypervisors, virtapi, read_only=False):
        super().__init__(virtapi, read_only)
        self.hypervisors = hypervisors

    def init_host(self, host):
        self._host = host
        spec = self.spec
        self.vcpus = spec.vcpus
        self.memory_mb = spec.memory_mib
        self.local_gb = spec.disk_gib
        self.resources = fake.Resources(spec.vcpus, spec.memory_mib, spec.disk_gib)
        self._set_nodes([spec.node])
        context = nova_context.get_admin_context()
        # Guests outlive nova-compute: where it only starts again, they are where they were,
        # whatever the database says.
        drivers = self.hypervisors.drivers
        before = dict(drivers[host].instances) if host in drivers else {}
        elsewhere = {
            server for name, other in drivers.items() if name != host for server in other.instances
        } - before.keys()
        for instance in objects.InstanceList.get_by_host(context, host, expected_attrs=["flavor"]):
            if instance.vm_state in (vm_states.BUILDING, vm_states.DELETED):
                continue
            if instance.uuid not in elsewhere:
                self.add_guest(instance, instance.power_state or power_state.SHUTDOWN)
        for server, guest in before.items():
            if server not in self.instances:
                with contextlib.suppress(exception.InstanceNotFound):
                    instance = objects.Instance.get_by_uuid(
                        context, server, expected_attrs=["flavor"]
                    )
                    self.add_guest(instance, guest.state)
        drivers[host] = self

    @property
    def spec(self) -> HostSpec:
        return self.hypervisors.spec(self._host)

    def add_guest(self, instance, state: int) -> None:
        if instance.uuid not in self.instances:
            self.resources.claim(
                vcpus=instance.flavor.vcpus,
                mem=instance.flavor.memory_mb,
                disk=instance.flavor.root_gb,
            )
        self.instances[instance.uuid] = fake.FakeInstance(instance.name, state, instance.uuid)

    def hand_guest_over(self, instance, dest: str) -> None:
        """The guest runs at the destination, whatever Nova comes to believe."""
        guest = self.instances.pop(instance.uuid, None)
        if guest and dest in self.hypervisors.drivers:
            self.hypervisors.drivers[dest].add_guest(instance, guest.state)

    def get_available_resource(self, nodename):
        resources = super().get_available_resource(nodename)
        if resources:
            resources["uuid"] = node_uuid(nodename)
        return resources

    def get_nodenames_by_uuid(self, refresh=False):
        return {node_uuid(node): node for node in self.get_available_nodes()}

    def get_host_ip_addr(self):
        return "127.0.0.1"

    def get_host_uptime(self):
        booted = self.hypervisors.booted.get(self._host)
        up = "42 days,  3:14"
        if booted is not None:
            minutes = int(time.monotonic() - booted) // 60
            up = f"{minutes // 60:2}:{minutes % 60:02}" if minutes >= 60 else f"{minutes} min"
        return f" 12:00:00 up {up},  1 user,  load average: 0.42, 0.37, 0.35"

    # --- power states, which the stock driver forgets -----------------------------------------

    def set_state(self, instance, state: int) -> None:
        if instance.uuid in self.instances:
            self.instances[instance.uuid].state = state

    def pause(self, instance):
        self.set_state(instance, power_state.PAUSED)

    def unpause(self, instance):
        self.set_state(instance, power_state.RUNNING)

    def suspend(self, context, instance):
        self.set_state(instance, power_state.SHUTDOWN)

    def resume(self, context, instance, network_info, block_device_info=None, share_info=None):
        self.set_state(instance, power_state.RUNNING)

    # --- what libvirt would say of a guest ------------------------------------------------------

    def get_instance_diagnostics(self, instance):
        """From the guests that this host really has; Nova asks for those that run alone."""
        state = self.get_info(instance, use_cache=False).state  # InstanceNotFound: not here
        launched = timeutils.normalize_time(instance.launched_at)
        return objects.diagnostics.Diagnostics(
            state=power_state.STATE_MAP[state],
            driver="libvirt",
            hypervisor="qemu",
            hypervisor_os="linux",
            uptime=int(timeutils.delta_seconds(launched, timeutils.utcnow())),
            config_drive=False,
            memory_details=objects.diagnostics.MemoryDiagnostics(
                maximum=instance.flavor.memory_mb, used=instance.flavor.memory_mb
            ),
        )

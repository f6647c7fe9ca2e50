"""The virt driver of the demo cloud: no guests, but everything that Nova sees of them.

Nova's own ``FakeDriver`` migrates in no time and never fails. This one takes the time that the
memory needs at the configured speed, reports bytes as libvirt's driver does, honours abort and
force complete for each server by itself, and plays what ``behaviours`` describes. Which nodes and
guests it has follows from the host's name and from the database, so that nova-compute can be
restarted at any time.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid

import nova.conf
from nova import context as nova_context
from nova import exception, objects
from nova.compute import power_state, vm_states
from nova.virt import fake
from oslo_log import log as logging
from oslo_utils import timeutils

from . import behaviours
from .behaviours import Play
from .config import MIB, CloudConfig, HostSpec

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# nova-compute creates its driver by name and without arguments; what the simulated hosts have in
# common is therefore kept here.
cloud = CloudConfig()
drivers: dict[str, SimulatedDriver] = {}
frozen_hosts: set[str] = set()
#: copies that libvirt goes on with although their nova-compute is gone: server id -> set to abort
alone: dict[str, threading.Event] = {}


class ProcessGone(BaseException):
    """Ends a copy's thread as the death of its process would: without any handler of Nova's
    (they catch ``Exception``) writing anything."""


class SimulatedFailure(Exception):
    """A failure that somebody asked for in a server's metadata."""


def node_uuid(node: str) -> str:
    """The same for a node at every start; nova-compute refuses to start under another one."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, node))


class Copy:
    """One live migration under way, as far as bytes are concerned."""

    def __init__(self, play: Play, memory_bytes: int, disk_bytes: int) -> None:
        self.play = play
        self.memory_bytes = memory_bytes
        self.disk_bytes = disk_bytes if "disk-first" in play else 0
        self.rate = play.number("rate", cloud.copy_bytes_per_second)
        self.sent = 0.0
        """Bytes on the wire so far, memory and (scaled to the time of the memory) disk."""
        self.wake = threading.Event()
        self.abort_asked = False
        self.force_asked = False
        self.forced_from: float | None = None
        self.samples = 0
        self.started = time.monotonic()

    # What the guest makes dirty again after each pass, as fractions of its memory.
    BOUNCES = (1.0, 0.6, 0.35)
    ENDLESS = (0.4, 0.1)

    @property
    def work(self) -> float:
        """All that has to be sent until the copy is complete; infinite where it never ends."""
        if self.forced_from is not None:
            return self.forced_from + self._remaining_at(self.forced_from)
        if "never-converges" in self.play:
            return float("inf")
        passes = sum(self.BOUNCES) if "bouncing" in self.play else 1.0
        return self.memory_bytes * passes + self._disk_work

    @property
    def _disk_work(self) -> float:
        return float(self.memory_bytes) if self.disk_bytes else 0.0

    @property
    def complete(self) -> bool:
        return self.sent >= self.work

    @property
    def limit(self) -> float:
        """Where the copy stops although it isn't complete (``stall``)."""
        if "stall" in self.play:
            return self._disk_work + self.memory_bytes * self.play.number("at", 0.5)
        return float("inf")

    def advance(self, seconds: float) -> None:
        rate = self.rate
        if self.forced_from is not None:
            rate /= cloud.force_complete_slowdown
        self.sent = min(self.sent + seconds * rate, self.work, self.limit)

    def force(self) -> None:
        """Pause the guest: nothing gets dirty any more, the rest is copied more slowly."""
        if self.forced_from is None:
            self.forced_from = self.sent

    @property
    def fraction(self) -> float:
        """Of the memory, as ``at`` counts it."""
        return max(self.sent - self._disk_work, 0.0) / self.memory_bytes

    def _remaining_at(self, sent: float) -> float:
        memory = max(sent - self._disk_work, 0.0)
        total = self.memory_bytes
        if "bouncing" in self.play:
            for share in self.BOUNCES:
                if memory <= share * total:
                    return share * total - memory
                memory -= share * total
            return 0.0
        if "never-converges" in self.play and memory > total:
            high, low = self.ENDLESS
            return (high - (memory / total) % (high - low)) * total
        if "never-converges" in self.play:
            return total - memory * (1 - self.ENDLESS[1])
        return max(total - memory, 0.0)

    def sample(self) -> dict[str, int]:
        """The byte fields of the migration record, as libvirt's job statistics have them."""
        first = not self.samples
        self.samples += 1
        values = dict.fromkeys(
            f"{kind}_{what}"
            for kind in ("memory", "disk")
            for what in ("total", "processed", "remaining")
        )
        values = dict.fromkeys(values, 0)
        early = time.monotonic() - self.started < self.play.number("seconds", 0)
        if "early-zero" in self.play and (first or early):
            return values
        if self.disk_bytes:
            disk = min(self.sent / self._disk_work, 1.0) * self.disk_bytes
            values["disk_total"] = self.disk_bytes
            values["disk_processed"] = int(disk)
            values["disk_remaining"] = self.disk_bytes - int(disk)
            if self.sent < self._disk_work:
                return values
        memory = max(self.sent - self._disk_work, 0.0)
        if self.forced_from is None:
            remaining = self._remaining_at(self.sent)
        else:
            remaining = max(self.work - self.sent, 0.0)
        factor = 1.6 if "overshoot" in self.play else 1.0
        values["memory_total"] = self.memory_bytes
        values["memory_processed"] = int(memory * factor)
        values["memory_remaining"] = int(remaining)
        return values


class SimulatedDriver(fake.FakeDriver):
    """One simulated hypervisor with one node."""

    capabilities = dict(fake.FakeDriver.capabilities, supports_migrate_to_same_host=False)

    def __init__(self, virtapi, read_only=False):
        super().__init__(virtapi, read_only)
        self._copies: dict[str, Copy] = {}
        self.process_gone = threading.Event()
        """Set when the nova-compute of this driver was killed."""

    # --- the host and its guests --------------------------------------------------------------

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
        before = dict(drivers[host].instances) if host in drivers else {}
        elsewhere = {
            server for name, other in drivers.items() if name != host for server in other.instances
        } - before.keys()
        for instance in objects.InstanceList.get_by_host(context, host, expected_attrs=["flavor"]):
            if instance.vm_state in (vm_states.BUILDING, vm_states.DELETED):
                continue
            if instance.uuid not in elsewhere:
                self._add_guest(instance, instance.power_state or power_state.SHUTDOWN)
        for server, guest in before.items():
            if server not in self.instances:
                with contextlib.suppress(exception.InstanceNotFound):
                    instance = objects.Instance.get_by_uuid(
                        context, server, expected_attrs=["flavor"]
                    )
                    self._add_guest(instance, guest.state)
        drivers[host] = self

    @property
    def spec(self) -> HostSpec:
        return next(host for host in cloud.hosts if host.name == self._host)

    def _add_guest(self, instance, state: int) -> None:
        if instance.uuid not in self.instances:
            self.resources.claim(
                vcpus=instance.flavor.vcpus,
                mem=instance.flavor.memory_mb,
                disk=instance.flavor.root_gb,
            )
        self.instances[instance.uuid] = fake.FakeInstance(instance.name, state, instance.uuid)

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
        return " 12:00:00 up 42 days,  3:14,  1 user,  load average: 0.42, 0.37, 0.35"

    # --- power states, which the stock driver forgets -----------------------------------------

    def _set_state(self, instance, state: int) -> None:
        if instance.uuid in self.instances:
            self.instances[instance.uuid].state = state

    def pause(self, instance):
        self._set_state(instance, power_state.PAUSED)

    def unpause(self, instance):
        self._set_state(instance, power_state.RUNNING)

    def suspend(self, context, instance):
        self._set_state(instance, power_state.SHUTDOWN)

    def resume(self, context, instance, network_info, block_device_info=None, share_info=None):
        self._set_state(instance, power_state.RUNNING)

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

    # --- behaviours ---------------------------------------------------------------------------

    def _play(self, context, instance, source, dest, key=behaviours.LIVE_KEY) -> Play:
        """What to play for this migration; metadata is read afresh, so that it can be changed."""
        context = nova_context.get_admin_context()
        fresh = objects.Instance.get_by_uuid(context, instance.uuid, expected_attrs=["metadata"])
        live = key == behaviours.LIVE_KEY
        known = behaviours.LIVE_NAMES if live else behaviours.COLD_NAMES
        play = behaviours.parse(fresh.metadata.get(key), known)
        kind = "live-migration" if live else "migration"
        records = objects.MigrationList.get_by_filters(
            context, {"instance_uuid": instance.uuid, "migration_type": kind}
        )
        return play if play.applies(len(records), source, dest) else behaviours.PLAIN

    def check_can_live_migrate_destination(
        self,
        context,
        instance,
        src_compute_info,
        dst_compute_info,
        block_migration=False,
        disk_over_commit=False,
    ):
        if "fail-destination-check" in self._play(context, instance, instance.host, self._host):
            raise exception.MigrationPreCheckError(
                reason="Unacceptable CPU info: guest CPU doesn't match the host's: missing"
                f" features: avx512f (simulated on {self._host})"
            )
        return super().check_can_live_migrate_destination(
            context,
            instance,
            src_compute_info,
            dst_compute_info,
            block_migration,
            disk_over_commit,
        )

    def check_can_live_migrate_source(
        self, context, instance, dest_check_data, block_device_info=None
    ):
        if "fail-source-check" in self._play(context, instance, self._host, None):
            raise exception.InvalidSharedStorage(
                path=CONF.instances_path,
                reason="Live migration can not be used without shared storage (simulated)",
            )
        return dest_check_data

    def pre_live_migration(
        self, context, instance, block_device_info, network_info, disk_info, migrate_data
    ):
        play = self._play(context, instance, instance.host, self._host)
        if self.instances.pop(instance.uuid, None):
            # libvirt's driver finds the disk there, and Nova's rollback then destroys whatever
            # guest of this server is on the destination, with its disk.
            raise exception.DestinationDiskExists(path=f"{CONF.instances_path}/{instance.uuid}")
        slow = "slow-prepare" in play
        time.sleep(play.number("seconds", 10) if slow else cloud.prepare_seconds)
        if "fail-pre" in play:
            raise exception.MigrationError(
                reason=f"cannot connect the server's storage on {self._host} (simulated)"
            )
        return migrate_data

    # --- live migration -----------------------------------------------------------------------

    def live_migration(
        self,
        context,
        instance,
        dest,
        post_method,
        recover_method,
        block_migration=False,
        migrate_data=None,
    ):
        """Runs on the source in a thread of its live-migration pool until the copy has ended."""
        play = self._play(context, instance, self._host, dest)
        copy = Copy(play, instance.flavor.memory_mb * MIB, (instance.flavor.root_gb or 1) << 30)
        self._copies[instance.uuid] = copy
        try:
            outcome = self._run(copy, instance, migrate_data.migration)
        except ProcessGone:
            if "outlives-compute" in play:
                self._go_on_alone(instance, dest, play.number("after", 2))
            raise
        finally:
            self._copies.pop(instance.uuid, None)

        if outcome == "cancelled":
            recover_method(context, instance, dest, migrate_data, migration_status="cancelled")
            if "late-error-after-abort" in play:
                self._sleep(play.number("after", 1.5))
                raise SimulatedFailure("operation aborted: migration out job: canceled by client")
        elif outcome == "failed":
            recover_method(context, instance, dest, migrate_data)
        elif "completed-but-source" in play:
            recover_method(context, instance, dest, migrate_data, migration_status="completed")
        elif "landed-but-source" in play:
            self._hand_guest_over(instance, dest)
            self._sleep(play.number("after", 2))
            raise SimulatedFailure("internal error: client socket is closed")
        else:
            if "error-after-copy" in play:
                self._hand_guest_over(instance, dest)
            post_method(context, instance, dest, block_migration, migrate_data)

    def _run(self, copy: Copy, instance, migration) -> str:
        """Copy until the end: ``copied``, ``failed`` (to be rolled back) or ``cancelled``."""
        play = copy.play
        started = last = time.monotonic()
        silence = min(0.5, cloud.progress_interval_seconds / 2)
        if "null-bytes" in play:
            silence = play.number("seconds", 3)
            self._sleep(silence, copy)
            last = time.monotonic()
            silence = 0
        next_sample = last + silence
        switch = play.number("at", 0.5)
        while True:
            if not (copy.complete or copy.abort_asked or copy.force_asked):
                copy.wake.wait(self._pause(copy, next_sample))
            copy.wake.clear()
            self._stay_alive()
            now = time.monotonic()
            copy.advance(now - last)
            last = now

            if copy.abort_asked and "stuck-running" not in play:
                return "cancelled"
            if "timeout" in play.parameters and now - started > play.number("timeout", 0):
                return "cancelled"
            if "rollback" in play and copy.fraction >= switch:
                return "failed"
            if "error-in-copy" in play and copy.fraction >= switch:
                raise SimulatedFailure("operation failed: migration job: unexpectedly failed")
            by_itself = "at" in play.parameters and copy.fraction >= switch
            if "post-copy" in play and (copy.force_asked or by_itself):
                self._post_copy(copy, instance, migration)
                return "copied"
            if copy.force_asked and not play.names & {"stall", "stuck-running"}:
                copy.force()
                self._set_state(instance, power_state.PAUSED)
            copy.force_asked = False

            if now >= next_sample:
                self._report(copy.sample(), instance, migration)
                next_sample = now + cloud.progress_interval_seconds
            if copy.complete:
                if "stuck-running" not in play:
                    if copy.forced_from is not None:
                        self._set_state(instance, power_state.RUNNING)
                    return "copied"
                copy.abort_asked = False
                copy.wake.wait(1)

    def _pause(self, copy: Copy, next_sample: float) -> float:
        """Seconds until there is something to look at."""
        slowdown = cloud.force_complete_slowdown if copy.forced_from is not None else 1
        targets = [copy.work]
        if copy.play.names & {"rollback", "error-in-copy", "post-copy"}:
            switch = copy._disk_work + copy.play.number("at", 0.5) * copy.memory_bytes
            if copy.sent < switch:
                targets.append(switch)
        until_target = (min(targets) - copy.sent) / (copy.rate / slowdown)
        until_sample = next_sample - time.monotonic()
        return max(min(until_target, until_sample, 1.0), 0.005)

    def _post_copy(self, copy: Copy, instance, migration) -> None:
        migration.status = "running (post-copy)"
        migration.save()
        self._sleep(copy.play.number("seconds", 3))

    def _report(self, sample: dict[str, int], instance, migration) -> None:
        """What libvirt's driver writes at each interval."""
        for field, value in sample.items():
            setattr(migration, field, value)
        migration.save()
        total = sample["memory_total"] + sample["disk_total"]
        remaining = sample["memory_remaining"] + sample["disk_remaining"]
        instance.progress = 100 - round(100 * remaining / total) if total else 0
        instance.save()

    def _stay_alive(self) -> None:
        """Die with the process; stand still while it is frozen."""
        while self._host in frozen_hosts and not self.process_gone.is_set():
            self.process_gone.wait(0.1)
        if self.process_gone.is_set():
            raise ProcessGone

    def _sleep(self, seconds: float, copy: Copy | None = None) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not (copy and copy.abort_asked):
            self.process_gone.wait(min(left, 0.1))
            self._stay_alive()

    def _hand_guest_over(self, instance, dest: str) -> None:
        """The guest runs at the destination, whatever Nova comes to believe."""
        guest = self.instances.pop(instance.uuid, None)
        if guest and dest in drivers:
            drivers[dest]._add_guest(instance, guest.state)

    def _go_on_alone(self, instance, dest: str, seconds: float) -> None:
        """libvirt's own daemon copies on, unless it is told to stop."""
        aborted = alone[instance.uuid] = threading.Event()

        def finish() -> None:
            if not aborted.wait(seconds):
                drivers[self._host]._hand_guest_over(instance, dest)
            alone.pop(instance.uuid, None)

        threading.Thread(target=finish, name=f"alone-{instance.uuid}", daemon=True).start()

    def live_migration_abort(self, instance):
        if copy := self._copies.get(instance.uuid):
            copy.abort_asked = True
            copy.wake.set()
        elif aborted := alone.get(instance.uuid):
            aborted.set()
        elif instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)

    def live_migration_force_complete(self, instance):
        if copy := self._copies.get(instance.uuid):
            copy.force_asked = True
            copy.wake.set()

    def post_live_migration(self, context, instance, block_device_info, migrate_data=None):
        dest = migrate_data.migration.dest_compute
        if "error-after-copy" in self._play(context, instance, self._host, dest):
            raise SimulatedFailure("cannot clean up after the server on the source (simulated)")
        if instance.uuid in self.instances:
            self.destroy(context, instance, None, block_device_info)

    def post_live_migration_at_source(self, context, instance, network_info):
        """Nothing is plugged; the base class raises NotImplementedError."""

    def post_live_migration_at_destination(
        self,
        context,
        instance,
        network_info,
        block_migration=False,
        block_device_info=None,
    ):
        paused = instance.vm_state == vm_states.PAUSED
        self._add_guest(instance, power_state.PAUSED if paused else power_state.RUNNING)
        if "landing-fails" in self._play(context, instance, instance.host, self._host):
            raise SimulatedFailure(f"cannot define the domain on {self._host} (simulated)")

    def rollback_live_migration_at_source(self, context, instance, migrate_data):
        """The guest never stopped running here."""

    # --- cold migration -----------------------------------------------------------------------

    def migrate_disk_and_power_off(
        self,
        context,
        instance,
        dest,
        flavor,
        network_info,
        block_device_info=None,
        timeout=0,
        retry_interval=0,
    ):
        record = objects.Migration.get_by_id(
            nova_context.get_admin_context(), instance.migration_context.migration_id
        )
        play = self._play(context, instance, self._host, record.dest_compute, behaviours.COLD_KEY)
        if "fail" in play:
            raise exception.InstanceFaultRollback(
                exception.ResizeError(reason="not able to execute ssh command (simulated)")
            )
        if "slow" in play:
            self._sleep(play.number("seconds", 5))
        self._set_state(instance, power_state.SHUTDOWN)

    def finish_migration(self, context, migration, instance, *args, **kwargs):
        play = self._play(
            context, instance, migration.source_compute, self._host, behaviours.COLD_KEY
        )
        if "fail-finish" in play:
            raise SimulatedFailure(f"cannot define the domain on {self._host} (simulated)")
        super().finish_migration(context, migration, instance, *args, **kwargs)

"""The virt driver of the demo cloud: no guests, but everything that Nova sees of them.

Nova's own ``FakeDriver`` migrates in no time and never fails. This one takes the time that the
memory needs at the configured speed, reports bytes as libvirt's driver does, honours abort and
force complete for each server by itself, and plays what ``behaviours`` describes.
"""

from __future__ import annotations

import functools
import sys
import time
import types

import nova.conf
from nova import context as nova_context
from nova import exception, objects
from nova.compute import power_state, vm_states
from nova.virt import fake

from . import behaviours
from .behaviours import Play
from .config import GIB, MIB
from .hypervisors import ComputeProcess, Hypervisors, ProcessGone
from .simulated_copy import Copy
from .simulated_guests import SimulatedGuests
from .simulated_migration import LiveMigration, SimulatedFailure

CONF = nova.conf.CONF


class SimulatedDriver(SimulatedGuests):
    """What Nova's migrations do to the guests of one simulated hypervisor."""

    capabilities = dict(fake.FakeDriver.capabilities, supports_migrate_to_same_host=False)

    def __init__(self, hypervisors: Hypervisors, virtapi, read_only=False):
        super().__init__(hypervisors, virtapi, read_only)
        self.process = ComputeProcess(lambda: self._host in hypervisors.frozen)
        self._migrations: dict[str, LiveMigration] = {}

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
        time.sleep(play.number("seconds", 10) if slow else self.hypervisors.config.prepare_seconds)
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
        memory, disk = instance.flavor.memory_mb * MIB, (instance.flavor.root_gb or 1) * GIB
        migration = self._migrations[instance.uuid] = LiveMigration(
            Copy(play, memory, disk, self.hypervisors.config),
            instance,
            migrate_data.migration,
            self.process,
            functools.partial(self.set_state, instance),
            self.hypervisors.config.progress_interval_seconds,
        )
        try:
            outcome = migration.run()
        except ProcessGone:
            if "outlives-compute" in play:
                seconds = play.number("after", 2)
                self.hypervisors.go_on_alone(instance, self._host, dest, seconds)
            raise
        finally:
            self._migrations.pop(instance.uuid, None)

        if outcome == "cancelled":
            recover_method(context, instance, dest, migrate_data, migration_status="cancelled")
            if "late-error-after-abort" in play:
                self.process.sleep(play.number("after", 1.5))
                raise SimulatedFailure("operation aborted: migration out job: canceled by client")
        elif outcome == "failed":
            recover_method(context, instance, dest, migrate_data)
        elif "completed-but-source" in play:
            recover_method(context, instance, dest, migrate_data, migration_status="completed")
        elif "landed-but-source" in play:
            self.hand_guest_over(instance, dest)
            self.process.sleep(play.number("after", 2))
            raise SimulatedFailure("internal error: client socket is closed")
        else:
            if "error-after-copy" in play:
                self.hand_guest_over(instance, dest)
            post_method(context, instance, dest, block_migration, migrate_data)

    def live_migration_abort(self, instance):
        if migration := self._migrations.get(instance.uuid):
            migration.abort()
        elif aborted := self.hypervisors.alone.get(instance.uuid):
            aborted.set()
        elif instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)

    def live_migration_force_complete(self, instance):
        if migration := self._migrations.get(instance.uuid):
            migration.force_complete()

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
        self.add_guest(instance, power_state.PAUSED if paused else power_state.RUNNING)
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
            self.process.sleep(play.number("seconds", 5))
        self.set_state(instance, power_state.SHUTDOWN)

    def finish_migration(self, context, migration, instance, *args, **kwargs):
        play = self._play(
            context, instance, migration.source_compute, self._host, behaviours.COLD_KEY
        )
        if "fail-finish" in play:
            raise SimulatedFailure(f"cannot define the domain on {self._host} (simulated)")
        super().finish_migration(context, migration, instance, *args, **kwargs)


def install(name: str, hypervisors: Hypervisors) -> None:
    """Let Nova find the driver of these hypervisors by its ``compute_driver``.

    nova-compute makes its driver by name, and gives it nothing but itself.
    """
    module, _, attribute = f"nova.virt.{name}".rpartition(".")
    sys.modules[module] = types.ModuleType(module)
    setattr(sys.modules[module], attribute, functools.partial(SimulatedDriver, hypervisors))

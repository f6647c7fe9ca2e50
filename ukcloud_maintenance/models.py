"""The queue and the record. Rows are written by `store` alone.

Host names are compared through a key, the SHA-256 of region and host: the same on every
database, whatever its collation makes of `CMP1`, `cmp1` and trailing blanks. One open drain a
host is a nullable unique key (MariaDB has no conditional unique constraint): set while the drain
is open, NULL afterwards.

There is no foreign key to a user: openstack_auth's User has no table. Id and name are text.
Times are UTC, sizes are bytes.
"""

import hashlib

from django.db import models

from .core.states import (
    DRAIN_TERMINAL,
    Direction,
    DrainState,
    Method,
    MigrationState,
    TimeoutAction,
)
from .message_field import MessageField


def host_key(region: str, host: str) -> str:
    """The key that a host of a region is found by: 64 hexadecimal digits."""
    return hashlib.sha256(f"{region}\0{host}".encode()).hexdigest()


class HostMaintenance(models.Model):
    """A host's maintenance: from its first drain to its return to service.

    It outlives the drains: it knows how the service was found, so that a second drain does not
    take our own disabling for somebody else's.
    """

    region = models.CharField(max_length=255)
    host = models.CharField(max_length=255)
    host_key = models.CharField(max_length=64, db_index=True)
    open_key = models.CharField(max_length=64, null=True, unique=True, editable=False)
    service_id = models.CharField(max_length=36)
    #: enabled or disabled, as found before we did anything
    found_status = models.CharField(max_length=16)
    found_reason = models.CharField(max_length=255, blank=True)
    #: the reason that we wrote; empty where the service is not disabled by us
    our_reason = models.CharField(max_length=255, blank=True)
    disabled_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    #: what the last verification found, see core.certificate; and when it looked
    checks = models.JSONField(default=list)
    verified_at = models.DateTimeField(null=True)
    #: how often it was claimed or looked at: what was found out under an older number is void,
    #: whatever the clocks of both say
    looks = models.PositiveBigIntegerField(default=0)
    #: since when every verification found the host safe to power off; NULL: it is not
    safe_since = models.DateTimeField(null=True)
    #: when it was last found not to be safe any more, and why
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_why = MessageField()

    #: since when the host is being given back, who asked, and what becomes of the service: see
    #: core.states.ReturnChoice
    returning_since = models.DateTimeField(null=True)
    returned_by = models.CharField(max_length=255, blank=True)
    return_choice = models.CharField(max_length=8, blank=True)
    #: when we were about to ask Nova to enable the service, and when Nova took that
    enabling_since = models.DateTimeField(null=True)
    enabled_at = models.DateTimeField(null=True)
    #: how it ended, see core.states.ReturnResult; and what is going on or how it ended, in words
    return_result = models.CharField(max_length=16, blank=True)
    message = MessageField()

    #: raised by every change that a page shows
    revision = models.PositiveBigIntegerField(default=1)
    #: the worker that has it, and until when
    claimed_by = models.CharField(max_length=255, blank=True)
    claimed_until = models.DateTimeField(null=True)
    next_pass_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-opened_at", "-id"]

    def __str__(self) -> str:
        return f"maintenance of {self.host}"


class Plan(models.Model):
    """Several hosts that are drained as one: all are disabled before the first instance moves."""

    region = models.CharField(max_length=255)
    reason = models.CharField(max_length=255)
    #: hosts whose instances move at a time; 0: all
    hosts_at_once = models.PositiveIntegerField(default=0)
    requested_by_id = models.CharField(max_length=255)
    requested_by = models.CharField(max_length=255)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"plan {self.pk}"


class Turn(models.Model):
    """One row a region: whoever asks for a drain in it changes the row first, so that one asks at a
    time. What two ask for can stand against each other although they write different rows: a
    drain of one host, and one that sends instances there.
    """

    #: `host_key` of the region and no host
    region_key = models.CharField(max_length=64, unique=True)
    taken = models.PositiveBigIntegerField(default=0)


class Drain(models.Model):
    """One request to empty one host, or to bring instances back to it."""

    #: away from the host, or back to it after its return to service
    direction = models.CharField(
        max_length=8,
        default=Direction.AWAY.value,
        choices=[(d.value, d.value) for d in Direction],
    )
    plan = models.ForeignKey(Plan, null=True, on_delete=models.SET_NULL, related_name="drains")
    #: the place of the host in its plan, from 0
    plan_order = models.PositiveIntegerField(default=0)
    region = models.CharField(max_length=255)
    host = models.CharField(max_length=255)
    host_key = models.CharField(max_length=64, db_index=True)
    #: `host_key` while the drain is open, else NULL: at most one open drain a host
    open_key = models.CharField(max_length=64, null=True, unique=True, editable=False)
    service_id = models.CharField(max_length=36)
    maintenance = models.ForeignKey(
        HostMaintenance, null=True, on_delete=models.SET_NULL, related_name="drains"
    )

    reason = models.CharField(max_length=255)
    max_concurrent = models.PositiveIntegerField()
    #: the one host that all instances go to, or empty: the scheduler's choice
    destination = models.CharField(max_length=255, blank=True)
    #: each instance is asked to go to its planned host first; a refusal falls back
    follow_plan = models.BooleanField(default=False)
    #: whether instances that their owner locked are moved
    move_locked = models.BooleanField(default=True)
    requested_by_id = models.CharField(max_length=255)
    requested_by = models.CharField(max_length=255)

    state = models.CharField(
        max_length=16,
        default=DrainState.PENDING.value,
        choices=[(s.value, s.value) for s in DrainState],
    )
    result = models.CharField(max_length=32, blank=True)
    #: what the drain is doing or why it ended, in words
    message = MessageField()
    cancelled_by = models.CharField(max_length=255, blank=True)
    cancelling_since = models.DateTimeField(null=True)
    #: what was chosen with the cancel: whether what flies is aborted, or lands; whether the
    #: service is enabled again
    cancel_abort = models.BooleanField(default=False)
    cancel_enable = models.BooleanField(default=False)
    #: whether this drain disabled the service; another one may have before it
    did_disable = models.BooleanField(default=False)
    #: the window: not begun before; nothing new started after
    start_at = models.DateTimeField(null=True)
    stop_at = models.DateTimeField(null=True)
    #: what becomes of a migration that takes longer than its timeout
    timeout_action = models.CharField(
        max_length=16,
        default=TimeoutAction.WARN.value,
        choices=[(a.value, a.value) for a in TimeoutAction],
    )
    #: somebody asked for something on an instance that a worker has not answered yet
    errand = models.BooleanField(default=False)

    #: how many live migrations Nova ran at once here, when one more stayed queued
    learned_limit = models.PositiveIntegerField(null=True)
    #: Nova ran more at once than the drain wants: nothing may wait in its queue
    nova_runs_more = models.BooleanField(default=False)
    #: when the worker last looked at server groups and room for the sake of blocked instances
    looked_around_at = models.DateTimeField(null=True)
    #: since when only blocked instances are left; since when the proof is tried; since when the
    #: host is down; since when OpenStack does not answer
    blocked_since = models.DateTimeField(null=True)
    proving_since = models.DateTimeField(null=True)
    host_down_since = models.DateTimeField(null=True)
    cloud_down_since = models.DateTimeField(null=True)

    created_at = models.DateTimeField(db_index=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    #: raised by every change of the drain or of one of its rows; what a page polls for
    revision = models.PositiveBigIntegerField(default=1)

    #: the worker that has it, and until when
    claimed_by = models.CharField(max_length=255, blank=True)
    claimed_until = models.DateTimeField(null=True)
    next_pass_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"drain {self.pk} of {self.host}"

    @property
    def is_settled(self) -> bool:
        """Whether nothing more comes: it ended, and nothing is asked of Nova for its instances."""
        return self.state in DRAIN_TERMINAL and not self.errand


class InstanceMigration(models.Model):
    """One instance on its way off the host."""

    drain = models.ForeignKey(Drain, on_delete=models.CASCADE, related_name="migrations")
    server_id = models.CharField(max_length=36)
    server_name = models.CharField(max_length=255)
    project_id = models.CharField(max_length=64, blank=True)
    project_name = models.CharField(max_length=255, blank=True)
    flavor_name = models.CharField(max_length=255, blank=True)
    vcpus = models.PositiveIntegerField(default=0)
    memory_bytes = models.PositiveBigIntegerField(default=0)
    disk_bytes = models.PositiveBigIntegerField(default=0)
    #: the part of it that is on the host itself, and copied unless the hosts share storage
    local_disk_bytes = models.PositiveBigIntegerField(default=0)

    state = models.CharField(
        max_length=16,
        default=MigrationState.PENDING.value,
        choices=[(s.value, s.value) for s in MigrationState],
    )
    method = models.CharField(
        max_length=8, blank=True, choices=[(m.value, m.value) for m in Method if m.value]
    )
    #: the admin's own choice for this instance, and why
    choice = models.CharField(max_length=8, blank=True)
    note = models.CharField(max_length=255, blank=True)
    #: the hard anti-affinity group that it is in; no two of one group travel at a time
    group = models.CharField(max_length=36, blank=True)
    #: where the preflight's estimate would place it
    planned_host = models.CharField(max_length=255, blank=True)
    #: hosts that it is not sent to again, and the cause of the failure there (core.causes)
    unfit_hosts = models.JSONField(default=dict, blank=True)
    #: a stable word for the reason of the state, e.g. status_shutoff
    code = models.CharField(max_length=64, blank=True)
    #: why it stays, is blocked or failed; Nova's words where it has them
    message = MessageField()
    #: the order in which they are started, smallest first
    position = models.IntegerField(default=0)

    #: the server's status before the first attempt: what it must be again after arriving
    initial_status = models.CharField(max_length=32, blank=True)
    server_status = models.CharField(max_length=32, blank=True)
    task_state = models.CharField(max_length=64, blank=True)

    source_compute = models.CharField(max_length=255)
    dest_compute = models.CharField(max_length=255, blank=True)
    nova_status = models.CharField(max_length=32, blank=True)
    nova_migration_id = models.BigIntegerField(null=True)
    #: x-openstack-request-id of our POST: the key of its instance action
    request_id = models.CharField(max_length=64, blank=True)

    attempts = models.PositiveIntegerField(default=0)
    #: attempts that were granted on top of the setting's, by a retry
    granted = models.PositiveIntegerField(default=0)
    #: the host that an admin named for this instance, or empty
    destination = models.CharField(max_length=255, blank=True)
    #: what an admin, or a timeout, asks of Nova that no worker has done yet, see core.states.Wish;
    #: by whom, since when, and of which migration
    wish = models.CharField(max_length=16, blank=True)
    wish_by = models.CharField(max_length=255, blank=True)
    wish_at = models.DateTimeField(null=True)
    wish_migration_id = models.BigIntegerField(null=True)
    #: how often a worker asked Nova for it without an answer
    wish_tries = models.PositiveSmallIntegerField(default=0)
    #: what Nova made of the last wish, where it refused it
    answer = MessageField()
    #: the migration that Nova was asked to abort, for whom, and when Nova took it; NULL: it is
    #: not known whether it did
    aborted_migration_id = models.BigIntegerField(null=True)
    aborted_by = models.CharField(max_length=255, blank=True)
    aborted_at = models.DateTimeField(null=True)
    #: when Nova took our request to force this attempt through
    forced_at = models.DateTimeField(null=True)
    #: when this attempt took longer than its timeout
    timed_out_at = models.DateTimeField(null=True)
    #: what its timeout asked of Nova last in this attempt, see core.states.Wish
    timeout_asked = models.CharField(max_length=16, blank=True)
    #: Nova's record of this attempt was seen as cancelled, whatever it says now
    was_cancelled = models.BooleanField(default=False)
    #: recorded before the POST: the newest migration and instance action of the server by then,
    #: so that a newer one is known to be ours after a crash
    before_migration_id = models.BigIntegerField(null=True)
    before_action = models.CharField(max_length=64, blank=True)
    submitted_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    #: since when OpenStack puts off, without a word on the instance, what is requested for it
    put_off_since = models.DateTimeField(null=True)
    #: since when this attempt waits in Nova's queue
    queued_since = models.DateTimeField(null=True)
    #: since when this attempt runs, out of Nova's queue
    running_since = models.DateTimeField(null=True)
    #: when it was seen to take longer than its memory explains
    late_since = models.DateTimeField(null=True)
    #: since when an observation contradicts itself (completed, but still here)
    odd_since = models.DateTimeField(null=True)
    #: whether the compute service of the source was seen down during this attempt: `down` as it
    #: is now, `was_down` where it is up again, empty where it was up all the while
    source_service = models.CharField(max_length=8, blank=True)
    #: how often, and when last, Nova was asked to confirm a cold migration
    confirms = models.PositiveIntegerField(default=0)
    confirm_at = models.DateTimeField(null=True)

    memory_total_bytes = models.BigIntegerField(null=True)
    memory_processed_bytes = models.BigIntegerField(null=True)
    memory_remaining_bytes = models.BigIntegerField(null=True)
    disk_total_bytes = models.BigIntegerField(null=True)
    disk_remaining_bytes = models.BigIntegerField(null=True)
    #: bytes a second, smoothed; None until two samples differ
    rate_bytes = models.FloatField(null=True)
    #: 0 to 1, never falling within an attempt
    fraction = models.FloatField(null=True)
    sampled_at = models.DateTimeField(null=True)
    #: how the bytes went in this attempt, see core.convergence; whether it will end, see
    #: core.convergence.Verdict; and in how many seconds
    points = models.JSONField(default=list)
    course = models.CharField(max_length=16, blank=True)
    seconds_left = models.FloatField(null=True)

    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["drain_id", "position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["drain", "server_id"], name="maintenance_one_row_a_server"
            )
        ]
        indexes = [
            # what is under way in a region, and its newest that succeeded: looked at in every pass
            models.Index(fields=["state", "finished_at"], name="maintenance_by_state")
        ]

    def __str__(self) -> str:
        return f"{self.server_name} of drain {self.drain_id}"


class Event(models.Model):
    """What was asked and what was done: by whom, on what, with which outcome."""

    drain = models.ForeignKey(Drain, null=True, on_delete=models.CASCADE, related_name="events")
    maintenance = models.ForeignKey(
        HostMaintenance, null=True, on_delete=models.CASCADE, related_name="events"
    )
    migration = models.ForeignKey(
        InstanceMigration, null=True, on_delete=models.CASCADE, related_name="events"
    )
    at = models.DateTimeField(db_index=True)
    #: a stable word, e.g. drain_requested, service_disabled, submitted, failed
    kind = models.CharField(max_length=32)
    #: the admin, the shell's user, or the worker
    actor = models.CharField(max_length=255)
    #: Keystone's user id, or shell:<uid>: names are given anew, ids are not; empty for a worker
    actor_id = models.CharField(max_length=255, blank=True)
    message = MessageField()
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at}"


class Worker(models.Model):
    """A sign of life of one worker process."""

    name = models.CharField(max_length=255, unique=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)
    stopped_at = models.DateTimeField(null=True)
    #: the last thing that kept it from working, e.g. refused credentials; empty when all is well
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.name

"""The instances of a drain, each attempt to move one, and what was requested meanwhile."""

from django.db import models

from ..core.attempt import Requests, RequestView
from ..core.states import (
    Method,
    MigrationState,
    RequestKind,
    RequestOrigin,
    RequestState,
)
from ..message_field import MessageField
from ..stored_text import Words
from .drains import Drain


class InstanceMigration(models.Model):
    """One instance on its way off the host."""

    drain = models.ForeignKey(Drain, on_delete=models.CASCADE, related_name="migrations")
    server_id = models.CharField(max_length=36)
    server_name = Words(max_length=255)
    project_id = Words(max_length=64, blank=True)
    project_name = Words(max_length=255, blank=True)
    flavor_name = Words(max_length=255, blank=True)
    vcpus = models.PositiveIntegerField(default=0)
    memory_bytes = models.PositiveBigIntegerField(default=0)
    disk_bytes = models.PositiveBigIntegerField(default=0)
    #: the part of it that is on the host itself, and copied unless the hosts share storage
    local_disk_bytes = models.PositiveBigIntegerField(default=0)

    state = Words(
        max_length=16,
        default=MigrationState.PENDING.value,
        choices=[(s.value, s.value) for s in MigrationState],
    )
    method = Words(
        max_length=8, blank=True, choices=[(m.value, m.value) for m in Method if m.value]
    )
    #: the admin's own choice for this instance, and why
    choice = Words(max_length=8, blank=True)
    note = Words(max_length=255, blank=True)
    #: the hard anti-affinity group that it is in; no two of one group travel at a time
    group = models.CharField(max_length=36, blank=True)
    #: where the preflight's estimate would place it
    planned_host = Words(max_length=255, blank=True)
    #: hosts that it is not sent to again, and the cause of the failure there (core.causes)
    unfit_hosts = models.JSONField(default=dict, blank=True)
    #: the next attempt is the scheduler's: Nova refused the host that we chose
    fall_back = models.BooleanField(default=False)
    #: a stable word for the reason of the state, e.g. status_shutoff
    code = Words(max_length=64, blank=True)
    #: why it stays, is blocked or failed; Nova's words where it has them
    message = MessageField()
    #: the order in which they are started, smallest first
    position = models.IntegerField(default=0)

    #: the server's status before the first attempt: what it must be again after arriving
    initial_status = Words(max_length=32, blank=True)
    server_status = Words(max_length=32, blank=True)
    task_state = Words(max_length=64, blank=True)

    source_compute = models.CharField(max_length=255)
    #: where it is sent to, or is by now
    dest_compute = Words(max_length=255, blank=True)

    #: how often it was tried; what is decided on one attempt is not applied to the next
    attempts = models.PositiveIntegerField(default=0)
    #: attempts that were granted on top of the setting's, by a retry
    extra_attempts = models.PositiveIntegerField(default=0)
    newest_attempt = models.ForeignKey(
        "Attempt", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    #: the host that an admin named for this instance, or empty
    destination = models.CharField(max_length=255, blank=True)
    not_before = models.DateTimeField(null=True)
    #: since when OpenStack puts off, without a word on the instance, what is requested for it
    put_off_since = models.DateTimeField(null=True)
    #: since when an observation contradicts itself (completed, but still here)
    anomaly_since = models.DateTimeField(null=True)

    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    #: the drain's revision as of the last change of this row, its attempts and its requests: a
    #: page that has seen a revision is sent the rows of later ones
    revision = models.PositiveBigIntegerField(default=1)

    class Meta:
        ordering = ["drain_id", "position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["drain", "server_id"], name="maintenance_one_row_a_server"
            )
        ]
        indexes = [
            # those in progress in a region, and its newest that succeeded: looked at in every pass
            models.Index(fields=["state", "finished_at"], name="maintenance_by_state")
        ]

    def __str__(self) -> str:
        return f"{self.server_name} of drain {self.drain_id}"

    @property
    def attempt(self) -> "Attempt":
        """The newest attempt; a blank one, which is not to be changed, where there was none."""
        return self.newest_attempt or _NO_ATTEMPT

    @property
    def requests(self) -> Requests:
        """What was requested for it. One query, unless it was fetched with the row."""
        every = sorted(self.request_rows.all(), key=lambda r: r.pk)
        return Requests(tuple(r.view() for r in every), self.attempt.number)


class Attempt(models.Model):
    """One time that Nova was asked to move an instance, or to confirm a resize of it."""

    migration = models.ForeignKey(
        InstanceMigration, on_delete=models.CASCADE, related_name="attempt_rows"
    )
    #: from 1; one that was never sent is taken for the next
    number = models.PositiveIntegerField(default=0)
    method = Words(max_length=8, blank=True)
    source_compute = models.CharField(max_length=255, blank=True)
    #: the host that was requested, or empty: the scheduler's choice; and the one that Nova named
    asked_host = Words(max_length=255, blank=True)
    sent_to = Words(max_length=255, blank=True)
    #: recorded before the POST: the newest migration and instance action of the server by then,
    #: so that a newer one is known to be ours after a crash
    before_migration_id = models.BigIntegerField(null=True)
    before_action = Words(max_length=64, blank=True)
    #: NULL: it was not sent
    submitted_at = models.DateTimeField(null=True)
    #: x-openstack-request-id of our POST: the key of its instance action
    request_id = Words(max_length=64, blank=True)
    nova_migration_id = models.BigIntegerField(null=True)
    nova_status = Words(max_length=32, blank=True)
    #: Nova's record was seen as cancelled, whatever it says now
    was_cancelled = models.BooleanField(default=False)
    #: since when it waits in Nova's queue; since when it runs, out of the queue
    queued_since = models.DateTimeField(null=True)
    running_since = models.DateTimeField(null=True)
    #: when it was seen to take longer than its memory explains, and longer than its timeout
    late_since = models.DateTimeField(null=True)
    timed_out_at = models.DateTimeField(null=True)
    #: whether the compute service of the source was seen down during it: `down` as it is now,
    #: `was_down` where it is up again, empty where it was up all the while
    source_service = Words(max_length=8, blank=True)
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
    #: 0 to 1, never falling
    fraction = models.FloatField(null=True)
    sampled_at = models.DateTimeField(null=True)
    #: how the bytes go, see core.convergence; whether it will end, see core.convergence.Verdict;
    #: and in how many seconds
    points = models.JSONField(default=list)
    course = Words(max_length=16, blank=True)
    seconds_left = models.FloatField(null=True)
    #: what this pass copies, where it copies what was written since; NULL in the first pass
    pass_bytes = models.BigIntegerField(null=True)

    #: when and how it ended, see core.states.Result; and what was said of it then
    ended_at = models.DateTimeField(null=True)
    result = Words(max_length=16, blank=True)
    code = Words(max_length=64, blank=True)
    message = MessageField()

    class Meta:
        ordering = ["migration_id", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["migration", "number"], name="maintenance_one_row_an_attempt"
            )
        ]
        indexes = [
            # how long those took that succeeded of late
            models.Index(fields=["result", "ended_at"], name="maintenance_by_result")
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.migration_id}"


#: One for all: a page with hundreds of instances that wait is drawn from it every two seconds.
_NO_ATTEMPT = Attempt()


class Request(models.Model):
    """An abort, force complete or reset that was requested for one instance; a worker asks Nova."""

    migration = models.ForeignKey(
        InstanceMigration, on_delete=models.CASCADE, related_name="request_rows"
    )
    #: the number of the attempt that it is about; 0: there was none
    attempt_number = models.PositiveIntegerField(default=0)
    kind = Words(max_length=16, choices=[(k.value, k.value) for k in RequestKind])
    #: an admin, whose name follows, or the drain itself
    origin = Words(max_length=8, choices=[(o.value, o.value) for o in RequestOrigin])
    requested_by = Words(max_length=255, blank=True)
    requested_at = models.DateTimeField()
    #: of which migration of Nova's; NULL: Nova told none yet
    nova_migration_id = models.BigIntegerField(null=True)
    state = Words(
        max_length=16,
        default=RequestState.OPEN.value,
        choices=[(s.value, s.value) for s in RequestState],
    )
    #: `migration_id` while it is open, else NULL: at most one is open for an instance
    open_key = models.BigIntegerField(null=True, unique=True, editable=False)
    #: how often, and when last, Nova was asked; when it took it
    tries = models.PositiveSmallIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)
    #: what Nova made of it, where it did not take it; and its own id of the request
    answer = MessageField()
    request_id = Words(max_length=64, blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} for {self.migration_id}"

    def view(self) -> RequestView:
        """It as a value."""
        return RequestView(
            kind=self.kind,
            origin=self.origin,
            requested_by=self.requested_by,
            requested_at=self.requested_at,
            attempt=self.attempt_number,
            nova_migration_id=self.nova_migration_id,
            state=self.state,
            tries=self.tries,
            tried_at=self.tried_at,
            taken_at=self.taken_at,
            answer=self.answer,
            request_id=self.request_id,
            id=self.pk,
        )

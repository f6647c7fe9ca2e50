"""Drains, and plans of several."""

from django.db import models

from ..core.states import DRAIN_TERMINAL, Direction, DrainState, TimeoutAction
from ..message_field import MessageField
from ..stored_text import Words
from .hosts import HostMaintenance


class Plan(models.Model):
    """Several hosts that are drained as one: all are disabled before the first instance moves."""

    region = models.CharField(max_length=255)
    reason = models.CharField(max_length=255)
    #: hosts whose instances move at a time; 0: all
    hosts_at_once = models.PositiveIntegerField(default=0)
    requested_by_id = Words(max_length=255)
    requested_by = Words(max_length=255)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"plan {self.pk}"


class Drain(models.Model):
    """One request to empty one host, or to bring instances back to it."""

    #: away from the host, or back to it after its return to service
    direction = Words(
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
    #: the one host that all instances go to, or empty
    destination = models.CharField(max_length=255, blank=True)
    #: each instance is asked to go where the hosts stay even, worked out anew each time; a refusal
    #: leaves it to the scheduler. False: all are left to it
    follow_estimate = models.BooleanField(default=True)
    #: whether instances that their owner locked are moved
    move_locked = models.BooleanField(default=True)
    requested_by_id = Words(max_length=255)
    requested_by = Words(max_length=255)

    state = Words(
        max_length=16,
        default=DrainState.PENDING.value,
        choices=[(s.value, s.value) for s in DrainState],
    )
    result = Words(max_length=32, blank=True)
    #: what the drain is doing or why it ended, in words
    message = MessageField()
    cancelled_by = Words(max_length=255, blank=True)
    cancelling_since = models.DateTimeField(null=True)
    #: what was chosen with the cancel: whether what is in progress is aborted, or finishes; and
    #: whether the service is enabled again
    cancel_abort = models.BooleanField(default=False)
    cancel_enable = models.BooleanField(default=False)
    #: whether this drain disabled the service; another one may have before it
    did_disable = models.BooleanField(default=False)
    #: the window: not begun before; nothing new started after
    start_at = models.DateTimeField(null=True)
    stop_at = models.DateTimeField(null=True)
    #: what becomes of a migration that takes longer than its timeout
    timeout_action = Words(
        max_length=16,
        default=TimeoutAction.WARN.value,
        choices=[(a.value, a.value) for a in TimeoutAction],
    )

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
    #: the instances that somebody was told need a person, by id, and when: see core.drain.telling
    needs_told = models.JSONField(default=list)
    needs_told_at = models.DateTimeField(null=True)

    created_at = models.DateTimeField(db_index=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    #: raised by every change of the drain or of one of its rows; what a page polls for
    revision = models.PositiveBigIntegerField(default=1)

    #: the worker that has it, and until when
    claimed_by = Words(max_length=255, blank=True)
    claimed_until = models.DateTimeField(null=True)
    next_pass_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"drain {self.pk} of {self.host}"

    @property
    def is_settled(self) -> bool:
        """Whether nothing more comes: it ended, and nothing is requested for its instances. One
        query where it ended."""
        if self.state not in DRAIN_TERMINAL:
            return False
        return not self.migrations.filter(request_rows__open_key__isnull=False).exists()

"""What happened, who is told of it, and which workers are alive."""

from django.db import models

from ..message_field import MessageField
from ..stored_text import Words, new_number
from .drains import Drain
from .hosts import HostMaintenance
from .instances import InstanceMigration
from .runs import Run


class Event(models.Model):
    """What was asked and what was done: by whom, on what, with which outcome."""

    drain = models.ForeignKey(Drain, null=True, on_delete=models.CASCADE, related_name="events")
    maintenance = models.ForeignKey(
        HostMaintenance, null=True, on_delete=models.CASCADE, related_name="events"
    )
    migration = models.ForeignKey(
        InstanceMigration, null=True, on_delete=models.CASCADE, related_name="events"
    )
    run = models.ForeignKey(Run, null=True, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(db_index=True)
    #: a stable word, e.g. drain_requested, service_disabled, submitted, failed
    kind = Words(max_length=32)
    #: the admin, the shell's user, or the worker
    actor = Words(max_length=255)
    #: Keystone's user id, or shell:<uid>: names are given anew, ids are not; empty for a worker
    actor_id = Words(max_length=255, blank=True)
    message = MessageField()
    request_id = Words(max_length=64, blank=True)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at}"


class Notice(models.Model):
    """An event that somebody is told of: written in the transaction of the event, replaced by one
    for each receiver that wants it, and delivered in the order of their ids.

    A receiver is known by its name alone: its address is a secret, and in the settings.
    """

    #: not handed to the receivers yet; waits for its delivery; delivered; given up
    NEW, QUEUED, SENT, FAILED = "new", "queued", "sent", "failed"

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="notices")
    receiver = models.CharField(max_length=64, blank=True)
    #: the same in each attempt: a receiver that gets two of one number was told once
    delivery = models.CharField(max_length=36, unique=True, editable=False, default=new_number)
    state = models.CharField(max_length=8, default=NEW)
    attempts = models.PositiveIntegerField(default=0)
    #: the next attempt is not before that
    next_at = models.DateTimeField(null=True)
    #: when it was delivered or given up
    done_at = models.DateTimeField(null=True)
    #: why the last attempt failed
    problem = MessageField()
    #: the worker that delivers it, and until when
    claimed_by = Words(max_length=255, blank=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["state", "receiver"], name="notice_queue")]

    def __str__(self) -> str:
        return f"{self.event.kind} to {self.receiver or 'all'}"


class Worker(models.Model):
    """A sign of life of one worker process."""

    name = Words(max_length=255, unique=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)
    #: when it said goodbye; the same as `seen_at`: it did not, and somebody was told that it is
    #: silent
    stopped_at = models.DateTimeField(null=True)
    #: the last thing that kept it from working, e.g. refused credentials; None when all is well
    problem = MessageField()

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.name

"""What happened, and which workers are alive."""

from django.db import models

from ..message_field import MessageField
from ..stored_text import Words
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


class Worker(models.Model):
    """A sign of life of one worker process."""

    name = Words(max_length=255, unique=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)
    stopped_at = models.DateTimeField(null=True)
    #: the last thing that kept it from working, e.g. refused credentials; None when all is well
    problem = MessageField()

    class Meta:
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.name

"""Rolling runs: their hosts, and what was done with each."""

from django.db import models

from ..core.run.domains import DomainKind
from ..core.run.order import Order
from ..core.run.states import (
    ActionKind,
    ActionState,
    Approval,
    OnFailure,
    RunState,
    Stage,
)
from ..core.states import TimeoutAction
from ..message_field import MessageField
from ..stored_text import Passage, Words
from .drains import Drain
from .hosts import HostMaintenance


class Run(models.Model):
    """Hosts that are drained, acted on and returned one after the other."""

    region = models.CharField(max_length=255)
    reason = models.CharField(max_length=255)
    requested_by_id = Words(max_length=255)
    requested_by = Words(max_length=255)
    state = Words(
        max_length=16,
        default=RunState.RUNNING.value,
        choices=[(s.value, s.value) for s in RunState],
    )
    #: what it waits for, or why it ended
    message = MessageField()
    #: since when no host begins for a reason of the kind that the message says, see core.run.holds
    held_since = models.DateTimeField(null=True)

    #: the name of the action in the settings; empty: by hand
    action = models.CharField(max_length=64, blank=True)
    #: the most hosts that are out at a time, and of one failure domain; 0: as many
    at_once = models.PositiveIntegerField(default=1)
    domain = Words(
        max_length=16,
        default=DomainKind.ZONE.value,
        choices=[(d.value, d.value) for d in DomainKind],
    )
    per_domain = models.PositiveIntegerField(default=0)
    #: the aggregates that are failure domains, where those are aggregates
    aggregates = models.JSONField(default=list)
    order = Words(
        max_length=16, default=Order.BY_HAND.value, choices=[(o.value, o.value) for o in Order]
    )
    #: when hosts may begin, each in words that core.run.windows understands; none: always
    windows = models.JSONField(default=list)
    on_failure = Words(
        max_length=8, default=OnFailure.STOP.value, choices=[(o.value, o.value) for o in OnFailure]
    )
    #: how many may fail where it goes on
    failures = models.PositiveIntegerField(default=0)
    approval = Words(
        max_length=8, default=Approval.NONE.value, choices=[(a.value, a.value) for a in Approval]
    )
    bring_back = models.BooleanField(default=False)

    #: what each of its drains is requested with
    max_concurrent = models.PositiveIntegerField()
    follow_estimate = models.BooleanField(default=True)
    move_locked = models.BooleanField(default=True)
    timeout_action = Words(max_length=16, default=TimeoutAction.WARN.value)

    #: what was wrong already when it was requested: hosts that were down, instances in ERROR
    found_down = models.JSONField(default=list)
    found_in_error = models.JSONField(default=list)

    #: the machine of the worker on which a command of it runs; only a worker there can look
    machine = Words(max_length=255, blank=True)
    created_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    #: raised by every change that a page shows
    revision = models.PositiveBigIntegerField(default=1)
    #: the worker that has it, and until when
    claimed_by = Words(max_length=255, blank=True)
    claimed_until = models.DateTimeField(null=True)
    next_pass_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"run {self.pk}"


class RunHost(models.Model):
    """One host of a run."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="hosts")
    position = models.PositiveIntegerField()
    host = models.CharField(max_length=255)
    host_key = models.CharField(max_length=64, db_index=True)
    #: `host_key` until the run is done with it, else NULL: a host is in one run at a time
    open_key = models.CharField(max_length=64, null=True, unique=True, editable=False)
    #: what fails together with it, see core.run.states.Domain
    domains = models.JSONField(default=list)
    #: how many instances it had when the run was requested
    instances = models.PositiveIntegerField(default=0)
    #: how long it was forecast to take then, in seconds
    seconds = models.FloatField(default=0)

    stage = Words(
        max_length=16, default=Stage.WAITING.value, choices=[(s.value, s.value) for s in Stage]
    )
    since = models.DateTimeField()
    failed_in = Words(max_length=16, blank=True)
    #: it failed, and a person went on without it
    is_accepted = models.BooleanField(default=False)
    #: the tries of its action before a person had it tried again
    tries_before = models.PositiveIntegerField(default=0)
    #: a person asked to leave it out
    is_unwanted = models.BooleanField(default=False)
    approved_at = models.DateTimeField(null=True)
    approved_by = Words(max_length=255, blank=True)
    #: what it waits for, or how it ended
    message = MessageField()

    drain = models.ForeignKey(Drain, null=True, on_delete=models.SET_NULL, related_name="run_hosts")
    maintenance = models.ForeignKey(
        HostMaintenance, null=True, on_delete=models.SET_NULL, related_name="run_hosts"
    )
    #: as found before the action: the hypervisor's uptime (seconds) and version, and whether its
    #: network agents were up; and what is kept of its canary, see core.run.canary
    before = models.JSONField(default=dict)
    #: when its service was first seen down since the action began, and since when it is up again
    down_at = models.DateTimeField(null=True)
    up_since = models.DateTimeField(null=True)
    #: when the checks after the action held
    checked_at = models.DateTimeField(null=True)
    #: what they found wrong
    objection = MessageField()

    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return f"{self.host} in run {self.run_id}"


class RunAction(models.Model):
    """One try of the action on a host, or a person's turn with it."""

    host = models.ForeignKey(RunHost, on_delete=models.CASCADE, related_name="actions")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=64, blank=True)
    kind = Words(max_length=16, choices=[(k.value, k.value) for k in ActionKind])
    state = Words(
        max_length=16,
        default=ActionState.INTENDED.value,
        choices=[(s.value, s.value) for s in ActionState],
    )
    #: unguessable: names the record of a command, and the delivery of a webhook
    token = models.CharField(max_length=36, unique=True)
    #: where a command runs
    machine = Words(max_length=255, blank=True)
    #: which directory of records has it, see actions.records.place
    place = models.CharField(max_length=64, blank=True)
    #: where the end of a webhook's work is asked for; empty: it is reported
    poll_url = Passage(blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)
    #: who said that it is done
    done_by = Words(max_length=255, blank=True)
    #: what a command has written, its middle left out where that is much
    output = Passage(blank=True)
    message = MessageField()

    class Meta:
        ordering = ["number", "id"]
        constraints = [
            models.UniqueConstraint(fields=["host", "number"], name="one_action_of_a_number")
        ]

    def __str__(self) -> str:
        return f"action {self.number} on {self.host}"

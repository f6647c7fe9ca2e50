"""Hosts in maintenance, and the turn of a region."""

import hashlib

from django.db import models

from ..message_field import MessageField
from ..stored_text import Words


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
    found_status = Words(max_length=16)
    found_reason = Words(max_length=255, blank=True)
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
    #: when it was last found to be no longer safe, and why
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_why = MessageField()

    #: since when the host is being returned, who asked, and what becomes of the service: see
    #: core.states.ReturnChoice
    returning_since = models.DateTimeField(null=True)
    returned_by = Words(max_length=255, blank=True)
    return_choice = Words(max_length=8, blank=True)
    #: when we were about to ask Nova to enable the service, and when Nova took that
    enabling_since = models.DateTimeField(null=True)
    enabled_at = models.DateTimeField(null=True)
    #: how it ended, see core.states.ReturnResult; and what is going on or how it ended, in words
    return_result = Words(max_length=16, blank=True)
    message = MessageField()

    #: raised by every change that a page shows
    revision = models.PositiveBigIntegerField(default=1)
    #: the worker that has it, and until when
    claimed_by = Words(max_length=255, blank=True)
    claimed_until = models.DateTimeField(null=True)
    next_pass_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-opened_at", "-id"]

    def __str__(self) -> str:
        return f"maintenance of {self.host}"


class Turn(models.Model):
    """One row a region: whoever asks for a drain in it changes the row first, so that one asks at a
    time. What two ask for can stand against each other although they write different rows: a
    drain of one host, and one that sends instances there.
    """

    #: `host_key` of the region and no host
    region_key = models.CharField(max_length=64, unique=True)
    taken = models.PositiveBigIntegerField(default=0)

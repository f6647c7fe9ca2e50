"""The inventory: what Nova listed of a region's hypervisors, so that a page of a large region does
not wait until Nova has listed a thousand of them."""

from django.db import models

from ..stored_text import Words


class Inventory(models.Model):
    """One row a region: how far the worker is with its round over Nova's list of hypervisors.

    What it says is shown, and is what a preflight finds the hosts of resource providers by.
    Nothing of a drain is decided by it alone.
    """

    #: `host_key` of the region and no host
    region_key = models.CharField(max_length=64, unique=True)
    region = models.CharField(max_length=255)
    #: the hosts of the compute services, as listed when the last whole round began: one of them
    #: without a hypervisor has none
    hosts = models.JSONField(default=list)
    #: of each host the vCPUs that are allocated, and those that may be, by Placement at the end of
    #: that round; empty: it did not answer
    vcpus = models.JSONField(default=dict)
    #: the hosts of the round that is being made
    hosts_next = models.JSONField(default=list)
    #: the hypervisor that the next page comes after, and the number of that page; empty and 0: a
    #: round begins
    marker = Words(max_length=255, blank=True)
    number = models.PositiveIntegerField(default=0)
    #: how many pages the last whole round had, and when it ended; NULL: there was none
    pages = models.PositiveIntegerField(default=0)
    complete_at = models.DateTimeField(null=True)
    #: the worker that reads the next page now, and until when
    claimed_by = Words(max_length=255, blank=True)
    claimed_until = models.DateTimeField(null=True)
    next_step_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"inventory of {self.region}"


class InventoryPage(models.Model):
    """One page of Nova's list. A hypervisor that moves from one page to the next one before is on
    both for a while."""

    inventory = models.ForeignKey(Inventory, on_delete=models.CASCADE, related_name="page_rows")
    number = models.PositiveIntegerField()
    read_at = models.DateTimeField()
    #: the fields of `core.facts.Hypervisor`, in their order
    hypervisors = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["inventory", "number"], name="inventory_page_once")
        ]

    def __str__(self) -> str:
        return f"page {self.number} of {self.inventory}"

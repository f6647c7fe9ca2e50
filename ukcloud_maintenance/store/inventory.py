"""The inventory of a region's hypervisors: kept by one worker at a time, read by pages."""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import Q, QuerySet

from ..core.facts import VCPUS, Capacity, Hypervisor
from ..models import Inventory, InventoryPage, host_key
from .clock import SLACK
from .workers import LONGEST_PAUSE, free_claim

#: An inventory that nobody has kept for so long is of a region that is no more, or was renamed.
_FORGOTTEN_AFTER = timedelta(days=1)
#: An inventory that is older is not shown: Nova is asked for its whole list.
_TOO_OLD = timedelta(minutes=3)
#: As many fields as this release knows: a worker of another one may write more or fewer.
_KNOWN = len(fields(Hypervisor))


@dataclass(frozen=True)
class Hypervisors:
    """What Nova listed of a region's hypervisors, page by page.

    :param by_host: those of each host, in Nova's order
    :param hosts: of all compute services when the round began; one without a hypervisor has none
    :param read_at: when the oldest of it was read
    :param capacity: the vCPUs of each host by Placement, and nothing else of it
    """

    by_host: Mapping[str, tuple[Hypervisor, ...]]
    hosts: frozenset[str]
    read_at: datetime
    capacity: Mapping[str, Capacity] = field(default_factory=dict)

    def of(self, host: str) -> tuple[Hypervisor, ...]:
        return self.by_host.get(host, ())

    @property
    def all(self) -> list[Hypervisor]:
        return [one for found in self.by_host.values() for one in found]


def inventory(region: str, now: datetime) -> Hypervisors | None:
    """The inventory of exactly this region; None where no worker has kept it up to now, where there
    was no whole round yet, and where a page was read later than now: the clock was set back since.
    Two queries."""
    head = Inventory.objects.filter(region_key=host_key(region, ""), complete_at__isnull=False)
    found = head.values_list("pk", "hosts", "vcpus", "complete_at").first()
    if found is None:
        return None
    key, hosts, vcpus, complete_at = found
    rows = _pages(key)
    if not rows or rows[0][0] < now - _TOO_OLD or rows[-1][0] > now + SLACK:
        return None
    by_host: dict[str, tuple[Hypervisor, ...]] = {}
    for one in _each(rows):
        by_host[one.host] = (*by_host.get(one.host, ()), one)
    capacity = {
        host: Capacity({VCPUS: total}, {VCPUS: used}) for host, (used, total) in vcpus.items()
    }
    return Hypervisors(by_host, frozenset(hosts), min(rows[0][0], complete_at), capacity)


def listed(head: Inventory) -> list[Hypervisor]:
    """Those of all pages, also of one whose first round is not over."""
    return _each(_pages(head.pk))


def _pages(key: int) -> list[tuple[datetime, list[Any]]]:
    pages = InventoryPage.objects.filter(inventory=key).order_by("read_at")
    return list(pages.values_list("read_at", "hypervisors"))


def _each(pages: Iterable[tuple[datetime, list[Any]]]) -> list[Hypervisor]:
    # one that is on two pages was read twice: the later one counts
    return list({one[0]: Hypervisor(*one[:_KNOWN]) for _, page in pages for one in page}.values())


def claim_inventory(
    region: str, worker: str, now: datetime, lease_seconds: float
) -> Inventory | None:
    """Take the inventory of a region, if its next page is due and nobody has it."""
    key = host_key(region, "")
    latest = now + timedelta(seconds=LONGEST_PAUSE)
    due = Q(next_step_at=None) | Q(next_step_at__lte=now) | Q(next_step_at__gt=latest)
    mine = Inventory.objects.filter(free_claim(now, lease_seconds), due, region_key=key)
    claim = {"claimed_by": worker, "claimed_until": now + timedelta(seconds=lease_seconds)}
    if not mine.update(**claim):
        if Inventory.objects.filter(region_key=key).exists():
            return None
        _create(region, key)
        if not mine.update(**claim):
            return None
    return Inventory.objects.get(region_key=key)


def _create(region: str, key: str) -> None:
    """The row of a region, once. Of several workers that create it at the same moment MariaDB may
    refuse all but one as a deadlock, and asks for the same again."""
    for last in (False, False, True):
        try:
            Inventory.objects.get_or_create(region_key=key, defaults={"region": region})
            return
        except OperationalError:
            if last:
                raise


def begin_round(head: Inventory, worker: str, hosts: Iterable[str]) -> bool:
    """A round over the list begins; whether this worker still has the inventory."""
    head.hosts_next, head.marker, head.number = sorted(hosts), "", 0
    return _held(head, worker).update(hosts_next=head.hosts_next, marker="", number=0) == 1


def keep_page(
    head: Inventory,
    worker: str,
    hypervisors: Iterable[Hypervisor],
    read_at: datetime,
    capacity: Mapping[str, Capacity] | None = None,
) -> bool:
    """The next page of the round, or with none the end of it; whether it was kept: not where
    another worker has the inventory by now.

    :param read_at: when Nova was asked
    :param capacity: at the end, what Placement says of each host; None: it does not answer
    """
    found = [astuple(one) for one in hypervisors]
    with transaction.atomic():
        if found:
            changes = {"marker": found[-1][0], "number": head.number + 1}
        else:
            changes = {
                **{"marker": "", "number": 0, "pages": head.number, "complete_at": read_at},
                "hosts": head.hosts_next,
                "vcpus": {
                    host: (one.used.get(VCPUS, 0), one.total[VCPUS])
                    for host, one in (capacity or {}).items()
                    if one.total.get(VCPUS)
                },
            }
        # the head first: whoever holds it writes the page
        if not _held(head, worker).filter(number=head.number).update(**changes):
            return False
        if found:
            InventoryPage.objects.update_or_create(
                inventory=head,
                number=head.number,
                defaults={"hypervisors": found, "read_at": read_at},
            )
        else:
            InventoryPage.objects.filter(inventory=head, number__gte=head.number).delete()
    for name, value in changes.items():
        setattr(head, name, value)
    return True


def restart_round(head: Inventory, worker: str) -> None:
    """The list changed so that its next page cannot be told: the round begins anew."""
    _held(head, worker).update(marker="", number=0)


def release_inventory(head: Inventory, worker: str, next_step_at: datetime) -> None:
    """Give it back; any worker reads the next page, then."""
    _held(head, worker).update(claimed_by="", claimed_until=None, next_step_at=next_step_at)


def forget_inventories(now: datetime) -> None:
    """Remove those that no worker keeps any longer."""
    kept = Q(next_step_at__gte=now - _FORGOTTEN_AFTER) | Q(next_step_at=None)
    Inventory.objects.exclude(kept).delete()


def _held(head: Inventory, worker: str) -> QuerySet[Inventory]:
    return Inventory.objects.filter(pk=head.pk, claimed_by=worker)

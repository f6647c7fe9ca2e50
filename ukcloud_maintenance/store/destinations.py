"""One at a time in a region, and no host drained that is a destination."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from ..core.states import MIGRATION_WAITING, Direction, DrainState
from ..models import Drain, HostMaintenance, InstanceMigration, Turn, host_key
from .draining import drains, open_drain_of
from .hosts import open_maintenance
from .refusals import DestinationAway, IsDestination


def all_or_none() -> AbstractContextManager[None]:
    """A block in which all rows are written, or none."""
    return transaction.atomic()


@contextmanager
def in_turn(region: str) -> Iterator[None]:
    """A block in which drains of a region are requested: all rows are written, or none, and nobody
    else is in such a block of the region. It begins with a write, as every transaction (see
    `touch`), and takes its lock before all others."""
    turn = Turn.objects.filter(region_key=host_key(region, ""))
    if not turn.exists():
        Turn.objects.get_or_create(region_key=host_key(region, ""))
    with transaction.atomic():
        turn.update(taken=F("taken") + 1)
        yield


def check_destination(region: str, host: str) -> None:
    """:raises DestinationAway: the host is being drained, or about to be, or in maintenance"""
    found = open_drain_of(region, host)
    if found and found.direction == Direction.AWAY:
        raise DestinationAway(host, found)
    if open_maintenance(region, host):
        raise DestinationAway(host, None)


def check_no_destination(region: str, host: str) -> None:
    """What is on its way to the host already is no reason, and neither is the estimate of a drain
    that follows it: both are seen to by the worker.

    :raises IsDestination: an open drain was told to send instances to exactly this host
    """
    if sender := _senders(region).get(host):
        raise IsDestination(sender)


@dataclass(frozen=True)
class Standing:
    """What stands against drains of the hosts of a region, by host.

    :param drains: the drain in progress of the host
    :param maintenances: the open maintenance of the host
    :param senders: an open drain that was told to send instances to the host
    """

    drains: Mapping[str, Drain]
    maintenances: Mapping[str, HostMaintenance]
    senders: Mapping[str, Drain]


def standing(region: str) -> Standing:
    """What stands against a drain of any host of a region: four queries, however many hosts."""
    in_progress = drains(region).filter(open_key__isnull=False)
    kept = HostMaintenance.objects.filter(region=region, open_key__isnull=False)
    # Compared to the letter here, as a database may take two spellings for the same.
    return Standing(
        {drain.host: drain for drain in in_progress if drain.region == region},
        {one.host: one for one in kept if one.region == region},
        _senders(region),
    )


def _senders(region: str) -> dict[str, Drain]:
    """The open drains that were told to send instances to a host, by that host; one that sends
    all goes before one that sends some. Two queries."""
    sends = Drain.objects.filter(region=region, open_key__isnull=False, direction=Direction.AWAY)
    sends = sends.exclude(state=DrainState.CANCELLING)
    found: dict[str, Drain] = {}
    for one in sends.exclude(destination=""):
        found.setdefault(one.destination, one)
    rows = InstanceMigration.objects.filter(
        drain__in=sends, state__in=[s.value for s in MIGRATION_WAITING]
    ).exclude(destination="")
    for row in rows.select_related("drain"):
        found.setdefault(row.destination, row.drain)
    return found

"""What is in progress in a region."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import Count, Q

from ..core.preflight.beside import Waiting
from ..core.preflight.needs import GIB, MIB
from ..core.states import MIGRATION_IN_PROGRESS, Direction, DrainState, Method, MigrationState
from ..models import Drain, InstanceMigration


def travelling_groups(drain: Drain) -> frozenset[str]:
    """The anti-affinity groups of which a member is in progress in another drain of the region."""
    return frozenset(
        InstanceMigration.objects.filter(
            drain__region=drain.region, state__in=[s.value for s in MIGRATION_IN_PROGRESS]
        )
        .exclude(group="")
        .exclude(drain=drain)
        .values_list("group", flat=True)
    )


@dataclass(frozen=True)
class Traffic:
    """What is in progress in a region, by our own record.

    :param total: migrations of all drains
    :param inbound: by destination, where Nova has told it
    :param anywhere: those whose destination is not known yet
    """

    total: int = 0
    inbound: Mapping[str, int] = field(default_factory=dict)
    anywhere: int = 0


#: what a row tells of what an instance needs
_SIZES = ("vcpus", "memory_bytes", "local_disk_bytes")


def _amounts(vcpus: int, memory_bytes: int, disk_bytes: int) -> dict[str, int]:
    """In Placement's units."""
    return {
        "VCPU": vcpus,
        "MEMORY_MB": memory_bytes // MIB,
        "DISK_GB": math.ceil(disk_bytes / GIB),
    }


@dataclass(frozen=True)
class Sent:
    """A migration that was sent to a host, and what comes in Placement's units."""

    server_id: str
    host: str
    amounts: Mapping[str, int]


def waiting(region: str) -> list[Waiting]:
    """What the open drains of a region are still to migrate, bring-backs included. One query.

    One whose resize is to be confirmed is left out: it may be elsewhere already.
    """
    rows = InstanceMigration.objects.filter(
        state=MigrationState.PENDING, drain__region=region, drain__open_key__isnull=False
    )
    rows = rows.exclude(drain__state=DrainState.CANCELLING).exclude(method=Method.CONFIRM)
    found = []
    of_drain = ("drain__host", "drain__direction", "drain__destination")
    of_one = ("server_id", "source_compute", "destination")
    for drained, direction, to_all, server_id, source, to, *sizes in rows.values_list(
        *of_drain, *of_one, *_SIZES
    ):
        back = drained if direction == Direction.BACK else ""
        found.append(Waiting(server_id, drained, source, back or to or to_all, _amounts(*sizes)))
    return found


def sent_unseen(region: str) -> list[Sent]:
    """The migrations of a region that were sent to a host, and of which Nova has not told that it
    was chosen. One query."""
    unseen = Q(state=MigrationState.SUBMITTED) | Q(
        state=MigrationState.MIGRATING, newest_attempt__nova_status__in=["", "accepted"]
    )
    rows = InstanceMigration.objects.filter(unseen, drain__region=region).exclude(dest_compute="")
    return [
        Sent(server_id, host, _amounts(*sizes))
        for server_id, host, *sizes in rows.values_list("server_id", "dest_compute", *_SIZES)
    ]


def in_progress_to(region: str) -> dict[str, str]:
    """Where the servers of a region go that are in progress, by id, as far as that is known. One
    query."""
    rows = InstanceMigration.objects.filter(
        drain__region=region, state__in=[s.value for s in MIGRATION_IN_PROGRESS]
    )
    return dict(rows.exclude(dest_compute="").values_list("server_id", "dest_compute"))


def traffic(region: str) -> Traffic:
    """How much is in progress in a region: one query."""
    rows = (
        InstanceMigration.objects.filter(
            drain__region=region,
            state__in=[MigrationState.SUBMITTED.value, MigrationState.MIGRATING.value],
        )
        .order_by()
        .values_list("dest_compute")
        .annotate(n=Count("id"))
    )
    found = dict(rows)
    anywhere = found.pop("", 0)
    return Traffic(sum(found.values()) + anywhere, found, anywhere)

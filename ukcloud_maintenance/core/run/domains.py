"""How many hosts may be out of service at once, in all and in each failure domain.

A failure domain is what one fault may take away, or what people keep apart for that reason: an
availability zone, or a host aggregate such as a rack. A host is *out* from the moment at which its
drain begins until it is back in service, or has failed: how many of those there may be is counted
by itself.
"""

from collections.abc import Collection
from dataclasses import dataclass

from ..backports import StrEnum
from ..message import Message, message, some

#: The codes by which `may_go_out` says that others are out.
OTHERS_OUT = frozenset(
    {
        *("hosts_out_limit", "zone_out_limit", "aggregate_out_limit"),
        *("zones_out_limit", "aggregates_out_limit"),
    }
)


class DomainKind(StrEnum):
    """What counts as a failure domain."""

    ZONE = "zone"  # each availability zone
    AGGREGATE = "aggregate"  # each of the aggregates that are named
    NONE = "none"  # nothing: the region is one


@dataclass(frozen=True)
class Place:
    """A host and what it belongs to.

    :param host: service.host
    :param zone: its availability zone
    :param aggregates: names of all its host aggregates
    """

    host: str
    zone: str = ""
    aggregates: frozenset[str] = frozenset()


@dataclass(frozen=True)
class OutLimits:
    """How many hosts may be out at a time.

    :param at_once: in all, at least 1
    :param per_domain: in each failure domain, at least 1
    :param domains: in how many failure domains at a time; None: in any number
    :param kind: what a failure domain is
    :param aggregates: those that are failure domains, by name; the others count for nothing
    """

    at_once: int = 1
    per_domain: int = 1
    domains: int | None = 1
    kind: DomainKind = DomainKind.ZONE
    aggregates: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        limits = (self.at_once, self.per_domain, 1 if self.domains is None else self.domains)
        if min(limits) < 1:
            raise ValueError(f"{limits=}")
        if self.kind == DomainKind.AGGREGATE and not self.aggregates:
            raise ValueError(f"{self.aggregates=}")

    def domains_of(self, place: Place) -> frozenset[str]:
        """The failure domains of a host; none where it is in none of the aggregates that count,
        and then it is held back by `at_once` alone."""
        if self.kind == DomainKind.ZONE:
            return frozenset({place.zone})
        if self.kind == DomainKind.AGGREGATE:
            return place.aggregates & self.aggregates
        return frozenset()


def may_go_out(place: Place, out: Collection[Place], limits: OutLimits) -> Message | None:
    """Why a host may not go out of service now; None where it may.

    :param out: all hosts that are out now
    """
    hosts = sorted({one.host for one in out})
    if place.host in hosts:
        return message("host_is_out", host=place.host)
    if len(hosts) >= limits.at_once:
        return message("hosts_out_limit", count=len(hosts), hosts=some(hosts))
    mine = limits.domains_of(place)
    for domain in sorted(mine):
        there = sorted({one.host for one in out if domain in limits.domains_of(one)})
        if len(there) >= limits.per_domain:
            values = {"domain": domain, "count": len(there), "hosts": some(there)}
            if limits.kind == DomainKind.ZONE:
                return message("zone_out_limit", **values)
            return message("aggregate_out_limit", **values)
    touched = frozenset().union(*map(limits.domains_of, out))
    # A host may belong to more domains than may be touched; alone it goes out nevertheless.
    if limits.domains is None or not touched or mine <= touched:
        return None
    if len(mine | touched) <= limits.domains:
        return None
    names = some(sorted(touched))
    if limits.kind == DomainKind.ZONE:
        return message("zones_out_limit", count=len(touched), domains=names)
    return message("aggregates_out_limit", count=len(touched), domains=names)

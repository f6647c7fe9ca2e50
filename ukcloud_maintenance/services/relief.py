"""Where room is missing: what would give it."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from .. import store
from ..cloud import Cloud
from ..core.facts import Service
from ..core.message import Message
from ..core.preflight import relief
from ..core.preflight.relief import Short
from ..core.preflight.verdicts import PlacementContext
from ..exceptions import CloudError
from ..preflight import HostPreflight, Planned

#: verdicts of an instance that another host may change
_OTHER_HOST = frozenset({"no_room", "no_receiver", "zone_without_host", "traits", "anti_affinity"})
#: instances that are looked at, of those without room: a host that has room for none of the
#: smallest has hardly any for another
_SMALLEST = 20
#: hosts of which the overcommit is read: two requests each
_LOOKED_AT = 3


def with_relief(
    cloud: Cloud, plans: list[HostPreflight], services: Iterable[Service]
) -> list[HostPreflight]:
    """The same, with what would give room for those that have none; nothing is asked where all
    have. For the rest it is six requests at most, all side by side; what cannot be read is not
    said.

    :param plans: that were placed together
    """
    around = plans[0].around
    every = [one for plan in plans for one in plan.planned if _is_short(one)]
    every.sort(key=lambda planned: (planned.server.memory_bytes, planned.server.id))
    short = [_short(planned, around) for planned in every[:_SMALLEST]]
    if not short or around.capacity is None:
        return plans
    found = tuple([*_kept(cloud, plans, services, short), *_overcommit(cloud, short, around)])
    return [replace(plan, relief=found) for plan in plans]


def _is_short(planned: Planned) -> bool:
    return planned.unplaced is not None or planned.verdict.code in _OTHER_HOST


def _short(planned: Planned, around: PlacementContext) -> Short:
    server, chosen, unplaced = planned.server, planned.chosen, planned.unplaced
    if unplaced is not None:
        return Short(server, chosen, unplaced.nearest, unplaced.missing)
    if planned.verdict.code == "no_room":
        return Short.alone(server, chosen, around)
    return Short(server, chosen)


def _kept(
    cloud: Cloud, plans: list[HostPreflight], services: Iterable[Service], short: list[Short]
) -> list[Message]:
    around, drained = plans[0].around, {plan.service.host for plan in plans}
    draining, away = store.draining_hosts(cloud.region), store.away_hosts(cloud.region)
    kept = [
        service
        for service in services
        if service.host not in drained | draining | around.bare_metal
        and service.is_known
        and (not service.can_receive or service.host in away)
    ]
    return relief.kept_hosts(short, kept, away, around)


def _overcommit(cloud: Cloud, short: list[Short], around: PlacementContext) -> list[Message]:
    wanted = relief.wanted_ratios(short, around.capacity or {})
    wanted = dict(list(wanted.items())[:_LOOKED_AT])
    read = cloud.try_side_by_side({host: partial(cloud.inventories_of, host) for host in wanted})
    known = {host: one for host, one in read.items() if not isinstance(one, CloudError)}
    return relief.overcommit(wanted, known)

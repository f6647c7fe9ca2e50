"""What stands around an instance: its server group, its zone, aggregates, and room for it.

Read from Nova 34: scheduler/filters/affinity_filter.py, scheduler/utils.py
(`setup_instance_group`), scheduler/request_filter.py, objects/request_spec.py. What depends on a
setting of the scheduler that no API shows is a caution, never a verdict.
"""

from collections.abc import Iterable, Mapping

from ..facts import Aggregate, Capacity, Server, ServerGroup
from ..message import Message, message
from .needs import GIB, MIB, needs_of
from .verdicts import Caution, Chosen, PlacementContext, Said, blocked, stays

FULL = Capacity()
#: codes of verdicts that rest on what is around an instance, not on itself, and what has to be
#: known for another opinion
NEEDS = {
    "no_receiver": ("receivers",),
    "zone_without_host": ("receivers",),
    "traits": ("receivers", "capacity"),
    "no_room": ("receivers", "capacity"),
    "affinity": ("receivers", "groups"),
    "anti_affinity": ("receivers", "groups"),
}
CODES = frozenset(NEEDS)


# -- which hosts come into question ----------------------------------------------------------


def in_zone(server: Server, around: PlacementContext) -> list[str]:
    """The hosts that can receive, and are in the zone that it is pinned to.

    A pin to a zone that no aggregate makes binds to nothing (request_filter.py,
    `map_az_to_placement_aggregate`).
    """
    hosts = around.receivers or {}
    pin = server.pinned_zone
    if not pin or _zone_is_gone(pin, around):
        return list(hosts)
    return [host for host, zone in hosts.items() if zone == pin]


def with_traits(server: Server, hosts: Iterable[str], around: PlacementContext) -> list[str]:
    """Those of the hosts whose traits are what the flavor asks for, as far as known."""
    needs = needs_of(server)
    if around.capacity is None or not (needs.required or needs.forbidden):
        return list(hosts)
    found = []
    for host in hosts:
        traits = around.capacity.get(host, FULL).traits
        if needs.required <= traits and not needs.forbidden & traits:
            found.append(host)
    return found


def not_reserved(server: Server, hosts: Iterable[str], around: PlacementContext) -> list[str]:
    """Those of the hosts that no aggregate keeps for others.

    `filter_tenant_id…` keeps hosts for projects and projects to hosts, `trait:…=required` keeps
    hosts for flavors that ask for the trait, a property of images for images that have one of
    its values, or none; all if the scheduler is set up to heed them.
    """
    alike = (
        server.project_id,
        needs_of(server).required,
        frozenset((server.image_properties or {}).items()),
    )
    if alike not in around.worked_out:
        around.worked_out[alike] = _reservations(server, around)
    away, ours = around.worked_out[alike]
    return [host for host in hosts if host not in away and (not ours or host in ours)]


def _reservations(server: Server, around: PlacementContext) -> tuple[set[str], set[str]]:
    """The hosts that are kept from a server, and those that are kept for its project."""
    required = needs_of(server).required
    for_others: set[str] = set()
    for_traits: set[str] = set()
    ours: set[str] = set()
    for aggregate in around.aggregates or ():
        projects = _projects(aggregate)
        if server.project_id in projects:
            ours.update(aggregate.hosts)
        elif projects:
            for_others.update(aggregate.hosts)
        traits = {
            key.removeprefix("trait:")
            for key, value in aggregate.metadata.items()
            if key.startswith("trait:") and value == "required"
        }
        if traits - required:
            for_traits.update(aggregate.hosts)
    return (for_others - ours) | for_traits | _for_other_images(server, around), ours


def suitable(server: Server, around: PlacementContext) -> list[str]:
    """The hosts that a scheduler would look at for it, room and groups left aside."""
    hosts = with_traits(server, in_zone(server, around), around)
    return not_reserved(server, hosts, around) or hosts


def allowed_by_group(
    group: ServerGroup | None,
    hosts: Iterable[str],
    count: Mapping[str, int],
    home: Iterable[str] = (),
) -> list[str]:
    """Those of the hosts on which a hard server group allows one member more.

    :param count: how many other members each host has
    :param home: the hosts of all members, the one that moves included: where Nova sends a
        member of a hard affinity group (scheduler/utils.py, `setup_instance_group`)
    """
    if group is None or group.is_soft:
        return list(hosts)
    if group.policy == "anti-affinity":
        return [host for host in hosts if count.get(host, 0) < group.max_per_host]
    if group.policy == "affinity":
        return [host for host in hosts if host in set(home)]
    return list(hosts)


def _for_other_images(server: Server, around: PlacementContext) -> set[str]:
    """The hosts whose aggregates name a property of its image, and not its value
    (scheduler/filters/aggregate_image_properties_isolation.py)."""
    values: dict[tuple[str, str], set[str]] = {}
    for aggregate in around.aggregates or ():
        for name in aggregate.metadata.keys() & (server.image_properties or {}).keys():
            named = {value.strip() for value in aggregate.metadata[name].split(",")}
            for host in aggregate.hosts:
                values.setdefault((host, name), set()).update(named)
    own = server.image_properties or {}
    return {host for (host, name), named in values.items() if own[name] not in named}


def _projects(aggregate: Aggregate) -> set[str]:
    return {
        project.strip()
        for key, value in aggregate.metadata.items()
        if key.startswith("filter_tenant_id")
        for project in value.split(",")
    }


def _zone_is_gone(zone: str, around: PlacementContext) -> bool:
    return around.aggregates is not None and all(a.zone != zone for a in around.aggregates)


# -- filters ---------------------------------------------------------------------------------


def bare_metal(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """nova/virt/ironic/driver.py has neither live nor cold migration."""
    if server.host in around.bare_metal:
        return stays(message("bare_metal"))
    return None


def receivers(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if around.receivers is not None and not around.receivers:
        return blocked(message("no_receiver"))
    return None


def zone(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if not (pin := server.pinned_zone):
        return None
    if _zone_is_gone(pin, around):
        return Caution("zone_gone", message("zone_gone", zone=pin))
    if around.receivers is not None and not in_zone(server, around):
        return blocked(message("zone_without_host", zone=pin))
    return None


def traits(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if around.receivers is None or around.capacity is None:
        return None
    if with_traits(server, in_zone(server, around), around):
        return None
    needs = needs_of(server)
    forbidden = [message("without_trait", trait=name) for name in sorted(needs.forbidden)]
    return blocked(message("traits", asks=[*sorted(needs.required), *forbidden]))


def aggregates(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    if around.receivers is None or not around.aggregates:
        return None
    hosts = with_traits(server, in_zone(server, around), around)
    if hosts and not not_reserved(server, hosts, around):
        return Caution("aggregate", message("aggregate"))
    return None


def group(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """A hard group decides, a soft one is worth a word.

    One that was deleted binds to nothing: Nova takes it off the server (objects/request_spec.py,
    `_from_db_object`), so it is not to be seen either.
    """
    if around.groups is None:
        return None
    found = around.group(server)
    if found is None:
        return None
    if found.policy == "affinity":
        return _affinity(server, found, around)
    if found.policy == "anti-affinity":
        return _anti_affinity(server, found, around)
    if found.policy == "soft-affinity" and around.members_on(found, server.host, server.id):
        return Caution("soft_affinity", message("soft_affinity", group=found.name))
    if found.policy == "soft-anti-affinity":
        return Caution("soft_anti_affinity", message("soft_anti_affinity", group=found.name))
    return None


def _affinity(server: Server, found: ServerGroup, around: PlacementContext) -> Said:
    others = [member for member in found.members if member != server.id]
    places = {around.whereabouts[m] for m in others if m in around.whereabouts}
    unknown = [member for member in others if member not in around.whereabouts]
    elsewhere = sorted(places - {server.host})
    if elsewhere:
        one = message("affinity_sends_it", group=found.name, hosts=elsewhere)
        of_several = message("affinity_sends_it_to_one_of", group=found.name, hosts=elsewhere)
        return Caution("affinity", one if len(elsewhere) == 1 else of_several)
    if unknown:
        return Caution("affinity", message("affinity_follows", group=found.name))
    return blocked(message("affinity", group=found.name))


def _anti_affinity(server: Server, found: ServerGroup, around: PlacementContext) -> Said:
    if around.receivers is None:
        return None
    count = around.members_by_host(found, server.id)
    hosts = allowed_by_group(found, suitable(server, around), count)
    if not hosts:
        return blocked(message("anti_affinity", group=found.name))
    room = sum(found.max_per_host - count[host] for host in hosts)
    travelling = len(around.leaving & set(found.members))
    if travelling > room:
        said = message("anti_affinity_short", count=travelling, group=found.name, room=room)
        return Caution("anti_affinity", said)
    return None


def _candidates(server: Server, around: PlacementContext) -> list[str]:
    """The hosts that a scheduler would look at for it, room left aside. Where its group allows
    none, that is for the group's own verdict to say."""
    hosts = suitable(server, around)
    return _allowed(server, hosts, around) or hosts


def _allowed(server: Server, hosts: list[str], around: PlacementContext) -> list[str]:
    """Those of the hosts on which its group allows it."""
    found = around.group(server)
    if found is None:
        return hosts
    count = around.members_by_host(found, server.id)
    home = {around.whereabouts.get(member, "") for member in found.members}
    return allowed_by_group(found, hosts, count, home)


def with_room(server: Server, around: PlacementContext) -> list[str]:
    """The hosts that could take it now, and on which its group allows it, the one with the most
    free memory first. Where room is not known, all on which that does."""
    hosts = _allowed(server, suitable(server, around), around)
    if around.capacity is None:
        return hosts
    capacity, needs = around.capacity, needs_of(server)
    fit = [host for host in hosts if not needs.missing(capacity.get(host, FULL))]
    return sorted(fit, key=lambda host: (-capacity.get(host, FULL).free("MEMORY_MB"), host))


def room(server: Server, chosen: Chosen, around: PlacementContext) -> Said:
    """Whether any host has room for it now, for it alone."""
    if around.receivers is None or around.capacity is None:
        return None
    nearest, missing = nearest_of(server, around)
    if not missing:
        return None
    return blocked(message("no_room", nearest=nearest, lacks=amounts(missing)))


def nearest_of(server: Server, around: PlacementContext) -> tuple[str, dict[str, int]]:
    """The host that comes nearest to having room for it, for it alone, and what is missing there;
    nothing where it has room, or no host comes into question."""
    needs, capacity = needs_of(server), around.capacity or {}
    short: dict[str, dict[str, int]] = {}
    for host in _candidates(server, around):
        missing = needs.missing(capacity.get(host, FULL))
        if not missing:
            return host, {}
        short[host] = missing
    if not short:
        return "", {}
    nearest = min(short, key=lambda host: lack(needs.resources, short[host]))
    return nearest, short[nearest]


def amounts(resources: Mapping[str, int]) -> tuple[Message, ...]:
    """Amounts of resource classes, to be said in a list."""
    return tuple(_amount(name, amount) for name, amount in sorted(resources.items()))


def _amount(name: str, amount: int) -> Message:
    if name == "MEMORY_MB":
        return message("amount_of_memory", amount=amount * MIB)
    if name == "DISK_GB":
        return message("amount_of_disk", amount=amount * GIB)
    if name == "VCPU":
        return message("amount_of_vcpus", count=amount)
    return message("amount_of", amount=amount, resource=name)


def lack(wanted: Mapping[str, int], missing: Mapping[str, int]) -> float:
    """How much is missing, as the largest part of what is wanted."""
    return max(n / max(wanted.get(name, n), 1) for name, n in missing.items())


FILTERS = (bare_metal, receivers, zone, traits, aggregates, group, room)

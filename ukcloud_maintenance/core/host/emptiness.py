"""Is a host empty? The one answer for the end of a drain, the certificate, pages and commands.

Nova's lists leave out a cell that is down without a word, so that an empty one proves nothing
alone: the service is read before and after them. What is on its way to the host counts as well as
what is on it: it arrives, whether the service is disabled or not.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ..facts import Migration, Server, Service

#: Nova's statuses of a resize or cold migration that came to its destination and is not over yet
#: (nova/compute/manager.py): it holds disk and allocation on both hosts.
NOVA_STATUS_UNCONFIRMED = frozenset({"finished", "confirming", "reverting"})
#: How many things a message names.
NAMED = 10


@dataclass(frozen=True)
class HostContents:
    """What was read of a host, in this order: the service, the migrations, the servers, the service
    again. A migration that ends meanwhile is then seen, or what it brought is.

    :param host: service.host
    :param before: the service as it was read before all lists; None where Nova lists none
    :param after: … and after all of them
    :param servers: every server on the host, SOFT_DELETED ones included
    :param migrations: every migration that has the host as source or destination, of any age
    :param servers_of_migrations: for each unfinished one of these, by server id, the server; None
        where it does not exist (any more). An id that is missing could not be read.
    :param names: names of servers by id, as far as known beyond these
    """

    host: str
    before: Service | None
    after: Service | None
    servers: Sequence[Server]
    migrations: Sequence[Migration]
    servers_of_migrations: Mapping[str, Server | None]
    names: Mapping[str, str] = field(default_factory=dict, kw_only=True)


class Obstacle(StrEnum):
    """Kinds of what keeps a host from being empty."""

    NO_SERVICE = "no_service"  # Nova lists no compute service of it
    CELL = "cell"  # Nova did not reach its cell: the lists prove nothing
    DOWN = "down"  # its service is down: what Nova says of it may be old
    SERVER = "server"  # a server is on it
    MIGRATION = "migration"  # a migration from or to it is in progress
    RESIZE = "resize"  # a resize or cold migration from or to it is not confirmed


@dataclass(frozen=True)
class Found:
    """One thing that keeps a host from being empty.

    :param text: what it is, in words that can stand in a list
    :param server_id: the server that it is about; empty where it is about none
    :param remedy: what to do should it stay so, as words that follow the text; or empty
    """

    code: Obstacle
    text: str
    server_id: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Emptiness:
    """Whether a host is empty.

    :param obstacles: everything that keeps it from being so, each by itself
    :param leftovers: unfinished records of servers that do not exist any more: Nova keeps them so
        for ever, and they hold nothing
    """

    obstacles: tuple[Found, ...] = ()
    leftovers: tuple[Found, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.obstacles

    def but_of(self, server_ids: Collection[str]) -> "Emptiness":
        """The same without what is about these servers."""
        kept = (found for found in self.obstacles if found.server_id not in server_ids)
        return replace(self, obstacles=tuple(kept))

    def of(self, *codes: Obstacle) -> tuple[str, ...]:
        """The obstacles of these kinds, in words."""
        return tuple(found.text for found in self.obstacles if found.code in codes)

    def with_remedies(self, *codes: Obstacle) -> tuple[str, ...]:
        """The same, each with what to do should it stay so."""
        return tuple(f.text + f.remedy for f in self.obstacles if f.code in codes)

    def left_over(self, code: Obstacle) -> tuple[str, ...]:
        """The records left behind that look like this kind, in words."""
        return tuple(found.text for found in self.leftovers if found.code == code)


def look(read: HostContents) -> Emptiness:
    """Everything that keeps a host from being empty. What cannot be told is never taken for what
    is well; what was read while the cell did not answer is not looked at."""
    obstacles = [*_of_service(read)]
    if any(found.code in (Obstacle.NO_SERVICE, Obstacle.CELL) for found in obstacles):
        return Emptiness(tuple(obstacles))
    obstacles += [
        Found(Obstacle.SERVER, f"{called(s.name, s.id)}, {s.status}", s.id)
        for s in {s.id: s for s in read.servers}.values()
    ]
    leftovers: list[Found] = []
    for record in {m.id: m for m in read.migrations}.values():
        if record.is_over:
            continue
        unconfirmed = record.status in NOVA_STATUS_UNCONFIRMED
        code = Obstacle.RESIZE if unconfirmed else Obstacle.MIGRATION
        server = read.servers_of_migrations.get(record.server_id)
        remedy = _remedy(record, server) if server else ""
        found = Found(code, _record(read, record), record.server_id, remedy)
        (leftovers if _server_is_gone(read, record) else obstacles).append(found)
    return Emptiness(tuple(obstacles), tuple(leftovers))


def _of_service(read: HostContents) -> Iterable[Found]:
    for service, when in ((read.before, "before"), (read.after, "after")):
        if service is None or service.host != read.host:
            yield Found(Obstacle.NO_SERVICE, f"Nova lists no compute service of host {read.host}.")
            return
        if not service.is_known:
            yield Found(
                Obstacle.CELL,
                f"Nova could not reach the cell of this host {when} its lists were read: they leave"
                " out what is in a cell that is down.",
            )
            return
        if not service.is_up:
            yield Found(Obstacle.DOWN, why_down(service))


def why_down(service: Service) -> str:
    """Why a service does not count as up."""
    if service.forced_down:
        return "The compute service is forced down, so that Nova does not say whether it is up."
    state = service.state or "not known"
    return f"The compute service is {state}: what Nova says of this host may be old."


def _server_is_gone(read: HostContents, record: Migration) -> bool:
    found = read.servers_of_migrations
    return bool(record.server_id) and found.get(record.server_id, record) is None


def _record(read: HostContents, record: Migration) -> str:
    source, dest = record.source_compute or "?", record.dest_compute or "?"
    text = (
        f"migration {record.id} ({record.migration_type or 'of unknown type'},"
        f" {record.status or 'without a status'}) from {source} to {dest}"
    )
    if not record.server_id:
        return f"{text}, of no server"
    if record.server_id not in read.servers_of_migrations:
        name = read.names.get(record.server_id, "")
        return f"{text} of {called(name, record.server_id)}, which could not be read"
    server = read.servers_of_migrations[record.server_id]
    if server is None:
        return f"{text} of server {record.server_id}, which does not exist any more"
    return f"{text} of {called(server.name, server.id)}, {server.status} on {server.host or '?'}"


def _remedy(record: Migration, server: Server) -> str:
    """What to do about a record that nothing is done for: its nova-compute was killed while it
    waited, for what is queued is in the memory of that process alone (nova/compute/manager.py)."""
    idle = server.task_state is None and server.status in ("ACTIVE", "PAUSED", "SHUTOFF")
    if not idle or record.status not in ("accepted", "queued", "preparing", "running"):
        return ""
    return (
        ". Nova does nothing with the server: if that stays so, a nova-compute that was killed left"
        " the record behind, and no command of Nova's ends it. When no migration of the server is"
        " in progress, set it to error in the database of the cell: UPDATE migrations SET status ="
        f" 'error' WHERE id = {record.id} AND status = '{record.status}'"
    )


def called(name: str, server_id: str) -> str:
    """What a server is called in a list of several."""
    return f"{name} ({server_id})" if name else server_id


def some(lines: Iterable[str]) -> tuple[str, ...]:
    """The first few, and how many there are beyond."""
    everything = list(lines)
    rest = len(everything) - NAMED
    return (*everything[:NAMED], f"and {rest} more") if rest > 0 else tuple(everything)

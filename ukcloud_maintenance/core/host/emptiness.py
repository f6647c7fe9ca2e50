"""Is a host empty? The one answer for the end of a drain, the certificate, pages and commands.

Nova's lists leave out a cell that is down without a word, so that an empty one proves nothing
alone: the service is read before and after them. What is on its way to the host counts as well as
what is on it: it arrives, whether the service is disabled or not.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..backports import StrEnum
from ..facts import Migration, Server, Service
from ..message import Message, message

#: Nova's statuses of a resize or cold migration that came to its destination and is not over yet
#: (nova/compute/manager.py): it holds disk and allocation on both hosts.
NOVA_STATUS_UNCONFIRMED = frozenset({"finished", "confirming", "reverting"})


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
        where it does not exist. An id that is missing could not be read.
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

    :param said: what it is, so that it can stand in a list
    :param server_id: the server that it is about; empty where it is about none
    :param remedy: the same, with what to do should it stay so; None: nothing
    """

    code: Obstacle
    said: Message
    server_id: str = ""
    remedy: Message | None = None


@dataclass(frozen=True)
class Emptiness:
    """Whether a host is empty.

    :param obstacles: everything that keeps it from being so, each by itself
    :param leftovers: unfinished records of servers that no longer exist: Nova keeps them so
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

    def of(self, *codes: Obstacle) -> tuple[Message, ...]:
        """The obstacles of these kinds."""
        return tuple(found.said for found in self.obstacles if found.code in codes)

    def with_remedies(self, *codes: Obstacle) -> tuple[Message, ...]:
        """The same, each with what to do should it stay so."""
        return tuple(f.remedy or f.said for f in self.obstacles if f.code in codes)

    def left_over(self, code: Obstacle) -> tuple[Message, ...]:
        """The records left behind that look like this kind."""
        return tuple(found.said for found in self.leftovers if found.code == code)


def look(read: HostContents) -> Emptiness:
    """Everything that keeps a host from being empty. What cannot be told is never taken for what
    is well; what was read while the cell did not answer is not looked at."""
    obstacles = [*_of_service(read)]
    if any(found.code in (Obstacle.NO_SERVICE, Obstacle.CELL) for found in obstacles):
        return Emptiness(tuple(obstacles))
    obstacles += [
        Found(
            Obstacle.SERVER,
            message("server_on_host", server=called(s.name, s.id), status=s.status),
            s.id,
        )
        for s in {s.id: s for s in read.servers}.values()
    ]
    leftovers: list[Found] = []
    for record in {m.id: m for m in read.migrations}.values():
        if record.is_over:
            continue
        unconfirmed = record.status in NOVA_STATUS_UNCONFIRMED
        code = Obstacle.RESIZE if unconfirmed else Obstacle.MIGRATION
        server = read.servers_of_migrations.get(record.server_id)
        said = _record(read, record)
        remedy = _with_remedy(said, record, server) if server else None
        found = Found(code, said, record.server_id, remedy)
        (leftovers if _server_is_gone(read, record) else obstacles).append(found)
    return Emptiness(tuple(obstacles), tuple(leftovers))


def _of_service(read: HostContents) -> Iterable[Found]:
    cell = message("cell_lost_before"), message("cell_lost_after")
    for service, lost in zip((read.before, read.after), cell, strict=True):
        if service is None or service.host != read.host:
            yield Found(Obstacle.NO_SERVICE, message("no_service_of_host", host=read.host))
            return
        if not service.is_known:
            yield Found(Obstacle.CELL, lost)
            return
        if not service.is_up:
            yield Found(Obstacle.DOWN, why_down(service))


def why_down(service: Service) -> Message:
    """Why a service does not count as up."""
    if service.forced_down:
        return message("service_forced_down")
    return message("service_not_up", state=service.state or message("not_known"))


def _server_is_gone(read: HostContents, record: Migration) -> bool:
    found = read.servers_of_migrations
    return bool(record.server_id) and found.get(record.server_id, record) is None


def _record(read: HostContents, record: Migration) -> Message:
    values = {
        "record": record.id,
        "type": record.migration_type or message("of_unknown_type"),
        "status": record.status or message("without_status"),
        "source": record.source_compute or "?",
        "dest": record.dest_compute or "?",
    }
    if not record.server_id:
        return message("migration_of_none", **values)
    if record.server_id not in read.servers_of_migrations:
        name = called(read.names.get(record.server_id, ""), record.server_id)
        return message("migration_unreadable", server=name, **values)
    server = read.servers_of_migrations[record.server_id]
    if server is None:
        return message("migration_of_deleted", server_id=record.server_id, **values)
    return message(
        "migration_of",
        server=called(server.name, server.id),
        server_status=server.status,
        host=server.host or "?",
        **values,
    )


def _with_remedy(said: Message, record: Migration, server: Server) -> Message | None:
    """What to do about a record that nothing is done for: its nova-compute was killed while it
    waited, for what is queued is in the memory of that process alone (nova/compute/manager.py)."""
    idle = server.task_state is None and server.status in ("ACTIVE", "PAUSED", "SHUTOFF")
    if not idle or record.status not in ("accepted", "queued", "preparing", "running"):
        return None
    return message("record_left_behind", what=said, record=record.id, status=record.status)


def called(name: str, server_id: str) -> str:
    """What a server is called in a list of several."""
    return f"{name} ({server_id})" if name else server_id

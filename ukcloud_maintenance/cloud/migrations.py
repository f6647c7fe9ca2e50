"""Records of migrations, and the requests that begin, steer and end one."""

from ..core.facts import Migration, Progress
from ..core.message import message
from ..exceptions import CloudNotFound
from .answers import list_of, request_id_of
from .transport import Transport
from .wire import as_migration, as_progress


class Migrations(Transport):
    """Records of migrations, and the requests that begin and steer them."""

    def unconfirmed_from(self, host: str) -> list[Migration]:
        """The resizes and cold migrations away from exactly this host that wait for confirmation
        (`finished`), newest first. One request for every 1,000."""
        what = message("to_list_unconfirmed", host=host)
        query = {"source_compute": host, "status": "finished"}
        found = self._pages(what, "/os-migrations", query, "migrations")
        return [m for m in map(as_migration, found) if m.source_compute == host]

    def migrations_touching(self, host: str) -> list[Migration]:
        """All migrations that have exactly this host as their source or destination, of any age
        and status, newest first. One request for every 1,000.

        Nova's `host` filter means both sides (nova/db/main/api.py).
        """
        what = message("to_list_migrations_touching", host=host)
        found = self._pages(what, "/os-migrations", {"host": host}, "migrations")
        return [m for m in map(as_migration, found) if host in (m.source_compute, m.dest_compute)]

    def newest_migrations_from(self, host: str, limit: int) -> list[Migration]:
        """The newest migrations that have exactly this host as their source. One request.

        The newest, rather than those since a time: that would trust two clocks to agree.
        """
        what = message("to_list_newest_migrations", host=host)
        query = {"source_compute": host}
        raw = self._pages(what, "/os-migrations", query, "migrations", at_most=limit)
        found = [as_migration(one) for one in raw]
        return [m for m in found if m.source_compute == host]

    def migrations_of(self, server_id: str) -> list[Migration]:
        """The newest migrations of one server, in any status, newest first. One request."""
        what = message("to_list_migrations", server=server_id)
        query = {"instance_uuid": server_id}
        found = self._pages(what, "/os-migrations", query, "migrations", at_most=20)
        return [as_migration(raw) for raw in found]

    def progress(self, server_id: str) -> list[Progress]:
        """The bytes of the migrations of a server that are in progress. One request.

        Empty while none is queued, preparing, running or post-migrating, and where the server
        no longer exists.
        """
        what = message("to_read_progress", server=server_id)
        try:
            body = self._get(what, f"/servers/{server_id}/migrations")
        except CloudNotFound:
            return []
        return [as_progress(raw) for raw in list_of(body, "migrations", what)]

    def live_migrate(self, server_id: str, host: str | None) -> str:
        """Ask for a live migration; the request id. Nova's answer says only that it was asked.

        :param host: the destination, or None for the scheduler's choice
        :raises CloudConflict: not in this state, or a task is in progress
        """
        answer = self._write(
            message("to_live_migrate", server=server_id),
            "POST",
            f"/servers/{server_id}/action",
            {"os-migrateLive": {"host": host, "block_migration": "auto"}},
        )
        return request_id_of(answer)

    def cold_migrate(self, server_id: str, host: str | None) -> str:
        """Ask for a cold migration; the request id. A running server is stopped for it.

        It ends in VERIFY_RESIZE and holds its disk and its allocation on both hosts until
        :meth:`confirm_resize`.

        :param host: the destination (2.56), or None for the scheduler's choice
        :raises CloudConflict: not in this state, or a task is in progress
        """
        answer = self._write(
            message("to_cold_migrate", server=server_id),
            "POST",
            f"/servers/{server_id}/action",
            {"migrate": {"host": host} if host else None},
        )
        return request_id_of(answer)

    def confirm_resize(self, server_id: str) -> str:
        """Confirm a resize or cold migration in VERIFY_RESIZE; the request id.

        :raises CloudConflict: it is not in VERIFY_RESIZE
        """
        answer = self._write(
            message("to_confirm_resize", server=server_id),
            "POST",
            f"/servers/{server_id}/action",
            {"confirmResize": None},
        )
        return request_id_of(answer)

    def abort_migration(self, server_id: str, migration_id: int) -> str:
        """Ask for the end of a live migration; the request id. Nova's answer (202) says only that
        it was asked; the server stays at the source.

        Taken where it is queued, preparing (2.65) or running; never while it is accepted. On Nova
        33 and 34 a running one may become `error`, and its server ERROR, some two seconds after
        `cancelled`: see `core.evidence`.

        :raises CloudConflict: the server is not migrating, or is locked and we are no admin
        :raises CloudBadRequest: the migration is in another status
        :raises CloudNotFound: no such server, or no such migration of it
        """
        answer = self._write(
            message("to_abort_migration", migration=migration_id, server=server_id),
            "DELETE",
            f"/servers/{server_id}/migrations/{migration_id}",
        )
        return request_id_of(answer)

    def force_complete(self, server_id: str, migration_id: int) -> str:
        """Ask for the end of a live migration at the destination; the request id (2.22).

        The guest is paused until the rest is copied, or switches to post-copy where Nova permits
        that. Taken of a running migration of an ACTIVE server alone (PAUSED: 409).

        :raises CloudConflict: the server is not ACTIVE or not migrating
        :raises CloudBadRequest: the migration is not running, or not this server's
        :raises CloudNotFound: no such server
        """
        answer = self._write(
            message("to_force_complete", migration=migration_id, server=server_id),
            "POST",
            f"/servers/{server_id}/migrations/{migration_id}/action",
            {"force_complete": None},
        )
        return request_id_of(answer)

"""Servers, one by one and of a host, and what their hypervisors say of them."""

from collections.abc import Iterable
from functools import partial

from ..core.facts import Action, Diagnostics, Server
from ..core.message import message
from ..exceptions import CloudAnswerUnusable, CloudError, CloudNotFound
from .answers import dict_of, request_id_of
from .http import side_by_side
from .transport import LOG, Transport
from .wire import as_action, as_server, last_line

#: servers with all details that are asked for in one request: Nova takes some milliseconds for
#: each, and an answer must be whole within the timeout of a request
DETAILED = 300


class Servers(Transport):
    """Servers, one by one and of a host."""

    def servers_on(self, host: str) -> list[Server]:
        """Every server of exactly this host, in any state, SOFT_DELETED ones included.

        One request for every :data:`DETAILED` servers. An empty list alone proves nothing: Nova
        leaves out a cell that is down without a word; look at the service as well.
        """
        what = message("to_list_servers", host=host)
        query = {"all_tenants": "1", "host": host, "soft_deleted": "1"}
        raw = list(
            self._pages(what, "/servers/detail", query, "servers", self._servers_at, page=DETAILED)
        )
        if any("OS-EXT-SRV-ATTR:host" not in item for item in raw):
            raise CloudAnswerUnusable(what, message("nova_hides_hosts"))
        servers = [as_server(item) for item in raw]
        strangers = [s for s in servers if s.host.casefold() != host.casefold()]
        if strangers:
            # Nova drops the filters of a user that it does not take for an admin.
            other = message("host_filter_ignored", host=strangers[0].host)
            raise CloudAnswerUnusable(what, other)
        # by id: a list that changes while it is paged may name a server twice
        return list({s.id: s for s in servers if s.host == host}.values())

    def count_servers_on(self, host: str) -> int:
        """How many servers Nova lists for exactly this host, SOFT_DELETED ones included.

        One small request (for every 1,000). Nova's database may compare host names without
        regard to case; where another service differs from this one by case alone, the caller
        must use :meth:`servers_on`.
        """
        what = message("to_count_servers", host=host)
        query = {"all_tenants": "1", "host": host, "soft_deleted": "1"}
        return sum(1 for _ in self._pages(what, "/servers", query, "servers"))

    def count_servers_on_each(self, hosts: Iterable[str]) -> dict[str, int | CloudError]:
        """:meth:`count_servers_on` for several hosts, side by side; a failure is a value."""
        names = list(hosts)

        def count(host: str) -> int | CloudError:
            try:
                return self.count_servers_on(host)
            except CloudError as error:
                return error

        counted = side_by_side(partial(count, host) for host in names)
        return dict(zip(names, counted, strict=True))

    def servers_in_error(self) -> dict[str, str]:
        """The servers of all projects whose status is ERROR: names by id. One request for every
        1,000."""
        query = {"all_tenants": "1", "status": "ERROR"}
        found = self._pages(message("to_list_errors"), "/servers", query, "servers")
        return {str(one["id"]): str(one.get("name") or one["id"]) for one in found}

    def server(self, server_id: str) -> Server | None:
        """One server, or None where it does not exist.

        :raises CloudAnswerUnusable: its cell is down; Nova then knows no more than its id (2.69)
        """
        what = message("to_read_server", server=server_id)
        try:
            body = self._get(what, f"/servers/{server_id}")
        except CloudNotFound:
            return None
        raw = dict_of(body, "server", what)
        if "OS-EXT-SRV-ATTR:host" not in raw:
            raise CloudAnswerUnusable(what, message("server_cell_down"))
        return as_server(raw)

    def servers_by_id(self, ids: Iterable[str]) -> dict[str, Server]:
        """Several servers: one request each, some side by side. What does not exist or cannot be
        read is left out."""

        def read(server_id: str) -> Server | None:
            try:
                return self.server(server_id)
            except CloudError as error:
                LOG.info("%s", error)
                return None

        found = side_by_side(partial(read, server_id) for server_id in ids)
        return {s.id: s for s in found if s}

    def diagnostics(self, server_id: str) -> Diagnostics:
        """What the hypervisor of its host says of the guest of a server, now (2.48).

        Nova's API asks for nothing but that the server has a host: any vm_state will do, ERROR
        too (nova/compute/api.py). It asks nova-compute on that host, which asks its hypervisor
        and not the database (nova/compute/manager.py), and tells of a guest that **runs** alone.

        A guest that is paused, that is shut off, or that is not on this host at all is a 409 all
        the same, and the state which that answer names is the database's: it can read "in power
        state running" of a guest that is not there. So a refusal proves nothing but that the
        guest does not run there. Nova also records the refusal as the newest fault of the server,
        so that one in ERROR shows it in place of why it came to be there: read the server first.

        :raises CloudConflict: it does not run on its host, or has no host
        :raises CloudServerError: its host does not answer (in the time that RPC waits: 60 s), or
            the guest went away meanwhile
        :raises CloudNotFound: no such server
        """
        what = message("to_read_diagnostics", server=server_id)
        body = self._get(what, f"/servers/{server_id}/diagnostics")
        if not isinstance(body, dict) or not body.get("state"):
            raise CloudAnswerUnusable(what, message("answer_without_state"))
        uptime = body.get("uptime")
        return Diagnostics(
            state=str(body["state"]),
            driver=str(body.get("driver") or ""),
            uptime_seconds=None if uptime is None else int(uptime),
            hypervisor=str(body.get("hypervisor") or ""),
        )

    def actions(self, server_id: str) -> list[Action]:
        """The instance actions of a server, newest first. One request."""
        what = message("to_list_actions", server=server_id)
        try:
            return [
                as_action(raw)
                for raw in self._pages(
                    what,
                    f"/servers/{server_id}/os-instance-actions",
                    {},
                    "instanceActions",
                    at_most=50,
                    links="links",
                )
            ]
        except CloudNotFound:
            return []

    def failure_of(self, server_id: str, request_id: str) -> str:
        """Why an action failed, in Nova's own words, or empty where Nova doesn't say.

        Details of events are shown to an admin from 2.84; before the event that failed first
        there may be others that only pass its error on.
        """
        what = message("to_read_action", action=request_id, server=server_id)
        try:
            body = self._get(what, f"/servers/{server_id}/os-instance-actions/{request_id}")
        except CloudNotFound:
            return ""
        action = dict_of(body, "instanceAction", what)
        events = [e for e in action.get("events") or [] if e.get("result") == "Error"]
        events.sort(key=lambda e: str(e.get("finish_time") or ""))
        for event in events:
            if event.get("details"):
                return str(event["details"])
        for event in events:
            if words := last_line(event.get("traceback")):
                return words
        return str(action.get("message") or "")

    def reset_state_to_active(self, server_id: str) -> str:
        """Write vm_state ACTIVE and no task into Nova's database; the request id.

        Nova looks at nothing for it: not at the state that the server is in, not at its host, not
        at its guest. Right only where the guest is known to run on the host that Nova names.

        :raises CloudNotFound: no such server
        """
        answer = self._write(
            message("to_reset_state", server=server_id),
            "POST",
            f"/servers/{server_id}/action",
            {"os-resetState": {"state": "active"}},
        )
        return request_id_of(answer)

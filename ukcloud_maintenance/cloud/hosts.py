"""Compute services, hypervisors, aggregates and server groups."""

from collections.abc import Iterable
from urllib.parse import quote

from ..core.facts import Aggregate, HostFacts, Hypervisor, Machine, ServerGroup, Service
from ..core.message import message
from ..exceptions import CloudAnswerUnusable, CloudBadRequest, CloudNotFound
from .answers import dict_of, list_of, request_id_of
from .http import side_by_side
from .transport import GOES_ROUND, PAGE, Transport
from .wire import (
    as_aggregate,
    as_hosts,
    as_hypervisor,
    as_machine,
    as_server_group,
    as_service,
)

#: Hypervisors of a small page: at 1,000 hosts a twentieth of what Nova takes for the whole list.
HYPERVISORS = 50
#: the microversion from which on one hypervisor tells its uptime
UPTIME_SINCE = "2.88"


class Hosts(Transport):
    """Compute services, hypervisors, aggregates and server groups."""

    def services(self, host: str | None = None) -> list[Service]:
        """The nova-compute services, or those of exactly one host. One request."""
        what = message("to_read_service", host=host) if host else message("to_list_services")
        path = "/os-services?binary=nova-compute" + (f"&host={quote(host)}" if host else "")
        body = self._get(what, path)
        found = [as_service(raw) for raw in list_of(body, "services", what)]
        return [s for s in found if host is None or s.host == host]

    def service(self, host: str) -> Service | None:
        """The nova-compute service of exactly this host, or None. One request."""
        found = self.services(host)
        if len(found) > 1:
            raise CloudAnswerUnusable(
                message("to_read_service", host=host), message("service_listed_twice")
            )
        return found[0] if found else None

    def disable_service(self, service_id: str, reason: str) -> str:
        """Disable a compute service with a reason of 1 to 255 characters; the request id."""
        answer = self._write(
            message("to_disable_service"),
            "PUT",
            f"/os-services/{service_id}",
            {"status": "disabled", "disabled_reason": reason},
        )
        return request_id_of(answer)

    def enable_service(self, service_id: str) -> str:
        """Enable a compute service; the request id. One request.

        Nova clears the reason by itself, and answers 400 where one is sent with it.

        :raises CloudNotFound: no such service
        """
        answer = self._write(
            message("to_enable_service"),
            "PUT",
            f"/os-services/{service_id}",
            {"status": "enabled"},
        )
        return request_id_of(answer)

    def hypervisors(self) -> list[Hypervisor]:
        """All hypervisors with their usage: one request for every 1,000, and a last one that
        finds nothing; see `hypervisors_after`."""
        found: dict[str, Hypervisor] = {}
        marker = ""
        while page := self.hypervisors_after(marker, PAGE):
            if page[0].id in found:
                raise CloudAnswerUnusable(message("to_list_hypervisors"), GOES_ROUND)
            found |= {one.id: one for one in page}
            marker = page[-1].id
        return list(found.values())

    def hypervisors_after(self, marker: str, limit: int = HYPERVISORS) -> list[Hypervisor]:
        """The next hypervisors of Nova's list after this one, with their usage, or the first ones
        where it is empty. One request; nothing is left where none is found.

        Nova's links end early: it leaves out a hypervisor whose service was deleted, and takes a
        page that is shorter for it for the last one (nova/api/openstack/compute/hypervisors.py).

        :param limit: at most so many; what Nova gives is less where its `[api] max_limit` is
        :raises CloudBadRequest: there is no such hypervisor any longer
        :raises CloudAnswerUnusable: Nova does not heed the marker
        """
        what = message("to_list_hypervisors")
        path = f"/os-hypervisors/detail?limit={limit}"
        path += f"&marker={quote(marker, safe='')}" if marker else ""
        found = [as_hypervisor(raw) for raw in list_of(self._get(what, path), "hypervisors", what)]
        if marker and marker in {one.id for one in found}:
            raise CloudAnswerUnusable(what, GOES_ROUND)
        return found

    def hypervisor_and_servers(self, hypervisor_id: str) -> tuple[Hypervisor, int]:
        """One hypervisor, with its usage, and how many servers its service's host has, SOFT_DELETED
        ones included (`with_servers`, 2.53). One request; half of what a list of the servers costs.

        :raises CloudNotFound: no such hypervisor
        """
        what = message("to_read_hypervisor", host=hypervisor_id)
        body = self._get(what, f"/os-hypervisors/{quote(hypervisor_id)}?with_servers=true")
        raw = dict_of(body, "hypervisor", what)
        return as_hypervisor(raw), len(list_of(raw, "servers", what))

    def machine(self, host: str) -> Machine:
        """What tells whether the machine of this host was restarted: two requests.

        :raises CloudError: it cannot be read
        """
        found = self.hypervisors_of(host)
        if not found:
            return Machine()
        what = message("to_read_hypervisor", host=host)
        body = self._get(what, f"/os-hypervisors/{quote(found[0].id)}", UPTIME_SINCE)
        return as_machine(dict_of(body, "hypervisor", what))

    def hypervisors_of(self, host: str, name: str = "") -> list[Hypervisor]:
        """The hypervisors (nodes) whose service.host is exactly this host. One request, and where
        that is not enough the whole list: see :meth:`hypervisors`.

        Asked for by `hypervisor_hostname_pattern` (2.53): a substring of the hypervisor's name,
        which cannot be paged, takes host names alone (else 400) and is 404 where nothing matches.
        The hypervisor may have quite another name than its service's host, and of the nodes of
        Ironic, which has many for one service, a pattern may find a few.

        :param name: what its hypervisor was called when it was last listed, or empty
        """
        what = message("to_read_hypervisor", host=host)
        path = f"/os-hypervisors/detail?hypervisor_hostname_pattern={quote(name or host, safe='')}"
        try:
            body = self._get(what, path)
            found = [as_hypervisor(raw) for raw in list_of(body, "hypervisors", what)]
        except (CloudNotFound, CloudBadRequest):
            found = []
        ours = [h for h in found if h.host == host]
        if ours and all(not h.is_bare_metal for h in ours):
            return ours
        return [h for h in self.hypervisors() if h.host == host]

    def hosts(self, known: Iterable[Hypervisor] | None = None) -> list[HostFacts]:
        """Every compute service with its hypervisor: the services' request beside those of
        `hypervisors`, or alone where they are known.

        A service whose host has several hypervisors (Ironic) is shown with their sum. Services
        without a hypervisor are kept: they are hosts all the same.
        """
        hypervisors = self.hypervisors if known is None else lambda: list(known)
        services, found = side_by_side([self.services, hypervisors])
        return as_hosts(services, found)

    def server_groups(self) -> list[ServerGroup]:
        """The server groups of all projects: one request for every 1,000, and a last
        one that finds nothing.

        Members that were deleted are left out by Nova.
        """
        what = message("to_list_server_groups")
        found: dict[str, ServerGroup] = {}
        while True:
            path = f"/os-server-groups?all_projects=True&limit={PAGE}&offset={len(found)}"
            # This list has no links, and a page may be shorter than was requested (`[api]
            # max_limit`): it ends with a page that has nothing on it.
            page = [
                as_server_group(raw)
                for raw in list_of(self._get(what, path), "server_groups", what)
            ]
            if not page:
                return list(found.values())
            if page[0].id in found:
                raise CloudAnswerUnusable(what, GOES_ROUND)
            found |= {group.id: group for group in page}

    def aggregates(self) -> list[Aggregate]:
        """All aggregates, those that make availability zones among them. One request."""
        what = message("to_list_aggregates")
        return [
            as_aggregate(raw)
            for raw in list_of(self._get(what, "/os-aggregates"), "aggregates", what)
        ]

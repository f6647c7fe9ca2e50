"""A server of our own, built on a host that takes no others, and deleted."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ..core.facts import Server
from ..core.message import message
from ..exceptions import CloudAnswerUnusable, CloudConflict
from .answers import dict_of, json_of, list_of
from .transport import PLACEMENT_MICROVERSION, Transport
from .wire import as_server

#: The trait that nova-compute gives to the provider of a host whose service is disabled; the
#: scheduler asks Placement for hosts without it alone (nova/scheduler/request_filter.py).
DISABLED = "COMPUTE_STATUS_DISABLED"
#: How often a change is tried that somebody else was faster with.
TRIES = 3


class Building(Transport):
    """Servers of our own."""

    def build_server(
        self,
        name: str,
        place: str,
        *,
        image: str,
        flavor: str,
        network: str,
        metadata: Mapping[str, str],
    ) -> str:
        """Ask Nova to build a server; its id. One request.

        Where a zone *and* a host are named, the scheduler asks none of its filters, so that a
        service that is disabled is no reason against it (nova/scheduler/host_manager.py).

        :param place: zone:host
        :param network: an id, or "none"
        """
        what = message("to_build_server", name=name)
        server = {
            "name": name,
            "availability_zone": place,
            "imageRef": image,
            "flavorRef": flavor,
            "networks": "none" if network == "none" else [{"uuid": network}],
            "metadata": dict(metadata),
        }
        answer = self._write(what, "POST", "/servers", {"server": server})
        return str(dict_of(json_of(answer, what), "server", what).get("id") or "")

    def own_servers_named(self, name: str) -> list[Server]:
        """The servers of our own project with exactly this name. One request.

        :param name: no more than letters, digits and hyphens: Nova takes it for a pattern
        """
        what = message("to_find_server", name=name)
        body = self._get(what, f"/servers/detail?name={quote(name, safe='')}")
        found = [as_server(raw) for raw in list_of(body, "servers", what)]
        return [one for one in found if one.name == name]

    def delete_server(self, server_id: str, *, for_good: bool = False) -> None:
        """Ask Nova to delete a server. One request.

        :param for_good: one that is SOFT_DELETED, which Nova would keep for a while
        :raises CloudNotFound: there is none
        """
        what = message("to_delete_server", server=server_id)
        if for_good:
            self._write(what, "POST", f"/servers/{server_id}/action", {"forceDelete": None})
        else:
            self._write(what, "DELETE", f"/servers/{server_id}")

    def mark_disabled(self, provider_id: str, disabled: bool) -> None:
        """Let the scheduler take the host of a provider for disabled, or not, whatever its service
        is. Two requests; none for change where it is so already.

        :raises CloudConflict: somebody else changes the provider again and again
        """
        what = message("to_change_traits", provider=provider_id)
        path = f"/resource_providers/{quote(provider_id, safe='')}/traits"
        for left in reversed(range(TRIES)):
            answer = self._send(
                self._placement, what, "GET", path, microversion=PLACEMENT_MICROVERSION
            )
            body = json_of(answer, what)
            if not isinstance(body, dict) or not isinstance(body.get("traits"), list):
                raise CloudAnswerUnusable(what, message("answer_without", key="traits"))
            traits = set(body["traits"])
            if (DISABLED in traits) == disabled:
                return
            wanted = traits | {DISABLED} if disabled else traits - {DISABLED}
            try:
                self.set_traits(provider_id, wanted, body.get("resource_provider_generation"))
            except CloudConflict:
                if not left:
                    raise
            else:
                return

    def set_traits(self, provider_id: str, traits: Iterable[str], generation: Any) -> None:
        """Make the traits of a resource provider exactly these. One request.

        :param generation: of the provider as they were read
        :raises CloudConflict: it was changed since; nothing was done
        """
        what = message("to_change_traits", provider=provider_id)
        path = f"/resource_providers/{quote(provider_id, safe='')}/traits"
        body = {"traits": sorted(traits), "resource_provider_generation": generation}
        self._write(what, "PUT", path, body, placement=True)

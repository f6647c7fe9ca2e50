"""What Neutron tells of a host: its agents."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from keystoneauth1.exceptions import EndpointNotFound

from ..core.facts import NetworkAgent
from ..core.message import Message, message
from ..exceptions import CloudAnswerUnusable, CloudAuthError
from .answers import json_of, list_of, next_marker
from .transport import Transport
from .wire import as_network_agent


class Network(Transport):
    """What Neutron tells."""

    def agents_of(self, host: str) -> list[NetworkAgent]:
        """The agents of exactly this host, those of OVN's chassis too. One request, one more for
        each further page, and one more where there is none.

        Neutron refuses nobody this list: what its policy (`get_agent`) does not let a user see is
        left out of it, without a word (neutron/pecan_wsgi/hooks/policy_enforcement.py). So no
        agents of a host are believed only where there are others.

        :raises CloudAuthError: the service catalog has no Neutron
        :raises CloudAnswerUnusable: there is no agent at all, as far as this user may see
        """
        what = message("to_list_agents", host=host)
        found = [as_network_agent(raw) for raw in self._agents(what, {"host": host})]
        if not found and next(self._agents(what, {"fields": "id", "limit": "1"}), None) is None:
            raise CloudAnswerUnusable(
                what, message("neutron_lists_no_agent"), remedy=message("allow_agents")
            )
        return [one for one in found if one.host == host]

    def _neutron(self) -> str:
        try:
            return self._endpoint(self._network, "Neutron")
        except CloudAuthError as error:
            if isinstance(error.__cause__, (EndpointNotFound, type(None))):
                raise CloudAuthError(
                    error.what, error.detail, remedy=message("add_neutron")
                ) from error
            raise

    def _agents(self, what: Message, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Page by page as Neutron's links say. How long a page is, is up to Neutron
        (`pagination_max_limit`).

        With OVN Neutron heeds neither a limit nor a marker, and answers with everything each time
        (neutron/plugins/ml2/drivers/ovn/mech_driver/mech_driver.py): a page that brings nothing
        new is the last one.
        """
        root = self._neutron().rstrip("/").removesuffix("/v2.0")
        seen: set[str] = set()
        marker = ""
        while True:
            params = query | ({"marker": marker} if marker else {})
            text = "&".join(f"{quote(k)}={quote(v, safe='')}" for k, v in params.items())
            answer = self._send(self._network, what, "GET", f"{root}/v2.0/agents?{text}")
            body = json_of(answer, what)
            new = [raw for raw in list_of(body, "agents", what) if str(raw.get("id")) not in seen]
            yield from new
            seen.update(str(raw.get("id")) for raw in new)
            marker = next_marker(body.get("agents_links"))
            if not marker or not new:
                return

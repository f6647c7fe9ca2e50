"""Stands in for the list of agents of Neutron 29: its filter, its pages and their links, and that
it leaves out what its policy hides, as it was read in Neutron's source."""

from dataclasses import dataclass, field
from typing import Any

from tests.unit.openstack_server import Answer, Request

#: The agents of a compute host with Open vSwitch.
USUAL = {
    "neutron-openvswitch-agent": "Open vSwitch agent",
    "neutron-l3-agent": "L3 agent",
    "neutron-metadata-agent": "Metadata agent",
}


def agent(host: str, binary: str, **more: Any) -> dict[str, Any]:
    """As Neutron's documentation of its API shows one."""
    return {
        "id": f"{binary}-of-{host}",
        "binary": binary,
        "agent_type": USUAL.get(binary, f"{binary} agent"),
        "host": host,
        "alive": True,
        "admin_state_up": True,
        "heartbeat_timestamp": "2026-11-02 21:00:05",
        "started_at": "2026-11-01 09:00:00",
        "created_at": "2026-01-01 09:00:00",
        "availability_zone": "nova",
        "topic": "N/A",
        "description": None,
        "configurations": {},
        "resources_synced": None,
        **more,
    }


@dataclass
class Neutron:
    """:ivar page: how many agents a page has at most (`pagination_max_limit`); 0: all
    :ivar is_ovn: limits and markers are not heeded
    :ivar may_list: whether `get_agent` lets the user see them
    """

    agents: list[dict[str, Any]] = field(default_factory=list)
    page: int = 0
    is_ovn: bool = False
    may_list: bool = True

    def __call__(self, request: Request) -> Answer:
        query = request.query
        found = [a for a in self.agents if query.get("host", a["host"]) == a["host"]]
        limit = int(query.get("limit") or 0)
        limit = min(filter(None, (limit, self.page)), default=0)
        if not self.is_ovn:
            ids = [a["id"] for a in found]
            if "marker" in query:
                found = found[ids.index(query["marker"]) + 1 :]
            found = found[: limit or None]
        body: dict[str, Any] = {}
        if found and len(found) == limit:
            href = f"http://neutron/v2.0/agents?limit={limit}&marker={found[-1]['id']}"
            body["agents_links"] = [{"rel": "next", "href": href}]
        if "fields" in query:
            found = [{query["fields"]: a[query["fields"]]} for a in found]
        return Answer({"agents": found if self.may_list else [], **body})

    def of(self, host: str, binary: str) -> dict[str, Any]:
        return next(a for a in self.agents if (a["host"], a["binary"]) == (host, binary))

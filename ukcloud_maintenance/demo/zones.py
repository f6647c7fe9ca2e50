"""The availability zones of the demo cloud."""

from __future__ import annotations

from collections.abc import Sequence

from keystoneauth1 import adapter

from .config import HostSpec


def create(nova: adapter.Adapter, hosts: Sequence[HostSpec]) -> None:
    """One host aggregate per zone, through Nova's API (which tells Placement)."""
    there = {a["name"]: a for a in nova.get("/os-aggregates").json()["aggregates"]}
    for zone in dict.fromkeys(host.zone for host in hosts):
        aggregate = there.get(zone)
        if aggregate is None:
            body = {"aggregate": {"name": zone, "availability_zone": zone}}
            aggregate = nova.post("/os-aggregates", json=body).json()["aggregate"]
        for host in hosts:
            if host.zone == zone and host.name not in aggregate.get("hosts", []):
                nova.post(
                    f"/os-aggregates/{aggregate['id']}/action",
                    json={"add_host": {"host": host.name}},
                )

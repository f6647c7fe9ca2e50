"""A large region: a real control plane with hosts, instances and old migrations put in by SQL.

A demo cloud of two hosts boots one server; its rows are copied, each copy with a name, a host and
UUIDs of its own. To every list of Nova's and Placement's the copies are as real as the rest; none
has a nova-compute.
"""

import contextlib
import itertools
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ukcloud_maintenance.demo.config import FAST, CloudConfig, HostSpec
from ukcloud_maintenance.demo.databases import path_of
from ukcloud_maintenance.demo.harness import DemoCloud

#: the host whose rows are copied, and a second one, so that the first is not alone
FIRST, SECOND = "cmp1", "cmp2"
CONFIG: CloudConfig = replace(
    FAST,
    hosts=(HostSpec(FIRST, "az1"), HostSpec(SECOND, "az1")),
    # nobody reports for a copy: what was written last counts for days
    service_down_seconds=10**7,
)
MOVED = "migration of a server that was deleted long ago"


@dataclass(frozen=True)
class Size:
    """How large a region is.

    :param hosts: how many there are besides the first two
    :param instances: how many a host has
    :param full: how many the last host has, which is to be drained in a form
    :param migrations: records of migrations that are over
    """

    hosts: int = 1000
    instances: int = 10
    full: int = 200
    migrations: int = 200_000

    def host(self, number: int) -> str:
        return f"node{number:05}"

    @property
    def on_each(self) -> Iterator[tuple[str, int]]:
        for number in range(self.hosts):
            last = number == self.hosts - 1
            yield self.host(number), self.full if last else self.instances


def fill(cloud: DemoCloud, size: Size) -> None:
    """Put a region of this size into the databases of a cloud of `CONFIG`."""
    server = cloud.create_server("copied", host=FIRST, ram_mib=512)
    on_each = list(size.on_each)
    servers = [(host, _id(host, n)) for host, number in on_each for n in range(number)]
    with _open(cloud.state, "nova_cell1") as cell:
        cell.copy(
            "services",
            f"host = '{FIRST}' AND binary = 'nova-compute'",
            ({"host": host, "uuid": _id(host, "service")} for host, _ in on_each),
        )
        cell.copy(
            "compute_nodes",
            f"host = '{FIRST}'",
            (
                {
                    "host": host,
                    "uuid": _id(host),
                    "hypervisor_hostname": f"{host}.example",
                    "vcpus_used": number,
                    "memory_mb_used": 512 * number,
                    "running_vms": number,
                }
                for host, number in on_each
            ),
        )
        cell.copy(
            "instances",
            f"uuid = '{server}'",
            (
                {
                    "uuid": one,
                    "host": host,
                    "node": f"{host}.example",
                    "display_name": f"vm-{index}",
                    "hostname": f"vm-{index}",
                }
                for index, (host, one) in enumerate(servers)
            ),
        )
        for table in ("instance_extra", "instance_info_caches", "block_device_mapping"):
            new = ({"instance_uuid": one} for _, one in servers)
            if table == "block_device_mapping":
                new = ({"instance_uuid": one, "uuid": _id(one, table)} for _, one in servers)
            cell.copy(table, f"instance_uuid = '{server}'", new)
        cell.insert("migrations", _over([host for host, _ in on_each], size.migrations))
    with _open(cloud.state, "nova_api") as api:
        api.copy("host_mappings", f"host = '{FIRST}'", ({"host": host} for host, _ in on_each))
        where = f"host = '{FIRST}'"
        api.copy("aggregate_hosts", where, ({"host": host} for host, _ in on_each))
        mine = f"instance_uuid = '{server}'"
        api.copy("instance_mappings", mine, ({"instance_uuid": one} for _, one in servers))
    with _open(cloud.state, "placement") as placement:
        _place(placement, cloud, on_each, servers)


def _place(
    placement: "_Database",
    cloud: DemoCloud,
    on_each: list[tuple[str, int]],
    servers: list[tuple[str, str]],
) -> None:
    """Providers, what they have, and what the servers hold of it."""
    [first] = placement.rows("resource_providers", f"name LIKE '{FIRST}.%'")
    ids = itertools.count(placement.highest("resource_providers") + 1)
    provider = {host: next(ids) for host, _ in on_each}
    placement.copy(
        "resource_providers",
        f"id = {first['id']}",
        (
            {"id": number, "root_provider_id": number, "uuid": _id(host), "name": f"{host}.example"}
            for host, number in provider.items()
        ),
        keep_id=True,
    )
    for table in ("inventories", "resource_provider_traits", "resource_provider_aggregates"):
        new = ({"resource_provider_id": number} for number in provider.values())
        placement.copy(table, f"resource_provider_id = {first['id']}", new)
    [consumer] = placement.rows("consumers", "1")
    placement.copy("consumers", f"id = {consumer['id']}", ({"uuid": one} for _, one in servers))
    placement.copy(
        "allocations",
        f"consumer_id = '{consumer['uuid']}'",
        ({"consumer_id": one, "resource_provider_id": provider[host]} for host, one in servers),
    )


def _over(hosts: list[str], number: int) -> Iterator[dict[str, Any]]:
    """Migrations that are over, of servers that are gone."""
    times = {"created_at": "2026-01-01 00:00:00", "updated_at": "2026-01-01 00:01:00", "deleted": 0}
    for index in range(number):
        source, dest = hosts[index % len(hosts)], hosts[(index + 1) % len(hosts)]
        yield times | {
            "uuid": _id(MOVED, index),
            "instance_uuid": _id(MOVED, index % 5000, "server"),
            "source_compute": source,
            "dest_compute": dest,
            "source_node": f"{source}.example",
            "dest_node": f"{dest}.example",
            "status": "completed",
            "migration_type": "live-migration",
            "hidden": 0,
            "cross_cell_move": 0,
        }


def _id(*of: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, "/".join(map(str, of))))


class _Database:
    """One of the cloud's databases."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection

    def rows(self, table: str, where: str) -> list[dict[str, Any]]:
        found = self._connection.execute(f"SELECT * FROM {table} WHERE {where}")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    def highest(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0])

    def copy(
        self, table: str, where: str, changes: Iterable[dict[str, Any]], *, keep_id: bool = False
    ) -> None:
        """Each of the rows there once more for each of the changes."""
        old = self.rows(table, where)
        if not keep_id:
            old = [{k: v for k, v in row.items() if k != "id"} for row in old]
        self.insert(table, (row | change for change in changes for row in old))

    def insert(self, table: str, rows: Iterable[dict[str, Any]]) -> None:
        rows = iter(rows)
        first = next(rows, None)
        if first is None:
            return
        names, places = ", ".join(f'"{n}"' for n in first), ", ".join(f":{n}" for n in first)
        statement = f"INSERT INTO {table} ({names}) VALUES ({places})"
        self._connection.executemany(statement, itertools.chain([first], rows))


@contextlib.contextmanager
def _open(state: Path, name: str) -> Iterator[_Database]:
    with contextlib.closing(sqlite3.connect(path_of(state, name), timeout=60)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield _Database(connection)
        connection.commit()

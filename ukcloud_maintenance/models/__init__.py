"""The queue and the record. Rows are written by `store` alone.

Host names are compared through a key, the SHA-256 of region and host: the same on every
database, whatever its collation makes of `CMP1`, `cmp1` and trailing blanks. One open drain a
host is a nullable unique key (MariaDB has no conditional unique constraint): set while the drain
is open, NULL afterwards.

There is no foreign key to a user: openstack_auth's User has no table. Id and name are text.
Times are UTC, sizes are bytes.
"""

from .drains import Drain, Plan
from .hosts import HostMaintenance, Turn, host_key
from .instances import Attempt, InstanceMigration, Request
from .inventory import Inventory, InventoryPage
from .record import Event, Notice, Worker
from .runs import Run, RunAction, RunHost

__all__ = [
    "Attempt",
    "Drain",
    "Event",
    "HostMaintenance",
    "InstanceMigration",
    "Inventory",
    "InventoryPage",
    "Notice",
    "Plan",
    "Request",
    "Run",
    "RunAction",
    "RunHost",
    "Turn",
    "Worker",
    "host_key",
]

"""Watch one migration through the API, as the product would."""

import dataclasses
import re
import time
from typing import Any

from ukcloud_maintenance.demo.harness import DemoCloud

TERMINAL = {"completed", "failed", "error", "cancelled"}
FIELDS = [
    f"{kind}_{what}_bytes"
    for kind in ("memory", "disk")
    for what in ("total", "processed", "remaining")
]


@dataclasses.dataclass
class Watched:
    statuses: list[str]
    """Each status of the record once, in the order in which they were seen."""
    samples: list[dict[str, Any]]
    """The byte fields whenever they changed, with ``status``."""
    server: dict[str, Any]
    """The server when the record had come to its end and no task was left."""
    record: dict[str, Any]

    def values(self, field: str) -> list[int]:
        """One byte field without its nulls."""
        return [s[field] for s in self.samples if s[field] is not None]


def watch(cloud: DemoCloud, server: str, timeout: float = 150) -> Watched:
    """Poll until the newest record of ``server`` is terminal and the server has no task."""
    watched = Watched([], [], {}, {})
    deadline = time.monotonic() + timeout
    while True:
        in_progress = cloud.progress(server)
        for row in in_progress:
            sample = {field: row[field] for field in FIELDS} | {"status": row["status"]}
            if not watched.samples or watched.samples[-1] != sample:
                watched.samples.append(sample)
            _note(watched, row["status"])
        if not in_progress and (records := cloud.migrations(server)):
            body = cloud.server(server)
            _note(watched, records[0]["status"])
            settled = body["OS-EXT-STS:task_state"] is None
            if records[0]["status"] in TERMINAL and settled:
                watched.server, watched.record = body, records[0]
                return watched
        assert time.monotonic() < deadline, f"still {watched.statuses}"
        time.sleep(0.2)


def copying(cloud: DemoCloud, server: str) -> dict[str, Any]:
    """The row of its migration once bytes are copied: while it only says ``running``, the driver
    may not know of it yet, and an abort or a force complete reaches nobody."""
    [row] = cloud.wait(
        lambda: [m for m in cloud.progress(server) if m["memory_total_bytes"]], "it is copied"
    )
    return row


def _note(watched: Watched, status: str) -> None:
    if not watched.statuses or watched.statuses[-1] != status:
        watched.statuses.append(status)


def nova_of(cloud: DemoCloud) -> int:
    """The release of the cloud's Nova, e.g. 34."""
    [found] = re.findall(r"nova=(\d+)", (cloud.state / "versions").read_text())
    return int(found)


def in_order(part: list[str], whole: list[str]) -> bool:
    """Whether ``part`` appears in ``whole`` in this order (others may lie between)."""
    rest = iter(whole)
    return all(item in rest for item in part)

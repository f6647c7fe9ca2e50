"""What must be said first about a drain, whatever its outcome: instances that a person must look
at, because where they run is not known, or because they did not arrive as they were."""

from collections.abc import Iterable
from typing import Protocol

from ..codes import ARRIVED_WRONG
from ..message import Message, message, several, some
from ..states import MigrationState


class InstanceLike(Protocol):
    """The part of an instance migration that is looked at."""

    @property
    def server_name(self) -> str: ...

    @property
    def server_status(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def code(self) -> str: ...


def arrived_wrong(row: InstanceLike) -> bool:
    """Whether it left its host, and is not what it was before: in ERROR most often."""
    return row.state == MigrationState.FAILED and row.code in ARRIVED_WRONG


def alarm(rows: Iterable[InstanceLike]) -> Message | None:
    """The instances that need a person, by name; None where there is none."""
    rows = list(rows)
    said = []
    if unknown := [row.server_name for row in rows if row.state == MigrationState.UNKNOWN]:
        said.append(message("not_known_where", count=len(unknown), names=some(unknown)))
    by_status: dict[str, list[str]] = {}
    for row in filter(arrived_wrong, rows):
        by_status.setdefault(row.server_status or "?", []).append(row.server_name)
    for status, names in sorted(by_status.items()):
        said.append(message("arrived_unlike_before", status=status, names=some(names)))
    return several(*said)

"""The cell of the simulated hosts, down: its database does not answer nova-api.

Played where Nova turns to the database of a cell, and nowhere else: what it makes of that, services
of status UNKNOWN and lists that leave out the cell without a word, is its own doing. The hosts
themselves, which reach the database by another way, go on.
"""

from __future__ import annotations

import threading
from typing import Any

import nova.context
from oslo_db.exception import DBConnectionError

_down = threading.Event()
_turn_to = nova.context.set_target_cell


class _Silent:
    """A database that cannot be reached, whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise DBConnectionError("the demo's cell is down")


def _turn_to_what_answers(context: Any, cell: Any) -> None:
    _turn_to(context, cell)
    if _down.is_set() and cell is not None and not cell.is_cell0():
        context.db_connection = _Silent()


def take_down() -> None:
    nova.context.set_target_cell = _turn_to_what_answers
    _down.set()


def bring_up() -> None:
    _down.clear()

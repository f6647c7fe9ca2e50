"""Exports, and what is cleared."""

from datetime import timedelta
from typing import Any

from .. import settings, store
from ..core.actor import RULE_DRAIN, Actor
from ..core.message import message
from ..core.record import export
from ..exceptions import Refused
from ..messages import document
from .access import require
from .reports import get_drain

#: The longest time, in days, that can be named to keep the record (the setting KEEP_DAYS).
KEEP_DAYS_MAX = 36500


def export_drain(actor: Actor, drain_id: int) -> dict[str, Any]:
    """A drain with its instances and events as a document; see `core.export`.

    :raises Refused: there is no such drain
    """
    drain = get_drain(actor, drain_id)
    return export.document(
        drain, store.migrations(drain), store.events(drain), store.now(), document
    )


def clear_record(
    actor: Actor, older_than_days: int | None = None, dry_run: bool = False
) -> store.Cleared:
    """Remove drains that have been over for longer than a time, and what belonged to them alone.

    :param older_than_days: days, or None for the setting's
    :param dry_run: only tell what would be removed
    :raises Refused: the number of days is none
    """
    require(actor, RULE_DRAIN)
    days = settings.current().keep_days if older_than_days is None else older_than_days
    if not 1 <= days <= KEEP_DAYS_MAX:
        raise Refused(message("days_out_of_range", most=KEEP_DAYS_MAX, days=days))
    return store.clear(store.now() - timedelta(days=days), dry_run)

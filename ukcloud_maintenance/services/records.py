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
from .reports import DrainReport, drain_report

#: The longest time, in days, that can be named to keep the record (the setting KEEP_DAYS).
KEEP_DAYS_MAX = 36500


def drain_document(report: DrainReport) -> dict[str, Any]:
    """A drain and its instances for programs; see `core.record.export` for what is in it."""
    of_drain = export.drain_document(report.drain, report.counts, document, report.forecast)
    return export.DRAIN.made(**of_drain, instances=_instances(report))


def _instances(report: DrainReport) -> list[dict[str, Any]]:
    attempts = store.attempts(report.drain)
    found = []
    for row in report.migrations:
        outlook = report.timeouts.get(row.pk)
        due_at = outlook.due_at if outlook else None
        of_row = attempts.get(row.pk, [])
        found.append(export.instance_document(row, of_row, document, due_at))
    return found


def export_drain(actor: Actor, drain_id: int) -> dict[str, Any]:
    """The same with the events of the drain, to be kept or given away.

    :raises Refused: there is no such drain
    """
    report = drain_report(actor, drain_id)
    drain = report.drain
    of_drain = export.drain_document(drain, report.counts, document, report.forecast)
    return export.document(of_drain, _instances(report), store.events(drain), store.now(), document)


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

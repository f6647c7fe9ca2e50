"""Rolling runs as documents for programs."""

from typing import Any

from .. import store
from ..core.actor import RULE_VIEW, Actor
from ..core.run import export
from ..core.run.windows import Opening
from ..messages import document
from ..store import Run
from .access import require
from .rolling import RunReport, run_report
from .run_forecast import openings_of


def openings(report: RunReport) -> dict[int, Opening]:
    """When the hosts of a run that are not over are forecast to begin and to end, by their key."""
    return openings_of(report.hosts, report.forecast)


def progress_document(report: RunReport, *, output: bool = False) -> dict[str, Any]:
    """A run with its hosts and their actions, without its events.

    :param output: whether what commands have written is a part of it
    """
    at = openings(report)
    hosts = [
        export.host_document(host, store.tries_of(host), document, at.get(host.pk), output)
        for host in report.hosts
    ]
    ends = report.forecast.ends if report.forecast else None
    return export.run_document(report.run, hosts, document, ends)


def run_document(actor: Actor, run: Run) -> dict[str, Any]:
    """The same with its events and with what its commands have written, to be kept or given away.

    :raises Refused: there is no such run
    """
    require(actor, RULE_VIEW)
    report = run_report(actor, run.pk)
    of_run = progress_document(report, output=True)
    return export.document(of_run, store.run_events(run), store.now(), document)

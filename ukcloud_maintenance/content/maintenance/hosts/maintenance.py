"""What the list of hosts says of a host's maintenance, in one cell."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ukcloud_maintenance.core.going_on import HostNow, can_be_reopened
from ukcloud_maintenance.core.states import DRAIN_OPEN, DrainState, ReturnResult
from ukcloud_maintenance.store import Counts, Drain, HostMaintenance, HostRecord, RunHost

from ..common import counted, formats, labels
from ..common.addresses import PANEL, of_host
from ..common.counted import Share
from . import certificate as certificate_page


@dataclass(frozen=True)
class MaintenanceCell:
    """What the maintenance column says of a host: a drain in progress, how the last one ended
    while the host is still out of service, that it is returned, or was a moment ago, or
    nothing."""

    text: str = ""
    url: str = ""
    share: Share | None = None  # of a drain in progress
    icon: str = ""
    kind: str = ""
    help: str = ""
    needs: int = (
        0  # of what is in progress, or failed and can be retried: how many instances need a person
    )
    alarm: str = ""  # … what is worst of that
    needs_url: str = ""  # … where they are listed
    run_url: str = ""  # the run that the host is in
    run_text: str = ""

    @property
    def badge(self) -> SafeString | str:
        return labels.needs_badge(self.needs, worst=self.alarm)


def in_run(cell: MaintenanceCell, place: RunHost | None) -> MaintenanceCell:
    """The same with the run that the host is in, if it is in one."""
    if place is None:
        return cell
    url = reverse(f"{PANEL}:run", args=[place.run_id])
    text = _("in run %(id)s") % {"id": place.run_id}
    return replace(cell, run_url=url, run_text=text)


def maintenance_cell(
    record: HostRecord | None, now: datetime, *, in_service: bool
) -> MaintenanceCell:
    """What a person must look at comes first.

    :param in_service: the host takes new instances again
    """
    if record is None:
        return MaintenanceCell()
    cell = _maintenance_cell(record, now, in_service=in_service)
    if cell.needs:
        return cell  # its mark says so, and its drain's page has the list
    first = labels.alarm(record.counts)
    if not first and _can_retry(record):
        drain = record.drain
        url = reverse(f"{PANEL}:drain", args=[drain.pk])
        return replace(cell, needs=record.counts.in_need(drain.state), needs_url=url)
    if not first or not cell.text or record.returned or record.run_back:
        return cell
    said = f"{first} {cell.help}".strip()
    text = f"{first.rstrip('.')}; {cell.text}"
    return replace(
        cell, text=text, share=None, icon="exclamation-triangle", kind="danger", help=said
    )


def _can_retry(record: HostRecord) -> bool:
    """Whether what its last drain failed to move in this maintenance can be retried."""
    drain, maintenance, back = record.drain, record.maintenance, record.run_back
    if drain.state != DrainState.FAILED or maintenance is None or drain.maintenance_id is None:
        return False
    host = HostNow(back.pk if back else None, maintenance.pk, record.returning)
    return can_be_reopened(drain, host)


def _maintenance_cell(record: HostRecord, now: datetime, *, in_service: bool) -> MaintenanceCell:
    drain = record.drain
    url = reverse(f"{PANEL}:drain", args=[drain.pk])
    label = labels.drain_state(drain, record.counts)
    if drain.state in DRAIN_OPEN:
        share = counted.share(record.counts)
        return MaintenanceCell(
            share.text,
            url,
            share,
            help=f"{label.text}: {drain.reason}",
            needs=record.counts.in_need(drain.state),
            alarm=labels.alarm(record.counts),
            needs_url=url,
        )
    if record.maintenance is not None:
        return _in_maintenance(record, now)
    if record.run_back is not None:
        return _coming_back(record.run_back, record.back)
    if record.returned is not None:
        return _returned(record.returned, now)
    if in_service or drain.finished_at is None:
        return MaintenanceCell()  # instances may have arrived again
    time = formats.clock(drain.finished_at, now)
    if drain.state == DrainState.SUCCEEDED:
        text = _("drained %(time)s") % {"time": time}
        return MaintenanceCell(text, url, None, "check", "success", drain.reason)
    here = record.counts.still_here
    if drain.state == DrainState.CANCELLED:
        text = _("cancelled %(time)s") % {"time": time}
        return MaintenanceCell(text, url, None, "ban", "muted", labels.said(drain.message))
    text = ngettext("%(n)s not moved %(time)s", "%(n)s not moved %(time)s", here) % {
        "n": here,
        "time": time,
    }
    return MaintenanceCell(text, url, None, label.icon, "warning", labels.said(drain.message))


def _in_maintenance(record: HostRecord, now: datetime) -> MaintenanceCell:
    """Of a host that was drained and is not returned yet: may it be switched off?"""
    maintenance = record.maintenance
    assert maintenance
    url = of_host("host", record.drain.host, record.drain.region)
    if record.returning:
        help_text = labels.said(maintenance.message)
        return MaintenanceCell(_("being returned"), url, None, "rotate-left", "info", help_text)
    if record.safe:
        since = formats.zoned_time(maintenance.safe_since)
        return MaintenanceCell(
            _("safe to power off"),
            url,
            None,
            "check-circle",
            "success",
            _("since %(time)s") % {"time": since},
        )
    why = certificate_page.short(maintenance, now)
    if certificate_page.went_down(certificate_page.stored(maintenance)):
        help_text = labels.said(maintenance.withdrawn_why)
        return MaintenanceCell(_("host is down"), url, None, "power-off", "info", help_text)
    text = _("not safe: %(why)s") % {"why": why}
    kind = "muted" if maintenance.verified_at is None else "warning"
    return MaintenanceCell(text, url, None, "times-circle", kind, text)


def _coming_back(run: Drain, counts: Counts) -> MaintenanceCell:
    """Of a host that its instances are brought back to."""
    url = reverse(f"{PANEL}:drain", args=[run.pk])
    label = labels.drain_state(run, counts)
    return MaintenanceCell(
        _("instances being brought back"),
        url,
        None,
        "rotate-left",
        "info",
        f"{label.text}: {run.reason}",
        needs=counts.in_need(run.state),
        alarm=labels.alarm(counts),
        needs_url=url,
    )


def _returned(maintenance: HostMaintenance, now: datetime) -> MaintenanceCell:
    """Of a host whose maintenance is over since a moment."""
    at = {"time": formats.clock(maintenance.closed_at, now)}
    text, icon, kind = {
        ReturnResult.LEFT: (_("maintenance ended %(time)s"), "flag-checkered", "muted"),
        ReturnResult.NOT_UP: (_("not reported up %(time)s"), "exclamation-triangle", "warning"),
    }.get(
        maintenance.return_result,
        (_("back in service %(time)s"), "rotate-left", "muted"),
    )
    url = of_host("host", maintenance.host, maintenance.region)
    return MaintenanceCell(text % at, url, None, icon, kind, labels.said(maintenance.message))

"""Whether a host may be switched off: the words for it."""

from datetime import datetime

from django.utils.translation import gettext as _

from ukcloud_maintenance.core.host.certificate import SERVICE_UP, Check, from_json
from ukcloud_maintenance.core.printable import file_part
from ukcloud_maintenance.services import Certificate
from ukcloud_maintenance.store import HostMaintenance

from ..common import formats, labels
from ..common.labels import Label


def file_name(found: Certificate) -> str:
    return f"certificate-{file_part(found.host) or 'host'}-{found.now:%Y%m%dT%H%M%SZ}.json"


def went_down(checks: tuple[Check, ...]) -> bool:
    """Whether all that stands against it is that the host is down: it was switched off."""
    return [check.code for check in checks if not check.passed] == [SERVICE_UP]


def verdict(found: Certificate) -> Label:
    """The one thing that a person wants to know."""
    if found.safe:
        return Label(_("Safe to power off"), "success", "check-circle")
    maintenance = found.maintenance
    if maintenance and maintenance.returning_since:
        return Label(_("Being returned to service"), "info", "rotate-left")
    if found.open_drain:
        return Label(_("Not safe to power off: being drained"), "warning", "arrow-right")
    if maintenance is None:
        return Label(_("Not in maintenance"), "default", "info-circle")
    if found.verified_at is None:
        return Label(_("Not verified yet"), "default", "hourglass-start")
    if found.stale:
        return Label(_("No longer verified"), "warning", "hourglass-half")
    if found.withdrawn_at and went_down(found.checks):
        return Label(_("The host is down"), "info", "power-off")
    if found.withdrawn_at:
        return Label(_("No longer safe to power off"), "danger", "exclamation-triangle")
    return Label(_("Not safe to power off"), "warning", "times-circle")


def headline_why(found: Certificate) -> str:
    """Why it is not safe, where the crossed checks do not say it themselves."""
    if found.safe or found.maintenance is None:
        return ""
    if found.withdrawn_at and not found.stale and not found.open_drain:
        # One reason is said once: its check is shown beside it.
        only = [check.found for check in found.checks if not check.passed and not check.details]
        return "" if found.withdrawn_why in only else labels.said(found.withdrawn_why)
    if found.stale or found.verified_at is None or found.open_drain:
        return labels.said(found.why_not)
    return ""


def short(maintenance: HostMaintenance, now: datetime) -> str:
    """For the list of hosts: why a host in maintenance is not safe, in a few words."""
    if maintenance.verified_at is None or maintenance.verified_at > now:
        return _("not verified yet")
    checks = stored(maintenance)
    failed = [check for check in checks if not check.passed]
    if not failed:
        return _("not verified since %(time)s") % {
            "time": formats.clock(maintenance.verified_at, now)
        }
    return labels.said(failed[0].found, remedy=False).rstrip(".")


def stored(maintenance: HostMaintenance) -> tuple[Check, ...]:
    try:
        return from_json(maintenance.checks)
    except ValueError:
        return ()

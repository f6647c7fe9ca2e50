"""What is said where no worker is at work."""

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ukcloud_maintenance.store import WorkerStatus

from . import formats, words


def worker_warning(worker: WorkerStatus) -> SafeString | str:
    """What to do when no worker is at work; empty when all is well."""
    if worker.alive and not worker.problem:
        return ""
    if worker.alive:
        return format_html(
            '<div class="alert alert-warning"><strong>{}</strong> {}</div>',
            _("The worker reports a problem."),
            words.said(worker.problem),
        )
    since = (
        _("The last report was at %(time)s.") % {"time": formats.zoned_time(worker.seen_at)}
        if worker.seen_at
        else _("No worker has ever reported.")
    )
    return format_html(
        '<div class="alert alert-warning"><strong>{}</strong> {} {}<br>'
        "{} <code>systemctl start ukcloud-maintenance-worker</code> {}"
        " <code>django-admin maintenance_worker</code>.</div>",
        _("No worker is running."),
        since,
        _("No drain makes progress until a worker is started."),
        _("Start a worker on a controller:"),
        _("or"),
    )

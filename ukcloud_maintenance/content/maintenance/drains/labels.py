"""The words for an instance of a drain: how it leaves, what was requested, how its copy goes."""

from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ukcloud_maintenance.core.attempt import RequestView
from ukcloud_maintenance.core.codes import ABORTED
from ukcloud_maintenance.core.drain.needs import course_of, is_aborting
from ukcloud_maintenance.core.preflight.verdicts import Choice
from ukcloud_maintenance.core.states import (
    MIGRATION_IN_PROGRESS,
    MIGRATION_WAITING,
    Method,
    MigrationState,
    RequestKind,
    RequestOrigin,
)
from ukcloud_maintenance.store import InstanceMigration

from ..common import formats
from ..common.labels import Label, migration_state, said


def state(row: InstanceMigration) -> Label:
    """The state of an instance; one that was aborted on request did not fail."""
    if row.state == MigrationState.FAILED and row.code == ABORTED:
        return Label(_("Aborted"), "default", "stop", _("Its migration was aborted."))
    return migration_state(row.state)


def method_mark(row: InstanceMigration) -> SafeString | str:
    """The way of an instance that does not leave live."""
    known = {
        Method.COLD.value: (
            _("cold"),
            _("Cold migration: a running instance is stopped, moved and started again."),
        ),
        Method.CONFIRM.value: (
            _("confirm"),
            _("The pending resize is confirmed first; then the instance is checked again."),
        ),
    }
    if row.method not in known:
        return ""
    return format_html(' <span class="mnt-how" title="{1}">{0}</span>', *known[row.method])


def chosen(row: InstanceMigration) -> SafeString | str:
    """The admin's choice for an instance and the note on it, or empty."""
    words = {
        Choice.LIVE.value: _("Chosen: live"),
        Choice.COLD.value: _("Chosen: cold"),
        Choice.STAY.value: _("Chosen: stay"),
        Choice.CONFIRM.value: _("Chosen: confirm the resize"),
    }
    said = [words.get(row.choice, ""), row.note]
    text = " \N{EN DASH} ".join(part for part in said if part)
    return format_html('<div class="mnt-admins">{}</div>', text) if text else ""


def late(row: InstanceMigration, now: datetime) -> SafeString | str:
    """The marker of a migration that takes longer than its memory explains."""
    over = row.state not in MIGRATION_IN_PROGRESS or is_aborting(row)
    if row.attempt.late_since is None or over:
        return ""
    return format_html(
        ' <span class="label label-warning" title="{}">'
        '<span class="fa fa-hourglass-half" aria-hidden="true"></span> {}</span>',
        _("Running longer than expected for its memory and disk since %(time)s.")
        % {"time": formats.clock(row.attempt.late_since, now)},
        _("Late"),
    )


def requester(request: RequestView) -> str:
    """An admin, or the drain itself."""
    if request.origin == RequestOrigin.TIMEOUT:
        return _("the timeout")
    if request.origin == RequestOrigin.CANCEL:
        return _("the cancellation of the drain")
    return request.requested_by


def steered(row: InstanceMigration, now: datetime) -> list[str]:
    """What was requested for an instance and what became of it, one short line each."""
    lines = []
    requests = row.requests
    requested = {
        RequestKind.ABORT.value: _("Abort requested by %(who)s."),
        RequestKind.FORCE.value: _("Force complete requested by %(who)s."),
        RequestKind.RESET.value: _("Reset to active requested by %(who)s."),
    }
    if requests.open:
        lines.append(requested[requests.open.kind] % {"who": requester(requests.open)})
    if requests.answer and row.state not in MIGRATION_WAITING:
        lines.append(said(requests.answer))
    if row.state in MIGRATION_IN_PROGRESS:
        if requests.abort and requests.abort.taken_at:
            lines.append(
                _("Nova accepted the abort at %(time)s, requested by %(who)s.")
                % {
                    "time": clock_of(requests.abort.taken_at, now),
                    "who": requester(requests.abort),
                }
            )
        if requests.forced_at:
            lines.append(
                _("Forced to complete at %(time)s: its guest is paused until the rest is copied.")
                % {"time": clock_of(requests.forced_at, now)}
            )
        if row.attempt.timed_out_at:
            lines.append(
                _("Timeout exceeded at %(time)s.")
                % {"time": clock_of(row.attempt.timed_out_at, now)}
            )
    elif requests.forced_at and row.state == MigrationState.SUCCEEDED:
        lines.append(
            _("It was forced to complete at %(time)s.")
            % {"time": clock_of(requests.forced_at, now)}
        )
    if row.destination and row.state in (MigrationState.PENDING, MigrationState.BLOCKED):
        lines.append(_("Requested destination: %(host)s.") % {"host": row.destination})
    return lines


def clock_of(at: datetime, now: datetime) -> str:
    return formats.clock(at, now, seconds=True)


def course(row: InstanceMigration) -> Label | None:
    """Whether a copy in progress is going to end, where there is something to say."""
    known = {
        "converging": Label(
            _("Converging"),
            "default",
            "",
            _("The data left to copy decreases: the migration will finish."),
        ),
        "slow": Label(
            _("Slow"),
            "warning",
            "tachometer",
            _("The data left to copy decreases, but the migration will exceed its timeout."),
        ),
        "not_converging": Label(
            _("Not converging"),
            "warning",
            "refresh",
            _("The guest writes data at least as fast as it is copied."),
        ),
        "stalled": Label(_("Stalled"), "danger", "pause", _("No data is being copied.")),
    }
    return known.get(course_of(row))

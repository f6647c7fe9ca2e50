"""The rows of the database and the settings, as the values that core decides by."""

from dataclasses import fields

from .. import settings
from ..core import drain as d
from ..core.attempt import AttemptView
from ..core.host import returning as h
from ..core.preflight.verdicts import OptOutNames
from ..store import Drain, HostMaintenance, InstanceMigration

_ATTEMPT_FIELDS = [f.name for f in fields(AttemptView)]
_ROW_FIELDS = [f.name for f in fields(d.Row) if f.name not in ("attempt", "requests")]
_HOST_FIELDS = [f.name for f in fields(h.MaintenanceView)]


def row_view(row: InstanceMigration) -> d.Row:
    """An instance migration with its newest attempt, as they are in memory now."""
    attempt = row.attempt
    return d.Row(
        **{name: getattr(row, name) for name in _ROW_FIELDS},
        attempt=AttemptView(**{name: getattr(attempt, name) for name in _ATTEMPT_FIELDS}),
        requests=row.requests,
    )


def drain_view(drain: Drain) -> d.DrainView:
    """A drain and the maintenance of its host, as they are in memory now."""
    maintenance = drain.maintenance
    return d.DrainView(
        host=drain.host,
        state=drain.state,
        reason=drain.reason,
        max_concurrent=drain.max_concurrent,
        destination=drain.destination,
        follow_estimate=drain.follow_estimate,
        move_locked=drain.move_locked,
        message=drain.message,
        learned_limit=drain.learned_limit,
        nova_runs_more=drain.nova_runs_more,
        direction=drain.direction,
        timeout_action=drain.timeout_action,
        start_at=drain.start_at,
        stop_at=drain.stop_at,
        started_at=drain.started_at,
        cancelling_since=drain.cancelling_since,
        cancel_abort=drain.cancel_abort,
        cancel_enable=drain.cancel_enable,
        blocked_since=drain.blocked_since,
        proving_since=drain.proving_since,
        host_down_since=drain.host_down_since,
        maintenance=(
            d.MaintenanceView(
                maintenance.our_reason,
                maintenance.disabled_at,
                maintenance.closed_at,
                maintenance.returning_since,
            )
            if maintenance
            else None
        ),
    )


def host_view(maintenance: HostMaintenance) -> h.MaintenanceView:
    """The maintenance of a host, as it is in memory now."""
    return h.MaintenanceView(**{name: getattr(maintenance, name) for name in _HOST_FIELDS})


def limits() -> d.Limits:
    """The settings that a pass over a drain is bound by."""
    now = settings.current()
    return d.Limits(
        max_attempts=now.max_attempts,
        retry_seconds=now.retry_seconds,
        retry_max_seconds=now.retry_max_seconds,
        late_seconds_per_gib=now.late_seconds_per_gib,
        late_min_seconds=now.late_min_seconds,
        blocked_wait_seconds=now.blocked_wait_seconds,
        proof_wait_seconds=now.proof_wait_seconds,
        host_down_wait_seconds=now.host_down_wait_seconds,
        submit_grace_seconds=now.submit_grace_seconds,
        settle_seconds=now.settle_seconds,
        timeout_seconds_per_gib=now.timeout_seconds_per_gib,
        timeout_min_seconds=now.timeout_min_seconds,
        cancel_wait_seconds=now.cancel_wait_seconds,
        abort_wait_seconds=now.abort_wait_seconds,
        opt_out_names=opt_out_names(),
    )


def return_limits() -> h.ReturnLimits:
    """The settings that a return to service is bound by."""
    return h.ReturnLimits(
        settings.current().return_wait_seconds, settings.current().cloud_down_wait_seconds
    )


def opt_out_names() -> OptOutNames:
    """The names by which owners have a say, from the settings."""
    now = settings.current()
    return OptOutNames(now.opt_out_live, now.opt_out_cold, now.opt_out_stay)

"""Rows as the values that `core.run` decides by."""

from datetime import datetime

from .. import settings, store
from ..core.facts import Service
from ..core.run.domains import DomainKind
from ..core.run.states import (
    ActionKind,
    ActionState,
    Approval,
    OnFailure,
    RunState,
    Stage,
)
from ..core.run.view import ActionView, HostView, Limits, RunView
from ..core.states import DrainState, ReturnResult
from ..services.certificates import verified_after
from ..settings.actions import Action
from ..store import HostMaintenance, Run, RunAction, RunHost


def action_of(run: Run) -> Action | None:
    """The action of a run in the settings; None: by hand, or no longer there."""
    return settings.current().actions.get(run.action)


def run_view(run: Run) -> RunView:
    now = settings.current()
    action = action_of(run)
    return RunView(
        RunState(run.state),
        run.at_once,
        DomainKind(run.domain),
        run.per_domain,
        OnFailure(run.on_failure),
        run.failures,
        Approval(run.approval),
        run.bring_back,
        action.settle if action else now.by_hand_settle_seconds,
        Limits(
            safe_seconds=max(900.0, 10 * now.verify_seconds),
            back_seconds=now.host_down_wait_seconds,
            no_reboot_seconds=min(180.0, now.host_down_wait_seconds),
        ),
    )


def maintenance_of(row: RunHost) -> HostMaintenance | None:
    """The maintenance that its drain opened or joined."""
    if row.maintenance is not None:
        return row.maintenance
    return row.drain.maintenance if row.drain is not None else None


def host_view(row: RunHost, is_idempotent: bool, now: datetime) -> HostView:
    """:param is_idempotent: whether its action may be run again where its end is not known"""
    maintenance = maintenance_of(row)
    is_open = maintenance is not None and maintenance.closed_at is None
    back = None
    if maintenance is not None and row.stage in (Stage.RETURNING, Stage.BRINGING_BACK):
        back = store.return_run(maintenance)
    tries = store.tries_of(row)
    return HostView(
        key=row.pk,
        host=row.host,
        stage=Stage(row.stage),
        since=row.since,
        domains=frozenset(row.domains),
        failed_in=Stage(row.failed_in) if row.failed_in else None,
        is_unwanted=row.is_unwanted,
        is_approved=row.approved_at is not None,
        drain=DrainState(row.drain.state) if row.drain is not None else None,
        drain_said=row.drain.message if row.drain is not None else None,
        is_in_maintenance=is_open,
        is_returning=bool(is_open and maintenance and maintenance.returning_since),
        returned=_returned(maintenance),
        is_safe=is_safe(row, now),
        action=_action_view(tries, row.tries_before, is_idempotent) if tries else None,
        is_up=row.up_since is not None,
        up_since=row.up_since,
        objection=row.objection,
        is_checked=row.checked_at is not None,
        is_accepted=row.is_accepted,
        back=DrainState(back.state) if back is not None else None,
        back_said=back.message if back is not None else None,
    )


def is_safe(row: RunHost, now: datetime) -> bool:
    """Whether it is drained and verified safe to power off, as of now by the record."""
    maintenance, drain = maintenance_of(row), row.drain
    return (
        maintenance is not None
        and maintenance.closed_at is None
        and maintenance.returning_since is None
        and drain is not None
        and drain.state == DrainState.SUCCEEDED
        and store.is_safe(maintenance, verified_after(now))
    )


def _returned(maintenance: HostMaintenance | None) -> ReturnResult | None:
    if maintenance is None:
        return ReturnResult.LEFT  # what is not kept any longer was closed
    if maintenance.returning_since and maintenance.closed_at is None:
        return None
    if maintenance.return_result:
        return ReturnResult(maintenance.return_result)
    # enabled by hand, and closed by what came after it
    return ReturnResult.LEFT if maintenance.closed_at else None


def _action_view(tries: list[RunAction], before: int, is_idempotent: bool) -> ActionView:
    newest = tries[-1]
    return ActionView(
        ActionState(newest.state),
        ActionKind(newest.kind),
        len(tries) - before,
        newest.started_at,
        newest.next_at,
        newest.reminded_at,
        is_idempotent,
        newest.message,
    )


def notice_service(run: Run, row: RunHost, service: Service | None, now: datetime) -> None:
    """Keep what is seen of the service of a host that is acted on: that it was down, and since
    when it is up again.

    :raises StaleState: somebody else got there first
    """
    if service is not None and service.is_up:
        if row.up_since is None:
            store.change_host(run, row, now, up_since=now)
    elif service is not None and not service.is_known:
        return  # its cell does not answer
    elif row.up_since is not None or row.down_at is None:
        down_at = row.down_at or now
        store.change_host(run, row, now, up_since=None, down_at=down_at, checked_at=None)

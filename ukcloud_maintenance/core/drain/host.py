"""The host is watched, and its service is disabled before anything moves."""

from ..codes import SOURCE_DOWN, SOURCE_WAS_DOWN
from ..message import Message, message, several
from ..states import DrainState
from .actions import ChangeDrain, Disable, MarkDisabled, OpenMaintenance
from .attempts import NO_COURSE
from .context import Pass
from .inputs import Row


def watch_host(p: Pass) -> bool:
    """Whether the host is up and known; one that instances are to come back to must be
    enabled as well. A host that is not is waited for."""
    if host_is_ready(p):
        if p.drain.host_down_since:
            p.actions.append(ChangeDrain({"host_down_since": None, "message": None}, "host_back"))
        return True
    if p.drain.host_down_since is None:
        text = several(what_ails(p), message("nothing_new_until_back"))
        p.actions.append(
            ChangeDrain({"host_down_since": p.now, "message": text}, "host_down", text)
        )
    return False


def cell_is_down(p: Pass) -> bool:
    return p.seen.service is not None and not p.seen.service.is_known


def host_is_up(p: Pass) -> bool:
    service = p.seen.service
    return service is not None and service.is_known and service.is_up


def host_is_ready(p: Pass) -> bool:
    service = p.seen.service
    enabled = service is not None and service.status == "enabled"
    return host_is_up(p) and (enabled or not p.back)


def what_ails(p: Pass) -> Message:
    service = p.seen.service
    if service is None:
        return message("no_service", host=p.drain.host)
    if not service.is_known:
        return message("cell_not_reached", host=p.drain.host)
    if not service.is_up:
        return message("host_down", host=p.drain.host)
    return message("host_disabled", host=p.drain.host)


def host_is_lost(p: Pass) -> bool:
    if p.drain.state == DrainState.PAUSED:
        return False
    return p.since(p.drain.host_down_since) >= p.limits.host_down_wait_seconds


def disable_first(p: Pass) -> bool:
    """Whether instances may be submitted: the service was disabled before this pass listed
    the host's servers. One that somebody else disabled is left untouched."""
    service = p.seen.service
    assert service is not None  # watch_host has seen it
    maintenance = p.drain.maintenance
    if maintenance is None:
        p.actions.append(OpenMaintenance(service))
        if service.status == "enabled":
            p.actions.append(Disable(service.id, p.drain.reason))
        return False
    if service.status == "enabled":
        if maintenance.disabled_at is None:
            p.actions.append(Disable(service.id, p.drain.reason))
            return False
        warning = message("service_enabled_by_other")
        if p.drain.message != warning:
            p.actions.append(ChangeDrain({"message": warning}, "service_enabled_by_other", warning))
        return True
    ours = maintenance.our_reason and service.disabled_reason == maintenance.our_reason
    if ours and maintenance.disabled_at is None:
        p.actions.append(MarkDisabled())
    return True


def watch_source(p: Pass, row: Row) -> None:
    """Remember that the compute service of the source was down during this attempt: from
    then on nobody but the hypervisor knows where the guest runs."""
    up = source_is_up(p, row)
    if not up and row.attempt.source_service != SOURCE_DOWN:
        text = message("source_down", host=p.source(row))
        p.change(row, {"source_service": SOURCE_DOWN, "message": text, **NO_COURSE})
    elif up and row.attempt.source_service == SOURCE_DOWN:
        p.change(row, {"source_service": SOURCE_WAS_DOWN, "message": None})


def source_is_up(p: Pass, row: Row) -> bool:
    if not p.back:
        return host_is_up(p)
    if row.source_compute not in p.seen.sources:
        return row.attempt.source_service != SOURCE_DOWN  # not looked at: as it was
    service = p.seen.sources[row.source_compute]
    return service is not None and service.is_known and service.is_up

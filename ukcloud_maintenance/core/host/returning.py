"""What is to be done next with a host in maintenance: facts + record + now -> one step.

A host is returned by its compute service being enabled, if that is what was requested, and by
Nova seeing it up. The service is *ours* to enable where its reason is exactly the one that we
wrote, whichever drain of the maintenance it was. Everything else is somebody else's decision,
which only an admin overrules, by choosing `ENABLE`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..facts import Hypervisor, Service
from ..message import Message, holds, message, several
from ..states import ReturnChoice, ReturnResult
from .certificate import SERVICE_UP, Check, worth_saying

#: What a maintenance says that OpenStack, or the worker, keeps from being looked after.
TROUBLES = ("openstack_trouble", "openstack_busy", "worker_failed_on_host")
#: The withdrawals that are no alarm.
SWITCHED_OFF = ("switched_off", "switched_off_undated")


@dataclass(frozen=True)
class MaintenanceView:
    """What the database knows of the maintenance of a host, see models.HostMaintenance."""

    host: str
    found_status: str = "enabled"
    found_reason: str = ""
    our_reason: str = ""
    returning_since: datetime | None = None
    return_choice: str = ""
    enabling_since: datetime | None = None
    enabled_at: datetime | None = None


@dataclass(frozen=True)
class ReturnLimits:
    """Bounds of a return to service, in seconds.

    :param wait_seconds: how long an enabled service may take until Nova sees it up
    :param cloud_down_wait_seconds: how long an OpenStack that does not answer is waited for
    """

    wait_seconds: float = 900
    cloud_down_wait_seconds: float = 3600


# -- steps -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Enable:
    """Record the intent, then ask Nova to enable the service."""

    service_id: str


@dataclass(frozen=True)
class MarkEnabled:
    """It is enabled, we were about to ask for that, and no answer is on record."""

    message: Message


@dataclass(frozen=True)
class Wait:
    """Look again later. `message` says what is waited for."""

    message: Message


@dataclass(frozen=True)
class Close:
    """The maintenance is over."""

    result: ReturnResult
    message: Message


@dataclass(frozen=True)
class GiveUp:
    """The return is over, the maintenance is not: nothing more is done until somebody asks."""

    message: Message


Step = Enable | MarkEnabled | Wait | Close | GiveUp


# -- safe to power off -----------------------------------------------------------------------


def standing_against(checks: Iterable[Check]) -> Message | None:
    """What keeps a host from being safe to power off; None where nothing does."""
    return several(
        *(
            message("check_failed", what=check.found, details=check.details)
            if check.details
            else check.found
            for check in worth_saying(checks)
            if not check.passed
        )
    )


def same_machine(host: str, hypervisors: Iterable[Hypervisor]) -> Hypervisor | None:
    """The hypervisor of another service that is the one of this host: the service was renamed, or
    it is the hypervisor's name that was taken for the host's.

    By its id, which is that of Placement's provider, or by its name, which is unique in Placement;
    where the host has none by the machine's name, with its domain or without.

    :param hypervisors: all of the region
    """
    known = list(hypervisors)
    ours = [h for h in known if h.host == host]
    ids = {h.id for h in ours if h.id}
    names = {h.hypervisor_hostname for h in ours}
    for one in known:
        if one.host in ("", host) or one.is_bare_metal:
            continue
        name = one.hypervisor_hostname
        by_name = not ours and (name == host or name.startswith(f"{host}."))
        if one.id in ids or name in names or by_name:
            return one
    return None


def why_withdrawn(
    checks: Iterable[Check], service: Service | None, last_safe: datetime | None
) -> Message | None:
    """Why a host that was safe is no longer safe.

    One that goes down while everything else still holds was most likely switched off, which is
    what it was for: that is no alarm.

    :param last_safe: when it was last verified to be safe
    """
    failed = [check for check in checks if not check.passed]
    forced = service is not None and service.forced_down
    if [check.code for check in failed] == [SERVICE_UP] and not forced:
        if last_safe is None:
            return message("switched_off_undated")
        return message("switched_off", at=last_safe)
    return standing_against(failed)


def why_not_safe(checks: Iterable[Check], withdrawn_why: Message | None) -> Message | None:
    """Why a host is not safe now. One that was switched off goes on to be told calmly, until
    something else than that stands against it."""
    failed = [check for check in checks if not check.passed]
    if [check.code for check in failed] == [SERVICE_UP] and holds(withdrawn_why, *SWITCHED_OFF):
        return withdrawn_why
    return standing_against(failed) or withdrawn_why


# -- what can be chosen ----------------------------------------------------------------------


@dataclass(frozen=True)
class Outlook:
    """What a choice would do.

    :param allowed: whether it can be chosen
    :param message: what would happen, or why it cannot be chosen and what can be done instead
    :param code: a stable word for why not; empty where it is allowed
    """

    allowed: bool
    message: Message
    code: str = ""


def is_ours(service: Service | None, our_reason: str) -> bool:
    """Whether it was us who disabled the service: its reason is exactly the one we wrote."""
    return (
        service is not None
        and service.status == "disabled"
        and bool(our_reason)
        and service.disabled_reason == our_reason
    )


def default_choice(view: MaintenanceView, service: Service | None) -> ReturnChoice | None:
    """What is chosen where nobody chooses; None where that is left to the admin.

    A host that was found disabled is returned as it was found.
    """
    if service is None:
        return ReturnChoice.LEAVE
    if not service.is_known:
        return None
    if service.status == "enabled" or is_ours(service, view.our_reason):
        return ReturnChoice.OURS
    return ReturnChoice.LEAVE if view.found_status == "disabled" else None


def outlooks(view: MaintenanceView, service: Service | None) -> Mapping[ReturnChoice, Outlook]:
    """What each choice would do with the service as it is now."""
    if service is None or not service.is_known:
        if service is None:
            why, code = message("service_gone", host=view.host), "service_gone"
        else:
            why, code = message("service_unknown", host=view.host), "host_unknown"
        refused = Outlook(False, why, code)
        return {
            ReturnChoice.OURS: refused,
            ReturnChoice.ENABLE: refused,
            ReturnChoice.LEAVE: Outlook(True, message("ends_without_nova")),
        }
    forced = _forced_down(service)
    if service.status == "enabled":
        already = Outlook(True, several(message("enabled_already"), forced))
        return {
            ReturnChoice.OURS: already,
            ReturnChoice.ENABLE: already,
            ReturnChoice.LEAVE: Outlook(True, message("stays_enabled")),
        }
    if is_ours(service, view.our_reason):
        ours = message("enables_ours", reason=view.our_reason)
        enable = Outlook(True, several(ours, forced))
        return {
            ReturnChoice.OURS: enable,
            ReturnChoice.ENABLE: enable,
            ReturnChoice.LEAVE: Outlook(
                True, message("stays_disabled_by_us", reason=view.our_reason)
            ),
        }
    theirs = how_disabled(service.disabled_reason)
    as_found = (
        view.found_status == "disabled" and service.disabled_reason[:255] == view.found_reason
    )
    stays = message("stays_disabled", how=theirs)
    return {
        ReturnChoice.OURS: Outlook(
            False, message("not_ours", host=view.host, how=theirs), "not_ours"
        ),
        ReturnChoice.ENABLE: Outlook(True, several(message("enables_theirs", how=theirs), forced)),
        ReturnChoice.LEAVE: Outlook(
            True, message("stays_disabled_as_found", how=theirs) if as_found else stays
        ),
    }


def how_disabled(reason: str) -> Message:
    """E.g. `with the reason "new kernel"`."""
    return message("with_reason", reason=reason) if reason else message("without_reason")


def _forced_down(service: Service) -> Message | None:
    return message("up_when_undone", host=service.host) if service.forced_down else None


# -- giving back -----------------------------------------------------------------------------


def decide_return(
    view: MaintenanceView, service: Service | None, limits: ReturnLimits, now: datetime
) -> Step:
    """The next step of a return to service that was requested.

    :param service: as Nova told just now; None: it has none of this host
    """
    assert view.returning_since is not None  # it was requested
    enabled_since = view.enabled_at or view.enabling_since
    if view.return_choice == ReturnChoice.LEAVE:
        return _leave(view, service)
    if service is None:
        return Close(ReturnResult.NOT_UP, message("nothing_to_enable", host=view.host))
    late = now - (enabled_since or view.returning_since) >= timedelta(seconds=limits.wait_seconds)
    if not service.is_known:
        if not late:
            return Wait(message("waits_for_cell", host=view.host))
        if enabled_since:
            return Close(ReturnResult.NOT_UP, message("enabled_cell_lost", host=view.host))
        return GiveUp(message("cell_lost", host=view.host))
    if service.status == "enabled":
        return _until_up(view, service, late)
    how = how_disabled(service.disabled_reason)
    if view.enabled_at:
        # A host that boots may be disabled by its own driver for some seconds ("AUTO: …"), and
        # a second request of ours would overrule whoever else it was.
        if not late:
            return Wait(message("disabled_again_for_now", how=how))
        return Close(ReturnResult.NOT_UP, message("disabled_again", how=how))
    if view.return_choice == ReturnChoice.OURS and not is_ours(service, view.our_reason):
        return GiveUp(message("not_ours_any_more", how=how))
    return Enable(service.id)


def _leave(view: MaintenanceView, service: Service | None) -> Close:
    if service is None:
        return Close(ReturnResult.LEFT, message("left_without_service", host=view.host))
    if not service.is_known:
        return Close(ReturnResult.LEFT, message("left_without_cell", host=view.host))
    if service.status != "enabled":
        how = how_disabled(service.disabled_reason)
        return Close(ReturnResult.LEFT, message("left_disabled", how=how))
    if service.is_up:
        return Close(ReturnResult.IN_SERVICE, message("in_service"))
    down = several(message("enabled_but_down"), _forced_down(service))
    return Close(ReturnResult.NOT_UP, down)


def _until_up(view: MaintenanceView, service: Service, late: bool) -> Step:
    if view.enabling_since and not view.enabled_at:
        return MarkEnabled(message("enable_answer_lost"))
    ours = view.enabled_at is not None
    if service.is_up:
        up = message("in_service") if ours else message("in_service_by_other")
        return Close(ReturnResult.IN_SERVICE, up)
    forced = _forced_down(service)
    if late:
        not_up = message("not_up", forced=forced)
        return Close(
            ReturnResult.NOT_UP, not_up if ours else message("not_up_by_other", forced=forced)
        )
    waits = message("waits_until_up") if ours else message("waits_until_up_by_other")
    return Wait(several(waits, forced))


def cloud_is_lost(
    view: MaintenanceView, limits: ReturnLimits, trouble: Message, now: datetime
) -> Step:
    """What becomes of a return while OpenStack does not answer.

    :param trouble: of one of the codes of `TROUBLES`
    """
    assert view.returning_since is not None  # it was requested
    bound = timedelta(seconds=max(limits.wait_seconds, limits.cloud_down_wait_seconds))
    if now - view.returning_since < bound:
        return Wait(trouble)
    detail = trouble.values["detail"]
    if view.return_choice == ReturnChoice.LEAVE:
        return Close(ReturnResult.LEFT, message("left_unknown", detail=detail))
    if view.enabled_at:
        return Close(ReturnResult.NOT_UP, message("enabled_openstack_lost", detail=detail))
    return GiveUp(message("openstack_lost", detail=detail))

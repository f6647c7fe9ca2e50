"""What is to be done next with a host in maintenance: facts + record + now -> one step.

A host is given back by its compute service being enabled, if that is what was asked for, and by
Nova seeing it up. The service is *ours* to enable where its reason is exactly the one that we
wrote, whichever drain of the maintenance it was. Everything else is somebody else's decision,
which only an admin overrules, by choosing `ENABLE`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..facts import Hypervisor, Service
from ..states import ReturnChoice, ReturnResult
from .certificate import SERVICE_UP, Check, worth_saying

#: How the message of a maintenance begins that OpenStack keeps from being looked after.
TROUBLE = "OpenStack does not answer as it should."
#: … that the worker keeps from it; and both.
FAILS = "The worker cannot work on this host."
TROUBLES = (TROUBLE, FAILS)
#: How the withdrawal begins that is no alarm.
SWITCHED_OFF = "The host went down, most likely because it was switched off."


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

    message: str


@dataclass(frozen=True)
class Wait:
    """Look again later. `message` says what is waited for."""

    message: str


@dataclass(frozen=True)
class Close:
    """The maintenance is over."""

    result: ReturnResult
    message: str


@dataclass(frozen=True)
class GiveUp:
    """The return is over, the maintenance is not: nothing more is done until somebody asks."""

    message: str


Step = Enable | MarkEnabled | Wait | Close | GiveUp


# -- safe to power off -----------------------------------------------------------------------


def in_words(checks: Iterable[Check]) -> str:
    """What keeps a host from being safe to power off; empty where nothing does."""
    return " ".join(
        f"{check.text} {'; '.join(check.details)}{'.' if check.details else ''}".strip()
        for check in worth_saying(checks)
        if not check.passed
    )


def same_machine(host: str, hypervisors: Iterable[Hypervisor]) -> Hypervisor | None:
    """The hypervisor of another service that is the one of this host: the service was renamed, or
    it is the hypervisor's name that was taken for the host's.

    By its id, which is that of Placement's provider, or by its name, which is unique in Placement;
    where the host has none (any more) by the machine's name, with its domain or without.

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
) -> str:
    """Why a host that was safe is not any more.

    One that goes down while everything else still holds was most likely switched off, which is
    what it was for: that is no alarm.

    :param last_safe: when it was last verified to be safe
    """
    failed = [check for check in checks if not check.passed]
    at = f" at {last_safe.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if last_safe else ""
    forced = service is not None and service.forced_down
    if [check.code for check in failed] == [SERVICE_UP] and not forced:
        return (
            f"{SWITCHED_OFF} It was last verified to be safe{at}, and everything but that still"
            " held."
        )
    return in_words(failed)


def why_not_safe(checks: Iterable[Check], withdrawn_why: str) -> str:
    """Why a host is not safe now. One that was switched off goes on to be told calmly, until
    something else than that stands against it."""
    failed = [check for check in checks if not check.passed]
    if [check.code for check in failed] == [SERVICE_UP] and withdrawn_why.startswith(SWITCHED_OFF):
        return withdrawn_why
    return in_words(failed) or withdrawn_why


# -- what can be chosen ----------------------------------------------------------------------


@dataclass(frozen=True)
class Outlook:
    """What a choice would do.

    :param allowed: whether it can be chosen
    :param text: what would happen, or why it cannot be chosen
    :param code: a stable word for why not; empty where it is allowed
    :param remedy: what can be done instead, or empty
    """

    allowed: bool
    text: str
    code: str = ""
    remedy: str = ""


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

    A host that was found disabled is given back as it was found.
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
    choose_leave = "Leave the service as it is: the maintenance ends all the same."
    if service is None or not service.is_known:
        if service is None:
            why = f"Nova has no compute service of host {view.host} (any more)."
            code = "service_gone"
            remedy = choose_leave
        else:
            why = f"Nova does not reach the cell of host {view.host}, so its state is unknown."
            code = "host_unknown"
            remedy = f"Bring the cell back first. Or: {choose_leave.lower()}"
        refused = Outlook(False, why, code, remedy)
        leave = Outlook(True, "The maintenance ends; nothing is asked of Nova.")
        return {
            ReturnChoice.OURS: refused,
            ReturnChoice.ENABLE: refused,
            ReturnChoice.LEAVE: leave,
        }
    until_up = f"The maintenance ends when Nova sees the host up.{_forced_down(service)}"
    if service.status == "enabled":
        already = Outlook(True, f"The service is enabled already. {until_up}")
        leave = Outlook(True, "The maintenance ends at once. The service stays enabled.")
        return {
            ReturnChoice.OURS: already,
            ReturnChoice.ENABLE: already,
            ReturnChoice.LEAVE: leave,
        }
    if is_ours(service, view.our_reason):
        enable = Outlook(
            True,
            f'The service is enabled: it was us who disabled it ("{view.our_reason}"). {until_up}',
        )
        leave = Outlook(
            True,
            f'The maintenance ends at once. The service stays disabled ("{view.our_reason}").',
        )
        return {ReturnChoice.OURS: enable, ReturnChoice.ENABLE: enable, ReturnChoice.LEAVE: leave}
    theirs = reason_in_words(service.disabled_reason)
    as_found = (
        view.found_status == "disabled" and service.disabled_reason[:255] == view.found_reason
    )
    found = ", as it was found" if as_found else ""
    return {
        ReturnChoice.OURS: Outlook(
            False,
            f"It was not us who disabled the service of host {view.host}: it is disabled {theirs}.",
            "not_ours",
            "Choose whether it is enabled all the same, or left as it is.",
        ),
        ReturnChoice.ENABLE: Outlook(
            True,
            f"The service is enabled, although it was not us who disabled it (it is disabled"
            f" {theirs}). {until_up}",
        ),
        ReturnChoice.LEAVE: Outlook(
            True, f"The maintenance ends at once. The service stays disabled {theirs}{found}."
        ),
    }


def reason_in_words(reason: str) -> str:
    """E.g. `with the reason "new kernel"`."""
    return f'with the reason "{reason}"' if reason else "without a reason"


def _forced_down(service: Service) -> str:
    if not service.forced_down:
        return ""
    return (
        " It was forced down, and Nova does not see it up before somebody undoes that"
        f" (openstack compute service set --up {service.host} nova-compute)."
    )


# -- giving back -----------------------------------------------------------------------------


def decide_return(
    view: MaintenanceView, service: Service | None, limits: ReturnLimits, now: datetime
) -> Step:
    """The next step of a return to service that was asked for.

    :param service: as Nova told just now; None: it has none of this host
    """
    assert view.returning_since is not None  # it was asked for
    enabled_since = view.enabled_at or view.enabling_since
    if view.return_choice == ReturnChoice.LEAVE:
        return _leave(view, service)
    if service is None:
        return Close(
            ReturnResult.NOT_UP,
            f"Nova has no compute service of host {view.host} (any more), so there is nothing to"
            " enable. Its nova-compute makes one when it starts.",
        )
    late = now - (enabled_since or view.returning_since) >= timedelta(seconds=limits.wait_seconds)
    if not service.is_known:
        text = f"Nova does not reach the cell of host {view.host}"
        if not late:
            return Wait(f"{text}; waiting for it.")
        if enabled_since:
            return Close(
                ReturnResult.NOT_UP,
                f"The service was enabled, but {text}, so whether the host is up is not known.",
            )
        return GiveUp(f"{text}, so the service was not enabled. Ask again when it is back.")
    if service.status == "enabled":
        return _until_up(view, service, late)
    if view.enabled_at:
        # A host that boots may be disabled by its own driver for some seconds ("AUTO: …"), and
        # a second request of ours would overrule whoever else it was.
        there = f"disabled {reason_in_words(service.disabled_reason)}"
        if not late:
            return Wait(f"The service was enabled, and is {there} again; waiting.")
        return Close(
            ReturnResult.NOT_UP,
            f"The service was enabled, but then it was {there} again. It is left so.",
        )
    if view.return_choice == ReturnChoice.OURS and not is_ours(service, view.our_reason):
        return GiveUp(
            "The service was not enabled: meanwhile it is disabled"
            f" {reason_in_words(service.disabled_reason)}, which is not what we wrote."
            " Choose whether it is enabled all the same, or left as it is."
        )
    return Enable(service.id)


def _leave(view: MaintenanceView, service: Service | None) -> Close:
    if service is None:
        return Close(
            ReturnResult.LEFT, f"Nova has no compute service of host {view.host} (any more)."
        )
    if not service.is_known:
        return Close(
            ReturnResult.LEFT,
            f"The service was left as it is; Nova does not reach the cell of host {view.host}.",
        )
    if service.status != "enabled":
        there = reason_in_words(service.disabled_reason)
        return Close(ReturnResult.LEFT, f"The service was left disabled {there}.")
    if service.is_up:
        return Close(ReturnResult.IN_SERVICE, "The service is enabled, and Nova sees it up.")
    return Close(
        ReturnResult.NOT_UP, f"The service is enabled, but it is down.{_forced_down(service)}"
    )


def _until_up(view: MaintenanceView, service: Service, late: bool) -> Step:
    if view.enabling_since and not view.enabled_at:
        return MarkEnabled("The service is enabled; Nova's answer to our request got lost.")
    who = "" if view.enabled_at else " (it was enabled by somebody else)"
    if service.is_up:
        return Close(ReturnResult.IN_SERVICE, f"The service is enabled{who}, and Nova sees it up.")
    forced = _forced_down(service)
    if late:
        return Close(
            ReturnResult.NOT_UP,
            f"The service is enabled{who}, but Nova did not see it up in time.{forced} Instances"
            " are placed there as soon as its nova-compute reports.",
        )
    return Wait(f"The service is enabled{who}; waiting until Nova sees it up.{forced}")


def cloud_is_lost(
    view: MaintenanceView,
    limits: ReturnLimits,
    error: str,
    now: datetime,
    trouble: str = TROUBLE,
) -> Step:
    """What becomes of a return while OpenStack does not answer.

    :param trouble: one of `TROUBLES`
    """
    assert view.returning_since is not None  # it was asked for
    bound = timedelta(seconds=max(limits.wait_seconds, limits.cloud_down_wait_seconds))
    if now - view.returning_since < bound:
        return Wait(f"{trouble} {error}")
    if view.return_choice == ReturnChoice.LEAVE:
        return Close(
            ReturnResult.LEFT, f"The service was left as it is; how that is is not known. {error}"
        )
    if view.enabled_at:
        return Close(
            ReturnResult.NOT_UP,
            "The service was enabled, but OpenStack stopped answering, so whether the host is up"
            f" is not known. {error}",
        )
    return GiveUp(
        "OpenStack did not answer in time, so whether the service is enabled is not known."
        f" Ask again when it does. {error}"
    )

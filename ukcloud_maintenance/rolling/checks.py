"""What is looked at after an action, before a host is given back."""

from datetime import datetime

from .. import settings
from ..cloud import Cloud
from ..core.facts import Machine
from ..core.message import Message, message
from ..exceptions import CloudError
from ..store import RunHost

#: uptime(1) tells whole minutes, of a report that is a minute old at most.
UPTIME_SLACK = 120.0


def facts_before(cloud: Cloud, host: str) -> dict[str, int | None]:
    """What is kept of a host's machine before it is acted on; up to two requests. What cannot be
    read is not known."""
    try:
        found = cloud.machine(host)
    except CloudError:
        found = Machine()
    return {"uptime": found.uptime_seconds, "version": found.version}


def standing_against(
    cloud: Cloud, name: str, row: RunHost, began: datetime, now: datetime
) -> Message | None:
    """What the checks find wrong with a host that is up again; None: they hold.

    :param name: of the action; empty: by hand
    :param began: when it began
    :raises CloudError: something cannot be read
    """
    if not name:
        return None
    action = settings.current().actions.get(name)
    if action is None:
        return message("run_action_gone", action=name)
    wanted = set(action.checks) | ({"reboot"} if action.reboots else set())
    if row.down_at is not None:
        wanted.discard("reboot")  # it was seen
    if not wanted:
        return None
    machine = cloud.machine(row.host)
    restarted = was_restarted(machine, row.before, (now - began).total_seconds())
    if "reboot" in wanted and not restarted:
        return message("run_no_reboot", host=row.host)
    if "uptime_changed" in wanted and not restarted:
        return message("run_same_uptime", host=row.host)
    if "version_changed" in wanted and machine.version == row.before.get("version"):
        return message("run_same_version", host=row.host, version=machine.version or 0)
    return None


def was_restarted(machine: Machine, before: dict[str, int | None], seconds: float) -> bool:
    """Whether the machine has been up for less than since its action began, or than before it.

    :param seconds: since the action began
    """
    uptime, known = machine.uptime_seconds, before.get("uptime")
    if uptime is None:
        return False
    if known is None:
        return uptime < seconds
    return uptime < known + seconds - UPTIME_SLACK

"""What is looked at after an action, before a host is returned."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .. import settings
from ..cloud import Cloud
from ..core.facts import Machine
from ..core.message import Message, message
from ..core.run import agents
from ..core.run.canary import restored
from ..exceptions import CloudError
from ..log import log_event
from ..settings.actions import Action
from ..store import RunHost

#: uptime(1) tells whole minutes, of a report that is a minute old at most.
UPTIME_SLACK = 120.0
_OF_THE_MACHINE = {"reboot", "uptime_changed", "version_changed"}


def facts_before(
    cloud: Cloud, host: str, action: Action | None, earlier: Mapping[str, Any]
) -> dict[str, Any]:
    """What is kept of a host before it is acted on; up to two requests, and those of its agents
    where they are looked at afterwards. What cannot be read is not known.

    :param action: None: by hand
    :param earlier: what was kept before an earlier try
    """
    try:
        found = cloud.machine(host)
    except CloudError:
        found = Machine()
    kept: dict[str, Any] = {"uptime": found.uptime_seconds, "version": found.version}
    if action is not None and "agents_up" in action.checks:
        known = earlier.get("agents")
        try:
            known = agents.kept_of(cloud.agents_of(host), known)
        except CloudError as error:
            log_event(logging.INFO, "agents_not_known", host=host, detail=error.said)
        kept["agents"] = known
    if "canary" in earlier:
        kept["canary"] = earlier["canary"]  # something may be left of it
    return kept


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
    wrong = None
    if wanted & _OF_THE_MACHINE:
        wrong = _against_the_machine(cloud, wanted, row, (now - began).total_seconds())
    if wrong is None and "agents_up" in wanted:
        found = cloud.agents_of(row.host)
        if not found:
            log_event(logging.INFO, "host_without_agents", run=row.run_id, host=row.host)
        wrong = agents.standing_against(row.host, found, row.before.get("agents"))
    return wrong


def wants_canary(name: str) -> bool:
    """Whether an action is to be followed by a canary."""
    action = settings.current().actions.get(name)
    return action is not None and "canary" in action.checks


def canary_is_left(row: RunHost) -> bool:
    """Whether something may be left of the canary of a host."""
    one = restored(row.before.get("canary"))
    return one is not None and not one.is_gone


def _against_the_machine(
    cloud: Cloud, wanted: set[str], row: RunHost, seconds: float
) -> Message | None:
    machine = cloud.machine(row.host)
    restarted = was_restarted(machine, row.before, seconds)
    if "reboot" in wanted and not restarted:
        return message("run_no_reboot", host=row.host)
    if "uptime_changed" in wanted and not restarted:
        return message("run_same_uptime", host=row.host)
    if "version_changed" in wanted and machine.version == row.before.get("version"):
        return message("run_same_version", host=row.host, version=machine.version or 0)
    return None


def was_restarted(machine: Machine, before: Mapping[str, Any], seconds: float) -> bool:
    """Whether the machine has been up for less than since its action began, or than before it.

    :param seconds: since the action began
    """
    uptime, known = machine.uptime_seconds, before.get("uptime")
    if uptime is None:
        return False
    if known is None:
        return uptime < seconds
    return uptime < known + seconds - UPTIME_SLACK

"""What may be done to a host that is empty, and what must be quiet before the next one is begun.

``ACTIONS`` and ``ALERTS`` are dicts of dicts; here is what they are read into, and what may be
wrong with them. What can hold a secret (addresses, headers, environments) is neither in the `repr`
of what is read, nor quoted where it is wrong.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.signing import key_of
from .parts import VALUES, Parts
from .schema import Wrong, setting

__all__ = ["CHECKS", "VALUES", "Action", "Alerts", "Command", "Poll", "Webhook"]

#: What can be verified of a host after its action.
CHECKS = ("uptime_changed", "version_changed", "agents_up", "canary")
#: Neutron takes an agent for alive for so many seconds after it last heard of it
#: (`agent_down_time`): who looks earlier may look at what was before the action.
AGENTS_SETTLE = 75.0
#: What a run calls the action that a person does.
BY_HAND = ("by-hand", "by_hand")
FIRING = 'ALERTS{alertstate="firing",severity="critical"}'


@dataclass(frozen=True)
class Command:
    """A program that is run on the worker's machine, without a shell.

    :ivar argv: the program and its arguments; ``{host}`` and the other `parts.VALUES` are filled
        in, and ``{{`` and ``}}`` stand for braces
    :ivar time_limit: seconds after which it is ended
    :ivar directory: where it is run, absolute; empty: in /
    """

    argv: tuple[str, ...]
    time_limit: float = 3600.0
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    directory: str = ""


@dataclass(frozen=True)
class Poll:
    """How the end of what a webhook began is read from the address that its answer names.

    :ivar field: of the JSON that is read; dots lead into objects, e.g. ``job.status``
    :ivar interval: seconds between two reads
    """

    field: str
    done: tuple[str, ...]
    failed: tuple[str, ...] = ()
    interval: float = 15.0


@dataclass(frozen=True)
class Webhook:
    """A signed request that has another program do it.

    :ivar body: what is sent instead of our own fields, with `parts.VALUES` filled in; None: ours
    :ivar timeout: seconds for the whole of one request
    """

    url: str = field(repr=False)
    secret: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    poll: Poll | None = None
    timeout: float = 10.0

    @property
    def key(self) -> bytes:
        """What it is signed with."""
        return key_of(self.secret)


@dataclass(frozen=True)
class Action:
    """What is done to a host after it was drained. It has a command or a webhook.

    :ivar name: its key in ``ACTIONS``
    :ivar time_limit: seconds after which it has failed
    :ivar reboots: whether the host must have been down afterwards
    :ivar idempotent: whether it may be repeated where its end is not known
    :ivar settle: seconds for which the host must be up before the action counts as done
    :ivar retry_after: seconds before the next attempt, after "try later"
    :ivar checks: some of `CHECKS`
    """

    name: str
    command: Command | None = None
    webhook: Webhook | None = None
    time_limit: float = 3600.0
    reboots: bool = False
    idempotent: bool = False
    settle: float = 60.0
    retry_after: float = 300.0
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alerts:
    """What is asked of a Prometheus before each host.

    :ivar url: of its HTTP API, without ``/api/v1``
    :ivar query: a PromQL expression that must be empty
    :ivar timeout: seconds for the whole answer
    """

    url: str = field(repr=False)
    query: str = FIRING
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 10.0


def read_actions(given: Any) -> Mapping[str, Action]:
    """:raises Wrong: with all that is wrong"""
    found: list[str] = []
    read = {}
    for name, value in given.items():
        where = f"[{name!r}]"
        if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
            found.append(
                f"{where} must be named with small letters, digits, hyphens and underscores, at"
                " most 63."
            )
        elif name in BY_HAND:
            found.append(f"{where} must be named otherwise: this is what a person does.")
        elif not isinstance(value, dict):
            found.append(f"{where} must be dict, not {type(value).__name__}.")
        else:
            read[name] = _action(name, Parts(value, where, found))
    if found:
        raise Wrong(found)
    return read


def read_alerts(given: Any) -> Alerts | None:
    """None for an empty dict.

    :raises Wrong: with all that is wrong
    """
    if not given:
        return None
    found: list[str] = []
    one = Parts(given, "", found)
    read = Alerts(
        url=one.address("url"),
        query=one.text("query", FIRING),
        headers=one.headers("headers"),
        timeout=one.number("timeout", 10, 0.1, 60),
    )
    one.close()
    if found:
        raise Wrong(found)
    return read


def _action(name: str, one: Parts) -> Action:
    time_limit = one.number("time_limit", 3600, 1, 604800)
    command = webhook = None
    environment, directory = one.environment("environment"), one.text("directory", "", empty=True)
    if directory and not directory.startswith("/"):
        one.wrong("directory", "must be an absolute path")
    if ("command" in one.given) == ("webhook" in one.given):
        one.wrong("", 'must have either "command" or "webhook"')
    if "command" in one.given:
        command = Command(one.argv("command"), time_limit, environment, directory)
    elif environment or directory:
        one.wrong("", '"environment" and "directory" are for commands alone')
    if "webhook" in one.given and (inner := one.inner("webhook")):
        webhook = _webhook(inner)
    one.known |= {"command", "webhook"}
    checks = one.some_of("checks", CHECKS)
    settle = one.number("settle", 90 if "agents_up" in checks else 60, 0, 86400)
    if "agents_up" in checks and settle < AGENTS_SETTLE:
        one.wrong("settle", "must be 75 or more with the check agents_up")
    action = Action(
        name,
        command,
        webhook,
        time_limit,
        reboots=one.flag("reboots"),
        idempotent=one.flag("idempotent"),
        settle=settle,
        retry_after=one.number("retry_after", 300, 1, 86400),
        checks=checks,
    )
    one.close()
    return action


def _webhook(one: Parts) -> Webhook:
    poll = None
    if "poll" in one.given and (inner := one.inner("poll")):
        done, failed = inner.texts("done"), inner.texts("failed", ())
        if set(done) & set(failed):
            inner.wrong("failed", 'must have nothing that is in "done" as well')
        poll = Poll(inner.text("field"), done, failed, inner.number("interval", 15, 1, 3600))
        inner.close()
    one.known.add("poll")
    read = Webhook(
        url=one.address("url"),
        secret=one.secret("secret"),
        headers=one.headers("headers"),
        body=one.body("body"),
        poll=poll,
        timeout=one.number("timeout", 10, 0.1, 60),
    )
    one.close()
    return read


#: The fields of the settings.
ACTIONS: Any = setting(
    {},
    "name: action",
    "What a rolling run may do to a host after it was drained, by name: see the page Maintenance"
    " actions of the documentation.",
    parse=read_actions,
)
ACTIONS_DIRECTORY: Any = setting(
    "",
    "a directory of the worker's machine",
    "Where the commands of actions are recorded while they run. If empty, `actions` in the state"
    " directory that systemd gives to the worker, otherwise a directory in that for temporary"
    " files. The worker makes it; nobody else may read it.",
)
ALERTS: Any = setting(
    {},
    "a query of Prometheus",
    "Alerts that keep a rolling run from beginning another host: see the page Maintenance actions"
    " of the documentation. If empty, none are queried.",
    parse=read_alerts,
)
BY_HAND_SETTLE_SECONDS: Any = setting(
    60,
    "seconds",
    "How long a host that a person maintained must be up, once its maintenance is said to be done,"
    " before it is returned to service. Nova takes a host for up until it has heard nothing of it"
    " for `service_down_time` (60 s): with less, one that is still restarting may be returned.",
    0,
    86400,
)
GATE_HOSTS_DOWN: Any = setting(
    True,
    "true or false",
    "Whether a rolling run begins no host while another host of the region is down that was up"
    " when the run was requested.",
)
GATE_ERRORS: Any = setting(
    True,
    "true or false",
    "Whether a rolling run begins no host while an instance is in ERROR that was not when the run"
    " was requested.",
)

"""The canary of a host: what is known of it, and how it went. Pure.

It is a small server of our own that is built on a host before that is returned, and deleted. Its
name tells it from all others, so that one whose id got lost is found again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..backports import UTC
from ..facts import Server
from ..message import Message, as_json, from_json, holds, message, text

#: Begins the name of each.
PREFIX = "maintenance-canary-"
#: For so many seconds the scheduler may take the host for enabled, for the sake of a canary.
OPEN_SECONDS = 60.0
#: How often one is built that got no host: the host was taken for disabled again too early.
TRIES = 3
#: With these a host has failed for now: what is found is not looked at again.
FAILED, LEFT = "run_canary_failed", "run_canary_left"


@dataclass(frozen=True)
class Canary:
    """What is kept of the canary of a host.

    :param token: unguessable; part of its name, and the same for each of a host
    :param settled: since when the host was settling that it was built for, in ISO 8601
    :param provider: the host's resource provider, which may be taken for enabled
    :param asked_at: when we were about to ask for it
    :param server: its id; empty: not known, or there is none
    :param is_open: the scheduler may take the host for enabled
    :param had_host: it was seen on a host
    :param may_be_repeated: how it went tells nothing of the host
    :param verdict: how it went; None: it is awaited
    :param judged_at: since when that is known
    :param is_gone: nothing is left of it
    """

    token: str
    settled: str
    provider: str
    asked_at: datetime
    server: str = ""
    is_open: bool = True
    had_host: bool = False
    may_be_repeated: bool = False
    tries: int = 1
    verdict: Message | None = None
    judged_at: datetime | None = None
    is_gone: bool = False

    @property
    def name(self) -> str:
        return PREFIX + self.token

    @property
    def is_fine(self) -> bool:
        return self.verdict is not None and self.verdict.code == "run_canary_fine"

    @property
    def asks_for_another(self) -> bool:
        return self.is_gone and self.may_be_repeated and self.tries < TRIES

    def is_overdue(self, seconds: float, now: datetime) -> bool:
        """Whether it should have been gone by now."""
        return (
            not self.is_gone
            and self.judged_at is not None
            and now - self.judged_at > timedelta(seconds=seconds)
        )

    def may_close(self, server: Server | None, now: datetime) -> bool:
        """Whether the host may be taken for disabled again: Nova has chosen."""
        has_chosen = server is not None and (bool(server.host) or server.status != "BUILD")
        is_late = now - self.asked_at > timedelta(seconds=OPEN_SECONDS)
        return self.is_open and (has_chosen or is_late or self.verdict is not None)


def stored(one: Canary) -> dict[str, Any]:
    """Plain values, for JSON."""
    kept = dict(vars(one))
    kept["asked_at"] = one.asked_at.timestamp()
    kept["verdict"] = as_json(one.verdict) if one.verdict else None
    kept["judged_at"] = one.judged_at.timestamp() if one.judged_at else None
    return kept


def restored(kept: dict[str, Any] | None) -> Canary | None:
    if not kept:
        return None
    return Canary(
        **{
            **kept,
            "asked_at": _moment(kept["asked_at"]),
            "verdict": from_json(kept["verdict"]) if kept["verdict"] else None,
            "judged_at": _moment(kept["judged_at"]),
        }
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def judge(
    one: Canary,
    host: str,
    server: Server | None,
    *,
    seconds: float,
    grace: float,
    now: datetime,
) -> Message | None:
    """How it went; None: that is not known yet.

    :param server: as Nova has it; None: it has none
    :param seconds: after which it must be ACTIVE
    :param grace: seconds for which a request may be on its way to Nova
    """
    age = (now - one.asked_at).total_seconds()
    if server is None:
        if one.server:
            return failed(host, message("canary_vanished"))
        return failed(host, message("canary_never_seen")) if age > grace else None
    if server.status == "ERROR":
        why = text(server.fault_message) if server.fault_message else message("run_no_reason")
        return failed(host, why)
    if server.host and server.host != host:
        return failed(host, message("canary_elsewhere", host=server.host))
    if server.status == "ACTIVE" and server.task_state is None and server.host == host:
        return message("run_canary_fine", host=host)
    if age > seconds:
        return failed(host, message("canary_too_late", status=server.status, seconds=int(seconds)))
    return None


def tells_nothing(one: Canary, verdict: Message, server: Server | None) -> bool:
    """Whether what became of it says nothing of its host: the request got lost, or the scheduler
    had no host for it, as it took that for disabled again."""
    if server is None:
        return holds(verdict, "canary_never_seen")
    return server.status == "ERROR" and not (server.host or one.had_host)


def failed(host: str, why: Message) -> Message:
    return message(FAILED, host=host, why=why)

"""Whether the network agents of a host are up after its action, by what they were before. Pure."""

from collections.abc import Iterable, Mapping

from ..facts import NetworkAgent
from ..message import Message, message, some


def kept_of(
    found: Iterable[NetworkAgent], earlier: Mapping[str, bool] | None = None
) -> dict[str, bool]:
    """What is kept of the agents of a host before it is acted on: whether each is up, by its
    binary.

    :param earlier: what was kept before an earlier try; what that one broke was up once
    """
    kept: dict[str, bool] = {}
    for one in found:
        kept[one.binary] = kept.get(one.binary, True) and one.is_up
    return kept | {name: True for name, was_up in (earlier or {}).items() if was_up}


def standing_against(
    host: str, found: Iterable[NetworkAgent], kept: Mapping[str, bool] | None
) -> Message | None:
    """What is wrong with the agents of a host; None: nothing.

    One that was not up before may be so still; one that was up, or was not there, must be up.

    :param kept: of before the action; None: not known, and each must be up then
    """
    agents = sorted(found, key=lambda one: one.binary)
    if kept is None and not agents:
        return message("run_agents_unknown", host=host)
    known = kept or {}
    down = [_why(one) for one in agents if not one.is_up and known.get(one.binary, True)]
    listed = {one.binary for one in agents}
    gone = sorted(name for name, was_up in known.items() if was_up and name not in listed)
    down += [message("agent_gone", agent=name) for name in gone]
    if not down:
        return None
    return message("run_agents_down", host=host, agents=some(down), count=len(down))


def _why(one: NetworkAgent) -> Message:
    about = {"agent": one.binary, "kind": one.kind}
    if not one.is_alive and one.heard_at is not None:
        return message("agent_dead_since", at=one.heard_at, **about)
    return message("agent_off" if one.is_alive else "agent_dead", **about)

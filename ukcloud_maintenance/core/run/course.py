"""The stages that each host of a run went through, from what was recorded of it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from .states import Stage

#: Of these kinds is an event that tells the stage of a host, with the stage behind it.
_KIND = "run_host_"
#: What a person asked or said, and what the stage is until the next event tells.
_ASKED = {"run_host_retry_requested": Stage.WAITING, "run_host_said_done": Stage.SETTLING}


@dataclass(frozen=True)
class Happened:
    """One event of a run.

    :param host: the one that it is about
    """

    at: datetime
    kind: str
    host: str


@dataclass(frozen=True)
class HostNow:
    """A host of a run as it is now."""

    host: str
    stage: Stage
    since: datetime


@dataclass(frozen=True)
class Stretch:
    """A time that a host spent in a stage; `end` is None for the one that it is in."""

    stage: Stage
    start: datetime
    end: datetime | None


def courses(
    hosts: Iterable[HostNow], happened: Iterable[Happened]
) -> Mapping[str, tuple[Stretch, ...]]:
    """The stages of each host, by host, in their order, without gaps from the first that is known.

    What a host is in now goes before what was recorded.

    :param happened: in the order in which it did
    """
    by_host: dict[str, list[tuple[datetime, Stage]]] = {}
    for one in happened:
        if (stage := _stage(one)) is not None:
            by_host.setdefault(one.host, []).append((one.at, stage))
    return {host.host: _course(host, by_host.get(host.host, [])) for host in hosts}


def _stage(one: Happened) -> Stage | None:
    if one.kind in _ASKED:
        return _ASKED[one.kind]
    name = one.kind.removeprefix(_KIND)
    return Stage(name) if name != one.kind and name in list(Stage) else None


def _course(host: HostNow, moments: list[tuple[datetime, Stage]]) -> tuple[Stretch, ...]:
    known = [(at, stage) for at, stage in moments if at <= host.since]
    if not known or known[-1][1] is not host.stage:
        known.append((host.since, host.stage))
    merged: list[tuple[datetime, Stage]] = []
    for at, stage in known:
        if not merged or merged[-1][1] is not stage:
            merged.append((at, stage))
    ends = [at for at, _stage_then in merged[1:]]
    return tuple(
        Stretch(stage, at, end) for (at, stage), end in zip(merged, [*ends, None], strict=True)
    )

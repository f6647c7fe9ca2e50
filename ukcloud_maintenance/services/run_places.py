"""What the pages of rolling runs need beside the runs themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .. import settings, store
from ..core.actor import RULE_ROLL, RULE_VIEW, Actor
from ..store import Run, RunCounts, RunHost
from .access import require
from .requests import PLAN_MAX_HOSTS


@dataclass(frozen=True)
class RunChoices:
    """What an admin may choose for a run.

    :param actions: the names of the settings' actions, in their order
    :param max_hosts: hosts of one run
    """

    actions: tuple[str, ...]
    max_hosts: int = PLAN_MAX_HOSTS


def run_choices(actor: Actor) -> RunChoices:
    """What may be chosen for a run. Nothing is asked of OpenStack."""
    require(actor, RULE_ROLL)
    return RunChoices(tuple(settings.current().actions))


def run_places(actor: Actor, region: str) -> Mapping[str, RunHost]:
    """The place of each host that is in a run which is not over, by host."""
    require(actor, RULE_VIEW)
    return store.open_places(region)


def run_counts(actor: Actor, runs: Iterable[Run]) -> Mapping[int, RunCounts]:
    """How far each run is."""
    require(actor, RULE_VIEW)
    return store.run_counts(runs)

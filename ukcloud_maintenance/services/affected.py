"""Who is affected by drains, before and after: by project, with whom to tell."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from .. import store
from ..cloud import Cloud
from ..core.actor import RULE_AFFECTED, Actor
from ..core.facts import Contacts
from ..core.message import Message, message
from ..core.run.states import RUN_TERMINAL, STAGES_OVER, RunState, Stage
from ..core.states import Direction
from ..exceptions import CloudError, Refused
from ..store import Drain, Run, RunHost
from .access import require
from .affected_moves import AHEAD, MOVES, AffectedInstance, ToCome, counted, of_drain
from .checks import find_service
from .expected import Planned, planned
from .plans import get_plan
from .reports import get_drain
from .rolling import get_run
from .run_forecast import Paces, turns

#: So many seconds may whom to tell take to be read.
CONTACTS_SECONDS = 20.0


@dataclass(frozen=True)
class AffectedRequest:
    """Of what: drains, a plan, a run, hosts; of a host that is being drained, of that drain."""

    drain_ids: Sequence[int] = ()
    plan_id: int | None = None
    hosts: Sequence[str] = ()
    run_id: int | None = None


@dataclass(frozen=True)
class AffectedProject:
    """A project and its instances.

    :param emails: None: they could not be read
    """

    id: str
    name: str
    emails: tuple[str, ...] | None
    instances: tuple[AffectedInstance, ...]


@dataclass(frozen=True)
class Affected:
    """Who is affected, as of a moment.

    :param hosts: of which no drain was requested yet
    :param projects: by name
    :param problems: what could not be read
    """

    now: datetime
    region: str
    drains: tuple[Drain, ...]
    hosts: tuple[str, ...]
    projects: tuple[AffectedProject, ...]
    problems: tuple[Message, ...] = ()
    plan_id: int | None = None
    run_id: int | None = None

    @property
    def instances(self) -> list[AffectedInstance]:
        """What is said of them; of one that moves several times, each move."""
        return [one for project in self.projects for one in project.instances]

    @property
    def number(self) -> int:
        """Of instances."""
        return len({one.server_id for one in self.instances})

    @property
    def moves(self) -> int:
        """How many moves of them are known."""
        return sum(one.effect.part in MOVES for one in self.instances)


def affected_region(actor: Actor, request: AffectedRequest) -> str | None:
    """The region of the drains, the plan or the run that are named; None where none is.

    :raises Refused: there is no such drain, plan or run, or nothing is named, or several regions
        are
    """
    require(actor, RULE_AFFECTED)
    names = (request.plan_id, request.run_id)
    if not request.drain_ids and not request.hosts and names == (None, None):
        raise Refused(message("affected_nothing_named"))
    regions = {get_drain(actor, one).region for one in request.drain_ids}
    if request.plan_id is not None:
        regions.add(get_plan(actor, request.plan_id).region)
    if request.run_id is not None:
        regions.add(get_run(actor, request.run_id).region)
    if len(regions) > 1:
        raise Refused(message("affected_several_regions", regions=sorted(regions)))
    return next(iter(regions), None)


def affected(actor: Actor, cloud: Cloud, request: AffectedRequest) -> Affected:
    """Who is affected. Nova is asked of hosts that no drain is of, and Keystone for whom to tell;
    a Keystone that does not tell is said, and no error.

    :raises Refused: there is no such drain, plan, run or host
    :raises CloudError: Nova does not tell what is on a host
    """
    region = affected_region(actor, request) or cloud.region
    now = store.now()
    rolled = _Rolled() if request.run_id is None else _rolled(get_run(actor, request.run_id))
    drains, of_hosts = _find(cloud, region, actor, request, rolled)
    begun = planned(drains, request.plan_id, now)
    coming = _coming(cloud, region, of_hosts, rolled)
    found = [moves for one in begun for moves in of_drain(one, now)]
    turn = _turns(rolled, begun, coming, now)
    for host, one in coming.items():
        found += one.instances(now, turn.get(host))
    found = list(counted([rolled.with_what_follows(one) for one in found]))
    names = {row.project_id: row.project_name for one in begun for row in one.rows}
    names = {project_id: name for project_id, name in names.items() if name}
    contacts = _contacts(cloud, found)
    missing = {one.project_id for one in found} - names.keys()
    if missing:
        names |= _project_names(cloud)
    problems: list[Message] = []
    if contacts.problem is not None:
        count = len(contacts.not_read)
        said = message("affected_contacts_not_read", count=count, detail=contacts.problem)
        problems.append(said)
    if contacts.left_out:
        count = len(contacts.emails) + len(contacts.not_read)
        problems.append(message("affected_contacts_too_many", count=count))
    return Affected(
        now,
        region,
        tuple(drains),
        tuple(of_hosts),
        tuple(_by_project(found, names, contacts)),
        tuple(problems),
        request.plan_id,
        request.run_id,
    )


def _find(
    cloud: Cloud, region: str, actor: Actor, request: AffectedRequest, rolled: "_Rolled"
) -> tuple[list[Drain], list[str]]:
    """The drains, each once, and the hosts that none of them is of, or that are drained anew."""
    drains = {one: get_drain(actor, one) for one in request.drain_ids}
    if request.plan_id is not None:
        drains |= {one.pk: one for one in store.drains_of_plan(request.plan_id)}
    drains |= rolled.drains
    of_hosts: list[str] = []
    hosts = [*request.hosts, *rolled.waiting]
    services = cloud.services() if request.hosts else []
    now_open = {d.host: d for d in store.drains(region).filter(open_key__isnull=False)}
    for host in dict.fromkeys(hosts):
        drain = now_open.get(host)
        if drain is not None and drain.direction == Direction.AWAY:
            drains[drain.pk] = drain
        elif host in rolled.waiting:
            of_hosts.append(host)
        elif host not in {one.host for one in drains.values()}:
            of_hosts.append(find_service(services, host, region, cloud).host)
    return list(drains.values()), of_hosts


def _coming(
    cloud: Cloud, region: str, hosts: Sequence[str], rolled: "_Rolled"
) -> dict[str, ToCome]:
    """What is on the hosts that no drain is of. A request for each."""
    if not hosts:
        return {}
    read = cloud.try_side_by_side({host: partial(cloud.servers_on, host) for host in hosts})
    for answer in read.values():
        if isinstance(answer, CloudError):
            raise answer
    learned = store.learned_rate(region)
    return {
        host: ToCome(host, read[host], learned, rolled.run if host in rolled.waiting else None)
        for host in hosts
    }


# -- runs --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rolled:
    """A run, or none.

    :ivar drains: its own, by their key
    :ivar not_over: those of them whose host the run is not done with
    :ivar waiting: its hosts that are still to be drained, in their order
    :ivar last: the last one of these
    """

    run: Run | None = None
    rows: Sequence[RunHost] = ()
    drains: Mapping[int, Drain] = field(default_factory=dict)
    not_over: frozenset[int | None] = frozenset()
    waiting: Mapping[str, RunHost] = field(default_factory=dict)
    last: str = ""

    def with_what_follows(self, one: AffectedInstance) -> AffectedInstance:
        """Whether it may move again: to a host whose turn is still to come, or back."""
        if self.run is None or one.effect.part not in MOVES:
            return one
        if one.drain is None:
            is_open = one.host in self.waiting
        else:
            is_open = one.drain.pk in self.not_over and one.drain.direction == Direction.AWAY
        onwards = bool(self.waiting) and one.host != self.last and one.effect.part in AHEAD
        return replace(one, may_move_again=is_open and (onwards or self.run.bring_back))


def _rolled(run: Run) -> _Rolled:
    rows = store.run_hosts(run, outputs=False)
    waiting: dict[str, RunHost] = {}
    if run.state not in RUN_TERMINAL and run.state != RunState.CANCELLING:
        waits = [row for row in rows if row.stage == Stage.WAITING and not row.is_unwanted]
        waiting = {row.host: row for row in waits}
    return _Rolled(
        run,
        rows,
        {one.pk: one for one in store.drains_of_run(run)},
        frozenset(row.drain_id for row in rows if row.stage not in STAGES_OVER),
        waiting,
        next(reversed(waiting), ""),
    )


def _turns(
    rolled: _Rolled, begun: Sequence[Planned], coming: Mapping[str, ToCome], now: datetime
) -> dict[str, Paces]:
    """In how many seconds a run begins with each of its hosts that wait, as far as is known."""
    if rolled.run is None:
        return {}
    rest = {one.drain.pk: one.total for one in begun}
    takes = {
        row.pk: rest[row.drain_id]
        for row in rolled.rows
        if row.stage == Stage.DRAINING and row.drain_id in rest
    }
    takes |= {row.pk: coming[host].total for host, row in rolled.waiting.items() if host in coming}
    found = turns(rolled.run, rolled.rows, now, takes)
    return {host: found[row.pk] for host, row in rolled.waiting.items() if row.pk in found}


# -- projects ----------------------------------------------------------------------------------


def _contacts(cloud: Cloud, found: Iterable[AffectedInstance]) -> Contacts:
    projects = sorted({one.project_id for one in found if one.project_id})
    if not projects:
        return Contacts()
    try:
        return cloud.within(CONTACTS_SECONDS).contacts_of(projects)
    except CloudError as error:
        return Contacts({}, frozenset(projects), error.said)


def _project_names(cloud: Cloud) -> Mapping[str, str]:
    try:
        return cloud.project_names()
    except CloudError:
        return {}


def _by_project(
    found: Iterable[AffectedInstance], names: Mapping[str, str], contacts: Contacts
) -> Iterable[AffectedProject]:
    by_id: dict[str, list[AffectedInstance]] = {}
    for one in found:
        by_id.setdefault(one.project_id, []).append(one)
    projects = [
        AffectedProject(
            project_id, names.get(project_id, ""), contacts.emails.get(project_id), tuple(instances)
        )
        for project_id, instances in by_id.items()
    ]
    return sorted(projects, key=lambda one: ((one.name or one.id).casefold(), one.id))

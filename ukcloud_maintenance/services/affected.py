"""Who is affected by drains, before and after: by project, with whom to tell."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .. import settings, store
from ..cloud import Cloud
from ..core import affected as a
from ..core.actor import RULE_AFFECTED, Actor
from ..core.copying import schedule as s
from ..core.copying.duration import Learned
from ..core.copying.schedule import Expected
from ..core.facts import Contacts, Server
from ..core.message import Message, message
from ..core.preflight.judge import judge
from ..core.preflight.verdicts import OptOutNames, Wishes
from ..core.states import MIGRATION_UNDER_WAY, MigrationState
from ..exceptions import CloudError, Refused
from ..store import Attempt, Drain, InstanceMigration
from .access import require
from .checks import find_service
from .expected import planned
from .plans import get_plan
from .reports import get_drain

#: So many seconds may whom to tell take to be read.
CONTACTS_SECONDS = 20.0
_NO_OFFSET = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class AffectedRequest:
    """Of what: drains, a plan, hosts; of a host that is being drained, of that drain."""

    drain_ids: Sequence[int] = ()
    plan_id: int | None = None
    hosts: Sequence[str] = ()


@dataclass(frozen=True)
class AffectedInstance:
    """One instance.

    :param drain: of which it is; None: none was requested yet
    :param begins_at: when its move is expected to begin at the earliest; None: not known, or it
        is over, or no drain was requested yet
    :param ends_at: … and to have ended at the latest
    :param after_start: without a drain: the same in seconds after its beginning
    :param moved_at: when its move was seen to be over
    """

    server_id: str
    server_name: str
    project_id: str
    host: str
    method: str
    effect: a.Effect
    drain: Drain | None = None
    state: str = ""
    begins_at: datetime | None = None
    likely_at: datetime | None = None
    ends_at: datetime | None = None
    after_start: Expected | None = None
    moved_at: datetime | None = None
    dest_compute: str = ""

    @property
    def when(self) -> Message | None:
        """What there is to say of the time."""
        if self.moved_at is not None and self.effect.part is a.Part.MOVED:
            return message("affected_moved_at", at=self.moved_at)
        if self.effect.part not in (a.Part.TO_MOVE, a.Part.MOVING):
            return None
        if self.begins_at is not None and self.ends_at is not None:
            return message("affected_when", begins=self.begins_at, ends=self.ends_at)
        if self.after_start is not None:
            begins, ends = self.after_start.begins, self.after_start.ends
            return message("affected_when_after_start", begins=begins, ends=ends)
        return message("affected_when_unknown")


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

    @property
    def instances(self) -> list[AffectedInstance]:
        return [one for project in self.projects for one in project.instances]


def affected_region(actor: Actor, request: AffectedRequest) -> str | None:
    """The region of the drains or the plan that are named; None where none is.

    :raises Refused: there is no such drain or plan, or nothing is named, or several regions are
    """
    require(actor, RULE_AFFECTED)
    if not request.drain_ids and request.plan_id is None and not request.hosts:
        raise Refused(message("affected_nothing_named"))
    regions = {get_drain(actor, one).region for one in request.drain_ids}
    if request.plan_id is not None:
        regions.add(get_plan(actor, request.plan_id).region)
    if len(regions) > 1:
        raise Refused(message("affected_several_regions", regions=sorted(regions)))
    return next(iter(regions), None)


def affected(actor: Actor, cloud: Cloud, request: AffectedRequest) -> Affected:
    """Who is affected. Nova is asked of hosts that no drain is of, and Keystone for whom to tell;
    a Keystone that does not tell is said, and no error.

    :raises Refused: there is no such drain, plan or host
    :raises CloudError: Nova does not tell what is on a host
    """
    region = affected_region(actor, request) or cloud.region
    now = store.now()
    drains, of_hosts = _find(cloud, region, actor, request)
    found: list[AffectedInstance] = []
    names: dict[str, str] = {}
    for instances, projects in _of_drains(drains, request.plan_id, now):
        found += instances
        names |= {k: v for k, v in projects.items() if v}
    learned = store.learned_rate(region) if of_hosts else Learned()
    for host in of_hosts:
        found += _of_host(host, cloud.servers_on(host), learned)
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
    )


def _find(
    cloud: Cloud, region: str, actor: Actor, request: AffectedRequest
) -> tuple[list[Drain], list[str]]:
    """The drains, each once, and the hosts that none of them is of."""
    drains = {one: get_drain(actor, one) for one in request.drain_ids}
    if request.plan_id is not None:
        drains |= {one.pk: one for one in store.drains_of_plan(request.plan_id)}
    of_hosts: list[str] = []
    services = cloud.services() if request.hosts else []
    for host in dict.fromkeys(request.hosts):
        drain = store.open_drain_of(region, host)
        if drain is not None:
            drains[drain.pk] = drain
        elif host not in {one.host for one in drains.values()}:
            of_hosts.append(find_service(services, host, region, cloud).host)
    return list(drains.values()), of_hosts


# -- drains ------------------------------------------------------------------------------------


def _of_drains(
    drains: Sequence[Drain], plan_id: int | None, now: datetime
) -> Iterable[tuple[list[AffectedInstance], dict[str, str]]]:
    for one in planned(drains, plan_id, now):
        expected = one.expected
        attempts = store.attempts(one.drain)
        yield (
            [
                _instance(row, one.drain, attempts.get(row.pk, []), expected.get(row.pk), now)
                for row in one.rows
            ],
            {row.project_id: row.project_name for row in one.rows},
        )


def _instance(
    row: InstanceMigration,
    drain: Drain,
    attempts: Sequence[Attempt],
    expected: Expected | None,
    now: datetime,
) -> AffectedInstance:
    known = expected if expected is not None and expected.is_known else None

    def at(seconds: float) -> datetime:
        return now + timedelta(seconds=seconds)

    if known is not None and drain.stop_at is not None and at(known.begins) > drain.stop_at:
        known = None  # it is not begun in this window, and nobody knows of another
    moved = row.state == MigrationState.SUCCEEDED or row.state == MigrationState.FAILED
    found = a.effect(row, attempts, row.requests.every, now)
    begun = row.attempt.submitted_at if row.state in MIGRATION_UNDER_WAY else None
    return AffectedInstance(
        row.server_id,
        row.server_name,
        row.project_id,
        row.source_compute or drain.host,
        row.method,
        found,
        drain,
        row.state,
        begins_at=(begun or at(known.begins)) if known else None,
        likely_at=at(known.likely_ends) if known else None,
        ends_at=at(known.ends) if known else None,
        moved_at=row.finished_at if moved and found.part is a.Part.MOVED else None,
        dest_compute=row.dest_compute,
    )


# -- hosts that no drain is of -----------------------------------------------------------------


def _of_host(host: str, servers: Iterable[Server], learned: Learned) -> list[AffectedInstance]:
    """As if a drain with the settings' defaults were requested; the largest come first. In which
    order hosts come, and when, nobody has said: the times count from the beginning of each."""
    read = settings.current()
    names = OptOutNames(live=read.opt_out_live, cold=read.opt_out_cold, stay=read.opt_out_stay)
    judged = [(one, judge(one, Wishes(opt_out_names=names))) for one in servers]
    moved = sorted(
        (one for one, verdict in judged if verdict.method), key=lambda one: -one.memory_bytes
    )
    sizes = [one.memory_bytes for one in moved]
    _none, waiting = s.schedule(sizes, [], read.max_concurrent, learned).expected()
    expected = {one.id: when for one, when in zip(moved, waiting, strict=True)}
    return [
        AffectedInstance(
            one.id,
            one.name,
            one.project_id,
            host,
            verdict.method,
            _effect_of(one, verdict.method, verdict.state),
            after_start=expected.get(one.id),
        )
        for one, verdict in judged
    ]


def _effect_of(server: Server, method: str, state: str) -> a.Effect:
    if method:
        return a.to_come(method, server.status)
    return a.stays() if state == MigrationState.STAYS else a.not_decided()


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

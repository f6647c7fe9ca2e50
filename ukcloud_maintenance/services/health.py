"""Whether all is well, for those who watch it: OpenStack is not asked, nothing is changed."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from .. import settings, store
from ..core.actor import RULE_VIEW, Actor
from ..core.message import LINES, Message, message
from ..core.run.holds import Hold, hold
from ..core.run.states import RunState
from ..core.states import DrainState
from ..exceptions import Refused
from ..store import Condition, DrainCondition, HostCondition, RunCondition
from .access import require


class Level(IntEnum):
    """As monitoring plugins have it."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Threshold:
    """From which value on something is a warning, or critical; infinite: it never is."""

    warning: float
    critical: float = math.inf

    def level(self, value: float) -> Level:
        if value >= self.critical:
            return Level.CRITICAL
        return Level.WARNING if value >= self.warning else Level.OK


@dataclass(frozen=True)
class Thresholds:
    """What is too much; seconds, and instances.

    :ivar worker_silent: a worker that has not reported for longer counts as not running
    :ivar in_need: instances of one drain that need a person
    :ivar not_passed: since a pass over an open drain or run is due
    :ivar open_long: since a drain was begun, or was to begin
    :ivar certificate: since a host in maintenance was verified, while it is to be
    :ivar run_held: since a rolling run begins no host, for another reason than a window or an
        approval
    """

    worker_silent: float
    in_need: Threshold
    not_passed: Threshold
    open_long: Threshold
    certificate: Threshold
    run_held: Threshold


@dataclass(frozen=True)
class Finding:
    """One thing that is not well."""

    level: Level
    said: Message


@dataclass(frozen=True)
class Measure:
    """A number for graphs.

    :ivar unit: `s`, or empty for a count
    """

    name: str
    value: float
    threshold: Threshold = field(default_factory=lambda: Threshold(math.inf))
    unit: str = ""


@dataclass(frozen=True)
class Health:
    """What is not well, the worst first, and the numbers."""

    findings: tuple[Finding, ...]
    measures: tuple[Measure, ...]

    @property
    def level(self) -> Level:
        return max((one.level for one in self.findings), default=Level.OK)


def default_thresholds() -> Thresholds:
    """Those that the settings lead to."""
    read = settings.current()
    return Thresholds(
        worker_silent=read.worker_silent_seconds,
        in_need=Threshold(1),
        not_passed=Threshold(300, 900),
        open_long=Threshold(86400),
        certificate=Threshold(read.certificate_seconds, max(900.0, 2 * read.certificate_seconds)),
        run_held=Threshold(3600),
    )


def health(actor: Actor, limits: Thresholds, region: str | None = None) -> Health:
    """Whether all is well.

    :param region: drains, hosts and runs of this one alone; a worker is none of a region
    :raises Refused: the settings name the regions, and nothing is known of this one: all would be
        well in a region that is written wrongly
    """
    require(actor, RULE_VIEW)
    found = store.condition(store.now())
    named = settings.current().clouds
    if region is not None and named and region not in {*named, *_regions(found)}:
        raise Refused(message("region_without_worker", region=region, setting=settings.NAME))
    return judge(found, limits, region)


def _regions(found: Condition) -> Iterator[str]:
    """Those in which something is not over."""
    yield from (one.drain.region for one in found.drains)
    yield from (one.maintenance.region for one in found.hosts)
    yield from (one.run.region for one in found.runs)
    yield from found.left_failed


def judge(found: Condition, limits: Thresholds, region: str | None = None) -> Health:
    """What is not well, in what was found."""
    drains = [one for one in found.drains if region in (None, one.drain.region)]
    hosts = [one for one in found.hosts if region in (None, one.maintenance.region)]
    runs = [one for one in found.runs if region in (None, one.run.region)]
    left = {of: n for of, n in found.left_failed.items() if region in (None, of)}
    every = [
        *_of_workers(found, limits),
        *(finding for one in drains for finding in _of_drain(one, limits, found.now)),
        *(finding for one in hosts for finding in _of_host(one, limits, found.now)),
        *(finding for one in runs for finding in _of_run(one, limits, found.now)),
        *(_left(of, number) for of, number in sorted(left.items())),
    ]
    return Health(
        tuple(sorted(every, key=lambda one: -one.level)),
        (*_measures(found, drains, hosts, limits), *_of_runs(runs, left, limits, found.now)),
    )


def _silence(one: store.Worker, now: datetime) -> float:
    return max((now - one.seen_at).total_seconds(), 0.0)


def _of_workers(found: Condition, limits: Thresholds) -> Iterator[Finding]:
    """A problem of one is one, however well the others are."""
    silent = {one.name: _silence(one, found.now) for one in found.workers}
    alive = [one for one in found.workers if silent[one.name] <= limits.worker_silent]
    if not alive:
        yield Finding(Level.CRITICAL, _why_none(found))
    all_fail = all(one.problem and not _is_minor(one.problem) for one in alive)
    for one in found.workers:
        if one in alive and one.problem:
            said = message("health_worker_problem", worker=one.name, detail=one.problem)
            yield Finding(Level.CRITICAL if all_fail else Level.WARNING, said)
        elif one not in alive and alive:
            said = message("health_worker_silent", worker=one.name, seconds=silent[one.name])
            yield Finding(Level.WARNING, said)


#: Problems of a worker that keep no drain from anything.
_MINOR = frozenset({"metrics_not_installed", "metrics_not_served"})


def _is_minor(problem: Message) -> bool:
    """Whether none of what a worker reports keeps it from its work."""
    if problem.code == LINES:
        return all(one.code in _MINOR for one in (problem.values["first"], *problem.values["rest"]))
    return problem.code in _MINOR


def _why_none(found: Condition) -> Message:
    if found.workers:
        last = found.workers[0]
        since = _silence(last, found.now)
        return message("health_no_worker_since", worker=last.name, seconds=since)
    return message("health_all_stopped" if found.had_workers else "health_no_worker")


def _open_for(one: DrainCondition, now: datetime) -> float:
    """Seconds since an open drain was begun, or was to; 0 of one that is not open, or not due."""
    drain = one.drain
    if drain.open_key is None:
        return 0.0
    since = drain.started_at or drain.start_at or drain.created_at
    return max((now - since).total_seconds(), 0.0)


def _not_passed_for(one: DrainCondition | RunCondition, now: datetime) -> float:
    return max((now - one.due_since).total_seconds(), 0.0) if one.due_since else 0.0


def _not_verified_for(one: HostCondition, now: datetime) -> float:
    return max((now - one.verified_since).total_seconds(), 0.0) if one.verified_since else 0.0


def _of_drain(one: DrainCondition, limits: Thresholds, now: datetime) -> Iterator[Finding]:
    drain = one.drain
    named = {"drain": drain.pk, "host": drain.host, "region": drain.region}
    if level := limits.in_need.level(one.in_need) if one.in_need else Level.OK:
        yield Finding(level, message("health_in_need", count=one.in_need, **named))
    seconds = _not_passed_for(one, now)
    if level := limits.not_passed.level(seconds) if seconds else Level.OK:
        yield Finding(level, message("health_not_passed", seconds=seconds, **named))
    seconds = _open_for(one, now)
    if level := limits.open_long.level(seconds) if seconds else Level.OK:
        yield Finding(level, message("health_open_long", seconds=seconds, **named))


def _of_host(one: HostCondition, limits: Thresholds, now: datetime) -> Iterator[Finding]:
    seconds = _not_verified_for(one, now)
    if level := limits.certificate.level(seconds) if seconds else Level.OK:
        kept = one.maintenance
        named = {"host": kept.host, "region": kept.region, "seconds": seconds}
        yield Finding(level, message("health_certificate_old", **named))


def _of_run(one: RunCondition, limits: Thresholds, now: datetime) -> Iterator[Finding]:
    run = one.run
    named = {"run": run.pk, "region": run.region}
    if one.failed:
        yield Finding(Level.WARNING, message("health_run_failed", count=one.failed, **named))
    seconds = _not_passed_for(one, now)
    if level := limits.not_passed.level(seconds) if seconds else Level.OK:
        yield Finding(level, message("health_run_not_passed", seconds=seconds, **named))
    seconds = _held_for(one, now)
    if level := limits.run_held.level(seconds) if seconds else Level.OK:
        why = run.message
        yield Finding(level, message("health_run_held", seconds=seconds, why=why, **named))


def _held_for(one: RunCondition, now: datetime) -> float:
    """Seconds since a run begins no host although it is to; 0 of one that is to wait."""
    run = one.run
    waits = run.state != RunState.RUNNING or hold(run.message) in (Hold.WINDOW, Hold.APPROVAL)
    return 0.0 if waits or not run.held_since else max((now - run.held_since).total_seconds(), 0.0)


def _left(region: str, number: int) -> Finding:
    """A run says nothing any longer of what it left."""
    return Finding(Level.WARNING, message("health_left_failed", count=number, region=region))


def _of_runs(
    runs: list[RunCondition], left: Mapping[str, int], limits: Thresholds, now: datetime
) -> Iterator[Measure]:
    yield Measure("runs_open", len(runs))
    failed = sum(one.failed for one in runs) + sum(left.values())
    yield Measure("run_hosts_failed", failed, Threshold(1))
    late = max((_not_passed_for(one, now) for one in runs), default=0.0)
    yield Measure("run_not_passed", late, limits.not_passed, "s")
    longest = max((_held_for(one, now) for one in runs), default=0.0)
    yield Measure("run_held", longest, limits.run_held, "s")


def _measures(
    found: Condition,
    drains: list[DrainCondition],
    hosts: list[HostCondition],
    limits: Thresholds,
) -> Iterator[Measure]:
    now = found.now
    silences = [_silence(one, now) for one in found.workers]
    silent = [seconds for seconds in silences if seconds > limits.worker_silent]
    yield Measure("workers", len(silences) - len(silent))
    yield Measure("workers_silent", len(silent), Threshold(1))
    problems = [one for one in found.workers if one.problem]
    yield Measure("workers_with_problem", len(problems), Threshold(1))
    yield Measure("drains_open", sum(one.drain.open_key is not None for one in drains))
    running = [one for one in drains if one.drain.state == DrainState.RUNNING]
    yield Measure("drains_running", len(running))
    yield Measure("in_need", max((one.in_need for one in drains), default=0), limits.in_need)
    late = max((_not_passed_for(one, now) for one in drains), default=0.0)
    yield Measure("not_passed", late, limits.not_passed, "s")
    oldest = max((_open_for(one, now) for one in drains), default=0.0)
    yield Measure("oldest_drain", oldest, limits.open_long, "s")
    yield Measure("hosts_in_maintenance", len(hosts))
    age = max((_not_verified_for(one, now) for one in hosts), default=0.0)
    yield Measure("certificate_age", age, limits.certificate, "s")

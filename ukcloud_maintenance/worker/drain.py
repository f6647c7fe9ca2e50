"""One pass over one drain: observe, decide, apply.

*Observe* costs at most three requests, four where nothing is left to be moved, and one for each
migration under way, two where Nova's record of it is not among the newest (what is read once per
event comes on top). *Decide* is pure (`core.drain`). *Apply* records the intent, makes the call,
and records the answer, so that a process that dies between any two instructions leaves either
nothing or an intent that the next pass finds, and looks for in Nova.
"""

import logging
import math
import random
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from .. import conf, store
from ..cloud import PARALLEL, Cloud
from ..core import drain as d
from ..core.drain import whereabouts
from ..core.drain.alarm import alarm
from ..core.drain.causes import cause_of
from ..core.facts import Migration, Server, ServerGroup
from ..core.preflight.judge import group_of
from ..core.preflight.verdicts import Around, Choice
from ..core.printable import logger
from ..core.states import (
    DRAIN_TERMINAL,
    MIGRATION_OPEN,
    MIGRATION_UNDER_WAY,
    MIGRATION_WAITING,
    Direction,
    DrainResult,
    DrainState,
    Method,
    MigrationState,
    Wish,
)
from ..exceptions import (
    CloudAnswerUnusable,
    CloudAuthError,
    CloudBadRequest,
    CloudConflict,
    CloudError,
    CloudForbidden,
    CloudNotFound,
    CloudServerError,
    CloudUnreachable,
    PassOver,
    StaleState,
)
from ..observe.evidence import hear, inquire
from ..observe.host import read_contents
from ..preflight import look_around, opt_out_names
from ..store import Drain, InstanceMigration

LOG = logger("ukcloud_maintenance.worker")

#: How many migration records of the host a pass reads; far more than can be under way.
NEWEST = 100
#: An intent older than this, in seconds, is not sent any more: the process was stopped between
#: the record and the request, and somebody else may have taken it for lost.
INTENT_GOES_STALE = 5.0

#: How the message of a drain begins that OpenStack keeps from going on; that it keeps waiting; that
#: the worker itself keeps from it.
TROUBLE = "OpenStack does not answer as it should."
BUSY = "OpenStack is busy and asks the worker to wait."
FAILS = "The worker cannot work on this drain."
TROUBLES = (TROUBLE, BUSY, FAILS)

#: What is noted on an instance before Nova is asked to reset it.
RESET_SENT = "Nova was asked to set it to active."
#: Answers by which Nova says no: nothing was begun.
REFUSALS = (CloudConflict, CloudBadRequest, CloudForbidden, CloudNotFound, CloudAuthError)

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """How a pass went.

    :param moving: something is under way or can be started: look again soon
    :param problem: what keeps the worker from its work, or empty
    :param wait_seconds: for how long OpenStack asks to be left alone
    :param reconnect: clouds.yaml is to be read, and a session begun, anew: the problem may be in
        either
    """

    moving: bool
    problem: str = ""
    wait_seconds: float = 0
    reconnect: bool = False


def _outcome_of(error: CloudError) -> Outcome:
    return Outcome(False, error.advice, error.retry_after or 0, may_be_ours(error))


def may_be_ours(error: CloudError) -> bool:
    """Whether another session may help: a setting is wrong, or no answer comes, which can be a
    login that hangs and that all who share its session wait for."""
    return bool(error.remedy) or isinstance(error, CloudUnreachable)


def limits() -> d.Limits:
    """The settings that `decide` is bound by."""
    return d.Limits(
        max_attempts=conf.max_attempts(),
        retry_seconds=conf.retry_seconds(),
        retry_max_seconds=conf.retry_max_seconds(),
        late_seconds_per_gib=conf.late_seconds_per_gib(),
        late_min_seconds=conf.late_min_seconds(),
        blocked_wait_seconds=conf.blocked_wait_seconds(),
        proof_wait_seconds=conf.proof_wait_seconds(),
        host_down_wait_seconds=conf.host_down_wait_seconds(),
        submit_grace_seconds=conf.submit_grace_seconds(),
        settle_seconds=conf.settle_seconds(),
        timeout_seconds_per_gib=conf.timeout_seconds_per_gib(),
        timeout_min_seconds=conf.timeout_min_seconds(),
        cancel_wait_seconds=conf.cancel_wait_seconds(),
        abort_wait_seconds=conf.abort_wait_seconds(),
        opt_out_names=opt_out_names(),
    )


def say(level: int, event: str, **pairs: object) -> None:
    """One structured log line: `event key=value …`, with values quoted where they need it."""
    text = " ".join(f"{key}={_quoted(value)}" for key, value in pairs.items() if value != "")
    LOG.log(level, "%s %s", event, text)


def _quoted(value: object) -> str:
    text = str(value).replace("\n", "; ")
    return '"' + text.replace('"', "'") + '"' if " " in text or not text else text


class Reconciler:
    """Works off drains of one region.

    :param cloud: the region, logged in as the worker
    :param worker: the worker's name: the actor of its events
    :param clock: tells the time, aware and in UTC
    :param alive: called between the steps of a pass, so that a long one is not taken for dead
    :param known_for: for how many seconds this process has known of an attempt, by a clock that
        nobody can set
    """

    def __init__(
        self,
        cloud: Cloud,
        worker: str,
        clock: Callable[[], datetime],
        alive: Callable[[Drain], None] = lambda drain: None,
        known_for: Callable[[InstanceMigration], float] = lambda row: math.inf,
    ):
        self.cloud = cloud
        self.worker = worker
        self.clock = clock
        self.alive = alive
        self.known_for = known_for
        self._user_id = ""
        self._groups: list[ServerGroup] | None = None

    def run(self, drain: Drain) -> Outcome:
        """One pass. An OpenStack that does not answer is an outcome; a bug is raised."""
        rows = list(store.migrations(drain))
        if store.set_back(drain, rows, self.clock(), conf.retry_max_seconds()):
            say(logging.WARNING, "clock_set_back", drain=drain.pk, host=drain.host)
        try:
            seen = self._observe(drain, rows)
        except CloudError as error:
            self._cloud_is_down(drain, rows, error)
            return _outcome_of(error)
        actions = d.decide(_view(drain), [_row(r) for r in rows], seen, limits(), self.clock())
        by_id = {row.pk: row for row in rows}
        spoilt: set[int] = set()
        for action in actions:
            row_id = getattr(action, "row_id", None)
            if row_id in spoilt:
                continue
            try:
                self._apply(drain, by_id, seen, action)
            except StaleState as error:
                # Somebody else got there first; what was decided on the old state is void.
                say(logging.INFO, "overtaken", drain=drain.pk, detail=error)
                if row_id is None:
                    break
                spoilt.add(row_id)
            except CloudError as error:
                # A row's own trouble is dealt with where it arises; this is the drain's, and
                # its bound is that of an OpenStack that does not answer.
                if drain.state not in DRAIN_TERMINAL:
                    self._cloud_is_down(drain, by_id.values(), error)
                return _outcome_of(error)
        in_trouble = drain.cloud_down_since or drain.message.startswith(TROUBLES)
        if in_trouble and drain.state not in DRAIN_TERMINAL:
            self._cloud_is_back(drain)
        at_work = drain.state in (DrainState.RUNNING, DrainState.CANCELLING)
        starts = at_work and not seen.gate.holds
        moving = any(
            r.state in MIGRATION_UNDER_WAY
            or (starts and r.state in MIGRATION_OPEN and r.not_before is None)
            for r in by_id.values()
        )
        return Outcome(moving=moving or bool(actions))

    # -- observe -----------------------------------------------------------------------------

    def _observe(self, drain: Drain, rows: list[InstanceMigration]) -> d.Observation:
        """Read the service first and the servers after it: what is listed then was listed after
        the service was disabled, if it is."""
        untouched = drain.state == DrainState.PAUSED and drain.started_at is None
        if drain.state == DrainState.PENDING or drain.state in DRAIN_TERMINAL or untouched:
            return d.Observation(service=None)
        if drain.direction == Direction.BACK:
            return self._observe_way_back(drain, rows)
        cloud = self.cloud
        still_open = [r for r in rows if r.state in MIGRATION_OPEN]
        under_way = [r for r in rows if r.state in MIGRATION_UNDER_WAY]
        contents = None
        if still_open or drain.state != DrainState.RUNNING:
            service = cloud.service(drain.host)
            servers = {s.id: s for s in cloud.servers_on(drain.host)}
        else:
            contents = read_contents(cloud, drain.host, lambda: self.alive(drain))
            contents = replace(contents, names={r.server_id: r.server_name for r in rows})
            service, servers = contents.before, {s.id: s for s in contents.servers}
        self.alive(drain)
        records: list[Migration] = []
        if under_way:
            records = cloud.newest_migrations_from(drain.host, NEWEST)
        by_server: dict[str, list[Migration]] = {}
        for record in records:
            by_server.setdefault(record.server_id, []).append(record)
        # The record of one that takes long may be older than the newest by now. That of a resize
        # has another source: the host that its owner left.
        older = [
            r.server_id
            for r in under_way
            if r.method != Method.CONFIRM and _lacks_record(r, by_server.get(r.server_id, ()))
        ]
        for server_id, found in self._each(cloud.migrations_of, older).items():
            by_server[server_id] = [m for m in found if m.source_compute == drain.host]
        self.alive(drain)
        views = [_row(r) for r in rows]
        lost = [r.server_id for r in under_way if r.state == MigrationState.SUBMITTED]
        due = d.is_due(drain.looked_around_at, self.clock())
        moved = [
            r.server_id
            for r in views
            if r.server_id not in servers and d.is_looked_for(r) and (due or not d.is_held(r))
        ]
        flying = [
            r.server_id
            for r in under_way
            if r.server_id in servers and r.server_id not in lost and r.method == Method.LIVE
        ]
        around = None
        running = drain.state == DrainState.RUNNING
        if running and d.wants_a_look(views, drain.looked_around_at, self.clock()):
            leaving = frozenset(r.server_id for r in still_open if r.method)
            here = list(servers.values())
            around = look_around(cloud, drain.host, here, leaving, drain.destination)
        if around or (due and any(d.is_held(r) for r in views)):
            store.looked_around(drain, self.clock())
        elsewhere = self._each(cloud.server, moved)
        seen = d.Observation(
            service=service,
            servers=servers,
            migrations=by_server,
            contents=contents,
            progress=self._each(cloud.progress, flying),
            actions=self._each(cloud.actions, lost),
            elsewhere=elsewhere,
            other_runs=self._other_runs(drain, elsewhere),
            our_user_id=self._our_user_id() if lost else "",
            around=around,
            travelling=store.travelling_groups(drain),
            gate=self._gate(drain),
            on_their_way=self._on_their_way(rows),
        )
        return self._with_words(drain, rows, seen, due)

    def _with_words(
        self, drain: Drain, rows: list[InstanceMigration], seen: d.Observation, due: bool
    ) -> d.Observation:
        """The hypervisors' words about the guests of whom they are wanted, read last. Where only
        instances that wait for them want one, they are asked now and then."""
        self.alive(drain)
        waiting = {r.server_id for r in rows if r.state == MigrationState.BLOCKED}
        # What waits has no attempt under way whose words could count.
        request = {r.server_id: r.request_id for r in rows if r.server_id not in waiting}
        wanted = [
            server_id
            for server_id in d.words_wanted(
                _view(drain), [_row(r) for r in rows], seen, limits(), self.clock()
            )
            if due or server_id not in waiting
        ]
        if not wanted:
            return seen
        if waiting & set(wanted):
            store.looked_around(drain, self.clock())
        guests = self._each(lambda i: hear(self.cloud, i, request.get(i, "")), wanted)
        self.alive(drain)
        return replace(seen, guests=guests)

    def _observe_way_back(self, drain: Drain, rows: list[InstanceMigration]) -> d.Observation:
        """What a run back to a host looks at: the host, what is under way, and the few that are
        the next to be started. One request for each, and two for each that is under way."""
        cloud = self.cloud
        under_way = [r for r in rows if r.state in MIGRATION_UNDER_WAY]
        services = {s.host: s for s in cloud.services()} if under_way else {}
        service = services.get(drain.host) if under_way else cloud.service(drain.host)
        ready = [r for r in rows if r.state == MigrationState.PENDING]
        ready.sort(key=lambda r: d.turn(_row(r)))
        looked_at = under_way + ready[: 2 * drain.max_concurrent]
        due = d.is_due(drain.looked_around_at, self.clock())
        if due:
            blocked = [r for r in rows if r.state == MigrationState.BLOCKED]
            if blocked:
                store.looked_around(drain, self.clock())
                looked_at += blocked
        source = {r.server_id: r.source_compute for r in looked_at}
        found = self._each(cloud.server, list(source))
        self.alive(drain)
        here = {i: s for i, s in found.items() if s is not None and s.host == source[i]}
        ids = [r.server_id for r in under_way]
        records = self._each(cloud.migrations_of, ids)
        lost = [r.server_id for r in under_way if r.state == MigrationState.SUBMITTED]
        flying = [
            r.server_id
            for r in under_way
            if r.server_id in here and r.server_id not in lost and r.method == Method.LIVE
        ]
        elsewhere = {i: s for i, s in found.items() if i not in here}
        seen = d.Observation(
            service=service,
            servers=here,
            migrations={
                i: [m for m in found_of if m.source_compute == source[i]]
                for i, found_of in records.items()
            },
            progress=self._each(cloud.progress, flying),
            actions=self._each(cloud.actions, lost),
            elsewhere=elsewhere,
            other_runs=self._other_runs(drain, elsewhere),
            our_user_id=self._our_user_id() if lost else "",
            travelling=store.travelling_groups(drain),
            gate=self._gate(drain),
            on_their_way=self._on_their_way(rows),
            sources={r.source_compute: services.get(r.source_compute) for r in under_way},
        )
        return self._with_words(drain, rows, seen, due)

    def _on_their_way(self, rows: Iterable[InstanceMigration]) -> frozenset[str]:
        """The servers whose request may still be on its way to Nova, however late it is by a
        clock that was set meanwhile."""
        grace = conf.submit_grace_seconds()
        sent = [row for row in rows if row.state == MigrationState.SUBMITTED]
        return frozenset(row.server_id for row in sent if self.known_for(row) < grace)

    @staticmethod
    def _other_runs(drain: Drain, elsewhere: Mapping[str, Server | None]) -> dict[str, d.OtherRun]:
        """Which other run of ours moved a server, by our own record."""
        moved = [server_id for server_id, server in elsewhere.items() if server and server.host]
        if not moved:
            return {}
        return {
            server_id: d.OtherRun(
                row.drain_id, row.drain.host, row.drain.direction, row.dest_compute
            )
            for server_id, row in store.newest_moves(drain.region, moved, but=drain).items()
        }

    @staticmethod
    def _gate(drain: Drain) -> d.Gate:
        """What the plan and the region's limits leave to this drain, by our own record."""
        taking, before = store.ahead_of(drain)
        holds = ""
        if taking:
            holds = (
                f"{d.HOLD} the services of all hosts of the plan are disabled first"
                f" ({_some(taking)})."
            )
        elif before:
            holds = f"{d.HOLD} {_some(before)} first."
        traffic = store.traffic(drain.region)
        return d.Gate(
            holds=holds,
            room=conf.max_in_region() - traffic.total,
            inbound=traffic.inbound,
            anywhere=traffic.anywhere,
            per_destination=conf.max_per_destination(),
            avoid=store.away_hosts(drain.region),
        )

    @staticmethod
    def _each(read: Callable[[str], T], server_ids: list[str]) -> dict[str, T]:
        """One request a server, side by side."""
        if not server_ids:
            return {}
        with ThreadPoolExecutor(min(PARALLEL, len(server_ids))) as pool:
            return dict(zip(server_ids, pool.map(read, server_ids), strict=True))

    def _our_user_id(self) -> str:
        if not self._user_id:
            self._user_id = self.cloud.user_id()
        return self._user_id

    # -- apply -------------------------------------------------------------------------------

    def _apply(
        self,
        drain: Drain,
        rows: dict[int, InstanceMigration],
        seen: d.Observation,
        action: d.Action,
    ) -> None:
        now = self.clock()
        match action:
            case d.ChangeRow():
                self._change_row(drain, rows[action.row_id], action)
            case d.Submit():
                self._submit(drain, rows[action.row_id], action)
            case d.Confirm():
                self._confirm(drain, rows[action.row_id])
            case d.Abort():
                self._abort(drain, rows[action.row_id], action)
            case d.ForceComplete():
                self._force(drain, rows[action.row_id], action)
            case d.Reset():
                self._reset(drain, rows[action.row_id], action)
            case d.Enable():
                self._enable(drain, action)
            case d.Join():
                group = self._group_of(drain, action.server)
                row = store.add_server(
                    drain, action.server, action.verdict, self.worker, now, group
                )
                if row:
                    rows[row.pk] = row
                    say(logging.INFO, "joined", drain=drain.pk, server=row.server_id)
            case d.OpenMaintenance():
                store.join_maintenance(
                    drain,
                    found_status=action.service.status,
                    found_reason=action.service.disabled_reason,
                    service_id=action.service.id,
                    now=now,
                )
            case d.Disable():
                self._disable(drain, action)
            case d.MarkDisabled():
                assert drain.maintenance is not None  # decide saw it
                store.disabled(drain.maintenance, now)
            case d.ChangeDrain():
                event = self._event(action.kind, action.message) if action.kind else None
                if "errand" in action.fields:
                    store.errand_done(drain, now)
                else:
                    store.change_drain(
                        drain, now, expect=action.expect, event=event, **action.fields
                    )
                if action.kind:
                    say(
                        logging.INFO,
                        action.kind,
                        drain=drain.pk,
                        host=drain.host,
                        detail=action.message,
                    )
            case d.Finish():
                self._close_what_was_given_back(drain, seen, action)
                with store.all_or_none():
                    store.finish_drain(
                        drain,
                        action.state,
                        action.result,
                        action.message,
                        self.worker,
                        now,
                        expect=store.cancel_choice(drain),
                    )
                    store.expect_nothing_open(drain)
                say(
                    logging.INFO,
                    f"drain_{action.state.value}",
                    drain=drain.pk,
                    host=drain.host,
                    result=action.result.value,
                )

    def _group_of(self, drain: Drain, server: Server) -> str:
        """The hard anti-affinity group of a server that joins: the groups are read once a pass.
        Where they cannot be read it joins without one, rather than hold up the others."""
        if self._groups is None:
            try:
                self._groups = self.cloud.server_groups()
            except CloudError as error:
                say(logging.WARNING, "no_groups", drain=drain.pk, server=server.id, detail=error)
                self._groups = []
        return group_of(server, Around(groups=tuple(self._groups)))

    def _event(self, kind: str, message: str = "") -> tuple[str, str, str]:
        return (kind, self.worker, message)

    def _ask(self, drain: Drain, row: InstanceMigration | None, call: Callable[[], str]) -> str:
        """Ask Nova for a change; the request id.

        The claim was ours just before it was sent, and an answer is not waited for longer than a
        claim lasts. Where it came later all the same (this process was stopped meanwhile), it is
        recorded if somebody else took over: what they did, they did without knowing of it.

        :raises PassOver: somebody else took over meanwhile
        """
        asked = time.monotonic()
        request_id = ""
        try:
            request_id = call()
        except CloudError as error:
            request_id = error.request_id
            raise
        finally:
            took = time.monotonic() - asked
            if took > conf.lease_seconds():
                try:
                    self.alive(drain)
                except PassOver:
                    self._came_late(drain, row, took, request_id)
                    raise
        return request_id

    def _came_late(
        self, drain: Drain, row: InstanceMigration | None, took: float, request_id: str
    ) -> None:
        text = (
            f"A request of {self.worker} was answered after {took:.0f} s, when its claim on this"
            " drain was over. Look at Nova's record of it: it may have been requested twice."
        )
        now = self.clock()
        store.record(drain, row, now, "came_late", self.worker, text, request_id)
        server = row.server_id if row else ""
        say(
            logging.WARNING,
            "came_late",
            drain=drain.pk,
            server=server,
            request_id=request_id,
            detail=text,
        )

    def _disable(self, drain: Drain, action: d.Disable) -> None:
        """The reason is recorded first: a service that carries it is known to be ours."""
        assert drain.maintenance is not None  # decide saw it
        # Before Nova is asked: a cancel that comes meanwhile, or an answer that gets lost, must
        # not hide that it was this drain.
        store.change_drain(drain, self.clock(), did_disable=True)
        store.intend_to_disable(drain.maintenance, action.reason)
        request_id = self._ask(
            drain, None, lambda: self.cloud.disable_service(action.service_id, action.reason)
        )
        now = self.clock()
        store.disabled(drain.maintenance, now)
        store.record(drain, None, now, "service_disabled", self.worker, action.reason, request_id)
        say(
            logging.INFO,
            "service_disabled",
            drain=drain.pk,
            host=drain.host,
            request_id=request_id,
        )

    def _change_row(self, drain: Drain, row: InstanceMigration, action: d.ChangeRow) -> None:
        changes: dict[str, Any] = dict(action.fields)
        message = action.message
        if action.ask_why and (words := self._why(row)):
            message = f"{message} {words}".strip()
            changes["message"] = f"{changes.get('message', action.message)} {words}".strip()
            # Read here and nowhere else: what is decided later goes by the cause, not by words.
            if (cause := cause_of(words)) and row.dest_compute:
                changes["unfit_hosts"] = {**row.unfit_hosts, row.dest_compute: cause}
        event = (
            (action.kind, self.worker, message, changes.get("request_id") or row.request_id)
            if action.kind
            else None
        )
        store.change_migration(row, self.clock(), event=event, **changes)
        if action.kind:
            level = logging.WARNING if row.state in ("failed", "unknown") else logging.INFO
            say(
                level,
                action.kind,
                drain=drain.pk,
                server=row.server_id,
                name=row.server_name,
                attempt=row.attempts,
                request_id=row.request_id,
                detail=message,
            )

    def _why(self, row: InstanceMigration) -> str:
        """Nova's own words, read once per failure; a Nova that does not tell is no obstacle."""
        if not row.request_id:
            return ""
        try:
            words = self.cloud.failure_of(row.server_id, row.request_id)
        except CloudError as error:
            say(
                logging.WARNING, "no_reason", drain=row.drain_id, server=row.server_id, detail=error
            )
            return ""
        return f"Nova: {words} ({row.request_id})" if words else ""

    def _submit(self, drain: Drain, row: InstanceMigration, action: d.Submit) -> None:
        """Look once more, record the intent and what was there before, ask Nova, record the
        answer."""
        try:
            actions = self.cloud.actions(row.server_id)
            records = self.cloud.migrations_of(row.server_id)
            # The server is read last: what its host's hypervisor said is about this host only
            # where it still is on it.
            doubtful = whereabouts.doubtful_request(row.source_compute, records, actions)
            words = self.cloud.failure_of(row.server_id, doubtful) if doubtful else ""
            tells = action.status not in whereabouts.TELLS_NOTHING
            sight = hear(self.cloud, row.server_id) if tells else None
            server = self.cloud.server(row.server_id)
        except (CloudAnswerUnusable, CloudBadRequest, CloudConflict, CloudServerError) as error:
            self._put_off(drain, row, error)
            return
        looked = time.monotonic()
        if (
            server is None
            or server.host != row.source_compute
            or server.task_state
            or server.status != action.status
        ):
            what = f"{server.task_state or server.status} on {server.host}" if server else "deleted"
            say(logging.INFO, "changed", drain=drain.pk, server=row.server_id, detail=what)
            return  # the next pass judges it as it is now
        objection = whereabouts.objection(server, action.method, records, actions, sight, words)
        if objection is not None:
            self._hold_back(drain, row, objection)
            return
        if store.state_of(drain) != DrainState.RUNNING:
            raise StaleState(f"drain {drain.pk} is not running any more")
        # What ran when it was first stopped to be moved is to run again, however many attempts
        # it takes.
        stopped = row.attempts and row.choice == Choice.COLD
        now = self.clock()
        store.change_migration(
            row,
            now,
            state=MigrationState.SUBMITTED,
            attempts=row.attempts + 1,
            method=action.method.value,
            initial_status=row.initial_status if stopped else action.status,
            before_action=actions[0].request_id if actions else "",
            before_migration_id=max((m.id for m in records), default=0),
            submitted_at=now,
            started_at=row.started_at or now,
            request_id="",
            code="",
            message="",
            nova_status="",
            nova_migration_id=None,
            dest_compute=action.host or "",
            not_before=None,
            queued_since=None,
            running_since=None,
            late_since=None,
            odd_since=None,
            source_service="",
            confirms=0,
            confirm_at=None,
            answer="",
            aborted_migration_id=None,
            aborted_by="",
            aborted_at=None,
            forced_at=None,
            timed_out_at=None,
            timeout_asked="",
            was_cancelled=False,
            points=[],
            course="",
            seconds_left=None,
            **d.NO_WISH,
            memory_total_bytes=None,
            memory_processed_bytes=None,
            memory_remaining_bytes=None,
            disk_total_bytes=None,
            disk_remaining_bytes=None,
            rate_bytes=None,
            fraction=None,
            sampled_at=None,
        )
        self.known_for(row)
        self.alive(drain)
        if row.group and row.group in store.travelling_groups(drain):
            text = "It waits for a member of its anti-affinity group that is on its way."
            self._step_back(row, text)
            return
        if self._is_crowded(drain, action.host or ""):
            self._step_back(row, "It waits, because as many are under way as the settings allow.")
            return
        if time.monotonic() - looked > INTENT_GOES_STALE:
            return  # found and dealt with by the next pass, as any lost request is
        try:
            cold = action.method is Method.COLD
            move = self.cloud.cold_migrate if cold else self.cloud.live_migrate
            request_id = self._ask(drain, row, lambda: move(row.server_id, action.host))
        except CloudError as error:
            if error.not_begun and self._may_put_off(row):
                self._not_begun(drain, row, error)
                raise
            if isinstance(error, REFUSALS):
                self._refused(drain, row, error)
                return
            # Whether Nova has it is not known; the row stays submitted, and is looked for. Where
            # Nova was busy, it counts as no attempt if it turns out that nothing was begun.
            fields: dict[str, Any] = {}
            if error.retry_after is not None and self._may_put_off(row):
                fields = {
                    "granted": row.granted + 1,
                    "put_off_since": row.put_off_since or self.clock(),
                }
            text = f"The answer got lost: {error}"
            store.change_migration(row, self.clock(), message=text, **fields)
            say(
                logging.WARNING,
                "answer_lost",
                drain=drain.pk,
                server=row.server_id,
                attempt=row.attempts,
                request_id=error.request_id,
                detail=error,
            )
            if fields:
                raise
            return
        store.change_migration(
            row,
            self.clock(),
            state=MigrationState.MIGRATING,
            request_id=request_id,
            put_off_since=None,
            event=("submitted", self.worker, action.host or "", request_id),
        )
        say(
            logging.INFO,
            "submitted",
            drain=drain.pk,
            server=row.server_id,
            name=row.server_name,
            attempt=row.attempts,
            destination=action.host or "",
            request_id=request_id,
        )

    def _may_put_off(self, row: InstanceMigration) -> bool:
        """Whether a request for this instance that was not begun may be put off once more,
        without counting as an attempt: for as long as an OpenStack that fails is waited for."""
        bound = timedelta(seconds=conf.cloud_down_wait_seconds())
        return row.put_off_since is None or self.clock() - row.put_off_since < bound

    def _not_begun(self, drain: Drain, row: InstanceMigration, error: CloudError) -> None:
        """Back in the line: it was not sent, the token was refused, or Nova was busy."""
        now = self.clock()
        text = f"Not requested yet. {error.advice}"
        store.change_migration(
            row,
            now,
            state=MigrationState.PENDING,
            granted=row.granted + 1,  # it was no attempt
            message=text,
            put_off_since=row.put_off_since or now,
            not_before=now + timedelta(seconds=error.retry_after or 0),
            # what repeats itself is recorded once
            event=None if row.put_off_since else ("put_off", self.worker, text, error.request_id),
        )
        say(
            logging.WARNING,
            "put_off",
            drain=drain.pk,
            server=row.server_id,
            request_id=error.request_id,
            detail=error,
        )

    def _hold_back(
        self, drain: Drain, row: InstanceMigration, objection: whereabouts.Objection
    ) -> None:
        """Nova is not asked: where the guest runs is in doubt, and a migration could end with the
        loss of it. What time may settle is looked at again."""
        state = MigrationState.UNKNOWN if objection.doubt else MigrationState.BLOCKED
        store.change_migration(
            row,
            self.clock(),
            event=(state.value, self.worker, objection.text, ""),
            state=state,
            code=objection.code,
            message=objection.text,
        )
        say(
            logging.WARNING,
            state.value,
            drain=drain.pk,
            server=row.server_id,
            name=row.server_name,
            attempt=row.attempts,
            detail=objection.text,
        )

    def _put_off(self, drain: Drain, row: InstanceMigration, error: CloudError) -> None:
        """What Nova does not tell of this one server must not hold up the others. It counts as
        an attempt, so that it ends."""
        if error.retry_after is not None:
            raise error  # it is busy, whatever it is asked
        now = self.clock()
        tried = replace(_row(row), attempts=row.attempts + 1)
        changes = d.failed_attempt(tried, str(error), "not_readable", limits(), now)
        kind = "failed" if changes["state"] == MigrationState.FAILED else "attempt_failed"
        store.change_migration(
            row,
            now,
            event=(kind, self.worker, str(error), error.request_id),
            attempts=tried.attempts,
            **changes,
        )
        say(logging.WARNING, kind, drain=drain.pk, server=row.server_id, detail=error)

    @staticmethod
    def _is_crowded(drain: Drain, host: str) -> bool:
        """Whether, with this one recorded, more are under way than the settings allow: another
        worker recorded one at the same moment."""
        traffic = store.traffic(drain.region)
        if traffic.total > conf.max_in_region():
            return True
        return bool(host) and traffic.inbound.get(host, 0) > conf.max_per_destination()

    def _step_back(self, row: InstanceMigration, text: str) -> None:
        """Another one set out at the same moment. Both step back if both see it, and come back
        at different times."""
        now = self.clock()
        store.change_migration(
            row,
            now,
            state=MigrationState.PENDING,
            granted=row.granted + 1,  # it was no attempt
            message=text,
            not_before=now + timedelta(seconds=2 + random.uniform(0, 5)),
        )

    def _confirm(self, drain: Drain, row: InstanceMigration) -> None:
        """Record what we confirm, and ask. Another resize of the server than the one that the
        row is about is somebody else's, and confirming cannot be taken back."""
        asked_for = row.state == MigrationState.PENDING
        finished = [m for m in self.cloud.migrations_of(row.server_id) if m.status == "finished"]
        newest = max((m.id for m in finished), default=None)
        if newest is None:
            return  # settled meanwhile; the next pass sees how
        known = row.nova_migration_id
        if known is not None and newest != known:
            text = "Another resize of it has begun since, which is not ours to confirm."
            store.change_migration(
                row,
                self.clock(),
                state=MigrationState.FAILED,
                code="resized_again",
                message=text,
                event=("failed", self.worker, text, ""),
            )
            return
        if asked_for and store.state_of(drain) != DrainState.RUNNING:
            raise StaleState(f"drain {drain.pk} is not running any more")
        now = self.clock()
        store.change_migration(
            row,
            now,
            state=MigrationState.CONFIRMING,
            nova_migration_id=newest,
            confirms=row.confirms + 1,
            confirm_at=now,
            started_at=row.started_at or now,
        )
        try:
            request_id = self._ask(drain, row, lambda: self.cloud.confirm_resize(row.server_id))
        except CloudError as error:
            if error.not_begun:
                fields = {"confirms": row.confirms - 1, "message": error.advice}
                store.change_migration(row, self.clock(), **fields)
                raise
            say(
                logging.WARNING,
                "confirm_refused",
                drain=drain.pk,
                server=row.server_id,
                request_id=error.request_id,
                detail=error,
            )
            store.change_migration(
                row, self.clock(), message=str(error), request_id=error.request_id
            )
            return
        store.change_migration(
            row,
            self.clock(),
            request_id=request_id,
            event=("confirm_asked", self.worker, "", request_id),
        )
        say(
            logging.INFO,
            "confirm_asked",
            drain=drain.pk,
            server=row.server_id,
            request_id=request_id,
        )

    # -- what was asked for one instance -------------------------------------------------------

    def _abort(self, drain: Drain, row: InstanceMigration, action: d.Abort) -> None:
        """Record what is asked for, and for whom; ask; and record that Nova took it. An answer
        that got lost is asked for again, as long as the migration can be aborted."""
        store.change_migration(
            row,
            self.clock(),
            # one worker asks
            expect={"aborted_migration_id": row.aborted_migration_id, "wish_tries": row.wish_tries},
            aborted_migration_id=action.migration_id,
            aborted_by=action.by,
            aborted_at=None,
            **self._asking(row, Wish.ABORT, action.by, action.migration_id),
        )
        try:
            request_id = self._ask(
                drain, row, lambda: self.cloud.abort_migration(row.server_id, action.migration_id)
            )
        except REFUSALS as error:
            self._ask_again_if_not_begun(row, error)
            text = f"Nova refused the abort: {error.detail or error}"
            self._answered(drain, row, "abort_refused", text, error.request_id)
            store.change_migration(
                row, self.clock(), aborted_migration_id=None, aborted_by="", **d.NO_WISH
            )
            return
        except CloudError as error:
            self._ask_again_if_not_begun(row, error)
            self._answered(drain, row, "abort_unanswered", str(error), error.request_id)
            return
        now = self.clock()
        store.change_migration(row, now, aborted_at=now, **d.NO_WISH)
        self._answered(drain, row, "aborting", "", request_id)

    def _force(self, drain: Drain, row: InstanceMigration, action: d.ForceComplete) -> None:
        """Ask, as for an abort. To be forced twice does a migration no harm."""
        store.change_migration(
            row,
            self.clock(),
            expect={"forced_at": row.forced_at, "wish_tries": row.wish_tries},  # one worker asks
            **self._asking(row, Wish.FORCE, action.by, action.migration_id),
        )
        try:
            request_id = self._ask(
                drain, row, lambda: self.cloud.force_complete(row.server_id, action.migration_id)
            )
        except REFUSALS as error:
            self._ask_again_if_not_begun(row, error)
            text = f"Nova refused to force it: {error.detail or error}"
            self._answered(drain, row, "force_refused", text, error.request_id)
            store.change_migration(row, self.clock(), **d.NO_WISH)
            return
        except CloudError as error:
            self._ask_again_if_not_begun(row, error)
            self._answered(drain, row, "force_unanswered", str(error), error.request_id)
            return
        now = self.clock()
        store.change_migration(row, now, forced_at=now, **d.NO_WISH)
        self._answered(drain, row, "forced", "", request_id)

    def _ask_again_if_not_begun(self, row: InstanceMigration, error: CloudError) -> None:
        """What was requested stands, and is no try, where Nova has not judged it.

        :raises CloudError: the error, which is the drain's trouble then
        """
        if error.not_begun:
            store.change_migration(row, self.clock(), wish_tries=row.wish_tries - 1)
            raise error

    def _asking(
        self, row: InstanceMigration, wish: Wish, by: str, migration_id: int | None
    ) -> dict[str, Any]:
        """What is recorded before Nova is asked for something."""
        return {
            "wish": wish.value,
            "wish_by": by,
            "wish_at": self.clock(),
            "wish_migration_id": migration_id,
            "wish_tries": row.wish_tries + 1,
        }

    def _reset(self, drain: Drain, row: InstanceMigration, action: d.Reset) -> None:
        """Read the evidence anew, and set the server to active only where it is complete."""
        try:
            server = self.cloud.server(row.server_id)
            done = (
                row.answer == RESET_SENT
                and server is not None
                and server.status == "ACTIVE"
                and server.host == row.source_compute
            )
            evidence = None if done else inquire(self.cloud, row)
        except CloudError as error:
            self._not_reset(drain, row, f"It was not reset: {error}", error.request_id)
            return
        request_id = ""
        if evidence is not None:
            if not evidence.complete:
                failed = " ".join(check.text for check in evidence.checks if not check.passed)
                self._not_reset(drain, row, f"It was not reset: {failed}", "")
                return
            looked = time.monotonic()
            # Should the answer get lost, the next pass finds an active server, and knows why.
            store.change_migration(
                row,
                self.clock(),
                answer=RESET_SENT,
                **self._asking(row, Wish.RESET, action.by, row.nova_migration_id),
            )
            if time.monotonic() - looked > INTENT_GOES_STALE:
                return  # stopped in between: it may be migrated again by now
            try:
                request_id = self._ask(
                    drain, row, lambda: self.cloud.reset_state_to_active(row.server_id)
                )
            except REFUSALS as error:
                self._ask_again_if_not_begun(row, error)
                text = f"Nova refused to reset it: {error.detail or error}"
                self._not_reset(drain, row, text, error.request_id)
                return
            except CloudError as error:
                self._ask_again_if_not_begun(row, error)
                say(logging.WARNING, "reset_unanswered", drain=drain.pk, detail=error)
                if row.wish_tries >= d.ASK_AGAIN_TIMES:
                    self._not_reset(drain, row, f"It was not reset: {error}", error.request_id)
                return
        text = (
            f"Its state was reset to active, as {action.by} asked; it runs on {row.source_compute}."
        )
        store.change_migration(
            row,
            self.clock(),
            state=MigrationState.FAILED,
            code="reset",
            message=text,
            answer="",
            server_status="ACTIVE",
            event=("reset", self.worker, text, request_id),
            **d.NO_WISH,
        )
        say(
            logging.WARNING,
            "reset",
            drain=drain.pk,
            server=row.server_id,
            name=row.server_name,
            by=action.by,
            request_id=request_id,
        )

    def _not_reset(self, drain: Drain, row: InstanceMigration, text: str, request_id: str) -> None:
        store.change_migration(row, self.clock(), **d.NO_WISH)
        self._answered(drain, row, "reset_refused", text, request_id)

    def _close_what_was_given_back(
        self, drain: Drain, seen: d.Observation, action: d.Finish
    ) -> None:
        """A cancelled drain whose service is enabled leaves no maintenance behind: it enabled it
        again, or it had not come to disable it."""
        enabled = seen.service is not None and seen.service.status == "enabled"
        known = drain.maintenance
        if action.state != DrainState.CANCELLED or known is None or not enabled:
            return
        if drain.direction == Direction.AWAY and (drain.cancel_enable or not known.our_reason):
            store.close_maintenance(known, self.clock())

    def _answered(
        self, drain: Drain, row: InstanceMigration, kind: str, text: str, request_id: str
    ) -> None:
        """What Nova said; the same twice is recorded once."""
        if text and row.answer == text:
            return
        event = (kind, self.worker, text, request_id)
        store.change_migration(row, self.clock(), event=event, answer=text)
        say(
            logging.WARNING if text else logging.INFO,
            kind,
            drain=drain.pk,
            server=row.server_id,
            name=row.server_name,
            request_id=request_id,
            detail=text,
        )

    def _enable(self, drain: Drain, action: d.Enable) -> None:
        """The service was disabled by us, and the drain is cancelled: the host is given back."""
        # Were it over, another one may need the service disabled.
        store.change_drain(drain, self.clock(), expect=store.cancel_choice(drain))
        request_id = self._ask(drain, None, lambda: self.cloud.enable_service(action.service_id))
        now = self.clock()
        store.record(drain, None, now, "service_enabled", self.worker, "", request_id)
        say(logging.INFO, "service_enabled", drain=drain.pk, host=drain.host, request_id=request_id)

    def _refused(self, drain: Drain, row: InstanceMigration, error: CloudError) -> None:
        """Nova said no: nothing was begun. The attempt counts, so that it ends."""
        now = self.clock()
        text = f"Nova refused: {error.detail or error}"
        changes = d.failed_attempt(
            _row(row),
            text,
            f"refused_{error.status or 0}",
            limits(),
            now,
            retry=drain.state != DrainState.CANCELLING,
        )
        kind = "failed" if changes["state"] == MigrationState.FAILED else "attempt_failed"
        store.change_migration(
            row,
            now,
            event=(kind, self.worker, text, error.request_id),
            request_id=error.request_id,
            **changes,
        )
        say(
            logging.WARNING,
            kind,
            drain=drain.pk,
            server=row.server_id,
            attempt=row.attempts,
            request_id=error.request_id,
            detail=text,
        )

    # -- an OpenStack that does not answer ------------------------------------------------------

    def _cloud_is_back(self, drain: Drain) -> None:
        """A whole pass went well: what was said of the trouble is not true any more."""
        fields: dict[str, Any] = {"cloud_down_since": None}
        if drain.message.startswith(TROUBLES):
            cancelling = drain.state == DrainState.CANCELLING
            fields["message"] = store.CANCELLING if cancelling else ""
        event = self._event("cloud_back") if drain.cloud_down_since else None
        store.change_drain(drain, self.clock(), event=event, **fields)

    def _cloud_is_down(
        self, drain: Drain, rows: Iterable[InstanceMigration], error: CloudError
    ) -> None:
        """Say so on the drain; after a bounded wait, end it with what is known."""
        say(
            logging.WARNING,
            "cloud_down",
            drain=drain.pk,
            host=drain.host,
            request_id=error.request_id,
            detail=error,
        )
        trouble = TROUBLE if error.retry_after is None else BUSY
        in_trouble(drain, rows, trouble, error.advice, self.worker, self.clock())


def in_trouble(
    drain: Drain,
    rows: Iterable[InstanceMigration],
    trouble: str,
    detail: str,
    worker: str,
    now: datetime,
) -> None:
    """Say on a drain what keeps its passes from their work; after a bounded wait, end it with
    what is known.

    :param trouble: one of `TROUBLES`
    :raises StaleState: somebody else changed the drain meanwhile
    """
    message = f"{trouble} {detail}"
    if drain.cloud_down_since is None:
        kind = "worker_failed" if trouble == FAILS else "cloud_down"
        event = (kind, worker, detail)
        store.change_drain(drain, now, cloud_down_since=now, message=message, event=event)
    elif drain.message != message:
        store.change_drain(drain, now, message=message)
    waited = now - (drain.cloud_down_since or now)
    if waited < timedelta(seconds=conf.cloud_down_wait_seconds()) or drain.state in (
        DrainState.PAUSED,
        DrainState.PENDING,
    ):
        return
    cancelling = drain.state == DrainState.CANCELLING
    for row in rows:
        if row.state in MIGRATION_WAITING:
            state = MigrationState.CANCELLED if cancelling else MigrationState.FAILED
            store.change_migration(
                row,
                now,
                state=state,
                message=message,
                event=(state.value, worker, message, ""),
            )
        elif row.state in MIGRATION_UNDER_WAY:
            look = whereabouts.look_on_both(row.server_id, row.source_compute, row.dest_compute)
            who = "The worker failed" if trouble == FAILS else "OpenStack stopped answering"
            text = f"{who} while it was migrated, so where the guest runs is not known. {look}"
            store.change_migration(
                row,
                now,
                state=MigrationState.UNKNOWN,
                code="cloud_lost",
                message=text,
                event=("unknown", worker, text, row.request_id),
            )
    gives_back = cancelling and drain.cancel_enable
    left = "Whether the compute service is enabled again is not known. " if gives_back else ""
    with store.all_or_none():
        store.finish_drain(
            drain,
            DrainState.CANCELLED if cancelling else DrainState.FAILED,
            DrainResult.NOT_PROVED,
            f"{alarm(rows)} {trouble} {left}{detail}".strip(),
            worker,
            now,
        )
        store.expect_nothing_open(drain)


def _lacks_record(row: InstanceMigration, records: Iterable[Migration]) -> bool:
    """Whether Nova's record of this attempt is not among these of its server."""
    if row.nova_migration_id is not None:
        return all(m.id != row.nova_migration_id for m in records)
    return all(m.id <= (row.before_migration_id or 0) for m in records)


def _some(names: list[str]) -> str:
    """A few of them by name."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


_ROW_FIELDS = [f.name for f in fields(d.Row)]


def _row(row: InstanceMigration) -> d.Row:
    return d.Row(**{name: getattr(row, name) for name in _ROW_FIELDS})


def _view(drain: Drain) -> d.DrainView:
    maintenance = drain.maintenance
    return d.DrainView(
        host=drain.host,
        state=drain.state,
        reason=drain.reason,
        max_concurrent=drain.max_concurrent,
        destination=drain.destination,
        follow_plan=drain.follow_plan,
        move_locked=drain.move_locked,
        message=drain.message,
        learned_limit=drain.learned_limit,
        nova_runs_more=drain.nova_runs_more,
        direction=drain.direction,
        timeout_action=drain.timeout_action,
        start_at=drain.start_at,
        stop_at=drain.stop_at,
        started_at=drain.started_at,
        cancelling_since=drain.cancelling_since,
        cancel_abort=drain.cancel_abort,
        cancel_enable=drain.cancel_enable,
        errand=drain.errand,
        blocked_since=drain.blocked_since,
        proving_since=drain.proving_since,
        host_down_since=drain.host_down_since,
        maintenance=(
            d.MaintenanceView(
                maintenance.our_reason,
                maintenance.disabled_at,
                maintenance.closed_at,
                maintenance.returning_since,
            )
            if maintenance
            else None
        ),
    )

"""What to do next: facts, rows and the time into actions. No I/O, no clock.

:func:`decide` is asked once a pass. It looks at one drain, at its rows as the database has
them, and at what was observed of the cloud just before, and answers with the actions of this
pass, in order. Each is safe to repeat: it is applied only to a row that is still in the state
in which it was judged.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from .. import facts
from ..copying import convergence
from ..copying.fraction import Sample, fraction, rate
from ..copying.patience import bytes_to_copy, late_after_seconds, timeout_outlook
from ..facts import NOVA_STATUS_RUNNING, NOVA_STATUS_WAITING, Migration, Progress, Server, Service
from ..host import emptiness
from ..host.emptiness import Emptiness, HostContents, Obstacle
from ..preflight import surroundings
from ..preflight.judge import judge
from ..preflight.verdicts import Around, Choice, Kind, OptOutNames, Verdict, Wishes
from ..states import (
    ABORTABLE,
    DRAIN_TERMINAL,
    FORCIBLE,
    MIGRATION_LEFT,
    MIGRATION_OPEN,
    MIGRATION_UNDER_WAY,
    MIGRATION_WAITING,
    Direction,
    DrainResult,
    DrainState,
    Method,
    MigrationState,
    TimeoutAction,
    Wish,
)
from . import whereabouts
from .alarm import NOWHERE, alarm, arrived_wrong
from .causes import LEFTOVERS
from .whereabouts import Ending, GuestSight, Step, Word

#: The code of an instance that runs elsewhere, but whose unconfirmed resize holds its disk here.
HELD = "resize_holds_here"
#: The code of a cold migration that arrived and that Nova did not confirm.
UNCONFIRMED = "arrived_unconfirmed"
#: The code of one whose abort Nova took, and whose server Nova set to ERROR afterwards: the guest
#: most likely runs on at the source (Nova 33 and 34 do that).
LATE_ERROR = "error_after_abort"
#: The code of one that was aborted because an admin asked for it: it is not tried again by itself.
ABORTED = "aborted"
#: The code of one whose record waits in Nova for ever, though its guest never left.
LEFT_RECORD = "record_left_waiting"
#: What was seen of the compute service of an instance's source during an attempt.
SOURCE_DOWN = "down"
SOURCE_WAS_DOWN = "was_down"
#: How the message of a drain begins that waits for others of its plan.
HOLD = "Waits for its turn:"
#: Who asks in the name of a timeout.
TIMEOUT = "timeout"
#: Seconds between two looks at server groups, aggregates and room for the sake of instances that
#: these stand against.
LOOK_AROUND_EVERY = 30.0
#: Seconds between two requests for the same, where Nova's answer got lost; and how often.
ASK_AGAIN_EVERY = 5.0
ASK_AGAIN_TIMES = 20
#: Seconds between two looks at whether a copy will end, while its bytes stay the same.
SAME_BYTES_EVERY = 5.0
#: From this fraction on a running migration is about to end, and it is the time to find out
#: whether Nova would queue one more.
ABOUT_TO_END = 0.75


@dataclass(frozen=True)
class Limits:
    """The bounds of all waits and retries; times in seconds. See conf.py for each."""

    max_attempts: int = 3
    retry_seconds: float = 30
    retry_max_seconds: float = 600
    late_seconds_per_gib: float = 30
    late_min_seconds: float = 300
    blocked_wait_seconds: float = 600
    proof_wait_seconds: float = 300
    host_down_wait_seconds: float = 900
    submit_grace_seconds: float = 60
    settle_seconds: float = 15
    timeout_seconds_per_gib: float = 300
    timeout_min_seconds: float = 1800
    cancel_wait_seconds: float = 1800
    abort_wait_seconds: float = 300
    opt_out_names: OptOutNames = field(default_factory=OptOutNames)


@dataclass(frozen=True)
class MaintenanceView:
    """What the database knows of the host's maintenance."""

    our_reason: str = ""
    disabled_at: datetime | None = None
    closed_at: datetime | None = None
    returning_since: datetime | None = None


@dataclass(frozen=True)
class Gate:
    """What others leave to this drain: the plan that it is in, and the limits of the region.

    :param holds: why nothing may be started now, in words; empty: nothing stands against it
    :param room: how many more may be under way in the region; None: no limit
    :param inbound: migrations of ours under way, by destination
    :param anywhere: those under way whose destination Nova has not told yet
    :param per_destination: how many may be under way to one host; None: no limit
    :param avoid: hosts that are drained or in maintenance: the estimate of before sends none there
    """

    holds: str = ""
    room: int | None = None
    inbound: Mapping[str, int] = field(default_factory=dict)
    anywhere: int = 0
    per_destination: int | None = None
    avoid: frozenset[str] = frozenset()

    def takes(self, host: str) -> bool:
        """Whether one more may go to a host, or, where it is empty, to whichever the scheduler
        chooses: then it could be the fullest one."""
        if self.per_destination is None:
            return True
        worst = max(self.inbound.values(), default=0)
        known = self.inbound.get(host, 0) if host else worst
        return known + self.anywhere < self.per_destination


@dataclass(frozen=True)
class OtherRun:
    """Another run of ours that moves, or moved, a server of this drain.

    :param dest: where it brought the server, or is bringing it
    """

    drain_id: int
    host: str
    direction: str
    dest: str

    def __str__(self) -> str:
        if self.direction == Direction.BACK:
            return f"run {self.drain_id}, which brings instances back to {self.host}"
        return f"drain {self.drain_id} of {self.host}"


@dataclass(frozen=True)
class DrainView:
    """A drain as the database has it."""

    host: str
    state: str
    reason: str
    max_concurrent: int
    destination: str = ""
    follow_plan: bool = False
    move_locked: bool = True
    message: str = ""
    learned_limit: int | None = None
    nova_runs_more: bool = False
    direction: str = Direction.AWAY
    timeout_action: str = TimeoutAction.WARN
    start_at: datetime | None = None
    stop_at: datetime | None = None
    started_at: datetime | None = None
    cancelling_since: datetime | None = None
    cancel_abort: bool = False
    cancel_enable: bool = False
    errand: bool = False
    blocked_since: datetime | None = None
    proving_since: datetime | None = None
    host_down_since: datetime | None = None
    maintenance: MaintenanceView | None = None


@dataclass(frozen=True)
class Row:
    """An instance migration as the database has it; see models.InstanceMigration."""

    id: int
    server_id: str
    server_name: str
    state: str
    position: int = 0
    method: str = Method.LIVE
    choice: str = ""
    group: str = ""
    planned_host: str = ""
    unfit_hosts: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    message: str = ""
    memory_bytes: int = 0
    local_disk_bytes: int = 0
    initial_status: str = "ACTIVE"
    server_status: str = "ACTIVE"
    task_state: str = ""
    source_compute: str = ""
    dest_compute: str = ""
    destination: str = ""
    granted: int = 0
    wish: str = ""
    wish_by: str = ""
    wish_at: datetime | None = None
    wish_migration_id: int | None = None
    wish_tries: int = 0
    answer: str = ""
    aborted_migration_id: int | None = None
    aborted_by: str = ""
    aborted_at: datetime | None = None
    forced_at: datetime | None = None
    timed_out_at: datetime | None = None
    timeout_asked: str = ""
    was_cancelled: bool = False
    nova_status: str = ""
    nova_migration_id: int | None = None
    request_id: str = ""
    attempts: int = 0
    before_migration_id: int | None = None
    before_action: str = ""
    submitted_at: datetime | None = None
    not_before: datetime | None = None
    put_off_since: datetime | None = None
    queued_since: datetime | None = None
    running_since: datetime | None = None
    late_since: datetime | None = None
    odd_since: datetime | None = None
    source_service: str = ""
    confirms: int = 0
    confirm_at: datetime | None = None
    memory_total_bytes: int | None = None
    memory_processed_bytes: int | None = None
    memory_remaining_bytes: int | None = None
    disk_total_bytes: int | None = None
    disk_remaining_bytes: int | None = None
    rate_bytes: float | None = None
    fraction: float | None = None
    sampled_at: datetime | None = None
    points: Sequence[Sequence[float]] = ()
    course: str = ""
    seconds_left: float | None = None


@dataclass(frozen=True)
class Observation:
    """What was seen of the cloud, all of it read after the pass began.

    :param service: the host's compute service, read first; None where Nova lists none
    :param servers: every server that Nova has on the host, by id
    :param migrations: the newest migrations that have the host as source, and those of the servers
        under way, by server, newest first
    :param contents: everything that tells whether the host is empty; None where this pass did not
        read it, because something is still to be moved
    :param elsewhere: servers that the host's list lacks, of rows that `is_looked_for`: as they
        are now, or None where they don't exist any more
    :param other_runs: for those of `elsewhere` that another run of ours moved, which one
    :param progress: bytes of the migrations under way, by server
    :param actions: instance actions, newest first, of servers whose request lost its answer
    :param on_their_way: servers whose request may still reach Nova, whatever the clock says
    :param our_user_id: who we are for Nova
    :param travelling: anti-affinity groups of which a member is under way in another drain
    :param around: what stands around the servers, where this pass looked (see `wants_a_look`)
    :param gate: what the plan and the limits of the region leave to this drain
    :param sources: for a run back, the compute services of the hosts that instances leave
    :param guests: what the hypervisors said of the guests about which `words_wanted` asks
    """

    service: Service | None
    servers: Mapping[str, Server] = field(default_factory=dict)
    migrations: Mapping[str, Sequence[Migration]] = field(default_factory=dict)
    contents: HostContents | None = None
    elsewhere: Mapping[str, Server | None] = field(default_factory=dict)
    other_runs: Mapping[str, OtherRun] = field(default_factory=dict)
    progress: Mapping[str, Sequence[Progress]] = field(default_factory=dict)
    actions: Mapping[str, Sequence[facts.Action]] = field(default_factory=dict)
    on_their_way: frozenset[str] = frozenset()
    our_user_id: str = ""
    around: Around | None = None
    travelling: frozenset[str] = frozenset()
    gate: Gate = field(default_factory=Gate)
    sources: Mapping[str, Service | None] = field(default_factory=dict)
    guests: Mapping[str, GuestSight] = field(default_factory=dict)


# -- the actions ------------------------------------------------------------------------------


@dataclass(frozen=True)
class OpenMaintenance:
    """Join or open the host's maintenance, recording the service as found."""

    service: Service


@dataclass(frozen=True)
class Disable:
    """Disable the compute service; the reason is recorded before Nova is asked."""

    service_id: str
    reason: str


@dataclass(frozen=True)
class MarkDisabled:
    """The service is disabled with the reason that we wrote."""


@dataclass(frozen=True)
class Join:
    """A server that has no row yet."""

    server: Server
    verdict: Verdict


@dataclass(frozen=True)
class ChangeRow:
    """Set fields of a row, `state` among them or not.

    :param kind: the event to record, or empty
    :param ask_why: add Nova's own words about the attempt that failed
    """

    row_id: int
    fields: Mapping[str, Any]
    kind: str = ""
    message: str = ""
    ask_why: bool = False


@dataclass(frozen=True)
class Submit:
    """Ask Nova to migrate a server.

    :param method: live, or cold
    :param host: the destination, or None for the scheduler's choice
    :param status: the server's status now, which it must have again when it has arrived
    """

    row_id: int
    host: str | None
    status: str
    method: Method = Method.LIVE


@dataclass(frozen=True)
class Confirm:
    """Ask Nova to confirm a cold migration or resize: the disk and the allocation that the old
    host still holds are given up."""

    row_id: int


@dataclass(frozen=True)
class Abort:
    """Ask Nova to abort the migration; `by` is who wants it."""

    row_id: int
    migration_id: int
    by: str


@dataclass(frozen=True)
class ForceComplete:
    """Ask Nova to pause the guest until the rest is copied."""

    row_id: int
    migration_id: int
    by: str


@dataclass(frozen=True)
class Reset:
    """Collect the evidence, and set the server to active if it is complete."""

    row_id: int
    by: str


@dataclass(frozen=True)
class Enable:
    """Enable the compute service that we disabled; the maintenance is over with it."""

    service_id: str


@dataclass(frozen=True)
class ChangeDrain:
    """Set fields of the drain.

    :param expect: what else the decision stands on, beside the drain's state
    """

    fields: Mapping[str, Any]
    kind: str = ""
    message: str = ""
    expect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finish:
    """End the drain."""

    state: DrainState
    result: DrainResult
    message: str


Action = (
    OpenMaintenance
    | Disable
    | MarkDisabled
    | Join
    | ChangeRow
    | Submit
    | Confirm
    | Abort
    | ForceComplete
    | Reset
    | Enable
    | ChangeDrain
    | Finish
)

#: The fields of a row of which nothing is asked (any more).
NO_WISH: dict[str, Any] = {
    "wish": "",
    "wish_by": "",
    "wish_at": None,
    "wish_migration_id": None,
    "wish_tries": 0,
}

#: … of which nothing is copied (any more).
NO_COURSE: dict[str, Any] = {"points": [], "course": "", "seconds_left": None}

#: What a timeout asks of Nova.
_WISH_OF = {
    TimeoutAction.WARN: Wish.NONE,
    TimeoutAction.ABORT: Wish.ABORT,
    TimeoutAction.FORCE: Wish.FORCE,
}

#: Nova's names of what we ask for: the type of the migration record, the instance action.
RECORD_TYPE = {Method.LIVE: "live-migration", Method.COLD: "migration"}
ACTION_NAME = {Method.LIVE: "live-migration", Method.COLD: "migrate"}


def decide(
    drain: DrainView, rows: Sequence[Row], seen: Observation, limits: Limits, now: datetime
) -> list[Action]:
    """The actions of this pass, in the order in which they are to be applied."""
    return _Pass(drain, rows, seen, limits, now).run()


def words_wanted(
    drain: DrainView, rows: Sequence[Row], seen: Observation, limits: Limits, now: datetime
) -> list[str]:
    """The servers, by id, about whose guests the hypervisors are to be asked in this pass: those
    whose attempt ended in a way that leaves in doubt where the guest runs, and those that wait
    for that word. The answers go into `Observation.guests`."""
    return _Pass(drain, rows, seen, limits, now).words_wanted()


def failed_attempt(
    row: Row, message: str, code: str, limits: Limits, now: datetime, *, retry: bool = True
) -> dict[str, Any]:
    """The fields of a row whose attempt failed: back in the line after a pause that doubles
    with each attempt, or failed for good."""
    fields: dict[str, Any] = {
        "code": code,
        "message": message,
        "odd_since": None,
        "queued_since": None,
        "running_since": None,
        **NO_COURSE,
        **NO_WISH,
    }
    if not retry or row.attempts >= attempts_allowed(row, limits):
        return fields | {"state": MigrationState.FAILED, "not_before": None}
    pause = min(limits.retry_seconds * 2 ** max(row.attempts - 1, 0), limits.retry_max_seconds)
    return fields | {
        "state": MigrationState.PENDING,
        "not_before": now + timedelta(seconds=pause),
    }


def adopted_request(row: Row, actions: Iterable[facts.Action], our_user_id: str) -> str:
    """The request id of our own migration of this row whose answer got lost, or empty.

    Nova writes the action before it answers. Ours is one by our user that is newer than the
    newest one there was before we asked.
    """
    for action in actions:
        if action.request_id == row.before_action:
            break
        named = action.action == ACTION_NAME.get(Method(row.method), "live-migration")
        if named and action.user_id == our_user_id:
            return action.request_id
    return ""


def is_looked_for(row: Row) -> bool:
    """Whether the server of a row is to be read by itself where the host's list lacks it.

    Those that wait or are under way, and those that were left here; not those that are known
    to have left, and not those about which nothing can be told.
    """
    if row.state == MigrationState.FAILED:
        return not arrived_wrong(row) or row.code == UNCONFIRMED
    return row.state in MIGRATION_OPEN | {MigrationState.STAYS, MigrationState.SKIPPED}


def wants_a_look(rows: Iterable[Row], looked_at: datetime | None, now: datetime) -> bool:
    """Whether this pass is to look at what is around the servers again: some are blocked by it,
    or another host is to be found for them, and the last look was a while ago."""
    return is_due(looked_at, now) and any(
        (row.state == MigrationState.BLOCKED and row.code in surroundings.CODES)
        or (row.state == MigrationState.PENDING and row.unfit_hosts)
        for row in rows
    )


def is_due(looked_at: datetime | None, now: datetime) -> bool:
    """Whether the last look at what changes seldom was a while ago."""
    return looked_at is None or (now - looked_at).total_seconds() >= LOOK_AROUND_EVERY


def is_held(row: Row) -> bool:
    """Its server left by somebody else's resize that nobody confirms, and that we don't either:
    it is read now and then, not in every pass."""
    return (
        row.code == HELD and row.state not in MIGRATION_UNDER_WAY and row.method != Method.CONFIRM
    )


def attempts_allowed(row: Row, limits: Limits) -> int:
    """How often this instance is tried: the setting's number, and what retries granted."""
    return limits.max_attempts + row.granted


class _Pass:
    """One call of :func:`decide`: the inputs, and the actions and row states as they grow."""

    def __init__(
        self,
        drain: DrainView,
        rows: Sequence[Row],
        seen: Observation,
        limits: Limits,
        now: datetime,
    ):
        self.drain = drain
        self.rows = {row.id: row for row in rows}
        self.seen = seen
        self.limits = limits
        self.now = now
        self.back = drain.direction == Direction.BACK
        self.actions: list[Action] = []

    def run(self) -> list[Action]:
        if self.drain.state in DRAIN_TERMINAL:
            self._errands()
            return self.actions
        if self.drain.state == DrainState.PENDING:
            self._begin()
            return self.actions
        if self.drain.state == DrainState.PAUSED and self.drain.started_at is None:
            return []  # put on hold before it began: nothing is touched
        cancelling = self.drain.state == DrainState.CANCELLING
        host_is_up = self._watch_host()
        disabled = False
        if self.back:
            disabled = host_is_up
        elif host_is_up and not cancelling:
            disabled = self._disable_first()
            self._join()
        for row in self._in({MigrationState.SUBMITTED, MigrationState.MIGRATING}):
            self._watch_source(row)
        if self._cell_is_down():
            # Nova's lists leave out what is in that cell without a word: nothing is to be read
            # from an instance that is missing.
            if self._host_is_lost():
                self._give_up(cancelling)
            return self.actions
        for row in list(self.rows.values()):
            row = self.rows[row.id]
            if row.state in MIGRATION_UNDER_WAY:
                self._follow(row)
            elif row.state in MIGRATION_WAITING:
                self._wait(row, cancelling)
            else:
                self._look_back(row, cancelling)
        self._errands()
        if cancelling:
            self._hurry()
        if not self.back:
            self._learn()
        if disabled and self.drain.state == DrainState.RUNNING:
            if self._window_is_closed():
                self._rest()
            else:
                self._submit()
        lost = not host_is_up and self._host_is_lost()
        # To a host that is up, and only disabled, what is under way goes on and lands.
        if lost and not (self._host_is_up() and self._in(MIGRATION_UNDER_WAY)):
            self._give_up(cancelling)
        elif disabled or cancelling:
            self._finish(cancelling)
        return self.actions

    # -- when it may begin, and go on --------------------------------------------------------

    def _begin(self) -> None:
        """From pending to running. What follows belongs to a drain that runs, giving up on a
        lost host included."""
        if self.drain.start_at is not None and self.now < self.drain.start_at:
            return
        maintenance = self.drain.maintenance
        if self.back and maintenance is not None and maintenance.closed_at is None:
            if maintenance.returning_since is None:
                for row in self._in(MIGRATION_WAITING):
                    self._cancelled(row)
                self.actions.append(
                    Finish(
                        DrainState.CANCELLED,
                        DrainResult.CANCELLED,
                        "The host was not given back, so nothing is brought back to it.",
                    )
                )
            return
        if self._window_is_closed():
            text = (
                "Its window was over before a worker could begin. Give it a new one, and resume it."
            )
            fields: dict[str, Any] = {"state": DrainState.PAUSED, "message": text}
            self.actions.append(ChangeDrain(fields, "window_closed", text, self._window()))
            return
        fields = {"state": DrainState.RUNNING, "started_at": self.now}
        self.actions.append(ChangeDrain(fields, "drain_started", expect=self._window()))

    def _window(self) -> dict[str, Any]:
        return {"start_at": self.drain.start_at, "stop_at": self.drain.stop_at}

    def _window_is_closed(self) -> bool:
        return self.drain.stop_at is not None and self.now >= self.drain.stop_at

    def _rest(self) -> None:
        """The window is over: what flies lands, and then the drain is paused, for an admin to
        say how it goes on. One that has nothing left to start ends as any other."""
        waiting = self._in(MIGRATION_WAITING)
        if not waiting or self._in(MIGRATION_UNDER_WAY):
            return
        text = (
            "The window is over, and nothing new is started. Resume it to go on without a window,"
            " give it a new one and resume it then, or cancel it."
        )
        fields = {"state": DrainState.PAUSED, "message": text, "blocked_since": None}
        self.actions.append(ChangeDrain(fields, "window_closed", text, self._window()))
        self.drain = replace(self.drain, state=DrainState.PAUSED)

    # -- what was asked for one instance -----------------------------------------------------

    def _errands(self) -> None:
        """Abort, force complete, reset: what an admin or a timeout asks of Nova."""
        for row in list(self.rows.values()):
            row = self.rows[row.id]
            if row.wish == Wish.RESET:
                if row.state == MigrationState.UNKNOWN:
                    if self._may_ask(row):
                        self.actions.append(Reset(row.id, row.wish_by))
                else:
                    self._change(row, NO_WISH)
            elif row.wish:
                self._errand_under_way(row)
        if self.drain.errand and not any(row.wish for row in self.rows.values()):
            self.actions.append(ChangeDrain({"errand": False}))

    def _errand_under_way(self, row: Row) -> None:
        if row.state not in MIGRATION_UNDER_WAY:
            self._unanswered(row, "it was over before.")
            return
        wanted = row.wish_migration_id or row.nova_migration_id
        if wanted is None:
            return  # Nova has no record of it yet
        if row.nova_migration_id != wanted:
            self._unanswered(row, "another attempt has begun since.")
            return
        if row.aborted_migration_id == wanted and row.aborted_at is not None:
            self._change(row, NO_WISH)
            return
        if row.wish == Wish.FORCE and self.drain.cancel_abort:
            self._unanswered(row, "the drain is cancelled, and what is under way is aborted.")
            return
        if row.source_service == SOURCE_DOWN:
            return  # what it would do to the guest cannot be told while its host is silent
        status = row.nova_status
        if status in NOVA_STATUS_WAITING and status not in ABORTABLE:
            return  # accepted: the next status decides
        if row.wish_tries >= ASK_AGAIN_TIMES:
            self._unanswered(row, f"it did not answer {row.wish_tries} requests.")
        elif row.wish == Wish.ABORT and status in ABORTABLE:
            if self._may_ask(row):
                self.actions.append(Abort(row.id, wanted, row.wish_by))
        elif row.wish == Wish.FORCE and status in FORCIBLE:
            if self._may_ask(row):
                self.actions.append(ForceComplete(row.id, wanted, row.wish_by))
        elif row.wish == Wish.FORCE and status in ABORTABLE:
            return  # queued or preparing: as soon as it runs
        else:
            self._unanswered(row, f"it is {status or 'not known to Nova'} by now.")

    def _may_ask(self, row: Row) -> bool:
        """The first time at once; where the answer got lost, again after a while."""
        return row.wish_tries == 0 or self._since(row.wish_at) >= ASK_AGAIN_EVERY

    def _unanswered(self, row: Row, why: str) -> None:
        """Nothing is asked any more. What was asked for without an answer is forgotten; what
        became of it, Nova's record tells."""
        what = "an abort" if row.wish == Wish.ABORT else "force complete"
        text = f"Nova did not take {what}: {why}"
        kind = "abort_refused" if row.wish == Wish.ABORT else "force_refused"
        forgotten: dict[str, Any] = {"aborted_migration_id": None, "aborted_by": ""}
        fields = NO_WISH | {"answer": text} | ({} if row.aborted_at else forgotten)
        self._change(row, fields, kind, text)

    def _hurry(self) -> None:
        """A drain that is being cancelled: abort what flies, where that was chosen; and end in
        bounded time, whatever flies."""
        flying = self._in(MIGRATION_UNDER_WAY)
        waited = self._since(self.drain.cancelling_since)
        if self.drain.cancel_abort:
            for row in flying:
                known = row.nova_migration_id
                if (
                    row.state == MigrationState.MIGRATING
                    and row.method == Method.LIVE
                    and row.wish != Wish.ABORT
                    and row.source_service != SOURCE_DOWN
                    and known is not None
                    and (row.aborted_migration_id != known or row.aborted_at is None)
                    and row.nova_status in ABORTABLE
                ):
                    self.actions.append(Abort(row.id, known, ""))
        bound = (
            self.limits.abort_wait_seconds
            if self.drain.cancel_abort
            else max(
                [self.limits.cancel_wait_seconds]
                + [late_after_seconds(bytes_to_copy(row), self.limits) for row in flying]
            )
        )
        if self.drain.cancelling_since is None or waited < bound:
            return
        for row in self._in(MIGRATION_UNDER_WAY):
            status = row.nova_status or "not known to Nova"
            text = (
                f"Its migration was still in progress ({status}) when the wait of {bound:.0f} s for"
                f" it ended. Nova may finish it. {self._look(row)}"
            )
            self._change(
                row,
                {"state": MigrationState.UNKNOWN, "code": "left_flying", "message": text},
                "unknown",
                text,
            )

    # -- helpers -----------------------------------------------------------------------------

    def _source(self, row: Row) -> str:
        return row.source_compute or self.drain.host

    def _place(self, row: Row) -> str:
        """The source in words: on a drain's page it is the page's own host."""
        return f"host {row.source_compute}" if self.back else "this host"

    def _change(
        self,
        row: Row,
        fields: Mapping[str, Any],
        kind: str = "",
        message: str = "",
        *,
        ask_why: bool = False,
    ) -> None:
        """Change a row, for the rest of this pass too; nothing that is as it was is written."""
        changed = {k: v for k, v in fields.items() if getattr(self.rows[row.id], k, _UNSET) != v}
        if not changed and not kind:
            return
        self.actions.append(ChangeRow(row.id, changed, kind, message, ask_why))
        known = {k: v for k, v in changed.items() if hasattr(row, k)}
        self.rows[row.id] = replace(self.rows[row.id], **known)

    def _judge(self, server: Server, row: Row | None = None) -> Verdict:
        return judge(
            server,
            Wishes(
                choice=Choice(row.choice) if row else Choice.NONE,
                move_locked=self.drain.move_locked,
                opt_out_names=self.limits.opt_out_names,
            ),
            self.seen.around,
        )

    def _since(self, moment: datetime | None) -> float:
        return (self.now - moment).total_seconds() if moment else 0.0

    def _in(self, states: Collection[MigrationState]) -> list[Row]:
        return [row for row in self.rows.values() if row.state in states]

    def _settled(self, row: Row, seconds: float | None = None) -> bool:
        """Whether a doubtful sight has stood long enough; it begins to be timed when first seen."""
        wait = self.limits.settle_seconds if seconds is None else seconds
        if row.odd_since is None:
            self._change(row, {"odd_since": self.now})
            return wait == 0
        return self._since(row.odd_since) >= wait

    # -- the host ----------------------------------------------------------------------------

    def _watch_host(self) -> bool:
        """Whether the host is up and known; one that instances are to come back to must be
        enabled as well. A host that is not is waited for."""
        if self._host_is_ready():
            if self.drain.host_down_since:
                self.actions.append(
                    ChangeDrain({"host_down_since": None, "message": ""}, "host_back")
                )
            return True
        if self.drain.host_down_since is None:
            message = f"{self._what_ails()} Nothing new is started until it is back."
            self.actions.append(
                ChangeDrain({"host_down_since": self.now, "message": message}, "host_down", message)
            )
        return False

    def _cell_is_down(self) -> bool:
        return self.seen.service is not None and not self.seen.service.is_known

    def _host_is_up(self) -> bool:
        service = self.seen.service
        return service is not None and service.is_known and service.is_up

    def _host_is_ready(self) -> bool:
        service = self.seen.service
        enabled = service is not None and service.status == "enabled"
        return self._host_is_up() and (enabled or not self.back)

    def _what_ails(self) -> str:
        service = self.seen.service
        if service is None:
            return f"Nova lists no compute service for host {self.drain.host} any more."
        if not service.is_known:
            return f"Nova does not reach the cell of host {self.drain.host}."
        if not service.is_up:
            return f"Host {self.drain.host} is down."
        return f"The compute service of host {self.drain.host} is disabled."

    def _host_is_lost(self) -> bool:
        if self.drain.state == DrainState.PAUSED:
            return False
        return self._since(self.drain.host_down_since) >= self.limits.host_down_wait_seconds

    def _give_up(self, cancelling: bool) -> None:
        why = self._what_ails()
        for row in self._in(MIGRATION_WAITING):
            self._change(
                row,
                {"state": MigrationState.FAILED, "code": "host_lost", "message": why},
                "failed",
                why,
            )
        for row in self._in(MIGRATION_UNDER_WAY):
            text = f"{why} Where the guest runs cannot be told from here. {self._look(row)}"
            self._change(
                row,
                {"state": MigrationState.UNKNOWN, "code": "host_lost", "message": text},
                "unknown",
                text,
            )
        service = self.seen.service
        # Nova enables a service that is down; one whose cell it does not reach it cannot.
        reached = service is not None and service.is_known
        if cancelling and reached and not self._given_back():
            return
        state = DrainState.CANCELLED if cancelling else DrainState.FAILED
        left = self._service_now() if cancelling else ""
        text = f"{why} It did not come back in time. {left}{self._summary()}"
        self._finish_with(state, DrainResult.HOST_LOST, text)

    def _disable_first(self) -> bool:
        """Whether instances may be submitted: the service was disabled before this pass listed
        the host's servers. One that somebody else disabled is left untouched."""
        service = self.seen.service
        assert service is not None  # _watch_host has seen it
        maintenance = self.drain.maintenance
        if maintenance is None:
            self.actions.append(OpenMaintenance(service))
            return False
        if service.status == "enabled":
            if maintenance.disabled_at is None:
                self.actions.append(Disable(service.id, self.drain.reason))
                return False
            warning = (
                "The compute service was enabled by somebody while the drain runs: new instances"
                " may land on the host. It is left as it is; disable it again, or cancel the drain."
            )
            if self.drain.message != warning:
                self.actions.append(
                    ChangeDrain({"message": warning}, "service_enabled_by_other", warning)
                )
            return True
        ours = maintenance.our_reason and service.disabled_reason == maintenance.our_reason
        if ours and maintenance.disabled_at is None:
            self.actions.append(MarkDisabled())
        return True

    def _join(self) -> None:
        """Servers that the drain does not know yet, and those that came back."""
        by_server = {row.server_id: row for row in self.rows.values()}
        for server in self.seen.servers.values():
            row = by_server.get(server.id)
            if row is None:
                self.actions.append(Join(server, self._judge(server)))
            elif row.state in MIGRATION_LEFT:
                text = "It is on this host again."
                self._change(
                    row,
                    {
                        "state": MigrationState.PENDING,
                        "code": "came_back",
                        "message": text,
                        "not_before": None,
                        "odd_since": None,
                    },
                    "came_back",
                    text,
                )

    # -- rows that wait, and rows that are done ----------------------------------------------

    def _wait(self, row: Row, cancelling: bool) -> None:
        server = self.seen.servers.get(row.server_id)
        if server is None:
            if row.server_id in self.seen.elsewhere:
                self._gone(row, self.seen.elsewhere[row.server_id])
            if cancelling and self.rows[row.id].state in MIGRATION_WAITING:
                self._cancelled(self.rows[row.id])
            return
        if cancelling:
            self._change(
                row,
                {"server_status": server.status, "task_state": server.task_state or ""},
            )
            self._cancelled(row)
            return
        verdict = self._judge(server, row)
        fields: dict[str, Any] = {
            "server_status": server.status,
            "task_state": server.task_state or "",
        }
        if verdict.method is not Method.NONE:
            if self._stands_against(row):
                self._change(row, fields)
            elif row.attempts >= attempts_allowed(row, self.limits):
                text = f"It was moved {row.attempts} times and is on {self._place(row)} again."
                self._change(row, fields | {"state": MigrationState.FAILED, "message": text})
            elif (named := self._named(row)) in row.unfit_hosts:
                self._unfit(row, [named])
            elif row.state == MigrationState.BLOCKED:
                fields |= {"state": MigrationState.PENDING, "method": verdict.method}
                self._change(row, fields | {"code": "", "message": verdict.message}, "unblocked")
            elif row.method != verdict.method:
                text = f"It is {server.status} now: {verdict.method} migration."
                self._change(row, fields | {"method": verdict.method}, "changed", text)
            else:
                self._change(row, fields)
            return
        fields |= {"state": verdict.state, "code": verdict.code, "message": verdict.message}
        if verdict.kind is Kind.STAYS:
            fields["method"] = Method.NONE
        kind = verdict.kind.value if row.state != verdict.state else ""
        self._change(row, fields, kind, verdict.message if kind else "")

    def _named(self, row: Row) -> str:
        """The one host that an admin named for it, or for all, or empty."""
        return row.destination or self.drain.destination

    def _unfit(self, row: Row, hosts: Sequence[str]) -> None:
        """An attempt failed for what an earlier one left at the destination, and there is no
        other host: the next attempt would fail in the same way."""
        where = " and ".join(hosts)
        text = (
            f"Files of it from an earlier attempt are left on {where}, and it can go nowhere else."
            f" It is not sent there again. Find out on both hosts where its guest runs (`virsh list"
            f" --all`); where it is certain that it does not run on {where}, move the files there"
            " out of the way, and retry it. Or retry it to another host."
        )
        self._change(
            row,
            {"state": MigrationState.FAILED, "code": LEFTOVERS, "message": text},
            "failed",
            text,
        )

    def _cancelled(self, row: Row) -> None:
        text = "The drain was cancelled before its turn came."
        keep = row.attempts or row.state == MigrationState.BLOCKED
        message = f"{text} {row.message}".strip() if keep else text
        self._change(row, {"state": MigrationState.CANCELLED, "message": message}, "cancelled")

    def _stands_against(self, row: Row) -> bool:
        """Blocked by what is around it, which this pass did not look at, or could not read; or for
        want of its hypervisor's word that its guest runs here."""
        if row.state != MigrationState.BLOCKED:
            return False
        if row.code in whereabouts.CODES:
            server = self.seen.servers[row.server_id]
            sight = self.seen.guests.get(row.server_id)
            word = whereabouts.word_of(server, sight)
            # Of what is paused or shut off by now no word is to be had, nor from a driver that
            # never tells: what speaks for and against these is judged just before the request.
            unsupported = sight is not None and sight.unsupported
            return word not in (Word.RUNS_HERE, Word.PAUSED, Word.OFF) and not unsupported
        if row.code not in surroundings.CODES:
            return False
        around = self.seen.around
        return around is None or any(
            getattr(around, fact) is None for fact in surroundings.NEEDS[row.code]
        )

    def _look_back(self, row: Row, cancelling: bool) -> None:
        """Rows that are done, of servers that are still here: a STAYS that can move now joins."""
        server = self.seen.servers.get(row.server_id)
        if server is None:
            if row.server_id in self.seen.elsewhere:
                self._gone(row, self.seen.elsewhere[row.server_id])
            return
        if cancelling or row.state != MigrationState.STAYS:
            return
        verdict = self._judge(server, row)
        if verdict.method is not Method.NONE:
            self._change(
                row,
                {
                    "state": MigrationState.PENDING,
                    "method": verdict.method,
                    "code": "",
                    "message": verdict.message,
                    "initial_status": server.status,
                    "server_status": server.status,
                },
                "unblocked",
                f"It is {server.status} now.",
            )
        elif verdict.code != row.code and verdict.kind is Kind.STAYS:
            self._change(
                row,
                {"code": verdict.code, "message": verdict.message, "server_status": server.status},
            )

    def _gone(self, row: Row, server: Server | None) -> None:
        """A server that left without us; one that Nova still has here is not gone."""
        if server is not None and server.host == self._source(row):
            return
        if server is not None and server.task_state:
            self._busy_elsewhere(row, server)
            return
        if server is not None and server.status == "VERIFY_RESIZE":
            self._held_here(row, server)
            return
        code = "gone"
        if server is None:
            text = "It was deleted."
            fields: dict[str, Any] = {"server_status": "DELETED", "task_state": ""}
        elif not server.host:
            text = f"It is on no host any more ({server.status})."
            fields = {"server_status": server.status, "task_state": ""}
            code = NOWHERE
        elif server.status == "ERROR" != row.initial_status and (
            row.state in MIGRATION_OPEN or row.state == MigrationState.FAILED
        ):
            who = self._who_moved(row, server)
            self._arrived_in_error(row, server, {}, f"It was moved by {who}, and arrived")
            return
        else:
            text = f"It was moved to {server.host} by {self._who_moved(row, server)}."
            fields = {
                "server_status": server.status,
                "task_state": "",
                "dest_compute": server.host,
            }
        self._change(
            row,
            fields | {"state": MigrationState.GONE, "code": code, "message": text},
            "gone",
            text,
        )

    def _who_moved(self, row: Row, server: Server) -> str:
        """Another run of ours, by our own record, or somebody else."""
        run = self.seen.other_runs.get(row.server_id)
        return str(run) if run is not None and run.dest == server.host else "somebody else"

    def _busy_elsewhere(self, row: Row, server: Server) -> None:
        """Somebody else moves it, and is not done; what waits for that waits a bounded time."""
        if row.state != MigrationState.PENDING:
            return
        who = self._who_moved(row, server)
        text = f"Nova moves it to {server.host} for {who} (task {server.task_state})."
        self._change(
            row,
            {
                "state": MigrationState.BLOCKED,
                "code": "task_under_way",
                "message": text,
                "server_status": server.status,
                "task_state": server.task_state,
            },
            "blocked",
            text,
        )

    def _held_here(self, row: Row, server: Server) -> None:
        """It left by a resize or cold migration of somebody else's that waits for its
        confirmation: its disk and its allocation are still on this host."""
        fields: dict[str, Any] = {
            "server_status": server.status,
            "task_state": "",
            "dest_compute": server.host,
        }
        waits = row.state in MIGRATION_WAITING
        if waits and row.choice == Choice.CONFIRM and self.drain.state == DrainState.RUNNING:
            if row.state == MigrationState.BLOCKED:
                fields |= {"state": MigrationState.PENDING}
            self._change(row, fields | {"method": Method.CONFIRM})
            return
        if not waits and row.state not in MIGRATION_UNDER_WAY:
            return
        text = (
            f"It runs on {server.host}, but a resize or cold migration of it waits for its"
            f" confirmation, and its disk is still on {self._place(row)}. Confirm or revert the"
            " resize."
        )
        self._change(
            row,
            fields
            | {
                "state": MigrationState.BLOCKED,
                "method": Method.NONE,
                "code": HELD,
                "message": text,
            },
            "blocked" if row.state != MigrationState.BLOCKED else "",
            text,
        )
        if self.drain.state == DrainState.CANCELLING:
            self._cancelled(self.rows[row.id])

    # -- rows under way ----------------------------------------------------------------------

    def _follow(self, row: Row) -> None:
        record = self._record(row)
        if row.state == MigrationState.CONFIRMING:
            self._confirming(row, record)
            return
        if row.state == MigrationState.SUBMITTED:
            if not self._adopt(row):
                return
            row = self.rows[row.id]
        server = self.seen.servers.get(row.server_id)
        if server is not None:
            self._note(row, server, record)
            self._still_here(self.rows[row.id], server, record)
        elif row.server_id in self.seen.elsewhere:
            self._elsewhere(row, self.seen.elsewhere[row.server_id], record)

    def _record(self, row: Row) -> Migration | None:
        """Nova's record of this attempt: the one known, else the first since we asked."""
        records = [
            m
            for m in self.seen.migrations.get(row.server_id, ())
            if m.migration_type == RECORD_TYPE.get(Method(row.method), m.migration_type)
        ]
        if row.nova_migration_id is not None:
            return next((m for m in records if m.id == row.nova_migration_id), None)
        if row.method == Method.CONFIRM:
            return None  # not ours; known when it was asked to be confirmed
        newer = [m for m in records if m.id > (row.before_migration_id or 0)]
        return min(newer, key=lambda m: m.id) if newer else None

    def _adopt(self, row: Row) -> bool:
        """A request whose answer got lost: whether Nova has it. Until a time is over it may
        still be on its way, and is not sent again."""
        if row.server_id not in self.seen.actions:
            return False
        request_id = adopted_request(row, self.seen.actions[row.server_id], self.seen.our_user_id)
        if request_id:
            self._change(
                row,
                {"state": MigrationState.MIGRATING, "request_id": request_id, "message": ""},
                "adopted",
                "Nova has the request whose answer got lost.",
            )
            return True
        if row.server_id not in self.seen.servers:
            if row.server_id in self.seen.elsewhere:
                self._gone(row, self.seen.elsewhere[row.server_id])
            return False
        if row.server_id in self.seen.on_their_way:
            return False
        if self._since(row.submitted_at) >= self.limits.submit_grace_seconds:
            text = "The request never reached Nova."
            self._change(
                row,
                failed_attempt(
                    row, text, "never_sent", self.limits, self.now, retry=self._may_retry()
                ),
                "put_off" if row.put_off_since else "attempt_failed",
                text,
            )
        return False

    def _may_retry(self) -> bool:
        return self.drain.state != DrainState.CANCELLING

    def _note(self, row: Row, server: Server, record: Migration | None) -> None:
        """What is seen of a migration under way: status, bytes, and how long it takes."""
        fields: dict[str, Any] = {
            "server_status": server.status,
            "task_state": server.task_state or "",
        }
        if record:
            fields |= {
                "nova_status": record.status,
                "nova_migration_id": record.id,
                "dest_compute": record.dest_compute or row.dest_compute,
            }
            waits = record.status in NOVA_STATUS_WAITING
            if waits and row.queued_since is None:
                fields["queued_since"] = self.now
            if record.status == "cancelled":
                fields["was_cancelled"] = True
            if record.status in NOVA_STATUS_RUNNING and row.running_since is None:
                fields |= {"queued_since": None, "running_since": self.now}
                self._change(row, fields, "copying", record.dest_compute)
            elif not waits and row.running_since is None:
                fields |= {"queued_since": None, "running_since": self.now}
        if row.source_service != SOURCE_DOWN:
            fields |= self._bytes(row)
        self._change(row, fields)
        row = self.rows[row.id]
        self._time_out(row)
        row = self.rows[row.id]
        begun = row.running_since or (None if row.queued_since else row.submitted_at)
        after = late_after_seconds(bytes_to_copy(row), self.limits)
        if row.late_since is None and begun and self._since(begun) > after:
            text = f"It takes longer than the {after:.0f} s that its memory and disk explain."
            self._change(row, {"late_since": self.now}, "late", text)

    def _time_out(self, row: Row) -> None:
        """What the drain does about a copy that takes too long. That it does is marked once an
        attempt; what is done about it is what the drain says now, each action once."""
        if row.source_service == SOURCE_DOWN:
            return  # nothing is asked of Nova now; it is due as soon as the source is back
        found = timeout_outlook(row, self.drain.timeout_action, self.limits, self.now)
        if found is None or self.now <= found.at:
            return
        wish = _WISH_OF[found.action]
        fields: dict[str, Any] = {}
        # What the drain no longer says, and Nova was not asked for yet, is taken back.
        if row.wish_by == TIMEOUT and row.wish != wish and not row.wish_tries:
            fields |= NO_WISH
        waits = self.now < found.due_at
        # In post-copy, and once it has arrived, Nova takes neither.
        asks = (
            wish is not Wish.NONE
            and not waits
            and row.timeout_asked != wish
            and not (row.wish and not fields)
            and row.aborted_migration_id != row.nova_migration_id
            and row.nova_status in ABORTABLE
        )
        if asks:
            fields |= {
                "timeout_asked": wish,
                "wish": wish,
                "wish_by": TIMEOUT,
                "wish_at": self.now,
                "wish_migration_id": row.nova_migration_id,
            }
        if row.timed_out_at is not None and not asks:
            self._change(row, fields)
            return
        allowed = (found.at - row.running_since).total_seconds() if row.running_since else 0
        text = f"It has been copied for more than its timeout of {allowed:.0f} s."
        if asks:
            text += " It is aborted." if wish is Wish.ABORT else " It is forced to complete."
        elif waits and wish is not Wish.NONE:
            text += f" It is to end soon, and is let go on until {found.latest:%H:%M:%S} UTC."
        if row.timed_out_at is None:
            fields["timed_out_at"] = self.now
        self._change(row, fields, "timed_out", text)

    def _bytes(self, row: Row) -> dict[str, Any]:
        found = [
            p
            for p in self.seen.progress.get(row.server_id, ())
            if row.nova_migration_id in (None, p.migration_id)
        ]
        if not found:
            return {}
        newest = max(found, key=lambda p: p.migration_id)
        sample = Sample(
            newest.memory_total_bytes,
            newest.memory_processed_bytes,
            newest.memory_remaining_bytes,
            newest.disk_total_bytes,
            newest.disk_processed_bytes,
            newest.disk_remaining_bytes,
        )
        course = self._course(row, newest)
        if sample.is_empty:
            return course
        # The disk's processed bytes are its total less what remains; only memory is re-sent.
        disk_sent = (sample.disk_total or 0) - (sample.disk_remaining or 0)
        sample = replace(sample, disk_processed=disk_sent)
        earlier = None
        if row.sampled_at and (row.memory_processed_bytes is not None or row.disk_total_bytes):
            earlier = Sample(
                memory_processed=row.memory_processed_bytes,
                disk_processed=(row.disk_total_bytes or 0) - (row.disk_remaining_bytes or 0),
            )
        fields: dict[str, Any] = {
            "memory_total_bytes": sample.memory_total,
            "memory_processed_bytes": sample.memory_processed,
            "memory_remaining_bytes": sample.memory_remaining,
            "disk_total_bytes": sample.disk_total,
            "disk_remaining_bytes": sample.disk_remaining,
            "fraction": fraction(sample, row.memory_bytes, row.fraction),
        }
        if all(getattr(row, name) == value for name, value in fields.items()):
            return course  # libvirt refreshes the bytes every few seconds only
        return (
            fields
            | course
            | {
                "rate_bytes": rate(sample, earlier, self._since(row.sampled_at), row.rate_bytes),
                "sampled_at": self.now,
            }
        )

    def _course(self, row: Row, newest: Progress) -> dict[str, Any]:
        """How the bytes went so far, and whether it will end."""
        point = convergence.point(newest, self.now.timestamp())
        if point is None:
            return {}
        points = convergence.from_json(row.points)
        if points and points[-1].at > point.at + convergence.LEAST_GAP:
            points = []  # the clock was set back
        same = bool(points) and points[-1].sizes == point.sizes
        if same and point.at - points[-1].at < SAME_BYTES_EVERY:
            return {}
        points = convergence.keep(points, point)
        found = convergence.course(
            points,
            memory_total=newest.memory_total_bytes,
            disk_total=newest.disk_total_bytes,
            flavor_memory=row.memory_bytes,
            patience_seconds=self._patience(row),
        )
        known = found.verdict is not convergence.Verdict.UNKNOWN
        return {
            "points": convergence.to_json(points),
            "course": found.verdict.value if known else "",
            "seconds_left": found.seconds_left,
        }

    def _watch_source(self, row: Row) -> None:
        """Remember that the compute service of the source was down during this attempt: from
        then on nobody but the hypervisor knows where the guest runs."""
        up = self._source_is_up(row)
        if not up and row.source_service != SOURCE_DOWN:
            text = (
                f"The compute service of {self._source(row)} is not up: until it is back, whether"
                " the guest still runs there is not known, and Nova is asked for nothing."
            )
            self._change(row, {"source_service": SOURCE_DOWN, "message": text, **NO_COURSE})
        elif up and row.source_service == SOURCE_DOWN:
            self._change(row, {"source_service": SOURCE_WAS_DOWN, "message": ""})

    def _source_is_up(self, row: Row) -> bool:
        if not self.back:
            return self._host_is_up()
        if row.source_compute not in self.seen.sources:
            return row.source_service != SOURCE_DOWN  # not looked at: as it was
        service = self.seen.sources[row.source_compute]
        return service is not None and service.is_known and service.is_up

    def words_wanted(self) -> list[str]:
        wanted = []
        for row in self.rows.values():
            server = self.seen.servers.get(row.server_id)
            if server is None or whereabouts.word_of(server, None) is not Word.SILENT:
                continue
            if row.state == MigrationState.BLOCKED:
                if row.code in whereabouts.CODES and self._source_is_up(row):
                    wanted.append(row.server_id)
                continue
            if row.state != MigrationState.MIGRATING or not self._source_is_up(row):
                continue
            record = self._record(row)
            ending = self._ending(row, server, record)
            if ending is None or ending in whereabouts.HARMLESS:
                continue
            wait = self._wait_after(ending, row)
            if not wait or (row.odd_since and self._since(row.odd_since) >= wait):
                wanted.append(row.server_id)
        return wanted

    def _ending(self, row: Row, server: Server, record: Migration | None) -> Ending | None:
        return whereabouts.ending_of(
            server,
            record,
            had_record=row.nova_migration_id is not None,
            aborted=_is_aborted(row, record),
        )

    def _wait_after(self, ending: Ending, row: Row) -> float:
        """Seconds for which an ending must stand before it is believed: Nova is known to change
        its mind, and libvirt to finish a copy whose nova-compute is gone."""
        if ending in (Ending.NO_HOST, Ending.ROLLED_BACK):
            wait = 0.0
        elif ending is Ending.TASK_WITHOUT_RECORD:
            wait = self._patience(row)
        elif ending in (Ending.LEFT_WAITING, Ending.LEFT_OPEN, Ending.TASK_STUCK):
            wait = self.limits.submit_grace_seconds
        elif ending is Ending.ERROR and row.method == Method.LIVE:
            return self._patience(row)
        else:
            wait = self.limits.settle_seconds
        rolled_back = (Ending.ROLLED_BACK, Ending.ABORTED, Ending.ABORT_ERROR)
        lost = row.source_service and ending in rolled_back
        return max(wait, self._patience(row)) if lost else wait

    def _still_here(self, row: Row, server: Server, record: Migration | None) -> None:
        """Nova has the server on the source: it is being migrated, or the attempt has ended."""
        ending = self._ending(row, server, record)
        if ending is None:
            if row.odd_since is not None:
                self._change(row, {"odd_since": None})
            return
        wait = self._wait_after(ending, row)
        if wait and not self._settled(row, wait):
            if record is not None and record.is_over and wait > self.limits.settle_seconds:
                self._change(row, {"message": self._why_it_waits(ending, record, row, wait)})
            return
        row = self.rows[row.id]
        sight = self.seen.guests.get(row.server_id)
        word = whereabouts.word_of(server, sight)
        asked = sight is not None or word is not Word.SILENT
        if not asked and ending not in whereabouts.HARMLESS and self._source_is_up(row):
            return  # the hypervisor is asked in the next pass
        step = whereabouts.next_step(
            ending, word, cold=row.method == Method.COLD, source_lost=bool(row.source_service)
        )
        if step is Step.ASK:
            if not self._settled(row, wait + self.limits.proof_wait_seconds):
                text = f"{self._how_it_ended(ending, record)} {self._in_words(word, row, sight)}"
                self._change(self.rows[row.id], {"message": f"{text} It is asked again."})
                return
            step = Step.UNKNOWN
        if step is Step.UNKNOWN:
            self._in_doubt(row, server, ending, record, word, sight)
        elif step is Step.FAILED:
            self._task_stuck(row, server, self._how_it_ended(ending, record))
        elif ending in (Ending.ABORTED, Ending.ABORT_ERROR) and _is_aborted(row, record):
            self._aborted(row, server)
        elif ending is Ending.NOT_BEGUN:
            self._attempt_failed(row, "no_record", self._how_it_ended(ending, record))
        elif ending is Ending.LEFT_WAITING:
            runs = f"The hypervisor says that its guest runs on {self._place(row)}: it never left."
            self._attempt_failed(row, LEFT_RECORD, f"{self._how_it_ended(ending, record)} {runs}")
        else:
            assert record is not None  # else it was one of those above
            self._attempt_failed(row, f"nova_{record.status}", self._how_it_ended(ending, record))

    def _why_it_waits(self, ending: Ending, record: Migration | None, row: Row, wait: float) -> str:
        return (
            f"{self._how_it_ended(ending, record).rstrip('.')}. libvirt may finish the copy alone:"
            f" whether the guest runs on {self._source(row)} is asked {wait:.0f} s after that."
        )

    @staticmethod
    def _how_it_ended(ending: Ending, record: Migration | None) -> str:
        status = record.status if record else "no record"
        match ending:
            case Ending.NOT_BEGUN:
                return "Nova took the request and began nothing."
            case Ending.RECORD_GONE:
                return "Nova's record of the migration is gone, and the server is still here."
            case Ending.TASK_WITHOUT_RECORD:
                return "Nova has no record of the migration"
            case Ending.TASK_STUCK:
                return f"The migration is over ({status})"
            case Ending.LEFT_WAITING | Ending.LEFT_OPEN:
                assert record is not None
                return (
                    f"Nova no longer does anything with the server, but its record of migration"
                    f" {record.id} to {record.dest_compute or 'no host yet'} says {status} still."
                )
            case Ending.COMPLETED_HERE:
                return (
                    "Nova says that the migration is completed, but has the server on its source."
                )
        return {
            "cancelled": "The migration was aborted.",
            "failed": "The migration failed and was rolled back.",
        }.get(status, "The migration ended in error.")

    def _in_words(self, word: Word, row: Row, sight: GuestSight | None) -> str:
        """What is known of the guest, in a sentence."""
        source = self._source(row)
        match word:
            case Word.RUNS_HERE:
                return f"The hypervisor of {source} says that the guest runs there."
            case Word.NOT_HERE:
                return f"The hypervisor of {source} has no running guest of it."
            case Word.DOUBTFUL:
                return (
                    f"The hypervisor of {source} says that the guest runs there, but Nova's own"
                    " words or its power state say otherwise."
                )
            case Word.PAUSED:
                return "It is PAUSED, and Nova tells only of guests that run."
            case Word.OFF:
                return "It is shut off, so no hypervisor can tell where its newest disk is."
        why = f" ({sight.error})" if sight and sight.error else ""
        return f"The hypervisor of {source} did not say whether the guest runs there{why}."

    def _in_doubt(
        self,
        row: Row,
        server: Server,
        ending: Ending,
        record: Migration | None,
        word: Word,
        sight: GuestSight | None,
    ) -> None:
        """Where the guest runs is not known, or the server is in ERROR: for a person to see to."""
        known = self._in_words(word, row, sight)
        if ending is Ending.ERROR_STATUS:
            aborted = row.was_cancelled or _is_aborted(row, record)
            if aborted and record is not None and record.is_over:
                self._late_error(row, record, word, known)
                return
            status = record.status if record else "no record"
            what = f"The server is in ERROR after its {row.method} migration ({status})."
            self._cannot_tell(row, "error_at_source", f"{what} {known}")
            return
        code = {
            Ending.RECORD_GONE: "record_gone",
            Ending.LEFT_OPEN: "record_open",
            Ending.COMPLETED_HERE: "completed_at_source",
        }.get(ending, "guest_in_doubt")
        what = self._how_it_ended(ending, record)
        if ending in (Ending.TASK_STUCK, Ending.TASK_WITHOUT_RECORD):
            what = f"{what}, but Nova's task {server.task_state} on the server does not end."
        self._cannot_tell(row, code, f"{what} {known}")

    def _aborted(self, row: Row, server: Server) -> None:
        """An abort of ours has settled: the server is where it was."""
        verb = "runs" if server.status == "ACTIVE" else f"is {server.status}"
        runs = f"It {verb} on {self._place(row)}."
        if self.drain.state == DrainState.CANCELLING:
            asked = "because the drain was cancelled"
            if row.aborted_by and row.aborted_by != TIMEOUT:
                asked = f"as {row.aborted_by} asked"
            text = f"Its migration was aborted, {asked}. {runs}"
            self._change(
                row,
                NO_WISH
                | {"state": MigrationState.CANCELLED, "code": ABORTED, "message": text}
                | {"odd_since": None, "queued_since": None, "running_since": None},
                "aborted",
                text,
            )
            return
        timed_out = row.aborted_by == TIMEOUT
        who = "after its timeout" if timed_out else f"as {row.aborted_by or 'the drain'} asked"
        text = f"Its migration was aborted, {who}. {runs}"
        fields = failed_attempt(
            row, text, ABORTED, self.limits, self.now, retry=timed_out and self._may_retry()
        )
        self._change(row, fields, "aborted", text)

    def _late_error(self, row: Row, record: Migration, word: Word, known: str) -> None:
        if word is Word.RUNS_HERE:
            then = (
                " Nova 33 and 34 leave servers so after an abort. Look at the evidence: where it is"
                " complete, Reset to Active corrects Nova's database, and the instance can be"
                " retried. Do not start or rebuild it: its guest is alive."
            )
        else:
            then = f" {self._look(row)}"
        text = (
            f"Its migration was aborted, and Nova set the server to ERROR afterwards (record:"
            f" {record.status}). {known}{then}"
        )
        self._change(
            row,
            NO_WISH | {"state": MigrationState.UNKNOWN, "code": LATE_ERROR, "message": text},
            "unknown",
            text,
            ask_why=True,
        )

    def _look(self, row: Row) -> str:
        """What a person is to do before anything else is done with the server."""
        return whereabouts.look_on_both(row.server_id, self._source(row), row.dest_compute)

    def _patience(self, row: Row) -> float:
        """Seconds that Nova may take for a step of which nothing is seen."""
        return late_after_seconds(bytes_to_copy(row), self.limits)

    def _task_stuck(self, row: Row, server: Server, what: str) -> None:
        text = (
            f"{what}, but Nova's task {server.task_state} on the server does not end. Look into"
            f" the log of nova-compute on {self._source(row)}: a restart of it ends the task."
        )
        fields = failed_attempt(row, text, "task_stuck", self.limits, self.now, retry=False)
        self._change(row, fields, "failed", text, ask_why=True)

    def _attempt_failed(self, row: Row, code: str, text: str) -> None:
        fields = failed_attempt(row, text, code, self.limits, self.now, retry=self._may_retry())
        kind = "failed" if fields["state"] == MigrationState.FAILED else "attempt_failed"
        self._change(row, fields, kind, text, ask_why=True)

    def _cannot_tell(self, row: Row, code: str, what: str) -> None:
        text = f"{what} {self._look(row)}"
        self._change(
            row,
            {"state": MigrationState.UNKNOWN, "code": code, "message": text},
            "unknown",
            text,
            ask_why=True,
        )

    def _elsewhere(self, row: Row, server: Server | None, record: Migration | None) -> None:
        """The server left the host; whether it has arrived in good order."""
        if server is None:
            self._gone(row, None)
            return
        if server.host == self._source(row):
            return  # it was listed elsewhere a moment ago; the next pass sees it here
        fields: dict[str, Any] = {
            "server_status": server.status,
            "task_state": server.task_state or "",
            "dest_compute": server.host or row.dest_compute,
        }
        if record:
            fields |= {"nova_status": record.status, "nova_migration_id": record.id}
        if server.task_state is not None:
            self._change(row, fields)
            self._still_busy(self.rows[row.id], server)
            return
        others = [
            m
            for m in self.seen.migrations.get(row.server_id, ())
            if record and m.id > record.id and record.status in ("failed", "cancelled", "error")
        ]
        if server.status == "VERIFY_RESIZE" and not others:
            self._change(row, fields)
            if record is not None and record.status == "finished" and row.method == Method.COLD:
                if self._host_is_up():  # Nova refuses to confirm while the old host is down
                    self.actions.append(Confirm(row.id))
            elif record is None or record.is_over:
                self._held_here(self.rows[row.id], server)
            return
        astray = self.back and server.host != self.drain.host
        if others or astray:
            self._gone(row, server)
        elif server.status == row.initial_status:
            self._arrived(row, server, record, fields)
        elif server.status == "ERROR":
            self._arrived_in_error(row, server, fields)
        else:
            self._change(row, fields)
            if self._settled(self.rows[row.id]):
                text = (
                    f"It arrived on {server.host} as {server.status}; it was"
                    f" {row.initial_status} before."
                )
                self._change(
                    row,
                    {"state": MigrationState.FAILED, "code": "arrived_other", "message": text},
                    "failed",
                    text,
                )

    def _arrived_in_error(
        self, row: Row, server: Server, fields: dict[str, Any], how: str = "It arrived"
    ) -> None:
        text = f"{how} on {server.host} in ERROR. {server.fault_message}".strip()
        fields = fields | {
            "state": MigrationState.FAILED,
            "code": "arrived_error",
            "message": text,
            "server_status": server.status,
            "dest_compute": server.host,
        }
        self._change(row, fields, "failed", text, ask_why=True)

    def _still_busy(self, row: Row, server: Server) -> None:
        """It is on the other host, and Nova's task on it goes on; not for ever."""
        if self._settled(row, self._patience(row)):
            self._cannot_tell(
                row,
                "task_stuck_elsewhere",
                f"It is on {server.host} by now, but Nova's task {server.task_state} on it does"
                " not end.",
            )

    def _arrived(
        self, row: Row, server: Server, record: Migration | None, fields: dict[str, Any]
    ) -> None:
        verb = "runs" if server.status == "ACTIVE" else f"is {server.status}"
        self._change(
            row,
            fields
            | {
                "state": MigrationState.SUCCEEDED,
                "nova_status": self._final_status(record),
                "code": "",
                "message": "",
                "fraction": 1.0,
                "memory_remaining_bytes": 0 if row.memory_total_bytes else None,
                "disk_remaining_bytes": 0 if row.disk_total_bytes else None,
                "odd_since": None,
                **NO_COURSE,
                **NO_WISH,
            },
            "succeeded",
            f"It {verb} on {server.host}.",
        )

    def _confirming(self, row: Row, record: Migration | None) -> None:
        """A cold migration of ours, or a resize that was pending before us, until Nova has
        confirmed it: then the old host holds nothing of it any more."""
        server = self.seen.servers.get(row.server_id)
        here = server is not None
        if server is None:
            if row.server_id not in self.seen.elsewhere:
                return
            server = self.seen.elsewhere[row.server_id]
        if server is None:
            self._gone(row, None)
            return
        fields: dict[str, Any] = {
            "server_status": server.status,
            "task_state": server.task_state or "",
        }
        if record:
            fields |= {"nova_status": record.status, "nova_migration_id": record.id}
        if server.task_state is not None:
            self._change(row, fields)
            self._still_busy(self.rows[row.id], server)
        elif server.status == "VERIFY_RESIZE" and record is not None and record.is_over:
            # Ours is confirmed; what waits now is a resize of its owner's.
            self._arrived(row, server, record, fields | {"dest_compute": server.host})
        elif server.status == "VERIFY_RESIZE":
            self._change(row, fields)
            self._confirm_again(self.rows[row.id], server)
        elif here and row.method == Method.CONFIRM:
            # The resize is settled, and the instance, on this host, can be moved like any other.
            self._change(
                row,
                fields
                | {
                    "state": MigrationState.PENDING,
                    "choice": Choice.NONE,
                    "method": self._judge(server).method,
                    "code": "",
                    "message": "",
                    "initial_status": server.status,
                },
                "resize_settled",
            )
        elif here and server.status == "ERROR":
            status = record.status if record else "no record"
            text = f"The server is in ERROR on {self._place(row)} after its {row.method} migration"
            self._cannot_tell(row, "error_at_source", f"{text} ({status}).")
        elif here:
            self._attempt_failed(row, "reverted", "The migration was reverted by somebody else.")
        elif server.status == "ERROR":
            self._arrived_in_error(row, server, fields)
        elif row.method == Method.CONFIRM or server.status == row.initial_status:
            self._arrived(row, server, record, fields | {"dest_compute": server.host})
        elif self._settled(row):
            text = (
                f"It arrived on {server.host} as {server.status}; it was {row.initial_status}"
                " before."
            )
            self._change(
                row,
                fields | {"state": MigrationState.FAILED, "code": "arrived_other", "message": text},
                "failed",
                text,
            )

    def _confirm_again(self, row: Row, server: Server) -> None:
        if self._since(row.confirm_at) < self.limits.submit_grace_seconds:
            return
        if not self._host_is_up():
            return  # Nova refuses to confirm while the old host is down; that wait has its bound
        if row.confirms < self.limits.max_attempts:
            self.actions.append(Confirm(row.id))
            return
        text = (
            f"It is on {server.host} in VERIFY_RESIZE, and Nova does not confirm it; its disk is"
            f" still on {self._place(row)}. Confirm or revert the resize. {row.message}"
        ).strip()
        self._change(
            row,
            {"state": MigrationState.FAILED, "code": UNCONFIRMED, "message": text},
            "failed",
            text,
            ask_why=True,
        )

    @staticmethod
    def _final_status(record: Migration | None) -> str:
        """Nova's record says `running` for a moment after the server arrived."""
        if record is None:
            return ""
        return record.status if record.is_over else "completed"

    # -- pace --------------------------------------------------------------------------------

    def _running(self) -> list[Row]:
        """The live migrations that Nova runs; its limit is for these alone."""
        return [
            row
            for row in self._in({MigrationState.MIGRATING})
            if row.method == Method.LIVE and row.nova_status in NOVA_STATUS_RUNNING
        ]

    def _waiting_in_nova(self) -> list[Row]:
        """Those that Nova has taken and not begun, or may have taken."""
        return [
            row
            for row in self._in(MIGRATION_UNDER_WAY)
            if row.state == MigrationState.SUBMITTED
            or (
                row.state == MigrationState.MIGRATING
                and (row.nova_status in NOVA_STATUS_WAITING or not row.nova_status)
            )
        ]

    def _learn(self) -> None:
        """How many Nova runs at once here: what runs while one more is queued.

        Where a place is free, `queued` becomes `preparing` within milliseconds, so that it is
        hardly ever seen by chance; a limit that was learned too low does no harm, and is
        corrected as soon as more are seen to run.
        """
        running = len(self._running())
        if running > self.drain.max_concurrent and not self.drain.nova_runs_more:
            self.actions.append(ChangeDrain({"nova_runs_more": True}))
            self.drain = replace(self.drain, nova_runs_more=True)
        learned = self.drain.learned_limit
        queued = any(row.nova_status == "queued" for row in self._in({MigrationState.MIGRATING}))
        if running and queued:
            learned = max(running, learned or 0)
        elif learned is not None and running > learned:
            learned = running
        if learned != self.drain.learned_limit:
            self.actions.append(
                ChangeDrain(
                    {"learned_limit": learned},
                    "limit_learned",
                    f"Nova runs {learned} at once here.",
                )
            )
            self.drain = replace(self.drain, learned_limit=learned)

    def _may_add(self, row: Row) -> bool:
        if self._waiting_in_nova():
            return False
        under_way = len(self._in(MIGRATION_UNDER_WAY))
        wanted = self.drain.max_concurrent
        if under_way < wanted:
            return True
        if self.back:
            return False  # each comes from a host, and a queue, of its own
        if under_way > wanted or self.drain.nova_runs_more or row.method != Method.LIVE:
            return False
        # One more is to wait in Nova's queue, never to run: either Nova's limit is known, or one
        # of those that run is about to end, so that finding out costs next to nothing.
        running = self._running()
        learned = self.drain.learned_limit
        if learned is not None:
            return learned <= len(running)
        return any((row.fraction or 0) >= ABOUT_TO_END for row in running)

    def _submit(self) -> None:
        gate = self.seen.gate
        if gate.holds:
            self._say_hold(gate.holds)
            return
        if gate.room is not None and gate.room <= 0:
            self._say_full("as many are under way in the region as MAX_IN_REGION allows.")
            return
        ours = {row.group for row in self._in(MIGRATION_UNDER_WAY) if row.group}
        travelling = ours | self.seen.travelling
        ready = [
            row
            for row in self._in({MigrationState.PENDING})
            if (row.not_before is None or row.not_before <= self.now)
            and row.group not in travelling
            and self._can_go(row)
        ]
        full = False
        for row in sorted(ready, key=turn):
            if not self._may_add(row):
                break
            if row.method == Method.CONFIRM:
                self.actions.append(Confirm(row.id))
                break
            host = self._where_to(row)
            if not host and row.unfit_hosts:
                found = self._fit_host(row)
                if found is None:
                    continue
                host = found
            elif not gate.takes(host):
                host = self._elsewhere_with_room(row)
                if not host:
                    full = True
                    continue
            status = self.seen.servers[row.server_id].status
            self.actions.append(Submit(row.id, host or None, status, Method(row.method)))
            break
        else:
            if full:
                hosts = ", ".join(sorted(gate.inbound, key=lambda h: -gate.inbound[h])[:3])
                where = f"to {hosts}" if hosts else "whose destination is not known yet"
                self._say_full(f"as many are under way {where} as MAX_PER_DESTINATION allows.")
                return
        self._say_hold("")

    def _elsewhere_with_room(self, row: Row) -> str:
        """Where the scheduler might choose a host that takes no more, the estimate knows another,
        unless it was tried; or empty."""
        host = row.planned_host
        if host in self.seen.gate.avoid:
            return ""
        named = row.destination or self.drain.destination
        tried = row.attempts > row.granted and row.dest_compute == host
        tried = tried or host in row.unfit_hosts
        return host if not named and not tried and self.seen.gate.takes(host) else ""

    def _fit_host(self, row: Row) -> str | None:
        """Another host for an instance that the scheduler might send again to one where it cannot
        arrive; empty: the scheduler's choice, where nothing is known; None: not in this pass."""
        if other := self._elsewhere_with_room(row):
            return other
        around = self.seen.around
        if around is None:
            return None  # the next pass that is due to look around will know
        if around.receivers is None:
            return ""
        places = surroundings.with_room(self.seen.servers[row.server_id], around)
        fit = [host for host in places if host not in row.unfit_hosts]
        fit = [host for host in fit if host not in self.seen.gate.avoid]
        if not fit:
            self._unfit(row, sorted(row.unfit_hosts))
            return None
        return next((host for host in fit if self.seen.gate.takes(host)), None)

    def _say_full(self, text: str) -> None:
        """What keeps this drain from going on; while something of it is under way, it goes on."""
        if not self._in(MIGRATION_UNDER_WAY):
            self._say_hold(f"{HOLD} {text}")

    def _say_hold(self, text: str) -> None:
        """That it waits for others, or, where the text is empty, that it does not any more."""
        message = self.drain.message
        if not text:
            if message.startswith(HOLD):
                self.actions.append(ChangeDrain({"message": ""}))
            return
        # That somebody enabled the service is said in its place: see _disable_first.
        enabled = not self.back and self.seen.service and self.seen.service.status == "enabled"
        if message != text and not enabled and self._in(MIGRATION_WAITING):
            self.actions.append(ChangeDrain({"message": text}))

    def _where_to(self, row: Row) -> str:
        """The host to ask for, or empty: the scheduler's choice."""
        if named := row.destination or self.drain.destination:
            return named
        # A refusal falls back to the scheduler, as does a host that is drained by now, or where it
        # cannot arrive.
        fit = row.planned_host not in {*self.seen.gate.avoid, *row.unfit_hosts}
        if self.drain.follow_plan and row.attempts <= row.granted and fit:
            return row.planned_host
        return ""

    def _can_go(self, row: Row) -> bool:
        server = self.seen.servers.get(row.server_id)
        if server is not None:
            return self._judge(server, row).method == row.method != Method.NONE
        elsewhere = self.seen.elsewhere.get(row.server_id)
        return (
            row.method == Method.CONFIRM
            and elsewhere is not None
            and elsewhere.status == "VERIFY_RESIZE"
            and elsewhere.task_state is None
        )

    # -- the end -----------------------------------------------------------------------------

    def _finish(self, cancelling: bool) -> None:
        if any(isinstance(action, Join) for action in self.actions):
            return
        still_open = self._in(MIGRATION_OPEN)
        if cancelling:
            if not still_open and self._given_back():
                text = f"Cancelled. {self._service_now()}{self._summary()}"
                self._finish_with(DrainState.CANCELLED, DrainResult.CANCELLED, text)
            return
        if self.drain.state != DrainState.RUNNING:
            return
        if any(row.state != MigrationState.BLOCKED for row in still_open):
            if self.drain.blocked_since or self.drain.proving_since:
                self.actions.append(ChangeDrain({"blocked_since": None, "proving_since": None}))
            return
        if still_open:
            if not self.seen.gate.holds:
                self._wait_for_blocked(still_open)
            return
        if self.back:
            self._finish_back()
            return
        if self.seen.contents is not None:
            self._finish_away(emptiness.look(self.seen.contents))

    def _given_back(self) -> bool:
        """Whether the service is as the cancel wants it. It is enabled if that was chosen, and if
        it is still disabled for the reason that we wrote; where the host is not there to be
        seen, that waits as long as for any host."""
        if self.back or not self.drain.cancel_enable:
            return True
        service = self.seen.service
        if service is None or not service.is_known:
            return False
        maintenance = self.drain.maintenance
        ours = maintenance is not None and maintenance.our_reason
        if service.status == "disabled" and ours and service.disabled_reason == ours:
            self.actions.append(Enable(service.id))
            return False
        return True

    def _service_now(self) -> str:
        service = self.seen.service
        maintenance = self.drain.maintenance
        if self.back or service is None or maintenance is None:
            return ""
        if not service.is_known:
            wanted = self.drain.cancel_enable and maintenance.our_reason
            why = f"Nova does not reach the cell of host {self.drain.host}"
            return f"{why}, so the service was not enabled. " if wanted else ""
        if service.status == "enabled":
            return "The compute service is enabled. "
        if self.drain.cancel_enable:
            return (
                "The compute service stays disabled, because somebody else gave a reason for it"
                f" ({_lines([service.disabled_reason]) or 'without a word'}). "
            )
        return "The compute service stays disabled. " if maintenance.disabled_at else ""

    def _is_back(self, row: Row) -> bool:
        """On the host that it was to come back to, whoever brought it."""
        gone = row.state == MigrationState.GONE or arrived_wrong(row)
        return row.state == MigrationState.SUCCEEDED or (
            gone
            and row.server_status != "DELETED"
            and row.code != NOWHERE
            and row.dest_compute == self.drain.host
        )

    def _is_well(self, row: Row) -> bool:
        """Back, no more, or left elsewhere by choice."""
        deleted = row.state == MigrationState.GONE and row.server_status == "DELETED"
        well = self._is_back(row) and not arrived_wrong(row)
        return deleted or well or row.state == MigrationState.SKIPPED

    def _finish_back(self) -> None:
        """All that was to come back has arrived, or what could not is named. The host is in
        service either way."""
        if all(self._is_well(row) for row in self.rows.values()):
            state, result = DrainState.SUCCEEDED, DrainResult.BROUGHT_BACK
        else:
            state, result = DrainState.FAILED, DrainResult.INSTANCES_FAILED
        self._finish_with(state, result, self._summary())

    def _wait_for_blocked(self, blocked: list[Row]) -> None:
        if self.drain.blocked_since is None:
            self.actions.append(
                ChangeDrain(
                    {"blocked_since": self.now},
                    "waiting_for_blocked",
                    "All that is left is blocked, and looked at again for a time.",
                )
            )
            return
        if self._since(self.drain.blocked_since) < self.limits.blocked_wait_seconds:
            return
        for row in blocked:
            doubtful = row.code in whereabouts.CODES and row.attempts
            state = MigrationState.UNKNOWN if doubtful else MigrationState.FAILED
            self._change(
                row,
                {"state": state, "message": f"Still blocked: {row.message}"},
                state.value,
                row.message,
            )

    def _finish_away(self, found: Emptiness) -> None:
        """Nothing is left to be moved. What is on its way to the host, or from it without us, is
        waited for: it joins when it arrives, and is named when the wait is over.

        Empty it must be twice, in two passes: a cell that goes down makes Nova's lists empty
        without a word.
        """
        waits_for = self._beside(found).of(*Obstacle)
        first = self.drain.proving_since is None
        patient = first or self._since(self.drain.proving_since) < self.limits.proof_wait_seconds
        if not (waits_for and patient) and not (found.is_empty and first):
            self._end(found)
            return
        text = f"Waiting: {_listed(waits_for)}." if waits_for else "Verifying that it is empty."
        fields: dict[str, Any] = {"proving_since": self.now} if first else {}
        if text != self.drain.message:
            kind = "not_proved_yet" if waits_for else ""
            self.actions.append(ChangeDrain(fields | {"message": text}, kind, text if kind else ""))
        elif fields:
            self.actions.append(ChangeDrain(fields))

    def _beside(self, found: Emptiness) -> Emptiness:
        """What keeps the host from being empty beside the servers of which it is known what became:
        they are on it, or unknown."""
        unknown = {row.server_id for row in self._in({MigrationState.UNKNOWN})}
        return found.but_of(unknown | self.seen.servers.keys())

    def _end(self, found: Emptiness) -> None:
        """How it ends. `succeeded` means that the host is empty, and that every instance that left
        it is well as far as we know."""
        rows = {row.server_id: row for row in self.rows.values()}
        chosen = {MigrationState.STAYS, MigrationState.SKIPPED}
        by_choice = all(i in rows and rows[i].state in chosen for i in self.seen.servers)
        beside = self._beside(found)
        passing = beside.of(Obstacle.MIGRATION, Obstacle.RESIZE)
        doubts = beside.of(Obstacle.NO_SERVICE, Obstacle.CELL, Obstacle.DOWN)
        said: list[str] = []
        state = DrainState.FAILED
        if self._in({MigrationState.FAILED, MigrationState.UNKNOWN}) or not by_choice:
            result = DrainResult.INSTANCES_FAILED
            said += ["The host is empty."] if found.is_empty else []
        elif passing or doubts:
            result = DrainResult.NOT_PROVED
        elif self.seen.servers:
            result = DrainResult.INSTANCES_LEFT
        else:
            state, result = DrainState.SUCCEEDED, DrainResult.EMPTY
            said.append("Drained.")
        said += doubts
        if passing:
            said.append(f"Not over: {_listed(passing)}.")
        if beside.of(Obstacle.RESIZE):
            said.append(
                "A resize or cold migration that is not confirmed holds its disk and allocation on"
                " both hosts: confirm or revert it."
            )
        said.append(self._summary())
        self._finish_with(state, result, " ".join(said))

    def _finish_with(self, state: DrainState, result: DrainResult, text: str) -> None:
        """End the drain; what a person must look at is said first."""
        first = alarm(self.rows.values())
        self.actions.append(Finish(state, result, f"{first} {text}".strip()))

    def _summary(self) -> str:
        """How many left, or came back, and each one that did not, by name and with its reason."""
        rows = sorted(self.rows.values(), key=lambda r: (r.position, r.id))
        if self.back:
            done = [row for row in rows if self._is_back(row)]
            lines = [f"{len(done)} of {len(rows)} are back on {self.drain.host}."]
        else:
            done = [row for row in rows if row.state in MIGRATION_LEFT or arrived_wrong(row)]
            lines = [f"{len(done)} of {len(rows)} left the host."]
        lines += [
            f"{row.server_name} ({row.state}): {row.message}".rstrip(": ")
            for row in rows
            if row not in done or arrived_wrong(row)
        ]
        if self.back:
            return _lines(lines)
        known = {row.server_id for row in rows}
        for server in self.seen.servers.values():
            if server.id not in known:
                lines.append(f"{server.name} ({server.status}): it is not part of the drain.")
        return _lines(lines)


def _is_aborted(row: Row, record: Migration | None) -> bool:
    """Whether an abort of ours ended this migration: Nova took it, or its answer got lost and the
    migration was cancelled."""
    if record is None or row.aborted_migration_id != record.id:
        return False
    return row.aborted_at is not None or row.was_cancelled or record.status == "cancelled"


def turn(row: Row) -> tuple[bool, int, int, int]:
    """The order of starting. What an admin put at the head has a place below 0."""
    return (row.position >= 0, row.attempts if row.position >= 0 else 0, row.position, row.id)


def _lines(lines: Iterable[str]) -> str:
    """A message of several lines: what a lock's reason or a fault says begins no further one."""
    return "\n".join(" ".join(line.split()) for line in lines)


def _listed(lines: Sequence[str]) -> str:
    return "; ".join(line.rstrip(".") for line in emptiness.some(lines))


_UNSET = object()

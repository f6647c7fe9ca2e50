"""What a pass over a drain is decided from: limits, the drain and its rows, what was observed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from .. import facts
from ..attempt import AttemptView, Requests
from ..facts import Migration, Progress, Server, Service
from ..host.emptiness import HostContents
from ..message import Message, message
from ..preflight.verdicts import OptOutNames, PlacementContext
from ..states import Direction, Method, TimeoutAction
from .whereabouts import GuestSight


@dataclass(frozen=True)
class Limits:
    """The bounds of all waits and retries; times in seconds. See settings for each."""

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
class Admission:
    """What others leave to this drain: the plan that it is in, and the limits of the region.

    :param holds: why nothing may be started now; None: nothing stands against it
    :param room: how many more may be in progress in the region; None: no limit
    :param inbound: migrations of ours in progress, by destination
    :param anywhere: those in progress whose destination Nova has not told yet
    :param per_destination: how many may be in progress to one host; None: no limit
    :param avoid: hosts that are drained or in maintenance: the estimate of before sends none there
    """

    holds: Message | None = None
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

    def with_more(self, count: int, host: str) -> "Admission":
        """What is left once so many more are in progress, to this host or, where that is empty, to
        whichever the scheduler chooses."""
        to_host = {host: max(self.inbound.get(host, 0) + count, 0)} if host else {}
        return replace(
            self,
            room=None if self.room is None else self.room - count,
            inbound={**self.inbound, **to_host},
            anywhere=self.anywhere if host else max(self.anywhere + count, 0),
        )


@dataclass(frozen=True)
class OtherRun:
    """Another run of ours that moves, or moved, a server of this drain.

    :param dest: where it brought the server, or is bringing it
    """

    drain_id: int
    host: str
    direction: str
    dest: str

    @property
    def called(self) -> Message:
        if self.direction == Direction.BACK:
            return message("run_back", drain=self.drain_id, host=self.host)
        return message("drain_of", drain=self.drain_id, host=self.host)


@dataclass(frozen=True)
class DrainView:
    """A drain as the database has it."""

    host: str
    state: str
    reason: str
    max_concurrent: int
    destination: str = ""
    follow_estimate: bool = False
    move_locked: bool = True
    message: Message | None = None
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
    blocked_since: datetime | None = None
    proving_since: datetime | None = None
    host_down_since: datetime | None = None
    maintenance: MaintenanceView | None = None


@dataclass(frozen=True)
class Row:
    """An instance migration as the database has it; see models.InstanceMigration.

    :param attempt: the newest one
    """

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
    fall_back: bool = False
    code: str = ""
    message: Message | None = None
    memory_bytes: int = 0
    local_disk_bytes: int = 0
    initial_status: str = "ACTIVE"
    server_status: str = "ACTIVE"
    task_state: str = ""
    source_compute: str = ""
    dest_compute: str = ""
    destination: str = ""
    attempts: int = 0
    extra_attempts: int = 0
    not_before: datetime | None = None
    put_off_since: datetime | None = None
    anomaly_since: datetime | None = None
    attempt: AttemptView = field(default_factory=AttemptView)
    requests: Requests = field(default_factory=Requests)


@dataclass(frozen=True)
class Observation:
    """What was seen of the cloud, all of it read after the pass began.

    :param service: the host's compute service, read first; None where Nova lists none
    :param servers: every server that Nova has on the host, by id
    :param migrations: the newest migrations that have the host as source, and those of the servers
        in progress, by server, newest first
    :param contents: everything that tells whether the host is empty; None where this pass did not
        read it, because something is still to be moved
    :param elsewhere: servers that the host's list lacks, of rows that `is_looked_for`: as they are
        now, or None where they no longer exist
    :param other_runs: for those of `elsewhere` that another run of ours moved, which one
    :param progress: bytes of the migrations in progress, by server
    :param actions: instance actions, newest first, of servers whose request lost its answer
    :param on_their_way: servers whose request may still reach Nova, whatever the clock says
    :param our_user_id: who we are for Nova
    :param travelling: anti-affinity groups of which a member is in progress in another drain
    :param around: what stands around the servers, where this pass looked (see `wants_a_look`)
    :param placing: what stands around the servers now, to choose hosts for them, where this pass
        looked (see `places_wanted`)
    :param placing_of: the servers, by id, whose groups were looked at for it; None: all
    :param preferred: hosts that are a better destination than others, as far as they have room
    :param admission: what the plan and the limits of the region leave to this drain
    :param sources: for a run back, the compute services of the hosts that instances leave
    :param last_limit: how many live migrations Nova is known to run at once from this host, by the
        last drain of it; 0: not known
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
    around: PlacementContext | None = None
    placing: PlacementContext | None = None
    placing_of: frozenset[str] | None = None
    preferred: frozenset[str] = frozenset()
    travelling: frozenset[str] = frozenset()
    admission: Admission = field(default_factory=Admission)
    sources: Mapping[str, Service | None] = field(default_factory=dict)
    guests: Mapping[str, GuestSight] = field(default_factory=dict)
    last_limit: int = 0

"""A model of the Nova that the reconciler sees: small, exact about order, and killable.

It stands in for Nova where a rule must hold over thousands of histories. What Nova itself does
is tested against the real one, in tests/worker/test_real_nova.py.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.facts import (
    Action,
    Capacity,
    Diagnostics,
    Migration,
    Progress,
    Server,
    ServerGroup,
    Service,
)
from ukcloud_maintenance.exceptions import (
    CloudBadRequest,
    CloudConflict,
    CloudError,
    CloudNotFound,
    CloudServerError,
    CloudUnreachable,
)

GIB = 1024**3
#: seconds that one copy takes
COPY = 8
START = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


class Killed(BaseException):
    """SIGKILL: nothing catches it, nothing is cleaned up."""


def is_live(record: Migration) -> bool:
    return record.migration_type == "live-migration"


@dataclass
class Flight:
    """One live migration under way."""

    server_id: str
    record_id: int
    dest: str
    ends_at: datetime
    outcome: str  # completed | failed | error_early | stalls (until it is aborted or forced)
    starts_at: datetime


@dataclass
class FakeNova:
    """One source host `cmp1`, and destinations that always have room.

    :param limit: max_concurrent_live_migrations of the source
    :param outcomes: by server, what its attempts come to, in order; then it works
    :param posts: by server, what becomes of its POSTs, in order: lost (done, no answer), never
        (not done, no answer), broken (done, 500), refused (400, where a host is asked for); then
        it is answered
    """

    limit: int = 1
    outcomes: dict[str, list[str]] = field(default_factory=dict)
    posts: dict[str, list[str]] = field(default_factory=dict)
    now: datetime = START
    region: str = "RegionOne"
    kill_after: int | None = None

    def __post_init__(self):
        self.calls = 0
        self.the_service = Service("svc-1", "cmp1", "az1", "up", "enabled")
        self.all: dict[str, Server] = {}
        self.groups: list[ServerGroup] = []
        self.records: list[Migration] = []
        self.done: dict[str, list[Action]] = {}
        self.flights: list[Flight] = []
        self.accepted_posts: list[tuple[str, str]] = []  # server, host at the time
        self.most_running = 0
        self.most_under_way = 0
        self.times_over = 0
        self.disabled_by: list[str] = []
        self.confirms: list[str] = []
        self.aborts: list[int] = []
        self.forces: list[int] = []
        self.enabled = 0

    # -- the world ---------------------------------------------------------------------------

    def add(self, name: str, status: str = "ACTIVE", memory: int = GIB) -> Server:
        self.all[name] = Server(
            name,
            name,
            "cmp1",
            status,
            status.lower(),
            None,
            memory_bytes=memory,
        )
        return self.all[name]

    def tick(self, seconds: float = 1) -> None:
        self.now += timedelta(seconds=seconds)
        for flight in [f for f in self.flights if f.ends_at <= self.now]:
            self._land(flight)
        self._start_queued()

    def _land(self, flight: Flight) -> None:
        self.flights.remove(flight)
        index = next(i for i, r in enumerate(self.records) if r.id == flight.record_id)
        server = self.all.get(flight.server_id)
        cold = self.records[index].migration_type == "migration"
        if flight.outcome == "completed":
            status = "finished" if cold else "completed"
            self.records[index] = replace(self.records[index], status=status)
            if server:
                back = "VERIFY_RESIZE" if cold else server.vm_state.upper()
                self.all[server.id] = replace(
                    server, host=flight.dest, task_state=None, status=back
                )
            return
        status = "failed" if flight.outcome == "failed" else "error"
        dest = flight.dest if flight.outcome == "failed" else ""
        self.records[index] = replace(self.records[index], status=status, dest_compute=dest)
        if server:
            self.all[server.id] = replace(server, task_state=None, status=server.vm_state.upper())

    def _start_queued(self) -> None:
        running = [r for r in self.records if r.status == "running" and is_live(r)]
        for index, record in enumerate(self.records):
            if record.status == "accepted":
                self.records[index] = replace(record, status="queued")
        for flight in self.flights:
            index = next(i for i, r in enumerate(self.records) if r.id == flight.record_id)
            live = is_live(self.records[index])
            if self.records[index].status == "queued" and (not live or len(running) < self.limit):
                self.records[index] = replace(self.records[index], status="running")
                if live:
                    running.append(self.records[index])
                flight.starts_at = self.now
                stalls = flight.outcome == "stalls"
                flight.ends_at = self.now + timedelta(days=1 if stalls else 0, seconds=COPY)
        self.most_under_way = max(self.most_under_way, len(self.flights))
        self.most_running = max(self.most_running, len(running))

    def _call(self) -> None:
        """Every edge of a request is an instruction at which the process may die."""
        self.calls += 1
        if self.kill_after is not None and self.calls >= self.kill_after:
            self.kill_after = None
            raise Killed

    @staticmethod
    def _told(server: Server) -> Server:
        """With the power state that goes with its state."""
        return replace(server, power_state={"active": 1, "paused": 3}.get(server.vm_state, 4))

    # -- what the reconciler asks -----------------------------------------------------------

    def service(self, host):
        self._call()
        return self.the_service

    def servers_on(self, host):
        self._call()
        return [self._told(s) for s in self.all.values() if s.host == host]

    def newest_migrations_from(self, host, limit):
        self._call()
        return [r for r in reversed(self.records) if r.source_compute == host][:limit]

    def migrations_touching(self, host):
        self._call()
        return [r for r in reversed(self.records) if host in (r.source_compute, r.dest_compute)]

    def migrations_of(self, server_id):
        self._call()
        return [r for r in reversed(self.records) if r.server_id == server_id]

    def server(self, server_id):
        self._call()
        found = self.all.get(server_id)
        return found and self._told(found)

    def server_groups(self):
        self._call()
        return list(self.groups)

    # -- what is around: one destination, cmp2, unless a host is asked for by name ----------

    def try_side_by_side(self, calls):
        found = {}
        for name, call in calls.items():
            try:
                found[name] = call()
            except CloudError as error:
                found[name] = error
        return found

    def services(self):
        self._call()
        return [self.the_service, Service("svc-2", "cmp2", "az1", "up", "enabled")]

    def aggregates(self):
        return []

    def capacity(self):
        self._call()
        return {"cmp2": Capacity({"MEMORY_MB": 2**30, "VCPU": 2**20, "DISK_GB": 2**20})}

    def servers_by_id(self, server_ids):
        return {i: self._told(self.all[i]) for i in server_ids if i in self.all}

    def progress(self, server_id):
        self._call()
        for flight in self.flights:
            if flight.server_id == server_id:
                part = min((self.now - flight.starts_at).total_seconds() / COPY, 1)
                done = int(GIB * max(part, 0))
                return [Progress(flight.record_id, "running", GIB, done, GIB - done)]
        return []

    def actions(self, server_id):
        self._call()
        return list(reversed(self.done.get(server_id, [])))

    def failure_of(self, server_id, request_id):
        self._call()
        return "No valid host was found."

    def diagnostics(self, server_id):
        self._call()
        server = self.all.get(server_id)
        if server is None:
            raise CloudNotFound("read the diagnostics", "no such server", status=404)
        if server.vm_state != "active":
            raise CloudConflict("read the diagnostics", "it does not run", status=409)
        return Diagnostics("running", "libvirt", 1)

    def user_id(self):
        return "worker"

    def disable_service(self, service_id, reason):
        self._call()
        self.disabled_by.append(reason)
        self.the_service = replace(self.the_service, status="disabled", disabled_reason=reason)
        self._call()
        return "req-disable"

    def enable_service(self, service_id):
        self._call()
        self.the_service = replace(self.the_service, status="enabled", disabled_reason="")
        self.enabled += 1
        self._call()
        return "req-enable"

    def _flight(self, server_id, migration_id, statuses):
        """The migration of a server that is in one of these states, as Nova finds it."""
        record = next(r for r in self.records if r.id == migration_id)
        if record.server_id != server_id or record.status not in statuses:
            raise CloudConflict("steer", f"migration {migration_id} is {record.status}", status=409)
        return next(f for f in self.flights if f.record_id == migration_id)

    def abort_migration(self, server_id, migration_id):
        self._call()
        flight = self._flight(server_id, migration_id, ("queued", "preparing", "running"))
        self.flights.remove(flight)
        index = next(i for i, r in enumerate(self.records) if r.id == migration_id)
        self.records[index] = replace(self.records[index], status="cancelled")
        server = self.all[server_id]
        self.all[server_id] = replace(server, task_state=None, status=server.vm_state.upper())
        self.aborts.append(migration_id)
        self._call()
        return "req-abort"

    def force_complete(self, server_id, migration_id):
        self._call()
        flight = self._flight(server_id, migration_id, ("running",))
        flight.outcome, flight.ends_at = "completed", self.now + timedelta(seconds=2)
        self.forces.append(migration_id)
        self._call()
        return "req-force"

    def live_migrate(self, server_id, host):
        return self._migrate(server_id, host, "live-migration", "live-migration")

    def cold_migrate(self, server_id, host):
        return self._migrate(server_id, host, "migration", "migrate")

    def confirm_resize(self, server_id):
        self._call()
        server = self.all[server_id]
        if server.status != "VERIFY_RESIZE" or server.task_state:
            raise CloudConflict("confirm", "not in VERIFY_RESIZE", status=409)
        for index, record in enumerate(self.records):
            if record.server_id == server_id and record.status == "finished":
                self.records[index] = replace(record, status="confirmed")
        self.all[server_id] = replace(server, status=server.vm_state.upper())
        self.confirms.append(server_id)
        self._call()
        return "req-confirm"

    def _migrate(self, server_id, host, record_type, action):
        self._call()
        fate = self._next(self.posts, server_id, "answered")
        if fate == "never":
            raise CloudUnreachable("live-migrate", "connection refused")
        if fate == "refused" and host:
            raise CloudBadRequest("live-migrate", f"{host} is not known", status=400)
        server = self.all[server_id]
        takes = ("ACTIVE", "PAUSED") if record_type == "live-migration" else ("ACTIVE", "SHUTOFF")
        if server.task_state or server.status not in takes:
            raise CloudConflict("live-migrate", "task_state migrating", status=409)
        self.accepted_posts.append((server_id, server.host))
        request_id = f"req-{len(self.accepted_posts)}"
        record = Migration(
            len(self.records) + 1,
            f"u{len(self.records) + 1}",
            server_id,
            "accepted",
            record_type,
            server.host,
            host or "cmp2",
        )
        self.records.append(record)
        self.done.setdefault(server_id, []).append(Action(request_id, action, "worker", self.now))
        self.all[server_id] = replace(server, task_state="migrating", status="MIGRATING")
        outcome = self._next(self.outcomes, server_id, "completed")
        far = self.now + timedelta(days=1)
        self.flights.append(Flight(server_id, record.id, host or "cmp2", far, outcome, self.now))
        self._call()
        if fate == "lost":
            raise CloudUnreachable("live-migrate", "the connection was reset")
        if fate == "broken":
            raise CloudServerError("live-migrate", "Bad Gateway", status=502)
        return request_id

    @staticmethod
    def _next(script: dict[str, list[str]], server_id: str, otherwise: str) -> str:
        left = script.get(server_id)
        return left.pop(0) if left else otherwise

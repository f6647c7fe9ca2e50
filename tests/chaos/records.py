"""What Nova's record holds, what ours holds, and what was seen of both while it went on.

Nova's is read from its own databases, which no fault reaches, and not through anything of the
product. Times are seconds since the epoch, by the clock of this machine, which is Nova's too.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connections
from django.utils.dateparse import parse_datetime

from tests.chaos.proxy import Entry
from ukcloud_maintenance import models, services
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.states import DRAIN_TERMINAL
from ukcloud_maintenance.demo import databases
from ukcloud_maintenance.demo.harness import DemoCloud
from ukcloud_maintenance.messages import english

#: Nova's statuses of a migration that is over (nova/objects/migration.py).
OVER = frozenset({"completed", "confirmed", "reverted", "failed", "error", "cancelled", "done"})
#: … and that brought the server to its destination.
ARRIVED = frozenset({"completed", "confirmed"})
#: Instance actions that move a server.
MOVES = frozenset({"live-migration", "migrate"})


@dataclass(frozen=True)
class Action:
    """An instance action: a request that Nova accepted."""

    server: str
    action: str
    user: str
    request_id: str
    at: float
    message: str = ""


@dataclass(frozen=True)
class Migration:
    """A migration record."""

    id: int
    server: str
    source: str
    dest: str
    status: str
    type: str
    user: str
    created: float
    updated: float

    @property
    def is_over(self) -> bool:
        return self.status in OVER


@dataclass(frozen=True)
class NovaServer:
    """A server as Nova's database has it."""

    id: str
    name: str
    host: str
    vm_state: str
    task_state: str = ""
    deleted_at: float | None = None


@dataclass(frozen=True)
class Row:
    """An instance migration of ours."""

    drain: int
    server: str
    name: str
    state: str
    source: str
    dest: str = ""
    message: str = ""
    attempts: int = 0
    nova_id: int | None = None


@dataclass(frozen=True)
class DrainRecord:
    """A drain of ours, or a run back."""

    id: int
    host: str
    direction: str
    state: str
    result: str = ""
    message: str = ""


@dataclass(frozen=True)
class Note:
    """Something that was done or happened, by whoever plays with the cloud.

    :param kind: e.g. kill_worker, kill_compute, start_compute, other_move, drain, cancel
    """

    at: float
    kind: str
    text: str = ""
    server: str = ""
    host: str = ""


@dataclass(frozen=True)
class Sample:
    """One host at one moment, by Nova and by us.

    :param servers: the servers that Nova has on it, without those that are deleted
    :param inbound: the servers that a migration under way brings to it
    :param outbound: the servers that a migration under way takes from it
    :param enabled: whether its compute service is enabled
    :param safe: our answer; None where our database did not give one
    """

    at: float
    host: str
    servers: frozenset[str] = frozenset()
    inbound: frozenset[str] = frozenset()
    outbound: frozenset[str] = frozenset()
    enabled: bool = False
    safe: bool | None = None


@dataclass
class Records:
    """Everything that the invariants are judged by.

    :param user: the worker's user id in Keystone
    :param guests: where the hypervisors have each guest, by server
    :param drain_seen: for each drain, the time of every look at it and its state then
    :param events: ours, as (seconds, drain, server, kind, actor, message)
    :param logs: what each worker wrote
    """

    user: str
    actions: list[Action] = field(default_factory=list)
    migrations: list[Migration] = field(default_factory=list)
    servers: dict[str, NovaServer] = field(default_factory=dict)
    guests: dict[str, list[str]] = field(default_factory=dict)
    drains: dict[int, DrainRecord] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    events: list[tuple[float, int | None, str, str, str, str]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    drain_seen: dict[int, list[tuple[float, str]]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    writes: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    calm_at: float = 0.0

    def moves_of(self, server: str) -> list[Action]:
        """Our own requests that moved, or were to move, a server, oldest first."""
        return sorted(
            (
                a
                for a in self.actions
                if a.server == server and a.user == self.user and a.action in MOVES
            ),
            key=lambda a: a.at,
        )

    def migrations_of(self, server: str) -> list[Migration]:
        """A server's migration records, oldest first."""
        return sorted((m for m in self.migrations if m.server == server), key=lambda m: m.id)

    def record_of(self, action: Action) -> Migration | None:
        """The migration record that a request led to: the first of its user's after it. Between
        two accepted requests for one server there is always the end of the first."""
        later = [
            m
            for m in self.migrations_of(action.server)
            if m.user == action.user and m.created >= action.at - 0.5
        ]
        return later[0] if later else None

    def ended_at(self, drain: int) -> float | None:
        """When it was first seen to be over; None: it was not."""
        over = {state.value for state in DRAIN_TERMINAL}
        for at, state in self.drain_seen.get(drain, ()):
            if state in over:
                return at
        return None


class Journal:
    """What was done to the cloud, in the order in which it was done."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._lock = threading.Lock()

    def note(self, kind: str, text: str = "", *, server: str = "", host: str = "") -> None:
        with self._lock:
            self.notes.append(Note(time.time(), kind, text, server, host))


# -- Nova's ---------------------------------------------------------------------------------


class NovaDatabase:
    """Nova's cell database, read only."""

    def __init__(self, nova: DemoCloud):
        self._file = databases.path_of(nova.state, "nova_cell1")

    def _rows(self, text: str) -> list[sqlite3.Row]:
        uri = f"file:{self._file}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30)) as database:
            database.row_factory = sqlite3.Row
            return database.execute(text).fetchall()

    def actions(self) -> list[Action]:
        found = self._rows("select * from instance_actions order by id")
        return [
            Action(
                r["instance_uuid"],
                r["action"],
                r["user_id"] or "",
                r["request_id"] or "",
                _seconds(r["start_time"]),
                r["message"] or "",
            )
            for r in found
        ]

    def migrations(self, unfinished: bool = False) -> list[Migration]:
        text = "select * from migrations"
        if unfinished:
            over = ", ".join(f"'{status}'" for status in sorted(OVER))
            text += f" where status not in ({over})"
        return [
            Migration(
                r["id"],
                r["instance_uuid"],
                r["source_compute"] or "",
                r["dest_compute"] or "",
                r["status"] or "",
                r["migration_type"] or "",
                r["user_id"] or "",
                _seconds(r["created_at"]),
                _seconds(r["updated_at"] or r["created_at"]),
            )
            for r in self._rows(text + " order by id")
        ]

    def servers(self, deleted: bool = True) -> dict[str, NovaServer]:
        text = "select * from instances" + ("" if deleted else " where deleted = 0")
        return {
            r["uuid"]: NovaServer(
                r["uuid"],
                r["display_name"] or "",
                r["host"] or "",
                r["vm_state"] or "",
                r["task_state"] or "",
                _seconds(r["deleted_at"] or r["updated_at"]) if r["deleted"] else None,
            )
            for r in self._rows(text)
        }

    def enabled(self) -> dict[str, bool]:
        """For each compute host, whether its service is enabled."""
        found = self._rows(
            "select host, disabled from services where binary = 'nova-compute' and deleted = 0"
        )
        return {r["host"]: not r["disabled"] for r in found}


def _seconds(stamp: Any) -> float:
    return parse_datetime(str(stamp)).replace(tzinfo=UTC).timestamp()


# -- both, while it goes on ------------------------------------------------------------------


class Sampler:
    """Looks at every host once a second, at Nova's record and at our answer.

    Our answer is taken between two looks at Nova, and what Nova has on a host is what both saw:
    what comes or goes in that moment is held against nobody.
    """

    PERIOD = 1.0

    def __init__(self, nova: DemoCloud, region: str, hosts: list[str]):
        self.samples: list[Sample] = []
        self.drain_seen: dict[int, list[tuple[float, str]]] = {}
        self.unanswered = 0
        self._database = NovaDatabase(nova)
        self._region = region
        self._hosts = hosts
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            self.look()
            self._stop.wait(max(self.PERIOD - (time.monotonic() - begun), 0.1))

    def look(self) -> None:
        before = self._nova()
        at = time.time()
        answers: dict[str, bool | None] = dict.fromkeys(self._hosts)
        try:
            for host in self._hosts:
                answers[host] = services.certificate(shell_actor(), self._region, host).safe
            for drain_id, state in models.Drain.objects.values_list("pk", "state"):
                self.drain_seen.setdefault(drain_id, []).append((at, state))
        except DatabaseError:
            self.unanswered += 1
        finally:
            connections.close_all()
        after = self._nova()
        self.samples += [
            Sample(
                at,
                host,
                servers=before[host][0] & after[host][0],
                inbound=before[host][1] & after[host][1],
                outbound=before[host][2] & after[host][2],
                enabled=before[host][3] and after[host][3],
                safe=answers[host],
            )
            for host in self._hosts
        ]

    def _nova(self) -> dict[str, tuple[frozenset[str], frozenset[str], frozenset[str], bool]]:
        servers = self._database.servers(deleted=False)
        enabled = self._database.enabled()
        moving = {
            m.id: m
            for m in self._database.migrations(unfinished=True)
            # a record that was left behind holds nothing
            if m.server in servers and servers[m.server].task_state
        }.values()
        return {
            host: (
                frozenset(s.id for s in servers.values() if s.host == host),
                frozenset(m.server for m in moving if m.dest == host),
                frozenset(m.server for m in moving if m.source == host),
                enabled.get(host, False),
            )
            for host in self._hosts
        }


# -- afterwards ------------------------------------------------------------------------------


def read(nova: DemoCloud, user: str) -> Records:
    """Both records, after everything. What was seen meanwhile is added by the caller."""
    database = NovaDatabase(nova)
    names = dict(models.InstanceMigration.objects.values_list("pk", "server_id"))
    return Records(
        user=user,
        actions=database.actions(),
        migrations=database.migrations(),
        servers=database.servers(),
        guests=nova.guests(),
        drains={
            d.pk: DrainRecord(d.pk, d.host, d.direction, d.state, d.result, english(d.message))
            for d in models.Drain.objects.order_by("pk")
        },
        rows=[
            Row(
                r.drain_id,
                r.server_id,
                r.server_name,
                r.state,
                r.source_compute,
                r.dest_compute,
                english(r.message),
                r.attempts,
                r.attempt.nova_migration_id,
            )
            for r in models.InstanceMigration.objects.order_by("pk")
        ],
        events=[
            (
                e.at.timestamp(),
                e.drain_id,
                names.get(e.migration_id, ""),
                e.kind,
                e.actor,
                english(e.message),
            )
            for e in models.Event.objects.order_by("pk")
        ],
    )


def lines_of(records: Records, server: str = "", host: str = "") -> Iterator[tuple[float, str]]:
    """What both records and the journal hold of a server or of a host, as (seconds, line)."""

    def concerns(one: str, *hosts: str) -> bool:
        return bool(server and one == server) or bool(host and host in hosts)

    drains_of_host = {d.id for d in records.drains.values() if host and d.host == host}
    drains_of_server = {r.drain for r in records.rows if server and r.server == server}
    whose: Callable[[str], str] = lambda user: "we" if user == records.user else "others"  # noqa: E731
    for a in records.actions:
        if server and a.server == server:
            yield a.at, f"nova   {whose(a.user)}: {a.action} {a.request_id} {a.message}"
    for m in records.migrations:
        if concerns(m.server, m.source, m.dest):
            what = f"migration {m.id} {m.source}->{m.dest or '?'} of {m.server[:8]}"
            yield m.created, f"nova   {what} ({whose(m.user)}) begins"
            yield m.updated, f"nova   {what} is {m.status}"
    for at, drain, one, kind, actor, message in records.events:
        ours = one == server if one and server else drain in drains_of_host | drains_of_server
        if ours:
            yield at, f"ours   drain {drain} {one[:8]} {kind} [{actor}] {message}"
    for e in records.writes:
        if server and e.server == server:
            passed = f"passed +{e.passed_at - e.at:.1f}s -> {e.status}" if e.passed_at else "held"
            yield e.at, f"proxy  {e.method} {e.action} {e.fault or 'clear'} {passed} {e.request_id}"
    for n in records.notes:
        if concerns(n.server, n.host) or not (n.server or n.host):
            yield n.at, f"chaos  {n.kind} {n.server[:8]} {n.host} {n.text}"
    before: Sample | None = None
    for s in records.samples:
        if not host or s.host != host:
            continue
        if before is None or (s.safe, s.servers, s.enabled, s.inbound) != (
            before.safe,
            before.servers,
            before.enabled,
            before.inbound,
        ):
            answer = {True: "SAFE", False: "not safe", None: "no answer"}[s.safe]
            here = " ".join(sorted(one[:8] for one in s.servers)) or "nothing"
            coming = "".join(f" <-{one[:8]}" for one in sorted(s.inbound))
            state = "enabled" if s.enabled else "disabled"
            yield s.at, f"sample we say {answer}; Nova has {here}{coming}, {state}"
        before = s


def timeline(
    records: Records, server: str = "", host: str = "", around: float | None = None
) -> str:
    """:func:`lines_of`, in order: the newest, or those from two minutes before `around` on."""
    lines = sorted(lines_of(records, server, host))
    if around is not None:
        lines = [(at, line) for at, line in lines if around - 120 <= at <= around + 30]
    lines = lines[-150:]
    return "\n".join(
        f"    {datetime.fromtimestamp(at, UTC):%H:%M:%S.%f}"[:-3] + f" {line}"[:180]
        for at, line in lines
    )

"""What must hold, whatever was done to the cloud, the workers and the database meanwhile."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.records import ARRIVED, MOVES, Migration, NovaServer, Records, Row, Sample
from ukcloud_maintenance.core.states import MIGRATION_OPEN, DrainState, MigrationState

#: A look at everything takes place once a second, and takes a moment itself.
SAMPLE_SECONDS = 3.0


@dataclass(frozen=True)
class Violation:
    """Something that must not be.

    :param rule: the name of the function below that found it
    :param at: when, in seconds since the epoch, where that can be said
    """

    rule: str
    text: str
    server: str = ""
    host: str = ""
    at: float | None = None


def violations(records: Records, certificate_seconds: float) -> list[Violation]:
    """Everything that does not hold, each rule for itself.

    :param certificate_seconds: how old a verification may be that a certificate stands on, which
        is the documented interval between a change and the withdrawal
    """
    return [
        *one_at_a_time(records),
        *from_drained_hosts_alone(records),
        *asked_once(records),
        *every_guest_runs_once(records),
        *where_recorded(records),
        *ended(records),
        *ends_are_true(records),
        *certificates(records, certificate_seconds),
        *workers_live(records),
    ]


def one_at_a_time(records: Records) -> Iterator[Violation]:
    """Of our accepted requests for one server, each begins after the one before it is over.

    The record of a migration whose source's nova-compute ended meanwhile tells nothing of the
    time: it is over when that nova-compute says so, which may be never.
    """
    for server in {a.server for a in records.actions}:
        moves = records.moves_of(server)
        for first, second in itertools.pairwise(moves):
            record = records.record_of(first)
            if record is None or record.created > second.at:
                continue  # it found no host, and left no record
            if _compute_ended(records, record.source, first.at, second.at):
                continue
            if not record.is_over or record.updated > second.at + 0.5:
                yield Violation(
                    "one_at_a_time",
                    f"{second.action} {second.request_id} was accepted while migration"
                    f" {record.id} of ours was under way ({record.status})",
                    server,
                    record.source,
                    second.at,
                )


def _compute_ended(records: Records, host: str, begin: float, end: float) -> bool:
    kinds = ("kill_compute", "stop_compute", "freeze_compute")
    return any(n.kind in kinds and n.host == host and begin <= n.at <= end for n in records.notes)


def from_drained_hosts_alone(records: Records) -> Iterator[Violation]:
    """Every migration of ours leaves a host that is drained at that time, or comes back to one
    that was."""
    rows = {(r.drain, r.server): r for r in records.rows}
    for action in records.actions:
        if action.user != records.user or action.action not in MOVES:
            continue
        record = records.record_of(action)
        if record is None:
            continue
        if not any(
            _explains(records, rows.get((drain.id, action.server)), drain.direction, record.source)
            and _was_open(records, drain.id, action.at)
            for drain in records.drains.values()
            if drain.direction == "back" or drain.host == record.source
        ):
            yield Violation(
                "from_drained_hosts_alone",
                f"{action.action} {action.request_id} took it from {record.source}, which no run"
                " of ours was about at that time",
                action.server,
                record.source,
                action.at,
            )


def _explains(records: Records, row: Row | None, direction: str, source: str) -> bool:
    return row is not None and (direction == "away" or row.source == source)


def _was_open(records: Records, drain: int, at: float) -> bool:
    end = records.ended_at(drain)
    return end is None or at <= end


def asked_once(records: Records) -> Iterator[Violation]:
    """No request to move a server is sent more often than we recorded the intent to."""
    sent: dict[str, int] = {}
    for entry in records.writes:
        if entry.action in ("os-migrateLive", "migrate"):
            sent[entry.server] = sent.get(entry.server, 0) + 1
    for server, number in sent.items():
        meant = sum(r.attempts for r in records.rows if r.server == server)
        if number > meant:
            yield Violation(
                "asked_once",
                f"{number} requests to move it were sent, {meant} were meant",
                server,
            )


def every_guest_runs_once(records: Records) -> Iterator[Violation]:
    """Whatever the databases say, the hypervisors have each guest that nobody deleted, once."""
    unconfirmed = {
        m.server for m in records.migrations if m.type == "migration" and m.status == "finished"
    }
    for server in records.servers.values():
        where = records.guests.get(server.id, [])
        if server.deleted_at is not None or server.vm_state == "building":
            continue
        if not server.host and not where:
            continue  # no host took it
        if not where:
            text = "its guest is on no hypervisor any more: it was destroyed"
            yield Violation("every_guest_runs_once", text, server.id, server.host)
        elif len(where) > 1 and server.id not in unconfirmed:
            text = f"its guest is on {', '.join(sorted(where))}"
            yield Violation("every_guest_runs_once", text, server.id, server.host)


def where_recorded(records: Records) -> Iterator[Violation]:
    """Every server is where our record says, unless somebody else moved it since."""
    for server in records.servers.values():
        rows = [r for r in records.rows if r.server == server.id]
        arrived = [m for m in records.migrations_of(server.id) if _arrived(m, server)]
        if not rows or server.deleted_at is not None:
            continue
        if not arrived:
            # it never left where it was first
            wrong = [r for r in rows if server.host != r.source and r.state not in ELSEWHERE]
            text = f"Nova has it on {server.host}, and no migration of it ever arrived"
        elif arrived[-1].user != records.user:
            continue
        else:
            newest = arrived[-1]
            mine = [r for r in rows if r.nova_id == newest.id]
            wrong = [r for r in mine if not _says(r, newest.dest)]
            text = f"migration {newest.id} of ours brought it to {newest.dest}"
            if not mine:
                # A row knows its newest attempt alone, and a later one may have failed.
                later = [r for r in rows if (r.nova_id or 0) > newest.id]
                wrong = [] if later else rows[-1:]
            if server.host != newest.dest:
                yield Violation(
                    "where_recorded",
                    f"{server.name}: {text}, and Nova has it on {server.host}",
                    server.id,
                    server.host,
                )
        for row in wrong:
            yield Violation(
                "where_recorded",
                f"{row.name}: {text}; drain {row.drain} says {row.state}, {row.source} ->"
                f" {row.dest or '?'}: {row.message or 'no message'}",
                server.id,
                server.host,
            )


def _arrived(record: Migration, server: NovaServer) -> bool:
    """Whether a migration brought the server to its destination: in ERROR it may have, too, and
    Nova's record of it tells no more than `error`."""
    in_error = server.vm_state == "error" and record.status == "error"
    return record.status in ARRIVED or (in_error and record.dest == server.host)


#: What a row says of a server that is somewhere else than it was.
ELSEWHERE = frozenset({MigrationState.GONE, MigrationState.UNKNOWN})


def _says(row: Row, host: str) -> bool:
    """Whether a row says that the server is on a host, or that this cannot be told."""
    if row.state == MigrationState.UNKNOWN:
        return bool(row.message)
    if row.state == MigrationState.FAILED:  # "It arrived on X in ERROR."
        return host in re.findall(r"[\w.-]*\w", row.message)
    return row.dest == host and row.state == MigrationState.SUCCEEDED


def ended(records: Records) -> Iterator[Violation]:
    """When the faults have stopped everything comes to its end."""
    for drain in records.drains.values():
        if records.ended_at(drain.id) is None:
            yield Violation(
                "ended",
                f"drain {drain.id} is still {drain.state}: {drain.message or 'no message'}",
                host=drain.host,
            )
    for row in records.rows:
        drain = records.drains[row.drain]
        if row.state in MIGRATION_OPEN and records.ended_at(drain.id) is not None:
            yield Violation(
                "ended",
                f"drain {drain.id} is {drain.state}, and {row.name} in it is {row.state}",
                row.server,
                row.source,
            )
    for problem in records.problems:
        yield Violation("ended", f"a worker still reports: {problem}")


def ends_are_true(records: Records) -> Iterator[Violation]:
    """Succeeded: the host was empty then. Failed: what is left is named. Cancelled: somebody
    asked for it."""
    cancelled = {n.text for n in records.notes if n.kind == "cancel"}
    for drain in records.drains.values():
        end = records.ended_at(drain.id)
        if end is None:
            continue
        rows = [r for r in records.rows if r.drain == drain.id]
        if drain.state == DrainState.SUCCEEDED and drain.direction == "away":
            around = _samples_around(records, drain.host, end)
            there = frozenset.intersection(*(s.servers | s.outbound for s in around))
            if around and there:
                names = ", ".join(_name(records, server) for server in sorted(there))
                text = f"drain {drain.id} succeeded while {names} was on {drain.host}"
                yield Violation("ends_are_true", text, min(there), drain.host, end)
        unclear = [r for r in rows if r.state in (MigrationState.FAILED, MigrationState.UNKNOWN)]
        for row in unclear:
            harmed = row.state == MigrationState.UNKNOWN or "in ERROR" in row.message
            if drain.state == DrainState.SUCCEEDED and harmed:
                text = f"drain {drain.id} succeeded, and {row.name} in it is {row.state}"
                yield Violation("ends_are_true", text, row.server, drain.host, end)
        for row in unclear:
            if not row.message:
                text = f"{row.name} in drain {drain.id} is {row.state}, without a word on why"
                yield Violation("ends_are_true", text, row.server, drain.host, end)
        if drain.state == DrainState.FAILED and not drain.message:
            text = f"drain {drain.id} failed, without a word on why"
            yield Violation("ends_are_true", text, host=drain.host, at=end)
        # a run back ends with the return that it belongs to
        alone = drain.direction == "away" and str(drain.id) not in cancelled
        if drain.state == DrainState.CANCELLED and alone:
            text = f"drain {drain.id} was cancelled by nobody"
            yield Violation("ends_are_true", text, host=drain.host, at=end)


def _samples_around(records: Records, host: str, at: float) -> list[Sample]:
    """The look before a moment, those until it, and the next one."""
    mine = [s for s in records.samples if s.host == host]
    before = [s for s in mine if s.at < at][-1:]
    return before + [s for s in mine if s.at >= at][:1]


def _name(records: Records, server: str) -> str:
    found = records.servers.get(server)
    return found.name if found else server


def certificates(records: Records, certificate_seconds: float) -> Iterator[Violation]:
    """A host that we call safe to power off holds nothing, and nothing can come to it.

    What is tolerated is the time that the docs name between a change and the withdrawal:
    a certificate stands on a verification that is no older than `certificate_seconds`. So what
    was on the host all that long, and is there still, makes it untrue.
    """
    tolerated = certificate_seconds + SAMPLE_SECONDS
    for host in {s.host for s in records.samples}:
        since: float | None = None
        told = False
        for sample in (s for s in records.samples if s.host == host):
            holds = sample.servers or sample.inbound or sample.enabled
            since = (since or sample.at) if holds else None
            told = told and bool(holds)
            if sample.safe and since is not None and sample.at - since > tolerated and not told:
                told = True
                what = (
                    ", ".join(_name(records, one) for one in sample.servers | sample.inbound)
                    or "an enabled service"
                )
                yield Violation(
                    "certificates",
                    f"{host} was called safe to power off with {what}, for"
                    f" {sample.at - since:.0f} s by then",
                    host=host,
                    at=sample.at,
                )


def workers_live(records: Records) -> Iterator[Violation]:
    """No worker ends by itself, and none meets a bug."""
    for note in records.notes:
        if note.kind == "worker_died":
            yield Violation("workers_live", note.text, at=note.at)
    # a stamped line, and the traceback that follows it
    tracebacks = [
        bug
        for log in records.logs
        for bug in re.findall(r"ERROR bug .*(?:\n(?!\d{4}-\d\d-\d\dT).*)*", log)
    ]
    bugs = [(re.findall(r"(?m)^ *[\w.]+(?:Error|Exception)\b.*", b) or [b])[-1] for b in tracebacks]
    for bug, number in Counter(bugs).items():
        yield Violation("workers_live", f"a bug, {number} times: {bug[:300]}")

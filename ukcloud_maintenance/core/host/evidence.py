"""A server is in ERROR on the host that it was to leave: does its guest run there, unharmed?

On Nova 33 and 34 an abort that was taken ends so: the migration is `cancelled` and the server
ACTIVE, and one or two seconds later the migration is `error` and the server ERROR, while the guest
runs on at the source. Resetting the server to active is then all that it needs. But a server
looks just the same whose guest went to the destination while Nova's database says source, and to
reset or start that one can start a second copy of the guest on the same disks. What tells them
apart is the hypervisor of the source alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..facts import Diagnostics, Migration, Server, Service
from ..message import Message, message
from .certificate import Check, failures
from .orphans import from_to

SERVER_IN_ERROR = "server_in_error"
AT_SOURCE = "at_source"
SERVICE_UP = "service_up"
ABORTED = "aborted"
MIGRATION_OVER = "migration_over"
NOTHING_NEWER = "nothing_newer"
GUEST_RUNS = "guest_runs"
#: Every check, in the order in which they are shown.
CODES = (
    SERVER_IN_ERROR,
    AT_SOURCE,
    SERVICE_UP,
    ABORTED,
    MIGRATION_OVER,
    NOTHING_NEWER,
    GUEST_RUNS,
)
#: Nova's statuses of a record that an abort leaves behind; `completed` would mean that the guest
#: went, `failed` that there was another cause.
ENDED_BY_ABORT = frozenset({"cancelled", "error"})
#: Seconds for which what was read is what is.
FRESH_SECONDS = 30.0


@dataclass(frozen=True)
class ErrorSight:
    """What was read of a server in ERROR, the diagnostics last.

    :param server: None where it does not exist
    :param source: service.host of the host that it was to leave
    :param record: the migration that it failed in, as it is now
    :param aborted_by_us: Nova took our abort of exactly this migration
    :param was_cancelled: the record was seen as `cancelled` before
    :param newer_migrations: of this server; older ones among them are no matter
    :param diagnostics: what the hypervisor says of the guest; None where that was refused or
        could not be read
    :param diagnostics_error: … and then why, where that is known
    :param service: the compute service of the source
    :param read_at: when the diagnostics were requested
    :param initial_status: of the server before it was migrated
    """

    server: Server | None
    source: str
    record: Migration | None
    aborted_by_us: bool
    was_cancelled: bool
    newer_migrations: Sequence[Migration]
    diagnostics: Diagnostics | None
    diagnostics_error: Message | None
    service: Service | None
    read_at: datetime
    initial_status: str = "ACTIVE"


@dataclass(frozen=True)
class Evidence:
    """
    :param complete: all checks have passed: the guest runs at the source, and to reset the
        server to active corrects Nova's database and nothing else
    :param meaning: what was found
    :param by_hand: what to look at on the hosts, one step each, where it is not complete
    :param read_at: what it was then
    """

    checks: tuple[Check, ...]
    complete: bool
    meaning: Message
    by_hand: tuple[Message, ...]
    read_at: datetime

    @property
    def why_not(self) -> Message:
        """Why it is not complete: what the checks found that have not passed."""
        return failures(self.checks) or self.meaning


def weigh(sight: ErrorSight, now: datetime) -> Evidence:
    """Whether the guest is known to run at the source, and what to do where it is not."""
    checks = (
        _server_in_error(sight),
        _at_source(sight),
        _service_up(sight),
        _aborted(sight),
        _migration_over(sight),
        _nothing_newer(sight),
        _guest_runs(sight, now),
    )
    complete = all(check.passed for check in checks)
    meaning, by_hand = _meaning(sight, complete)
    return Evidence(checks, complete, meaning, by_hand, sight.read_at)


def _server_in_error(sight: ErrorSight) -> Check:
    server = sight.server
    if server is None:
        return Check(SERVER_IN_ERROR, False, message("instance_gone"))
    if server.status != "ERROR":
        status = server.status or message("of_no_status")
        return Check(SERVER_IN_ERROR, False, message("instance_not_in_error", status=status))
    if server.task_state is not None:
        busy = message("instance_has_task", task=server.task_state)
        return Check(SERVER_IN_ERROR, False, busy)
    return Check(SERVER_IN_ERROR, True, message("instance_in_error"))


def _at_source(sight: ErrorSight) -> Check:
    host = sight.server.host if sight.server else ""
    if sight.source and host == sight.source:
        return Check(AT_SOURCE, True, message("at_source", host=host))
    where = host or message("host_of_none")
    return Check(AT_SOURCE, False, message("not_at_source", host=where, source=sight.source))


def _service_up(sight: ErrorSight) -> Check:
    service = sight.service
    if service is None or service.host != sight.source:
        return Check(SERVICE_UP, False, message("no_service_of_host", host=sight.source))
    if not (service.is_known and service.is_up):
        return Check(SERVICE_UP, False, message("service_of_host_not_up", host=sight.source))
    return Check(SERVICE_UP, True, message("service_of_host_up", host=sight.source))


def _aborted(sight: ErrorSight) -> Check:
    if sight.aborted_by_us:
        return Check(ABORTED, True, message("abort_taken"))
    if sight.was_cancelled or (sight.record and sight.record.status == "cancelled"):
        return Check(ABORTED, True, message("cancelled_before_error"))
    return Check(ABORTED, False, message("error_of_other_cause"))


def _migration_over(sight: ErrorSight) -> Check:
    record = sight.record
    if record is None:
        return Check(MIGRATION_OVER, False, message("migration_not_known"))
    if not sight.server or record.server_id != sight.server.id:
        return Check(MIGRATION_OVER, False, message("migration_of_other", record=record.id))
    if record.migration_type != "live-migration" or record.source_compute != sight.source:
        other = message(
            "migration_not_live",
            record=record.id,
            source=sight.source,
            type=record.migration_type,
            host=record.source_compute or message("nowhere"),
        )
        return Check(MIGRATION_OVER, False, other)
    values = {"record": record.id, "status": record.status}
    if record.status in ENDED_BY_ABORT:
        return Check(MIGRATION_OVER, True, message("migration_is_over", **values))
    if record.is_over:
        return Check(MIGRATION_OVER, False, message("migration_ended_otherwise", **values))
    return Check(MIGRATION_OVER, False, message("migration_is_not_over", **values))


def _nothing_newer(sight: ErrorSight) -> Check:
    if sight.record is None:
        return Check(NOTHING_NEWER, False, message("newer_not_known"))
    newer = [m for m in sight.newer_migrations if m.id > sight.record.id]
    if not newer:
        return Check(NOTHING_NEWER, True, message("not_migrated_since"))
    details = tuple(from_to(record) for record in newer[:10])
    return Check(NOTHING_NEWER, False, message("migrated_since"), details)


def _guest_runs(sight: ErrorSight, now: datetime) -> Check:
    found = sight.diagnostics
    if found is None:
        words = (sight.diagnostics_error,) if sight.diagnostics_error else ()
        return Check(GUEST_RUNS, False, message("guest_not_told", host=sight.source), words)
    age = (now - sight.read_at).total_seconds()
    if abs(age) > FRESH_SECONDS:
        old = message("guest_told_too_long_ago", host=sight.source, seconds=round(abs(age)))
        return Check(GUEST_RUNS, False, old)
    values = {"host": sight.source, "state": found.state}
    if found.state == "running" or (found.state == "paused" == sight.initial_status.lower()):
        if found.driver:
            said = message("guest_state_by_driver", driver=found.driver, **values)
            return Check(GUEST_RUNS, True, said)
        return Check(GUEST_RUNS, True, message("guest_state", **values))
    return Check(GUEST_RUNS, False, message("guest_state", **values))


def _meaning(sight: ErrorSight, complete: bool) -> tuple[Message, tuple[Message, ...]]:
    """What it means, and what to look at by hand."""
    if sight.server is None:
        return message("nothing_to_reset_gone"), ()
    if sight.server.status != "ERROR":
        return message("nothing_to_reset"), ()
    if complete:
        return message("error_without_harm", host=sight.source), ()
    dest = sight.record.dest_compute if sight.record else ""
    meaning = message(
        "guest_may_be_elsewhere", source=sight.source, dest=dest or message("another_host")
    )
    return meaning, _by_hand(sight, sight.server, dest)


def _by_hand(sight: ErrorSight, server: Server, dest: str) -> tuple[Message, ...]:
    source, there = sight.source, dest or message("every_destination")
    paused = (message("by_hand_paused"),) if sight.initial_status == "PAUSED" else ()
    return (
        message("by_hand_leave_it"),
        *paused,
        message("by_hand_where", source=source, there=there, server_id=server.id),
        message("by_hand_state", server_id=server.id),
        message("by_hand_disk"),
        message("by_hand_at_source", source=source, server_id=server.id),
        message("by_hand_there", source=source, there=there, server_id=server.id),
        message("by_hand_nowhere", source=source, there=there),
    )

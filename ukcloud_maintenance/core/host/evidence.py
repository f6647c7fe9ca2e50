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
from .certificate import Check

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

    :param server: None where it does not exist (any more)
    :param source: service.host of the host that it was to leave
    :param record: the migration that it failed in, as it is now
    :param aborted_by_us: Nova took our abort of exactly this migration
    :param was_cancelled: the record was seen as `cancelled` before
    :param newer_migrations: of this server; older ones among them are no matter
    :param diagnostics: what the hypervisor says of the guest; None where that was refused or
        could not be read
    :param diagnostics_error: … and then why
    :param service: the compute service of the source
    :param read_at: when the diagnostics were asked for
    :param initial_status: of the server before it was migrated
    """

    server: Server | None
    source: str
    record: Migration | None
    aborted_by_us: bool
    was_cancelled: bool
    newer_migrations: Sequence[Migration]
    diagnostics: Diagnostics | None
    diagnostics_error: str
    service: Service | None
    read_at: datetime
    initial_status: str = "ACTIVE"


@dataclass(frozen=True)
class Evidence:
    """
    :param complete: all checks have passed: the guest runs at the source, and to reset the
        server to active corrects Nova's database and nothing else
    :param meaning: what was found, in a few sentences
    :param by_hand: what to look at on the hosts, one step each, where it is not complete
    :param read_at: what it was then
    """

    checks: tuple[Check, ...]
    complete: bool
    meaning: str
    by_hand: tuple[str, ...]
    read_at: datetime


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
        return Check(SERVER_IN_ERROR, False, "The instance does not exist any more.")
    if server.status != "ERROR":
        return Check(
            SERVER_IN_ERROR, False, f"The instance is {server.status or 'of no status'}, not ERROR."
        )
    if server.task_state is not None:
        return Check(
            SERVER_IN_ERROR, False, f"A task of the instance is under way: {server.task_state}."
        )
    return Check(SERVER_IN_ERROR, True, "The instance is in ERROR, and no task of it is under way.")


def _at_source(sight: ErrorSight) -> Check:
    host = sight.server.host if sight.server else ""
    if sight.source and host == sight.source:
        return Check(AT_SOURCE, True, f"Nova has it on {sight.source}.")
    return Check(AT_SOURCE, False, f"Nova has it on {host or 'no host'}, not on {sight.source}.")


def _service_up(sight: ErrorSight) -> Check:
    service = sight.service
    if service is None or service.host != sight.source:
        return Check(SERVICE_UP, False, f"Nova lists no compute service of host {sight.source}.")
    if not (service.is_known and service.is_up):
        return Check(SERVICE_UP, False, f"The compute service of {sight.source} is not up.")
    return Check(SERVICE_UP, True, f"The compute service of {sight.source} is up.")


def _aborted(sight: ErrorSight) -> Check:
    if sight.aborted_by_us:
        return Check(ABORTED, True, "Nova took the abort of this migration.")
    if sight.was_cancelled or (sight.record and sight.record.status == "cancelled"):
        return Check(ABORTED, True, "The migration was cancelled before the instance was in ERROR.")
    return Check(
        ABORTED,
        False,
        "Nobody is known to have aborted the migration: the ERROR has another cause.",
    )


def _migration_over(sight: ErrorSight) -> Check:
    record = sight.record
    if record is None:
        return Check(MIGRATION_OVER, False, "The migration is not known.")
    if not sight.server or record.server_id != sight.server.id:
        return Check(
            MIGRATION_OVER, False, f"Migration {record.id} is not known to be this instance's."
        )
    if record.migration_type != "live-migration" or record.source_compute != sight.source:
        return Check(
            MIGRATION_OVER,
            False,
            f"Migration {record.id} is no live migration from {sight.source}"
            f" ({record.migration_type} from {record.source_compute or 'nowhere'}).",
        )
    if record.status not in ENDED_BY_ABORT:
        over = "ended otherwise" if record.is_over else "is not over"
        return Check(MIGRATION_OVER, False, f"Migration {record.id} {over}: {record.status}.")
    return Check(MIGRATION_OVER, True, f"Migration {record.id} is over: {record.status}.")


def _nothing_newer(sight: ErrorSight) -> Check:
    if sight.record is None:
        return Check(NOTHING_NEWER, False, "Whether it was migrated since cannot be told.")
    newer = [m for m in sight.newer_migrations if m.id > sight.record.id]
    if not newer:
        return Check(NOTHING_NEWER, True, "It was not migrated since.")
    return Check(
        NOTHING_NEWER,
        False,
        "It was migrated since.",
        tuple(
            f"migration {m.id} ({m.migration_type}, {m.status}) from {m.source_compute or '?'}"
            f" to {m.dest_compute or '?'}"
            for m in newer[:10]
        ),
    )


def _guest_runs(sight: ErrorSight, now: datetime) -> Check:
    found = sight.diagnostics
    if found is None:
        words = (sight.diagnostics_error,) if sight.diagnostics_error else ()
        return Check(
            GUEST_RUNS, False, f"{sight.source} did not say that the guest runs there.", words
        )
    age = (now - sight.read_at).total_seconds()
    if abs(age) > FRESH_SECONDS:
        return Check(
            GUEST_RUNS,
            False,
            f"What {sight.source} said of the guest is {abs(age):.0f} seconds old: ask again.",
        )
    if found.state == "running" or (found.state == "paused" == sight.initial_status.lower()):
        driver = f" ({found.driver})" if found.driver else ""
        return Check(
            GUEST_RUNS,
            True,
            f"The hypervisor of {sight.source}{driver} says that the guest is {found.state}.",
        )
    return Check(
        GUEST_RUNS, False, f"The hypervisor of {sight.source} says that the guest is {found.state}."
    )


def _meaning(sight: ErrorSight, complete: bool) -> tuple[str, tuple[str, ...]]:
    """What it means, and what to look at by hand."""
    source = sight.source
    if sight.server is None:
        return "The instance does not exist any more: there is nothing to reset.", ()
    if sight.server.status != "ERROR":
        return "The instance is not in ERROR (any more): there is nothing to reset.", ()
    if complete:
        return (
            "This is what Nova 33 and 34 leave behind after an abort: they write ERROR a moment"
            f" after the migration was cancelled, while the guest runs on. Asked just now, {source}"
            " says that it runs there. Resetting the instance to active corrects Nova's database,"
            " and does nothing to the guest.",
            (),
        )
    dest = sight.record.dest_compute if sight.record else ""
    meaning = (
        f"It is not known for sure where the guest of this instance runs. Nova has it on {source},"
        f" but the guest may run on {dest or 'another host'}, on both or on neither. Nothing is"
        " offered here, since every repair begins with knowing that."
    )
    return meaning, _by_hand(sight, sight.server, dest)


def _by_hand(sight: ErrorSight, server: Server, dest: str) -> tuple[str, ...]:
    source, there = sight.source, dest or "every host that it was migrated to"
    paused = (
        (
            "It was PAUSED before it was migrated, and Nova tells of guests that run alone:"
            " whether a paused one is there, the hosts themselves must say.",
        )
        if sight.initial_status == "PAUSED"
        else ()
    )
    return (
        "Until this is settled do not start, reboot, rebuild, evacuate or migrate it, and do not"
        " reset its state. If its guest runs elsewhere, each of these would start a second copy of"
        " it, from the same disk or from one that is out of date, or destroy the one that runs.",
        *paused,
        f"On {source} and on {there}: `virsh list --all --uuid --name`. Which of them has the"
        f" domain {server.id}?",
        f"On each that has it: `virsh domstate {server.id}`. On which one does it run? One that is"
        " shut off is what a migration left behind.",
        "Where is its newest disk? A disk in shared storage or a volume is the same from every"
        " host. A local disk (a file in the instances folder) is newest on the host on which the"
        " guest runs, and the file on the other host is from before or during the migration.",
        f"If it runs on {source} and on no other host: `openstack server set --state active"
        f" {server.id}` corrects Nova's database and does nothing to the guest.",
        f"If it runs on {there}: leave it running. Nova's database is wrong about its host, and no"
        f" command of Nova's API corrects that. Never have Nova start it on {source} where it has"
        f" a local disk: that boots the disk from before the migration. Either correct host and"
        " node of the instance in Nova's database, then heal its allocations (`nova-manage"
        f" placement heal_allocations --instance {server.id}`); or, only if all its disks are"
        " shared or volumes, shut it down from within, check that it runs on no host, and start it"
        f" on {source}.",
        f"If it runs on neither: read the logs of nova-compute and libvirt on {source} and on"
        f" {there}, and find out which host has the newest disk, before anything is started.",
    )

"""Changes a drain of many instances, as workers and other admins would: a word a line.

``python -m tests.browser.watched 300`` in Horizon's environment makes one of so many instances,
prints its number, and carries out what it reads: a verb, and the name of an instance.
"""

import json
import sys

import django

django.setup()

from tests.fakes import GIB, server  # noqa: E402
from ukcloud_maintenance import store  # noqa: E402
from ukcloud_maintenance.core.message import message  # noqa: E402
from ukcloud_maintenance.core.preflight.judge import judge  # noqa: E402
from ukcloud_maintenance.core.states import (  # noqa: E402
    DrainResult,
    DrainState,
    MigrationState,
)

ACTOR = "bob"
ENDS = {
    "arrive": MigrationState.SUCCEEDED,
    "fail": MigrationState.FAILED,
}


def make(number: int) -> store.Drain:
    """The first two are migrated, the next hundred have arrived, and the others wait."""
    now = store.now()
    servers = [server(f"vm-{n:03}", host="cmp1", memory_bytes=GIB) for n in range(number)]
    drain = store.create_drain(
        region="RegionOne",
        host="cmp1",
        service_id="s-1",
        reason="new kernel",
        max_concurrent=2,
        destination="",
        planned=[(one, judge(one)) for one in servers],
        project_names={"p1": "customer"},
        now=now,
        actor_id="id-of-bob",
        actor=ACTOR,
    )
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    store.sign_of_life("worker-1", "ctl", 1, now)
    for row in list(store.migrations(drain))[: number // 3 + 2]:
        start(row)
        if row.position >= 2:
            finish(row, MigrationState.SUCCEEDED)
    return store.drain(drain.pk)


def start(row) -> None:
    now = store.now()
    store.change_migration(
        row, now, state=MigrationState.SUBMITTED, attempts=1, submitted_at=now, method="live"
    )
    store.change_migration(
        row,
        now,
        state=MigrationState.MIGRATING,
        nova_migration_id=row.pk,
        nova_status="running",
        running_since=now,
        memory_total_bytes=GIB,
        memory_remaining_bytes=GIB,
        dest_compute="cmp2",
    )


def finish(row, state: MigrationState) -> None:
    why = {MigrationState.FAILED: message("rolled_back")}
    store.change_migration(row, store.now(), state=state, message=why.get(state))


def copy(drain: store.Drain) -> None:
    """Those that are migrated get on a little."""
    for row in store.migrations(drain):
        if row.state == MigrationState.MIGRATING:
            left = row.attempt.memory_remaining_bytes - GIB // 100
            store.change_migration(
                row, store.now(), memory_remaining_bytes=left, fraction=1 - left / GIB
            )


def carry_out(drain: store.Drain, verb: str, name: str) -> None:
    now = store.now()
    store.sign_of_life("worker-1", "ctl", 1, now)
    row = next((r for r in store.migrations(drain) if r.server_name == name), None)
    match verb:
        case "copy":
            copy(drain)
        case "start":
            start(row)
        case "skip":
            store.skip_instance(drain, row, ACTOR, now)
        case "first":
            store.put_first(drain, row, ACTOR, now)
        case "pause":
            store.pause_drain(drain, ACTOR, now)
        case "resume":
            store.resume_drain(drain, ACTOR, now)
        case "cancel":
            store.cancel_drain(drain, ACTOR, now)
        case "end":
            store.finish_drain(
                drain, DrainState.CANCELLED, DrainResult.CANCELLED, message("cancelling"), "w", now
            )
        case _:
            finish(row, ENDS[verb])


def main() -> None:
    drain = make(int(sys.argv[1]))
    ids = {row.server_name: row.pk for row in store.migrations(drain)}
    print(json.dumps({"drain": drain.pk, "rows": ids}), flush=True)
    for line in sys.stdin:
        verb, _, name = line.strip().partition(" ")
        carry_out(store.drain(drain.pk), verb, name)
        print("done", flush=True)


if __name__ == "__main__":
    main()

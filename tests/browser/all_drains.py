"""Writes a drain in every state, a plan and a certificate into the record, as a worker would."""

from datetime import timedelta

from tests.acted import act as act_as_worker
from tests.fakes import server
from ukcloud_maintenance import store
from ukcloud_maintenance.core.actor import Actor
from ukcloud_maintenance.core.host import certificate as c
from ukcloud_maintenance.core.message import lines, message
from ukcloud_maintenance.core.preflight.judge import judge
from ukcloud_maintenance.core.run.states import ActionKind
from ukcloud_maintenance.core.states import (
    DrainResult,
    DrainState,
    MigrationState,
)
from ukcloud_maintenance.models import Drain, InstanceMigration

REGION = "RegionOne"
ACTOR = {"actor_id": "id-of-admin", "actor": "admin"}
ON_THE_WAY = (MigrationState.SUBMITTED, MigrationState.MIGRATING)
#: how an instance is, in the end
ROWS = {
    "waits": {"state": MigrationState.PENDING},
    "blocked": {"state": MigrationState.BLOCKED, "code": "task_state"},
    "copied": {
        "state": MigrationState.MIGRATING,
        "course": "converging",
        "memory_total_bytes": 2**30,
        "memory_remaining_bytes": 2**28,
    },
    "endless": {"state": MigrationState.MIGRATING, "course": "not_converging"},
    "arrived": {"state": MigrationState.SUCCEEDED, "dest_compute": "cmp5"},
    "failed": {"state": MigrationState.FAILED, "code": "no_valid_host"},
    "wrong": {"state": MigrationState.FAILED, "code": "arrived_error", "server_status": "ERROR"},
    "unknown": {"state": MigrationState.UNKNOWN, "code": "error_after_abort"},
    "gone": {"state": MigrationState.GONE},
    "skipped": {"state": MigrationState.SKIPPED},
}

#: names as long as Nova takes them, without a blank at which to break
LONG_HOST = "compute-" + "0123456789abcdef" * 12
LONG_TAIL = "m" * 240


def drain(
    host: str,
    *names: str,
    state: DrainState = DrainState.RUNNING,
    tail: str = "",
    reason: str = "new kernel",
    **more,
) -> Drain:
    tail = f"-{tail or host}"
    servers = [server(name + tail, host=host) for name in names]
    made = store.create_drain(
        region=REGION,
        host=host,
        service_id="s-1",
        reason=reason,
        max_concurrent=2,
        destination="",
        planned=[(one, judge(one)) for one in servers],
        project_names={"p1": "customer"},
        now=store.now(),
        **ACTOR,
        **more,
    )
    if state != DrainState.PENDING:
        store.change_drain(made, store.now(), state=DrainState.RUNNING, started_at=store.now())
    for row in made.migrations.all():
        change(row, ROWS[row.server_name.removesuffix(tail)])
    if state == DrainState.PAUSED:
        store.change_drain(made, store.now(), state=state)
    return made


def change(row: InstanceMigration, fields: dict) -> None:
    state = fields["state"]
    waits = (MigrationState.PENDING, MigrationState.BLOCKED, MigrationState.SKIPPED)
    steps = [state] if state in (*waits, MigrationState.GONE) else [*ON_THE_WAY, state]
    for step in dict.fromkeys(steps):
        more = {k: v for k, v in fields.items() if k != "state"} if step == steps[-1] else {}
        if step == MigrationState.MIGRATING:
            more |= {"nova_migration_id": row.pk, "nova_status": "running"}
        if step != row.state or more:
            store.change_migration(row, store.now(), state=step, **more)


def end(made: Drain, state: DrainState, result: DrainResult) -> Drain:
    left = [
        message("instance_left", name=row.server_name, state=row.state, why=message("came_back"))
        for row in made.migrations.filter(state=MigrationState.FAILED)
    ]
    said = lines(message("left_host", done=1, total=2), *left) if left else ""
    store.finish_drain(made, state, result, said, "worker", store.now())
    return made


def safe(made: Drain) -> Drain:
    """The drain succeeded, and its host is safe to power off."""
    found = store.join_maintenance(
        made, found_status="enabled", found_reason="", service_id="s-1", now=store.now()
    )
    store.intend_to_disable(found, "new kernel")
    store.disabled(found, store.now())
    end(made, DrainState.SUCCEEDED, DrainResult.EMPTY)
    found.refresh_from_db()
    holds = {
        c.SERVICE_DISABLED: message("service_is_disabled"),
        c.SERVICE_UP: message("service_is_up"),
        c.NO_SERVERS: message("no_servers"),
    }
    checks = [c.Check(code, True, words) for code, words in holds.items()]
    store.verified(
        found,
        checks=c.as_json(checks),
        safe=True,
        why=None,
        looked_at=store.now(),
        actor="worker",
        now=store.now(),
    )
    return made


def run() -> int:
    """A run with a host in every stage that a page tells more of: somebody's, failed, acted on by a
    command, done, and waiting for a window."""
    stages = {
        "run-yours": ("draining", "ready", "acting"),
        f"run-failed-{LONG_HOST}": ("draining", "failed"),
        "run-acted-on": ("draining", "ready", "acting"),
        "run-done": ("draining", "ready", "acting", "settling", "returning", "done"),
        "run-waiting": (),
    }
    actor = Actor("id-of-admin", "admin", may=lambda rule: True)
    made = store.create_run(
        hosts=[store.NewHost(host, ("az1",), 12, 900) for host in stages],
        actor=actor,
        said=message("run_requested", reason="r" * 255, count=len(stages)),
        now=store.now() - timedelta(hours=1),
        region=REGION,
        reason="r" * 255,
        action="reboot",
        at_once=3,
        windows=["daily 00:00-24:00 UTC"],
        approval="each",
        max_concurrent=2,
        message=message("run_waits_for_approval", host="run-waiting"),
    )
    for row in store.run_hosts(made):
        at = store.now() - timedelta(minutes=30)
        for stage in stages[row.host]:
            told = message("run_of_host", host=row.host, said=message(f"run_stage_{stage}"))
            fields = {"started_at": row.started_at or at, "message": None}
            if stage == "failed":
                fields["message"] = message("run_drain_failed", why=message("run_no_reason"))
            if stage == "acting":
                by_hand = row.host == "run-yours"
                action = act_as_worker(
                    made,
                    row,
                    at,
                    name="" if by_hand else "reboot",
                    kind=ActionKind.HAND if by_hand else ActionKind.COMMAND,
                    machine="" if by_hand else "controller",
                    place="",
                    event=("run_host_acting", "worker", told),
                    before={},
                )
                output = "" if by_hand else f"TASK [reboot]\n{'x' * 300}\nok\n" * 20
                store.change_action(made, row, action, at, state="running", output=output)
                row.refresh_from_db()
            else:
                event = (f"run_host_{stage}", "worker", told)
                store.change_host(made, row, at, stage=stage, event=event, **fields)
            at += timedelta(minutes=4)
    return made.pk


def write() -> dict[str, int]:
    """The number of each, by name."""
    found = {
        "running": drain("cmp1", "copied", "arrived", "waits"),
        "needs": drain(
            "cmp2", "unknown", "wrong", "endless", "failed", "blocked", "copied", "skipped"
        ),
        "paused": drain("cmp3", "waits", "arrived", state=DrainState.PAUSED),
        "scheduled": drain(
            "cmp4", "waits", state=DrainState.PENDING, start_at=store.now() + timedelta(days=1)
        ),
        "failed": end(
            drain("cmp5", "failed", "arrived"), DrainState.FAILED, DrainResult.INSTANCES_FAILED
        ),
        "unknown": end(
            drain("cmp11", "unknown", "arrived"), DrainState.FAILED, DrainResult.INSTANCES_FAILED
        ),
        "succeeded": safe(drain("cmp10", "arrived", "gone")),
    }
    found["long"] = drain(
        LONG_HOST,
        *("unknown", "endless", "copied", "failed", "waits", "arrived"),
        tail=LONG_TAIL,
        reason="r" * 255,
    )
    store.change_migration(
        InstanceMigration.objects.get(drain=found["long"], state=MigrationState.SUCCEEDED),
        store.now(),
        dest_compute=f"new-{LONG_HOST}",
    )
    plan = store.create_plan(
        region=REGION, reason="firmware", hosts_at_once=1, now=store.now(), **ACTOR
    )
    drain("cmp5", "copied", "blocked", plan=plan, plan_order=0)
    drain("cmp12", "waits", state=DrainState.PENDING, plan=plan, plan_order=1)
    drain(f"old-{LONG_HOST}", "waits", state=DrainState.PENDING, plan=plan, plan_order=2)
    more = {"plan": plan.pk, "run": run()}
    return {name: one.pk for name, one in found.items()} | more

"""Who needs a person, whatever a drain is doing: by the rows, never by what was stored of them."""

from dataclasses import replace

import pytest

from tests.core.build import (
    NOW,
    asked,
    changes,
    drain,
    migrating,
    progress,
    record,
    row,
    seen,
    server,
    service,
)
from tests.core.build import decide as decided
from ukcloud_maintenance.core.codes import ABORTED, HOLDS, OBJECTIONS
from ukcloud_maintenance.core.drain import needs
from ukcloud_maintenance.core.drain.actions import ChangeDrain
from ukcloud_maintenance.core.drain.needs import Need
from ukcloud_maintenance.core.message import message
from ukcloud_maintenance.core.states import (
    DRAIN_TERMINAL,
    DrainState,
    MigrationState,
    RequestState,
)
from ukcloud_maintenance.core.steering import Verb, objection

OPEN = [s for s in DrainState if s not in DRAIN_TERMINAL]
ENDLESS = {"course": "not_converging", "nova_migration_id": 7, "nova_status": "running"}
ROWS = {
    "unknown": row("unknown", state=MigrationState.UNKNOWN),
    "wrong": row("wrong", state=MigrationState.FAILED, code="arrived_error"),
    "stalled": migrating("stalled", **{**ENDLESS, "course": "stalled"}),
    "endless": migrating("endless", **ENDLESS),
    "failed": row("failed", state=MigrationState.FAILED, code="no_valid_host"),
    "aborted": row("aborted", state=MigrationState.FAILED, code=ABORTED),
    "blocked": row("blocked", state=MigrationState.BLOCKED, code="task_state"),
    # none of these
    "fine": migrating("fine", **{**ENDLESS, "course": "converging"}),
    "slow": migrating("slow", **{**ENDLESS, "course": "slow"}),
    "aborting": migrating("aborting", requested=[asked(state=RequestState.OPEN)], **ENDLESS),
    "taken": migrating(
        "taken", requested=[asked(state=RequestState.TAKEN, taken_at=NOW, tries=1)], **ENDLESS
    ),
    "forced": migrating(
        "forced",
        requested=[asked("force_complete", state=RequestState.TAKEN, taken_at=NOW, tries=1)],
        **ENDLESS,
    ),
    "to_be_forced": migrating(
        "to_be_forced", requested=[asked("force_complete", state=RequestState.OPEN)], **ENDLESS
    ),
    "post_copy": migrating("post_copy", **{**ENDLESS, "nova_status": "running (post-copy)"}),
    "copied": migrating("copied", **{**ENDLESS, "nova_status": "post-migrating"}),
    "waits": row("waits"),
    "left": row("left", state=MigrationState.SUCCEEDED),
    "stays": row("stays", state=MigrationState.STAYS),
    "skipped": row("skipped", state=MigrationState.SKIPPED),
}
#: what always needs a person; what does while the drain is open; what can be seen to by a retry
ALWAYS = {"unknown": Need.UNKNOWN, "wrong": Need.ARRIVED_WRONG}
COPYING = {"stalled": Need.STALLED, "endless": Need.NOT_CONVERGING}
FAILED = {"failed": Need.FAILED, "aborted": Need.ABORTED}
BLOCKED = {"blocked": Need.BLOCKED}


def named(state, **more):
    return {r.server_name: need for need, r in needs.in_need(ROWS.values(), state, **more)}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (DrainState.PENDING, ALWAYS | COPYING | FAILED | BLOCKED),
        (DrainState.RUNNING, ALWAYS | COPYING | FAILED | BLOCKED),
        (DrainState.PAUSED, ALWAYS | COPYING | FAILED | BLOCKED),
        (DrainState.CANCELLING, ALWAYS | COPYING),
        (DrainState.SUCCEEDED, ALWAYS | FAILED),
        (DrainState.FAILED, ALWAYS | FAILED),
        (DrainState.CANCELLED, ALWAYS),
    ],
)
def test_who_needs_a_person(state, expected):
    assert named(state) == expected
    assert list(named(state)) == sorted(expected, key=lambda name: list(Need).index(expected[name]))


def test_what_failed_in_a_drain_that_cannot_be_reopened_needs_nobody():
    assert named(DrainState.FAILED, can_retry=False) == ALWAYS


@pytest.mark.parametrize("state", OPEN)
def test_no_verdict_is_told_of_what_is_aborted_or_forced_or_ends_by_itself(state):
    for name in ("aborting", "taken", "forced", "to_be_forced", "post_copy", "copied"):
        assert ROWS[name].attempt.course == "not_converging"
        assert needs.course_of(ROWS[name]) == ""
    assert [needs.is_aborting(ROWS[name]) for name in ("aborting", "taken", "forced")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("kind", ["abort", "force_complete"])
def test_a_stale_verdict_is_not_recorded_any_longer_after(kind):
    mine = migrating(
        "web",
        requested=[asked(kind, state=RequestState.TAKEN, taken_at=NOW, tries=1)],
        seconds_left=2.0,
        pass_bytes=1024,
        **ENDLESS,
    )
    shown = progress(memory_total_bytes=4096, memory_remaining_bytes=512)
    sight = seen(
        server("web", task_state="migrating", status="MIGRATING"),
        records=(record("web"),),
        progress={"web": (shown,)},
    )
    set_ = changes(decided(drain(), [mine], sight), mine)
    assert (set_["course"], set_["seconds_left"], set_["pass_bytes"]) == ("", None, None)


@pytest.mark.parametrize("status", ["post-migrating", "completed"])
def test_what_has_copied_everything_is_not_stalled_however_long_nova_takes(status):
    mine = migrating("web", **{**ENDLESS, "course": "stalled", "nova_status": status})
    assert needs.course_of(mine) == ""
    shown = progress(memory_total_bytes=4096, memory_remaining_bytes=0)
    sight = seen(
        server("web", task_state="migrating", status="MIGRATING"),
        records=(record("web", status=status),),
        progress={"web": (shown,)},
    )
    assert changes(decided(drain(), [mine], sight), mine)["course"] == ""


def test_a_post_copy_that_stands_still_is_told():
    mine = migrating(
        "web", **{**ENDLESS, "course": "stalled", "nova_status": "running (post-copy)"}
    )
    assert needs.need_of(mine, DrainState.RUNNING) is Need.STALLED


def test_whether_only_what_is_stalled_does_not_end():
    def of(*names):
        return needs.in_need([ROWS[name] for name in names], DrainState.RUNNING)

    assert needs.only_stalled(of("stalled", "failed"))
    assert not needs.only_stalled(of("stalled", "endless"))
    assert not needs.only_stalled(of("failed"))


def test_every_need_names_what_helps_and_that_is_offered():
    assert set(needs.VERBS) == set(Need)
    running = drain(state=DrainState.RUNNING)
    for name in (*FAILED, *BLOCKED):
        for verb in needs.VERBS[named(DrainState.RUNNING)[name]]:
            assert objection(verb, ROWS[name], running) is None


@pytest.mark.parametrize("code", sorted(OBJECTIONS))
def test_what_is_blocked_because_its_guest_is_in_doubt_is_not_retried(code):
    one = replace(ROWS["blocked"], code=code)
    assert objection(Verb.RETRY, one, drain(state=DrainState.RUNNING)) is not None


@pytest.mark.parametrize(
    "more", [{}, {"direction": "back", "destination": "cmp1", "maintenance": None}]
)
def test_what_a_drain_waited_for_is_no_longer_said_once_it_runs(more):
    waits = drain(state=DrainState.PENDING, message=message("waits_for_service"), **more)
    started = [a for a in decided(waits, [row("web")], seen(server("web"))) if kind_of(a)]
    assert started[0].fields["state"] == DrainState.RUNNING
    assert started[0].fields["message"] is None


@pytest.mark.parametrize("code", sorted(HOLDS | {"waits_for_service"}))
def test_what_it_waited_for_goes_from_one_that_runs_already(code):
    """As it was recorded before that was so: instances come back while it still says it waits."""
    values = {"hosts": ["cmp2"], "host": "cmp2", "count": 1}
    runs = drain(
        state=DrainState.RUNNING,
        direction="back",
        destination="cmp1",
        maintenance=None,
        message=message(code, **values),
    )
    up = service(status="enabled", disabled_reason="")
    actions = decided(runs, [row("web")], seen(server("web", host="cmp2"), service=up))
    changed = [a.fields for a in actions if isinstance(a, ChangeDrain)]
    assert {"message": None} in changed


def kind_of(action):
    return getattr(action, "kind", "") == "drain_started"

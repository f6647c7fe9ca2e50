"""Where an instance is sent, and what follows when Nova does not accept that host."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.core.build import (
    LIMITS,
    NOW,
    ago,
    altered,
    changes,
    decide,
    drain,
    kinds,
    migrating,
    placing,
    record,
    row,
    seen,
    server,
    service,
    submits,
)
from tests.examples import some
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.codes import HOST_REFUSED
from ukcloud_maintenance.core.drain.answers import Answer, submit_failed, submitted, with_reason
from ukcloud_maintenance.core.drain.beginning import new_attempt, stepped_back
from ukcloud_maintenance.core.facts import Aggregate, ServerGroup
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.preflight.verdicts import PlacementContext
from ukcloud_maintenance.core.states import (
    MIGRATION_IN_PROGRESS,
    MIGRATION_TERMINAL,
    Direction,
    DrainState,
    Method,
    MigrationState,
)
from ukcloud_maintenance.messages import english

EVEN = drain(follow_estimate=True)
ROOM = placing(cmp2=9000, cmp3=8000, cmp4=7000)


def sent(actions) -> list[str | None]:
    return [a.host for a in actions if isinstance(a, d.Submit)]


def wanted(rows, sight, view=EVEN) -> list[str]:
    return d.places_wanted(view, rows, sight, LIMITS, NOW)


# -- which host ------------------------------------------------------------------------------


def test_the_emptiest_host_is_asked_for():
    assert sent(decide(EVEN, [row()], seen(server(), placing=ROOM))) == ["cmp2"]


def test_twelve_equal_ones_are_spread_over_four_equal_hosts_as_placement_learns_of_each():
    waiting = [row(f"s{n:02}", id=n, position=n) for n in range(12)]
    free = dict.fromkeys(("cmp2", "cmp3", "cmp4", "cmp5"), 30000)
    asked = []
    while waiting:
        sight = seen(*(server(r.server_id) for r in waiting), placing=placing(**free))
        (submit,) = [a for a in decide(EVEN, waiting, sight) if isinstance(a, d.Submit)]
        asked.append(submit.host)
        free[submit.host] -= 1024
        waiting = [r for r in waiting if r.id != submit.row_id]
    assert {host: asked.count(host) for host in free} == dict.fromkeys(free, 3)


def test_a_small_one_that_goes_first_leaves_the_large_one_its_room():
    small, large = row("small"), row("large", position=1)
    sight = seen(
        server("small"),
        server("large", memory_bytes=8 * 1024**3),
        placing=placing(cmp2=8192, cmp3=2048),
    )
    assert sent(decide(EVEN, [small, large], sight)) == ["cmp3"]


def test_one_that_goes_to_a_named_host_is_counted_in_there():
    named = row("a", destination="cmp2", position=1)
    sight = seen(server("a"), server("b"), placing=placing(cmp2=9000, cmp3=8500))
    assert sent(decide(EVEN, [named, row("b")], sight)) == ["cmp3"]


def test_a_host_that_an_admin_named_goes_before():
    view = replace(EVEN, destination="cmp9")
    assert sent(decide(view, [row()], seen(server(), placing=ROOM))) == ["cmp9"]
    assert sent(decide(EVEN, [row(destination="cmp9")], seen(server(), placing=ROOM))) == ["cmp9"]
    assert not wanted([row()], seen(server()), view)
    assert not wanted([row(destination="cmp9")], seen(server()))


def test_where_it_is_left_to_the_scheduler_no_host_is_asked_for():
    assert sent(decide(drain(), [row()], seen(server(), placing=ROOM))) == [None]
    assert not wanted([row()], seen(server()), drain())


@pytest.mark.parametrize(
    "specs", [{"capabilities:x": "1"}, {"hw:numa_nodes": "2"}, {"resources1:VGPU": "1"}]
)
def test_one_whose_demands_are_not_all_seen_is_left_to_the_scheduler(specs):
    sight = seen(server(extra_specs=specs))
    assert not wanted([row()], sight)
    assert sent(decide(EVEN, [row()], sight)) == [None]


def test_where_nothing_is_known_of_the_hosts_the_scheduler_chooses():
    assert sent(decide(EVEN, [row()], seen(server(), placing=PlacementContext()))) == [None]


def test_one_for_which_there_is_no_place_is_left_to_the_scheduler():
    assert sent(decide(EVEN, [row()], seen(server(), placing=placing(cmp2=512)))) == [None]


def test_none_starts_before_its_place_was_looked_for():
    sight = seen(server())
    assert wanted([row()], sight) == ["web"]
    assert sent(decide(EVEN, [row()], sight)) == []


@pytest.mark.parametrize(
    ("view", "rows", "more"),
    [
        (replace(EVEN, state=DrainState.PAUSED, started_at=NOW), [row()], {}),
        (replace(EVEN, state=DrainState.CANCELLING), [row()], {}),
        (replace(EVEN, stop_at=ago(1)), [row()], {}),
        (EVEN, [row(not_before=ago(-9))], {}),
        (EVEN, [row(fall_back=True)], {}),
        (EVEN, [row()], {"admission": d.Admission(room=0)}),
        (EVEN, [row(), migrating("b"), migrating("c")], {}),
    ],
)
def test_nothing_is_looked_for_where_none_would_start(view, rows, more):
    assert not wanted(rows, seen(*(server(r.server_id) for r in rows), **more), view)


def test_a_run_back_goes_back():
    view = drain(direction=Direction.BACK, destination="cmp1", maintenance=None)
    view = replace(view, follow_estimate=True)
    one = row(source_compute="cmp2")
    sight = seen(server(host="cmp2"), service=service(status="enabled"), placing=ROOM)
    assert sent(decide(view, [one], sight)) == ["cmp1"]


def test_a_full_destination_is_waited_for_and_the_next_one_goes_elsewhere():
    admission = d.Admission(inbound={"cmp2": 4}, per_destination=4)
    one, other = row("a"), row("b", position=1)
    large = server("a", memory_bytes=2 * 1024**3)
    sight = seen(large, server("b"), placing=placing(cmp2=9000, cmp3=8500), admission=admission)
    actions = decide(EVEN, [one, other], sight)
    assert (submits(actions), sent(actions)) == ([other.id], ["cmp3"])
    alone = decide(EVEN, [one], replace(sight, servers={"a": large}))
    assert sent(alone) == []
    said = [a.fields["message"].code for a in alone if isinstance(a, d.ChangeDrain)]
    assert said == ["destinations_full"]


@pytest.mark.parametrize("grouped", [False, True])
def test_one_whose_groups_were_not_looked_at_goes_if_it_is_in_none(grouped):
    """The first in turn were looked at; those wait for room at their places, and hold up none."""
    group = ServerGroup("g1", "g", "anti-affinity", ("b", "old") if grouped else ("old",))
    sight = seen(
        server("a", memory_bytes=2 * 1024**3),
        server("b"),
        placing=replace(placing(cmp2=9000, cmp3=8500), groups=(group,)),
        placing_of=frozenset({"a"}),
        admission=d.Admission(inbound={"cmp2": 4}, per_destination=4),
    )
    assert sent(decide(EVEN, [row("a"), row("b", position=1)], sight)) == [*["cmp3"][grouped:]]


def test_the_first_in_turn_are_looked_at_and_no_more_than_a_pass_may_submit():
    rows = [row(f"s{n}", id=n, position=n) for n in range(9)]
    sight = seen(*(server(r.server_id) for r in rows))
    assert wanted(rows, sight) == [r.server_id for r in rows[:5]]


def test_members_of_a_group_go_apart():
    group = ServerGroup("g1", "g", "anti-affinity", ("a", "old"))
    around = replace(ROOM, groups=(group,), whereabouts={"a": "cmp1", "old": "cmp2"})
    sight = seen(server("a"), placing=around)
    assert sent(decide(EVEN, [row("a", group="g1")], sight)) == ["cmp3"]


def test_after_a_failure_at_a_host_another_one_is_asked_for():
    again = row(attempts=1, dest_compute="cmp2")
    assert sent(decide(EVEN, [again], seen(server(), placing=ROOM))) == ["cmp3"]
    retried = replace(again, extra_attempts=1)
    assert sent(decide(EVEN, [retried], seen(server(), placing=ROOM))) == ["cmp2"]


# -- Nova does not accept it -----------------------------------------------------------------


REFUSED = Answer(text("x"), "Compute host cmp2 could not be found.", "req-2", 400, refuses=True)


def sent_to(host: str | None, **more) -> d.Row:
    one = row(**more)
    return altered(one, **new_attempt(one, Method.LIVE, "ACTIVE", host, [], [], NOW))


def refused(
    one: d.Row, answer: Answer = REFUSED, limits=LIMITS, *, retry: bool = True, named: str = ""
):
    return submit_failed(one, answer, limits, NOW, patience_seconds=600, retry=retry, named=named)


def in_progress(one: d.Row) -> d.Row:
    fields = submitted(one.attempt.asked_host, "req-ours").fields
    return altered(one, **fields)


NO_HOST = seen(server(), records=(record(status="error", dest_compute=""),), placing=ROOM)


def test_a_host_that_is_refused_leaves_it_to_the_scheduler_at_once():
    found = refused(sent_to("cmp2"))
    assert found.kind == "host_refused"
    assert found.is_recorded
    one = altered(sent_to("cmp2"), **found.fields)
    assert (one.state, one.code, one.not_before) == (MigrationState.PENDING, HOST_REFUSED, None)
    assert "did not accept cmp2" in english(one.message)
    assert "could not be found" in english(one.message)
    sight = seen(server(), placing=ROOM)
    assert not wanted([one], sight)
    assert sent(decide(EVEN, [one], sight)) == [None]
    again = altered(one, **new_attempt(one, Method.LIVE, "ACTIVE", None, [], [], NOW))
    assert again.message == one.message  # told while it lasts
    assert again.dest_compute == again.attempt.asked_host == ""
    # what was said of it since is not taken for the reason
    late = altered(again, **stepped_back(again, text("Others were faster."), 1, NOW).fields)
    later = altered(late, **new_attempt(late, Method.LIVE, "ACTIVE", None, [], [], NOW))
    assert later.message is None


def test_so_does_no_valid_host_in_the_record_which_is_about_that_host_alone():
    one = in_progress(sent_to("cmp2"))
    actions = decide(EVEN, [one], NO_HOST)
    assert kinds(actions) == ["host_refused"]
    [change] = [a for a in actions if isinstance(a, d.ChangeRow) and a.kind]
    assert change.ask_why
    told = with_reason(one, change, "No valid host was found.")
    assert english(told.message).startswith("Nova did not accept cmp2 as its destination")
    assert "No valid host was found" in english(told.message)
    assert told.fields["state"] == MigrationState.PENDING
    # nothing that was refused is under way, and the scheduler has it in the same pass
    assert sent(actions) in ([], [None])
    assert sent(decide(EVEN, [altered(one, **changes(actions, one))], NO_HOST)) == [None]


@pytest.mark.parametrize(
    ("view", "more"),
    [
        (replace(EVEN, destination="cmp2"), {}),
        (EVEN, {"destination": "cmp2"}),
        (EVEN, {"fall_back": True}),
        (replace(EVEN, state=DrainState.CANCELLING), {}),
    ],
)
def test_what_is_refused_is_a_failed_attempt(view, more):
    """By whom it was named, or with what was ours to choose already refused, or cancelled."""
    one = in_progress(sent_to("cmp2", **more))
    assert kinds(decide(view, [one], NO_HOST))[0] in ("attempt_failed", "failed")
    named = one.destination or view.destination
    retry = view.state != DrainState.CANCELLING
    found = refused(sent_to("cmp2", **more), named=named, retry=retry)
    assert found.kind in ("attempt_failed", "failed")
    assert found.fields["fall_back"] is False


def test_no_valid_host_for_the_scheduler_is_a_failed_attempt():
    one = in_progress(sent_to(None))
    assert kinds(decide(EVEN, [one], NO_HOST)) == ["attempt_failed"]
    assert refused(sent_to(None)).kind == "attempt_failed"


@pytest.mark.parametrize("status", [401, 403, 409])
def test_a_refusal_that_is_not_about_the_host_is_a_failed_attempt(status):
    assert refused(sent_to("cmp2"), replace(REFUSED, status=status)).kind == "attempt_failed"


@pytest.mark.parametrize("status", ["failed", "error", "cancelled"])
def test_a_failure_with_a_destination_is_no_refusal(status):
    """The guest may have gone there: what is known of it decides, as ever."""
    one = in_progress(sent_to("cmp2"))
    sight = seen(server(), records=(record(status=status),), placing=ROOM)
    found = changes(decide(EVEN, [one], sight), one)
    assert found.get("code") != HOST_REFUSED
    assert not found.get("fall_back")


def test_a_fall_back_is_tried_before_those_that_were_tried_as_often():
    fallen = row("a", attempts=2, extra_attempts=1, fall_back=True, position=2)
    others = [row("b", attempts=1, position=1), row("c", attempts=2, position=0)]
    assert [r.server_id for r in sorted([fallen, *others], key=d.turn)] == ["b", "a", "c"]


def test_one_that_arrived_elsewhere_than_it_was_asked_to_has_arrived():
    fallen = in_progress(sent_to(None, fall_back=True, attempts=1, extra_attempts=1))
    gone = server(host="cmp7")
    sight = seen(
        records=(record(status="completed", dest_compute="cmp7"),), elsewhere={"web": gone}
    )
    found = changes(decide(EVEN, [fallen], sight), fallen)
    assert (found["state"], found["dest_compute"]) == (MigrationState.SUCCEEDED, "cmp7")


# -- whatever happens ------------------------------------------------------------------------

NO, NO_ATTEMPT = ("refused", "no_host"), ("put_off", "stepped_back")
HAPPENS = [*NO, *NO_ATTEMPT, "rolled_back", "lost", "blocked"]


def happens(what: str, one: d.Row, limits: d.Limits) -> d.Row:
    """The row after its attempt went this way."""
    host = one.attempt.asked_host
    if what == "refused":
        return altered(one, **refused(one, REFUSED, limits).fields)
    if what == "put_off":
        busy = Answer(text("x"), "busy", status=503, retry_after=1, not_begun=True)
        return altered(one, **refused(one, busy, limits).fields)
    if what == "stepped_back":
        return altered(one, **stepped_back(one, text("x"), 1, NOW).fields)
    if what == "lost":
        one = altered(one, **refused(one, Answer(text("x"), "lost"), limits).fields)
        one = altered(one, submitted_at=ago(999))
        sight = seen(server(), actions={"web": []}, placing=ROOM)
    else:
        one = in_progress(one)
        status, dest = ("failed", host or "cmp9") if what == "rolled_back" else ("error", "")
        sight = seen(server(), records=(record(status=status, dest_compute=dest),), placing=ROOM)
    return altered(one, **changes(decide(EVEN, [one], sight, limits), one))


@given(st.lists(st.tuples(st.sampled_from(HAPPENS), st.booleans()), max_size=14), st.integers(1, 3))
@hypothesis_settings(max_examples=some(300), deadline=None)
def test_whatever_happens_at_most_one_more_is_asked_for_each_attempt_and_never_two(course, most):
    """Between two attempts it may be blocked and free again, and the drain be changed to the other
    choice: neither begins its count anew."""
    limits = replace(LIMITS, max_attempts=most)
    one, asked = row(), []
    for what, even in [*course, *[("no_host", True)] * 10]:
        if one.state in MIGRATION_TERMINAL:
            break
        if what == "blocked":
            one = altered(one, state=MigrationState.BLOCKED, code="no_room", message=None)
            free = decide(EVEN, [one], seen(server(), around=ROOM), limits)
            one = altered(one, **changes(free, one))
            what = "no_host"
        one = altered(one, not_before=None)
        view, sight = replace(EVEN, follow_estimate=even), seen(server(), placing=ROOM)
        actions = decide(view, [one], sight, limits)
        assert one.state == MigrationState.PENDING
        [submit] = [a for a in actions if isinstance(a, d.Submit)]
        begun = new_attempt(one, Method.LIVE, "ACTIVE", submit.host, [], [], NOW)
        one = altered(one, **begun)
        assert one.attempt.asked_host == (submit.host or "")
        assert one.state in MIGRATION_IN_PROGRESS
        assert not submits(decide(view, [one], sight, limits))
        if what not in NO_ATTEMPT:
            asked.append((submit.host, what))
        one = happens(what, one, limits)
    assert one.state == MigrationState.FAILED
    free = [n for n, (host, what) in enumerate(asked) if host and what in NO]
    assert all(asked[n + 1][0] is None for n in free)
    assert len(asked) - len(free) == most


def test_the_estimate_of_before_counts_for_nothing_where_there_is_no_room_by_now():
    """It has no place of its own, and the scheduler could choose a host that takes no more: Nova
    is not asked for what it is known to refuse."""
    one = row(planned_host="cmp4")
    admission = d.Admission(inbound={"cmp2": 4}, per_destination=4)

    def goes(around, **more) -> list[str | None]:
        asks = server(memory_bytes=2 * 1024**3)
        return sent(decide(EVEN, [one], seen(asks, admission=admission, **around, **more)))

    assert goes({"placing": PlacementContext()}) == ["cmp4"]  # nothing is known
    assert goes({"placing": placing(cmp2=512, cmp3=512)}) == []  # it was disabled
    assert goes({"placing": placing(cmp2=512, cmp4=1024)}) == []  # and this one filled
    ring = ServerGroup("g", "ring", "anti-affinity", ("web", "old"))
    kept_apart = replace(placing(cmp4=9000), groups=(ring,), whereabouts={"old": "cmp4"})
    assert goes({"placing": kept_apart}) == []  # where a member of its group is
    numa = {"extra_specs": {"hw:numa_nodes": "2"}, "memory_bytes": 2 * 1024**3}
    for free, host in ((1024, []), (4096, ["cmp4"])):  # a place is not worked out for this one
        sight = seen(server(**numa), around=placing(cmp4=free), admission=admission)
        waits = row(planned_host="cmp4", state=MigrationState.PENDING)
        assert sent(decide(EVEN, [waits], sight)) == host


def test_the_hosts_that_a_run_is_done_with_take_no_place_that_is_another_s_only_one():
    large, small = row("large"), row("small", position=1)
    small_one = server("small", memory_bytes=1024**3, pinned_zone="az1")
    around = placing(cmp2=9000, cmp3=4500)
    zones = {"cmp2": "az2", "cmp3": "az1"}
    made = tuple(Aggregate(zone, zone, (host,)) for host, zone in zones.items())
    around = replace(around, receivers=zones, aggregates=made)
    sight = seen(
        server("large", memory_bytes=4 * 1024**3),
        small_one,
        placing=around,
        preferred=frozenset({"cmp3"}),
    )
    assert sent(decide(EVEN, [large, small], sight)) == ["cmp2"]
    alone = seen(server("large", memory_bytes=4 * 1024**3), placing=around)
    alone = replace(alone, preferred=frozenset({"cmp3"}))
    assert sent(decide(EVEN, [large], alone)) == ["cmp3"]


def test_the_hosts_that_a_run_is_done_with_go_before_emptier_ones_as_far_as_they_have_room():
    def goes(**free: int) -> list[str | None]:
        sight = seen(server(), placing=placing(**free), preferred=frozenset({"cmp3"}))
        return sent(decide(EVEN, [row()], sight))

    assert goes(cmp2=9000, cmp3=1500) == ["cmp3"]
    assert goes(cmp2=9000, cmp3=500) == ["cmp2"]

"""Is a host empty? One answer, and everybody's: the certificate's and the end of a drain's."""

from dataclasses import replace

import pytest

from tests.core.build import (
    ago,
    changes,
    decide,
    drain,
    finish,
    placing,
    record,
    row,
    seen,
    server,
    service,
)
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.drain.alarm import alarm
from ukcloud_maintenance.core.facts import NOVA_STATUS_OVER, Hypervisor
from ukcloud_maintenance.core.host.certificate import HostObservation, certify
from ukcloud_maintenance.core.host.emptiness import HostContents, Obstacle, look
from ukcloud_maintenance.core.states import (
    DrainResult,
    DrainState,
    Method,
    MigrationState,
)
from ukcloud_maintenance.messages import english

UNFINISHED = [
    *("accepted", "queued", "preparing", "running", "running (post-copy)", "post-migrating"),
    *("pre-migrating", "migrating", "finished", "confirming", "reverting", ""),
]
EMPTY = HostContents("cmp1", service(), service(), (), (), {})
DONE = row("done", state=MigrationState.SUCCEEDED)


def incoming(status="running", **more):
    return record("other", status, **{"source_compute": "cmp9", "dest_compute": "cmp1", **more})


def outgoing(status="running", **more):
    return record("other", status, **more)


HOSTS = [
    EMPTY,
    replace(EMPTY, servers=(server(),)),
    replace(EMPTY, servers=(server(status="SOFT_DELETED"),)),
    replace(EMPTY, before=None),
    replace(EMPTY, after=None),
    replace(EMPTY, before=service(host="cmp10")),
    replace(EMPTY, before=service(status="UNKNOWN", id="")),
    replace(EMPTY, after=service(status="UNKNOWN", id="")),
    replace(EMPTY, before=service(state="down")),
    replace(EMPTY, after=service(forced_down=True)),
    *(
        replace(EMPTY, migrations=(one(status),), servers_of_migrations=servers)
        for one in (incoming, outgoing)
        for status in [*UNFINISHED, *sorted(NOVA_STATUS_OVER)]
        for servers in ({"other": server("other", host="cmp9")}, {"other": None}, {})
    ),
    replace(EMPTY, migrations=(incoming(server_id=""),)),
]


@pytest.mark.parametrize("contents", HOSTS)
def test_drain_and_certificate_say_the_same_of_every_host(contents):
    """Whatever was read: a drain succeeds where each check of the certificate that is about
    emptiness holds, and nowhere else."""
    sight = HostObservation(
        **vars(contents), hypervisors=[Hypervisor("n", "n", "cmp1")], allocations=[]
    )
    certified = all(check.passed for check in certify(sight))
    observed = d.Observation(
        service=service(), servers={s.id: s for s in contents.servers}, contents=contents
    )
    rows = [DONE, *(row(s.id, state=MigrationState.FAILED) for s in contents.servers)]
    end = finish(decide(drain(proving_since=ago(9)), rows, observed))
    succeeds = end is not None and end.state == DrainState.SUCCEEDED
    assert (succeeds, look(contents).is_empty) == (certified, certified)


@pytest.mark.parametrize("status", UNFINISHED)
@pytest.mark.parametrize("one", [incoming, outgoing])
def test_what_is_not_over_either_way_is_waited_for_and_then_named(one, status):
    busy = seen(records=(one(status),), everything=True, of_records={"other": server("other")})
    first = decide(drain(), [DONE], busy)
    assert finish(first) is None
    assert first[0].fields["proving_since"]
    assert finish(decide(drain(proving_since=ago(299)), [DONE], busy)) is None
    end = finish(decide(drain(proving_since=ago(301)), [DONE], busy))
    assert (end.state, end.result) == (DrainState.FAILED, DrainResult.NOT_PROVED)
    assert "migration 7" in english(end.message)


def test_what_arrives_meanwhile_joins():
    arrived = seen(server("other"), everything=True)
    [action] = decide(drain(proving_since=ago(9)), [DONE], arrived)
    assert isinstance(action, d.Join)


def test_what_stays_by_choice_does_not_hide_what_is_on_its_way():
    stays = row("off", state=MigrationState.STAYS)
    busy = seen(server("off", status="SUSPENDED"), records=(incoming(),), everything=True)
    assert finish(decide(drain(), [stays], busy)) is None
    end = finish(decide(drain(proving_since=ago(301)), [stays], busy))
    assert (end.state, end.result) == (DrainState.FAILED, DrainResult.NOT_PROVED)


@pytest.mark.parametrize("state", [MigrationState.FAILED, MigrationState.UNKNOWN])
def test_the_record_of_what_is_known_to_be_here_is_not_waited_for(state):
    here = row("other", state=state)
    busy = seen(server("other"), records=(outgoing("queued"),), everything=True)
    end = finish(decide(drain(), [here], busy))
    assert end.result == DrainResult.INSTANCES_FAILED


def test_nothing_ends_on_lists_that_this_pass_did_not_read():
    assert finish(decide(drain(proving_since=ago(9)), [DONE], seen())) is None
    assert finish(decide(drain(), [row(state=MigrationState.FAILED)], seen(server()))) is None


def test_what_was_read_while_the_cell_did_not_answer_is_not_looked_at():
    read = replace(EMPTY, after=service(status="UNKNOWN", id=""), servers=(server(),))
    assert [found.code for found in look(read).obstacles] == [Obstacle.CELL]


# -- what needs a look -----------------------------------------------------------------------

TROUBLE = [
    row("bad", state=MigrationState.UNKNOWN, code="record_gone"),
    row("bad", state=MigrationState.FAILED, code="arrived_error", server_status="ERROR"),
    row("bad", state=MigrationState.FAILED, code="arrived_other", server_status="SHUTOFF"),
    row("bad", state=MigrationState.FAILED, code=d.UNCONFIRMED, server_status="VERIFY_RESIZE"),
]


@pytest.mark.parametrize("bad", TROUBLE)
def test_no_drain_ends_well_with_an_instance_that_needs_a_look(bad):
    end = finish(decide(drain(proving_since=ago(9)), [DONE, bad], seen(everything=True)))
    assert (end.state, end.result) == (DrainState.FAILED, DrainResult.INSTANCES_FAILED)
    assert english(end.message).startswith(english(alarm([bad])))
    assert "bad" in english(alarm([bad]))
    assert "The host is empty." in english(end.message)
    stays = row("off", state=MigrationState.STAYS)
    left = seen(server("off", status="SUSPENDED"), everything=True)
    end = finish(decide(drain(), [stays, bad], left))
    assert end.result == DrainResult.INSTANCES_FAILED, "not `finished, 1 stays by choice`"


@pytest.mark.parametrize("bad", TROUBLE)
def test_what_needs_a_look_is_said_first_however_it_ends(bad):
    cancelled = finish(decide(drain(state=DrainState.CANCELLING), [bad], seen()))
    assert cancelled.state == DrainState.CANCELLED
    down = seen(service=service(state="down"))
    lost = finish(decide(drain(host_down_since=ago(1000)), [bad], down))
    assert lost.result == DrainResult.HOST_LOST
    for end in (cancelled, lost):
        assert english(end.message).startswith(english(alarm([bad])))


def test_what_arrived_unwell_has_left_the_host():
    end = finish(decide(drain(proving_since=ago(9)), [DONE, TROUBLE[1]], seen(everything=True)))
    assert "2 of 2 left the host." in english(end.message)


@pytest.mark.parametrize(
    "moved",
    [
        row("web", state=MigrationState.PENDING),
        row("web", state=MigrationState.BLOCKED, code="task_under_way"),
        row("web", state=MigrationState.FAILED),
    ],
)
def test_what_somebody_else_moved_and_broke_needs_a_look_too(moved):
    there = seen(elsewhere={"web": server(host="cmp4", status="ERROR", fault_message="Boom.")})
    changed = changes(decide(drain(), [moved], there), moved)
    assert changed.get("state", moved.state) == MigrationState.FAILED
    assert changed["code"] == "arrived_error"
    assert "by somebody else" in english(changed["message"])
    assert "cmp4 in ERROR. Boom." in english(changed["message"])


def test_one_that_was_in_error_before_is_gone_when_somebody_moves_it():
    before = row("web", state=MigrationState.BLOCKED, initial_status="ERROR")
    there = seen(elsewhere={"web": server(host="cmp4", status="ERROR")})
    assert changes(decide(drain(), [before], there), before)["state"] == MigrationState.GONE


# -- the estimate does not send to what is drained -------------------------------------------


@pytest.mark.parametrize("avoid", [frozenset(), frozenset({"cmp5"})])
def test_no_instance_is_sent_to_a_host_that_is_drained_by_now(avoid):
    sight = seen(server(), admission=d.Admission(avoid=avoid), placing=placing(cmp5=9000))
    actions = decide(drain(follow_estimate=True), [row(method=Method.LIVE)], sight)
    [submit] = [a for a in actions if isinstance(a, d.Submit)]
    assert submit.host == (None if avoid else "cmp5")

"""A destination that has files of an instance from before is not chosen again at once."""

from dataclasses import replace

import pytest

from tests.core.build import (
    GIB,
    LIMITS,
    ago,
    changes,
    decide,
    drain,
    finish,
    placing,
    row,
    seen,
    server,
    service,
)
from ukcloud_maintenance.core import drain as d
from ukcloud_maintenance.core.drain.causes import LEFTOVERS, cause_of
from ukcloud_maintenance.core.facts import ServerGroup
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import Direction, MigrationState
from ukcloud_maintenance.messages import english

#: nova.exception.DestinationDiskExists, as an instance action's event tells it
NOVAS_WORDS = (
    "The supplied disk path (/var/lib/nova/instances/5e8a) already exists, it is expected not to"
    " exist."
)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (NOVAS_WORDS, LEFTOVERS),
        (f"Nova: Remote error: DestinationDiskExists {NOVAS_WORDS}", LEFTOVERS),
        (
            "operation failed: domain 'instance-0000000a' already exists with uuid 5e8a",
            LEFTOVERS,
        ),
        (
            "Requested operation is not valid: domain 'instance-0000000a' is already active",
            LEFTOVERS,
        ),
        ("Key pair 'web' already exists.", ""),
        ("No valid host was found. There are not enough hosts available.", ""),
        ("", ""),
    ],
)
def test_novas_words_are_read_into_a_cause(words, cause):
    assert cause_of(words) == cause


def waiting(**more):
    given = {"attempts": 1, "dest_compute": "cmp2", "unfit_hosts": {"cmp2": LEFTOVERS}}
    return row(**{**given, **more})


def sent(actions):
    return [a.host for a in actions if isinstance(a, d.Submit)]


def test_the_next_attempt_names_the_host_of_the_estimate():
    one = waiting(planned_host="cmp3")
    assert sent(decide(drain(), [one], seen(server()))) == ["cmp3"]


def test_the_place_that_is_chosen_is_another_one():
    one = waiting(planned_host="cmp2", attempts=0)
    sight = seen(server(), placing=placing(cmp2=9000, cmp3=8000))
    assert sent(decide(drain(follow_estimate=True), [one], sight)) == ["cmp3"]


def test_where_the_estimate_knows_no_other_one_it_is_looked_for():
    one = waiting()
    assert d.wants_a_look([one], None, ago(0))
    assert sent(decide(drain(), [one], seen(server()))) == []  # until that pass
    sight = seen(server(), around=placing(cmp2=9000, cmp3=4000, cmp4=8000))
    assert sent(decide(drain(), [one], sight)) == ["cmp4"]  # the one with the most memory


def test_where_there_is_no_other_host_it_says_so_and_does_not_try_again():
    one = waiting()
    actions = decide(drain(), [one], seen(server(), around=placing(cmp2=9000, cmp3=512)))
    found = changes(actions, one)
    assert sent(actions) == []
    assert (found["state"], found["code"]) == (MigrationState.FAILED, LEFTOVERS)
    assert "still on cmp2" in english(found["message"])
    assert "retry it to another host" in english(found["message"])


def test_nor_does_it_try_one_where_its_group_is_not_allowed():
    one = waiting()
    ring = ServerGroup("g", "ring", "affinity", ("web", "old"))
    around = replace(
        placing(cmp2=9000, cmp3=9000),
        groups=(ring,),
        whereabouts={"web": "cmp1", "old": "cmp9"},
    )
    actions = decide(drain(), [one], seen(server(), around=around))
    assert sent(actions) == []
    assert changes(actions, one)["code"] == LEFTOVERS


def test_one_that_went_to_a_named_host_fails_at_once():
    one = waiting()
    found = changes(decide(drain(destination="cmp2"), [one], seen(server())), one)
    assert (found["state"], found["code"]) == (MigrationState.FAILED, LEFTOVERS)
    named = waiting(destination="cmp3")
    assert sent(decide(drain(destination="cmp2"), [named], seen(server()))) == ["cmp3"]


def test_so_does_one_that_was_to_come_back():
    one = waiting(source_compute="cmp2", dest_compute="cmp1", unfit_hosts={"cmp1": LEFTOVERS})
    view = drain(direction=Direction.BACK, destination="cmp1", maintenance=None)
    sight = seen(server(host="cmp2"), service=service(status="enabled"))
    actions = decide(view, [one], sight)
    assert sent(actions) == []
    assert changes(actions, one)["code"] == LEFTOVERS
    over = replace(one, state=MigrationState.FAILED, **{"message": text("Files of it are left.")})
    assert "Files of it are left." in english(finish(decide(view, [over], sight)).message)


def test_what_nothing_is_left_of_goes_where_the_scheduler_says():
    assert sent(decide(drain(), [row()], seen(server()), LIMITS)) == [None]
    assert server().memory_bytes == GIB

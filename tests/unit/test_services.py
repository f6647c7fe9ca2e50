"""Who may ask: every function of `services` looks at its actor before anything else."""

import inspect

import pytest

from tests.fakes import FakeCloud, server, service
from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import (
    RULE_ABORT,
    RULE_AFFECTED,
    RULE_CANCEL,
    RULE_DRAIN,
    RULE_RESET,
    RULE_RETURN,
    RULE_ROLL,
    RULE_STEER,
    RULE_VIEW,
    Actor,
    shell_actor,
)
from ukcloud_maintenance.core.preflight.verdicts import Kind
from ukcloud_maintenance.core.run.states import HostVerb, RunVerb
from ukcloud_maintenance.core.steering import DrainVerb, Verb
from ukcloud_maintenance.exceptions import NotAllowed
from ukcloud_maintenance.messages import english

A_RUN = services.RunRequest(("cmp1",), services.DrainRequest("", "r"))
#: What each function needs, and arguments beside the actor.
NEEDS = {
    "list_hosts": (RULE_VIEW, ["cloud"]),
    "hosts_now": (RULE_VIEW, ["cloud", []]),
    "host_records": (RULE_VIEW, ["RegionOne"]),
    "worker_status": (RULE_VIEW, []),
    "project_names": (RULE_VIEW, ["cloud"]),
    "host_page": (RULE_VIEW, ["cloud", "cmp1"]),
    "get_drain": (RULE_VIEW, [1]),
    "open_drains": (RULE_VIEW, []),
    "drain_report": (RULE_VIEW, [1]),
    "check_host": (RULE_VIEW, ["cloud", "cmp1"]),
    "check_destination": (RULE_VIEW, ["cloud", ["cmp1"], "cmp2"]),
    "preflight_host": (RULE_DRAIN, ["cloud", "cmp1"]),
    "drain_choices": (RULE_DRAIN, ["RegionOne"]),
    "request_drain": (RULE_DRAIN, ["cloud", services.DrainRequest("cmp1", "r")]),
    "cancel_drain": (RULE_CANCEL, [1]),
    "export_drain": (RULE_VIEW, [1]),
    "clear_record": (RULE_DRAIN, []),
    "pause_drain": (RULE_STEER, [1]),
    "resume_drain": (RULE_STEER, [1]),
    "change_drain": (RULE_STEER, [1, services.DrainChange(max_concurrent=3)]),
    "steer": (RULE_ABORT, [1, Verb.ABORT, [1]]),
    "retry_failed": (RULE_STEER, [1]),
    "evidence": (RULE_VIEW, ["cloud", 1, 1]),
    "host_sets": (RULE_VIEW, ["cloud"]),
    "check_plan": (RULE_VIEW, ["cloud", ["cmp1"]]),
    "request_plan": (
        RULE_DRAIN,
        ["cloud", services.PlanRequest(("cmp1",), services.DrainRequest("", "r"))],
    ),
    "plan_report": (RULE_VIEW, [1]),
    "get_plan": (RULE_VIEW, [1]),
    "steer_plan": (RULE_STEER, [1, DrainVerb.PAUSE]),
    "certificate": (RULE_VIEW, ["RegionOne", "cmp1"]),
    "document_of": (RULE_VIEW, [services.Certificate("cmp1", "RegionOne", None)]),
    "host_maintenance": (RULE_VIEW, ["RegionOne", "cmp1"]),
    "is_listed": (RULE_VIEW, ["cloud", "cmp1"]),
    "check_recorded": (RULE_VIEW, ["RegionOne", "cmp1"]),
    "get_maintenance": (RULE_VIEW, [1]),
    "return_run": (RULE_VIEW, [None]),
    "return_preview": (RULE_RETURN, ["cloud", "cmp1"]),
    "return_host": (RULE_RETURN, ["cloud", services.ReturnRequest("cmp1")]),
    "host_allocations": (RULE_VIEW, ["cloud", "cmp1"]),
    "remove_allocation": (RULE_RESET, ["cloud", "cmp1", "c"]),
    "left_alone": (RULE_VIEW, ["cloud", None]),
    "check_run": (RULE_ROLL, ["cloud", A_RUN]),
    "request_run": (RULE_ROLL, ["cloud", A_RUN]),
    "list_runs": (RULE_VIEW, ["RegionOne"]),
    "get_run": (RULE_VIEW, [1]),
    "run_report": (RULE_VIEW, [1]),
    "run_record": (RULE_VIEW, [None]),
    "run_document": (RULE_VIEW, [None]),
    "run_of_host": (RULE_VIEW, ["RegionOne", "cmp1"]),
    "steer_run": (RULE_ROLL, [1, RunVerb.PAUSE]),
    "steer_host": (RULE_ROLL, [1, "cmp1", HostVerb.DONE]),
    "host_done": (RULE_ROLL, ["RegionOne", "cmp1"]),
    "add_to_run": (RULE_ROLL, ["cloud", 1, ["cmp1"]]),
    "run_choices": (RULE_ROLL, []),
    "run_places": (RULE_VIEW, ["RegionOne"]),
    "run_counts": (RULE_VIEW, [[]]),
    "who_is_told": (RULE_VIEW, []),
    "send_test": (RULE_DRAIN, []),
    "affected": (RULE_AFFECTED, ["cloud", services.AffectedRequest((1,))]),
    "affected_region": (RULE_AFFECTED, [services.AffectedRequest((1,))]),
    "health": (RULE_VIEW, [None]),
}


class Untouchable:
    """Fails when anything is asked of it."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was asked for before the actor was checked")


def call(name, actor):
    # No database either: the test is not marked for it, so that a query would fail.
    arguments = [Untouchable() if a == "cloud" else a for a in NEEDS[name][1]]
    return getattr(services, name)(actor, *arguments)


def test_every_function_that_takes_an_actor_is_in_the_table():
    functions = inspect.getmembers(services, inspect.isfunction)
    public = {n for n, f in functions if f.__module__.startswith(services.__name__) and n[0] != "_"}
    with_actor = {
        n for n in public if "actor" in inspect.signature(getattr(services, n)).parameters
    }
    assert with_actor == set(NEEDS)
    # What remains reads settings, makes a document of what was read, or makes a connection of
    # credentials that the caller has.
    assert public - with_actor == {
        *("connect", "connect_shell", "shell_regions", "check_request", "drain_document"),
        *("affected_text", "affected_problems", "affected_rendered", "affected_file_name"),
        *("default_thresholds", "openings", "progress_document", "is_yours", "newest_try"),
    }


@pytest.mark.parametrize("name", NEEDS)
def test_the_actor_has_no_default_and_comes_first(name):
    first, *_ = inspect.signature(getattr(services, name)).parameters.values()
    assert (first.name, first.default) == ("actor", inspect.Parameter.empty)


@pytest.mark.parametrize("name", NEEDS)
def test_denied_before_anything_is_read(name):
    with pytest.raises(NotAllowed) as caught:
        call(name, Actor("u1", "mallory", may=lambda rule: False))
    assert caught.value.rule == NEEDS[name][0]
    assert "mallory" in english(caught.value.said)


@pytest.mark.parametrize("name", NEEDS)
def test_an_actor_without_a_say_may_nothing(name):
    with pytest.raises(NotAllowed):
        call(name, Actor("u1", "mallory"))


@pytest.mark.parametrize("name", NEEDS)
def test_asked_for_this_rule_and_no_other(name):
    asked = []

    def only_others(rule):
        asked.append(rule)
        return rule != NEEDS[name][0]

    with pytest.raises(NotAllowed):
        call(name, Actor("u1", "mallory", may=only_others))
    assert asked == [NEEDS[name][0]]


@pytest.mark.parametrize("answer", [1, "yes", None, object()], ids=["1", "yes", "None", "object"])
def test_an_answer_that_is_not_true_is_no(answer):
    with pytest.raises(NotAllowed):
        call("list_hosts", Actor("u1", "mallory", may=lambda rule: answer))


def test_a_check_that_breaks_is_no_yes():
    def broken(rule):
        raise RuntimeError("policy engine down")

    with pytest.raises(RuntimeError):
        call("list_hosts", Actor("u1", "mallory", may=broken))


def test_a_shells_user_may_all_and_has_a_name():
    actor = shell_actor()
    assert all(actor.may(rule) for rule in (RULE_VIEW, RULE_DRAIN, RULE_CANCEL))
    assert actor.id.startswith("shell:")
    assert actor.name.endswith("(shell)")


# -- what a plan tells -----------------------------------------------------------------------

ANYBODY = Actor("u1", "admin", may=lambda rule: True)


@pytest.mark.django_db
def test_a_plan_sorts_the_instances_by_what_will_happen():
    cloud = FakeCloud(
        [
            service("cmp1"),
            service("cmp2"),
            service("cmp3", state="down"),
            service("cmp4", status="disabled"),
        ],
        [
            server("a"),
            server("b", status="PAUSED"),
            server("c", status="SHUTOFF"),
            server("d", task_state="rebooting"),
            server("e", status="SUSPENDED"),
            server("elsewhere", host="cmp2"),
        ],
    )
    plan = services.preflight_host(ANYBODY, cloud, "cmp1")
    by_kind = {k: [p.server.name for p in plan.of_kind(k)] for k in Kind}
    assert by_kind == {
        "live": ["a", "b"],
        "cold": ["c"],
        "confirm": [],
        "stays": ["e"],
        "blocked": ["d"],
    }
    assert [s.host for s in plan.destinations] == ["cmp2"]
    assert plan.memory_bytes == 2 * 1024**3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("order", "names"),
    [
        ({}, ["large", "middle", "small"]),
        ({"order": "largest"}, ["large", "middle", "small"]),
        ({"order": "smallest"}, ["small", "middle", "large"]),
    ],
)
def test_the_largest_instance_goes_first_unless_the_admin_wants_the_smallest(order, names):
    cloud = FakeCloud(
        [service("cmp1"), service("cmp2")],
        [
            server("small"),
            server("large", memory_bytes=2**35),
            server("middle", memory_bytes=2**33),
        ],
    )
    asked = services.DrainRequest("cmp1", "r", **order)
    drain = services.request_drain(ANYBODY, cloud, asked)
    rows = drain.migrations.order_by("position")
    assert [row.server_name for row in rows] == names

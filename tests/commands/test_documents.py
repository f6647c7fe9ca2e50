"""Every document for programs is as the reference of JSON says: the commands make each with real
rows, and `helpers.run` compares it, at each level, with the shape that it was made of."""

import functools
import json
from collections.abc import Callable

import pytest
from django.utils import timezone

from tests import readme, reference
from tests.asking import request
from tests.commands import test_drain_host, test_host_commands, test_runs, test_steering
from tests.commands.helpers import PRINTED, begin, finish, move, run, verify
from tests.commands.test_runs import act_on
from tests.fakes import service
from tests.notify.conftest import a_drain, happen
from tests.notify.receivers import receiver
from tests.shapes import Seen, every_shape, printed_as
from ukcloud_maintenance import notify
from ukcloud_maintenance.actions import webhook
from ukcloud_maintenance.core.facts import Capacity, Inventory
from ukcloud_maintenance.core.host import certificate
from ukcloud_maintenance.core.record import export as of_drain
from ukcloud_maintenance.core.run import export as of_run
from ukcloud_maintenance.core.shape import Printed, Shape, keys
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.management.commands import (
    _base,
    _preflights,
    _run_documents,
    _steering,
    drain_export,
    host_allocations,
    host_return,
    maintenance_check,
    maintenance_clear,
    maintenance_notify,
)
from ukcloud_maintenance.models import Drain, Event
from ukcloud_maintenance.notify import letter
from ukcloud_maintenance.services import affected_files, certificates
from ukcloud_maintenance.settings.actions import read_actions

pytestmark = pytest.mark.django_db

racks, a_run = test_runs.racks, test_runs.a_run
drain, plan, in_error = test_steering.drain, test_steering.plan, test_steering.in_error
maintenance, left_behind = test_host_commands.maintenance, test_host_commands.left_behind
known, worker = test_drain_host.known, test_drain_host.worker

MADE: set[Shape] = set()


def makes(*shapes: Shape) -> Callable:
    """A test in which objects of these shapes are made, with each of their keys at least once."""
    MADE.update(shapes)

    def wrapped(test: Callable) -> Callable:
        @functools.wraps(test)
        def made(*args, **more):
            PRINTED.keys.clear()
            test(*args, **more)
            assert {shape: found for shape in shapes if (found := PRINTED.never_made(shape))} == {}

        return made

    return wrapped


def fits(shape: Shape, found: dict) -> None:
    """One that no command prints."""
    assert printed_as([Printed(shape)], json.loads(json.dumps(found)), PRINTED) == []


# -- by commands -------------------------------------------------------------------------------


@makes(_base.ERROR, _base.FAILURE)
def test_an_error(cloud):
    assert run("drain_host", "none", "--reason", "r", "--json").exit_code == 2


@makes(
    *(of_drain.DRAIN, of_drain.COUNTS, of_drain.INSTANCE),
    *(of_drain.FORECAST, of_drain.FORECAST_SECONDS),
)
def test_a_drain(cloud, worker):
    def move_on():
        found = Drain.objects.get()
        begin(found)
        move(found, "web-1", MigrationState.MIGRATING, nova_status="running", nova_migration_id=7)
        request(found.migrations.get(server_name="web-1"), "abort", "ann")
        [one] = run("drain_status", "--json").json
        assert one == run("drain_status", str(found.pk), "--json").json
        test_drain_host._drained(found)

    worker += [move_on, lambda: verify(Drain.objects.get())]
    assert run("drain_host", "cmp1", "--reason", "r", "--wait", "--json").exit_code == 0


@makes(of_drain.FILE, of_drain.EVENT, of_drain.ATTEMPT, of_drain.REQUEST, drain_export.WRITTEN)
def test_the_file_of_a_drain(in_error, tmp_path):
    number = str(in_error.pk)
    assert run("drain_export", number).exit_code == 0
    assert run("drain_export", number, "--output", str(tmp_path / "file"), "--json").exit_code == 0


@makes(
    *(_preflights.PREFLIGHT, _preflights.COUNTS, _preflights.DURATION, _preflights.INSTANCE),
    *(_preflights.SAID, _preflights.CAUTION, _preflights.UNPLACED, _preflights.ESTIMATE),
    _preflights.FILLED,
)
def test_a_preflight(known):
    known.all_services.append(service("spare", status="disabled", disabled_reason="new"))
    known.all_capacity = {
        "cmp10": Capacity({"MEMORY_MB": 4500, "VCPU": 32}, {"VCPU": 4}),
        "spare": Capacity({"MEMORY_MB": 8192, "VCPU": 32}, {}),
    }
    known.all_inventories = {"cmp10": {"MEMORY_MB": Inventory(5012, 512, 1.0)}}
    run("drain_host", "cmp1", "--dry-run", "--json")
    a_drain("cmp1")
    found, _ = run("drain_host", "cmp1", "cmp10", "--dry-run", "--json").json
    assert found["refusal"]["drain_id"]


@makes(_steering.PLAN, _steering.REFUSED_DRAIN)
def test_a_plan(plan):
    first = Drain.objects.get(host="cmp1")
    begin(first)
    finish(first, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")
    run("drain_status", "--plan", str(plan.pk), "--json")
    run("drain_pause", "--plan", str(plan.pk), "--json")


@makes(_steering.STEERED, _steering.STEERED_ONE, _steering.REFUSED_ONE, _steering.EVIDENCE)
def test_what_is_requested_of_instances(in_error):
    arguments = (str(in_error.pk), "web-1", "old-1", "--yes", "--json")
    assert run("drain_instance", "reset", *arguments).exit_code == 1


@makes(certificates.CERTIFICATE, certificates.MAINTENANCE, certificates.DRAIN, certificate.CHECK)
def test_a_certificate(maintenance):
    test_host_commands.verify(maintenance, safe=False)
    run("host_status", "cmp1", "--json")


@makes(host_return.RETURN, host_return.BRING_BACK)
def test_a_return(maintenance):
    run("host_return", "cmp1", "--bring-back", "--json")


@makes(host_allocations.CONSUMER, host_allocations.ALLOCATION, host_allocations.CHECK)
def test_what_a_consumer_holds(left_behind):
    run("host_allocations", "cmp1", "--json")
    run("host_allocations", "cmp1", "--remove", "u7", "--yes", "--json")


@makes(
    *(of_run.RUN, of_run.HOST, of_run.TRY, of_run.FILE, of_run.EVENT),
    *(_run_documents.BRIEF, _run_documents.OUTPUT, _run_documents.WRITTEN),
)
def test_a_run(a_run, tmp_path):
    number = str(a_run.pk)
    act_on(a_run, "cmp1", output="said\n")
    for arguments in (
        *(("status",), ("status", number), ("list",), ("output", number, "cmp1")),
        *(("export", number), ("export", number, "--output", str(tmp_path / "file"))),
        *(("pause", number), ("resume", number), ("skip", number, "cmp2")),
    ):
        outcome = run("maintenance_run", *arguments, "--json")
        assert outcome.exit_code == 0, (arguments, outcome.stderr)
        assert outcome.stdout, arguments


@makes(_run_documents.PREVIEW, _run_documents.PREVIEW_HOST)
def test_a_preview_of_a_run(racks):
    run("maintenance_run", "start", "--hosts", "cmp1", "cmp2", "--dry-run", "--json")
    a_drain("cmp1")
    run("maintenance_run", "start", "--hosts", "cmp1", "--dry-run", "--json")


@makes(affected_files.AFFECTED, affected_files.PROJECT, affected_files.INSTANCE)
def test_who_is_affected(drain):
    assert run("drain_affected", str(drain.pk), "--format", "json").exit_code == 0


@makes(maintenance_clear.CLEARED)
def test_what_is_cleared(cloud):
    run("maintenance_clear", "--json")


@pytest.mark.django_db(transaction=True)
@makes(
    *(maintenance_check.HEALTH, maintenance_check.FINDING, maintenance_check.MEASURE),
    maintenance_check.UNKNOWN,
)
def test_whether_all_is_well():
    assert run("maintenance_check", "--json").exit_code == 2  # there is no worker
    assert run("maintenance_check", "--timeout", "none", "--json").exit_code == 3


@makes(
    *(maintenance_notify.RECEIVERS, maintenance_notify.RECEIVER),
    *(maintenance_notify.TESTS, maintenance_notify.TESTED),
)
def test_the_receivers(cloud, settings):
    with receiver() as hook:
        settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", "WEBHOOKS": [hook.webhook()]}
        run("maintenance_notify", "--json")
        run("maintenance_notify", "--test", "--json")


# -- by workers --------------------------------------------------------------------------------


@makes(letter.NOTICE, letter.DATA)
def test_a_notice():
    happen(a_drain("cmp1"), "safe_to_power_off")
    told = Event.objects.get(kind="safe_to_power_off")
    fits(letter.NOTICE, notify.letter_of(told, "0f4b", "en", "").document)
    now = timezone.now()
    fits(letter.NOTICE, letter.letter_for_test("0f4b", "en", "", now).document)


@makes(webhook.SENT)
def test_the_request_of_an_action():
    hook = {"url": "https://awx.example.com/", "secret": "s3cret-of-both-ends"}
    action = read_actions({"awx": {"webhook": hook}})["awx"]
    values = {"host": "cmp1", "run": "7", "reason": "kernel"}
    fits(webhook.SENT, webhook.body(action, values))


# -- the reference -----------------------------------------------------------------------------


def test_every_shape_is_made_here():
    assert every_shape() == MADE


def test_every_shape_is_in_the_reference():
    assert reference.shown() == every_shape()


def test_every_command_with_json_says_what_it_prints():
    """Also each sub-command."""
    for name in readme.command_names():
        parser = readme.parser_of(name)
        command = reference.command_of(name)
        with_json = "--json" in parser._option_string_actions or readme.verbs_of(parser)
        assert bool(with_json) == bool(getattr(command, "prints", ())), name
        if verbs := readme.verbs_of(parser):
            assert {one.arguments.partition(" ")[0] for one in command.prints} == set(verbs), name
        parsers = [parser, *verbs.values()]
        known = {option for each in parsers for option in each._option_string_actions}
        named = {word for one in getattr(command, "prints", ()) for word in one.arguments.split()}
        assert {word for word in named if word.startswith("-")} <= known, name


def test_the_example_of_a_notice_is_one():
    [example] = readme.code_blocks(readme.DOCS / "notifications.md", "json")
    assert printed_as([Printed(letter.NOTICE)], json.loads(example), Seen()) == []


# -- what is wrong is found --------------------------------------------------------------------

INNER = Shape("Inner", keys("a", "its a"))
OUTER = Shape(
    "Outer",
    keys("id", "its number", said="message"),
    keys("more", "others", each=INNER),
    keys("named", "others", by_name=INNER, maybe=True),
    keys("amounts", "by resource class", free=True, maybe=True),
)
WHOLE = {
    "id": 1,
    "message": "",
    "message_code": None,
    "message_values": {"any": "thing"},
    "more": [{"a": 1}],
}


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (WHOLE, None),
        (WHOLE | {"named": {"x": {"a": 2}}, "amounts": {"VCPU": 1}}, None),
        (WHOLE | {"more": []}, None),
        (WHOLE | {"b": 1}, "Outer: b is not explained"),
        (WHOLE | {"more": [{"a": 1, "b": 2}]}, "Outer.more: b is not explained"),
        (WHOLE | {"more": [{}]}, "Outer.more: a is missing"),
        (WHOLE | {"more": {"a": 1}}, "Outer.more is no object"),
        (WHOLE | {"more": 3}, "Outer.more is no object"),
        (WHOLE | {"named": {"x": {}}}, "Outer.named: a is missing"),
        (WHOLE | {"id": {"a": 1}}, "Outer: what is in id is not explained"),
        ({key: WHOLE[key] for key in ("id", "more")}, "Outer: message is missing"),
    ],
)
def test_what_a_shape_does_not_say_is_found(found, problem):
    wrong = printed_as([Printed(OUTER)], found, Seen())
    assert problem in wrong if problem else wrong == []


def test_a_key_that_is_never_made_is_found():
    seen = Seen()
    assert printed_as([Printed(OUTER)], WHOLE | {"more": []}, seen) == []
    assert seen.never_made(OUTER) == {"more", "named", "amounts"}


def test_a_list_is_none_of_them():
    assert printed_as([Printed(OUTER)], [WHOLE], Seen()) != []
    assert printed_as([Printed(OUTER, many=True)], [WHOLE, WHOLE], Seen()) == []


@pytest.mark.parametrize("values", [WHOLE | {"b": 1}, {"id": 1}])
def test_an_object_with_other_keys_is_not_made(values):
    with pytest.raises(TypeError, match="Outer"):
        OUTER.made(**values)

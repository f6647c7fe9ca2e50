"""The record of before messages had codes: what an upgrade keeps of it, and the way back."""

from datetime import datetime

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.databases import as_default
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.host.certificate import from_json
from ukcloud_maintenance.core.message import holds, message, text
from ukcloud_maintenance.messages import TEMPLATES, english
from ukcloud_maintenance.migrations import _sentences
from ukcloud_maintenance.models import Event

BEFORE, AFTER = "0009_w_said", "0010_messages"
AT = datetime(2026, 11, 1, tzinfo=UTC)
LOOK = (
    "Look on cmp1 and on cmp2 with `virsh list --all --uuid`: which of them has domain s-1, and on"
    " which does it run? Until that is known do not start, stop, reboot, rebuild, evacuate, migrate"
    " or reset it. Where its disks are local, the newest data are on the host on which the guest"
    " runs, and the copy on the other host is out of date."
)
LOST = f"Host cmp1 is down. Where the guest runs cannot be told from here. {LOOK}"
ENDED = (
    "It is not known where web-1 runs. Host cmp1 is down. It did not come back in time. 1 of 3"
    f" left the host.\nweb-1 (unknown): {LOST}\nold (stays): Schläft 🔧"
)
#: The same in today's words.
LOOK_TODAY = (
    "Run `virsh list --all --uuid` on cmp1 and on cmp2: which of them has domain s-1, and on which"
    " does it run? Until this is known, do not start, stop, reboot, rebuild, evacuate, migrate or"
    " reset the instance. If its disks are local, the newest data is on the host where the guest"
    " runs; the copy on the other host is out of date."
)
LOST_TODAY = f"Host cmp1 is down. It is unknown where the guest runs. {LOOK_TODAY}"
ENDED_TODAY = (
    "It is unknown where web-1 runs. Host cmp1 is down. The host did not come back in time. 1 of 3"
    f" left the host.\nweb-1 (unknown): {LOST_TODAY}\nold (stays): Schläft 🔧"
)
TODAY = {
    "attempt_failed": "Nova refused the request: No valid host was found. Not even one.",
    "row": LOST_TODAY,
    "drain": ENDED_TODAY,
}
#: Kind of an event: its text as it was.
EVENTS = {
    "drain_requested": "It is on this host again.",  # an operator's words, whatever they say
    "submitted": "cmp2",
    "copying": "cmp2",
    "retried": "to cmp3",
    "succeeded": "It runs on cmp2.",
    "late": "It takes longer than the 300 s that its memory and disk explain.",
    "attempt_failed": "Nova refused: No valid host was found. Not even one.",
    "drain_changed": "window end 2026-03-01T21:00:00Z, was 2026-03-01T20:00:00Z",
    "skipped": "",
    "something_old": "Words that nobody knows: {name} %(x)s.",
}


@pytest.fixture
def old_record(empty_database):
    """A record in the schema of before, in a database of its own."""
    with as_default(empty_database()):
        yield recorded()


def recorded():
    """An empty database becomes one of before, with a record in it; its models."""
    call_command("migrate", "ukcloud_maintenance", BEFORE, verbosity=0)
    model = models_of(BEFORE)
    host = model["HostMaintenance"].objects.create(
        region="R", host="cmp1", host_key="k", opened_at=AT, message="OpenStack is down.",
        withdrawn_why="What had failed on this host is tried again.", checks=CHECKS,
    )  # fmt: skip
    drain = model["Drain"].objects.create(
        region="R", host="cmp1", host_key="k", reason="r", max_concurrent=1, created_at=AT,
        updated_at=AT, message=ENDED, maintenance=host,
    )  # fmt: skip
    web = model["InstanceMigration"].objects.create(
        drain=drain, server_id="s-1", server_name="web-1", created_at=AT, updated_at=AT,
        message=LOST, answer="Nova refused the abort: not now",
    )  # fmt: skip
    for kind, said in EVENTS.items():
        model["Event"].objects.create(drain=drain, migration=web, at=AT, kind=kind, message=said)
    return model


CHECKS = [
    {
        "code": "no_servers",
        "passed": False,
        "text": "2 instances are on this host.",
        "details": ["web-1 (s-1), ACTIVE", "Words that nobody knows"],
    },
    {"code": "cell_answered", "passed": True, "text": "The cell of this host answered."},
]
MODELS = ("HostMaintenance", "Drain", "InstanceMigration", "Event")


def models_of(migration: str):
    """The models as they were after a migration."""
    targets = [("ukcloud_maintenance", migration)]
    apps = MigrationExecutor(connection).loader.project_state(targets).apps
    return {name: apps.get_model("ukcloud_maintenance", name) for name in MODELS}


def texts(model) -> dict[str, str]:
    found = {event.kind: event.message for event in model["Event"].objects.all()}
    found["drain"] = model["Drain"].objects.get().message
    row = model["InstanceMigration"].objects.get()
    found |= {"row": row.message, "answer": row.answer}
    host = model["HostMaintenance"].objects.get()
    return found | {"host": host.message, "withdrawn": host.withdrawn_why}


def told(checks) -> list[tuple[str, bool, str, list[str]]]:
    return [
        (one.code, one.passed, english(one.found), list(map(english, one.details)))
        for one in checks
    ]


def test_what_was_recorded_is_a_message_now_and_says_the_same(old_record):
    before = texts(old_record)
    call_command("migrate", "ukcloud_maintenance", AFTER, verbosity=0)
    present = models_of(AFTER)
    found = texts(present)
    assert found["drain_requested"] == text(EVENTS["drain_requested"])
    assert found["submitted"] == found["copying"] == message("moves_to", host="cmp2")
    assert found["retried"] == message("moves_to", host="cmp3")
    assert found["succeeded"] == message("runs_on", host="cmp2")
    assert found["late"] == message("late", seconds=300)
    refused = "No valid host was found. Not even one."
    assert found["attempt_failed"] == message("nova_refused", words=refused)
    assert found["skipped"] is None
    assert found["something_old"] == text(EVENTS["something_old"])
    assert found["withdrawn"] == message("tried_again")
    assert found["host"] == text("OpenStack is down.")
    servers, cell = from_json(present["HostMaintenance"].objects.get().checks)
    assert told([servers, cell]) == [
        ("no_servers", False, CHECKS[0]["text"], CHECKS[0]["details"]),
        ("cell_answered", True, CHECKS[1]["text"], []),
    ]
    assert cell.found == message("cell_answered")
    assert found["answer"] == message("abort_refused", words="not now")
    assert holds(found["row"], "look_on_both")
    assert found["drain"].code == "lines"
    assert holds(found["drain"], "host_down", "instance_left")
    assert english(found["drain"]) == ENDED_TODAY
    kinds = ("drain_requested", "succeeded", "attempt_failed", "something_old", "row", "drain")
    assert {kind: english(found[kind]) for kind in kinds} == (
        {kind: before[kind] for kind in kinds} | TODAY
    )
    call_command("migrate", "ukcloud_maintenance", verbosity=0)  # and what comes after it


def test_an_upgrade_that_was_cut_off_can_be_done_once_more(old_record):
    """MariaDB keeps what was changed before it was written down that it was."""
    call_command("migrate", "ukcloud_maintenance", AFTER, verbosity=0)
    once = texts(models_of(AFTER))
    call_command("migrate", "ukcloud_maintenance", BEFORE, fake=True, verbosity=0)
    call_command("migrate", "ukcloud_maintenance", AFTER, verbosity=0)
    assert texts(models_of(AFTER)) == once


def test_the_way_back_gives_the_words_of_before(old_record):
    before = texts(old_record)
    call_command("migrate", "ukcloud_maintenance", AFTER, verbosity=0)
    call_command("migrate", "ukcloud_maintenance", BEFORE, verbosity=0)
    assert texts(old_record) == before
    checks = old_record["HostMaintenance"].objects.get().checks
    assert [{**one, "details": one.get("details", [])} for one in CHECKS] == checks


def test_the_way_back_tells_what_came_since_in_english(old_record):
    call_command("migrate", "ukcloud_maintenance", AFTER, verbosity=0)
    Event.objects.filter(kind="late").update(message=message("from_the_future", host="cmp9"))
    Event.objects.filter(kind="skipped").update(message=message("host_down", host="cmp9"))
    call_command("migrate", "ukcloud_maintenance", BEFORE, verbosity=0)
    found = texts(old_record)
    assert found["late"] == "from_the_future (host: cmp9)"
    assert found["skipped"] == "Host cmp9 is down."


def whole(code: str) -> str:
    said, _plural, remedy = _sentences.TABLE[code]
    return f"{said} {remedy}" if remedy else said


@pytest.mark.parametrize(
    "code",
    [
        code
        for code, (said, _plural, _remedy) in _sentences.TABLE.items()
        if "{" not in said and said[:1].isupper() and said.endswith(".")
    ],
)
def test_a_sentence_of_before_is_recognized(code):
    assert _sentences.to_message(whole(code))["code"] in {
        other for other in _sentences.TABLE if whole(other) == whole(code)
    }


def test_every_code_that_was_recorded_has_a_template():
    assert set(_sentences.TABLE) - set(TEMPLATES) == set()

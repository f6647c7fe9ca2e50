"""The document of a drain, as JSON and as CSV."""

import csv
import io
import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from ukcloud_maintenance import messages
from ukcloud_maintenance.core.attempt import AttemptView, Requests, RequestView
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.drain.counting import Counts
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.record import export

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


ATTEMPT = SimpleNamespace(
    **{**vars(AttemptView(1, nova_migration_id=7)), "message": None, "ended_at": None}
    | {"method": "live", "source_compute": "cmp1", "result": "", "code": ""}
)
ASKED = RequestView("abort", requested_by="ann", requested_at=AT, attempt=1)


def made(host: str = "cmp1", **more) -> dict:
    """The document of a drain of one instance with one event."""
    texts = dict.fromkeys(export.DRAIN.required - {"id", "message"}, "")
    drain = SimpleNamespace(
        pk=7,
        message=None,
        **texts
        | {"region": "RegionOne", "host": host, "max_concurrent": 2, "move_locked": False}
        | {"created_at": AT, "started_at": AT},
    )
    fields = dict.fromkeys(export.INSTANCE.required, "") | {
        "server_id": "s-1",
        "server_name": "web-1",
        "memory_bytes": 2**30,
        "attempts": 0,
        "message": None,
        "created_at": AT,
        "started_at": AT.astimezone(timezone(timedelta(hours=9))),
        "finished_at": AT + timedelta(seconds=61.5),
    }
    row = SimpleNamespace(**fields | more, attempt=ATTEMPT, requests=Requests((ASKED,), 1))
    event = SimpleNamespace(
        pk=1,
        at=AT,
        kind="submitted",
        actor="ann",
        actor_id="id-of-ann",
        migration=row,
        message=None,
        request_id="req-1",
    )
    of_drain = export.drain_document(drain, Counts(), messages.document)
    instances = [export.instance_document(row, [ATTEMPT], messages.document)]
    return export.document(of_drain, instances, [event], AT, messages.document)


def lines(document: dict) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(export.as_csv(document), newline="")))


def test_the_document_names_its_schema_and_says_null_for_what_is_not_known():
    found = json.loads(export.as_json(made()))
    assert (found["schema"], found["schema_version"]) == ("ukcloud_maintenance.drain", 2)
    assert found["drain"]["finished_at"] is None
    assert found["drain"]["destination"] is None
    assert found["drain"]["move_locked"] is False
    assert found["instances"][0]["dest_compute"] is None
    assert found["instances"][0]["attempts"] == 0
    assert found["events"][0] == {
        "id": 1,
        "at": "2026-03-01T12:00:00.123Z",
        "kind": "submitted",
        "actor": "ann",
        "actor_id": "id-of-ann",
        "server_id": "s-1",
        **messages.document("message", None),
        "request_id": "req-1",
    }


def test_an_instance_tells_its_attempts_and_what_was_requested():
    (instance,) = made()["instances"]
    (attempt,) = instance["attempt_list"]
    assert (attempt["number"], attempt["nova_migration_id"], attempt["result"]) == (1, 7, None)
    assert instance["nova_migration_id"] == 7
    (asked,) = instance["request_list"]
    assert (asked["kind"], asked["origin"], asked["requested_by"]) == ("abort", "admin", "ann")
    assert (asked["state"], asked["requested_at"]) == ("open", "2026-03-01T12:00:00.123Z")


def test_times_are_utc_sizes_bytes_and_durations_seconds_in_both():
    document = made()
    (instance,) = document["instances"]
    (line,) = lines(document)
    assert instance["started_at"] == line["started_at"] == "2026-03-01T12:00:00.123Z"
    assert (instance["memory_bytes"], line["memory_bytes"]) == (2**30, str(2**30))
    assert (instance["seconds"], line["seconds"]) == (61.5, "61.5")


def test_the_header_of_the_csv_is_stable():
    head = export.as_csv(made()).split("\r\n", 1)[0]
    assert head == (
        "drain_id,region,host,server_id,server_name,project_id,project_name,flavor_name,vcpus,"
        "memory_bytes,disk_bytes,state,code,method,choice,note,source_compute,dest_compute,"
        "nova_status,nova_migration_id,request_id,attempts,created_at,started_at,finished_at,"
        "seconds,message"
    )


@pytest.mark.parametrize(
    "first", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\t", "\r", "\n"]
)
def test_no_cell_of_the_csv_is_a_formula(first):
    nasty = f'{first}HYPERLINK("http://evil.example")'
    named = dict.fromkeys(("server_name", "project_name", "note", "code"), nasty)
    document = made(host=nasty, message=text(nasty), **named)
    (line,) = lines(document)
    for name in (*named, "host", "message"):
        shown = nasty.replace("\t", "\\t").replace("\r", "\\r")
        assert line[name] == f"'{shown}", name
    assert document["instances"][0]["message"] == nasty  # JSON is run by nobody


def test_text_with_commas_quotes_and_lines_comes_back_whole():
    message = 'No valid host, "really".\nTry again; ünï™'
    (line,) = lines(made(message=text(message)))
    assert line["message"] == message
    assert line["drain_id"] == "7"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("cmp1", "drain-7-cmp1.csv"),
        ("cmp-1.az1.example", "drain-7-cmp-1.az1.example.csv"),
        ('../../etc/"pass\r\nwd', "drain-7-etc_pass_wd.csv"),
        ("ホスト", "drain-7.csv"),
        ("x" * 300, f"drain-7-{'x' * 80}.csv"),
    ],
)
def test_the_file_has_a_clean_name(host, name):
    assert export.file_name(made(host=host), export.CSV) == name

"""`drain_export`: the record of a drain as a file."""

import csv
import io
import json

import pytest

from tests.commands.helpers import begin, move, run
from ukcloud_maintenance import services
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import MigrationState
from ukcloud_maintenance.exceptions import ConfigurationError
from ukcloud_maintenance.models import Drain

pytestmark = pytest.mark.django_db


@pytest.fixture
def drain(cloud):
    assert run("drain_host", "cmp1", "--reason", "kernel update").exit_code == 0
    drain = Drain.objects.get(host="cmp1")
    begin(drain)
    move(drain, "web-1", MigrationState.SUCCEEDED, dest_compute="cmp10", attempts=1)
    return drain


def test_json_is_the_default_and_holds_all_of_it(drain):
    outcome = run("drain_export", str(drain.pk))
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    found = outcome.json
    assert (found["drain"]["id"], found["drain"]["reason"]) == (drain.pk, "kernel update")
    by_name = {one["server_name"]: one for one in found["instances"]}
    assert set(by_name) == {"web-1", "db-1", "old-1"}
    assert by_name["web-1"]["dest_compute"] == "cmp10"
    assert [event["kind"] for event in found["events"]] == ["drain_requested"]


def test_csv_has_one_line_an_instance(drain):
    outcome = run("drain_export", str(drain.pk), "--format", "csv")
    found = list(csv.DictReader(io.StringIO(outcome.stdout, newline="")))
    assert {line["server_name"]: line["state"] for line in found} == {
        "web-1": "succeeded",
        "db-1": "pending",
        "old-1": "stays",
    }


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_file_holds_what_standard_output_would(drain, tmp_path, form):
    file = tmp_path / "drain"
    file.write_text("something old and long" * 9999)
    outcome = run("drain_export", str(drain.pk), "--format", form, "--output", str(file))
    assert outcome.exit_code == 0
    assert f"Drain {drain.pk} with 3 instances was written to {file}." in outcome.stdout
    written = file.read_bytes().decode()
    if form == "json":
        assert json.loads(written)["drain"]["id"] == drain.pk
    else:
        assert written == run("drain_export", str(drain.pk), "--format", "csv").stdout


def test_for_programs_the_file_is_told_as_json(drain, tmp_path):
    file = tmp_path / "drain.csv"
    outcome = run("drain_export", str(drain.pk), "--format=csv", f"--output={file}", "--json")
    assert outcome.json == {
        "drain_id": drain.pk,
        "format": "csv",
        "output": str(file),
        "instances": 3,
        "events": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["999"], 2, "unknown_drain"),
        (["{id}", "--format", "xml"], 2, "bad_arguments"),
        (["{id}", "--output", "/does/not/exist/drain.json"], 2, "cannot_write"),
    ],
)
def test_what_does_not_work_is_said(drain, arguments, exit_code, code):
    told = [argument.format(id=drain.pk) for argument in arguments]
    outcome = run("drain_export", *told, "--json")
    assert outcome.exit_code == exit_code
    assert outcome.json["error"]["code"] == code
    assert run("drain_export", *told).stdout == ""


def test_who_may_not_read_the_credentials_gets_nothing(drain, monkeypatch):
    def unreadable(region):
        raise ConfigurationError(text("clouds.yaml cannot be read"))

    monkeypatch.setattr(services, "connect_shell", unreadable)
    outcome = run("drain_export", str(drain.pk))
    assert (outcome.exit_code, outcome.stdout) == (2, "")

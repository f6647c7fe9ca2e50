"""`drain_host`: what it asks for, what it prints, and how it ends."""

import io
import itertools
import re
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from tests.commands.helpers import (
    begin,
    enter_maintenance,
    finish,
    move,
    run,
    shell_user,
    succeed,
    verify,
)
from tests.fakes import GIB, server, service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.facts import Capacity, Inventory
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.states import DrainResult, DrainState, MigrationState
from ukcloud_maintenance.exceptions import (
    CloudAuthError,
    CloudForbidden,
    CloudUnreachable,
    ConfigurationError,
)
from ukcloud_maintenance.management.commands import _waiting, drain_host
from ukcloud_maintenance.models import Drain

pytestmark = pytest.mark.django_db


def test_asks_for_a_drain(cloud):
    outcome = run("drain_host", "cmp1", "--reason", "kernel update", "--max-concurrent", "4")
    assert outcome.exit_code == 0
    drain = Drain.objects.get()
    assert (drain.host, drain.region) == ("cmp1", "RegionOne")
    assert (drain.reason, drain.max_concurrent) == ("kernel update", 4)
    assert (drain.state, drain.destination) == (DrainState.PENDING, "")
    assert f"Drain {drain.pk} of cmp1 requested: 3 instances, 1 of them stay" in outcome.stdout


def test_records_the_shells_user(cloud, monkeypatch):
    monkeypatch.setenv("LOGNAME", "mallory")
    shell_user(monkeypatch, 1042, "ada")
    run("drain_host", "cmp1", "--reason", "r")
    drain = Drain.objects.get()
    assert drain.requested_by == "ada (shell)"
    assert re.fullmatch(r"shell:\d+", drain.requested_by_id)


def test_one_destination(cloud):
    assert run("drain_host", "cmp1", "--reason", "r", "--destination", "cmp10").exit_code == 0
    assert Drain.objects.get().destination == "cmp10"


def test_json_is_the_drains(cloud):
    outcome = run("drain_host", "cmp1", "cmp10", "--reason", "r", "--json")
    assert outcome.exit_code == 0
    assert [(d["host"], d["state"], len(d["instances"])) for d in outcome.json] == [
        ("cmp1", "pending", 3),
        ("cmp10", "pending", 0),
    ]
    assert "requested:" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "words"),
    [
        (["cmp99", "--reason", "r"], 2, "unknown_host", "cmp99"),
        (["CMP1", "--reason", "r"], 2, "unknown_host", "CMP1"),
        (["cmp", "--reason", "r"], 2, "unknown_host", "match exactly"),
        (["cmp1", "cmp1", "--reason", "r"], 2, "host_twice", "cmp1"),
        (["cmp1", "--reason", "  "], 2, "reason_missing", "reason"),
        (["cmp1", "--reason", "x" * 256], 2, "reason_too_long", "256"),
        (
            ["cmp1", "--reason", "r", "--max-concurrent", "0"],
            2,
            "max_concurrent_out_of_range",
            "from 1 to",
        ),
        (["cmp1", "--reason", "r", "--destination", "cmp1"], 2, "destination_is_source", "drained"),
        (["cmp1", "--reason", "r", "--destination", "x"], 2, "destination_unknown", "'x'"),
        (["cmp1", "--reason", "r", "--destination", "cmp3"], 3, "destination_down", "cmp3"),
        (["cmp3", "--reason", "r"], 3, "host_down", "evacuation"),
    ],
)
def test_refusals_change_nothing(cloud, arguments, exit_code, code, words):
    outcome = run("drain_host", *arguments, "--json")
    assert outcome.exit_code == exit_code
    error = outcome.json["error"]
    assert error["code"] == code
    assert words in error["message"] + error["remedy"]
    assert error["message"] in outcome.stderr
    assert not Drain.objects.exists()


def test_a_host_that_is_being_drained_is_refused_and_the_drain_named(cloud):
    run("drain_host", "cmp1", "--reason", "first")
    first = Drain.objects.get()
    outcome = run("drain_host", "cmp1", "--reason", "second", "--json")
    assert outcome.exit_code == 3
    assert outcome.json["error"]["code"] == "drain_open"
    assert outcome.json["error"]["drain_id"] == first.pk
    assert list(Drain.objects.all()) == [first]


@pytest.mark.parametrize("hosts", [["cmp1", "cmp3"], ["cmp3", "cmp1"], ["cmp10", "cmp1", "cmp3"]])
def test_one_refused_none_submitted(cloud, hosts):
    assert run("drain_host", *hosts, "--reason", "r").exit_code == 3
    assert not Drain.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["cmp1"],
        ["cmp1", "--reason"],
        ["--reason", "r"],
        ["cmp1", "--reason", "r", "--max-concurrent", "many"],
        ["cmp1", "--reason", "r", "--unheard-of"],
    ],
)
def test_arguments_that_cannot_be_parsed(cloud, arguments):
    plain = run("drain_host", *arguments)
    assert (plain.exit_code, plain.stdout) == (2, "")
    assert "usage:" in plain.stderr
    # a lone --json at the end would be taken for the missing text
    as_json = run("drain_host", "--json", *arguments)
    assert as_json.exit_code == 2
    assert as_json.json["error"]["code"] == "bad_arguments"
    assert as_json.json["error"]["message"] in as_json.stderr
    assert not Drain.objects.exists()


@pytest.mark.parametrize(
    ("failure", "exit_code", "code"),
    [
        (CloudUnreachable("list the compute services", "timed out"), 4, "openstack_failed"),
        (CloudAuthError("log in", "bad password", status=401), 2, "credentials"),
        (CloudForbidden("list the compute services", "no", status=403), 2, "credentials"),
    ],
)
def test_openstack_fails(cloud, failure, exit_code, code):
    cloud.failure = failure
    outcome = run("drain_host", "cmp1", "--reason", "r", "--json")
    assert outcome.exit_code == exit_code
    assert outcome.json["error"]["code"] == code
    assert failure.detail in outcome.json["error"]["message"]
    assert not Drain.objects.exists()


def test_the_database_fails(cloud, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("no such table: ukcloud_maintenance_drain")

    monkeypatch.setattr(store, "standing", fail)
    outcome = run("drain_host", "cmp1", "--reason", "r", "--json")
    assert outcome.exit_code == 4
    assert outcome.json["error"]["code"] == "database_failed"
    assert "django-admin migrate" in outcome.json["error"]["remedy"]


def test_wrong_settings_are_named_before_anything_is_asked(cloud, settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "demo", "MAX_CONCURRENT": "two"}
    outcome = run("drain_host", "cmp1", "--reason", "r", "--json")
    assert outcome.exit_code == 2
    assert outcome.json["error"]["code"] == "settings"
    assert "UKCLOUD_MAINTENANCE['MAX_CONCURRENT']" in outcome.json["error"]["message"]
    assert not Drain.objects.exists()


# -- regions and clouds.yaml -----------------------------------------------------------------


@pytest.fixture
def clouds_yaml(monkeypatch, tmp_path):
    file = tmp_path / "clouds.yaml"
    file.write_text(
        """
        clouds:
          demo:
            auth: {auth_url: "http://127.0.0.1:1/v3", username: u, password: p,
                   project_name: admin, user_domain_id: default, project_domain_id: default}
        """
    )
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    return file


def test_a_cloud_that_clouds_yaml_does_not_know(clouds_yaml, settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "elsewhere"}
    outcome = run("drain_host", "cmp1", "--reason", "r", "--json")
    assert outcome.exit_code == 2
    error = outcome.json["error"]
    assert error["code"] == "configuration"
    assert "'elsewhere'" in error["message"]
    assert 'UKCLOUD_MAINTENANCE["CLOUD"]' in error["remedy"]


def test_a_region_must_be_known_by_name(clouds_yaml):
    outcome = run("drain_host", "cmp1", "--reason", "r", "--json")
    assert outcome.exit_code == 2
    assert outcome.json["error"]["code"] == "region_missing"
    assert "region_name" in outcome.json["error"]["remedy"]


def test_several_regions_have_to_be_chosen_from(clouds_yaml, settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": {"north": "demo", "south": "demo"}}
    outcome = run("drain_host", "cmp1", "--reason", "r", "--json")
    assert outcome.exit_code == 2
    assert "north, south" in outcome.json["error"]["message"]


def test_a_region_without_a_worker(clouds_yaml, settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUDS": {"north": "demo", "south": "demo"}}
    outcome = run("drain_host", "cmp1", "--reason", "r", "--region", "west", "--json")
    assert outcome.exit_code == 2
    assert outcome.json["error"]["code"] == "region_without_worker"
    assert "west" in outcome.json["error"]["message"]


@pytest.mark.parametrize(
    ("configured", "given", "asked"),
    [
        ({"CLOUD": "demo"}, ["--region", "south"], "south"),
        ({"CLOUDS": {"north": "demo"}}, [], "north"),
        ({"CLOUDS": {"north": "demo", "south": "demo"}}, ["--region", "south"], "south"),
    ],
)
def test_the_region_that_is_asked(cloud, settings, monkeypatch, configured, given, asked):
    settings.UKCLOUD_MAINTENANCE = configured
    regions = []

    def connect(region):
        regions.append(region)
        cloud.region = region
        return cloud

    monkeypatch.setattr(services, "connect_shell", connect)
    assert run("drain_host", "cmp1", "--reason", "r", *given).exit_code == 0
    assert regions == [asked]
    assert Drain.objects.get().region == asked


def test_openstack_does_not_answer(clouds_yaml):
    outcome = run("drain_host", "cmp1", "--reason", "r", "--region", "RegionOne", "--json")
    assert outcome.exit_code == 4
    assert outcome.json["error"]["code"] == "openstack_failed"


# -- --wait ----------------------------------------------------------------------------------


@pytest.fixture
def worker(monkeypatch):
    """Steps that a worker would take, one in each pause of the command."""
    steps = []

    def pause(seconds):
        assert steps, "the command waits, but the drain has nothing to wait for"
        steps.pop(0)()

    monkeypatch.setattr(_waiting.time, "sleep", pause)
    return steps


def _drain(host="cmp1"):
    return Drain.objects.get(host=host)


def test_waits_until_drained(cloud, worker):
    worker += [
        lambda: begin(_drain()),
        lambda: move(_drain(), "web-1", MigrationState.SUCCEEDED, nova_status="completed"),
        lambda: succeed(_drain()),
    ]
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait")
    assert outcome.exit_code == 0
    assert not worker
    number = _drain().pk
    assert f"cmp1 (drain {number}): pending, 0 of 3 left the host" in outcome.stderr
    assert f"cmp1 (drain {number}): running, 1 of 3 left the host" in outcome.stderr
    assert f"Drain {number} of cmp1 succeeded: Empty." in outcome.stdout


def test_a_line_for_a_change_and_none_without(cloud, worker):
    worker += [lambda: None, lambda: None]
    worker.append(lambda: succeed(_drain()))
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait")
    assert len([line for line in outcome.stderr.splitlines() if "left the host" in line]) == 2


def test_ends_without_draining_and_says_why(cloud, worker):
    why = "2 of 3 left the host.\nweb-1 (failed): No valid host was found."
    worker += [
        lambda: begin(_drain()),
        lambda: finish(_drain(), DrainState.FAILED, DrainResult.INSTANCES_FAILED, why),
    ]
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait", "--json")
    assert outcome.exit_code == 1
    assert [(d["state"], d["result"]) for d in outcome.json] == [("failed", "instances_failed")]
    assert f"Drain {_drain().pk} of cmp1 failed: {why}" in outcome.stderr


def test_waits_for_all_of_several(cloud, worker):
    worker += [
        lambda: succeed(_drain("cmp10")),
        lambda: begin(_drain("cmp1")),
        lambda: finish(_drain("cmp1"), DrainState.FAILED, DrainResult.HOST_LOST, "Lost."),
    ]
    outcome = run("drain_host", "cmp1", "cmp10", "--reason", "r", "--wait")
    assert outcome.exit_code == 1
    assert not worker


def _drained(drain):
    begin(drain)
    enter_maintenance(drain)
    finish(drain, DrainState.SUCCEEDED, DrainResult.EMPTY, "Empty.")


def test_waits_for_the_certificate_as_well(cloud, worker):
    worker += [lambda: _drained(_drain()), lambda: None, lambda: verify(_drain())]
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait")
    assert outcome.exit_code == 0
    assert not worker
    assert "cmp1: The host was not verified yet." in outcome.stderr
    assert "cmp1 is SAFE TO POWER OFF" in outcome.stdout


@pytest.fixture
def impatient(settings, monkeypatch):
    """A verification is believed for a moment only, and each look takes longer than that."""
    settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, "VERIFY_SECONDS": 20}
    clock = itertools.count(0, 25)
    monkeypatch.setattr(_waiting.time, "monotonic", lambda: float(next(clock)))


@pytest.mark.parametrize("verified", [True, False])
def test_what_stands_against_the_certificate_is_said_and_no_success(
    cloud, worker, impatient, verified
):
    worker += [lambda: _drained(_drain())]
    worker += [lambda: verify(_drain(), safe=False) if verified else None] * 3
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait", "--json")
    assert outcome.exit_code == 1
    [document] = outcome.json
    assert (document["state"], document["safe_to_power_off"]) == ("succeeded", False)
    why = "Placement has 1 allocation" if verified else "The host was not verified yet."
    assert why in document["why_not"]
    assert "cmp1 is NOT safe to power off" in outcome.stderr


def test_an_interrupt_while_the_certificate_is_waited_for(cloud, worker):
    worker += [lambda: _drained(_drain()), _interrupt]
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait", "--json")
    assert outcome.exit_code == 130
    assert [d["state"] for d in outcome.json] == ["succeeded"]
    assert "host_status cmp1 --wait" in outcome.stderr


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (MigrationState.UNKNOWN, "record_gone", "It is unknown where web-1 runs."),
        (
            MigrationState.FAILED,
            "arrived_error",
            "Arrived in status ERROR, which differs from before the migration: web-1.",
        ),
    ],
)
def test_an_instance_that_needs_a_look_is_said_first_and_is_no_success(
    cloud, worker, state, code, words
):
    worker += [
        lambda: begin(_drain()),
        lambda: move(_drain(), "web-1", state, code=code, server_status="ERROR"),
        lambda: succeed(_drain()),
    ]
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait")
    assert outcome.exit_code == 1
    assert f"cmp1 (drain {_drain().pk}): {words}" in outcome.stderr
    shown = run("drain_status", str(_drain().pk)).stdout
    assert shown.startswith(f"cmp1 (drain {_drain().pk}): {words}")


def _interrupt():
    raise KeyboardInterrupt


def test_an_interrupt_leaves_the_drain_running_and_says_so(cloud, worker):
    worker += [lambda: begin(_drain()), _interrupt]
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait", "--json")
    assert outcome.exit_code == 130
    drain = _drain()
    assert drain.state == DrainState.RUNNING
    assert f"Drain {drain.pk} of cmp1 continues." in outcome.stderr
    assert f"drain_cancel {drain.pk}" in outcome.stderr
    assert [d["state"] for d in outcome.json] == ["running"]


def test_says_when_no_worker_is_at_work(cloud):
    outcome = run("drain_host", "cmp1", "--reason", "r")
    assert "maintenance_worker" in outcome.stderr


def test_says_once_while_waiting_that_the_worker_went_silent(cloud, worker):
    def die():
        store.sign_of_life("w1", "ctl1", 1, timezone.now() - timedelta(hours=1))

    store.sign_of_life("w1", "ctl1", 1, timezone.now())
    worker += [lambda: None, die, lambda: None, lambda: succeed(_drain())]
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait")
    before, after = outcome.stderr.split("No worker is running")
    assert "pending, 0 of 3" in before
    assert "succeeded, 0 of 3" in after


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_on_a_terminal(cloud, worker):
    def in_progress():
        begin(_drain())
        move(_drain(), "web-1", MigrationState.MIGRATING, nova_status="running", fraction=0.5)

    worker += [
        in_progress,
        lambda: succeed(_drain()),
    ]
    outcome = run("drain_host", "cmp1", "--reason", "r", "--wait", stderr=_Terminal())
    assert outcome.exit_code == 0
    # half of one of the two instances that move; the third one stays
    assert " 25%|" in outcome.stderr
    assert "web-1 running 50%" in outcome.stderr


def drawn(text: str, rows: int) -> list[str]:
    """What a terminal of so many rows shows, above its screen too, for what was written to it."""
    lines, cursor = [""], 0
    for part in re.findall(r"\x1b\[[?\d]*[A-Za-z]|\n|[^\x1b\n]+", text):
        if part == "\n":
            cursor += 1
            lines += [""] * (cursor + 1 - len(lines))
        elif part.endswith("A") and part[0] == "\x1b":
            cursor = max(cursor - int(part[2:-1]), len(lines) - rows, 0)
        elif part == "\x1b[J":
            del lines[cursor + 1 :]
            lines[cursor] = ""
        elif part[0] != "\x1b":
            lines[cursor] += part
    return lines[:-1]


def test_bars_are_drawn_in_their_place_and_a_warning_between_them_stays(cloud, worker):
    def die():
        store.sign_of_life("w1", "ctl1", 1, timezone.now() - timedelta(hours=1))

    store.sign_of_life("w1", "ctl1", 1, timezone.now())
    worker += [lambda: None, lambda: begin(_drain()), die, lambda: None, lambda: succeed(_drain())]
    terminal = _Terminal()
    run("drain_host", "cmp1", "--reason", "r", "--wait", stderr=terminal)
    seen = [line.split(", ")[0] for line in drawn(terminal.getvalue(), rows=24)]
    bars = [line for line in seen if "|" in line]
    assert [bar.rpartition(" ")[2] for bar in bars] == ["running", "succeeded"]
    between = seen[seen.index(bars[0]) + 1 : seen.index(bars[1])]
    assert between == ["No worker is running"]


def test_of_bars_that_do_not_fit_the_screen_the_rest_is_counted(cloud, worker, monkeypatch):
    monkeypatch.setenv("LINES", "5")
    worker += [lambda: succeed(_drain())]
    run("drain_host", "cmp1", "--reason", "r", "--wait")
    terminal = io.StringIO()
    bars = _waiting.Bars(terminal.write)
    report = services.drain_report(shell_actor(), _drain().pk)
    for _ in range(3):
        bars.show([report] * 9)
    *shown, last = drawn(terminal.getvalue(), rows=5)
    assert last == "and 6 more"
    assert len(shown) == 3


def test_a_database_that_restarts_does_not_end_the_waiting(cloud, worker, monkeypatch):
    real = services.drain_report
    calls = iter(range(100))

    def flaky(actor, drain_id):
        if next(calls) in (1, 2):
            raise OperationalError("server closed the connection")
        return real(actor, drain_id)

    monkeypatch.setattr(services, "drain_report", flaky)
    monkeypatch.setattr(_waiting, "close_old_connections", lambda: None)
    worker += [lambda: None, lambda: None, lambda: succeed(_drain())]
    assert run("drain_host", "cmp1", "--reason", "r", "--wait").exit_code == 0


def test_a_database_that_stays_away_ends_the_waiting(cloud, worker, monkeypatch):
    real, calls, clock = services.drain_report, iter(range(100)), iter(range(0, 1000, 25))

    def broken(actor, drain_id):
        if next(calls):
            raise OperationalError("gone away")
        return real(actor, drain_id)

    monkeypatch.setattr(services, "drain_report", broken)
    monkeypatch.setattr(_waiting, "close_old_connections", lambda: None)
    monkeypatch.setattr(_waiting.time, "monotonic", lambda: float(next(clock)))
    worker += [lambda: None] * 10
    assert run("drain_host", "cmp1", "--reason", "r", "--wait").exit_code == 4


# -- only checked ----------------------------------------------------------------------------


@pytest.fixture
def known(cloud):
    """The same cloud, with everything known around: cmp10 has 8 GiB free, 16 in all."""
    cloud.all_groups, cloud.all_aggregates = [], []
    cloud.all_capacity = {
        "cmp10": Capacity({"MEMORY_MB": 16384, "VCPU": 32}, {"MEMORY_MB": 8192, "VCPU": 4})
    }
    return cloud


def _remove(cloud, name):
    cloud.all_servers = [s for s in cloud.all_servers if s.name != name]


def test_a_dry_run_needs_no_reason_and_asks_for_nothing(known):
    _remove(known, "old-1")
    outcome = run("drain_host", "cmp1", "--dry-run")
    assert outcome.exit_code == 0
    assert not Drain.objects.exists()
    summary, *_ = outcome.stdout.splitlines()
    assert summary.startswith("cmp1: 2 leave live; needs 5 GiB, 8 GiB free on 1 host; about ")
    assert "100 MiB/s assumed" in summary
    assert re.search(r"^web-1 +ACTIVE +live +cmp10", outcome.stdout, re.MULTILINE)
    assert re.search(r"^cmp10 +2 +50% -> 81% +12% -> 19%", outcome.stdout, re.MULTILINE)


def test_a_dry_run_names_few_of_many_in_their_order(known):
    known.all_servers = [server(f"web-{n}", disk_bytes=GIB) for n in range(11, 0, -1)]
    text = run("drain_host", "cmp1", "--dry-run").stdout
    names = re.findall(r"^web-\d+", text, re.MULTILINE)
    assert names == [f"web-{n}" for n in range(1, 12)]
    assert "  web-1, web-2, web-3, web-4, web-5, web-6 and 5 more: Its local disk (1 GiB)" in text


def test_a_dry_run_takes_a_reason_too(known):
    assert run("drain_host", "cmp1", "--reason", "r", "--dry-run").exit_code == 1


def test_a_dry_run_tells_what_cannot_leave_and_what_to_do(known):
    outcome = run("drain_host", "cmp1", "--dry-run")
    assert outcome.exit_code == 1
    line = next(line for line in outcome.stdout.splitlines() if line.startswith("old-1"))
    assert re.search(
        r"SUSPENDED +stays +- +It is suspended.*Resume it \(openstack server resume\)\.$", line
    )


def test_a_dry_run_tells_that_not_all_fit(known):
    _remove(known, "old-1")
    known.all_capacity["cmp10"] = Capacity({"MEMORY_MB": 4500, "VCPU": 32}, {"VCPU": 4})
    outcome = run("drain_host", "cmp1", "--dry-run", "--json")
    assert outcome.exit_code == 1
    [document] = outcome.json
    assert document["everything_leaves"] is False
    assert document["counts"]["live"] == 2
    assert document["estimate"]["fits"] is False
    [left_over] = [i for i in document["instances"] if i["unplaced"]]
    assert left_over["server_name"] == "web-1"
    assert left_over["unplaced"] == {"nearest": "cmp10", "missing": {"MEMORY_MB": 5120 - 4500}}
    assert [c["code"] for c in left_over["cautions"]] == ["no_place"]
    assert "no room for 1 of them" in outcome.stderr


def test_a_dry_run_tells_what_would_give_room(known):
    _remove(known, "old-1")
    known.all_services.append(service("spare", status="disabled", disabled_reason="new"))
    half = {"MEMORY_MB": 8192, "VCPU": 32}
    known.all_capacity = {"cmp10": Capacity({"MEMORY_MB": 4500, "VCPU": 32}, {"VCPU": 4})}
    known.all_capacity["spare"] = Capacity(half, {})
    known.all_inventories = {"cmp10": {"MEMORY_MB": Inventory(5012, 512, 1.0)}}
    [document] = run("drain_host", "cmp1", "--dry-run", "--json").json
    assert document["relief_code"] == ["relief_disabled_empty", "relief_memory_ratio"]
    assert document["relief_values"][1]["host"] == "cmp10"
    said = run("drain_host", "cmp1", "--dry-run").stdout
    assert "What would provide capacity:" in said
    assert "spare is disabled (new) and empty; enabled it would offer 8 GiB of memory" in said
    assert "cmp10 has a memory allocation ratio of 1; each 0.1 more would offer 450 MiB" in said


def test_a_dry_run_as_json(known):
    [document] = run("drain_host", "cmp1", "--dry-run", "--json", "--max-concurrent", "2").json
    assert document["host"] == "cmp1"
    assert document["needed_memory_bytes"] == 5 * GIB
    assert document["free_memory_bytes"] == 8 * GIB
    assert document["receivers"] == ["cmp10"]
    assert document["unknown"] == {}
    assert document["duration"] == {
        "seconds": round(4096 / 100 + 5),
        "seconds_one_by_one": round(5120 / 100 + 10),
        "at_once": 2,
        "rate_bytes": 100 * 1024**2,
        "samples": 0,
    }
    by_name = {i["server_name"]: i for i in document["instances"]}
    assert by_name["old-1"]["code"] == "status_suspended"
    assert by_name["web-1"]["planned_host"] == "cmp10"
    [fill] = document["estimate"]["hosts"]
    assert fill["used_after"] == {"MEMORY_MB": 8192 + 5120, "VCPU": 6}


def test_a_dry_run_says_what_it_does_not_know(cloud):
    _remove(cloud, "old-1")
    outcome = run("drain_host", "cmp1", "--dry-run", "--json")
    assert outcome.exit_code == 0  # nothing that is known stands against it
    [document] = outcome.json
    assert set(document["unknown"]) == {"groups", "aggregates", "capacity"}
    assert "timed out" in document["unknown"]["capacity"]
    assert document["estimate"] is None
    assert document["free_memory_bytes"] is None
    assert "server groups: Could not list the server groups: timed out" in outcome.stderr


def test_hosts_that_are_checked_together_do_not_receive(known):
    known.all_services.append(service("cmp11"))
    known.all_capacity["cmp11"] = Capacity({"MEMORY_MB": 16384, "VCPU": 32})
    both = run("drain_host", "cmp1", "cmp11", "--dry-run", "--json").json
    assert [d["receivers"] for d in both] == [["cmp10"], ["cmp10"]]
    run("drain_host", "cmp11", "--reason", "r")
    [alone] = run("drain_host", "cmp1", "--dry-run", "--json").json
    assert alone["receivers"] == ["cmp10"]


def test_an_empty_host(known):
    outcome = run("drain_host", "cmp10", "--dry-run")
    said = "cmp10: there is no instance on this host.\n"
    assert (outcome.exit_code, outcome.stdout) == (0, said)


def test_a_dry_run_of_a_host_that_cannot_be_drained_is_refused(known):
    assert run("drain_host", "cmp3", "--dry-run").exit_code == 3
    assert run("drain_host", "cmp99", "--dry-run").exit_code == 2


def test_help_tells_the_exit_codes(capsys):
    parser = drain_host.Command().create_parser("django-admin", "drain_host")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    text = capsys.readouterr().out
    for code in (0, 1, 2, 3, 4, 130):
        assert re.search(rf"^  {code} +\S", text, re.MULTILINE), code


def test_configuration_errors_of_other_kinds_are_bad_input(cloud, monkeypatch):
    def fail(region):
        raise ConfigurationError(text("clouds.yaml cannot be read"))

    monkeypatch.setattr(services, "connect_shell", fail)
    assert run("drain_host", "cmp1", "--reason", "r").exit_code == 2


def test_service_of_a_cell_that_is_down_is_refused(cloud):
    cloud.all_services.append(service("cmp7", status="UNKNOWN", id=""))
    outcome = run("drain_host", "cmp7", "--reason", "r", "--json")
    assert (outcome.exit_code, outcome.json["error"]["code"]) == (3, "host_unknown")

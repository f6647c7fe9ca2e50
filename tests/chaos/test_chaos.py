"""A short run of it, and that its instruments measure: the proxy does what it says, and the rules
find what breaks them."""

import ast
import dataclasses
import json
import os
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

import ukcloud_maintenance
from tests.chaos import clock, invariants
from tests.chaos.proxy import KINDS, PAGE, REFUSALS, Proxy, Weather
from tests.chaos.records import (
    Action,
    DrainRecord,
    Migration,
    Note,
    NovaServer,
    Records,
    Row,
    Sample,
)
from tests.worker.driving import REPOSITORY

SEED = 20260102


@pytest.mark.timeout(930)
def test_drains_survive(tmp_path):
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.chaos"),
            *(f"--seed={SEED}", "--minutes=0.7", "--database=sqlite", f"--report={report}"),
        ],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SEED={SEED}" in done.stdout, "it can be run again"
    found = json.loads(report.read_text())
    assert found["faults"], "nothing was done to it"
    assert found["requests_spoiled"], "the network was perfect"
    assert sum(found["drains"].values()) >= 2, "nothing was drained"


# -- the proxy -------------------------------------------------------------------------------


class Upstream:
    """A service that remembers what it was asked."""

    BODY = json.dumps({"servers": [{"name": "x" * 100}]}).encode()

    def __init__(self):
        self.seen = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream.seen.append(self.path)
                body = upstream.BODY
                if self.path == "/address":
                    body = json.dumps({"url": upstream.url}).encode()
                self.send_response(202)
                self.send_header("Content-Type", "application/json")
                self.send_header("x-openstack-request-id", "req-1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def upstream():
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def proxy(upstream):
    proxy = Proxy(upstream.url, seed=1, patience=0.5, late=1.0)
    yield proxy
    proxy.close()


def send(proxy, path="/compute/v2.1/servers/abc/action", timeout=10.0):
    with requests.Session() as http:
        http.trust_env = False
        return http.post(proxy.url + path, json={"os-migrateLive": {}}, timeout=timeout)


def ask(proxy, path):
    with requests.Session() as http:
        http.trust_env = False
        return http.get(proxy.url + path, timeout=10).status_code


def test_a_clear_request_goes_through_and_is_on_record(proxy, upstream):
    answer = send(proxy)
    assert (answer.status_code, answer.content) == (202, upstream.BODY)
    entry = proxy.writes[0]
    assert (entry.action, entry.server, entry.service) == ("os-migrateLive", "abc", "compute")
    assert (entry.fault, entry.status, entry.request_id) == ("", 202, "req-1")
    assert not proxy.faults


def test_addresses_of_the_cloud_become_its_own(proxy):
    assert send(proxy, "/address").json() == {"url": proxy.url}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_is_answered_and_not_passed_on(proxy, upstream, kind):
    proxy.spoil_next(kind)
    answer = send(proxy)
    assert not upstream.seen
    if kind == "html":
        assert (answer.status_code, answer.content) == (200, PAGE)
    else:
        assert answer.status_code == int(kind)
    assert ("Retry-After" in answer.headers) == (kind in ("429", "503"))
    assert proxy.faults == {kind: 1}
    assert send(proxy).status_code == 202, "one request alone was spoiled"


@pytest.mark.parametrize("kind", ["cut-before", "hang"])
def test_what_is_cut_or_hangs_before_never_arrives(proxy, upstream, kind, monkeypatch):
    held, hold = [], proxy.hold
    monkeypatch.setattr(proxy, "hold", lambda seconds: (held.append(seconds), hold(seconds)))
    proxy.spoil_next(kind)
    with pytest.raises(requests.ConnectionError):
        send(proxy)
    assert [seconds > proxy.patience for seconds in held] == ([True] if kind == "hang" else [])
    assert not upstream.seen


@pytest.mark.parametrize("kind", ["cut-after", "cut-within", "hang-after"])
def test_what_is_cut_or_hangs_after_has_arrived(proxy, upstream, kind):
    proxy.spoil_next(kind)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        send(proxy)
    assert len(upstream.seen) == 1
    assert proxy.writes[0].status == 202


def test_what_is_late_arrives_when_nobody_waits_for_it(proxy, upstream, monkeypatch):
    given_up = threading.Event()
    monkeypatch.setattr(proxy, "hold", lambda seconds: given_up.wait(60))
    proxy.spoil_next("late")
    with pytest.raises(requests.Timeout):
        send(proxy, timeout=0.45)
    assert not upstream.seen
    given_up.set()
    deadline = time.monotonic() + 20
    while not upstream.seen and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(upstream.seen) == 1


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("502-after", 502, None),
        ("html-after", 200, PAGE),
        ("half-json", 202, Upstream.BODY[: len(Upstream.BODY) // 2]),
    ],
)
def test_an_answer_is_replaced(proxy, upstream, kind, status, body):
    proxy.spoil_next(kind)
    answer = send(proxy)
    assert len(upstream.seen) == 1
    assert answer.status_code == status
    if body is not None:
        assert answer.content == body


def test_a_delay_is_short(proxy, upstream):
    proxy.spoil_next("delay")
    assert send(proxy).status_code == 202


def test_every_fault_is_tested():
    told = {*REFUSALS, "cut-before", "hang", "cut-after", "cut-within", "hang-after", "late"}
    assert told | {"502-after", "html-after", "half-json", "delay"} == set(KINDS)


def test_the_weather_follows_from_the_seed(upstream):
    def course(seed):
        proxy = Proxy(upstream.url, seed, 1.0, 2.0)
        proxy.weather = Weather(0.5, ("401", "500"), "compute")
        try:
            return [ask(proxy, "/compute/x") for _ in range(30)] + [
                ask(proxy, "/placement/x") for _ in range(10)
            ]
        finally:
            proxy.close()

    first = course(5)
    assert set(first[:30]) == {202, 401, 500}
    assert set(first[30:]) == {202}, "the weather of one service is not that of another"
    assert course(5) == first
    assert course(6) != first


# -- clocks ----------------------------------------------------------------------------------


def test_a_clock_steps_in_a_process_that_runs(tmp_path):
    file = tmp_path / "clock"
    clock.write(file, 300.0)
    script = (
        "import sys, time; from pathlib import Path; from tests.chaos import clock\n"
        "from django.utils import timezone\n"
        "right, monotonic = time.time, time.monotonic()\n"
        "timezone.now(); clock.shift(Path(sys.argv[1]))\n"
        "def error(): return [round(t - right()) for t in"
        " (time.time(), time.time_ns() / 1e9, timezone.now().timestamp())]\n"
        "print(error(), flush=True); input()\n"
        "print(error(), time.monotonic() - monotonic < 200, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(file)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "[300, 300, 300]\n"
    clock.write(file, -3600.0)
    assert struct.unpack("d", file.read_bytes()) == (-3600.0,)
    assert process.communicate("\n", timeout=60)[0] == "[-3600, -3600, -3600] True\n"


def test_the_product_reads_no_clock_that_could_not_be_shifted():
    root = Path(ukcloud_maintenance.__file__).parent
    clocks = {"now", "utcnow", "today"}
    found = [
        f"{file.relative_to(root)}:{node.lineno}"
        for file in root.rglob("*.py")
        if "demo" not in file.parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in clocks
        and ast.unparse(node.value) in ("datetime", "datetime.datetime", "date", "datetime.date")
    ]
    assert not found, "tests.chaos.clock shifts time.time and django.utils.timezone.now alone"


# -- the rules -------------------------------------------------------------------------------

US, THEM = "worker", "admin"


@pytest.fixture
def records():
    """A drain of cmp1 that moved vm-1 to cmp2, and everything right."""
    return Records(
        user=US,
        actions=[
            Action("s1", "create", THEM, "req-0", 10),
            Action("s1", "live-migration", US, "req-1", 101),
        ],
        migrations=[
            Migration(1, "s1", "cmp1", "cmp2", "completed", "live-migration", US, 101.1, 105)
        ],
        servers={"s1": NovaServer("s1", "vm-1", "cmp2", "active")},
        guests={"s1": ["cmp2"]},
        drains={1: DrainRecord(1, "cmp1", "away", "succeeded", "empty", "The host is empty.")},
        rows=[Row(1, "s1", "vm-1", "succeeded", "cmp1", "cmp2", "", 1, 1)],
        drain_seen={1: [(100, "running"), (109, "running"), (110, "succeeded")]},
        samples=[
            Sample(
                float(at),
                "cmp1",
                servers=frozenset({"s1"} if at < 105 else ()),
                enabled=at < 100,
                safe=at > 112,
            )
            for at in range(90, 160)
        ],
    )


def broken(records):
    return {v.rule for v in invariants.violations(records, certificate_seconds=15)}


def test_what_is_right_breaks_no_rule(records):
    assert broken(records) == set()


def change(items, number, **fields):
    items[number] = dataclasses.replace(items[number], **fields)


def a_second_migration(records, at, user=US):
    records.actions.append(Action("s1", "live-migration", user, "req-2", at))
    records.migrations.append(
        Migration(2, "s1", "cmp2", "cmp3", "completed", "live-migration", user, at + 0.1, at + 5)
    )
    records.servers["s1"] = NovaServer("s1", "vm-1", "cmp3", "active")
    records.guests["s1"] = ["cmp3"]


def test_a_request_accepted_while_another_one_is_under_way(records):
    a_second_migration(records, at=103)
    assert "one_at_a_time" in broken(records)


def test_the_record_of_a_compute_that_was_killed_tells_no_time(records):
    change(records.migrations, 0, status="queued", updated=101.2)
    a_second_migration(records, at=108)
    assert "one_at_a_time" in broken(records)
    records.notes.append(Note(103, "kill_compute", host="cmp1"))
    assert "one_at_a_time" not in broken(records)


def test_a_late_request_that_takes_it_from_a_host_that_nobody_drains(records):
    a_second_migration(records, at=108)
    assert "from_drained_hosts_alone" in broken(records)
    assert "where_recorded" in broken(records), "and our record does not know of it"


def test_a_request_after_the_end_of_the_drain(records):
    records.actions[1] = dataclasses.replace(records.actions[1], at=120)
    change(records.migrations, 0, created=120.1, updated=125)
    assert "from_drained_hosts_alone" in broken(records)


def test_what_others_move_is_not_held_against_us(records):
    a_second_migration(records, at=120, user=THEM)
    assert broken(records) == set()


def test_a_request_that_was_sent_twice(records, proxy):
    proxy.spoil_next("401")
    for _ in range(2):
        send(proxy, "/compute/v2.1/servers/s1/action")
    records.writes = proxy.writes
    assert broken(records) == {"asked_once"}
    change(records.rows, 0, attempts=2)
    assert broken(records) == set()


def test_a_guest_that_was_destroyed(records):
    records.guests = {}
    assert broken(records) == {"every_guest_runs_once"}
    change(records.servers, "s1", deleted_at=150.0)
    assert broken(records) == set(), "its owner deleted it"


def test_a_guest_that_runs_twice(records):
    records.guests = {"s1": ["cmp1", "cmp2"]}
    assert broken(records) == {"every_guest_runs_once"}


@pytest.mark.parametrize(
    ("state", "message", "right"),
    [
        ("succeeded", "It runs on cmp2.", True),
        ("failed", "No valid host was found.", False),
        ("failed", "It arrived on cmp2 in ERROR.", True),
        ("cancelled", "", False),
        ("pending", "", False),
        ("gone", "", False),
        ("unknown", "It may run on cmp1 or cmp2.", True),
        ("unknown", "", False),
    ],
)
def test_a_row_that_does_not_know_of_an_arrival(records, state, message, right):
    change(records.rows, 0, state=state, message=message)
    assert ("where_recorded" not in broken(records)) == right


def test_a_row_that_names_another_destination(records):
    change(records.rows, 0, dest="cmp3")
    assert "where_recorded" in broken(records)


def test_a_server_that_is_not_where_it_arrived(records):
    change(records.servers, "s1", host="cmp1")
    assert "where_recorded" in broken(records)


def test_an_arrival_that_no_row_knows(records):
    change(records.rows, 0, nova_id=None)
    assert "where_recorded" in broken(records)


def test_an_arrival_in_error(records):
    change(records.migrations, 0, status="error")
    change(records.servers, "s1", vm_state="error")
    change(records.rows, 0, state="failed", message="It arrived on cmp2 in ERROR.")
    assert "where_recorded" not in broken(records)
    change(records.rows, 0, state="cancelled")
    assert "where_recorded" in broken(records)


def test_a_row_knows_its_newest_attempt_alone(records):
    change(records.rows, 0, nova_id=2, state="failed", message="No valid host was found.")
    records.migrations.append(
        Migration(2, "s1", "cmp2", "", "error", "live-migration", US, 120, 121)
    )
    assert "where_recorded" not in broken(records)


@pytest.mark.parametrize(
    ("state", "right"), [("succeeded", False), ("failed", False), ("gone", True)]
)
def test_a_server_that_never_arrived_anywhere(records, state, right):
    change(records.migrations, 0, status="failed")
    change(records.rows, 0, state=state, message="Something.")
    assert ("where_recorded" not in broken(records)) == right


def test_a_drain_that_does_not_end(records):
    records.drains[1] = DrainRecord(1, "cmp1", "away", "running")
    records.drain_seen[1] = [(100, "running"), (300, "running")]
    assert broken(records) == {"ended"}


def test_a_row_that_is_open_after_the_end(records):
    change(records.rows, 0, state="submitted")
    assert "ended" in broken(records)


def test_a_problem_that_stays(records):
    records.problems = ["Keystone does not answer."]
    assert broken(records) == {"ended"}


def test_a_drain_that_succeeded_while_something_was_there(records):
    records.samples = [dataclasses.replace(s, safe=False) for s in records.samples]
    for number, sample in enumerate(records.samples):
        if sample.at < 115:
            change(records.samples, number, servers=frozenset({"s1"}))
    assert broken(records) == {"ends_are_true"}


def test_a_drain_that_succeeded_with_an_instance_whose_place_is_unknown(records):
    change(records.rows, 0, state="unknown", message="It may run on cmp1 or cmp2.")
    assert broken(records) == {"ends_are_true"}


@pytest.mark.parametrize("state", ["failed", "unknown"])
def test_an_instance_that_is_left_without_a_word(records, state):
    records.drains[1] = DrainRecord(1, "cmp1", "away", "failed", "instances_failed", "1 failed.")
    change(records.rows, 0, state=state)
    assert "ends_are_true" in broken(records)


def test_a_drain_that_nobody_cancelled(records):
    records.drains[1] = DrainRecord(1, "cmp1", "away", "cancelled", "cancelled", "Cancelled.")
    assert broken(records) == {"ends_are_true"}
    records.notes.append(Note(105, "cancel", "1", host="cmp1"))
    assert broken(records) == set()


@pytest.mark.parametrize(
    "fields",
    [{"servers": frozenset({"s1"})}, {"inbound": frozenset({"s1"})}, {"enabled": True}],
)
def test_a_certificate_that_outlives_what_it_says(records, fields):
    def occupied(begin, end):
        for number, sample in enumerate(records.samples):
            if begin <= sample.at < end:
                change(records.samples, number, **fields)

    occupied(120, 134)
    assert broken(records) == set(), "it may take as long as is documented"
    occupied(134, 141)
    assert broken(records) == {"certificates"}


def test_a_worker_that_died(records):
    records.notes.append(Note(120, "worker_died", "worker 1 ended by itself with 1"))
    assert broken(records) == {"workers_live"}


def test_a_bug_in_a_worker(records):
    records.logs = [
        "2026-01-02T03:04:05Z ERROR bug drain=1 host=cmp1\nTraceback (most recent call last):\n"
        "  File x\nKeyError: 'uuid'\n2026-01-02T03:04:06Z INFO worker_stopped\n",
        "2026-01-02T03:04:05Z INFO worker_started\n",
    ]
    found = invariants.violations(records, certificate_seconds=15)
    assert [(v.rule, "KeyError: 'uuid'" in v.text) for v in found] == [("workers_live", True)]

"""The metrics of a worker, scraped over HTTP as Prometheus does."""

import re
import socket
import sys
import threading
import time
import urllib.request
from datetime import datetime, timedelta

import pytest
import yaml
from django.db import OperationalError

pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families

from tests import readme
from tests.fakes import FakeCloud, server, service
from tests.unit import openstack_server
from tests.unit.openstack_server import Answer
from tests.unit.test_cloud import SERVER, connect, raw_service
from ukcloud_maintenance import services, store
from ukcloud_maintenance.cloud.routes import asked
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.message import message, text
from ukcloud_maintenance.core.run.states import RunState, Stage
from ukcloud_maintenance.core.states import DrainState, MigrationState
from ukcloud_maintenance.exceptions import CloudError
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Attempt, Drain, InstanceMigration, RunAction
from ukcloud_maintenance.settings import problems
from ukcloud_maintenance.worker import Worker, measured, metrics
from ukcloud_maintenance.worker.drain import Outcome, _has_ended
from ukcloud_maintenance.worker.measured import OF_THE_DATABASE
from ukcloud_maintenance.worker.metrics import Endpoint
from ukcloud_maintenance.worker.passes import Pass
from ukcloud_maintenance.worker.prometheus import FromDatabase, PrometheusMetrics, from_database
from ukcloud_maintenance.worker.prometheus.server import CONNECTIONS

KEY = ("drain", 1)


@pytest.fixture
def openstack():
    with openstack_server.running() as running:
        yield running


@pytest.fixture
def served():
    """Serves metrics at a free port; returns what a scrape finds, as {(name, labels): value}."""
    closes = []

    def serve(found: PrometheusMetrics):
        if not hasattr(found, "port"):
            closes.append(found.serve("127.0.0.1", 0))
        return scrape(found.port)

    yield serve
    for close in closes:
        close()


def read(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return answer.read().decode()


def scrape(port: int) -> dict:
    return {
        (sample.name.removeprefix(measured.PREFIX), tuple(sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(read(port))
        for sample in family.samples
    }


def value(found: dict, name: str, **labels: str) -> float | None:
    return found.get((name, tuple(sorted(labels.items()))))


# -- requests ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "service", "route"),
    [
        (f"http://n/compute/v2.1/servers/{SERVER}/action", "compute", "/servers/{id}/action"),
        ("http://n:8774/v2.1/0123/servers/detail?host=cmp1", "compute", "/servers/detail"),
        ("http://n/v2.1/os-services/7", "compute", "/os-services/{id}"),
        (
            f"http://n/v2.1/servers/{SERVER}/migrations/7",
            "compute",
            "/servers/{id}/migrations/{id}",
        ),
        ("http://k/identity/v3/auth/tokens", "identity", "/auth/tokens"),
        ("http://p/placement/allocations/x%2Fy", "placement", "/allocations/{id}"),
        (
            "http://p/resource_providers/7/allocations",
            "placement",
            "/resource_providers/{id}/allocations",
        ),
        ("http://n/compute/v2.1/", "", "/"),
        ("http://n", "", "/"),
        ("http://[n/servers", "", "/"),
        # ids without end make no routes without end
        ("http://n/servers/" + "/".join(map(str, range(99))), "compute", "/servers" + 4 * "/{id}"),
    ],
)
def test_a_route_has_no_ids(url, service, route):
    found = asked("GET", url, 200, 0.1)
    assert (found.service, found.route) == (service, route)


def test_a_method_that_is_none_is_no_label_of_its_own():
    assert asked("BREW", "http://n/servers", 200, 0.1).method == "other"


def test_every_request_counts_a_login_too(openstack, served):
    openstack.nova["/os-services"] = Answer({"services": [raw_service("cmp1")]})
    openstack.nova[f"/servers/{SERVER}"] = Answer({"itemNotFound": {"message": "?"}}, 404)
    found = PrometheusMetrics("w")
    cloud = connect(openstack.url)
    cloud.tell_of_requests(found.asked)
    cloud.within(60).services()
    assert cloud.server(SERVER) is None
    counted = served(found)

    def requests(**labels):
        return value(counted, "openstack_requests_total", **labels)

    compute = {"service": "compute", "method": "GET"}
    assert requests(**compute, route="/os-services", status="200") == 1
    assert requests(**compute, route="/servers/{id}", status="404") == 1
    login = {"service": "identity", "method": "POST", "route": "/auth/tokens", "status": "201"}
    assert requests(**login) == 1
    assert value(counted, "openstack_request_duration_seconds_count", service="compute") == 2
    assert SERVER not in read(found.port)


def test_a_request_without_an_answer_counts(served):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = PrometheusMetrics("w")
    cloud = connect(f"http://127.0.0.1:{port}")
    cloud.tell_of_requests(found.asked)
    with pytest.raises(CloudError):
        cloud.services()
    counted = served(found)
    none = [
        n
        for (name, labels), n in counted.items()
        if name == "openstack_requests_total" and ("status", "none") in labels
    ]
    assert sum(none) >= 1


# -- passes ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_passes_and_outages_of_a_worker(settings, monkeypatch, served):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "x", "METRICS_PORT": 1}
    cloud = FakeCloud([service("cmp1")], [server("a")])
    monkeypatch.setattr("ukcloud_maintenance.worker.passes.connect_shell", lambda region: cloud)
    worker = Worker()
    found = worker.endpoint.metrics
    services.request_drain(shell_actor(), cloud, services.DrainRequest("cmp1", "new kernel"))
    before = served(found)
    assert value(before, "passes_total", of="drain", result="done") is None
    assert value(before, "outage", of="database", region="") == 0

    def broken(*args):
        raise CloudError("list", "no")

    with monkeypatch.context() as patch:
        patch.setattr(type(cloud), "services", broken)
        for _ in range(2):
            worker.runner.work(one_pass(worker))
    down = served(found)
    assert value(down, "passes_total", of="drain", result="problem") == 2
    out = {"of": "openstack", "region": "RegionOne"}
    assert value(down, "outages_total", **out) == 1, "one outage, however many passes"
    assert value(down, "outage", **out) == 1
    monkeypatch.setattr("ukcloud_maintenance.worker.drain.run", lambda *args: Outcome(1.0))
    worker.runner.work(one_pass(worker))
    back = served(found)
    assert value(back, "outage", **out) == 0
    assert value(back, "outages_total", **out) == 1
    assert value(back, "passes_total", of="drain", result="done") == 1
    assert value(back, "pass_duration_seconds_count", of="drain") == 3
    assert value(back, "last_pass_timestamp_seconds", of="drain") > 0
    worker.database.is_down(OperationalError("gone"))
    worker.database.is_down(OperationalError("gone"))
    assert value(served(found), "outages_total", of="database", region="") == 1
    worker.database.is_back()
    assert value(served(found), "outage", of="database", region="") == 0


def one_pass(worker: Worker) -> Pass:
    """Over the one drain, claimed."""
    until = store.now() + timedelta(seconds=90)
    Drain.objects.update(claimed_by=worker.name, claimed_until=until)
    return Pass(store.drains().first())


@pytest.mark.parametrize(
    ("state", "attempts", "ended", "before", "counts"),
    [
        ("succeeded", 1, True, (1, True), True),
        ("pending", 1, True, (1, True), True),  # it failed, and is retried
        ("blocked", 1, True, (0, False), True),  # it began and was refused in one pass
        ("migrating", 1, False, (1, True), False),
        ("pending", 1, True, (1, False), False),  # it ended in an earlier pass
        ("pending", 1, False, (1, True), False),  # it was put off before Nova was asked
        ("pending", 0, False, (0, False), False),
    ],
)
def test_an_attempt_counts_once_when_it_has_ended(state, attempts, ended, before, counts):
    row = InstanceMigration(state=state, attempts=attempts)
    row.newest_attempt = Attempt(ended_at=store.now() if ended else None)
    assert _has_ended(row, *before) is counts


def test_a_resize_that_is_confirmed_moves_nothing(served):
    found = PrometheusMetrics("w")
    row = InstanceMigration(method="live", memory_bytes=7, local_disk_bytes=5)
    for method in ("live", "confirm"):
        row.newest_attempt = Attempt(method=method, result="succeeded")
        found.attempt_ended("R1", row)
    got = served(found)
    assert value(got, "moved_bytes_total", region="R1", of="memory") == 7
    assert value(got, "moved_bytes_total", region="R1", of="local_disk") == 5
    confirmed = {"region": "R1", "method": "confirm", "result": "succeeded"}
    assert value(got, "migrations_total", **confirmed) == 1


def test_what_is_done_to_hosts_counts_with_its_result_and_its_time(served):
    found = PrometheusMetrics("w")
    began = datetime(2026, 11, 2, 22, tzinfo=UTC)
    for name, state, minutes in (("reboot", "done", 5), ("reboot", "failed", 1), ("", "done", 30)):
        ended = began + timedelta(minutes=minutes)
        found.action_ended(
            "R1", RunAction(name=name, state=state, started_at=began, ended_at=ended)
        )
    # the database's clock was set back meanwhile
    back = RunAction(
        name="reboot", state="done", started_at=began, ended_at=began - timedelta(hours=1)
    )
    found.action_ended("R1", back)
    got = served(found)
    done = {"region": "R1", "action": "reboot", "result": "done"}
    assert value(got, "actions_total", **done) == 2
    assert value(got, "action_duration_seconds_sum", **done) == 300
    assert value(got, "actions_total", **done | {"result": "failed"}) == 1
    by_hand = done | {"action": ""}
    assert value(got, "action_duration_seconds_bucket", **by_hand, le="1200.0") == 0
    assert value(got, "action_duration_seconds_bucket", **by_hand, le="1800.0") == 1


# -- the database ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_how_the_database_stands(served):
    cloud = FakeCloud([service("cmp1"), service("cmp2")], [server("a"), server("b")])
    drain = services.request_drain(
        shell_actor(), cloud, services.DrainRequest("cmp1", "new kernel")
    )
    now = store.now()
    store.change_drain(drain, now, state=DrainState.RUNNING, started_at=now)
    row = store.migrations(drain).first()
    store.change_migration(row, now, state=MigrationState.BLOCKED, message=None)
    store.sign_of_life("w1", "ctl1", 1, now)
    store.sign_of_life("w2", "ctl2", 2, now, text("no access"))
    store.sign_of_life("w3", "ctl3", 3, now - timedelta(hours=1))
    store.sign_of_life("w4", "ctl4", 4, now - timedelta(hours=1))
    store.worker_stopped("w4", now)
    found = served(PrometheusMetrics("w"))
    assert value(found, "database_up") == 1
    assert value(found, "drains", region="RegionOne", state="running") == 1
    assert value(found, "instances", region="RegionOne", state="blocked") == 1
    assert value(found, "drains_in_need", region="RegionOne") == 1
    assert value(found, "instances_in_need", region="RegionOne") == 1
    assert value(found, "workers", status="well") == 1
    assert value(found, "workers", status="problem") == 1, "although another one is well"
    assert value(found, "workers", status="silent") == 1, "but not who said goodbye"


@pytest.mark.django_db(transaction=True)
def test_how_the_rolling_runs_stand(served):
    now = store.now()
    run = store.create_run(
        hosts=[store.NewHost(f"cmp{n}") for n in range(4)],
        actor=shell_actor(),
        said=text("new kernel"),
        now=now - timedelta(hours=3),
        region="RegionOne",
        reason="new kernel",
        max_concurrent=1,
    )
    rows = store.run_hosts(run)
    for row, stages in zip(
        rows,
        (
            (Stage.DRAINING,),
            (Stage.DRAINING, Stage.READY),
            (Stage.DRAINING, Stage.FAILED),
            (),
        ),
        strict=True,
    ):
        for stage in stages:
            store.change_host(run, row, now, stage=stage.value)
    held = message("run_hosts_down", hosts=("cmp9",), count=1)
    store.change_run(run, now - timedelta(hours=2), message=held)
    found = served(PrometheusMetrics("w"))
    here = {"region": "RegionOne"}
    assert value(found, "runs", **here, state="running") == 1
    for status, number in (("under_way", 2), ("failed", 1), ("waiting", 1)):
        assert value(found, "run_hosts", **here, status=status) == number
    assert 7200 <= value(found, "run_held_seconds", **here, reason="gate") < 10800
    assert 7200 <= value(found, "pass_overdue_seconds", **here) < 10800
    assert not any("cmp" in str(labels) for _name, labels in found), "no host is a label"
    store.change_run(run, now, state=RunState.PAUSED.value, message=held)
    found = served(PrometheusMetrics("w"))
    assert value(found, "run_held_seconds", **here, reason="gate") is None, "a person holds it"


def test_the_alerts_of_the_docs_ask_for_what_there_is():
    [_scrape, rules] = readme.code_blocks(readme.MONITORING, "yaml")
    alerts = [rule for group in yaml.safe_load(rules)["groups"] for rule in group["rules"]]
    known = {
        one.full_name: one for one in (*measured.OF_THE_WORKER.values(), *OF_THE_DATABASE.values())
    }
    asked = set()
    for alert in alerts:
        assert set(alert) == {"alert", "expr", "for", "labels", "annotations"}
        for name in re.findall(rf"{measured.PREFIX}\w+", alert["expr"]):
            asked.add(name)
            kept = re.findall(rf"by \(([^)]*)\) \({name}", alert["expr"])
            chosen = re.findall(rf"{name}{{(\w+)[=!]", alert["expr"])
            labels = {label.strip() for one in kept for label in one.split(",")} | {*chosen}
            assert labels <= set(known[name].labels), alert["alert"]
    assert {f"{measured.PREFIX}{one}" for one in ("run_hosts", "run_held_seconds")} <= asked


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_down_is_said_and_the_rest_is_served(served, monkeypatch):
    found = PrometheusMetrics("w")
    found.pass_ended("drain", "done", 1.0)

    def down(now):
        raise OperationalError("gone")

    monkeypatch.setattr(store, "condition", down)
    got = served(found)
    assert value(got, "database_up") == 0
    assert value(got, "passes_total", of="drain", result="done") == 1
    assert not any(name == "workers" for name, _labels in got)


@pytest.mark.django_db(transaction=True)
def test_a_bug_in_what_the_database_tells_costs_nobody_the_rest(served, monkeypatch, caplog):
    found = PrometheusMetrics("w")
    found.pass_ended("drain", "done", 1.0)

    really = from_database._family

    def fail(name, samples):
        assert name != "workers"
        return really(name, samples)

    monkeypatch.setattr(from_database, "_family", fail)
    got = served(found)
    assert value(got, "database_up") == 0
    assert value(got, "passes_total", of="drain", result="done") == 1
    assert not any(name == "workers" for name, _labels in got)
    assert [one.getMessage() for one in caplog.records if one.exc_info] == ["bug metrics worker=w"]


@pytest.mark.django_db(transaction=True)
def test_it_is_read_seldom_however_many_ask(served, monkeypatch):
    found = PrometheusMetrics("w")
    reads = []
    really = store.condition
    monkeypatch.setattr(store, "condition", lambda now: reads.append(now) or really(now))
    monkeypatch.setattr("ukcloud_maintenance.worker.prometheus.from_database.KEPT_SECONDS", 3600)
    for _ in range(5):
        served(found)
    assert len(reads) == 1


@pytest.mark.django_db(transaction=True)
def test_a_read_that_hangs_holds_up_no_later_one(served, monkeypatch):
    found = PrometheusMetrics("w")
    let_go = threading.Event()
    reads = []
    really = store.condition

    def hangs_once(now):
        reads.append(now)
        assert len(reads) > 1 or let_go.wait(600)
        return really(now)

    monkeypatch.setattr(store, "condition", hangs_once)
    monkeypatch.setattr("ukcloud_maintenance.worker.prometheus.from_database.PATIENCE", 1.0)
    try:
        assert value(served(found), "database_up") == 0
        for _ in range(600):
            if value(served(found), "database_up") == 1:
                break
            time.sleep(0.1)
        assert value(served(found), "database_up") == 1
    finally:
        let_go.set()


@pytest.mark.django_db(transaction=True)
def test_reads_that_hang_do_not_add_up(monkeypatch):
    """Each of them has a connection."""
    found = FromDatabase("w")
    let_go = threading.Event()
    reads = []

    def hangs(now):
        reads.append(now)
        let_go.wait(600)
        raise OperationalError("gone")

    monkeypatch.setattr(store, "condition", hangs)
    monkeypatch.setattr("ukcloud_maintenance.worker.prometheus.from_database.PATIENCE", 0.01)
    monkeypatch.setattr("ukcloud_maintenance.worker.prometheus.from_database.PATIENCE_MAX", 3600.0)
    try:
        for _ in range(300):
            assert found._condition() is None
            time.sleep(0.001)
        assert 1 < len(found._hanging) < 20
    finally:
        let_go.set()
        for one in [*found._hanging, found._reading]:
            assert one is None or one.over.wait(60)


@pytest.mark.django_db(transaction=True)
def test_the_table_of_the_docs_has_all_that_is_served_and_nothing_else(served):
    found = PrometheusMetrics("w")
    served(found)
    families = {
        line.split()[2]: line.split(None, 3)[3]
        for line in read(found.port).splitlines()
        if line.startswith("# HELP")
    }
    known = [*measured.OF_THE_WORKER.values(), *measured.OF_THE_DATABASE.values()]
    ours = {name: help for name, help in families.items() if name.startswith(measured.PREFIX)}
    made = {name for name in ours if name.endswith("_created")}
    assert {name: ours[name] for name in ours.keys() - made} == {
        one.full_name: one.help for one in known
    }
    assert all(one.full_name in measured.table() for one in known)


# -- where it is served ------------------------------------------------------------------------


def test_two_workers_of_one_process_do_not_count_for_each_other():
    one, other = PrometheusMetrics("one"), PrometheusMetrics("other")
    one.pass_ended("drain", "done", 1.0)
    labels = {"of": "drain", "result": "done"}
    name = f"{measured.PREFIX}passes_total"
    assert one.registry.get_sample_value(name, labels) == 1
    assert other.registry.get_sample_value(name, labels) is None


def test_a_port_that_is_taken_is_said_and_tried_again(settings, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings.UKCLOUD_MAINTENANCE = {"METRICS_PORT": port}
        endpoint = Endpoint("w")
        endpoint.attend()
        said = english(endpoint.problem)
        assert f"127.0.0.1, port {port}" in said
        assert "METRICS_PORT" in said
        endpoint.attend()  # not at once
    monkeypatch.setattr(metrics, "TRY_AGAIN", 0)
    endpoint.attend()
    assert endpoint.problem is None
    assert "ukcloud_maintenance_build_info" in read(port)
    endpoint.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_an_address_of_another_machine_is_said(settings):
    settings.UKCLOUD_MAINTENANCE = {"METRICS_PORT": 9, "METRICS_ADDRESS": "203.0.113.7"}
    endpoint = Endpoint("w")
    endpoint.attend()
    assert "203.0.113.7" in english(endpoint.problem)


def test_without_the_extra_it_is_said_and_the_worker_works(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "ukcloud_maintenance.worker.prometheus")
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "x", "METRICS_PORT": 9}
    worker = Worker()
    worker.endpoint.attend()
    assert "prometheus_client" in english(worker.endpoint.problem)
    worker.endpoint.metrics.pass_ended("drain", "done", 1.0)


def test_it_is_off_by_default_and_needs_nothing(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "ukcloud_maintenance.worker.prometheus")
    settings.UKCLOUD_MAINTENANCE = {}
    endpoint = Endpoint("w")
    endpoint.attend()
    assert endpoint.problem is None


def test_a_port_of_the_command_goes_before_the_settings(settings):
    settings.UKCLOUD_MAINTENANCE = {"METRICS_PORT": 9}
    assert Endpoint("w", 0).port == 0
    assert Endpoint("w", 10).port == 10


def test_the_problem_is_reported_with_the_workers_sign_of_life(settings, monkeypatch):
    settings.UKCLOUD_MAINTENANCE = {"METRICS_PORT": 9, "METRICS_ADDRESS": "203.0.113.7"}
    worker = Worker()
    worker.endpoint.attend()
    reported = []
    monkeypatch.setattr(worker.signs, "report", reported.append)
    worker._report()
    assert reported == [[worker.endpoint.problem]]


@pytest.mark.parametrize("address", ["localhost", "", "127.0.0.1:9000", "256.1.1.1"])
def test_a_wrong_address_is_an_error_of_the_settings(settings, address):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "x", "METRICS_ADDRESS": address}
    assert any("METRICS_ADDRESS" in problem for problem, _remedy in problems())


def is_served(port: int) -> bool:
    try:
        return "ukcloud_maintenance_build_info" in read(port)
    except OSError:
        return False


def test_connections_are_bounded(served, monkeypatch):
    monkeypatch.setattr("ukcloud_maintenance.worker.prometheus.server._Handler.timeout", 3600)
    found = PrometheusMetrics("w")
    served(found)
    idle = []
    while is_served(found.port):
        assert len(idle) < 10 * CONNECTIONS
        idle.append(socket.create_connection(("127.0.0.1", found.port)))
    for one in idle:
        one.close()
    for _ in range(600):
        if is_served(found.port):
            return
        time.sleep(0.1)
    raise AssertionError("nobody is served after they have gone")


def test_whoever_sends_no_http_ends_nothing(served):
    found = PrometheusMetrics("w")
    served(found)
    with socket.create_connection(("127.0.0.1", found.port)) as client:
        client.sendall(b"\x00\xff\x00 \r\n\r\n")
        client.recv(1000)
    assert value(served(found), "build_info") is None  # it has labels
    assert "ukcloud_maintenance_build_info" in read(found.port)

"""Rolling runs against a real Nova with simulated hypervisors, by a worker that is this process."""

import sys
import time

import pytest
from django.db.models import Q
from django.utils import timezone

from tests.worker.driving import SETTINGS, Passes, servers_on, service_of
from ukcloud_maintenance import services, store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.run.states import HostVerb, RunVerb
from ukcloud_maintenance.core.states import DRAIN_OPEN
from ukcloud_maintenance.demo import reboot as demo_reboot
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import Drain, HostMaintenance, InstanceMigration, Run
from ukcloud_maintenance.rolling.run import RunReconciler
from ukcloud_maintenance.worker.host import HostReconciler

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

MACHINE = "here"
ACTOR = shell_actor()


class Worker:
    """Passes over everything that is open, as a worker makes them."""

    def __init__(self, passes: Passes):
        self.passes = passes
        self.cloud = passes.cloud
        self.most_out = 0

    def request(self, *hosts: str, **more) -> Run:
        each = services.DrainRequest("", "new kernel", max_concurrent=2)
        return services.request_run(ACTOR, self.cloud, services.RunRequest(hosts, each, **more))

    def turn(self) -> None:
        for drain in Drain.objects.filter(state__in=[s.value for s in DRAIN_OPEN]):
            self.passes.one(drain)
        busy = Drain.objects.filter(open_key__isnull=False).values("open_key")
        due = Q(returning_since__isnull=False) | ~Q(host_key__in=busy)
        for one in HostMaintenance.objects.filter(due, closed_at=None):
            HostReconciler(self.cloud, "worker", timezone.now).run(one)
        for run in Run.objects.filter(finished_at=None):
            RunReconciler(self.cloud, "worker", MACHINE, timezone.now).run(run)
        disabled = [s.host for s in self.cloud.services() if s.status == "disabled"]
        self.most_out = max(self.most_out, len(disabled))

    def until(self, run: Run, condition, timeout: float = 600):
        deadline = time.monotonic() + timeout
        while True:
            self.turn()
            report = services.run_report(ACTOR, run.pk)
            if found := condition(report):
                return found
            if time.monotonic() > deadline:
                raise AssertionError(told(report))
            time.sleep(0.5)

    def until_over(self, run: Run) -> services.RunReport:
        return self.until(run, lambda report: report if report.is_over else None)


def told(report: services.RunReport) -> str:
    lines = [f"{report.run.state} {english(report.run.message)}"]
    lines += [f"{h.host} {h.stage} {english(h.message)}" for h in report.hosts]
    lines += [f"{e.kind}: {english(e.message)}" for e in services.run_record(ACTOR, report.run)]
    return "\n".join(lines)


def stages(report: services.RunReport) -> dict[str, str]:
    return {host.host: host.stage for host in report.hosts}


@pytest.fixture
def worker(passes, nova, settings, tmp_path):
    reboot = [sys.executable, "-P", str(demo_reboot.__file__), "{host}", nova.url]
    action = {"time_limit": 60, "settle": 0.5}
    script = "import sys; print('no way'); sys.exit(int(sys.argv[1]))"
    exits = [sys.executable, "-c", script]
    settings.UKCLOUD_MAINTENANCE = {
        **SETTINGS,
        "VERIFY_SECONDS": 5,
        # how long a reboot that was promised may stay unseen, too
        "HOST_DOWN_WAIT_SECONDS": 40,
        "ACTIONS_DIRECTORY": str(tmp_path / "records"),
        "ACTIONS": {
            "reboot": {**action, "command": [*reboot, "0.5"], "reboots": True},
            "broken": {**action, "command": [*exits, "3"]},
            "nothing": {**action, "command": [*exits, "0"], "reboots": True},
        },
    }
    return Worker(passes)


def test_five_hosts_are_rebooted_one_after_the_other_and_nothing_is_lost(worker, nova):
    hosts = [f"st{n}" for n in range(1, 6)]
    where = {}
    for host in hosts[:3]:
        where |= dict.fromkeys(nova.create_servers([f"{host}-a", f"{host}-b"], host=host), host)

    run = worker.request(*hosts, action="reboot")
    report = worker.until_over(run)

    assert report.run.state == "succeeded", told(report)
    assert set(stages(report).values()) == {"done"}
    assert worker.most_out == 1
    assert all(service_of(nova, host)["status"] == "enabled" for host in hosts)
    for server in where:
        # by Nova's own records: each moved, none was lost, none is in ERROR
        assert nova.server(server)["status"] == "ACTIVE"
        moves = [m for m in nova.migrations(server) if m["status"] == "completed"]
        ours = InstanceMigration.objects.filter(server_id=server, state="succeeded").count()
        assert len(moves) == ours >= 1
    outputs = [action.output for host in report.hosts for action in store.tries_of(host)]
    assert len(outputs) == 5
    assert all("the host is up again" in one for one in outputs)


def test_by_hand_a_host_is_a_persons_until_it_is_done(worker, nova):
    [server] = nova.create_servers(["by-hand"], host="st6")
    run = worker.request("st6", "st7", bring_back=True)

    yours = worker.until(run, lambda report: report.yours)
    assert [host.host for host in yours] == ["st6"]
    assert servers_on(nova, "st6") == []
    assert service_of(nova, "st6")["status"] == "disabled"
    services.host_done(ACTOR, worker.cloud.region, "st6")
    services.host_done(ACTOR, worker.cloud.region, "st6")  # pressed twice
    worker.until(run, lambda report: [host.host for host in report.yours] == ["st7"])
    assert servers_on(nova, "st6") == [server]
    services.host_done(ACTOR, worker.cloud.region, "st7")
    report = worker.until_over(run)
    assert report.run.state == "succeeded", told(report)


def test_a_failed_action_stops_the_run_and_the_host_stays_out(worker, nova):
    run = worker.request("st8", "st9", action="broken")
    report = worker.until(run, lambda r: r if r.run.state == "stopped" else None)
    assert stages(report) == {"st8": "failed", "st9": "waiting"}
    assert service_of(nova, "st8")["status"] == "disabled"
    assert service_of(nova, "st9")["status"] == "enabled"
    assert "3" in english(report.hosts[0].message)
    for _ in range(5):
        worker.turn()
    assert stages(services.run_report(ACTOR, run.pk)) == {"st8": "failed", "st9": "waiting"}

    # a person repaired it, and the next one is left out
    services.steer_host(ACTOR, run.pk, "st9", HostVerb.SKIP)
    services.steer_host(ACTOR, run.pk, "st8", HostVerb.DONE)
    report = worker.until_over(run)
    assert stages(report) == {"st8": "done", "st9": "skipped"}
    assert report.run.state == "succeeded"
    assert service_of(nova, "st8")["status"] == "enabled"


def test_a_reboot_that_was_promised_and_did_not_happen_is_named(worker, nova):
    run = worker.request("st10", action="nothing")
    report = worker.until(run, lambda r: r if r.run.state == "stopped" else None)
    assert report.hosts[0].message.code == "run_no_reboot"
    assert service_of(nova, "st10")["status"] == "disabled"


def test_a_cancel_gives_back_what_was_drained_and_begins_nothing(worker, nova):
    run = worker.request("st11", "st12", approval="each")
    worker.until(run, lambda r: r.run.message.code == "run_waits_for_approval")
    assert service_of(nova, "st11")["status"] == "enabled"
    services.steer_run(ACTOR, run.pk, RunVerb.APPROVE)
    worker.until(run, lambda r: r.yours)
    services.steer_run(ACTOR, run.pk, RunVerb.CANCEL)
    worker.turn()
    assert stages(services.run_report(ACTOR, run.pk)) == {"st11": "acting", "st12": "skipped"}
    services.host_done(ACTOR, worker.cloud.region, "st11")
    report = worker.until_over(run)
    assert report.run.state == "cancelled"
    assert stages(report) == {"st11": "done", "st12": "skipped"}
    assert service_of(nova, "st11")["status"] == "enabled"

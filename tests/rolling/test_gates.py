"""What holds a run back before its next host, and who may take it."""

from datetime import datetime, timedelta

import pytest

from tests.actions.servers import answer, serving
from ukcloud_maintenance import store
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.facts import Service
from ukcloud_maintenance.core.message import text
from ukcloud_maintenance.core.run.holds import Hold, hold
from ukcloud_maintenance.core.run.states import HostVerb, RunVerb, Stage
from ukcloud_maintenance.exceptions import AlertsUnknown, CloudServerError
from ukcloud_maintenance.models import Run, RunHost, Worker
from ukcloud_maintenance.rolling import gates
from ukcloud_maintenance.rolling.run import RunReconciler
from ukcloud_maintenance.services.rolling import steer_host, steer_run

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 2, 21, tzinfo=UTC)
HOUR = 3600.0


def make(*hosts: str, **fields) -> Run:
    return store.create_run(
        hosts=[store.NewHost(host, seconds=1200) for host in hosts or ("cmp1",)],
        actor=shell_actor(),
        said=text("new kernel"),
        now=store.now(),
        region="",
        reason="new kernel",
        max_concurrent=1,
        **fields,
    )


def service(host: str, state: str = "up") -> Service:
    return Service(f"id-{host}", host, "az1", state, "enabled")


def test_nothing_begins_outside_the_windows_or_too_late_in_one():
    run = make(windows=["Mon-Fri 22:00-04:00 UTC"])
    shut = gates.window_is_shut(run, HOUR, "cmp1", MONDAY)
    assert shut.code == "run_waits_for_window"
    assert shut.values["at"] == (MONDAY + timedelta(hours=1)).isoformat()
    assert gates.window_is_shut(run, HOUR, "cmp1", MONDAY + timedelta(hours=1)) is None
    late = gates.window_is_shut(run, 2 * HOUR, "cmp1", MONDAY + timedelta(hours=6))
    assert late.code == "run_too_long_for_window"


@pytest.mark.parametrize(
    ("minutes", "code"), [(5, "openstack_trouble"), (20, "run_too_long_for_window")]
)
def test_what_those_took_that_are_done_says_whether_a_host_fits_in_the_rest_of_a_window(
    settings, minutes, code
):
    """20 minutes were thought of each, and there are 10 left."""
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker"}
    now = MONDAY + timedelta(hours=6, minutes=50)

    class Region:
        """It is asked for the services once a window is open."""

        def services(self):
            raise CloudServerError(text("no answer"))

    run = make("cmp1", "cmp2", windows=["Mon-Fri 22:00-04:00 UTC"])
    first = store.run_hosts(run)[0]
    began = now - timedelta(minutes=minutes)
    for stage in (Stage.DRAINING, Stage.READY, Stage.RETURNING):
        store.change_host(run, first, began, stage=stage.value, started_at=began)
    store.change_host(run, first, now, stage=Stage.DONE.value)
    RunReconciler(Region(), "worker", "here", lambda: now).run(store.run(run.pk))
    assert store.run(run.pk).message.code == code


def test_a_host_that_went_down_since_holds_the_run_and_one_that_was_down_does_not(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker"}
    run = make(found_down=["cmp7"])
    services = [service("cmp1"), service("cmp7", "down"), service("cmp8", "down")]
    held = gates.hosts_are_down(run, services)
    assert held.code == "run_hosts_down"
    assert held.values["hosts"] == ("cmp8",)
    assert gates.hosts_are_down(run, services[:2]) is None
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker", "GATE_HOSTS_DOWN": False}
    assert gates.hosts_are_down(run, services) is None


def test_an_instance_in_error_holds_the_run_unless_it_was_before(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker"}

    class Region:
        def servers_in_error(self) -> dict[str, str]:
            return {"a": "old", "b": "new"}

    held = gates.instances_are_in_error(make(found_in_error=["a"]), Region())
    assert held.values["instances"] == ("new",)
    Run.objects.all().delete()
    assert gates.instances_are_in_error(make(found_in_error=["a", "b"]), Region()) is None


def test_alerts_hold_the_run_and_so_does_a_prometheus_that_does_not_answer(settings):
    def vector(*alerts: str):
        found = [{"metric": {"alertname": one}, "value": [0, "1"]} for one in alerts]
        data = {"resultType": "vector", "result": found}
        return answer(200, {"status": "success", "data": data})

    assert gates.alerts_fire() is None  # none are asked for
    with serving(vector("DiskFull"), vector(), answer(500)) as server:
        settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker", "ALERTS": {"url": server.url}}
        assert "DiskFull" in str(gates.alerts_fire())
        assert gates.alerts_fire() is None
        with pytest.raises(AlertsUnknown):
            gates.alerts_fire()


def test_a_run_with_a_command_is_left_to_a_living_worker_of_its_machine():
    run = make()
    now = store.now()
    Run.objects.update(machine="there")

    def claim(machine: str) -> Run | None:
        return store.claim_run("me", machine, store.now(), 90, 90, None, 300)

    Worker.objects.create(name="there:1", host="there", pid=1, started_at=now, seen_at=now)
    assert claim("here") is None
    assert claim("there").pk == run.pk
    store.release(run, "me", None)
    Worker.objects.update(seen_at=now - timedelta(seconds=200))
    assert claim("here").pk == run.pk
    assert claim("here") is None  # it is taken


def test_a_host_is_in_one_run_at_a_time():
    make()
    with pytest.raises(store.HostInRun):
        make()
    assert Run.objects.count() == 1


NIGHTS = ("Mon-Fri 22:00-04:00 UTC",)


class Silent:
    """A region that is asked for its services where a host might begin."""

    def services(self):
        raise CloudServerError(text("no answer"))


def passed(run: Run, now: datetime) -> str:
    """What a run says after a pass."""
    RunReconciler(Silent(), "worker", "here", lambda: now).run(store.run(run.pk))
    said = store.run(run.pk).message
    return said.code if said else ""


def rolled(run: Run, began: datetime, ended: datetime, *stages: Stage, **more) -> None:
    """Its first host is done."""
    first = store.run_hosts(run)[0]
    for stage in stages:
        store.change_host(run, first, began, stage=stage.value, started_at=began, **more)
    store.change_host(run, first, ended, stage=Stage.DONE.value)


ON_THE_WAY = (Stage.DRAINING, Stage.READY, Stage.RETURNING)


def test_a_host_that_waited_for_a_person_keeps_no_other_one_from_every_window(settings):
    """It failed at night, and was retried after ten hours; the next one takes 20 minutes still."""
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker", "ACTIONS": {"mark": {"command": ["true"]}}}
    began = MONDAY + timedelta(hours=1)
    run = make("cmp1", "cmp2", windows=NIGHTS, action="mark")
    [first, _second] = store.run_hosts(run)
    store.change_host(run, first, began, stage=Stage.DRAINING.value, started_at=began)
    assert passed(run, began) == "run_stopped"  # it has no drain
    steer_host(shell_actor(), run.pk, "cmp1", HostVerb.RETRY)
    rolled(store.run(run.pk), began, began + timedelta(hours=10), *ON_THE_WAY)
    assert passed(run, MONDAY + timedelta(hours=25)) == "openstack_trouble"


def test_what_a_person_took_by_hand_keeps_no_host_from_every_window(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker"}
    run = make("cmp1", "cmp2", windows=NIGHTS)
    began = MONDAY + timedelta(hours=1)
    rolled(run, began, began + timedelta(hours=10), *ON_THE_WAY)
    assert passed(run, MONDAY + timedelta(hours=25)) == "openstack_trouble"


def test_a_host_that_fits_no_window_lets_others_begin_and_is_named_in_the_end(settings):
    settings.UKCLOUD_MAINTENANCE = {"CLOUD": "worker", "ACTIONS": {"mark": {"command": ["true"]}}}
    run = make("cmp1", "cmp2", windows=NIGHTS, action="mark", approval="each")
    RunHost.objects.filter(host="cmp1").update(seconds=7 * HOUR)
    assert passed(run, MONDAY + timedelta(hours=1)) == "run_waits_for_approval"
    assert store.run(run.pk).message.values["host"] == "cmp2", "nobody is asked in vain"
    steer_run(shell_actor(), run.pk, RunVerb.APPROVE)
    assert passed(run, MONDAY + timedelta(hours=1)) == "openstack_trouble"  # of cmp2
    store.change_host(run, store.run_hosts(run)[1], MONDAY, stage=Stage.SKIPPED.value)
    assert passed(run, MONDAY + timedelta(hours=1)) == "run_fits_no_window"
    said = store.run(run.pk).message
    assert said.values["host"] == "cmp1"
    assert hold(said) is Hold.TROUBLE, "it is no window that is waited for"

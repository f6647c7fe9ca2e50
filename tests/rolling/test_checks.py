"""What is looked at before a host is given back, by requests over HTTP."""

from datetime import timedelta

import pytest

from tests.actions.servers import answer, serving
from tests.rolling.test_acting import Bench, hook
from tests.unit import openstack_server
from tests.unit.neutron import USUAL, Neutron, agent
from tests.unit.test_cloud import connect, raw_service
from ukcloud_maintenance.core.run.states import ActionState, Stage
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import HostMaintenance
from ukcloud_maintenance.rolling.run import RunReconciler

pytestmark = pytest.mark.django_db


class Checked(Bench):
    """A host whose action is looked at through a region that answers over HTTP."""

    def __init__(self, server):
        super().__init__("awx")
        self.cloud = connect(server.url)
        self.acting.cloud = self.cloud

    def settle(self) -> str:
        """The action is done, and the host up for long enough: what is held against it."""
        store_row = self.row
        type(store_row).objects.filter(pk=store_row.pk).update(
            stage=Stage.SETTLING.value, since=self.now, up_since=self.now, checked_at=None
        )
        self.now += timedelta(seconds=91)
        HostMaintenance.objects.update(verified_at=self.now)
        RunReconciler(self.cloud, "worker", "here", lambda: self.now)._check(
            self.run, self.row, None
        )
        return "" if self.row.checked_at else english(self.row.objection)


@pytest.fixture
def neutron(settings):
    with openstack_server.running() as server, serving(answer(200, {})) as receiver:
        found = Neutron([agent(host, name) for host in ("cmp1", "cmp2") for name in USUAL])
        found.server = server
        server.nova["/os-hypervisors/detail"] = answer_of({"hypervisors": []})
        server.nova["/os-services"] = answer_of({"services": [raw_service("cmp1")]})
        server.neutron["/v2.0/agents"] = found
        hook(settings, receiver.url, checks=["agents_up"])
        yield found


def answer_of(body):
    return openstack_server.Answer(body)


def test_an_agent_that_was_alive_must_be_again(neutron):
    neutron.of("cmp1", "neutron-metadata-agent").update(alive=False)
    bench = Checked(neutron.server).act()
    assert bench.tried.state == ActionState.RUNNING
    assert bench.row.before["agents"] == {
        "neutron-openvswitch-agent": True,
        "neutron-l3-agent": True,
        "neutron-metadata-agent": False,
    }
    neutron.of("cmp1", "neutron-l3-agent").update(alive=False)
    said = bench.settle()
    assert "A network agent of cmp1 is not up: neutron-l3-agent (L3 agent), last heard" in said
    neutron.of("cmp1", "neutron-l3-agent").update(alive=True)
    assert bench.settle() == ""


def test_a_host_that_never_had_one_passes_and_one_that_lost_all_does_not(neutron):
    bench = Checked(neutron.server).act()
    neutron.agents = [one for one in neutron.agents if one["host"] != "cmp1"]
    assert "3 network agents of cmp1 are not up" in bench.settle()

    type(bench.row).objects.update(before={"agents": {}})
    assert bench.settle() == ""


@pytest.mark.parametrize("hidden", ["by its policy", "it is not there"])
def test_what_cannot_be_read_never_passes(neutron, hidden):
    if hidden == "by its policy":
        neutron.may_list = False
    else:
        neutron.server.network_path = None
    bench = Checked(neutron.server).act()
    assert bench.row.before["agents"] is None
    assert "take agents_up out of the checks of the action" in bench.settle()

    # it can be read at last, and what was before is not known
    neutron.may_list, neutron.server.network_path = True, "/networking"
    bench.cloud = connect(neutron.server.url)
    neutron.of("cmp1", "neutron-l3-agent").update(alive=False)
    assert "neutron-l3-agent" in bench.settle()


def test_a_run_without_the_check_does_not_ask_neutron(neutron, settings):
    with serving(answer(200, {})) as receiver:
        hook(settings, receiver.url)
        bench = Checked(neutron.server).act()
        assert "agents" not in bench.row.before
        assert bench.settle() == ""
    assert "/v2.0/agents" not in {one.path for one in neutron.server.requests}


def test_the_host_is_up_for_as_long_since_its_action_ended_too(neutron):
    """Neutron takes a dead agent for alive for a while: what is looked at is later than that."""
    bench = Checked(neutron.server).act()
    bench.settle()
    row = bench.row
    type(row).objects.update(
        up_since=bench.now - timedelta(hours=1),
        since=bench.now - timedelta(seconds=89),
        checked_at=None,
    )
    reconciler = RunReconciler(bench.cloud, "worker", "here", lambda: bench.now)
    reconciler._check(bench.run, bench.row, None)
    assert bench.row.checked_at is None
    bench.now += timedelta(seconds=2)
    reconciler._check(bench.run, bench.row, None)
    assert bench.row.checked_at is not None

"""Neutron's agents as the gateway reads them, over HTTP from a stand-in of Neutron's list."""

from datetime import datetime

import pytest

from tests.said import raises
from tests.unit import openstack_server
from tests.unit.neutron import USUAL, Neutron, agent
from tests.unit.openstack_server import Answer
from tests.unit.test_cloud import connect
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.exceptions import CloudAnswerUnusable, CloudAuthError, CloudForbidden
from ukcloud_maintenance.messages import english


@pytest.fixture
def neutron():
    with openstack_server.running() as server:
        found = Neutron([agent(host, name) for host in ("cmp1", "cmp10") for name in USUAL])
        found.server = server
        server.neutron["/v2.0/agents"] = found
        yield found


@pytest.fixture
def cloud(neutron):
    return connect(neutron.server.url)


def test_agents_are_those_of_exactly_this_host(neutron, cloud):
    neutron.of("cmp1", "neutron-l3-agent").update(alive=False)
    neutron.of("cmp1", "neutron-metadata-agent").update(admin_state_up=False)
    found = {one.binary: one for one in cloud.agents_of("cmp1")}
    assert found.keys() == USUAL.keys()
    assert {one.host for one in found.values()} == {"cmp1"}
    assert [name for name, one in found.items() if one.is_up] == ["neutron-openvswitch-agent"]
    dead = found["neutron-l3-agent"]
    assert (dead.kind, dead.is_alive, dead.is_enabled) == ("L3 agent", False, True)
    assert dead.heard_at == datetime(2026, 11, 2, 21, 0, 5, tzinfo=UTC)


def test_a_filter_that_is_not_heeded_brings_no_strangers(neutron, cloud):
    everything = Answer({"agents": neutron.agents})
    neutron.server.neutron["/v2.0/agents"] = everything
    assert {one.host for one in cloud.agents_of("cmp1")} == {"cmp1"}


@pytest.mark.parametrize("page", [1, 2, 3, 4])
@pytest.mark.parametrize("is_ovn", [False, True])
def test_pages_are_followed_to_the_last_one(neutron, cloud, page, is_ovn):
    neutron.page, neutron.is_ovn = page, is_ovn
    assert [one.binary for one in cloud.agents_of("cmp1")] == list(USUAL)


@pytest.mark.parametrize("path", ["/networking", "/networking/", "/networking/v2.0"])
def test_the_catalogue_may_name_a_version_or_not(neutron, cloud, path):
    neutron.server.network_path = path
    assert len(cloud.agents_of("cmp1")) == 3


def test_a_host_without_agents_is_believed_where_others_have_some(neutron, cloud):
    assert cloud.agents_of("cmp2") == []


@pytest.mark.parametrize("why", ["hidden", "none"])
def test_no_agent_at_all_is_an_error_that_names_the_right_it_needs(neutron, cloud, why):
    neutron.may_list = why != "hidden"
    neutron.agents = neutron.agents if why == "hidden" else []
    with raises(CloudAnswerUnusable, match=r"list the network agents of host cmp1.*get_agent"):
        cloud.agents_of("cmp1")


def test_a_cloud_without_neutron_is_an_error_that_names_the_catalogue(neutron, cloud):
    neutron.server.network_path = None
    with pytest.raises(CloudAuthError) as caught:
        cloud.agents_of("cmp1")
    said = english(caught.value.said)
    assert "find Neutron in the service catalog" in said
    assert "take agents_up out of the checks" in said


def test_a_refusal_is_one(neutron, cloud):
    error = {"NeutronError": {"type": "PolicyNotAuthorized", "message": "not allowed"}}
    neutron.server.neutron["/v2.0/agents"] = Answer(error, 403)
    with raises(CloudForbidden, match="not allowed"):
        cloud.agents_of("cmp1")

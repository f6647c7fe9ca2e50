"""Servers of our own as the gateway asks for them, over HTTP."""

import pytest

from tests.unit import openstack_server
from tests.unit.openstack_server import Answer
from tests.unit.test_cloud import connect, raw_server
from ukcloud_maintenance.cloud.building import DISABLED
from ukcloud_maintenance.exceptions import CloudConflict

ABOUT = {"image": "i", "flavor": "f", "metadata": {"a": "b"}}


@pytest.fixture
def openstack():
    with openstack_server.running() as server:
        yield server


@pytest.fixture
def cloud(openstack):
    return connect(openstack.url)


@pytest.mark.parametrize(("network", "asked"), [("none", "none"), ("an-id", [{"uuid": "an-id"}])])
def test_a_server_is_asked_for_with_its_zone_and_host(openstack, cloud, network, asked):
    openstack.nova["/servers"] = Answer({"server": {"id": "new"}}, 202)
    assert cloud.build_server("canary", "az1:cmp1", network=network, **ABOUT) == "new"
    [request] = openstack.requests
    assert request.body["server"] == {
        "name": "canary",
        "availability_zone": "az1:cmp1",
        "imageRef": "i",
        "flavorRef": "f",
        "networks": asked,
        "metadata": {"a": "b"},
    }


def test_of_names_only_exactly_this_one_counts(openstack, cloud):
    found = [raw_server(n, name=name) for n, name in enumerate(["canary-1", "canary-12"])]
    openstack.nova["/servers/detail"] = Answer({"servers": found})
    assert [one.id for one in cloud.own_servers_named("canary-1")] == ["server-0"]
    assert "all_tenants" not in openstack.requests[0].query


@pytest.mark.parametrize("for_good", [False, True])
def test_a_server_is_deleted(openstack, cloud, for_good):
    openstack.nova["/servers/x"] = openstack.nova["/servers/x/action"] = Answer({}, 202)
    cloud.delete_server("x", for_good=for_good)
    [request] = openstack.requests
    assert (request.method, request.body) == (
        ("POST", {"forceDelete": None}) if for_good else ("DELETE", None)
    )


class Provider:
    """Stands in for the traits of one provider of Placement: it takes a change only with its
    generation.

    :ivar overtaken: how often somebody else is faster
    """

    def __init__(self, *traits: str, overtaken: int = 0):
        self.traits, self.generation, self.overtaken = list(traits), 7, overtaken
        self.changes = 0

    def __call__(self, request) -> Answer:
        if request.method == "PUT":
            self.changes += 1
            if self.overtaken:
                self.overtaken -= 1
                self.generation += 1
            if request.body["resource_provider_generation"] != self.generation:
                return Answer({"errors": [{"detail": "conflict"}]}, 409)
            self.traits, self.generation = request.body["traits"], self.generation + 1
        body = {"traits": self.traits, "resource_provider_generation": self.generation}
        return Answer(body)


def use(openstack, provider: Provider) -> Provider:
    openstack.placement["/resource_providers/rp/traits"] = provider
    return provider


def test_the_trait_of_disabled_hosts_goes_and_comes_and_all_others_stay(openstack, cloud):
    provider = use(openstack, Provider("HW_CPU_X86_AVX", DISABLED))
    cloud.mark_disabled("rp", False)
    assert provider.traits == ["HW_CPU_X86_AVX"]
    cloud.mark_disabled("rp", False)
    cloud.mark_disabled("rp", True)
    assert provider.traits == [DISABLED, "HW_CPU_X86_AVX"]
    cloud.mark_disabled("rp", True)
    assert provider.changes == 2


def test_somebody_who_is_faster_is_heeded(openstack, cloud):
    provider = use(openstack, Provider(DISABLED, overtaken=2))
    cloud.mark_disabled("rp", False)
    assert provider.traits == []
    provider = use(openstack, Provider(DISABLED, overtaken=3))
    with pytest.raises(CloudConflict):
        cloud.mark_disabled("rp", False)
    assert provider.traits == [DISABLED]

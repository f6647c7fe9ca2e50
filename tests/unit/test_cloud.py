"""The gateway, against answers in the shape of Nova's: what it asks, reads and makes of errors."""

import itertools
import socket
import threading
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from tests.said import raises
from tests.unit import openstack_server
from tests.unit.openstack_server import Answer
from ukcloud_maintenance import cloud as gateway
from ukcloud_maintenance.cloud import Cloud, from_clouds_yaml
from ukcloud_maintenance.cloud.wire import as_hypervisor
from ukcloud_maintenance.core.backports import UTC
from ukcloud_maintenance.core.facts import Capacity, Inventory
from ukcloud_maintenance.exceptions import (
    CloudAnswerUnusable,
    CloudAuthError,
    CloudBadRequest,
    CloudConflict,
    CloudError,
    CloudForbidden,
    CloudNotFound,
    CloudServerError,
    CloudUnreachable,
    ConfigurationError,
)
from ukcloud_maintenance.messages import english

SERVER = "0a4b0f4e-6e3b-4b0e-9d5c-0c2a3f1f0001"


@pytest.fixture
def openstack():
    with openstack_server.running() as server:
        yield server


def connect(url: str, region: str = "RegionOne", **more) -> Cloud:
    plugin = Password(
        auth_url=f"{url}/identity/v3",
        username="worker",
        password="secret",
        project_name="admin",
        user_domain_id="default",
        project_domain_id="default",
    )
    return Cloud(Session(auth=plugin), region, timeout=more.pop("timeout", 5), **more)


@pytest.fixture
def cloud(openstack):
    return connect(openstack.url)


def raw_service(host, **more):
    return {
        "id": f"id-of-{host}",
        "binary": "nova-compute",
        "host": host,
        "zone": "az1",
        "status": "enabled",
        "state": "up",
        "updated_at": "2026-03-01T12:00:00.000000",
        "disabled_reason": None,
        "forced_down": False,
        **more,
    }


def raw_server(number, host="cmp1", **more):
    return {
        "id": f"server-{number}",
        "name": f"web-{number}",
        "status": "ACTIVE",
        "tenant_id": "p1",
        "user_id": "u1",
        "created": "2026-03-01T12:00:00Z",
        "locked": False,
        "metadata": {},
        "tags": [],
        "flavor": {
            "original_name": "m1.small",
            "vcpus": 2,
            "ram": 2048,
            "disk": 20,
            "ephemeral": 1,
            "swap": 512,
            "extra_specs": {},
        },
        "OS-EXT-SRV-ATTR:host": host,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:power_state": 1,
        **more,
    }


def raw_migration(number, source="cmp1", **more):
    return {
        "id": number,
        "uuid": f"uuid-{number}",
        "instance_uuid": SERVER,
        "status": "running",
        "migration_type": "live-migration",
        "source_compute": source,
        "dest_compute": "cmp2",
        "created_at": "2026-03-01T12:00:00.000000",
        "updated_at": None,
        **more,
    }


def pages(key, items, size):
    """Answers a list in pages, with a link to the next one, as Nova does."""

    def answer(request):
        ids = [str(item["id"]) for item in items]
        start = ids.index(request.query["marker"]) + 1 if "marker" in request.query else 0
        page = items[start : start + size]
        body = {key: page}
        if start + size < len(items):
            href = f"http://elsewhere/{key}?limit={size}&marker={page[-1]['id']}"
            body[f"{key}_links"] = [{"rel": "next", "href": href}]
        return Answer(body)

    return answer


# -- how it asks -----------------------------------------------------------------------------


def test_asks_at_one_microversion_and_without_discovery(openstack, cloud):
    openstack.nova["/os-services"] = Answer({"services": []})
    cloud.services()
    [request] = openstack.requests
    assert request.headers["openstack-api-version"] == f"compute {gateway.MICROVERSION}"
    assert request.headers["x-auth-token"] == "a-token"
    assert request.query == {"binary": "nova-compute"}


def test_lists_the_servers_of_a_host_with_the_deleted_ones_that_are_kept(openstack, cloud):
    openstack.nova["/servers/detail"] = Answer({"servers": []})
    assert cloud.servers_on("cmp 1&x") == []
    [request] = openstack.requests
    assert request.query["host"] == "cmp 1&x"
    assert request.query["all_tenants"] == "1"
    assert request.query["soft_deleted"] == "1"


def test_live_migrates_with_the_schedulers_choice_and_block_migration_auto(openstack, cloud):
    openstack.nova[f"/servers/{SERVER}/action"] = Answer(
        None, 202, {"x-openstack-request-id": "req-1"}
    )
    assert cloud.live_migrate(SERVER, None) == "req-1"
    [request] = openstack.requests
    assert request.method == "POST"
    assert request.body == {"os-migrateLive": {"host": None, "block_migration": "auto"}}


def test_live_migrates_to_a_named_host_without_force(openstack, cloud):
    openstack.nova[f"/servers/{SERVER}/action"] = Answer(None, 202, {})
    cloud.live_migrate(SERVER, "cmp2")
    assert openstack.requests[0].body == {
        "os-migrateLive": {"host": "cmp2", "block_migration": "auto"}
    }


def test_disables_a_service_by_its_id(openstack, cloud):
    openstack.nova["/os-services/abc"] = Answer({"service": {}}, 200)
    cloud.disable_service("abc", "kernel update")
    [request] = openstack.requests
    assert (request.method, request.body) == (
        "PUT",
        {"status": "disabled", "disabled_reason": "kernel update"},
    )


@pytest.mark.parametrize("interface", ["public", "internal"])
def test_asks_the_endpoint_of_its_interface(openstack, interface):
    openstack.nova["/os-services"] = Answer({"services": []})
    assert connect(openstack.url, interface=interface).services() == []


# -- what it reads ---------------------------------------------------------------------------


def test_a_service(openstack, cloud):
    openstack.nova["/os-services"] = Answer(
        {"services": [raw_service("cmp1", status="disabled", disabled_reason="broken fan")]}
    )
    found = cloud.service("cmp1")
    assert (found.id, found.host, found.zone) == ("id-of-cmp1", "cmp1", "az1")
    assert (found.status, found.disabled_reason) == ("disabled", "broken fan")
    assert found.is_up
    assert found.is_known
    assert found.updated_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_service_that_is_forced_down_is_not_up(openstack, cloud):
    openstack.nova["/os-services"] = Answer({"services": [raw_service("cmp1", forced_down=True)]})
    assert not cloud.service("cmp1").is_up


def test_a_cell_that_is_down(openstack, cloud):
    """From 2.69 Nova gives the host and nothing else that can be used."""
    openstack.nova["/os-services"] = Answer(
        {"services": [{"binary": "nova-compute", "host": "cmp1", "status": "UNKNOWN"}]}
    )
    found = cloud.service("cmp1")
    assert not found.is_known
    assert not found.is_up
    assert found.id == ""


@given(st.text(alphabet="cmpCMP10 .-%_ß", min_size=1, max_size=8), st.data())
def test_hosts_are_compared_exactly(name, data):
    others = data.draw(st.lists(st.text(alphabet="cmpCMP10 .-%_ß", max_size=8)))
    names = {name, *others}
    fake = Cloud(Session(), "RegionOne")
    fake._get = lambda what, path: {"services": [raw_service(n) for n in names]}  # type: ignore[method-assign]
    assert fake.service(name).host == name


def test_a_host_of_another_spelling_is_another_host(openstack, cloud):
    openstack.nova["/os-services"] = Answer({"services": [raw_service("CMP1")]})
    assert cloud.service("cmp1") is None


def test_two_services_of_the_same_name_cannot_be_told_apart(openstack, cloud):
    openstack.nova["/os-services"] = Answer(
        {"services": [raw_service("cmp1"), raw_service("cmp1")]}
    )
    with raises(CloudAnswerUnusable, match="more than one"):
        cloud.service("cmp1")


def test_a_server_in_bytes(openstack, cloud):
    openstack.nova["/servers/detail"] = Answer(
        {"servers": [raw_server(1, locked=True, locked_reason="mine")]}
    )
    [found] = cloud.servers_on("cmp1")
    assert found.memory_bytes == 2048 * 1024**2
    assert found.disk_bytes == 21 * 1024**3 + 512 * 1024**2
    assert (found.vcpus, found.flavor_name, found.project_id) == (2, "m1.small", "p1")
    assert (found.status, found.vm_state, found.task_state) == ("ACTIVE", "active", None)
    assert (found.locked, found.locked_reason) == (True, "mine")


def test_a_swap_of_nothing_is_an_empty_text(openstack, cloud):
    """Nova writes `"swap": ""` in the embedded flavor where there is none."""
    server = raw_server(1)
    server["flavor"]["swap"] = ""
    openstack.nova["/servers/detail"] = Answer({"servers": [server]})
    assert cloud.servers_on("cmp1")[0].disk_bytes == 21 * 1024**3


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 7])
def test_all_pages_of_servers(openstack, cloud, number):
    everything = [raw_server(i) for i in range(number)]
    openstack.nova["/servers/detail"] = pages("servers", everything, 3)
    assert [s.id for s in cloud.servers_on("cmp1")] == [s["id"] for s in everything]
    openstack.nova["/servers"] = pages("servers", everything, 3)
    assert cloud.count_servers_on("cmp1") == number


def test_pages_that_go_round_in_a_circle_end_in_an_error(openstack, cloud):
    link = {"rel": "next", "href": "http://x/servers/detail?marker=server-1"}
    openstack.nova["/servers/detail"] = Answer(
        {"servers": [raw_server(1)], "servers_links": [link]}
    )
    with raises(CloudAnswerUnusable, match="list is endless"):
        cloud.servers_on("cmp1")
    assert len(openstack.requests) == 2


def test_a_host_filter_that_nova_ignores_is_no_answer(openstack, cloud):
    """Nova drops the filter for a user that it doesn't take for an admin."""
    openstack.nova["/servers/detail"] = Answer({"servers": [raw_server(1, host="cmp10")]})
    with raises(CloudAnswerUnusable, match=r"ignored the host filter.*cmp10"):
        cloud.servers_on("cmp1")


def test_a_user_who_is_not_told_the_hosts_gets_no_answer(openstack, cloud):
    server = raw_server(1)
    del server["OS-EXT-SRV-ATTR:host"]
    openstack.nova["/servers/detail"] = Answer({"servers": [server]})
    with raises(CloudAnswerUnusable, match="admin role"):
        cloud.servers_on("cmp1")


def test_servers_of_a_host_that_differs_in_case_alone_are_left_out(openstack, cloud):
    """Nova's MariaDB takes CMP1 for cmp1, so that both come back."""
    openstack.nova["/servers/detail"] = Answer(
        {"servers": [raw_server(1, host="CMP1"), raw_server(2, host="cmp1")]}
    )
    assert [s.id for s in cloud.servers_on("cmp1")] == ["server-2"]


def test_counts_side_by_side_with_failures_as_values(openstack, cloud):
    def answer(request):
        if request.query["host"] == "cmp2":
            return Answer({"computeFault": {"message": "cell timed out"}}, 500)
        return Answer({"servers": [{"id": "1"}, {"id": "2"}]})

    openstack.nova["/servers"] = answer
    found = cloud.count_servers_on_each(["cmp1", "cmp2", "cmp3"])
    assert (found["cmp1"], found["cmp3"]) == (2, 2)
    assert isinstance(found["cmp2"], CloudServerError)
    assert cloud.count_servers_on_each([]) == {}


def test_counts_are_asked_at_the_same_time(openstack, cloud):
    both_are_there = threading.Barrier(2, timeout=10)

    def answer(request):
        both_are_there.wait()  # breaks, and fails, unless two requests meet
        return Answer({"servers": []})

    openstack.nova["/servers"] = answer
    assert cloud.count_servers_on_each(["cmp1", "cmp2"]) == {"cmp1": 0, "cmp2": 0}


def raw_hypervisor(name, host, **more):
    return {
        "id": f"hv-{name}",
        "hypervisor_hostname": name,
        "hypervisor_type": "QEMU",
        "service": {"id": "s", "host": host},
        "vcpus": 16,
        "vcpus_used": 3,
        "memory_mb": 65536,
        "memory_mb_used": 4096,
        "running_vms": 2,
        **more,
    }


def test_hosts_join_services_and_hypervisors_by_the_services_host(openstack, cloud):
    openstack.nova["/os-services"] = Answer(
        {"services": [raw_service("cmp1"), raw_service("cmp2")]}
    )
    openstack.nova["/os-hypervisors/detail"] = Answer(
        {"hypervisors": [raw_hypervisor("cmp1.example.org", "cmp1")]}
    )
    one, two = cloud.hosts()
    assert one.hypervisor.hypervisor_hostname == "cmp1.example.org"
    assert one.hypervisor.memory_bytes == 65536 * 1024**2
    assert (one.hypervisor.vcpus, one.hypervisor.vcpus_used) == (16, 3)
    assert (two.host, two.hypervisor) == ("cmp2", None)
    assert len(openstack.requests) == 3


def test_nodes_of_one_service_are_added_up(openstack, cloud):
    openstack.nova["/os-services"] = Answer({"services": [raw_service("ironic")]})
    openstack.nova["/os-hypervisors/detail"] = Answer(
        {"hypervisors": [raw_hypervisor("n1", "ironic"), raw_hypervisor("n2", "ironic")]}
    )
    [host] = cloud.hosts()
    assert (host.hypervisor.vcpus, host.hypervisor.running_vms) == (32, 4)
    assert host.hypervisor.hypervisor_hostname == "", "that of none of them"


def test_the_newest_migrations_from_exactly_this_host(openstack, cloud):
    openstack.nova["/os-migrations"] = Answer(
        {"migrations": [raw_migration(3), raw_migration(2, "CMP1"), raw_migration(1, "cmp10")]}
    )
    assert [m.id for m in cloud.newest_migrations_from("cmp1", 50)] == [3]
    assert openstack.requests[-1].query == {"source_compute": "cmp1", "limit": "50"}


def test_a_migration(openstack, cloud):
    openstack.nova["/os-migrations"] = Answer({"migrations": [raw_migration(7, status="failed")]})
    [found] = cloud.migrations_of(SERVER)
    assert (found.id, found.server_id, found.status) == (7, SERVER, "failed")
    assert (found.source_compute, found.dest_compute) == ("cmp1", "cmp2")
    assert found.is_over
    assert found.created_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert found.updated_at is None


def test_progress_before_the_first_sample_is_not_zero(openstack, cloud):
    openstack.nova[f"/servers/{SERVER}/migrations"] = Answer(
        {"migrations": [{"id": 7, "status": "preparing", "memory_total_bytes": None}]}
    )
    [found] = cloud.progress(SERVER)
    assert (found.status, found.memory_total_bytes, found.disk_total_bytes) == (
        "preparing",
        None,
        None,
    )


def test_progress_in_bytes(openstack, cloud):
    openstack.nova[f"/servers/{SERVER}/migrations"] = Answer(
        {
            "migrations": [
                {
                    "id": 7,
                    "status": "running",
                    "memory_total_bytes": 100,
                    "memory_processed_bytes": 130,
                    "memory_remaining_bytes": 0,
                    "updated_at": "2026-03-01T12:00:00.000000",
                }
            ]
        }
    )
    [found] = cloud.progress(SERVER)
    assert (found.memory_total_bytes, found.memory_processed_bytes) == (100, 130)
    assert found.memory_remaining_bytes == 0


def test_what_does_not_exist_any_more_is_no_error_where_it_is_no_surprise(openstack, cloud):
    assert cloud.server(SERVER) is None
    assert cloud.progress(SERVER) == []
    assert cloud.actions(SERVER) == []
    assert cloud.failure_of(SERVER, "req-1") == ""


def test_actions(openstack, cloud):
    raw = {
        "action": "live-migration",
        "request_id": "req-1",
        "user_id": "worker-id",
        "start_time": "2026-03-01T12:00:00.000000",
        "message": None,
    }
    openstack.nova[f"/servers/{SERVER}/os-instance-actions"] = Answer({"instanceActions": [raw]})
    [found] = cloud.actions(SERVER)
    assert (found.request_id, found.action, found.user_id) == (
        "req-1",
        "live-migration",
        "worker-id",
    )


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (
            {
                "message": "Error",
                "events": [
                    {"result": "Error", "finish_time": "2", "details": "passed on"},
                    {"result": "Error", "finish_time": "1", "details": "No valid host was found."},
                    {"result": "Success", "finish_time": "0", "details": "fine"},
                ],
            },
            "No valid host was found.",
        ),
        (
            {
                "message": "Error",
                "events": [
                    {"result": "Error", "details": None, "traceback": "  File\nNoValidHost: x\n\n"}
                ],
            },
            "NoValidHost: x",
        ),
        ({"message": "Error", "events": []}, "Error"),
        ({"message": None, "events": None}, ""),
    ],
    ids=["the event that failed first", "traceback", "message", "nothing"],
)
def test_why_it_failed_in_novas_words(openstack, cloud, action, words):
    openstack.nova[f"/servers/{SERVER}/os-instance-actions/req-1"] = Answer(
        {"instanceAction": action}
    )
    assert cloud.failure_of(SERVER, "req-1") == words


def test_names_of_projects_come_from_keystone(openstack, cloud):
    openstack.keystone["/projects"] = Answer({"projects": [{"id": "p1", "name": "customer"}]})
    assert cloud.project_names() == {"p1": "customer"}


def test_who_it_is_logged_in_as(cloud):
    assert cloud.user_id() == "worker-id"


# -- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, CloudBadRequest),
        (401, CloudAuthError),
        (403, CloudForbidden),
        (404, CloudNotFound),
        (409, CloudConflict),
        (413, CloudBadRequest),
        (429, CloudBadRequest),
        (500, CloudServerError),
        (503, CloudServerError),
        (504, CloudServerError),
    ],
)
def test_an_error_keeps_novas_words_status_and_request_id(openstack, cloud, status, kind):
    openstack.nova[f"/servers/{SERVER}/action"] = Answer(
        {"someFault": {"code": status, "message": "Cannot do it now."}},
        status,
        {"x-openstack-request-id": "req-9"},
    )
    with pytest.raises(CloudError) as caught:
        cloud.live_migrate(SERVER, None)
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.request_id) == (status, "req-9")
    assert caught.value.detail == "Cannot do it now."
    assert english(caught.value.cause) == (
        f"Could not live-migrate server {SERVER}: Cannot do it now. (HTTP {status})"
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html><body><h1>502</h1>\n Bad   Gateway</body></html>", "502 Bad Gateway"),
        (b"", "Bad Gateway"),
        ({"message": "flat"}, "flat"),
        ({"strange": 1}, '{"strange": 1}'),
        (["list"], '["list"]'),
    ],
    ids=["html", "empty", "flat", "strange", "list"],
)
def test_an_error_of_something_in_between(openstack, cloud, body, words):
    openstack.nova["/os-services"] = Answer(body, 502)
    with pytest.raises(CloudServerError) as caught:
        cloud.services()
    assert caught.value.detail == words


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", b"", {"other": []}, {"services": {}}, {"services": None}, [], None],
    ids=["html", "empty", "other key", "dict", "null", "list", "bare null"],
)
def test_an_answer_that_cannot_be_read_is_no_empty_list(openstack, cloud, body):
    openstack.nova["/os-services"] = Answer(body)
    with pytest.raises(CloudAnswerUnusable):
        cloud.services()


def test_connection_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        cloud = connect(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(CloudUnreachable) as caught:
            cloud.services()
    assert caught.value.status is None


def test_no_answer_in_time(openstack):
    enough = threading.Event()

    def wait(request):
        enough.wait(10)
        return Answer({"services": []})

    openstack.nova["/os-services"] = wait
    try:
        with pytest.raises(CloudUnreachable):
            connect(openstack.url, timeout=0.2).services()
    finally:
        enough.set()


def test_a_post_whose_answer_gets_lost_is_sent_once(openstack):
    """A second one could migrate the server again."""
    enough = threading.Event()

    def wait(request):
        enough.wait(10)
        return Answer(None, 202)

    openstack.nova[f"/servers/{SERVER}/action"] = wait
    cloud = connect(openstack.url, timeout=30)
    cloud.log_in()
    cloud.timeout = 2
    try:
        with pytest.raises(CloudUnreachable):
            cloud.live_migrate(SERVER, None)
    finally:
        enough.set()
    assert len(openstack.requests) == 1


def test_keystone_refuses_the_password(openstack, cloud):
    openstack.login = Answer({"error": {"code": 401, "message": "Wrong password."}}, 401)
    with raises(CloudAuthError, match=r"Wrong password\."):
        cloud.log_in()


def test_a_region_that_the_catalogue_does_not_have(openstack):
    with raises(CloudAuthError, match="Atlantis"):
        connect(openstack.url, region="Atlantis").log_in()


def test_logs_in_where_all_is_well(cloud):
    cloud.log_in()


# -- clouds.yaml -----------------------------------------------------------------------------


@pytest.fixture
def clouds_yaml(openstack, tmp_path, monkeypatch):
    file = tmp_path / "clouds.yaml"
    file.write_text(
        f"""
        clouds:
          ours:
            region_name: RegionOne
            interface: internal
            auth: {{auth_url: "{openstack.url}/identity/v3", username: worker, password: secret,
                    project_name: admin, user_domain_id: default, project_domain_id: default}}
          anywhere:
            auth: {{auth_url: "{openstack.url}/identity/v3", username: worker, password: secret,
                    project_name: admin, user_domain_id: default, project_domain_id: default}}
          empty: {{}}
        """
    )
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))


def test_a_cloud_of_clouds_yaml(openstack, clouds_yaml):
    openstack.nova["/os-services"] = Answer({"services": [raw_service("cmp1")]})
    cloud = from_clouds_yaml("ours", "")
    assert cloud.region == "RegionOne"
    assert openstack.requests == []
    assert [s.host for s in cloud.services()] == ["cmp1"]


def test_a_region_where_clouds_yaml_names_none(openstack, clouds_yaml):
    openstack.regions = ["RegionOne", "RegionTwo"]
    cloud = from_clouds_yaml("anywhere", "RegionTwo")
    assert cloud.region == "RegionTwo"
    cloud.log_in()


def test_a_region_that_clouds_yaml_does_not_have(clouds_yaml):
    with raises(ConfigurationError, match="Atlantis"):
        from_clouds_yaml("ours", "Atlantis")


@pytest.mark.parametrize("name", ["theirs", "empty"])
def test_a_cloud_that_cannot_be_used(clouds_yaml, name):
    with raises(ConfigurationError, match=name):
        from_clouds_yaml(name, "")


# -- what stands around servers --------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "offered", "asked"),
    [
        ("/compute/v2.1", "2.104", "2.98"),
        ("/compute/v2.1/", "2.97", "2.97"),
        ("/compute/v2.1/0123abcd", "2.100", "2.98"),
        ("/compute/v2.1", "2.90", "2.90"),
        ("/compute/v2.1", "2.9", "2.87"),
        ("/compute/v2.1", "", "2.87"),
    ],
)
def test_lists_servers_at_the_newest_microversion_that_helps(openstack, path, offered, asked):
    openstack.compute_path = path
    below = path.removeprefix("/compute/v2.1").rstrip("/")
    openstack.nova["/"] = Answer({"version": {"id": "v2.1", "version": offered}})
    openstack.nova[f"{below}/servers/detail"] = Answer({"servers": []})
    cloud = connect(openstack.url)
    assert cloud.prefer_newest() == asked
    assert cloud.servers_on("cmp1") == []
    assert openstack.requests[-1].headers["x-openstack-nova-api-version"] == asked


def test_a_nova_that_does_not_say_what_it_offers(openstack, cloud):
    assert cloud.prefer_newest() == "2.87"


def test_what_a_newer_nova_tells_of_a_server(openstack, cloud):
    image = {"id": "image-1", "properties": {"hw_disk_bus": "virtio"}}
    raw = raw_server(1, image=image, pinned_availability_zone=None)
    raw["OS-EXT-AZ:availability_zone"] = "az1"
    raw["flavor"]["extra_specs"] = {"hw:cpu_policy": "dedicated"}
    openstack.nova["/servers/detail"] = Answer({"servers": [raw]})
    [found] = cloud.servers_on("cmp1")
    assert (found.zone, found.pinned_zone) == ("az1", "")
    assert found.boots_from_volume is False
    assert found.image_properties == {"hw_disk_bus": "virtio"}
    assert found.extra_specs == {"hw:cpu_policy": "dedicated"}
    assert found.local_disk_bytes == found.disk_bytes == 21 * 1024**3 + 512 * 1024**2


def test_what_an_older_nova_does_not_tell(openstack, cloud):
    openstack.nova["/servers/detail"] = Answer({"servers": [raw_server(1, image="")]})
    [found] = cloud.servers_on("cmp1")
    assert (found.pinned_zone, found.image_properties) == (None, None)
    assert found.boots_from_volume is True
    assert found.local_disk_bytes == 1024**3 + 512 * 1024**2  # ephemeral and swap


# -- lists that come in pages ----------------------------------------------------------------


def groups_of(number):
    return [
        {"id": f"g{n}", "name": "ring", "policy": "anti-affinity", "members": ["s1"], "rules": {}}
        for n in range(number)
    ]


def by_offset(items, max_limit):
    """As Nova answers for server groups: without links, and never more than `[api] max_limit`."""

    def answer(request):
        start = int(request.query["offset"])
        limit = min(int(request.query["limit"]), max_limit)
        return Answer({"server_groups": items[start : start + limit]})

    return answer


@pytest.mark.parametrize("max_limit", [1, 2, 3, 50, 100, 1000])
@pytest.mark.parametrize("number", [0, 1, 6, 7, 100])
def test_server_groups_of_all_projects_page_by_page(openstack, cloud, number, max_limit):
    groups = groups_of(number)
    openstack.nova["/os-server-groups"] = by_offset(groups, max_limit)
    assert [g.id for g in cloud.server_groups()] == [g["id"] for g in groups]
    assert all(r.query["all_projects"] == "True" for r in openstack.requests)


def test_a_list_whose_offset_is_ignored_is_refused(openstack, cloud):
    openstack.nova["/os-server-groups"] = Answer({"server_groups": groups_of(3)})
    with raises(CloudAnswerUnusable, match="the list is endless"):
        cloud.server_groups()


def action(number):
    return {"action": "live-migration", "request_id": f"req-{number}", "user_id": "u"}


#: every list of Nova's that has links: its path, key, where its links are, an item, the marker of
#: an item, and how it is read
LISTS = {
    "servers": (
        ("/servers/detail", "servers", "servers_links"),
        lambda n: raw_server(n),
        "id",
        lambda cloud: [s.id for s in cloud.servers_on("cmp1")],
    ),
    "count": (
        ("/servers", "servers", "servers_links"),
        lambda n: raw_server(n),
        "id",
        lambda cloud: range(cloud.count_servers_on("cmp1")),
    ),
    "hypervisors": (
        ("/os-hypervisors/detail", "hypervisors", "hypervisors_links"),
        lambda n: raw_hypervisor(f"cmp{n}", f"cmp{n}"),
        "id",
        lambda cloud: [h.id for h in cloud.hypervisors()],
    ),
    "unconfirmed": (
        ("/os-migrations", "migrations", "migrations_links"),
        lambda n: raw_migration(n, status="finished"),
        "uuid",
        lambda cloud: [m.id for m in cloud.unconfirmed_from("cmp1")],
    ),
    "touching": (
        ("/os-migrations", "migrations", "migrations_links"),
        raw_migration,
        "uuid",
        lambda cloud: [m.id for m in cloud.migrations_touching("cmp1")],
    ),
    "newest": (
        ("/os-migrations", "migrations", "migrations_links"),
        raw_migration,
        "uuid",
        lambda cloud: [m.id for m in cloud.newest_migrations_from("cmp1", 20)],
    ),
    "of one server": (
        ("/os-migrations", "migrations", "migrations_links"),
        raw_migration,
        "uuid",
        lambda cloud: [m.id for m in cloud.migrations_of(SERVER)],
    ),
    "actions": (
        (f"/servers/{SERVER}/os-instance-actions", "instanceActions", "links"),
        action,
        "request_id",
        lambda cloud: [a.request_id for a in cloud.actions(SERVER)],
    ),
}


def by_links(path, key, links, marker, items, max_limit):
    """As Nova answers: a page that is as long as it may be has a link to the next one, even where
    that has nothing on it (nova/api/openstack/common.py, `_get_collection_links`)."""

    def answer(request):
        ids = [str(one[marker]) for one in items]
        start = ids.index(request.query["marker"]) + 1 if "marker" in request.query else 0
        size = min(max_limit, int(request.query["limit"]))
        page = items[start : start + size]
        body = {key: page}
        if len(page) == size:
            href = f"http://elsewhere{path}?limit={size}&marker={page[-1][marker]}"
            body[links] = [{"rel": "next", "href": href}]
        return Answer(body)

    return answer


@pytest.mark.parametrize("max_limit", [1, 2, 3, 6, 7, 1000])
@pytest.mark.parametrize("number", [0, 1, 6, 7])
@pytest.mark.parametrize("kind", LISTS)
def test_a_list_is_read_whole_however_short_its_pages_are(
    openstack, cloud, kind, number, max_limit
):
    """How long a page is, is up to Nova's `[api] max_limit`."""
    (path, key, links), item, marker, read = LISTS[kind]
    items = [item(n) for n in range(1, number + 1)]
    openstack.nova[path] = by_links(path, key, links, marker, items, max_limit)
    found = list(read(cloud))
    assert len(found) == len(set(found)) == number
    # a page that is full has another one behind it, for all that is known; of the hypervisors
    # every page has, as Nova leaves its link out where it left one of them out
    pages = -(-number // max_limit) if kind == "hypervisors" else number // max_limit
    assert len(openstack.requests) == pages + 1


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_goes_round_is_refused(openstack, cloud, kind):
    (path, key, links), item, _marker, read = LISTS[kind]
    link = [{"rel": "next", "href": f"http://elsewhere{path}?marker=m"}]
    openstack.nova[path] = lambda request: Answer({key: [item(1)], links: link})
    with raises(CloudAnswerUnusable, match="the list is endless"):
        read(cloud)


def test_no_more_is_read_than_is_wanted(openstack, cloud):
    openstack.nova["/os-migrations"] = pages("migrations", [raw_migration(n) for n in range(9)], 2)
    assert len(cloud.newest_migrations_from("cmp1", 5)) == 5
    assert [r.query["limit"] for r in openstack.requests] == ["5", "3", "1"]


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_projects_are_followed_where_keystone_makes_pages(openstack, cloud, size):
    projects = [{"id": f"p{n}", "name": f"name {n}"} for n in range(6)]

    def answer(request):
        ids = [p["id"] for p in projects]
        start = ids.index(request.query["marker"]) + 1 if "marker" in request.query else 0
        page = projects[start : start + size]
        following = f"http://elsewhere/v3/projects?marker={page[-1]['id']}" if page else None
        if start + size > len(projects):
            following = None
        return Answer({"projects": page, "links": {"next": following}})

    openstack.keystone["/projects"] = answer
    assert cloud.project_names() == {p["id"]: p["name"] for p in projects}


@pytest.mark.parametrize("number", [1, 3])
def test_a_keystone_that_ignores_the_marker_is_refused(openstack, cloud, number):
    projects = [{"id": f"p{n}", "name": f"name {n}"} for n in range(number)]
    link = {"next": f"http://elsewhere/v3/projects?marker=p{number - 1}"}
    openstack.keystone["/projects"] = Answer({"projects": projects, "links": link})
    with raises(CloudAnswerUnusable, match="the list is endless"):
        cloud.project_names()
    assert len(openstack.requests) == 2


def test_a_list_of_projects_that_is_cut_off_without_a_link_is_taken_as_it_is(openstack, cloud):
    """A Keystone that makes no pages says `truncated`, and knows no marker."""
    openstack.keystone["/projects"] = Answer(
        {"projects": [{"id": "p1", "name": "one"}], "links": {"next": None}, "truncated": True}
    )
    assert cloud.project_names() == {"p1": "one"}
    assert len(openstack.requests) == 1


def test_a_server_group(openstack, cloud):
    raw = {
        "id": "g1",
        "name": "ring",
        "policy": "anti-affinity",
        "rules": {"max_server_per_host": 3},
        "members": ["s1", "s2"],
        "project_id": "p1",
    }
    openstack.nova["/os-server-groups"] = by_offset([raw], 1000)
    [found] = cloud.server_groups()
    assert (found.policy, found.max_per_host, found.members) == ("anti-affinity", 3, ("s1", "s2"))
    assert found.is_anti_affinity
    assert not found.is_soft


def test_an_aggregate(openstack, cloud):
    raw = {
        "name": "fast",
        "availability_zone": None,
        "hosts": ["cmp1"],
        "metadata": {"trait:CUSTOM_FAST": "required"},
    }
    openstack.nova["/os-aggregates"] = Answer({"aggregates": [raw]})
    [found] = cloud.aggregates()
    assert (found.zone, found.hosts) == ("", ("cmp1",))
    assert found.metadata == {"trait:CUSTOM_FAST": "required"}


def test_the_hosts_are_shown_whether_placement_answers_or_not(openstack, cloud):
    openstack.nova["/os-services"] = Answer(
        {"services": [raw_service("cmp1"), raw_service("cmp2")]}
    )
    openstack.nova["/os-hypervisors/detail"] = Answer(
        {"hypervisors": [raw_hypervisor("cmp1", "cmp1", id="p1")]}
    )
    told = {"VCPU": {"capacity": 64, "used": 5}}
    summaries = {"provider_summaries": {"p1": {"resources": told, "root_provider_uuid": "p1"}}}
    openstack.placement["/allocation_candidates"] = Answer(summaries)
    hosts, capacity = cloud.hosts_and_capacity()
    assert [one.host for one in hosts] == ["cmp1", "cmp2"]
    largest = {"VCPU": 16, "MEMORY_MB": 64 * 1024}
    expected = Capacity({"VCPU": 64}, {"VCPU": 5}, providers=("p1",), largest=largest)
    assert capacity == {"cmp1": expected}
    assert len(openstack.requests) == 4
    openstack.placement["/allocation_candidates"] = Answer({}, status=500)
    hosts, capacity = cloud.hosts_and_capacity()
    assert (len(hosts), capacity) == (2, None)
    openstack.nova["/os-services"] = Answer({}, status=403)
    with pytest.raises(CloudForbidden):
        cloud.hosts_and_capacity()


def test_the_overcommit_of_exactly_this_host(openstack, cloud):
    openstack.nova["/os-hypervisors/detail"] = Answer(
        {
            "hypervisors": [
                raw_hypervisor("cmp10", "cmp10", id="p10"),
                raw_hypervisor("x", "cmp1", id="p1"),
            ]
        }
    )
    memory = {"total": 65536, "reserved": 512, "allocation_ratio": 1.5, "step_size": 1}
    openstack.placement["/resource_providers/p1/inventories"] = Answer(
        {"inventories": {"MEMORY_MB": memory, "VCPU": {"total": 16}}}
    )
    found = cloud.inventories_of("cmp1")
    assert found == {"MEMORY_MB": Inventory(65536, 512, 1.5), "VCPU": Inventory(16, 0, 1.0)}
    assert cloud.inventories_of("CMP1") == {}


def test_capacity_by_host_with_nested_providers_added_up(openstack, cloud):
    def resources(**amounts):
        return {k: {"capacity": c, "used": u} for k, (c, u) in amounts.items()}

    openstack.nova["/os-hypervisors/detail"] = Answer(
        {
            "hypervisors": [
                {"id": f"node{n}", "hypervisor_hostname": "x", "service": {"host": f"cmp{n}"}}
                for n in (1, 2, 3)
            ]
        }
    )
    openstack.placement["/allocation_candidates"] = Answer(
        {
            "allocation_requests": [],
            "provider_summaries": {
                "node1": {
                    "root_provider_uuid": "node1",
                    "traits": ["HW_CPU_X86_AVX2"],
                    "resources": resources(VCPU=(64, 3), MEMORY_MB=(8000, 1000)),
                },
                "gpu": {
                    "root_provider_uuid": "node1",
                    "traits": ["CUSTOM_GPU"],
                    "resources": resources(VGPU=(4, 1)),
                },
                "node2": {
                    "root_provider_uuid": "node2",
                    "traits": [],
                    "resources": resources(MEMORY_MB=(500, 0)),
                },
                "somebody-else": {"root_provider_uuid": "storage", "traits": [], "resources": {}},
            },
        }
    )
    found = cloud.capacity()
    assert set(found) == {"cmp1", "cmp2"}  # cmp3 has no memory left
    one = found["cmp1"]
    assert one.total == {"VCPU": 64, "MEMORY_MB": 8000, "VGPU": 4}
    assert (one.free("VCPU"), one.free("VGPU"), one.free("DISK_GB")) == (61, 3, 0)
    assert one.traits == {"HW_CPU_X86_AVX2", "CUSTOM_GPU"}
    [asked] = [r for r in openstack.requests if r.path == "/allocation_candidates"]
    assert asked.query == {"resources": "MEMORY_MB:1"}
    assert asked.headers["openstack-api-version"] == "placement 1.29"


def test_a_host_of_ironic_has_nothing_to_take(openstack, cloud):
    openstack.nova["/os-hypervisors/detail"] = Answer(
        {
            "hypervisors": [
                raw_hypervisor("n1", "metal", hypervisor_type="ironic", id="n1"),
                raw_hypervisor("n2", "metal", hypervisor_type="ironic", id="n2"),
                raw_hypervisor("cmp1", "cmp1", id="node1"),
            ]
        }
    )
    some = {"root_provider_uuid": "n1", "traits": [], "resources": {}}
    openstack.placement["/allocation_candidates"] = Answer(
        {"allocation_requests": [], "provider_summaries": {"n1": some}}
    )
    found = cloud.capacity()
    assert (found["metal"].bare_metal, found["metal"].total) == (True, {})
    assert "cmp1" not in found  # it has no memory left, and is no machine of Ironic's


def test_resizes_that_nobody_confirmed(openstack, cloud):
    def answer(request):
        assert request.query["status"] == "finished"
        found = [raw_migration(1, status="finished"), raw_migration(2, "CMP1", status="finished")]
        return Answer({"migrations": found})

    openstack.nova["/os-migrations"] = answer
    assert [m.id for m in cloud.unconfirmed_from("cmp1")] == [1]


def test_several_reads_at_once_fail_one_by_one(openstack, cloud):
    openstack.nova["/os-aggregates"] = Answer({"aggregates": []})
    openstack.nova["/servers/s1"] = Answer({"server": raw_server(1)})
    openstack.nova["/servers/s3"] = Answer({"computeFault": {"message": "no"}}, 500)
    found = cloud.try_side_by_side({"a": cloud.aggregates, "g": cloud.server_groups})
    assert found["a"] == []
    assert isinstance(found["g"], CloudNotFound)
    assert list(cloud.servers_by_id(["s1", "s2", "s3"])) == ["server-1"]
    assert cloud.servers_by_id([]) == {}


def test_what_goes_side_by_side_keeps_its_order_and_its_first_failure():
    first_may_end = threading.Event()

    def first():
        assert first_may_end.wait(10)  # after the second one, unless they do not run together
        return 1

    def second():
        first_may_end.set()
        return 2

    assert gateway.side_by_side([first, second]) == [1, 2]
    assert gateway.side_by_side([]) == []
    with pytest.raises(ZeroDivisionError):
        gateway.side_by_side([lambda: 1, lambda: 1 // 0, lambda: {}["nothing"]])


def test_what_goes_side_by_side_may_do_so_within():
    """As `capacity` does among the reads of a preflight: threads in common would all wait."""
    width = gateway.PARALLEL + 1

    def within():
        return sum(gateway.side_by_side([lambda: 1] * width))

    assert gateway.side_by_side([within] * width) == [width] * width


# -- steering a migration --------------------------------------------------------------------


def test_enables_a_service_without_a_reason(openstack, cloud):
    openstack.nova["/os-services/abc"] = Answer(
        {"service": {}}, 200, {"x-openstack-request-id": "req-1"}
    )
    assert cloud.enable_service("abc") == "req-1"
    [request] = openstack.requests
    assert (request.method, request.body) == ("PUT", {"status": "enabled"})


@pytest.mark.parametrize(
    ("call", "method", "path", "body"),
    [
        (lambda c: c.abort_migration(SERVER, 7), "DELETE", "/migrations/7", None),
        (
            lambda c: c.force_complete(SERVER, 7),
            "POST",
            "/migrations/7/action",
            {"force_complete": None},
        ),
        (
            lambda c: c.reset_state_to_active(SERVER),
            "POST",
            "/action",
            {"os-resetState": {"state": "active"}},
        ),
    ],
    ids=["abort", "force complete", "reset state"],
)
def test_what_steers_a_migration(openstack, cloud, call, method, path, body):
    openstack.nova[f"/servers/{SERVER}{path}"] = Answer(
        None, 202, {"x-openstack-request-id": "req-2"}
    )
    assert call(cloud) == "req-2"
    [request] = openstack.requests
    assert (request.method, request.body) == (method, body)
    openstack.nova[f"/servers/{SERVER}{path}"] = Answer(
        {"badRequest": {"message": "Migration 7 is in state error."}}, 400
    )
    with raises(CloudBadRequest, match="Migration 7 is in state error"):
        call(cloud)


def test_diagnostics(openstack, cloud):
    openstack.nova[f"/servers/{SERVER}/diagnostics"] = Answer(
        {"state": "running", "driver": "libvirt", "uptime": 42, "hypervisor": None}
    )
    found = cloud.diagnostics(SERVER)
    assert (found.state, found.driver, found.uptime_seconds) == ("running", "libvirt", 42)
    assert found.hypervisor == ""
    [request] = openstack.requests
    assert request.headers["openstack-api-version"] == f"compute {gateway.MICROVERSION}"


@pytest.mark.parametrize("body", [{}, {"state": None}, {"state": ""}, [], None])
def test_diagnostics_without_a_state_are_no_answer(openstack, cloud, body):
    openstack.nova[f"/servers/{SERVER}/diagnostics"] = Answer(body)
    with pytest.raises(CloudAnswerUnusable):
        cloud.diagnostics(SERVER)


def test_migrations_that_touch_exactly_this_host(openstack, cloud):
    found = [
        raw_migration(1),
        raw_migration(2, "cmp3", dest_compute="cmp1"),
        raw_migration(3, "CMP1"),
        raw_migration(4, "cmp3", dest_compute="cmp10"),
        raw_migration(5, "cmp1", dest_compute=None),
    ]
    openstack.nova["/os-migrations"] = pages("migrations", found, 2)
    assert [m.id for m in cloud.migrations_touching("cmp1")] == [1, 2, 5]
    assert openstack.requests[0].query["host"] == "cmp1"


def test_hypervisors_of_exactly_this_host_are_asked_for_by_name(openstack, cloud):
    openstack.nova["/os-hypervisors/detail"] = Answer(
        {"hypervisors": [raw_hypervisor("cmp1.x", "cmp1"), raw_hypervisor("cmp10.x", "cmp10")]}
    )
    assert [h.hypervisor_hostname for h in cloud.hypervisors_of("cmp1")] == ["cmp1.x"]
    [request] = openstack.requests
    assert request.query == {"hypervisor_hostname_pattern": "cmp1"}


@pytest.mark.parametrize(
    ("by_name", "names"),
    [
        (Answer({"itemNotFound": {"message": "No hypervisor matching"}}, 404), ["node-7"]),
        (Answer({"badRequest": {"message": "is not a fqdn"}}, 400), ["node-7"]),
        (Answer({"hypervisors": [raw_hypervisor("cmp10.x", "cmp10")]}), ["node-7"]),
        (
            Answer(
                {"hypervisors": [raw_hypervisor("cmp1-node", "cmp1", hypervisor_type="ironic")]}
            ),
            ["node-7"],
        ),
    ],
    ids=["nothing matches", "no host name", "another host alone", "some nodes of Ironic"],
)
def test_hypervisors_of_another_name_are_found_in_the_whole_list(openstack, cloud, by_name, names):
    everything = [raw_hypervisor("node-7", "cmp1"), raw_hypervisor("cmp10.x", "cmp10")]

    def answer(request):
        if "hypervisor_hostname_pattern" in request.query:
            return by_name
        return Answer({"hypervisors": [] if "marker" in request.query else everything})

    openstack.nova["/os-hypervisors/detail"] = answer
    assert [h.hypervisor_hostname for h in cloud.hypervisors_of("cmp1")] == names


def test_hypervisors_of_a_host_are_asked_for_by_the_name_that_is_known(openstack, cloud):
    openstack.nova["/os-hypervisors/detail"] = Answer(
        {"hypervisors": [raw_hypervisor("node-7", "cmp1"), raw_hypervisor("node-70", "cmp10")]}
    )
    assert [h.id for h in cloud.hypervisors_of("cmp1", "node-7")] == ["hv-node-7"]
    [request] = openstack.requests
    assert request.query == {"hypervisor_hostname_pattern": "node-7"}


def test_hypervisors_are_listed_in_small_pages_whatever_the_links_say(openstack, cloud):
    """Nova leaves the link out where it left a hypervisor out, whose service was deleted."""
    everything = [raw_hypervisor(f"n{n}", f"cmp{n}") for n in range(5)]

    def answer(request):
        ids = [one["id"] for one in everything]
        first = ids.index(request.query["marker"]) + 1 if "marker" in request.query else 0
        return Answer({"hypervisors": everything[first : first + 2]})

    openstack.nova["/os-hypervisors/detail"] = answer
    found, marker = [], ""
    while page := cloud.hypervisors_after(marker):
        found += page
        marker = page[-1].id
    assert [one.host for one in found] == [f"cmp{n}" for n in range(5)]
    assert [r.query for r in openstack.requests][:2] == [
        {"limit": "50"},
        {"limit": "50", "marker": "hv-n1"},
    ]
    # usage ends there, and beyond it Nova asks every host
    assert openstack.requests[0].headers["openstack-api-version"] == "compute 2.87"


@pytest.mark.parametrize("hidden", [0, 2, 4])
def test_all_hypervisors_are_listed_though_nova_leaves_one_out(openstack, cloud, hidden):
    """Nova's page is shorter by one whose service was deleted, and has no link to the next one."""
    everything = [raw_hypervisor(f"n{n}", f"cmp{n}") for n in range(5)]

    def answer(request):
        ids = [one["id"] for one in everything]
        first = ids.index(request.query["marker"]) + 1 if "marker" in request.query else 0
        page = [(n, one) for n, one in enumerate(everything)][first : first + 3]
        body = {"hypervisors": [one for n, one in page if n != hidden]}
        if len(body["hypervisors"]) == 3:
            body["hypervisors_links"] = [{"rel": "next", "href": f"?marker={page[-1][1]['id']}"}]
        return Answer(body)

    openstack.nova["/os-hypervisors/detail"] = answer
    found = [one.host for one in cloud.hypervisors()]
    assert found == [f"cmp{n}" for n in range(5) if n != hidden]


def test_a_list_of_hypervisors_that_goes_round_is_an_error(openstack, cloud):
    first = Answer({"hypervisors": [raw_hypervisor("n0", "cmp0")]})
    openstack.nova["/os-hypervisors/detail"] = lambda request: first
    with raises(CloudAnswerUnusable, match="endless"):
        cloud.hypervisors_after("hv-n0")


@pytest.mark.parametrize("marked", [True, False], ids=["by ids", "without ids"])
def test_a_list_of_hypervisors_that_goes_round_by_several_pages_is_an_error(
    openstack, cloud, marked
):
    pages = [[raw_hypervisor(f"n{n}", f"cmp{n}")] for n in range(2)]
    if not marked:
        pages = [[{"hypervisor_hostname": "n0", "service": {"host": "cmp0"}}]]
    asked = itertools.count()

    def answer(request):
        number = next(asked)
        assert number < 10, "nobody stops"
        return Answer({"hypervisors": pages[number % len(pages)]})

    openstack.nova["/os-hypervisors/detail"] = answer
    with raises(CloudAnswerUnusable, match="endless"):
        cloud.hypervisors()


def test_one_hypervisor_says_how_many_servers_its_host_has_now(openstack, cloud):
    servers = [{"uuid": "1", "name": "a"}, {"uuid": "2", "name": "b"}]
    openstack.nova["/os-hypervisors/hv-n1"] = Answer(
        {"hypervisor": raw_hypervisor("n1", "cmp1") | {"servers": servers}}
    )
    hypervisor, number = cloud.hypervisor_and_servers("hv-n1")
    assert (hypervisor.host, number) == ("cmp1", 2)
    [request] = openstack.requests
    assert request.query == {"with_servers": "true"}


def test_one_that_does_not_tell_its_servers_is_no_empty_one(openstack, cloud):
    openstack.nova["/os-hypervisors/hv-n1"] = Answer({"hypervisor": raw_hypervisor("n1", "cmp1")})
    with raises(CloudAnswerUnusable, match="servers"):
        cloud.hypervisor_and_servers("hv-n1")


def test_capacity_asks_nova_for_no_list_where_the_hypervisors_are_known(openstack, cloud):
    summary = {"root_provider_uuid": "n1", "traits": [], "resources": {}}
    openstack.placement["/allocation_candidates"] = Answer(
        {"allocation_requests": [], "provider_summaries": {"n1": summary}}
    )
    known = [as_hypervisor(raw_hypervisor("cmp1", "cmp1", id="n1"))]
    assert set(cloud.capacity(known)) == {"cmp1"}
    assert [r.path for r in openstack.requests] == ["/allocation_candidates"]


def test_no_instance_is_given_more_than_the_machine_has_however_much_may_be_allocated(
    openstack, cloud
):
    """Placement's `max_unit`, which the summaries leave out."""
    told = {
        "VCPU": {"capacity": 64, "used": 0},
        "PCPU": {"capacity": 8, "used": 0},
        "MEMORY_MB": {"capacity": 98304, "used": 90000},
    }
    summary = {"traits": [], "resources": told}
    openstack.placement["/allocation_candidates"] = Answer(
        {"allocation_requests": [], "provider_summaries": {"n1": summary, "n2": summary}}
    )
    # one whose processors are all dedicated ones shows none
    odd = raw_hypervisor("cmp2", "cmp2", id="n2", vcpus=0, memory_mb=0)
    known = [as_hypervisor(raw_hypervisor("cmp1", "cmp1", id="n1")), as_hypervisor(odd)]
    found = cloud.capacity(known)
    assert found["cmp1"].largest == {"VCPU": 16, "MEMORY_MB": 65536}
    rooms = [found["cmp1"].room(name) for name in ("VCPU", "PCPU", "MEMORY_MB")]
    assert rooms == [16, 8, 98304 - 90000]
    assert found["cmp2"].largest == {}
    assert found["cmp2"].room("VCPU") == 64


def test_hosts_ask_nova_for_no_list_where_the_hypervisors_are_known(openstack, cloud):
    openstack.nova["/os-services"] = Answer({"services": [{"id": "s", "host": "cmp1"}]})
    known = [as_hypervisor(raw_hypervisor("cmp1", "cmp1", id="n1"))]
    [found] = cloud.hosts(known)
    assert (found.host, found.hypervisor) == ("cmp1", known[0])
    assert [r.path for r in openstack.requests] == ["/os-services"]


def test_the_region_that_nobody_named_is_the_catalogues(openstack, cloud):
    assert cloud.find_region() == cloud.region != ""
    named = cloud.region
    cloud.region = ""
    assert cloud.find_region() == named


def test_a_list_of_hypervisors_that_fails_is_not_an_empty_one(openstack, cloud):
    openstack.nova["/os-hypervisors/detail"] = Answer({"computeFault": {"message": "cell"}}, 500)
    with pytest.raises(CloudServerError):
        cloud.hypervisors_of("cmp1")


def placement_tree(openstack, *uuids):
    openstack.placement["/resource_providers"] = Answer(
        {"resource_providers": [{"uuid": uuid, "name": uuid} for uuid in uuids]}
    )


def held(openstack, provider, **consumers):
    allocations = {name: {"resources": resources} for name, resources in consumers.items()}
    openstack.placement[f"/resource_providers/{provider}/allocations"] = Answer(
        {"allocations": allocations, "resource_provider_generation": 3}
    )


def test_allocations_of_a_provider_and_of_those_nested_with_it(openstack, cloud):
    placement_tree(openstack, "node1", "gpu")
    held(openstack, "node1", s1={"VCPU": 2, "MEMORY_MB": 512})
    held(openstack, "gpu", s1={"VGPU": 1})
    found = cloud.allocations_on(["node1"])
    assert [(a.consumer_id, a.provider_id, a.resources) for a in found] == [
        ("s1", "node1", {"VCPU": 2, "MEMORY_MB": 512}),
        ("s1", "gpu", {"VGPU": 1}),
    ]
    assert openstack.requests[0].query == {"in_tree": "node1"}
    assert openstack.requests[0].headers["openstack-api-version"] == "placement 1.29"
    assert cloud.allocations_on(["node1", "gpu"]) == found  # one tree: each of them once


def test_a_provider_that_placement_does_not_know_is_not_an_empty_one(openstack, cloud):
    placement_tree(openstack)
    with raises(CloudAnswerUnusable, match="does not know this resource provider"):
        cloud.allocations_on(["node1"])
    placement_tree(openstack, "another")
    held(openstack, "another")
    with raises(CloudAnswerUnusable, match="does not know this resource provider"):
        cloud.allocations_on(["node1"])


def test_a_provider_that_goes_away_meanwhile_is_not_an_empty_one(openstack, cloud):
    placement_tree(openstack, "node1")
    with pytest.raises(CloudAnswerUnusable):
        cloud.allocations_on(["node1"])


@pytest.mark.parametrize("body", [{}, {"allocations": None}, {"allocations": {"s1": {}}}])
def test_allocations_that_cannot_be_read_are_not_none(openstack, cloud, body):
    placement_tree(openstack, "node1")
    openstack.placement["/resource_providers/node1/allocations"] = Answer(body)
    with pytest.raises(CloudAnswerUnusable):
        cloud.allocations_on(["node1"])


def test_a_placement_that_refuses_is_an_error(openstack, cloud):
    openstack.placement["/resource_providers"] = Answer({"errors": [{"detail": "no"}]}, 403)
    with pytest.raises(CloudForbidden):
        cloud.allocations_on(["node1"])

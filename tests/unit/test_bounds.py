"""Requests are bounded, and a request for change is sent once at most, against servers that
misbehave on a real socket."""

import contextlib
import inspect
import json
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import requests
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session

from tests.said import raises
from tests.unit import openstack_server
from tests.unit.openstack_server import Answer
from tests.unit.test_cloud import SERVER, connect
from ukcloud_maintenance import cloud as gateway
from ukcloud_maintenance.cloud import Cloud, from_clouds_yaml, http, transport
from ukcloud_maintenance.cloud.errors import busy_seconds
from ukcloud_maintenance.core.facts import Consumer
from ukcloud_maintenance.exceptions import (
    CloudAuthError,
    CloudBadRequest,
    CloudConflict,
    CloudError,
    CloudForbidden,
    CloudServerError,
    CloudUnreachable,
    ConfigurationError,
    PassOver,
)
from ukcloud_maintenance.messages import english


@pytest.fixture
def openstack():
    with openstack_server.running() as server:
        yield server


#: Every request for change that the gateway makes.
WRITES = {
    "live_migrate": lambda c: c.live_migrate(SERVER, "cmp2"),
    "cold_migrate": lambda c: c.cold_migrate(SERVER, None),
    "confirm_resize": lambda c: c.confirm_resize(SERVER),
    "abort_migration": lambda c: c.abort_migration(SERVER, 7),
    "force_complete": lambda c: c.force_complete(SERVER, 7),
    "reset_state_to_active": lambda c: c.reset_state_to_active(SERVER),
    "disable_service": lambda c: c.disable_service("id-1", "new kernel"),
    "enable_service": lambda c: c.enable_service("id-1"),
    "set_allocations": lambda c: c.set_allocations(Consumer("c-1", "p", "u", 3)),
    "set_traits": lambda c: c.set_traits("rp-1", ["A"], 3),
    "build_server": lambda c: c.build_server(
        "canary", "az1:cmp1", image="i", flavor="f", network="none", metadata={}
    ),
    "delete_server": lambda c: c.delete_server(SERVER),
}
OF_PLACEMENT = {"set_allocations", "set_traits"}
ACTION = f"/servers/{SERVER}/action"
SERVICES = "/os-services"


@dataclass
class Silent:
    """A server that takes connections and what comes over them, and answers in its own way.

    :param way: hangs (says nothing), drips (a byte now and then), breaks (closes half-way)
    """

    way: str
    port: int = 0
    received: list[bytes] = field(default_factory=list)

    def serve(self, server: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            try:
                client, _ = server.accept()
            except OSError:
                continue
            threading.Thread(target=self.answer, args=(client, over), daemon=True).start()

    def answer(self, client: socket.socket, over: threading.Event) -> None:
        with client:
            self.received.append(client.recv(65536))
            if self.way == "drips":
                try:
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
                    while not over.wait(0.1):
                        client.sendall(b" ")
                except OSError:
                    return
            elif self.way == "breaks":
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
            else:
                over.wait(30)


@contextmanager
def silent(way: str):
    found = Silent(way)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        found.port = server.getsockname()[1]
        thread = threading.Thread(target=found.serve, args=(server, over), daemon=True)
        thread.start()
        yield found
        over.set()
        thread.join()


@pytest.mark.parametrize("way", ["hangs", "drips", "breaks"])
class TestWhatDoesNotAnswer:
    def test_a_login_is_given_up(self, way):
        with silent(way) as keystone:
            cloud = connect(f"http://127.0.0.1:{keystone.port}", timeout=0.5)
            with pytest.raises(CloudError) as caught:
                cloud.services()
        assert isinstance(caught.value, CloudUnreachable | CloudAuthError)

    def test_a_read_is_given_up(self, openstack, way):
        with silent(way) as nova:
            cloud = connect(openstack.url, timeout=0.5)
            cloud._compute.endpoint_override = f"http://127.0.0.1:{nova.port}/v2.1"
            with pytest.raises(CloudUnreachable):
                cloud.services()

    @pytest.mark.parametrize("name", WRITES)
    def test_a_request_for_change_is_given_up_and_was_sent_once(self, openstack, way, name):
        with silent(way) as nova:
            cloud = connect(openstack.url, timeout=30)
            cloud.log_in()
            cloud.timeout = 1
            for api in (cloud._compute, cloud._placement):
                api.endpoint_override = f"http://127.0.0.1:{nova.port}/v2.1"
            with pytest.raises(CloudUnreachable) as caught:
                WRITES[name](cloud)
            assert caught.value.sent, "whether Nova has it is not known"
            assert not caught.value.not_begun
            assert len([r for r in nova.received if r]) == 1


def refusing(status: int, **headers: str) -> Answer:
    return Answer({"error": {"message": "no"}}, status, headers)


def paths_of(name: str) -> str:
    return {
        "abort_migration": f"/servers/{SERVER}/migrations/7",
        "force_complete": f"/servers/{SERVER}/migrations/7/action",
        "disable_service": "/os-services/id-1",
        "enable_service": "/os-services/id-1",
        "set_allocations": "/allocations/c-1",
        "set_traits": "/resource_providers/rp-1/traits",
        "build_server": "/servers",
        "delete_server": f"/servers/{SERVER}",
    }.get(name, ACTION)


@pytest.mark.parametrize("name", WRITES)
class TestARequestForChange:
    @pytest.mark.parametrize("status", [301, 302, 307, 308, 401, 403, 409, 429, 500, 502, 503])
    def test_is_sent_once_whatever_is_answered(self, openstack, name, status):
        path = paths_of(name)
        script = openstack.placement if name in OF_PLACEMENT else openstack.nova
        script[path] = refusing(status, **{"Retry-After": "0", "Location": "/elsewhere"})
        cloud = connect(openstack.url)
        with pytest.raises(CloudError):
            WRITES[name](cloud)
        assert [r.path for r in openstack.requests] == [path]

    def test_whose_token_is_refused_was_not_begun_and_the_next_read_logs_in(self, openstack, name):
        script = openstack.placement if name in OF_PLACEMENT else openstack.nova
        script[paths_of(name)] = refusing(401)
        openstack.nova[SERVICES] = Answer({"services": []})
        cloud = connect(openstack.url)
        cloud.services()
        token = cloud.session.get_token()
        with pytest.raises(CloudAuthError) as caught:
            WRITES[name](cloud)
        assert caught.value.not_begun
        cloud.services()
        assert token is not None
        assert cloud.session.auth.auth_ref is not None

    def test_is_not_sent_where_the_claim_is_lost(self, openstack, name):
        def lost() -> None:
            raise PassOver("another worker has taken over")

        cloud = connect(openstack.url).within(60, lost)
        with pytest.raises(PassOver):
            WRITES[name](cloud)
        assert openstack.requests == []

    def test_is_not_sent_after_a_login_that_took_long(self, openstack, name, monkeypatch):
        monkeypatch.setattr(transport, "WRITE_GOES_STALE", -1)
        with pytest.raises(CloudUnreachable) as caught:
            WRITES[name](connect(openstack.url))
        assert caught.value.not_begun
        assert openstack.requests == []


def test_every_request_for_change_is_among_these():
    writes = {
        name
        for name, method in inspect.getmembers(Cloud, inspect.isfunction)
        if "self._write(" in inspect.getsource(method)
    }
    assert writes == set(WRITES)


class TestBusy:
    def test_a_read_waits_for_a_moment_where_openstack_asks_for_that(self, openstack):
        answers = [refusing(429, **{"Retry-After": "0"}), refusing(503, **{"Retry-After": "0"})]
        openstack.nova[SERVICES] = lambda r: answers.pop() if answers else Answer({"services": []})
        assert connect(openstack.url).services() == []
        assert len(openstack.requests) == 3

    def test_a_longer_wait_is_the_callers(self, openstack):
        openstack.nova[SERVICES] = refusing(503, **{"Retry-After": "120"})
        with pytest.raises(CloudServerError) as caught:
            connect(openstack.url).services()
        assert caught.value.retry_after == 120
        assert len(openstack.requests) == 1

    @pytest.mark.parametrize(
        ("status", "begun"),
        # a 503 may come from what stands in front of Nova, after Nova has taken it
        [(429, False), (503, True), (502, True), (500, True), (409, True)],
    )
    def test_what_was_not_begun_for_certain(self, openstack, status, begun):
        openstack.nova[ACTION] = refusing(status, **{"Retry-After": "3"})
        with pytest.raises(CloudError) as caught:
            WRITES["live_migrate"](connect(openstack.url))
        assert caught.value.not_begun is not begun

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"Retry-After": "7"}, 7),
            ({"Retry-After": "1000000"}, gateway.BUSY_SECONDS_MAX),
            (
                {
                    "Retry-After": "Fri, 02 Jan 2026 03:00:30 GMT",
                    "Date": "Fri, 02 Jan 2026 03:00:00 GMT",
                },
                30,
            ),
            ({"Retry-After": "soon"}, gateway.BUSY_SECONDS),
            ({}, gateway.BUSY_SECONDS),
        ],
    )
    def test_how_long_it_is_left_alone(self, headers, seconds):
        answer = answered(429, headers)
        assert busy_seconds(429, answer) == seconds


def answered(status: int, headers: dict[str, str]):
    answer = requests.Response()
    answer.status_code = status
    answer.headers.update(headers)
    return answer


class TestWhatIsPermanent:
    """It names the setting to change, and is no "try again"."""

    def test_a_microversion_that_nova_does_not_know(self, openstack):
        openstack.nova[SERVICES] = refusing(406)
        with pytest.raises(CloudBadRequest) as caught:
            connect(openstack.url).services()
        assert "2.87" in english(caught.value.remedy)

    def test_a_wrong_region(self, openstack):
        with pytest.raises(CloudAuthError) as caught:
            connect(openstack.url, "RegionTwo", cloud_name="main").services()
        assert "region_name" in english(caught.value.remedy)

    @pytest.mark.parametrize(
        ("status", "kind", "word"),
        [(401, CloudAuthError, "credentials"), (403, CloudForbidden, "project_name")],
    )
    def test_a_login_that_is_refused(self, openstack, status, kind, word):
        openstack.login = refusing(status)
        with pytest.raises(kind) as caught:
            connect(openstack.url, cloud_name="main").services()
        assert word in english(caught.value.remedy)

    def test_a_token_without_a_scope(self, openstack):
        plugin = Password(
            auth_url=f"{openstack.url}/identity/v3",
            username="worker",
            password="secret",
            user_domain_id="default",
        )
        full = openstack._token()
        del full.body["token"]["catalog"]
        openstack.login = full
        cloud = Cloud(Session(auth=plugin), "RegionOne", timeout=5, cloud_name="main")
        with pytest.raises(CloudAuthError) as caught:
            cloud.services()
        assert english(caught.value.remedy)

    def test_an_untrusted_certificate(self, tmp_path):
        key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
        subprocess.run(
            [
                *["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
                *["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        over = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.1)

            def serve() -> None:
                while not over.is_set():
                    try:
                        client, _ = server.accept()
                        client.settimeout(2)
                        context.wrap_socket(client, server_side=True).close()
                    except OSError:
                        continue

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            cloud = connect(f"https://127.0.0.1:{server.getsockname()[1]}", cloud_name="main")
            with pytest.raises(CloudUnreachable) as caught:
                cloud.services()
            over.set()
            thread.join()
        assert "cacert" in english(caught.value.remedy)
        assert not caught.value.sent


class TestOnePass:
    def test_ends_as_a_whole_however_many_answers_it_waits_for(self, openstack):
        openstack.nova[SERVICES] = Answer({"services": []})
        one = connect(openstack.url).within(0.3)
        while one._bounds.left:
            with contextlib.suppress(CloudUnreachable):
                one.services()
        with raises(CloudUnreachable, match="the pass took longer") as caught:
            one.services()
        assert not caught.value.sent

    def test_that_is_nearly_over_waits_for_the_answer_to_a_change_all_the_same(self, openstack):
        class NearlyOver(http.Bounds):
            left = 2

        def late(request):
            threading.Event().wait(3)
            return Answer(None, 202, {"x-openstack-request-id": "req-1"})

        openstack.nova[ACTION] = late
        cloud = connect(openstack.url, timeout=30)
        cloud.log_in()
        one = cloud.within(60)
        one._bounds = NearlyOver()
        assert one.live_migrate(SERVER, None) == "req-1"

    def test_that_is_told_to_stop_gives_up_the_read_that_it_waits_for(self, openstack):
        asked, free = threading.Event(), threading.Event()

        def slow(request):
            asked.set()
            free.wait(30)
            return Answer({"services": []})

        openstack.nova[SERVICES] = slow
        one = connect(openstack.url, timeout=30).within(60)
        errors: list[BaseException] = []

        def read() -> None:
            try:
                one.services()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        assert asked.wait(20)
        one.stop()
        thread.join(20)
        assert not thread.is_alive()
        free.set()
        assert [type(e) for e in errors] == [PassOver]
        with pytest.raises(PassOver):
            one.services()

    def test_that_is_told_to_stop_waits_for_the_answer_to_a_change(self, openstack):
        asked, free = threading.Event(), threading.Event()

        def slow(request):
            asked.set()
            free.wait(30)
            return Answer(None, 202, {"x-openstack-request-id": "req-1"})

        openstack.nova[ACTION] = slow
        one = connect(openstack.url, timeout=30).within(60)
        answers: list[str] = []
        thread = threading.Thread(target=lambda: answers.append(one.live_migrate(SERVER, None)))
        thread.start()
        assert asked.wait(20)
        one.stop()
        free.set()
        thread.join(20)
        assert answers == ["req-1"]

    def test_what_is_cut_off_before_it_was_sent_is_not_sent_later(self):
        exchange = http.Exchange(until=time.monotonic() + 60)
        exchange.cut()
        with pytest.raises(http.TooLate):
            exchange.begin(object(), sends=True)
        assert not exchange.sent


class TestCloudsYaml:
    @pytest.fixture
    def clouds(self, tmp_path, monkeypatch):
        def write(text: str):
            file = tmp_path / "clouds.yaml"
            file.write_text(text)
            monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
            return file

        return write

    def test_a_file_that_it_names_and_that_is_not_there(self, clouds, openstack):
        clouds(
            json.dumps(
                {
                    "clouds": {
                        "main": {
                            "cacert": "/nowhere/ca.pem",
                            "auth": {
                                "auth_url": f"{openstack.url}/identity/v3",
                                "username": "w",
                                "password": "p",
                                "project_name": "admin",
                                "user_domain_name": "Default",
                                "project_domain_name": "Default",
                            },
                        }
                    }
                }
            )
        )
        with raises(ConfigurationError, match=r"/nowhere/ca\.pem"):
            from_clouds_yaml("main", "RegionOne")

    @pytest.mark.parametrize(
        "text",
        ["clouds: [", "clouds: 5", "clouds: {main: 7}", "clouds: {main: {auth: 3}}", "[]", "7", ""],
    )
    def test_a_file_of_another_shape(self, clouds, text):
        clouds(text)
        with raises(ConfigurationError, match=r"clouds\.yaml"):
            from_clouds_yaml("main", "RegionOne")


def test_a_conflict_of_a_change_is_a_refusal_in_novas_words(openstack):
    words = {"conflictingRequest": {"message": "task_state migrating", "code": 409}}
    openstack.nova[ACTION] = Answer(words, 409)
    with pytest.raises(CloudConflict) as caught:
        WRITES["live_migrate"](connect(openstack.url))
    assert caught.value.detail == "task_state migrating"
    assert not caught.value.not_begun


def test_the_time_of_every_session_is_bounded():
    bound = connect("http://127.0.0.1:1", timeout=3).session.timeout
    assert 3 < bound <= 4  # behind ours, which tells what is said

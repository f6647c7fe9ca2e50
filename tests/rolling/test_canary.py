"""Canaries as a run builds them, with a worker that is killed at any of its requests.

What Nova itself does is tested against the real one, in tests/worker/test_canary.py.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.actions.servers import answer, serving
from tests.rolling.test_acting import Bench, hook
from tests.worker.fake_nova import Killed
from ukcloud_maintenance import store
from ukcloud_maintenance.core.facts import Hypervisor, Machine, Server, Service
from ukcloud_maintenance.core.run.canary import PREFIX, restored
from ukcloud_maintenance.core.run.states import Stage
from ukcloud_maintenance.exceptions import (
    CloudBadRequest,
    CloudConflict,
    CloudForbidden,
    CloudNotFound,
    CloudUnreachable,
)
from ukcloud_maintenance.messages import english
from ukcloud_maintenance.models import HostMaintenance
from ukcloud_maintenance.rolling import gates
from ukcloud_maintenance.rolling.run import RunReconciler

pytestmark = pytest.mark.django_db

CANARY = {"image": "an-image", "flavor": "a-flavor", "seconds": 20}


class Region:
    """Stands in for a Nova with one host and its Placement: a server is scheduled, and built, a
    while after it was requested, and by nobody's request if the host is taken for disabled.

    :ivar goes: how what is built goes: active, error, elsewhere or stuck
    :ivar kill_at: of its requests, counted from 1: before it (1, False) or after it (1, True)
    :ivar fails: what the next request for a change does
    """

    region = ""

    def __init__(self) -> None:
        self.service_now = Service("s", "cmp1", "az1", "up", "disabled", "new kernel")
        self.is_marked = True
        self.servers: dict[str, Server] = {}
        self.goes = "active"
        self.keeps_deleted = False
        self.undeletable = False
        self.kill_at: tuple[int, bool] | None = None
        self.fails: dict[str, Exception] = {}
        self.requests = 0
        self.built = 0
        self.most = 0
        self.places: set[str] = set()

    def _asked(self, name: str, effect=lambda: None):
        self.requests += 1
        if self.kill_at == (self.requests, False):
            raise Killed
        if error := self.fails.pop(name, None):
            raise error
        found = effect()
        if self.kill_at == (self.requests, True):
            raise Killed
        return found

    def turn(self) -> None:
        """Time goes by in Nova."""
        for server in list(self.servers.values()):
            if server.task_state == "deleting":
                if not self.undeletable:
                    del self.servers[server.id]
            elif server.status == "BUILD" and not server.host:
                change = {"status": "ERROR", "fault_message": "No valid host was found."}
                if not self.is_marked:
                    host = "cmp2" if self.goes == "elsewhere" else "cmp1"
                    change = {"host": host, "task_state": "spawning"}
                self.servers[server.id] = replace(server, **change)
            elif server.status == "BUILD" and self.goes != "stuck":
                change = {"status": "ACTIVE", "task_state": None}
                if self.goes == "error":
                    change = {"status": "ERROR", "fault_message": "virt is broken"}
                self.servers[server.id] = replace(server, **change)

    # -- as the gateway has it

    def services(self) -> list[Service]:
        return self._asked("services", lambda: [self.service_now])

    def service(self, host: str) -> Service:
        return self.services()[0]

    def machine(self, host: str) -> Machine:
        return Machine(1000, 1)

    def hypervisors_of(self, host: str) -> list[Hypervisor]:
        return self._asked("hypervisors_of", lambda: [Hypervisor("rp", "cmp1", "cmp1")])

    def server(self, server_id: str) -> Server | None:
        return self._asked("server", lambda: self.servers.get(server_id))

    def own_servers_named(self, name: str) -> list[Server]:
        kept = ("SOFT_DELETED",)
        found = [s for s in self.servers.values() if s.name == name and s.status not in kept]
        return self._asked("own_servers_named", lambda: found)

    def servers_in_error(self) -> dict[str, str]:
        return {s.id: s.name for s in self.servers.values() if s.status == "ERROR"}

    def mark_disabled(self, provider: str, disabled: bool) -> None:
        assert provider == "rp"
        assert disabled or self.service_now.status == "disabled"

        def mark():
            self.is_marked = disabled

        self._asked("mark_disabled", mark)

    def build_server(self, name: str, place: str, **more) -> str:
        assert name.startswith(PREFIX)

        def build():
            self.built += 1
            self.places.add(place)
            server = Server(f"id-{self.built}", name, "", "BUILD", "building", "scheduling")
            self.servers[server.id] = server
            self.most = max(self.most, len(self.servers))
            return server.id

        return self._asked("build_server", build)

    def delete_server(self, server_id: str, *, for_good: bool = False) -> None:
        def delete():
            if server_id not in self.servers:
                raise CloudNotFound("to delete")
            change = {"task_state": "deleting"}
            if self.keeps_deleted and not for_good:
                change = {"status": "SOFT_DELETED", "task_state": None}
            self.servers[server_id] = replace(self.servers[server_id], **change)

        self._asked("delete_server", delete)


class Canaried(Bench):
    """A host that is settling after its action, which wants a canary."""

    def __init__(self) -> None:
        super().__init__("awx")
        self.region = Region()
        row = self.row
        type(row).objects.filter(pk=row.pk).update(
            stage=Stage.SETTLING.value,
            since=self.now,
            up_since=self.now,
            down_at=self.now,
            open_key=row.host_key,
        )
        HostMaintenance.objects.update(our_reason="new kernel", disabled_at=self.now)

    def turn(self, seconds: float = 3) -> None:
        self.now += timedelta(seconds=seconds)
        self.region.turn()
        run = store.run(self.run.pk)
        RunReconciler(self.region, "worker", "here", lambda: self.now).run(run)

    def until(self, *stages: Stage) -> Stage:
        for _ in range(200):
            self.turn()
            if Stage(self.row.stage) in stages:
                return Stage(self.row.stage)
        raise AssertionError(f"{self.row.stage} {english(self.row.message)}")

    def retry(self) -> None:
        """A person repaired the host, and has it tried again."""
        fields = {"objection": None, "checked_at": None, "message": None}
        store.change_host(self.run, self.row, self.now, stage="settling", **fields)

    @property
    def canary(self):
        return restored(self.row.before.get("canary"))


@pytest.fixture
def bench(settings):
    with serving(answer(200, {})) as receiver:
        hook(settings, receiver.url, checks=["canary"], settle=1)
        settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, "CANARY": CANARY}
        yield Canaried()


ENDS = (Stage.RETURNING, Stage.FAILED)


def test_a_host_that_runs_its_canary_is_given_back_without_it(bench):
    seen = []
    for _ in range(20):
        bench.turn()
        seen.append(bench.row.message.code if bench.row.message else "")
        if bench.row.stage == Stage.RETURNING:
            break
    region = bench.region
    assert bench.row.stage == Stage.RETURNING
    assert {"run_canary_built", "run_canary_deleted"} <= set(seen)
    assert (region.built, region.servers, region.is_marked) == (1, {}, True)
    assert region.places == {"az1:cmp1"}
    # nobody is told that it is safe to power off while there is one
    maintenance = HostMaintenance.objects.get()
    assert maintenance.withdrawn_why.code == "run_canary_built"


@pytest.mark.parametrize(
    ("goes", "said"),
    [
        ("error", "No canary instance ran on cmp1: virt is broken"),
        ("elsewhere", "Nova built it on cmp2"),
        ("stuck", "it is BUILD after 20 s"),
    ],
)
def test_a_host_that_does_not_run_it_fails_and_none_is_left(bench, goes, said):
    bench.region.goes = goes
    assert bench.until(*ENDS) is Stage.FAILED
    assert said in english(bench.row.message)
    region = bench.region
    assert (region.built, region.servers, region.is_marked) == (1, {}, True)

    # a person repairs it, and has it tried again
    region.goes = "active"
    bench.retry()
    assert bench.until(*ENDS) is Stage.RETURNING
    assert (region.built, region.servers, region.is_marked) == (2, {}, True)


def test_a_host_that_is_taken_for_disabled_again_too_early_gets_another_one(bench):
    bench.turn()
    bench.region.is_marked = True  # by nova-compute
    assert bench.until(*ENDS) is Stage.RETURNING
    assert (bench.region.built, bench.region.most) == (2, 1)


@pytest.mark.parametrize("error", [CloudForbidden, CloudBadRequest])
def test_what_nova_refuses_is_told_in_its_words(bench, error):
    bench.region.fails["build_server"] = error("to build", "no forced_host", status=403)
    assert bench.until(*ENDS) is Stage.FAILED
    assert "no forced_host" in english(bench.row.message)
    assert (bench.region.built, bench.region.is_marked) == (0, True)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("build_server", CloudBadRequest("to build", "busy", status=429)),
        ("build_server", CloudUnreachable("to build", sent=False)),
        ("mark_disabled", CloudConflict("to mark", "changed", status=409)),
    ],
)
def test_what_did_not_begin_is_tried_again(bench, call, error):
    bench.region.fails[call] = error
    assert bench.until(*ENDS) is Stage.RETURNING
    assert (bench.region.built, bench.region.is_marked) == (1, True)


@pytest.mark.parametrize("arrived", [False, True])
def test_an_answer_that_got_lost_makes_no_second_one(bench, arrived):
    region = bench.region
    if arrived:
        build = region.build_server

        def lost(*args, **more):
            build(*args, **more)
            raise CloudUnreachable("to build")

        region.build_server = lost
        bench.turn()
        region.build_server = build
    else:
        region.fails["build_server"] = CloudUnreachable("to build")
        bench.turn()
    assert bench.until(*ENDS) is Stage.RETURNING
    assert (region.built, region.most, region.servers) == (1, 1, {})


def test_one_that_comes_after_it_was_given_up_is_deleted_before_another(bench):
    bench.region.goes = "error"
    assert bench.until(*ENDS) is Stage.FAILED
    bench.region.goes = "active"
    name = bench.canary.name
    bench.region.servers["late"] = Server("late", name, "cmp1", "ACTIVE", "active", None)
    bench.retry()
    assert bench.until(*ENDS) is Stage.RETURNING
    region = bench.region
    assert (region.built, region.most, region.servers, region.is_marked) == (2, 1, {}, True)


def test_one_that_nova_would_keep_for_a_while_is_deleted_for_good(bench):
    bench.region.keeps_deleted = True
    assert bench.until(*ENDS) is Stage.RETURNING
    assert bench.region.servers == {}


def test_one_that_cannot_be_deleted_fails_the_host_and_is_tried_again_and_again(bench):
    bench.region.undeletable = True
    assert bench.until(*ENDS) is Stage.FAILED
    assert "could not be deleted: id-1" in english(bench.row.message)
    bench.region.undeletable = False
    bench.turn()
    bench.turn()
    assert (bench.region.servers, bench.canary.is_gone) == ({}, True)
    assert bench.row.stage == Stage.FAILED


def test_one_in_error_holds_no_further_host(bench):
    bench.region.goes = "error"
    while not any(s.status == "ERROR" for s in bench.region.servers.values()):
        bench.turn()
    assert bench.region.servers_in_error()
    assert gates.instances_are_in_error(bench.run, bench.region) is None
    bench.region.servers["x"] = Server("x", "customers", "cmp1", "ERROR", "error", None)
    held = gates.instances_are_in_error(bench.run, bench.region)
    assert held.values["instances"] == ("customers",)


def test_a_host_that_is_given_back_by_hand_is_left_enabled_and_without_it(bench):
    bench.turn()
    bench.turn()
    assert bench.region.servers
    bench.give_back()
    bench.region.service_now = replace(bench.region.service_now, status="enabled")
    bench.region.is_marked = False
    assert bench.until(*ENDS) is Stage.RETURNING
    assert (bench.region.servers, bench.region.is_marked) == ({}, False)


def test_without_the_setting_nothing_is_built_and_it_is_named(bench, settings):
    settings.UKCLOUD_MAINTENANCE = {**settings.UKCLOUD_MAINTENANCE, "CANARY": {}}
    for _ in range(3):
        bench.turn()
    assert "no CANARY" in english(bench.row.objection)
    assert bench.region.built == 0


@pytest.mark.parametrize("goes", ["active", "error", "stuck"])
def test_a_worker_that_is_killed_at_any_request_leaves_none_and_builds_no_second(
    bench, settings, goes
):
    bench.region.goes = goes
    end = bench.until(*ENDS)
    requests = bench.region.requests
    assert requests > 10
    for number in range(1, requests + 1):
        for after in (False, True):
            HostMaintenance.objects.all().delete()
            type(bench.run).objects.all().delete()
            one = Canaried()
            one.region.goes = goes
            one.region.kill_at = (number, after)
            try:
                found = one.until(*ENDS)
            except Killed:
                found = one.until(*ENDS)  # another worker
            assert found is end, (number, after, english(one.row.message))
            region = one.region
            assert (region.servers, region.is_marked) == ({}, True), (number, after)
            assert (region.built, region.most) == (1, 1), (number, after)

"""Who is affected, with a real Nova that moves instances and a real Keystone that knows users."""

import uuid

import pytest
from keystoneauth1.adapter import Adapter

from tests.worker import test_runs
from tests.worker.driving import Passes
from ukcloud_maintenance import services
from ukcloud_maintenance.core.actor import shell_actor
from ukcloud_maintenance.core.affected import Interruption, Part
from ukcloud_maintenance.core.states import Direction

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

worker = test_runs.worker


@pytest.fixture
def project(nova):
    """The id of the servers' project, with users of our making."""
    session = nova.session()
    keystone = Adapter(session, service_type="identity", interface="public")
    project_id = session.get_project_id()
    role = next(r["id"] for r in keystone.get("/roles").json()["roles"] if r["name"] == "admin")
    made = []

    def user(**fields) -> str:
        named = {"name": f"u-{uuid.uuid4().hex}", "domain_id": "default", **fields}
        made.append(keystone.post("/users", json={"user": named}).json()["user"]["id"])
        return made[-1]

    direct, off, grouped = (
        user(email="direct@example.org"),
        user(email="off@example.org", enabled=False),
        user(email="group@example.org"),
    )
    user(email="stranger@example.org")
    for one in (direct, off):
        keystone.put(f"/projects/{project_id}/users/{one}/roles/{role}")
    group = {"name": f"g-{uuid.uuid4().hex}", "domain_id": "default"}
    group_id = keystone.post("/groups", json={"group": group}).json()["group"]["id"]
    keystone.put(f"/groups/{group_id}/users/{grouped}")
    keystone.put(f"/projects/{project_id}/groups/{group_id}/roles/{role}")
    yield project_id
    for one in made:
        keystone.delete(f"/users/{one}")
    keystone.delete(f"/groups/{group_id}")


def test_before_and_after_with_whom_to_tell(nova, passes: Passes, project):
    nova.create_servers(["web-1", "web-2"], host="st2")
    drain = passes.ask("st2")
    request = services.AffectedRequest((drain.pk,))
    before = services.affected(shell_actor(), passes.cloud, request)
    [found] = before.projects
    assert before.problems == ()
    assert found.id == project
    assert {"direct@example.org", "group@example.org"} <= set(found.emails)
    assert not {"off@example.org", "stranger@example.org"} & set(found.emails)
    assert {one.effect.part for one in before.instances} == {Part.TO_MOVE}
    assert all(one.begins_at <= one.ends_at for one in before.instances)
    passes.until_over(drain)
    after = services.affected(shell_actor(), passes.cloud, request)
    assert {one.effect.part for one in after.instances} == {Part.MOVED}
    assert {one.effect.interruption for one in after.instances} == {Interruption.MOMENT}
    assert all(one.moved_at is not None for one in after.instances)


def test_a_run_before_and_after_with_the_move_away_and_the_move_back(nova, worker, project):
    made = nova.create_servers(["run-1", "run-2"], host="st13")
    run = worker.request("st13", "st14", action="reboot", bring_back=True)
    request = services.AffectedRequest(run_id=run.pk)
    before = services.affected(shell_actor(), worker.cloud, request)
    assert (before.drains, before.hosts) == ((), ("st13", "st14"))
    assert {one.server_id for one in before.instances} == set(made)
    assert {one.effect.part for one in before.instances} == {Part.TO_MOVE}
    assert all(one.begins_at <= one.ends_at for one in before.instances)
    assert all(one.may_move_again for one in before.instances)
    [found] = before.projects
    assert {"direct@example.org", "group@example.org"} <= set(found.emails)
    report = worker.until_over(run)
    assert report.run.state == "succeeded", test_runs.told(report)
    after = services.affected(shell_actor(), worker.cloud, request)
    # away and back by drains of their own
    assert [(one.host, one.direction) for one in after.drains][:2] == [
        ("st13", Direction.AWAY),
        ("st13", Direction.BACK),
    ]
    assert {one.effect.part for one in after.instances} == {Part.MOVED}
    for server in made:
        moves = [one for one in after.instances if one.server_id == server]
        assert [(one.move, one.moves) for one in moves] == [(1, 2), (2, 2)]
        assert (moves[0].host, moves[1].dest_compute) == ("st13", "st13")
        assert moves[0].moved_at < moves[1].moved_at
    assert not any(one.may_move_again for one in after.instances)

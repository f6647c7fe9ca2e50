"""E-mail addresses of a project's users, against answers in the shape of Keystone's."""

import pytest

from tests.unit import openstack_server
from tests.unit.openstack_server import Answer
from tests.unit.test_cloud import connect
from ukcloud_maintenance.messages import english


@pytest.fixture
def openstack():
    with openstack_server.running() as server:
        yield server


@pytest.fixture
def cloud(openstack):
    return connect(openstack.url)


def roles(openstack, **users):
    """Users by project; by the query, as Keystone filters."""

    def answer(request):
        assert "effective" in request.query
        found = users[request.query["scope.project.id"]]
        if isinstance(found, Answer):
            return found
        return Answer({"role_assignments": [{"user": {"id": one}, "role": {}} for one in found]})

    openstack.keystone["/role_assignments"] = answer


def user(openstack, id, **fields):
    openstack.keystone[f"/users/{id}"] = Answer({"user": {"id": id, "enabled": True, **fields}})


def test_the_addresses_of_each_project(openstack, cloud):
    roles(openstack, p1=["u1", "u2", "u1"], p2=["u2"], p3=[])
    user(openstack, "u1", email="one@example.org")
    user(openstack, "u2", email="two@example.org")
    found = cloud.contacts_of(["p1", "p2", "p3", "p1", ""])
    assert found.emails == {
        "p1": ("one@example.org", "two@example.org"),
        "p2": ("two@example.org",),
        "p3": (),
    }
    assert (found.not_read, found.problem, found.left_out) == (frozenset(), None, 0)
    read = [r.path for r in openstack.requests if r.path.startswith("/users/")]
    assert sorted(read) == ["/users/u1", "/users/u2"], "each user once"


def test_who_has_none_is_gone_or_is_disabled(openstack, cloud):
    roles(openstack, p1=["none", "null", "gone", "off", "ok"])
    user(openstack, "none")
    user(openstack, "null", email=None)
    user(openstack, "off", email="off@example.org", enabled=False)
    user(openstack, "ok", email=" ok@example.org ")
    assert cloud.contacts_of(["p1"]).emails == {"p1": ("ok@example.org",)}


@pytest.mark.parametrize(
    "email",
    [
        *("no address", "a@b\nBcc: c@d", "a@b,c@d", "<a@b>", "a@b\x00", 7, ["a@b"]),
        "a@" + "b" * 300,
    ],
)
def test_what_is_no_address_is_left_out(openstack, cloud, email):
    roles(openstack, p1=["u1"])
    user(openstack, "u1", email=email)
    assert cloud.contacts_of(["p1"]).emails == {"p1": ()}


def test_who_may_not_read_them_is_told_after_one_request(openstack, cloud):
    forbidden = Answer({"error": {"message": "You are not authorized."}}, 403)
    roles(openstack, p1=forbidden, p2=forbidden)
    found = cloud.contacts_of(["p1", "p2"])
    assert found.emails == {}
    assert found.not_read == {"p1", "p2"}
    assert "not authorized" in english(found.problem)
    assert len(openstack.requests) == 1


@pytest.mark.parametrize("status", [404, 500])
def test_a_first_project_that_cannot_be_read_hides_no_other(openstack, cloud, status):
    """Of 404: it was deleted, and its instances are left."""
    roles(openstack, p1=Answer({"error": {"message": "?"}}, status), p2=["u2"])
    user(openstack, "u2", email="two@example.org")
    found = cloud.contacts_of(["p1", "p2"])
    two = {"p2": ("two@example.org",)}
    if status == 404:
        assert (found.emails, found.problem) == ({"p1": ()} | two, None)
    else:
        assert (found.emails, found.not_read) == (two, {"p1"})


def test_a_project_that_cannot_be_read_hides_no_other(openstack, cloud):
    roles(openstack, p1=["u1"], p2=Answer({"error": {"message": "?"}}, 500), p3=["u3"])
    user(openstack, "u1", email="one@example.org")
    openstack.keystone["/users/u3"] = Answer({"error": {"message": "no"}}, 403)
    found = cloud.contacts_of(["p1", "p2", "p3"])
    assert found.emails == {"p1": ("one@example.org",)}
    assert found.not_read == {"p2", "p3"}
    assert found.problem is not None


def test_a_keystone_that_makes_no_sense_is_no_error(openstack, cloud):
    openstack.keystone["/role_assignments"] = Answer({"role_assignments": [7, {"user": None}]})
    found = cloud.contacts_of(["p1"])
    assert found.not_read == {"p1"}


def test_there_is_a_bound(openstack, cloud, monkeypatch):
    monkeypatch.setattr("ukcloud_maintenance.cloud.identity.PROJECTS", 2)
    roles(openstack, p1=[], p2=[])
    found = cloud.contacts_of(["p1", "p2", "p3", "p4"])
    assert set(found.emails) == {"p1", "p2"}
    assert found.left_out == 2

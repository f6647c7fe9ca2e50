"""What becomes of a certificate while its host cannot be looked at."""

import pytest

from tests.core.build import NOW, ago
from ukcloud_maintenance.core.host.unverified import Standing, Unverified, cannot_verify
from ukcloud_maintenance.core.message import message, text

TROUBLE = message("openstack_trouble", detail=text("no answer"))
BEFORE = message("openstack_trouble", detail=text("refused"))
REFUSED = text("The service was left disabled.")
BOUND = 180.0


def verified(at, said=TROUBLE, safe=True) -> Standing:
    return Standing(said, ago(5000) if safe else None, at)


@pytest.mark.parametrize(
    ("said", "expected"),
    [(None, TROUBLE), (BEFORE, TROUBLE), (TROUBLE, None), (REFUSED, None)],
    ids=["nothing", "another trouble", "the same", "what a return came to"],
)
def test_it_is_said_where_nothing_else_is_to_be_read(said, expected):
    assert cannot_verify(verified(NOW, said), TROUBLE, BOUND, NOW) == Unverified(expected)


@pytest.mark.parametrize("at", [NOW, ago(BOUND)])
def test_a_verification_is_believed_for_a_while(at):
    assert cannot_verify(verified(at), TROUBLE, BOUND, NOW).withdrawn is None


@pytest.mark.parametrize("at", [ago(BOUND + 1), ago(-1)], ids=["old", "ahead of the clock"])
def test_and_withdrawn_after_it(at):
    detail = text("no answer")
    expected = message("not_verified_since", at=at, detail=detail)
    assert cannot_verify(verified(at), TROUBLE, BOUND, NOW).withdrawn == expected


def test_one_of_no_known_age_is_withdrawn():
    found = cannot_verify(verified(None), TROUBLE, BOUND, NOW)
    assert found.withdrawn == message("not_verified", detail=text("no answer"))


def test_what_was_not_safe_is_not_withdrawn():
    assert cannot_verify(verified(ago(9999), safe=False), TROUBLE, BOUND, NOW).withdrawn is None
